//! A conversation's row: fixed-size, found by its id's hash or by its identity.

use super::digest::Fingerprint;
use crate::effect::SkillSlot;
use crate::id::HashKey;
use alloc::boxed::Box;

pub const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Phase {
    /// The slot is free.
    #[default]
    Free = 0,
    Queued = 1,
    Assigned = 2,
    /// Async only: inside its reopen window.
    Resolved = 3,
}

/// What chose the queue, in 32 bits: a rule's index, or one of these.
pub const RULE_ENTRY: u32 = u32::MAX - 1;
pub const RULE_DEFAULT: u32 = u32::MAX - 2;

#[derive(Clone, Debug)]
pub struct Conversation {
    pub(super) phase: Phase,
    pub(super) live: bool,
    /// The hold's nature, as it was when it was made.
    pub(super) exclusive: bool,
    pub(super) dirty: bool,
    pub(super) workspace: u32,
    pub(super) channel: u32,
    pub(super) entry: u32,
    pub(super) tier: u32,
    pub(super) queue: u32,
    pub(super) set: u32,
    pub(super) rule: u32,
    pub(super) owner: u32,
    /// Units of the owner's hold.
    pub(super) units: u32,
    pub(super) hash: u128,
    /// 0: none.
    pub(super) identity: u128,
    pub(super) customer: u128,
    /// Hash of `Texts::asked`; 0: none.
    pub(super) asked: u128,
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) arrival: u64,
    pub(super) queued_at: u64,
    pub(super) head_start_ms: u64,
    pub(super) resolved_at: u64,
    /// Derived: place in its line's heap; neighbours in the workspace's list by creation and in the owner's list.
    pub(super) place_in_line: u32,
    pub(super) older: u32,
    pub(super) newer: u32,
    pub(super) before_of_owner: u32,
    pub(super) next_of_owner: u32,
    /// Conversations of one identity: the index leads to the newest, these to those opened before and after.
    pub(super) older_alike: u32,
    pub(super) newer_alike: u32,
    pub(super) fingerprint: u128,
}

/// Kept beside the row, which stays small.
#[derive(Default, Clone)]
pub struct Texts {
    pub id: Box<str>,
    pub customer: Box<str>,
    /// Only of an entry that is not configured.
    pub entry: Box<str>,
    /// Skills that the event itself asked for.
    pub asked: Box<[SkillSlot]>,
}

impl Conversation {
    pub(super) fn free() -> Conversation {
        Conversation {
            phase: Phase::Free,
            live: false,
            exclusive: false,
            dirty: false,
            workspace: NONE,
            channel: NONE,
            entry: NONE,
            tier: NONE,
            queue: NONE,
            set: NONE,
            rule: NONE,
            owner: NONE,
            units: 0,
            hash: 0,
            identity: 0,
            customer: 0,
            asked: 0,
            number: 0,
            epoch: 0,
            arrival: 0,
            queued_at: 0,
            head_start_ms: 0,
            resolved_at: 0,
            place_in_line: NONE,
            older: NONE,
            newer: NONE,
            before_of_owner: NONE,
            next_of_owner: NONE,
            older_alike: NONE,
            newer_alike: NONE,
            fingerprint: 0,
        }
    }

    /// 0 for a free slot: it is not part of the state.
    pub(super) fn digest(&self, slot: u32, key: HashKey) -> u128 {
        if self.phase == Phase::Free {
            return 0;
        }
        let mut f = Fingerprint::new(key, 1);
        let pair = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
        f.word(u64::from(slot) << 8 | (self.phase as u64) << 4 | u64::from(self.live) << 1 | u64::from(self.exclusive));
        f.word(pair(self.workspace, self.channel));
        f.word(pair(self.entry, self.tier));
        f.word(pair(self.queue, self.set));
        f.word(pair(self.rule, self.owner));
        f.word(u64::from(self.units));
        f.wide(self.hash);
        f.wide(self.identity);
        f.wide(self.customer);
        f.wide(self.asked);
        f.word(self.number);
        f.word(self.epoch);
        f.word(self.arrival);
        f.word(self.queued_at);
        f.word(self.head_start_ms);
        f.word(self.resolved_at);
        f.end()
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Queued | Phase::Assigned)
    }
    pub fn live(&self) -> bool {
        self.live
    }
    pub fn workspace(&self) -> u32 {
        self.workspace
    }
    pub fn channel(&self) -> u32 {
        self.channel
    }
    pub fn tier(&self) -> u32 {
        self.tier
    }
    pub fn queue(&self) -> u32 {
        self.queue
    }
    pub fn set(&self) -> u32 {
        self.set
    }
    pub fn rule(&self) -> u32 {
        self.rule
    }
    pub fn owner(&self) -> Option<u32> {
        (self.owner != NONE).then_some(self.owner)
    }
    pub fn units(&self) -> u32 {
        self.units
    }
    pub fn customer(&self) -> u128 {
        self.customer
    }
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    pub fn number(&self) -> u64 {
        self.number
    }
    pub fn arrival(&self) -> u64 {
        self.arrival
    }
    pub fn queued_at(&self) -> u64 {
        self.queued_at
    }
    pub fn head_start_ms(&self) -> u64 {
        self.head_start_ms
    }
    pub fn resolved_at(&self) -> u64 {
        self.resolved_at
    }
}
