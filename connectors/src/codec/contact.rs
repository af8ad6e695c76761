//! Who writes or calls, where and about what: what identifies, routes and ranks a conversation (routing.md §2).

use super::decoder::Event;
use super::envelope::{Object, Pairs, Plain, Whole};
use super::field::{check_count, checked_id, optional_id, path, repeated_key, required_id};
use super::limits;
use super::members::Data;
use super::refusal::Refusal;
use engine::id::{Id, Kind};
use engine::input::{Contact, RequiredSkill};
use sha2::{Digest, Sha256};

impl Event<'_> {
    pub(super) fn contact(&self, data: &Data<'_>) -> Result<Contact, Refusal> {
        let channel = required_id("data.channel", data.channel.as_ref())?;
        let conversation = optional_id("data.conversation", data.conversation.as_ref())?;
        let thread = optional_id("data.thread", data.thread.as_ref())?;
        let entry = optional_id("data.entry", data.entry.as_ref())?;
        let customer = customer(data)?;
        Ok(Contact {
            conversation: conversation.map(|id| self.id(Kind::Conversation, id)),
            // Also where the event names one: that may turn out to be another customer's.
            new_conversation: self.id(Kind::Conversation, &new_conversation(self.source, self.id)),
            identity: self.identity(channel, entry.unwrap_or(""), thread, customer.id),
            threaded: thread.is_some(),
            customer: customer.id.map(|id| self.id(Kind::Customer, id)),
            tier: customer.tier.map(|tier| self.hash(Kind::Tier, &[tier])),
            language: customer.language.map(|language| self.hash(Kind::Language, &[language])),
            channel: self.id(Kind::Channel, channel),
            entry: entry.map(|entry| self.id(Kind::Entry, entry)).unwrap_or_default(),
            attributes: self.attributes(data.attributes.as_ref())?,
            skills: self.skills("data.skills", data.skills.as_ref())?,
        })
    }

    fn identity(&self, channel: &str, entry: &str, thread: Option<&str>, customer: Option<&str>) -> Option<u128> {
        match (thread, customer) {
            (Some(thread), _) => Some(self.hash(Kind::Thread, &[channel, entry, thread])),
            (None, Some(customer)) => Some(self.hash(Kind::Contact, &[channel, entry, customer])),
            (None, None) => None,
        }
    }

    fn attributes(&self, pairs: Option<&Pairs<'_, Plain<'_>>>) -> Result<Vec<u128>, Refusal> {
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

    /// Skills with the levels required, sorted by hash; `field` is their path.
    pub(super) fn skills(&self, field: &str, pairs: Option<&Pairs<'_, Whole>>) -> Result<Vec<RequiredSkill>, Refusal> {
        let Some(Pairs(pairs)) = pairs else { return Ok(Vec::new()) };
        check_count(field, pairs.len(), limits::SKILLS)?;
        let mut skills: Vec<RequiredSkill> = Vec::with_capacity(pairs.len());
        for (name, Whole(level)) in pairs {
            let path = || path(field, name);
            checked_id("", name).map_err(|refusal| Refusal { field: path(), ..refusal })?;
            let level = u8::try_from(*level).ok().filter(|level| *level <= limits::LEVEL).ok_or_else(|| {
                Refusal::bad(path(), "out_of_bounds", format!("a level must be 0 to {}", limits::LEVEL))
            })?;
            skills.push(RequiredSkill { skill: self.id(Kind::Skill, name), level });
        }
        skills.sort_unstable();
        match skills.windows(2).find(|pair| pair[0].skill == pair[1].skill) {
            Some(pair) => Err(repeated_key(field, &pair[0].skill.text)),
            None => Ok(skills),
        }
    }

    /// The conversation that an event about an existing one means: by its id, else by who is in it.
    pub(super) fn named(&self, data: &Data<'_>) -> Result<(Option<Id>, Option<u128>), Refusal> {
        let conversation = optional_id("data.conversation", data.conversation.as_ref())?;
        let thread = optional_id("data.thread", data.thread.as_ref())?;
        let entry = optional_id("data.entry", data.entry.as_ref())?;
        let channel = optional_id("data.channel", data.channel.as_ref())?;
        let customer = customer(data)?;
        if let Some(id) = conversation {
            return Ok((Some(self.id(Kind::Conversation, id)), None));
        }
        let identity = channel.and_then(|channel| self.identity(channel, entry.unwrap_or(""), thread, customer.id));
        match identity {
            Some(identity) => Ok((None, Some(identity))),
            None => Err(Refusal::bad(
                "data.conversation",
                "missing",
                "name the conversation, or its channel with a thread or a customer",
            )),
        }
    }
}

/// What an event says of the customer.
#[derive(Default)]
pub(super) struct Names<'d> {
    pub id: Option<&'d str>,
    pub tier: Option<&'d str>,
    pub language: Option<&'d str>,
}

pub(super) fn customer<'d>(data: &'d Data<'_>) -> Result<Names<'d>, Refusal> {
    let Some(Object(customer)) = &data.customer else { return Ok(Names::default()) };
    Ok(Names {
        id: optional_id("data.customer.id", customer.id.as_ref())?,
        tier: optional_id("data.customer.tier", customer.tier.as_ref())?,
        language: optional_id("data.customer.language", customer.language.as_ref())?,
    })
}

/// The id of a conversation that its first event does not name (routing.md §2).
fn new_conversation(source: &str, id: &str) -> String {
    let text = [source, id].join("/");
    if text.len() <= limits::ID_BYTES {
        return text;
    }
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
