//! What one event costs in the engine, beside the naive engine on the same trace (`performance.md` T1, T2, T12).
//!
//! The trace is a closed loop at 90 % utilisation: 80 % messages, 10 % new conversations, 10 % resolves, drawn from a
//! seed. `cargo bench --bench engine` measures both engines and prints their ratio; a ratio within one run is the
//! result, a lone time is not. `scripts/instructions.sh` counts instructions of the same loop (`--instructions AGENTS`).

#[path = "../tests/it/histories/events.rs"]
#[allow(dead_code)]
mod events;

use criterion::{BenchmarkId, Criterion, Throughput};
use engine::id::Kind;
use engine::input::{ActorKind, By, Contact, Input, Status};
use engine::policy::Strategy;
use engine::{Engine, Limits, Output};
use events::Sender;
use naive::Naive;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Events of one journal record, as under load.
const RECORD_EVENTS: usize = 64;
/// Events made outside and then applied inside the measurement.
const CHUNK_EVENTS: usize = 2_048;
const UTILISATION_PERCENT: u64 = 90;
const START_MS: u64 = 1_700_000_000_000;
/// (agents, skills, requirement sets) of performance.md's table a.
const SIZES: [(usize, usize, usize); 3] = [(100, 32, 64), (1_000, 64, 256), (10_000, 128, 256)];

/// The closed loop: what is open, and what happens next.
struct Trace {
    rng: ChaCha8Rng,
    sender: Sender,
    /// Skills of each requirement set, and the sets that each agent can serve.
    requirements: Vec<Vec<String>>,
    served: Vec<Vec<usize>>,
    open: Vec<String>,
    opened: u64,
    now: u64,
}

impl Trace {
    /// A new contact center, and the events that fill it.
    fn new((agents, skills, sets): (usize, usize, usize), strategy: Strategy) -> (Trace, Vec<(Input, u64)>) {
        let mut rng = ChaCha8Rng::seed_from_u64(agents as u64);
        let skills_of: Vec<Vec<String>> = (0..agents).map(|_| skill_names(&mut rng, skills, 2..=8)).collect();
        let requirements: Vec<Vec<String>> = (0..sets)
            .map(|_| {
                let somebodys = &skills_of[rng.random_range(0..agents)];
                somebodys[..rng.random_range(1..=3.min(somebodys.len()))].to_vec()
            })
            .collect();
        let serves = |has: &Vec<String>, set: &usize| requirements[*set].iter().all(|skill| has.contains(skill));
        let served = skills_of.iter().map(|has| (0..sets).filter(|set| serves(has, set)).collect()).collect();
        let mut sender = Sender::new("acme");
        let mut inputs = vec![sender.configure(events::plain_policy(strategy), None)];
        let mut units_of_all = 0;
        for (agent, names) in skills_of.iter().enumerate() {
            let units = rng.random_range(1..=10);
            units_of_all += u64::from(units);
            let levels: Vec<(&str, u8)> = names.iter().map(|name| (&**name, rng.random_range(1..=10))).collect();
            let weight = rng.random_range(1..=5);
            inputs.push(sender.agent(&format!("agent{agent}"), events::agent_config(Some(units), weight, &levels)));
            inputs.push(sender.presence(&format!("agent{agent}"), Status::Online, By::Agent));
        }
        let mut trace = Trace { rng, sender, requirements, served, open: Vec::new(), opened: 0, now: START_MS };
        for _ in 0..units_of_all * UTILISATION_PERCENT / 100 {
            inputs.push(trace.begins());
        }
        (trace, inputs.into_iter().map(|input| (input, START_MS)).collect())
    }

    fn begins(&mut self) -> Input {
        let id = format!("conversation{}", self.opened);
        self.opened += 1;
        // Demand goes where there are people for it: somebody, and one of the sets that he can serve.
        let set = loop {
            let sets = &self.served[self.rng.random_range(0..self.served.len())];
            if !sets.is_empty() {
                break sets[self.rng.random_range(0..sets.len())];
            }
        };
        let skills: Vec<(&str, u8)> = self.requirements[set].iter().map(|name| (&**name, 1)).collect();
        let contact = self.sender.requiring(self.contact(&id), &skills);
        self.open.push(id);
        self.sender.started(contact)
    }

    fn contact(&self, id: &str) -> Contact {
        let contact = self.sender.contact("chat", "+4989100", Some(id), None);
        Contact { conversation: Some(self.sender.id(Kind::Conversation, id)), ..contact }
    }

    fn chunk(&mut self, events: usize) -> Vec<(Input, u64)> {
        (0..events).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> (Input, u64) {
        self.now += 1;
        let input = match self.rng.random_range(0..10) {
            0 => self.begins(),
            1 if self.open.len() > 1 => {
                let at = self.rng.random_range(0..self.open.len());
                let id = self.open.swap_remove(at);
                let input = self.sender.resolve(&id, None);
                self.sender.by(input, ActorKind::System, "bench")
            }
            _ => {
                let at = self.rng.random_range(0..self.open.len());
                let contact = self.contact(&self.open[at]);
                self.sender.received(contact, true)
            }
        };
        (input, self.now)
    }
}

/// Distinct skills, the first ones far more often than the last (Zipf).
fn skill_names(rng: &mut ChaCha8Rng, skills: usize, count: std::ops::RangeInclusive<usize>) -> Vec<String> {
    let count = rng.random_range(count);
    let mut picked: Vec<usize> = Vec::new();
    while picked.len() < count {
        // The inverse of Zipf's distribution, near enough: skills^u is log-uniform.
        let skill = (skills as f64).powf(rng.random::<f64>()) as usize - 1;
        if !picked.contains(&skill) {
            picked.push(skill);
        }
    }
    picked.iter().map(|skill| format!("skill{skill}")).collect()
}

/// Both engines have the same memory of events: bounded, so that a long measurement stays in one state.
fn limits() -> Limits {
    Limits { idempotency_max: 100_000, ..Limits::default() }
}

/// One engine at work; what it tells and records is thrown away as the publisher would after its commit.
trait Side {
    fn apply_batch(&mut self, batch: &[(Input, u64)]);
}

struct Ours {
    engine: Engine,
    out: Output,
}

impl Ours {
    fn new(trace: &Trace) -> Ours {
        let mut ours = Ours { engine: Engine::new(trace.sender.key), out: Output::default() };
        ours.engine.set_limits(limits(), START_MS, &mut ours.out);
        ours
    }
}

impl Side for Ours {
    #[inline(never)]
    fn apply_batch(&mut self, batch: &[(Input, u64)]) {
        for record in batch.chunks(RECORD_EVENTS) {
            let seq = self.out.seq + 1;
            self.out.begin(seq);
            for (input, now) in record {
                black_box(self.engine.step(input, *now, &mut self.out));
                while self.engine.wants_tick_at().is_some() {
                    self.engine.tick(*now, &mut self.out);
                }
            }
            black_box(self.engine.seal());
        }
    }
}

struct Theirs(Naive);

impl Theirs {
    fn new(trace: &Trace) -> Theirs {
        let mut naive = Naive::new(trace.sender.key);
        naive.set_limits(limits());
        Theirs(naive)
    }
}

impl Side for Theirs {
    #[inline(never)]
    fn apply_batch(&mut self, batch: &[(Input, u64)]) {
        for (input, now) in batch {
            black_box(self.0.step(input, *now));
            while self.0.wants_tick() {
                black_box(self.0.tick(*now));
            }
        }
    }
}

/// A filled contact center, and the loop that goes on from there.
fn filled<S: Side>(size: (usize, usize, usize), strategy: Strategy, side: fn(&Trace) -> S) -> (S, Trace) {
    let (mut trace, prologue) = Trace::new(size, strategy);
    let mut side = side(&trace);
    side.apply_batch(&prologue);
    // The first sight of tables and rings is not what is measured.
    let warm_up = trace.chunk(CHUNK_EVENTS * 8);
    side.apply_batch(&warm_up);
    (side, trace)
}

/// Time of so many events, made outside the clock.
fn timed(side: &mut impl Side, trace: &mut Trace, mut events: u64) -> Duration {
    let mut total = Duration::ZERO;
    while events > 0 {
        let batch = trace.chunk(events.min(CHUNK_EVENTS as u64) as usize);
        events -= batch.len() as u64;
        let started = Instant::now();
        side.apply_batch(&batch);
        total += started.elapsed();
    }
    total
}

fn name_of(agents: usize) -> String {
    if agents >= 1_000 { format!("{}k_agents", agents / 1_000) } else { format!("{agents}_agents") }
}

fn criterion_benches(criterion: &mut Criterion, is_test: bool) {
    for strategy in Strategy::ALL {
        let mut group = criterion.benchmark_group(format!("engine_apply/{}", strategy.word()));
        group.throughput(Throughput::Elements(1));
        for size in SIZES {
            if is_test && size.0 > 1_000 {
                continue;
            }
            let mut prepared = None;
            group.bench_function(BenchmarkId::from_parameter(name_of(size.0)), |bencher| {
                let (ours, trace) = prepared.get_or_insert_with(|| filled(size, *strategy, Ours::new));
                bencher.iter_custom(|events| timed(ours, trace, events));
            });
        }
        group.finish();
    }
}

/// Both engines in turns on their own copy of the trace, seven times; the medians and their ratio.
fn ratios(is_test: bool) {
    println!("\nratio of medians, same trace, turn by turn (longest_idle):");
    for size in SIZES {
        if is_test && size.0 > 100 {
            break;
        }
        let (mut ours, mut our_trace) = filled(size, Strategy::LongestIdle, Ours::new);
        let (mut theirs, mut their_trace) = filled(size, Strategy::LongestIdle, Theirs::new);
        let events = if is_test { 100 } else { 2_000_000 / size.0 as u64 };
        let (mut us, mut them) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            us.push(timed(&mut ours, &mut our_trace, events.max(20_000)).as_nanos() as u64 / events.max(20_000));
            them.push(timed(&mut theirs, &mut their_trace, events).as_nanos() as u64 / events);
        }
        us.sort_unstable();
        them.sort_unstable();
        let ratio = them[3] as f64 / us[3] as f64;
        println!(
            "  {:<12} engine {:>6} ns/event, naive {:>9} ns/event, ratio {ratio:.1}",
            name_of(size.0),
            us[3],
            them[3]
        );
    }
}

/// For callgrind: `--toggle-collect` of `apply_batch`, and a known number of events.
fn instructions(agents: usize) {
    let size = SIZES.into_iter().find(|size| size.0 == agents).expect("agents are 100, 1000 or 10000");
    let (mut ours, mut trace) = filled(size, Strategy::LongestIdle, Ours::new);
    let batch = trace.chunk(20_000);
    measured_batch(&mut ours, &batch);
    println!("{}", batch.len());
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
    let mut ours = Ours { engine: Engine::new(sender.key), out: Output::default() };
    let batch: Vec<(Input, u64)> = inputs.into_iter().map(|input| (input, START_MS)).collect();
    ours.apply_batch(&batch);
    measured_batch(&mut ours, &[(sender.ended("busy", ActorKind::Agent), START_MS + 1)]);
    println!("1");
}

#[inline(never)]
fn measured_batch(ours: &mut Ours, batch: &[(Input, u64)]) {
    ours.apply_batch(batch);
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--instructions") {
        let agents = args.get(at + 1).and_then(|agents| agents.parse().ok()).expect("--instructions AGENTS");
        return instructions(agents);
    }
    if let Some(at) = args.iter().position(|arg| arg == "--instructions-behind") {
        let unservable = args.get(at + 1).and_then(|n| n.parse().ok()).expect("--instructions-behind CONVERSATIONS");
        return instructions_behind(unservable);
    }
    let is_test = !args.iter().any(|arg| arg == "--bench");
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(20)
        .configure_from_args();
    criterion_benches(&mut criterion, is_test);
    ratios(is_test);
    criterion.final_summary();
}
