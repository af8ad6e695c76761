//! Who gets whom: the best in line whom somebody can take, to the one whom his queue's strategy picks.

use crate::rotation::Rotation;
use crate::telling::Step;
use crate::workspace::{Agent, RequirementSet};
use engine::decision::{DecisionType, Reason};
use engine::policy::Strategy;
use std::cmp::Ordering;

impl Step<'_> {
    /// Assigns while there is somebody to assign, within the step bound.
    pub fn dispatch(&mut self) {
        self.workspace.left_over = false;
        while let Some(id) = self.workspace.next_assignable() {
            if self.left == 0 {
                self.workspace.left_over = true;
                return;
            }
            let agent = self.pick(&id);
            self.take_hold(&agent, &id);
            self.tell_handed(DecisionType::ConversationAssigned, Reason::Auto, &id, "");
            self.left -= 1;
        }
        self.workspace.moved.clear();
        self.workspace.fresh.clear();
    }

    fn pick(&mut self, id: &str) -> String {
        let set = self.workspace.conversations[id].set.clone();
        let picked = match self.workspace.strategy(&set) {
            Strategy::LongestIdle => self.first_by(&self.workspace.candidates(&set), longest_idle),
            Strategy::LeastLoaded => {
                let load = |one: &Agent, other: &Agent| {
                    let (one_units, other_units) = (self.workspace.units_of(one), self.workspace.units_of(other));
                    let one_load = u64::from(one.used()) * u64::from(other_units);
                    let other_load = u64::from(other.used()) * u64::from(one_units);
                    one_load.cmp(&other_load).then_with(|| longest_idle(one, other))
                };
                self.first_by(&self.workspace.candidates(&set), load)
            }
            Strategy::WeightedRoundRobin => {
                self.rotation_for(id);
                self.workspace.rotations.get_mut(&set).and_then(Rotation::pick).expect("a candidate is in the rotation")
            }
        };
        self.workspace.agents[picked].id.clone()
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

    /// A set that takes turns has a rotation from its first conversation on.
    pub fn rotation_for(&mut self, id: &str) {
        let set: RequirementSet = self.workspace.conversations[id].set.clone();
        let weighted = self.workspace.strategy(&set) == Strategy::WeightedRoundRobin;
        if !weighted || self.workspace.rotations.contains_key(&set) {
            return;
        }
        let mut rotation = Rotation::default();
        for index in self.workspace.candidates(&set) {
            rotation.set(index, Some(self.workspace.agents[index].config.weight));
        }
        self.workspace.rotations.insert(set, rotation);
    }
}

/// Holding nothing first, then idle for longest.
fn longest_idle(one: &Agent, other: &Agent) -> Ordering {
    let key = |agent: &Agent| (!agent.holds.is_empty(), agent.idle_since);
    key(one).cmp(&key(other))
}
