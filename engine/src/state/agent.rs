//! An agent's row: configuration, presence, the sums of his ledger of holds, and his part in each requirement set.

use super::digest::Fingerprint;
use super::set::AgentKeys;
use super::timers::Deadline;
use crate::decision::AgentState;
use crate::effect::SkillSlot;
use crate::id::HashKey;
use crate::input::Status;
use crate::policy::{AgentConfig, Strategy};
use crate::wire::Wire;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Every channel.
pub const ALL: u64 = u64::MAX;

/// The last word of one source on an agent: a lease, where it runs out.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    pub source: u128,
    pub status: Status,
    pub session: Option<u128>,
    pub sequence: Option<u64>,
    /// 0: it does not run out.
    pub term_ms: u64,
    pub expires_at: u64,
    /// Channels it allows, a bit each.
    pub channels: u64,
    /// It was the agent's own choice.
    pub is_choice: bool,
    /// Extended in a storm and not renewed since: it is not extended again.
    pub is_graced: bool,
}

/// An agent's membership of a queue, by slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    pub queue: u32,
    pub priority: u8,
    pub rank: u8,
    pub delay_ms: u64,
    /// 0: no limit.
    pub max_units: u32,
}

impl Member {
    pub(super) fn of(queue: u32) -> Member {
        Member { queue, priority: 5, rank: 5, delay_ms: 0, max_units: 0 }
    }
}

/// An agent's part in one requirement set that he could serve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub set: u32,
    pub channel: u32,
    pub strategy: Strategy,
    pub member: Member,
    /// `most_skilled`: sums of levels over required and preferred skills, the larger the better.
    pub score: u64,
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

/// What one more conversation of a channel meets in an agent: limits compiled from the policy.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub channel: u32,
    pub units: u32,
    /// Conversations of the channel at once; 0: no limit.
    pub limit: u32,
    /// Channels of which none may be held.
    pub barred_by: u64,
}

pub struct Agent {
    pub(super) workspace: u32,
    pub(super) hash: u128,
    pub(super) id: Box<str>,
    pub(super) config: AgentConfig,
    /// Not configured: unknown to everybody, but for what still names him.
    pub(super) removed: bool,
    /// Of one who was removed: who takes what he leaves (slot + 1; 0: its queues).
    pub(super) successor: u32,
    pub(super) draining: bool,
    /// His shift is over.
    pub(super) off_shift: bool,
    pub(super) not_responding: bool,
    /// Consecutive declines and expiries.
    pub(super) declines: u32,
    /// By skill.
    pub(super) skills: Vec<SkillSlot>,
    /// Slot of his team, NONE: none.
    pub(super) team: u32,
    /// His capacity: configured, or the workspace's default.
    pub(super) units: u32,
    /// Standing channels, a bit each.
    pub(super) standing: u64,
    /// None: a member of every queue.
    pub(super) member_of: Option<Vec<Member>>,
    /// Some membership limits his units (derived).
    pub(super) has_queue_limits: bool,
    /// Limits of channels, by slot.
    pub(super) limits: Vec<(u32, u32)>,
    pub(super) rows: Vec<Presence>,
    pub(super) choice: Option<Status>,
    /// A supervisor's, above his own.
    pub(super) word: Option<Status>,
    pub(super) effective: Status,
    /// Channels on which he is routable (derived).
    pub(super) routable: u64,
    /// When he went offline; 0: he is not.
    pub(super) offline_since: u64,
    /// When he went from online to away; 0 otherwise.
    pub(super) away_since: u64,
    pub(super) idle_since: u64,
    /// When the engine last gave him something, and the channels that wait for his pace, a bit each.
    pub(super) last_given: u64,
    pub(super) paced: u64,
    /// Lease, pace, wrap, respond, away, shift.
    pub(super) timers: [Deadline; 6],
    /// Sums over his holds (derived); `holds` and what follows without wrap-ups.
    pub(super) used: u32,
    pub(super) by_queue: Vec<(u32, u32)>,
    pub(super) holds: u32,
    pub(super) exclusive_holds: u32,
    pub(super) by_channel: Vec<u32>,
    pub(super) held: u64,
    /// His list of holds.
    pub(super) first_hold: u32,
    /// Derived: channels that fit now, a bit each; his parts by set; lanes that wait for him alone.
    pub(super) fit: u64,
    pub(super) parts: Vec<Part>,
    pub(super) own_lanes: Vec<u32>,
    /// His parts are others now: the sets have to hear of him whatever his keys are (derived).
    pub(super) realigned: bool,
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
            removed: false,
            successor: 0,
            draining: false,
            off_shift: false,
            not_responding: false,
            declines: 0,
            skills: Vec::new(),
            team: super::conversation::NONE,
            units: 0,
            standing: ALL,
            member_of: None,
            has_queue_limits: false,
            limits: Vec::new(),
            rows: Vec::new(),
            choice: None,
            word: None,
            effective: Status::Offline,
            routable: 0,
            offline_since: 0,
            away_since: 0,
            idle_since: 0,
            last_given: 0,
            paced: 0,
            timers: [Deadline::default(); 6],
            used: 0,
            by_queue: Vec::new(),
            holds: 0,
            exclusive_holds: 0,
            by_channel: Vec::new(),
            held: 0,
            first_hold: super::conversation::NONE,
            fit: 0,
            parts: Vec::new(),
            own_lanes: Vec::new(),
            realigned: true,
            keys: None,
            config_fingerprint: 0,
            dirty: false,
            fingerprint: 0,
        }
    }

    pub(super) fn idle_key(&self, agent: u32) -> IdleKey {
        IdleKey { busy: self.first_hold != super::conversation::NONE, idle_since: self.idle_since, agent }
    }

    pub(super) fn load_key(&self, agent: u32) -> LoadKey {
        LoadKey { used: self.used, units: self.units.max(1), idle: self.idle_key(agent) }
    }

    /// Whether one more conversation fits his capacity, wherever he is (routing.md §3).
    pub(super) fn fits_by_load(&self, load: &Load) -> bool {
        let limit = self.limits.iter().find(|(channel, _)| *channel == load.channel).map_or(load.limit, |l| l.1);
        let here = self.by_channel.get(load.channel as usize).copied().unwrap_or(0);
        self.exclusive_holds == 0
            && u64::from(self.used) + u64::from(load.units) <= u64::from(self.units)
            && (limit == 0 || here < limit)
            && self.held & load.barred_by == 0
    }

    /// Whether work of a queue may take so many units more of him.
    pub(super) fn fits_queue(&self, member: &Member, units: u32) -> bool {
        member.max_units == 0 || self.used_in(member.queue) + units <= member.max_units
    }

    pub(super) fn used_in(&self, queue: u32) -> u32 {
        self.by_queue.iter().find(|(q, _)| *q == queue).map_or(0, |(_, units)| *units)
    }

    /// Routable on a channel, and work may be given to him.
    pub(super) fn takes_work(&self, channel: u32) -> bool {
        self.routable >> channel & 1 == 1 && !self.draining && !self.not_responding && !self.off_shift
    }

    pub(super) fn has(&self, required: &[SkillSlot]) -> bool {
        required.iter().all(|r| self.level(r.skill).is_some_and(|level| level >= r.level))
    }

    pub(super) fn level(&self, skill: u16) -> Option<u8> {
        self.skills.binary_search_by_key(&skill, |s| s.skill).ok().map(|at| self.skills[at].level)
    }

    /// His membership of a queue.
    pub fn member(&self, queue: u32) -> Option<Member> {
        if self.removed {
            return None;
        }
        match &self.member_of {
            None => Some(Member::of(queue)),
            Some(list) => list.iter().find(|m| m.queue == queue).copied(),
        }
    }

    pub(super) fn part(&self, set: u32) -> Option<&Part> {
        self.parts.binary_search_by_key(&set, |m| m.set).ok().map(|at| &self.parts[at])
    }

    pub(super) fn part_mut(&mut self, set: u32) -> Option<&mut Part> {
        self.parts.binary_search_by_key(&set, |m| m.set).ok().map(|at| &mut self.parts[at])
    }

    /// An entry of his was dropped from a set's pool.
    pub(super) fn out_of_pool(&mut self, set: u32) {
        if let Some(part) = self.part_mut(set) {
            part.in_pool = false;
        }
    }

    /// What his rows, his choice and a supervisor's word come to: (status, channels of his online rows).
    pub(super) fn presence(&self) -> (Status, u64) {
        if self.removed {
            return (Status::Offline, 0);
        }
        let best = self.rows.iter().map(|r| r.status).max_by_key(|s| s.rank()).unwrap_or(Status::Offline);
        let status = match self.word.or(self.choice) {
            Some(cap) if cap.rank() < best.rank() => cap,
            _ => best,
        };
        let online = self.rows.iter().filter(|r| r.status == Status::Online);
        let channels = online.fold(0, |mask, row| mask | row.channels);
        (status, if status == Status::Online { channels & self.standing } else { 0 })
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
        let status = |s: Option<Status>| s.map_or(0, |s| 1 + s as u64);
        let flags = u64::from(self.off_shift) << 3
            | u64::from(self.removed) << 2
            | u64::from(self.draining) << 1
            | u64::from(self.not_responding);
        f.word(status(self.choice) << 24 | status(self.word) << 16 | (self.effective as u64) << 8 | flags);
        f.word(u64::from(self.successor) << 32 | u64::from(self.declines));
        for word in [self.offline_since, self.away_since, self.idle_since, self.last_given, self.paced, self.routable] {
            f.word(word);
        }
        for timer in &self.timers {
            f.word(timer.at);
            f.word(timer.arm);
        }
        for row in &self.rows {
            f.wide(row.source);
            let flags = u64::from(row.is_graced) << 3
                | u64::from(row.is_choice) << 2
                | u64::from(row.session.is_some()) << 1
                | u64::from(row.sequence.is_some());
            f.word((row.status as u64) << 8 | flags);
            f.wide(row.session.unwrap_or(0));
            for word in [row.sequence.unwrap_or(0), row.term_ms, row.expires_at, row.channels] {
                f.word(word);
            }
        }
        for m in self.parts.iter().filter(|m| m.share != 0) {
            f.word(u64::from(m.set) << 1 | u64::from(m.candidate));
            f.wide(m.share as u128);
        }
        f.end()
    }

    pub fn workspace(&self) -> u32 {
        self.workspace
    }
    pub fn hash(&self) -> u128 {
        self.hash
    }
    pub fn id(&self) -> &str {
        &self.id
    }
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }
    pub fn is_removed(&self) -> bool {
        self.removed
    }
    pub fn successor(&self) -> Option<u32> {
        self.successor.checked_sub(1)
    }
    pub fn is_draining(&self) -> bool {
        self.draining
    }
    /// When his shift next begins or ends; 0: nothing is armed.
    pub fn shift_due(&self) -> u64 {
        self.timers[5].at
    }
    pub fn is_off_shift(&self) -> bool {
        self.off_shift
    }
    pub fn is_not_responding(&self) -> bool {
        self.not_responding
    }
    pub fn declines(&self) -> u32 {
        self.declines
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
    pub fn offline_since(&self) -> u64 {
        self.offline_since
    }
    pub fn last_given(&self) -> u64 {
        self.last_given
    }
    pub fn paced(&self) -> u64 {
        self.paced
    }
    pub fn rows(&self) -> &[Presence] {
        &self.rows
    }
    pub fn choice(&self) -> Option<Status> {
        self.choice
    }
    pub fn word(&self) -> Option<Status> {
        self.word
    }
    pub fn effective(&self) -> Status {
        self.effective
    }
    pub fn routable(&self) -> u64 {
        self.routable
    }
    pub fn standing(&self) -> u64 {
        self.standing
    }
    pub fn is_online(&self) -> bool {
        self.effective == Status::Online
    }
    /// Online, and his shift is not over.
    pub fn is_at_work(&self) -> bool {
        self.is_online() && !self.off_shift
    }

    /// The state that presence and commands alone give him.
    pub fn presence_state(&self) -> AgentState {
        match self.effective {
            _ if self.removed => AgentState::Removed,
            Status::Offline => AgentState::Offline,
            Status::Away => AgentState::Away,
            Status::PendingAway => AgentState::PendingAway,
            Status::Online if self.not_responding => AgentState::NotResponding,
            Status::Online if self.draining => AgentState::Draining,
            Status::Online if self.off_shift => AgentState::OffShift,
            Status::Online => AgentState::Available,
        }
    }

    /// The state as told: presence first, then load.
    pub fn told_state(&self) -> AgentState {
        match self.presence_state() {
            AgentState::Available if self.used >= self.units || self.exclusive_holds > 0 => AgentState::Full,
            AgentState::Available if self.used > 0 => AgentState::Partly,
            state => state,
        }
    }
}
