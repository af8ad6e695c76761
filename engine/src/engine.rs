//! The engine: one input or tick in, effects and decisions out. A dispatcher; each concern is in a file of its name.

use crate::decision::{Outcome, Position, Reason};
use crate::effect::Effect;
use crate::id::HashKey;
use crate::input::Input;
use crate::policy::Policy;
use crate::state::{BrokenPromise, State};
use crate::step::Stepping;
use crate::view;
use crate::wire::{Malformed, Reader, Wire};
use alloc::string::String;
use alloc::vec::Vec;

/// Assignments, re-queues and re-evaluations of one step at most (routing.md §4, step budget).
pub const STEP_BUDGET: u32 = 256;
/// Bytes of effects and decisions after which a step leaves the rest for ticks (design.md §4).
pub const STEP_BYTES: usize = 192 * 1024;

/// Bounds of the idempotency memory (design.md §4).
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
    /// Starts the batch that will be record `seq`; keeps the allocations.
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
    /// `position` is that of the first decision that names the input as cause (of the first time, for a duplicate).
    Recorded { outcome: Outcome, code: Reason, position: Position, duplicate: bool },
    /// Nothing was recorded and nothing remembered.
    UnknownWorkspace,
    /// A renewal of a lease that changes nothing (routing.md §3): neither recorded nor remembered, and without position.
    /// It may be answered when all before it is committed.
    Renewed,
}

pub struct Engine {
    pub(crate) state: State,
    /// Workspaces in which something is left for a tick, by slot.
    unfinished: Vec<u32>,
    /// Recorded effects were applied: what was left for ticks has to be looked for.
    unchecked: bool,
}

impl Engine {
    pub fn new(key: HashKey) -> Engine {
        let limits = Limits::default();
        let state = State::new(key, limits.idempotency_window_ms, limits.idempotency_max);
        Engine { state, unfinished: Vec::new(), unchecked: false }
    }

    /// Records the limits where they differ from the state's. First call after a claim.
    pub fn set_limits(&mut self, limits: Limits, now: u64, out: &mut Output) {
        let wanted = (limits.idempotency_window_ms, limits.idempotency_max);
        if self.state.limits() != wanted {
            Stepping::new(&mut self.state, out, None, now)
                .effect(Effect::Limited { window_ms: wanted.0, max: wanted.1 });
        }
    }

    /// The shard is behind its log, or no longer (routing.md §1): offers made while it is have no end before it has caught
    /// up. Recorded where it changes; called before the first step of the other kind of time.
    pub fn set_behind(&mut self, behind: bool, now: u64, out: &mut Output) {
        self.ready();
        Stepping::new(&mut self.state, out, None, now).fall_behind(behind);
    }

    /// First step after a claim: leases that are alive are extended once by `lease_grace_s` (routing.md §1), counted from
    /// the engine time that it is by the clock: in a backlog the step's own time lies before our absence.
    pub fn claimed(&mut self, now: u64, by_the_clock: u64, out: &mut Output) {
        self.ready();
        Stepping::new(&mut self.state, out, None, now).extend_leases(by_the_clock);
    }

    /// Applies one input. `now` is the engine's time, ms UTC; one that falls is taken as standing still.
    pub fn step(&mut self, input: &Input, now: u64, out: &mut Output) -> Answer {
        self.ready();
        let mut stepping = Stepping::new(&mut self.state, out, Some(input), now);
        let (answer, workspace) = stepping.input(input);
        if let Some(workspace) = workspace {
            let done = stepping.settle(workspace);
            self.note(workspace, done);
        }
        answer
    }

    /// After recorded effects: finds what is left and what is due.
    fn ready(&mut self) {
        if core::mem::take(&mut self.unchecked) {
            self.unfinished =
                (0..self.state.workspaces().len() as u32).filter(|w| self.state.is_unfinished(*w)).collect();
            self.state.turn_wheel();
        }
    }

    fn note(&mut self, workspace: u32, done: bool) {
        // Lowest slot first, as a restart would have it.
        if let (false, Err(at)) = (done, self.unfinished.binary_search(&workspace)) {
            self.unfinished.insert(at, workspace);
        }
    }

    /// One unit of what is left or due: a slice of what a step left over, else the earliest timer that is due. Returns
    /// whether anything changed.
    pub fn tick(&mut self, now: u64, out: &mut Output) -> bool {
        self.ready();
        let before = out.effects.len();
        let now = now.max(self.state.now());
        if let Some(workspace) = self.unfinished.first().copied() {
            let mut stepping = Stepping::new(&mut self.state, out, None, now);
            stepping.review(workspace);
            stepping.hand_over(workspace);
            stepping.sweep(workspace);
            stepping.clocks_follow();
            if stepping.settle(workspace) {
                self.unfinished.remove(0);
            }
        } else if let Some(due) = self.state.pop_due(now) {
            let mut stepping = Stepping::new(&mut self.state, out, None, now);
            let workspace = stepping.fire(due);
            let done = stepping.settle(workspace);
            self.note(workspace, done);
        }
        out.effects.len() > before
    }

    /// When the engine next wants a tick: at or before now means at once. It may be earlier than the earliest timer, where
    /// one was moved or stopped; never later.
    pub fn wants_tick_at(&self) -> Option<u64> {
        if self.unchecked || !self.unfinished.is_empty() {
            return Some(self.state.now());
        }
        self.state.next_deadline()
    }

    /// Records that an input was dead-lettered (Kafka).
    pub fn dead_letter(&mut self, offset: u64, reason: &str, now: u64, out: &mut Output) {
        Stepping::new(&mut self.state, out, None, now).effect(Effect::DeadLettered { offset, reason: reason.into() });
    }

    /// Ends a batch: returns the state's digest for the record's header.
    pub fn seal(&mut self) -> u128 {
        self.state.seal()
    }

    /// Recovery and the publisher's replica: applies one record's effects and seals. Returns the digest after it.
    pub fn apply(&mut self, seq: u64, effects: &[u8]) -> Result<u128, Malformed> {
        self.state.stop_wheel();
        let mut reader = Reader::new(effects);
        while !reader.is_empty() {
            self.state.apply(&Effect::take(&mut reader)?, seq);
        }
        self.unchecked = true;
        Ok(self.state.seal())
    }

    /// The dead letters recorded in a record's effects: (offset, reason).
    pub fn dead_letters(effects: &[u8]) -> Result<Vec<(u64, String)>, Malformed> {
        let mut found = Vec::new();
        let mut reader = Reader::new(effects);
        while !reader.is_empty() {
            if let Effect::DeadLettered { offset, reason } = Effect::take(&mut reader)? {
                found.push((offset, String::from(reason)));
            }
        }
        Ok(found)
    }

    /// The policies recorded in a record's effects, in order: what a reader who has no state wants to know of them.
    pub fn policies(effects: &[u8]) -> Result<Vec<Policy>, Malformed> {
        let mut found = Vec::new();
        let mut reader = Reader::new(effects);
        while !reader.is_empty() {
            if let Effect::WorkspaceConfigured { policy, .. } = Effect::take(&mut reader)? {
                found.push(*policy);
            }
        }
        Ok(found)
    }

    /// ms UTC of the last record that moved it.
    pub fn now(&self) -> u64 {
        self.state.now()
    }

    /// The shard that records is behind its log.
    pub fn is_behind(&self) -> bool {
        self.state.is_behind()
    }

    pub fn digest(&self) -> u128 {
        self.state.digest()
    }

    /// The digest computed anew from every row; equal to `digest` after a seal.
    pub fn digest_in_full(&self) -> u128 {
        self.state.digest_in_full()
    }

    /// Promises 1, 2, 3, 5, 6, 7 of routing.md §9 checked on the whole state: the first that is broken.
    /// Promise 7 is checked where nothing is left for ticks.
    pub fn broken_promise(&mut self) -> Option<BrokenPromise> {
        let settled = (0..self.state.workspaces().len() as u32).all(|w| !self.state.is_unfinished(w));
        self.state.broken_promise(settled)
    }

    pub fn workspaces(&self) -> Vec<view::Workspace<'_>> {
        (0..self.state.workspaces().len() as u32).map(|slot| view::Workspace::new(&self.state, slot)).collect()
    }

    pub fn workspace(&self, name: &str) -> Option<view::Workspace<'_>> {
        let hash = self.state.key().hash(crate::id::Kind::Workspace, name, &[]);
        self.state.find_workspace(hash).map(|slot| view::Workspace::new(&self.state, slot))
    }

    /// Agents whose rows the last sealed record touched, by slot.
    pub fn touched_agents(&self) -> &[u32] {
        self.state.touched_agents()
    }

    /// The agent in a slot, a removed one too, and his workspace's name.
    pub fn agent_at(&self, slot: u32) -> (&str, view::Agent) {
        view::agent_at(&self.state, slot)
    }

    /// Milliseconds that the idempotency memory reaches back.
    pub fn idempotency_window_held_ms(&self) -> u64 {
        self.state.memory_held_ms()
    }
}
