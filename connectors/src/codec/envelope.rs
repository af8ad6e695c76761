//! What an event's JSON is projected to: borrowed texts and numbers, nothing judged yet.
//!
//! One pass over the bytes where `type` stands before `data`, as senders write it; `data` is then read at once into
//! what its type needs (`members`). Otherwise, and for configurations and types that are not built, it is kept as it
//! stands. A key that is read and stands twice is an error here; keys that nobody reads are skipped.

use super::members::{Data, DataOf, reads_data};
use engine::input::EventType;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// CloudEvents attributes that we read, and the data.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub specversion: Option<Text<'a>>,
    pub id: Option<Text<'a>>,
    pub source: Option<Text<'a>>,
    pub event_type: Option<Text<'a>>,
    pub time: Option<Text<'a>>,
    pub workspace: Option<Text<'a>>,
    pub traceparent: Option<Text<'a>>,
    pub payload: Option<Payload<'a>>,
}

pub(super) enum Payload<'a> {
    Read(Box<Data<'a>>),
    Raw(&'a RawValue),
}

#[derive(Deserialize)]
pub(super) struct Actor<'a> {
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Customer<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub tier: Option<Text<'a>>,
    #[serde(borrow)]
    pub language: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    pub automatic: Option<bool>,
    #[serde(borrow)]
    pub visibility: Option<Text<'a>>,
}

/// Where a transfer goes.
#[derive(Deserialize)]
pub(super) struct Target<'a> {
    #[serde(borrow)]
    pub agent: Option<Text<'a>>,
    #[serde(borrow)]
    pub queue: Option<Text<'a>>,
    #[serde(borrow)]
    pub skills: Option<Pairs<'a, Whole>>,
}

/// A JSON string, borrowed where it has no escapes.
pub(super) struct Text<'a>(pub Cow<'a, str>);

/// A whole number from 0 on.
#[derive(Clone, Copy)]
pub(super) struct Whole(pub u64);

/// A number, whole or broken: seconds.
#[derive(Clone, Copy)]
pub(super) struct Number(pub f64);

/// A member whose `null` says something: the value is taken away.
#[derive(Default)]
pub(super) enum Change<'a> {
    #[default]
    Unchanged,
    Cleared,
    To(Text<'a>),
}

/// A string, number or flag as text: what attributes are compared as. `None`: null.
pub(super) struct Plain<'a>(pub Option<Cow<'a, str>>);

/// A JSON object, and only that: derived structs would take a list for one.
pub(super) struct Object<T>(pub T);

/// The members of an object whose keys are names. Repeats are left in; the decoder refuses them.
pub(super) struct Pairs<'a, V>(pub Vec<(Cow<'a, str>, V)>);

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Attribute {
    SpecVersion,
    Id,
    Source,
    Type,
    Time,
    Workspace,
    TraceParent,
    Data,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Envelope<'de>, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent, an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope = Envelope::default();
        let mut seen = 0u16;
        while let Some(attribute) = map.next_key::<Attribute>()? {
            if matches!(attribute, Attribute::Other) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let bit = 1 << attribute as u16;
            if seen & bit != 0 {
                return Err(A::Error::duplicate_field("attribute"));
            }
            seen |= bit;
            match attribute {
                Attribute::SpecVersion => envelope.specversion = map.next_value()?,
                Attribute::Id => envelope.id = map.next_value()?,
                Attribute::Source => envelope.source = map.next_value()?,
                Attribute::Type => envelope.event_type = map.next_value()?,
                Attribute::Time => envelope.time = map.next_value()?,
                Attribute::Workspace => envelope.workspace = map.next_value()?,
                Attribute::TraceParent => envelope.traceparent = map.next_value()?,
                Attribute::Data => envelope.payload = payload(&envelope, &mut map)?,
                Attribute::Other => {}
            }
        }
        Ok(envelope)
    }
}

fn payload<'de, A: MapAccess<'de>>(envelope: &Envelope<'de>, map: &mut A) -> Result<Option<Payload<'de>>, A::Error> {
    let known = envelope.event_type.as_ref().and_then(|text| EventType::from_word(&text.0));
    if let Some(event_type) = known.filter(|event_type| reads_data(*event_type)) {
        return Ok(map.next_value_seed(DataOf(event_type))?.map(Payload::Read));
    }
    let raw: &'de RawValue = map.next_value()?;
    Ok((raw.get() != "null").then_some(Payload::Raw(raw)))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_string())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        struct WholeVisitor;
        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 to 18446744073709551615")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
                u64::try_from(value).map(Whole).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
                // serde_json hands over what passes 64 bits as a float.
                if value.fract() == 0.0 && value.abs() >= u64::MAX as f64 {
                    return Err(E::invalid_value(Unexpected::Float(value), &self));
                }
                Err(E::invalid_type(Unexpected::Float(value), &self))
            }
        }
        deserializer.deserialize_u64(WholeVisitor)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
        }
        deserializer.deserialize_f64(NumberVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Change<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Change<'a>, D::Error> {
        Ok(Option::<Text<'de>>::deserialize(deserializer)?.map_or(Change::Cleared, Change::To))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Plain<'a>, D::Error> {
        struct PlainVisitor;
        impl<'de> Visitor<'de> for PlainVisitor {
            type Value = Plain<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a flag")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Plain<'de>, E> {
                Ok(Plain(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Plain<'de>, E> {
                Ok(Plain(Some(Cow::Owned(text.to_string()))))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Plain<'de>, E> {
                Ok(Plain(Some(Cow::Borrowed(if value { "true" } else { "false" }))))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Plain<'de>, E> {
                Ok(Plain(Some(Cow::Owned(value.to_string()))))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Plain<'de>, E> {
                Ok(Plain(Some(Cow::Owned(value.to_string()))))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Plain<'de>, E> {
                Ok(Plain(Some(Cow::Owned(value.to_string()))))
            }
            fn visit_unit<E: Error>(self) -> Result<Plain<'de>, E> {
                Ok(Plain(None))
            }
        }
        deserializer.deserialize_any(PlainVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs<'a, V>, D::Error> {
        struct PairsVisitor<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<'de, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de, V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, V>()? {
                    pairs.push((name.0, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}
