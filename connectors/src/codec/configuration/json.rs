//! Policies and agents' configurations as the JSON that the reader takes: what it reads of it is the same again.
//!
//! Of what issue after issue adds to a table, only what is not at its default is written: a workspace of a thousand
//! queues stays within the size of one event.

use crate::calendar::{date_text, span_text, weekly_texts};
use engine::policy::{
    AgentConfig, Calendar, Channel, Clock, ClockLevel, DateOpenings, Exit, ExitKind, FirstRing, Membership, PauseOn,
    Policy, Queue, RoundEnd, Rule, Rung, SkillLevel, Step, Strategy, Subject, Target, WrapUp, WrapUpMode,
};
use serde_json::{Map, Value, json};

use super::keys::NOBODY_ONLINE;
use super::usual;

/// A policy as `workspace.configure` takes it.
pub fn policy_to_json(policy: &Policy) -> Value {
    let channels: Map<_, _> = policy.channels.iter().map(|own| (own.name.to_string(), channel_to_json(own))).collect();
    let mut json = Sparse::of(json!({
        "version": policy.version,
        "test": policy.test,
        "default_units": policy.default_units,
        "reopen_window_s": seconds(policy.reopen_window_ms),
        "idle_reset_s": seconds(policy.idle_reset_ms),
        "channel": channels,
    }));
    json.unless("decline_limit", policy.decline_limit, usual::DECLINE_LIMIT);
    json.seconds("not_responding_s", policy.not_responding_ms, 0);
    json.seconds("lease_grace_s", policy.lease_grace_ms, usual::LEASE_GRACE_MS);
    json.seconds("bot_max_s", policy.bot_max_ms, usual::BOT_MAX_MS);
    json.unless("max_transfers", policy.max_transfers, usual::MAX_TRANSFERS);
    json.seconds("priority_head_start_s", policy.priority_head_start_ms, usual::PRIORITY_HEAD_START_MS);
    json.seconds("strict_max_wait_s", policy.strict_max_wait_ms, 0);
    json.list("skills", &policy.skills);
    let mut entries = Map::new();
    for entry in &policy.entries {
        let mut own = Sparse::of(json!({ "queue": entry.queue }));
        own.unless("bot", entry.bot, false);
        entries.insert(entry.name.to_string(), own.into());
    }
    json.put("entry", entries);
    let mut teams = Map::new();
    for team in &policy.teams {
        let mut own = Sparse::default();
        own.list("memberships", &memberships_to_json(&team.memberships));
        teams.insert(team.name.to_string(), own.into());
    }
    if !teams.is_empty() {
        json.put("team", teams);
    }
    let mut tiers = Map::new();
    for tier in &policy.tiers {
        let mut own = Sparse::of(json!({ "head_start_s": seconds(tier.head_start_ms) }));
        own.unless("class", tier.class, 0);
        own.some("first_ring", tier.first_ring.as_ref().map(first_ring_to_json));
        tiers.insert(tier.name.to_string(), own.into());
    }
    json.put("tier", tiers);
    json.put("queue", policy.queues.iter().map(queue_to_json).collect::<Vec<_>>());
    json.put("rule", policy.rules.iter().map(rule_to_json).collect::<Vec<_>>());
    json.list("calendar", &policy.calendars.iter().map(calendar_to_json).collect::<Vec<_>>());
    json.list("clock", &policy.clocks.iter().map(clock_to_json).collect::<Vec<_>>());
    json.into()
}

/// An agent's configuration as `agent.configure` takes it.
pub fn agent_to_json(agent: &str, config: &AgentConfig) -> Value {
    let mut json = Sparse::of(json!({
        "agent": agent,
        "skills": levels_to_json(&config.skills),
        "weight": config.weight,
    }));
    json.unless("team", &*config.team, "");
    json.some("units", config.units);
    json.unless("seniority", config.seniority, 0);
    json.list("channels", &config.channels);
    if !config.limits.is_empty() {
        let limits = config.limits.iter().map(|limit| (limit.channel.to_string(), json!(limit.max)));
        json.put("limits", limits.collect::<Map<_, _>>());
    }
    json.list("memberships", &memberships_to_json(&config.memberships));
    json.unless("shifts", &*config.shifts, "");
    json.into()
}

fn channel_to_json(channel: &Channel) -> Value {
    let of_nature = usual::channel(&channel.name, channel.live);
    let mut json = Sparse::of(json!({
        "live": channel.live,
        "units": channel.units,
        "exclusive": channel.exclusive,
        "short_abandon_s": seconds(channel.short_abandon_ms),
    }));
    json.unless("limit", channel.limit, 0);
    json.some("interrupts", channel.interrupts.as_ref());
    json.seconds("min_gap_s", channel.min_gap_ms, of_nature.min_gap_ms);
    if channel.wrap_up != WrapUp::default() {
        json.put("wrap_up", wrap_up_to_json(&channel.wrap_up));
    }
    if channel.live {
        json.seconds("max_open_s", channel.max_open_ms, of_nature.max_open_ms);
        return json.into();
    }
    if (channel.on_offline, channel.offline_grace_ms) != (of_nature.on_offline, 0) {
        let mut own = Sparse::of(json!({ "then": channel.on_offline.word() }));
        own.seconds("after_s", channel.offline_grace_ms, 0);
        json.put("on_offline", own);
    }
    if (channel.owner_absent, channel.owner_absent_ms) != (of_nature.owner_absent, of_nature.owner_absent_ms) {
        let mut own = Sparse::of(json!({ "mode": channel.owner_absent.word() }));
        if channel.owner_absent != usual::WITHOUT_WAIT {
            own.put("for_s", seconds(channel.owner_absent_ms));
        }
        json.put("owner_absent", own);
    }
    json.seconds("owner_silent_s", channel.owner_silent_ms, of_nature.owner_silent_ms);
    json.seconds("close_after_s", channel.close_after_ms, of_nature.close_after_ms);
    json.unless("their_turn_units", channel.their_turn_units, of_nature.their_turn_units);
    json.seconds("their_turn_after_s", channel.their_turn_after_ms, of_nature.their_turn_after_ms);
    json.seconds("reply_window_s", channel.reply_window_ms, of_nature.reply_window_ms);
    json.into()
}

fn wrap_up_to_json(wrap_up: &WrapUp) -> Value {
    match wrap_up.mode {
        WrapUpMode::None => json!({ "mode": wrap_up.mode.word() }),
        mode => json!({ "mode": mode.word(), "units": wrap_up.units, "max_s": seconds(wrap_up.max_ms) }),
    }
}

fn memberships_to_json(memberships: &[Membership]) -> Vec<Value> {
    let to_json = |own: &Membership| {
        let mut json = Sparse::of(json!({ "queue": own.queue }));
        let plain = Membership::of("");
        json.unless("priority", own.priority, plain.priority);
        json.unless("rank", own.rank, plain.rank);
        json.seconds("delay_s", own.delay_ms, plain.delay_ms);
        json.unless("max_units", own.max_units, plain.max_units);
        json.into()
    };
    memberships.iter().map(to_json).collect()
}

fn first_ring_to_json(ring: &FirstRing) -> Value {
    let mut json = Sparse::of(json!({ "for_s": seconds(ring.for_ms) }));
    json.unless("team", &*ring.team, "");
    json.unless("seniority_at_least", ring.seniority_at_least, 0);
    json.into()
}

fn queue_to_json(queue: &Queue) -> Value {
    let mut json = Sparse::of(json!({
        "name": queue.name,
        "strategy": queue.strategy.word(),
        "skills": levels_to_json(&queue.skills),
        "service_level_s": seconds(queue.service_level_ms),
        "service_level_goal": f64::from(queue.service_level_goal_permille) / 1_000.0,
    }));
    if !queue.preferred_skills.is_empty() {
        json.put("preferred_skills", levels_to_json(&queue.preferred_skills));
    }
    json.list("teams", &queue.teams);
    json.seconds("accept_s", queue.accept_ms, 0);
    if (queue.on_all_declined, queue.round_ms) != (RoundEnd::Again, usual::ROUND_MS) {
        json.put("on_all_declined", round_end_to_json(queue));
    }
    json.list("step", &queue.steps.iter().map(step_to_json).collect::<Vec<_>>());
    json.seconds("preferred_s", queue.preferred_ms, 0);
    json.unless("pick", queue.pick.word(), "any");
    json.seconds("unclaimed_s", queue.unclaimed_ms, 0);
    json.unless("unclaimed_strategy", queue.unclaimed_strategy.word(), Strategy::default().word());
    json.unless("max_waiting", queue.max_waiting, 0);
    json.seconds("max_wait_s", queue.max_wait_ms, 0);
    json.seconds("drain_after_close_s", queue.drain_after_close_ms, 0);
    json.exit("on_full", &queue.on_full, usual::exit("full", queue.max_waiting > 0));
    json.exit("on_max_wait", &queue.on_max_wait, usual::exit("max_wait", queue.max_wait_ms > 0));
    json.exit("on_closed", &queue.on_closed, Exit::default());
    json.exit("on_unstaffed", &queue.on_unstaffed, Exit::default());
    json.exit("on_unservable", &queue.on_unservable, Exit::default());
    json.unless("reply_claims", !queue.replies_do_not_claim, true);
    json.some("wrap_up", queue.wrap_up.as_ref().map(wrap_up_to_json));
    json.unless("context_required", queue.context_required, false);
    json.list("escalation", &queue.ladder.iter().map(rung_to_json).collect::<Vec<_>>());
    json.unless("calendar", &*queue.calendar, "");
    json.into()
}

fn round_end_to_json(queue: &Queue) -> Value {
    let mut json = Sparse::of(json!({ "then": queue.on_all_declined.word() }));
    match queue.on_all_declined {
        RoundEnd::Again | RoundEnd::Relax => json.seconds("after_s", queue.round_ms, usual::ROUND_MS),
        RoundEnd::Queue => json.put("queue", &queue.all_declined_queue),
        RoundEnd::Park => {}
    }
    json.into()
}

fn step_to_json(step: &Step) -> Value {
    let mut json = Sparse::of(json!({ "after_s": seconds(step.after_ms) }));
    json.list("drop", &step.drop);
    if !step.lower.is_empty() {
        json.put("lower", levels_to_json(&step.lower));
    }
    json.some("teams", step.teams.as_ref());
    json.seconds("head_start_s", step.head_start_ms, 0);
    json.unless("overflow", &*step.overflow, "");
    if step.only_if_nobody_online {
        json.put("only_if", NOBODY_ONLINE);
    }
    json.into()
}

fn rung_to_json(rung: &Rung) -> Value {
    let mut json = Sparse::of(json!({ "level": rung.level }));
    json.unless("priority", rung.priority, 0);
    json.unless("queue", &*rung.queue, "");
    json.list("notify", &rung.notify);
    json.into()
}

fn calendar_to_json(calendar: &Calendar) -> Value {
    let mut json = Sparse::of(json!({ "name": calendar.name, "zone": calendar.zone }));
    json.list("open", &weekly_texts(&calendar.weekly));
    let date = |own: &DateOpenings| {
        let mut json = Sparse::of(json!({ "date": date_text(own.date) }));
        json.list("open", &own.openings.iter().map(|opening| span_text(*opening)).collect::<Vec<_>>());
        Value::from(json)
    };
    json.list("dates", &calendar.dates.iter().map(date).collect::<Vec<_>>());
    json.into()
}

fn clock_to_json(clock: &Clock) -> Value {
    let mut json = Sparse::of(json!({ "kind": clock.kind.word() }));
    json.unless("calendar", &*clock.calendar, "");
    json.seconds("target_s", clock.target_ms, 0);
    json.list("targets", &clock.targets.iter().map(target_to_json).collect::<Vec<_>>());
    json.list("warn_percent", &clock.warn_percent);
    let words = |pauses: &Vec<PauseOn>| pauses.iter().map(|pause| pause.word()).collect::<Vec<_>>();
    json.some("pause_on", clock.pause_on.as_ref().map(words));
    json.list("level", &clock.levels.iter().map(clock_level_to_json).collect::<Vec<_>>());
    json.into()
}

fn target_to_json(target: &Target) -> Value {
    let mut json = Sparse::default();
    json.unless("queue", &*target.queue, "");
    json.unless("tier", &*target.tier, "");
    json.unless("channel", &*target.channel, "");
    json.put("target_s", seconds(target.target_ms));
    json.into()
}

fn clock_level_to_json(level: &ClockLevel) -> Value {
    let mut json = Sparse::of(json!({ "percent": level.percent }));
    json.unless("priority", level.priority, 0);
    json.unless("relax", level.relax, false);
    json.list("notify", &level.notify);
    json.unless("reassign", level.reassign, false);
    json.unless("queue", &*level.queue, "");
    json.unless("escalate", level.escalate, 0);
    json.into()
}

fn rule_to_json(rule: &Rule) -> Value {
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

fn levels_to_json(skills: &[SkillLevel]) -> Map<String, Value> {
    skills.iter().map(|skill| (skill.name.to_string(), json!(skill.level))).collect()
}

/// Whole seconds as a whole number, so that people read what they wrote.
fn seconds(ms: u64) -> Value {
    if ms.is_multiple_of(1_000) { json!(ms / 1_000) } else { json!(ms as f64 / 1_000.0) }
}

/// An object that leaves out what is at its default.
#[derive(Default, serde::Serialize)]
struct Sparse(Map<String, Value>);

impl Sparse {
    fn of(value: Value) -> Sparse {
        match value {
            Value::Object(map) => Sparse(map),
            other => unreachable!("an object was written, not {other}"),
        }
    }

    fn put(&mut self, key: &str, value: impl serde::Serialize) {
        self.0.insert(key.to_string(), json!(value));
    }

    fn unless<T: PartialEq + serde::Serialize>(&mut self, key: &str, value: T, usual: T) {
        if value != usual {
            self.put(key, value);
        }
    }

    fn some(&mut self, key: &str, value: Option<impl serde::Serialize>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn list(&mut self, key: &str, list: &[impl serde::Serialize]) {
        if !list.is_empty() {
            self.put(key, list);
        }
    }

    fn seconds(&mut self, key: &str, ms: u64, usual_ms: u64) {
        if ms != usual_ms {
            self.put(key, seconds(ms));
        }
    }

    fn exit(&mut self, key: &str, exit: &Exit, usual: Exit) {
        if *exit == usual {
            return;
        }
        let mut json = Sparse::of(json!({ "then": exit.kind.word() }));
        match exit.kind {
            ExitKind::Queue => json.put("queue", &exit.text),
            ExitKind::Deflect => json.put("reason", &exit.text),
            ExitKind::Wait | ExitKind::Park | ExitKind::Close => {}
        }
        self.put(key, json);
    }
}

impl From<Sparse> for Value {
    fn from(sparse: Sparse) -> Value {
        Value::Object(sparse.0)
    }
}
