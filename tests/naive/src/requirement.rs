//! What a conversation asks of an agent: skills with levels, teams, and the first ring of its tier.

use engine::policy::SkillLevel;
use std::collections::{BTreeMap, BTreeSet};

/// Skill name -> level.
pub type Skills = BTreeMap<String, u8>;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Ring {
    /// Empty: any.
    pub team: String,
    pub seniority_at_least: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Requirement {
    pub skills: Skills,
    /// Empty: everybody.
    pub teams: BTreeSet<String>,
    pub ring: Option<Ring>,
}

/// Conversations with an equal one share one line and their rotations (routing.md §4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequirementSet {
    pub queue: String,
    pub requirement: Requirement,
    pub channel: String,
    /// Nobody claimed in time: another strategy picks.
    pub unclaimed: bool,
}

pub fn skills_of(levels: &[SkillLevel]) -> Skills {
    levels.iter().map(|skill| (skill.name.to_string(), skill.level)).collect()
}

/// Both lists, with the higher level where both name a skill.
pub fn joined(one: &Skills, other: &Skills) -> Skills {
    let mut all = one.clone();
    for (skill, &level) in other {
        let slot = all.entry(skill.clone()).or_insert(level);
        *slot = level.max(*slot);
    }
    all
}
