//! What one event costs in the engine, beside the naive engine on the same trace (`performance.md` T1).
//!
//! The trace is the closed loop of `closed_loop.rs`. The naive engine is the ordinary service: texts, a linear scan over
//! agents for each pick, B-trees of who waits and of timers. Idempotency is on in both; effects, decisions as bytes and
//! the digest are in ours only. A ratio within one run is the result, a lone time is not. What the engine alone costs over
//! agents, sets, waiting and timers is in `costs.rs`.

// It has more shapes than this bench needs.
#[allow(dead_code)]
mod closed_loop;

use closed_loop::{Loop, Ours, Record, Shape, Side, filled, limits};
use criterion::{BenchmarkId, Criterion, Throughput};
use engine::policy::Strategy;
use naive::Naive;
use std::hint::black_box;
use std::time::{Duration, Instant};

const AGENTS: [usize; 3] = [100, 1_000, 10_000];
const TURNS: usize = 7;
/// What T1 asks of the ratio at 1,000 agents.
const RATIO_LEAST: f64 = 8.0;

struct Theirs(Naive);

impl Theirs {
    fn new(world: &Loop) -> Theirs {
        let mut naive = Naive::new(world.sender.key);
        naive.set_limits(limits(world.shape));
        Theirs(naive)
    }
}

impl Side for Theirs {
    #[inline(never)]
    fn apply(&mut self, record: &Record) {
        for event in &record.events {
            while self.0.wants_tick_at().is_some_and(|at| at <= record.now) {
                black_box(self.0.tick(record.now));
            }
            black_box(self.0.step(&event.input, record.now));
        }
    }
}

/// Time of so many events, made outside the clock.
fn timed(side: &mut impl Side, world: &mut Loop, mut events: u64) -> Duration {
    let mut total = Duration::ZERO;
    while events > 0 {
        let records = world.records(events);
        events -= records.iter().map(|record| record.events.len() as u64).sum::<u64>();
        let started = Instant::now();
        records.iter().for_each(|record| side.apply(record));
        total += started.elapsed();
    }
    total
}

fn name_of(agents: usize) -> String {
    if agents >= 1_000 { format!("{}k_agents", agents / 1_000) } else { format!("{agents}_agents") }
}

fn criterion_benches(criterion: &mut Criterion, is_test: bool) {
    for strategy in Strategy::ALL.iter().filter(|strategy| **strategy != Strategy::Manual) {
        let mut group = criterion.benchmark_group(format!("engine_apply/{}", strategy.word()));
        group.throughput(Throughput::Elements(1));
        for agents in AGENTS {
            if is_test && agents > 1_000 {
                continue;
            }
            let mut prepared = None;
            group.bench_function(BenchmarkId::from_parameter(name_of(agents)), |bencher| {
                let shape = Shape::of_table(agents, *strategy);
                let (ours, world) = prepared.get_or_insert_with(|| filled(shape, Ours::new));
                bencher.iter_custom(|events| timed(ours, world, events));
            });
        }
        group.finish();
    }
}

/// Both engines in turns on their own copy of the trace; the medians and their ratio.
fn ratios(is_test: bool) {
    println!("\nratio of medians, same trace, turn by turn (longest_idle):");
    for agents in AGENTS {
        if agents > if is_test { 100 } else { 1_000 } {
            break; // a minute and more to fill the naive engine with ten thousand agents' work
        }
        let shape = Shape::of_table(agents, Strategy::LongestIdle);
        let (mut ours, mut our_world) = filled(shape, Ours::new);
        let (mut theirs, mut their_world) = filled(shape, Theirs::new);
        let events = if is_test { 128 } else { 2_000_000 / agents as u64 };
        let (mut us, mut them) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            us.push(timed(&mut ours, &mut our_world, events.max(20_000)).as_nanos() as u64 / events.max(20_000));
            them.push(timed(&mut theirs, &mut their_world, events).as_nanos() as u64 / events);
        }
        us.sort_unstable();
        them.sort_unstable();
        let (us, them) = (us[TURNS / 2], them[TURNS / 2]);
        let ratio = them as f64 / us as f64;
        let result = match agents {
            1_000 if ratio >= RATIO_LEAST => format!(" (T1: at least {RATIO_LEAST}, ok)"),
            1_000 => format!(" (T1: at least {RATIO_LEAST}, missed)"),
            _ => String::new(),
        };
        println!(
            "  {:<12} engine {us:>6} ns/event, naive {them:>9} ns/event, ratio {ratio:.1}{result}",
            name_of(agents)
        );
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
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
