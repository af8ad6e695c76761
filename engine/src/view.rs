//! Read-only pictures of the state, for HTTP, metrics and tests. Texts are copied; nothing here is on the engine's path.

use crate::calendar::{self, Openings};
use crate::decision::{AgentState, Turn};
use crate::effect::{ClockRow, ClockStatus, TimerKind};
use crate::input::Control;
use crate::policy::{AgentConfig, ClockKind, Policy};
use crate::state::workspace::BREACH;
use crate::state::{NONE, Phase, State};
use crate::wire::words;
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
    /// The whole ledger: offers, work, wrap-up, external work.
    pub holds: Vec<Hold>,
    /// What presence alone says, load apart.
    pub presence: AgentState,
}

words! {
    /// What a hold is for (routing.md §3).
    #[derive(Default)]
    pub enum HoldKind {
        #[default]
        Work = 0 "work",
        Offer = 1 "offer",
        WrapUp = 2 "wrap_up",
        External = 3 "external",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub kind: HoldKind,
    /// The conversation's id, or the external engagement's.
    pub reference: Text,
    pub channel: Text,
    pub units: u32,
    /// ms UTC; 0: no end of its own.
    pub until: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// ms UTC.
    pub at: u64,
    pub by: Text,
    pub text: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: Text,
    pub customer: Option<Text>,
    /// A word of `PhaseWord`.
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
    /// A word of `Turn`.
    pub turn: &'static str,
    pub priority: u8,
    pub step: u8,
    pub transfers: u32,
    /// To whom it is offered now.
    pub offered_to: Option<Text>,
    /// Id of the open offer; 0: none.
    pub offer: u64,
    /// Why it waits, a word of routing.md §5; empty where it does not.
    pub cause: &'static str,
    /// ms UTC: of the customer's oldest word that nobody has answered.
    pub unanswered_since: Option<u64>,
    /// The last 32.
    pub notes: Vec<Note>,
}

words! {
    /// How a clock stands: what has happened at its target or before it is said first.
    #[derive(Default)]
    pub enum ClockState {
        #[default]
        Running = 0 "running",
        Paused = 1 "paused",
        /// A threshold before the target has passed.
        Warned = 2 "warned",
        Breached = 3 "breached",
    }
}

/// A clock of a conversation that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    pub kind: ClockKind,
    pub state: ClockState,
    /// It stands still, whatever its state.
    pub is_paused: bool,
    pub generation: u32,
    /// ms UTC.
    pub started_at: u64,
    pub target_ms: u64,
    /// When its target is reached, ms UTC; none: it stands still, or never within the known openings.
    pub due: Option<u64>,
    /// So far: nothing subtracted, and what counts for the target.
    pub wall_ms: u64,
    pub business_ms: u64,
}

/// One of a list: of those whose customer spoke last, owned or not, or of those who wait in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// ms UTC: of his oldest word that nobody has answered; of one in a queue's list, its arrival.
    pub since: u64,
    /// Of its creation; with `since` it is an order that no two share.
    pub number: u64,
    pub queue: &'a str,
    pub channel: &'a str,
    pub owner: Option<&'a str>,
    /// Why it waits, a word of routing.md §5; empty where somebody has it.
    pub cause: &'static str,
    pub row: Row,
}

/// A conversation that is there now, to be pictured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row(u32);

/// One that waits in line, offered or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// ms UTC: its wait in this queue counts from here; a closed queue that opens moves it.
    pub queued_at: u64,
    pub service_level_ms: u64,
    /// Until then an abandon is a short one.
    pub short_until: u64,
    /// Since when its queue's time stands still, where it does.
    pub stands_since: Option<u64>,
    /// Its queue has changed, and those who wait are being looked at.
    pub is_moving: bool,
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
    /// One for each (channel, tier) with somebody waiting, offered or not.
    pub lines: Vec<Line>,
    /// (cause of routing.md §5, how many wait for it).
    pub causes: Vec<(&'static str, u64)>,
    /// Assigned conversations of this queue by channel.
    pub assigned: Vec<(Text, u64)>,
    /// Open conversations by (channel, label of `strowger_conversations`): in_bot, queued, offered, our_turn, their_turn,
    /// snoozed, parked. Of a live one that is assigned: our_turn.
    pub states: Vec<(Text, &'static str, u64)>,
    /// Arrivals of those whose customer spoke last, owned or not, by channel: the unanswered.
    pub unanswered: Vec<(Text, Vec<u64>)>,
    /// By command, above its calendar.
    pub control: Control,
    /// By command or calendar; one that drains is closed.
    pub is_open: bool,
    /// When its calendar or a command last turned it, ms UTC, if to the same side; 0: never.
    pub turned_at: u64,
    /// Clocks of its conversations that have not ended.
    pub clocks: Vec<(ClockKind, ClockState, u64)>,
    /// Largest |picked - due| over its requirement sets (weighted rotation), in thousandths of a pick.
    pub rotation_error_milli: u64,
}

/// The agent in a slot, and his workspace's name.
pub(crate) fn agent_at(state: &State, slot: u32) -> (&str, Agent) {
    let workspace = Workspace::new(state, state.agent(slot).workspace());
    (workspace.name, workspace.picture_agent(slot))
}

impl<'a> Workspace<'a> {
    pub(crate) fn new(state: &'a State, slot: u32) -> Workspace<'a> {
        let row = state.workspace(slot);
        Workspace { name: row.name(), policy: row.policy(), state, slot }
    }

    /// What is known of a calendar; none before its first expansion, when it counts as always open.
    pub fn openings(&self, calendar: &str) -> Option<&'a Openings> {
        let hash = self.state.key().hash(crate::id::Kind::Calendar, self.name, &[calendar]);
        let row = self.state.workspace(self.slot);
        row.openings(row.calendars.find(hash)?)
    }

    /// By configuration.
    pub fn agents(&self) -> Vec<Agent> {
        let there = self.state.workspace(self.slot).agents().iter().filter(|a| !self.state.agent(**a).is_removed());
        there.map(|a| self.picture_agent(*a)).collect()
    }

    pub fn agent(&self, id: &str) -> Option<Agent> {
        let hash = self.state.key().hash(crate::id::Kind::Agent, self.name, &[id]);
        self.state.find_agent(hash).map(|a| self.picture_agent(a))
    }

    fn picture_agent(&self, slot: u32) -> Agent {
        let row = self.state.agent(slot);
        let ws = self.state.workspace(self.slot);
        let mut owned: Vec<u32> = self.state.owned_by(slot).collect();
        owned.sort_unstable_by_key(|c| self.state.conversation(*c).number());
        let mut holds: Vec<Hold> = self
            .state
            .holds_of(slot)
            .map(|hold| self.state.hold(hold))
            .map(|hold| Hold {
                kind: hold.kind(),
                reference: match hold.kind() {
                    HoldKind::Work | HoldKind::Offer => self.state.texts(hold.conversation()).id.clone(),
                    HoldKind::WrapUp | HoldKind::External => hold.reference().into(),
                },
                channel: ws.channels.text(hold.channel()).into(),
                units: hold.units(),
                until: match hold.kind() {
                    HoldKind::Offer => self.state.conversation(hold.conversation()).due_at(TimerKind::Wait),
                    _ => hold.until(),
                },
            })
            .collect();
        holds.reverse();
        Agent {
            id: row.id().into(),
            config: row.config().clone(),
            state: row.told_state(),
            units_used: row.used(),
            units: row.units(),
            conversations: owned.iter().map(|c| self.state.texts(*c).id.clone()).collect(),
            idle_since: row.idle_since(),
            holds,
            presence: row.presence_state(),
        }
    }

    pub fn conversation(&self, id: &str) -> Option<Conversation> {
        let hash = self.state.key().hash(crate::id::Kind::Conversation, self.name, &[id]);
        self.state.find_conversation(hash).map(|c| self.picture_conversation(c))
    }

    fn picture_conversation(&self, slot: u32) -> Conversation {
        let row = self.state.conversation(slot);
        let ws = self.state.workspace(self.slot);
        let texts = self.state.texts(slot);
        Conversation {
            id: texts.id.clone(),
            customer: (!texts.customer.is_empty()).then(|| texts.customer.clone()),
            state: row.word().word(),
            epoch: row.epoch(),
            owner: row.owner().map(|a| self.state.agent(a).id().into()),
            queue: ws.queues.text(row.queue()).into(),
            channel: ws.channels.text(row.channel()).into(),
            entry: self.state.entry_text(slot).into(),
            tier: if row.tier() == NONE { "".into() } else { ws.tiers.text(row.tier()).into() },
            arrival: row.arrival(),
            queued_at: row.queued_at(),
            head_start_ms: row.head_start_ms(),
            turn: row.turn().word(),
            priority: row.priority(),
            step: texts.waiting.step,
            transfers: row.transfers(),
            offered_to: row.offer_hold().map(|hold| self.state.agent(self.state.hold(hold).agent()).id().into()),
            offer: row.offer(),
            cause: if row.phase() == Phase::Offered { "due" } else { self.state.why(slot) },
            unanswered_since: is_unanswered(row).then(|| row.unanswered_since()),
            notes: texts.notes.clone(),
        }
    }

    /// The channel of a conversation that is there, by its id's hash, else by who is in it.
    pub fn channel_of(&self, conversation: Option<u128>, identity: Option<u128>) -> Option<&'a str> {
        let slot = match conversation {
            Some(hash) => self.state.find_conversation(hash),
            None => self.state.find_identity(identity?),
        }?;
        let row = self.state.conversation(slot);
        let is_ours = row.workspace() == self.slot;
        is_ours.then(|| self.state.workspace(self.slot).channels.text(row.channel()))
    }

    /// What waits for an answer of ours: one look at each conversation of the workspace.
    pub fn unanswered(&self) -> Vec<Listed<'a>> {
        let ws = self.state.workspace(self.slot);
        // All in one lane wait for the same.
        let mut causes: BTreeMap<u32, &'static str> = BTreeMap::new();
        let mut all = Vec::new();
        for slot in self.state.conversations_of(self.slot) {
            let row = self.state.conversation(slot);
            if !is_unanswered(row) {
                continue;
            }
            let cause = match row.phase() {
                Phase::Queued => causes.entry(row.lane()).or_insert_with(|| self.state.why(slot)),
                Phase::Offered => "due",
                _ => "",
            };
            all.push(Listed {
                since: row.unanswered_since(),
                number: row.number(),
                queue: ws.queues.text(row.queue()),
                channel: ws.channels.text(row.channel()),
                owner: row.owner().map(|agent| self.state.agent(agent).id()),
                cause,
                row: Row(slot),
            });
        }
        all
    }

    /// Who waits in a queue, offered ones included; none: there is no such queue.
    pub fn waiting(&self, queue: &str) -> Option<Vec<Listed<'a>>> {
        let hash = self.state.key().hash(crate::id::Kind::Queue, self.name, &[queue]);
        let ws = self.state.workspace(self.slot);
        let queue = ws.queue_of(hash)?;
        let all = self.state.conversations_of(self.slot).map(|slot| (slot, self.state.conversation(slot)));
        let waits =
            all.filter(|(_, row)| row.queue() == queue && matches!(row.phase(), Phase::Queued | Phase::Offered));
        let listed = waits.map(|(slot, row)| Listed {
            since: row.arrival(),
            number: row.number(),
            queue: ws.queues.text(row.queue()),
            channel: ws.channels.text(row.channel()),
            owner: row.owner().map(|agent| self.state.agent(agent).id()),
            cause: "",
            row: Row(slot),
        });
        Some(listed.collect())
    }

    pub fn conversation_of(&self, row: Row) -> Conversation {
        self.picture_conversation(row.0)
    }

    /// What an agent owns, each with the number of its creation; none: he is not configured.
    pub fn owned_by(&self, agent: &str) -> Option<Vec<(u64, Row)>> {
        let hash = self.state.key().hash(crate::id::Kind::Agent, self.name, &[agent]);
        let agent = self.state.find_configured(hash)?;
        Some(self.state.owned_by(agent).map(|slot| (self.state.conversation(slot).number(), Row(slot))).collect())
    }

    /// A customer's conversations that have not ended, over all channels, each with the number of its creation.
    pub fn conversations_of_customer(&self, customer: &str) -> Vec<(u64, Row)> {
        let hash = self.state.key().hash(crate::id::Kind::Customer, self.name, &[customer]);
        let all = self.state.conversations_of_customer(hash).iter().copied();
        let open = all.filter(|slot| self.state.conversation(*slot).is_open());
        open.map(|slot| (self.state.conversation(slot).number(), Row(slot))).collect()
    }

    /// A conversation's clocks that have not ended, in the order of the kinds, as they stand at `now`.
    pub fn clocks(&self, id: &str, now: u64) -> Vec<Clock> {
        let hash = self.state.key().hash(crate::id::Kind::Conversation, self.name, &[id]);
        let Some(slot) = self.state.find_conversation(hash) else { return Vec::new() };
        let running = |kind: &ClockKind| {
            let clock = self.state.clock(slot, *kind);
            (clock.status != ClockStatus::Off).then(|| self.picture_clock(*kind, &clock, now))
        };
        ClockKind::ALL.iter().filter_map(running).collect()
    }

    fn picture_clock(&self, kind: ClockKind, clock: &ClockRow, now: u64) -> Clock {
        let openings = self.state.workspace(self.slot).openings(clock.calendar);
        let is_paused = clock.status == ClockStatus::Paused;
        let left_ms = clock.target_ms.saturating_sub(clock.counted_ms);
        let counted_ms = if is_paused { 0 } else { calendar::business_between(openings, clock.since, now) };
        Clock {
            kind,
            state: state_of(clock),
            is_paused,
            generation: clock.generation,
            started_at: clock.started_at,
            target_ms: clock.target_ms,
            due: calendar::reached(openings, clock.since, left_ms).filter(|_| !is_paused),
            wall_ms: now.saturating_sub(clock.started_at),
            business_ms: clock.counted_ms + counted_ms,
        }
    }

    /// How a conversation waits, by its hash; none: it does not.
    pub fn waits(&self, conversation: u128) -> Option<Waits> {
        let row = self.state.conversation(self.state.find_conversation(conversation)?);
        if !matches!(row.phase(), Phase::Queued | Phase::Offered) {
            return None;
        }
        let ws = self.state.workspace(self.slot);
        let short_ms = ws.channel(row.channel()).filter(|_| row.live()).map_or(0, |channel| channel.short_abandon_ms);
        let desk = ws.desk(row.queue());
        Some(Waits {
            queued_at: row.queued_at(),
            service_level_ms: ws.queue(row.queue()).map_or(0, |queue| queue.service_level_ms),
            short_until: row.arrival().saturating_add(short_ms),
            stands_since: stands_since(desk),
            is_moving: desk.sweep().is_some(),
        })
    }

    /// Since when the time of a queue's conversations stands still, ms UTC; none: it does not.
    pub fn stands_since(&self, queue: &str) -> Option<u64> {
        let hash = self.state.key().hash(crate::id::Kind::Queue, self.name, &[queue]);
        let ws = self.state.workspace(self.slot);
        stands_since(ws.desk(ws.queues.find(hash)?))
    }

    /// Configured queues in the policy's order, then those that are gone and still have conversations.
    pub fn queues(&self) -> Vec<Queue> {
        let ws = self.state.workspace(self.slot);
        let mut pictures: BTreeMap<u32, Picture> = BTreeMap::new();
        for (i, set) in ws.sets().iter().enumerate().filter(|(_, s)| s.is_open()) {
            let picture = pictures.entry(set.queue()).or_default();
            let error = self.state.rotation_error_milli(self.slot, i as u32);
            picture.rotation_error_milli = picture.rotation_error_milli.max(error);
        }
        // All in one lane wait for the same.
        let mut causes: BTreeMap<u32, &'static str> = BTreeMap::new();
        for slot in self.state.conversations_of(self.slot) {
            let row = self.state.conversation(slot);
            let picture = pictures.entry(row.queue()).or_default();
            match row.phase() {
                Phase::Queued => {
                    let line = picture.lines.entry((row.channel(), row.tier())).or_insert((0, u64::MAX));
                    *line = (line.0 + 1, line.1.min(row.arrival()));
                    let cause = *causes.entry(row.lane()).or_insert_with(|| self.state.why(slot));
                    *picture.causes.entry(cause).or_default() += 1;
                }
                Phase::Offered => {
                    let line = picture.lines.entry((row.channel(), row.tier())).or_insert((0, u64::MAX));
                    *line = (line.0 + 1, line.1.min(row.arrival()));
                    // Somebody is there for it, and is being asked.
                    *picture.causes.entry("due").or_default() += 1;
                }
                Phase::Assigned => *picture.assigned.entry(row.channel()).or_default() += 1,
                _ => {}
            }
            let state = match (row.phase(), row.turn()) {
                (Phase::Assigned, Turn::Theirs) => "their_turn",
                (Phase::Assigned, _) => "our_turn",
                (Phase::Resolved | Phase::Free | Phase::Moving, _) => continue,
                _ => row.word().word(),
            };
            *picture.states.entry((row.channel(), state)).or_default() += 1;
            for kind in ClockKind::ALL {
                let clock = self.state.clock(slot, *kind);
                if clock.status != ClockStatus::Off {
                    *picture.clocks.entry((*kind, state_of(&clock))).or_default() += 1;
                }
            }
            if is_unanswered(row) {
                picture.unanswered.entry(row.channel()).or_default().push(row.unanswered_since());
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

    /// A queue's members by the state that presence alone gives them: one look at each agent.
    pub fn members(&self, queue: &str) -> Vec<(AgentState, u64)> {
        self.members_by(queue, crate::state::Agent::presence_state)
    }

    /// The same by the state that is told, which knows of their load.
    pub fn members_by_load(&self, queue: &str) -> Vec<(AgentState, u64)> {
        self.members_by(queue, crate::state::Agent::told_state)
    }

    fn members_by(&self, queue: &str, state: impl Fn(&crate::state::Agent) -> AgentState) -> Vec<(AgentState, u64)> {
        let hash = self.state.key().hash(crate::id::Kind::Queue, self.name, &[queue]);
        let Some(queue) = self.state.workspace(self.slot).queues.find(hash) else { return Vec::new() };
        let mut members: BTreeMap<AgentState, u64> = BTreeMap::new();
        for agent in self.state.workspace(self.slot).agents().iter().map(|a| self.state.agent(*a)) {
            if agent.member(queue).is_some() {
                *members.entry(state(agent)).or_default() += 1;
            }
        }
        members.into_iter().collect()
    }
}

fn state_of(clock: &ClockRow) -> ClockState {
    match clock.fired {
        BREACH.. => ClockState::Breached,
        _ if clock.status == ClockStatus::Paused => ClockState::Paused,
        0 => ClockState::Running,
        _ => ClockState::Warned,
    }
}

/// Its customer spoke last, and not to a bot.
fn is_unanswered(row: &crate::state::Conversation) -> bool {
    row.is_open() && row.phase() != Phase::InBot && !row.answered() && row.unanswered_since() != 0
}

fn stands_since(desk: &crate::state::workspace::Desk) -> Option<u64> {
    (desk.is_closed() && !desk.is_draining()).then(|| desk.since())
}

#[derive(Default)]
struct Picture {
    lines: BTreeMap<(u32, u32), (u64, u64)>,
    causes: BTreeMap<&'static str, u64>,
    assigned: BTreeMap<u32, u64>,
    states: BTreeMap<(u32, &'static str), u64>,
    unanswered: BTreeMap<u32, Vec<u64>>,
    clocks: BTreeMap<(ClockKind, ClockState), u64>,
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
            states: self.states.into_iter().map(|((c, state), n)| (ws.channels.text(c).into(), state, n)).collect(),
            unanswered: self.unanswered.into_iter().map(|(c, at)| (ws.channels.text(c).into(), at)).collect(),
            control: ws.desk(queue).control(),
            is_open: !ws.desk(queue).is_closed(),
            turned_at: ws.desk(queue).turned_at(),
            clocks: self.clocks.into_iter().map(|((kind, state), count)| (kind, state, count)).collect(),
            rotation_error_milli: self.rotation_error_milli,
        }
    }
}
