//! Deadlines of everything that has one: a `BTreeMap` by deadline, then by the order of arming.

use std::collections::{BTreeMap, HashMap};

/// The clocks of a conversation (at most one of each runs).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Clock {
    /// Longest life of a live contact.
    Open,
    /// The bot's, the snooze's, the pause's, the owner's.
    Turn,
    /// What happens while it waits, and the end of its offer.
    Wait,
    /// The next percent of what it is measured by.
    Service,
}

/// The clocks of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AgentClock {
    Lease,
    Pace,
    WrapUp,
    Respond,
    Away,
    Shift,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    Conversation(String, Clock),
    /// By the number of the agent in his workspace.
    Agent(usize, AgentClock),
    QueueControl(String),
}

type Key = (String, Timer);

/// Timers of all workspaces of a shard.
#[derive(Default)]
pub struct Timers {
    by_deadline: BTreeMap<(u64, u64), Key>,
    armed: HashMap<Key, (u64, u64)>,
    next_arm: u64,
    /// The deadline of the timer that was taken last.
    pub taken: u64,
}

impl Timers {
    /// Arms, moves or cancels; one that already stands at this deadline keeps its place among equals.
    pub fn arm(&mut self, workspace: &str, timer: Timer, deadline: Option<u64>) {
        let key = (workspace.to_string(), timer);
        let standing = self.armed.get(&key).copied();
        if standing.map(|(at, _)| at) == deadline {
            return;
        }
        if let Some(place) = standing {
            self.by_deadline.remove(&place);
            self.armed.remove(&key);
        }
        if let Some(at) = deadline {
            let place = (at, self.next_arm);
            self.next_arm += 1;
            self.by_deadline.insert(place, key.clone());
            self.armed.insert(key, place);
        }
    }

    pub fn deadline(&self, workspace: &str, timer: Timer) -> Option<u64> {
        self.armed.get(&(workspace.to_string(), timer)).map(|(at, _)| *at)
    }

    pub fn next_deadline(&self) -> Option<u64> {
        self.by_deadline.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the first timer that is due.
    pub fn take_due(&mut self, now: u64) -> Option<Key> {
        if self.next_deadline()? > now {
            return None;
        }
        let ((deadline, _), key) = self.by_deadline.pop_first()?;
        self.taken = deadline;
        self.armed.remove(&key);
        Some(key)
    }
}
