//! The input log: one consumer for all shards of the node, partitions assigned at the offsets that the journal says.
//!
//! Each partition has a queue of its own inside the client, with a bounded prefetch: a shard whose ring is full is
//! paused by not looking at its queue, which costs the others nothing and drops nothing that was fetched (pausing in
//! the Kafka sense would fetch it all again). Records are handed over borrowed: decoding copies what it keeps. Offsets
//! rise but may have holes here (other people's transactions); the journal's holes are another matter.

use super::logs::Logs;
use super::reader::{fetched_end, is_out_of_range};
use super::{KafkaConfig, KafkaFault};
use crossbeam::sync::{Parker, Unparker};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

/// Records taken from one partition before the next has its turn: one batch of the ring.
const TURN_RECORDS_MAX: usize = 64;
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

/// One record, borrowed from the client.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub partition: u16,
    pub offset: u64,
    /// When the broker appended it, ms UTC (LogAppendTime).
    pub append_time_ms: u64,
    pub key: Option<&'a [u8]>,
    /// Empty for a record without value.
    pub payload: &'a [u8],
}

/// What the visitor says after a record; the record itself is taken either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    More,
    /// No room for another of this partition: as `EventSource::pause`.
    Pause,
}

pub struct EventSource {
    consumer: Arc<BaseConsumer<Logs>>,
    topic: CString,
    lanes: Vec<Lane>,
    /// The lane that has the first turn at the next poll.
    turn: usize,
    parker: Parker,
}

/// One assigned partition.
struct Lane {
    partition: u16,
    queue: PartitionQueue<Logs>,
    next: u64,
    paused: bool,
}

impl EventSource {
    /// Assigns (partition, offset of the first record wanted), which is the fold's `next_input`.
    pub fn assign(config: &KafkaConfig, starts: &[(u16, u64)]) -> Result<EventSource, KafkaFault> {
        let topic = config.topics.events.as_str();
        let refused = |what: String| KafkaFault::Refused(format!("topic `{topic}` cannot be read: {what}"));
        let consumer: BaseConsumer<Logs> = config
            .source()
            .create_with_context(Logs::of("event source"))
            .map_err(|fault| refused(fault.to_string()))?;
        let consumer = Arc::new(consumer);
        let parker = Parker::new();
        let mut list = TopicPartitionList::with_capacity(starts.len());
        let mut lanes = Vec::with_capacity(starts.len());
        for (partition, next) in starts {
            list.add_partition_offset(topic, i32::from(*partition), Offset::Offset(*next as i64))
                .map_err(|fault| refused(fault.to_string()))?;
            // Before the assignment: a queue that the application has split off is left alone by it.
            let mut queue = consumer
                .split_partition_queue(topic, i32::from(*partition))
                .ok_or_else(|| refused(format!("partition {partition} has no queue")))?;
            let unparker = parker.unparker().clone();
            queue.set_nonempty_callback(move || unparker.unpark());
            lanes.push(Lane { partition: *partition, queue, next: *next, paused: false });
        }
        consumer.assign(&list).map_err(|fault| refused(fault.to_string()))?;
        let topic = CString::new(topic).map_err(|_| refused("its name has a zero byte in it".into()))?;
        Ok(EventSource { consumer, topic, lanes, turn: 0, parker })
    }

    /// Hands over at most `records_max` records, partitions taking turns; waits up to `wait` for the first one. Returns
    /// how many. A wake of `waker` ends the wait. A `Halt` is final: the input log does not hold what it must.
    pub fn poll(
        &mut self,
        wait: Duration,
        records_max: usize,
        visit: &mut dyn FnMut(Incoming<'_>) -> Flow,
    ) -> Result<usize, KafkaFault> {
        self.serve_client()?;
        let visited = self.turn_of_all(records_max, visit)?;
        if visited > 0 || wait.is_zero() {
            return Ok(visited);
        }
        // A record that arrived after its queue was found empty has left its token: this returns at once.
        self.parker.park_timeout(wait);
        self.turn_of_all(records_max, visit)
    }

    /// Ends the wait of `poll` from another thread, as a shard does that has made room.
    pub fn waker(&self) -> Unparker {
        self.parker.unparker().clone()
    }

    /// Takes no more records of this partition until `resume`; what is fetched stays.
    pub fn pause(&mut self, partition: u16) {
        self.lane(partition).paused = true;
    }

    pub fn resume(&mut self, partition: u16) {
        self.lane(partition).paused = false;
        // Its queue may be full and silent: the callback came long ago.
        self.parker.unparker().unpark();
    }

    pub fn is_paused(&self, partition: u16) -> bool {
        self.lanes.iter().any(|lane| lane.partition == partition && lane.paused)
    }

    /// Goes back (or on) to an offset, as after a dropped pipeline: records from there come again.
    pub fn rewind(&mut self, partition: u16, next: u64) -> Result<(), KafkaFault> {
        let topic = self.topic.to_string_lossy();
        self.consumer.seek(&topic, partition.into(), Offset::Offset(next as i64), SEEK_TIMEOUT).map_err(|fault| {
            KafkaFault::Unreachable(format!("`{topic}` partition {partition} cannot go back to offset {next}: {fault}"))
        })?;
        let lane = self.lane(partition);
        (lane.next, lane.paused) = (next, false);
        Ok(())
    }

    /// Offset after the last record handed over.
    pub fn next(&self, partition: u16) -> Option<u64> {
        self.lanes.iter().find(|lane| lane.partition == partition).map(|lane| lane.next)
    }

    /// Records in the log after those handed over, as the last fetch of this partition saw it; no request is made.
    /// None before the first.
    pub fn lag(&self, partition: u16) -> Option<u64> {
        let next = self.next(partition)?;
        let end = fetched_end(&self.consumer, &self.topic, partition)?;
        Some(end.saturating_sub(next))
    }

    fn lane(&mut self, partition: u16) -> &mut Lane {
        let lane = self.lanes.iter_mut().find(|lane| lane.partition == partition);
        lane.unwrap_or_else(|| panic!("partition {partition} is not assigned here"))
    }

    /// Log lines, statistics and errors that belong to no partition.
    fn serve_client(&self) -> Result<(), KafkaFault> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            if let Err(fault) = event {
                let topic = self.topic.to_string_lossy();
                judge(&fault, || format!("topic `{topic}` cannot be read: {fault}"))?;
            }
        }
        Ok(())
    }

    fn turn_of_all(
        &mut self,
        records_max: usize,
        visit: &mut dyn FnMut(Incoming<'_>) -> Flow,
    ) -> Result<usize, KafkaFault> {
        let (count, mut visited, mut idle) = (self.lanes.len(), 0, 0);
        while idle < count && visited < records_max {
            let at = self.turn % count;
            self.turn = (at + 1) % count;
            let turn_max = TURN_RECORDS_MAX.min(records_max - visited);
            let taken = match self.lanes[at].take(turn_max, visit) {
                Ok(taken) => taken,
                Err(fault) => return Err(self.lane_fault(at, fault)),
            };
            visited += taken;
            idle = if taken == 0 { idle + 1 } else { 0 };
        }
        Ok(visited)
    }

    fn lane_fault(&self, at: usize, fault: KafkaError) -> KafkaFault {
        let (topic, partition, next) = (self.topic.to_string_lossy(), self.lanes[at].partition, self.lanes[at].next);
        if !is_out_of_range(&fault) {
            return KafkaFault::Refused(format!("`{topic}` partition {partition} cannot be read: {fault}"));
        }
        match self.consumer.fetch_watermarks(&topic, partition.into(), SEEK_TIMEOUT) {
            Ok((low, _)) if low as u64 > next => KafkaFault::Halt(format!(
                "the input log `{topic}` partition {partition} starts at offset {low}, after next_input {next}: the \
                 events between were deleted before they were decided on. Keep them longer (retention.ms); to go on \
                 without them, start a new journal"
            )),
            Ok((_, high)) => KafkaFault::Halt(format!(
                "the input log `{topic}` partition {partition} ends at offset {high}, below next_input {next}: it was \
                 truncated or made anew. Restore it; to go on without it, start a new journal"
            )),
            Err(fault) => KafkaFault::Unreachable(format!("`{topic}` partition {partition}: {fault}")),
        }
    }
}

impl Lane {
    fn take(&mut self, records_max: usize, visit: &mut dyn FnMut(Incoming<'_>) -> Flow) -> Result<usize, KafkaError> {
        let mut taken = 0;
        while taken < records_max && !self.paused {
            match self.queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    let incoming = Incoming {
                        partition: self.partition,
                        offset: message.offset() as u64,
                        append_time_ms: message.timestamp().to_millis().unwrap_or(0).max(0) as u64,
                        key: message.key(),
                        payload: message.payload().unwrap_or_default(),
                    };
                    self.next = incoming.offset + 1;
                    self.paused = visit(incoming) == Flow::Pause;
                    taken += 1;
                }
                // What passes by itself is the client's business: it goes on fetching.
                Some(Err(fault)) if is_final(&fault) => return Err(fault),
                Some(Err(fault)) => tracing::debug!(partition = self.partition, "event source: {fault}"),
            }
        }
        Ok(taken)
    }
}

/// Errors after which the client does not go on by itself.
fn is_final(fault: &KafkaError) -> bool {
    is_out_of_range(fault)
        || matches!(fault, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            fault.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::BadMessage
            )
        )
}

fn judge(fault: &KafkaError, sentence: impl FnOnce() -> String) -> Result<(), KafkaFault> {
    if is_final(fault) { Err(KafkaFault::Refused(sentence())) } else { Ok(()) }
}
