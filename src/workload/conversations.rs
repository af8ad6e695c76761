//! Where each open conversation is, as its decisions tell it, and what its moves count.
//!
//! A conversation is in a bot's hands, in a line, an agent's, or set aside; a move ends one stay and begins another. An
//! offered one still waits. One that a way out turns away at the door of a queue came in and left in one moment, so that
//! a queue which is full shows what it refused.

use super::context::Customers;
use super::intervals::{Intervals, QueueIndex};
use super::keyed::KeyedMap;
use super::tables::{CellIndex, Tables};
use super::tallies::{AgentIndex, Tallies};
use super::words::{
    ClockResult, Collision, ContextLoss, Ended, Entry, Exit, Kind, OfferOutcome, Preferred, Transfer, Trigger, Verdict,
};
use engine::decision::{DecisionType, PhaseWord, Preference, Reason, Told, ToldConversation};
use engine::id::{HashKey, Kind as IdKind};
use engine::policy::ClockKind;
use engine::view;
use load_tests::service_level::{Compliance, Counts};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Deadlines of those who wait may be this many more than twice the open conversations: beyond, void ones are dropped.
const VOID_DEADLINES_MAX: usize = 1_024;

/// Where something counts: under which labels, and in whose report.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spot {
    cell: CellIndex,
    queue: QueueIndex,
}

/// An open conversation.
struct Open {
    /// Its labels in its present stay.
    at: Spot,
    place: Place,
    offer: Option<Offer>,
    customer: Option<u128>,
    /// Its first message, ms UTC; a reopening does not change it.
    first_at: u64,
    was_resolved: bool,
    /// A bot had it, and no person has answered since: what the hand-off began is no turn.
    from_bot: bool,
}

/// One that may be opened again.
struct Resolved {
    at: u64,
    queue: QueueIndex,
    first_at: u64,
    /// Whether a person resolved it.
    counted: bool,
}

/// One stay in a line.
#[derive(Clone, Copy)]
struct Line {
    queued_at: u64,
    service_level_ms: u64,
    /// Its entry, whose interval everything about it belongs to.
    entered_at: u64,
    queue: QueueIndex,
    serial: u64,
    /// T passed while it waited: its verdict is given.
    late: bool,
}

/// (when, serial of the stay, conversation): T passes then, as far as is known.
type Deadline = Reverse<(u64, u64, u128)>;

#[derive(Clone, Copy)]
enum Place {
    /// Between two stays, within one step; what comes next is this.
    Coming(Entry),
    InBot,
    /// In line, offered or not.
    Line(Line),
    /// An agent's; snoozed too.
    Held {
        since: u64,
        owner: AgentIndex,
    },
    /// Snoozed or parked, and nobody's.
    Aside,
}

#[derive(Clone, Copy)]
struct Offer {
    since: u64,
    kind: Kind,
    /// To the agent whom its queue prefers for it.
    preferred: bool,
}

pub(super) struct Conversations {
    key: HashKey,
    /// By the conversation's hash.
    open: KeyedMap<Open>,
    /// Conversations in the engine's state, resolved ones that may still reopen included.
    pub(super) kept: usize,
    customers: Customers,
    resolved: KeyedMap<Resolved>,
    deadlines: BinaryHeap<Deadline>,
    /// Of queues whose time stands still: they have no deadline until it goes on.
    standing: HashMap<QueueIndex, Vec<(u64, u128)>>,
    /// Stays in lines so far.
    serial: u64,
}

/// What decisions are counted in.
pub(super) struct Books<'a> {
    pub(super) tables: &'a mut Tables,
    pub(super) tallies: &'a mut Tallies,
    pub(super) intervals: &'a mut Intervals,
    /// Since when a queue's time stands still, by its name; none: it does not.
    pub(super) stands_since: &'a dyn Fn(&str) -> Option<u64>,
}

impl Conversations {
    pub(super) fn new(key: HashKey) -> Conversations {
        Conversations {
            key,
            open: KeyedMap::default(),
            kept: 0,
            customers: Customers::default(),
            resolved: KeyedMap::default(),
            deadlines: BinaryHeap::new(),
            standing: HashMap::new(),
            serial: 0,
        }
    }

    /// Takes a decision about the conversation of this key.
    pub(super) fn take(&mut self, told: &Told, conversation: &ToldConversation, key: u128, books: Books<'_>) {
        let Books { tables, tallies, intervals, stands_since } = books;
        let mut told = Telling { told, conversation, key, tables, tallies, intervals, stands_since };
        match told.told.decision_type {
            DecisionType::ConversationOpened => self.opened(&mut told),
            DecisionType::ConversationQueued => self.queued(&mut told),
            DecisionType::ConversationOffered => self.offered(&told),
            DecisionType::OfferWithdrawn => self.withdrawn(&mut told),
            DecisionType::ConversationAssigned => self.assigned(&mut told),
            DecisionType::ConversationUnassigned => self.unassigned(&mut told),
            DecisionType::ConversationTransferred => self.transferred(&mut told),
            DecisionType::ConversationSnoozed => self.snoozed(&mut told),
            DecisionType::ConversationWoken => self.woken(key),
            DecisionType::ConversationParked => self.parked(&mut told),
            DecisionType::ConversationDeflected => self.deflected(&mut told),
            DecisionType::ConversationResolved => self.resolved(&mut told),
            DecisionType::ConversationAbandoned => self.abandoned(&mut told),
            DecisionType::ConversationClosed => self.closed(&mut told),
            DecisionType::ConversationMerged => self.merged(&mut told),
            DecisionType::ConversationReopened => self.reopened(&mut told),
            DecisionType::ConversationUpdated => self.updated(&mut told),
            DecisionType::ClockCompleted => self.clock_completed(&mut told),
            DecisionType::ClockCancelled => self.clock_cancelled(&mut told),
            _ => told.count(),
        }
    }

    /// The open conversation of a decision. One that was never told of comes from nowhere.
    fn known(&mut self, told: &mut Telling<'_>) -> &mut Open {
        let fresh = Open {
            at: told.spot(),
            place: Place::Coming(Entry::New),
            offer: None,
            customer: None,
            first_at: told.conversation.arrival,
            was_resolved: false,
            from_bot: false,
        };
        self.open.entry(told.key).or_insert(fresh)
    }

    fn open_anew(&mut self, told: &mut Telling<'_>, place: Place) -> Option<u128> {
        let (id, workspace) = (&*told.conversation.customer, &told.told.workspace);
        let customer = (!id.is_empty()).then(|| self.key.hash(IdKind::Customer, workspace, &[id]));
        let before = self.resolved.remove(&told.key);
        if let Some(before) = before.as_ref().filter(|before| before.counted) {
            let took_ms = before.at.saturating_sub(before.first_at);
            told.intervals.queue(before.at, before.queue, |counts| counts.final_resolution.take_back(took_ms));
        }
        let open = Open {
            at: told.spot(),
            place,
            offer: None,
            customer,
            first_at: before.as_ref().map_or(told.conversation.arrival, |before| before.first_at),
            was_resolved: before.is_some_and(|before| before.counted),
            from_bot: matches!(place, Place::InBot),
        };
        self.open.insert(told.key, open);
        customer
    }

    fn opened(&mut self, told: &mut Telling<'_>) {
        self.kept += 1;
        // One of the same id that was opened anew is another.
        self.resolved.remove(&told.key);
        let in_bot = told.conversation.state == PhaseWord::InBot;
        let place = if in_bot { Place::InBot } else { Place::Coming(Entry::New) };
        let customer = self.open_anew(told, place);
        let again = customer.is_some_and(|customer| self.customers.opened(customer, told.told.time));
        if again && told.reason() != Reason::Outbound {
            told.tables.lost_context(ContextLoss::RepeatContact);
        }
    }

    fn reopened(&mut self, told: &mut Telling<'_>) {
        let customer = self.open_anew(told, Place::Coming(Entry::Reopen));
        customer.into_iter().for_each(|customer| self.customers.reopened(customer));
        let cell = told.cell();
        told.tables.reopened(cell);
    }

    fn queued(&mut self, told: &mut Telling<'_>) {
        self.serial += 1;
        let serial = self.serial;
        let open = self.known(told);
        let (was_in_line, coming) = (open.is_in_line(), open.coming());
        let entry = Entry::of(told.reason()).unwrap_or(coming);
        told.leave(open, if entry == Entry::Overflow { Exit::Overflowed } else { Exit::Transferred });
        // It could not get into its queue, and is in this one instead. Which queue a transfer or a bot had meant is not told.
        if entry == Entry::Overflow && !was_in_line && !matches!(coming, Entry::Transfer | Entry::Handoff) {
            told.pass_by(open.at, coming, Exit::Overflowed);
        }
        open.at = told.spot();
        let line = told.line(open.at.queue, serial);
        open.place = Place::Line(line);
        told.tables.enter(open.at.cell, entry);
        told.intervals.queue(line.entered_at, line.queue, |counts| counts.entries += 1);
        if told.conversation.preference == Preference::Absent {
            told.tables.preferred(open.at.cell, Preferred::Absent);
        }
        self.await_t(told.key, &line);
    }

    /// T passes for one that waits now.
    fn await_t(&mut self, key: u128, line: &Line) {
        let at = line.queued_at.saturating_add(line.service_level_ms).saturating_add(1);
        self.deadlines.push(Reverse((at, line.serial, key)));
        let standing: usize = self.standing.values().map(Vec::len).sum();
        if self.deadlines.len() + standing > 2 * self.open.len() + VOID_DEADLINES_MAX {
            let open = &self.open;
            let holds = |serial: u64, key: u128| is_awaited(open.get(&key), serial);
            self.deadlines.retain(|Reverse((_, serial, key))| holds(*serial, *key));
            self.standing.values_mut().for_each(|waiting| waiting.retain(|(serial, key)| holds(*serial, *key)));
        }
    }

    /// Gives the verdict `late` to those for whom T has passed by `now`, as the workspace stands then.
    pub(super) fn judge(
        &mut self,
        now: u64,
        workspace: &view::Workspace<'_>,
        tables: &mut Tables,
        intervals: &mut Intervals,
    ) {
        let mut later = Vec::new();
        while let Some(Reverse((at, serial, key))) =
            self.deadlines.peek().copied().filter(|Reverse((at, ..))| *at <= now)
        {
            self.deadlines.pop();
            let Some(open) = self.open.get_mut(&key).filter(|open| is_awaited(Some(open), serial)) else { continue };
            let (spot, Place::Line(line)) = (open.at, &mut open.place) else { continue };
            let Some(waits) = workspace.waits(key) else { continue };
            (line.queued_at, line.service_level_ms) = (waits.queued_at, waits.service_level_ms);
            if waits.is_moving && waits.stands_since.is_none() {
                later.push(Reverse((now + 1, serial, key)));
                continue;
            }
            let until = waits.stands_since.map_or(now, |since| since.max(waits.queued_at));
            let is_late = until.saturating_sub(waits.queued_at) > waits.service_level_ms;
            if is_late && now > waits.short_until {
                line.late = true;
                tables.judged(spot.cell, Verdict::Late);
                intervals.queue(line.entered_at, line.queue, |counts| counts.late += 1);
            } else if waits.stands_since.is_some() && !is_late {
                self.standing.entry(line.queue).or_default().push((serial, key));
            } else {
                let t_passes = waits.queued_at.saturating_add(waits.service_level_ms);
                later.push(Reverse((t_passes.max(waits.short_until).max(at).saturating_add(1), serial, key)));
            }
        }
        self.deadlines.extend(later);
    }

    /// A queue's time may go on now.
    pub(super) fn queue_changed(&mut self, queue: QueueIndex, now: u64) {
        let waiting = self.standing.remove(&queue).unwrap_or_default();
        self.deadlines.extend(waiting.into_iter().map(|(serial, key)| Reverse((now, serial, key))));
    }

    /// T may be another for everybody.
    pub(super) fn policy_changed(&mut self, now: u64) {
        self.standing.clear();
        let waiting = |(key, open): (&u128, &Open)| match &open.place {
            Place::Line(line) if !line.late => Some(Reverse((now, line.serial, *key))),
            _ => None,
        };
        self.deadlines = self.open.iter().filter_map(waiting).collect();
    }

    fn clock_completed(&mut self, told: &mut Telling<'_>) {
        let Some(clock) = told.told.clock else { return };
        let is_answer = matches!(clock.clock, ClockKind::FirstResponse | ClockKind::NextResponse);
        let from_bot =
            self.open.get_mut(&told.key).filter(|_| is_answer).map(|open| std::mem::take(&mut open.from_bot));
        let is_reply = is_answer && !told.conversation.live;
        let is_turn = is_reply && !(from_bot == Some(true) && clock.clock == ClockKind::FirstResponse);
        let (spot, time) = (told.spot(), told.told.time);
        let met = told.reason() == Reason::Met;
        let result = if met { ClockResult::Met } else { ClockResult::Missed };
        told.tables.clock_ended(spot.cell, clock.clock, &told.conversation.tier, result);
        let took = [clock.wall_ms, clock.business_ms];
        match clock.clock {
            ClockKind::FirstResponse => told.tables.took(spot.cell, took, |durations| &mut durations.first_response),
            ClockKind::Resolution => told.tables.took(spot.cell, took, |durations| &mut durations.resolution),
            _ => {}
        }
        if is_turn {
            told.tables.took(spot.cell, took, |durations| &mut durations.response);
        }
        told.intervals.queue(time, spot.queue, |counts| {
            let compliance = compliance_of(counts, clock.clock);
            compliance.met += u64::from(met);
            compliance.missed += u64::from(!met);
            compliance.took.add(clock.wall_ms, clock.business_ms);
            if is_turn {
                counts.turns.add(clock.wall_ms);
            }
        });
        let agent = told.told.agent.as_ref().map(|agent| told.tallies.index(&agent.id));
        if let Some(agent) = agent.filter(|_| is_reply) {
            told.tallies.replied(agent, told.tables.live);
            told.intervals.agent(time, agent, |counts| {
                counts.replied += 1;
                if is_turn {
                    counts.turns.add(clock.wall_ms);
                }
            });
        }
    }

    fn clock_cancelled(&mut self, told: &mut Telling<'_>) {
        let Some(clock) = told.told.clock else { return };
        let spot = told.spot();
        told.tables.clock_ended(spot.cell, clock.clock, &told.conversation.tier, ClockResult::Cancelled);
        told.intervals.queue(told.told.time, spot.queue, |counts| compliance_of(counts, clock.clock).cancelled += 1);
    }

    fn offered(&mut self, told: &Telling<'_>) {
        if let Some(open) = self.open.get_mut(&told.key) {
            let (kind, preferred) = (Kind::of(told.reason(), None), told.reason() == Reason::Preferred);
            open.offer = Some(Offer { since: told.told.time, kind, preferred });
        }
    }

    fn withdrawn(&mut self, told: &mut Telling<'_>) {
        if let Some(open) = self.open.get_mut(&told.key) {
            told.end_offer(open, OfferOutcome::of(told.reason()));
        }
    }

    fn assigned(&mut self, told: &mut Telling<'_>) {
        let open = self.known(told);
        let offered = told.end_offer(open, OfferOutcome::Accepted);
        let kind = Kind::of(told.reason(), offered.map(|offer| offer.kind));
        told.leave(open, if kind == Kind::Claim { Exit::Claimed } else { Exit::Answered });
        told.tables.assigned(open.at.cell, kind);
        let honoured = match told.reason() {
            Reason::Preferred => true,
            Reason::Accepted => offered.is_some_and(|offer| offer.preferred),
            _ => false,
        };
        if honoured {
            told.tables.preferred(open.at.cell, Preferred::Honoured);
        }
        let owner = told.tallies.index(&told.conversation.owner);
        told.tallies.assigned(owner, told.tables.live);
        told.intervals.agent(told.told.time, owner, |counts| counts.assigned += 1);
        // Its queue may be another than that where it waited.
        open.at = told.spot();
        open.place = Place::Held { since: told.told.time, owner };
    }

    fn unassigned(&mut self, told: &mut Telling<'_>) {
        match told.reason() {
            // Given back to its own queue: a transfer to nobody in particular.
            Reason::Released => self.transferred_by(told, Transfer::Release),
            Reason::OwnerLost | Reason::OwnerOffline | Reason::OwnerAbsent => {
                told.tables.lost_context(ContextLoss::OwnerLeft);
                self.comes_from_owner(told, Entry::Requeue);
            }
            _ => self.comes_from_owner(told, Entry::Requeue),
        }
    }

    fn transferred(&mut self, told: &mut Telling<'_>) {
        // The taker of a warm one was asked before its owner let go.
        let is_warm = self.open.get(&told.key).is_some_and(|open| open.offer.is_some());
        self.transferred_by(told, if is_warm { Transfer::Warm } else { Transfer::Blind });
    }

    fn transferred_by(&mut self, told: &mut Telling<'_>, transfer: Transfer) {
        let (cell, has_note) = (told.cell(), told.conversation.has_note);
        told.tables.transferred(cell, transfer, has_note);
        if !has_note {
            told.tables.lost_context(ContextLoss::HandoverWithoutNote);
        }
        self.comes_from_owner(told, Entry::Transfer);
    }

    /// Its owner, if it has one, lets go; what follows says where it goes.
    fn comes_from_owner(&mut self, told: &mut Telling<'_>, coming: Entry) {
        let Some(open) = self.open.get_mut(&told.key) else { return };
        if !open.is_in_line() {
            told.leave(open, Exit::Transferred);
            open.place = Place::Coming(coming);
        }
    }

    fn snoozed(&mut self, told: &mut Telling<'_>) {
        let Some(open) = self.open.get_mut(&told.key) else { return };
        if !matches!(open.place, Place::Held { .. }) {
            told.leave(open, Exit::Transferred);
            open.place = Place::Aside;
        }
    }

    fn woken(&mut self, key: u128) {
        if let Some(open) = self.open.get_mut(&key)
            && matches!(open.place, Place::Aside)
        {
            open.place = Place::Coming(Entry::Resume);
        }
    }

    /// By a way out: out of its line, or at the door of the queue that it came to. Says where that was.
    fn sent_away(&mut self, told: &mut Telling<'_>) -> CellIndex {
        let open = self.known(told);
        let (was_in_line, coming, at) = (open.is_in_line(), open.coming(), open.at);
        told.leave(open, Exit::Deflected);
        open.place = Place::Aside;
        if was_in_line {
            return at.cell;
        }
        open.at = told.spot();
        told.pass_by(open.at, coming, Exit::Deflected);
        open.at.cell
    }

    fn parked(&mut self, told: &mut Telling<'_>) {
        self.sent_away(told);
    }

    fn deflected(&mut self, told: &mut Telling<'_>) {
        let cell = self.sent_away(told);
        told.tables.ended(cell, Ended::Closed);
        self.remove(told.key, told);
        self.kept = self.kept.saturating_sub(1);
    }

    /// Its matter is over for its customer, and it is nobody's any more.
    fn remove(&mut self, key: u128, told: &Telling<'_>) -> Option<Open> {
        let open = self.open.remove(&key)?;
        open.customer.into_iter().for_each(|customer| self.customers.ended(customer, told.told.time));
        Some(open)
    }

    fn resolved(&mut self, told: &mut Telling<'_>) {
        if let Some(open) = self.remove(told.key, told) {
            told.leave(&open, Exit::Closed);
            let ended = Ended::of(true, told.reason());
            told.tables.ended(open.at.cell, ended);
            if let Place::Held { owner, .. } = open.place {
                told.tallies.resolved(owner, told.tables.live);
                told.intervals.agent(told.told.time, owner, |counts| counts.resolved += 1);
            }
            self.resolution(told, &open, ended == Ended::Resolved);
        }
        // An async one stays until its reopen window has passed.
        if told.conversation.live {
            self.kept = self.kept.saturating_sub(1);
        }
    }

    /// First and final, from the first message: this is the last one until it is opened again.
    fn resolution(&mut self, told: &mut Telling<'_>, open: &Open, counted: bool) {
        let at = told.told.time;
        let took_ms = at.saturating_sub(open.first_at);
        if counted {
            told.intervals.queue(at, open.at.queue, |counts| {
                counts.final_resolution.add(took_ms);
                if !open.was_resolved {
                    counts.first_resolution.add(took_ms);
                }
            });
        }
        if !told.conversation.live {
            let resolved = Resolved { at, queue: open.at.queue, first_at: open.first_at, counted };
            self.resolved.insert(told.key, resolved);
        }
    }

    fn abandoned(&mut self, told: &mut Telling<'_>) {
        let exit = if told.reason() == Reason::ShortAbandoned { Exit::ShortAbandoned } else { Exit::Abandoned };
        if let Some(open) = self.remove(told.key, told) {
            told.leave(&open, exit);
            // Who left the bot, or while set aside, is in no queue's exits.
            if !open.is_in_line() {
                told.tables.ended(open.at.cell, Ended::Closed);
            }
        }
        self.kept = self.kept.saturating_sub(1);
    }

    fn closed(&mut self, told: &mut Telling<'_>) {
        let reason = told.reason();
        self.resolved.remove(&told.key);
        // One that was resolved before ended then.
        if let Some(open) = self.open.get(&told.key) {
            let at_the_door = match open.place {
                Place::Coming(_) => true,
                Place::InBot | Place::Aside => is_way_out(reason),
                Place::Line(_) | Place::Held { .. } => false,
            };
            let mut cell = open.at.cell;
            if at_the_door {
                cell = self.sent_away(told);
            }
            if let Some(open) = self.remove(told.key, told) {
                told.leave(&open, Exit::Closed);
            }
            told.tables.ended(cell, Ended::of(false, reason));
        }
        self.kept = self.kept.saturating_sub(1);
    }

    /// Told about the survivor; the other one leaves.
    fn merged(&mut self, told: &mut Telling<'_>) {
        if let Some(other) = told.other() {
            let other = self.key.hash(IdKind::Conversation, &told.told.workspace, &[other]);
            self.resolved.remove(&other);
            if let Some(open) = self.remove(other, told) {
                told.leave(&open, Exit::Closed);
                told.tables.ended(open.at.cell, Ended::Merged);
                if let Some(survivor) = self.open.get_mut(&told.key) {
                    survivor.first_at = survivor.first_at.min(open.first_at);
                }
            }
            self.kept = self.kept.saturating_sub(1);
        }
        self.relabelled(told);
    }

    fn updated(&mut self, told: &mut Telling<'_>) {
        if told.reason() == Reason::PreferenceExpired {
            let cell = told.cell();
            told.tables.preferred(cell, Preferred::Expired);
        }
        self.relabelled(told);
    }

    /// One that waits on under another tier or policy leaves one line and enters another, and is judged where it ends.
    fn relabelled(&mut self, told: &mut Telling<'_>) {
        let Some(open) = self.open.get_mut(&told.key).filter(|open| open.is_in_line()) else { return };
        let spot = told.spot();
        if open.at.cell != spot.cell {
            told.tables.exit(open.at.cell, Exit::Transferred, None);
            told.tables.enter(spot.cell, Entry::Requeue);
        }
        open.at = spot;
        let Place::Line(line) = &mut open.place else { return };
        let before = (line.queued_at, line.service_level_ms);
        let ToldConversation { queued_at, service_level_ms, .. } = *told.conversation;
        (line.queued_at, line.service_level_ms) = (queued_at, service_level_ms);
        let line = *line;
        if before != (queued_at, service_level_ms) && !line.late {
            self.await_t(told.key, &line);
        }
    }

    /// Two ids were one customer all along, and both were served here.
    pub(super) fn customers_linked(&mut self, customers: (u128, u128), tables: &mut Tables) {
        if self.customers.knows(customers.0) && self.customers.knows(customers.1) {
            tables.lost_context(ContextLoss::UnlinkedChannel);
        }
    }

    #[cfg(test)]
    fn is_open(&self, id: &str) -> bool {
        self.open.contains_key(&self.key.hash(IdKind::Conversation, "acme", &[id]))
    }

    /// How many are in a line.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.open.values().filter(|open| open.is_in_line()).count()
    }
}

fn is_awaited(open: Option<&Open>, serial: u64) -> bool {
    open.is_some_and(|open| matches!(&open.place, Place::Line(line) if line.serial == serial && !line.late))
}

pub(crate) fn compliance_of(counts: &mut Counts, kind: ClockKind) -> &mut Compliance {
    match kind {
        ClockKind::FirstResponse => &mut counts.first_response,
        ClockKind::NextResponse => &mut counts.next_response,
        ClockKind::Resolution => &mut counts.resolution,
        ClockKind::QueueWait => &mut counts.queue_wait,
        ClockKind::ReplyWindow => &mut counts.reply_window,
    }
}

/// Reasons of a way out that are no other decision's (a closed queue's is: `conversation.close` says `closed` too).
pub(crate) fn is_way_out(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Emergency
            | Reason::Full
            | Reason::MaxWait
            | Reason::Unstaffed
            | Reason::Unservable
            | Reason::AllDeclined
    )
}

impl Open {
    fn is_in_line(&self) -> bool {
        matches!(self.place, Place::Line(_))
    }

    /// What its next entry into a queue is for, where the decision does not say.
    fn coming(&self) -> Entry {
        match self.place {
            Place::Coming(entry) => entry,
            Place::InBot => Entry::Handoff,
            Place::Line(_) | Place::Held { .. } => Entry::Requeue,
            Place::Aside => Entry::Resume,
        }
    }
}

/// A decision about a conversation, and where it counts.
struct Telling<'a> {
    told: &'a Told,
    conversation: &'a ToldConversation,
    key: u128,
    tables: &'a mut Tables,
    tallies: &'a mut Tallies,
    intervals: &'a mut Intervals,
    stands_since: &'a dyn Fn(&str) -> Option<u64>,
}

impl<'a> Telling<'a> {
    fn reason(&self) -> Reason {
        self.told.reason
    }

    /// The other one: a queue, a conversation, a customer.
    fn other(&self) -> Option<&'a str> {
        self.told.detail.as_ref().map(|detail| &*detail.other).filter(|other| !other.is_empty())
    }

    fn number(&self) -> u64 {
        self.told.detail.as_ref().map_or(0, |detail| detail.number)
    }

    /// Of its queue, channel and tier as told.
    fn cell(&mut self) -> CellIndex {
        let ToldConversation { queue, channel, tier, .. } = self.conversation;
        self.tables.cell(queue, channel, tier)
    }

    fn spot(&mut self) -> Spot {
        Spot { cell: self.cell(), queue: self.intervals.index(&self.conversation.queue) }
    }

    fn line(&self, queue: QueueIndex, serial: u64) -> Line {
        let ToldConversation { queued_at, service_level_ms, .. } = *self.conversation;
        Line { queued_at, service_level_ms, entered_at: self.told.time, queue, serial, late: false }
    }

    /// Ends the open offer, if there is one.
    fn end_offer(&mut self, open: &mut Open, outcome: OfferOutcome) -> Option<Offer> {
        let offer = open.offer.take()?;
        self.tables.offer_ended(open.at.cell, outcome, self.told.time.saturating_sub(offer.since));
        Some(offer)
    }

    /// Ends its stay in a line by this exit, or in somebody's hands.
    fn leave(&mut self, open: &Open, exit: Exit) {
        match open.place {
            Place::Line(line) => {
                let waited_ms = self.waited_in(&line);
                let in_time = waited_ms <= line.service_level_ms;
                let verdict = match exit {
                    // Once an entry: T had passed while it waited.
                    _ if line.late => None,
                    Exit::ShortAbandoned => Some(Verdict::Excluded),
                    // T passed, whatever follows.
                    _ if !in_time => Some(Verdict::Late),
                    Exit::Answered | Exit::Claimed => Some(Verdict::Within),
                    Exit::Abandoned => Some(Verdict::Abandoned),
                    _ => Some(Verdict::Excluded),
                };
                self.tables.exit(open.at.cell, exit, verdict);
                self.tables.waited(open.at.cell, exit, self.conversation.waited_ms);
                let late = verdict.is_none_or(|verdict| verdict == Verdict::Late);
                self.intervals.queue(line.entered_at, line.queue, |counts| {
                    counts.late += u64::from(late && !line.late);
                    count_exit(counts, exit, late);
                    if matches!(exit, Exit::Answered | Exit::Claimed) {
                        counts.answered_wait_ms += waited_ms;
                    }
                });
            }
            Place::Held { since, owner } => {
                let (now, held_ms) = (self.told.time, self.told.time.saturating_sub(since));
                self.tables.handled(open.at.cell, held_ms);
                self.tallies.handled(owner, self.tables.live);
                self.intervals.agent(now, owner, |counts| counts.handled += 1);
                self.intervals.queue(now, open.at.queue, |counts| {
                    counts.handled += 1;
                    counts.work_ms += held_ms;
                });
            }
            Place::Coming(_) | Place::InBot | Place::Aside => {}
        }
    }

    /// How long it was in the line that it leaves, ms: a closed queue moves the start without a word, so the decision says
    /// it, unless that is about another line or conversation already.
    fn waited_in(&self, line: &Line) -> u64 {
        let moved_on =
            matches!(self.told.decision_type, DecisionType::ConversationQueued | DecisionType::ConversationMerged);
        let queued_at = if moved_on { line.queued_at } else { self.conversation.queued_at };
        let now = self.told.time;
        let stands_since = (self.stands_since)(self.intervals.name(line.queue)).filter(|since| *since <= now);
        stands_since.map_or(now, |since| since.max(queued_at)).saturating_sub(queued_at)
    }

    /// Came to a queue's door and was sent on in one moment.
    fn pass_by(&mut self, at: Spot, entry: Entry, exit: Exit) {
        self.tables.enter(at.cell, entry);
        self.tables.exit(at.cell, exit, Some(Verdict::Excluded));
        self.intervals.queue(self.told.time, at.queue, |counts| {
            counts.entries += 1;
            count_exit(counts, exit, false);
        });
    }

    /// What moves nothing and is counted.
    fn count(&mut self) {
        match self.told.decision_type {
            DecisionType::ConversationRelaxed => {
                let first_ring = self.reason() == Reason::FirstRing;
                let step = if first_ring { 0 } else { usize::from(self.conversation.step) };
                let cell = self.cell();
                self.tables.relaxed(cell, step);
            }
            DecisionType::ConversationEscalated => {
                let (cell, trigger) = (self.cell(), Trigger::of(self.reason()));
                self.tables.escalated(cell, self.number(), trigger);
            }
            DecisionType::ReplyCollision => {
                let old_epoch = self.reason() == Reason::StaleEpoch;
                let collision = if old_epoch { Collision::OldEpoch } else { Collision::NotOwner };
                let cell = self.cell();
                self.tables.collided(cell, collision);
            }
            _ => {}
        }
    }
}

/// How an entry ended, in its queue's counts. `late`: T had passed, and that is counted already.
pub(crate) fn count_exit(counts: &mut Counts, exit: Exit, late: bool) {
    let counter = match (exit, late) {
        (Exit::Answered | Exit::Claimed, false) => &mut counts.answered_in_time,
        (Exit::Answered | Exit::Claimed, true) => &mut counts.answered_late,
        (Exit::Abandoned, false) => &mut counts.abandoned_in_time,
        (Exit::Abandoned, true) => &mut counts.abandoned_late,
        (_, true) => return,
        (Exit::ShortAbandoned, false) => &mut counts.excluded.short_abandoned,
        (Exit::Overflowed, false) => &mut counts.excluded.overflowed,
        (Exit::Transferred, false) => &mut counts.excluded.transferred,
        (Exit::Deflected, false) => &mut counts.excluded.deflected,
        (Exit::Closed, false) => &mut counts.excluded.closed,
    };
    *counter += 1;
}

#[cfg(test)]
mod tests;
