//! `GET /v1/workspaces/{workspace}/stream`: the board's figures and, where asked for, decisions, as server-sent events.
//!
//! However many listen, a board is made once and a decision is read and rendered once: a hub hands the same bytes to all.
//! A listener has a few frames of room; who does not take them in time is told `dropped` and let go, and costs nobody
//! else anything. Decisions are resumable by their position (`Last-Event-ID`): what the hub no longer has is read from
//! the journal, the one place where they stand.

#![allow(unused_qualifications, reason = "utoipa's macro writes one for `params`")]

use super::decisions::{Chunks, position};
use super::problem::Problem;
use super::views::{owned, unknown_workspace};
use super::{DecisionReader, HttpState, board, off_async_threads};
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use engine::decision::Position;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use utoipa::IntoParams;

/// Listeners at once, all workspaces together.
pub const LISTENERS_MAX: usize = 2_000;
/// Frames ready for one listener; one more is kept free for `dropped`.
const FRAMES_AHEAD: usize = 16;
/// Decisions that the hub keeps for those who are a little behind.
const DECISIONS_KEPT: usize = 1_024;
/// Decisions read from the journal at once: for all, and by one listener for itself.
const READ_MAX: usize = 256;
const CATCH_UP_MAX: usize = 64;
/// Listeners that read for themselves at the same time.
pub const CATCHING_UP_MAX: usize = 4;
/// A listener whose room is full for so long is too slow.
const TAKES_WITHIN: Duration = Duration::from_secs(10);
/// Boards come no closer than this, and no further apart than that while nothing changes.
const BOARD_EVERY: Duration = Duration::from_secs(1);
const BOARD_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// So that proxies and browsers see that the stream lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// 0: without the figures of the board.
    #[serde(default = "one")]
    figures: u8,
    /// 1: with the workspace's decisions.
    #[serde(default)]
    decisions: u8,
    /// The position after which decisions begin, SEQ.IDX; absent, and without Last-Event-ID: with the next one.
    after: Option<String>,
}

fn one() -> u8 {
    1
}

/// One decision as a frame, made once for all who listen.
#[derive(Clone)]
struct Decision {
    /// The one before it in its shard, whosever it is: who has not had that has missed something.
    prev: Position,
    position: Position,
    workspace: Arc<str>,
    frame: Bytes,
}

/// What all streams of a node share.
#[derive(Default)]
pub struct Hub {
    boards: Mutex<HashMap<String, watch::Receiver<Bytes>>>,
    decisions: Mutex<HashMap<u16, broadcast::Sender<Decision>>>,
}

/// A workspace's figures, and its decisions where asked for, live.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/stream", tag = "decisions", operation_id = "stream_of_workspace",
    params(("workspace" = String, Path, description = "Percent-encoded"), StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "Goes before `after`: what a browser sends when it connects again")),
    responses(
        (status = 200, description = "Server-sent events. `board`: a Board, at once and then at most once a second; `alive`: nothing else, every 15 s. `decision`: a structured CloudEvent, its position as id; `reset`: the position asked for is none of this journal, and what follows begins now. `dropped`: the reader was too slow; `stopping`: the node stops, or is no longer the owner. After both the stream ends", body = String, content_type = "text/event-stream"),
        (status = 400, description = "A position that is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such workspace", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many listeners", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not the owner now", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn stream(
    State(state): State<HttpState>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
    query: Result<Query<StreamQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::new(400, "query", "wrong_type", rejection.body_text()))?;
    let last_id = headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
    let after = last_id.or(query.after.as_deref()).map(position).transpose()?;
    let shard = owned(&state, &workspace)?.clone();
    let (looked_at, name) = (shard.clone(), workspace.clone());
    let is_known = move || looked_at.read().replica().workspace(&name).is_some();
    if !off_async_threads(is_known).await? {
        return Err(unknown_workspace());
    }
    let permit = state.limits.listeners.clone().try_acquire_owned().map_err(|_| {
        Problem::new(429, "query", "too_many_streams", "as many listen as this node allows; connect again later")
    })?;
    let (frames, receiver) = mpsc::channel(FRAMES_AHEAD + 1);
    let boards = (query.figures != 0).then(|| state.hub.boards_of(&state, &workspace));
    // Subscribed before the place is read where it begins: nothing falls between.
    let live = (query.decisions != 0).then(|| state.hub.decisions_of(&state, shard.shard));
    let committed = *shard.committed.borrow();
    let listener = Listener {
        reader: state.decisions.clone(),
        reads: state.limits.catching_up.clone(),
        shard: shard.shard,
        // A position of another journal lies ahead: nothing would ever follow it.
        last: after.filter(|after| *after <= committed).unwrap_or(committed),
        is_reset: after.is_some_and(|after| after > committed),
        workspace: workspace.into(),
        stopping: state.stopping.clone(),
        boards,
        live,
        frames,
    };
    tokio::spawn(listener.run());
    let body = Body::from_stream(Chunks::new(receiver, permit));
    let head = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((head, body).into_response())
}

fn frame(event: &str, id: Option<Position>, data: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(data.len() + 64);
    frame.extend_from_slice(format!("event: {event}\n").as_bytes());
    if let Some(Position { seq, idx }) = id {
        frame.extend_from_slice(format!("id: {seq}.{idx}\n").as_bytes());
    }
    // JSON in one line: a line feed in a text is escaped in it.
    frame.extend_from_slice(b"data: ");
    frame.extend_from_slice(data);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

/// Up to so many decisions after `after`, as frames: of one workspace or of all. And the position of the last one read.
fn read(
    reader: &dyn DecisionReader,
    shard: u16,
    after: Position,
    limit: usize,
    only: Option<&str>,
) -> anyhow::Result<(Vec<Decision>, Position)> {
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        workspace: std::borrow::Cow<'a, str>,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        position: Place,
    }
    #[derive(Deserialize)]
    struct Place {
        seq: u64,
        idx: u32,
    }
    let mut lines = Vec::new();
    reader.read(shard, after, limit, &mut lines)?;
    let (mut decisions, mut prev) = (Vec::new(), after);
    for line in lines {
        let told: Told<'_> = serde_json::from_slice(&line)?;
        let position = Position { seq: told.data.position.seq, idx: told.data.position.idx };
        if only.is_none_or(|only| only == told.workspace) {
            let frame = frame("decision", Some(position), &line);
            decisions.push(Decision { prev, position, workspace: (&*told.workspace).into(), frame });
        }
        prev = position;
    }
    Ok((decisions, prev))
}

async fn read_off_async_threads(
    reader: &Arc<dyn DecisionReader>,
    shard: u16,
    after: Position,
    limit: usize,
    only: Option<Arc<str>>,
) -> anyhow::Result<(Vec<Decision>, Position)> {
    let reader = reader.clone();
    tokio::task::spawn_blocking(move || read(reader.as_ref(), shard, after, limit, only.as_deref())).await?
}

impl Hub {
    /// The board of a workspace as frames, made for as long as somebody listens.
    fn boards_of(&self, state: &HttpState, workspace: &str) -> watch::Receiver<Bytes> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        // Of one whose maker has ended the sender is gone.
        boards.retain(|_, board| board.has_changed().is_ok());
        if let Some(board) = boards.get(workspace) {
            return board.clone();
        }
        let (sender, receiver) = watch::channel(Bytes::new());
        boards.insert(workspace.into(), receiver.clone());
        tokio::spawn(make_boards(state.clone(), workspace.into(), sender));
        receiver
    }

    fn decisions_of(&self, state: &HttpState, shard: u16) -> broadcast::Receiver<Decision> {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = decisions.get(&shard).filter(|sender| sender.receiver_count() > 0) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(DECISIONS_KEPT);
        decisions.insert(shard, sender.clone());
        // Read now: what is committed before the task begins is in its first reading.
        let last = state.shard(shard).map(|shared| *shared.committed.borrow()).unwrap_or_default();
        let following = Following { hub: state.hub.clone(), shard, decisions: sender };
        tokio::spawn(follow_decisions(state.clone(), following, last));
        receiver
    }

    /// Whether nobody listens to this channel any more; then it is forgotten, with nobody joining meanwhile.
    fn forget_unheard(&self, shard: u16, sender: &broadcast::Sender<Decision>) -> bool {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unheard = sender.receiver_count() == 0;
        if is_unheard {
            decisions.retain(|key, known| *key != shard || !known.same_channel(sender));
        }
        is_unheard
    }
}

/// The one who follows a shard's decisions. However he ends, listeners see the channel close and connect again.
struct Following {
    hub: Arc<Hub>,
    shard: u16,
    decisions: broadcast::Sender<Decision>,
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut decisions = self.hub.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        decisions.retain(|key, known| *key != self.shard || !known.same_channel(&self.decisions));
    }
}

/// One board a second where something has changed, until nobody listens.
async fn make_boards(state: HttpState, workspace: String, boards: watch::Sender<Bytes>) {
    let mut committed = state.shard_of(&workspace).committed.clone();
    let mut stopping = state.stopping.clone();
    loop {
        committed.borrow_and_update();
        match board::made(&state, workspace.clone()).await {
            Ok(board) => {
                // The hub's own receiver is one of them.
                let json = serde_json::to_vec(&board).unwrap_or_default();
                boards.send_replace(frame("board", None, &json));
            }
            // No longer ours: listeners see that the maker has gone.
            Err(_) => return,
        }
        let made_at = Instant::now();
        let changed = async {
            if committed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = changed => tokio::time::sleep_until(made_at + BOARD_EVERY).await,
            () = tokio::time::sleep(BOARD_AT_LEAST_EVERY) => {}
            () = stopped(&mut stopping) => return,
        }
        if boards.receiver_count() <= 1 {
            return;
        }
    }
}

/// Reads a shard's decisions as they are committed, until nobody listens.
async fn follow_decisions(state: HttpState, following: Following, mut last: Position) {
    let shard = following.shard;
    let Some(shared) = state.shard(shard) else { return };
    let (mut committed, mut stopping) = (shared.committed.clone(), state.stopping.clone());
    loop {
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { return },
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(BOARD_AT_LEAST_EVERY) => {}
        }
        if following.hub.forget_unheard(shard, &following.decisions) || shared.metrics.owned.value() == 0 {
            return;
        }
        loop {
            committed.borrow_and_update();
            let (read, through) = match read_off_async_threads(&state.decisions, shard, last, READ_MAX, None).await {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(shard, "the decisions for those who listen cannot be read: {error:#}");
                    return;
                }
            };
            if read.is_empty() {
                break;
            }
            last = through;
            for decision in read {
                // Nobody may listen any more.
                let _ = following.decisions.send(decision);
            }
        }
    }
}

/// Why a stream ends.
enum End {
    Gone,
    TooSlow,
    Stopping,
}

/// What comes next to a listener.
enum Next {
    Frame(Bytes),
    Decision(Decision),
    Missed,
    Ends(End),
}

struct Listener {
    reader: Arc<dyn DecisionReader>,
    /// Few read the journal for themselves at once.
    reads: Arc<Semaphore>,
    shard: u16,
    workspace: Arc<str>,
    /// The last decision that it has had, or that was not its workspace's.
    last: Position,
    is_reset: bool,
    stopping: watch::Receiver<bool>,
    boards: Option<watch::Receiver<Bytes>>,
    live: Option<broadcast::Receiver<Decision>>,
    frames: mpsc::Sender<anyhow::Result<Bytes>>,
}

impl Listener {
    async fn run(mut self) {
        let last_words = match self.listen().await {
            End::Gone => return,
            End::TooSlow => frame("dropped", None, br#"{"reason":"too_slow"}"#),
            End::Stopping => frame("stopping", None, b"{}"),
        };
        // There is one place more than is ever filled with anything else.
        let _ = self.frames.try_send(Ok(last_words));
    }

    async fn listen(&mut self) -> End {
        let mut alive = interval(ALIVE_EVERY);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if self.is_reset
            && let Err(end) = self.send(frame("reset", None, b"{}")).await
        {
            return end;
        }
        if let Some(board) = &mut self.boards {
            let first = board.borrow_and_update().clone();
            if !first.is_empty()
                && let Err(end) = self.send(first).await
            {
                return end;
            }
        }
        if self.live.is_some()
            && let Err(end) = self.catch_up().await
        {
            return end;
        }
        loop {
            let next = tokio::select! {
                board = next_board(&mut self.boards) => board.map_or(Next::Ends(End::Stopping), Next::Frame),
                decision = next_decision(&mut self.live) => match decision {
                    Ok(decision) => Next::Decision(decision),
                    // It missed some: they stand in the journal.
                    Err(broadcast::error::RecvError::Lagged(_)) => Next::Missed,
                    Err(broadcast::error::RecvError::Closed) => Next::Ends(End::Stopping),
                },
                _ = alive.tick() => Next::Frame(frame("alive", None, b"{}")),
                () = stopped(&mut self.stopping) => Next::Ends(End::Stopping),
                () = self.frames.closed() => Next::Ends(End::Gone),
            };
            let sent = match next {
                Next::Frame(frame) => self.send(frame).await,
                Next::Decision(decision) => self.send_decision(decision).await,
                Next::Missed => self.catch_up().await,
                Next::Ends(end) => Err(end),
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    /// Everything that is committed and that it has not had.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let read = {
                let _turn = self.reads.acquire().await;
                let only = Some(self.workspace.clone());
                read_off_async_threads(&self.reader, self.shard, self.last, CATCH_UP_MAX, only).await
            };
            let (read, through) = read.map_err(|error| {
                tracing::warn!(shard = self.shard, "a stream ends: {error:#}");
                End::Stopping
            })?;
            if through == self.last {
                return Ok(());
            }
            for decision in read {
                self.last = decision.position;
                self.send(decision.frame).await?;
            }
            self.last = through;
        }
    }

    async fn send_decision(&mut self, decision: Decision) -> Result<(), End> {
        if decision.prev > self.last {
            self.catch_up().await?;
        }
        if decision.position <= self.last {
            return Ok(());
        }
        self.last = decision.position;
        if decision.workspace == self.workspace { self.send(decision.frame).await } else { Ok(()) }
    }

    /// Waits for room, but not for ever.
    async fn send(&self, frame: Bytes) -> Result<(), End> {
        // Two places: the last one is not for frames.
        match tokio::time::timeout(TAKES_WITHIN, self.frames.reserve_many(2)).await {
            Ok(Ok(mut places)) => {
                places.next().expect("two are reserved").send(Ok(frame));
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }
}

/// The guard of the flag is not kept over what follows.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// The next board, when one is made; none: nobody makes them any more.
async fn next_board(boards: &mut Option<watch::Receiver<Bytes>>) -> Option<Bytes> {
    match boards {
        Some(boards) => boards.changed().await.ok().map(|()| boards.borrow_and_update().clone()),
        None => std::future::pending().await,
    }
}

async fn next_decision(
    live: &mut Option<broadcast::Receiver<Decision>>,
) -> Result<Decision, broadcast::error::RecvError> {
    match live {
        Some(live) => live.recv().await,
        None => std::future::pending().await,
    }
}
