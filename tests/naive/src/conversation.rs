//! One conversation: where it stands, whose turn it is, and what its present wait has come to.

use crate::clocks::{Facts, ServiceClock};
use crate::requirement::{RequirementSet, Skills};
use engine::decision::{PhaseWord, Reason, Turn};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;

/// Place in line: strict class, virtual arrival, arrival, creation number.
pub type Place = (u8, i128, u64, u64);

/// Class of those whose tier has none.
pub const LAST_CLASS: u8 = 9;
/// Class of those who are promoted.
pub const FIRST_CLASS: u8 = 1;

/// An agent is asked whether he takes it.
#[derive(Clone)]
pub struct Offer {
    pub number: u64,
    pub agent: String,
    /// None: made while the shard was behind.
    pub until: Option<u64>,
    /// The giver owns the conversation until it is accepted.
    pub warm: bool,
}

/// Held for one agent.
#[derive(Clone)]
pub struct Held {
    pub agent: String,
    pub until: u64,
    /// Of a transfer: where it goes if he does not take it.
    pub fallback: Option<String>,
}

pub struct Conversation {
    pub id: String,
    pub creation: u64,
    pub customer: Option<String>,
    /// The thread or contact that it belongs to.
    pub identity: Option<u128>,
    pub entry: String,
    pub tier: Option<String>,
    pub channel: String,
    /// As its channel was when it began.
    pub live: bool,
    /// Of the event that opened it.
    pub source: u128,
    /// Live: when it has lasted too long.
    pub stale_at: Option<u64>,
    pub phase: PhaseWord,
    pub turn: Turn,
    pub epoch: u64,
    pub owner: Option<String>,
    pub last_owner: Option<String>,
    /// A person has had it or answered it.
    pub is_touched: bool,
    /// No customer's contact is unanswered.
    pub answered: bool,
    pub arrival: u64,
    /// How long it had waited when it was last given to somebody.
    pub waited_ms: u64,
    /// Deadline of the turn's clock.
    pub turn_at: Option<u64>,
    /// The owner's silence or absence has been escalated.
    pub is_alarmed: bool,
    // The wait in the present queue.
    pub queue: String,
    pub rule: String,
    pub queued_at: u64,
    pub set: Option<RequirementSet>,
    /// What was asked for, whatever its queue requires.
    pub asked: Skills,
    pub priority: u8,
    pub head_start_ms: u64,
    pub class: u8,
    /// Relaxation steps looked at, and those of them that counted (from 0).
    pub steps_seen: usize,
    pub steps_applied: BTreeSet<usize>,
    pub step_head_start_ms: u64,
    pub first_ring: bool,
    /// Longest membership delay that is over.
    pub stage_ms: u64,
    pub preference: Option<Held>,
    /// Somebody was preferred when it came into its queue, and was not there.
    pub is_preferred_absent: bool,
    pub declined: BTreeSet<String>,
    pub giver: Option<String>,
    pub pause_until: Option<u64>,
    pub unclaimed: bool,
    pub offer: Option<Offer>,
    /// Why it is parked.
    pub parked: Reason,
    pub transfers: u32,
    pub has_note: bool,
    pub resolved_at: Option<u64>,
    /// Counts resolves: within one millisecond too, the first resolved is the first to be closed.
    pub resolve_number: u64,
    // What it is measured by.
    /// The first message since it was opened or reopened.
    pub began_at: u64,
    /// The customer's oldest contact that no person has answered.
    pub waits_since: Option<u64>,
    /// A person has answered since it was opened, reopened or handed off.
    pub responded: bool,
    /// Both before the last answer.
    pub before_answer: Option<(u64, bool)>,
    /// When the customer wrote last, where that is measured.
    pub wrote_at: Option<u64>,
    /// Entries into queues.
    pub entries: u32,
    /// By kind.
    pub clocks: [ServiceClock; 5],
    /// The calendar in which each of them counts; empty: always.
    pub counts_in: [String; 5],
    pub clock_at: Option<u64>,
    /// As it was when its clocks were last looked at.
    pub in_step: Option<Facts>,
}

/// Conversations by id; who has been changed is kept in mind.
#[derive(Default)]
pub struct Conversations {
    by_id: HashMap<String, Conversation>,
    touched: BTreeMap<u64, String>,
}

impl Deref for Conversations {
    type Target = HashMap<String, Conversation>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl Conversations {
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Conversation> {
        let found = self.by_id.get_mut(id)?;
        self.touched.entry(found.creation).or_insert_with(|| id.to_string());
        Some(found)
    }

    pub fn insert(&mut self, conversation: Conversation) {
        self.touched.insert(conversation.creation, conversation.id.clone());
        self.by_id.insert(conversation.id.clone(), conversation);
    }

    pub fn remove(&mut self, id: &str) -> Option<Conversation> {
        let removed = self.by_id.remove(id)?;
        self.touched.insert(removed.creation, id.to_string());
        Some(removed)
    }

    /// An agent is gone for good.
    pub fn forget_owner(&mut self, agent: &str) {
        for conversation in self.by_id.values_mut() {
            conversation.last_owner.take_if(|owner| owner == agent);
        }
    }

    /// By creation.
    pub fn take_touched(&mut self) -> BTreeMap<u64, String> {
        std::mem::take(&mut self.touched)
    }
}

impl Conversation {
    pub fn is_resolved(&self) -> bool {
        self.phase == PhaseWord::Resolved
    }

    pub fn waits(&self) -> bool {
        matches!(self.phase, PhaseWord::Queued | PhaseWord::Offered)
    }

    pub fn place(&self) -> Place {
        (self.class, i128::from(self.arrival) - i128::from(self.head_start_ms), self.arrival, self.creation)
    }

    pub fn may_be_promoted(&self) -> bool {
        self.class > FIRST_CLASS
    }

    /// Not to be asked in this round.
    pub fn is_left_out(&self, agent: &str) -> bool {
        self.declined.contains(agent) || self.giver.as_deref() == Some(agent)
    }
}
