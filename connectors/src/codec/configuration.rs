//! Policies and agents' configurations out of a tree, and back into JSON: what `workspace.configure`, `agent.configure`
//! and the workspace file have in common.
//!
//! The reader goes on after a fault and collects them all. Shapes (`shape`) are judged by the lists of keys (`keys`), from
//! which the JSON Schema is printed too (`schema`); combinations of keys are judged here, content by `Policy::faults` and
//! `AgentConfig::faults`. Durations come in seconds, whole or broken, and are kept in milliseconds. Tables keyed by a name
//! are put in the order of their names, standard channels first, so that the same policy is the same bytes however its
//! file is ordered.

mod json;
mod keys;
mod schema;
mod shape;
#[cfg(test)]
mod tests;

pub use json::{agent_to_json, policy_to_json};
pub use schema::workspace_schema;

pub(crate) use keys::WORKSPACE_FILE;
pub(crate) use shape::{Reader, ShapeFault, Table, nearest};

use super::decoder::{Event, checked_id, unsupported};
use super::envelope::Text;
use super::node::{Node, Value};
use super::refusal::Refusal;
use crate::calendar::{self, parse_date, parse_span, parse_weekly};
use engine::input::{Actor, Body, EventType};
use engine::policy::{
    AgentConfig, Calendar, Channel, ChannelLimit, Clock, ClockKind, ClockLevel, Condition, DateOpenings, Entry, Exit,
    ExitKind, FirstRing, Membership, OnOffline, OwnerAbsent, PauseOn, Pick, Policy, Queue, RoundEnd, Rule, Rung, Step,
    Strategy, Subject, Target, Team, Tier, WrapUp, WrapUpMode,
};
use keys::{AGENT_CONFIGURE, WORKSPACE_CONFIGURE};
use serde_json::value::RawValue;
use shape::ShapeFaultKind;
use std::borrow::Cow;

/// What holds where a configuration is silent; those of channels are `Channel::of_nature`.
mod usual {
    use engine::policy::{Channel, Exit, ExitKind, OwnerAbsent, Policy};

    pub(super) const DEFAULT_UNITS: u32 = 1;
    pub(super) const REOPEN_WINDOW_MS: u64 = 3 * 24 * 3_600_000;
    pub(super) const IDLE_RESET_MS: u64 = 60_000;
    pub(super) const DECLINE_LIMIT: u32 = 3;
    pub(super) const LEASE_GRACE_MS: u64 = 60_000;
    pub(super) const BOT_MAX_MS: u64 = 3_600_000;
    pub(super) const MAX_TRANSFERS: u32 = 3;
    pub(super) const PRIORITY_HEAD_START_MS: u64 = 60_000;
    pub(super) const SERVICE_LEVEL_MS: u64 = 20_000;
    pub(super) const SERVICE_LEVEL_GOAL_PERMILLE: u16 = 800;
    pub(super) const ROUND_MS: u64 = 30_000;
    /// The mode of `owner_absent` that has no time.
    pub(super) const WITHOUT_WAIT: OwnerAbsent = OwnerAbsent::Return;

    /// A standard channel keeps what it has of its own where its nature allows it; any other is as its nature.
    pub(super) fn channel(name: &str, live: bool) -> Channel {
        let of_nature = Channel::of_nature(name, live);
        match Policy::standard_channels().into_iter().find(|standard| *standard.name == *name) {
            Some(standard) => Channel {
                units: standard.units,
                exclusive: standard.exclusive,
                reply_window_ms: if live { 0 } else { standard.reply_window_ms },
                ..of_nature
            },
            None => of_nature,
        }
    }

    /// Where the limit of an exit is set, what passes it is sent away with the exit's name; else it waits.
    pub(super) fn exit(reason: &str, limited: bool) -> Exit {
        if limited { Exit { kind: ExitKind::Deflect, text: reason.into() } } else { Exit::default() }
    }
}

impl Reader {
    /// A policy from a table that has been judged.
    pub(crate) fn policy(&mut self, table: &Table<'_, '_>) -> Policy {
        let entry = |(name, own): (&str, Table<'_, '_>)| Entry {
            name: name.into(),
            queue: own.name("queue"),
            bot: own.flag("bot").unwrap_or(false),
        };
        let team = |(name, own): (&str, Table<'_, '_>)| Team { name: name.into(), memberships: memberships(&own) };
        Policy {
            version: table.whole("version").unwrap_or(1),
            test: table.flag("test").unwrap_or(false),
            default_units: table.count("default_units").unwrap_or(usual::DEFAULT_UNITS),
            reopen_window_ms: table.ms("reopen_window_s").unwrap_or(usual::REOPEN_WINDOW_MS),
            idle_reset_ms: table.ms("idle_reset_s").unwrap_or(usual::IDLE_RESET_MS),
            decline_limit: table.count("decline_limit").unwrap_or(usual::DECLINE_LIMIT),
            not_responding_ms: table.ms("not_responding_s").unwrap_or(0),
            lease_grace_ms: table.ms("lease_grace_s").unwrap_or(usual::LEASE_GRACE_MS),
            bot_max_ms: table.ms("bot_max_s").unwrap_or(usual::BOT_MAX_MS),
            max_transfers: table.count("max_transfers").unwrap_or(usual::MAX_TRANSFERS),
            priority_head_start_ms: table.ms("priority_head_start_s").unwrap_or(usual::PRIORITY_HEAD_START_MS),
            strict_max_wait_ms: table.ms("strict_max_wait_s").unwrap_or(0),
            skills: table.names("skills").unwrap_or_default(),
            channels: self.channels(table),
            entries: table.named("entry").into_iter().map(entry).collect(),
            teams: table.named("team").into_iter().map(team).collect(),
            tiers: table.named("tier").into_iter().map(|(name, own)| self.tier(name, &own)).collect(),
            queues: table.tables("queue").iter().map(|own| self.queue(own)).collect(),
            rules: table.tables("rule").iter().map(rule).collect(),
            calendars: table.tables("calendar").iter().map(calendar).collect(),
            clocks: table.tables("clock").iter().map(|own| self.clock(own)).collect(),
        }
    }

    fn channels(&mut self, table: &Table<'_, '_>) -> Vec<Channel> {
        let mut channels = Policy::standard_channels();
        for (name, own) in table.named("channel") {
            let standard = channels.iter().position(|channel| *channel.name == *name);
            if standard.is_none() && own.value("live").is_none() {
                let sentence =
                    format!("`{name}` is no standard channel, so it must say `live = true` or `live = false`");
                self.fault(ShapeFaultKind::Missing, own.path_of("live"), sentence, "");
            }
            let channel = self.channel(name, &own, standard.map(|i| &channels[i]));
            match standard {
                Some(i) => channels[i] = channel,
                None => channels.push(channel),
            }
        }
        channels
    }

    fn channel(&mut self, name: &str, own: &Table<'_, '_>, standard: Option<&Channel>) -> Channel {
        let live = own.flag("live").unwrap_or(standard.is_some_and(|channel| channel.live));
        let base = usual::channel(name, live);
        let units = own.count("units").unwrap_or(base.units);
        self.nature(own, live);
        let (on_offline, offline_grace_ms) = match own.table("on_offline") {
            None => (base.on_offline, base.offline_grace_ms),
            Some(own) => {
                (own.word("then", OnOffline::from_word).unwrap_or_default(), own.ms("after_s").unwrap_or_default())
            }
        };
        let (owner_absent, owner_absent_ms) = match own.table("owner_absent") {
            None => (base.owner_absent, base.owner_absent_ms),
            Some(own) => self.owner_absent(&own, base.owner_absent_ms),
        };
        Channel {
            live,
            units,
            exclusive: own.flag("exclusive").unwrap_or(base.exclusive),
            short_abandon_ms: own.ms("short_abandon_s").unwrap_or(base.short_abandon_ms),
            limit: own.count("limit").unwrap_or(base.limit),
            interrupts: own.names("interrupts"),
            min_gap_ms: own.ms("min_gap_s").unwrap_or(base.min_gap_ms),
            wrap_up: own.table("wrap_up").map_or(base.wrap_up, |own| self.wrap_up(&own, Some(units))),
            on_offline,
            offline_grace_ms,
            owner_absent,
            owner_absent_ms,
            max_open_ms: own.ms("max_open_s").unwrap_or(base.max_open_ms),
            owner_silent_ms: own.ms("owner_silent_s").unwrap_or(base.owner_silent_ms),
            close_after_ms: own.ms("close_after_s").unwrap_or(base.close_after_ms),
            their_turn_units: own.count("their_turn_units").unwrap_or(base.their_turn_units),
            their_turn_after_ms: own.ms("their_turn_after_s").unwrap_or(base.their_turn_after_ms),
            reply_window_ms: own.ms("reply_window_s").unwrap_or(base.reply_window_ms),
            name: base.name,
        }
    }

    /// Keys that mean something on live or on async channels only.
    fn nature(&mut self, own: &Table<'_, '_>, live: bool) {
        const OF_LIVE: &[&str] = &["max_open_s"];
        const OF_ASYNC: &[&str] = &[
            "on_offline",
            "owner_absent",
            "owner_silent_s",
            "close_after_s",
            "their_turn_units",
            "their_turn_after_s",
            "reply_window_s",
        ];
        let (keys, sentence) = if live {
            (OF_ASYNC, "has no meaning on a live channel")
        } else {
            (OF_LIVE, "has no meaning on an async channel")
        };
        for key in keys {
            self.misplaced(own, key, sentence, "leave it out");
        }
    }

    fn owner_absent(&mut self, own: &Table<'_, '_>, usual_ms: u64) -> (OwnerAbsent, u64) {
        let mode = own.word("mode", OwnerAbsent::from_word).unwrap_or_default();
        if mode != usual::WITHOUT_WAIT {
            return (mode, own.ms("for_s").unwrap_or(usual_ms));
        }
        self.misplaced(own, "for_s", "`return` gives it back at once", "leave it out, or write `mode = \"wait\"`");
        (mode, 0)
    }

    /// A queue knows no channel's units, so its wrap-up says its own.
    fn wrap_up(&mut self, own: &Table<'_, '_>, channel_units: Option<u32>) -> WrapUp {
        let Some(mode) = own.word("mode", WrapUpMode::from_word) else { return WrapUp::default() };
        if mode == WrapUpMode::None {
            for key in ["units", "max_s"] {
                self.misplaced(own, key, "`mode = \"none\"` has no wrap-up", "leave it out, or name another mode");
            }
            return WrapUp::default();
        }
        self.needed(own, "max_s", "`max_s` is missing: a wrap-up ends after so long", "");
        if channel_units.is_none() {
            let help = "a queue may serve channels of different units, so there is no default";
            self.needed(own, "units", "`units` is missing: the capacity that it takes", help);
        }
        WrapUp { mode, units: own.count("units").or(channel_units).unwrap_or(0), max_ms: own.ms("max_s").unwrap_or(0) }
    }

    fn tier(&mut self, name: &str, own: &Table<'_, '_>) -> Tier {
        if own.whole("class") == Some(0) {
            let sentence = "a class is 1 to 9";
            self.misplaced(own, "class", sentence, "a tier without class is the last: leave it out");
        }
        Tier {
            name: name.into(),
            head_start_ms: own.ms("head_start_s").unwrap_or(0),
            class: own.small("class").unwrap_or(0),
            first_ring: own.table("first_ring").map(|own| FirstRing {
                team: own.name("team"),
                seniority_at_least: own.small("seniority_at_least").unwrap_or(0),
                for_ms: own.ms("for_s").unwrap_or(0),
            }),
        }
    }

    fn queue(&mut self, own: &Table<'_, '_>) -> Queue {
        let (on_all_declined, all_declined_queue, round_ms) = self.round_end(own);
        let strategy = match own.word("strategy", Strategy::from_word) {
            Some(strategy) => strategy,
            // What a wrong word was meant to be is not known, and this one goes with every other key.
            None if own.value("strategy").is_some() => Strategy::Manual,
            None => Strategy::default(),
        };
        self.pull(own, strategy);
        // A limit of a wrong type has been noted, and is some limit.
        let some = |key: &str| u32::from(own.value(key).is_some());
        let max_waiting = own.count("max_waiting").unwrap_or(some("max_waiting"));
        if max_waiting == 0 {
            let sentence = "is used with `max_waiting` only: without it the queue is never full";
            self.misplaced(own, "on_full", sentence, "say how many may wait: `max_waiting`");
        }
        let max_wait_ms = own.ms("max_wait_s").unwrap_or(some("max_wait_s").into());
        if max_wait_ms == 0 {
            let sentence = "is used with `max_wait_s` only: without it no wait is too long";
            self.misplaced(own, "on_max_wait", sentence, "say how long one may wait: `max_wait_s`");
        }
        Queue {
            name: own.name("name"),
            strategy,
            skills: own.levels("skills"),
            service_level_ms: own.ms("service_level_s").unwrap_or(usual::SERVICE_LEVEL_MS),
            service_level_goal_permille: own
                .share_permille("service_level_goal")
                .unwrap_or(usual::SERVICE_LEVEL_GOAL_PERMILLE),
            preferred_skills: own.levels("preferred_skills"),
            teams: own.names("teams").unwrap_or_default(),
            accept_ms: own.ms("accept_s").unwrap_or(0),
            on_all_declined,
            all_declined_queue,
            round_ms,
            steps: own.tables("step").iter().map(step).collect(),
            preferred_ms: own.ms("preferred_s").unwrap_or(0),
            pick: own.word("pick", Pick::from_word).unwrap_or_default(),
            unclaimed_ms: own.ms("unclaimed_s").unwrap_or(0),
            unclaimed_strategy: own.word("unclaimed_strategy", Strategy::from_word).unwrap_or_default(),
            max_waiting,
            max_wait_ms,
            drain_after_close_ms: own.ms("drain_after_close_s").unwrap_or(0),
            on_full: self.exit(own, "on_full", "full", max_waiting > 0),
            on_max_wait: self.exit(own, "on_max_wait", "max_wait", max_wait_ms > 0),
            on_closed: self.exit(own, "on_closed", "closed", false),
            on_unstaffed: self.exit(own, "on_unstaffed", "unstaffed", false),
            on_unservable: self.exit(own, "on_unservable", "unservable", false),
            replies_do_not_claim: !own.flag("reply_claims").unwrap_or(true),
            wrap_up: own.table("wrap_up").map(|own| self.wrap_up(&own, None)),
            context_required: own.flag("context_required").unwrap_or(false),
            ladder: own.tables("escalation").iter().map(rung).collect(),
            calendar: own.name("calendar"),
        }
    }

    /// Keys that mean something in a pull queue only.
    fn pull(&mut self, own: &Table<'_, '_>, strategy: Strategy) {
        if strategy != Strategy::Manual {
            for key in ["pick", "unclaimed_s", "unclaimed_strategy"] {
                self.misplaced(own, key, "is used with `strategy = \"manual\"` only", "leave it out");
            }
        } else if own.value("unclaimed_s").is_none() {
            let help = "say after how long it assigns: `unclaimed_s`";
            self.misplaced(own, "unclaimed_strategy", "is used with `unclaimed_s` only", help);
        }
    }

    /// What follows when all have declined, the queue of `then = "queue"`, and the pause.
    fn round_end(&mut self, queue: &Table<'_, '_>) -> (RoundEnd, Box<str>, u64) {
        let Some(own) = queue.table("on_all_declined") else { return (RoundEnd::Again, "".into(), usual::ROUND_MS) };
        let Some(then) = own.word("then", RoundEnd::from_word) else {
            return (RoundEnd::Again, "".into(), usual::ROUND_MS);
        };
        let leaves = self.queue_of(&own, then == RoundEnd::Queue);
        if matches!(then, RoundEnd::Again | RoundEnd::Relax) {
            if own.ms("after_s") == Some(0) {
                self.misplaced(&own, "after_s", "must be above 0: all would be asked again at once", "");
            }
            return (then, leaves, own.ms("after_s").unwrap_or(usual::ROUND_MS));
        }
        let sentence = "is the pause before a next round: `then = \"again\"` or `\"relax\"`";
        self.misplaced(&own, "after_s", sentence, "leave it out");
        (then, leaves, usual::ROUND_MS)
    }

    /// The queue that a way out leads to, which it must name if it leads to one and must not otherwise.
    fn queue_of(&mut self, own: &Table<'_, '_>, leads_to_one: bool) -> Box<str> {
        if leads_to_one {
            self.needed(own, "queue", "`then = \"queue\"` needs `queue`: which one", "");
            return own.name("queue");
        }
        self.misplaced(own, "queue", "is used with `then = \"queue\"` only", "leave it out");
        "".into()
    }

    fn exit(&mut self, queue: &Table<'_, '_>, key: &str, reason: &str, limited: bool) -> Exit {
        let Some(own) = queue.table(key) else { return usual::exit(reason, limited) };
        let Some(kind) = own.word("then", ExitKind::from_word) else { return usual::exit(reason, limited) };
        let leaves = self.queue_of(&own, kind == ExitKind::Queue);
        if kind == ExitKind::Deflect {
            return Exit { kind, text: own.text("reason").unwrap_or(reason).into() };
        }
        self.misplaced(&own, "reason", "is used with `then = \"deflect\"` only", "leave it out");
        Exit { kind, text: leaves }
    }

    /// An agent's configuration from a table that has been judged.
    pub(crate) fn agent(&mut self, table: &Table<'_, '_>) -> AgentConfig {
        let limit = |(channel, max)| ChannelLimit { channel, max: u32::try_from(max).unwrap_or(u32::MAX) };
        AgentConfig {
            team: table.name("team"),
            skills: table.levels("skills"),
            // A weight that does not fit is above its limit, whatever it is.
            weight: table.whole("weight").map_or(1, |weight| u16::try_from(weight).unwrap_or(u16::MAX)),
            units: table.count("units"),
            seniority: table.small("seniority").unwrap_or(0),
            channels: table.names("channels").unwrap_or_default(),
            limits: table.wholes("limits").into_iter().map(limit).collect(),
            memberships: memberships(table),
            shifts: table.name("shifts"),
        }
    }

    fn clock(&mut self, own: &Table<'_, '_>) -> Clock {
        let target = |own: &Table<'_, '_>| Target {
            queue: own.name("queue"),
            tier: own.name("tier"),
            channel: own.name("channel"),
            target_ms: own.ms("target_s").unwrap_or(0),
        };
        for own in own.tables("level").iter().filter(|own| own.whole("escalate") == Some(0)) {
            let help = "a level without escalation leaves it out";
            self.misplaced(own, "escalate", "a level of escalation is 1 to 9", help);
        }
        let level = |own: &Table<'_, '_>| ClockLevel {
            percent: own.whole("percent").map_or(0, |percent| u16::try_from(percent).unwrap_or(u16::MAX)),
            priority: own.small("priority").unwrap_or(0),
            relax: own.flag("relax").unwrap_or(false),
            notify: own.names("notify").unwrap_or_default(),
            reassign: own.flag("reassign").unwrap_or(false),
            queue: own.name("queue"),
            escalate: own.small("escalate").unwrap_or(0),
        };
        Clock {
            kind: own.word("kind", ClockKind::from_word).unwrap_or_default(),
            calendar: own.name("calendar"),
            target_ms: own.ms("target_s").unwrap_or(0),
            targets: own.tables("targets").iter().map(target).collect(),
            warn_percent: own.numbers("warn_percent"),
            pause_on: own.each("pause_on", PauseOn::from_word),
            levels: own.tables("level").iter().map(level).collect(),
        }
    }
}

/// Its week in the order of the days, however it was written.
fn calendar(own: &Table<'_, '_>) -> Calendar {
    let mut weekly = own.each("open", |text| parse_weekly(text).ok()).unwrap_or_default().concat();
    weekly.sort_unstable();
    weekly.dedup();
    let date = |own: &Table<'_, '_>| DateOpenings {
        // A date that is none has been noted.
        date: own.text("date").and_then(|text| parse_date(text).ok()).unwrap_or(0),
        openings: own.each("open", |text| parse_span(text).ok()).unwrap_or_default(),
    };
    Calendar {
        name: own.name("name"),
        zone: own.name("zone"),
        weekly,
        dates: own.tables("dates").iter().map(date).collect(),
    }
}

/// Of a team or an agent.
fn memberships(table: &Table<'_, '_>) -> Vec<Membership> {
    let membership = |own: &Table<'_, '_>| {
        let plain = Membership::of(own.text("queue").unwrap_or(""));
        Membership {
            priority: own.small("priority").unwrap_or(plain.priority),
            rank: own.small("rank").unwrap_or(plain.rank),
            delay_ms: own.ms("delay_s").unwrap_or(plain.delay_ms),
            max_units: own.count("max_units").unwrap_or(plain.max_units),
            queue: plain.queue,
        }
    };
    table.tables("memberships").iter().map(membership).collect()
}

fn step(own: &Table<'_, '_>) -> Step {
    Step {
        after_ms: own.ms("after_s").unwrap_or(0),
        drop: own.names("drop").unwrap_or_default(),
        lower: own.levels("lower"),
        teams: own.names("teams"),
        head_start_ms: own.ms("head_start_s").unwrap_or(0),
        overflow: own.name("overflow"),
        // The one condition there is; another word has been noted.
        only_if_nobody_online: own.text("only_if").is_some(),
    }
}

fn rung(own: &Table<'_, '_>) -> Rung {
    Rung {
        level: own.small("level").unwrap_or(0),
        priority: own.small("priority").unwrap_or(0),
        queue: own.name("queue"),
        notify: own.names("notify").unwrap_or_default(),
    }
}

fn rule(own: &Table<'_, '_>) -> Rule {
    let mut when = Vec::new();
    if let Some(own) = own.table("when") {
        when = conditions(&own);
        if when.is_empty() && !own.is_empty() {
            // None of its conditions is one, which has been noted: it is still no default.
            when.push(Condition { subject: Subject::Language, key: "".into(), value: "none".into() });
        }
    }
    Rule { when, queue: own.name("queue") }
}

fn conditions(when: &Table<'_, '_>) -> Vec<Condition> {
    let subjects = [Subject::Channel, Subject::Entry, Subject::Tier, Subject::Language];
    let of_subject = |subject: Subject| {
        when.text(subject.word()).map(|text| Condition { subject, key: "".into(), value: text.into() })
    };
    let of_attribute = |(key, value)| Condition { subject: Subject::Attribute, key, value };
    let attributes = when.attributes(Subject::Attribute.word()).into_iter().map(of_attribute);
    let hours = [Subject::Open, Subject::Closed].into_iter().filter_map(of_subject);
    subjects.into_iter().filter_map(of_subject).chain(attributes).chain(hours).collect()
}

pub(super) fn is_configuration(event_type: EventType) -> bool {
    matches!(event_type, EventType::AgentConfigure | EventType::WorkspaceConfigure)
}

/// The body of a configure command from its `data`. Whether a calendar ever opens is asked at the event's own time, where
/// it has one: a decoder has no clock.
pub(super) fn body(
    event: &Event<'_>,
    event_type: EventType,
    time: Option<u64>,
    raw: &RawValue,
) -> Result<(Option<Actor>, Body), Refusal> {
    let text = raw.get();
    let root: Node<'_> = serde_json::from_str(text).map_err(|error| Refusal::of_json(&error, text, "data"))?;
    let mut reader = Reader::default();
    let of_agent = event_type == EventType::AgentConfigure;
    let keys = if of_agent { AGENT_CONFIGURE } else { WORKSPACE_CONFIGURE };
    let table = reader.table(&root.0, "data".to_string(), keys);
    if !matches!(root.0, Value::Table(_)) {
        return Err(Refusal::bad("data", "wrong_type", reader.faults.remove(0).sentence));
    }
    let actor = match table.value("actor") {
        None => None,
        Some(value) => Some(actor(event, &mut reader, value)?),
    };
    let expected_version = table.whole("expected_version");
    let (made, content) = if of_agent {
        let name = checked_agent(&table)?;
        let config = reader.agent(&table);
        let faults = config.faults();
        let agent = event.id(engine::id::Kind::Agent, name);
        (Body::AgentConfigure { agent, config, expected_version }, faults)
    } else {
        let policy = Box::new(reader.policy(&table));
        let mut faults = policy.faults();
        faults.extend(calendar::faults_of(&policy, time));
        (Body::WorkspaceConfigure { policy, expected_version }, faults)
    };
    Ok((actor, judged(made, &reader.faults, content)?))
}

/// Shape first (400), then what is not built, then content.
fn judged(made: Body, shape: &[ShapeFault], content: Vec<(String, String)>) -> Result<Body, Refusal> {
    for fault in shape {
        let reason = match fault.kind {
            ShapeFaultKind::WrongType => "wrong_type",
            ShapeFaultKind::OutOfBounds => "out_of_bounds",
            ShapeFaultKind::Missing => "missing",
            ShapeFaultKind::Repeated => "repeated_key",
            ShapeFaultKind::UnknownKey
            | ShapeFaultKind::LaterWord
            | ShapeFaultKind::UnknownWord
            | ShapeFaultKind::Malformed
            | ShapeFaultKind::Combination => continue,
        };
        return Err(Refusal::bad(shown_path(&fault.path), reason, fault.sentence.clone()));
    }
    let not_built = |fault: &&ShapeFault| matches!(fault.kind, ShapeFaultKind::UnknownKey | ShapeFaultKind::LaterWord);
    if let Some(fault) = shape.iter().find(not_built) {
        return Ok(unsupported(&shown_path(in_data(&fault.path))));
    }
    let mut sentences: Vec<String> =
        shape.iter().map(|fault| format!("{}: {}", in_data(&fault.path), fault.sentence)).collect();
    let follows = |path: &str| shape.iter().any(|fault| follows(path, in_data(&fault.path)));
    let content = content.into_iter().filter(|(path, _)| !follows(path));
    sentences.extend(content.map(|(path, sentence)| format!("{path}: {sentence}")));
    if sentences.is_empty() {
        return Ok(made);
    }
    Ok(Body::Invalid { faults: bounded(&sentences).into() })
}

fn in_data(path: &str) -> &str {
    path.strip_prefix("data.").unwrap_or(path)
}

/// Whether a fault of content at `path` follows from one of shape: one of both stands in the other.
pub(crate) fn follows(path: &str, shape: &str) -> bool {
    let within = |path: &str, outer: &str| {
        let rest = path.strip_prefix(outer).filter(|_| !outer.is_empty());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    within(path, shape) || within(shape, path)
}

/// Paths go into answers and decisions; a sender's keys may be of any length.
fn shown_path(path: &str) -> String {
    path.chars().take(256).collect()
}

/// The faults as one text of at most 4 KiB: it is recorded.
fn bounded(sentences: &[String]) -> String {
    const BYTES_MAX: usize = 4_096;
    let mut text = String::new();
    for (i, sentence) in sentences.iter().enumerate() {
        let sentence: String = sentence.chars().take(512).collect();
        if text.len() + sentence.len() > BYTES_MAX {
            text.push_str(&format!("; and {} more", sentences.len() - i));
            break;
        }
        if i > 0 {
            text.push_str("; ");
        }
        text.push_str(&sentence);
    }
    text
}

fn checked_agent<'n>(table: &Table<'n, '_>) -> Result<&'n str, Refusal> {
    match table.text("agent") {
        Some(name) => checked_id("data.agent", name),
        // Of a wrong type, which has been noted.
        None if table.value("agent").is_some() => Ok(""),
        None => Err(Refusal::missing("data.agent")),
    }
}

fn actor(event: &Event<'_>, reader: &mut Reader, value: &Value<'_>) -> Result<Actor, Refusal> {
    const KEYS: keys::Keys = &[keys::ACTOR];
    // What else an actor has is not configuration: ignored, as in every other event.
    let table = reader.known_of(value, "data.actor", KEYS);
    let text = |key: &str| table.text(key).map(|text| Text(Cow::Borrowed(text)));
    let (kind, id) = (text("kind"), text("id"));
    if !reader.faults.is_empty() && kind.is_none() {
        return Ok(Actor::default());
    }
    event.actor(kind.as_ref(), id.as_ref())
}
