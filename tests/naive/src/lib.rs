//! The naive engine: the ordinary service that anybody would write first, as the model of the real one.
//!
//! It takes the same inputs and must tell the same decisions, one by one; only the sentences for people may differ. It
//! shares with `engine` its input, decision and policy types and nothing else: names are `String`s, tables are the
//! standard library's, every pick is one linear scan over the agents, the line is a `BTreeMap`, and nothing is kept that
//! can be computed again. No effects, no digest, no slots. Where it and the engine differ, `routing.md` says who is wrong.
//! Also the other side of the benches (`performance.md` T1). Never part of the product.

mod agents;
mod commands;
mod configuration;
mod contacts;
mod dispatch;
mod memory;
mod rotation;
mod telling;
mod workspace;

use engine::Limits;
use engine::decision::{DecisionType, Outcome, Position, Reason, Told};
use engine::id::HashKey;
use engine::input::{Body, EventType, Input};
use memory::{Links, Memory, Remembered};
use std::collections::BTreeMap;
use telling::{Step, Verdict};
use workspace::Workspace;

/// Assignments and re-queues of one step or tick (routing.md §4).
const STEP_BOUND: usize = 256;

pub struct Naive {
    key: HashKey,
    now: u64,
    limits: Limits,
    seq: u64,
    /// Decisions told since `begin`: the idx of the next one.
    told_in_record: u32,
    workspaces: BTreeMap<String, Workspace>,
    /// Workspaces in which something is left for a tick, by number: which fell behind first is not part of the state.
    unfinished: BTreeMap<usize, String>,
    memory: Memory,
    links: Links,
    next_creation: u64,
    agents_of_the_shard: usize,
}

impl Naive {
    pub fn new(key: HashKey) -> Naive {
        Naive {
            key,
            now: 0,
            limits: Limits::default(),
            seq: 0,
            told_in_record: 0,
            workspaces: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            memory: Memory::default(),
            links: Links::default(),
            next_creation: 0,
            agents_of_the_shard: 0,
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

    /// Decides on one event. Nothing told: the workspace is unknown, and nothing has changed.
    pub fn step(&mut self, input: &Input, now: u64) -> Vec<Told> {
        let name = input.workspace.text.to_string();
        let known = self.workspaces.contains_key(&name);
        if !known && input.event_type != EventType::WorkspaceConfigure {
            return Vec::new();
        }
        let told = match self.memory.first(input.key) {
            Some(first) => self.duplicate(input, first, now.max(self.now)),
            None => {
                self.now = now.max(self.now);
                self.decide(input, &name, known)
            }
        };
        self.told_in_record += told.len() as u32;
        told
    }

    /// What the step bound has left over in one workspace, within one more bound.
    pub fn tick(&mut self, now: u64) -> Vec<Told> {
        let Some((&number, name)) = self.unfinished.first_key_value() else { return Vec::new() };
        let Some(workspace) = self.workspaces.get_mut(name) else { return Vec::new() };
        let now = now.max(self.now);
        let looks_again = workspace.reevaluate_from.is_some();
        let mut step = Step::new(workspace, None, now, &mut self.links, self.key, &mut self.next_creation);
        step.reevaluate_slice();
        step.dispatch();
        let told = std::mem::take(&mut step.told);
        // A tick that finds nothing to do leaves no trace.
        if looks_again || !told.is_empty() {
            self.now = now;
        }
        if !workspace.is_unfinished() {
            self.unfinished.remove(&number);
        }
        self.told_in_record += told.len() as u32;
        told
    }

    /// Something is due that the last step left over.
    pub fn wants_tick(&self) -> bool {
        !self.unfinished.is_empty()
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

    fn decide(&mut self, input: &Input, name: &str, known: bool) -> Vec<Told> {
        // A workspace comes into being with its first policy: until the step has taken one it is only a candidate.
        let mut unborn = Workspace::new(name, self.workspaces.len());
        let workspace = self.workspaces.get_mut(name).unwrap_or(&mut unborn);
        let mut step = Step::new(workspace, Some(input), self.now, &mut self.links, self.key, &mut self.next_creation);
        step.agents_of_the_shard = self.agents_of_the_shard;
        step.expire_resolved();
        let before = step.told.len() as u32;
        let verdict = step.act();
        let first_of_event = step.told[before as usize..].iter().position(|told| !told.cause_id.is_empty());
        step.tell_verdict(&verdict);
        let offset = first_of_event.unwrap_or(step.told.len() - before as usize - 1) as u32;
        let idx = self.told_in_record + before + offset;
        step.dispatch();
        let told = std::mem::take(&mut step.told);
        self.agents_of_the_shard = step.agents_of_the_shard;
        if workspace.is_unfinished() {
            self.unfinished.insert(workspace.number, name.to_string());
        }
        if !known && unborn.policy.version > 0 {
            self.workspaces.insert(name.to_string(), unborn);
        }
        let position = Position { seq: self.seq, idx };
        let remembered = Remembered { outcome: verdict.outcome, code: verdict.code, position, at: self.now };
        self.memory.insert(input.key, remembered, self.now, self.limits);
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
            Body::MessageSent { conversation, identity } => self.message_sent(conversation.as_ref(), *identity),
            Body::AgentPresence { agent, status, by, session, sequence } => {
                self.agent_presence(&agent.text, *status, *by, *session, *sequence)
            }
            Body::ConversationClaim { conversation, agent, expected_epoch } => {
                self.claim(&conversation.text, &agent.text, *expected_epoch)
            }
            Body::ConversationAssign { conversation, agent, expected_epoch, reason } => {
                self.assign(&conversation.text, &agent.text, *expected_epoch, reason.as_deref())
            }
            Body::ConversationResolve { conversation, expected_epoch } => {
                self.resolve(&conversation.text, *expected_epoch)
            }
            Body::AgentConfigure { agent, config } => self.configure_agent(&agent.text, config),
            Body::WorkspaceConfigure { policy, expected_version } => self.configure(policy, *expected_version),
            Body::Unsupported { .. } if input.event_type.is_command() => Verdict::rejected(Reason::Unsupported),
            Body::Unsupported { .. } => Verdict::ignored(Reason::Unsupported),
            Body::Invalid { .. } => Verdict::rejected(Reason::InvalidPolicy),
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
            Some(workspace) => workspace.conversations.values().filter(|c| c.resolved_at.is_none()).collect(),
            None => Vec::new(),
        };
        open.sort_by_key(|conversation| conversation.creation);
        open.iter().map(|c| (c.id.clone(), c.epoch, c.owner.clone())).collect()
    }

    /// Ids of resolved conversations that are still remembered.
    pub fn resolved(&self, workspace: &str) -> Vec<String> {
        let mut ids: Vec<String> = match self.workspaces.get(workspace) {
            Some(workspace) => {
                workspace.conversations.values().filter(|c| c.resolved_at.is_some()).map(|c| c.id.clone()).collect()
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
