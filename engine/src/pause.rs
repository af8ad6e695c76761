//! Snooze, and what ends it and a queue's park (routing.md §2).

use crate::decision::{DecisionType, Reason, Turn};
use crate::effect::{Effect, TimerKind};
use crate::id::Id;
use crate::input::Input;
use crate::queueing::Entering;
use crate::state::{Phase, Route};
use crate::step::{About, DECIDED, Stepping, Verdict, rejected};

impl Stepping<'_> {
    pub(crate) fn snooze(
        &mut self,
        input: &Input,
        conversation: &Id,
        expected_epoch: Option<u64>,
        until: u64,
    ) -> Verdict {
        let slot = match self.of_owner(input, conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        if self.state.conversation(slot).phase() == Phase::Snoozed {
            return rejected(Reason::AlreadySnoozed);
        }
        if until <= self.now {
            return rejected(Reason::UntilPast);
        }
        self.bot_ends(slot);
        self.withdraw(slot, Reason::Rescinded);
        self.effect(Effect::Snoozed { conversation: slot });
        let about = About { conversation: Some(slot), until, ..About::default() };
        self.tell(DecisionType::ConversationSnoozed, Reason::None, about);
        self.arm(TimerKind::Turn, slot, until);
        DECIDED
    }

    pub(crate) fn wake(&mut self, input: &Input, conversation: &Id, expected_epoch: Option<u64>) -> Verdict {
        let slot = match self.of_owner(input, conversation, expected_epoch) {
            Ok(slot) => slot,
            Err(verdict) => return verdict,
        };
        if !matches!(self.state.conversation(slot).phase(), Phase::Snoozed | Phase::Parked) {
            return rejected(Reason::NotSnoozed);
        }
        self.woken(slot, Reason::Command);
        DECIDED
    }

    pub(crate) fn woken(&mut self, slot: u32, reason: Reason) {
        self.woken_by(slot, reason, None);
    }

    /// A pause is over: back to its owner, or into its queue.
    pub(crate) fn woken_by(&mut self, slot: u32, reason: Reason, message: Option<&Input>) {
        if let Some(input) = message {
            self.customer_awaits(slot, self.event_time(input));
        }
        let row = self.state.conversation(slot);
        let (ws, owner) = (row.workspace(), row.owner());
        let arrival = match message {
            Some(input) if row.answered() => self.event_time(input),
            _ if row.answered() => self.now,
            _ => row.arrival(),
        };
        if owner.is_some() {
            self.effect(Effect::Woken { conversation: slot });
            if message.is_some()
                && (row_turn(self, slot), self.state.conversation(slot).answered()) != (Turn::Ours, false)
            {
                self.effect(Effect::Turned { conversation: slot, turn: Turn::Ours, answered: false, arrival });
            }
            let is_ours = self.state.conversation(slot).turn() != Turn::Theirs;
            let is_over = is_ours && self.wakes(slot);
            self.tell_conversation(DecisionType::ConversationWoken, reason, slot, None);
            if !is_ours {
                return self.awaits_customer(slot);
            }
            self.tell_over(slot, is_over);
            return match self.state.conversation(slot).live() {
                true => self.arm(TimerKind::Turn, slot, 0),
                false => self.awaits_owner(slot),
            };
        }
        self.effect(Effect::Woken { conversation: slot });
        self.tell_conversation(DecisionType::ConversationWoken, reason, slot, None);
        let row = self.state.conversation(slot);
        let route = match self.state.workspace(ws).queue(row.queue()) {
            Some(_) => Route { queue: row.queue(), rule: row.rule() },
            None => self.state.workspace(ws).default_route(),
        };
        if row.answered() {
            self.effect(Effect::Turned { conversation: slot, turn: Turn::Ours, answered: false, arrival });
        }
        self.enter(slot, Entering::new(route, Reason::Resume, arrival));
    }
}

fn row_turn(stepping: &Stepping<'_>, slot: u32) -> Turn {
    stepping.state.conversation(slot).turn()
}
