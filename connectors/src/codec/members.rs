//! The members of an event's `data`: which type reads which, and the one pass that reads them.
//!
//! What a type does not read is skipped, as wire.md asks, whatever it holds. A command skips no member that would
//! change what it does: it stands in `Data::unbuilt`, and the event is answered `unsupported`. The document of the
//! topics (`asyncapi`) is made from the same sets.

use super::envelope::{Actor, Change, Customer, Message, Number, Object, Pairs, Plain, Target, Text, Whole};
use engine::input::EventType;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

macro_rules! members {
    (
        read { $( $member:ident $word:tt $field:ident: $type:ty ),* $(,)? }
        only_known { $( $known:ident $known_word:tt ),* $(,)? }
    ) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
        #[serde(field_identifier)]
        #[repr(u8)]
        pub(super) enum Member {
            $( #[serde(rename = $word)] $member, )*
            $( #[serde(rename = $known_word)] $known, )*
            #[serde(other)]
            Unknown,
        }

        impl Member {
            pub const ALL: &'static [Member] = &[$( Member::$member, )* $( Member::$known, )*];

            pub const fn word(self) -> &'static str {
                match self {
                    $( Member::$member => $word, )*
                    $( Member::$known => $known_word, )*
                    Member::Unknown => "",
                }
            }
        }

        /// What a type has read of its `data`; the members of other types are `None`.
        #[derive(Default)]
        pub(super) struct Data<'a> {
            $( pub $field: $type, )*
            /// A member that needs what is not built, of a command.
            pub unbuilt: Option<&'static str>,
        }

        impl<'de> Data<'de> {
            fn read<A: MapAccess<'de>>(&mut self, member: Member, map: &mut A) -> Result<(), A::Error> {
                match member {
                    $( Member::$member => self.$field = map.next_value()?, )*
                    $( Member::$known => {} )*
                    Member::Unknown => {}
                }
                Ok(())
            }
        }
    };
}

members! {
    read {
        Actor "actor" actor: Option<Object<Actor<'a>>>,
        Conversation "conversation" conversation: Option<Text<'a>>,
        Customer "customer" customer: Option<Object<Customer<'a>>>,
        Channel "channel" channel: Option<Text<'a>>,
        Entry "entry" entry: Option<Text<'a>>,
        Thread "thread" thread: Option<Text<'a>>,
        Attributes "attributes" attributes: Option<Pairs<'a, Plain<'a>>>,
        Skills "skills" skills: Option<Pairs<'a, Whole>>,
        Message "message" message: Option<Object<Message<'a>>>,
        Agent "agent" agent: Option<Text<'a>>,
        By "by" by: Option<Text<'a>>,
        Status "status" status: Option<Text<'a>>,
        Session "session" session: Option<Text<'a>>,
        Sequence "sequence" sequence: Option<Whole>,
        Reason "reason" reason: Option<Text<'a>>,
        ExpectedEpoch "expected_epoch" expected_epoch: Option<Whole>,
        ExpectedVersion "expected_version" expected_version: Option<Whole>,
        ExpiresInS "expires_in_s" expires_in_s: Option<Number>,
        Channels "channels" channels: Option<Vec<Text<'a>>>,
        Mentions "mentions" mentions: Option<Vec<Text<'a>>>,
        Engagement "engagement" engagement: Option<Text<'a>>,
        Units "units" units: Option<Whole>,
        Blocked "blocked" blocked: Option<bool>,
        AccountOwner "account_owner" account_owner: Change<'a>,
        Other "other" other: Option<Text<'a>>,
        Kind "kind" kind: Option<Text<'a>>,
        Score "score" score: Option<Whole>,
        Max "max" max: Option<Whole>,
        OpenContacts "open_contacts" open_contacts: Option<Vec<Text<'a>>>,
        Queue "queue" queue: Option<Text<'a>>,
        Note "note" note: Option<Text<'a>>,
        To "to" to: Option<Object<Target<'a>>>,
        Warm "warm" warm: Option<bool>,
        Place "place" place: Option<Text<'a>>,
        WaitS "wait_s" wait_s: Option<Number>,
        Fallback "fallback" fallback: Option<Text<'a>>,
        Level "level" level: Option<Whole>,
        Until "until" until: Option<Text<'a>>,
        Priority "priority" priority: Option<Whole>,
        Survivor "survivor" survivor: Option<Text<'a>>,
        Offer "offer" offer: Option<Text<'a>>,
        Text "text" text: Option<Text<'a>>,
        Successor "successor" successor: Option<Text<'a>>,
        Drain "drain" drain: Option<bool>,
        State "state" state: Option<Text<'a>>,
        Calendar "calendar" calendar: Option<Text<'a>>,
        From "from" from: Option<Text<'a>>,
        Openings "openings" openings: Option<Vec<Vec<Text<'a>>>>,
    }
    only_known {
        WrapUp "wrap_up",
    }
}

/// A set of members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Members(u64);

impl Members {
    const fn of(members: &[Member]) -> Members {
        Members(0).and(members)
    }

    const fn and(self, members: &[Member]) -> Members {
        let (mut set, mut at) = (self.0, 0);
        while at < members.len() {
            set |= 1 << members[at] as u32;
            at += 1;
        }
        Members(set)
    }

    const fn without(self, other: Members) -> Members {
        Members(self.0 & !other.0)
    }

    pub const fn has(self, member: Member) -> bool {
        self.0 & 1 << member as u32 != 0
    }
}

const _: () = assert!((Member::Unknown as u32) < u64::BITS, "a set of members is 64 bits");

const NOTHING: Members = Members(0);
/// By what an event about an existing conversation names it.
const NAMED: Members = Members::of(&[
    Member::Actor,
    Member::Conversation,
    Member::Customer,
    Member::Channel,
    Member::Entry,
    Member::Thread,
]);
const CONTACT: Members = NAMED.and(&[Member::Attributes, Member::Skills]);
const OF_CONVERSATION: Members = Members::of(&[Member::Actor, Member::Conversation, Member::ExpectedEpoch]);
const OF_AGENT: Members = Members::of(&[Member::Actor, Member::Agent]);
const OF_STAFFING: Members = OF_AGENT.and(&[Member::Reason, Member::ExpectedVersion]);

/// Members that change what a command does. One that a command does not read is never skipped.
const INSTRUCTIONS: Members = Members::of(&[
    Member::Drain,
    Member::ExpectedEpoch,
    Member::ExpectedVersion,
    Member::Fallback,
    Member::Level,
    Member::Mentions,
    Member::Note,
    Member::Offer,
    Member::Place,
    Member::Priority,
    Member::Successor,
    Member::Survivor,
    Member::To,
    Member::Until,
    Member::WaitS,
    Member::Warm,
    Member::WrapUp,
]);

/// The members that a type reads; none of configurations, which have a reader of their own, and of types not built.
pub(super) const fn read_by(event_type: EventType) -> Members {
    match event_type {
        EventType::ContactStarted => CONTACT,
        EventType::MessageReceived => const { CONTACT.and(&[Member::Message]) },
        EventType::ContactEnded => const { NAMED.and(&[Member::By]) },
        EventType::ContactConnected => const { NAMED.and(&[Member::Agent]) },
        EventType::MessageSent => const { NAMED.and(&[Member::Message, Member::Mentions]) },
        EventType::MessageStatus => const { NAMED.and(&[Member::Status]) },
        EventType::MessageEdited | EventType::MessageDeleted => NAMED,
        EventType::SurveyAnswered => const { NAMED.and(&[Member::Kind, Member::Score, Member::Max]) },
        EventType::CustomerUpdated => {
            const { Members::of(&[Member::Actor, Member::Customer, Member::Blocked, Member::AccountOwner]) }
        }
        EventType::CustomerLinked | EventType::CustomerUnlinked => {
            const { Members::of(&[Member::Actor, Member::Customer, Member::Other]) }
        }
        EventType::AgentPresence => {
            const {
                OF_AGENT.and(&[
                    Member::Status,
                    Member::By,
                    Member::Session,
                    Member::Sequence,
                    Member::ExpiresInS,
                    Member::Channels,
                    Member::Reason,
                ])
            }
        }
        EventType::AgentEngaged => const { OF_AGENT.and(&[Member::Engagement, Member::Channel, Member::Units]) },
        EventType::AgentDisengaged => const { OF_AGENT.and(&[Member::Engagement]) },
        EventType::SourceHeartbeat => const { Members::of(&[Member::Actor, Member::OpenContacts]) },
        EventType::ConversationOpen => const { CONTACT.and(&[Member::Agent]) },
        EventType::ConversationHandoff => const { OF_CONVERSATION.and(&[Member::Queue, Member::Skills, Member::Note]) },
        EventType::ConversationClaim => const { OF_CONVERSATION.and(&[Member::Agent]) },
        EventType::ConversationAssign => const { OF_CONVERSATION.and(&[Member::Agent, Member::Reason]) },
        EventType::ConversationTransfer => {
            const {
                OF_CONVERSATION.and(&[
                    Member::To,
                    Member::Warm,
                    Member::Place,
                    Member::Note,
                    Member::WaitS,
                    Member::Fallback,
                    Member::Reason,
                ])
            }
        }
        EventType::ConversationRelease | EventType::ConversationClose => {
            const { OF_CONVERSATION.and(&[Member::Reason]) }
        }
        EventType::ConversationEscalate => const { OF_CONVERSATION.and(&[Member::Level, Member::Reason]) },
        EventType::ConversationSnooze => const { OF_CONVERSATION.and(&[Member::Until]) },
        EventType::ConversationResolve | EventType::ConversationWake | EventType::ConversationReopen => OF_CONVERSATION,
        EventType::ConversationUpdate => {
            const { OF_CONVERSATION.and(&[Member::Customer, Member::Priority, Member::Skills, Member::Reason]) }
        }
        EventType::ConversationMerge => {
            const { Members::of(&[Member::Actor, Member::Conversation, Member::Other, Member::Survivor]) }
        }
        EventType::OfferAccept => const { OF_AGENT.and(&[Member::Offer]) },
        EventType::OfferDecline => const { OF_AGENT.and(&[Member::Offer, Member::Reason]) },
        EventType::WrapupComplete => const { OF_AGENT.and(&[Member::Conversation]) },
        EventType::NoteAdd => {
            const { Members::of(&[Member::Actor, Member::Conversation, Member::Text, Member::Mentions]) }
        }
        EventType::AgentRemove => const { OF_STAFFING.and(&[Member::Successor]) },
        EventType::AgentDrain => const { OF_STAFFING.and(&[Member::Drain]) },
        EventType::QueueControl => {
            const {
                Members::of(&[
                    Member::Actor,
                    Member::Queue,
                    Member::State,
                    Member::Until,
                    Member::Reason,
                    Member::ExpectedVersion,
                ])
            }
        }
        EventType::AgentConfigure | EventType::WorkspaceConfigure => NOTHING,
        EventType::CalendarExpand => {
            const { Members::of(&[Member::Actor, Member::Calendar, Member::From, Member::Until, Member::Openings]) }
        }
        EventType::CustomerErased
        | EventType::CallbackRequest
        | EventType::ParticipantAdd
        | EventType::ParticipantRemove => NOTHING,
    }
}

/// The members that make an event of a type `unsupported`.
pub(super) const fn unbuilt_in(event_type: EventType) -> Members {
    if !event_type.is_command() {
        return NOTHING;
    }
    let instructions = match event_type {
        EventType::ConversationUpdate | EventType::ConversationHandoff => INSTRUCTIONS.and(&[Member::Attributes]),
        EventType::ConversationTransfer => INSTRUCTIONS.and(&[Member::Attributes, Member::Skills]),
        _ => INSTRUCTIONS,
    };
    instructions.without(read_by(event_type))
}

/// Whether `data` of this type is read as `Data`.
pub(super) const fn reads_data(event_type: EventType) -> bool {
    read_by(event_type).0 != 0
}

/// Reads the `data` of a type. `None`: it is null.
#[derive(Clone, Copy)]
pub(super) struct DataOf(pub EventType);

impl<'de> DeserializeSeed<'de> for DataOf {
    type Value = Option<Box<Data<'de>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for DataOf {
    type Value = Option<Box<Data<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (read, unbuilt) = (read_by(self.0), unbuilt_in(self.0));
        let mut data = Box::<Data<'de>>::default();
        let mut seen = NOTHING;
        while let Some(member) = map.next_key::<Member>()? {
            if read.has(member) {
                if seen.has(member) {
                    return Err(A::Error::duplicate_field(member.word()));
                }
                seen = seen.and(&[member]);
                data.read(member, &mut map)?;
            } else if unbuilt.has(member) {
                if map.next_value::<Option<IgnoredAny>>()?.is_some() {
                    data.unbuilt.get_or_insert(member.word());
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some(data))
    }
}
