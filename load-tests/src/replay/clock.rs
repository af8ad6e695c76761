//! The engine's clock as `/v1/clock` tells it, and how this machine's time lies on it.
//!
//! A clock that runs at a scale other than 1 stands at its start until the first event that configures nothing; then its
//! `origin` is known. Waits mean something only where the engine's scale is the player's speed; the player never
//! pretends otherwise (`replay.rs` leaves them out).

use crate::player::Axis;
use crate::replay::http;
use crate::workload::Workload;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Of so many answers the quickest is taken: half its round trip is the error of the reading.
const READINGS: usize = 5;
/// What is due first on a running clock is due this much later in real time, so that the first events are not late.
const LEAD: Duration = Duration::from_millis(200);

pub struct Clock {
    api: String,
    shard: u16,
    /// Engine seconds in a real second.
    pub scale: f64,
    /// It waits for the first event.
    pub standing: bool,
    /// Not the time of day, but `serve --clock scaled=…` of a test, which may be at the workload's own times.
    of_a_test: bool,
    /// At `read_at` the engine's time was `now`, ms UTC.
    now: u64,
    read_at: Instant,
}

impl Clock {
    pub fn ask(api: &str, workspace: &str) -> Result<Clock> {
        let mut clock = Clock {
            api: api.to_owned(),
            shard: 0,
            scale: 1.0,
            standing: false,
            of_a_test: false,
            now: 0,
            read_at: Instant::now(),
        };
        let shards = shards(&http::get_json(&clock.api, "/v1/clock")?)?.len();
        let shards = u16::try_from(shards).context("more shards than a u16 counts")?;
        clock.shard = connectors::codec::partition(workspace, shards);
        clock.read()?;
        Ok(clock)
    }

    /// Reads it anew: the quickest of a few answers.
    pub fn read(&mut self) -> Result<()> {
        let mut best = Duration::MAX;
        for _ in 0..READINGS {
            let before = Instant::now();
            let value = http::get_json(&self.api, "/v1/clock")?;
            let trip = before.elapsed();
            let reading = Reading::of(&shards(&value)?, self.shard)?;
            self.scale = reading.scale;
            self.of_a_test = reading.scale != 1.0 || reading.started || !is_time_of_day(reading.now);
            self.standing = self.of_a_test && !reading.started;
            if trip < best {
                best = trip;
                (self.now, self.read_at) = (reading.now, before + trip / 2);
            }
        }
        Ok(())
    }

    /// Lays the workload on the engine's axis. Where the clock has not passed the workload's beginning, its own times
    /// stand; where it has, or runs in real time, all is moved so that the beginning is now.
    pub fn axis(&self, workload: &Workload, speed: f64) -> Axis {
        let stretch = if self.scale == speed { 1.0 } else { self.scale / speed };
        let own_times = self.of_a_test && self.now <= workload.begins;
        if own_times {
            return Axis { workload: self.now, engine: self.now, stretch };
        }
        let lead = if self.standing { 0.0 } else { LEAD.as_secs_f64() * 1000.0 * self.scale };
        Axis { workload: workload.begins, engine: self.now + lead as u64, stretch }
    }

    /// When the engine's clock shows this time.
    pub fn wall_of(&self, engine_ms: u64) -> Instant {
        let seconds = (engine_ms as f64 - self.now as f64) / 1000.0 / self.scale;
        let distance = Duration::from_secs_f64(seconds.abs());
        if seconds >= 0.0 {
            self.read_at + distance
        } else {
            self.read_at.checked_sub(distance).unwrap_or(self.read_at)
        }
    }

    /// What the engine's clock shows at this instant.
    pub fn engine_at(&self, wall: Instant) -> u64 {
        if self.standing {
            return self.now;
        }
        let real_ms = wall.saturating_duration_since(self.read_at).as_secs_f64() * 1000.0;
        self.now + (real_ms * self.scale) as u64
    }
}

/// A clock at scale 1 that has not started says nothing else by which it could be told from the time of day.
fn is_time_of_day(now: u64) -> bool {
    const APART_MS: u64 = 3_600_000;
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    here.abs_diff(now) < APART_MS
}

struct Reading {
    now: u64,
    scale: f64,
    started: bool,
}

impl Reading {
    fn of(shards: &[Value], shard: u16) -> Result<Reading> {
        let of_shard = |value: &&Value| value["shard"].as_u64() == Some(u64::from(shard));
        let value = shards.iter().find(of_shard).or(shards.get(usize::from(shard)));
        let value = value.with_context(|| format!("/v1/clock says nothing of shard {shard}"))?;
        Ok(Reading {
            now: time(&value["now"]).context("/v1/clock: `now` is not a time")?,
            scale: value["scale"]
                .as_f64()
                .filter(|scale| *scale > 0.0)
                .context("/v1/clock: `scale` is not a number")?,
            started: !value["origin"].is_null(),
        })
    }
}

/// `{"shards": [{shard, now, scale, origin}, …]}`, or the list alone.
fn shards(value: &Value) -> Result<Vec<Value>> {
    let list = value.get("shards").unwrap_or(value).as_array().cloned().unwrap_or_default();
    ensure!(!list.is_empty(), "/v1/clock names no shard");
    Ok(list)
}

/// RFC 3339, or milliseconds.
fn time(value: &Value) -> Option<u64> {
    value.as_str().map_or_else(|| value.as_u64(), connectors::codec::parse_timestamp)
}
