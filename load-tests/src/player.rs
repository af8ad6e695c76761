//! Who does what when: the customers and the agents of a workload, on the engine's time axis.
//!
//! At one instant come ends of work, then lines in file order, then leavers. `Player` knows no engine and no clock: its
//! caller takes what is due (`take_due`), sends it, and shows it the decisions (`see`). An agent works `handle_s` from the
//! assignment's engine time, then resolves; on live channels a customer whose patience ends before the first assignment
//! leaves. An agent who goes offline finishes what he has.

use crate::names::{NONE, Names};
use crate::workload::{Arrival, Line, Workload};
use engine::decision::{DecisionType, Outcome, Reason, Told};
use engine::input::Status;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// What the player looks at in a decision: from a `Told` in the process, or from its JSON.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    pub decision_type: DecisionType,
    /// Engine time, ms UTC.
    pub time: u64,
    /// Empty: a tick.
    pub cause_id: &'a str,
    /// Of refused and ignored events: the code and the event's type.
    pub refused: Option<(&'a str, &'a str)>,
    pub conversation: Option<SeenConversation<'a>>,
    pub agent: Option<SeenAgent<'a>>,
}

#[derive(Debug, Default)]
pub struct SeenConversation<'a> {
    pub id: &'a str,
    pub owner: &'a str,
    pub queue: &'a str,
    pub waited_ms: u64,
    pub units: u32,
}

#[derive(Debug, Default)]
pub struct SeenAgent<'a> {
    pub id: &'a str,
    /// Neither offline nor away.
    pub online: bool,
    pub units: u32,
}

impl<'a> Seen<'a> {
    pub fn of(told: &'a Told) -> Seen<'a> {
        let refused = match told.decision_type {
            DecisionType::CommandRejected => true,
            DecisionType::EventRecorded => told.outcome == Outcome::Ignored && told.reason != Reason::Duplicate,
            _ => false,
        };
        Seen {
            decision_type: told.decision_type,
            time: told.time,
            cause_id: &told.cause_id,
            refused: refused.then(|| (told.reason.word(), &*told.event_type)),
            conversation: told.conversation.as_ref().map(|conversation| SeenConversation {
                id: &conversation.id,
                owner: &conversation.owner,
                queue: &conversation.queue,
                waited_ms: conversation.waited_ms,
                units: conversation.units,
            }),
            agent: told.agent.as_ref().map(|agent| SeenAgent {
                id: &agent.id,
                online: agent.state >= engine::decision::AgentState::Available,
                units: agent.units,
            }),
        }
    }
}

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stage {
    /// Its instant has not come.
    #[default]
    Ahead,
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
    /// Arrival to assignment or leaving.
    pub wait_ms: Option<u64>,
    /// Not assigned in the step that applied its arrival.
    pub waited: bool,
    /// Engine time of its queueing, for assignments by a tick of the same instant.
    queued_at: u64,
    /// Engine time at which its present work ends.
    work_ends: u64,
    /// Number of its assignment; an end of work that belongs to an earlier one is void.
    turn: u32,
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
    Resolve {
        call: u32,
        agent: u32,
    },
    Leave {
        call: u32,
    },
}

/// A deed at its engine time, ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Act {
    pub at: u64,
    pub deed: Deed,
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

/// The kind of an arrival's event in its id.
pub const ARRIVAL: &str = "arrival";

const CLASS_END: u8 = 0;
const CLASS_LINE: u8 = 1;
const CLASS_LEAVE: u8 = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: u64,
    class: u8,
    order: u64,
    call: u32,
    turn: u32,
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
    assignments: u64,
    /// Occupancy counts between these engine times: first to last line.
    window: (u64, u64),
    pub last_time: u64,
    /// (code, event type) -> how often.
    pub refused: BTreeMap<(Box<str>, Box<str>), u64>,
}

impl<'w> Player<'w> {
    /// `live` says of each channel whether its customers are there while they wait.
    pub fn new(workload: &'w Workload, axis: Axis, prefix: &str, live: &dyn Fn(&str) -> bool) -> Player<'w> {
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
            assignments: 0,
            window: (axis.engine_of(workload.begins), axis.engine_of(workload.ends)),
            last_time: 0,
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
                queue: NONE,
                tier,
                agent: NONE,
                holder: NONE,
                ..Call::default()
            });
        }
        player
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

    /// Whether `cause` is the id of the event with which this conversation came.
    fn is_arrival(&self, cause: &str, conversation: &str) -> bool {
        let own = |id| str::strip_prefix(id, &*self.prefix);
        own(cause).and_then(|rest| rest.strip_prefix(ARRIVAL)?.strip_prefix('/')) == own(conversation)
    }

    pub fn lines_played(&self) -> usize {
        self.next_line
    }

    /// Engine time at which the work on a call ends.
    pub fn work_ends(&self, call: u32) -> u64 {
        self.calls[call as usize].work_ends
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

    /// Ends of work of earlier assignments and leavings of those answered meanwhile.
    fn drop_void(&mut self) {
        while let Some(Reverse(due)) = self.due.peek() {
            let call = &self.calls[due.call as usize];
            let valid = match due.class {
                CLASS_END => call.stage == Stage::Working && call.turn == due.turn,
                _ => call.stage == Stage::Waiting,
            };
            if valid {
                return;
            }
            self.due.pop();
        }
    }

    fn take_opening(&mut self, at: u64) -> Act {
        let index = self.next_opening;
        self.next_opening += 1;
        let opening = &self.workload.opening[index];
        self.note_sent(&opening.agent, opening.status);
        Act { at, deed: Deed::Opening { index: index as u32 } }
    }

    fn take_planned(&mut self) -> Act {
        let Reverse(due) = self.due.pop().expect("looked at before");
        let deed = if due.class == CLASS_END {
            Deed::Resolve { call: due.call, agent: self.calls[due.call as usize].holder }
        } else {
            Deed::Leave { call: due.call }
        };
        Act { at: due.at, deed }
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
        if let (true, Some(patience_ms)) = (call.live, arrival.patience_ms) {
            let leaves = at + self.axis.stretched(patience_ms);
            self.due.push(Reverse(Due { at: leaves, class: CLASS_LEAVE, order: index as u64, call: number, turn: 0 }));
        }
        Act { at, deed: Deed::Arrive { call: number } }
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

    /// Takes a decision in. Returns the call that it assigned, if any.
    pub fn see(&mut self, seen: &Seen<'_>) -> Option<u32> {
        self.last_time = self.last_time.max(seen.time);
        if let Some((code, event_type)) = seen.refused {
            *self.refused.entry((code.into(), event_type.into())).or_default() += 1;
        }
        if let (DecisionType::AgentChanged, Some(agent)) = (seen.decision_type, &seen.agent) {
            let number = self.agent_number(agent.id);
            let (online, units) = (agent.online, agent.units);
            self.change_agent(number, seen.time, |agent| (agent.online, agent.units) = (online, units));
        }
        let conversation = seen.conversation.as_ref()?;
        let number = *self.by_id.get(conversation.id)?;
        match seen.decision_type {
            DecisionType::ConversationQueued => {
                let queue = self.queues.number(conversation.queue);
                let call = &mut self.calls[number as usize];
                (call.queue, call.queued_at) = (queue, seen.time);
            }
            DecisionType::ConversationAssigned => {
                self.assigned(number, seen, conversation);
                return Some(number);
            }
            DecisionType::ConversationAbandoned => self.ended(number, seen.time, Stage::Abandoned, conversation),
            DecisionType::ConversationResolved => self.ended(number, seen.time, Stage::Answered, conversation),
            DecisionType::ConversationClosed => self.ended(number, seen.time, Stage::Deflected, conversation),
            _ => {}
        }
        None
    }

    fn assigned(&mut self, number: u32, seen: &Seen<'_>, conversation: &SeenConversation<'_>) {
        self.end_hold(number, seen.time);
        let agent = self.agent_number(conversation.owner);
        let handle_ms = self.axis.stretched(self.arrival(number).handle_ms);
        let by_arrival = self.is_arrival(seen.cause_id, conversation.id);
        let call = &mut self.calls[number as usize];
        if call.agent == NONE {
            let own_step = if seen.cause_id.is_empty() { seen.time == call.queued_at } else { by_arrival };
            call.waited = !own_step;
            call.wait_ms = Some(conversation.waited_ms);
            call.agent = agent;
        }
        call.stage = Stage::Working;
        call.turn += 1;
        (call.holder, call.units) = (agent, conversation.units);
        call.work_ends = seen.time + handle_ms;
        let due = Due { at: call.work_ends, class: CLASS_END, order: self.assignments, call: number, turn: call.turn };
        self.assignments += 1;
        self.due.push(Reverse(due));
        let units = conversation.units;
        self.change_agent(agent, seen.time, |agent| agent.used += units);
    }

    /// The end of a call: `stage` says what it is for one that nobody has answered; an answered one stays answered.
    fn ended(&mut self, number: u32, time: u64, stage: Stage, conversation: &SeenConversation<'_>) {
        self.end_hold(number, time);
        let call = &mut self.calls[number as usize];
        if call.agent != NONE {
            call.stage = Stage::Answered;
        } else if matches!(call.stage, Stage::Waiting) {
            // Resolved without anybody having had it: deflected, as closed.
            call.stage = if stage == Stage::Answered { Stage::Deflected } else { stage };
            call.wait_ms = Some(conversation.waited_ms);
        }
    }

    fn end_hold(&mut self, number: u32, time: u64) {
        let call = &mut self.calls[number as usize];
        if call.holder == NONE {
            return;
        }
        let (holder, units) = (call.holder, call.units);
        call.holder = NONE;
        self.change_agent(holder, time, |agent| agent.used = agent.used.saturating_sub(units));
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Selection;

    const LINES: &str = r#"
{"at":"2026-01-01T00:00:00Z","kind":"presence","agent":"a","status":"online"}
{"at":"2026-01-01T00:00:01Z","kind":"arrival","conversation":"c1","channel":"voice","handle_s":4,"patience_s":null}
{"at":"2026-01-01T00:00:02Z","kind":"arrival","conversation":"c2","channel":"voice","handle_s":4,"patience_s":3}
{"at":"2026-01-01T00:00:05Z","kind":"arrival","conversation":"c3","channel":"voice","handle_s":4,"patience_s":null}
"#;

    fn take(player: &mut Player<'_>) -> (u64, Deed) {
        let at = player.next_due().unwrap();
        let act = player.take_due(at).unwrap();
        (act.at - player.window.0, act.deed)
    }

    fn assigned<'a>(id: &'a str, cause: &'a str, time: u64) -> Seen<'a> {
        let conversation = SeenConversation { id, owner: "a", queue: "q", waited_ms: 0, units: 1 };
        Seen {
            decision_type: DecisionType::ConversationAssigned,
            time,
            cause_id: cause,
            conversation: Some(conversation),
            ..Seen::default()
        }
    }

    #[test]
    fn at_one_instant_ends_of_work_come_first_then_lines_then_leavers() {
        let workload = Workload::read("w", LINES.trim_start().as_bytes(), &Selection::default()).unwrap();
        let axis = Axis { workload: workload.begins, engine: workload.begins, stretch: 1.0 };
        let mut player = Player::new(&workload, axis, "", &|_| true);
        assert_eq!(take(&mut player), (0, Deed::Presence { line: 0 }));
        assert_eq!(take(&mut player), (1_000, Deed::Arrive { call: 0 }));
        assert_eq!(player.see(&assigned("c1", "arrival/c1", workload.begins + 1_000)), Some(0));
        assert_eq!(take(&mut player), (2_000, Deed::Arrive { call: 1 }));
        // c1's work, c3's arrival and c2's patience all end at 5 s.
        assert_eq!(take(&mut player), (5_000, Deed::Resolve { call: 0, agent: 0 }));
        assert_eq!(take(&mut player), (5_000, Deed::Arrive { call: 2 }));
        assert_eq!(take(&mut player), (5_000, Deed::Leave { call: 1 }));
        assert_eq!(player.next_due(), None);
        assert!(!player.calls[0].waited && player.calls[1].waited);
    }

    #[test]
    fn an_assignment_before_the_patience_ends_keeps_the_customer() {
        let workload = Workload::read("w", LINES.trim_start().as_bytes(), &Selection::default()).unwrap();
        let axis = Axis { workload: workload.begins, engine: 1_000_000, stretch: 0.5 };
        let mut player = Player::new(&workload, axis, "run/", &|_| true);
        for _ in 0..3 {
            take(&mut player);
        }
        assert_eq!(player.see(&assigned("run/c2", "other", 1_001_200)), Some(1));
        assert!(player.calls[1].waited);
        assert_eq!(take(&mut player), (2_500, Deed::Arrive { call: 2 }));
        assert_eq!(take(&mut player), (3_200, Deed::Resolve { call: 1, agent: 0 }));
    }
}
