//! The promises of routing.md §9 that a state can be asked for, checked in full: for tests, and a sample in production.
//!
//! Sums, candidates and picks are computed again from rows by plain scans; only the keys of the orders are shared. What
//! this cannot see (a wrong key), the naive engine of the tests does.

use super::lane::LaneKey;
use super::set::{PICK, RequirementSet};
use super::workspace::BREACH;
use super::{NONE, Phase, State, Workspace};
use crate::calendar;
use crate::effect::{ClockStatus, TimerKind};
use crate::policy::{ClockKind, Strategy};
use crate::view::HoldKind;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A promise of routing.md §9 that the state does not keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokenPromise {
    pub promise: u8,
    pub workspace: Box<str>,
    /// How, by ids and numbers.
    pub how: String,
}

impl core::fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "promise {} is broken in {}: {}", self.promise, self.workspace, self.how)
    }
}

/// A promise's number, and how it is broken.
type Finding = (u8, String);

macro_rules! broken {
    ($promise:literal, $($how:tt)*) => { Some(($promise, format!($($how)*))) };
}

impl State {
    /// The first broken promise. `settled`: nothing is left for ticks, so promise 7 must hold.
    pub(crate) fn broken_promise(&mut self, settled: bool) -> Option<BrokenPromise> {
        let (workspace, (promise, how)) = self
            .first_conversation(State::broken_ownership)
            .or_else(|| self.broken_ledger())
            .or_else(|| self.broken_order(settled))
            .or_else(|| self.first_conversation(|state, slot| state.broken_clocks(slot, settled)))?;
        Some(BrokenPromise { promise, workspace: self.workspaces[workspace as usize].name.clone(), how })
    }

    /// The first conversation of which something is found, and its workspace.
    fn first_conversation(&self, find: impl Fn(&State, u32) -> Option<Finding>) -> Option<(u32, Finding)> {
        let slots = 0..self.conversations.len() as u32;
        slots.into_iter().find_map(|slot| Some((self.conversation(slot).workspace, find(self, slot)?)))
    }

    /// Promises 1 and 2: at most one owner, and nobody is nowhere.
    fn broken_ownership(&self, slot: u32) -> Option<Finding> {
        let c = self.conversation(slot);
        let id = &self.texts[slot as usize].id;
        let armed = |timer: TimerKind| c.timers[timer as usize].at != 0;
        let work = self.holds.get(c.work as usize);
        let is_held = work.is_some_and(|h| h.kind == HoldKind::Work && h.conversation == slot && h.agent == c.owner);
        let may_own = matches!(c.phase, Phase::Assigned | Phase::Snoozed);
        if (c.owner != NONE) != is_held || (c.owner != NONE && !may_own) {
            return broken!(1, "{id} is {:?}, owned by {} and held: {is_held}", c.phase, c.owner);
        }
        let offer = self.holds.get(c.offer_hold as usize);
        let is_offered = offer.is_some_and(|h| h.kind == HoldKind::Offer && h.conversation == slot && h.agent != NONE);
        let may_offer = c.phase == Phase::Offered || (c.offer_warm && c.phase == Phase::Assigned);
        if is_offered != may_offer || (c.offer != 0) != is_offered {
            return broken!(1, "{id} is {:?} with offer {} held: {is_offered}", c.phase, c.offer);
        }
        match c.phase {
            Phase::Moving => return broken!(2, "{id} is nowhere"),
            Phase::Assigned if c.owner == NONE => {
                return broken!(1, "{id} is assigned to nobody");
            }
            Phase::Assigned if c.live && !armed(TimerKind::Open) => {
                return broken!(2, "{id} is live and owned without a deadline");
            }
            Phase::Assigned if !c.live && !armed(TimerKind::Turn) => {
                return broken!(2, "{id} is owned without a deadline");
            }
            Phase::InBot | Phase::Snoozed if !armed(TimerKind::Turn) => {
                return broken!(2, "{id} is {:?} without a deadline", c.phase);
            }
            Phase::Parked if c.park_reason == crate::decision::Reason::None => {
                return broken!(2, "{id} is parked without a reason");
            }
            Phase::Offered if !armed(TimerKind::Wait) && !self.behind => {
                return broken!(2, "{id} is offered without an end");
            }
            Phase::Queued => {
                if let Some(broken) = self.broken_place(slot) {
                    return Some(broken);
                }
            }
            _ => {}
        }
        None
    }

    /// Promise 5, as far as a state shows it: what runs is open and will fire, what has fired lies behind.
    fn broken_clocks(&self, slot: u32, settled: bool) -> Option<Finding> {
        let (c, texts) = (self.conversation(slot), &self.texts[slot as usize]);
        let id = &texts.id;
        let is_with_people = c.is_open() && c.phase != Phase::InBot;
        let mut next = None;
        for (kind, clock) in ClockKind::ALL.iter().zip(&texts.clocks) {
            let word = kind.word();
            if clock.status == ClockStatus::Off {
                continue;
            }
            if !is_with_people {
                return broken!(5, "{id} is {:?}, and its clock {word} runs", c.phase);
            }
            if clock.target_ms == 0 || clock.fired_at.max(clock.since).max(clock.started_at) > self.now {
                return broken!(5, "the clock {word} of {id} is ahead of its time: {clock:?}");
            }
            let ws = &self.workspaces[c.workspace as usize];
            let rule = ws.clock_rule(*kind);
            let Some(percent) = rule.and_then(|rule| rule.next_threshold(clock.fired)) else { continue };
            let share = (u128::from(clock.target_ms) * u128::from(percent) / 100) as u64;
            let beyond = u64::from(percent >= BREACH);
            let at = match (share + beyond).checked_sub(clock.counted_ms) {
                None | Some(0) => Some(clock.since),
                Some(_) if clock.status == ClockStatus::Paused => None,
                Some(left) => calendar::reached(ws.openings(clock.calendar), clock.since, left),
            };
            next = [next, at].into_iter().flatten().min();
        }
        let (armed, due) = (c.due_at(TimerKind::Clock), next.unwrap_or(0));
        // Under a policy or openings that it has not been looked at with yet, it stands as before.
        if settled && c.phase != Phase::Free && armed != due {
            return broken!(5, "the clocks of {id} are armed at {armed}, and next due at {due}");
        }
        None
    }

    fn broken_place(&self, slot: u32) -> Option<Finding> {
        let c = self.conversation(slot);
        let id = &self.texts[slot as usize].id;
        let ws = &self.workspaces[c.workspace as usize];
        let waiting = &self.texts[slot as usize].waiting;
        if waiting.paused_until != 0 && c.timers[TimerKind::Wait as usize].at == 0 {
            return broken!(2, "the pause of {id} has no end");
        }
        let Some(lane) = ws.lanes.get(c.lane as usize).filter(|lane| lane.open) else {
            return broken!(2, "{id} is queued and stands in no lane");
        };
        if lane.key != LaneKey::of(c.set, waiting) || !ws.sets[c.set as usize].open {
            return broken!(2, "{id} stands in another lane than its own");
        }
        let place = lane.line.places().get(c.place_in_line as usize);
        if place == Some(&self.place_of(slot)) { None } else { broken!(2, "{id} stands at another key than its own") }
    }

    /// Promise 3: an agent's units are the sum of his holds.
    fn broken_ledger(&self) -> Option<(u32, Finding)> {
        let mut listed = vec![false; self.holds.len()];
        for (slot, agent) in self.agents.iter().enumerate() {
            self.holds_of(slot as u32).for_each(|hold| listed[hold as usize] = true);
            if let Some(broken) = self.broken_holds(slot as u32) {
                return Some((agent.workspace, broken));
            }
        }
        let (lost, _) = self.holds.iter().zip(listed).find(|(hold, listed)| hold.agent != NONE && !listed)?;
        let agent = self.agent(lost.agent);
        Some((agent.workspace, broken!(3, "agent {} does not list what he holds: {lost:?}", agent.id)?))
    }

    fn broken_holds(&self, slot: u32) -> Option<Finding> {
        let a = self.agent(slot);
        let holds: Vec<_> = self.holds_of(slot).map(|h| self.hold(h)).collect();
        if holds.iter().any(|h| h.agent != slot) {
            return broken!(3, "agent {} lists what another holds", a.id);
        }
        let counted = || holds.iter().filter(|h| h.kind != HoldKind::WrapUp);
        let sums = (
            holds.iter().map(|h| h.units).sum::<u32>(),
            counted().count() as u32,
            counted().filter(|h| h.exclusive).count() as u32,
            counted().fold(0u64, |held, h| held | 1 << h.channel),
        );
        let kept = (a.used, a.holds, a.exclusive_holds, a.held);
        if sums != kept {
            return broken!(3, "agent {} keeps {kept:?}, his holds give {sums:?}", a.id);
        }
        for (queue, units) in &a.by_queue {
            let sum = holds.iter().filter(|h| h.queue == *queue).map(|h| h.units).sum::<u32>();
            if sum != *units {
                return broken!(3, "agent {} miscounts queue {queue}", a.id);
            }
        }
        for (channel, count) in a.by_channel.iter().enumerate() {
            if counted().filter(|h| h.channel as usize == channel).count() as u32 != *count {
                return broken!(3, "agent {} miscounts channel {channel}", a.id);
            }
        }
        let orphan = |h: &&&super::Hold| {
            let c = self.conversations.get(h.conversation as usize);
            match h.kind {
                HoldKind::Work => c.is_none_or(|c| c.owner != slot || self.holds[c.work as usize].hash != h.hash),
                HoldKind::Offer => {
                    c.is_none_or(|c| c.offer_hold == NONE || self.holds[c.offer_hold as usize].agent != slot)
                }
                HoldKind::WrapUp => a.timers[2].at == 0,
                HoldKind::External => false,
            }
        };
        if let Some(hold) = holds.iter().find(orphan) {
            return broken!(3, "agent {} has a hold that nothing refers to: {hold:?}", a.id);
        }
        None
    }

    /// Promises 6 and 7: every lane's next pick is the definition's, and nobody waits beside a candidate.
    fn broken_order(&mut self, settled: bool) -> Option<(u32, Finding)> {
        for w in 0..self.workspaces.len() {
            let ws = &self.workspaces[w];
            for (set, row) in ws.sets.iter().enumerate().filter(|(_, row)| row.open) {
                let candidates = self.scan_candidates(ws, set as u32, row);
                if row.candidates as usize != candidates.len() {
                    let kept = row.candidates;
                    let broken = broken!(7, "set {set} counts {kept} candidates of {candidates:?}")?;
                    return Some((w as u32, broken));
                }
            }
            for lane in 0..self.workspaces[w].lanes.len() as u32 {
                if let Some(broken) = self.broken_lane(w as u32, lane, settled) {
                    return Some((w as u32, broken));
                }
            }
        }
        None
    }

    fn broken_lane(&mut self, w: u32, lane: u32, settled: bool) -> Option<Finding> {
        let ws = &self.workspaces[w as usize];
        let row = &ws.lanes[lane as usize];
        if !row.open || row.line.is_empty() {
            return None;
        }
        let (key, set) = (row.key.clone(), &ws.sets[row.key.set as usize]);
        let serves = ws.desk(set.queue).serves(self.now) && set.strategy != Strategy::Manual;
        let eligible: Vec<u32> = match key.only {
            NONE => {
                let all = self.scan_candidates(ws, key.set, set);
                all.into_iter().filter(|slot| key.admits(&self.agents[*slot as usize], *slot)).collect()
            }
            only => {
                let agent = &self.agents[only as usize];
                let load = ws.load(set.channel);
                let fits = agent.takes_work(set.channel)
                    && agent.paced >> set.channel & 1 == 0
                    && load.is_some_and(|load| {
                        let member = agent.member(set.queue);
                        agent.fits_by_load(&load) && member.is_none_or(|m| agent.fits_queue(&m, load.units))
                    });
                if fits { vec![only] } else { Vec::new() }
            }
        };
        let is_staffed = ws.staffed[lane as usize / 64] >> (lane % 64) & 1 == 1;
        if is_staffed != (serves && !eligible.is_empty()) {
            return broken!(7, "lane {lane} is staffed: {is_staffed}, by {eligible:?}");
        }
        if settled && is_staffed {
            let agent = &self.agents[eligible[0] as usize].id;
            return broken!(7, "somebody waits in lane {lane} beside {agent}");
        }
        if key.only != NONE || eligible.is_empty() || set.strategy == Strategy::Manual {
            return None;
        }
        let by_definition = self.scan_best(set, key.set, &eligible);
        let admits = |agent: &super::Agent, slot: u32| key.admits(agent, slot);
        let set = &mut self.workspaces[w as usize].sets[key.set as usize];
        let by_pool = set.best(key.set, &mut self.agents, Some(&admits)).map(|(agent, _)| agent);
        if by_definition == by_pool {
            return None;
        }
        broken!(6, "lane {lane} would pick {by_pool:?}, the definition {by_definition:?}")
    }

    fn scan_candidates(&self, ws: &Workspace, slot: u32, set: &RequirementSet) -> Vec<u32> {
        let Some(load) = ws.load(set.channel) else { return Vec::new() };
        let is = |a: &u32| {
            let agent = &self.agents[*a as usize];
            let Some(member) = agent.member(set.queue) else { return false };
            let r = &set.requirement;
            let able = r.skills.iter().all(|r| agent.skills.iter().any(|s| s.skill == r.skill && s.level >= r.level))
                && agent.standing >> set.channel & 1 == 1
                && (r.teams.is_empty() || r.teams.contains(&agent.team))
                && (r.ring_team == 0 || r.ring_team - 1 == agent.team)
                && agent.config.seniority >= r.ring_seniority;
            able && agent.takes_work(set.channel)
                && agent.paced >> set.channel & 1 == 0
                && agent.fits_by_load(&load)
                && agent.fits_queue(&member, load.units)
        };
        let _ = slot;
        ws.agents.iter().copied().filter(is).collect()
    }

    fn scan_best(&self, set: &RequirementSet, slot: u32, eligible: &[u32]) -> Option<u32> {
        let agents = &self.agents;
        let part = |a: u32| agents[a as usize].part(slot);
        let lowest = eligible.iter().filter_map(|a| part(*a)).map(|p| p.member.rank).min()?;
        let of_rank = eligible.iter().copied().filter(|a| part(*a).is_some_and(|p| p.member.rank == lowest));
        let idle = |a: &u32| agents[*a as usize].idle_key(*a);
        match set.strategy {
            Strategy::Manual => None,
            Strategy::LongestIdle => of_rank.min_by_key(idle),
            Strategy::LeastLoaded => of_rank.min_by_key(|a| agents[*a as usize].load_key(*a)),
            Strategy::MostSkilled => of_rank.min_by_key(|a| (Reverse(part(*a).map_or(0, |p| p.score)), idle(a))),
            Strategy::WeightedRoundRobin => {
                let rotation = set.ranks.iter().find(|r| r.rank == lowest).map(|r| r.rotation)?;
                let of_rank: Vec<u32> = of_rank.collect();
                let weight: u64 = of_rank.iter().map(|a| u64::from(agents[*a as usize].config.weight)).sum();
                let due = |a: &u32| {
                    let agent = &agents[*a as usize];
                    rotation.next_due(agent.config.weight, part(*a).map_or(0, |p| p.share), rotation.weight - weight)
                };
                of_rank.iter().copied().max_by(|a, b| due(a).cmp(&due(b)).then(b.cmp(a)))
            }
        }
    }

    /// The largest |picked - due| of a set's members, in thousandths of a pick.
    pub(crate) fn rotation_error_milli(&self, workspace: u32, slot: u32) -> u64 {
        let set = &self.workspaces[workspace as usize].sets[slot as usize];
        if set.strategy != Strategy::WeightedRoundRobin {
            return 0;
        }
        let error = |a: &u32| {
            let agent = &self.agents[*a as usize];
            let Some(m) = agent.part(slot) else { return 0 };
            let rotation = set.ranks.iter().find(|r| r.rank == m.member.rank).map(|r| r.rotation).unwrap_or_default();
            let due = match m.candidate {
                true => rotation.numerator(agent.config.weight, m.share, 0) / i128::from(rotation.weight.max(1)),
                false => m.share,
            };
            (due.unsigned_abs() * 1_000 / PICK.unsigned_abs()) as u64
        };
        set.members.iter().map(error).max().unwrap_or(0)
    }
}
