//! The ledger of holds (routing.md §3): what takes units of an agent's capacity. Units used are their sum, always.

use super::conversation::NONE;
use super::digest::Fingerprint;
use super::{Agent, State};
use crate::id::HashKey;
use crate::view::HoldKind;
use alloc::boxed::Box;

#[derive(Clone, Debug)]
pub struct Hold {
    /// NONE: the slot is free.
    pub(super) agent: u32,
    pub(super) kind: HoldKind,
    /// The conversation's slot, of offers and work.
    pub(super) conversation: u32,
    /// The id of the conversation or engagement.
    pub(super) hash: u128,
    pub(super) channel: u32,
    /// NONE: none.
    pub(super) queue: u32,
    pub(super) units: u32,
    /// The units it was made with: a dormant conversation has fewer.
    pub(super) full: u32,
    pub(super) exclusive: bool,
    /// Of a wrap-up: it always lasts until its end.
    pub(super) timed: bool,
    /// ms UTC; 0: no end of its own.
    pub(super) until: u64,
    /// Of wrap-ups and external work, whose conversation may be gone.
    pub(super) reference: Box<str>,
    /// Neighbours in the agent's list (derived).
    pub(super) before: u32,
    pub(super) next: u32,
}

impl Hold {
    fn digest(&self, slot: u32, key: HashKey) -> u128 {
        let mut f = Fingerprint::new(key, 6);
        f.word(u64::from(slot) << 32 | u64::from(self.agent));
        f.word(u64::from(self.conversation) << 32 | u64::from(self.channel));
        f.word(u64::from(self.queue) << 32 | u64::from(self.units));
        f.word(u64::from(self.full));
        f.word((self.kind as u64) << 8 | u64::from(self.exclusive) << 1 | u64::from(self.timed));
        f.wide(self.hash);
        f.word(self.until);
        f.end()
    }

    pub fn agent(&self) -> u32 {
        self.agent
    }
    pub fn kind(&self) -> HoldKind {
        self.kind
    }
    pub fn conversation(&self) -> u32 {
        self.conversation
    }
    pub fn hash(&self) -> u128 {
        self.hash
    }
    pub fn channel(&self) -> u32 {
        self.channel
    }
    pub fn units(&self) -> u32 {
        self.units
    }
    pub fn full(&self) -> u32 {
        self.full
    }
    pub fn until(&self) -> u64 {
        self.until
    }
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }
    pub fn is_timed(&self) -> bool {
        self.timed
    }
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

impl State {
    pub fn hold(&self, slot: u32) -> &Hold {
        &self.holds[slot as usize]
    }

    /// An agent's holds, the newest first.
    pub fn holds_of(&self, agent: u32) -> impl Iterator<Item = u32> + '_ {
        let some = |slot: u32| (slot != NONE).then_some(slot);
        core::iter::successors(some(self.agent(agent).first_hold), move |h| some(self.holds[*h as usize].next))
    }

    /// Enters a hold and counts it. The agent's candidacy is the caller's to refresh.
    pub(super) fn hold_taken(&mut self, mut hold: Hold) -> u32 {
        let slot = self.free_holds.pop().unwrap_or(self.holds.len() as u32);
        let agent = hold.agent;
        let row = &mut self.agents[agent as usize];
        hold.before = NONE;
        hold.next = core::mem::replace(&mut row.first_hold, slot);
        count(row, &hold, true);
        if hold.next != NONE {
            self.holds[hold.next as usize].before = slot;
        }
        self.sum = self.sum.wrapping_add(hold.digest(slot, self.key));
        match self.holds.get_mut(slot as usize) {
            Some(free) => *free = hold,
            None => self.holds.push(hold),
        }
        self.mark_agent(agent);
        slot
    }

    /// A hold ends. Returns whose it was.
    pub(super) fn hold_ended(&mut self, slot: u32) -> u32 {
        let hold = self.holds[slot as usize].clone();
        let agent = hold.agent;
        assert_ne!(agent, NONE, "a hold ends twice");
        self.sum = self.sum.wrapping_sub(hold.digest(slot, self.key));
        let row = &mut self.agents[agent as usize];
        count(row, &hold, false);
        if matches!(hold.kind, HoldKind::Work | HoldKind::WrapUp) {
            row.idle_since = self.now;
        }
        match hold.before {
            NONE => row.first_hold = hold.next,
            before => self.holds[before as usize].next = hold.next,
        }
        if hold.next != NONE {
            self.holds[hold.next as usize].before = hold.before;
        }
        self.holds[slot as usize].agent = NONE;
        self.holds[slot as usize].reference = Box::default();
        self.free_holds.push(slot);
        if self.agents[agent as usize].removed && self.owned_by(agent).next().is_none() {
            let workspace = self.agents[agent as usize].workspace;
            self.workspaces[workspace as usize].leaving.retain(|a| *a != agent);
        }
        self.mark_agent(agent);
        agent
    }

    pub(super) fn hold_resized(&mut self, slot: u32, units: u32) {
        let before = self.holds[slot as usize].clone();
        let after = Hold { units, ..before.clone() };
        self.sum = self.sum.wrapping_sub(before.digest(slot, self.key)).wrapping_add(after.digest(slot, self.key));
        let row = &mut self.agents[before.agent as usize];
        count(row, &before, false);
        count(row, &after, true);
        self.holds[slot as usize].units = units;
        self.mark_agent(before.agent);
    }

    /// The digests of all holds, anew.
    pub(super) fn holds_in_full(&self) -> u128 {
        let taken = self.holds.iter().enumerate().filter(|(_, h)| h.agent != NONE);
        taken.fold(0, |sum, (slot, hold)| sum.wrapping_add(hold.digest(slot as u32, self.key)))
    }
}

/// Adds a hold to an agent's sums, or takes it out.
fn count(row: &mut Agent, hold: &Hold, is_added: bool) {
    let channel = hold.channel as usize;
    let by = |value: &mut u32, of: u32| *value = if is_added { *value + of } else { *value - of };
    by(&mut row.used, hold.units);
    if hold.queue != NONE {
        match row.by_queue.iter().position(|(queue, _)| *queue == hold.queue) {
            Some(at) => by(&mut row.by_queue[at].1, hold.units),
            None => row.by_queue.push((hold.queue, hold.units)),
        }
        row.by_queue.retain(|(_, units)| *units > 0);
    }
    if hold.kind == HoldKind::WrapUp {
        return; // only its units count
    }
    by(&mut row.holds, 1);
    by(&mut row.exclusive_holds, u32::from(hold.exclusive));
    if row.by_channel.len() <= channel {
        row.by_channel.resize(channel + 1, 0);
    }
    by(&mut row.by_channel[channel], 1);
    let bit = 1u64 << channel;
    row.held = if row.by_channel[channel] > 0 { row.held | bit } else { row.held & !bit };
}
