//! Decisions out: a message for each type, with the members that `render` writes and the reasons that are published.

use super::{keyed_by_workspace, reference, schema};
use engine::decision::{AgentState, DecisionType, Outcome, PhaseWord, Preference, Reason, Turn};
use engine::policy::ClockKind;
use serde_json::{Map, Value, json};

pub(super) fn channel() -> Value {
    let messages: Map<String, Value> = DecisionType::ALL
        .iter()
        .map(|decision_type| (name(*decision_type), reference("messages", &name(*decision_type))))
        .collect();
    json!({
        "address": "strowger.decisions",
        "description": "A shard's committed decisions in order, in the partition of its number; also \
            `GET /v1/decisions?shard=N&after=SEQ.IDX` as NDJSON. At least once: `id` and `source` say which came \
            before.",
        "messages": messages,
    })
}

fn name(decision_type: DecisionType) -> String {
    format!("strowger.{}", decision_type.word())
}

pub(super) fn messages() -> Map<String, Value> {
    DecisionType::ALL.iter().map(|decision_type| (name(*decision_type), message(*decision_type))).collect()
}

fn message(decision_type: DecisionType) -> Value {
    let mut data = vec![schema("decided"), schema("detail")];
    match about(decision_type) {
        About::Conversation => data.push(schema("told-conversation")),
        About::Clock => data.extend([schema("told-conversation"), json!({ "required": ["clock"] })]),
        About::Agent => data.push(json!({ "required": ["agent"] })),
        About::Answer => data.push(schema("answer")),
        About::Other => {}
    }
    let words: Vec<&str> = reasons(decision_type).iter().map(|reason| reason.word()).collect();
    let mut body = json!({ "allOf": data });
    if !words.is_empty() {
        body["properties"] = json!({ "reason": { "type": "string", "enum": words } });
    }
    json!({
        "name": name(decision_type),
        "title": summary(decision_type),
        "bindings": keyed_by_workspace(),
        "payload": {
            "allOf": [
                schema("decision"),
                { "type": "object", "properties": { "type": { "const": name(decision_type) }, "data": body } },
            ],
        },
    })
}

/// What the data of a decision are about, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    Conversation,
    /// A clock of a conversation.
    Clock,
    Agent,
    /// How an event was answered.
    Answer,
    /// What its detail says.
    Other,
}

pub(super) fn about(decision_type: DecisionType) -> About {
    match decision_type {
        DecisionType::AgentChanged | DecisionType::CapacityExceeded => About::Agent,
        DecisionType::EventRecorded | DecisionType::CommandRejected => About::Answer,
        DecisionType::WorkspaceConfigured
        | DecisionType::QueueChanged
        | DecisionType::CustomerMerged
        | DecisionType::SourceSuspect => About::Other,
        DecisionType::ClockStarted
        | DecisionType::ClockPaused
        | DecisionType::ClockResumed
        | DecisionType::ClockWarned
        | DecisionType::ClockBreached
        | DecisionType::ClockCompleted
        | DecisionType::ClockCancelled => About::Clock,
        _ => About::Conversation,
    }
}

pub(super) fn schemas() -> Map<String, Value> {
    let schemas = json!({
        "decision": {
            "type": "object",
            "description": "A CloudEvent.",
            "required": ["specversion", "id", "source", "type", "time", "workspace", "partitionkey", "data"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": { "type": "string", "description": "`<seq>.<idx>`: its place in the shard." },
                "source": { "type": "string", "description": "`/strowger/<journal>/<shard>`." },
                "type": { "type": "string" },
                "subject": {
                    "type": "string",
                    "description": "What it is about: a conversation, agent, queue, customer, source or workspace.",
                },
                "time": { "type": "string", "format": "date-time", "description": "Engine time." },
                "workspace": schema("id"),
                "partitionkey": { "type": "string", "description": "The workspace." },
                "traceparent": { "type": "string", "description": "Of the event that caused it." },
                "datacontenttype": { "const": "application/json" },
                "data": { "type": "object" },
            },
        },
        "decided": {
            "type": "object",
            "required": ["position", "cause"],
            "properties": {
                "position": schema("position"),
                "cause": {
                    "description": "The event that caused it; `tick`: time, or what a step left for later.",
                    "anyOf": [
                        { "const": "tick" },
                        {
                            "type": "object",
                            "required": ["source", "id"],
                            "properties": { "source": { "type": "string" }, "id": { "type": "string" } },
                        },
                    ],
                },
                "reason": { "type": "string", "description": "Absent where the type says all." },
                "agent": schema("told-agent"),
                "policy_version": { "type": "integer" },
                "clock": schema("told-clock"),
            },
        },
        "told-clock": told_clock(),
        "position": {
            "type": "object",
            "description": "Where it stands in its shard's journal.",
            "required": ["shard", "seq", "idx", "count", "hash", "prev"],
            "properties": {
                "shard": { "type": "integer" },
                "seq": { "type": "integer", "description": "The record." },
                "idx": { "type": "integer", "description": "Its place in the record, from 0." },
                "count": { "type": "integer", "description": "Decisions of the record." },
                "hash": { "type": "string", "description": "The record's chain hash in hex." },
                "prev": {
                    "description": "`seq` and `idx` of the decision before it in the shard; null: it is the first.",
                    "anyOf": [{ "type": "null" }, { "type": "array", "items": { "type": "integer" } }],
                },
            },
        },
        "told-conversation": told_conversation(),
        "told-agent": {
            "type": "object",
            "description": "The agent that it is about, or whom it is for, as he is then.",
            "required": ["id", "team", "state", "units_used", "units"],
            "properties": {
                "id": { "type": "string" },
                "team": { "type": ["string", "null"] },
                "state": { "type": "string", "enum": words(AgentState::ALL, AgentState::word) },
                "units_used": { "type": "integer" },
                "units": { "type": "integer" },
            },
        },
        "detail": {
            "type": "object",
            "description": "What only some decisions have.",
            "properties": {
                "offer": { "type": "string", "description": "The offer's id, for `offer.accept`." },
                "until": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When an offer, a snooze, a queue's state or a suspicion ends.",
                },
                "text": {
                    "type": "string",
                    "description": "The reason or note given with the command; of a deflection, the reason to give.",
                },
                "other": {
                    "type": "string",
                    "description": "The other one: the queue before, the conversation merged away, the customer \
                        linked, the queue or source it is about.",
                },
                "number": { "type": "integer", "description": "A level of escalation; how many." },
            },
        },
        "answer": {
            "type": "object",
            "description": "How an event was answered that changed nothing, was refused, or had come before.",
            "required": ["outcome"],
            "properties": {
                "outcome": { "type": "string", "enum": words(Outcome::ALL, Outcome::word) },
                "code": {
                    "type": "string",
                    "enum": words(CODES, Reason::word),
                    "description": "Why it was ignored or rejected.",
                },
                "event_type": { "type": "string" },
                "first": {
                    "type": "object",
                    "description": "Of a duplicate: where its first outcome stands.",
                    "required": ["seq", "idx"],
                    "properties": { "seq": { "type": "integer" }, "idx": { "type": "integer" } },
                },
                "sentence": { "type": "string", "description": "For people." },
            },
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

fn told_conversation() -> Value {
    let turns: Vec<Value> =
        Turn::ALL.iter().map(|turn| if *turn == Turn::None { Value::Null } else { json!(turn.word()) }).collect();
    let name = || json!({ "type": ["string", "null"] });
    let number = |description: &str| json!({ "type": "integer", "description": description });
    let time = |description: &str| json!({ "type": "string", "format": "date-time", "description": description });
    let mut properties = json!({
        "conversation": { "type": "string" },
        "customer": name(),
        "epoch": number("Rises with each owner and reopening."),
        "state": { "type": "string", "enum": words(PhaseWord::ALL, PhaseWord::word) },
        "turn": { "enum": turns, "description": "Who is to write next." },
        "owner": name(),
        "previous_owner": name(),
        "queue": name(),
        "entry": name(),
        "channel": name(),
        "live": { "type": "boolean" },
        "tier": name(),
        "arrival": time("Since when nobody has answered: the start of the wait."),
        "queued_at": time("When it came into its queue."),
        "waited_ms": number("`time` - `arrival`."),
        "priority": number("0 to 9."),
        "head_start_ms": number("How much earlier it stands in line."),
        "rule": { "type": ["string", "null"], "description": "What chose the queue: `rule[N]`, `entry` or `default`." },
        "step": number("The relaxation step reached; 0: what the queue asks."),
        "transfers": number("So far."),
        "has_note": { "type": "boolean" },
        "units": number("Units of capacity that it takes of its owner."),
        "service_level_ms": number("The threshold of its queue."),
        "policy_version": number("The policy it was decided by."),
    });
    let preferences: Vec<&str> =
        Preference::ALL.iter().filter(|word| **word != Preference::None).map(|word| word.word()).collect();
    let required: Vec<String> = properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    properties["preference"] = json!({
        "type": "string",
        "enum": preferences,
        "description": "`held`: it waits for its preferred agent; `absent`: it has one, who was not there. \
            Absent: neither.",
    });
    json!({
        "type": "object",
        "description": "The conversation as it is then; what it does not have is null.",
        "required": required,
        "properties": properties,
    })
}

fn told_clock() -> Value {
    let number = |description: &str| json!({ "type": "integer", "description": description });
    let time = |description: &str| json!({ "type": "string", "format": "date-time", "description": description });
    let properties = json!({
        "clock": { "type": "string", "enum": words(ClockKind::ALL, ClockKind::word), "description": "What it measures." },
        "generation": number("Rises with each start of this clock in its conversation."),
        "started_at": time("Since when the customer waits."),
        "target_ms": number("How long it may take, in business time."),
        "due": {
            "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "null" }],
            "description": "When the target is reached; null: it stands still, or that is not known.",
        },
        "percent": {
            "type": ["integer", "null"],
            "description": "The share of the target that is told of; 100 is the breach.",
        },
        "wall_ms": number("How long it has taken, nothing subtracted."),
        "business_ms": number("What of it counts for the target: met while this is not above it."),
        "over_ms": number("What it is above the target."),
    });
    let required: Vec<String> = properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let mut schema = json!({
        "type": "object",
        "description": "A clock as its decision tells it; durations that are not over yet are those until now.",
        "required": required,
        "properties": properties,
    });
    schema["properties"]["result"] = json!({
        "type": "string",
        "enum": ["met", "missed"],
        "description": "Of `clock.completed`: the same as its reason.",
    });
    schema
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|item| word(*item)).collect()
}

/// Codes of what is ignored or rejected.
const CODES: &[Reason] = &[
    Reason::Unsupported,
    Reason::UnknownAgent,
    Reason::UnknownConversation,
    Reason::UnknownChannel,
    Reason::UnknownQueue,
    Reason::UnknownTier,
    Reason::UnknownLevel,
    Reason::UnknownEngagement,
    Reason::UnknownCalendar,
    Reason::NotLive,
    Reason::AlreadyOpen,
    Reason::OpensNothing,
    Reason::Blocked,
    Reason::StaleSequence,
    Reason::TooManySources,
    Reason::StaleEpoch,
    Reason::NotOpen,
    Reason::NotResolved,
    Reason::NotInBot,
    Reason::NotSnoozed,
    Reason::AlreadySnoozed,
    Reason::UntilPast,
    Reason::NotOwner,
    Reason::OwnedByOther,
    Reason::AlreadyOwner,
    Reason::NotRoutable,
    Reason::NoCapacity,
    Reason::ReasonRequired,
    Reason::NotSupervisor,
    Reason::InvalidPolicy,
    Reason::VersionMismatch,
    Reason::VersionNotAbove,
    Reason::TooMany,
    Reason::OfferGone,
    Reason::NotYours,
    Reason::MergeIntoItself,
    Reason::NoWrapUp,
    Reason::WrapUpTimed,
    Reason::ContextRequired,
    Reason::NoOtherMember,
    Reason::NoTarget,
    Reason::PreferredOnly,
    Reason::NotHead,
    Reason::NotLinked,
];

/// Of `event.recorded`: what is recorded, known already, or ignored with a code.
const RECORDED: [Reason; CODES.len() + 3] = {
    let mut all = [Reason::Recorded; CODES.len() + 3];
    (all[1], all[2]) = (Reason::Waiting, Reason::Duplicate);
    let mut at = 0;
    while at < CODES.len() {
        all[at + 3] = CODES[at];
        at += 1;
    }
    all
};

/// Ways in which a queue cannot take or keep a contact.
macro_rules! ways_out {
    ($($more:ident),*) => {
        &[
            Reason::Closed,
            Reason::Emergency,
            Reason::Full,
            Reason::MaxWait,
            Reason::Unstaffed,
            Reason::Unservable,
            $( Reason::$more ),*
        ]
    };
}

/// The reasons that decisions of a type may have, as published. Of `event.recorded` and `command.rejected` these are
/// codes too.
pub fn reasons(decision_type: DecisionType) -> &'static [Reason] {
    match decision_type {
        DecisionType::ConversationOpened => &[Reason::New, Reason::OtherCustomer, Reason::Linked, Reason::Outbound],
        DecisionType::ConversationQueued => &[
            Reason::New,
            Reason::TooManySkillSets,
            Reason::Reopen,
            Reason::Requeue,
            Reason::Handoff,
            Reason::Transfer,
            Reason::Overflow,
            Reason::Resume,
            Reason::Escalated,
        ],
        DecisionType::ConversationOffered => &[Reason::Auto, Reason::Preferred, Reason::Warm],
        DecisionType::ConversationAssigned => &[
            Reason::Auto,
            Reason::Preferred,
            Reason::Accepted,
            Reason::Claim,
            Reason::Supervisor,
            Reason::Transfer,
            Reason::Adopted,
            Reason::Outbound,
            Reason::Successor,
            Reason::Merged,
        ],
        DecisionType::ConversationUnassigned => &[
            Reason::OwnerAbsent,
            Reason::OwnerSilent,
            Reason::OwnerLost,
            Reason::OwnerOffline,
            Reason::Released,
            Reason::Escalated,
        ],
        DecisionType::ConversationTransferred => &[Reason::Transfer],
        DecisionType::ConversationRelaxed => &[Reason::Step, Reason::FirstRing],
        DecisionType::ConversationEscalated => {
            &[Reason::Command, Reason::Transfers, Reason::OwnerSilent, Reason::Clock]
        }
        DecisionType::ConversationSnoozed | DecisionType::MessageRouted | DecisionType::WorkspaceConfigured => &[],
        DecisionType::ConversationWoken => &[Reason::Command, Reason::Due, Reason::Message],
        DecisionType::ConversationParked => ways_out![AllDeclined],
        DecisionType::ConversationDeflected => ways_out![],
        DecisionType::ConversationClosed => {
            ways_out![ContactEnded, Contained, Missed, Stale, ReopenWindowPassed]
        }
        DecisionType::ConversationResolved => {
            &[Reason::Resolved, Reason::Contained, Reason::ContactEnded, Reason::CloseAfter, Reason::Missed]
        }
        DecisionType::ConversationReopened => &[Reason::Reopen, Reason::Outbound],
        DecisionType::ConversationAbandoned => &[Reason::Abandoned, Reason::ShortAbandoned, Reason::LeftInBot],
        DecisionType::ConversationMerged => &[Reason::Merged],
        DecisionType::ConversationUpdated => &[
            Reason::Updated,
            Reason::Customer,
            Reason::Configured,
            Reason::Dormant,
            Reason::PreferenceExpired,
            Reason::Unclaimed,
            Reason::Promoted,
        ],
        DecisionType::OfferWithdrawn => &[
            Reason::AcceptedElsewhere,
            Reason::Expired,
            Reason::Declined,
            Reason::Rescinded,
            Reason::Abandoned,
            Reason::AgentLost,
        ],
        DecisionType::ReplyCollision => &[Reason::NotOwner],
        DecisionType::ReplyFailed => &[Reason::Failed],
        DecisionType::AgentChanged => &[
            Reason::Presence,
            Reason::LeaseExpired,
            Reason::Configured,
            Reason::NotResponding,
            Reason::Responding,
            Reason::Drained,
            Reason::Undrained,
            Reason::Removed,
            Reason::ShiftBegan,
            Reason::ShiftEnded,
        ],
        DecisionType::CapacityExceeded => {
            &[Reason::Override, Reason::CapacityLowered, Reason::Fact, Reason::Woken, Reason::Engaged]
        }
        DecisionType::QueueChanged => &[Reason::Opened, Reason::Closed, Reason::Emergency],
        DecisionType::CustomerMerged => &[Reason::Linked, Reason::Unlinked],
        DecisionType::MentionNotified => &[Reason::Mention, Reason::Escalated],
        DecisionType::SourceSuspect => &[Reason::LeaseStorm],
        DecisionType::ClockStarted => &[Reason::Started, Reason::Updated, Reason::Message, Reason::Failed],
        DecisionType::ClockPaused => &[Reason::Theirs, Reason::Snoozed, Reason::Parked, Reason::Closed],
        DecisionType::ClockResumed | DecisionType::ClockWarned | DecisionType::ClockBreached => &[],
        DecisionType::ClockCompleted => &[Reason::Met, Reason::Missed],
        // It leaves its queue, has no target any more, or its conversation ends otherwise than it measures.
        DecisionType::ClockCancelled => ways_out![
            NoTarget,
            Failed,
            Transfer,
            Merged,
            Resolved,
            Contained,
            ContactEnded,
            CloseAfter,
            Missed,
            Stale,
            ReopenWindowPassed,
            Abandoned,
            ShortAbandoned,
            LeftInBot,
            Snoozed,
            Parked
        ],
        DecisionType::EventRecorded => &RECORDED,
        DecisionType::CommandRejected => CODES,
    }
}

fn summary(decision_type: DecisionType) -> &'static str {
    match decision_type {
        DecisionType::ConversationOpened => "A conversation has begun",
        DecisionType::ConversationQueued => "It stands in line in its queue",
        DecisionType::ConversationOffered => "It rings at an agent, who has until `until` to accept `offer`",
        DecisionType::ConversationAssigned => "It has an owner",
        DecisionType::ConversationUnassigned => "It has lost its owner",
        DecisionType::ConversationTransferred => "It was given on",
        DecisionType::ConversationRelaxed => "It asks less, or others, than before",
        DecisionType::ConversationEscalated => "It needs more than its owner or queue",
        DecisionType::ConversationSnoozed => "It is set aside until `until`",
        DecisionType::ConversationWoken => "It goes on after a pause",
        DecisionType::ConversationParked => "It is set aside, as its queue cannot take it",
        DecisionType::ConversationDeflected => "It was sent away, with `text` as the reason to give",
        DecisionType::ConversationResolved => "It is done",
        DecisionType::ConversationReopened => "It goes on after it was resolved",
        DecisionType::ConversationClosed => "It is over for good",
        DecisionType::ConversationAbandoned => "The customer left before a person had it",
        DecisionType::ConversationMerged => "It took in the conversation `other`",
        DecisionType::ConversationUpdated => "Something changed in how it stands or counts",
        DecisionType::OfferWithdrawn => "The offer to the agent is over: stop ringing",
        DecisionType::MessageRouted => "A customer's message goes to its owner",
        DecisionType::ReplyCollision => "Somebody else than its owner answered",
        DecisionType::ReplyFailed => "An answer did not reach the customer",
        DecisionType::AgentChanged => "An agent's presence, limits or configuration changed",
        DecisionType::CapacityExceeded => "An agent holds more than he may",
        DecisionType::QueueChanged => "A queue was opened or closed",
        DecisionType::WorkspaceConfigured => "A policy took effect",
        DecisionType::CustomerMerged => "Two customers are one, or no longer",
        DecisionType::MentionNotified => "The agent is to be told",
        DecisionType::SourceSuspect => "Leases of a source end at once: the source is in trouble, not its agents",
        DecisionType::ClockStarted => "A clock of a conversation runs, or runs under another target",
        DecisionType::ClockPaused => "A clock stands still",
        DecisionType::ClockResumed => "A clock goes on",
        DecisionType::ClockWarned => "A share of a clock's target has passed",
        DecisionType::ClockBreached => "A clock's target has passed",
        DecisionType::ClockCompleted => "What a clock measures has come, in time or late",
        DecisionType::ClockCancelled => "What a clock measures will not come",
        DecisionType::CommandRejected => "A command was refused",
        DecisionType::EventRecorded => "An event changed nothing else",
    }
}
