//! Signatures while the engine is being built.
use crate::decision::{Outcome, Position, Reason};
use crate::id::HashKey;
use crate::input::Input;
use crate::view;
use crate::wire::Malformed;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub idempotency_window_ms: u64,
    pub idempotency_max: u32,
}
impl Default for Limits {
    fn default() -> Limits {
        Limits { idempotency_window_ms: 24 * 3_600_000, idempotency_max: 2_000_000 }
    }
}

/// What a batch of steps gives: bytes of the record's sections.
#[derive(Default)]
pub struct Output {
    pub effects: Vec<u8>,
    pub decisions: Vec<u8>,
    pub decision_count: u32,
    pub seq: u64,
}
impl Output {
    /// Starts the batch that will be record `seq`.
    pub fn begin(&mut self, seq: u64) {
        self.effects.clear();
        self.decisions.clear();
        self.decision_count = 0;
        self.seq = seq;
    }
}

/// What an input came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// `position.idx` is that of the first decision that names the input as cause (of the first time, for a duplicate).
    Recorded { outcome: Outcome, code: Reason, position: Position, duplicate: bool },
    /// Nothing was recorded and nothing remembered.
    UnknownWorkspace,
}

pub struct Engine {}
impl Engine {
    pub fn new(_key: HashKey) -> Engine {
        todo!()
    }
    /// Records the limits where they differ from the state's. First call after a claim.
    pub fn set_limits(&mut self, _limits: Limits, _now: u64, _out: &mut Output) {
        todo!()
    }
    pub fn step(&mut self, _input: &Input, _now: u64, _out: &mut Output) -> Answer {
        todo!()
    }
    /// Does what is due at `now` within the step bound. Returns whether anything changed.
    pub fn tick(&mut self, _now: u64, _out: &mut Output) -> bool {
        todo!()
    }
    /// When the engine next wants a tick: at or before now means at once.
    pub fn wants_tick_at(&self) -> Option<u64> {
        todo!()
    }
    /// Records that an input was dead-lettered (Kafka).
    pub fn dead_letter(&mut self, _offset: u64, _reason: &str, _now: u64, _out: &mut Output) {
        todo!()
    }
    /// Ends a batch: returns the state's digest for the record's header.
    pub fn seal(&mut self) -> u128 {
        todo!()
    }
    /// Recovery and the publisher's replica: applies one record's effects. Returns the digest after it.
    pub fn apply(&mut self, _seq: u64, _now: u64, _effects: &[u8]) -> Result<u128, Malformed> {
        todo!()
    }
    /// The dead letters recorded in a record's effects: (offset, reason).
    pub fn dead_letters(_effects: &[u8]) -> Result<Vec<(u64, String)>, Malformed> {
        todo!()
    }
    pub fn now(&self) -> u64 {
        todo!()
    }
    pub fn digest(&self) -> u128 {
        todo!()
    }
    /// The digest computed anew from every row.
    pub fn digest_in_full(&self) -> u128 {
        todo!()
    }
    /// Promises 1, 2, 3, 6, 7 of routing.md §9 checked on the whole state: the first violation, as a sentence.
    pub fn broken_promise(&self) -> Option<String> {
        todo!()
    }
    pub fn workspaces(&self) -> Vec<view::Workspace<'_>> {
        todo!()
    }
    pub fn workspace(&self, _name: &str) -> Option<view::Workspace<'_>> {
        todo!()
    }
    /// Milliseconds that the idempotency memory reaches back.
    pub fn idempotency_window_held_ms(&self) -> u64 {
        todo!()
    }
}
