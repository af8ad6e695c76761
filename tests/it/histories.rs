//! The naive engine as the model of the real one, on generated histories: whatever happens, in whatever order, both tell
//! the same, every promise holds after every event, and recorded effects rebuild the state at any point.
//!
//! `HISTORIES` and `EVENTS` set how many histories of how many events are played (1,000 of 300), `SEED` plays one. A
//! failing history is shortened by leaving events out while it still fails, and printed with one line to paste.

pub mod checker;
pub mod events;
mod generator;
pub mod pair;
pub mod script;

use checker::Checker;
use engine::Limits;
use engine::decision::{DecisionType, Reason, Told, ToldConversation};
use engine::id::Kind;
use engine::input::{By, Contact, Input, Status};
use engine::policy::Strategy;
use events::Sender;
use generator::{Generator, Move, Ticks};
use pair::Pair;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Rounds of shortening: each plays the history once for every event it still has, at most.
const SHORTENING_PLAYS_MAX: usize = 3_000;

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
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || seeds.iter().skip(worker).step_by(workers).for_each(|seed| play(*seed, events)));
        }
    });
    println!("{} histories of {events} events in {:.1} s", seeds.len(), started.elapsed().as_secs_f32());
}

/// Plays one history; a failing one is shortened and told.
fn play(seed: u64, events: usize) {
    let mut generator = Generator::new(seed);
    let limits = generator.limits();
    let mut moves = Vec::new();
    let found = caught(|| {
        let mut pair = new_pair(limits);
        for _ in 0..events {
            moves.push(generator.next(&pair.naive));
            let last = &moves[moves.len() - 1];
            make(&mut pair, last)?;
        }
        pair.seal()
    });
    let Err(failure) = found else { return };
    let (moves, failure) = shortened(moves, limits, failure);
    for (at, Move { input, now, ticks, seal, recover }) in moves.iter().enumerate() {
        println!(
            "{at:3} {now} {ticks:?} seal={seal} recover={recover} time={:?} {} {:?} {:?}",
            input.time,
            input.event_type.word(),
            input.actor,
            input.body
        );
    }
    panic!(
        "{failure}\n{} events are enough\nSEED={seed} EVENTS={events} cargo test --test it histories -- --nocapture",
        moves.len()
    );
}

/// Histories that never come upon something say nothing about it.
#[test]
fn generated_histories_come_upon_every_answer() {
    let mut met = BTreeSet::new();
    for seed in 1..=120 {
        let mut generator = Generator::new(seed);
        let mut pair = new_pair(generator.limits());
        for _ in 0..300 {
            let one = generator.next(&pair.naive);
            let told = make(&mut pair, &one).unwrap_or_else(|failure| panic!("SEED={seed}: {failure}"));
            met.extend(told.iter().map(|told| (told.decision_type, told.reason)));
        }
    }
    let reasons: BTreeSet<Reason> = met.iter().map(|(_, reason)| *reason).collect();
    let missing: Vec<&str> = Reason::ALL.iter().filter(|r| !reasons.contains(r)).map(|r| r.word()).collect();
    // The limit of 1,024 sets has a test of its own (`routing.rs`).
    assert_eq!(missing, ["too_many_skill_sets", "too_many"]);
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
    let mut told = pair.step(&one.input, one.now)?;
    match one.ticks {
        Ticks::All => told.append(&mut pair.settle(one.now)?),
        Ticks::AtMost(ticks) => {
            for _ in 0..ticks {
                told.append(&mut pair.tick(one.now)?);
            }
        }
    }
    if one.recover {
        pair.recover()?;
    } else if one.seal {
        pair.seal()?;
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

/// Leaves out ever smaller runs of moves for as long as something still fails.
fn shortened(mut moves: Vec<Move>, limits: Limits, mut failure: String) -> (Vec<Move>, String) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut plays = 0;
    let mut run = moves.len() / 2;
    while run > 0 && plays < SHORTENING_PLAYS_MAX {
        let mut at = 0;
        while at < moves.len() && plays < SHORTENING_PLAYS_MAX {
            let mut fewer = moves.clone();
            fewer.drain(at..(at + run).min(moves.len()));
            plays += 1;
            match replay(&fewer, limits) {
                Err(still) => (moves, failure) = (fewer, still),
                Ok(()) => at += run,
            }
        }
        run /= 2;
    }
    std::panic::set_hook(hook);
    (moves, failure)
}

/// A checker that has never failed proves nothing: each of these decisions is one that must never be told.
#[test]
fn the_outside_checker_fails_on_forged_decisions() {
    let mut sender = Sender::new("acme");
    let mut pair = Pair::new(sender.key);
    let named = |sender: &Sender, id: &str| Contact {
        conversation: Some(sender.id(Kind::Conversation, id)),
        ..sender.contact("email", "", None, None)
    };
    let mut inputs = vec![sender.configure(events::plain_policy(Strategy::LongestIdle), None)];
    for agent in ["anna", "bert"] {
        inputs.push(sender.agent(agent, events::agent_config(Some(1), 1, &[])));
    }
    inputs.push(sender.presence("anna", Status::Online, By::Agent));
    inputs.push(sender.received(named(&sender, "held"), true));
    inputs.push(sender.received(named(&sender, "waits"), true));
    let history: Vec<(Input, Vec<Told>)> =
        inputs.into_iter().map(|input| (input.clone(), pair.step(&input, 1).unwrap_or_default())).collect();
    let assigned = history[4].1[2].clone();
    let queued = history[5].1[1].clone();
    let forged = |told: &Told, change: &dyn Fn(&mut ToldConversation)| {
        let mut told = Told { cause_source: "".into(), cause_id: "".into(), ..told.clone() };
        told.conversation.iter_mut().for_each(change);
        told
    };
    let given = |owner: &'static str, reason: Reason| {
        let change = move |about: &mut ToldConversation| (about.owner, about.epoch, about.units) = (owner.into(), 1, 1);
        Told { decision_type: DecisionType::ConversationAssigned, reason, ..forged(&queued, &change) }
    };
    let cases = [
        ("is owned by", forged(&assigned, &|about| (about.owner, about.epoch) = ("bert".into(), 2))),
        ("goes from epoch", forged(&assigned, &|about| about.epoch = 1)),
        ("holds 2 of 1 units", given("anna", Reason::Auto)),
        ("is not online", given("bert", Reason::Auto)),
        ("of whom nothing is known", given("carl", Reason::Claim)),
        ("changed hands unsaid", forged(&queued, &|about| about.owner = "anna".into())),
        ("names an event", Told { cause_id: "e9".into(), ..given("anna", Reason::Supervisor) }),
    ];
    for (expected, told) in cases {
        let mut checker = Checker::default();
        for (input, told) in &history {
            assert_eq!(checker.step(input, told), Ok(()));
        }
        let found = checker.tick(&[told]);
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
