//! How each shard stands, shared between the threads: owned or not, how far recovered, committed and relayed.
//!
//! Written by the shard's thread and the publisher, read by HTTP, the ingest and the decision reader. Nothing is
//! decided on it: who owns a shard is what the journal says.

use crate::clock::ShardClock;
use connectors::journal::History;
use engine::decision::Position;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

/// The last sign of life of a thread, shared by the shards it drives: while it reads the journal of one, the others are
/// not dead.
pub struct Life {
    started: Instant,
    alive_at_ms: AtomicU64,
}

impl Default for Life {
    fn default() -> Life {
        Life { started: Instant::now(), alive_at_ms: AtomicU64::new(0) }
    }
}

pub struct Standing {
    pub shard: u16,
    /// From the accepted claim until the step-down.
    owned: AtomicBool,
    /// Another node has claimed the shard.
    superseded: AtomicBool,
    /// Records applied and records there, while the journal is read.
    read: AtomicU64,
    end: AtomicU64,
    /// The last batch whose decisions may be seen.
    published_seq: AtomicU64,
    /// Batches up to the newest published one, with the folds a reader may start from.
    pub history: RwLock<History>,
    relayed: Mutex<Position>,
    life: Arc<Life>,
    pub clock: RwLock<ShardClock>,
    /// Of the run of the source that the shard takes from (Kafka).
    generation: AtomicU32,
}

impl Standing {
    pub fn new(shard: u16, life: Arc<Life>) -> Standing {
        Standing {
            shard,
            owned: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            read: AtomicU64::new(0),
            end: AtomicU64::new(0),
            published_seq: AtomicU64::new(0),
            history: RwLock::new(History::new()),
            relayed: Mutex::new(Position::default()),
            life,
            clock: RwLock::default(),
            generation: AtomicU32::new(0),
        }
    }

    pub fn is_owned(&self) -> bool {
        self.owned.load(Ordering::Acquire)
    }

    pub fn set_owned(&self, owned: bool) {
        self.owned.store(owned, Ordering::Release);
    }

    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    pub fn set_superseded(&self, superseded: bool) {
        self.superseded.store(superseded, Ordering::Release);
    }

    /// (records applied, records there) of a recovery.
    pub fn recovery(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed))
    }

    pub fn set_recovery(&self, read: u64, end: u64) {
        self.read.store(read, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }

    pub fn published_seq(&self) -> u64 {
        self.published_seq.load(Ordering::Acquire)
    }

    pub fn set_published_seq(&self, seq: u64) {
        self.published_seq.store(seq, Ordering::Release);
    }

    /// The last decision acknowledged by the relay's topic.
    pub fn relayed(&self) -> Position {
        *self.relayed.lock().expect("nobody panics with it")
    }

    pub fn set_relayed(&self, position: Position) {
        *self.relayed.lock().expect("nobody panics with it") = position;
    }

    pub fn next_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub fn sign_of_life(&self) {
        let life = &self.life;
        life.alive_at_ms.store(life.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long ago the shard's thread last came round.
    pub fn silent_ms(&self) -> u64 {
        let now_ms = self.life.started.elapsed().as_millis() as u64;
        now_ms.saturating_sub(self.life.alive_at_ms.load(Ordering::Relaxed))
    }
}
