//! Who may append to a shard's log: the state machine of taking over, owning and stepping down (rules 7-15, W = 1).
//!
//! Driven by the shard loop and, under faults, by `simulation`. It knows no clock (`now_ms` is an argument, any
//! monotonic one), no engine (`Domain`) and neither SQLite nor Kafka (`Journal`). With one batch in flight and no
//! second fold, whatever goes otherwise than assumed drops the whole state, and the journal is read again.

use crate::journal::record::{self, Claim, ClockOrigin, Genesis, Header, Kind, Record};
use crate::journal::{Ack, Acked, Fold, Halt, Journal, JournalError, Verdict};
use engine::decision::Position;
use engine::wire::Malformed;
use std::ops::Range;
use std::sync::Arc;

/// The state that the log's accepted effects make. Implementers: the shard's engine, the simulation's number.
pub trait Domain {
    /// Applies one accepted batch; `fold` is the one after it. Returns the state's digest.
    fn apply(&mut self, fold: &Fold, record: &Record<'_>, bytes: &[u8]) -> Result<u128, Malformed>;

    /// The batch in flight, whose effects this state has already, counts for every reader for ever. `fold` is the one
    /// after it. Called before anything that drops the state.
    fn committed(&mut self, fold: &Fold, record: Arc<[u8]>);

    /// Back to the empty state.
    fn reset(&mut self);

    /// The hash of the record of batch `seq`, where this node has followed it (rule 10).
    fn hash_of(&mut self, journal: &mut dyn Journal, seq: u64) -> Result<Option<record::Hash>, JournalError>;
}

/// What has happened to the shard, in order; commits are told to the domain at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The claim is accepted and the tail of `decisions` is in the fold: batches may be made.
    Owned,
    /// The state was dropped: what was speculative is gone. `superseded`: another node has claimed.
    Dropped { why: String, superseded: bool },
}

/// How long to wait for what; all in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// About one worst round trip: back-off is uniform(0.5, 1.5) x base x 2^min(tries, 5).
    pub backoff_base_ms: u64,
    /// A superseded node does not claim while it sees records younger than this.
    pub idle_ms: u64,
    /// Longer than the writer's own time-out.
    pub ack_ms_max: u64,
    /// A node that does not own the shard looks at the log this often (rule 15).
    pub poll_ms: u64,
    /// An owner looks at the log when it was not told for so long that it still is one: by an ack, or by the log's end.
    pub owner_poll_ms: u64,
    /// And reads it this often where nobody has appended either: that the record before its position is the one it knows
    /// (rule 6). Rarely: a read holds up the other shards of its thread.
    pub owner_read_ms: u64,
    /// For how long after that it may go on showing what it counts. Longer than a poll.
    pub shown_ms: u64,
    /// For how long a node that has claimed a shard from another one shows nothing of it: until the other one, which may not
    /// know yet, shows nothing any more, and whoever asks both now and then has seen that.
    pub hidden_ms: u64,
}

/// An owner that was twice not told the log's end asks again after so many polls: the other shards of its thread wait meanwhile.
const POLLS_AFTER_FAULTS: u64 = 5;

impl Timing {
    /// SQLite: one process a file, so nobody to wait for; an append that fails is tried again by the writer.
    pub const EMBEDDED: Timing = Timing {
        backoff_base_ms: 100,
        idle_ms: 500,
        ack_ms_max: FOR_EVER,
        poll_ms: 1_000,
        owner_poll_ms: 60_000,
        owner_read_ms: 60_000,
        shown_ms: FOR_EVER,
        hidden_ms: 0,
    };
    /// Kafka, with `delivery.timeout.ms` at 30 s.
    pub const KAFKA: Timing = Timing {
        backoff_base_ms: 1_000,
        idle_ms: 10_000,
        ack_ms_max: 60_000,
        poll_ms: 2_000,
        owner_poll_ms: 2_000,
        owner_read_ms: 30_000,
        shown_ms: 6_000,
        hidden_ms: Timing::hidden_ms(6_000, 15_000),
    };

    /// Who is asked every `asked_every_ms` is remembered for so long with what he showed last; and an end of the log may have
    /// been a second old.
    pub const fn hidden_ms(shown_ms: u64, asked_every_ms: u64) -> u64 {
        shown_ms + asked_every_ms + 1_000
    }
}

const FOR_EVER: u64 = u64::MAX / 4;
// One look in vain hides nothing.
const _: () = assert!(2 * Timing::KAFKA.owner_poll_ms + 1_000 < Timing::KAFKA.shown_ms);

/// What a batch says of itself; the rest of its header comes from the fold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    pub behind: bool,
    /// The next input after those covered.
    pub to: u64,
    pub now: u64,
    pub digest: u128,
    pub relay: Position,
    pub effects: &'a [u8],
    pub decisions: &'a [u8],
    pub inputs: &'a [u8],
}

/// Fresh claims that may leave a published decision unexplained before it is taken for a loss: each is read through, so
/// another node must have claimed and published in between each time.
const UNEXPLAINED_MAX: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Idle,
    Claiming { ticket: u64 },
    Owner,
}

struct InFlight {
    ticket: u64,
    record: Arc<[u8]>,
}

pub struct Owner {
    shard: u16,
    node: String,
    genesis: Genesis,
    timing: Timing,
    fold: Fold,
    role: Role,
    /// Of the last claim this node has made.
    claim_id: [u8; 16],
    /// To be said by the next claim, where the journal has none yet.
    clock: Option<ClockOrigin>,
    in_flight: Option<InFlight>,
    last_ticket: u64,
    sent_at_ms: u64,
    not_before_ms: u64,
    read_at_ms: u64,
    progress_at_ms: u64,
    /// When an owner looked at the log's end, or may do so again.
    looked_at_ms: u64,
    looked_in_vain: bool,
    /// The log had no claim above ours then.
    confirmed_at_ms: u64,
    /// Of the last claim by which this node owned the shard.
    owned_term: u64,
    /// Another node has claimed the shard since, or may have: a claim of our own whose ack was lost is taken for one.
    from_other: bool,
    shown_from_ms: u64,
    superseded: bool,
    tries: u32,
    /// Claims in a row after which a published decision was still ahead of the journal (rule 10).
    unexplained: u32,
    random: u64,
    events: Vec<Event>,
    #[cfg(test)]
    pub(crate) plant: super::simulation::Plant,
    #[cfg(test)]
    claim_term: u64,
}

impl Owner {
    /// `seed` draws the back-off's jitter and the claims' ids: it must differ from process to process.
    pub fn new(shard: u16, node: &str, genesis: Genesis, timing: Timing, seed: u64) -> Owner {
        Owner {
            shard,
            node: node.into(),
            genesis,
            timing,
            fold: Fold::new(shard),
            role: Role::Idle,
            claim_id: [0; 16],
            clock: None,
            in_flight: None,
            last_ticket: 0,
            sent_at_ms: 0,
            not_before_ms: 0,
            read_at_ms: 0,
            progress_at_ms: 0,
            looked_at_ms: 0,
            looked_in_vain: false,
            confirmed_at_ms: 0,
            owned_term: 0,
            from_other: false,
            shown_from_ms: 0,
            superseded: false,
            tries: 0,
            unexplained: 0,
            random: seed | 1,
            events: Vec::new(),
            #[cfg(test)]
            plant: super::simulation::Plant::default(),
            #[cfg(test)]
            claim_term: 0,
        }
    }

    /// Makes the mistake from now on.
    #[cfg(test)]
    pub(crate) fn plant(&mut self, plant: super::simulation::Plant) {
        self.plant = plant;
        self.fold.plant = plant;
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    pub fn is_owner(&self) -> bool {
        self.role == Role::Owner
    }

    pub fn is_free(&self) -> bool {
        self.role == Role::Owner && self.in_flight.is_none()
    }

    /// The id of this node's last claim: its own batches carry it.
    pub fn claim_id(&self) -> [u8; 16] {
        self.claim_id
    }

    /// From when until when an owner's figures may be shown, so that no two nodes show those of one shard.
    pub fn shown(&self) -> Range<u64> {
        self.shown_from_ms..self.confirmed_at_ms + self.timing.shown_ms
    }

    fn owner_polls_at_ms(&self) -> u64 {
        self.looked_at_ms.max(self.confirmed_at_ms) + self.timing.owner_poll_ms
    }

    /// The seq of the batch that is being decided: on top of the one in flight.
    pub fn next_seq(&self) -> u64 {
        self.fold.seq + 1 + u64::from(self.in_flight.is_some())
    }

    /// What has happened since it was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Ms after `now_ms` at which `turn` wants to be called again; none while an ack is all there is to wait for.
    pub fn wants_turn_in_ms(&self, now_ms: u64) -> Option<u64> {
        match self.role {
            Role::Idle => Some(self.not_before_ms.min(self.read_at_ms + self.timing.poll_ms).saturating_sub(now_ms)),
            _ if self.awaits_ack() => Some((self.sent_at_ms + self.timing.ack_ms_max).saturating_sub(now_ms)),
            _ => Some(self.owner_polls_at_ms().saturating_sub(now_ms)),
        }
    }

    fn awaits_ack(&self) -> bool {
        self.in_flight.is_some() || matches!(self.role, Role::Claiming { .. })
    }

    /// Does what time has made due: follows and claims while idle, gives up on an ack, polls while there is no work.
    /// `speculative`: the domain is ahead of the fold, so an owner must not follow the log with it.
    pub fn turn(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        now_ms: u64,
        speculative: bool,
    ) -> Result<(), JournalError> {
        if self.awaits_ack() {
            if now_ms >= self.sent_at_ms.saturating_add(self.timing.ack_ms_max) {
                self.unknown(journal, domain, now_ms, "no ack came in time");
            }
            return Ok(());
        }
        match self.role {
            Role::Idle => self.idle(journal, domain, now_ms),
            _ if !speculative && now_ms >= self.owner_polls_at_ms() => self.look_as_owner(journal, domain, now_ms),
            _ => Ok(()),
        }
    }

    /// Rule 15: an owner that was superseded does not know it until it looks. Where nobody has appended, nothing is read.
    fn look_as_owner(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        // Noted first, as for a log that cannot be read. Once is no reason to hide anything.
        let polls = if self.looked_in_vain { POLLS_AFTER_FAULTS } else { 1 };
        self.looked_at_ms = now_ms + (polls - 1) * self.timing.owner_poll_ms;
        self.looked_in_vain = true;
        let Some(end) = journal.end(self.shard) else { return Ok(()) };
        let is_read = end != self.fold.pos || now_ms >= self.read_at_ms + self.timing.owner_read_ms;
        let followed = if is_read { self.follow(journal, domain, None, now_ms) } else { Ok(()) };
        if self.fold.claim_id != self.claim_id {
            // Whatever lies behind the other's claim.
            self.step_down(journal, domain, now_ms);
            return followed;
        }
        followed?;
        (self.looked_at_ms, self.looked_in_vain) = (now_ms, false);
        self.confirmed_at_ms = now_ms;
        Ok(())
    }

    /// Rule 7: follows the log while waiting; claims when the back-off is over and, if superseded, nobody is at work.
    fn idle(&mut self, journal: &mut dyn Journal, domain: &mut dyn Domain, now_ms: u64) -> Result<(), JournalError> {
        let due = now_ms >= self.not_before_ms;
        if !due && now_ms < self.read_at_ms + self.timing.poll_ms {
            return Ok(());
        }
        if let Err(error) = self.follow(journal, domain, None, now_ms) {
            self.back_off(now_ms);
            return Err(error);
        }
        // A claim above ours that came meanwhile explains what went wrong: as after a step-down.
        if self.claim_id != [0; 16] && self.fold.claim_id != self.claim_id && !self.superseded {
            self.superseded = true;
            self.progress_at_ms = now_ms;
            self.back_off(now_ms);
        }
        let busy = self.superseded && now_ms < self.progress_at_ms + self.timing.idle_ms;
        if busy || now_ms < self.not_before_ms {
            // Who is at work is looked at with every poll, and no sooner.
            let earliest = if busy { self.progress_at_ms + self.timing.idle_ms } else { now_ms + 1 };
            self.not_before_ms = self.not_before_ms.max(earliest);
            return Ok(());
        }
        self.send_claim(journal, now_ms)
    }

    /// Rule 8: a new writer, and a claim with nothing else in flight.
    fn send_claim(&mut self, journal: &mut dyn Journal, now_ms: u64) -> Result<(), JournalError> {
        if let Err(error) = journal.open_writer(self.shard) {
            self.back_off(now_ms);
            return Err(error);
        }
        let claim = Claim {
            node: self.node.clone(),
            genesis: self.fold.genesis.is_none().then(|| self.genesis.clone()),
            clock: if self.fold.clock.is_none() { self.clock } else { None },
        };
        let (high, low) = (self.draw(), self.draw());
        self.claim_id[..8].copy_from_slice(&high.to_le_bytes());
        self.claim_id[8..].copy_from_slice(&low.to_le_bytes());
        let header =
            self.header(Kind::Claim, &Batch { to: self.fold.next_input, now: self.fold.now, ..Batch::default() });
        #[cfg(test)]
        {
            self.claim_term = header.term;
        }
        let record = record::encode(&header, &claim.encode(), b"", b"");
        let ticket = self.ticket(now_ms);
        self.role = Role::Claiming { ticket };
        journal.submit(self.shard, ticket, record.into());
        Ok(())
    }

    /// A claim by the owner himself, with nothing in flight and nothing speculative, to record a clock's origin.
    /// It is a claim like any other: if another node's comes first, this one is void.
    pub fn claim_again(
        &mut self,
        journal: &mut dyn Journal,
        clock: ClockOrigin,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        assert!(self.is_free(), "a claim is made with nothing else in flight");
        self.clock = Some(clock);
        self.role = Role::Idle;
        self.not_before_ms = now_ms;
        self.send_claim(journal, now_ms)
    }

    /// Appends a batch and returns its record. Only when free; the caller has kept to the bounds of a record.
    pub fn submit(&mut self, journal: &mut dyn Journal, batch: &Batch<'_>, now_ms: u64) -> Arc<[u8]> {
        assert!(self.is_free(), "W = 1: one batch in flight");
        let header = self.header(Kind::Batch, batch);
        let record: Arc<[u8]> = record::encode(&header, batch.effects, batch.decisions, batch.inputs).into();
        // Inputs stand in it only where no topic limits it; a `workspace.configure` then stands there twice.
        let bytes_max = if batch.inputs.is_empty() { super::RECORD_BYTES_MAX } else { 2 * super::RECORD_BYTES_MAX };
        assert!(record.len() <= bytes_max, "a record of {} bytes passes the limit", record.len());
        let ticket = self.ticket(now_ms);
        self.in_flight = Some(InFlight { ticket, record: record.clone() });
        journal.submit(self.shard, ticket, record.clone());
        record
    }

    fn header(&self, kind: Kind, batch: &Batch<'_>) -> Header {
        let fold = &self.fold;
        let (term, seq) = match kind {
            Kind::Claim => (fold.term + 1, fold.seq),
            Kind::Batch => (fold.term, fold.seq + 1),
        };
        Header {
            kind,
            behind: batch.behind,
            shard: self.shard,
            term,
            claim_id: self.claim_id,
            seq,
            prev_hash: fold.hash,
            from: fold.next_input,
            to: batch.to,
            relay: batch.relay,
            last_decision: fold.last_decision,
            now: batch.now,
            digest: batch.digest,
        }
    }

    fn ticket(&mut self, now_ms: u64) -> u64 {
        self.last_ticket += 1;
        self.sent_at_ms = now_ms;
        self.last_ticket
    }

    /// An ack of this shard. Those of a destroyed writer have another ticket and are nothing.
    pub fn on_ack(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        acked: &Acked,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        let awaited = match (self.role, &self.in_flight) {
            (Role::Claiming { ticket }, _) => ticket,
            (Role::Owner, Some(front)) => front.ticket,
            _ => return Ok(()),
        };
        if acked.ticket != awaited {
            return Ok(());
        }
        match (&acked.ack, self.role) {
            (Ack::Unknown(why), _) => {
                self.unknown(journal, domain, now_ms, why);
                Ok(())
            }
            (Ack::Offset(offset), role) => {
                let result = match role {
                    Role::Claiming { .. } => self.on_claim_ack(journal, domain, *offset, now_ms),
                    _ => self.on_batch_ack(journal, domain, *offset, now_ms),
                };
                if let Err(JournalError::Unavailable(why)) = &result {
                    // The ack is used up and the rest of the log is not known: the same as no ack (rule 14).
                    self.unknown(journal, domain, now_ms, why);
                    self.back_off(now_ms);
                }
                result
            }
        }
    }

    /// Rules 9 and 10.
    fn on_claim_ack(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        offset: u64,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        #[cfg(test)]
        if self.plant.no_reread_after_claim {
            self.fold.term += 1;
            self.fold.claim_id = self.claim_id;
            self.fold.pos = offset + 1;
            self.role = Role::Owner;
            self.events.push(Event::Owned);
            return Ok(());
        }
        self.follow(journal, domain, Some(offset), now_ms)?;
        #[cfg(test)]
        let won =
            self.fold.claim_id == self.claim_id || (self.plant.claim_by_term && self.fold.term == self.claim_term);
        #[cfg(not(test))]
        let won = self.fold.claim_id == self.claim_id;
        if !won {
            self.step_down(journal, domain, now_ms);
            return Ok(());
        }
        if !self.confirm_relay_tail(journal, domain, now_ms)? {
            self.step_down(journal, domain, now_ms);
            return Ok(());
        }
        self.role = Role::Owner;
        self.superseded = false;
        self.unexplained = 0;
        (self.confirmed_at_ms, self.owned_term) = (self.sent_at_ms, self.fold.term);
        (self.looked_at_ms, self.looked_in_vain) = (0, false);
        #[cfg(test)]
        {
            self.from_other &= !self.plant.shows_at_once;
        }
        if std::mem::take(&mut self.from_other) {
            self.shown_from_ms = now_ms + self.timing.hidden_ms;
        }
        self.events.push(Event::Owned);
        Ok(())
    }

    /// Rule 10: the tail of `decisions` must be in the fold. False: a higher claim explains why it is not.
    fn confirm_relay_tail(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        now_ms: u64,
    ) -> Result<bool, JournalError> {
        let Some((Position { seq, idx }, hash)) = journal.relay_tail(self.shard)? else { return Ok(true) };
        if seq > self.fold.seq {
            self.follow(journal, domain, None, now_ms)?;
            if self.fold.claim_id != self.claim_id {
                return Ok(false);
            }
        }
        if seq > self.fold.seq {
            // The end that was read may be an old one. A fresh claim is read through, and whatever explains this lies
            // before it: only what stays unexplained halts.
            self.unexplained += 1;
            if self.unexplained < UNEXPLAINED_MAX {
                let what = format!("decision {seq}.{idx} is published and the journal's end does not show it yet");
                return Err(JournalError::Unavailable(what));
            }
            return Err(Halt::UnconfirmedDecision { seq, idx }.into());
        }
        if domain.hash_of(journal, seq)? != Some(hash) {
            return Err(Halt::UnconfirmedDecision { seq, idx }.into());
        }
        Ok(true)
    }

    /// Rule 12.
    fn on_batch_ack(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        offset: u64,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        let front = self.in_flight.take().expect("the caller has seen it");
        #[cfg(test)]
        if self.plant.no_contiguity && offset != self.fold.pos {
            self.fold.pos = offset;
            let saved = std::mem::replace(&mut self.fold.plant.no_prev_hash, true);
            let _ = self.fold.read(offset, &front.record);
            self.fold.plant.no_prev_hash = saved;
            self.commit(domain, front.record);
            return Ok(());
        }
        if offset < self.fold.pos {
            return self.on_early_offset(journal, domain, offset, &front, now_ms);
        }
        if offset == self.fold.pos {
            // Nobody came between: judged by the same rule, committed in one round trip.
            match self.fold.read(offset, &front.record)?.0 {
                Verdict::Accepted => {
                    self.confirmed_at_ms = self.sent_at_ms;
                    self.commit(domain, front.record);
                }
                Verdict::Void(why) => self.unknown(journal, domain, now_ms, why),
            }
            return Ok(());
        }
        let seen = self.judge_through(journal, offset, &front.record)?;
        if seen.own {
            domain.committed(&seen.fold_after_own, front.record);
            self.tries = 0;
        }
        if seen.foreign_claim {
            self.step_down(journal, domain, now_ms);
        } else if !seen.own || seen.foreign_batch {
            self.unknown(journal, domain, now_ms, "the batch was judged void");
        } else {
            self.confirmed_at_ms = self.sent_at_ms;
        }
        Ok(())
    }

    fn commit(&mut self, domain: &mut dyn Domain, record: Arc<[u8]>) {
        self.tries = 0;
        domain.committed(&self.fold, record);
    }

    /// An ack below the position: the record was judged void at its place, or the offsets went back.
    fn on_early_offset(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        offset: u64,
        front: &InFlight,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        let mut stands_there = false;
        journal.read_through(self.shard, offset, offset, &mut |found, bytes| {
            stands_there |= found == offset && bytes == &front.record[..];
            Ok(())
        })?;
        if !stands_there {
            return Err(Halt::OffsetRegress { offset }.into());
        }
        self.unknown(journal, domain, now_ms, "the batch was judged void");
        Ok(())
    }

    /// Reads and judges pos..=offset while the domain is ahead: nothing is applied.
    fn judge_through(&mut self, journal: &mut dyn Journal, offset: u64, own: &[u8]) -> Result<Seen, JournalError> {
        let from = self.fold.session_start();
        let (fold, claim_id) = (&mut self.fold, self.claim_id);
        let mut seen = Seen::default();
        let mut visit = |at: u64, bytes: &[u8]| {
            let Some((Verdict::Accepted, record)) = fold.visit(at, bytes)? else { return Ok(()) };
            match record.header.kind {
                Kind::Claim => seen.foreign_claim |= record.header.claim_id != claim_id,
                Kind::Batch if bytes == own => {
                    seen.own = true;
                    seen.fold_after_own = fold.clone();
                }
                // Void ones are skipped; an accepted one that is not ours would be of our own claim.
                Kind::Batch => seen.foreign_batch = true,
            }
            Ok(())
        };
        #[cfg(test)]
        if self.plant.gap_reads_stale_end {
            let mut stop_before = |at: u64, bytes: &[u8]| if at < offset { visit(at, bytes) } else { Ok(()) };
            journal.read(self.shard, from, &mut stop_before)?;
            self.fold.pos = offset;
            let saved = std::mem::replace(&mut self.fold.plant.no_prev_hash, true);
            let _ = self.fold.read(offset, own);
            self.fold.plant.no_prev_hash = saved;
            return Ok(Seen { own: true, fold_after_own: self.fold.clone(), ..seen });
        }
        let end = journal.read_through(self.shard, from, offset, &mut visit)?;
        self.fold.session_end(end)?;
        Ok(seen)
    }

    /// Follows the log with the domain, which stands where the fold stands (rules 3-6).
    fn follow(
        &mut self,
        journal: &mut dyn Journal,
        domain: &mut dyn Domain,
        through: Option<u64>,
        now_ms: u64,
    ) -> Result<(), JournalError> {
        // Noted first: a log that cannot be read is not asked again at once.
        self.read_at_ms = now_ms;
        let (fold, genesis, claim_id, owned_term) = (&mut self.fold, &self.genesis, self.claim_id, self.owned_term);
        let from = fold.session_start();
        let (mut progress, mut foreign_claim) = (false, false);
        let mut visit = |offset: u64, bytes: &[u8]| {
            let Some((Verdict::Accepted, record)) = fold.visit(offset, bytes)? else { return Ok(()) };
            progress = true;
            match record.header.kind {
                Kind::Claim => {
                    foreign_claim |= record.header.term > owned_term && record.header.claim_id != claim_id;
                    check_genesis(fold, genesis)
                }
                Kind::Batch => apply(domain, fold, &record, bytes),
            }
        };
        let end = match through {
            Some(offset) => journal.read_through(self.shard, from, offset, &mut visit),
            None => journal.read(self.shard, from, &mut visit),
        };
        // What was visited before a fault was judged, and is not visited again.
        self.from_other |= foreign_claim;
        if progress {
            self.progress_at_ms = now_ms;
        }
        Ok(self.fold.session_end(end?)?)
    }

    /// Rule 14: destroy the writer, drop everything, read again, and claim at once.
    fn unknown(&mut self, journal: &mut dyn Journal, domain: &mut dyn Domain, now_ms: u64, why: &str) {
        self.drop_state(journal, domain);
        self.not_before_ms = now_ms;
        self.events.push(Event::Dropped { why: why.into(), superseded: false });
    }

    /// Rule 13: as above, then idle with back-off.
    fn step_down(&mut self, journal: &mut dyn Journal, domain: &mut dyn Domain, now_ms: u64) {
        self.drop_state(journal, domain);
        self.superseded = true;
        self.progress_at_ms = now_ms;
        self.back_off(now_ms);
        self.events.push(Event::Dropped { why: "another node has claimed the shard".into(), superseded: true });
    }

    fn drop_state(&mut self, journal: &mut dyn Journal, domain: &mut dyn Domain) {
        journal.close_writer(self.shard);
        domain.reset();
        self.role = Role::Idle;
        self.in_flight = None;
        self.read_at_ms = 0;
        #[cfg(test)]
        let plant = self.fold.plant;
        self.fold = Fold::new(self.shard);
        #[cfg(test)]
        {
            self.fold.plant = plant;
        }
    }

    fn back_off(&mut self, now_ms: u64) {
        let base = self.timing.backoff_base_ms << self.tries.min(5);
        self.tries += 1;
        self.not_before_ms = now_ms + base / 2 + self.draw() % base.max(1);
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// What `judge_through` came across.
#[derive(Default)]
struct Seen {
    own: bool,
    fold_after_own: Fold,
    foreign_claim: bool,
    foreign_batch: bool,
}

fn check_genesis(fold: &Fold, ours: &Genesis) -> Result<(), Halt> {
    let refused = |what: &str| Err(Halt::Refused(format!("{what}; this node was started against another journal")));
    match &fold.genesis {
        Some(theirs) if theirs.shards != ours.shards => {
            refused(&format!("the journal has {} shards and {} are configured", theirs.shards, ours.shards))
        }
        Some(theirs) if theirs.topics != ours.topics => {
            refused("the journal belongs to other topics than the configured")
        }
        Some(theirs) if theirs != ours => refused("the journal has another id or key"),
        _ => Ok(()),
    }
}

fn apply(domain: &mut dyn Domain, fold: &Fold, record: &Record<'_>, bytes: &[u8]) -> Result<(), Halt> {
    let seq = record.header.seq;
    let found = domain.apply(fold, record, bytes).map_err(|why| Halt::Effects { seq, why: why.0 })?;
    let expected = record.header.digest;
    if found == expected { Ok(()) } else { Err(Halt::OtherState { seq, expected, found }) }
}
