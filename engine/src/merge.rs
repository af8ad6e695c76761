//! Two conversations become one, and two customers (routing.md §2).

use crate::decision::{DecisionType, Reason, Turn};
use crate::effect::Effect;
use crate::id::Id;
use crate::policy::limits;
use crate::state::Phase;
use crate::state::workspace::PERSONS_MAX;
use crate::step::{About, DECIDED, RECORDED, Stepping, Verdict, ignored, rejected};
use alloc::boxed::Box;

/// Conversations of one customer that a change of his is told of at most.
const TOLD_MAX: usize = 256;

impl Stepping<'_> {
    /// `survivor` is one of both, or else the older survives.
    pub(crate) fn merge(&mut self, conversation: &Id, other: &Id, survivor: Option<&Id>) -> Verdict {
        let (Some(a), Some(b)) =
            (self.state.find_conversation(conversation.hash), self.state.find_conversation(other.hash))
        else {
            return rejected(Reason::UnknownConversation);
        };
        if a == b {
            return rejected(Reason::MergeIntoItself);
        }
        let number = |slot: u32| self.state.conversation(slot).number();
        let into = match survivor {
            Some(id) if self.state.find_conversation(id.hash) == Some(b) => b,
            Some(_) => a,
            None if number(b) < number(a) => b,
            None => a,
        };
        let from = if into == a { b } else { a };
        if self.state.conversation(into).phase() == Phase::Resolved {
            return rejected(Reason::NotOpen);
        }
        self.review_first(into);
        self.review_first(from);
        self.become_one(from, into);
        DECIDED
    }

    fn become_one(&mut self, from: u32, into: u32) {
        self.withdraw(from, Reason::Rescinded);
        let gone = self.state.conversation(from);
        let (owner, is_open, is_unanswered) = (gone.owner(), gone.is_open(), gone.is_open() && !gone.answered());
        let (arrival, had_owner) = (gone.arrival(), owner.is_some());
        let unanswered_since = if is_open { gone.unanswered_since() } else { 0 };
        let text: Box<str> = self.state.texts(from).id.clone();
        // Before it is gone: what its owner holds of it ends, without a wrap-up.
        self.effect(Effect::Merged { from, into });
        self.ends(from);
        let row = self.state.conversation(into);
        let earlier = match (row.answered(), is_unanswered) {
            (false, true) => arrival.min(row.arrival()),
            (true, true) => arrival,
            _ => row.arrival(),
        };
        if is_unanswered && (earlier != row.arrival() || row.answered()) {
            let turn = if row.owner().is_some() && !row.live() { Turn::Ours } else { row.turn() };
            self.effect(Effect::Turned { conversation: into, turn, answered: false, arrival: earlier });
        }
        let row = self.state.conversation(into);
        let takes = is_open && had_owner && row.owner().is_none();
        let heir = owner.filter(|agent| takes && !self.state.agent(*agent).is_removed());
        match heir {
            Some(agent) => {
                self.bot_ends(into);
                self.withdraw(into, Reason::AcceptedElsewhere);
                let over = !self.fits(agent, into);
                self.give(into, agent, (over, false));
                self.tell_conversation(DecisionType::ConversationAssigned, Reason::Merged, into, None);
                self.turn_goes_on(into);
                if over {
                    self.tell_agent(DecisionType::CapacityExceeded, Reason::Fact, agent, Some(into));
                }
            }
            None if row.phase() == Phase::Queued => {
                self.stand_anew(into, |_| {});
                self.rearm_wait(into);
            }
            None => {}
        }
        self.waits_for_both(into, unanswered_since);
        let about = About { conversation: Some(into), other: &text, ..About::default() };
        self.tell(DecisionType::ConversationMerged, Reason::Merged, about);
        let row = self.state.conversation(into);
        if row.phase() == Phase::Assigned && row.turn() == Turn::Ours && heir.is_none() {
            self.awaits_owner(into);
        }
    }

    /// The survivor's customer waits since his oldest unanswered contact in either.
    fn waits_for_both(&mut self, into: u32, other_since: u64) {
        let row = self.state.conversation(into);
        let (since, responded) = (row.unanswered_since(), row.responded());
        if other_since != 0 && row.phase() != Phase::InBot && !(row.live() && row.owner().is_some()) {
            let since = if since == 0 { other_since } else { since.min(other_since) };
            self.awaits(into, since, responded);
        }
    }

    pub(crate) fn customer_linked(&mut self, ws: u32, customer: &Id, other: &Id, is: bool) -> Verdict {
        let workspace = self.state.workspace(ws);
        let are = workspace.are_linked(customer.hash, other.hash);
        if customer.hash == other.hash || are == is {
            return if is { RECORDED } else { ignored(Reason::NotLinked) };
        }
        if is {
            let both = workspace.persons_of(customer.hash).len() + workspace.persons_of(other.hash).len();
            if both > PERSONS_MAX || workspace.remembered_customers().2 + 2 > limits::CUSTOMERS {
                return ignored(Reason::TooMany);
            }
        }
        self.effect(Effect::Linked { workspace: ws, customer: customer.hash, other: other.hash, is });
        let reason = if is { Reason::Linked } else { Reason::Unlinked };
        let about = About { workspace: ws, text: &customer.text, other: &other.text, ..About::default() };
        self.tell(DecisionType::CustomerMerged, reason, about);
        DECIDED
    }

    pub(crate) fn customer_updated(
        &mut self,
        ws: u32,
        customer: &Id,
        tier: Option<u128>,
        blocked: Option<bool>,
        account_owner: Option<&Id>,
    ) -> Verdict {
        let workspace = self.state.workspace(ws);
        let (blocked_now, owned_now, _) = workspace.remembered_customers();
        let is_blocked = workspace.is_blocked(customer.hash);
        let is_new_block = blocked == Some(true) && !is_blocked && blocked_now >= limits::CUSTOMERS;
        let is_new_owner = account_owner.is_some_and(|id| !id.text.is_empty())
            && workspace.account_owner(customer.hash).is_none()
            && owned_now >= limits::CUSTOMERS;
        if is_new_block || is_new_owner {
            return ignored(Reason::TooMany);
        }
        let owner = match account_owner {
            None => None,
            Some(id) if id.text.is_empty() => Some(None),
            Some(id) => match self.state.find_configured(id.hash) {
                Some(agent) => Some(Some(agent)),
                None => return ignored(Reason::UnknownAgent),
            },
        };
        let tier = match tier {
            None => None,
            Some(_) => match self.state.workspace(ws).tier(tier) {
                Some(tier) => Some(tier),
                None => return ignored(Reason::UnknownTier),
            },
        };
        if let Some(is) = blocked.filter(|is| *is != is_blocked) {
            self.effect(Effect::Blocked { workspace: ws, customer: customer.hash, is });
        }
        if let Some(agent) = owner.filter(|agent| *agent != self.state.workspace(ws).account_owner(customer.hash)) {
            self.effect(Effect::AccountOwner { workspace: ws, customer: customer.hash, agent });
        }
        let Some(tier) = tier else { return RECORDED };
        let is_affected = |slot: &u32| {
            let row = self.state.conversation(*slot);
            row.is_open() && row.tier() != tier
        };
        let theirs = self.state.conversations_of_customer(customer.hash).iter().copied();
        let affected: alloc::vec::Vec<u32> = theirs.filter(is_affected).take(TOLD_MAX).collect();
        let mut verdict = RECORDED;
        for slot in affected {
            self.mark(slot, |m| m.tier = tier);
            if !matches!(self.state.conversation(slot).phase(), Phase::Queued | Phase::Offered) {
                continue; // it counts when it waits again
            }
            self.stands_otherwise(slot);
            self.tell_conversation(DecisionType::ConversationUpdated, Reason::Customer, slot, None);
            self.rearm_wait(slot);
            verdict = DECIDED;
        }
        verdict
    }
}
