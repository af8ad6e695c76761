//! Offers: asked of one agent, accepted, declined, expired, withdrawn (routing.md §5).

use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::queueing::Entering;
use crate::state::Phase;
use crate::step::{About, DECIDED, Stepping, Verdict, rejected};

impl Stepping<'_> {
    pub(crate) fn offer(&mut self, slot: u32, agent: u32, preferred: bool, accept_ms: u64) {
        let reason = if preferred { Reason::Preferred } else { Reason::Auto };
        self.make_offer(slot, agent, (preferred, false), accept_ms, reason);
    }

    /// To the taker of a warm transfer, while the giver keeps it.
    pub(crate) fn offer_warm(&mut self, slot: u32, agent: u32, accept_ms: u64) {
        self.make_offer(slot, agent, (false, true), accept_ms, Reason::Warm);
    }

    fn make_offer(&mut self, slot: u32, agent: u32, (preferred, warm): (bool, bool), accept_ms: u64, reason: Reason) {
        let (units, exclusive) = self.hold_asked(slot);
        let offer = self.state.offers() + 1;
        self.effect(Effect::Offered { conversation: slot, agent, offer, units, exclusive, preferred, warm });
        // While behind, its time begins when the shard has caught up: nobody could have answered it.
        let until = if self.state.is_behind() { 0 } else { self.now + accept_ms };
        let about = About { conversation: Some(slot), agent: Some(agent), offer, until, ..About::default() };
        self.tell(DecisionType::ConversationOffered, reason, about);
        self.arm(TimerKind::Wait, slot, until);
    }

    pub(crate) fn offered_agent(&self, slot: u32) -> Option<u32> {
        self.state.conversation(slot).offer_hold().map(|hold| self.state.hold(hold).agent())
    }

    fn answered_offer(&self, offer: u64, agent: &Id) -> Result<(u32, u32), Verdict> {
        let agent = self.state.find_configured(agent.hash).ok_or(rejected(Reason::UnknownAgent))?;
        let slot = self.state.find_offer(offer).ok_or(rejected(Reason::OfferGone))?;
        if self.state.conversation(slot).workspace() != self.state.agent(agent).workspace() {
            return Err(rejected(Reason::OfferGone));
        }
        match self.offered_agent(slot) {
            Some(asked) if asked == agent => Ok((slot, agent)),
            _ => Err(rejected(Reason::NotYours)),
        }
    }

    pub(crate) fn accept(&mut self, offer: u64, agent: &Id) -> Verdict {
        match self.answered_offer(offer, agent) {
            Ok((slot, agent)) => self.accepted(slot, agent),
            Err(verdict) => return verdict,
        }
        DECIDED
    }

    /// The open offer's agent takes it.
    pub(crate) fn accepted(&mut self, slot: u32, agent: u32) {
        let is_warm = self.state.conversation(slot).is_offer_warm();
        let before = self.state.conversation(slot).owner();
        let hold = self.state.conversation(slot).offer_hold().map(|hold| self.state.hold(hold));
        let asked = hold.map_or_else(|| self.hold_asked(slot), |hold| (hold.units(), hold.is_exclusive()));
        if is_warm {
            self.transfer_counts(slot);
            self.effect(Effect::OfferEnded { conversation: slot });
            self.tell_conversation(DecisionType::ConversationTransferred, Reason::Transfer, slot, before);
        }
        self.give_units(slot, agent, asked, (false, false));
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Accepted, slot, before);
        self.wait_stops(slot);
        self.turn_goes_on(slot);
        let declines = self.state.agent(agent).declines();
        if declines > 0 {
            let not_responding = self.state.agent(agent).is_not_responding();
            self.effect(Effect::Responds { agent, declines: 0, not_responding });
        }
        if is_warm {
            self.too_many_transfers(slot);
        }
    }

    fn wait_stops(&mut self, slot: u32) {
        self.arm(TimerKind::Wait, slot, 0);
    }

    pub(crate) fn decline(&mut self, offer: u64, agent: &Id) -> Verdict {
        match self.answered_offer(offer, agent) {
            Ok((slot, _)) => self.not_taken(slot, Reason::Declined),
            Err(verdict) => return verdict,
        }
        DECIDED
    }

    pub(crate) fn offer_expired(&mut self, slot: u32) {
        self.not_taken(slot, Reason::Expired);
    }

    /// Declined or expired: the agent is out for this round, and his silence counts.
    fn not_taken(&mut self, slot: u32, reason: Reason) {
        let agent = self.offered_agent(slot).expect("an open offer has an agent");
        self.withdraw_from(slot, reason, true);
        let row = self.state.agent(agent);
        let declines = row.declines() + 1;
        let ws = row.workspace();
        let policy = self.state.workspace(ws).policy();
        let (limit, ends_after) = (policy.decline_limit, policy.not_responding_ms);
        let was = row.is_not_responding();
        let is = was || (limit > 0 && declines >= limit);
        self.effect(Effect::Responds { agent, declines, not_responding: is });
        if is && !was {
            self.tell_agent(DecisionType::AgentChanged, Reason::NotResponding, agent, None);
            self.arm_of(TimerKind::Respond, ws, agent, if ends_after == 0 { 0 } else { self.now + ends_after });
            self.takes_no_more(agent, false);
        }
        self.round_may_end(slot);
    }

    /// Where nobody is left who was not asked in this round, it ends.
    pub(crate) fn round_may_end(&mut self, slot: u32) {
        if self.state.conversation(slot).phase() != Phase::Queued {
            return;
        }
        let waiting = &self.state.texts(slot).waiting;
        let is_round = waiting.giver != 0 || !waiting.declined.is_empty();
        if is_round && waiting.only == 0 && waiting.paused_until == 0 && !self.state.is_anybody_left(slot) {
            self.round_ends(slot);
        }
    }

    /// The open offer, if there is one, is over by a decision about the conversation. What waited stands nowhere then.
    pub(crate) fn withdraw(&mut self, slot: u32, reason: Reason) {
        let row = self.state.conversation(slot);
        let (offer, Some(agent)) = (row.offer(), self.offered_agent(slot)) else { return };
        self.effect(Effect::OfferEnded { conversation: slot });
        self.arm(TimerKind::Wait, slot, 0);
        let about = About { conversation: Some(slot), agent: Some(agent), offer, ..About::default() };
        self.tell(DecisionType::OfferWithdrawn, reason, about);
    }

    /// The open offer is over, and who waited waits on. `declined`: without this agent for the round.
    pub(crate) fn withdraw_from(&mut self, slot: u32, reason: Reason, declined: bool) {
        let row = self.state.conversation(slot);
        let (offer, Some(agent)) = (row.offer(), self.offered_agent(slot)) else { return };
        let (is_warm, ws, queue, arrival) = (row.is_offer_warm(), row.workspace(), row.queue(), row.arrival());
        if !is_warm && self.state.workspace(ws).queue(queue).is_none() {
            // Its queue is gone meanwhile: it goes where all go that have none.
            self.withdraw(slot, reason);
            let route = self.state.workspace(ws).default_route();
            return self.enter(slot, Entering::new(route, Reason::Requeue, arrival));
        }
        self.effect(Effect::OfferEnded { conversation: slot });
        if !is_warm {
            let class = self.class(slot); // the policy may have changed since
            self.stand_anew(slot, |w| {
                w.class = class;
                if declined {
                    w.declined.push(agent);
                }
                // Who was waited for and did not take it is waited for no more.
                (w.only, w.only_until) = (0, 0);
            });
        }
        let about = About { conversation: Some(slot), agent: Some(agent), offer, ..About::default() };
        self.tell(DecisionType::OfferWithdrawn, reason, about);
        match is_warm {
            true => self.arm(TimerKind::Wait, slot, 0),
            false => self.rearm_wait(slot),
        }
    }

    pub(crate) fn respond_is_due(&mut self, agent: u32) {
        let ws = self.state.agent(agent).workspace();
        self.arm_of(TimerKind::Respond, ws, agent, 0);
        self.effect(Effect::Responds { agent, declines: 0, not_responding: false });
        self.tell_agent(DecisionType::AgentChanged, Reason::Responding, agent, None);
    }

    /// Behind, or no longer: offers made meanwhile begin to run.
    pub(crate) fn fall_behind(&mut self, behind: bool) {
        if self.state.is_behind() == behind {
            return;
        }
        self.effect(Effect::Behind { is: behind });
    }
}
