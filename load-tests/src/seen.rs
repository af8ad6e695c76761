//! What the player looks at in a decision: made from a `Told` in the process, or from its JSON by `replay::decisions`.

use engine::decision::{AgentState, DecisionType, Outcome, PhaseWord, Reason, Told};

#[derive(Debug, Default)]
pub struct Seen<'a> {
    pub decision_type: DecisionType,
    /// Engine time, ms UTC.
    pub time: u64,
    /// Empty: a tick.
    pub cause_id: &'a str,
    pub reason: &'a str,
    /// Of refused and ignored events: the code and the event's type.
    pub refused: Option<(&'a str, &'a str)>,
    pub conversation: Option<SeenConversation<'a>>,
    pub agent: Option<SeenAgent<'a>>,
    /// Id of the offer made or withdrawn; 0: the decision is about none.
    pub offer: u64,
}

#[derive(Debug, Default)]
pub struct SeenConversation<'a> {
    pub id: &'a str,
    pub owner: &'a str,
    pub queue: &'a str,
    pub waited_ms: u64,
    /// Engine time, ms UTC, from which its wait in this queue counts, and the queue's threshold T.
    pub queued_at: u64,
    pub service_level_ms: u64,
    pub units: u32,
    /// A bot has it.
    pub in_bot: bool,
}

#[derive(Debug, Default)]
pub struct SeenAgent<'a> {
    pub id: &'a str,
    /// Neither offline nor away nor removed.
    pub online: bool,
    pub units: u32,
}

impl<'a> Seen<'a> {
    pub fn of(told: &'a Told) -> Seen<'a> {
        let refused = match told.decision_type {
            DecisionType::CommandRejected => true,
            DecisionType::EventRecorded => told.outcome == Outcome::Ignored && told.reason != Reason::Duplicate,
            _ => false,
        };
        Seen {
            decision_type: told.decision_type,
            time: told.time,
            cause_id: &told.cause_id,
            reason: told.reason.word(),
            refused: refused.then(|| (told.reason.word(), &*told.event_type)),
            conversation: told.conversation.as_ref().map(|conversation| SeenConversation {
                id: &conversation.id,
                owner: &conversation.owner,
                queue: &conversation.queue,
                waited_ms: conversation.waited_ms,
                queued_at: conversation.queued_at,
                service_level_ms: conversation.service_level_ms,
                units: conversation.units,
                in_bot: conversation.state == PhaseWord::InBot,
            }),
            agent: told.agent.as_ref().map(|agent| SeenAgent {
                id: &agent.id,
                online: !matches!(agent.state, AgentState::Offline | AgentState::Away | AgentState::Removed),
                units: agent.units,
            }),
            offer: told.detail.as_ref().map_or(0, |detail| detail.offer),
        }
    }
}
