//! Queues opened and closed by command, and the sweeps that follow: what waits is looked at, a slice a tick.

use crate::STEP_LOOKS;
use crate::telling::{Step, Verdict};
use crate::timers::Timer;
use crate::workspace::{QueueControl, Sweep, SweepKind};
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail};
use engine::input::Control;
use engine::policy::ExitKind;

impl Step<'_> {
    pub fn control_queue(
        &mut self,
        queue: &str,
        control: Control,
        until: Option<u64>,
        reason: Option<&str>,
        expected_version: Option<u64>,
    ) -> Verdict {
        if !self.is_supervisor() {
            return Verdict::rejected(Reason::NotSupervisor);
        }
        if reason.is_none_or(str::is_empty) {
            return Verdict::rejected(Reason::ReasonRequired);
        }
        if self.is_other_version(expected_version) {
            return Verdict::rejected(Reason::VersionMismatch);
        }
        if self.workspace.queue(queue).is_none() {
            return Verdict::rejected(Reason::UnknownQueue);
        }
        if until.is_some_and(|until| until <= self.now) {
            return Verdict::rejected(Reason::UntilPast);
        }
        let present = self.workspace.controls.get(queue).map_or((Control::None, None), |c| (c.control, c.until));
        if present == (control, until) {
            return Verdict::recorded(Reason::Recorded);
        }
        self.set_control(queue, control, until, reason, self.now);
        Verdict::decided()
    }

    /// What is commanded of a queue from a moment on; what its calendar says of that moment is asked anew.
    pub fn set_control(
        &mut self,
        queue: &str,
        control: Control,
        until: Option<u64>,
        text: Option<&str>,
        turned_at: u64,
    ) {
        let before = self.workspace.control_of(queue);
        let was_closed = self.workspace.is_closed(queue);
        let (was_draining, shut) = (before.is_draining, self.workspace.is_shut_by_calendar(queue, turned_at));
        self.workspace.controls.insert(queue.to_string(), QueueControl { control, until, shut, turned_at, ..before });
        let is_closed = self.workspace.is_closed(queue);
        // Beneath a command the calendar turns unheard.
        if (before.control, before.until) == (control, until) && was_closed.is_some() == is_closed.is_some() {
            self.begin_sweep(queue, SweepKind::Clocks);
            return self.rearm_queue(queue, turned_at);
        }
        // When the clocks of who waits in it stopped.
        let since = if was_closed.is_some() && !was_draining { before.since } else { turned_at };
        let drain_ms = self.workspace.queue(queue).map_or(0, |queue| queue.drain_after_close_ms);
        let may_drain = was_closed.is_none() || was_draining;
        let is_draining = is_closed == Some(Control::Closed) && drain_ms > 0 && may_drain;
        let new = QueueControl { control, until, since, is_draining, shut, turned_at };
        self.workspace.controls.insert(queue.to_string(), new);
        let (reason, kind) = match is_closed {
            Some(Control::Emergency) => (Reason::Emergency, SweepKind::Closed),
            Some(_) => (Reason::Closed, SweepKind::Closed),
            None => (Reason::Opened, SweepKind::Opened { closed_since: since, opened_at: turned_at }),
        };
        self.tell_plainly(DecisionType::QueueChanged, reason);
        let (other, until, text) = (queue.into(), until.unwrap_or(0), text.unwrap_or("").into());
        self.with_detail(ToldDetail { other, until, text, ..ToldDetail::default() });
        let (is_closed, was_closed) = (is_closed.is_some(), was_closed.is_some());
        if is_closed != was_closed || (is_closed && !is_draining) {
            self.begin_sweep(queue, kind);
        }
        self.refresh_line(queue);
        self.rearm_queue(queue, turned_at);
    }

    /// Whoever waits or is parked in this queue is looked at, the oldest first.
    pub fn begin_sweep(&mut self, queue: &str, kind: SweepKind) {
        if !self.workspace.conversations.is_empty() {
            self.workspace.sweeps.insert(queue.to_string(), Sweep { kind, from: 0 });
        }
    }

    /// Whoever waits in this queue may be served from now on, or no longer.
    fn refresh_line(&mut self, queue: &str) {
        let in_queue = |id: &&String| self.workspace.conversations[*id].queue == queue;
        let waiting: Vec<String> = self.workspace.waiting.values().filter(in_queue).cloned().collect();
        self.workspace.fresh.extend(waiting);
    }

    /// A control has run out, the calendar has turned, or the time is over in which a closed queue still serves those who
    /// wait: at the time for which that was foreseen, however late it is seen.
    pub fn control_is_due(&mut self, queue: &str) {
        let control = self.workspace.control_of(queue);
        let at = self.shard.timers.taken;
        if let Some(until) = control.until.filter(|until| *until <= at) {
            return self.set_control(queue, Control::None, None, None, until);
        }
        if control.shut != self.workspace.is_shut_by_calendar(queue, at) {
            return self.set_control(queue, control.control, control.until, None, at);
        }
        let drain_ms = self.workspace.queue(queue).map_or(0, |queue| queue.drain_after_close_ms);
        if control.is_draining && at >= control.since + drain_ms {
            let drained = QueueControl { is_draining: false, since: at, turned_at: at, ..control };
            self.workspace.controls.insert(queue.to_string(), drained);
            self.begin_sweep(queue, SweepKind::Closed);
        }
        self.rearm_queue(queue, at);
    }

    /// It has turned since, and nobody has seen that yet: of what it was meanwhile nobody is a victim.
    pub fn turns_next(&self, queue: &str) -> Option<u64> {
        let timer = Timer::QueueControl(queue.to_string());
        self.shard.timers.deadline(&self.workspace.name, timer).filter(|at| *at < self.now)
    }

    /// One slice of the sweep of every queue that has one.
    pub fn sweep_slices(&mut self) {
        let swept = |queue: &&String| self.workspace.sweeps.contains_key(*queue);
        let queues: Vec<String> = self.workspace.queue_names.iter().filter(swept).cloned().collect();
        for queue in queues {
            self.sweep_slice(&queue);
        }
    }

    fn sweep_slice(&mut self, queue: &str) {
        let Some(sweep) = self.workspace.sweeps.get(queue).copied() else { return };
        let creation = |id: &String| self.workspace.conversations[id].creation;
        let left: Vec<(u64, String)> = self
            .workspace
            .by_creation()
            .into_iter()
            .map(|id| (creation(&id), id))
            .filter(|(creation, _)| *creation >= sweep.from)
            .collect();
        for (looked_at, (creation, id)) in left.into_iter().enumerate() {
            if looked_at == STEP_LOOKS || self.left == 0 {
                self.workspace.sweeps.insert(queue.to_string(), Sweep { from: creation, ..sweep });
                return;
            }
            if self.workspace.conversations.get(&id).is_some_and(|conversation| conversation.queue == queue) {
                self.minds_clocks(&id);
                if self.sweep_over(queue, &id, sweep.kind) {
                    self.left -= 1;
                }
                self.queue_turned_at = Some(self.workspace.control_of(queue).turned_at);
                self.follow_clocks();
                self.queue_turned_at = None;
            }
        }
        self.workspace.sweeps.remove(queue);
    }

    /// Returns whether it is somewhere else now.
    fn sweep_over(&mut self, queue: &str, id: &str, kind: SweepKind) -> bool {
        let conversation = &self.workspace.conversations[id];
        let Some(configured) = self.workspace.queue(queue).cloned() else { return false };
        let is_queued = conversation.phase == PhaseWord::Queued;
        let closed = self.workspace.is_closed(queue);
        let control = closed.filter(|_| !self.workspace.is_served(queue));
        match (control, kind) {
            (_, SweepKind::Clocks) => false,
            (_, SweepKind::Staffed) => {
                let is_set_aside = conversation.phase == PhaseWord::Parked && conversation.parked == Reason::Unstaffed;
                let wakes = is_set_aside && closed.is_none();
                if wakes {
                    self.wake(id, Reason::Due);
                }
                wakes
            }
            (Some(control), _) if is_queued => {
                let why = if control == Control::Emergency { Reason::Emergency } else { Reason::Closed };
                let stays = configured.on_closed.kind == ExitKind::Wait || self.turns_next(queue).is_some();
                let is_gone = !stays && self.take_way_out(id, &configured.on_closed, why);
                self.rearm(id);
                is_gone
            }
            (_, SweepKind::Unstaffed) if is_queued && !self.workspace.has_online_member(queue) => {
                self.take_way_out(id, &configured.on_unstaffed, Reason::Unstaffed)
            }
            (None, SweepKind::Opened { closed_since, opened_at }) if closed.is_none() && is_queued => {
                if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                    conversation.queued_at += opened_at.saturating_sub(closed_since.max(conversation.queued_at));
                }
                self.rearm(id);
                false
            }
            (None, SweepKind::Opened { .. }) if closed.is_none() => {
                let for_opening = [Reason::Closed, Reason::Emergency, Reason::Unstaffed].contains(&conversation.parked);
                let wakes = conversation.phase == PhaseWord::Parked && for_opening;
                if wakes {
                    self.wake(id, Reason::Due);
                }
                wakes
            }
            _ => false,
        }
    }
}
