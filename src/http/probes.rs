//! `/livez`, `/readyz` and `/metrics`: what a supervisor and Prometheus ask.

use super::HttpState;
use super::problem::Problem;
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
    let text = tokio::task::spawn_blocking(move || {
        if let Some(bytes) = (state.disk_free_bytes)() {
            metrics::disk_free_bytes(bytes);
        }
        let mut scrape = Scrape::default();
        state.sources.collect(&mut scrape);
        for shard in state.shards.iter() {
            shard.collect((state.clock)(shard.shard).now, &mut scrape);
        }
        metrics::render(&scrape)
    })
    .await;
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(_) => Problem::new(500, "node", "scrape_failed", "the metrics could not be rendered").into_response(),
    }
}
