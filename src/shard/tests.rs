//! One shard, driven turn by turn over a journal in memory: what comes before what, and at which `now`.
//!
//! The test is the source, the acks and the publisher; only the wall clock is real. Times of a backlog are chosen
//! freely: they are append times, and lie after the wall clock's so that nothing else makes a deadline due.

use super::*;
use crate::consumer::{Commands, controls};
use crate::ring::{Entrance, ring, sleeper};
use connectors::codec::{Decoder, decisions};
use connectors::journal::record::{Header, Kind, decode};
use connectors::journal::{Ack, Visit};
use crossbeam::channel::unbounded;
use engine::decision::{DecisionType, Outcome, Reason, Told};
use engine::id::HashKey;
use serde_json::{Value, json};
use std::sync::Mutex;
use tokio::sync::oneshot;

const WITHIN: Duration = Duration::from_secs(20);

type Log = Arc<Mutex<Vec<Arc<[u8]>>>>;

struct MemoryJournal {
    log: Log,
    acks: Sender<Acked>,
}

impl Journal for MemoryJournal {
    fn read(&mut self, _: u16, from: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        let log = self.log.lock().unwrap().clone();
        for (offset, record) in log.iter().enumerate().skip(from as usize) {
            visit(offset as u64, record)?;
        }
        Ok(log.len() as u64)
    }

    fn read_through(&mut self, shard: u16, from: u64, _: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        self.read(shard, from, visit)
    }

    fn end(&mut self, _: u16) -> Option<u64> {
        Some(self.log.lock().unwrap().len() as u64)
    }

    fn open_writer(&mut self, _: u16) -> Result<(), JournalError> {
        Ok(())
    }

    fn close_writer(&mut self, _: u16) {}

    fn submit(&mut self, shard: u16, ticket: u64, record: Arc<[u8]>) {
        let mut log = self.log.lock().unwrap();
        log.push(record);
        self.acks.send(Acked { shard, ticket, ack: Ack::Offset(log.len() as u64 - 1) }).unwrap();
    }
}

/// A batch that was committed while the test looked on.
struct Record {
    header: Header,
    has_effects: bool,
    told: Vec<Told>,
}

impl Record {
    fn types(&self) -> Vec<(DecisionType, Reason)> {
        self.told.iter().map(|told| (told.decision_type, told.reason)).collect()
    }
}

struct Desk {
    shard: Shard,
    journal: MemoryJournal,
    acks: Receiver<Acked>,
    entrance: Entrance<Item>,
    published: Receiver<Publication>,
    /// Nobody takes them: the test knows where the log is read on.
    _commands: Commands,
    decoder: Decoder,
    next_offset: u64,
    /// What has been published.
    records: Vec<Record>,
    replies: Vec<(u64, Answered)>,
    /// How many replies were published with no record of theirs.
    unrecorded: usize,
}

impl Desk {
    /// A shard on that log, before its first turn. `kafka`: its events have offsets and append times.
    fn on(log: &Log, kafka: bool) -> Desk {
        let standing = Arc::new(Standing::new(0, Arc::default()));
        let (control, commands) = controls(std::slice::from_ref(&standing));
        let (_, waker) = sleeper();
        let (entrance, exit) = ring(waker.clone(), waker);
        let (publications, published) = unbounded();
        let (acked, acks) = unbounded();
        let key = 7;
        let shard = Shard::new(ShardParts {
            number: 0,
            node: "test".into(),
            genesis: Genesis { journal_id: [1; 16], shards: 1, key, topics: Vec::new() },
            timing: Timing::EMBEDDED,
            limits: Limits::default(),
            clock: None,
            wall: Arc::default(),
            ring: exit,
            source: control.into_iter().next().filter(|_| kafka),
            publications,
            standing,
            metrics: Arc::new(ShardMetrics::new(0)),
            seed: 1,
        });
        Desk {
            shard,
            journal: MemoryJournal { log: log.clone(), acks: acked },
            acks,
            entrance,
            published,
            _commands: commands,
            decoder: Decoder::new(HashKey(key)),
            next_offset: 0,
            records: Vec::new(),
            replies: Vec::new(),
            unrecorded: 0,
        }
    }

    /// One turn; acks stay where they are.
    fn turn(&mut self) -> bool {
        let busy = self.shard.turn(&mut self.journal, false).unwrap();
        self.take_published();
        busy
    }

    /// Acks and turns until there is nothing to do.
    fn run(&mut self) {
        loop {
            let mut busy = false;
            while let Ok(acked) = self.acks.try_recv() {
                self.shard.on_ack(&mut self.journal, &acked).unwrap();
                busy = true;
            }
            if !(self.turn() | busy) && self.acks.is_empty() {
                return;
            }
        }
    }

    /// As its thread does: sleeps as long as the shard says, until the condition holds.
    fn run_until(&mut self, mut holds: impl FnMut(&Desk) -> bool) {
        let deadline = Instant::now() + WITHIN;
        self.run();
        while !holds(self) {
            assert!(Instant::now() < deadline, "it does not come to that");
            std::thread::sleep(self.shard.idle_for());
            self.run();
        }
    }

    fn take_published(&mut self) {
        for publication in self.published.try_iter() {
            match publication {
                Publication::Batch(batch) => {
                    self.replies.extend(batch.replies.iter().map(|reply| (reply.offset, reply.answered)));
                    let record = decode(0, &batch.record).unwrap();
                    if batch.live && record.header.kind == Kind::Batch {
                        let told = decisions(record.decisions).unwrap();
                        let has_effects = !record.effects.is_empty();
                        self.records.push(Record { header: record.header, has_effects, told });
                    }
                }
                Publication::Renewed { replies, .. } => {
                    self.unrecorded += replies.len();
                    self.replies.extend(replies.iter().map(|reply| (reply.offset, reply.answered)));
                }
                _ => {}
            }
        }
    }

    fn item(&mut self, (id, event_type, data): Event, appended_at_ms: u64) -> Item {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "test", "type": event_type, "workspace": "acme", "data": data,
        });
        let input = self.decoder.decode(event.to_string().as_bytes()).unwrap();
        let offset = self.next_offset;
        self.next_offset += 1;
        let intake = Intake::Event(Box::new(input));
        Item { intake, answer_to: None, received_at: Instant::now(), offset, appended_at_ms }
    }

    /// What the source hands over, as one batch; nothing of it is decided before the next turn.
    fn hand_over(&mut self, behind: bool, events: Vec<(u64, Event)>) {
        let items: Vec<Item> = events.into_iter().map(|(at, event)| self.item(event, at)).collect();
        let mut batch = self.entrance.take_empty().unwrap();
        (batch.generation, batch.behind) = (self.shard.generation, behind);
        batch.items.extend(items);
        self.entrance.push(batch);
    }

    /// At the end of the log.
    fn send(&mut self, event: Event) {
        self.hand_over(false, vec![(0, event)]);
        self.run();
        let refused =
            self.records.iter().flat_map(|record| &record.told).find(|told| told.outcome == Outcome::Rejected);
        assert_eq!(refused, None);
    }

    fn has_told(&self, decision_type: DecisionType, reason: Reason) -> bool {
        self.records.iter().any(|record| record.types().contains(&(decision_type, reason)))
    }

    fn answer(&self, offset: u64) -> Option<Answered> {
        self.replies.iter().find(|(at, _)| *at == offset).map(|(_, answered)| *answered)
    }

    fn outcome(&self, offset: u64) -> (Outcome, Reason) {
        match self.answer(offset) {
            Some(Answered::Outcome { outcome, code, .. }) => (outcome, code),
            other => panic!("{other:?}"),
        }
    }
}

/// Id, type, data.
type Event = (String, &'static str, Value);

fn configure(queue: Value) -> Event {
    let mut queue = queue;
    queue["name"] = json!("all");
    let policy = json!({
        "version": 1, "lease_grace_s": 60, "channel": {"chat": {"live": true, "min_gap_s": 0}},
        "queue": [queue], "rule": [{"queue": "all"}],
    });
    ("w".into(), "workspace.configure", policy)
}

fn online(agent: &str) -> [Event; 2] {
    [
        ("staff".into(), "agent.configure", json!({"agent": agent, "units": 5})),
        ("online".into(), "agent.presence", json!({"agent": agent, "status": "online", "by": "agent"})),
    ]
}

fn accept(offer: &str) -> Event {
    ("accept".into(), "offer.accept", json!({"offer": offer, "agent": "ada"}))
}

fn lease() -> Event {
    ("lease".into(), "agent.presence", json!({"agent": "ada", "status": "online", "expires_in_s": 5}))
}

fn contact(id: &str) -> Event {
    (id.into(), "contact.started", json!({"channel": "chat", "conversation": id}))
}

fn renewal(id: &str, sequence: u64) -> Event {
    let data = json!({
        "agent": "ada", "status": "online", "by": "device", "expires_in_s": 3_600, "session": "s", "sequence": sequence,
    });
    (id.into(), "agent.presence", data)
}

/// A shard at the end of its log whose agent ada has an offer of conversation c, and when it was made.
fn offered(log: &Log) -> (Desk, u64) {
    let mut desk = Desk::on(log, true);
    desk.run();
    desk.send(configure(json!({"accept_s": 20})));
    online("ada").into_iter().for_each(|event| desk.send(event));
    desk.send(contact("c"));
    assert!(desk.has_told(DecisionType::ConversationOffered, Reason::Auto));
    let last = desk.records.last().unwrap();
    assert!(!last.header.behind);
    let at = last.header.now;
    (desk, at)
}

/// The same log in another process, which finds a backlog.
fn restarted(desk: Desk) -> Desk {
    let mut again = Desk::on(&desk.journal.log, true);
    again.next_offset = desk.next_offset;
    drop(desk);
    again.run();
    assert!(again.shard.owner.is_owner());
    again
}

const EXPIRED: (DecisionType, Reason) = (DecisionType::OfferWithdrawn, Reason::Expired);

#[test]
fn a_reply_in_the_backlog_before_its_deadline_stops_an_offers_expiry() {
    let (desk, at) = offered(&Log::default());
    let mut desk = restarted(desk);
    let accepted = desk.next_offset;
    desk.hand_over(true, vec![(at + 19_999, accept("1")), (at + 60_000, contact("d"))]);
    desk.run();
    assert_eq!(desk.outcome(accepted), (Outcome::Decided, Reason::None));
    assert!(!desk.has_told(EXPIRED.0, EXPIRED.1));
}

#[test]
fn in_a_backlog_a_timer_fires_at_its_deadline_between_the_records_before_and_after_it() {
    let (desk, at) = offered(&Log::default());
    let mut desk = restarted(desk);
    let late = desk.next_offset + 1;
    desk.hand_over(true, vec![(at + 5_000, contact("d")), (at + 20_001, accept("1"))]);
    desk.run();
    assert_eq!(desk.outcome(late), (Outcome::Rejected, Reason::OfferGone));
    let record = desk.records.iter().find(|record| record.types().contains(&EXPIRED)).expect("it has expired");
    let times: Vec<u64> = record.told.iter().map(|told| told.time).collect();
    assert!(times.is_sorted());
    let expired = record.types().iter().position(|told| *told == EXPIRED).unwrap();
    assert_eq!(times[expired], at + 20_000, "to the millisecond");
    assert_eq!((times[0], *times.last().unwrap()), (at + 5_000, at + 20_001), "each record at its append time");
    assert!(record.header.behind, "all of it in one record, which says what kind of time it is");
    assert_eq!((record.header.now, record.header.to), (at + 20_001, desk.next_offset));
}

#[test]
fn nothing_is_done_after_a_claim_before_the_source_says_where_the_log_ends() {
    let (mut desk, _) = offered(&Log::default());
    desk.send(lease());
    let mut desk = restarted(desk);
    let claimed = desk.journal.log.lock().unwrap().len();
    for _ in 0..5 {
        desk.turn();
        assert_eq!(desk.shard.idle_for(), SLEEP_MAX, "nothing is due by the clock");
    }
    assert_eq!(desk.journal.log.lock().unwrap().len(), claimed, "nothing but the claim");
    desk.hand_over(false, Vec::new());
    desk.run();
    assert_eq!(desk.records.len(), 1, "the lease has its grace");
    assert!(!desk.records[0].header.behind && desk.records[0].told.is_empty());
}

#[test]
fn an_offer_made_in_a_backlog_has_its_time_from_the_end_of_it() {
    let log = Log::default();
    let mut desk = Desk::on(&log, true);
    desk.run();
    let start = desk.shard.now() + 1_000;
    let mut events = vec![(start, configure(json!({"accept_s": 20})))];
    events.extend(online("ada").map(|event| (start, event)));
    events.push((start + 1, contact("c")));
    events.push((start + 100_000, ("m".into(), "message.received", json!({"channel": "chat", "conversation": "c"}))));
    desk.hand_over(true, events);
    desk.run();
    assert!(desk.has_told(DecisionType::ConversationOffered, Reason::Auto));
    assert!(!desk.has_told(EXPIRED.0, EXPIRED.1), "100 s have passed in the backlog");
    let behind = desk.records.len();
    assert!(desk.records.iter().all(|record| record.header.behind));
    desk.hand_over(false, Vec::new());
    desk.run();
    assert_eq!(desk.records.len(), behind + 1, "that it is over is recorded");
    let now = desk.records[behind].header.now;
    assert!(!desk.records[behind].header.behind);
    assert_eq!(desk.shard.room.engine.wants_tick_at(), Some(now + 20_000));
    // And the same after a restart: it is part of the state.
    let mut desk = restarted(desk);
    let refused = desk.next_offset;
    desk.hand_over(true, vec![(now + 20_001, accept("1"))]);
    desk.run();
    assert_eq!(desk.outcome(refused), (Outcome::Rejected, Reason::OfferGone));
}

#[test]
fn a_shard_that_falls_behind_goes_by_the_records_times_until_the_end_is_seen_again() {
    let (mut desk, at) = offered(&Log::default());
    desk.hand_over(true, vec![(at + 10_000, contact("d"))]);
    desk.run();
    let record = desk.records.last().unwrap();
    assert!(record.header.behind);
    assert_eq!(record.header.now, at + 10_000);
    assert_eq!(desk.shard.idle_for(), SLEEP_MAX, "no deadline is waited for by the clock");
    desk.hand_over(true, vec![(at + 30_000, contact("e"))]);
    desk.run();
    let expired = desk.records.last().unwrap().told.iter().find(|told| told.reason == Reason::Expired).unwrap();
    assert_eq!(expired.time, at + 20_000);
    desk.send(contact("f"));
    assert!(!desk.records.last().unwrap().header.behind);
}

#[test]
fn all_that_is_due_comes_before_the_input_however_many_records_it_takes() {
    const WAITING: usize = 6_000;
    let mut desk = Desk::on(&Log::default(), true);
    desk.run();
    let at = desk.shard.now() + 1_000;
    desk.hand_over(true, vec![(at, configure(json!({"max_wait_s": 30, "max_waiting": 1_000_000})))]);
    for from in (0..WAITING).step_by(50) {
        desk.hand_over(true, (from..from + 50).map(|n| (at, contact(&format!("c{n}")))).collect());
        desk.run();
    }
    let before = desk.records.len();
    desk.hand_over(true, vec![(at + 30_000, contact("last"))]);
    desk.run();
    let records = &desk.records[before..];
    assert!(records.len() > 1, "they take more than one record");
    assert!(records.iter().all(|record| record.header.behind && record.header.now == at + 30_000));
    let told: Vec<_> = records.iter().flat_map(Record::types).map(|(decision_type, _)| decision_type).collect();
    let opened = told.iter().position(|told| *told == DecisionType::ConversationOpened).expect("the input was decided");
    let deflected = |told: &[DecisionType]| told.iter().filter(|t| **t == DecisionType::ConversationDeflected).count();
    assert_eq!((deflected(&told[..opened]), deflected(&told[opened..])), (WAITING, 0));
    assert!(records[..records.len() - 1].iter().all(|record| record.header.to == record.header.from), "ticks alone");
}

#[test]
fn a_policy_is_a_batch_of_its_own_and_what_was_due_before_it_is_in_the_one_before() {
    let (desk, at) = offered(&Log::default());
    let mut desk = restarted(desk);
    let (_, event_type, mut policy) = configure(json!({"accept_s": 30}));
    policy["version"] = json!(2);
    desk.hand_over(true, vec![(at + 25_000, ("w2".into(), event_type, policy))]);
    desk.run();
    let expired = desk.records.iter().position(|record| record.types().contains(&EXPIRED)).expect("it was due");
    let configured = |record: &Record| record.told.iter().any(|t| t.decision_type == DecisionType::WorkspaceConfigured);
    let configured = desk.records.iter().position(configured).expect("the policy was taken");
    assert!(expired < configured);
    let causes: Vec<&str> = desk.records[configured].told.iter().map(|told| &*told.cause_id).collect();
    assert!(causes.iter().all(|cause| *cause == "w2"), "{causes:?}");
}

#[test]
fn a_tick_without_effects_leaves_no_record() {
    let mut desk = Desk::on(&Log::default(), false);
    desk.run();
    desk.send(configure(json!({"accept_s": 0})));
    online("ada").into_iter().for_each(|event| desk.send(event));
    desk.send(contact("c"));
    desk.send(("r".into(), "conversation.resolve", json!({"conversation": "c", "agent": "ada"})));
    // The wheel still holds what was stopped: the engine asks for ticks that find nothing.
    let (mut ticks, mut for_nothing) = (0, 0);
    while let Some(at) = desk.shard.room.engine.wants_tick_at() {
        ticks += 1;
        assert!(ticks < 1_000, "it never comes to an end");
        let records = desk.records.len();
        desk.shard.tick_until(at, false);
        desk.run();
        for_nothing += usize::from(desk.records.len() == records);
    }
    assert!(for_nothing > 0, "a contact that was open had a deadline");
    assert!(desk.records.iter().all(|record| record.has_effects));
    assert_eq!(desk.shard.idle_for(), SLEEP_MAX);
}

#[test]
fn a_renewal_without_effect_is_answered_at_once_where_nothing_is_open_and_stands_nowhere() {
    let mut desk = Desk::on(&Log::default(), false);
    desk.run();
    desk.send(configure(json!({})));
    desk.send(("a".into(), "agent.configure", json!({"agent": "ada"})));
    desk.send(renewal("p1", 1));
    let (records, inputs) = (desk.records.len(), desk.shard.owner.fold().next_input);
    desk.hand_over(false, vec![(0, renewal("p2", 2))]);
    desk.turn();
    assert_eq!((desk.unrecorded, desk.replies.last().unwrap().1), (1, Answered::Renewed));
    desk.run();
    assert_eq!((desk.records.len(), desk.shard.owner.fold().next_input), (records, inputs));
    // One that skips a number is recorded.
    desk.send(renewal("p5", 5));
    assert_eq!(desk.records.len(), records + 1);
}

#[test]
fn a_renewal_is_answered_when_all_before_it_is_committed() {
    let mut desk = Desk::on(&Log::default(), false);
    desk.run();
    desk.send(configure(json!({})));
    desk.send(("a".into(), "agent.configure", json!({"agent": "ada"})));
    desk.send(renewal("p1", 1));
    desk.replies.clear();
    // In flight, and then a renewal: it waits for the ack although it has no record.
    desk.hand_over(false, vec![(0, contact("c"))]);
    desk.turn();
    desk.hand_over(false, vec![(0, renewal("p2", 2))]);
    desk.turn();
    assert!(desk.replies.is_empty());
    desk.run();
    let answers: Vec<bool> = desk.replies.iter().map(|(_, answered)| *answered == Answered::Renewed).collect();
    assert_eq!((answers, desk.unrecorded), (vec![false, true], 1));
}

#[test]
fn on_kafka_renewals_move_next_input_with_the_next_record_or_after_a_second() {
    let mut desk = Desk::on(&Log::default(), true);
    desk.run();
    desk.send(configure(json!({})));
    desk.send(("a".into(), "agent.configure", json!({"agent": "ada"})));
    desk.send(renewal("p1", 1));
    let records = desk.records.len();
    let renewed = desk.next_offset;
    desk.send(renewal("p2", 2));
    assert_eq!(desk.answer(renewed), Some(Answered::Renewed));
    assert_eq!((desk.records.len(), desk.shard.owner.fold().next_input), (records, renewed));
    // With the next record.
    desk.send(contact("c"));
    assert_eq!((desk.records.len(), desk.shard.owner.fold().next_input), (records + 1, renewed + 2));
    // Nothing comes: a record for them alone.
    let began = Instant::now();
    desk.send(renewal("p3", 2));
    let next = desk.next_offset;
    desk.run_until(|desk| desk.shard.owner.fold().next_input == next);
    assert!(began.elapsed() >= Duration::from_millis(900), "not at once");
    let record = desk.records.last().unwrap();
    assert_eq!((record.header.from, record.header.to, record.has_effects), (next - 1, next, false));
    assert!(record.told.is_empty());
    // And no other.
    let records = desk.records.len();
    std::thread::sleep(desk.shard.idle_for());
    desk.run();
    assert_eq!(desk.records.len(), records);
}

#[test]
fn leases_have_their_grace_before_anything_is_due_after_a_claim() {
    let mut desk = Desk::on(&Log::default(), true);
    desk.run();
    desk.send(configure(json!({})));
    online("ada").into_iter().for_each(|event| desk.send(event));
    desk.send(lease());
    let at = desk.records.last().unwrap().header.now;
    let mut desk = restarted(desk);
    // By the clock it ran out before the first record; by the time that the state is of it is alive.
    desk.hand_over(true, vec![(at + 6_000, contact("c")), (at + 64_000, contact("d")), (at + 66_000, contact("e"))]);
    desk.run();
    let expired = desk.records.iter().flat_map(|record| &record.told).find(|told| told.reason == Reason::LeaseExpired);
    let expired = expired.expect("once, and no longer than the grace").time;
    assert_eq!(expired, at + 65_000, "its own five seconds and sixty of grace");
}

#[test]
fn who_waits_embedded_is_answered_by_the_publisher_in_order() {
    let mut desk = Desk::on(&Log::default(), false);
    desk.run();
    let (answer_to, mut answer) = oneshot::channel();
    let mut item = desk.item(contact("c"), 0);
    item.answer_to = Some(answer_to);
    let mut batch = desk.entrance.take_empty().unwrap();
    batch.items.push(item);
    desk.entrance.push(batch);
    desk.run();
    assert_eq!(answer.try_recv(), Ok(Answered::UnknownWorkspace));
    assert!(desk.records.is_empty());
}
