//! One step at work: the workspace it works on, the event that is its cause, and what it has told so far.

use crate::STEP_BOUND;
use crate::agent::HoldKind;
use crate::conversation::Conversation;
use crate::shard::Shard;
use crate::workspace::Workspace;
use engine::decision::{
    AgentState, DecisionType, Outcome, Preference, Reason, Told, ToldAgent, ToldConversation, ToldDetail,
};
use engine::input::{Actor, ActorKind, EventType, Input, Status};
use std::collections::BTreeMap;

/// What an event came to.
pub enum Verdict {
    Answer(Outcome, Reason),
}

impl Verdict {
    pub fn decided() -> Verdict {
        Verdict::Answer(Outcome::Decided, Reason::None)
    }

    pub fn recorded(code: Reason) -> Verdict {
        Verdict::Answer(Outcome::Recorded, code)
    }

    pub fn ignored(code: Reason) -> Verdict {
        Verdict::Answer(Outcome::Ignored, code)
    }

    pub fn rejected(code: Reason) -> Verdict {
        Verdict::Answer(Outcome::Rejected, code)
    }
}

pub struct Step<'a> {
    pub workspace: &'a mut Workspace,
    pub shard: &'a mut Shard,
    /// None: a tick.
    pub input: Option<&'a Input>,
    pub now: u64,
    /// Assignments and re-queues that the step may still make.
    pub left: usize,
    /// The own time of the fact that is at hand.
    pub fact_at: Option<u64>,
    /// When the queue turned whose conversations are looked at.
    pub queue_turned_at: Option<u64>,
    /// What conversations ended as, by creation.
    pub ends: BTreeMap<u64, (DecisionType, Reason)>,
    /// What time has done comes to light: the event is not its cause.
    is_causeless: bool,
    pub told: Vec<Told>,
}

impl<'a> Step<'a> {
    pub fn new(workspace: &'a mut Workspace, shard: &'a mut Shard, input: Option<&'a Input>, now: u64) -> Step<'a> {
        let (fact_at, ends) = (None, BTreeMap::new());
        Step {
            workspace,
            shard,
            input,
            now,
            left: STEP_BOUND,
            fact_at,
            queue_turned_at: None,
            ends,
            is_causeless: false,
            told: Vec::new(),
        }
    }

    /// Clocks stop for what happened when it happened, not when we heard of it.
    pub fn is_fact(&self) -> bool {
        use EventType::*;
        let facts = [MessageReceived, MessageSent, MessageStatus, ContactStarted, ContactConnected, ContactEnded];
        self.input.is_some_and(|input| facts.contains(&input.event_type))
    }

    pub fn actor(&self) -> Option<&'a Actor> {
        self.input.and_then(|input| input.actor.as_ref())
    }

    /// The agent who acts, if it is one.
    pub fn acting_agent(&self) -> Option<&'a str> {
        self.actor().filter(|actor| actor.kind == ActorKind::Agent).map(|actor| &*actor.id.text)
    }

    /// Whatever is told meanwhile, time has done it.
    pub fn without_cause<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.is_causeless, true);
        let done = work(self);
        self.is_causeless = before;
        done
    }

    fn blank(&self, decision_type: DecisionType, reason: Reason) -> Told {
        let cause = self.input.filter(|_| !self.is_causeless);
        Told {
            decision_type,
            time: self.now,
            workspace: self.workspace.name.as_str().into(),
            cause_source: cause.map_or("".into(), |input| input.source.clone()),
            cause_id: cause.map_or("".into(), |input| input.id.clone()),
            traceparent: cause.and_then(|input| input.traceparent.clone()),
            reason,
            outcome: Outcome::Decided,
            policy_version: self.workspace.policy.version,
            ..Told::default()
        }
    }

    pub fn tell(&mut self, decision_type: DecisionType, reason: Reason, conversation: &str) {
        let creation = self.workspace.conversations[conversation].creation;
        self.tell_numbered(decision_type, reason, creation, conversation);
        let is_end = matches!(
            decision_type,
            DecisionType::ConversationResolved
                | DecisionType::ConversationClosed
                | DecisionType::ConversationAbandoned
                | DecisionType::ConversationDeflected
        );
        if is_end {
            self.ends.insert(creation, (decision_type, reason));
        }
    }

    /// Of one that may have left in this step, and another one of its id have come.
    pub fn tell_numbered(&mut self, decision_type: DecisionType, reason: Reason, creation: u64, id: &str) {
        let mut told = self.blank(decision_type, reason);
        told.conversation = self.workspace.numbered(creation, id).map(|about| self.told_conversation(about));
        self.told.push(told);
    }

    /// Of a conversation that changes hands or loses them.
    pub fn tell_handed(&mut self, kind: DecisionType, reason: Reason, conversation: &str, previous_owner: &str) {
        self.tell(kind, reason, conversation);
        if let Some(about) = self.told.last_mut().and_then(|told| told.conversation.as_mut()) {
            about.previous_owner = previous_owner.into();
        }
    }

    /// Of a conversation and an agent whom it concerns.
    pub fn tell_both(&mut self, decision_type: DecisionType, reason: Reason, conversation: &str, agent: &str) {
        self.tell(decision_type, reason, conversation);
        let about = self.told_agent(self.workspace.agent_index[agent]);
        if let Some(told) = self.told.last_mut() {
            told.agent = Some(about);
        }
    }

    pub fn tell_agent(&mut self, decision_type: DecisionType, reason: Reason, index: usize) {
        let mut told = self.blank(decision_type, reason);
        told.agent = Some(self.told_agent(index));
        self.told.push(told);
    }

    /// Of nobody in particular.
    pub fn tell_plainly(&mut self, decision_type: DecisionType, reason: Reason) {
        let told = self.blank(decision_type, reason);
        self.told.push(told);
    }

    /// What the last decision has besides.
    pub fn with_detail(&mut self, detail: ToldDetail) {
        if let Some(told) = self.told.last_mut() {
            told.detail = (detail != ToldDetail::default()).then_some(detail);
        }
    }

    /// The same, of the reason or note that was given with a command.
    pub fn with_text(&mut self, text: Option<&str>) {
        self.with_detail(ToldDetail { text: text.unwrap_or("").into(), ..ToldDetail::default() });
    }

    /// The answer to an event of which nothing else is told.
    pub fn tell_answer(&mut self, outcome: Outcome, code: Reason) {
        let decision_type = match outcome {
            Outcome::Decided => return,
            Outcome::Rejected => DecisionType::CommandRejected,
            Outcome::Recorded | Outcome::Ignored => DecisionType::EventRecorded,
        };
        let mut told = self.blank(decision_type, code);
        told.outcome = outcome;
        told.event_type = self.input.map_or("", |input| input.event_type.word()).into();
        told.policy_version = 0;
        self.told.push(told);
    }

    fn told_conversation(&self, conversation: &Conversation) -> ToldConversation {
        let (workspace, id) = (&self.workspace, conversation.id.as_str());
        let text = |text: &Option<String>| text.as_deref().unwrap_or("").into();
        let offered_to = conversation.offer.as_ref().map(|offer| (&offer.agent, HoldKind::Offer));
        let holder = conversation.owner.as_ref().map(|owner| (owner, HoldKind::Work)).or(offered_to);
        let hold = holder.and_then(|(agent, kind)| workspace.agent(agent)?.hold(kind, id));
        ToldConversation {
            id: id.into(),
            customer: text(&conversation.customer),
            epoch: conversation.epoch,
            owner: text(&conversation.owner),
            previous_owner: "".into(),
            queue: conversation.queue.as_str().into(),
            entry: conversation.entry.as_str().into(),
            channel: conversation.channel.as_str().into(),
            tier: text(&conversation.tier),
            arrival: conversation.arrival,
            queued_at: conversation.queued_at,
            waited_ms: self.now.saturating_sub(conversation.arrival),
            head_start_ms: conversation.head_start_ms,
            rule: conversation.rule.as_str().into(),
            units: hold.map_or(0, |hold| hold.units),
            service_level_ms: workspace.queue(&conversation.queue).map_or(0, |queue| queue.service_level_ms),
            live: conversation.live,
            priority: conversation.priority,
            step: conversation.steps_seen as u8,
            state: conversation.phase,
            turn: conversation.turn,
            transfers: conversation.transfers,
            has_note: conversation.has_note,
            preference: match &conversation.preference {
                _ if !conversation.waits() => Preference::None,
                Some(_) => Preference::Held,
                None if conversation.is_preferred_absent => Preference::Absent,
                None => Preference::None,
            },
        }
    }

    pub fn told_agent(&self, index: usize) -> ToldAgent {
        let workspace = &self.workspace;
        let agent = &workspace.agents[index];
        let (used, units) = (agent.used(), workspace.units_of(agent));
        let state = match agent.effective {
            _ if agent.is_removed => AgentState::Removed,
            Status::Offline => AgentState::Offline,
            Status::Away => AgentState::Away,
            Status::PendingAway => AgentState::PendingAway,
            Status::Online if !agent.responds() => AgentState::NotResponding,
            Status::Online if agent.is_draining => AgentState::Draining,
            Status::Online if agent.is_off_shift => AgentState::OffShift,
            Status::Online if used >= units || agent.holds_exclusive() => AgentState::Full,
            Status::Online if used == 0 => AgentState::Available,
            Status::Online => AgentState::Partly,
        };
        ToldAgent { id: agent.id.as_str().into(), team: agent.config.team.clone(), state, units_used: used, units }
    }
}
