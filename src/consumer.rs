//! The source on Kafka: one thread polls all partitions, decodes, and feeds each shard's ring.
//!
//! Where a partition is read from is the shard's to say (`SourceControl`), because it is the journal's. A full ring
//! pauses its partition and no other. Bytes that are no event go on as such, to be dead-lettered in their place; an
//! event on another workspace's partition is forwarded to its own and skipped here.

use crate::clock::WallClock;
use crate::ingest::{Intake, Item};
use crate::metrics::ShardMetrics;
use crate::ring::{Batch, Entrance, ITEMS_MAX};
use crate::sources::Sources;
use crate::standing::Standing;
use connectors::codec::{Decoder, partition};
use connectors::kafka::source::{Flow, Incoming};
use connectors::kafka::{EventSource, EventsProducer, KafkaConfig, KafkaFault};
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a poll waits where no ring is full.
const POLL: Duration = Duration::from_millis(20);
/// And where one is: it has room again after a few milliseconds.
const POLL_FULL: Duration = Duration::from_millis(2);
/// Kafka is not there: how long before the next try.
const RETRY: Duration = Duration::from_millis(500);
/// Records older than this that are not the newest: the shard is behind, and each has its own `now` (routing.md §1).
const BEHIND_MS: u64 = 2_000;
/// A forwarded event that is not acknowledged is sent again after this long.
const FORWARD: Duration = Duration::from_secs(35);

/// How a shard tells the source where to read on.
pub struct SourceControl {
    standing: Arc<Standing>,
    commands: Sender<Command>,
}

struct Command {
    shard: u16,
    next_input: u64,
    generation: u32,
}

impl SourceControl {
    /// From now on the source delivers from `next_input`, in batches of the generation returned.
    pub fn read_from(&self, next_input: u64) -> u32 {
        let generation = self.standing.next_generation();
        // The thread is gone only when the process stops.
        let _ = self.commands.send(Command { shard: self.standing.shard, next_input, generation });
        generation
    }
}

/// Where the commands come in. There are as many as takeovers, so the channel needs no bound of its own.
pub struct Commands(Receiver<Command>);

pub fn controls(standings: &[Arc<Standing>]) -> (Vec<SourceControl>, Commands) {
    let (commands, receiver) = unbounded();
    let control = |standing: &Arc<Standing>| SourceControl { standing: standing.clone(), commands: commands.clone() };
    (standings.iter().map(control).collect(), Commands(receiver))
}

pub struct Consumer {
    pub config: KafkaConfig,
    pub decoder: Arc<Decoder>,
    pub events: Arc<EventsProducer>,
    pub commands: Commands,
    pub rings: Vec<Entrance<Item>>,
    pub metrics: Vec<Arc<ShardMetrics>>,
    pub wall: Arc<WallClock>,
    pub stopping: Arc<AtomicBool>,
    pub sources: Arc<Sources>,
}

/// A partition that is being read.
struct Lane {
    generation: u32,
    next: u64,
    /// Being filled; none while the ring is full.
    batch: Option<Batch<Item>>,
    /// The process stops, and the record at `next` was not taken: nothing after it may be.
    is_cut: bool,
    behind: bool,
    /// What the shard was told last.
    told_behind: bool,
    last_append_ms: u64,
}

impl Consumer {
    /// The thread. Returns when stopped; an error means that the events topic does not hold what it must.
    pub fn run(mut self) -> Result<(), KafkaFault> {
        crate::metrics::process();
        let mut lanes: BTreeMap<u16, Lane> = BTreeMap::new();
        let mut source: Option<EventSource> = None;
        while !self.stopping.load(Ordering::Acquire) {
            match self.round(&mut source, &mut lanes) {
                Ok(()) => {}
                Err(KafkaFault::Unreachable(sentence)) => {
                    tracing::warn!(sentence, "the event log cannot be reached; trying again");
                    source = None;
                    std::thread::sleep(RETRY);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn round(&mut self, source: &mut Option<EventSource>, lanes: &mut BTreeMap<u16, Lane>) -> Result<(), KafkaFault> {
        self.take_commands(source, lanes)?;
        let Some(source) = source.as_mut() else {
            if lanes.is_empty() {
                // Nobody owns anything yet: the first command is waited for.
                if let Ok(command) = self.commands.0.recv_timeout(POLL) {
                    begin(lanes, &command);
                }
            }
            return Ok(());
        };
        let mut full = false;
        for (shard, lane) in lanes.iter_mut() {
            if lane.batch.is_none() {
                lane.batch = self.rings[usize::from(*shard)].take_empty();
            }
            full |= lane.batch.is_none();
            if lane.batch.is_some() && source.is_paused(*shard) {
                source.resume(*shard);
            } else if lane.batch.is_none() && !source.is_paused(*shard) {
                source.pause(*shard);
            }
        }
        let wait = if full { POLL_FULL } else { POLL };
        let shards = self.rings.len() as u16;
        let (decoder, events, stopping) = (&self.decoder, &self.events, &self.stopping);
        let sources = &self.sources;
        // As many as one batch holds: whichever partition they come from, they fit.
        source.poll(wait, ITEMS_MAX, &mut |incoming| {
            let lane = lanes.get_mut(&incoming.partition).expect("only what was asked for is assigned");
            if lane.is_cut {
                return Flow::More;
            }
            let Some(item) = item(&incoming, shards, decoder, events, stopping, sources) else {
                // Its offset must not be committed, nor any after it: the next start reads from here.
                lane.is_cut = true;
                return Flow::More;
            };
            lane.next = incoming.offset + 1;
            lane.last_append_ms = incoming.append_time_ms;
            lane.batch.as_mut().expect("it is paused without").items.push(item);
            Flow::More
        })?;
        let now_ms = self.wall.now_ms();
        for (shard, lane) in lanes.iter_mut() {
            let at = usize::from(*shard);
            // The last of a backlog still belong to it.
            let was_behind = lane.behind;
            lane.judge(source.lag(*shard), now_ms, &self.metrics[at]);
            if let Some(batch) = lane.take_news(was_behind) {
                self.rings[at].push(batch);
            }
        }
        Ok(())
    }

    fn take_commands(
        &mut self,
        source: &mut Option<EventSource>,
        lanes: &mut BTreeMap<u16, Lane>,
    ) -> Result<(), KafkaFault> {
        let mut rebuild = source.is_none() && !lanes.is_empty();
        for command in self.commands.0.try_iter() {
            let known = begin(lanes, &command);
            match source {
                Some(source) if known && !rebuild => {
                    if let Err(fault) = source.rewind(command.shard, command.next_input) {
                        tracing::warn!(%fault, "the source is assigned anew");
                        rebuild = true;
                    }
                }
                _ => rebuild = true,
            }
        }
        if rebuild {
            let starts: Vec<_> = lanes.iter().map(|(shard, lane)| (*shard, lane.next)).collect();
            *source = Some(EventSource::assign(&self.config, &starts)?);
        }
        Ok(())
    }
}

/// Starts a lane at what a shard asks for; returns whether it was read before.
fn begin(lanes: &mut BTreeMap<u16, Lane>, command: &Command) -> bool {
    let lane = Lane {
        generation: command.generation,
        next: command.next_input,
        batch: None,
        is_cut: false,
        // Until the end is seen.
        behind: true,
        told_behind: true,
        last_append_ms: 0,
    };
    match lanes.insert(command.shard, lane) {
        None => false,
        Some(before) => {
            // The batch at hand is kept; what is in it is not of the new run.
            let batch = before.batch.map(|mut batch| {
                batch.items.clear();
                batch
            });
            lanes.get_mut(&command.shard).expect("it was just put there").batch = batch;
            true
        }
    }
}

impl Lane {
    /// The batch at hand, if the shard has to hear of it: for its items, or, without any, that the backlog is over.
    fn take_news(&mut self, was_behind: bool) -> Option<Batch<Item>> {
        let behind = self.behind || was_behind;
        let over = !behind && self.told_behind;
        let mut batch = self.batch.take_if(|batch| over || !batch.items.is_empty())?;
        (batch.generation, batch.behind) = (self.generation, behind);
        self.told_behind = behind;
        Some(batch)
    }

    fn judge(&mut self, lag: Option<u64>, now_ms: u64, metrics: &ShardMetrics) {
        let age_ms = if lag == Some(0) { 0 } else { now_ms.saturating_sub(self.last_append_ms) };
        metrics.input_lag_records.set(lag.unwrap_or(0));
        metrics.input_lag_ms.set(if self.last_append_ms == 0 { 0 } else { age_ms });
        match lag {
            Some(0) => self.behind = false,
            Some(_) if self.last_append_ms > 0 && age_ms > BEHIND_MS => self.behind = true,
            _ => {}
        }
    }
}

fn item(
    incoming: &Incoming<'_>,
    shards: u16,
    decoder: &Decoder,
    events: &EventsProducer,
    stopping: &AtomicBool,
    sources: &Sources,
) -> Option<Item> {
    let intake = match decoder.decode(incoming.payload) {
        Ok(input) if partition(&input.workspace.text, shards) != incoming.partition => {
            if !forward(&input.workspace.text, incoming, events, stopping) {
                return None;
            }
            Intake::Forwarded
        }
        Ok(input) => {
            sources.heard(&input.source, incoming.append_time_ms, input.time);
            Intake::Event(Box::new(input))
        }
        Err(refusal) => {
            Intake::Refused { reason: refusal.reason, field: refusal.field, original: incoming.payload.to_vec() }
        }
    };
    Some(Item {
        intake,
        answer_to: None,
        received_at: Instant::now(),
        offset: incoming.offset,
        appended_at_ms: incoming.append_time_ms,
    })
}

/// Appends an event to its workspace's own partition. Waited for: once this offset is committed nobody looks at it
/// again. Forwarded twice, after a crash, it is a duplicate there. False: the process stops before it was appended.
fn forward(workspace: &str, incoming: &Incoming<'_>, events: &EventsProducer, stopping: &AtomicBool) -> bool {
    let (partition, offset) = (incoming.partition, incoming.offset);
    tracing::warn!(partition, offset, "an event stood on another workspace's partition; it is forwarded to its own");
    metrics::counter!(crate::metrics::EVENTS_FORWARDED).increment(1);
    while !stopping.load(Ordering::Acquire) {
        let (done, appended) = crossbeam::channel::bounded(1);
        let queued = events.append(
            workspace,
            incoming.payload,
            Box::new(move |result| {
                let _ = done.send(result);
            }),
        );
        let result = match queued {
            Ok(()) => appended.recv_timeout(FORWARD).unwrap_or_else(|_| Err("no answer came".into())),
            Err(fault) => Err(format!("{fault:?}")),
        };
        match result {
            Ok(_) => return true,
            Err(sentence) => {
                tracing::warn!(partition, offset, sentence, "an event could not be forwarded; trying again");
                std::thread::sleep(RETRY);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_behind_from_a_takeover_to_the_end_of_the_log_and_when_old_records_pile_up() {
        let metrics = ShardMetrics::new(0);
        let mut lane = Lane {
            generation: 1,
            next: 0,
            batch: None,
            is_cut: false,
            behind: true,
            told_behind: true,
            last_append_ms: 1_000,
        };
        lane.judge(None, 1_500, &metrics);
        lane.judge(Some(10), 1_500, &metrics);
        assert!(lane.behind, "the end was not seen yet");
        lane.judge(Some(0), 9_000, &metrics);
        assert!(!lane.behind);
        assert_eq!((metrics.input_lag_records.value(), metrics.input_lag_ms.value()), (0, 0));
        lane.judge(Some(64), 1_900, &metrics);
        assert!(!lane.behind, "a busy log is not a late one");
        lane.judge(Some(64), 3_100, &metrics);
        assert!(lane.behind);
        assert_eq!((metrics.input_lag_records.value(), metrics.input_lag_ms.value()), (64, 2_100));
    }

    fn item(offset: u64) -> Item {
        Item {
            intake: Intake::Forwarded,
            answer_to: None,
            received_at: Instant::now(),
            offset,
            appended_at_ms: 1_000 + offset,
        }
    }

    #[test]
    fn the_last_of_a_backlog_belong_to_it_and_then_the_shard_is_told_that_it_is_over() {
        let metrics = ShardMetrics::new(0);
        let mut lanes = BTreeMap::new();
        begin(&mut lanes, &Command { shard: 3, next_input: 5, generation: 7 });
        let lane = lanes.get_mut(&3).unwrap();
        // What a round does: poll, judge, tell.
        let mut round = |items: Vec<Item>, lag: u64, now_ms: u64| {
            lane.batch.get_or_insert_with(|| Batch { generation: 0, behind: false, items: Vec::new() });
            if let Some(last) = items.last() {
                lane.last_append_ms = last.appended_at_ms;
            }
            lane.batch.as_mut().unwrap().items.extend(items);
            let was_behind = lane.behind;
            lane.judge(Some(lag), now_ms, &metrics);
            lane.take_news(was_behind).map(|batch| (batch.generation, batch.behind, batch.items.len()))
        };
        assert_eq!(round(vec![item(5), item(6)], 1, 90_000), Some((7, true, 2)));
        assert_eq!(round(vec![item(7)], 0, 90_001), Some((7, true, 1)), "old, though it is the last");
        assert_eq!(round(vec![], 0, 90_002), Some((7, false, 0)), "it is over");
        assert_eq!(round(vec![], 0, 90_003), None, "said once");
        assert_eq!(round(vec![item(89_004)], 0, 90_010), Some((7, false, 1)));
        assert_eq!(round(vec![item(80_000)], 4, 90_020), Some((7, true, 1)), "old records pile up");
        assert_eq!(round(vec![item(89_020)], 2, 90_030), Some((7, true, 1)), "the end was not seen again yet");
        assert_eq!(round(vec![item(89_021)], 0, 90_030), Some((7, true, 1)));
        assert_eq!(round(vec![item(89_022)], 0, 90_031), Some((7, false, 1)), "what comes then tells it as well");
        assert_eq!(round(vec![], 0, 90_032), None);
    }

    #[test]
    fn a_new_run_begins_where_the_shard_says_and_forgets_what_was_at_hand() {
        let mut lanes = BTreeMap::new();
        assert!(!begin(&mut lanes, &Command { shard: 3, next_input: 5, generation: 1 }));
        lanes.get_mut(&3).unwrap().batch = Some(Batch { generation: 1, behind: false, items: vec![item(5)] });
        assert!(begin(&mut lanes, &Command { shard: 3, next_input: 2, generation: 2 }));
        let lane = &lanes[&3];
        assert_eq!((lane.next, lane.generation, lane.behind), (2, 2, true));
        assert!(lane.batch.as_ref().unwrap().items.is_empty());
    }
}
