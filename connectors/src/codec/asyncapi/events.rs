//! Events in: a message for each type that is built, with the members that the decoder reads and an example.

use super::super::configuration::is_configuration;
use super::super::limits;
use super::super::members::{Member, Members, read_by, reads_data};
use super::{keyed_by_workspace, reference, schema};
use engine::input::EventType;
use serde_json::{Map, Value, json};

/// Whether the type can be anything but `unsupported`.
pub(super) fn is_built(event_type: EventType) -> bool {
    reads_data(event_type) || is_configuration(event_type)
}

fn built() -> impl Iterator<Item = EventType> {
    EventType::ALL.iter().copied().filter(|event_type| is_built(*event_type))
}

pub(super) fn channel() -> Value {
    let messages: Map<String, Value> =
        built().map(|event_type| (event_type.word().to_string(), reference("messages", event_type.word()))).collect();
    let to_come: Vec<&str> = EventType::ALL
        .iter()
        .filter(|event_type| !is_built(**event_type))
        .map(|event_type| event_type.word())
        .collect();
    json!({
        "address": "strowger.events",
        "description": format!(
            "The one log of inputs; HTTP appends to it too. An event goes to the partition that Java's murmur2 gives \
             for its workspace, and at most {} KiB ({} KiB of `workspace.configure`) are taken. These types are known \
             and answered `unsupported`: {}.",
            limits::EVENT_BYTES / 1_024,
            limits::CONFIGURE_BYTES / 1_024,
            to_come.join(", "),
        ),
        "messages": messages,
    })
}

pub(super) fn messages() -> Map<String, Value> {
    built().map(|event_type| (event_type.word().to_string(), message(event_type))).collect()
}

fn message(event_type: EventType) -> Value {
    let word = event_type.word();
    let example = json!({
        "specversion": "1.0",
        "id": "e-17",
        "source": "crm",
        "type": word,
        "time": "2026-11-26T08:00:00.000Z",
        "workspace": "acme",
        "data": example(event_type),
    });
    json!({
        "name": word,
        "title": if event_type.is_command() { "A command: it may be refused" } else { "A fact: it is never refused" },
        "summary": summary(event_type),
        "bindings": keyed_by_workspace(),
        "payload": {
            "allOf": [
                schema("event"),
                {
                    "type": "object",
                    "required": ["data"],
                    "properties": { "type": { "const": word }, "data": schema(&data_name(event_type)) },
                },
            ],
        },
        "examples": [{ "payload": example }],
    })
}

fn data_name(event_type: EventType) -> String {
    format!("data-of-{}", event_type.word())
}

pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas: Map<String, Value> = shared();
    schemas.extend(built().map(|event_type| (data_name(event_type), data_schema(event_type))));
    schemas
}

fn data_schema(event_type: EventType) -> Value {
    if is_configuration(event_type) {
        let required = if event_type == EventType::AgentConfigure { "agent" } else { "version" };
        return json!({
            "type": "object",
            "required": [required],
            "description": "`strowger schema workspace` prints the JSON Schema of its members.",
        });
    }
    let read = read_by(event_type);
    let properties: Map<String, Value> = Member::ALL
        .iter()
        .filter(|member| read.has(**member))
        .map(|member| (member.word().to_string(), member_schema(event_type, *member)))
        .collect();
    let mut data = json!({ "type": "object", "properties": properties });
    let required: Vec<&str> = required(event_type).iter().map(|member| member.word()).collect();
    if !required.is_empty() {
        data["required"] = json!(required);
    }
    let rules = rules(event_type, read);
    if !rules.is_empty() {
        data["allOf"] = rules.into();
    }
    data
}

/// Members without which an event of a type is refused, those apart of which one of several is enough.
pub(super) fn required(event_type: EventType) -> &'static [Member] {
    match event_type {
        EventType::ContactStarted | EventType::MessageReceived | EventType::ConversationOpen => &[Member::Channel],
        EventType::MessageStatus | EventType::AgentPresence => &[Member::Status],
        EventType::SurveyAnswered => &[Member::Score, Member::Max],
        EventType::CustomerUpdated => &[Member::Customer],
        EventType::CustomerLinked | EventType::CustomerUnlinked => &[Member::Customer, Member::Other],
        EventType::AgentEngaged => &[Member::Engagement, Member::Channel],
        EventType::AgentDisengaged => &[Member::Engagement],
        EventType::ConversationAssign => &[Member::Conversation, Member::Agent],
        EventType::ConversationTransfer => &[Member::Conversation, Member::To],
        EventType::ConversationEscalate => &[Member::Conversation, Member::Level],
        EventType::ConversationSnooze => &[Member::Conversation, Member::Until],
        EventType::ConversationMerge => &[Member::Conversation, Member::Other],
        EventType::NoteAdd => &[Member::Conversation, Member::Text],
        EventType::OfferAccept | EventType::OfferDecline => &[Member::Offer],
        EventType::AgentRemove | EventType::AgentDrain => &[Member::Agent],
        EventType::QueueControl => &[Member::Queue, Member::State],
        EventType::CalendarExpand => &[Member::Calendar, Member::Until, Member::Openings],
        other if read_by(other).has(Member::ExpectedEpoch) || other == EventType::WrapupComplete => {
            &[Member::Conversation]
        }
        _ => &[],
    }
}

/// What a list of members cannot say: of which members one is enough, and what a nested one needs.
fn rules(event_type: EventType, read: Members) -> Vec<Value> {
    let mut rules = Vec::new();
    let needed = |member| required(event_type).contains(&member);
    let with_customer_id = json!({ "properties": { "customer": { "required": ["id"] } } });
    if names_a_conversation(event_type) {
        rules.push(json!({
            "anyOf": [
                { "required": ["conversation"] },
                { "required": ["channel", "thread"] },
                { "required": ["channel", "customer"], "properties": with_customer_id["properties"] },
            ],
        }));
    }
    if needed(Member::Customer) {
        rules.push(with_customer_id);
    }
    if read.has(Member::Agent) && !needed(Member::Agent) {
        rules.push(json!({
            "anyOf": [
                { "required": ["agent"] },
                {
                    "required": ["actor"],
                    "properties": { "actor": { "properties": { "kind": { "const": "agent" } } } },
                },
            ],
        }));
    }
    rules
}

/// Facts about a conversation that exists: by its id, or by who is in it.
fn names_a_conversation(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::ContactConnected
            | EventType::ContactEnded
            | EventType::MessageSent
            | EventType::MessageStatus
            | EventType::MessageEdited
            | EventType::MessageDeleted
            | EventType::SurveyAnswered
    )
}

/// A schema with a description; beside a reference it would be ignored.
fn described(schema: Value, description: &str) -> Value {
    let mut schema = if schema.get("$ref").is_some() { json!({ "allOf": [schema] }) } else { schema };
    schema["description"] = json!(description);
    schema
}

fn member_schema(event_type: EventType, member: Member) -> Value {
    let whole = |min: u64, max: u64| json!({ "type": "integer", "minimum": min, "maximum": max });
    let words = |words: &[&str]| json!({ "type": "string", "enum": words });
    let text = |min: usize, max: usize| json!({ "type": "string", "minLength": min, "maxLength": max });
    let seconds = |max: u32| json!({ "type": "number", "minimum": 1, "maximum": max });
    let ids = |max: usize| json!({ "type": "array", "items": schema("id"), "maxItems": max });
    match member {
        Member::Actor => schema("actor"),
        Member::Conversation => described(schema("id"), "The conversation's id in its workspace."),
        Member::Customer => schema("customer"),
        Member::Channel => described(schema("id"), "The channel, as the workspace's policy names it."),
        Member::Entry => described(schema("id"), "Our address that was contacted."),
        Member::Thread => described(schema("id"), "The mail thread's root, the post, the call's id."),
        Member::Attributes => schema("attributes"),
        Member::Skills => schema("skills"),
        Member::Message => schema("message"),
        Member::Agent if required(event_type).contains(&Member::Agent) => schema("id"),
        Member::Agent => described(schema("id"), "The agent; the actor, where that is one and this is absent."),
        Member::By if event_type == EventType::ContactEnded => {
            described(schema("actor-kind"), "Who ended it; the actor's kind where absent, else the customer.")
        }
        Member::By => described(
            words(&["agent", "device"]),
            "`agent` (the default): the agent's own choice. `device`: its source speaks only for itself.",
        ),
        Member::Status if event_type == EventType::MessageStatus => words(&["delivered", "read", "failed"]),
        Member::Status => described(
            words(&["online", "away", "offline", "pending_away"]),
            "`pending_away` finishes what is open and gets nothing new.",
        ),
        Member::Session => described(schema("id"), "The session whose sequence counts."),
        Member::Sequence => described(
            whole(0, u64::MAX),
            "Rises within a session and source; one that is not above the last is ignored.",
        ),
        Member::Reason => described(
            text(0, limits::REASON_BYTES),
            "For people, kept with the decision. A supervisor's command needs one.",
        ),
        Member::ExpectedEpoch => {
            described(whole(0, u64::MAX), "Refused with `stale_epoch` where the conversation's is another.")
        }
        Member::ExpectedVersion => {
            described(whole(0, u64::MAX), "Refused with `version_mismatch` where the policy's version is another.")
        }
        Member::ExpiresInS => {
            described(seconds(limits::LEASE_S), "Term of the lease in seconds; absent: it does not end.")
        }
        Member::Channels => described(ids(limits::CHANNELS), "Channels it is for; absent: all, empty: none."),
        Member::Mentions => described(ids(limits::MENTIONS), "Agents to notify."),
        Member::Engagement => described(schema("id"), "The work, as its own system names it."),
        Member::Units => described(
            whole(1, limits::UNITS.into()),
            "Units of capacity that it takes; absent: those of a conversation of the channel.",
        ),
        Member::Blocked => json!({ "type": "boolean", "description": "Whether his messages are ignored." }),
        Member::AccountOwner => json!({
            "anyOf": [schema("id"), { "type": "null" }],
            "description": "The agent that new conversations prefer; null: nobody from now on, absent: as before.",
        }),
        Member::Other if event_type == EventType::ConversationMerge => {
            described(schema("id"), "The conversation that becomes one with `conversation`.")
        }
        Member::Other => described(schema("id"), "The id that is, or no longer is, the same customer's."),
        Member::Kind => described(words(&["csat", "nps", "ces", "other"]), "`other` where absent."),
        Member::Score => described(whole(0, limits::SCORE.into()), "At most `max`."),
        Member::Max => described(whole(1, limits::SCORE.into()), "The greatest score possible."),
        Member::OpenContacts => described(
            ids(limits::OPEN_CONTACTS),
            "Conversations that are open at the source: its others are over. Absent: only a sign of life.",
        ),
        Member::Queue if event_type == EventType::ConversationHandoff => {
            described(schema("id"), "Where to; absent: by the rules.")
        }
        Member::Queue => schema("id"),
        Member::Note => described(text(1, limits::NOTE_BYTES), "Travels with the conversation."),
        Member::To => schema("target"),
        Member::Warm => json!({
            "type": "boolean",
            "description": "The giver owns it until the agent accepts. Only with `to.agent`; default false.",
        }),
        Member::Place => described(
            words(&["keep", "back"]),
            "`keep` (the default): the waiting already done counts. `back`: stands in line as if it came now.",
        ),
        Member::WaitS => {
            described(seconds(limits::WAIT_S), "Waits for the agent so many seconds at most. Only with `to.agent`.")
        }
        Member::Fallback => described(
            schema("id"),
            "The queue that gets it where the agent did not; absent: where it came from. Only with `to.agent`.",
        ),
        Member::Level => whole(1, limits::ESCALATION_LEVEL.into()),
        Member::Until if event_type == EventType::QueueControl => {
            described(schema("time"), "When this ends by itself; absent: by the next command.")
        }
        Member::Until if event_type == EventType::CalendarExpand => described(
            schema("time"),
            "Up to here the openings are known: nothing is open behind it. Later than `from`.",
        ),
        Member::Until => described(schema("time"), "When it wakes by itself."),
        Member::Priority => whole(0, limits::PRIORITY.into()),
        Member::Survivor => described(schema("id"), "`conversation` or `other`; absent: the older of the two."),
        Member::Offer => described(schema("id"), "The offer's id, as `conversation.offered` told it."),
        Member::Text => text(1, limits::NOTE_BYTES),
        Member::Successor => described(schema("id"), "Who gets the open work; absent: it is queued again."),
        Member::Drain => json!({ "type": "boolean", "description": "False ends the draining; default true." }),
        Member::State => described(
            words(&["open", "closed", "emergency", "none"]),
            "Above the queue's calendar; `none` takes this word back.",
        ),
        Member::Calendar => described(schema("id"), "The calendar, as the workspace's policy names it."),
        Member::From => described(
            schema("time"),
            "From here on the openings are these; what is known before it stays. Absent: all is replaced.",
        ),
        Member::Openings => json!({
            "type": "array",
            "items": { "type": "array", "items": schema("time"), "minItems": 2, "maxItems": 2 },
            "maxItems": limits::OPENINGS,
            "description": "Each its begin and its end, in order and without overlap.",
        }),
        Member::WrapUp | Member::Unknown => json!({}),
    }
}

/// What several types have in common.
fn shared() -> Map<String, Value> {
    let kinds = ["customer", "agent", "bot", "supervisor", "system"];
    let message_kinds = ["text", "media", "reaction", "auto_reply", "bounce", "system"];
    let message = json!({
        "visibility": { "type": "string", "enum": ["public", "private"], "description": "`public` where absent." },
        "kind": {
            "type": "string",
            "enum": message_kinds,
            "description": "`text` where absent. Only text and media open, reopen and answer.",
        },
        "automatic": { "type": "boolean", "description": "Sent by a machine: as if of another kind." },
    });
    let shared = json!({
        "event": {
            "type": "object",
            "description": "A CloudEvent. Its `source` and `id` are its identity within the workspace.",
            "required": ["id", "source", "type", "workspace"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": schema("id"),
                "source": schema("id"),
                "type": { "type": "string" },
                "time": schema("time"),
                "workspace": schema("id"),
                "traceparent": { "type": "string", "description": "W3C Trace Context, carried through." },
            },
        },
        "id": {
            "type": "string",
            "pattern": format!("^[!-~]{{1,{}}}$", limits::ID_BYTES),
            "description": "Printable ASCII without spaces.",
        },
        "time": { "type": "string", "format": "date-time", "description": "RFC 3339, from 1970 to 9999." },
        "actor-kind": { "type": "string", "enum": kinds },
        "actor": {
            "type": "object",
            "description": "Who did it, or asks for it. An agent has an id.",
            "required": ["kind"],
            "properties": { "kind": schema("actor-kind"), "id": schema("id") },
            "anyOf": [{ "properties": { "kind": { "not": { "const": "agent" } } } }, { "required": ["id"] }],
        },
        "customer": {
            "type": "object",
            "description": "The customer by the sender's pseudonym.",
            "properties": { "id": schema("id"), "tier": schema("id"), "language": schema("id") },
        },
        "attributes": {
            "type": "object",
            "description": "What rules may look at; compared as texts.",
            "maxProperties": limits::ATTRIBUTES,
            "propertyNames": { "minLength": 1, "maxLength": limits::ID_BYTES },
            "additionalProperties": { "type": ["string", "number", "boolean", "null"], "maxLength": limits::ID_BYTES },
        },
        "skills": {
            "type": "object",
            "description": "Skills required, each with its level.",
            "maxProperties": limits::SKILLS,
            "propertyNames": schema("id"),
            "additionalProperties": { "type": "integer", "minimum": 0, "maximum": limits::LEVEL },
        },
        "message": { "type": "object", "properties": message },
        "target": {
            "type": "object",
            "description": "Where to: an agent, a queue, or the same queue with other skills.",
            "properties": {
                "agent": schema("id"),
                "queue": schema("id"),
                "skills": { "allOf": [schema("skills")], "minProperties": 1 },
            },
            "oneOf": [{ "required": ["agent"] }, { "required": ["queue"] }, { "required": ["skills"] }],
        },
    });
    match shared {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

fn summary(event_type: EventType) -> &'static str {
    match event_type {
        EventType::ContactStarted => "A customer's live contact has begun: a call, a connected chat.",
        EventType::ContactConnected => "A live contact has reached an agent.",
        EventType::ContactEnded => "A live contact is over.",
        EventType::MessageReceived => "A customer's message has come.",
        EventType::MessageSent => "A message has gone to the customer, or about him to colleagues.",
        EventType::MessageStatus => "What became of a message that was sent.",
        EventType::MessageEdited => "A message was changed: recorded and nothing more.",
        EventType::MessageDeleted => "A message was taken away: recorded and nothing more.",
        EventType::CustomerUpdated => "What is known of a customer has changed.",
        EventType::CustomerLinked => "Two ids are one customer's.",
        EventType::CustomerUnlinked => "Two ids are no longer one customer's.",
        EventType::CustomerErased => "A customer is to be forgotten.",
        EventType::SurveyAnswered => "A customer has judged a conversation.",
        EventType::AgentPresence => {
            "Whether an agent is there, as one source knows it; an actor of kind supervisor overrules."
        }
        EventType::AgentEngaged => "An agent has work that was not routed here.",
        EventType::AgentDisengaged => "That work is over.",
        EventType::SourceHeartbeat => "A source is alive, and says which live contacts are open.",
        EventType::ConversationOpen => "An agent opens a conversation with a customer.",
        EventType::ConversationHandoff => "A bot gives a conversation to people.",
        EventType::ConversationClaim => "An agent takes a conversation.",
        EventType::ConversationAssign => "A supervisor gives a conversation to an agent.",
        EventType::ConversationTransfer => {
            "A conversation goes to another agent or queue, or to whoever has other skills."
        }
        EventType::ConversationRelease => {
            "Its owner gives a conversation back to its queue, or a supervisor takes an offer back."
        }
        EventType::ConversationEscalate => "A conversation goes to a level of its queue's ladder.",
        EventType::ConversationSnooze => "A conversation is set aside until a time.",
        EventType::ConversationWake => "A snoozed or parked conversation goes on.",
        EventType::ConversationUpdate => "A conversation's tier, priority or skills change.",
        EventType::ConversationResolve => "A conversation is done.",
        EventType::ConversationClose => "A conversation is done, without a reopen window.",
        EventType::ConversationReopen => "A resolved conversation is open again.",
        EventType::ConversationMerge => "Two conversations become one.",
        EventType::OfferAccept => "An agent takes what he was offered.",
        EventType::OfferDecline => "An agent declines what he was offered.",
        EventType::WrapupComplete => "An agent has finished the work after a conversation.",
        EventType::NoteAdd => "A note goes with the conversation.",
        EventType::AgentConfigure => "An agent is configured.",
        EventType::AgentRemove => "An agent is no longer configured.",
        EventType::AgentDrain => "An agent gets no new work, or gets it again.",
        EventType::QueueControl => "A queue is opened or closed by command.",
        EventType::WorkspaceConfigure => "A workspace's policy is replaced.",
        EventType::CalendarExpand => {
            "A calendar's openings in UTC. The process sends it for each calendar of a policy, and again in time."
        }
        EventType::CallbackRequest => "A customer is to be called back.",
        EventType::ParticipantAdd => "Somebody takes part in a conversation.",
        EventType::ParticipantRemove => "Somebody no longer takes part in a conversation.",
    }
}

/// The data of an event with every member that its type reads.
pub fn example(event_type: EventType) -> Value {
    let read = read_by(event_type);
    let mut data: Map<String, Value> = Member::ALL
        .iter()
        .filter(|member| read.has(**member))
        .map(|member| (member.word().to_string(), member_example(event_type, *member)))
        .collect();
    match event_type {
        EventType::AgentConfigure => {
            data.insert("agent".to_string(), json!("anna"));
            data.insert("skills".to_string(), json!({ "german": 8 }));
        }
        EventType::WorkspaceConfigure => {
            data.insert("version".to_string(), json!(2));
            data.insert("queue".to_string(), json!([{ "name": "sales" }]));
            data.insert("rule".to_string(), json!([{ "queue": "sales" }]));
        }
        _ => {}
    }
    data.into()
}

fn member_example(event_type: EventType, member: Member) -> Value {
    match member {
        Member::Actor => match event_type {
            EventType::ContactStarted
            | EventType::ContactEnded
            | EventType::MessageReceived
            | EventType::MessageEdited
            | EventType::MessageDeleted
            | EventType::SurveyAnswered => json!({ "kind": "customer", "id": "cu-1" }),
            EventType::ConversationHandoff => json!({ "kind": "bot", "id": "greeter" }),
            EventType::ConversationAssign
            | EventType::ConversationClose
            | EventType::AgentRemove
            | EventType::AgentDrain
            | EventType::QueueControl => json!({ "kind": "supervisor", "id": "sam" }),
            EventType::MessageStatus
            | EventType::CustomerUpdated
            | EventType::CustomerLinked
            | EventType::CustomerUnlinked
            | EventType::CalendarExpand
            | EventType::SourceHeartbeat => json!({ "kind": "system" }),
            _ => json!({ "kind": "agent", "id": "anna" }),
        },
        Member::Conversation => json!("c-7"),
        Member::Customer => json!({ "id": "cu-1", "tier": "vip", "language": "de" }),
        Member::Channel if matches!(event_type, EventType::MessageReceived | EventType::MessageSent) => json!("email"),
        Member::Channel => json!("voice"),
        Member::Entry => json!("+49.30.1234"),
        Member::Thread => json!("call-99"),
        Member::Attributes => json!({ "product": "loan", "amount": 25_000, "returning": true }),
        Member::Skills => json!({ "german": 5, "loans": 3 }),
        Member::Message => json!({ "kind": "text", "automatic": false, "visibility": "public" }),
        Member::Agent => json!("anna"),
        Member::By if event_type == EventType::ContactEnded => json!("customer"),
        Member::By => json!("device"),
        Member::Status if event_type == EventType::MessageStatus => json!("failed"),
        Member::Status => json!("pending_away"),
        Member::Session => json!("desk-4"),
        Member::Sequence => json!(12),
        Member::Reason => json!("he asked for it"),
        Member::ExpectedEpoch => json!(3),
        Member::ExpectedVersion => json!(1),
        Member::ExpiresInS => json!(90),
        Member::Channels => json!(["voice", "email"]),
        Member::Mentions => json!(["bert", "cleo"]),
        Member::Engagement => json!("meeting-5"),
        Member::Units => json!(2),
        Member::Blocked => json!(false),
        Member::AccountOwner => json!("anna"),
        Member::Other if event_type == EventType::ConversationMerge => json!("c-8"),
        Member::Other => json!("cu-2"),
        Member::Kind => json!("csat"),
        Member::Score => json!(4),
        Member::Max => json!(5),
        Member::OpenContacts => json!(["c-7", "c-8"]),
        Member::Queue | Member::Fallback => json!("sales"),
        Member::Note => json!("Wants the form by mail"),
        Member::To => json!({ "agent": "bert" }),
        Member::Warm => json!(true),
        Member::Place => json!("back"),
        Member::WaitS => json!(120.5),
        Member::Level => json!(2),
        Member::Until if event_type == EventType::CalendarExpand => json!("2026-12-31T23:00:00.000Z"),
        Member::Until => json!("2026-11-27T08:00:00.000Z"),
        Member::Priority => json!(7),
        Member::Survivor => json!("c-8"),
        Member::Offer => json!("42"),
        Member::Text => json!("Has called twice today"),
        Member::Successor => json!("bert"),
        Member::Drain => json!(false),
        Member::State => json!("closed"),
        Member::Calendar => json!("office"),
        Member::From => json!("2026-11-25T23:00:00.000Z"),
        Member::Openings => json!([
            ["2026-11-26T08:00:00.000Z", "2026-11-26T17:00:00.000Z"],
            ["2026-11-27T08:00:00.000Z", "2026-11-27T17:00:00.000Z"],
        ]),
        Member::WrapUp | Member::Unknown => Value::Null,
    }
}
