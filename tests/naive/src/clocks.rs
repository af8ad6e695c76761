//! Service clocks (routing.md §7): what a conversation is measured by, when that is missed, and what is done about it.
//!
//! Which clocks run follows from the conversation as it stands after each input, timer, assignment and slice.

use crate::calendars::{Hours, after, open_ms};
use crate::conversation::Conversation;
use crate::telling::Step;
use crate::timers::{Clock, Timer};
use crate::workspace::Workspace;
use engine::decision::{DecisionType, PhaseWord, Reason, ToldClock, ToldDetail, Turn};
use engine::input::{ActorKind, Control, EventType};
use engine::policy::{self, ClockKind, ClockLevel, PauseOn};

const ALL: [ClockKind; 5] = [
    ClockKind::FirstResponse,
    ClockKind::NextResponse,
    ClockKind::Resolution,
    ClockKind::QueueWait,
    ClockKind::ReplyWindow,
];
/// Percent of the target at which it is missed.
const BREACH: u16 = 100;
/// Percent at which a channel's reply window warns of which the policy says nothing.
const WINDOW_WARNS: u16 = 75;

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Gait {
    #[default]
    Off,
    Runs,
    Stands,
}

/// One of a conversation's clocks, as it is or was last.
#[derive(Clone, Copy, Default)]
pub struct ServiceClock {
    gait: Gait,
    generation: u32,
    started_at: u64,
    /// Runs: from when on it counts beyond `counted_ms`.
    since: u64,
    counted_ms: u64,
    target_ms: u64,
    /// The highest percent that has fired, and when.
    fired: u16,
    fired_at: u64,
    cause: Cause,
}

/// What it was started for: another one is another clock.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Cause {
    #[default]
    Same,
    Entry(u32),
    Message(u64),
}

/// All that the clocks of a conversation hang on, beside the policy.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    phase: PhaseWord,
    turn: Turn,
    queue: String,
    tier: Option<String>,
    waits_since: Option<u64>,
    responded: bool,
    wrote_at: Option<u64>,
    began_at: u64,
    entries: u32,
}

impl Conversation {
    fn facts(&self) -> Facts {
        // An offer changes nothing for the customer.
        let phase = if self.waits() { PhaseWord::Queued } else { self.phase };
        Facts {
            phase,
            turn: self.turn,
            queue: self.queue.clone(),
            tier: self.tier.clone(),
            waits_since: self.waits_since,
            responded: self.responded,
            wrote_at: self.wrote_at,
            began_at: self.began_at,
            entries: self.entries,
        }
    }

    /// A person has answered, or none has since somebody wrote.
    pub fn set_waits(&mut self, since: Option<u64>, responded: bool) {
        if let (None, Some(before)) = (since, self.waits_since) {
            self.before_answer = Some((before, self.responded));
        }
        self.waits_since = since;
        self.responded = responded;
        self.is_touched |= since.is_none() && responded;
    }

    /// Since when a clock of this kind would run, and for what; none: it does not.
    fn wanted(&self, kind: ClockKind) -> Option<(u64, Cause)> {
        if matches!(self.phase, PhaseWord::Resolved | PhaseWord::InBot) {
            return None;
        }
        match kind {
            ClockKind::FirstResponse if !self.responded => self.waits_since.map(|since| (since, Cause::Same)),
            ClockKind::NextResponse if self.responded && !self.live => {
                self.waits_since.map(|since| (since, Cause::Same))
            }
            ClockKind::Resolution => Some((self.began_at, Cause::Same)),
            ClockKind::QueueWait if self.waits() => Some((self.queued_at, Cause::Entry(self.entries))),
            ClockKind::ReplyWindow if self.waits_since.is_some() && !self.live => {
                self.wrote_at.map(|at| (at, Cause::Message(at)))
            }
            _ => None,
        }
    }
}

impl Workspace {
    /// What the policy says of a kind of clocks.
    fn clock(&self, kind: ClockKind) -> Option<policy::Clock> {
        let configured = self.policy.clocks.iter().find(|clock| clock.kind == kind).cloned();
        let usual = policy::Clock { kind, warn_percent: vec![WINDOW_WARNS], ..policy::Clock::default() };
        configured.or((kind == ClockKind::ReplyWindow).then_some(usual))
    }

    fn target_ms(&self, about: &Conversation, kind: ClockKind) -> Option<u64> {
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        let tier = about.tier.as_deref().unwrap_or("");
        let configured = self.clock(kind).map_or(0, |clock| {
            let mut targets = clock.targets.iter();
            let first = targets.find(|target| {
                fits(&target.queue, &about.queue) && fits(&target.tier, tier) && fits(&target.channel, &about.channel)
            });
            first.map_or(clock.target_ms, |target| target.target_ms)
        });
        let window_ms = self.channel_ever(&about.channel).map_or(0, |channel| channel.reply_window_ms);
        let target_ms = match kind {
            ClockKind::ReplyWindow if configured == 0 => window_ms,
            _ => configured,
        };
        (target_ms > 0).then_some(target_ms)
    }

    /// The hours in which it counts; none: always.
    fn hours_of(&self, about: &Conversation, kind: ClockKind) -> Option<&Hours> {
        self.hours.get(&about.counts_in[kind as usize])
    }

    /// The name of the calendar in which it counts from now on; empty: always.
    fn hours_now(&self, about: &Conversation, kind: ClockKind) -> String {
        let Some(clock) = self.clock(kind) else { return String::new() };
        let control = self.control_of(&about.queue);
        let is_served = self.is_closed(&about.queue).is_none() || control.is_draining;
        let name = match &*clock.calendar {
            _ if kind == ClockKind::ReplyWindow => "",
            policy::ALWAYS => "",
            // Somebody has opened it, or it serves on after its hours.
            "" if kind == ClockKind::QueueWait && control.shut && is_served => "",
            "" => self.queue(&about.queue).map_or("", |queue| &*queue.calendar),
            named => named,
        };
        name.to_string()
    }

    fn stands_for(&self, about: &Conversation, kind: ClockKind) -> Option<Reason> {
        let usual = if kind == ClockKind::Resolution { vec![PauseOn::Snoozed, PauseOn::Parked] } else { Vec::new() };
        let pauses = self.clock(kind).map_or(Vec::new(), |clock| clock.pause_on.unwrap_or(usual));
        let control = self.control_of(&about.queue);
        let is_commanded = matches!(control.control, Control::Closed | Control::Emergency);
        if about.phase == PhaseWord::Snoozed && pauses.contains(&PauseOn::Snoozed) {
            Some(Reason::Snoozed)
        } else if about.phase == PhaseWord::Parked && pauses.contains(&PauseOn::Parked) {
            Some(Reason::Parked)
        } else if kind == ClockKind::QueueWait && is_commanded && !control.is_draining {
            Some(Reason::Closed)
        } else if matches!(about.phase, PhaseWord::Assigned | PhaseWord::Snoozed)
            && about.turn == Turn::Theirs
            && pauses.contains(&PauseOn::Theirs)
        {
            Some(Reason::Theirs)
        } else {
            None
        }
    }

    fn business_ms(&self, about: &Conversation, kind: ClockKind, clock: &ServiceClock, at: u64) -> u64 {
        let running = match clock.gait {
            Gait::Runs => open_ms(self.hours_of(about, kind), clock.since, at),
            Gait::Stands | Gait::Off => 0,
        };
        clock.counted_ms + running
    }

    /// When the next percent of it comes.
    fn next_of(&self, about: &Conversation, kind: ClockKind) -> Option<(u64, u16)> {
        let clock = about.clocks[kind as usize];
        let configured = self.clock(kind).filter(|_| clock.gait != Gait::Off)?;
        let of_levels = configured.levels.iter().map(|level| level.percent);
        let all = of_levels.chain(configured.warn_percent.iter().copied()).chain([BREACH]);
        let percent = all.filter(|percent| *percent > clock.fired).min()?;
        let share_ms = clock.target_ms * u64::from(percent) / 100;
        // A warning at its share, a breach a millisecond of business time beyond.
        let wanted_ms = share_ms + u64::from(percent >= BREACH);
        if wanted_ms <= clock.counted_ms {
            return Some((clock.since, percent));
        }
        if clock.gait == Gait::Stands {
            return None;
        }
        let left_ms = wanted_ms - clock.counted_ms;
        after(self.hours_of(about, kind), clock.since, left_ms).map(|at| (at, percent))
    }
}

impl Step<'_> {
    /// A customer's message at this time: he waits since then, if he did not already.
    pub fn customer_awaits(&mut self, id: &str) {
        let at = self.event_time();
        let has_clock = self.workspace.policy.clocks.iter().any(|clock| clock.kind == ClockKind::ReplyWindow);
        let has_window = has_clock || self.channel_of(id).is_some_and(|channel| channel.reply_window_ms > 0);
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        if conversation.phase != PhaseWord::InBot {
            let since = conversation.waits_since.unwrap_or(at);
            conversation.waits_since = Some(since);
        }
        if has_window {
            conversation.wrote_at = conversation.wrote_at.max(Some(at));
        }
    }

    /// Is looked at whatever has become of it.
    pub fn minds_clocks(&mut self, id: &str) {
        if let Some(conversation) = self.workspace.conversations.get(id) {
            self.workspace.reviewed.insert(conversation.creation, id.to_string());
        }
    }

    /// Brings in step the clocks of all conversations of which something has changed, by creation.
    pub fn follow_clocks(&mut self) {
        let forced = std::mem::take(&mut self.workspace.reviewed);
        let mut all = self.workspace.conversations.take_touched();
        all.extend(forced.clone());
        for (creation, id) in all {
            let Some(about) = self.workspace.numbered(creation, &id) else { continue };
            let facts = Some(about.facts());
            if about.in_step == facts && !forced.contains_key(&creation) {
                continue;
            }
            for kind in ALL {
                self.follow_clock(creation, &id, kind);
            }
            let is_there = self.workspace.conversations.get(&id).is_some_and(|about| about.creation == creation);
            if is_there && let Some(conversation) = self.workspace.conversations.get_mut(&id) {
                conversation.in_step = facts;
                self.rearm_clocks(&id);
            }
        }
        self.workspace.conversations.take_touched();
        self.workspace.departed.clear();
        self.ends.clear();
    }

    fn follow_clock(&mut self, creation: u64, id: &str, kind: ClockKind) {
        let Some(about) = self.workspace.numbered(creation, id) else { return };
        let clock = about.clocks[kind as usize];
        let target_ms = self.workspace.target_ms(about, kind);
        match (clock.gait, about.wanted(kind), target_ms) {
            (Gait::Off, Some((since, cause)), Some(target_ms)) => {
                let is_undone = self.input.is_some_and(|input| input.event_type == EventType::MessageStatus)
                    && self.fact_at.is_some()
                    && !matches!(kind, ClockKind::QueueWait | ClockKind::Resolution)
                    && clock.generation > 0
                    && (clock.started_at, clock.cause) == (since, cause);
                let reason = if is_undone { Reason::Failed } else { Reason::Started };
                self.start_clock(creation, id, kind, (since, cause), target_ms, reason);
            }
            (Gait::Off, ..) => {}
            (_, None, _) => self.stop_clock(creation, id, kind),
            (_, Some(_), None) => self.cancel_clock(creation, id, kind, Reason::NoTarget),
            (_, Some((since, cause)), Some(target_ms)) if cause != clock.cause => {
                if kind == ClockKind::QueueWait {
                    self.cancel_clock(creation, id, kind, Reason::Transfer);
                }
                let reason = if kind == ClockKind::QueueWait { Reason::Started } else { Reason::Message };
                self.start_clock(creation, id, kind, (since, cause), target_ms, reason);
            }
            (_, Some((since, _)), Some(target_ms)) => {
                self.begin_earlier(creation, id, kind, since);
                let Some(clock) = self.clock_of(creation, id, kind) else { return };
                let counts_otherwise = self.counts_on(creation, id, kind) && clock.gait == Gait::Runs;
                let Some(clock) = self.clock_of(creation, id, kind) else { return };
                self.set_clock(creation, id, kind, ServiceClock { target_ms, ..clock });
                if target_ms != clock.target_ms || counts_otherwise {
                    self.tell_clock(DecisionType::ClockStarted, Reason::Updated, creation, id, kind, 0);
                }
                self.pause_or_resume(creation, id, kind);
            }
        }
    }

    fn start_clock(
        &mut self,
        creation: u64,
        id: &str,
        kind: ClockKind,
        (since, cause): (u64, Cause),
        target_ms: u64,
        reason: Reason,
    ) {
        let Some(before) = self.clock_of(creation, id, kind) else { return };
        // For the same cause again, after a failed delivery or a queue in which it had no target: what has fired has fired.
        let is_known = before.gait == Gait::Off && before.generation > 0;
        let goes_on = is_known && (before.started_at, before.cause) == (since, cause);
        let (fired, fired_at) = if goes_on { (before.fired, before.fired_at) } else { (0, 0) };
        let generation = before.generation + 1;
        let gait = Gait::Runs;
        let new = ServiceClock {
            gait,
            generation,
            started_at: since,
            since: if reason == Reason::Failed { before.since } else { since },
            counted_ms: if reason == Reason::Failed { before.counted_ms } else { 0 },
            target_ms,
            fired,
            fired_at,
            cause,
        };
        self.set_clock(creation, id, kind, new);
        if reason == Reason::Failed {
            self.counts_on(creation, id, kind);
        } else if let Some(about) = self.workspace.numbered(creation, id) {
            let hours = self.workspace.hours_now(about, kind);
            self.set_hours(creation, id, kind, hours);
        }
        self.tell_clock(DecisionType::ClockStarted, reason, creation, id, kind, 0);
        self.pause_or_resume(creation, id, kind);
    }

    /// What it has counted it keeps; from now on other hours may be its own. Returns whether they are.
    fn counts_on(&mut self, creation: u64, id: &str, kind: ClockKind) -> bool {
        let Some(about) = self.workspace.numbered(creation, id) else { return false };
        let (clock, hours) = (about.clocks[kind as usize], self.workspace.hours_now(about, kind));
        let changes = about.counts_in[kind as usize] != hours;
        if changes && clock.gait == Gait::Runs {
            let of_queue = self.queue_turned_at.filter(|_| kind == ClockKind::QueueWait);
            let since = of_queue.unwrap_or(self.now).max(clock.since).min(self.now);
            let counted_ms = self.workspace.business_ms(about, kind, &clock, since);
            self.set_clock(creation, id, kind, ServiceClock { counted_ms, since, ..clock });
        }
        self.set_hours(creation, id, kind, hours);
        changes
    }

    fn set_hours(&mut self, creation: u64, id: &str, kind: ClockKind, hours: String) {
        if let Some(gone) = self.workspace.departed.get_mut(&creation) {
            gone.counts_in[kind as usize] = hours;
        } else if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.counts_in[kind as usize] = hours;
        }
    }

    fn pause_or_resume(&mut self, creation: u64, id: &str, kind: ClockKind) {
        let Some(about) = self.workspace.numbered(creation, id) else { return };
        let clock = about.clocks[kind as usize];
        let since = self.time_of_fact(kind, &clock);
        match (clock.gait, self.workspace.stands_for(about, kind)) {
            (Gait::Runs, Some(reason)) => {
                self.tell_what_passed(creation, id, kind, since);
                let Some(about) = self.workspace.numbered(creation, id) else { return };
                let clock = about.clocks[kind as usize];
                let counted_ms = self.workspace.business_ms(about, kind, &clock, since);
                let stands = ServiceClock { gait: Gait::Stands, since, counted_ms, ..clock };
                self.set_clock(creation, id, kind, stands);
                self.tell_clock(DecisionType::ClockPaused, reason, creation, id, kind, 0);
            }
            (Gait::Stands, None) => {
                self.set_clock(creation, id, kind, ServiceClock { gait: Gait::Runs, since, ..clock });
                self.tell_clock(DecisionType::ClockResumed, Reason::None, creation, id, kind, 0);
            }
            _ => {}
        }
    }

    /// It runs for nothing any more.
    fn stop_clock(&mut self, creation: u64, id: &str, kind: ClockKind) {
        let Some(about) = self.workspace.numbered(creation, id) else { return };
        let end = self.ends.get(&creation).copied();
        let reason = match end {
            Some((DecisionType::ConversationResolved, Reason::Missed)) => Reason::Missed,
            Some((DecisionType::ConversationResolved, Reason::Contained)) => Reason::Resolved,
            Some((DecisionType::ConversationResolved, _)) if kind == ClockKind::Resolution => Reason::None,
            Some((DecisionType::ConversationResolved, _)) => Reason::Resolved,
            Some((DecisionType::ConversationClosed, Reason::Closed))
                if kind == ClockKind::Resolution && about.is_touched =>
            {
                Reason::None
            }
            Some((_, reason)) => reason,
            None if about.is_resolved() => Reason::Merged,
            None => match (kind, about.phase) {
                (ClockKind::QueueWait, PhaseWord::Snoozed) => Reason::Snoozed,
                (ClockKind::QueueWait, PhaseWord::Parked) => Reason::Parked,
                // The answer before did not arrive, so the first is still to come.
                (ClockKind::NextResponse, _) if about.waits_since.is_some() => Reason::Failed,
                // Assigned, or answered.
                _ => Reason::None,
            },
        };
        match reason {
            Reason::None => self.complete_clock(creation, id, kind),
            reason => self.cancel_clock(creation, id, kind, reason),
        }
    }

    fn complete_clock(&mut self, creation: u64, id: &str, kind: ClockKind) {
        let Some(clock) = self.clock_of(creation, id, kind) else { return };
        let at = self.time_of_fact(kind, &clock);
        self.tell_what_passed(creation, id, kind, at);
        let Some(clock) = self.clock_of(creation, id, kind) else { return };
        let Some(told) = self.told_clock(creation, id, kind, at, 0) else { return };
        let is_met = told.business_ms <= told.target_ms && clock.fired < BREACH;
        let since = if clock.gait == Gait::Stands { at } else { clock.since };
        self.set_clock(creation, id, kind, ServiceClock { gait: Gait::Off, since, ..clock });
        let reason = if is_met { Reason::Met } else { Reason::Missed };
        let credited = self.credited(creation, id, kind);
        self.tell_of_clock(DecisionType::ClockCompleted, reason, creation, id, told);
        let agent = credited.map(|agent| self.told_agent(self.workspace.agent_index[&agent]));
        if let Some(told) = self.told.last_mut() {
            told.agent = agent;
        }
    }

    /// An older contact is unanswered, since a merge.
    fn begin_earlier(&mut self, creation: u64, id: &str, kind: ClockKind, started_at: u64) {
        let Some(clock) = self.clock_of(creation, id, kind) else { return };
        let is_response = matches!(kind, ClockKind::FirstResponse | ClockKind::NextResponse);
        if is_response && started_at < clock.started_at {
            let new = if clock.since == clock.started_at && clock.gait == Gait::Runs {
                ServiceClock { started_at, since: started_at, ..clock }
            } else {
                let Some(about) = self.workspace.numbered(creation, id) else { return };
                let earlier_ms = open_ms(self.workspace.hours_of(about, kind), started_at, clock.started_at);
                ServiceClock { started_at, counted_ms: clock.counted_ms + earlier_ms, ..clock }
            };
            self.set_clock(creation, id, kind, new);
            self.tell_clock(DecisionType::ClockStarted, Reason::Updated, creation, id, kind, 0);
        }
    }

    /// What was due before it stops, and whose timer another was before.
    fn tell_what_passed(&mut self, creation: u64, id: &str, kind: ClockKind, until: u64) {
        loop {
            let Some(about) = self.workspace.numbered(creation, id) else { return };
            let next = self.workspace.next_of(about, kind).filter(|(at, _)| *at <= until);
            let Some((_, percent)) = next else { return };
            let clock = about.clocks[kind as usize];
            let Some(configured) = self.workspace.clock(kind) else { return };
            let fired_at = self.now;
            self.set_clock(creation, id, kind, ServiceClock { fired: percent, fired_at, ..clock });
            if configured.warn_percent.contains(&percent) {
                self.tell_clock(DecisionType::ClockWarned, Reason::None, creation, id, kind, percent);
            }
            if percent == BREACH {
                self.tell_clock(DecisionType::ClockBreached, Reason::None, creation, id, kind, percent);
            }
            for (place, level) in configured.levels.iter().enumerate().filter(|(_, level)| level.percent == percent) {
                self.tell_clock(DecisionType::ConversationEscalated, Reason::Clock, creation, id, kind, percent);
                let number = if level.escalate > 0 { u64::from(level.escalate) } else { place as u64 + 1 };
                self.with_detail(ToldDetail { number, ..ToldDetail::default() });
                for agent in &level.notify {
                    if self.workspace.agent(agent).is_some_and(|agent| !agent.is_removed) {
                        self.tell_numbered(DecisionType::MentionNotified, Reason::Escalated, creation, id);
                        let about = self.told_agent(self.workspace.agent_index[&**agent]);
                        if let Some(told) = self.told.last_mut() {
                            told.agent = Some(about);
                        }
                    }
                }
            }
        }
    }

    /// Whose doing it was: who wrote the answer, else who owns it, or did.
    fn credited(&self, creation: u64, id: &str, kind: ClockKind) -> Option<String> {
        let about = self.workspace.numbered(creation, id)?;
        let wrote = self.input.filter(|input| self.fact_at.is_some() && input.event_type == EventType::MessageSent);
        let actor = wrote.and_then(|input| input.actor.as_ref()).filter(|actor| actor.kind == ActorKind::Agent);
        let writer = actor.map(|actor| actor.id.text.to_string());
        let writer = writer.filter(|agent| self.workspace.agent(agent).is_some_and(|agent| !agent.is_removed));
        let credited = match kind {
            ClockKind::Resolution => about.last_owner.clone(),
            ClockKind::QueueWait => about.owner.clone(),
            _ => writer.or(about.owner.clone()),
        };
        credited.filter(|agent| self.workspace.agent(agent).is_some_and(|agent| !agent.is_removed))
    }

    fn cancel_clock(&mut self, creation: u64, id: &str, kind: ClockKind, reason: Reason) {
        if reason != Reason::NoTarget {
            self.tell_what_passed(creation, id, kind, self.now);
        }
        let Some(clock) = self.clock_of(creation, id, kind) else { return };
        let Some(told) = self.told_clock(creation, id, kind, self.now, 0) else { return };
        self.set_clock(creation, id, kind, ServiceClock { gait: Gait::Off, ..clock });
        self.tell_of_clock(DecisionType::ClockCancelled, reason, creation, id, told);
    }

    fn clock_of(&self, creation: u64, id: &str, kind: ClockKind) -> Option<ServiceClock> {
        Some(self.workspace.numbered(creation, id)?.clocks[kind as usize])
    }

    fn set_clock(&mut self, creation: u64, id: &str, kind: ClockKind, clock: ServiceClock) {
        if let Some(gone) = self.workspace.departed.get_mut(&creation) {
            gone.clocks[kind as usize] = clock;
        } else if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.clocks[kind as usize] = clock;
        }
    }

    /// When what has happened to a clock happened: not before anything that it has said.
    fn time_of_fact(&self, kind: ClockKind, clock: &ServiceClock) -> u64 {
        let said_at = clock.started_at.max(clock.since).max(clock.fired_at);
        let of_queue = self.queue_turned_at.filter(|_| kind == ClockKind::QueueWait);
        of_queue.or(self.fact_at).unwrap_or(self.now).max(said_at).min(self.now)
    }

    fn told_clock(&self, creation: u64, id: &str, kind: ClockKind, at: u64, percent: u16) -> Option<ToldClock> {
        let about = self.workspace.numbered(creation, id)?;
        let clock = about.clocks[kind as usize];
        let business_ms = self.workspace.business_ms(about, kind, &clock, at);
        let left_ms = clock.target_ms.saturating_sub(clock.counted_ms);
        let due =
            after(self.workspace.hours_of(about, kind), clock.since, left_ms).filter(|_| clock.gait == Gait::Runs);
        Some(ToldClock {
            clock: kind,
            generation: clock.generation,
            started_at: clock.started_at,
            target_ms: clock.target_ms,
            due: due.unwrap_or(0),
            percent,
            wall_ms: at.saturating_sub(clock.started_at),
            business_ms,
            over_ms: business_ms.saturating_sub(clock.target_ms),
        })
    }

    fn tell_clock(
        &mut self,
        decision_type: DecisionType,
        reason: Reason,
        creation: u64,
        id: &str,
        kind: ClockKind,
        percent: u16,
    ) {
        if let Some(told) = self.told_clock(creation, id, kind, self.now, percent) {
            self.tell_of_clock(decision_type, reason, creation, id, told);
        }
    }

    fn tell_of_clock(
        &mut self,
        decision_type: DecisionType,
        reason: Reason,
        creation: u64,
        id: &str,
        clock: ToldClock,
    ) {
        self.tell_numbered(decision_type, reason, creation, id);
        if let Some(told) = self.told.last_mut() {
            told.clock = Some(clock);
        }
    }

    // Thresholds.

    /// The first percent of all its clocks that comes next.
    fn next_threshold(&self, id: &str) -> Option<(u64, ClockKind, u16)> {
        let about = self.workspace.conversations.get(id)?;
        let mut next: Option<(u64, ClockKind, u16)> = None;
        for kind in ALL {
            let Some((at, percent)) = self.workspace.next_of(about, kind) else { continue };
            if next.is_none_or(|(first, ..)| at < first) {
                next = Some((at, kind, percent));
            }
        }
        next
    }

    fn rearm_clocks(&mut self, id: &str) {
        let next = self.next_threshold(id).map(|(at, ..)| at);
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        let deadline = next.filter(|_| !conversation.is_resolved());
        conversation.clock_at = deadline;
        let timer = Timer::Conversation(id.to_string(), Clock::Service);
        self.shard.timers.arm(&self.workspace.name, timer, deadline);
    }

    pub fn clock_is_due(&mut self, id: &str) {
        let next = self.next_threshold(id);
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        conversation.clock_at = None;
        if let Some((_, kind, percent)) = next.filter(|(at, ..)| *at <= self.now) {
            self.fire_threshold(id, kind, percent);
        }
        self.rearm_clocks(id);
    }

    fn fire_threshold(&mut self, id: &str, kind: ClockKind, percent: u16) {
        let now = self.now;
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        let creation = conversation.creation;
        let clock = &mut conversation.clocks[kind as usize];
        (clock.fired, clock.fired_at) = (percent, now);
        let Some(configured) = self.workspace.clock(kind) else { return };
        if configured.warn_percent.contains(&percent) {
            self.tell_clock(DecisionType::ClockWarned, Reason::None, creation, id, kind, percent);
        }
        if percent == BREACH {
            self.tell_clock(DecisionType::ClockBreached, Reason::None, creation, id, kind, percent);
        }
        for (place, level) in configured.levels.iter().enumerate().filter(|(_, level)| level.percent == percent) {
            self.fire_level(id, kind, place, level);
        }
    }

    /// Priority, relaxation, notices, another owner, another queue, a level of the ladder: in this order.
    fn fire_level(&mut self, id: &str, kind: ClockKind, place: usize, level: &ClockLevel) {
        self.left = self.left.saturating_sub(1);
        let Some(conversation) = self.workspace.conversations.get(id) else { return };
        let creation = conversation.creation;
        let ladder = self.workspace.queue(&conversation.queue).map(|queue| queue.ladder.clone()).unwrap_or_default();
        let rung = ladder.into_iter().find(|rung| rung.level == level.escalate);
        let of_rung = rung.as_ref().map_or(0, |rung| rung.priority);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.priority = conversation.priority.max(of_rung).max(level.priority);
        }
        self.stand_anew(id);
        self.tell_clock(DecisionType::ConversationEscalated, Reason::Clock, creation, id, kind, level.percent);
        let number = if level.escalate > 0 { u64::from(level.escalate) } else { place as u64 + 1 };
        self.with_detail(ToldDetail { number, ..ToldDetail::default() });
        self.rearm(id);
        self.notify(id, Reason::Escalated, level.notify.iter().map(|agent| &**agent));
        if level.relax && self.workspace.is_in_line(id) && !self.take_step(id) {
            self.rearm(id);
        }
        if level.reassign {
            self.reassign(id);
        }
        let waits = self.workspace.conversations.get(id).filter(|conversation| conversation.waits());
        let goes = waits.is_some_and(|conversation| *conversation.queue != *level.queue);
        if goes && self.workspace.queue(&level.queue).is_some() {
            self.withdraw(id, Reason::Rescinded);
            self.overflow(id, &level.queue);
        }
        let is_open = self.workspace.conversations.get(id).is_some_and(|conversation| !conversation.is_resolved());
        if let Some(rung) = rung.filter(|_| is_open) {
            self.climb(id, &rung);
        }
    }

    /// From its owner, where somebody else could have it now.
    fn reassign(&mut self, id: &str) {
        let Some(conversation) = self.workspace.conversations.get(id) else { return };
        if conversation.phase == PhaseWord::Assigned && !conversation.live {
            let owner = conversation.owner.clone().unwrap_or_default();
            self.taken_from_owner(id, Reason::Escalated);
            self.rearm(id);
            self.rearm_owner(&owner);
        }
    }
}
