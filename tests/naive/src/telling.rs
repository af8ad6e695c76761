//! One step at work: the workspace it works on, the event that is its cause, and what it has told so far.

use crate::STEP_BOUND;
use crate::memory::Links;
use crate::workspace::Workspace;
use engine::decision::{AgentState, DecisionType, Outcome, Reason, Told, ToldAgent, ToldConversation};
use engine::id::HashKey;
use engine::input::{Input, Status};

/// What an event came to.
pub struct Verdict {
    pub outcome: Outcome,
    pub code: Reason,
}

impl Verdict {
    fn of(outcome: Outcome, code: Reason) -> Verdict {
        Verdict { outcome, code }
    }

    pub fn decided() -> Verdict {
        Verdict::of(Outcome::Decided, Reason::None)
    }

    pub fn recorded(code: Reason) -> Verdict {
        Verdict::of(Outcome::Recorded, code)
    }

    pub fn ignored(code: Reason) -> Verdict {
        Verdict::of(Outcome::Ignored, code)
    }

    pub fn rejected(code: Reason) -> Verdict {
        Verdict::of(Outcome::Rejected, code)
    }
}

pub struct Step<'a> {
    pub workspace: &'a mut Workspace,
    /// None: a tick.
    pub input: Option<&'a Input>,
    pub now: u64,
    pub links: &'a mut Links,
    pub key: HashKey,
    pub next_creation: &'a mut u64,
    pub agents_of_the_shard: usize,
    /// Assignments and re-queues that the step may still make.
    pub left: usize,
    pub told: Vec<Told>,
}

impl<'a> Step<'a> {
    pub fn new(
        workspace: &'a mut Workspace,
        input: Option<&'a Input>,
        now: u64,
        links: &'a mut Links,
        key: HashKey,
        next_creation: &'a mut u64,
    ) -> Step<'a> {
        let (agents_of_the_shard, left, told) = (0, STEP_BOUND, Vec::new());
        Step { workspace, input, now, links, key, next_creation, agents_of_the_shard, left, told }
    }

    /// A decision caused by the event, or by the tick where there is none.
    fn blank(&self, decision_type: DecisionType, reason: Reason) -> Told {
        let mut told = self.blank_of_tick(decision_type, reason);
        if let Some(input) = self.input {
            told.cause_source = input.source.clone();
            told.cause_id = input.id.clone();
            told.traceparent = input.traceparent.clone();
        }
        told
    }

    fn blank_of_tick(&self, decision_type: DecisionType, reason: Reason) -> Told {
        Told {
            decision_type,
            time: self.now,
            workspace: self.workspace.name.as_str().into(),
            reason,
            outcome: Outcome::Decided,
            policy_version: self.workspace.policy.version,
            ..Told::default()
        }
    }

    pub fn tell(&mut self, decision_type: DecisionType, reason: Reason, conversation: &str) {
        let mut told = self.blank(decision_type, reason);
        told.conversation = Some(self.told_conversation(conversation));
        self.told.push(told);
    }

    /// Of something that time did, whatever event brought it to light.
    pub fn tell_of_tick(&mut self, decision_type: DecisionType, reason: Reason, conversation: &str) {
        let mut told = self.blank_of_tick(decision_type, reason);
        told.conversation = Some(self.told_conversation(conversation));
        self.told.push(told);
    }

    /// Of a conversation that changes hands or loses them.
    pub fn tell_handed(&mut self, kind: DecisionType, reason: Reason, conversation: &str, previous_owner: &str) {
        self.tell(kind, reason, conversation);
        if let Some(about) = self.told.last_mut().and_then(|told| told.conversation.as_mut()) {
            about.previous_owner = previous_owner.into();
        }
    }

    pub fn tell_agent(&mut self, decision_type: DecisionType, reason: Reason, agent: &str) {
        let mut told = self.blank(decision_type, reason);
        told.agent = Some(self.told_agent(agent));
        self.told.push(told);
    }

    /// Of an agent over whose limit a conversation went.
    pub fn tell_override(&mut self, agent: &str, conversation: &str) {
        self.tell_agent(DecisionType::CapacityExceeded, Reason::Override, agent);
        let about = self.told_conversation(conversation);
        if let Some(told) = self.told.last_mut() {
            told.conversation = Some(about);
        }
    }

    pub fn tell_configured(&mut self) {
        let told = self.blank(DecisionType::WorkspaceConfigured, Reason::None);
        self.told.push(told);
    }

    /// The answer to an event of which nothing else is told.
    pub fn tell_verdict(&mut self, verdict: &Verdict) {
        let decision_type = match verdict.outcome {
            Outcome::Decided => return,
            Outcome::Rejected => DecisionType::CommandRejected,
            Outcome::Recorded | Outcome::Ignored => DecisionType::EventRecorded,
        };
        let mut told = self.blank(decision_type, verdict.code);
        told.outcome = verdict.outcome;
        told.event_type = self.input.map_or("", |input| input.event_type.word()).into();
        told.policy_version = 0;
        self.told.push(told);
    }

    fn told_conversation(&self, id: &str) -> ToldConversation {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let text = |text: &Option<String>| text.as_deref().unwrap_or("").into();
        let hold = conversation.owner.as_ref().and_then(|owner| {
            let agent = &workspace.agents[workspace.agent_index[owner]];
            agent.holds.iter().find(|hold| hold.conversation == id)
        });
        ToldConversation {
            id: id.into(),
            customer: text(&conversation.customer),
            epoch: conversation.epoch,
            owner: text(&conversation.owner),
            previous_owner: "".into(),
            queue: conversation.set.queue.as_str().into(),
            entry: conversation.entry.as_str().into(),
            channel: conversation.set.channel.as_str().into(),
            tier: text(&conversation.tier),
            arrival: conversation.arrival,
            queued_at: conversation.queued_at,
            waited_ms: self.now.saturating_sub(conversation.arrival),
            head_start_ms: conversation.head_start_ms,
            rule: conversation.rule.as_str().into(),
            units: hold.map_or(0, |hold| hold.units),
            service_level_ms: workspace.queue(&conversation.set.queue).map_or(0, |queue| queue.service_level_ms),
            live: conversation.live,
        }
    }

    fn told_agent(&self, id: &str) -> ToldAgent {
        let workspace = &self.workspace;
        let agent = &workspace.agents[workspace.agent_index[id]];
        let (used, units) = (agent.used(), workspace.units_of(agent));
        let holds_exclusive = agent.holds.iter().any(|hold| hold.exclusive);
        let state = match agent.effective {
            Status::Offline => AgentState::Offline,
            Status::Away => AgentState::Away,
            Status::Online if used >= units || holds_exclusive => AgentState::Full,
            Status::Online if used == 0 => AgentState::Available,
            Status::Online => AgentState::Partly,
        };
        ToldAgent { id: id.into(), team: agent.config.team.clone(), state, units_used: used, units }
    }
}
