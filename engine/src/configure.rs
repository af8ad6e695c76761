//! Configuration as inputs: a workspace's policy and its agents. Each is taken whole or refused whole.

use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, NameOf};
use crate::id::{Id, Kind};
use crate::policy::{AgentConfig, Policy};
use crate::step::{DECIDED, RECORDED, Stepping, Verdict, rejected};
use alloc::boxed::Box;

/// Agents of a shard.
const AGENTS_MAX: usize = 200_000;
/// Channels that a workspace may ever have named: a bit each in an agent's fit.
const CHANNELS_EVER: usize = 64;

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
        let named = ws.map_or(0, |ws| {
            let channels = &self.state.workspace(ws).channels;
            let new = |c: &&crate::policy::Channel| channels.find(self.hash(id, Kind::Channel, &c.name)).is_none();
            channels.len() as usize + policy.channels.iter().filter(new).count()
        });
        if named > CHANNELS_EVER {
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
        if let Some(oldest) = self.state.oldest(slot) {
            self.effect(Effect::Reviewed { workspace: slot, next: Some(oldest) });
        }
        self.tell_workspace(DecisionType::WorkspaceConfigured, slot);
        DECIDED
    }

    fn name_all(&mut self, ws: u32, id: &Id, policy: &Policy) {
        for channel in &policy.channels {
            self.name(ws, id, NameOf::Channel, Kind::Channel, &channel.name);
        }
        for queue in &policy.queues {
            self.name(ws, id, NameOf::Queue, Kind::Queue, &queue.name);
            for skill in &queue.skills {
                self.name(ws, id, NameOf::Skill, Kind::Skill, &skill.name);
            }
        }
        for entry in &policy.entries {
            self.name(ws, id, NameOf::Entry, Kind::Entry, &entry.name);
        }
        for tier in &policy.tiers {
            self.name(ws, id, NameOf::Tier, Kind::Tier, &tier.name);
        }
    }

    /// Gives a configured name its slot, unless it has one.
    fn name(&mut self, ws: u32, id: &Id, what: NameOf, kind: Kind, text: &str) {
        let hash = self.hash(id, kind, text);
        let workspace = self.state.workspace(ws);
        let names = match what {
            NameOf::Channel => &workspace.channels,
            NameOf::Queue => &workspace.queues,
            NameOf::Entry => &workspace.entries,
            NameOf::Tier => &workspace.tiers,
            _ => &workspace.skills,
        };
        if names.find(hash).is_none() {
            let slot = names.len();
            self.effect(Effect::Named { what, workspace: ws, slot, hash, text: text.into() });
        }
    }

    fn hash(&self, workspace: &Id, kind: Kind, text: &str) -> u128 {
        self.state.key().hash(kind, &workspace.text, &[text])
    }

    pub(crate) fn configure_agent(&mut self, ws: u32, agent: &Id, config: &AgentConfig) -> Verdict {
        if !config.faults().is_empty() {
            return rejected(Reason::InvalidPolicy);
        }
        let known = self.state.find_agent(agent.hash);
        if known.is_some_and(|slot| self.state.agent(slot).config() == config) {
            return RECORDED;
        }
        if known.is_none() && self.state.agents_len() >= AGENTS_MAX {
            return rejected(Reason::TooMany);
        }
        let name = self.state.workspace(ws).name();
        let workspace = Id { hash: 0, text: name.into() };
        for skill in &config.skills {
            self.name(ws, &workspace, NameOf::Skill, Kind::Skill, &skill.name);
        }
        let slot = known.unwrap_or_else(|| {
            let slot = self.state.next_agent();
            let (hash, text) = (agent.hash, agent.text.clone());
            self.effect(Effect::Named { what: NameOf::Agent, workspace: ws, slot, hash, text });
            slot
        });
        self.effect(Effect::AgentConfigured { agent: slot, config: config.clone() });
        self.tell_agent(DecisionType::AgentChanged, Reason::Configured, slot, None);
        let row = self.state.agent(slot);
        if row.used() > row.units() {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::CapacityLowered, slot, None);
        }
        DECIDED
    }
}
