//! The codec: JSON in, JSON out, and nothing else that anybody agrees on with the outside.
//!
//! In: `Decoder` (one event), `batch` (an HTTP body of many), `configuration` (policies and agents, shared with the
//! workspace file). Out: `render` and `canonical` print the decisions that a record carries (`decisions`). It holds no
//! state but the hash key, and no type is on both sides. wire.md is the specification.

mod batch;
mod configuration;
mod decoder;
mod envelope;
mod node;
mod partition;
mod refusal;
mod render;
mod scan;
mod timestamp;

#[cfg(test)]
mod tests;

pub use batch::{Framing, split};
pub use configuration::{agent_to_json, policy_to_json};
pub use decoder::Decoder;
pub use partition::partition;
pub use refusal::Refusal;
pub use render::{Place, canonical, render};
pub use timestamp::{parse_timestamp, timestamp};

pub(crate) use configuration::{AGENT_KEYS, POLICY_KEYS, Reader, ShapeFaultKind, Table, nearest};
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
}

/// The decisions of a record's decision section, in order.
pub fn decisions(section: &[u8]) -> Result<Vec<Told>, Malformed> {
    engine::decision::read_section(section)
}
