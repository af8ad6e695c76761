//! The fold: one decision after the other, as told, to the figures of a range of time. Pure: no clock, no IO.
//!
//! It follows each open conversation from its first decision on, since who waits and who has what when the range begins
//! was decided before, and counts what falls into the range. Whatever is about an entry into a queue belongs to the time of
//! the entry, everything else to its own time, credited to whom the decision credits: the rules of the reports over HTTP
//! (`workload::conversations`), by channel, tier and agent too and for any range. Those know the engine's state, this
//! knows decisions and the policies between them.

mod books;
mod lapses;
mod report;

use self::books::{Agent, Closings, Goal, Groups, Names, Shut, Top, WaitCounts};
use super::figures::{Chain, ClockTarget, Collision, ContextCase, Missed, Slow, SlowCounts, seconds};
use super::zone::Zone;
use crate::workload::context::Customers;
use crate::workload::conversations::{count_exit, is_way_out};
use crate::workload::words::{ContextLoss, Ended, Entry, Exit, Transfer};
use engine::decision::{AgentState, DecisionType, PhaseWord, Reason, Told, ToldAgent, ToldConversation};
use engine::id::{HashKey, Kind as IdKind};
use engine::policy::{ClockKind, Policy};
use load_tests::service_level::Counts;
use std::collections::{BTreeMap, HashMap};

/// Stations of a chain of hand-overs that are remembered.
pub const PATH_MAX: usize = 12;
/// Pieces of the timeline at most: a week by the hour is 168.
const PIECES_MAX: u64 = 192;
/// Widths that a timeline may have.
const PIECES_MS: [u64; 6] = [60_000, 300_000, 900_000, 3_600_000, 21_600_000, DAY_MS];
const DAY_MS: u64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Upper bounds of the distribution of waits: those of `strowger_queue_wait_seconds`.
const WAIT_BOUNDS_S: [u64; 15] = [1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1_800, 3_600, 14_400, 86_400];
const KINDS: usize = ClockKind::ALL.len();

/// From `from` to before `to`, ms UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

impl Range {
    pub fn contains(&self, at: u64) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// How much of a stretch of time lies in it, ms.
    fn part_of(&self, from: u64, to: u64) -> u64 {
        to.min(self.to).saturating_sub(from.max(self.from))
    }

    /// Width of the pieces of its timeline.
    fn piece_ms(&self) -> u64 {
        let length = self.to - self.from;
        PIECES_MS.into_iter().find(|piece| length.div_ceil(*piece) <= PIECES_MAX).unwrap_or(DAY_MS)
    }
}

/// Under which names something counts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spot {
    queue: u32,
    channel: u32,
    tier: u32,
}

/// One stay in a line, at the spot of its entry.
#[derive(Clone, Copy)]
struct Line {
    spot: Spot,
    entered_at: u64,
    queued_at: u64,
    service_level_ms: u64,
    /// Until then an abandon is a short one, and nobody is late.
    short_until: u64,
}

#[derive(Clone, Copy)]
enum Place {
    /// Between two stays, within one step.
    Coming(Entry),
    InBot,
    Line(Line),
    Held {
        since: u64,
        owner: u32,
    },
    /// Snoozed or parked, and nobody's.
    Aside,
}

/// An open conversation.
struct Open {
    spot: Spot,
    place: Place,
    is_offered: bool,
    customer: Option<u128>,
    /// Its first message, ms UTC; a reopening does not change it.
    first_at: u64,
    was_resolved: bool,
    /// A bot had it, and no person has answered since: what the hand-off began is no turn.
    from_bot: bool,
}

impl Open {
    fn line(&self) -> Option<Line> {
        match self.place {
            Place::Line(line) => Some(line),
            _ => None,
        }
    }

    /// What its next entry into a queue is for, where the decision does not say.
    fn coming(&self) -> Entry {
        match self.place {
            Place::Coming(entry) => entry,
            Place::InBot => Entry::Handoff,
            Place::Line(_) | Place::Held { .. } => Entry::Requeue,
            Place::Aside => Entry::Resume,
        }
    }
}

/// One that may be opened again.
struct Resolved {
    at: u64,
    spot: Spot,
    first_at: u64,
    /// Whether a person resolved it.
    counted: bool,
}

pub struct Review {
    range: Range,
    zone: Zone,
    piece_ms: u64,
    key: HashKey,
    all: Counts,
    queues: Groups,
    channels: Groups,
    tiers: Groups,
    agent_names: Names,
    agents: HashMap<u32, Agent>,
    /// By the local time at which they begin.
    pieces: BTreeMap<i64, Counts>,
    days: BTreeMap<i64, Counts>,
    queue_days: BTreeMap<(u32, i64), Counts>,
    entries_of_week: [[u64; 24]; 7],
    late_of_week: [[u64; 24]; 7],
    waits: HashMap<u32, WaitCounts>,
    open: HashMap<Box<str>, Open>,
    resolved: HashMap<Box<str>, Resolved>,
    customers: Customers,
    closings: HashMap<u32, Closings>,
    /// How long a queue that closed still serves who waits, as the present policy says.
    drains: HashMap<u32, u64>,
    /// Which abandons are short, by channel.
    shorts: HashMap<u32, u64>,
    policies: Vec<(u64, u64)>,
    goals: HashMap<u32, Goal>,
    clock_targets: Vec<ClockTarget>,
    /// Clocks that passed their target in the range and run still.
    breached: BTreeMap<(Box<str>, ClockKind), (u64, Slow)>,
    missed: Top<Missed>,
    slow: Top<Slow>,
    slow_by_clock: BTreeMap<&'static str, SlowCounts>,
    collisions: Top<Collision>,
    lost: [(BTreeMap<String, u64>, Top<ContextCase>); ContextLoss::COUNT],
    /// By queue, kind, and whether a note was with it.
    handovers: HashMap<u32, [[u64; 2]; Transfer::COUNT]>,
    chains: HashMap<Box<str>, Chain>,
    reopens: BTreeMap<String, u64>,
    escalations: BTreeMap<(String, &'static str, u64), u64>,
    turned_away: BTreeMap<(String, &'static str, &'static str), u64>,
}

/// A decision about a conversation.
#[derive(Clone, Copy)]
struct Telling<'a> {
    told: &'a Told,
    conversation: &'a ToldConversation,
    spot: Spot,
}

impl<'a> Telling<'a> {
    fn reason(&self) -> Reason {
        self.told.reason
    }

    fn time(&self) -> u64 {
        self.told.time
    }

    fn id(&self) -> Box<str> {
        self.conversation.id.clone()
    }

    fn agent(&self) -> Option<&'a ToldAgent> {
        self.told.agent.as_ref()
    }

    fn is_moving_on(&self) -> bool {
        matches!(self.told.decision_type, DecisionType::ConversationQueued | DecisionType::ConversationMerged)
    }
}

impl Review {
    /// `key` is the journal's: customers are remembered by their hashes.
    pub fn new(range: Range, zone: Zone, key: HashKey) -> Review {
        Review {
            range,
            zone,
            piece_ms: range.piece_ms(),
            key,
            all: Counts::default(),
            queues: Groups::default(),
            channels: Groups::default(),
            tiers: Groups::default(),
            agent_names: Names::default(),
            agents: HashMap::new(),
            pieces: BTreeMap::new(),
            days: BTreeMap::new(),
            queue_days: BTreeMap::new(),
            entries_of_week: Default::default(),
            late_of_week: Default::default(),
            waits: HashMap::new(),
            open: HashMap::new(),
            resolved: HashMap::new(),
            customers: Customers::default(),
            closings: HashMap::new(),
            drains: HashMap::new(),
            shorts: HashMap::new(),
            policies: Vec::new(),
            goals: HashMap::new(),
            clock_targets: Vec::new(),
            breached: BTreeMap::new(),
            missed: Top::default(),
            slow: Top::default(),
            slow_by_clock: BTreeMap::new(),
            collisions: Top::default(),
            lost: Default::default(),
            handovers: HashMap::new(),
            chains: HashMap::new(),
            reopens: BTreeMap::new(),
            escalations: BTreeMap::new(),
            turned_away: BTreeMap::new(),
        }
    }

    /// A policy came into force.
    pub fn configured(&mut self, policy: &Policy, at: u64) {
        self.drains.clear();
        self.shorts.clear();
        for channel in &policy.channels {
            let index = self.channels.names.at(&channel.name);
            self.shorts.insert(index, channel.short_abandon_ms);
        }
        for queue in &policy.queues {
            let index = self.queues.names.at(&queue.name);
            self.drains.insert(index, queue.drain_after_close_ms);
        }
        if at >= self.range.to {
            return;
        }
        if at <= self.range.from {
            self.policies.clear();
        }
        self.policies.push((policy.version, at));
        let goal = |queue: &engine::policy::Queue| Goal {
            permille: queue.service_level_goal_permille,
            service_level_ms: queue.service_level_ms,
        };
        self.goals = policy.queues.iter().map(|queue| (self.queues.names.at(&queue.name), goal(queue))).collect();
        self.clock_targets = policy.clocks.iter().flat_map(targets_of).collect();
    }

    /// Takes the next decision of the workspace.
    pub fn take(&mut self, told: &Told) {
        match (told.decision_type, &told.conversation) {
            (DecisionType::AgentChanged, _) => self.agent_changed(told),
            (DecisionType::QueueChanged, _) => self.queue_changed(told),
            (DecisionType::CustomerMerged, _) => self.customer_merged(told),
            (_, Some(conversation)) => self.take_conversation(told, conversation),
            _ => {}
        }
    }

    fn take_conversation(&mut self, told: &Told, conversation: &ToldConversation) {
        let spot = Spot {
            queue: self.queues.names.at(&conversation.queue),
            channel: self.channels.names.at(&conversation.channel),
            tier: self.tiers.names.at(&conversation.tier),
        };
        let telling = Telling { told, conversation, spot };
        match told.decision_type {
            DecisionType::ConversationOpened => self.opened(telling),
            DecisionType::ConversationReopened => self.reopened(telling),
            DecisionType::ConversationQueued => self.queued(telling),
            DecisionType::ConversationOffered => self.offered(telling),
            DecisionType::OfferWithdrawn => self.withdrawn(telling),
            DecisionType::ConversationAssigned => self.assigned(telling),
            DecisionType::ConversationUnassigned => self.unassigned(telling),
            DecisionType::ConversationTransferred => self.transferred(telling),
            DecisionType::ConversationSnoozed => self.snoozed(telling),
            DecisionType::ConversationWoken => self.woken(telling),
            DecisionType::ConversationParked => {
                let queue = self.sent_away(telling);
                self.turned_away(telling, queue, "parked");
            }
            DecisionType::ConversationDeflected => self.deflected(telling),
            DecisionType::ConversationResolved => self.resolved(telling),
            DecisionType::ConversationAbandoned => self.abandoned(telling),
            DecisionType::ConversationClosed => self.closed(telling),
            DecisionType::ConversationMerged => self.merged(telling),
            DecisionType::ConversationEscalated => self.escalated(telling),
            DecisionType::ReplyCollision => self.collided(telling),
            DecisionType::ClockBreached => self.clock_breached(telling),
            DecisionType::ClockCompleted => self.clock_completed(telling),
            DecisionType::ClockCancelled => self.clock_cancelled(telling),
            _ => self.waits_on(telling),
        }
    }

    /// Counts where something belongs, if its time is in the range.
    fn count(&mut self, spot: Spot, at: u64, change: impl Fn(&mut Counts)) {
        if !self.range.contains(at) {
            return;
        }
        let local = self.zone.local(at);
        let day = local.div_euclid(DAY_MS as i64) * DAY_MS as i64;
        let piece = local.div_euclid(self.piece_ms as i64) * self.piece_ms as i64;
        change(&mut self.all);
        change(self.queues.counts.entry(spot.queue).or_default());
        change(self.channels.counts.entry(spot.channel).or_default());
        change(self.tiers.counts.entry(spot.tier).or_default());
        change(self.pieces.entry(piece).or_default());
        change(self.days.entry(day).or_default());
        change(self.queue_days.entry((spot.queue, day)).or_default());
    }

    /// As `count`, of an agent.
    fn credit(&mut self, agent: u32, at: u64, change: impl FnOnce(&mut Agent)) {
        if self.range.contains(at) {
            change(self.agents.entry(agent).or_default());
        }
    }

    fn credit_told(&mut self, agent: Option<&ToldAgent>, at: u64, change: impl FnOnce(&mut Agent)) {
        if let Some(agent) = agent {
            let agent = self.agent_names.at(&agent.id);
            self.credit(agent, at, change);
        }
    }

    /// Its place in the heat maps: from Monday, and hour.
    fn hour_of_week(&self, at: u64) -> (usize, usize) {
        let local = self.zone.local(at);
        // 1970 began on a Thursday.
        let weekday = (local.div_euclid(DAY_MS as i64) + 3).rem_euclid(7);
        let hour = local.rem_euclid(DAY_MS as i64) / HOUR_MS;
        (weekday as usize, hour as usize)
    }

    fn enter(&mut self, spot: Spot, at: u64) {
        self.count(spot, at, |counts| counts.entries += 1);
        if self.range.contains(at) {
            let (weekday, hour) = self.hour_of_week(at);
            self.entries_of_week[weekday][hour] += 1;
        }
    }

    /// T passed for an entry.
    fn is_late(&mut self, spot: Spot, entered_at: u64) {
        self.count(spot, entered_at, |counts| counts.late += 1);
        if self.range.contains(entered_at) {
            let (weekday, hour) = self.hour_of_week(entered_at);
            self.late_of_week[weekday][hour] += 1;
        }
    }

    /// The open conversation of a decision. One that was never told of comes from nowhere.
    fn known(&mut self, telling: Telling<'_>) -> Open {
        self.open.remove(&telling.conversation.id).unwrap_or(Open {
            spot: telling.spot,
            place: Place::Coming(Entry::New),
            is_offered: false,
            customer: None,
            first_at: telling.conversation.arrival,
            was_resolved: false,
            from_bot: false,
        })
    }

    fn open_anew(&mut self, telling: Telling<'_>, place: Place) -> Option<u128> {
        let customer = self.customer(telling.told, &telling.conversation.customer);
        let before = self.resolved.remove(&telling.conversation.id);
        if let Some(before) = before.as_ref().filter(|before| before.counted) {
            let took_ms = before.at.saturating_sub(before.first_at);
            self.count(before.spot, before.at, |counts| counts.final_resolution.take_back(took_ms));
        }
        let open = Open {
            spot: telling.spot,
            place,
            is_offered: false,
            customer,
            first_at: before.as_ref().map_or(telling.conversation.arrival, |before| before.first_at),
            was_resolved: before.is_some_and(|before| before.counted),
            from_bot: matches!(place, Place::InBot),
        };
        self.open.insert(telling.id(), open);
        customer
    }

    fn customer(&self, told: &Told, id: &str) -> Option<u128> {
        (!id.is_empty()).then(|| self.key.hash(IdKind::Customer, &told.workspace, &[id]))
    }

    fn opened(&mut self, telling: Telling<'_>) {
        // One of the same id that was opened anew is another.
        self.resolved.remove(&telling.conversation.id);
        let in_bot = telling.conversation.state == PhaseWord::InBot;
        let place = if in_bot { Place::InBot } else { Place::Coming(Entry::New) };
        let customer = self.open_anew(telling, place);
        let again = customer.is_some_and(|customer| self.customers.opened(customer, telling.time()));
        if again && telling.reason() != Reason::Outbound {
            self.lost_context(telling, ContextLoss::RepeatContact, "");
        }
    }

    fn reopened(&mut self, telling: Telling<'_>) {
        let customer = self.open_anew(telling, Place::Coming(Entry::Reopen));
        customer.into_iter().for_each(|customer| self.customers.reopened(customer));
        if self.range.contains(telling.time()) {
            *self.reopens.entry(telling.conversation.queue.to_string()).or_default() += 1;
        }
    }

    fn queued(&mut self, telling: Telling<'_>) {
        let mut open = self.known(telling);
        let (was_in_line, coming) = (open.line().is_some(), open.coming());
        let entry = Entry::of(telling.reason()).unwrap_or(coming);
        self.leave(telling, &open, if entry == Entry::Overflow { Exit::Overflowed } else { Exit::Transferred });
        // It could not get into its queue, and is in this one instead. Which queue a transfer or a bot had meant is not told.
        if entry == Entry::Overflow && !was_in_line && !matches!(coming, Entry::Transfer | Entry::Handoff) {
            self.pass_by(telling, open.spot, Exit::Overflowed);
        }
        open.spot = telling.spot;
        open.place = Place::Line(self.line(telling));
        self.enter(telling.spot, telling.time());
        self.passes(telling, &format!("#{}", telling.conversation.queue));
        self.open.insert(telling.id(), open);
    }

    fn offered(&mut self, telling: Telling<'_>) {
        if let Some(open) = self.open.get_mut(&telling.conversation.id) {
            open.is_offered = true;
        }
        self.waits_on(telling);
    }

    fn withdrawn(&mut self, telling: Telling<'_>) {
        if let Some(open) = self.open.get_mut(&telling.conversation.id) {
            open.is_offered = false;
        }
        let reason = telling.reason();
        self.credit_told(telling.agent(), telling.time(), |agent| match reason {
            Reason::Declined => agent.offers.declined += 1,
            Reason::Expired => agent.offers.expired += 1,
            _ => agent.offers.withdrawn += 1,
        });
        self.waits_on(telling);
    }

    fn assigned(&mut self, telling: Telling<'_>) {
        let mut open = self.known(telling);
        let exit = match telling.reason() {
            Reason::Claim | Reason::Outbound => Exit::Claimed,
            _ => Exit::Answered,
        };
        self.leave(telling, &open, exit);
        open.is_offered = false;
        let owner = self.agent_names.at(&telling.conversation.owner);
        let accepted = telling.reason() == Reason::Accepted;
        self.credit(owner, telling.time(), |agent| {
            agent.assigned += 1;
            agent.offers.accepted += u64::from(accepted);
        });
        // Its queue may be another than that where it waited.
        open.spot = telling.spot;
        open.place = Place::Held { since: telling.time(), owner };
        self.passes(telling, &telling.conversation.owner);
        self.open.insert(telling.id(), open);
    }

    fn unassigned(&mut self, telling: Telling<'_>) {
        match telling.reason() {
            // Given back to its own queue: a transfer to nobody in particular.
            Reason::Released => self.handed_over(telling, Transfer::Release),
            Reason::OwnerLost | Reason::OwnerOffline | Reason::OwnerAbsent => {
                let owner = self.giver(telling);
                self.lost_context(telling, ContextLoss::OwnerLeft, &owner);
                self.comes_from_owner(telling, Entry::Requeue);
            }
            _ => self.comes_from_owner(telling, Entry::Requeue),
        }
    }

    fn transferred(&mut self, telling: Telling<'_>) {
        // The taker of a warm one was asked before its owner let go.
        let is_warm = self.open.get(&telling.conversation.id).is_some_and(|open| open.is_offered);
        self.handed_over(telling, if is_warm { Transfer::Warm } else { Transfer::Blind });
    }

    /// Its owner, if it has one, lets go; what follows says where it goes.
    fn comes_from_owner(&mut self, telling: Telling<'_>, coming: Entry) {
        let Some(mut open) = self.open.remove(&telling.conversation.id) else { return };
        if open.line().is_none() {
            self.leave(telling, &open, Exit::Transferred);
            open.place = Place::Coming(coming);
        }
        self.open.insert(telling.id(), open);
    }

    fn snoozed(&mut self, telling: Telling<'_>) {
        let Some(mut open) = self.open.remove(&telling.conversation.id) else { return };
        if !matches!(open.place, Place::Held { .. }) {
            self.leave(telling, &open, Exit::Transferred);
            open.place = Place::Aside;
        }
        self.open.insert(telling.id(), open);
    }

    fn woken(&mut self, telling: Telling<'_>) {
        if let Some(open) = self.open.get_mut(&telling.conversation.id)
            && matches!(open.place, Place::Aside)
        {
            open.place = Place::Coming(Entry::Resume);
        }
    }

    /// By a way out: out of its line, or at the door of the queue that it came to. Says which queue that was.
    fn sent_away(&mut self, telling: Telling<'_>) -> u32 {
        let mut open = self.known(telling);
        let line = open.line();
        self.leave(telling, &open, Exit::Deflected);
        open.place = Place::Aside;
        if line.is_none() {
            open.spot = telling.spot;
            self.pass_by(telling, telling.spot, Exit::Deflected);
        }
        let queue = line.map_or(open.spot.queue, |line| line.spot.queue);
        self.open.insert(telling.id(), open);
        queue
    }

    fn deflected(&mut self, telling: Telling<'_>) {
        let queue = self.sent_away(telling);
        self.turned_away(telling, queue, "deflected");
        self.remove(&telling.conversation.id, telling.time());
    }

    /// Its matter is over for its customer, and it is nobody's any more.
    fn remove(&mut self, id: &str, now: u64) -> Option<Open> {
        let open = self.open.remove(id)?;
        open.customer.into_iter().for_each(|customer| self.customers.ended(customer, now));
        Some(open)
    }

    fn resolved(&mut self, telling: Telling<'_>) {
        let at = telling.time();
        let Some(open) = self.remove(&telling.conversation.id, at) else { return };
        self.leave(telling, &open, Exit::Closed);
        let ended = Ended::of(true, telling.reason());
        self.ended(telling, &open, ended);
        if let Place::Held { owner, .. } = open.place {
            self.credit(owner, at, |agent| agent.resolved += 1);
        }
        let counted = ended == Ended::Resolved;
        let took_ms = at.saturating_sub(open.first_at);
        if counted {
            self.count(open.spot, at, |counts| {
                counts.final_resolution.add(took_ms);
                if !open.was_resolved {
                    counts.first_resolution.add(took_ms);
                }
            });
        }
        // An async one stays until its reopen window has passed.
        if !telling.conversation.live {
            let resolved = Resolved { at, spot: open.spot, first_at: open.first_at, counted };
            self.resolved.insert(telling.id(), resolved);
        }
    }

    fn abandoned(&mut self, telling: Telling<'_>) {
        let exit = if telling.reason() == Reason::ShortAbandoned { Exit::ShortAbandoned } else { Exit::Abandoned };
        if let Some(open) = self.remove(&telling.conversation.id, telling.time()) {
            self.leave(telling, &open, exit);
        }
    }

    fn closed(&mut self, telling: Telling<'_>) {
        self.resolved.remove(&telling.conversation.id);
        // One that was resolved before ended then.
        let Some(open) = self.open.get(&telling.conversation.id) else { return };
        let reason = telling.reason();
        let at_the_door = match open.place {
            Place::Coming(_) => true,
            Place::InBot | Place::Aside => is_way_out(reason),
            Place::Line(_) | Place::Held { .. } => false,
        };
        let mut queue = open.spot.queue;
        if at_the_door {
            queue = self.sent_away(telling);
        }
        if at_the_door || is_way_out(reason) {
            self.turned_away(telling, queue, "closed");
        }
        if let Some(open) = self.remove(&telling.conversation.id, telling.time()) {
            self.leave(telling, &open, Exit::Closed);
            self.ended(telling, &open, Ended::of(false, reason));
        }
    }

    /// Told about the survivor; the other one leaves.
    fn merged(&mut self, telling: Telling<'_>) {
        let other = telling.told.detail.as_ref().map_or("", |detail| &*detail.other);
        self.resolved.remove(other);
        for kind in ClockKind::ALL {
            self.breached.remove(&(other.into(), *kind));
        }
        if let Some(gone) = self.remove(other, telling.time()) {
            self.leave(telling, &gone, Exit::Closed);
            if let Some(survivor) = self.open.get_mut(&telling.conversation.id) {
                survivor.first_at = survivor.first_at.min(gone.first_at);
            }
        }
        self.waits_on(telling);
    }

    /// A stay that begins with this decision.
    fn line(&self, telling: Telling<'_>) -> Line {
        let ToldConversation { queued_at, service_level_ms, arrival, live, .. } = *telling.conversation;
        let short_ms = self.shorts.get(&telling.spot.channel).filter(|_| live).copied().unwrap_or(0);
        let short_until = arrival.saturating_add(short_ms);
        Line { spot: telling.spot, entered_at: telling.time(), queued_at, service_level_ms, short_until }
    }

    /// One that waits is judged by what is told of it last.
    fn waits_on(&mut self, telling: Telling<'_>) {
        if let Some(open) = self.open.get_mut(&telling.conversation.id)
            && let Place::Line(line) = &mut open.place
            && line.spot.queue == telling.spot.queue
            && matches!(telling.conversation.state, PhaseWord::Queued | PhaseWord::Offered)
        {
            line.queued_at = telling.conversation.queued_at;
            line.service_level_ms = telling.conversation.service_level_ms;
        }
    }

    /// Ends its stay in a line by this exit, or in somebody's hands.
    fn leave(&mut self, telling: Telling<'_>, open: &Open, exit: Exit) {
        match open.place {
            Place::Line(line) => self.leaves_line(telling, line, exit),
            Place::Held { since, owner } => {
                let (now, held_ms) = (telling.time(), telling.time().saturating_sub(since));
                self.count(open.spot, now, |counts| {
                    counts.handled += 1;
                    counts.work_ms += held_ms;
                });
                self.credit(owner, now, |agent| {
                    agent.handled += 1;
                    agent.work_ms += held_ms;
                });
            }
            Place::Coming(_) | Place::InBot | Place::Aside => {}
        }
    }

    fn leaves_line(&mut self, telling: Telling<'_>, line: Line, exit: Exit) {
        let (queued_at, service_level_ms) = if telling.is_moving_on() {
            (line.queued_at, line.service_level_ms)
        } else {
            // A closed queue moves the start of those who wait without a word: the decision says it.
            (telling.conversation.queued_at, telling.conversation.service_level_ms)
        };
        let waited_ms = self.waited_ms(line.spot.queue, queued_at, telling.time());
        let late = waited_ms > service_level_ms && exit != Exit::ShortAbandoned;
        let is_answer = matches!(exit, Exit::Answered | Exit::Claimed);
        if late {
            self.is_late(line.spot, line.entered_at);
        }
        self.count(line.spot, line.entered_at, |counts| {
            count_exit(counts, exit, late);
            if is_answer {
                counts.answered_wait_ms += waited_ms;
            }
        });
        if !self.range.contains(line.entered_at) {
            return;
        }
        let waits = self.waits.entry(line.spot.queue).or_default();
        let piece = WAIT_BOUNDS_S.partition_point(|bound| bound * 1_000 < waited_ms);
        match exit {
            Exit::Answered | Exit::Claimed => waits.answered[piece] += 1,
            Exit::Abandoned | Exit::ShortAbandoned => waits.abandoned[piece] += 1,
            _ => {}
        }
        if is_answer {
            let owner = self.agent_names.at(&telling.conversation.owner);
            self.credit(owner, line.entered_at, |agent| match late {
                true => agent.answered_late += 1,
                false => agent.answered_in_time += 1,
            });
        }
    }

    /// How long somebody has waited in a queue by `now`, its closed time left out, ms.
    fn waited_ms(&self, queue: u32, queued_at: u64, now: u64) -> u64 {
        let until = self.stands_since(queue, now).map_or(now, |since| since.max(queued_at));
        until.saturating_sub(queued_at)
    }

    /// Since when a queue's time stands still; none: it does not.
    fn stands_since(&self, queue: u32, now: u64) -> Option<u64> {
        let shut = self.closings.get(&queue)?.now?;
        let drain_ms = if shut.by_emergency { 0 } else { self.drains.get(&queue).copied().unwrap_or(0) };
        Some(shut.since + drain_ms).filter(|since| *since <= now)
    }

    /// Came to a queue's door and was sent on in one moment.
    fn pass_by(&mut self, telling: Telling<'_>, spot: Spot, exit: Exit) {
        self.enter(spot, telling.time());
        self.count(spot, telling.time(), |counts| count_exit(counts, exit, false));
    }

    fn agent_changed(&mut self, told: &Told) {
        let Some(changed) = &told.agent else { return };
        let at = self.agent_names.at(&changed.id);
        let range = self.range;
        let agent = self.agents.entry(at).or_default();
        agent.team.clone_from(&changed.team);
        if let Some(since) = agent.online_since.take() {
            agent.online_ms += range.part_of(since, told.time);
        }
        let is_online = !matches!(
            changed.state,
            AgentState::Offline | AgentState::Away | AgentState::Removed | AgentState::OffShift
        );
        agent.online_since = is_online.then_some(told.time);
    }

    fn queue_changed(&mut self, told: &Told) {
        let Some(detail) = &told.detail else { return };
        let (queue, range, now) = (self.queues.names.at(&detail.other), self.range, told.time);
        if let Some(stood_since) = self.stands_since(queue, now).filter(|_| told.reason == Reason::Opened) {
            let lines = self.open.values_mut().filter_map(|open| match &mut open.place {
                Place::Line(line) if line.spot.queue == queue => Some(line),
                _ => None,
            });
            for line in lines {
                line.queued_at += now - stood_since.max(line.queued_at).min(now);
            }
        }
        let closings = self.closings.entry(queue).or_default();
        let before = closings.now.take();
        if let Some(before) = before {
            closings.count(before, range, now);
        }
        if told.reason != Reason::Opened {
            closings.closings += u64::from(before.is_none() && range.contains(now));
            closings.now = Some(Shut { since: now, by_emergency: told.reason == Reason::Emergency });
        }
    }
}

fn targets_of(clock: &engine::policy::Clock) -> Vec<ClockTarget> {
    let special = clock.targets.iter().map(|target| ClockTarget {
        clock: clock.kind.word(),
        queue: some(&target.queue),
        tier: some(&target.tier),
        channel: some(&target.channel),
        target_s: seconds(target.target_ms),
    });
    let usual = (clock.target_ms > 0).then(|| ClockTarget {
        clock: clock.kind.word(),
        target_s: seconds(clock.target_ms),
        ..ClockTarget::default()
    });
    special.chain(usual).collect()
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

#[cfg(test)]
mod tests;
