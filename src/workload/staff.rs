//! Agents as metrics see them: who is in which state, how loaded, and unit-seconds, by team.
//!
//! States and units come from `agent.changed` and, at the end of each batch, from the replica for every agent that the
//! batch touched; holds from the assignments. Seconds run with engine time, between batches up to the scrape.

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

struct Row {
    team: u32,
    state: AgentState,
    used: u32,
    units: u32,
    skills: Skills,
    tally: AgentTally,
}

pub(super) struct Staff {
    workspace: Box<str>,
    /// Engine time up to which seconds are counted.
    counted_to: u64,
    teams: Vec<Team>,
    team_index: HashMap<Box<str>, u32>,
    agents: HashMap<Box<str>, Row>,
    /// Agents of equal skills by state: a queue's agents are summed over these, not over all agents.
    groups: HashMap<Skills, [u64; STATES]>,
}

impl Staff {
    pub(super) fn new(workspace: &str) -> Staff {
        Staff {
            workspace: workspace.into(),
            counted_to: 0,
            teams: Vec::new(),
            team_index: HashMap::new(),
            agents: HashMap::new(),
            groups: HashMap::new(),
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

    pub(super) fn take(&mut self, told: &ToldAgent) {
        let skills = self.agents.get(&told.id).map_or_else(|| Skills::from([]), |row| row.skills.clone());
        self.update(&told.id, &told.team, told.state, told.units_used, told.units, skills);
    }

    pub(super) fn sync(&mut self, agent: &view::Agent) {
        let same = |known: &[(Box<str>, u8)], now: &[SkillLevel]| {
            known.len() == now.len() && known.iter().zip(now).all(|((name, level), s)| *name == s.name && *level == s.level)
        };
        let known = self.agents.get(&agent.id).map(|row| row.skills.clone());
        let skills = known.filter(|known| same(known, &agent.config.skills)).unwrap_or_else(|| {
            agent.config.skills.iter().map(|skill| (skill.name.clone(), skill.level)).collect()
        });
        self.update(&agent.id, &agent.config.team, agent.state, agent.units_used, agent.units, skills);
    }

    fn update(&mut self, id: &str, team: &str, state: AgentState, used: u32, units: u32, skills: Skills) {
        let team = self.team(team);
        let tally = match self.agents.remove(id) {
            Some(row) => {
                self.place(&row, false);
                row.tally
            }
            None => AgentTally::default(),
        };
        let row = Row { team, state, used, units, skills, tally };
        self.place(&row, true);
        self.agents.insert(id.into(), row);
    }

    fn place(&mut self, row: &Row, here: bool) {
        let turn = |count: &mut u64, by: u64| if here { *count += by } else { *count -= by };
        let team = &mut self.teams[row.team as usize];
        turn(&mut team.states[row.state as usize], 1);
        if is_online(row.state) {
            turn(&mut team.loads[load_of(row.used, row.units)], 1);
            turn(&mut team.online_units, u64::from(row.units));
        }
        let group = self.groups.entry(row.skills.clone()).or_default();
        turn(&mut group[row.state as usize], 1);
        if group.iter().all(|count| *count == 0) {
            self.groups.remove(&row.skills);
        }
    }

    pub(super) fn hold(&mut self, agent: &str, channel: &str, units: u32, live: bool) -> TeamChannel {
        let team = match self.agents.get_mut(agent) {
            Some(row) => {
                row.tally.assigned += u64::from(live);
                row.team
            }
            None => self.team(""),
        };
        let work = self.teams[team as usize].work(&self.workspace, channel);
        self.teams[team as usize].work[work as usize].units += u64::from(units);
        TeamChannel { team, work }
    }

    pub(super) fn release(&mut self, agent: &str, of: TeamChannel, units: u32, held_ms: u64, live: bool) {
        self.teams[of.team as usize].work[of.work as usize].units -= u64::from(units);
        if let Some(row) = self.agents.get_mut(agent).filter(|_| live) {
            row.tally.unit_ms += held_ms * u64::from(units);
        }
    }

    pub(super) fn resolved(&mut self, agent: &str, live: bool) {
        if let Some(row) = self.agents.get_mut(agent) {
            row.tally.resolved += u64::from(live);
        }
    }

    pub(super) fn exceeded(&mut self, team: &str, reason: Reason, live: bool) {
        let column = usize::from(reason == Reason::CapacityLowered);
        let team = self.team(team);
        self.teams[team as usize].exceeded[column] += u64::from(live);
    }

    pub(super) fn tally(&self, agent: &str) -> AgentTally {
        self.agents.get(agent).map(|row| row.tally).unwrap_or_default()
    }

    /// Agents whose skills meet these, by state.
    pub(super) fn collect_queue(&self, required: &[SkillLevel], labels: &Labels, scrape: &mut Scrape) {
        let mut states = [0; STATES];
        let meets = |skills: &Skills| {
            required.iter().all(|needed| skills.iter().any(|(name, level)| *name == needed.name && *level >= needed.level))
        };
        for (_, counts) in self.groups.iter().filter(|(skills, _)| meets(skills)) {
            states.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
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
