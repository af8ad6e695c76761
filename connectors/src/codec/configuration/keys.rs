//! The keys of a configuration: which there are, what each holds and what it says.
//!
//! Said once. The reader takes these keys and no others, and reads each as what it holds; the JSON Schema of the
//! workspace file is printed from the same lists (`schema`). Bounds are those that `engine::faults` judges by.

use engine::faults::COUNT_MAX;
use engine::policy::{
    ClockKind, ExitKind, OnOffline, OwnerAbsent, PauseOn, Pick, RoundEnd, Strategy, WrapUpMode, limits,
};

/// The keys of one table, in several lists where tables share some.
pub(crate) type Keys = &'static [&'static [Key]];

#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub name: &'static str,
    pub holds: Holds,
    pub required: bool,
    /// For people: a line with the default.
    pub says: &'static str,
}

/// What stands behind a key.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    Flag,
    /// An id of wire.md: 1 to 256 printable ASCII characters without space.
    Name,
    /// 1 to 256 bytes for people.
    Text,
    /// A list of names: at most so many.
    Names(usize),
    /// A whole number, from and to.
    Whole(u64, u64),
    /// A duration; 0 is allowed.
    Seconds,
    /// A duration above 0.
    SomeSeconds,
    /// 0 to 1.
    Share,
    /// One of a list.
    Word(fn() -> Vec<&'static str>),
    /// A list of them, each once.
    Words(fn() -> Vec<&'static str>),
    /// A list of whole numbers, from and to, and at most so many.
    Numbers(u64, u64, usize),
    /// Opening hours of a week: texts like `mon-fri 09:00-18:00`, at most so many.
    WeeklyOpenings(usize),
    /// Opening hours of one day: texts like `09:00-18:00`, at most so many.
    DayOpenings(usize),
    /// A text like `2026-12-24`.
    Date,
    /// Levels of skills by their names.
    Levels,
    /// Whole numbers by names, from and to.
    Wholes(u64, u64),
    /// Texts, numbers and flags by names.
    Attributes,
    Table(Keys),
    /// Tables by names of the workspace's own: at most so many.
    Named(Keys, usize),
    /// A list of tables: at most so many.
    Tables(Keys, usize),
    /// Not configuration, and read elsewhere.
    Anything,
}

use Holds::{
    Anything, Attributes, Date, DayOpenings, Flag, Levels, Name, Named, Names, Numbers, Seconds, Share, SomeSeconds,
    Table, Tables, Text, WeeklyOpenings, Whole, Wholes, Word, Words,
};

const fn key(name: &'static str, holds: Holds, says: &'static str) -> Key {
    Key { name, holds, required: false, says }
}

const fn must(name: &'static str, holds: Holds, says: &'static str) -> Key {
    Key { name, holds, required: true, says }
}

macro_rules! word_of {
    ($words:ident) => {
        Word(|| $words::ALL.iter().map(|word| word.word()).collect())
    };
}

/// The one live condition of a step.
pub(crate) const NOBODY_ONLINE: &str = "nobody_online";

const UNITS_MAX: u64 = limits::UNITS as u64;
const COUNT: Holds = Whole(0, COUNT_MAX as u64);
/// In a file; an event carries a few at a time.
const AGENTS_MAX: usize = 1_000_000;

/// The workspace file.
pub(crate) const WORKSPACE_FILE: Keys = &[
    &[must("workspace", Name, "the workspace's name")],
    POLICY,
    &[key("agent", Tables(&[&[must("id", Name, "the agent's id")], AGENT], AGENTS_MAX), "an agent")],
];

/// The data of `workspace.configure`.
pub(crate) const WORKSPACE_CONFIGURE: Keys = &[
    &[
        key("actor", Anything, "who sends it"),
        key("expected_version", Whole(0, u64::MAX), "refused unless this version is in force"),
    ],
    POLICY,
];

/// The data of `agent.configure`.
pub(crate) const AGENT_CONFIGURE: Keys = &[
    &[
        key("agent", Name, "the agent's id"),
        key("actor", Anything, "who sends it"),
        key("expected_version", Whole(0, u64::MAX), "refused unless this version is in force"),
    ],
    AGENT,
];

/// Of an actor, what decides.
pub(crate) const ACTOR: &[Key] = &[key("kind", Text, "what he is"), key("id", Name, "who he is")];

const POLICY: &[Key] = &[
    must("version", Whole(1, u64::MAX), "a number that rises with each change, from 1 on"),
    key("test", Flag, "may run on a scaled clock; default false"),
    key("default_units", Whole(1, UNITS_MAX), "capacity of an agent configured without units; default 1"),
    key("reopen_window_s", Seconds, "a message so long after the last resolve reopens; default 259200, three days"),
    key("idle_reset_s", Seconds, "an away shorter than this leaves the agent's place by idleness; default 60"),
    key("decline_limit", COUNT, "consecutive declines that make an agent not_responding; 0 never, default 3"),
    key("not_responding_s", Seconds, "not_responding ends by itself after so long; 0 never, the default"),
    key("lease_grace_s", Seconds, "presence is extended once by this after a restart and in a storm; default 60"),
    key("bot_max_s", SomeSeconds, "a bot's conversation is handed off after so long; default 3600"),
    key("max_transfers", COUNT, "more transfers than this escalate; default 3"),
    key("priority_head_start_s", Seconds, "head start of one step of priority, 0-9; default 60"),
    key(
        "strict_max_wait_s",
        Seconds,
        "who waits so long in a queue is promoted to the first class; 0 never, the default",
    ),
    key("skills", Names(limits::SKILLS), "the skills there are; left out, any name is one"),
    key("channel", Named(CHANNEL, limits::CHANNELS), "a channel's settings; the standard ones need none"),
    key("entry", Named(ENTRY, limits::ENTRIES), "an address of ours that customers contact"),
    key("team", Named(TEAM, limits::TEAMS), "a team of agents"),
    key("tier", Named(TIER, limits::TIERS), "a class of customers"),
    key("queue", Tables(QUEUE, limits::QUEUES), "a queue; there is at least one"),
    key("rule", Tables(RULE, limits::RULES), "where a contact goes: the first that matches; one has no `when`"),
    key("calendar", Tables(CALENDAR, limits::CALENDARS), "when people work, in local time"),
    key("clock", Tables(CLOCK, ClockKind::ALL.len()), "how long something may take, and what happens when it does"),
];

const CALENDAR: Keys = &[&[
    must("name", Name, "by which queues, agents, clocks and rules name it"),
    must("zone", Name, "a time zone of the IANA database, like Europe/Berlin"),
    key(
        "open",
        WeeklyOpenings(limits::WEEKLY_OPENINGS),
        "days and hours, like `mon-fri 09:00-18:00`; an end at or before its begin is on the next day",
    ),
    key("dates", Tables(CALENDAR_DATE, limits::DATES), "days that are not as their weekday"),
]];

const CALENDAR_DATE: Keys = &[&[
    must("date", Date, "like 2026-12-24"),
    key("open", DayOpenings(limits::OPENINGS_OF_DATE), "hours, like `09:00-12:00`; left out, a holiday"),
]];

const CLOCK: Keys = &[&[
    must("kind", word_of!(ClockKind), "what it measures; one clock of a kind"),
    key(
        "calendar",
        Name,
        "counts while this is open; `always` at every moment; default the queue's; a reply_window has none",
    ),
    key(
        "target_s",
        Seconds,
        "the target where none of `targets` fits; 0 none, the default; a reply_window: its channel's",
    ),
    key("targets", Tables(TARGET, limits::TARGETS), "targets of some conversations: the first that fits"),
    key("warn_percent", Numbers(1, 99, limits::CLOCK_LEVELS), "warns at these shares of the target, rising"),
    key(
        "pause_on",
        Words(|| PauseOn::ALL.iter().map(|word| word.word()).collect()),
        "stands still while it is so; default of a resolution snoozed and parked, of the others nothing",
    ),
    key("level", Tables(CLOCK_LEVEL, limits::CLOCK_LEVELS), "what happens at a share of the target"),
]];

const TARGET: Keys = &[&[
    key("queue", Name, "in this queue"),
    key("tier", Name, "of a customer of this tier"),
    key("channel", Name, "on this channel"),
    must("target_s", SomeSeconds, "it may take so long"),
]];

const CLOCK_LEVEL: Keys = &[&[
    must(
        "percent",
        Whole(1, limits::PERCENT as u64),
        "at this share of the target; 100 is the breach, and more is allowed",
    ),
    key("priority", Whole(0, 9), "its priority from then on, if that is higher"),
    key("relax", Flag, "one that waits takes its next relaxation step; default false"),
    key("notify", Names(limits::NOTIFY), "agents to notify"),
    key("reassign", Flag, "is taken from its owner where another could take it now; default false"),
    key("queue", Name, "where one that waits goes; left out, it stays"),
    key("escalate", Whole(1, 9), "climbs to this level of its queue's escalation"),
]];

const CHANNEL: Keys = &[&[
    key("live", Flag, "the customer is there while he waits; must be said of what is no standard channel"),
    key("units", Whole(1, UNITS_MAX), "capacity that one conversation takes; default 1"),
    key("exclusive", Flag, "while an agent holds one, nothing is added; default: voice and video"),
    key("short_abandon_s", Seconds, "an abandon sooner than this is a short one; default 5"),
    key("limit", Whole(0, UNITS_MAX), "conversations that one agent may hold at once; 0 no limit, the default"),
    key(
        "interrupts",
        Names(limits::CHANNELS),
        "channels that may come in while one is held; default: async all, live none",
    ),
    key("min_gap_s", Seconds, "pause after an agent was given something; default: live 0, async 10"),
    key("wrap_up", Table(WRAP_UP), "work after a conversation; default none"),
    key("on_offline", Table(ON_OFFLINE), "async: open work of an owner who goes offline; default keep"),
    key("owner_absent", Table(OWNER_ABSENT), "async: the customer writes and the owner is not online"),
    key("max_open_s", SomeSeconds, "live: a contact open for longer is stale; default 14400"),
    key("owner_silent_s", SomeSeconds, "async, our turn: escalates after so long; default 86400"),
    key("close_after_s", SomeSeconds, "async, the customer's turn: resolves after so long; default 604800"),
    key("their_turn_units", Whole(0, UNITS_MAX), "async: capacity taken in the customer's turn; default 0"),
    key("their_turn_after_s", Seconds, "async: `their_turn_units` count after so long; default 0, at once"),
    key(
        "reply_window_s",
        Seconds,
        "async: free replies are possible so long after the customer's last message; 0 always, the default; whatsapp, \
            facebook and instagram 86400",
    ),
]];

const WRAP_UP: Keys = &[&[
    must(
        "mode",
        word_of!(WrapUpMode),
        "none, optional (ends early), timed (its whole time) or mandatory (until completed)",
    ),
    key("units", Whole(0, UNITS_MAX), "capacity it takes; default: the channel's units; a queue's must say it"),
    key("max_s", SomeSeconds, "it ends after so long; needed unless the mode is none"),
]];

const ON_OFFLINE: Keys = &[&[
    must("then", word_of!(OnOffline), "keep, return (queued again, he is preferred) or reassign (without him)"),
    key("after_s", Seconds, "grace before that; default 0"),
]];

const OWNER_ABSENT: Keys = &[&[
    must(
        "mode",
        word_of!(OwnerAbsent),
        "wait, until_next_shift (until he works again) or return (queued again at once, he is preferred)",
    ),
    key("for_s", SomeSeconds, "he is waited for so long at most; default 300; not with return"),
]];

const ENTRY: Keys = &[&[
    must("queue", Name, "where its contacts go where no rule says else"),
    key("bot", Flag, "a bot answers first; default false"),
]];

const TEAM: Keys = &[&[key(
    "memberships",
    Tables(MEMBERSHIP, limits::MEMBERSHIPS),
    "of its agents that have none of their own; none: every queue",
)]];

const MEMBERSHIP: Keys = &[&[
    must("queue", Name, "a queue he serves"),
    key("priority", Whole(1, 9), "a freeing agent serves lower ones first; default 5"),
    key("rank", Whole(1, 9), "a contact goes to the lowest rank present; default 5"),
    key("delay_s", Seconds, "a contact reaches him only after so long in the queue; default 0"),
    key("max_units", Whole(0, UNITS_MAX), "capacity that this queue may take of him; 0 no limit, the default"),
]];

const TIER: Keys = &[&[
    key("head_start_s", Seconds, "its customers stand in line as if they had come so much earlier; default 0"),
    key("class", Whole(1, 9), "strict class: all of a lower one go first; default none, which is the last"),
    key("first_ring", Table(FIRST_RING), "a part of the agents gets its conversations first"),
]];

const FIRST_RING: Keys = &[&[
    key("team", Name, "this team first; or `seniority_at_least`"),
    key("seniority_at_least", Whole(1, limits::SENIORITY as u64), "agents of so much seniority first; or `team`"),
    must("for_s", SomeSeconds, "after so long anybody"),
]];

const QUEUE: Keys = &[&[
    must("name", Name, "the queue's name"),
    key("strategy", word_of!(Strategy), "how it picks among its eligible agents; default longest_idle"),
    key("skills", Levels, "required of an agent, all of them, at least at these levels"),
    key("service_level_s", Seconds, "the service level's threshold; default 20"),
    key("service_level_goal", Share, "the share that shall be answered within it; default 0.8"),
    key("preferred_skills", Levels, "counted by most_skilled after the required ones; never required"),
    key("teams", Names(limits::TEAMS), "teams that may serve; default everybody"),
    key("accept_s", Seconds, "an agent has so long to accept an offer; 0 no offers, work is assigned, the default"),
    key("on_all_declined", Table(ON_ALL_DECLINED), "all who could have taken an offer declined it"),
    key("step", Tables(STEP, limits::STEPS), "asks for less after so long in the queue"),
    key("preferred_s", Seconds, "the last owner or account owner is waited for so long; 0 not at all, the default"),
    key("pick", word_of!(Pick), "manual: which an agent may claim; default any"),
    key("unclaimed_s", Seconds, "manual: after so long `unclaimed_strategy` assigns; 0 never, the default"),
    key("unclaimed_strategy", Word(assigning), "manual: what assigns then; default longest_idle"),
    key("max_waiting", COUNT, "so many wait at most; 0 no limit, the default"),
    key("max_wait_s", Seconds, "longest wait in this queue; 0 no limit, the default"),
    key("drain_after_close_s", Seconds, "who waits at closing may still be served for so long; default 0"),
    key("on_full", Table(EXIT), "`max_waiting` is reached; default deflect"),
    key("on_max_wait", Table(EXIT), "`max_wait_s` is over; default deflect"),
    key("on_closed", Table(EXIT), "the queue is closed; default wait"),
    key("on_unstaffed", Table(EXIT), "no member is online; default wait"),
    key("on_unservable", Table(EXIT), "no agent there is could ever serve it; default wait"),
    key("reply_claims", Flag, "who replies to what nobody owns becomes its owner; default true"),
    key("wrap_up", Table(WRAP_UP), "instead of the channel's"),
    key("context_required", Flag, "a transfer needs a note or summary; default false"),
    key("escalation", Tables(ESCALATION, limits::RUNGS), "a level of escalation"),
    key("calendar", Name, "its business hours; default always open"),
]];

/// Every strategy but the one that assigns nothing.
fn assigning() -> Vec<&'static str> {
    Strategy::ALL.iter().filter(|strategy| **strategy != Strategy::Manual).map(|strategy| strategy.word()).collect()
}

const ON_ALL_DECLINED: Keys = &[&[
    must("then", word_of!(RoundEnd), "again (a next round), relax (the next step at once), queue or park"),
    key("queue", Name, "of queue: which"),
    key("after_s", SomeSeconds, "of again and relax: pause before the next round; default 30"),
]];

const STEP: Keys = &[&[
    must("after_s", SomeSeconds, "after so long in the queue; later than the step before"),
    key("drop", Names(limits::SKILLS_OF_ONE), "skills no longer required"),
    key("lower", Levels, "levels required from here on"),
    key("teams", Names(limits::TEAMS), "teams that may serve from here on; an empty list: everybody"),
    key("head_start_s", Seconds, "stands in line as if it had come so much earlier"),
    key("overflow", Name, "leaves for this queue"),
    key("only_if", Word(|| vec![NOBODY_ONLINE]), "only where nobody who could serve the step before is online"),
]];

const EXIT: Keys = &[&[
    must("then", word_of!(ExitKind), "wait, queue (another one), deflect, park or close"),
    key("queue", Name, "of queue: which"),
    key("reason", Text, "of deflect: what the customer's channel is told; default the exit's name"),
]];

const ESCALATION: Keys = &[&[
    must("level", Whole(1, 9), "the level"),
    key("priority", Whole(0, 9), "its priority from then on, if that is higher"),
    key("queue", Name, "where it goes; left out, it stays"),
    key("notify", Names(limits::NOTIFY), "agents to notify"),
]];

const RULE: Keys = &[&[
    key("when", Table(WHEN), "all must hold; the one rule without is the default"),
    must("queue", Name, "where it goes"),
]];

const WHEN: Keys = &[&[
    key("channel", Name, "on this channel"),
    key("entry", Name, "to this address of ours"),
    key("tier", Name, "from a customer of this tier"),
    key("language", Name, "in this language"),
    key("attributes", Attributes, "with these attributes"),
    key("open", Name, "while this calendar is open"),
    key("closed", Name, "while this calendar is closed"),
]];

const AGENT: &[Key] = &[
    key("team", Name, "his team; default none"),
    key("skills", Levels, "what he can, by level"),
    key("weight", Whole(1, limits::WEIGHT as u64), "his part in weighted_round_robin; default 1"),
    key("units", Whole(1, UNITS_MAX), "his capacity; default the workspace's `default_units`"),
    key("seniority", Whole(0, limits::SENIORITY as u64), "for a tier's first ring; default 0"),
    key("channels", Names(limits::CHANNELS), "channels he serves; default all"),
    key("limits", Wholes(1, UNITS_MAX), "conversations at once by channel"),
    key("memberships", Tables(MEMBERSHIP, limits::MEMBERSHIPS), "queues he serves; default his team's, else all"),
    key("shifts", Name, "the calendar in which he works: outside of it he gets nothing new; default always"),
];

/// Every key of a workspace file, once.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = all(WORKSPACE_FILE).iter().map(|key| key.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The keys of a table and of all tables in it.
pub(crate) fn all(keys: Keys) -> Vec<Key> {
    let mut found = Vec::new();
    for key in keys.iter().copied().flatten() {
        found.push(*key);
        if let Table(keys) | Named(keys, _) | Tables(keys, _) = key.holds {
            found.extend(all(keys));
        }
    }
    found
}

/// The tables in which a key stands, as a file writes them: for whoever put it into another one.
pub(crate) fn homes(name: &str) -> Vec<String> {
    let mut homes = Vec::new();
    look_for(name, WORKSPACE_FILE, "", "the top of the file", &mut homes);
    homes
}

/// `header` is the table's name between brackets.
fn look_for(name: &str, keys: Keys, header: &str, table: &str, homes: &mut Vec<String>) {
    let dot = if header.is_empty() { "" } else { "." };
    for key in keys.iter().copied().flatten() {
        if key.name == name {
            homes.push(table.to_string());
        }
        let own = format!("{header}{dot}{}", key.name);
        match key.holds {
            Table(keys) => look_for(name, keys, &own, &format!("`{}` of {table}", key.name), homes),
            Named(keys, _) => look_for(name, keys, &format!("{own}.NAME"), &format!("[{own}.NAME]"), homes),
            Tables(keys, _) => look_for(name, keys, &own, &format!("[[{own}]]"), homes),
            _ => {}
        }
    }
}
