//! Conversations as HTTP shows them: what the last decision about each said, in a map that is read while the publisher
//! writes. The ended stay ten minutes of engine time, at most so many a shard, oldest out.

use super::keyed::{KeyedMap, KeyedState};
use dashmap::DashMap;
use engine::decision::{DecisionType, Position, Reason, Told, ToldConversation};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

const ENDED_KEPT_MS: u64 = 600_000;
/// Of a shard: a burst of endings cannot fill the memory.
const ENDED_MAX: usize = 100_000;

#[derive(Clone, Debug)]
pub struct ConversationView {
    pub shard: u16,
    pub position: Position,
    /// Engine time of the last decision, ms UTC.
    pub decided_at: u64,
    pub decision_type: DecisionType,
    pub reason: Reason,
    pub policy_version: u64,
    /// queued, assigned, resolved, closed or abandoned.
    pub state: &'static str,
    /// It has left the engine's state.
    pub ended: bool,
    pub told: ToldConversation,
}

#[derive(Default)]
pub struct Views {
    /// By Kind::Conversation's hash, which has the workspace in it.
    conversations: DashMap<u128, ConversationView, KeyedState>,
    /// By shard: when each ended one may go.
    ended: Mutex<HashMap<u16, VecDeque<(u64, u128)>>>,
}

/// The state that a decision leaves a conversation in; none where it says nothing about that.
fn state_after(decision_type: DecisionType) -> Option<&'static str> {
    Some(match decision_type {
        DecisionType::ConversationQueued => "queued",
        DecisionType::ConversationAssigned => "assigned",
        DecisionType::ConversationResolved => "resolved",
        DecisionType::ConversationClosed => "closed",
        DecisionType::ConversationAbandoned => "abandoned",
        _ => return None,
    })
}

impl Views {
    /// By Kind::Conversation's hash of its id.
    pub fn conversation(&self, key: u128) -> Option<ConversationView> {
        self.conversations.get(&key).map(|view| view.clone())
    }

    /// Takes a record's decisions; `keys` are their conversations'. Of several that set a conversation's state in one
    /// record nobody could see but the last.
    pub(super) fn take(&self, shard: u16, seq: u64, decisions: &[Told], keys: &[Option<u128>]) {
        let mut last: KeyedMap<usize> = KeyedMap::default();
        for (idx, (told, key)) in decisions.iter().zip(keys).enumerate() {
            if let (Some(key), Some(_)) = (key, state_after(told.decision_type)) {
                last.insert(*key, idx);
            }
        }
        for (idx, (told, key)) in decisions.iter().zip(keys).enumerate() {
            let (Some(conversation), Some(key)) = (&told.conversation, *key) else { continue };
            let position = Position { seq, idx: idx as u32 };
            match state_after(told.decision_type) {
                Some(state) if last.get(&key) == Some(&idx) => {
                    self.set(shard, position, told, conversation, key, state)
                }
                None if told.decision_type == DecisionType::ConversationUpdated => {
                    self.update(position, told, conversation, key);
                }
                _ => {}
            }
        }
    }

    /// A changed tier or queue of one that waits: its facts are new, its state is not.
    fn update(&self, position: Position, told: &Told, conversation: &ToldConversation, key: u128) {
        if let Some(mut view) = self.conversations.get_mut(&key) {
            view.told = conversation.clone();
            (view.position, view.decided_at, view.policy_version) = (position, told.time, told.policy_version);
        }
    }

    fn set(
        &self,
        shard: u16,
        position: Position,
        told: &Told,
        conversation: &ToldConversation,
        key: u128,
        state: &'static str,
    ) {
        let decision_type = told.decision_type;
        let ended = match decision_type {
            DecisionType::ConversationClosed | DecisionType::ConversationAbandoned => true,
            DecisionType::ConversationResolved => conversation.live,
            _ => false,
        };
        let view = ConversationView {
            shard,
            position,
            decided_at: told.time,
            decision_type,
            reason: told.reason,
            policy_version: told.policy_version,
            state,
            ended,
            told: conversation.clone(),
        };
        self.conversations.insert(key, view);
        if ended {
            self.keep_for_a_while(shard, told.time, key);
        }
    }

    fn keep_for_a_while(&self, shard: u16, ended_at: u64, key: u128) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let line = ended.entry(shard).or_default();
        line.push_back((ended_at + ENDED_KEPT_MS, key));
        if line.len() > ENDED_MAX
            && let Some((_, key)) = line.pop_front()
        {
            self.conversations.remove_if(&key, |_, view| view.ended);
        }
    }

    pub(super) fn expire(&self, shard: u16, now: u64) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = ended.get_mut(&shard) else { return };
        while line.front().is_some_and(|(until, _)| *until < now) {
            let Some((until, key)) = line.pop_front() else { return };
            // One that was opened again under the same id, or ended again later, stays.
            self.conversations.remove_if(&key, |_, view| view.ended && view.decided_at + ENDED_KEPT_MS <= until);
        }
    }

    /// Drops all of a shard that is no longer ours.
    pub(super) fn forget(&self, shard: u16) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).remove(&shard);
        self.conversations.retain(|_, view| view.shard != shard);
    }

    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
    }
}
