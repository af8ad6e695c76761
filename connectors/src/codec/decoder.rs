//! From bytes to the engine's `Input`: what wire.md's "Answers" says of bad input, and names turned into hashes.
//!
//! Called by every source (Kafka, HTTP, player) on its own thread, never by a shard. It refuses what is malformed and
//! marks what is well formed and not built or not allowed (`Body::Unsupported`, `Body::Invalid`), which the engine then
//! answers. It knows no state: whether a workspace or agent exists is not its question.

use super::configuration;
use super::envelope::{self, Data, Envelope, Object, Pairs, Payload, Text, Whole};
use super::limits;
use super::refusal::Refusal;
use super::scan::scan;
use super::timestamp::parse_timestamp;
use engine::id::{HashKey, Id, Kind};
use engine::input::{Actor, ActorKind, Body, By, Contact, EventType, Input, RequiredSkill, Status};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

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
        let time = envelope.time.as_ref().map(|time| instant(&time.0)).transpose()?;
        let event = Event { key: &self.key, workspace, source, id };
        let (actor, body) = match envelope.payload {
            _ if !envelope::reads_data(event_type) && !configuration::is_configuration(event_type) => {
                (None, unsupported(event_type.word()))
            }
            None => return Err(Refusal::missing("data")),
            Some(Payload::Raw(raw)) if configuration::is_configuration(event_type) => {
                configuration::body(&event, event_type, raw)?
            }
            Some(Payload::Raw(raw)) => event.read(event_type, &data(raw)?)?,
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
fn data(raw: &RawValue) -> Result<Data<'_>, Refusal> {
    let text = raw.get();
    let data: Object<Data<'_>> = serde_json::from_str(text).map_err(|error| Refusal::of_json(&error, text, "data"))?;
    Ok(data.0)
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

fn instant(text: &str) -> Result<u64, Refusal> {
    parse_timestamp(text).ok_or_else(|| {
        Refusal::bad("time", "out_of_bounds", "a time is RFC 3339, like 2026-11-26T08:00:00.000Z, from 1970 to 9999")
    })
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

/// An id of wire.md: 1-256 bytes of 0x21-0x7E.
pub(super) fn checked_id<'t>(field: &str, text: &'t str) -> Result<&'t str, Refusal> {
    let printable = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if printable && !text.is_empty() && text.len() <= limits::ID_BYTES {
        return Ok(text);
    }
    let sentence = format!("this must have 1 to {} printable ASCII characters and no space", limits::ID_BYTES);
    Err(Refusal::bad(field, "out_of_bounds", sentence))
}

fn required_id<'t>(field: &str, text: Option<&'t Text<'_>>) -> Result<&'t str, Refusal> {
    checked_id(field, &text.ok_or_else(|| Refusal::missing(field))?.0)
}

fn optional_id<'t>(field: &str, text: Option<&'t Text<'_>>) -> Result<Option<&'t str>, Refusal> {
    text.map(|text| checked_id(field, &text.0)).transpose()
}

/// A word of a list, as the engine has it.
fn word<T>(field: &str, text: &str, from_word: fn(&str) -> Option<T>, words: &[&str]) -> Result<T, Refusal> {
    from_word(text)
        .ok_or_else(|| Refusal::bad(field, "unknown_value", format!("this must be one of: {}", words.join(", "))))
}

fn kind_of(field: &str, text: &str) -> Result<ActorKind, Refusal> {
    word(field, text, ActorKind::from_word, &["customer", "agent", "bot", "supervisor", "system"])
}

/// The envelope of the event whose data is being read.
pub(super) struct Event<'e> {
    pub key: &'e HashKey,
    pub workspace: &'e str,
    pub source: &'e str,
    pub id: &'e str,
}

impl Event<'_> {
    fn read(&self, event_type: EventType, data: &Data<'_>) -> Result<(Option<Actor>, Body), Refusal> {
        let actor = match &data.actor {
            Some(Object(actor)) => Some(self.actor(actor.kind.as_ref(), actor.id.as_ref())?),
            None => None,
        };
        if event_type.is_command()
            && let Some(what) = unbuilt_in_command(data)
        {
            return Ok((actor, unsupported(what)));
        }
        let body = match event_type {
            EventType::ContactStarted => Body::ContactStarted { contact: self.contact(data)? },
            EventType::MessageReceived => {
                let opens = opens(data)?;
                Body::MessageReceived { contact: self.contact(data)?, opens }
            }
            EventType::ContactEnded => self.contact_ended(data, actor.as_ref())?,
            EventType::MessageSent => {
                opens(data)?;
                let (conversation, identity) = self.named(data)?;
                Body::MessageSent { conversation, identity }
            }
            EventType::AgentPresence => self.presence(data, actor.as_ref())?,
            EventType::ConversationClaim => Body::ConversationClaim {
                conversation: self.conversation(data)?,
                agent: self.agent(data.agent.as_ref(), actor.as_ref())?,
                expected_epoch: number(data.expected_epoch),
            },
            EventType::ConversationAssign => Body::ConversationAssign {
                conversation: self.conversation(data)?,
                agent: self.agent(data.agent.as_ref(), None)?,
                expected_epoch: number(data.expected_epoch),
                reason: reason(data)?,
            },
            EventType::ConversationResolve => Body::ConversationResolve {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
            },
            // `reads_data` names no other.
            other => unsupported(other.word()),
        };
        Ok((actor, body))
    }

    pub(super) fn id(&self, kind: Kind, text: &str) -> Id {
        self.key.id(kind, self.workspace, text)
    }

    fn hash(&self, kind: Kind, parts: &[&str]) -> u128 {
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

    fn conversation(&self, data: &Data<'_>) -> Result<Id, Refusal> {
        required_id("data.conversation", data.conversation.as_ref()).map(|id| self.id(Kind::Conversation, id))
    }

    fn contact(&self, data: &Data<'_>) -> Result<Contact, Refusal> {
        let channel = required_id("data.channel", data.channel.as_ref())?;
        let conversation = optional_id("data.conversation", data.conversation.as_ref())?;
        let thread = optional_id("data.thread", data.thread.as_ref())?;
        let entry = optional_id("data.entry", data.entry.as_ref())?;
        let customer = data.customer.as_ref().map(|customer| &customer.0);
        let customer_id = optional_id("data.customer.id", customer.and_then(|c| c.id.as_ref()))?;
        let tier = optional_id("data.customer.tier", customer.and_then(|c| c.tier.as_ref()))?;
        let language = optional_id("data.customer.language", customer.and_then(|c| c.language.as_ref()))?;
        Ok(Contact {
            conversation: conversation.map(|id| self.id(Kind::Conversation, id)),
            // Also where the event names one: that may turn out to be another customer's.
            new_conversation: self.id(Kind::Conversation, &new_conversation(self.source, self.id)),
            identity: self.identity(channel, entry.unwrap_or(""), thread, customer_id),
            threaded: thread.is_some(),
            customer: customer_id.map(|id| self.id(Kind::Customer, id)),
            tier: tier.map(|tier| self.hash(Kind::Tier, &[tier])),
            language: language.map(|language| self.hash(Kind::Language, &[language])),
            channel: self.id(Kind::Channel, channel),
            entry: entry.map(|entry| self.id(Kind::Entry, entry)).unwrap_or_default(),
            attributes: self.attributes(data.attributes.as_ref())?,
            skills: self.skills(data.skills.as_ref())?,
        })
    }

    fn identity(&self, channel: &str, entry: &str, thread: Option<&str>, customer: Option<&str>) -> Option<u128> {
        match (thread, customer) {
            (Some(thread), _) => Some(self.hash(Kind::Thread, &[channel, entry, thread])),
            (None, Some(customer)) => Some(self.hash(Kind::Contact, &[channel, entry, customer])),
            (None, None) => None,
        }
    }

    fn attributes(&self, pairs: Option<&Pairs<'_, envelope::Plain<'_>>>) -> Result<Vec<u128>, Refusal> {
        let Some(Pairs(pairs)) = pairs else { return Ok(Vec::new()) };
        check_count("data.attributes", pairs.len(), limits::ATTRIBUTES)?;
        let mut hashes = Vec::with_capacity(pairs.len());
        for (i, (name, value)) in pairs.iter().enumerate() {
            let repeated = pairs[..i].iter().any(|(earlier, _)| earlier == name);
            if repeated {
                return Err(repeated_key("data.attributes", name));
            }
            let value = value.0.as_deref().unwrap_or("");
            if name.is_empty() || name.len() > limits::ID_BYTES || value.len() > limits::ID_BYTES {
                let sentence =
                    format!("an attribute's name has 1 to {0} bytes, its value at most {0}", limits::ID_BYTES);
                return Err(Refusal::bad(path("data.attributes", name), "out_of_bounds", sentence));
            }
            if pairs[i].1.0.is_some() {
                hashes.push(self.hash(Kind::Attribute, &[name, value]));
            }
        }
        // The order of an object's members says nothing: the same event is the same input.
        hashes.sort_unstable();
        Ok(hashes)
    }

    fn skills(&self, pairs: Option<&Pairs<'_, Whole>>) -> Result<Vec<RequiredSkill>, Refusal> {
        let Some(Pairs(pairs)) = pairs else { return Ok(Vec::new()) };
        check_count("data.skills", pairs.len(), limits::SKILLS)?;
        let mut skills: Vec<RequiredSkill> = Vec::with_capacity(pairs.len());
        for (name, Whole(level)) in pairs {
            let field = || path("data.skills", name);
            checked_id("", name).map_err(|refusal| Refusal { field: field(), ..refusal })?;
            let level = u8::try_from(*level).ok().filter(|level| *level <= limits::LEVEL).ok_or_else(|| {
                Refusal::bad(field(), "out_of_bounds", format!("a level must be 0 to {}", limits::LEVEL))
            })?;
            skills.push(RequiredSkill { skill: self.id(Kind::Skill, name), level });
        }
        skills.sort_unstable();
        match skills.windows(2).find(|pair| pair[0].skill == pair[1].skill) {
            Some(pair) => Err(repeated_key("data.skills", &pair[0].skill.text)),
            None => Ok(skills),
        }
    }

    /// The conversation that an event about an existing one means: by its id, else by who is in it.
    fn named(&self, data: &Data<'_>) -> Result<(Option<Id>, Option<u128>), Refusal> {
        if let Some(id) = optional_id("data.conversation", data.conversation.as_ref())? {
            return Ok((Some(self.id(Kind::Conversation, id)), None));
        }
        let thread = optional_id("data.thread", data.thread.as_ref())?;
        let entry = optional_id("data.entry", data.entry.as_ref())?;
        let customer = data.customer.as_ref().and_then(|customer| customer.0.id.as_ref());
        let customer = optional_id("data.customer.id", customer)?;
        let channel = optional_id("data.channel", data.channel.as_ref())?;
        let identity = channel.and_then(|channel| self.identity(channel, entry.unwrap_or(""), thread, customer));
        match identity {
            Some(identity) => Ok((None, Some(identity))),
            None => Err(Refusal::bad(
                "data.conversation",
                "missing",
                "name the conversation, or its channel with a thread or a customer",
            )),
        }
    }

    fn contact_ended(&self, data: &Data<'_>, actor: Option<&Actor>) -> Result<Body, Refusal> {
        let (conversation, identity) = self.named(data)?;
        let by = match &data.by {
            Some(by) => kind_of("data.by", &by.0)?,
            None => actor.map_or(ActorKind::Customer, |actor| actor.kind),
        };
        Ok(Body::ContactEnded { conversation, identity, by })
    }

    fn presence(&self, data: &Data<'_>, actor: Option<&Actor>) -> Result<Body, Refusal> {
        let agent = self.agent(data.agent.as_ref(), actor)?;
        let status = &*data.status.as_ref().ok_or_else(|| Refusal::missing("data.status"))?.0;
        let session = optional_id("data.session", data.session.as_ref())?;
        if data.expires_in_s.is_some() {
            return Ok(unsupported("expires_in_s"));
        }
        if data.channels.is_some() {
            return Ok(unsupported("channels"));
        }
        if status == "pending_away" {
            return Ok(unsupported("status = pending_away"));
        }
        if actor.is_some_and(|actor| actor.kind == ActorKind::Supervisor) {
            return Ok(unsupported("actor.kind = supervisor"));
        }
        Ok(Body::AgentPresence {
            agent,
            status: word("data.status", status, Status::from_word, &["online", "away", "offline", "pending_away"])?,
            by: match &data.by {
                Some(by) => word("data.by", &by.0, By::from_word, &["agent", "device"])?,
                None => By::Agent,
            },
            session: session.map(|session| self.hash(Kind::Session, &[session])),
            sequence: number(data.sequence),
        })
    }
}

/// Whether a message opens and reopens conversations: text and media do, what machines send does not.
fn opens(data: &Data<'_>) -> Result<bool, Refusal> {
    let Some(Object(message)) = &data.message else { return Ok(true) };
    let automatic = message.automatic.unwrap_or(false);
    match message.kind.as_ref().map_or("text", |kind| &kind.0) {
        "text" | "media" => Ok(!automatic),
        "reaction" | "auto_reply" | "bounce" | "system" => Ok(false),
        _ => Err(Refusal::bad(
            "data.message.kind",
            "unknown_value",
            "this must be one of: text, media, reaction, auto_reply, bounce, system",
        )),
    }
}

fn unbuilt_in_command(data: &Data<'_>) -> Option<&'static str> {
    let fields = [
        ("offer", &data.offer),
        ("place", &data.place),
        ("until", &data.until),
        ("note", &data.note),
        ("wrap_up", &data.wrap_up),
    ];
    fields.into_iter().find(|(_, value)| value.is_some()).map(|(name, _)| name)
}

/// A supervisor's reason: free text, kept with the decision. Empty is none.
fn reason(data: &Data<'_>) -> Result<Option<Box<str>>, Refusal> {
    let Some(Text(reason)) = &data.reason else { return Ok(None) };
    if reason.len() > limits::REASON_BYTES {
        let sentence = format!("a reason has at most {} bytes", limits::REASON_BYTES);
        return Err(Refusal::bad("data.reason", "out_of_bounds", sentence));
    }
    let reason = reason.trim();
    Ok((!reason.is_empty()).then(|| reason.into()))
}

fn number(whole: Option<Whole>) -> Option<u64> {
    whole.map(|Whole(value)| value)
}

fn check_count(field: &str, len: usize, max: usize) -> Result<(), Refusal> {
    if len <= max {
        return Ok(());
    }
    Err(Refusal::bad(field, "out_of_bounds", format!("this has {len} members, and {max} are the limit")))
}

fn repeated_key(object: &str, key: &str) -> Refusal {
    Refusal::bad(path(object, key), "repeated_key", "this key stands twice; once is allowed")
}

/// The path of a member, cut where a sender's key is longer than a path should be.
fn path(object: &str, key: &str) -> String {
    let shown: String = key.chars().take(64).collect();
    engine::faults::join_key(object, &shown)
}

/// The id of a conversation that its first event does not name (routing.md §2).
fn new_conversation(source: &str, id: &str) -> String {
    let text = [source, id].join("/");
    if text.len() <= limits::ID_BYTES {
        return text;
    }
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
