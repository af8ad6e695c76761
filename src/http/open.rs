//! Open conversations, listed: what is unanswered, an agent's open work, those who wait in a queue, all of a customer's.
//!
//! Each list is bounded: `limit` conversations, and `next` as the `cursor` of the following ones. A cursor names a place
//! in the order, not a row, so that it holds while conversations come and go.

#![allow(unused_qualifications, reason = "utoipa's macro writes one for `params`")]

use super::problem::Problem;
use super::tagged::tagged;
use super::views::{Clock, owned, text, unknown_workspace};
use super::{HttpState, off_async_threads};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use connectors::codec::timestamp;
use engine::view;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;

/// A conversation that has not ended, as a row of a list.
#[derive(Serialize, ToSchema)]
pub struct OpenConversation {
    conversation: String,
    customer: Option<String>,
    queue: String,
    channel: String,
    entry: Option<String>,
    tier: Option<String>,
    /// in_bot, queued, offered, assigned, snoozed or parked.
    state: &'static str,
    /// Who is to write next: ours, theirs; null where nobody is.
    turn: Option<&'static str>,
    owner: Option<String>,
    offered_to: Option<String>,
    /// Why it waits; null where it does not.
    cause: Option<&'static str>,
    /// The customer's oldest word that nobody has answered; null: answered.
    unanswered_since: Option<String>,
    arrival: String,
    queued_at: String,
    /// 0-9.
    priority: u8,
    step: u8,
    transfers: u32,
    epoch: u64,
    /// Its clocks that have not ended.
    clocks: Vec<Clock>,
}

#[derive(Serialize, ToSchema)]
pub struct OpenConversations {
    workspace: String,
    /// How many there are, on this page or not.
    total: u64,
    conversations: Vec<OpenConversation>,
    /// The cursor of those that follow; null: there are none.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UnansweredQuery {
    /// Of this queue only.
    queue: Option<String>,
    /// Of this channel only.
    channel: Option<String>,
    /// Whom this agent owns; `none`: that nobody owns.
    owner: Option<String>,
    /// That waits for this reason only, such as all_full or nobody_online.
    cause: Option<String>,
    /// At least so many seconds old.
    older_than_s: Option<u64>,
    /// 1 to 500, 100 when it is not said.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 to 500, 100 when it is not said.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A place in a list: (time or number, number), after which a page begins.
type After = Option<(u64, u64)>;

/// How many rows of which page.
fn bounds(limit: Option<usize>, cursor: Option<&str>) -> Result<(usize, After), Problem> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let sentence = format!("limit is 1 to {LIMIT_MAX}, and not {limit}");
        return Err(Problem::new(400, "limit", "out_of_bounds", sentence));
    }
    let after = cursor.map(|text| {
        let parts = text.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        parts.ok_or_else(|| Problem::new(400, "cursor", "wrong_type", "a cursor is what `next` of a page said"))
    });
    Ok((limit, after.transpose()?))
}

/// The first `limit` rows after a place, and where the next page begins.
fn page<T>(mut rows: Vec<((u64, u64), T)>, limit: usize, after: After) -> (Vec<T>, Option<String>) {
    rows.retain(|(place, _)| after.is_none_or(|after| *place > after));
    rows.sort_unstable_by_key(|(place, _)| *place);
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| is_more).map(|((a, b), _)| format!("{a}.{b}"));
    (rows.into_iter().map(|(_, row)| row).collect(), next)
}

impl OpenConversation {
    fn of(workspace: &view::Workspace<'_>, picture: view::Conversation, now: u64) -> OpenConversation {
        let clocks = workspace.clocks(&picture.id, now).iter().map(Clock::of).collect();
        OpenConversation {
            clocks,
            conversation: picture.id.into(),
            customer: picture.customer.map(String::from),
            queue: picture.queue.into(),
            channel: picture.channel.into(),
            entry: text(&picture.entry),
            tier: text(&picture.tier),
            state: picture.state,
            turn: Some(picture.turn).filter(|turn| *turn != "none"),
            owner: picture.owner.map(String::from),
            offered_to: picture.offered_to.map(String::from),
            cause: Some(picture.cause).filter(|cause| !cause.is_empty()),
            unanswered_since: picture.unanswered_since.map(timestamp),
            arrival: timestamp(picture.arrival),
            queued_at: timestamp(picture.queued_at),
            priority: picture.priority,
            step: picture.step,
            transfers: picture.transfers,
            epoch: picture.epoch,
        }
    }
}

/// What waits for an answer of ours, whoever owns it: the one that has waited longest first.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/unanswered", tag = "views",
    params(("workspace" = String, Path, description = "Percent-encoded"), UnansweredQuery),
    responses(
        (status = 200, description = "Oldest first", body = OpenConversations),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 400, description = "A limit or cursor that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn unanswered(
    State(state): State<HttpState>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
    query: Result<Query<UnansweredQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::new(400, "query", "wrong_type", rejection.body_text()))?;
    let bounds = bounds(query.limit, query.cursor.as_deref())?;
    let rows = move |found: &view::Workspace<'_>, now: u64| {
        let before = query.older_than_s.map(|age_s| now.saturating_sub(age_s.saturating_mul(1_000)));
        let is_asked = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let mut rows = found.unanswered();
        rows.retain(|row| {
            is_asked(&query.queue, row.queue)
                && is_asked(&query.channel, row.channel)
                && is_asked(&query.owner, row.owner.unwrap_or("none"))
                && is_asked(&query.cause, row.cause)
                && before.is_none_or(|before| row.since <= before)
        });
        Ok(by_time(&rows))
    };
    listed(&state, workspace, &headers, bounds, rows).await
}

/// Those who wait in a queue, in the order in which they came, offered ones included.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/queues/{queue}/waiting", tag = "views",
    params(("workspace" = String, Path), ("queue" = String, Path, description = "Percent-encoded"), PageQuery),
    responses(
        (status = 200, description = "By arrival", body = OpenConversations),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 400, description = "A limit or cursor that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace or queue", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn waiting(
    State(state): State<HttpState>,
    Path((workspace, queue)): Path<(String, String)>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let bounds = bounds_of(query)?;
    let rows = move |found: &view::Workspace<'_>, _| Ok(by_time(&found.waiting(&queue).ok_or_else(unknown_queue)?));
    listed(&state, workspace, &headers, bounds, rows).await
}

/// What an agent owns, oldest first.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/agents/{agent}/conversations", tag = "views",
    params(("workspace" = String, Path), ("agent" = String, Path, description = "Percent-encoded"), PageQuery),
    responses(
        (status = 200, description = "By creation", body = OpenConversations),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 400, description = "A limit or cursor that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace or agent", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn of_agent(
    State(state): State<HttpState>,
    Path((workspace, agent)): Path<(String, String)>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let bounds = bounds_of(query)?;
    let rows = move |found: &view::Workspace<'_>, _| Ok(by_creation(found.owned_by(&agent).ok_or_else(unknown_agent)?));
    listed(&state, workspace, &headers, bounds, rows).await
}

/// A customer's conversations that have not ended, over all channels, oldest first.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/customers/{customer}/conversations", tag = "views",
    params(("workspace" = String, Path), ("customer" = String, Path, description = "Percent-encoded"), PageQuery),
    responses(
        (status = 200, description = "By creation; none of a customer who is not known", body = OpenConversations),
        (status = 304, description = "As If-None-Match knows it"),
        (status = 400, description = "A limit or cursor that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn of_customer(
    State(state): State<HttpState>,
    Path((workspace, customer)): Path<(String, String)>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let bounds = bounds_of(query)?;
    let rows = move |found: &view::Workspace<'_>, _| Ok(by_creation(found.conversations_of_customer(&customer)));
    listed(&state, workspace, &headers, bounds, rows).await
}

fn bounds_of(query: Result<Query<PageQuery>, QueryRejection>) -> Result<(usize, After), Problem> {
    let Query(query) = query.map_err(|rejection| Problem::new(400, "query", "wrong_type", rejection.body_text()))?;
    bounds(query.limit, query.cursor.as_deref())
}

/// Rows, each with its place in the order.
type Rows = Vec<((u64, u64), view::Row)>;

fn by_time(rows: &[view::Listed<'_>]) -> Rows {
    rows.iter().map(|listed| ((listed.since, listed.number), listed.row)).collect()
}

fn by_creation(rows: Vec<(u64, view::Row)>) -> Rows {
    rows.into_iter().map(|(number, row)| ((number, 0), row)).collect()
}

/// One page of the rows that are wanted at a time, pictured.
async fn listed(
    state: &HttpState,
    workspace: String,
    headers: &HeaderMap,
    (limit, after): (usize, After),
    wanted: impl FnOnce(&view::Workspace<'_>, u64) -> Result<Rows, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let shard = owned(state, &workspace)?.clone();
    let now = (state.clock)(shard.shard).now;
    let answer = off_async_threads(move || {
        let workload = shard.read();
        let found = workload.replica().workspace(&workspace).ok_or_else(unknown_workspace)?;
        let rows = wanted(&found, now)?;
        let total = rows.len() as u64;
        let (rows, next) = page(rows, limit, after);
        let rows = rows.into_iter().map(|row| OpenConversation::of(&found, found.conversation_of(row), now));
        let conversations = rows.collect();
        Ok::<_, Problem>(OpenConversations { total, conversations, next, workspace: workspace.clone() })
    })
    .await??;
    Ok(tagged(headers, &answer))
}

fn unknown_agent() -> Problem {
    Problem::new(404, "agent", "unknown_agent", "no such agent is configured")
}

fn unknown_queue() -> Problem {
    Problem::new(404, "queue", "unknown_queue", "no such queue is configured")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<((u64, u64), &'static str)> {
        vec![((20, 1), "c"), ((10, 7), "b"), ((10, 2), "a"), ((30, 4), "d")]
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let (first, next) = page(rows(), 3, None);
        assert_eq!((first, next.as_deref()), (vec!["a", "b", "c"], Some("20.1")));
        let (limit, after) = bounds(Some(3), next.as_deref()).unwrap();
        assert_eq!(page(rows(), limit, after), (vec!["d"], None));
        // What has gone meanwhile leaves the place where it was.
        let fewer = rows().into_iter().filter(|(_, row)| *row != "c").collect();
        assert_eq!(page(fewer, limit, after), (vec!["d"], None));
    }

    #[test]
    fn limits_and_cursors_that_are_none_are_told() {
        let read = |limit, cursor| bounds(limit, cursor).map_err(|problem| problem.field);
        assert_eq!(read(None, None), Ok((LIMIT_DEFAULT, None)));
        assert_eq!(read(Some(500), Some("7.1")), Ok((500, Some((7, 1)))));
        for limit in [0, 501] {
            assert_eq!(read(Some(limit), None), Err("limit".into()), "{limit}");
        }
        for cursor in ["7", "7.", ".7", "a.b", "1.2.3"] {
            assert_eq!(read(None, Some(cursor)), Err("cursor".into()), "{cursor}");
        }
    }
}
