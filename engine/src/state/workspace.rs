//! A workspace's row: its names, its policy resolved to slots, its requirement sets and its lists.

use super::agent::{Load, Member};
use super::conversation::NONE;
use super::digest::Fingerprint;
use super::lane::Lane;
use super::set::RequirementSet;
use super::timers::Deadline;
use crate::calendar::{Opening, Openings};
use crate::decision::Reason;
use crate::effect::{Requirement, SkillSlot};
use crate::id::{HashKey, Kind};
use crate::input::{Contact, Control};
use crate::policy::{
    self, ALWAYS, ClockKind, ExitKind, OnOffline, OwnerAbsent, PauseOn, Policy, RoundEnd, Strategy, Subject, WrapUp,
    WrapUpMode,
};
use crate::wire::Wire;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
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
    pub limit: u32,
    pub min_gap_ms: u64,
    pub wrap_up: WrapUp,
    pub on_offline: OnOffline,
    pub offline_grace_ms: u64,
    pub owner_absent: OwnerAbsent,
    pub owner_absent_ms: u64,
    pub max_open_ms: u64,
    pub owner_silent_ms: u64,
    pub close_after_ms: u64,
    pub their_turn_units: u32,
    pub their_turn_after_ms: u64,
    pub reply_window_ms: u64,
    /// Channels that may come in while one of this is held, a bit each; its own is a matter of units.
    admits: u64,
    /// In the present policy. One that is not stays for the conversations that are on it already.
    pub is_configured: bool,
}

/// A way out of a queue, by slots.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExitRule {
    pub kind: ExitKind,
    pub queue: u32,
    pub reason: Box<str>,
}

pub struct StepRule {
    pub after_ms: u64,
    /// Skills no longer asked for, and levels asked from here on.
    pub drop: Vec<u16>,
    pub lower: Vec<SkillSlot>,
    /// What it asks of the queue's own skills, and what it adds to the head start.
    pub skills: Vec<SkillSlot>,
    pub teams: Vec<u32>,
    /// The teams that it names itself.
    pub own_teams: Option<Vec<u32>>,
    pub head_start_ms: u64,
    pub overflow: Option<u32>,
    pub only_if_nobody_online: bool,
}

pub struct RungRule {
    pub level: u8,
    pub priority: u8,
    pub queue: Option<u32>,
    pub notify: Vec<Box<str>>,
}

pub struct QueueRule {
    pub strategy: Strategy,
    /// By skill.
    pub skills: Vec<SkillSlot>,
    pub preferred_skills: Vec<SkillSlot>,
    pub teams: Vec<u32>,
    pub service_level_ms: u64,
    pub accept_ms: u64,
    pub on_all_declined: RoundEnd,
    pub all_declined_queue: u32,
    pub round_ms: u64,
    pub steps: Vec<StepRule>,
    pub preferred_ms: u64,
    pub pick: policy::Pick,
    pub unclaimed_ms: u64,
    pub unclaimed_strategy: Strategy,
    pub max_waiting: u32,
    pub max_wait_ms: u64,
    pub drain_after_close_ms: u64,
    pub on_full: ExitRule,
    pub on_max_wait: ExitRule,
    pub on_closed: ExitRule,
    pub on_unstaffed: ExitRule,
    pub on_unservable: ExitRule,
    pub reply_claims: bool,
    pub wrap_up: Option<WrapUp>,
    pub context_required: bool,
    pub ladder: Vec<RungRule>,
    /// Its business hours.
    pub calendar: Option<u32>,
}

/// When a clock counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counts {
    /// In its queue's business hours.
    InQueueHours,
    Always,
    In(u32),
}

pub struct LevelRule {
    pub percent: u16,
    /// As it is told: the ladder's, or its place among the clock's, from 1.
    pub number: u64,
    pub priority: u8,
    pub relax: bool,
    pub notify: Vec<Box<str>>,
    pub reassign: bool,
    pub queue: Option<u32>,
    pub escalate: u8,
}

/// A clock of the policy, by slots.
pub struct ClockRule {
    pub counts: Counts,
    target_ms: u64,
    /// (queue, tier, channel), NONE fits all, and the target.
    targets: Vec<([u32; 3], u64)>,
    /// Percents at which something happens, rising.
    pub thresholds: Vec<u16>,
    pub warns: Vec<u16>,
    pub pauses: Pauses,
    pub levels: Vec<LevelRule>,
}

/// What a clock stands still for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pauses {
    pub theirs: bool,
    pub snoozed: bool,
    pub parked: bool,
}

impl ClockRule {
    /// Its target for a (queue, tier, channel), ms; 0: none.
    pub fn target_ms(&self, place: [u32; 3]) -> u64 {
        let fits = |wanted: &[u32; 3]| wanted.iter().zip(&place).all(|(w, p)| *w == NONE || w == p);
        self.targets.iter().find(|(wanted, _)| fits(wanted)).map_or(self.target_ms, |(_, target)| *target)
    }
    /// The next percent at which something happens, above one that has.
    pub fn next_threshold(&self, fired: u16) -> Option<u16> {
        self.thresholds.iter().copied().find(|percent| *percent > fired)
    }
}

/// At which share of a channel's reply window a clock warns that the policy does not speak of.
const WINDOW_WARNS: u16 = 75;

#[derive(Clone, Copy, Default)]
pub struct TierRule {
    pub head_start_ms: u64,
    pub class: u8,
    /// Team (slot + 1, 0: any), seniority and how long; 0: no first ring.
    pub ring_team: u32,
    pub ring_seniority: u8,
    pub ring_ms: u64,
}

/// The class of a conversation whose tier has none: the last.
pub const LAST_CLASS: u8 = policy::limits::NINE;

/// What a queue is at the moment, whatever its policy says.
#[derive(Default)]
pub struct Desk {
    pub(super) control: Control,
    pub(super) since: u64,
    /// ms UTC: when what it is now began.
    pub(super) turned_at: u64,
    /// ms UTC; 0: no end of its own.
    pub(super) until: u64,
    /// Closed, and those who wait are still served.
    pub(super) draining: bool,
    /// Its calendar says that it is closed.
    pub(super) shut: bool,
    pub(super) timer: Deadline,
    /// The cursor over those who wait, and why they are looked at.
    pub(super) sweep: Option<u32>,
    pub(super) sweep_reason: Reason,
    /// Conversations that wait in it: queued and offered (derived).
    pub(super) waiting: u32,
    /// Delays of its members, and how many members have each (derived).
    pub(super) delays: Vec<(u64, u32)>,
}

static NO_DESK: Desk = Desk {
    control: Control::None,
    since: 0,
    turned_at: 0,
    until: 0,
    draining: false,
    shut: false,
    timer: Deadline { at: 0, arm: 0, in_wheel: 0 },
    sweep: None,
    sweep_reason: Reason::None,
    waiting: 0,
    delays: Vec::new(),
};

impl Desk {
    /// Whether those who wait may be given to agents.
    pub(super) fn serves(&self, _now: u64) -> bool {
        match self.control {
            Control::None if self.shut => self.draining,
            Control::None | Control::Open => true,
            Control::Closed => self.draining,
            Control::Emergency => false,
        }
    }
    /// Takes nobody new.
    pub fn is_closed(&self) -> bool {
        match self.control {
            Control::None => self.shut,
            Control::Open => false,
            Control::Closed | Control::Emergency => true,
        }
    }
    pub fn control(&self) -> Control {
        self.control
    }
    pub fn is_closed_by_command(&self) -> bool {
        matches!(self.control, Control::Closed | Control::Emergency)
    }
    /// What its calendar says.
    pub fn is_shut(&self) -> bool {
        self.shut
    }
    pub fn since(&self) -> u64 {
        self.since
    }
    pub fn turned_at(&self) -> u64 {
        self.turned_at
    }
    pub fn until(&self) -> u64 {
        self.until
    }
    pub fn is_draining(&self) -> bool {
        self.draining
    }
    /// ms UTC: when its timer is due; 0: it has none.
    pub fn due(&self) -> u64 {
        self.timer.at
    }
    pub fn sweep(&self) -> Option<(u32, Reason)> {
        self.sweep.map(|next| (next, self.sweep_reason))
    }
    pub fn waiting(&self) -> u32 {
        self.waiting
    }
    /// The next delay of a member after so long.
    pub fn next_delay(&self, after_ms: u64) -> Option<u64> {
        self.delays.iter().map(|(delay, _)| *delay).find(|delay| *delay > after_ms)
    }
    /// The longest delay that is over after so long.
    pub fn delay_over(&self, after_ms: u64) -> u64 {
        self.delays.iter().map(|(delay, _)| *delay).take_while(|delay| *delay <= after_ms).last().unwrap_or(0)
    }
}

/// A source of leases: who ran out lately, and until when it is suspect.
#[derive(Default)]
pub(super) struct LeaseSource {
    pub source: u128,
    /// ms UTC, of the last ten seconds.
    pub expired: Vec<u64>,
    pub suspect_until: u64,
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
    pub teams: Names,
    pub calendars: Names,
    /// Of leases.
    pub source_names: Names,
    channel_rules: Vec<Option<ChannelRule>>,
    /// What one more conversation asks of an agent, by channel; channels that have a pace, a bit each (derived).
    loads: Vec<Option<Load>>,
    pub(super) paced_channels: u64,
    /// Queue and whether a bot answers first.
    entry_rules: Vec<Option<(u32, bool)>>,
    tier_rules: Vec<Option<TierRule>>,
    /// Memberships of teams, by team; none: of every queue.
    team_members: Vec<Option<Vec<Member>>>,
    queue_rules: Vec<Option<QueueRule>>,
    routes: Vec<RouteRule>,
    default_queue: u32,
    /// By kind.
    clock_rules: [Option<ClockRule>; CLOCKS],
    /// By calendar; none before the first expansion: always open.
    openings: Vec<Option<Openings>>,
    openings_fingerprint: u128,
    pub(super) sets: Vec<RequirementSet>,
    pub(super) set_index: HashTable<u32>,
    pub(super) lanes: Vec<Lane>,
    pub(super) free_lanes: Vec<u32>,
    pub(super) lane_index: HashTable<u32>,
    /// A bit a lane: somebody waits, somebody could serve.
    pub(super) waiting: Vec<u64>,
    pub(super) staffed: Vec<u64>,
    /// Lanes that have both, and queues with a sweep under way (derived).
    pub(super) ready: u32,
    pub(super) sweeping: u32,
    /// By queue.
    pub(super) desks: Vec<Desk>,
    pub(super) agents: Vec<u32>,
    /// Removed ones who still own something (derived).
    pub(super) leaving: Vec<u32>,
    /// Some agent serves one of his queues before another (derived).
    pub(super) has_priorities: bool,
    pub(super) sources: Vec<LeaseSource>,
    pub(super) blocked: BTreeSet<u128>,
    pub(super) account_owners: BTreeMap<u128, u32>,
    /// Customers who are one: both directions.
    pub(super) customer_links: BTreeMap<u128, Vec<u128>>,
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
            teams: Names::default(),
            calendars: Names::default(),
            source_names: Names::default(),
            channel_rules: Vec::new(),
            loads: Vec::new(),
            paced_channels: 0,
            entry_rules: Vec::new(),
            tier_rules: Vec::new(),
            team_members: Vec::new(),
            queue_rules: Vec::new(),
            routes: Vec::new(),
            default_queue: NONE,
            clock_rules: [const { None }; CLOCKS],
            openings: Vec::new(),
            openings_fingerprint: 0,
            sets: Vec::new(),
            set_index: HashTable::new(),
            lanes: Vec::new(),
            free_lanes: Vec::new(),
            lane_index: HashTable::new(),
            waiting: Vec::new(),
            staffed: Vec::new(),
            ready: 0,
            sweeping: 0,
            desks: Vec::new(),
            agents: Vec::new(),
            leaving: Vec::new(),
            has_priorities: false,
            sources: Vec::new(),
            blocked: BTreeSet::new(),
            account_owners: BTreeMap::new(),
            customer_links: BTreeMap::new(),
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
        f.wide(self.openings_fingerprint);
        f.word(self.review.map_or(0, |r| u64::from(r) + 1));
        for names in [
            &self.channels,
            &self.entries,
            &self.tiers,
            &self.queues,
            &self.skills,
            &self.teams,
            &self.source_names,
            &self.calendars,
        ] {
            f.word(u64::from(names.len()));
            if let Some(last) = names.hashes.last() {
                f.wide(*last);
            }
        }
        for (queue, desk) in self.desks.iter().enumerate() {
            if desk.control == Control::None && desk.sweep.is_none() && desk.timer.at == 0 && !desk.shut {
                continue;
            }
            f.word((queue as u64) << 32 | u64::from(desk.sweep.map_or(0, |next| next + 1)));
            let flags = u64::from(desk.shut) << 1 | u64::from(desk.draining);
            f.word((desk.control as u64) << 16 | (desk.sweep_reason as u64) << 8 | flags);
            for word in [desk.since, desk.turned_at, desk.until, desk.timer.at, desk.timer.arm] {
                f.word(word);
            }
        }
        for source in &self.sources {
            f.wide(source.source);
            f.word(source.suspect_until);
            source.expired.iter().for_each(|at| f.word(*at));
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
            let admits = match &c.interrupts {
                None if c.live => 0,
                None => u64::MAX,
                Some(list) => {
                    let bit = |name: &str| 1u64.checked_shl(slot(&self.channels, Kind::Channel, name)).unwrap_or(0);
                    list.iter().map(|name| bit(name)).fold(0, |mask, bit| mask | bit)
                }
            };
            let rule = ChannelRule {
                live: c.live,
                units: c.units,
                exclusive: c.exclusive,
                short_abandon_ms: c.short_abandon_ms,
                limit: c.limit,
                min_gap_ms: c.min_gap_ms,
                wrap_up: c.wrap_up,
                on_offline: c.on_offline,
                offline_grace_ms: c.offline_grace_ms,
                owner_absent: c.owner_absent,
                owner_absent_ms: c.owner_absent_ms,
                max_open_ms: c.max_open_ms,
                owner_silent_ms: c.owner_silent_ms,
                close_after_ms: c.close_after_ms,
                their_turn_units: c.their_turn_units,
                their_turn_after_ms: c.their_turn_after_ms,
                reply_window_ms: c.reply_window_ms,
                admits,
                is_configured: true,
            };
            channel_rules[slot(&self.channels, Kind::Channel, &c.name) as usize] = Some(rule);
        }
        let skill_slots = |skills: &[policy::SkillLevel]| {
            let of = |s: &policy::SkillLevel| SkillSlot {
                skill: slot(&self.skills, Kind::Skill, &s.name) as u16,
                level: s.level,
            };
            let mut slots: Vec<SkillSlot> = skills.iter().map(of).collect();
            slots.sort_unstable();
            slots
        };
        let queue_slot = |name: &str| slot(&self.queues, Kind::Queue, name);
        let team_slots = |teams: &[Box<str>]| {
            let mut slots: Vec<u32> = teams.iter().map(|team| slot(&self.teams, Kind::Team, team)).collect();
            slots.sort_unstable();
            slots.dedup();
            slots
        };
        let exit = |exit: &policy::Exit| ExitRule {
            kind: exit.kind,
            queue: if exit.kind == ExitKind::Queue { queue_slot(&exit.text) } else { NONE },
            reason: if exit.kind == ExitKind::Deflect { exit.text.clone() } else { Box::default() },
        };
        let mut queue_rules = vec_of(self.queues.len());
        for q in &policy.queues {
            let (mut skills, mut teams) = (skill_slots(&q.skills), team_slots(&q.teams));
            let (own_skills, own_teams) = (skills.clone(), teams.clone());
            let mut steps = Vec::new();
            for step in &q.steps {
                let drop: Vec<u16> =
                    step.drop.iter().map(|name| slot(&self.skills, Kind::Skill, name) as u16).collect();
                let lower = skill_slots(&step.lower);
                relax(&mut skills, &drop, &lower);
                let own_teams = step.teams.as_ref().map(|wider| team_slots(wider));
                teams = own_teams.clone().unwrap_or(teams);
                steps.push(StepRule {
                    after_ms: step.after_ms,
                    drop,
                    lower,
                    skills: skills.clone(),
                    teams: teams.clone(),
                    own_teams,
                    head_start_ms: step.head_start_ms,
                    overflow: (!step.overflow.is_empty()).then(|| queue_slot(&step.overflow)),
                    only_if_nobody_online: step.only_if_nobody_online,
                });
            }
            let rung = |rung: &policy::Rung| RungRule {
                level: rung.level,
                priority: rung.priority,
                queue: (!rung.queue.is_empty()).then(|| queue_slot(&rung.queue)),
                notify: rung.notify.clone(),
            };
            let rule = QueueRule {
                strategy: q.strategy,
                skills: own_skills,
                preferred_skills: skill_slots(&q.preferred_skills),
                teams: own_teams,
                service_level_ms: q.service_level_ms,
                accept_ms: q.accept_ms,
                on_all_declined: q.on_all_declined,
                all_declined_queue: queue_slot(&q.all_declined_queue),
                round_ms: q.round_ms,
                steps,
                preferred_ms: q.preferred_ms,
                pick: q.pick,
                unclaimed_ms: q.unclaimed_ms,
                unclaimed_strategy: q.unclaimed_strategy,
                max_waiting: q.max_waiting,
                max_wait_ms: q.max_wait_ms,
                drain_after_close_ms: q.drain_after_close_ms,
                on_full: exit(&q.on_full),
                on_max_wait: exit(&q.on_max_wait),
                on_closed: exit(&q.on_closed),
                on_unstaffed: exit(&q.on_unstaffed),
                on_unservable: exit(&q.on_unservable),
                reply_claims: !q.replies_do_not_claim,
                wrap_up: q.wrap_up,
                context_required: q.context_required,
                ladder: q.ladder.iter().map(rung).collect(),
                calendar: (!q.calendar.is_empty()).then(|| slot(&self.calendars, Kind::Calendar, &q.calendar)),
            };
            queue_rules[queue_slot(&q.name) as usize] = Some(rule);
        }
        let mut entry_rules = vec_of(self.entries.len());
        for e in &policy.entries {
            entry_rules[slot(&self.entries, Kind::Entry, &e.name) as usize] = Some((queue_slot(&e.queue), e.bot));
        }
        let mut tier_rules = vec_of(self.tiers.len());
        for t in &policy.tiers {
            let ring = t.first_ring.as_ref();
            let ring_team =
                ring.filter(|r| !r.team.is_empty()).map_or(0, |r| slot(&self.teams, Kind::Team, &r.team) + 1);
            tier_rules[slot(&self.tiers, Kind::Tier, &t.name) as usize] = Some(TierRule {
                head_start_ms: t.head_start_ms,
                class: if t.class == 0 { LAST_CLASS } else { t.class },
                ring_team,
                ring_seniority: ring.map_or(0, |r| r.seniority_at_least),
                ring_ms: ring.map_or(0, |r| r.for_ms),
            });
        }
        let mut team_members = vec_of(self.teams.len());
        for team in &policy.teams {
            let members = members_of(&team.memberships, &queue_slot);
            team_members[slot(&self.teams, Kind::Team, &team.name) as usize] = members;
        }
        let desks = (self.queues.len() as usize).max(self.desks.len());
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
        let mut clock_rules = [const { None }; CLOCKS];
        let window = policy::Clock {
            kind: ClockKind::ReplyWindow,
            warn_percent: alloc::vec![WINDOW_WARNS],
            ..policy::Clock::default()
        };
        for clock in core::iter::once(&window).chain(&policy.clocks) {
            clock_rules[clock.kind as usize] = Some(self.clock_rule_of(clock, &slot));
        }
        self.channel_rules = channel_rules;
        self.loads = (0..self.channels.len()).map(|channel| self.load_of(channel)).collect();
        let has_pace = |channel: &u32| self.channel(*channel).is_some_and(|c| c.min_gap_ms > 0);
        self.paced_channels = (0..self.channels.len()).filter(has_pace).fold(0, |mask, channel| mask | 1 << channel);
        self.queue_rules = queue_rules;
        self.entry_rules = entry_rules;
        self.tier_rules = tier_rules;
        self.team_members = team_members;
        self.desks.resize_with(desks, Desk::default);
        self.routes = routes;
        self.clock_rules = clock_rules;
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
    fn clock_rule_of(&self, clock: &policy::Clock, slot: &dyn Fn(&Names, Kind, &str) -> u32) -> ClockRule {
        let named = |names: &Names, kind, text: &str| if text.is_empty() { NONE } else { slot(names, kind, text) };
        let target = |t: &policy::Target| {
            let queue = named(&self.queues, Kind::Queue, &t.queue);
            let tier = named(&self.tiers, Kind::Tier, &t.tier);
            ([queue, tier, named(&self.channels, Kind::Channel, &t.channel)], t.target_ms)
        };
        let level = |(place, l): (usize, &policy::ClockLevel)| LevelRule {
            percent: l.percent,
            number: if l.escalate > 0 { u64::from(l.escalate) } else { place as u64 + 1 },
            priority: l.priority,
            relax: l.relax,
            notify: l.notify.clone(),
            reassign: l.reassign,
            queue: (!l.queue.is_empty()).then(|| slot(&self.queues, Kind::Queue, &l.queue)),
            escalate: l.escalate,
        };
        let mut thresholds: Vec<u16> = clock.levels.iter().map(|l| l.percent).collect();
        thresholds.extend(&clock.warn_percent);
        thresholds.push(BREACH);
        thresholds.sort_unstable();
        thresholds.dedup();
        let usual = match clock.kind {
            ClockKind::Resolution => &[PauseOn::Snoozed, PauseOn::Parked][..],
            _ => &[],
        };
        let pauses = clock.pause_on.as_deref().unwrap_or(usual);
        ClockRule {
            counts: match &*clock.calendar {
                _ if clock.kind == ClockKind::ReplyWindow => Counts::Always,
                "" => Counts::InQueueHours,
                ALWAYS => Counts::Always,
                name => Counts::In(slot(&self.calendars, Kind::Calendar, name)),
            },
            target_ms: clock.target_ms,
            targets: clock.targets.iter().map(target).collect(),
            thresholds,
            warns: clock.warn_percent.clone(),
            pauses: Pauses {
                theirs: pauses.contains(&PauseOn::Theirs),
                snoozed: pauses.contains(&PauseOn::Snoozed),
                parked: pauses.contains(&PauseOn::Parked),
            },
            levels: clock.levels.iter().enumerate().map(level).collect(),
        }
    }

    /// A clock's rule: the policy's, and of a reply window what it has without one.
    pub fn clock_rule(&self, kind: ClockKind) -> Option<&ClockRule> {
        self.clock_rules[kind as usize].as_ref()
    }

    /// Whether its policy has clocks.
    pub fn has_clocks(&self) -> bool {
        !self.policy.clocks.is_empty()
    }

    /// The openings of a calendar; none: always open.
    pub fn openings(&self, calendar: u32) -> Option<&Openings> {
        self.openings.get(calendar as usize).and_then(Option::as_ref)
    }

    /// The calendar in which a clock of a queue's conversation counts; `NONE`: always. Commands outrank a calendar, and a
    /// queue that has closed may still serve: while it does, its wait goes on.
    pub fn calendar_of(&self, kind: ClockKind, queue: u32) -> u32 {
        let Some(rule) = self.clock_rule(kind) else { return NONE };
        let desk = self.desk(queue);
        let serves_when_shut = desk.shut && (!desk.is_closed() || desk.draining);
        match rule.counts {
            Counts::Always => NONE,
            Counts::In(calendar) => calendar,
            Counts::InQueueHours if kind == ClockKind::QueueWait && serves_when_shut => NONE,
            Counts::InQueueHours => self.queue(queue).and_then(|q| q.calendar).unwrap_or(NONE),
        }
    }

    pub(super) fn expanded(&mut self, calendar: u32, from: u64, until: u64, list: &[Opening], key: HashKey) {
        let calendars = self.calendars.len();
        self.openings.resize_with(calendars as usize, || None);
        let known = self.openings[calendar as usize].take();
        let openings = match known {
            Some(known) => known.renewed(from, until, list),
            None => Openings::new(until, list),
        };
        self.openings[calendar as usize] = Some(openings);
        let mut f = Fingerprint::new(key, 25);
        for openings in &self.openings {
            f.word(openings.as_ref().map_or(0, Openings::until));
            for opening in openings.iter().flat_map(Openings::list) {
                f.word(opening.from);
                f.word(opening.to);
            }
        }
        self.openings_fingerprint = f.end();
    }

    pub fn desk(&self, queue: u32) -> &Desk {
        self.desks.get(queue as usize).unwrap_or(&NO_DESK)
    }
    /// A tier of the present policy.
    pub fn tier(&self, hash: Option<u128>) -> Option<u32> {
        let slot = self.tiers.find(hash?)?;
        self.tier_rules.get(slot as usize).copied().flatten().map(|_| slot)
    }
    pub fn tier_rule(&self, tier: u32) -> TierRule {
        let none = TierRule { class: LAST_CLASS, ..TierRule::default() };
        self.tier_rules.get(tier as usize).copied().flatten().unwrap_or(none)
    }
    /// A queue of the present policy.
    pub fn queue_of(&self, hash: u128) -> Option<u32> {
        self.queues.find(hash).filter(|slot| self.queue(*slot).is_some())
    }
    pub fn bot_answers(&self, entry: u32) -> bool {
        self.entry_rules.get(entry as usize).copied().flatten().is_some_and(|(_, bot)| bot)
    }
    /// What a team's agents are members of, where they have no memberships of their own.
    pub(super) fn team_members(&self, team: u32) -> Option<Vec<Member>> {
        self.team_members.get(team as usize).cloned().flatten()
    }
    /// What one more conversation of a channel asks of an agent.
    pub(super) fn load(&self, channel: u32) -> Option<Load> {
        self.loads.get(channel as usize).copied().flatten()
    }
    fn load_of(&self, channel: u32) -> Option<Load> {
        let rule = self.channel(channel)?;
        Some(Load { channel, units: rule.units, limit: rule.limit, barred_by: self.barred_by(channel) })
    }
    /// Channels that do not admit one more of this channel beside them.
    fn barred_by(&self, channel: u32) -> u64 {
        let others = self.channel_rules.iter().enumerate().filter(|(other, _)| *other as u32 != channel);
        others.fold(0, |mask, (other, rule)| {
            let admits = rule.is_none_or(|rule| rule.admits >> channel & 1 == 1);
            if admits { mask } else { mask | 1 << other }
        })
    }
    /// How a queue wraps up what is on a channel; none: not at all.
    pub fn wrap_up(&self, queue: u32, channel: u32) -> Option<WrapUp> {
        let own = self.queue(queue).and_then(|q| q.wrap_up);
        own.or_else(|| self.channel(channel).map(|c| c.wrap_up)).filter(|w| w.mode != WrapUpMode::None)
    }
    pub fn is_blocked(&self, customer: u128) -> bool {
        customer != 0 && self.blocked.contains(&customer)
    }
    pub fn account_owner(&self, customer: u128) -> Option<u32> {
        self.account_owners.get(&customer).copied()
    }
    /// A customer with all who are one with him, at most 1,024.
    pub fn persons_of(&self, customer: u128) -> Vec<u128> {
        let mut found = alloc::vec![customer];
        let mut at = 0;
        while at < found.len() && found.len() < PERSONS_MAX {
            let others = self.customer_links.get(&found[at]).map_or(&[][..], |l| l);
            let new: Vec<u128> = others.iter().copied().filter(|c| !found.contains(c)).collect();
            found.extend(new);
            at += 1;
        }
        found.truncate(PERSONS_MAX);
        found
    }
    pub fn are_linked(&self, customer: u128, other: u128) -> bool {
        self.customer_links.get(&customer).is_some_and(|l| l.contains(&other))
    }
    /// Customers that the workspace remembers something of: blocked, owned, linked.
    pub fn remembered_customers(&self) -> (usize, usize, usize) {
        (self.blocked.len(), self.account_owners.len(), self.customer_links.len())
    }
    /// Of a source of leases: how many ran out less than so long ago, and until when it is suspect (0: never was).
    pub fn storms(&self, source: u128, now: u64, within_ms: u64) -> (usize, u64) {
        let Some(known) = self.sources.iter().find(|s| s.source == source) else { return (0, 0) };
        (known.expired.iter().filter(|at| now - **at < within_ms).count(), known.suspect_until)
    }
    pub fn agents(&self) -> &[u32] {
        &self.agents
    }
    pub fn is_sweeping(&self) -> bool {
        self.sweeping > 0
    }
    pub fn leaving(&self) -> &[u32] {
        &self.leaving
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
    pub fn route(&self, contact: &Contact, now: u64) -> Route {
        let is_open = |hash: &u128| {
            let calendar = self.calendars.find(*hash);
            calendar.and_then(|c| self.openings(c)).is_none_or(|openings| openings.is_open(now))
        };
        let holds = |(subject, hash): &(Subject, u128)| match subject {
            Subject::Channel => contact.channel.hash == *hash,
            Subject::Entry => contact.entry.hash == *hash,
            Subject::Tier => contact.tier == Some(*hash),
            Subject::Language => contact.language == Some(*hash),
            Subject::Attribute => contact.attributes.contains(hash),
            Subject::Open => is_open(hash),
            Subject::Closed => !is_open(hash),
        };
        for (i, rule) in self.routes.iter().enumerate() {
            if !rule.when.is_empty() && rule.when.iter().all(holds) {
                return Route { queue: rule.queue, rule: i as u32 };
            }
        }
        let entry = self.entries.find(contact.entry.hash);
        match entry.and_then(|e| self.entry_rules.get(e as usize).copied().flatten()) {
            Some((queue, _)) => Route { queue, rule: super::conversation::RULE_ENTRY },
            None => self.default_route(),
        }
    }

    /// The open set of these requirements.
    pub fn find_set(&self, queue: u32, channel: u32, requirement: &Requirement) -> Option<u32> {
        self.set_index
            .find(set_hash(queue, channel, requirement), |s| {
                let set = &self.sets[*s as usize];
                set.queue == queue && set.channel == channel && set.requirement == *requirement
            })
            .copied()
    }

    pub fn open_sets(&self) -> usize {
        self.sets.iter().filter(|s| s.open).count()
    }

    /// Whether a requirement is one of the queue's own: asked by its policy, whatever events ask.
    pub fn is_own(&self, queue: u32, requirement: &Requirement) -> bool {
        let Some(rule) = self.queue(queue) else { return false };
        let steps = rule.steps.iter().map(|step| (&step.skills, &step.teams));
        let mut asked = core::iter::once((&rule.skills, &rule.teams)).chain(steps);
        asked.any(|(skills, teams)| *skills == requirement.skills && *teams == requirement.teams)
    }

    /// The first set that nobody waits in and that is not a queue's own.
    pub fn idle_set(&self) -> Option<u32> {
        let is_idle = |s: &RequirementSet| s.open && s.waiting == 0 && !self.is_own(s.queue, &s.requirement);
        self.sets.iter().position(is_idle).map(|s| s as u32)
    }

    /// Where a new set goes: a slot that was given up, else a further one.
    pub fn next_set(&self) -> u32 {
        self.sets.iter().position(|s| !s.open).unwrap_or(self.sets.len()) as u32
    }
}

/// Kinds of clocks.
const CLOCKS: usize = 5;
/// The share of its target at which a clock is missed.
pub const BREACH: u16 = 100;

/// Customers that are one, at most.
pub const PERSONS_MAX: usize = 1_024;

/// Memberships by slots; none where there are none: a member of every queue.
pub(super) fn members_of(memberships: &[policy::Membership], queue: &dyn Fn(&str) -> u32) -> Option<Vec<Member>> {
    let of = |m: &policy::Membership| Member {
        queue: queue(&m.queue),
        priority: m.priority,
        rank: m.rank,
        delay_ms: m.delay_ms,
        max_units: m.max_units,
    };
    (!memberships.is_empty()).then(|| memberships.iter().map(of).collect())
}

impl RequirementSet {
    pub fn queue(&self) -> u32 {
        self.queue
    }
    pub fn is_open(&self) -> bool {
        self.open
    }
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }
    pub fn members(&self) -> &[u32] {
        &self.members
    }
}

/// A step's change of what is asked.
pub fn relax(skills: &mut Vec<SkillSlot>, drop: &[u16], lower: &[SkillSlot]) {
    skills.retain(|s| !drop.contains(&s.skill));
    for lower in lower {
        skills.iter_mut().filter(|s| s.skill == lower.skill).for_each(|s| s.level = lower.level);
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
        Subject::Open | Subject::Closed => keyed.hash(Kind::Calendar, workspace, &[value]),
    }
}

pub(super) fn set_hash(queue: u32, channel: u32, requirement: &Requirement) -> u64 {
    let mut f = Fingerprint::new(HashKey(0), 3);
    f.word(u64::from(queue) << 32 | u64::from(channel));
    for s in &requirement.skills {
        f.word(u64::from(s.skill) << 8 | u64::from(s.level));
    }
    requirement.teams.iter().for_each(|team| f.word(u64::from(*team)));
    f.word(
        u64::from(requirement.ring_team) << 16
            | u64::from(requirement.ring_seniority) << 8
            | u64::from(requirement.unclaimed),
    );
    f.end() as u64
}
