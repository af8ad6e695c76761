//! Which requirement set a conversation waits in: its queue's skills joined with those the event asked for, on its channel.
//!
//! Sets of configured queues exist whenever they are needed. Events may ask for anything, so theirs are bounded: beyond
//! 1,024 sets a new one takes the place of one that nobody waits in, and where there is none the event's skills are left
//! out (routing.md §4).

use crate::effect::{Effect, NameOf, SkillSlot};
use crate::id::Id;
use crate::input::Contact;
use crate::policy::limits;
use crate::step::Stepping;
use alloc::vec::Vec;

/// Skills that a workspace may ever have named.
const SKILLS_EVER: u32 = 16_384;

impl Stepping<'_> {
    /// The skills that a contact asks for, by slot; fewer than it names where the workspace has named its limit.
    pub(crate) fn asked(&mut self, ws: u32, contact: &Contact) -> Vec<SkillSlot> {
        let mut asked = Vec::new();
        for required in &contact.skills {
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

    /// The set for these skills. False: there was no room for it, and it is the queue's own.
    pub(crate) fn set_of(&mut self, ws: u32, queue: u32, channel: u32, asked: &[SkillSlot]) -> (u32, bool) {
        let workspace = self.state.workspace(ws);
        let own = workspace.queue(queue).map_or(&[][..], |q| &q.skills);
        let joined;
        let skills = if asked.is_empty() {
            own
        } else {
            joined = join(own, asked);
            &joined
        };
        if let Some(set) = workspace.find_set(queue, channel, skills) {
            return (set, true);
        }
        if skills != own && workspace.open_sets() >= limits::REQUIREMENT_SETS {
            let Some(set) = workspace.idle_set() else {
                return (self.set_of(ws, queue, channel, &[]).0, false);
            };
            let skills = skills.into();
            self.effect(Effect::SetClosed { workspace: ws, set });
            return (self.open_set(ws, queue, channel, skills), true);
        }
        let skills = skills.into();
        (self.open_set(ws, queue, channel, skills), true)
    }

    fn open_set(&mut self, ws: u32, queue: u32, channel: u32, skills: Vec<SkillSlot>) -> u32 {
        let set = self.state.workspace(ws).next_set();
        self.effect(Effect::SetOpened { workspace: ws, set, queue, channel, skills });
        set
    }

    /// The set of a conversation that is in the state, in a queue as it is now.
    pub(crate) fn set_again(&mut self, conversation: u32, queue: u32, channel: u32) -> u32 {
        let ws = self.state.conversation(conversation).workspace();
        let asked = self.state.texts(conversation).asked.clone();
        self.set_of(ws, queue, channel, &asked).0
    }
}

/// Both lists by skill, each skill once at its higher level.
fn join(a: &[SkillSlot], b: &[SkillSlot]) -> Vec<SkillSlot> {
    let mut all: Vec<SkillSlot> = a.iter().chain(b).copied().collect();
    all.sort_unstable_by(|x, y| x.skill.cmp(&y.skill).then(y.level.cmp(&x.level)));
    all.dedup_by_key(|s| s.skill);
    all
}
