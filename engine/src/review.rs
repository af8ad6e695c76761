//! After a change of policy: the conversations that wait are looked at again, a slice a tick, oldest first.
//! The cursor is recorded, so a restart goes on where it stood.

use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, Waiting};
use crate::policy::ExitKind;
use crate::queueing::Entering;
use crate::state::Phase;
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
            self.clocks_move(slot);
            self.clocks_follow(); // within the step's bytes
        }
        self.effect(Effect::Reviewed { workspace: ws, next });
    }

    /// All conversations of a workspace are to be looked at again, from the oldest on.
    pub(crate) fn review_all(&mut self, ws: u32) {
        if let Some(oldest) = self.state.oldest(ws) {
            self.effect(Effect::Reviewed { workspace: ws, next: Some(oldest) });
        }
    }

    /// A conversation that gets an event while its policy's cursor is under way is looked at first.
    pub(crate) fn review_first(&mut self, slot: u32) {
        if self.state.workspace(self.state.conversation(slot).workspace()).review().is_some() {
            self.without_cause(|s| s.look_again(slot));
            self.clocks_move(slot);
        }
    }

    fn look_again(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.phase() == Phase::Parked && self.state.workspace(row.workspace()).queue(row.queue()).is_none() {
            // Its queue will not open any more.
            self.budget = self.budget.saturating_sub(1);
            return self.woken(slot, Reason::Due);
        }
        if row.phase() != Phase::Queued {
            return;
        }
        let (ws, queue, arrival) = (row.workspace(), row.queue(), row.arrival());
        self.budget = self.budget.saturating_sub(1);
        let workspace = self.state.workspace(ws);
        let Some(rule) = workspace.queue(queue) else {
            let route = workspace.default_route();
            return self.enter(slot, Entering::new(route, Reason::Requeue, arrival));
        };
        let unservable = rule.on_unservable.clone();
        if unservable.kind != ExitKind::Wait && !self.is_servable(slot, queue) {
            return self.leave_by(slot, &unservable, Reason::Unservable);
        }
        let steps = self.state.workspace(ws).queue(queue).map_or(0, |q| q.steps.len()) as u8;
        let tier = self.state.workspace(ws).tier_rule(self.state.conversation(slot).tier());
        let facts = |s: &Self| {
            let (row, w) = (s.state.conversation(slot), &s.state.texts(slot).waiting);
            (row.set(), row.head_start_ms(), w.class, w.step, w.ring)
        };
        let before = facts(self);
        let waiting = &self.state.texts(slot).waiting;
        let class = self.class(slot);
        let (step, ring) = (waiting.step.min(steps), waiting.ring && tier.ring_ms > 0);
        if self.would_stand(slot, (class, step, ring)) != before {
            self.stand_anew(slot, |w| {
                (w.class, w.step, w.ring) = (class, step, ring);
                w.skipped &= (1 << step) - 1;
            });
            self.tell_conversation(DecisionType::ConversationUpdated, Reason::Configured, slot, None);
        }
        self.rearm_wait(slot);
        // Under this policy nobody may be left in its round.
        self.round_may_end(slot);
    }

    /// What its place would be.
    fn would_stand(&mut self, slot: u32, (class, step, ring): (u8, u8, bool)) -> (u32, u64, u8, u8, bool) {
        let row = self.state.conversation(slot);
        let (ws, queue, channel) = (row.workspace(), row.queue(), row.channel());
        let waiting = Waiting { class, step, ring, ..self.state.texts(slot).waiting.clone() };
        let requirement = self.requirement(slot, queue, &waiting);
        let (set, _) = self.set_of(ws, queue, channel, requirement);
        let head_start_ms = self.head_start(slot, waiting.step_head_start_ms);
        (set, head_start_ms, class, step, ring)
    }
}
