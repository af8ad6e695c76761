//! Customers' contacts: which conversation an event belongs to, and what opening, reopening and ending one does.

use crate::conversation::{Conversation, LAST_CLASS};
use crate::entering::Entering;
use crate::requirement::Skills;
use crate::telling::{Step, Verdict};
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail, Turn};
use engine::id::{Id, Kind};
use engine::input::{ActorKind, Contact, RequiredSkill};
use engine::policy::{Condition, OwnerAbsent, Subject};
use std::collections::BTreeSet;

/// How far an event's own time may lie behind engine time.
const CLAMP_MS: u64 = 24 * 3_600_000;
/// Closings of passed reopen windows a step.
const EXPIRIES_MAX: usize = 2;
/// Conversations that one sign of life of a source ends.
const STALE_MAX: usize = 256;

/// Where an event belongs: a conversation there is, or the id and reason of a new one.
pub enum Found {
    Known(String),
    New { id: String, reason: Reason },
}

/// Where a contact is sent, and what chose it.
pub struct Route {
    pub queue: String,
    pub rule: String,
}

impl Step<'_> {
    pub fn contact_started(&mut self, contact: &Contact) -> Verdict {
        let Some(channel) = self.workspace.channel(&contact.channel.text) else {
            return Verdict::ignored(Reason::UnknownChannel);
        };
        if !channel.live {
            return Verdict::ignored(Reason::NotLive);
        }
        if self.is_blocked(contact) {
            return Verdict::ignored(Reason::Blocked);
        }
        match self.find(contact) {
            Found::Known(id) if self.workspace.conversations[&id].is_resolved() => Verdict::ignored(Reason::NotOpen),
            Found::Known(_) => Verdict::ignored(Reason::AlreadyOpen),
            Found::New { id, reason } => self.open(contact, &id, reason),
        }
    }

    pub fn message_received(&mut self, contact: &Contact, opens: bool) -> Verdict {
        if self.workspace.channel(&contact.channel.text).is_none() {
            return Verdict::ignored(Reason::UnknownChannel);
        }
        if self.is_blocked(contact) {
            return Verdict::ignored(Reason::Blocked);
        }
        let (id, reason) = match self.find(contact) {
            Found::New { id, reason } => (id, reason),
            Found::Known(id) => return self.message_to_known(contact, &id, opens),
        };
        if opens { self.open(contact, &id, reason) } else { Verdict::ignored(Reason::OpensNothing) }
    }

    pub fn is_blocked(&self, contact: &Contact) -> bool {
        contact.customer.as_ref().is_some_and(|customer| self.workspace.blocked.contains(&*customer.text))
    }

    fn message_to_known(&mut self, contact: &Contact, id: &str, opens: bool) -> Verdict {
        self.catch_up(id);
        let conversation = &self.workspace.conversations[id];
        if !opens {
            let code = if conversation.is_resolved() { Reason::OpensNothing } else { Reason::Recorded };
            return if conversation.is_resolved() { Verdict::ignored(code) } else { Verdict::recorded(code) };
        }
        match conversation.phase {
            PhaseWord::Resolved => {
                let arrival = self.event_time();
                self.customer_awaits(id);
                self.reopen(id, arrival, Some(contact));
                Verdict::decided()
            }
            PhaseWord::InBot => {
                self.customer_awaits(id);
                Verdict::recorded(Reason::Recorded)
            }
            PhaseWord::Queued | PhaseWord::Offered => {
                if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                    conversation.answered = false;
                }
                self.customer_awaits(id);
                Verdict::recorded(Reason::Waiting)
            }
            PhaseWord::Assigned => {
                self.customer_wrote(id);
                Verdict::decided()
            }
            PhaseWord::Snoozed | PhaseWord::Parked => {
                self.wake(id, Reason::Message);
                Verdict::decided()
            }
        }
    }

    /// It is our turn, and the customer waits for an answer: from this message on, if he did not already.
    pub fn becomes_ours(&mut self, id: &str) {
        let arrival = self.event_time();
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.turn = Turn::Ours;
            if conversation.answered {
                conversation.answered = false;
                conversation.arrival = arrival;
            }
        }
    }

    /// A customer's message to somebody's conversation.
    fn customer_wrote(&mut self, id: &str) {
        let conversation = &self.workspace.conversations[id];
        let begins = conversation.turn != Turn::Ours || conversation.answered;
        self.becomes_ours(id);
        self.customer_awaits(id);
        let woke = self.wake_units(id);
        self.tell(DecisionType::MessageRouted, Reason::None, id);
        self.tell_if_over(id, woke);
        // Further messages belong to the turn that has begun.
        if begins {
            return self.mind_absent_owner(id);
        }
        self.rearm(id);
        self.rearm_owner_of(id);
    }

    /// Starts the owner's clock, or that of his absence, or takes it from him at once.
    pub fn mind_absent_owner(&mut self, id: &str) {
        self.start_silence(id);
        let conversation = &self.workspace.conversations[id];
        let owner = conversation.owner.clone().unwrap_or_default();
        let is_present = self.workspace.agent(&owner).is_some_and(|agent| agent.is_online());
        let channel = self.workspace.channel_ever(&conversation.channel);
        let absent = channel.map(|channel| (channel.owner_absent, channel.owner_absent_ms));
        if let (false, false, Some((absent, for_ms))) = (conversation.live, is_present, absent) {
            if absent == OwnerAbsent::Return {
                self.return_or_keep(id, Reason::OwnerAbsent);
                return self.rearm_owner(&owner);
            }
            let latest = self.now + for_ms;
            let shift_at = self.next_shift(&owner).filter(|_| absent == OwnerAbsent::UntilNextShift);
            let until = shift_at.map_or(latest, |at| at.min(latest));
            if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                conversation.turn_at = Some(until);
            }
        }
        self.rearm(id);
        self.rearm_owner(&owner);
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
        let Some(conversation) = self.workspace.conversations.get(&id) else { return Verdict::decided() };
        let was_in_bot = conversation.phase == PhaseWord::InBot;
        let is_owned = conversation.owner.is_some();
        let abandonment = self.abandonment(&id);
        self.withdraw(&id, Reason::Abandoned);
        let (decision, reason) = match by {
            _ if is_owned => (DecisionType::ConversationResolved, Reason::ContactEnded),
            ActorKind::Customer if was_in_bot => (DecisionType::ConversationAbandoned, Reason::LeftInBot),
            _ if was_in_bot => (DecisionType::ConversationClosed, Reason::Contained),
            ActorKind::Customer => (DecisionType::ConversationAbandoned, abandonment),
            _ => (DecisionType::ConversationClosed, Reason::ContactEnded),
        };
        self.end(&id, decision, reason, ToldDetail::default());
        Verdict::decided()
    }

    fn abandonment(&self, id: &str) -> Reason {
        let conversation = &self.workspace.conversations[id];
        let short = self.workspace.channel_ever(&conversation.channel).map_or(0, |channel| channel.short_abandon_ms);
        if self.now - conversation.arrival <= short { Reason::ShortAbandoned } else { Reason::Abandoned }
    }

    /// A source lists its live contacts: what it opened and does not list has ended without our hearing of it.
    pub fn heartbeat(&mut self, open_contacts: Option<&[u128]>) -> Verdict {
        let Some(listed) = open_contacts else { return Verdict::recorded(Reason::Recorded) };
        let listed: BTreeSet<u128> = listed.iter().copied().collect();
        let source = self.input.map_or(0, |input| input.source_hash);
        let workspace = &self.workspace;
        let mut named: BTreeSet<&str> = BTreeSet::new();
        let of_source = |conversation: &&Conversation| {
            conversation.live && conversation.source == source && !conversation.is_resolved()
        };
        for conversation in workspace.conversations.values().filter(of_source) {
            if listed.contains(&workspace.hash(Kind::Conversation, &conversation.id)) {
                named.insert(&conversation.id);
            }
        }
        for (alias, survivor) in &workspace.aliases {
            if listed.contains(&workspace.hash(Kind::Conversation, alias)) {
                named.insert(survivor);
            }
        }
        let is_stale = |id: &String| of_source(&&workspace.conversations[id]) && !named.contains(id.as_str());
        let stale: Vec<String> = workspace.by_creation().into_iter().filter(is_stale).take(STALE_MAX).collect();
        for id in &stale {
            self.go_stale(id);
        }
        if stale.is_empty() { Verdict::recorded(Reason::Recorded) } else { Verdict::decided() }
    }

    /// It has lasted longer than any contact does.
    pub fn go_stale(&mut self, id: &str) {
        self.withdraw(id, Reason::Rescinded);
        self.end_without_wrap_up(id, DecisionType::ConversationClosed, Reason::Stale);
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
        self.without_cause(|step| step.tell(DecisionType::ConversationClosed, Reason::ReopenWindowPassed, id));
        self.leave(id);
    }

    /// The conversation of this id. One whose reopen window has passed is closed on sight, and is none.
    fn known(&mut self, id: &str) -> Option<String> {
        let id = self.workspace.conversation_id(id)?;
        match self.workspace.conversations[&id].resolved_at {
            Some(at) if self.now - at > self.workspace.policy.reopen_window_ms => {
                self.close_expired(&id);
                None
            }
            _ => Some(id),
        }
    }

    pub fn find(&mut self, contact: &Contact) -> Found {
        let mut reason = Reason::New;
        if let Some(named) = &contact.conversation {
            let Some(id) = self.known(&named.text) else {
                return Found::New { id: named.text.to_string(), reason };
            };
            let of_another = match (&self.workspace.conversations[&id].customer, &contact.customer) {
                (Some(one), Some(other)) => **one != *other.text,
                _ => false,
            };
            if !of_another || contact.threaded {
                return Found::Known(id);
            }
            reason = Reason::OtherCustomer;
        }
        if let Some(id) = self.alike(contact.identity).and_then(|id| self.known(&id)) {
            return Found::Known(id);
        }
        let id = contact.new_conversation.text.to_string();
        match self.known(&id) {
            Some(id) => Found::Known(id),
            None => Found::New { id, reason },
        }
    }

    /// Of an identity's conversations the newest that is open, else the one resolved last; of the last opened ones. One
    /// that another of the identity was merged into stands behind those that have it themselves.
    fn alike(&self, identity: Option<u128>) -> Option<String> {
        const LOOKED_AT: usize = 64;
        let identity = identity?;
        let all = self.workspace.identities.get(&identity);
        let own = all.into_iter().flat_map(|all| all.values().rev().take(LOOKED_AT));
        let of = |id: &String| &self.workspace.conversations[id];
        let survivor = self.workspace.identity_aliases.get(&identity);
        let open = own.clone().find(|id| !of(id).is_resolved());
        let open = open.or(survivor.filter(|id| !of(id).is_resolved()));
        let last = own.max_by_key(|id| (of(id).resolved_at, of(id).creation));
        open.or(last).or(survivor).cloned()
    }

    /// What a fact names that opens nothing: open, or resolved and not yet closed.
    pub fn find_existing(&self, named: Option<&Id>, identity: Option<u128>) -> Option<String> {
        match named {
            Some(named) => self.workspace.conversation_id(&named.text),
            None => self.alike(identity),
        }
    }

    /// The event's own time, clamped.
    pub fn event_time(&self) -> u64 {
        let time = self.input.and_then(|input| input.time).unwrap_or(self.now);
        time.clamp(self.now.saturating_sub(CLAMP_MS), self.now)
    }

    pub fn open(&mut self, contact: &Contact, id: &str, reason: Reason) -> Verdict {
        let in_bot = self.workspace.policy.entries.iter().any(|entry| entry.name == contact.entry.text && entry.bot);
        let reason = self.create(contact, id, reason);
        if in_bot {
            let until = self.now + self.workspace.policy.bot_max_ms;
            if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                conversation.phase = PhaseWord::InBot;
                conversation.turn = Turn::Theirs;
                conversation.turn_at = Some(until);
            }
        }
        self.customer_awaits(id);
        if in_bot {
            self.tell(DecisionType::ConversationOpened, reason, id);
            self.rearm(id);
            return Verdict::decided();
        }
        let announce = Some((DecisionType::ConversationOpened, reason));
        let (queue, preferred) = (self.workspace.conversations[id].queue.clone(), self.preferred_of_customer(id));
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.queue.clear();
        }
        self.enter(id, Entering { queue, reason: Reason::New, preferred, announce, ..Entering::default() });
        Verdict::decided()
    }

    /// A conversation that was not there before, and why it is told as opened.
    pub fn create(&mut self, contact: &Contact, id: &str, reason: Reason) -> Reason {
        let tier = contact.tier.and_then(|tier| self.workspace.tier_of_hash(tier));
        let Route { queue, rule } = self.route(contact);
        let link = self.shard.links.take(&self.workspace.name, id);
        let channel = self.workspace.channel(&contact.channel.text).map(|channel| (channel.live, channel.max_open_ms));
        let (live, max_open_ms) = channel.unwrap_or_default();
        let is_linked = link.is_some() || self.shard.links.has_identity(contact.identity);
        let conversation = Conversation {
            id: id.to_string(),
            creation: self.shard.next_creation,
            customer: contact.customer.as_ref().map(|customer| customer.text.to_string()),
            identity: contact.identity,
            entry: contact.entry.text.to_string(),
            tier,
            channel: contact.channel.text.to_string(),
            live,
            source: self.input.map_or(0, |input| input.source_hash),
            stale_at: live.then_some(self.now + max_open_ms),
            phase: PhaseWord::Queued,
            turn: Turn::Ours,
            epoch: link.unwrap_or(0),
            owner: None,
            last_owner: None,
            is_touched: false,
            answered: false,
            arrival: self.event_time(),
            waited_ms: 0,
            turn_at: None,
            is_alarmed: false,
            queue,
            rule,
            queued_at: self.now,
            set: None,
            asked: skills_asked(&contact.skills),
            priority: 0,
            head_start_ms: 0,
            class: LAST_CLASS,
            steps_seen: 0,
            steps_applied: BTreeSet::new(),
            step_head_start_ms: 0,
            first_ring: false,
            stage_ms: 0,
            preference: None,
            is_preferred_absent: false,
            declined: BTreeSet::new(),
            giver: None,
            pause_until: None,
            unclaimed: false,
            offer: None,
            parked: Reason::None,
            transfers: 0,
            has_note: false,
            resolved_at: None,
            resolve_number: 0,
            began_at: self.event_time(),
            waits_since: None,
            responded: false,
            before_answer: None,
            wrote_at: None,
            entries: 0,
            clocks: Default::default(),
            counts_in: Default::default(),
            clock_at: None,
            in_step: None,
        };
        self.shard.next_creation += 1;
        if let Some(identity) = contact.identity {
            let alike = self.workspace.identities.entry(identity).or_default();
            alike.insert(conversation.creation, id.to_string());
        }
        self.workspace.conversations.insert(conversation);
        if is_linked && reason == Reason::New { Reason::Linked } else { reason }
    }

    /// A resolved conversation goes on.
    pub fn reopen(&mut self, id: &str, arrival: u64, contact: Option<&Contact>) {
        let asked_tier = contact.and_then(|contact| contact.tier);
        let tier = asked_tier.and_then(|tier| self.workspace.tier_of_hash(tier));
        let resolved = &self.workspace.conversations[id];
        let (queue, rule) = match (self.workspace.queue(&resolved.queue), contact) {
            (None, Some(contact)) => {
                let Route { queue, rule } = self.route(contact);
                (queue, rule)
            }
            _ => {
                let (queue, rule) = self.own_queue_again(id);
                (queue, rule.unwrap_or(resolved.rule.clone()))
            }
        };
        self.begin_again(id, arrival, tier);
        let announce = Some((DecisionType::ConversationReopened, Reason::Reopen));
        let preferred = self.workspace.conversations[id].last_owner.clone().or_else(|| self.preferred_of_customer(id));
        let (rule, reason) = (Some(rule), Reason::Reopen);
        self.enter(id, Entering { queue, rule, reason, preferred, announce, ..Entering::default() });
    }

    /// Out of the resolved ones, in the next epoch.
    pub fn begin_again(&mut self, id: &str, arrival: u64, tier: Option<String>) {
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        conversation.epoch += 1;
        conversation.resolved_at = None;
        conversation.phase = PhaseWord::Queued;
        conversation.turn = Turn::Ours;
        conversation.answered = false;
        conversation.arrival = arrival;
        conversation.began_at = arrival;
        (conversation.waits_since, conversation.responded) = (Some(arrival), false);
        conversation.before_answer = None;
        if tier.is_some() {
            conversation.tier = tier;
        }
        self.workspace.resolved.remove(&conversation.resolve_number);
    }

    /// First rule with conditions that matches, else the entry's queue, else the rule without conditions.
    pub fn route(&self, contact: &Contact) -> Route {
        let policy = &self.workspace.policy;
        let matching = |rule: &&engine::policy::Rule| {
            !rule.when.is_empty() && rule.when.iter().all(|condition| self.holds(condition, contact))
        };
        let entry = policy.entries.iter().find(|entry| entry.name == contact.entry.text);
        let (queue, rule) = match (policy.rules.iter().find(matching), entry) {
            (Some(rule), _) => {
                let index = policy.rules.iter().position(|candidate| std::ptr::eq(candidate, rule)).unwrap_or(0);
                (rule.queue.to_string(), format!("rule[{index}]"))
            }
            (None, Some(entry)) => (entry.queue.to_string(), "entry".to_string()),
            (None, None) => (self.default_queue(), "default".to_string()),
        };
        Route { queue, rule }
    }

    pub fn default_queue(&self) -> String {
        let default = self.workspace.policy.rules.iter().find(|rule| rule.when.is_empty());
        default.map(|rule| rule.queue.to_string()).unwrap_or_default()
    }

    fn holds(&self, condition: &Condition, contact: &Contact) -> bool {
        let hash = |kind, parts: &[&str]| self.shard.key.hash(kind, &self.workspace.name, parts);
        match condition.subject {
            Subject::Channel => condition.value == contact.channel.text,
            Subject::Entry => condition.value == contact.entry.text,
            Subject::Tier => contact.tier == Some(hash(Kind::Tier, &[&condition.value])),
            Subject::Language => contact.language == Some(hash(Kind::Language, &[&condition.value])),
            Subject::Open | Subject::Closed => {
                let hours = self.workspace.hours.get(&*condition.value);
                hours.is_none_or(|hours| hours.is_open(self.now)) == (condition.subject == Subject::Open)
            }
            Subject::Attribute => {
                contact.attributes.contains(&hash(Kind::Attribute, &[&condition.key, &condition.value]))
            }
        }
    }
}

pub fn skills_asked(skills: &[RequiredSkill]) -> Skills {
    skills.iter().map(|skill| (skill.skill.text.to_string(), skill.level)).collect()
}
