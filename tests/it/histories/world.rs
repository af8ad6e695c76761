//! What a generated history has brought about so far, as far as decisions tell: whom and what the next event may name.

use engine::decision::{DecisionType, PhaseWord, Preference, Told};
use std::collections::BTreeMap;

/// Offers and ended work that are kept in mind: some of them are over, and asking for them again is the point.
const RECENT_MAX: usize = 12;

#[derive(Clone, Default)]
pub struct Seen {
    pub epoch: u64,
    pub owner: Option<String>,
    pub state: PhaseWord,
    pub customer: String,
    /// For one agent, while it waits.
    is_held: bool,
    created: u64,
}

/// One workspace.
#[derive(Default)]
pub struct World {
    /// Not ended, or resolved and still remembered.
    conversations: BTreeMap<String, Seen>,
    /// (offer, agent, conversation), open or just over.
    pub offers: Vec<(u64, String, String)>,
    /// (conversation, agent) of work that ended.
    pub ended: Vec<(String, String)>,
    created: u64,
}

impl World {
    pub fn hear(&mut self, told: &[Told], workspace: &str) {
        for told in told.iter().filter(|told| *told.workspace == *workspace) {
            self.hear_one(told);
        }
    }

    fn hear_one(&mut self, told: &Told) {
        // A clock is told of after its conversation, which may be gone by then.
        let is_of_clock = told.clock.is_some() && told.decision_type != DecisionType::ConversationEscalated;
        let Some(about) = told.conversation.as_ref().filter(|_| !is_of_clock) else { return };
        let detail = told.detail.clone().unwrap_or_default();
        let id = about.id.to_string();
        let owner = (!about.owner.is_empty()).then(|| about.owner.to_string());
        match told.decision_type {
            DecisionType::ConversationOffered => {
                let agent = told.agent.as_ref().map_or("", |agent| &agent.id).to_string();
                push_recent(&mut self.offers, (detail.offer, agent, id.clone()));
            }
            DecisionType::ConversationMerged => drop(self.conversations.remove(&*detail.other)),
            DecisionType::ConversationResolved if !about.previous_owner.is_empty() => {
                push_recent(&mut self.ended, (id.clone(), about.previous_owner.to_string()));
            }
            _ => {}
        }
        let is_gone = matches!(
            told.decision_type,
            DecisionType::ConversationClosed
                | DecisionType::ConversationAbandoned
                | DecisionType::ConversationDeflected
        );
        if is_gone || (about.live && told.decision_type == DecisionType::ConversationResolved) {
            self.conversations.remove(&id);
            return;
        }
        self.created += 1;
        let created = self.conversations.get(&id).map_or(self.created, |seen| seen.created);
        let customer = about.customer.to_string();
        let is_held = about.preference == Preference::Held;
        let seen = Seen { epoch: about.epoch, owner, state: about.state, customer, is_held, created };
        self.conversations.insert(id, seen);
    }

    /// Those in one of these states, the oldest first.
    pub fn in_state(&self, states: &[PhaseWord]) -> Vec<(String, Seen)> {
        let found = self.conversations.iter().filter(|(_, seen)| states.contains(&seen.state));
        let mut found: Vec<(String, Seen)> = found.map(|(id, seen)| (id.clone(), seen.clone())).collect();
        found.sort_by_key(|(_, seen)| seen.created);
        found
    }

    /// Those that are held for one agent.
    pub fn held(&self) -> Vec<(String, Seen)> {
        let waiting = self.in_state(&[PhaseWord::Queued]);
        waiting.into_iter().filter(|(_, seen)| seen.is_held).collect()
    }

    pub fn open(&self) -> Vec<(String, Seen)> {
        let is_open = |state: &&PhaseWord| **state != PhaseWord::Resolved;
        self.in_state(&PhaseWord::ALL.iter().filter(is_open).copied().collect::<Vec<_>>())
    }
}

fn push_recent<T>(list: &mut Vec<T>, item: T) {
    if list.len() == RECENT_MAX {
        list.remove(0);
    }
    list.push(item);
}
