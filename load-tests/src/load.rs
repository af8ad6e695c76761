//! `--load K`: K times the arrivals of a workload, each with the handling time and patience of the one it is copied
//! from.
//!
//! Of each arrival the whole part of K stays or is copied, the fraction by chance: 2.5 is the arrival, a copy, and in
//! half of the cases another. Copies are new customers with new conversations and come up to five minutes earlier or
//! later, so that a day keeps its shape and no two come at once that did not before. Presences stay as they are.

use crate::workload::{Arrival, LINES_MAX, Line, Workload};
use anyhow::{Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::HashSet;

/// A copy comes at most so much earlier or later than what it is copied from.
const JITTER_MS: u64 = 300_000;
/// More would be a typing error: `LINES_MAX` is the limit that counts.
const LOAD_MAX: f64 = 1_000.0;

impl Workload {
    /// `load` times the arrivals; 1 is the workload itself. What was really observed belongs to that load and is left out.
    pub fn loaded(mut self, load: f64, seed: u64) -> Result<Workload> {
        ensure!(load > 0.0 && load <= LOAD_MAX, "--load must be above 0 and at most {LOAD_MAX}");
        if load == 1.0 {
            return Ok(self);
        }
        let lines = (self.lines.len() as f64 * load.max(1.0)) as usize;
        ensure!(lines <= LINES_MAX, "--load {load} makes more than {LINES_MAX} lines");
        let names: HashSet<Box<str>> = self.arrivals().map(|arrival| arrival.conversation.clone()).collect();
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut loaded: Vec<Line> = Vec::with_capacity(lines);
        for line in std::mem::take(&mut self.lines) {
            let Line::Arrival(mut arrival) = line else {
                loaded.push(line);
                continue;
            };
            arrival.observed = None;
            let times = load as u64 + u64::from(rng.random_bool(load.fract()));
            for number in 2..=times {
                let copy = copy(&arrival, number, (self.begins, self.ends), &mut rng);
                let fresh = !names.contains(&copy.conversation);
                ensure!(fresh, "--load: the workload has a conversation {} of its own", copy.conversation);
                loaded.push(Line::Arrival(Box::new(copy)));
            }
            if times > 0 {
                loaded.push(Line::Arrival(arrival));
            }
        }
        // Stable: at one instant the order stays that of the file.
        loaded.sort_by_key(Line::at);
        ensure!(!loaded.is_empty(), "--load {load} leaves no line");
        self.lines = loaded;
        Ok(self)
    }
}

fn copy(arrival: &Arrival, number: u64, (begins, ends): (u64, u64), rng: &mut ChaCha12Rng) -> Arrival {
    let at = (arrival.at + rng.random_range(0..=2 * JITTER_MS)).saturating_sub(JITTER_MS);
    let name = |text: &str| format!("{text}~{number}").into_boxed_str();
    Arrival {
        at: at.clamp(begins, ends),
        conversation: name(&arrival.conversation),
        customer: arrival.customer.as_deref().map(name),
        ..arrival.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Selection;

    fn workload() -> Workload {
        let mut text = String::new();
        for second in 0..1_000 {
            let at = connectors::codec::timestamp(1_767_225_600_000 + second * 10_000);
            text += &format!(
                "{{\"at\":\"{at}\",\"kind\":\"arrival\",\"conversation\":\"c{second}\",\"customer\":\"cu{second}\",\
                 \"channel\":\"voice\",\"handle_s\":{second}}}\n"
            );
        }
        Workload::read("w", text.as_bytes(), &Selection::default()).unwrap()
    }

    fn loaded(load: f64, seed: u64) -> Vec<(u64, String, String, u64)> {
        let workload = workload().loaded(load, seed).unwrap();
        let of = |a: &Arrival| (a.at, a.conversation.to_string(), a.customer.clone().unwrap().to_string(), a.handle_ms);
        workload.arrivals().map(of).collect()
    }

    #[test]
    fn three_times_the_load_is_three_of_each_with_its_own_customer_and_the_same_work() {
        let all = loaded(3.0, 1);
        assert_eq!(all.len(), 3_000);
        assert!(all.is_sorted_by_key(|arrival| arrival.0));
        let (work, one): (u64, u64) = (all.iter().map(|a| a.3).sum(), (0..1_000u64).map(|s| s * 1_000).sum());
        assert_eq!(work, 3 * one);
        let customers: HashSet<_> = all.iter().map(|a| &a.2).collect();
        let conversations: HashSet<_> = all.iter().map(|a| &a.1).collect();
        assert_eq!((customers.len(), conversations.len()), (3_000, 3_000));
        let instants: HashSet<_> = all.iter().map(|a| a.0).collect();
        assert!(instants.len() > 2_900, "copies are jittered: {} instants", instants.len());
    }

    #[test]
    fn a_fraction_is_drawn_by_the_seed() {
        let (half, more) = (loaded(0.5, 1), loaded(1.25, 1));
        assert!((430..570).contains(&half.len()) && (1_180..1_320).contains(&more.len()));
        assert_eq!(half, loaded(0.5, 1));
        assert_ne!(half, loaded(0.5, 2));
        assert_eq!(loaded(1.0, 1).len(), 1_000);
    }

    #[test]
    fn a_copys_name_that_the_file_has_already_is_a_fault() {
        let text = r#"{"at":"2026-01-01T00:00:00Z","kind":"arrival","conversation":"c","channel":"voice","handle_s":1}
{"at":"2026-01-01T00:00:00Z","kind":"arrival","conversation":"c~2","channel":"voice","handle_s":1}"#;
        let workload = Workload::read("w", text.as_bytes(), &Selection::default()).unwrap();
        assert!(workload.loaded(2.0, 1).unwrap_err().to_string().contains("c~2"));
        assert!(self::workload().loaded(0.0, 1).is_err());
    }
}
