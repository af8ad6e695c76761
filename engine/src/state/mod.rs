//! The state of a shard, and the one way it changes: `apply`.
//!
//! Fields are private to this module, so the compiler keeps the promise that every change is an effect. What is derived
//! (indices, lines, pools, lists) is kept in step here and nowhere else, live and in recovery by the same lines.

pub(crate) mod agent;
mod apply;
mod check;
pub(crate) mod conversation;
pub(crate) mod digest;
mod line;
mod memory;
pub(crate) mod set;
pub(crate) mod workspace;

pub use agent::Agent;
pub use conversation::{Conversation, NONE, Phase, RULE_DEFAULT, RULE_ENTRY};
pub use memory::Remembered;
pub use workspace::{Route, Workspace};

use crate::id::HashKey;
use alloc::vec::Vec;
use conversation::Texts;
use digest::Fingerprint;
use hashbrown::HashTable;
use memory::{Links, Memory};

pub struct State {
    key: HashKey,
    now: u64,
    /// Conversations ever opened: the creation number of the next.
    created: u64,
    workspaces: Vec<Workspace>,
    workspace_index: HashTable<u32>,
    agents: Vec<Agent>,
    agent_index: HashTable<u32>,
    conversations: Vec<Conversation>,
    texts: Vec<Texts>,
    free: Vec<u32>,
    /// Ended in this record: their slots and texts stay until it is sealed.
    ended: Vec<u32>,
    conversation_index: HashTable<u32>,
    identity_index: HashTable<u32>,
    memory: Memory,
    links: Links,
    /// The sum of all rows but those dirty.
    sum: u128,
    dirty_conversations: Vec<u32>,
    dirty_agents: Vec<u32>,
    dirty_sets: Vec<(u32, u32)>,
    dirty_workspaces: Vec<u32>,
    scalars: u128,
}

impl State {
    pub fn new(key: HashKey, window_ms: u64, max: u32) -> State {
        State {
            key,
            now: 0,
            created: 0,
            workspaces: Vec::new(),
            workspace_index: HashTable::new(),
            agents: Vec::new(),
            agent_index: HashTable::new(),
            conversations: Vec::new(),
            texts: Vec::new(),
            free: Vec::new(),
            ended: Vec::new(),
            conversation_index: HashTable::new(),
            identity_index: HashTable::new(),
            memory: Memory::new(window_ms, max),
            links: Links::new(),
            sum: 0,
            dirty_conversations: Vec::new(),
            dirty_agents: Vec::new(),
            dirty_sets: Vec::new(),
            dirty_workspaces: Vec::new(),
            scalars: 0,
        }
    }

    pub fn key(&self) -> HashKey {
        self.key
    }
    pub fn now(&self) -> u64 {
        self.now
    }
    pub fn limits(&self) -> (u64, u32) {
        (self.memory.window_ms, self.memory.max)
    }
    pub fn workspaces(&self) -> &[Workspace] {
        &self.workspaces
    }
    pub fn workspace(&self, slot: u32) -> &Workspace {
        &self.workspaces[slot as usize]
    }
    pub fn find_workspace(&self, hash: u128) -> Option<u32> {
        self.workspace_index.find(hash as u64, |s| self.workspaces[*s as usize].hash == hash).copied()
    }
    pub fn agents_len(&self) -> usize {
        self.agents.len()
    }
    pub fn agent(&self, slot: u32) -> &Agent {
        &self.agents[slot as usize]
    }
    pub fn find_agent(&self, hash: u128) -> Option<u32> {
        self.agent_index.find(hash as u64, |s| self.agents[*s as usize].hash == hash).copied()
    }
    /// Whether a conversation of `channel` that takes `units` fits an agent now.
    pub fn fits(&self, agent: u32, channel: u32, live: bool, units: u32) -> bool {
        self.agent(agent).fits(channel, live, units)
    }
    /// The same whatever his presence: whether one more would pass a limit of his.
    pub fn fits_by_load(&self, agent: u32, channel: u32, live: bool, units: u32) -> bool {
        self.agent(agent).fits_by_load(channel, live, units)
    }
    pub fn conversation(&self, slot: u32) -> &Conversation {
        &self.conversations[slot as usize]
    }
    pub fn find_conversation(&self, hash: u128) -> Option<u32> {
        self.conversation_index.find(hash as u64, |s| self.conversations[*s as usize].hash == hash).copied()
    }
    /// Of the conversations of an identity the newest that is open, else the one resolved last; of those that were
    /// opened last, so that a customer with a thousand of them costs no more.
    pub fn find_identity(&self, identity: u128) -> Option<u32> {
        const LOOKED_AT: usize = 64;
        let of = |s: &u32| self.conversations[*s as usize].identity == identity;
        let newest = self.identity_index.find(identity as u64, of).copied()?;
        let older = |slot: &u32| Some(self.conversations[*slot as usize].older_alike).filter(|s| *s != NONE);
        let alike = core::iter::successors(Some(newest), older).take(LOOKED_AT);
        let is_open = |slot: &u32| self.conversation(*slot).is_open();
        let resolved_at = |slot: &u32| (self.conversation(*slot).resolved_at, self.conversation(*slot).number);
        alike.clone().find(is_open).or_else(|| alike.max_by_key(resolved_at))
    }
    pub fn texts(&self, conversation: u32) -> &Texts {
        &self.texts[conversation as usize]
    }
    /// The entry as text, configured or not.
    pub fn entry_text(&self, conversation: u32) -> &str {
        let c = self.conversation(conversation);
        if c.entry == NONE {
            &self.texts(conversation).entry
        } else {
            self.workspace(c.workspace).entries.text(c.entry)
        }
    }
    /// The slot of the next conversation.
    pub fn next_conversation(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.conversations.len() as u32)
    }
    pub fn next_agent(&self) -> u32 {
        self.agents.len() as u32
    }
    pub fn next_workspace(&self) -> u32 {
        self.workspaces.len() as u32
    }
    pub fn remembered(&self, key: u128) -> Option<&Remembered> {
        self.memory.find(key)
    }
    pub fn memory_held_ms(&self) -> u64 {
        self.memory.oldest_at().map_or(0, |at| self.now.saturating_sub(at))
    }
    /// The conversation that was resolved longest ago, with the time.
    pub fn oldest_resolved(&self, workspace: u32) -> Option<(u32, u64)> {
        self.workspaces[workspace as usize]
            .resolved
            .iter()
            .find(|r| self.is_resolved_entry(r))
            .map(|r| (r.0, self.conversations[r.0 as usize].resolved_at))
    }
    /// Entries are (slot, number, epoch): a reopen raises the epoch, so an entry of an earlier resolve is stale.
    fn is_resolved_entry(&self, (slot, number, epoch): &(u32, u64, u64)) -> bool {
        let c = &self.conversations[*slot as usize];
        c.phase == Phase::Resolved && c.resolved_at > 0 && c.number == *number && c.epoch == *epoch
    }
    /// The next by creation in its workspace.
    pub fn newer(&self, conversation: u32) -> Option<u32> {
        let next = self.conversation(conversation).newer;
        (next != NONE).then_some(next)
    }
    pub fn oldest(&self, workspace: u32) -> Option<u32> {
        let first = self.workspace(workspace).oldest;
        (first != NONE).then_some(first)
    }
    /// Conversations of a workspace by creation.
    pub fn conversations_of(&self, workspace: u32) -> impl Iterator<Item = u32> + '_ {
        core::iter::successors(self.oldest(workspace), |c| self.newer(*c))
    }
    pub fn held_by(&self, agent: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.agent(agent).first_hold;
        core::iter::successors((first != NONE).then_some(first), |c| {
            let next = self.conversations[*c as usize].next_of_owner;
            (next != NONE).then_some(next)
        })
    }

    /// The best head over all sets of a workspace that could be served now: (conversation, set).
    pub fn best_head(&self, workspace: u32) -> Option<(u32, u32)> {
        let ws = &self.workspaces[workspace as usize];
        let mut best: Option<(line::Place, u32)> = None;
        ws.for_each_ready(|set| {
            let head = ws.sets[set as usize].line.head();
            if let Some(head) = head.filter(|head| best.is_none_or(|(b, _)| **head < b)) {
                best = Some((*head, set));
            }
        });
        best.map(|(place, set)| (place.conversation, set))
    }

    /// Something is left for a tick: a policy's cursor, or a line beside a candidate.
    pub fn is_unfinished(&self, workspace: u32) -> bool {
        let ws = self.workspace(workspace);
        ws.review().is_some() || ws.is_ready()
    }

    /// Whom a set's strategy names. Drops stale entries of its pool, which are derived.
    pub fn best_agent(&mut self, workspace: u32, set: u32) -> Option<u32> {
        self.workspaces[workspace as usize].sets[set as usize].best(set, &mut self.agents)
    }

    /// Ends a record: frees the slots that ended in it and brings the digest up to date.
    pub fn seal(&mut self) -> u128 {
        while let Some(slot) = self.ended.pop() {
            self.mark_conversation(slot);
            self.conversations[slot as usize].phase = Phase::Free;
            self.texts[slot as usize] = Texts::default();
            self.free.push(slot);
        }
        while let Some(slot) = self.dirty_conversations.pop() {
            let key = self.key;
            let row = &mut self.conversations[slot as usize];
            row.dirty = false;
            let now = row.digest(slot, key);
            renew(&mut self.sum, &mut row.fingerprint, now);
        }
        while let Some(slot) = self.dirty_agents.pop() {
            let key = self.key;
            let row = &mut self.agents[slot as usize];
            row.dirty = false;
            let now = row.digest(slot, key);
            renew(&mut self.sum, &mut row.fingerprint, now);
        }
        while let Some((workspace, set)) = self.dirty_sets.pop() {
            let key = self.key;
            let row = &mut self.workspaces[workspace as usize].sets[set as usize];
            row.dirty = false;
            row.listed = false;
            let now = row.digest(workspace, set, key);
            renew(&mut self.sum, &mut row.fingerprint, now);
        }
        while let Some(slot) = self.dirty_workspaces.pop() {
            let key = self.key;
            let row = &mut self.workspaces[slot as usize];
            row.dirty = false;
            let now = row.digest(slot, key);
            renew(&mut self.sum, &mut row.fingerprint, now);
        }
        let scalars = self.scalar_digest();
        renew(&mut self.sum, &mut self.scalars, scalars);
        self.sum
    }

    fn scalar_digest(&self) -> u128 {
        let mut f = Fingerprint::new(self.key, 5);
        f.word(self.now);
        f.word(self.created);
        f.word(self.memory.window_ms);
        f.word(u64::from(self.memory.max));
        f.end()
    }

    /// The digest as of the last seal.
    pub fn digest(&self) -> u128 {
        self.sum
    }

    /// The digest computed from every row; equal to `digest` after a seal.
    pub fn digest_in_full(&self) -> u128 {
        let key = self.key;
        let mut sum = self.scalar_digest();
        let mut add = |row: u128| sum = sum.wrapping_add(row);
        self.conversations.iter().enumerate().for_each(|(i, c)| add(c.digest(i as u32, key)));
        self.agents.iter().enumerate().for_each(|(i, a)| add(a.digest(i as u32, key)));
        for (w, ws) in self.workspaces.iter().enumerate() {
            add(ws.digest(w as u32, key));
            ws.sets.iter().enumerate().for_each(|(i, s)| add(s.digest(w as u32, i as u32, key)));
        }
        add(self.memory.in_full(key));
        add(self.links.in_full(key));
        sum
    }

    fn mark_conversation(&mut self, slot: u32) {
        let row = &mut self.conversations[slot as usize];
        if !row.dirty {
            row.dirty = true;
            self.dirty_conversations.push(slot);
        }
    }

    fn mark_agent(&mut self, slot: u32) {
        let row = &mut self.agents[slot as usize];
        if !row.dirty {
            row.dirty = true;
            self.dirty_agents.push(slot);
        }
    }

    fn mark_workspace(&mut self, slot: u32) {
        let row = &mut self.workspaces[slot as usize];
        if !row.dirty {
            row.dirty = true;
            self.dirty_workspaces.push(slot);
        }
    }
}

/// A row in the sum is replaced by what it is now.
fn renew(sum: &mut u128, row: &mut u128, now: u128) {
    *sum = sum.wrapping_sub(*row).wrapping_add(now);
    *row = now;
}
