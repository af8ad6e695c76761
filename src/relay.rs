//! The publisher's side of Kafka: one relay a shard, started where the decisions topic ends (rules 10 and 16).
//!
//! Called only by the publisher's thread. What goes out, in which order and what is done on an error stands in
//! `connectors::kafka::relay`; here decisions are rendered, and after a takeover the batches that were committed and
//! not relayed are read from the journal again.

use crate::publisher::render;
use crate::standing::Standing;
use connectors::codec;
use connectors::journal::history::read_batches;
use connectors::journal::{Fold, Journal, JournalError, Record};
use connectors::kafka::relay::{self, Batch, DeadLetter, Decision, Relay};
use connectors::kafka::{KafkaConfig, KafkaFault, Originals};
use crossbeam::channel::{Receiver, Sender, bounded};
use engine::Engine;
use engine::decision::{Position, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A relay that is full is driven until it has room; its acks wake us, this is only for a producer that is backed off.
const WAIT: Duration = Duration::from_millis(50);
/// Kafka is not there: how long before the next try.
const RETRY: Duration = Duration::from_millis(500);

pub struct Relays {
    config: KafkaConfig,
    journal_id: String,
    originals: Originals,
    /// Reads the backlog after a takeover.
    journal: Box<dyn Journal>,
    relays: BTreeMap<u16, Relay>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Relays {
    pub fn new(config: &KafkaConfig, journal_id: String, journal: Box<dyn Journal>) -> Result<Relays, KafkaFault> {
        let (wake, woken) = bounded(1);
        let originals = Originals::new(config)?;
        Ok(Relays { config: config.clone(), journal_id, originals, journal, relays: BTreeMap::new(), wake, woken })
    }

    /// Something is there when a relay has acknowledgements to take.
    pub fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// The shard is owned: starts behind what is out already and sends the rest of what is committed.
    pub fn start(&mut self, fold: &Fold, standing: &Standing) -> anyhow::Result<()> {
        let shard = fold.shard;
        let tail = patiently(|| relay::tail(&self.config, shard))?;
        let relayed = tail.map_or(fold.relay, |(position, _)| position.max(fold.relay));
        let wake = self.wake.clone();
        let wake = Arc::new(move |_shard: u16| {
            // One token is enough: whoever takes it looks at all relays.
            let _ = wake.try_send(());
        });
        self.relays.insert(shard, Relay::new(&self.config, shard, relayed, wake));
        standing.set_relayed(relayed);
        let start =
            standing.history.read().expect("nobody panics with it").at_or_before(shard, relayed.seq.saturating_sub(1));
        let mut backlog = Vec::new();
        let mut next = start;
        // In slices: a backlog of days does not fit into memory.
        loop {
            backlog.clear();
            let mut last = None;
            let read = read_batches(self.journal.as_mut(), next.clone(), fold.seq, &mut |fold, record| {
                let batch = owned_copy(record, fold);
                last = Some(fold.clone());
                backlog.push(batch);
                backlog.len() < 64
            });
            match read {
                Ok(_) => {}
                Err(JournalError::Unavailable(sentence)) => {
                    tracing::warn!(sentence, "the relay waits for the journal");
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(error.into()),
            }
            for batch in &backlog {
                let told = codec::decisions(&batch.decisions)?;
                let record = batch.record();
                if record.header.seq >= relayed.seq.max(1) {
                    self.publish(shard, &record, &told, &batch.hash, Vec::new())?;
                }
            }
            // A read that gave nothing is made again: what is committed and not sent would be a gap (rule 18).
            match last {
                Some(last) => next = last,
                None if next.seq < fold.seq => std::thread::sleep(RETRY),
                None => {}
            }
            if next.seq >= fold.seq {
                return Ok(());
            }
        }
    }

    pub fn stop(&mut self, shard: u16) {
        self.relays.remove(&shard);
    }

    /// Sends one committed batch, its dead letters first.
    pub fn publish(
        &mut self,
        shard: u16,
        record: &Record<'_>,
        told: &[Told],
        hash: &[u8; 32],
        at_hand: Vec<DeadLetter>,
    ) -> anyhow::Result<()> {
        let seq = record.header.seq;
        let Some(relayed) = self.relays.get(&shard).map(Relay::relayed) else { return Ok(()) };
        // Letters of a batch go before its decisions: where one of those is out, they are.
        let letters = if seq > relayed.seq { self.letters(shard, record, at_hand)? } else { Vec::new() };
        let decisions = (0..told.len())
            .map(|idx| {
                let mut json = Vec::with_capacity(1_024);
                render(&self.journal_id, record, hash, told, idx, &mut json);
                Decision { idx: idx as u32, key: told[idx].workspace.clone(), json }
            })
            .collect();
        let relay = self.relays.get_mut(&shard).expect("it was just there");
        let mut batch = Batch { seq, letters, decisions };
        while let Err(back) = relay.publish(batch) {
            batch = back;
            let _ = self.woken.recv_timeout(WAIT);
            relay.drive();
        }
        Ok(())
    }

    /// The dead letters of a record: their bytes are at hand, or read again from the input log.
    fn letters(&self, shard: u16, record: &Record<'_>, at_hand: Vec<DeadLetter>) -> anyhow::Result<Vec<DeadLetter>> {
        let recorded = Engine::dead_letters(record.effects)?;
        let mut at_hand: BTreeMap<u64, DeadLetter> = at_hand
            .into_iter()
            .filter(|letter| letter.original.is_some())
            .map(|letter| (letter.offset, letter))
            .collect();
        let missing: BTreeSet<u64> =
            recorded.iter().map(|(offset, _)| *offset).filter(|offset| !at_hand.contains_key(offset)).collect();
        let mut originals =
            if missing.is_empty() { BTreeMap::new() } else { patiently(|| self.originals.read(shard, &missing))? };
        let letter = |(offset, reason): (u64, String)| {
            at_hand.remove(&offset).unwrap_or_else(|| DeadLetter {
                partition: shard,
                offset,
                reason,
                field: String::new(),
                original: originals.remove(&offset),
            })
        };
        Ok(recorded.into_iter().map(letter).collect())
    }

    /// Takes acknowledgements; returns how far the shard is relayed.
    pub fn drive(&mut self, shard: u16) -> Option<Position> {
        self.relays.get_mut(&shard).map(Relay::drive)
    }

    /// Waits until all that was published is acknowledged; whether it is.
    pub fn finish(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        self.relays.values_mut().all(|relay| relay.finish(deadline.saturating_duration_since(Instant::now())))
    }
}

/// Asks again while Kafka is not there; what is refused stays refused.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, KafkaFault>) -> Result<T, KafkaFault> {
    loop {
        match ask() {
            Err(KafkaFault::Unreachable(sentence)) => {
                tracing::warn!(sentence, "the relay waits for Kafka");
                std::thread::sleep(RETRY);
            }
            other => return other,
        }
    }
}

/// A record kept beyond the read that gave it.
struct Kept {
    header: connectors::journal::Header,
    effects: Vec<u8>,
    decisions: Vec<u8>,
    hash: [u8; 32],
}

impl Kept {
    fn record(&self) -> Record<'_> {
        Record { header: self.header.clone(), effects: &self.effects, decisions: &self.decisions, inputs: &[] }
    }
}

fn owned_copy(record: &Record<'_>, fold: &Fold) -> Kept {
    Kept {
        header: record.header.clone(),
        effects: record.effects.into(),
        decisions: record.decisions.into(),
        hash: fold.hash,
    }
}
