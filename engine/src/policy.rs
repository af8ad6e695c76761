//! What a workspace and its agents are configured to be: the engine's policy as plain data.
//!
//! The codec and `strowger check` build these from JSON and TOML and refuse what is not built; `faults` says what is
//! wrong with a whole. Recorded in `workspace_configured` and `agent_configured` effects, so recovery needs no file.

use crate::wire::{wire_struct, words};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

type Text = Box<str>;

words! {
    /// How a queue picks among its eligible agents (routing.md §4).
    #[derive(Default)]
    pub enum Strategy {
        #[default]
        LongestIdle = 0 "longest_idle",
        LeastLoaded = 1 "least_loaded",
        WeightedRoundRobin = 2 "weighted_round_robin",
    }
}

words! {
    /// What a condition of a rule looks at.
    #[derive(Default)]
    pub enum Subject {
        #[default]
        Channel = 0 "channel",
        Entry = 1 "entry",
        Tier = 2 "tier",
        Language = 3 "language",
        Attribute = 4 "attributes",
    }
}

wire_struct! {
    /// The policy of a workspace. Lists keep the order of their file; names are unique within a list.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Policy {
        /// Rises with each configuration.
        pub version: u64,
        /// May run on a scaled clock.
        pub test: bool,
        /// Units of an agent configured without units; at least 1.
        pub default_units: u32,
        /// Milliseconds after the last resolve within which a message reopens an async conversation.
        pub reopen_window_ms: u64,
        /// An away shorter than this does not reset `idle_since`.
        pub idle_reset_ms: u64,
        pub channels: Vec<Channel>,
        pub entries: Vec<Entry>,
        pub tiers: Vec<Tier>,
        pub queues: Vec<Queue>,
        /// First match wins. Exactly one has no condition: it comes last, after the entry's queue.
        pub rules: Vec<Rule>,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Channel {
        pub name: Text,
        /// Voice, video, connected chat. Otherwise async: e-mail, WhatsApp …
        pub live: bool,
        /// Units of an agent's capacity that one conversation takes; at least 1.
        pub units: u32,
        /// While an agent holds one of this channel, nothing is added.
        pub exclusive: bool,
        /// An abandon sooner than this after arrival is a short one.
        pub short_abandon_ms: u64,
    }
}

wire_struct! {
    /// Our address that was contacted.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Entry {
        pub name: Text,
        pub queue: Text,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Tier {
        pub name: Text,
        /// Its customers stand in line as if they had arrived this much earlier.
        pub head_start_ms: u64,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct SkillLevel {
        pub name: Text,
        /// 0-10. Required: at least this. Of an agent: what he has.
        pub level: u8,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Queue {
        pub name: Text,
        pub strategy: Strategy,
        /// Required of an agent, all of them.
        pub skills: Vec<SkillLevel>,
        /// The service level's threshold T; the engine does not use it, the views do.
        pub service_level_ms: u64,
        /// The goal as thousandths: 800 is 80 %.
        pub service_level_goal_permille: u16,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Condition {
        pub subject: Subject,
        /// The attribute's name; empty for the other subjects.
        pub key: Text,
        pub value: Text,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Rule {
        /// All must hold.
        pub when: Vec<Condition>,
        pub queue: Text,
    }
}

wire_struct! {
    /// An agent's configuration.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct AgentConfig {
        /// Empty: no team.
        pub team: Text,
        pub skills: Vec<SkillLevel>,
        /// 1-10,000.
        pub weight: u16,
        /// Capacity; none: the workspace's `default_units`.
        pub units: Option<u32>,
    }
}

/// Limits of a policy. What passes one is refused, with its name.
pub mod limits {
    pub const CHANNELS: usize = 32;
    pub const ENTRIES: usize = 4_096;
    pub const TIERS: usize = 64;
    pub const QUEUES: usize = 1_000;
    pub const RULES: usize = 4_096;
    pub const CONDITIONS: usize = 16;
    pub const SKILLS_OF_ONE: usize = 64;
    /// Requirement sets of a workspace (routing.md §4).
    pub const REQUIREMENT_SETS: usize = 1_024;
    pub const PRESENCE_SOURCES: usize = 16;
    pub const WEIGHT: u16 = 10_000;
    pub const LEVEL: u8 = 10;
    pub const UNITS: u32 = 1_000_000;
    /// Names and the values of attributes.
    pub const TEXT_BYTES: usize = 256;
}

impl Policy {
    /// The channels of the field with their usual nature; a policy's own entry of the same name replaces one.
    pub fn standard_channels() -> Vec<Channel> {
        let live = |name: &str, exclusive, units| Channel {
            name: name.into(),
            live: true,
            units,
            exclusive,
            short_abandon_ms: 5_000,
        };
        let asynchronous = |name: &str| Channel {
            name: name.into(),
            live: false,
            units: 1,
            exclusive: false,
            short_abandon_ms: 5_000,
        };
        alloc::vec![
            live("voice", true, 1),
            live("video", true, 1),
            live("chat", false, 1),
            asynchronous("email"),
            asynchronous("whatsapp"),
            asynchronous("facebook"),
            asynchronous("instagram"),
            asynchronous("telegram"),
            asynchronous("sms"),
        ]
    }

    /// Every fault of this policy, as (path of the field, sentence): empty means it can be taken.
    /// A path is like `queue[2].skills` and `rule[0].queue`: lists are counted from 0.
    pub fn faults(&self) -> Vec<(String, String)> {
        crate::faults::of_policy(self)
    }
}

impl AgentConfig {
    /// As `Policy::faults`.
    pub fn faults(&self) -> Vec<(String, String)> {
        crate::faults::of_agent(self)
    }
}
