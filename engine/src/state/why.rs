//! Why a conversation waits: the first of routing.md §5 that leaves no candidate. By plain scans: for views and checks.

use super::conversation::NONE;
use super::lane::LaneKey;
use super::{Phase, State};
use crate::effect::Requirement;
use crate::policy::Strategy;

impl State {
    /// A word of routing.md §5; empty for what does not wait.
    pub fn why(&self, slot: u32) -> &'static str {
        let row = self.conversation(slot);
        if row.phase != Phase::Queued {
            return "";
        }
        let ws = self.workspace(row.workspace);
        let set = &ws.sets[row.set as usize];
        let waiting = &self.texts[slot as usize].waiting;
        if !ws.desk(row.queue).serves(self.now) {
            return "closed";
        }
        if set.strategy == Strategy::Manual {
            return "manual";
        }
        if waiting.only != 0 {
            let fits = self.fits_alone(waiting.only - 1, row.queue, row.channel);
            return if fits { "due" } else { "preference" };
        }
        let members = ws.agents.iter().filter(|a| self.agent(**a).member(row.queue).is_some());
        let mut online =
            members.filter(|a| self.agent(**a).is_at_work() && !self.agent(**a).is_not_responding()).peekable();
        if online.peek().is_none() {
            return "nobody_online";
        }
        let key = LaneKey::of(row.set, waiting);
        let (mut able, mut reached, mut asked, mut unpaced, mut fit) = (0, 0, 0, 0, 0);
        for slot in &set.members {
            let agent = self.agent(*slot);
            let Some(part) = agent.part(row.set).filter(|_| agent.takes_work(row.channel)) else { continue };
            able += 1;
            let is_reached = part.member.delay_ms <= waiting.stage_ms;
            reached += u32::from(is_reached);
            let is_asked = is_reached && key.admits(agent, *slot);
            asked += u32::from(is_asked);
            let fits = ws
                .load(row.channel)
                .is_some_and(|load| agent.fits_by_load(&load) && agent.fits_queue(&part.member, load.units));
            unpaced += u32::from(is_asked && fits);
            fit += u32::from(is_asked && fits && agent.paced >> row.channel & 1 == 0);
        }
        match (able, reached, asked, unpaced, fit) {
            (0, ..) => "no_skill_online",
            (_, 0, ..) => "delay",
            (_, _, 0, ..) => "all_declined",
            (_, _, _, 0, _) => "all_full",
            (.., 0) => "paced",
            _ => "due",
        }
    }

    /// Members of a conversation's set whom its offers could still reach now, fitting or not: online, able, reached and
    /// not asked in this round.
    pub fn is_anybody_left(&self, slot: u32) -> bool {
        let row = self.conversation(slot);
        let waiting = &self.texts[slot as usize].waiting;
        let key = LaneKey::of(row.set, waiting);
        let set = &self.workspace(row.workspace).sets[row.set as usize];
        set.members.iter().any(|slot| {
            let agent = self.agent(*slot);
            agent.takes_work(row.channel) && key.admits(agent, *slot)
        })
    }

    /// Some agent, online or not, meets a requirement of a queue on a channel.
    pub fn is_anybody_able(&self, workspace: u32, queue: u32, channel: u32, requirement: &Requirement) -> bool {
        self.is_other_able((workspace, queue, channel), requirement, NONE)
    }

    /// The same of anybody but one.
    pub fn is_other_able(&self, place: (u32, u32, u32), requirement: &Requirement, but: u32) -> bool {
        let others = self.workspace(place.0).agents.iter().filter(|slot| **slot != but);
        others.into_iter().any(|slot| self.is_able(*slot, place, requirement))
    }

    /// The same of one: a member of the queue on that channel who has what it asks.
    pub fn is_able(&self, agent: u32, (_, queue, channel): (u32, u32, u32), r: &Requirement) -> bool {
        let agent = self.agent(agent);
        agent.member(queue).is_some()
            && agent.standing >> channel & 1 == 1
            && agent.has(&r.skills)
            && (r.teams.is_empty() || r.teams.contains(&agent.team))
    }

    /// The first in line of its queue, over all its lanes.
    pub fn is_first_in_queue(&self, slot: u32) -> bool {
        let row = self.conversation(slot);
        let ws = self.workspace(row.workspace);
        let of_queue = ws.lanes.iter().filter(|lane| lane.open && ws.sets[lane.key.set as usize].queue == row.queue);
        let first = of_queue.filter_map(|lane| lane.line.head()).min();
        first.is_some_and(|place| place.conversation == slot)
    }

    /// Somebody online could serve a set now, whatever he has.
    pub fn is_able_online(&self, workspace: u32, set: u32) -> bool {
        let row = &self.workspace(workspace).sets[set as usize];
        row.members.iter().any(|slot| self.agent(*slot).takes_work(row.channel))
    }

    /// A member of a queue is online and inside his shift.
    pub fn is_staffed_queue(&self, workspace: u32, queue: u32) -> bool {
        let agents = &self.workspace(workspace).agents;
        agents.iter().map(|a| self.agent(*a)).any(|a| a.is_at_work() && a.member(queue).is_some())
    }

    /// Another candidate than `without` for a conversation of this set, now.
    pub fn is_candidate_but(&self, workspace: u32, set: u32, without: u32) -> bool {
        let ws = self.workspace(workspace);
        let row = &ws.sets[set as usize];
        let own = self.agents.get(without as usize).and_then(|a| a.part(set));
        let others = row.candidates - u32::from(own.is_some_and(|part| part.candidate));
        others > 0 && row.strategy != Strategy::Manual && ws.desk(row.queue).serves(self.now) && without != NONE
    }
}
