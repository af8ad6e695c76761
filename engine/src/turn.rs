//! Whose turn it is, and what silence leads to (routing.md §2, async dormancy).

use crate::decision::{DecisionType, Reason, Turn};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::input::{ActorKind, Input};
use crate::policy::OwnerAbsent;
use crate::queueing::Entering;
use crate::state::{Phase, Route};
use crate::step::{About, DECIDED, RECORDED, Stepping, Verdict, ignored};

impl Stepping<'_> {
    /// The customer wrote, and somebody owns the conversation.
    pub(crate) fn customer_wrote(&mut self, slot: u32, input: &Input) {
        let row = self.state.conversation(slot);
        let arrival = if row.answered() { self.event_time(input) } else { row.arrival() };
        // What else he writes belongs to the turn that has begun.
        let begins = row.turn() != Turn::Ours || row.answered();
        if begins {
            self.effect(Effect::Turned { conversation: slot, turn: Turn::Ours, answered: false, arrival });
        }
        self.customer_awaits(slot, self.event_time(input));
        let is_over = self.wakes(slot);
        self.tell_conversation(DecisionType::MessageRouted, Reason::None, slot, None);
        self.tell_over(slot, is_over);
        if begins {
            self.awaits_owner(slot);
        }
    }

    /// It took units again, and its owner has more than he may.
    pub(crate) fn tell_over(&mut self, slot: u32, is_over: bool) {
        if let Some(owner) = self.state.conversation(slot).owner().filter(|_| is_over) {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::Woken, owner, Some(slot));
        }
    }

    /// A dormant conversation takes its channel's units again. Returns whether its owner has more than he may now.
    pub(crate) fn wakes(&mut self, slot: u32) -> bool {
        let row = self.state.conversation(slot);
        let Some(owner) = row.owner() else { return false };
        let hold = self.state.hold(row.work());
        let units = hold.full();
        if hold.units() >= units {
            return false;
        }
        self.effect(Effect::Resized { conversation: slot, units });
        let agent = self.state.agent(owner);
        agent.used() > agent.units()
    }

    /// The owner's silence counts from now, or his absence where he is not online.
    pub(crate) fn awaits_owner(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let (Some(owner), false) = (row.owner(), row.live()) else { return };
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        let Some(channel) = channel else { return };
        if self.state.agent(owner).is_online() {
            return self.arm(TimerKind::Turn, slot, self.now + channel.owner_silent_ms);
        }
        match channel.owner_absent {
            OwnerAbsent::Return => self.take_back(slot, Reason::OwnerAbsent),
            OwnerAbsent::Wait => self.arm(TimerKind::Turn, slot, self.now + channel.owner_absent_ms),
            OwnerAbsent::UntilNextShift => {
                let latest = self.now + channel.owner_absent_ms;
                let at = self.next_shift(owner).map_or(latest, |at| at.min(latest));
                self.arm(TimerKind::Turn, slot, at);
            }
        }
    }

    /// From an owner who is absent, or who is silent where somebody else could take it now: else he keeps it, and it
    /// escalates.
    fn take_back(&mut self, slot: u32, reason: Reason) {
        if self.taken_from_owner(slot, reason) {
            return;
        }
        let row = self.state.conversation(slot);
        let (ws, owner) = (row.workspace(), row.owner().expect("it is taken from somebody"));
        if !row.alarmed() {
            self.mark(slot, |m| m.alarmed = true);
            self.tell_agent(DecisionType::ConversationEscalated, reason, owner, Some(slot));
        }
        // Looked at again after as long as he may be silent.
        let channel = self.state.workspace(ws).channel(self.state.conversation(slot).channel());
        let again = channel.map_or(86_400_000, |c| c.owner_silent_ms);
        self.arm(TimerKind::Turn, slot, self.now + again);
    }

    /// Back into its queue, from an absent owner in any case, else where another could take it now. Returns whether it is.
    fn taken_from_owner(&mut self, slot: u32, reason: Reason) -> bool {
        let row = self.state.conversation(slot);
        let (ws, rule, arrival) = (row.workspace(), row.rule(), row.arrival());
        let owner = row.owner().expect("it is taken from somebody");
        let (queue, rule) = match self.state.workspace(ws).queue(row.queue()) {
            Some(_) => (row.queue(), rule),
            None => {
                let route = self.state.workspace(ws).default_route();
                (route.queue, route.rule)
            }
        };
        let is_absent = reason == Reason::OwnerAbsent;
        let set = self.set_at_entry(slot, queue);
        if !is_absent && !self.state.is_candidate_but(ws, set, owner) {
            return false;
        }
        self.withdraw(slot, Reason::Rescinded);
        let is_answered = self.state.conversation(slot).answered();
        let arrival = if is_answered { self.kept_arrival(slot) } else { arrival };
        self.effect(Effect::Unassigned { conversation: slot });
        self.tell_conversation(DecisionType::ConversationUnassigned, reason, slot, Some(owner));
        if is_answered {
            let turn = self.state.conversation(slot).turn();
            self.effect(Effect::Turned { conversation: slot, turn, answered: false, arrival });
        }
        let entering = Entering {
            giver: (!is_absent).then_some(owner),
            preferred: is_absent.then_some(owner),
            ..Entering::new(Route { queue, rule }, Reason::Requeue, arrival)
        };
        self.enter(slot, entering);
        true
    }

    /// A clock takes it from its owner, where another could take it now.
    pub(crate) fn reassign(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.phase() == Phase::Assigned && !row.live() {
            self.taken_from_owner(slot, Reason::Escalated);
        }
    }

    pub(crate) fn turn_is_due(&mut self, slot: u32) {
        self.arm(TimerKind::Turn, slot, 0);
        let row = self.state.conversation(slot);
        match (row.phase(), row.turn()) {
            (Phase::InBot, _) => self.hand_off(slot, None),
            (Phase::Snoozed | Phase::Parked, _) => self.woken(slot, Reason::Due),
            (Phase::Assigned, Turn::Theirs) => self.theirs_is_due(slot),
            (Phase::Assigned, _) => {
                let owner = row.owner().expect("what is assigned has an owner");
                let is_there = self.state.agent(owner).is_online();
                // He was absent when the customer wrote and has come: his silence counts from then.
                let silent_ms =
                    self.state.workspace(row.workspace()).channel(row.channel()).map_or(0, |c| c.owner_silent_ms);
                let waits_since = row.arrival().max(row.queued_at());
                match is_there {
                    true if self.now < waits_since + silent_ms => {
                        self.arm(TimerKind::Turn, slot, waits_since + silent_ms)
                    }
                    true => self.take_back(slot, Reason::OwnerSilent),
                    false => self.take_back(slot, Reason::OwnerAbsent),
                }
            }
            _ => {}
        }
    }

    /// The customer is to write: the hold shrinks after a time, and in the end it is resolved.
    fn theirs_is_due(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let Some(channel) = self.state.workspace(row.workspace()).channel(row.channel()) else { return };
        let asked = channel.their_turn_units;
        let is_small = self.state.hold(row.work()).units() <= asked;
        let left = channel.close_after_ms.saturating_sub(channel.their_turn_after_ms);
        if !is_small && channel.their_turn_after_ms > 0 && left > 0 {
            self.shrinks(slot, asked);
            return self.arm(TimerKind::Turn, slot, self.now + left);
        }
        self.end_resolved(slot, Reason::CloseAfter);
    }

    fn shrinks(&mut self, slot: u32, units: u32) {
        self.effect(Effect::Resized { conversation: slot, units });
        self.tell_conversation(DecisionType::ConversationUpdated, Reason::Dormant, slot, None);
    }

    /// The customer is to write next: what that costs, and how long it may last.
    pub(crate) fn awaits_customer(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.live() || row.owner().is_none() || row.phase() != Phase::Assigned {
            return;
        }
        let Some(channel) = self.state.workspace(row.workspace()).channel(row.channel()) else { return };
        let shrinks = self.state.hold(row.work()).units() > channel.their_turn_units;
        if shrinks && channel.their_turn_after_ms == 0 {
            self.shrinks(slot, channel.their_turn_units);
        }
        let waits = shrinks && channel.their_turn_after_ms > 0 && channel.their_turn_after_ms < channel.close_after_ms;
        let after = if waits { channel.their_turn_after_ms } else { channel.close_after_ms };
        self.arm(TimerKind::Turn, slot, self.now + after);
    }

    pub(crate) fn message_sent(
        &mut self,
        input: &Input,
        conversation: Option<&Id>,
        identity: Option<u128>,
        answers: bool,
        mentions: &[Id],
    ) -> Verdict {
        let Some(slot) = self.find_named(conversation, identity) else { return ignored(Reason::UnknownConversation) };
        self.review_first(slot);
        let before = self.told_so_far();
        let sender = input.actor.as_ref().filter(|a| a.kind == ActorKind::Agent);
        let agent = sender.and_then(|a| self.state.find_configured(a.id.hash));
        let was_open = self.state.conversation(slot).is_open();
        if answers && was_open {
            self.replied_by = agent;
            self.answered_by(slot, agent);
        }
        // Coming out of its bot it may have been turned away.
        if !was_open || self.state.conversation(slot).is_open() {
            self.notify(slot, mentions, Reason::Mention);
        }
        if self.told_so_far() > before { DECIDED } else { RECORDED }
    }

    /// A person wrote to the customer.
    fn answered_by(&mut self, slot: u32, agent: Option<u32>) {
        let row = self.state.conversation(slot);
        match (row.owner(), agent) {
            (None, Some(agent)) if self.may_adopt(slot) => self.adopt(slot, agent),
            (None, _) => return self.answered_in_passing(slot),
            (Some(owner), Some(agent)) if owner != agent => {
                self.tell_agent(DecisionType::ReplyCollision, Reason::NotOwner, agent, Some(slot));
            }
            _ => {}
        }
        self.awaits(slot, 0, true);
        let row = self.state.conversation(slot);
        if row.phase() == Phase::Assigned || row.phase() == Phase::Snoozed {
            let turn = if row.live() { row.turn() } else { Turn::Theirs };
            let arrival = row.arrival();
            if (row.turn(), row.answered()) != (turn, true) {
                self.effect(Effect::Turned { conversation: slot, turn, answered: true, arrival });
            }
            self.awaits_customer(slot);
        }
    }

    /// The customer has his answer; who wrote it takes nothing over, and it waits on for an owner.
    fn answered_in_passing(&mut self, slot: u32) {
        if self.state.conversation(slot).phase() == Phase::InBot {
            self.hand_off(slot, None);
        }
        if self.state.conversation(slot).is_open() {
            self.awaits(slot, 0, true);
        }
    }

    fn may_adopt(&self, slot: u32) -> bool {
        let row = self.state.conversation(slot);
        self.state.workspace(row.workspace()).queue(row.queue()).is_none_or(|q| q.reply_claims)
    }

    /// Nobody owned it, and an agent answers or is on the line: it is his. Facts may pass his limits.
    pub(crate) fn adopt(&mut self, slot: u32, agent: u32) {
        let before = self.state.conversation(slot).owner();
        self.bot_ends(slot);
        self.withdraw(slot, Reason::AcceptedElsewhere);
        let over = !self.fits(agent, slot);
        self.give(slot, agent, (over, false));
        self.tell_conversation(DecisionType::ConversationAssigned, Reason::Adopted, slot, before);
        self.turn_goes_on(slot);
        if over {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::Fact, agent, Some(slot));
        }
    }

    pub(crate) fn message_status(
        &mut self,
        conversation: Option<&Id>,
        identity: Option<u128>,
        failed: bool,
    ) -> Verdict {
        let Some(slot) = self.find_named(conversation, identity) else { return ignored(Reason::UnknownConversation) };
        self.review_first(slot);
        let row = self.state.conversation(slot);
        let may_undo = failed && row.is_open() && !row.live();
        let (since, responded) = row.answered_before();
        let waits_since = row.unanswered_since();
        // He may have written again since then.
        let waits_again = may_undo && since != 0 && (waits_since == 0 || since < waits_since);
        let (owner, arrival, is_undone) = (row.owner(), row.arrival(), may_undo && row.answered());
        if waits_again {
            self.awaits(slot, since, responded);
        }
        let Some(owner) = owner.filter(|_| waits_again || is_undone) else { return RECORDED };
        if is_undone {
            self.effect(Effect::Turned { conversation: slot, turn: Turn::Ours, answered: false, arrival });
        }
        let is_awake = is_undone && self.state.conversation(slot).phase() == Phase::Assigned;
        let is_over = is_awake && self.wakes(slot);
        self.tell_agent(DecisionType::ReplyFailed, Reason::Failed, owner, Some(slot));
        if is_awake {
            self.tell_over(slot, is_over);
            self.awaits_owner(slot);
        }
        DECIDED
    }

    pub(crate) fn contact_connected(
        &mut self,
        conversation: Option<&Id>,
        identity: Option<u128>,
        agent: &Id,
    ) -> Verdict {
        let Some(slot) = self.find_named(conversation, identity) else { return ignored(Reason::UnknownConversation) };
        if !self.state.conversation(slot).live() {
            return ignored(Reason::NotLive);
        }
        let Some(agent) = self.state.find_configured(agent.hash) else { return ignored(Reason::UnknownAgent) };
        self.review_first(slot);
        if self.state.conversation(slot).owner() == Some(agent) {
            return RECORDED;
        }
        // The line is where it is: ownership follows it.
        self.adopt(slot, agent);
        DECIDED
    }

    /// Facts that only count.
    pub(crate) fn mark(&mut self, slot: u32, change: impl FnOnce(&mut Marks)) {
        let row = self.state.conversation(slot);
        let mut marks = Marks {
            tier: row.tier(),
            priority: row.priority(),
            level: row.level(),
            transfers: row.transfers(),
            alarmed: row.alarmed(),
        };
        change(&mut marks);
        let Marks { tier, priority, level, transfers, alarmed } = marks;
        self.effect(Effect::Marked { conversation: slot, tier, priority, level, transfers, alarmed });
    }

    /// Tells each agent whom somebody mentions.
    pub(crate) fn notify(&mut self, slot: u32, agents: &[Id], reason: Reason) {
        for id in agents {
            if let Some(agent) = self.state.find_configured(id.hash) {
                let about = About { conversation: Some(slot), agent: Some(agent), ..About::default() };
                self.tell(DecisionType::MentionNotified, reason, about);
            }
        }
    }
}

pub(crate) struct Marks {
    pub tier: u32,
    pub priority: u8,
    pub level: u8,
    pub transfers: u32,
    pub alarmed: bool,
}
