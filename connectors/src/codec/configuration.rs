//! Policies and agents' configurations out of a tree, and back into JSON: what `workspace.configure`, `agent.configure`
//! and the workspace file have in common.
//!
//! The reader goes on after a fault and collects them all. It judges shapes (types, keys that are unknown or not built
//! yet, numbers that do not fit); content is judged by `Policy::faults` and `AgentConfig::faults`. Durations come in
//! seconds, whole or broken, and are kept in milliseconds. Tables keyed by a name are put in the order of their names,
//! standard channels first, so that the same policy is the same bytes however its file is ordered.

use super::decoder::{Event, checked_id, unsupported};
use super::envelope::Text;
use super::node::{Node, Value};
use super::refusal::Refusal;
use engine::faults::join_key;
use engine::input::{Actor, Body, EventType};
use engine::policy::{
    AgentConfig, Channel, Condition, Entry, Policy, Queue, Rule, SkillLevel, Strategy, Subject, Tier,
};
use serde_json::value::RawValue;
use serde_json::{Map, json};
use std::borrow::Cow;

pub(crate) const POLICY_KEYS: &[&str] = &[
    "version",
    "test",
    "default_units",
    "reopen_window_s",
    "idle_reset_s",
    "channel",
    "entry",
    "tier",
    "queue",
    "rule",
];
const CHANNEL_KEYS: &[&str] = &["live", "units", "exclusive", "short_abandon_s"];
const ENTRY_KEYS: &[&str] = &["queue"];
const TIER_KEYS: &[&str] = &["head_start_s"];
const QUEUE_KEYS: &[&str] = &["name", "strategy", "skills", "service_level_s", "service_level_goal"];
const RULE_KEYS: &[&str] = &["when", "queue"];
const WHEN_KEYS: &[&str] = &["channel", "entry", "tier", "language", "attributes"];
pub(crate) const AGENT_KEYS: &[&str] = &["team", "skills", "weight", "units"];

/// Keys and strategies of routing.md that this build does not have. Taking one silently would promise what nobody does.
const LATER: &[&str] = &[
    "accept_s",
    "bot",
    "bot_max_s",
    "business_hours",
    "calendar",
    "calendars",
    "callback",
    "channels",
    "class",
    "clock",
    "clocks",
    "close_after_s",
    "context_required",
    "decline_limit",
    "drain_after_close_s",
    "escalation",
    "expected_version",
    "first_ring",
    "for_s",
    "group",
    "group_shares",
    "groups",
    "holidays",
    "interrupts",
    "ladder",
    "lease_grace_s",
    "limits",
    "manual",
    "max_open_s",
    "max_skills",
    "max_transfers",
    "max_units",
    "max_wait_s",
    "max_waiting",
    "membership",
    "memberships",
    "mentions",
    "min_gap_s",
    "most_skilled",
    "not_responding_s",
    "offer",
    "offers",
    "on_closed",
    "on_full",
    "on_max_wait",
    "on_offline",
    "on_unservable",
    "on_unstaffed",
    "opening",
    "openings",
    "owner_absent",
    "owner_silent_s",
    "pause_on",
    "pick",
    "preferred",
    "preferred_agent",
    "preferred_skills",
    "presence",
    "priority",
    "rank",
    "reply_claims",
    "reply_window_s",
    "seniority",
    "seniority_at_least",
    "shift",
    "shifts",
    "site",
    "step",
    "steps",
    "strict_max_wait_s",
    "successor",
    "their_turn_units",
    "unclaimed_s",
    "wrap_up",
    "wrapup",
    "zone",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ShapeFaultKind {
    WrongType,
    OutOfBounds,
    Missing,
    Repeated,
    /// A key or value that is unknown or comes later.
    Unsupported,
    /// A word that is none of its list.
    UnknownValue,
}

/// One fault of a configuration's shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ShapeFault {
    pub kind: ShapeFaultKind,
    pub path: String,
    pub sentence: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// A table under its path.
pub(crate) struct Table<'n, 'a> {
    pub path: String,
    pub pairs: &'n [(Cow<'a, str>, Node<'a>)],
}

impl<'n, 'a> Table<'n, 'a> {
    /// Null counts as absent. Of a repeated key the first; that it is repeated has been reported.
    pub(crate) fn value(&self, key: &str) -> Option<&'n Value<'a>> {
        let (_, node) = self.pairs.iter().find(|(name, _)| name == key)?;
        (!matches!(node.0, Value::Null)).then_some(&node.0)
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        join_key(&self.path, key)
    }
}

/// Reads shapes and collects what is wrong with them.
#[derive(Default)]
pub(crate) struct Reader {
    pub faults: Vec<ShapeFault>,
}

impl Reader {
    fn fault(&mut self, kind: ShapeFaultKind, path: String, sentence: impl Into<String>, help: impl Into<String>) {
        self.faults.push(ShapeFault { kind, path, sentence: sentence.into(), help: help.into() });
    }

    fn wrong_type(&mut self, path: String, expected: &str, found: &Value<'_>) {
        let sentence = format!("this must be {expected}, and it is {}", found.type_name());
        self.fault(ShapeFaultKind::WrongType, path, sentence, "");
    }

    /// A table with these keys and no others. What is no table is reported and read as an empty one.
    pub(crate) fn table<'n, 'a>(&mut self, value: &'n Value<'a>, path: String, known: &[&str]) -> Table<'n, 'a> {
        let table = self.names(value, path);
        for (key, _) in table.pairs {
            if !known.contains(&&**key) {
                let path = table.path_of(key);
                self.unsupported_key(path, key, known);
            }
        }
        table
    }

    /// A table whose keys are names of the workspace's own.
    fn names<'n, 'a>(&mut self, value: &'n Value<'a>, path: String) -> Table<'n, 'a> {
        let Value::Table(pairs) = value else {
            self.wrong_type(path.clone(), "a table", value);
            return Table { path, pairs: &[] };
        };
        let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        keys.dedup_by(|next, key| {
            let repeated = next == key;
            if repeated {
                let sentence = "this key stands twice; once is allowed";
                self.fault(ShapeFaultKind::Repeated, join_key(&path, key), sentence, "");
            }
            repeated
        });
        Table { path, pairs }
    }

    fn unsupported_key(&mut self, path: String, key: &str, known: &[&str]) {
        let (sentence, help) = if LATER.contains(&key) {
            (format!("`{key}` is not built yet"), "it comes with a later version; leave it out".to_string())
        } else {
            let help = match nearest(key, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are: {}", known.join(", ")),
            };
            (format!("`{key}` is no key of this table"), help)
        };
        self.fault(ShapeFaultKind::Unsupported, path, sentence, help);
    }

    pub(crate) fn text<'n>(&mut self, table: &Table<'n, '_>, key: &str) -> Option<&'n str> {
        match table.value(key)? {
            Value::Text(text) => Some(text),
            other => {
                self.wrong_type(table.path_of(key), "a text", other);
                None
            }
        }
    }

    /// A text that must be there; empty where it is not, after the fault is noted.
    pub(crate) fn required_text<'n>(&mut self, table: &Table<'n, '_>, key: &str) -> &'n str {
        if table.value(key).is_none() {
            self.fault(ShapeFaultKind::Missing, table.path_of(key), format!("`{key}` is missing"), "");
        }
        self.text(table, key).unwrap_or("")
    }

    fn flag(&mut self, table: &Table<'_, '_>, key: &str) -> Option<bool> {
        match table.value(key)? {
            Value::Flag(flag) => Some(*flag),
            other => {
                self.wrong_type(table.path_of(key), "true or false", other);
                None
            }
        }
    }

    pub(crate) fn whole(&mut self, table: &Table<'_, '_>, key: &str) -> Option<u64> {
        self.whole_value(table.value(key)?, || table.path_of(key))
    }

    fn whole_value(&mut self, value: &Value<'_>, path: impl Fn() -> String) -> Option<u64> {
        match value {
            Value::Whole(number) => return Some(*number),
            Value::Number(number) if number.fract() == 0.0 => {
                let sentence = "this number must be 0 to 18446744073709551615";
                self.fault(ShapeFaultKind::OutOfBounds, path(), sentence, "");
            }
            Value::Number(_) => {
                self.fault(ShapeFaultKind::WrongType, path(), "this must be a whole number", "");
            }
            other => self.wrong_type(path(), "a whole number", other),
        }
        None
    }

    /// Seconds, as milliseconds.
    fn seconds(&mut self, table: &Table<'_, '_>, key: &str) -> Option<u64> {
        // Far above every bound of a policy, far below the end of u64.
        const S_MAX: f64 = 1e15;
        let seconds = match table.value(key)? {
            Value::Whole(seconds) => *seconds as f64,
            Value::Number(seconds) => *seconds,
            other => {
                self.wrong_type(table.path_of(key), "a number of seconds", other);
                return None;
            }
        };
        if (0.0..=S_MAX).contains(&seconds) {
            return Some((seconds * 1_000.0).round() as u64);
        }
        let sentence = "a duration is a number of seconds from 0 on";
        self.fault(ShapeFaultKind::OutOfBounds, table.path_of(key), sentence, "");
        None
    }

    /// A share from 0 to 1, as thousandths.
    fn share_permille(&mut self, table: &Table<'_, '_>, key: &str) -> Option<u16> {
        let share = match table.value(key)? {
            Value::Whole(share) => *share as f64,
            Value::Number(share) => *share,
            other => {
                self.wrong_type(table.path_of(key), "a share from 0 to 1", other);
                return None;
            }
        };
        if (0.0..=1.0).contains(&share) {
            return Some((share * 1_000.0).round() as u16);
        }
        let help =
            if share <= 100.0 && share > 1.0 { format!("{share} % is {}", share / 100.0) } else { String::new() };
        self.fault(ShapeFaultKind::OutOfBounds, table.path_of(key), "a share must be 0 to 1", help);
        None
    }

    pub(crate) fn list<'n, 'a>(&mut self, table: &Table<'n, 'a>, key: &str) -> &'n [Node<'a>] {
        match table.value(key) {
            None => &[],
            Some(Value::List(nodes)) => nodes,
            Some(other) => {
                self.wrong_type(table.path_of(key), "a list of tables", other);
                &[]
            }
        }
    }

    /// Tables keyed by a name, in the order of the names.
    fn named<'n, 'a>(&mut self, table: &Table<'n, 'a>, key: &str) -> Vec<(&'n str, &'n Value<'a>, String)> {
        let Some(value) = table.value(key) else { return Vec::new() };
        let names = self.names(value, table.path_of(key));
        let mut named: Vec<_> =
            names.pairs.iter().map(|(name, node)| (&**name, &node.0, names.path_of(name))).collect();
        named.sort_by_key(|(name, ..)| *name);
        named
    }

    /// A policy from a table whose keys have been looked at.
    pub(crate) fn policy(&mut self, table: &Table<'_, '_>) -> Policy {
        if table.value("version").is_none() {
            let help = "a configuration has a number that rises with each change, from 1 on";
            self.fault(ShapeFaultKind::Missing, table.path_of("version"), "`version` is missing", help);
        }
        Policy {
            version: self.whole(table, "version").unwrap_or(1),
            test: self.flag(table, "test").unwrap_or(false),
            default_units: self.whole(table, "default_units").map_or(1, saturated),
            reopen_window_ms: self.seconds(table, "reopen_window_s").unwrap_or(259_200_000),
            idle_reset_ms: self.seconds(table, "idle_reset_s").unwrap_or(60_000),
            channels: self.channels(table),
            entries: self.entries(table),
            tiers: self.tiers(table),
            queues: self.list(table, "queue").iter().enumerate().map(|(i, node)| self.queue(table, i, node)).collect(),
            rules: self.list(table, "rule").iter().enumerate().map(|(i, node)| self.rule(table, i, node)).collect(),
        }
    }

    fn channels(&mut self, table: &Table<'_, '_>) -> Vec<Channel> {
        let mut channels = Policy::standard_channels();
        for (name, value, path) in self.named(table, "channel") {
            let own = self.table(value, path, CHANNEL_KEYS);
            let standard = channels.iter().position(|channel| *channel.name == *name);
            if standard.is_none() && own.value("live").is_none() {
                let sentence =
                    format!("`{name}` is no standard channel, so it must say `live = true` or `live = false`");
                self.fault(ShapeFaultKind::Missing, own.path_of("live"), sentence, "");
            }
            let base = match standard {
                Some(i) => channels[i].clone(),
                None => Channel { name: name.into(), units: 1, short_abandon_ms: 5_000, ..Channel::default() },
            };
            let channel = Channel {
                live: self.flag(&own, "live").unwrap_or(base.live),
                units: self.whole(&own, "units").map_or(base.units, saturated),
                exclusive: self.flag(&own, "exclusive").unwrap_or(base.exclusive),
                short_abandon_ms: self.seconds(&own, "short_abandon_s").unwrap_or(base.short_abandon_ms),
                name: base.name,
            };
            match standard {
                Some(i) => channels[i] = channel,
                None => channels.push(channel),
            }
        }
        channels
    }

    fn entries(&mut self, table: &Table<'_, '_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, value, path) in self.named(table, "entry") {
            let own = self.table(value, path, ENTRY_KEYS);
            entries.push(Entry { name: name.into(), queue: self.required_text(&own, "queue").into() });
        }
        entries
    }

    fn tiers(&mut self, table: &Table<'_, '_>) -> Vec<Tier> {
        let mut tiers = Vec::new();
        for (name, value, path) in self.named(table, "tier") {
            let own = self.table(value, path, TIER_KEYS);
            tiers.push(Tier { name: name.into(), head_start_ms: self.seconds(&own, "head_start_s").unwrap_or(0) });
        }
        tiers
    }

    fn queue(&mut self, table: &Table<'_, '_>, i: usize, node: &Node<'_>) -> Queue {
        let own = self.table(&node.0, format!("{}[{i}]", table.path_of("queue")), QUEUE_KEYS);
        Queue {
            name: self.required_text(&own, "name").into(),
            strategy: self.strategy(&own),
            skills: self.skills(&own),
            service_level_ms: self.seconds(&own, "service_level_s").unwrap_or(20_000),
            service_level_goal_permille: self.share_permille(&own, "service_level_goal").unwrap_or(800),
        }
    }

    fn strategy(&mut self, table: &Table<'_, '_>) -> Strategy {
        let Some(word) = self.text(table, "strategy") else { return Strategy::default() };
        if let Some(strategy) = Strategy::from_word(word) {
            return strategy;
        }
        let words: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.word()).collect();
        let path = table.path_of("strategy");
        if LATER.contains(&word) {
            let help = format!("it comes with a later version; there are: {}", words.join(", "));
            let sentence = format!("the strategy `{word}` is not built yet");
            self.fault(ShapeFaultKind::Unsupported, path, sentence, help);
        } else {
            let help = match nearest(word, &words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", words.join(", ")),
            };
            self.fault(ShapeFaultKind::UnknownValue, path, "no strategy has this name", help);
        }
        Strategy::default()
    }

    fn rule(&mut self, table: &Table<'_, '_>, i: usize, node: &Node<'_>) -> Rule {
        let own = self.table(&node.0, format!("{}[{i}]", table.path_of("rule")), RULE_KEYS);
        let when = match own.value("when") {
            None => Vec::new(),
            Some(value) => self.conditions(value, own.path_of("when")),
        };
        Rule { when, queue: self.required_text(&own, "queue").into() }
    }

    fn conditions(&mut self, value: &Value<'_>, path: String) -> Vec<Condition> {
        let table = self.table(value, path, WHEN_KEYS);
        let mut conditions = Vec::new();
        for subject in [Subject::Channel, Subject::Entry, Subject::Tier, Subject::Language] {
            if let Some(text) = self.text(&table, subject.word()) {
                conditions.push(Condition { subject, key: "".into(), value: text.into() });
            }
        }
        for (key, value, path) in self.named(&table, "attributes") {
            let text = match value {
                Value::Text(text) => text.to_string(),
                Value::Flag(flag) => flag.to_string(),
                Value::Whole(number) => number.to_string(),
                Value::Number(number) => number.to_string(),
                other => {
                    self.wrong_type(path, "a text, a number or a flag", other);
                    continue;
                }
            };
            conditions.push(Condition { subject: Subject::Attribute, key: key.into(), value: text.into() });
        }
        conditions
    }

    fn skills(&mut self, table: &Table<'_, '_>) -> Vec<SkillLevel> {
        let mut skills = Vec::new();
        for (name, value, path) in self.named(table, "skills") {
            let level = self.whole_value(value, || path.clone()).unwrap_or(0);
            // A level that does not fit is above the limit, whatever it is: content, not shape.
            skills.push(SkillLevel { name: name.into(), level: u8::try_from(level).unwrap_or(u8::MAX) });
        }
        skills
    }

    /// An agent's configuration from a table whose keys have been looked at.
    pub(crate) fn agent(&mut self, table: &Table<'_, '_>) -> AgentConfig {
        AgentConfig {
            team: self.text(table, "team").unwrap_or("").into(),
            skills: self.skills(table),
            weight: self.whole(table, "weight").map_or(1, |weight| u16::try_from(weight).unwrap_or(u16::MAX)),
            units: self.whole(table, "units").map(saturated),
        }
    }
}

/// Units that do not fit are above their limit, whatever they are.
fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The known word within a third of its letters (Levenshtein), the first of equals.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let near = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min_by_key(|(d, _)| *d)?;
    (near.0 <= near.1.len().div_ceil(3)).then_some(near.1)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let substituted = diagonal + usize::from(letter != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

pub(super) fn is_configuration(event_type: EventType) -> bool {
    matches!(event_type, EventType::AgentConfigure | EventType::WorkspaceConfigure)
}

/// The body of a configure command from its `data`.
pub(super) fn body(event: &Event<'_>, event_type: EventType, raw: &RawValue) -> Result<(Option<Actor>, Body), Refusal> {
    let text = raw.get();
    let root: Node<'_> = serde_json::from_str(text).map_err(|error| Refusal::of_json(&error, text, "data"))?;
    let mut reader = Reader::default();
    let known: Vec<&str> = match event_type {
        EventType::AgentConfigure => [AGENT_KEYS, &["agent", "actor"]].concat(),
        _ => [POLICY_KEYS, &["expected_version", "actor"]].concat(),
    };
    let table = reader.table(&root.0, "data".to_string(), &known);
    if !matches!(root.0, Value::Table(_)) {
        return Err(Refusal::bad("data", "wrong_type", reader.faults.remove(0).sentence));
    }
    let actor = match table.value("actor") {
        None => None,
        Some(value) => Some(actor(event, &mut reader, value)?),
    };
    let agent_name = match event_type {
        EventType::AgentConfigure => checked_agent(&mut reader, &table)?,
        _ => "",
    };
    let (made, faults) = match event_type {
        EventType::AgentConfigure => {
            let config = reader.agent(&table);
            let faults = config.faults();
            let agent = event.id(engine::id::Kind::Agent, agent_name);
            (Body::AgentConfigure { agent, config }, faults)
        }
        _ => {
            let policy = Box::new(reader.policy(&table));
            let expected_version = reader.whole(&table, "expected_version");
            let faults = policy.faults();
            (Body::WorkspaceConfigure { policy, expected_version }, faults)
        }
    };
    Ok((actor, judged(made, &reader.faults, faults)?))
}

/// Shape first (400), then what is not built, then content.
fn judged(made: Body, shape: &[ShapeFault], content: Vec<(String, String)>) -> Result<Body, Refusal> {
    for fault in shape {
        let reason = match fault.kind {
            ShapeFaultKind::WrongType => "wrong_type",
            ShapeFaultKind::OutOfBounds => "out_of_bounds",
            ShapeFaultKind::Missing => "missing",
            ShapeFaultKind::Repeated => "repeated_key",
            ShapeFaultKind::Unsupported | ShapeFaultKind::UnknownValue => continue,
        };
        return Err(Refusal::bad(shown_path(&fault.path), reason, fault.sentence.clone()));
    }
    if let Some(fault) = shape.iter().find(|fault| fault.kind == ShapeFaultKind::Unsupported) {
        let what = fault.path.strip_prefix("data.").unwrap_or(&fault.path);
        return Ok(unsupported(&shown_path(what)));
    }
    let mut sentences: Vec<String> = shape
        .iter()
        .map(|fault| format!("{}: {}", fault.path.strip_prefix("data.").unwrap_or(&fault.path), fault.sentence))
        .collect();
    sentences.extend(content.into_iter().map(|(path, sentence)| format!("{path}: {sentence}")));
    if sentences.is_empty() {
        return Ok(made);
    }
    Ok(Body::Invalid { faults: bounded(&sentences).into() })
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

fn checked_agent<'n>(reader: &mut Reader, table: &Table<'n, '_>) -> Result<&'n str, Refusal> {
    match reader.text(table, "agent") {
        Some(name) => checked_id("data.agent", name),
        None if table.value("agent").is_some() => Ok(""),
        None => Err(Refusal::missing("data.agent")),
    }
}

fn actor(event: &Event<'_>, reader: &mut Reader, value: &Value<'_>) -> Result<Actor, Refusal> {
    // What else an actor has is not configuration: ignored, as in every other event.
    let table = reader.names(value, "data.actor".to_string());
    let kind = reader.text(&table, "kind").map(|text| Text(Cow::Borrowed(text)));
    let id = reader.text(&table, "id").map(|text| Text(Cow::Borrowed(text)));
    if !reader.faults.is_empty() && kind.is_none() {
        return Ok(Actor::default());
    }
    event.actor(kind.as_ref(), id.as_ref())
}

/// A policy as `workspace.configure` takes it.
pub fn policy_to_json(policy: &Policy) -> serde_json::Value {
    let channels: Map<_, _> = policy
        .channels
        .iter()
        .map(|channel| {
            let value = json!({
                "live": channel.live,
                "units": channel.units,
                "exclusive": channel.exclusive,
                "short_abandon_s": seconds_to_json(channel.short_abandon_ms),
            });
            (channel.name.to_string(), value)
        })
        .collect();
    let entries: Map<_, _> =
        policy.entries.iter().map(|entry| (entry.name.to_string(), json!({ "queue": entry.queue }))).collect();
    let tiers: Map<_, _> = policy
        .tiers
        .iter()
        .map(|tier| (tier.name.to_string(), json!({ "head_start_s": seconds_to_json(tier.head_start_ms) })))
        .collect();
    json!({
        "version": policy.version,
        "test": policy.test,
        "default_units": policy.default_units,
        "reopen_window_s": seconds_to_json(policy.reopen_window_ms),
        "idle_reset_s": seconds_to_json(policy.idle_reset_ms),
        "channel": channels,
        "entry": entries,
        "tier": tiers,
        "queue": policy.queues.iter().map(queue_to_json).collect::<Vec<_>>(),
        "rule": policy.rules.iter().map(rule_to_json).collect::<Vec<_>>(),
    })
}

fn queue_to_json(queue: &Queue) -> serde_json::Value {
    json!({
        "name": queue.name,
        "strategy": queue.strategy.word(),
        "skills": skills_to_json(&queue.skills),
        "service_level_s": seconds_to_json(queue.service_level_ms),
        "service_level_goal": f64::from(queue.service_level_goal_permille) / 1_000.0,
    })
}

fn rule_to_json(rule: &Rule) -> serde_json::Value {
    let (mut when, mut attributes) = (Map::new(), Map::new());
    for condition in &rule.when {
        match condition.subject {
            Subject::Attribute => attributes.insert(condition.key.to_string(), json!(condition.value)),
            subject => when.insert(subject.word().to_string(), json!(condition.value)),
        };
    }
    if !attributes.is_empty() {
        when.insert("attributes".to_string(), attributes.into());
    }
    if when.is_empty() {
        return json!({ "queue": rule.queue });
    }
    json!({ "when": when, "queue": rule.queue })
}

fn skills_to_json(skills: &[SkillLevel]) -> Map<String, serde_json::Value> {
    skills.iter().map(|skill| (skill.name.to_string(), json!(skill.level))).collect()
}

/// Whole seconds as a whole number, so that people read what they wrote.
fn seconds_to_json(ms: u64) -> serde_json::Value {
    if ms.is_multiple_of(1_000) { json!(ms / 1_000) } else { json!(ms as f64 / 1_000.0) }
}

/// An agent's configuration as `agent.configure` takes it.
pub fn agent_to_json(agent: &str, config: &AgentConfig) -> serde_json::Value {
    let mut data = json!({
        "agent": agent,
        "skills": skills_to_json(&config.skills),
        "weight": config.weight,
    });
    if !config.team.is_empty() {
        data["team"] = json!(config.team);
    }
    if let Some(units) = config.units {
        data["units"] = json!(units);
    }
    data
}
