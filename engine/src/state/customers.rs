//! What a workspace remembers of customers: who is blocked, whose account is whose, who is the same person; and the ids
//! of conversations that were merged away. Each fact is a row of the digest.

use super::State;
use super::digest::Fingerprint;
use alloc::vec::Vec;

const BLOCKED: u64 = 1;
const OWNED: u64 = 2;
const LINKED: u64 = 3;
const ALIAS: u64 = 4;
const IDENTITY_ALIAS: u64 = 5;

impl State {
    fn fact(&self, kind: u64, workspace: u32, a: u128, b: u128) -> u128 {
        let mut f = Fingerprint::new(self.key, 8);
        f.word(kind << 32 | u64::from(workspace));
        f.wide(a);
        f.wide(b);
        f.end()
    }

    fn fact_changes(&mut self, kind: u64, workspace: u32, a: u128, b: u128, is_new: bool) {
        let row = self.fact(kind, workspace, a, b);
        self.sum = if is_new { self.sum.wrapping_add(row) } else { self.sum.wrapping_sub(row) };
    }

    pub(super) fn blocked(&mut self, workspace: u32, customer: u128, is: bool) {
        let blocked = &mut self.workspaces[workspace as usize].blocked;
        let changed = if is { blocked.insert(customer) } else { blocked.remove(&customer) };
        if changed {
            self.fact_changes(BLOCKED, workspace, customer, 0, is);
        }
    }

    pub(super) fn account_owned(&mut self, workspace: u32, customer: u128, agent: Option<u32>) {
        let owners = &mut self.workspaces[workspace as usize].account_owners;
        let before = match agent {
            Some(agent) => owners.insert(customer, agent),
            None => owners.remove(&customer),
        };
        if let Some(before) = before {
            self.fact_changes(OWNED, workspace, customer, u128::from(before), false);
        }
        if let Some(agent) = agent {
            self.fact_changes(OWNED, workspace, customer, u128::from(agent), true);
        }
    }

    /// An agent is gone: nobody's account is his.
    pub(super) fn disown(&mut self, workspace: u32, agent: u32) {
        let owners = &self.workspaces[workspace as usize].account_owners;
        let his: Vec<u128> = owners.iter().filter(|(_, a)| **a == agent).map(|(c, _)| *c).collect();
        his.into_iter().for_each(|customer| self.account_owned(workspace, customer, None));
    }

    pub(super) fn linked(&mut self, workspace: u32, customer: u128, other: u128, is: bool) {
        for (a, b) in [(customer, other), (other, customer)] {
            let links = &mut self.workspaces[workspace as usize].customer_links;
            let list = links.entry(a).or_default();
            let at = list.iter().position(|c| *c == b);
            match (at, is) {
                (None, true) => list.push(b),
                (Some(at), false) => {
                    list.remove(at);
                }
                _ => continue,
            }
            if list.is_empty() {
                links.remove(&a);
            }
            self.fact_changes(LINKED, workspace, a, b, is);
        }
    }

    /// An id leads to another conversation.
    pub(super) fn alias(&mut self, hash: u128, into: u32) {
        self.aliases.insert_unique(hash as u64, (hash, into), |a| a.0 as u64);
        self.fact_changes(ALIAS, 0, hash, u128::from(into), true);
    }

    pub(super) fn identity_alias(&mut self, identity: u128, into: u32) {
        self.identity_aliases.insert_unique(identity as u64, (identity, into), |a| a.0 as u64);
        self.fact_changes(IDENTITY_ALIAS, 0, identity, u128::from(into), true);
    }

    /// Aliases that lead to `into` no longer do.
    pub(super) fn drop_aliases(&mut self, into: u32) -> (Vec<u128>, Vec<u128>) {
        let texts = &mut self.texts[into as usize];
        let (ids, identities) = (core::mem::take(&mut texts.aliases), core::mem::take(&mut texts.identity_aliases));
        for hash in &ids {
            if let Ok(entry) = self.aliases.find_entry(*hash as u64, |a| *a == (*hash, into)) {
                entry.remove();
                self.fact_changes(ALIAS, 0, *hash, u128::from(into), false);
            }
        }
        for identity in &identities {
            if let Ok(entry) = self.identity_aliases.find_entry(*identity as u64, |a| *a == (*identity, into)) {
                entry.remove();
                self.fact_changes(IDENTITY_ALIAS, 0, *identity, u128::from(into), false);
            }
        }
        (ids, identities)
    }

    pub(super) fn customers_in_full(&self) -> u128 {
        let mut sum = 0u128;
        for (w, ws) in self.workspaces.iter().enumerate() {
            let w = w as u32;
            ws.blocked.iter().for_each(|c| sum = sum.wrapping_add(self.fact(BLOCKED, w, *c, 0)));
            for (customer, agent) in &ws.account_owners {
                sum = sum.wrapping_add(self.fact(OWNED, w, *customer, u128::from(*agent)));
            }
            for (customer, others) in &ws.customer_links {
                others.iter().for_each(|o| sum = sum.wrapping_add(self.fact(LINKED, w, *customer, *o)));
            }
        }
        self.aliases.iter().for_each(|a| sum = sum.wrapping_add(self.fact(ALIAS, 0, a.0, u128::from(a.1))));
        let identities = self.identity_aliases.iter();
        identities.for_each(|a| sum = sum.wrapping_add(self.fact(IDENTITY_ALIAS, 0, a.0, u128::from(a.1))));
        sum
    }

    /// Conversations of a customer that are in the state, by creation.
    pub fn conversations_of_customer(&self, customer: u128) -> &[u32] {
        self.customer_index.find(customer as u64, |c| c.0 == customer).map_or(&[], |c| &c.1)
    }

    pub(super) fn index_customer(&mut self, customer: u128, conversation: u32) {
        if customer == 0 {
            return;
        }
        match self.customer_index.find_mut(customer as u64, |c| c.0 == customer) {
            Some(known) => known.1.push(conversation),
            None => {
                self.customer_index
                    .insert_unique(customer as u64, (customer, alloc::vec![conversation]), |c| c.0 as u64);
            }
        }
    }

    pub(super) fn unindex_customer(&mut self, customer: u128, conversation: u32) {
        if let Ok(mut entry) = self.customer_index.find_entry(customer as u64, |c| c.0 == customer) {
            entry.get_mut().1.retain(|c| *c != conversation);
            if entry.get().1.is_empty() {
                entry.remove();
            }
        }
    }
}
