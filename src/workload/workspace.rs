//! The counters of one workspace: a fold over its typed decisions, and over its agents as the replica has them.

use super::conversations::{Books, Conversations};
use super::intervals::{AgentCounts, Intervals, Range};
use super::staff::{AgentDone, Staff};
use super::tables::Tables;
use super::tallies::{AgentTally, Tallies};
use super::views::Views;
use super::words::{Exceeded, Survey};
use super::{Judged, SurveyScore};
use crate::metrics::{Family, Labels, Scrape, labels};
use engine::Engine;
use engine::decision::{DecisionType, Outcome, Told};
use engine::id::{HashKey, Kind};
use engine::input::EventType;
use engine::policy::Policy;
use engine::view;
use load_tests::service_level::Counts;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Results of events, in the order of their columns.
const RESULTS: [&str; 4] = ["applied", "duplicate", "ignored", "rejected"];

fn result_of(judged: &Judged) -> usize {
    match judged.outcome {
        _ if judged.duplicate => 1,
        Outcome::Decided | Outcome::Recorded => 0,
        Outcome::Ignored => 2,
        Outcome::Rejected => 3,
    }
}

fn is_built(event_type: EventType) -> bool {
    !matches!(
        event_type,
        EventType::CustomerErased
            | EventType::CallbackRequest
            | EventType::ParticipantAdd
            | EventType::ParticipantRemove
    )
}

/// Which results a type can have: facts are never refused, commands never ignored, what is not built never applied.
fn can_be(event_type: EventType, result: usize) -> bool {
    match result {
        0 => is_built(event_type),
        2 => !event_type.is_command(),
        3 => event_type.is_command(),
        _ => true,
    }
}

/// The promises of routing.md §9 that are looked after; of 4 a state shows nothing, an outside checker does.
const PROMISES: [&str; 7] = ["1", "2", "3", "4", "5", "6", "7"];

/// (direction, actor), in the order of a channel's columns.
const MESSAGES: [(&str, &str); 6] = [
    ("in", "customer"),
    ("out", "agent"),
    ("out", "bot"),
    ("out", "system"),
    ("out", "supervisor"),
    ("out", "customer"),
];

struct Messages {
    labels: [Labels; MESSAGES.len()],
    counts: [u64; MESSAGES.len()],
}

/// Sources of a workspace that are suspect at once, as far as they are counted.
const SUSPECTS_MAX: usize = 1_024;

pub(super) struct WorkspaceFold {
    pub(super) name: Box<str>,
    key: HashKey,
    tables: Tables,
    staff: Staff,
    tallies: Tallies,
    intervals: Intervals,
    conversations: Conversations,
    /// By event type's number and result.
    events: Vec<[u64; RESULTS.len()]>,
    decisions: [u64; 256],
    messages: HashMap<Box<str>, Messages>,
    /// Suspect sources of presence, and until when each is one, ms UTC.
    suspects: Vec<(Box<str>, u64)>,
    /// By promise, 1 first.
    violations: [u64; PROMISES.len()],
}

impl WorkspaceFold {
    pub(super) fn new(name: &str, key: HashKey, queues_left: Arc<AtomicUsize>) -> WorkspaceFold {
        WorkspaceFold {
            name: name.into(),
            key,
            tables: Tables::new(name, queues_left),
            staff: Staff::new(name),
            tallies: Tallies::default(),
            intervals: Intervals::default(),
            conversations: Conversations::new(key),
            events: vec![[0; RESULTS.len()]; 256],
            decisions: [0; 256],
            messages: HashMap::new(),
            suspects: Vec::new(),
            violations: [0; PROMISES.len()],
        }
    }

    /// Conversations in the engine's state.
    pub(super) fn kept(&self) -> usize {
        self.conversations.kept
    }

    /// Takes one decision; `key` is its conversation's. The replica is after the whole record already.
    pub(super) fn take(&mut self, told: &Told, key: Option<u128>, live: bool, replica: &Engine) {
        self.tables.live = live;
        self.decisions[told.decision_type as usize] += u64::from(live);
        if let (Some(conversation), Some(key)) = (&told.conversation, key) {
            let stands_since = |queue: &str| replica.workspace(&self.name)?.stands_since(queue);
            let WorkspaceFold { tables, tallies, intervals, conversations, .. } = self;
            let books = Books { tables, tallies, intervals, stands_since: &stands_since };
            conversations.take(told, conversation, key, books);
        }
        match (told.decision_type, &told.agent, &told.detail) {
            (DecisionType::WorkspaceConfigured, ..) => {
                self.configure(replica);
                self.conversations.policy_changed(told.time);
            }
            (DecisionType::QueueChanged, _, Some(detail)) => {
                let queue = self.intervals.index(&detail.other);
                self.conversations.queue_changed(queue, told.time);
            }
            (DecisionType::CapacityExceeded, Some(agent), _) => {
                self.staff.exceeded(&agent.team, Exceeded::of(told.reason), live);
            }
            (DecisionType::SourceSuspect, _, Some(detail)) => self.suspect(&detail.other, detail.until, told.time),
            _ => {}
        }
    }

    /// A policy is a record of its own, so the replica's is the one that this decision put in force.
    fn configure(&mut self, replica: &Engine) {
        let Some(workspace) = replica.workspace(&self.name) else { return };
        self.tables.configure(workspace.policy);
        self.staff.configure(workspace.policy);
        self.configure_messages(workspace.policy);
    }

    /// A source is told once in each of its suspicions.
    fn suspect(&mut self, source: &str, until: u64, now: u64) {
        self.suspects.retain(|(_, until)| *until > now);
        if self.suspects.len() < SUSPECTS_MAX {
            self.suspects.push((source.into(), until));
        }
    }

    /// Seconds up to `now`.
    pub(super) fn advance(&mut self, now: u64, live: bool) {
        let WorkspaceFold { staff, tallies, intervals, .. } = self;
        staff.advance(now, live, tallies, intervals);
    }

    /// Verdicts that fall without an event: T has passed for some who wait.
    pub(super) fn judge(&mut self, now: u64, counted: bool, workspace: &view::Workspace<'_>) {
        let WorkspaceFold { tables, intervals, conversations, .. } = self;
        tables.live = counted;
        conversations.judge(now, workspace, tables, intervals);
    }

    /// Everything up to `now` stands in the reports.
    pub(super) fn settle(&mut self, now: u64, live: bool, workspace: &view::Workspace<'_>) {
        self.advance(now, live);
        self.judge(now, live, workspace);
        let WorkspaceFold { staff, tallies, intervals, .. } = self;
        staff.settle(tallies, intervals);
    }

    /// From when on reports are whole, ms UTC.
    pub(super) fn known_from(&self) -> u64 {
        self.intervals.known_from()
    }

    pub(super) fn queue_reports(&self, range: Range) -> HashMap<Box<str>, Counts> {
        self.intervals.queues(range).into_iter().map(|(queue, counts)| (queue.into(), counts)).collect()
    }

    pub(super) fn agent_reports<'a>(
        &self,
        range: Range,
        agents: impl Iterator<Item = &'a str>,
    ) -> HashMap<Box<str>, AgentCounts> {
        let sums = self.intervals.agents(range);
        let of = |agent: &str| self.tallies.find(agent).and_then(|at| sums.get(&at).copied()).unwrap_or_default();
        agents.map(|agent| (agent.into(), of(agent))).collect()
    }

    /// Takes an agent as the replica has him at the time advanced to.
    pub(super) fn sync(&mut self, agent: view::Agent, views: &Views, counted: bool) {
        let WorkspaceFold { name, key, tables, staff, tallies, intervals, .. } = self;
        tables.live = counted;
        let pair_of = |conversation: &str, intervals: &mut Intervals| {
            let view = views.conversation(key.hash(Kind::Conversation, name, &[conversation]))?;
            Some((tables.pair(&view.told.queue, &view.told.channel), intervals.index(&view.told.queue)))
        };
        let wrapped_up = staff.sync(agent, tallies, intervals, pair_of);
        for over in &wrapped_up {
            tables.wrapped_up(over.pair, over.held_ms);
            intervals.queue(staff.counted_to(), over.queue, |counts| counts.wrap_up_ms += over.held_ms);
        }
    }

    pub(super) fn tally(&self, agent: &str) -> AgentTally {
        let mut tally = self.tallies.of(agent);
        tally.unit_ms += self.staff.untallied_unit_ms(agent);
        tally
    }

    /// Where this is not what the replica is, as a sentence.
    pub(super) fn unbalanced(&self, workspace: &view::Workspace<'_>) -> Option<String> {
        self.tables.unbalanced(&workspace.queues()).or_else(|| self.staff.unlike(&workspace.agents()))
    }

    pub(super) fn count_event(&mut self, judged: &Judged) {
        self.events[judged.event_type as usize][result_of(judged)] += 1;
    }

    pub(super) fn count_violation(&mut self, promise: u8) {
        self.violations[usize::from(promise) - 1] += 1;
    }

    /// Two customers, by their hashes, that are one from now on.
    pub(super) fn count_link(&mut self, customers: (u128, u128)) {
        self.tables.live = true;
        self.conversations.customers_linked(customers, &mut self.tables);
    }

    /// A score for the queue that the conversation was in last, by its name; empty where that is not known any more.
    pub(super) fn count_survey(&mut self, survey: &SurveyScore, queue: &str) {
        self.tables.live = true;
        let share = f64::from(survey.score) / f64::from(survey.max.max(1));
        self.tables.surveyed(queue, Survey::of(survey.kind), share);
    }

    fn configure_messages(&mut self, policy: &Policy) {
        for channel in &policy.channels {
            self.messages_of(&channel.name);
        }
    }

    fn messages_of(&mut self, channel: &str) -> &mut Messages {
        if !self.messages.contains_key(channel) {
            let labels = MESSAGES.map(|(direction, actor)| {
                labels(&[("workspace", &self.name), ("channel", channel), ("direction", direction), ("actor", actor)])
            });
            self.messages.insert(channel.into(), Messages { labels, counts: [0; MESSAGES.len()] });
        }
        self.messages.get_mut(channel).expect("it was just put there")
    }

    pub(super) fn count_message(&mut self, judged: &Judged, channel: &str) {
        let direction = match judged.event_type {
            EventType::MessageReceived => "in",
            EventType::MessageSent => "out",
            _ => return,
        };
        // What comes in is the customer's, whoever's name is on it.
        let actor = if direction == "in" { "customer" } else { judged.actor.word() };
        if let Some(column) = MESSAGES.iter().position(|pair| *pair == (direction, actor)) {
            self.messages_of(channel).counts[column] += 1;
        }
    }

    pub(super) fn collect(&self, now: u64, workspace: &view::Workspace<'_>, scrape: &mut Scrape) {
        for event_type in EventType::ALL {
            let counts = &self.events[*event_type as usize];
            for (result, word) in RESULTS.into_iter().enumerate().filter(|(result, _)| can_be(*event_type, *result)) {
                let labels = self.tables.event_labels(*event_type);
                scrape.whole_of(Family::Events, labels, "result", word, counts[result]);
            }
        }
        for decision_type in DecisionType::ALL {
            let count = self.decisions[*decision_type as usize];
            scrape.whole_of(Family::Decisions, &self.tables.labels, "type", decision_type.word(), count);
        }
        for (promise, count) in PROMISES.into_iter().zip(self.violations) {
            scrape.whole_of(Family::PromiseViolations, &self.tables.labels, "promise", promise, count);
        }
        for messages in self.messages.values() {
            for (column, count) in messages.counts.iter().enumerate() {
                scrape.whole(Family::Messages, &messages.labels[column], *count);
            }
        }
        self.tables.collect(now, workspace, &self.staff, scrape);
        self.staff.collect(scrape);
    }

    /// What each agent did, at most `max` of them by name.
    pub(super) fn agents_done(&self, max: usize, done: &mut Vec<AgentDone>) {
        self.staff.agents_done(max, &self.tallies, done);
    }

    /// Sources of presence that are suspect now.
    pub(super) fn suspects(&self, now: u64) -> impl Iterator<Item = &str> {
        self.suspects.iter().filter(move |(_, until)| *until > now).map(|(source, _)| &**source)
    }
}
