//! Commands on a conversation: claim, assign, resolve, close, reopen, update, open. Each test has its code; the order of
//! the tests is part of what is promised, since the first that fails is the answer.

use crate::contact::Found;
use crate::decision::{DecisionType, Reason, Turn};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::input::{ActorKind, Contact, Input, RequiredSkill};
use crate::policy::Pick;
use crate::policy::Strategy;
use crate::queueing::Entering;
use crate::state::{Phase, Route};
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, rejected};

impl Stepping<'_> {
    /// An agent takes what waits. Skills are not tested: he chose it.
    pub(crate) fn claim(&mut self, conversation: &Id, agent: &Id, expected_epoch: Option<u64>) -> Verdict {
        let (agent, slot) = match self.both(agent, conversation, expected_epoch) {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        let row = self.state.conversation(slot);
        match row.owner() {
            Some(owner) if owner == agent => return rejected(Reason::AlreadyOwner),
            Some(_) => return rejected(Reason::OwnedByOther),
            None => {}
        }
        if !self.state.is_routable(agent, row.channel()) {
            return rejected(Reason::NotRoutable);
        }
        if self.offered_agent(slot) == Some(agent) {
            self.accepted(slot, agent);
            return DECIDED;
        }
        if !self.fits(agent, slot) {
            return rejected(Reason::NoCapacity);
        }
        if let Some(code) = self.not_claimable(slot, agent) {
            return rejected(code);
        }
        self.bot_ends(slot);
        self.withdraw(slot, Reason::AcceptedElsewhere);
        self.give(slot, agent, (false, false));
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Claim, slot, None);
        self.turn_goes_on(slot);
        DECIDED
    }

    /// What a pull queue says against a claim: somebody is waited for, or it is not the first in line.
    fn not_claimable(&self, slot: u32, agent: u32) -> Option<Reason> {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let rule = workspace.queue(row.queue()).filter(|q| q.strategy == Strategy::Manual)?;
        if row.phase() != Phase::Queued {
            return None;
        }
        let only = self.state.texts(slot).waiting.only;
        if only != 0 && only - 1 != agent {
            return Some(Reason::PreferredOnly);
        }
        let is_head = rule.pick == Pick::Any || self.state.is_first_in_queue(slot);
        (!is_head && only == 0).then_some(Reason::NotHead)
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
        if let Some(refused) = not_supervised(input, has_reason) {
            return refused;
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
        if row.live() && !self.state.is_routable(agent, row.channel()) {
            return rejected(Reason::NotRoutable);
        }
        if !self.is_countable(agent, slot) {
            return rejected(Reason::NoCapacity);
        }
        self.bot_ends(slot);
        self.withdraw(slot, Reason::AcceptedElsewhere);
        let over = !self.fits(agent, slot);
        self.give(slot, agent, (over, false));
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Supervisor, slot, before);
        self.turn_goes_on(slot);
        if over {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::Override, agent, Some(slot));
        }
        DECIDED
    }

    /// Done. A live contact leaves at once, an async one stays for its reopen window.
    pub(crate) fn resolve(&mut self, input: &Input, conversation: &Id, expected_epoch: Option<u64>) -> Verdict {
        let slot = match self.of_owner(input, conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        self.withdraw(slot, Reason::Rescinded);
        let row = self.state.conversation(slot);
        let reason = match row.touched() {
            true => Reason::Resolved,
            false if row.phase() == Phase::InBot => Reason::Contained,
            false if row.live() => Reason::Resolved,
            false => Reason::Missed,
        };
        self.end_resolved(slot, reason);
        DECIDED
    }

    /// Its end, its owner's wrap-up.
    pub(crate) fn end_resolved(&mut self, slot: u32, reason: Reason) {
        self.withdraw(slot, Reason::Rescinded);
        let row = self.state.conversation(slot);
        let (owner, live) = (row.owner(), row.live());
        let (conversation, wrap_up) = (slot, self.wrap_up(slot));
        self.effect(if live {
            Effect::Ended { conversation, wrap_up }
        } else {
            Effect::Resolved { conversation, wrap_up }
        });
        self.tell_conversation(DecisionType::ConversationResolved, reason, slot, owner);
        self.rearm_wrap_of(owner);
    }

    /// As `resolve`, and it leaves the state at once.
    pub(crate) fn close(&mut self, input: &Input, conversation: &Id, expected_epoch: Option<u64>) -> Verdict {
        let slot = match self.of_owner(input, conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        if needs_reason(input, !input.body.said().is_empty()) {
            return rejected(Reason::ReasonRequired);
        }
        self.withdraw(slot, Reason::Rescinded);
        let row = self.state.conversation(slot);
        let (owner, is_missed) = (row.owner(), !row.live() && !row.touched());
        let wrap_up = self.wrap_up(slot);
        self.effect(Effect::Ended { conversation: slot, wrap_up });
        let reason = if is_missed { Reason::Missed } else { Reason::Closed };
        self.tell_conversation(DecisionType::ConversationClosed, reason, slot, owner);
        self.rearm_wrap_of(owner);
        DECIDED
    }

    pub(crate) fn reopen(&mut self, _input: &Input, conversation: &Id, expected_epoch: Option<u64>) -> Verdict {
        let slot = match self.known(conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        let row = self.state.conversation(slot);
        if row.phase() != Phase::Resolved {
            return rejected(Reason::NotResolved);
        }
        let (tier, otherwise) = (row.tier(), self.state.workspace(row.workspace()).default_route());
        let now = self.now;
        self.reopened(slot, tier, now, otherwise);
        DECIDED
    }

    /// An agent writes or calls first.
    pub(crate) fn open_outbound(&mut self, ws: u32, input: &Input, contact: &Contact, agent: &Id) -> Verdict {
        let Some(channel) = self.channel_of(ws, contact) else { return rejected(Reason::UnknownChannel) };
        if contact.customer.as_ref().is_some_and(|c| self.state.workspace(ws).is_blocked(c.hash)) {
            return rejected(Reason::Blocked);
        }
        let Some(agent) = self.state.find_configured(agent.hash) else { return rejected(Reason::UnknownAgent) };
        let found = self.find(ws, contact);
        let known = match found {
            Found::Known(slot) if self.state.conversation(slot).is_open() => return rejected(Reason::AlreadyOpen),
            Found::Known(slot) => Some(slot),
            Found::New { .. } => None,
        };
        let channel = known.map_or(channel, |slot| self.state.conversation(slot).channel());
        if !self.state.is_routable(agent, channel) {
            return rejected(Reason::NotRoutable);
        }
        let route = match known.map(|slot| self.state.conversation(slot)) {
            None => self.state.workspace(ws).route(contact, self.now),
            Some(row) if self.state.workspace(ws).queue(row.queue()).is_some() => {
                Route { queue: row.queue(), rule: row.rule() }
            }
            Some(_) => self.state.workspace(ws).default_route(),
        };
        if !self.state.fits(agent, channel, route.queue) {
            return rejected(Reason::NoCapacity);
        }
        let slot = match known {
            Some(slot) => {
                let tier = self.state.conversation(slot).tier();
                let tier = self.state.workspace(ws).tier(contact.tier).unwrap_or(tier);
                self.effect(Effect::Reopened { conversation: slot, tier, began_at: self.event_time(input) });
                slot
            }
            None => {
                let is_other = matches!(found, Found::New { other_customer: true });
                self.begin(ws, input, contact, channel, is_other).0
            }
        };
        // Nobody's yet, and in no line.
        self.effect(Effect::BotTook { conversation: slot, queue: route.queue, rule: route.rule });
        let arrival = self.event_time(input);
        let turn = if self.state.conversation(slot).live() { Turn::Ours } else { Turn::Theirs };
        let decision =
            if known.is_some() { DecisionType::ConversationReopened } else { DecisionType::ConversationOpened };
        self.effect(Effect::Turned { conversation: slot, turn, answered: true, arrival });
        self.awaits(slot, 0, true);
        self.give(slot, agent, (false, false));
        self.tell_conversation(decision, Reason::Outbound, slot, None);
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Outbound, slot, None);
        self.arm_open(slot);
        self.turn_goes_on(slot);
        DECIDED
    }

    /// Facts of a conversation by command: tier, priority, skills.
    pub(crate) fn update(
        &mut self,
        input: &Input,
        conversation: &Id,
        expected_epoch: Option<u64>,
        tier: Option<u128>,
        priority: Option<u8>,
        skills: Option<&[RequiredSkill]>,
    ) -> Verdict {
        let slot = match self.open_one(conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        if let Some(refused) = self.not_owner(input, slot) {
            return refused;
        }
        if priority.is_some() && needs_reason(input, !input.body.said().is_empty()) {
            return rejected(Reason::ReasonRequired);
        }
        let row = self.state.conversation(slot);
        let ws = row.workspace();
        let new_tier = match tier {
            None => row.tier(),
            Some(_) => match self.state.workspace(ws).tier(tier) {
                Some(tier) => tier,
                None => return rejected(Reason::UnknownTier),
            },
        };
        let new_priority = priority.unwrap_or(row.priority());
        let is_same = (new_tier, new_priority) == (row.tier(), row.priority());
        let asked = skills.map(|skills| self.asked(ws, skills));
        let asked = asked.filter(|asked| **asked != *self.state.texts(slot).asked);
        if is_same && asked.is_none() {
            return RECORDED;
        }
        if !is_same {
            self.mark(slot, |m| (m.tier, m.priority) = (new_tier, new_priority));
        }
        if let Some(skills) = asked {
            self.effect(Effect::Asked { conversation: slot, skills });
        }
        self.stands_otherwise(slot);
        self.tell_conversation(DecisionType::ConversationUpdated, Reason::Updated, slot, None);
        self.rearm_wait(slot);
        DECIDED
    }

    /// Something that its place depends on has changed: a tier, a priority, skills.
    pub(crate) fn stands_otherwise(&mut self, slot: u32) {
        let (row, waiting) = (self.state.conversation(slot), &self.state.texts(slot).waiting);
        let class = self.class(slot);
        match row.phase() {
            Phase::Queued => self.stand_anew(slot, |w| w.class = class),
            Phase::Offered => {
                let head_start_ms = self.head_start(slot, waiting.step_head_start_ms);
                if (class, head_start_ms) != (waiting.class, row.head_start_ms()) {
                    self.effect(Effect::Ranked { conversation: slot, class, head_start_ms });
                }
            }
            _ => {}
        }
    }

    fn both(&mut self, agent: &Id, conversation: &Id, expected_epoch: Option<u64>) -> Result<(u32, u32), Verdict> {
        let agent = self.state.find_configured(agent.hash).ok_or(rejected(Reason::UnknownAgent))?;
        Ok((agent, self.open_one(conversation, expected_epoch)?))
    }

    fn known(&self, conversation: &Id, expected_epoch: Option<u64>) -> Result<u32, Verdict> {
        let slot = self.state.find_conversation(conversation.hash).ok_or(rejected(Reason::UnknownConversation))?;
        match expected_epoch.is_some_and(|e| e != self.state.conversation(slot).epoch()) {
            true => Err(rejected(Reason::StaleEpoch)),
            false => Ok(slot),
        }
    }

    /// A conversation that is open, at the epoch that is expected.
    pub(crate) fn open_one(&mut self, conversation: &Id, expected_epoch: Option<u64>) -> Result<u32, Verdict> {
        let slot = self.known(conversation, expected_epoch)?;
        if self.state.conversation(slot).phase() == Phase::Resolved {
            return Err(rejected(Reason::NotOpen));
        }
        self.review_first(slot);
        Ok(slot)
    }

    /// The same, where no agent but its owner commands.
    pub(crate) fn of_owner(
        &mut self,
        input: &Input,
        conversation: &Id,
        expected_epoch: Option<u64>,
    ) -> Result<u32, Verdict> {
        let slot = self.open_one(conversation, expected_epoch)?;
        match self.not_owner(input, slot) {
            Some(refused) => Err(refused),
            None => Ok(slot),
        }
    }

    /// An agent commands what another owns.
    pub(crate) fn not_owner(&self, input: &Input, slot: u32) -> Option<Verdict> {
        let owner = self.state.conversation(slot).owner()?;
        let actor = input.actor.as_ref().filter(|a| a.kind == ActorKind::Agent)?;
        (self.state.find_agent(actor.id.hash) != Some(owner)).then(|| rejected(Reason::NotOwner))
    }

    pub(crate) fn fits(&self, agent: u32, slot: u32) -> bool {
        let row = self.state.conversation(slot);
        self.state.fits(agent, row.channel(), row.queue())
    }

    /// A supervisor may pass any limit of an agent's, but not that of the ledger's numbers.
    fn is_countable(&self, agent: u32, slot: u32) -> bool {
        self.state.agent(agent).used().checked_add(self.hold_asked(slot).0).is_some()
    }

    /// A bot has it no more: the wait for a person starts now.
    pub(crate) fn bot_ends(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.phase() == Phase::InBot {
            let arrival = self.now;
            self.effect(Effect::Turned { conversation: slot, turn: Turn::Ours, answered: false, arrival });
            self.awaits(slot, arrival, false);
            self.arm(TimerKind::Turn, slot, 0);
        }
    }

    /// Out of the bot's hands and into a queue.
    pub(crate) fn hand_off(&mut self, slot: u32, queue: Option<u32>) {
        self.bot_ends(slot);
        let row = self.state.conversation(slot);
        let (ws, rule) = (row.workspace(), row.rule());
        let queue = queue.unwrap_or(row.queue());
        let route = match self.state.workspace(ws).queue(queue) {
            Some(_) => Route { queue, rule },
            None => self.state.workspace(ws).default_route(),
        };
        let (arrival, preferred) = (self.now, self.preferred(slot));
        self.enter(slot, Entering { preferred, ..Entering::new(route, Reason::Handoff, arrival) });
    }

    pub(crate) fn handoff(
        &mut self,
        input: &Input,
        conversation: &Id,
        expected_epoch: Option<u64>,
        queue: Option<u128>,
        skills: &[RequiredSkill],
        note: Option<&str>,
    ) -> Verdict {
        let slot = match self.open_one(conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        let row = self.state.conversation(slot);
        if row.phase() != Phase::InBot {
            return rejected(Reason::NotInBot);
        }
        let ws = row.workspace();
        let to = queue.map(|hash| self.state.workspace(ws).queue_of(hash));
        if to == Some(None) {
            return rejected(Reason::UnknownQueue);
        }
        if !skills.is_empty() {
            let skills = self.asked(ws, skills);
            self.effect(Effect::Asked { conversation: slot, skills });
        }
        self.note(input, slot, note);
        self.hand_off(slot, to.flatten());
        DECIDED
    }
}

/// Who may not command what only supervisors and systems may, or gives no reason.
pub(crate) fn not_supervised(input: &Input, has_reason: bool) -> Option<Verdict> {
    if !is_supervised(input) {
        return Some(rejected(Reason::NotSupervisor));
    }
    (!has_reason).then(|| rejected(Reason::ReasonRequired))
}

/// A supervisor's command on another's work says why.
pub(crate) fn needs_reason(input: &Input, has_reason: bool) -> bool {
    !has_reason && input.actor.as_ref().is_some_and(|a| a.kind == ActorKind::Supervisor)
}

pub(crate) fn is_supervised(input: &Input) -> bool {
    input.actor.as_ref().is_some_and(|a| matches!(a.kind, ActorKind::Supervisor | ActorKind::System))
}
