//! Reports over a range of time: counts of queues and of agents in intervals of a quarter of an hour of engine time.
//!
//! A report is about the past and a counter about this process, so recovery fills these too. Entries into a queue, their
//! exits and verdicts belong to the interval of the entry; work, replies and resolutions to the one in which they were done,
//! credited to who did it. The last eight days are kept, fewer where so many queues and agents are busy that the bound is
//! reached.

use super::tallies::AgentIndex;
use load_tests::service_level::{Counts, Spans};
use std::collections::{BTreeMap, HashMap};

pub const INTERVAL_MS: u64 = 900_000;
/// Eight days of them.
const KEPT: u64 = 8 * 96;
/// (queue or agent, interval) pairs of a workspace: at most some 100 MB, where all are queues.
const CELLS_MAX: usize = 200_000;

/// A queue by the name that the policy gives it.
pub(super) type QueueIndex = u32;

/// What an agent did in a range of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentCounts {
    /// Conversations that became his.
    pub assigned: u64,
    /// Conversations that he had and has no more.
    pub handled: u64,
    /// Answers of his that a response clock was running for.
    pub replied: u64,
    pub resolved: u64,
    /// Units held by work and wrap-up, times milliseconds, and units that he had to give while online or finishing.
    pub held_unit_ms: u64,
    pub online_unit_ms: u64,
    /// Turns that he answered.
    pub turns: Spans,
}

impl AgentCounts {
    fn add(&mut self, other: &AgentCounts) {
        self.assigned += other.assigned;
        self.handled += other.handled;
        self.replied += other.replied;
        self.resolved += other.resolved;
        self.held_unit_ms += other.held_unit_ms;
        self.online_unit_ms += other.online_unit_ms;
        self.turns += other.turns;
    }
}

/// Whole intervals: from the beginning of the first up to before the end of the last, ms UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

impl Range {
    /// The intervals that this range touches.
    pub fn around(from: u64, to: u64) -> Range {
        Range { from: from / INTERVAL_MS * INTERVAL_MS, to: to.div_ceil(INTERVAL_MS).saturating_mul(INTERVAL_MS) }
    }

    /// From midnight UTC on.
    pub fn today(now: u64) -> Range {
        const DAY_MS: u64 = 86_400_000;
        Range::around(now / DAY_MS * DAY_MS, now + 1)
    }
}

#[derive(Default)]
struct Interval {
    queues: HashMap<QueueIndex, Counts>,
    agents: HashMap<AgentIndex, AgentCounts>,
}

#[derive(Default)]
pub(super) struct Intervals {
    index: HashMap<Box<str>, QueueIndex>,
    names: Vec<Box<str>>,
    /// By number: time / `INTERVAL_MS`.
    kept: BTreeMap<u64, Interval>,
    cells: usize,
    newest: u64,
    /// Number of the first one that is whole.
    first: u64,
}

impl Intervals {
    pub(super) fn index(&mut self, queue: &str) -> QueueIndex {
        if let Some(found) = self.index.get(queue) {
            return *found;
        }
        let at = self.names.len() as QueueIndex;
        self.names.push(queue.into());
        self.index.insert(queue.into(), at);
        at
    }

    pub(super) fn name(&self, queue: QueueIndex) -> &str {
        &self.names[queue as usize]
    }

    /// Changes a queue's counts in the interval of this time.
    pub(super) fn queue(&mut self, at_ms: u64, queue: QueueIndex, change: impl FnOnce(&mut Counts)) {
        let Some(interval) = self.interval(at_ms) else { return };
        let before = interval.queues.len();
        change(interval.queues.entry(queue).or_default());
        let added = interval.queues.len() - before;
        self.grown(added);
    }

    pub(super) fn agent(&mut self, at_ms: u64, agent: AgentIndex, change: impl FnOnce(&mut AgentCounts)) {
        let Some(interval) = self.interval(at_ms) else { return };
        let before = interval.agents.len();
        change(interval.agents.entry(agent).or_default());
        let added = interval.agents.len() - before;
        self.grown(added);
    }

    /// An agent's units over a stretch of time in which they were the same.
    pub(super) fn units(&mut self, agent: AgentIndex, from: u64, to: u64, held: u64, online: u64) {
        if held == 0 && online == 0 {
            return;
        }
        let mut at = from.max((to / INTERVAL_MS).saturating_sub(KEPT) * INTERVAL_MS);
        while at < to {
            let end = to.min((at / INTERVAL_MS + 1) * INTERVAL_MS);
            let passed_ms = end - at;
            self.agent(at, agent, |counts| {
                counts.held_unit_ms += held * passed_ms;
                counts.online_unit_ms += online * passed_ms;
            });
            at = end;
        }
    }

    /// None: it is forgotten already.
    fn interval(&mut self, at_ms: u64) -> Option<&mut Interval> {
        let number = at_ms / INTERVAL_MS;
        if number > self.newest {
            self.newest = number;
            self.forget_before((number + 1).saturating_sub(KEPT));
        }
        (number >= self.first).then(|| self.kept.entry(number).or_default())
    }

    fn grown(&mut self, cells: usize) {
        self.cells += cells;
        while self.cells > CELLS_MAX && self.kept.len() > 1 {
            let Some(oldest) = self.kept.keys().next().copied() else { return };
            self.forget_before(oldest + 1);
        }
    }

    fn forget_before(&mut self, number: u64) {
        self.first = self.first.max(number);
        while let Some(oldest) = self.kept.first_entry().filter(|oldest| *oldest.key() < number) {
            let forgotten = oldest.remove();
            self.cells -= forgotten.queues.len() + forgotten.agents.len();
        }
    }

    /// From when on nothing is forgotten, ms UTC.
    pub(super) fn known_from(&self) -> u64 {
        self.first * INTERVAL_MS
    }

    fn within(&self, range: Range) -> impl Iterator<Item = &Interval> {
        let (from, to) = (range.from / INTERVAL_MS, range.to / INTERVAL_MS);
        self.kept.range(from..to.max(from)).map(|(_, interval)| interval)
    }

    pub(super) fn queues(&self, range: Range) -> HashMap<&str, Counts> {
        let mut sums: HashMap<&str, Counts> = HashMap::new();
        for (queue, counts) in self.within(range).flat_map(|interval| &interval.queues) {
            *sums.entry(self.name(*queue)).or_default() += *counts;
        }
        sums
    }

    pub(super) fn agents(&self, range: Range) -> HashMap<AgentIndex, AgentCounts> {
        let mut sums: HashMap<AgentIndex, AgentCounts> = HashMap::new();
        for (agent, counts) in self.within(range).flat_map(|interval| &interval.agents) {
            sums.entry(*agent).or_default().add(counts);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    #[test]
    fn a_stretch_of_units_is_cut_at_the_quarters() {
        let mut intervals = Intervals::default();
        intervals.units(7, INTERVAL_MS - 100, 2 * INTERVAL_MS + 50, 2, 3);
        let held = |range| intervals.agents(range).get(&7).map_or((0, 0), |c| (c.held_unit_ms, c.online_unit_ms));
        let of = |n: u64| held(Range { from: n * INTERVAL_MS, to: (n + 1) * INTERVAL_MS });
        assert_eq!((of(0), of(1), of(2), of(3)), ((200, 300), (2 * INTERVAL_MS, 3 * INTERVAL_MS), (100, 150), (0, 0)));
    }

    #[test]
    fn eight_days_are_kept_and_what_is_older_is_left_out() {
        let mut intervals = Intervals::default();
        let queue = intervals.index("q");
        for day in 1..=20 {
            intervals.queue(day * DAY_MS, queue, |counts| counts.entries += 1);
        }
        // Of the forgotten days nothing comes back.
        intervals.queue(DAY_MS, queue, |counts| counts.late += 1);
        let all = intervals.queues(Range { from: 0, to: u64::MAX / 2 })["q"];
        assert_eq!((all.entries, all.late), (8, 0));
        assert_eq!(intervals.known_from(), 12 * DAY_MS + INTERVAL_MS);
        assert_eq!(intervals.cells, 8);
    }

    #[test]
    fn where_too_many_are_busy_fewer_intervals_are_kept() {
        let mut intervals = Intervals::default();
        let per_interval = CELLS_MAX as u32 / 4;
        for quarter in 1..=10 {
            for agent in 0..per_interval {
                intervals.agent(quarter * INTERVAL_MS, agent, |counts| counts.assigned += 1);
            }
        }
        assert_eq!((intervals.cells, intervals.known_from()), (CELLS_MAX, 7 * INTERVAL_MS));
        assert_eq!(intervals.agents(Range { from: 0, to: DAY_MS })[&0].assigned, 4);
    }

    #[test]
    fn a_range_is_widened_to_whole_quarters_and_today_begins_at_midnight() {
        assert_eq!(Range::around(INTERVAL_MS + 1, INTERVAL_MS + 2), Range { from: INTERVAL_MS, to: 2 * INTERVAL_MS });
        assert_eq!(Range::around(0, INTERVAL_MS), Range { from: 0, to: INTERVAL_MS });
        let today = Range::today(3 * DAY_MS + 5);
        assert_eq!((today.from, today.to), (3 * DAY_MS, 3 * DAY_MS + INTERVAL_MS));
    }
}
