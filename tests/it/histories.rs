//! The naive engine as the model of the real one, on generated histories: whatever happens, in whatever order, both tell
//! the same, every promise holds after every event, and recorded effects rebuild the state at any point.
//!
//! `HISTORIES` and `EVENTS` set how many histories of how many events are played (1,000 of 300 in `make test`), `SEED`
//! plays one. The long run is `HISTORIES=10000 EVENTS=1000 cargo test --test it histories:: -- --nocapture`. A failing
//! history is made short and plain while it still fails (`shorten.rs`), and printed with one line to paste.

pub mod checker;
mod drawn_policy;
pub mod events;
mod generator;
mod machine;
pub mod pair;
pub mod policies;
pub mod script;
mod shorten;
mod world;

use checker::Checker;
use engine::Limits;
use engine::decision::{AgentState, DecisionType, PhaseWord, Reason, Told, ToldAgent, ToldConversation, ToldDetail};
use engine::input::Input;
use events::Sender;
use generator::{Before, Generator, Move, Restart, Ticks};
use pair::Pair;
use script::{Desk, START_MS};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Of each worker; then it stops.
const FAILURES_SHOWN: usize = 8;
/// So many come upon every answer.
const HISTORIES_OF_EVERYTHING: u64 = 800;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn engine_and_naive_engine_tell_the_same_and_effects_rebuild_the_state() {
    let events = setting("EVENTS", 300) as usize;
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=setting("HISTORIES", 1_000)).collect::<Vec<u64>>(),
    };
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (seeds, started) = (&seeds, std::time::Instant::now());
    let failing: Vec<u64> = std::thread::scope(|scope| {
        let of_worker = |worker: usize| {
            let own = seeds.iter().skip(worker).step_by(workers);
            own.filter(|seed| !play(**seed, events)).take(FAILURES_SHOWN).copied().collect::<Vec<u64>>()
        };
        let spawned: Vec<_> = (0..workers).map(|worker| scope.spawn(move || of_worker(worker))).collect();
        spawned.into_iter().flat_map(|worker| worker.join().expect("a failure is no panic")).collect()
    });
    println!("{} histories of {events} events in {:.1} s", seeds.len(), started.elapsed().as_secs_f32());
    assert!(failing.is_empty(), "histories of these seeds fail, as shown above: {failing:?}");
}

/// Plays one history; a failing one is shortened and shown. Returns whether it held.
fn play(seed: u64, events: usize) -> bool {
    let mut generator = Generator::new(seed);
    let limits = generator.limits();
    let mut moves = Vec::new();
    let found = caught(|| {
        let mut pair = new_pair(limits);
        for _ in 0..events {
            moves.push(generator.next(pair.engine.wants_tick_at()));
            let last = &moves[moves.len() - 1];
            generator.hear(&make(&mut pair, last)?);
        }
        pair.seal()
    });
    let Err(failure) = found else { return true };
    let (moves, failure) = shorten::shortened(moves, failure, &|moves| replay(moves, limits).err());
    let start = moves.first().map_or(0, |first| first.now);
    let lines: Vec<String> = moves.iter().enumerate().map(|(at, one)| shorten::line(at, one, start)).collect();
    let count = moves.len();
    println!(
        "{}\n{failure}\n{count} events are enough\nSEED={seed} EVENTS={events} cargo test --test it histories -- --nocapture\n",
        lines.join("\n")
    );
    false
}

/// Histories that never come upon something say nothing about it.
#[test]
fn generated_histories_come_upon_every_answer() {
    let mut met = BTreeSet::new();
    for seed in 1..=HISTORIES_OF_EVERYTHING {
        let mut generator = Generator::new(seed);
        let mut pair = new_pair(generator.limits());
        for _ in 0..300 {
            let one = generator.next(pair.engine.wants_tick_at());
            let told = make(&mut pair, &one).unwrap_or_else(|failure| panic!("SEED={seed}: {failure}"));
            generator.hear(&told);
            met.extend(told.iter().map(|told| (told.decision_type, told.reason)));
        }
    }
    let reasons: BTreeSet<Reason> = met.iter().map(|(_, reason)| *reason).collect();
    let missing: Vec<&str> = Reason::ALL.iter().filter(|r| !reasons.contains(r)).map(|r| r.word()).collect();
    // The limit of 1,024 sets has a test of its own (`routing.rs`).
    assert_eq!(missing, ["too_many_skill_sets", "too_many"]);
    // What is told is what is published.
    for (decision_type, reason) in &met {
        let published = connectors::codec::reasons(*decision_type);
        assert!(*reason == Reason::None || published.contains(reason), "{} {}", decision_type.word(), reason.word());
    }
    let types: BTreeSet<DecisionType> = met.iter().map(|(decision_type, _)| *decision_type).collect();
    assert_eq!(types.len(), DecisionType::ALL.len(), "{types:?}");
}

fn new_pair(limits: Limits) -> Pair {
    let mut pair = Pair::new(Sender::new("acme").key);
    if limits != Limits::default() {
        pair.set_limits(limits, 0);
    }
    pair
}

fn make(pair: &mut Pair, one: &Move) -> Result<Vec<Told>, String> {
    let mut told = match one.before {
        Before::AtDeadlines => pair.pass(one.now)?,
        Before::Late => pair.settle(one.now)?,
        Before::Nothing => Vec::new(),
    };
    if let Some(behind) = one.behind {
        pair.set_behind(behind, one.now)?;
    }
    told.append(&mut pair.step(&one.input, one.now)?);
    match one.ticks {
        Ticks::All => told.append(&mut pair.settle(one.now)?),
        Ticks::AtMost(ticks) => {
            for _ in 0..ticks {
                told.append(&mut pair.tick(one.now)?);
            }
        }
    }
    match one.restart {
        Restart::None if one.seal => pair.seal()?,
        Restart::None => {}
        Restart::Recovered => pair.recover()?,
        Restart::Claimed => {
            pair.recover()?;
            pair.claimed(one.now)?;
        }
    }
    Ok(told)
}

fn replay(moves: &[Move], limits: Limits) -> Result<(), String> {
    caught(|| {
        let mut pair = new_pair(limits);
        moves.iter().try_for_each(|one| make(&mut pair, one).map(drop))?;
        pair.seal()
    })
}

/// A panic of either engine is a failure like any other.
fn caught(play: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    })
}

/// A checker that has never failed proves nothing: each of these decisions is one that must never be told.
#[test]
fn the_outside_checker_fails_on_forged_decisions() {
    let (history, assigned, queued) = {
        let mut history = history_of("", &["0 message held on=email", "0 message waits on=email"]);
        let queued = history.pop().expect("it waits");
        let told = (history[history.len() - 1].1[2].clone(), queued.1[1].clone());
        history.push(queued);
        (history, told.0, told.1)
    };
    let given = |owner: &'static str, reason: Reason| {
        let change = move |about: &mut ToldConversation| {
            (about.owner, about.epoch, about.units) = (owner.into(), 1, 1);
            about.state = PhaseWord::Assigned;
        };
        Told { decision_type: DecisionType::ConversationAssigned, reason, ..forged(&queued, &change) }
    };
    let cases = [
        ("is owned by", forged(&assigned, &|about| (about.owner, about.epoch) = ("bert".into(), 2))),
        ("goes from epoch", forged(&assigned, &|about| about.epoch = 1)),
        ("holds 2 of 1 units", given("anna", Reason::Auto)),
        ("uses 2 of 1 units unsaid", given("anna", Reason::Adopted)),
        ("is not online", given("bert", Reason::Auto)),
        ("of whom nothing is known", given("carl", Reason::Claim)),
        ("is queued and owned by", forged(&queued, &|about| about.owner = "anna".into())),
        ("is assigned after", forged(&queued, &|about| about.state = PhaseWord::Assigned)),
        ("was accepted and not offered", given("anna", Reason::Accepted)),
        ("names an event", Told { cause_id: "e9".into(), ..given("anna", Reason::Supervisor) }),
        ("ms at", forged(&queued, &|about| about.waited_ms += 1)),
    ];
    for (expected, told) in cases {
        let found = after(&history).tick(&[told]);
        assert!(found.as_ref().is_err_and(|failure| failure.contains(expected)), "{expected}: {found:?}");
    }
    let mut checker = Checker::default();
    let (input, told) = &history[0];
    assert_eq!(checker.step(input, told), Ok(()));
    let again = Told { decision_type: DecisionType::EventRecorded, reason: Reason::Duplicate, ..told[0].clone() };
    assert!(
        checker.step(input, &[again.clone(), told[0].clone()]).is_err_and(|f| f.contains("duplicate did something"))
    );
    assert!(checker.step(input, &[again]).is_err_and(|f| f.contains("where its first outcome is")));
}

#[test]
fn the_outside_checker_fails_on_forged_offers() {
    let history = history_of("queue main accept=20", &["0 message rings on=email"]);
    let offered = history[history.len() - 1].1[2].clone();
    let as_type = |decision_type, reason, change: &dyn Fn(&mut ToldConversation)| Told {
        decision_type,
        reason,
        ..forged(&offered, change)
    };
    let numbered = |number: u64, told: Told| {
        let detail = told.detail.clone().map(|detail| ToldDetail { offer: number, ..detail });
        Told { detail, ..told }
    };
    let taken_by = |owner: &'static str| {
        move |about: &mut ToldConversation| {
            (about.owner, about.epoch, about.units) = (owner.into(), 1, 1);
            about.state = PhaseWord::Assigned;
        }
    };
    let unchanged = |_: &mut ToldConversation| {};
    let queued = |about: &mut ToldConversation| about.state = PhaseWord::Queued;
    let resolved = |about: &mut ToldConversation| (about.state, about.units) = (PhaseWord::Resolved, 0);
    let gone = Told {
        decision_type: AgentChanged,
        conversation: None,
        agent: offered.agent.clone().map(|agent| ToldAgent { state: AgentState::Away, ..agent }),
        ..forged(&offered, &unchanged)
    };
    use DecisionType::*;
    let cases = [
        ("is offered while", numbered(2, forged(&offered, &unchanged))),
        ("is withdrawn, open is", numbered(7, as_type(OfferWithdrawn, Reason::Expired, &queued))),
        ("goes to bert while", as_type(ConversationAssigned, Reason::Accepted, &taken_by("bert"))),
        ("goes to anna while", as_type(ConversationAssigned, Reason::Auto, &taken_by("anna"))),
        ("goes on while", as_type(ConversationQueued, Reason::Requeue, &queued)),
        ("goes on while", as_type(ConversationResolved, Reason::Resolved, &resolved)),
        ("who is gone", gone),
    ];
    for (expected, told) in cases {
        let found = after(&history).tick(&[told]);
        assert!(found.as_ref().is_err_and(|failure| failure.contains(expected)), "{expected}: {found:?}");
    }
    let found = after(&history[..history.len() - 1]).tick(&[forged(&offered, &unchanged)]);
    assert_eq!(found, Ok(()), "the same offer at its time is sound");
}

/// A workspace with anna online and bert not, of one unit each, and what these lines bring.
fn history_of(policy: &str, lines: &[&str]) -> Vec<(Input, Vec<Told>)> {
    let mut desk = Desk::new(policies::policy(policy));
    let opening = ["0 agent anna", "0 agent bert", "0 online anna"];
    let configure = desk.sender.configure(policies::policy(policy), None);
    let mut pair = Pair::new(desk.sender.key);
    let inputs = opening.iter().chain(lines).map(|line| desk.heard(line));
    let inputs: Vec<Input> = [configure].into_iter().chain(inputs).collect();
    inputs.into_iter().map(|input| (input.clone(), pair.step(&input, START_MS).unwrap_or_default())).collect()
}

/// The checker when it has heard all of these.
fn after(history: &[(Input, Vec<Told>)]) -> Checker {
    let mut checker = Checker::default();
    for (input, told) in history {
        assert_eq!(checker.step(input, told), Ok(()));
    }
    checker
}

/// Told again by a tick, with something changed about its conversation.
fn forged(told: &Told, change: &dyn Fn(&mut ToldConversation)) -> Told {
    let mut told = Told { cause_source: "".into(), cause_id: "".into(), ..told.clone() };
    told.conversation.iter_mut().for_each(change);
    told
}
