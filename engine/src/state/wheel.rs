//! When what is due: two flat wheels, 32,768 slots of 8 ms (4.4 min) and 16,384 of a minute (11 days), exact to the ms.
//!
//! Derived from the state, never part of it. A timer that is moved later leaves its entry where it stands: the owner is
//! asked for the truth when the entry's turn comes (`pop_due`), and it goes on from there. What is cancelled falls away
//! in the same moment. So a re-arm costs one store, and the wheel holds an entry of each live timer and, until their
//! times, those of cancelled timers and of ones that were moved earlier.
//!
//! Nothing cascades at once: a minute's entries go over to the fine slots 256 at a time, a slice every 8 ms just before
//! that minute begins. No call handles more than 256 entries; one that has not come to an end leaves `next_at` at or
//! before `now`, and is to be made again.

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Entries that one call of `pop_due` handles at most: fires, drops, or moves.
pub const SLICE: u32 = 256;
const FINE_MS: u64 = 8;
const FINE_SLOTS: u64 = 32_768;
const COARSE_MS: u64 = 60_000;
const COARSE_SLOTS: u64 = 16_384;
/// Fine slots of a coarse one; none lies across a border.
const FINE_IN_COARSE: u64 = COARSE_MS / FINE_MS;
/// The next slice of a minute is due so long after the one before.
const SLICE_EVERY_MS: u64 = FINE_MS;
/// Entries of a node: 128 bytes, two lines that are fetched together.
const IN_NODE: u32 = 5;
/// Nodes are allocated so many at a time, and never copied: growing a single table of millions would be a stall.
const CHUNK: usize = 1_024;

/// A timer as it stands in the wheel. Fires in the order of deadline, then arm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// Deadline, ms.
    pub at: u64,
    /// Number of the arming; each has its own.
    pub arm: u64,
    /// Whose timer it is: the owner's name for it.
    pub key: u64,
}

pub struct Wheel {
    nodes: Nodes,
    fine: Slots,
    coarse: Slots,
    /// The fine slot before `position`, the earliest last.
    sorted: Vec<Entry>,
    /// What came later for a time before `position`, and crowded slots: of one that is being emptied, a part.
    due: BinaryHeap<Reverse<Entry>>,
    /// Absolute number of the first fine slot that is not empty for good.
    position: u64,
    /// What came before any `now`: where it belongs is not known yet.
    loaded: List,
    /// The first `now` has come.
    is_set: bool,
    /// Not later than the first call that would do anything.
    next: u64,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel::new()
    }
}

impl Wheel {
    pub fn new() -> Wheel {
        Wheel {
            nodes: Nodes::default(),
            fine: Slots::new(FINE_SLOTS),
            coarse: Slots::new(COARSE_SLOTS),
            sorted: Vec::new(),
            due: BinaryHeap::new(),
            position: 0,
            loaded: List::default(),
            is_set: false,
            next: u64::MAX,
        }
    }

    /// Entries, with those that nobody wants any more.
    pub fn len(&self) -> usize {
        self.nodes.held + self.sorted.len() + self.due.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry: of a timer that has none, or none that is as early.
    pub fn push(&mut self, entry: Entry) {
        if self.is_set {
            self.place(entry);
        } else {
            self.nodes.push(&mut self.loaded, entry);
            self.next = 0;
        }
    }

    /// The earliest deadline that may be due, or earlier where the wheel has to be turned; never later.
    pub fn next_at(&self) -> Option<u64> {
        (self.next < u64::MAX).then_some(self.next)
    }

    /// The earliest entry that is due at `now` (ms; never falls), and no more in the wheel.
    ///
    /// `truth` says what the timer of an entry's key is armed to now: nothing (it was cancelled: the entry is dropped),
    /// this very entry (it is returned), or another (it goes there). It is asked once, in the entry's turn. None with
    /// `next_at` at or before `now`: not done yet, call again.
    pub fn pop_due(&mut self, now: u64, truth: &mut dyn FnMut(&Entry) -> Option<Entry>) -> Option<Entry> {
        if self.next > now {
            return None;
        }
        let mut left = SLICE;
        let fired = loop {
            if left == 0 {
                break None;
            }
            let Some(entry) = self.first_due(now) else {
                if self.turn(now, &mut left) { continue } else { break None }
            };
            // Copies of one arming meet: of them one counts.
            while left > 0 && self.drop_first(&entry) {
                left -= 1;
            }
            match truth(&entry) {
                None => {}
                Some(armed) if armed == entry => break Some(entry),
                Some(armed) => self.place(armed),
            }
        };
        self.next = self.find_next();
        fired
    }

    /// The first of those that are in order.
    fn first_due(&self, now: u64) -> Option<Entry> {
        let due = self.due.peek().map(|Reverse(entry)| *entry);
        let first = due.into_iter().chain(self.sorted.last().copied()).min()?;
        (self.loaded.is_empty() && first.at <= now && first.at / FINE_MS < self.position).then_some(first)
    }

    /// False: it does not stand first any more.
    fn drop_first(&mut self, entry: &Entry) -> bool {
        if self.sorted.last() == Some(entry) {
            return self.sorted.pop().is_some();
        }
        self.due.peek() == Some(&Reverse(*entry)) && self.due.pop().is_some()
    }

    /// Brings more entries into order; false where nothing is left to do at `now`.
    fn turn(&mut self, now: u64, left: &mut u32) -> bool {
        if !self.is_set {
            self.is_set = true;
            self.position = now / FINE_MS;
        }
        if !self.loaded.is_empty() {
            while *left > 0
                && let Some(entry) = self.nodes.pop(&mut self.loaded)
            {
                *left -= 1;
                self.place(entry);
            }
            return true;
        }
        let minute = self.first_minute();
        let slot = self.fine.first(self.position).unwrap_or(u64::MAX);
        // What is empty is passed over; a minute that has not gone over is not.
        let end = now / FINE_MS + 1;
        self.position = self.position.max(end.min(slot).min(minute.map_or(u64::MAX, |minute| minute * FINE_IN_COARSE)));
        if slot == self.position && slot < end && minute.is_none_or(|minute| slot < minute * FINE_IN_COARSE) {
            self.empty_slot(slot, left);
            return true;
        }
        if let Some(minute) = minute
            && self.slice_at(minute) <= now
        {
            debug_assert!((minute + 1) * FINE_IN_COARSE <= self.position + FINE_SLOTS, "all of it finds a fine slot");
            self.move_over(minute, left);
            return true;
        }
        false
    }

    fn first_minute(&self) -> Option<u64> {
        self.coarse.first(self.position / FINE_IN_COARSE)
    }

    fn empty_slot(&mut self, slot: u64, left: &mut u32) {
        let is_crowded = self.fine.len(slot) > *left || !self.sorted.is_empty();
        while *left > 0
            && let Some(entry) = self.fine.pop(&mut self.nodes, slot)
        {
            *left -= 1;
            if is_crowded { self.due.push(Reverse(entry)) } else { self.sorted.push(entry) }
        }
        if self.fine.len(slot) == 0 {
            self.position = slot + 1;
        }
        self.sorted.sort_unstable_by(|one, other| other.cmp(one));
    }

    fn move_over(&mut self, minute: u64, left: &mut u32) {
        while *left > 0
            && let Some(entry) = self.coarse.pop(&mut self.nodes, minute)
        {
            *left -= 1;
            self.place(entry);
        }
    }

    /// When the next slice of a minute goes over: so early that the last one is over before it begins.
    fn slice_at(&self, minute: u64) -> u64 {
        let slices = u64::from(self.coarse.len(minute).div_ceil(SLICE));
        (minute * COARSE_MS).saturating_sub((slices * SLICE_EVERY_MS).min(COARSE_MS))
    }

    fn place(&mut self, entry: Entry) {
        let slot = entry.at / FINE_MS;
        if slot < self.position {
            self.due.push(Reverse(entry));
            self.next = self.next.min(entry.at);
        } else if slot < self.position + FINE_SLOTS {
            self.fine.push(&mut self.nodes, slot, entry);
            self.next = self.next.min(entry.at);
        } else {
            // What lies too far goes round: from the last slot to the last slot of that time.
            let last = self.position / FINE_IN_COARSE + COARSE_SLOTS - 1;
            let minute = (entry.at / COARSE_MS).min(last);
            self.coarse.push(&mut self.nodes, minute, entry);
            self.next = self.next.min(self.slice_at(minute));
        }
    }

    fn find_next(&self) -> u64 {
        if !self.loaded.is_empty() {
            return 0;
        }
        let slice = self.first_minute().map_or(u64::MAX, |minute| self.slice_at(minute));
        let due = self.due.peek().map(|Reverse(entry)| entry.at);
        let entry = match due.into_iter().chain(self.sorted.last().map(|entry| entry.at)).min() {
            // Of a slot that is being emptied the rest may be earlier.
            Some(at) => at.min(self.position * FINE_MS),
            None => self.fine.first(self.position).map_or(u64::MAX, |slot| slot * FINE_MS),
        };
        slice.min(entry)
    }
}

/// A ring of slots, each a list of entries. A slot is named by its absolute number; never two a turn apart are in use.
/// Nothing is allocated before the first entry.
struct Slots {
    slots: usize,
    lists: Vec<List>,
    /// A bit for each slot that has entries, and above each 64 of those one that says whether any is set.
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Slots {
    fn new(slots: u64) -> Slots {
        Slots { slots: slots as usize, lists: Vec::new(), words: Vec::new(), summary: Vec::new() }
    }

    fn at(&self, slot: u64) -> usize {
        slot as usize & (self.slots - 1)
    }

    fn len(&self, slot: u64) -> u32 {
        self.lists[self.at(slot)].len
    }

    fn push(&mut self, nodes: &mut Nodes, slot: u64, entry: Entry) {
        if self.lists.is_empty() {
            self.lists = vec![List::default(); self.slots];
            self.words = vec![0; self.slots / 64];
            self.summary = vec![0; self.slots / 4_096];
        }
        let at = self.at(slot);
        nodes.push(&mut self.lists[at], entry);
        self.words[at / 64] |= 1 << (at % 64);
        self.summary[at / 4_096] |= 1 << (at / 64 % 64);
    }

    fn pop(&mut self, nodes: &mut Nodes, slot: u64) -> Option<Entry> {
        let at = self.at(slot);
        let entry = nodes.pop(&mut self.lists[at])?;
        if self.lists[at].is_empty() {
            self.words[at / 64] &= !(1 << (at % 64));
            if self.words[at / 64] == 0 {
                self.summary[at / 4_096] &= !(1 << (at / 64 % 64));
            }
        }
        Some(entry)
    }

    /// The first slot that has entries, from the absolute number `from` on and within one turn.
    fn first(&self, from: u64) -> Option<u64> {
        if self.lists.is_empty() {
            return None;
        }
        let start = self.at(from);
        let found = self.first_from(start).or_else(|| self.first_from(0))?;
        Some(from + ((found + self.slots - start) & (self.slots - 1)) as u64)
    }

    /// The same as a place, up to the end of the ring.
    fn first_from(&self, start: usize) -> Option<usize> {
        let word = start / 64;
        let here = self.words[word] & (u64::MAX << (start % 64));
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        let mut beyond = self.summary[word / 64] & u64::MAX.checked_shl(word as u32 % 64 + 1).unwrap_or(0);
        let mut above = word / 64;
        while beyond == 0 {
            above += 1;
            beyond = *self.summary.get(above)?;
        }
        let word = above * 64 + beyond.trailing_zeros() as usize;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }
}

/// A list of entries in nodes, the last pushed first; all nodes but the first are full. Nodes are numbered from 1; 0 is
/// the end.
#[derive(Clone, Copy, Default)]
struct List {
    head: u32,
    /// Entries.
    len: u32,
}

impl List {
    fn is_empty(self) -> bool {
        self.len == 0
    }
}

#[derive(Clone, Copy)]
struct Node {
    entries: [Entry; IN_NODE as usize],
    next: u32,
}

/// Where the lists' nodes are; those given back are taken again first.
#[derive(Default)]
struct Nodes {
    chunks: Vec<Box<[Node; CHUNK]>>,
    free: u32,
    /// Entries in all lists.
    held: usize,
}

impl Nodes {
    fn node(&mut self, number: u32) -> &mut Node {
        let at = number as usize - 1;
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    fn push(&mut self, list: &mut List, entry: Entry) {
        let place = list.len % IN_NODE;
        if place == 0 {
            let number = self.take_free();
            self.node(number).next = list.head;
            list.head = number;
        }
        self.node(list.head).entries[place as usize] = entry;
        list.len += 1;
        self.held += 1;
    }

    fn pop(&mut self, list: &mut List) -> Option<Entry> {
        list.len = list.len.checked_sub(1)?;
        self.held -= 1;
        let (number, free) = (list.head, self.free);
        let place = list.len % IN_NODE;
        let node = self.node(number);
        let entry = node.entries[place as usize];
        if place == 0 {
            list.head = node.next;
            node.next = free;
            self.free = number;
        }
        Some(entry)
    }

    fn take_free(&mut self) -> u32 {
        if self.free == 0 {
            let first = self.chunks.len() * CHUNK + 1;
            let number = |at: usize| u32::try_from(first + at).expect("fewer than 2^32 nodes");
            let entries = [Entry { at: 0, arm: 0, key: 0 }; IN_NODE as usize];
            let mut chunk: Vec<Node> = (1..CHUNK).map(|at| Node { entries, next: number(at) }).collect();
            chunk.push(Node { entries, next: 0 });
            self.chunks.push(chunk.try_into().unwrap_or_else(|_| unreachable!("it has as many")));
            self.free = number(0);
        }
        let number = self.free;
        self.free = self.node(number).next;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};

    const START: u64 = 1_790_000_000_003;
    const DAY: u64 = 86_400_000;

    /// SplitMix64 (Steele, Lea, Flood 2014).
    struct Random(u64);

    impl Random {
        fn draw(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }

        fn below(&mut self, bound: u64) -> u64 {
            self.draw() % bound
        }

        /// From nothing to 30 days, every order of size as often.
        fn span(&mut self) -> u64 {
            let max = [1, 8, 1_000, 60_000, 300_000, 4 * 3_600_000, DAY, 30 * DAY][self.below(8) as usize];
            self.below(max + 1)
        }
    }

    /// A timer as the state keeps it: what it is armed to, and which of its entries counts, so that one that is moved to
    /// and fro leaves no trail of entries.
    #[derive(Clone, Copy, Default)]
    struct Timer {
        armed: Option<(u64, u64)>,
        in_wheel: Option<u64>,
    }

    impl Timer {
        fn arm(&mut self, at: u64, arm: u64, key: u64, wheel: &mut Wheel) {
            self.armed = Some((at, arm));
            if self.in_wheel.is_none_or(|in_wheel| at < in_wheel) {
                self.in_wheel = Some(at);
                wheel.push(Entry { at, arm, key });
            }
        }

        fn truth(&mut self, entry: &Entry) -> Option<Entry> {
            if self.in_wheel != Some(entry.at) {
                return None;
            }
            self.in_wheel = None;
            let (at, arm) = self.armed?;
            let armed = Entry { at, arm, key: entry.key };
            if armed != *entry {
                self.in_wheel = Some(at);
            }
            Some(armed)
        }
    }

    /// Timers by key as an owner keeps them, and a sorted set of the same as the definition of what fires when.
    struct Owner {
        wheel: Wheel,
        armed: BTreeMap<u64, Entry>,
        timers: BTreeMap<u64, Timer>,
        /// Whether entries are told apart by `Timer`; else every move to an earlier deadline pushes one.
        keeps_timers: bool,
        model: BTreeSet<Entry>,
        arm: u64,
    }

    impl Owner {
        fn new(keeps_timers: bool) -> Owner {
            let (armed, timers, model) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
            Owner { wheel: Wheel::new(), armed, timers, keeps_timers, model, arm: 0 }
        }

        fn arm(&mut self, key: u64, at: u64) {
            self.arm += 1;
            let entry = Entry { at, arm: self.arm, key };
            let before = self.armed.insert(key, entry);
            before.iter().for_each(|before| assert!(self.model.remove(before)));
            self.model.insert(entry);
            if self.keeps_timers {
                self.timers.entry(key).or_default().arm(at, self.arm, key, &mut self.wheel);
            } else if before.is_none_or(|before| at < before.at) {
                self.wheel.push(entry);
            }
        }

        fn cancel(&mut self, key: u64) {
            if let Some(entry) = self.armed.remove(&key) {
                self.model.remove(&entry);
            }
            if let Some(timer) = self.timers.get_mut(&key) {
                timer.armed = None;
            }
        }

        /// One call, within its bounds.
        fn pop_due(&mut self, now: u64) -> Option<Entry> {
            let (armed, timers, keeps_timers) = (&self.armed, &mut self.timers, self.keeps_timers);
            let before = self.wheel.held();
            let mut asked = 0;
            let fired = self.wheel.pop_due(now, &mut |entry| {
                asked += 1;
                if keeps_timers {
                    timers.get_mut(&entry.key).and_then(|timer| timer.truth(entry))
                } else {
                    armed.get(&entry.key).copied()
                }
            });
            let after = self.wheel.held();
            assert!(asked <= SLICE, "{asked} entries asked about in one call");
            for (before, after) in before.iter().zip(after) {
                assert!(before.abs_diff(after) <= SLICE as usize, "{before} became {after} in one call");
            }
            let next = self.wheel.next_at().unwrap_or(u64::MAX);
            let first = self.model.iter().find(|entry| Some(**entry) != fired).map_or(u64::MAX, |entry| entry.at);
            assert!(next <= first, "next_at is {next}, and an entry is due at {first}");
            if let Some(entry) = fired {
                assert_eq!(self.model.pop_first(), Some(entry));
                self.armed.remove(&entry.key);
            }
            fired
        }

        /// Fires one by one until nothing is wanted at `now`; `after` may arm and cancel in between.
        fn fire_all(&mut self, now: u64, mut after: impl FnMut(&mut Owner, Entry)) -> usize {
            let mut calls = 0;
            while self.wheel.next_at().is_some_and(|at| at <= now) {
                calls += 1;
                if let Some(entry) = self.pop_due(now) {
                    assert!(entry.at <= now);
                    after(self, entry);
                }
                assert!(calls < 1_000_000, "it never comes to an end");
            }
            assert!(self.model.first().is_none_or(|first| first.at > now), "{:?} was not fired", self.model.first());
            calls
        }
    }

    impl Wheel {
        /// How many stand where: loaded, coarse, fine, due.
        fn held(&self) -> [usize; 4] {
            let sum = |slots: &Slots| slots.lists.iter().map(|list| list.len as usize).sum::<usize>();
            [self.loaded.len as usize, sum(&self.coarse), sum(&self.fine), self.sorted.len() + self.due.len()]
        }
    }

    fn history(seed: u64, keeps_timers: bool, keys: u64, steps: u64) {
        let random = &mut Random(seed);
        let mut owner = Owner::new(keeps_timers);
        let mut now = START;
        for _ in 0..steps {
            match random.below(10) {
                0..=4 => {
                    for _ in 0..=random.below(4) {
                        let at = now.saturating_sub(random.below(3)) + random.span();
                        owner.arm(random.below(keys), at);
                    }
                }
                5 => owner.cancel(random.below(keys)),
                6 => {
                    // Many at once, some of them in the very same millisecond.
                    let at = now + random.span();
                    (0..random.below(40)).for_each(|n| owner.arm(random.below(keys), at + n / 8));
                }
                _ => {
                    now += match random.below(100) {
                        0 => random.below(40 * DAY),
                        1..=4 => random.below(DAY),
                        5..=20 => random.span(),
                        _ => random.below(5_000),
                    };
                    let mut random = Random(random.draw());
                    owner.fire_all(now, |owner, entry| match random.below(4) {
                        0 => owner.arm(entry.key, now + random.span()),
                        1 => owner.cancel(random.below(keys)),
                        _ => {}
                    });
                }
            }
        }
        now += 400 * DAY;
        owner.fire_all(now, |_, _| {});
        assert!(owner.model.is_empty());
        assert!(owner.wheel.is_empty() && owner.wheel.next_at().is_none());
    }

    #[test]
    fn fires_what_a_sorted_set_fires_and_in_its_order() {
        for seed in 0..30 {
            history(seed, seed % 2 == 0, 60, 600);
            history(1_000 + seed, seed % 2 == 0, 3, 300);
        }
    }

    #[test]
    fn equal_deadlines_fire_in_the_order_of_their_arms_whatever_their_number() {
        // 256 and 512 fill a slice to the last entry.
        for count in [1, 2, 255, 256, 257, 512, 2_000] {
            for ahead in [5, 3_000, 10 * 60_000, 3 * DAY] {
                let mut owner = Owner::new(true);
                owner.arm(count, START);
                owner.fire_all(START, |_, _| {});
                (0..count).for_each(|key| owner.arm(key, START + ahead));
                // Armed anew to the same deadline: now the last.
                owner.arm(0, START + ahead);
                let mut fired = Vec::new();
                owner.fire_all(START + ahead - 1, |_, _| panic!("too early"));
                owner.fire_all(START + ahead, |_, entry| fired.push(entry.key));
                assert_eq!(fired, (1..count).chain([0]).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_crowded_slot_fires_to_the_millisecond() {
        let mut owner = Owner::new(true);
        owner.arm(0, START);
        owner.fire_all(START, |_, _| {});
        let slot = START / FINE_MS * FINE_MS + 800;
        (0..1_600).for_each(|key| owner.arm(key, slot + key / 200));
        for ms in 0..8 {
            let mut fired = 0;
            owner.fire_all(slot + ms, |_, _| fired += 1);
            assert_eq!(fired, 200);
        }
    }

    #[test]
    fn what_was_armed_long_before_fires_before_what_was_armed_just_now() {
        let minute = (START + 600_000) / COARSE_MS * COARSE_MS;
        for at in [minute, minute + 3, minute + FINE_MS, minute + 59_999] {
            let mut owner = Owner::new(true);
            owner.arm(0, START);
            owner.fire_all(START, |_, _| {});
            owner.arm(0, at);
            // The first is still among the minutes when the second comes.
            owner.arm(1, minute - 90_000);
            owner.fire_all(minute - 90_000, |_, _| {});
            owner.arm(1, at);
            assert_eq!(owner.wheel.held()[1..3], [1, 1]);
            let mut fired = Vec::new();
            owner.fire_all(minute + 3_600_000, |_, entry| fired.push(entry.key));
            assert_eq!(fired, [0, 1]);
        }
    }

    #[test]
    fn a_minute_goes_over_in_slices_spread_over_the_time_before_it() {
        let mut owner = Owner::new(true);
        owner.arm(u64::MAX, START);
        owner.fire_all(START, |_, _| {});
        let minute = (START + 3_600_000) / COARSE_MS * COARSE_MS;
        for key in 0..10_000 {
            owner.arm(key, minute + key % 60_000);
        }
        // Time goes as the wheel asks for it, which is what a shard does that has nothing else to do.
        let mut calls = Vec::new();
        while let Some(at) = owner.wheel.next_at().filter(|at| *at < minute) {
            assert_eq!(owner.pop_due(at), None);
            assert!(owner.wheel.next_at() > Some(at), "one slice at a time");
            calls.push(at);
        }
        assert_eq!(calls.len(), 10_000usize.div_ceil(SLICE as usize));
        assert!(calls[0] >= minute - COARSE_MS);
        assert!(calls.windows(2).all(|two| two[1] - two[0] == SLICE_EVERY_MS));
        assert_eq!(owner.wheel.held()[1], 0, "all of it is over before the minute begins");
        owner.fire_all(minute + 60_000, |_, _| {});
    }

    #[test]
    fn what_lies_beyond_eleven_days_goes_round() {
        let mut owner = Owner::new(true);
        owner.arm(0, START);
        owner.fire_all(START, |_, _| {});
        owner.arm(1, START + 100 * DAY + 7);
        owner.arm(2, START + 100 * DAY + 6);
        owner.arm(3, u64::MAX / 2);
        for day in 1..=100 {
            owner.fire_all(START + day * DAY, |_, _| panic!("too early"));
        }
        let mut fired = Vec::new();
        owner.fire_all(START + 100 * DAY + 6, |_, entry| fired.push(entry.key));
        owner.fire_all(START + 101 * DAY, |_, entry| fired.push(entry.key));
        assert_eq!(fired, [2, 1]);
        assert_eq!(owner.wheel.len(), 1);
    }

    #[test]
    fn what_was_loaded_before_any_time_was_known_fires_in_order() {
        let mut owner = Owner::new(true);
        (0..5_000).for_each(|key| owner.arm(key, START + (key * 7_919) % 5_000 * 1_000_000));
        assert_eq!(owner.wheel.next_at(), Some(0), "it asks to be sorted");
        owner.fire_all(START + 2_000_000_000, |_, _| {});
        assert_eq!(owner.model.len(), 5_000 - 2_001);
        owner.fire_all(START + 5_000_000_000, |_, _| {});
        assert!(owner.wheel.is_empty());
    }

    #[test]
    fn a_timer_that_is_moved_to_and_fro_keeps_one_entry() {
        let mut owner = Owner::new(true);
        let mut now = START;
        for round in 0..10_000 {
            now += 1_000;
            // The owner's silence, the customer's silence, in turn.
            owner.arm(1, now + if round % 2 == 0 { DAY } else { 7 * DAY });
            owner.fire_all(now, |_, _| panic!("too early"));
            assert!(owner.wheel.len() <= 2, "{} entries", owner.wheel.len());
        }
        owner.cancel(1);
        owner.fire_all(now + 8 * DAY, |_, _| panic!("it was cancelled"));
        assert!(owner.wheel.is_empty());
    }

    #[test]
    fn moved_earlier_without_a_timer_of_its_own_copies_meet_and_fire_once() {
        let mut owner = Owner::new(false);
        owner.arm(0, START);
        owner.fire_all(START, |_, _| {});
        // Each an entry of its own; then one deadline behind them all.
        (0..600).rev().for_each(|n| owner.arm(1, START + 1_000 + n));
        owner.arm(1, START + 500_000);
        let mut fired = 0;
        owner.fire_all(START + 600_000, |_, _| fired += 1);
        assert_eq!((fired, owner.wheel.len()), (1, 0));
    }
}
