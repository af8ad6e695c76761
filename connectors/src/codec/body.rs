//! What an event says: the `Body` of each type from the members of its `data`.
//!
//! Configurations are not here (`configuration`). Which members a type reads stands in `members`; here is what they
//! mean, which of them a type needs, and between which bounds they lie.

use super::contact::customer;
use super::decoder::{Event, kind_of, unsupported};
use super::envelope::{Change, Object, Target, Text};
use super::field::{
    bounded, check_count, checked_id, duration, ids, instant, number, optional_id, reason, required, required_bounded,
    required_id, text, word,
};
use super::limits;
use super::members::Data;
use super::refusal::Refusal;
use engine::calendar::Opening;
use engine::id::{Id, Kind};
use engine::input::{self, Actor, ActorKind, Body, By, Control, EventType, Status, SurveyKind};

impl Event<'_> {
    /// Who sent the event, and what it says.
    pub(super) fn read(&self, event_type: EventType, data: &Data<'_>) -> Result<(Option<Actor>, Body), Refusal> {
        let actor = match &data.actor {
            Some(Object(actor)) => Some(self.actor(actor.kind.as_ref(), actor.id.as_ref())?),
            None => None,
        };
        if let Some(what) = data.unbuilt {
            return Ok((actor, unsupported(what)));
        }
        let body = self.body(event_type, data, actor.as_ref())?;
        Ok((actor, body))
    }

    fn body(&self, event_type: EventType, data: &Data<'_>, actor: Option<&Actor>) -> Result<Body, Refusal> {
        Ok(match event_type {
            EventType::ContactStarted => Body::ContactStarted { contact: self.contact(data)? },
            EventType::ContactConnected => {
                let (conversation, identity) = self.named(data)?;
                Body::ContactConnected { conversation, identity, agent: self.agent(data.agent.as_ref(), actor)? }
            }
            EventType::ContactEnded => self.contact_ended(data, actor)?,
            EventType::MessageReceived => {
                let opens = Written::of(data)?.by_a_person;
                Body::MessageReceived { contact: self.contact(data)?, opens }
            }
            EventType::MessageSent => self.message_sent(data, actor)?,
            EventType::MessageStatus => self.message_status(data)?,
            EventType::MessageEdited | EventType::MessageDeleted => {
                let (conversation, identity) = self.named(data)?;
                Body::MessageStatus { conversation, identity, failed: false }
            }
            EventType::SurveyAnswered => self.survey_answered(data)?,
            EventType::CustomerUpdated => self.customer_updated(data)?,
            EventType::CustomerLinked => {
                Body::CustomerLinked { customer: self.customer(data)?.0, other: self.other(Kind::Customer, data)? }
            }
            EventType::CustomerUnlinked => {
                Body::CustomerUnlinked { customer: self.customer(data)?.0, other: self.other(Kind::Customer, data)? }
            }
            EventType::AgentPresence => self.presence(data, actor)?,
            EventType::AgentEngaged => Body::AgentEngaged {
                agent: self.agent(data.agent.as_ref(), actor)?,
                engagement: self.engagement(data)?,
                channel: self.id(Kind::Channel, required_id("data.channel", data.channel.as_ref())?),
                units: data.units.map(|units| bounded("data.units", units, 1, limits::UNITS.into())).transpose()?,
            },
            EventType::AgentDisengaged => Body::AgentDisengaged {
                agent: self.agent(data.agent.as_ref(), actor)?,
                engagement: self.engagement(data)?,
            },
            EventType::SourceHeartbeat => Body::SourceHeartbeat {
                open_contacts: self.set(
                    "data.open_contacts",
                    Kind::Conversation,
                    data.open_contacts.as_deref(),
                    limits::OPEN_CONTACTS,
                )?,
            },
            EventType::ConversationOpen => {
                Body::ConversationOpen { contact: self.contact(data)?, agent: self.agent(data.agent.as_ref(), actor)? }
            }
            EventType::ConversationHandoff => Body::ConversationHandoff {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
                queue: self.queue("data.queue", data.queue.as_ref())?,
                skills: self.skills("data.skills", data.skills.as_ref())?,
                note: note(data)?,
            },
            EventType::ConversationClaim => Body::ConversationClaim {
                conversation: self.conversation(data)?,
                agent: self.agent(data.agent.as_ref(), actor)?,
                expected_epoch: number(data.expected_epoch),
            },
            EventType::ConversationAssign => Body::ConversationAssign {
                conversation: self.conversation(data)?,
                agent: self.agent(data.agent.as_ref(), None)?,
                expected_epoch: number(data.expected_epoch),
                reason: reason(data.reason.as_ref())?,
            },
            EventType::ConversationTransfer => self.transfer(data)?,
            EventType::ConversationRelease => Body::ConversationRelease {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
                reason: reason(data.reason.as_ref())?,
            },
            EventType::ConversationEscalate => Body::ConversationEscalate {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
                level: required_bounded("data.level", data.level, 1, limits::ESCALATION_LEVEL.into())?,
                reason: reason(data.reason.as_ref())?,
            },
            EventType::ConversationSnooze => Body::ConversationSnooze {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
                until: instant("data.until", required("data.until", data.until.as_ref())?)?,
            },
            EventType::ConversationWake => Body::ConversationWake {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
            },
            EventType::ConversationUpdate => self.conversation_update(data)?,
            EventType::ConversationResolve => Body::ConversationResolve {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
            },
            EventType::ConversationClose => Body::ConversationClose {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
                reason: reason(data.reason.as_ref())?,
            },
            EventType::ConversationReopen => Body::ConversationReopen {
                conversation: self.conversation(data)?,
                expected_epoch: number(data.expected_epoch),
            },
            EventType::ConversationMerge => self.merge(data)?,
            EventType::OfferAccept => {
                Body::OfferAccept { offer: offer(data)?, agent: self.agent(data.agent.as_ref(), actor)? }
            }
            EventType::OfferDecline => Body::OfferDecline {
                offer: offer(data)?,
                agent: self.agent(data.agent.as_ref(), actor)?,
                reason: reason(data.reason.as_ref())?,
            },
            EventType::WrapupComplete => Body::WrapupComplete {
                conversation: self.conversation(data)?,
                agent: self.agent(data.agent.as_ref(), actor)?,
            },
            EventType::NoteAdd => Body::NoteAdd {
                conversation: self.conversation(data)?,
                text: text(
                    "data.text",
                    data.text.as_ref().ok_or_else(|| Refusal::missing("data.text"))?,
                    limits::NOTE_BYTES,
                )?,
                mentions: self.mentions(data)?,
            },
            EventType::AgentRemove => Body::AgentRemove {
                agent: self.agent(data.agent.as_ref(), None)?,
                successor: optional_id("data.successor", data.successor.as_ref())?.map(|id| self.id(Kind::Agent, id)),
                reason: reason(data.reason.as_ref())?,
                expected_version: number(data.expected_version),
            },
            EventType::AgentDrain => Body::AgentDrain {
                agent: self.agent(data.agent.as_ref(), None)?,
                drain: data.drain.unwrap_or(true),
                reason: reason(data.reason.as_ref())?,
                expected_version: number(data.expected_version),
            },
            EventType::QueueControl => self.queue_control(data)?,
            EventType::CalendarExpand => self.calendar_expand(data)?,
            // Configurations have a reader of their own; the others are not built, and `members` reads nothing of them.
            EventType::AgentConfigure
            | EventType::WorkspaceConfigure
            | EventType::CustomerErased
            | EventType::CallbackRequest
            | EventType::ParticipantAdd
            | EventType::ParticipantRemove => unsupported(event_type.word()),
        })
    }

    fn conversation(&self, data: &Data<'_>) -> Result<Id, Refusal> {
        required_id("data.conversation", data.conversation.as_ref()).map(|id| self.id(Kind::Conversation, id))
    }

    /// The customer that the event is about, and what tier it says he has.
    fn customer(&self, data: &Data<'_>) -> Result<(Id, Option<u128>), Refusal> {
        if data.customer.is_none() {
            return Err(Refusal::missing("data.customer"));
        }
        let customer = customer(data)?;
        let id = customer.id.ok_or_else(|| Refusal::missing("data.customer.id"))?;
        Ok((self.id(Kind::Customer, id), self.tier(customer.tier)))
    }

    fn tier(&self, tier: Option<&str>) -> Option<u128> {
        tier.map(|tier| self.hash(Kind::Tier, &[tier]))
    }

    fn other(&self, kind: Kind, data: &Data<'_>) -> Result<Id, Refusal> {
        required_id("data.other", data.other.as_ref()).map(|id| self.id(kind, id))
    }

    fn engagement(&self, data: &Data<'_>) -> Result<Id, Refusal> {
        required_id("data.engagement", data.engagement.as_ref()).map(|id| self.id(Kind::Engagement, id))
    }

    fn queue(&self, field: &str, name: Option<&Text<'_>>) -> Result<Option<u128>, Refusal> {
        Ok(optional_id(field, name)?.map(|name| self.hash(Kind::Queue, &[name])))
    }

    /// Agents to notify, each once, in the order of the event.
    fn mentions(&self, data: &Data<'_>) -> Result<Vec<Id>, Refusal> {
        let Some(names) = &data.mentions else { return Ok(Vec::new()) };
        let mut mentions: Vec<Id> = Vec::with_capacity(names.len().min(limits::MENTIONS));
        for name in ids("data.mentions", names, limits::MENTIONS)? {
            let agent = self.id(Kind::Agent, name?);
            if !mentions.contains(&agent) {
                mentions.push(agent);
            }
        }
        Ok(mentions)
    }

    /// Names whose order says nothing: their hashes, sorted, each once.
    fn set(
        &self,
        field: &str,
        kind: Kind,
        names: Option<&[Text<'_>]>,
        max: usize,
    ) -> Result<Option<Vec<u128>>, Refusal> {
        let Some(names) = names else { return Ok(None) };
        let hashes = ids(field, names, max)?.map(|name| Ok(self.hash(kind, &[name?])));
        let mut hashes: Vec<u128> = hashes.collect::<Result<_, Refusal>>()?;
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Some(hashes))
    }

    fn contact_ended(&self, data: &Data<'_>, actor: Option<&Actor>) -> Result<Body, Refusal> {
        let (conversation, identity) = self.named(data)?;
        let by = match &data.by {
            Some(by) => kind_of("data.by", &by.0)?,
            None => actor.map_or(ActorKind::Customer, |actor| actor.kind),
        };
        Ok(Body::ContactEnded { conversation, identity, by })
    }

    /// Only what a person of ours writes to the customer is an answer.
    fn message_sent(&self, data: &Data<'_>, actor: Option<&Actor>) -> Result<Body, Refusal> {
        let (conversation, identity) = self.named(data)?;
        let Written { by_a_person, public } = Written::of(data)?;
        let ours = actor.is_some_and(|actor| matches!(actor.kind, ActorKind::Agent | ActorKind::Supervisor));
        let answers = by_a_person && public && ours;
        Ok(Body::MessageSent { conversation, identity, answers, mentions: self.mentions(data)? })
    }

    fn message_status(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let (conversation, identity) = self.named(data)?;
        let status = required("data.status", data.status.as_ref())?;
        let failed = |word: &str| match word {
            "delivered" | "read" => Some(false),
            "failed" => Some(true),
            _ => None,
        };
        let failed = word("data.status", status, failed, &["delivered", "read", "failed"])?;
        Ok(Body::MessageStatus { conversation, identity, failed })
    }

    fn survey_answered(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let (conversation, identity) = self.named(data)?;
        let kind = match &data.kind {
            Some(kind) => word("data.kind", &kind.0, SurveyKind::from_word, &["csat", "nps", "ces", "other"])?,
            None => SurveyKind::Other,
        };
        let max: u32 = required_bounded("data.max", data.max, 1, limits::SCORE.into())?;
        let score = required_bounded("data.score", data.score, 0, max.into())?;
        Ok(Body::SurveyAnswered { conversation, identity, kind, score, max })
    }

    fn customer_updated(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let account_owner = match &data.account_owner {
            Change::Unchanged => None,
            Change::Cleared => Some(Id::default()),
            Change::To(agent) => Some(self.id(Kind::Agent, checked_id("data.account_owner", &agent.0)?)),
        };
        let (customer, tier) = self.customer(data)?;
        Ok(Body::CustomerUpdated { customer, tier, blocked: data.blocked, account_owner })
    }

    fn presence(&self, data: &Data<'_>, actor: Option<&Actor>) -> Result<Body, Refusal> {
        let agent = self.agent(data.agent.as_ref(), actor)?;
        let status = required("data.status", data.status.as_ref())?;
        let session = optional_id("data.session", data.session.as_ref())?;
        let lease = |seconds| duration("data.expires_in_s", seconds, limits::LEASE_S);
        Ok(Body::AgentPresence {
            agent,
            status: word("data.status", status, Status::from_word, &["online", "away", "offline", "pending_away"])?,
            by: match &data.by {
                Some(by) => word("data.by", &by.0, By::from_word, &["agent", "device"])?,
                None => By::Agent,
            },
            session: session.map(|session| self.hash(Kind::Session, &[session])),
            sequence: number(data.sequence),
            expires_in_ms: data.expires_in_s.map(lease).transpose()?,
            channels: self.set("data.channels", Kind::Channel, data.channels.as_deref(), limits::CHANNELS)?,
            supervised: actor.is_some_and(|actor| actor.kind == ActorKind::Supervisor),
            reason: reason(data.reason.as_ref())?,
        })
    }

    fn transfer(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let conversation = self.conversation(data)?;
        let to = self.target(data)?;
        let place_back = match &data.place {
            Some(place) => word("data.place", &place.0, place_back, &["keep", "back"])?,
            None => false,
        };
        let wait = |seconds| duration("data.wait_s", seconds, limits::WAIT_S);
        let wait_ms = data.wait_s.map(wait).transpose()?;
        let fallback = self.queue("data.fallback", data.fallback.as_ref())?;
        let warm = data.warm.unwrap_or(false);
        // Only one agent can be asked first, be waited for and be given up for a queue.
        let of_agents = [("warm", warm), ("wait_s", wait_ms.is_some()), ("fallback", fallback.is_some())];
        if to.agent.is_none()
            && let Some((what, _)) = of_agents.into_iter().find(|(_, given)| *given)
        {
            return Ok(unsupported(what));
        }
        Ok(Body::ConversationTransfer {
            conversation,
            expected_epoch: number(data.expected_epoch),
            to,
            warm,
            place_back,
            note: note(data)?,
            reason: reason(data.reason.as_ref())?,
            wait_ms,
            fallback,
        })
    }

    fn target(&self, data: &Data<'_>) -> Result<input::Target, Refusal> {
        let Some(Object(Target { agent, queue, skills })) = &data.to else { return Err(Refusal::missing("data.to")) };
        let given = usize::from(agent.is_some()) + usize::from(queue.is_some()) + usize::from(skills.is_some());
        if given != 1 {
            let reason = if given == 0 { "missing" } else { "out_of_bounds" };
            return Err(Refusal::bad("data.to", reason, "this must have one of: agent, queue, skills"));
        }
        let skills_read = self.skills("data.to.skills", skills.as_ref())?;
        if skills.is_some() && skills_read.is_empty() {
            return Err(Refusal::bad("data.to.skills", "out_of_bounds", "this must have at least one skill"));
        }
        Ok(input::Target {
            agent: optional_id("data.to.agent", agent.as_ref())?.map(|agent| self.id(Kind::Agent, agent)),
            queue: self.queue("data.to.queue", queue.as_ref())?,
            skills: skills_read,
        })
    }

    fn conversation_update(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let priority = |priority| bounded("data.priority", priority, 0, limits::PRIORITY.into());
        let skills = match &data.skills {
            Some(skills) => Some(self.skills("data.skills", Some(skills))?),
            None => None,
        };
        Ok(Body::ConversationUpdate {
            conversation: self.conversation(data)?,
            expected_epoch: number(data.expected_epoch),
            tier: self.tier(customer(data)?.tier),
            priority: data.priority.map(priority).transpose()?,
            skills,
            reason: reason(data.reason.as_ref())?,
        })
    }

    fn merge(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let conversation = self.conversation(data)?;
        let other = self.other(Kind::Conversation, data)?;
        let survivor = optional_id("data.survivor", data.survivor.as_ref())?;
        let survivor = match survivor.map(|id| self.id(Kind::Conversation, id)) {
            Some(survivor) if survivor != conversation && survivor != other => {
                let sentence = "the survivor must be `conversation` or `other`";
                return Err(Refusal::bad("data.survivor", "unknown_value", sentence));
            }
            survivor => survivor,
        };
        Ok(Body::ConversationMerge { conversation, other, survivor })
    }

    fn calendar_expand(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let calendar = self.id(Kind::Calendar, required_id("data.calendar", data.calendar.as_ref())?);
        let from = data.from.as_ref().map(|from| instant("data.from", &from.0)).transpose()?.unwrap_or(0);
        let until = instant("data.until", required("data.until", data.until.as_ref())?)?;
        if until <= from {
            return Err(Refusal::bad("data.until", "out_of_bounds", "this must be later than `from`"));
        }
        let openings = openings(data.openings.as_ref().ok_or_else(|| Refusal::missing("data.openings"))?)?;
        Ok(Body::CalendarExpand { calendar, from, until, openings })
    }

    fn queue_control(&self, data: &Data<'_>) -> Result<Body, Refusal> {
        let queue = self.id(Kind::Queue, required_id("data.queue", data.queue.as_ref())?);
        let state = required("data.state", data.state.as_ref())?;
        let until = data.until.as_ref().map(|until| instant("data.until", &until.0));
        Ok(Body::QueueControl {
            queue,
            control: word("data.state", state, Control::from_word, &["open", "closed", "emergency", "none"])?,
            until: until.transpose()?,
            reason: reason(data.reason.as_ref())?,
            expected_version: number(data.expected_version),
        })
    }
}

/// What kind of message it is; without a word of it, a person's public text.
struct Written {
    /// Text or media that nothing sent by itself: only those open, reopen and answer.
    by_a_person: bool,
    /// The customer sees it.
    public: bool,
}

impl Written {
    fn of(data: &Data<'_>) -> Result<Written, Refusal> {
        let Some(Object(message)) = &data.message else { return Ok(Written { by_a_person: true, public: true }) };
        let by_a_person = |word: &str| match word {
            "text" | "media" => Some(true),
            "reaction" | "auto_reply" | "bounce" | "system" => Some(false),
            _ => None,
        };
        let public = |word: &str| match word {
            "public" => Some(true),
            "private" => Some(false),
            _ => None,
        };
        let kinds = ["text", "media", "reaction", "auto_reply", "bounce", "system"];
        let kind = message.kind.as_ref().map_or("text", |kind| &kind.0);
        let visibility = message.visibility.as_ref().map_or("public", |visibility| &visibility.0);
        let by_a_person = word("data.message.kind", kind, by_a_person, &kinds)?;
        Ok(Written {
            by_a_person: by_a_person && !message.automatic.unwrap_or(false),
            public: word("data.message.visibility", visibility, public, &["public", "private"])?,
        })
    }
}

/// Whether a transferred conversation stands in line as if it came now.
fn place_back(word: &str) -> Option<bool> {
    match word {
        "keep" => Some(false),
        "back" => Some(true),
        _ => None,
    }
}

fn note(data: &Data<'_>) -> Result<Option<Box<str>>, Refusal> {
    data.note.as_ref().map(|note| text("data.note", note, limits::NOTE_BYTES)).transpose()
}

/// Each a begin and a later end, in order and without overlap.
fn openings(pairs: &[Vec<Text<'_>>]) -> Result<Vec<Opening>, Refusal> {
    check_count("data.openings", pairs.len(), limits::OPENINGS)?;
    let mut openings: Vec<Opening> = Vec::with_capacity(pairs.len());
    for (i, pair) in pairs.iter().enumerate() {
        let field = format!("data.openings[{i}]");
        let [from, to] = pair.as_slice() else {
            return Err(Refusal::bad(field, "out_of_bounds", "an opening is its begin and its end"));
        };
        let opening =
            Opening { from: instant(&format!("{field}[0]"), &from.0)?, to: instant(&format!("{field}[1]"), &to.0)? };
        if opening.to <= opening.from {
            return Err(Refusal::bad(field, "out_of_bounds", "an opening's end must be later than its begin"));
        }
        if openings.last().is_some_and(|before| opening.from < before.to) {
            return Err(Refusal::bad(
                field,
                "out_of_bounds",
                "an opening must not begin before the one before it ends",
            ));
        }
        openings.push(opening);
    }
    Ok(openings)
}

/// An offer's id is a decimal number as we told it; any other id is that of no offer: 0.
fn offer(data: &Data<'_>) -> Result<u64, Refusal> {
    let id = required_id("data.offer", data.offer.as_ref())?;
    Ok(id.parse::<u64>().ok().filter(|offer| offer.to_string() == id).unwrap_or(0))
}
