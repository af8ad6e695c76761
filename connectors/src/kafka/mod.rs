//! Strowger on Apache Kafka: the input log, the journal, the decisions and the dead letters.
//!
//! One file a concern: `config` what an operator may set, `topics` creation and refusal, `journal` the `Journal` trait
//! on `strowger.journal`, `source` the input, `events` HTTP's way into the input, `relay` the way out and the tail of
//! what is out already, `originals` the bytes of dead letters. `reader` and `logs` are shared by these. What every
//! setting here is for stands in the journal protocol; nothing in this folder decides anything about events, judges a
//! record or knows the fold. There are no transactions and no consumer groups.

pub mod config;
pub mod events;
pub mod journal;
mod logs;
pub mod originals;
mod reader;
pub mod relay;
pub mod source;
mod topic_ids;
pub mod topics;

pub use config::{KafkaConfig, TopicNames};
pub use events::EventsProducer;
pub use journal::KafkaJournal;
pub use originals::Originals;
pub use relay::Relay;
pub use source::EventSource;

/// The largest Kafka message on any of our topics: `max.message.bytes` of the topics, `message.max.bytes` of producers.
pub const MESSAGE_BYTES_MAX: usize = 2 << 20;

// A record has to fit with what Kafka adds to it: batch header, key, headers.
const _: () = assert!(crate::journal::RECORD_BYTES_MAX + (8 << 10) <= MESSAGE_BYTES_MAX);

/// What can go wrong with Kafka, by what is to be done about it. Each is a sentence for an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaFault {
    /// The world failed: no broker, no leader, no answer in time. Trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// A setting, a topic or a right is wrong: refuse to start.
    #[error("{0}")]
    Refused(String),
    /// A log does not hold what it must hold: HALT, nothing may be decided on it.
    #[error("{0}")]
    Halt(String),
}
