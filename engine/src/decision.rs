//! What the engine answers: decisions as the engine makes them (numbers), and as a record carries them (with texts).
//!
//! A decision is told once, straight into the record's decision section, together with the texts its slots stand for
//! (`Telling`), so that any reader (`Told`) can print it without a state. Rendering JSON is the codec's.

use crate::policy::ClockKind;
use crate::wire::{Wire, wire_struct, words};
use alloc::boxed::Box;
use alloc::vec::Vec;

type Text = Box<str>;

words! {
    /// Types of decisions, without their prefix `strowger.`.
    #[derive(Default)]
    pub enum DecisionType {
        ConversationOpened = 1 "conversation.opened",
        ConversationQueued = 2 "conversation.queued",
        ConversationAssigned = 3 "conversation.assigned",
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
        #[default]
        EventRecorded = 15 "event.recorded",
        ConversationOffered = 16 "conversation.offered",
        ConversationUnassigned = 17 "conversation.unassigned",
        ConversationTransferred = 18 "conversation.transferred",
        ConversationRelaxed = 19 "conversation.relaxed",
        ConversationEscalated = 20 "conversation.escalated",
        ConversationSnoozed = 21 "conversation.snoozed",
        ConversationWoken = 22 "conversation.woken",
        ConversationParked = 23 "conversation.parked",
        ConversationDeflected = 24 "conversation.deflected",
        ConversationMerged = 25 "conversation.merged",
        OfferWithdrawn = 26 "offer.withdrawn",
        ReplyCollision = 27 "reply.collision",
        ReplyFailed = 28 "reply.failed",
        QueueChanged = 29 "queue.changed",
        CustomerMerged = 30 "customer.merged",
        MentionNotified = 31 "mention.notified",
        SourceSuspect = 32 "source.suspect",
        ClockStarted = 33 "clock.started",
        ClockPaused = 34 "clock.paused",
        ClockResumed = 35 "clock.resumed",
        ClockWarned = 36 "clock.warned",
        ClockBreached = 37 "clock.breached",
        ClockCompleted = 38 "clock.completed",
        ClockCancelled = 39 "clock.cancelled",
    }
}

words! {
    /// Why: the published list of reasons and codes of decisions. `None` is left out of JSON.
    #[derive(Default)]
    pub enum Reason {
        #[default]
        None = 0 "",
        // conversation.queued
        New = 1 "new",
        Reopen = 2 "reopen",
        Requeue = 3 "requeue",
        /// As `New`, and the event's own skills were left out: the workspace has its 1,024 requirement sets.
        TooManySkillSets = 4 "too_many_skill_sets",
        /// After a bot.
        Handoff = 5 "handoff",
        Transfer = 6 "transfer",
        Overflow = 7 "overflow",
        /// After a pause.
        Resume = 8 "resume",
        /// Moved by the ladder.
        Escalated = 9 "escalated",
        // conversation.assigned, .offered: the kind
        Auto = 10 "auto",
        Claim = 11 "claim",
        Supervisor = 12 "supervisor",
        Preferred = 13 "preferred",
        /// A person answered what nobody owned, or a call reached him.
        Adopted = 14 "adopted",
        /// The taker of an offer.
        Accepted = 15 "accepted",
        Outbound = 16 "outbound",
        Successor = 17 "successor",
        /// The survivor takes the owner of the other.
        Merged = 18 "merged",
        /// To one agent, who accepts before the giver lets go.
        Warm = 19 "warm",
        // conversation.opened
        OtherCustomer = 20 "other_customer",
        /// There was an earlier conversation of this id.
        Linked = 21 "linked",
        // conversation.resolved, .closed, .abandoned
        Resolved = 30 "resolved",
        ContactEnded = 31 "contact_ended",
        Abandoned = 32 "abandoned",
        ShortAbandoned = 33 "short_abandoned",
        ReopenWindowPassed = 34 "reopen_window_passed",
        /// Async, and no person ever answered.
        Missed = 35 "missed",
        /// Resolved without a person ever having had it.
        Contained = 36 "contained",
        LeftInBot = 37 "left_in_bot",
        Stale = 38 "stale",
        /// The customer did not write for `close_after_s`.
        CloseAfter = 39 "close_after",
        // agent.changed
        Presence = 40 "presence",
        Configured = 41 "configured",
        /// A lease ran out.
        LeaseExpired = 42 "lease_expired",
        NotResponding = 43 "not_responding",
        /// `not_responding` has ended.
        Responding = 44 "responding",
        Drained = 45 "drained",
        Undrained = 46 "undrained",
        Removed = 47 "removed",
        // capacity.exceeded
        Override = 50 "override",
        CapacityLowered = 51 "capacity_lowered",
        /// A fact gave it to him: a reply, a call on the switch.
        Fact = 52 "fact",
        /// A dormant conversation woke up.
        Woken = 53 "woken",
        Engaged = 54 "engaged",
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
        /// A message to a conversation that nobody owns yet.
        Waiting = 93 "waiting",
        // more codes
        Blocked = 100 "blocked",
        NotResolved = 101 "not_resolved",
        NotInBot = 102 "not_in_bot",
        UnknownQueue = 103 "unknown_queue",
        UnknownTier = 104 "unknown_tier",
        OfferGone = 105 "offer_gone",
        NotYours = 106 "not_yours",
        NotSnoozed = 107 "not_snoozed",
        UntilPast = 108 "until_past",
        MergeIntoItself = 109 "merge_into_itself",
        NoWrapUp = 110 "no_wrap_up",
        WrapUpTimed = 111 "wrap_up_timed",
        UnknownEngagement = 112 "unknown_engagement",
        ContextRequired = 113 "context_required",
        NoOtherMember = 114 "no_other_member",
        PreferredOnly = 115 "preferred_only",
        NotHead = 116 "not_head",
        NotLinked = 117 "not_linked",
        AlreadySnoozed = 118 "already_snoozed",
        UnknownLevel = 120 "unknown_level",
        NoTarget = 121 "no_target",
        // offer.withdrawn
        AcceptedElsewhere = 130 "accepted_elsewhere",
        Expired = 131 "expired",
        Declined = 132 "declined",
        Rescinded = 133 "rescinded",
        AgentLost = 134 "agent_lost",
        // ways out, and why something is parked, deflected or closed
        Closed = 140 "closed",
        Emergency = 141 "emergency",
        Full = 142 "full",
        MaxWait = 143 "max_wait",
        Unstaffed = 144 "unstaffed",
        Unservable = 145 "unservable",
        AllDeclined = 146 "all_declined",
        // conversation.woken
        Command = 150 "command",
        Due = 151 "due",
        Message = 152 "message",
        // conversation.unassigned, .escalated
        OwnerAbsent = 160 "owner_absent",
        OwnerSilent = 161 "owner_silent",
        OwnerLost = 162 "owner_lost",
        OwnerOffline = 163 "owner_offline",
        Released = 164 "released",
        Transfers = 165 "transfers",
        // conversation.updated, .relaxed
        Dormant = 170 "dormant",
        Customer = 171 "customer",
        Updated = 172 "updated",
        PreferenceExpired = 173 "preference_expired",
        Unclaimed = 174 "unclaimed",
        Promoted = 175 "promoted",
        Step = 176 "step",
        FirstRing = 177 "first_ring",
        // others
        Failed = 181 "failed",
        Opened = 182 "open",
        Unlinked = 183 "unlinked",
        Mention = 184 "mention",
        LeaseStorm = 185 "lease_storm",
        // clocks: started, paused, resumed, cancelled; conversation.escalated
        Started = 190 "started",
        Theirs = 191 "theirs",
        Snoozed = 192 "snoozed",
        Parked = 193 "parked",
        Clock = 194 "clock",
        // clock.completed
        Met = 195 "met",
        // agent.changed, calendar.expand
        ShiftBegan = 197 "shift_began",
        ShiftEnded = 198 "shift_ended",
        UnknownCalendar = 199 "unknown_calendar",
    }
}

words! {
    /// The one outcome of an event: what the idempotency memory keeps and HTTP answers.
    #[derive(Default)]
    pub enum Outcome {
        Decided = 0 "decided",
        #[default]
        Recorded = 1 "recorded",
        Ignored = 2 "ignored",
        Rejected = 3 "rejected",
    }
}

words! {
    /// State of an agent as told: derived from presence and load (routing.md §3).
    #[derive(Default)]
    pub enum AgentState {
        #[default]
        Offline = 0 "offline",
        Away = 1 "away",
        Available = 2 "available",
        Partly = 3 "partly",
        Full = 4 "full",
        PendingAway = 5 "pending_away",
        NotResponding = 6 "not_responding",
        Draining = 7 "draining",
        /// No longer configured.
        Removed = 8 "removed",
        /// His shift is over; what he has he finishes.
        OffShift = 9 "off_shift",
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
        pub detail: Option<ToldDetail>,
        pub clock: Option<ToldClock>,
    }
}

wire_struct! {
    /// A clock as one of its decisions tells it. Durations that are not over yet are those until now.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct ToldClock {
        pub clock: ClockKind,
        /// Rises at each start of this clock in this conversation.
        pub generation: u32,
        pub started_at: u64,
        pub target_ms: u64,
        /// When the target is reached; 0: never, or it stands still.
        pub due: u64,
        /// Of the target: the threshold that is told of; 0: none.
        pub percent: u16,
        /// Nothing subtracted.
        pub wall_ms: u64,
        /// What counts for the target.
        pub business_ms: u64,
        /// Beyond the target.
        pub over_ms: u64,
    }
}

wire_struct! {
    /// What only some decisions have. Zeros and empty texts are left out of JSON.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct ToldDetail {
        /// Id of the offer (conversation.offered, offer.withdrawn).
        pub offer: u64,
        /// ms UTC: an offer's end, a snooze's, a queue control's.
        pub until: u64,
        /// A reason or note given with the command; the reason to give of a deflection.
        pub text: Text,
        /// The other one: the queue before a transfer or overflow, the conversation merged away, the customer linked, the
        /// queue that changed, the source that is suspect.
        pub other: Text,
        /// A level of escalation; how many of something.
        pub number: u64,
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
        /// 0-9.
        pub priority: u8,
        /// The relaxation step it has reached: 0 asks what the queue asks.
        pub step: u8,
        /// `in_bot`, `queued`, `offered`, `assigned`, `snoozed`, `parked`, `resolved`.
        pub state: PhaseWord,
        /// Customer spoke last: ours.
        pub turn: Turn,
        /// Transfers so far.
        pub transfers: u32,
        /// A note or summary is with it.
        pub has_note: bool,
        pub preference: Preference,
    }
}

words! {
    /// Whether a conversation that waits has somebody it is kept for (routing.md §4).
    #[derive(Default)]
    pub enum Preference {
        #[default]
        None = 0 "none",
        /// It waits for its preferred agent.
        Held = 1 "held",
        /// It has one, who could not be waited for when it came.
        Absent = 2 "absent",
    }
}

words! {
    /// State of a conversation as told (routing.md §2).
    #[derive(Default)]
    pub enum PhaseWord {
        #[default]
        Resolved = 0 "resolved",
        InBot = 1 "in_bot",
        Queued = 2 "queued",
        Offered = 3 "offered",
        Assigned = 4 "assigned",
        Snoozed = 5 "snoozed",
        Parked = 6 "parked",
    }
}

words! {
    /// Who is to write next.
    #[derive(Default)]
    pub enum Turn {
        #[default]
        None = 0 "none",
        Ours = 1 "ours",
        Theirs = 2 "theirs",
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

/// A decision about to be told: the borrowed twin of `Told`, written in its bytes without a copy of any text.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    pub decision_type: DecisionType,
    pub time: u64,
    pub workspace: &'a str,
    pub cause_source: &'a str,
    pub cause_id: &'a str,
    pub traceparent: Option<&'a str>,
    pub reason: Reason,
    pub outcome: Outcome,
    pub sentence: &'a str,
    pub event_type: &'a str,
    pub conversation: Option<&'a TellingConversation<'a>>,
    pub agent: Option<&'a TellingAgent<'a>>,
    pub first: Option<Position>,
    pub policy_version: u64,
    pub detail: Option<TellingDetail<'a>>,
    pub clock: Option<ToldClock>,
}

#[derive(Clone, Copy, Default)]
pub struct TellingDetail<'a> {
    pub offer: u64,
    pub until: u64,
    pub text: &'a str,
    pub other: &'a str,
    pub number: u64,
}

#[derive(Clone, Copy)]
pub struct TellingConversation<'a> {
    pub id: &'a str,
    pub customer: &'a str,
    pub epoch: u64,
    pub owner: &'a str,
    pub previous_owner: &'a str,
    pub queue: &'a str,
    pub entry: &'a str,
    pub channel: &'a str,
    pub tier: &'a str,
    pub arrival: u64,
    pub queued_at: u64,
    pub waited_ms: u64,
    pub head_start_ms: u64,
    /// A rule's index, or `state::RULE_ENTRY`, `state::RULE_DEFAULT`.
    pub rule: u32,
    pub units: u32,
    pub service_level_ms: u64,
    pub live: bool,
    pub priority: u8,
    pub step: u8,
    pub state: PhaseWord,
    pub turn: Turn,
    pub transfers: u32,
    pub has_note: bool,
    pub preference: Preference,
}

#[derive(Clone, Copy)]
pub struct TellingAgent<'a> {
    pub id: &'a str,
    pub team: &'a str,
    pub state: AgentState,
    pub units_used: u32,
    pub units: u32,
}

/// Bytes under way in room that was reserved for all of them: no write can grow the vector.
struct Pen<'b> {
    room: &'b mut [u8],
    at: usize,
}

impl Pen<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.room[self.at] = byte;
        self.at += 1;
    }

    #[inline]
    fn number(&mut self, mut value: u64) {
        if value < 0x80 {
            return self.byte(value as u8);
        }
        // One look at the bounds for all of its bytes.
        let room: &mut [u8; NUMBER_MAX] =
            self.room[self.at..].first_chunk_mut().expect("there is room for a number wherever one is written");
        let mut len = 0;
        for byte in room {
            len += 1;
            if value < 0x80 {
                *byte = value as u8;
                break;
            }
            *byte = value as u8 | 0x80;
            value >>= 7;
        }
        self.at += len;
    }

    #[inline]
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return self.byte(0);
        }
        self.number(text.len() as u64);
        self.room[self.at..self.at + text.len()].copy_from_slice(text.as_bytes());
        self.at += text.len();
    }

    /// A length-prefixed body; the prefix has two bytes of room, which hold 16,383.
    #[inline]
    fn body(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.at;
        self.at += 2;
        write(self);
        let len = self.at - start - 2;
        assert!(len < 1 << 14, "a decision is too long");
        self.room[start] = len as u8 | 0x80;
        self.room[start + 1] = (len >> 7) as u8;
    }

    fn option(&mut self, is_some: bool) -> bool {
        self.byte(u8::from(is_some));
        is_some
    }
}

/// Bytes of a number at most.
const NUMBER_MAX: usize = 10;
/// Bytes that numbers, flags and lengths of one decision take at most.
const NUMBERS_MAX: usize = 512;

impl Telling<'_> {
    fn texts_len(&self) -> usize {
        let own = self.workspace.len() + self.cause_source.len() + self.cause_id.len() + self.sentence.len();
        let more = self.event_type.len() + self.traceparent.map_or(0, str::len);
        let conversation = self.conversation.map_or(0, |c| {
            c.id.len()
                + c.customer.len()
                + c.owner.len()
                + c.previous_owner.len()
                + c.queue.len()
                + c.entry.len()
                + c.channel.len()
                + c.tier.len()
        });
        let detail = self.detail.map_or(0, |d| d.text.len() + d.other.len());
        own + more + conversation + detail + self.agent.map_or(0, |a| a.id.len() + a.team.len())
    }

    /// The bytes of the `Told` that this is.
    pub fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.texts_len() + NUMBERS_MAX, 0);
        let mut pen = Pen { room: &mut out[start..], at: 0 };
        pen.body(|pen| self.write(pen));
        let len = pen.at;
        out.truncate(start + len);
    }

    #[inline]
    fn write(&self, pen: &mut Pen<'_>) {
        pen.byte(self.decision_type as u8);
        pen.number(self.time);
        pen.text(self.workspace);
        pen.text(self.cause_source);
        pen.text(self.cause_id);
        if pen.option(self.traceparent.is_some()) {
            pen.text(self.traceparent.unwrap_or(""));
        }
        pen.byte(self.reason as u8);
        pen.byte(self.outcome as u8);
        pen.text(self.sentence);
        pen.text(self.event_type);
        pen.option(self.conversation.is_some());
        if let Some(conversation) = self.conversation {
            pen.body(|pen| conversation.write(pen));
        }
        pen.option(self.agent.is_some());
        if let Some(agent) = self.agent {
            pen.body(|pen| agent.write(pen));
        }
        pen.option(self.first.is_some());
        if let Some(first) = self.first {
            pen.body(|pen| {
                pen.number(first.seq);
                pen.number(u64::from(first.idx));
            });
        }
        pen.number(self.policy_version);
        pen.option(self.detail.is_some());
        if let Some(detail) = self.detail {
            pen.body(|pen| {
                pen.number(detail.offer);
                pen.number(detail.until);
                pen.text(detail.text);
                pen.text(detail.other);
                pen.number(detail.number);
            });
        }
        pen.option(self.clock.is_some());
        if let Some(clock) = self.clock {
            pen.body(|pen| clock.write(pen));
        }
    }
}

impl ToldClock {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.byte(self.clock as u8);
        pen.number(u64::from(self.generation));
        for number in [self.started_at, self.target_ms, self.due, u64::from(self.percent)] {
            pen.number(number);
        }
        for number in [self.wall_ms, self.business_ms, self.over_ms] {
            pen.number(number);
        }
    }
}

impl TellingConversation<'_> {
    #[inline]
    fn write(&self, pen: &mut Pen<'_>) {
        pen.text(self.id);
        pen.text(self.customer);
        pen.number(self.epoch);
        for text in [self.owner, self.previous_owner, self.queue, self.entry, self.channel, self.tier] {
            pen.text(text);
        }
        for number in [self.arrival, self.queued_at, self.waited_ms, self.head_start_ms] {
            pen.number(number);
        }
        match self.rule {
            crate::state::RULE_ENTRY => pen.text("entry"),
            crate::state::RULE_DEFAULT => pen.text("default"),
            index => pen.text(&alloc::format!("rule[{index}]")),
        }
        pen.number(u64::from(self.units));
        pen.number(self.service_level_ms);
        pen.byte(u8::from(self.live));
        pen.byte(self.priority);
        pen.byte(self.step);
        pen.byte(self.state as u8);
        pen.byte(self.turn as u8);
        pen.number(u64::from(self.transfers));
        pen.byte(u8::from(self.has_note));
        pen.byte(self.preference as u8);
    }
}

impl TellingAgent<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.text(self.id);
        pen.text(self.team);
        pen.byte(self.state as u8);
        pen.number(u64::from(self.units_used));
        pen.number(u64::from(self.units));
    }
}

/// The decisions of a record's section.
pub fn read_section(section: &[u8]) -> Result<Vec<Told>, crate::wire::Malformed> {
    let mut reader = crate::wire::Reader::new(section);
    let mut told = Vec::new();
    while !reader.is_empty() {
        told.push(Told::take(&mut reader)?);
    }
    Ok(told)
}

impl Reason {
    /// For people: why something was ignored or refused. Empty for reasons that explain themselves.
    pub const fn sentence(self) -> &'static str {
        match self {
            Reason::UnknownAgent => "no such agent is configured in this workspace",
            Reason::UnknownConversation => "no such conversation is open or inside its reopen window",
            Reason::UnknownChannel => "this channel is neither a standard one nor in the workspace's policy",
            Reason::NotLive => "contacts start and end on live channels only; an async channel has messages",
            Reason::AlreadyOpen => "a conversation of this id or identity is open already",
            Reason::OpensNothing => "reactions, automatic replies, bounces and system messages open and reopen nothing",
            Reason::StaleSequence => "a later presence of this session is known",
            Reason::TooManySources => "this agent has presences from 16 sources and none of them is offline",
            Reason::StaleEpoch => "the conversation's epoch is another than the expected one",
            Reason::NotOpen => "the conversation is resolved",
            Reason::NotOwner => "another agent owns the conversation",
            Reason::OwnedByOther => "another agent owns the conversation",
            Reason::AlreadyOwner => "this agent owns the conversation already",
            Reason::NotRoutable => "this agent is not online",
            Reason::NoCapacity => "one more conversation of this channel does not fit this agent now",
            Reason::ReasonRequired => "a supervisor's command needs a reason",
            Reason::NotSupervisor => "only a supervisor or the system may assign",
            Reason::VersionMismatch => "the state's policy version is another than the expected one",
            Reason::VersionNotAbove => "the version has to be above the state's",
            Reason::UnknownCalendar => "the workspace's policy has no calendar of this name",
            Reason::TooMany => "a limit of the workspace or shard is reached",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reader;

    #[test]
    fn what_is_told_is_what_is_read() {
        let conversation = TellingConversation {
            id: "c",
            customer: "cu",
            epoch: 3,
            owner: "a",
            previous_owner: "b",
            queue: "q",
            entry: "e",
            channel: "voice",
            tier: "vip",
            arrival: 5,
            queued_at: 6,
            waited_ms: 7,
            head_start_ms: 8,
            rule: 2,
            units: 9,
            service_level_ms: 10,
            live: true,
            priority: 4,
            step: 2,
            state: PhaseWord::Assigned,
            turn: Turn::Ours,
            transfers: 3,
            has_note: true,
            preference: Preference::Held,
        };
        let agent = TellingAgent { id: "a", team: "t", state: AgentState::Partly, units_used: 1, units: 2 };
        let telling = Telling {
            decision_type: DecisionType::ConversationAssigned,
            time: 1,
            workspace: "w",
            cause_source: "s",
            cause_id: "i",
            traceparent: Some("tp"),
            reason: Reason::Auto,
            outcome: Outcome::Decided,
            sentence: "se",
            event_type: "t",
            conversation: Some(&conversation),
            agent: Some(&agent),
            first: Some(Position { seq: 4, idx: 5 }),
            policy_version: 11,
            detail: Some(TellingDetail { offer: 300, until: 12, text: "tx", other: "ot", number: 13 }),
            clock: Some(ToldClock { generation: 300, due: u64::MAX, over_ms: 1, ..ToldClock::default() }),
        };
        let mut bytes = Vec::new();
        telling.put(&mut bytes);
        let mut again = Vec::new();
        let told = Told::take(&mut Reader::new(&bytes)).unwrap();
        told.put(&mut again);
        assert_eq!(Told::take(&mut Reader::new(&again)).unwrap(), told);
        let c = told.conversation.clone().unwrap();
        assert_eq!((&*c.owner, &*c.tier, c.waited_ms, c.units, c.live), ("a", "vip", 7, 9, true));
        assert_eq!(&*told.conversation.unwrap().rule, "rule[2]");
        assert_eq!((told.first, told.policy_version, &*told.workspace), (telling.first, 11, "w"));
        assert_eq!(told.clock, telling.clock);
    }
}
