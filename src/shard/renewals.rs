//! Renewals of leases that changed nothing, on Kafka: they cost no record, but their offsets have to be passed in time.

use std::time::{Duration, Instant};

/// So long they wait for a record that goes past them; then one is appended for them alone (routing.md §3).
const WAIT_MAX: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Renewals {
    /// The next input after the last of them, and when the first of them came.
    waiting: Option<(u64, Instant)>,
}

impl Renewals {
    pub fn taken(&mut self, offset: u64) {
        let since = self.waiting.map_or_else(Instant::now, |(_, since)| since);
        self.waiting = Some((offset + 1, since));
    }

    /// A record that goes on from `to` is on its way: those before it wait no more.
    pub fn passed(&mut self, to: u64) {
        self.waiting.take_if(|(offset, _)| *offset <= to);
    }

    /// The `next_input` to record, if it is time. `recorded` is the one that is committed.
    pub fn due(&mut self, recorded: u64) -> Option<u64> {
        self.waiting.take_if(|(to, _)| *to <= recorded);
        self.waiting.filter(|(_, since)| since.elapsed() >= WAIT_MAX).map(|(to, _)| to)
    }

    pub fn due_in(&self) -> Option<Duration> {
        self.waiting.map(|(_, since)| WAIT_MAX.saturating_sub(since.elapsed()).max(Duration::from_millis(1)))
    }
}
