//! Where each open conversation is, as its decisions tell it, and what its moves count.
//!
//! A conversation is in a bot's hands, in a line, an agent's, or set aside; a move ends one stay and begins another. An
//! offered one still waits. One that a way out turns away at the door of a queue came in and left in one moment, so that
//! a queue which is full shows what it refused.

use super::context::Customers;
use super::keyed::KeyedMap;
use super::tables::{CellIndex, Tables};
use super::tallies::{AgentIndex, Tallies};
use super::words::{
    Collision, ContextLoss, Ended, Entry, Exit, Kind, OfferOutcome, Preferred, Transfer, Trigger, Verdict,
};
use engine::decision::{DecisionType, PhaseWord, Preference, Reason, Told, ToldConversation};
use engine::id::{HashKey, Kind as IdKind};

/// An open conversation.
struct Open {
    /// Its labels in its present stay.
    cell: CellIndex,
    place: Place,
    offer: Option<Offer>,
    customer: Option<u128>,
}

#[derive(Clone, Copy)]
enum Place {
    /// Between two stays, within one step; what comes next is this.
    Coming(Entry),
    InBot,
    /// In line, offered or not.
    Line {
        queued_at: u64,
        service_level_ms: u64,
    },
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
}

impl Conversations {
    pub(super) fn new(key: HashKey) -> Conversations {
        Conversations { key, open: KeyedMap::default(), kept: 0, customers: Customers::default() }
    }

    /// Takes a decision about the conversation of this key.
    pub(super) fn take(
        &mut self,
        told: &Told,
        conversation: &ToldConversation,
        key: u128,
        tables: &mut Tables,
        tallies: &mut Tallies,
    ) {
        let mut told = Telling { told, conversation, key, tables, tallies };
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
            _ => told.count(),
        }
    }

    /// The open conversation of a decision. One that was never told of comes from nowhere.
    fn known(&mut self, told: &mut Telling<'_>) -> &mut Open {
        let cell = told.cell();
        let fresh = Open { cell, place: Place::Coming(Entry::New), offer: None, customer: None };
        self.open.entry(told.key).or_insert(fresh)
    }

    fn open_anew(&mut self, told: &mut Telling<'_>, place: Place) -> Option<u128> {
        let (id, workspace) = (&*told.conversation.customer, &told.told.workspace);
        let customer = (!id.is_empty()).then(|| self.key.hash(IdKind::Customer, workspace, &[id]));
        let cell = told.cell();
        self.open.insert(told.key, Open { cell, place, offer: None, customer });
        customer
    }

    fn opened(&mut self, told: &mut Telling<'_>) {
        self.kept += 1;
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
        let open = self.known(told);
        let (was_in_line, coming) = (open.is_in_line(), open.coming());
        let entry = Entry::of(told.reason()).unwrap_or(coming);
        told.leave(open, if entry == Entry::Overflow { Exit::Overflowed } else { Exit::Transferred });
        // It could not get into its queue, and is in this one instead. Which queue a transfer or a bot had meant is not told.
        if entry == Entry::Overflow && !was_in_line && !matches!(coming, Entry::Transfer | Entry::Handoff) {
            told.pass_by(open.cell, coming, Exit::Overflowed);
        }
        open.cell = told.cell();
        open.place = told.line();
        told.tables.enter(open.cell, entry);
        if told.conversation.preference == Preference::Absent {
            told.tables.preferred(open.cell, Preferred::Absent);
        }
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
        told.tables.assigned(open.cell, kind);
        let honoured = match told.reason() {
            Reason::Preferred => true,
            Reason::Accepted => offered.is_some_and(|offer| offer.preferred),
            _ => false,
        };
        if honoured {
            told.tables.preferred(open.cell, Preferred::Honoured);
        }
        let owner = told.tallies.index(&told.conversation.owner);
        told.tallies.assigned(owner, told.tables.live);
        // Its queue may be another than that where it waited.
        open.cell = told.cell();
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
        let (was_in_line, coming, at) = (open.is_in_line(), open.coming(), open.cell);
        told.leave(open, Exit::Deflected);
        open.place = Place::Aside;
        if was_in_line {
            return at;
        }
        open.cell = told.cell();
        told.pass_by(open.cell, coming, Exit::Deflected);
        open.cell
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
            told.tables.ended(open.cell, Ended::of(true, told.reason()));
            if let Place::Held { owner, .. } = open.place {
                told.tallies.resolved(owner, told.tables.live);
            }
        }
        // An async one stays until its reopen window has passed.
        if told.conversation.live {
            self.kept = self.kept.saturating_sub(1);
        }
    }

    fn abandoned(&mut self, told: &mut Telling<'_>) {
        let exit = if told.reason() == Reason::ShortAbandoned { Exit::ShortAbandoned } else { Exit::Abandoned };
        if let Some(open) = self.remove(told.key, told) {
            told.leave(&open, exit);
            // Who left the bot, or while set aside, is in no queue's exits.
            if !open.is_in_line() {
                told.tables.ended(open.cell, Ended::Closed);
            }
        }
        self.kept = self.kept.saturating_sub(1);
    }

    fn closed(&mut self, told: &mut Telling<'_>) {
        let reason = told.reason();
        // One that was resolved before ended then.
        if let Some(open) = self.open.get(&told.key) {
            let at_the_door = match open.place {
                Place::Coming(_) => true,
                Place::InBot | Place::Aside => is_way_out(reason),
                Place::Line { .. } | Place::Held { .. } => false,
            };
            let mut cell = open.cell;
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
            if let Some(open) = self.remove(other, told) {
                told.leave(&open, Exit::Closed);
                told.tables.ended(open.cell, Ended::Merged);
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
        let cell = told.cell();
        if open.cell != cell {
            told.tables.exit(open.cell, Exit::Transferred, None);
            told.tables.enter(cell, Entry::Requeue);
            open.cell = cell;
        }
        open.place = told.line();
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

/// Reasons of a way out that are no other decision's (a closed queue's is: `conversation.close` says `closed` too).
fn is_way_out(reason: Reason) -> bool {
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
        matches!(self.place, Place::Line { .. })
    }

    /// What its next entry into a queue is for, where the decision does not say.
    fn coming(&self) -> Entry {
        match self.place {
            Place::Coming(entry) => entry,
            Place::InBot => Entry::Handoff,
            Place::Line { .. } | Place::Held { .. } => Entry::Requeue,
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

    fn line(&self) -> Place {
        let ToldConversation { queued_at, service_level_ms, .. } = *self.conversation;
        Place::Line { queued_at, service_level_ms }
    }

    /// Ends the open offer, if there is one.
    fn end_offer(&mut self, open: &mut Open, outcome: OfferOutcome) -> Option<Offer> {
        let offer = open.offer.take()?;
        self.tables.offer_ended(open.cell, outcome, self.told.time.saturating_sub(offer.since));
        Some(offer)
    }

    /// Ends its stay in a line by this exit, or in somebody's hands.
    fn leave(&mut self, open: &Open, exit: Exit) {
        match open.place {
            Place::Line { queued_at, service_level_ms } => {
                let in_time = self.waited_in(queued_at) <= service_level_ms;
                let verdict = match exit {
                    Exit::ShortAbandoned => Verdict::Excluded,
                    // T passed while it waited, whatever follows.
                    _ if !in_time => Verdict::Late,
                    Exit::Answered | Exit::Claimed => Verdict::Within,
                    Exit::Abandoned => Verdict::Abandoned,
                    _ => Verdict::Excluded,
                };
                self.tables.exit(open.cell, exit, Some(verdict));
                self.tables.waited(open.cell, exit, self.conversation.waited_ms);
            }
            Place::Held { since, owner } => {
                self.tables.handled(open.cell, self.told.time.saturating_sub(since));
                self.tallies.handled(owner, self.tables.live);
            }
            Place::Coming(_) | Place::InBot | Place::Aside => {}
        }
    }

    /// How long it was in the line that it leaves, ms: a closed queue moves the start without a word, so the decision says
    /// it, unless that is about another line or conversation already.
    fn waited_in(&self, queued_at: u64) -> u64 {
        let moved_on =
            matches!(self.told.decision_type, DecisionType::ConversationQueued | DecisionType::ConversationMerged);
        let queued_at = if moved_on { queued_at } else { self.conversation.queued_at };
        self.told.time.saturating_sub(queued_at)
    }

    /// Came to a queue's door and was sent on in one moment.
    fn pass_by(&mut self, cell: CellIndex, entry: Entry, exit: Exit) {
        self.tables.enter(cell, entry);
        self.tables.exit(cell, exit, Some(Verdict::Excluded));
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

#[cfg(test)]
mod tests;
