//! Commands on a conversation: claim, assign, resolve. Each test has its code; the order of the tests is part of what
//! is promised, since the first that fails is the answer.

use crate::decision::{DecisionType, Reason};
use crate::effect::Effect;
use crate::id::Id;
use crate::input::{ActorKind, Input};
use crate::state::Phase;
use crate::step::{DECIDED, Stepping, Verdict, rejected};

impl Stepping<'_> {
    /// An agent takes what waits. Skills are not tested: he chose it.
    pub(crate) fn claim(&mut self, conversation: &Id, agent: &Id, expected_epoch: Option<u64>) -> Verdict {
        let (agent, slot) = match self.both(agent, conversation, expected_epoch) {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        match self.state.conversation(slot).owner() {
            Some(owner) if owner == agent => return rejected(Reason::AlreadyOwner),
            Some(_) => return rejected(Reason::OwnedByOther),
            None => {}
        }
        if !self.state.agent(agent).is_online() {
            return rejected(Reason::NotRoutable);
        }
        if !self.fits(agent, slot) {
            return rejected(Reason::NoCapacity);
        }
        self.give(slot, agent, false);
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Claim, slot, None);
        DECIDED
    }

    /// A supervisor gives it to an agent; over capacity only so, and recorded.
    pub(crate) fn assign(
        &mut self,
        input: &Input,
        conversation: &Id,
        agent: &Id,
        expected_epoch: Option<u64>,
        has_reason: bool,
    ) -> Verdict {
        let by_supervisor =
            input.actor.as_ref().is_some_and(|a| matches!(a.kind, ActorKind::Supervisor | ActorKind::System));
        if !by_supervisor {
            return rejected(Reason::NotSupervisor);
        }
        if !has_reason {
            return rejected(Reason::ReasonRequired);
        }
        let (agent, slot) = match self.both(agent, conversation, expected_epoch) {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        let row = self.state.conversation(slot);
        let before = row.owner();
        if before == Some(agent) {
            return rejected(Reason::AlreadyOwner);
        }
        if row.live() && !self.state.agent(agent).is_online() {
            return rejected(Reason::NotRoutable);
        }
        if !self.is_countable(agent, slot) {
            return rejected(Reason::NoCapacity);
        }
        let over = !self.fits_by_load(agent, slot);
        self.give(slot, agent, over);
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Supervisor, slot, before);
        if over {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::Override, agent, Some(slot));
        }
        DECIDED
    }

    /// Done. A live contact leaves at once, an async one stays for its reopen window.
    pub(crate) fn resolve(&mut self, input: &Input, conversation: &Id, expected_epoch: Option<u64>) -> Verdict {
        let slot = match self.open_one(conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        let row = self.state.conversation(slot);
        let (owner, live) = (row.owner(), row.live());
        let actor = input.actor.as_ref().filter(|a| a.kind == ActorKind::Agent);
        let is_other = |o: u32| actor.is_some_and(|a| self.state.find_agent(a.id.hash) != Some(o));
        if owner.is_some_and(is_other) {
            return rejected(Reason::NotOwner);
        }
        self.effect(if live { Effect::Ended { conversation: slot } } else { Effect::Resolved { conversation: slot } });
        self.tell_conversation(DecisionType::ConversationResolved, Reason::Resolved, slot, owner);
        DECIDED
    }

    fn both(&mut self, agent: &Id, conversation: &Id, expected_epoch: Option<u64>) -> Result<(u32, u32), Verdict> {
        let agent = self.state.find_agent(agent.hash).ok_or(rejected(Reason::UnknownAgent))?;
        Ok((agent, self.open_one(conversation, expected_epoch)?))
    }

    /// A conversation that is queued or assigned, at the epoch that is expected.
    fn open_one(&mut self, conversation: &Id, expected_epoch: Option<u64>) -> Result<u32, Verdict> {
        let slot = self.state.find_conversation(conversation.hash).ok_or(rejected(Reason::UnknownConversation))?;
        let row = self.state.conversation(slot);
        if expected_epoch.is_some_and(|e| e != row.epoch()) {
            return Err(rejected(Reason::StaleEpoch));
        }
        if row.phase() == Phase::Resolved {
            return Err(rejected(Reason::NotOpen));
        }
        self.review_first(slot);
        Ok(slot)
    }

    fn fits(&self, agent: u32, conversation: u32) -> bool {
        let row = self.state.conversation(conversation);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        channel.is_some_and(|c| self.state.fits(agent, row.channel(), c.live, c.units))
    }

    /// A supervisor may pass any limit of an agent's, but not that of the ledger's numbers.
    fn is_countable(&self, agent: u32, conversation: u32) -> bool {
        let row = self.state.conversation(conversation);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        self.state.agent(agent).used().checked_add(channel.map_or(1, |c| c.units)).is_some()
    }

    /// As `fits`, whatever his presence: an absent agent is not over capacity.
    fn fits_by_load(&self, agent: u32, conversation: u32) -> bool {
        let row = self.state.conversation(conversation);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        channel.is_some_and(|c| self.state.fits_by_load(agent, row.channel(), c.live, c.units))
    }
}
