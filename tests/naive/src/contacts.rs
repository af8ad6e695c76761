//! Customers' contacts: which conversation an event belongs to, and what opening, reopening and ending one does.

use crate::telling::{Step, Verdict};
use crate::workspace::{Conversation, Skills};
use engine::decision::{DecisionType, Reason};
use engine::id::{Id, Kind};
use engine::input::{ActorKind, Contact};
use engine::policy::{Condition, Subject};

/// How far an event's own time may lie behind engine time.
const CLAMP_MS: u64 = 24 * 3_600_000;
/// Closings of passed reopen windows a step.
const EXPIRIES_MAX: usize = 2;

/// Where an event belongs: a conversation there is, or the id and reason of a new one.
enum Found {
    Known(String),
    New { id: String, reason: Reason },
}

/// Where a contact is sent, and what chose it.
struct Route {
    queue: String,
    rule: String,
}

impl Step<'_> {
    pub fn contact_started(&mut self, contact: &Contact) -> Verdict {
        let Some(channel) = self.workspace.channel(&contact.channel.text) else {
            return Verdict::ignored(Reason::UnknownChannel);
        };
        if !channel.live {
            return Verdict::ignored(Reason::NotLive);
        }
        match self.find(contact) {
            Found::Known(id) if self.workspace.conversations[&id].resolved_at.is_some() => {
                Verdict::ignored(Reason::NotOpen)
            }
            Found::Known(_) => Verdict::ignored(Reason::AlreadyOpen),
            Found::New { id, reason } => self.open(contact, &id, reason),
        }
    }

    pub fn message_received(&mut self, contact: &Contact, opens: bool) -> Verdict {
        if self.workspace.channel(&contact.channel.text).is_none() {
            return Verdict::ignored(Reason::UnknownChannel);
        }
        let (id, reason) = match self.find(contact) {
            Found::New { id, reason } => (id, reason),
            Found::Known(id) => return self.message_to_known(contact, &id, opens),
        };
        if opens { self.open(contact, &id, reason) } else { Verdict::ignored(Reason::OpensNothing) }
    }

    fn message_to_known(&mut self, contact: &Contact, id: &str, opens: bool) -> Verdict {
        self.catch_up(id);
        let conversation = &self.workspace.conversations[id];
        let is_resolved = conversation.resolved_at.is_some();
        match (&conversation.owner, opens) {
            (_, true) if is_resolved => self.reopen(contact, id),
            (_, false) if is_resolved => Verdict::ignored(Reason::OpensNothing),
            (_, false) => Verdict::recorded(Reason::Recorded),
            (None, true) => Verdict::recorded(Reason::Waiting),
            (Some(_), true) => {
                self.tell_handed(DecisionType::MessageRouted, Reason::None, id, "");
                Verdict::decided()
            }
        }
    }

    pub fn contact_ended(&mut self, named: Option<&Id>, identity: Option<u128>, by: ActorKind) -> Verdict {
        let Some(id) = self.find_existing(named, identity) else {
            return Verdict::ignored(Reason::UnknownConversation);
        };
        let conversation = &self.workspace.conversations[&id];
        if !conversation.live {
            return Verdict::ignored(Reason::NotLive);
        }
        self.catch_up(&id);
        if let Some(owner) = self.end_hold(&id) {
            self.tell_handed(DecisionType::ConversationResolved, Reason::ContactEnded, &id, &owner);
        } else if by == ActorKind::Customer {
            self.tell(DecisionType::ConversationAbandoned, self.abandonment(&id), &id);
        } else {
            self.tell(DecisionType::ConversationClosed, Reason::ContactEnded, &id);
        }
        self.leave(&id);
        Verdict::decided()
    }

    fn abandonment(&self, id: &str) -> Reason {
        let conversation = &self.workspace.conversations[id];
        let short =
            self.workspace.channel_ever(&conversation.set.channel).map_or(0, |channel| channel.short_abandon_ms);
        if self.now - conversation.arrival <= short { Reason::ShortAbandoned } else { Reason::Abandoned }
    }

    pub fn message_sent(&mut self, named: Option<&Id>, identity: Option<u128>) -> Verdict {
        match self.find_existing(named, identity) {
            Some(id) => {
                self.catch_up(&id);
                Verdict::recorded(Reason::Recorded)
            }
            None => Verdict::ignored(Reason::UnknownConversation),
        }
    }

    /// The conversations whose reopen window has passed, the longest resolved first, a few a step.
    pub fn expire_resolved(&mut self) {
        let window = self.workspace.policy.reopen_window_ms;
        for _ in 0..EXPIRIES_MAX {
            let Some(id) = self.workspace.resolved.values().next().cloned() else { return };
            match self.workspace.conversations[&id].resolved_at {
                Some(at) if self.now - at > window => self.close_expired(&id),
                _ => return,
            }
        }
    }

    fn close_expired(&mut self, id: &str) {
        self.tell_of_tick(DecisionType::ConversationClosed, Reason::ReopenWindowPassed, id);
        self.leave(id);
    }

    /// A conversation of this id. One whose reopen window has passed is closed on sight, and is none.
    pub fn known(&mut self, id: &str) -> bool {
        let Some(conversation) = self.workspace.conversations.get(id) else { return false };
        match conversation.resolved_at {
            Some(at) if self.now - at > self.workspace.policy.reopen_window_ms => {
                self.close_expired(id);
                false
            }
            _ => true,
        }
    }

    fn find(&mut self, contact: &Contact) -> Found {
        let mut reason = Reason::New;
        if let Some(named) = &contact.conversation {
            if !self.known(&named.text) {
                return Found::New { id: named.text.to_string(), reason };
            }
            let its_customer = &self.workspace.conversations[&*named.text].customer;
            let of_another = match (its_customer, &contact.customer) {
                (Some(one), Some(other)) => **one != *other.text,
                _ => false,
            };
            if !of_another || contact.threaded {
                return Found::Known(named.text.to_string());
            }
            reason = Reason::OtherCustomer;
        }
        if let Some(id) = self.by_identity(contact.identity) {
            return Found::Known(id);
        }
        let id = contact.new_conversation.text.to_string();
        if self.known(&id) { Found::Known(id) } else { Found::New { id, reason } }
    }

    fn by_identity(&mut self, identity: Option<u128>) -> Option<String> {
        let id = self.alike(identity)?;
        self.known(&id).then_some(id)
    }

    /// Of an identity's conversations the newest that is open, else the one resolved last; of the last opened ones.
    fn alike(&self, identity: Option<u128>) -> Option<String> {
        const LOOKED_AT: usize = 64;
        let alike = self.workspace.identities.get(&identity?)?.values().rev().take(LOOKED_AT);
        let of = |id: &String| &self.workspace.conversations[id];
        let open = alike.clone().find(|id| of(id).resolved_at.is_none());
        open.or_else(|| alike.max_by_key(|id| (of(id).resolved_at, of(id).creation))).cloned()
    }

    /// What a fact names that opens nothing: open, or resolved and not yet closed.
    fn find_existing(&self, named: Option<&Id>, identity: Option<u128>) -> Option<String> {
        match named {
            Some(named) => self.workspace.conversations.get(&*named.text).map(|conversation| conversation.id.clone()),
            None => self.alike(identity),
        }
    }

    fn arrival(&self) -> u64 {
        let time = self.input.and_then(|input| input.time).unwrap_or(self.now);
        time.clamp(self.now.saturating_sub(CLAMP_MS), self.now)
    }

    fn configured_tier(&self, contact: &Contact) -> Option<String> {
        let wanted = contact.tier?;
        let mut tiers = self.workspace.policy.tiers.iter();
        let tier = tiers.find(|tier| self.key.hash(Kind::Tier, &self.workspace.name, &[&tier.name]) == wanted)?;
        Some(tier.name.to_string())
    }

    pub fn head_start_ms(&self, tier: Option<&str>) -> u64 {
        let mut tiers = self.workspace.policy.tiers.iter();
        tiers.find(|candidate| Some(&*candidate.name) == tier).map_or(0, |tier| tier.head_start_ms)
    }

    fn open(&mut self, contact: &Contact, id: &str, reason: Reason) -> Verdict {
        let tier = self.configured_tier(contact);
        let Route { queue, rule } = self.route(contact);
        let asked: Skills = contact.skills.iter().map(|skill| (skill.skill.text.to_string(), skill.level)).collect();
        let (set, has_room) = self.workspace.set_for(&queue, &contact.channel.text, &asked);
        let conversation = Conversation {
            id: id.to_string(),
            creation: *self.next_creation,
            customer: contact.customer.as_ref().map(|customer| customer.text.to_string()),
            identity: contact.identity,
            entry: contact.entry.text.to_string(),
            head_start_ms: self.head_start_ms(tier.as_deref()),
            tier,
            epoch: self.links.take(&self.workspace.name, id).unwrap_or(0),
            arrival: self.arrival(),
            queued_at: self.now,
            rule,
            set,
            asked: if has_room { asked } else { Skills::new() },
            live: self.workspace.channel(&contact.channel.text).is_some_and(|channel| channel.live),
            owner: None,
            resolved_at: None,
            resolve_number: 0,
        };
        *self.next_creation += 1;
        self.workspace.conversations.insert(id.to_string(), conversation);
        if let Some(identity) = contact.identity {
            let creation = self.workspace.conversations[id].creation;
            self.workspace.identities.entry(identity).or_default().insert(creation, id.to_string());
        }
        self.tell(DecisionType::ConversationOpened, reason, id);
        self.enqueue(id);
        let reason = if has_room { Reason::New } else { Reason::TooManySkillSets };
        self.tell(DecisionType::ConversationQueued, reason, id);
        Verdict::decided()
    }

    fn reopen(&mut self, contact: &Contact, id: &str) -> Verdict {
        let tier = self.configured_tier(contact).or(self.workspace.conversations[id].tier.clone());
        let head_start_ms = self.head_start_ms(tier.as_deref());
        let resolved = &self.workspace.conversations[id];
        let Route { queue, rule } = match self.workspace.queue(&resolved.set.queue) {
            Some(_) => Route { queue: resolved.set.queue.clone(), rule: resolved.rule.clone() },
            None => self.route(contact),
        };
        let (channel, asked) = (resolved.set.channel.clone(), resolved.asked.clone());
        let (set, _) = self.workspace.set_for(&queue, &channel, &asked);
        let (arrival, now) = (self.arrival(), self.now);
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return Verdict::decided() };
        conversation.epoch += 1;
        conversation.resolved_at = None;
        self.workspace.resolved.remove(&conversation.resolve_number);
        conversation.arrival = arrival;
        conversation.queued_at = now;
        conversation.tier = tier;
        conversation.head_start_ms = head_start_ms;
        conversation.rule = rule;
        conversation.set = set;
        self.tell(DecisionType::ConversationReopened, Reason::Reopen, id);
        self.enqueue(id);
        self.tell(DecisionType::ConversationQueued, Reason::Reopen, id);
        Verdict::decided()
    }

    pub fn enqueue(&mut self, id: &str) {
        let place = self.workspace.conversations[id].place();
        self.workspace.waiting.insert(place, id.to_string());
        self.workspace.fresh.insert(id.to_string());
        self.rotation_for(id);
    }

    /// The conversation leaves the state; its last epoch stays.
    pub fn leave(&mut self, id: &str) {
        let Some(conversation) = self.workspace.conversations.remove(id) else { return };
        self.workspace.waiting.remove(&conversation.place());
        self.workspace.resolved.remove(&conversation.resolve_number);
        if let Some(alike) = conversation.identity.and_then(|identity| self.workspace.identities.get_mut(&identity)) {
            alike.remove(&conversation.creation);
        }
        self.links.insert(&self.workspace.name, id, conversation.epoch, self.now);
    }

    /// First rule with conditions that matches, else the entry's queue, else the rule without conditions.
    fn route(&self, contact: &Contact) -> Route {
        let policy = &self.workspace.policy;
        let matching = |rule: &&engine::policy::Rule| {
            !rule.when.is_empty() && rule.when.iter().all(|condition| self.holds(condition, contact))
        };
        let entry = policy.entries.iter().find(|entry| entry.name == contact.entry.text);
        let default = policy.rules.iter().find(|rule| rule.when.is_empty());
        let (queue, rule) = match (policy.rules.iter().find(matching), entry, default) {
            (Some(rule), _, _) => {
                let index = policy.rules.iter().position(|candidate| std::ptr::eq(candidate, rule)).unwrap_or(0);
                (&rule.queue, format!("rule[{index}]"))
            }
            (None, Some(entry), _) => (&entry.queue, "entry".to_string()),
            (None, None, Some(default)) => (&default.queue, "default".to_string()),
            (None, None, None) => panic!("a policy has a rule without conditions"),
        };
        Route { queue: queue.to_string(), rule }
    }

    fn holds(&self, condition: &Condition, contact: &Contact) -> bool {
        let hash = |kind, parts: &[&str]| self.key.hash(kind, &self.workspace.name, parts);
        match condition.subject {
            Subject::Channel => condition.value == contact.channel.text,
            Subject::Entry => condition.value == contact.entry.text,
            Subject::Tier => contact.tier == Some(hash(Kind::Tier, &[&condition.value])),
            Subject::Language => contact.language == Some(hash(Kind::Language, &[&condition.value])),
            Subject::Attribute => {
                contact.attributes.contains(&hash(Kind::Attribute, &[&condition.key, &condition.value]))
            }
        }
    }
}
