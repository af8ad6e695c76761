//! Who does what when: the customers, the agents and the bots of a workload, on the engine's time axis.
//!
//! At one instant come deeds of agents and bots, then lines in file order, then customers who leave or write again.
//! `Player` knows no engine and no clock: its caller takes what is due (`take_due`), sends it, and shows it the decisions
//! (`see`). An agent works `handle_s` from the assignment's engine time, then resolves; on live channels a customer whose
//! patience ends before the first assignment leaves. An agent who goes offline finishes what he has, and one who holds
//! several conversations works on each as if it were the only one.
//!
//! What more a conversation does is its `course`. A bot hands it over; an agent accepts what he is offered, or by chance
//! declines it or lets it run out; messages go back and forth; it is transferred once, reopened once; its wrap-up is
//! completed. What is planned belongs to a *chapter* of the conversation: each assignment, offer and end begins the next
//! one, and what was planned in an earlier is void.

use crate::course::Course;
use crate::names::{NONE, Names};
use crate::seen::{Seen, SeenConversation};
use crate::service_level::Counts as Service;
use crate::workload::{Arrival, Line, Workload};
use engine::decision::DecisionType;
use engine::input::Status;
use engine::policy::{Policy, WrapUp, WrapUpMode};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// So often may one conversation be declined or missed: then it is accepted, so that every run comes to its end.
const REFUSALS_MAX: u32 = 20;

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stage {
    /// Its instant has not come.
    #[default]
    Ahead,
    /// A bot has it.
    InBot,
    /// Sent, and waiting as far as we know.
    Waiting,
    Working,
    /// Answered and resolved.
    Answered,
    Abandoned,
    /// Ended in the queue by somebody other than its customer.
    Deflected,
}

/// One arrival and what came of it. A conversation of any channel is called a call here: it is shorter.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Index of its line.
    pub line: u32,
    pub live: bool,
    pub stage: Stage,
    /// Engine time at which it is due, ms.
    pub arrival: u64,
    pub queue: u32,
    pub tier: u32,
    /// Who answered it first.
    pub agent: u32,
    /// Who holds it now.
    holder: u32,
    units: u32,
    /// Arrival, or a bot's hand-over, to assignment or leaving.
    pub wait_ms: Option<u64>,
    /// Not assigned in the step that applied its arrival, or its hand-over.
    pub waited: bool,
    /// Engine time of its arrival or hand-over.
    pub waits_since: u64,
    /// Engine time of its queueing, for assignments by a tick of the same instant.
    queued_at: u64,
    /// Engine time at which its customer leaves if nobody has answered. MAX: he does not.
    leaves: u64,
    /// Counts assignments, offers and ends.
    chapter: u32,
    /// Deeds after its arrival, for their ids.
    deeds: u32,
    /// Offers of it that were declined or missed.
    refusals: u32,
    turns_done: u32,
    transferred: bool,
    reopened: bool,
    /// It has been offered since it began to wait.
    ringing: bool,
    /// Its entry into the queue that it waits in.
    entry: Option<Entry>,
    /// Since when its holder has it, and of which queue it was then.
    held_since: u64,
    held_queue: u32,
    /// Engine time of its customer's oldest message that nobody has answered; 0: none.
    turn_since: u64,
}

/// One entry into a queue, for its service level.
#[derive(Clone, Copy, Debug)]
struct Entry {
    queue: u32,
    queued_at: u64,
    service_level_ms: u64,
}

/// How an entry ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exit {
    Answered,
    Abandoned,
    ShortAbandoned,
    Deflected,
    Overflowed,
    Transferred,
    Closed,
}

/// An agent as the decisions show him.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    pub online: bool,
    pub units: u32,
    pub used: u32,
    since: u64,
    pub online_unit_ms: u64,
    pub held_unit_ms: u64,
    /// The last status that was sent for him.
    pub sent: Option<Status>,
}

/// What is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// An agent's last status before the beginning (index into `Workload::opening`).
    Opening {
        index: u32,
    },
    /// A line of presence (index of the line).
    Presence {
        line: u32,
    },
    Arrive {
        call: u32,
    },
    /// What an agent, a bot or a customer does about a call after its arrival.
    Call {
        call: u32,
        /// Of an agent's deeds; else NONE.
        agent: u32,
        step: Step,
        /// Which of the call's deeds after its arrival it is, from 0.
        number: u32,
    },
}

/// In the order in which they come at one instant where they were planned at one instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    Handoff,
    Accept {
        offer: u64,
    },
    Decline {
        offer: u64,
    },
    Reply,
    Transfer,
    Resolve,
    CompleteWrapUp,
    /// The customer's next message; after the end it opens the conversation anew.
    Write,
    Leave,
}

impl Step {
    /// Its part of an event's id.
    pub fn word(self) -> &'static str {
        match self {
            Step::Handoff => HANDOFF,
            Step::Accept { .. } => "accept",
            Step::Decline { .. } => "decline",
            Step::Reply => "reply",
            Step::Transfer => "transfer",
            Step::Resolve => "resolve",
            Step::CompleteWrapUp => "wrapup",
            Step::Write => "write",
            Step::Leave => "leave",
        }
    }

    fn class(self) -> u8 {
        if matches!(self, Step::Write | Step::Leave) { CLASS_CUSTOMER } else { CLASS_WORK }
    }
}

/// A deed at its engine time, ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Act {
    pub at: u64,
    pub deed: Deed,
}

/// How often the engine told what only some workloads and workspaces bring about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub offers: u64,
    pub accepted: u64,
    pub declined: u64,
    /// Offers that ran out.
    pub expired: u64,
    /// By bots, and by their time running out.
    pub handoffs: u64,
    pub transfers: u64,
    pub reopened: u64,
}

/// How the workload's instants lie on the engine's axis: `engine` + (t - `workload`) x `stretch`.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    pub workload: u64,
    pub engine: u64,
    /// Engine seconds in a second of the workload: the engine's scale / the player's speed. 1 everywhere but in load tests
    /// whose waits mean nothing.
    pub stretch: f64,
}

impl Axis {
    pub fn engine_of(&self, workload_ms: u64) -> u64 {
        if workload_ms >= self.workload {
            self.engine + self.stretched(workload_ms - self.workload)
        } else {
            self.engine.saturating_sub(self.stretched(self.workload - workload_ms))
        }
    }

    pub fn stretched(&self, duration_ms: u64) -> u64 {
        if self.stretch == 1.0 { duration_ms } else { (duration_ms as f64 * self.stretch).round() as u64 }
    }
}

/// The kind of an arrival's event in its id, and that of a hand-over.
pub const ARRIVAL: &str = "arrival";
const HANDOFF: &str = "handoff";

const CLASS_WORK: u8 = 0;
const CLASS_LINE: u8 = 1;
const CLASS_CUSTOMER: u8 = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: u64,
    class: u8,
    order: u64,
    call: u32,
    chapter: u32,
    agent: u32,
    step: Step,
}

/// Something about this call will be due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    pub call: u32,
    /// Engine ms.
    pub at: u64,
}

pub struct Player<'w> {
    workload: &'w Workload,
    axis: Axis,
    /// Put before each conversation's id: a replay's run. Empty in the simulator.
    prefix: String,
    pub calls: Vec<Call>,
    /// Call of each line; NONE for presence.
    call_of_line: Vec<u32>,
    by_id: HashMap<Box<str>, u32>,
    pub queues: Names,
    pub tiers: Names,
    pub agent_names: Names,
    pub agents: Vec<Agent>,
    due: BinaryHeap<Reverse<Due>>,
    next_opening: usize,
    next_line: usize,
    /// Steps planned so far.
    planned: u64,
    /// What the decision being taken in has brought about.
    newest: Option<Planned>,
    chance: ChaCha12Rng,
    pub counts: Counts,
    /// Calls that wait and have been offered: the engine may offer them again by its own clock.
    ringing: u32,
    /// Occupancy counts between these engine times: first to last line.
    window: (u64, u64),
    pub last_time: u64,
    /// By queue and by tier: what the service level and its rates are made of.
    pub service: Vec<Service>,
    pub service_of_tier: Vec<Service>,
    /// Wrap-ups by channel, and of queues that have their own.
    wrap_ups: HashMap<Box<str>, WrapUp>,
    wrap_ups_of_queues: HashMap<Box<str>, WrapUp>,
    /// (code, event type) -> how often.
    pub refused: BTreeMap<(Box<str>, Box<str>), u64>,
}

impl<'w> Player<'w> {
    /// `live` says of each channel whether its customers are there while they wait; `seed` is that of all chance.
    pub fn new(workload: &'w Workload, axis: Axis, prefix: &str, seed: u64, live: &dyn Fn(&str) -> bool) -> Player<'w> {
        let mut player = Player {
            workload,
            axis,
            prefix: prefix.to_owned(),
            calls: Vec::new(),
            call_of_line: Vec::with_capacity(workload.lines.len()),
            by_id: HashMap::new(),
            queues: Names::default(),
            tiers: Names::default(),
            agent_names: Names::default(),
            agents: Vec::new(),
            due: BinaryHeap::new(),
            next_opening: 0,
            next_line: 0,
            planned: 0,
            newest: None,
            chance: ChaCha12Rng::seed_from_u64(seed),
            counts: Counts::default(),
            ringing: 0,
            window: (axis.engine_of(workload.begins), axis.engine_of(workload.ends)),
            last_time: 0,
            service: Vec::new(),
            service_of_tier: Vec::new(),
            wrap_ups: HashMap::new(),
            wrap_ups_of_queues: HashMap::new(),
            refused: BTreeMap::new(),
        };
        for (index, line) in workload.lines.iter().enumerate() {
            let Line::Arrival(arrival) = line else {
                player.call_of_line.push(NONE);
                continue;
            };
            let number = player.calls.len() as u32;
            player.call_of_line.push(number);
            player.by_id.insert(player.conversation_id(arrival).into_boxed_str(), number);
            let tier = arrival.tier.as_deref().map_or(NONE, |tier| player.tiers.number(tier));
            player.calls.push(Call {
                line: index as u32,
                live: live(&arrival.channel),
                arrival: axis.engine_of(arrival.at),
                leaves: u64::MAX,
                queue: NONE,
                tier,
                agent: NONE,
                holder: NONE,
                held_queue: NONE,
                ..Call::default()
            });
        }
        player
    }

    /// Handling time has wrap-up in it as far as the policy says how long it takes: no decision tells its end.
    pub fn knows_wrap_ups(&mut self, policy: &Policy) {
        self.wrap_ups = policy.channels.iter().map(|channel| (channel.name.clone(), channel.wrap_up)).collect();
        let own = policy.queues.iter().filter_map(|queue| Some((queue.name.clone(), queue.wrap_up?)));
        self.wrap_ups_of_queues = own.collect();
    }

    pub fn workload(&self) -> &'w Workload {
        self.workload
    }

    pub fn arrival(&self, call: u32) -> &'w Arrival {
        match &self.workload.lines[self.calls[call as usize].line as usize] {
            Line::Arrival(arrival) => arrival,
            Line::Presence(_) => unreachable!("a call's line is an arrival"),
        }
    }

    /// The id under which the engine knows an arrival's conversation.
    pub fn conversation_id(&self, arrival: &Arrival) -> String {
        format!("{}{}", self.prefix, arrival.conversation)
    }

    /// The id of an event about a call. Each kind of event has a part of its own after the run's prefix, so that no
    /// conversation's name makes one event's id another's.
    pub fn event_id(&self, kind: &str, arrival: &Arrival) -> String {
        format!("{}{kind}/{}", self.prefix, arrival.conversation)
    }

    /// The id of the event of a step, its call's `number`th.
    pub fn step_id(&self, step: Step, number: u32, arrival: &Arrival) -> String {
        match number {
            0 => self.event_id(step.word(), arrival),
            _ => self.event_id(&format!("{}.{number}", step.word()), arrival),
        }
    }

    /// Whether `cause` is the id of the event with which this conversation came to its queue.
    fn is_arrival(&self, cause: &str, conversation: &str) -> bool {
        let own = |id| str::strip_prefix(id, &*self.prefix);
        let of = |kind| own(cause).and_then(|rest| rest.strip_prefix(kind)?.strip_prefix('/')) == own(conversation);
        of(ARRIVAL) || of(HANDOFF)
    }

    pub fn lines_played(&self) -> usize {
        self.next_line
    }

    /// The engine may go on with a call by its own clock: what somebody let run out goes to the next.
    pub fn awaits_offers(&self) -> bool {
        self.ringing > 0
    }

    /// The call of a conversation of this run.
    pub fn call_named(&self, conversation: &str) -> Option<u32> {
        self.by_id.get(conversation).copied()
    }

    /// When the next deed is due, engine ms. None: nothing will happen any more unless a decision comes.
    pub fn next_due(&mut self) -> Option<u64> {
        if self.next_opening < self.workload.opening.len() {
            return Some(self.axis.engine_of(self.workload.begins));
        }
        self.drop_void();
        let due = self.due.peek().map(|Reverse(due)| due.at);
        let line = self.next_line().map(|(at, _)| at);
        match (due, line) {
            (Some(due), Some(line)) => Some(due.min(line)),
            (due, line) => due.or(line),
        }
    }

    /// The first deed due at or before `now`.
    pub fn take_due(&mut self, now: u64) -> Option<Act> {
        let at = self.next_due().filter(|at| *at <= now)?;
        if self.next_opening < self.workload.opening.len() {
            return Some(self.take_opening(at));
        }
        let from_heap = match (self.due.peek(), self.next_line()) {
            (Some(Reverse(due)), Some((line_at, _))) => (due.at, due.class) < (line_at, CLASS_LINE),
            (due, _) => due.is_some(),
        };
        Some(if from_heap { self.take_planned() } else { self.take_line(at) })
    }

    fn next_line(&self) -> Option<(u64, &'w Line)> {
        self.workload.lines.get(self.next_line).map(|line| (self.axis.engine_of(line.at()), line))
    }

    /// What belongs to an earlier chapter, and leavings of those answered meanwhile.
    fn drop_void(&mut self) {
        while let Some(Reverse(due)) = self.due.peek() {
            let call = &self.calls[due.call as usize];
            let valid = match due.step {
                Step::Leave => call.stage == Stage::Waiting && call.leaves == due.at,
                Step::Handoff => call.stage == Stage::InBot,
                Step::CompleteWrapUp => true,
                _ => call.chapter == due.chapter,
            };
            if valid {
                return;
            }
            self.due.pop();
        }
    }

    fn plan(&mut self, call: u32, at: u64, agent: u32, step: Step) {
        let chapter = self.calls[call as usize].chapter;
        let order = self.planned;
        self.planned += 1;
        self.newest = Some(Planned { call, at });
        self.due.push(Reverse(Due { at, class: step.class(), order, call, chapter, agent, step }));
    }

    fn take_opening(&mut self, at: u64) -> Act {
        let index = self.next_opening;
        self.next_opening += 1;
        let opening = &self.workload.opening[index];
        self.note_sent(&opening.agent, opening.status);
        Act { at, deed: Deed::Opening { index: index as u32 } }
    }

    fn take_planned(&mut self) -> Act {
        let Reverse(Due { at, call, agent, step, .. }) = self.due.pop().expect("looked at before");
        self.follow(call, at, agent, step);
        let own = &mut self.calls[call as usize];
        let number = own.deeds;
        own.deeds += 1;
        Act { at, deed: Deed::Call { call, agent, step, number } }
    }

    /// Plans what the same people do next with a call of which a step is being taken.
    fn follow(&mut self, call: u32, at: u64, agent: u32, step: Step) {
        let arrival = self.arrival(call);
        self.turns(call, at, step);
        let done = self.calls[call as usize].turns_done;
        let next = arrival.course().turns.get(done as usize).copied();
        match (step, next) {
            (Step::Reply, Some(turn)) => {
                self.plan(call, at + self.axis.stretched(turn.customer_ms), agent, Step::Write);
            }
            (Step::Reply, None) => self.plan(call, at, agent, Step::Resolve),
            // A message after the end has no agent: whoever gets it plans anew.
            (Step::Write, Some(turn)) if agent != NONE => {
                self.calls[call as usize].turns_done += 1;
                self.plan(call, at + self.axis.stretched(turn.agent_ms), agent, Step::Reply);
            }
            (Step::Transfer, _) => {
                // Void as soon as the transfer is told; a refused one leaves the work where it is.
                self.calls[call as usize].transferred = true;
                self.plan_work(call, at, agent);
            }
            _ => {}
        }
    }

    /// A turn runs from the customer's oldest unanswered message to the next reply. A resolve without one ends it.
    fn turns(&mut self, call: u32, at: u64, step: Step) {
        let own = &mut self.calls[call as usize];
        match step {
            Step::Write if own.turn_since == 0 => own.turn_since = at,
            Step::Resolve => own.turn_since = 0,
            Step::Reply if own.turn_since != 0 => {
                let took_ms = at.saturating_sub(std::mem::take(&mut own.turn_since));
                let queue = own.held_queue;
                self.serve(call, queue, |service| service.turns.add(took_ms));
            }
            _ => {}
        }
    }

    /// Changes the counts of a queue, and those of the call's tier.
    fn serve(&mut self, call: u32, queue: u32, change: impl Fn(&mut Service)) {
        let tier = self.calls[call as usize].tier;
        for (services, number) in [(&mut self.service, queue), (&mut self.service_of_tier, tier)] {
            if number == NONE {
                continue;
            }
            if services.len() <= number as usize {
                services.resize(number as usize + 1, Service::default());
            }
            change(&mut services[number as usize]);
        }
    }

    /// A call comes into a queue.
    fn enters(&mut self, number: u32, seen: &Seen<'_>, conversation: &SeenConversation<'_>) {
        let overflows = matches!(seen.reason, "overflow" | "full" | "max_wait");
        self.exits(number, seen, conversation, if overflows { Exit::Overflowed } else { Exit::Transferred });
        let queue = self.queues.number(conversation.queue);
        let (queued_at, service_level_ms) = (conversation.queued_at, conversation.service_level_ms);
        self.calls[number as usize].entry = Some(Entry { queue, queued_at, service_level_ms });
        self.serve(number, queue, |service| service.entries += 1);
    }

    /// Its entry, if it waits, is over and judged. A closed queue's time does not count: the decision says from when on it
    /// does, unless that is about the next queue already.
    fn exits(&mut self, number: u32, seen: &Seen<'_>, conversation: &SeenConversation<'_>, exit: Exit) {
        let Some(entry) = self.calls[number as usize].entry.take() else { return };
        let moved_on = seen.decision_type == DecisionType::ConversationQueued;
        let queued_at = if moved_on { entry.queued_at } else { conversation.queued_at.max(entry.queued_at) };
        let wait_ms = seen.time.saturating_sub(queued_at);
        let late = wait_ms > entry.service_level_ms;
        self.serve(number, entry.queue, |service| {
            service.late += u64::from(late && exit != Exit::ShortAbandoned);
            let counter = match (exit, late) {
                (Exit::Answered, false) => &mut service.answered_in_time,
                (Exit::Answered, true) => &mut service.answered_late,
                (Exit::Abandoned, false) => &mut service.abandoned_in_time,
                (Exit::Abandoned, true) => &mut service.abandoned_late,
                (Exit::ShortAbandoned, _) => &mut service.excluded.short_abandoned,
                (_, true) => return,
                (Exit::Deflected, _) => &mut service.excluded.deflected,
                (Exit::Overflowed, _) => &mut service.excluded.overflowed,
                (Exit::Transferred, _) => &mut service.excluded.transferred,
                (Exit::Closed, _) => &mut service.excluded.closed,
            };
            *counter += 1;
            service.answered_wait_ms += if exit == Exit::Answered { wait_ms } else { 0 };
        });
    }

    /// How long whoever held a call at its end wraps up.
    fn wrap_up_ms(&self, number: u32, queue: &str) -> u64 {
        let arrival = self.arrival(number);
        let of_queue = self.wrap_ups_of_queues.get(queue);
        let Some(wrap_up) = of_queue.or_else(|| self.wrap_ups.get(&*arrival.channel)) else { return 0 };
        let acw_ms = arrival.course().acw_ms.map(|acw_ms| self.axis.stretched(acw_ms));
        match wrap_up.mode {
            WrapUpMode::None => 0,
            WrapUpMode::Timed => wrap_up.max_ms,
            WrapUpMode::Optional | WrapUpMode::Mandatory => acw_ms.unwrap_or(u64::MAX).min(wrap_up.max_ms),
        }
    }

    /// What an agent does first with a call that he has from now on.
    fn plan_work(&mut self, call: u32, now: u64, agent: u32) {
        let arrival = self.arrival(call);
        let course = arrival.course();
        let (after_ms, step) = match &course.transfer {
            Some(transfer) if !self.calls[call as usize].transferred => (transfer.after_ms, Step::Transfer),
            _ if course.turns.is_empty() => (arrival.handle_ms, Step::Resolve),
            _ => (arrival.handle_ms, Step::Reply),
        };
        self.plan(call, now + self.axis.stretched(after_ms), agent, step);
    }

    fn take_line(&mut self, at: u64) -> Act {
        let index = self.next_line;
        self.next_line += 1;
        let arrival = match &self.workload.lines[index] {
            Line::Presence(presence) => {
                self.note_sent(&presence.agent, presence.status);
                return Act { at, deed: Deed::Presence { line: index as u32 } };
            }
            Line::Arrival(arrival) => arrival,
        };
        let number = self.call_of_line[index];
        let call = &mut self.calls[number as usize];
        call.stage = Stage::Waiting;
        call.waited = true;
        call.turn_since = if call.live { 0 } else { at };
        self.begin_wait(number, at, arrival);
        Act { at, deed: Deed::Arrive { call: number } }
    }

    /// A customer begins to wait for a person.
    fn begin_wait(&mut self, number: u32, at: u64, arrival: &Arrival) {
        let call = &mut self.calls[number as usize];
        call.waits_since = at;
        if let (true, Some(patience_ms)) = (call.live, arrival.patience_ms) {
            call.leaves = at + self.axis.stretched(patience_ms);
            let leaves = call.leaves;
            self.plan(number, leaves, NONE, Step::Leave);
        }
    }

    fn note_sent(&mut self, agent: &str, status: Status) {
        let number = self.agent_number(agent);
        self.agents[number as usize].sent = Some(status);
    }

    fn agent_number(&mut self, name: &str) -> u32 {
        let number = self.agent_names.number(name);
        if number as usize == self.agents.len() {
            self.agents.push(Agent { since: self.window.0, ..Agent::default() });
        }
        number
    }

    /// Takes a decision in. Returns what somebody will do because of it.
    pub fn see(&mut self, seen: &Seen<'_>) -> Option<Planned> {
        self.newest = None;
        self.take_in(seen);
        self.newest.take()
    }

    fn take_in(&mut self, seen: &Seen<'_>) {
        self.last_time = self.last_time.max(seen.time);
        if let Some((code, event_type)) = seen.refused {
            *self.refused.entry((code.into(), event_type.into())).or_default() += 1;
        }
        if let (DecisionType::AgentChanged, Some(agent)) = (seen.decision_type, &seen.agent) {
            let number = self.agent_number(agent.id);
            let (online, units) = (agent.online, agent.units);
            self.change_agent(number, seen.time, |agent| (agent.online, agent.units) = (online, units));
        }
        let Some(conversation) = &seen.conversation else { return };
        let Some(number) = self.by_id.get(conversation.id).copied() else { return };
        self.count(seen);
        match seen.decision_type {
            DecisionType::ConversationOpened | DecisionType::ConversationReopened => {
                self.opened(number, seen, conversation);
            }
            DecisionType::ConversationQueued => self.queued(number, seen, conversation),
            DecisionType::ConversationOffered => self.offered(number, seen),
            DecisionType::OfferWithdrawn => self.calls[number as usize].chapter += 1,
            DecisionType::ConversationAssigned => self.assigned(number, seen, conversation),
            DecisionType::ConversationUnassigned | DecisionType::ConversationTransferred => {
                self.end_hold(number, seen.time);
                self.turn_page(number, Stage::Waiting);
            }
            DecisionType::ConversationAbandoned => self.ended(number, seen, Stage::Abandoned, conversation),
            DecisionType::ConversationResolved => self.ended(number, seen, Stage::Answered, conversation),
            DecisionType::ConversationClosed | DecisionType::ConversationDeflected => {
                self.ended(number, seen, Stage::Deflected, conversation);
            }
            DecisionType::ConversationParked => self.exits(number, seen, conversation, Exit::Deflected),
            DecisionType::ConversationSnoozed => self.exits(number, seen, conversation, Exit::Transferred),
            _ => self.weighed(number, seen.time, conversation),
        }
    }

    fn count(&mut self, seen: &Seen<'_>) {
        let counts = &mut self.counts;
        let counter = match (seen.decision_type, seen.reason) {
            (DecisionType::ConversationOffered, _) => &mut counts.offers,
            (DecisionType::ConversationAssigned, "accepted") => &mut counts.accepted,
            (DecisionType::OfferWithdrawn, "declined") => &mut counts.declined,
            (DecisionType::OfferWithdrawn, "expired") => &mut counts.expired,
            (DecisionType::ConversationQueued, "handoff") => &mut counts.handoffs,
            (DecisionType::ConversationTransferred, _) => &mut counts.transfers,
            (DecisionType::ConversationReopened, _) => &mut counts.reopened,
            _ => return,
        };
        *counter += 1;
    }

    /// The next chapter of a call begins.
    fn turn_page(&mut self, number: u32, stage: Stage) {
        let call = &mut self.calls[number as usize];
        call.stage = stage;
        call.chapter += 1;
        if call.ringing && stage != Stage::Waiting {
            call.ringing = false;
            self.ringing -= 1;
        }
    }

    /// For the first time, or again after its end.
    fn opened(&mut self, number: u32, seen: &Seen<'_>, conversation: &SeenConversation<'_>) {
        let bot_ms = self.arrival(number).course().bot_ms;
        self.turn_page(number, if conversation.in_bot { Stage::InBot } else { Stage::Waiting });
        if !conversation.in_bot {
            return;
        }
        let call = &mut self.calls[number as usize];
        (call.leaves, call.waited) = (u64::MAX, false);
        // What a hand-off begins is no turn.
        call.turn_since = 0;
        if let Some(bot_ms) = bot_ms {
            self.plan(number, seen.time + self.axis.stretched(bot_ms), NONE, Step::Handoff);
        }
    }

    fn queued(&mut self, number: u32, seen: &Seen<'_>, conversation: &SeenConversation<'_>) {
        if self.calls[number as usize].agent == NONE {
            self.calls[number as usize].queue = self.queues.number(conversation.queue);
        }
        self.enters(number, seen, conversation);
        let call = &mut self.calls[number as usize];
        call.queued_at = seen.time;
        if call.stage == Stage::InBot {
            call.stage = Stage::Waiting;
            if call.agent == NONE {
                call.waited = true;
                let arrival = self.arrival(number);
                self.begin_wait(number, seen.time, arrival);
            }
        }
    }

    /// Chance has one stream a call, so that what befalls one moves no other.
    fn offered(&mut self, number: u32, seen: &Seen<'_>) {
        self.turn_page(number, Stage::Waiting);
        let Some(agent) = seen.agent.as_ref().map(|agent| self.agent_number(agent.id)) else { return };
        let course = self.arrival(number).course();
        let call = &mut self.calls[number as usize];
        if !call.ringing {
            call.ringing = true;
            self.ringing += 1;
        }
        let answer = match drawn(&self.chance, number, call.refusals) {
            _ if call.refusals == REFUSALS_MAX => Some(Step::Accept { offer: seen.offer }),
            share if share < course.decline_share => Some(Step::Decline { offer: seen.offer }),
            share if share < course.decline_share + course.miss_share => None,
            _ => Some(Step::Accept { offer: seen.offer }),
        };
        if !matches!(answer, Some(Step::Accept { .. })) {
            call.refusals += 1;
        }
        if let Some(step) = answer {
            self.plan(number, seen.time + self.axis.stretched(course.accept_ms), agent, step);
        }
    }

    fn assigned(&mut self, number: u32, seen: &Seen<'_>, conversation: &SeenConversation<'_>) {
        self.end_hold(number, seen.time);
        self.exits(number, seen, conversation, Exit::Answered);
        let agent = self.agent_number(conversation.owner);
        let queue = self.queues.number(conversation.queue);
        let by_arrival = self.is_arrival(seen.cause_id, conversation.id);
        self.turn_page(number, Stage::Working);
        let call = &mut self.calls[number as usize];
        if call.agent == NONE {
            let own_step = if seen.cause_id.is_empty() { seen.time == call.queued_at } else { by_arrival };
            call.waited = !own_step;
            call.wait_ms = Some(conversation.waited_ms);
            call.agent = agent;
            call.leaves = u64::MAX;
        }
        (call.holder, call.units) = (agent, conversation.units);
        (call.held_since, call.held_queue) = (seen.time, queue);
        self.plan_work(number, seen.time, agent);
        let units = conversation.units;
        self.change_agent(agent, seen.time, |agent| agent.used += units);
    }

    /// The end of a call: `stage` says what it is for one that nobody has answered; an answered one stays answered.
    fn ended(&mut self, number: u32, seen: &Seen<'_>, stage: Stage, conversation: &SeenConversation<'_>) {
        let exit = match (stage, seen.reason) {
            (_, "short_abandoned") => Exit::ShortAbandoned,
            (Stage::Abandoned, _) => Exit::Abandoned,
            _ if seen.decision_type == DecisionType::ConversationDeflected => Exit::Deflected,
            _ => Exit::Closed,
        };
        // Turned away at the door: it came in and left in one moment.
        let call = &self.calls[number as usize];
        if exit == Exit::Deflected && call.entry.is_none() && call.holder == NONE {
            let queue = self.queues.number(conversation.queue);
            self.serve(number, queue, |service| {
                service.entries += 1;
                service.excluded.deflected += 1;
            });
        }
        self.exits(number, seen, conversation, exit);
        let holder = self.end_hold(number, seen.time);
        if holder != NONE && seen.decision_type == DecisionType::ConversationResolved {
            let (queue, wrap_up_ms) =
                (self.calls[number as usize].held_queue, self.wrap_up_ms(number, conversation.queue));
            self.serve(number, queue, |service| service.wrap_up_ms += wrap_up_ms);
        }
        let call = &mut self.calls[number as usize];
        let stage = if call.agent != NONE {
            Stage::Answered
        } else if matches!(call.stage, Stage::Waiting | Stage::InBot) {
            let waiting = call.stage == Stage::Waiting;
            call.wait_ms = Some(if waiting { conversation.waited_ms } else { 0 });
            // Resolved without anybody having had it: deflected, as closed.
            if stage == Stage::Answered { Stage::Deflected } else { stage }
        } else {
            return;
        };
        self.turn_page(number, stage);
        if seen.decision_type == DecisionType::ConversationResolved {
            self.plan_afterwards(number, seen.time, holder);
        }
    }

    /// Wrap-up of who had it, and the customer's coming back.
    fn plan_afterwards(&mut self, number: u32, now: u64, holder: u32) {
        let Course { acw_ms, reopen_after_ms, .. } = *self.arrival(number).course();
        if let (Some(acw_ms), true) = (acw_ms, holder != NONE) {
            self.plan(number, now + self.axis.stretched(acw_ms), holder, Step::CompleteWrapUp);
        }
        let call = &mut self.calls[number as usize];
        if let (Some(after_ms), false, false) = (reopen_after_ms, call.live, call.reopened) {
            call.reopened = true;
            self.plan(number, now + self.axis.stretched(after_ms), NONE, Step::Write);
        }
    }

    /// A conversation may take fewer units while its customer is to write.
    fn weighed(&mut self, number: u32, time: u64, conversation: &SeenConversation<'_>) {
        let call = &mut self.calls[number as usize];
        let (before, now) = (call.units, conversation.units);
        if call.holder == NONE || conversation.owner.is_empty() || before == now {
            return;
        }
        call.units = now;
        let holder = call.holder;
        self.change_agent(holder, time, |agent| agent.used = agent.used.saturating_sub(before) + now);
    }

    /// Returns who held it; NONE: nobody.
    fn end_hold(&mut self, number: u32, time: u64) -> u32 {
        let call = &mut self.calls[number as usize];
        let (holder, units, queue) = (call.holder, call.units, call.held_queue);
        if holder != NONE {
            call.holder = NONE;
            let held_ms = time.saturating_sub(call.held_since);
            self.serve(number, queue, |service| {
                service.handled += 1;
                service.work_ms += held_ms;
            });
            self.change_agent(holder, time, |agent| agent.used = agent.used.saturating_sub(units));
        }
        holder
    }

    /// Adds up the unit-seconds until `time`, then changes the agent. One who is offline and finishes counts as online.
    fn change_agent(&mut self, number: u32, time: u64, change: impl FnOnce(&mut Agent)) {
        let (first, last) = self.window;
        let agent = &mut self.agents[number as usize];
        let until = time.clamp(first, last);
        let span = until.saturating_sub(agent.since);
        if agent.online || agent.used > 0 {
            agent.online_unit_ms += span * u64::from(agent.units);
        }
        agent.held_unit_ms += span * u64::from(agent.used);
        agent.since = agent.since.max(until);
        change(agent);
    }

    /// Closes the account of unit-seconds at the last line, or at the last decision where a run was cut off.
    pub fn settle(&mut self, cut_off: bool) {
        let until = if cut_off { self.last_time } else { self.window.1 };
        for number in 0..self.agents.len() as u32 {
            self.change_agent(number, until, |_| {});
        }
        self.settle_waits();
    }

    /// T has passed for some who wait still. Once: their entries are closed.
    fn settle_waits(&mut self) {
        for number in 0..self.calls.len() as u32 {
            let entry = self.calls[number as usize].entry.take();
            let is_late = |entry: &Entry| self.last_time.saturating_sub(entry.queued_at) > entry.service_level_ms;
            if let Some(entry) = entry.filter(is_late) {
                self.serve(number, entry.queue, |service| service.late += 1);
            }
        }
    }
}

/// From 0 to 1: the `index`th of a call's own stream.
fn drawn(chance: &ChaCha12Rng, call: u32, index: u32) -> f64 {
    let mut own = chance.clone();
    own.set_stream(u64::from(call));
    own.set_word_pos(u128::from(index) * 2);
    own.random()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::SeenAgent;
    use crate::workload::Selection;

    const LINES: &str = r#"
{"at":"2026-01-01T00:00:00Z","kind":"presence","agent":"a","status":"online"}
{"at":"2026-01-01T00:00:01Z","kind":"arrival","conversation":"c1","channel":"voice","handle_s":4,"patience_s":null}
{"at":"2026-01-01T00:00:02Z","kind":"arrival","conversation":"c2","channel":"voice","handle_s":4,"patience_s":3}
{"at":"2026-01-01T00:00:05Z","kind":"arrival","conversation":"c3","channel":"voice","handle_s":4,"patience_s":null}
"#;

    fn read(lines: &str) -> Workload {
        Workload::read("w", lines.trim_start().as_bytes(), &Selection::default()).unwrap()
    }

    /// A workload of one arrival with these members beside the necessary ones, `handle_s` 4.
    fn one(channel: &str, members: &str) -> Workload {
        read(&format!(
            "{{\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"arrival\",\"conversation\":\"c\",\"channel\":\"{channel}\",\
             \"handle_s\":4,{members}}}"
        ))
    }

    fn player<'w>(workload: &'w Workload, live: bool) -> Player<'w> {
        let axis = Axis { workload: workload.begins, engine: workload.begins, stretch: 1.0 };
        Player::new(workload, axis, "", 1, &|_| live)
    }

    fn take(player: &mut Player<'_>) -> (u64, Deed) {
        let at = player.next_due().unwrap();
        let act = player.take_due(at).unwrap();
        (act.at - player.window.0, act.deed)
    }

    /// When, by whom and what, of a deed about the only call.
    fn step(player: &mut Player<'_>) -> (u64, u32, Step) {
        match take(player) {
            (at, Deed::Call { call: 0, agent, step, .. }) => (at, agent, step),
            other => panic!("{other:?}"),
        }
    }

    fn told<'a>(decision_type: DecisionType, id: &'a str, cause: &'a str, time: u64) -> Seen<'a> {
        let conversation = SeenConversation { id, owner: "a", queue: "q", units: 1, ..SeenConversation::default() };
        Seen { decision_type, time, cause_id: cause, conversation: Some(conversation), ..Seen::default() }
    }

    fn assigned<'a>(id: &'a str, cause: &'a str, time: u64) -> Seen<'a> {
        told(DecisionType::ConversationAssigned, id, cause, time)
    }

    fn resolve(call: u32) -> Deed {
        Deed::Call { call, agent: 0, step: Step::Resolve, number: 0 }
    }

    #[test]
    fn at_one_instant_ends_of_work_come_first_then_lines_then_leavers() {
        let workload = read(LINES);
        let mut player = player(&workload, true);
        assert_eq!(take(&mut player), (0, Deed::Presence { line: 0 }));
        assert_eq!(take(&mut player), (1_000, Deed::Arrive { call: 0 }));
        let planned = player.see(&assigned("c1", "arrival/c1", workload.begins + 1_000));
        assert_eq!(planned, Some(Planned { call: 0, at: workload.begins + 5_000 }));
        assert_eq!(take(&mut player), (2_000, Deed::Arrive { call: 1 }));
        // c1's work, c3's arrival and c2's patience all end at 5 s.
        assert_eq!(take(&mut player), (5_000, resolve(0)));
        assert_eq!(take(&mut player), (5_000, Deed::Arrive { call: 2 }));
        assert_eq!(take(&mut player), (5_000, Deed::Call { call: 1, agent: NONE, step: Step::Leave, number: 0 }));
        assert_eq!(player.next_due(), None);
        assert!(!player.calls[0].waited && player.calls[1].waited);
    }

    #[test]
    fn an_assignment_before_the_patience_ends_keeps_the_customer() {
        let workload = read(LINES);
        let axis = Axis { workload: workload.begins, engine: 1_000_000, stretch: 0.5 };
        let mut player = Player::new(&workload, axis, "run/", 1, &|_| true);
        for _ in 0..3 {
            take(&mut player);
        }
        assert_eq!(player.see(&assigned("run/c2", "other", 1_001_200)), Some(Planned { call: 1, at: 1_003_200 }));
        assert!(player.calls[1].waited);
        assert_eq!(take(&mut player), (2_500, Deed::Arrive { call: 2 }));
        assert_eq!(take(&mut player), (3_200, resolve(1)));
    }

    #[test]
    fn a_bot_hands_over_and_only_then_the_customer_begins_to_wait() {
        let workload = one("voice", r#""bot_s":10,"patience_s":3"#);
        let begins = workload.begins;
        let mut player = player(&workload, true);
        take(&mut player);
        let mut opened = told(DecisionType::ConversationOpened, "c", "arrival/c", begins);
        opened.conversation.as_mut().unwrap().in_bot = true;
        assert_eq!(player.see(&opened), Some(Planned { call: 0, at: begins + 10_000 }));
        assert_eq!(player.calls[0].stage, Stage::InBot);
        assert_eq!(step(&mut player), (10_000, NONE, Step::Handoff));
        let mut queued = told(DecisionType::ConversationQueued, "c", "handoff/c", begins + 10_000);
        queued.reason = "handoff";
        assert_eq!(player.see(&queued), Some(Planned { call: 0, at: begins + 13_000 }));
        assert_eq!((player.counts.handoffs, player.calls[0].waits_since), (1, begins + 10_000));
        assert_eq!(step(&mut player), (13_000, NONE, Step::Leave));
    }

    fn offered(id: u64, time: u64) -> Seen<'static> {
        let agent = SeenAgent { id: "a", online: true, units: 1 };
        Seen { agent: Some(agent), offer: id, ..told(DecisionType::ConversationOffered, "c", "", time) }
    }

    #[test]
    fn an_offer_is_accepted_after_a_while_unless_it_is_withdrawn_before() {
        let workload = one("voice", r#""accept_s":2"#);
        let begins = workload.begins;
        let mut player = player(&workload, true);
        take(&mut player);
        player.see(&offered(7, begins));
        assert!(player.awaits_offers());
        player.see(&told(DecisionType::OfferWithdrawn, "c", "", begins + 1_000));
        assert_eq!(player.next_due(), None, "nobody answers what was withdrawn");
        player.see(&offered(8, begins + 1_000));
        assert_eq!(step(&mut player), (3_000, 0, Step::Accept { offer: 8 }));
        player.see(&assigned("c", "accept/c", begins + 3_000));
        assert!(!player.awaits_offers() && player.calls[0].waited);
        assert_eq!(step(&mut player), (7_000, 0, Step::Resolve));
    }

    #[test]
    fn refusals_come_in_their_shares_and_end_with_an_acceptance() {
        let mut lines = String::new();
        for call in 0..1_000 {
            lines += &format!(
                "{{\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"arrival\",\"conversation\":\"c{call}\",\"channel\":\"voice\",\
                 \"handle_s\":4,\"accept_s\":9,\"decline_share\":0.2,\"miss_share\":0.1}}\n"
            );
        }
        let workload = read(&lines);
        let mut player = player(&workload, true);
        let (mut accepted, mut declined) = (0, 0);
        for call in 0..1_000u32 {
            player.take_due(workload.begins);
            let id = format!("c{call}");
            let mut seen = offered(u64::from(call) + 1, workload.begins);
            seen.conversation.as_mut().unwrap().id = &id;
            player.see(&seen);
        }
        while let Some(act) = player.take_due(workload.begins + 9_000) {
            match act.deed {
                Deed::Call { step: Step::Accept { .. }, .. } => accepted += 1,
                Deed::Call { step: Step::Decline { .. }, .. } => declined += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!((650..750).contains(&accepted) && (160..240).contains(&declined), "{accepted} {declined}");

        let workload = one("voice", r#""decline_share":1.0"#);
        let mut player = self::player(&workload, true);
        take(&mut player);
        for offer in 1..=u64::from(REFUSALS_MAX) {
            player.see(&offered(offer, workload.begins));
            assert_eq!(step(&mut player), (0, 0, Step::Decline { offer }));
        }
        player.see(&offered(99, workload.begins));
        assert_eq!(step(&mut player), (0, 0, Step::Accept { offer: 99 }));
    }

    #[test]
    fn messages_go_back_and_forth_then_the_wrap_up_is_completed_and_the_customer_comes_back_once() {
        let turns = r#""turns":[{"customer_after_s":10,"agent_after_s":2}],"acw_s":5,"reopen_after_s":60"#;
        let workload = one("email", turns);
        let begins = workload.begins;
        let mut player = player(&workload, false);
        take(&mut player);
        player.see(&assigned("c", "arrival/c", begins));
        assert_eq!(step(&mut player), (4_000, 0, Step::Reply));
        assert_eq!(step(&mut player), (14_000, 0, Step::Write));
        assert_eq!(step(&mut player), (16_000, 0, Step::Reply));
        assert_eq!(step(&mut player), (16_000, 0, Step::Resolve));
        let resolved = |time| told(DecisionType::ConversationResolved, "c", "", time);
        player.see(&resolved(begins + 16_000));
        assert_eq!(step(&mut player), (21_000, 0, Step::CompleteWrapUp));
        assert_eq!(step(&mut player), (76_000, NONE, Step::Write));
        player.see(&told(DecisionType::ConversationReopened, "c", "", begins + 76_000));
        player.see(&assigned("c", "", begins + 76_000));
        assert_eq!(step(&mut player), (80_000, 0, Step::Reply));
        let last = Deed::Call { call: 0, agent: 0, step: Step::Resolve, number: 7 };
        assert_eq!(take(&mut player), (80_000, last), "its event has an id of its own");
        player.see(&resolved(begins + 80_000));
        assert_eq!(step(&mut player), (85_000, 0, Step::CompleteWrapUp));
        assert_eq!((player.next_due(), player.calls[0].stage), (None, Stage::Answered));
    }

    #[test]
    fn a_transfer_ends_the_first_agents_work_and_a_refused_one_leaves_it_with_him() {
        let workload = one("voice", r#""transfer":{"to":"q2","after_s":3}"#);
        let begins = workload.begins;
        let transferred = told(DecisionType::ConversationTransferred, "c", "transfer/c", begins + 3_000);
        for refused in [true, false] {
            let mut player = player(&workload, true);
            take(&mut player);
            player.see(&assigned("c", "arrival/c", begins));
            assert_eq!(step(&mut player), (3_000, 0, Step::Transfer));
            if refused {
                assert_eq!(step(&mut player), (7_000, 0, Step::Resolve));
                continue;
            }
            player.see(&transferred);
            assert_eq!((player.next_due(), player.agents[0].used), (None, 0));
            player.see(&assigned("c", "", begins + 9_000));
            assert_eq!(step(&mut player), (13_000, 0, Step::Resolve));
            assert_eq!(player.counts.transfers, 1);
        }
    }
}
