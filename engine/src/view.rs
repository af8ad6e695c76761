//! Read-only pictures of the state, for HTTP, metrics and tests. Texts are copied; nothing here is on the engine's path.

use crate::decision::AgentState;
use crate::policy::{AgentConfig, Policy};
use crate::state::{NONE, Phase, State};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

type Text = Box<str>;

pub struct Workspace<'a> {
    pub name: &'a str,
    pub policy: &'a Policy,
    state: &'a State,
    slot: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: Text,
    pub config: AgentConfig,
    pub state: AgentState,
    pub units_used: u32,
    pub units: u32,
    /// Open conversations he owns, by creation.
    pub conversations: Vec<Text>,
    /// ms UTC.
    pub idle_since: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: Text,
    pub customer: Option<Text>,
    /// `queued`, `assigned` or `resolved`.
    pub state: &'static str,
    pub epoch: u64,
    pub owner: Option<Text>,
    pub queue: Text,
    pub channel: Text,
    pub entry: Text,
    pub tier: Text,
    pub arrival: u64,
    pub queued_at: u64,
    pub head_start_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub channel: Text,
    pub tier: Text,
    pub waiting: u64,
    /// ms UTC; of the longest waiting.
    pub oldest_arrival: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: Text,
    /// One for each (channel, tier) with somebody waiting.
    pub lines: Vec<Line>,
    /// (cause of routing.md §5, how many wait for it): nobody_online, no_skill_online, all_full, due.
    pub causes: Vec<(&'static str, u64)>,
    /// Assigned conversations of this queue by channel.
    pub assigned: Vec<(Text, u64)>,
    /// Largest |picked - due| over its requirement sets (weighted rotation), in thousandths of a pick.
    pub rotation_error_milli: u64,
}

impl<'a> Workspace<'a> {
    pub(crate) fn new(state: &'a State, slot: u32) -> Workspace<'a> {
        let row = state.workspace(slot);
        Workspace { name: row.name(), policy: row.policy(), state, slot }
    }

    /// By configuration.
    pub fn agents(&self) -> Vec<Agent> {
        self.state.workspace(self.slot).agents().iter().map(|a| self.picture_agent(*a)).collect()
    }

    pub fn agent(&self, id: &str) -> Option<Agent> {
        let hash = self.state.key().hash(crate::id::Kind::Agent, self.name, &[id]);
        self.state.find_agent(hash).map(|a| self.picture_agent(a))
    }

    fn picture_agent(&self, slot: u32) -> Agent {
        let row = self.state.agent(slot);
        let mut held: Vec<u32> = self.state.held_by(slot).collect();
        held.sort_unstable_by_key(|c| self.state.conversation(*c).number());
        Agent {
            id: row.id().into(),
            config: row.config().clone(),
            state: row.told_state(),
            units_used: row.used(),
            units: row.units(),
            conversations: held.iter().map(|c| self.state.texts(*c).id.clone()).collect(),
            idle_since: row.idle_since(),
        }
    }

    pub fn conversation(&self, id: &str) -> Option<Conversation> {
        let hash = self.state.key().hash(crate::id::Kind::Conversation, self.name, &[id]);
        self.state.find_conversation(hash).map(|c| self.picture_conversation(c))
    }

    /// Queued and assigned ones, by creation.
    pub fn open_conversations(&self) -> Vec<Conversation> {
        let open = self.state.conversations_of(self.slot).filter(|c| self.state.conversation(*c).is_open());
        open.map(|c| self.picture_conversation(c)).collect()
    }

    fn picture_conversation(&self, slot: u32) -> Conversation {
        let row = self.state.conversation(slot);
        let ws = self.state.workspace(self.slot);
        let texts = self.state.texts(slot);
        Conversation {
            id: texts.id.clone(),
            customer: (!texts.customer.is_empty()).then(|| texts.customer.clone()),
            state: match row.phase() {
                Phase::Queued => "queued",
                Phase::Assigned => "assigned",
                Phase::Resolved | Phase::Free => "resolved",
            },
            epoch: row.epoch(),
            owner: row.owner().map(|a| self.state.agent(a).id().into()),
            queue: ws.queues.text(row.queue()).into(),
            channel: ws.channels.text(row.channel()).into(),
            entry: self.state.entry_text(slot).into(),
            tier: if row.tier() == NONE { "".into() } else { ws.tiers.text(row.tier()).into() },
            arrival: row.arrival(),
            queued_at: row.queued_at(),
            head_start_ms: row.head_start_ms(),
        }
    }

    /// Configured queues in the policy's order, then those that are gone and still have conversations.
    pub fn queues(&self) -> Vec<Queue> {
        let ws = self.state.workspace(self.slot);
        let mut pictures: BTreeMap<u32, Picture> = BTreeMap::new();
        for (i, set) in ws.sets().iter().enumerate().filter(|(_, s)| s.is_open()) {
            let picture = pictures.entry(set.queue()).or_default();
            let error = self.state.rotation_error_milli(self.slot, i as u32);
            picture.rotation_error_milli = picture.rotation_error_milli.max(error);
            if set.waiting() > 0 {
                let cause = set.cause(ws.online());
                *picture.causes.entry(cause).or_default() += set.waiting() as u64;
            }
        }
        for slot in self.state.conversations_of(self.slot) {
            let row = self.state.conversation(slot);
            let picture = pictures.entry(row.queue()).or_default();
            match row.phase() {
                Phase::Queued => {
                    let line = picture.lines.entry((row.channel(), row.tier())).or_insert((0, u64::MAX));
                    *line = (line.0 + 1, line.1.min(row.arrival()));
                }
                Phase::Assigned => *picture.assigned.entry(row.channel()).or_default() += 1,
                Phase::Resolved | Phase::Free => {}
            }
        }
        let configured = self.policy.queues.iter().filter_map(|q| {
            let hash = self.state.key().hash(crate::id::Kind::Queue, self.name, &[&q.name]);
            ws.queues.find(hash)
        });
        let order: Vec<u32> = configured.collect();
        let gone = pictures.keys().copied().filter(|q| !order.contains(q));
        let all: Vec<u32> = order.iter().copied().chain(gone).collect();
        all.into_iter().map(|q| pictures.remove(&q).unwrap_or_default().named(ws, q)).collect()
    }
}

#[derive(Default)]
struct Picture {
    lines: BTreeMap<(u32, u32), (u64, u64)>,
    causes: BTreeMap<&'static str, u64>,
    assigned: BTreeMap<u32, u64>,
    rotation_error_milli: u64,
}

impl Picture {
    fn named(self, ws: &crate::state::Workspace, queue: u32) -> Queue {
        let line = |((channel, tier), (waiting, oldest_arrival)): ((u32, u32), (u64, u64))| Line {
            channel: ws.channels.text(channel).into(),
            tier: ws.tiers.text(tier).into(),
            waiting,
            oldest_arrival,
        };
        Queue {
            name: ws.queues.text(queue).into(),
            lines: self.lines.into_iter().map(line).collect(),
            causes: self.causes.into_iter().collect(),
            assigned: self.assigned.into_iter().map(|(c, n)| (ws.channels.text(c).into(), n)).collect(),
            rotation_error_milli: self.rotation_error_milli,
        }
    }
}
