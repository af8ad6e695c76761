//! The read side: one pure fold over committed batches, on the publisher's thread.
//!
//! A shard's `Workload` holds a second engine, fed by the effects of committed records (never by inputs): views of
//! agents and queues are read from it, and its digest is compared with the one in each record's header, so that a state
//! that strays from the journal stops the process instead of answering. Beside it stand the counters that `metrics.md`
//! names: of conversations from typed decisions, of agents from the rows that a record touched, because holds come and go
//! without decisions. Beside the counters stand the reports over the last days, which recovery fills. It moves what waits and who holds what, and increments no counter. Here is no
//! clock and no IO: times come with batches and with the scrape. HTTP reads through `SharedShard`.

pub(crate) mod context;
pub(crate) mod conversations;
mod exposition;
mod intervals;
mod keyed;
mod staff;
mod tables;
mod tallies;
mod views;
mod waits;
pub(crate) mod words;
mod workspace;

pub use intervals::{AgentCounts, INTERVAL_MS, Range};
pub use tallies::AgentTally;
pub use views::{ConversationView, Views};

use crate::metrics::{Family, Labels, Scrape, ShardMetrics, labels};
use crate::sources::Sources;
use connectors::codec::REFUSALS;
use engine::decision::{Outcome, Position, Told};
use engine::engine::Answer;
use engine::id::{HashKey, Kind};
use engine::input::{ActorKind, Body, EventType, Input, SurveyKind};
use engine::{BrokenPromise, Engine};
use keyed::KeyedMap;
use load_tests::service_level::Counts;
use staff::AgentDone;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;
use thiserror::Error;
use tokio::sync::watch;
use workspace::WorkspaceFold;

/// Between two samples of the promises, in committed batches: the check walks the whole state, so it is made only where
/// that is soon done.
const BATCHES_BETWEEN_CHECKS: u64 = 20_000;
const CHECKED_CONVERSATIONS_MAX: usize = 50_000;
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
    /// What was decided on each input of the batch; empty while recovering, but for a batch of our own whose ack was
    /// lost: nobody has counted that one yet.
    pub judged: &'a [Judged],
    /// Offset and reason of each dead letter in the effects; empty while recovering, with the same exception.
    pub dead_letters: &'a [(u64, String)],
    /// False while recovering: counters stay, unless what was judged comes with it.
    pub live: bool,
    pub received_at: Option<Instant>,
}

impl CommittedBatch<'_> {
    /// Whether it was decided by this process since the counters began. What recovery reads brings neither list.
    fn is_counted(&self) -> bool {
        self.live || !self.judged.is_empty() || !self.dead_letters.is_empty()
    }
}

/// An input and what it came to, as far as counters want to know: the shard notes it beside the answer.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub workspace: u128,
    pub event_type: EventType,
    pub actor: ActorKind,
    pub outcome: Outcome,
    pub duplicate: bool,
    /// Of the first decision that names it (of a duplicate: the first time's); zeros of a renewal that changed nothing.
    pub position: Position,
    pub detail: JudgedDetail,
}

/// What counters want to know of an input and no decision tells.
#[derive(Clone, Copy, Debug)]
pub enum JudgedDetail {
    None,
    /// The conversation that a message is of: by its id's hash, else by who is in it.
    Message(Option<u128>, Option<u128>),
    Survey(SurveyScore),
    /// Two customers, by their hashes, that are one from now on.
    Linked(u128, u128),
}

/// What a customer thought of it, `score` of at most `max`.
#[derive(Clone, Copy, Debug)]
pub struct SurveyScore {
    /// By its hash, where the event names it.
    pub conversation: Option<u128>,
    pub kind: SurveyKind,
    pub score: u32,
    pub max: u32,
}

impl JudgedDetail {
    fn of(body: &Body) -> JudgedDetail {
        match *body {
            Body::SurveyAnswered { ref conversation, kind, score, max, .. } => {
                let conversation = conversation.as_ref().map(|id| id.hash);
                JudgedDetail::Survey(SurveyScore { conversation, kind, score, max })
            }
            Body::MessageSent { ref conversation, identity, .. } => {
                JudgedDetail::Message(conversation.as_ref().map(|id| id.hash), identity)
            }
            Body::MessageReceived { ref contact, .. } => {
                JudgedDetail::Message(contact.conversation.as_ref().map(|id| id.hash), contact.identity)
            }
            Body::CustomerLinked { ref customer, ref other } => JudgedDetail::Linked(customer.hash, other.hash),
            _ => JudgedDetail::None,
        }
    }
}

impl Judged {
    /// None for an unknown workspace: nothing of it was recorded.
    pub fn of(input: &Input, answer: &Answer) -> Option<Judged> {
        let (outcome, position, duplicate) = match *answer {
            Answer::Recorded { outcome, position, duplicate, .. } => (outcome, position, duplicate),
            Answer::Renewed => (Outcome::Recorded, Position::default(), false),
            Answer::UnknownWorkspace => return None,
        };
        let default =
            if input.event_type == EventType::MessageReceived { ActorKind::Customer } else { ActorKind::System };
        Some(Judged {
            workspace: input.workspace.hash,
            event_type: input.event_type,
            actor: input.actor.as_ref().map_or(default, |actor| actor.kind),
            outcome,
            duplicate,
            position,
            detail: JudgedDetail::of(&input.body),
        })
    }
}

/// Why an event is dead-lettered that can be read: its workspace is not there.
pub const UNKNOWN_WORKSPACE: &str = "unknown_workspace";

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

    /// Tells sources by their configured names.
    pub fn knowing(self, sources: Arc<Sources>) -> SharedShard {
        self.write().sources = sources;
        self
    }

    /// Its events come from a log that anybody may write to: what cannot be taken is dead-lettered, and each reason for that
    /// stands at 0 from the start.
    pub fn reading_a_log(self) -> SharedShard {
        self.write().dead_letters = DeadLetters::of_a_log();
        self
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Workload> {
        self.workload.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Workload> {
        self.workload.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the shard's series. `now` is engine time. A shard that is not owned shows that, and nothing else of its own; one
    /// that another node may be showing has no gauges of its workspaces: sums over nodes count nothing twice. Counters stay,
    /// because each node counts what it has decided itself.
    pub fn collect(&self, now: u64, scrape: &mut Scrape) {
        self.read().collect_dead_letters(scrape);
        if !self.metrics.is_owned() {
            scrape.whole(Family::ShardOwned, self.metrics.labels(), 0);
            return;
        }
        self.metrics.collect(scrape);
        if self.metrics.is_shown() {
            self.write().collect(now, self.metrics.labels(), scrape);
        } else {
            let mut all = Scrape::default();
            self.write().collect(now, self.metrics.labels(), &mut all);
            scrape.take_but_gauges(all);
        }
    }

    /// Adds what each agent did, of a shard that is owned.
    pub fn collect_agents(&self, now: u64, max: usize, scrape: &mut Scrape) {
        if self.metrics.is_owned() {
            // The lock is given back before labels are made.
            let done = self.write().agents_done(now, max);
            done.iter().for_each(|agent| agent.collect(scrape));
        }
    }
}

pub struct Workload {
    shard: u16,
    key: HashKey,
    replica: Engine,
    views: Arc<Views>,
    budget: LabelBudget,
    folds: Folds,
    committed: watch::Sender<Position>,
    /// The first batch that is not recovery has come.
    live: bool,
    /// Engine time of the last record.
    now: u64,
    batches: u64,
    dead_letters: DeadLetters,
    /// By whose names sources are told.
    sources: Arc<Sources>,
}

impl Workload {
    fn new(shard: u16, key: HashKey, views: Arc<Views>, budget: LabelBudget) -> Workload {
        Workload {
            shard,
            key,
            replica: Engine::new(key),
            views,
            folds: Folds::new(key, budget.clone()),
            budget,
            committed: watch::Sender::new(Position::default()),
            live: false,
            now: 0,
            batches: 0,
            dead_letters: DeadLetters::default(),
            sources: Arc::new(Sources::new(&[], true)),
        }
    }

    /// The engine fed by committed effects: views are read from it.
    pub fn replica(&self) -> &Engine {
        &self.replica
    }

    /// Starts anew, as after a step-down: the journal is read again from its start. Counters start at 0 too, but
    /// for dead letters: their series are the process's, whose sum must not fall.
    pub fn withdraw(&mut self) {
        self.views.forget(self.shard);
        let committed = std::mem::replace(&mut self.committed, watch::Sender::new(Position::default()));
        let dead_letters = std::mem::take(&mut self.dead_letters);
        let sources = self.sources.clone();
        *self = Workload::new(self.shard, self.key, self.views.clone(), self.budget.clone());
        self.sources = sources;
        self.committed = committed;
        self.dead_letters = dead_letters;
    }

    /// Takes one committed record, in order, exactly once.
    pub fn commit(&mut self, batch: &CommittedBatch<'_>) -> Result<(), Divergence> {
        if batch.live && !self.live {
            // What passed before our time is in no counter of ours.
            self.judge_all(self.now, false);
        }
        let divergence = |what: String| Divergence { shard: self.shard, seq: batch.seq, what };
        let digest = self
            .replica
            .apply(batch.seq, batch.effects)
            .map_err(|malformed| divergence(format!("its effects cannot be applied: {malformed}")))?;
        if digest != batch.digest {
            return Err(divergence(format!(
                "the state's digest is {digest:032x}, the record says {:032x}",
                batch.digest
            )));
        }
        self.live |= batch.live;
        self.now = self.now.max(batch.now);
        self.views.expire(self.shard, batch.now);
        let touched = self.take_decisions(batch);
        for fold in &touched {
            let fold = &mut self.folds.all[*fold];
            if let Some(workspace) = self.replica.workspace(&fold.name) {
                fold.judge(batch.now, batch.is_counted(), &workspace);
            }
        }
        if batch.is_counted() {
            self.take_judged(batch);
        }
        if batch.live {
            self.sample_promises();
        }
        debug_assert_eq!(touched.iter().find_map(|fold| self.unbalanced(*fold, CHECKED_AT_EVERY_PUBLISH_MAX)), None);
        if let Some(last) = batch.decisions.len().checked_sub(1) {
            self.committed.send_replace(Position { seq: batch.seq, idx: last as u32 });
        }
        Ok(())
    }

    /// Returns which folds it touched.
    fn take_decisions(&mut self, batch: &CommittedBatch<'_>) -> Vec<usize> {
        let key_of = |told: &Told| {
            let conversation = told.conversation.as_ref()?;
            Some(self.key.hash(Kind::Conversation, &told.workspace, &[&conversation.id]))
        };
        let keys: Vec<Option<u128>> = batch.decisions.iter().map(key_of).collect();
        let mut touched = Vec::new();
        for (told, key) in batch.decisions.iter().zip(&keys) {
            let at = self.folds.touch(&told.workspace, &mut touched);
            self.folds.all[at].take(told, *key, batch.is_counted(), &self.replica);
        }
        self.views.take(self.shard, batch.seq, batch.decisions, &keys, self.key);
        for slot in self.replica.touched_agents() {
            let (workspace, agent) = self.replica.agent_at(*slot);
            let at = self.folds.touch(workspace, &mut touched);
            let fold = &mut self.folds.all[at];
            fold.advance(batch.now, batch.live);
            fold.sync(agent, &self.views, batch.is_counted());
        }
        touched
    }

    fn take_judged(&mut self, batch: &CommittedBatch<'_>) {
        for judged in batch.judged {
            let Some(fold) = self.folds.by_hash(judged.workspace) else { continue };
            fold.count_event(judged);
            if judged.duplicate || matches!(judged.outcome, Outcome::Rejected) {
                continue;
            }
            let told = batch.decisions.get(judged.position.idx as usize).filter(|_| judged.position.seq == batch.seq);
            let conversation = told.and_then(|told| told.conversation.as_ref());
            match judged.detail {
                _ if judged.outcome == Outcome::Ignored => {}
                // Most messages change nothing that a decision would tell.
                JudgedDetail::Message(id, identity) => {
                    let told = conversation.map(|conversation| &*conversation.channel);
                    let workspace = self.replica.workspace(&fold.name);
                    let channel = told.or_else(|| workspace?.channel_of(id, identity));
                    if let Some(channel) = channel {
                        fold.count_message(judged, channel);
                    }
                }
                JudgedDetail::Survey(survey) => {
                    // One that is over is in no decision; the views still know it for a while.
                    let ended = || self.views.conversation(survey.conversation?);
                    let queue = conversation.map(|told| told.queue.clone()).or_else(|| Some(ended()?.told.queue));
                    fold.count_survey(&survey, &queue.unwrap_or_default());
                }
                JudgedDetail::Linked(customer, other) => fold.count_link((customer, other)),
                JudgedDetail::None => {}
            }
        }
        for (_, reason) in batch.dead_letters {
            self.dead_letters.count(reason);
        }
    }

    /// Counts renewals that changed nothing and stand in no record.
    pub fn count_renewals(&mut self, judged: &[Judged]) {
        for judged in judged {
            if let Some(fold) = self.folds.by_hash(judged.workspace) {
                fold.count_event(judged);
            }
        }
    }

    fn sample_promises(&mut self) {
        self.batches += 1;
        if self.batches.is_multiple_of(BATCHES_BETWEEN_CHECKS)
            && self.folds.all.iter().map(WorkspaceFold::kept).sum::<usize>() <= CHECKED_CONVERSATIONS_MAX
            && let Some(broken) = self.replica.broken_promise()
        {
            self.violated(&broken);
        }
    }

    /// Counts and tells a promise that was found broken.
    pub fn violated(&mut self, broken: &BrokenPromise) {
        tracing::error!(shard = self.shard, %broken, "a promise is broken");
        let at = self.folds.touch(&broken.workspace, &mut Vec::new());
        self.folds.all[at].count_violation(broken.promise);
    }

    /// Where a fold is not what the replica is, as a sentence; only looked for among at most so many conversations.
    fn unbalanced(&self, fold: usize, kept_max: usize) -> Option<String> {
        let fold = &self.folds.all[fold];
        if fold.kept() > kept_max { None } else { fold.unbalanced(&self.replica.workspace(&fold.name)?) }
    }

    /// The same for every workspace: a test's and a scrape's check. Entries minus exits is the change of what waits,
    /// and agents are in the states that the replica has them in.
    pub fn imbalance(&self) -> Option<String> {
        (0..self.folds.all.len()).find_map(|fold| self.unbalanced(fold, usize::MAX))
    }

    fn judge_all(&mut self, now: u64, counted: bool) {
        for workspace in self.replica.workspaces() {
            if let Some(fold) = self.folds.by_name_mut(workspace.name) {
                fold.judge(now, counted, &workspace);
            }
        }
    }

    /// What happened by itself up to `now` stands in a workspace's reports from now on; says from when on they are whole.
    pub fn settle(&mut self, workspace: &str, now: u64) -> Option<u64> {
        let found = self.replica.workspace(workspace)?;
        let fold = self.folds.by_name_mut(workspace)?;
        fold.settle(if self.replica.is_behind() { self.replica.now() } else { now }, self.live, &found);
        Some(fold.known_from())
    }

    /// What came of the entries into each queue in these intervals, and of the work; queues without any are left out.
    pub fn queue_reports(&self, workspace: &str, range: Range) -> HashMap<Box<str>, Counts> {
        self.folds.by_name(workspace).map(|fold| fold.queue_reports(range)).unwrap_or_default()
    }

    /// What each of these agents did in these intervals.
    pub fn agent_reports<'a>(
        &self,
        workspace: &str,
        range: Range,
        agents: impl Iterator<Item = &'a str>,
    ) -> HashMap<Box<str>, AgentCounts> {
        self.folds.by_name(workspace).map(|fold| fold.agent_reports(range, agents)).unwrap_or_default()
    }

    /// What an agent did since the process started, for his view.
    pub fn agent_tally(&self, workspace: &str, agent: &str) -> AgentTally {
        self.folds.by_name(workspace).map(|fold| fold.tally(agent)).unwrap_or_default()
    }

    /// Adds what was dead-lettered since the process started, whoever owns the shard now.
    pub fn collect_dead_letters(&self, scrape: &mut Scrape) {
        self.dead_letters.collect(scrape);
    }

    /// What each agent did since the process started, of each workspace the first `max` who came by name.
    fn agents_done(&mut self, now: u64, max: usize) -> Vec<AgentDone> {
        let mut done = Vec::new();
        for fold in &mut self.folds.all {
            fold.advance(now, self.live);
            fold.agents_done(max, &mut done);
        }
        done
    }

    /// Adds everything the fold knows. `now` is engine time: seconds in a state run on between batches.
    pub fn collect(&mut self, now: u64, shard: &Labels, scrape: &mut Scrape) {
        debug_assert_eq!(self.imbalance(), None);
        let held_ms = self.replica.idempotency_window_held_ms();
        scrape.real(Family::IdempotencyWindow, shard, held_ms as f64 / 1e3);
        for workspace in self.replica.workspaces() {
            let Some(fold) = self.folds.by_name_mut(workspace.name) else { continue };
            fold.advance(now, self.live);
            // Behind its log, it knows no more than that: what was answered in time may lie ahead.
            let known = if self.replica.is_behind() { self.replica.now() } else { now };
            fold.judge(known, self.live, &workspace);
            fold.collect(now, &workspace, scrape);
            for labels in self.sources.all_labels() {
                scrape.add_whole_of(Family::SourcesSuspect, labels, None, 0);
            }
            for source in fold.suspects(now) {
                scrape.add_whole_of(Family::SourcesSuspect, self.sources.labels_of(source), None, 1);
            }
        }
    }
}

/// The folds of a shard's workspaces.
struct Folds {
    key: HashKey,
    budget: LabelBudget,
    all: Vec<WorkspaceFold>,
    /// Places in `all`, by name; and by the name's hash, which is all that inputs carry.
    names: HashMap<Box<str>, usize>,
    hashes: KeyedMap<usize>,
}

impl Folds {
    fn new(key: HashKey, budget: LabelBudget) -> Folds {
        Folds { key, budget, all: Vec::new(), names: HashMap::new(), hashes: KeyedMap::default() }
    }

    /// The place of a workspace's fold, noted among those touched; mostly it is the one before.
    fn touch(&mut self, workspace: &str, touched: &mut Vec<usize>) -> usize {
        if let Some(before) = touched.last().copied().filter(|before| &*self.all[*before].name == workspace) {
            return before;
        }
        let at = self.names.get(workspace).copied().unwrap_or_else(|| self.add(workspace));
        // The last one is that of the decision before.
        touched.retain(|known| *known != at);
        touched.push(at);
        at
    }

    fn add(&mut self, workspace: &str) -> usize {
        let at = self.all.len();
        self.all.push(WorkspaceFold::new(workspace, self.key, self.budget.queues.clone()));
        self.names.insert(workspace.into(), at);
        self.hashes.insert(self.key.hash(Kind::Workspace, workspace, &[]), at);
        at
    }

    fn by_name(&self, workspace: &str) -> Option<&WorkspaceFold> {
        self.names.get(workspace).map(|at| &self.all[*at])
    }

    fn by_name_mut(&mut self, workspace: &str) -> Option<&mut WorkspaceFold> {
        self.names.get(workspace).map(|at| &mut self.all[*at])
    }

    fn by_hash(&mut self, workspace: u128) -> Option<&mut WorkspaceFold> {
        self.hashes.get(&workspace).map(|at| &mut self.all[*at])
    }
}

/// Dead letters by reason. Nothing else is known of them, so they carry no workspace, and shards share their series.
struct DeadLetters {
    by_reason: HashMap<Box<str>, (Labels, u64)>,
    /// Of strowger_events_total: whether such a letter was an event, and of which type, cannot be told.
    event_labels: Labels,
}

impl Default for DeadLetters {
    fn default() -> DeadLetters {
        let event_labels = labels(&[("workspace", "unknown"), ("type", "unknown")]);
        DeadLetters { by_reason: HashMap::new(), event_labels }
    }
}

impl DeadLetters {
    fn of_a_log() -> DeadLetters {
        let mut none = DeadLetters::default();
        for reason in REFUSALS.into_iter().chain([UNKNOWN_WORKSPACE]) {
            none.of(reason);
        }
        none
    }

    fn of(&mut self, reason: &str) -> &mut u64 {
        let fresh = || (labels(&[("workspace", "unknown"), ("source", "kafka"), ("reason", reason)]), 0);
        &mut self.by_reason.entry(reason.into()).or_insert_with(fresh).1
    }

    fn count(&mut self, reason: &str) {
        *self.of(reason) += 1;
    }

    fn collect(&self, scrape: &mut Scrape) {
        for (labels, count) in self.by_reason.values() {
            scrape.add_whole_of(Family::DeadLetters, labels, None, *count);
        }
        let sum = self.by_reason.values().map(|(_, count)| count).sum();
        scrape.add_whole_of(Family::Events, &self.event_labels, Some(("result", "dead_letter")), sum);
    }
}
