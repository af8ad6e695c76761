//! Queues opened and closed by command, and the sweep over those who wait when that, or the staff, changes (routing.md §5).

use crate::command::not_supervised;
use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::input::{Control, Input};
use crate::policy::ExitKind;
use crate::queueing::closed_reason;
use crate::state::{Phase, Route};
use crate::step::{About, DECIDED, RECORDED, Stepping, Verdict, rejected};

/// Conversations looked at in one slice of a sweep, concerned or not.
const LOOKED_AT: u32 = 4_096;

/// What a queue's desk is from `turned_at` on.
struct Turn {
    control: Control,
    until: u64,
    since: u64,
    draining: bool,
    shut: bool,
    turned_at: u64,
}

impl Stepping<'_> {
    pub(crate) fn control_queue(
        &mut self,
        ws: u32,
        input: &Input,
        queue: &Id,
        (control, until): (Control, Option<u64>),
        has_reason: bool,
    ) -> Verdict {
        if let Some(refused) = not_supervised(input, has_reason) {
            return refused;
        }
        let Some(queue) = self.state.workspace(ws).queue_of(queue.hash) else { return rejected(Reason::UnknownQueue) };
        if until.is_some_and(|until| until <= self.now) {
            return rejected(Reason::UntilPast);
        }
        let until = until.unwrap_or(0);
        let desk = self.state.workspace(ws).desk(queue);
        if (desk.control(), desk.until()) == (control, until) {
            return RECORDED;
        }
        self.controlled(ws, queue, control, until, self.now);
        DECIDED
    }

    /// What a queue's control is from a moment on, which is past where nobody was here; its calendar's word comes with it.
    pub(crate) fn controlled(&mut self, ws: u32, queue: u32, control: Control, until: u64, turned_at: u64) {
        let shut = self.is_shut(ws, queue, turned_at);
        let workspace = self.state.workspace(ws);
        let desk = workspace.desk(queue);
        let drain_ms = workspace.queue(queue).map_or(0, |q| q.drain_after_close_ms);
        let (was_closed, since, desk_drains) = (desk.is_closed(), desk.since(), desk.is_draining());
        let is_closed = match control {
            Control::None => shut,
            Control::Open => false,
            Control::Closed | Control::Emergency => true,
        };
        // Its calendar has turned beneath a command that outranks it: only the wait's clock may mind.
        if (desk.control(), desk.until()) == (control, until) && was_closed == is_closed {
            self.turned(ws, queue, Turn { control, until, since, draining: desk_drains, shut, turned_at });
            return self.begin_sweep(ws, queue, Reason::Updated);
        }
        let draining = is_closed && control != Control::Emergency && drain_ms > 0 && (!was_closed || desk_drains);
        // When its clocks stopped: while it drains they go on.
        let stands = was_closed && !desk_drains;
        let since = if stands { since } else { turned_at };
        self.turned(ws, queue, Turn { control, until, since, draining, shut, turned_at });
        let reason = if is_closed { closed_reason(control) } else { Reason::Opened };
        let about = About { workspace: ws, until, other_queue: Some(queue), ..About::default() };
        self.tell(DecisionType::QueueChanged, reason, about);
        if was_closed != is_closed || (is_closed && !draining) {
            self.begin_sweep(ws, queue, reason);
        }
    }

    fn turned(&mut self, ws: u32, queue: u32, turn: Turn) {
        let Turn { control, until, since, draining, shut, turned_at } = turn;
        self.effect(Effect::Controlled { workspace: ws, queue, control, since, until, draining, shut, turned_at });
        self.rearm_control(ws, queue, turned_at);
    }

    /// Arms a queue's timer for what comes next after a moment, which may itself be past: what turned several times while
    /// nobody was here turns as often now, at its own times and in its order.
    pub(crate) fn rearm_control(&mut self, ws: u32, queue: u32, after: u64) {
        let workspace = self.state.workspace(ws);
        let desk = workspace.desk(queue);
        let drained_at = desk.since() + workspace.queue(queue).map_or(0, |q| q.drain_after_close_ms);
        let ends = [(desk.until(), desk.until() != 0), (drained_at.max(after), desk.is_draining())];
        let ends = ends.into_iter().filter(|(_, is)| *is).map(|(at, _)| at);
        let at = ends.chain(self.next_hours(ws, queue, after)).min().unwrap_or(0);
        self.arm_of(TimerKind::Control, ws, queue, at);
    }

    pub(crate) fn control_is_due(&mut self, ws: u32, queue: u32) {
        let due = self.state.workspace(ws).desk(queue).due().min(self.now);
        self.arm_of(TimerKind::Control, ws, queue, 0);
        let desk = self.state.workspace(ws).desk(queue);
        let (control, since, until, shut) = (desk.control(), desk.since(), desk.until(), desk.is_shut());
        if until != 0 && due >= until {
            return self.controlled(ws, queue, Control::None, 0, until);
        }
        if shut != self.is_shut(ws, queue, due) {
            return self.controlled(ws, queue, control, until, due);
        }
        let drain_ms = self.state.workspace(ws).queue(queue).map_or(0, |q| q.drain_after_close_ms);
        if desk.is_draining() && due >= since + drain_ms {
            self.turned(ws, queue, Turn { control, until, since: due, draining: false, shut, turned_at: due });
            return self.begin_sweep(ws, queue, Reason::Closed);
        }
        self.rearm_control(ws, queue, due);
    }

    /// The time up to which the clocks of who waits in a queue may be judged: beyond it the queue has turned, and has not
    /// been told so yet.
    pub(crate) fn known_until(&self, ws: u32, queue: u32) -> u64 {
        match self.state.workspace(ws).desk(queue).due() {
            0 => self.now,
            due => due.min(self.now),
        }
    }

    /// Those who wait in a queue, or are parked there, are looked at from the oldest on.
    fn begin_sweep(&mut self, ws: u32, queue: u32, reason: Reason) {
        if let Some(next) = self.state.oldest(ws) {
            self.effect(Effect::Swept { workspace: ws, queue, next: Some(next), reason });
        }
    }

    /// An agent went: queues that have a way out for it and now have nobody online.
    pub(crate) fn unstaffed(&mut self, ws: u32) {
        for queue in 0..self.state.workspace(ws).queues.len() {
            let rule = self.state.workspace(ws).queue(queue);
            let has_exit = rule.is_some_and(|q| q.on_unstaffed.kind != ExitKind::Wait);
            let waits = self.state.workspace(ws).desk(queue).waiting() > 0;
            if has_exit && waits && !self.state.is_staffed_queue(ws, queue) {
                self.begin_sweep(ws, queue, Reason::Unstaffed);
            }
        }
    }

    /// An agent came: what his queues have set aside for want of anybody comes back.
    pub(crate) fn staffed(&mut self, agent: u32) {
        let ws = self.state.agent(agent).workspace();
        for queue in 0..self.state.workspace(ws).queues.len() {
            let workspace = self.state.workspace(ws);
            let parks = workspace.queue(queue).is_some_and(|q| q.on_unstaffed.kind == ExitKind::Park);
            let is_idle = workspace.desk(queue).sweep().is_none();
            if parks && is_idle && self.state.agent(agent).member(queue).is_some() {
                self.begin_sweep(ws, queue, Reason::Presence);
            }
        }
    }

    /// One slice of each sweep of a workspace.
    pub(crate) fn sweep(&mut self, ws: u32) {
        if !self.state.workspace(ws).is_sweeping() {
            return;
        }
        for queue in 0..self.state.workspace(ws).queues.len() {
            let Some((first, reason)) = self.state.workspace(ws).desk(queue).sweep() else { continue };
            let mut next = Some(first);
            let mut looked_at = 0;
            while let Some(slot) = next.filter(|_| looked_at < LOOKED_AT && self.has_budget()) {
                next = self.state.newer(slot);
                looked_at += 1;
                let row = self.state.conversation(slot);
                if row.queue() != queue {
                    continue;
                }
                if matches!(row.phase(), Phase::Queued | Phase::Parked) && reason != Reason::Updated {
                    self.swept(ws, queue, slot, reason);
                }
                self.clocks_move(slot);
                self.queue_turned_at = Some(self.state.workspace(ws).desk(queue).turned_at());
                self.clocks_follow(); // within the step's bytes
                self.queue_turned_at = None;
            }
            self.effect(Effect::Swept { workspace: ws, queue, next, reason });
        }
    }

    /// One who waits in a queue that has changed.
    fn swept(&mut self, ws: u32, queue: u32, slot: u32, reason: Reason) {
        let workspace = self.state.workspace(ws);
        let Some(rule) = workspace.queue(queue) else { return };
        let desk = workspace.desk(queue);
        let row = self.state.conversation(slot);
        let is_parked = row.phase() == Phase::Parked;
        if reason == Reason::Presence {
            if is_parked && row.park_reason() == Reason::Unstaffed && !desk.is_closed() {
                self.budget = self.budget.saturating_sub(1);
                self.woken(slot, Reason::Due);
            }
            return;
        }
        if desk.is_closed() && !desk.is_draining() && !is_parked {
            let exit = rule.on_closed.clone();
            let why = closed_reason(desk.control());
            // Nobody is sent out for a closing that is over: it has turned since.
            if exit.kind == ExitKind::Wait || self.known_until(ws, queue) < self.now {
                return self.rearm_wait(slot);
            }
            self.budget = self.budget.saturating_sub(1);
            return self.leave_by(slot, &exit, why);
        }
        if reason == Reason::Unstaffed {
            let exit = rule.on_unstaffed.clone();
            if !is_parked && !self.state.is_staffed_queue(ws, queue) && exit.kind != ExitKind::Wait {
                self.budget = self.budget.saturating_sub(1);
                self.leave_by(slot, &exit, Reason::Unstaffed);
            }
            return;
        }
        if desk.is_closed() {
            return;
        }
        // It has opened: clocks go on, and who was set aside for it comes back.
        if is_parked {
            if matches!(row.park_reason(), Reason::Closed | Reason::Emergency | Reason::Unstaffed) {
                self.budget = self.budget.saturating_sub(1);
                self.woken(slot, Reason::Due);
            }
            return;
        }
        let row = self.state.conversation(slot);
        let shift = desk.turned_at().saturating_sub(desk.since().max(row.queued_at()));
        if shift > 0 {
            let route = Route { queue, rule: row.rule() };
            let times = (row.arrival(), row.queued_at() + shift);
            let waiting = self.state.texts(slot).waiting.clone();
            self.stand(slot, route, times, waiting);
        }
        self.rearm_wait(slot);
    }
}
