//! Agents as metrics see them: who is in which state, how loaded, and unit-seconds, by team.
//!
//! Presence and units come from `agent.changed`, holds from the assignments, skills and what a new policy changed from
//! the replica; `unlike` compares with it. Seconds run with engine time, between batches up to the scrape.

use super::AgentTally;
use crate::metrics::{Family, Labels, Scrape, labels};
use engine::decision::{AgentState, Reason, ToldAgent};
use engine::policy::SkillLevel;
use engine::view;
use std::collections::HashMap;
use std::sync::Arc;

/// Teams told apart in a workspace; the rest are `other`.
const TEAMS_MAX: usize = 200;
const OTHER: &str = "other";
const NO_TEAM: &str = "none";
/// The channel label of units that all channels share.
const ANY_CHANNEL: &str = "any";

const STATES: usize = AgentState::ALL.len();
const LOADS: [&str; 6] = ["0", "le_25", "le_50", "le_75", "le_100", "over"];
const EXCEEDED: [&str; 2] = ["override", "capacity_lowered"];

fn is_online(state: AgentState) -> bool {
    !matches!(state, AgentState::Offline | AgentState::Away)
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

#[derive(Clone, Copy)]
pub(super) struct TeamChannel {
    team: u32,
    work: u32,
}

struct Work {
    labels: Labels,
    units: u64,
    unit_ms: u64,
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
    exceeded: [u64; EXCEEDED.len()],
    work: Vec<Work>,
    work_index: HashMap<Box<str>, u32>,
}

type Skills = Arc<[(Box<str>, u8)]>;

/// A place in `rows`.
pub(super) type AgentIndex = u32;

struct Row {
    team: u32,
    /// offline, away, or derived from the load.
    state: AgentState,
    used: u32,
    units: u32,
    /// Holds of an exclusive channel.
    exclusive: u32,
    group: u32,
    tally: AgentTally,
}

/// Agents of equal skills, by state: a queue's agents are summed over these, not over all agents.
struct Group {
    skills: Skills,
    states: [u64; STATES],
}

pub(super) struct Staff {
    workspace: Box<str>,
    /// Engine time up to which seconds are counted.
    counted_to: u64,
    teams: Vec<Team>,
    team_index: HashMap<Box<str>, u32>,
    index: HashMap<Box<str>, AgentIndex>,
    rows: Vec<Row>,
    group_index: HashMap<Skills, u32>,
    groups: Vec<Group>,
    /// Groups that nobody is in any more.
    free_groups: Vec<u32>,
}

impl Staff {
    pub(super) fn new(workspace: &str) -> Staff {
        Staff {
            workspace: workspace.into(),
            counted_to: 0,
            teams: Vec::new(),
            team_index: HashMap::new(),
            index: HashMap::new(),
            rows: Vec::new(),
            group_index: HashMap::new(),
            groups: Vec::new(),
            free_groups: Vec::new(),
        }
    }

    /// Recovery is over: what lies before `now` is not counted.
    pub(super) fn start(&mut self, now: u64) {
        self.counted_to = self.counted_to.max(now);
    }

    pub(super) fn advance(&mut self, now: u64, live: bool) {
        let passed_ms = now.saturating_sub(self.counted_to);
        if passed_ms == 0 {
            return;
        }
        self.counted_to = now;
        if !live {
            return;
        }
        for team in &mut self.teams {
            for (sum, count) in team.state_ms.iter_mut().zip(team.states) {
                *sum += count * passed_ms;
            }
            team.online_unit_ms += team.online_units * passed_ms;
            team.work.iter_mut().for_each(|work| work.unit_ms += work.units * passed_ms);
        }
    }

    fn team(&mut self, name: &str) -> u32 {
        if let Some(found) = self.team_index.get(name) {
            return *found;
        }
        let shown = match name {
            "" => NO_TEAM,
            _ if self.teams.len() >= TEAMS_MAX => OTHER,
            _ => name,
        };
        let at = self.teams.iter().position(|team| &*team.name == shown).unwrap_or_else(|| {
            self.teams.push(Team::new(&self.workspace, shown));
            self.teams.len() - 1
        });
        self.team_index.insert(name.into(), at as u32);
        at as u32
    }

    /// What `agent.changed` says.
    pub(super) fn take(&mut self, told: &ToldAgent) {
        let team = self.team(&told.team);
        let at = self.row(&told.id, &told.team);
        self.change(at, |row| {
            (row.team, row.state, row.used, row.units) = (team, told.state, told.units_used, told.units);
        });
    }

    /// What the replica says, skills included.
    pub(super) fn sync(&mut self, agent: &view::Agent) {
        let team = self.team(&agent.config.team);
        let at = self.row(&agent.id, &agent.config.team);
        let old = self.rows[at as usize].group;
        let group = self.group(&agent.config.skills);
        self.change(at, |row| {
            (row.team, row.group, row.state, row.used, row.units) =
                (team, group, agent.state, agent.units_used, agent.units);
        });
        let left = &self.groups[old as usize];
        if old != group && left.states.iter().all(|count| *count == 0) {
            self.group_index.remove(&left.skills);
            self.free_groups.push(old);
        }
    }

    fn row(&mut self, id: &str, team: &str) -> AgentIndex {
        if let Some(found) = self.index.get(id) {
            return *found;
        }
        let (team, group, tally) = (self.team(team), self.group(&[]), AgentTally::default());
        self.rows.push(Row { team, state: AgentState::Offline, used: 0, units: 0, exclusive: 0, group, tally });
        let at = self.rows.len() as AgentIndex - 1;
        self.index.insert(id.into(), at);
        self.place(at, true);
        at
    }

    fn group(&mut self, skills: &[SkillLevel]) -> u32 {
        let skills: Skills = skills.iter().map(|skill| (skill.name.clone(), skill.level)).collect();
        if let Some(found) = self.group_index.get(&skills) {
            return *found;
        }
        let group = Group { skills: skills.clone(), states: [0; STATES] };
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
        self.group_index.insert(skills, at);
        at
    }

    /// Changes a row with all that is summed over it.
    fn change(&mut self, at: AgentIndex, change: impl FnOnce(&mut Row)) {
        self.place(at, false);
        change(&mut self.rows[at as usize]);
        self.place(at, true);
    }

    fn place(&mut self, at: AgentIndex, here: bool) {
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
        turn(&mut self.groups[row.group as usize].states[row.state as usize], 1);
    }

    pub(super) fn hold(
        &mut self,
        agent: &str,
        channel: &str,
        units: u32,
        exclusive: bool,
        live: bool,
    ) -> (AgentIndex, TeamChannel) {
        let at = self.row(agent, "");
        self.change(at, |row| {
            row.used += units;
            row.exclusive += u32::from(exclusive);
            row.tally.assigned += u64::from(live);
            row.derive_state();
        });
        let team = self.rows[at as usize].team;
        let work = self.teams[team as usize].work(&self.workspace, channel);
        self.teams[team as usize].work[work as usize].units += u64::from(units);
        (at, TeamChannel { team, work })
    }

    pub(super) fn release(
        &mut self,
        at: AgentIndex,
        of: TeamChannel,
        units: u32,
        exclusive: bool,
        held_ms: u64,
        live: bool,
    ) {
        self.teams[of.team as usize].work[of.work as usize].units -= u64::from(units);
        self.change(at, |row| {
            row.used -= units;
            row.exclusive -= u32::from(exclusive);
            row.tally.unit_ms += if live { held_ms * u64::from(units) } else { 0 };
            row.derive_state();
        });
    }

    pub(super) fn resolved(&mut self, agent: &str, live: bool) {
        if let Some(at) = self.index.get(agent) {
            self.rows[*at as usize].tally.resolved += u64::from(live);
        }
    }

    /// Where these agents are told otherwise than they are, as a sentence.
    pub(super) fn unlike(&self, agents: &[view::Agent]) -> Option<String> {
        agents.iter().find_map(|agent| {
            let row = self.index.get(&agent.id).map(|at| &self.rows[*at as usize]);
            let told = row.map(|row| (row.state, row.used, row.units));
            let is = (agent.state, agent.units_used, agent.units);
            (told != Some(is)).then(|| format!("agent {} is told as {told:?} and is {is:?}", agent.id))
        })
    }

    pub(super) fn exceeded(&mut self, team: &str, reason: Reason, live: bool) {
        let column = usize::from(reason == Reason::CapacityLowered);
        let team = self.team(team);
        self.teams[team as usize].exceeded[column] += u64::from(live);
    }

    pub(super) fn tally(&self, agent: &str) -> AgentTally {
        self.index.get(agent).map(|at| self.rows[*at as usize].tally).unwrap_or_default()
    }

    /// Agents whose skills meet these, by state.
    pub(super) fn collect_queue(&self, required: &[SkillLevel], labels: &Labels, scrape: &mut Scrape) {
        let mut states = [0; STATES];
        let meets = |skills: &Skills| {
            required
                .iter()
                .all(|needed| skills.iter().any(|(name, level)| *name == needed.name && *level >= needed.level))
        };
        for group in self.groups.iter().filter(|group| meets(&group.skills)) {
            states.iter_mut().zip(group.states).for_each(|(sum, count)| *sum += count);
        }
        for state in AgentState::ALL {
            scrape.whole_of(Family::QueueAgents, labels, "state", state.word(), states[*state as usize]);
        }
    }

    pub(super) fn collect(&self, scrape: &mut Scrape) {
        for team in &self.teams {
            for state in AgentState::ALL {
                let (at, word) = (*state as usize, state.word());
                scrape.whole_of(Family::Agents, &team.labels, "state", word, team.states[at]);
                let seconds = team.state_ms[at] as f64 / 1e3;
                scrape.real_of(Family::AgentStateSeconds, &team.labels, "state", word, seconds);
            }
            for (word, count) in LOADS.into_iter().zip(team.loads) {
                scrape.whole_of(Family::AgentsByLoad, &team.labels, "load", word, count);
            }
            for (word, count) in EXCEEDED.into_iter().zip(team.exceeded) {
                scrape.whole_of(Family::CapacityExceeded, &team.labels, "reason", word, count);
            }
            scrape.whole_of(Family::CapacityUnits, &team.labels_any, "kind", "limit", team.online_units);
            let seconds = team.online_unit_ms as f64 / 1e3;
            scrape.real_of(Family::CapacityUnitSeconds, &team.labels_any, "kind", "online", seconds);
            for work in &team.work {
                scrape.whole_of(Family::CapacityUnits, &work.labels, "kind", "work", work.units);
                let seconds = work.unit_ms as f64 / 1e3;
                scrape.real_of(Family::CapacityUnitSeconds, &work.labels, "kind", "work", seconds);
            }
        }
    }
}

impl Row {
    /// As the engine derives it (routing.md §3).
    fn derive_state(&mut self) {
        if is_online(self.state) {
            self.state = match self.used {
                used if used >= self.units || self.exclusive > 0 => AgentState::Full,
                0 => AgentState::Available,
                _ => AgentState::Partly,
            };
        }
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
            exceeded: [0; EXCEEDED.len()],
            work: Vec::new(),
            work_index: HashMap::new(),
        }
    }

    fn work(&mut self, workspace: &str, channel: &str) -> u32 {
        if let Some(found) = self.work_index.get(channel) {
            return *found;
        }
        let labels = labels(&[("workspace", workspace), ("team", &self.name), ("channel", channel)]);
        self.work.push(Work { labels, units: 0, unit_ms: 0 });
        let at = self.work.len() as u32 - 1;
        self.work_index.insert(channel.into(), at);
        at
    }
}
