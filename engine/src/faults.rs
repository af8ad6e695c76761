//! What is wrong with a policy or an agent's configuration as a whole: names that nobody has, limits that are passed.
//!
//! Shapes (types, unknown keys) are the codec's; here only content is judged, so that JSON, TOML and a test that builds a
//! `Policy` by hand are held to the same rules. Every fault is found, not the first: a person corrects a file once.
//! Pure: no state, no other workspace, nothing of what the engine holds at the moment.

use crate::policy::{AgentConfig, Channel, Condition, Policy, Queue, Rule, SkillLevel, Subject, limits};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// (path of the field, sentence without its path).
pub(crate) type Fault = (String, String);

/// Ten years: longer durations are typing errors, and sums of a few of them stay far from the ends of u64.
const DURATION_MS_MAX: u64 = 3_650 * 24 * 3_600_000;

pub(crate) fn of_policy(policy: &Policy) -> Vec<Fault> {
    let mut faults = Vec::new();
    if policy.version == 0 {
        fault(&mut faults, "version", "must be at least 1: 0 stands for a workspace that was never configured");
    }
    units("default_units", policy.default_units, &mut faults);
    duration("reopen_window_s", policy.reopen_window_ms, &mut faults);
    duration("idle_reset_s", policy.idle_reset_ms, &mut faults);
    channels(&policy.channels, &mut faults);
    entries(policy, &mut faults);
    tiers(policy, &mut faults);
    queues(&policy.queues, &mut faults);
    rules(policy, &mut faults);
    faults
}

pub(crate) fn of_agent(config: &AgentConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !config.team.is_empty() {
        name("team", &config.team, &mut faults);
    }
    skills("skills", &config.skills, &mut faults);
    if config.weight == 0 {
        fault(&mut faults, "weight", "must be at least 1: an agent who shall get nothing goes offline or is drained");
    } else if config.weight > limits::WEIGHT {
        fault(&mut faults, "weight", &format!("must be at most {}", limits::WEIGHT));
    }
    if let Some(own) = config.units {
        units("units", own, &mut faults);
    }
    faults
}

/// A path's next key, quoted where a bare one could be misread: `entry."+49.30".queue`.
pub fn join_key(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let dot = if path.is_empty() { "" } else { "." };
    if bare {
        return format!("{path}{dot}{key}");
    }
    let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{path}{dot}\"{escaped}\"")
}

fn fault(faults: &mut Vec<Fault>, path: &str, sentence: &str) {
    faults.push((path.to_string(), sentence.to_string()));
}

fn channels(channels: &[Channel], faults: &mut Vec<Fault>) {
    count("channel", "channels", channels.len(), limits::CHANNELS, faults);
    unique(channels.iter().map(|channel| (join_key("channel", &channel.name), &*channel.name)), "channel", faults);
    for channel in channels {
        let path = join_key("channel", &channel.name);
        name(&path, &channel.name, faults);
        units(&format!("{path}.units"), channel.units, faults);
        duration(&format!("{path}.short_abandon_s"), channel.short_abandon_ms, faults);
    }
}

fn entries(policy: &Policy, faults: &mut Vec<Fault>) {
    count("entry", "entries", policy.entries.len(), limits::ENTRIES, faults);
    unique(policy.entries.iter().map(|entry| (join_key("entry", &entry.name), &*entry.name)), "entry", faults);
    let names = queue_names(policy);
    for entry in &policy.entries {
        let path = join_key("entry", &entry.name);
        name(&path, &entry.name, faults);
        known_queue(&format!("{path}.queue"), &entry.queue, &names, faults);
    }
}

fn tiers(policy: &Policy, faults: &mut Vec<Fault>) {
    count("tier", "tiers", policy.tiers.len(), limits::TIERS, faults);
    unique(policy.tiers.iter().map(|tier| (join_key("tier", &tier.name), &*tier.name)), "tier", faults);
    for tier in &policy.tiers {
        let path = join_key("tier", &tier.name);
        name(&path, &tier.name, faults);
        duration(&format!("{path}.head_start_s"), tier.head_start_ms, faults);
    }
}

fn queues(queues: &[Queue], faults: &mut Vec<Fault>) {
    count("queue", "queues", queues.len(), limits::QUEUES, faults);
    if queues.is_empty() {
        fault(faults, "queue", "there must be at least one queue");
    }
    unique(queues.iter().enumerate().map(|(i, queue)| (format!("queue[{i}].name"), &*queue.name)), "queue", faults);
    for (i, queue) in queues.iter().enumerate() {
        name(&format!("queue[{i}].name"), &queue.name, faults);
        skills(&format!("queue[{i}].skills"), &queue.skills, faults);
        duration(&format!("queue[{i}].service_level_s"), queue.service_level_ms, faults);
        if queue.service_level_goal_permille > 1_000 {
            fault(faults, &format!("queue[{i}].service_level_goal"), "must be a share from 0 to 1");
        }
    }
}

fn rules(policy: &Policy, faults: &mut Vec<Fault>) {
    count("rule", "rules", policy.rules.len(), limits::RULES, faults);
    let names = queue_names(policy);
    let mut default: Option<usize> = None;
    for (i, rule) in policy.rules.iter().enumerate() {
        known_queue(&format!("rule[{i}].queue"), &rule.queue, &names, faults);
        conditions(i, rule, policy, faults);
        if !rule.when.is_empty() {
            continue;
        }
        match default {
            None => default = Some(i),
            Some(first) => fault(
                faults,
                &format!("rule[{i}]"),
                &format!("has no condition, and neither has rule[{first}]: only one rule may be the default"),
            ),
        }
    }
    if default.is_none() {
        fault(faults, "rule", "one rule must have no `when`: it takes what no other rule and no entry sends anywhere");
    }
}

fn conditions(i: usize, rule: &Rule, policy: &Policy, faults: &mut Vec<Fault>) {
    count(&format!("rule[{i}].when"), "conditions", rule.when.len(), limits::CONDITIONS, faults);
    let mut seen: Vec<(Subject, &str)> = Vec::new();
    for condition in rule.when.iter().take(limits::CONDITIONS) {
        let path = condition_path(i, condition);
        if seen.contains(&(condition.subject, &*condition.key)) {
            fault(faults, &path, "stands twice in this rule");
        }
        seen.push((condition.subject, &condition.key));
        let value = &*condition.value;
        match condition.subject {
            Subject::Channel if !policy.channels.iter().any(|channel| *channel.name == *value) => {
                fault(faults, &path, &format!("no channel is named `{value}`, so this rule could never match"));
            }
            Subject::Tier if !policy.tiers.iter().any(|tier| *tier.name == *value) => {
                fault(faults, &path, &format!("no tier is named `{value}`, so this rule could never match"));
            }
            Subject::Attribute => attribute(&path, &condition.key, value, faults),
            _ => name(&path, value, faults),
        }
    }
}

fn condition_path(i: usize, condition: &Condition) -> String {
    match condition.subject {
        Subject::Attribute => join_key(&format!("rule[{i}].when.attributes"), &condition.key),
        subject => format!("rule[{i}].when.{}", subject.word()),
    }
}

fn attribute(path: &str, key: &str, value: &str, faults: &mut Vec<Fault>) {
    if key.is_empty() || key.len() > limits::TEXT_BYTES {
        fault(faults, path, &format!("an attribute's name must have 1 to {} bytes", limits::TEXT_BYTES));
    }
    if value.len() > limits::TEXT_BYTES {
        fault(faults, path, &format!("an attribute's value must have at most {} bytes", limits::TEXT_BYTES));
    }
}

fn skills(path: &str, skills: &[SkillLevel], faults: &mut Vec<Fault>) {
    count(path, "skills", skills.len(), limits::SKILLS_OF_ONE, faults);
    unique(skills.iter().map(|skill| (join_key(path, &skill.name), &*skill.name)), "skill", faults);
    for skill in skills {
        let own = join_key(path, &skill.name);
        name(&own, &skill.name, faults);
        if skill.level > limits::LEVEL {
            fault(faults, &own, &format!("a level must be 0 to {}", limits::LEVEL));
        }
    }
}

fn queue_names(policy: &Policy) -> BTreeMap<&str, ()> {
    policy.queues.iter().map(|queue| (&*queue.name, ())).collect()
}

fn known_queue(path: &str, queue: &str, names: &BTreeMap<&str, ()>, faults: &mut Vec<Fault>) {
    if !names.contains_key(queue) {
        fault(faults, path, &format!("no queue is named `{queue}`"));
    }
}

fn count(path: &str, what: &str, len: usize, max: usize, faults: &mut Vec<Fault>) {
    if len > max {
        fault(faults, path, &format!("has {len} {what}, and {max} is the limit"));
    }
}

fn unique<'a>(items: impl Iterator<Item = (String, &'a str)>, what: &str, faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (path, name) in items {
        match seen.get(name) {
            Some(first) => faults.push((path, format!("another {what} is named `{name}` too: {first}"))),
            None => {
                seen.insert(name, path);
            }
        }
    }
}

/// Names are ids of wire.md: they stand in keys, labels and paths.
fn name(path: &str, name: &str, faults: &mut Vec<Fault>) {
    let printable = name.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if name.is_empty() || name.len() > limits::TEXT_BYTES || !printable {
        let sentence = format!("a name must have 1 to {} printable ASCII characters and no space", limits::TEXT_BYTES);
        faults.push((path.to_string(), sentence));
    }
}

fn units(path: &str, units: u32, faults: &mut Vec<Fault>) {
    if units == 0 {
        fault(faults, path, "must be at least 1");
    } else if units > limits::UNITS {
        fault(faults, path, &format!("must be at most {}", limits::UNITS));
    }
}

fn duration(path: &str, ms: u64, faults: &mut Vec<Fault>) {
    if ms > DURATION_MS_MAX {
        fault(faults, path, "is longer than ten years");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Entry, Tier};
    use alloc::vec;

    fn sound() -> Policy {
        Policy {
            version: 1,
            default_units: 1,
            channels: Policy::standard_channels(),
            entries: vec![Entry { name: "+49.30".into(), queue: "sales".into() }],
            tiers: vec![Tier { name: "vip".into(), head_start_ms: 90_000 }],
            queues: vec![Queue { name: "sales".into(), service_level_goal_permille: 800, ..Queue::default() }],
            rules: vec![
                Rule { when: vec![condition(Subject::Tier, "", "vip")], queue: "sales".into() },
                Rule { when: vec![], queue: "sales".into() },
            ],
            ..Policy::default()
        }
    }

    fn condition(subject: Subject, key: &str, value: &str) -> Condition {
        Condition { subject, key: key.into(), value: value.into() }
    }

    /// The paths of the faults that a change to a sound policy makes.
    fn paths(change: impl FnOnce(&mut Policy)) -> Vec<String> {
        let mut policy = sound();
        change(&mut policy);
        policy.faults().into_iter().map(|(path, _)| path).collect()
    }

    fn agent_paths(change: impl FnOnce(&mut AgentConfig)) -> Vec<String> {
        let mut config = AgentConfig { weight: 1, ..AgentConfig::default() };
        change(&mut config);
        config.faults().into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn a_sound_policy_has_no_fault() {
        assert_eq!(sound().faults(), vec![]);
    }

    #[test]
    fn each_bound_of_a_policy_has_its_path() {
        assert_eq!(paths(|p| p.version = 0), ["version"]);
        assert_eq!(paths(|p| p.default_units = 0), ["default_units"]);
        assert_eq!(paths(|p| p.default_units = limits::UNITS + 1), ["default_units"]);
        assert_eq!(paths(|p| p.reopen_window_ms = u64::MAX), ["reopen_window_s"]);
        assert_eq!(paths(|p| p.idle_reset_ms = u64::MAX), ["idle_reset_s"]);
        assert_eq!(paths(|p| p.channels[1].units = 0), ["channel.video.units"]);
        assert_eq!(paths(|p| p.channels[0].short_abandon_ms = u64::MAX), ["channel.voice.short_abandon_s"]);
        assert_eq!(paths(|p| p.tiers[0].head_start_ms = u64::MAX), ["tier.vip.head_start_s"]);
        assert_eq!(paths(|p| p.queues[0].service_level_ms = u64::MAX), ["queue[0].service_level_s"]);
        assert_eq!(paths(|p| p.queues[0].service_level_goal_permille = 1_001), ["queue[0].service_level_goal"]);
        let level = |level| vec![SkillLevel { name: "german".into(), level }];
        assert_eq!(paths(|p| p.queues[0].skills = level(11)), ["queue[0].skills.german"]);
        assert_eq!(paths(|p| p.queues[0].skills = level(10)), Vec::<String>::new());
    }

    #[test]
    fn lists_have_limits() {
        let many = |n: usize| (0..n).map(|i| format!("n{i}")).collect::<Vec<_>>();
        let tier = |name: String| Tier { name: name.into(), head_start_ms: 0 };
        assert_eq!(paths(|p| p.tiers.extend(many(64).into_iter().map(tier))), ["tier"]);
        let channel = |name: String| Channel { name: name.into(), units: 1, ..Channel::default() };
        assert_eq!(paths(|p| p.channels.extend(many(24).into_iter().map(channel))), ["channel"]);
        let queue = |name: String| Queue { name: name.into(), ..Queue::default() };
        assert_eq!(paths(|p| p.queues.extend(many(1_000).into_iter().map(queue))), ["queue"]);
        let entry = |name: String| Entry { name: name.into(), queue: "sales".into() };
        assert_eq!(paths(|p| p.entries.extend(many(4_096).into_iter().map(entry))), ["entry"]);
        let rule = |_| Rule { when: vec![condition(Subject::Language, "", "de")], queue: "sales".into() };
        assert_eq!(paths(|p| p.rules.extend(many(4_096).into_iter().map(rule))), ["rule"]);
        let when = |key: String| condition(Subject::Attribute, &key, "x");
        assert_eq!(paths(|p| p.rules[0].when.extend(many(16).into_iter().map(when))), ["rule[0].when"]);
        let skill = |name: String| SkillLevel { name: name.into(), level: 1 };
        assert_eq!(paths(|p| p.queues[0].skills = many(65).into_iter().map(skill).collect()), ["queue[0].skills"]);
    }

    #[test]
    fn names_are_unique_well_formed_and_known() {
        assert_eq!(paths(|p| p.queues.push(p.queues[0].clone())), ["queue[1].name"]);
        assert_eq!(paths(|p| p.tiers.push(p.tiers[0].clone())), ["tier.vip"]);
        assert_eq!(paths(|p| p.entries.push(p.entries[0].clone())), ["entry.\"+49.30\""]);
        assert_eq!(paths(|p| p.channels.push(p.channels[0].clone())), ["channel.voice"]);
        assert_eq!(paths(|p| p.tiers.push(Tier { name: "a b".into(), head_start_ms: 0 })), ["tier.\"a b\""]);
        assert_eq!(paths(|p| p.entries[0].queue = "nobody".into()), ["entry.\"+49.30\".queue"]);
        assert_eq!(paths(|p| p.rules[0].queue = "nobody".into()), ["rule[0].queue"]);
        assert_eq!(paths(|p| p.queues.clear()), ["entry.\"+49.30\".queue", "queue", "rule[0].queue", "rule[1].queue"]);
    }

    #[test]
    fn exactly_one_rule_is_the_default() {
        assert_eq!(paths(|p| p.rules.truncate(1)), ["rule"]);
        assert_eq!(paths(|p| p.rules.push(p.rules[1].clone())), ["rule[2]"]);
    }

    #[test]
    fn a_condition_that_cannot_hold_is_a_fault() {
        assert_eq!(paths(|p| p.rules[0].when[0].value = "gold".into()), ["rule[0].when.tier"]);
        let fax = condition(Subject::Channel, "", "fax");
        assert_eq!(paths(|p| p.rules[0].when[0] = fax), ["rule[0].when.channel"]);
        let vip = condition(Subject::Tier, "", "vip");
        assert_eq!(paths(|p| p.rules[0].when.push(vip)), ["rule[0].when.tier"]);
        let nameless = condition(Subject::Attribute, "", "x");
        assert_eq!(paths(|p| p.rules[0].when[0] = nameless), ["rule[0].when.attributes.\"\""]);
    }

    #[test]
    fn each_bound_of_an_agent_has_its_path() {
        assert_eq!(agent_paths(|_| {}), Vec::<String>::new());
        assert_eq!(agent_paths(|a| a.weight = 0), ["weight"]);
        assert_eq!(agent_paths(|a| a.weight = 10_001), ["weight"]);
        assert_eq!(agent_paths(|a| a.weight = 10_000), Vec::<String>::new());
        assert_eq!(agent_paths(|a| a.units = Some(0)), ["units"]);
        assert_eq!(agent_paths(|a| a.team = "tea m".into()), ["team"]);
        let twice = vec![SkillLevel { name: "german".into(), level: 1 }; 2];
        assert_eq!(agent_paths(|a| a.skills = twice), ["skills.german"]);
    }
}
