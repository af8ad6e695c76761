//! Histories from a seed: a small contact center drawn at random, and what happens in it, in an order no real one has.
//!
//! The world is kept small (a few agents, customers, threads, ids) so that things meet: claims hit what others own,
//! messages come to what is resolved, sources disagree about one agent. What is there to be commanded is asked of the
//! naive engine, so a history is made while it is played; it is kept as a list of moves, which can then be played again
//! without some of them.

use super::events::{self, Sender};
use engine::Limits;
use engine::id::Kind;
use engine::input::{ActorKind, Body, By, Contact, EventType, Input, Status};
use engine::policy::{AgentConfig, Channel, Policy, Strategy, Subject};
use naive::Naive;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

const SKILLS: [&str; 4] = ["de", "fr", "billing", "tech"];
const QUEUES: [&str; 5] = ["main", "sales", "care", "vips", "late"];
const CHANNELS: [&str; 6] = ["voice", "chat", "email", "whatsapp", "fax", "walkin"];
const ENTRIES: [&str; 3] = ["", "+4930", "shop"];
const TIERS: [&str; 3] = ["vip", "gold", "nobody"];
const LANGUAGES: [&str; 2] = ["de", "fr"];
const SOURCES: [&str; 3] = ["desk", "phone", "app"];
const ATTRIBUTES: [(&str, &str); 3] = [("topic", "billing"), ("topic", "other"), ("new", "true")];
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// One input at a time, and how many ticks follow it.
#[derive(Clone, Debug)]
pub struct Move {
    pub input: Input,
    pub now: u64,
    pub ticks: Ticks,
    /// The record ends after it; the state is taken over by another engine.
    pub seal: bool,
    pub recover: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ticks {
    /// Until nothing is due: what the shard does.
    All,
    /// Fewer than are wanted, so that the next input meets what is left over.
    AtMost(u8),
}

pub struct Generator {
    rng: ChaCha8Rng,
    senders: Vec<Sender>,
    policies: Vec<Policy>,
    agents: usize,
    now: u64,
    /// What has been sent, for duplicates.
    sent: Vec<Input>,
    /// The typical step of time of this history.
    pace_ms: u64,
    sequence: u64,
    /// One agent with more devices than he may have sources.
    has_many_devices: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let workspaces = if rng.random_ratio(1, 6) { 2 } else { 1 };
        let senders: Vec<Sender> = ["acme", "globex"][..workspaces].iter().map(|name| Sender::new(name)).collect();
        let policies = senders.iter().map(|_| policy(&mut rng, 1)).collect();
        let has_many_devices = rng.random_ratio(1, 12);
        let agents = if has_many_devices { 1 } else { rng.random_range(1..=9) };
        let pace_ms = *[0, 1, 400, 5_000, 60_000].choose(&mut rng).unwrap_or(&1);
        let now = 1_700_000_000_000;
        Generator { rng, senders, policies, agents, now, sent: Vec::new(), pace_ms, sequence: 0, has_many_devices }
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

    /// The next thing that happens.
    pub fn next(&mut self, naive: &Naive) -> Move {
        let at = self.rng.random_range(0..self.senders.len());
        self.pass_time();
        let opening = self.sent.len();
        let mut input = match opening {
            0 => self.senders[at].configure(self.policies[at].clone(), None),
            _ if opening <= self.agents => self.configure_agent(at, opening - 1),
            _ => self.anything(at, naive),
        };
        input.time = self.event_time();
        if self.rng.random_ratio(1, 30) {
            input.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
        }
        self.sent.push(input.clone());
        let ticks = match self.rng.random_range(0..20) {
            0 => Ticks::AtMost(0),
            1 => Ticks::AtMost(1),
            _ => Ticks::All,
        };
        // Time as the shard sees it may stand behind the engine's: it must not fall.
        let skew = if self.rng.random_ratio(1, 25) { self.rng.random_range(0..10_000) } else { 0 };
        let seal = self.rng.random_ratio(2, 3);
        let recover = self.rng.random_ratio(1, 40);
        Move { input, now: self.now - skew, ticks, seal, recover }
    }

    fn pass_time(&mut self) {
        self.now += match self.rng.random_range(0..200) {
            0 => self.rng.random_range(0..40) * DAY_MS,
            1..=3 => self.rng.random_range(0..30) * HOUR_MS,
            4..=15 => self.rng.random_range(0..120_000),
            16..=80 => 0,
            _ => self.rng.random_range(0..=self.pace_ms),
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

    fn anything(&mut self, at: usize, naive: &Naive) -> Input {
        match self.rng.random_range(0..1_000) {
            0..=259 => self.message(at, naive),
            260..=409 => self.contact(at, naive),
            410..=479 => self.contact_ends(at, naive),
            480..=499 => self.message_sent(at, naive),
            500..=669 => self.presence(at),
            670..=719 => self.claim(at, naive),
            720..=769 => self.assign(at, naive),
            770..=899 => self.resolve(at, naive),
            900..=929 => {
                let agent = self.rng.random_range(0..self.agents);
                self.configure_agent(at, agent)
            }
            930..=949 => self.reconfigure(at),
            950..=979 => self.duplicate(),
            _ => self.odd(at),
        }
    }

    fn agent(&mut self) -> String {
        let known = self.rng.random_range(0..self.agents);
        if self.rng.random_ratio(1, 40) { "stranger".into() } else { format!("a{known}") }
    }

    /// A conversation that is there, as a rule; else one that was, or that nobody has ever heard of.
    fn conversation(&mut self, at: usize, naive: &Naive) -> (String, Option<u64>, Option<String>) {
        let open = naive.open(&self.senders[at].workspace);
        let picked = open.choose(&mut self.rng).cloned();
        match (self.rng.random_range(0..12), picked) {
            (0, _) => (format!("k{}", self.rng.random_range(0..8)), None, None),
            (1, _) => {
                let resolved = naive.resolved(&self.senders[at].workspace);
                (resolved.choose(&mut self.rng).cloned().unwrap_or("gone".into()), None, None)
            }
            (_, Some((id, epoch, owner))) => (id, Some(epoch), owner),
            (_, None) => ("nothing".into(), None, None),
        }
    }

    fn expected(&mut self, epoch: Option<u64>) -> Option<u64> {
        match self.rng.random_range(0..8) {
            0 => Some(self.rng.random_range(0..5)),
            1..=3 => epoch,
            _ => None,
        }
    }

    fn describe(&mut self, at: usize, channel: &str, naive: &Naive) -> Contact {
        let sender = &self.senders[at];
        let rng = &mut self.rng;
        let entry = ENTRIES.choose(rng).unwrap_or(&"");
        let customer = rng.random_ratio(5, 6).then(|| format!("cu{}", rng.random_range(0..7)));
        let thread = rng.random_ratio(1, 5).then(|| format!("t{}", rng.random_range(0..4)));
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
        if rng.random_ratio(1, 4) {
            let skill = SKILLS.choose(rng).copied().unwrap_or_default();
            contact = sender.requiring(contact, &[(skill, rng.random_range(0..=6))]);
        }
        if rng.random_ratio(1, 5) {
            let (name, ..) = self.conversation(at, naive);
            contact.conversation = Some(self.senders[at].id(Kind::Conversation, &name));
        }
        contact
    }

    fn message(&mut self, at: usize, naive: &Naive) -> Input {
        let usual = if self.rng.random_ratio(4, 5) { 2..6 } else { 0..6 };
        let channel = CHANNELS[self.rng.random_range(usual)];
        let contact = self.describe(at, channel, naive);
        let opens = self.rng.random_ratio(7, 8);
        self.senders[at].received(contact, opens)
    }

    fn contact(&mut self, at: usize, naive: &Naive) -> Input {
        let usual = if self.rng.random_ratio(4, 5) { 0..2 } else { 0..6 };
        let channel = CHANNELS[self.rng.random_range(usual)];
        let contact = self.describe(at, channel, naive);
        self.senders[at].started(contact)
    }

    fn contact_ends(&mut self, at: usize, naive: &Naive) -> Input {
        let by = *[ActorKind::Customer, ActorKind::Agent, ActorKind::System]
            .choose(&mut self.rng)
            .unwrap_or(&ActorKind::Bot);
        if self.rng.random_ratio(1, 4) {
            let contact = self.describe(at, "voice", naive);
            let body = Body::ContactEnded { conversation: None, identity: contact.identity, by };
            return self.senders[at].input(EventType::ContactEnded, body);
        }
        let (id, ..) = self.conversation(at, naive);
        self.senders[at].ended(&id, by)
    }

    fn message_sent(&mut self, at: usize, naive: &Naive) -> Input {
        if self.rng.random_ratio(1, 3) {
            let identity = self.describe(at, "whatsapp", naive).identity;
            return self.senders[at].input(EventType::MessageSent, Body::MessageSent { conversation: None, identity });
        }
        let (id, ..) = self.conversation(at, naive);
        self.senders[at].sent(&id)
    }

    fn presence(&mut self, at: usize) -> Input {
        let agent = self.agent();
        let status = match self.rng.random_range(0..if self.has_many_devices { 50 } else { 10 }) {
            0..=1 => Status::Offline,
            2..=3 => Status::Away,
            _ => Status::Online,
        };
        let by = if self.rng.random_ratio(2, 3) { By::Agent } else { By::Device };
        let mut input = self.senders[at].presence(&agent, status, by);
        if let Body::AgentPresence { session, sequence, .. } = &mut input.body {
            if self.rng.random_ratio(1, 3) {
                *session = Some(u128::from(self.rng.random_range(0..3u64)));
            }
            if self.rng.random_ratio(1, 2) {
                self.sequence += 1;
                *sequence = Some(self.sequence - self.rng.random_range(0..4).min(self.sequence));
            }
        }
        // Now and then one of so many that the seventeenth has no place.
        let source = match self.rng.random_range(0..6) {
            0.. if self.has_many_devices => format!("device{}", self.rng.random_range(0..19)),
            0 => format!("device{}", self.rng.random_range(0..20)),
            _ => SOURCES.choose(&mut self.rng).copied().unwrap_or_default().to_string(),
        };
        self.senders[at].sent_from(input, &source)
    }

    fn claim(&mut self, at: usize, naive: &Naive) -> Input {
        let (id, epoch, _) = self.conversation(at, naive);
        let agent = self.agent();
        let expected = self.expected(epoch);
        self.senders[at].claim(&id, &agent, expected)
    }

    fn assign(&mut self, at: usize, naive: &Naive) -> Input {
        let (id, epoch, _) = self.conversation(at, naive);
        let agent = self.agent();
        let expected = self.expected(epoch);
        let reason = [None, Some(""), Some("rush"), Some("rush"), Some("rush"), Some("rush")];
        let reason = reason.choose(&mut self.rng).copied().flatten();
        let mut input = self.senders[at].assign(&id, &agent, expected, reason);
        match self.rng.random_range(0..12) {
            0 => input.actor = None,
            1 => input = self.senders[at].by(input, ActorKind::Agent, &agent),
            2 => input = self.senders[at].by(input, ActorKind::System, "strowger"),
            _ => {}
        }
        input
    }

    fn resolve(&mut self, at: usize, naive: &Naive) -> Input {
        let (id, epoch, owner) = self.conversation(at, naive);
        let expected = self.expected(epoch);
        let input = self.senders[at].resolve(&id, expected);
        let agent = self.agent();
        match (self.rng.random_range(0..4), owner) {
            (0, _) => self.senders[at].by(input, ActorKind::Agent, &agent),
            (1, _) => self.senders[at].by(input, ActorKind::Supervisor, "boss"),
            (_, Some(owner)) => self.senders[at].by(input, ActorKind::Agent, &owner),
            (_, None) => input,
        }
    }

    fn configure_agent(&mut self, at: usize, agent: usize) -> Input {
        let config = agent_config(&mut self.rng);
        self.senders[at].agent(&format!("a{agent}"), config)
    }

    fn reconfigure(&mut self, at: usize) -> Input {
        let present = self.policies[at].version;
        let version = match self.rng.random_range(0..8) {
            0 => present,
            1 => present.saturating_sub(1).max(1),
            _ => present + self.rng.random_range(1..3),
        };
        let mut new = policy(&mut self.rng, version);
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

    fn duplicate(&mut self) -> Input {
        let back = self.rng.random_range(0..40).min(self.sent.len() - 1);
        self.sent[self.sent.len() - 1 - back].clone()
    }

    fn odd(&mut self, at: usize) -> Input {
        let sender = &mut self.senders[at];
        match self.rng.random_range(0..6) {
            0 => sender.unsupported(EventType::MessageStatus, "message.status"),
            1 => sender.unsupported(EventType::ConversationTransfer, "conversation.transfer"),
            2 => sender.unsupported(EventType::AgentPresence, "expires_in_s"),
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

fn agent_config(rng: &mut ChaCha8Rng) -> AgentConfig {
    let mut skills: Vec<(&str, u8)> = Vec::new();
    for skill in SKILLS {
        if rng.random_ratio(3, 5) {
            skills.push((skill, rng.random_range(0..=8)));
        }
    }
    let units = rng.random_ratio(2, 3).then(|| rng.random_range(1..=5));
    let weight = if rng.random_ratio(1, 2) { 1 } else { rng.random_range(1..=7) };
    let mut config = events::agent_config(units, weight, &skills);
    if rng.random_ratio(1, 4) {
        config.team = "first".into();
    }
    config
}

fn policy(rng: &mut ChaCha8Rng, version: u64) -> Policy {
    let mut policy = events::plain_policy(Strategy::LongestIdle);
    policy.version = version;
    policy.default_units = rng.random_range(1..=3);
    policy.reopen_window_ms = *[0, 30_000, HOUR_MS, 3 * DAY_MS].choose(rng).unwrap_or(&0);
    policy.idle_reset_ms = *[0, 2_000, 60_000].choose(rng).unwrap_or(&0);
    let count = rng.random_range(1..=QUEUES.len());
    policy.queues.clear();
    for name in &QUEUES[..count] {
        let strategy = Strategy::ALL.choose(rng).copied().unwrap_or_default();
        let mut skills: Vec<(&str, u8)> = Vec::new();
        for skill in SKILLS {
            if rng.random_ratio(1, 4) {
                skills.push((skill, rng.random_range(0..=5)));
            }
        }
        policy.queues.push(events::queue(name, strategy, &skills));
    }
    // The order of queues is not the order of their names, and the first may go.
    if count > 1 && rng.random_ratio(1, 3) {
        policy.queues.remove(rng.random_range(0..count));
    }
    channels(rng, &mut policy);
    routes(rng, &mut policy);
    policy
}

fn channels(rng: &mut ChaCha8Rng, policy: &mut Policy) {
    for name in ["voice", "chat", "email", "whatsapp"] {
        if rng.random_ratio(1, 3) {
            let live = matches!(name, "voice" | "chat");
            let exclusive = rng.random_ratio(1, 3);
            events::set_channel(policy, channel(name, live, rng.random_range(1..=3), exclusive));
        }
    }
    for name in ["fax", "walkin"] {
        if rng.random_ratio(4, 5) {
            // Now and then a channel turns from live to async: what is open stays what it was.
            let live = (name == "walkin") != rng.random_ratio(1, 8);
            events::set_channel(policy, channel(name, live, rng.random_range(1..=2), rng.random_ratio(1, 6)));
        }
    }
}

fn channel(name: &str, live: bool, units: u32, exclusive: bool) -> Channel {
    Channel { name: name.into(), live, units, exclusive, short_abandon_ms: 5_000 }
}

fn routes(rng: &mut ChaCha8Rng, policy: &mut Policy) {
    for name in &TIERS[..2] {
        if rng.random_ratio(2, 3) {
            policy.tiers.push(events::tier(name, *[0, 5_000, 90_000, 10_000_000].choose(rng).unwrap_or(&0)));
        }
    }
    let names: Vec<String> = policy.queues.iter().map(|queue| queue.name.to_string()).collect();
    let any = |rng: &mut ChaCha8Rng| names.choose(rng).cloned().unwrap_or_default();
    for name in &ENTRIES[1..] {
        if rng.random_ratio(1, 2) {
            let queue = any(rng);
            policy.entries.push(events::entry(name, &queue));
        }
    }
    policy.rules.clear();
    for _ in 0..rng.random_range(0..4) {
        let tiers = policy.tiers.clone();
        let condition = match rng.random_range(0..6) {
            0 => (Subject::Channel, "", "email"),
            1 => (Subject::Entry, "", "shop"),
            2 => (Subject::Language, "", "fr"),
            3 if !tiers.is_empty() => (Subject::Tier, "", &*tiers[0].name),
            4 => (Subject::Attribute, "new", "true"),
            _ => (Subject::Attribute, "topic", "billing"),
        };
        let mut when = vec![condition];
        if condition.0 != Subject::Channel && rng.random_ratio(1, 4) {
            when.push((Subject::Channel, "", "whatsapp"));
        }
        let queue = any(rng);
        policy.rules.push(events::rule(&when, &queue));
    }
    let queue = any(rng);
    let at = rng.random_range(0..=policy.rules.len());
    policy.rules.insert(at, events::rule(&[], &queue));
}
