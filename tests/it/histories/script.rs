//! Behaviours as scripts: lines of what happens, each followed by lines of what must be told, through one door (`check`).
//!
//! A line is `SECONDS VERB ...`; a line that begins with `=` is a decision of the step before it, and a step that has
//! such lines must tell exactly them (`= nothing`: none; ` ..` at the end of a line: however it goes on). Steps without
//! are preparation. Every step goes to both engines (`pair.rs`). Between
//! two lines time passes: whatever is due fires at its own deadline, and what it tells stands before what the line does;
//! after a line ticks are fed until nothing is due. Every record is sealed and rebuilt.
//!
//! `expand CALENDAR 0-60 120-180 until=600 from=0` says when a calendar is open, in seconds.
//!
//! `until SECONDS` lets time pass and does nothing else. `SECONDS tick` jumps there: what is due fires late, all at once.
//! `SECONDS look NAME` shows a conversation or an agent as the views do.

use super::events::Sender;
use super::pair::Pair;
use super::policies::{self, levels, milliseconds, number, option};
use engine::decision::{DecisionType, Outcome, Reason, Told, ToldClock, ToldConversation};
use engine::id::Kind;
use engine::input::{ActorKind, Body, By, Contact, Control, EventType, Input, Status, SurveyKind, Target};
use engine::policy::Policy;

/// Seconds of scripts count from here.
pub const START_MS: u64 = 1_700_000_000_000;

/// Plays a script in a workspace of this policy.
#[track_caller]
pub fn check(policy: Policy, script: &str) {
    let mut desk = Desk::new(policy);
    desk.check(script);
}

/// The same of clocks alone: lines that tell of something else are passed over.
#[track_caller]
pub fn check_clocks_under(policy: &str, script: &str) {
    let mut desk = Desk::new(policies::policy(policy));
    desk.only_clocks = true;
    desk.check(script);
}

/// The same, the policy in words (`policies.rs`).
#[track_caller]
pub fn check_under(policy: &str, script: &str) {
    check(policies::policy(policy), script);
}

/// Both engines with one workspace, and who sends to it.
pub struct Desk {
    pub pair: Pair,
    pub sender: Sender,
    last: Option<Input>,
    version: u64,
    now_ms: u64,
    only_clocks: bool,
}

impl Desk {
    pub fn new(policy: Policy) -> Desk {
        assert_eq!(policy.faults(), [], "the policy of a script is sound");
        let sender = Sender::new("acme");
        let mut desk = Desk {
            pair: Pair::new(sender.key),
            sender,
            last: None,
            version: policy.version,
            now_ms: 0,
            only_clocks: false,
        };
        desk.configure(policy, 0);
        desk
    }

    /// Lines of a script, on what has happened so far.
    #[track_caller]
    pub fn check(&mut self, script: &str) {
        let lines: Vec<&str> = script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            let expected: Vec<&str> =
                lines[at + 1..].iter().take_while(|l| l.starts_with('=')).map(|l| l[1..].trim()).collect();
            at += 1 + expected.len();
            let told = self.play(line);
            match &expected[..] {
                [] => {}
                ["nothing"] => assert_eq!(told, Vec::<String>::new(), "after `{line}`"),
                _ if agree(&told, &expected) => {}
                _ => assert_eq!(told, expected, "after `{line}`"),
            }
        }
    }

    pub fn configure(&mut self, policy: Policy, now_ms: u64) -> Vec<String> {
        self.version = self.version.max(policy.version);
        let input = self.sender.configure(policy, None);
        self.give(input, now_ms)
    }

    /// One input at so many ms after the start, and the ticks it wants. Returns what was told, a line a decision.
    pub fn give(&mut self, input: Input, now_ms: u64) -> Vec<String> {
        let told = self.told(input, now_ms);
        self.lines(&told)
    }

    pub fn told(&mut self, input: Input, now_ms: u64) -> Vec<Told> {
        let mut told = self.pass(now_ms);
        told.append(&mut sound(self.pair.step(&input, START_MS + now_ms)));
        self.last = Some(input);
        told.append(&mut self.settle());
        told
    }

    /// Time passes: everything that is due fires at its own deadline.
    pub fn pass(&mut self, now_ms: u64) -> Vec<Told> {
        self.now_ms = self.now_ms.max(now_ms);
        sound(self.pair.pass(START_MS + self.now_ms))
    }

    fn settle(&mut self) -> Vec<Told> {
        let told = sound(self.pair.settle(START_MS + self.now_ms));
        sound(self.pair.seal());
        told
    }

    fn lines(&self, told: &[Told]) -> Vec<String> {
        let shown = told.iter().filter(|told| told.clock.is_some() || !self.only_clocks);
        shown.map(|told| line(told, START_MS + self.now_ms)).collect()
    }

    /// The event of a line, played too.
    pub fn heard(&mut self, line: &str) -> Input {
        self.play(line);
        self.last.clone().unwrap_or_else(|| panic!("`{line}` is no event"))
    }

    /// Who got each of these e-mails, a letter each; `-` for nobody.
    pub fn picks(&mut self, second: u64, messages: std::ops::Range<usize>) -> String {
        let mut picks = String::new();
        for n in messages {
            let told = self.play(&format!("{second} message m{n} on=email"));
            let assigned = told.iter().find(|line| line.starts_with("conversation.assigned auto"));
            picks += assigned.and_then(|line| line.split(' ').nth(3)).unwrap_or("-");
        }
        picks
    }

    /// One line of a script.
    pub fn play(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let told = match words[..] {
            ["until", seconds] => {
                let told = self.pass(milliseconds(seconds));
                sound(self.pair.seal());
                told
            }
            [seconds, "tick"] => {
                self.now_ms = self.now_ms.max(milliseconds(seconds));
                self.settle()
            }
            [seconds, "look", name] => {
                self.pass(milliseconds(seconds));
                return vec![self.look(name)];
            }
            [seconds, verb @ ("behind" | "caught_up" | "recover" | "claimed")] => {
                let mut told = self.pass(milliseconds(seconds));
                let now = START_MS + self.now_ms;
                sound(match verb {
                    "recover" => self.pair.recover(),
                    "claimed" => self.pair.claimed(now),
                    _ => self.pair.set_behind(verb == "behind", now),
                });
                told.append(&mut self.settle());
                told
            }
            [seconds, "policy", ..] => {
                let text = line.split_once("policy").map_or("", |(_, text)| text);
                let mut policy = policies::policy(text);
                assert_eq!(policy.faults(), [], "`{text}` is sound");
                policy.version = self.version + 1;
                return self.configure(policy, milliseconds(seconds));
            }
            [seconds, verb, ref args @ ..] => {
                let input = match verb {
                    "repeat" => self.last.clone().unwrap_or_else(|| panic!("nothing to repeat")),
                    _ => self.input(verb, args, line),
                };
                self.told(input, milliseconds(seconds))
            }
            _ => panic!("`{line}` is no step"),
        };
        self.lines(&told)
    }

    /// An event with what any of them may have: source, time, actor, expected epoch.
    fn input(&mut self, verb: &str, args: &[&str], line: &str) -> Input {
        let source = option(args, "source").or(option(args, "from")).unwrap_or("src");
        let usual = std::mem::replace(&mut self.sender.source, source.into());
        let mut input = self.event(verb, args, line);
        self.sender.source = usual;
        if let Some(at) = option(args, "at") {
            let behind = at.strip_prefix('-').map(milliseconds);
            input.time = Some(behind.map_or_else(|| START_MS + milliseconds(at), |behind| START_MS - behind));
        }
        if let Some(epoch) = option(args, "epoch") {
            input = self.sender.expecting(input, number(epoch));
        }
        // Of a presence and of an end, `by` says something else.
        if let (Some(by), false) = (option(args, "by"), matches!(verb, "ended") || Status::from_word(verb).is_some()) {
            let (kind, id) = by.split_once(':').unwrap_or(("agent", by));
            input = self.sender.by(input, ActorKind::from_word(kind).expect("a kind of actor"), id);
        }
        input
    }

    fn event(&mut self, verb: &str, args: &[&str], line: &str) -> Input {
        let name = args.first().copied().unwrap_or("");
        let second = || args.get(1).copied().unwrap_or_else(|| panic!("`{line}` names nobody"));
        let skills = || levels(option(args, "skills").unwrap_or(""));
        let names = |name: &str| -> Vec<&str> {
            let list = option(args, name).unwrap_or("").split(',');
            list.filter(|name| !name.is_empty()).collect()
        };
        let until = option(args, "until").map(|until| START_MS + milliseconds(until));
        let sender = &mut self.sender;
        match verb {
            "agent" => sender.agent(name, policies::agent_config(args)),
            "remove" => sender.remove(name, option(args, "successor")),
            "drain" | "undrain" => sender.drain(name, verb == "drain"),
            "engaged" => {
                let units = option(args, "units").map(|units| number(units) as u32);
                sender.engaged(name, second(), option(args, "on").unwrap_or("voice"), units)
            }
            "disengaged" => sender.disengaged(name, second()),
            "heartbeat" => {
                let open = option(args, "open").map(|_| names("open"));
                sender.heartbeat(open.as_deref())
            }
            "voice" | "chat" | "video" => {
                let contact = self.contact(verb, name, args);
                self.sender.started(contact)
            }
            "started" | "message" => {
                let contact = self.contact(option(args, "on").unwrap_or("email"), name, args);
                let opens = option(args, "opens") != Some("no");
                if verb == "started" { self.sender.started(contact) } else { self.sender.received(contact, opens) }
            }
            "outbound" => {
                let contact = self.contact(option(args, "on").unwrap_or("email"), name, args);
                self.sender.opened(contact, second())
            }
            "ended" => {
                let by = option(args, "by").and_then(ActorKind::from_word).unwrap_or(ActorKind::Customer);
                sender.ended(name, by)
            }
            "sent" => sender.message_sent(Some(name), None, args.contains(&"answers"), &names("mentions")),
            "reply" => sender.replied(name, second()),
            "connected" => sender.connected(name, second()),
            "failed" | "delivered" => sender.status(name, verb == "failed"),
            "customer" => {
                let blocked = option(args, "blocked").map(|blocked| blocked == "yes");
                sender.customer(name, option(args, "tier"), blocked, option(args, "owner"))
            }
            "link" | "unlink" => sender.linked(name, second(), verb == "link"),
            "survey" => {
                let kind = option(args, "kind").and_then(SurveyKind::from_word).unwrap_or_default();
                sender.survey(name, kind, number(option(args, "score").unwrap_or("5")) as u32, 5)
            }
            "claim" => sender.claim(name, second(), None),
            "assign" => sender.assign(name, second(), None, option(args, "reason")),
            "resolve" => sender.resolve(name, None),
            "handoff" => sender.handoff(name, option(args, "queue"), &skills()),
            "accept" => sender.accept(number(name), second()),
            "decline" => sender.decline(number(name), second()),
            "wrapup" => sender.wrapped_up(name, second()),
            "note" => sender.note(name, "as he said", &names("mentions")),
            "merge" => {
                let input = sender.merge(name, second(), option(args, "into"));
                by_supervisor(sender, input)
            }
            "control" => sender.control(name, Control::from_word(second()).expect("a word of control"), until),
            "transfer" => self.transfer(name, args),
            "expand" => {
                let spans = args[1..].iter().filter(|arg| !arg.contains('=')).filter_map(|arg| arg.split_once('-'));
                let openings: Vec<(u64, u64)> =
                    spans.map(|(from, to)| (START_MS + milliseconds(from), START_MS + milliseconds(to))).collect();
                let from = option(args, "from").map_or(START_MS, |from| START_MS + milliseconds(from));
                sender.expand(name, from, until.unwrap_or(u64::MAX), &openings)
            }
            "release" | "escalate" | "snooze" | "wake" | "update" | "close" | "reopen" => {
                let input = match verb {
                    "release" => sender.release(name),
                    "escalate" => sender.escalate(name, number(second()) as u8),
                    "snooze" => sender.snooze(name, until.unwrap_or_else(|| panic!("`{line}` has no end"))),
                    "wake" => sender.wake(name),
                    "update" => {
                        let (tier, priority) = (option(args, "tier"), option(args, "priority").map(number));
                        let wanted = option(args, "skills").map(levels);
                        sender.update(name, tier, priority.map(|priority| priority as u8), wanted.as_deref())
                    }
                    "close" => sender.close(name),
                    _ => sender.reopen(name),
                };
                by_supervisor(sender, input)
            }
            "unsupported" => sender.unsupported(EventType::from_word(name).unwrap_or_default(), name),
            "invalid" => sender.input(EventType::WorkspaceConfigure, Body::Invalid { faults: "no queue".into() }),
            _ if Status::from_word(verb).is_some() => self.presence(verb, name, args),
            _ => panic!("`{line}` has no verb that is known"),
        }
    }

    fn presence(&mut self, status: &str, agent: &str, args: &[&str]) -> Input {
        let status = Status::from_word(status).unwrap_or_default();
        let by = option(args, "by").and_then(By::from_word).unwrap_or_default();
        let mut input = self.sender.presence(agent, status, by);
        let Body::AgentPresence { session, sequence, expires_in_ms, channels, supervised, reason, .. } =
            &mut input.body
        else {
            return input;
        };
        *session = option(args, "session").map(|session| self.sender.hash(Kind::Session, &[session]));
        *sequence = option(args, "sequence").map(number);
        *expires_in_ms = option(args, "expires").map(milliseconds);
        *channels = option(args, "channels").map(|list| {
            let names = list.split(',').filter(|name| !name.is_empty());
            names.map(|name| self.sender.hash(Kind::Channel, &[name])).collect()
        });
        *supervised = args.contains(&"supervised");
        *reason = supervised.then(|| "because".into());
        if *supervised { by_supervisor(&self.sender, input) } else { input }
    }

    /// `to=agent:anna`, `to=queue:main`, `to=skills:de:5,fr:2`
    fn transfer(&mut self, conversation: &str, args: &[&str]) -> Input {
        let sender = &mut self.sender;
        let target = match option(args, "to").and_then(|to| to.split_once(':')) {
            Some(("agent", agent)) => sender.to_agent(agent),
            Some(("queue", queue)) => sender.to_queue(queue),
            Some(("skills", skills)) => sender.to_skills(&levels(skills)),
            _ => Target::default(),
        };
        let mut input = sender.transfer(conversation, target);
        let Body::ConversationTransfer { warm, place_back, note, wait_ms, fallback, .. } = &mut input.body else {
            return input;
        };
        *warm = args.contains(&"warm");
        *place_back = args.contains(&"back");
        *note = option(args, "note").map(Into::into);
        *wait_ms = option(args, "wait").map(milliseconds);
        *fallback = option(args, "fallback").map(|queue| sender.hash(Kind::Queue, &[queue]));
        by_supervisor(sender, input)
    }

    /// `-`: the event names no conversation.
    fn contact(&self, channel: &str, conversation: &str, args: &[&str]) -> Contact {
        let sender = &self.sender;
        let entry = option(args, "entry").unwrap_or("");
        let mut contact = sender.contact(channel, entry, option(args, "customer"), option(args, "thread"));
        contact = sender.requiring(contact, &levels(option(args, "skills").unwrap_or("")));
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

    /// `c1 queued cause=all_full`, `c1 assigned anna turn=ours`; `anna partly 2/3 work:c1:1 wrap_up:c0:1`.
    fn look(&self, name: &str) -> String {
        let workspace = self.pair.engine.workspace("acme").expect("it is configured");
        if let Some(agent) = workspace.agent(name) {
            let mut words = vec![format!("{name} {} {}/{}", agent.state.word(), agent.units_used, agent.units)];
            let mut holds: Vec<String> =
                agent.holds.iter().map(|h| format!("{}:{}:{}", h.kind.word(), h.reference, h.units)).collect();
            holds.sort();
            words.append(&mut holds);
            return words.join(" ");
        }
        let Some(found) = workspace.conversation(name) else { return format!("no {name}") };
        let mut words = vec![format!("{name} {}", found.state)];
        let turn = if found.owner.is_some() { found.turn } else { "" };
        words.extend(found.owner.map(String::from));
        words.extend(found.offered_to.map(|agent| format!("to={agent}")));
        let shown = [("turn", turn, "none"), ("cause", found.cause, "")];
        let shown = shown.into_iter().filter(|(_, word, plain)| !word.is_empty() && word != plain);
        words.extend(shown.map(|(name, word, _)| format!("{name}={word}")));
        let numbers = [("priority", u64::from(found.priority)), ("step", u64::from(found.step))];
        let numbers = numbers.into_iter().filter(|(_, number)| *number > 0);
        words.extend(numbers.map(|(name, number)| format!("{name}={number}")));
        words.join(" ")
    }
}

/// Line by line; one that ends with ` ..` is only the beginning of what must be told.
fn agree(told: &[String], expected: &[&str]) -> bool {
    let one = |(told, expected): (&String, &&str)| match expected.strip_suffix(" ..") {
        Some(beginning) => told.starts_with(beginning),
        None => told == expected,
    };
    told.len() == expected.len() && told.iter().zip(expected).all(one)
}

/// A supervisor says it, unless the line names somebody else.
fn by_supervisor(sender: &Sender, input: Input) -> Input {
    sender.by(input, ActorKind::Supervisor, "boss")
}

fn sound<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|failure| panic!("{failure}"))
}

fn seconds(ms: u64) -> String {
    format!("{}", (ms as f64 - START_MS as f64) / 1_000.0)
}

/// A decision as one line. What time did before the line's own is marked with its moment.
pub fn line(told: &Told, now: u64) -> String {
    let mut words = vec![told.decision_type.word().to_string()];
    match (told.decision_type, told.outcome) {
        (DecisionType::EventRecorded, outcome) if told.reason == Reason::Duplicate => {
            words.push(format!("duplicate({})", outcome.word()));
        }
        (DecisionType::EventRecorded, Outcome::Ignored) => words.push(format!("ignored({})", told.reason.word())),
        _ if told.reason == Reason::None => {}
        _ => words.push(told.reason.word().into()),
    }
    let is_of_agent = matches!(told.decision_type, DecisionType::AgentChanged | DecisionType::CapacityExceeded);
    match (&told.conversation, &told.clock) {
        (Some(conversation), Some(clock)) if told.decision_type != DecisionType::ConversationEscalated => {
            words.push(conversation.id.to_string());
            about_clock(told, clock, &mut words);
        }
        (Some(conversation), _) if !is_of_agent => about_conversation(told, conversation, &mut words),
        _ => {}
    }
    match &told.agent {
        Some(agent) if is_of_agent => {
            words.push(format!("{} {} {}/{}", agent.id, agent.state.word(), agent.units_used, agent.units));
        }
        // The owner's failed reply is his alone: he is named already.
        Some(agent) if told.decision_type != DecisionType::ReplyFailed => words.push(format!("to={}", agent.id)),
        _ => {}
    }
    if let Some(detail) = &told.detail {
        let shown = |word: &str, is_told: bool, value: String| is_told.then(|| format!("{word}={value}"));
        words.extend(shown("offer", detail.offer > 0, detail.offer.to_string()));
        let has_end = matches!(
            told.decision_type,
            DecisionType::ConversationOffered | DecisionType::ConversationSnoozed | DecisionType::QueueChanged
        );
        words.extend(shown("until", has_end && detail.until > 0, seconds(detail.until)));
        words.extend(shown("text", told.decision_type == DecisionType::ConversationDeflected, detail.text.to_string()));
        let has_other = matches!(
            told.decision_type,
            DecisionType::ConversationMerged
                | DecisionType::QueueChanged
                | DecisionType::CustomerMerged
                | DecisionType::SourceSuspect
        );
        words.extend(shown("other", has_other, detail.other.to_string()));
        let has_level = told.decision_type == DecisionType::ConversationEscalated;
        words.extend(shown("level", has_level && detail.number > 0, detail.number.to_string()));
    }
    if let Some(clock) = told.clock.as_ref().filter(|_| told.decision_type == DecisionType::ConversationEscalated) {
        words.push(format!("clock={} percent={}", clock.clock.word(), clock.percent));
    }
    match told.cause_id.is_empty() {
        true if told.time < now => words.push(format!("(tick at {})", seconds(told.time))),
        true => words.push("(tick)".into()),
        false => {}
    }
    words.join(" ")
}

/// `first_response generation=1 due=60`, `first_response generation=1 business=12 wall=15`
fn about_clock(told: &Told, clock: &ToldClock, words: &mut Vec<String>) {
    let duration = |ms: u64| format!("{}", ms as f64 / 1_000.0);
    words.push(format!("{} generation={}", clock.clock.word(), clock.generation));
    match told.decision_type {
        DecisionType::ClockStarted | DecisionType::ClockResumed if clock.due > 0 => {
            words.push(format!("due={}", seconds(clock.due)));
        }
        DecisionType::ClockStarted | DecisionType::ClockResumed => words.push("due=never".into()),
        DecisionType::ClockPaused => words.push(format!("business={}", duration(clock.business_ms))),
        DecisionType::ClockWarned | DecisionType::ClockBreached => words.push(format!("percent={}", clock.percent)),
        DecisionType::ClockCompleted => {
            words.push(format!("business={} wall={}", duration(clock.business_ms), duration(clock.wall_ms)));
            words.extend((clock.over_ms > 0).then(|| format!("over={}", duration(clock.over_ms))));
        }
        _ => {}
    }
}

fn about_conversation(told: &Told, about: &ToldConversation, words: &mut Vec<String>) {
    words.push(about.id.to_string());
    if !about.owner.is_empty() {
        words.push(about.owner.to_string());
    }
    if !about.previous_owner.is_empty() {
        words.push(format!("was={}", about.previous_owner));
    }
    words.push(format!("epoch={}", about.epoch));
    match (told.decision_type, told.reason) {
        // A command or a way out needs no rule.
        (
            DecisionType::ConversationQueued,
            Reason::New | Reason::TooManySkillSets | Reason::Reopen | Reason::Requeue,
        ) => words.push(format!("queue={} by={}", about.queue, about.rule)),
        (DecisionType::ConversationQueued, _) => words.push(format!("queue={}", about.queue)),
        (DecisionType::ConversationRelaxed, _) => words.push(format!("step={}", about.step)),
        (DecisionType::ConversationEscalated, _) | (DecisionType::ConversationUpdated, Reason::Updated) => {
            words.push(format!("priority={}", about.priority));
        }
        (DecisionType::ConversationUpdated, Reason::Dormant)
        | (DecisionType::ConversationWoken | DecisionType::ReplyFailed, _) => {
            words.push(format!("turn={}", about.turn.word()));
        }
        _ => {}
    }
}
