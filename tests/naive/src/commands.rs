//! Who is to own a conversation, by command: claim and assign. Each check in the order in which it is answered.

use crate::telling::{Step, Verdict};
use engine::decision::{PhaseWord, Reason};
use engine::policy::{Pick, Strategy};

impl Step<'_> {
    /// An agent takes what waits. Skills are not tested: he chose it.
    pub fn claim(&mut self, id: &str, agent: &str, expected_epoch: Option<u64>) -> Verdict {
        if !self.workspace.agent_index.contains_key(agent) {
            return Verdict::rejected(Reason::UnknownAgent);
        }
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        let conversation = &self.workspace.conversations[&id];
        match conversation.owner.as_deref() {
            Some(owner) if owner == agent => return Verdict::rejected(Reason::AlreadyOwner),
            Some(_) => return Verdict::rejected(Reason::OwnedByOther),
            None => {}
        }
        let claimer = &self.workspace.agents[self.agent_number(agent)];
        if !self.workspace.takes_work(claimer, &conversation.channel) {
            return Verdict::rejected(Reason::NotRoutable);
        }
        if conversation.offer.as_ref().is_some_and(|offer| offer.agent == agent) {
            self.accept_offer(&id, agent);
            return Verdict::decided();
        }
        if let Some(refusal) = self.not_claimable(&id, agent) {
            return Verdict::rejected(refusal);
        }
        self.end_bot(&id);
        self.withdraw(&id, Reason::AcceptedElsewhere);
        self.hand(agent, &id, Reason::Claim, "");
        self.rearm(&id);
        self.rearm_owner(agent);
        Verdict::decided()
    }

    fn not_claimable(&self, id: &str, agent: &str) -> Option<Reason> {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let queue = workspace.queue(&conversation.queue);
        let is_manual = queue.is_some_and(|queue| queue.strategy == Strategy::Manual);
        let is_pulled = is_manual && conversation.phase == PhaseWord::Queued;
        let preference = conversation.preference.as_ref();
        let is_held_for_him = preference.is_some_and(|preference| preference.agent == agent);
        let only_head = queue.is_some_and(|queue| queue.pick == Pick::Head);
        let in_queue = |other: &&String| workspace.conversations[*other].queue == conversation.queue;
        let is_head = workspace.waiting.values().find(in_queue).is_none_or(|head| head == id);
        if !self.has_room(agent, id) {
            Some(Reason::NoCapacity)
        } else if !is_pulled || is_held_for_him {
            None
        } else if preference.is_some() {
            Some(Reason::PreferredOnly)
        } else if only_head && !is_head {
            Some(Reason::NotHead)
        } else {
            None
        }
    }

    /// A supervisor gives it to an agent; over capacity only so, and told.
    pub fn assign(&mut self, id: &str, agent: &str, expected_epoch: Option<u64>, reason: Option<&str>) -> Verdict {
        if !self.is_supervisor() {
            return Verdict::rejected(Reason::NotSupervisor);
        }
        let Some(text) = reason.filter(|reason| !reason.is_empty()) else {
            return Verdict::rejected(Reason::ReasonRequired);
        };
        if !self.workspace.agent_index.contains_key(agent) {
            return Verdict::rejected(Reason::UnknownAgent);
        }
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        let conversation = &self.workspace.conversations[&id];
        if conversation.owner.as_deref() == Some(agent) {
            return Verdict::rejected(Reason::AlreadyOwner);
        }
        let taker = &self.workspace.agents[self.agent_number(agent)];
        if conversation.live && !self.workspace.takes_work(taker, &conversation.channel) {
            return Verdict::rejected(Reason::NotRoutable);
        }
        if !self.is_countable(agent, &id) {
            return Verdict::rejected(Reason::NoCapacity);
        }
        self.end_bot(&id);
        self.withdraw(&id, Reason::AcceptedElsewhere);
        let previous_owner = self.end_hold(&id).unwrap_or_default();
        self.give_over(&id, agent, Reason::Supervisor, &previous_owner, text);
        Verdict::decided()
    }

    /// To an agent whether he has room or not.
    pub fn give_over(&mut self, id: &str, agent: &str, reason: Reason, previous_owner: &str, text: &str) {
        let fitted = self.has_room(agent, id);
        self.hand_saying(agent, id, reason, previous_owner, text);
        if !fitted {
            self.tell_exceeded(Reason::Override, agent, id);
        }
        self.rearm(id);
        self.rearm_owner(previous_owner);
        self.rearm_owner(agent);
    }

    /// A supervisor may pass any limit of an agent's, but not that of the ledger's numbers.
    fn is_countable(&self, agent: &str, id: &str) -> bool {
        let units = self.hold_for(id, crate::agent::HoldKind::Work).units;
        let agent = &self.workspace.agents[self.agent_number(agent)];
        agent.used().checked_add(units).is_some() && agent.holds.len() < engine::policy::limits::HOLDS
    }
}
