//! Before a shard is owned: which journal this is, and how far its reading has come.
//!
//! The reading itself is the owner's (`connectors::journal::owner`), the applying the shard's; no workspace file is
//! opened by either. Here are the journal's first records, looked at once at the start, and the lines and bars that
//! tell a person to be patient.

use crate::standing::Standing;
use connectors::journal::record::{Claim, Genesis, Kind, decode};
use connectors::journal::{Halt, Journal, JournalError};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a line says how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// What the journal's first records say, or a new beginning where there is none. All shards have one key, because an
/// event is hashed before its shard is known.
pub fn genesis(
    journal: &mut dyn Journal,
    shards: u16,
    topics: &[(String, String)],
    random: (u128, u128),
) -> Result<Genesis, JournalError> {
    let mut found: Option<Genesis> = None;
    for shard in 0..shards {
        let Some(first) = first_claim(journal, shard)?.and_then(|claim| claim.genesis) else { continue };
        match &found {
            Some(other) if *other != first => {
                let what =
                    format!("the first records of shard {shard} and of the shards before it are of two journals");
                return Err(Halt::Refused(what).into());
            }
            _ => found = Some(first),
        }
    }
    let fresh = || Genesis { journal_id: random.0.to_be_bytes(), shards, key: random.1, topics: topics.to_vec() };
    Ok(found.unwrap_or_else(fresh))
}

fn first_claim(journal: &mut dyn Journal, shard: u16) -> Result<Option<Claim>, JournalError> {
    /// Not a fault: the one record is enough.
    const ENOUGH: Halt = Halt::Refused(String::new());
    let mut first = None;
    let read = journal.read(shard, 0, &mut |offset, bytes| {
        let record = decode(offset, bytes)?;
        if record.header.kind == Kind::Claim {
            first = Some(Claim::decode(record.effects).map_err(|why| Halt::Unreadable { offset, why: why.0 })?);
        }
        // Batches before the first claim are void whatever they say.
        if first.is_some() { Err(ENOUGH) } else { Ok(()) }
    });
    match read {
        Err(JournalError::Halted(halt)) if halt == ENOUGH => Ok(first),
        Err(error) => Err(error),
        Ok(_) => Ok(first),
    }
}

/// How far the reading of one shard's journal is: told to `Standing`, to the log each second, to a terminal as a bar.
pub struct Progress {
    standing: Arc<Standing>,
    started: Instant,
    told_at: Instant,
    end: u64,
    read: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(standing: Arc<Standing>) -> Progress {
        let now = Instant::now();
        Progress { standing, started: now, told_at: now, end: 0, read: 0, bar: None }
    }

    /// The journal is about to be read from its start.
    pub fn begin(&mut self, end: u64) {
        self.started = Instant::now();
        self.told_at = self.started;
        (self.read, self.end) = (0, end);
        self.standing.set_recovery(0, end);
    }

    /// The record at `offset` was applied.
    pub fn at(&mut self, offset: u64) {
        self.read = offset + 1;
        // A clock reading for each record would cost as much as applying a small one.
        if self.read.is_multiple_of(64) && self.told_at.elapsed() >= EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told_at = Instant::now();
        let (read, end) = (self.read, self.end.max(self.read));
        self.standing.set_recovery(read, end);
        let shard = self.standing.shard;
        let percent = read * 100 / end.max(1);
        if self.bar.is_none() {
            let bar = ProgressBar::new(end);
            let style = ProgressStyle::with_template("shard {prefix} journal {bar:40} {percent:>3} % ({eta} left)");
            bar.set_style(style.expect("the template is a constant"));
            bar.set_prefix(shard.to_string());
            self.bar = Some(bar);
        }
        let bar = self.bar.as_ref().expect("it was just made");
        bar.set_position(read);
        // Without a terminal the bar hides itself.
        if bar.is_hidden() {
            tracing::info!(shard, percent, records = read, of = end, "reading the journal");
        }
    }

    /// The journal was read and the claim accepted.
    pub fn done(&mut self, seq: u64) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.standing.set_recovery(self.read, self.read);
        let ms = self.started.elapsed().as_millis() as u64;
        tracing::info!(shard = self.standing.shard, seq, records = self.read, ms, "the shard is owned");
    }
}
