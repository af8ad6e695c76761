//! Agents: what they are configured to be, where they are, and the ledger of what they hold.

use crate::telling::{Step, Verdict};
use crate::workspace::{Agent, Hold, Row};
use engine::decision::{DecisionType, Reason};
use engine::input::{By, Status};
use engine::policy::limits::PRESENCE_SOURCES;
use engine::policy::{AgentConfig, Strategy};
use std::collections::HashMap;

/// Agents of a shard.
const AGENTS_MAX: usize = 200_000;

impl Step<'_> {
    pub fn configure_agent(&mut self, id: &str, config: &AgentConfig) -> Verdict {
        if !config.faults().is_empty() {
            return Verdict::rejected(Reason::InvalidPolicy);
        }
        let index = self.workspace.agent_index.get(id).copied();
        if index.is_some_and(|index| self.workspace.agents[index].config == *config) {
            return Verdict::recorded(Reason::Recorded);
        }
        let skills: HashMap<String, u8> = config.skills.iter().map(|s| (s.name.to_string(), s.level)).collect();
        if let Some(index) = index {
            self.workspace.agents[index].config = config.clone();
            self.workspace.agents[index].skills = skills;
        } else if self.agents_of_the_shard >= AGENTS_MAX {
            return Verdict::rejected(Reason::TooMany);
        } else {
            self.agents_of_the_shard += 1;
            self.workspace.agent_index.insert(id.to_string(), self.workspace.agents.len());
            self.workspace.agents.push(Agent {
                id: id.to_string(),
                config: config.clone(),
                skills,
                rows: Vec::new(),
                choice: None,
                effective: Status::Offline,
                away_since: None,
                idle_since: self.now,
                holds: Vec::new(),
            });
        }
        self.agent_moved(id);
        self.tell_agent(DecisionType::AgentChanged, Reason::Configured, id);
        let agent = self.agent(id);
        if agent.used() > self.workspace.units_of(agent) {
            self.tell_agent(DecisionType::CapacityExceeded, Reason::CapacityLowered, id);
        }
        Verdict::decided()
    }

    pub fn agent_presence(
        &mut self,
        id: &str,
        status: Status,
        by: By,
        session: Option<u128>,
        sequence: Option<u64>,
    ) -> Verdict {
        let Some(&index) = self.workspace.agent_index.get(id) else {
            return Verdict::ignored(Reason::UnknownAgent);
        };
        let source = self.input.map_or(0, |input| input.source_hash);
        let agent = &mut self.workspace.agents[index];
        let row = Row { source, status, session, sequence };
        if let Some(known) = agent.rows.iter_mut().find(|known| known.source == source) {
            if known.session == session && sequence.is_some() && known.sequence.is_some() && sequence <= known.sequence
            {
                return Verdict::ignored(Reason::StaleSequence);
            }
            *known = row;
        } else {
            if agent.rows.len() >= PRESENCE_SOURCES {
                let Some(oldest) = agent.rows.iter().position(|known| known.status == Status::Offline) else {
                    return Verdict::ignored(Reason::TooManySources);
                };
                agent.rows.remove(oldest);
            }
            agent.rows.push(row);
        }
        if by == By::Agent {
            agent.choice = Some(status);
        }
        let best = agent.rows.iter().map(|row| row.status).max().unwrap_or(Status::Offline);
        let effective = agent.choice.map_or(best, |choice| choice.min(best));
        if effective == agent.effective {
            return Verdict::recorded(Reason::Recorded);
        }
        self.become_present(index, effective);
        self.agent_moved(id);
        self.tell_agent(DecisionType::AgentChanged, Reason::Presence, id);
        Verdict::decided()
    }

    fn become_present(&mut self, index: usize, effective: Status) {
        let idle_reset_ms = self.workspace.policy.idle_reset_ms;
        let now = self.now;
        let agent = &mut self.workspace.agents[index];
        if effective == Status::Online {
            let short_away = agent.away_since.is_some_and(|since| now - since < idle_reset_ms);
            if !short_away {
                agent.idle_since = now;
            }
        }
        let from_online_to_away = agent.effective == Status::Online && effective == Status::Away;
        agent.away_since = from_online_to_away.then_some(now);
        agent.effective = effective;
    }

    pub fn agent(&self, id: &str) -> &Agent {
        &self.workspace.agents[self.workspace.agent_index[id]]
    }

    fn agent_mut(&mut self, id: &str) -> &mut Agent {
        &mut self.workspace.agents[self.workspace.agent_index[id]]
    }

    /// The agent takes the conversation: he holds its units until it ends.
    pub fn take_hold(&mut self, agent: &str, conversation: &str) {
        let taken = &self.workspace.conversations[conversation];
        let channel = self.workspace.channel_ever(&taken.set.channel);
        let hold = Hold {
            conversation: conversation.to_string(),
            channel: taken.set.channel.clone(),
            units: channel.map_or(1, |channel| channel.units),
            live: taken.live,
            exclusive: channel.is_some_and(|channel| channel.exclusive),
        };
        let place = taken.place();
        self.agent_mut(agent).holds.push(hold);
        self.workspace.waiting.remove(&place);
        if let Some(conversation) = self.workspace.conversations.get_mut(conversation) {
            conversation.owner = Some(agent.to_string());
            conversation.epoch += 1;
        }
        self.agent_moved(agent);
    }

    /// The owner, if there is one, lets go. Returns who he was.
    pub fn end_hold(&mut self, conversation: &str) -> Option<String> {
        let owner = self.workspace.conversations.get_mut(conversation)?.owner.take()?;
        let now = self.now;
        let agent = self.agent_mut(&owner);
        agent.holds.retain(|hold| hold.conversation != conversation);
        agent.idle_since = now;
        self.agent_moved(&owner);
        Some(owner)
    }

    /// Something about the agent is different: rotations hear whether they may pick him now.
    pub fn agent_moved(&mut self, id: &str) {
        let index = self.workspace.agent_index[id];
        self.workspace.moved.insert(index);
        let mut rotations = std::mem::take(&mut self.workspace.rotations);
        for (set, rotation) in &mut rotations {
            let agent = &self.workspace.agents[index];
            let takes_turns = self.workspace.strategy(set) == Strategy::WeightedRoundRobin;
            let is_candidate = takes_turns && self.workspace.is_candidate(agent, set);
            rotation.set(index, is_candidate.then_some(agent.config.weight));
            if !agent.meets(&set.required) {
                rotation.forget(index);
            }
        }
        self.workspace.rotations = rotations;
    }
}
