//! Offers: made, accepted, declined, withdrawn, expired; and the end of a round (routing.md §5).

use crate::agent::HoldKind;
use crate::conversation::Offer;
use crate::entering::Entering;
use crate::requirement::RequirementSet;
use crate::telling::{Step, Verdict};
use crate::timers::{Clock, Timer};
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail};
use engine::policy::{Exit, ExitKind, RoundEnd};

/// An agent has so long to accept where the queue has no time of its own.
const ACCEPT_MS: u64 = 30_000;
/// Rounds that one change of an agent ends.
const ROUNDS_MAX: usize = 256;

impl Step<'_> {
    /// Asks the agent whether he takes it.
    pub fn offer(&mut self, agent: &str, id: &str, reason: Reason) {
        let warm = reason == Reason::Warm;
        if !warm {
            self.leave_line(id);
        }
        let number = self.shard.next_offer;
        self.shard.next_offer += 1;
        let until = (!self.shard.is_behind).then_some(self.now + self.accept_ms(id));
        let hold = self.hold_for(id, HoldKind::Offer);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.offer = Some(Offer { number, agent: agent.to_string(), until, warm });
            if !warm {
                conversation.phase = PhaseWord::Offered;
            }
        }
        let index = self.agent_number(agent);
        self.workspace.agents[index].holds.push(hold);
        self.agent_moved(index);
        self.tell_both(DecisionType::ConversationOffered, reason, id, agent);
        self.with_detail(ToldDetail { offer: number, until: until.unwrap_or(0), ..ToldDetail::default() });
    }

    pub fn accept_ms(&self, id: &str) -> u64 {
        let queue = self.workspace.queue(&self.workspace.conversations[id].queue);
        let of_queue = queue.map_or(0, |queue| queue.accept_ms);
        if of_queue == 0 { ACCEPT_MS } else { of_queue }
    }

    /// The open offer, if there is one, is no more, by a decision about the conversation: it stands nowhere then.
    pub fn withdraw(&mut self, id: &str, reason: Reason) {
        self.take_offer_away(id, reason, "", false);
    }

    /// The open offer is no more, and where nobody owns it, the conversation stands in line again. False: in another queue
    /// than before, which is gone.
    pub fn withdraw_to_line(&mut self, id: &str, reason: Reason, text: &str) -> bool {
        self.take_offer_away(id, reason, text, true)
    }

    fn take_offer_away(&mut self, id: &str, reason: Reason, text: &str, returns: bool) -> bool {
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return true };
        let Some(offer) = conversation.offer.take() else { return true };
        let index = self.agent_number(&offer.agent);
        self.workspace.agents[index].holds.retain(|hold| hold.kind != HoldKind::Offer || hold.reference != id);
        let queue = &self.workspace.conversations[id].queue;
        let is_homeless = returns && !offer.warm && self.workspace.queue(queue).is_none();
        let returns = returns && !is_homeless;
        if !offer.warm {
            if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                conversation.phase = PhaseWord::Queued;
                conversation.preference = None;
                conversation.is_preferred_absent &= returns;
            }
            if returns {
                self.rekey(id);
                self.find_set(id);
                self.join_line(id);
            }
        }
        if !returns {
            // Whatever comes next has a place of its own among equal deadlines.
            self.shard.timers.arm(&self.workspace.name, Timer::Conversation(id.to_string(), Clock::Wait), None);
        }
        self.agent_moved(index);
        self.tell_both(DecisionType::OfferWithdrawn, reason, id, &offer.agent);
        self.with_detail(ToldDetail { offer: offer.number, text: text.into(), ..ToldDetail::default() });
        if returns {
            self.rearm(id);
        } else {
            // Its time is over: another offer that ends at the same moment is armed later.
            self.shard.timers.arm(&self.workspace.name, Timer::Conversation(id.to_string(), Clock::Wait), None);
        }
        if is_homeless {
            // Its queue is gone meanwhile: it goes where all go that have none.
            let (queue, rule) = self.own_queue_again(id);
            self.enter(id, Entering { queue, rule, reason: Reason::Requeue, ..Entering::default() });
        }
        self.rearm_agent(index);
        !is_homeless
    }

    /// An offer that was made while the shard was behind has its time from now on.
    pub fn start_offer(&mut self, id: &str) {
        let until = Some(self.now + self.accept_ms(id));
        if let Some(offer) = self.workspace.conversations.get_mut(id).and_then(|found| found.offer.as_mut()) {
            offer.until = offer.until.or(until);
        }
        self.rearm(id);
    }

    pub fn accept(&mut self, number: u64, agent: &str) -> Verdict {
        let id = match self.open_offer(number, agent) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        self.accept_offer(&id, agent);
        Verdict::decided()
    }

    /// The agent takes what is offered to him.
    pub fn accept_offer(&mut self, id: &str, agent: &str) {
        self.catch_up(id);
        let index = self.agent_number(agent);
        self.workspace.agents[index].misses = 0;
        let is_warm = self.workspace.conversations[id].offer.as_ref().is_some_and(|offer| offer.warm);
        if is_warm {
            return self.complete_warm_transfer(id, agent);
        }
        self.hand(agent, id, Reason::Accepted, "");
        self.rearm(id);
        self.rearm_agent(index);
    }

    pub fn decline(&mut self, number: u64, agent: &str, reason: Option<&str>) -> Verdict {
        let id = match self.open_offer(number, agent) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        self.catch_up(&id);
        let is_where_it_was = self.withdraw_to_line(&id, Reason::Declined, reason.unwrap_or(""));
        self.declined(&id, agent, true, is_where_it_was);
        Verdict::decided()
    }

    pub fn offer_expires(&mut self, id: &str) {
        let Some(agent) = self.workspace.conversations[id].offer.as_ref().map(|offer| offer.agent.clone()) else {
            return;
        };
        let is_where_it_was = self.withdraw_to_line(id, Reason::Expired, "");
        self.declined(id, &agent, true, is_where_it_was);
    }

    /// The conversation of this open offer, if it is the agent's.
    fn open_offer(&self, number: u64, agent: &str) -> Result<String, Verdict> {
        if !self.workspace.agent_index.contains_key(agent) {
            return Err(Verdict::rejected(Reason::UnknownAgent));
        }
        let offered = |offer: &Option<Offer>| offer.as_ref().is_some_and(|offer| offer.number == number);
        let mut conversations = self.workspace.conversations.values();
        let Some(found) = conversations.find(|conversation| offered(&conversation.offer)) else {
            return Err(Verdict::rejected(Reason::OfferGone));
        };
        let is_his = found.offer.as_ref().is_some_and(|offer| offer.agent == agent);
        if is_his { Ok(found.id.clone()) } else { Err(Verdict::rejected(Reason::NotYours)) }
    }

    /// He had his chance in this round.
    pub fn declined(&mut self, id: &str, agent: &str, is_miss: bool, is_where_it_was: bool) {
        let is_waiting = self.workspace.is_in_line(id);
        // Where its queue was gone it has come into another, and nobody there has been asked.
        if is_waiting
            && is_where_it_was
            && let Some(conversation) = self.workspace.conversations.get_mut(id)
        {
            conversation.declined.insert(agent.to_string());
        }
        let index = self.agent_number(agent);
        if is_miss {
            self.count_miss(index);
        }
        if is_waiting {
            self.end_round_if_over(id);
        }
        self.rearm(id);
        self.rearm_agent(index);
    }

    fn count_miss(&mut self, index: usize) {
        let limit = self.workspace.policy.decline_limit;
        let now = self.now;
        let agent = &mut self.workspace.agents[index];
        agent.misses += 1;
        if limit > 0 && agent.misses >= limit && agent.not_responding_since.is_none() {
            let before = self.workspace.channels_of_work(&self.workspace.agents[index]);
            let for_ms = self.workspace.policy.not_responding_ms;
            let agent = &mut self.workspace.agents[index];
            agent.not_responding_since = Some(now);
            agent.respond_at = (for_ms > 0).then_some(now + for_ms);
            self.agent_moved(index);
            self.tell_agent(DecisionType::AgentChanged, Reason::NotResponding, index);
            self.rearm_agent(index);
            self.lose_preferences(index, &before);
            self.rounds_may_end(self.rounds_with(index));
        }
    }

    /// All who could have taken it have declined: what the queue says then.
    pub fn end_round_if_over(&mut self, id: &str) {
        if !self.is_round_over(id) {
            return;
        }
        // Taken steps bring others in; who has declined stays out until a pause is over.
        let conversation = &self.workspace.conversations[id];
        let Some(queue) = self.workspace.queue(&conversation.queue).cloned() else { return };
        let has_step = conversation.steps_seen < queue.steps.len();
        match queue.on_all_declined {
            RoundEnd::Relax if has_step => {
                if !self.take_step(id) {
                    self.end_round_if_over(id);
                }
            }
            RoundEnd::Again | RoundEnd::Relax => {
                let until = self.now + queue.round_ms.max(1);
                if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                    conversation.pause_until = Some(until);
                }
            }
            RoundEnd::Queue => {
                let exit = Exit { kind: ExitKind::Queue, text: queue.all_declined_queue.clone() };
                self.take_way_out(id, &exit, Reason::AllDeclined);
            }
            RoundEnd::Park => self.park(id, Reason::AllDeclined),
        }
    }

    fn is_round_over(&self, id: &str) -> bool {
        let workspace = &self.workspace;
        let Some(conversation) = workspace.conversations.get(id) else { return false };
        let Some(set) = &conversation.set else { return false };
        if conversation.phase != PhaseWord::Queued {
            return false;
        }
        let was_asked = conversation.giver.is_some() || !conversation.declined.is_empty();
        if conversation.preference.is_some() || conversation.pause_until.is_some() || !was_asked {
            return false;
        }
        !workspace.agents.iter().any(|agent| {
            let membership = workspace.membership(agent, &set.queue);
            workspace.takes_work(agent, &set.channel)
                && membership.is_some_and(|membership| membership.delay_ms <= conversation.stage_ms)
                && agent.meets(&set.requirement)
                && !conversation.is_left_out(&agent.id)
        })
    }

    /// Rounds of offers in which an agent takes part, by creation.
    pub fn rounds_with(&self, index: usize) -> Vec<String> {
        let agent = &self.workspace.agents[index];
        let mut rounds: Vec<&String> = self.workspace.waiting.values().collect();
        rounds.retain(|id| {
            let conversation = &self.workspace.conversations[*id];
            let is_under_way = conversation.giver.is_some() || !conversation.declined.is_empty();
            let set = conversation.set.as_ref();
            let takes_part = |set: &RequirementSet| {
                agent.stands_on(&set.channel) && self.workspace.is_able(agent, &set.queue, &set.requirement)
            };
            is_under_way && set.is_some_and(takes_part)
        });
        rounds.sort_by_key(|id| self.workspace.conversations[*id].creation);
        rounds.into_iter().cloned().collect()
    }

    /// Somebody has stopped to take work: he may have been the last in them.
    pub fn rounds_may_end(&mut self, rounds: Vec<String>) {
        for id in rounds.into_iter().take(ROUNDS_MAX) {
            if self.workspace.is_in_line(&id) {
                self.end_round_if_over(&id);
                self.rearm(&id);
            }
        }
    }

    /// Everybody may be asked again.
    pub fn begin_round(&mut self, id: &str) {
        self.workspace.fresh.insert(id.to_string());
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.pause_until = None;
            conversation.declined.clear();
            conversation.giver = None;
        }
    }
}
