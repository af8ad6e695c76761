//! A conversation's row: fixed-size, found by its id's hash or by its identity.

use super::digest::Fingerprint;
use super::timers::Deadline;
use crate::decision::{PhaseWord, Reason, Turn};
use crate::effect::{ClockRow, SkillSlot, TimerKind, Waiting};
use crate::id::HashKey;
use crate::view::Note;
use alloc::boxed::Box;
use alloc::vec::Vec;

pub const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Phase {
    /// The slot is free.
    #[default]
    Free = 0,
    Queued = 1,
    Assigned = 2,
    /// Async only: inside its reopen window.
    Resolved = 3,
    InBot = 4,
    /// Nobody owns it, one agent is asked.
    Offered = 5,
    /// Until a deadline; its owner, if it has one, keeps it.
    Snoozed = 6,
    /// Set aside by its queue; nobody owns it.
    Parked = 7,
    /// Between two effects of one step.
    Moving = 8,
}

/// What chose the queue, in 32 bits: a rule's index, or one of these.
pub const RULE_ENTRY: u32 = u32::MAX - 1;
pub const RULE_DEFAULT: u32 = u32::MAX - 2;

/// The place of a timer among a conversation's.
pub(super) fn conversation_timer(timer: TimerKind) -> usize {
    match timer {
        TimerKind::Open => 0,
        TimerKind::Turn => 1,
        TimerKind::Wait => 2,
        _ => 3,
    }
}

#[derive(Clone, Debug)]
pub struct Conversation {
    pub(super) phase: Phase,
    pub(super) live: bool,
    pub(super) dirty: bool,
    pub(super) turn: Turn,
    /// A person has answered the customer's last contact.
    pub(super) answered: bool,
    /// A person had it or wrote in it, ever.
    pub(super) touched: bool,
    pub(super) has_note: bool,
    /// A person has answered since it was opened, reopened or handed off.
    pub(super) responded: bool,
    /// That its owner is absent or silent has been told.
    pub(super) alarmed: bool,
    /// The open offer: by preference, and while the owner keeps it.
    pub(super) offer_preferred: bool,
    pub(super) offer_warm: bool,
    pub(super) priority: u8,
    /// Level of escalation.
    pub(super) level: u8,
    pub(super) park_reason: Reason,
    pub(super) workspace: u32,
    pub(super) channel: u32,
    pub(super) entry: u32,
    pub(super) tier: u32,
    pub(super) queue: u32,
    pub(super) set: u32,
    pub(super) rule: u32,
    pub(super) owner: u32,
    /// The owner before.
    pub(super) last_owner: u32,
    /// The owner's hold, and the offer's.
    pub(super) work: u32,
    pub(super) offer_hold: u32,
    pub(super) transfers: u32,
    pub(super) hash: u128,
    /// 0: none.
    pub(super) identity: u128,
    pub(super) customer: u128,
    /// The source of the event that opened it.
    pub(super) source: u128,
    /// Hash of `Texts::asked`; 0: none.
    pub(super) asked: u128,
    /// Sum of the notes' hashes.
    pub(super) notes: u128,
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) opened_at: u64,
    pub(super) arrival: u64,
    pub(super) queued_at: u64,
    /// How long it had waited when it was last assigned.
    pub(super) waited_ms: u64,
    pub(super) head_start_ms: u64,
    pub(super) resolved_at: u64,
    /// Id of the open offer; 0: none.
    pub(super) offer: u64,
    /// The first message, since it was opened or reopened.
    pub(super) began_at: u64,
    /// The oldest contact of the customer's that no person has answered; 0: none.
    pub(super) unanswered_since: u64,
    /// Both as they were before a person's last answer.
    pub(super) answered_before: (u64, bool),
    /// When the customer wrote last, on a channel with a reply window.
    pub(super) wrote_at: u64,
    /// Entries into queues so far.
    pub(super) entries: u32,
    /// Open, turn, wait, clock.
    pub(super) timers: [Deadline; 4],
    /// Derived: its lane, its place in the lane's heap; neighbours in the workspace's list by creation.
    pub(super) lane: u32,
    pub(super) place_in_line: u32,
    pub(super) older: u32,
    pub(super) newer: u32,
    /// Conversations of one identity: the index leads to the newest, these to those opened before and after.
    pub(super) older_alike: u32,
    pub(super) newer_alike: u32,
    pub(super) fingerprint: u128,
}

/// Kept beside the row, which stays small.
#[derive(Default, Clone)]
pub struct Texts {
    pub id: Box<str>,
    pub customer: Box<str>,
    /// Only of an entry that is not configured.
    pub entry: Box<str>,
    /// Skills that the event itself asked for.
    pub asked: Box<[SkillSlot]>,
    pub waiting: Waiting,
    /// By kind; empty before the first one starts.
    pub clocks: Vec<ClockRow>,
    pub notes: Vec<Note>,
    /// Ids and identities of conversations that were merged into it.
    pub aliases: Vec<u128>,
    pub identity_aliases: Vec<u128>,
}

impl Conversation {
    pub(super) fn free() -> Conversation {
        Conversation {
            phase: Phase::Free,
            live: false,
            dirty: false,
            turn: Turn::None,
            answered: false,
            touched: false,
            has_note: false,
            responded: false,
            alarmed: false,
            offer_preferred: false,
            offer_warm: false,
            priority: 0,
            level: 0,
            park_reason: Reason::None,
            workspace: NONE,
            channel: NONE,
            entry: NONE,
            tier: NONE,
            queue: NONE,
            set: NONE,
            rule: NONE,
            owner: NONE,
            last_owner: NONE,
            work: NONE,
            offer_hold: NONE,
            transfers: 0,
            hash: 0,
            identity: 0,
            customer: 0,
            source: 0,
            asked: 0,
            notes: 0,
            number: 0,
            epoch: 0,
            opened_at: 0,
            arrival: 0,
            queued_at: 0,
            waited_ms: 0,
            head_start_ms: 0,
            resolved_at: 0,
            offer: 0,
            began_at: 0,
            unanswered_since: 0,
            answered_before: (0, false),
            wrote_at: 0,
            entries: 0,
            timers: [Deadline::default(); 4],
            lane: NONE,
            place_in_line: NONE,
            older: NONE,
            newer: NONE,
            older_alike: NONE,
            newer_alike: NONE,
            fingerprint: 0,
        }
    }

    /// 0 for a free slot: it is not part of the state.
    pub(super) fn digest(&self, slot: u32, texts: &Texts, key: HashKey) -> u128 {
        if self.phase == Phase::Free {
            return 0;
        }
        let mut f = Fingerprint::new(key, 1);
        let pair = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
        let flags = [
            self.live,
            self.answered,
            self.touched,
            self.has_note,
            self.responded,
            self.alarmed,
            self.offer_preferred,
            self.offer_warm,
        ];
        let flags = flags.iter().fold(0u64, |bits, flag| bits << 1 | u64::from(*flag));
        f.word(u64::from(slot) << 24 | (self.phase as u64) << 16 | (self.turn as u64) << 8 | flags);
        f.word(u64::from(self.priority) << 16 | u64::from(self.level) << 8 | self.park_reason as u64);
        f.word(pair(self.workspace, self.channel));
        f.word(pair(self.entry, self.tier));
        f.word(pair(self.queue, self.set));
        f.word(pair(self.rule, self.owner));
        f.word(pair(self.last_owner, self.transfers));
        f.word(pair(self.work, self.offer_hold));
        f.wide(self.hash);
        f.wide(self.identity);
        f.wide(self.customer);
        f.wide(self.source);
        f.wide(self.asked);
        f.wide(self.notes);
        for word in [self.number, self.epoch, self.opened_at, self.arrival, self.queued_at, self.head_start_ms] {
            f.word(word);
        }
        f.word(self.resolved_at);
        f.word(self.waited_ms);
        f.word(self.offer);
        f.word(u64::from(self.entries) << 1 | u64::from(self.answered_before.1));
        for word in [self.began_at, self.unanswered_since, self.answered_before.0, self.wrote_at] {
            f.word(word);
        }
        for timer in &self.timers {
            f.word(timer.at);
            f.word(timer.arm);
        }
        if matches!(self.phase, Phase::Queued | Phase::Offered) {
            let w = &texts.waiting;
            let flags = u64::from(w.absent) << 2 | u64::from(w.ring) << 1 | u64::from(w.unclaimed);
            f.word(u64::from(w.class) << 16 | u64::from(w.step) << 8 | flags);
            f.word(pair(w.only, w.giver));
            f.word(u64::from(w.fallback) << 32 | w.declined.len() as u64);
            f.word(u64::from(w.skipped));
            for word in [w.step_head_start_ms, w.stage_ms, w.only_until, w.paused_until] {
                f.word(word);
            }
            w.declined.iter().for_each(|agent| f.word(u64::from(*agent)));
        }
        for clock in &texts.clocks {
            let state = (clock.status as u64) << 16 | u64::from(clock.fired);
            f.word(u64::from(clock.generation) << 32 | state);
            f.word(u64::from(clock.calendar));
            for word in [clock.started_at, clock.since, clock.counted_ms, clock.target_ms, clock.fired_at, clock.mark] {
                f.word(word);
            }
        }
        f.end()
    }

    /// A customer waits for an answer since then (0: he does not), and whether a person has answered since it came.
    pub(super) fn waits_since(&mut self, since: u64, responded: bool) {
        if since == 0 && self.unanswered_since != 0 {
            self.answered_before = (self.unanswered_since, self.responded);
        }
        (self.unanswered_since, self.responded) = (since, responded);
        // Whoever of ours answered: it is not missed.
        self.touched |= since == 0 && responded;
    }

    /// A timer that has no use any more is stopped with the effect that makes it so.
    pub(super) fn stop_timer(&mut self, timer: TimerKind) {
        let timer = &mut self.timers[conversation_timer(timer)];
        (timer.at, timer.arm) = (0, 0);
    }

    /// When a timer of it is due; 0: not armed.
    pub fn due_at(&self, timer: TimerKind) -> u64 {
        self.timers[conversation_timer(timer)].at
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }
    pub fn began_at(&self) -> u64 {
        self.began_at
    }
    pub fn unanswered_since(&self) -> u64 {
        self.unanswered_since
    }
    pub fn responded(&self) -> bool {
        self.responded
    }
    pub fn answered_before(&self) -> (u64, bool) {
        self.answered_before
    }
    pub fn wrote_at(&self) -> u64 {
        self.wrote_at
    }
    pub fn entries(&self) -> u32 {
        self.entries
    }
    pub fn word(&self) -> PhaseWord {
        match self.phase {
            Phase::Free | Phase::Resolved => PhaseWord::Resolved,
            Phase::Queued | Phase::Moving => PhaseWord::Queued,
            Phase::Assigned => PhaseWord::Assigned,
            Phase::InBot => PhaseWord::InBot,
            Phase::Offered => PhaseWord::Offered,
            Phase::Snoozed => PhaseWord::Snoozed,
            Phase::Parked => PhaseWord::Parked,
        }
    }
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Free | Phase::Resolved)
    }
    pub fn live(&self) -> bool {
        self.live
    }
    pub fn turn(&self) -> Turn {
        self.turn
    }
    pub fn answered(&self) -> bool {
        self.answered
    }
    pub fn touched(&self) -> bool {
        self.touched
    }
    pub fn has_note(&self) -> bool {
        self.has_note
    }
    pub fn alarmed(&self) -> bool {
        self.alarmed
    }
    pub fn priority(&self) -> u8 {
        self.priority
    }
    pub fn level(&self) -> u8 {
        self.level
    }
    pub fn park_reason(&self) -> Reason {
        self.park_reason
    }
    pub fn transfers(&self) -> u32 {
        self.transfers
    }
    pub fn workspace(&self) -> u32 {
        self.workspace
    }
    pub fn channel(&self) -> u32 {
        self.channel
    }
    pub fn entry(&self) -> u32 {
        self.entry
    }
    pub fn tier(&self) -> u32 {
        self.tier
    }
    pub fn queue(&self) -> u32 {
        self.queue
    }
    pub fn set(&self) -> u32 {
        self.set
    }
    pub fn lane(&self) -> u32 {
        self.lane
    }
    pub fn rule(&self) -> u32 {
        self.rule
    }
    pub fn owner(&self) -> Option<u32> {
        (self.owner != NONE).then_some(self.owner)
    }
    pub fn last_owner(&self) -> Option<u32> {
        (self.last_owner != NONE).then_some(self.last_owner)
    }
    pub fn work(&self) -> u32 {
        self.work
    }
    pub fn offer(&self) -> u64 {
        self.offer
    }
    pub fn offer_hold(&self) -> Option<u32> {
        (self.offer_hold != NONE).then_some(self.offer_hold)
    }
    pub fn is_offer_warm(&self) -> bool {
        self.offer_warm
    }
    pub fn hash(&self) -> u128 {
        self.hash
    }
    pub fn customer(&self) -> u128 {
        self.customer
    }
    pub fn source(&self) -> u128 {
        self.source
    }
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    pub fn number(&self) -> u64 {
        self.number
    }
    pub fn opened_at(&self) -> u64 {
        self.opened_at
    }
    pub fn arrival(&self) -> u64 {
        self.arrival
    }
    pub fn queued_at(&self) -> u64 {
        self.queued_at
    }
    pub fn waited_ms(&self) -> u64 {
        self.waited_ms
    }
    pub fn head_start_ms(&self) -> u64 {
        self.head_start_ms
    }
    pub fn resolved_at(&self) -> u64 {
        self.resolved_at
    }
}
