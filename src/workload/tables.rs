//! Counters of queues: entries, exits, verdicts, waits, offers, by (queue, channel, tier) and coarser, with their label
//! sets.
//!
//! A label set that the policy can fill stands at 0 from its configuration on, so that `increase()` sees the first
//! event; where a policy could fill very many, only those its rules name, and others from their first conversation on.
//! Queues past the process's budget are one queue, `other`. What a scrape shows of all this is in `exposition.rs`.

use super::waits::Waits;
use super::words::{
    ClockResult, Collision, ContextLoss, Ended, Entry, Exit, Kind, OfferOutcome, Preferred, STEPS, Survey, Transfer,
    Trigger, Verdict,
};
use crate::metrics::{Labels, labels};
use engine::input::EventType;
use engine::policy::{ClockKind, Policy, Queue, Subject};
use engine::view;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// (queue, channel, tier) triples that a policy gets at 0 without having named them.
const SEEDED_MAX: usize = 1_500;
/// Of the ladder.
const LEVEL_MAX: u64 = 9;
pub(super) const OTHER: &str = "other";
/// The label of a tier, team or queue that is not there.
pub(super) const NONE: &str = "none";

pub(super) type CellIndex = u32;
pub(super) type PairIndex = u32;

/// One (queue, channel, tier).
pub(super) struct Cell {
    pub(super) pair: PairIndex,
    pub(super) labels: Labels,
    pub(super) entries: [u64; Entry::COUNT],
    pub(super) exits: [u64; Exit::COUNT],
    pub(super) verdicts: [u64; Verdict::COUNT],
    /// What waited when the process had recovered.
    waiting_at_start: i64,
}

/// One (queue, channel).
pub(super) struct Pair {
    queue: u32,
    pub(super) labels: Labels,
    pub(super) labels_answered: Labels,
    pub(super) labels_abandoned: Labels,
    pub(super) labels_work: Labels,
    pub(super) labels_wrap_up: Labels,
    pub(super) labels_basis: [Labels; BASES.len()],
    pub(super) tiers: HashMap<Box<str>, CellIndex>,
    pub(super) assignments: [u64; Kind::COUNT],
    pub(super) ended: [u64; Ended::COUNT],
    pub(super) offers: [u64; OfferOutcome::COUNT],
    pub(super) answered: Waits,
    pub(super) abandoned: Waits,
    pub(super) handled: Waits,
    pub(super) wrapped_up: Waits,
    pub(super) durations: Durations,
}

/// Of completed clocks, each in both bases.
#[derive(Default)]
pub(super) struct Durations {
    pub(super) first_response: [Waits; BASES.len()],
    pub(super) response: [Waits; BASES.len()],
    pub(super) resolution: [Waits; BASES.len()],
}

pub(super) const BASES: [&str; 2] = ["wall", "business"];

/// What became of a queue's clocks of one kind, of one tier's conversations.
pub(super) struct ClockResults {
    kind: ClockKind,
    tier: Box<str>,
    pub(super) labels: Labels,
    pub(super) counts: [u64; ClockResult::COUNT],
}

/// Escalations to one level.
pub(super) struct Level {
    pub(super) level: u64,
    pub(super) labels: Labels,
    pub(super) counts: [u64; Trigger::COUNT],
    /// What may lead to it, by the policy.
    pub(super) in_ladder: bool,
    pub(super) by_clock: bool,
}

pub(super) struct QueueTable {
    pub(super) labels: Labels,
    pub(super) labels_transfer: [Labels; Transfer::COUNT],
    pub(super) name: Box<str>,
    pairs: HashMap<Box<str>, PairIndex>,
    pub(super) reopens: u64,
    pub(super) collisions: [u64; Collision::COUNT],
    /// By kind and by whether a note was with it.
    pub(super) transfers: [[u64; 2]; Transfer::COUNT],
    pub(super) preferred: [u64; Preferred::COUNT],
    pub(super) relaxed: [u64; STEPS.len()],
    /// By level; 0 is always there.
    pub(super) levels: Vec<Level>,
    /// Kinds of clocks that its conversations may have, with their labels.
    pub(super) clocks: Vec<(ClockKind, Labels)>,
    pub(super) clock_results: Vec<ClockResults>,
    /// (sum of shares of the maximum, count).
    pub(super) surveys: [(f64, u64); Survey::COUNT],
    pub(super) offered: Waits,
}

pub(super) struct Tables {
    pub(super) workspace: Box<str>,
    pub(super) labels: Labels,
    /// False while recovering: what waits moves, counters do not.
    pub(super) live: bool,
    queues_left: Arc<AtomicUsize>,
    /// How many of the process's budget these tables took; they are given back with the tables.
    granted: usize,
    /// By name in the policy; several names may lead to `other`.
    index: HashMap<Box<str>, u32>,
    pub(super) queues: Vec<QueueTable>,
    pub(super) pairs: Vec<Pair>,
    pub(super) cells: Vec<Cell>,
    pub(super) context_losses: [u64; ContextLoss::COUNT],
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
            labels: labels(&[("workspace", workspace)]),
            live: false,
            queues_left,
            granted: 0,
            index: HashMap::new(),
            queues: Vec::new(),
            pairs: Vec::new(),
            cells: Vec::new(),
            context_losses: [0; ContextLoss::COUNT],
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
            let at = self.queue(&queue.name);
            for rung in &queue.ladder {
                let level = self.level(at, u64::from(rung.level));
                self.queues[at as usize].levels[level].in_ladder = true;
            }
            for number in policy.clocks.iter().flat_map(clock_levels) {
                let level = self.level(at, number);
                self.queues[at as usize].levels[level].by_clock = true;
            }
            let mut channels = channels_ruled_to(policy, &queue.name);
            if reached_by_any_channel(policy, &queue.name) {
                let all = policy.channels.iter().map(|channel| &*channel.name);
                if everything { channels.extend(all) } else { channels.extend(named.iter().copied()) }
            }
            for kind in clocks_of(policy, queue, &channels) {
                tiers.iter().for_each(|tier| {
                    self.clock_results(at, kind, tier);
                });
            }
            for channel in channels {
                tiers.iter().for_each(|tier| {
                    self.cell(&queue.name, channel, tier);
                });
            }
        }
    }

    /// The table of a queue by its name in the policy, where it is known.
    pub(super) fn known_queue(&self, name: &str) -> Option<u32> {
        self.index.get(name).copied()
    }

    pub(super) fn known_pair(&self, queue: &str, channel: &str) -> Option<PairIndex> {
        let queue = self.known_queue(queue)?;
        self.queues[queue as usize].pairs.get(channel).copied()
    }

    fn queue(&mut self, name: &str) -> u32 {
        if let Some(found) = self.index.get(name) {
            return *found;
        }
        // One that is nobody's yet, as a bot's, costs nothing of the budget.
        let free = name.is_empty();
        let take_one = || self.queues_left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        let granted = !free && take_one();
        self.granted += usize::from(granted);
        let shown = match (free, granted) {
            (true, _) => NONE,
            (false, true) => name,
            (false, false) => OTHER,
        };
        let known = self.queues.iter().position(|queue| &*queue.name == shown && !granted);
        let at = known.unwrap_or_else(|| {
            self.queues.push(QueueTable::new(&self.workspace, shown));
            self.queues.len() - 1
        });
        self.index.insert(name.into(), at as u32);
        at as u32
    }

    pub(super) fn pair(&mut self, queue: &str, channel: &str) -> PairIndex {
        let at = self.queue(queue);
        if let Some(found) = self.queues[at as usize].pairs.get(channel) {
            return *found;
        }
        let shown = self.queues[at as usize].name.clone();
        let base = [("workspace", &*self.workspace), ("queue", &*shown), ("channel", channel)];
        let with = |name, value| labels(&[base[0], base[1], base[2], (name, value)]);
        self.pairs.push(Pair {
            queue: at,
            labels: labels(&base),
            labels_answered: with("outcome", "answered"),
            labels_abandoned: with("outcome", "abandoned"),
            labels_work: with("part", "work"),
            labels_wrap_up: with("part", "wrap_up"),
            labels_basis: BASES.map(|basis| with("basis", basis)),
            tiers: HashMap::new(),
            assignments: [0; Kind::COUNT],
            ended: [0; Ended::COUNT],
            offers: [0; OfferOutcome::COUNT],
            answered: Waits::default(),
            abandoned: Waits::default(),
            handled: Waits::default(),
            wrapped_up: Waits::default(),
            durations: Durations::default(),
        });
        let pair = self.pairs.len() as PairIndex - 1;
        self.queues[at as usize].pairs.insert(channel.into(), pair);
        pair
    }

    pub(super) fn cell(&mut self, queue: &str, channel: &str, tier: &str) -> CellIndex {
        let pair = self.pair(queue, channel);
        if let Some(found) = self.pairs[pair as usize].tiers.get(tier) {
            return *found;
        }
        let shown = self.queues[self.pairs[pair as usize].queue as usize].name.clone();
        let tier_shown = if tier.is_empty() { NONE } else { tier };
        let base = [("workspace", &*self.workspace), ("queue", &*shown), ("channel", channel), ("tier", tier_shown)];
        self.cells.push(Cell {
            pair,
            labels: labels(&base),
            entries: [0; Entry::COUNT],
            exits: [0; Exit::COUNT],
            verdicts: [0; Verdict::COUNT],
            waiting_at_start: 0,
        });
        let index = self.cells.len() as CellIndex - 1;
        self.pairs[pair as usize].tiers.insert(tier.into(), index);
        index
    }

    pub(super) fn pair_of(&self, cell: CellIndex) -> PairIndex {
        self.cells[cell as usize].pair
    }

    pub(super) fn enter(&mut self, cell: CellIndex, entry: Entry) {
        let cell = &mut self.cells[cell as usize];
        match self.live {
            true => cell.entries[entry as usize] += 1,
            false => cell.waiting_at_start += 1,
        }
    }

    /// Leaves the line; `verdict` belongs to this entry and is none where it goes on under another label.
    pub(super) fn exit(&mut self, cell: CellIndex, exit: Exit, verdict: Option<Verdict>) {
        let cell = &mut self.cells[cell as usize];
        if !self.live {
            cell.waiting_at_start -= 1;
            return;
        }
        cell.exits[exit as usize] += 1;
        if let Some(verdict) = verdict {
            cell.verdicts[verdict as usize] += 1;
        }
    }

    /// A verdict on one that waits on.
    pub(super) fn judged(&mut self, cell: CellIndex, verdict: Verdict) {
        self.cells[cell as usize].verdicts[verdict as usize] += u64::from(self.live);
    }

    /// The place of the results of a queue's clocks of this kind and tier.
    fn clock_results(&mut self, queue: u32, kind: ClockKind, tier: &str) -> &mut ClockResults {
        let table = &mut self.queues[queue as usize];
        let base = [("workspace", &*self.workspace), ("queue", &*table.name), ("clock", kind.word())];
        if !table.clocks.iter().any(|(known, _)| *known == kind) {
            table.clocks.push((kind, labels(&base)));
        }
        let known = table.clock_results.iter().position(|known| known.kind == kind && &*known.tier == tier);
        let at = known.unwrap_or_else(|| {
            let shown = if tier.is_empty() { NONE } else { tier };
            let labels = labels(&[base[0], base[1], base[2], ("tier", shown)]);
            let counts = [0; ClockResult::COUNT];
            table.clock_results.push(ClockResults { kind, tier: tier.into(), labels, counts });
            table.clock_results.len() - 1
        });
        &mut table.clock_results[at]
    }

    /// A clock of a conversation of this cell has ended.
    pub(super) fn clock_ended(&mut self, cell: CellIndex, kind: ClockKind, tier: &str, result: ClockResult) {
        let by = u64::from(self.live);
        let queue = self.pairs[self.pair_of(cell) as usize].queue;
        self.clock_results(queue, kind, tier).counts[result as usize] += by;
    }

    /// How long what a completed clock measured has taken, in both bases.
    pub(super) fn took(
        &mut self,
        cell: CellIndex,
        ms: [u64; BASES.len()],
        of: impl Fn(&mut Durations) -> &mut [Waits; 2],
    ) {
        if self.live {
            let waits = of(&mut self.pair_mut(cell).durations);
            waits.iter_mut().zip(ms).for_each(|(waits, ms)| waits.record(ms));
        }
    }

    /// The wait of one that left by `exit`, as queue waits count it: answered and abandoned ones.
    pub(super) fn waited(&mut self, cell: CellIndex, exit: Exit, waited_ms: u64) {
        let live = self.live;
        let pair = self.pair_mut(cell);
        match exit {
            _ if !live => {}
            Exit::Answered | Exit::Claimed => pair.answered.record(waited_ms),
            Exit::Abandoned => pair.abandoned.record(waited_ms),
            _ => {}
        }
    }

    fn pair_mut(&mut self, cell: CellIndex) -> &mut Pair {
        let pair = self.pair_of(cell);
        &mut self.pairs[pair as usize]
    }

    fn queue_mut(&mut self, cell: CellIndex) -> &mut QueueTable {
        let queue = self.pairs[self.pair_of(cell) as usize].queue;
        &mut self.queues[queue as usize]
    }

    pub(super) fn assigned(&mut self, cell: CellIndex, kind: Kind) {
        let by = u64::from(self.live);
        self.pair_mut(cell).assignments[kind as usize] += by;
    }

    pub(super) fn handled(&mut self, cell: CellIndex, held_ms: u64) {
        if self.live {
            self.pair_mut(cell).handled.record(held_ms);
        }
    }

    pub(super) fn wrapped_up(&mut self, pair: PairIndex, held_ms: u64) {
        if self.live {
            self.pairs[pair as usize].wrapped_up.record(held_ms);
        }
    }

    pub(super) fn ended(&mut self, cell: CellIndex, ended: Ended) {
        let by = u64::from(self.live);
        self.pair_mut(cell).ended[ended as usize] += by;
    }

    pub(super) fn offer_ended(&mut self, cell: CellIndex, outcome: OfferOutcome, stood_ms: u64) {
        if self.live {
            self.pair_mut(cell).offers[outcome as usize] += 1;
            self.queue_mut(cell).offered.record(stood_ms);
        }
    }

    pub(super) fn reopened(&mut self, cell: CellIndex) {
        let by = u64::from(self.live);
        self.queue_mut(cell).reopens += by;
    }

    pub(super) fn collided(&mut self, cell: CellIndex, collision: Collision) {
        let by = u64::from(self.live);
        self.queue_mut(cell).collisions[collision as usize] += by;
    }

    pub(super) fn transferred(&mut self, cell: CellIndex, transfer: Transfer, has_note: bool) {
        let by = u64::from(self.live);
        self.queue_mut(cell).transfers[transfer as usize][usize::from(has_note)] += by;
    }

    pub(super) fn preferred(&mut self, cell: CellIndex, result: Preferred) {
        let by = u64::from(self.live);
        self.queue_mut(cell).preferred[result as usize] += by;
    }

    /// `step` 0: the end of the first ring.
    pub(super) fn relaxed(&mut self, cell: CellIndex, step: usize) {
        let by = u64::from(self.live);
        self.queue_mut(cell).relaxed[step.min(STEPS.len() - 1)] += by;
    }

    pub(super) fn escalated(&mut self, cell: CellIndex, level: u64, trigger: Trigger) {
        let by = u64::from(self.live);
        let queue = self.pairs[self.pair_of(cell) as usize].queue;
        let at = self.level(queue, level.min(LEVEL_MAX));
        self.queues[queue as usize].levels[at].counts[trigger as usize] += by;
    }

    fn level(&mut self, queue: u32, level: u64) -> usize {
        let table = &mut self.queues[queue as usize];
        table.levels.iter().position(|known| known.level == level).unwrap_or_else(|| {
            table.levels.push(Level::new(&self.workspace, &table.name, level));
            table.levels.len() - 1
        })
    }

    /// A score as its share of the largest possible, of a queue by its name.
    pub(super) fn surveyed(&mut self, queue: &str, survey: Survey, share: f64) {
        if self.live {
            let queue = self.queue(queue);
            let (sum, count) = &mut self.queues[queue as usize].surveys[survey as usize];
            (*sum, *count) = (*sum + share, *count + 1);
        }
    }

    pub(super) fn lost_context(&mut self, loss: ContextLoss) {
        self.context_losses[loss as usize] += u64::from(self.live);
    }

    /// (how many wait, arrival of the longest waiting) by cell, as the replica says. Lines that no decision ever told of
    /// are an error.
    pub(super) fn waiting_of(&self, queues: &[view::Queue]) -> Result<Vec<(u64, u64)>, String> {
        let mut waiting = vec![(0, u64::MAX); self.cells.len()];
        for queue in queues {
            for line in &queue.lines {
                let pair = self.known_pair(&queue.name, &line.channel);
                let cell = pair.and_then(|pair| self.pairs[pair as usize].tiers.get(&line.tier));
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
            let told = cell.told_waiting();
            let labels: Vec<String> = cell.labels.to_strings().collect();
            (told != waiting as i64)
                .then(|| format!("{}: {told} by entries and exits, {waiting} wait", labels.join(",")))
        })
    }
}

impl Cell {
    /// What waits, by what decisions said.
    pub(super) fn told_waiting(&self) -> i64 {
        let sum = |counts: &[u64]| counts.iter().sum::<u64>() as i64;
        self.waiting_at_start + sum(&self.entries) - sum(&self.exits)
    }
}

impl QueueTable {
    fn new(workspace: &str, name: &str) -> QueueTable {
        let base = [("workspace", workspace), ("queue", name)];
        QueueTable {
            labels: labels(&base),
            labels_transfer: Transfer::WORDS.map(|kind| labels(&[base[0], base[1], ("kind", kind)])),
            name: name.into(),
            pairs: HashMap::new(),
            reopens: 0,
            collisions: [0; Collision::COUNT],
            transfers: [[0; 2]; Transfer::COUNT],
            preferred: [0; Preferred::COUNT],
            relaxed: [0; STEPS.len()],
            levels: vec![Level::new(workspace, name, 0)],
            clocks: Vec::new(),
            clock_results: Vec::new(),
            surveys: [(0.0, 0); Survey::COUNT],
            offered: Waits::default(),
        }
    }
}

impl Level {
    fn new(workspace: &str, queue: &str, level: u64) -> Level {
        let text = level.to_string();
        let labels = labels(&[("workspace", workspace), ("queue", queue), ("level", &text)]);
        Level { level, labels, counts: [0; Trigger::COUNT], in_ladder: false, by_clock: false }
    }
}

/// A shard that is read anew shows its queues by name again.
impl Drop for Tables {
    fn drop(&mut self) {
        self.queues_left.fetch_add(self.granted, Relaxed);
    }
}

/// The numbers that its levels' escalations are told with.
fn clock_levels(clock: &engine::policy::Clock) -> impl Iterator<Item = u64> {
    let number = |(place, level): (usize, &engine::policy::ClockLevel)| match level.escalate {
        0 => place as u64 + 1,
        rung => u64::from(rung),
    };
    clock.levels.iter().enumerate().map(number).map(|number| number.min(LEVEL_MAX))
}

/// Kinds of clocks that have a target for some conversation of this queue.
fn clocks_of(policy: &Policy, queue: &Queue, channels: &BTreeSet<&str>) -> Vec<ClockKind> {
    let has_target = |clock: &engine::policy::Clock| {
        let fits = |target: &engine::policy::Target| target.queue.is_empty() || target.queue == queue.name;
        clock.target_ms > 0 || clock.targets.iter().any(fits)
    };
    let mut kinds: Vec<ClockKind> = policy.clocks.iter().filter(|c| has_target(c)).map(|clock| clock.kind).collect();
    let windowed = policy.channels.iter().filter(|channel| channel.reply_window_ms > 0);
    if windowed.into_iter().any(|channel| channels.contains(&*channel.name)) && !kinds.contains(&ClockKind::ReplyWindow)
    {
        kinds.push(ClockKind::ReplyWindow);
    }
    kinds
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

/// Also those that conversations only come to from another queue, whatever their channel.
fn reached_by_any_channel(policy: &Policy, queue: &str) -> bool {
    let unconditional = |rule: &&engine::policy::Rule| !rule.when.iter().any(|c| c.subject == Subject::Channel);
    policy.rules.iter().filter(|rule| &*rule.queue == queue).any(|rule| unconditional(&rule))
        || policy.entries.iter().any(|entry| &*entry.queue == queue)
        || policy.queues.iter().any(|other| leads_to(other, queue))
}

/// By overflow, a way out, the end of a round or its ladder.
fn leads_to(from: &Queue, queue: &str) -> bool {
    let exits = [&from.on_full, &from.on_max_wait, &from.on_closed, &from.on_unstaffed, &from.on_unservable];
    exits.iter().any(|exit| exit.kind == engine::policy::ExitKind::Queue && &*exit.text == queue)
        || from.steps.iter().any(|step| &*step.overflow == queue)
        || from.ladder.iter().any(|rung| &*rung.queue == queue)
        || (from.on_all_declined == engine::policy::RoundEnd::Queue && &*from.all_declined_queue == queue)
}
