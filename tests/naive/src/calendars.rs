//! Opening hours: what is known of each calendar, and who follows them. Every question walks the list.

use crate::telling::{Step, Verdict};
use crate::timers::{AgentClock, Timer};
use engine::calendar::Opening;
use engine::decision::{DecisionType, Reason};
use engine::policy::limits::OPENINGS;

/// Openings that ended longer ago are forgotten.
const KEPT_MS: u64 = 800 * 24 * 3_600_000;
/// So many that began before a renewal are kept.
const KEPT_MAX: usize = 8_192;

/// Open from the first until before the second of each pair, and closed otherwise.
#[derive(Clone, Default)]
pub struct Hours(Vec<(u64, u64)>);

impl Hours {
    /// The first that is heard of a calendar.
    fn first(until: u64, openings: &[Opening]) -> Hours {
        Hours::of(openings.iter().map(|opening| (opening.from, opening.to.min(until))).collect())
    }

    /// What was known before `from`, and what is said now of the time after it.
    fn renewed(&self, from: u64, until: u64, openings: &[Opening]) -> Hours {
        let mut all: Vec<(u64, u64)> = self.0.iter().copied().filter(|(start, _)| *start < from).collect();
        let too_many = all.len().saturating_sub(KEPT_MAX);
        all.drain(..too_many);
        all.retain(|(_, end)| *end >= from.saturating_sub(KEPT_MS));
        for (_, end) in &mut all {
            *end = from.min(*end);
        }
        all.extend(openings.iter().map(|opening| (opening.from.max(from), opening.to.min(until))));
        Hours::of(all)
    }

    /// In order; what overlaps or touches is one.
    fn of(mut all: Vec<(u64, u64)>) -> Hours {
        all.retain(|(start, end)| start < end);
        all.sort_unstable();
        let mut at = 1;
        while at < all.len() {
            if all[at].0 <= all[at - 1].1 {
                all[at - 1].1 = all[at - 1].1.max(all[at].1);
                all.remove(at);
            } else {
                at += 1;
            }
        }
        Hours(all)
    }

    pub fn is_open(&self, at: u64) -> bool {
        self.0.iter().any(|(start, end)| *start <= at && at < *end)
    }

    /// When it next opens or closes.
    pub fn next_change(&self, after: u64) -> Option<u64> {
        self.0.iter().flat_map(|(start, end)| [*start, *end]).find(|at| *at > after)
    }

    /// When it is next open, from now on.
    fn next_opening(&self, at: u64) -> Option<u64> {
        self.0.iter().find(|(_, end)| *end > at).map(|(start, _)| at.max(*start))
    }

    fn open_ms(&self, from: u64, to: u64) -> u64 {
        self.0.iter().map(|(start, end)| to.min(*end).saturating_sub(from.max(*start))).sum()
    }

    fn after(&self, from: u64, mut open_ms: u64) -> Option<u64> {
        if open_ms == 0 {
            return Some(from);
        }
        for (start, end) in &self.0 {
            let (start, end) = (from.max(*start), *end);
            match end.checked_sub(start) {
                Some(length) if open_ms <= length => return Some(start + open_ms),
                Some(length) => open_ms -= length,
                None => {}
            }
        }
        None
    }
}

/// Open milliseconds between two moments; without a calendar all are.
pub fn open_ms(hours: Option<&Hours>, from: u64, to: u64) -> u64 {
    hours.map_or(to.saturating_sub(from), |hours| hours.open_ms(from, to))
}

/// When so much open time has passed, if ever.
pub fn after(hours: Option<&Hours>, from: u64, open_ms: u64) -> Option<u64> {
    hours.map_or(from.checked_add(open_ms), |hours| hours.after(from, open_ms))
}

impl Step<'_> {
    pub fn expand_calendar(&mut self, calendar: &str, from: u64, until: u64, openings: &[Opening]) -> Verdict {
        if self.workspace.policy.calendars.iter().all(|known| *known.name != *calendar) {
            return Verdict::rejected(Reason::UnknownCalendar);
        }
        if openings.len() > OPENINGS {
            return Verdict::rejected(Reason::TooMany);
        }
        let new = match self.workspace.hours.get(calendar) {
            Some(known) => known.renewed(from, until, openings),
            None => Hours::first(until, openings),
        };
        self.workspace.hours.insert(calendar.to_string(), new);
        let told = self.told.len();
        self.follow_all_hours();
        self.review();
        self.decided_if_told(told)
    }

    /// Calendars have changed, or who has which.
    pub fn follow_all_hours(&mut self) {
        for queue in self.workspace.queue_names.clone() {
            self.follow_queue_hours(&queue);
        }
        for index in 0..self.workspace.agents.len() {
            let agent = &self.workspace.agents[index];
            if !agent.is_removed && (agent.is_off_shift || !agent.config.shifts.is_empty()) {
                let timer = Timer::Agent(index, AgentClock::Shift);
                self.shard.timers.arm(&self.workspace.name, timer, Some(self.now));
            }
        }
    }

    fn follow_queue_hours(&mut self, queue: &str) {
        let control = self.workspace.control_of(queue);
        if self.workspace.is_shut_by_calendar(queue, self.now) != control.shut {
            return self.set_control(queue, control.control, control.until, None, self.now);
        }
        self.rearm_queue(queue, self.now);
    }

    /// His shift begins or ends, or will at another time than before.
    pub fn follow_shift(&mut self, index: usize) {
        let agent = &self.workspace.agents[index];
        if agent.is_removed {
            return;
        }
        let hours = self.workspace.shifts_of(agent);
        let is_off = hours.is_some_and(|hours| !hours.is_open(self.now));
        let next = hours.and_then(|hours| hours.next_change(self.now));
        let before = self.appearance(index);
        self.shard.timers.arm(&self.workspace.name, Timer::Agent(index, AgentClock::Shift), next);
        if self.workspace.agents[index].is_off_shift == is_off {
            return;
        }
        self.workspace.agents[index].is_off_shift = is_off;
        self.agent_moved(index);
        let reason = if is_off { Reason::ShiftEnded } else { Reason::ShiftBegan };
        self.tell_agent(DecisionType::AgentChanged, reason, index);
        if is_off && !before.channels.is_empty() {
            self.stops_working(index, &before);
            self.rounds_may_end(self.rounds_with(index));
        }
        if self.workspace.agents[index].is_online() {
            match is_off {
                true => self.sweep_unstaffed(),
                false => self.sweep_staffed(index),
            }
        }
        self.rearm_agent(index);
    }

    /// When an agent works again. None: he has no shifts, or is inside one.
    pub fn next_shift(&self, agent: &str) -> Option<u64> {
        let agent = self.workspace.agent(agent)?;
        self.workspace.shifts_of(agent)?.next_opening(self.now).filter(|at| *at > self.now)
    }
}
