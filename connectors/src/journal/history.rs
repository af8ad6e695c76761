//! Where in a log a reader of decisions may start: folds as they were, the newest exactly, older ones sparsely.
//!
//! Written by whoever follows the log (recovery, owner), read by `/v1/decisions`, the relay and rule 10. A fold is a
//! complete starting point: from it the records after it can be judged again, so void ones are skipped here too.

use crate::journal::{Fold, Halt, Journal, JournalError, Kind, Record, Verdict};
use std::collections::VecDeque;

/// Folds after each of the newest accepted batches: a reader at the tail begins where it stopped.
const RECENT_MAX: usize = 512;
/// Older ones, one in this many batches: a cold reader reads at most so many records for nothing.
const SPARSE_EVERY: u64 = 256;
/// Beyond this many sparse folds every second one is dropped and the spacing doubles.
const SPARSE_MAX: usize = 16_384;

#[derive(Clone, Debug, Default)]
pub struct History {
    recent: VecDeque<Fold>,
    sparse: Vec<Fold>,
    spacing: u64,
}

impl History {
    pub fn new() -> History {
        History { recent: VecDeque::with_capacity(RECENT_MAX), sparse: Vec::new(), spacing: SPARSE_EVERY }
    }

    /// Takes note of the fold after an accepted batch. One that was seen before (the log was read again) is left out.
    pub fn push(&mut self, fold: &Fold) {
        if self.last().is_some_and(|last| last.seq >= fold.seq) {
            return;
        }
        if fold.seq.is_multiple_of(self.spacing) {
            self.sparse.push(fold.clone());
            if self.sparse.len() > SPARSE_MAX {
                self.spacing *= 2;
                let spacing = self.spacing;
                self.sparse.retain(|fold| fold.seq % spacing == 0);
            }
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(fold.clone());
    }

    /// The fold after the newest accepted batch.
    pub fn last(&self) -> Option<&Fold> {
        self.recent.back()
    }

    pub fn last_seq(&self) -> u64 {
        self.last().map_or(0, |fold| fold.seq)
    }

    /// The newest fold known that stands at or before batch `seq`; a new one where none does.
    pub fn at_or_before(&self, shard: u16, seq: u64) -> Fold {
        let recent = self.recent.partition_point(|fold| fold.seq <= seq);
        if recent > 0 {
            return self.recent[recent - 1].clone();
        }
        let sparse = self.sparse.partition_point(|fold| fold.seq <= seq);
        if sparse > 0 { self.sparse[sparse - 1].clone() } else { Fold::new(shard) }
    }
}

/// Reads the accepted batches after `fold` up to and including batch `through`, in order, with the fold after each.
/// Stops early where `visit` returns false or the log's end as this reader sees it comes first.
pub fn read_batches(
    journal: &mut dyn Journal,
    mut fold: Fold,
    through: u64,
    visit: &mut dyn FnMut(&Fold, &Record<'_>) -> bool,
) -> Result<(), JournalError> {
    /// Not a fault: how a visitor ends a read that has no other way to stop.
    const ENOUGH: Halt = Halt::Refused(String::new());
    if fold.seq >= through {
        return Ok(());
    }
    let (shard, from) = (fold.shard, fold.session_start());
    let result = journal.read(shard, from, &mut |offset, bytes| {
        if let Some((Verdict::Accepted, record)) = fold.visit(offset, bytes)?
            && record.header.kind == Kind::Batch
            && (!visit(&fold, &record) || fold.seq >= through)
        {
            return Err(ENOUGH);
        }
        Ok(())
    });
    match result {
        Err(JournalError::Halted(halt)) if halt == ENOUGH => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_starts_at_the_nearest_fold_before() {
        let mut history = History::new();
        for seq in 1..=2_000 {
            history.push(&Fold { seq, pos: seq * 2, ..Fold::new(3) });
        }
        assert_eq!(history.last_seq(), 2_000);
        assert_eq!(history.at_or_before(3, 1_777).seq, 1_777);
        assert_eq!(history.at_or_before(3, 700).seq, 512);
        assert_eq!(history.at_or_before(3, 255), Fold::new(3));
        history.push(&Fold { seq: 5, ..Fold::new(3) });
        assert_eq!(history.last_seq(), 2_000);
    }
}
