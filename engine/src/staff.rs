//! What agents hold besides conversations (wrap-up, work we did not route), and agents who drain or go (routing.md §3).

use crate::command::not_supervised;
use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, TimerKind, WrapUpHold};
use crate::id::Id;
use crate::input::{Input, Status};
use crate::policy::{WrapUpMode, limits};
use crate::state::Phase;
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, ignored, rejected};
use crate::view::HoldKind;
use alloc::vec::Vec;

/// Conversations that one agent's going is looked at for at most.
const HELD_MAX: usize = 256;

impl Stepping<'_> {
    /// After-call work of the owner of what is about to end.
    pub(crate) fn wrap_up(&self, slot: u32) -> WrapUpHold {
        let row = self.state.conversation(slot);
        let is_there = row.owner().is_some_and(|agent| !self.state.agent(agent).is_removed());
        let rule = self.state.workspace(row.workspace()).wrap_up(row.queue(), row.channel());
        let Some(rule) = rule.filter(|_| is_there) else { return WrapUpHold::default() };
        WrapUpHold { units: rule.units, until: self.now + rule.max_ms, timed: rule.mode == WrapUpMode::Timed }
    }

    /// It ends and leaves the state, without after-call work.
    pub(crate) fn ends(&mut self, slot: u32) {
        self.effect(Effect::Ended { conversation: slot, wrap_up: WrapUpHold::default() });
    }

    /// The first of an agent's wrap-ups to end is what wakes us.
    pub(crate) fn rearm_wrap_of(&mut self, owner: Option<u32>) {
        if let Some(agent) = owner {
            self.rearm_wrap(agent);
        }
    }

    fn rearm_wrap(&mut self, agent: u32) {
        let until = self.wrap_ups(agent).map(|hold| self.state.hold(hold).until()).min();
        let ws = self.state.agent(agent).workspace();
        self.arm_of(TimerKind::Wrap, ws, agent, until.unwrap_or(0));
    }

    fn wrap_ups(&self, agent: u32) -> impl Iterator<Item = u32> {
        self.state.holds_of(agent).filter(|hold| self.state.hold(*hold).kind() == HoldKind::WrapUp)
    }

    pub(crate) fn wrap_is_due(&mut self, agent: u32) {
        let ws = self.state.agent(agent).workspace();
        self.arm_of(TimerKind::Wrap, ws, agent, 0);
        let over: Vec<u32> = self.wrap_ups(agent).filter(|h| self.state.hold(*h).until() <= self.now).collect();
        over.into_iter().for_each(|hold| self.effect(Effect::HoldEnded { hold }));
        self.rearm_wrap(agent);
    }

    pub(crate) fn wrapup_complete(&mut self, conversation: &Id, agent: &Id) -> Verdict {
        let Some(agent) = self.state.find_configured(agent.hash) else { return rejected(Reason::UnknownAgent) };
        let of = |hold: &u32| self.state.hold(*hold).hash() == conversation.hash;
        // Of several of one conversation the one that began first.
        let Some(hold) = self.wrap_ups(agent).filter(of).last() else { return rejected(Reason::NoWrapUp) };
        if self.state.hold(hold).is_timed() {
            return rejected(Reason::WrapUpTimed);
        }
        self.effect(Effect::HoldEnded { hold });
        self.rearm_wrap(agent);
        RECORDED
    }

    /// Work that we did not route: a fact, so it may pass his limits.
    pub(crate) fn engaged(&mut self, agent: &Id, engagement: &Id, channel: &Id, units: Option<u32>) -> Verdict {
        let Some(agent) = self.state.find_configured(agent.hash) else { return ignored(Reason::UnknownAgent) };
        let ws = self.state.agent(agent).workspace();
        let workspace = self.state.workspace(ws);
        let known = workspace.channels.find(channel.hash);
        let Some((channel, rule)) =
            known.and_then(|c| workspace.channel(c).filter(|r| r.is_configured).map(|r| (c, r)))
        else {
            return ignored(Reason::UnknownChannel);
        };
        if self.engagement(agent, engagement.hash).is_some() {
            return RECORDED;
        }
        let is_external = |hold: &u32| self.state.hold(*hold).kind() == HoldKind::External;
        let many = self.state.holds_of(agent).filter(is_external).count() >= limits::ENGAGEMENTS;
        let units = units.unwrap_or(rule.units);
        if many || self.state.agent(agent).used().checked_add(units).is_none() {
            return ignored(Reason::TooMany);
        }
        let over = !self.state.fits_with(agent, channel, units);
        let (hash, text) = (engagement.hash, engagement.text.clone());
        self.effect(Effect::Engaged { agent, hash, channel, units, exclusive: rule.exclusive, text });
        if !over {
            return RECORDED;
        }
        self.tell_agent(DecisionType::CapacityExceeded, Reason::Engaged, agent, None);
        DECIDED
    }

    fn engagement(&self, agent: u32, hash: u128) -> Option<u32> {
        self.state.holds_of(agent).find(|hold| {
            let hold = self.state.hold(*hold);
            hold.kind() == HoldKind::External && hold.hash() == hash
        })
    }

    pub(crate) fn disengaged(&mut self, agent: &Id, engagement: &Id) -> Verdict {
        let Some(agent) = self.state.find_configured(agent.hash) else { return ignored(Reason::UnknownAgent) };
        let Some(hold) = self.engagement(agent, engagement.hash) else { return ignored(Reason::UnknownEngagement) };
        self.effect(Effect::HoldEnded { hold });
        RECORDED
    }

    pub(crate) fn drain_agent(&mut self, input: &Input, agent: &Id, drain: bool, has_reason: bool) -> Verdict {
        if let Some(refused) = not_supervised(input, has_reason) {
            return refused;
        }
        let Some(agent) = self.state.find_configured(agent.hash) else { return rejected(Reason::UnknownAgent) };
        if self.state.agent(agent).is_draining() == drain {
            return RECORDED;
        }
        let took_work = self.state.agent(agent).routable() != 0;
        self.effect(Effect::Drained { agent, is: drain });
        let reason = if drain { Reason::Drained } else { Reason::Undrained };
        self.tell_agent(DecisionType::AgentChanged, reason, agent, None);
        if drain && took_work {
            self.takes_no_more(agent, false);
        }
        DECIDED
    }

    pub(crate) fn remove_agent(
        &mut self,
        input: &Input,
        agent: &Id,
        successor: Option<&Id>,
        has_reason: bool,
    ) -> Verdict {
        if let Some(refused) = not_supervised(input, has_reason) {
            return refused;
        }
        let Some(agent) = self.state.find_configured(agent.hash) else { return rejected(Reason::UnknownAgent) };
        let heir = match successor {
            None => None,
            Some(id) => match self.state.find_configured(id.hash).filter(|heir| *heir != agent) {
                Some(heir) => Some(heir),
                None => return rejected(Reason::UnknownAgent),
            },
        };
        let rounds = self.state.rounds_with(agent);
        let was_online = self.state.agent(agent).is_online();
        self.effect(Effect::Removed { agent, successor: heir.map_or(0, |heir| heir + 1) });
        for timer in [TimerKind::Lease, TimerKind::Pace, TimerKind::Respond, TimerKind::Away, TimerKind::Shift] {
            let ws = self.state.agent(agent).workspace();
            self.arm_of(timer, ws, agent, 0);
        }
        self.tell_agent(DecisionType::AgentChanged, Reason::Removed, agent, None);
        self.takes_no_more(agent, true);
        self.rounds_may_end(rounds);
        if was_online {
            self.unstaffed(self.state.agent(agent).workspace());
        }
        let is_own = |hold: &u32| matches!(self.state.hold(*hold).kind(), HoldKind::WrapUp | HoldKind::External);
        let holds: Vec<u32> = self.state.holds_of(agent).filter(is_own).collect();
        holds.into_iter().for_each(|hold| self.effect(Effect::HoldEnded { hold }));
        self.rearm_wrap(agent);
        let ws = self.state.agent(agent).workspace();
        self.hand_over(ws);
        self.review_abilities(ws, false);
        DECIDED
    }

    /// What agents who were removed own goes to their heirs, or is queued again; by creation, within the budget.
    pub(crate) fn hand_over(&mut self, ws: u32) {
        for agent in self.state.workspace(ws).leaving().to_vec() {
            self.leaves_work(agent);
        }
    }

    fn leaves_work(&mut self, agent: u32) {
        let heir = self.state.agent(agent).successor().filter(|heir| !self.state.agent(*heir).is_removed());
        for slot in self.by_creation(self.state.owned_by(agent).collect()) {
            if !self.has_budget() {
                return;
            }
            self.budget -= 1;
            match heir {
                Some(heir) => {
                    self.withdraw(slot, Reason::AcceptedElsewhere);
                    let over = !self.fits(heir, slot);
                    self.give(slot, heir, (over, false));
                    self.tell_conversation(DecisionType::ConversationAssigned, Reason::Successor, slot, Some(agent));
                    self.turn_goes_on(slot);
                    if over {
                        self.tell_agent(DecisionType::CapacityExceeded, Reason::Override, heir, Some(slot));
                    }
                }
                None => {
                    self.withdraw(slot, Reason::Rescinded);
                    self.queued_again(slot, Reason::OwnerLost, None);
                }
            }
        }
    }

    pub(crate) fn by_creation(&self, mut slots: Vec<u32>) -> Vec<u32> {
        slots.sort_unstable_by_key(|slot| self.state.conversation(*slot).number());
        slots
    }

    /// An agent may be given nothing more, on some channel or at all: what was offered to him (`is_gone`, where he is no
    /// longer routable) is withdrawn, and nobody waits for him.
    pub(crate) fn takes_no_more(&mut self, agent: u32, is_gone: bool) {
        let mut lost = Vec::new();
        if is_gone {
            let is_lost = |slot: &u32| {
                let channel = self.state.conversation(*slot).channel();
                let row = self.state.agent(agent);
                row.routable() >> channel & 1 == 0 && row.effective() != Status::PendingAway
            };
            lost = self.by_creation(self.state.offered_to(agent).filter(is_lost).collect());
            for slot in &lost {
                self.withdraw_from(*slot, Reason::AgentLost, false);
            }
        }
        let held = self.by_creation(self.state.waited_for(agent));
        for slot in held.into_iter().take(HELD_MAX) {
            let is_there = self.state.is_routable(agent, self.state.conversation(slot).channel());
            // In the line of one agent it waits for his coming back, unless he is gone for good.
            let has_fallback = self.state.texts(slot).waiting.fallback != 0;
            let may_come = has_fallback && !self.state.agent(agent).is_removed();
            if !is_there && !may_come && self.state.conversation(slot).phase() == Phase::Queued {
                self.end_preference(slot);
            }
        }
        // Those in which he was asked just now, whether he still takes part in them or not.
        let mut rounds = self.state.rounds_with(agent);
        rounds.extend(lost);
        self.rounds_may_end(rounds);
    }

    /// Rounds of offers that somebody took part in who does no more; by creation.
    pub(crate) fn rounds_may_end(&mut self, rounds: Vec<u32>) {
        let mut rounds = self.by_creation(rounds);
        rounds.dedup();
        for slot in rounds.into_iter().take(HELD_MAX) {
            if self.state.conversation(slot).phase() == Phase::Queued {
                self.round_may_end(slot);
            }
        }
    }
}
