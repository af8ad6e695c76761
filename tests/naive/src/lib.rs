//! The naive engine: the ordinary service that anybody would write first, as the model of the real one.
//!
//! It takes the same inputs and must tell the same decisions, one by one; only the sentences for people may differ. It
//! shares with `engine` its input, decision and policy types and nothing else: names are `String`s, tables are the
//! standard library's, every pick is one linear scan over the agents, the line and the timers are `BTreeMap`s, and hardly
//! anything is kept that can be computed again. No effects, no digest, no slots. Where it and the engine differ,
//! `routing.md` says who is wrong. Also the other side of the benches (`performance.md` T1). Never part of the product.

mod agent;
mod agents;
mod calendars;
mod clocks;
mod commands;
mod configuration;
mod contacts;
mod controls;
mod conversation;
mod customers;
mod dispatch;
mod entering;
mod holds;
mod lifecycle;
mod memory;
mod offers;
mod presence;
mod rearm;
mod replies;
mod requirement;
mod rotation;
mod shard;
mod telling;
mod timers;
mod transfers;
mod waiting;
mod workspace;

use engine::Limits;
use engine::decision::{DecisionType, Outcome, Position, Reason, Told};
use engine::id::HashKey;
use engine::input::{Body, EventType, Input};
use memory::{Memory, Remembered};
use presence::Word;
use shard::Shard;
use std::collections::BTreeMap;
use telling::{Step, Verdict};
use timers::{AgentClock, Clock, Timer};
use transfers::Transfer;
use workspace::Workspace;

/// Assignments and re-queues of one step or tick (routing.md §4).
const STEP_BOUND: usize = 256;
/// Conversations that one tick looks at, in a review or a sweep.
const STEP_LOOKS: usize = 4_096;

pub struct Naive {
    now: u64,
    limits: Limits,
    seq: u64,
    /// Decisions told since `begin`: the idx of the next one.
    told_in_record: u32,
    workspaces: BTreeMap<String, Workspace>,
    /// Workspaces in which something is left for a tick, by number: which fell behind first is not part of the state.
    unfinished: BTreeMap<usize, String>,
    memory: Memory,
    shard: Shard,
}

impl Naive {
    pub fn new(key: HashKey) -> Naive {
        Naive {
            now: 0,
            limits: Limits::default(),
            seq: 0,
            told_in_record: 0,
            workspaces: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            memory: Memory::default(),
            shard: Shard::new(key),
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Starts the record `seq`: positions count from its first decision.
    pub fn begin(&mut self, seq: u64) {
        self.seq = seq;
        self.told_in_record = 0;
    }

    /// Decides on one event. Nothing told: the workspace is unknown, or a lease was renewed that is far from its end; and
    /// nothing has changed.
    pub fn step(&mut self, input: &Input, now: u64) -> Vec<Told> {
        let name = input.workspace.text.to_string();
        let known = self.workspaces.contains_key(&name);
        if !known && input.event_type != EventType::WorkspaceConfigure {
            return Vec::new();
        }
        let told = match self.memory.first(input.key) {
            Some(first) => self.duplicate(input, first, now.max(self.now)),
            None => self.decide(input, &name, known, now.max(self.now)),
        };
        self.told_in_record += told.len() as u32;
        told
    }

    /// One unit of what is left over in a workspace, or else the first timer that is due.
    pub fn tick(&mut self, now: u64) -> Vec<Told> {
        let now = now.max(self.now);
        let (name, timer) = match self.unfinished.first_key_value() {
            Some((_, name)) => (name.clone(), None),
            None => match self.shard.timers.take_due(now) {
                Some((name, timer)) => (name, Some(timer)),
                None => return Vec::new(),
            },
        };
        let Some(workspace) = self.workspaces.get_mut(&name) else { return Vec::new() };
        let has_trace = timer.is_some() || workspace.reevaluate_from.is_some() || !workspace.sweeps.is_empty();
        let mut step = Step::new(workspace, &mut self.shard, None, now);
        match timer {
            Some(timer) => step.fire(&timer),
            None => {
                step.reevaluate_slice();
                step.sweep_slices();
            }
        }
        step.follow_clocks();
        step.dispatch();
        let told = step.told;
        // A tick that finds nothing to do leaves no trace.
        if has_trace || !told.is_empty() {
            self.now = now;
        }
        if workspace.is_unfinished() {
            self.unfinished.insert(workspace.number, name);
        } else {
            self.unfinished.remove(&workspace.number);
        }
        self.told_in_record += told.len() as u32;
        told
    }

    /// Something is due that the last step left over.
    pub fn wants_tick(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// When the next tick is wanted: at or before `now` means at once.
    pub fn wants_tick_at(&self) -> Option<u64> {
        if self.wants_tick() { Some(self.now) } else { self.shard.timers.next_deadline() }
    }

    /// The shard is behind its log, or no longer: offers made meanwhile run from now on.
    pub fn set_behind(&mut self, is_behind: bool, now: u64) {
        if self.shard.is_behind == is_behind {
            return;
        }
        self.now = now.max(self.now);
        self.shard.is_behind = is_behind;
        if is_behind {
            return;
        }
        // By workspace, then by creation.
        let mut offers: Vec<(usize, u64, String, String)> = Vec::new();
        for workspace in self.workspaces.values() {
            for conversation in workspace.conversations.values().filter(|c| c.offer.is_some()) {
                let (name, id) = (workspace.name.clone(), conversation.id.clone());
                offers.push((workspace.number, conversation.creation, name, id));
            }
        }
        offers.sort();
        for (_, _, name, id) in offers {
            if let Some(workspace) = self.workspaces.get_mut(&name) {
                Step::new(workspace, &mut self.shard, None, self.now).start_offer(&id);
            }
        }
    }

    /// The first step after a claim: nobody's lease ends because we were away.
    pub fn claimed(&mut self, now: u64) {
        let now = now.max(self.now);
        let has_lease = |workspace: &Workspace| {
            let mut rows = workspace.agents.iter().flat_map(|agent| &agent.rows);
            workspace.policy.lease_grace_ms > 0 && rows.any(|row| row.expires_at.is_some())
        };
        if self.workspaces.values().any(has_lease) {
            self.now = now;
        }
        let mut by_number: Vec<&mut Workspace> = self.workspaces.values_mut().collect();
        by_number.sort_by_key(|workspace| workspace.number);
        for workspace in by_number {
            let mut step = Step::new(workspace, &mut self.shard, None, now);
            for index in 0..step.workspace.agents.len() {
                step.extend_leases(index, None);
            }
        }
    }

    fn duplicate(&self, input: &Input, first: Remembered, now: u64) -> Vec<Told> {
        vec![Told {
            decision_type: DecisionType::EventRecorded,
            time: now,
            workspace: input.workspace.text.clone(),
            cause_source: input.source.clone(),
            cause_id: input.id.clone(),
            traceparent: input.traceparent.clone(),
            reason: Reason::Duplicate,
            outcome: first.outcome,
            event_type: input.event_type.word().into(),
            first: Some(first.position),
            ..Told::default()
        }]
    }

    fn decide(&mut self, input: &Input, name: &str, known: bool, now: u64) -> Vec<Told> {
        // A workspace comes into being with its first policy: until the step has taken one it is only a candidate.
        let mut unborn = Workspace::new(name, self.workspaces.len(), self.shard.key);
        let workspace = self.workspaces.get_mut(name).unwrap_or(&mut unborn);
        let mut step = Step::new(workspace, &mut self.shard, Some(input), now);
        if let (Body::AgentPresence { agent, .. }, Some(word)) = (&input.body, Word::of(&input.body))
            && step.renews_nothing(&agent.text, &word)
        {
            return Vec::new();
        }
        step.expire_resolved();
        let before = step.told.len() as u32;
        step.fact_at = step.is_fact().then(|| step.event_time());
        let verdict = step.act();
        let first_of_event = step.told[before as usize..].iter().position(|told| !told.cause_id.is_empty());
        let Verdict::Answer(outcome, code) = verdict;
        step.tell_answer(outcome, code);
        let offset = first_of_event.unwrap_or((step.told.len() - before as usize).saturating_sub(1)) as u32;
        let idx = self.told_in_record + before + offset;
        step.follow_clocks();
        step.fact_at = None;
        step.dispatch();
        let told = step.told;
        if workspace.is_unfinished() {
            self.unfinished.insert(workspace.number, name.to_string());
        }
        if !known && unborn.policy.version > 0 {
            self.workspaces.insert(name.to_string(), unborn);
        }
        let position = Position { seq: self.seq, idx };
        self.memory.insert(input.key, Remembered { outcome, code, position, at: now }, now, self.limits);
        self.now = now;
        told
    }
}

impl Step<'_> {
    /// The event itself: one arm a type, one call an arm.
    fn act(&mut self) -> Verdict {
        let Some(input) = self.input else { return Verdict::ignored(Reason::Unsupported) };
        match &input.body {
            Body::ContactStarted { contact } => self.contact_started(contact),
            Body::MessageReceived { contact, opens } => self.message_received(contact, *opens),
            Body::ContactEnded { conversation, identity, by } => {
                self.contact_ended(conversation.as_ref(), *identity, *by)
            }
            Body::MessageSent { conversation, identity, answers, mentions } => {
                self.message_sent(conversation.as_ref(), *identity, *answers, mentions)
            }
            Body::MessageStatus { conversation, identity, failed } => {
                self.message_status(conversation.as_ref(), *identity, *failed)
            }
            Body::ContactConnected { conversation, identity, agent } => {
                self.contact_connected(conversation.as_ref(), *identity, &agent.text)
            }
            Body::SourceHeartbeat { open_contacts } => self.heartbeat(open_contacts.as_deref()),
            Body::AgentPresence { agent, .. } => match Word::of(&input.body) {
                Some(word) => self.agent_presence(&agent.text, &word),
                None => Verdict::ignored(Reason::Unsupported),
            },
            Body::AgentEngaged { agent, engagement, channel, units } => {
                self.agent_engaged(&agent.text, engagement, &channel.text, *units)
            }
            Body::AgentDisengaged { agent, engagement } => self.agent_disengaged(&agent.text, engagement),
            Body::CustomerUpdated { customer, tier, blocked, account_owner } => {
                let account_owner = account_owner.as_ref().map(|owner| &*owner.text);
                self.customer_updated(&customer.text, *tier, *blocked, account_owner)
            }
            Body::CustomerLinked { customer, other } => self.link_customers(&customer.text, &other.text),
            Body::CustomerUnlinked { customer, other } => self.unlink_customers(&customer.text, &other.text),
            Body::SurveyAnswered { conversation, identity, .. } => self.survey(conversation.as_ref(), *identity),
            Body::ConversationClaim { conversation, agent, expected_epoch } => {
                self.claim(&conversation.text, &agent.text, *expected_epoch)
            }
            Body::ConversationAssign { conversation, agent, expected_epoch, reason } => {
                self.assign(&conversation.text, &agent.text, *expected_epoch, reason.as_deref())
            }
            Body::ConversationResolve { conversation, expected_epoch } => {
                self.resolve(&conversation.text, *expected_epoch)
            }
            Body::ConversationOpen { contact, agent } => self.open_by_agent(contact, &agent.text),
            Body::ConversationHandoff { conversation, expected_epoch, queue, skills, note } => {
                self.handoff(&conversation.text, *expected_epoch, *queue, skills, note.is_some())
            }
            Body::ConversationTransfer {
                conversation,
                expected_epoch,
                to,
                warm,
                place_back,
                note,
                reason,
                wait_ms,
                fallback,
            } => {
                let (warm, place_back, has_note) = (*warm, *place_back, note.is_some());
                let text = reason.as_deref().or(note.as_deref());
                let transfer =
                    Transfer { to, warm, place_back, has_note, text, wait_ms: *wait_ms, fallback: *fallback };
                self.transfer(&conversation.text, *expected_epoch, &transfer)
            }
            Body::ConversationRelease { conversation, expected_epoch, reason } => {
                self.release(&conversation.text, *expected_epoch, reason.as_deref())
            }
            Body::ConversationEscalate { conversation, expected_epoch, level, reason } => {
                self.escalate(&conversation.text, *expected_epoch, *level, reason.as_deref())
            }
            Body::ConversationSnooze { conversation, expected_epoch, until } => {
                self.snooze(&conversation.text, *expected_epoch, *until)
            }
            Body::ConversationWake { conversation, expected_epoch } => {
                self.wake_by_command(&conversation.text, *expected_epoch)
            }
            Body::ConversationUpdate { conversation, expected_epoch, tier, priority, skills, reason } => {
                let id = &conversation.text;
                self.update(id, *expected_epoch, *tier, *priority, skills.as_deref(), reason.as_deref())
            }
            Body::ConversationClose { conversation, expected_epoch, reason } => {
                self.close(&conversation.text, *expected_epoch, reason.as_deref())
            }
            Body::ConversationReopen { conversation, expected_epoch } => {
                self.reopen_by_command(&conversation.text, *expected_epoch)
            }
            Body::ConversationMerge { conversation, other, survivor } => {
                let survivor = survivor.as_ref().map(|survivor| &*survivor.text);
                self.merge(&conversation.text, &other.text, survivor)
            }
            Body::OfferAccept { offer, agent } => self.accept(*offer, &agent.text),
            Body::OfferDecline { offer, agent, reason } => self.decline(*offer, &agent.text, reason.as_deref()),
            Body::WrapupComplete { conversation, agent } => self.complete_wrap_up(&conversation.text, &agent.text),
            Body::NoteAdd { conversation, mentions, .. } => self.add_note(&conversation.text, mentions),
            Body::AgentConfigure { agent, config, expected_version } => {
                self.configure_agent(&agent.text, config, *expected_version)
            }
            Body::AgentRemove { agent, successor, reason, expected_version } => {
                let successor = successor.as_ref().map(|successor| &*successor.text);
                self.remove_agent(&agent.text, successor, reason.as_deref(), *expected_version)
            }
            Body::AgentDrain { agent, drain, reason, expected_version } => {
                self.drain_agent(&agent.text, *drain, reason.as_deref(), *expected_version)
            }
            Body::QueueControl { queue, control, until, reason, expected_version } => {
                self.control_queue(&queue.text, *control, *until, reason.as_deref(), *expected_version)
            }
            Body::WorkspaceConfigure { policy, expected_version } => self.configure(policy, *expected_version),
            Body::CalendarExpand { calendar, from, until, openings } => {
                self.expand_calendar(&calendar.text, *from, *until, openings)
            }
            Body::Unsupported { .. } if input.event_type.is_command() => Verdict::rejected(Reason::Unsupported),
            Body::Unsupported { .. } => Verdict::ignored(Reason::Unsupported),
            Body::Invalid { .. } => Verdict::rejected(Reason::InvalidPolicy),
        }
    }

    /// A timer: one arm a kind.
    fn fire(&mut self, timer: &Timer) {
        match timer {
            Timer::Conversation(id, Clock::Open) => self.go_stale(id),
            Timer::Conversation(id, Clock::Turn) => self.turn_is_due(id),
            Timer::Conversation(id, Clock::Wait) => self.wait_is_due(id),
            Timer::Conversation(id, Clock::Service) => self.clock_is_due(id),
            Timer::Agent(index, AgentClock::Lease) => self.leases_expire(*index),
            Timer::Agent(index, AgentClock::Pace) => self.pace_ends(*index),
            Timer::Agent(index, AgentClock::WrapUp) => self.wrap_ups_end(*index),
            Timer::Agent(index, AgentClock::Respond) => self.responds_again(*index),
            Timer::Agent(index, AgentClock::Away) => self.away_too_long(*index),
            Timer::Agent(index, AgentClock::Shift) => self.follow_shift(*index),
            Timer::QueueControl(queue) => self.control_is_due(queue),
        }
    }
}

/// What tests may look at: the ordinary service has no views of its own.
impl Naive {
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What an event in memory came to: for comparison with the engine's answer.
    pub fn outcome(&self, key: u128) -> Option<(Outcome, Reason, Position)> {
        self.memory.first(key).map(|first| (first.outcome, first.code, first.position))
    }

    /// (id, epoch, owner) of the conversations of a workspace that have not ended, by creation.
    pub fn open(&self, workspace: &str) -> Vec<(String, u64, Option<String>)> {
        let mut open: Vec<_> = match self.workspaces.get(workspace) {
            Some(workspace) => workspace.conversations.values().filter(|c| !c.is_resolved()).collect(),
            None => Vec::new(),
        };
        open.sort_by_key(|conversation| conversation.creation);
        open.iter().map(|c| (c.id.clone(), c.epoch, c.owner.clone())).collect()
    }

    /// Ids of resolved conversations that are still remembered.
    pub fn resolved(&self, workspace: &str) -> Vec<String> {
        let mut ids: Vec<String> = match self.workspaces.get(workspace) {
            Some(workspace) => {
                workspace.conversations.values().filter(|c| c.is_resolved()).map(|c| c.id.clone()).collect()
            }
            None => Vec::new(),
        };
        ids.sort();
        ids
    }

    /// Promise 7: the first conversation that waits although somebody could take it. What a tick is due for is none.
    pub fn waits_in_vain(&self) -> Option<String> {
        if self.wants_tick() {
            return None;
        }
        let workspaces = self.workspaces.values();
        workspaces.filter_map(Workspace::waits_in_vain).next()
    }
}
