//! Conversations as HTTP shows them: what the last decision about each said, in a map that is read while the publisher
//! writes. The ended stay ten minutes of engine time, at most so many a shard, oldest out.

use super::keyed::{KeyedMap, KeyedState};
use dashmap::DashMap;
use engine::decision::{DecisionType, Position, Reason, Told, ToldConversation};
use engine::id::{HashKey, Kind};
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
    /// A word of `PhaseWord`, or how it ended: closed, abandoned, deflected or merged.
    pub state: &'static str,
    /// It has left the engine's state.
    pub ended: bool,
    /// The conversation that it is part of now, where it was merged away.
    pub survivor: Option<Box<str>>,
    pub told: ToldConversation,
}

#[derive(Default)]
pub struct Views {
    /// By Kind::Conversation's hash, which has the workspace in it.
    conversations: DashMap<u128, ConversationView, KeyedState>,
    /// By shard: when each ended one may go.
    ended: Mutex<HashMap<u16, VecDeque<(u64, u128)>>>,
}

/// What a decision is for the view of its conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The last thing that happened to it.
    Happened,
    /// Its facts at that time, and nothing else worth showing.
    Facts,
}

fn part_of(decision_type: DecisionType) -> Part {
    match decision_type {
        DecisionType::EventRecorded
        | DecisionType::CommandRejected
        | DecisionType::MentionNotified
        | DecisionType::AgentChanged
        | DecisionType::CapacityExceeded
        | DecisionType::ClockStarted
        | DecisionType::ClockPaused
        | DecisionType::ClockResumed
        | DecisionType::ClockWarned
        | DecisionType::ClockBreached
        | DecisionType::ClockCompleted
        | DecisionType::ClockCancelled => Part::Facts,
        _ => Part::Happened,
    }
}

/// How a decision ends its conversation, if it does.
fn end_of(decision_type: DecisionType) -> Option<&'static str> {
    match decision_type {
        DecisionType::ConversationClosed => Some("closed"),
        DecisionType::ConversationAbandoned => Some("abandoned"),
        DecisionType::ConversationDeflected => Some("deflected"),
        _ => None,
    }
}

/// What one record says about one conversation: its last decision, and the last that has its facts.
#[derive(Clone, Copy, Default)]
struct Last {
    happened: Option<usize>,
    facts: usize,
}

impl Views {
    /// By Kind::Conversation's hash of its id.
    pub fn conversation(&self, key: u128) -> Option<ConversationView> {
        self.conversations.get(&key).map(|view| view.clone())
    }

    /// Takes a record's decisions; `keys` are their conversations'. Of several about one conversation in one record
    /// nobody could see but the last.
    pub(super) fn take(&self, shard: u16, seq: u64, decisions: &[Told], keys: &[Option<u128>], key_of: HashKey) {
        let mut last: KeyedMap<Last> = KeyedMap::default();
        for (idx, (told, key)) in decisions.iter().zip(keys).enumerate() {
            let Some(key) = key else { continue };
            let last = last.entry(*key).or_default();
            last.facts = idx;
            if part_of(told.decision_type) == Part::Happened {
                last.happened = Some(idx);
            }
        }
        for (idx, (told, key)) in decisions.iter().zip(keys).enumerate() {
            let (Some(conversation), Some(key)) = (&told.conversation, *key) else { continue };
            if told.decision_type == DecisionType::ConversationMerged {
                self.merged_away(Position { seq, idx: idx as u32 }, told, conversation, key_of);
            }
            let last = last[&key];
            if last.happened == Some(idx) {
                self.set(shard, Position { seq, idx: idx as u32 }, told, conversation, key);
            }
            if last.facts == idx && last.happened != Some(idx) {
                self.refresh(told, conversation, key);
            }
        }
    }

    /// A fact or a refused command: what it says of the conversation is new, what happened last is not.
    fn refresh(&self, told: &Told, conversation: &ToldConversation, key: u128) {
        if let Some(mut view) = self.conversations.get_mut(&key).filter(|view| !view.ended) {
            let previous_owner = std::mem::take(&mut view.told.previous_owner);
            view.told = conversation.clone();
            if view.told.previous_owner.is_empty() {
                view.told.previous_owner = previous_owner;
            }
            (view.state, view.policy_version) = (conversation.state.word(), told.policy_version);
        }
    }

    fn set(&self, shard: u16, position: Position, told: &Told, conversation: &ToldConversation, key: u128) {
        let decision_type = told.decision_type;
        let end = end_of(decision_type);
        let ended = end.is_some() || (decision_type == DecisionType::ConversationResolved && conversation.live);
        let view = ConversationView {
            shard,
            position,
            decided_at: told.time,
            decision_type,
            reason: told.reason,
            policy_version: told.policy_version,
            state: end.unwrap_or(conversation.state.word()),
            ended,
            survivor: None,
            told: conversation.clone(),
        };
        self.conversations.insert(key, view);
        if ended {
            self.keep_for_a_while(shard, told.time, key);
        }
    }

    /// The other one of a merge, of which the decision only has the id, ends as it was.
    fn merged_away(&self, position: Position, told: &Told, survivor: &ToldConversation, key_of: HashKey) {
        let Some(detail) = &told.detail else { return };
        let key = key_of.hash(Kind::Conversation, &told.workspace, &[&detail.other]);
        let Some(mut view) = self.conversations.get_mut(&key).filter(|view| !view.ended) else { return };
        (view.position, view.decided_at) = (position, told.time);
        (view.decision_type, view.reason) = (told.decision_type, told.reason);
        (view.state, view.ended, view.survivor) = ("merged", true, Some(survivor.id.clone()));
        let shard = view.shard;
        drop(view);
        self.keep_for_a_while(shard, told.time, key);
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
