//! What a scrape shows of a workspace's queues: the counters of `tables.rs`, and gauges read from the replica.

use super::staff::Staff;
use super::tables::{Pair, QueueTable, Tables};
use super::words::{
    CAUSES, CLOCK_STATES, CONTEXT, ClockResult, Collision, ContextLoss, Ended, Entry, Exit, Kind, OfferOutcome,
    Preferred, STATES, STEPS, Survey, Trigger, Verdict,
};
use crate::metrics::{Family, Labels, Scrape, labels};
use engine::policy::{ClockKind, Policy};
use engine::view;

const AGES: [(&str, u64); 5] =
    [("le_5m", 300_000), ("le_30m", 1_800_000), ("le_1h", 3_600_000), ("le_24h", 86_400_000), ("gt_24h", u64::MAX)];

/// Gauges of one (queue, channel).
#[derive(Clone, Default)]
struct PairNow {
    states: [u64; STATES.len()],
    ages: [u64; AGES.len()],
}

/// Gauges of one queue as it is shown; several are `other`.
#[derive(Clone, Default)]
struct QueueNow {
    causes: [u64; CAUSES.len()],
    rotation_error_milli: u64,
    is_open: Option<bool>,
    clocks: [[u64; CLOCK_STATES.len()]; ClockKind::ALL.len()],
}

/// Counts under the words of one label.
fn columns(
    scrape: &mut Scrape,
    family: Family,
    labels: &Labels,
    name: &'static str,
    words: &[&'static str],
    counts: &[u64],
) {
    for (word, count) in words.iter().zip(counts) {
        scrape.whole_of(family, labels, name, word, *count);
    }
}

impl Tables {
    pub(super) fn collect(&self, now: u64, workspace: &view::Workspace<'_>, staff: &Staff, scrape: &mut Scrape) {
        let queues = workspace.queues();
        let waiting = self.waiting_of(&queues).unwrap_or_else(|_| vec![(0, u64::MAX); self.cells.len()]);
        self.collect_cells(&waiting, scrape);
        self.collect_pairs(now, &queues, &waiting, scrape);
        self.collect_queues(&queues, workspace.policy, staff, scrape);
        let version = labels(&[("workspace", &self.workspace), ("version", &workspace.policy.version.to_string())]);
        scrape.whole(Family::ConfigInfo, &version, 1);
        columns(scrape, Family::ContextLosses, &self.labels, "reason", &ContextLoss::WORDS, &self.context_losses);
    }

    fn collect_cells(&self, waiting: &[(u64, u64)], scrape: &mut Scrape) {
        for (cell, (waiting, _)) in self.cells.iter().zip(waiting) {
            columns(scrape, Family::QueueEntries, &cell.labels, "reason", &Entry::WORDS, &cell.entries);
            columns(scrape, Family::QueueExits, &cell.labels, "outcome", &Exit::WORDS, &cell.exits);
            columns(scrape, Family::ServiceLevelContacts, &cell.labels, "verdict", &Verdict::WORDS, &cell.verdicts);
            scrape.whole(Family::QueueWaiting, &cell.labels, *waiting);
        }
    }

    fn collect_pairs(&self, now: u64, queues: &[view::Queue], waiting: &[(u64, u64)], scrape: &mut Scrape) {
        let gauges = self.pairs_now(now, queues);
        for (pair, gauges) in self.pairs.iter().zip(gauges) {
            let cells = pair.tiers.values().map(|cell| waiting[*cell as usize]);
            let (queued, oldest) = cells.fold((0, u64::MAX), |(sum, oldest), (n, a)| (sum + n, oldest.min(a)));
            let oldest_ms = if queued == 0 { 0 } else { now.saturating_sub(oldest) };
            scrape.real(Family::QueueOldestWait, &pair.labels, oldest_ms as f64 / 1e3);
            columns(scrape, Family::Conversations, &pair.labels, "state", &STATES, &gauges.states);
            columns(scrape, Family::Unanswered, &pair.labels, "age", &AGES.map(|(word, _)| word), &gauges.ages);
            pair.collect(scrape);
        }
    }

    fn pairs_now(&self, now: u64, queues: &[view::Queue]) -> Vec<PairNow> {
        let mut gauges = vec![PairNow::default(); self.pairs.len()];
        for queue in queues {
            for (channel, state, count) in &queue.states {
                let column = STATES.iter().position(|word| word == state);
                if let (Some(pair), Some(column)) = (self.known_pair(&queue.name, channel), column) {
                    gauges[pair as usize].states[column] += count;
                }
            }
            for (channel, arrivals) in &queue.unanswered {
                let Some(pair) = self.known_pair(&queue.name, channel) else { continue };
                for arrival in arrivals {
                    let age_ms = now.saturating_sub(*arrival);
                    let column = AGES.iter().position(|(_, bound)| age_ms <= *bound).unwrap_or(AGES.len() - 1);
                    gauges[pair as usize].ages[column] += 1;
                }
            }
        }
        gauges
    }

    fn collect_queues(&self, queues: &[view::Queue], policy: &Policy, staff: &Staff, scrape: &mut Scrape) {
        let mut gauges = vec![QueueNow::default(); self.queues.len()];
        for queue in queues {
            let Some(gauges) = self.known_queue(&queue.name).map(|at| &mut gauges[at as usize]) else { continue };
            for (cause, count) in &queue.causes {
                if let Some(column) = CAUSES.iter().position(|word| word == cause) {
                    gauges.causes[column] += count;
                }
            }
            gauges.rotation_error_milli = gauges.rotation_error_milli.max(queue.rotation_error_milli);
            if policy.queues.iter().any(|configured| configured.name == queue.name) {
                gauges.is_open = Some(queue.is_open && gauges.is_open.unwrap_or(true));
            }
            for (kind, state, count) in &queue.clocks {
                gauges.clocks[*kind as usize][*state as usize] += count;
            }
        }
        for (table, gauges) in self.queues.iter().zip(gauges) {
            columns(scrape, Family::QueueWaitingByCause, &table.labels, "cause", &CAUSES, &gauges.causes);
            let error = gauges.rotation_error_milli as f64 / 1e3;
            scrape.real(Family::WeightedRotationError, &table.labels, error);
            // One that the policy does not have is neither.
            if let Some(is_open) = gauges.is_open {
                scrape.whole(Family::QueueOpen, &table.labels, u64::from(is_open));
            }
            for (kind, labels) in &table.clocks {
                columns(scrape, Family::Clocks, labels, "state", &CLOCK_STATES, &gauges.clocks[*kind as usize]);
            }
            table.collect(scrape);
        }
        let rings = policy.tiers.iter().any(|tier| tier.first_ring.is_some());
        for queue in &policy.queues {
            let Some(table) = self.known_queue(&queue.name).map(|at| &self.queues[at as usize]) else { continue };
            // `other` has no one goal.
            if *table.name == *queue.name {
                let goal = f64::from(queue.service_level_goal_permille) / 1e3;
                scrape.real(Family::ServiceLevelGoal, &table.labels, goal);
                scrape.real(Family::ServiceLevelThreshold, &table.labels, queue.service_level_ms as f64 / 1e3);
                staff.collect_queue(queue, policy, &table.labels, scrape);
                table.collect_zeros(queue.steps.len(), rings, scrape);
            }
        }
    }
}

impl Pair {
    fn collect(&self, scrape: &mut Scrape) {
        columns(scrape, Family::Assignments, &self.labels, "kind", &Kind::WORDS, &self.assignments);
        columns(scrape, Family::ConversationsEnded, &self.labels, "reason", &Ended::WORDS, &self.ended);
        columns(scrape, Family::Offers, &self.labels, "outcome", &OfferOutcome::WORDS, &self.offers);
        self.answered.collect(Family::QueueWait, &self.labels_answered, scrape);
        self.abandoned.collect(Family::QueueWait, &self.labels_abandoned, scrape);
        self.handled.collect(Family::Handle, &self.labels_work, scrape);
        self.wrapped_up.collect(Family::Handle, &self.labels_wrap_up, scrape);
        for (family, waits) in [
            (Family::FirstResponse, &self.durations.first_response),
            (Family::Response, &self.durations.response),
            (Family::Resolution, &self.durations.resolution),
        ] {
            waits.iter().zip(&self.labels_basis).for_each(|(waits, labels)| waits.collect(family, labels, scrape));
        }
    }
}

impl QueueTable {
    fn collect(&self, scrape: &mut Scrape) {
        scrape.whole(Family::Reopens, &self.labels, self.reopens);
        columns(scrape, Family::ReplyCollisions, &self.labels, "kind", &Collision::WORDS, &self.collisions);
        columns(scrape, Family::Preferences, &self.labels, "result", &Preferred::WORDS, &self.preferred);
        for (labels, counts) in self.labels_transfer.iter().zip(&self.transfers) {
            columns(scrape, Family::Transfers, labels, "context", &CONTEXT, counts);
        }
        for (step, count) in STEPS.into_iter().zip(self.relaxed).filter(|(_, count)| *count > 0) {
            scrape.whole_of(Family::Relaxations, &self.labels, "step", step, count);
        }
        for level in &self.levels {
            for (at, (trigger, count)) in Trigger::WORDS.into_iter().zip(level.counts).enumerate() {
                // The ladder and clocks have levels; what else happens by itself has none.
                let expected = if at == Trigger::Command as usize {
                    level.in_ladder
                } else if at == Trigger::Clock as usize {
                    level.by_clock
                } else {
                    level.level == 0
                };
                if expected || count > 0 {
                    scrape.whole_of(Family::Escalations, &level.labels, "trigger", trigger, count);
                }
            }
        }
        for results in &self.clock_results {
            columns(scrape, Family::ClockResults, &results.labels, "result", &ClockResult::WORDS, &results.counts);
        }
        for (kind, (sum, count)) in Survey::WORDS.into_iter().zip(self.surveys) {
            scrape.sum_and_count(Family::SurveyScore, &self.labels, ("kind", kind), sum, count);
        }
        self.offered.collect(Family::OfferTime, &self.labels, scrape);
    }

    /// The steps that this queue can come to and never came to yet.
    fn collect_zeros(&self, steps: usize, rings: bool, scrape: &mut Scrape) {
        let possible = (1..=steps).chain(rings.then_some(0)).filter(|step| *step < STEPS.len());
        for step in possible.filter(|step| self.relaxed[*step] == 0) {
            scrape.whole_of(Family::Relaxations, &self.labels, "step", STEPS[step], 0);
        }
    }
}
