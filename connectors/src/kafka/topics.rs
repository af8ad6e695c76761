//! The four topics: made with the right settings, or looked at and refused with a sentence that says what is wrong and
//! what would be right.
//!
//! Called once, at start. What is demanded is section 6 of the journal protocol; why, stands beside each demand below,
//! because it is the text that an operator reads.

use super::logs::Logs;
use super::topic_ids::topic_ids;
use super::{KafkaConfig, KafkaFault, MESSAGE_BYTES_MAX};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// After a topic was made its leaders take up to a second; there is nothing to wait on but the metadata.
const METADATA_INTERVAL: Duration = Duration::from_millis(50);
const WEEK_MS: &str = "604800000";

/// The topics as they are, for the journal's first record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topics {
    pub shards: u16,
    /// (`events`, `journal`, `decisions` or `dead_letters`, the broker's id of that topic).
    pub ids: Vec<(String, String)>,
    /// Those that were made by this call.
    pub created: Vec<String>,
}

/// What a topic is for decides what it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Events,
    Journal,
    Decisions,
    DeadLetters,
}

impl Role {
    /// Its key under `[kafka.topics]`, and its name in the journal's first record.
    fn key(self) -> &'static str {
        match self {
            Role::Events => "events",
            Role::Journal => "journal",
            Role::Decisions => "decisions",
            Role::DeadLetters => "dead_letters",
        }
    }
}

/// Makes what is missing and checks what is there. Partition count = `shards` for all four: partition n is shard n's.
pub fn ensure(config: &KafkaConfig, shards: u16) -> Result<Topics, KafkaFault> {
    config.check()?;
    if shards == 0 {
        return Err(KafkaFault::Refused("a journal has at least one shard".into()));
    }
    let admin: AdminClient<Logs> = config
        .client(&[])
        .create_with_context(Logs::of("topics"))
        .map_err(|fault| KafkaFault::Refused(format!("no Kafka client: {fault}")))?;
    let deadline = Instant::now() + config.read_timeout();
    let roles = roles(config);
    let metadata = cluster(&admin, config, deadline)?;
    let wanted = Wanted::of(config, shards, metadata.brokers().len())?;
    let missing: Vec<(Role, &str)> = roles.iter().copied().filter(|(_, name)| !exists(&metadata, name)).collect();
    create(&admin, &missing, &wanted)?;
    let metadata = with_leaders(&admin, &roles, deadline)?;
    refuse_wrong(&admin, &roles, &metadata, &wanted)?;
    let names: Vec<&str> = roles.iter().map(|(_, name)| *name).collect();
    let ids = topic_ids(admin.inner(), &names, REQUEST_TIMEOUT)?;
    let id_of = |(role, name): &(Role, &str)| match ids.get(*name) {
        Some(id) => Ok((role.key().to_string(), id.clone())),
        None => Err(KafkaFault::Unreachable(format!("the broker did not tell the id of topic `{name}`"))),
    };
    Ok(Topics {
        shards,
        ids: roles.iter().map(id_of).collect::<Result<_, _>>()?,
        created: missing.iter().map(|(_, name)| name.to_string()).collect(),
    })
}

/// The ids recorded in the journal's first record against those of today: another id is another topic, whose offsets
/// mean nothing to this journal.
pub fn refuse_recreated(recorded: &[(String, String)], today: &[(String, String)]) -> Result<(), KafkaFault> {
    for (key, id) in recorded {
        let now = today.iter().find(|(other, _)| other == key).map_or("none", |(_, id)| id);
        if now != id {
            return Err(KafkaFault::Halt(format!(
                "the {key} topic is another one than this journal began with (id {now} instead of {id}): it was deleted \
                 and made anew, or {key} under [kafka.topics] names another. Offsets of the one say nothing about the \
                 other: name the old topic, or give all four new names and start a new journal"
            )));
        }
    }
    Ok(())
}

fn roles(config: &KafkaConfig) -> [(Role, &str); 4] {
    let names = &config.topics;
    [
        (Role::Events, names.events.as_str()),
        (Role::Journal, names.journal.as_str()),
        (Role::Decisions, names.decisions.as_str()),
        (Role::DeadLetters, names.dead_letters.as_str()),
    ]
}

/// What this cluster and this config ask of a topic.
struct Wanted {
    partitions: usize,
    replicas: usize,
    bootstrap: String,
}

impl Wanted {
    fn of(config: &KafkaConfig, shards: u16, brokers: usize) -> Result<Wanted, KafkaFault> {
        let replicas = match config.replication_factor {
            Some(factor) => factor.into(),
            None if brokers == 1 => 1,
            None => 3,
        };
        if replicas > brokers {
            return Err(KafkaFault::Refused(format!(
                "the cluster has {brokers} brokers, too few for {replicas} replicas: add brokers, or say \
                 replication_factor = {brokers} under [kafka] and accept that less survives"
            )));
        }
        Ok(Wanted { partitions: shards.into(), replicas, bootstrap: config.bootstrap.clone() })
    }

    /// Two copies at least before a record counts, wherever there can be two.
    fn min_insync(&self) -> &'static str {
        if self.replicas == 1 { "1" } else { "2" }
    }
}

fn settings(role: Role, wanted: &Wanted) -> BTreeMap<&'static str, String> {
    let mut settings = BTreeMap::from([
        ("cleanup.policy", "delete".to_string()),
        ("message.timestamp.type", "LogAppendTime".into()),
        ("unclean.leader.election.enable", "false".into()),
        ("min.insync.replicas", wanted.min_insync().into()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
        ("compression.type", "producer".into()),
    ]);
    let retention_ms = match role {
        // Trimmed by DeleteRecords only.
        Role::Journal | Role::Decisions => "-1",
        Role::Events | Role::DeadLetters => WEEK_MS,
    };
    settings.insert("retention.ms", retention_ms.into());
    settings.insert("retention.bytes", "-1".into());
    settings
}

fn create(admin: &AdminClient<Logs>, missing: &[(Role, &str)], wanted: &Wanted) -> Result<(), KafkaFault> {
    if missing.is_empty() {
        return Ok(());
    }
    let settings: Vec<_> = missing.iter().map(|(role, _)| settings(*role, wanted)).collect();
    let new: Vec<NewTopic> = missing
        .iter()
        .zip(&settings)
        .map(|((_, name), settings)| {
            let replication = TopicReplication::Fixed(wanted.replicas as i32);
            settings.iter().fold(NewTopic::new(name, wanted.partitions as i32, replication), |topic, (key, value)| {
                topic.set(key, value)
            })
        })
        .collect();
    let options = options().operation_timeout(Some(REQUEST_TIMEOUT));
    let results = wait(admin.create_topics(&new, &options))
        .map_err(|fault| KafkaFault::Unreachable(format!("the topics could not be made: {fault}")))?;
    for result in results {
        match result {
            // Somebody was faster: the check that follows looks at what he made.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(KafkaFault::Refused(format!(
                    "topic `{name}` does not exist and could not be made: {code}"
                )));
            }
        }
    }
    Ok(())
}

/// Waits for a broker that answers and a controller's list of brokers.
fn cluster(admin: &AdminClient<Logs>, config: &KafkaConfig, deadline: Instant) -> Result<Metadata, KafkaFault> {
    loop {
        let fault = match admin.inner().fetch_metadata(None, REQUEST_TIMEOUT.min(config.read_timeout())) {
            Ok(metadata) if !metadata.brokers().is_empty() => return Ok(metadata),
            Ok(_) => "no broker is known yet".to_string(),
            Err(fault) => fault.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(KafkaFault::Unreachable(format!("Kafka at {} does not answer: {fault}", config.bootstrap)));
        }
        thread::sleep(METADATA_INTERVAL);
    }
}

fn exists(metadata: &Metadata, name: &str) -> bool {
    metadata.topics().iter().any(|topic| topic.name() == name && !topic.partitions().is_empty())
}

/// Waits until every partition of the topics has a leader.
fn with_leaders(admin: &AdminClient<Logs>, roles: &[(Role, &str)], deadline: Instant) -> Result<Metadata, KafkaFault> {
    loop {
        let mut waiting_for = String::from("the brokers");
        if let Ok(metadata) = admin.inner().fetch_metadata(None, REQUEST_TIMEOUT) {
            let led = |name: &str| {
                metadata.topics().iter().any(|topic| {
                    topic.name() == name
                        && !topic.partitions().is_empty()
                        && topic.partitions().iter().all(|partition| partition.leader() >= 0)
                })
            };
            match roles.iter().find(|(_, name)| !led(name)) {
                None => return Ok(metadata),
                Some((_, name)) => waiting_for = format!("topic `{name}`"),
            }
        }
        if Instant::now() >= deadline {
            return Err(KafkaFault::Unreachable(format!("{waiting_for} has partitions without a leader")));
        }
        thread::sleep(METADATA_INTERVAL);
    }
}

fn refuse_wrong(
    admin: &AdminClient<Logs>,
    roles: &[(Role, &str)],
    metadata: &Metadata,
    wanted: &Wanted,
) -> Result<(), KafkaFault> {
    let resources: Vec<ResourceSpecifier> = roles.iter().map(|(_, name)| ResourceSpecifier::Topic(name)).collect();
    let described = wait(admin.describe_configs(&resources, &options()))
        .map_err(|fault| KafkaFault::Unreachable(format!("the topics' settings could not be read: {fault}")))?;
    let mut wrong = Vec::new();
    for ((role, name), described) in roles.iter().zip(described) {
        let described = described.map_err(|code| {
            KafkaFault::Refused(format!("the settings of topic `{name}` could not be read (DescribeConfigs): {code}"))
        })?;
        let partitions = metadata.topics().iter().find(|topic| topic.name() == *name).map(|topic| topic.partitions());
        let partitions = partitions.unwrap_or_default();
        if partitions.len() != wanted.partitions {
            let (have, want) = (partitions.len(), wanted.partitions);
            wrong.push(format!(
                "topic `{name}` has {have} partitions, but there are {want} shards and partition n belongs to shard n. \
                 Right would be: shards = {have}, or topics of {want} partitions (for a new journal only)"
            ));
        }
        let replicas = partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
        if replicas < wanted.replicas {
            let want = wanted.replicas;
            wrong.push(format!(
                "topic `{name}` has {replicas} replica(s), but should have {want}. Right would be: reassign it to {want} \
                 brokers, or say replication_factor = {replicas} under [kafka] and accept that less survives"
            ));
        }
        wrong.extend(faults(*role, &described, replicas).into_iter().map(|(key, have, want, because)| {
            format!(
                "topic `{name}` has {key}={have}: {because}. Right would be: kafka-configs.sh --bootstrap-server {} \
                 --alter --entity-type topics --entity-name {name} --add-config {key}={want}",
                wanted.bootstrap
            )
        }));
    }
    if wrong.is_empty() { Ok(()) } else { Err(KafkaFault::Refused(wrong.join("\n"))) }
}

/// (setting, what it is, what would be right, why) of each that is wrong.
fn faults(role: Role, have: &ConfigResource, replicas: usize) -> Vec<(&'static str, String, String, &'static str)> {
    let value = |key: &str| have.get(key).and_then(|entry| entry.value.clone()).unwrap_or_else(|| "unknown".into());
    let mut faults = Vec::new();
    let mut demand = |key, right: &dyn Fn(&str) -> bool, want: &str, because| {
        let have = value(key);
        if !right(&have) {
            faults.push((key, have, want.to_string(), because));
        }
    };
    let number = |text: &str| text.parse::<i64>().unwrap_or(i64::MIN);
    demand("cleanup.policy", &|have| have == "delete", "delete", "compaction would remove records from the middle");
    demand(
        "message.timestamp.type",
        &|have| have == "LogAppendTime",
        "LogAppendTime",
        "with a sender's time the broker may reject a node whose clock is ahead",
    );
    demand(
        "unclean.leader.election.enable",
        &|have| have == "false",
        "false",
        "a leader that is not in sync would lose records that were acknowledged",
    );
    demand(
        "max.message.bytes",
        &|have| number(have) >= MESSAGE_BYTES_MAX as i64,
        &MESSAGE_BYTES_MAX.to_string(),
        "records of up to 2 MiB are written",
    );
    if replicas > 1 {
        demand(
            "min.insync.replicas",
            &|have| number(have) >= 2 && number(have) <= replicas as i64,
            "2",
            "with 1 a record would count as written while only one broker has it, above the replicas none could be written",
        );
    }
    if role == Role::Journal {
        let because = "the journal must not be cut by age or size: it is the state";
        demand("retention.ms", &|have| have == "-1", "-1", because);
        demand("retention.bytes", &|have| have == "-1", "-1", because);
    }
    faults
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT))
}

/// The administrator's client answers by futures, and this is the only place that meets one: park until it is there.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: &str, id: &str) -> Vec<(String, String)> {
        vec![(key.into(), id.into())]
    }

    #[test]
    fn a_topic_made_anew_halts_with_both_ids() {
        refuse_recreated(&id("events", "A"), &id("events", "A")).unwrap();
        let fault = refuse_recreated(&id("events", "A"), &id("events", "B")).unwrap_err();
        assert!(matches!(&fault, KafkaFault::Halt(sentence) if sentence.contains("id B instead of A")));
        assert!(refuse_recreated(&id("events", "A"), &[]).is_err());
    }

    #[test]
    fn replicas_are_three_or_one_on_a_single_broker_or_as_said() {
        let mut config = KafkaConfig::at("a:1");
        assert_eq!(Wanted::of(&config, 4, 1).unwrap().replicas, 1);
        assert_eq!(Wanted::of(&config, 4, 5).unwrap().replicas, 3);
        assert!(Wanted::of(&config, 4, 2).is_err());
        config.replication_factor = Some(1);
        assert_eq!(Wanted::of(&config, 4, 3).unwrap().replicas, 1);
    }
}
