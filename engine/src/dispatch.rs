//! Who gets whom: after each step, while a line has somebody and its set a candidate, the best head of the workspace is
//! given to the agent whom its queue's strategy names (routing.md §4). A freed agent so takes the best key over all
//! queues he serves, and a line that nobody can serve is never looked at.

use crate::decision::{DecisionType, Reason};
use crate::effect::Effect;
use crate::policy::Strategy;
use crate::step::Stepping;

impl Stepping<'_> {
    /// Assigns until nothing is left or the budget is used up. Returns whether nothing is left.
    pub(crate) fn settle(&mut self, ws: u32) -> bool {
        while self.has_budget() {
            let Some((conversation, set)) = self.state.best_head(ws) else { break };
            let agent = self.state.best_agent(ws, set).expect("a set counts a candidate that its pool does not know");
            if self.strategy_of(ws, set) == Strategy::WeightedRoundRobin {
                self.effect(Effect::Picked { workspace: ws, set, agent });
            }
            self.give(conversation, agent, false);
            self.tell_conversation(DecisionType::ConversationAssigned, Reason::Auto, conversation, None);
            self.budget -= 1;
        }
        !self.state.is_unfinished(ws)
    }

    /// Ownership and its hold, with the units of the channel as they are now.
    pub(crate) fn give(&mut self, conversation: u32, agent: u32, over: bool) {
        let row = self.state.conversation(conversation);
        let channel = self.state.workspace(row.workspace()).channel(row.channel());
        let (units, exclusive) = channel.map_or((1, false), |c| (c.units, c.exclusive));
        self.effect(Effect::Assigned { conversation, agent, units, exclusive, over });
    }

    fn strategy_of(&self, ws: u32, set: u32) -> Strategy {
        self.state.workspace(ws).set(set).strategy()
    }
}
