//! What went wrong, or may have: missed and slow, lost context, hand-overs, collisions, escalations, and who was turned
//! away.

use super::{Open, PATH_MAX, Place, Review, Telling, some};
use crate::review::figures::{Chain, Collision, ContextCase, Missed, Slow, seconds};
use crate::workload::conversations::compliance_of;
use crate::workload::words::{ContextLoss, Ended, Entry, Transfer, Trigger};
use connectors::codec::timestamp;
use engine::decision::{Reason, Told, ToldClock};
use engine::policy::ClockKind;
use load_tests::service_level::Compliance;

impl Review {
    pub(super) fn ended(&mut self, telling: Telling<'_>, open: &Open, ended: Ended) {
        if ended != Ended::Missed || !self.range.contains(telling.time()) {
            return;
        }
        let conversation = telling.conversation;
        let open_ms = telling.time().saturating_sub(open.first_at);
        let missed = Missed {
            conversation: conversation.id.to_string(),
            customer: conversation.customer.to_string(),
            queue: conversation.queue.to_string(),
            channel: conversation.channel.to_string(),
            tier: conversation.tier.to_string(),
            ended_at: timestamp(telling.time()),
            open_s: seconds(open_ms),
        };
        self.missed.push(open_ms, missed);
    }

    pub(super) fn handed_over(&mut self, telling: Telling<'_>, transfer: Transfer) {
        let has_note = telling.conversation.has_note;
        let giver = self.giver(telling);
        if self.range.contains(telling.time()) {
            let counts = self.handovers.entry(telling.spot.queue).or_default();
            counts[transfer as usize][usize::from(has_note)] += 1;
            let from = if giver.is_empty() { format!("#{}", telling.conversation.queue) } else { giver.clone() };
            let fresh = || Chain { conversation: telling.conversation.id.to_string(), handovers: 0, path: vec![from] };
            self.chains.entry(telling.id()).or_insert_with(fresh).handovers += 1;
        }
        if !giver.is_empty() {
            let agent = self.agent_names.at(&giver);
            self.credit(agent, telling.time(), |agent| {
                agent.handovers += 1;
                agent.handovers_without_note += u64::from(!has_note);
            });
        }
        if !has_note {
            self.lost_context(telling, ContextLoss::HandoverWithoutNote, &giver);
        }
        self.comes_from_owner(telling, Entry::Transfer);
    }

    /// Who has it until this decision; empty: nobody.
    pub(super) fn giver(&self, telling: Telling<'_>) -> String {
        match self.open.get(&telling.conversation.id).map(|open| open.place) {
            Some(Place::Held { owner, .. }) => self.agent_names.name(owner).to_string(),
            _ => telling.conversation.previous_owner.to_string(),
        }
    }

    /// A station of a conversation that was handed over.
    pub(super) fn passes(&mut self, telling: Telling<'_>, station: &str) {
        if let Some(chain) = self.chains.get_mut(&telling.conversation.id)
            && chain.path.len() < PATH_MAX
            && chain.path.last().is_none_or(|last| last != station)
        {
            chain.path.push(station.into());
        }
    }

    pub(super) fn lost_context(&mut self, telling: Telling<'_>, loss: ContextLoss, agent: &str) {
        let conversation = telling.conversation;
        let case = ContextCase {
            conversation: Some(conversation.id.to_string()),
            customer: conversation.customer.to_string(),
            other_customer: None,
            agent: some(agent),
            queue: some(&conversation.queue),
            at: timestamp(telling.time()),
        };
        self.loses_context(telling.time(), loss, case);
    }

    pub(super) fn loses_context(&mut self, at: u64, loss: ContextLoss, case: ContextCase) {
        if self.range.contains(at) {
            let (by_queue, cases) = &mut self.lost[loss as usize];
            if let Some(queue) = &case.queue {
                *by_queue.entry(queue.clone()).or_default() += 1;
            }
            cases.push(at, case);
        }
    }

    /// Two ids were one customer all along, and both were served here within a day.
    pub(super) fn customer_merged(&mut self, told: &Told) {
        let Some(detail) = told.detail.as_ref().filter(|_| told.reason == Reason::Linked) else { return };
        let knows = |id: &str| self.customer(told, id).is_some_and(|customer| self.customers.knows(customer));
        if knows(&detail.text) && knows(&detail.other) {
            let case = ContextCase {
                customer: detail.text.to_string(),
                other_customer: some(&detail.other),
                at: timestamp(told.time),
                ..ContextCase::default()
            };
            self.loses_context(told.time, ContextLoss::UnlinkedChannel, case);
        }
    }

    pub(super) fn escalated(&mut self, telling: Telling<'_>) {
        let trigger = Trigger::of(telling.reason());
        if self.range.contains(telling.time()) {
            let number = telling.told.detail.as_ref().map_or(0, |detail| detail.number);
            let level = if matches!(trigger, Trigger::Command | Trigger::Clock) { number } else { 0 };
            let key = (telling.conversation.queue.to_string(), Trigger::WORDS[trigger as usize], level);
            *self.escalations.entry(key).or_default() += 1;
        }
        self.waits_on(telling);
    }

    pub(super) fn collided(&mut self, telling: Telling<'_>) {
        let at = telling.time();
        if !self.range.contains(at) {
            return;
        }
        let collision = Collision {
            conversation: telling.conversation.id.to_string(),
            queue: telling.conversation.queue.to_string(),
            owner: some(&telling.conversation.owner),
            agent: telling.agent().map_or(String::new(), |agent| agent.id.to_string()),
            at: timestamp(at),
        };
        self.collisions.push(at, collision);
        self.credit_told(telling.agent(), at, |agent| agent.collisions += 1);
    }

    pub(super) fn clock_breached(&mut self, telling: Telling<'_>) {
        let Some(clock) = telling.told.clock.filter(|_| self.range.contains(telling.time())) else { return };
        let conversation = telling.conversation;
        let slow = Slow {
            conversation: conversation.id.to_string(),
            clock: clock.clock.word(),
            queue: conversation.queue.to_string(),
            channel: conversation.channel.to_string(),
            tier: conversation.tier.to_string(),
            agent: some(&conversation.owner),
            breached_at: timestamp(telling.time()),
            target_s: seconds(clock.target_ms),
            over_s: 0.0,
            outcome: "open",
        };
        self.breached.insert((telling.id(), clock.clock), (telling.time(), slow));
    }

    /// A clock that had passed its target is over.
    pub(super) fn slow_ends(&mut self, telling: Telling<'_>, clock: &ToldClock, outcome: &'static str) {
        let Some((_, slow)) = self.breached.remove(&(telling.id(), clock.clock)) else { return };
        let agent = telling.agent().map(|agent| agent.id.to_string());
        let slow = Slow {
            agent: agent.or_else(|| some(&telling.conversation.owner)).or(slow.agent.clone()),
            target_s: seconds(clock.target_ms),
            over_s: seconds(clock.over_ms),
            outcome,
            ..slow
        };
        self.was_slow(clock.over_ms, slow);
    }

    pub(super) fn was_slow(&mut self, over_ms: u64, slow: Slow) {
        let counts = self.slow_by_clock.entry(slow.clock).or_default();
        match slow.outcome {
            "late" => counts.late += 1,
            "never" => counts.never += 1,
            _ => counts.open += 1,
        }
        self.slow.push(over_ms, slow);
    }

    pub(super) fn clock_completed(&mut self, telling: Telling<'_>) {
        let Some(clock) = telling.told.clock else { return };
        let kind = clock.clock;
        let is_answer = matches!(kind, ClockKind::FirstResponse | ClockKind::NextResponse);
        let open = self.open.get_mut(&telling.conversation.id).filter(|_| is_answer);
        let from_bot = open.is_some_and(|open| std::mem::take(&mut open.from_bot));
        let is_reply = is_answer && !telling.conversation.live;
        let is_turn = is_reply && !(from_bot && kind == ClockKind::FirstResponse);
        let met = telling.reason() == Reason::Met;
        let add = |compliance: &mut Compliance| {
            compliance.met += u64::from(met);
            compliance.missed += u64::from(!met);
            compliance.took.add(clock.wall_ms, clock.business_ms);
        };
        self.count(telling.spot, telling.time(), |counts| {
            add(compliance_of(counts, kind));
            if is_turn {
                counts.turns.add(clock.wall_ms);
            }
        });
        self.credit_told(telling.agent(), telling.time(), |agent| {
            add(&mut agent.clocks[kind as usize]);
            agent.replied += u64::from(is_reply);
            if is_turn {
                agent.turns.add(clock.wall_ms);
            }
        });
        self.slow_ends(telling, &clock, "late");
    }

    pub(super) fn clock_cancelled(&mut self, telling: Telling<'_>) {
        let Some(clock) = telling.told.clock else { return };
        self.count(telling.spot, telling.time(), |counts| compliance_of(counts, clock.clock).cancelled += 1);
        self.slow_ends(telling, &clock, "never");
    }

    pub(super) fn turned_away(&mut self, telling: Telling<'_>, queue: u32, how: &'static str) {
        if self.range.contains(telling.time()) {
            let queue = self.queues.names.name(queue).to_string();
            *self.turned_away.entry((queue, how, telling.reason().word())).or_default() += 1;
        }
    }
}
