//! `GET /v1/workspaces/{workspace}/…`: conversations, agents and queues as they are now, with reports of what was done.
//!
//! Shown is what is committed. Ids in paths are percent-encoded. A conversation stays ten minutes after its end.

#![allow(unused_qualifications, reason = "utoipa's macro writes one for `params`")]

use super::answers::AnswerPosition;
use super::problem::Problem;
use super::reports::{AgentReport, QueueReport, ReportQuery, ReportRange};
use super::tagged::tagged;
use super::{HttpState, off_async_threads};
use crate::workload::{AgentCounts, AgentTally, ConversationView, Range, SharedShard, Workload};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use connectors::codec::timestamp;
use engine::decision::Turn;
use engine::id::Kind;
use engine::policy;
use engine::view;
use load_tests::service_level::Counts;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Conversation {
    workspace: String,
    conversation: String,
    /// in_bot, queued, offered, assigned, snoozed, parked or resolved; of an ended one also closed, abandoned, deflected or
    /// merged.
    state: &'static str,
    /// Who is to write next: ours, theirs; null where nobody is.
    turn: Option<&'static str>,
    /// It is over and will be forgotten; an event with its id opens it anew.
    ended: bool,
    epoch: u64,
    owner: Option<String>,
    previous_owner: Option<String>,
    /// The open offer's id, and to whom it is made.
    offer: Option<String>,
    offered_to: Option<String>,
    /// Why it waits; null where it does not.
    cause: Option<&'static str>,
    customer: Option<String>,
    queue: String,
    channel: String,
    entry: Option<String>,
    tier: Option<String>,
    arrival: String,
    queued_at: String,
    /// From arrival until now while it waits, else until the last decision about it.
    waited_ms: u64,
    head_start_ms: u64,
    /// 0-9.
    priority: u8,
    /// The relaxation step it has reached; 0 asks what the queue asks.
    step: u8,
    transfers: u32,
    /// Units of capacity that its owner's hold takes.
    units: u32,
    /// What chose the queue: `rule[n]`, `entry` or `default`.
    rule: String,
    policy_version: u64,
    /// The last decision about it, its time and its reason.
    decision: String,
    decided_at: String,
    reason: &'static str,
    position: AnswerPosition,
    /// The conversation that it is part of now, where it was merged away.
    merged_into: Option<String>,
    /// The last 32, oldest first; none of an ended one.
    notes: Vec<Note>,
    /// Its clocks that have not ended.
    clocks: Vec<Clock>,
}

#[derive(Serialize, ToSchema)]
pub struct Clock {
    /// first_response, next_response, resolution, queue_wait or reply_window.
    clock: &'static str,
    /// running, paused, warned or breached; one that is breached may stand still too.
    state: &'static str,
    paused: bool,
    /// Rises at each start of this clock in this conversation.
    generation: u32,
    started_at: String,
    target_ms: u64,
    /// When its target is reached; null: it stands still, or never.
    due: Option<String>,
    /// So far: nothing subtracted, and what counts for the target.
    wall_ms: u64,
    business_ms: u64,
}

#[derive(Serialize, ToSchema)]
pub struct Note {
    at: String,
    by: String,
    text: String,
}

#[derive(Serialize, ToSchema)]
pub struct Agents {
    workspace: String,
    /// What the agents' reports are about.
    reports: ReportRange,
    agents: Vec<Agent>,
}

#[derive(Serialize, ToSchema)]
pub struct Agent {
    agent: String,
    team: Option<String>,
    /// offline, away, pending_away, not_responding, draining, off_shift, available, partly or full; or removed.
    state: &'static str,
    /// What presence alone says: available stands for online.
    presence: &'static str,
    units_used: u32,
    units: u32,
    weight: u16,
    seniority: u8,
    skills: BTreeMap<String, u8>,
    /// Channels he serves; empty: all.
    channels: Vec<String>,
    /// Conversations that he may hold at once, where a channel has a limit of its own for him.
    limits: BTreeMap<String, u32>,
    /// His own; empty: his team's, and without any every queue.
    memberships: Vec<Membership>,
    /// Conversations he owns, oldest first.
    conversations: Vec<String>,
    /// What takes his units.
    holds: Vec<Hold>,
    idle_since: Option<String>,
    /// The calendar in which he works; null: always.
    shifts: Option<String>,
    since_start: Tally,
    report: AgentReport,
}

#[derive(Serialize, ToSchema)]
pub struct Membership {
    queue: String,
    priority: u8,
    rank: u8,
    delay_s: f64,
    /// Null: no limit of its own.
    max_units: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct Hold {
    /// work, offer, wrap_up or external.
    kind: &'static str,
    /// The conversation, or the external engagement.
    reference: String,
    channel: String,
    units: u32,
    /// When it ends by itself.
    until: Option<String>,
}

/// Since this process started.
#[derive(Serialize, ToSchema)]
pub struct Tally {
    /// Conversations that became his.
    assigned: u64,
    /// Conversations that he had and has no more.
    handled: u64,
    /// Answers of his that a response clock was running for.
    replied: u64,
    resolved: u64,
    /// Units held by work and wrap-up, times seconds.
    unit_seconds: f64,
}

#[derive(Serialize, ToSchema)]
pub struct Queues {
    workspace: String,
    policy_version: u64,
    /// What the queues' reports are about.
    reports: ReportRange,
    queues: Vec<Queue>,
}

#[derive(Serialize, ToSchema)]
pub struct Queue {
    queue: String,
    strategy: &'static str,
    skills: BTreeMap<String, u8>,
    service_level_s: f64,
    service_level_goal: f64,
    /// By command, above its calendar: none, open, closed or emergency.
    control: &'static str,
    /// By its calendar or by command.
    open: bool,
    /// Its business hours; null: always open.
    calendar: Option<String>,
    /// In line, offered ones included.
    waiting: u64,
    /// Of the longest waiting, from its arrival.
    oldest_wait_ms: u64,
    lines: Vec<Line>,
    /// How many wait for which reason.
    waiting_by_cause: BTreeMap<String, u64>,
    assigned_by_channel: BTreeMap<String, u64>,
    /// Open conversations: in_bot, queued, offered, our_turn, their_turn, snoozed, parked.
    conversations_by_state: BTreeMap<String, u64>,
    /// Agents who are members, by presence: available stands for online.
    members_by_presence: BTreeMap<String, u64>,
    /// Largest distance between picks made and due over its weighted rotations, in picks.
    rotation_error: f64,
    /// Clocks of its conversations that have not ended, by kind and state.
    clocks: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    report: QueueReport,
}

#[derive(Serialize, ToSchema)]
pub struct Line {
    channel: String,
    tier: Option<String>,
    waiting: u64,
    oldest_arrival: String,
}

pub(super) fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn levels(skills: &[policy::SkillLevel]) -> BTreeMap<String, u8> {
    skills.iter().map(|skill| (skill.name.to_string(), skill.level)).collect()
}

/// The shard of a workspace, where it is ours to show.
pub(super) fn owned<'a>(state: &'a HttpState, workspace: &str) -> Result<&'a SharedShard, Problem> {
    let shard = state.shard_of(workspace);
    if shard.metrics.owned.value() == 0 { Err(Problem::not_owner()) } else { Ok(shard) }
}

/// One conversation.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/conversations/{conversation}", tag = "views",
    params(("workspace" = String, Path), ("conversation" = String, Path, description = "Percent-encoded")),
    responses(
        (status = 200, description = "As it is now", body = Conversation),
        (status = 404, description = "No such workspace or conversation, or ended more than ten minutes ago", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn conversation(
    State(state): State<HttpState>,
    Path((workspace, conversation)): Path<(String, String)>,
) -> Result<Json<Conversation>, Problem> {
    let shard = owned(&state, &workspace)?.clone();
    let now = (state.clock)(shard.shard).now;
    let key = state.decoder.key().hash(Kind::Conversation, &workspace, &[&conversation]);
    if let Some(ended) = state.views.conversation(key).filter(|view| view.ended) {
        return Ok(Json(conversation_of(&workspace, ended, None, Vec::new(), now)));
    }
    let views = state.views.clone();
    off_async_threads(move || {
        // Views change under the same lock: the last decision and the picture are of one moment.
        let workload = shard.read();
        let found = workload.replica().workspace(&workspace).ok_or_else(unknown_workspace)?;
        let view = views.conversation(key).ok_or_else(unknown_conversation)?;
        let picture = found.conversation(&conversation).filter(|_| !view.ended);
        let clocks = if view.ended { Vec::new() } else { found.clocks(&conversation, now) };
        Ok(Json(conversation_of(&workspace, view, picture, clocks, now)))
    })
    .await?
}

fn unknown_conversation() -> Problem {
    let sentence = "no such conversation is open, and none ended within the last ten minutes";
    Problem::new(404, "conversation", "unknown_conversation", sentence)
}

pub(super) fn unknown_workspace() -> Problem {
    Problem::new(404, "workspace", "unknown_workspace", "no such workspace is configured")
}

/// What the last decision said, and what no decision says: offer, cause and notes.
fn conversation_of(
    workspace: &str,
    view: ConversationView,
    picture: Option<view::Conversation>,
    clocks: Vec<view::Clock>,
    now: u64,
) -> Conversation {
    let told = view.told;
    let is_waiting = matches!(view.state, "queued" | "offered");
    let waited_ms = if is_waiting { now.saturating_sub(told.arrival) } else { told.waited_ms };
    let notes = picture.iter().flat_map(|picture| &picture.notes).map(Note::of).collect();
    Conversation {
        workspace: workspace.into(),
        conversation: told.id.into(),
        state: view.state,
        turn: (told.turn != Turn::None && !view.ended).then(|| told.turn.word()),
        ended: view.ended,
        epoch: told.epoch,
        owner: text(&told.owner),
        previous_owner: text(&told.previous_owner),
        offer: picture.as_ref().filter(|picture| picture.offer > 0).map(|picture| picture.offer.to_string()),
        offered_to: picture.as_ref().and_then(|picture| text(picture.offered_to.as_deref()?)),
        cause: picture.as_ref().map(|picture| picture.cause).filter(|cause| !cause.is_empty()),
        customer: text(&told.customer),
        queue: told.queue.into(),
        channel: told.channel.into(),
        entry: text(&told.entry),
        tier: text(&told.tier),
        arrival: timestamp(told.arrival),
        queued_at: timestamp(told.queued_at),
        waited_ms,
        head_start_ms: told.head_start_ms,
        priority: told.priority,
        step: told.step,
        transfers: told.transfers,
        units: told.units,
        rule: told.rule.into(),
        policy_version: view.policy_version,
        decision: format!("strowger.{}", view.decision_type.word()),
        decided_at: timestamp(view.decided_at),
        reason: view.reason.word(),
        position: AnswerPosition { shard: view.shard, seq: view.position.seq, idx: view.position.idx },
        merged_into: view.survivor.map(String::from),
        notes,
        clocks: clocks.iter().map(Clock::of).collect(),
    }
}

impl Clock {
    pub(super) fn of(clock: &view::Clock) -> Clock {
        Clock {
            clock: clock.kind.word(),
            state: clock.state.word(),
            paused: clock.is_paused,
            generation: clock.generation,
            started_at: timestamp(clock.started_at),
            target_ms: clock.target_ms,
            due: clock.due.map(timestamp),
            wall_ms: clock.wall_ms,
            business_ms: clock.business_ms,
        }
    }
}

impl Note {
    fn of(note: &view::Note) -> Note {
        Note { at: timestamp(note.at), by: note.by.to_string(), text: note.text.to_string() }
    }
}

/// A workspace's agents, and what they did since midnight UTC or in the time asked for.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/agents", tag = "views",
    params(("workspace" = String, Path, description = "Percent-encoded"), ReportQuery),
    responses(
        (status = 200, description = "In the order of their configuration", body = Agents),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 400, description = "A range that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn agents(
    State(state): State<HttpState>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let shard = owned(&state, &workspace)?.clone();
    let now = (state.clock)(shard.shard).now;
    let range = ReportQuery::range(query, now)?;
    off_async_threads(move || {
        let known_from = shard.write().settle(&workspace, now).ok_or_else(unknown_workspace)?;
        // The lock is given back before the JSON is written.
        let agents = agents_of(&shard.read(), &workspace, range, known_from);
        agents.map(|agents| tagged(&headers, &agents)).ok_or_else(unknown_workspace)
    })
    .await?
}

fn agents_of(workload: &Workload, workspace: &str, range: Range, known_from: u64) -> Option<Agents> {
    let agents = workload.replica().workspace(workspace)?.agents();
    let reports = workload.agent_reports(workspace, range, agents.iter().map(|agent| &*agent.id));
    let agents = agents.into_iter().map(|agent| {
        let tally = workload.agent_tally(workspace, &agent.id);
        let counts = reports.get(&agent.id).copied().unwrap_or_default();
        agent_of(agent, tally, &counts)
    });
    let reports = ReportRange::of(range, known_from);
    Some(Agents { agents: agents.collect(), workspace: workspace.into(), reports })
}

fn agent_of(agent: view::Agent, tally: AgentTally, counts: &AgentCounts) -> Agent {
    Agent {
        agent: agent.id.into(),
        team: text(&agent.config.team),
        state: agent.state.word(),
        presence: agent.presence.word(),
        units_used: agent.units_used,
        units: agent.units,
        weight: agent.config.weight,
        seniority: agent.config.seniority,
        skills: levels(&agent.config.skills),
        channels: agent.config.channels.iter().map(|channel| channel.to_string()).collect(),
        limits: agent.config.limits.iter().map(|limit| (limit.channel.to_string(), limit.max)).collect(),
        memberships: agent.config.memberships.iter().map(Membership::of).collect(),
        holds: agent.holds.iter().map(Hold::of).collect(),
        conversations: agent.conversations.into_iter().map(String::from).collect(),
        // 0: he was never online.
        idle_since: (agent.idle_since > 0).then(|| timestamp(agent.idle_since)),
        since_start: Tally {
            assigned: tally.assigned,
            handled: tally.handled,
            replied: tally.replied,
            resolved: tally.resolved,
            unit_seconds: tally.unit_ms as f64 / 1e3,
        },
        shifts: text(&agent.config.shifts),
        report: AgentReport::of(counts),
    }
}

impl Membership {
    fn of(membership: &policy::Membership) -> Membership {
        Membership {
            queue: membership.queue.to_string(),
            priority: membership.priority,
            rank: membership.rank,
            delay_s: membership.delay_ms as f64 / 1e3,
            max_units: Some(membership.max_units).filter(|units| *units > 0),
        }
    }
}

impl Hold {
    fn of(hold: &view::Hold) -> Hold {
        Hold {
            kind: hold.kind.word(),
            reference: hold.reference.to_string(),
            channel: hold.channel.to_string(),
            units: hold.units,
            until: (hold.until > 0).then(|| timestamp(hold.until)),
        }
    }
}

/// A workspace's queues, and their service level since midnight UTC or in the time asked for.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/queues", tag = "views",
    params(("workspace" = String, Path, description = "Percent-encoded"), ReportQuery),
    responses(
        (status = 200, description = "In the order of the policy", body = Queues),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 400, description = "A range that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn queues(
    State(state): State<HttpState>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let shard = owned(&state, &workspace)?.clone();
    let now = (state.clock)(shard.shard).now;
    let range = ReportQuery::range(query, now)?;
    off_async_threads(move || {
        let known_from = shard.write().settle(&workspace, now).ok_or_else(unknown_workspace)?;
        let queues = queues_of(&shard.read(), &workspace, now, range, known_from);
        queues.map(|queues| tagged(&headers, &queues)).ok_or_else(unknown_workspace)
    })
    .await?
}

fn queues_of(workload: &Workload, workspace: &str, now: u64, range: Range, known_from: u64) -> Option<Queues> {
    let found = workload.replica().workspace(workspace)?;
    let reports = workload.queue_reports(workspace, range);
    let queues = found.queues().into_iter().map(|queue| {
        let counts = reports.get(&queue.name).copied().unwrap_or_default();
        queue_of(queue, &found, now, &counts)
    });
    let (policy_version, reports) = (found.policy.version, ReportRange::of(range, known_from));
    Some(Queues { workspace: workspace.into(), policy_version, queues: queues.collect(), reports })
}

fn queue_of(queue: view::Queue, workspace: &view::Workspace<'_>, now: u64, counts: &Counts) -> Queue {
    let mut clocks: BTreeMap<&'static str, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for (kind, state, count) in &queue.clocks {
        clocks.entry(kind.word()).or_default().insert(state.word(), *count);
    }
    let members = workspace.members(&queue.name);
    let configured = workspace.policy.queues.iter().find(|other| other.name == queue.name);
    let oldest = queue.lines.iter().map(|line| line.oldest_arrival).min();
    let lines = queue.lines.iter().map(|line| Line {
        channel: line.channel.to_string(),
        tier: text(&line.tier),
        waiting: line.waiting,
        oldest_arrival: timestamp(line.oldest_arrival),
    });
    Queue {
        strategy: configured.map_or("", |queue| queue.strategy.word()),
        skills: configured.map(|queue| levels(&queue.skills)).unwrap_or_default(),
        service_level_s: configured.map_or(0.0, |queue| queue.service_level_ms as f64 / 1e3),
        service_level_goal: configured.map_or(0.0, |queue| f64::from(queue.service_level_goal_permille) / 1e3),
        control: queue.control.word(),
        open: queue.is_open,
        calendar: configured.and_then(|queue| text(&queue.calendar)),
        waiting: queue.lines.iter().map(|line| line.waiting).sum(),
        oldest_wait_ms: oldest.map_or(0, |arrival| now.saturating_sub(arrival)),
        lines: lines.collect(),
        waiting_by_cause: queue.causes.iter().map(|(cause, count)| (cause.to_string(), *count)).collect(),
        assigned_by_channel: queue.assigned.iter().map(|(channel, count)| (channel.to_string(), *count)).collect(),
        conversations_by_state: sums(queue.states.iter().map(|(_, state, count)| (*state, *count))),
        members_by_presence: sums(members.iter().map(|(state, count)| (state.word(), *count))),
        rotation_error: queue.rotation_error_milli as f64 / 1e3,
        clocks,
        report: QueueReport::of(counts),
        queue: queue.name.into(),
    }
}

fn sums(counts: impl Iterator<Item = (&'static str, u64)>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    counts.for_each(|(word, count)| *sums.entry(word.to_string()).or_default() += count);
    sums
}
