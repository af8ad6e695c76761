//! The shard's journal: one record a batch, and a log that arbitrates (`journal-protocol.md`).
//!
//! `record` has the bytes, `fold` the reader's rule, `owner` the state machine that claims, appends and steps down,
//! `history` the places a reader may start from. All of it is the same for SQLite and for Kafka: what differs stands
//! behind the trait `Journal`. Nothing here knows the engine: effects are bytes, and `Domain` is who applies them.

pub mod fold;
pub mod history;
pub mod owner;
pub mod record;
#[cfg(test)]
mod simulation;

pub use fold::{Fold, Halt, Verdict};
pub use history::History;
pub use owner::{Domain, Event, Owner, Timing};
pub use record::{Claim, ClockOrigin, Genesis, Header, Kind, Record};

use std::sync::Arc;

/// The largest record: `max.message.bytes` of the topics (design.md §4) without what Kafka adds; for SQLite too.
pub const RECORD_BYTES_MAX: usize = (2 << 20) - (16 << 10);

/// Why a journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// What is there must not be gone on from: an operator has to look.
    #[error("{0}")]
    Halted(#[from] Halt),
    /// The world failed; the caller backs off and tries again.
    #[error("the journal cannot be reached: {0}")]
    Unavailable(String),
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The record stands at this offset. Whether it counts is the fold's to say.
    Offset(u64),
    /// It may be in the log, now or later, or never: time-out, any error, an ack without offset.
    Unknown(String),
}

/// An ack with the append it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    pub shard: u16,
    pub ticket: u64,
    pub ack: Ack,
}

/// Told after an ack was put in the channel: wakes the thread that drives the shard.
pub type Wake = Arc<dyn Fn(u16) + Send + Sync>;

/// Called with every record: its offset and bytes.
pub type Visit<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Halt> + 'a;

/// A log with one partition a shard. Implementers: `sqlite::SqliteJournal`, `kafka::KafkaJournal`.
///
/// Acks come on the channel given at construction, in order of sending per writer, each followed by a `Wake`.
pub trait Journal: Send {
    /// Every record from `from` on, in order, to whatever end this reader sees. Returns the next offset.
    fn read(&mut self, shard: u16, from: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError>;

    /// As `read`, but until the position is past `through`, however long the log's end takes to show (rules 9, 12).
    fn read_through(&mut self, shard: u16, from: u64, through: u64, visit: &mut Visit<'_>)
    -> Result<u64, JournalError>;

    /// A fresh writer; the one before is destroyed without flush (rules 8, 14).
    fn open_writer(&mut self, shard: u16) -> Result<(), JournalError>;

    /// Destroys the writer without flush (rule 13).
    fn close_writer(&mut self, shard: u16);

    /// Appends one record through the open writer; the ack will carry the ticket.
    fn submit(&mut self, shard: u16, ticket: u64, record: Arc<[u8]>);

    /// The log's end as it is shown now: asked once, with little patience. None: not known. An owner whose position it is knows
    /// that nobody came; and it says how far a recovery is.
    fn end(&mut self, shard: u16) -> Option<u64>;

    /// The last decision that the relay's topic shows for this shard: its position and its record's chain hash
    /// (rule 10). A stale one will do. None where decisions go nowhere else, or none stands there yet.
    fn relay_tail(&mut self, _shard: u16) -> Result<Option<(engine::decision::Position, [u8; 32])>, JournalError> {
        Ok(None)
    }
}
