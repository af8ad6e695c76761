//! What waiting leads to: relaxation steps, the end of a first ring or a preference, the longest wait (routing.md §4, §5).

use crate::decision::{DecisionType, Reason};
use crate::effect::TimerKind;
use crate::policy::{ExitKind, RoundEnd, Strategy};
use crate::queueing::Entering;
use crate::state::{ExitRule, Phase, Route};
use crate::step::Stepping;

impl Stepping<'_> {
    /// The timer of one who waits is due: all that is, in its order.
    pub(crate) fn wait_is_due(&mut self, slot: u32) {
        self.arm(TimerKind::Wait, slot, 0);
        let row = self.state.conversation(slot);
        if row.phase() == Phase::Offered || row.is_offer_warm() {
            return self.offer_expired(slot);
        }
        if row.phase() != Phase::Queued {
            return;
        }
        let (ws, queue, from) = (row.workspace(), row.queue(), row.queued_at());
        // What the queue's turning will charge to nobody is not charged now.
        let waited = self.known_until(ws, queue).saturating_sub(from);
        let workspace = self.state.workspace(ws);
        let desk = workspace.desk(queue);
        let clocks_run = !desk.is_closed() || desk.is_draining();
        let Some(rule) = workspace.queue(queue).filter(|_| clocks_run) else {
            return self.pauses_end(slot);
        };
        if rule.max_wait_ms > 0 && waited >= rule.max_wait_ms && rule.on_max_wait.kind != ExitKind::Wait {
            let exit = rule.on_max_wait.clone();
            return self.leave_by(slot, &exit, Reason::MaxWait);
        }
        if self.preference_ends(slot) {
            return;
        }
        let tier = self.state.workspace(ws).tier_rule(self.state.conversation(slot).tier());
        if self.state.texts(slot).waiting.ring && waited >= tier.ring_ms {
            self.stand_anew(slot, |w| w.ring = false);
            self.tell_conversation(DecisionType::ConversationRelaxed, Reason::FirstRing, slot, None);
        }
        while let Some(after_ms) = self.next_step(slot) {
            if waited < after_ms {
                break;
            }
            if self.take_step(slot) {
                return; // it went elsewhere
            }
        }
        let workspace = self.state.workspace(ws);
        let waiting = &self.state.texts(slot).waiting;
        let stage_ms = workspace.desk(queue).delay_over(waited);
        if stage_ms > waiting.stage_ms {
            self.stand_anew(slot, |w| w.stage_ms = stage_ms);
        }
        let strict = self.state.workspace(ws).policy().strict_max_wait_ms;
        if strict > 0 && waited >= strict && self.state.texts(slot).waiting.class > 1 {
            self.stand_anew(slot, |w| w.class = 1);
            self.tell_conversation(DecisionType::ConversationUpdated, Reason::Promoted, slot, None);
        }
        let workspace = self.state.workspace(ws);
        let is_unclaimed = workspace
            .queue(queue)
            .is_some_and(|q| q.strategy == Strategy::Manual && q.unclaimed_ms > 0 && waited >= q.unclaimed_ms);
        if is_unclaimed && !self.state.texts(slot).waiting.unclaimed {
            self.stand_anew(slot, |w| w.unclaimed = true);
            self.tell_conversation(DecisionType::ConversationUpdated, Reason::Unclaimed, slot, None);
        }
        self.pauses_end(slot);
    }

    /// A pause between two rounds, and the preference of a queue whose clocks stand.
    fn pauses_end(&mut self, slot: u32) {
        if self.preference_ends(slot) {
            return;
        }
        let waiting = &self.state.texts(slot).waiting;
        if waiting.paused_until != 0 && self.now >= waiting.paused_until {
            self.next_round(slot);
        }
        self.rearm_wait(slot);
    }

    fn next_round(&mut self, slot: u32) {
        self.stand_anew(slot, |w| {
            w.paused_until = 0;
            w.giver = 0;
            w.declined.clear();
        });
    }

    /// A preference whose time is over ends. Returns whether the conversation went elsewhere.
    fn preference_ends(&mut self, slot: u32) -> bool {
        let waiting = &self.state.texts(slot).waiting;
        waiting.only != 0 && self.now >= waiting.only_until && self.end_preference(slot)
    }

    /// Nobody is waited for any more. Returns whether the conversation went elsewhere.
    pub(crate) fn end_preference(&mut self, slot: u32) -> bool {
        let fallback = self.state.texts(slot).waiting.fallback;
        if fallback != 0 {
            let row = self.state.conversation(slot);
            let workspace = self.state.workspace(row.workspace());
            let is_there = |queue: &u32| workspace.queue(*queue).is_some();
            let route = match [fallback - 1, row.queue()].into_iter().find(is_there) {
                Some(queue) => Route { queue, rule: row.rule() },
                None => workspace.default_route(),
            };
            let arrival = row.arrival();
            let giver = self.state.texts(slot).waiting.giver;
            let giver = (giver != 0).then(|| giver - 1);
            self.enter(slot, Entering { giver, ..Entering::new(route, Reason::Overflow, arrival) });
            return true;
        }
        self.stand_anew(slot, |w| (w.only, w.only_until) = (0, 0));
        self.tell_conversation(DecisionType::ConversationUpdated, Reason::PreferenceExpired, slot, None);
        self.rearm_wait(slot);
        false
    }

    /// When the next step is due, counted from the entry.
    fn next_step(&self, slot: u32) -> Option<u64> {
        let row = self.state.conversation(slot);
        let rule = self.state.workspace(row.workspace()).queue(row.queue())?;
        rule.steps.get(usize::from(self.state.texts(slot).waiting.step)).map(|step| step.after_ms)
    }

    /// Takes the next step, or passes it by where its condition does not hold. Returns whether the conversation went
    /// elsewhere.
    pub(crate) fn take_step(&mut self, slot: u32) -> bool {
        let row = self.state.conversation(slot);
        let (ws, queue, set) = (row.workspace(), row.queue(), row.set());
        let at = self.state.texts(slot).waiting.step;
        let workspace = self.state.workspace(ws);
        let Some(step) = workspace.queue(queue).and_then(|q| q.steps.get(usize::from(at))) else { return false };
        let (head_start_ms, overflow) = (step.head_start_ms, step.overflow);
        if step.only_if_nobody_online && self.state.is_able_online(ws, set) {
            self.stand_anew(slot, |w| {
                w.skipped |= 1 << at;
                w.step = at + 1;
            });
            return false;
        }
        if let Some(queue) = overflow {
            let exit = ExitRule { kind: ExitKind::Queue, queue, ..ExitRule::default() };
            self.leave_by(slot, &exit, Reason::Overflow);
            return true;
        }
        self.stand_anew(slot, |w| {
            w.step = at + 1;
            w.skipped &= !(1 << at); // of another policy's step
            w.step_head_start_ms += head_start_ms;
        });
        self.tell_conversation(DecisionType::ConversationRelaxed, Reason::Step, slot, None);
        false
    }

    /// All who could have taken it have declined, or gave it away: what its queue says. It stands in line.
    pub(crate) fn round_ends(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let (ws, queue) = (row.workspace(), row.queue());
        let Some(rule) = self.state.workspace(ws).queue(queue) else { return };
        let (then, to, round_ms) = (rule.on_all_declined, rule.all_declined_queue, rule.round_ms);
        match then {
            RoundEnd::Queue => {
                let exit = ExitRule { kind: ExitKind::Queue, queue: to, ..ExitRule::default() };
                return self.leave_by(slot, &exit, Reason::AllDeclined);
            }
            RoundEnd::Park => return self.park(slot, Reason::AllDeclined),
            RoundEnd::Relax if self.next_step(slot).is_some() => {
                if !self.take_step(slot) {
                    self.rearm_wait(slot);
                    self.round_may_end(slot);
                }
                return;
            }
            RoundEnd::Relax | RoundEnd::Again => {}
        }
        let until = self.now + round_ms.max(1);
        self.stand_anew(slot, |w| w.paused_until = until);
        self.rearm_wait(slot);
    }
}
