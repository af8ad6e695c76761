//! The reader's rule (rules 2-6): which records of a log count. Pure, and the same for owner, standby and audit.
//!
//! A fold visits every offset once, in order. What it cannot explain is a `Halt`: a sentence for an operator, after
//! which nobody goes on. Effects are not applied here; whoever follows the fold does (`owner::Domain`).

use crate::journal::record::{self, Claim, ClockOrigin, Genesis, Hash, Header, Kind, Record};
use engine::decision::Position;

/// What must not be gone on from.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Halt {
    #[error(
        "the journal has a hole: after offset {expected} was due, offset {found} came; the topic was compacted, trimmed, or holds a transaction's marker"
    )]
    Hole { expected: u64, found: u64 },
    #[error("the journal's record at offset {offset} cannot be read: {why}")]
    Unreadable { offset: u64, why: &'static str },
    #[error(
        "the journal's record at offset {offset} has version {version}, which this build does not know; use a newer one"
    )]
    UnknownVersion { offset: u64, version: u16 },
    #[error(
        "the journal's record at offset {offset} belongs to shard {found}, not to shard {shard}: the topics are mixed up"
    )]
    OtherShard { offset: u64, shard: u16, found: u16 },
    #[error("the journal was rewritten: the record at offset {offset} is not the one that was read there before")]
    Rewritten { offset: u64 },
    #[error("the journal was cut off: it ends at offset {end}, and offset {position} had been reached")]
    Truncated { end: u64, position: u64 },
    #[error(
        "the journal's offsets went back: an append was acknowledged at offset {offset}, and another record stands there"
    )]
    OffsetRegress { offset: u64 },
    #[error("decision {seq}.{idx} was published and the journal does not confirm it: the journal has lost records")]
    UnconfirmedDecision { seq: u64, idx: u32 },
    #[error(
        "the state rebuilt at record {seq} has digest {found:032x} and the record says {expected:032x}: the journal was written by another engine or is damaged"
    )]
    OtherState { seq: u64, expected: u128, found: u128 },
    #[error("the effects of record {seq} cannot be applied: {why}")]
    Effects { seq: u64, why: &'static str },
    /// What the log itself says is wrong: topics, settings, offsets that are gone.
    #[error("{0}")]
    Log(String),
    #[error("{0}")]
    Refused(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accepted,
    /// Skipped by every reader, with what it failed on.
    Void(&'static str),
}

/// The fold's state (rule 2), without the domain's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fold {
    pub shard: u16,
    /// The next offset to judge.
    pub pos: u64,
    pub term: u64,
    pub claim_id: [u8; 16],
    /// Of the last accepted batch; 0 before the first.
    pub seq: u64,
    pub hash: Hash,
    pub next_input: u64,
    pub relay: Position,
    pub last_decision: Position,
    pub now: u64,
    /// Digest of the record at pos - 1, accepted or not.
    pub last_record: Hash,
    pub genesis: Option<Genesis>,
    pub clock: Option<ClockOrigin>,
    #[cfg(test)]
    pub(crate) plant: super::simulation::Plant,
}

impl Fold {
    pub fn new(shard: u16) -> Fold {
        Fold { shard, ..Fold::default() }
    }

    /// Rules 4 and 5.
    pub fn judge(&self, header: &Header) -> Verdict {
        match header.kind {
            Kind::Claim if header.term > self.term => Verdict::Accepted,
            #[cfg(test)]
            Kind::Claim if self.plant.equal_term && header.term == self.term => Verdict::Accepted,
            Kind::Claim => Verdict::Void("a claim's term is not above the present one"),
            Kind::Batch => self.judge_batch(header),
        }
    }

    fn judge_batch(&self, header: &Header) -> Verdict {
        #[cfg(test)]
        if self.plant.no_prev_hash {
            let fits = header.term == self.term && header.seq == self.seq + 1 && header.from == self.next_input;
            return if fits { Verdict::Accepted } else { Verdict::Void("planted") };
        }
        if self.term == 0 {
            // Terms begin with the first claim: a record of zeros must not fit an empty fold.
            return Verdict::Void("nobody has claimed the shard yet");
        }
        if header.term != self.term {
            return Verdict::Void("its term is not the owner's");
        }
        if header.seq != self.seq + 1 {
            return Verdict::Void("its seq is not the next");
        }
        if header.prev_hash != self.hash {
            return Verdict::Void("it was made after another record than the last");
        }
        if header.from != self.next_input || header.to < header.from {
            return Verdict::Void("its inputs do not follow");
        }
        if header.claim_id != self.claim_id {
            // The claim is in the chain, so prev_hash implies it; a mismatch here means that the chain is broken.
            tracing::error!(seq = header.seq, "a batch agrees in everything but its claim");
            return Verdict::Void("its claim is not the owner's");
        }
        Verdict::Accepted
    }

    /// Visits the record at `offset`, which must be the next (rule 3).
    pub fn read<'a>(&mut self, offset: u64, bytes: &'a [u8]) -> Result<(Verdict, Record<'a>), Halt> {
        if offset != self.pos {
            return Err(Halt::Hole { expected: self.pos, found: offset });
        }
        let record = record::decode(offset, bytes)?;
        let found = record.header.shard;
        if found != self.shard {
            return Err(Halt::OtherShard { offset, shard: self.shard, found });
        }
        let verdict = self.judge(&record.header);
        if verdict == Verdict::Accepted {
            self.accept(offset, &record, bytes)?;
        }
        self.pos = offset + 1;
        self.last_record = record::digest(bytes);
        Ok((verdict, record))
    }

    fn accept(&mut self, offset: u64, record: &Record<'_>, bytes: &[u8]) -> Result<(), Halt> {
        let header = &record.header;
        match header.kind {
            Kind::Claim => {
                let claim = Claim::decode(record.effects).map_err(|why| Halt::Unreadable { offset, why: why.0 })?;
                self.term = header.term;
                self.claim_id = header.claim_id;
                // The first one that says so fixes it for ever.
                self.genesis = self.genesis.take().or(claim.genesis);
                self.clock = self.clock.take().or(claim.clock);
            }
            Kind::Batch => {
                let count = record::count(record.decisions).map_err(|why| Halt::Unreadable { offset, why: why.0 })?;
                self.seq = header.seq;
                self.next_input = header.to;
                self.relay = self.relay.max(header.relay);
                self.now = header.now;
                if count > 0 {
                    self.last_decision = Position { seq: header.seq, idx: count - 1 };
                }
            }
        }
        self.hash = record::chain(&self.hash, bytes);
        Ok(())
    }

    /// The offset at which a read session starts: one record early (rule 6).
    pub fn session_start(&self) -> u64 {
        self.pos.saturating_sub(1)
    }

    /// Visits a record of a read session: the one before `pos` is compared, the rest are read.
    pub fn visit<'a>(&mut self, offset: u64, bytes: &'a [u8]) -> Result<Option<(Verdict, Record<'a>)>, Halt> {
        if self.pos > 0 && offset == self.pos - 1 {
            return if record::digest(bytes) == self.last_record { Ok(None) } else { Err(Halt::Rewritten { offset }) };
        }
        self.read(offset, bytes).map(Some)
    }

    /// The end of a read session that returned `end` as the next offset (rule 6).
    pub fn session_end(&self, end: u64) -> Result<(), Halt> {
        if end < self.pos { Err(Halt::Truncated { end, position: self.pos }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(term: u64, id: u8) -> Vec<u8> {
        let header = Header {
            kind: Kind::Claim,
            behind: false,
            shard: 0,
            term,
            claim_id: [id; 16],
            seq: 0,
            prev_hash: [0; 32],
            from: 0,
            to: 0,
            relay: Position::default(),
            last_decision: Position::default(),
            now: 0,
            digest: 0,
        };
        record::encode(&header, &Claim::default().encode(), b"", b"")
    }

    fn batch(fold: &Fold, change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = Header {
            kind: Kind::Batch,
            behind: false,
            shard: 0,
            term: fold.term,
            claim_id: fold.claim_id,
            seq: fold.seq + 1,
            prev_hash: fold.hash,
            from: fold.next_input,
            to: fold.next_input + 1,
            relay: Position::default(),
            last_decision: fold.last_decision,
            now: 5,
            digest: 0,
        };
        change(&mut header);
        record::encode(&header, b"e", &[1, 7, 1, 8], b"")
    }

    fn claimed() -> Fold {
        let mut fold = Fold::new(0);
        fold.read(0, &claim(1, 1)).unwrap();
        fold
    }

    #[test]
    fn a_claim_needs_a_higher_term() {
        let mut fold = claimed();
        assert!(matches!(fold.read(1, &claim(1, 2)).unwrap().0, Verdict::Void(_)));
        assert_eq!(fold.claim_id, [1; 16]);
        assert_eq!(fold.read(2, &claim(5, 3)).unwrap().0, Verdict::Accepted);
        assert_eq!((fold.term, fold.claim_id, fold.pos), (5, [3; 16], 3));
    }

    #[test]
    fn a_batch_moves_the_fold() {
        let mut fold = claimed();
        let bytes = batch(&fold, |_| {});
        let hash = record::chain(&fold.hash, &bytes);
        assert_eq!(fold.read(1, &bytes).unwrap().0, Verdict::Accepted);
        assert_eq!((fold.seq, fold.next_input, fold.hash), (1, 1, hash));
        assert_eq!(fold.last_decision, Position { seq: 1, idx: 1 });
    }

    #[test]
    fn whatever_does_not_follow_exactly_is_void() {
        let changes: [fn(&mut Header); 7] = [
            |h| h.term += 1,
            |h| h.term -= 1,
            |h| h.claim_id = [8; 16],
            |h| h.seq += 1,
            |h| h.prev_hash[3] ^= 1,
            |h| (h.from, h.to) = (1, 2),
            |h| h.to = h.from.wrapping_sub(1),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut fold = claimed();
            fold.next_input = if i == 6 { 9 } else { 0 };
            let bytes = batch(&fold, change);
            let before = fold.clone();
            assert!(matches!(fold.read(1, &bytes).unwrap().0, Verdict::Void(_)), "change {i}");
            assert_eq!((fold.seq, fold.hash, fold.next_input), (before.seq, before.hash, before.next_input));
            assert_eq!(fold.pos, 2);
        }
    }

    /// Found by the simulation: a stranger's record of zeros, before anybody had claimed, fitted an empty fold.
    #[test]
    fn nothing_but_a_claim_begins_a_journal() {
        let mut fold = Fold::new(0);
        let zeros = batch(&fold, |_| {});
        assert!(matches!(fold.read(0, &zeros).unwrap().0, Verdict::Void(_)));
    }

    #[test]
    fn a_tick_takes_no_input() {
        let mut fold = claimed();
        let bytes = batch(&fold, |h| h.to = h.from);
        assert_eq!(fold.read(1, &bytes).unwrap().0, Verdict::Accepted);
        assert_eq!(fold.next_input, 0);
    }

    #[test]
    fn a_hole_a_rewrite_and_a_cut_halt() {
        let mut fold = claimed();
        let next = batch(&fold, |_| {});
        assert_eq!(fold.clone().read(2, &next).unwrap_err(), Halt::Hole { expected: 1, found: 2 });
        assert_eq!(fold.visit(0, &claim(2, 1)).unwrap_err(), Halt::Rewritten { offset: 0 });
        assert!(fold.visit(0, &claim(1, 1)).unwrap().is_none());
        assert_eq!(fold.session_end(0), Err(Halt::Truncated { end: 0, position: 1 }));
        assert!(fold.read(1, b"rubbish").is_err());
        let other = batch(&fold, |h| h.shard = 3);
        assert_eq!(fold.read(1, &other).unwrap_err(), Halt::OtherShard { offset: 1, shard: 0, found: 3 });
    }
}
