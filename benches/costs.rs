//! What the engine costs, as a table: over agents, requirement sets that an agent is in, conversations that wait, a block
//! of them that nobody can serve, and armed timers (`performance.md` T2 to T4).
//!
//! Everything goes through the engine's public door, as the shard drives it: records of 64 events, sealed. Inputs are made
//! outside the clock. What is compared runs turn by turn in one process; a figure is the median of its turns with the
//! least and the most beside it, and a ratio within one run is the result: a lone time is not. An event is the mean of a
//! turn in the thread's processor time, so that neighbours who take the processor away do not count, and what is paid
//! only now and then does; an opening and a resolve are the median of their single times.
//!
//! `cargo bench --profile dev --bench costs` prints all; words after `--` choose among `agents`, `sets`, `waiting`,
//! `block`, `timers` and `clocks`. `scripts/instructions.sh` counts instructions of the same loop.

mod closed_loop;
mod lives;

use closed_loop::events;
use closed_loop::{Demand, Happening, Loop, Numbers, Ours, Record, START_MS, Shape, Side};
use engine::Answer;
use engine::decision::{DecisionType, Outcome, Told};
use engine::id::Kind;
use engine::input::{ActorKind, By, Contact, Input, Status};
use engine::policy::Strategy;
use engine::wire::{Reader, Wire};
use events::Sender;
use lives::Lives;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::time::Instant;

const AGENTS: [usize; 4] = [100, 1_000, 10_000, 100_000];
const SETS: [usize; 4] = [1, 4, 16, 64];
const WAITING: [usize; 3] = [10_000, 100_000, 1_000_000];
const TIMERS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const STRATEGIES: [Strategy; 4] =
    [Strategy::LongestIdle, Strategy::WeightedRoundRobin, Strategy::LeastLoaded, Strategy::MostSkilled];
const UNSERVABLE: usize = 50_000;
/// Deadlines of what sleeps are as often in each of their orders of magnitude.
const SLEEP_MS: std::ops::Range<f64> = 5_000.0..7.0 * 86_400_000.0;

/// How much is measured: all of it, or one short turn of each to see that it works.
#[derive(Clone, Copy)]
struct Extent {
    turns: usize,
    events: u64,
    /// Sizes above are left out.
    largest: usize,
}

const WHOLE: Extent = Extent { turns: 7, events: 20_000, largest: usize::MAX };
const SHORT: Extent = Extent { turns: 1, events: 512, largest: 1_000 };

/// A part of the table, by its name.
type Part = (&'static str, fn(Extent));

/// What an overhead may be (T2).
fn overhead_max(strategy: Strategy) -> f64 {
    match strategy {
        Strategy::LeastLoaded => 12.0,
        // A static order, as a rank is.
        Strategy::MostSkilled => 1.8,
        _ => 4.0,
    }
}

/// Times of one thing, one for each turn, ns.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn quantile(&self, quantile: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len() as f64 * quantile) as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    fn add(&mut self, ns: f64) {
        self.0.push(ns);
    }

    /// The median, with the least and the most.
    fn shown(&self) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(0.0, f64::max);
        format!("{:>7.0} ({:>6.0} .. {:>6.0})", self.median(), least, most)
    }
}

/// One engine, its world, and what its turns took.
struct Runner {
    ours: Ours,
    world: Loop,
    /// Told assignments are looked up, outside the clock: the world has to know whose conversations are with agents.
    watches: bool,
    event: Times,
    opening: Times,
    resolve: Times,
    /// Single ticks that fired something.
    tick: Times,
}

impl Side for Runner {
    fn apply(&mut self, record: &Record) {
        self.ours.apply(record);
        self.learn();
    }
}

impl Runner {
    fn new(shape: Shape) -> Runner {
        let (ours, world) = closed_loop::filled(shape, Ours::new);
        Runner::of(ours, world)
    }

    fn of(ours: Ours, world: Loop) -> Runner {
        let (event, opening, resolve, tick) = Default::default();
        Runner { ours, world, watches: false, event, opening, resolve, tick }
    }

    /// All agents are full, and so many more wait.
    fn overloaded(agents: usize, waiting: usize) -> Runner {
        let mut world = Loop::new(Shape::of_table(agents, Strategy::LongestIdle));
        world.owned = Some(Numbers::default());
        let mut runner = Runner::of(Ours::new(&world), world);
        runner.watches = true;
        runner.with_world(|world, side| world.fill(side));
        let full = runner.world.units as usize - runner.world.open.len();
        runner.with_world(|world, side| world.open_more(side, full + waiting));
        runner
    }

    /// The world tells its own runner something.
    fn with_world(&mut self, tell: impl FnOnce(&mut Loop, &mut Watched)) {
        let mut watched = Watched { ours: &mut self.ours, assigned: Vec::new(), watches: self.watches };
        tell(&mut self.world, &mut watched);
        let assigned = watched.assigned;
        self.world.owned.iter_mut().for_each(|owned| assigned.iter().for_each(|number| owned.put(*number)));
    }

    fn learn(&mut self) {
        if let Some(owned) = self.world.owned.as_mut().filter(|_| self.watches) {
            for_each_assigned(&self.ours.out.decisions, |number| owned.put(number));
        }
    }

    /// One turn.
    fn take(&mut self, events: u64) {
        let mut left = events;
        let mut total_ns = 0;
        let (mut opening, mut resolve) = (Times::default(), Times::default());
        while left > 0 {
            let records = self.world.records(left);
            for record in &records {
                left -= record.events.len() as u64;
                self.ours.begin();
                self.fire(record.now);
                let started_ns = processor_ns();
                for event in &record.events {
                    let part = match event.what {
                        Happening::Message => {
                            self.ours.step(&event.input, record.now);
                            continue;
                        }
                        Happening::Opening => &mut opening,
                        Happening::Resolve => &mut resolve,
                    };
                    let started = Instant::now();
                    self.ours.step(&event.input, record.now);
                    part.add(started.elapsed().as_nanos() as f64);
                }
                black_box(self.ours.engine.seal());
                total_ns += processor_ns() - started_ns;
                self.learn();
            }
        }
        self.event.add(total_ns as f64 / events as f64);
        self.opening.add(opening.median());
        self.resolve.add(resolve.median());
    }

    /// What is due fires, before the record's first step and apart from it.
    fn fire(&mut self, now: u64) {
        let Ours { engine, out } = &mut self.ours;
        while engine.wants_tick_at().is_some_and(|at| at <= now) {
            let started = Instant::now();
            if engine.tick(now, out) {
                self.tick.add(started.elapsed().as_nanos() as f64);
            }
        }
    }
}

/// The engine while its world is filled.
struct Watched<'r> {
    ours: &'r mut Ours,
    assigned: Vec<u32>,
    watches: bool,
}

impl Side for Watched<'_> {
    fn apply(&mut self, record: &Record) {
        self.ours.apply(record);
        if self.watches {
            for_each_assigned(&self.ours.out.decisions, |number| self.assigned.push(number));
        }
    }
}

fn for_each_assigned(decisions: &[u8], mut found: impl FnMut(u32)) {
    let mut reader = Reader::new(decisions);
    while !reader.is_empty() {
        let told = Told::take(&mut reader).expect("the engine wrote it");
        if told.decision_type == DecisionType::ConversationAssigned {
            let id = told.conversation.expect("it is about one").id;
            found(closed_loop::number_of(&id).expect("the world named it"));
        }
    }
}

fn take_turns(runners: &mut [Runner], extent: Extent) {
    for _ in 0..extent.turns {
        runners.iter_mut().for_each(|runner| runner.take(extent.events));
    }
}

fn verdict(ratio: f64, most: f64) -> String {
    format!("{ratio:>6.2} of at most {most:<4} {}", if ratio <= most { "ok" } else { "missed" })
}

fn count(n: usize) -> String {
    match n {
        1_000_000.. => format!("{} M", n / 1_000_000),
        1_000.. => format!("{} k", n / 1_000),
        _ => n.to_string(),
    }
}

const HEAD: &str = "ns/event (least .. most)   ns/opening with pick        ns/resolve";

fn show(runner: &Runner, what: &str, result: &str) {
    let Runner { event, opening, resolve, .. } = runner;
    println!("  {what:<38} {} {} {}   {result}", event.shown(), opening.shown(), resolve.shown());
}

/// The floor first, then one runner for each strategy.
fn floor_and(strategies: &[Strategy], shape: impl Fn(Strategy) -> Shape) -> Vec<Runner> {
    let floor = shape(Strategy::LongestIdle).asking(Demand::NoSkills);
    std::iter::once(floor).chain(strategies.iter().map(|s| shape(*s))).map(Runner::new).collect()
}

fn show_overheads(runners: &[Runner], strategies: &[Strategy], what: &str, bound: bool) {
    show(&runners[0], &format!("{what}, no skills (floor)"), "");
    for (runner, strategy) in runners[1..].iter().zip(strategies) {
        let ratio = runner.event.median() / runners[0].event.median();
        let result = match bound {
            true => verdict(ratio, overhead_max(*strategy)),
            false => format!("{ratio:>6.2}"),
        };
        show(runner, &format!("{what}, {}", strategy.word()), &result);
    }
}

fn agents(extent: Extent) {
    println!("\nagents, 90 % utilisation; overhead over the floor of as many agents (T2)\n  {:<38} {HEAD}", "");
    let mut medians = Vec::new();
    for agents in AGENTS.into_iter().filter(|agents| *agents <= extent.largest) {
        let mut runners = floor_and(&STRATEGIES, |strategy| Shape::of_table(agents, strategy));
        take_turns(&mut runners, extent);
        println!("  {} agents, each in {:.1} sets", count(agents), runners[1].world.sets_of_an_agent());
        show_overheads(&runners, &STRATEGIES, &count(agents), true);
        medians.push((agents, runners[1].event.median()));
    }
    let of = |agents: usize| medians.iter().find(|row| row.0 == agents).map(|row| row.1);
    if let (Some(small), Some(large)) = (of(100), of(10_000)) {
        println!("  longest_idle, 10 k agents / 100: {}", verdict(large / small, 6.0));
    }
}

fn sets(extent: Extent) {
    println!("\nrequirement sets that an agent is in, of 64; 1 k agents (T2: up to 16)\n  {:<38} {HEAD}", "");
    for of_an_agent in SETS {
        let shape = |strategy| Shape::of_table(1_000, strategy).asking(Demand::Even { of_an_agent });
        let mut runners = floor_and(&STRATEGIES, shape);
        take_turns(&mut runners, extent);
        show_overheads(&runners, &STRATEGIES, &format!("{of_an_agent} sets"), of_an_agent <= 16);
    }
}

fn waiting(extent: Extent) {
    println!("\nconversations that wait, everybody full: a resolve pulls the best (T3)\n  {:<38} {HEAD}", "");
    for (agents, most) in [(1_000, 10.0), (10_000, 3.0)] {
        if agents > extent.largest {
            break;
        }
        let sizes: Vec<usize> = WAITING.into_iter().filter(|n| *n <= extent.largest.max(10_000)).collect();
        let mut runners: Vec<Runner> = sizes.iter().map(|waiting| Runner::overloaded(agents, *waiting)).collect();
        take_turns(&mut runners, extent);
        let first = runners[0].event.median();
        for (runner, size) in runners.iter().zip(&sizes) {
            let ratio = runner.event.median() / first;
            let result = match *size {
                1_000_000 => verdict(ratio, most),
                _ => format!("{ratio:>6.2}"),
            };
            show(runner, &format!("{} agents, {} waiting", count(agents), count(*size)), &result);
        }
    }
}

/// The same with and without a block of conversations before all others that nobody can serve.
fn block(extent: Extent) {
    println!("\n50 k heads that nobody can serve, before 10 k that somebody can; 1 k agents (T3)\n  {:<38} {HEAD}", "");
    let mut runners = vec![Runner::overloaded(1_000, 10_000), Runner::overloaded(1_000, 10_000)];
    // Older than all others: they stand before them.
    let unservable = if extent.largest == usize::MAX { UNSERVABLE } else { 500 };
    for n in 0..unservable {
        let world = &mut runners[1].world;
        let id = format!("hopeless{n}");
        let contact = world.sender.requiring(world.contact_at(&id, "+4989100"), &[("nobody_has_it", 1)]);
        let input = Input { time: Some(START_MS - 3_600_000), ..world.opens(contact) };
        decided(&mut runners[1], &input);
    }
    take_turns(&mut runners, extent);
    show(&runners[0], "without", "");
    let ratio = runners[1].resolve.median() / runners[0].resolve.median();
    show(&runners[1], &format!("behind {}", count(unservable)), &format!("resolves {}", verdict(ratio, 2.0)));
}

fn decided(runner: &mut Runner, input: &Input) {
    let now = runner.world.now();
    runner.ours.begin();
    let answer = runner.ours.engine.step(input, now, &mut runner.ours.out);
    assert!(matches!(answer, Answer::Recorded { outcome: Outcome::Decided, .. }), "{answer:?} of {input:?}");
    runner.ours.engine.seal();
}

/// Conversations asleep, each with its deadline, beside a contact center on an async channel, where each message moves the
/// timer of its conversation's turn.
fn timers(extent: Extent) {
    println!("\narmed timers, deadlines from 5 s to 7 d; 1 k agents, async: each message moves a timer");
    println!("  {:<38} {HEAD}", "");
    let sizes: Vec<usize> = TIMERS.into_iter().filter(|n| *n <= extent.largest).collect();
    let mut runners: Vec<Runner> = sizes.iter().map(|sleepers| asleep(*sleepers)).collect();
    take_turns(&mut runners, extent);
    let first = runners[0].event.median();
    for (runner, size) in runners.iter().zip(&sizes) {
        let Runner { event, tick, .. } = runner;
        let (fired, ratio) = (tick.0.len(), event.median() / first);
        let (half, most) = (tick.median(), tick.quantile(0.999));
        let result = format!("x{ratio:<5.2} {fired} fired, each {half:.0} ns, 999 of 1,000 within {most:.0}");
        show(runner, &format!("{} asleep", count(*size)), &result);
    }
}

fn asleep(sleepers: usize) -> Runner {
    let shape = Shape { channel: "email", events_a_ms: 10.0, ..Shape::of_table(1_000, Strategy::LongestIdle) };
    let mut world = Loop::new(shape);
    world.policy.reopen_window_ms = 1_000;
    world.policy.queues.push(events::queue("shelf", Strategy::Manual, &[]));
    world.policy.entries.push(events::entry("shelf", "shelf"));
    let mut runner = Runner::of(Ours::new(&world), world);
    runner.with_world(|world, side| world.fill(side));
    let mut rng = ChaCha8Rng::seed_from_u64(sleepers as u64);
    for n in 0..sleepers {
        let id = format!("sleeper{n}");
        let contact = runner.world.contact_at(&id, "shelf");
        let input = runner.world.opens(contact);
        decided(&mut runner, &input);
        let span = SLEEP_MS.start * (SLEEP_MS.end / SLEEP_MS.start).powf(rng.random());
        let input = runner.world.sender.snooze(&id, START_MS + span as u64);
        let input = runner.world.sender.by(input, ActorKind::System, "bench");
        decided(&mut runner, &input);
    }
    let Runner { ours, world, .. } = &mut runner;
    closed_loop::warm(ours, world);
    runner
}

/// Whole lives of conversations, under none, three and five clocks, turn by turn.
fn clocks(extent: Extent) {
    println!("\na conversation's life of {} events, by clocks of its policy; async, 100 agents", lives::EVENTS);
    let counts = [0, 3, 5];
    let mut worlds: Vec<(Lives, Times)> = counts.map(|clocks| (Lives::new(clocks), Times::default())).into();
    for turn in 0..extent.turns + 1 {
        for (lives, times) in &mut worlds {
            let records = lives.records();
            let started_ns = processor_ns();
            lives::apply(&mut lives.ours, &records);
            let ns = processor_ns() - started_ns;
            if turn > 0 {
                times.add(ns as f64 / 1e3); // a thousand lives
            }
        }
    }
    let none = worlds[0].1.median();
    for ((_, times), count) in worlds.iter().zip(counts) {
        println!("  {count} clocks: {} ns/life   x{:.2}", times.shown(), times.median() / none);
    }
}

/// For callgrind: a thousand lives under so many clocks.
fn instructions_of_lives(clocks: usize) {
    let mut lives = Lives::new(clocks);
    let records = lives.records();
    lives::apply(&mut lives.ours, &records);
    let records = lives.records();
    measured(&mut lives.ours, &records);
    println!("{}", records.iter().map(|record| record.events.len()).sum::<usize>() / lives::EVENTS);
}

/// For callgrind: `--toggle-collect` of `measured`, and a known number of events.
fn instructions(agents: usize, clocks: usize) {
    // So few are remembered that the memory is full when counting begins: each event drops one.
    let shape = Shape { remembered_max: 10_000, ..Shape::of_table(agents, Strategy::LongestIdle) };
    let (mut ours, mut world) =
        closed_loop::filled_under(shape, |policy| lives::with_clocks(policy, clocks), Ours::new);
    let mut records = Vec::new();
    while records.len() < 128 {
        records.extend(world.records(u64::MAX));
    }
    measured(&mut ours, &records);
    println!("{}", records.iter().map(|record| record.events.len()).sum::<usize>());
}

/// For callgrind too: one agent is freed, and so many wait before the one whom he can serve (promise 7).
fn instructions_behind(unservable: usize) {
    let mut sender = Sender::new("acme");
    let contact = |sender: &Sender, id: &str| Contact {
        conversation: Some(sender.id(Kind::Conversation, id)),
        ..sender.contact("voice", "", Some(id), None)
    };
    let mut inputs = vec![
        sender.configure(events::plain_policy(Strategy::LongestIdle), None),
        sender.agent("anna", events::agent_config(Some(1), 1, &[])),
        sender.presence("anna", Status::Online, By::Agent),
    ];
    inputs.push(sender.started(contact(&sender, "busy")));
    for n in 0..unservable {
        let hopeless = sender.requiring(contact(&sender, &format!("hopeless{n}")), &[("nobody_has_it", 1)]);
        inputs.push(sender.started(hopeless));
    }
    inputs.push(sender.started(contact(&sender, "servable")));
    let world = Loop::new(Shape::of_table(100, Strategy::LongestIdle));
    let mut ours = Ours::new(&world);
    world.tell(&mut ours, inputs);
    let freed = sender.ended("busy", ActorKind::Agent);
    let events = vec![closed_loop::Event { what: Happening::Resolve, input: freed }];
    measured(&mut ours, &[Record { now: START_MS + 1, events }]);
    println!("1");
}

#[inline(never)]
fn measured(ours: &mut Ours, records: &[Record]) {
    records.iter().for_each(|record| ours.apply(record));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number_after = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        Some(args.get(at + 1).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{name} needs a number")))
    };
    if let Some(agents) = number_after("--instructions") {
        return instructions(agents, number_after("--clocks").unwrap_or(0));
    }
    if let Some(clocks) = number_after("--instructions-of-lives") {
        return instructions_of_lives(clocks);
    }
    if let Some(unservable) = number_after("--instructions-behind") {
        return instructions_behind(unservable);
    }
    let extent = if args.iter().any(|arg| arg == "--bench") { WHOLE } else { SHORT };
    let asked: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let parts: [Part; 6] = [
        ("agents", agents),
        ("sets", sets),
        ("waiting", waiting),
        ("block", block),
        ("timers", timers),
        ("clocks", clocks),
    ];
    println!(
        "medians of {} turns of {} events, turn by turn; processor time of an event,",
        extent.turns, extent.events
    );
    println!("median of the single openings and resolves (each with {:.0} ns of the clock)", clock_ns());
    for (name, part) in parts {
        if asked.is_empty() || asked.iter().any(|word| *word == name) {
            part(extent);
        }
    }
}

fn clock_ns() -> f64 {
    let started = Instant::now();
    (0..10_000).for_each(|_| {
        black_box(Instant::now());
    });
    started.elapsed().as_nanos() as f64 / 1e4
}

/// Processor time of this thread, ns.
fn processor_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a whole timespec that outlives the call, and the call writes nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "this machine counts no processor time of threads");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
