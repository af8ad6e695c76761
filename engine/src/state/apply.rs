//! Applying effects: one match, each arm one call. Nothing here decides; the same lines run live and in recovery.

use super::State;
use super::agent::{Agent, Membership, Presence};
use super::conversation::{Conversation, NONE, Phase, Texts};
use super::digest::Fingerprint;
use super::line::Place;
use super::memory::Remembered;
use super::set::{AgentKeys, RequirementSet};
use super::workspace::{Workspace, set_hash};
use crate::decision::Position;
use crate::effect::{Effect, NameOf, SkillSlot};
use crate::id::{HashKey, Kind};
use crate::input::{By, Status};
use crate::policy::{AgentConfig, Policy, Strategy, limits};
use alloc::boxed::Box;
use alloc::vec::Vec;

impl State {
    /// Applies one effect of record `seq`.
    pub(crate) fn apply(&mut self, effect: &Effect, seq: u64) {
        match effect {
            Effect::Now { ms } => self.now = *ms,
            Effect::Limited { window_ms, max } => {
                self.memory.window_ms = *window_ms;
                self.memory.max = *max;
            }
            Effect::Named { what, workspace, slot, hash, text } => self.named(*what, *workspace, *slot, *hash, text),
            Effect::WorkspaceConfigured { workspace, policy } => self.workspace_configured(*workspace, policy),
            Effect::AgentConfigured { agent, config } => self.agent_configured(*agent, config),
            Effect::SetOpened { workspace, set, queue, channel, skills } => {
                self.set_opened(*workspace, *set, *queue, *channel, skills);
            }
            Effect::SetClosed { workspace, set } => self.set_closed(*workspace, *set),
            Effect::Presence { agent, source, status, by, session, sequence } => {
                self.presence(
                    *agent,
                    Presence { source: *source, status: *status, session: *session, sequence: *sequence },
                    *by,
                );
            }
            Effect::Opened { conversation, workspace, channel, entry, tier, hash, identity, customer } => {
                self.opened(
                    *conversation,
                    Opening {
                        workspace: *workspace,
                        channel: *channel,
                        entry: *entry,
                        tier: *tier,
                        hash: *hash,
                        identity: *identity,
                        customer: *customer,
                    },
                );
            }
            Effect::Queued { conversation, queue, set, rule, arrival, queued_at, head_start_ms } => {
                self.queued(
                    *conversation,
                    Queueing {
                        queue: *queue,
                        set: *set,
                        rule: *rule,
                        arrival: *arrival,
                        queued_at: *queued_at,
                        head_start_ms: *head_start_ms,
                    },
                );
            }
            Effect::Assigned { conversation, agent, units, exclusive, over: _ } => {
                self.assigned(*conversation, *agent, *units, *exclusive)
            }
            Effect::Picked { workspace, set, agent } => self.picked(*workspace, *set, *agent),
            Effect::Resolved { conversation } => self.resolved(*conversation),
            Effect::Reopened { conversation, tier } => self.reopened(*conversation, *tier),
            Effect::Ended { conversation } => self.ended(*conversation),
            Effect::Remembered { key, idx, outcome, code } => {
                let row = Remembered {
                    key: *key,
                    at: self.now,
                    position: Position { seq, idx: *idx },
                    outcome: *outcome,
                    code: *code,
                };
                self.sum = self.sum.wrapping_add(self.memory.insert(row, self.key));
            }
            Effect::DeadLettered { .. } => {}
            Effect::Asked { conversation, skills } => {
                self.conversations[*conversation as usize].asked = asked_fingerprint(skills, self.key);
                self.texts[*conversation as usize].asked = skills.as_slice().into();
                self.mark_conversation(*conversation);
            }
            Effect::Reviewed { workspace, next } => {
                self.workspaces[*workspace as usize].review = *next;
                self.mark_workspace(*workspace);
            }
        }
    }

    fn named(&mut self, what: NameOf, workspace: u32, slot: u32, hash: u128, text: &str) {
        let text: Box<str> = text.into();
        match what {
            NameOf::Workspace => {
                assert_eq!(slot, self.next_workspace(), "a workspace skips a slot");
                self.workspaces.push(Workspace::new(hash, text));
                let rows = &self.workspaces;
                self.workspace_index.insert_unique(hash as u64, slot, |s| rows[*s as usize].hash as u64);
                self.mark_workspace(slot);
            }
            NameOf::Agent => {
                assert_eq!(slot, self.next_agent(), "an agent skips a slot");
                self.agents.push(Agent::new(workspace, hash, text));
                let rows = &self.agents;
                self.agent_index.insert_unique(hash as u64, slot, |s| rows[*s as usize].hash as u64);
                self.workspaces[workspace as usize].agents.push(slot);
                self.mark_agent(slot);
            }
            NameOf::Conversation => self.texts[slot as usize].id = text,
            NameOf::Customer => self.texts[slot as usize].customer = text,
            NameOf::ConversationEntry => self.texts[slot as usize].entry = text,
            NameOf::Channel | NameOf::Entry | NameOf::Tier | NameOf::Queue | NameOf::Skill => {
                let ws = &mut self.workspaces[workspace as usize];
                let names = match what {
                    NameOf::Channel => &mut ws.channels,
                    NameOf::Entry => &mut ws.entries,
                    NameOf::Tier => &mut ws.tiers,
                    NameOf::Queue => &mut ws.queues,
                    _ => &mut ws.skills,
                };
                names.add(slot, hash, text);
                self.mark_workspace(workspace);
            }
        }
    }

    fn workspace_configured(&mut self, workspace: u32, policy: &Policy) {
        let key = self.key;
        let ws = &mut self.workspaces[workspace as usize];
        ws.switch(policy.clone(), key);
        self.mark_workspace(workspace);
        for set in 0..self.workspaces[workspace as usize].sets.len() as u32 {
            self.follow_strategy(workspace, set);
        }
        for agent in self.workspaces[workspace as usize].agents.clone() {
            let default = self.workspaces[workspace as usize].policy.default_units;
            let row = &mut self.agents[agent as usize];
            row.units = row.config.units.unwrap_or(default);
            self.refresh(agent);
            self.mark_agent(agent);
        }
    }

    /// A set's queue may have another strategy now: its pool is built anew, what is due to each member stays.
    fn follow_strategy(&mut self, workspace: u32, set: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        let row = &ws.sets[set as usize];
        let Some(strategy) = ws.queue(row.queue).map(|q| q.strategy) else { return };
        if !row.open || row.strategy == strategy {
            return;
        }
        let row = &mut ws.sets[set as usize];
        for slot in row.members.clone() {
            let agent = &mut self.agents[slot as usize];
            let weight = agent.config.weight;
            if let Some(m) = membership_mut(&mut agent.memberships, set).filter(|m| m.candidate) {
                row.leave(m, weight);
            }
        }
        row.strategy = strategy;
        row.rebuild(set, &mut self.agents);
        for slot in row.members.clone() {
            let agent = &mut self.agents[slot as usize];
            let fit = agent.fit >> row.channel & 1 == 1;
            let keys = AgentKeys::of(agent, slot);
            if let Some(m) = membership_mut(&mut agent.memberships, set) {
                m.strategy = strategy;
                if fit {
                    row.join(m, &keys);
                }
            }
        }
        row.dirty = true;
        list(row, &mut self.dirty_sets, workspace, set);
        for slot in self.workspaces[workspace as usize].sets[set as usize].members.clone() {
            self.mark_agent(slot);
        }
    }

    fn agent_configured(&mut self, agent: u32, config: &AgentConfig) {
        let key = self.key;
        let row = &mut self.agents[agent as usize];
        let ws = &mut self.workspaces[row.workspace as usize];
        let slot_of = |name: &str| ws.skills.find(key.hash(Kind::Skill, &ws.name, &[name])).unwrap_or(NONE) as u16;
        let mut skills: Vec<SkillSlot> =
            config.skills.iter().map(|s| SkillSlot { skill: slot_of(&s.name), level: s.level }).collect();
        skills.sort_unstable();
        let new_weight = config.weight != row.config.weight;
        let old_weight = row.config.weight;
        // Out of every set whose rotation the change touches, with the old weight.
        row.skills = skills;
        let skills_of = |set: &RequirementSet, row: &Agent| row.has(&set.skills);
        let mut memberships = core::mem::take(&mut row.memberships);
        for m in &mut memberships {
            let set = &mut ws.sets[m.set as usize];
            m.in_pool &= !new_weight;
            if m.candidate && (new_weight || !skills_of(set, row)) {
                set.leave(m, old_weight);
                list(set, &mut self.dirty_sets, row.workspace, m.set);
            }
        }
        row.config = config.clone();
        row.units = config.units.unwrap_or(ws.policy.default_units);
        row.configure_fingerprint(key);
        let online = u32::from(row.is_online());
        let mut kept = Vec::new();
        for (i, set) in ws.sets.iter_mut().enumerate().filter(|(_, s)| s.open) {
            let before = membership_mut(&mut memberships, i as u32).copied();
            match (before, skills_of(set, row)) {
                (Some(m), true) => kept.push(m),
                (None, true) => {
                    set.members.push(agent);
                    set.online += online;
                    kept.push(Membership {
                        set: i as u32,
                        channel: set.channel,
                        strategy: set.strategy,
                        candidate: false,
                        in_pool: false,
                        share: 0,
                    });
                }
                (Some(_), false) => {
                    set.members.retain(|a| *a != agent);
                    set.online -= online;
                }
                (None, false) => {}
            }
        }
        row.memberships = kept;
        let workspace = row.workspace;
        for m in &memberships {
            // His entries in the pool of a set that he has left would still look true.
            if self.agents[agent as usize].membership(m.set).is_none() {
                self.workspaces[workspace as usize].sets[m.set as usize].rebuild(m.set, &mut self.agents);
            }
        }
        for m in memberships {
            self.staff(workspace, m.set);
        }
        self.refresh(agent);
        self.mark_agent(agent);
    }

    fn set_opened(&mut self, workspace: u32, set: u32, queue: u32, channel: u32, skills: &[SkillSlot]) {
        let ws = &mut self.workspaces[workspace as usize];
        let strategy = ws.queue(queue).map_or(Strategy::LongestIdle, |q| q.strategy);
        let mut row = RequirementSet::new(queue, channel, skills.into(), strategy);
        if (set as usize) < ws.sets.len() {
            assert!(!ws.sets[set as usize].open, "a set is opened over another");
            row.fingerprint = ws.sets[set as usize].fingerprint;
            ws.sets[set as usize] = row;
        } else {
            assert_eq!(set as usize, ws.sets.len(), "a set skips a slot");
            ws.sets.push(row);
            if ws.waiting.len() * 64 < ws.sets.len() {
                ws.waiting.push(0);
                ws.staffed.push(0);
            }
        }
        let sets = &ws.sets;
        ws.set_index.insert_unique(set_hash(queue, channel, skills), set, |s| {
            let s = &sets[*s as usize];
            set_hash(s.queue, s.channel, &s.skills)
        });
        let row = &mut ws.sets[set as usize];
        row.dirty = true;
        list(row, &mut self.dirty_sets, workspace, set);
        for slot in &ws.agents {
            let agent = &mut self.agents[*slot as usize];
            if !agent.has(&row.skills) {
                continue;
            }
            row.members.push(*slot);
            row.online += u32::from(agent.is_online());
            let mut member = Membership { set, channel, strategy, candidate: false, in_pool: false, share: 0 };
            if agent.fit >> channel & 1 == 1 {
                row.join(&mut member, &AgentKeys::of(agent, *slot));
            }
            let at = agent.memberships.partition_point(|m| m.set < set);
            agent.memberships.insert(at, member);
        }
        // A share may differ from 0 only where a candidate joined a rotation that has moved: a new one has not.
        self.staff(workspace, set);
    }

    fn set_closed(&mut self, workspace: u32, set: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        let row = &mut ws.sets[set as usize];
        assert!(row.line.is_empty(), "a set is closed while somebody waits in it");
        let hash = set_hash(row.queue, row.channel, &row.skills);
        row.open = false;
        row.candidates = 0;
        row.dirty = true;
        list(row, &mut self.dirty_sets, workspace, set);
        let members = core::mem::take(&mut row.members);
        if let Ok(entry) = ws.set_index.find_entry(hash, |s| *s == set) {
            entry.remove();
        }
        for slot in members {
            self.agents[slot as usize].memberships.retain(|m| m.set != set);
            self.mark_agent(slot);
        }
        self.staff(workspace, set);
    }

    fn presence(&mut self, agent: u32, presence: Presence, by: By) {
        let now = self.now;
        let row = &mut self.agents[agent as usize];
        match row.rows.iter_mut().find(|r| r.source == presence.source) {
            Some(known) => *known = presence,
            None => {
                let gone = row.rows.iter().position(|r| r.status == Status::Offline);
                if let Some(at) = gone.filter(|_| row.rows.len() >= limits::PRESENCE_SOURCES) {
                    row.rows.remove(at);
                }
                row.rows.push(presence);
            }
        }
        if by == By::Agent {
            row.choice = Some(presence.status);
        }
        let best = row.rows.iter().map(|r| r.status).max().unwrap_or(Status::Offline);
        let new = row.choice.map_or(best, |c| best.min(c));
        let old = core::mem::replace(&mut row.effective, new);
        if old == new {
            self.mark_agent(agent);
            return;
        }
        if new == Status::Online {
            let reset = self.workspaces[row.workspace as usize].policy.idle_reset_ms;
            let short_away = row.away_since > 0 && now - row.away_since < reset;
            if !short_away {
                row.idle_since = now;
            }
        }
        row.away_since = if old == Status::Online && new == Status::Away { now } else { 0 };
        self.count_online(agent, old, new);
        self.refresh(agent);
        self.mark_agent(agent);
    }

    fn count_online(&mut self, agent: u32, old: Status, new: Status) {
        let row = &self.agents[agent as usize];
        let ws = &mut self.workspaces[row.workspace as usize];
        let change = i32::from(new == Status::Online) - i32::from(old == Status::Online);
        ws.online = ws.online.wrapping_add_signed(change);
        for m in &row.memberships {
            let set = &mut ws.sets[m.set as usize];
            set.online = set.online.wrapping_add_signed(change);
        }
    }

    fn opened(&mut self, slot: u32, opening: Opening) {
        match self.free.pop() {
            Some(free) => assert_eq!(free, slot, "a conversation takes another slot than the free one"),
            None => {
                assert_eq!(slot as usize, self.conversations.len(), "a conversation skips a slot");
                self.conversations.push(Conversation::free());
                self.texts.push(Texts::default());
            }
        }
        let epoch = self.links.epoch(opening.hash).unwrap_or(0);
        let change = self.links.take(opening.hash, self.key);
        self.sum = self.sum.wrapping_add(change);
        let number = self.created;
        self.created += 1;
        let ws = &mut self.workspaces[opening.workspace as usize];
        let row = &mut self.conversations[slot as usize];
        let (fingerprint, dirty) = (row.fingerprint, row.dirty);
        *row = Conversation::free();
        row.fingerprint = fingerprint;
        row.dirty = dirty;
        row.phase = Phase::Resolved; // until `Queued`, which follows in the same step
        row.live = ws.channel(opening.channel).is_some_and(|c| c.live);
        row.workspace = opening.workspace;
        row.channel = opening.channel;
        row.entry = opening.entry;
        row.tier = opening.tier;
        row.hash = opening.hash;
        row.identity = opening.identity;
        row.customer = opening.customer;
        row.number = number;
        row.epoch = epoch;
        row.older = ws.newest;
        let older = core::mem::replace(&mut ws.newest, slot);
        match older {
            NONE => ws.oldest = slot,
            _ => self.conversations[older as usize].newer = slot,
        }
        let rows = &self.conversations;
        self.conversation_index.insert_unique(opening.hash as u64, slot, |s| rows[*s as usize].hash as u64);
        if opening.identity != 0 {
            self.link_identity(opening.identity, slot);
        }
        self.mark_conversation(slot);
    }

    /// The newest of its identity: those opened before stay behind it.
    fn link_identity(&mut self, identity: u128, slot: u32) {
        let rows = &mut self.conversations;
        match self.identity_index.find_mut(identity as u64, |s| rows[*s as usize].identity == identity) {
            Some(known) => {
                rows[slot as usize].older_alike = *known;
                rows[*known as usize].newer_alike = slot;
                *known = slot;
            }
            None => {
                self.identity_index.insert_unique(identity as u64, slot, |s| rows[*s as usize].identity as u64);
            }
        }
    }

    fn unlink_identity(&mut self, slot: u32) {
        let row = &self.conversations[slot as usize];
        let (identity, older, newer) = (row.identity, row.older_alike, row.newer_alike);
        if identity == 0 {
            return;
        }
        if older != NONE {
            self.conversations[older as usize].newer_alike = newer;
        }
        if newer != NONE {
            self.conversations[newer as usize].older_alike = older;
        } else if let Ok(mut entry) = self.identity_index.find_entry(identity as u64, |s| *s == slot) {
            match older {
                NONE => {
                    entry.remove();
                }
                _ => *entry.get_mut() = older,
            }
        }
    }

    fn queued(&mut self, slot: u32, queueing: Queueing) {
        if self.conversations[slot as usize].phase == Phase::Queued {
            self.leave_line(slot);
        }
        let row = &mut self.conversations[slot as usize];
        row.phase = Phase::Queued;
        row.queue = queueing.queue;
        row.set = queueing.set;
        row.rule = queueing.rule;
        row.arrival = queueing.arrival;
        row.queued_at = queueing.queued_at;
        row.head_start_ms = queueing.head_start_ms;
        row.resolved_at = 0;
        let key = queueing.arrival as i64 - queueing.head_start_ms as i64;
        let place = Place { key, arrival: queueing.arrival, number: row.number, conversation: slot };
        let ws = &mut self.workspaces[row.workspace as usize];
        ws.sets[queueing.set as usize].line.push(place, &mut self.conversations);
        ws.waiting[queueing.set as usize / 64] |= 1 << (queueing.set % 64);
        self.mark_conversation(slot);
    }

    fn leave_line(&mut self, slot: u32) {
        let (workspace, set) = (self.conversations[slot as usize].workspace, self.conversations[slot as usize].set);
        let ws = &mut self.workspaces[workspace as usize];
        let row = &mut ws.sets[set as usize];
        row.line.remove(slot, &mut self.conversations);
        if row.line.is_empty() {
            ws.waiting[set as usize / 64] &= !(1 << (set % 64));
        }
    }

    fn assigned(&mut self, slot: u32, agent: u32, units: u32, exclusive: bool) {
        match self.conversations[slot as usize].phase {
            Phase::Queued => self.leave_line(slot),
            Phase::Assigned => self.release(slot),
            Phase::Free | Phase::Resolved => panic!("a conversation that is not open is assigned"),
        }
        let holder = &mut self.agents[agent as usize];
        let row = &mut self.conversations[slot as usize];
        row.phase = Phase::Assigned;
        row.owner = agent;
        row.epoch += 1;
        row.units = units;
        row.exclusive = exclusive;
        row.before_of_owner = NONE;
        row.next_of_owner = core::mem::replace(&mut holder.first_hold, slot);
        let (next, channel, live) = (row.next_of_owner, row.channel as usize, row.live);
        if next != NONE {
            self.conversations[next as usize].before_of_owner = slot;
        }
        holder.used += units;
        holder.holds += 1;
        holder.exclusive_holds += u32::from(exclusive);
        if live {
            holder.live_holds += 1;
            if holder.live_by_channel.len() <= channel {
                holder.live_by_channel.resize(channel + 1, 0);
            }
            holder.live_by_channel[channel] += 1;
        }
        self.refresh(agent);
        self.mark_agent(agent);
        self.mark_conversation(slot);
    }

    /// The owner's hold ends.
    fn release(&mut self, slot: u32) {
        let row = &mut self.conversations[slot as usize];
        let agent = core::mem::replace(&mut row.owner, NONE);
        let (before, next) = (row.before_of_owner, row.next_of_owner);
        let holder = &mut self.agents[agent as usize];
        holder.used -= core::mem::take(&mut row.units);
        holder.holds -= 1;
        holder.exclusive_holds -= u32::from(core::mem::take(&mut row.exclusive));
        if row.live {
            holder.live_holds -= 1;
            holder.live_by_channel[row.channel as usize] -= 1;
        }
        holder.idle_since = self.now;
        row.before_of_owner = NONE;
        row.next_of_owner = NONE;
        match before {
            NONE => holder.first_hold = next,
            _ => self.conversations[before as usize].next_of_owner = next,
        }
        if next != NONE {
            self.conversations[next as usize].before_of_owner = before;
        }
        self.refresh(agent);
        self.mark_agent(agent);
    }

    fn picked(&mut self, workspace: u32, set: u32, agent: u32) {
        let row = &mut self.workspaces[workspace as usize].sets[set as usize];
        let holder = &mut self.agents[agent as usize];
        let member = membership_mut(&mut holder.memberships, set).expect("a pick of somebody who is no member");
        row.picked(member);
        list(row, &mut self.dirty_sets, workspace, set);
        self.mark_agent(agent);
    }

    fn resolved(&mut self, slot: u32) {
        self.stop(slot);
        let now = self.now;
        let row = &mut self.conversations[slot as usize];
        row.phase = Phase::Resolved;
        row.resolved_at = now;
        let entry = (slot, row.number, row.epoch);
        let workspace = row.workspace as usize;
        self.workspaces[workspace].resolved_now += 1;
        self.workspaces[workspace].resolved.push_back(entry);
        self.compact_resolved(workspace as u32);
        self.mark_conversation(slot);
    }

    /// Out of line, or out of its owner's hands.
    fn stop(&mut self, slot: u32) {
        match self.conversations[slot as usize].phase {
            Phase::Queued => self.leave_line(slot),
            Phase::Assigned => self.release(slot),
            Phase::Resolved => {}
            Phase::Free => panic!("a free slot is ended"),
        }
    }

    fn reopened(&mut self, slot: u32, tier: u32) {
        let row = &mut self.conversations[slot as usize];
        assert_eq!(row.phase, Phase::Resolved, "only a resolved conversation is reopened");
        row.epoch += 1;
        row.tier = tier;
        row.resolved_at = 0;
        let workspace = row.workspace;
        self.workspaces[workspace as usize].resolved_now -= 1;
        self.drop_stale_resolved(workspace);
        self.mark_conversation(slot);
    }

    /// Stale entries behind a valid front: dropped all at once when they are more than the valid ones.
    fn compact_resolved(&mut self, workspace: u32) {
        let ws = &self.workspaces[workspace as usize];
        if ws.resolved.len() > 2 * ws.resolved_now + 64 {
            let mut entries = core::mem::take(&mut self.workspaces[workspace as usize].resolved);
            entries.retain(|entry| self.is_resolved_entry(entry));
            self.workspaces[workspace as usize].resolved = entries;
        }
    }

    /// Entries at the front that tell of a conversation no longer resolved.
    fn drop_stale_resolved(&mut self, workspace: u32) {
        while let Some(front) = self.workspaces[workspace as usize].resolved.front() {
            if self.is_resolved_entry(front) {
                break;
            }
            self.workspaces[workspace as usize].resolved.pop_front();
        }
    }

    fn ended(&mut self, slot: u32) {
        self.stop(slot);
        let row = &mut self.conversations[slot as usize];
        let was_resolved = core::mem::replace(&mut row.phase, Phase::Resolved) == Phase::Resolved;
        self.workspaces[row.workspace as usize].resolved_now -= usize::from(was_resolved);
        row.resolved_at = 0;
        let (workspace, hash, epoch) = (row.workspace, row.hash, row.epoch);
        let (older, newer) = (row.older, row.newer);
        let ws = &mut self.workspaces[workspace as usize];
        match older {
            NONE => ws.oldest = newer,
            _ => self.conversations[older as usize].newer = newer,
        }
        match newer {
            NONE => ws.newest = older,
            _ => self.conversations[newer as usize].older = older,
        }
        if ws.review == Some(slot) {
            ws.review = (newer != NONE).then_some(newer);
            self.mark_workspace(workspace);
        }
        if let Ok(entry) = self.conversation_index.find_entry(hash as u64, |s| *s == slot) {
            entry.remove();
        }
        self.unlink_identity(slot);
        let change = self.links.insert(hash, epoch, self.now, self.key);
        self.sum = self.sum.wrapping_add(change);
        self.drop_stale_resolved(workspace);
        self.ended.push(slot);
        self.mark_conversation(slot);
    }

    /// Brings an agent's fit and his place in every set up to date.
    fn refresh(&mut self, agent: u32) {
        let row = &mut self.agents[agent as usize];
        let workspace = row.workspace;
        let ws = &mut self.workspaces[workspace as usize];
        let mut fit = 0u64;
        for channel in 0..ws.channels.len() {
            if let Some(rule) = ws.channel(channel) {
                fit |= u64::from(row.fits(channel, rule.live, rule.units)) << channel;
            }
        }
        row.fit = fit;
        let keys = AgentKeys::of(row, agent);
        let before = row.keys.replace(keys).unwrap_or(keys);
        let better = |m: &Membership| match m.strategy {
            Strategy::LongestIdle => keys.idle < before.idle,
            Strategy::LeastLoaded => keys.load < before.load,
            Strategy::WeightedRoundRobin => false,
        };
        let mut cluttered = false;
        for m in &mut row.memberships {
            let set = &mut ws.sets[m.set as usize];
            let fits = fit >> m.channel & 1 == 1;
            let better = better(m);
            // A better key makes the entry too bad to stand for him.
            m.in_pool &= !better;
            match (m.candidate, fits) {
                (false, true) => set.join(m, &keys),
                (true, false) => set.leave(m, keys.weight),
                (true, true) if better => set.push(m, &keys),
                _ => continue,
            }
            list(set, &mut self.dirty_sets, workspace, m.set);
            let (word, bit) = (m.set as usize / 64, 1u64 << (m.set % 64));
            if set.candidates > 0 {
                ws.staffed[word] |= bit;
            } else {
                ws.staffed[word] &= !bit;
            }
            cluttered |= set.is_cluttered();
        }
        if cluttered {
            for at in 0..self.agents[agent as usize].memberships.len() {
                let set = self.agents[agent as usize].memberships[at].set;
                self.unclutter(workspace, set);
            }
        }
    }

    fn unclutter(&mut self, workspace: u32, set: u32) {
        let row = &mut self.workspaces[workspace as usize].sets[set as usize];
        if row.is_cluttered() {
            row.rebuild(set, &mut self.agents);
        }
    }

    /// The set's bit in `staffed`.
    fn staff(&mut self, workspace: u32, set: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        let bit = 1u64 << (set % 64);
        if ws.sets[set as usize].candidates > 0 {
            ws.staffed[set as usize / 64] |= bit;
        } else {
            ws.staffed[set as usize / 64] &= !bit;
        }
    }
}

struct Opening {
    workspace: u32,
    channel: u32,
    entry: u32,
    tier: u32,
    hash: u128,
    identity: u128,
    customer: u128,
}

struct Queueing {
    queue: u32,
    set: u32,
    rule: u32,
    arrival: u64,
    queued_at: u64,
    head_start_ms: u64,
}

/// A list enters its conversation's row by its hash.
fn asked_fingerprint(skills: &[SkillSlot], key: HashKey) -> u128 {
    let mut f = Fingerprint::new(key, 23);
    for s in skills {
        f.word(u64::from(s.skill) << 8 | u64::from(s.level));
    }
    f.end()
}

fn membership_mut(memberships: &mut [Membership], set: u32) -> Option<&mut Membership> {
    memberships.binary_search_by_key(&set, |m| m.set).ok().map(|at| &mut memberships[at])
}

/// Lists a dirty set, once.
fn list(set: &mut RequirementSet, dirty: &mut Vec<(u32, u32)>, workspace: u32, slot: u32) {
    if set.dirty && !set.listed {
        set.listed = true;
        dirty.push((workspace, slot));
    }
}
