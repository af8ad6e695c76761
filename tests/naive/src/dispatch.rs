//! Who gets whom: the best in line whom somebody can take, to the one whom his queue's strategy picks.

use crate::agent::Agent;
use crate::requirement::{RequirementSet, skills_of};
use crate::rotation::Rotation;
use crate::telling::Step;
use engine::decision::Reason;
use engine::policy::Strategy;
use std::cmp::Ordering;

impl Step<'_> {
    /// Gives while there is somebody to give to, within the step bound.
    pub fn dispatch(&mut self) {
        self.workspace.left_over = false;
        while let Some((id, willing)) = self.workspace.next_assignable() {
            if self.left == 0 {
                self.workspace.left_over = true;
                return;
            }
            self.give(&id, &willing);
            self.follow_clocks();
            self.left -= 1;
        }
        self.workspace.moved.clear();
        self.workspace.fresh.clear();
    }

    fn give(&mut self, id: &str, willing: &[usize]) {
        let conversation = &self.workspace.conversations[id];
        let reason = if conversation.preference.is_some() { Reason::Preferred } else { Reason::Auto };
        let queue = conversation.queue.clone();
        let index = if reason == Reason::Preferred { willing[0] } else { self.pick(id, &queue, willing) };
        let agent = self.workspace.agents[index].id.clone();
        let is_offered = self.workspace.queue(&queue).is_some_and(|queue| queue.accept_ms > 0);
        self.pace(index);
        if is_offered {
            self.offer(&agent, id, reason);
        } else {
            self.hand(&agent, id, reason, "");
        }
        self.rearm(id);
        self.rearm_agent(index);
    }

    /// He is being given something: nothing more for a while on channels that say so.
    fn pace(&mut self, index: usize) {
        let channels = self.workspace.past_channels.values().filter(|channel| channel.min_gap_ms > 0);
        let pace_at = channels.clone().map(|channel| self.now + channel.min_gap_ms).min();
        let paced = channels.map(|channel| channel.name.to_string()).collect();
        let agent = &mut self.workspace.agents[index];
        agent.paced = paced;
        agent.last_given = self.now;
        agent.pace_at = pace_at;
    }

    /// One of the willing of the lowest rank among them.
    fn pick(&mut self, id: &str, queue: &str, willing: &[usize]) -> usize {
        let rank_of = |index: &usize| self.workspace.rank_in(&self.workspace.agents[*index], queue);
        let lowest = willing.iter().map(rank_of).min().unwrap_or_default();
        let candidates: Vec<usize> = willing.iter().copied().filter(|index| rank_of(index) == lowest).collect();
        let Some(set) = self.workspace.conversations[id].set.clone() else { return candidates[0] };
        match self.workspace.strategy(&set) {
            Strategy::LongestIdle | Strategy::Manual => self.first_by(&candidates, longest_idle),
            Strategy::LeastLoaded => self.first_by(&candidates, |one, other| {
                let units = |agent: &Agent| u64::from(self.workspace.units_of(agent));
                let one_load = u64::from(one.used()) * units(other);
                let other_load = u64::from(other.used()) * units(one);
                one_load.cmp(&other_load).then_with(|| longest_idle(one, other))
            }),
            Strategy::MostSkilled => {
                let preferred = self.workspace.queue(queue).map(|queue| skills_of(&queue.preferred_skills));
                let preferred = preferred.unwrap_or_default();
                let levels = |agent: &Agent| {
                    let required = set.requirement.skills.keys().map(String::as_str);
                    let beyond = preferred.keys().map(String::as_str);
                    (agent.levels_over(required), agent.levels_over(beyond))
                };
                self.first_by(&candidates, |one, other| {
                    levels(other).cmp(&levels(one)).then_with(|| longest_idle(one, other))
                })
            }
            Strategy::WeightedRoundRobin => {
                self.rotations_for(id);
                let of_ranks = self.workspace.rotations.get_mut(&set);
                let rotation = of_ranks.and_then(|of_ranks| of_ranks.get_mut(&lowest));
                rotation.and_then(|rotation| rotation.pick_among(&candidates)).expect("a candidate is in the rotation")
            }
        }
    }

    /// The least of the candidates, the first created on a tie.
    fn first_by(&self, candidates: &[usize], order: impl Fn(&Agent, &Agent) -> Ordering) -> usize {
        let mut best = candidates[0];
        for &candidate in &candidates[1..] {
            if order(&self.workspace.agents[candidate], &self.workspace.agents[best]) == Ordering::Less {
                best = candidate;
            }
        }
        best
    }

    /// A set that takes turns has a rotation for each rank from its first conversation on.
    pub fn rotations_for(&mut self, id: &str) {
        let Some(set) = self.workspace.conversations[id].set.clone() else { return };
        let weighted = self.workspace.strategy(&set) == Strategy::WeightedRoundRobin;
        if !weighted || self.workspace.rotations.contains_key(&set) {
            return;
        }
        let of_ranks = self.new_rotations(&set);
        self.workspace.rotations.insert(set, of_ranks);
    }

    fn new_rotations(&self, set: &RequirementSet) -> std::collections::BTreeMap<u8, Rotation> {
        let mut of_ranks = std::collections::BTreeMap::<u8, Rotation>::new();
        for (index, agent) in self.workspace.agents.iter().enumerate() {
            if self.workspace.is_candidate(agent, set) {
                let rank = self.workspace.rank_in(agent, &set.queue);
                of_ranks.entry(rank).or_default().set(index, Some(agent.config.weight));
            }
        }
        of_ranks
    }
}

/// Holding nothing first, then idle for longest.
fn longest_idle(one: &Agent, other: &Agent) -> Ordering {
    let key = |agent: &Agent| (!agent.holds.is_empty(), agent.idle_since);
    key(one).cmp(&key(other))
}
