//! Endings, pauses and returns: resolve, close, snooze, wake, hand-off, and what an owner's silence leads to.

use crate::contacts::skills_asked;
use crate::entering::Entering;
use crate::telling::{Step, Verdict};
use crate::workspace::supervises;
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail, Turn};
use engine::input::{ActorKind, Contact, RequiredSkill};

impl Step<'_> {
    // Commands.

    pub fn resolve(&mut self, id: &str, expected_epoch: Option<u64>) -> Verdict {
        match self.resolvable(id, expected_epoch) {
            Ok(id) => {
                let reason = self.resolution(&id);
                self.finish(&id, reason);
                Verdict::decided()
            }
            Err(refusal) => refusal,
        }
    }

    pub fn close(&mut self, id: &str, expected_epoch: Option<u64>, reason: Option<&str>) -> Verdict {
        let id = match self.resolvable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if self.lacks_reason(reason) {
            return Verdict::rejected(Reason::ReasonRequired);
        }
        let conversation = &self.workspace.conversations[&id];
        let is_missed = !conversation.live && !conversation.is_touched;
        self.withdraw(&id, Reason::Rescinded);
        let why = if is_missed { Reason::Missed } else { Reason::Closed };
        let detail = ToldDetail { text: reason.unwrap_or("").into(), ..ToldDetail::default() };
        self.end(&id, DecisionType::ConversationClosed, why, detail);
        Verdict::decided()
    }

    fn resolvable(&mut self, id: &str, expected_epoch: Option<u64>) -> Result<String, Verdict> {
        let id = self.commandable(id, expected_epoch)?;
        if self.is_anothers(&id) { Err(Verdict::rejected(Reason::NotOwner)) } else { Ok(id) }
    }

    /// An agent commands what another owns.
    pub fn is_anothers(&self, id: &str) -> bool {
        let owner = self.workspace.conversations[id].owner.as_deref();
        owner.is_some() && self.acting_agent().is_some_and(|acting| owner != Some(acting))
    }

    /// A supervisor says why he does something.
    pub fn lacks_reason(&self, reason: Option<&str>) -> bool {
        let is_supervisor = self.actor().is_some_and(|actor| actor.kind == ActorKind::Supervisor);
        is_supervisor && reason.is_none_or(str::is_empty)
    }

    fn resolution(&self, id: &str) -> Reason {
        let conversation = &self.workspace.conversations[id];
        match conversation.phase {
            _ if conversation.is_touched => Reason::Resolved,
            PhaseWord::InBot => Reason::Contained,
            _ if conversation.live => Reason::Resolved,
            _ => Reason::Missed,
        }
    }

    pub fn reopen_by_command(&mut self, id: &str, expected_epoch: Option<u64>) -> Verdict {
        let id = match self.known_at(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if !self.workspace.conversations[&id].is_resolved() {
            return Verdict::rejected(Reason::NotResolved);
        }
        self.reopen(&id, self.now, None);
        Verdict::decided()
    }

    pub fn snooze(&mut self, id: &str, expected_epoch: Option<u64>, until: u64) -> Verdict {
        let id = match self.resolvable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if self.workspace.conversations[&id].phase == PhaseWord::Snoozed {
            return Verdict::rejected(Reason::AlreadySnoozed);
        }
        if until <= self.now {
            return Verdict::rejected(Reason::UntilPast);
        }
        self.end_bot(&id);
        self.withdraw(&id, Reason::Rescinded);
        self.leave_line(&id);
        if let Some(conversation) = self.workspace.conversations.get_mut(&id) {
            conversation.phase = PhaseWord::Snoozed;
            conversation.preference = None;
            conversation.turn_at = Some(until);
        }
        self.tell(DecisionType::ConversationSnoozed, Reason::None, &id);
        self.with_detail(ToldDetail { until, ..ToldDetail::default() });
        self.rearm(&id);
        self.rearm_owner_of(&id);
        Verdict::decided()
    }

    pub fn wake_by_command(&mut self, id: &str, expected_epoch: Option<u64>) -> Verdict {
        let id = match self.resolvable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if !matches!(self.workspace.conversations[&id].phase, PhaseWord::Snoozed | PhaseWord::Parked) {
            return Verdict::rejected(Reason::NotSnoozed);
        }
        self.wake(&id, Reason::Command);
        Verdict::decided()
    }

    pub fn handoff(
        &mut self,
        id: &str,
        expected_epoch: Option<u64>,
        queue: Option<u128>,
        skills: &[RequiredSkill],
        has_note: bool,
    ) -> Verdict {
        let id = match self.commandable(id, expected_epoch) {
            Ok(id) => id,
            Err(refusal) => return refusal,
        };
        if self.workspace.conversations[&id].phase != PhaseWord::InBot {
            return Verdict::rejected(Reason::NotInBot);
        }
        let named = queue.map(|queue| self.workspace.queue_of_hash(queue));
        if named == Some(None) {
            return Verdict::rejected(Reason::UnknownQueue);
        }
        if !skills.is_empty()
            && let Some(conversation) = self.workspace.conversations.get_mut(&id)
        {
            conversation.asked = skills_asked(skills);
        }
        if has_note {
            self.keep_note(&id);
        }
        self.hand_off(&id, named.flatten());
        Verdict::decided()
    }

    /// From the bot to people.
    pub fn hand_off(&mut self, id: &str, queue: Option<String>) {
        self.end_bot(id);
        let (own, rule) = self.own_queue_again(id);
        let preferred = self.preferred_of_customer(id);
        // Into a queue that is named, it comes by the rule that chose its first one.
        let (queue, rule) = queue.map_or((own, rule), |named| (named, None));
        self.enter(id, Entering { queue, rule, reason: Reason::Handoff, preferred, ..Entering::default() });
    }

    /// Outbound: an agent writes or calls first.
    pub fn open_by_agent(&mut self, contact: &Contact, agent: &str) -> Verdict {
        if self.workspace.channel(&contact.channel.text).is_none() {
            return Verdict::rejected(Reason::UnknownChannel);
        }
        if self.is_blocked(contact) {
            return Verdict::rejected(Reason::Blocked);
        }
        let Some(number) = self.workspace.agent_index.get(agent).copied() else {
            return Verdict::rejected(Reason::UnknownAgent);
        };
        let (known, new) = match self.find(contact) {
            crate::contacts::Found::Known(id) => (Some(id.clone()), id),
            crate::contacts::Found::New { id, .. } => (None, id),
        };
        if known.as_ref().is_some_and(|id| !self.workspace.conversations[id].is_resolved()) {
            return Verdict::rejected(Reason::AlreadyOpen);
        }
        let caller = &self.workspace.agents[number];
        // One that is opened again is on its own channel, whatever led to it.
        let (queue, channel) = match &known {
            Some(id) => (self.own_queue_again(id).0, &*self.workspace.conversations[id].channel),
            None => (self.route(contact).queue, &*contact.channel.text),
        };
        if !self.workspace.takes_work(caller, channel) {
            return Verdict::rejected(Reason::NotRoutable);
        }
        if !self.workspace.has_room(caller, &queue, channel) {
            return Verdict::rejected(Reason::NoCapacity);
        }
        let decision = match known {
            Some(id) => {
                let arrival = self.event_time();
                let tier = contact.tier.and_then(|tier| self.workspace.tier_of_hash(tier));
                let (queue, rule) = self.own_queue_again(&id);
                self.begin_again(&id, arrival, tier);
                if let Some(conversation) = self.workspace.conversations.get_mut(&id) {
                    conversation.waits_since = None;
                    conversation.queue = queue;
                    conversation.rule = rule.unwrap_or(std::mem::take(&mut conversation.rule));
                    conversation.queued_at = self.now;
                }
                DecisionType::ConversationReopened
            }
            None => {
                self.create(contact, &new, Reason::New);
                if let Some(conversation) = self.workspace.conversations.get_mut(&new) {
                    conversation.asked.clear();
                }
                DecisionType::ConversationOpened
            }
        };
        self.take(agent, &new);
        self.becomes_theirs(&new);
        if let Some(conversation) = self.workspace.conversations.get_mut(&new) {
            conversation.set_waits(None, true);
        }
        self.tell(decision, Reason::Outbound, &new);
        self.tell(DecisionType::ConversationAssigned, Reason::Outbound, &new);
        self.start_their_turn(&new);
        self.rearm(&new);
        self.rearm_owner(agent);
        Verdict::decided()
    }

    // What they have in common.

    /// The open conversation that a command names, at the epoch that it expects.
    pub fn commandable(&mut self, id: &str, expected_epoch: Option<u64>) -> Result<String, Verdict> {
        let id = self.known_at(id, expected_epoch)?;
        if self.workspace.conversations[&id].is_resolved() {
            return Err(Verdict::rejected(Reason::NotOpen));
        }
        self.catch_up(&id);
        match self.workspace.conversations.contains_key(&id) {
            true => Ok(id),
            false => Err(Verdict::rejected(Reason::UnknownConversation)),
        }
    }

    /// The conversation that a command names, open or not.
    pub fn known_at(&self, id: &str, expected_epoch: Option<u64>) -> Result<String, Verdict> {
        let Some(id) = self.workspace.conversation_id(id) else {
            return Err(Verdict::rejected(Reason::UnknownConversation));
        };
        if expected_epoch.is_some_and(|expected| expected != self.workspace.conversations[&id].epoch) {
            return Err(Verdict::rejected(Reason::StaleEpoch));
        }
        Ok(id)
    }

    pub fn is_supervisor(&self) -> bool {
        self.actor().is_some_and(|actor| supervises(actor.kind))
    }

    /// A note or summary travels with it. What it says decides nothing.
    pub fn keep_note(&mut self, id: &str) {
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.has_note = true;
        }
    }

    pub fn rearm_owner_of(&mut self, id: &str) {
        if let Some(owner) = self.workspace.conversations.get(id).and_then(|conversation| conversation.owner.clone()) {
            self.rearm_owner(&owner);
        }
    }

    // Endings.

    /// Done. A live contact leaves at once, an async one stays for its reopen window.
    pub fn finish(&mut self, id: &str, reason: Reason) {
        self.withdraw(id, Reason::Rescinded);
        if self.workspace.conversations[id].live {
            return self.end(id, DecisionType::ConversationResolved, reason, ToldDetail::default());
        }
        self.leave_line(id);
        let previous_owner = self.end_hold_with_wrap_up(id).unwrap_or_default();
        self.put_to_rest(id);
        let now = self.now;
        self.workspace.resolves += 1;
        let resolve_number = self.workspace.resolves;
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.resolved_at = Some(now);
            conversation.resolve_number = resolve_number;
        }
        self.workspace.resolved.insert(resolve_number, id.to_string());
        self.tell_handed(DecisionType::ConversationResolved, reason, id, &previous_owner);
        self.rearm(id);
        self.rearm_owner(&previous_owner);
    }

    /// It ends and leaves the state.
    pub fn end(&mut self, id: &str, decision_type: DecisionType, reason: Reason, detail: ToldDetail) {
        self.leave_line(id);
        let previous_owner = self.end_hold_with_wrap_up(id).unwrap_or_default();
        self.tell_end(id, decision_type, reason, &previous_owner);
        self.with_detail(detail);
        self.leave(id);
        self.rearm_owner(&previous_owner);
    }

    pub fn end_without_wrap_up(&mut self, id: &str, decision_type: DecisionType, reason: Reason) {
        self.leave_line(id);
        let previous_owner = self.end_hold(id).unwrap_or_default();
        self.tell_end(id, decision_type, reason, &previous_owner);
        self.leave(id);
        self.rearm_owner(&previous_owner);
    }

    fn tell_end(&mut self, id: &str, decision_type: DecisionType, reason: Reason, previous_owner: &str) {
        self.put_to_rest(id);
        self.tell_handed(decision_type, reason, id, previous_owner);
    }

    fn put_to_rest(&mut self, id: &str) {
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.phase = PhaseWord::Resolved;
            conversation.turn = Turn::None;
            conversation.turn_at = None;
            conversation.preference = None;
            conversation.set = None;
        }
    }

    /// The conversation leaves the state; its last epoch stays.
    pub fn leave(&mut self, id: &str) {
        self.leave_line(id);
        let Some(conversation) = self.workspace.conversations.remove(id) else { return };
        self.workspace.resolved.remove(&conversation.resolve_number);
        self.workspace.fresh.remove(id);
        if let Some(alike) = conversation.identity.and_then(|identity| self.workspace.identities.get_mut(&identity)) {
            alike.remove(&conversation.creation);
        }
        let aliases = self.workspace.aliases.extract_if(|_, survivor| survivor == id);
        let aliases: Vec<String> = aliases.map(|(alias, _)| alias).collect();
        for alias in aliases {
            self.shard.links.insert(&self.workspace.name, &alias, conversation.epoch, None, self.now);
        }
        self.workspace.identity_aliases.retain(|_, survivor| survivor != id);
        let (epoch, identity) = (conversation.epoch, conversation.identity);
        self.shard.links.insert(&self.workspace.name, id, epoch, identity, self.now);
        self.workspace.departed.insert(conversation.creation, conversation);
        self.rearm(id);
    }

    // Pauses.

    /// A pause is over.
    pub fn wake(&mut self, id: &str, reason: Reason) {
        let by_message = reason == Reason::Message;
        if by_message {
            self.customer_awaits(id);
        }
        if self.workspace.conversations[id].owner.is_some() {
            if let Some(conversation) = self.workspace.conversations.get_mut(id) {
                conversation.phase = PhaseWord::Assigned;
                conversation.turn_at = None;
            }
            if by_message {
                self.becomes_ours(id);
            }
            let woke = self.workspace.conversations[id].turn == Turn::Ours && self.wake_units(id);
            self.tell(DecisionType::ConversationWoken, reason, id);
            if self.workspace.conversations[id].turn == Turn::Theirs {
                self.start_their_turn(id);
                self.rearm(id);
                return self.rearm_owner_of(id);
            }
            self.tell_if_over(id, woke);
            return self.mind_absent_owner(id);
        }
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.phase = PhaseWord::Queued;
            conversation.preference = None;
            conversation.is_preferred_absent = false;
        }
        self.tell(DecisionType::ConversationWoken, reason, id);
        let since = if by_message { self.event_time() } else { self.now };
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        let arrival = Some(if conversation.answered { since } else { conversation.arrival });
        conversation.answered = false;
        let (queue, rule) = self.own_queue_again(id);
        self.enter(id, Entering { queue, rule, reason: Reason::Resume, arrival, ..Entering::default() });
    }

    // The clock of the turn.

    pub fn turn_is_due(&mut self, id: &str) {
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        conversation.turn_at = None;
        match (conversation.phase, conversation.turn) {
            (PhaseWord::InBot, _) => self.hand_off(id, None),
            (PhaseWord::Snoozed | PhaseWord::Parked, _) => self.wake(id, Reason::Due),
            (PhaseWord::Assigned, Turn::Ours) => self.owner_is_late(id),
            (PhaseWord::Assigned, _) => self.customer_is_silent(id),
            _ => {}
        }
    }

    fn owner_is_late(&mut self, id: &str) {
        let conversation = &self.workspace.conversations[id];
        let owner = conversation.owner.clone().unwrap_or_default();
        let is_present = self.workspace.agent(&owner).is_some_and(|agent| agent.is_online());
        let channel = self.workspace.channel_ever(&conversation.channel);
        let silent_ms = channel.map_or(0, |channel| channel.owner_silent_ms);
        let silent_at = conversation.arrival.max(conversation.queued_at) + silent_ms;
        if !is_present {
            self.return_or_keep(id, Reason::OwnerAbsent);
        } else if silent_at <= self.now {
            self.return_or_keep(id, Reason::OwnerSilent);
        } else if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.turn_at = Some(silent_at);
        }
        self.rearm(id);
        self.rearm_owner(&owner);
    }

    fn customer_is_silent(&mut self, id: &str) {
        let Some(channel) = self.channel_of(id).cloned() else { return };
        let after_ms = channel.their_turn_after_ms;
        let falls = self.work_units(id) > channel.their_turn_units && after_ms > 0;
        if !falls || channel.close_after_ms <= after_ms {
            return self.finish(id, Reason::CloseAfter);
        }
        let close_at = self.now + channel.close_after_ms - after_ms;
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.turn_at = Some(close_at);
        }
        self.fall_dormant(id);
        self.rearm(id);
        self.rearm_owner_of(id);
    }

    /// Taken from an owner who is not there; or who does not answer, if there is another one for it now: else he keeps it.
    pub fn return_or_keep(&mut self, id: &str, reason: Reason) {
        let owner = self.workspace.conversations[id].owner.clone().unwrap_or_default();
        if self.taken_from_owner(id, reason) {
            return;
        }
        let conversation = self.workspace.conversations.get_mut(id);
        let was_alarmed = conversation.is_some_and(|c| std::mem::replace(&mut c.is_alarmed, true));
        if !was_alarmed {
            self.tell_both(DecisionType::ConversationEscalated, reason, id, &owner);
        }
        self.start_silence(id);
        self.rearm(id);
    }

    /// Returns whether it has been.
    pub fn taken_from_owner(&mut self, id: &str, reason: Reason) -> bool {
        let (queue, rule) = self.own_queue_again(id);
        let owner = self.workspace.conversations[id].owner.clone().unwrap_or_default();
        let is_absent = reason == Reason::OwnerAbsent;
        if !is_absent && !self.is_staffed_without(id, &queue, &owner) {
            return false;
        }
        let arrival = Some(self.arrival_after_owner(id));
        self.withdraw(id, Reason::Rescinded);
        self.lose_owner(id, reason, "");
        let (preferred, giver) = if is_absent { (Some(owner), None) } else { (None, Some(owner)) };
        let reason = Reason::Requeue;
        self.enter(id, Entering { queue, rule, reason, arrival, giver, preferred, ..Entering::default() });
        true
    }

    /// Whether somebody else could be given it in this queue now.
    fn is_staffed_without(&self, id: &str, queue: &str, owner: &str) -> bool {
        let workspace = &self.workspace;
        let conversation = &workspace.conversations[id];
        let set = crate::requirement::RequirementSet {
            queue: queue.to_string(),
            requirement: workspace.requirement_at_entry(conversation, queue),
            channel: conversation.channel.clone(),
            unclaimed: false,
        };
        let mut others = workspace.agents.iter().filter(|agent| agent.id != owner);
        workspace.is_staffed(&set) && others.any(|agent| workspace.is_candidate(agent, &set))
    }

    /// It is nobody's any more, and on its way to a queue.
    pub fn lose_owner(&mut self, id: &str, reason: Reason, text: &str) {
        let Some(owner) = self.end_hold(id) else { return };
        self.tell_handed(DecisionType::ConversationUnassigned, reason, id, &owner);
        self.with_detail(ToldDetail { text: text.into(), ..ToldDetail::default() });
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.answered = false;
        }
        self.rearm_owner(&owner);
    }
}
