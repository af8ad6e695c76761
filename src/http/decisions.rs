//! `GET /v1/decisions`: a shard's committed decisions as NDJSON, from any position on, following the live end.
//!
//! They are read from the journal, the one place where they stand. A reader that is slower than the shard costs it
//! nothing: a few chunks are prepared for each, then its reading waits.

#![allow(unused_qualifications, reason = "utoipa's macro writes one for `params`")]

use super::HttpState;
use super::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::decision::Position;
use futures_core::Stream;
use serde::Deserialize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use utoipa::IntoParams;

/// Decisions read from the journal at once, and chunks of them prepared for a reader.
const CHUNK_DECISIONS: usize = 256;
const CHUNKS_AHEAD: usize = 4;

/// Committed decisions, rendered, from the journal of either kind.
pub trait DecisionReader: Send + Sync {
    /// Appends up to `limit` decisions of the shard after `after` (seq 0, idx 0: from the first), one JSON text each,
    /// and returns the position of the last one told, or `after`. Returns as soon as none is left; never waits for more.
    fn read(&self, shard: u16, after: Position, limit: usize, out: &mut Vec<Vec<u8>>) -> anyhow::Result<Position>;
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DecisionsQuery {
    /// The shard's number.
    shard: u16,
    /// The position after which to begin, SEQ.IDX; absent: the first decision of the journal.
    after: Option<String>,
    /// False: end where the journal ends now, instead of following it.
    #[serde(default = "yes")]
    follow: bool,
}

fn yes() -> bool {
    true
}

/// A shard's committed decisions, resumable: ask again with the last `data.position` seen.
#[utoipa::path(
    get, path = "/v1/decisions", tag = "decisions", params(DecisionsQuery),
    responses(
        (status = 200, description = "One decision a line, a structured CloudEvent; follows the journal until either side closes", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "A position that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such shard", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn stream(
    State(state): State<HttpState>,
    query: Result<Query<DecisionsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::new(400, "query", "wrong_type", rejection.body_text()))?;
    let after = query.after.as_deref().map_or(Ok(Position::default()), position)?;
    let shard = state.shard(query.shard).ok_or_else(|| Problem::unknown_shard(state.shards.len()))?;
    let permit = state.limits.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(429, "query", "too_many_streams", "as many streams of decisions are open as this node allows")
    })?;
    let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let follower = Follower {
        reader: state.decisions.clone(),
        shard: query.shard,
        after,
        follow: query.follow,
        committed: shard.committed.clone(),
        stopping: state.stopping.clone(),
        chunks,
    };
    tokio::spawn(follower.run());
    let body = Body::from_stream(Chunks::new(receiver, permit));
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

pub(super) fn position(text: &str) -> Result<Position, Problem> {
    let parts = text.split_once('.').and_then(|(seq, idx)| Some((seq.parse().ok()?, idx.parse().ok()?)));
    let (seq, idx) = parts.ok_or_else(|| {
        Problem::new(400, "after", "wrong_type", "after is SEQ.IDX, two numbers, as data.position has them")
    })?;
    Ok(Position { seq, idx })
}

struct Follower {
    reader: Arc<dyn DecisionReader>,
    shard: u16,
    after: Position,
    follow: bool,
    committed: watch::Receiver<Position>,
    stopping: watch::Receiver<bool>,
    chunks: mpsc::Sender<anyhow::Result<Bytes>>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            // Marked before reading: a commit that comes while we read wakes the wait below.
            self.committed.borrow_and_update();
            let chunk = match self.chunk().await {
                Ok(chunk) => chunk,
                Err(error) => {
                    tracing::warn!(shard = self.shard, "a stream of decisions ends: {error:#}");
                    let _ = self.chunks.send(Err(error)).await;
                    return;
                }
            };
            let more = !chunk.is_empty();
            if more && self.chunks.send(Ok(chunk)).await.is_err() {
                return;
            }
            if more {
                continue;
            }
            if !self.follow || !self.changed().await {
                return;
            }
        }
    }

    async fn chunk(&mut self) -> anyhow::Result<Bytes> {
        let (reader, shard, after) = (self.reader.clone(), self.shard, self.after);
        let (after, lines) = tokio::task::spawn_blocking(move || {
            let mut lines = Vec::new();
            reader.read(shard, after, CHUNK_DECISIONS, &mut lines).map(|after| (after, lines))
        })
        .await??;
        self.after = after;
        let mut chunk = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in lines {
            chunk.extend_from_slice(&line);
            chunk.push(b'\n');
        }
        Ok(chunk.into())
    }

    /// Waits for a commit. False: the reader has gone, or the process stops.
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.committed.changed() => changed.is_ok(),
            _ = self.stopping.wait_for(|stopping| *stopping) => false,
            () = self.chunks.closed() => false,
        }
    }
}

/// The prepared chunks as a body.
pub(super) struct Chunks {
    receiver: mpsc::Receiver<anyhow::Result<Bytes>>,
    _permit: OwnedSemaphorePermit,
}

impl Chunks {
    pub(super) fn new(receiver: mpsc::Receiver<anyhow::Result<Bytes>>, permit: OwnedSemaphorePermit) -> Chunks {
        Chunks { receiver, _permit: permit }
    }
}

impl Stream for Chunks {
    type Item = anyhow::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}
