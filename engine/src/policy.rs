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
        /// Highest sum of levels over the required skills, then over the preferred ones, then longest idle.
        MostSkilled = 3 "most_skilled",
        /// A pull queue: agents claim, the engine lists and never assigns.
        Manual = 4 "manual",
    }
}

words! {
    /// Which of a pull queue's conversations an agent may claim.
    #[derive(Default)]
    pub enum Pick {
        #[default]
        Any = 0 "any",
        /// Only the first in line.
        Head = 1 "head",
    }
}

words! {
    /// What becomes of a contact that its queue cannot take or keep (routing.md §5).
    #[derive(Default)]
    pub enum ExitKind {
        /// It waits in line.
        #[default]
        Wait = 0 "wait",
        /// Overflow to another queue.
        Queue = 1 "queue",
        /// Sent away, with a reason for the customer's channel.
        Deflect = 2 "deflect",
        /// Set aside until the queue opens or somebody wakes it.
        Park = 3 "park",
        Close = 4 "close",
    }
}

words! {
    /// What follows when all who could have taken an offer declined it.
    #[derive(Default)]
    pub enum RoundEnd {
        /// A next round after a pause.
        #[default]
        Again = 0 "again",
        /// The next relaxation step at once; without one, a next round.
        Relax = 1 "relax",
        Queue = 2 "queue",
        Park = 3 "park",
    }
}

words! {
    #[derive(Default)]
    pub enum WrapUpMode {
        #[default]
        None = 0 "none",
        /// May be ended at once by the agent, ends by itself.
        Optional = 1 "optional",
        /// Always its whole time.
        Timed = 2 "timed",
        /// Until the agent completes it; `max` guards it.
        Mandatory = 3 "mandatory",
    }
}

words! {
    /// What becomes of open async work whose owner went offline, after the grace (routing.md §3).
    #[derive(Default)]
    pub enum OnOffline {
        /// It stays his until resolved.
        #[default]
        Keep = 0 "keep",
        /// Queued again, he is preferred.
        Return = 1 "return",
        /// Queued again without him.
        Reassign = 2 "reassign",
    }
}

words! {
    /// A customer writes again and the owner is not online (routing.md §2).
    #[derive(Default)]
    pub enum OwnerAbsent {
        /// Waits for him so long.
        #[default]
        Wait = 0 "wait",
        /// The same, meant for until his next shift.
        UntilNextShift = 1 "until_next_shift",
        /// Queued again at once, he is preferred.
        Return = 2 "return",
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
        /// A calendar that is open when the contact comes.
        Open = 5 "open",
        /// A calendar that is closed then.
        Closed = 6 "closed",
    }
}

words! {
    /// What a clock of a conversation measures (routing.md §7), in the order in which they are told.
    #[derive(Default)]
    pub enum ClockKind {
        /// From the first contact, hand-off or reopening to a person's first answer.
        #[default]
        FirstResponse = 0 "first_response",
        /// From the oldest unanswered message of a later turn to a person's answer.
        NextResponse = 1 "next_response",
        /// From the first message, or the reopening, to the resolve.
        Resolution = 2 "resolution",
        /// From the entry into a queue to the assignment.
        QueueWait = 3 "queue_wait",
        /// From the customer's last message: the channel's window for free replies.
        ReplyWindow = 4 "reply_window",
    }
}

words! {
    /// What a clock may stand still for.
    #[derive(Default)]
    pub enum PauseOn {
        /// The customer is to write next.
        #[default]
        Theirs = 0 "theirs",
        Snoozed = 1 "snoozed",
        Parked = 2 "parked",
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
        /// Consecutive declines and expiries that make an agent `not_responding`; 0: never.
        pub decline_limit: u32,
        /// `not_responding` ends by itself after so long; 0: never.
        pub not_responding_ms: u64,
        /// Leases are extended by this once after a restart and in a storm (routing.md §1, §3).
        pub lease_grace_ms: u64,
        /// A bot is handed off after so long.
        pub bot_max_ms: u64,
        /// More transfers than this escalate.
        pub max_transfers: u32,
        /// Head start of one step of priority (0-9).
        pub priority_head_start_ms: u64,
        /// A conversation of a later class is promoted to the first after so long in its queue; 0: never.
        pub strict_max_wait_ms: u64,
        pub teams: Vec<Team>,
        /// Skills that may be named; empty: any.
        pub skills: Vec<Text>,
        pub calendars: Vec<Calendar>,
        /// One of a kind at most.
        pub clocks: Vec<Clock>,
    }
}

wire_struct! {
    /// When people work, in local time (routing.md §7). The engine reads its openings, which the edge expands.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Calendar {
        pub name: Text,
        /// Of the IANA time-zone database.
        pub zone: Text,
        pub weekly: Vec<WeeklyOpening>,
        /// Days whose openings are others than those of their weekday.
        pub dates: Vec<DateOpenings>,
    }
}

wire_struct! {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct WeeklyOpening {
        /// 1 is Monday, 7 Sunday.
        pub day: u8,
        /// Minutes from midnight. An end of 1,440 is 24:00; one not after the start is on the next day.
        pub from_minute: u16,
        pub to_minute: u16,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct DateOpenings {
        /// 24 December 2026 is 20261224.
        pub date: u32,
        /// None: a holiday.
        pub openings: Vec<DayOpening>,
    }
}

wire_struct! {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct DayOpening {
        pub from_minute: u16,
        pub to_minute: u16,
    }
}

wire_struct! {
    /// How long something of a conversation may take, and what happens when it does (routing.md §7).
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Clock {
        pub kind: ClockKind,
        /// It counts while this is open. Empty: the queue's; `always`: every moment.
        pub calendar: Text,
        /// Where none of `targets` fits; 0: none.
        pub target_ms: u64,
        /// First match wins.
        pub targets: Vec<Target>,
        /// Percents of the target at which it warns: 1-99, rising.
        pub warn_percent: Vec<u16>,
        /// None: its kind's usual ones.
        pub pause_on: Option<Vec<PauseOn>>,
        /// By `percent`, rising.
        pub levels: Vec<ClockLevel>,
    }
}

wire_struct! {
    /// A target for some: what is empty fits all.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Target {
        pub queue: Text,
        pub tier: Text,
        pub channel: Text,
        /// At least 1.
        pub target_ms: u64,
    }
}

wire_struct! {
    /// What happens at a share of a clock's target, in the order of the fields.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct ClockLevel {
        /// Of the target, 1-1,000; 100 is the breach.
        pub percent: u16,
        /// 0-9, of the conversation from then on; it never falls by this.
        pub priority: u8,
        /// One that waits takes its next relaxation step at once.
        pub relax: bool,
        /// Agents to notify.
        pub notify: Vec<Text>,
        /// Taken from its owner where another could take it now.
        pub reassign: bool,
        /// Where one that nobody owns goes; empty: it stays.
        pub queue: Text,
        /// The level of its queue's ladder that it climbs to; 0: none.
        pub escalate: u8,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Team {
        pub name: Text,
        /// Of its agents that have none of their own; empty: every queue.
        pub memberships: Vec<Membership>,
    }
}

wire_struct! {
    /// An agent's part in a queue (routing.md §3).
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Membership {
        pub queue: Text,
        /// 1-9, default 5: a freeing agent serves lower ones first.
        pub priority: u8,
        /// 1-9, default 5: a contact goes to the lowest rank present.
        pub rank: u8,
        /// A contact reaches him only after so long in the queue.
        pub delay_ms: u64,
        /// Units that conversations of this queue may take of him; 0: no limit of its own.
        pub max_units: u32,
    }
}

wire_struct! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct WrapUp {
        pub mode: WrapUpMode,
        pub units: u32,
        pub max_ms: u64,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Exit {
        pub kind: ExitKind,
        /// Of `queue`: which; of `deflect`: the reason to give.
        pub text: Text,
    }
}

wire_struct! {
    /// A relaxation step: what it asks instead, after so long in the queue (routing.md §4).
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Step {
        pub after_ms: u64,
        /// Skills no longer required.
        pub drop: Vec<Text>,
        /// Levels required from here on.
        pub lower: Vec<SkillLevel>,
        /// Teams that may serve from here on, instead of the queue's. None: as before. Empty: everybody.
        pub teams: Option<Vec<Text>>,
        /// Added to the head start.
        pub head_start_ms: u64,
        /// Leaves for this queue; empty: stays.
        pub overflow: Text,
        /// Only where nobody who could serve the step before is online.
        pub only_if_nobody_online: bool,
    }
}

wire_struct! {
    /// A level of escalation (routing.md §6).
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Rung {
        /// 1-9.
        pub level: u8,
        /// 0-9, of the conversation from then on; it never falls by this.
        pub priority: u8,
        /// Where it goes; empty: it stays.
        pub queue: Text,
        /// Agents to notify.
        pub notify: Vec<Text>,
    }
}

wire_struct! {
    /// A tier's conversations ring a part of the agents first (routing.md §4).
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct FirstRing {
        /// Only this team; empty: any.
        pub team: Text,
        pub seniority_at_least: u8,
        pub for_ms: u64,
    }
}

wire_struct! {
    /// A channel's own limit of an agent.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct ChannelLimit {
        pub channel: Text,
        /// Conversations at once; at least 1.
        pub max: u32,
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
        /// Conversations of this channel that one agent may hold at once; 0: no limit but his units.
        pub limit: u32,
        /// Channels whose conversations may come in while one of this channel is held. None: the default, nothing on a
        /// live one, everything on an async one. More of the same channel is a matter of its units.
        pub interrupts: Option<Vec<Text>>,
        /// After an agent was given something, nothing of this channel for so long.
        pub min_gap_ms: u64,
        pub wrap_up: WrapUp,
        pub on_offline: OnOffline,
        pub offline_grace_ms: u64,
        pub owner_absent: OwnerAbsent,
        /// Of `wait` and `until_next_shift`.
        pub owner_absent_ms: u64,
        /// Live: a contact open for longer is stale; 0 is refused.
        pub max_open_ms: u64,
        /// Async, turn ours: escalates; 0 is refused.
        pub owner_silent_ms: u64,
        /// Async, turn theirs: resolves; 0 is refused.
        pub close_after_ms: u64,
        /// Units of a conversation whose customer is to write next, after `their_turn_after_ms`.
        pub their_turn_units: u32,
        pub their_turn_after_ms: u64,
        /// Async: free replies are possible for so long after the customer's last message; 0: always.
        pub reply_window_ms: u64,
    }
}

wire_struct! {
    /// Our address that was contacted.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Entry {
        pub name: Text,
        pub queue: Text,
        /// A bot answers first.
        pub bot: bool,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Tier {
        pub name: Text,
        /// Its customers stand in line as if they had arrived this much earlier.
        pub head_start_ms: u64,
        /// Strict class 1-9, lower first; 0: none, and that is the last.
        pub class: u8,
        pub first_ring: Option<FirstRing>,
    }
}

wire_struct! {
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
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
        /// Counted by `most_skilled` after the required ones; never required.
        pub preferred_skills: Vec<SkillLevel>,
        /// Teams that may serve; empty: everybody.
        pub teams: Vec<Text>,
        /// An agent has so long to accept; 0: no offers, work is assigned.
        pub accept_ms: u64,
        pub on_all_declined: RoundEnd,
        /// Of `queue`: where to.
        pub all_declined_queue: Text,
        /// The pause before the next round.
        pub round_ms: u64,
        /// By `after_ms`, rising.
        pub steps: Vec<Step>,
        /// The last owner or account owner is waited for so long; 0: not at all.
        pub preferred_ms: u64,
        /// Of `manual`.
        pub pick: Pick,
        /// Of `manual`: after so long unclaimed, `unclaimed_strategy` assigns; 0: never.
        pub unclaimed_ms: u64,
        pub unclaimed_strategy: Strategy,
        /// Conversations that wait at most; 0: no limit.
        pub max_waiting: u32,
        /// Longest wait in this queue; 0: no limit.
        pub max_wait_ms: u64,
        /// After closing, who waits may still be served for so long.
        pub drain_after_close_ms: u64,
        pub on_full: Exit,
        pub on_max_wait: Exit,
        pub on_closed: Exit,
        pub on_unstaffed: Exit,
        pub on_unservable: Exit,
        /// A reply of a person who does not own it, where nobody does, makes him the owner. Off: refuses it.
        pub replies_do_not_claim: bool,
        /// Instead of the channel's.
        pub wrap_up: Option<WrapUp>,
        /// A transfer needs a note or summary.
        pub context_required: bool,
        pub ladder: Vec<Rung>,
        /// Its business hours; empty: always open.
        pub calendar: Text,
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
        /// 0-10.
        pub seniority: u8,
        /// Channels he serves; empty: all.
        pub channels: Vec<Text>,
        pub limits: Vec<ChannelLimit>,
        /// Empty: his team's, and without any a member of every queue.
        pub memberships: Vec<Membership>,
        /// The calendar in which he works; empty: always.
        pub shifts: Text,
    }
}

/// The name of a clock's calendar that is none: every moment counts.
pub const ALWAYS: &str = "always";

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
    pub const TEAMS: usize = 1_000;
    pub const SKILLS: usize = 16_384;
    pub const MEMBERSHIPS: usize = 1_000;
    /// Priority and rank of a membership, level of an escalation, strict class.
    pub const NINE: u8 = 9;
    pub const STEPS: usize = 16;
    pub const RUNGS: usize = 9;
    pub const NOTIFY: usize = 16;
    pub const SENIORITY: u8 = 10;
    /// Queues that one step may overflow through.
    pub const HOPS: usize = 8;
    pub const NOTE_BYTES: usize = 4_096;
    pub const NOTES: usize = 32;
    pub const MENTIONS: usize = 16;
    /// Holds that an agent may have at once.
    pub const HOLDS: usize = 10_000;
    /// External engagements of one agent.
    pub const ENGAGEMENTS: usize = 64;
    /// Blocked customers, account owners and linked identities that a workspace keeps, each.
    pub const CUSTOMERS: usize = 100_000;
    pub const CALENDARS: usize = 64;
    /// Eight of each weekday.
    pub const WEEKLY_OPENINGS: usize = 56;
    /// Dates of a calendar that are not as their weekday.
    pub const DATES: usize = 1_000;
    pub const OPENINGS_OF_DATE: usize = 8;
    /// Of one expansion of 402 days: eight a day stay below it.
    pub const OPENINGS: usize = 4_096;
    pub const TARGETS: usize = 1_000;
    pub const CLOCK_LEVELS: usize = 16;
    /// Of a clock's target.
    pub const PERCENT: u16 = 1_000;
}

impl Policy {
    /// The channels of the field with their usual nature; a policy's own entry of the same name replaces one.
    pub fn standard_channels() -> Vec<Channel> {
        let live = |name: &str, exclusive, units| Channel { units, exclusive, ..Channel::of_nature(name, true) };
        let asynchronous = |name: &str| Channel::of_nature(name, false);
        let windowed = |name: &str| Channel { reply_window_ms: 86_400_000, ..Channel::of_nature(name, false) };
        alloc::vec![
            live("voice", true, 1),
            live("video", true, 1),
            live("chat", false, 1),
            asynchronous("email"),
            windowed("whatsapp"),
            windowed("facebook"),
            windowed("instagram"),
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

impl Channel {
    /// A live or async channel with the defaults of routing.md §2 and §3.
    pub fn of_nature(name: &str, live: bool) -> Channel {
        Channel {
            name: name.into(),
            live,
            units: 1,
            exclusive: false,
            short_abandon_ms: 5_000,
            limit: 0,
            interrupts: None,
            min_gap_ms: if live { 0 } else { 10_000 },
            wrap_up: WrapUp::default(),
            on_offline: OnOffline::Keep,
            offline_grace_ms: 0,
            owner_absent: OwnerAbsent::Wait,
            owner_absent_ms: 300_000,
            max_open_ms: 14_400_000,
            owner_silent_ms: 86_400_000,
            close_after_ms: 604_800_000,
            their_turn_units: 0,
            their_turn_after_ms: 0,
            reply_window_ms: 0,
        }
    }
}

impl Membership {
    /// As one is without settings of its own.
    pub fn of(queue: &str) -> Membership {
        Membership { queue: queue.into(), priority: 5, rank: 5, delay_ms: 0, max_units: 0 }
    }
}

impl AgentConfig {
    /// As `Policy::faults`.
    pub fn faults(&self) -> Vec<(String, String)> {
        crate::faults::of_agent(self)
    }
}
