//! Events as the codec would decode them, built by hand: for scripts, generated histories and benches alike.

use engine::calendar::Opening;
use engine::id::{HashKey, Id, Kind};
use engine::input::{
    Actor, ActorKind, Body, By, Contact, Control, EventType, Input, RequiredSkill, Status, SurveyKind, Target,
};
use engine::policy::{
    AgentConfig, Channel, Condition, Entry, Policy, Queue, Rule, SkillLevel, Strategy, Subject, Tier,
};

/// Of all hashes in tests and benches.
pub const KEY: u128 = 0x5eed_0f1e;

/// Who sends: numbers its events, and hashes names as the codec does.
pub struct Sender {
    pub key: HashKey,
    pub workspace: String,
    pub source: String,
    sent: u64,
}

impl Sender {
    pub fn new(workspace: &str) -> Sender {
        Sender { key: HashKey(KEY), workspace: workspace.into(), source: "src".into(), sent: 0 }
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
        contact.skills.append(&mut self.required(skills));
        contact.skills.sort_by_key(|required| required.skill.hash);
        contact
    }

    pub fn required(&self, skills: &[(&str, u8)]) -> Vec<RequiredSkill> {
        let required = |&(skill, level): &(&str, u8)| RequiredSkill { skill: self.id(Kind::Skill, skill), level };
        let mut required: Vec<RequiredSkill> = skills.iter().map(required).collect();
        required.sort_by_key(|required| required.skill.hash);
        required
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

    /// A message that answers nobody: no person's public text.
    pub fn sent(&mut self, conversation: &str) -> Input {
        self.message_sent(Some(conversation), None, false, &[])
    }

    /// An agent's public text to the customer.
    pub fn replied(&mut self, conversation: &str, agent: &str) -> Input {
        let input = self.message_sent(Some(conversation), None, true, &[]);
        self.by(input, ActorKind::Agent, agent)
    }

    pub fn message_sent(
        &mut self,
        conversation: Option<&str>,
        identity: Option<u128>,
        answers: bool,
        mentions: &[&str],
    ) -> Input {
        let conversation = conversation.map(|id| self.id(Kind::Conversation, id));
        let mentions = self.agents(mentions);
        self.input(EventType::MessageSent, Body::MessageSent { conversation, identity, answers, mentions })
    }

    pub fn status(&mut self, conversation: &str, failed: bool) -> Input {
        let conversation = Some(self.id(Kind::Conversation, conversation));
        self.input(EventType::MessageStatus, Body::MessageStatus { conversation, identity: None, failed })
    }

    pub fn connected(&mut self, conversation: &str, agent: &str) -> Input {
        let body = Body::ContactConnected {
            conversation: Some(self.id(Kind::Conversation, conversation)),
            identity: None,
            agent: self.id(Kind::Agent, agent),
        };
        let input = self.input(EventType::ContactConnected, body);
        self.by(input, ActorKind::Agent, agent)
    }

    fn agents(&self, names: &[&str]) -> Vec<Id> {
        names.iter().map(|name| self.id(Kind::Agent, name)).collect()
    }

    /// `owner` empty: nobody from now on.
    pub fn customer(
        &mut self,
        customer: &str,
        tier: Option<&str>,
        blocked: Option<bool>,
        owner: Option<&str>,
    ) -> Input {
        let body = Body::CustomerUpdated {
            customer: self.id(Kind::Customer, customer),
            tier: tier.map(|tier| self.hash(Kind::Tier, &[tier])),
            blocked,
            account_owner: owner
                .map(|owner| if owner.is_empty() { Id::default() } else { self.id(Kind::Agent, owner) }),
        };
        self.input(EventType::CustomerUpdated, body)
    }

    pub fn linked(&mut self, customer: &str, other: &str, are_one: bool) -> Input {
        let (customer, other) = (self.id(Kind::Customer, customer), self.id(Kind::Customer, other));
        match are_one {
            true => self.input(EventType::CustomerLinked, Body::CustomerLinked { customer, other }),
            false => self.input(EventType::CustomerUnlinked, Body::CustomerUnlinked { customer, other }),
        }
    }

    pub fn survey(&mut self, conversation: &str, kind: SurveyKind, score: u32, max: u32) -> Input {
        let conversation = Some(self.id(Kind::Conversation, conversation));
        self.input(EventType::SurveyAnswered, Body::SurveyAnswered { conversation, identity: None, kind, score, max })
    }

    pub fn engaged(&mut self, agent: &str, engagement: &str, channel: &str, units: Option<u32>) -> Input {
        let body = Body::AgentEngaged {
            agent: self.id(Kind::Agent, agent),
            engagement: self.id(Kind::Engagement, engagement),
            channel: self.id(Kind::Channel, channel),
            units,
        };
        self.input(EventType::AgentEngaged, body)
    }

    pub fn disengaged(&mut self, agent: &str, engagement: &str) -> Input {
        let (agent, engagement) = (self.id(Kind::Agent, agent), self.id(Kind::Engagement, engagement));
        self.input(EventType::AgentDisengaged, Body::AgentDisengaged { agent, engagement })
    }

    pub fn heartbeat(&mut self, open_contacts: Option<&[&str]>) -> Input {
        let open_contacts =
            open_contacts.map(|ids| ids.iter().map(|id| self.hash(Kind::Conversation, &[id])).collect());
        self.input(EventType::SourceHeartbeat, Body::SourceHeartbeat { open_contacts })
    }

    pub fn presence(&mut self, agent: &str, status: Status, by: By) -> Input {
        let body = Body::AgentPresence {
            agent: self.id(Kind::Agent, agent),
            status,
            by,
            session: None,
            sequence: None,
            expires_in_ms: None,
            channels: None,
            supervised: false,
            reason: None,
        };
        self.input(EventType::AgentPresence, body)
    }

    /// Outbound, by an agent.
    pub fn opened(&mut self, contact: Contact, agent: &str) -> Input {
        let agent_id = self.id(Kind::Agent, agent);
        let input = self.with_contact(EventType::ConversationOpen, contact, |contact| Body::ConversationOpen {
            contact,
            agent: agent_id.clone(),
        });
        self.by(input, ActorKind::Agent, agent)
    }

    pub fn handoff(&mut self, conversation: &str, queue: Option<&str>, skills: &[(&str, u8)]) -> Input {
        let body = Body::ConversationHandoff {
            conversation: self.id(Kind::Conversation, conversation),
            expected_epoch: None,
            queue: queue.map(|queue| self.hash(Kind::Queue, &[queue])),
            skills: self.required(skills),
            note: None,
        };
        let input = self.input(EventType::ConversationHandoff, body);
        self.by(input, ActorKind::Bot, "bot")
    }

    /// Blind, keeping its place, with nothing to wait for: scripts and histories change the body where it is not.
    pub fn transfer(&mut self, conversation: &str, to: Target) -> Input {
        let body = Body::ConversationTransfer {
            conversation: self.id(Kind::Conversation, conversation),
            expected_epoch: None,
            to,
            warm: false,
            place_back: false,
            note: None,
            reason: Some("because".into()),
            wait_ms: None,
            fallback: None,
        };
        self.input(EventType::ConversationTransfer, body)
    }

    pub fn to_agent(&self, agent: &str) -> Target {
        Target { agent: Some(self.id(Kind::Agent, agent)), ..Target::default() }
    }

    pub fn to_queue(&self, queue: &str) -> Target {
        Target { queue: Some(self.hash(Kind::Queue, &[queue])), ..Target::default() }
    }

    pub fn to_skills(&self, skills: &[(&str, u8)]) -> Target {
        Target { skills: self.required(skills), ..Target::default() }
    }

    pub fn release(&mut self, conversation: &str) -> Input {
        let conversation = self.id(Kind::Conversation, conversation);
        let body = Body::ConversationRelease { conversation, expected_epoch: None, reason: Some("because".into()) };
        self.input(EventType::ConversationRelease, body)
    }

    pub fn escalate(&mut self, conversation: &str, level: u8) -> Input {
        let body = Body::ConversationEscalate {
            conversation: self.id(Kind::Conversation, conversation),
            expected_epoch: None,
            level,
            reason: Some("because".into()),
        };
        self.input(EventType::ConversationEscalate, body)
    }

    pub fn snooze(&mut self, conversation: &str, until: u64) -> Input {
        let conversation = self.id(Kind::Conversation, conversation);
        let body = Body::ConversationSnooze { conversation, expected_epoch: None, until };
        self.input(EventType::ConversationSnooze, body)
    }

    pub fn wake(&mut self, conversation: &str) -> Input {
        let conversation = self.id(Kind::Conversation, conversation);
        self.input(EventType::ConversationWake, Body::ConversationWake { conversation, expected_epoch: None })
    }

    pub fn update(
        &mut self,
        conversation: &str,
        tier: Option<&str>,
        priority: Option<u8>,
        skills: Option<&[(&str, u8)]>,
    ) -> Input {
        let body = Body::ConversationUpdate {
            conversation: self.id(Kind::Conversation, conversation),
            expected_epoch: None,
            tier: tier.map(|tier| self.hash(Kind::Tier, &[tier])),
            priority,
            skills: skills.map(|skills| self.required(skills)),
            reason: Some("because".into()),
        };
        self.input(EventType::ConversationUpdate, body)
    }

    pub fn close(&mut self, conversation: &str) -> Input {
        let conversation = self.id(Kind::Conversation, conversation);
        let body = Body::ConversationClose { conversation, expected_epoch: None, reason: Some("because".into()) };
        self.input(EventType::ConversationClose, body)
    }

    pub fn reopen(&mut self, conversation: &str) -> Input {
        let conversation = self.id(Kind::Conversation, conversation);
        self.input(EventType::ConversationReopen, Body::ConversationReopen { conversation, expected_epoch: None })
    }

    pub fn merge(&mut self, conversation: &str, other: &str, survivor: Option<&str>) -> Input {
        let body = Body::ConversationMerge {
            conversation: self.id(Kind::Conversation, conversation),
            other: self.id(Kind::Conversation, other),
            survivor: survivor.map(|survivor| self.id(Kind::Conversation, survivor)),
        };
        self.input(EventType::ConversationMerge, body)
    }

    pub fn accept(&mut self, offer: u64, agent: &str) -> Input {
        let body = Body::OfferAccept { offer, agent: self.id(Kind::Agent, agent) };
        let input = self.input(EventType::OfferAccept, body);
        self.by(input, ActorKind::Agent, agent)
    }

    pub fn decline(&mut self, offer: u64, agent: &str) -> Input {
        let body = Body::OfferDecline { offer, agent: self.id(Kind::Agent, agent), reason: None };
        let input = self.input(EventType::OfferDecline, body);
        self.by(input, ActorKind::Agent, agent)
    }

    pub fn wrapped_up(&mut self, conversation: &str, agent: &str) -> Input {
        let body = Body::WrapupComplete {
            conversation: self.id(Kind::Conversation, conversation),
            agent: self.id(Kind::Agent, agent),
        };
        let input = self.input(EventType::WrapupComplete, body);
        self.by(input, ActorKind::Agent, agent)
    }

    pub fn note(&mut self, conversation: &str, text: &str, mentions: &[&str]) -> Input {
        let body = Body::NoteAdd {
            conversation: self.id(Kind::Conversation, conversation),
            text: text.into(),
            mentions: self.agents(mentions),
        };
        self.input(EventType::NoteAdd, body)
    }

    pub fn remove(&mut self, agent: &str, successor: Option<&str>) -> Input {
        let body = Body::AgentRemove {
            agent: self.id(Kind::Agent, agent),
            successor: successor.map(|successor| self.id(Kind::Agent, successor)),
            reason: Some("because".into()),
            expected_version: None,
        };
        let input = self.input(EventType::AgentRemove, body);
        self.by(input, ActorKind::Supervisor, "boss")
    }

    pub fn drain(&mut self, agent: &str, drain: bool) -> Input {
        let agent = self.id(Kind::Agent, agent);
        let body = Body::AgentDrain { agent, drain, reason: Some("because".into()), expected_version: None };
        let input = self.input(EventType::AgentDrain, body);
        self.by(input, ActorKind::Supervisor, "boss")
    }

    pub fn control(&mut self, queue: &str, control: Control, until: Option<u64>) -> Input {
        let queue = self.id(Kind::Queue, queue);
        let reason = Some("because".into());
        let body = Body::QueueControl { queue, control, until, reason, expected_version: None };
        let input = self.input(EventType::QueueControl, body);
        self.by(input, ActorKind::Supervisor, "boss")
    }

    /// A calendar's openings, from the first to the second of each pair.
    pub fn expand(&mut self, calendar: &str, from: u64, until: u64, openings: &[(u64, u64)]) -> Input {
        let calendar = self.id(Kind::Calendar, calendar);
        let openings = openings.iter().map(|&(from, to)| Opening { from, to }).collect();
        self.input(EventType::CalendarExpand, Body::CalendarExpand { calendar, from, until, openings })
    }

    /// The command is refused where the conversation's epoch is another.
    pub fn expecting(&self, mut input: Input, epoch: u64) -> Input {
        use Body::*;
        match &mut input.body {
            ConversationClaim { expected_epoch, .. }
            | ConversationAssign { expected_epoch, .. }
            | ConversationResolve { expected_epoch, .. }
            | ConversationHandoff { expected_epoch, .. }
            | ConversationTransfer { expected_epoch, .. }
            | ConversationRelease { expected_epoch, .. }
            | ConversationEscalate { expected_epoch, .. }
            | ConversationSnooze { expected_epoch, .. }
            | ConversationWake { expected_epoch, .. }
            | ConversationUpdate { expected_epoch, .. }
            | ConversationClose { expected_epoch, .. }
            | ConversationReopen { expected_epoch, .. } => *expected_epoch = Some(epoch),
            other => panic!("{other:?} expects no epoch"),
        }
        input
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
        self.input(EventType::AgentConfigure, Body::AgentConfigure { agent, config, expected_version: None })
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
    AgentConfig { skills: skill_levels(skills), weight, units, ..AgentConfig::default() }
}

/// A policy of one queue, `main`, with the standard channels unpaced; 72 h of reopening, 60 s of idle reset, no offers,
/// the third decline in a row stops the work.
pub fn plain_policy(strategy: Strategy) -> Policy {
    Policy {
        version: 1,
        default_units: 1,
        reopen_window_ms: 259_200_000,
        idle_reset_ms: 60_000,
        decline_limit: 3,
        lease_grace_ms: 60_000,
        bot_max_ms: 3_600_000,
        max_transfers: 3,
        priority_head_start_ms: 60_000,
        channels: Policy::standard_channels().into_iter().map(unpaced).collect(),
        queues: vec![queue("main", strategy, &[])],
        rules: vec![rule(&[], "main")],
        ..Policy::default()
    }
}

/// A channel with the defaults of its nature, unpaced.
pub fn channel(name: &str, live: bool, units: u32, exclusive: bool) -> Channel {
    unpaced(Channel { units, exclusive, ..Channel::of_nature(name, live) })
}

/// Without pacing and reply window, and a conversation takes its units whoever is to write next.
fn unpaced(channel: Channel) -> Channel {
    Channel { min_gap_ms: 0, their_turn_units: channel.units, reply_window_ms: 0, ..channel }
}

pub fn queue(name: &str, strategy: Strategy, skills: &[(&str, u8)]) -> Queue {
    Queue {
        name: name.into(),
        strategy,
        skills: skill_levels(skills),
        service_level_ms: 20_000,
        service_level_goal_permille: 800,
        round_ms: 30_000,
        ..Queue::default()
    }
}

pub fn rule(when: &[(Subject, &str, &str)], queue: &str) -> Rule {
    let when = when.iter().map(|&(subject, key, value)| condition(subject, key, value)).collect();
    Rule { when, queue: queue.into() }
}

pub fn condition(subject: Subject, key: &str, value: &str) -> Condition {
    Condition { subject, key: key.into(), value: value.into() }
}

pub fn tier(name: &str, head_start_ms: u64) -> Tier {
    Tier { name: name.into(), head_start_ms, ..Tier::default() }
}

pub fn entry(name: &str, queue: &str) -> Entry {
    Entry { name: name.into(), queue: queue.into(), ..Entry::default() }
}

/// Replaces the channel of that name, or adds one.
pub fn set_channel(policy: &mut Policy, channel: Channel) {
    match policy.channels.iter_mut().find(|known| known.name == channel.name) {
        Some(known) => *known = channel,
        None => policy.channels.push(channel),
    }
}
