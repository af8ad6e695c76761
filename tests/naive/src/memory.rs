//! What outlives its cause: outcomes of events for the sake of duplicates, and the last epochs of ended conversations.

use engine::Limits;
use engine::decision::{Outcome, Position, Reason};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// At most this many oldest entries leave at one insert.
const OUT_AT_ONCE: usize = 2;
const LINKS_MAX: usize = 1_000_000;
const LINK_KEPT_MS: u64 = 30 * 86_400_000;

#[derive(Clone, Copy)]
pub struct Remembered {
    pub outcome: Outcome,
    pub code: Reason,
    pub position: Position,
    pub at: u64,
}

#[derive(Default)]
pub struct Memory {
    by_key: HashMap<u128, Remembered>,
    by_age: VecDeque<u128>,
}

impl Memory {
    pub fn first(&self, key: u128) -> Option<Remembered> {
        self.by_key.get(&key).copied()
    }

    pub fn insert(&mut self, key: u128, remembered: Remembered, now: u64, limits: Limits) {
        self.by_key.insert(key, remembered);
        self.by_age.push_back(key);
        for _ in 0..OUT_AT_ONCE {
            let Some(oldest) = self.by_age.front() else { return };
            let too_old = self.by_key[oldest].at + limits.idempotency_window_ms < now;
            if !too_old && self.by_key.len() <= limits.idempotency_max as usize {
                return;
            }
            self.by_key.remove(oldest);
            self.by_age.pop_front();
        }
    }
}

struct Link {
    epoch: u64,
    at: u64,
    number: u64,
}

/// (workspace, conversation) -> its last epoch.
#[derive(Default)]
pub struct Links {
    by_name: HashMap<(String, String), Link>,
    by_age: BTreeMap<u64, (String, String)>,
    next_number: u64,
}

impl Links {
    /// The epoch from which an id that is used again goes on.
    pub fn take(&mut self, workspace: &str, conversation: &str) -> Option<u64> {
        let link = self.by_name.remove(&(workspace.to_string(), conversation.to_string()))?;
        self.by_age.remove(&link.number);
        Some(link.epoch)
    }

    pub fn insert(&mut self, workspace: &str, conversation: &str, epoch: u64, now: u64) {
        self.take(workspace, conversation);
        let name = (workspace.to_string(), conversation.to_string());
        self.by_name.insert(name.clone(), Link { epoch, at: now, number: self.next_number });
        self.by_age.insert(self.next_number, name);
        self.next_number += 1;
        for _ in 0..OUT_AT_ONCE {
            let Some((&number, oldest)) = self.by_age.first_key_value() else { return };
            if self.by_name[oldest].at + LINK_KEPT_MS >= now && self.by_name.len() <= LINKS_MAX {
                return;
            }
            let oldest = oldest.clone();
            self.by_age.remove(&number);
            self.by_name.remove(&oldest);
        }
    }
}
