//! Counters of queues: entries, exits, verdicts, waits, by (queue, channel, tier), and their zero-filled label sets.
//!
//! A label set that the policy can fill stands at 0 from its configuration on, so that `increase()` sees the first
//! event; where a policy could fill very many, only those its rules name, and others from their first conversation on.
//! Queues past the process's budget are one queue, `other`.

use super::staff::Staff;
use crate::metrics::{Family, Labels, Scrape, labels};
use engine::decision::{Reason, ToldConversation};
use engine::input::EventType;
use engine::policy::{Policy, Subject};
use engine::view;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// (queue, channel, tier) triples that a policy gets at 0 without having named them.
const SEEDED_MAX: usize = 1_500;
const OTHER: &str = "other";
/// The tier label of customers without one.
const NO_TIER: &str = "none";

const ENTRIES: [&str; 3] = ["new", "requeue", "reopen"];
const EXITS: [&str; 6] = ["answered", "claimed", "abandoned", "short_abandoned", "transferred", "closed"];
pub(super) const EXIT_ANSWERED: usize = 0;
pub(super) const EXIT_CLAIMED: usize = 1;
pub(super) const EXIT_ABANDONED: usize = 2;
pub(super) const EXIT_SHORT_ABANDONED: usize = 3;
pub(super) const EXIT_TRANSFERRED: usize = 4;
pub(super) const EXIT_CLOSED: usize = 5;
const VERDICTS: [&str; 4] = ["within", "late", "abandoned", "excluded"];
const KINDS: [&str; 3] = ["auto", "claim", "supervisor"];
const ENDED: [&str; 2] = ["resolved", "closed"];
pub(super) const ENDED_RESOLVED: usize = 0;
pub(super) const ENDED_CLOSED: usize = 1;
const CAUSES: [&str; 4] = ["nobody_online", "no_skill_online", "all_full", "due"];
const AGES: [(&str, u64); 5] =
    [("le_5m", 300_000), ("le_30m", 1_800_000), ("le_1h", 3_600_000), ("le_24h", 86_400_000), ("gt_24h", u64::MAX)];

const WAIT_BOUNDS: [&str; 15] =
    ["1", "2", "5", "10", "20", "30", "60", "120", "180", "300", "600", "1800", "3600", "14400", "86400"];
const WAIT_BOUNDS_MS: [u64; 15] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 180_000, 300_000, 600_000, 1_800_000, 3_600_000,
    14_400_000, 86_400_000,
];

pub(super) fn entry_of(reason: Reason) -> usize {
    match reason {
        Reason::Reopen => 2,
        Reason::New | Reason::TooManySkillSets => 0,
        _ => 1,
    }
}

/// Classic buckets of whole milliseconds with an exact sum.
#[derive(Default)]
struct Waits {
    counts: [u64; WAIT_BOUNDS.len() + 1],
    sum_ms: u64,
}

impl Waits {
    fn record(&mut self, ms: u64) {
        self.counts[WAIT_BOUNDS_MS.partition_point(|bound| *bound < ms)] += 1;
        self.sum_ms += ms;
    }

    fn collect(&self, family: Family, labels: &Labels, scrape: &mut Scrape) {
        if self.counts.iter().any(|count| *count > 0) {
            scrape.histogram(family, labels, &WAIT_BOUNDS, &self.counts, self.sum_ms as f64 / 1e3);
        }
    }
}

pub(super) type CellIndex = u32;

/// One (queue, channel, tier).
struct Cell {
    pair: u32,
    labels: Labels,
    entries: [u64; ENTRIES.len()],
    exits: [u64; EXITS.len()],
    verdicts: [u64; VERDICTS.len()],
    /// What waited when the process had recovered.
    waiting_at_start: i64,
}

/// One (queue, channel).
struct Pair {
    channel: Box<str>,
    labels: Labels,
    labels_answered: Labels,
    labels_abandoned: Labels,
    labels_work: Labels,
    tiers: HashMap<Box<str>, CellIndex>,
    assignments: [u64; KINDS.len()],
    ended: [u64; ENDED.len()],
    answered: Waits,
    abandoned: Waits,
    handled: Waits,
}

struct QueueTable {
    labels: Labels,
    name: Box<str>,
    pairs: HashMap<Box<str>, u32>,
    reopens: u64,
}

pub(super) struct Tables {
    workspace: Box<str>,
    queues_left: Arc<AtomicUsize>,
    /// How many of the process's budget these tables took; they are given back with the tables.
    granted: usize,
    /// By name in the policy; several names may lead to `other`.
    index: HashMap<Box<str>, u32>,
    queues: Vec<QueueTable>,
    pairs: Vec<Pair>,
    cells: Vec<Cell>,
    event_labels: Vec<Labels>,
}

impl Tables {
    pub(super) fn new(workspace: &str, queues_left: Arc<AtomicUsize>) -> Tables {
        let event_labels = (0..=u8::MAX)
            .map(|number| EventType::from_number(number).map_or("", EventType::word))
            .map(|word| labels(&[("workspace", workspace), ("type", word)]))
            .collect();
        Tables {
            workspace: workspace.into(),
            queues_left,
            granted: 0,
            index: HashMap::new(),
            queues: Vec::new(),
            pairs: Vec::new(),
            cells: Vec::new(),
            event_labels,
        }
    }

    pub(super) fn event_labels(&self, event_type: EventType) -> &Labels {
        &self.event_labels[event_type as usize]
    }

    /// Gives every label set that this policy can fill its zero.
    pub(super) fn configure(&mut self, policy: &Policy) {
        let tiers: Vec<&str> = policy.tiers.iter().map(|tier| &*tier.name).chain([""]).collect();
        let named = named_channels(policy);
        let everything = policy.queues.len() * policy.channels.len() * tiers.len() <= SEEDED_MAX;
        for queue in &policy.queues {
            self.queue(&queue.name);
            let mut channels = channels_ruled_to(policy, &queue.name);
            if reached_by_any_channel(policy, &queue.name) {
                let all = policy.channels.iter().map(|channel| &*channel.name);
                if everything { channels.extend(all) } else { channels.extend(named.iter().copied()) }
            }
            for channel in channels {
                tiers.iter().for_each(|tier| {
                    self.cell(&queue.name, channel, tier);
                });
            }
        }
    }

    fn queue(&mut self, name: &str) -> u32 {
        if let Some(found) = self.index.get(name) {
            return *found;
        }
        let granted = self.queues_left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        self.granted += usize::from(granted);
        let shown = if granted { name } else { OTHER };
        let known = self.queues.iter().position(|queue| &*queue.name == shown && !granted);
        let at = known.unwrap_or_else(|| {
            let labels = labels(&[("workspace", &self.workspace), ("queue", shown)]);
            self.queues.push(QueueTable { labels, name: shown.into(), pairs: HashMap::new(), reopens: 0 });
            self.queues.len() - 1
        });
        self.index.insert(name.into(), at as u32);
        at as u32
    }

    fn pair(&mut self, queue: &str, channel: &str) -> u32 {
        let at = self.queue(queue) as usize;
        if let Some(found) = self.queues[at].pairs.get(channel) {
            return *found;
        }
        let shown = self.queues[at].name.clone();
        let base = [("workspace", &*self.workspace), ("queue", &*shown), ("channel", channel)];
        let with = |name, value| labels(&[base[0], base[1], base[2], (name, value)]);
        self.pairs.push(Pair {
            channel: channel.into(),
            labels: labels(&base),
            labels_answered: with("outcome", "answered"),
            labels_abandoned: with("outcome", "abandoned"),
            labels_work: with("part", "work"),
            tiers: HashMap::new(),
            assignments: [0; KINDS.len()],
            ended: [0; ENDED.len()],
            answered: Waits::default(),
            abandoned: Waits::default(),
            handled: Waits::default(),
        });
        let pair = self.pairs.len() as u32 - 1;
        self.queues[at].pairs.insert(channel.into(), pair);
        pair
    }

    pub(super) fn cell(&mut self, queue: &str, channel: &str, tier: &str) -> CellIndex {
        let pair = self.pair(queue, channel);
        if let Some(found) = self.pairs[pair as usize].tiers.get(tier) {
            return *found;
        }
        let shown = self.queues[self.index[queue] as usize].name.clone();
        let tier_shown = if tier.is_empty() { NO_TIER } else { tier };
        let base = [("workspace", &*self.workspace), ("queue", &*shown), ("channel", channel), ("tier", tier_shown)];
        let cell = Cell {
            pair,
            labels: labels(&base),
            entries: [0; ENTRIES.len()],
            exits: [0; EXITS.len()],
            verdicts: [0; VERDICTS.len()],
            waiting_at_start: 0,
        };
        self.cells.push(cell);
        let index = self.cells.len() as CellIndex - 1;
        self.pairs[pair as usize].tiers.insert(tier.into(), index);
        index
    }

    pub(super) fn enter(&mut self, cell: CellIndex, reason: usize, live: bool) {
        let cell = &mut self.cells[cell as usize];
        match live {
            true => cell.entries[reason] += 1,
            false => cell.waiting_at_start += 1,
        }
    }

    pub(super) fn exit(&mut self, cell: CellIndex, exit: usize, waited_ms: u64, in_time: bool, live: bool) {
        let cell = &mut self.cells[cell as usize];
        if !live {
            cell.waiting_at_start -= 1;
            return;
        }
        cell.exits[exit] += 1;
        let verdict = match exit {
            EXIT_SHORT_ABANDONED => "excluded",
            // T passed while it waited, whatever follows.
            _ if !in_time => "late",
            EXIT_ANSWERED | EXIT_CLAIMED => "within",
            EXIT_ABANDONED => "abandoned",
            _ => "excluded",
        };
        let column = VERDICTS.iter().position(|word| *word == verdict).expect("it is one of them");
        cell.verdicts[column] += 1;
        let pair = &mut self.pairs[cell.pair as usize];
        match exit {
            EXIT_ANSWERED | EXIT_CLAIMED => pair.answered.record(waited_ms),
            EXIT_ABANDONED => pair.abandoned.record(waited_ms),
            _ => {}
        }
    }

    pub(super) fn assigned(&mut self, cell: CellIndex, reason: Reason, live: bool) {
        let kind = match reason {
            Reason::Claim => 1,
            Reason::Supervisor => 2,
            _ => 0,
        };
        let pair = self.cells[cell as usize].pair as usize;
        self.pairs[pair].assignments[kind] += u64::from(live);
    }

    pub(super) fn handled(&mut self, cell: CellIndex, held_ms: u64, live: bool) {
        if live {
            self.pairs[self.cells[cell as usize].pair as usize].handled.record(held_ms);
        }
    }

    pub(super) fn ended(&mut self, conversation: &ToldConversation, reason: usize, live: bool) {
        let pair = self.pair(&conversation.queue, &conversation.channel);
        self.pairs[pair as usize].ended[reason] += u64::from(live);
    }

    pub(super) fn reopened(&mut self, conversation: &ToldConversation, live: bool) {
        let queue = self.queue(&conversation.queue);
        self.queues[queue as usize].reopens += u64::from(live);
    }

    /// What waits by cell, as the replica says. Lines that no decision ever told of are an error too.
    fn waiting_of(&self, queues: &[view::Queue]) -> Result<Vec<(u64, u64)>, String> {
        let mut waiting = vec![(0, u64::MAX); self.cells.len()];
        for queue in queues {
            for line in &queue.lines {
                let pair =
                    self.index.get(&queue.name).and_then(|at| self.queues[*at as usize].pairs.get(&line.channel));
                let cell = pair.and_then(|pair| self.pairs[*pair as usize].tiers.get(&line.tier));
                let Some(cell) = cell else {
                    return Err(format!(
                        "{} wait in {}/{}/{} untold",
                        line.waiting, queue.name, line.channel, line.tier
                    ));
                };
                let (count, oldest) = &mut waiting[*cell as usize];
                *count += line.waiting;
                *oldest = (*oldest).min(line.oldest_arrival);
            }
        }
        Ok(waiting)
    }

    pub(super) fn unbalanced(&self, queues: &[view::Queue]) -> Option<String> {
        let waiting = match self.waiting_of(queues) {
            Ok(waiting) => waiting,
            Err(sentence) => return Some(sentence),
        };
        self.cells.iter().zip(waiting).find_map(|(cell, (waiting, _))| {
            let sum = |counts: &[u64]| counts.iter().sum::<u64>() as i64;
            let told = cell.waiting_at_start + sum(&cell.entries) - sum(&cell.exits);
            let labels: Vec<String> = cell.labels.to_strings().collect();
            (told != waiting as i64)
                .then(|| format!("{}: {told} by entries and exits, {waiting} wait", labels.join(",")))
        })
    }

    /// How many of those waiting are how old, by (queue, channel).
    pub(super) fn ages(&self, now: u64, waiting: impl Iterator<Item = (CellIndex, u64)>) -> Vec<[u64; AGES.len()]> {
        let mut ages = vec![[0; AGES.len()]; self.pairs.len()];
        for (cell, arrival) in waiting {
            let age_ms = now.saturating_sub(arrival);
            let column = AGES.iter().position(|(_, bound)| age_ms <= *bound).unwrap_or(AGES.len() - 1);
            ages[self.cells[cell as usize].pair as usize][column] += 1;
        }
        ages
    }

    pub(super) fn collect(
        &self,
        now: u64,
        workspace: &view::Workspace<'_>,
        ages: &[[u64; AGES.len()]],
        staff: &Staff,
        scrape: &mut Scrape,
    ) {
        let queues = workspace.queues();
        let waiting = self.waiting_of(&queues).unwrap_or_else(|_| vec![(0, u64::MAX); self.cells.len()]);
        self.collect_cells(&waiting, scrape);
        self.collect_pairs(now, &queues, &waiting, ages, scrape);
        self.collect_queues(workspace.policy, &queues, staff, scrape);
        let version = labels(&[("workspace", &self.workspace), ("version", &workspace.policy.version.to_string())]);
        scrape.whole(Family::ConfigInfo, &version, 1);
    }

    fn collect_cells(&self, waiting: &[(u64, u64)], scrape: &mut Scrape) {
        for (cell, (waiting, _)) in self.cells.iter().zip(waiting) {
            for (word, count) in ENTRIES.into_iter().zip(cell.entries) {
                scrape.whole_of(Family::QueueEntries, &cell.labels, "reason", word, count);
            }
            for (word, count) in EXITS.into_iter().zip(cell.exits) {
                scrape.whole_of(Family::QueueExits, &cell.labels, "outcome", word, count);
            }
            for (word, count) in VERDICTS.into_iter().zip(cell.verdicts) {
                scrape.whole_of(Family::ServiceLevelContacts, &cell.labels, "verdict", word, count);
            }
            scrape.whole(Family::QueueWaiting, &cell.labels, *waiting);
        }
    }

    fn collect_pairs(
        &self,
        now: u64,
        queues: &[view::Queue],
        waiting: &[(u64, u64)],
        ages: &[[u64; AGES.len()]],
        scrape: &mut Scrape,
    ) {
        let mut assigned = vec![0; self.pairs.len()];
        for queue in queues {
            let Some(at) = self.index.get(&queue.name) else { continue };
            for (channel, count) in &queue.assigned {
                if let Some(pair) = self.queues[*at as usize].pairs.get(channel) {
                    assigned[*pair as usize] += count;
                }
            }
        }
        for (at, pair) in self.pairs.iter().enumerate() {
            let cells = pair.tiers.values().map(|cell| waiting[*cell as usize]);
            let (queued, oldest) = cells.fold((0, u64::MAX), |(sum, oldest), (n, a)| (sum + n, oldest.min(a)));
            let oldest_ms = if queued == 0 { 0 } else { now.saturating_sub(oldest) };
            scrape.real(Family::QueueOldestWait, &pair.labels, oldest_ms as f64 / 1e3);
            scrape.whole_of(Family::Conversations, &pair.labels, "state", "queued", queued);
            scrape.whole_of(Family::Conversations, &pair.labels, "state", "assigned", assigned[at]);
            for ((word, _), count) in AGES.into_iter().zip(ages[at]) {
                scrape.whole_of(Family::Unanswered, &pair.labels, "age", word, count);
            }
            for (word, count) in KINDS.into_iter().zip(pair.assignments) {
                scrape.whole_of(Family::Assignments, &pair.labels, "kind", word, count);
            }
            for (word, count) in ENDED.into_iter().zip(pair.ended) {
                scrape.whole_of(Family::ConversationsEnded, &pair.labels, "reason", word, count);
            }
            pair.answered.collect(Family::QueueWait, &pair.labels_answered, scrape);
            pair.abandoned.collect(Family::QueueWait, &pair.labels_abandoned, scrape);
            pair.handled.collect(Family::Handle, &pair.labels_work, scrape);
            debug_assert!(!pair.channel.is_empty());
        }
    }

    fn collect_queues(&self, policy: &Policy, queues: &[view::Queue], staff: &Staff, scrape: &mut Scrape) {
        let mut causes = vec![[0; CAUSES.len()]; self.queues.len()];
        let mut rotation = vec![0; self.queues.len()];
        for queue in queues {
            let Some(at) = self.index.get(&queue.name).map(|at| *at as usize) else { continue };
            for (cause, count) in &queue.causes {
                if let Some(column) = CAUSES.iter().position(|word| word == cause) {
                    causes[at][column] += count;
                }
            }
            rotation[at] = rotation[at].max(queue.rotation_error_milli);
        }
        for (at, queue) in self.queues.iter().enumerate() {
            for (word, count) in CAUSES.into_iter().zip(causes[at]) {
                scrape.whole_of(Family::QueueWaitingByCause, &queue.labels, "cause", word, count);
            }
            scrape.real(Family::WeightedRotationError, &queue.labels, rotation[at] as f64 / 1e3);
            scrape.whole(Family::Reopens, &queue.labels, queue.reopens);
        }
        for queue in &policy.queues {
            let Some(table) = self.index.get(&queue.name).map(|at| &self.queues[*at as usize]) else { continue };
            // `other` has no one goal.
            if *table.name == *queue.name {
                let goal = f64::from(queue.service_level_goal_permille) / 1e3;
                scrape.real(Family::ServiceLevelGoal, &table.labels, goal);
                scrape.real(Family::ServiceLevelThreshold, &table.labels, queue.service_level_ms as f64 / 1e3);
                staff.collect_queue(&queue.skills, &table.labels, scrape);
            }
        }
    }
}

/// A shard that is read anew shows its queues by name again.
impl Drop for Tables {
    fn drop(&mut self) {
        self.queues_left.fetch_add(self.granted, Relaxed);
    }
}

/// Channels that rules ask for, and those that are not as the field has them: surely meant.
fn named_channels(policy: &Policy) -> BTreeSet<&str> {
    let standard = Policy::standard_channels();
    let own = policy.channels.iter().filter(|channel| !standard.contains(channel)).map(|channel| &*channel.name);
    let conditions = policy.rules.iter().flat_map(|rule| &rule.when);
    own.chain(conditions.filter(|c| c.subject == Subject::Channel).map(|c| &*c.value)).collect()
}

fn channels_ruled_to<'a>(policy: &'a Policy, queue: &str) -> BTreeSet<&'a str> {
    let rules = policy.rules.iter().filter(|rule| &*rule.queue == queue);
    rules.flat_map(|rule| &rule.when).filter(|c| c.subject == Subject::Channel).map(|c| &*c.value).collect()
}

fn reached_by_any_channel(policy: &Policy, queue: &str) -> bool {
    let unconditional = |rule: &&engine::policy::Rule| !rule.when.iter().any(|c| c.subject == Subject::Channel);
    policy.rules.iter().filter(|rule| &*rule.queue == queue).any(|rule| unconditional(&rule))
        || policy.entries.iter().any(|entry| &*entry.queue == queue)
}
