//! From a source to a shard: a bounded lock-free ring of batches, and a second one that returns them empty.
//!
//! One producer (the source's thread), one consumer (the shard's thread), `rtrb` both ways. The batches that exist are
//! made at the start: who finds no empty one has found the ring full and must wait, so a full shard pushes back to its
//! source. `Sleeper` and `Waker` are how a thread waits: it spins for a moment, then parks, and is woken once.

use crossbeam::sync::{Parker, Unparker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::{Duration, Instant};

/// Items of a batch: beyond this a batch gains nothing (`performance.md`, queues).
pub const ITEMS_MAX: usize = 64;
/// Batches of a ring: 4,096 items wait for a shard at most, a few milliseconds of work.
pub const BATCHES_MAX: usize = 64;
/// Parking costs 5 us to undo; an event that comes within this time does not pay them.
const SPIN: Duration = Duration::from_micros(30);

/// An owned batch on its way.
#[derive(Debug)]
pub struct Batch<T> {
    /// Which run of the source it belongs to: a shard that has sent its source back drops what was on the way.
    pub generation: u32,
    /// The source has not reached the end of its log (routing.md §1).
    pub behind: bool,
    /// None of them: only `behind` is told.
    pub items: Vec<T>,
}

/// The source's end.
pub struct Entrance<T> {
    full: rtrb::Producer<Batch<T>>,
    empty: rtrb::Consumer<Batch<T>>,
    shard: Waker,
}

/// The shard's end.
pub struct Exit<T> {
    full: rtrb::Consumer<Batch<T>>,
    empty: rtrb::Producer<Batch<T>>,
    source: Waker,
}

/// A ring between two threads, each of which is woken by the other.
pub fn ring<T>(shard: Waker, source: Waker) -> (Entrance<T>, Exit<T>) {
    let (full_in, full_out) = rtrb::RingBuffer::new(BATCHES_MAX);
    let (mut empty_in, empty_out) = rtrb::RingBuffer::new(BATCHES_MAX);
    for _ in 0..BATCHES_MAX {
        let batch = Batch { generation: 0, behind: false, items: Vec::with_capacity(ITEMS_MAX) };
        let pushed = empty_in.push(batch);
        assert!(pushed.is_ok(), "as many batches as places");
    }
    (Entrance { full: full_in, empty: empty_out, shard }, Exit { full: full_out, empty: empty_in, source })
}

impl<T> Entrance<T> {
    /// An empty batch to fill; none: the ring is full.
    pub fn take_empty(&mut self) -> Option<Batch<T>> {
        self.empty.pop().ok()
    }

    pub fn has_room(&self) -> bool {
        !self.empty.is_empty()
    }

    /// Sends a batch that `take_empty` gave.
    pub fn push(&mut self, batch: Batch<T>) {
        debug_assert!(batch.items.len() <= ITEMS_MAX);
        let pushed = self.full.push(batch);
        assert!(pushed.is_ok(), "there are as many places as batches");
        self.shard.wake();
    }
}

impl<T> Exit<T> {
    pub fn pop(&mut self) -> Option<Batch<T>> {
        self.full.pop().ok()
    }

    pub fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    /// Batches that wait.
    pub fn depth(&self) -> usize {
        self.full.slots()
    }

    pub fn give_back(&mut self, mut batch: Batch<T>) {
        batch.items.clear();
        let was_full = self.empty.is_full() || self.empty.slots() == BATCHES_MAX;
        let pushed = self.empty.push(batch);
        assert!(pushed.is_ok(), "there are as many places as batches");
        if was_full {
            // Only a source that found nothing waits for room.
            self.source.wake();
        }
    }
}

/// Wakes one thread. Costs a fence and a load while that thread is awake.
#[derive(Clone)]
pub struct Waker {
    parked: Arc<AtomicBool>,
    unparker: Unparker,
}

/// Where that thread sleeps.
pub struct Sleeper {
    parked: Arc<AtomicBool>,
    parker: Parker,
}

pub fn sleeper() -> (Sleeper, Waker) {
    let parked = Arc::new(AtomicBool::new(false));
    let parker = Parker::new();
    let waker = Waker { parked: parked.clone(), unparker: parker.unparker().clone() };
    (Sleeper { parked, parker }, waker)
}

impl Waker {
    pub fn wake(&self) {
        // Pairs with the fence in `sleep`: either we see the flag, or the sleeper sees what we did before.
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel) {
            self.unparker.unpark();
        }
    }
}

impl Sleeper {
    /// Returns when `has_work` says so, when woken, or after `timeout`.
    pub fn sleep(&self, timeout: Duration, mut has_work: impl FnMut() -> bool) {
        let started = Instant::now();
        loop {
            if has_work() {
                return;
            }
            if started.elapsed() >= SPIN.min(timeout) {
                break;
            }
            std::hint::spin_loop();
        }
        self.parked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !has_work() {
            self.parker.park_timeout(timeout);
        }
        self.parked.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_and_a_full_ring_says_so() {
        let (_sleeper, waker) = sleeper();
        let (mut entrance, mut exit) = ring::<usize>(waker.clone(), waker);
        for i in 0..BATCHES_MAX {
            let mut batch = entrance.take_empty().unwrap();
            batch.items.push(i);
            entrance.push(batch);
        }
        assert!(entrance.take_empty().is_none() && !entrance.has_room());
        assert_eq!(exit.depth(), BATCHES_MAX);
        let batch = exit.pop().unwrap();
        assert_eq!(batch.items, [0]);
        exit.give_back(batch);
        assert!(entrance.take_empty().unwrap().items.is_empty());
    }

    #[test]
    fn two_threads_that_sleep_lose_no_wake() {
        const ROUNDS: usize = 20_000;
        let (shard_sleeper, shard) = sleeper();
        let (source_sleeper, source) = sleeper();
        let (mut entrance, mut exit) = ring::<usize>(shard, source);
        let long = Duration::from_secs(60);
        let consumer = std::thread::spawn(move || {
            let mut expected = 0;
            while expected < ROUNDS {
                shard_sleeper.sleep(long, || !exit.is_empty());
                while let Some(batch) = exit.pop() {
                    for item in &batch.items {
                        assert_eq!(*item, expected);
                        expected += 1;
                    }
                    exit.give_back(batch);
                }
            }
        });
        for item in 0..ROUNDS {
            let mut batch = loop {
                if let Some(batch) = entrance.take_empty() {
                    break batch;
                }
                source_sleeper.sleep(long, || entrance.has_room());
            };
            batch.items.push(item);
            entrance.push(batch);
        }
        consumer.join().unwrap();
    }
}
