//! Maps whose keys are keyed 128-bit hashes already: hashing them again would protect nothing and cost as much as the
//! rest of a look-up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub(super) type KeyedState = BuildHasherDefault<Folded>;
pub(super) type KeyedMap<V> = HashMap<u128, V, KeyedState>;

/// The lower half of a `u128`, as it is.
#[derive(Default)]
pub(super) struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u128");
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
