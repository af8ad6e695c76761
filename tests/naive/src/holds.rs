//! The ledger: who takes a conversation, who lets go, and what of his capacity that takes (routing.md §3).

use crate::agent::{Hold, HoldKind};
use crate::telling::Step;
use engine::decision::{DecisionType, PhaseWord, Reason, ToldDetail, Turn};
use engine::policy::{Channel, Strategy, WrapUp, WrapUpMode};

impl Step<'_> {
    pub fn agent_number(&self, id: &str) -> usize {
        self.workspace.agent_index[id]
    }

    /// The hold that this conversation would be for an agent.
    pub fn hold_for(&self, id: &str, kind: HoldKind) -> Hold {
        let conversation = &self.workspace.conversations[id];
        let channel = self.workspace.channel_ever(&conversation.channel);
        Hold {
            kind,
            reference: id.to_string(),
            channel: conversation.channel.clone(),
            queue: conversation.queue.clone(),
            units: channel.map_or(1, |channel| channel.units),
            full_units: channel.map_or(1, |channel| channel.units),
            is_exclusive: channel.is_some_and(|channel| channel.exclusive),
            until: None,
            is_timed: false,
        }
    }

    /// Whether the agent has room for the conversation, wherever he is and whatever he was given just now.
    pub fn has_room(&self, agent: &str, id: &str) -> bool {
        let conversation = &self.workspace.conversations[id];
        let agent = &self.workspace.agents[self.agent_number(agent)];
        self.workspace.has_room(agent, &conversation.queue, &conversation.channel)
    }

    /// The agent owns the conversation from now on; nobody did before. What was offered to him is work now.
    pub fn take(&mut self, agent: &str, id: &str) {
        self.leave_line(id);
        let now = self.now;
        let hold = self.hold_for(id, HoldKind::Work);
        let Some(conversation) = self.workspace.conversations.get_mut(id) else { return };
        let accepted = conversation.offer.take_if(|offer| offer.agent == agent);
        conversation.phase = PhaseWord::Assigned;
        conversation.owner = Some(agent.to_string());
        conversation.epoch += 1;
        conversation.waited_ms = now.saturating_sub(conversation.arrival);
        conversation.is_touched = true;
        conversation.is_alarmed = false;
        conversation.preference = None;
        conversation.is_preferred_absent = false;
        conversation.pause_until = None;
        conversation.turn_at = None;
        if conversation.live {
            conversation.answered = true;
            conversation.set_waits(None, true);
        }
        let index = self.agent_number(agent);
        let holds = &mut self.workspace.agents[index].holds;
        let offered = holds.iter_mut().find(|held| held.kind == HoldKind::Offer && held.reference == id);
        match offered.filter(|_| accepted.is_some()) {
            Some(held) => held.kind = HoldKind::Work,
            None => holds.push(hold),
        }
        self.agent_moved(index);
        self.start_silence(id);
    }

    /// He takes it, and it is told: `reason` says how he came to it.
    /// From owner to owner the wait before the first of them counts.
    pub fn hand(&mut self, agent: &str, id: &str, reason: Reason, previous_owner: &str) {
        self.hand_saying(agent, id, reason, previous_owner, "");
    }

    /// The same by somebody who said why.
    pub fn hand_saying(&mut self, agent: &str, id: &str, reason: Reason, previous_owner: &str, text: &str) {
        let waited_ms = self.workspace.conversations[id].waited_ms;
        self.take(agent, id);
        if !previous_owner.is_empty()
            && let Some(conversation) = self.workspace.conversations.get_mut(id)
        {
            conversation.waited_ms = waited_ms;
        }
        self.tell_handed(DecisionType::ConversationAssigned, reason, id, previous_owner);
        self.with_detail(ToldDetail { text: text.into(), ..ToldDetail::default() });
        // The customer was to write next, and still is.
        if self.workspace.conversations[id].turn == Turn::Theirs {
            self.start_their_turn(id);
        }
    }

    /// The owner, if there is one, lets go. Returns who he was.
    pub fn end_hold(&mut self, id: &str) -> Option<String> {
        let conversation = self.workspace.conversations.get_mut(id)?;
        let owner = conversation.owner.take()?;
        conversation.last_owner = Some(owner.clone());
        if conversation.phase != PhaseWord::Resolved {
            conversation.phase = PhaseWord::Queued;
        }
        let index = self.agent_number(&owner);
        let agent = &mut self.workspace.agents[index];
        agent.holds.retain(|hold| hold.kind != HoldKind::Work || hold.reference != id);
        agent.idle_since = self.now;
        self.agent_moved(index);
        Some(owner)
    }

    /// The same, and what he has still to do about it begins.
    pub fn end_hold_with_wrap_up(&mut self, id: &str) -> Option<String> {
        let wrap_up = self.wrap_up_of(id);
        if wrap_up.mode == WrapUpMode::None {
            return self.end_hold(id);
        }
        let conversation = self.workspace.conversations.get_mut(id)?;
        let owner = conversation.owner.take()?;
        conversation.last_owner = Some(owner.clone());
        let index = self.agent_number(&owner);
        let until = self.now + wrap_up.max_ms;
        let agent = &mut self.workspace.agents[index];
        agent.idle_since = self.now;
        if let Some(hold) = agent.holds.iter_mut().find(|hold| hold.kind == HoldKind::Work && hold.reference == id) {
            hold.kind = HoldKind::WrapUp;
            hold.units = wrap_up.units;
            hold.is_exclusive = false;
            hold.until = Some(until);
            hold.is_timed = wrap_up.mode == WrapUpMode::Timed;
        }
        self.agent_moved(index);
        Some(owner)
    }

    fn wrap_up_of(&self, id: &str) -> WrapUp {
        let conversation = &self.workspace.conversations[id];
        let of_queue = self.workspace.queue(&conversation.queue).and_then(|queue| queue.wrap_up);
        let of_channel = self.workspace.channel_ever(&conversation.channel).map(|channel| channel.wrap_up);
        of_queue.or(of_channel).unwrap_or_default()
    }

    /// Over whose limit a conversation went.
    pub fn tell_exceeded(&mut self, reason: Reason, agent: &str, id: &str) {
        self.tell_both(DecisionType::CapacityExceeded, reason, id, agent);
    }

    /// Something about the agent is different: rotations hear whether they may pick him now.
    pub fn agent_moved(&mut self, index: usize) {
        self.workspace.moved.insert(index);
        let mut rotations = std::mem::take(&mut self.workspace.rotations);
        for (set, of_ranks) in &mut rotations {
            let agent = &self.workspace.agents[index];
            let takes_turns = self.workspace.strategy(set) == Strategy::WeightedRoundRobin;
            let is_member = self.workspace.is_able(agent, &set.queue, &set.requirement);
            let is_candidate = takes_turns && is_member && self.workspace.is_candidate(agent, set);
            let rank = self.workspace.rank_in(agent, &set.queue);
            let others = of_ranks.iter_mut().filter(|(of_rank, _)| !is_member || **of_rank != rank);
            let brought = others.filter_map(|(_, rotation)| rotation.forget(index)).last();
            if is_member && (is_candidate || brought.is_some()) {
                let rotation = of_ranks.entry(rank).or_default();
                if let Some(credit) = brought {
                    rotation.bring(index, credit);
                }
            }
            if let Some(rotation) = of_ranks.get_mut(&rank).filter(|_| is_member) {
                rotation.set(index, is_candidate.then_some(agent.config.weight));
            }
        }
        self.workspace.rotations = rotations;
    }

    /// A public answer of a person reached the customer, or the customer is to write next for another reason.
    pub fn becomes_theirs(&mut self, id: &str) {
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            if !conversation.live {
                conversation.turn = Turn::Theirs;
            }
            conversation.answered = true;
            conversation.is_touched = true;
        }
    }

    /// The owner's silence counts from now.
    pub fn start_silence(&mut self, id: &str) {
        let now = self.now;
        let silent_ms = self.channel_of(id).map_or(0, |channel| channel.owner_silent_ms);
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.turn_at = (!conversation.live).then_some(now + silent_ms);
        }
    }

    pub fn channel_of(&self, id: &str) -> Option<&Channel> {
        self.workspace.channel_ever(&self.workspace.conversations[id].channel)
    }

    /// The customer is to write next: a hold falls to the units of that at once where nothing lies between, and in the end
    /// the conversation is resolved.
    pub fn start_their_turn(&mut self, id: &str) {
        let conversation = &self.workspace.conversations[id];
        if conversation.phase != PhaseWord::Assigned || conversation.live {
            return;
        }
        let Some(channel) = self.channel_of(id).cloned() else { return };
        let falls = self.work_units(id) > channel.their_turn_units;
        let after_ms = channel.their_turn_after_ms;
        if falls && after_ms == 0 {
            self.fall_dormant(id);
        }
        let falls_later = falls && after_ms > 0 && after_ms < channel.close_after_ms;
        let turn_at = self.now + if falls_later { after_ms } else { channel.close_after_ms };
        if let Some(conversation) = self.workspace.conversations.get_mut(id) {
            conversation.turn_at = Some(turn_at);
        }
    }

    /// Units that its owner's hold takes.
    pub fn work_units(&self, id: &str) -> u32 {
        let owner = self.workspace.conversations[id].owner.as_ref().and_then(|owner| self.workspace.agent(owner));
        owner.and_then(|agent| agent.hold(HoldKind::Work, id)).map_or(0, |hold| hold.units)
    }

    /// The hold goes down to the units of a turn of theirs.
    pub fn fall_dormant(&mut self, id: &str) {
        let units = self.channel_of(id).map_or(0, |channel| channel.their_turn_units);
        self.set_units(id, units);
        self.tell(DecisionType::ConversationUpdated, Reason::Dormant, id);
    }

    /// The hold takes its whole units again. Returns whether it had less.
    pub fn wake_units(&mut self, id: &str) -> bool {
        let owner = self.workspace.conversations[id].owner.as_ref().and_then(|owner| self.workspace.agent(owner));
        let hold = owner.and_then(|agent| agent.hold(HoldKind::Work, id));
        let lowered = hold.filter(|hold| hold.units < hold.full_units).map(|hold| hold.full_units);
        if let Some(units) = lowered {
            self.set_units(id, units);
        }
        lowered.is_some()
    }

    /// A dormant conversation that woke may be more than its owner has room for.
    pub fn tell_if_over(&mut self, id: &str, woke: bool) {
        let Some(owner) = self.workspace.conversations[id].owner.clone() else { return };
        let agent = &self.workspace.agents[self.agent_number(&owner)];
        if woke && agent.used() > self.workspace.units_of(agent) {
            self.tell_exceeded(Reason::Woken, &owner, id);
        }
    }

    fn set_units(&mut self, id: &str, units: u32) {
        let Some(owner) = self.workspace.conversations[id].owner.clone() else { return };
        let index = self.agent_number(&owner);
        let holds = &mut self.workspace.agents[index].holds;
        if let Some(hold) = holds.iter_mut().find(|hold| hold.kind == HoldKind::Work && hold.reference == id) {
            hold.units = units;
        }
        self.agent_moved(index);
    }
}
