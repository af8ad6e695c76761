//! Weighted round robin as `routing.md` §4 defines it: every candidate is due his share of every pick, and the pick goes
//! to the one who is furthest behind. All in integers, O(n) a pick, to be read beside the definition.
//!
//! Shares are counted in units of 2^-32 of a pick. Between two changes of the candidates the sum of weights W is fixed,
//! so after k picks each is due w x k/W, compared exactly by multiplying with W. At a change the common progress is
//! rounded down and becomes part of each one's credit; who is no candidate keeps his credit as it was.

use std::collections::BTreeMap;

const ONE_PICK: i128 = 1 << 32;

/// A candidate's account since the last change.
struct Account {
    weight: i128,
    /// Due minus picked at the last change, in 2^-32 picks.
    credit: i128,
    picked: i128,
}

#[derive(Default)]
pub struct Rotation {
    /// By the number of the agent: the order of configuration.
    candidates: BTreeMap<usize, Account>,
    frozen: BTreeMap<usize, i128>,
    /// Picks since the last change.
    picks: i128,
}

impl Rotation {
    fn total_weight(&self) -> i128 {
        self.candidates.values().map(|account| account.weight).sum()
    }

    /// Rounds the common progress down and credits it. Comes before every change of the candidates or of a weight.
    fn settle(&mut self) {
        if self.picks == 0 {
            return;
        }
        let progress = self.picks * ONE_PICK / self.total_weight();
        for account in self.candidates.values_mut() {
            account.credit += account.weight * progress - account.picked * ONE_PICK;
            account.picked = 0;
        }
        self.picks = 0;
    }

    /// Tells the rotation what an agent is to it now: a candidate with this weight, or none.
    pub fn set(&mut self, agent: usize, weight: Option<u16>) {
        self.change(agent, weight.map(i128::from));
    }

    fn change(&mut self, agent: usize, weight: Option<i128>) {
        if self.candidates.get(&agent).map(|account| account.weight) == weight {
            return;
        }
        self.settle();
        if let Some(left) = self.candidates.remove(&agent) {
            self.frozen.insert(agent, left.credit);
        }
        if let Some(weight) = weight {
            let credit = self.frozen.remove(&agent).unwrap_or(0);
            self.candidates.insert(agent, Account { weight, credit, picked: 0 });
        }
    }

    /// He is no member of this rank any more. Returns what he is due, which he takes with him to another rank of the set;
    /// who leaves the set and comes back starts anew.
    pub fn forget(&mut self, agent: usize) -> Option<i128> {
        self.change(agent, None);
        self.frozen.remove(&agent)
    }

    /// He comes from another rank of the set.
    pub fn bring(&mut self, agent: usize, credit: i128) {
        self.frozen.insert(agent, credit);
    }

    /// Picks one of these alone: the others of the rotation are no candidates of this pick, and join again after it.
    pub fn pick_among(&mut self, chosen: &[usize]) -> Option<usize> {
        let left_out: Vec<(usize, i128)> = self
            .candidates
            .iter()
            .filter(|(agent, _)| !chosen.contains(agent))
            .map(|(&agent, account)| (agent, account.weight))
            .collect();
        for (agent, _) in &left_out {
            self.change(*agent, None);
        }
        let picked = self.pick();
        for (agent, weight) in left_out {
            self.change(agent, Some(weight));
        }
        picked
    }

    /// Picks one: the largest (due - picked), the first configured on a tie.
    fn pick(&mut self) -> Option<usize> {
        let total = self.total_weight();
        let picks = self.picks + 1;
        let behind = |account: &Account| {
            total * (account.credit - account.picked * ONE_PICK) + account.weight * picks * ONE_PICK
        };
        let mut best: Option<(usize, i128)> = None;
        for (&agent, account) in &self.candidates {
            if best.is_none_or(|(_, most)| behind(account) > most) {
                best = Some((agent, behind(account)));
            }
        }
        let (agent, _) = best?;
        self.picks = picks;
        if let Some(account) = self.candidates.get_mut(&agent) {
            account.picked += 1;
        }
        Some(agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_one_one_gives_nginx_sequence() {
        let mut rotation = Rotation::default();
        for (agent, weight) in [5, 1, 1].into_iter().enumerate() {
            rotation.set(agent, Some(weight));
        }
        let picks: Vec<usize> = (0..7).filter_map(|_| rotation.pick()).collect();
        assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn who_is_left_out_of_one_pick_keeps_what_he_is_due() {
        let mut rotation = Rotation::default();
        for agent in 0..3 {
            rotation.set(agent, Some(1));
        }
        assert_eq!(rotation.pick_among(&[1, 2]), Some(1));
        assert_eq!((rotation.pick(), rotation.pick(), rotation.pick()), (Some(2), Some(0), Some(1)));
    }

    #[test]
    fn who_is_away_is_owed_nothing_for_it() {
        let mut rotation = Rotation::default();
        rotation.set(0, Some(1));
        rotation.set(1, Some(1));
        assert_eq!(rotation.pick(), Some(0));
        rotation.set(1, None);
        assert_eq!((rotation.pick(), rotation.pick()), (Some(0), Some(0)));
        rotation.set(1, Some(1));
        assert_eq!((rotation.pick(), rotation.pick()), (Some(1), Some(0)));
    }
}
