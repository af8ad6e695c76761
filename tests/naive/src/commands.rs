//! What people command about conversations: claim, assign, resolve. Each check in the order in which it is answered.

use crate::telling::{Step, Verdict};
use crate::workspace::supervises;
use engine::decision::{DecisionType, Reason};
use engine::input::{ActorKind, Status};

impl Step<'_> {
    pub fn claim(&mut self, id: &str, agent: &str, expected_epoch: Option<u64>) -> Verdict {
        if !self.workspace.agent_index.contains_key(agent) {
            return Verdict::rejected(Reason::UnknownAgent);
        }
        if let Some(refusal) = self.not_commandable(id, expected_epoch) {
            return refusal;
        }
        let owner = self.workspace.conversations[id].owner.as_deref();
        let channel = self.workspace.channel_ever(&self.workspace.conversations[id].set.channel);
        let claimer = self.agent(agent);
        let refusal = match owner {
            Some(owner) if owner == agent => Reason::AlreadyOwner,
            Some(_) => Reason::OwnedByOther,
            None if claimer.effective != Status::Online => Reason::NotRoutable,
            None if !self.workspace.fits(claimer, channel) => Reason::NoCapacity,
            None => {
                self.take_hold(agent, id);
                self.tell_handed(DecisionType::ConversationAssigned, Reason::Claim, id, "");
                return Verdict::decided();
            }
        };
        Verdict::rejected(refusal)
    }

    pub fn assign(&mut self, id: &str, agent: &str, expected_epoch: Option<u64>, reason: Option<&str>) -> Verdict {
        let commands = self.input.and_then(|input| input.actor.as_ref()).is_some_and(|actor| supervises(actor.kind));
        if !commands {
            return Verdict::rejected(Reason::NotSupervisor);
        }
        if reason.is_none_or(str::is_empty) {
            return Verdict::rejected(Reason::ReasonRequired);
        }
        if !self.workspace.agent_index.contains_key(agent) {
            return Verdict::rejected(Reason::UnknownAgent);
        }
        if let Some(refusal) = self.not_commandable(id, expected_epoch) {
            return refusal;
        }
        let conversation = &self.workspace.conversations[id];
        if conversation.owner.as_deref() == Some(agent) {
            return Verdict::rejected(Reason::AlreadyOwner);
        }
        let is_live = conversation.live;
        if self.agent(agent).effective != Status::Online && is_live {
            return Verdict::rejected(Reason::NotRoutable);
        }
        let channel = self.workspace.channel_ever(&conversation.set.channel);
        let fitted = self.workspace.has_room(self.agent(agent), channel);
        let previous_owner = self.end_hold(id).unwrap_or_default();
        self.take_hold(agent, id);
        self.tell_handed(DecisionType::ConversationAssigned, Reason::Supervisor, id, &previous_owner);
        if !fitted {
            self.tell_override(agent, id);
        }
        Verdict::decided()
    }

    pub fn resolve(&mut self, id: &str, expected_epoch: Option<u64>) -> Verdict {
        if let Some(refusal) = self.not_commandable(id, expected_epoch) {
            return refusal;
        }
        let owner = self.workspace.conversations[id].owner.as_deref();
        let actor = self.input.and_then(|input| input.actor.as_ref());
        let agent_acting = actor.filter(|actor| actor.kind == ActorKind::Agent).map(|actor| &*actor.id.text);
        if let (Some(owner), Some(acting)) = (owner, agent_acting)
            && owner != acting
        {
            return Verdict::rejected(Reason::NotOwner);
        }
        let previous_owner = self.end_hold(id).unwrap_or_default();
        let place = self.workspace.conversations[id].place();
        self.workspace.waiting.remove(&place);
        let now = self.now;
        self.workspace.resolves += 1;
        let resolve_number = self.workspace.resolves;
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.resolved_at = Some(now);
            conversation.resolve_number = resolve_number;
        }
        self.workspace.resolved.insert(resolve_number, id.to_string());
        self.tell_handed(DecisionType::ConversationResolved, Reason::Resolved, id, &previous_owner);
        if self.workspace.conversations[id].live {
            self.leave(id);
        }
        Verdict::decided()
    }

    /// What refuses any command about a conversation: it is not there, not as expected, or not open.
    fn not_commandable(&mut self, id: &str, expected_epoch: Option<u64>) -> Option<Verdict> {
        let Some(conversation) = self.workspace.conversations.get(id) else {
            return Some(Verdict::rejected(Reason::UnknownConversation));
        };
        if expected_epoch.is_some_and(|expected| expected != conversation.epoch) {
            return Some(Verdict::rejected(Reason::StaleEpoch));
        }
        if conversation.resolved_at.is_some() {
            return Some(Verdict::rejected(Reason::NotOpen));
        }
        self.catch_up(id);
        None
    }
}
