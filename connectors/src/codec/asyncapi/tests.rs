//! The document against the code: what its schemas take, the decoder takes; what `render` writes, they have.

use super::super::members::{Member, read_by, unbuilt_in};
use super::super::timestamp::parse_timestamp;
use super::super::{Decoder, Place, Refusal, render};
use super::decisions::{About, about, reasons};
use super::events::{example, is_built, required};
use super::{asyncapi, document};
use engine::decision::{
    DecisionType, Outcome, PhaseWord, Position, Preference, Reason, Told, ToldAgent, ToldClock, ToldConversation,
    ToldDetail, Turn,
};
use engine::id::HashKey;
use engine::input::{Body, EventType, Input};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn event(event_type: EventType, data: Value) -> Value {
    json!({ "id": "e-17", "source": "crm", "type": event_type.word(), "workspace": "acme", "data": data })
}

fn decode(event: &Value) -> Result<Input, Refusal> {
    Decoder::new(HashKey(7)).decode(event.to_string().as_bytes())
}

fn of_data() -> impl Iterator<Item = EventType> {
    EventType::ALL.iter().copied().filter(|event_type| read_by(*event_type).has(Member::Actor))
}

#[test]
fn the_copy_in_the_root_is_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../asyncapi.yaml");
    let copy = std::fs::read_to_string(&path).expect("asyncapi.yaml stands in the project's root");
    assert!(copy == asyncapi(), "asyncapi.yaml is old: write into it what codec::asyncapi() returns");
}

#[test]
fn every_type_has_its_message_and_every_reference_its_target() {
    let document = document();
    let messages = document["components"]["messages"].as_object().unwrap();
    for (channel, words) in [
        ("events", EventType::ALL.iter().filter(|t| is_built(**t)).map(|t| t.word().to_string()).collect::<Vec<_>>()),
        ("decisions", DecisionType::ALL.iter().map(|t| format!("strowger.{}", t.word())).collect()),
    ] {
        let listed = document["channels"][channel]["messages"].as_object().unwrap();
        assert_eq!(listed.keys().collect::<BTreeSet<_>>(), words.iter().collect());
        assert!(words.iter().all(|word| messages[word]["name"] == **word));
    }
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    for reference in &referred {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for (section, names) in document["components"].as_object().unwrap() {
        for name in names.as_object().unwrap().keys() {
            assert!(referred.contains(&format!("#/components/{section}/{name}")), "nobody refers to {name}");
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        found.insert(target.clone());
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_example_is_valid_and_decoded() {
    let document = document();
    for event_type in EventType::ALL.iter().copied().filter(|event_type| is_built(*event_type)) {
        let message = &document["components"]["messages"][event_type.word()];
        let example = &message["examples"][0]["payload"];
        assert!(takes(&document, &message["payload"], example), "{event_type:?}");
        let input = decode(example).unwrap_or_else(|refusal| panic!("{event_type:?}: {refusal}"));
        assert!(!matches!(input.body, Body::Unsupported { .. } | Body::Invalid { .. }), "{:?}", input.body);
    }
}

/// Values on both sides of every bound, and of every type.
fn probes() -> Vec<Value> {
    let mut probes: Vec<Value> =
        [0u64, 1, 9, 10, 11, 1_000, 1_001, 86_400, 86_401, 604_800, 604_801, 1_000_000, 1_000_001]
            .into_iter()
            .map(Value::from)
            .collect();
    probes.extend([json!(-1), json!(1.5), json!(0.5), json!(86_400.5), json!(u64::MAX), json!(true), json!(false)]);
    probes.extend([1, 255, 256, 257, 1_024, 1_025, 4_096, 4_097].map(|len| json!("x".repeat(len))));
    let words = [
        "",
        "a b",
        "ä",
        "agent",
        "device",
        "customer",
        "public",
        "private",
        "text",
        "bounce",
        "online",
        "pending_away",
        "read",
        "failed",
        "keep",
        "back",
        "open",
        "closed",
        "none",
        "csat",
        "ces",
        "2026-11-27T08:00:00.000Z",
        "c-7",
        "c-8",
    ];
    probes.extend(words.map(|word| json!(word)));
    probes.extend([0, 1, 16, 17, 32, 33, 10_000, 10_001].map(|len| json!(vec!["x"; len])));
    probes.extend([json!(["a b"]), json!([5]), json!([[]]), json!({})]);
    probes.extend([64, 65].map(|len| (0..len).map(|i| (format!("k{i}"), json!(1))).collect()));
    probes.extend([
        json!({ "id": "x" }),
        json!({ "id": 5 }),
        json!({ "kind": "agent" }),
        json!({ "kind": "agent", "id": "anna" }),
        json!({ "kind": "supervisor" }),
        json!({ "kind": "robot" }),
        json!({ "kind": "text", "automatic": true, "visibility": "private" }),
        json!({ "automatic": 1 }),
        json!({ "visibility": "secret" }),
        json!({ "tier": "", "id": "x" }),
        json!({ "tier": "vip" }),
        json!({ "agent": "anna" }),
        json!({ "queue": "sales" }),
        json!({ "skills": {} }),
        json!({ "skills": { "german": 11 } }),
        json!({ "skills": { "german": 10 } }),
        json!({ "skills": { "german": 5 }, "queue": "sales" }),
        json!({ "german": 10 }),
        json!({ "german": 11 }),
        json!({ "a b": 1 }),
        json!({ "nested": [] }),
        json!({ "flag": null }),
    ]);
    probes
}

/// The event's example, and it with each member in turn taken out or replaced by a probe.
#[test]
fn the_schemas_take_what_the_decoder_takes() {
    let document = document();
    let probes = probes();
    let (mut taken, mut refused) = (0, 0);
    for event_type in of_data() {
        let schema = &document["components"]["messages"][event_type.word()]["payload"];
        let mut check = |data: Value, what: &str| {
            let event = event(event_type, data);
            let decoded = decode(&event);
            if takes(&document, schema, &event) {
                assert!(decoded.is_ok(), "{event_type:?} {what}: {}", decoded.unwrap_err());
                taken += 1;
            } else {
                let refusal = decoded.map(|input| input.body).expect_err(&format!("{event_type:?} {what}"));
                assert!(refusal.field.starts_with("data."), "{refusal}");
                refused += 1;
            }
        };
        for member in Member::ALL.iter().filter(|member| read_by(event_type).has(**member)) {
            // The survivor is one of two members: no schema says so.
            if matches!(member, Member::Survivor) {
                continue;
            }
            let word = member.word();
            let mut without = example(event_type);
            without.as_object_mut().unwrap().remove(word);
            if event_type == EventType::ConversationMerge {
                without.as_object_mut().unwrap().remove("survivor");
            }
            check(without.clone(), word);
            for probe in &probes {
                // As they are, two members that stand in a relation: a score above the greatest one.
                if matches!(member, Member::Score | Member::Max)
                    && probe.as_u64().is_some_and(|n| (1..=1_000).contains(&n))
                {
                    continue;
                }
                let mut data = without.clone();
                data[word] = probe.clone();
                check(data, &format!("{word} = {}", probe.to_string().chars().take(60).collect::<String>()));
            }
        }
    }
    assert!(taken > 1_000 && refused > 5_000, "{taken} taken, {refused} refused");
}

/// Every choice of who and what an event names.
#[test]
fn the_schemas_ask_for_as_much_as_the_decoder() {
    let document = document();
    let naming =
        [Member::Actor, Member::Agent, Member::Conversation, Member::Channel, Member::Thread, Member::Customer];
    for event_type in of_data() {
        let schema = &document["components"]["messages"][event_type.word()]["payload"];
        for left_out in 0..1u32 << naming.len() {
            let mut data = example(event_type);
            for (i, member) in naming.iter().enumerate() {
                if left_out & 1 << i != 0 {
                    data.as_object_mut().unwrap().remove(member.word());
                }
            }
            let event = event(event_type, data);
            assert_eq!(takes(&document, schema, &event), decode(&event).is_ok(), "{event}");
        }
    }
}

#[test]
fn what_a_type_does_not_read_is_skipped_or_makes_a_command_unsupported() {
    for event_type in of_data() {
        let expected = decode(&event(event_type, example(event_type))).unwrap();
        for member in Member::ALL.iter().filter(|member| !read_by(event_type).has(**member)) {
            for value in [json!([{ "x": 1 }]), json!("x"), json!(7), Value::Null] {
                let mut data = example(event_type);
                data[member.word()] = value.clone();
                let input = decode(&event(event_type, data)).unwrap();
                if unbuilt_in(event_type).has(*member) && !value.is_null() {
                    assert_eq!(input.body, Body::Unsupported { what: member.word().into() }, "{event_type:?}");
                } else {
                    assert_eq!(input, expected, "{event_type:?} {member:?} {value}");
                }
            }
        }
    }
}

#[test]
fn what_a_type_requires_is_refused_as_missing() {
    for event_type in of_data() {
        for member in required(event_type) {
            let mut data = example(event_type);
            data.as_object_mut().unwrap().remove(member.word());
            let refusal = decode(&event(event_type, data)).expect_err("it is required");
            let expected = (format!("data.{}", member.word()), "missing");
            assert_eq!((refusal.field, refusal.reason), expected, "{event_type:?}");
        }
    }
}

#[test]
fn a_member_of_another_type_of_json_is_refused_with_its_path() {
    for event_type in of_data() {
        for member in Member::ALL.iter().filter(|member| read_by(event_type).has(**member)) {
            let wrong = match member {
                Member::Actor
                | Member::Customer
                | Member::Message
                | Member::Attributes
                | Member::Skills
                | Member::To => {
                    vec![json!("x"), json!(5), json!(true), json!(["x"])]
                }
                Member::Channels | Member::Mentions | Member::OpenContacts | Member::Openings => {
                    vec![json!("x"), json!(5), json!({})]
                }
                Member::Warm | Member::Drain | Member::Blocked => vec![json!("true"), json!(1), json!([])],
                Member::WaitS | Member::ExpiresInS => vec![json!("60"), json!(true), json!([60])],
                Member::Sequence
                | Member::ExpectedEpoch
                | Member::ExpectedVersion
                | Member::Units
                | Member::Score
                | Member::Max
                | Member::Level
                | Member::Priority => vec![json!("1"), json!(true), json!([1]), json!({}), json!(1.5)],
                _ => vec![json!(5), json!(true), json!(["x"]), json!({}), json!(1.5)],
            };
            for value in wrong {
                let mut data = example(event_type);
                data[member.word()] = value.clone();
                let refusal =
                    decode(&event(event_type, data)).expect_err(&format!("{event_type:?} {member:?} {value}"));
                let expected = (format!("data.{}", member.word()), "wrong_type");
                assert_eq!((refusal.field, refusal.reason), expected, "{event_type:?} {value}");
            }
        }
    }
}

#[test]
fn the_schemas_have_what_is_rendered_and_nothing_else() {
    let document = document();
    for decision_type in DecisionType::ALL.iter().copied() {
        let schema = &document["components"]["messages"][format!("strowger.{}", decision_type.word())]["payload"];
        for reason in reasons(decision_type).iter().copied().chain([Reason::None]) {
            let decision = rendered(decision_type, reason);
            assert!(takes(&document, schema, &decision), "{decision}");
            let mut documented = BTreeSet::new();
            members_of(&document, schema, &mut documented);
            let mut written: BTreeSet<String> = decision.as_object().unwrap().keys().cloned().collect();
            written.extend(decision["data"].as_object().unwrap().keys().cloned());
            assert!(written.is_subset(&documented), "{decision_type:?}: {:?}", written.difference(&documented));
        }
        if !reasons(decision_type).is_empty() {
            let other =
                Reason::ALL.iter().find(|reason| !reasons(decision_type).contains(reason) && **reason != Reason::None);
            assert!(!takes(&document, schema, &rendered(decision_type, *other.unwrap())), "{decision_type:?}");
        }
    }
}

/// Names of members at the top and in `data` that a schema knows.
fn members_of(document: &Value, schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        members_of(document, document.pointer(&target[1..]).unwrap(), found);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        found.insert(name.clone());
        if name == "data" {
            members_of(document, member, found);
        }
    }
    schema["allOf"].as_array().into_iter().flatten().for_each(|part| members_of(document, part, found));
}

/// A decision with all that its type may have.
fn rendered(decision_type: DecisionType, reason: Reason) -> Value {
    let conversation = ToldConversation {
        state: PhaseWord::Offered,
        turn: Turn::Theirs,
        preference: Preference::Absent,
        ..ToldConversation::default()
    };
    let about = about(decision_type);
    let told = Told {
        decision_type,
        cause_id: "e".into(),
        cause_source: "s".into(),
        workspace: "acme".into(),
        reason,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        outcome: if matches!(reason, Reason::Recorded | Reason::Waiting) {
            Outcome::Recorded
        } else {
            Outcome::Ignored
        },
        sentence: "why".into(),
        event_type: "note.add".into(),
        first: Some(Position { seq: 1, idx: 2 }),
        conversation: matches!(about, About::Conversation | About::Clock).then_some(conversation),
        agent: matches!(about, About::Conversation | About::Agent).then(ToldAgent::default),
        clock: (matches!(about, About::Clock) || reason == Reason::Clock).then(|| ToldClock {
            percent: u16::from(decision_type == DecisionType::ClockWarned) * 75,
            due: u64::from(decision_type != DecisionType::ClockPaused),
            ..ToldClock::default()
        }),
        detail: Some(ToldDetail { offer: 1, until: 2, text: "t".into(), other: "o".into(), number: 3 }),
        policy_version: 4,
        ..Told::default()
    };
    let hash = [7; 32];
    let place = Place { journal: "j", shard: 1, seq: 2, idx: 3, count: 4, hash: &hash, prev: None };
    let mut out = Vec::new();
    render(&told, &place, &mut out);
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn every_reason_is_published() {
    let published: BTreeSet<Reason> = DecisionType::ALL.iter().flat_map(|t| reasons(*t)).copied().collect();
    let silent: Vec<&Reason> = Reason::ALL.iter().filter(|reason| !published.contains(reason)).collect();
    // Words that are known and that nothing is told with.
    assert_eq!(silent, [&Reason::None]);
    for decision_type in DecisionType::ALL {
        let distinct: BTreeSet<_> = reasons(*decision_type).iter().collect();
        assert_eq!(distinct.len(), reasons(*decision_type).len(), "{decision_type:?}");
    }
}

/// Whether a schema takes a value: the part of JSON Schema (draft 07) that the document uses.
fn takes(document: &Value, schema: &Value, value: &Value) -> bool {
    let rules = schema.as_object().expect("a schema is an object");
    rules.iter().all(|(rule, given)| {
        let each = |schemas: &Value| -> Vec<bool> {
            schemas.as_array().unwrap().iter().map(|schema| takes(document, schema, value)).collect()
        };
        let (text, list, object) = (value.as_str(), value.as_array(), value.as_object());
        let bound = given.as_u64().unwrap_or(0);
        match rule.as_str() {
            "$ref" => takes(document, document.pointer(&given.as_str().unwrap()[1..]).expect("a target"), value),
            "allOf" => each(given).iter().all(|taken| *taken),
            "anyOf" => each(given).iter().any(|taken| *taken),
            "oneOf" => each(given).iter().filter(|taken| **taken).count() == 1,
            "not" => !takes(document, given, value),
            "const" => value == given,
            "enum" => given.as_array().unwrap().contains(value),
            "type" if given.is_array() => given.as_array().unwrap().iter().any(|name| is_a(value, name)),
            "type" => is_a(value, given),
            "format" => text.is_none_or(|text| parse_timestamp(text).is_some()),
            "pattern" => {
                assert_eq!(given, "^[!-~]{1,256}$", "only ids have a pattern");
                text.is_none_or(|text| {
                    (1..=256).contains(&text.len()) && text.bytes().all(|b| (b'!'..=b'~').contains(&b))
                })
            }
            "minLength" => text.is_none_or(|text| text.len() as u64 >= bound),
            "maxLength" => text.is_none_or(|text| text.len() as u64 <= bound),
            "minimum" => value.as_f64().is_none_or(|number| number >= given.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= given.as_f64().unwrap()),
            "maxItems" => list.is_none_or(|list| list.len() as u64 <= bound),
            "minItems" => list.is_none_or(|list| list.len() as u64 >= bound),
            "minProperties" => object.is_none_or(|members| members.len() as u64 >= bound),
            "maxProperties" => object.is_none_or(|members| members.len() as u64 <= bound),
            "items" => list.is_none_or(|list| list.iter().all(|item| takes(document, given, item))),
            "required" => object.is_none_or(|members| {
                given.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
            }),
            "properties" => object.is_none_or(|members| {
                given
                    .as_object()
                    .unwrap()
                    .iter()
                    .all(|(name, schema)| members.get(name).is_none_or(|member| takes(document, schema, member)))
            }),
            "propertyNames" => {
                object.is_none_or(|members| members.keys().all(|name| takes(document, given, &json!(name))))
            }
            "additionalProperties" => {
                object.is_none_or(|members| members.values().all(|member| takes(document, given, member)))
            }
            "description" => true,
            other => panic!("{other} is not understood here"),
        }
    })
}

fn is_a(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type of JSON"),
    }
}
