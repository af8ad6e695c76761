//! Events as the codec would decode them, built by hand: for scripts, generated histories and benches alike.

use engine::id::{HashKey, Id, Kind};
use engine::input::{Actor, ActorKind, Body, By, Contact, EventType, Input, RequiredSkill, Status};
use engine::policy::{
    AgentConfig, Channel, Condition, Entry, Policy, Queue, Rule, SkillLevel, Strategy, Subject, Tier,
};

/// Who sends: numbers its events, and hashes names as the codec does.
pub struct Sender {
    pub key: HashKey,
    pub workspace: String,
    pub source: String,
    sent: u64,
}

impl Sender {
    pub fn new(workspace: &str) -> Sender {
        Sender { key: HashKey(0x5eed_0f1e), workspace: workspace.into(), source: "src".into(), sent: 0 }
    }

    pub fn hash(&self, kind: Kind, parts: &[&str]) -> u128 {
        self.key.hash(kind, &self.workspace, parts)
    }

    pub fn id(&self, kind: Kind, text: &str) -> Id {
        self.key.id(kind, &self.workspace, text)
    }

    /// An event with the next id of this source.
    pub fn input(&mut self, event_type: EventType, body: Body) -> Input {
        self.sent += 1;
        let id = format!("e{}", self.sent);
        Input {
            key: self.hash(Kind::Event, &[&self.source, &id]),
            source_hash: self.hash(Kind::Source, &[&self.source]),
            id: id.into(),
            source: self.source.as_str().into(),
            workspace: self.key.id(Kind::Workspace, "", &self.workspace),
            event_type,
            time: None,
            traceparent: None,
            actor: None,
            body,
        }
    }

    /// The same event from another source.
    pub fn sent_from(&self, mut input: Input, source: &str) -> Input {
        input.key = self.hash(Kind::Event, &[source, &input.id]);
        input.source_hash = self.hash(Kind::Source, &[source]);
        input.source = source.into();
        input
    }

    pub fn by(&self, mut input: Input, kind: ActorKind, id: &str) -> Input {
        let of = if kind == ActorKind::Agent { Kind::Agent } else { Kind::Customer };
        input.actor = Some(Actor { kind, id: self.id(of, id) });
        input
    }

    pub fn contact(&self, channel: &str, entry: &str, customer: Option<&str>, thread: Option<&str>) -> Contact {
        let identity = match (thread, customer) {
            (Some(thread), _) => Some(self.hash(Kind::Thread, &[channel, entry, thread])),
            (None, Some(customer)) => Some(self.hash(Kind::Contact, &[channel, entry, customer])),
            (None, None) => None,
        };
        Contact {
            identity,
            threaded: thread.is_some(),
            customer: customer.map(|customer| self.id(Kind::Customer, customer)),
            channel: self.id(Kind::Channel, channel),
            entry: self.id(Kind::Entry, entry),
            ..Contact::default()
        }
    }

    /// The contact requires a skill, beyond what its queue does.
    pub fn requiring(&self, mut contact: Contact, skills: &[(&str, u8)]) -> Contact {
        for &(skill, level) in skills {
            contact.skills.push(RequiredSkill { skill: self.id(Kind::Skill, skill), level });
        }
        contact.skills.sort_by_key(|required| required.skill.hash);
        contact
    }

    fn with_contact(&mut self, event_type: EventType, contact: Contact, body: impl Fn(Contact) -> Body) -> Input {
        let mut input = self.input(event_type, Body::default());
        let new_conversation = self.id(Kind::Conversation, &format!("{}/{}", input.source, input.id));
        input.body = body(Contact { new_conversation, ..contact });
        input
    }

    pub fn started(&mut self, contact: Contact) -> Input {
        self.with_contact(EventType::ContactStarted, contact, |contact| Body::ContactStarted { contact })
    }

    pub fn received(&mut self, contact: Contact, opens: bool) -> Input {
        self.with_contact(EventType::MessageReceived, contact, |contact| Body::MessageReceived { contact, opens })
    }

    pub fn ended(&mut self, conversation: &str, by: ActorKind) -> Input {
        let conversation = Some(self.id(Kind::Conversation, conversation));
        self.input(EventType::ContactEnded, Body::ContactEnded { conversation, identity: None, by })
    }

    pub fn sent(&mut self, conversation: &str) -> Input {
        let conversation = Some(self.id(Kind::Conversation, conversation));
        self.input(EventType::MessageSent, Body::MessageSent { conversation, identity: None })
    }

    pub fn presence(&mut self, agent: &str, status: Status, by: By) -> Input {
        let agent = self.id(Kind::Agent, agent);
        self.input(EventType::AgentPresence, Body::AgentPresence { agent, status, by, session: None, sequence: None })
    }

    pub fn claim(&mut self, conversation: &str, agent: &str, expected_epoch: Option<u64>) -> Input {
        let body = Body::ConversationClaim {
            conversation: self.id(Kind::Conversation, conversation),
            agent: self.id(Kind::Agent, agent),
            expected_epoch,
        };
        let input = self.input(EventType::ConversationClaim, body);
        self.by(input, ActorKind::Agent, agent)
    }

    pub fn assign(&mut self, conversation: &str, agent: &str, epoch: Option<u64>, reason: Option<&str>) -> Input {
        let body = Body::ConversationAssign {
            conversation: self.id(Kind::Conversation, conversation),
            agent: self.id(Kind::Agent, agent),
            expected_epoch: epoch,
            reason: reason.map(Into::into),
        };
        let input = self.input(EventType::ConversationAssign, body);
        self.by(input, ActorKind::Supervisor, "boss")
    }

    pub fn resolve(&mut self, conversation: &str, expected_epoch: Option<u64>) -> Input {
        let conversation = self.id(Kind::Conversation, conversation);
        self.input(EventType::ConversationResolve, Body::ConversationResolve { conversation, expected_epoch })
    }

    pub fn agent(&mut self, agent: &str, config: AgentConfig) -> Input {
        let agent = self.id(Kind::Agent, agent);
        self.input(EventType::AgentConfigure, Body::AgentConfigure { agent, config })
    }

    pub fn configure(&mut self, policy: Policy, expected_version: Option<u64>) -> Input {
        let body = Body::WorkspaceConfigure { policy: Box::new(policy), expected_version };
        self.input(EventType::WorkspaceConfigure, body)
    }

    pub fn unsupported(&mut self, event_type: EventType, what: &str) -> Input {
        self.input(event_type, Body::Unsupported { what: what.into() })
    }
}

pub fn skill_levels(skills: &[(&str, u8)]) -> Vec<SkillLevel> {
    skills.iter().map(|&(name, level)| SkillLevel { name: name.into(), level }).collect()
}

pub fn agent_config(units: Option<u32>, weight: u16, skills: &[(&str, u8)]) -> AgentConfig {
    AgentConfig { team: "".into(), skills: skill_levels(skills), weight, units }
}

/// A policy of one queue, `main`, with the standard channels; 72 h of reopening, 60 s of idle reset.
pub fn plain_policy(strategy: Strategy) -> Policy {
    Policy {
        version: 1,
        test: false,
        default_units: 1,
        reopen_window_ms: 259_200_000,
        idle_reset_ms: 60_000,
        channels: Policy::standard_channels(),
        entries: Vec::new(),
        tiers: Vec::new(),
        queues: vec![queue("main", strategy, &[])],
        rules: vec![rule(&[], "main")],
    }
}

pub fn queue(name: &str, strategy: Strategy, skills: &[(&str, u8)]) -> Queue {
    Queue {
        name: name.into(),
        strategy,
        skills: skill_levels(skills),
        service_level_ms: 20_000,
        service_level_goal_permille: 800,
    }
}

pub fn rule(when: &[(Subject, &str, &str)], queue: &str) -> Rule {
    let condition =
        |&(subject, key, value): &(Subject, &str, &str)| Condition { subject, key: key.into(), value: value.into() };
    Rule { when: when.iter().map(condition).collect(), queue: queue.into() }
}

pub fn tier(name: &str, head_start_ms: u64) -> Tier {
    Tier { name: name.into(), head_start_ms }
}

pub fn entry(name: &str, queue: &str) -> Entry {
    Entry { name: name.into(), queue: queue.into() }
}

/// Replaces the channel of that name, or adds one.
pub fn set_channel(policy: &mut Policy, channel: Channel) {
    match policy.channels.iter_mut().find(|known| known.name == channel.name) {
        Some(known) => *known = channel,
        None => policy.channels.push(channel),
    }
}
