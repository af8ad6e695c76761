//! Kafka: events to `strowger.events`, decisions from `strowger.decisions`, all partitions, from their present ends.

use crate::replay::ReplayArgs;
use crate::replay::decisions::{Decision, Tail, Turn};
use crate::replay::link::{AWAY_MAX, Incoming, Link, Outgoing, QUEUED_MAX, Sent, Stop};
use anyhow::{Context, Result, bail, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

const METADATA_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

pub fn connect(args: &ReplayArgs, bootstrap: &str, workspace: &str) -> Result<Link> {
    let config = config(bootstrap, &args.kafka_properties)?;
    let stop = Stop::default();
    let (outbox, outgoing) = sync_channel(QUEUED_MAX);
    let (incoming, inbox) = sync_channel(QUEUED_MAX);
    let consumer = consumer(&config, &args.decisions_topic)?;
    let follower_stop = stop.clone();
    std::thread::Builder::new()
        .name("decisions".to_owned())
        .spawn(move || follow(&consumer, &incoming, &follower_stop))?;
    let producer = Sender::new(&config, &args.events_topic, workspace)?;
    let sender = std::thread::Builder::new().name("sender".to_owned()).spawn(move || producer.run(&outgoing))?;
    Ok(Link { outbox, inbox, sender: Some(sender), stop })
}

fn config(bootstrap: &str, properties: &[String]) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("client.id", "strowger-replay");
    for property in properties {
        let (name, value) = property.split_once('=').with_context(|| format!("{property:?} is not name=value"))?;
        config.set(name, value);
    }
    Ok(config)
}

/// Reads every partition of the decisions from where it ends now.
fn consumer(config: &ClientConfig, topic: &str) -> Result<BaseConsumer> {
    let mut config = config.clone();
    // No group: `group.id` must be there for librdkafka and names nothing that is committed.
    config.set("group.id", "strowger-replay").set("enable.auto.commit", "false").set("fetch.wait.max.ms", "5");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "false");
    let consumer: BaseConsumer = config.create().context("cannot make a Kafka consumer")?;
    let partitions = partitions(consumer.client(), topic)?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        let (_, end) = consumer
            .fetch_watermarks(topic, partition, METADATA_MAX)
            .with_context(|| format!("cannot find the end of {topic}/{partition}"))?;
        assignment.add_partition_offset(topic, partition, Offset::Offset(end))?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

fn partitions<C: ClientContext>(client: &rdkafka::client::Client<C>, topic: &str) -> Result<i32> {
    let metadata = client.fetch_metadata(Some(topic), METADATA_MAX).context("Kafka cannot be reached")?;
    let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    ensure!(count > 0, "the topic {topic} does not exist; `strowger serve` makes it");
    Ok(i32::try_from(count)?)
}

fn follow(consumer: &BaseConsumer, incoming: &SyncSender<Incoming>, stop: &Stop) {
    let mut tails: HashMap<u16, Tail> = HashMap::new();
    let mut away_since: Option<Instant> = None;
    while !stop.asked() {
        let outcome = match consumer.poll(Duration::from_millis(100)) {
            None => Ok(()),
            Some(Ok(message)) => {
                away_since = None;
                take(message.payload().unwrap_or_default(), &mut tails, incoming)
            }
            Some(Err(error)) => {
                let since = *away_since.get_or_insert_with(Instant::now);
                let gone = since.elapsed() > AWAY_MAX;
                if gone { Err(error).context("the decisions cannot be read from Kafka") } else { Ok(()) }
            }
        };
        if let Err(error) = outcome {
            let _ = incoming.send(Incoming::Failed(error));
            return;
        }
    }
}

fn take(payload: &[u8], tails: &mut HashMap<u16, Tail>, incoming: &SyncSender<Incoming>) -> Result<()> {
    let received = Instant::now();
    let decision = Decision::parse(payload).context("a decision that cannot be read")?;
    let gone = "the player has ended";
    match tails.entry(decision.shard).or_default().take(&decision) {
        Turn::Repeat => return Ok(()),
        Turn::Gap => incoming.send(Incoming::Missed).context(gone)?,
        Turn::Next => {}
    }
    incoming.send(Incoming::Decision { received, decision: Box::new(decision) }).context(gone)
}

/// Notes when each event was stored.
struct Acknowledgements(Mutex<Sent>);

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, intended: Box<Instant>) {
        let mut sent = self.0.lock().expect("nobody panics with it");
        match result {
            Ok(_) => sent.answer.record(*intended, Instant::now()),
            Err((error, _)) => sent.refuse(1, || format!("Kafka did not take an event: {error}")),
        }
    }
}

struct Sender {
    producer: BaseProducer<Acknowledgements>,
    topic: String,
    workspace: String,
    partition: i32,
}

impl Sender {
    fn new(config: &ClientConfig, topic: &str, workspace: &str) -> Result<Sender> {
        let mut config = config.clone();
        // In order and each once; nothing waits for a fuller batch.
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "0");
        config.set("message.timeout.ms", AWAY_MAX.as_millis().to_string());
        let acknowledgements = Acknowledgements(Mutex::new(Sent::default()));
        let producer: BaseProducer<Acknowledgements> =
            config.create_with_context(acknowledgements).context("cannot make a Kafka producer")?;
        let partitions = partitions(producer.client(), topic)?;
        let partition = connectors::codec::partition(workspace, u16::try_from(partitions)?);
        let (topic, workspace) = (topic.to_owned(), workspace.to_owned());
        Ok(Sender { producer, topic, workspace, partition: i32::from(partition) })
    }

    fn run(self, outgoing: &Receiver<Outgoing>) -> Result<Sent> {
        loop {
            match outgoing.recv_timeout(POLL) {
                Ok(event) => self.send(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.producer.poll(Duration::ZERO);
        }
        self.producer.flush(AWAY_MAX).context("Kafka did not take the last events")?;
        let mut sent = self.producer.context().0.lock().expect("nobody panics with it");
        Ok(std::mem::take(&mut *sent))
    }

    fn send(&self, event: Outgoing) -> Result<()> {
        let leaves = Instant::now();
        self.producer.context().0.lock().expect("nobody panics with it").send_lag.record(event.intended, leaves);
        let mut opaque = Box::new(event.intended);
        loop {
            let record = BaseRecord::with_opaque_to(&self.topic, opaque)
                .partition(self.partition)
                .key(self.workspace.as_bytes())
                .payload(&event.json);
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    opaque = record.delivery_opaque;
                    self.producer.poll(POLL);
                }
                Err((error, _)) => bail!("Kafka takes no events: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::mocking::MockCluster;

    fn decision(shard: u16, seq: u64, prev: Option<u64>) -> String {
        let prev = prev.map_or("null".to_owned(), |seq| format!("[{seq},0]"));
        format!(
            r#"{{"specversion":"1.0","id":"{seq}.0","source":"/strowger/j/{shard}","type":"strowger.conversation.assigned","subject":"c{seq}","time":"2026-11-22T09:00:00.000Z","workspace":"w","data":{{"position":{{"shard":{shard},"seq":{seq},"idx":0,"count":1,"hash":"00","prev":{prev}}},"cause":"tick","conversation":"c{seq}","owner":"a","queue":"q","waited_ms":5,"units":1}}}}"#
        )
    }

    fn place(incoming: &Incoming) -> String {
        match incoming {
            Incoming::Decision { decision, .. } => format!("{}.{}", decision.shard, decision.place.0),
            Incoming::Missed => "missed".to_owned(),
            Incoming::Failed(error) => panic!("{error:#}"),
        }
    }

    #[test]
    fn events_keep_their_order_in_the_workspaces_partition_and_each_decision_comes_once() {
        let cluster = MockCluster::new(1).unwrap();
        let (bootstrap, partitions) = (cluster.bootstrap_servers(), 4);
        let args = ReplayArgs::default();
        cluster.create_topic(&args.events_topic, partitions, 1).unwrap();
        cluster.create_topic(&args.decisions_topic, partitions, 1).unwrap();
        let mut link = connect(&args, &bootstrap, "acme").unwrap();
        for number in 0..200 {
            let outgoing = Outgoing { json: format!("{number}").into_bytes(), intended: Instant::now() };
            link.outbox.send(outgoing).unwrap();
        }
        let config = config(&bootstrap, &[]).unwrap();
        let producer: BaseProducer = config.create().unwrap();
        // A repeat of 2 and a gap before 5: after a takeover the tail is sent again; nothing may be left out.
        for (shard, seq, prev) in [(0, 1, None), (0, 2, Some(1)), (0, 2, Some(1)), (1, 9, Some(4)), (0, 5, Some(4))] {
            let payload = decision(shard, seq, prev);
            let record = BaseRecord::<(), str>::to(&args.decisions_topic).partition(0).payload(&payload);
            producer.send(record).unwrap();
        }
        producer.flush(METADATA_MAX).unwrap();
        let received: Vec<String> = (0..5).map(|_| place(&link.inbox.recv_timeout(METADATA_MAX).unwrap())).collect();
        assert_eq!(received, ["0.1", "0.2", "1.9", "missed", "0.5"]);
        link.stop.ask();
        let sender = link.sender.take().unwrap();
        drop(link);
        let sent = sender.join().unwrap().unwrap();
        assert_eq!((sent.answer.quantiles().count, sent.refused), (200, 0));

        let mut config = config.clone();
        config.set("group.id", "test");
        let reader: BaseConsumer = config.create().unwrap();
        let partition = i32::from(connectors::codec::partition("acme", 4));
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&args.events_topic, partition, Offset::Beginning).unwrap();
        reader.assign(&assignment).unwrap();
        for number in 0..200 {
            let message = reader.poll(METADATA_MAX).unwrap().unwrap();
            assert_eq!(message.payload().unwrap(), format!("{number}").as_bytes());
            assert_eq!(message.key().unwrap(), b"acme");
        }
    }

    #[test]
    fn a_topic_that_is_not_there_is_named() {
        let cluster = MockCluster::new(1).unwrap();
        let args = ReplayArgs {
            kafka_properties: vec!["allow.auto.create.topics=false".to_owned()],
            decisions_topic: "nobody.made.it".to_owned(),
            ..ReplayArgs::default()
        };
        let error = connect(&args, &cluster.bootstrap_servers(), "acme").err().map(|error| format!("{error:#}"));
        assert!(error.is_none_or(|error| error.contains("nobody.made.it")));
        let args = ReplayArgs { kafka_properties: vec!["sasl".to_owned()], ..ReplayArgs::default() };
        let error = connect(&args, &cluster.bootstrap_servers(), "acme").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("\"sasl\" is not name=value"));
    }
}
