//! Behaviours as scripts: lines of what happens, each followed by lines of what must be told, through one door (`check`).
//!
//! A line is `SECONDS VERB ...`; a line that begins with `=` is a decision of the step before it, and a step that has
//! such lines must tell exactly them. Steps without are preparation. Every step goes to both engines (`pair.rs`), ticks
//! are fed until nothing is due, and every record is sealed and rebuilt.

use super::events::{self, Sender};
use super::pair::Pair;
use engine::decision::{DecisionType, Outcome, Reason, Told};
use engine::id::Kind;
use engine::input::{ActorKind, Body, By, Contact, EventType, Input, Status};
use engine::policy::Policy;

/// Seconds of scripts count from here.
pub const START_MS: u64 = 1_700_000_000_000;

/// Plays a script in a workspace of this policy.
#[track_caller]
pub fn check(policy: Policy, script: &str) {
    let mut desk = Desk::new(policy);
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let expected: Vec<&str> =
            lines[at + 1..].iter().take_while(|l| l.starts_with('=')).map(|l| l[1..].trim()).collect();
        at += 1 + expected.len();
        let told = desk.play(line);
        if !expected.is_empty() {
            assert_eq!(told, expected, "after `{line}`");
        }
    }
}

/// Both engines with one workspace, and who sends to it.
pub struct Desk {
    pub pair: Pair,
    pub sender: Sender,
    last: Option<Input>,
}

impl Desk {
    pub fn new(policy: Policy) -> Desk {
        assert_eq!(policy.faults(), [], "the policy of a script is sound");
        let sender = Sender::new("acme");
        let mut desk = Desk { pair: Pair::new(sender.key), sender, last: None };
        desk.configure(policy, 0);
        desk
    }

    pub fn configure(&mut self, policy: Policy, now_ms: u64) -> Vec<String> {
        let input = self.sender.configure(policy, None);
        self.give(input, now_ms)
    }

    /// One input at so many ms after the start, and the ticks it wants. Returns what was told, a line a decision.
    pub fn give(&mut self, input: Input, now_ms: u64) -> Vec<String> {
        self.told(input, now_ms).iter().map(line).collect()
    }

    pub fn told(&mut self, input: Input, now_ms: u64) -> Vec<Told> {
        let now = START_MS + now_ms;
        let mut told = self.pair.step(&input, now).unwrap_or_else(|failure| panic!("{failure}"));
        told.append(&mut self.pair.settle(now).unwrap_or_else(|failure| panic!("{failure}")));
        self.pair.seal().unwrap_or_else(|failure| panic!("{failure}"));
        self.last = Some(input);
        told
    }

    /// One line of a script.
    pub fn play(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [seconds, verb, args @ ..] = &words[..] else { panic!("`{line}` is no step") };
        let now_ms = milliseconds(seconds);
        let mut input = match *verb {
            "repeat" => self.last.clone().unwrap_or_else(|| panic!("nothing to repeat")),
            _ => self.event(verb, args, line),
        };
        if let Some(at) = option(args, "at") {
            input.time = Some((START_MS as i64 + signed_milliseconds(at)) as u64);
        }
        self.give(input, now_ms)
    }

    fn event(&mut self, verb: &str, args: &[&str], line: &str) -> Input {
        let name = args.first().copied().unwrap_or("");
        let epoch = option(args, "epoch").map(number);
        let sender = &mut self.sender;
        match verb {
            "agent" => {
                let skills = skills(args);
                let units = option(args, "units").map(|units| number(units) as u32);
                let weight = option(args, "weight").map_or(1, |weight| number(weight) as u16);
                sender.agent(name, events::agent_config(units, weight, &skills))
            }
            "online" | "away" | "offline" => self.presence(verb, name, args),
            "voice" | "chat" | "video" => {
                let contact = self.contact(verb, name, args);
                self.sender.started(contact)
            }
            "started" | "message" => {
                let channel = option(args, "on").unwrap_or("email");
                let contact = self.contact(channel, name, args);
                let opens = option(args, "opens") != Some("no");
                if verb == "started" { self.sender.started(contact) } else { self.sender.received(contact, opens) }
            }
            "ended" => {
                let by = option(args, "by").and_then(ActorKind::from_word).unwrap_or(ActorKind::Customer);
                sender.ended(name, by)
            }
            "sent" => sender.sent(name),
            "claim" => sender.claim(name, args[1], epoch),
            "assign" => {
                let input = sender.assign(name, args[1], epoch, option(args, "reason"));
                self.acting(input, args)
            }
            "resolve" => {
                let input = sender.resolve(name, epoch);
                self.acting(input, args)
            }
            "unsupported" => sender.unsupported(EventType::from_word(name).unwrap_or_default(), name),
            "invalid" => sender.input(EventType::WorkspaceConfigure, Body::Invalid { faults: "no queue".into() }),
            _ => panic!("`{line}` has no verb that is known"),
        }
    }

    fn acting(&self, input: Input, args: &[&str]) -> Input {
        match option(args, "by").map(|by| by.split_once(':').unwrap_or(("agent", by))) {
            Some((kind, id)) => self.sender.by(input, ActorKind::from_word(kind).unwrap_or_default(), id),
            None => input,
        }
    }

    fn presence(&mut self, status: &str, agent: &str, args: &[&str]) -> Input {
        let status = Status::from_word(status).unwrap_or_default();
        let by = option(args, "by").and_then(By::from_word).unwrap_or_default();
        let mut input = self.sender.presence(agent, status, by);
        if let Body::AgentPresence { session, sequence, .. } = &mut input.body {
            *session = option(args, "session").map(|session| self.sender.hash(Kind::Session, &[session]));
            *sequence = option(args, "sequence").map(number);
        }
        match option(args, "from") {
            Some(source) => self.sender.sent_from(input, source),
            None => input,
        }
    }

    /// `-`: the event names no conversation.
    fn contact(&self, channel: &str, conversation: &str, args: &[&str]) -> Contact {
        let sender = &self.sender;
        let entry = option(args, "entry").unwrap_or("");
        let mut contact = sender.contact(channel, entry, option(args, "customer"), option(args, "thread"));
        contact = sender.requiring(contact, &skills(args));
        contact.tier = option(args, "tier").map(|tier| sender.hash(Kind::Tier, &[tier]));
        contact.language = option(args, "language").map(|language| sender.hash(Kind::Language, &[language]));
        if let Some((key, value)) = option(args, "attribute").and_then(|attribute| attribute.split_once(':')) {
            contact.attributes.push(sender.hash(Kind::Attribute, &[key, value]));
        }
        if conversation != "-" {
            contact.conversation = Some(sender.id(Kind::Conversation, conversation));
        }
        contact
    }
}

fn option<'a>(args: &[&'a str], name: &str) -> Option<&'a str> {
    args.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn signed_milliseconds(text: &str) -> i64 {
    let seconds: f64 = text.parse().unwrap_or_else(|_| panic!("`{text}` is no time"));
    (seconds * 1_000.0).round() as i64
}

fn milliseconds(text: &str) -> u64 {
    signed_milliseconds(text) as u64
}

/// `skills=de:5,fr:2`
fn skills<'a>(args: &[&'a str]) -> Vec<(&'a str, u8)> {
    let list = option(args, "skills").map(|list| list.split(',')).into_iter().flatten();
    list.map(|skill| {
        let (name, level) = skill.split_once(':').unwrap_or((skill, "1"));
        (name, number(level) as u8)
    })
    .collect()
}

/// A decision as one line.
pub fn line(told: &Told) -> String {
    let mut words = vec![told.decision_type.word().to_string()];
    match (told.decision_type, told.outcome) {
        (DecisionType::EventRecorded, outcome) if told.reason == Reason::Duplicate => {
            words.push(format!("duplicate({})", outcome.word()));
        }
        (DecisionType::EventRecorded, Outcome::Ignored) => words.push(format!("ignored({})", told.reason.word())),
        _ if told.reason == Reason::None => {}
        _ => words.push(told.reason.word().into()),
    }
    if let Some(conversation) = told.conversation.as_ref().filter(|_| told.agent.is_none()) {
        words.push(conversation.id.to_string());
        if !conversation.owner.is_empty() {
            words.push(conversation.owner.to_string());
        }
        if !conversation.previous_owner.is_empty() {
            words.push(format!("was={}", conversation.previous_owner));
        }
        words.push(format!("epoch={}", conversation.epoch));
        if told.decision_type == DecisionType::ConversationQueued {
            words.push(format!("queue={} by={}", conversation.queue, conversation.rule));
        }
    }
    if let Some(agent) = &told.agent {
        words.push(format!("{} {} {}/{}", agent.id, agent.state.word(), agent.units_used, agent.units));
    }
    if told.cause_id.is_empty() {
        words.push("(tick)".into());
    }
    words.join(" ")
}
