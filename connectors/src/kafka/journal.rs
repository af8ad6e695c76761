//! The journal on Kafka: partition n of the journal topic is shard n's log.
//!
//! Reads come from the leader, uncommitted, every offset in order; judging them is the fold's. A writer is an idempotent
//! producer with the gapless guarantee, one for each claim and never used again: `close_writer` destroys it with all
//! that is queued or in flight, and every record it still had is then reported as unknown, because it may be in the log.

use super::logs::{Logs, logs_as_all_clients};
use super::reader::{ReadFault, Reader, Until};
use super::relay;
use super::{KafkaConfig, KafkaFault};
use crate::journal::{Ack, Acked, Halt, Journal, JournalError, Visit, Wake};
use crossbeam::channel::Sender;
use engine::decision::Position;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All shards of one node, or any of them: nothing is done for a shard before it is asked for.
pub struct KafkaJournal {
    config: KafkaConfig,
    reader: Reader,
    decisions: Reader,
    writers: BTreeMap<u16, Writer>,
    acks: Sender<Acked>,
    wake: Wake,
}

impl KafkaJournal {
    /// Opens no connection that is waited for: `topics::ensure` has seen the broker before.
    pub fn new(config: &KafkaConfig, acks: Sender<Acked>, wake: Wake) -> Result<KafkaJournal, KafkaFault> {
        Ok(KafkaJournal {
            reader: Reader::new(config, &config.topics.journal, "journal reader")?,
            decisions: Reader::new(config, &config.topics.decisions, "decisions reader")?,
            config: config.clone(),
            writers: BTreeMap::new(),
            acks,
            wake,
        })
    }

    fn visit_all(&mut self, shard: u16, from: u64, until: Until, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        // A record without value is nothing we write: its empty bytes are what the fold halts on.
        self.reader
            .read(shard, from, until, &mut |offset, message| visit(offset, message.payload().unwrap_or_default()))
            .map_err(|fault| match fault {
                ReadFault::Visitor(halt) => JournalError::Halted(halt),
                ReadFault::Kafka(fault) => fault.into(),
            })
    }
}

impl Journal for KafkaJournal {
    fn read(&mut self, shard: u16, from: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        self.visit_all(shard, from, Until::End, visit)
    }

    fn read_through(
        &mut self,
        shard: u16,
        from: u64,
        through: u64,
        visit: &mut Visit<'_>,
    ) -> Result<u64, JournalError> {
        self.visit_all(shard, from, Until::Past(through), visit)
    }

    fn open_writer(&mut self, shard: u16) -> Result<(), JournalError> {
        self.close_writer(shard);
        let logs = Logs::of("journal writer");
        let context = WriterContext { logs: logs.clone(), shard, acks: self.acks.clone(), wake: self.wake.clone() };
        let producer = self
            .config
            .producer(self.config.ack_timeout_ms)
            .create_with_context(context)
            .map_err(|fault| JournalError::Unavailable(format!("no producer for shard {shard}: {fault}")))?;
        self.writers.insert(shard, Writer { producer, logs });
        Ok(())
    }

    fn close_writer(&mut self, shard: u16) {
        self.writers.remove(&shard);
    }

    fn submit(&mut self, shard: u16, ticket: u64, record: Arc<[u8]>) {
        let unknown = match self.writers.get(&shard) {
            None => "the writer is closed".to_string(),
            Some(writer) => {
                let message =
                    BaseRecord::<(), [u8], usize>::with_opaque_to(&self.config.topics.journal, ticket as usize)
                        .partition(shard.into())
                        .payload(&record);
                match writer.producer.send(message) {
                    Ok(()) => return,
                    Err((fault, _)) => fault.to_string(),
                }
            }
        };
        tell(&self.acks, &self.wake, Acked { shard, ticket, ack: Ack::Unknown(unknown) });
    }

    fn end(&mut self, shard: u16) -> Option<u64> {
        self.reader.end(shard)
    }

    fn relay_tail(&mut self, shard: u16) -> Result<Option<(Position, [u8; 32])>, JournalError> {
        Ok(relay::tail_in(&self.decisions, shard)?)
    }
}

impl From<KafkaFault> for JournalError {
    fn from(fault: KafkaFault) -> JournalError {
        match fault {
            KafkaFault::Unreachable(sentence) => JournalError::Unavailable(sentence),
            KafkaFault::Refused(sentence) | KafkaFault::Halt(sentence) => JournalError::Halted(Halt::Refused(sentence)),
        }
    }
}

/// One claim's producer.
struct Writer {
    producer: ThreadedProducer<WriterContext>,
    logs: Logs,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.logs.close();
        // Before the producer's own drop, which first waits for its polling thread: nothing may be sent meanwhile.
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

struct WriterContext {
    logs: Logs,
    shard: u16,
    acks: Sender<Acked>,
    wake: Wake,
}

logs_as_all_clients!(WriterContext);

impl ProducerContext for WriterContext {
    /// The ticket: pointers are 64 bits wide wherever this runs.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        let ack = match result {
            // Success without an offset is what a producer learns of a duplicate beyond the broker's memory.
            Ok(message) if message.offset() < 0 => Ack::Unknown("acknowledged without an offset".into()),
            Ok(message) => Ack::Offset(message.offset() as u64),
            Err((fault, _)) => Ack::Unknown(fault.to_string()),
        };
        tell(&self.acks, &self.wake, Acked { shard: self.shard, ticket: ticket as u64, ack });
    }
}

const _: () = assert!(usize::BITS == 64, "tickets travel through a pointer");

/// The channel's receiver may be gone at shut-down: then nobody waits for this ack.
fn tell(acks: &Sender<Acked>, wake: &Wake, acked: Acked) {
    let shard = acked.shard;
    if acks.send(acked).is_ok() {
        wake(shard);
    }
}
