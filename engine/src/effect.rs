//! Effects: every change of the engine's state, as recorded.
//!
//! `Stepping::effect` is the one door: it records an effect and applies it. Recovery applies recorded ones and decides
//! nothing. Variants hold numbers; text stands only in `Named`, `Noted`, `Engaged` and in the two configurations.
//! A tag's meaning never changes and fields are only appended (`wire.rs`).

use crate::calendar::Opening;
use crate::decision::{Outcome, Reason, Turn};
use crate::input::{By, Control, Status};
use crate::policy::{AgentConfig, ClockKind, Policy};
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
        Team = 10 "team",
        /// A source of leases.
        Source = 11 "source",
        Calendar = 12 "calendar",
    }
}

words! {
    /// Each entity has at most one timer of a kind.
    #[derive(Default)]
    pub enum TimerKind {
        /// Conversation, live: open for too long.
        #[default]
        Open = 0 "open",
        /// Conversation: the bot's, snooze's or park's end, and what the owner's or customer's silence leads to.
        Turn = 1 "turn",
        /// Conversation: all that waiting leads to, and the offer's end.
        Wait = 2 "wait",
        /// Agent: the first of his leases to run out.
        Lease = 3 "lease",
        Pace = 4 "pace",
        /// Agent: the first of his wrap-ups to end.
        Wrap = 5 "wrap",
        /// Agent: `not_responding` ends.
        Respond = 6 "respond",
        /// Agent: the grace of one who went offline is over.
        Away = 7 "away",
        /// Queue: its control, the draining after it, or its calendar's state ends.
        Control = 8 "control",
        /// Conversation: the next threshold of its clocks.
        Clock = 9 "clock",
        /// Agent: his shift begins or ends.
        Shift = 10 "shift",
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

wire_struct! {
    /// What a set asks of its agents (routing.md §4).
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct Requirement {
        /// By skill.
        pub skills: Vec<SkillSlot>,
        /// By slot; none: any team.
        pub teams: Vec<u32>,
        /// A tier's first ring: its team (slot + 1, 0: any) and seniority.
        pub ring_team: u32,
        pub ring_seniority: u8,
        /// Nobody claimed it in time: the queue's other strategy serves it.
        pub unclaimed: bool,
    }
}

wire_struct! {
    /// All that makes a conversation's place in line.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Waiting {
        /// 0 is before all classes: promoted.
        pub class: u8,
        /// Relaxation step.
        pub step: u8,
        /// Steps that were passed by, a bit each.
        pub skipped: u32,
        /// Of the steps taken.
        pub step_head_start_ms: u64,
        /// Members of a longer delay are not reached yet.
        pub stage_ms: u64,
        /// The tier's first ring is on.
        pub ring: bool,
        pub unclaimed: bool,
        /// It has a preferred agent, who could not be waited for.
        pub absent: bool,
        /// Held for this agent (slot + 1, 0: nobody) until then.
        pub only: u32,
        pub only_until: u64,
        /// Where it goes when that ends (queue slot + 1, 0: stays).
        pub fallback: u32,
        /// Who gave it away (slot + 1): the last to get it.
        pub giver: u32,
        /// Who declined it in this round.
        pub declined: Vec<u32>,
        /// All have: a next round begins then; 0: there are some left.
        pub paused_until: u64,
    }
}

words! {
    #[derive(Default)]
    pub enum ClockStatus {
        #[default]
        Off = 0 "off",
        Running = 1 "running",
        Paused = 2 "paused",
    }
}

wire_struct! {
    /// A clock of a conversation.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct ClockRow {
        pub status: ClockStatus,
        /// Rises by one at each start.
        pub generation: u32,
        /// ms UTC: from when the customer waits.
        pub started_at: u64,
        /// ms UTC: from when it counts in the present stretch.
        pub since: u64,
        /// Business milliseconds of the stretches before.
        pub counted_ms: u64,
        pub target_ms: u64,
        /// The highest percent of the target that has fired in this generation, and when.
        pub fired: u16,
        pub fired_at: u64,
        /// What it runs for: the entry into a queue, the customer's last message.
        pub mark: u64,
        /// Whose openings the present stretch counts in; `NONE`: always.
        pub calendar: u32,
    }
}

wire_struct! {
    /// After-call work of the owner of what ends: a hold that outlives it. `until` 0: none.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct WrapUpHold {
        pub units: u32,
        pub until: u64,
        pub timed: bool,
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
        6 => SetOpened { workspace: u32, set: u32, queue: u32, channel: u32, skills: Vec<SkillSlot>, teams: Vec<u32>, ring_team: u32, ring_seniority: u8, unclaimed: bool },
        /// Its slot is given up, to be opened again as another.
        7 => SetClosed { workspace: u32, set: u32 },
        8 => Presence {
            agent: u32,
            source: u128,
            status: Status,
            by: By,
            session: Option<u128>,
            sequence: Option<u64>,
            /// The lease's term; 0: it does not run out.
            term_ms: u64,
            /// Channels by slot, a bit each, where it names some.
            channels: Option<u64>,
        },
        /// A conversation begins; its names follow as `Named`. `began_at`: its first message.
        9 => Opened { conversation: u32, workspace: u32, channel: u32, entry: u32, tier: u32, hash: u128, identity: u128, customer: u128, source: u128, began_at: u64 },
        /// It stands in line, or its place there changes. `enters`: it has come into this queue.
        10 => Queued { conversation: u32, queue: u32, set: u32, rule: u32, arrival: u64, queued_at: u64, head_start_ms: u64, waiting: Waiting, enters: bool },
        /// Ownership, epoch + 1, and its hold. An owner before loses his, an offer is over. `given`: by the engine's choice,
        /// so the agent's pace starts.
        11 => Assigned { conversation: u32, agent: u32, units: u32, exclusive: bool, over: bool, given: bool },
        /// The weighted rotation of a set picked an agent, while those `frozen` were no candidates of this pick.
        12 => Picked { workspace: u32, set: u32, agent: u32, frozen: Vec<u32> },
        /// An async conversation is done; it stays for its reopen window.
        13 => Resolved { conversation: u32, wrap_up: WrapUpHold },
        /// Epoch + 1; `Queued` or `Assigned` follows.
        14 => Reopened { conversation: u32, tier: u32, began_at: u64 },
        /// It leaves the state; its link is kept.
        15 => Ended { conversation: u32, wrap_up: WrapUpHold },
        /// The outcome of an event, for the idempotency memory.
        16 => Remembered { key: u128, idx: u32, outcome: Outcome, code: Reason },
        /// An input that could not be decoded or placed (Kafka); the state does not change.
        17 => DeadLettered { offset: u64, reason: Box<str> },
        /// A policy's cursor: the next conversation to look at; none: it is done.
        18 => Reviewed { workspace: u32, next: Option<u32> },
        /// The skills that the event itself asked for; kept with the conversation, whatever its queue asks later.
        19 => Asked { conversation: u32, skills: Vec<SkillSlot> },
        /// The next arm number goes to this timer; `at` 0: it is stopped.
        20 => Armed { timer: TimerKind, workspace: u32, slot: u32, at: u64 },
        /// A bot has it.
        21 => BotTook { conversation: u32, queue: u32, rule: u32 },
        /// Asked of an agent: a hold of its own. `warm`: the owner keeps it meanwhile.
        22 => Offered { conversation: u32, agent: u32, offer: u64, units: u32, exclusive: bool, preferred: bool, warm: bool },
        /// The open offer is over; what waits goes back to its line by the `Queued` that follows.
        23 => OfferEnded { conversation: u32 },
        /// The owner's hold ends; `Queued` or `Parked` follows.
        24 => Unassigned { conversation: u32 },
        25 => Turned { conversation: u32, turn: Turn, answered: bool, arrival: u64 },
        /// The units of the owner's hold are others from now on.
        26 => Resized { conversation: u32, units: u32 },
        27 => Snoozed { conversation: u32 },
        /// Its owner goes on with it; without one `Queued` follows.
        28 => Woken { conversation: u32 },
        29 => Parked { conversation: u32, reason: Reason },
        /// A wrap-up or an external engagement is over.
        31 => HoldEnded { hold: u32 },
        32 => Engaged { agent: u32, hash: u128, channel: u32, units: u32, exclusive: bool, text: Box<str> },
        /// Facts of a conversation that only count.
        33 => Marked { conversation: u32, tier: u32, priority: u8, level: u8, transfers: u32, alarmed: bool },
        34 => Noted { conversation: u32, at: u64, by: Box<str>, text: Box<str> },
        /// Ids and identities of `from` lead to `into`; `Ended` of `from` follows.
        35 => Merged { from: u32, into: u32 },
        36 => Linked { workspace: u32, customer: u128, other: u128, is: bool },
        37 => Blocked { workspace: u32, customer: u128, is: bool },
        38 => AccountOwner { workspace: u32, customer: u128, agent: Option<u32> },
        39 => Controlled { workspace: u32, queue: u32, control: Control, since: u64, until: u64, draining: bool, shut: bool, turned_at: u64 },
        /// A queue's cursor over those who wait in it, as `Reviewed`.
        40 => Swept { workspace: u32, queue: u32, next: Option<u32>, reason: Reason },
        /// The shard falls behind its log, or has caught up: then the open offers begin to run, by creation.
        41 => Behind { is: bool },
        /// A lease is renewed.
        42 => Renewed { agent: u32, source: u128, sequence: Option<u64> },
        43 => LeaseExpired { agent: u32, source: u128 },
        /// Live leases are extended by so long, from `from` where they are over then, and their timers armed anew, by agent: of one source in a
        /// storm (0: of all, after a claim).
        44 => LeasesExtended { workspace: u32, source: u128, grace_ms: u64, from: u64 },
        /// A supervisor's word on an agent's presence; none: it is lifted.
        45 => Worded { agent: u32, word: Option<Status> },
        /// Consecutive declines, and whether he counts as not responding.
        46 => Responds { agent: u32, declines: u32, not_responding: bool },
        47 => Drained { agent: u32, is: bool },
        /// His open work goes to the successor (slot + 1; 0: back into its queues).
        48 => Removed { agent: u32, successor: u32 },
        /// An offered conversation's class and head start are others from now on.
        50 => Ranked { conversation: u32, class: u8, head_start_ms: u64 },
        /// Since when a customer waits for an answer (0: he does not), whether a person has answered since it came, and,
        /// on channels with a reply window, when the customer wrote last.
        51 => Awaits { conversation: u32, since: u64, responded: bool, wrote_at: u64 },
        52 => ClockSet { conversation: u32, clock: ClockKind, row: ClockRow },
        /// From `from` on a calendar's openings are these; what was known before that stays.
        53 => CalendarExpanded { workspace: u32, calendar: u32, from: u64, until: u64, openings: Vec<Opening> },
        /// An agent's shift has ended, or begun.
        54 => Shifted { agent: u32, off: bool },
        /// Channels on which he is paced, a bit each.
        49 => Paced { agent: u32, channels: u64 },
    }
}
