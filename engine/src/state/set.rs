//! A requirement set: a line, and the agents who may serve it in the order of its queue's strategy.
//!
//! The order is kept in heaps with lazy deletion. A candidate always has an entry that is at least as good as his key:
//! one is pushed when he joins or his key gets better; when it gets worse nothing is done, and an entry that promises
//! too much is put right when it comes to the top. So taking work costs no heap anything, and a heap that has more
//! stale entries than members is built anew. Everything but `rotation` is derived.

use super::agent::{Agent, IdleKey, LoadKey, Membership};
use super::digest::Fingerprint;
use super::line::Line;
use crate::effect::SkillSlot;
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

enum Pool {
    Idle(BinaryHeap<Reverse<IdleKey>>),
    Load(BinaryHeap<Reverse<LoadKey>>),
    Weighted(Vec<WeightClass>),
}

impl Pool {
    fn new(strategy: Strategy) -> Pool {
        match strategy {
            Strategy::LongestIdle => Pool::Idle(BinaryHeap::new()),
            Strategy::LeastLoaded => Pool::Load(BinaryHeap::new()),
            Strategy::WeightedRoundRobin => Pool::Weighted(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Pool::Idle(heap) => heap.len(),
            Pool::Load(heap) => heap.len(),
            Pool::Weighted(classes) => classes.iter().map(|c| c.heap.len()).sum(),
        }
    }
}

pub struct RequirementSet {
    /// False: the slot is given up.
    pub(super) open: bool,
    pub(super) queue: u32,
    pub(super) channel: u32,
    pub(super) skills: Vec<SkillSlot>,
    pub(super) strategy: Strategy,
    pub(super) line: Line,
    pub(super) members: Vec<u32>,
    /// Members online, and those who fit now.
    pub(super) online: u32,
    pub(super) candidates: u32,
    pub(super) rotation: Rotation,
    pool: Pool,
    /// Its row has changed since the last seal; and is in the list of such.
    pub(super) dirty: bool,
    pub(super) listed: bool,
    pub(super) fingerprint: u128,
}

impl RequirementSet {
    pub(super) fn new(queue: u32, channel: u32, skills: Vec<SkillSlot>, strategy: Strategy) -> RequirementSet {
        RequirementSet {
            open: true,
            queue,
            channel,
            skills,
            strategy,
            line: Line::default(),
            members: Vec::new(),
            online: 0,
            candidates: 0,
            rotation: Rotation::default(),
            pool: Pool::new(strategy),
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
        for s in &self.skills {
            f.word(u64::from(s.skill) << 8 | u64::from(s.level));
        }
        f.word(self.skills.len() as u64);
        f.wide(self.rotation.v0 as u128);
        f.word(self.rotation.picks);
        f.end()
    }

    /// An agent becomes a candidate.
    pub(super) fn join(&mut self, member: &mut Membership, agent: &AgentKeys) {
        member.candidate = true;
        self.candidates += 1;
        if self.strategy == Strategy::WeightedRoundRobin {
            self.rotation.settle();
            member.share = i128::from(agent.weight) * self.rotation.v0 - member.share;
            self.rotation.weight += u64::from(agent.weight);
            self.dirty = true;
        }
        // V never falls, so the share of one who comes back is not better than that of his old entry.
        if !member.in_pool {
            self.push(member, agent);
        }
    }

    /// A candidate no longer fits.
    pub(super) fn leave(&mut self, member: &mut Membership, weight: u16) {
        member.candidate = false;
        self.candidates -= 1;
        if self.strategy == Strategy::WeightedRoundRobin {
            self.rotation.settle();
            member.share = i128::from(weight) * self.rotation.v0 - member.share;
            self.rotation.weight -= u64::from(weight);
            self.dirty = true;
        }
    }

    /// The rotation picked a candidate.
    pub(super) fn picked(&mut self, member: &mut Membership) {
        self.rotation.picks += 1;
        member.share += PICK;
        self.dirty = true;
    }

    /// Enters a candidate's present key.
    pub(super) fn push(&mut self, member: &mut Membership, agent: &AgentKeys) {
        member.in_pool = true;
        match &mut self.pool {
            Pool::Idle(heap) => heap.push(Reverse(agent.idle)),
            Pool::Load(heap) => heap.push(Reverse(agent.load)),
            Pool::Weighted(classes) => {
                let at = match classes.binary_search_by_key(&agent.weight, |c| c.weight) {
                    Ok(at) => at,
                    Err(at) => {
                        classes.insert(at, WeightClass { weight: agent.weight, heap: BinaryHeap::new() });
                        at
                    }
                };
                classes[at].heap.push(Reverse((member.share, agent.idle.agent)));
            }
        }
    }

    /// More than half of the entries are stale.
    pub(super) fn is_cluttered(&self) -> bool {
        self.pool.len() > 2 * self.members.len() + 64
    }

    /// Builds the pool anew from the members.
    pub(super) fn rebuild(&mut self, set: u32, agents: &mut [Agent]) {
        self.pool = Pool::new(self.strategy);
        let members = core::mem::take(&mut self.members);
        for slot in &members {
            let agent = &mut agents[*slot as usize];
            let keys = AgentKeys::of(agent, *slot);
            if let Some(member) = agent.membership_mut(set) {
                member.in_pool = false;
                if member.candidate {
                    self.push(member, &keys);
                }
            }
        }
        self.members = members;
    }

    /// The candidate whom the strategy names; stale entries above him are put right or dropped. None: no candidate.
    pub(super) fn best(&mut self, set: u32, agents: &mut [Agent]) -> Option<u32> {
        if self.candidates == 0 {
            return None;
        }
        let bit = 1u64 << self.channel;
        match &mut self.pool {
            Pool::Idle(heap) => top(heap, |key| {
                let agent = &mut agents[key.agent as usize];
                if agent.fit & bit == 0 {
                    agent.out_of_pool(set);
                    return None;
                }
                Some(agent.idle_key(key.agent))
            })
            .map(|key| key.agent),
            Pool::Load(heap) => top(heap, |key| {
                let agent = &mut agents[key.idle.agent as usize];
                if agent.fit & bit == 0 {
                    agent.out_of_pool(set);
                    return None;
                }
                Some(agent.load_key(key.idle.agent))
            })
            .map(|key| key.idle.agent),
            Pool::Weighted(classes) => {
                let mut best: Option<(i128, u32)> = None;
                for class in classes {
                    let head = top(&mut class.heap, |(_, slot)| {
                        let agent = &mut agents[*slot as usize];
                        if agent.config.weight != class.weight {
                            return None;
                        }
                        match agent.membership(set) {
                            Some(m) if m.candidate => Some((m.share, *slot)),
                            _ => {
                                agent.out_of_pool(set);
                                None
                            }
                        }
                    });
                    let Some((b, slot)) = head else { continue };
                    let due = self.rotation.numerator(class.weight, b, 1);
                    if best.is_none_or(|(d, s)| due > d || (due == d && slot < s)) {
                        best = Some((due, slot));
                    }
                }
                best.map(|(_, slot)| slot)
            }
        }
    }
}

/// The best true entry. `truth` is a candidate's key as it is now, none for somebody who is no candidate: an entry that
/// says something better is replaced, one that says something worse has a better one beside it and is dropped.
fn top<K: Ord + Copy>(heap: &mut BinaryHeap<Reverse<K>>, mut truth: impl FnMut(&K) -> Option<K>) -> Option<K> {
    while let Some(mut head) = heap.peek_mut() {
        // By order, not by equality: two loads of nothing are one key, whatever their units.
        match truth(&head.0).map(|now| (now.cmp(&head.0), now)) {
            Some((Ordering::Equal, now)) => return Some(now),
            Some((Ordering::Greater, now)) => head.0 = now,
            _ => {
                PeekMut::pop(head);
            }
        }
    }
    None
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
