//! What the engine answers: decisions as the engine makes them (numbers), and as a record carries them (with texts).
//!
//! A `Decision` is a fixed-size value of slots and times, made inside a step. At the end of the step it is written into
//! the record's decision section together with the texts its slots stand for, so that any reader (`Told`) can print it
//! without a state. Rendering JSON is the codec's.

use crate::wire::{wire_struct, words};
use alloc::boxed::Box;

type Text = Box<str>;

/// "No slot" in a `Decision`.
pub const NONE: u32 = u32::MAX;

words! {
    /// Types of decisions, without their prefix `strowger.`.
    pub enum DecisionType {
        ConversationOpened = 1 "conversation.opened",
        ConversationQueued = 2 "conversation.queued",
        ConversationAssigned = 3 "conversation.assigned",
        ConversationUnassigned = 4 "conversation.unassigned",
        ConversationResolved = 5 "conversation.resolved",
        ConversationReopened = 6 "conversation.reopened",
        ConversationClosed = 7 "conversation.closed",
        ConversationAbandoned = 8 "conversation.abandoned",
        ConversationUpdated = 9 "conversation.updated",
        MessageRouted = 10 "message.routed",
        AgentChanged = 11 "agent.changed",
        CapacityExceeded = 12 "capacity.exceeded",
        WorkspaceConfigured = 13 "workspace.configured",
        CommandRejected = 14 "command.rejected",
        EventRecorded = 15 "event.recorded",
    }
}

impl Default for DecisionType {
    fn default() -> DecisionType {
        DecisionType::EventRecorded
    }
}

words! {
    /// Why: the published list of reasons and codes of decisions. `None` is left out of JSON.
    pub enum Reason {
        None = 0 "",
        // conversation.queued
        New = 1 "new",
        Reopen = 2 "reopen",
        Requeue = 3 "requeue",
        /// As `New`, and the event's own skills were left out: the workspace has its 1,024 requirement sets.
        TooManySkillSets = 4 "too_many_skill_sets",
        // conversation.assigned: the kind
        Auto = 10 "auto",
        Claim = 11 "claim",
        Supervisor = 12 "supervisor",
        // conversation.opened
        OtherCustomer = 20 "other_customer",
        // conversation.resolved, .closed, .abandoned, .unassigned
        Resolved = 30 "resolved",
        ContactEnded = 31 "contact_ended",
        Abandoned = 32 "abandoned",
        ShortAbandoned = 33 "short_abandoned",
        ReopenWindowPassed = 34 "reopen_window_passed",
        Reassigned = 35 "reassigned",
        // agent.changed
        Presence = 40 "presence",
        Configured = 41 "configured",
        // capacity.exceeded
        Override = 50 "override",
        CapacityLowered = 51 "capacity_lowered",
        // event.recorded
        Recorded = 60 "recorded",
        Duplicate = 61 "duplicate",
        // ignored(...) and rejected(...): codes
        Unsupported = 70 "unsupported",
        UnknownAgent = 71 "unknown_agent",
        UnknownConversation = 72 "unknown_conversation",
        UnknownChannel = 73 "unknown_channel",
        NotLive = 74 "not_live",
        AlreadyOpen = 75 "already_open",
        OpensNothing = 76 "opens_nothing",
        StaleSequence = 77 "stale_sequence",
        TooManySources = 78 "too_many_sources",
        StaleEpoch = 79 "stale_epoch",
        NotOpen = 80 "not_open",
        NotOwner = 81 "not_owner",
        OwnedByOther = 82 "owned_by_other",
        AlreadyOwner = 83 "already_owner",
        NotRoutable = 84 "not_routable",
        NoCapacity = 85 "no_capacity",
        ReasonRequired = 86 "reason_required",
        NotSupervisor = 87 "not_supervisor",
        InvalidPolicy = 88 "invalid_policy",
        VersionMismatch = 89 "version_mismatch",
        VersionNotAbove = 90 "version_not_above",
        TooMany = 91 "too_many",
        ConversationInUse = 92 "conversation_in_use",
        /// A message to a conversation that nobody owns yet.
        Waiting = 93 "waiting",
    }
}

impl Default for Reason {
    fn default() -> Reason {
        Reason::None
    }
}

words! {
    /// The one outcome of an event: what the idempotency memory keeps and HTTP answers.
    pub enum Outcome {
        Decided = 0 "decided",
        Recorded = 1 "recorded",
        Ignored = 2 "ignored",
        Rejected = 3 "rejected",
    }
}

impl Default for Outcome {
    fn default() -> Outcome {
        Outcome::Recorded
    }
}

words! {
    /// State of an agent as told: derived from presence and load (routing.md §3).
    pub enum AgentState {
        Offline = 0 "offline",
        Away = 1 "away",
        Available = 2 "available",
        Partly = 3 "partly",
        Full = 4 "full",
    }
}

impl Default for AgentState {
    fn default() -> AgentState {
        AgentState::Offline
    }
}

wire_struct! {
    /// A decision of a record, self-contained: texts, not slots. Absent texts are empty.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Told {
        pub decision_type: DecisionType,
        /// Engine time, ms UTC.
        pub time: u64,
        pub workspace: Text,
        /// Cause: source and id of the event; both empty for a tick.
        pub cause_source: Text,
        pub cause_id: Text,
        pub traceparent: Option<Text>,
        pub reason: Reason,
        /// Of `event.recorded`: how; with `reason` as code of ignored. Of `command.rejected`: Rejected.
        pub outcome: Outcome,
        /// A sentence for people, of refused and ignored ones; else empty.
        pub sentence: Text,
        /// The type of the event that this answers (event.recorded, command.rejected), else empty.
        pub event_type: Text,
        pub conversation: Option<ToldConversation>,
        pub agent: Option<ToldAgent>,
        /// Of a duplicate: (seq, idx) of the first outcome.
        pub first: Option<Position>,
        /// The policy's version, of `workspace.configured` and of conversations.
        pub policy_version: u64,
    }
}

wire_struct! {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct Position {
        pub seq: u64,
        pub idx: u32,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct ToldConversation {
        pub id: Text,
        pub customer: Text,
        pub epoch: u64,
        pub owner: Text,
        pub previous_owner: Text,
        pub queue: Text,
        pub entry: Text,
        pub channel: Text,
        pub tier: Text,
        /// ms UTC.
        pub arrival: u64,
        pub queued_at: u64,
        /// `time` - `arrival`.
        pub waited_ms: u64,
        pub head_start_ms: u64,
        /// `rule[3]`, `entry` or `default`: what chose the queue.
        pub rule: Text,
        /// Units of capacity the owner's hold takes; 0 without owner.
        pub units: u32,
        /// The queue entry's service-level facts, for the views: T of its queue.
        pub service_level_ms: u64,
        pub live: bool,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct ToldAgent {
        pub id: Text,
        pub team: Text,
        pub state: AgentState,
        pub units_used: u32,
        pub units: u32,
    }
}
