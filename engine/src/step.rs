//! One step under way: the door of effects, the telling of decisions, and the dispatcher of inputs.
//!
//! `Stepping` borrows the state for one input or tick. What each input does stands in the file of its concern
//! (`contact`, `presence`, `command`, `configure`); what follows from it in `dispatch` and `review`.

use crate::clock::{Moved, moved_by};
use crate::decision::{
    DecisionType, Outcome, Position, Reason, Telling, TellingAgent, TellingConversation, TellingDetail, ToldClock,
};
use crate::effect::Effect;
use crate::engine::{Answer, Output, STEP_BUDGET, STEP_BYTES};
use crate::input::{Body, EventType, Input};
use crate::state::{NONE, Remembered, State};
use crate::wire::Wire;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

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
    /// Conversations whose clocks have to follow.
    pub moved: Vec<Moved>,
    /// When the fact happened that is being decided, by its own time.
    pub fact_at: Option<u64>,
    /// The agent who wrote the answer that is being decided.
    pub replied_by: Option<u32>,
    /// When the queue turned whose conversations are being looked at for it.
    pub queue_turned_at: Option<u64>,
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
        let (budget, moved) = (STEP_BUDGET, Vec::new());
        Stepping {
            state,
            out,
            cause,
            now,
            budget,
            first: None,
            started_at,
            moved,
            fact_at: None,
            replied_by: None,
            queue_turned_at: None,
        }
    }

    /// Whether this step may go on: assignments and bytes are bounded, the rest is for ticks.
    pub fn has_budget(&self) -> bool {
        self.budget > 0 && self.out.effects.len() + self.out.decisions.len() - self.started_at < STEP_BYTES
    }

    /// The one door: records an effect and applies it. Time moves with the first effect at a later time.
    pub fn effect(&mut self, effect: Effect) {
        if self.now > self.state.now() {
            self.record(&Effect::Now { ms: self.now });
        }
        self.record(&effect);
        if let Some(slot) = moved_by(&effect) {
            self.clocks_move(slot);
        }
    }

    /// The type of the event that is being decided.
    pub fn cause_type(&self) -> Option<EventType> {
        self.cause.map(|input| input.event_type)
    }

    fn record(&mut self, effect: &Effect) {
        effect.put(&mut self.out.effects);
        self.state.apply(effect, self.out.seq);
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
        if workspace.is_some() && self.is_mere_renewal(input) {
            return (Answer::Renewed, None);
        }
        if let Some(workspace) = workspace {
            self.expire(workspace);
        }
        self.fact_at = self.fact_time(input);
        let verdict = self.decide(input, workspace);
        self.told_of(input, verdict);
        self.clocks_follow();
        (self.fact_at, self.replied_by) = (None, None);
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
            (_, Some(ws)) => self.decide_in(ws, input),
        }
    }

    fn decide_in(&mut self, ws: u32, input: &Input) -> Verdict {
        match &input.body {
            Body::ContactStarted { contact } => self.contact_started(ws, input, contact),
            Body::ContactConnected { conversation, identity, agent } => {
                self.contact_connected(conversation.as_ref(), *identity, agent)
            }
            Body::ContactEnded { conversation, identity, by } => {
                self.contact_ended(ws, conversation.as_ref(), *identity, *by)
            }
            Body::MessageReceived { contact, opens } => self.message_received(ws, input, contact, *opens),
            Body::MessageSent { conversation, identity, answers, mentions } => {
                self.message_sent(input, conversation.as_ref(), *identity, *answers, mentions)
            }
            Body::MessageStatus { conversation, identity, failed } => {
                self.message_status(conversation.as_ref(), *identity, *failed)
            }
            Body::CustomerUpdated { customer, tier, blocked, account_owner } => {
                self.customer_updated(ws, customer, *tier, *blocked, account_owner.as_ref())
            }
            Body::CustomerLinked { customer, other } => self.customer_linked(ws, customer, other, true),
            Body::CustomerUnlinked { customer, other } => self.customer_linked(ws, customer, other, false),
            Body::SurveyAnswered { conversation, identity, score, .. } => {
                self.survey_answered(conversation.as_ref(), *identity, *score)
            }
            Body::SourceHeartbeat { open_contacts } => self.heartbeat(ws, input.source_hash, open_contacts.as_deref()),
            Body::AgentPresence { .. } => self.presence(input),
            Body::AgentEngaged { agent, engagement, channel, units } => {
                self.engaged(agent, engagement, channel, *units)
            }
            Body::AgentDisengaged { agent, engagement } => self.disengaged(agent, engagement),
            Body::ConversationOpen { contact, agent } => self.open_outbound(ws, input, contact, agent),
            Body::ConversationHandoff { conversation, expected_epoch, queue, skills, note } => {
                self.handoff(input, conversation, *expected_epoch, *queue, skills, note.as_deref())
            }
            Body::ConversationClaim { conversation, agent, expected_epoch } => {
                self.claim(conversation, agent, *expected_epoch)
            }
            Body::ConversationAssign { conversation, agent, expected_epoch, reason } => {
                self.assign(input, conversation, agent, *expected_epoch, has_text(reason))
            }
            Body::ConversationTransfer { .. } => self.transfer(input),
            Body::ConversationRelease { conversation, expected_epoch, reason } => {
                self.release(input, conversation, *expected_epoch, has_text(reason))
            }
            Body::ConversationEscalate { conversation, expected_epoch, level, .. } => {
                self.escalate(input, conversation, *expected_epoch, *level)
            }
            Body::ConversationSnooze { conversation, expected_epoch, until } => {
                self.snooze(input, conversation, *expected_epoch, *until)
            }
            Body::ConversationWake { conversation, expected_epoch } => self.wake(input, conversation, *expected_epoch),
            Body::ConversationUpdate { conversation, expected_epoch, tier, priority, skills, .. } => {
                self.update(input, conversation, *expected_epoch, *tier, *priority, skills.as_deref())
            }
            Body::ConversationResolve { conversation, expected_epoch } => {
                self.resolve(input, conversation, *expected_epoch)
            }
            Body::ConversationClose { conversation, expected_epoch, .. } => {
                self.close(input, conversation, *expected_epoch)
            }
            Body::ConversationReopen { conversation, expected_epoch } => {
                self.reopen(input, conversation, *expected_epoch)
            }
            Body::ConversationMerge { conversation, other, survivor } => {
                self.merge(conversation, other, survivor.as_ref())
            }
            Body::OfferAccept { offer, agent } => self.accept(*offer, agent),
            Body::OfferDecline { offer, agent, .. } => self.decline(*offer, agent),
            Body::WrapupComplete { conversation, agent } => self.wrapup_complete(conversation, agent),
            Body::NoteAdd { conversation, text, mentions } => self.note_add(input, conversation, text, mentions),
            Body::AgentConfigure { agent, config, expected_version } => {
                self.at_version(ws, *expected_version).unwrap_or_else(|| self.configure_agent(ws, agent, config))
            }
            Body::AgentRemove { agent, successor, reason, expected_version } => {
                let refused = self.at_version(ws, *expected_version);
                refused.unwrap_or_else(|| self.remove_agent(input, agent, successor.as_ref(), has_text(reason)))
            }
            Body::AgentDrain { agent, drain, reason, expected_version } => {
                let refused = self.at_version(ws, *expected_version);
                refused.unwrap_or_else(|| self.drain_agent(input, agent, *drain, has_text(reason)))
            }
            Body::QueueControl { queue, control, until, reason, expected_version } => {
                let refused = self.at_version(ws, *expected_version);
                refused.unwrap_or_else(|| self.control_queue(ws, input, queue, (*control, *until), has_text(reason)))
            }
            Body::CalendarExpand { calendar, from, until, openings } => {
                self.expand_calendar(ws, calendar, (*from, *until), openings)
            }
            Body::Unsupported { .. } | Body::Invalid { .. } | Body::WorkspaceConfigure { .. } => {
                rejected(Reason::Unsupported) // answered before
            }
        }
    }

    /// Refuses a command that expects another version of the policy.
    fn at_version(&self, ws: u32, expected: Option<u64>) -> Option<Verdict> {
        let is_other = expected.is_some_and(|e| e != self.state.workspace(ws).policy().version);
        is_other.then(|| rejected(Reason::VersionMismatch))
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
    #[inline]
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
            detail: None,
            clock: None,
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
        self.tell(decision_type, reason, About { conversation: Some(slot), previous_owner, ..About::default() });
    }

    /// The same with all that some decisions have beside it.
    pub fn tell(&mut self, decision_type: DecisionType, reason: Reason, about: About<'_>) {
        if let Some(slot) = about.conversation {
            self.note_end(slot, decision_type, reason);
        }
        let place = Place { state: self.state, now: self.now };
        let workspace = match (about.conversation, about.agent) {
            (Some(slot), _) => self.state.conversation(slot).workspace(),
            (None, Some(agent)) => self.state.agent(agent).workspace(),
            (None, None) => about.workspace,
        };
        let workspace = self.state.workspace(workspace);
        let queue = about.other_queue.map_or("", |queue| workspace.queues.text(queue));
        let other = if about.other.is_empty() { queue } else { about.other };
        let text = if about.text.is_empty() { self.said(decision_type, reason) } else { about.text };
        let detail =
            TellingDetail { offer: about.offer, until: about.until, text: clip(text), other, number: about.number };
        let has_detail = detail.offer != 0
            || detail.until != 0
            || detail.number != 0
            || !detail.text.is_empty()
            || !detail.other.is_empty();
        let conversation = about.conversation.map(|slot| place.conversation(slot, about.previous_owner));
        let agent = about.agent.map(|agent| place.agent(agent));
        let telling = Telling {
            reason,
            conversation: conversation.as_ref(),
            agent: agent.as_ref(),
            policy_version: workspace.policy().version,
            detail: has_detail.then_some(detail),
            clock: about.clock,
            ..self.telling(decision_type, workspace.name())
        };
        telling.put(&mut self.out.decisions);
        self.count();
    }

    /// The reason that the command gave, else its note, where the decision is what it asked for.
    fn said(&self, decision_type: DecisionType, reason: Reason) -> &'a str {
        let Some(input) = self.cause else { return "" };
        let is_asked = match (input.event_type, decision_type) {
            (EventType::ConversationTransfer, DecisionType::ConversationTransferred)
            | (EventType::QueueControl, DecisionType::QueueChanged)
            | (EventType::ConversationClose, DecisionType::ConversationClosed) => true,
            (EventType::ConversationAssign, DecisionType::ConversationAssigned) => reason == Reason::Supervisor,
            (EventType::ConversationRelease, DecisionType::ConversationUnassigned) => reason == Reason::Released,
            (EventType::ConversationEscalate, DecisionType::ConversationEscalated) => reason == Reason::Command,
            (EventType::ConversationUpdate, DecisionType::ConversationUpdated) => reason == Reason::Updated,
            (EventType::OfferDecline, DecisionType::OfferWithdrawn) => reason == Reason::Declined,
            (EventType::AgentDrain | EventType::AgentRemove, DecisionType::AgentChanged) => {
                matches!(reason, Reason::Drained | Reason::Undrained | Reason::Removed)
            }
            _ => false,
        };
        if is_asked { input.body.said() } else { "" }
    }

    pub fn tell_workspace(&mut self, decision_type: DecisionType, slot: u32) {
        let workspace = self.state.workspace(slot);
        let version = workspace.policy().version;
        let telling = Telling { policy_version: version, ..self.telling(decision_type, workspace.name()) };
        telling.put(&mut self.out.decisions);
        self.count();
    }

    /// Tells a decision about an agent as he stands now, with the conversation it is about, if any.
    pub fn tell_agent(&mut self, decision_type: DecisionType, reason: Reason, agent: u32, conversation: Option<u32>) {
        self.tell(decision_type, reason, About { conversation, agent: Some(agent), ..About::default() });
    }

    /// Decisions of this batch so far.
    pub fn told_so_far(&self) -> u32 {
        self.out.decision_count
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

fn has_text(text: &Option<alloc::boxed::Box<str>>) -> bool {
    text.as_deref().is_some_and(|text| !text.is_empty())
}

/// What a decision is about, and what only some have.
#[derive(Clone, Copy, Default)]
pub(crate) struct About<'t> {
    pub conversation: Option<u32>,
    pub agent: Option<u32>,
    pub previous_owner: Option<u32>,
    /// Where it is about neither.
    pub workspace: u32,
    pub offer: u64,
    pub until: u64,
    pub number: u64,
    pub text: &'t str,
    pub other: &'t str,
    /// The other queue, by slot, where `other` is empty.
    pub other_queue: Option<u32>,
    pub clock: Option<ToldClock>,
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
            units: state.units_told(slot),
            service_level_ms: ws.queue(c.queue()).map_or(0, |q| q.service_level_ms),
            live: c.live(),
            priority: c.priority(),
            step: texts.waiting.step,
            state: c.word(),
            turn: c.turn(),
            transfers: c.transfers(),
            has_note: c.has_note(),
            preference: state.preference_told(slot),
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
