//! The clocks of a conversation (routing.md §7): which run is a function of its row, so that whatever changes it, they are
//! brought in step afterwards by the same lines. What fires at a share of a target stands here too.

use crate::calendar;
use crate::decision::{DecisionType, Reason, ToldClock, Turn};
use crate::effect::{ClockRow, ClockStatus, Effect, TimerKind};
use crate::input::{EventType, Input};
use crate::policy::{ClockKind, ExitKind};
use crate::state::workspace::BREACH;
use crate::state::{ExitRule, Phase};
use crate::step::{About, Stepping};
use alloc::boxed::Box;
use alloc::vec::Vec;

const KINDS: [ClockKind; 5] = [
    ClockKind::FirstResponse,
    ClockKind::NextResponse,
    ClockKind::Resolution,
    ClockKind::QueueWait,
    ClockKind::ReplyWindow,
];

/// A conversation whose clocks have to follow what this step did to it.
#[derive(Clone, Copy)]
pub(crate) struct Moved {
    pub slot: u32,
    /// What it came to, where it ended.
    pub end: Option<(DecisionType, Reason)>,
}

/// What a clock should run for.
struct Wanted {
    started_at: u64,
    mark: u64,
}

/// A threshold that is next: when, of which clock, at which percent.
type Next = (u64, ClockKind, u16);

impl Stepping<'_> {
    /// Brings the clocks of all that this step changed in step, by creation.
    pub(crate) fn clocks_follow(&mut self) {
        let mut moved = core::mem::take(&mut self.moved);
        moved.sort_unstable_by_key(|m| self.state.conversation(m.slot).number());
        for moved in moved {
            for kind in KINDS {
                self.clock_follows(moved, kind);
            }
            self.rearm_clocks(moved.slot);
        }
    }

    /// The customer waits since then (0: no longer), and whether a person has answered.
    pub(crate) fn awaits(&mut self, slot: u32, since: u64, responded: bool) {
        let row = self.state.conversation(slot);
        let wrote_at = row.wrote_at();
        if (row.unanswered_since(), row.responded()) != (since, responded) {
            self.effect(Effect::Awaits { conversation: slot, since, responded, wrote_at });
        }
    }

    /// The customer wrote: he waits since his oldest unanswered word, and a reply window counts from his last.
    pub(crate) fn customer_awaits(&mut self, slot: u32, at: u64) {
        let row = self.state.conversation(slot);
        let (responded, in_bot) = (row.responded(), row.phase() == Phase::InBot);
        let workspace = self.state.workspace(row.workspace());
        let has_clock = workspace.policy().clocks.iter().any(|clock| clock.kind == ClockKind::ReplyWindow);
        let has_window = has_clock || workspace.channel(row.channel()).is_some_and(|c| c.reply_window_ms > 0);
        let since = match row.unanswered_since() {
            0 if in_bot => 0,
            0 => at,
            since => since,
        };
        let wrote_at = if has_window { at.max(row.wrote_at()) } else { row.wrote_at() };
        if (row.unanswered_since(), row.wrote_at()) != (since, wrote_at) {
            self.effect(Effect::Awaits { conversation: slot, since, responded, wrote_at });
        }
    }

    fn clock_follows(&mut self, moved: Moved, kind: ClockKind) {
        let slot = moved.slot;
        let clock = self.state.clock(slot, kind);
        let target_ms = self.target_ms(slot, kind);
        let wanted = self.wanted(slot, kind);
        match (clock.status, wanted) {
            (ClockStatus::Off, None) => {}
            (ClockStatus::Off, Some(wanted)) if target_ms > 0 => self.start(slot, kind, wanted, target_ms),
            (ClockStatus::Off, Some(_)) => {}
            (_, None) => self.stop(moved, kind, clock),
            (_, Some(_)) if target_ms == 0 => self.cancel(slot, kind, clock, Reason::NoTarget),
            (_, Some(wanted)) if wanted.mark != clock.mark => {
                if kind == ClockKind::QueueWait {
                    self.cancel(slot, kind, clock, Reason::Transfer);
                }
                self.start(slot, kind, wanted, target_ms);
            }
            (_, Some(wanted)) => {
                let before = self.begins_earlier(slot, kind, clock, &wanted);
                let clock = ClockRow { target_ms, ..self.in_hours_of_now(slot, kind, before) };
                if clock != before {
                    self.set(slot, kind, clock);
                }
                if target_ms != before.target_ms || (clock != before && clock.status == ClockStatus::Running) {
                    self.tell_clock(DecisionType::ClockStarted, Reason::Updated, slot, kind, clock, 0);
                }
                self.pause_or_resume(slot, kind);
            }
        }
    }

    /// What a clock of a conversation runs for as it stands now; none: it does not run.
    fn wanted(&self, slot: u32, kind: ClockKind) -> Option<Wanted> {
        let row = self.state.conversation(slot);
        let is_with_people = row.is_open() && row.phase() != Phase::InBot;
        let since = row.unanswered_since();
        let from = |started_at| Some(Wanted { started_at, mark: 0 });
        match kind {
            _ if !is_with_people => None,
            ClockKind::FirstResponse if since != 0 && !row.responded() => from(since),
            ClockKind::NextResponse if since != 0 && row.responded() && !row.live() => from(since),
            ClockKind::Resolution => from(row.began_at()),
            ClockKind::QueueWait if matches!(row.phase(), Phase::Queued | Phase::Offered) => {
                Some(Wanted { started_at: row.queued_at(), mark: u64::from(row.entries()) })
            }
            ClockKind::ReplyWindow if since != 0 && !row.live() && row.wrote_at() != 0 => {
                Some(Wanted { started_at: row.wrote_at(), mark: row.wrote_at() })
            }
            _ => None,
        }
    }

    fn target_ms(&self, slot: u32, kind: ClockKind) -> u64 {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let target_ms = workspace.clock_rule(kind).map_or(0, |r| r.target_ms([row.queue(), row.tier(), row.channel()]));
        match kind {
            ClockKind::ReplyWindow if target_ms == 0 => {
                workspace.channel(row.channel()).map_or(0, |c| c.reply_window_ms)
            }
            _ => target_ms,
        }
    }

    /// What keeps a clock from counting, beside its calendar.
    fn pause_of(&self, slot: u32, kind: ClockKind) -> Option<Reason> {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let pauses = workspace.clock_rule(kind).map(|rule| rule.pauses).unwrap_or_default();
        let desk = workspace.desk(row.queue());
        match row.phase() {
            Phase::Snoozed if pauses.snoozed => Some(Reason::Snoozed),
            Phase::Parked if pauses.parked => Some(Reason::Parked),
            // Its calendar is arithmetic; a command is not.
            _ if kind == ClockKind::QueueWait && desk.is_closed_by_command() && !desk.is_draining() => {
                Some(Reason::Closed)
            }
            Phase::Assigned | Phase::Snoozed if pauses.theirs && row.turn() == Turn::Theirs => Some(Reason::Theirs),
            _ => None,
        }
    }

    /// What it has counted so far stays as it was counted, and from now on it counts in the hours that are its own now.
    fn in_hours_of_now(&self, slot: u32, kind: ClockKind, clock: ClockRow) -> ClockRow {
        let row = self.state.conversation(slot);
        let calendar = self.state.workspace(row.workspace()).calendar_of(kind, row.queue());
        match clock.status {
            _ if calendar == clock.calendar => clock,
            ClockStatus::Running => {
                let turned_at = self.queue_turned_at.filter(|_| kind == ClockKind::QueueWait);
                let at = turned_at.unwrap_or(self.now).max(clock.since).min(self.now);
                ClockRow { counted_ms: self.business_ms(slot, &clock, at), since: at, calendar, ..clock }
            }
            _ => ClockRow { calendar, ..clock },
        }
    }

    /// A merge found an older contact that nobody has answered.
    fn begins_earlier(&mut self, slot: u32, kind: ClockKind, clock: ClockRow, wanted: &Wanted) -> ClockRow {
        let is_response = matches!(kind, ClockKind::FirstResponse | ClockKind::NextResponse);
        if !is_response || wanted.started_at >= clock.started_at {
            return clock;
        }
        let is_first_stretch = clock.since == clock.started_at && clock.status == ClockStatus::Running;
        let clock = match is_first_stretch {
            true => ClockRow { started_at: wanted.started_at, since: wanted.started_at, ..clock },
            false => {
                let openings = self.openings(slot, &clock);
                let before_ms = calendar::business_between(openings, wanted.started_at, clock.started_at);
                ClockRow { started_at: wanted.started_at, counted_ms: clock.counted_ms + before_ms, ..clock }
            }
        };
        self.set(slot, kind, clock);
        self.tell_clock(DecisionType::ClockStarted, Reason::Updated, slot, kind, clock, 0);
        clock
    }

    fn start(&mut self, slot: u32, kind: ClockKind, wanted: Wanted, target_ms: u64) {
        let (before, row) = (self.state.clock(slot, kind), self.state.conversation(slot));
        let hours = self.state.workspace(row.workspace()).calendar_of(kind, row.queue());
        // An answer that did not arrive: the clock that it stopped goes on.
        let is_answered = !matches!(kind, ClockKind::Resolution | ClockKind::QueueWait);
        let is_same = (before.started_at, before.mark) == (wanted.started_at, wanted.mark);
        let is_over = before.status == ClockStatus::Off && before.generation > 0;
        let is_failed = self.is_status() && is_answered && is_same && is_over;
        // What has fired stays fired, also where it had no target for a while: else two clocks that send it to each other's
        // queue would do so for ever.
        let goes_on = is_same && is_over;
        let reason = match kind {
            _ if is_failed => Reason::Failed,
            ClockKind::ReplyWindow if before.status != ClockStatus::Off => Reason::Message,
            _ => Reason::Started,
        };
        let clock = ClockRow {
            status: ClockStatus::Running,
            generation: before.generation + 1,
            started_at: wanted.started_at,
            since: if is_failed { before.since } else { wanted.started_at },
            counted_ms: if is_failed { before.counted_ms } else { 0 },
            target_ms,
            fired: if goes_on { before.fired } else { 0 },
            fired_at: if goes_on { before.fired_at } else { 0 },
            mark: wanted.mark,
            calendar: if is_failed { before.calendar } else { hours },
        };
        let clock = self.in_hours_of_now(slot, kind, clock);
        self.set(slot, kind, clock);
        self.tell_clock(DecisionType::ClockStarted, reason, slot, kind, clock, 0);
        self.pause_or_resume(slot, kind);
    }

    fn pause_or_resume(&mut self, slot: u32, kind: ClockKind) {
        let clock = self.state.clock(slot, kind);
        let pause = self.pause_of(slot, kind);
        let at = self.at_fact(kind, &clock);
        match (clock.status, pause) {
            (ClockStatus::Running, Some(reason)) => {
                let clock = self.passes_until(slot, kind, clock, at);
                let counted_ms = self.business_ms(slot, &clock, at);
                let clock = ClockRow { status: ClockStatus::Paused, since: at, counted_ms, ..clock };
                self.set(slot, kind, clock);
                self.tell_clock(DecisionType::ClockPaused, reason, slot, kind, clock, 0);
            }
            (ClockStatus::Paused, None) => {
                let clock = ClockRow { status: ClockStatus::Running, since: at, ..clock };
                self.set(slot, kind, clock);
                self.tell_clock(DecisionType::ClockResumed, Reason::None, slot, kind, clock, 0);
            }
            _ => {}
        }
    }

    /// It is no longer wanted: what it measured is reached, or will not be.
    fn stop(&mut self, moved: Moved, kind: ClockKind, clock: ClockRow) {
        let row = self.state.conversation(moved.slot);
        let is_reached = match (kind, moved.end) {
            (ClockKind::Resolution, Some((DecisionType::ConversationResolved, reason))) => {
                !matches!(reason, Reason::Missed | Reason::Contained)
            }
            (ClockKind::Resolution, Some((DecisionType::ConversationClosed, Reason::Closed))) => row.touched(),
            (_, Some(_)) => false,
            (ClockKind::QueueWait, None) => row.phase() == Phase::Assigned,
            (_, None) => row.is_open() && row.unanswered_since() == 0,
        };
        if is_reached {
            return self.complete(moved.slot, kind, clock);
        }
        let reason = match (moved.end, row.phase()) {
            (Some((DecisionType::ConversationResolved, Reason::Missed)), _) => Reason::Missed,
            (Some((DecisionType::ConversationResolved, _)), _) => Reason::Resolved,
            (Some((_, reason)), _) => reason,
            // What went out before did not arrive, so there was no first response yet.
            (None, _) if kind == ClockKind::NextResponse && row.is_open() => Reason::Failed,
            (None, Phase::Snoozed) => Reason::Snoozed,
            (None, Phase::Parked) => Reason::Parked,
            (None, Phase::Resolved) => Reason::Merged,
            (None, _) => Reason::Transfer,
        };
        self.cancel(moved.slot, kind, clock, reason);
    }

    fn complete(&mut self, slot: u32, kind: ClockKind, clock: ClockRow) {
        let at = self.at_fact(kind, &clock);
        let clock = self.passes_until(slot, kind, clock, at);
        let told = self.told_clock(slot, kind, &clock, at, 0);
        // A breach stays one, whatever the target is by now.
        let is_met = told.over_ms == 0 && clock.fired < BREACH;
        let reason = if is_met { Reason::Met } else { Reason::Missed };
        // A pause is over with it: should it go on, because the answer did not arrive, it counts from here.
        let since = if clock.status == ClockStatus::Paused { at } else { clock.since };
        self.set(slot, kind, ClockRow { status: ClockStatus::Off, since, ..clock });
        let agent = self.credited(slot, kind);
        let about = About { conversation: Some(slot), agent, clock: Some(told), ..About::default() };
        self.tell(DecisionType::ClockCompleted, reason, about);
    }

    /// What has passed by the time at which a clock stops is told first, where its timer has not come up yet: of several
    /// that are due at one moment another may have stopped it. There is nothing left to act on.
    fn passes_until(&mut self, slot: u32, kind: ClockKind, mut clock: ClockRow, at: u64) -> ClockRow {
        while let Some((_, percent)) = self.next_of(slot, kind, &clock).filter(|(due, _)| *due <= at) {
            clock = self.fires(slot, kind, clock, percent, false);
        }
        clock
    }

    /// Whose work it was that a clock was met or missed by: who replied, else who owns it.
    fn credited(&self, slot: u32, kind: ClockKind) -> Option<u32> {
        let row = self.state.conversation(slot);
        let agent = match kind {
            ClockKind::FirstResponse | ClockKind::NextResponse | ClockKind::ReplyWindow => {
                self.replied_by.or(row.owner())
            }
            ClockKind::QueueWait => row.owner(),
            ClockKind::Resolution => row.last_owner(),
        };
        agent.filter(|agent| !self.state.agent(*agent).is_removed())
    }

    fn cancel(&mut self, slot: u32, kind: ClockKind, mut clock: ClockRow, reason: Reason) {
        if reason != Reason::NoTarget {
            clock = self.passes_until(slot, kind, clock, self.now);
        }
        let told = self.told_clock(slot, kind, &clock, self.now, 0);
        self.set(slot, kind, ClockRow { status: ClockStatus::Off, ..clock });
        self.tell_of_clock(DecisionType::ClockCancelled, reason, slot, told);
    }

    fn set(&mut self, slot: u32, kind: ClockKind, row: ClockRow) {
        self.effect(Effect::ClockSet { conversation: slot, clock: kind, row });
    }

    /// The time at which a clock is changed: a fact's own, or that of its queue's turning, but not before what the clock has
    /// already said.
    fn at_fact(&self, kind: ClockKind, clock: &ClockRow) -> u64 {
        let earliest = clock.started_at.max(clock.since).max(clock.fired_at).min(self.now);
        let turned_at = self.queue_turned_at.filter(|_| kind == ClockKind::QueueWait);
        turned_at.or(self.fact_at).map_or(self.now, |at| at.clamp(earliest, self.now))
    }

    fn business_ms(&self, slot: u32, clock: &ClockRow, at: u64) -> u64 {
        match clock.status {
            ClockStatus::Running => {
                clock.counted_ms + calendar::business_between(self.openings(slot, clock), clock.since, at)
            }
            _ => clock.counted_ms,
        }
    }

    fn openings(&self, slot: u32, clock: &ClockRow) -> Option<&calendar::Openings> {
        self.state.workspace(self.state.conversation(slot).workspace()).openings(clock.calendar)
    }

    fn told_clock(&self, slot: u32, kind: ClockKind, clock: &ClockRow, at: u64, percent: u16) -> ToldClock {
        let business_ms = self.business_ms(slot, clock, at);
        let due = match clock.status {
            ClockStatus::Running => {
                let left = clock.target_ms.saturating_sub(clock.counted_ms);
                calendar::reached(self.openings(slot, clock), clock.since, left).unwrap_or(0)
            }
            _ => 0,
        };
        ToldClock {
            clock: kind,
            generation: clock.generation,
            started_at: clock.started_at,
            target_ms: clock.target_ms,
            due,
            percent,
            wall_ms: at.saturating_sub(clock.started_at),
            business_ms,
            over_ms: business_ms.saturating_sub(clock.target_ms),
        }
    }

    fn tell_clock(
        &mut self,
        decision: DecisionType,
        reason: Reason,
        slot: u32,
        kind: ClockKind,
        clock: ClockRow,
        percent: u16,
    ) {
        let told = self.told_clock(slot, kind, &clock, self.now, percent);
        self.tell_of_clock(decision, reason, slot, told);
    }

    fn tell_of_clock(&mut self, decision: DecisionType, reason: Reason, slot: u32, clock: ToldClock) {
        self.tell(decision, reason, About { conversation: Some(slot), clock: Some(clock), ..About::default() });
    }

    /// Arms a conversation's timer for the next threshold of its clocks.
    pub(crate) fn rearm_clocks(&mut self, slot: u32) {
        if self.state.texts(slot).clocks.is_empty() {
            return;
        }
        let is_open = self.state.conversation(slot).is_open();
        let next = self.next_threshold(slot).filter(|_| is_open);
        self.arm(TimerKind::Clock, slot, next.map_or(0, |(at, ..)| at));
    }

    /// The first by time, then in the order of the kinds.
    fn next_threshold(&self, slot: u32) -> Option<Next> {
        let next = |kind: ClockKind| {
            let (at, percent) = self.next_of(slot, kind, &self.state.clock(slot, kind))?;
            Some((at, kind, percent))
        };
        KINDS.into_iter().filter_map(next).min_by_key(|(at, ..)| *at)
    }

    /// When a clock's next threshold comes, and at which percent. While it stands still only what it has passed already
    /// comes, because its target has shrunk.
    fn next_of(&self, slot: u32, kind: ClockKind, clock: &ClockRow) -> Option<(u64, u16)> {
        let row = self.state.conversation(slot);
        let rule = self.state.workspace(row.workspace()).clock_rule(kind)?;
        let percent = rule.next_threshold(clock.fired)?;
        let share = (u128::from(clock.target_ms) * u128::from(percent) / 100) as u64;
        let openings = self.openings(slot, clock);
        let is_passed = clock.counted_ms > share || (clock.counted_ms == share && percent < BREACH);
        let at = match clock.status {
            ClockStatus::Off => None,
            _ if is_passed => Some(clock.since),
            ClockStatus::Paused => None,
            ClockStatus::Running if percent < BREACH => {
                calendar::reached(openings, clock.since, share - clock.counted_ms)
            }
            ClockStatus::Running => calendar::passed(openings, clock.since, share - clock.counted_ms),
        };
        at.map(|at| (at, percent))
    }

    /// The next threshold of a conversation's clocks has come: all that stands at that percent.
    pub(crate) fn clock_is_due(&mut self, slot: u32) {
        self.arm(TimerKind::Clock, slot, 0);
        if let Some((_, kind, percent)) = self.next_threshold(slot).filter(|(at, ..)| *at <= self.now) {
            self.fires(slot, kind, self.state.clock(slot, kind), percent, true);
        }
        if self.state.conversation(slot).is_open() {
            self.rearm_clocks(slot);
        }
    }

    /// Tells what stands at a percent, and does it where it still `acts`.
    fn fires(&mut self, slot: u32, kind: ClockKind, clock: ClockRow, percent: u16, acts: bool) -> ClockRow {
        let clock = ClockRow { fired: percent, fired_at: self.now, ..clock };
        self.set(slot, kind, clock);
        let row = self.state.conversation(slot);
        let Some(rule) = self.state.workspace(row.workspace()).clock_rule(kind) else { return clock };
        let warns = rule.warns.contains(&percent);
        let levels = rule.levels.iter().enumerate().filter(|(_, l)| l.percent == percent).map(|(place, _)| place);
        let levels: Vec<usize> = levels.collect();
        if warns {
            self.tell_clock(DecisionType::ClockWarned, Reason::None, slot, kind, clock, percent);
        }
        if percent == BREACH {
            self.tell_clock(DecisionType::ClockBreached, Reason::None, slot, kind, clock, percent);
        }
        for level in levels {
            if !acts {
                self.level_told(slot, kind, clock, level);
            } else if self.state.conversation(slot).is_open() {
                self.level_fires(slot, kind, clock, level);
            }
        }
        clock
    }

    fn level_told(&mut self, slot: u32, kind: ClockKind, clock: ClockRow, level: usize) {
        let ws = self.state.conversation(slot).workspace();
        let Some(level) = self.state.workspace(ws).clock_rule(kind).and_then(|rule| rule.levels.get(level)) else {
            return;
        };
        let (number, notify, percent) = (level.number, level.notify.clone(), level.percent);
        let told = self.told_clock(slot, kind, &clock, self.now, percent);
        let about = About { conversation: Some(slot), number, clock: Some(told), ..About::default() };
        self.tell(DecisionType::ConversationEscalated, Reason::Clock, about);
        self.notify_named(slot, ws, &notify);
    }

    /// What a level of a clock says, in the order of its fields. Each leaves alone what is no longer as it expects.
    fn level_fires(&mut self, slot: u32, kind: ClockKind, clock: ClockRow, level: usize) {
        let row = self.state.conversation(slot);
        let ws = row.workspace();
        let Some(level) = self.state.workspace(ws).clock_rule(kind).and_then(|rule| rule.levels.get(level)) else {
            return;
        };
        let (percent, number, priority, relax) = (level.percent, level.number, level.priority, level.relax);
        let (reassign, queue, escalate, notify) = (level.reassign, level.queue, level.escalate, level.notify.clone());
        self.budget = self.budget.saturating_sub(1);
        let rung = self.rung(slot, escalate);
        if let Some(rung) = &rung {
            self.raise(slot, rung);
        }
        if priority > self.state.conversation(slot).priority() {
            self.mark(slot, |m| m.priority = priority);
        }
        self.stands_otherwise(slot);
        let told = self.told_clock(slot, kind, &clock, self.now, percent);
        let about = About { conversation: Some(slot), number, clock: Some(told), ..About::default() };
        self.tell(DecisionType::ConversationEscalated, Reason::Clock, about);
        self.rearm_wait(slot);
        self.notify_named(slot, ws, &notify);
        if relax && self.state.conversation(slot).phase() == Phase::Queued && !self.take_step(slot) {
            self.rearm_wait(slot);
        }
        if reassign {
            self.reassign(slot);
        }
        if let Some(queue) = queue.filter(|queue| self.state.workspace(ws).queue(*queue).is_some()) {
            self.overflow_to(slot, queue);
        }
        if let Some(rung) = rung.filter(|_| self.state.conversation(slot).is_open()) {
            self.climb(slot, &rung);
        }
    }

    /// Agents by their names in the policy.
    pub(crate) fn notify_named(&mut self, slot: u32, ws: u32, names: &[Box<str>]) {
        let (key, workspace) = (self.state.key(), self.state.workspace(ws).name());
        let agents: Vec<_> = names.iter().map(|name| key.id(crate::id::Kind::Agent, workspace, name)).collect();
        self.notify(slot, &agents, Reason::Escalated);
    }

    /// One that waits goes to another queue.
    fn overflow_to(&mut self, slot: u32, queue: u32) {
        let row = self.state.conversation(slot);
        if !matches!(row.phase(), Phase::Queued | Phase::Offered) || row.queue() == queue {
            return;
        }
        self.withdraw(slot, Reason::Rescinded);
        let exit = ExitRule { kind: ExitKind::Queue, queue, ..ExitRule::default() };
        self.leave_by(slot, &exit, Reason::Overflow);
    }

    fn is_status(&self) -> bool {
        self.fact_at.is_some() && self.cause_type() == Some(EventType::MessageStatus)
    }

    /// Clocks that a fact changes are changed at its own time.
    pub(crate) fn fact_time(&self, input: &Input) -> Option<u64> {
        let is_fact = matches!(
            input.event_type,
            EventType::MessageReceived
                | EventType::MessageSent
                | EventType::MessageStatus
                | EventType::ContactStarted
                | EventType::ContactConnected
                | EventType::ContactEnded
        );
        is_fact.then(|| self.event_time(input))
    }

    /// Notes a conversation whose clocks have to follow, once.
    pub(crate) fn clocks_move(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let has_clocks = !self.state.texts(slot).clocks.is_empty() || workspace.has_clocks() || row.wrote_at() != 0;
        if has_clocks && !self.moved.iter().rev().any(|m| m.slot == slot) {
            self.moved.push(Moved { slot, end: None });
        }
    }

    /// What a conversation ended as.
    pub(crate) fn note_end(&mut self, slot: u32, decision: DecisionType, reason: Reason) {
        let is_end = matches!(
            decision,
            DecisionType::ConversationResolved
                | DecisionType::ConversationClosed
                | DecisionType::ConversationAbandoned
                | DecisionType::ConversationDeflected
        );
        if let Some(moved) = self.moved.iter_mut().rev().find(|m| is_end && m.slot == slot) {
            moved.end = Some((decision, reason));
        }
    }
}

/// The conversation that an effect may change the clocks of.
pub(crate) fn moved_by(effect: &Effect) -> Option<u32> {
    match effect {
        Effect::Queued { conversation, .. }
        | Effect::Assigned { conversation, .. }
        | Effect::Unassigned { conversation }
        | Effect::Resolved { conversation, .. }
        | Effect::Reopened { conversation, .. }
        | Effect::Ended { conversation, .. }
        | Effect::Turned { conversation, .. }
        | Effect::Snoozed { conversation }
        | Effect::Woken { conversation }
        | Effect::Parked { conversation, .. }
        | Effect::Marked { conversation, .. }
        | Effect::Awaits { conversation, .. } => Some(*conversation),
        Effect::Merged { from, .. } => Some(*from),
        _ => None,
    }
}
