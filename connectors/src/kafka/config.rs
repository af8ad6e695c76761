//! The `[kafka]` table of the config file, and the librdkafka configuration of each kind of client made from it.
//!
//! Any librdkafka property passes through `[kafka.properties]` (TLS, SASL, buffers), except those that the journal
//! protocol fixes: `KafkaConfig::check` refuses them with the reason. Order: our defaults, the operator's properties,
//! the fixed ones.

use super::{KafkaFault, MESSAGE_BYTES_MAX};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Where Kafka is and how we talk to it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Brokers to ask first, `host:port,host:port`.
    pub bootstrap: String,
    #[serde(default)]
    pub topics: TopicNames,
    /// Of topics that are created; existing ones need at least as many. Left out: 3, or 1 where the cluster has one
    /// broker. 1 has to be said where there are more brokers.
    #[serde(default)]
    pub replication_factor: Option<u16>,
    /// How long a journal record or an HTTP event may wait for its acknowledgement before it counts as unknown. Longer
    /// than the worst fail-over of a leader (13.7 s were measured).
    #[serde(default = "ack_timeout_ms")]
    pub ack_timeout_ms: u32,
    /// How long a read may stand still (no broker, no leader) before it is given up.
    #[serde(default = "read_timeout_ms")]
    pub read_timeout_ms: u32,
    /// Passed to librdkafka as they are.
    #[serde(default, deserialize_with = "properties")]
    pub properties: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicNames {
    pub events: String,
    pub journal: String,
    pub decisions: String,
    pub dead_letters: String,
}

impl Default for TopicNames {
    fn default() -> TopicNames {
        TopicNames {
            events: "strowger.events".into(),
            journal: "strowger.journal".into(),
            decisions: "strowger.decisions".into(),
            dead_letters: "strowger.dead-letters".into(),
        }
    }
}

fn ack_timeout_ms() -> u32 {
    30_000
}

fn read_timeout_ms() -> u32 {
    60_000
}

/// What an operator cannot set, and why. Aliases of librdkafka stand beside the names of its documentation.
const FIXED: &[(&[&str], &str)] = &[
    (&["bootstrap.servers", "metadata.broker.list"], "the brokers are named by `bootstrap`"),
    (
        &["acks", "request.required.acks"],
        "a record counts as written only when all in-sync replicas have it (acks=all)",
    ),
    (&["enable.idempotence"], "every producer is idempotent: a retry must not append twice"),
    (&["enable.gapless.guarantee"], "a record that failed must stop those behind it"),
    (&["transactional.id", "transaction.timeout.ms"], "a transaction's markers would be holes in the journal"),
    (
        &["max.in.flight", "max.in.flight.requests.per.connection"],
        "the broker remembers the last 5 batches of an idempotent producer, so at most 5 are in flight",
    ),
    (
        &["message.timeout.ms", "delivery.timeout.ms"],
        "the journal's is `ack_timeout_ms`; the relay waits for ever, because a decision given up would be a gap",
    ),
    (&["message.max.bytes"], "it is the topics' max.message.bytes, 2 MiB"),
    (&["isolation.level"], "the journal is read uncommitted (it has no transactions), the input committed"),
    (&["auto.offset.reset"], "an offset that the log does not hold must stop us, not be skipped (error)"),
    (&["check.crcs"], "every record read is checked (true)"),
    (&["client.rack"], "the journal is read from the leader only"),
    (&["enable.partition.eof"], "the readers set it as they need it"),
    (&["group.id", "group.instance.id", "group.protocol"], "partitions are assigned, there is no consumer group"),
    (
        &["enable.auto.commit", "enable.auto.offset.store", "auto.commit.interval.ms"],
        "the position in the input stands in the journal, never in a consumer group",
    ),
    (&["allow.auto.create.topics"], "topics are created with their settings or not at all"),
];

impl KafkaConfig {
    /// All defaults, for tests and for programs that only know an address.
    pub fn at(bootstrap: &str) -> KafkaConfig {
        KafkaConfig {
            bootstrap: bootstrap.into(),
            topics: TopicNames::default(),
            replication_factor: None,
            ack_timeout_ms: ack_timeout_ms(),
            read_timeout_ms: read_timeout_ms(),
            properties: BTreeMap::new(),
        }
    }

    /// Everything that can be refused without a broker; call it when the config file is read.
    pub fn check(&self) -> Result<(), KafkaFault> {
        if self.bootstrap.trim().is_empty() {
            return refuse("kafka.bootstrap is empty: name at least one broker as host:port".into());
        }
        if self.replication_factor == Some(0) {
            return refuse("kafka.replication_factor is 0: it must be at least 1".into());
        }
        if self.ack_timeout_ms < 1_000 {
            let ms = self.ack_timeout_ms;
            return refuse(format!(
                "kafka.ack_timeout_ms is {ms}: below 1000 every hiccup would make a record unknown"
            ));
        }
        if self.read_timeout_ms < 1_000 {
            return refuse(format!("kafka.read_timeout_ms is {}: it must be at least 1000", self.read_timeout_ms));
        }
        for property in self.properties.keys() {
            if let Some((_, reason)) = FIXED.iter().find(|(names, _)| names.contains(&property.as_str())) {
                return refuse(format!("kafka.properties.{property:?} cannot be set: {reason}"));
            }
        }
        // librdkafka itself knows names and values; asking it for a configuration costs no connection.
        for config in [self.producer(1_000), self.reader()] {
            config.create_native_config().map_err(|fault| KafkaFault::Refused(format!("kafka.properties: {fault}")))?;
        }
        Ok(())
    }

    pub(super) fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms.into())
    }

    /// What all clients share; also the administrator's client.
    pub(super) fn client(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("client.id", "strowger");
        // librdkafka's 10 s would keep us away for that long after a broker is back.
        config.set("reconnect.backoff.max.ms", "1000");
        for (property, value) in defaults {
            config.set(*property, *value);
        }
        for (property, value) in &self.properties {
            if property == "debug" {
                config.set_log_level(RDKafkaLogLevel::Debug);
            }
            config.set(property, value);
        }
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// An idempotent, gapless producer. `timeout_ms` 0: never gives a record up.
    pub(super) fn producer(&self, timeout_ms: u32) -> ClientConfig {
        let mut config = self.client(&[
            // librdkafka's 5 ms would be most of our latency; what waits while a request is out is batched anyway.
            ("linger.ms", "0"),
            ("queue.buffering.max.kbytes", "65536"),
        ]);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("max.in.flight.requests.per.connection", "5")
            .set("message.timeout.ms", timeout_ms.to_string())
            .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string());
        config
    }

    /// A reader of assigned partitions that sees every record and the end.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.client(&[
            // A read that begins waits for the empty fetch of the one before: do not let the broker keep it for 500 ms.
            ("fetch.wait.max.ms", "20"),
            ("queued.max.messages.kbytes", "16384"),
            ("fetch.queue.backoff.ms", "5"),
            ("fetch.error.backoff.ms", "50"),
        ]);
        config
            // BaseConsumer wants a group's name even for assigned partitions; nothing is ever committed to it.
            .set("group.id", "strowger")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_uncommitted")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        config
    }

    /// The reader of the input log: committed records only, bounded prefetch for each partition, the end is nothing
    /// special.
    pub(super) fn source(&self) -> ClientConfig {
        let mut config = self.client(&[
            // Each partition has a queue of its own, so this bounds each of them: 32 shards, 128 MiB at most.
            ("queued.max.messages.kbytes", "4096"),
            ("queued.min.messages", "10000"),
            ("fetch.queue.backoff.ms", "5"),
            // A partition that is resumed or rewound waits for the fetch that is out: keep it short.
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "50"),
        ]);
        config
            .set("group.id", "strowger")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "false")
            .set("allow.auto.create.topics", "false");
        config
    }
}

/// Passwords stand among the properties: their values are never printed.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("topics", &self.topics)
            .field("replication_factor", &self.replication_factor)
            .field("ack_timeout_ms", &self.ack_timeout_ms)
            .field("read_timeout_ms", &self.read_timeout_ms)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

fn refuse(sentence: String) -> Result<(), KafkaFault> {
    Err(KafkaFault::Refused(sentence))
}

/// TOML people write `retries = 5` and `enable.x = true`: librdkafka wants text.
fn properties<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        Text(String),
        Whole(i64),
        Truth(bool),
    }
    let values = BTreeMap::<String, Value>::deserialize(from)?;
    Ok(values
        .into_iter()
        .map(|(name, value)| match value {
            Value::Text(text) => (name, text),
            Value::Whole(number) => (name, number.to_string()),
            Value::Truth(truth) => (name, truth.to_string()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KafkaConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn an_address_is_enough() {
        let config = parse("bootstrap = '127.0.0.1:9092'").unwrap();
        assert_eq!(config, KafkaConfig::at("127.0.0.1:9092"));
        assert_eq!(config.topics.dead_letters, "strowger.dead-letters");
        config.check().unwrap();
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(parse("bootstrap = 'a:1'\nbrokers = 'b:2'").is_err());
        assert!(parse("bootstrap = 'a:1'\n[topics]\ninput = 'x'").is_err());
    }

    #[test]
    fn properties_pass_through_and_may_be_numbers() {
        let text = "bootstrap = 'a:1'\n[properties]\n'sasl.password' = 'secret'\n'retries' = 7\n'socket.keepalive.enable' = true";
        let config = parse(text).unwrap();
        config.check().unwrap();
        assert_eq!(config.producer(0).get("retries"), Some("7"));
        assert_eq!(config.source().get("socket.keepalive.enable"), Some("true"));
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn what_the_protocol_fixes_is_refused_with_a_sentence() {
        for (names, _) in FIXED {
            for name in *names {
                let mut config = KafkaConfig::at("a:1");
                config.properties.insert(name.to_string(), "1".into());
                let sentence = config.check().unwrap_err().to_string();
                assert!(sentence.contains(name) && sentence.contains("cannot be set"), "{sentence}");
            }
        }
    }

    #[test]
    fn a_property_that_librdkafka_does_not_know_is_refused() {
        let mut config = KafkaConfig::at("a:1");
        config.properties.insert("linger.hours".into(), "1".into());
        assert!(config.check().unwrap_err().to_string().contains("linger.hours"));
    }
}
