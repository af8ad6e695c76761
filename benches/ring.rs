//! The hop from a source to its shard: our ring beside a crossbeam channel and a bare ping-pong of two atomics.
//!
//! `ring/one` and `ring/batch_64` move items one by one and in batches as the pipeline does; `channel` is crossbeam's
//! bounded one with the same items; `floor` is what two cores need to see each other's write, there and back. A ratio
//! within one run is the result. Two threads, both spinning; on a busy machine the figures say little.

use criterion::{Criterion, Throughput};
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use strowger::ring::{BATCHES_MAX, ITEMS_MAX, ring, sleeper};

/// An item as large as a decoded event's box and its neighbours.
type Item = [u64; 8];

/// Moves `items` in batches of `size` through our ring and returns how long it took.
fn through_ring(items: u64, size: usize) -> Duration {
    let (_shard_sleeper, shard) = sleeper();
    let (_source_sleeper, source) = sleeper();
    let (mut entrance, mut exit) = ring::<Item>(shard, source);
    let consumer = thread::spawn(move || {
        let mut seen = 0;
        while seen < items {
            let Some(batch) = exit.pop() else {
                spin_loop();
                continue;
            };
            seen += batch.items.len() as u64;
            black_box(&batch.items);
            exit.give_back(batch);
        }
    });
    let started = Instant::now();
    let mut sent = 0;
    while sent < items {
        let Some(mut batch) = entrance.take_empty() else {
            spin_loop();
            continue;
        };
        let count = (size as u64).min(items - sent);
        batch.items.extend((0..count).map(|i| [sent + i; 8]));
        entrance.push(batch);
        sent += count;
    }
    consumer.join().expect("the consumer ends");
    started.elapsed()
}

fn through_channel(items: u64) -> Duration {
    let (sender, receiver) = crossbeam::channel::bounded::<Item>(BATCHES_MAX * ITEMS_MAX);
    let consumer = thread::spawn(move || {
        for _ in 0..items {
            loop {
                if let Ok(item) = receiver.try_recv() {
                    black_box(item);
                    break;
                }
                spin_loop();
            }
        }
    });
    let started = Instant::now();
    for i in 0..items {
        let mut item = [i; 8];
        while let Err(full) = sender.try_send(item) {
            item = full.into_inner();
            spin_loop();
        }
    }
    consumer.join().expect("the consumer ends");
    started.elapsed()
}

/// `rounds` round trips of one number between two threads.
fn ping_pong(rounds: u64) -> Duration {
    let there = Arc::new(AtomicU64::new(0));
    let back = Arc::new(AtomicU64::new(0));
    let (from, to) = (there.clone(), back.clone());
    let other = thread::spawn(move || {
        for round in 1..=rounds {
            while from.load(Ordering::Acquire) < round {
                spin_loop();
            }
            to.store(round, Ordering::Release);
        }
    });
    let started = Instant::now();
    for round in 1..=rounds {
        there.store(round, Ordering::Release);
        while back.load(Ordering::Acquire) < round {
            spin_loop();
        }
    }
    other.join().expect("the other ends");
    started.elapsed()
}

/// The hop's latency: one item there, one back, through two rings.
fn ring_ping_pong(rounds: u64) -> Duration {
    let (_sleeper, waker) = sleeper();
    let (mut there_in, mut there_out) = ring::<Item>(waker.clone(), waker.clone());
    let (mut back_in, mut back_out) = ring::<Item>(waker.clone(), waker);
    let other = thread::spawn(move || {
        for _ in 0..rounds {
            let batch = loop {
                if let Some(batch) = there_out.pop() {
                    break batch;
                }
                spin_loop();
            };
            let mut answer = back_in.take_empty().expect("one is on its way at a time");
            answer.items.push(batch.items[0]);
            there_out.give_back(batch);
            back_in.push(answer);
        }
    });
    let started = Instant::now();
    for round in 0..rounds {
        let mut batch = there_in.take_empty().expect("one is on its way at a time");
        batch.items.push([round; 8]);
        there_in.push(batch);
        let answer = loop {
            if let Some(answer) = back_out.pop() {
                break answer;
            }
            spin_loop();
        };
        back_out.give_back(answer);
    }
    other.join().expect("the other ends");
    started.elapsed()
}

fn main() {
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(20).measurement_time(Duration::from_secs(3));
    let mut group = criterion.benchmark_group("ring_hop");
    group.throughput(Throughput::Elements(1));
    group.bench_function("ring/one", |bench| bench.iter_custom(|items| through_ring(items, 1)));
    group.bench_function("ring/batch_64", |bench| bench.iter_custom(|items| through_ring(items, ITEMS_MAX)));
    group.bench_function("channel/one", |bench| bench.iter_custom(through_channel));
    group.bench_function("round_trip/floor", |bench| bench.iter_custom(ping_pong));
    group.bench_function("round_trip/ring", |bench| bench.iter_custom(ring_ping_pong));
    group.finish();
    criterion.final_summary();
}
