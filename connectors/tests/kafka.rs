//! The Kafka connector against a real broker: topics made and refused, acknowledged offsets, foreign records, unknown
//! acks, the source, the relay and its tail.
//!
//! The broker is the one of the environment variable KAFKA_BOOTSTRAP (`scripts/kafka.py` starts one); without it every
//! test here is skipped, with one line. Each test has topics of its own, with a random suffix.

use connectors::codec::partition;
use connectors::journal::{Ack, Acked, Halt, Journal, JournalError, Wake};
use connectors::kafka::relay::{self, Batch, DeadLetter, Decision};
use connectors::kafka::source::{Flow, Incoming};
use connectors::kafka::topics::{self, refuse_recreated};
use connectors::kafka::{EventSource, EventsProducer, KafkaConfig, KafkaFault, KafkaJournal, MESSAGE_BYTES_MAX};
use connectors::kafka::{Originals, Relay, TopicNames};
use crossbeam::channel::{Receiver, unbounded};
use engine::decision::Position;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SHARDS: u16 = 3;
const WAIT: Duration = Duration::from_secs(20);

/// A config with topics of its own, or None and one line that says what is skipped.
fn kafka() -> Option<KafkaConfig> {
    static SKIPPED: Once = Once::new();
    let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
        // Past the test harness, which keeps what passing tests print.
        SKIPPED.call_once(|| {
            let line =
                "skipped: the tests of connectors/tests/kafka.rs need a broker, and KAFKA_BOOTSTRAP names none\n";
            let _ = std::io::stderr().write_all(line.as_bytes());
        });
        return None;
    };
    let suffix = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let mut config = KafkaConfig::at(&bootstrap);
    config.replication_factor = Some(1);
    config.read_timeout_ms = 20_000;
    config.topics = TopicNames {
        events: format!("test.events.{suffix}"),
        journal: format!("test.journal.{suffix}"),
        decisions: format!("test.decisions.{suffix}"),
        dead_letters: format!("test.dead-letters.{suffix}"),
    };
    Some(config)
}

/// The same with topics in place.
fn kafka_with_topics() -> Option<KafkaConfig> {
    let config = kafka()?;
    topics::ensure(&config, SHARDS).unwrap();
    Some(config)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::yield_now(),
        }
    }
}

fn admin(config: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &config.bootstrap).create().unwrap()
}

fn create(config: &KafkaConfig, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new().operation_timeout(Some(WAIT));
    wait(admin(config).create_topics([&topic], &options)).unwrap().pop().unwrap().unwrap();
}

/// Somebody else who writes to our topics; waits until it is there.
fn foreign(config: &KafkaConfig, topic: &str, partition: i32, payloads: &[&str]) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &config.bootstrap).set("linger.ms", "0").create().unwrap();
    for payload in payloads {
        let record: BaseRecord<(), str> = BaseRecord::to(topic).partition(partition).payload(*payload);
        producer.send(record).unwrap();
    }
    producer.flush(WAIT).unwrap();
}

/// As a consumer of ours sees a partition: everything committed, from the beginning.
fn consume<T>(config: &KafkaConfig, topic: &str, partition: i32, see: impl Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let (_, high) = consumer.fetch_watermarks(topic, partition, WAIT).unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut seen = Vec::new();
    while (seen.len() as i64) < high {
        let message = consumer.poll(WAIT).expect("the log has more").unwrap();
        seen.push(see(&message));
    }
    seen
}

fn journal(config: &KafkaConfig) -> (KafkaJournal, Receiver<Acked>) {
    let (acks, receiver) = unbounded();
    let wake: Wake = Arc::new(|_| {});
    (KafkaJournal::new(config, acks, wake).unwrap(), receiver)
}

fn next_ack(acks: &Receiver<Acked>) -> Acked {
    acks.recv_timeout(WAIT).expect("every append is answered")
}

fn record(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

/// All offsets and texts from `from`, and the next offset.
fn read_all(journal: &mut KafkaJournal, shard: u16, from: u64) -> (Vec<(u64, String)>, u64) {
    let mut seen = Vec::new();
    let next = journal.read(shard, from, &mut |offset, bytes| {
        seen.push((offset, String::from_utf8(bytes.to_vec()).unwrap()));
        Ok(())
    });
    (seen, next.unwrap())
}

#[test]
fn topics_are_made_once_and_pass_their_own_check() {
    let Some(config) = kafka() else { return };
    let made = topics::ensure(&config, SHARDS).unwrap();
    assert_eq!(made.created.len(), 4);
    let keys: Vec<&str> = made.ids.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["events", "journal", "decisions", "dead_letters"]);
    assert!(made.ids.iter().all(|(_, id)| id.len() == 22), "{:?}", made.ids);
    let found = topics::ensure(&config, SHARDS).unwrap();
    assert_eq!((found.created, &found.ids), (Vec::new(), &made.ids));
    refuse_recreated(&made.ids, &found.ids).unwrap();
}

#[test]
fn wrong_topics_are_refused_with_what_would_be_right() {
    let Some(config) = kafka() else { return };
    create(&config, &config.topics.journal, 3, &[("cleanup.policy", "compact"), ("retention.ms", "1000")]);
    create(
        &config,
        &config.topics.events,
        5,
        &[("message.timestamp.type", "LogAppendTime"), ("max.message.bytes", "1000")],
    );
    create(&config, &config.topics.decisions, 3, &[("unclean.leader.election.enable", "true")]);
    let fault = topics::ensure(&config, SHARDS).unwrap_err();
    assert!(matches!(fault, KafkaFault::Refused(_)));
    let text = fault.to_string();
    let lines: Vec<&str> = text.lines().collect();
    for (topic, wrong, right) in [
        (&config.topics.journal, "cleanup.policy=compact", "--add-config cleanup.policy=delete"),
        (&config.topics.journal, "retention.ms=1000", "--add-config retention.ms=-1"),
        (&config.topics.journal, "message.timestamp.type=CreateTime", "message.timestamp.type=LogAppendTime"),
        (&config.topics.events, "has 5 partitions", "shards = 5"),
        (&config.topics.events, "max.message.bytes=1000", "max.message.bytes=2097152"),
        (&config.topics.decisions, "unclean.leader.election.enable=true", "unclean.leader.election.enable=false"),
    ] {
        let found = |line: &&&str| line.contains(topic.as_str()) && line.contains(wrong) && line.contains(right);
        assert!(lines.iter().find(found).is_some(), "{topic}: {wrong}: {text}");
    }
    // The one that was missing is made all the same, and nothing is said against it.
    assert!(!text.contains(&config.topics.dead_letters), "{text}");
}

#[test]
fn a_topic_made_anew_has_another_id() {
    let Some(config) = kafka() else { return };
    let before = topics::ensure(&config, SHARDS).unwrap();
    let options = AdminOptions::new().operation_timeout(Some(WAIT));
    wait(admin(&config).delete_topics(&[&config.topics.events], &options)).unwrap().pop().unwrap().unwrap();
    // A broker answers from what it knew until the deletion has come to it, and nothing tells when.
    let deadline = Instant::now() + WAIT;
    let after = loop {
        match topics::ensure(&config, SHARDS) {
            Ok(after) if after.ids != before.ids => break after,
            _ => assert!(Instant::now() < deadline, "the topic is still the old one"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    let fault = refuse_recreated(&before.ids, &after.ids).unwrap_err();
    assert!(matches!(&fault, KafkaFault::Halt(sentence) if sentence.contains("events topic")), "{fault}");
}

#[test]
fn too_few_brokers_are_refused() {
    let Some(mut config) = kafka() else { return };
    config.replication_factor = Some(9);
    assert!(topics::ensure(&config, SHARDS).unwrap_err().to_string().contains("too few for 9 replicas"));
}

#[test]
fn a_broker_that_is_not_there_is_a_sentence() {
    let Some(mut config) = kafka() else { return };
    (config.bootstrap, config.read_timeout_ms) = ("127.0.0.1:1".into(), 1_000);
    let fault = topics::ensure(&config, SHARDS).unwrap_err();
    assert!(matches!(&fault, KafkaFault::Unreachable(sentence) if sentence.contains("127.0.0.1:1")), "{fault}");
}

#[test]
fn appends_of_one_writer_are_contiguous_and_read_back() {
    let Some(config) = kafka_with_topics() else { return };
    let (mut journal, acks) = journal(&config);
    journal.open_writer(1).unwrap();
    for ticket in 0..200 {
        journal.submit(1, ticket, record(&format!("record {ticket}")));
    }
    for ticket in 0..200 {
        assert_eq!(next_ack(&acks), Acked { shard: 1, ticket, ack: Ack::Offset(ticket) });
    }
    let (seen, next) = read_all(&mut journal, 1, 0);
    assert_eq!((seen.len(), next), (200, 200));
    assert_eq!(seen[199], (199, "record 199".to_string()));
    assert_eq!(journal.end(1), Some(200));
    // One record early, from the end, and of a partition that has nothing.
    assert_eq!(read_all(&mut journal, 1, 199), (vec![(199, "record 199".to_string())], 200));
    assert_eq!(read_all(&mut journal, 1, 200), (vec![], 200));
    assert_eq!(read_all(&mut journal, 2, 0), (vec![], 0));
}

#[test]
fn a_foreign_record_leaves_a_gap_between_acks() {
    let Some(config) = kafka_with_topics() else { return };
    let (mut journal, acks) = journal(&config);
    journal.open_writer(0).unwrap();
    journal.submit(0, 10, record("mine"));
    assert_eq!(next_ack(&acks).ack, Ack::Offset(0));
    foreign(&config, &config.topics.journal, 0, &["foreign"]);
    journal.submit(0, 11, record("mine again"));
    assert_eq!(next_ack(&acks), Acked { shard: 0, ticket: 11, ack: Ack::Offset(2) });
    let mut seen = Vec::new();
    let next = journal.read_through(0, 1, 2, &mut |offset, bytes| {
        seen.push((offset, bytes.to_vec()));
        Ok(())
    });
    assert_eq!(next.unwrap(), 3);
    assert_eq!(seen, [(1, b"foreign".to_vec()), (2, b"mine again".to_vec())]);
}

#[test]
fn reading_through_an_offset_waits_until_it_is_there() {
    let Some(config) = kafka_with_topics() else { return };
    let reader_config = config.clone();
    let reader = thread::spawn(move || {
        let (mut reader, _acks) = journal(&reader_config);
        let mut seen = 0;
        let next = reader.read_through(2, 0, 4, &mut |_, _| {
            seen += 1;
            Ok(())
        });
        (next.unwrap(), seen)
    });
    foreign(&config, &config.topics.journal, 2, &["a", "b"]);
    foreign(&config, &config.topics.journal, 2, &["c", "d", "e"]);
    assert_eq!(reader.join().unwrap(), (5, 5));
}

#[test]
fn a_visitor_that_halts_ends_the_read_and_the_next_read_is_whole() {
    let Some(config) = kafka_with_topics() else { return };
    foreign(&config, &config.topics.journal, 0, &["a", "b", "c"]);
    let (mut journal, _acks) = journal(&config);
    let halt = Halt::Refused("enough".into());
    let error = journal.read(0, 0, &mut |offset, _| if offset == 1 { Err(halt.clone()) } else { Ok(()) });
    assert!(matches!(error, Err(JournalError::Halted(told)) if told == halt));
    assert_eq!(read_all(&mut journal, 0, 0).1, 3);
}

#[test]
fn a_transactions_marker_is_a_hole_in_the_offsets() {
    let Some(config) = kafka_with_topics() else { return };
    let topic = &config.topics.journal;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("transactional.id", topic)
        .create()
        .unwrap();
    producer.init_transactions(WAIT).unwrap();
    producer.begin_transaction().unwrap();
    let record: BaseRecord<(), str> = BaseRecord::to(topic).partition(0).payload("transactional");
    producer.send(record).unwrap();
    producer.commit_transaction(WAIT).unwrap();
    // The marker is written after the commit is answered.
    let (mut journal, _acks) = journal(&config);
    let deadline = Instant::now() + WAIT;
    while journal.end(0) != Some(2) {
        assert!(Instant::now() < deadline);
    }
    let halt = journal.read(0, 0, &mut |_, _| Ok(())).unwrap_err();
    assert!(
        matches!(&halt, JournalError::Halted(_)) && halt.to_string().contains("no record at offsets 1 to 1"),
        "{halt}"
    );
    foreign(&config, topic, 0, &["after"]);
    let seen = read_all(&mut journal, 0, 0).0;
    assert_eq!(seen, [(0, "transactional".to_string()), (2, "after".to_string())]);
}

#[test]
fn an_offset_that_the_journal_does_not_hold_halts() {
    let Some(config) = kafka_with_topics() else { return };
    foreign(&config, &config.topics.journal, 0, &["a", "b", "c"]);
    let (mut journal, _acks) = journal(&config);
    let beyond = journal.read(0, 7, &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(&beyond, JournalError::Halted(_)) && beyond.to_string().contains("ends at offset 3"), "{beyond}");
    let beyond = journal.read_through(0, 7, 9, &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(&beyond, JournalError::Halted(_)) && beyond.to_string().contains("ends at offset 3"), "{beyond}");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&config.topics.journal, 0, Offset::Offset(2)).unwrap();
    wait(admin(&config).delete_records(&list, &AdminOptions::new())).unwrap();
    let trimmed = journal.read(0, 1, &mut |_, _| Ok(())).unwrap_err();
    assert!(
        matches!(&trimmed, JournalError::Halted(_)) && trimmed.to_string().contains("starts at offset 2"),
        "{trimmed}"
    );
    assert_eq!(read_all(&mut journal, 0, 2).0, [(2, "c".to_string())]);
}

#[test]
fn what_is_not_acknowledged_is_unknown() {
    let Some(config) = kafka_with_topics() else { return };
    let (mut journal, acks) = journal(&config);
    // No writer, and one record that no topic takes.
    journal.submit(0, 1, record("to nobody"));
    journal.open_writer(0).unwrap();
    journal.submit(0, 2, vec![0; MESSAGE_BYTES_MAX + 1].into());
    for ticket in [1, 2] {
        let acked = next_ack(&acks);
        assert!(acked.ticket == ticket && matches!(acked.ack, Ack::Unknown(_)), "{acked:?}");
    }
    // A record that nobody answers within the time-out.
    let mut nowhere = config.clone();
    (nowhere.bootstrap, nowhere.ack_timeout_ms) = ("127.0.0.1:1".into(), 1_000);
    let (mut lost, acks) = self::journal(&nowhere);
    lost.open_writer(0).unwrap();
    lost.submit(0, 3, record("lost"));
    assert!(matches!(next_ack(&acks), Acked { shard: 0, ticket: 3, ack: Ack::Unknown(_) }));
    // Records of a writer that is destroyed: each is told before it is gone.
    lost.submit(0, 4, record("purged"));
    lost.submit(0, 5, record("purged"));
    lost.close_writer(0);
    let purged: Vec<Acked> = acks.try_iter().collect();
    assert!(matches!(purged[..], [Acked { ticket: 4, .. }, Acked { ticket: 5, .. }]), "{purged:?}");
    assert!(purged.iter().all(|acked| matches!(acked.ack, Ack::Unknown(_))), "{purged:?}");
}

#[test]
fn a_new_writer_goes_on_behind_the_old_one() {
    let Some(config) = kafka_with_topics() else { return };
    let (mut journal, acks) = journal(&config);
    for ticket in 0..3 {
        journal.open_writer(0).unwrap();
        journal.submit(0, ticket, record("claim"));
        assert_eq!(next_ack(&acks).ack, Ack::Offset(ticket));
    }
}

/// Polls until `count` records came; (partition, offset, payload).
fn take(source: &mut EventSource, count: usize) -> Vec<(u16, u64, String)> {
    let mut taken = Vec::new();
    let deadline = Instant::now() + WAIT;
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{taken:?}");
        source
            .poll(Duration::from_millis(500), 1_000, &mut |event: Incoming<'_>| {
                taken.push((event.partition, event.offset, String::from_utf8(event.payload.to_vec()).unwrap()));
                Flow::More
            })
            .unwrap();
    }
    taken
}

#[test]
fn the_source_starts_where_the_journal_says_and_knows_its_lag() {
    let Some(config) = kafka_with_topics() else { return };
    foreign(&config, &config.topics.events, 0, &["a", "b", "c"]);
    foreign(&config, &config.topics.events, 1, &["x"]);
    let mut source = EventSource::assign(&config, &[(0, 1), (1, 0), (2, 0)]).unwrap();
    let mut taken = take(&mut source, 3);
    taken.sort();
    assert_eq!(taken, [(0, 1, "b".into()), (0, 2, "c".into()), (1, 0, "x".into())]);
    assert_eq!((source.next(0), source.next(1), source.next(2)), (Some(3), Some(1), Some(0)));
    assert_eq!(source.lag(0), Some(0));
    source.rewind(0, 0).unwrap();
    assert_eq!(take(&mut source, 3), [(0, 0, "a".into()), (0, 1, "b".into()), (0, 2, "c".into())]);
}

#[test]
fn events_carry_the_brokers_time_and_their_key() {
    let Some(config) = kafka_with_topics() else { return };
    let producer = EventsProducer::new(&config, SHARDS).unwrap();
    let (done, appended) = unbounded();
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    for workspace in ["acme", "globex", "initech", "acme"] {
        let done = done.clone();
        let told = Box::new(move |appended| done.send((workspace, appended)).unwrap());
        producer.append(workspace, format!("{{\"workspace\":\"{workspace}\"}}").as_bytes(), told).unwrap();
    }
    let mut places = BTreeMap::new();
    for _ in 0..4 {
        let (workspace, appended) = appended.recv_timeout(WAIT).unwrap();
        let (at, offset) = appended.unwrap();
        assert_eq!(at, partition(workspace, SHARDS));
        places.insert((at, offset), workspace);
    }
    assert_eq!(places.len(), 4);
    let mut source = EventSource::assign(&config, &[(0, 0), (1, 0), (2, 0)]).unwrap();
    let deadline = Instant::now() + WAIT;
    while !places.is_empty() {
        assert!(Instant::now() < deadline);
        let mut visit = |event: Incoming<'_>| {
            let workspace = places.remove(&(event.partition, event.offset)).unwrap();
            assert_eq!(event.key, Some(workspace.as_bytes()));
            assert!(event.append_time_ms.abs_diff(before) < 60_000);
            Flow::More
        };
        source.poll(Duration::from_millis(500), 10, &mut visit).unwrap();
    }
    let too_large = producer.append("acme", &vec![b' '; MESSAGE_BYTES_MAX + 1], Box::new(|_| panic!("never queued")));
    assert_eq!(too_large, Err(connectors::kafka::events::AppendFault::TooLarge));
}

#[test]
fn a_paused_partition_holds_nothing_up_and_loses_nothing() {
    let Some(config) = kafka_with_topics() else { return };
    foreign(&config, &config.topics.events, 0, &["a", "b", "c"]);
    foreign(&config, &config.topics.events, 1, &["x", "y"]);
    let mut source = EventSource::assign(&config, &[(0, 0), (1, 0)]).unwrap();
    // Partition 0 has no room after its first record.
    let mut taken = Vec::new();
    let deadline = Instant::now() + WAIT;
    while taken.len() < 3 {
        assert!(Instant::now() < deadline, "{taken:?}");
        let mut visit = |event: Incoming<'_>| {
            taken.push((event.partition, event.offset));
            if event.partition == 0 { Flow::Pause } else { Flow::More }
        };
        source.poll(Duration::from_millis(500), 10, &mut visit).unwrap();
    }
    taken.sort();
    assert_eq!(taken, [(0, 0), (1, 0), (1, 1)]);
    assert!(source.is_paused(0) && !source.is_paused(1));
    assert_eq!(source.poll(Duration::ZERO, 10, &mut |_| panic!("nothing is left but what is paused")).unwrap(), 0);
    source.resume(0);
    assert_eq!(take(&mut source, 2), [(0, 1, "b".into()), (0, 2, "c".into())]);
}

#[test]
fn an_input_log_that_starts_after_next_input_halts() {
    let Some(config) = kafka_with_topics() else { return };
    foreign(&config, &config.topics.events, 0, &["a", "b", "c"]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&config.topics.events, 0, Offset::Offset(2)).unwrap();
    wait(admin(&config).delete_records(&list, &AdminOptions::new())).unwrap();
    for (next, sentence) in [(1, "starts at offset 2, after next_input 1"), (9, "ends at offset 3, below next_input 9")]
    {
        let mut source = EventSource::assign(&config, &[(0, next)]).unwrap();
        let deadline = Instant::now() + WAIT;
        let fault = loop {
            assert!(Instant::now() < deadline);
            if let Err(fault) = source.poll(Duration::from_millis(500), 10, &mut |_| panic!("no event")) {
                break fault;
            }
        };
        assert!(matches!(&fault, KafkaFault::Halt(told) if told.contains(sentence)), "{fault}");
    }
    let originals = Originals::new(&config).unwrap();
    // In one pass: what is asked for and held, nothing that lies between.
    let found = originals.read(0, &[1, 2].into()).unwrap();
    assert_eq!(found, [(2, b"c".to_vec())].into());
}

fn decision(shard: u16, seq: u64, idx: u32) -> Decision {
    let hash = format!("{seq:064x}");
    let json = format!(
        r#"{{"specversion":"1.0","id":"{seq}.{idx}","data":{{"position":{{"shard":{shard},"seq":{seq},"idx":{idx},"count":3,"hash":"{hash}","prev":null}}}}}}"#
    );
    Decision { idx, key: "acme".into(), json: json.into_bytes() }
}

fn batch(shard: u16, seq: u64, count: u32) -> Batch {
    Batch { seq, letters: Vec::new(), decisions: (0..count).map(|idx| decision(shard, seq, idx)).collect() }
}

fn relay(config: &KafkaConfig, shard: u16, relayed: Position) -> Relay {
    let wake: Wake = Arc::new(|_| {});
    Relay::new(config, shard, relayed, wake)
}

fn at(seq: u64, idx: u32) -> Position {
    Position { seq, idx }
}

/// Ids of the decisions out there, in order.
fn published(config: &KafkaConfig, shard: u16) -> Vec<String> {
    consume(config, &config.topics.decisions, shard.into(), |message| {
        assert_eq!(message.key(), Some(&b"acme"[..]));
        let json: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        json["id"].as_str().unwrap().to_string()
    })
}

#[test]
fn decisions_go_out_in_order_and_the_tail_is_the_last() {
    let Some(config) = kafka_with_topics() else { return };
    assert_eq!(relay::tail(&config, 1).unwrap(), None);
    let mut relay = relay(&config, 1, at(0, 0));
    for seq in 1..=50 {
        // Every fifth batch has no decisions.
        relay.publish(batch(1, seq, if seq % 5 == 0 { 0 } else { 3 })).unwrap();
    }
    assert!(relay.finish(WAIT));
    assert_eq!((relay.relayed(), relay.pending(), relay.restarts()), (at(50, 0), 0, 0));
    let expected: Vec<String> =
        (1..=50).filter(|seq| seq % 5 != 0).flat_map(|seq| (0..3).map(move |idx| format!("{seq}.{idx}"))).collect();
    assert_eq!(published(&config, 1), expected);
    let mut hash = [0; 32];
    hash[31] = 49;
    assert_eq!(relay::tail(&config, 1).unwrap(), Some((at(49, 2), hash)));
    let (mut journal, _acks) = journal(&config);
    assert_eq!(journal.relay_tail(1).unwrap(), Some((at(49, 2), hash)));
    assert_eq!(journal.relay_tail(0).unwrap(), None);
}

#[test]
fn a_new_relay_starts_behind_what_is_out_even_within_a_batch() {
    let Some(config) = kafka_with_topics() else { return };
    let mut first = relay(&config, 0, at(0, 0));
    first
        .publish(Batch { seq: 1, letters: Vec::new(), decisions: vec![decision(0, 1, 0), decision(0, 1, 1)] })
        .unwrap();
    assert!(first.finish(WAIT));
    drop(first);
    let (tail, _) = relay::tail(&config, 0).unwrap().unwrap();
    assert_eq!(tail, at(1, 1));
    let mut second = relay(&config, 0, tail);
    second.publish(batch(0, 1, 3)).unwrap();
    second.publish(batch(0, 2, 1)).unwrap();
    assert!(second.finish(WAIT));
    assert_eq!(published(&config, 0), ["1.0", "1.1", "1.2", "2.0"]);
}

#[test]
fn dead_letters_keep_their_bytes_and_go_before_the_decisions_of_their_batch() {
    let Some(config) = kafka_with_topics() else { return };
    let letter = |offset, original| DeadLetter {
        partition: 2,
        offset,
        reason: "not_json".into(),
        field: "data".into(),
        original,
    };
    let mut relay = relay(&config, 2, at(0, 0));
    let letters = vec![letter(40, Some(b"\xff\x00{".to_vec())), letter(41, None)];
    relay.publish(Batch { letters, ..batch(2, 1, 2) }).unwrap();
    // Nothing of the batch can be relayed before its letters are.
    assert_eq!((relay.relayed(), relay.pending()), (at(0, 0), 4));
    assert!(relay.finish(WAIT));
    assert_eq!(relay.relayed(), at(1, 1));
    let seen = consume(&config, &config.topics.dead_letters, 2, |message| {
        let header = |key: &str| {
            let headers = message.headers().unwrap();
            let value = headers.iter().find(|header| header.key == key).unwrap().value;
            String::from_utf8(value.unwrap_or_default().to_vec()).unwrap()
        };
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        (key, header("reason"), header("field"), message.payload().map(<[u8]>::to_vec))
    });
    let expected = |key: &str, original| (key.to_string(), "not_json".to_string(), "data".to_string(), original);
    assert_eq!(seen, [expected("2:40", Some(b"\xff\x00{".to_vec())), expected("2:41", None)]);
    let time = |topic: &str| consume(&config, topic, 2, |message| message.timestamp().to_millis().unwrap());
    assert!(time(&config.topics.dead_letters).last() <= time(&config.topics.decisions).first());
}

#[test]
fn a_decision_that_cannot_go_out_stops_those_behind_it() {
    let Some(config) = kafka_with_topics() else { return };
    let mut relay = relay(&config, 0, at(0, 0));
    relay.publish(batch(0, 1, 2)).unwrap();
    let too_large = Decision { idx: 0, key: "acme".into(), json: vec![b' '; MESSAGE_BYTES_MAX + 1] };
    relay.publish(Batch { seq: 2, letters: Vec::new(), decisions: vec![too_large] }).unwrap();
    relay.publish(batch(0, 3, 1)).unwrap();
    assert!(!relay.finish(Duration::from_secs(2)));
    assert!(relay.restarts() > 0 && relay.last_error().is_some());
    let out = published(&config, 0);
    assert!(out.iter().all(|id| id.starts_with("1.")), "{out:?}");
}

#[test]
fn a_full_relay_gives_the_batch_back() {
    let Some(mut config) = kafka() else { return };
    config.bootstrap = "127.0.0.1:1".into();
    let mut relay = relay(&config, 0, at(0, 0));
    let large = |seq| {
        let json = vec![b' '; 1 << 20];
        Batch { seq, letters: Vec::new(), decisions: vec![Decision { idx: 0, key: "acme".into(), json }] }
    };
    let refused = (1..100).find(|seq| relay.publish(large(*seq)).is_err());
    assert_eq!(refused, Some(9));
    assert_eq!(relay.relayed(), at(0, 0));
}
