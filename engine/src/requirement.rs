//! Which requirement set a conversation waits in: its queue's skills joined with those the event asked for, on its channel.
//!
//! Sets of configured queues exist whenever they are needed. Events may ask for anything, so theirs are bounded: beyond
//! 1,024 sets a new one takes the place of one that nobody waits in, and where there is none the event's skills are left
//! out (routing.md §4).

use crate::effect::{Effect, NameOf, Requirement, SkillSlot, Waiting};
use crate::id::Id;
use crate::input::RequiredSkill;
use crate::policy::limits;
use crate::queueing::join;
use crate::step::Stepping;
use alloc::vec::Vec;

/// Skills that a workspace may ever have named.
const SKILLS_EVER: u32 = 16_384;

impl Stepping<'_> {
    /// The skills that a contact asks for, by slot; fewer than it names where the workspace has named its limit.
    pub(crate) fn asked(&mut self, ws: u32, skills: &[RequiredSkill]) -> Vec<SkillSlot> {
        let mut asked = Vec::new();
        for required in skills {
            if let Some(skill) = self.skill(ws, &required.skill) {
                asked.push(SkillSlot { skill, level: required.level });
            }
        }
        asked.sort_unstable();
        asked
    }

    /// The slot of a skill, named now if nobody named it before.
    fn skill(&mut self, ws: u32, id: &Id) -> Option<u16> {
        let names = &self.state.workspace(ws).skills;
        if let Some(slot) = names.find(id.hash) {
            return Some(slot as u16);
        }
        let slot = names.len();
        if slot >= SKILLS_EVER {
            return None;
        }
        let text = id.text.clone();
        self.effect(Effect::Named { what: NameOf::Skill, workspace: ws, slot, hash: id.hash, text });
        Some(slot as u16)
    }

    /// The set of a requirement. False: there was no room for it, and it is the queue's own.
    pub(crate) fn set_of(&mut self, ws: u32, queue: u32, channel: u32, requirement: Requirement) -> (u32, bool) {
        let workspace = self.state.workspace(ws);
        if let Some(set) = workspace.find_set(queue, channel, &requirement) {
            return (set, true);
        }
        let is_own = workspace.is_own(queue, &requirement);
        if !is_own && workspace.open_sets() >= limits::REQUIREMENT_SETS {
            let Some(set) = workspace.idle_set() else {
                let rule = workspace.queue(queue);
                let own = Requirement {
                    skills: rule.map_or_else(Vec::new, |q| q.skills.clone()),
                    teams: rule.map_or_else(Vec::new, |q| q.teams.clone()),
                    ..requirement
                };
                return (self.set_of(ws, queue, channel, own).0, false);
            };
            self.effect(Effect::SetClosed { workspace: ws, set });
        }
        (self.open_set(ws, queue, channel, requirement), true)
    }

    fn open_set(&mut self, ws: u32, queue: u32, channel: u32, requirement: Requirement) -> u32 {
        let set = self.state.workspace(ws).next_set();
        let Requirement { skills, teams, ring_team, ring_seniority, unclaimed } = requirement;
        let opened = Effect::SetOpened {
            workspace: ws,
            set,
            queue,
            channel,
            skills,
            teams,
            ring_team,
            ring_seniority,
            unclaimed,
        };
        self.effect(opened);
        set
    }

    /// Whether a set for what an event asks beyond its queue is there or could be.
    pub(crate) fn has_room_for_set(&self, slot: u32, queue: u32, asked: &[SkillSlot]) -> bool {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let Some(rule) = workspace.queue(queue).filter(|_| !asked.is_empty()) else { return true };
        let tier = workspace.tier_rule(row.tier());
        let requirement = Requirement {
            skills: join(&rule.skills, asked),
            teams: rule.teams.clone(),
            ring_team: if tier.ring_ms > 0 { tier.ring_team } else { 0 },
            ring_seniority: if tier.ring_ms > 0 { tier.ring_seniority } else { 0 },
            unclaimed: false,
        };
        workspace.find_set(queue, row.channel(), &requirement).is_some()
            || workspace.is_own(queue, &requirement)
            || workspace.open_sets() < limits::REQUIREMENT_SETS
            || workspace.idle_set().is_some()
    }

    /// The set in which a conversation would stand at its entry into a queue.
    pub(crate) fn set_at_entry(&mut self, slot: u32, queue: u32) -> u32 {
        let row = self.state.conversation(slot);
        let (ws, channel) = (row.workspace(), row.channel());
        let ring = self.state.workspace(ws).tier_rule(row.tier()).ring_ms > 0;
        let requirement = self.requirement(slot, queue, &Waiting { ring, ..Waiting::default() });
        self.set_of(ws, queue, channel, requirement).0
    }
}
