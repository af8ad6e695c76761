//! Reads one partition of one topic from an offset, every record in order: below the journal, the originals of dead
//! letters and the tail of the decisions.
//!
//! No group, no stored position: each read assigns the partition, and un-assigns it when done, so that an idle reader
//! costs nothing. An offset that the log does not hold is a HALT, never skipped; a log that stands still (no broker,
//! no leader) is waited for until `read_timeout`. Right after an election the high watermark may lag behind what was
//! acknowledged: nothing is concluded from a low one, the read waits.

use super::logs::Logs;
use super::{KafkaConfig, KafkaFault};
use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

/// For an end that is asked for once: the other shards of a thread wait as long.
const END_WITHIN: Duration = Duration::from_millis(500);
/// How long one poll waits; only how often the stall limit is looked at.
const POLL: Duration = Duration::from_millis(250);
/// An answer's end is known a moment before its records are: this long after it, they are there or never come.
const HOLE_SURE: Duration = Duration::from_secs(2);

pub(super) struct Reader {
    consumer: BaseConsumer<Logs>,
    topic: String,
    topic_c: CString,
    read_timeout: Duration,
}

/// Where a read stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Until {
    /// At the end, as the leader tells it when the read begins.
    End,
    /// When this offset has been passed, however long that takes (the stall limit apart).
    Past(u64),
}

/// Why a read stopped early.
#[derive(Debug)]
pub(super) enum ReadFault<E> {
    Kafka(KafkaFault),
    /// The visitor said so.
    Visitor(E),
}

impl<E> From<KafkaFault> for ReadFault<E> {
    fn from(fault: KafkaFault) -> ReadFault<E> {
        ReadFault::Kafka(fault)
    }
}

impl Reader {
    pub fn new(config: &KafkaConfig, topic: &str, role: &'static str) -> Result<Reader, KafkaFault> {
        let consumer = config
            .reader()
            .create_with_context(Logs::of(role))
            .map_err(|fault| KafkaFault::Refused(format!("no Kafka client for topic `{topic}`: {fault}")))?;
        let topic_c = CString::new(topic)
            .map_err(|_| KafkaFault::Refused(format!("topic `{topic}` has a zero byte in its name")))?;
        Ok(Reader { consumer, topic: topic.into(), topic_c, read_timeout: config.read_timeout() })
    }

    /// First offset held and the offset after the last one, from the leader. Errors (no leader yet, KIP-207) are
    /// waited out.
    pub fn watermarks(&self, partition: u16) -> Result<(u64, u64), KafkaFault> {
        let deadline = Instant::now() + self.read_timeout;
        loop {
            match self.consumer.fetch_watermarks(&self.topic, partition.into(), Duration::from_secs(5)) {
                Ok((low, high)) => return Ok((low.max(0) as u64, high.max(0) as u64)),
                Err(fault) if Instant::now() >= deadline => return Err(self.stalled(partition, &fault.to_string())),
                // Serves the client's own events while it looks for the leader; the wait is the poll's.
                Err(_) => drop(self.consumer.poll(Duration::from_millis(50))),
            }
        }
    }

    /// The offset after the last one, if the leader says so at once.
    pub fn end(&self, partition: u16) -> Option<u64> {
        let (_, high) = self.consumer.fetch_watermarks(&self.topic, partition.into(), END_WITHIN).ok()?;
        Some(high.max(0) as u64)
    }

    /// Visits every record from `from` in order; returns the offset after the last one visited (`from` if none).
    pub fn read<E>(
        &self,
        partition: u16,
        from: u64,
        until: Until,
        visit: &mut dyn FnMut(u64, &BorrowedMessage<'_>) -> Result<(), E>,
    ) -> Result<u64, ReadFault<E>> {
        let (low, high) = self.watermarks(partition)?;
        if low > from {
            return Err(self.trimmed(partition, from, low).into());
        }
        let past = match until {
            // No lag: the leader refuses to list offsets until its high watermark has caught up (KIP-207).
            Until::End if high < from => return Err(self.truncated(partition, from, high).into()),
            Until::End if high == from => return Ok(from),
            Until::End => high - 1,
            Until::Past(offset) if offset < from => return Ok(from),
            Until::Past(offset) => offset,
        };
        self.assign(partition, from)?;
        let end = self.follow(partition, from, past, visit);
        // Dropping the assignment also drops what was fetched beyond the end of this read.
        let _ = self.consumer.unassign();
        end
    }

    fn follow<E>(
        &self,
        partition: u16,
        from: u64,
        past: u64,
        visit: &mut dyn FnMut(u64, &BorrowedMessage<'_>) -> Result<(), E>,
    ) -> Result<u64, ReadFault<E>> {
        let mut next = from;
        let mut standstill = String::from("nothing came");
        let mut hole_since: Option<Instant> = None;
        let mut deadline = Instant::now() + self.read_timeout;
        while next <= past {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let offset = message.offset() as u64;
                    // What was fetched for the read before has an old version inside the client and cannot come here.
                    assert!(offset >= next, "Kafka gave offset {offset} when {next} was next");
                    visit(offset, &message).map_err(ReadFault::Visitor)?;
                    next = offset + 1;
                    deadline = Instant::now() + self.read_timeout;
                    hole_since = None;
                    continue;
                }
                // The end of a fetch may lag behind what was acknowledged or listed, after an election: wait. But where
                // the leader's end is past us and no record comes, none will: a transaction's marker stands there.
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    let end = fetched_end(&self.consumer, &self.topic_c, partition);
                    hole_since = hole_since.or_else(|| end.is_some_and(|end| end > next).then(Instant::now));
                }
                Some(Err(fault)) if is_out_of_range(&fault) => return Err(self.out_of_range(partition, next).into()),
                Some(Err(fault)) => standstill = fault.to_string(),
                None if hole_since.is_some_and(|since| since.elapsed() >= HOLE_SURE) => {
                    return Err(self.hole(partition, next, past).into());
                }
                None => {}
            }
            if Instant::now() >= deadline {
                return Err(self.stalled(partition, &standstill).into());
            }
        }
        Ok(next)
    }

    fn assign(&self, partition: u16, from: u64) -> Result<(), KafkaFault> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition.into(), Offset::Offset(from as i64))
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|fault| KafkaFault::Unreachable(format!("topic `{}` cannot be assigned: {fault}", self.topic)))
    }

    fn trimmed(&self, partition: u16, from: u64, low: u64) -> KafkaFault {
        let topic = &self.topic;
        KafkaFault::Halt(format!(
            "`{topic}` partition {partition} starts at offset {low}, after {from}, which is needed"
        ))
    }

    fn out_of_range(&self, partition: u16, next: u64) -> KafkaFault {
        match self.watermarks(partition) {
            Ok((low, _)) if low > next => self.trimmed(partition, next, low),
            Ok((_, high)) => self.truncated(partition, next, high),
            Err(fault) => fault,
        }
    }

    fn truncated(&self, partition: u16, next: u64, high: u64) -> KafkaFault {
        let topic = &self.topic;
        KafkaFault::Halt(format!(
            "`{topic}` partition {partition} ends at offset {high}, below {next}, which was already read: it was truncated \
             or made anew"
        ))
    }

    fn hole(&self, partition: u16, next: u64, past: u64) -> KafkaFault {
        let topic = &self.topic;
        KafkaFault::Halt(format!(
            "`{topic}` partition {partition} holds no record at offsets {next} to {past}: a transaction's marker stands \
             there, and nobody may write to this topic in transactions"
        ))
    }

    fn stalled(&self, partition: u16, last_error: &str) -> KafkaFault {
        let (topic, seconds) = (&self.topic, self.read_timeout.as_secs_f32());
        KafkaFault::Unreachable(format!(
            "`{topic}` partition {partition} could not be read for {seconds} s: {last_error}"
        ))
    }
}

/// The end of this partition as the last answer to a fetch told it; no request is made. None before the first.
pub(super) fn fetched_end<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &CStr, partition: u16) -> Option<u64> {
    let (mut low, mut high) = (0_i64, -1_i64);
    // SAFETY: client and topic name live through the call; the two results are plain integers of ours.
    let code = unsafe {
        let client = consumer.client().native_ptr();
        native::rd_kafka_get_watermark_offsets(client, topic.as_ptr(), partition.into(), &mut low, &mut high)
    };
    let known = code == native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
    known.then_some(high as u64)
}

/// With auto.offset.reset=error an offset that the log does not hold comes as this, once.
pub(super) fn is_out_of_range(fault: &KafkaError) -> bool {
    matches!(fault.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange))
}
