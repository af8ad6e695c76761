//! Customers: tiers, blocking, who looks after them, who is the same person; notes, surveys, merged conversations.

use crate::contacts::skills_asked;
use crate::telling::{Step, Verdict};
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail, Turn};
use engine::id::Id;
use engine::input::RequiredSkill;
use engine::policy::limits::CUSTOMERS;

/// Conversations that one customer's update is told of.
const UPDATES_MAX: usize = 256;
/// Links of one customer.
const LINKS_OF_ONE: usize = 1_024;

impl Step<'_> {
    pub fn customer_updated(
        &mut self,
        customer: &str,
        tier: Option<u128>,
        blocked: Option<bool>,
        account_owner: Option<&str>,
    ) -> Verdict {
        let is_full = |len: usize, has: bool| !has && len >= CUSTOMERS;
        let workspace = &*self.workspace;
        let blocks_too_many =
            blocked == Some(true) && is_full(workspace.blocked.len(), workspace.blocked.contains(customer));
        let names_too_many = account_owner.is_some_and(|owner| !owner.is_empty())
            && is_full(workspace.account_owners.len(), workspace.account_owners.contains_key(customer));
        if blocks_too_many || names_too_many {
            return Verdict::ignored(Reason::TooMany);
        }
        let is_stranger = |owner: &str| !owner.is_empty() && !self.workspace.agent_index.contains_key(owner);
        if account_owner.is_some_and(is_stranger) {
            return Verdict::ignored(Reason::UnknownAgent);
        }
        let tier = tier.map(|tier| self.workspace.tier_of_hash(tier));
        if tier == Some(None) {
            return Verdict::ignored(Reason::UnknownTier);
        }
        match blocked {
            Some(true) => _ = self.workspace.blocked.insert(customer.to_string()),
            Some(false) => _ = self.workspace.blocked.remove(customer),
            None => {}
        }
        match account_owner {
            Some("") => _ = self.workspace.account_owners.remove(customer),
            Some(owner) => _ = self.workspace.account_owners.insert(customer.to_string(), owner.to_string()),
            None => {}
        }
        let told = self.told.len();
        if let Some(tier) = tier.flatten() {
            let waiting = |id: &String| {
                let conversation = &self.workspace.conversations[id];
                let is_his = conversation.customer.as_deref() == Some(customer);
                is_his && !conversation.is_resolved() && conversation.tier.as_ref() != Some(&tier)
            };
            let waiting: Vec<String> = self.workspace.by_creation().into_iter().filter(waiting).collect();
            for id in waiting.into_iter().take(UPDATES_MAX) {
                let waits = self.workspace.conversations[&id].waits();
                self.change_tier(&id, &tier);
                if !waits {
                    continue;
                }
                self.tell(DecisionType::ConversationUpdated, Reason::Customer, &id);
                self.rearm(&id);
            }
        }
        self.decided_if_told(told)
    }

    fn change_tier(&mut self, id: &str, tier: &str) {
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.tier = Some(tier.to_string());
        }
        self.stand_anew(id);
    }

    /// A new place for one in line; an offered one has it when it returns.
    pub fn stand_anew(&mut self, id: &str) {
        if self.workspace.is_in_line(id) {
            self.change_key(id, |step| {
                step.rekey(id);
                step.find_set(id);
            });
        } else if self.workspace.conversations[id].waits() {
            self.rekey(id);
        }
    }

    pub fn link_customers(&mut self, one: &str, other: &str) -> Verdict {
        let links = &self.workspace.customer_links;
        let of = |customer: &str| links.get(customer).map_or(0, Vec::len);
        if one == other || links.get(one).is_some_and(|linked| linked.iter().any(|linked| linked == other)) {
            return Verdict::recorded(Reason::Recorded);
        }
        let all: usize = links.values().map(Vec::len).sum();
        if of(one) >= LINKS_OF_ONE || of(other) >= LINKS_OF_ONE || all / 2 >= CUSTOMERS {
            return Verdict::ignored(Reason::TooMany);
        }
        for (from, to) in [(one, other), (other, one)] {
            self.workspace.customer_links.entry(from.to_string()).or_default().push(to.to_string());
        }
        self.tell_customers(Reason::Linked, one, other);
        Verdict::decided()
    }

    pub fn unlink_customers(&mut self, one: &str, other: &str) -> Verdict {
        let mut was_linked = false;
        for (from, to) in [(one, other), (other, one)] {
            if let Some(linked) = self.workspace.customer_links.get_mut(from) {
                was_linked |= linked.iter().any(|customer| customer == to);
                linked.retain(|customer| customer != to);
            }
        }
        if !was_linked {
            return Verdict::ignored(Reason::NotLinked);
        }
        self.tell_customers(Reason::Unlinked, one, other);
        Verdict::decided()
    }

    fn tell_customers(&mut self, reason: Reason, one: &str, other: &str) {
        self.tell_plainly(DecisionType::CustomerMerged, reason);
        self.with_detail(ToldDetail { text: one.into(), other: other.into(), ..ToldDetail::default() });
    }

    pub fn update(
        &mut self,
        id: &str,
        expected_epoch: Option<u64>,
        tier: Option<u128>,
        priority: Option<u8>,
        skills: Option<&[RequiredSkill]>,
        reason: Option<&str>,
    ) -> Verdict {
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if self.is_anothers(&id) {
            return Verdict::rejected(Reason::NotOwner);
        }
        if priority.is_some() && self.lacks_reason(reason) {
            return Verdict::rejected(Reason::ReasonRequired);
        }
        let conversation = &self.workspace.conversations[&id];
        let named = tier.map(|tier| self.workspace.tier_of_hash(tier));
        if named == Some(None) {
            return Verdict::rejected(Reason::UnknownTier);
        }
        let tier = named.flatten().or(conversation.tier.clone());
        let priority = priority.unwrap_or(conversation.priority);
        let asked = skills.map_or(conversation.asked.clone(), skills_asked);
        if (&tier, priority, &asked) == (&conversation.tier, conversation.priority, &conversation.asked) {
            return Verdict::recorded(Reason::Recorded);
        }
        if let Some(conversation) = self.workspace.conversations.get_mut(&id) {
            conversation.tier = tier;
            conversation.priority = priority;
            conversation.asked = asked;
        }
        self.stand_anew(&id);
        self.tell(DecisionType::ConversationUpdated, Reason::Updated, &id);
        self.with_detail(ToldDetail { text: reason.unwrap_or("").into(), ..ToldDetail::default() });
        self.rearm(&id);
        Verdict::decided()
    }

    pub fn add_note(&mut self, id: &str, mentions: &[Id]) -> Verdict {
        let id = match self.known_at(id, None) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        self.keep_note(&id);
        let told = self.told.len();
        self.notify(&id, Reason::Mention, mentions.iter().map(|agent| &*agent.text));
        self.decided_if_told(told)
    }

    pub fn survey(&mut self, named: Option<&Id>, identity: Option<u128>) -> Verdict {
        let is_linked = named.is_some_and(|named| self.shard.links.has(&self.workspace.name, &named.text));
        if is_linked || self.find_existing(named, identity).is_some() {
            Verdict::recorded(Reason::Recorded)
        } else {
            Verdict::ignored(Reason::UnknownConversation)
        }
    }

    /// Two conversations become one.
    pub fn merge(&mut self, one: &str, other: &str, survivor: Option<&str>) -> Verdict {
        let resolved = [one, other].map(|id| self.workspace.conversation_id(id));
        let [Some(one), Some(other)] = resolved else { return Verdict::rejected(Reason::UnknownConversation) };
        if one == other {
            return Verdict::rejected(Reason::MergeIntoItself);
        }
        let named = survivor.map(|survivor| self.workspace.conversation_id(survivor));
        let named = named.map(|named| if named.as_ref() == Some(&other) { other.clone() } else { one.clone() });
        let creation = |id: &String| self.workspace.conversations[id].creation;
        let older = if creation(&one) < creation(&other) { &one } else { &other };
        let survivor = named.unwrap_or(older.clone());
        let gone = if survivor == one { other } else { one };
        if self.workspace.conversations[&survivor].is_resolved() {
            return Verdict::rejected(Reason::NotOpen);
        }
        self.catch_up(&survivor);
        self.catch_up(&gone);
        self.withdraw(&gone, Reason::Rescinded);
        self.leave_line(&gone);
        let absorbed = &self.workspace.conversations[&gone];
        let unanswered = (!absorbed.is_resolved() && !absorbed.answered).then_some(absorbed.arrival);
        let (has_note, identity, epoch) = (absorbed.has_note, absorbed.identity, absorbed.epoch);
        let waits_since = absorbed.waits_since.filter(|_| !absorbed.is_resolved());
        let heir = self.end_hold(&gone);
        self.remember_alias(&gone, identity, &survivor);
        self.leave_merged(&gone);
        self.change_key(&survivor, |step| {
            let Some(conversation) = step.workspace.conversations.get_mut(&survivor) else { return };
            conversation.epoch = conversation.epoch.max(epoch) + 1;
            conversation.has_note |= has_note;
            let Some(arrival) = unanswered else { return };
            let is_owned = conversation.owner.is_some() && !conversation.live;
            if is_owned && (conversation.answered || arrival < conversation.arrival) {
                conversation.turn = Turn::Ours;
            }
            let is_earlier = conversation.answered || arrival < conversation.arrival;
            conversation.arrival = if is_earlier { arrival } else { conversation.arrival };
            conversation.answered = false;
        });
        let mut is_taken = false;
        if let Some(heir) = heir {
            if self.workspace.conversations[&survivor].owner.is_none() {
                self.end_bot(&survivor);
                self.withdraw(&survivor, Reason::AcceptedElsewhere);
                is_taken = true;
                let fitted = self.has_room(&heir, &survivor);
                self.hand(&heir, &survivor, Reason::Merged, "");
                if !fitted {
                    self.tell_exceeded(Reason::Fact, &heir, &survivor);
                }
            }
            self.rearm_owner(&heir);
        }
        if let (Some(since), Some(merged)) = (waits_since, self.workspace.conversations.get_mut(&survivor)) {
            let is_on_the_line = merged.live && merged.owner.is_some();
            if merged.phase != PhaseWord::InBot && !is_on_the_line {
                merged.waits_since = Some(merged.waits_since.map_or(since, |own| own.min(since)));
            }
        }
        self.tell(DecisionType::ConversationMerged, Reason::Merged, &survivor);
        self.with_detail(ToldDetail { other: gone.as_str().into(), ..ToldDetail::default() });
        let merged = &self.workspace.conversations[&survivor];
        if merged.phase == PhaseWord::Assigned && merged.turn == Turn::Ours && !is_taken {
            self.mind_absent_owner(&survivor);
        }
        self.rearm(&survivor);
        self.rearm_owner_of(&survivor);
        Verdict::decided()
    }

    /// Ids and identities of the one that is gone lead to the survivor.
    fn remember_alias(&mut self, gone: &str, identity: Option<u128>, survivor: &str) {
        let workspace = &mut *self.workspace;
        for leads_to in workspace.aliases.values_mut().chain(workspace.identity_aliases.values_mut()) {
            if leads_to == gone {
                *leads_to = survivor.to_string();
            }
        }
        workspace.aliases.insert(gone.to_string(), survivor.to_string());
        if let Some(identity) = identity {
            workspace.identity_aliases.entry(identity).or_insert(survivor.to_string());
        }
    }

    fn leave_merged(&mut self, gone: &str) {
        if let Some(conversation) = self.workspace.conversations.get_mut(gone)
            && !conversation.is_resolved()
        {
            conversation.phase = PhaseWord::Resolved;
            conversation.turn = Turn::None;
        }
        self.leave(gone);
    }
}
