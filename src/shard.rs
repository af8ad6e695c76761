//! The shard's thread: takes inputs from the ring, has the engine decide, appends what it decided, one record a batch.
//!
//! The single writer of a shard's state. A thread drives several shards in turn; none waits for another's journal.
//! While one batch is in flight the next is decided on top of it (W = 1, `connectors::journal::owner`); it is closed
//! the moment the journal is free. Nothing leaves here before the commit: answers and decisions go to the publisher
//! with the accepted record. Recovery is the same code with recorded effects in place of inputs.
//!
//! Time (routing.md §1): before each input comes everything that is due at its `now`. At the end of the log that is the
//! wall clock's, one for all steps of a batch, and the thread sleeps until the next deadline. In a backlog it is the
//! input's append time, and what is due before it is done at its own deadline.

mod batch;
mod renewals;
mod room;

use crate::clock::{Scaled, ShardClock, WallClock};
use crate::consumer::SourceControl;
use crate::ingest::{Answered, Intake, Item};
use crate::metrics::ShardMetrics;
use crate::publisher::{Publication, Reply};
use crate::ring::{Batch as RingBatch, Exit, Sleeper};
use crate::standing::Standing;
use crate::workload::{Judged, UNKNOWN_WORKSPACE};
use batch::OpenBatch;
use connectors::journal::owner::Batch as JournalBatch;
use connectors::journal::{Acked, Event, Genesis, Halt, Journal, JournalError, Owner, Timing};
use connectors::kafka::relay::DeadLetter;
use crossbeam::channel::{Receiver, Sender};
use engine::Limits;
use engine::input::{Body, EventType, Input};
use renewals::Renewals;
use room::Room;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ticks in a row that move timers about and do nothing else: a million timers would be moved by fewer.
const IDLE_TICKS_MAX: usize = 1_000_000;
/// Inputs of one shard before the next has its turn.
const INPUTS_A_TURN: usize = 256;
/// A thread without work looks round this often: stop, sign of life.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// What a shard is made of; the same for all modes.
pub struct ShardParts {
    pub number: u16,
    pub node: String,
    pub genesis: Genesis,
    pub timing: Timing,
    pub limits: Limits,
    pub clock: Option<Scaled>,
    pub wall: Arc<WallClock>,
    pub ring: Exit<Item>,
    /// Kafka: how the source is told where to read on. None: embedded.
    pub source: Option<SourceControl>,
    pub publications: Sender<Publication>,
    pub standing: Arc<Standing>,
    pub metrics: Arc<ShardMetrics>,
    /// For claim ids and back-off.
    pub seed: u64,
}

/// What the engine has been told since the shard is owned.
#[derive(Default)]
struct Owned {
    /// The first step since the claim was made: before it, leases get their grace (routing.md §1).
    has_begun: bool,
    /// The last kind of time told.
    behind: Option<bool>,
}

pub struct Shard {
    owner: Owner,
    room: Room,
    ring: Exit<Item>,
    /// The ring's batch at hand, its next item last.
    at_hand: Option<RingBatch<Item>>,
    open: OpenBatch,
    source: Option<SourceControl>,
    generation: u32,
    limits: Limits,
    clock: ShardClock,
    wall: Arc<WallClock>,
    metrics: Arc<ShardMetrics>,
    /// The next item needs the open batch closed first.
    blocked: bool,
    /// The source is in a backlog: engine time is the inputs' append time, not the wall clock's.
    behind: bool,
    owned: Owned,
    /// All that was due at this time is done, for an input that was waiting for it and then for a batch of its own.
    settled_at: Option<u64>,
    renewals: Renewals,
    /// How far the journal goes was asked, before it is read from its start.
    told_end: bool,
}

impl Shard {
    pub fn new(parts: ShardParts) -> Shard {
        let owner = Owner::new(parts.number, &parts.node, parts.genesis.clone(), parts.timing, parts.seed);
        parts.metrics.ring_capacity.set(crate::ring::BATCHES_MAX as u64);
        let clock = ShardClock::new(parts.clock);
        *parts.standing.clock.write().expect("nobody panics with it") = clock;
        Shard {
            owner,
            room: Room::new(parts.number, parts.genesis.key, parts.standing, parts.publications),
            ring: parts.ring,
            at_hand: None,
            open: OpenBatch::default(),
            source: parts.source,
            generation: 0,
            limits: parts.limits,
            clock,
            wall: parts.wall,
            metrics: parts.metrics,
            blocked: false,
            behind: false,
            owned: Owned::default(),
            settled_at: None,
            renewals: Renewals::default(),
            told_end: false,
        }
    }

    fn number(&self) -> u16 {
        self.room.standing.shard
    }

    fn monotonic_ms(&self) -> u64 {
        self.metrics.started.elapsed().as_millis() as u64
    }

    fn on_ack(&mut self, journal: &mut dyn Journal, acked: &Acked) -> Result<(), JournalError> {
        self.blocked = false;
        let now_ms = self.monotonic_ms();
        let result = self.owner.on_ack(journal, &mut self.room, acked, now_ms);
        // Before `take_events`: a scrape must not see a new owner with the old times.
        self.metrics.show(self.owner.shown());
        self.metrics.journal_in_flight.set(u64::from(self.room.in_flight.is_some()));
        self.take_events()?;
        result
    }

    /// One turn. Returns whether anything was done.
    fn turn(&mut self, journal: &mut dyn Journal, draining: bool) -> Result<bool, JournalError> {
        self.room.standing.sign_of_life();
        let now_ms = self.monotonic_ms();
        if !self.told_end {
            self.told_end = true;
            // A connection that is new may need more than one question.
            let end = (0..10).find_map(|_| journal.end(self.number()));
            self.room.progress.begin(end.unwrap_or(0));
        }
        let speculative = !self.open.is_empty();
        let turned = self.owner.turn(journal, &mut self.room, now_ms, speculative);
        self.metrics.show(self.owner.shown());
        self.take_events()?;
        turned?;
        if !self.owner.is_owner() {
            return Ok(self.turn_away());
        }
        self.metrics.ring_depth.set(self.ring.depth() as u64);
        let taken = self.take_inputs(journal)?;
        // A shard that is stopping fires no timers of its own: the next owner does, right after its claim.
        if !draining {
            self.idle();
        }
        let closed = self.close(journal);
        Ok(taken || closed)
    }

    /// Items that came while another node owns the shard, or before the source was sent back.
    fn turn_away(&mut self) -> bool {
        // Embedded and on the way to a claim (the first, or that of a clock's origin), they wait where they are.
        if self.source.is_none() && !self.room.standing.is_superseded() {
            return false;
        }
        let mut any = false;
        while let Some(mut batch) = self.at_hand.take().or_else(|| self.ring.pop()) {
            for answer_to in batch.items.drain(..).filter_map(|item| item.answer_to) {
                let _ = answer_to.send(Answered::NotOwner);
            }
            self.ring.give_back(batch);
            any = true;
        }
        any
    }

    fn take_events(&mut self) -> Result<(), JournalError> {
        for event in self.owner.take_events() {
            match event {
                Event::Owned => self.owned()?,
                Event::Dropped { why, superseded } => self.dropped(&why, superseded),
            }
        }
        Ok(())
    }

    fn owned(&mut self) -> Result<(), JournalError> {
        let fold = self.owner.fold().clone();
        let refused = |what: String| JournalError::Halted(Halt::Refused(what));
        self.clock.take_recorded(fold.clock).map_err(refused)?;
        if self.clock.awaits_origin() && self.room.engine.now() > self.clock.engine_ms(0) {
            return Err(refused("the journal's time is past the start of the scaled clock; use a new journal".into()));
        }
        *self.room.standing.clock.write().expect("nobody panics with it") = self.clock;
        self.refuse_workspaces_in_earnest()?;
        self.room.limbo = None;
        self.room.progress.done(fold.seq);
        self.open.clear();
        self.owned = Owned::default();
        self.settled_at = None;
        self.renewals = Renewals::default();
        // What the source has is a backlog until it says that it is at the end.
        self.behind = self.source.is_some();
        if let Some(source) = &self.source {
            self.generation = source.read_from(fold.next_input);
        }
        self.room.publish(Publication::Owned { shard: fold.shard, fold: Box::new(fold) });
        self.room.standing.set_superseded(false);
        self.room.standing.set_owned(true);
        self.metrics.owned_since_ms.set(self.wall.now_ms());
        self.metrics.owned.set(1);
        Ok(())
    }

    /// A scaled clock is for tests: nobody's customers wait at 120 times the speed.
    fn refuse_workspaces_in_earnest(&self) -> Result<(), JournalError> {
        let earnest = self.room.engine.workspaces().into_iter().find(|workspace| !workspace.policy.test);
        match earnest {
            Some(workspace) if self.clock.is_scaled() => Err(JournalError::Halted(Halt::Refused(format!(
                "workspace {} is not marked `test`, and the clock is scaled",
                workspace.name
            )))),
            _ => Ok(()),
        }
    }

    fn dropped(&mut self, why: &str, superseded: bool) {
        tracing::warn!(
            shard = self.number(),
            why,
            superseded,
            "the shard's state is dropped and the journal is read again"
        );
        self.room.standing.set_superseded(superseded);
        self.room.standing.set_owned(false);
        self.metrics.owned.set(0);
        self.metrics.journal_in_flight.set(0);
        // Answers of the open batch are given up with it: nobody knows, and their senders are told so by the closed
        // channel. Those of the batch in flight wait for what the log says.
        self.open.clear();
        self.blocked = false;
        self.told_end = false;
        self.room.publish(Publication::Dropped { shard: self.number(), superseded });
    }

    /// Engine time of a step that takes no recorded time: the wall clock's, and it never falls.
    fn now(&self) -> u64 {
        self.clock.engine_ms(self.wall.now_ms()).max(self.room.engine.now())
    }

    fn take_inputs(&mut self, journal: &mut dyn Journal) -> Result<bool, JournalError> {
        let mut taken = 0;
        // One clock reading an event: the end of one is the start of the next.
        let mut at = Instant::now();
        while taken < INPUTS_A_TURN && self.open.has_room() && self.owner.is_owner() {
            if !self.find_item() {
                break;
            }
            let Some(now) = self.time_of_next(journal)? else {
                self.blocked = true;
                break;
            };
            let batch = self.at_hand.as_mut().expect("an item was found");
            let behind = batch.behind;
            let item = batch.items.pop().expect("an item was found");
            self.decide(item, now, behind);
            let end = Instant::now();
            self.metrics.apply.record_ns((end - at).as_nanos() as u64);
            at = end;
            taken += 1;
        }
        Ok(taken > 0)
    }

    /// Makes sure that `at_hand` has an item; false: the ring is empty.
    fn find_item(&mut self) -> bool {
        loop {
            match &mut self.at_hand {
                Some(batch) if !batch.items.is_empty() && batch.generation == self.generation => return true,
                Some(_) => {
                    let empty = self.at_hand.take().expect("it was just seen");
                    self.ring.give_back(empty);
                }
                None => {
                    let Some(mut batch) = self.ring.pop() else { return false };
                    if batch.generation == self.generation {
                        self.behind = batch.behind;
                    }
                    batch.items.reverse();
                    self.at_hand = Some(batch);
                }
            }
        }
    }

    /// The `now` of the item at hand, when all that is due before it is done. None: the open batch is closed first.
    fn time_of_next(&mut self, journal: &mut dyn Journal) -> Result<Option<u64>, JournalError> {
        let batch = self.at_hand.as_ref().expect("an item was found");
        let item = batch.items.last().expect("an item was found");
        let (behind, appended_at_ms) = (batch.behind, item.appended_at_ms);
        let event_type = match &item.intake {
            Intake::Event(input) => Some(input.event_type),
            _ => None,
        };
        let alone = event_type == Some(EventType::WorkspaceConfigure);
        // A scaled clock stands until there is something to do; what calendars mean belongs to their configuration.
        let configures = alone || matches!(event_type, Some(EventType::AgentConfigure | EventType::CalendarExpand));
        if !self.open.takes(behind) {
            return Ok(None);
        }
        if self.clock.awaits_origin() && event_type.is_some() && !configures {
            let wall_ms = if self.source.is_some() { appended_at_ms } else { self.wall.now_ms() };
            if self.open.is_empty() && self.owner.is_free() {
                let origin = self.clock.origin_at(wall_ms).expect("it is scaled");
                let now_ms = self.monotonic_ms();
                self.owner.claim_again(journal, origin, now_ms)?;
            }
            return Ok(None);
        }
        let now = if behind {
            self.clock.engine_ms(appended_at_ms).max(self.room.engine.now())
        } else {
            self.open.now.or(self.settled_at).unwrap_or_else(|| self.now())
        };
        if !self.tick_until(now, behind) {
            return Ok(None);
        }
        if alone && !self.open.is_empty() {
            // A policy is a batch of its own; what was due before it goes into the one before, and is done.
            self.settled_at = Some(now);
            return Ok(None);
        }
        self.settled_at = None;
        Ok(Some(now))
    }

    fn decide(&mut self, item: Item, now: u64, behind: bool) {
        self.begin_step(now, behind);
        let offset = item.offset;
        let kafka = self.source.is_some();
        if kafka {
            self.open.to = offset + 1;
        }
        match item.intake {
            Intake::Event(mut input) => {
                self.refuse_configure_in_earnest(&mut input);
                self.step(&input, now, item.answer_to, item.received_at, kafka.then_some(offset));
            }
            Intake::Refused { reason, field, original } => {
                self.room.engine.dead_letter(offset, reason, now, &mut self.open.out);
                let letter = DeadLetter {
                    partition: self.number(),
                    offset,
                    reason: reason.into(),
                    field,
                    original: Some(original),
                };
                self.open.letters.push(letter);
            }
            Intake::Forwarded => self.open.takes_input = true,
        }
    }

    fn step(
        &mut self,
        input: &Input,
        now: u64,
        answer_to: Option<tokio::sync::oneshot::Sender<Answered>>,
        received_at: Instant,
        offset: Option<u64>,
    ) {
        let answer = self.room.engine.step(input, now, &mut self.open.out);
        let answered = Answered::of(self.number(), answer);
        match (answered, offset) {
            (Answered::UnknownWorkspace, None) => {
                // Nothing is recorded, so there is no commit to wait for. What is in flight can only add workspaces, and
                // this one was looked for behind it.
                if let Some(answer_to) = answer_to {
                    let _ = answer_to.send(answered);
                }
                return;
            }
            (Answered::UnknownWorkspace, Some(offset)) => {
                self.room.engine.dead_letter(offset, UNKNOWN_WORKSPACE, now, &mut self.open.out);
            }
            (Answered::Renewed, None) => {}
            (Answered::Renewed, Some(offset)) => self.renewals.taken(offset),
            (_, None) => self.open.record_input(input),
            (_, Some(_)) => self.open.takes_input = true,
        }
        self.open.alone |= input.event_type == EventType::WorkspaceConfigure;
        self.open.judged.extend(Judged::of(input, &answer));
        let reply = Reply { answered, answer_to, received_at, offset: offset.unwrap_or_default(), key: input.key };
        self.open.replies.push(reply);
    }

    fn refuse_configure_in_earnest(&self, input: &mut Input) {
        if self.clock.is_scaled()
            && let Body::WorkspaceConfigure { policy, .. } = &input.body
            && !policy.test
        {
            input.body = Body::Invalid {
                faults: "the clock is scaled: only a workspace marked `test` can be configured".into(),
            };
        }
    }

    /// What time alone has made due: there is no input at hand.
    fn idle(&mut self) {
        if !self.owner.is_owner() || !self.open.has_room() || !self.open.takes(self.behind) {
            return;
        }
        let now = if self.behind {
            // Its next input says how late it is; until then only what is left of the steps before is done.
            if !self.owned.has_begun {
                return;
            }
            self.room.engine.now()
        } else {
            self.open.now.unwrap_or_else(|| self.now())
        };
        if !self.behind && self.owned.behind != Some(false) {
            self.begin_step(now, false);
        }
        self.tick_until(now, self.behind);
        if self.owner.is_free()
            && let Some(to) = self.renewals.due(self.owner.fold().next_input)
        {
            self.begin_step(now, self.behind);
            self.open.to = self.open.to.max(to);
            self.open.takes_input = true;
        }
    }

    /// Does what is due until `until`: at that time, or in a backlog each at its own deadline. False: there is no room
    /// for all of it.
    fn tick_until(&mut self, until: u64, behind: bool) -> bool {
        let mut idle = 0;
        while let Some(at) = self.room.engine.wants_tick_at().filter(|at| *at <= until) {
            if !self.open.has_room() {
                return false;
            }
            let now = if behind { at.max(self.room.engine.now()) } else { until };
            self.begin_step(now, behind);
            let did_something = self.room.engine.tick(now, &mut self.open.out);
            idle = if did_something { 0 } else { idle + 1 };
            assert!(idle < IDLE_TICKS_MAX, "the engine wants ticks in which it does nothing");
        }
        self.open.has_room()
    }

    /// Before each step. The first ones after a claim and after a change of the kind of time tell the engine so.
    fn begin_step(&mut self, now: u64, behind: bool) {
        self.open.step_at(self.owner.next_seq(), self.owner.fold().next_input, now, behind);
        let by_the_clock = self.now();
        let out = &mut self.open.out;
        if !self.owned.has_begun {
            self.room.engine.set_limits(self.limits, now, out);
        }
        if self.owned.behind != Some(behind) {
            self.room.engine.set_behind(behind, now, out);
            self.owned.behind = Some(behind);
        }
        if !self.owned.has_begun {
            self.owned.has_begun = true;
            self.room.engine.claimed(now, by_the_clock, out);
        }
    }

    /// Closes the open batch if there is one and the journal is free.
    fn close(&mut self, journal: &mut dyn Journal) -> bool {
        if !self.owner.is_free() {
            return false;
        }
        if !self.open.is_worth_a_record() {
            // A tick without effects leaves no trace, and its time is forgotten. Nor do renewals without effect, and all
            // before them is committed.
            if !self.open.replies.is_empty() {
                let (replies, judged) = self.open.take_answers();
                self.room.publish(Publication::Renewed { shard: self.number(), replies, judged });
            }
            self.open.clear();
            self.blocked = false;
            return false;
        }
        let now_ms = self.monotonic_ms();
        let open = &mut self.open;
        let batch = JournalBatch {
            behind: open.behind,
            to: open.to,
            now: open.last_now,
            digest: self.room.engine.seal(),
            relay: self.room.standing.relayed(),
            effects: &open.out.effects,
            decisions: &open.out.decisions,
            inputs: &open.inputs,
        };
        self.renewals.passed(batch.to);
        let record = self.owner.submit(journal, &batch, now_ms);
        self.metrics.journal_in_flight.set(1);
        self.room.in_flight = Some(open.close(record));
        self.blocked = false;
        true
    }

    fn has_work(&self) -> bool {
        let takes = match self.owner.is_owner() {
            true => !self.blocked && self.open.has_room(),
            false => self.source.is_some() || self.room.standing.is_superseded(),
        };
        takes && (self.at_hand.as_ref().is_some_and(|batch| !batch.items.is_empty()) || !self.ring.is_empty())
    }

    /// How long nothing is to be done unless somebody wakes the thread.
    fn idle_for(&self) -> Duration {
        let turn = self.owner.wants_turn_in_ms(self.monotonic_ms()).map(Duration::from_millis);
        let tick = self.tick_in().unwrap_or(SLEEP_MAX);
        let renewals = self.renewals.due_in().filter(|_| self.owner.is_free()).unwrap_or(SLEEP_MAX);
        SLEEP_MAX.min(turn.unwrap_or(SLEEP_MAX)).min(tick).min(renewals)
    }

    /// How long until something is due by the clock; none while the time of the open batch stands still.
    fn tick_in(&self) -> Option<Duration> {
        if !self.owner.is_owner() || self.behind || self.open.now.is_some() {
            return None;
        }
        let at = self.room.engine.wants_tick_at()?;
        let until = self.clock.wall_ms_until(at, self.wall.now_ms()).map(Duration::from_millis)?;
        // What is due and was not done waits for room, and so for an ack: a moment is soon enough.
        Some(until.max(Duration::from_millis(1)))
    }

    /// Everything that was taken is committed, or will be by somebody else.
    fn is_drained(&self) -> bool {
        if !self.owner.is_owner() {
            return self.room.in_flight.is_none();
        }
        let ring_empty = self.ring.is_empty() && self.at_hand.as_ref().is_none_or(|batch| batch.items.is_empty());
        ring_empty && self.owner.is_free() && !self.open.is_worth_a_record()
    }
}

/// One thread and the shards it drives.
pub struct ShardThread {
    pub shards: Vec<Shard>,
    pub journal: Box<dyn Journal>,
    pub acks: Receiver<Acked>,
    pub sleeper: Sleeper,
    /// Set when the sources have ended: what is in the rings is decided and committed, then the thread ends.
    pub draining: Arc<AtomicBool>,
}

impl ShardThread {
    /// Returns when drained. An error is a HALT: nobody may go on from what is there.
    pub fn run(mut self) -> Result<(), Halt> {
        loop {
            let mut busy = false;
            while let Ok(acked) = self.acks.try_recv() {
                busy = true;
                if let Some(shard) = self.shards.iter_mut().find(|shard| shard.number() == acked.shard) {
                    survive(shard.on_ack(self.journal.as_mut(), &acked).map(|()| true), acked.shard)?;
                }
            }
            let draining = self.draining.load(Ordering::Acquire);
            for shard in &mut self.shards {
                let number = shard.number();
                busy |= survive(shard.turn(self.journal.as_mut(), draining), number)?;
            }
            if draining && self.shards.iter().all(Shard::is_drained) {
                return Ok(());
            }
            if !busy {
                let idle = self.shards.iter().map(Shard::idle_for).min().unwrap_or(SLEEP_MAX);
                let (acks, shards) = (&self.acks, &self.shards);
                self.sleeper.sleep(idle, || !acks.is_empty() || shards.iter().any(Shard::has_work));
            }
        }
    }
}

/// The world's failures are waited out (the owner backs off); a HALT is not.
fn survive(done: Result<bool, JournalError>, shard: u16) -> Result<bool, Halt> {
    match done {
        Ok(busy) => Ok(busy),
        Err(JournalError::Unavailable(sentence)) => {
            tracing::warn!(shard, sentence, "the journal cannot be reached; trying again");
            Ok(false)
        }
        Err(JournalError::Halted(halt)) => Err(halt),
    }
}

#[cfg(test)]
mod tests;
