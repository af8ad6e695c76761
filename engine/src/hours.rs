//! Calendars at work (routing.md §7): openings come in as numbers, queues open and close by them, shifts begin and end.

use crate::calendar::Opening;
use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::policy::limits;
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, rejected};

impl Stepping<'_> {
    /// What a calendar's openings are from a moment on; before that they stay as they were.
    pub(crate) fn expand_calendar(
        &mut self,
        ws: u32,
        calendar: &Id,
        (from, until): (u64, u64),
        openings: &[Opening],
    ) -> Verdict {
        let workspace = self.state.workspace(ws);
        let is_configured = workspace.policy().calendars.iter().any(|c| c.name == calendar.text);
        let Some(calendar) = workspace.calendars.find(calendar.hash).filter(|_| is_configured) else {
            return rejected(Reason::UnknownCalendar);
        };
        if openings.len() > limits::OPENINGS {
            return rejected(Reason::TooMany);
        }
        let before = self.told_so_far();
        let openings = openings.to_vec();
        self.effect(Effect::CalendarExpanded { workspace: ws, calendar, from, until, openings });
        self.hours_change(ws);
        self.review_all(ws);
        if self.told_so_far() > before { DECIDED } else { RECORDED }
    }

    /// Calendars, or who has which, are others now: queues follow, and shifts one by one, when all who wait have been looked
    /// at under the new policy.
    pub(crate) fn hours_change(&mut self, ws: u32) {
        for queue in 0..self.state.workspace(ws).queues.len() {
            self.follow_hours(ws, queue);
        }
        for at in 0..self.state.workspace(ws).agents().len() {
            let agent = self.state.workspace(ws).agents()[at];
            let row = self.state.agent(agent);
            if !row.is_removed() && (row.is_off_shift() || !row.config().shifts.is_empty()) {
                self.arm_of(TimerKind::Shift, ws, agent, self.now);
            }
        }
    }

    /// Whether a queue's calendar says that it is closed at a time.
    pub(crate) fn is_shut(&self, ws: u32, queue: u32, at: u64) -> bool {
        let workspace = self.state.workspace(ws);
        let calendar = workspace.queue(queue).and_then(|q| q.calendar);
        calendar.and_then(|c| workspace.openings(c)).is_some_and(|openings| !openings.is_open(at))
    }

    /// When a queue's calendar next opens or closes it after a time.
    pub(crate) fn next_hours(&self, ws: u32, queue: u32, after: u64) -> Option<u64> {
        let workspace = self.state.workspace(ws);
        let calendar = workspace.queue(queue)?.calendar?;
        workspace.openings(calendar)?.next_change(after)
    }

    fn follow_hours(&mut self, ws: u32, queue: u32) {
        let desk = self.state.workspace(ws).desk(queue);
        if desk.is_shut() != self.is_shut(ws, queue, self.now) {
            let (control, until) = (desk.control(), desk.until());
            return self.controlled(ws, queue, control, until, self.now);
        }
        self.rearm_control(ws, queue, self.now);
    }

    /// An agent's shift is over, or has begun, or it ends at another time now.
    pub(crate) fn follow_shift(&mut self, agent: u32) {
        let row = self.state.agent(agent);
        let workspace = self.state.workspace(row.workspace());
        let shifts = &row.config().shifts;
        if row.is_removed() {
            return;
        }
        if shifts.is_empty() && !row.is_off_shift() && row.shift_due() == 0 {
            return;
        }
        let hash = self.state.key().hash(crate::id::Kind::Calendar, workspace.name(), &[shifts]);
        let is_configured = workspace.policy().calendars.iter().any(|own| own.name == *shifts);
        let calendar = workspace.calendars.find(hash).filter(|_| is_configured);
        let openings = calendar.and_then(|c| workspace.openings(c));
        let off = openings.is_some_and(|openings| !openings.is_open(self.now));
        let next = openings.and_then(|openings| openings.next_change(self.now)).unwrap_or(0);
        let (ws, was_off, took_work) = (row.workspace(), row.is_off_shift(), row.routable() != 0);
        self.arm_of(TimerKind::Shift, ws, agent, next);
        if was_off == off {
            return;
        }
        self.effect(Effect::Shifted { agent, off });
        let reason = if off { Reason::ShiftEnded } else { Reason::ShiftBegan };
        self.tell_agent(DecisionType::AgentChanged, reason, agent, None);
        if off && took_work {
            self.takes_no_more(agent, false);
        }
        if self.state.agent(agent).is_online() {
            match off {
                true => self.unstaffed(ws),
                false => self.staffed(agent),
            }
        }
    }

    pub(crate) fn shift_is_due(&mut self, agent: u32) {
        let ws = self.state.agent(agent).workspace();
        self.arm_of(TimerKind::Shift, ws, agent, 0);
        self.follow_shift(agent);
    }

    /// When an agent's next shift begins; none: he has no shifts, or is inside one.
    pub(crate) fn next_shift(&self, agent: u32) -> Option<u64> {
        let row = self.state.agent(agent);
        let workspace = self.state.workspace(row.workspace());
        let shifts = &row.config().shifts;
        if !workspace.policy().calendars.iter().any(|own| own.name == *shifts) {
            return None;
        }
        let hash = self.state.key().hash(crate::id::Kind::Calendar, workspace.name(), &[shifts]);
        let calendar = workspace.calendars.find(hash)?;
        workspace.openings(calendar)?.next_opening(self.now).filter(|at| *at > self.now)
    }
}
