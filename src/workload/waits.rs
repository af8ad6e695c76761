//! Histograms of waits: the classic buckets of `metrics.md`, exact counts and an exact sum.

use crate::metrics::{Family, Labels, Scrape};

const BOUNDS: [&str; 15] =
    ["1", "2", "5", "10", "20", "30", "60", "120", "180", "300", "600", "1800", "3600", "14400", "86400"];
const BOUNDS_MS: [u64; BOUNDS.len()] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 180_000, 300_000, 600_000, 1_800_000, 3_600_000,
    14_400_000, 86_400_000,
];

#[derive(Default)]
pub(super) struct Waits {
    counts: [u64; BOUNDS.len() + 1],
    sum_ms: u64,
}

impl Waits {
    pub(super) fn record(&mut self, ms: u64) {
        self.counts[BOUNDS_MS.partition_point(|bound| *bound < ms)] += 1;
        self.sum_ms += ms;
    }

    /// Nothing before the first sample.
    pub(super) fn collect(&self, family: Family, labels: &Labels, scrape: &mut Scrape) {
        if self.counts.iter().any(|count| *count > 0) {
            scrape.histogram(family, labels, &BOUNDS, &self.counts, self.sum_ms as f64 / 1e3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::labels;

    #[test]
    fn a_wait_at_a_bound_belongs_to_its_bucket() {
        let mut waits = Waits::default();
        [0, 1_000, 1_001, 86_400_000, 86_400_001].into_iter().for_each(|ms| waits.record(ms));
        let (mut scrape, mut text) = (Scrape::default(), String::new());
        waits.collect(Family::QueueWait, &labels(&[]), &mut scrape);
        scrape.text(&mut text);
        for line in ["le=\"1\"} 2", "le=\"2\"} 3", "le=\"86400\"} 4", "le=\"+Inf\"} 5"] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
