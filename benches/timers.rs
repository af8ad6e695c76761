//! What a re-arm costs among many timers: the engine's two flat wheels beside a binary heap with lazy deletion and a
//! B-tree of (deadline, arm) (`performance.md` T4).
//!
//! Each step moves one timer, drawn from a seed, to a deadline of its kind from now, and lets time go on; what is due
//! fires in order and is armed anew. `none` is the same loop that only notes the deadline. Criterion shows each alone;
//! the table at the end has all of them turn by turn in one run, once with all deadlines two minutes away and once from
//! seconds to days, as offers, turns and service levels have them. A ratio within one run is the result.

use criterion::{BenchmarkId, Criterion, Throughput};
use engine::state::wheel::{Entry, Wheel};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::hint::black_box;
use std::time::{Duration, Instant};

const START_MS: u64 = 1_700_000_000_000;
/// How far from now the deadlines of the kinds of timers are, ms; a timer's kind never changes.
type Mix = (&'static str, &'static [u64]);
const MINUTES: Mix = ("120 s", &[120_000]);
const SECONDS_TO_DAYS: Mix = ("20 s to 7 d", &[20_000, 120_000, 600_000, 14_400_000, 86_400_000, 604_800_000]);
/// Each timer is moved once in so long, on average: eight times within 120 s.
const MOVED_EVERY_MS: u64 = 15_000;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const REPEATS: usize = 5;
/// How often the same history is gone through for the longest advance.
const HISTORIES: usize = 3;

/// Entries of the heap for each timer. More than the eight that all deadlines within 120 s lead to.
const HEAP_TIMES_MAX: usize = 12;

trait Timers {
    fn new(keys: usize) -> Self;
    fn arm(&mut self, key: usize, at: u64);
    /// Takes out everything that is due, in the order of deadline, then arm.
    fn fire(&mut self, now: u64, fired: &mut Vec<usize>);
}

/// A timer as the engine's rows keep it: what it is armed to, and where its entry that counts stands; 0: nowhere.
#[derive(Clone, Copy, Default)]
struct Timer {
    at: u64,
    arm: u64,
    in_wheel: u64,
}

struct Wheels {
    wheel: Wheel,
    timers: Vec<Timer>,
    arm: u64,
}

impl Timers for Wheels {
    fn new(keys: usize) -> Wheels {
        Wheels { wheel: Wheel::new(), timers: vec![Timer::default(); keys], arm: 0 }
    }

    fn arm(&mut self, key: usize, at: u64) {
        self.arm += 1;
        let timer = &mut self.timers[key];
        (timer.at, timer.arm) = (at, self.arm);
        if timer.in_wheel == 0 || at < timer.in_wheel {
            timer.in_wheel = at;
            self.wheel.push(Entry { at, arm: self.arm, key: key as u64 });
        }
    }

    fn fire(&mut self, now: u64, fired: &mut Vec<usize>) {
        let timers = &mut self.timers;
        while self.wheel.next_at().is_some_and(|at| at <= now) {
            let entry = self.wheel.pop_due(now, &mut |entry| {
                let timer = &mut timers[entry.key as usize];
                if timer.in_wheel != entry.at {
                    return None;
                }
                let armed = Entry { at: timer.at, arm: timer.arm, key: entry.key };
                timer.in_wheel = if armed == *entry { 0 } else { timer.at };
                Some(armed)
            });
            fired.extend(entry.map(|entry| entry.key as usize));
        }
    }
}

/// Every move adds an entry; what is not the latest of its timer falls away at the top, or all of it when it is twelve
/// times what is alive: with deadlines days away the heap would otherwise grow for days.
struct Heap {
    heap: BinaryHeap<Reverse<Entry>>,
    armed: Vec<(u64, u64)>,
    arm: u64,
}

impl Timers for Heap {
    fn new(keys: usize) -> Heap {
        Heap { heap: BinaryHeap::new(), armed: vec![(0, 0); keys], arm: 0 }
    }

    fn arm(&mut self, key: usize, at: u64) {
        self.arm += 1;
        self.armed[key] = (at, self.arm);
        if self.heap.len() >= HEAP_TIMES_MAX * self.armed.len() {
            let armed = &self.armed;
            self.heap.retain(|Reverse(entry)| armed[entry.key as usize].1 == entry.arm);
        }
        self.heap.push(Reverse(Entry { at, arm: self.arm, key: key as u64 }));
    }

    fn fire(&mut self, now: u64, fired: &mut Vec<usize>) {
        while let Some(Reverse(entry)) = self.heap.peek().copied().filter(|Reverse(entry)| entry.at <= now) {
            self.heap.pop();
            let key = entry.key as usize;
            if self.armed[key].1 == entry.arm {
                fired.push(key);
            }
        }
    }
}

struct Tree {
    tree: BTreeSet<Entry>,
    armed: Vec<(u64, u64)>,
    arm: u64,
}

impl Timers for Tree {
    fn new(keys: usize) -> Tree {
        Tree { tree: BTreeSet::new(), armed: vec![(0, 0); keys], arm: 0 }
    }

    fn arm(&mut self, key: usize, at: u64) {
        let (before_at, before_arm) = self.armed[key];
        self.tree.remove(&Entry { at: before_at, arm: before_arm, key: key as u64 });
        self.arm += 1;
        self.armed[key] = (at, self.arm);
        self.tree.insert(Entry { at, arm: self.arm, key: key as u64 });
    }

    fn fire(&mut self, now: u64, fired: &mut Vec<usize>) {
        while let Some(entry) = self.tree.first().copied().filter(|entry| entry.at <= now) {
            self.tree.pop_first();
            fired.push(entry.key as usize);
        }
    }
}

/// The loop and what it draws, without timers.
struct Nothing(Vec<(u64, u64)>);

impl Timers for Nothing {
    fn new(keys: usize) -> Nothing {
        Nothing(vec![(0, 0); keys])
    }

    fn arm(&mut self, key: usize, at: u64) {
        self.0[key] = (at, key as u64);
    }

    fn fire(&mut self, now: u64, _: &mut Vec<usize>) {
        black_box(now);
    }
}

/// One structure with its timers, and the loop that goes on from there.
struct Loop<T> {
    timers: T,
    keys: usize,
    kinds: &'static [u64],
    rng: ChaCha8Rng,
    /// Time in thousandths of a ms.
    now_us: u64,
    fired: Vec<usize>,
    fired_in_all: u64,
}

impl<T: Timers> Loop<T> {
    fn new(keys: usize, (_, kinds): Mix) -> Loop<T> {
        let rng = ChaCha8Rng::seed_from_u64(keys as u64);
        let now_us = START_MS * 1_000;
        let mut new = Loop { timers: T::new(keys), keys, kinds, rng, now_us, fired: Vec::new(), fired_in_all: 0 };
        for key in 0..keys {
            // As if they had been armed at different times.
            let span = kinds[key % kinds.len()];
            let at = START_MS + new.rng.random_range(1..=span);
            new.timers.arm(key, at);
        }
        // To where it stays: the shorter deadlines have come once, the heap is as full as it gets or is growing to it.
        new.run(9 * keys as u64, None);
        new
    }

    fn arm(&mut self, key: usize, now: u64) {
        let span = self.kinds[key % self.kinds.len()];
        let at = now + span - self.rng.random_range(0..=span / 16);
        self.timers.arm(key, at);
    }

    /// So many moves. `took`: how long each advance took, ns.
    fn run(&mut self, moves: u64, mut took: Option<&mut Vec<u32>>) {
        let step_us = MOVED_EVERY_MS * 1_000 / self.keys as u64;
        let mut last_ms = self.now_us / 1_000;
        for _ in 0..moves {
            self.now_us += step_us;
            let now = self.now_us / 1_000;
            if now > last_ms {
                last_ms = now;
                self.advance(now, took.as_deref_mut());
            }
            let key = self.rng.random_range(0..self.keys);
            self.arm(key, now);
        }
    }

    /// All that is due fires. And is armed anew, outside the measurement.
    fn advance(&mut self, now: u64, took: Option<&mut Vec<u32>>) {
        let mut fired = std::mem::take(&mut self.fired);
        match took {
            None => self.timers.fire(now, &mut fired),
            Some(took) => {
                let started = Instant::now();
                self.timers.fire(now, &mut fired);
                took.push(started.elapsed().as_nanos() as u32);
            }
        }
        self.fired_in_all += fired.len() as u64;
        for key in fired.drain(..) {
            self.arm(key, now);
        }
        self.fired = fired;
    }

    fn timed(&mut self, moves: u64) -> Duration {
        let started = Instant::now();
        self.run(moves, None);
        started.elapsed()
    }
}

fn name_of(keys: usize) -> String {
    if keys >= 1_000_000 { format!("{}M", keys / 1_000_000) } else { format!("{}k", keys / 1_000) }
}

fn criterion_bench<T: Timers>(criterion: &mut Criterion, name: &str, is_test: bool) {
    let mut group = criterion.benchmark_group(format!("timers_rearm/{name}"));
    group.throughput(Throughput::Elements(1));
    for keys in SIZES {
        if is_test && keys > 1_000 {
            break;
        }
        let mut prepared = None;
        group.bench_function(BenchmarkId::from_parameter(name_of(keys)), |bencher| {
            let prepared = prepared.get_or_insert_with(|| Loop::<T>::new(keys, SECONDS_TO_DAYS));
            bencher.iter_custom(|moves| prepared.timed(moves));
        });
    }
    group.finish();
}

/// One structure's turns, ns a move, and how long its advances take.
struct Turns<T> {
    name: &'static str,
    mix: Mix,
    structure: Loop<T>,
    ns: Vec<f64>,
}

impl<T: Timers> Turns<T> {
    fn new(name: &'static str, keys: usize, mix: Mix) -> Turns<T> {
        Turns { name, mix, structure: Loop::new(keys, mix), ns: Vec::new() }
    }

    fn take(&mut self, moves: u64) {
        self.ns.push(self.structure.timed(moves).as_nanos() as f64 / moves as f64);
    }

    fn median_ns(&self) -> f64 {
        let mut ns = self.ns.clone();
        ns.sort_by(f64::total_cmp);
        ns[ns.len() / 2]
    }

    /// The longest advance, ms. The same history is gone through several times and the shortest time of each advance
    /// taken, so that what is left is the structure's and not of a thread that was interrupted.
    fn longest_ms(&self, moves: u64) -> f64 {
        let took = |_| {
            let mut took = Vec::new();
            Loop::<T>::new(self.structure.keys, self.mix).run(moves, Some(&mut took));
            took
        };
        let shortest = |one: Vec<u32>, other: Vec<u32>| one.into_iter().zip(other).map(|(a, b)| a.min(b)).collect();
        let least: Vec<u32> = (0..HISTORIES).map(took).reduce(shortest).unwrap_or_default();
        f64::from(least.into_iter().max().unwrap_or(0)) / 1e6
    }

    fn show(&self, wheels_ns: f64, moves: u64) {
        println!(
            "    {:<12} {:>7.1} ns/move, x{:<5.1} of the wheels; longest advance {:.3} ms",
            self.name,
            self.median_ns(),
            self.median_ns() / wheels_ns,
            self.longest_ms(moves)
        );
    }
}

fn table(mix: Mix, is_test: bool) {
    println!("\nre-arm of timers {} away, medians of {REPEATS} turns each in one run:", mix.0);
    for keys in SIZES {
        if is_test && keys > 1_000 {
            break;
        }
        let moves = if is_test { 2_000 } else { 2 * keys.max(100_000) as u64 };
        let mut none = Turns::<Nothing>::new("none", keys, mix);
        let mut wheels = Turns::<Wheels>::new("wheels", keys, mix);
        let mut heap = Turns::<Heap>::new("binary_heap", keys, mix);
        let mut tree = Turns::<Tree>::new("btree_set", keys, mix);
        for _ in 0..REPEATS {
            none.take(moves);
            wheels.take(moves);
            heap.take(moves);
            tree.take(moves);
        }
        let fired = wheels.structure.fired_in_all;
        assert!(
            fired == heap.structure.fired_in_all && fired == tree.structure.fired_in_all,
            "one history, one outcome"
        );
        println!("  {} timers, {fired} fired", name_of(keys));
        let wheels_ns = wheels.median_ns();
        none.show(wheels_ns, moves);
        wheels.show(wheels_ns, moves);
        heap.show(wheels_ns, moves);
        tree.show(wheels_ns, moves);
    }
}

fn main() {
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    criterion_bench::<Nothing>(&mut criterion, "none", is_test);
    criterion_bench::<Wheels>(&mut criterion, "wheels", is_test);
    criterion_bench::<Heap>(&mut criterion, "binary_heap", is_test);
    criterion_bench::<Tree>(&mut criterion, "btree_set", is_test);
    table(MINUTES, is_test);
    table(SECONDS_TO_DAYS, is_test);
    criterion.final_summary();
}
