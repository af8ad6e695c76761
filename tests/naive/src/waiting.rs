//! What time does to a conversation in line: relaxation steps, rings, delays, promotions, the longest wait.

use crate::conversation::FIRST_CLASS;
use crate::entering::Entering;
use crate::telling::Step;
use engine::decision::{DecisionType, PhaseWord, Reason};
use engine::policy::Strategy;

impl Step<'_> {
    /// The clock of the wait has come to something: all that is due is done, in the order of SEMANTICS §3.
    pub fn wait_is_due(&mut self, id: &str) {
        let Some(conversation) = self.workspace.conversations.get(id) else { return };
        if conversation.offer.is_some() {
            return self.offer_expires(id);
        }
        if conversation.phase == PhaseWord::Queued {
            self.pass_time(id);
            self.rearm(id);
        }
    }

    fn pass_time(&mut self, id: &str) {
        let conversation = &self.workspace.conversations[id];
        let until = self.turns_next(&conversation.queue).unwrap_or(self.now);
        let waited_ms = until.saturating_sub(conversation.queued_at);
        let rules = self.workspace.queue(&conversation.queue).cloned();
        let Some(queue) = rules.filter(|queue| self.workspace.is_served(&queue.name)) else {
            return self.pauses_end(id);
        };
        let too_long = queue.max_wait_ms > 0 && waited_ms >= queue.max_wait_ms;
        if too_long && self.take_way_out(id, &queue.on_max_wait, Reason::MaxWait) {
            return;
        }
        if self.preference_ends(id) {
            return;
        }
        self.end_first_ring(id, waited_ms);
        while let Some(step) = queue.steps.get(self.workspace.conversations[id].steps_seen) {
            if step.after_ms > waited_ms {
                break;
            }
            if self.take_step(id) {
                return;
            }
        }
        let delays = self.workspace.delays.get(&*queue.name);
        let over = delays.and_then(|delays| delays.range(..=waited_ms).next_back().copied()).unwrap_or(0);
        if over > self.workspace.conversations[id].stage_ms {
            self.change_key(id, |step| {
                if let Some(conversation) = step.workspace.conversations.get_mut(id) {
                    conversation.stage_ms = over;
                }
            });
        }
        let strict = self.workspace.policy.strict_max_wait_ms;
        let is_late_class = self.workspace.conversations[id].may_be_promoted();
        if strict > 0 && waited_ms >= strict && is_late_class {
            self.change_key(id, |step| {
                if let Some(conversation) = step.workspace.conversations.get_mut(id) {
                    conversation.class = FIRST_CLASS;
                }
            });
            self.tell(DecisionType::ConversationUpdated, Reason::Promoted, id);
        }
        let is_unclaimed =
            queue.strategy == Strategy::Manual && queue.unclaimed_ms > 0 && waited_ms >= queue.unclaimed_ms;
        if is_unclaimed && !self.workspace.conversations[id].unclaimed {
            self.change_key(id, |step| {
                if let Some(conversation) = step.workspace.conversations.get_mut(id) {
                    conversation.unclaimed = true;
                }
                step.find_set(id);
            });
            self.tell(DecisionType::ConversationUpdated, Reason::Unclaimed, id);
        }
        self.pauses_end(id);
    }

    /// What goes on while the queue's own clocks stand: a preference, the pause between two rounds.
    fn pauses_end(&mut self, id: &str) {
        if !self.preference_ends(id)
            && self.workspace.conversations[id].pause_until.is_some_and(|until| until <= self.now)
        {
            self.begin_round(id);
        }
    }

    /// Returns whether it went elsewhere.
    fn preference_ends(&mut self, id: &str) -> bool {
        let preference = &self.workspace.conversations[id].preference;
        if preference.as_ref().is_none_or(|preference| preference.until > self.now) {
            return false;
        }
        let goes_elsewhere = self.fall_back(id);
        if !goes_elsewhere {
            self.end_preference(id);
        }
        goes_elsewhere
    }

    /// Where a transfer to somebody who did not come names another queue, it goes there.
    pub fn fall_back(&mut self, id: &str) -> bool {
        let conversation = &self.workspace.conversations[id];
        let fallback = conversation.preference.as_ref().and_then(|preference| preference.fallback.clone());
        let giver = conversation.giver.clone();
        let Some(named) = fallback else { return false };
        let is_gone = self.workspace.queue(&named).is_none();
        let (queue, rule) = if is_gone { self.own_queue_again(id) } else { (named, None) };
        self.enter(id, Entering { queue, rule, reason: Reason::Overflow, giver, ..Entering::default() });
        true
    }

    /// Nobody is preferred any more.
    pub fn end_preference(&mut self, id: &str) {
        self.workspace.fresh.insert(id.to_string());
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.preference = None;
        }
        self.tell(DecisionType::ConversationUpdated, Reason::PreferenceExpired, id);
    }

    fn end_first_ring(&mut self, id: &str, waited_ms: u64) {
        let conversation = &self.workspace.conversations[id];
        let tier = self.workspace.tier(conversation.tier.as_deref());
        let for_ms = tier.and_then(|tier| tier.first_ring.as_ref()).map_or(0, |ring| ring.for_ms);
        if !conversation.first_ring || for_ms > waited_ms {
            return;
        }
        self.change_key(id, |step| {
            if let Some(conversation) = step.workspace.conversations.get_mut(id) {
                conversation.first_ring = false;
            }
            step.find_set(id);
        });
        self.tell(DecisionType::ConversationRelaxed, Reason::FirstRing, id);
    }

    /// The next relaxation step. True: it has left its queue by it.
    pub fn take_step(&mut self, id: &str) -> bool {
        let conversation = &self.workspace.conversations[id];
        let at = conversation.steps_seen;
        let queue = self.workspace.queue(&conversation.queue);
        let Some(step) = queue.and_then(|queue| queue.steps.get(at)).cloned() else { return false };
        let is_skipped = step.only_if_nobody_online && self.is_somebody_online_for(id);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.steps_seen += usize::from(is_skipped || step.overflow.is_empty());
        }
        if is_skipped {
            return false;
        }
        if !step.overflow.is_empty() && self.workspace.queue(&step.overflow).is_some() {
            self.overflow(id, &step.overflow);
            return true;
        }
        self.change_key(id, |stepping| {
            if let Some(conversation) = stepping.workspace.conversations.get_mut(id) {
                conversation.steps_applied.insert(at);
                conversation.step_head_start_ms += step.head_start_ms;
            }
            stepping.rekey(id);
            stepping.find_set(id);
        });
        self.tell(DecisionType::ConversationRelaxed, Reason::Step, id);
        false
    }

    fn is_somebody_online_for(&self, id: &str) -> bool {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let requirement = workspace.requirement_of(conversation, &conversation.asked);
        let mut agents = workspace.agents.iter().filter(|agent| workspace.takes_work(agent, &conversation.channel));
        agents.any(|agent| workspace.is_able(agent, &conversation.queue, &requirement))
    }
}
