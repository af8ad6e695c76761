//! Deadlines: who has which, and the wheel that finds what is due. The rows are the truth, the wheel is derived.

use super::State;
use super::conversation::conversation_timer;
use super::wheel::{Entry, Wheel};
use crate::effect::TimerKind;
use alloc::vec::Vec;

/// A timer of an entity: when it is due and the number under which it was armed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Deadline {
    /// ms UTC; 0: not armed.
    pub at: u64,
    pub arm: u64,
    /// The earliest entry that the wheel has of it; 0: none (derived).
    pub in_wheel: u64,
}

/// A timer that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    pub timer: TimerKind,
    pub workspace: u32,
    pub slot: u32,
}

const CONVERSATION_TIMERS: [TimerKind; 4] = [TimerKind::Open, TimerKind::Turn, TimerKind::Wait, TimerKind::Clock];
const AGENT_TIMERS: [TimerKind; 6] =
    [TimerKind::Lease, TimerKind::Pace, TimerKind::Wrap, TimerKind::Respond, TimerKind::Away, TimerKind::Shift];

const SLOT_BITS: u32 = 32;
const WORKSPACE_BITS: u32 = 24;

impl Due {
    fn key(self) -> u64 {
        (self.timer as u64) << (SLOT_BITS + WORKSPACE_BITS)
            | u64::from(self.workspace) << SLOT_BITS
            | u64::from(self.slot)
    }

    fn of_key(key: u64) -> Due {
        let timer = TimerKind::from_number((key >> (SLOT_BITS + WORKSPACE_BITS)) as u8);
        Due {
            timer: timer.expect("a key is made of a timer"),
            workspace: (key >> SLOT_BITS) as u32 & ((1 << WORKSPACE_BITS) - 1),
            slot: key as u32,
        }
    }
}

impl State {
    fn deadline_mut(&mut self, due: Due) -> Option<&mut Deadline> {
        let slot = due.slot as usize;
        match due.timer {
            TimerKind::Open | TimerKind::Turn | TimerKind::Wait | TimerKind::Clock => {
                self.conversations.get_mut(slot).map(|c| &mut c.timers[conversation_timer(due.timer)])
            }
            TimerKind::Control => {
                self.workspaces.get_mut(due.workspace as usize)?.desks.get_mut(slot).map(|desk| &mut desk.timer)
            }
            TimerKind::Shift => self.agents.get_mut(slot).and_then(|a| a.timers.last_mut()),
            _ => self.agents.get_mut(slot).map(|a| &mut a.timers[due.timer as usize - TimerKind::Lease as usize]),
        }
    }

    /// When a timer is due; 0: not armed.
    pub fn armed_at(&mut self, timer: TimerKind, workspace: u32, slot: u32) -> u64 {
        self.deadline_mut(Due { timer, workspace, slot }).map_or(0, |d| d.at)
    }

    pub(super) fn armed(&mut self, timer: TimerKind, workspace: u32, slot: u32, at: u64) {
        let due = Due { timer, workspace, slot };
        let (arm, turns) = (self.armed, self.turns);
        self.armed += u64::from(at != 0);
        let deadline = self.deadline_mut(due).expect("a timer belongs to something");
        deadline.at = at;
        deadline.arm = if at == 0 { 0 } else { arm };
        // One that is armed for later stays where the wheel has it, and moves when it comes up.
        if turns && at != 0 && (deadline.in_wheel == 0 || at < deadline.in_wheel) {
            deadline.in_wheel = at;
            self.wheel.push(Entry { at, arm, key: due.key() });
        }
        match timer {
            TimerKind::Open | TimerKind::Turn | TimerKind::Wait | TimerKind::Clock => self.mark_conversation(slot),
            TimerKind::Control => self.mark_workspace(workspace),
            _ => self.mark_agent(slot),
        }
    }

    /// A state that was fed recorded effects has no wheel: it is made of what is armed when the state is to decide.
    pub fn turn_wheel(&mut self) {
        if self.turns {
            return;
        }
        self.turns = true;
        self.wheel = Wheel::new();
        let mut armed = Vec::new();
        let mut put = |deadline: &mut Deadline, due: Due| {
            deadline.in_wheel = deadline.at;
            if deadline.at != 0 {
                armed.push(Entry { at: deadline.at, arm: deadline.arm, key: due.key() });
            }
        };
        for (slot, row) in self.conversations.iter_mut().enumerate() {
            let (workspace, slot) = (row.workspace, slot as u32);
            for (timer, deadline) in CONVERSATION_TIMERS.into_iter().zip(&mut row.timers) {
                put(deadline, Due { timer, workspace, slot });
            }
        }
        for (slot, row) in self.agents.iter_mut().enumerate() {
            let (workspace, slot) = (row.workspace, slot as u32);
            for (timer, deadline) in AGENT_TIMERS.into_iter().zip(&mut row.timers) {
                put(deadline, Due { timer, workspace, slot });
            }
        }
        for (workspace, row) in self.workspaces.iter_mut().enumerate() {
            for (slot, desk) in row.desks.iter_mut().enumerate() {
                let (workspace, slot) = (workspace as u32, slot as u32);
                put(&mut desk.timer, Due { timer: TimerKind::Control, workspace, slot });
            }
        }
        armed.into_iter().for_each(|entry| self.wheel.push(entry));
    }

    /// Recorded effects are applied from here on: nothing is due before the wheel is made anew.
    pub fn stop_wheel(&mut self) {
        if core::mem::take(&mut self.turns) {
            self.wheel = Wheel::new();
        }
    }

    /// The deadline before which no timer is due; one that was moved or stopped since may make it too early.
    pub fn next_deadline(&self) -> Option<u64> {
        self.wheel.next_at()
    }

    /// The first timer that is due, by deadline and arm number. It counts as fired when its `Armed` is recorded.
    pub fn pop_due(&mut self, now: u64) -> Option<Due> {
        let mut wheel = core::mem::take(&mut self.wheel);
        let found = wheel.pop_due(now, &mut |entry| self.truth(entry));
        self.wheel = wheel;
        found.map(|entry| Due::of_key(entry.key))
    }

    fn workspace_of(&self, due: Due) -> Option<u32> {
        match due.timer {
            TimerKind::Open | TimerKind::Turn | TimerKind::Wait | TimerKind::Clock => {
                self.conversations.get(due.slot as usize).map(|c| c.workspace)
            }
            _ => Some(due.workspace),
        }
    }

    /// What the wheel's entry is now.
    fn truth(&mut self, entry: &Entry) -> Option<Entry> {
        let due = Due::of_key(entry.key);
        let key = Due { workspace: self.workspace_of(due)?, ..due }.key();
        let deadline = self.deadline_mut(due)?;
        if deadline.in_wheel != entry.at {
            return None; // another entry stands for it
        }
        if deadline.at == 0 {
            deadline.in_wheel = 0;
            return None;
        }
        if key != entry.key {
            return None; // a slot that another workspace's conversation has taken since
        }
        let now = Entry { at: deadline.at, arm: deadline.arm, key };
        deadline.in_wheel = if now == *entry { 0 } else { now.at };
        Some(now)
    }
}
