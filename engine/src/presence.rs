//! Presence: words of sources on agents, leases and their renewals, a supervisor's word (routing.md §3). What follows from
//! them, `dispatch` does.

use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, NameOf, TimerKind};
use crate::input::{Body, By, Input, Status};
use crate::policy::{OnOffline, limits};
use crate::queueing::Entering;
use crate::state::{ALL, Presence, Route};
use crate::step::{About, DECIDED, RECORDED, Stepping, Verdict, ignored};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Sources of leases that a workspace names.
const SOURCES_NAMED: u32 = 1_024;
/// More than one in so many leases of a source that run out together is a storm.
const STORM_SHARE: usize = 5;
/// And never fewer than this many.
const STORM_MIN: usize = 3;
/// Together: within so long.
const STORM_MS: u64 = 10_000;

impl Stepping<'_> {
    pub(crate) fn presence(&mut self, input: &Input) -> Verdict {
        let Body::AgentPresence { agent, status, by, session, sequence, expires_in_ms, channels, supervised, reason } =
            &input.body
        else {
            return RECORDED;
        };
        let Some(slot) = self.state.find_configured(agent.hash) else { return ignored(Reason::UnknownAgent) };
        if *supervised && reason.as_deref().is_none_or(str::is_empty) {
            return ignored(Reason::ReasonRequired);
        }
        if *supervised {
            return self.supervised(slot, *status);
        }
        let source = input.source_hash;
        let row = self.state.agent(slot);
        match row.rows().iter().find(|r| r.source == source) {
            Some(known) => {
                let older = matches!((known.sequence, sequence), (Some(k), Some(s)) if *s <= k);
                if older && known.session == *session {
                    return ignored(Reason::StaleSequence);
                }
                if self.is_renewal(input, known, slot) {
                    self.effect(Effect::Renewed { agent: slot, source, sequence: *sequence });
                    self.rearm_lease(slot);
                    return RECORDED;
                }
            }
            None => {
                let full = row.rows().len() >= limits::PRESENCE_SOURCES;
                if full && row.rows().iter().all(|r| r.status != Status::Offline) {
                    return ignored(Reason::TooManySources);
                }
            }
        }
        let before = self.told_of_presence(slot);
        let channels = channels.as_deref().map(|list| self.channel_mask(slot, list));
        let term_ms = expires_in_ms.unwrap_or(0);
        if term_ms > 0 {
            self.name_source(slot, source, &input.source);
        }
        let (status, by, session, sequence) = (*status, *by, *session, *sequence);
        self.effect(Effect::Presence { agent: slot, source, status, by, session, sequence, term_ms, channels });
        if by == By::Agent {
            self.responds_again(slot);
        }
        self.rearm_lease(slot);
        self.presence_changed(slot, before, Reason::Presence)
    }

    /// A source of leases is told by name when it is suspect.
    fn name_source(&mut self, agent: u32, hash: u128, text: &str) {
        let workspace = self.state.agent(agent).workspace();
        let names = &self.state.workspace(workspace).source_names;
        let slot = names.len();
        if names.find(hash).is_none() && slot < SOURCES_NAMED {
            self.effect(Effect::Named { what: NameOf::Source, workspace, slot, hash, text: text.into() });
        }
    }

    /// Whether a presence only says again what its source said, and prolongs its lease.
    fn is_renewal(&self, input: &Input, known: &Presence, agent: u32) -> bool {
        let Body::AgentPresence { status, by, session, expires_in_ms, channels, supervised: false, .. } = &input.body
        else {
            return false;
        };
        let mask = channels.as_deref().map_or(ALL, |list| self.channel_mask(agent, list));
        known.term_ms > 0
            && *expires_in_ms == Some(known.term_ms)
            && (known.status, known.session) == (*status, *session)
            && known.is_choice == (*by == By::Agent)
            && known.channels == mask
    }

    /// A renewal that comes early costs no record (routing.md §3): more than two thirds of the term are left, and the
    /// renewal before it was recorded.
    pub(crate) fn is_mere_renewal(&self, input: &Input) -> bool {
        let Body::AgentPresence { agent, sequence, .. } = &input.body else { return false };
        let Some(slot) = self.state.find_configured(agent.hash) else { return false };
        let rows = self.state.agent(slot).rows();
        let Some(known) = rows.iter().find(|r| r.source == input.source_hash) else { return false };
        let is_next = match (known.sequence, sequence) {
            (Some(known), Some(sequence)) => known.checked_add(1) == Some(*sequence),
            (_, None) => true,
            (None, Some(_)) => false,
        };
        let left = known.expires_at.saturating_sub(self.now);
        is_next && self.is_renewal(input, known, slot) && left * 3 >= known.term_ms * 2
    }

    fn channel_mask(&self, agent: u32, channels: &[u128]) -> u64 {
        let workspace = self.state.workspace(self.state.agent(agent).workspace());
        let slots = channels.iter().filter_map(|hash| workspace.channels.find(*hash));
        slots.fold(0, |mask, slot| mask | 1 << slot)
    }

    /// A supervisor's word stands above the agent's own; `online` lifts it.
    fn supervised(&mut self, slot: u32, status: Status) -> Verdict {
        let before = self.told_of_presence(slot);
        let word = (status != Status::Online).then_some(status);
        let row = self.state.agent(slot);
        if row.word() != word || (word.is_none() && row.choice() != Some(Status::Online)) {
            self.effect(Effect::Worded { agent: slot, word });
        }
        self.responds_again(slot);
        self.presence_changed(slot, before, Reason::Presence)
    }

    /// A state that he, or a supervisor, chose ends `not_responding`.
    fn responds_again(&mut self, slot: u32) {
        let row = self.state.agent(slot);
        if row.is_not_responding() {
            let ws = row.workspace();
            self.effect(Effect::Responds { agent: slot, declines: 0, not_responding: false });
            self.arm_of(TimerKind::Respond, ws, slot, 0);
        }
    }

    fn told_of_presence(&self, slot: u32) -> (Status, u64, bool) {
        let row = self.state.agent(slot);
        (row.effective(), row.routable(), row.is_not_responding())
    }

    /// Tells a change, and does what follows from it.
    fn presence_changed(&mut self, slot: u32, before: (Status, u64, bool), reason: Reason) -> Verdict {
        let after = self.told_of_presence(slot);
        if after == before {
            return RECORDED;
        }
        self.tell_agent(DecisionType::AgentChanged, reason, slot, None);
        let finishes = Status::PendingAway.rank();
        let is_gone = before.0.rank() >= finishes && after.0.rank() < finishes;
        // Who finished what he had kept his offers: back on fewer channels, he keeps those of them.
        let is_back = before.0 == Status::PendingAway && after.0 == Status::Online;
        if is_gone || is_back || before.1 & !after.1 != 0 {
            self.takes_no_more(slot, true);
        }
        if before.0 == Status::Online && after.0 != Status::Online {
            self.unstaffed(self.state.agent(slot).workspace());
        }
        if before.0 != Status::Online && after.0 == Status::Online {
            self.staffed(slot);
        }
        self.rearm_away(slot, before.0);
        DECIDED
    }

    pub(crate) fn rearm_lease(&mut self, slot: u32) {
        let row = self.state.agent(slot);
        let ends = row.rows().iter().filter(|r| r.term_ms > 0).map(|r| r.expires_at);
        let (at, ws) = (ends.min().unwrap_or(0), row.workspace());
        self.arm_of(TimerKind::Lease, ws, slot, at);
    }

    /// Leases of an agent have run out: each ends, unless its source is in a storm.
    pub(crate) fn lease_is_due(&mut self, slot: u32) {
        let ws = self.state.agent(slot).workspace();
        self.arm_of(TimerKind::Lease, ws, slot, 0);
        let before = self.told_of_presence(slot);
        let is_over = |r: &&Presence| r.term_ms > 0 && r.expires_at <= self.now;
        let over: Vec<(u128, bool)> =
            self.state.agent(slot).rows().iter().filter(is_over).map(|r| (r.source, r.is_graced)).collect();
        for (source, is_graced) in over {
            match if is_graced { None } else { self.storm(ws, source) } {
                Some(count) => self.suspect(ws, source, count),
                None => self.effect(Effect::LeaseExpired { agent: slot, source }),
            }
        }
        self.rearm_lease(slot);
        self.presence_changed(slot, before, Reason::LeaseExpired);
    }

    /// How many leases of a source run out together, where that is a storm and it is not suspect already.
    fn storm(&self, ws: u32, source: u128) -> Option<usize> {
        let workspace = self.state.workspace(ws);
        let (expired, suspect_until) = workspace.storms(source, self.now, STORM_MS);
        if suspect_until >= self.now && suspect_until != 0 {
            return None;
        }
        let (mut alive, mut late) = (0, 0);
        for slot in workspace.agents() {
            for row in
                self.state.agent(*slot).rows().iter().filter(|r| r.source == source && r.term_ms > 0 && !r.is_graced)
            {
                let left = row.expires_at.saturating_sub(self.now);
                alive += 1;
                late += usize::from(left <= STORM_MS && left * 3 < row.term_ms);
            }
        }
        let count = late + expired;
        (count >= STORM_MIN && count * STORM_SHARE > alive + expired).then_some(count)
    }

    fn suspect(&mut self, ws: u32, source: u128, count: usize) {
        let grace_ms = self.state.workspace(ws).policy().lease_grace_ms;
        let until = self.now + grace_ms;
        self.effect(Effect::LeasesExtended { workspace: ws, source, grace_ms, from: self.now });
        let names = &self.state.workspace(ws).source_names;
        let name: Box<str> = names.find(source).map_or("", |slot| names.text(slot)).into();
        let about = About { workspace: ws, until, number: count as u64, other: &name, ..About::default() };
        self.tell(DecisionType::SourceSuspect, Reason::LeaseStorm, about);
    }

    /// After a claim: nobody is thrown out because we were away.
    pub(crate) fn extend_leases(&mut self, from: u64) {
        let from = from.max(self.now);
        for ws in 0..self.state.workspaces().len() as u32 {
            let grace_ms = self.state.workspace(ws).policy().lease_grace_ms;
            let has_lease = |slot: &u32| self.state.agent(*slot).rows().iter().any(|r| r.term_ms > 0);
            if grace_ms > 0 && self.state.workspace(ws).agents().iter().any(has_lease) {
                self.effect(Effect::LeasesExtended { workspace: ws, source: 0, grace_ms, from });
            }
        }
    }

    /// The grace of one who went offline with open async work begins, or ends with his coming back.
    fn rearm_away(&mut self, slot: u32, before: Status) {
        let row = self.state.agent(slot);
        let ws = row.workspace();
        if row.effective() != Status::Offline {
            return self.arm_of(TimerKind::Away, ws, slot, 0);
        }
        if before == Status::Offline {
            return;
        }
        let at = self.next_grace(slot, None);
        self.arm_of(TimerKind::Away, ws, slot, at);
    }

    /// When the next grace of a channel is over for one who is offline, of those longer than `after`; 0: none is.
    fn next_grace(&self, slot: u32, after: Option<u64>) -> u64 {
        let row = self.state.agent(slot);
        let workspace = self.state.workspace(row.workspace());
        let channels = (0..workspace.channels.len()).filter_map(|c| workspace.channel(c));
        let leaves = channels.filter(|c| !c.live && c.on_offline != OnOffline::Keep).map(|c| c.offline_grace_ms);
        let next = leaves.filter(|grace| after.is_none_or(|after| *grace > after)).min();
        next.map_or(0, |grace| row.offline_since() + grace)
    }

    /// He is still offline: what his channels do not leave with him is queued again.
    pub(crate) fn away_is_due(&mut self, slot: u32) {
        let row = self.state.agent(slot);
        let ws = row.workspace();
        if row.effective() != Status::Offline {
            return self.arm_of(TimerKind::Away, ws, slot, 0);
        }
        let gone_for = self.now - row.offline_since();
        let next = self.next_grace(slot, Some(gone_for));
        self.arm_of(TimerKind::Away, ws, slot, next);
        for conversation in self.by_creation(self.state.owned_by(slot).collect()) {
            let Some(returns) = self.leaves_absent(conversation, gone_for).filter(|_| self.has_budget()) else {
                continue;
            };
            self.budget -= 1;
            self.taken_from_absent(conversation, slot, returns);
        }
        // What the step's bound left is done at once.
        if self.state.owned_by(slot).any(|c| self.leaves_absent(c, gone_for).is_some()) {
            self.arm_of(TimerKind::Away, ws, slot, self.now);
        }
    }

    /// Whether what an agent owns leaves him who has been offline for so long: back to him first, or not.
    fn leaves_absent(&self, conversation: u32, gone_for: u64) -> Option<bool> {
        let row = self.state.conversation(conversation);
        let channel = self.state.workspace(row.workspace()).channel(row.channel())?;
        let leaves = !row.live() && channel.on_offline != OnOffline::Keep && channel.offline_grace_ms <= gone_for;
        leaves.then_some(channel.on_offline == OnOffline::Return)
    }

    fn taken_from_absent(&mut self, slot: u32, owner: u32, returns: bool) {
        self.withdraw(slot, Reason::Rescinded);
        let row = self.state.conversation(slot);
        let (ws, is_answered) = (row.workspace(), row.answered());
        let arrival = if is_answered { self.kept_arrival(slot) } else { row.arrival() };
        self.effect(Effect::Unassigned { conversation: slot });
        self.tell_conversation(DecisionType::ConversationUnassigned, Reason::OwnerOffline, slot, Some(owner));
        let row = self.state.conversation(slot);
        if row.answered() {
            let turn = row.turn();
            self.effect(Effect::Turned { conversation: slot, turn, answered: false, arrival });
        }
        let row = self.state.conversation(slot);
        let route = match self.state.workspace(ws).queue(row.queue()) {
            Some(_) => Route { queue: row.queue(), rule: row.rule() },
            None => self.state.workspace(ws).default_route(),
        };
        let (giver, preferred) = if returns { (None, Some(owner)) } else { (Some(owner), None) };
        self.enter(slot, Entering { giver, preferred, ..Entering::new(route, Reason::Requeue, arrival) });
    }
}
