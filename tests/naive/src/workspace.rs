//! The tables of one workspace: its policy, agents, conversations, the line, and the rotations.

use crate::agent::{Agent, HoldKind, Row};
use crate::calendars::Hours;
use crate::conversation::{Conversation, Conversations, Place};
use crate::requirement::{Requirement, RequirementSet, Ring, Skills, joined, skills_of};
use crate::rotation::Rotation;
use engine::decision::PhaseWord;
use engine::id::{HashKey, Kind};
use engine::input::{ActorKind, Control, Status};
use engine::policy::limits::REQUIREMENT_SETS;
use engine::policy::{Channel, Membership, Policy, Queue, Strategy};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What people have said about a queue, and, below that, its calendar.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueControl {
    pub control: Control,
    pub until: Option<u64>,
    pub since: u64,
    /// When it became what it is.
    pub turned_at: u64,
    /// Closed, and who waits is still served.
    pub is_draining: bool,
    /// Its calendar says that it is closed.
    pub shut: bool,
}

/// Why a queue's conversations are looked at, one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SweepKind {
    Closed,
    Unstaffed,
    /// Somebody came online.
    Staffed,
    /// Open again; the clocks of who waits in it stopped then.
    Opened {
        closed_since: u64,
        opened_at: u64,
    },
    /// Nothing but the clocks of who waits in it may mind.
    Clocks,
}

#[derive(Clone, Copy)]
pub struct Sweep {
    pub kind: SweepKind,
    /// Creation number of the next conversation.
    pub from: u64,
}

pub struct Workspace {
    pub name: String,
    /// How many there were before it.
    pub number: usize,
    pub key: HashKey,
    pub policy: Policy,
    /// The last form of every queue there ever was: one that is gone keeps it until nobody waits in it.
    pub past_queues: HashMap<String, Queue>,
    /// Their names, in the order in which they came.
    pub queue_names: Vec<String>,
    /// In the order of their creation; who is removed stays as a tombstone.
    pub agents: Vec<Agent>,
    pub agent_index: HashMap<String, usize>,
    /// Those of removed agents.
    pub tombstones: HashMap<String, usize>,
    pub conversations: Conversations,
    /// Those that left in the present step, by creation: their clocks have to be told of.
    pub departed: BTreeMap<u64, Conversation>,
    /// Those whose clocks are looked at whatever has become of them, by creation.
    pub reviewed: BTreeMap<u64, String>,
    /// What is known of calendars, by name.
    pub hours: HashMap<String, Hours>,
    /// Ids of conversations merged away -> the one they are now.
    pub aliases: HashMap<String, String>,
    /// Thread or contact -> its conversations by creation.
    pub identities: HashMap<u128, BTreeMap<u64, String>>,
    /// Threads or contacts of conversations merged away -> the one they are now.
    pub identity_aliases: HashMap<u128, String>,
    /// The last form of every channel there ever was: what is on one that is gone goes on as before.
    pub past_channels: HashMap<String, Channel>,
    pub waiting: BTreeMap<Place, String>,
    /// Every set there is, by its number; and the numbers.
    pub sets: Vec<Option<RequirementSet>>,
    pub set_numbers: HashMap<RequirementSet, usize>,
    /// Of sets whose queue takes turns by weight: one for each rank of its members.
    pub rotations: BTreeMap<RequirementSet, BTreeMap<u8, Rotation>>,
    pub controls: BTreeMap<String, QueueControl>,
    /// By queue.
    pub sweeps: BTreeMap<String, Sweep>,
    /// Distinct delays of the memberships of each queue.
    pub delays: BTreeMap<String, BTreeSet<u64>>,
    pub blocked: BTreeSet<String>,
    /// Customer -> agent.
    pub account_owners: BTreeMap<String, String>,
    /// Customer -> those who are the same person, as linked.
    pub customer_links: BTreeMap<String, Vec<String>>,
    /// Source -> when its leases expired of late, and until when it is suspect.
    pub expiries: HashMap<u128, Vec<u64>>,
    pub suspect_until: HashMap<u128, u64>,
    /// Creation number from which conversations are still to be looked at under the present policy.
    pub reevaluate_from: Option<u64>,
    /// The last dispatch stopped at the step bound.
    pub left_over: bool,
    pub resolves: u64,
    /// Resolved conversations that may still be reopened, the first resolved first.
    pub resolved: BTreeMap<u64, String>,
    /// Since the last dispatch: agents of whom anything has changed, and who has newly come into line or can newly be
    /// served. Nobody else in line can be served now who could not be before.
    pub moved: BTreeSet<usize>,
    pub fresh: BTreeSet<String>,
}

impl Workspace {
    pub fn new(name: &str, number: usize, key: HashKey) -> Workspace {
        Workspace {
            name: name.to_string(),
            number,
            key,
            policy: Policy::default(),
            past_queues: HashMap::new(),
            queue_names: Vec::new(),
            agents: Vec::new(),
            agent_index: HashMap::new(),
            tombstones: HashMap::new(),
            conversations: Conversations::default(),
            departed: BTreeMap::new(),
            reviewed: BTreeMap::new(),
            hours: HashMap::new(),
            aliases: HashMap::new(),
            identities: HashMap::new(),
            identity_aliases: HashMap::new(),
            past_channels: HashMap::new(),
            waiting: BTreeMap::new(),
            sets: Vec::new(),
            set_numbers: HashMap::new(),
            rotations: BTreeMap::new(),
            controls: BTreeMap::new(),
            sweeps: BTreeMap::new(),
            delays: BTreeMap::new(),
            blocked: BTreeSet::new(),
            account_owners: BTreeMap::new(),
            customer_links: BTreeMap::new(),
            expiries: HashMap::new(),
            suspect_until: HashMap::new(),
            reevaluate_from: None,
            left_over: false,
            resolves: 0,
            resolved: BTreeMap::new(),
            moved: BTreeSet::new(),
            fresh: BTreeSet::new(),
        }
    }

    pub fn is_unfinished(&self) -> bool {
        self.reevaluate_from.is_some() || self.left_over || !self.sweeps.is_empty()
    }

    pub fn hash(&self, kind: Kind, text: &str) -> u128 {
        self.key.hash(kind, &self.name, &[text])
    }

    // Names.

    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.policy.queues.iter().find(|queue| &*queue.name == name)
    }

    /// The same, or the last form of one that is gone.
    pub fn queue_ever(&self, name: &str) -> Option<&Queue> {
        self.past_queues.get(name)
    }

    pub fn queue_of_hash(&self, hash: u128) -> Option<String> {
        let mut queues = self.policy.queues.iter();
        queues.find(|queue| self.hash(Kind::Queue, &queue.name) == hash).map(|queue| queue.name.to_string())
    }

    pub fn tier_of_hash(&self, hash: u128) -> Option<String> {
        let mut tiers = self.policy.tiers.iter();
        tiers.find(|tier| self.hash(Kind::Tier, &tier.name) == hash).map(|tier| tier.name.to_string())
    }

    pub fn tier(&self, name: Option<&str>) -> Option<&engine::policy::Tier> {
        self.policy.tiers.iter().find(|tier| Some(&*tier.name) == name)
    }

    /// The policy's channel of this name.
    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.policy.channels.iter().find(|channel| &*channel.name == name)
    }

    /// The same, or one that the policy had before.
    pub fn channel_ever(&self, name: &str) -> Option<&Channel> {
        self.past_channels.get(name)
    }

    /// The conversation of this number: the one of this id, or one that has left in the present step.
    pub fn numbered(&self, creation: u64, id: &str) -> Option<&Conversation> {
        let found = self.conversations.get(id).filter(|found| found.creation == creation);
        found.or_else(|| self.departed.get(&creation))
    }

    /// The conversation of this id, or the one that it was merged into.
    pub fn conversation_id(&self, id: &str) -> Option<String> {
        let id = self.aliases.get(id).map_or(id, |survivor| survivor);
        self.conversations.contains_key(id).then(|| id.to_string())
    }

    // Agents.

    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.agent_index.get(id).map(|&index| &self.agents[index])
    }

    pub fn units_of(&self, agent: &Agent) -> u32 {
        agent.config.units.unwrap_or(self.policy.default_units)
    }

    /// His memberships: his own, else his team's. Empty: of every queue.
    pub fn memberships<'w>(&'w self, agent: &'w Agent) -> &'w [Membership] {
        if !agent.config.memberships.is_empty() {
            return &agent.config.memberships;
        }
        let mut teams = self.policy.teams.iter();
        let team = teams.find(|team| !agent.config.team.is_empty() && team.name == agent.config.team);
        team.map_or(&[], |team| &team.memberships)
    }

    /// His part in a queue, if he has one.
    pub fn membership(&self, agent: &Agent, queue: &str) -> Option<Membership> {
        if agent.is_removed {
            return None;
        }
        let memberships = self.memberships(agent);
        if memberships.is_empty() {
            return Some(Membership::of(queue));
        }
        memberships.iter().find(|membership| *membership.queue == *queue).cloned()
    }

    /// Those of the channels that there have been so far.
    pub fn known_channels(&self, hashes: &[u128]) -> Vec<u128> {
        let known: BTreeSet<u128> = self.past_channels.keys().map(|name| self.hash(Kind::Channel, name)).collect();
        hashes.iter().copied().filter(|hash| known.contains(hash)).collect()
    }

    /// Some lease of his allows the channel, nobody's word forbids it, and he responds.
    pub fn is_routable(&self, agent: &Agent, channel: &str) -> bool {
        agent.responds() && self.lease_allows(agent, channel)
    }

    /// He may be given something new on this channel, capacity and pacing apart.
    pub fn takes_work(&self, agent: &Agent, channel: &str) -> bool {
        !agent.is_draining && !agent.is_off_shift && self.is_routable(agent, channel)
    }

    /// The same on every channel there ever was.
    pub fn channels_of_work(&self, agent: &Agent) -> BTreeSet<String> {
        self.past_channels.keys().filter(|channel| self.takes_work(agent, channel)).cloned().collect()
    }

    /// Apart from `not_responding`.
    fn lease_allows(&self, agent: &Agent, channel: &str) -> bool {
        let names_it = |channels: &Vec<u128>| channels.contains(&self.hash(Kind::Channel, channel));
        let allows = |row: &Row| row.status == Status::Online && row.channels.as_ref().is_none_or(names_it);
        agent.effective == Status::Online && agent.stands_on(channel) && agent.rows.iter().any(allows)
    }

    /// The channels on which presence lets him be given something.
    pub fn channels_allowed(&self, agent: &Agent) -> BTreeSet<String> {
        self.past_channels.keys().filter(|channel| self.lease_allows(agent, channel)).cloned().collect()
    }

    /// Whether one more conversation of this queue and channel is within all limits of the agent, wherever he is and
    /// whatever he was given just now (routing.md §3).
    pub fn has_room(&self, agent: &Agent, queue: &str, channel: &str) -> bool {
        self.channel_ever(channel).is_some_and(|found| self.has_room_for(agent, queue, channel, found.units))
    }

    pub fn has_room_for(&self, agent: &Agent, queue: &str, channel: &str, units: u32) -> bool {
        let Some(wanted) = self.channel_ever(channel) else { return false };
        if agent.used() + units > self.units_of(agent) {
            return false;
        }
        let own_limit = agent.config.limits.iter().find(|limit| *limit.channel == *channel).map(|limit| limit.max);
        let limit = own_limit.unwrap_or(wanted.limit);
        let occupying = agent.holds.iter().filter(|hold| hold.kind != HoldKind::WrapUp);
        let of_channel = occupying.clone().filter(|hold| hold.channel == channel).count();
        if limit > 0 && of_channel >= limit as usize {
            return false;
        }
        let admits = |held: &str| {
            let Some(other) = self.channel_ever(held) else { return true };
            let interrupted = match &other.interrupts {
                Some(channels) => channels.iter().any(|name| **name == *channel),
                None => !other.live,
            };
            held == channel || interrupted
        };
        if agent.holds_exclusive() || !occupying.into_iter().all(|hold| admits(&hold.channel)) {
            return false;
        }
        let max_units = self.membership(agent, queue).map_or(0, |membership| membership.max_units);
        let of_queue = agent.holds.iter().filter(|hold| hold.kind != HoldKind::External && hold.queue == queue);
        max_units == 0 || of_queue.map(|hold| hold.units).sum::<u32>() + units <= max_units
    }

    /// Whether matching may give him one more now.
    pub fn fits(&self, agent: &Agent, queue: &str, channel: &str) -> bool {
        agent.is_online()
            && agent.responds()
            && !agent.is_draining
            && !agent.is_off_shift
            && !agent.paced.contains(channel)
            && self.has_room(agent, queue, channel)
            && self.is_routable(agent, channel)
    }

    /// Whether he is a member who meets it, wherever he is and whatever he holds.
    pub fn is_able(&self, agent: &Agent, queue: &str, requirement: &Requirement) -> bool {
        agent.meets(requirement) && self.membership(agent, queue).is_some()
    }

    /// A candidate of the set, whatever a single conversation has against him.
    pub fn is_candidate(&self, agent: &Agent, set: &RequirementSet) -> bool {
        self.is_able(agent, &set.queue, &set.requirement) && self.fits(agent, &set.queue, &set.channel)
    }

    /// The hours in which he works, by a calendar that there is.
    pub fn shifts_of(&self, agent: &Agent) -> Option<&Hours> {
        let is_configured = self.policy.calendars.iter().any(|own| own.name == agent.config.shifts);
        self.hours.get(&*agent.config.shifts).filter(|_| is_configured)
    }

    pub fn has_online_member(&self, queue: &str) -> bool {
        let is_at_work = |agent: &&Agent| agent.is_online() && !agent.is_off_shift;
        self.agents.iter().filter(is_at_work).any(|agent| self.membership(agent, queue).is_some())
    }

    // Queues.

    /// Its control, or what is so without one.
    pub fn control_of(&self, queue: &str) -> QueueControl {
        self.controls.get(queue).copied().unwrap_or_default()
    }

    /// Outside its business hours.
    pub fn is_shut_by_calendar(&self, queue: &str, now: u64) -> bool {
        let hours = self.queue(queue).and_then(|queue| self.hours.get(&*queue.calendar));
        hours.is_some_and(|hours| !hours.is_open(now))
    }

    pub fn is_closed(&self, queue: &str) -> Option<Control> {
        let control = self.controls.get(queue)?;
        match control.control {
            Control::Open => None,
            Control::None => control.shut.then_some(Control::Closed),
            Control::Closed | Control::Emergency => Some(control.control),
        }
    }

    /// Who waits in it may be served.
    pub fn is_served(&self, queue: &str) -> bool {
        self.is_closed(queue).is_none() || self.controls.get(queue).is_some_and(|control| control.is_draining)
    }

    pub fn strategy(&self, set: &RequirementSet) -> Strategy {
        let queue = self.queue_ever(&set.queue);
        let strategy = queue.map_or(Strategy::default(), |queue| queue.strategy);
        match (strategy, set.unclaimed) {
            (Strategy::Manual, true) => queue.map_or(Strategy::default(), |queue| queue.unclaimed_strategy),
            (strategy, _) => strategy,
        }
    }

    // Matching.

    /// Whether the agent may be given this conversation, which waits (routing.md §4).
    pub fn is_eligible(&self, agent: &Agent, conversation: &Conversation) -> bool {
        let Some(set) = &conversation.set else { return false };
        if conversation.is_left_out(&agent.id) || !self.is_staffed(set) {
            return false;
        }
        if let Some(preference) = &conversation.preference {
            return preference.agent == agent.id && self.fits(agent, &set.queue, &set.channel);
        }
        let Some(membership) = self.membership(agent, &set.queue) else { return false };
        membership.delay_ms <= conversation.stage_ms
            && agent.meets(&set.requirement)
            && self.fits(agent, &set.queue, &set.channel)
    }

    /// Whether the engine gives anything out of this set at all.
    pub fn is_staffed(&self, set: &RequirementSet) -> bool {
        self.strategy(set) != Strategy::Manual && self.is_served(&set.queue)
    }

    pub fn eligible(&self, conversation: &Conversation) -> Vec<usize> {
        (0..self.agents.len()).filter(|&index| self.is_eligible(&self.agents[index], conversation)).collect()
    }

    pub fn priority_for(&self, agent: &Agent, queue: &str) -> u8 {
        self.membership(agent, queue).unwrap_or(Membership::of(queue)).priority
    }

    pub fn rank_in(&self, agent: &Agent, queue: &str) -> u8 {
        self.membership(agent, queue).unwrap_or(Membership::of(queue)).rank
    }

    /// He serves lower priorities first: nothing that he may be given stands in a line of a lower one.
    fn is_willing(&self, agent: &Agent, queue: &str) -> bool {
        let priority = self.priority_for(agent, queue);
        let mut lower = self.memberships(agent).iter().filter(|membership| membership.priority < priority).peekable();
        if lower.peek().is_none() && priority <= Membership::of("").priority {
            return true;
        }
        let comes_first = |id: &String| {
            let conversation = &self.conversations[id];
            self.priority_for(agent, &conversation.queue) < priority && self.is_eligible(agent, conversation)
        };
        !self.waiting.values().any(comes_first)
    }

    /// The first in line whom somebody could and would take, and all who would.
    pub fn next_assignable(&self) -> Option<(String, Vec<usize>)> {
        for id in self.waiting.values() {
            let conversation = &self.conversations[id];
            let eligible = if self.fresh.contains(id) {
                self.eligible(conversation)
            } else {
                let of_moved = |index: &usize| self.is_eligible(&self.agents[*index], conversation);
                self.moved.iter().copied().filter(of_moved).collect()
            };
            let would = |index: &usize| self.is_willing(&self.agents[*index], &conversation.queue);
            let willing: Vec<usize> = eligible.into_iter().filter(would).collect();
            if !willing.is_empty() {
                return Some((id.clone(), willing));
            }
        }
        None
    }

    /// Promise 7, the long way: somebody in line whom any agent could take.
    pub fn waits_in_vain(&self) -> Option<String> {
        let servable = |id: &&String| {
            let conversation = &self.conversations[*id];
            self.agents.iter().any(|agent| self.is_eligible(agent, conversation))
        };
        self.waiting.values().find(servable).cloned()
    }

    // Requirement sets.

    /// What a queue asks for somebody who has come to these relaxation steps.
    pub fn requirement(
        &self,
        queue: &str,
        asked: &Skills,
        steps: &BTreeSet<usize>,
        first_ring: Option<&str>,
    ) -> Requirement {
        let Some(queue) = self.queue(queue) else { return Requirement::default() };
        let mut skills = joined(&skills_of(&queue.skills), asked);
        let mut teams = &queue.teams;
        for step in steps.iter().filter_map(|&step| queue.steps.get(step)) {
            for dropped in &step.drop {
                skills.remove(&**dropped);
            }
            for lowered in &step.lower {
                if let Some(level) = skills.get_mut(&*lowered.name) {
                    *level = lowered.level.min(*level);
                }
            }
            if let Some(widened) = &step.teams {
                teams = widened;
            }
        }
        let ring = self
            .tier(first_ring)
            .and_then(|tier| tier.first_ring.as_ref())
            .map(|ring| Ring { team: ring.team.to_string(), seniority_at_least: ring.seniority_at_least });
        Requirement { skills, teams: teams.iter().map(|team| team.to_string()).collect(), ring }
    }

    /// What this conversation asks for at its present step, were these the skills asked of it.
    pub fn requirement_of(&self, conversation: &Conversation, asked: &Skills) -> Requirement {
        let ring = conversation.first_ring.then_some(conversation.tier.as_deref()).flatten();
        self.requirement(&conversation.queue, asked, &conversation.steps_applied, ring)
    }

    /// What it would ask for at the start of a wait in this queue.
    pub fn requirement_at_entry(&self, conversation: &Conversation, queue: &str) -> Requirement {
        self.requirement(queue, &conversation.asked, &BTreeSet::new(), conversation.tier.as_deref())
    }

    /// The set in which the conversation waits. False: there was no room for the skills that it asks for.
    pub fn set_for(&mut self, conversation: &str) -> (RequirementSet, bool) {
        let asking = &self.conversations[conversation];
        let set_of = |asked: &Skills| RequirementSet {
            queue: asking.queue.clone(),
            requirement: self.requirement_of(asking, asked),
            channel: asking.channel.clone(),
            unclaimed: asking.unclaimed,
        };
        let (full, own) = (set_of(&asking.asked), set_of(&Skills::new()));
        if self.set_numbers.contains_key(&full) {
            return (full, true);
        }
        let mut has_room = true;
        if full != own && self.sets.iter().flatten().count() >= REQUIREMENT_SETS {
            match self.idle_set() {
                Some(number) => self.close_set(number),
                None => has_room = false,
            }
        }
        let set = if has_room { full } else { own };
        if !self.set_numbers.contains_key(&set) {
            let number = self.sets.iter().position(Option::is_none).unwrap_or_else(|| {
                self.sets.push(None);
                self.sets.len() - 1
            });
            self.sets[number] = Some(set.clone());
            self.set_numbers.insert(set.clone(), number);
        }
        (set, has_room)
    }

    fn close_set(&mut self, number: usize) {
        if let Some(closed) = self.sets[number].take() {
            self.set_numbers.remove(&closed);
            self.rotations.remove(&closed);
        }
    }

    /// Under a new policy: sets that only the one before had, and those of events, where nobody waits in them.
    pub fn close_idle_sets(&mut self) {
        while let Some(number) = self.idle_set() {
            self.close_set(number);
        }
    }

    /// The first set that may give its place to another: nobody waits in it, and it is not a queue's own.
    fn idle_set(&self) -> Option<usize> {
        let waited_in: BTreeSet<&RequirementSet> =
            self.conversations.values().filter(|c| c.waits()).filter_map(|c| c.set.as_ref()).collect();
        self.sets.iter().position(|set| set.as_ref().is_some_and(|set| !waited_in.contains(set) && !self.is_own(set)))
    }

    /// What the queue asks for at its start, without any tier or event.
    fn is_own(&self, set: &RequirementSet) -> bool {
        let none = (Skills::new(), BTreeSet::new());
        self.queue(&set.queue).is_some()
            && !set.unclaimed
            && self.requirement(&set.queue, &none.0, &none.1, None) == set.requirement
    }

    /// Open conversations by creation.
    pub fn by_creation(&self) -> Vec<String> {
        let mut all: Vec<&Conversation> = self.conversations.values().collect();
        all.sort_by_key(|conversation| conversation.creation);
        all.into_iter().map(|conversation| conversation.id.clone()).collect()
    }

    pub fn waiting_in(&self, queue: &str) -> usize {
        self.conversations.values().filter(|c| c.waits() && c.queue == queue).count()
    }

    /// The customer and all who are linked with him, over any number of links, the nearest first.
    pub fn same_customers(&self, customer: &str) -> Vec<String> {
        let mut same = vec![customer.to_string()];
        let mut visited = 0;
        while visited < same.len() {
            for other in self.customer_links.get(&same[visited]).into_iter().flatten() {
                if !same.contains(other) {
                    same.push(other.clone());
                }
            }
            visited += 1;
        }
        same
    }

    /// Conversations in any phase that the agent owns, by creation.
    pub fn owned_by(&self, agent: &str) -> Vec<String> {
        let owned = |id: &String| self.conversations[id].owner.as_deref() == Some(agent);
        self.by_creation().into_iter().filter(owned).collect()
    }

    pub fn is_in_line(&self, id: &str) -> bool {
        self.conversations.get(id).is_some_and(|conversation| conversation.phase == PhaseWord::Queued)
    }
}

/// Who may command like a supervisor.
pub fn supervises(kind: ActorKind) -> bool {
    matches!(kind, ActorKind::Supervisor | ActorKind::System)
}
