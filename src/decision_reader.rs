//! `/v1/decisions` over the journal, in both modes: the one place where decisions stand.
//!
//! A read starts at the nearest fold that the shard has kept (`History`), judges the records after it as any reader
//! would, and never passes what is published. It writes nothing and holds the shard back by nothing but one lock.

use crate::http::DecisionReader;
use crate::publisher::render;
use crate::standing::Standing;
use connectors::codec;
use connectors::journal::Journal;
use connectors::journal::history::read_batches;
use engine::decision::Position;
use std::sync::{Arc, Mutex};

pub struct JournalDecisions {
    journal: Mutex<Box<dyn Journal>>,
    journal_id: String,
    standings: Arc<[Arc<Standing>]>,
}

impl JournalDecisions {
    pub fn new(journal: Box<dyn Journal>, journal_id: String, standings: Arc<[Arc<Standing>]>) -> JournalDecisions {
        JournalDecisions { journal: Mutex::new(journal), journal_id, standings }
    }
}

impl DecisionReader for JournalDecisions {
    fn read(&self, shard: u16, after: Position, limit: usize, out: &mut Vec<Vec<u8>>) -> anyhow::Result<Position> {
        let standing = &self.standings[usize::from(shard)];
        let through = standing.published_seq();
        // The record of `after` itself may have more decisions than were told.
        let before = after.seq.saturating_sub(1);
        let start = standing.history.read().expect("nobody panics with it").at_or_before(shard, before.min(through));
        let mut last = after;
        let mut fault = None;
        let mut left = limit;
        let mut journal = self.journal.lock().expect("nobody panics with it");
        read_batches(journal.as_mut(), start, through, &mut |fold, record| {
            let told = match codec::decisions(record.decisions) {
                Ok(told) => told,
                Err(malformed) => {
                    fault = Some(malformed);
                    return false;
                }
            };
            for idx in 0..told.len() {
                let position = Position { seq: record.header.seq, idx: idx as u32 };
                if position <= after {
                    continue;
                }
                if left == 0 {
                    return false;
                }
                let mut json = Vec::with_capacity(1_024);
                render(&self.journal_id, record, &fold.hash, &told, idx, &mut json);
                out.push(json);
                last = position;
                left -= 1;
            }
            left > 0
        })?;
        match fault {
            Some(malformed) => Err(malformed.into()),
            None => Ok(last),
        }
    }
}
