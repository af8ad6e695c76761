//! Business time: a calendar's openings as plain numbers, and the questions that clocks ask of them (routing.md §7).
//!
//! Zones, weeks and holidays are not here: they are expanded at the edge and come as UTC openings, so that recovery
//! needs no time-zone database. What no opening covers is closed, and so is all that lies behind `until`, which is not
//! known yet: renewing in time is the caller's task. A question costs two binary searches; no number makes one panic.

use crate::wire::wire_struct;
use alloc::vec::Vec;

/// Openings that ended longer ago than this are forgotten: twice what an expansion looks ahead.
pub const KEPT_MS: u64 = 800 * 86_400_000;

/// Openings before a renewal that are kept at most, the newest: what two years of a calendar at its limits come to.
pub const KEPT_MAX: usize = 8_192;

wire_struct! {
    /// Open from `from` until before `to`, in milliseconds UTC.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Opening {
        pub from: u64,
        pub to: u64,
    }
}

/// The openings of a calendar: sorted, none empty, no two overlap or touch, none passes `until`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Openings {
    list: Vec<Opening>,
    /// The milliseconds of all openings up to the end of the one at the same index.
    open_ms: Vec<u64>,
    until: u64,
}

impl Openings {
    /// From openings in any order, which may overlap or be empty; what passes `until` is cut off.
    pub fn new(until: u64, openings: &[Opening]) -> Openings {
        let list = normalised(openings.iter().map(|opening| within(*opening, 0, until)));
        Openings { open_ms: running_sums(&list), list, until }
    }

    /// The end of what is known.
    pub fn until(&self) -> u64 {
        self.until
    }

    pub fn list(&self) -> &[Opening] {
        &self.list
    }

    /// What these were before `from`, and from there on what `openings` says; clocks that run ask about the past too.
    pub fn renewed(&self, from: u64, until: u64, openings: &[Opening]) -> Openings {
        let past = self.kept_before(from).iter().map(|opening| within(*opening, 0, from));
        let future = openings.iter().map(|opening| within(*opening, from, until));
        let list = normalised(past.chain(future));
        Openings { open_ms: running_sums(&list), list, until }
    }

    /// Those that began before `from`, without what is too long ago or too many: any row of renewals stays bounded.
    fn kept_before(&self, from: u64) -> &[Opening] {
        let begun = self.list.partition_point(|opening| opening.from < from);
        let forgotten = self.list.partition_point(|opening| opening.to < from.saturating_sub(KEPT_MS));
        &self.list[forgotten.max(begun.saturating_sub(KEPT_MAX))..begun]
    }

    pub fn is_open(&self, at: u64) -> bool {
        self.around(at).is_some()
    }

    /// The first instant after `after` at which `is_open` changes.
    pub fn next_change(&self, after: u64) -> Option<u64> {
        match self.around(after) {
            Some(opening) => Some(opening.to),
            None => self.opening_after(after),
        }
    }

    /// The first instant from `at` on that is open.
    pub fn next_opening(&self, at: u64) -> Option<u64> {
        if self.is_open(at) { Some(at) } else { self.opening_after(at) }
    }

    /// Milliseconds inside openings from `from` to `to`; 0 where `to` is not later.
    pub fn business_between(&self, from: u64, to: u64) -> u64 {
        self.open_ms_until(to).saturating_sub(self.open_ms_until(from))
    }

    /// The earliest instant from `from` on at which `business_ms` have gone by; it may be a closing.
    /// None where the known openings do not last so long.
    pub fn reached(&self, from: u64, business_ms: u64) -> Option<u64> {
        if business_ms == 0 {
            return Some(from);
        }
        let wanted = self.open_ms_until(from).checked_add(business_ms)?;
        let at = self.open_ms.partition_point(|sum| *sum < wanted);
        // The sum at its end is at least `wanted`, so this is at or before the opening's end.
        self.list.get(at).map(|opening| opening.from + (wanted - self.open_ms_before(at)))
    }

    /// The earliest instant from `from` on at which more than `business_ms` have gone by: a millisecond after
    /// `reached`, or after the next opening.
    pub fn passed(&self, from: u64, business_ms: u64) -> Option<u64> {
        self.reached(from, business_ms.checked_add(1)?)
    }

    /// How many openings begin at or before `at`.
    fn begun(&self, at: u64) -> usize {
        self.list.partition_point(|opening| opening.from <= at)
    }

    fn around(&self, at: u64) -> Option<&Opening> {
        let last = self.begun(at).checked_sub(1)?;
        self.list.get(last).filter(|opening| at < opening.to)
    }

    fn opening_after(&self, after: u64) -> Option<u64> {
        self.list.get(self.begun(after)).map(|opening| opening.from)
    }

    fn open_ms_before(&self, index: usize) -> u64 {
        index.checked_sub(1).map_or(0, |before| self.open_ms[before])
    }

    /// Milliseconds inside openings before `at`, since the first.
    fn open_ms_until(&self, at: u64) -> u64 {
        let Some(last) = self.begun(at).checked_sub(1) else { return 0 };
        let opening = self.list[last];
        self.open_ms_before(last) + (at.min(opening.to) - opening.from)
    }
}

/// `Openings::business_between`; without a calendar every moment is open.
pub fn business_between(calendar: Option<&Openings>, from: u64, to: u64) -> u64 {
    match calendar {
        Some(openings) => openings.business_between(from, to),
        None => to.saturating_sub(from),
    }
}

/// `Openings::reached`; without a calendar every moment is open.
pub fn reached(calendar: Option<&Openings>, from: u64, business_ms: u64) -> Option<u64> {
    match calendar {
        Some(openings) => openings.reached(from, business_ms),
        None => from.checked_add(business_ms),
    }
}

/// `Openings::passed`; without a calendar every moment is open.
pub fn passed(calendar: Option<&Openings>, from: u64, business_ms: u64) -> Option<u64> {
    match calendar {
        Some(openings) => openings.passed(from, business_ms),
        None => from.checked_add(business_ms)?.checked_add(1),
    }
}

/// The part of an opening inside [from, until); empty where there is none.
fn within(opening: Opening, from: u64, until: u64) -> Opening {
    Opening { from: opening.from.max(from), to: opening.to.min(until) }
}

/// Sorted, without the empty ones, with those in one that overlap or touch.
fn normalised(openings: impl Iterator<Item = Opening>) -> Vec<Opening> {
    let mut sorted: Vec<Opening> = openings.filter(|opening| opening.from < opening.to).collect();
    sorted.sort_unstable_by_key(|opening| opening.from);
    let mut list: Vec<Opening> = Vec::with_capacity(sorted.len());
    for opening in sorted {
        match list.last_mut() {
            Some(last) if opening.from <= last.to => last.to = last.to.max(opening.to),
            _ => list.push(opening),
        }
    }
    list
}

/// Cannot overflow: the openings are disjoint parts of the u64 range.
fn running_sums(list: &[Opening]) -> Vec<u64> {
    let add = |sum: &mut u64, opening: &Opening| {
        *sum += opening.to - opening.from;
        Some(*sum)
    };
    list.iter().scan(0, add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;

    fn openings(pairs: &[(u64, u64)]) -> Openings {
        Openings::new(u64::MAX, &of_pairs(pairs))
    }

    fn of_pairs(pairs: &[(u64, u64)]) -> Vec<Opening> {
        pairs.iter().map(|&(from, to)| Opening { from, to }).collect()
    }

    /// 09:00-17:00 on the first two days, closed on the third, open again on the fourth.
    fn office() -> Openings {
        let day = |n: u64| (n * DAY + 9 * HOUR, n * DAY + 17 * HOUR);
        openings(&[day(0), day(1), day(3)])
    }

    #[test]
    fn openings_are_sorted_merged_and_never_empty_or_behind_the_known_end() {
        let made =
            Openings::new(100, &of_pairs(&[(50, 60), (10, 20), (20, 30), (25, 28), (40, 40), (45, 41), (90, 200)]));
        assert_eq!(made.list(), of_pairs(&[(10, 30), (50, 60), (90, 100)]));
        assert_eq!(made.until(), 100);
        assert_eq!(Openings::new(10, &of_pairs(&[(10, 20), (u64::MAX, 0)])), Openings::new(10, &[]));
    }

    #[test]
    fn an_opening_has_its_first_instant_and_not_its_last() {
        let made = openings(&[(10, 20)]);
        assert_eq!([9, 10, 19, 20].map(|at| made.is_open(at)), [false, true, true, false]);
    }

    #[test]
    fn changes_are_later_than_the_instant_asked_about() {
        let made = openings(&[(10, 20), (30, 40)]);
        let changes = [0, 9, 10, 19, 20, 29, 30, 39, 40].map(|at| made.next_change(at));
        let expected = [10, 10, 20, 20, 30, 30, 40, 40].map(Some);
        assert_eq!(changes[..8], expected);
        assert_eq!(changes[8], None);
    }

    #[test]
    fn the_next_opening_is_now_where_it_is_open() {
        let made = openings(&[(10, 20), (30, 40)]);
        let next = [0, 10, 19, 20, 39, 40].map(|at| made.next_opening(at));
        assert_eq!(next, [Some(10), Some(10), Some(19), Some(30), Some(39), None]);
    }

    #[test]
    fn business_time_is_what_lies_inside_openings() {
        let office = office();
        assert_eq!(office.business_between(0, DAY), 8 * HOUR);
        assert_eq!(office.business_between(16 * HOUR, DAY + 10 * HOUR), 2 * HOUR, "over a night");
        assert_eq!(office.business_between(DAY + 17 * HOUR, 3 * DAY + 9 * HOUR), 0, "over a holiday");
        assert_eq!(office.business_between(9 * HOUR, 9 * HOUR + 1), 1, "from the first millisecond");
        assert_eq!(office.business_between(17 * HOUR - 1, DAY), 1, "to the last");
        assert_eq!(office.business_between(10 * HOUR, 10 * HOUR), 0);
        assert_eq!(office.business_between(DAY, 0), 0, "backwards");
        assert_eq!(office.business_between(0, u64::MAX), 24 * HOUR);
    }

    #[test]
    fn due_may_be_a_closing_and_the_breach_is_a_millisecond_after_the_next_opening() {
        let office = office();
        assert_eq!(office.reached(9 * HOUR, 8 * HOUR), Some(17 * HOUR));
        assert_eq!(office.passed(9 * HOUR, 8 * HOUR), Some(DAY + 9 * HOUR + 1));
    }

    #[test]
    fn inside_an_opening_the_breach_is_a_millisecond_after_due() {
        let office = office();
        assert_eq!(office.reached(9 * HOUR, HOUR), Some(10 * HOUR));
        assert_eq!(office.passed(9 * HOUR, HOUR), Some(10 * HOUR + 1));
        assert_eq!(
            office.passed(9 * HOUR, 8 * HOUR - 1),
            Some(17 * HOUR),
            "the last millisecond is over at the closing"
        );
    }

    #[test]
    fn a_start_while_closed_counts_from_the_next_opening() {
        let office = office();
        assert_eq!(office.reached(20 * HOUR, 1), Some(DAY + 9 * HOUR + 1));
        assert_eq!(office.reached(17 * HOUR, HOUR), Some(DAY + 10 * HOUR), "exactly at a closing");
        assert_eq!(office.reached(DAY + 9 * HOUR, HOUR), Some(DAY + 10 * HOUR), "exactly at an opening");
        assert_eq!(office.reached(20 * HOUR, 0), Some(20 * HOUR), "nothing is reached at once");
        assert_eq!(office.passed(20 * HOUR, 0), Some(DAY + 9 * HOUR + 1));
    }

    #[test]
    fn one_opening_across_midnight_is_one() {
        let night = openings(&[(22 * HOUR, DAY), (DAY, DAY + 6 * HOUR)]);
        assert_eq!(night.list().len(), 1);
        assert_eq!(night.next_change(23 * HOUR), Some(DAY + 6 * HOUR));
        assert_eq!(night.reached(23 * HOUR, 3 * HOUR), Some(DAY + 2 * HOUR));
    }

    #[test]
    fn what_the_known_openings_do_not_hold_is_never_reached() {
        let made = openings(&[(10, 20)]);
        assert_eq!(made.reached(10, 10), Some(20));
        assert_eq!(made.reached(10, 11), None);
        assert_eq!(made.passed(10, 10), None);
        assert_eq!(made.reached(0, u64::MAX), None);
        assert_eq!(made.reached(15, u64::MAX), None);
        assert_eq!(made.passed(0, u64::MAX), None);
    }

    #[test]
    fn nothing_open_answers_everything() {
        let empty = Openings::default();
        for at in [0, 1, u64::MAX] {
            assert!(!empty.is_open(at));
            assert_eq!((empty.next_change(at), empty.next_opening(at)), (None, None));
            assert_eq!(empty.business_between(0, at), 0);
            assert_eq!((empty.reached(at, 0), empty.reached(at, 1), empty.passed(at, 0)), (Some(at), None, None));
        }
    }

    #[test]
    fn the_largest_numbers_are_ordinary_ones() {
        let all = openings(&[(0, u64::MAX)]);
        assert_eq!(all.business_between(0, u64::MAX), u64::MAX);
        assert_eq!(all.reached(0, u64::MAX), Some(u64::MAX));
        assert_eq!(all.passed(0, u64::MAX), None);
        assert_eq!(all.passed(0, u64::MAX - 1), Some(u64::MAX));
        assert_eq!(all.reached(1, u64::MAX), None);
        assert_eq!((all.is_open(u64::MAX), all.is_open(u64::MAX - 1)), (false, true));
        assert_eq!(all.next_change(0), Some(u64::MAX));
        assert_eq!(all.next_change(u64::MAX), None);
    }

    #[test]
    fn without_a_calendar_time_is_wall_time() {
        assert_eq!(business_between(None, 5, 12), 7);
        assert_eq!(business_between(None, 12, 5), 0);
        assert_eq!((reached(None, 5, 7), passed(None, 5, 7)), (Some(12), Some(13)));
        assert_eq!((reached(None, 1, u64::MAX), passed(None, 0, u64::MAX)), (None, None));
        let office = office();
        assert_eq!(business_between(Some(&office), 0, DAY), office.business_between(0, DAY));
        assert_eq!(reached(Some(&office), 0, HOUR), office.reached(0, HOUR));
        assert_eq!(passed(Some(&office), 0, HOUR), office.passed(0, HOUR));
    }

    #[test]
    fn a_renewal_keeps_the_past_and_takes_the_future() {
        let old = Openings::new(100, &of_pairs(&[(10, 20), (30, 50), (60, 70)]));
        let new = old.renewed(40, 200, &of_pairs(&[(15, 18), (35, 45), (120, 130), (190, 210)]));
        assert_eq!(new.list(), of_pairs(&[(10, 20), (30, 45), (120, 130), (190, 200)]));
        assert_eq!(new.until(), 200);
        assert_eq!(old.renewed(40, 40, &[]).list(), of_pairs(&[(10, 20), (30, 40)]));
        assert_eq!(Openings::default().renewed(0, 9, &of_pairs(&[(1, 2)])), Openings::new(9, &of_pairs(&[(1, 2)])));
    }

    #[test]
    fn a_renewal_forgets_what_ended_long_ago() {
        let old = openings(&[(1, 9), (1, 10), (20, 30)]);
        let (kept, forgotten) = (old.renewed(KEPT_MS + 10, u64::MAX, &[]), old.renewed(KEPT_MS + 11, u64::MAX, &[]));
        assert_eq!(kept.list(), of_pairs(&[(1, 10), (20, 30)]));
        assert_eq!(forgotten.list(), of_pairs(&[(20, 30)]));
    }

    #[test]
    fn renewals_keep_a_bounded_list_and_lose_the_oldest() {
        let many: Vec<Opening> = (0..KEPT_MAX as u64 + 5).map(|i| Opening { from: 2 * i, to: 2 * i + 1 }).collect();
        let from = 2 * many.len() as u64;
        let new = Openings::new(u64::MAX, &many).renewed(from, u64::MAX, &[Opening { from, to: from + 1 }]);
        assert_eq!(new.list().len(), KEPT_MAX + 1);
        assert_eq!(new.list()[0], many[5]);
    }

    #[test]
    fn an_opening_reads_as_it_was_written() {
        use crate::wire::{Reader, Wire};
        let mut bytes = vec![];
        let opening = Opening { from: 7, to: u64::MAX };
        opening.put(&mut bytes);
        assert_eq!(Opening::take(&mut Reader::new(&bytes)), Ok(opening));
    }

    /// xorshift64*: the tests of this crate need no more.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
        }
    }

    /// The same questions, answered by looking at every millisecond of a short world.
    struct Walk(Vec<bool>);

    impl Walk {
        fn new(until: u64, openings: &[Opening]) -> Walk {
            let open = |at: &u64| openings.iter().any(|o| o.from <= *at && *at < o.to);
            Walk((0..until).map(|at| open(&at)).chain([false]).collect())
        }

        fn is_open(&self, at: u64) -> bool {
            self.0.get(at as usize).copied().unwrap_or(false)
        }

        fn first_from(&self, from: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
            (from..self.0.len() as u64).find(|at| holds(*at))
        }

        fn business_between(&self, from: u64, to: u64) -> u64 {
            (from..to).filter(|at| self.is_open(*at)).count() as u64
        }
    }

    #[test]
    fn every_answer_is_that_of_a_walk_over_the_milliseconds() {
        for seed in 1..=400 {
            let mut random = Random(seed);
            let mut opening = || {
                let from = random.below(60);
                Opening { from, to: from + random.below(12) }
            };
            let given: Vec<Opening> = (0..seed % 9).map(|_| opening()).collect();
            let (made, walk) = (Openings::new(64, &given), Walk::new(64, &given));
            for _ in 0..60 {
                let (a, b, ms) = (random.below(66), random.below(66), random.below(30));
                compare(&made, &walk, a, b, ms, seed);
            }
        }
    }

    fn compare(made: &Openings, walk: &Walk, a: u64, b: u64, ms: u64, seed: u64) {
        let case = (seed, a, b, ms);
        assert_eq!(made.is_open(a), walk.is_open(a), "{case:?}");
        assert_eq!(made.next_change(a), walk.first_from(a + 1, |at| walk.is_open(at) != walk.is_open(a)), "{case:?}");
        assert_eq!(made.next_opening(a), walk.first_from(a, |at| walk.is_open(at)), "{case:?}");
        assert_eq!(made.business_between(a, b), walk.business_between(a, b), "{case:?}");
        let due = if ms == 0 { Some(a) } else { walk.first_from(a, |at| walk.business_between(a, at) == ms) };
        assert_eq!(made.reached(a, ms), due, "{case:?}");
        assert_eq!(made.passed(a, ms), walk.first_from(a, |at| walk.business_between(a, at) > ms), "{case:?}");
    }
}
