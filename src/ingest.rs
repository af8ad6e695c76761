//! The way in for HTTP, the workspace files and the demo: one decoded event at a time, answered when it is committed.
//!
//! Embedded, an event goes over a bounded channel to the one ingest thread, which sorts by workspace and feeds the
//! rings. On Kafka it is appended to the events topic and comes back through the consumer; its answer is matched by
//! offset (`Pending`). Nothing is retried here: who is told `Busy`, or nothing, sends again, and the idempotency memory
//! counts it once.

use crate::ring::{Batch, Entrance, ITEMS_MAX, Sleeper};
use crate::sources::{Sources, wall_ms};
use crate::standing::Standing;
use connectors::codec::partition;
use connectors::kafka::EventsProducer;
use connectors::kafka::events::AppendFault;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use engine::Answer;
use engine::decision::{Outcome, Position, Reason};
use engine::input::Input;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a stop waits for room among the offers.
const STOP_OFFER: Duration = Duration::from_secs(1);
/// Events between HTTP and the ingest thread, all shards together.
const OFFERED_MAX: usize = 4_096;
/// HTTP's events on Kafka that wait for their answer.
const PENDING_MAX: usize = 65_536;
/// A source that waits for room in a ring is woken by it; this is only in case the shard has died.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(100);

/// An event's answer (wire.md, Answers).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    Outcome {
        shard: u16,
        outcome: Outcome,
        code: Reason,
        position: Position,
        duplicate: bool,
    },
    /// The renewal of a lease that changed nothing: it stands nowhere.
    Renewed,
    UnknownWorkspace,
    NotOwner,
}

impl Answered {
    pub fn of(shard: u16, answer: Answer) -> Answered {
        match answer {
            Answer::Recorded { outcome, code, position, duplicate } => {
                Answered::Outcome { shard, outcome, code, position, duplicate }
            }
            Answer::Renewed => Answered::Renewed,
            Answer::UnknownWorkspace => Answered::UnknownWorkspace,
        }
    }
}

/// Why an event was not taken. Nothing of it was recorded; 429 or 503 with Retry-After.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Busy {
    #[error("more events are waiting than can be decided; send again shortly")]
    Full,
    #[error("the shard is being read from its journal; send again shortly")]
    Starting,
    #[error("another node owns the shard of this workspace")]
    NotOwner,
    #[error("the server is stopping")]
    Stopping,
    #[error("the event is larger than the log takes")]
    TooLarge,
    #[error("the event log cannot be reached; send again shortly")]
    Unreachable,
}

/// What comes to a shard through its ring.
#[derive(Debug)]
pub struct Item {
    pub intake: Intake,
    /// Embedded: who waits for the answer.
    pub answer_to: Option<oneshot::Sender<Answered>>,
    pub received_at: Instant,
    /// Kafka: its place in the events topic, and when it was appended there (ms UTC).
    pub offset: u64,
    pub appended_at_ms: u64,
}

#[derive(Debug)]
pub enum Intake {
    Event(Box<Input>),
    /// Kafka: bytes that are no event; they become a dead letter.
    Refused {
        reason: &'static str,
        field: String,
        original: Vec<u8>,
    },
    /// Kafka: it stood on another workspace's partition and was forwarded to its own.
    Forwarded,
}

/// The handle: cheap to clone, shared by all of HTTP's tasks.
#[derive(Clone)]
pub struct Ingest {
    way: Way,
    sources: Arc<Sources>,
    standings: Arc<[Arc<Standing>]>,
    stopping: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Way {
    Embedded(Sender<Offered>),
    Kafka { events: Arc<EventsProducer>, pending: Arc<Pending> },
}

enum Offered {
    Event(Item),
    /// Everything offered before it has been passed on when the thread ends.
    Stop,
}

impl Ingest {
    /// The embedded way, and what its thread (`run`) takes from.
    pub fn embedded(standings: Arc<[Arc<Standing>]>, sources: Arc<Sources>) -> (Ingest, Offers) {
        let (sender, receiver) = bounded(OFFERED_MAX);
        let stopping = Arc::new(AtomicBool::new(false));
        (Ingest { way: Way::Embedded(sender), sources, standings, stopping }, Offers { receiver })
    }

    pub fn kafka(
        standings: Arc<[Arc<Standing>]>,
        sources: Arc<Sources>,
        events: Arc<EventsProducer>,
        pending: Arc<Pending>,
    ) -> Ingest {
        Ingest { way: Way::Kafka { events, pending }, sources, standings, stopping: Arc::default() }
    }

    pub fn shard_of(&self, workspace: &str) -> u16 {
        partition(workspace, self.standings.len() as u16)
    }

    /// Offers one event; `json` is it as it was received, structured. The answer comes when it is committed; a channel
    /// that is closed without one means that nobody knows, as when the shard is lost.
    pub fn offer(&self, input: Input, json: &[u8]) -> Result<oneshot::Receiver<Answered>, Busy> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(Busy::Stopping);
        }
        let standing = &self.standings[self.shard_of(&input.workspace.text) as usize];
        if !standing.is_owned() {
            return Err(if standing.is_superseded() { Busy::NotOwner } else { Busy::Starting });
        }
        match &self.way {
            Way::Embedded(sender) => {
                // On Kafka the consumer counts it, with those that did not come through here.
                self.sources.heard(&input.source, wall_ms(), input.time);
                let (answer_to, answer) = oneshot::channel();
                let item = Item {
                    intake: Intake::Event(Box::new(input)),
                    answer_to: Some(answer_to),
                    received_at: Instant::now(),
                    offset: 0,
                    appended_at_ms: 0,
                };
                sender.try_send(Offered::Event(item)).map_err(|error| match error {
                    TrySendError::Full(_) => Busy::Full,
                    TrySendError::Disconnected(_) => Busy::Stopping,
                })?;
                Ok(answer)
            }
            Way::Kafka { events, pending } => append(events, pending, &input, json),
        }
    }

    /// From now on every offer is refused; what was taken is still decided.
    pub fn stop(&self) {
        if !self.stopping.swap(true, Ordering::SeqCst)
            && let Way::Embedded(sender) = &self.way
        {
            // The thread that takes it may itself be held back by a journal that cannot be written.
            let _ = sender.send_timeout(Offered::Stop, STOP_OFFER);
        }
    }

    /// Nobody will be answered any more.
    pub fn give_up(&self) {
        if let Way::Kafka { pending, .. } = &self.way {
            pending.give_up();
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

fn append(
    events: &EventsProducer,
    pending: &Arc<Pending>,
    input: &Input,
    json: &[u8],
) -> Result<oneshot::Receiver<Answered>, Busy> {
    let (answer_to, answer) = oneshot::channel();
    let key = input.key;
    if !pending.expect(key) {
        return Err(Busy::Full);
    }
    let told = pending.clone();
    let done = Box::new(move |appended: Result<(u16, u64), String>| {
        match appended {
            Ok((shard, offset)) => told.wait(shard, offset, answer_to),
            // The channel closes: nobody knows whether it is in the log.
            Err(sentence) => tracing::warn!(sentence, "an event was not acknowledged by the event log"),
        }
        told.forget(key);
    });
    events.append(&input.workspace.text, json, done).map_err(|fault| {
        pending.forget(key);
        match fault {
            AppendFault::Full => Busy::Full,
            AppendFault::TooLarge => Busy::TooLarge,
            AppendFault::Unreachable(sentence) => {
                tracing::warn!(sentence, "the event log cannot be reached");
                Busy::Unreachable
            }
        }
    })?;
    Ok(answer)
}

/// Answers of HTTP's events on Kafka, matched by (shard, offset). The commit may come before the producer has told the
/// offset: then the answer is what waits. An event's key says that somebody will ask.
#[derive(Default)]
pub struct Pending {
    expected: DashMap<u128, u32>,
    places: DashMap<(u16, u64), Place>,
}

enum Place {
    Waiting(oneshot::Sender<Answered>),
    Ready(Answered),
}

impl Pending {
    fn expect(&self, key: u128) -> bool {
        if self.expected.len() >= PENDING_MAX || self.places.len() >= PENDING_MAX {
            return false;
        }
        *self.expected.entry(key).or_insert(0) += 1;
        true
    }

    fn forget(&self, key: u128) {
        if let Entry::Occupied(mut entry) = self.expected.entry(key) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn wait(&self, shard: u16, offset: u64, answer_to: oneshot::Sender<Answered>) {
        match self.places.entry((shard, offset)) {
            Entry::Vacant(entry) => {
                entry.insert(Place::Waiting(answer_to));
            }
            Entry::Occupied(entry) => {
                if let Place::Ready(answered) = entry.remove() {
                    let _ = answer_to.send(answered);
                }
            }
        }
    }

    /// Called by the publisher after the commit, for every event.
    pub fn answer(&self, shard: u16, offset: u64, key: u128, answered: Answered) {
        if let Some((_, Place::Waiting(answer_to))) =
            self.places.remove_if(&(shard, offset), |_, place| matches!(place, Place::Waiting(_)))
        {
            // Nobody may be listening any more.
            let _ = answer_to.send(answered);
            return;
        }
        // Held while looking: `forget` comes after `wait`, so whoever is expected here will still ask.
        if let Entry::Occupied(_expected) = self.expected.entry(key) {
            match self.places.entry((shard, offset)) {
                Entry::Vacant(entry) => {
                    entry.insert(Place::Ready(answered));
                }
                Entry::Occupied(entry) => {
                    if let Place::Waiting(answer_to) = entry.remove() {
                        let _ = answer_to.send(answered);
                    }
                }
            }
        }
    }

    /// The shard is lost: whoever waits is told so, and what nobody will ask for is dropped.
    pub fn abandon(&self, shard: u16, answered: Answered) {
        let lost: Vec<_> = self.places.iter().map(|place| *place.key()).filter(|place| place.0 == shard).collect();
        for place in lost {
            if let Some((_, Place::Waiting(answer_to))) = self.places.remove(&place) {
                let _ = answer_to.send(answered);
            }
        }
    }

    /// The shard is past these: an answer left behind is of no use, and one that was not given comes no more. Who waits
    /// for it sees his channel close.
    pub fn prune(&self, shard: u16, below: u64) {
        self.places.retain(|place, _| place.0 != shard || place.1 >= below);
    }

    /// The publisher has ended: what was not answered is in the log, and decided at the next start.
    pub fn give_up(&self) {
        self.places.clear();
    }
}

/// What the ingest thread takes from.
pub struct Offers {
    receiver: Receiver<Offered>,
}

impl Offers {
    /// The embedded ingest thread: sorts what is offered by workspace into the rings. Returns after `Ingest::stop`.
    pub fn run(self, mut rings: Vec<Entrance<Item>>, sleeper: &Sleeper) {
        let shards = rings.len() as u16;
        let mut open: Vec<Option<Batch<Item>>> = rings.iter().map(|_| None).collect();
        while let Ok(first) = self.receiver.recv() {
            let mut stop = false;
            for offered in std::iter::once(first).chain(self.receiver.try_iter().take(ITEMS_MAX * 4)) {
                match offered {
                    Offered::Event(item) => put(item, shards, &mut rings, &mut open, sleeper),
                    Offered::Stop => stop = true,
                }
            }
            for (ring, batch) in rings.iter_mut().zip(&mut open) {
                if let Some(batch) = batch.take() {
                    ring.push(batch);
                }
            }
            if stop {
                return;
            }
        }
    }
}

fn put(item: Item, shards: u16, rings: &mut [Entrance<Item>], open: &mut [Option<Batch<Item>>], sleeper: &Sleeper) {
    let Intake::Event(input) = &item.intake else { unreachable!("only events are offered") };
    let shard = partition(&input.workspace.text, shards) as usize;
    if open[shard].is_none() {
        open[shard] = Some(wait_for_empty(&mut rings[shard], sleeper));
    }
    let batch = open[shard].as_mut().expect("it was just put there");
    batch.items.push(item);
    if batch.items.len() == ITEMS_MAX {
        let full = open[shard].take().expect("it is there");
        rings[shard].push(full);
    }
}

/// An empty batch, once there is one: a full ring holds its source back.
pub fn wait_for_empty(ring: &mut Entrance<Item>, sleeper: &Sleeper) -> Batch<Item> {
    loop {
        if let Some(batch) = ring.take_empty() {
            return batch;
        }
        sleeper.sleep(WAIT_FOR_ROOM, || ring.has_room());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{ring, sleeper};
    use engine::id::Id;

    fn standings(shards: u16, owned: bool) -> Arc<[Arc<Standing>]> {
        let standings: Vec<_> = (0..shards).map(|shard| Arc::new(Standing::new(shard, Arc::default()))).collect();
        standings.iter().for_each(|standing| standing.set_owned(owned));
        standings.into()
    }

    fn input(workspace: &str) -> Input {
        Input { workspace: Id { hash: 1, text: workspace.into() }, ..Input::default() }
    }

    #[test]
    fn events_go_to_the_ring_of_their_workspace_in_order() {
        let (ingest, offers) = Ingest::embedded(standings(3, true), Arc::new(Sources::new(&[], true)));
        let (sleeper, waker) = sleeper();
        let (entrances, mut exits): (Vec<_>, Vec<_>) = (0..3).map(|_| ring(waker.clone(), waker.clone())).unzip();
        for i in 0..200u64 {
            let event = Input { time: Some(i), ..input(["a", "b", "c", "d"][i as usize % 4]) };
            ingest.offer(event, b"").unwrap();
        }
        ingest.stop();
        assert_eq!(ingest.offer(input("a"), b"").unwrap_err(), Busy::Stopping);
        offers.run(entrances, &sleeper);
        let mut count = 0;
        for (shard, exit) in exits.iter_mut().enumerate() {
            let mut last = None;
            while let Some(batch) = exit.pop() {
                for item in &batch.items {
                    let Intake::Event(input) = &item.intake else { panic!() };
                    assert_eq!(partition(&input.workspace.text, 3) as usize, shard);
                    assert!(last < input.time);
                    last = input.time;
                    count += 1;
                }
                exit.give_back(batch);
            }
        }
        assert_eq!(count, 200);
    }

    #[test]
    fn a_shard_that_is_not_owned_takes_nothing_and_a_full_one_says_so() {
        let (ingest, _offers) = Ingest::embedded(standings(1, false), Arc::new(Sources::new(&[], true)));
        assert_eq!(ingest.offer(input("a"), b"").unwrap_err(), Busy::Starting);
        ingest.standings[0].set_superseded(true);
        assert_eq!(ingest.offer(input("a"), b"").unwrap_err(), Busy::NotOwner);
        ingest.standings[0].set_owned(true);
        let mut answers = Vec::new();
        for _ in 0..OFFERED_MAX {
            answers.push(ingest.offer(input("a"), b"").unwrap());
        }
        assert_eq!(ingest.offer(input("a"), b"").unwrap_err(), Busy::Full);
    }

    #[test]
    fn an_answer_finds_its_event_whichever_comes_first() {
        let pending = Pending::default();
        for commit_first in [true, false] {
            let (answer_to, mut answer) = oneshot::channel();
            assert!(pending.expect(7));
            if commit_first {
                pending.answer(2, 5, 7, Answered::UnknownWorkspace);
                pending.wait(2, 5, answer_to);
            } else {
                pending.wait(2, 5, answer_to);
                pending.answer(2, 5, 7, Answered::UnknownWorkspace);
            }
            pending.forget(7);
            assert_eq!(answer.try_recv(), Ok(Answered::UnknownWorkspace));
            assert!(pending.places.is_empty() && pending.expected.is_empty());
        }
        pending.answer(2, 6, 8, Answered::NotOwner);
        assert!(pending.places.is_empty());
    }
}
