//! What each agent did since the process started, credited to who did it; for his view.

use std::collections::HashMap;
use std::ops::AddAssign;

/// Since the process started.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct AgentTally {
    /// Conversations that became his.
    pub assigned: u64,
    /// Conversations that he had and has no more.
    pub handled: u64,
    /// Answers of his that a response clock was running for.
    pub replied: u64,
    pub resolved: u64,
    /// Units held by work and wrap-up, times milliseconds.
    pub unit_ms: u64,
}

impl AddAssign for AgentTally {
    fn add_assign(&mut self, other: AgentTally) {
        self.assigned += other.assigned;
        self.handled += other.handled;
        self.replied += other.replied;
        self.resolved += other.resolved;
        self.unit_ms += other.unit_ms;
    }
}

/// A place in `Tallies`.
pub(super) type AgentIndex = u32;

#[derive(Default)]
pub(super) struct Tallies {
    index: HashMap<Box<str>, AgentIndex>,
    rows: Vec<AgentTally>,
}

impl Tallies {
    pub(super) fn index(&mut self, agent: &str) -> AgentIndex {
        if let Some(found) = self.index.get(agent) {
            return *found;
        }
        self.rows.push(AgentTally::default());
        let at = self.rows.len() as AgentIndex - 1;
        self.index.insert(agent.into(), at);
        at
    }

    pub(super) fn assigned(&mut self, agent: AgentIndex, live: bool) {
        self.rows[agent as usize].assigned += u64::from(live);
    }

    pub(super) fn handled(&mut self, agent: AgentIndex, live: bool) {
        self.rows[agent as usize].handled += u64::from(live);
    }

    pub(super) fn replied(&mut self, agent: AgentIndex, live: bool) {
        self.rows[agent as usize].replied += u64::from(live);
    }

    pub(super) fn resolved(&mut self, agent: AgentIndex, live: bool) {
        self.rows[agent as usize].resolved += u64::from(live);
    }

    pub(super) fn worked(&mut self, agent: AgentIndex, unit_ms: u64) {
        self.rows[agent as usize].unit_ms += unit_ms;
    }

    pub(super) fn find(&self, agent: &str) -> Option<AgentIndex> {
        self.index.get(agent).copied()
    }

    pub(super) fn at(&self, agent: AgentIndex) -> AgentTally {
        self.rows[agent as usize]
    }

    pub(super) fn of(&self, agent: &str) -> AgentTally {
        self.index.get(agent).map(|at| self.rows[*at as usize]).unwrap_or_default()
    }
}
