//! A new policy: it counts at once, and what waits is looked at again, in order of creation, a slice a tick.

use crate::telling::{Step, Verdict};
use engine::decision::{DecisionType, Reason};
use engine::policy::Policy;

/// Conversations that one tick looks at.
const LOOKED_AT_MAX: usize = 4_096;

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
            self.workspace.strategies.insert(queue.name.to_string(), queue.strategy);
        }
        self.workspace.reevaluate_from = (!self.workspace.conversations.is_empty()).then_some(0);
        let agents: Vec<String> = self.workspace.agents.iter().map(|agent| agent.id.clone()).collect();
        for agent in agents {
            self.agent_moved(&agent);
        }
        self.tell_configured();
        self.workspace.close_idle_sets();
        Verdict::decided()
    }

    /// Looks at the next queued conversations under the present policy.
    pub fn reevaluate_slice(&mut self) {
        let Some(from) = self.workspace.reevaluate_from else { return };
        let mut queued: Vec<(u64, String)> = Vec::new();
        for id in self.workspace.waiting.values() {
            let creation = self.workspace.conversations[id].creation;
            if creation >= from {
                queued.push((creation, id.clone()));
            }
        }
        queued.sort();
        for (looked_at, (creation, id)) in queued.into_iter().enumerate() {
            if looked_at == LOOKED_AT_MAX || self.left == 0 {
                self.workspace.reevaluate_from = Some(creation);
                return;
            }
            self.reevaluate(&id);
        }
        self.workspace.reevaluate_from = None;
    }

    /// A conversation that gets an event before its turn is looked at first.
    pub fn catch_up(&mut self, id: &str) {
        let Some(from) = self.workspace.reevaluate_from else { return };
        let conversation = &self.workspace.conversations[id];
        if conversation.is_queued() && conversation.creation >= from {
            self.reevaluate(id);
        }
    }

    /// Its key and requirement set anew.
    fn reevaluate(&mut self, id: &str) {
        let conversation = &self.workspace.conversations[id];
        let head_start_ms = self.head_start_ms(conversation.tier.as_deref());
        let gone = self.workspace.queue(&conversation.set.queue).is_none();
        let queue_name = if gone { self.default_queue() } else { conversation.set.queue.clone() };
        let (channel, asked) = (conversation.set.channel.clone(), conversation.asked.clone());
        let (set, _) = self.workspace.set_for(&queue_name, &channel, &asked);
        let conversation = &self.workspace.conversations[id];
        let changed = set != conversation.set || head_start_ms != conversation.head_start_ms;
        let place = conversation.place();
        let now = self.now;
        self.workspace.waiting.remove(&place);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.set = set;
            conversation.head_start_ms = head_start_ms;
            if gone {
                conversation.rule = "default".to_string();
                conversation.queued_at = now;
            }
        }
        self.enqueue(id);
        if gone {
            self.tell_of_tick(DecisionType::ConversationQueued, Reason::Requeue, id);
        } else if changed {
            self.tell_of_tick(DecisionType::ConversationUpdated, Reason::Configured, id);
        }
        if gone || changed {
            self.left = self.left.saturating_sub(1);
        }
    }

    fn default_queue(&self) -> String {
        let default = self.workspace.policy.rules.iter().find(|rule| rule.when.is_empty());
        default.map(|rule| rule.queue.to_string()).unwrap_or_default()
    }
}
