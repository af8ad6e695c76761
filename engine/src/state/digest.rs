//! The state's fingerprint: each entity's row of words folded to 128 bits, the whole a wrapping sum of rows.
//!
//! A sum does not care for order, so an entity that changes is subtracted and added again: a record costs its dirty
//! rows, not the state. The fold is a multiply-fold of two lanes, as wyhash and foldhash do it (Wang Yi, 2019), keyed so
//! that no outsider can aim at it. It finds faults, it does not authenticate: the journal's chain does that.

use crate::id::HashKey;

#[derive(Clone, Copy)]
pub struct Fingerprint {
    a: u64,
    b: u64,
    key: (u64, u64),
}

#[inline]
fn fold(x: u64, y: u64) -> u64 {
    let wide = u128::from(x) * u128::from(y);
    (wide as u64) ^ ((wide >> 64) as u64)
}

impl Fingerprint {
    /// A row of `kind`: rows of different kinds never meet.
    #[inline]
    pub fn new(key: HashKey, kind: u64) -> Fingerprint {
        let key = (key.0 as u64 | 1, (key.0 >> 64) as u64 | 1);
        Fingerprint {
            a: fold(kind ^ 0x9e37_79b9_7f4a_7c15, key.0 ^ 0xd1b5_4a32_d192_ed03),
            b: kind ^ 0x8cb9_2ba7_2f3d_8dd7,
            key,
        }
    }

    #[inline]
    pub fn word(&mut self, word: u64) {
        self.a = fold(self.a ^ word, self.key.0 ^ 0xa076_1d64_78bd_642f);
        self.b = fold(self.b ^ word.rotate_left(32), self.key.1 ^ 0xe703_7ed1_a0b4_28db).wrapping_add(self.a);
    }

    #[inline]
    pub fn wide(&mut self, word: u128) {
        self.word(word as u64);
        self.word((word >> 64) as u64);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    #[inline]
    pub fn end(self) -> u128 {
        (u128::from(fold(self.a, self.key.1 ^ self.b)) << 64) | u128::from(fold(self.b, self.key.0 ^ self.a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64]) -> u128 {
        let mut f = Fingerprint::new(HashKey(7), 1);
        words.iter().for_each(|w| f.word(*w));
        f.end()
    }

    #[test]
    fn order_length_and_every_bit_count() {
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[]), of(&[0]));
        for bit in 0..64 {
            assert_ne!(of(&[0, 5]), of(&[1 << bit, 5]), "bit {bit}");
        }
    }
}
