//! A requirement set: the agents who may serve it in the order of its queue's strategy, by rank.
//!
//! The order is kept in heaps with lazy deletion. A candidate always has an entry that is at least as good as his key:
//! one is pushed when he joins or his key gets better; when it gets worse nothing is done, and an entry that promises
//! too much is put right when it comes to the top. So taking work costs no heap anything, and a heap that has more
//! stale entries than members is built anew. Everything but the rotations is derived.
//!
//! Members of one rank have a pool and a rotation of their own: a contact goes to the lowest rank present, and who is
//! no candidate of a pick is frozen, so two ranks never move each other's shares.

use super::agent::{Agent, IdleKey, LoadKey, Part};
use super::digest::Fingerprint;
use crate::effect::Requirement;
use crate::id::HashKey;
use crate::policy::Strategy;
use alloc::collections::BinaryHeap;
use alloc::collections::binary_heap::PeekMut;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

/// One pick, in the rotation's unit.
pub(super) const PICK: i128 = 1 << 32;

/// V of routing.md §4: V0 + picks / weight, V0 in 2^-32.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Rotation {
    pub v0: i128,
    /// Picks since the candidates or a weight last changed.
    pub picks: u64,
    /// Sum of the candidates' weights (derived).
    pub weight: u64,
}

impl Rotation {
    /// V0 := V rounded down.
    fn settle(&mut self) {
        if self.picks > 0 {
            self.v0 += (i128::from(self.picks) << 32) / i128::from(self.weight);
            self.picks = 0;
        }
    }

    /// (due - picked) x W of a candidate at the next pick, from which candidates of so much weight are left out: exact,
    /// to be compared within one pick.
    pub fn next_due(&self, weight: u16, b: i128, frozen_weight: u64) -> i128 {
        if frozen_weight == 0 {
            return self.numerator(weight, b, 1);
        }
        let mut settled = *self;
        settled.settle();
        settled.weight -= frozen_weight;
        settled.numerator(weight, b, 1)
    }

    /// (due - picked) x W of a candidate after `ahead` more picks: exact, to be compared within one set.
    pub fn numerator(&self, weight: u16, b: i128, ahead: u64) -> i128 {
        let w = i128::from(self.weight);
        i128::from(weight) * (self.v0 * w + (i128::from(self.picks + ahead) << 32)) - b * w
    }
}

struct WeightClass {
    weight: u16,
    heap: BinaryHeap<Reverse<(i128, u32)>>,
}

/// Whether a conversation may go to a candidate of its set.
pub(super) type Eligible<'e> = &'e dyn Fn(&Agent, u32) -> bool;

/// A candidate's key as it is now, and whether he may be taken; none for somebody who is no candidate.
type Truth<'t, K> = &'t mut dyn FnMut(&mut [Agent], &K) -> Option<(K, bool)>;

/// The order of `most_skilled`: the largest score first.
type SkillKey = (Reverse<u64>, IdleKey);

enum Pool {
    Idle(BinaryHeap<Reverse<IdleKey>>),
    Load(BinaryHeap<Reverse<LoadKey>>),
    Weighted(Vec<WeightClass>),
    Skilled(BinaryHeap<Reverse<SkillKey>>),
}

impl Pool {
    fn new(strategy: Strategy) -> Pool {
        match strategy {
            Strategy::LongestIdle | Strategy::Manual => Pool::Idle(BinaryHeap::new()),
            Strategy::LeastLoaded => Pool::Load(BinaryHeap::new()),
            Strategy::WeightedRoundRobin => Pool::Weighted(Vec::new()),
            Strategy::MostSkilled => Pool::Skilled(BinaryHeap::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Pool::Idle(heap) => heap.len(),
            Pool::Load(heap) => heap.len(),
            Pool::Weighted(classes) => classes.iter().map(|c| c.heap.len()).sum(),
            Pool::Skilled(heap) => heap.len(),
        }
    }
}

/// The members of one rank.
pub(super) struct Rank {
    pub rank: u8,
    pub candidates: u32,
    pub rotation: Rotation,
    pool: Pool,
}

pub struct RequirementSet {
    /// False: the slot is given up.
    pub(super) open: bool,
    pub(super) queue: u32,
    pub(super) channel: u32,
    pub(super) requirement: Requirement,
    pub(super) strategy: Strategy,
    /// Conversations that wait in it, in any of its lanes.
    pub(super) waiting: u32,
    pub(super) members: Vec<u32>,
    /// Members who fit now; the same by the delay of their membership.
    pub(super) candidates: u32,
    pub(super) by_delay: Vec<(u64, u32)>,
    /// Rising.
    pub(super) ranks: Vec<Rank>,
    pub(super) lanes: Vec<u32>,
    /// Its row has changed since the last seal; and is in the list of such.
    pub(super) dirty: bool,
    pub(super) listed: bool,
    pub(super) fingerprint: u128,
}

impl RequirementSet {
    pub(super) fn new(queue: u32, channel: u32, requirement: Requirement, strategy: Strategy) -> RequirementSet {
        RequirementSet {
            open: true,
            queue,
            channel,
            requirement,
            strategy,
            waiting: 0,
            members: Vec::new(),
            candidates: 0,
            by_delay: Vec::new(),
            ranks: Vec::new(),
            lanes: Vec::new(),
            dirty: false,
            listed: false,
            fingerprint: 0,
        }
    }

    pub(super) fn digest(&self, workspace: u32, set: u32, key: HashKey) -> u128 {
        if !self.open {
            return 0;
        }
        let mut f = Fingerprint::new(key, 3);
        f.word(u64::from(workspace) << 32 | u64::from(set));
        f.word(u64::from(self.queue) << 32 | u64::from(self.channel));
        let r = &self.requirement;
        for s in &r.skills {
            f.word(u64::from(s.skill) << 8 | u64::from(s.level));
        }
        r.teams.iter().for_each(|team| f.word(u64::from(*team)));
        f.word((r.skills.len() as u64) << 32 | r.teams.len() as u64);
        f.word(u64::from(r.ring_team) << 16 | u64::from(r.ring_seniority) << 8 | u64::from(r.unclaimed));
        for rank in self.ranks.iter().filter(|rank| rank.rotation.v0 != 0 || rank.rotation.picks != 0) {
            f.word(u64::from(rank.rank));
            f.wide(rank.rotation.v0 as u128);
            f.word(rank.rotation.picks);
        }
        f.end()
    }

    fn rank_mut(&mut self, rank: u8) -> &mut Rank {
        let at = self.ranks.binary_search_by_key(&rank, |r| r.rank).unwrap_or_else(|at| {
            let pool = Pool::new(self.strategy);
            self.ranks.insert(at, Rank { rank, candidates: 0, rotation: Rotation::default(), pool });
            at
        });
        &mut self.ranks[at]
    }

    fn counted(&mut self, part: &Part, is_more: bool) {
        let step = |count: &mut u32| *count = if is_more { *count + 1 } else { *count - 1 };
        step(&mut self.candidates);
        let delay = part.member.delay_ms;
        let at = self.by_delay.binary_search_by_key(&delay, |d| d.0).unwrap_or_else(|at| {
            self.by_delay.insert(at, (delay, 0));
            at
        });
        step(&mut self.by_delay[at].1);
        step(&mut self.rank_mut(part.member.rank).candidates);
    }

    /// Candidates whom a conversation reaches after so long in its queue.
    pub(super) fn reached(&self, stage_ms: u64) -> u32 {
        self.by_delay.iter().take_while(|(delay, _)| *delay <= stage_ms).map(|(_, count)| count).sum()
    }

    /// An agent becomes a candidate.
    pub(super) fn join(&mut self, part: &mut Part, agent: &AgentKeys) {
        part.candidate = true;
        self.counted(part, true);
        self.turn_begins(part, agent.weight);
        // V never falls, so the share of one who comes back is not better than that of his old entry.
        if !part.in_pool {
            self.push(part, agent);
        }
    }

    /// A candidate no longer fits.
    pub(super) fn leave(&mut self, part: &mut Part, weight: u16) {
        part.candidate = false;
        self.counted(part, false);
        self.turn_ends(part, weight);
    }

    fn turn_begins(&mut self, part: &mut Part, weight: u16) {
        if self.strategy == Strategy::WeightedRoundRobin {
            let rotation = &mut self.rank_mut(part.member.rank).rotation;
            rotation.settle();
            part.share = i128::from(weight) * rotation.v0 - part.share;
            rotation.weight += u64::from(weight);
            self.dirty = true;
        }
    }

    fn turn_ends(&mut self, part: &mut Part, weight: u16) {
        if self.strategy == Strategy::WeightedRoundRobin {
            let rotation = &mut self.rank_mut(part.member.rank).rotation;
            rotation.settle();
            part.share = i128::from(weight) * rotation.v0 - part.share;
            rotation.weight -= u64::from(weight);
            self.dirty = true;
        }
    }

    /// A candidate is left out of one pick, and is one again after it.
    pub(super) fn freeze(&mut self, part: &mut Part, weight: u16, is: bool) {
        match is {
            true => self.turn_ends(part, weight),
            false => self.turn_begins(part, weight),
        }
    }

    /// The rotation picked a candidate.
    pub(super) fn picked(&mut self, part: &mut Part) {
        self.rank_mut(part.member.rank).rotation.picks += 1;
        part.share += PICK;
        self.dirty = true;
    }

    /// Enters a candidate's present key.
    pub(super) fn push(&mut self, part: &mut Part, agent: &AgentKeys) {
        part.in_pool = true;
        match &mut self.rank_mut(part.member.rank).pool {
            Pool::Idle(heap) => heap.push(Reverse(agent.idle)),
            Pool::Load(heap) => heap.push(Reverse(agent.load)),
            Pool::Skilled(heap) => heap.push(Reverse((Reverse(part.score), agent.idle))),
            Pool::Weighted(classes) => {
                let at = match classes.binary_search_by_key(&agent.weight, |c| c.weight) {
                    Ok(at) => at,
                    Err(at) => {
                        classes.insert(at, WeightClass { weight: agent.weight, heap: BinaryHeap::new() });
                        at
                    }
                };
                classes[at].heap.push(Reverse((part.share, agent.idle.agent)));
            }
        }
    }

    /// More than half of the entries are stale.
    pub(super) fn is_cluttered(&self) -> bool {
        self.ranks.iter().map(|rank| rank.pool.len()).sum::<usize>() > 2 * self.members.len() + 64
    }

    /// Builds the pools anew from the members.
    pub(super) fn rebuild(&mut self, set: u32, agents: &mut [Agent]) {
        for rank in &mut self.ranks {
            rank.pool = Pool::new(self.strategy);
        }
        let members = core::mem::take(&mut self.members);
        for slot in &members {
            let agent = &mut agents[*slot as usize];
            let keys = AgentKeys::of(agent, *slot);
            if let Some(part) = agent.part_mut(set) {
                part.in_pool = false;
                if part.candidate {
                    self.push(part, &keys);
                }
            }
        }
        self.members = members;
    }

    /// Whom the strategy names of the lowest rank in which somebody is eligible (none given: all candidates are), and the
    /// candidates of that rank who are not. Stale entries above him are put right or dropped. None: nobody is.
    pub(super) fn best(
        &mut self,
        set: u32,
        agents: &mut [Agent],
        eligible: Option<Eligible<'_>>,
    ) -> Option<(u32, Vec<u32>)> {
        for rank in self.ranks.iter_mut().filter(|rank| rank.candidates > 0) {
            let mut frozen = Vec::new();
            if let Some(eligible) = eligible {
                frozen.extend(self.members.iter().copied().filter(|slot| {
                    let agent = &agents[*slot as usize];
                    let is_here = agent.part(set).is_some_and(|p| p.candidate && p.member.rank == rank.rank);
                    is_here && !eligible(agent, *slot)
                }));
                if frozen.len() as u32 == rank.candidates {
                    continue;
                }
            }
            let weight = frozen.iter().map(|slot| u64::from(agents[*slot as usize].config.weight)).sum();
            return rank.best(set, agents, eligible, weight).map(|agent| (agent, frozen));
        }
        None
    }
}

impl Rank {
    fn best(
        &mut self,
        set: u32,
        agents: &mut [Agent],
        eligible: Option<Eligible<'_>>,
        frozen_weight: u64,
    ) -> Option<u32> {
        let here = self.rank;
        let may = |agent: &Agent, slot: u32| eligible.is_none_or(|eligible| eligible(agent, slot));
        // None: he is no candidate, or of another rank since his entry was made.
        let candidate = |agents: &mut [Agent], slot: u32| {
            let part = agents[slot as usize].part(set).copied().filter(|part| part.member.rank == here)?;
            if !part.candidate {
                agents[slot as usize].out_of_pool(set);
                return None;
            }
            Some(part)
        };
        match &mut self.pool {
            Pool::Idle(heap) => top(heap, agents, &mut |agents, key: &IdleKey| {
                candidate(agents, key.agent)?;
                let agent = &agents[key.agent as usize];
                Some((agent.idle_key(key.agent), may(agent, key.agent)))
            })
            .map(|key| key.agent),
            Pool::Load(heap) => top(heap, agents, &mut |agents, key: &LoadKey| {
                candidate(agents, key.idle.agent)?;
                let agent = &agents[key.idle.agent as usize];
                Some((agent.load_key(key.idle.agent), may(agent, key.idle.agent)))
            })
            .map(|key| key.idle.agent),
            Pool::Skilled(heap) => top(heap, agents, &mut |agents, key: &SkillKey| {
                let part = candidate(agents, key.1.agent)?;
                let agent = &agents[key.1.agent as usize];
                Some(((Reverse(part.score), agent.idle_key(key.1.agent)), may(agent, key.1.agent)))
            })
            .map(|key| key.1.agent),
            Pool::Weighted(classes) => {
                let mut best: Option<(i128, u32)> = None;
                for class in classes {
                    let weight = class.weight;
                    let head = top(&mut class.heap, agents, &mut |agents, (_, slot): &(i128, u32)| {
                        if agents[*slot as usize].config.weight != weight {
                            return None;
                        }
                        let part = candidate(agents, *slot)?;
                        Some(((part.share, *slot), may(&agents[*slot as usize], *slot)))
                    });
                    let Some((b, slot)) = head else { continue };
                    let due = self.rotation.next_due(weight, b, frozen_weight);
                    if best.is_none_or(|(d, s)| due > d || (due == d && slot < s)) {
                        best = Some((due, slot));
                    }
                }
                best.map(|(_, slot)| slot)
            }
        }
    }
}

/// The best true entry that may be taken. `truth` is a candidate's key as it is now and whether this contact may go to
/// him, none for somebody who is no candidate: an entry that says something better is replaced, one that says something
/// worse has a better one beside it and is dropped. Who may not be taken is set aside and put back.
fn top<K: Ord + Copy>(heap: &mut BinaryHeap<Reverse<K>>, agents: &mut [Agent], truth: Truth<'_, K>) -> Option<K> {
    let mut aside: Vec<K> = Vec::new();
    let mut found = None;
    while let Some(mut head) = heap.peek_mut() {
        // By order, not by equality: two loads of nothing are one key, whatever their units.
        match truth(agents, &head.0).map(|(now, may)| (now.cmp(&head.0), now, may)) {
            Some((Ordering::Equal, now, true)) => {
                found = Some(now);
                break;
            }
            Some((Ordering::Equal, now, false)) => {
                aside.push(now);
                PeekMut::pop(head);
            }
            Some((Ordering::Greater, now, _)) => head.0 = now,
            _ => {
                PeekMut::pop(head);
            }
        }
    }
    heap.extend(aside.into_iter().map(Reverse));
    found
}

/// An agent's keys in all orders, taken once per change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct AgentKeys {
    pub idle: IdleKey,
    pub load: LoadKey,
    pub weight: u16,
}

impl AgentKeys {
    pub fn of(agent: &Agent, slot: u32) -> AgentKeys {
        AgentKeys { idle: agent.idle_key(slot), load: agent.load_key(slot), weight: agent.config.weight }
    }
}
