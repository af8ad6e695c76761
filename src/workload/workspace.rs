//! The counters of one workspace, and who waits and who holds what: a fold over its typed decisions.

use super::Judged;
use super::keyed::KeyedMap;
use super::staff::{AgentIndex, Staff, TeamChannel};
use super::tables::{self, CellIndex, Tables};
use crate::metrics::{Family, Labels, Scrape, labels};
use engine::Engine;
use engine::decision::{DecisionType, Outcome, Reason, Told, ToldConversation};
use engine::input::EventType;
use engine::policy::Policy;
use engine::view;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Results of events, in the order of their columns.
const RESULTS: [&str; 4] = ["applied", "duplicate", "ignored", "rejected"];

fn result_of(judged: &Judged) -> usize {
    match judged.outcome {
        _ if judged.duplicate => 1,
        Outcome::Decided | Outcome::Recorded => 0,
        Outcome::Ignored => 2,
        Outcome::Rejected => 3,
    }
}

/// Which results a type can have: facts are never refused, commands never ignored, what is not built never applied.
fn can_be(event_type: EventType, result: usize) -> bool {
    let built = (event_type as u8) < EventType::MessageStatus as u8;
    match result {
        0 => built,
        2 => !event_type.is_command(),
        3 => event_type.is_command(),
        _ => true,
    }
}

/// (direction, actor), in the order of a channel's columns; the first four stand at 0 from the start.
const MESSAGES: [(&str, &str); 6] = [
    ("in", "customer"),
    ("out", "agent"),
    ("out", "bot"),
    ("out", "system"),
    ("out", "supervisor"),
    ("out", "customer"),
];
const MESSAGES_SEEDED: usize = 4;

struct Messages {
    labels: [Labels; MESSAGES.len()],
    counts: [u64; MESSAGES.len()],
}

pub(super) struct WorkspaceFold {
    pub(super) name: Box<str>,
    labels: Labels,
    tables: Tables,
    pub(super) staff: Staff,
    /// By the conversation's hash.
    open: KeyedMap<Open>,
    /// Conversations in the engine's state, resolved ones that may still reopen included.
    pub(super) kept: usize,
    /// By event type's number and result.
    events: Vec<[u64; RESULTS.len()]>,
    decisions: [u64; 256],
    messages: HashMap<Box<str>, Messages>,
    /// Of the policy in force: whether a channel is exclusive.
    exclusive: HashMap<Box<str>, bool>,
    /// What `catch_up` has to read from the replica: one agent's configuration, or everybody's.
    changed_agents: Vec<Box<str>>,
    changed_policy: bool,
}

/// An open conversation: in line, or held by an agent.
struct Open {
    cell: CellIndex,
    arrival: u64,
    queued_at: u64,
    hold: Option<Hold>,
}

struct Hold {
    agent: AgentIndex,
    units: u32,
    exclusive: bool,
    since: u64,
    of: TeamChannel,
}

impl WorkspaceFold {
    pub(super) fn new(name: &str, queues_left: Arc<AtomicUsize>) -> WorkspaceFold {
        WorkspaceFold {
            name: name.into(),
            labels: labels(&[("workspace", name)]),
            tables: Tables::new(name, queues_left),
            staff: Staff::new(name),
            open: KeyedMap::default(),
            kept: 0,
            events: vec![[0; RESULTS.len()]; 256],
            decisions: [0; 256],
            messages: HashMap::new(),
            exclusive: HashMap::new(),
            changed_agents: Vec::new(),
            changed_policy: false,
        }
    }

    /// Takes one decision; `key` is its conversation's. The replica is after the whole record already, and the staff's
    /// seconds are at this decision's time.
    pub(super) fn take(&mut self, told: &Told, key: Option<u128>, live: bool, replica: &Engine) {
        if live {
            self.decisions[told.decision_type as usize] += 1;
        }
        if let (Some(conversation), Some(key)) = (&told.conversation, key) {
            self.take_conversation(told, conversation, key, live);
        }
        match (told.decision_type, &told.agent) {
            (DecisionType::WorkspaceConfigured, _) => self.configure(replica),
            (DecisionType::AgentChanged, Some(agent)) => {
                self.staff.take(agent);
                if told.reason == Reason::Configured {
                    self.changed_agents.push(agent.id.clone());
                }
            }
            (DecisionType::CapacityExceeded, Some(agent)) => self.staff.exceeded(&agent.team, told.reason, live),
            _ => {}
        }
    }

    /// A policy is a record of its own, so the replica's is the one that this decision put in force.
    fn configure(&mut self, replica: &Engine) {
        let Some(workspace) = replica.workspace(&self.name) else { return };
        let policy = workspace.policy;
        self.tables.configure(policy);
        self.configure_messages(policy);
        self.exclusive = policy.channels.iter().map(|channel| (channel.name.clone(), channel.exclusive)).collect();
        self.changed_policy = true;
    }

    /// Reads from the replica what decisions do not tell: skills, and units that a new policy gave.
    pub(super) fn catch_up(&mut self, replica: &Engine) {
        if !self.changed_policy && self.changed_agents.is_empty() {
            return;
        }
        let Some(workspace) = replica.workspace(&self.name) else { return };
        if std::mem::take(&mut self.changed_policy) {
            self.changed_agents.clear();
            workspace.agents().iter().for_each(|agent| self.staff.sync(agent));
        }
        for agent in self.changed_agents.drain(..) {
            if let Some(agent) = workspace.agent(&agent) {
                self.staff.sync(&agent);
            }
        }
    }

    fn take_conversation(&mut self, told: &Told, conversation: &ToldConversation, key: u128, live: bool) {
        match told.decision_type {
            DecisionType::ConversationOpened => self.kept += 1,
            DecisionType::ConversationQueued => self.queued(told, conversation, key, live),
            DecisionType::ConversationAssigned => self.assigned(told, conversation, key, live),
            DecisionType::ConversationUpdated => self.updated(told, conversation, key, live),
            DecisionType::ConversationResolved => {
                self.leave(told, conversation, key, tables::EXIT_CLOSED, live);
                self.tables.ended(conversation, tables::ENDED_RESOLVED, live);
                self.staff.resolved(&conversation.previous_owner, live);
                self.kept -= usize::from(conversation.live);
            }
            DecisionType::ConversationAbandoned => {
                let short = told.reason == Reason::ShortAbandoned;
                let exit = if short { tables::EXIT_SHORT_ABANDONED } else { tables::EXIT_ABANDONED };
                self.leave(told, conversation, key, exit, live);
                self.kept -= 1;
            }
            // A closed one that was already resolved ended then.
            DecisionType::ConversationClosed => {
                if self.leave(told, conversation, key, tables::EXIT_CLOSED, live).is_some() {
                    self.tables.ended(conversation, tables::ENDED_CLOSED, live);
                }
                self.kept -= 1;
            }
            DecisionType::ConversationReopened => self.tables.reopened(conversation, live),
            _ => {}
        }
    }

    fn queued(&mut self, told: &Told, conversation: &ToldConversation, key: u128, live: bool) {
        self.leave(told, conversation, key, tables::EXIT_TRANSFERRED, live);
        let cell = self.tables.cell(&conversation.queue, &conversation.channel, &conversation.tier);
        self.tables.enter(cell, tables::entry_of(told.reason), live);
        let (arrival, queued_at) = (conversation.arrival, conversation.queued_at);
        self.open.insert(key, Open { cell, arrival, queued_at, hold: None });
    }

    fn assigned(&mut self, told: &Told, conversation: &ToldConversation, key: u128, live: bool) {
        let claimed = told.reason == Reason::Claim;
        let exit = if claimed { tables::EXIT_CLAIMED } else { tables::EXIT_ANSWERED };
        let cell = self
            .leave(told, conversation, key, exit, live)
            .unwrap_or_else(|| self.tables.cell(&conversation.queue, &conversation.channel, &conversation.tier));
        self.tables.assigned(cell, told.reason, live);
        let exclusive = self.exclusive.get(&conversation.channel).copied().unwrap_or(false);
        let (units, since) = (conversation.units, told.time);
        let (agent, of) = self.staff.hold(&conversation.owner, &conversation.channel, units, exclusive, live);
        let (arrival, queued_at) = (conversation.arrival, conversation.queued_at);
        let hold = Some(Hold { agent, units, exclusive, since, of });
        self.open.insert(key, Open { cell, arrival, queued_at, hold });
    }

    /// A waiting one whose labels a new policy changed leaves one line and enters another.
    fn updated(&mut self, told: &Told, conversation: &ToldConversation, key: u128, live: bool) {
        let cell = self.tables.cell(&conversation.queue, &conversation.channel, &conversation.tier);
        if self.open.get(&key).is_some_and(|open| open.hold.is_none() && open.cell != cell) {
            self.queued(told, conversation, key, live);
        }
    }

    /// Ends where it was: out of its line by this exit, or out of its owner's hands. Says in which cell that was; none:
    /// it was in neither.
    fn leave(
        &mut self,
        told: &Told,
        conversation: &ToldConversation,
        key: u128,
        exit: usize,
        live: bool,
    ) -> Option<CellIndex> {
        let open = self.open.remove(&key)?;
        match open.hold {
            None => {
                let waited_ms = told.time.saturating_sub(open.queued_at);
                let in_time = waited_ms <= conversation.service_level_ms;
                self.tables.exit(open.cell, exit, conversation.waited_ms, in_time, live);
            }
            Some(hold) => {
                let held_ms = told.time.saturating_sub(hold.since);
                self.staff.release(hold.agent, hold.of, hold.units, hold.exclusive, held_ms, live);
                self.tables.handled(open.cell, held_ms, live);
            }
        }
        Some(open.cell)
    }

    /// Where this is not what the replica is, as a sentence.
    pub(super) fn unbalanced(&self, workspace: &view::Workspace<'_>) -> Option<String> {
        self.tables.unbalanced(&workspace.queues()).or_else(|| self.staff.unlike(&workspace.agents()))
    }

    pub(super) fn count_event(&mut self, judged: &Judged) {
        self.events[judged.event_type as usize][result_of(judged)] += 1;
    }

    fn configure_messages(&mut self, policy: &Policy) {
        for channel in &policy.channels {
            self.messages_of(&channel.name);
        }
    }

    fn messages_of(&mut self, channel: &str) -> &mut Messages {
        if !self.messages.contains_key(channel) {
            let labels = MESSAGES.map(|(direction, actor)| {
                labels(&[("workspace", &self.name), ("channel", channel), ("direction", direction), ("actor", actor)])
            });
            self.messages.insert(channel.into(), Messages { labels, counts: [0; MESSAGES.len()] });
        }
        self.messages.get_mut(channel).expect("it was just put there")
    }

    pub(super) fn count_message(&mut self, judged: &Judged, channel: &str) {
        let direction = match judged.event_type {
            EventType::MessageReceived => "in",
            EventType::MessageSent => "out",
            _ => return,
        };
        // What comes in is the customer's, whoever's name is on it.
        let actor = if direction == "in" { "customer" } else { judged.actor.word() };
        if let Some(column) = MESSAGES.iter().position(|pair| *pair == (direction, actor)) {
            self.messages_of(channel).counts[column] += 1;
        }
    }

    pub(super) fn collect(&self, now: u64, workspace: &view::Workspace<'_>, scrape: &mut Scrape) {
        for event_type in EventType::ALL {
            let counts = &self.events[*event_type as usize];
            for (result, word) in RESULTS.into_iter().enumerate().filter(|(result, _)| can_be(*event_type, *result)) {
                let labels = self.tables.event_labels(*event_type);
                scrape.whole_of(Family::Events, labels, "result", word, counts[result]);
            }
        }
        for decision_type in DecisionType::ALL {
            let count = self.decisions[*decision_type as usize];
            scrape.whole_of(Family::Decisions, &self.labels, "type", decision_type.word(), count);
        }
        for messages in self.messages.values() {
            for (column, count) in messages.counts.iter().enumerate() {
                if column < MESSAGES_SEEDED || *count > 0 {
                    scrape.whole(Family::Messages, &messages.labels[column], *count);
                }
            }
        }
        let ages =
            self.tables.ages(now, self.open.values().filter(|open| open.hold.is_none()).map(|o| (o.cell, o.arrival)));
        self.tables.collect(now, workspace, &ages, &self.staff, scrape);
        self.staff.collect(scrape);
    }
}
