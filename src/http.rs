//! The HTTP side: events in and answered when committed, views, the stream of decisions, metrics, probes.
//!
//! It decides nothing and holds no state of its own: events go to the pipeline by `Ingest`, what it shows is read from
//! the shards' workloads, decisions from the journal by `DecisionReader`. One file a concern; the table of routes is
//! here, and a test holds it against the OpenAPI document.

pub mod answers;
pub mod board;
pub mod clock;
pub mod decisions;
pub mod events;
pub mod open;
pub mod openapi;
pub mod pages;
pub mod probes;
pub mod problem;
pub mod reports;
pub mod stream;
mod tagged;
pub mod views;

pub use clock::ClockReading;
pub use decisions::DecisionReader;
pub use probes::Probes;

use crate::ingest::Ingest;
use crate::sources::Sources;
use crate::workload::{SharedShard, Views};
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use connectors::codec::Decoder;
use problem::Problem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Requests with events that are read or answered at once: their bodies are what memory must hold.
const POSTS_MAX: usize = 256;
/// A body must have come whole by then: it holds one of the places above from its first byte on, and who sends half of
/// one must not keep others out. The largest allowed passes at 7 Mbit/s.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Streams of decisions open at once.
const STREAMS_MAX: usize = 64;

/// What every handler sees. Cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    pub ingest: Ingest,
    pub decoder: Arc<Decoder>,
    /// By number: shard n stands at n.
    pub shards: Arc<[SharedShard]>,
    pub views: Arc<Views>,
    pub decisions: Arc<dyn DecisionReader>,
    pub probes: Probes,
    /// The clock of a shard, read now.
    pub clock: Arc<dyn Fn(u16) -> ClockReading + Send + Sync>,
    /// Free bytes where the journal is; none where that is somebody else's disk.
    pub disk_free_bytes: Arc<dyn Fn() -> Option<u64> + Send + Sync>,
    pub sources: Arc<Sources>,
    /// Agents of a workspace that `/metrics/agents` tells by name; 0: it is off.
    pub metrics_max_agents: usize,
    /// ms UTC of the wall: when the process started.
    pub started_ms: u64,
    pub hub: Arc<stream::Hub>,
    /// Turns true when the process stops: streams end.
    pub stopping: watch::Receiver<bool>,
    pub limits: HttpLimits,
}

/// What may be in hand at once, beyond which the answer is 429, and how long a body may take.
#[derive(Clone)]
pub struct HttpLimits {
    posts: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
    /// Listeners that read the journal for themselves.
    catching_up: Arc<Semaphore>,
    body_within: Duration,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits::new(BODY_WITHIN)
    }
}

impl HttpLimits {
    pub fn new(body_within: Duration) -> HttpLimits {
        HttpLimits {
            posts: Arc::new(Semaphore::new(POSTS_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            listeners: Arc::new(Semaphore::new(stream::LISTENERS_MAX)),
            catching_up: Arc::new(Semaphore::new(stream::CATCHING_UP_MAX)),
            body_within,
        }
    }

    /// Streams of workspaces open at once.
    pub fn of_listeners(mut self, max: usize) -> HttpLimits {
        self.listeners = Arc::new(Semaphore::new(max));
        self
    }
}

impl HttpState {
    /// The shard that a workspace lives in.
    pub fn shard_of(&self, workspace: &str) -> &SharedShard {
        let shards = self.shards.len() as u16;
        &self.shards[usize::from(connectors::codec::partition(workspace, shards))]
    }

    pub fn shard(&self, number: u16) -> Option<&SharedShard> {
        self.shards.get(usize::from(number))
    }
}

/// For what takes a shard's lock, which the publisher holds for milliseconds, or keeps a core busy as long: an async
/// thread would make every other connection wait.
async fn off_async_threads<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let failed = |_| Problem::new(500, "node", "failed", "the answer could not be made; the log of the node says why");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// Every route: its path as OpenAPI writes it, and who answers.
pub fn routes() -> Vec<(&'static str, MethodRouter<HttpState>)> {
    vec![
        ("/v1/events", post(events::post_events)),
        ("/v1/workspaces/{workspace}/conversations/{conversation}", get(views::conversation)),
        ("/v1/workspaces/{workspace}/agents", get(views::agents)),
        ("/v1/workspaces/{workspace}/queues", get(views::queues)),
        ("/v1/workspaces", get(board::workspaces)),
        ("/v1/workspaces/{workspace}/board", get(board::board)),
        ("/v1/workspaces/{workspace}/unanswered", get(open::unanswered)),
        ("/v1/workspaces/{workspace}/queues/{queue}/waiting", get(open::waiting)),
        ("/v1/workspaces/{workspace}/agents/{agent}/conversations", get(open::of_agent)),
        ("/v1/workspaces/{workspace}/customers/{customer}/conversations", get(open::of_customer)),
        ("/v1/workspaces/{workspace}/stream", get(stream::stream)),
        ("/v1/decisions", get(decisions::stream)),
        ("/v1/clock", get(clock::clock)),
        ("/", get(pages::root)),
        ("/wallboard", get(pages::wallboard)),
        ("/docs", get(pages::docs)),
        ("/metrics", get(probes::metrics)),
        ("/metrics/agents", get(probes::metrics_by_agent)),
        ("/livez", get(probes::livez)),
        ("/readyz", get(probes::readyz)),
        ("/openapi.json", get(openapi::document)),
    ]
}

pub fn router(state: HttpState) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    router
        .fallback(|| async { Problem::new(404, "path", "no_such_path", "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(405, "method", "no_such_method", "this path does not know this method")
        })
        .with_state(state)
}
