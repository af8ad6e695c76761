//! From bytes to the engine's `Input`: what wire.md's "Answers" says of bad input, and names turned into hashes.
//!
//! Called by every source (Kafka, HTTP, player) on its own thread, never by a shard. It refuses what is malformed and
//! marks what is well formed and not built or not allowed (`Body::Unsupported`, `Body::Invalid`), which the engine then
//! answers. It knows no state: whether a workspace or agent exists is not its question.

use super::configuration;
use super::envelope::{Envelope, Payload, Text};
use super::field::{instant, optional_id, required_id, word};
use super::limits;
use super::members::{Data, DataOf, reads_data};
use super::refusal::Refusal;
use super::scan::scan;
use engine::id::{HashKey, Id, Kind};
use engine::input::{Actor, ActorKind, Body, EventType, Input};
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

pub(super) use super::field::checked_id;

/// Decodes events with a journal's key.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    key: HashKey,
}

impl Decoder {
    pub fn new(key: HashKey) -> Decoder {
        Decoder { key }
    }

    pub fn key(&self) -> HashKey {
        self.key
    }

    /// One structured CloudEvent in JSON.
    pub fn decode(&self, bytes: &[u8]) -> Result<Input, Refusal> {
        if bytes.len() > limits::CONFIGURE_BYTES {
            return Err(too_large(bytes.len(), limits::CONFIGURE_BYTES));
        }
        let text = scan(bytes)?;
        let envelope = project(text)?;
        check_specversion(envelope.specversion.as_ref())?;
        let id = required_id("id", envelope.id.as_ref())?;
        let source = required_id("source", envelope.source.as_ref())?;
        let event_type = event_type(envelope.event_type.as_ref())?;
        if bytes.len() > limits::EVENT_BYTES && event_type != EventType::WorkspaceConfigure {
            return Err(too_large(bytes.len(), limits::EVENT_BYTES));
        }
        let workspace = required_id("workspace", envelope.workspace.as_ref())?;
        let time = envelope.time.as_ref().map(|time| instant("time", &time.0)).transpose()?;
        let event = Event { key: &self.key, workspace, source, id };
        let (actor, body) = match envelope.payload {
            _ if !reads_data(event_type) && !configuration::is_configuration(event_type) => {
                (None, unsupported(event_type.word()))
            }
            None => return Err(Refusal::missing("data")),
            Some(Payload::Raw(raw)) if configuration::is_configuration(event_type) => {
                configuration::body(&event, event_type, time, raw)?
            }
            Some(Payload::Raw(raw)) => event.read(event_type, &*data(event_type, raw)?)?,
            Some(Payload::Read(data)) => event.read(event_type, &data)?,
        };
        Ok(Input {
            id: id.into(),
            source: source.into(),
            key: self.key.hash(Kind::Event, workspace, &[source, id]),
            source_hash: self.key.hash(Kind::Source, workspace, &[source]),
            workspace: self.key.id(Kind::Workspace, "", workspace),
            event_type,
            time,
            traceparent: envelope.traceparent.filter(|text| is_traceparent(&text.0)).map(|text| text.0.into()),
            actor,
            body,
        })
    }
}

fn project(text: &str) -> Result<Envelope<'_>, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::of_json(&error, text, ""))
}

/// `data` that stood before `type`.
fn data(event_type: EventType, raw: &RawValue) -> Result<Box<Data<'_>>, Refusal> {
    let text = raw.get();
    let read = DataOf(event_type).deserialize(&mut serde_json::Deserializer::from_str(text));
    read.map_err(|error| Refusal::of_json(&error, text, "data"))?.ok_or_else(|| Refusal::missing("data"))
}

fn too_large(len: usize, max: usize) -> Refusal {
    Refusal::large("body", "too_large", format!("the event has {len} bytes, and {max} are the limit"))
}

/// Other versions may mean other things by the same names. Absent is taken as 1.0.
fn check_specversion(specversion: Option<&Text<'_>>) -> Result<(), Refusal> {
    match specversion {
        Some(Text(version)) if version != "1.0" => {
            Err(Refusal::bad("specversion", "unknown_value", "only CloudEvents 1.0 is read here"))
        }
        _ => Ok(()),
    }
}

fn event_type(text: Option<&Text<'_>>) -> Result<EventType, Refusal> {
    let Some(Text(word)) = text else { return Err(Refusal::missing("type")) };
    EventType::from_word(word)
        .ok_or_else(|| Refusal::bad("type", "unknown_type", "no event type has this name, see the list of types"))
}

/// W3C Trace Context, version 00. What is malformed is dropped and not refused, as its section 3.2.2.3 asks.
fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 55
        && bytes.iter().enumerate().all(|(i, byte)| match i {
            2 | 35 | 52 => *byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        })
        && !text.starts_with("ff")
}

pub(super) fn unsupported(what: &str) -> Body {
    Body::Unsupported { what: what.into() }
}

/// The envelope of the event whose data is being read.
pub(super) struct Event<'e> {
    pub key: &'e HashKey,
    pub workspace: &'e str,
    pub source: &'e str,
    pub id: &'e str,
}

impl Event<'_> {
    pub(super) fn id(&self, kind: Kind, text: &str) -> Id {
        self.key.id(kind, self.workspace, text)
    }

    pub(super) fn hash(&self, kind: Kind, parts: &[&str]) -> u128 {
        self.key.hash(kind, self.workspace, parts)
    }

    pub(super) fn actor(&self, kind: Option<&Text<'_>>, id: Option<&Text<'_>>) -> Result<Actor, Refusal> {
        let kind = kind_of("data.actor.kind", &kind.ok_or_else(|| Refusal::missing("data.actor.kind"))?.0)?;
        let of = if kind == ActorKind::Agent { Kind::Agent } else { Kind::Customer };
        match optional_id("data.actor.id", id)? {
            Some(id) => Ok(Actor { kind, id: self.id(of, id) }),
            None if kind == ActorKind::Agent => Err(Refusal::missing("data.actor.id")),
            None => Ok(Actor { kind, id: Id::default() }),
        }
    }

    /// The agent that the event names, else the agent who sent it.
    pub(super) fn agent(&self, agent: Option<&Text<'_>>, actor: Option<&Actor>) -> Result<Id, Refusal> {
        if let Some(name) = optional_id("data.agent", agent)? {
            return Ok(self.id(Kind::Agent, name));
        }
        match actor {
            Some(actor) if actor.kind == ActorKind::Agent => Ok(actor.id.clone()),
            _ => Err(Refusal::missing("data.agent")),
        }
    }
}

pub(super) fn kind_of(field: &str, text: &str) -> Result<ActorKind, Refusal> {
    word(field, text, ActorKind::from_word, &["customer", "agent", "bot", "supervisor", "system"])
}
