//! Effects: every change of the engine's state, as recorded.
//!
//! `Stepping::effect` is the one door: it records an effect and applies it. Recovery applies recorded ones and decides
//! nothing. Variants hold numbers; text stands only in `Named` and in the two configurations.
//! A tag's meaning never changes and fields are only appended (`wire.rs`).

use crate::decision::{Outcome, Reason};
use crate::input::{By, Status};
use crate::policy::{AgentConfig, Policy};
use crate::wire::{wire_enum, wire_struct, words};
use alloc::boxed::Box;
use alloc::vec::Vec;

words! {
    /// What a `Named` effect gives a name to.
    #[derive(Default)]
    pub enum NameOf {
        #[default]
        Workspace = 0 "workspace",
        Agent = 1 "agent",
        Channel = 2 "channel",
        Entry = 3 "entry",
        Tier = 4 "tier",
        Queue = 5 "queue",
        Skill = 6 "skill",
        /// The id of the conversation in that slot.
        Conversation = 7 "conversation",
        /// The customer of the conversation in that slot.
        Customer = 8 "customer",
        /// The entry of the conversation in that slot, where it is not a configured one.
        ConversationEntry = 9 "conversation_entry",
    }
}

wire_struct! {
    /// A skill's slot with a level.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct SkillSlot {
        pub skill: u16,
        pub level: u8,
    }
}

wire_enum! {
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum Effect {
        /// Engine time moves; first effect of a step at a later time.
        1 => Now { ms: u64 },
        /// Limits of the idempotency memory.
        2 => Limited { window_ms: u64, max: u32 },
        3 => Named { what: NameOf, workspace: u32, slot: u32, hash: u128, text: Box<str> },
        4 => WorkspaceConfigured { workspace: u32, policy: Box<Policy> },
        5 => AgentConfigured { agent: u32, config: AgentConfig },
        /// A requirement set comes into being.
        6 => SetOpened { workspace: u32, set: u32, queue: u32, channel: u32, skills: Vec<SkillSlot> },
        /// Its slot is given up, to be opened again as another.
        7 => SetClosed { workspace: u32, set: u32 },
        8 => Presence { agent: u32, source: u128, status: Status, by: By, session: Option<u128>, sequence: Option<u64> },
        /// A conversation begins; its names follow as `Named`, its place in line as `Queued`.
        9 => Opened { conversation: u32, workspace: u32, channel: u32, entry: u32, tier: u32, hash: u128, identity: u128, customer: u128 },
        /// It stands in line: first, again after a reopen, or elsewhere after a change of policy.
        10 => Queued { conversation: u32, queue: u32, set: u32, rule: u32, arrival: u64, queued_at: u64, head_start_ms: u64 },
        /// Ownership, epoch + 1, and its hold. An owner before loses his.
        11 => Assigned { conversation: u32, agent: u32, units: u32, exclusive: bool, over: bool },
        /// The weighted rotation of a set picked an agent.
        12 => Picked { workspace: u32, set: u32, agent: u32 },
        /// An async conversation is done; it stays for its reopen window.
        13 => Resolved { conversation: u32 },
        /// Epoch + 1; `Queued` follows.
        14 => Reopened { conversation: u32, tier: u32 },
        /// It leaves the state; its link is kept.
        15 => Ended { conversation: u32 },
        /// The outcome of an event, for the idempotency memory.
        16 => Remembered { key: u128, idx: u32, outcome: Outcome, code: Reason },
        /// An input that could not be decoded or placed (Kafka); the state does not change.
        17 => DeadLettered { offset: u64, reason: Box<str> },
        /// The skills that the event itself asked for; kept with the conversation, whatever its queue asks later.
        19 => Asked { conversation: u32, skills: Vec<SkillSlot> },
        /// A policy's cursor: the next conversation to look at; none: it is done.
        18 => Reviewed { workspace: u32, next: Option<u32> },
    }
}
