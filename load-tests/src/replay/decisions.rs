//! Decisions as JSON, as far as the player reads them, and each of them once.

use crate::player::{Seen, SeenAgent, SeenConversation};
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
    subject: Option<Text>,
    data: Data,
}

#[derive(Deserialize, Debug)]
struct Data {
    position: Position,
    cause: Option<Cause>,
    owner: Option<Text>,
    queue: Option<Text>,
    waited_ms: Option<u64>,
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
    subject: Text,
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
            subject: envelope.subject.unwrap_or_default(),
        })
    }

    pub fn seen(&self) -> Seen<'_> {
        let of_conversation = self.decision_type.word().starts_with("conversation.");
        Seen {
            decision_type: self.decision_type,
            time: self.time,
            cause_id: &self.cause_id,
            refused: self.data.code.as_deref().map(|code| (code, self.data.event_type.as_deref().unwrap_or(""))),
            conversation: of_conversation.then(|| SeenConversation {
                id: &self.subject,
                owner: self.data.owner.as_deref().unwrap_or(""),
                queue: self.data.queue.as_deref().unwrap_or(""),
                waited_ms: self.data.waited_ms.unwrap_or(0),
                units: self.data.units.unwrap_or(1),
            }),
            agent: self.data.agent.as_ref().map(|agent| SeenAgent {
                id: &agent.id,
                online: !matches!(&*agent.state, "offline" | "away"),
                units: agent.units,
            }),
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
