//! The read side: one pure fold over committed batches, on the publisher's thread.
//!
//! A shard's `Workload` holds a second engine, fed by the effects of committed records (never by inputs): views of
//! agents and queues are read from it, and its digest is compared with the one in each record's header, so that a state
//! that strays from the journal stops the process instead of answering. Beside it stand the counters that `metrics.md`
//! names, from typed decisions; recovery moves what waits and who holds what, and increments no counter. Here is no
//! clock and no IO: times come with batches and with the scrape. HTTP reads through `SharedShard`.

mod staff;
mod tables;
mod views;

pub use views::{ConversationView, Views};

use crate::metrics::{Family, Labels, Scrape, ShardMetrics, labels};
use engine::Engine;
use engine::decision::{DecisionType, Outcome, Position, Reason, Told, ToldConversation};
use engine::engine::Answer;
use engine::id::{HashKey, Kind};
use engine::input::{ActorKind, EventType, Input};
use staff::{Staff, TeamChannel};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;
use tables::{CellIndex, Tables};
use thiserror::Error;
use tokio::sync::watch;

/// Between two samples of the promises, in committed batches: the check walks the whole state.
const BATCHES_BETWEEN_CHECKS: u64 = 20_000;
/// Debug builds compare entries, exits and waiting after every publish up to this many conversations of a workspace,
/// above it at every scrape: the comparison looks at each of them.
const CHECKED_AT_EVERY_PUBLISH_MAX: usize = 2_000;

/// One committed record as the publisher hands it on.
pub struct CommittedBatch<'a> {
    pub shard: u16,
    pub seq: u64,
    /// Engine time of the last step, ms UTC.
    pub now: u64,
    /// The digest in the record's header.
    pub digest: u128,
    pub hash: [u8; 32],
    /// The last decision before this record's.
    pub prev_decision: Option<Position>,
    pub effects: &'a [u8],
    pub decisions: &'a [Told],
    /// What was decided on each input of the batch; empty while recovering.
    pub judged: &'a [Judged],
    /// Offset and reason of each dead letter in the effects; empty while recovering.
    pub dead_letters: &'a [(u64, String)],
    /// False while recovering: counters stay.
    pub live: bool,
    pub received_at: Option<Instant>,
}

/// An input and what it came to, as far as counters want to know: the shard notes it beside the answer.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub workspace: u128,
    pub event_type: EventType,
    pub actor: ActorKind,
    pub outcome: Outcome,
    pub duplicate: bool,
    /// Of the first decision that names it (of a duplicate: the first time's).
    pub position: Position,
}

impl Judged {
    /// None for an unknown workspace: nothing of it was recorded.
    pub fn of(input: &Input, answer: &Answer) -> Option<Judged> {
        let Answer::Recorded { outcome, position, duplicate, .. } = *answer else { return None };
        let default = if input.event_type == EventType::MessageReceived { ActorKind::Customer } else { ActorKind::System };
        Some(Judged {
            workspace: input.workspace.hash,
            event_type: input.event_type,
            actor: input.actor.as_ref().map_or(default, |actor| actor.kind),
            outcome,
            duplicate,
            position,
        })
    }
}

/// The published state and the journal no longer agree: our bug or damaged bytes. The process stops and recovers.
#[derive(Debug, Error)]
#[error("shard {shard}, record {seq}: {what}")]
pub struct Divergence {
    pub shard: u16,
    pub seq: u64,
    pub what: String,
}

/// Limits of what metrics tell apart.
#[derive(Clone)]
pub struct LabelBudget {
    /// (workspace, queue) pairs left, over all shards of the process; beyond it a queue is told as `other`.
    queues: Arc<AtomicUsize>,
}

impl LabelBudget {
    /// `metrics.max_queues`.
    pub fn new(queues_max: usize) -> LabelBudget {
        LabelBudget { queues: Arc::new(AtomicUsize::new(queues_max)) }
    }
}

/// A shard as HTTP and the publisher share it.
#[derive(Clone)]
pub struct SharedShard {
    pub shard: u16,
    pub workload: Arc<RwLock<Workload>>,
    pub metrics: Arc<ShardMetrics>,
    /// The last decision committed: whoever follows the stream waits here.
    pub committed: watch::Receiver<Position>,
}

impl SharedShard {
    pub fn new(shard: u16, key: HashKey, views: Arc<Views>, budget: LabelBudget) -> SharedShard {
        let workload = Workload::new(shard, key, views, budget);
        let committed = workload.committed.subscribe();
        let workload = Arc::new(RwLock::new(workload));
        SharedShard { shard, workload, metrics: Arc::new(ShardMetrics::new(shard)), committed }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Workload> {
        self.workload.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Workload> {
        self.workload.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the shard's series. `now` is engine time; a shard that is not owned shows that, and nothing else.
    pub fn collect(&self, now: u64, scrape: &mut Scrape) {
        if self.metrics.owned.value() == 0 {
            scrape.whole(Family::ShardOwned, self.metrics.labels(), 0);
            return;
        }
        self.metrics.collect(scrape);
        self.write().collect(now, self.metrics.labels(), scrape);
    }
}

pub struct Workload {
    shard: u16,
    key: HashKey,
    replica: Engine,
    views: Arc<Views>,
    budget: LabelBudget,
    workspaces: HashMap<Box<str>, WorkspaceFold>,
    /// Names of workspaces by hash: inputs carry only that.
    names: HashMap<u128, Box<str>>,
    committed: watch::Sender<Position>,
    /// The first batch that is not recovery has come.
    live: bool,
    batches: u64,
    dead_letters: HashMap<Box<str>, (Labels, u64)>,
    /// By promise 1-7; 0 where the sentence names none.
    violations: [u64; 8],
}

impl Workload {
    fn new(shard: u16, key: HashKey, views: Arc<Views>, budget: LabelBudget) -> Workload {
        Workload {
            shard,
            key,
            replica: Engine::new(key),
            views,
            budget,
            workspaces: HashMap::new(),
            names: HashMap::new(),
            committed: watch::Sender::new(Position::default()),
            live: false,
            batches: 0,
            dead_letters: HashMap::new(),
            violations: [0; 8],
        }
    }

    /// The engine fed by committed effects: views are read from it.
    pub fn replica(&self) -> &Engine {
        &self.replica
    }

    /// Starts anew, as after a step-down: the journal is read again from its start. Counters start at 0 too.
    pub fn withdraw(&mut self) {
        self.views.forget(self.shard);
        let committed = std::mem::replace(&mut self.committed, watch::Sender::new(Position::default()));
        *self = Workload::new(self.shard, self.key, self.views.clone(), self.budget.clone());
        self.committed = committed;
    }

    /// Takes one committed record, in order, exactly once.
    pub fn commit(&mut self, batch: &CommittedBatch<'_>) -> Result<(), Divergence> {
        let divergence = |what: String| Divergence { shard: self.shard, seq: batch.seq, what };
        let digest = self
            .replica
            .apply(batch.seq, batch.effects)
            .map_err(|malformed| divergence(format!("its effects cannot be applied: {malformed}")))?;
        if digest != batch.digest {
            return Err(divergence(format!("the state's digest is {digest:032x}, the record says {:032x}", batch.digest)));
        }
        if batch.live && !self.live {
            self.live = true;
            self.workspaces.values_mut().for_each(|fold| fold.staff.start(batch.now));
        }
        let touched = self.take_decisions(batch);
        self.sync(&touched);
        if batch.live {
            self.take_judged(batch);
            self.sample_promises();
        }
        debug_assert_eq!(self.unbalanced(&touched, CHECKED_AT_EVERY_PUBLISH_MAX), None);
        self.views.expire(self.shard, batch.now);
        if let Some(last) = batch.decisions.len().checked_sub(1) {
            self.committed.send_replace(Position { seq: batch.seq, idx: last as u32 });
        }
        Ok(())
    }

    fn take_decisions(&mut self, batch: &CommittedBatch<'_>) -> Touched {
        let mut touched = Touched::default();
        for (idx, told) in batch.decisions.iter().enumerate() {
            let fold = self.fold_of(&told.workspace);
            fold.take(told, batch.live);
            touched.note(told);
            self.views.take(self.shard, Position { seq: batch.seq, idx: idx as u32 }, told);
        }
        touched
    }

    fn fold_of(&mut self, workspace: &str) -> &mut WorkspaceFold {
        if !self.workspaces.contains_key(workspace) {
            self.names.insert(self.key.hash(Kind::Workspace, workspace, &[]), workspace.into());
            let fold = WorkspaceFold::new(workspace, self.budget.queues.clone());
            self.workspaces.insert(workspace.into(), fold);
        }
        self.workspaces.get_mut(workspace).expect("it was just put there")
    }

    /// Brings what decisions do not tell up to the replica: agents touched by load, policies.
    fn sync(&mut self, touched: &Touched) {
        for name in &touched.configured {
            let Some(workspace) = self.replica.workspace(name) else { continue };
            let Some(fold) = self.workspaces.get_mut(name) else { continue };
            fold.tables.configure(workspace.policy);
            fold.configure_messages(workspace.policy);
            workspace.agents().iter().for_each(|agent| fold.staff.sync(agent));
        }
        for (name, agent) in &touched.agents {
            let Some(agent) = self.replica.workspace(name).and_then(|workspace| workspace.agent(agent)) else { continue };
            if let Some(fold) = self.workspaces.get_mut(name) {
                fold.staff.sync(&agent);
            }
        }
    }

    fn take_judged(&mut self, batch: &CommittedBatch<'_>) {
        for judged in batch.judged {
            let Some(fold) = self.names.get(&judged.workspace).and_then(|name| self.workspaces.get_mut(name)) else {
                continue;
            };
            fold.events[judged.event_type as usize][result_of(judged) as usize] += 1;
            let here = !judged.duplicate && judged.position.seq == batch.seq;
            let told = batch.decisions.get(judged.position.idx as usize).filter(|_| here);
            if let Some(conversation) = told.and_then(|told| told.conversation.as_ref()) {
                fold.count_message(judged, &conversation.channel);
            }
        }
        for (_, reason) in batch.dead_letters {
            let (_, count) = self.dead_letters.entry(reason.as_str().into()).or_insert_with(|| {
                (labels(&[("workspace", "unknown"), ("source", "kafka"), ("reason", reason)]), 0)
            });
            *count += 1;
        }
    }

    fn sample_promises(&mut self) {
        self.batches += 1;
        if self.batches.is_multiple_of(BATCHES_BETWEEN_CHECKS)
            && let Some(sentence) = self.replica.broken_promise()
        {
            tracing::error!(shard = self.shard, sentence, "a promise is broken");
            let number = sentence.chars().find_map(|c| c.to_digit(10)).filter(|n| (1..=7).contains(n));
            self.violations[number.unwrap_or(0) as usize] += 1;
        }
    }

    /// Where entries minus exits is not the change of what waits, as a sentence. Only workspaces touched, and only
    /// those with at most so many conversations.
    fn unbalanced(&self, touched: &Touched, kept_max: usize) -> Option<String> {
        let names: BTreeSet<&str> = touched.workspaces.iter().map(|name| &**name).collect();
        names.into_iter().find_map(|name| {
            let fold = self.workspaces.get(name)?;
            if fold.kept > kept_max { None } else { fold.tables.unbalanced(&self.replica.workspace(name)?.queues()) }
        })
    }

    /// The same for every workspace: a test's and a scrape's check.
    pub fn imbalance(&self) -> Option<String> {
        let all = Touched { workspaces: self.workspaces.keys().cloned().collect(), ..Touched::default() };
        self.unbalanced(&all, usize::MAX)
    }

    /// What an agent did since the process started, for his view.
    pub fn agent_tally(&self, workspace: &str, agent: &str) -> AgentTally {
        self.workspaces.get(workspace).map(|fold| fold.staff.tally(agent)).unwrap_or_default()
    }

    /// Adds everything the fold knows. `now` is engine time: seconds in a state run on between batches.
    pub fn collect(&mut self, now: u64, shard: &Labels, scrape: &mut Scrape) {
        debug_assert_eq!(self.imbalance(), None);
        let held_ms = self.replica.idempotency_window_held_ms();
        scrape.real(Family::IdempotencyWindow, shard, held_ms as f64 / 1e3);
        for (labels, count) in self.dead_letters.values() {
            scrape.whole(Family::DeadLetters, labels, *count);
        }
        for (promise, word) in ["unnamed", "1", "2", "3", "4", "5", "6", "7"].into_iter().enumerate() {
            scrape.whole_of(Family::PromiseViolations, shard, "promise", word, self.violations[promise]);
        }
        for workspace in self.replica.workspaces() {
            let Some(fold) = self.workspaces.get_mut(workspace.name) else { continue };
            fold.staff.advance(now, self.live);
            fold.collect(now, &workspace, scrape);
        }
    }
}

/// What an agent did since the process started.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct AgentTally {
    pub assigned: u64,
    pub resolved: u64,
    pub unit_ms: u64,
}

/// Whom and what a batch's decisions touched.
#[derive(Default)]
struct Touched {
    workspaces: BTreeSet<Box<str>>,
    configured: BTreeSet<Box<str>>,
    agents: BTreeSet<(Box<str>, Box<str>)>,
}

impl Touched {
    fn note(&mut self, told: &Told) {
        if !self.workspaces.contains(&told.workspace) {
            self.workspaces.insert(told.workspace.clone());
        }
        if told.decision_type == DecisionType::WorkspaceConfigured {
            self.configured.insert(told.workspace.clone());
        }
        let owners = told.conversation.iter().flat_map(|c| [&c.owner, &c.previous_owner]);
        for agent in told.agent.iter().map(|agent| &agent.id).chain(owners).filter(|agent| !agent.is_empty()) {
            self.agents.insert((told.workspace.clone(), agent.clone()));
        }
    }
}

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

/// The counters of one workspace, and who waits and who holds what.
struct WorkspaceFold {
    labels: Labels,
    name: Box<str>,
    tables: Tables,
    staff: Staff,
    open: HashMap<Box<str>, Open>,
    /// Conversations in the engine's state, resolved ones that may still reopen included.
    kept: usize,
    /// By event type's number and result.
    events: Vec<[u64; RESULTS.len()]>,
    decisions: [u64; 256],
    messages: HashMap<Box<str>, Messages>,
}

/// An open conversation: in line, or held by an agent.
struct Open {
    cell: CellIndex,
    arrival: u64,
    queued_at: u64,
    hold: Option<Hold>,
}

struct Hold {
    agent: Box<str>,
    units: u32,
    since: u64,
    of: TeamChannel,
}

impl WorkspaceFold {
    fn new(name: &str, queues_left: Arc<AtomicUsize>) -> WorkspaceFold {
        WorkspaceFold {
            labels: labels(&[("workspace", name)]),
            name: name.into(),
            tables: Tables::new(name, queues_left),
            staff: Staff::new(name),
            open: HashMap::new(),
            kept: 0,
            events: vec![[0; RESULTS.len()]; 256],
            decisions: [0; 256],
            messages: HashMap::new(),
        }
    }

    fn take(&mut self, told: &Told, live: bool) {
        self.staff.advance(told.time, live);
        if live {
            self.decisions[told.decision_type as usize] += 1;
        }
        if let Some(conversation) = &told.conversation {
            self.take_conversation(told, conversation, live);
        }
        if let Some(agent) = &told.agent {
            match told.decision_type {
                DecisionType::AgentChanged => self.staff.take(agent),
                DecisionType::CapacityExceeded => self.staff.exceeded(&agent.team, told.reason, live),
                _ => {}
            }
        }
    }

    fn take_conversation(&mut self, told: &Told, conversation: &ToldConversation, live: bool) {
        match told.decision_type {
            DecisionType::ConversationOpened => self.kept += 1,
            DecisionType::ConversationQueued => self.queued(told, conversation, live),
            DecisionType::ConversationAssigned => self.assigned(told, conversation, live),
            DecisionType::ConversationUpdated => self.updated(told, conversation, live),
            DecisionType::ConversationResolved => {
                self.leave(told, conversation, tables::EXIT_CLOSED, live);
                self.tables.ended(conversation, tables::ENDED_RESOLVED, live);
                self.staff.resolved(&conversation.previous_owner, live);
                self.kept -= usize::from(conversation.live);
            }
            DecisionType::ConversationAbandoned => {
                let short = told.reason == Reason::ShortAbandoned;
                let exit = if short { tables::EXIT_SHORT_ABANDONED } else { tables::EXIT_ABANDONED };
                self.leave(told, conversation, exit, live);
                self.kept -= 1;
            }
            // A closed one that was already resolved ended then.
            DecisionType::ConversationClosed => {
                if self.leave(told, conversation, tables::EXIT_CLOSED, live) {
                    self.tables.ended(conversation, tables::ENDED_CLOSED, live);
                }
                self.kept -= 1;
            }
            DecisionType::ConversationReopened => self.tables.reopened(conversation, live),
            _ => {}
        }
    }

    fn queued(&mut self, told: &Told, conversation: &ToldConversation, live: bool) {
        self.leave(told, conversation, tables::EXIT_TRANSFERRED, live);
        let cell = self.tables.cell(&conversation.queue, &conversation.channel, &conversation.tier);
        self.tables.enter(cell, tables::entry_of(told.reason), live);
        let open = Open { cell, arrival: conversation.arrival, queued_at: conversation.queued_at, hold: None };
        self.open.insert(conversation.id.clone(), open);
    }

    fn assigned(&mut self, told: &Told, conversation: &ToldConversation, live: bool) {
        let claimed = told.reason == Reason::Claim;
        let exit = if claimed { tables::EXIT_CLAIMED } else { tables::EXIT_ANSWERED };
        self.leave(told, conversation, exit, live);
        let cell = self.tables.cell(&conversation.queue, &conversation.channel, &conversation.tier);
        self.tables.assigned(cell, told.reason, live);
        let of = self.staff.hold(&conversation.owner, &conversation.channel, conversation.units, live);
        let hold = Hold { agent: conversation.owner.clone(), units: conversation.units, since: told.time, of };
        let (arrival, queued_at) = (conversation.arrival, conversation.queued_at);
        self.open.insert(conversation.id.clone(), Open { cell, arrival, queued_at, hold: Some(hold) });
    }

    /// A waiting one whose labels a new policy changed leaves one line and enters another.
    fn updated(&mut self, told: &Told, conversation: &ToldConversation, live: bool) {
        let cell = self.tables.cell(&conversation.queue, &conversation.channel, &conversation.tier);
        let moved = self.open.get(&conversation.id).is_some_and(|open| open.hold.is_none() && open.cell != cell);
        if moved {
            self.queued(told, conversation, live);
        }
    }

    /// Ends where it was: out of its line by this exit, or out of its owner's hands. False: it was in neither.
    fn leave(&mut self, told: &Told, conversation: &ToldConversation, exit: usize, live: bool) -> bool {
        let Some(open) = self.open.remove(&conversation.id) else { return false };
        match open.hold {
            None => {
                let waited_ms = told.time.saturating_sub(open.queued_at);
                let in_time = waited_ms <= conversation.service_level_ms;
                self.tables.exit(open.cell, exit, conversation.waited_ms, in_time, live);
            }
            Some(hold) => {
                let held_ms = told.time.saturating_sub(hold.since);
                self.staff.release(&hold.agent, hold.of, hold.units, held_ms, live);
                self.tables.handled(open.cell, held_ms, live);
            }
        }
        true
    }

    fn configure_messages(&mut self, policy: &engine::policy::Policy) {
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

    fn count_message(&mut self, judged: &Judged, channel: &str) {
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

    fn collect(&self, now: u64, workspace: &engine::view::Workspace<'_>, scrape: &mut Scrape) {
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
        let ages = self.tables.ages(now, self.open.values().filter(|open| open.hold.is_none()).map(|o| (o.cell, o.arrival)));
        self.tables.collect(now, workspace, &ages, &self.staff, scrape);
        self.staff.collect(scrape);
    }
}
