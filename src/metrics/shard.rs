//! What a shard and its publisher measure about themselves: one plain struct, atomics, one writer a field.
//!
//! It goes with the shard: who steps down drops it and the series are gone. What the fold of committed batches counts
//! (queues, agents, service level) is `workload.rs`'s.

use crate::metrics::histogram::{LatencyHistogram, Range};
use crate::metrics::{Family, Labels, Scrape, labels};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Instant;

#[derive(Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Release);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Acquire)
    }
}

pub struct ShardMetrics {
    labels: Labels,
    /// Written by the shard thread.
    pub apply: LatencyHistogram,
    pub ring_depth: Gauge,
    pub ring_capacity: Gauge,
    /// 1 from the accepted claim until the step-down.
    pub owned: Gauge,
    /// Where the shard's monotonic time begins.
    pub started: Instant,
    /// From when until when what is counted may be shown, so that no other node shows the same: ms since `started`.
    shown_from_ms: Gauge,
    shown_until_ms: Gauge,
    /// Since when, ms UTC of the wall; no series of its own.
    pub owned_since_ms: Gauge,
    pub journal_in_flight: Gauge,
    /// Written by the publisher thread.
    pub commit: LatencyHistogram,
    pub event_to_decision: LatencyHistogram,
    pub relay_lag_records: Gauge,
    pub journal_bytes: Gauge,
    /// Written by the source.
    pub input_lag_records: Gauge,
    pub input_lag_ms: Gauge,
}

impl ShardMetrics {
    pub fn new(shard: u16) -> ShardMetrics {
        ShardMetrics {
            labels: labels(&[("shard", &shard.to_string())]),
            apply: LatencyHistogram::new(Range::Apply),
            ring_depth: Gauge::default(),
            ring_capacity: Gauge::default(),
            owned: Gauge::default(),
            started: Instant::now(),
            shown_from_ms: Gauge::default(),
            shown_until_ms: Gauge(AtomicU64::new(u64::MAX)),
            owned_since_ms: Gauge::default(),
            journal_in_flight: Gauge::default(),
            commit: LatencyHistogram::new(Range::Commit),
            event_to_decision: LatencyHistogram::new(Range::Commit),
            relay_lag_records: Gauge::default(),
            journal_bytes: Gauge::default(),
            input_lag_records: Gauge::default(),
            input_lag_ms: Gauge::default(),
        }
    }

    /// Set by the shard whenever the log has told it that it is the owner still.
    pub fn show(&self, from_to: std::ops::Range<u64>) {
        self.shown_from_ms.set(from_to.start);
        self.shown_until_ms.set(from_to.end);
    }

    /// From the accepted claim until the step-down, of which this process may not know yet.
    pub fn is_owned(&self) -> bool {
        self.owned.value() > 0
    }

    /// The same by what the log has said lately.
    fn is_confirmed(&self) -> bool {
        self.is_owned() && self.now_ms() < self.shown_until_ms.value()
    }

    /// And nobody else may still be showing the shard's figures.
    pub fn is_shown(&self) -> bool {
        self.is_confirmed() && self.now_ms() >= self.shown_from_ms.value()
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    pub fn collect(&self, scrape: &mut Scrape) {
        let labels = &self.labels;
        scrape.whole(Family::ShardOwned, labels, u64::from(self.is_confirmed()));
        scrape.whole(Family::RingDepth, labels, self.ring_depth.value());
        scrape.whole(Family::RingCapacity, labels, self.ring_capacity.value());
        scrape.whole(Family::InputLagRecords, labels, self.input_lag_records.value());
        scrape.real(Family::InputLagSeconds, labels, self.input_lag_ms.value() as f64 / 1e3);
        scrape.whole(Family::JournalInFlight, labels, self.journal_in_flight.value());
        scrape.whole(Family::RelayLagRecords, labels, self.relay_lag_records.value());
        scrape.whole(Family::JournalBytes, labels, self.journal_bytes.value());
        self.apply.collect(Family::Apply, Family::ApplyQuantile, labels, scrape);
        self.commit.collect(Family::Commit, Family::CommitQuantile, labels, scrape);
        self.event_to_decision.collect(Family::EventToDecision, Family::EventToDecisionQuantile, labels, scrape);
    }
}
