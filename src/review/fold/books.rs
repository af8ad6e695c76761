//! What a review counts in: names, groups, agents, closed queues, and lists that keep only their first.

use super::{KINDS, Range, WAIT_BOUNDS_S};
use crate::review::figures::{Group, LISTED_MAX, Listed, Offers};
use load_tests::service_level::{Compliance, Counts, Spans};
use std::collections::HashMap;

/// Names by number, in the order in which they came.
#[derive(Default)]
pub(super) struct Names {
    index: HashMap<Box<str>, u32>,
    pub(super) names: Vec<Box<str>>,
}

impl Names {
    pub(super) fn at(&mut self, name: &str) -> u32 {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        let at = self.names.len() as u32;
        self.names.push(name.into());
        self.index.insert(name.into(), at);
        at
    }

    pub(super) fn name(&self, at: u32) -> &str {
        &self.names[at as usize]
    }
}

/// Counts by name.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) names: Names,
    pub(super) counts: HashMap<u32, Counts>,
}

impl Groups {
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> =
            self.counts.iter().map(|(at, counts)| Group::of(self.names.name(*at), counts)).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        groups
    }
}

/// The highest ranks of all that were pushed; of equal ones the earlier first.
pub(super) struct Top<T> {
    pub(super) total: u64,
    kept: Vec<(u64, T)>,
}

impl<T> Default for Top<T> {
    fn default() -> Top<T> {
        Top { total: 0, kept: Vec::new() }
    }
}

impl<T> Top<T> {
    pub(super) fn push(&mut self, rank: u64, item: T) {
        self.total += 1;
        let at = self.kept.partition_point(|(other, _)| *other >= rank);
        if at < LISTED_MAX {
            self.kept.insert(at, (rank, item));
            self.kept.truncate(LISTED_MAX);
        }
    }

    pub(super) fn listed(self) -> Listed<T> {
        let more = self.total - self.kept.len() as u64;
        Listed { total: self.total, more, shown: self.kept.into_iter().map(|(_, item)| item).collect() }
    }
}

#[derive(Default)]
pub(super) struct Agent {
    pub(super) team: Box<str>,
    pub(super) online_since: Option<u64>,
    pub(super) online_ms: u64,
    pub(super) assigned: u64,
    pub(super) answered_in_time: u64,
    pub(super) answered_late: u64,
    pub(super) handled: u64,
    pub(super) work_ms: u64,
    pub(super) resolved: u64,
    pub(super) replied: u64,
    pub(super) turns: Spans,
    pub(super) clocks: [Compliance; KINDS],
    pub(super) offers: Offers,
    pub(super) handovers: u64,
    pub(super) handovers_without_note: u64,
    pub(super) collisions: u64,
}

/// A queue that is closed.
#[derive(Clone, Copy)]
pub(super) struct Shut {
    pub(super) since: u64,
    pub(super) by_emergency: bool,
}

#[derive(Default)]
pub(super) struct Closings {
    pub(super) closed_ms: u64,
    pub(super) emergency_ms: u64,
    pub(super) closings: u64,
    pub(super) now: Option<Shut>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct WaitCounts {
    pub(super) answered: [u64; WAIT_BOUNDS_S.len() + 1],
    pub(super) abandoned: [u64; WAIT_BOUNDS_S.len() + 1],
}

/// What the policy of the range asks of a queue.
pub(super) struct Goal {
    pub(super) permille: u16,
    pub(super) service_level_ms: u64,
}

impl Closings {
    pub(super) fn count(&mut self, shut: Shut, range: Range, now: u64) {
        let closed_ms = range.part_of(shut.since, now);
        self.closed_ms += closed_ms;
        self.emergency_ms += if shut.by_emergency { closed_ms } else { 0 };
    }
}
