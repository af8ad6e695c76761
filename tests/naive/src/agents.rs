//! Agents as they are configured, drained and removed; and what they do that we did not route.

use crate::agent::{Agent, Hold, HoldKind};
use crate::entering::Entering;
use crate::telling::{Step, Verdict};
use crate::timers::{AgentClock, Timer};
use engine::decision::{DecisionType, Reason};
use engine::id::Id;
use engine::policy::AgentConfig;
use engine::policy::limits::ENGAGEMENTS;
use std::collections::{BTreeMap, BTreeSet};

/// Agents of a shard.
const AGENTS_MAX: usize = 200_000;

impl Step<'_> {
    pub fn configure_agent(&mut self, id: &str, config: &AgentConfig, expected_version: Option<u64>) -> Verdict {
        if self.is_other_version(expected_version) {
            return Verdict::rejected(Reason::VersionMismatch);
        }
        if !config.faults().is_empty() || !self.names_only_what_there_is(config) {
            return Verdict::rejected(Reason::InvalidPolicy);
        }
        let known = self.workspace.agent_index.get(id).copied();
        if known.is_some_and(|index| self.workspace.agents[index].config == *config) {
            return Verdict::recorded(Reason::Recorded);
        }
        if known.is_none() && self.shard.agents >= AGENTS_MAX {
            return Verdict::rejected(Reason::TooMany);
        }
        let index = known.unwrap_or_else(|| self.add_agent(id));
        let before = self.appearance(index);
        let (delays, rounds) = (self.delays_of(index), self.rounds_with(index));
        self.workspace.agents[index].configure(config);
        self.recount_delays();
        self.agent_moved(index);
        self.tell_agent(DecisionType::AgentChanged, Reason::Configured, index);
        let agent = &self.workspace.agents[index];
        if agent.used() > self.workspace.units_of(agent) {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::CapacityLowered, index);
        }
        self.stops_working(index, &before);
        self.rounds_may_end(rounds);
        self.follow_shift(index);
        self.sweep_unstaffed();
        if delays != self.delays_of(index) || self.minds_abilities() {
            self.review();
        }
        self.rearm_agent(index);
        Verdict::decided()
    }

    /// Whether the policy has every queue, channel and skill that an agent's configuration names.
    fn names_only_what_there_is(&self, config: &AgentConfig) -> bool {
        let workspace = &self.workspace;
        let skills = &workspace.policy.skills;
        config.memberships.iter().all(|membership| workspace.queue(&membership.queue).is_some())
            && config.channels.iter().all(|channel| workspace.channel(channel).is_some())
            && config.limits.iter().all(|limit| workspace.channel(&limit.channel).is_some())
            && (config.shifts.is_empty() || workspace.policy.calendars.iter().any(|own| own.name == config.shifts))
            && (skills.is_empty() || config.skills.iter().all(|skill| skills.contains(&skill.name)))
    }

    /// A new agent, or one who was removed and has his number again.
    fn add_agent(&mut self, id: &str) -> usize {
        let agent = Agent::new(id, &AgentConfig::default(), self.now);
        self.shard.agents += 1;
        let index = match self.workspace.tombstones.remove(id) {
            Some(index) => {
                self.workspace.agents[index] = agent;
                index
            }
            None => {
                self.workspace.agents.push(agent);
                self.workspace.agents.len() - 1
            }
        };
        self.workspace.agent_index.insert(id.to_string(), index);
        index
    }

    /// Queues with the delays after which they reach him.
    fn delays_of(&self, index: usize) -> Vec<(String, u64)> {
        let memberships = self.workspace.memberships(&self.workspace.agents[index]).iter();
        let delayed = memberships.filter(|membership| membership.delay_ms > 0);
        delayed.map(|membership| (membership.queue.to_string(), membership.delay_ms)).collect()
    }

    /// Some queue sends away what nobody could serve.
    fn minds_abilities(&self) -> bool {
        self.workspace.policy.queues.iter().any(|queue| queue.on_unservable.kind != engine::policy::ExitKind::Wait)
    }

    /// What is open is looked at again.
    pub fn review(&mut self) {
        self.workspace.reevaluate_from = (!self.workspace.conversations.is_empty()).then_some(0);
    }

    pub fn is_other_version(&self, expected: Option<u64>) -> bool {
        expected.is_some_and(|expected| expected != self.workspace.policy.version)
    }

    /// The delays of all memberships.
    pub fn recount_delays(&mut self) {
        let mut delays: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for agent in self.workspace.agents.iter().filter(|agent| !agent.is_removed) {
            for membership in self.workspace.memberships(agent).iter().filter(|membership| membership.delay_ms > 0) {
                delays.entry(membership.queue.to_string()).or_default().insert(membership.delay_ms);
            }
        }
        self.workspace.delays = delays;
    }

    pub fn drain_agent(
        &mut self,
        id: &str,
        drain: bool,
        reason: Option<&str>,
        expected_version: Option<u64>,
    ) -> Verdict {
        let index = match self.commandable_agent(id, reason, expected_version) {
            Ok(index) => index,
            Err(refusal) => return refusal,
        };
        if self.workspace.agents[index].is_draining == drain {
            return Verdict::recorded(Reason::Recorded);
        }
        let before = self.appearance(index);
        self.workspace.agents[index].is_draining = drain;
        self.agent_moved(index);
        self.tell_agent(DecisionType::AgentChanged, if drain { Reason::Drained } else { Reason::Undrained }, index);
        self.with_text(reason);
        if drain && !before.channels.is_empty() {
            self.stops_working(index, &before);
            self.rounds_may_end(self.rounds_with(index));
        }
        self.rearm_agent(index);
        Verdict::decided()
    }

    /// A supervisor's, with a reason, about somebody who is there.
    fn commandable_agent(
        &self,
        id: &str,
        reason: Option<&str>,
        expected_version: Option<u64>,
    ) -> Result<usize, Verdict> {
        if !self.is_supervisor() {
            return Err(Verdict::rejected(Reason::NotSupervisor));
        }
        if reason.is_none_or(str::is_empty) {
            return Err(Verdict::rejected(Reason::ReasonRequired));
        }
        if self.is_other_version(expected_version) {
            return Err(Verdict::rejected(Reason::VersionMismatch));
        }
        self.workspace.agent_index.get(id).copied().ok_or(Verdict::rejected(Reason::UnknownAgent))
    }

    pub fn remove_agent(
        &mut self,
        id: &str,
        successor: Option<&str>,
        reason: Option<&str>,
        expected_version: Option<u64>,
    ) -> Verdict {
        let index = match self.commandable_agent(id, reason, expected_version) {
            Ok(index) => index,
            Err(refusal) => return refusal,
        };
        if successor.is_some_and(|heir| heir == id || !self.workspace.agent_index.contains_key(heir)) {
            return Verdict::rejected(Reason::UnknownAgent);
        }
        let (before, rounds) = (self.appearance(index), self.rounds_with(index));
        let agent = &mut self.workspace.agents[index];
        agent.is_removed = true;
        agent.rows.clear();
        agent.effective = engine::input::Status::Offline;
        self.shard.timers.arm(&self.workspace.name, Timer::Agent(index, AgentClock::Shift), None);
        self.agent_moved(index);
        self.tell_agent(DecisionType::AgentChanged, Reason::Removed, index);
        self.with_text(reason);
        self.recount_delays();
        self.stops_working(index, &before);
        self.rounds_may_end(rounds);
        self.workspace.agents[index].holds.retain(|hold| hold.kind == HoldKind::Work);
        self.pass_on(id, successor);
        self.workspace.conversations.forget_owner(id);
        self.workspace.account_owners.retain(|_, owner| owner != id);
        self.workspace.agent_index.remove(id);
        self.workspace.tombstones.insert(id.to_string(), index);
        self.shard.agents -= 1;
        if self.minds_abilities() {
            self.review();
        }
        self.rearm_agent(index);
        Verdict::decided()
    }

    /// What he owned goes to his successor, or back into its queue.
    fn pass_on(&mut self, id: &str, successor: Option<&str>) {
        for owned in self.workspace.owned_by(id) {
            self.left = self.left.saturating_sub(1);
            if let Some(heir) = successor {
                self.withdraw(&owned, Reason::AcceptedElsewhere);
                self.end_hold(&owned);
                self.give_over(&owned, heir, Reason::Successor, id, "");
                continue;
            }
            self.withdraw(&owned, Reason::Rescinded);
            let arrival = Some(self.arrival_after_owner(&owned));
            let (queue, rule) = self.own_queue_again(&owned);
            self.lose_owner(&owned, Reason::OwnerLost, "");
            let reason = Reason::Requeue;
            self.enter(&owned, Entering { queue, rule, reason, arrival, ..Entering::default() });
        }
    }

    // Work that we did not route.

    pub fn agent_engaged(&mut self, id: &str, engagement: &Id, channel: &str, units: Option<u32>) -> Verdict {
        let Some(&index) = self.workspace.agent_index.get(id) else {
            return Verdict::ignored(Reason::UnknownAgent);
        };
        let configured = self.workspace.channel(channel).map(|channel| (channel.units, channel.exclusive));
        let Some((usual_units, is_exclusive)) = configured else {
            return Verdict::ignored(Reason::UnknownChannel);
        };
        let units = units.unwrap_or(usual_units);
        let agent = &self.workspace.agents[index];
        if agent.hold(HoldKind::External, &engagement.text).is_some() {
            return Verdict::recorded(Reason::Recorded);
        }
        if agent.holds.iter().filter(|hold| hold.kind == HoldKind::External).count() >= ENGAGEMENTS {
            return Verdict::ignored(Reason::TooMany);
        }
        let fitted = self.workspace.has_room_for(agent, "", channel, units);
        let hold = Hold {
            kind: HoldKind::External,
            reference: engagement.text.to_string(),
            channel: channel.to_string(),
            queue: String::new(),
            units,
            full_units: units,
            is_exclusive,
            until: None,
            is_timed: false,
        };
        self.workspace.agents[index].holds.push(hold);
        self.agent_moved(index);
        if !fitted {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::Engaged, index);
        }
        self.rearm_agent(index);
        if fitted { Verdict::recorded(Reason::Recorded) } else { Verdict::decided() }
    }

    pub fn agent_disengaged(&mut self, id: &str, engagement: &Id) -> Verdict {
        let Some(&index) = self.workspace.agent_index.get(id) else {
            return Verdict::ignored(Reason::UnknownAgent);
        };
        let holds = &mut self.workspace.agents[index].holds;
        let before = holds.len();
        holds.retain(|hold| hold.kind != HoldKind::External || *hold.reference != *engagement.text);
        if holds.len() == before {
            return Verdict::ignored(Reason::UnknownEngagement);
        }
        self.agent_moved(index);
        self.rearm_agent(index);
        Verdict::recorded(Reason::Recorded)
    }

    pub fn complete_wrap_up(&mut self, conversation: &str, agent: &str) -> Verdict {
        let Some(&index) = self.workspace.agent_index.get(agent) else {
            return Verdict::rejected(Reason::UnknownAgent);
        };
        let Some(hold) = self.workspace.agents[index].hold(HoldKind::WrapUp, conversation) else {
            return Verdict::rejected(Reason::NoWrapUp);
        };
        if hold.is_timed {
            return Verdict::rejected(Reason::WrapUpTimed);
        }
        let now = self.now;
        let agent = &mut self.workspace.agents[index];
        let is_it = |hold: &Hold| hold.kind == HoldKind::WrapUp && hold.reference == conversation;
        if let Some(at) = agent.holds.iter().position(is_it) {
            agent.holds.remove(at);
        }
        agent.idle_since = now;
        self.agent_moved(index);
        self.rearm_agent(index);
        Verdict::recorded(Reason::Recorded)
    }
}
