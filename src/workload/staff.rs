//! Agents as metrics see them: who is in which state, how loaded, and unit-seconds, by team.
//!
//! All of it is read from the replica: after each record the rows of the agents whom it touched are read again, because
//! a hold may come and go without a decision (wrap-up, work outside, a conversation that falls asleep). Seconds run with
//! engine time, between records up to the scrape.

use super::intervals::{Intervals, QueueIndex};
use super::tables::{NONE, OTHER, PairIndex};
use super::tallies::{AgentIndex, AgentTally, Tallies};
use super::words::Exceeded;
use crate::metrics::{Family, Labels, Scrape, labels};
use engine::decision::AgentState;
use engine::policy::{AgentConfig, Policy, Queue, SkillLevel};
use engine::view::{self, HoldKind};
use std::collections::HashMap;
use std::sync::Arc;

/// Teams told apart in a workspace; the rest are `other`.
const TEAMS_MAX: usize = 200;
/// (team, channel) pairs of a workspace that stand at 0 from the start, those of the teams that come first; the others stand
/// there from their first hold on.
const SEEDED_MAX: usize = 400;
/// The channel label of units that all channels share.
const ANY_CHANNEL: &str = "any";

const STATES: usize = AgentState::ALL.len();
const KINDS: usize = HoldKind::ALL.len();
const LOADS: [&str; 6] = ["0", "le_25", "le_50", "le_75", "le_100", "over"];

fn is_online(state: AgentState) -> bool {
    matches!(state, AgentState::Available | AgentState::Partly | AgentState::Full)
}

/// Whose capacity counts: an agent who finishes his work after he went offline is as good as online, or occupancy would
/// pass 100 % whenever somebody leaves.
fn is_working(state: AgentState, used: u32) -> bool {
    is_online(state) || used > 0
}

/// Column of `LOADS`.
fn load_of(used: u32, units: u32) -> usize {
    match u64::from(used) * 100 {
        0 => 0,
        used if used <= 25 * u64::from(units) => 1,
        used if used <= 50 * u64::from(units) => 2,
        used if used <= 75 * u64::from(units) => 3,
        used if used <= 100 * u64::from(units) => 4,
        _ => 5,
    }
}

/// Whether unit-seconds of it are counted: an offer is not work yet.
fn is_work(kind: HoldKind) -> bool {
    !matches!(kind, HoldKind::Offer)
}

/// What a team's agents hold on one channel.
struct Ledger {
    labels: Labels,
    units: [u64; KINDS],
    unit_ms: [u64; KINDS],
}

struct Team {
    labels: Labels,
    labels_any: Labels,
    name: Box<str>,
    states: [u64; STATES],
    state_ms: [u64; STATES],
    loads: [u64; LOADS.len()],
    online_units: u64,
    online_unit_ms: u64,
    exceeded: [u64; Exceeded::COUNT],
    /// By channel; None: nothing of this team has to be shown there yet.
    ledgers: Vec<Option<Ledger>>,
}

struct Hold {
    kind: HoldKind,
    reference: Box<str>,
    channel: u32,
    units: u32,
    since: u64,
    /// Of wrap-up: where its conversation was.
    pair: Option<(PairIndex, QueueIndex)>,
}

struct Row {
    config: AgentConfig,
    team: u32,
    group: u32,
    state: AgentState,
    used: u32,
    units: u32,
    holds: Vec<Hold>,
    tally: AgentIndex,
    /// Up to when his unit-seconds are in his tally, and in the intervals.
    tallied_to: u64,
}

/// What says which queues an agent serves.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Abilities {
    team: Box<str>,
    skills: Vec<(Box<str>, u8)>,
    /// Queues of his own memberships; empty: his team's.
    queues: Vec<Box<str>>,
}

/// Agents of equal abilities, by state: a queue's agents are summed over these, not over all agents.
struct Group {
    abilities: Arc<Abilities>,
    states: [u64; STATES],
}

pub(super) struct Staff {
    workspace: Box<str>,
    /// Engine time up to which seconds are counted.
    counted_to: u64,
    live: bool,
    teams: Vec<Team>,
    team_index: HashMap<Box<str>, u32>,
    channels: Vec<Box<str>>,
    /// Of the policy's, those on which each team stands at 0 from the start.
    seeded: Vec<u32>,
    index: HashMap<Box<str>, u32>,
    rows: Vec<Row>,
    group_index: HashMap<Arc<Abilities>, u32>,
    groups: Vec<Group>,
    /// Groups that nobody is in any more.
    free_groups: Vec<u32>,
}

/// A wrap-up that is over.
pub(super) struct WrappedUp {
    pub(super) pair: PairIndex,
    pub(super) queue: QueueIndex,
    pub(super) held_ms: u64,
}

impl Staff {
    pub(super) fn new(workspace: &str) -> Staff {
        Staff {
            workspace: workspace.into(),
            counted_to: 0,
            live: false,
            teams: Vec::new(),
            team_index: HashMap::new(),
            channels: Vec::new(),
            seeded: Vec::new(),
            index: HashMap::new(),
            rows: Vec::new(),
            group_index: HashMap::new(),
            groups: Vec::new(),
            free_groups: Vec::new(),
        }
    }

    pub(super) fn counted_to(&self) -> u64 {
        self.counted_to
    }

    /// Counts seconds up to `now`; before the first live record they are not counted, but in the intervals.
    pub(super) fn advance(&mut self, now: u64, live: bool, tallies: &mut Tallies, intervals: &mut Intervals) {
        let passed_ms = now.saturating_sub(self.counted_to);
        self.counted_to = self.counted_to.max(now);
        if live && !self.live {
            self.settle(tallies, intervals);
        }
        if !std::mem::replace(&mut self.live, live) || !live {
            return;
        }
        for team in &mut self.teams {
            for (sum, count) in team.state_ms.iter_mut().zip(team.states) {
                *sum += count * passed_ms;
            }
            team.online_unit_ms += team.online_units * passed_ms;
            for ledger in team.ledgers.iter_mut().flatten() {
                for (sum, units) in ledger.unit_ms.iter_mut().zip(ledger.units) {
                    *sum += units * passed_ms;
                }
            }
        }
    }

    /// Every team of the policy, and each on every channel, stands at 0 from now on.
    pub(super) fn configure(&mut self, policy: &Policy) {
        self.seeded = policy.channels.iter().map(|channel| self.channel(&channel.name)).collect();
        for team in &policy.teams {
            self.team(&team.name);
        }
        (0..self.teams.len()).for_each(|team| self.seed(team));
    }

    fn seed(&mut self, team: usize) {
        if self.teams.len() * self.seeded.len() > SEEDED_MAX {
            return;
        }
        for channel in self.seeded.iter().map(|channel| *channel as usize) {
            self.teams[team].ledger(&self.workspace, channel, &self.channels[channel]);
        }
    }

    fn team(&mut self, name: &str) -> u32 {
        if let Some(found) = self.team_index.get(name) {
            return *found;
        }
        let shown = match name {
            "" => NONE,
            _ if self.teams.len() >= TEAMS_MAX => OTHER,
            _ => name,
        };
        let at = self.teams.iter().position(|team| &*team.name == shown).unwrap_or_else(|| {
            self.teams.push(Team::new(&self.workspace, shown));
            self.seed(self.teams.len() - 1);
            self.teams.len() - 1
        });
        self.team_index.insert(name.into(), at as u32);
        at as u32
    }

    fn channel(&mut self, name: &str) -> u32 {
        self.channels.iter().position(|known| &**known == name).unwrap_or_else(|| {
            self.channels.push(name.into());
            self.channels.len() - 1
        }) as u32
    }

    /// Takes an agent as the replica has him at the time counted to. `pair_of` finds where a conversation was.
    pub(super) fn sync(
        &mut self,
        agent: view::Agent,
        tallies: &mut Tallies,
        intervals: &mut Intervals,
        mut pair_of: impl FnMut(&str, &mut Intervals) -> Option<(PairIndex, QueueIndex)>,
    ) -> Vec<WrappedUp> {
        let at = self.row(&agent, tallies);
        self.place(at, false);
        self.tally(at, tallies, intervals);
        let wrapped_up = self.take_holds(at, &agent.holds, &mut |conversation| pair_of(conversation, intervals));
        let left = self.take_config(at, agent.config);
        let row = &mut self.rows[at as usize];
        (row.state, row.used, row.units) = (agent.state, agent.units_used, agent.units);
        self.place(at, true);
        if let Some(group) = left {
            self.free_if_empty(group);
        }
        wrapped_up
    }

    fn row(&mut self, agent: &view::Agent, tallies: &mut Tallies) -> u32 {
        if let Some(found) = self.index.get(&agent.id) {
            return *found;
        }
        let row = Row {
            config: agent.config.clone(),
            team: self.team(&agent.config.team),
            group: self.group(&agent.config),
            state: agent.state,
            used: 0,
            units: 0,
            holds: Vec::new(),
            tally: tallies.index(&agent.id),
            tallied_to: self.counted_to,
        };
        self.rows.push(row);
        let at = self.rows.len() as u32 - 1;
        self.index.insert(agent.id.clone(), at);
        self.place(at, true);
        at
    }

    /// Credits everybody's unit-seconds up to the time counted to.
    pub(super) fn settle(&mut self, tallies: &mut Tallies, intervals: &mut Intervals) {
        (0..self.rows.len() as u32).for_each(|at| self.tally(at, tallies, intervals));
    }

    /// Credits his unit-seconds since he was last looked at.
    fn tally(&mut self, at: u32, tallies: &mut Tallies, intervals: &mut Intervals) {
        let row = &mut self.rows[at as usize];
        let from = std::mem::replace(&mut row.tallied_to, self.counted_to);
        let passed_ms = self.counted_to.saturating_sub(from);
        let online = if is_working(row.state, row.used) { u64::from(row.units) } else { 0 };
        intervals.units(row.tally, from, self.counted_to, row.worked_units(), online);
        if self.live {
            tallies.worked(row.tally, row.worked_units() * passed_ms);
        }
    }

    fn take_holds(
        &mut self,
        at: u32,
        holds: &[view::Hold],
        pair_of: &mut impl FnMut(&str) -> Option<(PairIndex, QueueIndex)>,
    ) -> Vec<WrappedUp> {
        let mut before: Vec<Option<Hold>> =
            std::mem::take(&mut self.rows[at as usize].holds).into_iter().map(Some).collect();
        let mut taken = Vec::with_capacity(holds.len());
        // Both lists have mostly the same order: the next one is nearly always the one after the last found.
        let mut next = 0;
        for hold in holds {
            let same = |known: &Hold| known.kind == hold.kind && known.reference == hold.reference;
            let is_it = |at: &usize| before[*at].as_ref().is_some_and(same);
            let found = (next..before.len()).chain(0..next).find(is_it);
            let known = found.and_then(|found| before[found].take());
            next = found.map_or(next, |found| found + 1);
            let (since, pair) = match known {
                Some(known) => (known.since, known.pair),
                None if hold.kind == HoldKind::WrapUp => (self.counted_to, pair_of(&hold.reference)),
                None => (self.counted_to, None),
            };
            let (kind, reference, units) = (hold.kind, hold.reference.clone(), hold.units);
            let channel = self.channel(&hold.channel);
            taken.push(Hold { kind, reference, channel, units, since, pair });
        }
        self.rows[at as usize].holds = taken;
        let over = before.into_iter().flatten().filter_map(|hold| {
            let held_ms = self.counted_to.saturating_sub(hold.since);
            hold.pair.map(|(pair, queue)| WrappedUp { pair, queue, held_ms })
        });
        over.collect()
    }

    /// Returns the group that he left, if he did.
    fn take_config(&mut self, at: u32, config: AgentConfig) -> Option<u32> {
        if self.rows[at as usize].config == config {
            return None;
        }
        let (team, group) = (self.team(&config.team), self.group(&config));
        let row = &mut self.rows[at as usize];
        let left = row.group;
        (row.config, row.team, row.group) = (config, team, group);
        (left != group).then_some(left)
    }

    fn group(&mut self, config: &AgentConfig) -> u32 {
        let abilities = Arc::new(Abilities {
            team: config.team.clone(),
            skills: config.skills.iter().map(|skill| (skill.name.clone(), skill.level)).collect(),
            queues: config.memberships.iter().map(|membership| membership.queue.clone()).collect(),
        });
        if let Some(found) = self.group_index.get(&abilities) {
            return *found;
        }
        let group = Group { abilities: abilities.clone(), states: [0; STATES] };
        let at = match self.free_groups.pop() {
            Some(free) => {
                self.groups[free as usize] = group;
                free
            }
            None => {
                self.groups.push(group);
                self.groups.len() as u32 - 1
            }
        };
        self.group_index.insert(abilities, at);
        at
    }

    fn free_if_empty(&mut self, group: u32) {
        let left = &self.groups[group as usize];
        if left.states.iter().all(|count| *count == 0) {
            self.group_index.remove(&left.abilities);
            self.free_groups.push(group);
        }
    }

    /// Adds a row to all that is summed over it, or takes it out.
    fn place(&mut self, at: u32, here: bool) {
        let row = &self.rows[at as usize];
        let turn = |count: &mut u64, by: u64| if here { *count += by } else { *count -= by };
        let team = &mut self.teams[row.team as usize];
        turn(&mut team.states[row.state as usize], 1);
        if is_online(row.state) {
            turn(&mut team.loads[load_of(row.used, row.units)], 1);
        }
        if is_working(row.state, row.used) {
            turn(&mut team.online_units, u64::from(row.units));
        }
        for hold in &row.holds {
            let channel = hold.channel as usize;
            let ledger = team.ledger(&self.workspace, channel, &self.channels[channel]);
            turn(&mut ledger.units[hold.kind as usize], u64::from(hold.units));
        }
        turn(&mut self.groups[row.group as usize].states[row.state as usize], 1);
    }

    /// Where these agents are shown otherwise than they are, as a sentence.
    pub(super) fn unlike(&self, agents: &[view::Agent]) -> Option<String> {
        agents.iter().find_map(|agent| {
            let row = self.index.get(&agent.id).map(|at| &self.rows[*at as usize]);
            let shown = row.map(|row| (row.state, row.used, row.units));
            let is = (agent.state, agent.units_used, agent.units);
            if shown != Some(is) {
                return Some(format!("agent {} is shown as {shown:?} and is {is:?}", agent.id));
            }
            let held: u32 = row.into_iter().flat_map(|row| &row.holds).map(|hold| hold.units).sum();
            (held != agent.units_used)
                .then(|| format!("agent {} uses {} units and holds {held}", agent.id, agent.units_used))
        })
    }

    pub(super) fn exceeded(&mut self, team: &str, exceeded: Exceeded, live: bool) {
        let team = self.team(team);
        self.teams[team as usize].exceeded[exceeded as usize] += u64::from(live);
    }

    /// Unit-milliseconds of an agent that are not in his tally yet.
    pub(super) fn untallied_unit_ms(&self, agent: &str) -> u64 {
        self.index.get(agent).map_or(0, |at| self.untallied(&self.rows[*at as usize]))
    }

    /// Agents who could serve what comes into a queue, by state.
    pub(super) fn collect_queue(&self, queue: &Queue, policy: &Policy, labels: &Labels, scrape: &mut Scrape) {
        let mut states = [0; STATES];
        for group in self.groups.iter().filter(|group| group.abilities.serves(queue, policy)) {
            states.iter_mut().zip(group.states).for_each(|(sum, count)| *sum += count);
        }
        for state in shown_states() {
            scrape.whole_of(Family::QueueAgents, labels, "state", state.word(), states[state as usize]);
        }
    }

    pub(super) fn collect(&self, scrape: &mut Scrape) {
        for team in &self.teams {
            team.collect(scrape);
        }
    }

    /// What each agent did since the process started: the first `max` who came, each by name, and the others as one.
    /// Nobody loses his place, or sums would fall.
    pub(super) fn agents_done(&self, max: usize, tallies: &Tallies, done: &mut Vec<AgentDone>) {
        let mut others = None;
        for (name, at) in &self.index {
            let row = &self.rows[*at as usize];
            let mut tally = tallies.at(row.tally);
            tally.unit_ms += self.untallied(row);
            if (*at as usize) < max {
                let (team, agent) = (self.teams[row.team as usize].name.clone(), name.clone());
                done.push(AgentDone { workspace: self.workspace.clone(), team, agent, tally });
            } else {
                *others.get_or_insert_with(AgentTally::default) += tally;
            }
        }
        if let Some(tally) = others {
            let workspace = self.workspace.clone();
            done.push(AgentDone { workspace, team: OTHER.into(), agent: OTHER.into(), tally });
        }
    }

    fn untallied(&self, row: &Row) -> u64 {
        if self.live { row.worked_units() * self.counted_to.saturating_sub(row.tallied_to) } else { 0 }
    }
}

/// What an agent did since the process started, by his names.
pub struct AgentDone {
    workspace: Box<str>,
    team: Box<str>,
    agent: Box<str>,
    tally: AgentTally,
}

impl AgentDone {
    pub fn collect(&self, scrape: &mut Scrape) {
        let tally = &self.tally;
        let labels = labels(&[("workspace", &self.workspace), ("team", &self.team), ("agent", &self.agent)]);
        scrape.whole(Family::AgentAssigned, &labels, tally.assigned);
        scrape.whole(Family::AgentHandled, &labels, tally.handled);
        scrape.whole(Family::AgentReplied, &labels, tally.replied);
        scrape.whole(Family::AgentResolved, &labels, tally.resolved);
        scrape.real(Family::AgentUnitSeconds, &labels, tally.unit_ms as f64 / 1e3);
    }
}

/// Who is removed is nobody's agent any more.
fn shown_states() -> impl Iterator<Item = AgentState> {
    AgentState::ALL.iter().copied().filter(|state| *state != AgentState::Removed)
}

impl Abilities {
    /// By membership, team and the skills that the queue asks for at first (routing.md §3, §4).
    fn serves(&self, queue: &Queue, policy: &Policy) -> bool {
        let by_team = || {
            let team = policy.teams.iter().find(|team| team.name == self.team);
            let memberships = team.map_or(&[][..], |team| &team.memberships);
            memberships.is_empty() || memberships.iter().any(|membership| membership.queue == queue.name)
        };
        let is_member = if self.queues.is_empty() { by_team() } else { self.queues.contains(&queue.name) };
        is_member && (queue.teams.is_empty() || queue.teams.contains(&self.team)) && self.have(&queue.skills)
    }

    fn have(&self, required: &[SkillLevel]) -> bool {
        let has = |needed: &SkillLevel| {
            self.skills.iter().any(|(name, level)| *name == needed.name && *level >= needed.level)
        };
        required.iter().all(has)
    }
}

impl Row {
    fn worked_units(&self) -> u64 {
        let worked = self.holds.iter().filter(|hold| is_work(hold.kind) && hold.kind != HoldKind::External);
        worked.map(|hold| u64::from(hold.units)).sum()
    }
}

impl Team {
    fn new(workspace: &str, name: &str) -> Team {
        Team {
            labels: labels(&[("workspace", workspace), ("team", name)]),
            labels_any: labels(&[("workspace", workspace), ("team", name), ("channel", ANY_CHANNEL)]),
            name: name.into(),
            states: [0; STATES],
            state_ms: [0; STATES],
            loads: [0; LOADS.len()],
            online_units: 0,
            online_unit_ms: 0,
            exceeded: [0; Exceeded::COUNT],
            ledgers: Vec::new(),
        }
    }

    fn ledger(&mut self, workspace: &str, channel: usize, name: &str) -> &mut Ledger {
        if self.ledgers.len() <= channel {
            self.ledgers.resize_with(channel + 1, || None);
        }
        self.ledgers[channel].get_or_insert_with(|| Ledger {
            labels: labels(&[("workspace", workspace), ("team", &self.name), ("channel", name)]),
            units: [0; KINDS],
            unit_ms: [0; KINDS],
        })
    }

    fn collect(&self, scrape: &mut Scrape) {
        for state in shown_states() {
            scrape.whole_of(Family::Agents, &self.labels, "state", state.word(), self.states[state as usize]);
            let seconds = self.state_ms[state as usize] as f64 / 1e3;
            scrape.real_of(Family::AgentStateSeconds, &self.labels, "state", state.word(), seconds);
        }
        for (word, count) in LOADS.into_iter().zip(self.loads) {
            scrape.whole_of(Family::AgentsByLoad, &self.labels, "load", word, count);
        }
        for (word, count) in Exceeded::WORDS.into_iter().zip(self.exceeded) {
            scrape.whole_of(Family::CapacityExceeded, &self.labels, "reason", word, count);
        }
        scrape.whole_of(Family::CapacityUnits, &self.labels_any, "kind", "limit", self.online_units);
        let seconds = self.online_unit_ms as f64 / 1e3;
        scrape.real_of(Family::CapacityUnitSeconds, &self.labels_any, "kind", "online", seconds);
        for ledger in self.ledgers.iter().flatten() {
            for kind in HoldKind::ALL.iter().copied() {
                let (at, word) = (kind as usize, kind.word());
                scrape.whole_of(Family::CapacityUnits, &ledger.labels, "kind", word, ledger.units[at]);
                if is_work(kind) {
                    let seconds = ledger.unit_ms[at] as f64 / 1e3;
                    scrape.real_of(Family::CapacityUnitSeconds, &ledger.labels, "kind", word, seconds);
                }
            }
        }
    }
}
