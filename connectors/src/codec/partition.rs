//! Which partition a workspace is in: murmur2 as Java's default partitioner computes it, so that any Kafka client that
//! keys its events by workspace puts them where we would (wire.md, "Envelope, in").

/// Partition of a workspace among `n` of them. `n` never changes for a journal.
pub fn partition(workspace: &str, n: u16) -> u16 {
    assert!(n > 0, "a topic has at least one partition");
    let positive = murmur2(workspace.as_bytes()) & 0x7fff_ffff;
    (positive % u32::from(n)) as u16
}

/// MurmurHash2 (Austin Appleby, 2008), 32 bits, with the seed of `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut h = 0x9747_b28c ^ bytes.len() as u32;
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_gives_the_known_answers_of_java() {
        let known: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (text, hash) in known {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn a_negative_hash_loses_its_sign_bit_only() {
        // Utils.toPositive is `number & 0x7fffffff`, not an absolute value.
        assert_eq!(partition("21", 1_000), ((-973_932_308i32 & 0x7fff_ffff) % 1_000) as u16);
        assert_eq!(partition("anything", 1), 0);
    }
}
