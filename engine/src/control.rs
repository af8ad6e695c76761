//! Queues opened and closed by command, and the sweep over those who wait when that, or the staff, changes (routing.md §5).

use crate::calendar;
use crate::command::not_supervised;
use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::input::{Control, Input};
use crate::policy::{ClockKind, ExitKind};
use crate::queueing::closed_reason;
use crate::state::{Phase, Route};
use crate::step::{About, DECIDED, RECORDED, Stepping, Verdict, rejected};

/// Conversations looked at in one slice of a sweep, concerned or not.
const LOOKED_AT: u32 = 4_096;

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

    /// What a queue's control is, and has been since `changed_at`; its calendar's word comes with it.
    pub(crate) fn controlled(&mut self, ws: u32, queue: u32, control: Control, until: u64, changed_at: u64) {
        let shut = self.is_shut(ws, queue);
        let workspace = self.state.workspace(ws);
        let desk = workspace.desk(queue);
        let drain_ms = workspace.queue(queue).map_or(0, |q| q.drain_after_close_ms);
        let (was_closed, since, desk_drains) = (desk.is_closed(), desk.since(), desk.is_draining());
        let is_closed = match control {
            Control::None => shut,
            Control::Open => false,
            Control::Closed | Control::Emergency => true,
        };
        let draining = is_closed && control != Control::Emergency && drain_ms > 0 && (!was_closed || desk_drains);
        // Its calendar has turned beneath a command that outranks it.
        if (desk.control(), desk.until()) == (control, until) && was_closed == is_closed {
            self.effect(Effect::Controlled {
                workspace: ws,
                queue,
                control,
                since,
                until,
                draining: desk_drains,
                shut,
            });
            if self.state.workspace(ws).clock_rule(ClockKind::QueueWait).is_some() {
                self.review_all(ws); // the wait counts in other hours now
            }
            return self.rearm_control(ws, queue);
        }
        // When its clocks stopped, or would have, had they stood in one piece: while it drains they go on.
        let drained_at = if desk_drains { since + drain_ms } else { since };
        let stood_before = if was_closed { changed_at.saturating_sub(drained_at) } else { 0 };
        let since = match draining {
            true => changed_at,
            false => self.now - stood_before - self.stood_ms(ws, queue, control, changed_at),
        };
        self.effect(Effect::Controlled { workspace: ws, queue, control, since, until, draining, shut });
        let reason = if is_closed { closed_reason(control) } else { Reason::Opened };
        let about = About { workspace: ws, until, other_queue: Some(queue), ..About::default() };
        self.tell(DecisionType::QueueChanged, reason, about);
        self.rearm_control(ws, queue);
        if was_closed != is_closed || (is_closed && !draining) {
            self.begin_sweep(ws, queue, reason);
        }
    }

    pub(crate) fn rearm_control(&mut self, ws: u32, queue: u32) {
        let workspace = self.state.workspace(ws);
        let desk = workspace.desk(queue);
        let drained_at = desk.since() + workspace.queue(queue).map_or(0, |q| q.drain_after_close_ms);
        let ends = [(desk.until(), desk.until() != 0), (drained_at, desk.is_draining())];
        let ends = ends.into_iter().filter(|(_, is)| *is).map(|(at, _)| at);
        let at = ends.chain(self.next_hours(ws, queue)).min().unwrap_or(0);
        self.arm_of(TimerKind::Control, ws, queue, at);
    }

    pub(crate) fn control_is_due(&mut self, ws: u32, queue: u32) {
        let due = self.state.workspace(ws).desk(queue).due().min(self.now);
        self.arm_of(TimerKind::Control, ws, queue, 0);
        let desk = self.state.workspace(ws).desk(queue);
        let (control, since, until) = (desk.control(), desk.since(), desk.until());
        if until != 0 && self.now >= until {
            return self.controlled(ws, queue, Control::None, 0, until);
        }
        let drain_ms = self.state.workspace(ws).queue(queue).map_or(0, |q| q.drain_after_close_ms);
        if desk.is_shut() != self.is_shut(ws, queue) {
            return self.controlled(ws, queue, control, until, due);
        }
        let (shut, drained_at) = (desk.is_shut(), since + drain_ms);
        if desk.is_draining() && self.now >= drained_at {
            let since = drained_at;
            self.effect(Effect::Controlled { workspace: ws, queue, control, since, until, draining: false, shut });
            self.begin_sweep(ws, queue, Reason::Closed);
        } else if control == Control::None && !desk.is_draining() {
            // It turned twice while nobody was here: what it was closed for, or open for, is made good.
            let stood_ms = self.stood_ms(ws, queue, control, due);
            let since = if shut { since + (self.now - due - stood_ms) } else { self.now - stood_ms };
            if (shut && since != desk.since()) || (!shut && stood_ms > 0) {
                self.effect(Effect::Controlled { workspace: ws, queue, control, since, until, draining: false, shut });
            }
            if !shut && stood_ms > 0 {
                self.begin_sweep(ws, queue, Reason::Opened);
            }
        }
        self.rearm_control(ws, queue);
    }

    /// How long a queue's clocks have stood since a moment, under this control: its calendar tells, where no command does.
    fn stood_ms(&self, ws: u32, queue: u32, control: Control, from: u64) -> u64 {
        let past_ms = self.now.saturating_sub(from);
        match control {
            Control::Open => 0,
            Control::Closed | Control::Emergency => past_ms,
            Control::None => {
                let workspace = self.state.workspace(ws);
                let calendar = workspace.queue(queue).and_then(|q| q.calendar);
                let openings = calendar.and_then(|calendar| workspace.openings(calendar));
                past_ms - calendar::business_between(openings, from, self.now)
            }
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
                if matches!(row.phase(), Phase::Queued | Phase::Parked) {
                    self.swept(ws, queue, slot, reason);
                }
                self.clocks_move(slot);
                self.clocks_follow(); // within the step's bytes
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
            if exit.kind == ExitKind::Wait {
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
        let (row, now) = (self.state.conversation(slot), self.now);
        let shift = now - desk.since().max(row.queued_at()).min(now);
        if shift > 0 {
            let route = Route { queue, rule: row.rule() };
            let times = (row.arrival(), row.queued_at() + shift);
            let waiting = self.state.texts(slot).waiting.clone();
            self.stand(slot, route, times, waiting);
        }
        self.rearm_wait(slot);
    }
}
