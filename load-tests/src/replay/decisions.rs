//! Decisions as JSON, as far as the player reads them, and each of them once.

use crate::seen::{Seen, SeenAgent, SeenConversation};
use engine::decision::DecisionType;
use serde::Deserialize;

type Text = Box<str>;
/// (seq, idx).
pub type Place = (u64, u32);

#[derive(Deserialize, Debug)]
struct Envelope {
    #[serde(rename = "type")]
    kind: Text,
    time: Text,
    data: Data,
}

#[derive(Deserialize, Debug)]
struct Data {
    position: Position,
    cause: Option<Cause>,
    /// Its id, of a decision about one.
    conversation: Option<Text>,
    state: Option<Text>,
    reason: Option<Text>,
    /// Decimal.
    offer: Option<Text>,
    owner: Option<Text>,
    queue: Option<Text>,
    waited_ms: Option<u64>,
    queued_at: Option<Text>,
    service_level_ms: Option<u64>,
    units: Option<u32>,
    agent: Option<Agent>,
    /// Of what was ignored or rejected; a duplicate's answer has none.
    code: Option<Text>,
    event_type: Option<Text>,
}

#[derive(Deserialize, Debug)]
struct Agent {
    id: Text,
    state: Text,
    units: u32,
}

#[derive(Deserialize, Debug)]
struct Position {
    shard: u16,
    seq: u64,
    idx: u32,
    prev: Option<Place>,
}

#[derive(Deserialize, Debug)]
#[serde(untagged)]
enum Cause {
    Event {
        id: Text,
    },
    /// A tick, however it is written.
    Other(serde::de::IgnoredAny),
}

/// What of a decision is read here.
#[derive(Debug)]
pub struct Decision {
    pub decision_type: DecisionType,
    pub time: u64,
    pub shard: u16,
    pub place: Place,
    pub prev: Option<Place>,
    /// Empty: a tick.
    pub cause_id: Text,
    data: Data,
}

impl Decision {
    pub fn parse(bytes: &[u8]) -> Result<Decision, serde_json::Error> {
        let envelope: Envelope = serde_json::from_slice(bytes)?;
        let word = envelope.kind.strip_prefix("strowger.").unwrap_or(&envelope.kind);
        let mut data = envelope.data;
        Ok(Decision {
            // An unknown type is ignored, as consumers must; its place still counts.
            decision_type: DecisionType::from_word(word).unwrap_or_default(),
            time: connectors::codec::parse_timestamp(&envelope.time).unwrap_or(0),
            shard: data.position.shard,
            place: (data.position.seq, data.position.idx),
            prev: data.position.prev,
            cause_id: match data.cause.take() {
                Some(Cause::Event { id }) => id,
                _ => Text::default(),
            },
            data,
        })
    }

    pub fn seen(&self) -> Seen<'_> {
        let data = &self.data;
        Seen {
            decision_type: self.decision_type,
            time: self.time,
            cause_id: &self.cause_id,
            reason: data.reason.as_deref().unwrap_or(""),
            refused: data.code.as_deref().map(|code| (code, data.event_type.as_deref().unwrap_or(""))),
            conversation: data.conversation.as_deref().map(|id| SeenConversation {
                id,
                owner: data.owner.as_deref().unwrap_or(""),
                queue: data.queue.as_deref().unwrap_or(""),
                waited_ms: data.waited_ms.unwrap_or(0),
                queued_at: data.queued_at.as_deref().and_then(connectors::codec::parse_timestamp).unwrap_or(self.time),
                service_level_ms: data.service_level_ms.unwrap_or(0),
                units: data.units.unwrap_or(1),
                in_bot: data.state.as_deref() == Some("in_bot"),
            }),
            agent: data.agent.as_ref().map(|agent| SeenAgent {
                id: &agent.id,
                online: !matches!(&*agent.state, "offline" | "away" | "removed"),
                units: agent.units,
            }),
            offer: data.offer.as_deref().and_then(|offer| offer.parse().ok()).unwrap_or(0),
        }
    }
}

/// The last place seen of a shard: drops repeats, notices gaps.
#[derive(Default, Debug)]
pub struct Tail(pub Option<Place>);

#[derive(PartialEq, Eq, Debug)]
pub enum Turn {
    Next,
    Repeat,
    /// Next, and something before it is missing.
    Gap,
}

impl Tail {
    pub fn take(&mut self, decision: &Decision) -> Turn {
        let turn = match self.0 {
            Some(last) if decision.place <= last => return Turn::Repeat,
            Some(last) if decision.prev != Some(last) => Turn::Gap,
            _ => Turn::Next,
        };
        self.0 = Some(decision.place);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connectors::codec;
    use engine::decision::{AgentState, PhaseWord, Reason, Told, ToldAgent, ToldConversation, ToldDetail};

    /// The player sees the same in a decision's JSON as in the decision.
    #[test]
    fn a_decision_over_the_wire_is_the_decision_in_the_process() {
        let conversation = |state, owner: &str| ToldConversation {
            id: "c".into(),
            owner: owner.into(),
            queue: "q".into(),
            waited_ms: 7,
            units: 2,
            state,
            ..ToldConversation::default()
        };
        let agent = |state| Some(ToldAgent { id: "a".into(), state, units: 3, ..ToldAgent::default() });
        let about = |decision_type, reason, conversation: Option<ToldConversation>, agent, offer| Told {
            decision_type,
            reason,
            time: 1_767_225_600_000,
            cause_id: "cause".into(),
            cause_source: "source".into(),
            workspace: "w".into(),
            conversation,
            agent,
            detail: Some(ToldDetail { offer, ..ToldDetail::default() }),
            ..Told::default()
        };
        let waiting = || Some(conversation(PhaseWord::Queued, ""));
        let all = [
            about(DecisionType::ConversationOpened, Reason::New, Some(conversation(PhaseWord::InBot, "")), None, 0),
            about(DecisionType::ConversationQueued, Reason::Handoff, waiting(), None, 0),
            about(DecisionType::ConversationOffered, Reason::Auto, waiting(), agent(AgentState::Full), 41),
            about(DecisionType::OfferWithdrawn, Reason::Expired, waiting(), agent(AgentState::Available), 41),
            about(
                DecisionType::ConversationAssigned,
                Reason::Accepted,
                Some(conversation(PhaseWord::Assigned, "a")),
                None,
                42,
            ),
            about(DecisionType::AgentChanged, Reason::Removed, None, agent(AgentState::Removed), 0),
        ];
        for told in all {
            let hash = [0; 32];
            let place = codec::Place { journal: "j", shard: 0, seq: 3, idx: 0, count: 1, hash: &hash, prev: None };
            let mut json = Vec::new();
            codec::render(&told, &place, &mut json);
            let decision = Decision::parse(&json).unwrap();
            assert_eq!(format!("{:?}", decision.seen()), format!("{:?}", Seen::of(&told)));
        }
    }
}
