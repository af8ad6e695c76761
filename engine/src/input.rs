//! One decoded event: what the codec makes of a CloudEvent and the engine decides on.
//!
//! Names are `Id`s (hash and text) where the engine may have to remember the text, bare hashes where it only compares
//! with configured ones. No message text is here. Embedded, inputs are recorded in this form.

use crate::calendar::Opening;
use crate::id::Id;
use crate::policy::{AgentConfig, Policy};
use crate::wire::{wire_enum, wire_struct, words};
use alloc::boxed::Box;
use alloc::vec::Vec;

type Text = Box<str>;

words! {
    /// Every type of `wire.md` that can come in. `is_command` says whether it may be refused.
    #[derive(Default)]
    pub enum EventType {
        #[default]
        ContactStarted = 1 "contact.started",
        ContactEnded = 2 "contact.ended",
        MessageReceived = 3 "message.received",
        MessageSent = 4 "message.sent",
        AgentPresence = 5 "agent.presence",
        ConversationClaim = 6 "conversation.claim",
        ConversationAssign = 7 "conversation.assign",
        ConversationResolve = 8 "conversation.resolve",
        AgentConfigure = 9 "agent.configure",
        WorkspaceConfigure = 10 "workspace.configure",
        MessageStatus = 20 "message.status",
        MessageEdited = 21 "message.edited",
        MessageDeleted = 22 "message.deleted",
        ContactConnected = 23 "contact.connected",
        CustomerUpdated = 24 "customer.updated",
        CustomerLinked = 25 "customer.linked",
        CustomerUnlinked = 26 "customer.unlinked",
        CustomerErased = 27 "customer.erased",
        SurveyAnswered = 28 "survey.answered",
        AgentEngaged = 29 "agent.engaged",
        AgentDisengaged = 30 "agent.disengaged",
        SourceHeartbeat = 31 "source.heartbeat",
        ConversationOpen = 40 "conversation.open",
        ConversationHandoff = 41 "conversation.handoff",
        ConversationTransfer = 42 "conversation.transfer",
        ConversationRelease = 43 "conversation.release",
        ConversationEscalate = 44 "conversation.escalate",
        ConversationSnooze = 45 "conversation.snooze",
        ConversationWake = 46 "conversation.wake",
        ConversationUpdate = 47 "conversation.update",
        ConversationClose = 48 "conversation.close",
        ConversationReopen = 49 "conversation.reopen",
        ConversationMerge = 50 "conversation.merge",
        OfferAccept = 51 "offer.accept",
        OfferDecline = 52 "offer.decline",
        WrapupComplete = 53 "wrapup.complete",
        NoteAdd = 54 "note.add",
        AgentRemove = 55 "agent.remove",
        AgentDrain = 56 "agent.drain",
        QueueControl = 57 "queue.control",
        CalendarExpand = 58 "calendar.expand",
        CallbackRequest = 59 "callback.request",
        ParticipantAdd = 60 "participant.add",
        ParticipantRemove = 61 "participant.remove",
    }
}

impl EventType {
    /// Commands may be refused, facts never are (routing.md §2).
    pub const fn is_command(self) -> bool {
        let n = self as u8;
        (n >= 6 && n <= 10) || n >= 40
    }
}

words! {
    #[derive(Default)]
    pub enum ActorKind {
        Customer = 0 "customer",
        Agent = 1 "agent",
        Bot = 2 "bot",
        Supervisor = 3 "supervisor",
        #[default]
        System = 4 "system",
    }
}

words! {
    /// Set states of presence, the least available first. The numbers are those of recorded effects, the order is `rank`.
    #[derive(Default)]
    pub enum Status {
        #[default]
        Offline = 0 "offline",
        Away = 1 "away",
        Online = 2 "online",
        /// Finishes what he has and gets nothing new.
        PendingAway = 3 "pending_away",
    }
}

impl Status {
    /// Higher is more available.
    pub const fn rank(self) -> u8 {
        match self {
            Status::Offline => 0,
            Status::Away => 1,
            Status::PendingAway => 2,
            Status::Online => 3,
        }
    }
}

words! {
    /// State of a queue by command, above its calendar (routing.md §5).
    #[derive(Default)]
    pub enum Control {
        /// No word of anybody: the calendar's.
        #[default]
        None = 0 "none",
        Open = 1 "open",
        Closed = 2 "closed",
        Emergency = 3 "emergency",
    }
}

words! {
    #[derive(Default)]
    pub enum SurveyKind {
        #[default]
        Other = 0 "other",
        Csat = 1 "csat",
        Nps = 2 "nps",
        Ces = 3 "ces",
    }
}

words! {
    /// Whose word a presence is: the agent's own choice, or a device that speaks only for its own source.
    #[derive(Default)]
    pub enum By {
        #[default]
        Agent = 0 "agent",
        Device = 1 "device",
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Actor {
        pub kind: ActorKind,
        /// Kind::Agent where `kind` is agent, else Kind::Customer of the actor's id; the hash is what counts.
        pub id: Id,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Input {
        /// CloudEvents `id` and `source`, and Kind::Event's hash of (workspace, source, id): the idempotency key.
        pub id: Text,
        pub source: Text,
        pub key: u128,
        /// Kind::Source's hash of (workspace, source).
        pub source_hash: u128,
        pub workspace: Id,
        pub event_type: EventType,
        /// The event's own `time`, ms UTC.
        pub time: Option<u64>,
        /// W3C trace context, carried through.
        pub traceparent: Option<Text>,
        pub actor: Option<Actor>,
        pub body: Body,
    }
}

wire_struct! {
    /// A customer's contact: all that can identify, route and rank a conversation.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Contact {
        /// Kind::Conversation, when the event names one.
        pub conversation: Option<Id>,
        /// The id of a new one that the event does not name: `<source>/<id>`, or that text's SHA-256 in hex where it
        /// passes 256 bytes.
        pub new_conversation: Id,
        /// Kind::Thread of (channel, entry, thread) or else Kind::Contact of (channel, entry, customer); none without both.
        pub identity: Option<u128>,
        /// The event has a thread.
        pub threaded: bool,
        pub customer: Option<Id>,
        /// Kind::Tier.
        pub tier: Option<u128>,
        /// Kind::Language.
        pub language: Option<u128>,
        /// Kind::Channel.
        pub channel: Id,
        /// Kind::Entry; empty text: none given.
        pub entry: Id,
        /// Kind::Attribute hashes of (key, value), at most 64.
        pub attributes: Vec<u128>,
        /// Kind::Skill with the level required, at most 64, sorted by hash, no repeats.
        pub skills: Vec<RequiredSkill>,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct RequiredSkill {
        pub skill: Id,
        pub level: u8,
    }
}

wire_enum! {
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum Body {
        1 => ContactStarted { contact: Contact },
        2 => ContactEnded { conversation: Option<Id>, identity: Option<u128>, by: ActorKind },
        3 => MessageReceived {
            contact: Contact,
            /// False for reactions, automatic replies, bounces and system messages: they open and reopen nothing.
            opens: bool,
        },
        4 => MessageSent {
            conversation: Option<Id>,
            identity: Option<u128>,
            /// A person's public text or media: it answers the customer. `Input::actor` says whose.
            answers: bool,
            /// Agents to notify.
            mentions: Vec<Id>,
        },
        5 => AgentPresence {
            agent: Id,
            status: Status,
            by: By,
            session: Option<u128>,
            sequence: Option<u64>,
            /// The lease's term; none: it does not run out.
            expires_in_ms: Option<u64>,
            /// Kind::Channel, at most 32; none: all.
            channels: Option<Vec<u128>>,
            /// A supervisor's word, above the agent's own.
            supervised: bool,
            reason: Option<Text>,
        },
        6 => ConversationClaim { conversation: Id, agent: Id, expected_epoch: Option<u64> },
        7 => ConversationAssign { conversation: Id, agent: Id, expected_epoch: Option<u64>, reason: Option<Text> },
        8 => ConversationResolve { conversation: Id, expected_epoch: Option<u64> },
        9 => AgentConfigure { agent: Id, config: AgentConfig, expected_version: Option<u64> },
        10 => WorkspaceConfigure { policy: Box<Policy>, expected_version: Option<u64> },
        /// A type, field or policy key that would need what is not built; `what` names it.
        11 => Unsupported { what: Text },
        /// A configuration whose shape is right and whose content is not; `faults` says what, for people.
        12 => Invalid { faults: Text },
        13 => ContactConnected { conversation: Option<Id>, identity: Option<u128>, agent: Id },
        15 => MessageStatus { conversation: Option<Id>, identity: Option<u128>, failed: bool },
        16 => CustomerUpdated {
            customer: Id,
            tier: Option<u128>,
            blocked: Option<bool>,
            /// Empty text: nobody from now on.
            account_owner: Option<Id>,
        },
        /// The two customers are one from now on, or no longer.
        17 => CustomerLinked { customer: Id, other: Id },
        18 => CustomerUnlinked { customer: Id, other: Id },
        19 => SurveyAnswered { conversation: Option<Id>, identity: Option<u128>, kind: SurveyKind, score: u32, max: u32 },
        /// Work that we did not route. `engagement` is Kind::Engagement.
        20 => AgentEngaged { agent: Id, engagement: Id, channel: Id, units: Option<u32> },
        21 => AgentDisengaged { agent: Id, engagement: Id },
        /// Kind::Conversation of the live contacts that are open at the source, at most 10,000; none: only a sign of life.
        22 => SourceHeartbeat { open_contacts: Option<Vec<u128>> },
        /// Outbound, by an agent.
        23 => ConversationOpen { contact: Contact, agent: Id },
        24 => ConversationHandoff {
            conversation: Id,
            expected_epoch: Option<u64>,
            /// Kind::Queue; none: by the rules.
            queue: Option<u128>,
            skills: Vec<RequiredSkill>,
            note: Option<Text>,
        },
        25 => ConversationTransfer {
            conversation: Id,
            expected_epoch: Option<u64>,
            to: Target,
            /// Until the taker accepts, the giver owns it.
            warm: bool,
            /// Stands in line as if it came now.
            place_back: bool,
            note: Option<Text>,
            reason: Option<Text>,
            /// Waits so long in the agent's line.
            wait_ms: Option<u64>,
            /// Kind::Queue; none: where it came from.
            fallback: Option<u128>,
        },
        26 => ConversationRelease { conversation: Id, expected_epoch: Option<u64>, reason: Option<Text> },
        27 => ConversationEscalate { conversation: Id, expected_epoch: Option<u64>, level: u8, reason: Option<Text> },
        28 => ConversationSnooze { conversation: Id, expected_epoch: Option<u64>, until: u64 },
        29 => ConversationWake { conversation: Id, expected_epoch: Option<u64> },
        30 => ConversationUpdate {
            conversation: Id,
            expected_epoch: Option<u64>,
            tier: Option<u128>,
            priority: Option<u8>,
            /// Instead of those the event asked for.
            skills: Option<Vec<RequiredSkill>>,
            reason: Option<Text>,
        },
        31 => ConversationClose { conversation: Id, expected_epoch: Option<u64>, reason: Option<Text> },
        32 => ConversationReopen { conversation: Id, expected_epoch: Option<u64> },
        /// Both become one: `survivor` (one of the two), or else the older.
        33 => ConversationMerge { conversation: Id, other: Id, survivor: Option<Id> },
        /// `offer` 0: a text that is no offer's id.
        34 => OfferAccept { offer: u64, agent: Id },
        35 => OfferDecline { offer: u64, agent: Id, reason: Option<Text> },
        36 => WrapupComplete { conversation: Id, agent: Id },
        37 => NoteAdd { conversation: Id, text: Text, mentions: Vec<Id> },
        38 => AgentRemove { agent: Id, successor: Option<Id>, reason: Option<Text>, expected_version: Option<u64> },
        39 => AgentDrain { agent: Id, drain: bool, reason: Option<Text>, expected_version: Option<u64> },
        40 => QueueControl {
            queue: Id,
            control: Control,
            until: Option<u64>,
            reason: Option<Text>,
            expected_version: Option<u64>,
        },
        /// The openings of a calendar from `from` to `until`, in order, at most `limits::OPENINGS`. `calendar` is Kind::Calendar.
        41 => CalendarExpand { calendar: Id, from: u64, until: u64, openings: Vec<Opening> },
    }
}

wire_struct! {
    /// Where a transfer goes: one of them is given.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Target {
        pub agent: Option<Id>,
        /// Kind::Queue.
        pub queue: Option<u128>,
        /// The same queue, with these skills instead of those asked for.
        pub skills: Vec<RequiredSkill>,
    }
}

impl Body {
    /// The reason that a command gives, else its note; empty without.
    pub fn said(&self) -> &str {
        let (reason, note) = match self {
            Body::ConversationTransfer { reason, note, .. } => (reason, note.as_deref()),
            Body::ConversationAssign { reason, .. }
            | Body::ConversationRelease { reason, .. }
            | Body::ConversationEscalate { reason, .. }
            | Body::ConversationUpdate { reason, .. }
            | Body::ConversationClose { reason, .. }
            | Body::OfferDecline { reason, .. }
            | Body::AgentRemove { reason, .. }
            | Body::AgentDrain { reason, .. }
            | Body::QueueControl { reason, .. } => (reason, None),
            _ => (&None, None),
        };
        reason.as_deref().filter(|text| !text.is_empty()).or(note).unwrap_or("")
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::Unsupported { what: "".into() }
    }
}
