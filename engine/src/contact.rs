//! What customers do: contacts start and end, messages come; and how a conversation is found, opened, reopened, ended.
//! Identity, arrival and endings are those of routing.md §2.

use crate::decision::{DecisionType, Outcome, Reason};
use crate::effect::{Effect, NameOf};
use crate::id::Id;
use crate::input::{ActorKind, Contact, Input};
use crate::state::{NONE, Phase, Route};
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, ignored};

/// A start of waiting may lie this far back (routing.md §1).
const ARRIVAL_BACK_MS: u64 = 86_400_000;

/// What a contact's conversation is.
enum Found {
    Known(u32),
    New { other_customer: bool },
}

impl Stepping<'_> {
    pub(crate) fn contact_started(&mut self, ws: u32, input: &Input, contact: &Contact) -> Verdict {
        let Some(channel) = self.channel_of(ws, contact) else { return ignored(Reason::UnknownChannel) };
        if !self.state.workspace(ws).channel(channel).is_some_and(|c| c.live) {
            return ignored(Reason::NotLive);
        }
        match self.find(ws, contact) {
            Found::Known(slot) if self.state.conversation(slot).is_open() => ignored(Reason::AlreadyOpen),
            Found::Known(_) => ignored(Reason::NotOpen),
            Found::New { other_customer } => self.open(ws, input, contact, channel, other_customer),
        }
    }

    pub(crate) fn message_received(&mut self, ws: u32, input: &Input, contact: &Contact, opens: bool) -> Verdict {
        let Some(channel) = self.channel_of(ws, contact) else { return ignored(Reason::UnknownChannel) };
        match self.find(ws, contact) {
            Found::Known(slot) => {
                self.review_first(slot);
                match (self.state.conversation(slot).phase(), opens) {
                    (Phase::Resolved, true) => self.reopen(slot, input, contact),
                    (Phase::Resolved, false) => ignored(Reason::OpensNothing),
                    (Phase::Assigned, true) => {
                        self.tell_conversation(DecisionType::MessageRouted, Reason::None, slot, None);
                        DECIDED
                    }
                    (_, true) => (Outcome::Recorded, Reason::Waiting),
                    (_, false) => RECORDED,
                }
            }
            Found::New { .. } if !opens => ignored(Reason::OpensNothing),
            Found::New { other_customer } => self.open(ws, input, contact, channel, other_customer),
        }
    }

    pub(crate) fn message_sent(&mut self, conversation: Option<&Id>, identity: Option<u128>) -> Verdict {
        match self.find_named(conversation, identity) {
            Some(slot) => {
                self.review_first(slot);
                RECORDED
            }
            None => ignored(Reason::UnknownConversation),
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
        let row = self.state.conversation(slot);
        if !row.live() {
            return ignored(Reason::NotLive);
        }
        self.review_first(slot);
        let row = self.state.conversation(slot);
        let (owner, waited) = (row.owner(), self.now.saturating_sub(row.arrival()));
        let short = self.state.workspace(ws).channel(row.channel()).map_or(0, |c| c.short_abandon_ms);
        let (decision, reason) = match (row.phase(), by) {
            (Phase::Assigned, _) => (DecisionType::ConversationResolved, Reason::ContactEnded),
            (_, ActorKind::Customer) if waited <= short => {
                (DecisionType::ConversationAbandoned, Reason::ShortAbandoned)
            }
            (_, ActorKind::Customer) => (DecisionType::ConversationAbandoned, Reason::Abandoned),
            _ => (DecisionType::ConversationClosed, Reason::ContactEnded),
        };
        self.effect(Effect::Ended { conversation: slot });
        self.tell_conversation(decision, reason, slot, owner);
        DECIDED
    }

    /// The channel's slot, where the present policy has it.
    fn channel_of(&self, ws: u32, contact: &Contact) -> Option<u32> {
        let workspace = self.state.workspace(ws);
        workspace
            .channels
            .find(contact.channel.hash)
            .filter(|slot| workspace.channel(*slot).is_some_and(|c| c.is_configured))
    }

    /// The conversation that a fact names, by id or else by identity.
    fn find_named(&self, conversation: Option<&Id>, identity: Option<u128>) -> Option<u32> {
        match (conversation, identity) {
            (Some(id), _) => self.state.find_conversation(id.hash),
            (None, Some(identity)) => self.state.find_identity(identity),
            (None, None) => None,
        }
    }

    fn find(&mut self, ws: u32, contact: &Contact) -> Found {
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
        self.effect(Effect::Ended { conversation: slot });
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
        let id = match &contact.conversation {
            Some(id) if !other_customer => id,
            _ => &contact.new_conversation,
        };
        let workspace = self.state.workspace(ws);
        let entry = workspace.entries.find(contact.entry.hash).unwrap_or(NONE);
        let tier = workspace.tier(contact.tier).unwrap_or(NONE);
        let slot = self.state.next_conversation();
        let customer = contact.customer.as_ref().map_or(0, |c| c.hash);
        let identity = contact.identity.unwrap_or(0);
        self.effect(Effect::Opened {
            conversation: slot,
            workspace: ws,
            channel,
            entry,
            tier,
            hash: id.hash,
            identity,
            customer,
        });
        let name = |what, id: &Id| Effect::Named { what, workspace: ws, slot, hash: id.hash, text: id.text.clone() };
        self.effect(name(NameOf::Conversation, id));
        if let Some(customer) = &contact.customer {
            self.effect(name(NameOf::Customer, customer));
        }
        if entry == NONE && !contact.entry.text.is_empty() {
            self.effect(name(NameOf::ConversationEntry, &contact.entry));
        }
        let route = self.state.workspace(ws).route(contact);
        let asked = self.asked(ws, contact);
        let known = asked.len() == contact.skills.len();
        let (set, found) = self.set_of(ws, route.queue, channel, if known { &asked } else { &[] });
        let all_skills = known && found;
        if all_skills && !asked.is_empty() {
            self.effect(Effect::Asked { conversation: slot, skills: asked });
        }
        self.stand_in_line(slot, route, set, self.arrival(input));
        let reason = if other_customer { Reason::OtherCustomer } else { Reason::New };
        self.tell_conversation(DecisionType::ConversationOpened, reason, slot, None);
        let reason = if all_skills { Reason::New } else { Reason::TooManySkillSets };
        self.tell_conversation(DecisionType::ConversationQueued, reason, slot, None);
        DECIDED
    }

    fn reopen(&mut self, slot: u32, input: &Input, contact: &Contact) -> Verdict {
        let row = self.state.conversation(slot);
        let (ws, queue, rule, channel) = (row.workspace(), row.queue(), row.rule(), row.channel());
        let tier = self.state.workspace(ws).tier(contact.tier).unwrap_or(row.tier());
        self.effect(Effect::Reopened { conversation: slot, tier });
        let still = self.state.workspace(ws).queue(queue).is_some();
        let (route, set) = if still {
            (Route { queue, rule }, self.set_again(slot, queue, channel))
        } else {
            let route = self.state.workspace(ws).route(contact);
            (route, self.set_again(slot, route.queue, channel))
        };
        self.stand_in_line(slot, route, set, self.arrival(input));
        self.tell_conversation(DecisionType::ConversationReopened, Reason::Reopen, slot, None);
        self.tell_conversation(DecisionType::ConversationQueued, Reason::Reopen, slot, None);
        DECIDED
    }

    fn stand_in_line(&mut self, slot: u32, route: Route, set: u32, arrival: u64) {
        let row = self.state.conversation(slot);
        let head_start_ms = self.state.workspace(row.workspace()).head_start_ms(row.tier());
        let queued_at = self.now;
        let (queue, rule) = (route.queue, route.rule);
        self.effect(Effect::Queued { conversation: slot, queue, set, rule, arrival, queued_at, head_start_ms });
    }

    /// The event's own time, clamped; absent: now.
    fn arrival(&self, input: &Input) -> u64 {
        input.time.map_or(self.now, |t| t.clamp(self.now.saturating_sub(ARRIVAL_BACK_MS), self.now))
    }
}
