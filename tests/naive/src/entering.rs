//! Coming into a queue: the gate with its ways out, and the place in line (routing.md §2, §5).

use crate::conversation::{FIRST_CLASS, Held, LAST_CLASS};
use crate::requirement::Skills;
use crate::telling::Step;
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail, Turn};
use engine::input::Control;
use engine::policy::limits::HOPS;
use engine::policy::{Exit, ExitKind};
use std::collections::BTreeSet;

/// With what a conversation comes into a queue. What is not given is as it was, or forgotten.
#[derive(Default)]
pub struct Entering {
    pub queue: String,
    pub rule: Option<String>,
    pub reason: Reason,
    pub arrival: Option<u64>,
    /// Left out until all others have declined.
    pub giver: Option<String>,
    /// Held for him, if he is there.
    pub preferred: Option<String>,
    /// Held for him, there or not.
    pub firmly: Option<Held>,
    /// Told as soon as it is in the queue, before anything else.
    pub announce: Option<(DecisionType, Reason)>,
}

impl Step<'_> {
    /// Into a queue, and on through ways out until it stands somewhere or is gone.
    pub fn enter(&mut self, id: &str, mut entering: Entering) {
        let mut entered: Vec<String> = Vec::new();
        let mut before = self.workspace.conversations[id].queue.clone();
        loop {
            self.arrive(id, &entering);
            entered.push(entering.queue.clone());
            let Some((exit, why)) = self.gate(id) else { break };
            match exit.kind {
                ExitKind::Wait => break,
                ExitKind::Queue if entered.len() > HOPS || entered.iter().any(|queue| **queue == *exit.text) => break,
                ExitKind::Queue if self.workspace.queue(&exit.text).is_none() => break,
                ExitKind::Queue => {
                    self.announce(id, entering.announce);
                    if before.is_empty() {
                        before = entering.queue;
                    }
                    entering = Entering {
                        queue: exit.text.to_string(),
                        reason: Reason::Overflow,
                        preferred: entering.preferred,
                        ..Entering::default()
                    };
                }
                ExitKind::Deflect | ExitKind::Park | ExitKind::Close => {
                    self.announce(id, entering.announce);
                    return self.go_out(id, &exit, why);
                }
            }
        }
        self.stand(id, &entering, &before);
    }

    fn announce(&mut self, id: &str, announce: Option<(DecisionType, Reason)>) {
        if let Some((decision_type, reason)) = announce {
            self.tell(decision_type, reason, id);
        }
    }

    /// As `enter` where no way out counts: it stays in the queue that it is in.
    pub fn stay(&mut self, id: &str, entering: &Entering) {
        self.arrive(id, entering);
        self.stand(id, entering, &entering.queue);
    }

    /// The wait in this queue begins; it does not stand in its line yet.
    fn arrive(&mut self, id: &str, entering: &Entering) {
        self.leave_line(id);
        let now = self.now;
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        conversation.phase = PhaseWord::Queued;
        conversation.turn = Turn::Ours;
        conversation.queue = entering.queue.clone();
        if let Some(rule) = &entering.rule {
            conversation.rule = rule.clone();
        }
        if let Some(arrival) = entering.arrival {
            conversation.arrival = arrival;
        }
        conversation.queued_at = now;
        conversation.entries += 1;
        conversation.turn_at = None;
        conversation.step_head_start_ms = 0;
        conversation.steps_seen = 0;
        conversation.steps_applied = BTreeSet::new();
        conversation.stage_ms = 0;
        conversation.class = LAST_CLASS;
        conversation.unclaimed = false;
        conversation.declined.clear();
        conversation.giver = entering.giver.clone();
        conversation.pause_until = None;
        conversation.preference = None;
        conversation.is_preferred_absent = false;
        let tier = conversation.tier.clone();
        let has_ring = self.workspace.tier(tier.as_deref()).is_some_and(|tier| tier.first_ring.is_some());
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.first_ring = has_ring;
        }
        self.rekey(id);
    }

    /// The first way out of its queue that applies.
    fn gate(&self, id: &str) -> Option<(Exit, Reason)> {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let queue = workspace.queue(&conversation.queue)?;
        if let Some(control) = workspace.is_closed(&queue.name).filter(|_| queue.on_closed.kind != ExitKind::Wait) {
            let why = if control == Control::Emergency { Reason::Emergency } else { Reason::Closed };
            return Some((queue.on_closed.clone(), why));
        }
        let others = workspace.waiting_in(&queue.name) - usize::from(conversation.waits());
        let has_way_out = queue.on_full.kind != ExitKind::Wait;
        if has_way_out && queue.max_waiting > 0 && others >= queue.max_waiting as usize {
            return Some((queue.on_full.clone(), Reason::Full));
        }
        if queue.on_unstaffed.kind != ExitKind::Wait && !workspace.has_online_member(&queue.name) {
            return Some((queue.on_unstaffed.clone(), Reason::Unstaffed));
        }
        if queue.on_unservable.kind != ExitKind::Wait && !self.is_servable(id) {
            return Some((queue.on_unservable.clone(), Reason::Unservable));
        }
        None
    }

    /// Whether anybody, online or not, could serve one of its steps here.
    pub fn is_servable(&self, id: &str) -> bool {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let steps = workspace.queue(&conversation.queue).map_or(0, |queue| queue.steps.len());
        (0..=steps).any(|reached| {
            let applied: BTreeSet<usize> = (0..reached).collect();
            let requirement = workspace.requirement(&conversation.queue, &conversation.asked, &applied, None);
            let mut agents = workspace.agents.iter().filter(|agent| agent.stands_on(&conversation.channel));
            agents.any(|agent| workspace.is_able(agent, &conversation.queue, &requirement))
        })
    }

    /// Out of its queue without another one.
    pub fn go_out(&mut self, id: &str, exit: &Exit, why: Reason) {
        match exit.kind {
            ExitKind::Deflect => {
                let detail = ToldDetail { text: exit.text.clone(), ..ToldDetail::default() };
                self.end(id, DecisionType::ConversationDeflected, why, detail);
            }
            ExitKind::Close => self.end(id, DecisionType::ConversationClosed, why, ToldDetail::default()),
            ExitKind::Park => self.park(id, why),
            ExitKind::Wait | ExitKind::Queue => {}
        }
    }

    /// A way out that applies to somebody who waits. False: he stays.
    pub fn take_way_out(&mut self, id: &str, exit: &Exit, why: Reason) -> bool {
        match exit.kind {
            ExitKind::Wait => return false,
            ExitKind::Queue if self.workspace.queue(&exit.text).is_none() => return false,
            ExitKind::Queue => self.overflow(id, &exit.text),
            ExitKind::Deflect | ExitKind::Park | ExitKind::Close => self.go_out(id, exit, why),
        }
        true
    }

    pub fn overflow(&mut self, id: &str, queue: &str) {
        self.enter(id, Entering { queue: queue.to_string(), reason: Reason::Overflow, ..Entering::default() });
    }

    pub fn park(&mut self, id: &str, why: Reason) {
        self.leave_line(id);
        let control = self.workspace.controls.get(&self.workspace.conversations[id].queue);
        let opens_at = control.filter(|_| matches!(why, Reason::Closed | Reason::Emergency)).and_then(|c| c.until);
        let opens_at = opens_at.filter(|until| *until > self.now);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.phase = PhaseWord::Parked;
            conversation.parked = why;
            conversation.turn_at = None;
            conversation.preference = None;
        }
        // Whatever it waited for before, it stands behind all that are parked until then already.
        self.rearm(id);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.turn_at = opens_at;
        }
        self.tell(DecisionType::ConversationParked, why, id);
        self.rearm(id);
    }

    fn stand(&mut self, id: &str, entering: &Entering, before: &str) {
        let has_room = self.find_set(id);
        let mut reason = entering.reason;
        if !has_room && reason == Reason::New {
            reason = Reason::TooManySkillSets;
            if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                conversation.asked = Skills::new();
            }
        }
        let preference = entering.firmly.clone().or_else(|| self.preference_for(id, entering.preferred.as_deref()));
        let queue = self.workspace.queue(&entering.queue);
        let prefers = entering.preferred.is_some() && queue.is_some_and(|queue| queue.preferred_ms > 0);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.is_preferred_absent = prefers && preference.is_none();
            conversation.preference = preference;
        }
        self.join_line(id);
        self.announce(id, entering.announce);
        self.tell(DecisionType::ConversationQueued, reason, id);
        if matches!(reason, Reason::Transfer | Reason::Overflow | Reason::Escalated) {
            self.with_detail(ToldDetail { other: before.into(), ..ToldDetail::default() });
        }
        if entering.giver.is_some() {
            self.end_round_if_over(id);
        }
        self.rearm(id);
    }

    /// Held for the preferred agent if the queue does so and he is there.
    fn preference_for(&self, id: &str, preferred: Option<&str>) -> Option<Held> {
        let conversation = &self.workspace.conversations[id];
        let agent = preferred.and_then(|agent| self.workspace.agent(agent))?;
        let hold_ms = self.workspace.queue(&conversation.queue)?.preferred_ms;
        let takes_work = self.workspace.takes_work(agent, &conversation.channel);
        let is_held = hold_ms > 0 && takes_work && conversation.giver.as_ref() != Some(&agent.id);
        let until = conversation.queued_at + hold_ms;
        is_held.then(|| Held { agent: agent.id.clone(), until, fallback: None })
    }

    /// Whom a conversation prefers that nobody has had: the owner of the customer's oldest open one, else the one who
    /// looks after him.
    pub fn preferred_of_customer(&self, id: &str) -> Option<String> {
        let customer = self.workspace.conversations[id].customer.as_deref()?;
        let same = self.workspace.same_customers(customer);
        let account_owner = same.iter().find_map(|one| self.workspace.account_owners.get(one));
        let is_his = |other: &Option<String>| other.as_ref().is_some_and(|other| same.contains(other));
        let mut owned: Vec<_> = self.workspace.conversations.values().filter(|other| is_his(&other.customer)).collect();
        owned.retain(|other| other.id != id && other.owner.is_some());
        owned.sort_by_key(|other| other.creation);
        let owner = owned.first().and_then(|other| other.owner.clone());
        owner.or_else(|| account_owner.cloned())
    }

    // The line.

    /// Its requirement set as it is now. False: there was no room for the skills that it asks for.
    pub fn find_set(&mut self, id: &str) -> bool {
        let (set, has_room) = self.workspace.set_for(id);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.set = Some(set);
        }
        has_room
    }

    pub fn join_line(&mut self, id: &str) {
        let place = self.workspace.conversations[id].place();
        self.workspace.waiting.insert(place, id.to_string());
        self.workspace.fresh.insert(id.to_string());
        self.rotations_for(id);
    }

    pub fn leave_line(&mut self, id: &str) {
        let Some(conversation) = self.workspace.conversations.get(id) else { return };
        if conversation.phase == PhaseWord::Queued {
            self.workspace.waiting.remove(&conversation.place());
        }
    }

    /// Changes what its place in line hangs on.
    pub fn change_key(&mut self, id: &str, change: impl FnOnce(&mut Self)) {
        let is_in_line = self.workspace.is_in_line(id);
        self.leave_line(id);
        change(self);
        if is_in_line {
            self.minds_clocks(id);
            self.join_line(id);
        }
    }

    /// Its head start and class anew; the first class is kept, whether by its tier or by promotion. Only outside the line.
    pub fn rekey(&mut self, id: &str) {
        let conversation = &self.workspace.conversations[id];
        let tier = self.workspace.tier(conversation.tier.as_deref());
        let of_tier = tier.map_or(0, |tier| tier.head_start_ms);
        let class = tier.map_or(0, |tier| tier.class);
        let of_priority = u64::from(conversation.priority) * self.workspace.policy.priority_head_start_ms;
        let head_start_ms = of_tier + of_priority + conversation.step_head_start_ms;
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.head_start_ms = head_start_ms;
            if conversation.class != FIRST_CLASS {
                conversation.class = if class == 0 { LAST_CLASS } else { class };
            }
        }
    }

    /// Where a conversation is queued again: its queue if there still is one of that name, else where the rule without
    /// conditions sends it.
    pub fn own_queue_again(&self, id: &str) -> (String, Option<String>) {
        let queue = &self.workspace.conversations[id].queue;
        match self.workspace.queue(queue) {
            Some(_) => (queue.clone(), None),
            None => (self.default_queue(), Some("default".to_string())),
        }
    }

    /// The arrival of a conversation that loses its owner: kept while something is unanswered, else as a transfer does.
    pub fn arrival_after_owner(&self, id: &str) -> u64 {
        let conversation = &self.workspace.conversations[id];
        if conversation.answered { self.arrival_kept(id) } else { conversation.arrival }
    }

    /// A hand-off: a person is to answer from now on.
    pub fn end_bot(&mut self, id: &str) {
        let now = self.now;
        if let Some(conversation) = self.workspace.conversations.get_mut(id)
            && conversation.phase == PhaseWord::InBot
        {
            conversation.arrival = now;
            conversation.turn = Turn::Ours;
            conversation.answered = false;
            conversation.turn_at = None;
            conversation.set_waits(Some(now), false);
            // The bot's deadline is free, even if the turn that follows ends at the same moment.
            self.rearm(id);
        }
    }
}
