//! Names of the world outside as keyed 128-bit hashes: the codec computes them, the engine maps them to slots.
//!
//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012), keyed by the journal's own secret, so that no
//! sender can choose ids that collide. A hash has a kind and a workspace in it: one table serves all workspaces.

use crate::wire::wire_struct;
use alloc::boxed::Box;
use siphasher::sip128::{Hasher128, SipHasher24};

/// What a hash is the hash of: the same text as an agent and as a queue are two things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Workspace = 1,
    Agent = 2,
    Conversation = 3,
    Customer = 4,
    Channel = 5,
    Entry = 6,
    Tier = 7,
    Queue = 8,
    Skill = 9,
    Language = 10,
    Attribute = 11,
    /// (workspace, source, id) of an event.
    Event = 12,
    /// (workspace, source): one presence row per (agent, source).
    Source = 13,
    Session = 14,
    /// (channel, entry, thread): design.md §2's identity of a conversation in a thread.
    Thread = 15,
    /// (channel, entry, customer): the identity of one without a thread.
    Contact = 16,
}

wire_struct! {
    /// An outside name: its text and its hash.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
    pub struct Id {
        pub hash: u128,
        pub text: Box<str>,
    }
}

/// The key of a journal's hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HashKey(pub u128);

impl HashKey {
    /// Hash of a name that has several parts, in a workspace. Parts are length-prefixed: ("a", "bc") is not ("ab", "c").
    pub fn hash(&self, kind: Kind, workspace: &str, parts: &[&str]) -> u128 {
        let mut hasher = SipHasher24::new_with_keys(self.0 as u64, (self.0 >> 64) as u64);
        use core::hash::Hasher;
        hasher.write(&[kind as u8]);
        for part in core::iter::once(&workspace).chain(parts) {
            hasher.write(&(part.len() as u32).to_le_bytes());
            hasher.write(part.as_bytes());
        }
        hasher.finish128().as_u128()
    }

    pub fn id(&self, kind: Kind, workspace: &str, text: &str) -> Id {
        let hash = match kind {
            Kind::Workspace => self.hash(kind, text, &[]),
            _ => self.hash(kind, workspace, &[text]),
        };
        Id { hash, text: text.into() }
    }
}
