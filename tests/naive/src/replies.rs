//! What people on our side do without being asked to by the engine: replies, calls, failed deliveries (routing.md §2).

use crate::telling::{Step, Verdict};
use engine::decision::{DecisionType, PhaseWord, Reason, Turn};
use engine::id::Id;

impl Step<'_> {
    pub fn message_sent(
        &mut self,
        named: Option<&Id>,
        identity: Option<u128>,
        answers: bool,
        mentions: &[Id],
    ) -> Verdict {
        let Some(id) = self.find_existing(named, identity) else {
            return Verdict::ignored(Reason::UnknownConversation);
        };
        self.catch_up(&id);
        let told = self.told.len();
        let is_open = self.workspace.conversations.get(&id).is_some_and(|conversation| !conversation.is_resolved());
        if answers && is_open {
            self.person_answered(&id);
        }
        self.notify(&id, Reason::Mention, mentions.iter().map(|agent| &*agent.text));
        self.decided_if_told(told)
    }

    fn person_answered(&mut self, id: &str) {
        let known = self.acting_agent().filter(|agent| self.workspace.agent_index.contains_key(*agent));
        let owner = self.workspace.conversations[id].owner.clone();
        match (owner, known) {
            (None, Some(agent)) if self.may_adopt(id) => self.adopt(id, agent, ""),
            (None, _) => {
                // It is answered, and waits on for somebody to own it.
                if self.workspace.conversations[id].phase == PhaseWord::InBot {
                    self.hand_off(id, None);
                }
                if let Some(conversation) = self.workspace.conversations.get_mut(id)
                    && !conversation.is_resolved()
                {
                    conversation.set_waits(None, true);
                }
                return;
            }
            (Some(owner), Some(agent)) if owner != agent => {
                self.tell_both(DecisionType::ReplyCollision, Reason::NotOwner, id, agent);
            }
            (Some(_), _) => {}
        }
        self.becomes_theirs(id);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.set_waits(None, true);
        }
        self.start_their_turn(id);
        self.rearm(id);
        self.rearm_owner_of(id);
    }

    fn may_adopt(&self, id: &str) -> bool {
        let queue = self.workspace.queue(&self.workspace.conversations[id].queue);
        !queue.is_some_and(|queue| queue.replies_do_not_claim)
    }

    /// He answered what nobody owned, or a call reached him: he owns it.
    fn adopt(&mut self, id: &str, agent: &str, previous_owner: &str) {
        self.end_bot(id);
        self.withdraw(id, Reason::AcceptedElsewhere);
        self.end_hold(id);
        let fitted = self.has_room(agent, id);
        self.hand(agent, id, Reason::Adopted, previous_owner);
        if !fitted {
            self.tell_exceeded(Reason::Fact, agent, id);
        }
    }

    pub fn contact_connected(&mut self, named: Option<&Id>, identity: Option<u128>, agent: &str) -> Verdict {
        let Some(id) = self.find_existing(named, identity) else {
            return Verdict::ignored(Reason::UnknownConversation);
        };
        if !self.workspace.conversations[&id].live {
            return Verdict::ignored(Reason::NotLive);
        }
        if !self.workspace.agent_index.contains_key(agent) {
            return Verdict::ignored(Reason::UnknownAgent);
        }
        self.catch_up(&id);
        let owner = self.workspace.conversations.get(&id).map(|conversation| conversation.owner.clone());
        if owner.is_none() || owner == Some(Some(agent.to_string())) {
            return Verdict::recorded(Reason::Recorded);
        }
        let previous_owner = owner.flatten().unwrap_or_default();
        self.adopt(&id, agent, &previous_owner);
        self.rearm(&id);
        self.rearm_owner(&previous_owner);
        self.rearm_owner(agent);
        Verdict::decided()
    }

    pub fn message_status(&mut self, named: Option<&Id>, identity: Option<u128>, failed: bool) -> Verdict {
        let Some(id) = self.find_existing(named, identity) else {
            return Verdict::ignored(Reason::UnknownConversation);
        };
        self.catch_up(&id);
        let Some(conversation) = self.workspace.conversations.get_mut(&id) else {
            return Verdict::recorded(Reason::Recorded);
        };
        if !failed || conversation.live || conversation.is_resolved() {
            return Verdict::recorded(Reason::Recorded);
        }
        let waited_before = conversation.before_answer.filter(|(since, _)| match conversation.waits_since {
            None => true,
            Some(present) => *since < present,
        });
        if let Some((since, responded)) = waited_before {
            conversation.set_waits(Some(since), responded);
        }
        let was_answered = conversation.answered;
        let Some(owner) = conversation.owner.clone().filter(|_| was_answered || waited_before.is_some()) else {
            return Verdict::recorded(Reason::Recorded);
        };
        if was_answered {
            conversation.turn = Turn::Ours;
            conversation.answered = false;
        }
        let is_assigned = was_answered && conversation.phase == PhaseWord::Assigned;
        let woke = is_assigned && self.wake_units(&id);
        self.tell_both(DecisionType::ReplyFailed, Reason::Failed, &id, &owner);
        self.tell_if_over(&id, woke);
        if is_assigned {
            self.mind_absent_owner(&id);
        }
        Verdict::decided()
    }

    /// Tells agents of something that is for them, those who are known.
    pub fn notify<'n>(&mut self, id: &str, reason: Reason, agents: impl Iterator<Item = &'n str>) {
        for agent in agents {
            if self.workspace.agent_index.contains_key(agent) && self.workspace.conversations.contains_key(id) {
                self.tell_both(DecisionType::MentionNotified, reason, id, agent);
            }
        }
    }

    /// An event that is only recorded, unless it made something told since.
    pub fn decided_if_told(&self, told: usize) -> Verdict {
        let is_of_event = |told: &engine::decision::Told| !told.cause_id.is_empty();
        if self.told[told..].iter().any(is_of_event) { Verdict::decided() } else { Verdict::recorded(Reason::Recorded) }
    }
}
