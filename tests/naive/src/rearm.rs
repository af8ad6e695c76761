//! Which deadline everything has as it stands now. Called once after an operation on it is complete.

use crate::conversation::Conversation;
use crate::telling::Step;
use crate::timers::{AgentClock, Clock, Timer};
use crate::workspace::Workspace;
use engine::decision::PhaseWord;
use engine::policy::{ExitKind, Strategy};

impl Step<'_> {
    pub fn rearm(&mut self, id: &str) {
        let conversation = self.workspace.conversations.get(id);
        let deadlines = conversation.map_or([None; 4], |conversation| {
            [
                conversation.stale_at.filter(|_| !conversation.is_resolved()),
                turn_deadline(conversation),
                wait_deadline(self.workspace, conversation),
                conversation.clock_at.filter(|_| !conversation.is_resolved()),
            ]
        });
        for (clock, deadline) in [Clock::Open, Clock::Turn, Clock::Wait, Clock::Service].into_iter().zip(deadlines) {
            self.shard.timers.arm(&self.workspace.name, Timer::Conversation(id.to_string(), clock), deadline);
        }
    }

    pub fn rearm_agent(&mut self, index: usize) {
        let agent = &self.workspace.agents[index];
        let deadlines = [
            (AgentClock::Lease, agent.rows.iter().filter_map(|row| row.expires_at).min()),
            (AgentClock::Pace, agent.pace_at),
            (AgentClock::WrapUp, agent.holds.iter().filter_map(|hold| hold.until).min()),
            (AgentClock::Respond, agent.respond_at),
            (AgentClock::Away, agent.away_at),
        ];
        for (clock, deadline) in deadlines {
            let deadline = deadline.filter(|_| !agent.is_removed);
            self.shard.timers.arm(&self.workspace.name, Timer::Agent(index, clock), deadline);
        }
    }

    pub fn rearm_owner(&mut self, agent: &str) {
        if let Some(&index) = self.workspace.agent_index.get(agent) {
            self.rearm_agent(index);
        }
    }

    /// What comes next of a queue after a moment.
    pub fn rearm_queue(&mut self, queue: &str, after: u64) {
        let (control, configured) = (self.workspace.control_of(queue), self.workspace.queue(queue));
        let drain_ms = configured.map_or(0, |queue| queue.drain_after_close_ms);
        let drained = control.is_draining.then_some(after.max(control.since + drain_ms));
        let hours = configured.and_then(|queue| self.workspace.hours.get(&*queue.calendar));
        let turns = hours.and_then(|hours| hours.next_change(after));
        let deadline = drained.into_iter().chain(control.until).chain(turns).min();
        self.shard.timers.arm(&self.workspace.name, Timer::QueueControl(queue.to_string()), deadline);
    }
}

fn turn_deadline(conversation: &Conversation) -> Option<u64> {
    let has_turn = !matches!(conversation.phase, PhaseWord::Queued | PhaseWord::Offered | PhaseWord::Resolved);
    conversation.turn_at.filter(|_| has_turn)
}

fn wait_deadline(workspace: &Workspace, conversation: &Conversation) -> Option<u64> {
    if let Some(offer) = &conversation.offer {
        return offer.until;
    }
    if conversation.phase != PhaseWord::Queued {
        return None;
    }
    let until = conversation.preference.as_ref().map(|preference| preference.until);
    let pauses = until.into_iter().chain(conversation.pause_until).min();
    let rules = workspace.queue(&conversation.queue).filter(|queue| workspace.is_served(&queue.name));
    let Some(queue) = rules else { return pauses };
    let since = conversation.queued_at;
    let ring = workspace.tier(conversation.tier.as_deref()).and_then(|tier| tier.first_ring.as_ref());
    let ring_ms = ring.map_or(0, |ring| ring.for_ms);
    let delays = workspace.delays.get(&conversation.queue);
    let strict = workspace.policy.strict_max_wait_ms;
    let has_max_wait = queue.max_wait_ms > 0 && queue.on_max_wait.kind != ExitKind::Wait;
    let may_be_unclaimed = queue.strategy == Strategy::Manual && queue.unclaimed_ms > 0 && !conversation.unclaimed;
    let deadlines = [
        conversation.first_ring.then_some(since + ring_ms),
        queue.steps.get(conversation.steps_seen).map(|step| since + step.after_ms),
        delays.and_then(|all| all.range(conversation.stage_ms + 1..).next()).map(|delay| since + delay),
        has_max_wait.then_some(since + queue.max_wait_ms),
        may_be_unclaimed.then_some(since + queue.unclaimed_ms),
        (strict > 0 && conversation.may_be_promoted()).then_some(since + strict),
        pauses,
    ];
    deadlines.into_iter().flatten().min()
}
