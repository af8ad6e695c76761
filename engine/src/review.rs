//! After a change of policy: the conversations that wait are looked at again, a slice a tick, oldest first.
//! The cursor is recorded, so a restart goes on where it stood.

use crate::decision::{DecisionType, Reason};
use crate::effect::Effect;
use crate::state::{NONE, Phase};
use crate::step::Stepping;

/// Conversations looked at in one tick, changed or not.
const LOOKED_AT: u32 = 4_096;

impl Stepping<'_> {
    /// One slice of the workspace's cursor, if it has one.
    pub(crate) fn review(&mut self, ws: u32) {
        let Some(first) = self.state.workspace(ws).review() else { return };
        let mut next = Some(first);
        let mut looked_at = 0;
        while let Some(slot) = next.filter(|_| looked_at < LOOKED_AT && self.has_budget()) {
            next = self.state.newer(slot);
            looked_at += 1;
            self.look_again(slot);
        }
        self.effect(Effect::Reviewed { workspace: ws, next });
    }

    /// A conversation that gets an event while its policy's cursor is under way is looked at first.
    pub(crate) fn review_first(&mut self, slot: u32) {
        if self.state.workspace(self.state.conversation(slot).workspace()).review().is_some() {
            self.without_cause(|s| s.look_again(slot));
        }
    }

    fn look_again(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.phase() != Phase::Queued {
            return;
        }
        let (ws, channel, queue) = (row.workspace(), row.channel(), row.queue());
        let workspace = self.state.workspace(ws);
        let head_start_ms = if row.tier() == NONE { 0 } else { workspace.head_start_ms(row.tier()) };
        let (arrival, queued_at, rule) = (row.arrival(), row.queued_at(), row.rule());
        let before = (row.set(), row.head_start_ms());
        if workspace.queue(queue).is_none() {
            let route = workspace.default_route();
            let set = self.set_again(slot, route.queue, channel);
            let queued_at = self.now;
            let (queue, rule) = (route.queue, route.rule);
            self.effect(Effect::Queued { conversation: slot, queue, set, rule, arrival, queued_at, head_start_ms });
            self.tell_conversation(DecisionType::ConversationQueued, Reason::Requeue, slot, None);
        } else {
            let set = self.set_again(slot, queue, channel);
            if (set, head_start_ms) == before {
                return;
            }
            self.effect(Effect::Queued { conversation: slot, queue, set, rule, arrival, queued_at, head_start_ms });
            self.tell_conversation(DecisionType::ConversationUpdated, Reason::Configured, slot, None);
        }
        self.budget = self.budget.saturating_sub(1);
    }
}
