//! The state of a shard, and the one way it changes: `apply`.
//!
//! Fields are private to this module, so the compiler keeps the promise that every change is an effect. What is derived
//! (indices, lines, pools, lists) is kept in step here and nowhere else, live and in recovery by the same lines.

pub(crate) mod agent;
mod apply;
mod check;
pub use check::BrokenPromise;
pub(crate) mod conversation;
mod customers;
pub(crate) mod digest;
mod hold;
mod lane;
mod line;
mod memory;
pub(crate) mod set;
mod timers;
pub mod wheel;
mod why;
pub(crate) mod workspace;

pub use agent::{ALL, Agent, Member, Presence};
pub use conversation::{Conversation, NONE, Phase, RULE_DEFAULT, RULE_ENTRY};
pub use hold::Hold;
pub use lane::Match;
pub use memory::Remembered;
pub use timers::Due;
pub use workspace::{ClockRule, ExitRule, LevelRule, QueueRule, Route, Workspace};

use crate::decision::Preference;
use crate::effect::ClockRow;
use crate::id::HashKey;
use crate::policy::ClockKind;
use crate::view::HoldKind;
use alloc::vec::Vec;
use conversation::Texts;
use digest::Fingerprint;
use hashbrown::HashTable;
use memory::{Links, Memory};
use wheel::Wheel;

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
    holds: Vec<Hold>,
    free_holds: Vec<u32>,
    /// Offers ever made: the id of the last.
    offers: u64,
    /// Offer ids to conversations, and customers to theirs (derived).
    offer_index: HashTable<u32>,
    customer_index: HashTable<(u128, Vec<u32>)>,
    /// Ids and identities of what was merged away.
    aliases: HashTable<(u128, u32)>,
    identity_aliases: HashTable<(u128, u32)>,
    /// Timers ever armed, and the wheel that finds them (derived).
    armed: u64,
    wheel: Wheel,
    /// The wheel is kept: this state decides.
    turns: bool,
    /// The shard is behind its log.
    behind: bool,
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
    /// Those whose rows the last record touched.
    touched_agents: Vec<u32>,
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
            holds: Vec::new(),
            free_holds: Vec::new(),
            offers: 0,
            offer_index: HashTable::new(),
            customer_index: HashTable::new(),
            aliases: HashTable::new(),
            identity_aliases: HashTable::new(),
            armed: 0,
            wheel: Wheel::new(),
            turns: true,
            behind: false,
            ended: Vec::new(),
            conversation_index: HashTable::new(),
            identity_index: HashTable::new(),
            memory: Memory::new(window_ms, max),
            links: Links::new(),
            sum: 0,
            dirty_conversations: Vec::new(),
            dirty_agents: Vec::new(),
            touched_agents: Vec::new(),
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
    /// One who is configured: a removed agent is unknown.
    pub fn find_configured(&self, hash: u128) -> Option<u32> {
        self.find_agent(hash).filter(|slot| !self.agent(*slot).removed)
    }
    /// Whether one more conversation of a channel and queue fits an agent's capacity, wherever he is.
    pub fn fits(&self, agent: u32, channel: u32, queue: u32) -> bool {
        let row = self.agent(agent);
        let Some(load) = self.workspace(row.workspace).load(channel) else { return false };
        row.fits_by_load(&load) && row.member(queue).is_none_or(|member| row.fits_queue(&member, load.units))
    }
    /// Whether commands may give him work of a channel: he is online on it, whatever he has.
    pub fn is_routable(&self, agent: u32, channel: u32) -> bool {
        self.agent(agent).takes_work(channel)
    }
    /// The same for so many units, in no queue.
    pub fn fits_with(&self, agent: u32, channel: u32, units: u32) -> bool {
        let row = self.agent(agent);
        let load = self.workspace(row.workspace).load(channel);
        load.is_some_and(|load| row.fits_by_load(&agent::Load { units, ..load }))
    }
    /// Conversations that wait for one agent alone.
    pub fn waited_for(&self, agent: u32) -> Vec<u32> {
        let row = self.agent(agent);
        let lanes = row.own_lanes.iter().map(|lane| &self.workspace(row.workspace).lanes[*lane as usize]);
        lanes.flat_map(|lane| lane.line.places().iter().map(|place| place.conversation)).collect()
    }
    /// Conversations in a round of offers in sets of which an agent is a member.
    pub fn rounds_with(&self, agent: u32) -> Vec<u32> {
        let row = self.agent(agent);
        let ws = self.workspace(row.workspace);
        let lanes = row.parts.iter().flat_map(|part| &ws.sets[part.set as usize].lanes);
        let rounds = lanes.map(|lane| &ws.lanes[*lane as usize]).filter(|lane| !lane.key.without.is_empty());
        rounds.flat_map(|lane| lane.line.places().iter().map(|place| place.conversation)).collect()
    }
    pub fn offers(&self) -> u64 {
        self.offers
    }
    pub fn is_behind(&self) -> bool {
        self.behind
    }
    /// The conversation of an open offer.
    pub fn find_offer(&self, offer: u64) -> Option<u32> {
        self.offer_index.find(offer, |s| self.conversations[*s as usize].offer == offer).copied().filter(|_| offer != 0)
    }
    pub fn conversation(&self, slot: u32) -> &Conversation {
        &self.conversations[slot as usize]
    }
    /// By its id, or that of one that was merged into it.
    pub fn find_conversation(&self, hash: u128) -> Option<u32> {
        let own = self.conversation_index.find(hash as u64, |s| self.conversations[*s as usize].hash == hash).copied();
        own.or_else(|| self.aliases.find(hash as u64, |a| a.0 == hash).map(|a| a.1))
    }
    /// A conversation of this id or identity has ended, and that is still remembered.
    pub fn is_known(&self, hash: u128) -> bool {
        self.links.epoch(hash).is_some()
    }
    /// Of the conversations of an identity the newest that is open, else the one resolved last; of those that were
    /// opened last, so that a customer with a thousand of them costs no more.
    pub fn find_identity(&self, identity: u128) -> Option<u32> {
        const LOOKED_AT: usize = 64;
        let alias = || self.identity_aliases.find(identity as u64, |a| a.0 == identity).map(|a| a.1);
        let of = |s: &u32| self.conversations[*s as usize].identity == identity;
        let Some(newest) = self.identity_index.find(identity as u64, of).copied() else { return alias() };
        let older = |slot: &u32| Some(self.conversations[*slot as usize].older_alike).filter(|s| *s != NONE);
        let alike = core::iter::successors(Some(newest), older).take(LOOKED_AT);
        let is_open = |slot: &u32| self.conversation(*slot).is_open();
        let resolved_at = |slot: &u32| (self.conversation(*slot).resolved_at, self.conversation(*slot).number);
        let open_alias = || alias().filter(is_open);
        alike.clone().find(is_open).or_else(open_alias).or_else(|| alike.max_by_key(resolved_at))
    }
    /// Units that a conversation takes of its owner, or of him to whom it is offered.
    pub fn units_told(&self, conversation: u32) -> u32 {
        let row = self.conversation(conversation);
        let hold = if row.owner != NONE { row.work } else { row.offer_hold };
        self.holds.get(hold as usize).map_or(0, |hold| hold.units)
    }
    /// Whether it waits for a preferred agent, or would have.
    pub fn preference_told(&self, conversation: u32) -> Preference {
        let waiting = &self.texts(conversation).waiting;
        match self.conversation(conversation).phase {
            Phase::Queued | Phase::Offered if waiting.only != 0 => Preference::Held,
            Phase::Queued | Phase::Offered if waiting.absent => Preference::Absent,
            _ => Preference::None,
        }
    }
    /// A clock of a conversation's, as it is or was last.
    pub fn clock(&self, conversation: u32, kind: ClockKind) -> ClockRow {
        self.texts(conversation).clocks.get(kind as usize).copied().unwrap_or_default()
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
    /// Conversations that an agent owns, the newest first.
    pub fn owned_by(&self, agent: u32) -> impl Iterator<Item = u32> + '_ {
        let work = self.holds_of(agent).map(|h| self.hold(h)).filter(|h| h.kind() == HoldKind::Work);
        work.map(Hold::conversation)
    }
    /// Conversations offered to an agent, the newest first.
    pub fn offered_to(&self, agent: u32) -> impl Iterator<Item = u32> + '_ {
        let offers = self.holds_of(agent).map(|h| self.hold(h)).filter(|h| h.kind() == HoldKind::Offer);
        offers.map(Hold::conversation)
    }

    /// Something is left for a tick: a policy's cursor, or a line beside a candidate.
    pub fn is_unfinished(&self, workspace: u32) -> bool {
        let ws = self.workspace(workspace);
        ws.review().is_some() || !ws.leaving.is_empty() || ws.is_ready() || ws.sweeping > 0
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
            let now = row.digest(slot, &self.texts[slot as usize], key);
            renew(&mut self.sum, &mut row.fingerprint, now);
        }
        self.touched_agents.clear();
        while let Some(slot) = self.dirty_agents.pop() {
            self.touched_agents.push(slot);
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
        f.word(self.offers);
        f.word(self.armed);
        f.word(u64::from(self.behind));
        f.word(self.memory.window_ms);
        f.word(u64::from(self.memory.max));
        f.end()
    }

    /// Agents whose rows the last sealed record touched.
    pub fn touched_agents(&self) -> &[u32] {
        &self.touched_agents
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
        let conversations = self.conversations.iter().zip(&self.texts).enumerate();
        conversations.for_each(|(i, (c, t))| add(c.digest(i as u32, t, key)));
        self.agents.iter().enumerate().for_each(|(i, a)| add(a.digest(i as u32, key)));
        for (w, ws) in self.workspaces.iter().enumerate() {
            add(ws.digest(w as u32, key));
            ws.sets.iter().enumerate().for_each(|(i, s)| add(s.digest(w as u32, i as u32, key)));
        }
        add(self.memory.in_full(key));
        add(self.links.in_full(key));
        add(self.holds_in_full());
        add(self.customers_in_full());
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
