//! `GET /v1/workspaces/{workspace}/…`: conversations, agents and queues as they are now.
//!
//! Shown is what is committed. Ids in paths are percent-encoded. A conversation stays ten minutes after its end.

use super::answers::AnswerPosition;
use super::problem::Problem;
use super::{HttpState, off_async_threads};
use crate::workload::{AgentTally, ConversationView, SharedShard, Workload};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use connectors::codec::timestamp;
use engine::id::Kind;
use engine::policy::Policy;
use engine::view;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Conversation {
    workspace: String,
    conversation: String,
    /// queued, assigned, resolved, closed or abandoned.
    state: &'static str,
    /// It is over and will be forgotten; an event with its id opens it anew.
    ended: bool,
    epoch: u64,
    owner: Option<String>,
    previous_owner: Option<String>,
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
    /// What chose the queue: `rule[n]`, `entry` or `default`.
    rule: String,
    policy_version: u64,
    /// The last decision about it, its time and its reason.
    decision: String,
    decided_at: String,
    reason: &'static str,
    position: AnswerPosition,
}

#[derive(Serialize, ToSchema)]
pub struct Agents {
    workspace: String,
    agents: Vec<Agent>,
}

#[derive(Serialize, ToSchema)]
pub struct Agent {
    agent: String,
    team: Option<String>,
    /// offline, away, available, partly or full.
    state: &'static str,
    units_used: u32,
    units: u32,
    weight: u16,
    skills: BTreeMap<String, u8>,
    /// Conversations he owns, oldest first.
    conversations: Vec<String>,
    idle_since: Option<String>,
    since_start: Tally,
}

/// Since this process started.
#[derive(Serialize, ToSchema)]
pub struct Tally {
    assigned: u64,
    resolved: u64,
    /// Of conversations that are over.
    unit_seconds: f64,
}

#[derive(Serialize, ToSchema)]
pub struct Queues {
    workspace: String,
    policy_version: u64,
    queues: Vec<Queue>,
}

#[derive(Serialize, ToSchema)]
pub struct Queue {
    queue: String,
    strategy: &'static str,
    skills: BTreeMap<String, u8>,
    service_level_s: f64,
    service_level_goal: f64,
    waiting: u64,
    /// Of the longest waiting, from its arrival.
    oldest_wait_ms: u64,
    lines: Vec<Line>,
    /// How many wait for which reason.
    waiting_by_cause: BTreeMap<String, u64>,
    assigned_by_channel: BTreeMap<String, u64>,
    /// Largest distance between picks made and due over its weighted rotations, in picks.
    rotation_error: f64,
}

#[derive(Serialize, ToSchema)]
pub struct Line {
    channel: String,
    tier: Option<String>,
    waiting: u64,
    oldest_arrival: String,
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn levels(skills: &[engine::policy::SkillLevel]) -> BTreeMap<String, u8> {
    skills.iter().map(|skill| (skill.name.to_string(), skill.level)).collect()
}

/// The shard of a workspace, where it is ours to show.
fn owned<'a>(state: &'a HttpState, workspace: &str) -> Result<&'a SharedShard, Problem> {
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
    let shard = owned(&state, &workspace)?;
    let key = state.decoder.key().hash(Kind::Conversation, &workspace, &[&conversation]);
    if let Some(view) = state.views.conversation(key) {
        return Ok(Json(conversation_of(&workspace, view, (state.clock)(shard.shard).now)));
    }
    let shard = shard.clone();
    let known = off_async_threads(move || shard.read().replica().workspace(&workspace).is_some()).await?;
    Err(if known {
        let sentence = "no such conversation is open, and none ended within the last ten minutes";
        Problem::new(404, "conversation", "unknown_conversation", sentence)
    } else {
        unknown_workspace()
    })
}

fn unknown_workspace() -> Problem {
    Problem::new(404, "workspace", "unknown_workspace", "no such workspace is configured")
}

fn conversation_of(workspace: &str, view: ConversationView, now: u64) -> Conversation {
    let told = view.told;
    let waited_ms = if view.state == "queued" { now.saturating_sub(told.arrival) } else { told.waited_ms };
    Conversation {
        workspace: workspace.into(),
        conversation: told.id.into(),
        state: view.state,
        ended: view.ended,
        epoch: told.epoch,
        owner: text(&told.owner),
        previous_owner: text(&told.previous_owner),
        customer: text(&told.customer),
        queue: told.queue.into(),
        channel: told.channel.into(),
        entry: text(&told.entry),
        tier: text(&told.tier),
        arrival: timestamp(told.arrival),
        queued_at: timestamp(told.queued_at),
        waited_ms,
        head_start_ms: told.head_start_ms,
        rule: told.rule.into(),
        policy_version: view.policy_version,
        decision: format!("strowger.{}", view.decision_type.word()),
        decided_at: timestamp(view.decided_at),
        reason: view.reason.word(),
        position: AnswerPosition { shard: view.shard, seq: view.position.seq, idx: view.position.idx },
    }
}

/// A workspace's agents.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/agents", tag = "views",
    params(("workspace" = String, Path, description = "Percent-encoded")),
    responses(
        (status = 200, description = "In the order of their configuration", body = Agents),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn agents(State(state): State<HttpState>, Path(workspace): Path<String>) -> Result<Response, Problem> {
    let shard = owned(&state, &workspace)?.clone();
    off_async_threads(move || {
        // The lock is given back before the JSON is written.
        let agents = agents_of(&shard.read(), &workspace);
        agents.map(|agents| Json(agents).into_response()).ok_or_else(unknown_workspace)
    })
    .await?
}

fn agents_of(workload: &Workload, workspace: &str) -> Option<Agents> {
    let found = workload.replica().workspace(workspace)?;
    let agents = found.agents().into_iter().map(|agent| {
        let tally = workload.agent_tally(workspace, &agent.id);
        agent_of(agent, tally)
    });
    Some(Agents { agents: agents.collect(), workspace: workspace.into() })
}

fn agent_of(agent: view::Agent, tally: AgentTally) -> Agent {
    Agent {
        agent: agent.id.into(),
        team: text(&agent.config.team),
        state: agent.state.word(),
        units_used: agent.units_used,
        units: agent.units,
        weight: agent.config.weight,
        skills: levels(&agent.config.skills),
        conversations: agent.conversations.into_iter().map(String::from).collect(),
        // 0: he was never online.
        idle_since: (agent.idle_since > 0).then(|| timestamp(agent.idle_since)),
        since_start: Tally {
            assigned: tally.assigned,
            resolved: tally.resolved,
            unit_seconds: tally.unit_ms as f64 / 1e3,
        },
    }
}

/// A workspace's queues.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/queues", tag = "views",
    params(("workspace" = String, Path, description = "Percent-encoded")),
    responses(
        (status = 200, description = "In the order of the policy", body = Queues),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn queues(State(state): State<HttpState>, Path(workspace): Path<String>) -> Result<Response, Problem> {
    let shard = owned(&state, &workspace)?.clone();
    off_async_threads(move || {
        let now = (state.clock)(shard.shard).now;
        let queues = queues_of(&shard.read(), &workspace, now);
        queues.map(|queues| Json(queues).into_response()).ok_or_else(unknown_workspace)
    })
    .await?
}

fn queues_of(workload: &Workload, workspace: &str, now: u64) -> Option<Queues> {
    let found = workload.replica().workspace(workspace)?;
    let queues = found.queues().into_iter().map(|queue| queue_of(queue, found.policy, now)).collect();
    Some(Queues { workspace: workspace.into(), policy_version: found.policy.version, queues })
}

fn queue_of(queue: view::Queue, policy: &Policy, now: u64) -> Queue {
    let configured = policy.queues.iter().find(|other| other.name == queue.name);
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
        waiting: queue.lines.iter().map(|line| line.waiting).sum(),
        oldest_wait_ms: oldest.map_or(0, |arrival| now.saturating_sub(arrival)),
        lines: lines.collect(),
        waiting_by_cause: queue.causes.iter().map(|(cause, count)| (cause.to_string(), *count)).collect(),
        assigned_by_channel: queue.assigned.iter().map(|(channel, count)| (channel.to_string(), *count)).collect(),
        rotation_error: queue.rotation_error_milli as f64 / 1e3,
        queue: queue.name.into(),
    }
}
