//! What is wrong with a policy or an agent's configuration as a whole: names that nobody has, limits that are passed.
//!
//! Shapes (types, unknown keys) are the codec's; here only content is judged, so that JSON, TOML and a test that builds a
//! `Policy` by hand are held to the same rules. Every fault is found, not the first: a person corrects a file once.
//! Pure: no state, no other workspace, nothing of what the engine holds at the moment. An agent's configuration is judged
//! by itself (`of_agent`) and, where the policy it will live under is known, against that (`of_agent_in`). What is in a
//! calendar is judged where it is expanded: the engine knows no zone and no date, only who names which calendar.

use crate::policy::{
    ALWAYS, AgentConfig, Channel, Clock, ClockKind, ClockLevel, Condition, Exit, ExitKind, Membership, OnOffline,
    OwnerAbsent, Pick, Policy, Queue, RoundEnd, Rule, Rung, SkillLevel, Step, Strategy, Subject, Target, Tier, WrapUp,
    WrapUpMode, limits,
};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// (path of the field, sentence without its path).
pub(crate) type Fault = (String, String);

/// Ten years: longer durations are typing errors, and sums of a few of them stay far from the ends of u64.
pub const DURATION_MS_MAX: u64 = 3_650 * 24 * 3_600_000;
/// Counts of conversations, declines, transfers: more is a typing error, and it fits 32 bits.
pub const COUNT_MAX: u32 = 1_000_000_000;

pub(crate) fn of_policy(policy: &Policy) -> Vec<Fault> {
    let mut faults = Vec::new();
    if policy.version == 0 {
        fault(&mut faults, "version", "must be at least 1: 0 stands for a workspace that was never configured");
    }
    units("default_units", policy.default_units, &mut faults);
    duration("reopen_window_s", policy.reopen_window_ms, &mut faults);
    duration("idle_reset_s", policy.idle_reset_ms, &mut faults);
    at_most("decline_limit", policy.decline_limit, COUNT_MAX, &mut faults);
    duration("not_responding_s", policy.not_responding_ms, &mut faults);
    duration("lease_grace_s", policy.lease_grace_ms, &mut faults);
    positive_duration("bot_max_s", policy.bot_max_ms, &mut faults);
    at_most("max_transfers", policy.max_transfers, COUNT_MAX, &mut faults);
    duration("priority_head_start_s", policy.priority_head_start_ms, &mut faults);
    duration("strict_max_wait_s", policy.strict_max_wait_ms, &mut faults);
    let names = Names::of(policy);
    calendars(policy, &mut faults);
    count("skills", "skills", policy.skills.len(), limits::SKILLS, &mut faults);
    well_formed("skills", "skill", &policy.skills, &mut faults);
    channels(&policy.channels, &mut faults);
    entries(policy, &names, &mut faults);
    teams(policy, &names, &mut faults);
    tiers(policy, &names, &mut faults);
    queues(policy, &names, &mut faults);
    rules(policy, &names, &mut faults);
    clocks(policy, &names, &mut faults);
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
    at_most("seniority", config.seniority.into(), limits::SENIORITY.into(), &mut faults);
    count("channels", "channels", config.channels.len(), limits::CHANNELS, &mut faults);
    well_formed("channels", "channel", &config.channels, &mut faults);
    count("limits", "limits", config.limits.len(), limits::CHANNELS, &mut faults);
    let limited = |channel: &str| join_key("limits", channel);
    unique(config.limits.iter().map(|limit| (limited(&limit.channel), &*limit.channel)), "limit", &mut faults);
    for limit in &config.limits {
        name(&limited(&limit.channel), &limit.channel, &mut faults);
        units(&limited(&limit.channel), limit.max, &mut faults);
    }
    memberships("memberships", &config.memberships, &mut faults);
    if !config.shifts.is_empty() {
        name("shifts", &config.shifts, &mut faults);
    }
    faults
}

/// What an agent's configuration names and this policy has not, as (path, sentence): queues, channels, a calendar and,
/// where the policy lists them, skills. A team needs no table of its own. What is wrong with the configuration by itself is
/// `AgentConfig::faults`.
pub fn of_agent_in(policy: &Policy, config: &AgentConfig) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let is_queue = |name: &str| policy.queues.iter().any(|queue| *queue.name == *name);
    let is_channel = |name: &str| policy.channels.iter().any(|channel| *channel.name == *name);
    if !policy.skills.is_empty() {
        let own = config.skills.iter().take(limits::SKILLS_OF_ONE);
        for skill in own.filter(|skill| !policy.skills.contains(&skill.name)) {
            no_skill(&join_key("skills", &skill.name), &skill.name, &mut faults);
        }
    }
    for (i, channel) in config.channels.iter().enumerate().filter(|(_, channel)| !is_channel(channel)) {
        no_channel(&format!("channels[{i}]"), channel, &mut faults);
    }
    for limit in config.limits.iter().filter(|limit| !is_channel(&limit.channel)) {
        no_channel(&join_key("limits", &limit.channel), &limit.channel, &mut faults);
    }
    for (i, membership) in config.memberships.iter().enumerate().filter(|(_, part)| !is_queue(&part.queue)) {
        no_queue(&format!("memberships[{i}].queue"), &membership.queue, &mut faults);
    }
    Names::of(policy).calendar("shifts", &config.shifts, &mut faults);
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

/// The names that a policy's parts may use of each other.
struct Names<'p> {
    queues: BTreeSet<&'p str>,
    teams: BTreeSet<&'p str>,
    /// Empty: any.
    skills: BTreeSet<&'p str>,
    calendars: BTreeSet<&'p str>,
}

impl Names<'_> {
    fn of(policy: &Policy) -> Names<'_> {
        Names {
            queues: policy.queues.iter().map(|queue| &*queue.name).collect(),
            teams: policy.teams.iter().map(|team| &*team.name).collect(),
            skills: policy.skills.iter().map(|skill| &**skill).collect(),
            calendars: policy.calendars.iter().map(|calendar| &*calendar.name).collect(),
        }
    }

    /// Where one may be named; empty: none is.
    fn calendar(&self, path: &str, calendar: &str, faults: &mut Vec<Fault>) {
        if !calendar.is_empty() && !self.calendars.contains(calendar) {
            no_calendar(path, calendar, faults);
        }
    }

    fn queue(&self, path: &str, queue: &str, faults: &mut Vec<Fault>) {
        if !self.queues.contains(queue) {
            no_queue(path, queue, faults);
        }
    }

    /// Another queue than the one that names it.
    fn other_queue(&self, path: &str, queue: &str, own: &str, faults: &mut Vec<Fault>) {
        if queue == own {
            fault(faults, path, "is the queue itself, and it must be another one");
        } else {
            self.queue(path, queue, faults);
        }
    }

    fn team(&self, path: &str, team: &str, faults: &mut Vec<Fault>) {
        if !self.teams.contains(team) {
            no_team(path, team, faults);
        }
    }

    fn teams(&self, path: &str, teams: &[Box<str>], faults: &mut Vec<Fault>) {
        count(path, "teams", teams.len(), limits::TEAMS, faults);
        unique(teams.iter().enumerate().map(|(i, team)| (format!("{path}[{i}]"), &**team)), "team", faults);
        for (i, team) in teams.iter().enumerate() {
            self.team(&format!("{path}[{i}]"), team, faults);
        }
    }

    fn skill(&self, path: &str, skill: &str, faults: &mut Vec<Fault>) {
        if !self.skills.is_empty() && !self.skills.contains(skill) {
            no_skill(path, skill, faults);
        }
    }

    fn skills(&self, path: &str, levels: &[SkillLevel], faults: &mut Vec<Fault>) {
        skills(path, levels, faults);
        for level in levels {
            self.skill(&join_key(path, &level.name), &level.name, faults);
        }
    }
}

fn no_queue(path: &str, queue: &str, faults: &mut Vec<Fault>) {
    fault(faults, path, &format!("no queue is named `{queue}`"));
}

fn no_team(path: &str, team: &str, faults: &mut Vec<Fault>) {
    fault(faults, path, &format!("no team is named `{team}`"));
}

fn no_skill(path: &str, skill: &str, faults: &mut Vec<Fault>) {
    fault(faults, path, &format!("no skill is named `{skill}` in the workspace's `skills`"));
}

fn no_channel(path: &str, channel: &str, faults: &mut Vec<Fault>) {
    fault(faults, path, &format!("no channel is named `{channel}`"));
}

fn no_calendar(path: &str, calendar: &str, faults: &mut Vec<Fault>) {
    fault(faults, path, &format!("no calendar is named `{calendar}`"));
}

fn calendars(policy: &Policy, faults: &mut Vec<Fault>) {
    let calendars = &policy.calendars;
    count("calendar", "calendars", calendars.len(), limits::CALENDARS, faults);
    let path = |i: usize| format!("calendar[{i}].name");
    unique(calendars.iter().enumerate().map(|(i, own)| (path(i), &*own.name)), "calendar", faults);
    for (i, own) in calendars.iter().enumerate() {
        name(&path(i), &own.name, faults);
        if *own.name == *ALWAYS {
            fault(faults, &path(i), "says of a clock that it counts at every moment, so no calendar is named so");
        }
    }
}

fn channels(channels: &[Channel], faults: &mut Vec<Fault>) {
    count("channel", "channels", channels.len(), limits::CHANNELS, faults);
    unique(channels.iter().map(|channel| (join_key("channel", &channel.name), &*channel.name)), "channel", faults);
    for own in channels {
        let path = join_key("channel", &own.name);
        name(&path, &own.name, faults);
        units(&format!("{path}.units"), own.units, faults);
        duration(&format!("{path}.short_abandon_s"), own.short_abandon_ms, faults);
        at_most(&format!("{path}.limit"), own.limit, limits::UNITS, faults);
        interrupts(&format!("{path}.interrupts"), own, channels, faults);
        duration(&format!("{path}.min_gap_s"), own.min_gap_ms, faults);
        wrap_up(&format!("{path}.wrap_up"), &own.wrap_up, faults);
        if own.live {
            live_channel(&path, own, faults);
        } else {
            async_channel(&path, own, faults);
        }
    }
}

fn interrupts(path: &str, own: &Channel, channels: &[Channel], faults: &mut Vec<Fault>) {
    let Some(interrupts) = &own.interrupts else { return };
    if own.exclusive && !interrupts.is_empty() {
        fault(faults, path, "an exclusive channel lets nothing in while it is held");
    }
    count(path, "channels", interrupts.len(), limits::CHANNELS, faults);
    unique(interrupts.iter().enumerate().map(|(i, name)| (format!("{path}[{i}]"), &**name)), "channel", faults);
    for (i, name) in interrupts.iter().take(limits::CHANNELS).enumerate() {
        if *name == own.name {
            fault(faults, &format!("{path}[{i}]"), "is the channel itself: more of the same is a matter of its units");
        } else if !channels.iter().any(|channel| channel.name == *name) {
            no_channel(&format!("{path}[{i}]"), name, faults);
        }
    }
}

fn live_channel(path: &str, own: &Channel, faults: &mut Vec<Fault>) {
    positive_duration(&format!("{path}.max_open_s"), own.max_open_ms, faults);
    if own.on_offline != OnOffline::Keep {
        fault(faults, &format!("{path}.on_offline"), "a live contact is never taken from its agent");
    }
    if own.reply_window_ms > 0 {
        fault(faults, &format!("{path}.reply_window_s"), "has no meaning on a live channel");
    }
}

fn async_channel(path: &str, own: &Channel, faults: &mut Vec<Fault>) {
    duration(&format!("{path}.on_offline.after_s"), own.offline_grace_ms, faults);
    if own.owner_absent != OwnerAbsent::Return {
        positive_duration(&format!("{path}.owner_absent.for_s"), own.owner_absent_ms, faults);
    }
    positive_duration(&format!("{path}.owner_silent_s"), own.owner_silent_ms, faults);
    positive_duration(&format!("{path}.close_after_s"), own.close_after_ms, faults);
    duration(&format!("{path}.their_turn_after_s"), own.their_turn_after_ms, faults);
    duration(&format!("{path}.reply_window_s"), own.reply_window_ms, faults);
    if own.their_turn_units > own.units {
        let sentence = format!("is above the {} units that the channel takes in our turn", own.units);
        fault(faults, &format!("{path}.their_turn_units"), &sentence);
    }
}

fn wrap_up(path: &str, wrap_up: &WrapUp, faults: &mut Vec<Fault>) {
    if wrap_up.mode == WrapUpMode::None {
        if (wrap_up.units, wrap_up.max_ms) != (0, 0) {
            fault(faults, path, "has units or a time although there is none");
        }
        return;
    }
    at_most(&format!("{path}.units"), wrap_up.units, limits::UNITS, faults);
    positive_duration(&format!("{path}.max_s"), wrap_up.max_ms, faults);
}

fn entries(policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count("entry", "entries", policy.entries.len(), limits::ENTRIES, faults);
    unique(policy.entries.iter().map(|entry| (join_key("entry", &entry.name), &*entry.name)), "entry", faults);
    for entry in &policy.entries {
        let path = join_key("entry", &entry.name);
        name(&path, &entry.name, faults);
        names.queue(&format!("{path}.queue"), &entry.queue, faults);
    }
}

fn teams(policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count("team", "teams", policy.teams.len(), limits::TEAMS, faults);
    unique(policy.teams.iter().map(|team| (join_key("team", &team.name), &*team.name)), "team", faults);
    for team in &policy.teams {
        let path = join_key("team", &team.name);
        name(&path, &team.name, faults);
        memberships(&format!("{path}.memberships"), &team.memberships, faults);
        for (i, membership) in team.memberships.iter().enumerate() {
            names.queue(&format!("{path}.memberships[{i}].queue"), &membership.queue, faults);
        }
    }
}

/// Of a team or an agent, but for whether the queues exist.
fn memberships(path: &str, memberships: &[Membership], faults: &mut Vec<Fault>) {
    count(path, "memberships", memberships.len(), limits::MEMBERSHIPS, faults);
    let own = |i: usize, key: &str| format!("{path}[{i}].{key}");
    unique(memberships.iter().enumerate().map(|(i, part)| (own(i, "queue"), &*part.queue)), "membership", faults);
    for (i, membership) in memberships.iter().enumerate() {
        one_to_nine(&own(i, "priority"), membership.priority, faults);
        one_to_nine(&own(i, "rank"), membership.rank, faults);
        duration(&own(i, "delay_s"), membership.delay_ms, faults);
        at_most(&own(i, "max_units"), membership.max_units, limits::UNITS, faults);
    }
}

fn tiers(policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count("tier", "tiers", policy.tiers.len(), limits::TIERS, faults);
    unique(policy.tiers.iter().map(|tier| (join_key("tier", &tier.name), &*tier.name)), "tier", faults);
    for tier in &policy.tiers {
        let path = join_key("tier", &tier.name);
        name(&path, &tier.name, faults);
        duration(&format!("{path}.head_start_s"), tier.head_start_ms, faults);
        at_most(&format!("{path}.class"), tier.class.into(), limits::NINE.into(), faults);
        first_ring(&format!("{path}.first_ring"), tier, names, faults);
    }
}

fn first_ring(path: &str, tier: &Tier, names: &Names<'_>, faults: &mut Vec<Fault>) {
    let Some(ring) = &tier.first_ring else { return };
    match (ring.team.is_empty(), ring.seniority_at_least) {
        (true, 0) => fault(faults, path, "must say who rings first: `team` or `seniority_at_least`"),
        (true, seniority) => {
            at_most(&format!("{path}.seniority_at_least"), seniority.into(), limits::SENIORITY.into(), faults);
        }
        (false, 0) => names.team(&format!("{path}.team"), &ring.team, faults),
        (false, _) => fault(faults, path, "has both `team` and `seniority_at_least`, and only one is allowed"),
    }
    positive_duration(&format!("{path}.for_s"), ring.for_ms, faults);
}

fn queues(policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    let queues = &policy.queues;
    count("queue", "queues", queues.len(), limits::QUEUES, faults);
    if queues.is_empty() {
        fault(faults, "queue", "there must be at least one queue");
    }
    unique(queues.iter().enumerate().map(|(i, queue)| (format!("queue[{i}].name"), &*queue.name)), "queue", faults);
    for (i, queue) in queues.iter().enumerate() {
        let path = format!("queue[{i}]");
        let own = |key: &str| format!("{path}.{key}");
        name(&own("name"), &queue.name, faults);
        names.skills(&own("skills"), &queue.skills, faults);
        duration(&own("service_level_s"), queue.service_level_ms, faults);
        if queue.service_level_goal_permille > 1_000 {
            fault(faults, &own("service_level_goal"), "must be a share from 0 to 1");
        }
        names.skills(&own("preferred_skills"), &queue.preferred_skills, faults);
        names.teams(&own("teams"), &queue.teams, faults);
        offers(&path, queue, names, faults);
        steps(&own("step"), queue, names, faults);
        duration(&own("preferred_s"), queue.preferred_ms, faults);
        pull(&path, queue, faults);
        at_most(&own("max_waiting"), queue.max_waiting, COUNT_MAX, faults);
        duration(&own("max_wait_s"), queue.max_wait_ms, faults);
        duration(&own("drain_after_close_s"), queue.drain_after_close_ms, faults);
        exits(&path, queue, names, faults);
        if let Some(own_wrap_up) = &queue.wrap_up {
            wrap_up(&own("wrap_up"), own_wrap_up, faults);
        }
        ladder(&own("escalation"), queue, names, faults);
        names.calendar(&own("calendar"), &queue.calendar, faults);
    }
}

fn offers(path: &str, queue: &Queue, names: &Names<'_>, faults: &mut Vec<Fault>) {
    duration(&format!("{path}.accept_s"), queue.accept_ms, faults);
    let path = format!("{path}.on_all_declined");
    match queue.on_all_declined {
        RoundEnd::Queue => {
            names.other_queue(&format!("{path}.queue"), &queue.all_declined_queue, &queue.name, faults);
        }
        _ if !queue.all_declined_queue.is_empty() => {
            fault(faults, &format!("{path}.queue"), "is used with `then = \"queue\"` only");
        }
        _ => {}
    }
    let pauses = matches!(queue.on_all_declined, RoundEnd::Again | RoundEnd::Relax);
    if pauses && queue.accept_ms > 0 {
        positive_duration(&format!("{path}.after_s"), queue.round_ms, faults);
    } else {
        duration(&format!("{path}.after_s"), queue.round_ms, faults);
    }
}

fn steps(path: &str, queue: &Queue, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count(path, "steps", queue.steps.len(), limits::STEPS, faults);
    let mut before = 0;
    for (i, step) in queue.steps.iter().enumerate() {
        let path = format!("{path}[{i}]");
        positive_duration(&format!("{path}.after_s"), step.after_ms, faults);
        if i > 0 && step.after_ms <= before {
            fault(faults, &format!("{path}.after_s"), "must be later than the step before");
        }
        before = step.after_ms;
        relaxation(&path, step, &queue.name, names, faults);
    }
}

fn relaxation(path: &str, step: &Step, queue: &str, names: &Names<'_>, faults: &mut Vec<Fault>) {
    let asks_nothing = step.drop.is_empty()
        && step.lower.is_empty()
        && step.teams.is_none()
        && step.head_start_ms == 0
        && step.overflow.is_empty();
    if asks_nothing {
        fault(faults, path, "changes nothing: it needs `drop`, `lower`, `teams`, `head_start_s` or `overflow`");
    }
    count(&format!("{path}.drop"), "skills", step.drop.len(), limits::SKILLS_OF_ONE, faults);
    well_formed(&format!("{path}.drop"), "skill", &step.drop, faults);
    for (i, skill) in step.drop.iter().take(limits::SKILLS_OF_ONE).enumerate() {
        let path = format!("{path}.drop[{i}]");
        names.skill(&path, skill, faults);
        if step.lower.iter().any(|lowered| lowered.name == *skill) {
            fault(faults, &path, "is lowered by the same step: one of both");
        }
    }
    names.skills(&format!("{path}.lower"), &step.lower, faults);
    if let Some(teams) = &step.teams {
        names.teams(&format!("{path}.teams"), teams, faults);
    }
    duration(&format!("{path}.head_start_s"), step.head_start_ms, faults);
    if !step.overflow.is_empty() {
        names.other_queue(&format!("{path}.overflow"), &step.overflow, queue, faults);
    }
}

/// What belongs to a pull queue and to no other.
fn pull(path: &str, queue: &Queue, faults: &mut Vec<Fault>) {
    let own = |key: &str| format!("{path}.{key}");
    duration(&own("unclaimed_s"), queue.unclaimed_ms, faults);
    if queue.strategy != Strategy::Manual {
        if queue.pick != Pick::default() {
            fault(faults, &own("pick"), "is used with `strategy = \"manual\"` only");
        }
        if queue.unclaimed_ms > 0 {
            fault(faults, &own("unclaimed_s"), "is used with `strategy = \"manual\"` only");
        }
    }
    if queue.unclaimed_strategy == Strategy::Manual {
        fault(faults, &own("unclaimed_strategy"), "must assign, and `manual` does not");
    } else if queue.unclaimed_strategy != Strategy::default() && queue.unclaimed_ms == 0 {
        fault(faults, &own("unclaimed_strategy"), "is used with `unclaimed_s` only");
    }
}

fn exits(path: &str, queue: &Queue, names: &Names<'_>, faults: &mut Vec<Fault>) {
    let exits = [
        ("on_full", &queue.on_full),
        ("on_max_wait", &queue.on_max_wait),
        ("on_closed", &queue.on_closed),
        ("on_unstaffed", &queue.on_unstaffed),
        ("on_unservable", &queue.on_unservable),
    ];
    for (key, exit) in exits {
        way_out(&format!("{path}.{key}"), exit, &queue.name, names, faults);
    }
    if queue.max_waiting == 0 && queue.on_full.kind != ExitKind::Wait {
        fault(
            faults,
            &format!("{path}.on_full"),
            "is used with `max_waiting` only: without it the queue is never full",
        );
    }
    if queue.max_wait_ms == 0 && queue.on_max_wait.kind != ExitKind::Wait {
        fault(faults, &format!("{path}.on_max_wait"), "is used with `max_wait_s` only: without it no wait is too long");
    }
}

fn way_out(path: &str, exit: &Exit, queue: &str, names: &Names<'_>, faults: &mut Vec<Fault>) {
    match exit.kind {
        ExitKind::Queue => names.other_queue(&format!("{path}.queue"), &exit.text, queue, faults),
        ExitKind::Deflect => reason(&format!("{path}.reason"), &exit.text, faults),
        _ if !exit.text.is_empty() => fault(faults, path, "has a queue or a reason that is not used"),
        _ => {}
    }
}

/// It is told to the customer's channel.
fn reason(path: &str, reason: &str, faults: &mut Vec<Fault>) {
    if reason.is_empty() || reason.len() > limits::TEXT_BYTES || reason.chars().any(char::is_control) {
        let sentence = format!("must have 1 to {} bytes and no control character", limits::TEXT_BYTES);
        fault(faults, path, &sentence);
    }
}

fn ladder(path: &str, queue: &Queue, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count(path, "levels", queue.ladder.len(), limits::RUNGS, faults);
    for (i, rung) in queue.ladder.iter().take(limits::RUNGS).enumerate() {
        let path = format!("{path}[{i}]");
        one_to_nine(&format!("{path}.level"), rung.level, faults);
        if let Some(first) = queue.ladder[..i].iter().position(|other| other.level == rung.level) {
            fault(faults, &format!("{path}.level"), &format!("escalation[{first}] is of level {} too", rung.level));
        }
        escalation(&path, rung, &queue.name, names, faults);
    }
}

fn escalation(path: &str, rung: &Rung, queue: &str, names: &Names<'_>, faults: &mut Vec<Fault>) {
    if rung.priority == 0 && rung.queue.is_empty() && rung.notify.is_empty() {
        fault(faults, path, "does nothing: it needs `priority`, `queue` or `notify`");
    }
    at_most(&format!("{path}.priority"), rung.priority.into(), limits::NINE.into(), faults);
    if !rung.queue.is_empty() {
        names.other_queue(&format!("{path}.queue"), &rung.queue, queue, faults);
    }
    count(&format!("{path}.notify"), "agents", rung.notify.len(), limits::NOTIFY, faults);
    well_formed(&format!("{path}.notify"), "agent", &rung.notify, faults);
}

fn rules(policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count("rule", "rules", policy.rules.len(), limits::RULES, faults);
    let mut default: Option<usize> = None;
    for (i, rule) in policy.rules.iter().enumerate() {
        names.queue(&format!("rule[{i}].queue"), &rule.queue, faults);
        conditions(i, rule, policy, names, faults);
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

fn conditions(i: usize, rule: &Rule, policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
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
            Subject::Open | Subject::Closed if !names.calendars.contains(value) => no_calendar(&path, value, faults),
            Subject::Closed
                if rule.when.iter().any(|other| other.subject == Subject::Open && *other.value == *value) =>
            {
                fault(faults, &path, "must be open too, so this rule could never match");
            }
            _ => name(&path, value, faults),
        }
    }
}

fn clocks(policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count("clock", "clocks", policy.clocks.len(), ClockKind::ALL.len(), faults);
    for (i, clock) in policy.clocks.iter().take(ClockKind::ALL.len()).enumerate() {
        let path = format!("clock[{i}]");
        let own = |key: &str| format!("{path}.{key}");
        if let Some(first) = policy.clocks[..i].iter().position(|other| other.kind == clock.kind) {
            fault(faults, &own("kind"), &format!("clock[{first}] is of this kind too"));
        }
        if clock.kind == ClockKind::ReplyWindow && !clock.calendar.is_empty() && *clock.calendar != *ALWAYS {
            fault(faults, &own("calendar"), "a reply window runs at every moment");
        } else if *clock.calendar != *ALWAYS {
            names.calendar(&own("calendar"), &clock.calendar, faults);
        }
        targets(&path, clock, policy, names, faults);
        warnings(&own("warn_percent"), clock, faults);
        pauses(&own("pause_on"), clock, faults);
        clock_levels(&own("level"), clock, policy, names, faults);
    }
}

fn targets(path: &str, clock: &Clock, policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    duration(&format!("{path}.target_s"), clock.target_ms, faults);
    count(&format!("{path}.targets"), "targets", clock.targets.len(), limits::TARGETS, faults);
    let has_window = |channel: &Channel| !channel.live && channel.reply_window_ms > 0;
    let is_window = clock.kind == ClockKind::ReplyWindow && policy.channels.iter().any(has_window);
    if clock.target_ms == 0 && clock.targets.is_empty() && !is_window {
        fault(faults, path, "has no target, so it would never run: it needs `target_s` or `targets`");
    }
    for (i, target) in clock.targets.iter().take(limits::TARGETS).enumerate() {
        let path = format!("{path}.targets[{i}]");
        let own = |key: &str| format!("{path}.{key}");
        positive_duration(&own("target_s"), target.target_ms, faults);
        if target.queue.is_empty() && target.tier.is_empty() && target.channel.is_empty() {
            fault(faults, &path, "is for all: name a `queue`, `tier` or `channel`, or write the clock's `target_s`");
        }
        if !target.queue.is_empty() {
            names.queue(&own("queue"), &target.queue, faults);
        }
        if !target.tier.is_empty() && !policy.tiers.iter().any(|tier| tier.name == target.tier) {
            fault(faults, &own("tier"), &format!("no tier is named `{}`", target.tier));
        }
        if !target.channel.is_empty() {
            target_channel(&own("channel"), &target.channel, clock.kind, policy, faults);
        }
        if let Some(first) = clock.targets[..i].iter().position(|other| fits_all_of(other, target)) {
            fault(faults, &path, &format!("targets[{first}] comes first and fits all that this one fits"));
        }
    }
}

/// Turns and reply windows are those of async channels.
fn target_channel(path: &str, channel: &str, kind: ClockKind, policy: &Policy, faults: &mut Vec<Fault>) {
    let is_async = matches!(kind, ClockKind::NextResponse | ClockKind::ReplyWindow);
    match policy.channels.iter().find(|own| *own.name == *channel) {
        None => no_channel(path, channel, faults),
        Some(own) if own.live && is_async => {
            fault(faults, path, &format!("`{channel}` is live, and a clock of this kind never runs there"));
        }
        Some(_) => {}
    }
}

fn fits_all_of(first: &Target, later: &Target) -> bool {
    let fits = |first: &str, later: &str| first.is_empty() || first == later;
    fits(&first.queue, &later.queue) && fits(&first.tier, &later.tier) && fits(&first.channel, &later.channel)
}

fn warnings(path: &str, clock: &Clock, faults: &mut Vec<Fault>) {
    count(path, "warnings", clock.warn_percent.len(), limits::CLOCK_LEVELS, faults);
    let mut before = 0;
    for (i, percent) in clock.warn_percent.iter().enumerate() {
        let path = format!("{path}[{i}]");
        if !(1..100).contains(percent) {
            fault(faults, &path, "must be 1 to 99: at 100 % it is a breach");
        } else if *percent <= before {
            fault(faults, &path, "must be above the percent before");
        }
        before = before.max(*percent);
    }
}

fn pauses(path: &str, clock: &Clock, faults: &mut Vec<Fault>) {
    let pause_on = clock.pause_on.as_deref().unwrap_or_default();
    if clock.kind == ClockKind::QueueWait && !pause_on.is_empty() {
        fault(faults, path, "what waits in a queue is neither answered nor snoozed nor parked");
    }
    for (i, pause) in pause_on.iter().enumerate().filter(|(i, pause)| pause_on[..*i].contains(pause)) {
        fault(faults, &format!("{path}[{i}]"), &format!("`{}` stands twice", pause.word()));
    }
}

fn clock_levels(path: &str, clock: &Clock, policy: &Policy, names: &Names<'_>, faults: &mut Vec<Fault>) {
    count(path, "levels", clock.levels.len(), limits::CLOCK_LEVELS, faults);
    let mut before = 0;
    for (i, level) in clock.levels.iter().take(limits::CLOCK_LEVELS).enumerate() {
        let path = format!("{path}[{i}]");
        if !(1..=limits::PERCENT).contains(&level.percent) {
            fault(faults, &format!("{path}.percent"), &format!("must be 1 to {}", limits::PERCENT));
        } else if level.percent < before {
            fault(faults, &format!("{path}.percent"), "must not be below the percent of the level before");
        }
        before = before.max(level.percent);
        clock_level(&path, level, clock.kind, policy, names, faults);
    }
}

fn clock_level(
    path: &str,
    level: &ClockLevel,
    kind: ClockKind,
    policy: &Policy,
    names: &Names<'_>,
    faults: &mut Vec<Fault>,
) {
    let own = |key: &str| format!("{path}.{key}");
    let says_nothing = level.priority == 0 && level.notify.is_empty() && level.queue.is_empty() && level.escalate == 0;
    if says_nothing && !level.relax && !level.reassign {
        let sentence = "does nothing: it needs `priority`, `relax`, `notify`, `reassign`, `queue` or `escalate`";
        fault(faults, path, sentence);
    }
    at_most(&own("priority"), level.priority.into(), limits::NINE.into(), faults);
    count(&own("notify"), "agents", level.notify.len(), limits::NOTIFY, faults);
    well_formed(&own("notify"), "agent", &level.notify, faults);
    if level.reassign && kind == ClockKind::QueueWait {
        fault(faults, &own("reassign"), "what waits in a queue has no owner to be taken from");
    }
    if !level.queue.is_empty() {
        names.queue(&own("queue"), &level.queue, faults);
    }
    let has_rung = |queue: &Queue| queue.ladder.iter().any(|rung| rung.level == level.escalate);
    match level.escalate {
        0 => {}
        1..=limits::NINE if policy.queues.iter().any(has_rung) => {}
        1..=limits::NINE => {
            fault(faults, &own("escalate"), &format!("no queue has an escalation of level {}", level.escalate));
        }
        _ => one_to_nine(&own("escalate"), level.escalate, faults),
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

/// A list of names, each once.
fn well_formed(path: &str, what: &str, names: &[Box<str>], faults: &mut Vec<Fault>) {
    unique(names.iter().enumerate().map(|(i, name)| (format!("{path}[{i}]"), &**name)), what, faults);
    for (i, own) in names.iter().enumerate() {
        name(&format!("{path}[{i}]"), own, faults);
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

fn at_most(path: &str, number: u32, max: u32, faults: &mut Vec<Fault>) {
    if number > max {
        fault(faults, path, &format!("must be at most {max}"));
    }
}

fn one_to_nine(path: &str, number: u8, faults: &mut Vec<Fault>) {
    if !(1..=limits::NINE).contains(&number) {
        fault(faults, path, &format!("must be 1 to {}", limits::NINE));
    }
}

fn duration(path: &str, ms: u64, faults: &mut Vec<Fault>) {
    if ms > DURATION_MS_MAX {
        fault(faults, path, "is longer than ten years");
    }
}

fn positive_duration(path: &str, ms: u64, faults: &mut Vec<Fault>) {
    if ms == 0 {
        fault(faults, path, "must be above 0");
    } else {
        duration(path, ms, faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Calendar, ChannelLimit, Entry, FirstRing, PauseOn, Team};
    use alloc::vec;

    fn sound() -> Policy {
        Policy {
            version: 1,
            default_units: 1,
            channels: Policy::standard_channels(),
            entries: vec![Entry { name: "+49.30".into(), queue: "sales".into(), bot: false }],
            tiers: vec![Tier { name: "vip".into(), head_start_ms: 90_000, ..Tier::default() }],
            bot_max_ms: 3_600_000,
            teams: vec![Team { name: "seniors".into(), memberships: vec![Membership::of("sales")] }],
            queues: vec![
                Queue { name: "sales".into(), service_level_goal_permille: 800, ..Queue::default() },
                Queue { name: "rest".into(), ..Queue::default() },
            ],
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
        let tier = |name: String| Tier { name: name.into(), ..Tier::default() };
        assert_eq!(paths(|p| p.tiers.extend(many(64).into_iter().map(tier))), ["tier"]);
        let channel = |name: String| Channel::of_nature(&name, false);
        assert_eq!(paths(|p| p.channels.extend(many(24).into_iter().map(channel))), ["channel"]);
        let queue = |name: String| Queue { name: name.into(), ..Queue::default() };
        assert_eq!(paths(|p| p.queues.extend(many(1_000).into_iter().map(queue))), ["queue"]);
        let entry = |name: String| Entry { name: name.into(), queue: "sales".into(), bot: false };
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
        assert_eq!(paths(|p| p.queues.push(p.queues[0].clone())), ["queue[2].name"]);
        assert_eq!(paths(|p| p.tiers.push(p.tiers[0].clone())), ["tier.vip"]);
        assert_eq!(paths(|p| p.entries.push(p.entries[0].clone())), ["entry.\"+49.30\""]);
        assert_eq!(paths(|p| p.channels.push(p.channels[0].clone())), ["channel.voice"]);
        assert_eq!(paths(|p| p.tiers.push(Tier { name: "a b".into(), ..Tier::default() })), ["tier.\"a b\""]);
        assert_eq!(paths(|p| p.entries[0].queue = "nobody".into()), ["entry.\"+49.30\".queue"]);
        assert_eq!(paths(|p| p.rules[0].queue = "nobody".into()), ["rule[0].queue"]);
        let without_queues =
            ["entry.\"+49.30\".queue", "team.seniors.memberships[0].queue", "queue", "rule[0].queue", "rule[1].queue"];
        assert_eq!(paths(|p| p.queues.clear()), without_queues);
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

    fn step(after_ms: u64) -> Step {
        Step { after_ms, head_start_ms: 1, ..Step::default() }
    }

    fn exit(kind: ExitKind, text: &str) -> Exit {
        Exit { kind, text: text.into() }
    }

    fn names(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    const NO_FAULT: &[&str] = &[];
    const LONG: u64 = DURATION_MS_MAX + 1;

    #[test]
    fn counts_and_times_of_a_workspace_are_bounded() {
        assert_eq!(paths(|p| p.decline_limit = COUNT_MAX + 1), ["decline_limit"]);
        assert_eq!(paths(|p| p.max_transfers = COUNT_MAX + 1), ["max_transfers"]);
        assert_eq!(paths(|p| p.not_responding_ms = LONG), ["not_responding_s"]);
        assert_eq!(paths(|p| p.lease_grace_ms = LONG), ["lease_grace_s"]);
        assert_eq!(paths(|p| p.bot_max_ms = LONG), ["bot_max_s"]);
        assert_eq!(paths(|p| p.bot_max_ms = 0), ["bot_max_s"]);
        assert_eq!(paths(|p| p.priority_head_start_ms = LONG), ["priority_head_start_s"]);
        assert_eq!(paths(|p| p.strict_max_wait_ms = LONG), ["strict_max_wait_s"]);
        let none = |p: &mut Policy| (p.decline_limit, p.max_transfers, p.lease_grace_ms) = (0, 0, 0);
        assert_eq!(paths(none), NO_FAULT);
    }

    #[test]
    fn listed_skills_are_all_there_are() {
        let law = || vec![SkillLevel { name: "law".into(), level: 1 }];
        assert_eq!(paths(|p| p.skills = names(&["german"])), NO_FAULT);
        assert_eq!(paths(|p| p.queues[0].skills = law()), NO_FAULT, "where none is listed, any is one");
        assert_eq!(paths(|p| (p.skills, p.queues[0].skills) = (names(&["german"]), law())), ["queue[0].skills.law"]);
        assert_eq!(
            paths(|p| (p.skills, p.queues[0].preferred_skills) = (names(&["german"]), law())),
            ["queue[0].preferred_skills.law"]
        );
        let lowered = |p: &mut Policy| {
            p.skills = names(&["german"]);
            p.queues[0].steps = vec![Step { drop: names(&["french"]), lower: law(), ..step(1) }];
        };
        assert_eq!(paths(lowered), ["queue[0].step[0].drop[0]", "queue[0].step[0].lower.law"]);
        assert_eq!(paths(|p| p.skills = names(&["german", "a b", "german"])), ["skills[2]", "skills[1]"]);
        assert_eq!(paths(|p| p.skills = (0..=limits::SKILLS).map(|i| format!("s{i}").into()).collect()), ["skills"]);
    }

    #[test]
    fn each_bound_of_a_channel_has_its_path() {
        let voice = |change: fn(&mut Channel)| paths(|p| change(&mut p.channels[0]));
        let email = |change: fn(&mut Channel)| paths(|p| change(&mut p.channels[3]));
        assert_eq!(voice(|c| c.limit = limits::UNITS + 1), ["channel.voice.limit"]);
        assert_eq!(voice(|c| c.min_gap_ms = LONG), ["channel.voice.min_gap_s"]);
        assert_eq!(voice(|c| c.max_open_ms = 0), ["channel.voice.max_open_s"]);
        assert_eq!(voice(|c| c.max_open_ms = LONG), ["channel.voice.max_open_s"]);
        assert_eq!(voice(|c| c.on_offline = OnOffline::Return), ["channel.voice.on_offline"]);
        assert_eq!(email(|c| c.offline_grace_ms = LONG), ["channel.email.on_offline.after_s"]);
        assert_eq!(email(|c| c.owner_absent_ms = 0), ["channel.email.owner_absent.for_s"]);
        assert_eq!(email(|c| (c.owner_absent, c.owner_absent_ms) = (OwnerAbsent::Return, 0)), NO_FAULT);
        assert_eq!(email(|c| c.owner_silent_ms = 0), ["channel.email.owner_silent_s"]);
        assert_eq!(email(|c| c.owner_silent_ms = LONG), ["channel.email.owner_silent_s"]);
        assert_eq!(email(|c| c.close_after_ms = 0), ["channel.email.close_after_s"]);
        assert_eq!(email(|c| c.their_turn_after_ms = LONG), ["channel.email.their_turn_after_s"]);
        assert_eq!(email(|c| c.their_turn_units = 2), ["channel.email.their_turn_units"]);
        assert_eq!(email(|c| c.their_turn_units = 1), NO_FAULT);
        assert_eq!(email(|c| c.max_open_ms = 0), NO_FAULT, "an async channel has none");
        assert_eq!(voice(|c| c.owner_silent_ms = 0), NO_FAULT, "a live channel has none");
    }

    #[test]
    fn interruptions_name_other_channels() {
        let chat = |names: Vec<Box<str>>| paths(|p| p.channels[2].interrupts = Some(names));
        assert_eq!(chat(names(&["email", "sms"])), NO_FAULT);
        assert_eq!(chat(vec![]), NO_FAULT);
        assert_eq!(chat(names(&["email", "fax"])), ["channel.chat.interrupts[1]"]);
        assert_eq!(chat(names(&["chat"])), ["channel.chat.interrupts[0]"]);
        assert_eq!(chat(names(&["sms", "sms"])), ["channel.chat.interrupts[1]"]);
        assert_eq!(paths(|p| p.channels[0].interrupts = Some(names(&["sms"]))), ["channel.voice.interrupts"]);
        assert_eq!(chat(vec!["sms".into(); 33])[0], "channel.chat.interrupts");
    }

    #[test]
    fn a_wrap_up_ends() {
        let wrap_up = |mode, units, max_ms| {
            let wrap_up = WrapUp { mode, units, max_ms };
            let of_channel = paths(|p| p.channels[3].wrap_up = wrap_up);
            let of_queue = paths(|p| p.queues[0].wrap_up = Some(wrap_up));
            let stripped = |paths: Vec<String>, of: &str| -> Vec<String> {
                paths.iter().map(|path| path.strip_prefix(of).unwrap().to_string()).collect()
            };
            let found = stripped(of_channel, "channel.email.wrap_up");
            assert_eq!(found, stripped(of_queue, "queue[0].wrap_up"));
            found
        };
        assert_eq!(wrap_up(WrapUpMode::Timed, 1, 1_000), NO_FAULT);
        assert_eq!(wrap_up(WrapUpMode::Optional, 0, 1_000), NO_FAULT);
        assert_eq!(wrap_up(WrapUpMode::Mandatory, 1, 0), [".max_s"]);
        assert_eq!(wrap_up(WrapUpMode::Timed, 1, LONG), [".max_s"]);
        assert_eq!(wrap_up(WrapUpMode::Timed, limits::UNITS + 1, 1), [".units"]);
        assert_eq!(wrap_up(WrapUpMode::None, 1, 0), [""]);
    }

    #[test]
    fn memberships_are_bounded_and_unique() {
        let of_team = |change: fn(&mut Membership)| {
            let mut membership = Membership::of("rest");
            change(&mut membership);
            paths(|p| p.teams[0].memberships.push(membership))
        };
        assert_eq!(of_team(|_| {}), NO_FAULT);
        assert_eq!(of_team(|m| m.priority = 0), ["team.seniors.memberships[1].priority"]);
        assert_eq!(of_team(|m| m.priority = 10), ["team.seniors.memberships[1].priority"]);
        assert_eq!(of_team(|m| m.rank = 0), ["team.seniors.memberships[1].rank"]);
        assert_eq!(of_team(|m| m.delay_ms = LONG), ["team.seniors.memberships[1].delay_s"]);
        assert_eq!(of_team(|m| m.max_units = limits::UNITS + 1), ["team.seniors.memberships[1].max_units"]);
        assert_eq!(of_team(|m| m.queue = "sales".into()), ["team.seniors.memberships[1].queue"]);
        assert_eq!(of_team(|m| m.queue = "nobody".into()), ["team.seniors.memberships[1].queue"]);
        assert_eq!(agent_paths(|a| a.memberships = vec![Membership::of("x"); 2]), ["memberships[1].queue"]);
        assert_eq!(
            agent_paths(|a| a.memberships = vec![Membership::default()])[..2],
            ["memberships[0].priority", "memberships[0].rank"]
        );
        let many = (0..=limits::MEMBERSHIPS).map(|i| Membership::of(&format!("q{i}")));
        assert_eq!(agent_paths(|a| a.memberships = many.collect()), ["memberships"]);
        assert_eq!(paths(|p| p.teams.push(p.teams[0].clone())), ["team.seniors"]);
        assert_eq!(paths(|p| p.teams[0].name = "a b".into()), ["team.\"a b\""]);
        let team = |i| Team { name: format!("t{i}").into(), memberships: vec![] };
        assert_eq!(paths(|p| p.teams.extend((0..limits::TEAMS).map(team))), ["team"]);
    }

    #[test]
    fn a_first_ring_names_one_part_of_the_agents() {
        let ring = |team: &str, seniority_at_least, for_ms| {
            paths(|p| p.tiers[0].first_ring = Some(FirstRing { team: team.into(), seniority_at_least, for_ms }))
        };
        assert_eq!(ring("seniors", 0, 1), NO_FAULT);
        assert_eq!(ring("", 10, 1), NO_FAULT);
        assert_eq!(ring("", 0, 1), ["tier.vip.first_ring"]);
        assert_eq!(ring("seniors", 1, 1), ["tier.vip.first_ring"]);
        assert_eq!(ring("", 11, 1), ["tier.vip.first_ring.seniority_at_least"]);
        assert_eq!(ring("juniors", 0, 1), ["tier.vip.first_ring.team"]);
        assert_eq!(ring("seniors", 0, 0), ["tier.vip.first_ring.for_s"]);
        assert_eq!(paths(|p| p.tiers[0].class = 10), ["tier.vip.class"]);
        assert_eq!(paths(|p| p.tiers[0].class = 9), NO_FAULT);
    }

    /// The paths of the faults of a change to a queue, without its own.
    fn queue_paths(change: impl FnOnce(&mut Queue)) -> Vec<String> {
        let all = paths(|p| change(&mut p.queues[0]));
        all.iter().map(|path| path.strip_prefix("queue[0].").unwrap_or(path).to_string()).collect()
    }

    #[test]
    fn each_bound_of_a_queue_has_its_path() {
        assert_eq!(queue_paths(|q| q.accept_ms = LONG)[0], "accept_s");
        assert_eq!(queue_paths(|q| q.preferred_ms = LONG), ["preferred_s"]);
        assert_eq!(queue_paths(|q| q.max_waiting = COUNT_MAX + 1), ["max_waiting"]);
        assert_eq!(queue_paths(|q| q.max_wait_ms = LONG), ["max_wait_s"]);
        assert_eq!(queue_paths(|q| q.drain_after_close_ms = LONG), ["drain_after_close_s"]);
        assert_eq!(queue_paths(|q| q.teams = names(&["seniors", "juniors", "seniors"])), ["teams[2]", "teams[1]"]);
        let level = SkillLevel { name: "german".into(), level: 11 };
        assert_eq!(queue_paths(|q| q.preferred_skills = vec![level]), ["preferred_skills.german"]);
    }

    #[test]
    fn a_round_of_offers_ends_somewhere() {
        let round = |accept_ms, then, queue: &str, round_ms| {
            queue_paths(|q| {
                (q.accept_ms, q.on_all_declined, q.all_declined_queue, q.round_ms) =
                    (accept_ms, then, queue.into(), round_ms);
            })
        };
        assert_eq!(round(1, RoundEnd::Again, "", 1), NO_FAULT);
        assert_eq!(round(1, RoundEnd::Again, "", 0), ["on_all_declined.after_s"]);
        assert_eq!(round(1, RoundEnd::Relax, "", 0), ["on_all_declined.after_s"]);
        assert_eq!(round(0, RoundEnd::Again, "", 0), NO_FAULT, "no offers, no rounds");
        assert_eq!(round(1, RoundEnd::Park, "", 0), NO_FAULT);
        assert_eq!(round(1, RoundEnd::Queue, "rest", 0), NO_FAULT);
        assert_eq!(round(1, RoundEnd::Queue, "", 0), ["on_all_declined.queue"]);
        assert_eq!(round(1, RoundEnd::Queue, "sales", 0), ["on_all_declined.queue"]);
        assert_eq!(round(1, RoundEnd::Park, "rest", 0), ["on_all_declined.queue"]);
        assert_eq!(round(0, RoundEnd::Again, "", LONG), ["on_all_declined.after_s"]);
    }

    #[test]
    fn steps_rise_and_each_changes_something() {
        let steps = |steps: Vec<Step>| queue_paths(|q| q.steps = steps);
        assert_eq!(steps(vec![step(1), step(2)]), NO_FAULT);
        assert_eq!(steps(vec![step(2), step(2)]), ["step[1].after_s"]);
        assert_eq!(steps(vec![step(0)]), ["step[0].after_s"]);
        assert_eq!(steps(vec![step(1), step(LONG)]), ["step[1].after_s"]);
        assert_eq!(steps(vec![Step { after_ms: 1, only_if_nobody_online: true, ..Step::default() }]), ["step[0]"]);
        assert_eq!(steps(vec![Step { after_ms: 1, teams: Some(vec![]), ..Step::default() }]), NO_FAULT);
        assert_eq!(steps(vec![Step { teams: Some(names(&["juniors"])), ..step(1) }]), ["step[0].teams[0]"]);
        assert_eq!(steps(vec![Step { overflow: "rest".into(), ..step(1) }]), NO_FAULT);
        assert_eq!(steps(vec![Step { overflow: "sales".into(), ..step(1) }]), ["step[0].overflow"]);
        assert_eq!(steps(vec![Step { overflow: "nobody".into(), ..step(1) }]), ["step[0].overflow"]);
        assert_eq!(steps(vec![Step { head_start_ms: LONG, ..step(1) }]), ["step[0].head_start_s"]);
        let german = vec![SkillLevel { name: "german".into(), level: 1 }];
        let both = Step { drop: names(&["german"]), lower: german, ..step(1) };
        assert_eq!(steps(vec![both]), ["step[0].drop[0]"]);
        assert_eq!(steps(vec![Step { drop: names(&["law", "law"]), ..step(1) }]), ["step[0].drop[1]"]);
        assert_eq!(steps((1..=17).map(step).collect()), ["step"]);
    }

    #[test]
    fn only_a_pull_queue_is_picked_from() {
        let manual = |q: &mut Queue| (q.strategy, q.unclaimed_ms) = (Strategy::Manual, 1);
        assert_eq!(queue_paths(manual), NO_FAULT);
        assert_eq!(queue_paths(|q| q.pick = Pick::Head), ["pick"]);
        assert_eq!(queue_paths(|q| q.unclaimed_ms = 1), ["unclaimed_s"]);
        assert_eq!(queue_paths(|q| q.unclaimed_strategy = Strategy::LeastLoaded), ["unclaimed_strategy"]);
        let never = |q: &mut Queue| (q.unclaimed_strategy, q.unclaimed_ms) = (Strategy::LeastLoaded, 0);
        assert_eq!(queue_paths(|q| (manual(q), never(q)).1), ["unclaimed_strategy"]);
        assert_eq!(queue_paths(|q| (manual(q), q.unclaimed_strategy = Strategy::Manual).1), ["unclaimed_strategy"]);
        assert_eq!(queue_paths(|q| (manual(q), q.unclaimed_ms = LONG).1), ["unclaimed_s"]);
    }

    #[test]
    fn a_way_out_leads_somewhere_else() {
        let closed = |kind, text: &str| queue_paths(|q| q.on_closed = exit(kind, text));
        assert_eq!(closed(ExitKind::Queue, "rest"), NO_FAULT);
        assert_eq!(closed(ExitKind::Queue, "sales"), ["on_closed.queue"]);
        assert_eq!(closed(ExitKind::Queue, ""), ["on_closed.queue"]);
        assert_eq!(closed(ExitKind::Deflect, "write to us"), NO_FAULT);
        assert_eq!(closed(ExitKind::Deflect, ""), ["on_closed.reason"]);
        assert_eq!(closed(ExitKind::Deflect, "a\nb"), ["on_closed.reason"]);
        assert_eq!(closed(ExitKind::Deflect, &"x".repeat(257)), ["on_closed.reason"]);
        assert_eq!(closed(ExitKind::Park, "rest"), ["on_closed"]);
        let gone = || exit(ExitKind::Queue, "gone");
        assert_eq!(queue_paths(|q| q.on_unstaffed = gone()), ["on_unstaffed.queue"]);
        assert_eq!(queue_paths(|q| q.on_unservable = gone()), ["on_unservable.queue"]);
        assert_eq!(queue_paths(|q| q.on_full = exit(ExitKind::Park, "")), ["on_full"]);
        assert_eq!(queue_paths(|q| (q.on_full, q.max_waiting) = (exit(ExitKind::Park, ""), 1)), NO_FAULT);
        assert_eq!(queue_paths(|q| q.on_max_wait = exit(ExitKind::Close, "")), ["on_max_wait"]);
        assert_eq!(queue_paths(|q| (q.on_max_wait, q.max_wait_ms) = (exit(ExitKind::Close, ""), 1)), NO_FAULT);
        assert_eq!(queue_paths(|q| (q.on_max_wait, q.max_wait_ms) = (gone(), 1)), ["on_max_wait.queue"]);
    }

    #[test]
    fn a_level_of_escalation_does_something() {
        let rung = |level| Rung { level, priority: 5, ..Rung::default() };
        let ladder = |ladder: Vec<Rung>| queue_paths(|q| q.ladder = ladder);
        assert_eq!(ladder(vec![rung(1), rung(2)]), NO_FAULT);
        assert_eq!(ladder(vec![rung(1), rung(1)]), ["escalation[1].level"]);
        assert_eq!(ladder(vec![rung(0)]), ["escalation[0].level"]);
        assert_eq!(ladder(vec![rung(10)]), ["escalation[0].level"]);
        assert_eq!(ladder(vec![Rung { priority: 10, ..rung(1) }]), ["escalation[0].priority"]);
        assert_eq!(ladder(vec![Rung { priority: 0, ..rung(1) }]), ["escalation[0]"]);
        assert_eq!(ladder(vec![Rung { queue: "sales".into(), ..rung(1) }]), ["escalation[0].queue"]);
        assert_eq!(ladder(vec![Rung { queue: "nobody".into(), ..rung(1) }]), ["escalation[0].queue"]);
        assert_eq!(
            ladder(vec![Rung { notify: names(&["anna", "anna", "a b"]), ..rung(1) }]),
            ["escalation[0].notify[1]", "escalation[0].notify[2]"]
        );
        let many = (0..17).map(|i| format!("a{i}").into()).collect();
        assert_eq!(ladder(vec![Rung { notify: many, ..rung(1) }]), ["escalation[0].notify"]);
        assert_eq!(ladder((1..=10).map(rung).collect())[0], "escalation");
    }

    fn calendar(name: &str) -> Calendar {
        Calendar { name: name.into(), zone: "UTC".into(), ..Calendar::default() }
    }

    #[test]
    fn calendars_are_named_once_and_those_named_exist() {
        let with = |change: fn(&mut Policy)| {
            paths(|p| {
                p.calendars = vec![calendar("office"), calendar("night")];
                change(p);
            })
        };
        assert_eq!(with(|_| {}), NO_FAULT);
        assert_eq!(with(|p| p.calendars[1].name = "office".into()), ["calendar[1].name"]);
        assert_eq!(with(|p| p.calendars[1].name = "always".into()), ["calendar[1].name"]);
        assert_eq!(with(|p| p.calendars[1].name = "".into()), ["calendar[1].name"]);
        assert_eq!(with(|p| p.calendars = (0..65).map(|i| calendar(&format!("c{i}"))).collect()), ["calendar"]);
        assert_eq!(with(|p| p.queues[0].calendar = "night".into()), NO_FAULT);
        assert_eq!(with(|p| p.queues[0].calendar = "always".into()), ["queue[0].calendar"]);
        let rule: fn(&mut Policy, Subject, &str) = |p, subject, value| {
            p.rules[0].when.push(condition(subject, "", value));
        };
        assert_eq!(paths(|p| rule(p, Subject::Open, "office")), ["rule[0].when.open"]);
        assert_eq!(paths(|p| rule(p, Subject::Closed, "always")), ["rule[0].when.closed"]);
        let both = |other: &str| {
            paths(|p| {
                p.calendars = vec![calendar("office"), calendar("night")];
                rule(p, Subject::Open, "office");
                rule(p, Subject::Closed, other);
            })
        };
        assert_eq!(both("night"), NO_FAULT);
        assert_eq!(both("office"), ["rule[0].when.closed"]);
        let shifts = AgentConfig { shifts: "office".into(), weight: 1, ..AgentConfig::default() };
        let known = Policy { calendars: vec![calendar("office")], ..sound() };
        assert_eq!(of_agent_in(&known, &shifts), vec![]);
        assert_eq!(of_agent_in(&sound(), &shifts)[0].0, "shifts");
        assert_eq!(agent_paths(|a| a.shifts = "a b".into()), ["shifts"]);
    }

    #[test]
    fn a_reply_window_is_of_async_channels() {
        assert_eq!(paths(|p| p.channels[3].reply_window_ms = 1), NO_FAULT);
        assert_eq!(paths(|p| p.channels[3].reply_window_ms = LONG), ["channel.email.reply_window_s"]);
        assert_eq!(paths(|p| p.channels[0].reply_window_ms = 1), ["channel.voice.reply_window_s"]);
    }

    /// The paths of the faults of a change to a sound clock, without its own.
    fn clock_paths(kind: ClockKind, change: impl FnOnce(&mut Clock)) -> Vec<String> {
        let mut clock = Clock { kind, target_ms: 1_000, ..Clock::default() };
        change(&mut clock);
        let all = paths(|p| {
            p.calendars = vec![calendar("office")];
            p.queues[1].ladder = vec![Rung { level: 2, priority: 5, ..Rung::default() }];
            p.clocks = vec![clock];
        });
        all.iter().map(|path| path.strip_prefix("clock[0].").unwrap_or(path).to_string()).collect()
    }

    const FIRST: ClockKind = ClockKind::FirstResponse;

    #[test]
    fn a_clock_has_a_target_and_a_kind_of_its_own() {
        assert_eq!(clock_paths(FIRST, |_| {}), NO_FAULT);
        assert_eq!(clock_paths(FIRST, |c| c.target_ms = 0), ["clock[0]"]);
        assert_eq!(clock_paths(FIRST, |c| c.target_ms = LONG), ["target_s"]);
        assert_eq!(clock_paths(ClockKind::ReplyWindow, |c| c.target_ms = 0), NO_FAULT, "the channels' windows");
        let clock = || Clock { target_ms: 1, ..Clock::default() };
        assert_eq!(paths(|p| p.clocks = vec![clock(), clock()]), ["clock[1].kind"]);
        let without_windows = |p: &mut Policy| {
            p.channels.iter_mut().for_each(|channel| channel.reply_window_ms = 0);
            p.clocks = vec![Clock { kind: ClockKind::ReplyWindow, ..Clock::default() }];
        };
        assert_eq!(paths(without_windows), ["clock[0]"]);
    }

    #[test]
    fn a_clock_counts_in_a_calendar_there_is() {
        let calendar = |kind, name: &str| clock_paths(kind, |c| c.calendar = name.into());
        assert_eq!(calendar(FIRST, "office"), NO_FAULT);
        assert_eq!(calendar(FIRST, "always"), NO_FAULT);
        assert_eq!(calendar(FIRST, "ofice"), ["calendar"]);
        assert_eq!(calendar(ClockKind::ReplyWindow, "always"), NO_FAULT);
        assert_eq!(calendar(ClockKind::ReplyWindow, "office"), ["calendar"]);
    }

    #[test]
    fn a_target_names_what_there_is_and_can_be_reached() {
        let target = |queue: &str, tier: &str, channel: &str| Target {
            queue: queue.into(),
            tier: tier.into(),
            channel: channel.into(),
            target_ms: 1,
        };
        let targets = |kind, targets: Vec<Target>| clock_paths(kind, |c| (c.target_ms, c.targets) = (0, targets));
        assert_eq!(targets(FIRST, vec![target("sales", "vip", "email"), target("", "", "voice")]), NO_FAULT);
        assert_eq!(
            targets(FIRST, vec![target("salse", "vpi", "fax")]),
            ["targets[0].queue", "targets[0].tier", "targets[0].channel"]
        );
        assert_eq!(targets(FIRST, vec![target("", "", "")]), ["targets[0]"]);
        assert_eq!(targets(FIRST, vec![Target { target_ms: 0, ..target("sales", "", "") }]), ["targets[0].target_s"]);
        assert_eq!(
            targets(FIRST, vec![Target { target_ms: LONG, ..target("sales", "", "") }]),
            ["targets[0].target_s"]
        );
        assert_eq!(targets(FIRST, vec![target("sales", "", ""), target("sales", "vip", "")]), ["targets[1]"]);
        assert_eq!(targets(FIRST, vec![target("sales", "vip", ""), target("sales", "", "")]), NO_FAULT);
        assert_eq!(targets(ClockKind::NextResponse, vec![target("", "", "voice")]), ["targets[0].channel"]);
        assert_eq!(targets(ClockKind::ReplyWindow, vec![target("", "", "email")]), NO_FAULT);
        let many = |i| target("sales", "vip", if i == 0 { "sms" } else { "email" });
        assert_eq!(targets(FIRST, (0..=limits::TARGETS).map(many).collect())[0], "targets");
    }

    #[test]
    fn warnings_rise_and_come_before_the_breach() {
        let warn = |percents: &[u16]| clock_paths(FIRST, |c| c.warn_percent = percents.to_vec());
        assert_eq!(warn(&[1, 50, 99]), NO_FAULT);
        assert_eq!(warn(&[0, 100]), ["warn_percent[0]", "warn_percent[1]"]);
        assert_eq!(warn(&[50, 50, 75]), ["warn_percent[1]"]);
        assert_eq!(warn(&[75, 50, 60]), ["warn_percent[1]", "warn_percent[2]"]);
        assert_eq!(warn(&(1..=17).collect::<Vec<u16>>()), ["warn_percent"]);
    }

    #[test]
    fn a_pause_is_of_a_clock_that_could_stand_still_for_it() {
        let pause = |kind, pauses: &[PauseOn]| clock_paths(kind, |c| c.pause_on = Some(pauses.to_vec()));
        assert_eq!(pause(FIRST, PauseOn::ALL), NO_FAULT);
        assert_eq!(pause(FIRST, &[PauseOn::Snoozed, PauseOn::Snoozed]), ["pause_on[1]"]);
        assert_eq!(pause(ClockKind::QueueWait, &[]), NO_FAULT);
        assert_eq!(pause(ClockKind::QueueWait, &[PauseOn::Parked]), ["pause_on"]);
    }

    #[test]
    fn a_level_of_a_clock_does_something() {
        let level = |percent| ClockLevel { percent, priority: 1, ..ClockLevel::default() };
        let levels = |levels: Vec<ClockLevel>| clock_paths(FIRST, |c| c.levels = levels);
        assert_eq!(levels(vec![level(1), level(100), level(100), level(1_000)]), NO_FAULT);
        assert_eq!(levels(vec![level(0), level(1_001)]), ["level[0].percent", "level[1].percent"]);
        assert_eq!(levels(vec![level(100), level(50)]), ["level[1].percent"]);
        assert_eq!(levels(vec![ClockLevel { priority: 0, ..level(100) }]), ["level[0]"]);
        assert_eq!(levels(vec![ClockLevel { priority: 10, ..level(100) }]), ["level[0].priority"]);
        assert_eq!(levels(vec![ClockLevel { queue: "rest".into(), ..level(100) }]), NO_FAULT);
        assert_eq!(levels(vec![ClockLevel { queue: "nobody".into(), ..level(100) }]), ["level[0].queue"]);
        assert_eq!(levels(vec![ClockLevel { escalate: 2, ..level(100) }]), NO_FAULT);
        assert_eq!(levels(vec![ClockLevel { escalate: 1, ..level(100) }]), ["level[0].escalate"]);
        assert_eq!(levels(vec![ClockLevel { escalate: 10, ..level(100) }]), ["level[0].escalate"]);
        assert_eq!(levels(vec![ClockLevel { notify: names(&["a", "a"]), ..level(100) }]), ["level[0].notify[1]"]);
        let reassign = |kind| {
            let level = ClockLevel { priority: 0, reassign: true, ..level(100) };
            clock_paths(kind, |c| c.levels = vec![level])
        };
        assert_eq!(reassign(FIRST), NO_FAULT);
        assert_eq!(reassign(ClockKind::QueueWait), ["level[0].reassign"]);
        assert_eq!(levels((1..=17).map(level).collect()), ["level"]);
    }

    #[test]
    fn an_agent_has_bounds_of_his_own() {
        let limit = |channel: &str, max| ChannelLimit { channel: channel.into(), max };
        assert_eq!(agent_paths(|a| a.seniority = 11), ["seniority"]);
        assert_eq!(agent_paths(|a| a.channels = names(&["voice", "voice"])), ["channels[1]"]);
        assert_eq!(agent_paths(|a| a.channels = names(&["a b"])), ["channels[0]"]);
        assert_eq!(agent_paths(|a| a.channels = (0..33).map(|i| format!("c{i}").into()).collect()), ["channels"]);
        assert_eq!(agent_paths(|a| a.limits = vec![limit("email", 0)]), ["limits.email"]);
        assert_eq!(agent_paths(|a| a.limits = vec![limit("email", limits::UNITS + 1)]), ["limits.email"]);
        assert_eq!(agent_paths(|a| a.limits = vec![limit("email", 1); 2]), ["limits.email"]);
        assert_eq!(agent_paths(|a| a.limits = (0..33).map(|i| limit(&format!("c{i}"), 1)).collect()), ["limits"]);
    }

    #[test]
    fn an_agent_fits_the_policy_he_is_to_live_under() {
        let paths = |listed: &[&str], change: fn(&mut AgentConfig)| -> Vec<String> {
            let policy = Policy { skills: names(listed), ..sound() };
            let mut config = AgentConfig { weight: 1, ..AgentConfig::default() };
            change(&mut config);
            of_agent_in(&policy, &config).into_iter().map(|(path, _)| path).collect()
        };
        let memberships: fn(&mut AgentConfig) = |a| a.memberships = ["sales", "nobody"].map(Membership::of).to_vec();
        assert_eq!(paths(&[], memberships), ["memberships[1].queue"]);
        assert_eq!(paths(&[], |a| a.channels = names(&["voice", "fax"])), ["channels[1]"]);
        let limited: fn(&mut AgentConfig) = |a| a.limits = vec![ChannelLimit { channel: "fax".into(), max: 1 }];
        assert_eq!(paths(&[], limited), ["limits.fax"]);
        let law: fn(&mut AgentConfig) = |a| a.skills = vec![SkillLevel { name: "law".into(), level: 1 }];
        assert_eq!(paths(&["german"], law), ["skills.law"]);
        assert_eq!(paths(&[], law), NO_FAULT);
        assert_eq!(paths(&[], |a| a.team = "juniors".into()), NO_FAULT, "a team needs no table");
    }
}
