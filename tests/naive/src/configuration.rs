//! A new policy: it counts at once, and what is open is looked at again, in order of creation, a slice a tick.

use crate::STEP_LOOKS;
use crate::conversation::Conversation;
use crate::entering::Entering;
use crate::telling::{Step, Verdict};
use engine::decision::{DecisionType, PhaseWord, Reason};
use engine::policy::{ExitKind, Policy};

impl Step<'_> {
    pub fn configure(&mut self, policy: &Policy, expected_version: Option<u64>) -> Verdict {
        let present = self.workspace.policy.version;
        if expected_version.is_some_and(|expected| expected != present) {
            return Verdict::rejected(Reason::VersionMismatch);
        }
        if *policy == self.workspace.policy {
            return Verdict::recorded(Reason::Recorded);
        }
        if policy.version <= present {
            return Verdict::rejected(Reason::VersionNotAbove);
        }
        if !policy.faults().is_empty() {
            return Verdict::rejected(Reason::InvalidPolicy);
        }
        self.workspace.policy = policy.clone();
        for channel in &policy.channels {
            self.workspace.past_channels.insert(channel.name.to_string(), channel.clone());
        }
        for queue in &policy.queues {
            if self.workspace.past_queues.insert(queue.name.to_string(), queue.clone()).is_none() {
                self.workspace.queue_names.push(queue.name.to_string());
            }
        }
        self.recount_delays();
        self.review();
        for index in 0..self.workspace.agents.len() {
            self.agent_moved(index);
        }
        self.tell_plainly(DecisionType::WorkspaceConfigured, Reason::None);
        self.follow_all_hours();
        self.workspace.close_idle_sets();
        Verdict::decided()
    }

    /// Looks at the next conversations under the present policy.
    pub fn reevaluate_slice(&mut self) {
        let Some(from) = self.workspace.reevaluate_from else { return };
        let creation = |id: &String| self.workspace.conversations[id].creation;
        let left: Vec<(u64, String)> = self
            .workspace
            .by_creation()
            .into_iter()
            .map(|id| (creation(&id), id))
            .filter(|(creation, _)| *creation >= from)
            .collect();
        for (looked_at, (creation, id)) in left.into_iter().enumerate() {
            if looked_at == STEP_LOOKS || self.left == 0 {
                self.workspace.reevaluate_from = Some(creation);
                return;
            }
            self.minds_clocks(&id);
            self.reevaluate(&id);
            self.follow_clocks();
        }
        self.workspace.reevaluate_from = None;
    }

    /// A conversation that gets an event before its turn is looked at first.
    pub fn catch_up(&mut self, id: &str) {
        let Some(from) = self.workspace.reevaluate_from else { return };
        self.minds_clocks(id);
        let conversation = self.workspace.conversations.get(id);
        if conversation.is_some_and(|conversation| conversation.creation >= from) {
            self.without_cause(|step| step.reevaluate(id));
        }
    }

    /// Its key, requirement set and deadlines anew.
    fn reevaluate(&mut self, id: &str) {
        let Some(conversation) = self.workspace.conversations.get(id) else { return };
        if conversation.phase == PhaseWord::Parked && self.workspace.queue(&conversation.queue).is_none() {
            // Its queue will not open any more.
            self.left = self.left.saturating_sub(1);
            return self.wake(id, Reason::Due);
        }
        if conversation.phase != PhaseWord::Queued {
            return;
        }
        self.left = self.left.saturating_sub(1);
        if self.workspace.queue(&conversation.queue).is_none() {
            let (queue, rule) = self.own_queue_again(id);
            self.enter(id, Entering { queue, rule, reason: Reason::Requeue, ..Entering::default() });
            return;
        }
        let on_unservable = self.workspace.queue(&conversation.queue).map(|queue| queue.on_unservable.clone());
        if let Some(exit) = on_unservable.filter(|exit| exit.kind != ExitKind::Wait)
            && !self.is_servable(id)
            && self.take_way_out(id, &exit, Reason::Unservable)
        {
            return;
        }
        let conversation = &self.workspace.conversations[id];
        let steps = self.workspace.queue(&conversation.queue).map_or(0, |queue| queue.steps.len());
        let key_of = |conversation: &Conversation| {
            let step = conversation.steps_seen;
            let key = (conversation.head_start_ms, conversation.class, step, conversation.first_ring);
            (conversation.set.clone(), key)
        };
        let before = key_of(conversation);
        let has_ring = self.workspace.tier(conversation.tier.as_deref()).is_some_and(|tier| tier.first_ring.is_some());
        self.change_key(id, |step| {
            if let Some(conversation) = step.workspace.conversations.get_mut(id) {
                conversation.steps_seen = conversation.steps_seen.min(steps);
                conversation.steps_applied.retain(|&applied| applied < steps);
                conversation.first_ring &= has_ring;
            }
            step.rekey(id);
            step.find_set(id);
        });
        if before != key_of(&self.workspace.conversations[id]) {
            self.tell(DecisionType::ConversationUpdated, Reason::Configured, id);
        }
        self.end_round_if_over(id);
        self.rearm(id);
    }
}
