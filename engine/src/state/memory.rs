//! What is remembered of what has gone: outcomes of events (idempotency) and links to ended conversations.
//!
//! Both are first-in first-out with an index by keyed hash, bounded in time and number; an insert drops at most two of
//! the oldest, so no step pays for a flood before it (design.md §4).

use super::digest::Fingerprint;
use crate::decision::{Outcome, Position, Reason};
use crate::id::HashKey;
use alloc::collections::VecDeque;
use hashbrown::HashTable;

/// The outcome of one event.
#[derive(Clone, Copy, Debug)]
pub struct Remembered {
    pub key: u128,
    pub at: u64,
    pub position: Position,
    pub outcome: Outcome,
    pub code: Reason,
}

impl Remembered {
    fn fingerprint(&self, key: HashKey) -> u128 {
        let mut f = Fingerprint::new(key, 10);
        // The key is a keyed hash itself: two folds are enough to bind what stands beside it.
        f.word(self.key as u64 ^ self.at.rotate_left(32) ^ self.position.seq);
        let code = u64::from(self.position.idx) << 16 | (self.outcome as u64) << 8 | self.code as u64;
        f.word((self.key >> 64) as u64 ^ code.rotate_left(20));
        f.end()
    }
}

/// Rows in order of arrival, found by hash. `first` is the number of the front row; rows are counted for ever.
struct Fifo<T> {
    rows: VecDeque<T>,
    first: u64,
    index: HashTable<u64>,
}

impl<T> Fifo<T> {
    fn new() -> Fifo<T> {
        Fifo { rows: VecDeque::new(), first: 0, index: HashTable::new() }
    }

    fn find(&self, hash: u128, hash_of: impl Fn(&T) -> u128) -> Option<u64> {
        self.index.find(hash as u64, |n| hash_of(&self.rows[(*n - self.first) as usize]) == hash).copied()
    }

    fn row(&self, number: u64) -> &T {
        &self.rows[(number - self.first) as usize]
    }

    fn push(&mut self, row: T, hash_of: impl Fn(&T) -> u128) {
        let number = self.first + self.rows.len() as u64;
        let hash = hash_of(&row) as u64;
        self.rows.push_back(row);
        let (rows, first) = (&self.rows, self.first);
        self.index.insert_unique(hash, number, |n| hash_of(&rows[(*n - first) as usize]) as u64);
    }

    fn unlist(&mut self, hash: u128, number: u64) {
        if let Ok(entry) = self.index.find_entry(hash as u64, |n| *n == number) {
            entry.remove();
        }
    }

    fn pop(&mut self) -> Option<T> {
        let row = self.rows.pop_front()?;
        self.first += 1;
        Some(row)
    }
}

/// Outcomes of the last events.
pub struct Memory {
    fifo: Fifo<Remembered>,
    pub window_ms: u64,
    pub max: u32,
}

impl Memory {
    pub fn new(window_ms: u64, max: u32) -> Memory {
        Memory { fifo: Fifo::new(), window_ms, max }
    }

    pub fn find(&self, key: u128) -> Option<&Remembered> {
        self.fifo.find(key, |r| r.key).map(|n| self.fifo.row(n))
    }

    /// Adds one and drops at most two. Returns what the digest's sum changes by.
    pub fn insert(&mut self, row: Remembered, key: HashKey) -> u128 {
        let mut change = row.fingerprint(key);
        let now = row.at;
        self.fifo.push(row, |r| r.key);
        for _ in 0..2 {
            let Some(oldest) = self.fifo.rows.front() else { break };
            if oldest.at + self.window_ms >= now && self.fifo.rows.len() <= self.max as usize {
                break;
            }
            let (key_of_oldest, number) = (oldest.key, self.fifo.first);
            self.fifo.unlist(key_of_oldest, number);
            if let Some(gone) = self.fifo.pop() {
                change = change.wrapping_sub(gone.fingerprint(key));
            }
        }
        change
    }

    pub fn oldest_at(&self) -> Option<u64> {
        self.fifo.rows.front().map(|r| r.at)
    }

    pub fn in_full(&self, key: HashKey) -> u128 {
        self.fifo.rows.iter().fold(0u128, |sum, r| sum.wrapping_add(r.fingerprint(key)))
    }
}

/// A conversation that has left the state: its id's hash goes on from its last epoch.
#[derive(Clone, Copy, Debug)]
struct Link {
    hash: u128,
    epoch: u64,
    at: u64,
    /// Taken up again by a conversation of the same id.
    gone: bool,
}

impl Link {
    fn fingerprint(&self, key: HashKey) -> u128 {
        let mut f = Fingerprint::new(key, 11);
        f.wide(self.hash);
        f.word(self.epoch);
        f.word(self.at);
        f.end()
    }
}

/// Links are kept 30 days, at most a million.
pub const LINK_MS: u64 = 30 * 86_400_000;
pub const LINKS_MAX: usize = 1_000_000;

pub struct Links {
    fifo: Fifo<Link>,
    live: usize,
}

impl Links {
    pub fn new() -> Links {
        Links { fifo: Fifo::new(), live: 0 }
    }

    /// The last epoch of a conversation that has ended.
    pub fn epoch(&self, hash: u128) -> Option<u64> {
        self.fifo.find(hash, |l| l.hash).map(|n| self.fifo.row(n).epoch)
    }

    /// Takes a link out, its conversation having begun again. Returns the change of the sum.
    pub fn take(&mut self, hash: u128, key: HashKey) -> u128 {
        let Some(number) = self.fifo.find(hash, |l| l.hash) else { return 0 };
        self.fifo.unlist(hash, number);
        self.live -= 1;
        let first = self.fifo.first;
        let row = &mut self.fifo.rows[(number - first) as usize];
        row.gone = true;
        0u128.wrapping_sub(row.fingerprint(key))
    }

    pub fn insert(&mut self, hash: u128, epoch: u64, at: u64, key: HashKey) -> u128 {
        let row = Link { hash, epoch, at, gone: false };
        let mut change = row.fingerprint(key);
        self.fifo.push(row, |l| l.hash);
        self.live += 1;
        if self.fifo.rows.len() > 2 * self.live + 64 {
            self.compact();
        }
        let mut dropped = 0;
        while let Some(oldest) = self.fifo.rows.front().copied() {
            if oldest.gone {
                self.fifo.pop();
                continue;
            }
            if dropped == 2 || (oldest.at + LINK_MS >= at && self.live <= LINKS_MAX) {
                break;
            }
            let number = self.fifo.first;
            self.fifo.unlist(oldest.hash, number);
            self.fifo.pop();
            self.live -= 1;
            dropped += 1;
            change = change.wrapping_sub(oldest.fingerprint(key));
        }
        change
    }

    /// Rows taken up again behind a live front, dropped all at once when they are more than the live ones.
    fn compact(&mut self) {
        let mut kept = Fifo::new();
        for row in core::mem::take(&mut self.fifo.rows) {
            if !row.gone {
                kept.push(row, |l: &Link| l.hash);
            }
        }
        self.fifo = kept;
    }

    pub fn in_full(&self, key: HashKey) -> u128 {
        self.fifo.rows.iter().filter(|l| !l.gone).fold(0u128, |sum, l| sum.wrapping_add(l.fingerprint(key)))
    }
}
