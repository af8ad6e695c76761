//! An agent's row: configuration, presence, the sums of his ledger of holds, and his part in each requirement set.

use super::digest::Fingerprint;
use super::set::AgentKeys;
use crate::decision::AgentState;
use crate::effect::SkillSlot;
use crate::id::HashKey;
use crate::input::Status;
use crate::policy::{AgentConfig, Strategy};
use crate::wire::Wire;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The last word of one source on an agent.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    pub source: u128,
    pub status: Status,
    pub session: Option<u128>,
    pub sequence: Option<u64>,
}

/// An agent's part in one requirement set whose skills he has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub set: u32,
    pub channel: u32,
    pub strategy: Strategy,
    /// He fits the set's channel now.
    pub candidate: bool,
    /// The pool has an entry of his that is at least as good as his key (derived).
    pub in_pool: bool,
    /// Weighted rotation, in 2^-32 picks: `b` of routing.md §4 while a candidate, due - picked while not.
    pub share: i128,
}

/// The order of `longest_idle`: holding nothing first, then the longest idle, then the first configured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct IdleKey {
    pub busy: bool,
    pub idle_since: u64,
    pub agent: u32,
}

/// The order of `least_loaded`: used / units by cross-multiplication, then the order of `longest_idle`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadKey {
    pub used: u32,
    pub units: u32,
    pub idle: IdleKey,
}

impl Ord for LoadKey {
    fn cmp(&self, other: &LoadKey) -> core::cmp::Ordering {
        let ours = u64::from(self.used) * u64::from(other.units);
        let theirs = u64::from(other.used) * u64::from(self.units);
        ours.cmp(&theirs).then_with(|| self.idle.cmp(&other.idle))
    }
}

impl PartialEq for LoadKey {
    fn eq(&self, other: &LoadKey) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for LoadKey {}

impl PartialOrd for LoadKey {
    fn partial_cmp(&self, other: &LoadKey) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

pub struct Agent {
    pub(super) workspace: u32,
    pub(super) hash: u128,
    pub(super) id: Box<str>,
    pub(super) config: AgentConfig,
    /// By skill.
    pub(super) skills: Vec<SkillSlot>,
    /// His capacity: configured, or the workspace's default.
    pub(super) units: u32,
    pub(super) rows: Vec<Presence>,
    pub(super) choice: Option<Status>,
    pub(super) effective: Status,
    /// When he went from online to away; 0 otherwise.
    pub(super) away_since: u64,
    pub(super) idle_since: u64,
    /// Sums over his holds.
    pub(super) used: u32,
    pub(super) holds: u32,
    pub(super) exclusive_holds: u32,
    pub(super) live_holds: u32,
    pub(super) live_by_channel: Vec<u32>,
    /// His list of conversations.
    pub(super) first_hold: u32,
    /// Derived: channels that fit now, a bit each; sets by number.
    pub(super) fit: u64,
    pub(super) memberships: Vec<Membership>,
    /// His keys when the sets last heard of him.
    pub(super) keys: Option<AgentKeys>,
    pub(super) config_fingerprint: u128,
    pub(super) dirty: bool,
    pub(super) fingerprint: u128,
}

impl Agent {
    pub(super) fn new(workspace: u32, hash: u128, id: Box<str>) -> Agent {
        Agent {
            workspace,
            hash,
            id,
            config: AgentConfig::default(),
            skills: Vec::new(),
            units: 0,
            rows: Vec::new(),
            choice: None,
            effective: Status::Offline,
            away_since: 0,
            idle_since: 0,
            used: 0,
            holds: 0,
            exclusive_holds: 0,
            live_holds: 0,
            live_by_channel: Vec::new(),
            first_hold: super::conversation::NONE,
            fit: 0,
            memberships: Vec::new(),
            keys: None,
            config_fingerprint: 0,
            dirty: false,
            fingerprint: 0,
        }
    }

    pub(super) fn idle_key(&self, agent: u32) -> IdleKey {
        IdleKey { busy: self.holds > 0, idle_since: self.idle_since, agent }
    }

    pub(super) fn load_key(&self, agent: u32) -> LoadKey {
        LoadKey { used: self.used, units: self.units.max(1), idle: self.idle_key(agent) }
    }

    /// Whether one more conversation of a channel fits (routing.md §3, with the default `interrupts`).
    pub(super) fn fits(&self, channel: u32, live: bool, units: u32) -> bool {
        self.effective == Status::Online && self.fits_by_load(channel, live, units)
    }

    pub(super) fn fits_by_load(&self, channel: u32, live: bool, units: u32) -> bool {
        let live_here = self.live_by_channel.get(channel as usize).copied().unwrap_or(0);
        self.exclusive_holds == 0
            && u64::from(self.used) + u64::from(units) <= u64::from(self.units)
            && self.live_holds == if live { live_here } else { 0 }
    }

    pub(super) fn has(&self, required: &[SkillSlot]) -> bool {
        required.iter().all(|r| {
            self.skills.binary_search_by_key(&r.skill, |s| s.skill).is_ok_and(|at| self.skills[at].level >= r.level)
        })
    }

    pub(super) fn membership(&self, set: u32) -> Option<&Membership> {
        self.memberships.binary_search_by_key(&set, |m| m.set).ok().map(|at| &self.memberships[at])
    }

    pub(super) fn membership_mut(&mut self, set: u32) -> Option<&mut Membership> {
        self.memberships.binary_search_by_key(&set, |m| m.set).ok().map(|at| &mut self.memberships[at])
    }

    /// An entry of his was dropped from a set's pool.
    pub(super) fn out_of_pool(&mut self, set: u32) {
        if let Some(member) = self.membership_mut(set) {
            member.in_pool = false;
        }
    }

    pub(super) fn configure_fingerprint(&mut self, key: HashKey) {
        let mut bytes = Vec::new();
        self.config.put(&mut bytes);
        let mut f = Fingerprint::new(key, 21);
        f.bytes(&bytes);
        self.config_fingerprint = f.end();
    }

    pub(super) fn digest(&self, slot: u32, key: HashKey) -> u128 {
        let mut f = Fingerprint::new(key, 2);
        f.word(u64::from(slot) << 32 | u64::from(self.workspace));
        f.wide(self.hash);
        f.wide(self.config_fingerprint);
        f.word(u64::from(self.units) << 32 | u64::from(self.used));
        f.word(self.choice.map_or(0, |c| 1 + c as u64) << 8 | self.effective as u64);
        f.word(self.away_since);
        f.word(self.idle_since);
        f.word(u64::from(self.holds) << 40 | u64::from(self.exclusive_holds) << 20 | u64::from(self.live_holds));
        for row in &self.rows {
            f.wide(row.source);
            f.word(row.status as u64 | u64::from(row.session.is_some()) << 8 | u64::from(row.sequence.is_some()) << 9);
            f.wide(row.session.unwrap_or(0));
            f.word(row.sequence.unwrap_or(0));
        }
        for m in self.memberships.iter().filter(|m| m.share != 0) {
            f.word(u64::from(m.set) << 1 | u64::from(m.candidate));
            f.wide(m.share as u128);
        }
        f.end()
    }

    pub fn workspace(&self) -> u32 {
        self.workspace
    }
    pub fn id(&self) -> &str {
        &self.id
    }
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }
    pub fn units(&self) -> u32 {
        self.units
    }
    pub fn used(&self) -> u32 {
        self.used
    }
    pub fn idle_since(&self) -> u64 {
        self.idle_since
    }
    pub fn rows(&self) -> &[Presence] {
        &self.rows
    }
    pub fn effective(&self) -> Status {
        self.effective
    }
    pub fn is_online(&self) -> bool {
        self.effective == Status::Online
    }

    /// The state as told: presence first, then load.
    pub fn told_state(&self) -> AgentState {
        match self.effective {
            Status::Offline => AgentState::Offline,
            Status::Away => AgentState::Away,
            Status::Online if self.used >= self.units || self.exclusive_holds > 0 => AgentState::Full,
            Status::Online if self.used == 0 => AgentState::Available,
            Status::Online => AgentState::Partly,
        }
    }
}
