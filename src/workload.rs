//! The read side: one pure fold over committed batches, on the publisher's thread.
//!
//! A shard's `Workload` holds a second engine, fed by the effects of committed records (never by inputs): views of
//! agents and queues are read from it, and its digest is compared with the one in each record's header, so that a state
//! that strays from the journal stops the process instead of answering. Beside it stand the counters that `metrics.md`
//! names, from typed decisions; recovery moves what waits and who holds what, and increments no counter. Here is no
//! clock and no IO: times come with batches and with the scrape. HTTP reads through `SharedShard`.

mod keyed;
mod staff;
mod tables;
mod views;
mod workspace;

pub use views::{ConversationView, Views};

use crate::metrics::{Family, Labels, Scrape, ShardMetrics, labels};
use engine::Engine;
use engine::decision::{Outcome, Position, Told};
use engine::engine::Answer;
use engine::id::{HashKey, Kind};
use engine::input::{ActorKind, EventType, Input};
use keyed::KeyedMap;
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
    /// Of the first decision that names it (of a duplicate: the first time's).
    pub position: Position,
}

impl Judged {
    /// None for an unknown workspace: nothing of it was recorded.
    pub fn of(input: &Input, answer: &Answer) -> Option<Judged> {
        let Answer::Recorded { outcome, position, duplicate, .. } = *answer else { return None };
        let default =
            if input.event_type == EventType::MessageReceived { ActorKind::Customer } else { ActorKind::System };
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

    /// Adds the shard's series. `now` is engine time; a shard that is not owned shows that, and nothing else of its own.
    pub fn collect(&self, now: u64, scrape: &mut Scrape) {
        self.read().collect_dead_letters(scrape);
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
    folds: Vec<WorkspaceFold>,
    /// Places in `folds`, by name; and by the name's hash, which is all that inputs carry.
    by_name: HashMap<Box<str>, usize>,
    by_hash: KeyedMap<usize>,
    committed: watch::Sender<Position>,
    /// The first batch that is not recovery has come.
    live: bool,
    batches: u64,
    dead_letters: DeadLetters,
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
            folds: Vec::new(),
            by_name: HashMap::new(),
            by_hash: KeyedMap::default(),
            committed: watch::Sender::new(Position::default()),
            live: false,
            batches: 0,
            dead_letters: DeadLetters::default(),
            violations: [0; 8],
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
        *self = Workload::new(self.shard, self.key, self.views.clone(), self.budget.clone());
        self.committed = committed;
        self.dead_letters = dead_letters;
    }

    /// Takes one committed record, in order, exactly once.
    pub fn commit(&mut self, batch: &CommittedBatch<'_>) -> Result<(), Divergence> {
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
        if batch.live && !self.live {
            self.live = true;
            self.folds.iter_mut().for_each(|fold| fold.staff.start(batch.now));
        }
        let touched = self.take_decisions(batch);
        if batch.is_counted() {
            self.take_judged(batch);
        }
        if batch.live {
            self.sample_promises();
        }
        debug_assert_eq!(touched.iter().find_map(|fold| self.unbalanced(*fold, CHECKED_AT_EVERY_PUBLISH_MAX)), None);
        self.views.expire(self.shard, batch.now);
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
            let at = self.place_of(&told.workspace, touched.last().copied());
            if !touched.contains(&at) {
                touched.push(at);
            }
            let fold = &mut self.folds[at];
            fold.staff.advance(told.time, batch.live);
            fold.take(told, *key, batch.is_counted(), &self.replica);
        }
        touched.iter().for_each(|at| self.folds[*at].catch_up(&self.replica));
        self.views.take(self.shard, batch.seq, batch.decisions, &keys);
        touched
    }

    /// The place of a workspace's fold; mostly that of the decision before.
    fn place_of(&mut self, workspace: &str, before: Option<usize>) -> usize {
        if let Some(before) = before.filter(|before| &*self.folds[*before].name == workspace) {
            return before;
        }
        if let Some(known) = self.by_name.get(workspace) {
            return *known;
        }
        let at = self.folds.len();
        self.folds.push(WorkspaceFold::new(workspace, self.budget.queues.clone()));
        self.by_name.insert(workspace.into(), at);
        self.by_hash.insert(self.key.hash(Kind::Workspace, workspace, &[]), at);
        at
    }

    fn take_judged(&mut self, batch: &CommittedBatch<'_>) {
        for judged in batch.judged {
            let Some(at) = self.by_hash.get(&judged.workspace) else { continue };
            let fold = &mut self.folds[*at];
            fold.count_event(judged);
            let here = !judged.duplicate && judged.position.seq == batch.seq;
            let told = batch.decisions.get(judged.position.idx as usize).filter(|_| here);
            if let Some(conversation) = told.and_then(|told| told.conversation.as_ref()) {
                fold.count_message(judged, &conversation.channel);
            }
        }
        for (_, reason) in batch.dead_letters {
            self.dead_letters.count(reason);
        }
    }

    fn sample_promises(&mut self) {
        self.batches += 1;
        if self.batches.is_multiple_of(BATCHES_BETWEEN_CHECKS)
            && self.folds.iter().map(|fold| fold.kept).sum::<usize>() <= CHECKED_CONVERSATIONS_MAX
            && let Some(sentence) = self.replica.broken_promise()
        {
            tracing::error!(shard = self.shard, sentence, "a promise is broken");
            let number = sentence.chars().find_map(|c| c.to_digit(10)).filter(|n| (1..=7).contains(n));
            self.violations[number.unwrap_or(0) as usize] += 1;
        }
    }

    /// Where a fold is not what the replica is, as a sentence; only looked for among at most so many conversations.
    fn unbalanced(&self, fold: usize, kept_max: usize) -> Option<String> {
        let fold = &self.folds[fold];
        if fold.kept > kept_max { None } else { fold.unbalanced(&self.replica.workspace(&fold.name)?) }
    }

    /// The same for every workspace: a test's and a scrape's check. Entries minus exits is the change of what waits,
    /// and agents are in the states that the replica has them in.
    pub fn imbalance(&self) -> Option<String> {
        (0..self.folds.len()).find_map(|fold| self.unbalanced(fold, usize::MAX))
    }

    /// What an agent did since the process started, for his view.
    pub fn agent_tally(&self, workspace: &str, agent: &str) -> AgentTally {
        self.by_name.get(workspace).map(|at| self.folds[*at].staff.tally(agent)).unwrap_or_default()
    }

    /// Adds what was dead-lettered since the process started, whoever owns the shard now.
    pub fn collect_dead_letters(&self, scrape: &mut Scrape) {
        self.dead_letters.collect(scrape);
    }

    /// Adds everything the fold knows. `now` is engine time: seconds in a state run on between batches.
    pub fn collect(&mut self, now: u64, shard: &Labels, scrape: &mut Scrape) {
        debug_assert_eq!(self.imbalance(), None);
        let held_ms = self.replica.idempotency_window_held_ms();
        scrape.real(Family::IdempotencyWindow, shard, held_ms as f64 / 1e3);
        self.dead_letters.seed(scrape);
        for (promise, word) in ["unnamed", "1", "2", "3", "4", "5", "6", "7"].into_iter().enumerate() {
            scrape.whole_of(Family::PromiseViolations, shard, "promise", word, self.violations[promise]);
        }
        for workspace in self.replica.workspaces() {
            let Some(fold) = self.by_name.get(workspace.name).map(|at| &mut self.folds[*at]) else { continue };
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
    fn count(&mut self, reason: &str) {
        let fresh = || (labels(&[("workspace", "unknown"), ("source", "kafka"), ("reason", reason)]), 0);
        let (_, count) = self.by_reason.entry(reason.into()).or_insert_with(fresh);
        *count += 1;
    }

    /// The zero from which `increase()` sees the first one.
    fn seed(&self, scrape: &mut Scrape) {
        scrape.add_whole_of(Family::Events, &self.event_labels, Some(("result", "dead_letter")), 0);
    }

    fn collect(&self, scrape: &mut Scrape) {
        for (labels, count) in self.by_reason.values() {
            scrape.add_whole_of(Family::DeadLetters, labels, None, *count);
            scrape.add_whole_of(Family::Events, &self.event_labels, Some(("result", "dead_letter")), *count);
        }
    }
}
