//! `/livez`, `/readyz` and `/metrics`: what a supervisor and Prometheus ask.

use super::problem::Problem;
use super::{HttpState, off_async_threads};
use crate::metrics::{self, Scrape};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Asked anew at every probe; a sentence says what is missing.
#[derive(Clone)]
pub struct Probes {
    /// This node owns its shards and has caught up.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Its threads make progress.
    pub alive: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// 200 while the node's threads make progress.
#[utoipa::path(
    get, path = "/livez", tag = "probes",
    responses(
        (status = 200, description = "ok", body = String, content_type = "text/plain"),
        (status = 503, description = "A thread stands still", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn livez(State(state): State<HttpState>) -> Response {
    answer((state.probes.alive)(), "not_alive")
}

/// 200 when the node owns its shards and has caught up.
#[utoipa::path(
    get, path = "/readyz", tag = "probes",
    responses(
        (status = 200, description = "ok", body = String, content_type = "text/plain"),
        (status = 503, description = "Still starting, or stopping", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn readyz(State(state): State<HttpState>) -> Response {
    answer((state.probes.ready)(), "not_ready")
}

fn answer(health: Result<(), String>, reason: &'static str) -> Response {
    match health {
        Ok(()) => "ok\n".into_response(),
        Err(sentence) => Problem::new(503, "node", reason, sentence).into_response(),
    }
}

/// The metrics in Prometheus's text format.
#[utoipa::path(
    get, path = "/metrics", tag = "probes",
    responses((status = 200, description = "Exposition format 0.0.4", body = String, content_type = "text/plain")),
)]
pub async fn metrics(State(state): State<HttpState>) -> Response {
    // Collecting takes a lock that the publisher shares, rendering takes milliseconds: neither on an async thread.
    let text = off_async_threads(move || {
        if let Some(bytes) = (state.disk_free_bytes)() {
            metrics::disk_free_bytes(bytes);
        }
        let mut scrape = Scrape::default();
        state.sources.collect(&mut scrape);
        for shard in state.shards.iter() {
            shard.collect((state.clock)(shard.shard).now, &mut scrape);
        }
        metrics::render(&scrape)
    });
    exposition(text.await)
}

/// What each agent did since the process started, credited to who did it. A target of its own, scraped more seldom; off
/// until `metrics.max_agents` says for how many of a workspace there is room.
#[utoipa::path(
    get, path = "/metrics/agents", tag = "probes",
    responses(
        (status = 200, description = "Exposition format 0.0.4", body = String, content_type = "text/plain"),
        (status = 404, description = "It is off", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn metrics_by_agent(State(state): State<HttpState>) -> Response {
    let max = state.metrics_max_agents;
    if max == 0 {
        let hint = "metrics by agent are off; `max_agents` in the table [metrics] of the config file turns them on";
        return Problem::new(404, "path", "off", hint).into_response();
    }
    let text = off_async_threads(move || {
        let mut scrape = Scrape::default();
        for shard in state.shards.iter() {
            shard.collect_agents((state.clock)(shard.shard).now, max, &mut scrape);
        }
        metrics::render_alone(&scrape)
    });
    exposition(text.await)
}

fn exposition(text: Result<String, Problem>) -> Response {
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(problem) => problem.into_response(),
    }
}
