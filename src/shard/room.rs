//! The shard's state and those who must hear of what is accepted: the `Domain` of the owner.

use super::batch::InFlight;
use crate::publisher::{Committed, Publication};
use crate::recovery::Progress;
use crate::standing::Standing;
use connectors::journal::history::read_batches;
use connectors::journal::record::Hash;
use connectors::journal::{Domain, Fold, Journal, JournalError, Record};
use crossbeam::channel::{SendTimeoutError, Sender};
use engine::Engine;
use engine::id::HashKey;
use engine::wire::Malformed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A publisher that has no room (a slow decisions topic) holds the shard back; it is still alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

pub struct Room {
    pub engine: Engine,
    key: HashKey,
    pub standing: Arc<Standing>,
    publications: Sender<Publication>,
    pub progress: Progress,
    /// Waits for the ack.
    pub in_flight: Option<InFlight>,
    /// Its ack was lost: the log will say what became of it.
    pub limbo: Option<InFlight>,
}

impl Room {
    pub fn new(shard: u16, key: u128, standing: Arc<Standing>, publications: Sender<Publication>) -> Room {
        debug_assert_eq!(standing.shard, shard);
        let key = HashKey(key);
        let progress = Progress::new(standing.clone());
        Room { engine: Engine::new(key), key, standing, publications, progress, in_flight: None, limbo: None }
    }

    fn hand_on(&mut self, record: Arc<[u8]>, fold: &Fold, live: bool, waiting: Option<InFlight>) {
        self.standing.history.write().expect("nobody panics with it").push(fold);
        let committed_at = Instant::now();
        let submitted_at = waiting.as_ref().filter(|_| live).map(|waiting| waiting.submitted_at);
        let (replies, judged, letters) =
            waiting.map_or_else(Default::default, |waiting| (waiting.replies, waiting.judged, waiting.letters));
        self.publish(Publication::Batch(Box::new(Committed {
            shard: fold.shard,
            record,
            fold: fold.clone(),
            live,
            replies,
            judged,
            letters,
            submitted_at,
            committed_at,
        })));
    }

    pub fn publish(&self, publication: Publication) {
        let mut publication = publication;
        loop {
            match self.publications.send_timeout(publication, SIGN_OF_LIFE) {
                Ok(()) => return,
                Err(SendTimeoutError::Timeout(back)) => {
                    self.standing.sign_of_life();
                    publication = back;
                }
                // The publisher has ended: the process is stopping.
                Err(SendTimeoutError::Disconnected(_)) => return,
            }
        }
    }
}

impl Domain for Room {
    fn apply(&mut self, fold: &Fold, record: &Record<'_>, bytes: &[u8]) -> Result<u128, Malformed> {
        let digest = self.engine.apply(record.header.seq, record.effects)?;
        // A batch of ours whose ack was lost and that counts all the same: who waits for it can be answered.
        let waiting = self.limbo.take_if(|limbo| *limbo.record == *bytes);
        self.hand_on(bytes.into(), fold, false, waiting);
        self.progress.at(fold.pos.saturating_sub(1));
        if fold.seq.is_multiple_of(16) {
            self.standing.sign_of_life();
        }
        Ok(digest)
    }

    fn committed(&mut self, fold: &Fold, record: Arc<[u8]>) {
        let waiting = self.in_flight.take().expect("a batch was in flight");
        self.hand_on(record, fold, true, Some(waiting));
    }

    fn reset(&mut self) {
        self.engine = Engine::new(self.key);
        self.limbo = self.in_flight.take().or(self.limbo.take());
        *self.standing.history.write().expect("nobody panics with it") = connectors::journal::History::new();
        self.standing.set_owned(false);
    }

    fn hash_of(&mut self, journal: &mut dyn Journal, seq: u64) -> Result<Option<Hash>, JournalError> {
        let history = self.standing.history.read().expect("nobody panics with it");
        let start = history.at_or_before(self.standing.shard, seq);
        drop(history);
        if start.seq == seq {
            return Ok(Some(start.hash).filter(|_| seq > 0));
        }
        let mut found = None;
        read_batches(journal, start, seq, &mut |fold, _| {
            found = Some((fold.seq, fold.hash));
            true
        })?;
        Ok(found.filter(|(at, _)| *at == seq).map(|(_, hash)| hash))
    }
}
