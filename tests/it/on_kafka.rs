//! A node whose journal is on the tests' real Kafka, with topics of its own, and what a stranger can do with those.

use crate::node::{JournalAt, Node, SHARDS, configure};
use connectors::codec::partition;
use connectors::kafka::KafkaConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(60);

pub struct OnKafka {
    pub node: Node,
    pub config: KafkaConfig,
    /// Of workspace `acme`.
    pub shard: u16,
}

/// A record of a topic, as far as tests look at it.
#[derive(Debug)]
pub struct Found {
    pub key: String,
    pub payload: Vec<u8>,
    pub headers: Vec<(String, String)>,
}

impl OnKafka {
    /// A node that is ready and has workspace `acme`.
    pub fn start(name: &str, bootstrap: &str) -> OnKafka {
        let prefix = format!("{name}-{}", std::process::id());
        let mut node = Node::prepared(name, &JournalAt::Kafka(bootstrap.into(), prefix.clone()), None);
        node.start();
        configure(&node);
        let mut config = KafkaConfig::at(bootstrap);
        config.topics.events = format!("{prefix}.events");
        config.topics.journal = format!("{prefix}.journal");
        config.topics.decisions = format!("{prefix}.decisions");
        config.topics.dead_letters = format!("{prefix}.dead-letters");
        OnKafka { node, config, shard: partition("acme", SHARDS) }
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.config.bootstrap).set("acks", "all").set("group.id", "tests");
        client
    }

    /// Appends any bytes to the shard's partition of a topic, past the node.
    pub fn append(&self, topic: &str, key: &[u8], payload: &[u8]) {
        self.append_all(topic, self.shard, key, &[payload.to_vec()]);
    }

    /// Appends records to any partition.
    pub fn append_all(&self, topic: &str, partition: u16, key: &[u8], payloads: &[Vec<u8>]) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.client().create().expect("a producer");
        for payload in payloads {
            let record = BaseRecord::to(topic).partition(i32::from(partition)).key(key).payload(payload);
            producer.send(record).map_err(|(error, _)| error).expect("it is queued");
        }
        producer.flush(WITHIN).expect("they are acknowledged");
    }

    /// The first `count` records of the shard's partition of a topic, once they are there.
    pub fn read(&self, topic: &str, count: usize) -> Vec<Found> {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, i32::from(self.shard), Offset::Beginning).expect("a partition");
        consumer.assign(&start).expect("assigned");
        let deadline = Instant::now() + WITHIN;
        let mut found = Vec::new();
        while found.len() < count {
            assert!(Instant::now() < deadline, "{topic} has {} of {count}:\n{}", found.len(), self.node.log());
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) else { continue };
            let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            found.push(Found {
                key: text(message.key()),
                payload: message.payload().unwrap_or_default().to_vec(),
                headers: headers.map(|header| (header.key.to_string(), text(header.value))).collect(),
            });
        }
        found
    }
}
