//! Customers of the last 24 hours: whether a contact is one more try of somebody whose matter was over, and whether two
//! who turn out to be one person were served apart.

use super::keyed::KeyedMap;
use std::collections::VecDeque;

const REPEAT_MS: u64 = 24 * 3_600_000;
/// Ended ones remembered in a workspace; beyond it the oldest is forgotten sooner.
const ENDED_MAX: usize = 100_000;

#[derive(Default)]
struct Trace {
    open: u32,
    /// ms UTC; 0: none ended.
    ended_at: u64,
}

#[derive(Default)]
pub(crate) struct Customers {
    traces: KeyedMap<Trace>,
    /// (when, who), oldest first.
    ended: VecDeque<(u64, u128)>,
}

impl Customers {
    /// Says whether this customer's last matter ended within 24 hours and none is open.
    pub(crate) fn opened(&mut self, customer: u128, now: u64) -> bool {
        self.forget(now);
        let trace = self.traces.entry(customer).or_default();
        trace.open += 1;
        trace.open == 1 && trace.ended_at > 0
    }

    pub(crate) fn ended(&mut self, customer: u128, now: u64) {
        let Some(trace) = self.traces.get_mut(&customer) else { return };
        (trace.open, trace.ended_at) = (trace.open.saturating_sub(1), now);
        self.ended.push_back((now, customer));
        self.forget(now);
    }

    /// A resolved one is open again: that is no new try.
    pub(crate) fn reopened(&mut self, customer: u128) {
        self.traces.entry(customer).or_default().open += 1;
    }

    /// Whether he is or was here, in these 24 hours.
    pub(crate) fn knows(&self, customer: u128) -> bool {
        self.traces.contains_key(&customer)
    }

    fn forget(&mut self, now: u64) {
        while let Some((at, customer)) = self.ended.front().copied() {
            if self.ended.len() <= ENDED_MAX && at + REPEAT_MS > now {
                return;
            }
            self.ended.pop_front();
            // Another one of his may have ended later.
            if let Some(trace) = self.traces.get_mut(&customer).filter(|trace| trace.ended_at == at) {
                trace.ended_at = 0;
                if trace.open == 0 {
                    self.traces.remove(&customer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_try_within_a_day_is_a_repeat_and_one_beside_an_open_matter_is_not() {
        let mut customers = Customers::default();
        assert!(!customers.opened(1, 1_000));
        assert!(!customers.opened(1, 2_000), "the first is still open");
        customers.ended(1, 3_000);
        assert!(!customers.opened(1, 4_000), "the second is still open");
        customers.ended(1, 5_000);
        customers.ended(1, 6_000);
        assert!(customers.opened(1, 6_000 + REPEAT_MS - 1));
        customers.ended(1, 6_000 + REPEAT_MS);
        assert!(!customers.opened(1, 6_000 + 2 * REPEAT_MS), "a day later it is a new matter");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut customers = Customers::default();
        for n in 0..ENDED_MAX as u128 + 10 {
            customers.opened(n, 1);
            customers.ended(n, 1);
        }
        assert_eq!(customers.traces.len(), ENDED_MAX);
        assert!(!customers.knows(9) && customers.knows(10));
    }
}
