//! After the commit: views and counters, HTTP's answers, the decisions topic. One thread for all shards of the node.
//!
//! Nothing comes here before its record is accepted by the journal (rule 16), so nothing here can be taken back. In
//! order for each batch: the workload's fold, then who waits for an answer, then the relay. The channel to it is
//! bounded: a publisher that is slow holds its shards back.

use crate::ingest::{Answered, Pending};
use crate::relay::Relays;
use crate::standing::Standing;
use crate::workload::{CommittedBatch, Judged, SharedShard};
use connectors::codec;
use connectors::journal::record::decode;
use connectors::journal::{Fold, Record};
use connectors::kafka::relay::DeadLetter;
use crossbeam::channel::{Receiver, Sender, bounded};
use engine::Engine;
use engine::decision::{Position, Told};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Batches between the shards and the publisher: at most 768 KiB each.
pub const PUBLICATIONS_MAX: usize = 64;
/// The relay is looked at this often although nothing woke it: a producer that is backed off.
const RELAY_EVERY: Duration = Duration::from_millis(200);
/// Of the 10 s that SIGTERM leaves.
const FINISH: Duration = Duration::from_secs(4);

/// What a shard tells the publisher, in order.
pub enum Publication {
    Batch(Box<Committed>),
    /// Renewals that changed nothing and stand in no record; all before them is committed.
    Renewed {
        shard: u16,
        replies: Vec<Reply>,
        judged: Vec<Judged>,
    },
    /// The shard is owned, from this fold on.
    Owned {
        shard: u16,
        fold: Box<Fold>,
    },
    /// The shard's state was dropped; it will be told again from the journal's start.
    Dropped {
        shard: u16,
        superseded: bool,
    },
    /// Everything before it has been published when the thread ends.
    Stop,
}

/// A batch that the journal has accepted.
pub struct Committed {
    pub shard: u16,
    pub record: Arc<[u8]>,
    /// The fold after it.
    pub fold: Fold,
    /// False while the journal is being read: counters stay.
    pub live: bool,
    pub replies: Vec<Reply>,
    pub judged: Vec<Judged>,
    /// Originals at hand, by offset; the others are read from the events topic.
    pub letters: Vec<DeadLetter>,
    pub submitted_at: Option<Instant>,
    pub committed_at: Instant,
}

/// An event's answer and who waits for it.
#[derive(Debug)]
pub struct Reply {
    pub answered: Answered,
    pub answer_to: Option<oneshot::Sender<Answered>>,
    pub received_at: Instant,
    /// Kafka: by these two HTTP's waiting events are found.
    pub offset: u64,
    pub key: u128,
}

pub fn channel() -> (Sender<Publication>, Receiver<Publication>) {
    bounded(PUBLICATIONS_MAX)
}

pub struct Publisher {
    pub shards: Arc<[SharedShard]>,
    pub standings: Arc<[Arc<Standing>]>,
    /// Kafka only.
    pub pending: Option<Arc<Pending>>,
    pub relays: Option<Relays>,
}

impl Publisher {
    /// The thread. An error is a reason to stop the process: the replica and the journal disagree, or the decisions
    /// topic holds what it must not.
    pub fn run(mut self, publications: &Receiver<Publication>) -> anyhow::Result<()> {
        let never = crossbeam::channel::never();
        loop {
            let woken = self.relays.as_ref().map_or(&never, Relays::woken);
            crossbeam::select! {
                recv(publications) -> publication => match publication {
                    Ok(Publication::Batch(batch)) => self.commit(*batch)?,
                    Ok(Publication::Renewed { shard, replies, judged }) => {
                        self.shards[usize::from(shard)].write().count_renewals(&judged);
                        self.answer(shard, replies);
                    }
                    Ok(Publication::Owned { shard, fold }) => self.owned(shard, &fold)?,
                    Ok(Publication::Dropped { shard, superseded }) => self.dropped(shard, superseded),
                    Ok(Publication::Stop) | Err(_) => return self.finish(),
                },
                recv(woken) -> _ => {},
                default(RELAY_EVERY) => {},
            }
            self.drive_relays();
        }
    }

    fn commit(&mut self, batch: Committed) -> anyhow::Result<()> {
        let record = decode(batch.fold.pos.saturating_sub(1), &batch.record)?;
        let told = codec::decisions(record.decisions)?;
        // Ours, or ours after all: a batch of a recovery carries neither.
        let is_ours = batch.live || !batch.judged.is_empty() || !batch.letters.is_empty();
        let dead_letters = if is_ours { Engine::dead_letters(record.effects)? } else { Vec::new() };
        let (shard, seq) = (batch.shard, record.header.seq);
        let standing = &self.standings[shard as usize];
        let shared = &self.shards[shard as usize];
        // Before the fold, which wakes whoever follows the decisions: they must find them readable.
        standing.set_published_seq(seq);
        shared.write().commit(&CommittedBatch {
            shard,
            seq,
            now: record.header.now,
            digest: record.header.digest,
            hash: batch.fold.hash,
            prev_decision: Some(record.header.last_decision).filter(|position| position.seq > 0),
            effects: record.effects,
            decisions: &told,
            judged: &batch.judged,
            dead_letters: &dead_letters,
            live: batch.live,
            received_at: batch.replies.first().map(|reply| reply.received_at),
        })?;
        let metrics = &shared.metrics;
        metrics.journal_bytes.set(metrics.journal_bytes.value() + batch.record.len() as u64);
        if let Some(submitted_at) = batch.submitted_at {
            metrics.commit.record_ns(nanoseconds(batch.committed_at - submitted_at));
        }
        self.answer(shard, batch.replies);
        if let Some(relays) = &mut self.relays
            && batch.live
        {
            relays.publish(shard, &record, &told, &batch.fold.hash, batch.letters)?;
        }
        Ok(())
    }

    fn answer(&self, shard: u16, replies: Vec<Reply>) {
        let latency = &self.shards[shard as usize].metrics.event_to_decision;
        for reply in replies {
            if let Some(answer_to) = reply.answer_to {
                // Who asked may have gone.
                let _ = answer_to.send(reply.answered);
            } else if let Some(pending) = &self.pending {
                pending.answer(shard, reply.offset, reply.key, reply.answered);
            }
            latency.record_ns(nanoseconds(reply.received_at.elapsed()));
        }
    }

    fn owned(&mut self, shard: u16, fold: &Fold) -> anyhow::Result<()> {
        if let Some(pending) = &self.pending {
            pending.prune(shard, fold.next_input);
        }
        match &mut self.relays {
            Some(relays) => relays.start(fold, &self.standings[shard as usize]),
            None => Ok(()),
        }
    }

    fn dropped(&mut self, shard: u16, superseded: bool) {
        self.shards[shard as usize].write().withdraw();
        let metrics = &self.shards[shard as usize].metrics;
        metrics.journal_bytes.set(0);
        if let Some(relays) = &mut self.relays {
            relays.stop(shard);
        }
        if let Some(pending) = &self.pending
            && superseded
        {
            pending.abandon(shard, Answered::NotOwner);
        }
    }

    fn drive_relays(&mut self) {
        let Some(relays) = &mut self.relays else { return };
        for standing in self.standings.iter() {
            let Some(relayed) = relays.drive(standing.shard) else { continue };
            standing.set_relayed(relayed);
            let lag = standing.published_seq().saturating_sub(relayed.seq);
            self.shards[standing.shard as usize].metrics.relay_lag_records.set(lag);
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if self.relays.as_mut().is_some_and(|relays| !relays.finish(FINISH)) {
            // The next owner starts after the tail of the topic: nothing is lost.
            tracing::warn!("the process ends before all decisions were acknowledged; the next start sends the rest");
        }
        Ok(())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One decision of a record as the JSON text that leaves the node.
pub fn render(journal_id: &str, record: &Record<'_>, hash: &[u8; 32], told: &[Told], idx: usize, out: &mut Vec<u8>) {
    let header = &record.header;
    let prev = match idx {
        0 => Some(header.last_decision).filter(|position| position.seq > 0),
        _ => Some(Position { seq: header.seq, idx: idx as u32 - 1 }),
    };
    let place = codec::Place {
        journal: journal_id,
        shard: header.shard,
        seq: header.seq,
        idx: idx as u32,
        count: told.len() as u32,
        hash,
        prev,
    };
    codec::render(&told[idx], &place, out);
}

/// The journal's id as it stands in every decision's source.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
