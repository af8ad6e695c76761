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

/// What a link is found by: a conversation's id in its workspace, or the thread or contact that it belonged to.
#[derive(Clone, PartialEq, Eq, Hash)]
enum LinkOf {
    Conversation(String, String),
    Identity(u128),
}

struct Link {
    epoch: u64,
    at: u64,
    number: u64,
}

/// Conversations that have left, by what may name them again -> their last epoch.
#[derive(Default)]
pub struct Links {
    links: HashMap<LinkOf, Link>,
    by_age: BTreeMap<u64, LinkOf>,
    next_number: u64,
}

impl Links {
    /// The epoch from which an id that is used again goes on.
    pub fn take(&mut self, workspace: &str, conversation: &str) -> Option<u64> {
        self.remove(&LinkOf::Conversation(workspace.to_string(), conversation.to_string()))
    }

    fn remove(&mut self, of: &LinkOf) -> Option<u64> {
        let link = self.links.remove(of)?;
        self.by_age.remove(&link.number);
        Some(link.epoch)
    }

    pub fn has(&self, workspace: &str, conversation: &str) -> bool {
        self.links.contains_key(&LinkOf::Conversation(workspace.to_string(), conversation.to_string()))
    }

    /// Whether a conversation of this thread or contact has ended, and is still remembered.
    pub fn has_identity(&self, identity: Option<u128>) -> bool {
        identity.is_some_and(|identity| self.links.contains_key(&LinkOf::Identity(identity)))
    }

    pub fn insert(&mut self, workspace: &str, conversation: &str, epoch: u64, identity: Option<u128>, now: u64) {
        if let Some(identity) = identity {
            self.insert_one(LinkOf::Identity(identity), epoch, now);
        }
        self.insert_one(LinkOf::Conversation(workspace.to_string(), conversation.to_string()), epoch, now);
    }

    fn insert_one(&mut self, of: LinkOf, epoch: u64, now: u64) {
        // An id that was merged away had epochs of its own: they never fall.
        let epoch = self.remove(&of).unwrap_or(0).max(epoch);
        let number = self.next_number;
        self.next_number += 1;
        self.by_age.insert(number, of.clone());
        self.links.insert(of, Link { epoch, at: now, number });
        for _ in 0..OUT_AT_ONCE {
            let Some((_, oldest)) = self.by_age.first_key_value() else { return };
            if self.links[oldest].at + LINK_KEPT_MS >= now && self.links.len() <= LINKS_MAX {
                return;
            }
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }
}
