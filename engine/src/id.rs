//! Names of the world outside as keyed 128-bit hashes: the codec computes them, the engine maps them to slots.
//!
//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012), keyed by the journal's own secret, so that no
//! sender can choose ids that collide. A hash has a kind and a workspace in it: one table serves all workspaces.

use crate::wire::wire_struct;
use alloc::boxed::Box;
use core::hash::Hasher;
use siphasher::sip128::{Hasher128, SipHasher24};

/// Bytes that are gathered before they are hashed: most names fit whole.
const GATHERED: usize = 192;

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
    /// (channel, entry, thread): routing.md §2's identity of a conversation in a thread.
    Thread = 15,
    /// (channel, entry, customer): the identity of one without a thread.
    Contact = 16,
    /// Work of an agent that we did not route.
    Engagement = 17,
    Team = 18,
    Calendar = 19,
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
        // One write of gathered bytes costs half of many small ones, and is the same stream.
        let mut gathered = [0u8; GATHERED];
        let mut len = 1;
        gathered[0] = kind as u8;
        for part in core::iter::once(&workspace).chain(parts) {
            if len + 4 + part.len() > GATHERED {
                hasher.write(&gathered[..len]);
                len = 0;
            }
            gathered[len..len + 4].copy_from_slice(&(part.len() as u32).to_le_bytes());
            len += 4;
            if part.len() > GATHERED - len {
                hasher.write(&gathered[..len]);
                hasher.write(part.as_bytes());
                len = 0;
                continue;
            }
            gathered[len..len + part.len()].copy_from_slice(part.as_bytes());
            len += part.len();
        }
        hasher.write(&gathered[..len]);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream as it is defined: kind, then each part with its length.
    fn by_definition(key: HashKey, kind: Kind, texts: &[&str]) -> u128 {
        let mut hasher = SipHasher24::new_with_keys(key.0 as u64, (key.0 >> 64) as u64);
        hasher.write(&[kind as u8]);
        for text in texts {
            hasher.write(&(text.len() as u32).to_le_bytes());
            hasher.write(text.as_bytes());
        }
        hasher.finish128().as_u128()
    }

    #[test]
    fn gathering_changes_no_hash() {
        let key = HashKey(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        let long = "x".repeat(256);
        for len in (0..=256).step_by(1) {
            let text = &long[..len];
            for parts in [&[text][..], &["a", text], &[text, text], &[&long, text, "b"]] {
                let mut all = alloc::vec!["acme"];
                all.extend(parts);
                assert_eq!(key.hash(Kind::Event, "acme", parts), by_definition(key, Kind::Event, &all), "{len}");
            }
        }
        assert_ne!(key.hash(Kind::Entry, "w", &["a", "bc"]), key.hash(Kind::Entry, "w", &["ab", "c"]));
    }
}
