//! Configuration as inputs: a workspace's policy and its agents. Each is taken whole or refused whole.

use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, NameOf};
use crate::id::{Id, Kind};
use crate::policy::{AgentConfig, ExitKind, Policy};
use crate::state::workspace::Names;
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, rejected};
use crate::wire::Wire;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Agents of a shard.
const AGENTS_MAX: usize = 200_000;
/// Workspaces of a shard.
const WORKSPACES_MAX: u32 = 10_000;
/// Channels that a workspace may ever have named: a bit each in an agent's fit.
const CHANNELS_EVER: u32 = 64;
/// Queues, entries, tiers and skills that a workspace may ever have named, each.
const NAMES_EVER: u32 = 60_000;
/// Bytes of the effects of one configuration: it has to fit a record of 2 MiB with what may stand beside it.
const CONFIGURE_BYTES: usize = 1_310_720;
/// Bytes that a name takes in its effect besides its text.
const NAME_BYTES: usize = 40;

impl Stepping<'_> {
    pub(crate) fn configure_workspace(
        &mut self,
        id: &Id,
        ws: Option<u32>,
        policy: &Policy,
        expected_version: Option<u64>,
    ) -> Verdict {
        let version = ws.map_or(0, |ws| self.state.workspace(ws).policy().version);
        if expected_version.is_some_and(|e| e != version) {
            return rejected(Reason::VersionMismatch);
        }
        if ws.is_some_and(|ws| self.state.workspace(ws).policy() == policy) {
            return RECORDED;
        }
        if policy.version <= version {
            return rejected(Reason::VersionNotAbove);
        }
        if !policy.faults().is_empty() {
            return rejected(Reason::InvalidPolicy);
        }
        if ws.is_none() && self.state.next_workspace() >= WORKSPACES_MAX || !self.has_room_for(id, ws, policy) {
            return rejected(Reason::TooMany);
        }
        let slot = ws.unwrap_or_else(|| {
            let slot = self.state.next_workspace();
            let (hash, text) = (id.hash, id.text.clone());
            self.effect(Effect::Named { what: NameOf::Workspace, workspace: slot, slot, hash, text });
            slot
        });
        self.name_all(slot, id, policy);
        self.effect(Effect::WorkspaceConfigured { workspace: slot, policy: Box::new(policy.clone()) });
        self.review_all(slot);
        self.tell_workspace(DecisionType::WorkspaceConfigured, slot);
        self.hours_change(slot);
        // Sets that only the policy before had, and those that events brought, where nobody waits in them.
        while let Some(set) = self.state.workspace(slot).idle_set() {
            self.effect(Effect::SetClosed { workspace: slot, set });
        }
        DECIDED
    }

    /// Whether the names a policy brings, and its bytes, are within what a workspace and a record hold.
    fn has_room_for(&self, id: &Id, ws: Option<u32>, policy: &Policy) -> bool {
        let mut bytes = Vec::new();
        policy.put(&mut bytes);
        let mut bytes = bytes.len();
        let mut is_within = |kind: Kind, limit: u32, texts: &mut dyn Iterator<Item = &str>| {
            let names = ws.map(|ws| self.names(ws, kind));
            let texts: BTreeSet<&str> = texts.collect();
            let is_new = |text: &&&str| names.is_none_or(|n| n.find(self.hash(id, kind, text)).is_none());
            let new: Vec<&&str> = texts.iter().filter(is_new).collect();
            bytes += new.iter().map(|text| text.len() + NAME_BYTES).sum::<usize>();
            names.map_or(0, Names::len) + new.len() as u32 <= limit
        };
        is_within(Kind::Channel, CHANNELS_EVER, &mut policy.channels.iter().map(|c| &*c.name))
            && is_within(Kind::Queue, NAMES_EVER, &mut policy.queues.iter().map(|q| &*q.name))
            && is_within(Kind::Entry, NAMES_EVER, &mut policy.entries.iter().map(|e| &*e.name))
            && is_within(Kind::Tier, NAMES_EVER, &mut policy.tiers.iter().map(|t| &*t.name))
            && is_within(Kind::Skill, NAMES_EVER, &mut skills_of(policy))
            && is_within(Kind::Team, NAMES_EVER, &mut teams_of(policy))
            && is_within(Kind::Calendar, NAMES_EVER, &mut policy.calendars.iter().map(|c| &*c.name))
            && bytes <= CONFIGURE_BYTES
    }

    fn names(&self, ws: u32, kind: Kind) -> &Names {
        let workspace = self.state.workspace(ws);
        match kind {
            Kind::Channel => &workspace.channels,
            Kind::Queue => &workspace.queues,
            Kind::Entry => &workspace.entries,
            Kind::Tier => &workspace.tiers,
            Kind::Team => &workspace.teams,
            Kind::Calendar => &workspace.calendars,
            _ => &workspace.skills,
        }
    }

    fn name_all(&mut self, ws: u32, id: &Id, policy: &Policy) {
        for channel in &policy.channels {
            self.name(ws, id, NameOf::Channel, Kind::Channel, &channel.name);
        }
        for queue in &policy.queues {
            self.name(ws, id, NameOf::Queue, Kind::Queue, &queue.name);
        }
        for skill in skills_of(policy) {
            self.name(ws, id, NameOf::Skill, Kind::Skill, skill);
        }
        for team in teams_of(policy) {
            self.name(ws, id, NameOf::Team, Kind::Team, team);
        }
        for entry in &policy.entries {
            self.name(ws, id, NameOf::Entry, Kind::Entry, &entry.name);
        }
        for calendar in &policy.calendars {
            self.name(ws, id, NameOf::Calendar, Kind::Calendar, &calendar.name);
        }
        for tier in &policy.tiers {
            self.name(ws, id, NameOf::Tier, Kind::Tier, &tier.name);
        }
    }

    /// Gives a configured name its slot, unless it has one.
    fn name(&mut self, ws: u32, id: &Id, what: NameOf, kind: Kind, text: &str) {
        let hash = self.hash(id, kind, text);
        let names = self.names(ws, kind);
        if names.find(hash).is_none() {
            let slot = names.len();
            self.effect(Effect::Named { what, workspace: ws, slot, hash, text: text.into() });
        }
    }

    fn hash(&self, workspace: &Id, kind: Kind, text: &str) -> u128 {
        self.state.key().hash(kind, &workspace.text, &[text])
    }

    pub(crate) fn configure_agent(&mut self, ws: u32, agent: &Id, config: &AgentConfig) -> Verdict {
        let policy = self.state.workspace(ws).policy();
        if !config.faults().is_empty() || !crate::faults::of_agent_in(policy, config).is_empty() {
            return rejected(Reason::InvalidPolicy);
        }
        let known = self.state.find_agent(agent.hash);
        let is_there = |slot: &u32| !self.state.agent(*slot).is_removed();
        if known.filter(is_there).is_some_and(|slot| self.state.agent(slot).config() == config) {
            return RECORDED;
        }
        if known.is_none() && self.state.agents_len() >= AGENTS_MAX {
            return rejected(Reason::TooMany);
        }
        let workspace = self.state.workspace(ws);
        let id = Id { hash: 0, text: workspace.name().into() };
        if workspace.skills.len() as usize + config.skills.len() > NAMES_EVER as usize
            || workspace.teams.len() >= NAMES_EVER
        {
            return rejected(Reason::TooMany);
        }
        for skill in &config.skills {
            self.name(ws, &id, NameOf::Skill, Kind::Skill, &skill.name);
        }
        if !config.team.is_empty() {
            self.name(ws, &id, NameOf::Team, Kind::Team, &config.team);
        }
        let slot = known.unwrap_or_else(|| {
            let slot = self.state.next_agent();
            let (hash, text) = (agent.hash, agent.text.clone());
            self.effect(Effect::Named { what: NameOf::Agent, workspace: ws, slot, hash, text });
            slot
        });
        let before = self.state.agent(slot);
        let (routable, delays) = (before.routable(), self.delays(slot));
        let rounds = self.state.rounds_with(slot);
        self.effect(Effect::AgentConfigured { agent: slot, config: config.clone() });
        self.tell_agent(DecisionType::AgentChanged, Reason::Configured, slot, None);
        let row = self.state.agent(slot);
        if row.used() > row.units() {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::CapacityLowered, slot, None);
        }
        if routable & !self.state.agent(slot).routable() != 0 {
            self.takes_no_more(slot, true);
        }
        self.rounds_may_end(rounds);
        self.follow_shift(slot);
        self.unstaffed(ws);
        self.review_abilities(ws, self.delays(slot) != delays);
        DECIDED
    }

    /// What agents can do, or when they are reached (`always`), has changed: who waits is looked at again, where that
    /// may matter to somebody.
    pub(crate) fn review_abilities(&mut self, ws: u32, always: bool) {
        let workspace = self.state.workspace(ws);
        let minds = |queue: u32| workspace.queue(queue).is_some_and(|q| q.on_unservable.kind != ExitKind::Wait);
        let is_minded = always || (0..workspace.queues.len()).any(minds);
        if is_minded {
            self.review_all(ws);
        }
    }

    /// Delays of an agent's memberships, by queue.
    fn delays(&self, agent: u32) -> Vec<(u32, u64)> {
        let queues = self.state.workspace(self.state.agent(agent).workspace()).queues.len();
        let member = |queue: u32| self.state.agent(agent).member(queue).filter(|m| m.delay_ms > 0);
        (0..queues).filter_map(member).map(|m| (m.queue, m.delay_ms)).collect()
    }
}

/// Every skill that a policy names.
fn skills_of(policy: &Policy) -> impl Iterator<Item = &str> {
    let of_queues = policy.queues.iter().flat_map(|q| {
        let steps = q.steps.iter().flat_map(|s| s.drop.iter().map(|d| &**d).chain(s.lower.iter().map(|l| &*l.name)));
        q.skills.iter().chain(&q.preferred_skills).map(|s| &*s.name).chain(steps)
    });
    of_queues.chain(policy.skills.iter().map(|s| &**s))
}

/// Every team that a policy names.
fn teams_of(policy: &Policy) -> impl Iterator<Item = &str> {
    let of_queues = policy.queues.iter().flat_map(|q| {
        let steps = q.steps.iter().flat_map(|s| s.teams.iter().flatten());
        q.teams.iter().chain(steps)
    });
    let rings = policy.tiers.iter().filter_map(|t| t.first_ring.as_ref()).map(|r| &r.team).filter(|t| !t.is_empty());
    policy.teams.iter().map(|t| &t.name).chain(of_queues).chain(rings).map(|t| &**t)
}
