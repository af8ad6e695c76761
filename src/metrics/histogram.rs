//! A histogram of latencies with one writer: relaxed loads and stores, an exact sum, no lock and no allocation.
//!
//! Buckets are log-linear, 32 an octave (as in HdrHistogram, G. Tene), each `(lower, upper]`. Prometheus gets two an
//! octave, whose bounds 2^k and 3*2^(k-1) ns are edges of the fine ones, so that its counts are exact; quantiles come
//! from the fine ones of the last half to whole minute and are at most 1/32 too high.

use crate::metrics::{Family, Labels, Scrape};
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Fine buckets an octave, as a power of two.
const SUB_BITS: u32 = 5;
/// Longer times count as this long in the buckets (68.7 s), and exactly in the sum.
const OCTAVE_MAX: u32 = 36;
const FINE: usize = ((OCTAVE_MAX - SUB_BITS + 1) as usize) << SUB_BITS;
/// A quantile covers one to two of these.
const HALF_WINDOW: Duration = Duration::from_secs(30);

pub const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.99, "0.99"), (0.999, "0.999")];

/// Which octaves Prometheus sees: bounds from 2^first to 2^last nanoseconds.
#[derive(Clone, Copy)]
pub enum Range {
    /// 256 ns to 134 ms.
    Apply,
    /// 98 us to 34 s.
    Commit,
}

struct Bounds {
    /// Inclusive upper bounds, nanoseconds.
    ns: Vec<u64>,
    /// The same as `le` texts, seconds.
    texts: Vec<&'static str>,
}

impl Range {
    fn bounds(self) -> &'static Bounds {
        static APPLY: OnceLock<Bounds> = OnceLock::new();
        static COMMIT: OnceLock<Bounds> = OnceLock::new();
        match self {
            Range::Apply => APPLY.get_or_init(|| Bounds::between(1 << 8, 1 << 27)),
            Range::Commit => COMMIT.get_or_init(|| Bounds::between(3 << 15, 1 << 35)),
        }
    }
}

impl Bounds {
    fn between(first_ns: u64, last_ns: u64) -> Bounds {
        let octaves = (0..OCTAVE_MAX).flat_map(|k| [1u64 << k, 3 << k]);
        let mut ns: Vec<u64> = octaves.filter(|bound| (first_ns..=last_ns).contains(bound)).collect();
        ns.sort_unstable();
        // Leaked once a process and range: the texts are labels of every scrape.
        let texts = ns.iter().map(|bound| &*(*bound as f64 / 1e9).to_string().leak()).collect();
        Bounds { ns, texts }
    }
}

fn index(ns: u64) -> usize {
    // One less, so that a bucket holds its upper edge: `le` is inclusive.
    let below = ns.saturating_sub(1).min((1 << OCTAVE_MAX) - 1);
    if below < 1 << SUB_BITS {
        return below as usize;
    }
    let shift = below.ilog2() - SUB_BITS;
    ((shift as usize) << SUB_BITS) + (below >> shift) as usize
}

fn upper_ns(index: usize) -> u64 {
    let octave = index >> SUB_BITS;
    if octave == 0 {
        return index as u64 + 1;
    }
    let shift = octave as u32 - 1;
    let mantissa = (index & ((1 << SUB_BITS) - 1)) as u64 + (1 << SUB_BITS);
    (mantissa + 1) << shift
}

pub struct LatencyHistogram {
    range: Range,
    counts: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
    window: Mutex<Window>,
}

/// Counts as they were one and two half windows ago.
struct Window {
    older: Vec<u64>,
    newer: Vec<u64>,
    rotated_at: Instant,
}

impl LatencyHistogram {
    pub fn new(range: Range) -> LatencyHistogram {
        LatencyHistogram {
            range,
            counts: (0..FINE).map(|_| AtomicU64::new(0)).collect(),
            sum_ns: AtomicU64::new(0),
            window: Mutex::new(Window { older: vec![0; FINE], newer: vec![0; FINE], rotated_at: Instant::now() }),
        }
    }

    /// Only ever called by the one thread that writes this histogram.
    #[inline]
    pub fn record_ns(&self, ns: u64) {
        self.record_many_ns(ns, 1);
    }

    /// `times` samples of the same value, as of a batch whose events took equally long.
    #[inline]
    pub fn record_many_ns(&self, ns: u64, times: u64) {
        let count = &self.counts[index(ns)];
        count.store(count.load(Relaxed) + times, Relaxed);
        self.sum_ns.store(self.sum_ns.load(Relaxed).wrapping_add(ns.wrapping_mul(times)), Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    fn snapshot(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.load(Relaxed)).collect()
    }

    /// Adds the histogram, from its first sample on, and the quantiles of the window where it has samples.
    pub fn collect(&self, family: Family, quantiles: Family, labels: &Labels, scrape: &mut Scrape) {
        let fine = self.collect_plain(family, labels, scrape);
        for (text, ns) in fine.map(|fine| self.quantiles_ns(fine)).unwrap_or_default() {
            scrape.real_of(quantiles, labels, "quantile", text, ns as f64 / 1e9);
        }
    }

    /// Adds the histogram alone, from its first sample on. Returns its counts.
    pub fn collect_plain(&self, family: Family, labels: &Labels, scrape: &mut Scrape) -> Option<Vec<u64>> {
        let fine = self.snapshot();
        if fine.iter().all(|count| *count == 0) {
            return None;
        }
        let bounds = self.range.bounds();
        let mut counts = vec![0; bounds.ns.len() + 1];
        for (at, count) in fine.iter().enumerate().filter(|(_, count)| **count > 0) {
            counts[bounds.ns.partition_point(|bound| *bound < upper_ns(at))] += count;
        }
        let sum = self.sum_ns.load(Relaxed) as f64 / 1e9;
        scrape.histogram(family, labels, &bounds.texts, &counts, sum);
        Some(fine)
    }

    fn quantiles_ns(&self, fine: Vec<u64>) -> Vec<(&'static str, u64)> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = recent(&fine, &window.older);
        if window.rotated_at.elapsed() >= HALF_WINDOW {
            window.older = std::mem::replace(&mut window.newer, fine);
            window.rotated_at = Instant::now();
        }
        drop(window);
        if recent.is_empty() {
            return Vec::new();
        }
        QUANTILES.iter().map(|(quantile, text)| (*text, recent.value_at_quantile(*quantile))).collect()
    }
}

fn recent(fine: &[u64], older: &[u64]) -> Histogram<u64> {
    let mut recent = Histogram::new_with_bounds(1, 1 << (OCTAVE_MAX + 1), 3).expect("the bounds are in order");
    for (at, (now, then)) in fine.iter().zip(older).enumerate() {
        if now > then {
            recent.saturating_record_n(upper_ns(at), now - then);
        }
    }
    recent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::labels;

    #[test]
    fn a_value_lies_in_its_bucket_and_an_upper_edge_belongs_to_it() {
        for ns in (0..5_000u64).chain([98_304, 98_305, 1 << 20, (1 << 35) - 1, 1 << 36]) {
            let upper = upper_ns(index(ns));
            assert!(ns <= upper, "{ns} above {upper}");
            assert!(upper as f64 <= ns.max(1) as f64 * (1.0 + 1.0 / 32.0) + 1.0, "{ns} far below {upper}");
            assert_eq!(index(upper), index(ns));
            assert_ne!(index(upper + 1), index(ns).min(FINE - 2));
        }
    }

    #[test]
    fn prometheus_sees_exact_counts_two_an_octave() {
        let histogram = LatencyHistogram::new(Range::Apply);
        for ns in [255, 256, 257, 384, 385, 1 << 30] {
            histogram.record_ns(ns);
        }
        let mut scrape = Scrape::default();
        histogram.collect(Family::Apply, Family::ApplyQuantile, &labels(&[("shard", "0")]), &mut scrape);
        let mut text = String::new();
        scrape.text(&mut text);
        let bucket =
            |le: &str, count: u64| format!("strowger_apply_seconds_bucket{{shard=\"0\",le=\"{le}\"}} {count}\n");
        assert!(text.contains(&bucket("0.000000256", 2)), "{text}");
        assert!(text.contains(&bucket("0.000000384", 4)));
        assert!(text.contains(&bucket("0.000000512", 5)));
        assert!(text.contains(&bucket("+Inf", 6)));
        assert!(
            text.contains(&format!("strowger_apply_seconds_sum{{shard=\"0\"}} {}\n", (1537.0 + 1073741824.0) / 1e9))
        );
    }

    #[test]
    fn quantiles_are_at_most_a_thirty_second_too_high() {
        let histogram = LatencyHistogram::new(Range::Commit);
        (1..=1_000u64).for_each(|n| histogram.record_ns(n * 1_000_000));
        for (text, ns) in histogram.quantiles_ns(histogram.snapshot()) {
            let exact = text.parse::<f64>().unwrap() * 1e9;
            assert!(ns as f64 >= exact && (ns as f64) <= exact * (1.0 + 1.0 / 30.0), "{text}: {ns}");
        }
    }

    #[test]
    fn nothing_is_shown_before_the_first_sample() {
        let mut scrape = Scrape::default();
        let histogram = LatencyHistogram::new(Range::Commit);
        histogram.collect(Family::Commit, Family::CommitQuantile, &labels(&[]), &mut scrape);
        assert!(scrape.is_empty());
    }
}
