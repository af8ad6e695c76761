//! Which requirement set a conversation waits in: its queue's skills joined with the event's, on its channel.

use crate::effect::{Effect, NameOf, SkillSlot};
use crate::id::Id;
use crate::step::Stepping;
use alloc::vec::Vec;

impl Stepping<'_> {
    /// The slot of a skill, named now if nobody named it before.
    pub(crate) fn skill(&mut self, ws: u32, id: &Id) -> u32 {
        let names = &self.state.workspace(ws).skills;
        if let Some(slot) = names.find(id.hash) {
            return slot;
        }
        let slot = names.len();
        let text = id.text.clone();
        self.effect(Effect::Named { what: NameOf::Skill, workspace: ws, slot, hash: id.hash, text });
        slot
    }

    /// The set that exists already for a queue, a channel and the skills an event asks for beyond the queue's.
    pub(crate) fn find_set(&self, ws: u32, queue: u32, channel: u32, asked: &[SkillSlot]) -> Option<u32> {
        let workspace = self.state.workspace(ws);
        let own = workspace.queue(queue).map_or(&[][..], |q| &q.skills);
        if asked.is_empty() {
            return workspace.find_set(queue, channel, own);
        }
        workspace.find_set(queue, channel, &join(own, asked))
    }

    /// The same, opened if it does not exist.
    pub(crate) fn set_of(&mut self, ws: u32, queue: u32, channel: u32, asked: &[SkillSlot]) -> u32 {
        if let Some(set) = self.find_set(ws, queue, channel, asked) {
            return set;
        }
        let workspace = self.state.workspace(ws);
        let own = workspace.queue(queue).map_or(&[][..], |q| &q.skills);
        let skills = join(own, asked);
        let extra = skills.iter().copied().filter(|s| !own.contains(s)).collect();
        let set = workspace.next_set();
        self.effect(Effect::SetOpened { workspace: ws, set, queue, channel, skills, extra });
        set
    }
}

/// Both lists by skill, each skill once at its higher level.
fn join(a: &[SkillSlot], b: &[SkillSlot]) -> Vec<SkillSlot> {
    let mut all: Vec<SkillSlot> = a.iter().chain(b).copied().collect();
    all.sort_unstable_by(|x, y| x.skill.cmp(&y.skill).then(y.level.cmp(&x.level)));
    all.dedup_by_key(|s| s.skill);
    all
}
