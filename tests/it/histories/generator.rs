//! Histories from a seed: a small contact center drawn at random, and what happens in it, in an order no real one has.
//!
//! The centre is kept small (a few agents, customers, threads, ids) so that things meet: claims hit what others own,
//! offers are accepted late and by others, messages come to what is resolved, sources disagree about one agent, time
//! stops a millisecond before a deadline. What is there to be commanded is heard from decisions (`world.rs`), so a
//! history is made while it is played; it is kept as a list of moves, which can then be played again without some.

use super::drawn_policy::{self, CALENDARS, CHANNELS, ENTRIES, QUEUES, SKILLS, TIERS, Taste};
use super::events::Sender;
use super::world::{Seen, World};
use engine::Limits;
use engine::decision::{PhaseWord, Told};
use engine::id::Kind;
use engine::input::{ActorKind, Body, By, Contact, Control, EventType, Input, Status, SurveyKind, Target};
use engine::policy::Policy;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

pub const LANGUAGES: [&str; 2] = ["de", "fr"];
const SOURCES: [&str; 3] = ["desk", "phone", "app"];
const ATTRIBUTES: [(&str, &str); 3] = [("topic", "billing"), ("topic", "other"), ("new", "true")];
const CUSTOMERS: u32 = 7;
const AT_DEADLINES_MS_MAX: u64 = 180_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// One input at a time: how time came to it, and how many ticks follow it.
#[derive(Clone, Debug)]
pub struct Move {
    pub input: Input,
    pub now: u64,
    pub before: Before,
    pub ticks: Ticks,
    /// The shard falls behind its log, or has caught up, just before it.
    pub behind: Option<bool>,
    /// The record ends after it.
    pub seal: bool,
    pub restart: Restart,
}

/// What fires before the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// Everything due, each at its own deadline: as while behind.
    AtDeadlines,
    /// Everything due, at the input's time: as at the end of the log.
    Late,
    /// Nothing: no shard does that, and both engines must still agree.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ticks {
    /// Until nothing is due: what the shard does.
    All,
    /// Fewer than are wanted, so that the next input meets what is left over.
    AtMost(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    None,
    /// Another engine takes the state over from effects.
    Recovered,
    /// And its first step is that of a claim.
    Claimed,
}

/// Words of leases that may be said again.
const LEASES_REMEMBERED: usize = 6;

pub struct Generator {
    rng: ChaCha8Rng,
    senders: Vec<Sender>,
    policies: Vec<Policy>,
    worlds: Vec<World>,
    taste: Taste,
    agents: usize,
    now: u64,
    /// What has been sent, for duplicates.
    sent: Vec<Input>,
    /// The typical step of time of this history.
    pace_ms: u64,
    sequence: u64,
    is_behind: bool,
    /// Customers who were said to be one.
    linked: Vec<(String, String)>,
    /// One agent with more devices than he may have sources.
    has_many_devices: bool,
    /// The last words of leases, by workspace.
    leased: Vec<Vec<Input>>,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let workspaces = if rng.random_ratio(1, 6) { 2 } else { 1 };
        let senders: Vec<Sender> = ["acme", "globex"][..workspaces].iter().map(|name| Sender::new(name)).collect();
        let taste = Taste::drawn(&mut rng);
        let policies = senders.iter().map(|_| drawn_policy::policy(&mut rng, 1, taste)).collect();
        let has_many_devices = rng.random_ratio(1, 12);
        let agents = if has_many_devices { 1 } else { rng.random_range(1..=9) };
        let pace_ms = *[0, 1, 400, 5_000, 60_000].choose(&mut rng).unwrap_or(&1);
        Generator {
            rng,
            worlds: senders.iter().map(|_| World::default()).collect(),
            leased: senders.iter().map(|_| Vec::new()).collect(),
            senders,
            policies,
            taste,
            agents,
            now: 1_700_000_000_000,
            sent: Vec::new(),
            pace_ms,
            sequence: 0,
            is_behind: false,
            linked: Vec::new(),
            has_many_devices,
        }
    }

    pub fn limits(&mut self) -> Limits {
        let mut limits = Limits::default();
        if self.rng.random_ratio(1, 4) {
            limits.idempotency_max = self.rng.random_range(1..60);
        }
        if self.rng.random_ratio(1, 4) {
            limits.idempotency_window_ms = self.rng.random_range(0..60_000);
        }
        limits
    }

    /// What the last move brought about.
    pub fn hear(&mut self, told: &[Told]) {
        for (world, sender) in self.worlds.iter_mut().zip(&self.senders) {
            world.hear(told, &sender.workspace);
        }
    }

    /// The next thing that happens. `deadline`: when the engine wants a tick next.
    pub fn next(&mut self, deadline: Option<u64>) -> Move {
        let at = self.rng.random_range(0..self.senders.len());
        let before = self.now;
        self.pass_time(deadline);
        let passed_ms = self.now - before;
        let opening = self.sent.len();
        let mut input = match opening {
            0 => self.senders[at].configure(self.policies[at].clone(), None),
            _ if opening <= self.agents => self.configure_agent(at, opening - 1),
            _ if opening <= 2 * self.agents && self.rng.random_ratio(2, 3) => {
                let agent = format!("a{}", opening - self.agents - 1);
                self.senders[at].presence(&agent, Status::Online, By::Agent)
            }
            _ => self.anything(at),
        };
        let is_duplicate = self.sent.iter().rev().take(64).any(|sent| sent.key == input.key);
        if !is_duplicate {
            input.time = self.event_time();
            if self.rng.random_ratio(1, 30) {
                input.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
            }
        }
        self.sent.push(input.clone());
        let ticks = match self.rng.random_range(0..20) {
            0 => Ticks::AtMost(0),
            1 => Ticks::AtMost(1),
            _ => Ticks::All,
        };
        let behind = self.rng.random_ratio(1, 60).then(|| {
            self.is_behind = !self.is_behind;
            self.is_behind
        });
        let before = match self.rng.random_range(0..40) {
            0 => Before::Nothing,
            1..=12 => Before::Late,
            // Alarms that come again every few seconds would take all the time of the test.
            _ if passed_ms > AT_DEADLINES_MS_MAX => Before::Late,
            _ => Before::AtDeadlines,
        };
        let restart = match self.rng.random_range(0..80) {
            0 => Restart::Recovered,
            1 => Restart::Claimed,
            _ => Restart::None,
        };
        // Time as the shard sees it may stand behind the engine's: it must not fall.
        let skew = if self.rng.random_ratio(1, 25) { self.rng.random_range(0..10_000) } else { 0 };
        let seal = self.rng.random_ratio(2, 3);
        Move { input, now: self.now - skew, before, ticks, behind, seal, restart }
    }

    fn pass_time(&mut self, deadline: Option<u64>) {
        let ahead = deadline.filter(|deadline| *deadline > self.now);
        self.now = match (self.rng.random_range(0..200), ahead) {
            (0, _) => self.now + self.rng.random_range(0..40) * DAY_MS,
            (1..=3, _) => self.now + self.rng.random_range(0..30) * HOUR_MS,
            (4..=15, _) => self.now + self.rng.random_range(0..120_000),
            (16..=80, _) => self.now,
            // Just before the deadline, at it, just after it.
            (81..=120, Some(deadline)) if deadline - self.now < HOUR_MS || self.rng.random_ratio(1, 8) => {
                deadline + self.rng.random_range(0..3) - 1
            }
            _ => self.now + self.rng.random_range(0..=self.pace_ms),
        };
    }

    fn event_time(&mut self) -> Option<u64> {
        match self.rng.random_range(0..20) {
            0..=4 => None,
            5 => Some(self.now + self.rng.random_range(0..HOUR_MS)),
            6 => Some(self.now - self.rng.random_range(0..3 * DAY_MS)),
            7..=12 => Some(self.now - self.rng.random_range(0..300_000)),
            _ => Some(self.now - self.rng.random_range(0..3_000)),
        }
    }

    fn anything(&mut self, at: usize) -> Input {
        match self.rng.random_range(0..1_020) {
            0..=179 => self.message(at),
            180..=279 => self.contact(at),
            280..=319 => self.contact_ends(at),
            320..=399 => self.message_sent(at),
            400..=409 => self.status(at),
            410..=424 => self.connected(at),
            425..=554 => self.presence(at),
            555..=584 => self.claim(at),
            585..=609 => self.assign(at),
            610..=669 => self.resolve(at),
            670..=729 => self.accept(at),
            730..=769 => self.decline(at),
            770..=789 => self.wrapped_up(at),
            790..=804 => self.handoff(at),
            805..=839 => self.transfer(at),
            840..=899 => self.owner_command(at),
            900..=909 => self.merge(at),
            910..=919 => self.customer(at),
            920..=931 => self.engagement(at),
            932..=936 => self.heartbeat(at),
            937..=946 => self.outbound(at),
            947..=953 => self.remove(at),
            954..=959 => {
                let (agent, drain) = (self.agent(), self.rng.random_ratio(1, 2));
                self.senders[at].drain(&agent, drain)
            }
            960..=967 => self.control(at),
            968..=975 => {
                let agent = self.rng.random_range(0..self.agents);
                self.configure_agent(at, agent)
            }
            976..=981 => self.reconfigure(at),
            982..=991 => self.duplicate(),
            1_000.. => self.expand(at),
            _ => self.odd(at),
        }
    }

    fn agent(&mut self) -> String {
        let known = self.rng.random_range(0..self.agents);
        if self.rng.random_ratio(1, 40) { "stranger".into() } else { format!("a{known}") }
    }

    /// A conversation that is there, in one of these states if any is; else one that was, or that nobody ever heard of.
    fn conversation_in(&mut self, at: usize, states: &[PhaseWord]) -> (String, Seen) {
        let world = &self.worlds[at];
        let wanted = world.in_state(states);
        let wanted = if wanted.is_empty() { world.open() } else { wanted };
        let picked = wanted.choose(&mut self.rng).cloned();
        match (self.rng.random_range(0..16), picked) {
            (0, _) => (format!("k{}", self.rng.random_range(0..8)), Seen::default()),
            (1, _) => {
                let resolved = self.worlds[at].in_state(&[PhaseWord::Resolved]);
                resolved.choose(&mut self.rng).cloned().unwrap_or(("gone".into(), Seen::default()))
            }
            (_, Some(found)) => found,
            (_, None) => ("nothing".into(), Seen::default()),
        }
    }

    fn conversation(&mut self, at: usize) -> (String, Seen) {
        self.conversation_in(at, &[])
    }

    /// Now and then the command says which epoch it has seen.
    fn expecting(&mut self, at: usize, input: Input, epoch: u64) -> Input {
        match self.rng.random_range(0..10) {
            0 => {
                let epoch = self.rng.random_range(0..5);
                self.senders[at].expecting(input, epoch)
            }
            1..=3 => self.senders[at].expecting(input, epoch),
            _ => input,
        }
    }

    /// The owner as a rule, else anybody that may say something.
    fn acting(&mut self, at: usize, input: Input, owner: Option<&str>) -> Input {
        let agent = self.agent();
        let sender = &self.senders[at];
        match (self.rng.random_range(0..10), owner) {
            (0, _) => sender.by(input, ActorKind::Agent, &agent),
            (1, _) => sender.by(input, ActorKind::System, "strowger"),
            (2, _) => sender.by(input, ActorKind::Bot, "bot"),
            (3, _) => Input { actor: None, ..input },
            (4 | 5, _) | (_, None) => sender.by(input, ActorKind::Supervisor, "boss"),
            (_, Some(owner)) => sender.by(input, ActorKind::Agent, owner),
        }
    }

    fn customer_name(&mut self) -> String {
        format!("cu{}", self.rng.random_range(0..CUSTOMERS))
    }

    fn skills(&mut self, count: usize) -> Vec<(&'static str, u8)> {
        let mut skills: Vec<(&str, u8)> = Vec::new();
        for _ in 0..count {
            let skill = SKILLS.choose(&mut self.rng).copied().unwrap_or_default();
            if skills.iter().all(|(known, _)| *known != skill) {
                skills.push((skill, self.rng.random_range(0..=6)));
            }
        }
        skills
    }

    fn describe(&mut self, at: usize, channel: &str) -> Contact {
        let entry = ENTRIES.choose(&mut self.rng).unwrap_or(&"");
        let customer = self.rng.random_ratio(5, 6).then(|| self.customer_name());
        let thread = self.rng.random_ratio(1, 5).then(|| format!("t{}", self.rng.random_range(0..4)));
        let skills = if self.rng.random_ratio(1, 4) { self.skills(1) } else { Vec::new() };
        let sender = &self.senders[at];
        let rng = &mut self.rng;
        let mut contact = sender.contact(channel, entry, customer.as_deref(), thread.as_deref());
        if rng.random_ratio(1, 3) {
            contact.tier = TIERS.choose(rng).map(|tier| sender.hash(Kind::Tier, &[tier]));
        }
        if rng.random_ratio(1, 3) {
            contact.language = LANGUAGES.choose(rng).map(|language| sender.hash(Kind::Language, &[language]));
        }
        if rng.random_ratio(1, 3) {
            let (key, value) = ATTRIBUTES.choose(rng).copied().unwrap_or_default();
            contact.attributes.push(sender.hash(Kind::Attribute, &[key, value]));
        }
        contact = sender.requiring(contact, &skills);
        if rng.random_ratio(1, 5) {
            let (name, _) = self.conversation(at);
            contact.conversation = Some(self.senders[at].id(Kind::Conversation, &name));
        }
        contact
    }

    fn channel(&mut self, usual: std::ops::Range<usize>) -> &'static str {
        let range = if self.rng.random_ratio(4, 5) { usual } else { 0..CHANNELS.len() };
        CHANNELS[self.rng.random_range(range)]
    }

    fn message(&mut self, at: usize) -> Input {
        let channel = self.channel(2..6);
        let mut contact = self.describe(at, channel);
        // Where something is snoozed, resolved or answered, its customer likes to write again.
        if self.rng.random_ratio(1, 4) {
            let states = [PhaseWord::Snoozed, PhaseWord::Parked, PhaseWord::Resolved, PhaseWord::Assigned];
            let (id, seen) = self.conversation_in(at, &states);
            contact.conversation = Some(self.senders[at].id(Kind::Conversation, &id));
            if !seen.customer.is_empty() {
                contact.customer = Some(self.senders[at].id(Kind::Customer, &seen.customer));
            }
        }
        let opens = self.rng.random_ratio(7, 8);
        self.senders[at].received(contact, opens)
    }

    fn contact(&mut self, at: usize) -> Input {
        let channel = self.channel(0..2);
        let contact = self.describe(at, channel);
        self.senders[at].started(contact)
    }

    fn outbound(&mut self, at: usize) -> Input {
        let channel = self.channel(0..6);
        let contact = self.describe(at, channel);
        let agent = self.agent();
        let input = self.senders[at].opened(contact, &agent);
        if self.rng.random_ratio(1, 6) { self.acting(at, input, None) } else { input }
    }

    fn contact_ends(&mut self, at: usize) -> Input {
        let by = *[ActorKind::Customer, ActorKind::Agent, ActorKind::System]
            .choose(&mut self.rng)
            .unwrap_or(&ActorKind::Bot);
        if self.rng.random_ratio(1, 4) {
            let contact = self.describe(at, "voice");
            let body = Body::ContactEnded { conversation: None, identity: contact.identity, by };
            return self.senders[at].input(EventType::ContactEnded, body);
        }
        let (id, _) = self.conversation(at);
        self.senders[at].ended(&id, by)
    }

    fn message_sent(&mut self, at: usize) -> Input {
        let mentions = if self.rng.random_ratio(1, 8) { vec![self.agent()] } else { Vec::new() };
        let mentions: Vec<&str> = mentions.iter().map(String::as_str).collect();
        if self.rng.random_ratio(1, 6) {
            let identity = self.describe(at, "whatsapp").identity;
            return self.senders[at].message_sent(None, identity, false, &mentions);
        }
        let (id, seen) = self.conversation_in(at, &[PhaseWord::Assigned, PhaseWord::Assigned, PhaseWord::Snoozed]);
        let answers = self.rng.random_ratio(4, 5);
        let input = self.senders[at].message_sent(Some(&id), None, answers, &mentions);
        if !answers {
            return input;
        }
        let agent = self.agent();
        match (self.rng.random_range(0..8), seen.owner) {
            (0, _) => self.senders[at].by(input, ActorKind::Supervisor, "boss"),
            (1..=5, Some(owner)) => self.senders[at].by(input, ActorKind::Agent, &owner),
            _ => self.senders[at].by(input, ActorKind::Agent, &agent),
        }
    }

    fn status(&mut self, at: usize) -> Input {
        let (id, _) = self.conversation_in(at, &[PhaseWord::Assigned]);
        let failed = self.rng.random_ratio(3, 4);
        self.senders[at].status(&id, failed)
    }

    fn connected(&mut self, at: usize) -> Input {
        let (id, seen) = self.conversation_in(at, &[PhaseWord::Queued, PhaseWord::Offered, PhaseWord::Assigned]);
        let agent = match seen.owner {
            Some(owner) if self.rng.random_ratio(1, 2) => owner,
            _ => self.agent(),
        };
        self.senders[at].connected(&id, &agent)
    }

    /// A word of a lease, said again: by chance the drawing of a new one hardly ever says the same.
    fn renewed(&mut self, at: usize) -> Option<Input> {
        let said = self.leased[at].choose(&mut self.rng)?.clone();
        let mut input = self.senders[at].input(EventType::AgentPresence, said.body);
        if let Body::AgentPresence { sequence: Some(sequence), .. } = &mut input.body {
            // Mostly the next one of its source; else some that were lost lie between.
            self.sequence += 1;
            *sequence = if self.rng.random_ratio(3, 4) { *sequence + 1 } else { self.sequence };
        }
        input.actor = said.actor;
        Some(self.senders[at].sent_from(input, &said.source))
    }

    fn presence(&mut self, at: usize) -> Input {
        if self.rng.random_ratio(1, 4)
            && let Some(renewed) = self.renewed(at)
        {
            self.lease_said(at, &renewed);
            return renewed;
        }
        let said = self.said_anew(at);
        self.lease_said(at, &said);
        said
    }

    fn lease_said(&mut self, at: usize, said: &Input) {
        let Body::AgentPresence { expires_in_ms: Some(_), supervised: false, .. } = &said.body else { return };
        let leased = &mut self.leased[at];
        leased.push(said.clone());
        if leased.len() > LEASES_REMEMBERED {
            leased.remove(0);
        }
    }

    fn said_anew(&mut self, at: usize) -> Input {
        let agent = self.agent();
        let status = match self.rng.random_range(0..if self.has_many_devices { 50 } else { 12 }) {
            0..=1 => Status::Offline,
            2..=3 => Status::Away,
            4 => Status::PendingAway,
            _ => Status::Online,
        };
        let by = if self.rng.random_ratio(2, 3) { By::Agent } else { By::Device };
        let has_lease = !self.has_many_devices && self.rng.random_ratio(1, 3);
        let lease = has_lease.then(|| {
            let terms = [1_000, 2_000, 30_000, 60_000, 600_000, 86_400_000];
            *terms.choose(&mut self.rng).unwrap_or(&30_000)
        });
        let named = self.rng.random_ratio(1, 8).then(|| {
            let names = CHANNELS.iter().filter(|_| self.rng.random_ratio(1, 2)).copied().collect::<Vec<_>>();
            names.iter().map(|name| self.senders[at].hash(Kind::Channel, &[name])).collect::<Vec<u128>>()
        });
        let is_supervised = self.rng.random_ratio(1, 20);
        // Now and then one of so many that the seventeenth has no place.
        let source = match self.rng.random_range(0..6) {
            0.. if self.has_many_devices => format!("device{}", self.rng.random_range(0..19)),
            0 => format!("device{}", self.rng.random_range(0..20)),
            _ => SOURCES.choose(&mut self.rng).copied().unwrap_or_default().to_string(),
        };
        let mut input = self.senders[at].presence(&agent, status, by);
        if let Body::AgentPresence { session, sequence, expires_in_ms, channels, supervised, reason, .. } =
            &mut input.body
        {
            (*expires_in_ms, *channels, *supervised) = (lease, named, is_supervised);
            *reason = self.rng.random_ratio(3, 4).then(|| "because".into());
            if self.rng.random_ratio(1, 3) {
                *session = Some(u128::from(self.rng.random_range(0..3u64)));
            }
            if self.rng.random_ratio(1, 2) {
                self.sequence += 1;
                let late = if self.rng.random_ratio(1, 3) { self.rng.random_range(0..4) } else { 0 };
                *sequence = Some(self.sequence - late.min(self.sequence));
            }
        }
        if is_supervised {
            input = self.senders[at].by(input, ActorKind::Supervisor, "boss");
        }
        self.senders[at].sent_from(input, &source)
    }

    fn claim(&mut self, at: usize) -> Input {
        // What is held for one agent is what another must not claim.
        let (id, seen) = match self.worlds[at].held().choose(&mut self.rng).cloned() {
            Some(held) if self.rng.random_ratio(1, 2) => held,
            _ => self.conversation_in(at, &[PhaseWord::Queued, PhaseWord::Offered, PhaseWord::InBot]),
        };
        let agent = self.agent();
        let input = self.senders[at].claim(&id, &agent, None);
        self.expecting(at, input, seen.epoch)
    }

    fn assign(&mut self, at: usize) -> Input {
        let (id, seen) = self.conversation(at);
        let agent = self.agent();
        let reason = [None, Some(""), Some("rush"), Some("rush"), Some("rush"), Some("rush")];
        let reason = reason.choose(&mut self.rng).copied().flatten();
        let mut input = self.senders[at].assign(&id, &agent, None, reason);
        match self.rng.random_range(0..12) {
            0 => input.actor = None,
            1 => input = self.senders[at].by(input, ActorKind::Agent, &agent),
            2 => input = self.senders[at].by(input, ActorKind::System, "strowger"),
            _ => {}
        }
        self.expecting(at, input, seen.epoch)
    }

    fn resolve(&mut self, at: usize) -> Input {
        let (id, seen) = self.conversation_in(at, &[PhaseWord::Assigned]);
        let input = self.senders[at].resolve(&id, None);
        let input = self.expecting(at, input, seen.epoch);
        match self.rng.random_range(0..6) {
            0 => self.acting(at, input, seen.owner.as_deref()),
            1 => input,
            _ => match seen.owner {
                Some(owner) => self.senders[at].by(input, ActorKind::Agent, &owner),
                None => input,
            },
        }
    }

    /// An offer that was made, the last one as a rule, and by whom it is answered: him whom it asks, as a rule.
    fn offer(&mut self, at: usize) -> (u64, String) {
        let offers = &self.worlds[at].offers;
        let picked = if self.rng.random_ratio(2, 3) { offers.last() } else { offers.choose(&mut self.rng) };
        let (number, agent) = picked.map_or((7, "a0".into()), |(number, agent, _)| (*number, agent.clone()));
        match self.rng.random_range(0..16) {
            0 => (self.rng.random_range(0..20), agent),
            1 => (number, self.agent()),
            _ => (number, agent),
        }
    }

    fn accept(&mut self, at: usize) -> Input {
        let (offer, agent) = self.offer(at);
        self.senders[at].accept(offer, &agent)
    }

    fn decline(&mut self, at: usize) -> Input {
        let (offer, agent) = self.offer(at);
        self.senders[at].decline(offer, &agent)
    }

    fn wrapped_up(&mut self, at: usize) -> Input {
        let picked = self.worlds[at].ended.choose(&mut self.rng).cloned();
        let (id, agent) = picked.unwrap_or_else(|| ("nothing".into(), "a0".into()));
        let agent = if self.rng.random_ratio(1, 12) { self.agent() } else { agent };
        self.senders[at].wrapped_up(&id, &agent)
    }

    fn queue_name(&mut self, at: usize) -> String {
        let configured: Vec<String> = self.policies[at].queues.iter().map(|queue| queue.name.to_string()).collect();
        match self.rng.random_ratio(1, 12) {
            true => QUEUES.choose(&mut self.rng).copied().unwrap_or_default().into(),
            false => configured.choose(&mut self.rng).cloned().unwrap_or_default(),
        }
    }

    fn handoff(&mut self, at: usize) -> Input {
        let (id, seen) = self.conversation_in(at, &[PhaseWord::InBot]);
        let queue = self.rng.random_ratio(1, 3).then(|| self.queue_name(at));
        let count = self.rng.random_range(0..2);
        let skills = self.skills(count);
        let input = self.senders[at].handoff(&id, queue.as_deref(), &skills);
        let input = if self.rng.random_ratio(1, 8) { self.acting(at, input, None) } else { input };
        self.expecting(at, input, seen.epoch)
    }

    fn target(&mut self, at: usize) -> Target {
        match self.rng.random_range(0..5) {
            0 | 1 => {
                let agent = self.agent();
                self.senders[at].to_agent(&agent)
            }
            2 => {
                let skills = self.skills(1);
                self.senders[at].to_skills(&skills)
            }
            _ => {
                let queue = self.queue_name(at);
                self.senders[at].to_queue(&queue)
            }
        }
    }

    fn transfer(&mut self, at: usize) -> Input {
        let states = [PhaseWord::Assigned, PhaseWord::Assigned, PhaseWord::Assigned, PhaseWord::Queued];
        let (id, seen) = self.conversation_in(at, &states);
        let target = self.target(at);
        let own_fallback = self.rng.random_ratio(1, 3).then(|| self.queue_name(at));
        let fallback = own_fallback.map(|queue| self.senders[at].hash(Kind::Queue, &[&queue]));
        let mut input = self.senders[at].transfer(&id, target);
        if let Body::ConversationTransfer { warm, place_back, note, wait_ms, fallback: to, .. } = &mut input.body {
            *warm = self.rng.random_ratio(1, 4);
            *place_back = self.rng.random_ratio(1, 4);
            *note = self.rng.random_ratio(1, 2).then(|| "as he said".into());
            *wait_ms = self.rng.random_ratio(1, 2).then(|| self.rng.random_range(1..60_000));
            *to = fallback;
        }
        let input = self.acting(at, input, seen.owner.as_deref());
        self.expecting(at, input, seen.epoch)
    }

    /// Release, escalate, snooze, wake, update, close, reopen, note, survey.
    fn owner_command(&mut self, at: usize) -> Input {
        use PhaseWord::*;
        let kind = self.rng.random_range(0..12);
        let states: &[PhaseWord] = match kind {
            0 | 1 => &[Assigned, Offered],
            4 => &[Snoozed, Parked],
            8 | 9 => &[Resolved],
            _ => &[Assigned, Queued, Offered, InBot, Snoozed, Parked],
        };
        let (id, seen) = self.conversation_in(at, states);
        let is_late = self.rng.random_ratio(1, 8);
        let ahead_ms = if is_late { 0 } else { self.rng.random_range(0..120_000) };
        let until = self.now + ahead_ms - self.rng.random_range(0..1_000);
        let skills = self.rng.random_ratio(1, 4).then(|| self.skills(1));
        let mention = self.agent();
        let rng = &mut self.rng;
        let (level, score) = (rng.random_range(1..=4), rng.random_range(0..=5));
        let tier = if rng.random_ratio(1, 3) { TIERS.choose(rng).copied() } else { None };
        let priority = rng.random_ratio(1, 2).then(|| rng.random_range(0..=9));
        let sender = &mut self.senders[at];
        let input = match kind {
            0 | 1 => sender.release(&id),
            2 => sender.escalate(&id, level),
            3 => sender.snooze(&id, until),
            4 => sender.wake(&id),
            5 | 6 => sender.update(&id, tier, priority, skills.as_deref()),
            7 => sender.close(&id),
            8 | 9 => sender.reopen(&id),
            10 => return sender.note(&id, "as he said", &[&mention]),
            _ => return sender.survey(&id, SurveyKind::Csat, score, 5),
        };
        let input = self.acting(at, input, seen.owner.as_deref());
        self.expecting(at, input, seen.epoch)
    }

    fn merge(&mut self, at: usize) -> Input {
        let (one, _) = self.conversation(at);
        let (other, _) = self.conversation_in(at, &[PhaseWord::Resolved, PhaseWord::Queued, PhaseWord::Assigned]);
        let survivor = match self.rng.random_range(0..3) {
            0 => None,
            1 => Some(one.as_str()),
            _ => Some(other.as_str()),
        };
        let input = self.senders[at].merge(&one, &other, survivor);
        self.acting(at, input, None)
    }

    fn customer(&mut self, at: usize) -> Input {
        let (customer, other, agent) = (self.customer_name(), self.customer_name(), self.agent());
        let rng = &mut self.rng;
        match rng.random_range(0..4) {
            0 if rng.random_ratio(1, 2) && !self.linked.is_empty() => {
                let (customer, other) = self.linked.choose(rng).cloned().unwrap_or_default();
                self.senders[at].linked(&customer, &other, false)
            }
            0 => {
                self.linked.push((customer.clone(), other.clone()));
                self.senders[at].linked(&customer, &other, true)
            }
            1 => {
                let blocked = rng.random_ratio(1, 3);
                self.senders[at].customer(&customer, None, Some(blocked), None)
            }
            _ => {
                let tier = TIERS.choose(rng).copied();
                let owner = [None, Some(""), Some(agent.as_str())].choose(rng).copied().flatten();
                self.senders[at].customer(&customer, tier, None, owner)
            }
        }
    }

    fn engagement(&mut self, at: usize) -> Input {
        let agent = self.agent();
        let engagement = format!("x{}", self.rng.random_range(0..3));
        if self.rng.random_ratio(1, 2) {
            return self.senders[at].disengaged(&agent, &engagement);
        }
        let channel = self.channel(0..2);
        let units = self.rng.random_ratio(1, 2).then(|| self.rng.random_range(1..=3));
        self.senders[at].engaged(&agent, &engagement, channel, units)
    }

    fn heartbeat(&mut self, at: usize) -> Input {
        let open: Vec<String> = self.worlds[at].open().into_iter().map(|(id, _)| id).collect();
        let named: Vec<&str> = open.iter().filter(|_| self.rng.random_ratio(3, 4)).map(String::as_str).collect();
        let is_bare = self.rng.random_ratio(1, 3);
        self.senders[at].heartbeat((!is_bare).then_some(&named[..]))
    }

    fn remove(&mut self, at: usize) -> Input {
        let (agent, successor) = (self.agent(), self.agent());
        let has_successor = self.rng.random_ratio(1, 3);
        let input = self.senders[at].remove(&agent, has_successor.then_some(successor.as_str()));
        if self.rng.random_ratio(1, 8) { self.acting(at, input, Some(&successor)) } else { input }
    }

    fn control(&mut self, at: usize) -> Input {
        let queue = self.queue_name(at);
        let controls = [Control::Open, Control::Open, Control::Closed, Control::Emergency, Control::None];
        let control = controls.choose(&mut self.rng).copied().unwrap_or_default();
        let until = self.rng.random_ratio(1, 2).then(|| self.now + self.rng.random_range(0..60_000));
        let input = self.senders[at].control(&queue, control, until);
        if self.rng.random_ratio(1, 8) { self.acting(at, input, None) } else { input }
    }

    fn configure_agent(&mut self, at: usize, agent: usize) -> Input {
        let config = drawn_policy::agent_config(&mut self.rng, self.taste, &self.policies[at]);
        self.senders[at].agent(&format!("a{agent}"), config)
    }

    fn reconfigure(&mut self, at: usize) -> Input {
        let present = self.policies[at].version;
        let version = match self.rng.random_range(0..8) {
            0 => present,
            1 => present.saturating_sub(1).max(1),
            _ => present + self.rng.random_range(1..3),
        };
        let mut new = drawn_policy::policy(&mut self.rng, version, self.taste);
        if version == present && self.rng.random_ratio(1, 2) {
            new = self.policies[at].clone();
        }
        let expected = match self.rng.random_range(0..6) {
            0 => Some(self.rng.random_range(0..4)),
            1 => Some(present),
            _ => None,
        };
        if version > present && expected.is_none_or(|expected| expected == present) {
            self.policies[at] = new.clone();
        }
        self.senders[at].configure(new, expected)
    }

    /// Openings of a calendar, of seconds and minutes: more of them, fewer, or none.
    fn expand(&mut self, at: usize) -> Input {
        let known: Vec<String> = self.policies[at].calendars.iter().map(|calendar| calendar.name.to_string()).collect();
        let known = if self.rng.random_ratio(1, 20) { Vec::new() } else { known };
        let other = || CALENDARS[0].to_string();
        let name = known.choose(&mut self.rng).cloned().unwrap_or_else(other);
        const LENGTHS_MS: [u64; 7] = [1, 500, 2_000, 10_000, 10_000, 60_000, HOUR_MS];
        let (now, rng) = (self.now, &mut self.rng);
        let length = |rng: &mut ChaCha8Rng| LENGTHS_MS.choose(rng).copied().unwrap_or(1);
        let from = if rng.random_ratio(3, 4) { now } else { now - rng.random_range(0..60_000) };
        let until = now + [10_000, 60_000, HOUR_MS, DAY_MS, 60 * DAY_MS].choose(rng).copied().unwrap_or(0);
        let mut openings = Vec::new();
        let mut start = from - length(rng).min(10_000);
        for _ in 0..rng.random_range(0..8) {
            let end = start + length(rng);
            openings.push((start, end));
            start = end + length(rng);
        }
        if rng.random_ratio(1, 2) {
            openings.push((start, start + 50 * DAY_MS));
        }
        if rng.random_ratio(1, 6) {
            openings.reverse();
        }
        self.senders[at].expand(&name, from, until, &openings)
    }

    fn duplicate(&mut self) -> Input {
        let back = self.rng.random_range(0..40).min(self.sent.len() - 1);
        self.sent[self.sent.len() - 1 - back].clone()
    }

    fn odd(&mut self, at: usize) -> Input {
        let sender = &mut self.senders[at];
        match self.rng.random_range(0..6) {
            0 => sender.unsupported(EventType::CustomerErased, "customer.erased"),
            1 => sender.unsupported(EventType::ParticipantAdd, "participant.add"),
            2 => sender.unsupported(EventType::AgentPresence, "mood"),
            3 => {
                let body = Body::Invalid { faults: "queue[0].name: two of one name".into() };
                sender.input(EventType::WorkspaceConfigure, body)
            }
            4 => sender.unsupported(EventType::WorkspaceConfigure, "calendar"),
            _ => {
                let mut nowhere = Sender::new("nowhere");
                nowhere.source = format!("src{}", self.now);
                let contact = nowhere.contact("voice", "", None, None);
                nowhere.started(contact)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_policies_and_agents_are_sound() {
        for seed in 0..500 {
            let mut generator = Generator::new(seed);
            assert_eq!(generator.policies[0].faults(), [], "SEED={seed}");
            let policy = generator.policies[0].clone();
            let config = drawn_policy::agent_config(&mut generator.rng, generator.taste, &policy);
            assert_eq!(config.faults(), [], "SEED={seed}");
        }
    }
}
