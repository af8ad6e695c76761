//! A workspace's row: its names, its policy resolved to slots, its requirement sets and its lists.

use super::conversation::NONE;
use super::digest::Fingerprint;
use super::set::RequirementSet;
use crate::effect::SkillSlot;
use crate::id::{HashKey, Kind};
use crate::input::Contact;
use crate::policy::{Policy, Strategy, Subject};
use crate::wire::Wire;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hashbrown::HashTable;

/// Configured names of one kind: a slot for each, for ever.
#[derive(Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    hashes: Vec<u128>,
    index: HashTable<u32>,
}

impl Names {
    pub fn find(&self, hash: u128) -> Option<u32> {
        self.index.find(hash as u64, |slot| self.hashes[*slot as usize] == hash).copied()
    }

    pub fn text(&self, slot: u32) -> &str {
        self.texts.get(slot as usize).map_or("", |t| t)
    }

    pub fn len(&self) -> u32 {
        self.texts.len() as u32
    }

    pub(super) fn add(&mut self, slot: u32, hash: u128, text: Box<str>) {
        assert_eq!(slot as usize, self.texts.len(), "a name skips a slot");
        self.texts.push(text);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.index.insert_unique(hash as u64, slot, |s| hashes[*s as usize] as u64);
    }
}

#[derive(Clone, Copy)]
pub struct ChannelRule {
    pub live: bool,
    pub units: u32,
    pub exclusive: bool,
    pub short_abandon_ms: u64,
    /// In the present policy. One that is not stays for the conversations that are on it already.
    pub is_configured: bool,
}

pub struct QueueRule {
    pub strategy: Strategy,
    /// By skill.
    pub skills: Vec<SkillSlot>,
    pub service_level_ms: u64,
}

struct RouteRule {
    when: Vec<(Subject, u128)>,
    queue: u32,
}

/// Where a contact goes, and what chose it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub queue: u32,
    pub rule: u32,
}

pub struct Workspace {
    pub(super) hash: u128,
    pub(super) name: Box<str>,
    pub(super) policy: Policy,
    pub channels: Names,
    pub entries: Names,
    pub tiers: Names,
    pub queues: Names,
    pub skills: Names,
    channel_rules: Vec<Option<ChannelRule>>,
    entry_queues: Vec<Option<u32>>,
    head_starts: Vec<Option<u64>>,
    queue_rules: Vec<Option<QueueRule>>,
    routes: Vec<RouteRule>,
    default_queue: u32,
    pub(super) sets: Vec<RequirementSet>,
    pub(super) set_index: HashTable<u32>,
    /// A bit a set: somebody waits, somebody could serve.
    pub(super) waiting: Vec<u64>,
    pub(super) staffed: Vec<u64>,
    pub(super) agents: Vec<u32>,
    pub(super) online: u32,
    /// Its conversations by creation.
    pub(super) oldest: u32,
    pub(super) newest: u32,
    /// Resolved ones in the order of their resolves: (slot, number, epoch); a reopened one's entry is stale.
    pub(super) resolved: VecDeque<(u32, u64, u64)>,
    /// How many of its conversations are resolved: entries of `resolved` that are not stale.
    pub(super) resolved_now: usize,
    /// The next conversation that a changed policy has to look at.
    pub(super) review: Option<u32>,
    pub(super) policy_fingerprint: u128,
    pub(super) dirty: bool,
    pub(super) fingerprint: u128,
}

impl Workspace {
    pub(super) fn new(hash: u128, name: Box<str>) -> Workspace {
        Workspace {
            hash,
            name,
            policy: Policy::default(),
            channels: Names::default(),
            entries: Names::default(),
            tiers: Names::default(),
            queues: Names::default(),
            skills: Names::default(),
            channel_rules: Vec::new(),
            entry_queues: Vec::new(),
            head_starts: Vec::new(),
            queue_rules: Vec::new(),
            routes: Vec::new(),
            default_queue: NONE,
            sets: Vec::new(),
            set_index: HashTable::new(),
            waiting: Vec::new(),
            staffed: Vec::new(),
            agents: Vec::new(),
            online: 0,
            oldest: NONE,
            newest: NONE,
            resolved: VecDeque::new(),
            resolved_now: 0,
            review: None,
            policy_fingerprint: 0,
            dirty: false,
            fingerprint: 0,
        }
    }

    pub(super) fn digest(&self, slot: u32, key: HashKey) -> u128 {
        let mut f = Fingerprint::new(key, 4);
        f.word(u64::from(slot));
        f.wide(self.hash);
        f.wide(self.policy_fingerprint);
        f.word(self.review.map_or(0, |r| u64::from(r) + 1));
        for names in [&self.channels, &self.entries, &self.tiers, &self.queues, &self.skills] {
            f.word(u64::from(names.len()));
            if let Some(last) = names.hashes.last() {
                f.wide(*last);
            }
        }
        f.end()
    }

    /// Switches to a policy whose names all have slots already.
    pub(super) fn switch(&mut self, policy: Policy, key: HashKey) {
        let mut bytes = Vec::new();
        policy.put(&mut bytes);
        let mut f = Fingerprint::new(key, 22);
        f.bytes(&bytes);
        self.policy_fingerprint = f.end();

        let name = self.name.clone();
        let slot = |names: &Names, kind, text: &str| names.find(key.hash(kind, &name, &[text])).unwrap_or(NONE);
        let mut channel_rules: Vec<Option<ChannelRule>> = vec_of(self.channels.len());
        for (slot, past) in self.channel_rules.iter().enumerate() {
            channel_rules[slot] = past.map(|rule| ChannelRule { is_configured: false, ..rule });
        }
        for c in &policy.channels {
            let rule = ChannelRule {
                live: c.live,
                units: c.units,
                exclusive: c.exclusive,
                short_abandon_ms: c.short_abandon_ms,
                is_configured: true,
            };
            channel_rules[slot(&self.channels, Kind::Channel, &c.name) as usize] = Some(rule);
        }
        let mut queue_rules = vec_of(self.queues.len());
        for q in &policy.queues {
            let mut skills: Vec<SkillSlot> = q
                .skills
                .iter()
                .map(|s| SkillSlot { skill: slot(&self.skills, Kind::Skill, &s.name) as u16, level: s.level })
                .collect();
            skills.sort_unstable();
            let rule = QueueRule { strategy: q.strategy, skills, service_level_ms: q.service_level_ms };
            queue_rules[slot(&self.queues, Kind::Queue, &q.name) as usize] = Some(rule);
        }
        let mut entry_queues = vec_of(self.entries.len());
        for e in &policy.entries {
            let queue = slot(&self.queues, Kind::Queue, &e.queue);
            entry_queues[slot(&self.entries, Kind::Entry, &e.name) as usize] = Some(queue);
        }
        let mut head_starts = vec_of(self.tiers.len());
        for t in &policy.tiers {
            head_starts[slot(&self.tiers, Kind::Tier, &t.name) as usize] = Some(t.head_start_ms);
        }
        let mut routes = Vec::with_capacity(policy.rules.len());
        let mut default_queue = NONE;
        for r in &policy.rules {
            let queue = slot(&self.queues, Kind::Queue, &r.queue);
            if r.when.is_empty() {
                default_queue = queue;
            }
            let when = r.when.iter().map(|c| (c.subject, condition_hash(c.subject, &c.key, &c.value, &name, key)));
            routes.push(RouteRule { when: when.collect(), queue });
        }
        self.channel_rules = channel_rules;
        self.queue_rules = queue_rules;
        self.entry_queues = entry_queues;
        self.head_starts = head_starts;
        self.routes = routes;
        self.default_queue = default_queue;
        self.policy = policy;
    }

    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
    pub fn channel(&self, slot: u32) -> Option<ChannelRule> {
        self.channel_rules.get(slot as usize).copied().flatten()
    }
    pub fn queue(&self, slot: u32) -> Option<&QueueRule> {
        self.queue_rules.get(slot as usize).and_then(Option::as_ref)
    }
    /// A tier of the present policy.
    pub fn tier(&self, hash: Option<u128>) -> Option<u32> {
        let slot = self.tiers.find(hash?)?;
        self.head_starts.get(slot as usize).copied().flatten().map(|_| slot)
    }
    pub fn head_start_ms(&self, tier: u32) -> u64 {
        self.head_starts.get(tier as usize).copied().flatten().unwrap_or(0)
    }
    pub fn agents(&self) -> &[u32] {
        &self.agents
    }
    pub fn online(&self) -> u32 {
        self.online
    }
    pub fn sets(&self) -> &[RequirementSet] {
        &self.sets
    }
    pub fn review(&self) -> Option<u32> {
        self.review
    }
    pub fn set(&self, set: u32) -> &RequirementSet {
        &self.sets[set as usize]
    }
    pub fn default_route(&self) -> Route {
        Route { queue: self.default_queue, rule: super::conversation::RULE_DEFAULT }
    }

    /// First rule with conditions that matches, else the entry's queue, else the rule without conditions.
    pub fn route(&self, contact: &Contact) -> Route {
        let holds = |(subject, hash): &(Subject, u128)| match subject {
            Subject::Channel => contact.channel.hash == *hash,
            Subject::Entry => contact.entry.hash == *hash,
            Subject::Tier => contact.tier == Some(*hash),
            Subject::Language => contact.language == Some(*hash),
            Subject::Attribute => contact.attributes.contains(hash),
        };
        for (i, rule) in self.routes.iter().enumerate() {
            if !rule.when.is_empty() && rule.when.iter().all(holds) {
                return Route { queue: rule.queue, rule: i as u32 };
            }
        }
        let entry =
            self.entries.find(contact.entry.hash).and_then(|e| self.entry_queues.get(e as usize).copied().flatten());
        match entry {
            Some(queue) => Route { queue, rule: super::conversation::RULE_ENTRY },
            None => self.default_route(),
        }
    }

    /// The open set of these requirements.
    pub fn find_set(&self, queue: u32, channel: u32, skills: &[SkillSlot]) -> Option<u32> {
        self.set_index
            .find(set_hash(queue, channel, skills), |s| {
                let set = &self.sets[*s as usize];
                set.queue == queue && set.channel == channel && set.skills == skills
            })
            .copied()
    }

    pub fn open_sets(&self) -> usize {
        self.sets.iter().filter(|s| s.open).count()
    }

    /// The first set that nobody waits in and that is not a queue's own.
    pub fn idle_set(&self) -> Option<u32> {
        let own = |s: &RequirementSet| self.queue(s.queue).is_some_and(|q| q.skills == s.skills);
        self.sets.iter().position(|s| s.open && s.line.is_empty() && !own(s)).map(|s| s as u32)
    }

    /// Where a new set goes: a slot that was given up, else a further one.
    pub fn next_set(&self) -> u32 {
        self.sets.iter().position(|s| !s.open).unwrap_or(self.sets.len()) as u32
    }

    /// Whether some set has somebody waiting and somebody who could serve.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.waiting.iter().zip(&self.staffed).any(|(w, s)| w & s != 0)
    }

    /// Calls `look` with each such set.
    #[inline]
    pub fn for_each_ready(&self, mut look: impl FnMut(u32)) {
        for (i, (w, s)) in self.waiting.iter().zip(&self.staffed).enumerate() {
            let mut bits = w & s;
            while bits != 0 {
                look(i as u32 * 64 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
    }
}

impl RequirementSet {
    pub fn queue(&self) -> u32 {
        self.queue
    }
    pub fn is_open(&self) -> bool {
        self.open
    }
    pub fn waiting(&self) -> usize {
        self.line.len()
    }
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }
    /// Why its line waits: the first cause of routing.md §5 that leaves no candidate.
    pub fn cause(&self, online_in_workspace: u32) -> &'static str {
        match (online_in_workspace, self.online, self.candidates) {
            (0, _, _) => "nobody_online",
            (_, 0, _) => "no_skill_online",
            (_, _, 0) => "all_full",
            _ => "due",
        }
    }
}

fn vec_of<T>(len: u32) -> Vec<Option<T>> {
    (0..len).map(|_| None).collect()
}

fn condition_hash(subject: Subject, key: &str, value: &str, workspace: &str, keyed: HashKey) -> u128 {
    match subject {
        Subject::Channel => keyed.hash(Kind::Channel, workspace, &[value]),
        Subject::Entry => keyed.hash(Kind::Entry, workspace, &[value]),
        Subject::Tier => keyed.hash(Kind::Tier, workspace, &[value]),
        Subject::Language => keyed.hash(Kind::Language, workspace, &[value]),
        Subject::Attribute => keyed.hash(Kind::Attribute, workspace, &[key, value]),
    }
}

pub(super) fn set_hash(queue: u32, channel: u32, skills: &[SkillSlot]) -> u64 {
    let mut f = Fingerprint::new(HashKey(0), 3);
    f.word(u64::from(queue) << 32 | u64::from(channel));
    for s in skills {
        f.word(u64::from(s.skill) << 8 | u64::from(s.level));
    }
    f.end() as u64
}
