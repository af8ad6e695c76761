//! `GET /v1/clock`: the engine time of each shard, and how it runs. The player asks before it prints waits.

use super::HttpState;
use axum::Json;
use axum::extract::State;
use connectors::codec::timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A shard's clock as the process reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockReading {
    /// Engine time, ms UTC.
    pub now: u64,
    /// Engine seconds in a real one; 1 unless a test runs scaled.
    pub scale: f64,
    /// Of a scaled clock: the append time of the input that set it going, ms UTC; none before that.
    pub origin: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub struct Clock {
    shards: Vec<ShardClock>,
}

#[derive(Serialize, ToSchema)]
struct ShardClock {
    shard: u16,
    /// RFC 3339, UTC.
    now: String,
    scale: f64,
    /// RFC 3339, UTC; null on a clock that is not scaled or has not started.
    origin: Option<String>,
}

/// The engine's clock by shard.
#[utoipa::path(get, path = "/v1/clock", tag = "views", responses((status = 200, description = "By shard", body = Clock)))]
pub async fn clock(State(state): State<HttpState>) -> Json<Clock> {
    let shards = state.shards.iter().map(|shard| {
        let reading = (state.clock)(shard.shard);
        ShardClock {
            shard: shard.shard,
            now: timestamp(reading.now),
            scale: reading.scale,
            origin: reading.origin.map(timestamp),
        }
    });
    Json(Clock { shards: shards.collect() })
}
