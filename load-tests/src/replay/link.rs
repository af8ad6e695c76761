//! The way to the engine and back, whichever it is: events go into `outbox` in order, decisions come out of `inbox`.
//!
//! Both are bounded. A thread behind each does the waiting, so that the loop never does: what falls due while a request
//! is on its way is sent with the next one, in order, its latency counted from its own intended instant.

use crate::replay::decisions::Decision;
use crate::replay::latency::Latency;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Events and decisions that may wait on this side; the loop stands still when one is full.
pub const QUEUED_MAX: usize = 65_536;
/// An engine that is away for longer than this (a restart takes seconds) ends the run.
pub const AWAY_MAX: Duration = Duration::from_secs(60);
/// Between two attempts at an engine that is away or full.
pub const PAUSE: Duration = Duration::from_millis(100);

pub struct Outgoing {
    pub json: Vec<u8>,
    /// When it should leave.
    pub intended: Instant,
}

pub enum Incoming {
    Decision {
        received: Instant,
        decision: Box<Decision>,
    },
    /// A decision before this one was not seen: its `prev` is another.
    Missed,
    /// No more will come.
    Failed(anyhow::Error),
}

/// What the sending thread measured.
#[derive(Default)]
pub struct Sent {
    pub send_lag: Latency,
    pub answer: Latency,
    /// Events that were not taken (malformed, unknown workspace), and what was said of the first.
    pub refused: u64,
    pub first_refusal: Option<String>,
}

impl Sent {
    pub fn refuse(&mut self, count: u64, why: impl FnOnce() -> String) {
        self.refused += count;
        if count > 0 {
            self.first_refusal.get_or_insert_with(why);
        }
    }
}

pub struct Link {
    /// Dropped: the sender sends what it has and ends.
    pub outbox: SyncSender<Outgoing>,
    pub inbox: Receiver<Incoming>,
    /// None: it has been asked for what it measured.
    pub sender: Option<JoinHandle<Result<Sent>>>,
    pub stop: Stop,
}

impl Link {
    /// Waits for the sending thread's end, and takes what it measured or why it failed.
    pub fn sent(&mut self) -> Result<Sent> {
        let sender = self.sender.take().context("the sender has been asked before")?;
        sender.join().map_err(|_| anyhow::anyhow!("the sender has a bug"))?
    }
}

/// Told to the following threads when their decisions are no longer wanted.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts how long an engine has been away.
#[derive(Default)]
pub struct Absence(Option<Instant>);

impl Absence {
    pub fn over(&mut self) {
        self.0 = None;
    }

    /// Notes that it is away, and waits a little. Fails when it has been away for too long.
    pub fn note(&mut self, what: &str, why: &dyn std::fmt::Display) -> Result<()> {
        let since = *self.0.get_or_insert_with(Instant::now);
        anyhow::ensure!(since.elapsed() < AWAY_MAX, "{what} for {} s: {why}", AWAY_MAX.as_secs());
        std::thread::sleep(PAUSE);
        Ok(())
    }
}
