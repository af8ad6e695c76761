//! HTTP's events on their way into the input log: appended to the events topic, answered when the batch that covers
//! their offset is committed.
//!
//! A lost acknowledgement may leave the event in the log or not: the sender is told to send again, and the idempotency
//! memory counts it once.

use super::logs::{Logs, logs_as_all_clients};
use super::{KafkaConfig, KafkaFault};
use crate::codec::partition;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use std::sync::{PoisonError, RwLock};

/// What marks a structured CloudEvent on Kafka (CloudEvents' Kafka protocol binding, section 3.3).
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=UTF-8";

/// Where an event stands in the input log, or a sentence why that is unknown.
pub type Appended = Result<(u16, u64), String>;

/// Told once, on the producer's thread: it must not block.
pub type Done = Box<dyn FnOnce(Appended) + Send + Sync>;

/// The event could not even be queued; `done` was not called and never will be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendFault {
    /// The producer's buffer is full (64 MiB): 429, Retry-After.
    Full,
    /// Larger than the topic takes: 413.
    TooLarge,
    /// 503.
    Unreachable(String),
}

/// Shared by all HTTP workers.
pub struct EventsProducer {
    config: KafkaConfig,
    shards: u16,
    producer: RwLock<ThreadedProducer<Context>>,
}

impl EventsProducer {
    pub fn new(config: &KafkaConfig, shards: u16) -> Result<EventsProducer, KafkaFault> {
        let producer = RwLock::new(producer(config)?);
        Ok(EventsProducer { config: config.clone(), shards, producer })
    }

    /// Appends one structured CloudEvent with its workspace as key, on that workspace's partition.
    pub fn append(&self, workspace: &str, event: &[u8], done: Done) -> Result<(), AppendFault> {
        let headers =
            OwnedHeaders::new_with_capacity(1).insert(Header { key: "content-type", value: Some(CONTENT_TYPE) });
        let mut message = BaseRecord::with_opaque_to(&self.config.topics.events, Box::new(done))
            .partition(partition(workspace, self.shards).into())
            .key(workspace)
            .payload(event)
            .headers(headers);
        // A fatal error (the broker forgot this idempotent producer) ends an instance: one more attempt on a new one.
        for attempt in 0..2 {
            let sent = self.producer.read().unwrap_or_else(PoisonError::into_inner).send(message);
            match sent {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), back)) if attempt == 0 => {
                    message = back;
                    self.replace_fatal()?;
                }
                Err((fault, _)) => return Err(AppendFault::from(fault)),
            }
        }
        Err(AppendFault::Unreachable("the producer failed and its successor too".into()))
    }

    fn replace_fatal(&self) -> Result<(), AppendFault> {
        let mut held = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have replaced it while this one waited.
        if let Some((code, sentence)) = held.client().fatal_error() {
            tracing::warn!("the producer of HTTP's events is made anew: {code}: {sentence}");
            let fresh = producer(&self.config).map_err(|fault| AppendFault::Unreachable(fault.to_string()))?;
            let old = std::mem::replace(&mut *held, fresh);
            old.context().logs.close();
        }
        Ok(())
    }
}

impl From<KafkaError> for AppendFault {
    fn from(fault: KafkaError) -> AppendFault {
        match fault.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => AppendFault::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => AppendFault::TooLarge,
            _ => AppendFault::Unreachable(fault.to_string()),
        }
    }
}

fn producer(config: &KafkaConfig) -> Result<ThreadedProducer<Context>, KafkaFault> {
    config
        .producer(config.ack_timeout_ms)
        .create_with_context(Context { logs: Logs::of("events producer") })
        .map_err(|fault| KafkaFault::Refused(format!("no producer for HTTP's events: {fault}")))
}

struct Context {
    logs: Logs,
}

logs_as_all_clients!(Context);

impl ProducerContext for Context {
    // Boxed twice: an opaque is one pointer wide, a boxed closure two.
    type DeliveryOpaque = Box<Done>;

    fn delivery(&self, result: &DeliveryResult<'_>, done: Box<Done>) {
        done(match result {
            Ok(message) if message.offset() < 0 => Err("acknowledged without an offset".into()),
            Ok(message) => Ok((message.partition() as u16, message.offset() as u64)),
            Err((fault, _)) => Err(fault.to_string()),
        });
    }
}

impl Drop for EventsProducer {
    fn drop(&mut self) {
        self.producer.get_mut().unwrap_or_else(PoisonError::into_inner).context().logs.close();
    }
}
