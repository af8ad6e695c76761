//! A workspace at a glance: the figures of a wallboard, over all queues and by queue, with the reason of waiting.
//!
//! Made of the same pictures and reports as the views, in one look, so that its numbers fit together.

use super::answers::AnswerPosition;
use super::problem::Problem;
use super::tagged::tagged;
use super::views::{owned, unknown_workspace};
use super::{HttpState, off_async_threads};
use crate::sources::{Heard, wall_ms};
use crate::workload::{Range, SharedShard, Workload};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use connectors::codec::timestamp;
use engine::decision::AgentState;
use engine::view::{self, ClockState};
use load_tests::service_level::Counts;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

const RECENT_MS: u64 = 30 * 60_000;
/// Upper bounds in ms of the ages of what is unanswered, and their names; what is older is `gt_24h`.
const AGES: [(u64, &str); 4] =
    [(300_000, "le_5m"), (1_800_000, "le_30m"), (3_600_000, "le_1h"), (86_400_000, "le_24h")];
const OLDEST_AGE: &str = "gt_24h";

/// The figures of a workspace now.
#[derive(Serialize, ToSchema)]
pub struct Board {
    workspace: String,
    at: String,
    /// Of the last decision that is in it.
    position: AnswerPosition,
    /// In line now, offered ones included.
    waiting: u64,
    /// From the arrival of the longest waiting; 0: nobody waits.
    oldest_wait_ms: u64,
    oldest_wait_queue: Option<String>,
    /// Conversations whose customer spoke last, owned or not.
    unanswered: u64,
    oldest_unanswered_ms: u64,
    /// le_5m, le_30m, le_1h, le_24h, gt_24h.
    unanswered_by_age: BTreeMap<&'static str, u64>,
    /// How many wait for which reason.
    waiting_by_cause: BTreeMap<&'static str, u64>,
    /// By state, zeros included.
    agents: BTreeMap<&'static str, u64>,
    /// Who are online, whatever they have.
    agents_online: u64,
    /// Of those online.
    units_used: u64,
    units: u64,
    service_level: ServiceLevel,
    answered_today: u64,
    abandoned_today: u64,
    clocks: ClocksBeyond,
    /// In the order of the policy.
    queues: Vec<QueueBoard>,
    /// The configured sources of events.
    sources: Vec<SourceBoard>,
}

#[derive(Serialize, ToSchema)]
pub struct QueueBoard {
    queue: String,
    open: bool,
    /// By command: none, open, closed or emergency.
    control: &'static str,
    waiting: u64,
    oldest_wait_ms: u64,
    /// Why most of those who wait do; null: nobody waits.
    cause: Option<&'static str>,
    waiting_by_cause: BTreeMap<&'static str, u64>,
    /// Its members by state, zeros included.
    agents: BTreeMap<&'static str, u64>,
    agents_online: u64,
    unanswered: u64,
    oldest_unanswered_ms: u64,
    service_level: ServiceLevel,
    /// The threshold T.
    service_level_s: f64,
    answered_today: u64,
    abandoned_today: u64,
    clocks: ClocksBeyond,
}

/// Shares from 0 to 1; null where nothing was judged, or no goal is set.
#[derive(Serialize, ToSchema)]
pub struct ServiceLevel {
    /// In the last two or three quarters of an hour, so that it is never about a few minutes.
    last_30m: Option<f64>,
    /// Since midnight UTC.
    today: Option<f64>,
    /// Over all queues: their goals, weighted by what was judged today.
    goal: Option<f64>,
}

/// Clocks that have not ended.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
pub struct ClocksBeyond {
    /// Beyond a warning, within their target.
    warned: u64,
    breached: u64,
}

#[derive(Serialize, ToSchema)]
pub struct SourceBoard {
    source: String,
    /// Wall-clock time; null: nothing came since the process started.
    last_event_at: Option<String>,
    silent_after_s: Option<u64>,
    /// For longer than that, while a queue of the workspace is open.
    silent: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Workspaces {
    workspaces: Vec<WorkspaceRow>,
}

#[derive(Serialize, ToSchema)]
pub struct WorkspaceRow {
    workspace: String,
    /// Marked as one of tests.
    test: bool,
    policy_version: u64,
}

/// The workspaces of the shards that this node owns.
#[utoipa::path(
    get, path = "/v1/workspaces", tag = "views",
    responses((status = 200, description = "By name", body = Workspaces)),
)]
pub async fn workspaces(State(state): State<HttpState>) -> Result<Json<Workspaces>, Problem> {
    off_async_threads(move || Json(workspaces_of(&state))).await
}

fn workspaces_of(state: &HttpState) -> Workspaces {
    let mut workspaces = Vec::new();
    for shard in state.shards.iter().filter(|shard| shard.metrics.owned.value() == 1) {
        let workload = shard.read();
        workspaces.extend(workload.replica().workspaces().iter().map(|workspace| WorkspaceRow {
            workspace: workspace.name.into(),
            test: workspace.policy.test,
            policy_version: workspace.policy.version,
        }));
    }
    workspaces.sort_unstable_by(|one, other| one.workspace.cmp(&other.workspace));
    Workspaces { workspaces }
}

/// The figures of a wallboard, now.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/board", tag = "views",
    params(("workspace" = String, Path, description = "Percent-encoded")),
    responses(
        (status = 200, description = "As it is now", body = Board),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn board(
    State(state): State<HttpState>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let board = made(&state, workspace).await?;
    Ok(tagged(&headers, &board))
}

/// Made off the async threads: it takes the shard's lock.
pub async fn made(state: &HttpState, workspace: String) -> Result<Board, Problem> {
    let shard = owned(state, &workspace)?.clone();
    let clock = (state.clock)(shard.shard);
    let now = clock.now;
    // One that waited to take over has heard nothing, and that is nobody's silence.
    let listens_since_ms = state.started_ms.max(shard.metrics.owned_since_ms.value());
    let sources = state.sources.clone();
    off_async_threads(move || {
        shard.write().settle(&workspace, now).ok_or_else(unknown_workspace)?;
        let heard = |open_for_ms: u64| {
            let wall_ms = wall_ms();
            let open_since_ms = wall_ms.saturating_sub((open_for_ms as f64 / clock.scale) as u64);
            sources.board(wall_ms, listens_since_ms.max(open_since_ms))
        };
        // The lock is given back before the JSON is written.
        board_of(&shard, &shard.read(), &workspace, now, heard).ok_or_else(unknown_workspace)
    })
    .await?
}

/// `heard`: the sources, as they are for a floor that has been open for so long, in ms of the engine's clock.
fn board_of(
    shard: &SharedShard,
    workload: &Workload,
    workspace: &str,
    now: u64,
    heard: impl Fn(u64) -> Vec<Heard>,
) -> Option<Board> {
    let found = workload.replica().workspace(workspace)?;
    let last = *shard.committed.borrow();
    let today = workload.queue_reports(workspace, Range::today(now));
    let recent = workload.queue_reports(workspace, Range::around(now.saturating_sub(RECENT_MS), now + 1));
    let mut all = Sum::default();
    let mut queues = Vec::new();
    let mut open_since = None;
    for queue in found.queues() {
        let of = |reports: &HashMap<Box<str>, Counts>| reports.get(&queue.name).copied().unwrap_or_default();
        let (today, recent) = (of(&today), of(&recent));
        let configured = found.policy.queues.iter().find(|configured| configured.name == queue.name);
        let goal =
            configured.map(|queue| f64::from(queue.service_level_goal_permille) / 1e3).filter(|goal| *goal > 0.0);
        let members = states(found.members_by_load(&queue.name).into_iter());
        let row = QueueBoard {
            open: queue.is_open,
            control: queue.control.word(),
            waiting: queue.lines.iter().map(|line| line.waiting).sum(),
            oldest_wait_ms: oldest_ms(queue.lines.iter().map(|line| line.oldest_arrival), now),
            cause: queue.causes.iter().max_by_key(|(_, count)| *count).map(|(cause, _)| *cause),
            waiting_by_cause: queue.causes.iter().copied().collect(),
            agents_online: online(&members),
            agents: members,
            unanswered: queue.unanswered.iter().map(|(_, since)| since.len() as u64).sum(),
            oldest_unanswered_ms: oldest_ms(unanswered_since(&queue), now),
            service_level: ServiceLevel { last_30m: recent.service_level(), today: today.service_level(), goal },
            service_level_s: configured.map_or(0.0, |queue| queue.service_level_ms as f64 / 1e3),
            answered_today: today.answered(),
            abandoned_today: today.abandoned(),
            clocks: beyond(&queue),
            queue: queue.name.to_string(),
        };
        if queue.is_open && configured.is_some() {
            open_since = Some(open_since.map_or(queue.turned_at, |since: u64| since.min(queue.turned_at)));
        }
        all.add(&row, &queue, &today, &recent, now);
        if configured.is_some() || row.waiting + row.unanswered > 0 {
            queues.push(row);
        }
    }
    let agents = found.agents();
    let at_work = |agent: &&view::Agent| is_online(agent.state);
    // The night is nobody's silence: it counts from when a queue that is open was last told to be.
    let is_open = open_since.is_some();
    let sources = heard(now.saturating_sub(open_since.unwrap_or(now))).into_iter().map(|source| SourceBoard {
        last_event_at: source.last_ms.map(timestamp),
        silent_after_s: source.silent_after_s,
        silent: source.is_silent && is_open,
        source: source.name,
    });
    let longest = queues.iter().filter(|queue| queue.waiting > 0).max_by_key(|queue| queue.oldest_wait_ms);
    Some(Board {
        at: timestamp(now),
        position: AnswerPosition { shard: shard.shard, seq: last.seq, idx: last.idx },
        waiting: queues.iter().map(|queue| queue.waiting).sum(),
        oldest_wait_ms: longest.map_or(0, |queue| queue.oldest_wait_ms),
        oldest_wait_queue: longest.map(|queue| queue.queue.clone()),
        unanswered: queues.iter().map(|queue| queue.unanswered).sum(),
        oldest_unanswered_ms: queues.iter().map(|queue| queue.oldest_unanswered_ms).max().unwrap_or(0),
        unanswered_by_age: all.ages,
        waiting_by_cause: all.causes,
        agents: states(agents.iter().map(|agent| (agent.state, 1))),
        agents_online: agents.iter().filter(at_work).count() as u64,
        units_used: agents.iter().filter(at_work).map(|agent| u64::from(agent.units_used)).sum(),
        units: agents.iter().filter(at_work).map(|agent| u64::from(agent.units)).sum(),
        service_level: ServiceLevel {
            last_30m: all.recent.service_level(),
            today: all.today.service_level(),
            goal: (all.judged > 0.0).then(|| all.goal / all.judged),
        },
        answered_today: all.today.answered(),
        abandoned_today: all.today.abandoned(),
        clocks: all.clocks,
        workspace: workspace.into(),
        queues,
        sources: sources.collect(),
    })
}

/// What is added up over the queues.
struct Sum {
    ages: BTreeMap<&'static str, u64>,
    causes: BTreeMap<&'static str, u64>,
    clocks: ClocksBeyond,
    today: Counts,
    recent: Counts,
    /// Goals times what was judged by them, and that.
    goal: f64,
    judged: f64,
}

impl Default for Sum {
    fn default() -> Sum {
        let ages = AGES.iter().map(|(_, name)| *name).chain([OLDEST_AGE]).map(|name| (name, 0)).collect();
        let (causes, clocks) = (BTreeMap::new(), ClocksBeyond::default());
        Sum { ages, causes, clocks, today: Counts::default(), recent: Counts::default(), goal: 0.0, judged: 0.0 }
    }
}

impl Sum {
    fn add(&mut self, row: &QueueBoard, queue: &view::Queue, today: &Counts, recent: &Counts, now: u64) {
        for since in unanswered_since(queue) {
            let age_ms = now.saturating_sub(since);
            let name = AGES.iter().find(|(bound, _)| age_ms <= *bound).map_or(OLDEST_AGE, |(_, name)| name);
            *self.ages.entry(name).or_default() += 1;
        }
        for (cause, count) in &queue.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        self.clocks.warned += row.clocks.warned;
        self.clocks.breached += row.clocks.breached;
        self.today += *today;
        self.recent += *recent;
        if let (Some(goal), Some(_)) = (row.service_level.goal, today.service_level()) {
            let judged = (today.answered_in_time + today.late + today.abandoned_in_time) as f64;
            (self.goal, self.judged) = (self.goal + goal * judged, self.judged + judged);
        }
    }
}

fn unanswered_since(queue: &view::Queue) -> impl Iterator<Item = u64> + '_ {
    queue.unanswered.iter().flat_map(|(_, since)| since.iter().copied())
}

fn oldest_ms(since: impl Iterator<Item = u64>, now: u64) -> u64 {
    since.min().map_or(0, |since| now.saturating_sub(since))
}

fn beyond(queue: &view::Queue) -> ClocksBeyond {
    let of = |wanted: ClockState| {
        queue.clocks.iter().filter(|(_, state, _)| *state == wanted).map(|(_, _, count)| count).sum()
    };
    ClocksBeyond { warned: of(ClockState::Warned), breached: of(ClockState::Breached) }
}

fn states(counts: impl Iterator<Item = (AgentState, u64)>) -> BTreeMap<&'static str, u64> {
    let there = AgentState::ALL.iter().filter(|state| **state != AgentState::Removed);
    let mut states: BTreeMap<&'static str, u64> = there.map(|state| (state.word(), 0)).collect();
    counts.for_each(|(state, count)| *states.entry(state.word()).or_default() += count);
    states
}

fn is_online(state: AgentState) -> bool {
    matches!(state, AgentState::Available | AgentState::Partly | AgentState::Full)
}

fn online(states: &BTreeMap<&'static str, u64>) -> u64 {
    [AgentState::Available, AgentState::Partly, AgentState::Full].iter().map(|state| states[state.word()]).sum()
}
