//! First come first served with alike agents, without an engine: the recursion of Kiefer and Wolfowitz (1955), with
//! customers who leave when their patience is shorter than the wait that lies before them.
//!
//! A table that was printed with three digits, or by another simulator, is met by the theory and not by every sample: a
//! million arrivals at 96 % load spread by 6 % in their mean wait. So the sample is the first one of which this recursion,
//! which knows nothing of the engine, has the table's figures; then the engine has to have them on the same arrivals.

use crate::theory::system::{Drawn, Fate, One, Outcome, System};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What comes of these arrivals. Who of the alike agents is whose is not said.
pub fn outcome(system: &System, drawn: &[Drawn]) -> Outcome {
    let agents = system.agents.len();
    let mut outcome = Outcome::of(agents);
    for day in drawn.chunk_by(|one, next| one.day == next.day) {
        let span_ms = system.span_ms(day);
        // When each agent is free again.
        let mut free: BinaryHeap<Reverse<u64>> = (0..agents).map(|_| Reverse(0)).collect();
        for drawn in day {
            let Some(mut first) = free.peek_mut() else { break };
            let starts = first.0.max(drawn.at_ms);
            let wait_ms = starts - drawn.at_ms;
            let leaves = drawn.patience_ms.filter(|patience| *patience < wait_ms);
            if leaves.is_none() {
                let ends = starts + drawn.handle_ms;
                first.0 = ends;
                // All agents' time in one account: they are alike.
                outcome.held_ms[0] += ends.min(span_ms) - starts.min(span_ms);
            }
            let fate = if leaves.is_some() { Fate::Abandoned } else { Fate::Answered };
            let wait_ms = leaves.unwrap_or(wait_ms);
            outcome.ones.push(One { class: drawn.class, wait_ms, waited: starts > drawn.at_ms, fate, agent: u32::MAX });
        }
        outcome.span_ms += span_ms;
        outcome.days += 1;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Call by call, not on average: on ties as well, of which whole seconds have many.
    #[test]
    fn the_engine_serves_as_the_recursion_says_with_and_without_patience() {
        for patience_s in [None, Some(60.0)] {
            let mut system = System::of(3, 0.04, 70.0);
            if let Some(patience_s) = patience_s {
                system = system.with_patience(patience_s);
            }
            let drawn = system.draw(5_000, 3);
            let (engine, recursion) = (system.play_drawn(&drawn).unwrap(), outcome(&system, &drawn));
            assert!(recursion.count(|one| one.waited) > 1_000.0);
            assert_eq!(recursion.count(|one| one.fate == Fate::Abandoned) > 300.0, patience_s.is_some());
            let plain = |one: &One| One { agent: u32::MAX, ..*one };
            for (number, (ours, theirs)) in engine.ones.iter().zip(&recursion.ones).enumerate() {
                assert_eq!(plain(ours), *theirs, "arrival {number}");
            }
            assert_eq!(engine.held_ms.iter().sum::<u64>(), recursion.held_ms[0]);
        }
    }
}
