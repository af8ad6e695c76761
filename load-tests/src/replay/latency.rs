//! Latencies in real time, always from the intended instant of sending (Tene's "coordinated omission" left out).

use hdrhistogram::Histogram;
use serde::Serialize;
use std::io::Write;
use std::time::{Duration, Instant};

/// One hour; what is slower counts as that.
const US_MAX: u64 = 3_600_000_000;

/// Microseconds with three significant digits.
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Histogram::new_with_bounds(1, US_MAX, 3).expect("these bounds are in order"))
    }
}

impl Latency {
    pub fn record(&mut self, intended: Instant, happened: Instant) {
        self.record_for(happened.saturating_duration_since(intended));
    }

    pub fn record_for(&mut self, duration: Duration) {
        self.0.saturating_record(duration.as_micros() as u64);
    }

    pub fn quantiles(&self) -> Quantiles {
        let ms = |us: u64| us as f64 / 1000.0;
        Quantiles {
            count: self.0.len(),
            p50_ms: ms(self.0.value_at_quantile(0.5)),
            p90_ms: ms(self.0.value_at_quantile(0.9)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            p999_ms: ms(self.0.value_at_quantile(0.999)),
            max_ms: ms(self.0.max()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Latencies {
    /// To the instant at which it was handed to the connection.
    pub send_lag: Quantiles,
    /// To the answer (HTTP: committed) or the broker's acknowledgement (Kafka: stored).
    pub answer: Quantiles,
    /// To the receipt of the first decision that names it as its cause.
    pub decision: Quantiles,
    /// To the receipt of the assignment that it led to: arrival in, agent known.
    pub end_to_end: Quantiles,
}

impl Latencies {
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "latency from the intended instant, ms    p50      p90      p99    p99.9      max    count")?;
        for (name, q) in [
            ("send lag", self.send_lag),
            ("answer", self.answer),
            ("decision", self.decision),
            ("end to end", self.end_to_end),
        ] {
            let Quantiles { count, p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = q;
            writeln!(
                out,
                "{name:<34} {p50_ms:>9.2} {p90_ms:>8.2} {p99_ms:>8.2} {p999_ms:>8.2} {max_ms:>8.2} {count:>8}"
            )?;
        }
        Ok(())
    }
}
