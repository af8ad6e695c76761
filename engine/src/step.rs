//! One step under way: the door of effects, the telling of decisions, and the dispatcher of inputs.
//!
//! `Stepping` borrows the state for one input or tick. What each input does stands in the file of its concern
//! (`contact`, `presence`, `command`, `configure`); what follows from it in `dispatch` and `review`.

use crate::decision::{DecisionType, Outcome, Position, Reason, Telling, TellingAgent, TellingConversation};
use crate::effect::Effect;
use crate::engine::{Answer, Output, STEP_BUDGET, STEP_BYTES};
use crate::input::{Body, EventType, Input};
use crate::state::{NONE, Remembered, State};
use crate::wire::Wire;
use alloc::format;
use alloc::string::String;

pub(crate) struct Stepping<'a> {
    pub state: &'a mut State,
    out: &'a mut Output,
    /// The event whose decisions name it; none: they name the tick.
    cause: Option<&'a Input>,
    pub now: u64,
    /// Assignments and re-queues that this step may still make.
    pub budget: u32,
    /// Index of the first decision that named the cause.
    first: Option<u32>,
    /// Output before this step.
    started_at: usize,
}

/// What an event came to, before it is remembered.
pub(crate) type Verdict = (Outcome, Reason);

pub(crate) const DECIDED: Verdict = (Outcome::Decided, Reason::None);
pub(crate) const RECORDED: Verdict = (Outcome::Recorded, Reason::Recorded);

pub(crate) const fn ignored(code: Reason) -> Verdict {
    (Outcome::Ignored, code)
}

pub(crate) const fn rejected(code: Reason) -> Verdict {
    (Outcome::Rejected, code)
}

impl<'a> Stepping<'a> {
    pub fn new(state: &'a mut State, out: &'a mut Output, cause: Option<&'a Input>, now: u64) -> Stepping<'a> {
        let now = now.max(state.now());
        let started_at = out.effects.len() + out.decisions.len();
        Stepping { state, out, cause, now, budget: STEP_BUDGET, first: None, started_at }
    }

    /// Whether this step may go on: assignments and bytes are bounded, the rest is for ticks.
    pub fn has_budget(&self) -> bool {
        self.budget > 0 && self.out.effects.len() + self.out.decisions.len() - self.started_at < STEP_BYTES
    }

    /// The one door: records an effect and applies it. Time moves with the first effect at a later time.
    pub fn effect(&mut self, effect: Effect) {
        if self.now > self.state.now() {
            self.record(Effect::Now { ms: self.now });
        }
        self.record(effect);
    }

    fn record(&mut self, effect: Effect) {
        effect.put(&mut self.out.effects);
        self.state.apply(&effect, self.out.seq);
    }

    /// Decides one input. Returns the answer and the workspace in which work may follow.
    pub fn input(&mut self, input: &Input) -> (Answer, Option<u32>) {
        if let Some(known) = self.state.remembered(input.key).copied() {
            return (self.duplicate(input, known), None);
        }
        let workspace = self.state.find_workspace(input.workspace.hash);
        if workspace.is_none() && input.event_type != EventType::WorkspaceConfigure {
            return (Answer::UnknownWorkspace, None);
        }
        if let Some(workspace) = workspace {
            self.expire(workspace);
        }
        let verdict = self.decide(input, workspace);
        self.told_of(input, verdict);
        let idx = self.first.unwrap_or(self.out.decision_count);
        let (outcome, code) = verdict;
        self.effect(Effect::Remembered { key: input.key, idx, outcome, code });
        let position = Position { seq: self.out.seq, idx };
        let answer = Answer::Recorded { outcome, code, position, duplicate: false };
        (answer, workspace.or_else(|| self.state.find_workspace(input.workspace.hash)))
    }

    fn decide(&mut self, input: &Input, workspace: Option<u32>) -> Verdict {
        match (&input.body, workspace) {
            (Body::Unsupported { .. }, _) if input.event_type.is_command() => rejected(Reason::Unsupported),
            (Body::Unsupported { .. }, _) => ignored(Reason::Unsupported),
            (Body::Invalid { .. }, _) => rejected(Reason::InvalidPolicy),
            (Body::WorkspaceConfigure { policy, expected_version }, ws) => {
                self.configure_workspace(&input.workspace, ws, policy, *expected_version)
            }
            (_, None) => rejected(Reason::Unsupported),
            (Body::ContactStarted { contact }, Some(ws)) => self.contact_started(ws, input, contact),
            (Body::ContactEnded { conversation, identity, by }, Some(ws)) => {
                self.contact_ended(ws, conversation.as_ref(), *identity, *by)
            }
            (Body::MessageReceived { contact, opens }, Some(ws)) => self.message_received(ws, input, contact, *opens),
            (Body::MessageSent { conversation, identity }, Some(_)) => {
                self.message_sent(conversation.as_ref(), *identity)
            }
            (Body::AgentPresence { agent, status, by, session, sequence }, Some(_)) => {
                self.presence(input.source_hash, agent, *status, *by, (*session, *sequence))
            }
            (Body::ConversationClaim { conversation, agent, expected_epoch }, Some(_)) => {
                self.claim(conversation, agent, *expected_epoch)
            }
            (Body::ConversationAssign { conversation, agent, expected_epoch, reason }, Some(_)) => self.assign(
                input,
                conversation,
                agent,
                *expected_epoch,
                reason.as_deref().is_some_and(|r| !r.is_empty()),
            ),
            (Body::ConversationResolve { conversation, expected_epoch }, Some(_)) => {
                self.resolve(input, conversation, *expected_epoch)
            }
            (Body::AgentConfigure { agent, config }, Some(ws)) => self.configure_agent(ws, agent, config),
        }
    }

    /// Tells an event's outcome where nothing else named it as cause.
    fn told_of(&mut self, input: &Input, (outcome, code): Verdict) {
        let decision_type = match outcome {
            Outcome::Decided => return,
            Outcome::Rejected => DecisionType::CommandRejected,
            Outcome::Recorded | Outcome::Ignored => DecisionType::EventRecorded,
        };
        let sentence: String = match &input.body {
            Body::Unsupported { what } => format!("{what} is not supported by this version"),
            Body::Invalid { faults } => faults.as_ref().into(),
            _ => code.sentence().into(),
        };
        let telling = Telling {
            reason: code,
            outcome,
            sentence: clip(&sentence),
            event_type: input.event_type.word(),
            ..self.telling(decision_type, &input.workspace.text)
        };
        telling.put(&mut self.out.decisions);
        self.count();
    }

    fn duplicate(&mut self, input: &Input, known: Remembered) -> Answer {
        let telling = Telling {
            reason: Reason::Duplicate,
            outcome: known.outcome,
            event_type: input.event_type.word(),
            first: Some(known.position),
            ..self.telling(DecisionType::EventRecorded, &input.workspace.text)
        };
        telling.put(&mut self.out.decisions);
        self.count();
        Answer::Recorded { outcome: known.outcome, code: known.code, position: known.position, duplicate: true }
    }

    /// From here on decisions name the tick as cause.
    pub fn without_cause<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let cause = self.cause.take();
        let done = work(self);
        self.cause = cause;
        done
    }

    /// A decision with nothing but its cause.
    fn telling<'t>(&self, decision_type: DecisionType, workspace: &'t str) -> Telling<'t>
    where
        'a: 't,
    {
        let cause = self.cause;
        Telling {
            decision_type,
            time: self.now,
            workspace,
            cause_source: cause.map_or("", |c| &c.source),
            cause_id: cause.map_or("", |c| &c.id),
            traceparent: cause.and_then(|c| c.traceparent.as_deref()),
            reason: Reason::None,
            outcome: Outcome::Decided,
            sentence: "",
            event_type: "",
            conversation: None,
            agent: None,
            first: None,
            policy_version: 0,
        }
    }

    /// Tells a decision about a conversation as it stands now.
    pub fn tell_conversation(
        &mut self,
        decision_type: DecisionType,
        reason: Reason,
        slot: u32,
        previous_owner: Option<u32>,
    ) {
        let told = Place { state: self.state, now: self.now };
        let workspace = self.state.workspace(self.state.conversation(slot).workspace());
        let telling = Telling {
            reason,
            conversation: Some(told.conversation(slot, previous_owner)),
            policy_version: workspace.policy().version,
            ..self.telling(decision_type, workspace.name())
        };
        telling.put(&mut self.out.decisions);
        self.count();
    }

    pub fn tell_workspace(&mut self, decision_type: DecisionType, slot: u32) {
        let workspace = self.state.workspace(slot);
        let version = workspace.policy().version;
        let telling = Telling { policy_version: version, ..self.telling(decision_type, workspace.name()) };
        telling.put(&mut self.out.decisions);
        self.count();
    }

    /// Tells a decision about an agent as he stands now, with the conversation it is about, if any.
    pub fn tell_agent(&mut self, decision_type: DecisionType, reason: Reason, slot: u32, conversation: Option<u32>) {
        let told = Place { state: self.state, now: self.now };
        let workspace = self.state.workspace(self.state.agent(slot).workspace());
        let telling = Telling {
            reason,
            conversation: conversation.map(|c| told.conversation(c, None)),
            agent: Some(told.agent(slot)),
            policy_version: workspace.policy().version,
            ..self.telling(decision_type, workspace.name())
        };
        telling.put(&mut self.out.decisions);
        self.count();
    }

    fn count(&mut self) {
        if self.cause.is_some() && self.first.is_none() {
            self.first = Some(self.out.decision_count);
        }
        self.out.decision_count += 1;
    }
}

/// A sentence of at most 1,000 bytes: a policy may have more faults than a decision should carry.
fn clip(sentence: &str) -> &str {
    &sentence[..sentence.floor_char_boundary(1_000)]
}

/// Slots to texts.
struct Place<'s> {
    state: &'s State,
    now: u64,
}

impl<'s> Place<'s> {
    fn conversation(&self, slot: u32, previous_owner: Option<u32>) -> TellingConversation<'s> {
        let state = self.state;
        let c = state.conversation(slot);
        let ws = state.workspace(c.workspace());
        let agent = |a: Option<u32>| a.map_or("", |a| state.agent(a).id());
        let texts = state.texts(slot);
        TellingConversation {
            id: &texts.id,
            customer: &texts.customer,
            epoch: c.epoch(),
            owner: agent(c.owner()),
            previous_owner: agent(previous_owner),
            queue: ws.queues.text(c.queue()),
            entry: state.entry_text(slot),
            channel: ws.channels.text(c.channel()),
            tier: if c.tier() == NONE { "" } else { ws.tiers.text(c.tier()) },
            arrival: c.arrival(),
            queued_at: c.queued_at(),
            waited_ms: self.now.saturating_sub(c.arrival()),
            head_start_ms: c.head_start_ms(),
            rule: c.rule(),
            units: c.units(),
            service_level_ms: ws.queue(c.queue()).map_or(0, |q| q.service_level_ms),
            live: c.live(),
        }
    }

    fn agent(&self, slot: u32) -> TellingAgent<'s> {
        let a = self.state.agent(slot);
        TellingAgent {
            id: a.id(),
            team: &a.config().team,
            state: a.told_state(),
            units_used: a.used(),
            units: a.units(),
        }
    }
}
