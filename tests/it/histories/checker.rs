//! The outside checker: it believes decisions, and nothing else, and looks for the promises of routing.md §9 in them.
//!
//! It knows neither engine: from decisions alone it keeps who owns what at which epoch and with how many units, who is
//! online and what each may hold. What cannot be seen in decisions (that the best in line was taken) is the naive
//! engine's to say.

use engine::decision::{AgentState, DecisionType, Outcome, Reason, Told, ToldAgent, ToldConversation};
use engine::input::{Body, Input};
use std::collections::HashMap;

type Name = (String, String);

#[derive(Default)]
struct Owned {
    epoch: u64,
    owner: String,
    units: u32,
}

#[derive(Default)]
struct Agent {
    used: u64,
    units: u64,
    /// None: the workspace's default.
    own_units: Option<u64>,
    online: bool,
}

#[derive(Default)]
pub struct Checker {
    conversations: HashMap<Name, Owned>,
    agents: HashMap<Name, Agent>,
    /// Key of each event that has had an outcome.
    outcomes: HashMap<u128, Outcome>,
}

impl Checker {
    /// What an input brought: all of its decisions, those of time among them.
    pub fn step(&mut self, input: &Input, told: &[Told]) -> Result<(), String> {
        let is_mine = |told: &&Told| told.cause_id == input.id && told.cause_source == input.source;
        let of_input: Vec<&Told> = told.iter().filter(is_mine).collect();
        if told.iter().any(|told| !told.cause_id.is_empty() && !is_mine(&told)) {
            return Err("a decision names another event than the one at hand".into());
        }
        let is_duplicate = |told: &&&Told| told.reason == Reason::Duplicate;
        match of_input.iter().filter(is_duplicate).count() {
            0 => self.first_time(input, &of_input)?,
            1 if told.len() == 1 => self.again(input, &told[0])?,
            _ => return Err("a duplicate did something".into()),
        }
        self.learn_units(input, &of_input);
        told.iter().try_for_each(|told| self.hear(told))
    }

    pub fn tick(&mut self, told: &[Told]) -> Result<(), String> {
        if told.iter().any(|told| !told.cause_id.is_empty() || !told.cause_source.is_empty()) {
            return Err("a tick's decision names an event".into());
        }
        told.iter().try_for_each(|told| self.hear(told))
    }

    fn first_time(&mut self, input: &Input, told: &[&Told]) -> Result<(), String> {
        let Some(first) = told.first() else {
            // Only an event of an unknown workspace is told nothing of, and it is not remembered.
            return Ok(());
        };
        let is_answer =
            |told: &&&Told| matches!(told.decision_type, DecisionType::EventRecorded | DecisionType::CommandRejected);
        let answers = told.iter().filter(is_answer).count();
        if answers > 1 {
            return Err("an event was answered twice".into());
        }
        if answers == 1 && !is_answer(&first) {
            return Err("an answer follows decisions: the event has two outcomes".into());
        }
        // Whoever had to be looked at again under a new policy may be served in the same step, whatever the answer.
        let follows = |told: &&Told| told.reason == Reason::Auto;
        if first.decision_type == DecisionType::CommandRejected && !told[1..].iter().all(follows) {
            return Err("a refused command decided something".into());
        }
        let outcome = if answers == 1 { first.outcome } else { Outcome::Decided };
        self.outcomes.insert(input.key, outcome);
        Ok(())
    }

    fn again(&self, input: &Input, told: &Told) -> Result<(), String> {
        match self.outcomes.get(&input.key) {
            None => Err("called a duplicate, and never seen before".into()),
            Some(first) if *first != told.outcome => Err("a duplicate has another outcome than the first".into()),
            Some(_) if told.first.is_none() => Err("a duplicate does not say where its first outcome is".into()),
            Some(_) => Ok(()),
        }
    }

    /// Capacity that only the input states: whether the agent has units of his own, and the workspace's default.
    fn learn_units(&mut self, input: &Input, told: &[&Told]) {
        let has = |kind| told.iter().any(|told| told.decision_type == kind);
        let workspace = input.workspace.text.to_string();
        match &input.body {
            Body::AgentConfigure { agent, config } if has(DecisionType::AgentChanged) => {
                let agent = self.agents.entry((workspace, agent.text.to_string())).or_default();
                agent.own_units = config.units.map(u64::from);
            }
            Body::WorkspaceConfigure { policy, .. } if has(DecisionType::WorkspaceConfigured) => {
                for ((of, _), agent) in &mut self.agents {
                    if *of == workspace && agent.own_units.is_none() {
                        agent.units = u64::from(policy.default_units);
                    }
                }
            }
            _ => {}
        }
    }

    fn hear(&mut self, told: &Told) -> Result<(), String> {
        if let Some(agent) = &told.agent {
            self.hear_of_agent(told, agent)?;
        }
        match &told.conversation {
            Some(conversation) => self.hear_of_conversation(told, conversation),
            None => Ok(()),
        }
    }

    fn hear_of_agent(&mut self, told: &Told, about: &ToldAgent) -> Result<(), String> {
        let name = (told.workspace.to_string(), about.id.to_string());
        let agent = self.agents.entry(name).or_default();
        match told.decision_type {
            DecisionType::AgentChanged => {
                agent.units = u64::from(about.units);
                agent.online = !matches!(about.state, AgentState::Offline | AgentState::Away);
            }
            DecisionType::ConversationAssigned => return Ok(()),
            _ => {}
        }
        if agent.used != u64::from(about.units_used) {
            return Err(format!(
                "{} is said to use {} units, his holds are {}",
                about.id, about.units_used, agent.used
            ));
        }
        if agent.units != u64::from(about.units) {
            return Err(format!("{} is said to have {} units, it should be {}", about.id, about.units, agent.units));
        }
        Ok(())
    }

    fn hear_of_conversation(&mut self, told: &Told, about: &ToldConversation) -> Result<(), String> {
        let name = (told.workspace.to_string(), about.id.to_string());
        let before = self.conversations.remove(&name).unwrap_or_default();
        let mut now = Owned { epoch: about.epoch, owner: about.owner.to_string(), units: about.units };
        let rises = u64::from(matches!(
            told.decision_type,
            DecisionType::ConversationAssigned | DecisionType::ConversationReopened
        ));
        let is_new = told.decision_type == DecisionType::ConversationOpened;
        if !is_new && about.epoch != before.epoch + rises {
            return Err(format!("{} goes from epoch {} to {}", about.id, before.epoch, about.epoch));
        }
        if is_new && about.epoch != 0 && about.epoch != before.epoch {
            return Err(format!("{} begins at epoch {} after {}", about.id, about.epoch, before.epoch));
        }
        match told.decision_type {
            DecisionType::ConversationAssigned => self.hear_of_assignment(told, about, &before)?,
            DecisionType::ConversationResolved
            | DecisionType::ConversationClosed
            | DecisionType::ConversationAbandoned => {
                if *about.previous_owner != *before.owner {
                    return Err(format!("{} ended with another owner before it than it had", about.id));
                }
                self.give_back(told, &before);
                (now.owner, now.units) = (String::new(), 0);
                if !about.owner.is_empty() || about.units != 0 {
                    return Err(format!("{} ended and still has an owner", about.id));
                }
            }
            _ if now.owner != before.owner => return Err(format!("{} changed hands unsaid", about.id)),
            _ if now.units != before.units => return Err(format!("{} changed its units unsaid", about.id)),
            _ => {}
        }
        self.conversations.insert(name, now);
        Ok(())
    }

    fn hear_of_assignment(&mut self, told: &Told, about: &ToldConversation, before: &Owned) -> Result<(), String> {
        let by_supervisor = told.reason == Reason::Supervisor;
        if !before.owner.is_empty() && !by_supervisor {
            return Err(format!("{} is owned by {} and given to {}", about.id, before.owner, about.owner));
        }
        if *about.previous_owner != *before.owner || about.owner.is_empty() {
            return Err(format!("{} does not say whom it was taken from, or whom it was given to", about.id));
        }
        self.give_back(told, before);
        let name = (told.workspace.to_string(), about.owner.to_string());
        let Some(agent) = self.agents.get_mut(&name) else {
            return Err(format!("{} was given to {}, of whom nothing is known", about.id, about.owner));
        };
        agent.used += u64::from(about.units);
        if by_supervisor {
            return Ok(());
        }
        if !agent.online {
            return Err(format!("{} was given to {}, who is not online", about.id, about.owner));
        }
        if agent.used > agent.units {
            return Err(format!("{} holds {} of {} units after {}", about.owner, agent.used, agent.units, about.id));
        }
        Ok(())
    }

    fn give_back(&mut self, told: &Told, held: &Owned) {
        if let Some(agent) = self.agents.get_mut(&(told.workspace.to_string(), held.owner.clone())) {
            agent.used -= u64::from(held.units);
        }
    }
}
