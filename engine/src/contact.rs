//! What customers do: contacts start and end, messages come; and how a conversation is found, opened, reopened, ended.
//! Identity, arrival and endings are those of routing.md §2.

use crate::decision::{DecisionType, Outcome, Reason};
use crate::effect::{Effect, NameOf, TimerKind};
use crate::id::Id;
use crate::input::{ActorKind, Contact, Input};
use crate::queueing::Entering;
use crate::state::{NONE, Phase, Route};
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, ignored};
use alloc::vec::Vec;

/// A start of waiting may lie this far back (routing.md §1).
const ARRIVAL_BACK_MS: u64 = 86_400_000;
/// Live contacts that one heartbeat ends at most.
const STALE_MAX: usize = 256;

/// What a contact's conversation is.
pub(crate) enum Found {
    Known(u32),
    New { other_customer: bool },
}

impl Stepping<'_> {
    pub(crate) fn contact_started(&mut self, ws: u32, input: &Input, contact: &Contact) -> Verdict {
        let Some(channel) = self.channel_of(ws, contact) else { return ignored(Reason::UnknownChannel) };
        if !self.state.workspace(ws).channel(channel).is_some_and(|c| c.live) {
            return ignored(Reason::NotLive);
        }
        if self.is_blocked(ws, contact) {
            return ignored(Reason::Blocked);
        }
        match self.find(ws, contact) {
            Found::Known(slot) if self.state.conversation(slot).is_open() => ignored(Reason::AlreadyOpen),
            Found::Known(_) => ignored(Reason::NotOpen),
            Found::New { other_customer } => self.open(ws, input, contact, channel, other_customer),
        }
    }

    pub(crate) fn message_received(&mut self, ws: u32, input: &Input, contact: &Contact, opens: bool) -> Verdict {
        let Some(channel) = self.channel_of(ws, contact) else { return ignored(Reason::UnknownChannel) };
        if self.is_blocked(ws, contact) {
            return ignored(Reason::Blocked);
        }
        match self.find(ws, contact) {
            Found::Known(slot) => {
                self.review_first(slot);
                match (self.state.conversation(slot).phase(), opens) {
                    (Phase::Resolved, true) => self.reopen_by_message(slot, input, contact),
                    (Phase::Resolved, false) => ignored(Reason::OpensNothing),
                    (_, false) => RECORDED,
                    (Phase::Assigned, true) => {
                        self.customer_wrote(slot, input);
                        DECIDED
                    }
                    (Phase::Snoozed | Phase::Parked, true) => {
                        self.woken_by(slot, Reason::Message, Some(input));
                        DECIDED
                    }
                    (Phase::InBot, true) => {
                        self.customer_awaits(slot, self.event_time(input));
                        RECORDED
                    }
                    (_, true) => {
                        self.customer_waits(slot);
                        self.customer_awaits(slot, self.event_time(input));
                        (Outcome::Recorded, Reason::Waiting)
                    }
                }
            }
            Found::New { .. } if !opens => ignored(Reason::OpensNothing),
            Found::New { other_customer } => self.open(ws, input, contact, channel, other_customer),
        }
    }

    /// He writes while he waits: what had been answered is so no longer. His place in line stays.
    fn customer_waits(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.answered() {
            let (turn, arrival) = (row.turn(), row.arrival());
            self.effect(Effect::Turned { conversation: slot, turn, answered: false, arrival });
        }
    }

    pub(crate) fn contact_ended(
        &mut self,
        ws: u32,
        conversation: Option<&Id>,
        identity: Option<u128>,
        by: ActorKind,
    ) -> Verdict {
        let Some(slot) = self.find_named(conversation, identity) else { return ignored(Reason::UnknownConversation) };
        if !self.state.conversation(slot).live() {
            return ignored(Reason::NotLive);
        }
        self.review_first(slot);
        self.withdraw(slot, Reason::Abandoned);
        let row = self.state.conversation(slot);
        let (owner, waited) = (row.owner(), self.now.saturating_sub(row.arrival()));
        let short = self.state.workspace(ws).channel(row.channel()).map_or(0, |c| c.short_abandon_ms);
        let is_customer = by == ActorKind::Customer;
        let (decision, reason) = match row.phase() {
            _ if owner.is_some() => (DecisionType::ConversationResolved, Reason::ContactEnded),
            Phase::InBot if is_customer => (DecisionType::ConversationAbandoned, Reason::LeftInBot),
            Phase::InBot => (DecisionType::ConversationClosed, Reason::Contained),
            _ if is_customer && waited <= short => (DecisionType::ConversationAbandoned, Reason::ShortAbandoned),
            _ if is_customer => (DecisionType::ConversationAbandoned, Reason::Abandoned),
            _ => (DecisionType::ConversationClosed, Reason::ContactEnded),
        };
        let wrap_up = self.wrap_up(slot);
        self.effect(Effect::Ended { conversation: slot, wrap_up });
        self.tell_conversation(decision, reason, slot, owner);
        self.rearm_wrap_of(owner);
        DECIDED
    }

    /// A live contact that is open for longer than its channel allows.
    pub(crate) fn open_too_long(&mut self, slot: u32) {
        self.arm(TimerKind::Open, slot, 0);
        self.goes_stale(slot);
    }

    fn goes_stale(&mut self, slot: u32) {
        self.withdraw(slot, Reason::Rescinded);
        let owner = self.state.conversation(slot).owner();
        self.ends(slot);
        self.tell_conversation(DecisionType::ConversationClosed, Reason::Stale, slot, owner);
    }

    /// A source says which live contacts are open: others that it opened have ended without its telling us.
    pub(crate) fn heartbeat(&mut self, ws: u32, source: u128, open: Option<&[u128]>) -> Verdict {
        let Some(open) = open else { return RECORDED };
        let mut named: Vec<u32> = open.iter().filter_map(|id| self.state.find_conversation(*id)).collect();
        named.sort_unstable();
        let is_gone = |slot: &u32| {
            let row = self.state.conversation(*slot);
            row.live() && row.is_open() && row.source() == source && named.binary_search(slot).is_err()
        };
        let gone: Vec<u32> = self.state.conversations_of(ws).filter(is_gone).take(STALE_MAX).collect();
        let verdict = if gone.is_empty() { RECORDED } else { DECIDED };
        gone.into_iter().for_each(|slot| self.goes_stale(slot));
        verdict
    }

    fn is_blocked(&self, ws: u32, contact: &Contact) -> bool {
        contact.customer.as_ref().is_some_and(|c| self.state.workspace(ws).is_blocked(c.hash))
    }

    /// The channel's slot, where the present policy has it.
    pub(crate) fn channel_of(&self, ws: u32, contact: &Contact) -> Option<u32> {
        let workspace = self.state.workspace(ws);
        workspace
            .channels
            .find(contact.channel.hash)
            .filter(|slot| workspace.channel(*slot).is_some_and(|c| c.is_configured))
    }

    /// The conversation that a fact names, by id or else by identity.
    pub(crate) fn find_named(&self, conversation: Option<&Id>, identity: Option<u128>) -> Option<u32> {
        match (conversation, identity) {
            (Some(id), _) => self.state.find_conversation(id.hash),
            (None, Some(identity)) => self.state.find_identity(identity),
            (None, None) => None,
        }
    }

    pub(crate) fn find(&mut self, ws: u32, contact: &Contact) -> Found {
        let mut other_customer = false;
        if let Some(id) = &contact.conversation {
            let known = self.state.find_conversation(id.hash).and_then(|slot| self.close_if_passed(ws, slot));
            let Some(slot) = known else { return Found::New { other_customer: false } };
            let theirs = self.state.conversation(slot).customer();
            other_customer =
                theirs != 0 && !contact.threaded && contact.customer.as_ref().is_some_and(|c| c.hash != theirs);
            if !other_customer {
                return Found::Known(slot);
            }
        }
        let by_identity = contact.identity.and_then(|i| self.state.find_identity(i));
        if let Some(slot) = by_identity.and_then(|slot| self.close_if_passed(ws, slot)) {
            return Found::Known(slot);
        }
        let by_new_id = self.state.find_conversation(contact.new_conversation.hash);
        match by_new_id.and_then(|slot| self.close_if_passed(ws, slot)) {
            Some(slot) => Found::Known(slot),
            None => Found::New { other_customer },
        }
    }

    /// A resolved conversation whose reopen window has passed is closed now and unknown from then on.
    fn close_if_passed(&mut self, ws: u32, slot: u32) -> Option<u32> {
        let row = self.state.conversation(slot);
        let window = self.state.workspace(ws).policy().reopen_window_ms;
        if row.phase() == Phase::Resolved && self.now - row.resolved_at() > window {
            self.close_resolved(slot);
            return None;
        }
        Some(slot)
    }

    fn close_resolved(&mut self, slot: u32) {
        self.ends(slot);
        self.without_cause(|s| {
            s.tell_conversation(DecisionType::ConversationClosed, Reason::ReopenWindowPassed, slot, None);
        });
    }

    /// What has passed its reopen window leaves, oldest first, at most two a step.
    pub(crate) fn expire(&mut self, ws: u32) {
        let window = self.state.workspace(ws).policy().reopen_window_ms;
        for _ in 0..2 {
            match self.state.oldest_resolved(ws) {
                Some((slot, at)) if self.now - at > window => self.close_resolved(slot),
                _ => return,
            }
        }
    }

    fn open(&mut self, ws: u32, input: &Input, contact: &Contact, channel: u32, other_customer: bool) -> Verdict {
        let (slot, is_linked) = self.begin(ws, input, contact, channel, other_customer);
        let asked = self.asked(ws, &contact.skills);
        let is_known = asked.len() == contact.skills.len();
        let route = self.state.workspace(ws).route(contact, self.now);
        let reason = match (other_customer, is_linked) {
            (true, _) => Reason::OtherCustomer,
            (_, true) => Reason::Linked,
            _ => Reason::New,
        };
        let row = self.state.conversation(slot);
        if self.state.workspace(ws).bot_answers(row.entry()) {
            if !asked.is_empty() {
                self.effect(Effect::Asked { conversation: slot, skills: asked });
            }
            self.effect(Effect::BotTook { conversation: slot, queue: route.queue, rule: route.rule });
            self.turns_to_arrive(slot, self.event_time(input));
            self.customer_awaits(slot, self.event_time(input));
            self.tell_conversation(DecisionType::ConversationOpened, reason, slot, None);
            self.arm_open(slot);
            let until = self.now + self.state.workspace(ws).policy().bot_max_ms;
            self.arm(TimerKind::Turn, slot, until);
            return DECIDED;
        }
        let has_room = is_known && self.has_room_for_set(slot, route.queue, &asked);
        if has_room && !asked.is_empty() {
            self.effect(Effect::Asked { conversation: slot, skills: asked });
        }
        let announce = Some((DecisionType::ConversationOpened, reason));
        let reason = if has_room { Reason::New } else { Reason::TooManySkillSets };
        let (arrival, preferred) = (self.event_time(input), self.preferred(slot));
        self.arm_open(slot);
        self.awaits(slot, arrival, false);
        self.customer_awaits(slot, arrival);
        self.enter(slot, Entering { preferred, announce, ..Entering::new(route, reason, arrival) });
        DECIDED
    }

    /// The wait of a conversation starts then, and nobody has answered.
    fn turns_to_arrive(&mut self, slot: u32, arrival: u64) {
        let turn = self.state.conversation(slot).turn();
        self.effect(Effect::Turned { conversation: slot, turn, answered: false, arrival });
    }

    pub(crate) fn arm_open(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        if let Some(channel) = channel.filter(|_| row.live()) {
            let at = row.opened_at() + channel.max_open_ms;
            self.arm(TimerKind::Open, slot, at);
        }
    }

    /// A conversation comes into the state, with its names. Returns its slot, and whether there was one of this id before.
    pub(crate) fn begin(
        &mut self,
        ws: u32,
        input: &Input,
        contact: &Contact,
        channel: u32,
        other_customer: bool,
    ) -> (u32, bool) {
        let id = match &contact.conversation {
            Some(id) if !other_customer => id,
            _ => &contact.new_conversation,
        };
        let is_linked = self.state.is_known(id.hash) || contact.identity.is_some_and(|i| self.state.is_known(i));
        let workspace = self.state.workspace(ws);
        let entry = workspace.entries.find(contact.entry.hash).unwrap_or(NONE);
        let tier = workspace.tier(contact.tier).unwrap_or(NONE);
        let slot = self.state.next_conversation();
        self.effect(Effect::Opened {
            conversation: slot,
            workspace: ws,
            channel,
            entry,
            tier,
            hash: id.hash,
            identity: contact.identity.unwrap_or(0),
            customer: contact.customer.as_ref().map_or(0, |c| c.hash),
            source: input.source_hash,
            began_at: self.event_time(input),
        });
        let name = |what, id: &Id| Effect::Named { what, workspace: ws, slot, hash: id.hash, text: id.text.clone() };
        self.effect(name(NameOf::Conversation, id));
        if let Some(customer) = &contact.customer {
            self.effect(name(NameOf::Customer, customer));
        }
        if entry == NONE && !contact.entry.text.is_empty() {
            self.effect(name(NameOf::ConversationEntry, &contact.entry));
        }
        (slot, is_linked)
    }

    /// Who is preferred for a customer's new conversation: the owner of the oldest one that is open, else who owns the
    /// account.
    pub(crate) fn preferred(&self, slot: u32) -> Option<u32> {
        let row = self.state.conversation(slot);
        let customer = row.customer();
        if customer == 0 {
            return None;
        }
        let workspace = self.state.workspace(row.workspace());
        let persons = workspace.persons_of(customer);
        let theirs = persons.iter().flat_map(|person| self.state.conversations_of_customer(*person));
        let owned = theirs.filter(|c| **c != slot).filter_map(|c| {
            let row = self.state.conversation(*c);
            row.owner().map(|owner| (row.number(), owner))
        });
        let owner = owned.min().map(|(_, owner)| owner);
        owner.or_else(|| persons.iter().find_map(|person| workspace.account_owner(*person)))
    }

    fn reopen_by_message(&mut self, slot: u32, input: &Input, contact: &Contact) -> Verdict {
        let row = self.state.conversation(slot);
        let tier = self.state.workspace(row.workspace()).tier(contact.tier).unwrap_or(row.tier());
        let route = self.state.workspace(row.workspace()).route(contact, self.now);
        self.customer_awaits(slot, self.event_time(input));
        self.reopened(slot, tier, self.event_time(input), route);
        DECIDED
    }

    /// A resolved conversation is open again, and stands in its queue: in another where that is gone.
    pub(crate) fn reopened(&mut self, slot: u32, tier: u32, arrival: u64, otherwise: Route) {
        let row = self.state.conversation(slot);
        let (ws, queue, rule, last_owner) = (row.workspace(), row.queue(), row.rule(), row.last_owner());
        self.effect(Effect::Reopened { conversation: slot, tier, began_at: arrival });
        self.awaits(slot, arrival, false);
        let route = match self.state.workspace(ws).queue(queue) {
            Some(_) => Route { queue, rule },
            None => otherwise,
        };
        let last_owner = last_owner.filter(|agent| !self.state.agent(*agent).is_removed());
        let preferred = last_owner.or_else(|| self.preferred(slot));
        let announce = Some((DecisionType::ConversationReopened, Reason::Reopen));
        self.enter(slot, Entering { preferred, announce, ..Entering::new(route, Reason::Reopen, arrival) });
    }

    /// The event's own time, clamped; absent: now.
    pub(crate) fn event_time(&self, input: &Input) -> u64 {
        input.time.map_or(self.now, |t| t.clamp(self.now.saturating_sub(ARRIVAL_BACK_MS), self.now))
    }
}
