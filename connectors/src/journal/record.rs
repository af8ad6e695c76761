//! The bytes of one journal record (rule 1): a frozen little-endian header, three sections, CRC32C last.
//!
//! `encode` is called by the owner, `decode` by every reader. A claim's body stands in the first section as tagged
//! fields (`Claim`); unknown tags are skipped there, and only there. The chain is BLAKE3-256 over the hash before and
//! the record's bytes. Whether a record counts is not decided here (`fold`).

use crate::journal::Halt;
use engine::decision::Position;
use engine::wire::{Malformed, Reader, Wire, put_varint};

const MAGIC: [u8; 4] = *b"STRW";
const VERSION: u16 = 1;

/// Bytes of the header: see `encode` for its fields in order.
pub const HEADER_BYTES: usize = 150;
const CRC_BYTES: usize = 4;
const FLAG_BEHIND: u8 = 1;

pub type Hash = [u8; 32];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Claim,
    Batch,
}

/// The header, frozen for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    pub kind: Kind,
    /// Each input's `now` is its append time (routing.md §1).
    pub behind: bool,
    pub shard: u16,
    pub term: u64,
    pub claim_id: [u8; 16],
    /// From 1; a claim carries that of the last batch its writer knew.
    pub seq: u64,
    pub prev_hash: Hash,
    /// Inputs of the topic covered: [from, to). Embedded, the shard's accepted inputs are counted.
    pub from: u64,
    pub to: u64,
    /// The last decision known to be relayed when the record was made: a lower bound.
    pub relay: Position,
    /// The last decision before this record; seq 0 for none.
    pub last_decision: Position,
    /// Engine time of the last step, ms UTC.
    pub now: u64,
    pub digest: u128,
}

/// A record as read, borrowing its sections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    pub header: Header,
    pub effects: &'a [u8],
    pub decisions: &'a [u8],
    /// Embedded only.
    pub inputs: &'a [u8],
}

/// Writes a record. The caller keeps to `RECORD_BYTES_MAX`.
pub fn encode(header: &Header, effects: &[u8], decisions: &[u8], inputs: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + effects.len() + decisions.len() + inputs.len() + CRC_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.push(match header.kind {
        Kind::Claim => 1,
        Kind::Batch => 2,
    });
    out.push(if header.behind { FLAG_BEHIND } else { 0 });
    out.extend_from_slice(&header.shard.to_le_bytes());
    out.extend_from_slice(&header.term.to_le_bytes());
    out.extend_from_slice(&header.claim_id);
    out.extend_from_slice(&header.seq.to_le_bytes());
    out.extend_from_slice(&header.prev_hash);
    out.extend_from_slice(&header.from.to_le_bytes());
    out.extend_from_slice(&header.to.to_le_bytes());
    for position in [header.relay, header.last_decision] {
        out.extend_from_slice(&position.seq.to_le_bytes());
        out.extend_from_slice(&position.idx.to_le_bytes());
    }
    out.extend_from_slice(&header.now.to_le_bytes());
    out.extend_from_slice(&header.digest.to_le_bytes());
    for section in [effects, decisions, inputs] {
        let length = u32::try_from(section.len()).expect("a section is bounded by the record");
        out.extend_from_slice(&length.to_le_bytes());
    }
    debug_assert_eq!(out.len(), HEADER_BYTES);
    out.extend_from_slice(effects);
    out.extend_from_slice(decisions);
    out.extend_from_slice(inputs);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Reads a record; what it cannot read is a HALT, never "void" (rule 3). `offset` is only for the message.
pub fn decode(offset: u64, bytes: &[u8]) -> Result<Record<'_>, Halt> {
    let unreadable = |why| Halt::Unreadable { offset, why };
    if bytes.len() < HEADER_BYTES + CRC_BYTES {
        return Err(unreadable("it is shorter than a header"));
    }
    if bytes[..4] != MAGIC {
        return Err(unreadable("it does not begin as a record of Strowger does"));
    }
    let mut at = Cursor { bytes, at: 4 };
    let version = u16::from_le_bytes(at.take());
    if version != VERSION {
        return Err(Halt::UnknownVersion { offset, version });
    }
    let (body, crc) = bytes.split_at(bytes.len() - CRC_BYTES);
    if crc32c::crc32c(body).to_le_bytes() != crc {
        return Err(unreadable("its checksum does not agree with its bytes"));
    }
    let header = header(&mut at).map_err(unreadable)?;
    let lengths: [usize; 3] = std::array::from_fn(|_| u32::from_le_bytes(at.take()) as usize);
    if lengths.iter().sum::<usize>() != body.len() - HEADER_BYTES {
        return Err(unreadable("its sections do not fill it"));
    }
    let (effects, rest) = body[HEADER_BYTES..].split_at(lengths[0]);
    let (decisions, inputs) = rest.split_at(lengths[1]);
    Ok(Record { header, effects, decisions, inputs })
}

fn header(at: &mut Cursor<'_>) -> Result<Header, &'static str> {
    let kind = match at.take::<1>()[0] {
        1 => Kind::Claim,
        2 => Kind::Batch,
        _ => return Err("its kind is neither claim nor batch"),
    };
    let flags = at.take::<1>()[0];
    if flags & !FLAG_BEHIND != 0 {
        return Err("it has a flag that this build does not know");
    }
    Ok(Header {
        kind,
        behind: flags & FLAG_BEHIND != 0,
        shard: u16::from_le_bytes(at.take()),
        term: u64::from_le_bytes(at.take()),
        claim_id: at.take(),
        seq: u64::from_le_bytes(at.take()),
        prev_hash: at.take(),
        from: u64::from_le_bytes(at.take()),
        to: u64::from_le_bytes(at.take()),
        relay: at.position(),
        last_decision: at.position(),
        now: u64::from_le_bytes(at.take()),
        digest: u128::from_le_bytes(at.take()),
    })
}

/// Walks the fixed header; the caller has checked that it is long enough.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let part = self.bytes[self.at..self.at + N].try_into().expect("the header's length was checked");
        self.at += N;
        part
    }

    fn position(&mut self) -> Position {
        Position { seq: u64::from_le_bytes(self.take()), idx: u32::from_le_bytes(self.take()) }
    }
}

/// hash' = H(hash || record bytes), for every accepted record, claims included (rule 1).
pub fn chain(hash: &Hash, bytes: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(hash);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

/// Digest of one record by itself: what a read session compares first (rule 6).
pub fn digest(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

/// Number of length-prefixed items in a section of decisions or inputs, without reading them.
pub fn count(section: &[u8]) -> Result<u32, Malformed> {
    let mut reader = Reader::new(section);
    let mut items = 0;
    while !reader.is_empty() {
        reader.part()?;
        items += 1;
    }
    Ok(items)
}

/// What the first claim of a journal fixes for its whole life.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Genesis {
    pub journal_id: [u8; 16],
    /// Shards, which are partitions; never changes.
    pub shards: u16,
    /// Key of the hashes of ids (`engine::id::HashKey`).
    pub key: u128,
    /// Kafka: (role, topic id).
    pub topics: Vec<(String, String)>,
}

/// A scaled clock's zero: engine time = start + (wall - origin) x scale (`player.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockOrigin {
    pub scale: u32,
    /// Engine time at the origin, ms UTC.
    pub start: u64,
    /// Wall time, ms UTC.
    pub origin: u64,
}

/// A claim's body. Unknown tags are skipped, so that a newer node may say more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claim {
    /// Who claims, for people.
    pub node: String,
    pub genesis: Option<Genesis>,
    pub clock: Option<ClockOrigin>,
}

const TAG_NODE: u64 = 1;
// 2 is poison, which comes with its issue.
const TAG_GENESIS: u64 = 3;
const TAG_CLOCK: u64 = 4;

impl Claim {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        tagged(TAG_NODE, self.node.as_bytes(), &mut out);
        if let Some(genesis) = &self.genesis {
            let mut body = genesis.journal_id.to_vec();
            genesis.shards.put(&mut body);
            genesis.key.put(&mut body);
            put_varint(genesis.topics.len() as u64, &mut body);
            for text in genesis.topics.iter().flat_map(|(role, id)| [role, id]) {
                put_varint(text.len() as u64, &mut body);
                body.extend_from_slice(text.as_bytes());
            }
            tagged(TAG_GENESIS, &body, &mut out);
        }
        if let Some(clock) = self.clock {
            let mut body = Vec::new();
            clock.scale.put(&mut body);
            clock.start.put(&mut body);
            clock.origin.put(&mut body);
            tagged(TAG_CLOCK, &body, &mut out);
        }
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Claim, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut claim = Claim::default();
        while !reader.is_empty() {
            let tag = reader.varint()?;
            let mut body = reader.part()?;
            match tag {
                TAG_NODE => claim.node = String::from_utf8_lossy(body.rest()).into_owned(),
                TAG_GENESIS => claim.genesis = Some(genesis(&mut body)?),
                TAG_CLOCK => {
                    claim.clock =
                        Some(ClockOrigin { scale: body.field()?, start: body.field()?, origin: body.field()? });
                }
                _ => {}
            }
        }
        Ok(claim)
    }
}

fn tagged(tag: u64, body: &[u8], out: &mut Vec<u8>) {
    put_varint(tag, out);
    put_varint(body.len() as u64, out);
    out.extend_from_slice(body);
}

fn genesis(body: &mut Reader<'_>) -> Result<Genesis, Malformed> {
    let journal_id = body.slice(16)?.try_into().map_err(|_| Malformed("a journal id has 16 bytes"))?;
    let shards = body.field()?;
    let key = u128::take(body)?;
    let mut topics = Vec::new();
    for _ in 0..body.varint()?.min(64) {
        topics.push((String::from(Box::<str>::take(body)?), String::from(Box::<str>::take(body)?)));
    }
    Ok(Genesis { journal_id, shards, key, topics })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Batch,
            behind: true,
            shard: 0x0102,
            term: 3,
            claim_id: [0xC1; 16],
            seq: 7,
            prev_hash: [0xAB; 32],
            from: 10,
            to: 12,
            relay: Position { seq: 5, idx: 1 },
            last_decision: Position { seq: 6, idx: 2 },
            now: 1_700_000_000_000,
            digest: 0x0F0E_0D0C_0B0A_0908_0706_0504_0302_0100,
        }
    }

    /// The format of level 1, byte by byte: a build that changes it cannot read journals that exist.
    #[test]
    fn bytes_of_a_batch_are_those_of_the_fixture() {
        let bytes = encode(&header(), b"effects", b"decisions", b"inputs");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let fixture = concat!(
            "53545257",
            "0100",
            "02",
            "01",
            "0201",
            "0300000000000000",
            "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
            "0700000000000000",
            "abababababababababababababababababababababababababababababababab",
            "0a00000000000000",
            "0c00000000000000",
            "0500000000000000",
            "01000000",
            "0600000000000000",
            "02000000",
            "0068e5cf8b010000",
            "000102030405060708090a0b0c0d0e0f",
            "07000000",
            "09000000",
            "06000000",
            "65666665637473",
            "6465636973696f6e73",
            "696e70757473",
        );
        assert_eq!(hex[..fixture.len()], *fixture);
        assert_eq!(bytes.len(), fixture.len() / 2 + 4);
        // CRC32C (Castagnoli) of all that precedes, worked out by other code.
        assert_eq!(hex[fixture.len()..], *"e553f304");
    }

    #[test]
    fn a_record_reads_back() {
        let bytes = encode(&header(), b"effects", b"decisions", b"");
        let record = decode(4, &bytes).unwrap();
        assert_eq!(record, Record { header: header(), effects: b"effects", decisions: b"decisions", inputs: b"" });
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = encode(&header(), b"ef", b"de", b"in");
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(0, &bytes).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(decode(0, &good[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn an_unknown_version_is_told_apart_from_rubbish() {
        let mut bytes = encode(&header(), b"", b"", b"");
        bytes[4] = 9;
        assert_eq!(decode(3, &bytes), Err(Halt::UnknownVersion { offset: 3, version: 9 }));
    }

    #[test]
    fn a_claim_reads_back_and_skips_what_it_does_not_know() {
        let claim = Claim {
            node: "here".into(),
            genesis: Some(Genesis {
                journal_id: [9; 16],
                shards: 4,
                key: 77,
                topics: vec![("events".into(), "abc".into())],
            }),
            clock: Some(ClockOrigin { scale: 120, start: 5, origin: 6 }),
        };
        let mut bytes = claim.encode();
        tagged(99, b"from a later build", &mut bytes);
        assert_eq!(Claim::decode(&bytes).unwrap(), claim);
    }
}
