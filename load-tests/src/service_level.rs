//! The formulas of service levels and rates (routing.md §8), in one place: what the player reports, what HTTP answers and
//! what the README explains are these functions of the same counts.
//!
//! A contact is judged once for each entry into a queue, its wait counted from that entry, against the queue's threshold
//! T. In time is `wait <= T`. Five figures have the name *service level* in the field, and differ by what becomes of
//! abandoned contacts; the names here are those of the reports. All are shares from 0 to 1, and none where there is
//! nothing to divide by.
//!
//! Sources: R. Cooper, *Introduction to Queueing Theory*, 1981, and N. Gans, G. Koole, A. Mandelbaum, *Telephone Call
//! Centers: Tutorial, Review, and Research Prospects*, 2003 (ASA, abandonment, the telephone service factor); the four
//! ways of counting abandoned calls are those that the large platforms let one choose from.

use serde::Serialize;
use std::ops::AddAssign;

/// Entries into queues and what came of them, of one queue, tier, or all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub entries: u64,
    /// Answered with a wait of at most T, and later.
    pub answered_in_time: u64,
    pub answered_late: u64,
    /// Left by themselves after at most T, and later; without the short ones.
    pub abandoned_in_time: u64,
    pub abandoned_late: u64,
    /// T passed while they waited, whatever followed: answered late, abandoned late, sent on, or waiting still.
    pub late: u64,
    pub excluded: Excluded,
    /// Waits of the answered ones, from their entry.
    pub answered_wait_ms: u64,
    /// Times that somebody had a conversation and has it no more, for how long, and the wrap-ups after it.
    pub handled: u64,
    pub work_ms: u64,
    pub wrap_up_ms: u64,
    /// Turns: from the oldest unanswered message of a customer to a person's answer.
    pub turns: Spans,
    pub first_response: Compliance,
    pub next_response: Compliance,
    pub resolution: Compliance,
    pub queue_wait: Compliance,
    pub reply_window: Compliance,
    /// From the first message to the first resolve, and to the last one as far as it is known.
    pub first_resolution: Spans,
    pub final_resolution: Spans,
}

/// Entries outside the service level, by why. Those that are sent on or away are excluded while T has not passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Excluded {
    pub short_abandoned: u64,
    pub deflected: u64,
    pub overflowed: u64,
    pub transferred: u64,
    pub closed: u64,
}

impl Excluded {
    pub fn sum(&self) -> u64 {
        self.short_abandoned + self.deflected + self.overflowed + self.transferred + self.closed
    }
}

/// How long something took, nothing subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    pub count: u64,
    pub ms: u64,
}

impl Spans {
    pub fn add(&mut self, ms: u64) {
        self.count += 1;
        self.ms += ms;
    }

    /// One that turned out not to be one.
    pub fn take_back(&mut self, ms: u64) {
        self.count = self.count.saturating_sub(1);
        self.ms = self.ms.saturating_sub(ms);
    }

    pub fn mean_s(&self) -> Option<f64> {
        seconds(self.ms, self.count)
    }
}

/// How long something took, in both meanings: nothing subtracted, and what counts for a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    pub count: u64,
    pub wall_ms: u64,
    pub business_ms: u64,
}

impl Durations {
    pub fn add(&mut self, wall_ms: u64, business_ms: u64) {
        self.count += 1;
        self.wall_ms += wall_ms;
        self.business_ms += business_ms;
    }

    /// Mean of the everyday meaning, seconds.
    pub fn mean_wall_s(&self) -> Option<f64> {
        seconds(self.wall_ms, self.count)
    }

    pub fn mean_business_s(&self) -> Option<f64> {
        seconds(self.business_ms, self.count)
    }
}

/// What became of clocks of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compliance {
    pub met: u64,
    pub missed: u64,
    /// Ended without what they measure: outside averages and compliance.
    pub cancelled: u64,
    /// Of those met and missed.
    pub took: Durations,
}

impl Compliance {
    /// SLA compliance = met / (met + missed).
    ///
    /// Cancelled clocks are left out.
    pub fn share(&self) -> Option<f64> {
        ratio(self.met, self.met + self.missed)
    }
}

impl Counts {
    pub fn answered(&self) -> u64 {
        self.answered_in_time + self.answered_late
    }

    /// Without short abandons.
    pub fn abandoned(&self) -> u64 {
        self.abandoned_in_time + self.abandoned_late
    }

    /// SL = within / (within + late + abandoned): `within` is answered in time, `abandoned` those that left before T had
    /// passed, `late` all for whom T passed while they waited, whatever followed (routing.md §8).
    ///
    /// Excluded are short abandons and what was deflected, overflowed, transferred or closed before T had passed. So a
    /// queue with nobody online has 0 and not none, as soon as T has passed once.
    pub fn service_level(&self) -> Option<f64> {
        ratio(self.answered_in_time, self.answered_in_time + self.late + self.abandoned_in_time)
    }

    /// Answered in time / answered: abandoned contacts are left out. The highest of the five.
    pub fn of_answered(&self) -> Option<f64> {
        ratio(self.answered_in_time, self.answered())
    }

    /// (answered <= T + abandoned <= T) / (answered + abandoned): who left in time counts as served in time.
    ///
    /// Excluded are short abandons, and what was neither answered nor abandoned.
    pub fn sl2(&self) -> Option<f64> {
        ratio(self.answered_in_time + self.abandoned_in_time, self.answered() + self.abandoned())
    }

    /// Answered <= T / arrivals, the lowest of the five: all entries count, those sent on or away and those that wait
    /// still among them. Only short abandons are left out.
    pub fn of_arrivals(&self) -> Option<f64> {
        ratio(self.answered_in_time, self.entries.saturating_sub(self.excluded.short_abandoned))
    }

    /// Answered <= T / (answered + abandoned > T): who left in time is left out.
    pub fn without_early_abandons(&self) -> Option<f64> {
        ratio(self.answered_in_time, self.answered() + self.abandoned_late)
    }

    /// Average speed of answer: mean wait of the answered ones only, from their entry into the queue; seconds.
    pub fn asa_s(&self) -> Option<f64> {
        seconds(self.answered_wait_ms, self.answered())
    }

    /// Abandonment rate = abandoned / (answered + abandoned), short abandons in neither.
    pub fn abandonment(&self) -> Option<f64> {
        ratio(self.abandoned(), self.answered() + self.abandoned())
    }

    /// Average handling time = (work + wrap-up) / handled; seconds. A conversation that two agents had one after the other
    /// was handled twice.
    pub fn aht_s(&self) -> Option<f64> {
        seconds(self.work_ms + self.wrap_up_ms, self.handled)
    }

    /// Average response = mean over turns, nothing subtracted; seconds. A first response that was begun by a hand-off or
    /// by a call is no turn, and a turn that a resolve ended without an answer is none either.
    pub fn average_response_s(&self) -> Option<f64> {
        self.turns.mean_s()
    }

    pub fn rates(&self) -> Rates {
        Rates {
            service_level: self.service_level(),
            of_answered: self.of_answered(),
            sl2: self.sl2(),
            of_arrivals: self.of_arrivals(),
            without_early_abandons: self.without_early_abandons(),
            asa_s: self.asa_s(),
            abandonment: self.abandonment(),
            aht_s: self.aht_s(),
            average_response_s: self.average_response_s(),
        }
    }
}

/// All rates of some counts. None where there is nothing to divide by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    pub service_level: Option<f64>,
    pub of_answered: Option<f64>,
    pub sl2: Option<f64>,
    pub of_arrivals: Option<f64>,
    pub without_early_abandons: Option<f64>,
    pub asa_s: Option<f64>,
    pub abandonment: Option<f64>,
    pub aht_s: Option<f64>,
    pub average_response_s: Option<f64>,
}

/// Occupancy = unit-seconds of work and wrap-up / unit-seconds online. Work from elsewhere and offers are no work; who is
/// offline and finishes counts as online.
pub fn occupancy(held_unit_ms: u64, online_unit_ms: u64) -> Option<f64> {
    ratio(held_unit_ms, online_unit_ms)
}

pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn seconds(ms: u64, count: u64) -> Option<f64> {
    ratio(ms, count).map(|ms| ms / 1e3)
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.entries += other.entries;
        self.answered_in_time += other.answered_in_time;
        self.answered_late += other.answered_late;
        self.abandoned_in_time += other.abandoned_in_time;
        self.abandoned_late += other.abandoned_late;
        self.late += other.late;
        self.excluded += other.excluded;
        self.answered_wait_ms += other.answered_wait_ms;
        self.handled += other.handled;
        self.work_ms += other.work_ms;
        self.wrap_up_ms += other.wrap_up_ms;
        self.turns += other.turns;
        self.first_response += other.first_response;
        self.next_response += other.next_response;
        self.resolution += other.resolution;
        self.queue_wait += other.queue_wait;
        self.reply_window += other.reply_window;
        self.first_resolution += other.first_resolution;
        self.final_resolution += other.final_resolution;
    }
}

impl AddAssign for Excluded {
    fn add_assign(&mut self, other: Excluded) {
        self.short_abandoned += other.short_abandoned;
        self.deflected += other.deflected;
        self.overflowed += other.overflowed;
        self.transferred += other.transferred;
        self.closed += other.closed;
    }
}

impl AddAssign for Spans {
    fn add_assign(&mut self, other: Spans) {
        self.count += other.count;
        self.ms += other.ms;
    }
}

impl AddAssign for Durations {
    fn add_assign(&mut self, other: Durations) {
        self.count += other.count;
        self.wall_ms += other.wall_ms;
        self.business_ms += other.business_ms;
    }
}

impl AddAssign for Compliance {
    fn add_assign(&mut self, other: Compliance) {
        self.met += other.met;
        self.missed += other.missed;
        self.cancelled += other.cancelled;
        self.took += other.took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T = 20 s. Of 13 entries: six answered after 0, 5, 10, 15, 20 and 40 s; two left after 12 and 35 s; one hung up
    /// after 3 s (short); one transferred after 8 s and one after 60 s; two wait still, 5 s and 50 s.
    fn afternoon() -> Counts {
        Counts {
            entries: 13,
            answered_in_time: 5,
            answered_late: 1,
            abandoned_in_time: 1,
            abandoned_late: 1,
            // 40 s, 35 s, 60 s, 50 s.
            late: 4,
            excluded: Excluded { short_abandoned: 1, transferred: 1, ..Excluded::default() },
            answered_wait_ms: 90_000,
            handled: 6,
            work_ms: 1_500_000,
            wrap_up_ms: 300_000,
            ..Counts::default()
        }
    }

    fn is(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-12)
    }

    #[test]
    fn the_five_service_levels_of_one_afternoon() {
        let counts = afternoon();
        assert!(is(counts.service_level(), 5.0 / 10.0), "5 within, 4 late, 1 left in time");
        assert!(is(counts.of_answered(), 5.0 / 6.0));
        assert!(is(counts.sl2(), 6.0 / 8.0));
        assert!(is(counts.of_arrivals(), 5.0 / 12.0), "all but the short abandon");
        assert!(is(counts.without_early_abandons(), 5.0 / 7.0));
    }

    #[test]
    fn waits_abandonment_and_handling_of_the_same_afternoon() {
        let counts = afternoon();
        assert!(is(counts.asa_s(), 15.0), "90 s over 6");
        assert!(is(counts.abandonment(), 2.0 / 8.0));
        assert!(is(counts.aht_s(), 300.0), "1,800 s over 6");
        assert!(is(occupancy(1_800_000, 2_400_000), 0.75));
    }

    #[test]
    fn a_queue_with_nobody_online_shows_0_and_not_none() {
        let before = Counts { entries: 2, ..Counts::default() };
        assert_eq!(before.service_level(), None, "T has not passed for anybody");
        let after = Counts { late: 2, ..before };
        assert!(is(after.service_level(), 0.0));
        assert_eq!((after.of_answered(), after.sl2(), after.asa_s(), after.abandonment()), (None, None, None, None));
        assert!(is(after.of_arrivals(), 0.0));
        assert_eq!(Counts::default().rates(), Rates::default());
    }

    #[test]
    fn short_abandons_are_in_no_rate() {
        let counts = afternoon();
        let short = |n| Counts {
            entries: counts.entries + n,
            excluded: Excluded { short_abandoned: 1 + n, ..counts.excluded },
            ..counts
        };
        assert_eq!(short(100).rates(), counts.rates());
    }

    #[test]
    fn transferred_before_t_is_excluded_and_after_it_late() {
        let one = Counts { entries: 1, answered_in_time: 1, ..Counts::default() };
        let excluded = Excluded { transferred: 1, ..Excluded::default() };
        let before = Counts { entries: 2, excluded, ..one };
        let after = Counts { entries: 2, late: 1, ..one };
        assert!(is(before.service_level(), 1.0) && is(after.service_level(), 0.5));
        assert!(is(before.of_arrivals(), 0.5) && is(after.of_arrivals(), 0.5));
    }

    #[test]
    fn compliance_leaves_cancelled_ones_out_and_durations_have_two_means() {
        let mut clock = Compliance { met: 3, missed: 1, cancelled: 6, ..Compliance::default() };
        [(60_000, 30_000), (120_000, 30_000)].into_iter().for_each(|(wall, business)| clock.took.add(wall, business));
        assert!(is(clock.share(), 0.75));
        assert!(is(clock.took.mean_wall_s(), 90.0) && is(clock.took.mean_business_s(), 30.0));
        assert_eq!(Compliance { cancelled: 1, ..Compliance::default() }.share(), None);
    }

    #[test]
    fn the_final_resolution_is_the_last_one() {
        let mut resolution = Spans::default();
        [60_000, 30_000].into_iter().for_each(|ms| resolution.add(ms));
        // The first is opened again, and resolved after 180 s in all.
        resolution.take_back(60_000);
        resolution.add(180_000);
        assert!(is(resolution.mean_s(), 105.0));
    }

    #[test]
    fn sums_are_sums_of_every_count() {
        let mut twice = afternoon();
        twice += afternoon();
        assert_eq!((twice.entries, twice.late, twice.excluded.sum(), twice.answered_wait_ms), (26, 8, 4, 180_000));
        assert_eq!(twice.rates(), afternoon().rates());
    }
}
