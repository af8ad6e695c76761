//! The way out: committed decisions in order to the decisions topic, dead letters to theirs, and the tail of what is out.
//!
//! One relay a shard, driven by the publisher thread. What is not yet acknowledged waits here, in order and bounded.
//! The rule that leaves no gap for consumers (journal protocol, rules 16 and 18): an instance of the producer publishes a
//! contiguous run, so it never gives a message up (no time-out) and, by the gapless guarantee, stops at the first
//! failure; on any error it is destroyed and a new one starts after the last acknowledged message. What the old one had
//! in flight may come twice, never out of order with a gap: consumers drop it by (seq, idx).
//!
//! Dead letters have no position of their own. A decision is sent only when the letters before it are acknowledged:
//! after a crash the relay starts behind the tail of the decisions, and every letter before that is out.

use super::events::CONTENT_TYPE;
use super::logs::{Logs, logs_as_all_clients};
use super::reader::{ReadFault, Reader, Until};
use super::{KafkaConfig, KafkaFault};
use crate::journal::Wake;
use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender};
use engine::decision::Position;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What may wait for its acknowledgement in one shard: some seconds of a busy one. The publisher waits beyond it.
const PENDING_BYTES_MAX: usize = 8 << 20;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// One decision as it goes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub idx: u32,
    /// The workspace, which is the key.
    pub key: Box<str>,
    /// A structured CloudEvent.
    pub json: Vec<u8>,
}

/// One input that could not be read, with its original bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// Where it stood in the input log: its key out there, `partition:offset`.
    pub partition: u16,
    pub offset: u64,
    /// The machine word of the answer table.
    pub reason: String,
    /// The field that was wrong; empty if none was.
    pub field: String,
    /// None where the input log no longer has them.
    pub original: Option<Vec<u8>>,
}

/// One committed batch on its way out: its letters, then its decisions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    pub seq: u64,
    pub letters: Vec<DeadLetter>,
    pub decisions: Vec<Decision>,
}

pub struct Relay {
    config: KafkaConfig,
    shard: u16,
    wake: Wake,
    pending: VecDeque<Item>,
    pending_bytes: usize,
    /// Number of the front item; numbers rise by one an item and are what acknowledgements name.
    front: u64,
    /// How many of `pending` the present instance has been given.
    sent: usize,
    /// Letters among those, not yet acknowledged.
    letters_out: usize,
    relayed: Position,
    instance: Option<Instance>,
    instances: u64,
    acks: Receiver<Acknowledged>,
    ack_sender: Sender<Acknowledged>,
    retry_at: Instant,
    backoff: Duration,
    last_error: Option<String>,
}

struct Item {
    content: Content,
    acked: bool,
}

enum Content {
    Letter(DeadLetter),
    Decision(u64, Decision),
    /// A batch without decisions: relayed when all before it is.
    Nothing(u64),
}

struct Acknowledged {
    instance: u64,
    number: u64,
    result: Result<(), String>,
}

impl Relay {
    /// `relayed`: the last position known to be out (rule 10: the larger of the fold's and the tail's); batches after it
    /// are published. `wake` is called, from a thread of the producer's, when `drive` has something to do.
    pub fn new(config: &KafkaConfig, shard: u16, relayed: Position, wake: Wake) -> Relay {
        // Unbounded, but never longer than what is pending: each item is acknowledged once an instance.
        let (ack_sender, acks) = channel::unbounded();
        Relay {
            config: config.clone(),
            shard,
            wake,
            pending: VecDeque::new(),
            pending_bytes: 0,
            front: 0,
            sent: 0,
            letters_out: 0,
            relayed,
            instance: None,
            instances: 0,
            acks,
            ack_sender,
            retry_at: Instant::now(),
            backoff: BACKOFF_MIN,
            last_error: None,
        }
    }

    /// Whether a batch of this size is taken now; an empty relay takes any.
    pub fn has_room(&self) -> bool {
        self.pending_bytes < PENDING_BYTES_MAX
    }

    /// Takes the next committed batch, in order of seq, and sends what can be sent. Positions that are out already
    /// are left out. Gives the batch back when there is no room: `drive` until there is.
    pub fn publish(&mut self, batch: Batch) -> Result<(), Batch> {
        if !self.has_room() {
            return Err(batch);
        }
        let seq = batch.seq;
        for letter in batch.letters {
            self.push(Content::Letter(letter));
        }
        if batch.decisions.is_empty() && seq > self.relayed.seq {
            self.push(Content::Nothing(seq));
        }
        for decision in batch.decisions {
            if (Position { seq, idx: decision.idx }) > self.relayed {
                self.push(Content::Decision(seq, decision));
            }
        }
        self.drive();
        Ok(())
    }

    /// Takes acknowledgements, replaces a failed producer when its back-off is over, sends what can be sent. Never
    /// blocks for long (a failed producer is destroyed in at most about 0.6 s). Returns `relayed`.
    pub fn drive(&mut self) -> Position {
        while let Ok(acknowledged) = self.acks.try_recv() {
            self.take(acknowledged);
        }
        self.send_pending();
        self.relayed
    }

    /// Drives until all that is pending is acknowledged, at most for `wait`; whether it is.
    pub fn finish(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            self.drive();
            if self.pending.is_empty() {
                return true;
            }
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            // No event comes while a new instance is backed off.
            let until = if self.instance.is_none() { deadline.min(self.retry_at) } else { deadline };
            match self.acks.recv_timeout(until.saturating_duration_since(now)) {
                Ok(acknowledged) => self.take(acknowledged),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// The last position whose acknowledgement, and that of all before it, is there. A batch without decisions counts
    /// as (seq, 0).
    pub fn relayed(&self) -> Position {
        self.relayed
    }

    /// Messages not yet acknowledged.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// When `drive` should be called again though nobody wakes it: a producer is backed off.
    pub fn retry_at(&self) -> Option<Instant> {
        (self.instance.is_none() && !self.pending.is_empty()).then_some(self.retry_at)
    }

    /// Producers made beyond the first, each after an error.
    pub fn restarts(&self) -> u64 {
        self.instances.saturating_sub(1)
    }

    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    fn push(&mut self, content: Content) {
        self.pending_bytes += content.bytes();
        self.pending.push_back(Item { content, acked: false });
        self.settle();
    }

    fn take(&mut self, acknowledged: Acknowledged) {
        if self.instance.as_ref().is_none_or(|instance| instance.number != acknowledged.instance) {
            return;
        }
        match acknowledged.result {
            Err(fault) => self.fail(fault),
            Ok(()) => {
                let index = (acknowledged.number - self.front) as usize;
                let item = &mut self.pending[index];
                assert!(!item.acked, "message {} was acknowledged twice", acknowledged.number);
                item.acked = true;
                self.letters_out -= usize::from(matches!(item.content, Content::Letter(_)));
                self.backoff = BACKOFF_MIN;
                self.settle();
            }
        }
    }

    /// Removes what is acknowledged from the front, and batches without decisions that have come to it.
    fn settle(&mut self) {
        while let Some(item) = self.pending.front() {
            match &item.content {
                Content::Nothing(seq) => self.relayed = Position { seq: *seq, idx: 0 },
                Content::Decision(seq, decision) if item.acked => {
                    self.relayed = Position { seq: *seq, idx: decision.idx };
                }
                Content::Letter(_) if item.acked => {}
                _ => return,
            }
            self.pending_bytes -= item.content.bytes();
            self.pending.pop_front();
            self.front += 1;
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// Rule 16: destroy the instance; the next one starts at the front of what is pending.
    fn fail(&mut self, fault: String) {
        tracing::warn!(shard = self.shard, pending = self.pending.len(), "the relay's producer is made anew: {fault}");
        self.last_error = Some(fault);
        self.instance = None;
        self.sent = 0;
        self.letters_out = 0;
        for item in &mut self.pending {
            item.acked = false;
        }
        self.retry_at = Instant::now() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }

    fn send_pending(&mut self) {
        if self.pending.is_empty() || !self.has_instance() {
            return;
        }
        while let Some(item) = self.pending.get(self.sent) {
            let is_letter = match item.content {
                Content::Letter(_) => true,
                Content::Decision(..) if self.letters_out > 0 => return,
                Content::Decision(..) => false,
                // Nothing to send: it is settled when it comes to the front.
                Content::Nothing(_) => {
                    self.sent += 1;
                    continue;
                }
            };
            let number = self.front + self.sent as u64;
            let Some(instance) = &self.instance else { return };
            match instance.send(&self.config, self.shard, number, &item.content) {
                Ok(()) => {
                    self.sent += 1;
                    self.letters_out += usize::from(is_letter);
                }
                // Acknowledgements are on their way, and `drive` is called with them.
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => return,
                Err(fault) => return self.fail(fault.to_string()),
            }
        }
    }

    fn has_instance(&mut self) -> bool {
        if self.instance.is_none() && Instant::now() >= self.retry_at {
            self.instances += 1;
            match Instance::new(self) {
                Ok(instance) => self.instance = Some(instance),
                Err(fault) => self.fail(fault.to_string()),
            }
        }
        self.instance.is_some()
    }
}

impl Content {
    /// About what it holds in memory, for the bound.
    fn bytes(&self) -> usize {
        64 + match self {
            Content::Letter(letter) => letter.original.as_ref().map_or(0, Vec::len),
            Content::Decision(_, decision) => decision.json.len() + decision.key.len(),
            Content::Nothing(_) => 0,
        }
    }
}

/// One producer between two errors.
struct Instance {
    number: u64,
    producer: ThreadedProducer<RelayContext>,
    logs: Logs,
}

impl Instance {
    fn new(relay: &Relay) -> Result<Instance, KafkaError> {
        let logs = Logs::of("relay");
        let context = RelayContext {
            logs: logs.clone(),
            shard: relay.shard,
            instance: relay.instances,
            acks: relay.ack_sender.clone(),
            wake: relay.wake.clone(),
        };
        // 0: no time-out. A message given up while the one behind it is sent would be a gap.
        let producer = relay.config.producer(0).create_with_context(context)?;
        Ok(Instance { number: relay.instances, producer, logs })
    }

    fn send(&self, config: &KafkaConfig, shard: u16, number: u64, content: &Content) -> Result<(), KafkaError> {
        let number = number as usize;
        let sent = match content {
            Content::Nothing(_) => return Ok(()),
            Content::Decision(_, decision) => {
                let headers = OwnedHeaders::new_with_capacity(1);
                let headers = headers.insert(Header { key: "content-type", value: Some(CONTENT_TYPE) });
                let message = BaseRecord::with_opaque_to(&config.topics.decisions, number)
                    .partition(shard.into())
                    .key(&*decision.key)
                    .payload(decision.json.as_slice())
                    .headers(headers);
                self.producer.send(message).map_err(|(fault, _)| fault)
            }
            Content::Letter(letter) => {
                let key = format!("{}:{}", letter.partition, letter.offset);
                let headers = OwnedHeaders::new_with_capacity(2)
                    .insert(Header { key: "reason", value: Some(&letter.reason) })
                    .insert(Header { key: "field", value: Some(&letter.field) });
                let mut message = BaseRecord::<str, [u8], usize>::with_opaque_to(&config.topics.dead_letters, number)
                    .partition(shard.into())
                    .key(&key)
                    .headers(headers);
                message.payload = letter.original.as_deref();
                self.producer.send(message).map_err(|(fault, _)| fault)
            }
        };
        match sent {
            // The instance has stopped itself; its own words say more than "fatal".
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal)) => {
                let told = self.producer.client().fatal_error();
                Err(told.map_or(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), |(code, _)| {
                    KafkaError::Global(code)
                }))
            }
            other => other,
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.logs.close();
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

struct RelayContext {
    logs: Logs,
    shard: u16,
    instance: u64,
    acks: Sender<Acknowledged>,
    wake: Wake,
}

logs_as_all_clients!(RelayContext);

impl ProducerContext for RelayContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let result = match result {
            // Here an acknowledgement without an offset is as good: a duplicate is in the log.
            Ok(_) => Ok(()),
            Err((fault, _)) => Err(fault.to_string()),
        };
        if self.acks.send(Acknowledged { instance: self.instance, number: number as u64, result }).is_ok() {
            (self.wake)(self.shard);
        }
    }
}

/// The last decision that stands in a shard's partition of the decisions topic: its position and its record's chain
/// hash. A stale answer will do (rule 10).
pub fn tail(config: &KafkaConfig, shard: u16) -> Result<Option<(Position, [u8; 32])>, KafkaFault> {
    tail_in(&Reader::new(config, &config.topics.decisions, "decisions reader")?, shard)
}

pub(super) fn tail_in(decisions: &Reader, shard: u16) -> Result<Option<(Position, [u8; 32])>, KafkaFault> {
    let (low, high) = decisions.watermarks(shard)?;
    if low == high {
        return Ok(None);
    }
    let mut tail = None;
    let read = decisions.read::<KafkaFault>(shard, high - 1, Until::End, &mut |offset, message| {
        tail = Some(position(shard, offset, message.payload().unwrap_or_default())?);
        Ok(())
    });
    match read {
        Ok(_) => Ok(tail),
        Err(ReadFault::Kafka(fault) | ReadFault::Visitor(fault)) => Err(fault),
    }
}

/// What a decision says of its own place; the rest of it is nobody's business here.
#[derive(serde::Deserialize)]
struct Told {
    data: Data,
}

#[derive(serde::Deserialize)]
struct Data {
    position: Place,
}

#[derive(serde::Deserialize)]
struct Place {
    shard: u16,
    seq: u64,
    idx: u32,
    hash: String,
}

fn position(shard: u16, offset: u64, json: &[u8]) -> Result<(Position, [u8; 32]), KafkaFault> {
    let foreign = |what: String| {
        KafkaFault::Halt(format!("the decision at partition {shard}, offset {offset} was not written by us: {what}"))
    };
    let told: Told = serde_json::from_slice(json).map_err(|fault| foreign(fault.to_string()))?;
    let place = told.data.position;
    if place.shard != shard {
        return Err(foreign(format!("it says shard {}", place.shard)));
    }
    let hash = from_hex(&place.hash).ok_or_else(|| foreign(format!("its hash is `{}`", place.hash)))?;
    Ok((Position { seq: place.seq, idx: place.idx }, hash))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_read_from_its_position_alone() {
        let hash = "ab".repeat(32);
        let json = format!(
            r#"{{"specversion":"1.0","data":{{"x":[1],"position":{{"shard":3,"seq":7,"idx":2,"count":4,"hash":"{hash}","prev":null}}}}}}"#
        );
        assert_eq!(position(3, 9, json.as_bytes()).unwrap(), (Position { seq: 7, idx: 2 }, [0xab; 32]));
        assert!(position(4, 9, json.as_bytes()).unwrap_err().to_string().contains("shard 3"));
        assert!(position(3, 9, b"{}").is_err());
        assert!(position(3, 9, json.replace("abab", "xyab").as_bytes()).is_err());
    }
}
