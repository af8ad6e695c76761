//! The configured sources: connectors by a prefix of their events' `source`, and when each was last heard of.
//!
//! A webhook that fell silent looks like a quiet day from the inside, so it is counted where events come in, whatever
//! becomes of them. Written by whoever takes events, read at a scrape and by the board.

use crate::metrics::histogram::{LatencyHistogram, Range};
use crate::metrics::{Family, Labels, Scrape, labels};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// More would be a label that nobody reads.
pub const SOURCES_MAX: usize = 64;
/// Of events whose source nobody configured.
const OTHER: &str = "other";

/// `[[source]]` of the config file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    pub name: String,
    /// Of the events' `source`; the longest that fits counts.
    pub prefix: String,
    /// A source that is silent for longer is told; none: never.
    pub silent_after_s: Option<u64>,
}

pub struct Sources {
    /// The configured ones, and `other` behind them.
    all: Vec<Source>,
    /// The engine's clock is the wall's: an event's age can be told.
    is_real_time: bool,
}

struct Source {
    config: SourceConfig,
    labels: Labels,
    /// ms UTC of the wall; 0: nothing came since the process started.
    last_ms: AtomicU64,
    /// Several threads take events over HTTP.
    age: Mutex<LatencyHistogram>,
}

/// A source as the board shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub name: String,
    /// ms UTC of the wall; none: nothing came since the process started.
    pub last_ms: Option<u64>,
    pub silent_after_s: Option<u64>,
    /// For longer than that, and somebody should have heard of it all that time.
    pub is_silent: bool,
}

impl Sources {
    pub fn new(configured: &[SourceConfig], is_real_time: bool) -> Sources {
        let other = SourceConfig { name: OTHER.into(), prefix: String::new(), silent_after_s: None };
        let of = |config: &SourceConfig| Source {
            labels: labels(&[("source", &config.name)]),
            config: config.clone(),
            last_ms: AtomicU64::new(0),
            age: Mutex::new(LatencyHistogram::new(Range::Commit)),
        };
        Sources { all: configured.iter().chain([&other]).map(of).collect(), is_real_time }
    }

    fn of(&self, source: &str) -> &Source {
        let fits = |one: &&Source| source.starts_with(&one.config.prefix);
        self.all.iter().filter(fits).max_by_key(|one| one.config.prefix.len()).expect("`other` fits everything")
    }

    /// The labels of the configured source that an event's source belongs to, or of `other`.
    pub fn labels_of(&self, source: &str) -> &Labels {
        &self.of(source).labels
    }

    pub fn all_labels(&self) -> impl Iterator<Item = &Labels> {
        self.all.iter().map(|source| &source.labels)
    }

    /// An event came at `at_ms` (ms UTC of the wall), with its own time where it has one.
    pub fn heard(&self, source: &str, at_ms: u64, time: Option<u64>) {
        let source = self.of(source);
        source.last_ms.fetch_max(at_ms, Relaxed);
        if let Some(time) = time.filter(|_| self.is_real_time) {
            let age = source.age.lock().unwrap_or_else(PoisonError::into_inner);
            age.record_ns(at_ms.saturating_sub(time).saturating_mul(1_000_000));
        }
    }

    /// The configured ones, as they are at `now_ms` where somebody should hear of them since `since_ms`.
    pub fn board(&self, now_ms: u64, since_ms: u64) -> Vec<Heard> {
        let configured = &self.all[..self.all.len() - 1];
        let heard = |source: &Source| {
            let last_ms = Some(source.last_ms.load(Relaxed)).filter(|last| *last > 0);
            let quiet_ms = now_ms.saturating_sub(last_ms.unwrap_or(0).max(since_ms));
            let silent_after_s = source.config.silent_after_s;
            let is_silent = silent_after_s.is_some_and(|after_s| quiet_ms > after_s.saturating_mul(1_000));
            Heard { name: source.config.name.clone(), last_ms, silent_after_s, is_silent }
        };
        configured.iter().map(heard).collect()
    }

    pub fn collect(&self, scrape: &mut Scrape) {
        for source in &self.all {
            let last_s = source.last_ms.load(Relaxed) as f64 / 1e3;
            scrape.real(Family::SourceLastEvent, &source.labels, last_s);
            source.age.lock().unwrap_or_else(PoisonError::into_inner).collect_plain(
                Family::EventAge,
                &source.labels,
                scrape,
            );
            if let Some(after_s) = source.config.silent_after_s {
                scrape.real(Family::SourceSilentAfter, &source.labels, after_s as f64);
            }
        }
    }
}

/// ms UTC of the wall.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        let config = |name: &str, prefix: &str, silent_after_s| SourceConfig {
            name: name.into(),
            prefix: prefix.into(),
            silent_after_s,
        };
        Sources::new(&[config("meta", "meta/", Some(60)), config("whatsapp", "meta/whatsapp", Some(600))], true)
    }

    #[test]
    fn the_longest_prefix_counts_and_what_fits_none_is_other() {
        let sources = sources();
        sources.heard("meta/whatsapp/7", 5_000, Some(4_980));
        sources.heard("pbx", 6_000, None);
        let mut scrape = Scrape::default();
        sources.collect(&mut scrape);
        let mut text = String::new();
        scrape.text(&mut text);
        for line in [
            "strowger_source_last_event_timestamp_seconds{source=\"meta\"} 0\n",
            "strowger_source_last_event_timestamp_seconds{source=\"whatsapp\"} 5\n",
            "strowger_source_last_event_timestamp_seconds{source=\"other\"} 6\n",
            "strowger_event_age_seconds_count{source=\"whatsapp\"} 1\n",
            "strowger_source_silent_after_seconds{source=\"meta\"} 60\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("strowger_event_age_seconds_count{source=\"meta\"}"), "{text}");
    }

    #[test]
    fn a_source_is_silent_from_its_last_event_on_or_from_the_start() {
        let sources = sources();
        sources.heard("meta/whatsapp", 100_000, None);
        let silent = |now_ms: u64| -> Vec<bool> { sources.board(now_ms, 50_000).iter().map(|s| s.is_silent).collect() };
        assert_eq!(silent(110_000), [false, false]);
        assert_eq!(silent(110_001), [true, false]);
        assert_eq!(silent(700_001), [true, true]);
        // An event that was late on its way takes nothing back.
        sources.heard("meta/whatsapp", 90_000, None);
        assert_eq!(sources.board(700_000, 50_000)[1].last_ms, Some(100_000));
        // The shard was somebody else's for long, or it was night.
        assert!(sources.board(1_500_000, 900_001).iter().all(|source| !source.is_silent || source.name == "meta"));
        assert!(sources.board(1_500_002, 900_001)[1].is_silent);
    }
}
