//! Lanes: conversations of one requirement set that the same agents could take now.
//!
//! Most wait in their set's plain lane. Who declined, who gave it away, a delay that is not over and a preferred agent
//! take agents out for one conversation: those with the same exceptions share a lane. A lane is a line and two bits of
//! its workspace, *somebody waits* and *somebody could serve*, so one that nobody can serve is never looked at.

use super::agent::Agent;
use super::conversation::NONE;
use super::digest::Fingerprint;
use super::line::{Line, Place};
use super::set::Eligible;
use super::{State, Workspace};
use crate::effect::Waiting;
use crate::id::HashKey;
use crate::policy::Strategy;
use alloc::vec::Vec;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LaneKey {
    pub set: u32,
    pub stage_ms: u64,
    /// NONE: anybody.
    pub only: u32,
    /// By slot.
    pub without: Vec<u32>,
}

impl LaneKey {
    pub fn of(set: u32, waiting: &Waiting) -> LaneKey {
        if waiting.only != 0 {
            return LaneKey { set, stage_ms: 0, only: waiting.only - 1, without: Vec::new() };
        }
        let mut without = waiting.declined.clone();
        if waiting.giver != 0 {
            without.push(waiting.giver - 1);
        }
        without.sort_unstable();
        without.dedup();
        LaneKey { set, stage_ms: waiting.stage_ms, only: NONE, without }
    }

    fn hash(&self) -> u64 {
        let mut f = Fingerprint::new(HashKey(0), 7);
        f.word(u64::from(self.set) << 32 | u64::from(self.only));
        f.word(self.stage_ms);
        self.without.iter().for_each(|agent| f.word(u64::from(*agent)));
        f.end() as u64
    }

    /// Whether a candidate of the set may take what waits here.
    pub fn admits(&self, agent: &Agent, slot: u32) -> bool {
        self.without.binary_search(&slot).is_err()
            && agent.part(self.set).is_some_and(|part| part.member.delay_ms <= self.stage_ms)
    }
}

pub(super) struct Lane {
    pub key: LaneKey,
    pub line: Line,
    pub open: bool,
}

#[derive(Clone, Copy)]
enum Which {
    Waiting,
    Staffed,
}

/// Whom a lane's head goes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    pub conversation: u32,
    pub set: u32,
    pub agent: u32,
    pub strategy: Strategy,
    /// It waited for him alone.
    pub preferred: bool,
    /// Candidates of his rank who could not be picked.
    pub frozen: Vec<u32>,
}

impl Workspace {
    fn fits_alone(&self, agent: &Agent, queue: u32, channel: u32) -> bool {
        let units = self.channel(channel).map_or(1, |c| c.units);
        agent.fit >> channel & 1 == 1 && agent.member(queue).is_none_or(|member| agent.fits_queue(&member, units))
    }

    pub(super) fn find_lane(&self, key: &LaneKey) -> Option<u32> {
        self.lane_index.find(key.hash(), |lane| self.lanes[*lane as usize].key == *key).copied()
    }

    /// Sets a lane's bit *somebody waits* or *somebody could serve*, and counts the lanes that have both.
    fn mark(&mut self, which: Which, lane: u32, is: bool) {
        let (word, bit) = (lane as usize / 64, 1u64 << (lane % 64));
        let had_both = self.waiting[word] & self.staffed[word] & bit != 0;
        let bits = match which {
            Which::Waiting => &mut self.waiting,
            Which::Staffed => &mut self.staffed,
        };
        bits[word] = if is { bits[word] | bit } else { bits[word] & !bit };
        let has_both = self.waiting[word] & self.staffed[word] & bit != 0;
        self.ready = self.ready + u32::from(has_both) - u32::from(had_both);
    }

    /// Calls `look` with each lane in which somebody waits whom somebody could serve.
    #[inline]
    pub(super) fn for_each_ready(&self, mut look: impl FnMut(u32)) {
        for (i, (w, s)) in self.waiting.iter().zip(&self.staffed).enumerate() {
            let mut bits = w & s;
            while bits != 0 {
                look(i as u32 * 64 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
    }

    /// Whether there is such a lane.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.ready > 0
    }
}

impl State {
    /// A conversation takes its place in the lane of what it waits for.
    pub(super) fn enter_lane(&mut self, workspace: u32, key: LaneKey, place: Place) {
        let ws = &mut self.workspaces[workspace as usize];
        let lane = match ws.find_lane(&key) {
            Some(lane) => lane,
            None => self.open_lane(workspace, key),
        };
        let ws = &mut self.workspaces[workspace as usize];
        self.conversations[place.conversation as usize].lane = lane;
        ws.lanes[lane as usize].line.push(place, &mut self.conversations);
        ws.mark(Which::Waiting, lane, true);
    }

    fn open_lane(&mut self, workspace: u32, key: LaneKey) -> u32 {
        let ws = &mut self.workspaces[workspace as usize];
        let lane = ws.free_lanes.pop().unwrap_or_else(|| {
            let lane = ws.lanes.len() as u32;
            ws.lanes.push(Lane { key: key.clone(), line: Line::default(), open: false });
            if ws.waiting.len() * 64 <= lane as usize {
                ws.waiting.push(0);
                ws.staffed.push(0);
            }
            lane
        });
        let row = &mut ws.lanes[lane as usize];
        row.key = key;
        row.open = true;
        let (set, only) = (row.key.set, row.key.only);
        let lanes = &ws.lanes;
        ws.lane_index.insert_unique(lanes[lane as usize].key.hash(), lane, |l| lanes[*l as usize].key.hash());
        ws.sets[set as usize].lanes.push(lane);
        if only != NONE {
            self.agents[only as usize].own_lanes.push(lane);
        }
        self.staff(workspace, lane);
        lane
    }

    pub(super) fn leave_lane(&mut self, workspace: u32, conversation: u32) {
        let lane = core::mem::replace(&mut self.conversations[conversation as usize].lane, NONE);
        assert_ne!(lane, NONE, "a conversation that waits stands in no lane");
        let ws = &mut self.workspaces[workspace as usize];
        let row = &mut ws.lanes[lane as usize];
        row.line.remove(conversation, &mut self.conversations);
        if !row.line.is_empty() {
            return;
        }
        let is_plain = row.key.only == NONE && row.key.stage_ms == 0 && row.key.without.is_empty();
        ws.mark(Which::Waiting, lane, false);
        if !is_plain {
            self.close_lane(workspace, lane);
        }
    }

    pub(super) fn close_lane(&mut self, workspace: u32, lane: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        let row = &mut ws.lanes[lane as usize];
        row.open = false;
        let (set, only, hash) = (row.key.set, row.key.only, row.key.hash());
        if let Ok(entry) = ws.lane_index.find_entry(hash, |l| *l == lane) {
            entry.remove();
        }
        ws.mark(Which::Staffed, lane, false);
        ws.mark(Which::Waiting, lane, false);
        ws.sets[set as usize].lanes.retain(|l| *l != lane);
        ws.free_lanes.push(lane);
        if only != NONE {
            self.agents[only as usize].own_lanes.retain(|l| *l != lane);
        }
    }

    /// Brings a lane's bit *somebody could serve* up to date.
    pub(super) fn staff(&mut self, workspace: u32, lane: u32) {
        let is = self.is_staffed(workspace, lane);
        self.workspaces[workspace as usize].mark(Which::Staffed, lane, is);
    }

    pub(super) fn staff_set(&mut self, workspace: u32, set: u32) {
        for at in 0..self.workspaces[workspace as usize].sets[set as usize].lanes.len() {
            let lane = self.workspaces[workspace as usize].sets[set as usize].lanes[at];
            self.staff(workspace, lane);
        }
    }

    /// Whether one whom a conversation waits for could take it: what his membership of its queue allows counts too.
    pub fn fits_alone(&self, agent: u32, queue: u32, channel: u32) -> bool {
        let agent = &self.agents[agent as usize];
        self.workspaces[agent.workspace as usize].fits_alone(agent, queue, channel)
    }

    fn is_staffed(&self, workspace: u32, lane: u32) -> bool {
        let ws = &self.workspaces[workspace as usize];
        let key = &ws.lanes[lane as usize].key;
        let set = &ws.sets[key.set as usize];
        if !set.open || set.strategy == Strategy::Manual || !ws.desk(set.queue).serves(self.now) {
            return false;
        }
        if key.only != NONE {
            return self.fits_alone(key.only, set.queue, set.channel);
        }
        let without = key.without.iter().filter(|slot| {
            let part = self.agents[**slot as usize].part(key.set);
            part.is_some_and(|part| part.candidate && part.member.delay_ms <= key.stage_ms)
        });
        set.reached(key.stage_ms) > without.count() as u32
    }

    /// The next assignment: the best head over all lanes that somebody could serve, and whom it goes to. A freed agent
    /// serves lower priorities of his memberships first: an agent who would rather serve another lane that is ready is
    /// not willing.
    pub fn next_match(&mut self, workspace: u32) -> Option<Match> {
        if !self.workspaces[workspace as usize].is_ready() {
            return None;
        }
        if !self.workspaces[workspace as usize].has_priorities {
            let lane = self.best_lane(workspace)?;
            let found = self.match_of(workspace, lane, None);
            assert!(found.is_some(), "a lane counts a candidate that its set's pool does not know");
            return found;
        }
        let mut ready: Vec<(Place, u32)> = Vec::new();
        let ws = &self.workspaces[workspace as usize];
        ws.for_each_ready(|lane| ready.extend(ws.lanes[lane as usize].line.head().map(|head| (*head, lane))));
        ready.sort_unstable();
        for (_, lane) in &ready {
            if let Some(found) = self.match_of(workspace, *lane, Some(&ready)) {
                return Some(found);
            }
        }
        unreachable!("somebody prefers one of the lanes that are ready to all others")
    }

    fn best_lane(&self, workspace: u32) -> Option<u32> {
        let ws = &self.workspaces[workspace as usize];
        let mut best: Option<(Place, u32)> = None;
        ws.for_each_ready(|lane| {
            let head = ws.lanes[lane as usize].line.head();
            if let Some(head) = head.filter(|head| best.is_none_or(|(b, _)| **head < b)) {
                best = Some((*head, lane));
            }
        });
        best.map(|(_, lane)| lane)
    }

    fn match_of(&mut self, workspace: u32, lane: u32, ready: Option<&[(Place, u32)]>) -> Option<Match> {
        let ws = &mut self.workspaces[workspace as usize];
        let key = ws.lanes[lane as usize].key.clone();
        let conversation = ws.lanes[lane as usize].line.head()?.conversation;
        let strategy = ws.sets[key.set as usize].strategy;
        let matched =
            |agent, preferred, frozen| Match { conversation, set: key.set, agent, strategy, preferred, frozen };
        if key.only != NONE {
            let agent = &self.agents[key.only as usize];
            let willing = ready.is_none_or(|ready| !prefers_another(ws, agent, key.only, lane, ready));
            return willing.then(|| matched(key.only, true, Vec::new()));
        }
        let set = &mut ws.sets[key.set as usize];
        let plain = key.without.is_empty() && set.reached(key.stage_ms) == set.candidates;
        let (agent, frozen) = match ready {
            None if plain => set.best(key.set, &mut self.agents, None)?,
            None => set.best(key.set, &mut self.agents, Some(&|agent, slot| key.admits(agent, slot)))?,
            Some(ready) => {
                let unwilling: Vec<u32> = {
                    let ws = &self.workspaces[workspace as usize];
                    let members = &ws.sets[key.set as usize].members;
                    let is = |slot: &&u32| prefers_another(ws, &self.agents[**slot as usize], **slot, lane, ready);
                    members.iter().filter(is).copied().collect()
                };
                let eligible = |agent: &Agent, slot: u32| key.admits(agent, slot) && !unwilling.contains(&slot);
                let set = &mut self.workspaces[workspace as usize].sets[key.set as usize];
                let eligible: Option<Eligible<'_>> = if plain && unwilling.is_empty() { None } else { Some(&eligible) };
                set.best(key.set, &mut self.agents, eligible)?
            }
        };
        Some(matched(agent, false, frozen))
    }
}

/// Whether an agent could serve another lane that is ready by a membership of a lower priority.
fn prefers_another(ws: &Workspace, agent: &Agent, slot: u32, lane: u32, ready: &[(Place, u32)]) -> bool {
    let priority = |lane: u32| {
        let queue = ws.sets[ws.lanes[lane as usize].key.set as usize].queue;
        agent.member(queue).map_or(5, |member| member.priority)
    };
    let here = priority(lane);
    ready.iter().any(|(_, other)| {
        let key = &ws.lanes[*other as usize].key;
        let set = &ws.sets[key.set as usize];
        let could = match key.only {
            NONE => agent.part(key.set).is_some_and(|part| part.candidate) && key.admits(agent, slot),
            only => only == slot && ws.fits_alone(agent, set.queue, set.channel),
        };
        *other != lane && could && priority(*other) < here
    })
}
