//! Who gets whom: after each step, while a lane has somebody and its set a candidate, the best head of the workspace goes
//! to the agent whom its queue's strategy names (routing.md §4). A freed agent so takes the best key over all queues he
//! serves, and a lane that nobody can serve is never looked at.

use crate::decision::{DecisionType, Reason, Turn};
use crate::effect::{Effect, TimerKind};
use crate::policy::Strategy;
use crate::step::Stepping;

impl Stepping<'_> {
    /// Assigns or offers until nothing is left or the budget is used up. Returns whether nothing is left.
    pub(crate) fn settle(&mut self, ws: u32) -> bool {
        while self.has_budget() {
            let Some(found) = self.state.next_match(ws) else { break };
            let (slot, agent) = (found.conversation, found.agent);
            if found.strategy == Strategy::WeightedRoundRobin && !found.preferred {
                self.effect(Effect::Picked { workspace: ws, set: found.set, agent, frozen: found.frozen });
            }
            let accept_ms =
                self.state.workspace(ws).queue(self.state.conversation(slot).queue()).map_or(0, |q| q.accept_ms);
            if accept_ms > 0 {
                self.offer(slot, agent, found.preferred, accept_ms);
            } else {
                self.give(slot, agent, (false, true));
                let reason = if found.preferred { Reason::Preferred } else { Reason::Auto };
                self.tell_conversation(DecisionType::ConversationAssigned, reason, slot, None);
                self.turn_goes_on(slot);
            }
            self.pace(agent);
            self.clocks_follow();
            self.budget -= 1;
        }
        !self.state.is_unfinished(ws)
    }

    /// Units of a conversation's channel, as they are now, and whether it is exclusive.
    pub(crate) fn hold_asked(&self, slot: u32) -> (u32, bool) {
        let row = self.state.conversation(slot);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        channel.map_or((1, false), |c| (c.units, c.exclusive))
    }

    /// Ownership and its hold. (over a limit, by the engine's choice)
    pub(crate) fn give(&mut self, slot: u32, agent: u32, (over, given): (bool, bool)) {
        let asked = self.hold_asked(slot);
        self.give_units(slot, agent, asked, (over, given));
    }

    pub(crate) fn give_units(
        &mut self,
        slot: u32,
        agent: u32,
        (units, exclusive): (u32, bool),
        (over, given): (bool, bool),
    ) {
        self.effect(Effect::Assigned { conversation: slot, agent, units, exclusive, over, given });
    }

    /// After it is told whose it is now: the customer's silence counts, or the owner's.
    pub(crate) fn turn_goes_on(&mut self, slot: u32) {
        match self.state.conversation(slot).turn() {
            Turn::Theirs => self.awaits_customer(slot),
            Turn::Ours | Turn::None => self.own_timer(slot),
        }
    }

    /// The deadline that an owned conversation has: the owner's silence on async channels.
    pub(crate) fn own_timer(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        let Some(channel) = channel.filter(|_| !row.live()) else { return };
        self.arm(TimerKind::Turn, slot, self.now + channel.owner_silent_ms);
    }

    /// The agent was given something: when the first channel is open to him again.
    fn pace(&mut self, agent: u32) {
        let row = self.state.agent(agent);
        let (ws, paced, given) = (row.workspace(), row.paced(), row.last_given());
        let gap = self.gaps(ws, paced).min();
        self.arm_of(TimerKind::Pace, ws, agent, gap.map_or(0, |gap| given + gap));
    }

    fn gaps(&self, ws: u32, paced: u64) -> impl Iterator<Item = u64> {
        let workspace = self.state.workspace(ws);
        let gap = move |channel: u32| workspace.channel(channel).map_or(0, |c| c.min_gap_ms);
        (0..64).filter(move |channel| paced >> channel & 1 == 1).map(gap)
    }

    pub(crate) fn pace_is_due(&mut self, agent: u32) {
        let row = self.state.agent(agent);
        let (ws, paced, since) = (row.workspace(), row.paced(), self.now - row.last_given());
        let workspace = self.state.workspace(ws);
        let still = |channel: &u32| workspace.channel(*channel).is_some_and(|c| c.min_gap_ms > since);
        let channels = (0..64).filter(|c| paced >> c & 1 == 1).filter(still).fold(0, |mask, c| mask | 1 << c);
        self.arm_of(TimerKind::Pace, ws, agent, 0);
        self.effect(Effect::Paced { agent, channels });
        self.pace(agent);
    }
}
