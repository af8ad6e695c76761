//! The outside checker: it believes decisions, and nothing else, and looks for the promises of routing.md §9 in them.
//!
//! It knows neither engine: from decisions alone it keeps who owns what at which epoch and with how many units, what is
//! offered to whom, who is online and what each may hold. What cannot be seen in decisions (that the best in line was
//! taken, when a wrap-up ended) is the naive engine's to say.

use engine::decision::{
    AgentState, DecisionType, Outcome, PhaseWord, Reason, Told, ToldAgent, ToldClock, ToldConversation,
};
use engine::input::{Body, Input};
use engine::policy::{ClockKind, Policy, WrapUpMode};
use std::collections::{HashMap, HashSet};

type Name = (String, String);

#[derive(Default)]
struct Owned {
    epoch: u64,
    owner: String,
    units: u32,
    offer: Option<Offer>,
    is_open: bool,
}

/// An open offer: whom it asks, and the units it takes of him.
#[derive(Clone, Debug, PartialEq)]
struct Offer {
    number: u64,
    asked: String,
    units: u64,
}

#[derive(Default)]
struct Agent {
    /// Units of what he owns.
    work: u64,
    /// Units of the open offers that ask him: each takes at least one.
    offers: u64,
    /// Wrap-up and work of others begin and end without a decision.
    may_hold_more: bool,
    units: u64,
    /// None: the workspace's default.
    own_units: Option<u64>,
    /// May be given something.
    routable: bool,
    /// May still answer an offer.
    reachable: bool,
}

impl Agent {
    /// At least so many units are used.
    fn used(&self) -> u64 {
        self.work + self.offers
    }
}

/// A clock of a conversation, as its decisions tell it.
#[derive(Default)]
struct Clock {
    started_at: u64,
    /// Of a wait in a queue: its conversation has come to a queue again since it started.
    is_of_another_wait: bool,
    generation: u32,
    is_running: bool,
    is_paused: bool,
    /// What has fired in this generation: percents, and levels by number beside them.
    fired: HashSet<(u16, u64)>,
    percent: u16,
}

#[derive(Default)]
pub struct Checker {
    conversations: HashMap<Name, Owned>,
    agents: HashMap<Name, Agent>,
    /// Key of each event that has had an outcome.
    outcomes: HashMap<u128, Outcome>,
    /// Workspaces in which there may be wrap-up.
    wraps_up: HashSet<String>,
    /// Who has taken over the work of one that is about to be told as merged away, and is told to have both.
    heir: Option<Name>,
    last_offer: u64,
    /// By conversation and clock.
    clocks: HashMap<(Name, &'static str), Clock>,
    /// Who was given something in the step at hand.
    gained: Vec<Name>,
}

impl Checker {
    /// What an input brought: all of its decisions, those of time among them.
    pub fn step(&mut self, input: &Input, told: &[Told]) -> Result<(), String> {
        let is_mine = |told: &&Told| told.cause_id == input.id && told.cause_source == input.source;
        let of_input: Vec<&Told> = told.iter().filter(is_mine).collect();
        if told.iter().any(|told| !told.cause_id.is_empty() && !is_mine(&told)) {
            return Err("a decision names another event than the one at hand".into());
        }
        let is_duplicate = |told: &&&Told| told.reason == Reason::Duplicate;
        match of_input.iter().filter(is_duplicate).count() {
            0 => self.first_time(input, &of_input)?,
            1 if told.len() == 1 => self.again(input, &told[0])?,
            _ => return Err("a duplicate did something".into()),
        }
        self.learn(input, &of_input);
        self.hear_all(told)
    }

    pub fn tick(&mut self, told: &[Told]) -> Result<(), String> {
        if told.iter().any(|told| !told.cause_id.is_empty() || !told.cause_source.is_empty()) {
            return Err("a tick's decision names an event".into());
        }
        self.hear_all(told)
    }

    /// Every decision of a step, and what must be so at its end.
    fn hear_all(&mut self, told: &[Told]) -> Result<(), String> {
        self.gained.clear();
        told.iter().try_for_each(|told| self.hear(told))?;
        for told in told.iter().filter(|told| is_end(told.decision_type)) {
            let id = told.conversation.as_ref().map_or("", |about| &about.id);
            let name = (told.workspace.to_string(), id.to_string());
            let is_open = self.conversations.get(&name).is_some_and(|conversation| conversation.is_open);
            let mut own = self.clocks.iter().filter(|((of, _), _)| *of == name);
            if !is_open && let Some(((_, word), _)) = own.find(|(_, clock)| clock.is_running) {
                return Err(format!("{id} has ended, and its clock {word} runs"));
            }
        }
        for name in &self.gained {
            let Some(agent) = self.agents.get(name) else { continue };
            let is_told = |told: &Told| {
                told.decision_type == DecisionType::CapacityExceeded
                    && told.agent.as_ref().is_some_and(|agent| *agent.id == *name.1)
            };
            if agent.used() > agent.units && !told.iter().any(is_told) {
                return Err(format!("{} uses {} of {} units unsaid", name.1, agent.used(), agent.units));
            }
        }
        let is_lost = |name: &Name| self.agents.get(name).is_none_or(|agent| !agent.reachable);
        for ((workspace, id), conversation) in &self.conversations {
            if let Some(Offer { number, asked, .. }) = &conversation.offer
                && is_lost(&(workspace.clone(), asked.clone()))
            {
                return Err(format!("offer {number} of {id} rings for {asked}, who is gone"));
            }
        }
        Ok(())
    }

    fn first_time(&mut self, input: &Input, told: &[&Told]) -> Result<(), String> {
        let Some(first) = told.first() else {
            // Only an event of an unknown workspace is told nothing of, and it is not remembered.
            return Ok(());
        };
        let is_answer =
            |told: &&&Told| matches!(told.decision_type, DecisionType::EventRecorded | DecisionType::CommandRejected);
        let answers = told.iter().filter(is_answer).count();
        if answers > 1 {
            return Err("an event was answered twice".into());
        }
        if answers == 1 && !is_answer(&first) {
            return Err("an answer follows decisions: the event has two outcomes".into());
        }
        // Whoever had to be looked at again under a new policy may be served in the same step, whatever the answer.
        let follows = |told: &&Told| matches!(told.reason, Reason::Auto | Reason::Preferred) || is_of_clock(told);
        if first.decision_type == DecisionType::CommandRejected && !told[1..].iter().all(follows) {
            return Err("a refused command decided something".into());
        }
        let outcome = if answers == 1 { first.outcome } else { Outcome::Decided };
        self.outcomes.insert(input.key, outcome);
        Ok(())
    }

    fn again(&self, input: &Input, told: &Told) -> Result<(), String> {
        match self.outcomes.get(&input.key) {
            None => Err("called a duplicate, and never seen before".into()),
            Some(first) if *first != told.outcome => Err("a duplicate has another outcome than the first".into()),
            Some(_) if told.first.is_none() => Err("a duplicate does not say where its first outcome is".into()),
            Some(_) => Ok(()),
        }
    }

    /// What only the input states: whether the agent has units of his own, the workspace's default, whether there is
    /// wrap-up, who does other work.
    fn learn(&mut self, input: &Input, told: &[&Told]) {
        let has = |kind| told.iter().any(|told| told.decision_type == kind);
        let workspace = input.workspace.text.to_string();
        match &input.body {
            Body::AgentConfigure { agent, config, .. } if has(DecisionType::AgentChanged) => {
                let agent = self.agents.entry((workspace, agent.text.to_string())).or_default();
                agent.own_units = config.units.map(u64::from);
            }
            Body::WorkspaceConfigure { policy, .. } if has(DecisionType::WorkspaceConfigured) => {
                for ((of, _), agent) in &mut self.agents {
                    if *of == workspace && agent.own_units.is_none() {
                        agent.units = u64::from(policy.default_units);
                    }
                }
                if may_wrap_up(policy) {
                    self.wraps_up.insert(workspace);
                }
            }
            Body::AgentEngaged { agent, .. } => {
                let agent = self.agents.entry((workspace, agent.text.to_string())).or_default();
                agent.may_hold_more = true;
            }
            _ => {}
        }
    }

    fn hear(&mut self, told: &Told) -> Result<(), String> {
        if let Some(agent) = &told.agent {
            self.hear_of_agent(told, agent)?;
        }
        if let (Some(about), Some(clock)) = (&told.conversation, &told.clock) {
            self.hear_of_clock(told, about, clock)?;
        }
        match told.conversation.as_ref().filter(|_| !is_of_clock(told)) {
            Some(conversation) => self.hear_of_conversation(told, conversation),
            None => Ok(()),
        }
    }

    /// Promise 5, and that a clock's words follow each other: it starts once a generation, and ends once.
    fn hear_of_clock(&mut self, told: &Told, about: &ToldConversation, said: &ToldClock) -> Result<(), String> {
        use DecisionType::*;
        let name = (told.workspace.to_string(), about.id.to_string());
        let word = said.clock.word();
        let what = || format!("{word} {} of {} {}", said.generation, about.id, told.decision_type.word());
        let clock = self.clocks.entry((name, word)).or_default();
        let begins = told.decision_type == ClockStarted && told.reason != Reason::Updated;
        if begins {
            if said.generation != clock.generation + 1 || clock.is_running != (told.reason == Reason::Message) {
                return Err(format!("{}: it was at {} and ran: {}", what(), clock.generation, clock.is_running));
            }
            // For the same cause again: what has fired has fired.
            let is_same = clock.started_at == said.started_at && !clock.is_of_another_wait;
            let percent = if told.reason == Reason::Failed || is_same { clock.percent } else { 0 };
            let fired = if percent > 0 { std::mem::take(&mut clock.fired) } else { HashSet::new() };
            *clock = Clock { generation: said.generation, is_running: true, percent, fired, ..Clock::default() };
        } else if (said.generation, true) != (clock.generation, clock.is_running) {
            return Err(format!("{}: it is at {} and runs: {}", what(), clock.generation, clock.is_running));
        }
        // A merge may have found an older contact.
        clock.started_at = said.started_at;
        if said.target_ms == 0 || said.over_ms != said.business_ms.saturating_sub(said.target_ms) {
            return Err(format!("{}: {} ms of {}, {} over", what(), said.business_ms, said.target_ms, said.over_ms));
        }
        if said.started_at > told.time || said.started_at + said.wall_ms > told.time {
            return Err(format!("{}: it ends after now", what()));
        }
        match told.decision_type {
            ClockPaused | ClockResumed => {
                if clock.is_paused == (told.decision_type == ClockPaused) {
                    return Err(format!("{} twice", what()));
                }
                clock.is_paused = told.decision_type == ClockPaused;
            }
            ClockWarned | ClockBreached | ConversationEscalated => {
                let number = match told.decision_type {
                    ConversationEscalated => told.detail.as_ref().map_or(0, |detail| detail.number),
                    ClockBreached => u64::MAX,
                    _ => u64::MAX - 1,
                };
                if said.percent < clock.percent || !clock.fired.insert((said.percent, number)) {
                    return Err(format!("{}: {} % after {} %", what(), said.percent, clock.percent));
                }
                // While it stands only a target that has shrunk brings it beyond a threshold.
                let share_ms = said.target_ms * u64::from(said.percent) / 100;
                let is_passed = said.business_ms >= share_ms + u64::from(said.percent >= 100);
                if clock.is_paused && said.percent != clock.percent && !is_passed {
                    return Err(format!("{}: it fires while it stands", what()));
                }
                clock.percent = said.percent;
            }
            ClockCompleted => {
                let is_met = said.over_ms == 0 && clock.percent < 100;
                if is_met != (told.reason == Reason::Met) {
                    return Err(format!(
                        "{} {}: {} over at {} %",
                        what(),
                        told.reason.word(),
                        said.over_ms,
                        clock.percent
                    ));
                }
                clock.is_running = false;
            }
            ClockCancelled => clock.is_running = false,
            _ => {}
        }
        Ok(())
    }

    fn hear_of_agent(&mut self, told: &Told, about: &ToldAgent) -> Result<(), String> {
        let is_ledger = matches!(told.decision_type, DecisionType::AgentChanged | DecisionType::CapacityExceeded);
        if !is_ledger {
            return Ok(());
        }
        let name = (told.workspace.to_string(), about.id.to_string());
        let agent = self.agents.entry(name).or_default();
        if told.decision_type == DecisionType::AgentChanged {
            agent.units = u64::from(about.units);
            use AgentState::*;
            agent.routable = matches!(about.state, Available | Partly | Full);
            agent.reachable = !matches!(about.state, Offline | Away | Removed);
            if about.state == Removed {
                return Ok(());
            }
        }
        if self.heir.as_ref().is_some_and(|heir| *heir.1 == *about.id) {
            return Ok(());
        }
        let (used, said) = (agent.used(), u64::from(about.units_used));
        let is_exact = !agent.may_hold_more && agent.offers == 0;
        if said < used || (is_exact && said != used) {
            return Err(format!("{} is said to use {said} units, his holds are {used}", about.id));
        }
        if agent.units != u64::from(about.units) {
            return Err(format!("{} is said to have {} units, it should be {}", about.id, about.units, agent.units));
        }
        Ok(())
    }

    fn hear_of_conversation(&mut self, told: &Told, about: &ToldConversation) -> Result<(), String> {
        let name = (told.workspace.to_string(), about.id.to_string());
        if told.decision_type == DecisionType::ConversationOpened {
            self.clocks.retain(|(of, _), _| *of != name);
        }
        if told.decision_type == DecisionType::ConversationQueued
            && let Some(clock) = self.clocks.get_mut(&(name.clone(), ClockKind::QueueWait.word()))
        {
            clock.is_of_another_wait = true;
        }
        let before = self.conversations.remove(&name).unwrap_or_default();
        check_epoch(told, about, &before)?;
        check_state(told, about)?;
        if about.waited_ms != told.time.saturating_sub(about.arrival) {
            return Err(format!("{} waits {} ms at {} since {}", about.id, about.waited_ms, told.time, about.arrival));
        }
        let offer = self.hear_of_offer(told, about, &before)?;
        if is_outbound_opening(told) {
            let epoch = about.epoch.saturating_sub(1);
            self.conversations.insert(name, Owned { epoch, ..Owned::default() });
            return Ok(());
        }
        match told.decision_type {
            DecisionType::ConversationAssigned => self.hear_of_assignment(told, about, &before)?,
            kind if is_end(kind) || kind == DecisionType::ConversationUnassigned => {
                self.hear_of_loss(told, about, &before)?;
            }
            // The giver's ownership ends now, or when the taker has it.
            DecisionType::ConversationTransferred if about.owner.is_empty() => self.give_back(told, &before),
            _ if *about.owner != *before.owner => return Err(format!("{} changed hands unsaid", about.id)),
            kind if !about.owner.is_empty() && about.units != before.units => {
                if !may_change_units(kind) {
                    return Err(format!("{} changed its units unsaid", about.id));
                }
                self.give_back(told, &before);
                let owner = (name.0.clone(), before.owner.clone());
                if let Some(agent) = self.agents.get_mut(&owner) {
                    agent.work += u64::from(about.units);
                }
                if about.units > before.units {
                    self.gained.push(owner);
                }
            }
            _ => {}
        }
        if told.decision_type == DecisionType::ConversationMerged {
            self.heir = None;
            self.hear_of_merged_away(told, about)?;
        }
        let units = if about.owner.is_empty() { 0 } else { about.units };
        let is_open = about.state != PhaseWord::Resolved;
        let now = Owned { epoch: about.epoch, owner: about.owner.to_string(), units, offer, is_open };
        self.conversations.insert(name, now);
        Ok(())
    }

    /// The open offer after this decision: at most one, made to somebody who is there, ended once and by its name.
    fn hear_of_offer(
        &mut self,
        told: &Told,
        about: &ToldConversation,
        before: &Owned,
    ) -> Result<Option<Offer>, String> {
        let number = told.detail.as_ref().map_or(0, |detail| detail.offer);
        let whom = told.agent.as_ref().map_or("", |agent| &agent.id);
        match (told.decision_type, &before.offer) {
            (DecisionType::ConversationOffered, Some(open)) => {
                Err(format!("{} is offered while {open:?} is open", about.id))
            }
            (DecisionType::ConversationOffered, None) => self.hear_of_new_offer(told, about, number, whom).map(Some),
            (DecisionType::OfferWithdrawn, Some(open)) if open.number == number && open.asked == whom => {
                self.end_offer(told, open);
                Ok(None)
            }
            (DecisionType::OfferWithdrawn, open) => {
                Err(format!("offer {number} of {} to `{whom}` is withdrawn, open is {open:?}", about.id))
            }
            (DecisionType::ConversationAssigned, Some(open)) => {
                if told.reason != Reason::Accepted || open.asked != *about.owner {
                    return Err(format!("{} goes to {} while {open:?} is open", about.id, about.owner));
                }
                self.end_offer(told, open);
                Ok(None)
            }
            (DecisionType::ConversationAssigned, None) if told.reason == Reason::Accepted => {
                Err(format!("{} was accepted and not offered", about.id))
            }
            (kind, Some(open)) if is_end(kind) || has_no_offer(kind) => {
                Err(format!("{} goes on while {open:?} is open", about.id))
            }
            (_, open) => Ok(open.clone()),
        }
    }

    fn hear_of_new_offer(
        &mut self,
        told: &Told,
        about: &ToldConversation,
        number: u64,
        whom: &str,
    ) -> Result<Offer, String> {
        if number <= self.last_offer {
            return Err(format!("offer {number} comes after offer {}", self.last_offer));
        }
        self.last_offer = number;
        let name = (told.workspace.to_string(), whom.to_string());
        let Some(agent) = self.agents.get_mut(&name).filter(|agent| agent.routable) else {
            return Err(format!("{} is offered to `{whom}`, who is not online", about.id));
        };
        let units = if about.owner.is_empty() { u64::from(about.units).max(1) } else { 1 };
        agent.offers += units;
        if agent.used() > agent.units {
            return Err(format!("{whom} holds {} of {} units after an offer", agent.used(), agent.units));
        }
        Ok(Offer { number, asked: whom.to_string(), units })
    }

    fn end_offer(&mut self, told: &Told, open: &Offer) {
        if let Some(agent) = self.agents.get_mut(&(told.workspace.to_string(), open.asked.clone())) {
            agent.offers -= open.units;
        }
    }

    /// It ended, or was taken from its owner.
    fn hear_of_loss(&mut self, told: &Told, about: &ToldConversation, before: &Owned) -> Result<(), String> {
        if *about.previous_owner != *before.owner {
            return Err(format!("{} ended with another owner before it than it had", about.id));
        }
        if !about.owner.is_empty() || about.units != 0 {
            return Err(format!("{} ended and still has an owner", about.id));
        }
        self.give_back(told, before);
        let name = (told.workspace.to_string(), before.owner.clone());
        if self.wraps_up.contains(&*told.workspace)
            && let Some(agent) = self.agents.get_mut(&name)
        {
            agent.may_hold_more = true;
        }
        Ok(())
    }

    /// Its owner has lost it, and its offer was withdrawn before.
    fn hear_of_merged_away(&mut self, told: &Told, survivor: &ToldConversation) -> Result<(), String> {
        let other = told.detail.as_ref().map_or("", |detail| &detail.other);
        let gone = self.conversations.remove(&(told.workspace.to_string(), other.to_string())).unwrap_or_default();
        if let Some(open) = gone.offer {
            return Err(format!("{other} is merged away while {open:?} is open"));
        }
        if survivor.epoch <= gone.epoch {
            return Err(format!(
                "{other} had epoch {}, and goes on as {} with {}",
                gone.epoch, survivor.id, survivor.epoch
            ));
        }
        self.give_back(told, &gone);
        // Its id may be told of again only as that of a new one, which goes on from its epoch.
        let left = Owned { epoch: gone.epoch, ..Owned::default() };
        self.conversations.insert((told.workspace.to_string(), other.to_string()), left);
        Ok(())
    }

    fn hear_of_assignment(&mut self, told: &Told, about: &ToldConversation, before: &Owned) -> Result<(), String> {
        use Reason::*;
        let takes_over = matches!(told.reason, Supervisor | Adopted | Successor | Transfer | Accepted);
        if !before.owner.is_empty() && !takes_over {
            return Err(format!("{} is owned by {} and given to {}", about.id, before.owner, about.owner));
        }
        let is_said = *about.previous_owner == *before.owner || (before.owner.is_empty() && takes_over);
        if !is_said || about.owner.is_empty() {
            return Err(format!("{} does not say whom it was taken from, or whom it was given to", about.id));
        }
        self.give_back(told, before);
        let name = (told.workspace.to_string(), about.owner.to_string());
        let Some(agent) = self.agents.get_mut(&name) else {
            return Err(format!("{} was given to {}, of whom nothing is known", about.id, about.owner));
        };
        agent.work += u64::from(about.units);
        if told.reason == Merged {
            self.heir = Some(name.clone());
        }
        // What was offered to him was counted then.
        if told.reason != Accepted {
            self.gained.push(name);
        }
        // A fact, a supervisor and what follows from a removal or a merge may pass limits, and say so.
        if !matches!(told.reason, Auto | Preferred | Claim | Transfer | Outbound) {
            return Ok(());
        }
        if !agent.routable {
            return Err(format!("{} was given to {}, who is not online", about.id, about.owner));
        }
        if agent.used() > agent.units {
            return Err(format!("{} holds {} of {} units after {}", about.owner, agent.used(), agent.units, about.id));
        }
        Ok(())
    }

    fn give_back(&mut self, told: &Told, held: &Owned) {
        if let Some(agent) = self.agents.get_mut(&(told.workspace.to_string(), held.owner.clone())) {
            agent.work -= u64::from(held.units);
        }
    }
}

/// Told of a clock, after what is told of its conversation.
fn is_of_clock(told: &Told) -> bool {
    told.clock.is_some() && told.decision_type != DecisionType::ConversationEscalated
}

fn may_wrap_up(policy: &Policy) -> bool {
    let of_queues = policy.queues.iter().filter_map(|queue| queue.wrap_up);
    let mut all = policy.channels.iter().map(|channel| channel.wrap_up).chain(of_queues);
    all.any(|wrap_up| wrap_up.mode != WrapUpMode::None)
}

/// Decisions after which there is neither an owner nor an offer, and a hold no more.
fn is_end(kind: DecisionType) -> bool {
    matches!(
        kind,
        DecisionType::ConversationResolved
            | DecisionType::ConversationClosed
            | DecisionType::ConversationAbandoned
            | DecisionType::ConversationDeflected
    )
}

/// Told as it is after the assignment that is told next.
fn is_outbound_opening(told: &Told) -> bool {
    let opens = matches!(told.decision_type, DecisionType::ConversationOpened | DecisionType::ConversationReopened);
    opens && told.reason == Reason::Outbound
}

fn has_no_offer(kind: DecisionType) -> bool {
    matches!(kind, DecisionType::ConversationQueued | DecisionType::ConversationParked)
}

/// Dormancy lowers an owner's units, and the customer's next word raises them.
fn may_change_units(kind: DecisionType) -> bool {
    matches!(
        kind,
        DecisionType::ConversationUpdated
            | DecisionType::ConversationWoken
            | DecisionType::ConversationMerged
            | DecisionType::MessageRouted
            | DecisionType::ReplyFailed
    )
}

/// One more at each assignment and reopening, above both at a merge, and never otherwise.
fn check_epoch(told: &Told, about: &ToldConversation, before: &Owned) -> Result<(), String> {
    let rises = match told.decision_type {
        // A merge raises it above that of the one merged away, and is told of last: the withdrawal of the survivor's offer
        // and its assignment come in the middle.
        DecisionType::ConversationAssigned if told.reason == Reason::Merged => 1..=u64::MAX,
        DecisionType::ConversationAssigned | DecisionType::ConversationReopened => 1..=1,
        DecisionType::ConversationMerged => 0..=u64::MAX,
        DecisionType::OfferWithdrawn if told.reason == Reason::AcceptedElsewhere => 0..=u64::MAX,
        _ => 0..=0,
    };
    if is_outbound_opening(told) {
        return Ok(());
    }
    let is_new = told.decision_type == DecisionType::ConversationOpened;
    if !is_new && !about.epoch.checked_sub(before.epoch).is_some_and(|rise| rises.contains(&rise)) {
        return Err(format!("{} goes from epoch {} to {}", about.id, before.epoch, about.epoch));
    }
    // An id that was merged away goes on from the survivor's epoch.
    if is_new && about.epoch != 0 && about.epoch < before.epoch {
        return Err(format!("{} begins at epoch {} after {}", about.id, about.epoch, before.epoch));
    }
    Ok(())
}

/// An owner or an offer, never both, and neither where nobody has it.
fn check_state(told: &Told, about: &ToldConversation) -> Result<(), String> {
    let expected = match told.decision_type {
        DecisionType::ConversationAssigned | DecisionType::MessageRouted => PhaseWord::Assigned,
        DecisionType::ConversationQueued => PhaseWord::Queued,
        DecisionType::ConversationParked => PhaseWord::Parked,
        DecisionType::ConversationSnoozed => PhaseWord::Snoozed,
        DecisionType::ConversationOffered if told.reason != Reason::Warm => PhaseWord::Offered,
        kind if is_end(kind) => PhaseWord::Resolved,
        _ => return Ok(()),
    };
    if about.state != expected {
        return Err(format!("{} is {} after {}", about.id, about.state.word(), told.decision_type.word()));
    }
    let is_owned = !about.owner.is_empty();
    match expected {
        PhaseWord::Assigned if !is_owned => Err(format!("{} is assigned to nobody", about.id)),
        PhaseWord::Assigned | PhaseWord::Snoozed => Ok(()),
        _ if is_owned => Err(format!("{} is {} and owned by {}", about.id, expected.word(), about.owner)),
        _ => Ok(()),
    }
}
