//! Transfer, release and escalation by command (routing.md §6).

use crate::command::{is_supervised, needs_reason};
use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, SkillSlot, Waiting};
use crate::id::Id;
use crate::input::{ActorKind, Body, Input, Target};
use crate::queueing::Entering;
use crate::state::{Phase, Route};
use crate::step::{About, DECIDED, Stepping, Verdict, rejected};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Where a transfer goes, after all tests.
enum To {
    Agent(u32),
    /// Waits so long in his line, then goes to the queue.
    Line(u32, u64, u32),
    Queue(u32, Option<Vec<SkillSlot>>),
}

/// A level of a queue's ladder.
pub(crate) struct Rung {
    level: u8,
    pub priority: u8,
    queue: Option<u32>,
    notify: Vec<Box<str>>,
}

impl Stepping<'_> {
    pub(crate) fn transfer(&mut self, input: &Input) -> Verdict {
        let Body::ConversationTransfer {
            conversation,
            expected_epoch,
            to,
            warm,
            place_back,
            note,
            wait_ms,
            fallback,
            ..
        } = &input.body
        else {
            return rejected(Reason::NoTarget);
        };
        let slot = match self.open_one(conversation, *expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        let by_agent = input.actor.as_ref().is_some_and(|a| a.kind == ActorKind::Agent);
        let owner = self.state.conversation(slot).owner();
        if let Some(refused) = self.not_owner(input, slot) {
            return refused;
        }
        if owner.is_none() && by_agent {
            return rejected(Reason::NotOwner);
        }
        let row = self.state.conversation(slot);
        let needs_context =
            self.state.workspace(row.workspace()).queue(row.queue()).is_some_and(|q| q.context_required);
        if needs_context && !row.has_note() && note.as_deref().is_none_or(str::is_empty) {
            return rejected(Reason::ContextRequired);
        }
        let target = match self.target(slot, to, *wait_ms, *fallback) {
            Ok(target) => target,
            Err(code) => return rejected(code),
        };
        self.note(input, slot, note.as_deref());
        match target {
            To::Agent(agent)
                if *warm && owner.is_some() && self.state.conversation(slot).phase() == Phase::Assigned =>
            {
                self.withdraw(slot, Reason::Rescinded);
                let accept_ms = self.state.accept_ms(slot);
                self.offer_warm(slot, agent, accept_ms);
            }
            target => self.transfer_to(slot, target, *place_back),
        }
        DECIDED
    }

    fn target(&mut self, slot: u32, to: &Target, wait_ms: Option<u64>, fallback: Option<u128>) -> Result<To, Reason> {
        let row = self.state.conversation(slot);
        let (ws, queue, channel, owner) = (row.workspace(), row.queue(), row.channel(), row.owner());
        if let Some(agent) = &to.agent {
            let agent = self.state.find_configured(agent.hash).ok_or(Reason::UnknownAgent)?;
            if owner == Some(agent) {
                return Err(Reason::AlreadyOwner);
            }
            let back = match fallback {
                None => queue,
                Some(hash) => self.state.workspace(ws).queue_of(hash).ok_or(Reason::UnknownQueue)?,
            };
            let is_routable = self.state.is_routable(agent, channel);
            return match (is_routable, is_routable && self.fits(agent, slot), wait_ms) {
                (_, true, _) => Ok(To::Agent(agent)),
                (_, _, Some(wait_ms)) => Ok(To::Line(agent, wait_ms, back)),
                (false, ..) => Err(Reason::NotRoutable),
                (true, ..) => Err(Reason::NoCapacity),
            };
        }
        let to_queue = match to.queue {
            Some(hash) => self.state.workspace(ws).queue_of(hash).ok_or(Reason::UnknownQueue)?,
            None if to.skills.is_empty() => return Err(Reason::NoTarget),
            None => match self.state.workspace(ws).queue(queue) {
                Some(_) => queue,
                None => self.state.workspace(ws).default_route().queue,
            },
        };
        let skills = (!to.skills.is_empty()).then(|| self.asked(ws, &to.skills));
        if let Some(owner) = owner
            && self.is_only_giver(slot, to_queue, skills.as_deref(), owner)
        {
            return Err(Reason::NoOtherMember);
        }
        Ok(To::Queue(to_queue, skills))
    }

    /// Whether only the giver could ever take it there.
    fn is_only_giver(&self, slot: u32, queue: u32, skills: Option<&[SkillSlot]>, giver: u32) -> bool {
        let row = self.state.conversation(slot);
        let place = (row.workspace(), queue, row.channel());
        let asked = skills.unwrap_or(&self.state.texts(slot).asked);
        let steps = self.state.workspace(row.workspace()).queue(queue).map_or(0, |q| q.steps.len());
        let (mut his, mut others) = (false, false);
        for step in 0..=steps {
            let waiting = Waiting { step: step as u8, ..Waiting::default() };
            let requirement = self.requirement_of(slot, queue, &waiting, asked);
            his |= self.state.is_able(giver, place, &requirement);
            others |= self.state.is_other_able(place, &requirement, giver);
        }
        his && !others
    }

    fn transfer_to(&mut self, slot: u32, target: To, place_back: bool) {
        self.bot_ends(slot);
        self.withdraw(slot, Reason::Rescinded);
        self.transfer_counts(slot);
        let row = self.state.conversation(slot);
        let (owner, queue, rule) = (row.owner(), row.queue(), row.rule());
        let arrival = if place_back { self.now } else { self.kept_arrival(slot) };
        if !matches!(target, To::Agent(_)) {
            self.let_go(slot);
        }
        let other_queue = matches!(target, To::Queue(..)).then_some(queue);
        let about = About { conversation: Some(slot), previous_owner: owner, other_queue, ..About::default() };
        self.tell(DecisionType::ConversationTransferred, Reason::Transfer, about);
        match target {
            To::Agent(agent) => {
                self.give(slot, agent, (false, false));
                self.tell_conversation(DecisionType::ConversationAssigned, Reason::Transfer, slot, owner);
                self.turn_goes_on(slot);
            }
            To::Line(agent, wait_ms, back) => {
                let row = self.state.conversation(slot);
                let tier = self.state.workspace(row.workspace()).tier_rule(row.tier());
                let waiting = Waiting {
                    class: tier.class,
                    ring: tier.ring_ms > 0,
                    only: agent + 1,
                    only_until: self.now + wait_ms.max(1),
                    fallback: back + 1,
                    giver: owner.map_or(0, |owner| owner + 1),
                    ..Waiting::default()
                };
                self.come(slot, Route { queue, rule }, arrival, waiting);
                let about = About { conversation: Some(slot), other_queue: Some(queue), ..About::default() };
                self.tell(DecisionType::ConversationQueued, Reason::Transfer, about);
                self.rearm_wait(slot);
            }
            To::Queue(queue, skills) => {
                if let Some(skills) = skills {
                    self.effect(Effect::Asked { conversation: slot, skills });
                }
                let route = Route { queue, rule };
                self.enter(slot, Entering { giver: owner, ..Entering::new(route, Reason::Transfer, arrival) });
            }
        }
        self.too_many_transfers(slot);
    }

    /// Nobody owns it and it stands nowhere, whatever it was.
    fn let_go(&mut self, slot: u32) {
        if self.state.conversation(slot).owner().is_some() {
            self.effect(Effect::Unassigned { conversation: slot });
        }
    }

    /// The wait that has been waited stays, talk time does not count.
    pub(crate) fn kept_arrival(&self, slot: u32) -> u64 {
        let row = self.state.conversation(slot);
        if row.owner().is_some() { self.now.saturating_sub(row.waited_ms()) } else { row.arrival() }
    }

    pub(crate) fn transfer_counts(&mut self, slot: u32) {
        self.mark(slot, |m| m.transfers += 1);
    }

    pub(crate) fn too_many_transfers(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let transfers = row.transfers();
        if row.is_open() && transfers > self.state.workspace(row.workspace()).policy().max_transfers {
            let about = About { conversation: Some(slot), number: u64::from(transfers), ..About::default() };
            self.tell(DecisionType::ConversationEscalated, Reason::Transfers, about);
        }
    }

    pub(crate) fn release(
        &mut self,
        input: &Input,
        conversation: &Id,
        expected_epoch: Option<u64>,
        has_reason: bool,
    ) -> Verdict {
        let slot = match self.of_owner(input, conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        if needs_reason(input, has_reason) {
            return rejected(Reason::ReasonRequired);
        }
        let row = self.state.conversation(slot);
        let Some(owner) = row.owner() else {
            if row.phase() != Phase::Offered || !is_supervised(input) {
                return rejected(Reason::NoTarget);
            }
            self.withdraw_from(slot, Reason::Rescinded, true);
            self.round_may_end(slot);
            return DECIDED;
        };
        self.withdraw(slot, Reason::Rescinded);
        self.queued_again(slot, Reason::Released, Some(owner));
        DECIDED
    }

    /// From its owner back into its queue.
    pub(crate) fn queued_again(&mut self, slot: u32, reason: Reason, giver: Option<u32>) {
        let row = self.state.conversation(slot);
        let (ws, owner) = (row.workspace(), row.owner());
        let arrival = if row.answered() { self.kept_arrival(slot) } else { row.arrival() };
        self.effect(Effect::Unassigned { conversation: slot });
        self.tell_conversation(DecisionType::ConversationUnassigned, reason, slot, owner);
        let row = self.state.conversation(slot);
        let route = match self.state.workspace(ws).queue(row.queue()) {
            Some(_) => Route { queue: row.queue(), rule: row.rule() },
            None => self.state.workspace(ws).default_route(),
        };
        if row.answered() {
            let turn = row.turn();
            self.effect(Effect::Turned { conversation: slot, turn, answered: false, arrival });
        }
        self.enter(slot, Entering { giver, ..Entering::new(route, Reason::Requeue, arrival) });
    }

    pub(crate) fn escalate(
        &mut self,
        _input: &Input,
        conversation: &Id,
        expected_epoch: Option<u64>,
        level: u8,
    ) -> Verdict {
        let slot = match self.open_one(conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        let Some(rung) = self.rung(slot, level) else { return rejected(Reason::UnknownLevel) };
        self.raise(slot, &rung);
        let about = About { conversation: Some(slot), number: u64::from(level), ..About::default() };
        self.tell(DecisionType::ConversationEscalated, Reason::Command, about);
        self.climb(slot, &rung);
        DECIDED
    }

    /// A level of the ladder of a conversation's queue.
    pub(crate) fn rung(&self, slot: u32, level: u8) -> Option<Rung> {
        let row = self.state.conversation(slot);
        let queue = self.state.workspace(row.workspace()).queue(row.queue())?;
        let rung = queue.ladder.iter().find(|rung| rung.level == level)?;
        Some(Rung { level, priority: rung.priority, queue: rung.queue, notify: rung.notify.clone() })
    }

    pub(crate) fn raise(&mut self, slot: u32, rung: &Rung) {
        self.mark(slot, |m| {
            m.level = m.level.max(rung.level);
            m.priority = m.priority.max(rung.priority);
        });
    }

    /// Where a level leads, and who hears of it.
    pub(crate) fn climb(&mut self, slot: u32, rung: &Rung) {
        let row = self.state.conversation(slot);
        let (ws, queue, rule) = (row.workspace(), row.queue(), row.rule());
        match rung.queue.filter(|to| *to != queue && self.state.workspace(ws).queue(*to).is_some()) {
            Some(queue) => {
                self.bot_ends(slot);
                let arrival = self.kept_arrival(slot);
                self.withdraw(slot, Reason::Rescinded);
                if let Some(owner) = self.state.conversation(slot).owner() {
                    self.let_go(slot);
                    let (decision, reason) = (DecisionType::ConversationUnassigned, Reason::Escalated);
                    self.tell_conversation(decision, reason, slot, Some(owner));
                }
                let route = Route { queue, rule };
                self.enter(slot, Entering::new(route, Reason::Escalated, arrival));
            }
            None => {
                self.stands_otherwise(slot);
                self.rearm_wait(slot);
            }
        }
        // A way out of that queue may have been its end.
        if self.state.conversation(slot).is_open() {
            self.notify_named(slot, ws, &rung.notify);
        }
    }
}
