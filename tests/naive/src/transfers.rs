//! Transfer, release and escalation by command (routing.md §6).

use crate::agent::{Agent, HoldKind};
use crate::contacts::skills_asked;
use crate::conversation::Held;
use crate::entering::Entering;
use crate::requirement::Skills;
use crate::telling::{Step, Verdict};
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail};
use engine::input::Target;
use engine::policy::Rung;

/// How a conversation is transferred.
pub struct Transfer<'a> {
    pub to: &'a Target,
    pub warm: bool,
    pub place_back: bool,
    pub has_note: bool,
    /// The reason given, else the note.
    pub text: Option<&'a str>,
    pub wait_ms: Option<u64>,
    pub fallback: Option<u128>,
}

impl Step<'_> {
    pub fn transfer(&mut self, id: &str, expected_epoch: Option<u64>, transfer: &Transfer) -> Verdict {
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if !self.may_transfer(&id) {
            return Verdict::rejected(Reason::NotOwner);
        }
        let conversation = &self.workspace.conversations[&id];
        let wants_context = self.workspace.queue(&conversation.queue).is_some_and(|queue| queue.context_required);
        if wants_context && !conversation.has_note && !transfer.has_note {
            return Verdict::rejected(Reason::ContextRequired);
        }
        match &transfer.to.agent {
            Some(agent) => self.transfer_to_agent(&id, &agent.text, transfer),
            None => self.transfer_to_queue(&id, transfer),
        }
    }

    /// No agent but the owner.
    fn may_transfer(&self, id: &str) -> bool {
        let owner = self.workspace.conversations[id].owner.as_deref();
        match (owner, self.acting_agent()) {
            (Some(owner), Some(acting)) => owner == acting,
            (Some(_), None) => true,
            (None, acting) => acting.is_none(),
        }
    }

    fn transfer_to_queue(&mut self, id: &str, transfer: &Transfer) -> Verdict {
        let queue = match transfer.to.queue {
            Some(hash) => self.workspace.queue_of_hash(hash),
            None if transfer.to.skills.is_empty() => return Verdict::rejected(Reason::NoTarget),
            None => Some(self.own_queue_again(id).0),
        };
        let Some(queue) = queue else { return Verdict::rejected(Reason::UnknownQueue) };
        let asked = if transfer.to.skills.is_empty() {
            self.workspace.conversations[id].asked.clone()
        } else {
            skills_asked(&transfer.to.skills)
        };
        if self.is_only_for_owner(id, &queue, &asked) {
            return Verdict::rejected(Reason::NoOtherMember);
        }
        let arrival = self.begin_transfer(id, transfer);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.asked = asked;
        }
        let giver = self.let_go(id, transfer);
        let other = self.workspace.conversations[id].queue.as_str().into();
        let text = transfer.text.unwrap_or("").into();
        self.with_detail(ToldDetail { other, text, ..ToldDetail::default() });
        let given_by = Some(giver.clone()).filter(|giver| !giver.is_empty());
        let reason = Reason::Transfer;
        self.enter(id, Entering { queue, reason, arrival, giver: given_by, ..Entering::default() });
        self.rearm_owner(&giver);
        self.escalate_if_passed_on_too_often(id);
        Verdict::decided()
    }

    fn transfer_to_agent(&mut self, id: &str, agent: &str, transfer: &Transfer) -> Verdict {
        let Some(taker) = self.workspace.agent(agent) else { return Verdict::rejected(Reason::UnknownAgent) };
        let conversation = &self.workspace.conversations[id];
        if conversation.owner.as_deref() == Some(agent) {
            return Verdict::rejected(Reason::AlreadyOwner);
        }
        let fallback = transfer.fallback.map(|fallback| self.workspace.queue_of_hash(fallback));
        if fallback == Some(None) {
            return Verdict::rejected(Reason::UnknownQueue);
        }
        let takes_work = self.workspace.takes_work(taker, &conversation.channel);
        let has_room = self.has_room(agent, id);
        let is_warm = transfer.warm && conversation.phase == PhaseWord::Assigned;
        match transfer.wait_ms {
            None if !takes_work => Verdict::rejected(Reason::NotRoutable),
            None if !has_room => Verdict::rejected(Reason::NoCapacity),
            Some(wait_ms) if !takes_work || !has_room => {
                self.transfer_to_line_of(id, agent, wait_ms, fallback.flatten(), transfer)
            }
            _ if is_warm => self.offer_warmly(id, agent, transfer),
            _ => {
                self.begin_transfer(id, transfer);
                let giver = self.workspace.conversations[id].owner.clone().unwrap_or_default();
                self.tell_handed(DecisionType::ConversationTransferred, Reason::Transfer, id, &giver);
                self.with_text(transfer.text);
                self.end_hold(id);
                self.hand(agent, id, Reason::Transfer, &giver);
                self.rearm(id);
                self.rearm_owner(&giver);
                self.rearm_owner(agent);
                self.escalate_if_passed_on_too_often(id);
                Verdict::decided()
            }
        }
    }

    /// It waits for one agent, and goes on after a while.
    fn transfer_to_line_of(
        &mut self,
        id: &str,
        agent: &str,
        wait_ms: u64,
        fallback: Option<String>,
        transfer: &Transfer,
    ) -> Verdict {
        let arrival = self.begin_transfer(id, transfer);
        let giver = self.let_go(id, transfer);
        let queue = self.workspace.conversations[id].queue.clone();
        let until = self.now + wait_ms.max(1);
        let fallback = fallback.unwrap_or(queue.clone());
        let firmly = Some(Held { agent: agent.to_string(), until, fallback: Some(fallback) });
        let given_by = Some(giver.clone()).filter(|giver| !giver.is_empty());
        let reason = Reason::Transfer;
        self.stay(id, &Entering { queue, reason, arrival, giver: given_by, firmly, ..Entering::default() });
        self.rearm_owner(&giver);
        self.escalate_if_passed_on_too_often(id);
        Verdict::decided()
    }

    fn offer_warmly(&mut self, id: &str, agent: &str, transfer: &Transfer) -> Verdict {
        self.withdraw(id, Reason::Rescinded);
        if transfer.has_note {
            self.keep_note(id);
        }
        self.offer(agent, id, Reason::Warm);
        self.rearm(id);
        self.rearm_owner(agent);
        Verdict::decided()
    }

    /// The taker of a warm transfer has accepted.
    pub fn complete_warm_transfer(&mut self, id: &str, agent: &str) {
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        conversation.transfers += 1;
        let giver = conversation.owner.clone().unwrap_or_default();
        let offer = conversation.offer.take();
        let index = self.agent_number(agent);
        let holds = &mut self.workspace.agents[index].holds;
        let place = holds.iter().position(|hold| hold.kind == HoldKind::Offer && hold.reference == id);
        let offered = place.map(|place| holds.remove(place));
        self.agent_moved(index);
        self.tell_handed(DecisionType::ConversationTransferred, Reason::Transfer, id, &giver);
        self.end_hold(id);
        // It is told without what was offered, and then that becomes his work, whatever its channel would take today.
        self.workspace.agents[index].holds.extend(offered);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.offer = offer;
        }
        self.hand(agent, id, Reason::Accepted, &giver);
        self.rearm(id);
        self.rearm_owner(&giver);
        self.rearm_owner(agent);
        self.escalate_if_passed_on_too_often(id);
    }

    /// Whether only its owner could take it in this queue.
    fn is_only_for_owner(&self, id: &str, queue: &str, asked: &Skills) -> bool {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let Some(owner) = conversation.owner.as_deref() else { return false };
        let steps = workspace.queue(queue).map_or(0, |queue| queue.steps.len());
        let all_steps = (0..=steps).map(|reached| workspace.requirement(queue, asked, &(0..reached).collect(), None));
        let requirements: Vec<_> = all_steps.collect();
        let is_able = |agent: &&Agent| {
            let meets_one = requirements.iter().any(|requirement| workspace.is_able(agent, queue, requirement));
            agent.stands_on(&conversation.channel) && meets_one
        };
        let mut able = workspace.agents.iter().filter(is_able).map(|agent| agent.id.as_str()).peekable();
        able.peek().is_some() && able.all(|agent| agent == owner)
    }

    /// What every transfer starts with. Returns the arrival with which it stands in a line after it.
    fn begin_transfer(&mut self, id: &str, transfer: &Transfer) -> Option<u64> {
        if transfer.has_note {
            self.keep_note(id);
        }
        self.end_bot(id);
        self.withdraw(id, Reason::Rescinded);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.transfers += 1;
        }
        Some(if transfer.place_back { self.now } else { self.arrival_kept(id) })
    }

    /// The giver's ownership ends, and it is told. Returns him; empty: nobody owned it.
    fn let_go(&mut self, id: &str, transfer: &Transfer) -> String {
        let giver = self.end_hold(id).unwrap_or_default();
        self.tell_handed(DecisionType::ConversationTransferred, Reason::Transfer, id, &giver);
        self.with_text(transfer.text);
        giver
    }

    /// The waiting already done counts; talking does not.
    pub fn arrival_kept(&self, id: &str) -> u64 {
        let conversation = &self.workspace.conversations[id];
        if conversation.owner.is_some() {
            self.now.saturating_sub(conversation.waited_ms)
        } else {
            conversation.arrival
        }
    }

    fn escalate_if_passed_on_too_often(&mut self, id: &str) {
        let transfers = self.workspace.conversations.get(id).map_or(0, |conversation| conversation.transfers);
        if transfers > self.workspace.policy.max_transfers {
            self.tell(DecisionType::ConversationEscalated, Reason::Transfers, id);
            self.with_detail(ToldDetail { number: transfers.into(), ..ToldDetail::default() });
        }
    }

    pub fn release(&mut self, id: &str, expected_epoch: Option<u64>, reason: Option<&str>) -> Verdict {
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        let conversation = &self.workspace.conversations[&id];
        let is_offered = conversation.phase == PhaseWord::Offered;
        let is_owned = conversation.owner.is_some();
        if self.is_anothers(&id) {
            return Verdict::rejected(Reason::NotOwner);
        }
        if self.lacks_reason(reason) {
            return Verdict::rejected(Reason::ReasonRequired);
        }
        let may_withdraw = is_offered && self.is_supervisor();
        if !is_owned && !may_withdraw {
            return Verdict::rejected(Reason::NoTarget);
        }
        if is_offered {
            let agent = conversation.offer.as_ref().map(|offer| offer.agent.clone()).unwrap_or_default();
            let is_where_it_was = self.withdraw_to_line(&id, Reason::Rescinded, "");
            self.declined(&id, &agent, false, is_where_it_was);
            return Verdict::decided();
        }
        let (queue, rule) = self.own_queue_again(&id);
        self.withdraw(&id, Reason::Rescinded);
        let arrival = Some(self.arrival_after_owner(&id));
        let giver = self.workspace.conversations[&id].owner.clone();
        self.lose_owner(&id, Reason::Released, reason.unwrap_or(""));
        let reason = Reason::Requeue;
        self.enter(&id, Entering { queue, rule, reason, arrival, giver, ..Entering::default() });
        Verdict::decided()
    }

    pub fn escalate(&mut self, id: &str, expected_epoch: Option<u64>, level: u8, reason: Option<&str>) -> Verdict {
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        let conversation = &self.workspace.conversations[&id];
        let queue = self.workspace.queue(&conversation.queue);
        let Some(rung) = queue.and_then(|queue| queue.ladder.iter().find(|rung| rung.level == level)).cloned() else {
            return Verdict::rejected(Reason::UnknownLevel);
        };
        if let Some(conversation) = self.workspace.conversations.get_mut(&id) {
            conversation.priority = conversation.priority.max(rung.priority);
        }
        self.tell(DecisionType::ConversationEscalated, Reason::Command, &id);
        let detail = ToldDetail { number: level.into(), text: reason.unwrap_or("").into(), ..ToldDetail::default() };
        self.with_detail(detail);
        self.climb(&id, &rung);
        Verdict::decided()
    }

    /// Where a level of the ladder leads, and who hears of it.
    pub fn climb(&mut self, id: &str, rung: &Rung) {
        let is_elsewhere = *rung.queue != *self.workspace.conversations[id].queue;
        if is_elsewhere && self.workspace.queue(&rung.queue).is_some() {
            self.end_bot(id);
            let arrival = Some(self.arrival_kept(id));
            self.withdraw(id, Reason::Rescinded);
            let owner = self.end_hold(id).unwrap_or_default();
            if !owner.is_empty() {
                self.tell_handed(DecisionType::ConversationUnassigned, Reason::Escalated, id, &owner);
            }
            let queue = rung.queue.to_string();
            self.enter(id, Entering { queue, reason: Reason::Escalated, arrival, ..Entering::default() });
            self.rearm_owner(&owner);
        } else {
            self.stand_anew(id);
            self.rearm(id);
        }
        self.notify(id, Reason::Escalated, rung.notify.iter().map(|agent| &**agent));
    }
}
