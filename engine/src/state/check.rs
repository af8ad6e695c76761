//! The promises of routing.md §9 that a state can be asked for, checked in full: for tests, and a sample in production.
//!
//! Sums, candidates and picks are computed again from rows by plain scans; only the keys of the orders are shared. What
//! this cannot see (a wrong key), the naive engine of the tests does.

use super::set::{PICK, RequirementSet};
use super::{NONE, Phase, State, Workspace};
use crate::effect::SkillSlot;
use crate::policy::Strategy;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl State {
    /// The first broken promise, as a sentence. `settled`: nothing is left for ticks, so promise 7 must hold.
    pub(crate) fn broken_promise(&mut self, settled: bool) -> Option<String> {
        self.broken_ownership().or_else(|| self.broken_ledger()).or_else(|| self.broken_order(settled))
    }

    /// Promises 1 and 2: at most one owner, and nobody is nowhere.
    fn broken_ownership(&self) -> Option<String> {
        let mut held = 0;
        for (slot, c) in self.conversations.iter().enumerate() {
            let slot = slot as u32;
            let is_held = c.owner != NONE;
            held += usize::from(is_held);
            match c.phase {
                Phase::Assigned if !is_held => {
                    return Some(format!("promise 1: conversation {slot} is assigned to nobody"));
                }
                Phase::Queued | Phase::Resolved | Phase::Free if is_held => {
                    return Some(format!("promise 1: conversation {slot} is {:?} and has an owner", c.phase));
                }
                Phase::Queued => {
                    let set = &self.workspaces[c.workspace as usize].sets[c.set as usize];
                    let place = set.line.places().get(c.place_in_line as usize);
                    if !set.open || place.is_none_or(|p| p.conversation != slot) {
                        return Some(format!("promise 2: conversation {slot} is queued and stands in no line"));
                    }
                    if place.is_some_and(|p| p.key != c.arrival as i64 - c.head_start_ms as i64) {
                        return Some(format!("promise 2: conversation {slot} stands at another key than its own"));
                    }
                }
                _ => {}
            }
        }
        let listed: usize = (0..self.agents.len()).map(|a| self.held_by(a as u32).count()).sum();
        (listed != held).then(|| format!("promise 1: {held} conversations have an owner, {listed} are held"))
    }

    /// Promise 3: an agent's units are the sum of his holds.
    fn broken_ledger(&self) -> Option<String> {
        for (slot, a) in self.agents.iter().enumerate() {
            let holds: Vec<u32> = self.held_by(slot as u32).collect();
            let sum = |of: &dyn Fn(&super::Conversation) -> u32| {
                holds.iter().map(|c| of(&self.conversations[*c as usize])).sum::<u32>()
            };
            if holds.iter().any(|c| self.conversations[*c as usize].owner != slot as u32) {
                return Some(format!("promise 1: agent {} holds what another owns", a.id));
            }
            let sums =
                (sum(&|c| c.units), holds.len() as u32, sum(&|c| u32::from(c.exclusive)), sum(&|c| u32::from(c.live)));
            let kept = (a.used, a.holds, a.exclusive_holds, a.live_holds);
            let live_on = |channel: usize| {
                let on = |c: &&u32| {
                    self.conversations[**c as usize].live
                        && self.conversations[**c as usize].channel as usize == channel
                };
                holds.iter().filter(on).count() as u32
            };
            if let Some(channel) = (0..a.live_by_channel.len()).find(|ch| a.live_by_channel[*ch] != live_on(*ch)) {
                return Some(format!("promise 3: agent {} miscounts his live holds of channel {channel}", a.id));
            }
            if sums != kept {
                return Some(format!("promise 3: agent {} keeps {kept:?}, his holds give {sums:?}", a.id));
            }
        }
        None
    }

    /// Promises 6 and 7: every set's next pick is the definition's, and nobody waits beside a candidate.
    fn broken_order(&mut self, settled: bool) -> Option<String> {
        for w in 0..self.workspaces.len() {
            for set in 0..self.workspaces[w].sets.len() as u32 {
                let ws = &self.workspaces[w];
                let row = &ws.sets[set as usize];
                if !row.open {
                    continue;
                }
                let candidates = self.scan_candidates(ws, row);
                if settled && !row.line.is_empty() && !candidates.is_empty() {
                    let agent = &self.agents[candidates[0] as usize].id;
                    return Some(format!("promise 7: somebody waits in set {set} of {} beside {agent}", ws.name));
                }
                let kept = row.candidates as usize;
                if kept != candidates.len() {
                    return Some(format!(
                        "promise 7: set {set} of {} counts {kept} candidates of {}",
                        ws.name,
                        candidates.len()
                    ));
                }
                let by_definition = self.scan_best(row, set, &candidates);
                let by_pool = self.workspaces[w].sets[set as usize].best(set, &mut self.agents);
                if by_definition != by_pool {
                    return Some(format!(
                        "promise 6: set {set} would pick {by_pool:?}, the definition {by_definition:?}"
                    ));
                }
            }
        }
        None
    }

    fn scan_candidates(&self, ws: &Workspace, set: &RequirementSet) -> Vec<u32> {
        let Some(channel) = ws.channel(set.channel) else { return Vec::new() };
        let able = |skills: &[SkillSlot]| {
            set.skills.iter().all(|r| skills.iter().any(|s| s.skill == r.skill && s.level >= r.level))
        };
        ws.agents
            .iter()
            .copied()
            .filter(|a| {
                let agent = &self.agents[*a as usize];
                able(&agent.skills) && agent.fits(set.channel, channel.live, channel.units)
            })
            .collect()
    }

    fn scan_best(&self, set: &RequirementSet, slot: u32, candidates: &[u32]) -> Option<u32> {
        let agents = &self.agents;
        match set.strategy {
            Strategy::LongestIdle => candidates.iter().copied().min_by_key(|a| agents[*a as usize].idle_key(*a)),
            Strategy::LeastLoaded => candidates.iter().copied().min_by_key(|a| agents[*a as usize].load_key(*a)),
            Strategy::WeightedRoundRobin => {
                let weight: u64 = candidates.iter().map(|a| u64::from(agents[*a as usize].config.weight)).sum();
                assert_eq!(weight, set.rotation.weight, "a rotation lost a weight");
                let due = |a: &u32| {
                    let agent = &agents[*a as usize];
                    let share = agent.membership(slot).map_or(0, |m| m.share);
                    set.rotation.numerator(agent.config.weight, share, 1)
                };
                candidates.iter().copied().max_by(|a, b| due(a).cmp(&due(b)).then(b.cmp(a)))
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
            let Some(m) = agent.membership(slot) else { return 0 };
            let due = match m.candidate {
                true => {
                    set.rotation.numerator(agent.config.weight, m.share, 0) / i128::from(set.rotation.weight.max(1))
                }
                false => m.share,
            };
            (due.unsigned_abs() * 1_000 / PICK.unsigned_abs()) as u64
        };
        set.members.iter().map(error).max().unwrap_or(0)
    }
}
