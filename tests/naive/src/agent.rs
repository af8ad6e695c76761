//! One agent: what he is configured to be, where he is, and the ledger of what he holds.

use crate::requirement::{Requirement, Skills};
use engine::input::Status;
use engine::policy::AgentConfig;
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldKind {
    Work,
    Offer,
    WrapUp,
    External,
}

/// A part of an agent's capacity that is taken.
#[derive(Clone)]
pub struct Hold {
    pub kind: HoldKind,
    /// The conversation, or the external engagement.
    pub reference: String,
    pub channel: String,
    /// Of conversations: the queue that it counts for.
    pub queue: String,
    pub units: u32,
    /// When it was made; a turn of theirs may take less.
    pub full_units: u32,
    /// Nothing is added beside it; as its channel was when it was made.
    pub is_exclusive: bool,
    /// Of wrap-up.
    pub until: Option<u64>,
    /// Wrap-up that nobody may end early.
    pub is_timed: bool,
}

/// A lease: what one source last said of the agent.
#[derive(Clone)]
pub struct Row {
    pub source: u128,
    pub source_name: String,
    pub status: Status,
    pub session: Option<u128>,
    pub sequence: Option<u64>,
    pub is_by_agent: bool,
    pub term_ms: Option<u64>,
    pub expires_at: Option<u64>,
    /// None: all.
    pub channels: Option<Vec<u128>>,
    /// Extended in a storm, and not renewed since.
    pub is_graced: bool,
}

pub struct Agent {
    pub id: String,
    pub config: AgentConfig,
    pub skills: HashMap<String, u8>,
    pub is_removed: bool,
    /// In the order of their insertion.
    pub rows: Vec<Row>,
    pub choice: Option<Status>,
    /// A supervisor's, above his own choice.
    pub word: Option<Status>,
    pub effective: Status,
    /// When he went away directly from online.
    pub away_since: Option<u64>,
    /// Offline: when his work is looked at.
    pub away_at: Option<u64>,
    pub offline_since: u64,
    pub idle_since: u64,
    pub holds: Vec<Hold>,
    pub is_draining: bool,
    pub is_off_shift: bool,
    /// Consecutive declines and expiries.
    pub misses: u32,
    pub not_responding_since: Option<u64>,
    /// Channels on which he gets nothing for the moment, since he was last given something.
    pub paced: BTreeSet<String>,
    pub last_given: u64,
    /// When the first of them is open to him again.
    pub pace_at: Option<u64>,
    /// When he counts as responding again by itself.
    pub respond_at: Option<u64>,
}

impl Agent {
    pub fn new(id: &str, config: &AgentConfig, now: u64) -> Agent {
        Agent {
            id: id.to_string(),
            config: config.clone(),
            skills: skills_by_name(config),
            is_removed: false,
            rows: Vec::new(),
            choice: None,
            word: None,
            effective: Status::Offline,
            away_since: None,
            away_at: None,
            offline_since: 0,
            idle_since: now,
            holds: Vec::new(),
            is_draining: false,
            is_off_shift: false,
            misses: 0,
            not_responding_since: None,
            paced: BTreeSet::new(),
            last_given: 0,
            pace_at: None,
            respond_at: None,
        }
    }

    pub fn configure(&mut self, config: &AgentConfig) {
        self.config = config.clone();
        self.skills = skills_by_name(config);
    }

    pub fn used(&self) -> u32 {
        self.holds.iter().map(|hold| hold.units).sum()
    }

    pub fn is_online(&self) -> bool {
        self.effective == Status::Online
    }

    pub fn responds(&self) -> bool {
        self.not_responding_since.is_none()
    }

    /// What fills him whatever his units are.
    pub fn holds_exclusive(&self) -> bool {
        self.holds.iter().any(|hold| hold.is_exclusive && hold.kind != HoldKind::WrapUp)
    }

    pub fn hold(&self, kind: HoldKind, reference: &str) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.kind == kind && hold.reference == reference)
    }

    pub fn has_skills(&self, required: &Skills) -> bool {
        required.iter().all(|(skill, level)| self.skills.get(skill).is_some_and(|has| has >= level))
    }

    pub fn meets(&self, requirement: &Requirement) -> bool {
        let of_team = |team: &str| team == &*self.config.team;
        let in_ring = requirement.ring.as_ref().is_none_or(|ring| {
            (ring.team.is_empty() || of_team(&ring.team)) && self.config.seniority >= ring.seniority_at_least
        });
        let in_teams = requirement.teams.is_empty() || requirement.teams.iter().any(|team| of_team(team));
        in_ring && in_teams && self.has_skills(&requirement.skills)
    }

    /// Sum of his levels over these skills.
    pub fn levels_over<'s>(&self, skills: impl Iterator<Item = &'s str>) -> u32 {
        skills.map(|skill| self.skills.get(skill).map_or(0, |level| u32::from(*level))).sum()
    }

    /// Serves this channel at all.
    pub fn stands_on(&self, channel: &str) -> bool {
        self.config.channels.is_empty() || self.config.channels.iter().any(|own| **own == *channel)
    }
}

fn skills_by_name(config: &AgentConfig) -> HashMap<String, u8> {
    config.skills.iter().map(|skill| (skill.name.to_string(), skill.level)).collect()
}
