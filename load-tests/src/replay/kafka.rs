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
    Ok(Link { outbox, inbox, sender, stop })
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
