//! Bodies of many events, cut into one: a JSON array of CloudEvents, NDJSON, or a single one.
//!
//! Only cut, borrowed from the body: each slice then goes to the `Decoder`, so that one bad event among many is answered
//! for itself. An array that is no JSON is refused as a whole, for nobody can say where its events end; lines of NDJSON
//! are independent.

use super::limits;
use super::refusal::Refusal;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// How the events of a body stand in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// `application/cloudevents+json`
    Single,
    /// `application/cloudevents-batch+json`: a JSON array.
    Batch,
    /// `application/x-ndjson`: one event a line.
    Lines,
}

impl Framing {
    /// By the media type; parameters and case do not count. `application/json` and none at all are one event or, where
    /// the body opens a list, a batch. `None`: a type that is not read here (HTTP's 415).
    pub fn of(content_type: Option<&str>, body: &[u8]) -> Option<Framing> {
        let media_type = content_type.unwrap_or("application/json").split(';').next().unwrap_or("").trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/cloudevents+json" => Some(Framing::Single),
            "application/cloudevents-batch+json" => Some(Framing::Batch),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Framing::Lines),
            "application/json" => {
                let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
                Some(if first == Some(&b'[') { Framing::Batch } else { Framing::Single })
            }
            _ => None,
        }
    }
}

/// The events of a body, in order, at most `limits::EVENTS_IN_BODY`. A body without any gives none, but for `Single`.
pub fn split(framing: Framing, body: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    if body.len() > limits::BODY_BYTES {
        let sentence = format!("the body has {} bytes, and {} are the limit", body.len(), limits::BODY_BYTES);
        return Err(Refusal::large("body", "too_large", sentence));
    }
    match framing {
        Framing::Single => Ok(vec![body]),
        Framing::Batch => elements(body),
        Framing::Lines => lines(body),
    }
}

fn too_many() -> Refusal {
    let sentence = format!("a body has at most {} events", limits::EVENTS_IN_BODY);
    Refusal::large("body", "too_many", sentence)
}

fn lines(body: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let mut events = Vec::new();
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if events.len() == limits::EVENTS_IN_BODY {
            return Err(too_many());
        }
        events.push(line);
    }
    Ok(events)
}

fn elements(body: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let sentence = format!("the bytes are not UTF-8 from byte {} on", error.valid_up_to());
        Refusal::bad("body", "not_utf8", sentence)
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let elements = deserializer
        .deserialize_seq(ElementsVisitor)
        .and_then(|elements| deserializer.end().map(|()| elements))
        .map_err(|error| match error.to_string().starts_with(TOO_MANY) {
            true => too_many(),
            false => Refusal { field: "body".to_string(), ..Refusal::of_json(&error, text, "") },
        })?;
    Ok(elements.into_iter().map(|raw| raw.get().as_bytes()).collect())
}

const TOO_MANY: &str = "too many events";

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of CloudEvents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element::<&RawValue>()? {
            if elements.len() == limits::EVENTS_IN_BODY {
                return Err(A::Error::custom(TOO_MANY));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(framing: Framing, body: &str) -> Result<Vec<&str>, &'static str> {
        match split(framing, body.as_bytes()) {
            Ok(events) => Ok(events.into_iter().map(|event| std::str::from_utf8(event).unwrap()).collect()),
            Err(refusal) => Err(refusal.reason),
        }
    }

    #[test]
    fn the_media_type_says_how_events_stand() {
        let of = |media_type: &str| Framing::of(Some(media_type), b" [");
        assert_eq!(of("application/cloudevents+json; charset=utf-8"), Some(Framing::Single));
        assert_eq!(of("application/CloudEvents-Batch+JSON"), Some(Framing::Batch));
        assert_eq!(of("application/x-ndjson"), Some(Framing::Lines));
        assert_eq!(of("application/json"), Some(Framing::Batch));
        assert_eq!(Framing::of(None, b"{}"), Some(Framing::Single));
        assert_eq!(of("text/plain"), None);
    }

    #[test]
    fn an_array_is_cut_into_its_elements_as_they_stand() {
        assert_eq!(cut(Framing::Batch, r#" [ {"a": [1]} , 5,"x"] "#), Ok(vec![r#"{"a": [1]}"#, "5", "\"x\""]));
        assert_eq!(cut(Framing::Batch, "[]"), Ok(vec![]));
        assert_eq!(cut(Framing::Batch, "{}"), Err("wrong_type"));
        assert_eq!(cut(Framing::Batch, "[{},{]"), Err("not_json"));
        assert_eq!(cut(Framing::Batch, "[{}] x"), Err("not_json"));
        assert_eq!(split(Framing::Batch, b"[\"\xff\"]").unwrap_err().reason, "not_utf8");
    }

    #[test]
    fn lines_are_independent_and_empty_ones_are_none() {
        assert_eq!(cut(Framing::Lines, "{\"a\":1}\r\n\n  {broken\n"), Ok(vec!["{\"a\":1}", "{broken"]));
        assert_eq!(cut(Framing::Lines, ""), Ok(vec![]));
        // Bytes that are not UTF-8 spoil their own line only.
        assert_eq!(split(Framing::Lines, b"\xff\n{}").unwrap().len(), 2);
    }

    #[test]
    fn a_body_has_a_thousand_events_and_no_more() {
        let array = |n: usize| format!("[{}]", vec!["{}"; n].join(","));
        assert_eq!(cut(Framing::Batch, &array(1_000)).unwrap().len(), 1_000);
        assert_eq!(cut(Framing::Batch, &array(1_001)), Err("too_many"));
        assert_eq!(cut(Framing::Lines, &"{}\n".repeat(1_000)).unwrap().len(), 1_000);
        assert_eq!(cut(Framing::Lines, &"{}\n".repeat(1_001)), Err("too_many"));
        assert_eq!(split(Framing::Lines, &vec![b' '; limits::BODY_BYTES + 1]).unwrap_err().status, 413);
    }

    #[test]
    fn an_array_nested_ten_thousand_deep_is_cut_and_left_to_the_decoder() {
        let deep = format!("[{}{}]", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(cut(Framing::Batch, &deep).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for framing in [Framing::Single, Framing::Batch, Framing::Lines] {
                let _ = split(framing, &body);
            }
        }
    }
}
