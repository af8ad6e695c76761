//! Read-only pictures of the state, for HTTP, metrics and tests.
use crate::decision::AgentState;
use crate::policy::{AgentConfig, Policy};
use alloc::boxed::Box;

use alloc::vec::Vec;

type Text = Box<str>;

pub struct Workspace<'a> {
    pub name: &'a str,
    pub policy: &'a Policy,
    pub(crate) engine: &'a crate::engine::Engine,
    #[allow(dead_code)]
    pub(crate) slot: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: Text,
    pub config: AgentConfig,
    pub state: AgentState,
    pub units_used: u32,
    pub units: u32,
    /// Open conversations he owns, by creation.
    pub conversations: Vec<Text>,
    pub idle_since: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: Text,
    pub customer: Option<Text>,
    /// queued, assigned, resolved
    pub state: &'static str,
    pub epoch: u64,
    pub owner: Option<Text>,
    pub queue: Text,
    pub channel: Text,
    pub entry: Text,
    pub tier: Text,
    pub arrival: u64,
    pub queued_at: u64,
    pub head_start_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub channel: Text,
    pub tier: Text,
    pub waiting: u64,
    /// ms UTC; of the longest waiting.
    pub oldest_arrival: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: Text,
    /// One for each (channel, tier) with somebody waiting.
    pub lines: Vec<Line>,
    /// (cause of routing.md §5, how many wait for it): nobody_online, no_skill_online, all_full, due.
    pub causes: Vec<(&'static str, u64)>,
    /// Assigned conversations of this queue by channel.
    pub assigned: Vec<(Text, u64)>,
    /// Largest |picked - due| over its requirement sets, in picks (weighted rotation), as thousandths.
    pub rotation_error_milli: u64,
}

impl Workspace<'_> {
    pub fn agents(&self) -> Vec<Agent> {
        let _ = self.engine;
        todo!()
    }
    pub fn agent(&self, _id: &str) -> Option<Agent> {
        todo!()
    }
    pub fn queues(&self) -> Vec<Queue> {
        todo!()
    }
    pub fn conversation(&self, _id: &str) -> Option<Conversation> {
        todo!()
    }
    pub fn open_conversations(&self) -> Vec<Conversation> {
        todo!()
    }
}
