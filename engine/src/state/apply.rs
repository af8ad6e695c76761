//! Applying effects: one match, each arm one call. Nothing here decides; the same lines run live and in recovery.

use super::State;
use super::agent::{ALL, Agent, Load, Member, Part, Presence};
use super::conversation::{Conversation, NONE, Phase, Texts};
use super::digest::Fingerprint;
use super::hold::Hold;
use super::lane::LaneKey;
use super::line::Place;
use super::memory::Remembered;
use super::set::{AgentKeys, RequirementSet};
use super::workspace::{LeaseSource, Names, QueueRule, Workspace, members_of, set_hash};
use crate::decision::{Position, Reason, Turn};
use crate::effect::{ClockRow, Effect, NameOf, Requirement, SkillSlot, TimerKind, Waiting, WrapUpHold};
use crate::id::{HashKey, Kind};
use crate::input::{By, Status};
use crate::policy::{AgentConfig, Policy, Strategy, limits};
use crate::view::{HoldKind, Note};
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
            Effect::SetOpened {
                workspace,
                set,
                queue,
                channel,
                skills,
                teams,
                ring_team,
                ring_seniority,
                unclaimed,
            } => {
                let requirement = Requirement {
                    skills: skills.clone(),
                    teams: teams.clone(),
                    ring_team: *ring_team,
                    ring_seniority: *ring_seniority,
                    unclaimed: *unclaimed,
                };
                self.set_opened(*workspace, *set, *queue, *channel, requirement);
            }
            Effect::SetClosed { workspace, set } => self.set_closed(*workspace, *set),
            Effect::Presence { agent, source, status, by, session, sequence, term_ms, channels } => {
                let row = Presence {
                    source: *source,
                    status: *status,
                    session: *session,
                    sequence: *sequence,
                    term_ms: *term_ms,
                    expires_at: if *term_ms == 0 { 0 } else { self.now + term_ms },
                    channels: channels.unwrap_or(ALL),
                    is_choice: *by == By::Agent,
                    is_graced: false,
                };
                self.presence(*agent, row);
            }
            Effect::Opened {
                conversation,
                workspace,
                channel,
                entry,
                tier,
                hash,
                identity,
                customer,
                source,
                began_at,
            } => {
                let (workspace, channel, entry, tier) = (*workspace, *channel, *entry, *tier);
                let (hash, identity, customer, source) = (*hash, *identity, *customer, *source);
                self.opened(
                    *conversation,
                    Opening { workspace, channel, entry, tier, hash, identity, customer, source, began_at: *began_at },
                );
            }
            Effect::Queued { conversation, queue, set, rule, arrival, queued_at, head_start_ms, waiting, enters } => {
                let (queue, set, rule) = (*queue, *set, *rule);
                let (arrival, queued_at, head_start_ms) = (*arrival, *queued_at, *head_start_ms);
                let queueing = Queueing { queue, set, rule, arrival, queued_at, head_start_ms, enters: *enters };
                self.queued(*conversation, queueing, waiting);
            }
            Effect::Assigned { conversation, agent, units, exclusive, over: _, given } => {
                self.assigned(*conversation, *agent, *units, *exclusive, *given);
            }
            Effect::Picked { workspace, set, agent, frozen } => self.picked(*workspace, *set, *agent, frozen),
            Effect::Resolved { conversation, wrap_up } => self.resolved(*conversation, wrap_up),
            Effect::Reopened { conversation, tier, began_at } => {
                let row = &mut self.conversations[*conversation as usize];
                row.began_at = *began_at;
                (row.unanswered_since, row.responded, row.answered_before) = (0, false, (0, false));
                self.reopened(*conversation, *tier);
            }
            Effect::Ended { conversation, wrap_up } => self.ended(*conversation, wrap_up),
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
            Effect::Armed { timer, workspace, slot, at } => self.armed(*timer, *workspace, *slot, *at),
            Effect::BotTook { conversation, queue, rule } => {
                let row = &mut self.conversations[*conversation as usize];
                row.phase = Phase::InBot;
                row.turn = Turn::Theirs;
                row.queue = *queue;
                row.rule = *rule;
                row.queued_at = self.now;
                self.mark_conversation(*conversation);
            }
            Effect::Offered { conversation, agent, offer, units, exclusive, preferred, warm } => {
                self.offered(*conversation, *agent, *offer, (*units, *exclusive), *preferred, *warm);
            }
            Effect::OfferEnded { conversation } => self.offer_ended(*conversation),
            Effect::Unassigned { conversation } => {
                self.stop(*conversation);
                self.mark_conversation(*conversation);
            }
            Effect::Turned { conversation, turn, answered, arrival } => {
                let row = &mut self.conversations[*conversation as usize];
                row.turn = *turn;
                row.answered = *answered;
                row.touched |= *answered;
                row.arrival = *arrival;
                self.mark_conversation(*conversation);
            }
            Effect::Resized { conversation, units } => {
                let work = self.conversations[*conversation as usize].work;
                self.hold_resized(work, *units);
                let agent = self.conversations[*conversation as usize].owner;
                self.refresh(agent);
            }
            Effect::Snoozed { conversation } => {
                match self.conversations[*conversation as usize].phase {
                    Phase::Queued => self.leave_line(*conversation),
                    Phase::Assigned | Phase::InBot | Phase::Parked | Phase::Moving => {}
                    phase => panic!("a conversation that is {phase:?} is snoozed"),
                }
                let row = &mut self.conversations[*conversation as usize];
                row.phase = Phase::Snoozed;
                row.stop_timer(TimerKind::Wait);
                self.mark_conversation(*conversation);
            }
            Effect::Woken { conversation } => {
                let row = &mut self.conversations[*conversation as usize];
                row.phase = if row.owner == NONE { Phase::Moving } else { Phase::Assigned };
                self.mark_conversation(*conversation);
            }
            Effect::Parked { conversation, reason } => {
                self.stop(*conversation);
                let row = &mut self.conversations[*conversation as usize];
                row.phase = Phase::Parked;
                row.park_reason = *reason;
                row.stop_timer(TimerKind::Wait);
                row.stop_timer(TimerKind::Turn);
                self.mark_conversation(*conversation);
            }
            Effect::HoldEnded { hold } => {
                let agent = self.hold_ended(*hold);
                self.refresh(agent);
            }
            Effect::Engaged { agent, hash, channel, units, exclusive, text } => {
                let hold = Hold {
                    agent: *agent,
                    kind: HoldKind::External,
                    conversation: NONE,
                    hash: *hash,
                    channel: *channel,
                    queue: NONE,
                    units: *units,
                    full: *units,
                    exclusive: *exclusive,
                    timed: false,
                    until: 0,
                    reference: text.clone(),
                    before: NONE,
                    next: NONE,
                };
                self.hold_taken(hold);
                self.refresh(*agent);
            }
            Effect::Marked { conversation, tier, priority, level, transfers, alarmed } => {
                let row = &mut self.conversations[*conversation as usize];
                (row.tier, row.priority, row.level) = (*tier, *priority, *level);
                (row.transfers, row.alarmed) = (*transfers, *alarmed);
                self.mark_conversation(*conversation);
            }
            Effect::Noted { conversation, at, by, text } => self.noted(*conversation, *at, by, text),
            Effect::Merged { from, into } => self.merged(*from, *into),
            Effect::Linked { workspace, customer, other, is } => self.linked(*workspace, *customer, *other, *is),
            Effect::Blocked { workspace, customer, is } => self.blocked(*workspace, *customer, *is),
            Effect::AccountOwner { workspace, customer, agent } => self.account_owned(*workspace, *customer, *agent),
            Effect::Controlled { workspace, queue, control, since, until, draining, shut, turned_at } => {
                let desk = &mut self.workspaces[*workspace as usize].desks[*queue as usize];
                (desk.control, desk.since, desk.until, desk.draining) = (*control, *since, *until, *draining);
                (desk.shut, desk.turned_at) = (*shut, *turned_at);
                for set in 0..self.workspaces[*workspace as usize].sets.len() as u32 {
                    if self.workspaces[*workspace as usize].sets[set as usize].queue == *queue {
                        self.staff_set(*workspace, set);
                    }
                }
                self.mark_workspace(*workspace);
            }
            Effect::Swept { workspace, queue, next, reason } => {
                let ws = &mut self.workspaces[*workspace as usize];
                let desk = &mut ws.desks[*queue as usize];
                ws.sweeping = ws.sweeping + u32::from(next.is_some()) - u32::from(desk.sweep.is_some());
                (desk.sweep, desk.sweep_reason) = (*next, if next.is_some() { *reason } else { Reason::None });
                self.mark_workspace(*workspace);
            }
            Effect::Behind { is } => self.falls_behind(*is),
            Effect::Renewed { agent, source, sequence } => {
                let now = self.now;
                if let Some(row) = self.agents[*agent as usize].rows.iter_mut().find(|r| r.source == *source) {
                    row.expires_at = now + row.term_ms;
                    row.sequence = *sequence;
                    row.is_graced = false;
                }
                self.mark_agent(*agent);
            }
            Effect::LeaseExpired { agent, source } => self.lease_expired(*agent, *source),
            Effect::LeasesExtended { workspace, source, grace_ms, from } => {
                self.leases_extended(*workspace, *source, *grace_ms, *from);
            }
            Effect::Worded { agent, word } => {
                let row = &mut self.agents[*agent as usize];
                row.word = *word;
                if word.is_none() {
                    row.choice = Some(Status::Online);
                }
                self.presence_changes(*agent);
            }
            Effect::Responds { agent, declines, not_responding } => {
                let row = &mut self.agents[*agent as usize];
                (row.declines, row.not_responding) = (*declines, *not_responding);
                self.refresh(*agent);
                self.mark_agent(*agent);
            }
            Effect::Drained { agent, is } => {
                self.agents[*agent as usize].draining = *is;
                self.refresh(*agent);
                self.mark_agent(*agent);
            }
            Effect::Ranked { conversation, class, head_start_ms } => {
                self.conversations[*conversation as usize].head_start_ms = *head_start_ms;
                self.texts[*conversation as usize].waiting.class = *class;
                self.mark_conversation(*conversation);
            }
            Effect::Awaits { conversation, since, responded, wrote_at } => {
                let row = &mut self.conversations[*conversation as usize];
                row.waits_since(*since, *responded);
                row.wrote_at = *wrote_at;
                self.mark_conversation(*conversation);
            }
            Effect::ClockSet { conversation, clock, row } => {
                let clocks = &mut self.texts[*conversation as usize].clocks;
                clocks.resize_with(clocks.len().max(*clock as usize + 1), ClockRow::default);
                clocks[*clock as usize] = *row;
                self.mark_conversation(*conversation);
            }
            Effect::CalendarExpanded { workspace, calendar, from, until, openings } => {
                let key = self.key;
                self.workspaces[*workspace as usize].expanded(*calendar, *from, *until, openings, key);
                self.mark_workspace(*workspace);
            }
            Effect::Shifted { agent, off } => {
                self.agents[*agent as usize].off_shift = *off;
                self.refresh(*agent);
                self.mark_agent(*agent);
            }
            Effect::Removed { agent, successor } => self.removed(*agent, *successor),
            Effect::Paced { agent, channels } => {
                self.agents[*agent as usize].paced = *channels;
                self.refresh(*agent);
                self.mark_agent(*agent);
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
            _ => {
                let ws = &mut self.workspaces[workspace as usize];
                let names = match what {
                    NameOf::Channel => &mut ws.channels,
                    NameOf::Entry => &mut ws.entries,
                    NameOf::Tier => &mut ws.tiers,
                    NameOf::Queue => &mut ws.queues,
                    NameOf::Team => &mut ws.teams,
                    NameOf::Calendar => &mut ws.calendars,
                    NameOf::Source => &mut ws.source_names,
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
            self.realign(agent);
        }
        self.measure(workspace);
        for lane in 0..self.workspaces[workspace as usize].lanes.len() as u32 {
            if self.workspaces[workspace as usize].lanes[lane as usize].open {
                self.staff(workspace, lane);
            }
        }
    }

    /// A set's queue may have another strategy now: its pools are built anew, what is due to each member stays.
    fn follow_strategy(&mut self, workspace: u32, set: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        let row = &ws.sets[set as usize];
        let Some(strategy) = ws.strategy_of(row.queue, &row.requirement) else { return };
        if !row.open || row.strategy == strategy {
            return;
        }
        let row = &mut ws.sets[set as usize];
        for slot in row.members.clone() {
            let agent = &mut self.agents[slot as usize];
            let weight = agent.config.weight;
            if let Some(m) = part_mut(&mut agent.parts, set).filter(|m| m.candidate) {
                row.leave(m, weight);
            }
        }
        row.strategy = strategy;
        row.rebuild(set, &mut self.agents);
        for slot in row.members.clone() {
            let agent = &mut self.agents[slot as usize];
            if let Some(m) = part_mut(&mut agent.parts, set) {
                m.strategy = strategy;
            }
            self.mark_agent(slot);
        }
        let row = &mut self.workspaces[workspace as usize].sets[set as usize];
        row.dirty = true;
        list(row, &mut self.dirty_sets, workspace, set);
        for slot in self.workspaces[workspace as usize].sets[set as usize].members.clone() {
            self.agents[slot as usize].realigned = true;
            self.refresh(slot);
        }
    }

    fn agent_configured(&mut self, agent: u32, config: &AgentConfig) {
        let key = self.key;
        let row = &mut self.agents[agent as usize];
        let (workspace, old_weight) = (row.workspace, row.config.weight);
        if old_weight != config.weight {
            // Out of every rotation with the old weight; `realign` brings him back with the new one.
            let ws = &mut self.workspaces[workspace as usize];
            for m in &mut row.parts {
                let set = &mut ws.sets[m.set as usize];
                m.in_pool = false;
                if m.candidate {
                    set.leave(m, old_weight);
                    list(set, &mut self.dirty_sets, workspace, m.set);
                }
            }
        }
        row.config = config.clone();
        row.removed = false;
        row.successor = 0;
        self.workspaces[workspace as usize].leaving.retain(|a| *a != agent);
        let row = &mut self.agents[agent as usize];
        row.configure_fingerprint(key);
        self.presence_changes(agent);
        self.realign(agent);
        self.measure(workspace);
    }

    fn removed(&mut self, agent: u32, successor: u32) {
        let row = &mut self.agents[agent as usize];
        row.removed = true;
        row.successor = successor;
        row.rows.clear();
        (row.choice, row.word) = (None, None);
        (row.not_responding, row.draining, row.declines, row.paced) = (false, false, 0, 0);
        row.off_shift = false;
        let workspace = row.workspace;
        self.presence_changes(agent);
        self.realign(agent);
        self.measure(workspace);
        self.disown(workspace, agent);
        for slot in 0..self.conversations.len() as u32 {
            let row = &mut self.conversations[slot as usize];
            if row.last_owner == agent && row.phase != Phase::Free {
                row.last_owner = NONE;
                self.mark_conversation(slot);
            }
        }
        if self.owned_by(agent).next().is_some() {
            self.workspaces[workspace as usize].leaving.push(agent);
        }
    }

    /// What all agents of a workspace are together: delays by queue, and whether anybody prefers a queue.
    fn measure(&mut self, workspace: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        ws.desks.iter_mut().for_each(|desk| desk.delays.clear());
        ws.has_priorities = false;
        for slot in &ws.agents {
            let agent = &self.agents[*slot as usize];
            let Some(members) = agent.member_of.as_ref().filter(|_| !agent.removed) else { continue };
            // Who is preferred in a queue of which he is no member serves it as an ordinary one.
            ws.has_priorities |= members.iter().any(|member| member.priority != Member::of(0).priority);
            for member in members.iter().filter(|m| m.delay_ms > 0) {
                let Some(desk) = ws.desks.get_mut(member.queue as usize) else { continue };
                match desk.delays.binary_search_by_key(&member.delay_ms, |d| d.0) {
                    Ok(at) => desk.delays[at].1 += 1,
                    Err(at) => desk.delays.insert(at, (member.delay_ms, 1)),
                }
            }
        }
    }

    /// All that follows from an agent's configuration and the policy: his skills, limits and parts in the sets.
    fn realign(&mut self, agent: u32) {
        let key = self.key;
        let row = &mut self.agents[agent as usize];
        let workspace = row.workspace;
        let ws = &mut self.workspaces[workspace as usize];
        let name = &ws.name;
        let slot_of = |names: &Names, kind, text: &str| names.find(key.hash(kind, name, &[text])).unwrap_or(NONE);
        let config = &row.config;
        row.skills = config
            .skills
            .iter()
            .map(|s| SkillSlot { skill: slot_of(&ws.skills, Kind::Skill, &s.name) as u16, level: s.level })
            .collect();
        row.skills.sort_unstable();
        row.team = if config.team.is_empty() { NONE } else { slot_of(&ws.teams, Kind::Team, &config.team) };
        row.units = config.units.unwrap_or(ws.policy.default_units);
        let bit = |name: &str| 1u64.checked_shl(slot_of(&ws.channels, Kind::Channel, name)).unwrap_or(0);
        row.standing = match config.channels.is_empty() {
            true => ALL,
            false => config.channels.iter().fold(0, |mask, name| mask | bit(name)),
        };
        row.limits = config.limits.iter().map(|l| (slot_of(&ws.channels, Kind::Channel, &l.channel), l.max)).collect();
        let queue = |text: &str| slot_of(&ws.queues, Kind::Queue, text);
        row.member_of = members_of(&config.memberships, &queue).or_else(|| ws.team_members(row.team));
        row.has_queue_limits = row.member_of.iter().flatten().any(|member| member.max_units > 0);
        row.realigned = true;
        row.routable = row.presence().1;
        let weight = config.weight;

        let mut before = core::mem::take(&mut row.parts);
        let mut parts = Vec::new();
        let mut left = Vec::new();
        for i in 0..ws.sets.len() as u32 {
            if !ws.sets[i as usize].open {
                continue;
            }
            let wanted = ws.part_of(i, &self.agents[agent as usize]);
            let known = part_mut(&mut before, i).map(|m| *m);
            let set = &mut ws.sets[i as usize];
            match (known, wanted) {
                (None, None) => {}
                (None, Some(part)) => {
                    set.members.push(agent);
                    parts.push(part);
                }
                (Some(mut part), wanted) => {
                    let stays = wanted.is_some_and(|w| {
                        w.member.rank == part.member.rank && w.member.delay_ms == part.member.delay_ms
                    });
                    let same = wanted.is_some_and(|w| w.member == part.member && w.score == part.score);
                    if part.candidate && !stays {
                        set.leave(&mut part, weight);
                        list(set, &mut self.dirty_sets, workspace, i);
                    }
                    if !same {
                        left.push(i); // entries of his in its pools would still look true
                    }
                    match wanted {
                        Some(wanted) => parts.push(Part { member: wanted.member, score: wanted.score, ..part }),
                        None => set.members.retain(|a| *a != agent),
                    }
                }
            }
        }
        self.agents[agent as usize].parts = parts;
        for set in left {
            self.workspaces[workspace as usize].sets[set as usize].rebuild(set, &mut self.agents);
            self.staff_set(workspace, set);
        }
        self.refresh(agent);
        self.mark_agent(agent);
    }

    fn set_opened(&mut self, workspace: u32, set: u32, queue: u32, channel: u32, requirement: Requirement) {
        let ws = &mut self.workspaces[workspace as usize];
        let strategy = ws.strategy_of(queue, &requirement).unwrap_or(Strategy::LongestIdle);
        let hash = set_hash(queue, channel, &requirement);
        let mut row = RequirementSet::new(queue, channel, requirement, strategy);
        if (set as usize) < ws.sets.len() {
            assert!(!ws.sets[set as usize].open, "a set is opened over another");
            row.fingerprint = ws.sets[set as usize].fingerprint;
            row.listed = ws.sets[set as usize].listed;
            ws.sets[set as usize] = row;
        } else {
            assert_eq!(set as usize, ws.sets.len(), "a set skips a slot");
            ws.sets.push(row);
        }
        let sets = &ws.sets;
        ws.set_index.insert_unique(hash, set, |s| {
            let s = &sets[*s as usize];
            set_hash(s.queue, s.channel, &s.requirement)
        });
        let row = &mut ws.sets[set as usize];
        row.dirty = true;
        list(row, &mut self.dirty_sets, workspace, set);
        let load = ws.load(channel);
        for slot in ws.agents.clone() {
            let agent = &self.agents[slot as usize];
            let Some(mut part) = ws.part_of(set, agent) else { continue };
            let row = &mut ws.sets[set as usize];
            row.members.push(slot);
            if fits_part(agent, &part, load.as_ref()) {
                row.join(&mut part, &AgentKeys::of(agent, slot));
            }
            let agent = &mut self.agents[slot as usize];
            let at = agent.parts.partition_point(|m| m.set < set);
            agent.parts.insert(at, part);
        }
        // A share may differ from 0 only where a candidate joined a rotation that has moved: a new one has not.
    }

    fn set_closed(&mut self, workspace: u32, set: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        let row = &mut ws.sets[set as usize];
        assert_eq!(row.waiting, 0, "a set is closed while somebody waits in it");
        let hash = set_hash(row.queue, row.channel, &row.requirement);
        row.open = false;
        row.candidates = 0;
        row.dirty = true;
        list(row, &mut self.dirty_sets, workspace, set);
        let members = core::mem::take(&mut row.members);
        let lanes = row.lanes.clone();
        if let Ok(entry) = ws.set_index.find_entry(hash, |s| *s == set) {
            entry.remove();
        }
        for lane in lanes {
            self.close_lane(workspace, lane);
        }
        for slot in members {
            self.agents[slot as usize].parts.retain(|m| m.set != set);
            self.mark_agent(slot);
        }
    }

    fn presence(&mut self, agent: u32, presence: Presence) {
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
        if presence.is_choice {
            row.choice = Some(presence.status);
        }
        self.presence_changes(agent);
    }

    fn lease_expired(&mut self, agent: u32, source: u128) {
        let now = self.now;
        let row = &mut self.agents[agent as usize];
        let mut was_graced = false;
        if let Some(known) = row.rows.iter_mut().find(|r| r.source == source) {
            // Its order stays known: what comes late is still late.
            (known.status, known.term_ms, known.expires_at) = (Status::Offline, 0, 0);
            was_graced = core::mem::take(&mut known.is_graced);
        }
        let sources = &mut self.workspaces[row.workspace as usize].sources;
        let at = sources.iter().position(|s| s.source == source).unwrap_or_else(|| {
            sources.push(LeaseSource { source, ..LeaseSource::default() });
            sources.len() - 1
        });
        // What a source did longer ago is of no use.
        let is_recent = |s: &LeaseSource| s.suspect_until > now || s.expired.iter().any(|at| now - *at < STORM_MS);
        let known = sources.swap_remove(at);
        sources.retain(is_recent);
        sources.push(known);
        let expired = &mut sources.last_mut().expect("it was just put there").expired;
        expired.retain(|at| now - *at < STORM_MS);
        if !was_graced {
            expired.push(now);
        }
        let workspace = self.agents[agent as usize].workspace;
        self.mark_workspace(workspace);
        self.presence_changes(agent);
    }

    fn leases_extended(&mut self, workspace: u32, source: u128, grace_ms: u64, from: u64) {
        let now = self.now;
        let ws = &mut self.workspaces[workspace as usize];
        if source != 0 {
            let at = ws.sources.iter().position(|s| s.source == source).unwrap_or_else(|| {
                ws.sources.push(LeaseSource { source, ..LeaseSource::default() });
                ws.sources.len() - 1
            });
            ws.sources[at].suspect_until = now + grace_ms;
            self.mark_workspace(workspace);
        }
        for slot in self.workspaces[workspace as usize].agents.clone() {
            let mut changed = false;
            for row in &mut self.agents[slot as usize].rows {
                if row.term_ms > 0 && (source == 0 || row.source == source) {
                    row.expires_at = row.expires_at.max(from) + grace_ms;
                    row.is_graced |= source != 0;
                    changed = true;
                }
            }
            if changed {
                let ends = self.agents[slot as usize].rows.iter().filter(|r| r.term_ms > 0).map(|r| r.expires_at);
                let at = ends.min().unwrap_or(0);
                if self.armed_at(TimerKind::Lease, workspace, slot) != at {
                    self.armed(TimerKind::Lease, workspace, slot, at);
                }
                self.mark_agent(slot);
            }
        }
    }

    /// Offers made while behind have no end: it counts from when the shard has caught up.
    fn falls_behind(&mut self, is: bool) {
        self.behind = is;
        if is {
            return;
        }
        for workspace in 0..self.workspaces.len() as u32 {
            let open = self.conversations_of(workspace).filter(|c| self.conversations[*c as usize].offer != 0);
            for slot in open.collect::<Vec<_>>() {
                if self.armed_at(TimerKind::Wait, workspace, slot) == 0 {
                    let at = self.now + self.accept_ms(slot);
                    self.armed(TimerKind::Wait, workspace, slot, at);
                }
            }
        }
    }

    /// How long the open offer of a conversation may be answered.
    pub fn accept_ms(&self, slot: u32) -> u64 {
        const DEFAULT_MS: u64 = 30_000;
        let row = &self.conversations[slot as usize];
        let rule = self.workspaces[row.workspace as usize].queue(row.queue);
        rule.map(|q| q.accept_ms).filter(|ms| *ms > 0).unwrap_or(DEFAULT_MS)
    }

    /// What an agent's rows and words come to may be something else now.
    fn presence_changes(&mut self, agent: u32) {
        let now = self.now;
        let row = &mut self.agents[agent as usize];
        let (new, routable) = row.presence();
        let old = core::mem::replace(&mut row.effective, new);
        row.routable = routable;
        if old != new {
            if new == Status::Online {
                let reset = self.workspaces[row.workspace as usize].policy.idle_reset_ms;
                let short_away = row.away_since > 0 && now - row.away_since < reset;
                if !short_away {
                    row.idle_since = now;
                }
            }
            row.away_since = if old == Status::Online && new == Status::Away { now } else { 0 };
            row.offline_since = if new == Status::Offline { now } else { 0 };
        }
        self.refresh(agent);
        self.mark_agent(agent);
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
        row.phase = Phase::Moving; // until what follows in the same step
        row.live = ws.channel(opening.channel).is_some_and(|c| c.live);
        row.workspace = opening.workspace;
        row.channel = opening.channel;
        row.entry = opening.entry;
        row.tier = opening.tier;
        row.hash = opening.hash;
        row.identity = opening.identity;
        row.customer = opening.customer;
        row.source = opening.source;
        row.opened_at = self.now;
        row.began_at = opening.began_at;
        row.turn = Turn::Ours;
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
        self.index_customer(opening.customer, slot);
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

    fn queued(&mut self, slot: u32, queueing: Queueing, waiting: &Waiting) {
        match self.conversations[slot as usize].phase {
            Phase::Queued => self.leave_line(slot),
            Phase::Offered | Phase::Assigned | Phase::Resolved | Phase::Free => {
                panic!("a conversation stands in line beside something else")
            }
            _ => {}
        }
        let row = &mut self.conversations[slot as usize];
        row.phase = Phase::Queued;
        row.turn = Turn::Ours;
        row.stop_timer(TimerKind::Turn);
        row.queue = queueing.queue;
        row.set = queueing.set;
        row.rule = queueing.rule;
        row.arrival = queueing.arrival;
        row.queued_at = queueing.queued_at;
        row.head_start_ms = queueing.head_start_ms;
        row.entries += u32::from(queueing.enters);
        row.resolved_at = 0;
        let workspace = row.workspace;
        self.waits(slot, true);
        self.texts[slot as usize].waiting = waiting.clone();
        let place = self.place_of(slot);
        self.enter_lane(workspace, LaneKey::of(queueing.set, waiting), place);
        self.mark_conversation(slot);
    }

    pub(super) fn place_of(&self, slot: u32) -> Place {
        let row = &self.conversations[slot as usize];
        let key = row.arrival as i64 - row.head_start_ms as i64;
        let class = self.texts[slot as usize].waiting.class;
        Place { class, key, arrival: row.arrival, number: row.number, conversation: slot }
    }

    /// Counts one who waits in its queue and set, or no longer.
    fn waits(&mut self, slot: u32, is: bool) {
        let row = &self.conversations[slot as usize];
        let ws = &mut self.workspaces[row.workspace as usize];
        let step = |count: &mut u32| *count = if is { *count + 1 } else { *count - 1 };
        step(&mut ws.desks[row.queue as usize].waiting);
        step(&mut ws.sets[row.set as usize].waiting);
    }

    fn leave_line(&mut self, slot: u32) {
        let workspace = self.conversations[slot as usize].workspace;
        self.waits(slot, false);
        self.leave_lane(workspace, slot);
        self.conversations[slot as usize].phase = Phase::Moving;
    }

    fn offered(&mut self, slot: u32, agent: u32, offer: u64, units: (u32, bool), preferred: bool, warm: bool) {
        let workspace = self.conversations[slot as usize].workspace;
        if !warm {
            // It still waits, and stands in no lane.
            assert_eq!(self.conversations[slot as usize].phase, Phase::Queued, "what does not wait is offered");
            self.leave_lane(workspace, slot);
            self.conversations[slot as usize].phase = Phase::Offered;
        }
        let hold = self.hold_of(slot, agent, HoldKind::Offer, units);
        let hold = self.hold_taken(hold);
        let row = &mut self.conversations[slot as usize];
        (row.offer, row.offer_hold) = (offer, hold);
        (row.offer_preferred, row.offer_warm) = (preferred, warm);
        self.offers = offer;
        let rows = &self.conversations;
        self.offer_index.insert_unique(offer, slot, |s| rows[*s as usize].offer);
        if !warm {
            self.given(agent);
        }
        self.refresh(agent);
        self.mark_conversation(slot);
    }

    fn hold_of(&self, slot: u32, agent: u32, kind: HoldKind, (units, exclusive): (u32, bool)) -> Hold {
        let row = &self.conversations[slot as usize];
        Hold {
            agent,
            kind,
            conversation: slot,
            hash: row.hash,
            channel: row.channel,
            queue: row.queue,
            units,
            full: units,
            exclusive,
            timed: false,
            until: 0,
            reference: Box::default(),
            before: NONE,
            next: NONE,
        }
    }

    /// The engine gave an agent something: his pace starts.
    fn given(&mut self, agent: u32) {
        let now = self.now;
        let row = &mut self.agents[agent as usize];
        row.last_given = now;
        row.paced = self.workspaces[row.workspace as usize].paced_channels;
    }

    /// The open offer is over: its hold ends. One that waited stands nowhere until what follows.
    fn offer_ended(&mut self, slot: u32) {
        let asked = self.drop_offer(slot);
        if self.conversations[slot as usize].phase == Phase::Offered {
            self.waits(slot, false);
            self.conversations[slot as usize].phase = Phase::Moving;
        }
        asked.into_iter().for_each(|agent| self.refresh(agent));
        self.mark_conversation(slot);
    }

    /// The open offer's hold ends. Whose it was has to be refreshed when all that changes him is done.
    fn drop_offer(&mut self, slot: u32) -> Option<u32> {
        let row = &mut self.conversations[slot as usize];
        let hold = core::mem::replace(&mut row.offer_hold, NONE);
        if hold == NONE {
            return None;
        }
        let offer = row.offer;
        if let Ok(entry) = self.offer_index.find_entry(offer, |s| *s == slot) {
            entry.remove();
        }
        let row = &mut self.conversations[slot as usize];
        row.offer = 0;
        (row.offer_preferred, row.offer_warm) = (false, false);
        Some(self.hold_ended(hold))
    }

    fn assigned(&mut self, slot: u32, agent: u32, units: u32, exclusive: bool, given: bool) {
        // What goes from hand to hand has waited what it waited for the first.
        let was_owned = self.conversations[slot as usize].owner != NONE;
        let before = self.let_go(slot);
        let hold = self.hold_of(slot, agent, HoldKind::Work, (units, exclusive));
        let hold = self.hold_taken(hold);
        let now = self.now;
        let row = &mut self.conversations[slot as usize];
        if row.owner == NONE && !was_owned {
            row.waited_ms = now.saturating_sub(row.arrival);
        }
        row.phase = Phase::Assigned;
        row.owner = agent;
        row.work = hold;
        row.epoch += 1;
        row.touched = true;
        row.alarmed = false;
        row.answered |= row.live;
        if row.live {
            row.waits_since(0, true);
        }
        row.stop_timer(TimerKind::Wait);
        if row.live {
            row.stop_timer(TimerKind::Turn); // an async one's is armed anew by what follows
        }
        if given {
            self.given(agent);
        }
        before.into_iter().flatten().filter(|other| *other != agent).for_each(|other| self.refresh(other));
        self.refresh(agent);
        self.mark_conversation(slot);
    }

    /// The owner's hold ends.
    fn release(&mut self, slot: u32) -> u32 {
        let row = &mut self.conversations[slot as usize];
        let owner = core::mem::replace(&mut row.owner, NONE);
        // Nobody prefers who is gone for good.
        row.last_owner = if self.agents[owner as usize].removed { NONE } else { owner };
        let hold = core::mem::replace(&mut row.work, NONE);
        self.hold_ended(hold)
    }

    fn picked(&mut self, workspace: u32, set: u32, agent: u32, frozen: &[u32]) {
        for (slots, phase) in [(frozen, 0), (&[agent][..], 1), (frozen, 2)] {
            for slot in slots {
                let row = &mut self.workspaces[workspace as usize].sets[set as usize];
                let holder = &mut self.agents[*slot as usize];
                let weight = holder.config.weight;
                let part = part_mut(&mut holder.parts, set).expect("a pick of somebody who is no member");
                match phase {
                    0 => row.freeze(part, weight, true),
                    1 => row.picked(part),
                    _ => row.freeze(part, weight, false),
                }
                list(row, &mut self.dirty_sets, workspace, set);
                self.mark_agent(*slot);
            }
        }
    }

    fn resolved(&mut self, slot: u32, wrap_up: &WrapUpHold) {
        self.stop_for_good(slot, wrap_up);
        let now = self.now;
        let row = &mut self.conversations[slot as usize];
        row.phase = Phase::Resolved;
        row.turn = Turn::None;
        row.stop_timer(TimerKind::Wait);
        row.stop_timer(TimerKind::Turn);
        row.stop_timer(TimerKind::Clock);
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
        let before = self.let_go(slot);
        before.into_iter().flatten().for_each(|agent| self.refresh(agent));
    }

    /// The same; those who held something of it have to be refreshed: to whom it was offered, and who owned it.
    fn let_go(&mut self, slot: u32) -> [Option<u32>; 2] {
        let asked = self.drop_offer(slot);
        match self.conversations[slot as usize].phase {
            Phase::Queued => self.leave_line(slot),
            Phase::Offered => self.waits(slot, false),
            Phase::Free => panic!("a free slot is ended"),
            _ => {}
        }
        let is_owned = self.conversations[slot as usize].owner != NONE;
        let owner = is_owned.then(|| self.release(slot));
        let row = &mut self.conversations[slot as usize];
        if row.phase != Phase::Resolved {
            row.phase = Phase::Moving;
        }
        [asked, owner]
    }

    /// As `stop`, and its owner has after-call work.
    fn stop_for_good(&mut self, slot: u32, wrap_up: &WrapUpHold) {
        let before = self.let_go(slot);
        if let Some(agent) = before[1].filter(|_| wrap_up.until != 0) {
            let hold = self.hold_of(slot, agent, HoldKind::WrapUp, (wrap_up.units, false));
            let reference = self.texts[slot as usize].id.clone();
            let (until, timed) = (wrap_up.until, wrap_up.timed);
            self.hold_taken(Hold { conversation: NONE, until, timed, reference, ..hold });
        }
        before.into_iter().flatten().for_each(|agent| self.refresh(agent));
    }

    fn noted(&mut self, slot: u32, at: u64, by: &str, text: &str) {
        let key = self.key;
        let hash = |note: &Note| {
            let mut f = Fingerprint::new(key, 24);
            f.word(note.at);
            f.bytes(note.by.as_bytes());
            f.bytes(note.text.as_bytes());
            f.end()
        };
        let note = Note { at, by: by.into(), text: text.into() };
        let row = &mut self.conversations[slot as usize];
        row.has_note = true;
        row.notes = row.notes.wrapping_add(hash(&note));
        let notes = &mut self.texts[slot as usize].notes;
        notes.push(note);
        if notes.len() > limits::NOTES {
            let oldest = notes.remove(0);
            row.notes = row.notes.wrapping_sub(hash(&oldest));
        }
        self.mark_conversation(slot);
    }

    /// Ids and identities of `from`, its aliases too, lead to `into` from now on.
    fn merged(&mut self, from: u32, into: u32) {
        let (mut ids, mut identities) = self.drop_aliases(from);
        let row = &self.conversations[from as usize];
        ids.insert(0, row.hash);
        if row.identity != 0 {
            identities.insert(0, row.identity);
        }
        let (hash, epoch) = (row.hash, row.epoch);
        // Above both: the one merged away goes on under the survivor's epoch, and no id's epoch ever falls.
        let survivor = &mut self.conversations[into as usize];
        survivor.epoch = survivor.epoch.max(epoch) + 1;
        if let Ok(entry) = self.conversation_index.find_entry(hash as u64, |s| *s == from) {
            entry.remove();
        }
        for id in ids {
            self.alias(id, into);
            self.texts[into as usize].aliases.push(id);
        }
        for identity in identities {
            if self.identity_aliases.find(identity as u64, |a| a.0 == identity).is_none() {
                self.identity_alias(identity, into);
                self.texts[into as usize].identity_aliases.push(identity);
            }
        }
        let notes = core::mem::take(&mut self.texts[from as usize].notes);
        self.conversations[from as usize].notes = 0;
        for note in notes {
            self.noted(into, note.at, &note.by, &note.text);
        }
        self.mark_conversation(into);
    }

    fn reopened(&mut self, slot: u32, tier: u32) {
        let row = &mut self.conversations[slot as usize];
        assert_eq!(row.phase, Phase::Resolved, "only a resolved conversation is reopened");
        row.phase = Phase::Moving;
        row.epoch += 1;
        row.tier = tier;
        row.resolved_at = 0;
        row.answered = false;
        row.alarmed = false;
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

    fn ended(&mut self, slot: u32, wrap_up: &WrapUpHold) {
        self.stop_for_good(slot, wrap_up);
        let row = &mut self.conversations[slot as usize];
        let was_resolved = core::mem::replace(&mut row.phase, Phase::Resolved) == Phase::Resolved;
        [TimerKind::Open, TimerKind::Turn, TimerKind::Wait, TimerKind::Clock]
            .into_iter()
            .for_each(|timer| row.stop_timer(timer));
        row.turn = Turn::None;
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
        let customer = self.conversations[slot as usize].customer;
        self.unindex_customer(customer, slot);
        let (ids, _) = self.drop_aliases(slot);
        for id in ids {
            // It had epochs of its own before it was merged away: they never fall.
            let epoch = self.links.epoch(id).unwrap_or(0).max(epoch);
            let change = self.links.take(id, self.key);
            self.sum = self.sum.wrapping_add(change);
            let change = self.links.insert(id, epoch, self.now, self.key);
            self.sum = self.sum.wrapping_add(change);
        }
        if self.workspaces[workspace as usize].sweeping > 0 {
            self.sweeps_go_on(workspace, slot, newer);
        }
        let identity = self.conversations[slot as usize].identity;
        if identity != 0 {
            let change = self.links.take(identity, self.key);
            self.sum = self.sum.wrapping_add(change);
            let change = self.links.insert(identity, 0, self.now, self.key);
            self.sum = self.sum.wrapping_add(change);
        }
        let change = self.links.insert(hash, epoch, self.now, self.key);
        self.sum = self.sum.wrapping_add(change);
        self.drop_stale_resolved(workspace);
        self.ended.push(slot);
        self.mark_conversation(slot);
    }

    /// Sweeps whose next conversation has ended go on with the one after it.
    fn sweeps_go_on(&mut self, workspace: u32, ended: u32, newer: u32) {
        let ws = &mut self.workspaces[workspace as usize];
        for desk in ws.desks.iter_mut().filter(|desk| desk.sweep == Some(ended)) {
            desk.sweep = (newer != NONE).then_some(newer);
            ws.sweeping -= u32::from(newer == NONE);
        }
        self.mark_workspace(workspace);
    }

    /// Brings an agent's fit and his place in every set up to date.
    fn refresh(&mut self, agent: u32) {
        let row = &mut self.agents[agent as usize];
        let workspace = row.workspace;
        let ws = &mut self.workspaces[workspace as usize];
        let mut fit = 0u64;
        for channel in 0..ws.channels.len() {
            if row.takes_work(channel)
                && row.paced >> channel & 1 == 0
                && ws.load(channel).is_some_and(|load| row.fits_by_load(&load))
            {
                fit |= 1 << channel;
            }
        }
        let fitted = core::mem::replace(&mut row.fit, fit);
        let keys = AgentKeys::of(row, agent);
        let before = row.keys.replace(keys);
        let is_better = before.is_none_or(|before| keys.idle < before.idle || keys.load < before.load);
        let realigned = core::mem::take(&mut row.realigned);
        if !realigned
            && fitted == fit
            && !is_better
            && !row.has_queue_limits
            && before.is_some_and(|b| b.weight == keys.weight)
        {
            return; // nobody's candidate more or less, and in no order before where he was
        }
        let before = before.unwrap_or(keys);
        let better = |m: &Part| match m.strategy {
            Strategy::LongestIdle | Strategy::MostSkilled | Strategy::Manual => keys.idle < before.idle,
            Strategy::LeastLoaded => keys.load < before.load,
            Strategy::WeightedRoundRobin => false,
        };
        let mut cluttered = false;
        let mut changed = Vec::new();
        let mut parts = core::mem::take(&mut row.parts);
        for m in &mut parts {
            let fits = fit >> m.channel & 1 == 1 && {
                let units = ws.channel(m.channel).map_or(1, |c| c.units);
                self.agents[agent as usize].fits_queue(&m.member, units)
            };
            let set = &mut ws.sets[m.set as usize];
            let better = better(m);
            // A better key makes the entry too bad to stand for him.
            m.in_pool &= !better;
            match (m.candidate, fits) {
                (false, true) => set.join(m, &keys),
                (true, false) => set.leave(m, keys.weight),
                (true, true) if better => {
                    set.push(m, &keys);
                    cluttered |= set.is_cluttered();
                    continue;
                }
                _ => continue,
            }
            list(set, &mut self.dirty_sets, workspace, m.set);
            if !set.lanes.is_empty() {
                changed.push(m.set);
            }
            cluttered |= set.is_cluttered();
        }
        self.agents[agent as usize].parts = parts;
        for set in changed {
            self.staff_set(workspace, set);
        }
        for at in 0..self.agents[agent as usize].own_lanes.len() {
            let lane = self.agents[agent as usize].own_lanes[at];
            self.staff(workspace, lane);
        }
        if cluttered {
            for at in 0..self.agents[agent as usize].parts.len() {
                let set = self.agents[agent as usize].parts[at].set;
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
}

impl Workspace {
    /// How a set picks: by its queue's strategy, or by the one for what nobody claimed where it is to be claimed.
    fn strategy_of(&self, queue: u32, requirement: &Requirement) -> Option<Strategy> {
        let is_unclaimed = |q: &QueueRule| requirement.unclaimed && q.strategy == Strategy::Manual;
        self.queue(queue).map(|q| if is_unclaimed(q) { q.unclaimed_strategy } else { q.strategy })
    }

    /// An agent's part in a set, if he could ever serve it.
    fn part_of(&self, set: u32, agent: &Agent) -> Option<Part> {
        let row = &self.sets[set as usize];
        let r = &row.requirement;
        let member = agent.member(row.queue)?;
        let is_able = agent.standing >> row.channel & 1 == 1
            && agent.has(&r.skills)
            && (r.teams.is_empty() || r.teams.contains(&agent.team))
            && (r.ring_team == 0 || r.ring_team - 1 == agent.team)
            && agent.config.seniority >= r.ring_seniority;
        if !is_able {
            return None;
        }
        let sum =
            |skills: &[SkillSlot]| skills.iter().map(|s| u64::from(agent.level(s.skill).unwrap_or(0))).sum::<u64>();
        let preferred = self.queue(row.queue).map_or(0, |q| sum(&q.preferred_skills));
        Some(Part {
            set,
            channel: row.channel,
            strategy: row.strategy,
            member,
            score: sum(&r.skills) << 32 | preferred,
            candidate: false,
            in_pool: false,
            share: 0,
        })
    }
}

fn fits_part(agent: &Agent, part: &Part, load: Option<&Load>) -> bool {
    let Some(load) = load else { return false };
    agent.fit >> part.channel & 1 == 1 && agent.fits_queue(&part.member, load.units)
}

/// Leases that run out within this of each other are a storm (routing.md §3).
pub(super) const STORM_MS: u64 = 10_000;

struct Opening {
    workspace: u32,
    channel: u32,
    entry: u32,
    tier: u32,
    hash: u128,
    identity: u128,
    customer: u128,
    source: u128,
    began_at: u64,
}

struct Queueing {
    queue: u32,
    set: u32,
    rule: u32,
    arrival: u64,
    queued_at: u64,
    head_start_ms: u64,
    enters: bool,
}

/// A list enters its conversation's row by its hash.
fn asked_fingerprint(skills: &[SkillSlot], key: HashKey) -> u128 {
    let mut f = Fingerprint::new(key, 23);
    for s in skills {
        f.word(u64::from(s.skill) << 8 | u64::from(s.level));
    }
    f.end()
}

fn part_mut(parts: &mut [Part], set: u32) -> Option<&mut Part> {
    parts.binary_search_by_key(&set, |m| m.set).ok().map(|at| &mut parts[at])
}

/// Lists a dirty set, once.
fn list(set: &mut RequirementSet, dirty: &mut Vec<(u32, u32)>, workspace: u32, slot: u32) {
    if set.dirty && !set.listed {
        set.listed = true;
        dirty.push((workspace, slot));
    }
}
