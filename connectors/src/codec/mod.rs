//! The codec: JSON in, JSON out, and nothing else that anybody agrees on with the outside.
//!
//! In: `Decoder` (one event), `batch` (an HTTP body of many), `configuration` (policies and agents, shared with the
//! workspace file). Out: `render` and `canonical` print the decisions that a record carries (`decisions`). It holds no
//! state but the hash key, and no type is on both sides. wire.md is the specification, `asyncapi` the document of the
//! topics that is made from the code.

mod asyncapi;
mod batch;
mod body;
mod configuration;
mod contact;
mod decoder;
mod envelope;
mod field;
mod members;
mod node;
mod partition;
mod refusal;
mod render;
mod scan;
mod timestamp;

#[cfg(test)]
mod tests;

pub use asyncapi::{asyncapi, example, reasons};
pub use batch::{Framing, split};
pub use configuration::{agent_to_json, policy_to_json, workspace_schema};
pub use decoder::Decoder;
pub use partition::partition;
pub use refusal::{REFUSALS, Refusal};
pub use render::{Place, canonical, render};
pub use timestamp::{parse_timestamp, timestamp};

pub(crate) use configuration::{Reader, ShapeFault, Table, WORKSPACE_FILE, follows, nearest};
pub(crate) use node::{Node, Value};

use engine::decision::Told;
use engine::wire::Malformed;

/// Bounds of what comes in. Those of policies are `engine::policy::limits`.
pub mod limits {
    /// An event.
    pub const EVENT_BYTES: usize = 256 * 1024;
    /// `workspace.configure`: one input, however large the workspace.
    pub const CONFIGURE_BYTES: usize = 1024 * 1024;
    /// A body of many events: 1,000 of them of usual sizes, or some large ones.
    pub const BODY_BYTES: usize = 8 * 1024 * 1024;
    pub const EVENTS_IN_BODY: usize = 1_000;
    /// Nesting of JSON, in ignored parts too. serde_json would stop at 128.
    pub const NESTING: usize = 64;
    pub const ID_BYTES: usize = engine::policy::limits::TEXT_BYTES;
    pub const ATTRIBUTES: usize = 64;
    pub const SKILLS: usize = engine::policy::limits::SKILLS_OF_ONE;
    pub const LEVEL: u8 = engine::policy::limits::LEVEL;
    /// A supervisor's reason.
    pub const REASON_BYTES: usize = 1_024;
    /// A note, alone or with a transfer or hand-off.
    pub const NOTE_BYTES: usize = engine::policy::limits::NOTE_BYTES;
    pub const MENTIONS: usize = engine::policy::limits::MENTIONS;
    /// Channels of a presence.
    pub const CHANNELS: usize = engine::policy::limits::CHANNELS;
    /// Live contacts that a source says are open.
    pub const OPEN_CONTACTS: usize = 10_000;
    /// A presence's lease: a day.
    pub const LEASE_S: u32 = 86_400;
    /// How long a transfer waits in one agent's line: a week.
    pub const WAIT_S: u32 = 604_800;
    pub const PRIORITY: u8 = 9;
    /// Of an escalation, from 1.
    pub const ESCALATION_LEVEL: u8 = engine::policy::limits::NINE;
    /// Units of work that was not routed here, from 1.
    pub const UNITS: u32 = engine::policy::limits::UNITS;
    /// Of one expansion of a calendar.
    pub const OPENINGS: usize = engine::policy::limits::OPENINGS;
    /// A survey's score, and its greatest possible one.
    pub const SCORE: u32 = 1_000;
}

/// The decisions of a record's decision section, in order.
pub fn decisions(section: &[u8]) -> Result<Vec<Told>, Malformed> {
    engine::decision::read_section(section)
}
