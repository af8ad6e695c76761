//! The tables of one workspace: its policy, agents, conversations, the line, and the rotations.

use crate::rotation::Rotation;
use engine::input::{ActorKind, Status};
use engine::policy::limits::REQUIREMENT_SETS;
use engine::policy::{AgentConfig, Channel, Policy, Queue, SkillLevel, Strategy};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Skill name -> level.
pub type Skills = BTreeMap<String, u8>;

/// Conversations with an equal one share one line and one rotation (routing.md §4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequirementSet {
    pub queue: String,
    pub required: Skills,
    pub channel: String,
}

/// Place in line: virtual arrival, arrival, creation number.
pub type Place = (i128, u64, u64);

pub struct Conversation {
    pub id: String,
    pub creation: u64,
    pub customer: Option<String>,
    pub identity: Option<u128>,
    pub entry: String,
    pub tier: Option<String>,
    pub head_start_ms: u64,
    pub epoch: u64,
    pub arrival: u64,
    pub queued_at: u64,
    pub rule: String,
    pub set: RequirementSet,
    /// What its event asked for, whatever its queue requires.
    pub asked: Skills,
    /// As its channel was when it began.
    pub live: bool,
    pub owner: Option<String>,
    pub resolved_at: Option<u64>,
    /// Counts resolves: within one millisecond too, the first resolved is the first to be closed.
    pub resolve_number: u64,
}

impl Conversation {
    pub fn is_queued(&self) -> bool {
        self.owner.is_none() && self.resolved_at.is_none()
    }

    pub fn place(&self) -> Place {
        (i128::from(self.arrival) - i128::from(self.head_start_ms), self.arrival, self.creation)
    }
}

/// What an agent holds of his capacity; all as it was when the hold was made.
pub struct Hold {
    pub conversation: String,
    pub channel: String,
    pub units: u32,
    pub live: bool,
    pub exclusive: bool,
}

/// One presence row: what one source last said of the agent.
pub struct Row {
    pub source: u128,
    pub status: Status,
    pub session: Option<u128>,
    pub sequence: Option<u64>,
}

pub struct Agent {
    pub id: String,
    pub config: AgentConfig,
    pub skills: HashMap<String, u8>,
    /// In the order of their insertion.
    pub rows: Vec<Row>,
    pub choice: Option<Status>,
    pub effective: Status,
    /// When he went away directly from online.
    pub away_since: Option<u64>,
    pub idle_since: u64,
    pub holds: Vec<Hold>,
}

impl Agent {
    pub fn used(&self) -> u32 {
        self.holds.iter().map(|hold| hold.units).sum()
    }

    pub fn meets(&self, required: &Skills) -> bool {
        required.iter().all(|(skill, level)| self.skills.get(skill).is_some_and(|has| has >= level))
    }
}

pub struct Workspace {
    pub name: String,
    /// How many there were before it.
    pub number: usize,
    pub policy: Policy,
    /// Of every queue there ever was: one that is gone keeps its last until nobody waits in it.
    pub strategies: HashMap<String, Strategy>,
    /// In the order of their creation.
    pub agents: Vec<Agent>,
    pub agent_index: HashMap<String, usize>,
    pub conversations: HashMap<String, Conversation>,
    /// Thread or contact -> its conversations by creation.
    pub identities: HashMap<u128, BTreeMap<u64, String>>,
    /// The last form of every channel there ever was: what is on one that is gone goes on as before.
    pub past_channels: HashMap<String, Channel>,
    pub waiting: BTreeMap<Place, String>,
    /// Every set there is, by its number; and the numbers.
    pub sets: Vec<Option<RequirementSet>>,
    pub set_numbers: HashMap<RequirementSet, usize>,
    /// Of sets whose queue takes turns by weight.
    pub rotations: BTreeMap<RequirementSet, Rotation>,
    /// Creation number from which queued conversations are still to be looked at under the present policy.
    pub reevaluate_from: Option<u64>,
    /// The last dispatch stopped at the step bound.
    pub left_over: bool,
    pub resolves: u64,
    /// Resolved conversations that may still be reopened, the first resolved first.
    pub resolved: BTreeMap<u64, String>,
    /// Since the last dispatch: agents of whom anything has changed, and who has newly come into line. Nobody else in
    /// line can be served now who could not be before.
    pub moved: BTreeSet<usize>,
    pub fresh: BTreeSet<String>,
}

impl Workspace {
    pub fn new(name: &str, number: usize) -> Workspace {
        Workspace {
            name: name.to_string(),
            number,
            policy: Policy::default(),
            strategies: HashMap::new(),
            agents: Vec::new(),
            agent_index: HashMap::new(),
            conversations: HashMap::new(),
            identities: HashMap::new(),
            past_channels: HashMap::new(),
            waiting: BTreeMap::new(),
            sets: Vec::new(),
            set_numbers: HashMap::new(),
            rotations: BTreeMap::new(),
            reevaluate_from: None,
            left_over: false,
            resolves: 0,
            resolved: BTreeMap::new(),
            moved: BTreeSet::new(),
            fresh: BTreeSet::new(),
        }
    }

    pub fn is_unfinished(&self) -> bool {
        self.reevaluate_from.is_some() || self.left_over
    }

    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.policy.queues.iter().find(|queue| &*queue.name == name)
    }

    /// The policy's channel of this name.
    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.policy.channels.iter().find(|channel| &*channel.name == name)
    }

    /// The same, or one that the policy had before.
    pub fn channel_ever(&self, name: &str) -> Option<&Channel> {
        self.past_channels.get(name)
    }

    pub fn units_of(&self, agent: &Agent) -> u32 {
        agent.config.units.unwrap_or(self.policy.default_units)
    }

    /// Whether the agent may be given one more conversation of this channel (routing.md §3).
    pub fn fits(&self, agent: &Agent, channel: Option<&Channel>) -> bool {
        agent.effective == Status::Online && self.has_room(agent, channel)
    }

    /// The same, wherever he is.
    pub fn has_room(&self, agent: &Agent, channel: Option<&Channel>) -> bool {
        let Some(channel) = channel else { return false };
        let holds_exclusive = agent.holds.iter().any(|hold| hold.exclusive);
        let live_of_another = agent.holds.iter().any(|hold| hold.live && *hold.channel != *channel.name);
        let any_live = agent.holds.iter().any(|hold| hold.live);
        let interrupts = if channel.live { !live_of_another } else { !any_live };
        !holds_exclusive && agent.used() + channel.units <= self.units_of(agent) && interrupts
    }

    pub fn is_candidate(&self, agent: &Agent, set: &RequirementSet) -> bool {
        self.fits(agent, self.channel_ever(&set.channel)) && agent.meets(&set.required)
    }

    /// The candidates of a set: one scan over all agents.
    pub fn candidates(&self, set: &RequirementSet) -> Vec<usize> {
        let channel = self.channel_ever(&set.channel);
        let is_candidate = |agent: &Agent| self.fits(agent, channel) && agent.meets(&set.required);
        (0..self.agents.len()).filter(|&index| is_candidate(&self.agents[index])).collect()
    }

    /// The first in line whom somebody could take.
    pub fn next_assignable(&self) -> Option<String> {
        let servable = |id: &&String| {
            let set = &self.conversations[*id].set;
            let by_mover = self.moved.iter().any(|&index| self.is_candidate(&self.agents[index], set));
            by_mover || (self.fresh.contains(*id) && self.agents.iter().any(|agent| self.is_candidate(agent, set)))
        };
        self.waiting.values().find(servable).cloned()
    }

    /// Promise 7, the long way: somebody in line whom any agent could take.
    pub fn waits_in_vain(&self) -> Option<String> {
        let mut hopeless: BTreeSet<&RequirementSet> = BTreeSet::new();
        for id in self.waiting.values() {
            let set = &self.conversations[id].set;
            if hopeless.insert(set) && self.agents.iter().any(|agent| self.is_candidate(agent, set)) {
                return Some(id.clone());
            }
        }
        None
    }

    /// The set in which a conversation of this queue and channel waits whose event asked for these skills. False: there
    /// was no room for one more, and it is the queue's own.
    pub fn set_for(&mut self, queue: &str, channel: &str, asked: &Skills) -> (RequirementSet, bool) {
        let own = self.queue(queue).map(|queue| skills_of(&queue.skills)).unwrap_or_default();
        let required = joined(&own, asked);
        let beyond_its_queue = required != own;
        let set = RequirementSet { queue: queue.into(), required, channel: channel.into() };
        if self.set_numbers.contains_key(&set) {
            return (set, true);
        }
        if beyond_its_queue && self.sets.iter().flatten().count() >= REQUIREMENT_SETS {
            let Some(number) = self.idle_set() else {
                return (self.set_for(queue, channel, &Skills::new()).0, false);
            };
            self.close_set(number);
        }
        let number = self.sets.iter().position(Option::is_none).unwrap_or_else(|| {
            self.sets.push(None);
            self.sets.len() - 1
        });
        self.sets[number] = Some(set.clone());
        self.set_numbers.insert(set.clone(), number);
        (set, true)
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
            self.waiting.values().map(|id| &self.conversations[id].set).collect();
        self.sets.iter().position(|set| {
            let Some(set) = set else { return false };
            let own = self.queue(&set.queue).map(|queue| skills_of(&queue.skills));
            !waited_in.contains(set) && own.as_ref() != Some(&set.required)
        })
    }

    pub fn strategy(&self, set: &RequirementSet) -> Strategy {
        self.strategies[&set.queue]
    }
}

pub fn skills_of(levels: &[SkillLevel]) -> Skills {
    levels.iter().map(|skill| (skill.name.to_string(), skill.level)).collect()
}

/// Both lists, with the higher level where both name a skill.
pub fn joined(one: &Skills, other: &Skills) -> Skills {
    let mut all = one.clone();
    for (skill, &level) in other {
        let slot = all.entry(skill.clone()).or_insert(level);
        *slot = level.max(*slot);
    }
    all
}

/// Who may command like a supervisor.
pub fn supervises(kind: ActorKind) -> bool {
    matches!(kind, ActorKind::Supervisor | ActorKind::System)
}
