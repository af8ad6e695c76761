//! Presence: a word of one source on an agent (routing.md §3). What follows from it, `dispatch` does.

use crate::decision::{DecisionType, Reason};
use crate::effect::Effect;
use crate::id::Id;
use crate::input::{By, Status};
use crate::policy::limits;
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, ignored};

impl Stepping<'_> {
    pub(crate) fn presence(
        &mut self,
        source: u128,
        agent: &Id,
        status: Status,
        by: By,
        order: (Option<u128>, Option<u64>),
    ) -> Verdict {
        let Some(slot) = self.state.find_agent(agent.hash) else { return ignored(Reason::UnknownAgent) };
        let (session, sequence) = order;
        let row = self.state.agent(slot);
        match row.rows().iter().find(|r| r.source == source) {
            Some(known) => {
                let older = matches!((known.sequence, sequence), (Some(k), Some(s)) if s <= k);
                if older && known.session == session {
                    return ignored(Reason::StaleSequence);
                }
            }
            None => {
                let full = row.rows().len() >= limits::PRESENCE_SOURCES;
                if full && row.rows().iter().all(|r| r.status != Status::Offline) {
                    return ignored(Reason::TooManySources);
                }
            }
        }
        let before = row.effective();
        self.effect(Effect::Presence { agent: slot, source, status, by, session, sequence });
        if self.state.agent(slot).effective() == before {
            return RECORDED;
        }
        self.tell_agent(DecisionType::AgentChanged, Reason::Presence, slot, None);
        DECIDED
    }
}
