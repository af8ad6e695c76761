//! The fold and the owner under faults, as `journal-model` checks them: real code, an in-memory log, seeded trouble.
//!
//! Two nodes drive `Owner` (W = 1) against one log through a network that delays, loses and repeats requests, loses and
//! delays acks; nodes are killed and paused, reads are stale, strangers write records and claims. The checker sees the
//! whole log and shares only the fold's rule with the nodes. A checker that has never failed proves nothing: `Plant`
//! has mistakes that it must find. A failure prints one line to paste.

use crate::journal::owner::Batch;
use crate::journal::record::{self, Hash};
use crate::journal::{
    Ack, Acked, Claim, Domain, Event, Fold, Genesis, Halt, Header, Journal, JournalError, Kind, Owner, Record, Timing,
    Verdict, Visit,
};
use engine::decision::Position;
use engine::wire::Malformed;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// Mistakes that the checker has to find. `no_prev_hash` alone is masked by the fresh claim (C2 of the model); it is
/// here because others need it to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Plant {
    pub no_contiguity: bool,
    pub equal_term: bool,
    pub no_prev_hash: bool,
    pub claim_by_term: bool,
    pub no_reread_after_claim: bool,
    pub gap_reads_stale_end: bool,
    pub shows_at_once: bool,
}

const FAULTY_ROUNDS: u64 = 500;
const QUIET_ROUNDS: u64 = 4_000;
const INPUTS: u64 = 45;
const ACK_ROUNDS: u64 = 25;
const SHOWN_ROUNDS: u64 = 24;
/// What a read may not show yet, where reads are held to something.
const STALE_ROUNDS: u64 = 10;
const TIMING: Timing = Timing {
    backoff_base_ms: 6,
    idle_ms: 40,
    ack_ms_max: ACK_ROUNDS,
    poll_ms: 8,
    owner_poll_ms: 4,
    owner_read_ms: 8,
    shown_ms: SHOWN_ROUNDS,
    hidden_ms: SHOWN_ROUNDS + STALE_ROUNDS + 1,
};

/// What may happen to the log itself; the protocol only promises to notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Damage {
    None,
    /// An unclean leader election: the last records are gone.
    Truncated,
    /// Compaction, or a transaction's marker.
    Hole,
}

struct Request {
    node: usize,
    writer: u64,
    serial: u64,
    ticket: u64,
    record: Arc<[u8]>,
    due: u64,
}

struct Answer {
    node: usize,
    writer: u64,
    acked: Acked,
    due: u64,
}

struct World {
    random: u64,
    round: u64,
    faulty: bool,
    log: Vec<(u64, Arc<[u8]>)>,
    /// The round in which each record of the log was appended.
    appended_in: Vec<u64>,
    /// A read that is stale lacks what was appended in the last so many rounds, and nothing else.
    stale_rounds: u64,
    next_offset: u64,
    requests: Vec<Request>,
    answers: Vec<Answer>,
    /// By writer: the offset of each serial that was appended; what an idempotent broker remembers.
    appended: BTreeMap<u64, Vec<u64>>,
    writers: u64,
    /// By node: its writer and the serial of that writer's last request.
    open: [Option<(u64, u64)>; 2],
    truth: Fold,
    accepted: BTreeMap<u64, bool>,
    /// By seq: chain hash and state after it.
    batches: Vec<(Hash, u64)>,
    state: u64,
    /// The state on which each record was decided; for the checker only.
    bases: BTreeMap<Hash, u64>,
    covered: u64,
    highest_term: u64,
    decisions: Vec<(u64, Hash)>,
    seen_seq: u64,
    damaged: bool,
    /// A consumer has seen two decisions at one position (rule 17).
    alarmed: bool,
    broken: Option<&'static str>,
}

fn mix(a: u64, b: u64) -> u64 {
    let x = (a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 31)
}

fn state_after(state: u64, effects: &[u8]) -> u64 {
    effects.iter().fold(state, |state, byte| mix(state, u64::from(*byte)))
}

impl World {
    fn draw(&mut self, below: u64) -> u64 {
        self.random = mix(self.random, 0x1234_5678);
        (self.random >> 17) % below.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.faulty && self.draw(100) < chance
    }

    fn broken(&mut self, what: &'static str) {
        self.broken.get_or_insert(what);
    }

    fn send(&mut self, request: Request) {
        let copies = if self.percent(3) { 0 } else { 1 + u64::from(self.percent(7)) };
        for _ in 0..copies {
            let delay = if self.percent(10) { 1 + self.draw(120) } else { 1 + self.draw(3) };
            let Request { node, writer, serial, ticket, ref record, .. } = request;
            let due = self.round + delay;
            self.requests.push(Request { node, writer, serial, ticket, record: record.clone(), due });
        }
    }

    fn deliver(&mut self) {
        let round = self.round;
        let (due, later) = std::mem::take(&mut self.requests).into_iter().partition(|request| request.due <= round);
        self.requests = later;
        for request in due {
            self.arrive(request);
        }
    }

    /// A request reaches the broker, which drops repeats and keeps each writer's order.
    fn arrive(&mut self, mut request: Request) {
        let known = self.appended.entry(request.writer).or_default();
        let ack = match (known.len() as u64).cmp(&request.serial) {
            std::cmp::Ordering::Less => {
                // Out of order: the client sends it again.
                request.due = self.round + 1 + self.draw(10);
                if !self.percent(30) {
                    self.requests.push(request);
                }
                return;
            }
            std::cmp::Ordering::Greater => Ack::Offset(known[request.serial as usize]),
            std::cmp::Ordering::Equal => {
                known.push(self.next_offset);
                Ack::Offset(self.append(request.record.clone()))
            }
        };
        if self.percent(4) {
            return;
        }
        let delay = if self.percent(10) { 1 + self.draw(80) } else { 1 + self.draw(3) };
        let acked = Acked { shard: 0, ticket: request.ticket, ack };
        self.answers.push(Answer { node: request.node, writer: request.writer, acked, due: self.round + delay });
    }

    /// Appends and checks: accepted batches cover the inputs in order and were decided on the folded state.
    fn append(&mut self, bytes: Arc<[u8]>) -> u64 {
        let offset = self.next_offset;
        let term_before = self.highest_term;
        let (verdict, record) = self.truth.read(offset, &bytes).expect("the checker's log has no holes");
        let header = record.header.clone();
        let effects = record.effects.to_vec();
        if verdict == Verdict::Accepted && header.kind == Kind::Claim {
            if header.term <= term_before {
                self.broken("two claims accepted in one term");
            }
            self.highest_term = self.highest_term.max(header.term);
        }
        if verdict == Verdict::Accepted && header.kind == Kind::Batch {
            if header.from != self.covered || header.to < header.from {
                self.broken("an input was lost or decided twice");
            }
            if self.bases.get(&record::digest(&bytes)).is_some_and(|base| *base != self.state) {
                self.broken("an accepted batch was decided on another state");
            }
            self.covered = header.to;
            self.state = state_after(self.state, &effects);
            self.batches.push((self.truth.hash, self.state));
        }
        self.accepted.insert(offset, verdict == Verdict::Accepted);
        self.log.push((offset, bytes));
        self.appended_in.push(self.round);
        self.next_offset += 1;
        offset
    }

    /// Below this every read sees everything.
    fn settled_end(&self) -> u64 {
        let since = self.round.saturating_sub(self.stale_rounds);
        let settled = self.appended_in.partition_point(|round| *round < since);
        settled.checked_sub(1).map_or(0, |last| self.log[last].0 + 1)
    }

    /// What a consumer of `decisions` sees: every batch once, in order, with repeats it can drop.
    fn publish(&mut self, seq: u64, hash: Hash) {
        if self.batches.get(seq as usize - 1).map(|batch| batch.0) != Some(hash) {
            self.broken("published and not accepted");
        }
        if seq > self.seen_seq + 1 {
            self.broken("a consumer sees a gap");
        }
        self.alarmed |= self.decisions.iter().any(|(known, other)| *known == seq && *other != hash);
        self.seen_seq = self.seen_seq.max(seq);
        self.decisions.push((seq, hash));
    }

    /// A stranger's record: void, or a claim above everybody's by a node that is never heard of again.
    fn intrude(&mut self, claims: bool) {
        let kind = if claims { Kind::Claim } else { Kind::Batch };
        // Not 0: no claim has that id.
        let id = 1 + self.draw(255) as u8;
        let header = Header {
            kind,
            behind: false,
            shard: 0,
            term: self.truth.term + u64::from(claims),
            claim_id: [id; 16],
            seq: self.truth.seq + 1,
            prev_hash: [id; 32],
            from: self.truth.next_input,
            to: self.truth.next_input + 1,
            relay: Position::default(),
            last_decision: Position::default(),
            now: 0,
            digest: 0,
        };
        self.append(record::encode(&header, &Claim::default().encode(), b"", b"").into());
    }
}

/// One node's hands on the log.
struct SimulatedJournal {
    world: Arc<Mutex<World>>,
    node: usize,
    /// Reads may be stale, but none ends below what this session of the owner has reached.
    reached: u64,
}

impl SimulatedJournal {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Offsets from `from` on, up to an end that may be an old one but is never below `through`.
    fn visit(&mut self, from: u64, through: Option<u64>, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        let reached = self.reached;
        let (records, end) = {
            let mut world = self.world();
            let mut end = world.next_offset;
            if world.faulty && end > from && world.draw(2) == 0 {
                end = (from + world.draw(end - from + 1)).max(world.settled_end());
            }
            let end = end.max(through.map_or(0, |through| through + 1)).max(reached).min(world.next_offset);
            let records: Vec<_> =
                world.log.iter().filter(|(offset, _)| (from..end).contains(offset)).cloned().collect();
            (records, end)
        };
        // A read may break off behind any record that it has given.
        let breaks_after =
            if self.world().percent(3) { Some(self.world().draw(1 + records.len() as u64)) } else { None };
        for (given, (offset, bytes)) in records.into_iter().enumerate() {
            if breaks_after == Some(given as u64) {
                return Err(JournalError::Unavailable("the read breaks off".into()));
            }
            visit(offset, &bytes)?;
            self.reached = self.reached.max(offset + 1);
        }
        self.reached = end;
        Ok(end)
    }
}

impl Journal for SimulatedJournal {
    fn read(&mut self, _shard: u16, from: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        self.visit(from, None, visit)
    }

    fn read_through(&mut self, _: u16, from: u64, through: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        self.visit(from, Some(through), visit)
    }

    fn end(&mut self, _shard: u16) -> Option<u64> {
        let reached = self.reached;
        let mut world = self.world();
        let mut end = world.next_offset;
        if world.faulty && end > reached && world.draw(2) == 0 {
            end = (reached + world.draw(end - reached + 1)).max(world.settled_end());
        }
        if world.percent(5) { None } else { Some(end.max(reached)) }
    }

    fn open_writer(&mut self, _shard: u16) -> Result<(), JournalError> {
        let node = self.node;
        let mut world = self.world();
        world.writers += 1;
        let writer = world.writers;
        world.open[node] = Some((writer, 0));
        Ok(())
    }

    fn close_writer(&mut self, _shard: u16) {
        let node = self.node;
        self.world().open[node] = None;
        self.reached = 0;
    }

    fn submit(&mut self, _shard: u16, ticket: u64, record: Arc<[u8]>) {
        let node = self.node;
        let mut world = self.world();
        let (writer, serial) = world.open[node].expect("a writer is open");
        world.open[node] = Some((writer, serial + 1));
        world.send(Request { node, writer, serial, ticket, record, due: 0 });
    }

    fn relay_tail(&mut self, _shard: u16) -> Result<Option<(Position, Hash)>, JournalError> {
        let mut world = self.world();
        let back = if world.faulty { world.draw(4) as usize } else { 0 };
        Ok(world.decisions.iter().rev().nth(back).map(|(seq, hash)| (Position { seq: *seq, idx: 0 }, *hash)))
    }
}

/// The state is a number; what a node has followed is known by hash.
struct Number {
    world: Arc<Mutex<World>>,
    state: u64,
    followed: Vec<Hash>,
    /// Committed and not yet relayed.
    to_relay: VecDeque<(u64, Hash)>,
}

impl Domain for Number {
    fn apply(&mut self, fold: &Fold, record: &Record<'_>, _bytes: &[u8]) -> Result<u128, Malformed> {
        self.state = state_after(self.state, record.effects);
        self.followed.push(fold.hash);
        Ok(u128::from(self.state))
    }

    fn committed(&mut self, fold: &Fold, bytes: Arc<[u8]>) {
        self.followed.push(fold.hash);
        self.to_relay.push_back((fold.seq, fold.hash));
        let mut world = self.world.lock().unwrap();
        let accepted = world.log.iter().any(|(offset, found)| *found == bytes && world.accepted[offset]);
        if !accepted {
            world.broken("a void record was taken as committed");
        } else if world.batches.get(fold.seq as usize - 1).map(|batch| batch.1) != Some(self.state) {
            world.broken("an owner's state is not the log's");
        }
    }

    fn reset(&mut self) {
        self.state = 0;
        self.followed.clear();
    }

    fn hash_of(&mut self, _journal: &mut dyn Journal, seq: u64) -> Result<Option<Hash>, JournalError> {
        Ok(self.followed.get(seq as usize - 1).copied())
    }
}

struct Node {
    owner: Owner,
    domain: Number,
    journal: SimulatedJournal,
    paused_until: u64,
    halted: Option<Halt>,
    plant: Plant,
    /// Of this life: acks of older writers go to a process that is no more.
    first_writer: u64,
}

impl Node {
    fn new(number: usize, world: &Arc<Mutex<World>>, plant: Plant) -> Node {
        let journal = SimulatedJournal { world: world.clone(), node: number, reached: 0 };
        let mut node = Node {
            owner: Owner::new(0, "", Genesis::default(), TIMING, 0),
            domain: Number { world: world.clone(), state: 0, followed: Vec::new(), to_relay: VecDeque::new() },
            journal,
            paused_until: 0,
            halted: None,
            plant,
            first_writer: 0,
        };
        node.restart();
        node
    }

    /// kill -9 and a new process: requests that are on their way still arrive.
    fn restart(&mut self) {
        self.first_writer = self.journal.world().writers + 1;
        let seed = self.journal.world().draw(u64::MAX);
        self.owner = Owner::new(0, "node", Genesis::default(), TIMING, seed);
        self.owner.plant(self.plant);
        self.domain.reset();
        self.domain.to_relay.clear();
        self.journal.close_writer(0);
    }

    fn judge(&mut self, result: Result<(), JournalError>) {
        if let Err(JournalError::Halted(halt)) = result {
            self.halted = Some(halt);
        }
        for event in self.owner.take_events() {
            match event {
                Event::Owned => self.owned(),
                Event::Dropped { .. } => self.domain.to_relay.clear(),
            }
        }
    }

    fn owned(&mut self) {
        let claim_id = self.owner.claim_id();
        let tail = self.journal.relay_tail(0).unwrap().map_or(0, |(position, _)| position.seq);
        let followed = self.domain.followed.iter().enumerate().skip(tail as usize);
        self.domain.to_relay = followed.map(|(at, hash)| (at as u64 + 1, *hash)).collect();
        let mut world = self.journal.world();
        let is_ours = |(offset, bytes): &&(u64, Arc<[u8]>)| {
            let header = record::decode(*offset, bytes).unwrap().header;
            header.kind == Kind::Claim && header.claim_id == claim_id && world.accepted[offset]
        };
        if !world.log.iter().any(|entry| is_ours(&entry)) {
            world.broken("an owner without an accepted claim");
        }
    }

    /// Asked now, it would answer with its figures.
    fn shows(&self, round: u64) -> bool {
        let is_up = self.halted.is_none() && self.paused_until <= round;
        is_up && self.owner.is_owner() && self.owner.shown().contains(&round)
    }

    fn take_acks(&mut self) {
        let round = self.journal.world().round;
        loop {
            let acked = {
                let mut world = self.journal.world();
                let (node, first) = (self.journal.node, self.first_writer);
                world.answers.retain(|answer| answer.node != node || answer.writer >= first);
                // In order per writer: the first of a writer holds back those behind it.
                let position = world.answers.iter().position(|answer| {
                    answer.node == node
                        && answer.due <= round
                        && !world
                            .answers
                            .iter()
                            .any(|other| other.writer == answer.writer && other.acked.ticket < answer.acked.ticket)
                });
                let Some(position) = position else { return };
                world.answers.remove(position).acked
            };
            if let Ack::Offset(offset) = acked.ack {
                self.journal.reached = self.journal.reached.max(offset + 1);
            }
            let result = self.owner.on_ack(&mut self.journal, &mut self.domain, &acked, round);
            self.judge(result);
            if self.halted.is_some() {
                return;
            }
        }
    }

    fn round(&mut self, inputs_there: u64) {
        let round = self.journal.world().round;
        if self.halted.is_some() || self.paused_until > round {
            return;
        }
        self.take_acks();
        let result = self.owner.turn(&mut self.journal, &mut self.domain, round, false);
        self.judge(result);
        if self.halted.is_none() && self.owner.is_free() {
            self.decide(inputs_there);
        }
        if self.journal.world().draw(3) > 0
            && let Some((seq, hash)) = self.domain.to_relay.pop_front()
        {
            self.journal.world().publish(seq, hash);
        }
    }

    fn decide(&mut self, inputs_there: u64) {
        let fold = self.owner.fold();
        let mut world = self.journal.world();
        let taken = world.draw(4).min(inputs_there.saturating_sub(fold.next_input));
        // One in four without input: a tick. No effects and no input: no record.
        if world.draw(3) == 0 || (taken == 0 && world.draw(40) > 0) {
            return;
        }
        let base = self.domain.state;
        let effects: Vec<u8> = (0..=world.draw(3)).map(|_| world.draw(256) as u8).collect();
        let to = fold.next_input + taken;
        drop(world);
        self.domain.state = state_after(base, &effects);
        let round = self.journal.world().round;
        let batch = Batch {
            to,
            digest: u128::from(self.domain.state),
            effects: &effects,
            decisions: &[1, 0],
            ..Batch::default()
        };
        let record = self.owner.submit(&mut self.journal, &batch, round);
        self.journal.world().bases.insert(record::digest(&record), base);
    }
}

struct Outcome {
    batches: usize,
    void: usize,
    broken: Option<&'static str>,
    halts: Vec<Halt>,
    damaged: bool,
    alarmed: bool,
    /// Rounds in which a node showed figures, and all.
    shown_rounds: u64,
    rounds: u64,
}

/// Reads may be as old as they like.
fn simulate(seed: u64, plant: Plant, damage: Damage) -> Outcome {
    simulate_with(seed, plant, damage, u64::MAX)
}

fn simulate_with(seed: u64, plant: Plant, damage: Damage, stale_rounds: u64) -> Outcome {
    let world = World {
        random: mix(seed, 77),
        round: 0,
        faulty: true,
        log: Vec::new(),
        appended_in: Vec::new(),
        stale_rounds,
        next_offset: 0,
        requests: Vec::new(),
        answers: Vec::new(),
        appended: BTreeMap::new(),
        writers: 0,
        open: [None; 2],
        truth: Fold { plant, ..Fold::new(0) },
        accepted: BTreeMap::new(),
        batches: Vec::new(),
        state: 0,
        bases: BTreeMap::new(),
        covered: 0,
        highest_term: 0,
        decisions: Vec::new(),
        seen_seq: 0,
        damaged: false,
        alarmed: false,
        broken: None,
    };
    let world = Arc::new(Mutex::new(world));
    let mut shown_rounds = 0;
    let mut nodes = [Node::new(0, &world, plant), Node::new(1, &world, plant)];
    for round in 0..FAULTY_ROUNDS + QUIET_ROUNDS {
        let inputs_there = begin_round(&world, &mut nodes, round, damage);
        for node in &mut nodes {
            node.round(inputs_there);
        }
        let showing = nodes.iter().filter(|node| node.shows(round)).count();
        shown_rounds += u64::from(showing > 0);
        let mut world = world.lock().unwrap();
        if showing > 1 && stale_rounds != u64::MAX {
            world.broken("two nodes show the figures of one shard");
        }
        let settled = world.covered == INPUTS && world.seen_seq == world.batches.len() as u64;
        let over = round > FAULTY_ROUNDS && settled && nodes.iter().any(|node| node.owner.is_owner());
        let halted =
            nodes.iter().all(|node| node.halted.is_some()) || (damage != Damage::None && round > FAULTY_ROUNDS + 500);
        if over || halted || (world.broken.is_some() && damage == Damage::None) {
            break;
        }
        drop(world);
        if round == FAULTY_ROUNDS + QUIET_ROUNDS - 1 && damage == Damage::None {
            nodes[0].journal.world().broken("not live: inputs undecided or unpublished, or no owner");
        }
    }
    let halts = nodes.iter_mut().filter_map(|node| node.halted.take()).collect();
    let world = world.lock().unwrap();
    let void = world.accepted.values().filter(|accepted| !**accepted).count();
    let rounds = world.round + 1;
    Outcome {
        batches: world.batches.len(),
        void,
        broken: world.broken,
        halts,
        damaged: world.damaged,
        alarmed: world.alarmed,
        shown_rounds,
        rounds,
    }
}

/// Faults of this round, deliveries; returns how many inputs are there.
fn begin_round(world: &Arc<Mutex<World>>, nodes: &mut [Node; 2], round: u64, damage: Damage) -> u64 {
    let mut w = world.lock().unwrap();
    w.round = round;
    w.faulty = round < FAULTY_ROUNDS;
    w.deliver();
    if w.percent(1) {
        let claims = w.draw(4) == 0;
        w.intrude(claims);
    }
    let killed = w.percent(1).then(|| w.draw(2) as usize);
    let paused = w.percent(2).then(|| (w.draw(2) as usize, round + 5 + w.draw(120)));
    if round > FAULTY_ROUNDS / 3 && !w.damaged && w.log.len() > 8 && w.percent(2) {
        match damage {
            Damage::None => {}
            Damage::Truncated => truncate(&mut w),
            Damage::Hole => {
                w.next_offset += 1;
                w.truth.pos += 1;
                w.damaged = true;
            }
        }
    }
    let inputs_there = if w.faulty { 5 + round / 14 } else { INPUTS }.min(INPUTS);
    let stays = w.draw(2) as usize;
    drop(w);
    if let Some(node) = killed {
        nodes[node].restart();
    }
    if let Some((node, until)) = paused {
        nodes[node].paused_until = until;
    }
    if round == FAULTY_ROUNDS {
        // From here on one node believes that the shard is its own, and the network is calm.
        nodes[stays].paused_until = 0;
        nodes[1 - stays].paused_until = u64::MAX;
    }
    inputs_there
}

/// The last records are gone, and their offsets are given again.
fn truncate(w: &mut World) {
    let lost = 1 + w.draw(5) as usize;
    let kept = w.log.len() - lost;
    let records = std::mem::take(&mut w.log);
    w.appended_in.clear();
    let (term, covered) = (w.highest_term, w.covered);
    w.truth = Fold::new(0);
    w.next_offset = 0;
    w.accepted.clear();
    w.batches.clear();
    (w.state, w.covered, w.highest_term) = (0, 0, 0);
    for (_, bytes) in records.into_iter().take(kept) {
        w.append(bytes);
    }
    w.damaged = covered != w.covered || term != w.highest_term;
}

/// `SEED=n` runs that one, `SEEDS=n` so many.
fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(default),
    }
}

#[test]
fn under_faults_every_input_is_decided_once_and_published_once() {
    let (mut batches, mut void) = (0, 0);
    let seeds = seeds(3_000);
    for seed in seeds.clone() {
        let outcome = simulate(seed, Plant::default(), Damage::None);
        let line = format!("SEED={seed} cargo test -p connectors under_faults");
        assert_eq!(outcome.broken, None, "{line}");
        assert!(outcome.halts.is_empty(), "a false alarm: {:?}; {line}", outcome.halts);
        (batches, void) = (batches + outcome.batches, void + outcome.void);
    }
    println!("{} seeds: {batches} batches, {void} void records", seeds.end - seeds.start);
    // Seeds that are all calm would show nothing.
    assert!(batches as u64 >= 20 * (seeds.end - seeds.start) && (void as u64) >= seeds.end - seeds.start);
}

/// Of 600 seeds, how many show that something is wrong: to the checker, or to a node that halts.
fn found(plant: Plant) -> usize {
    let wrong = |seed| {
        let outcome = simulate(seed, plant, Damage::None);
        outcome.broken.is_some() || !outcome.halts.is_empty()
    };
    (0..600).filter(|seed| wrong(*seed)).count()
}

#[test]
fn planted_mistakes_are_found() {
    let none = Plant::default();
    let plants = [
        ("no contiguity check", Plant { no_contiguity: true, ..none }),
        ("a claim of equal term is accepted", Plant { equal_term: true, ..none }),
        ("a claim is won by its term", Plant { claim_by_term: true, ..none }),
        ("no reading after the claim's ack", Plant { no_reread_after_claim: true, ..none }),
        ("a gap is read to a stale end", Plant { gap_reads_stale_end: true, ..none }),
    ];
    for (name, plant) in plants {
        let count = found(plant);
        assert!(count > 0, "{name}: not found in 600 seeds");
        println!("{name}: found in {count} of 600 seeds");
    }
}

#[test]
fn no_two_nodes_show_the_figures_of_one_shard() {
    let (mut shown, mut rounds) = (0, 0);
    for seed in seeds(8_000) {
        let outcome = simulate_with(seed, Plant::default(), Damage::None, STALE_ROUNDS);
        assert_eq!(outcome.broken, None, "SEED={seed}");
        (shown, rounds) = (shown + outcome.shown_rounds, rounds + outcome.rounds);
    }
    println!("figures were shown in {shown} of {rounds} rounds");
    assert!(shown * 10 > rounds, "nothing is shown, so nothing is shown twice: {shown} of {rounds} rounds");
    let plant = Plant { shows_at_once: true, ..Plant::default() };
    let twice = |seed: &u64| simulate_with(*seed, plant, Damage::None, STALE_ROUNDS).broken.is_some();
    let found = (0..200).filter(twice).count();
    assert!(found > 20, "a node that shows at once is found in {found} of 200 seeds");
}

#[test]
fn a_hole_in_the_log_halts_every_reader() {
    for seed in 0..200 {
        let outcome = simulate(seed, Plant::default(), Damage::Hole);
        let halted = outcome.halts.iter().any(|halt| matches!(halt, Halt::Hole { .. }));
        assert!(halted || !outcome.damaged, "seed {seed}: {:?}", outcome.halts);
    }
}

#[test]
fn a_log_that_lost_published_batches_halts_its_owner() {
    let mut halted = 0;
    for seed in seeds(300) {
        let outcome = simulate(seed, Plant::default(), Damage::Truncated);
        let said = outcome.halts.iter().any(|halt| {
            matches!(
                halt,
                Halt::Truncated { .. }
                    | Halt::Rewritten { .. }
                    | Halt::UnconfirmedDecision { .. }
                    | Halt::OffsetRegress { .. }
            )
        });
        halted += u32::from(said);
        // Who read nothing of it again publishes other decisions at the same positions, and its consumers say so.
        let published_and_gone = outcome.broken == Some("published and not accepted");
        assert!(!published_and_gone || said || outcome.alarmed, "SEED={seed}: {:?}", outcome.halts);
    }
    assert!(halted > 0);
}
