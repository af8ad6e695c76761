//! The decoder against wire.md: each row of its answers that the codec decides, and each shape of `data`.

mod events;

use super::{Decoder, Refusal, limits};
use engine::id::{HashKey, Id, Kind};
use engine::input::{ActorKind, Body, By, EventType, Input, Status};
use engine::policy::{self, Policy, Subject};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Types of wire.md that are to come.
const NOT_BUILT: [EventType; 4] =
    [EventType::CustomerErased, EventType::CallbackRequest, EventType::ParticipantAdd, EventType::ParticipantRemove];

const KEY: HashKey = HashKey(0x0123_4567_89ab_cdef_0011_2233_4455_6677);

fn decode(event: &Value) -> Result<Input, Refusal> {
    Decoder::new(KEY).decode(event.to_string().as_bytes())
}

fn event(event_type: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": "e1", "source": "crm", "type": event_type, "time": "2026-11-26T08:00:00.000Z",
        "workspace": "acme", "data": data,
    })
}

fn body(event_type: &str, data: Value) -> Body {
    decode(&event(event_type, data)).unwrap_or_else(|refusal| panic!("{refusal}")).body
}

/// (field, reason) of the refusal of an event.
fn refused(event: &Value) -> (String, &'static str) {
    let refusal = decode(event).expect_err("this is not refused");
    assert!(refusal.status == 400 || refusal.status == 413);
    assert!(!refusal.sentence.is_empty());
    (refusal.field, refusal.reason)
}

#[track_caller]
fn assert_refused(event_type: &str, data: Value, field: &str, reason: &str) {
    assert_eq!(refused(&event(event_type, data)), (field.to_string(), reason));
}

#[track_caller]
fn assert_text_refused(text: &str, field: &str, reason: &str) {
    let refusal = Decoder::new(KEY).decode(text.as_bytes()).expect_err("this is not refused");
    assert_eq!((refusal.field.as_str(), refusal.reason), (field, reason), "{refusal}");
}

fn id(kind: Kind, text: &str) -> Id {
    KEY.id(kind, "acme", text)
}

fn hash(kind: Kind, parts: &[&str]) -> u128 {
    KEY.hash(kind, "acme", parts)
}

fn started() -> Value {
    json!({
        "actor": { "kind": "customer", "id": "cu1", "name": "ignored" },
        "customer": { "id": "cu1", "tier": "vip", "language": "de", "blocked": [1, { "x": null }] },
        "channel": "voice",
        "entry": "+4930",
        "attributes": { "product": "loan", "amount": 5, "new": true, "share": 0.5, "nothing": null },
        "skills": { "german": 5, "english": 0 },
        "ignored": { "deep": [[[]]] },
    })
}

#[test]
fn the_envelope_is_taken_over() {
    let mut event = event("contact.started", started());
    event["traceparent"] = json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    event["comexampleextension"] = json!({ "ignored": true });
    let input = decode(&event).unwrap();
    assert_eq!((&*input.id, &*input.source), ("e1", "crm"));
    assert_eq!(input.key, KEY.hash(Kind::Event, "acme", &["crm", "e1"]));
    assert_eq!(input.source_hash, KEY.hash(Kind::Source, "acme", &["crm"]));
    assert_eq!(input.workspace, KEY.id(Kind::Workspace, "", "acme"));
    assert_eq!(input.event_type, EventType::ContactStarted);
    assert_eq!(input.time, Some(1_795_680_000_000));
    assert_eq!(input.traceparent.as_deref(), event["traceparent"].as_str());
    let actor = input.actor.unwrap();
    assert_eq!((actor.kind, actor.id), (ActorKind::Customer, id(Kind::Customer, "cu1")));
}

#[test]
fn the_same_event_is_the_same_input_wherever_its_data_stands() {
    let data = started().to_string();
    let head = r#""id":"e1","source":"crm","workspace":"acme""#;
    let before = format!(r#"{{"type":"contact.started",{head},"data":{data}}}"#);
    let after = format!(r#"{{"data":{data},{head},"type":"contact.started"}}"#);
    let decoder = Decoder::new(KEY);
    assert_eq!(decoder.decode(before.as_bytes()).unwrap(), decoder.decode(after.as_bytes()).unwrap());
    let wrong = r#"{"data":{"channel":{"a":1}},"id":"e1","source":"crm","workspace":"acme","type":"contact.started"}"#;
    assert_text_refused(wrong, "data.channel", "wrong_type");
}

#[test]
fn a_malformed_traceparent_is_dropped_and_a_wrong_type_refused() {
    let with = |traceparent: Value| {
        let mut event = event("contact.started", started());
        event["traceparent"] = traceparent;
        event
    };
    assert_eq!(decode(&with(json!("00-xyz"))).unwrap().traceparent, None);
    assert_eq!(
        decode(&with(json!("FF-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))).unwrap().traceparent,
        None
    );
    assert_eq!(refused(&with(json!(7))), ("traceparent".to_string(), "wrong_type"));
}

#[test]
fn a_contact_has_all_that_identifies_routes_and_ranks_it() {
    let Body::ContactStarted { contact } = body("contact.started", started()) else { panic!() };
    assert_eq!(contact.conversation, None);
    assert_eq!(contact.new_conversation, id(Kind::Conversation, "crm/e1"));
    assert_eq!(contact.identity, Some(hash(Kind::Contact, &["voice", "+4930", "cu1"])));
    assert!(!contact.threaded);
    assert_eq!(contact.customer, Some(id(Kind::Customer, "cu1")));
    assert_eq!(contact.tier, Some(hash(Kind::Tier, &["vip"])));
    assert_eq!(contact.language, Some(hash(Kind::Language, &["de"])));
    assert_eq!((contact.channel, contact.entry), (id(Kind::Channel, "voice"), id(Kind::Entry, "+4930")));
    let mut expected: Vec<u128> = [("product", "loan"), ("amount", "5"), ("new", "true"), ("share", "0.5")]
        .into_iter()
        .map(|(name, value)| hash(Kind::Attribute, &[name, value]))
        .collect();
    expected.sort_unstable();
    assert_eq!(contact.attributes, expected);
    assert!(contact.skills.is_sorted());
    let mut levels: Vec<_> = contact.skills.iter().map(|skill| (&*skill.skill.text, skill.level)).collect();
    levels.sort_unstable();
    assert_eq!(levels, [("english", 0), ("german", 5)]);
}

#[test]
fn a_thread_is_the_identity_before_the_customer() {
    let data = json!({ "channel": "email", "thread": "<m@x>", "customer": { "id": "cu1" }, "conversation": "c7" });
    let Body::MessageReceived { contact, opens } = body("message.received", data) else { panic!() };
    assert!(opens && contact.threaded);
    assert_eq!(contact.identity, Some(hash(Kind::Thread, &["email", "", "<m@x>"])));
    assert_eq!(contact.conversation, Some(id(Kind::Conversation, "c7")));
    assert_eq!(contact.entry, Id::default());
    // Another customer's conversation may be named: then this one opens.
    assert_eq!(contact.new_conversation, id(Kind::Conversation, "crm/e1"));
    let Body::MessageReceived { contact, .. } = body("message.received", json!({ "channel": "email" })) else {
        panic!()
    };
    assert_eq!((contact.identity, contact.customer), (None, None));
}

#[test]
fn a_new_conversation_s_long_name_is_its_sha_256() {
    let named = |len: usize| {
        let mut event = event("message.received", json!({ "channel": "email" }));
        event["id"] = json!("x".repeat(len));
        let Body::MessageReceived { contact, .. } = decode(&event).unwrap().body else { panic!() };
        contact.new_conversation.text
    };
    assert_eq!(named(252).len(), 256);
    // By Python's hashlib.
    assert_eq!(&*named(253), "688e35f4066926348ace5bd81b64330a8444a804e58d9f0ff44cfbb556a896b5");
}

#[test]
fn what_machines_send_opens_nothing() {
    let opens = |message: Value| match body("message.received", json!({ "channel": "sms", "message": message })) {
        Body::MessageReceived { opens, .. } => opens,
        other => panic!("{other:?}"),
    };
    assert!(opens(json!({ "kind": "text" })) && opens(json!({ "kind": "media" })) && opens(json!({})));
    assert!(opens(json!({ "automatic": false })) && opens(Value::Null));
    for kind in ["reaction", "auto_reply", "bounce", "system"] {
        assert!(!opens(json!({ "kind": kind })));
    }
    assert!(!opens(json!({ "kind": "text", "automatic": true })));
    let unknown = json!({ "channel": "sms", "message": { "kind": "poke" } });
    assert_refused("message.received", unknown, "data.message.kind", "unknown_value");
}

#[test]
fn an_ended_contact_is_named_or_known_by_who_is_in_it() {
    let ended = |data: Value| match body("contact.ended", data) {
        Body::ContactEnded { conversation, identity, by } => (conversation, identity, by),
        other => panic!("{other:?}"),
    };
    let by_id = ended(json!({ "conversation": "c1", "channel": "voice", "customer": { "id": "cu1" } }));
    assert_eq!(by_id, (Some(id(Kind::Conversation, "c1")), None, ActorKind::Customer));
    let agent = json!({ "kind": "agent", "id": "anna" });
    let by_customer = ended(json!({ "channel": "voice", "entry": "e", "customer": { "id": "cu1" }, "actor": agent }));
    assert_eq!(by_customer, (None, Some(hash(Kind::Contact, &["voice", "e", "cu1"])), ActorKind::Agent));
    let by_thread = ended(json!({ "channel": "voice", "thread": "t", "by": "system", "actor": agent }));
    assert_eq!(by_thread, (None, Some(hash(Kind::Thread, &["voice", "", "t"])), ActorKind::System));
    for nobody in [json!({}), json!({ "channel": "voice" }), json!({ "customer": { "id": "cu1" } })] {
        assert_refused("contact.ended", nobody.clone(), "data.conversation", "missing");
        assert_refused("message.sent", nobody, "data.conversation", "missing");
    }
}

#[test]
fn a_presence_is_of_the_agent_named_or_of_who_sent_it() {
    let own = body("agent.presence", json!({ "status": "online", "actor": { "kind": "agent", "id": "bert" } }));
    let expected = Body::AgentPresence {
        agent: id(Kind::Agent, "bert"),
        status: Status::Online,
        by: By::Agent,
        session: None,
        sequence: None,
        expires_in_ms: None,
        channels: None,
        supervised: false,
        reason: None,
    };
    assert_eq!(own, expected);
    assert_refused("agent.presence", json!({ "status": "online" }), "data.agent", "missing");
    assert_refused("agent.presence", json!({ "agent": "anna" }), "data.status", "missing");
    assert_refused("agent.presence", json!({ "agent": "a", "status": "busy" }), "data.status", "unknown_value");
    let by_bot = json!({ "agent": "a", "status": "online", "by": "bot" });
    assert_refused("agent.presence", by_bot, "data.by", "unknown_value");
}

#[test]
fn commands_name_conversation_agent_and_epoch() {
    let claim = json!({ "conversation": "c1", "expected_epoch": 4, "actor": { "kind": "agent", "id": "anna" } });
    let (conversation, agent) = (id(Kind::Conversation, "c1"), id(Kind::Agent, "anna"));
    let expected =
        Body::ConversationClaim { conversation: conversation.clone(), agent: agent.clone(), expected_epoch: Some(4) };
    assert_eq!(body("conversation.claim", claim), expected);
    assert_refused("conversation.claim", json!({ "conversation": "c1" }), "data.agent", "missing");
    assert_refused("conversation.claim", json!({ "agent": "anna" }), "data.conversation", "missing");
    let assign =
        |reason: Value| body("conversation.assign", json!({ "conversation": "c1", "agent": "anna", "reason": reason }));
    let expected = |reason: Option<&str>| Body::ConversationAssign {
        conversation: conversation.clone(),
        agent: agent.clone(),
        expected_epoch: None,
        reason: reason.map(Into::into),
    };
    assert_eq!(assign(json!("he knows him")), expected(Some("he knows him")));
    assert_eq!(assign(json!("  ")), expected(None));
    assert_eq!(assign(Value::Null), expected(None));
    let supervisor = json!({ "conversation": "c1", "actor": { "kind": "supervisor", "id": "s" } });
    assert_refused("conversation.assign", supervisor, "data.agent", "missing");
    let resolve = body("conversation.resolve", json!({ "conversation": "c1" }));
    assert_eq!(resolve, Body::ConversationResolve { conversation, expected_epoch: None });
}

#[test]
fn what_is_known_and_not_built_is_unsupported() {
    let what = |event_type: &str, data: Value| match body(event_type, data) {
        Body::Unsupported { what } => what.into_string(),
        other => panic!("{other:?}"),
    };
    for event_type in NOT_BUILT {
        assert_eq!(what(event_type.word(), json!({ "anything": [] })), event_type.word());
        let mut event = event(event_type.word(), Value::Null);
        event.as_object_mut().unwrap().remove("data");
        assert!(matches!(decode(&event).unwrap().body, Body::Unsupported { .. }));
    }
    let claim = json!({ "conversation": "c1", "agent": "anna", "offer": { "id": 1 } });
    assert_eq!(what("conversation.claim", claim), "offer");
    assert_eq!(what("agent.configure", json!({ "agent": "a", "groups": [] })), "groups");
    assert_eq!(what("agent.configure", json!({ "agent": "a", "colour": "red" })), "colour");
    let configure = |change: fn(&mut Value)| {
        let mut data = policy();
        change(&mut data);
        what("workspace.configure", data)
    };
    assert_eq!(configure(|data| data["group_shares"] = json!([])), "group_shares");
    assert_eq!(configure(|data| data["queue"][0]["groups"] = json!(5)), "queue[0].groups");
    assert_eq!(configure(|data| data["queue"][0]["strategy"] = json!("group_shares")), "queue[0].strategy");
    assert_eq!(configure(|data| data["rule"][0]["when"]["weather"] = json!(true)), "rule[0].when.weather");
    assert_eq!(configure(|data| data["entry"]["+49.30"]["calendar"] = json!("x")), "entry.\"+49.30\".calendar");
}

#[test]
fn bytes_that_are_not_json_are_refused() {
    for text in [
        "",
        " ",
        "x",
        "{",
        "[]",
        "5",
        "\"x\"",
        "null",
        "{\"id\":}",
        "{\"id\":\"\u{1}\"}",
        "{} {}",
        "{\"id\":\"\\ud800\"}",
    ] {
        let refusal = Decoder::new(KEY).decode(text.as_bytes()).expect_err(text);
        assert!(["not_json", "wrong_type", "missing"].contains(&refusal.reason), "{text}: {refusal}");
    }
    assert_text_refused("{\"data\":{\"a\":[1,2}}", "data.a", "not_json");
    assert_text_refused("[]", "body", "wrong_type");
}

#[test]
fn an_event_cut_at_any_byte_is_refused_as_no_json() {
    for event in [event("contact.started", started()), event("workspace.configure", policy())] {
        let text = event.to_string();
        for end in 0..text.len() {
            let refusal = Decoder::new(KEY).decode(&text.as_bytes()[..end]).expect_err("it was cut");
            assert_eq!((refusal.reason, refusal.status), ("not_json", 400), "cut at {end}");
        }
        assert!(Decoder::new(KEY).decode(text.as_bytes()).is_ok());
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_in_ignored_parts_too() {
    let text = event("contact.started", started()).to_string();
    for place in ["crm", "ignored", "cu1", "deep"] {
        let at = text.find(place).unwrap();
        let mut bytes = text.clone().into_bytes();
        bytes[at] = 0xff;
        let refusal = Decoder::new(KEY).decode(&bytes).unwrap_err();
        assert_eq!((refusal.reason, refusal.field.as_str()), ("not_utf8", "body"), "{place}");
    }
}

#[test]
fn nesting_deeper_than_sixty_four_is_refused_in_ignored_parts_too() {
    let with = |depth: usize| {
        let text = event("contact.started", started()).to_string();
        text.replacen('{', &format!("{{\"ignored\":{}{},", "[".repeat(depth), "]".repeat(depth)), 1)
    };
    let decoder = Decoder::new(KEY);
    assert!(decoder.decode(with(63).as_bytes()).is_ok());
    assert_text_refused(&with(64), "body", "too_deep");
    assert_text_refused(&with(10_000), "body", "too_deep");
    assert_text_refused(&"{\"a\":".repeat(10_000), "body", "too_deep");
    let data = format!("{{\"id\":\"e\",\"type\":\"workspace.configure\",\"data\":{}", "[".repeat(10_000));
    assert_text_refused(&data, "body", "too_deep");
}

#[test]
fn a_repeated_key_that_we_read_is_refused_and_others_are_not() {
    let text = event("contact.started", started()).to_string();
    let doubled = |found: &str, put: &str| {
        assert!(text.contains(found), "{found}");
        text.replacen(found, put, 1)
    };
    let read = [
        ("\"id\":\"e1\"", "\"id\":\"e1\",\"id\":\"e1\"", "id"),
        ("\"specversion\"", "\"data\":{},\"specversion\"", "data"),
        ("\"channel\":", "\"channel\":\"sms\",\"channel\":", "data.channel"),
        ("\"entry\":", "\"\\u0065ntry\":\"x\",\"entry\":", "data.entry"),
        ("\"tier\":", "\"tier\":\"x\",\"tier\":", "data.customer.tier"),
        ("\"kind\":", "\"kind\":\"bot\",\"kind\":", "data.actor.kind"),
        ("\"amount\":", "\"amount\":1,\"amount\":", "data.attributes.amount"),
        ("\"german\":", "\"german\":1,\"german\":", "data.skills.german"),
    ];
    for (found, put, field) in read {
        assert_text_refused(&doubled(found, put), field, "repeated_key");
    }
    let ignored = doubled("\"ignored\":", "\"ignored\":1,\"ignored\":");
    assert!(Decoder::new(KEY).decode(ignored.as_bytes()).is_ok());
}

#[test]
fn sizes_have_limits() {
    let padded = |event: Value, len: usize| {
        let text = event.to_string();
        let pad = len - text.len() - "\"pad\":\"\",".len();
        let text = text.replacen('{', &format!("{{\"pad\":\"{}\",", "x".repeat(pad)), 1);
        assert_eq!(text.len(), len);
        Decoder::new(KEY).decode(text.as_bytes())
    };
    assert!(padded(event("contact.started", started()), limits::EVENT_BYTES).is_ok());
    let refusal = padded(event("contact.started", started()), limits::EVENT_BYTES + 1).unwrap_err();
    assert_eq!((refusal.status, refusal.reason), (413, "too_large"));
    let refusal = padded(event("note.add", json!({})), limits::EVENT_BYTES + 1).unwrap_err();
    assert_eq!(refusal.status, 413);
    assert!(padded(event("workspace.configure", policy()), limits::CONFIGURE_BYTES).is_ok());
    let refusal = padded(event("workspace.configure", policy()), limits::CONFIGURE_BYTES + 1).unwrap_err();
    assert_eq!((refusal.status, refusal.reason), (413, "too_large"));
}

#[test]
fn ids_have_1_to_256_printable_bytes() {
    let long = "x".repeat(256);
    let too_long = "x".repeat(257);
    let envelope = |key: &str, value: &str| {
        let mut event = event("contact.started", started());
        event[key] = json!(value);
        event
    };
    for key in ["id", "source", "workspace"] {
        for wrong in ["", &too_long, "a b", "ä", "a\u{7f}", "a\n"] {
            assert_eq!(refused(&envelope(key, wrong)), (key.to_string(), "out_of_bounds"), "{wrong}");
        }
        assert!(decode(&envelope(key, &long)).is_ok());
        assert!(decode(&envelope(key, "!~")).is_ok());
        let mut event = event("contact.started", started());
        event.as_object_mut().unwrap().remove(key);
        assert_eq!(refused(&event), (key.to_string(), "missing"));
    }
    let fields = [
        ("/conversation", "data.conversation"),
        ("/customer/id", "data.customer.id"),
        ("/customer/tier", "data.customer.tier"),
        ("/customer/language", "data.customer.language"),
        ("/channel", "data.channel"),
        ("/entry", "data.entry"),
        ("/thread", "data.thread"),
        ("/actor/id", "data.actor.id"),
    ];
    for (pointer, field) in fields {
        for wrong in ["", &too_long, "a b"] {
            assert_refused("contact.started", with(started(), pointer, json!(wrong)), field, "out_of_bounds");
        }
        assert!(decode(&event("contact.started", with(started(), pointer, json!(long)))).is_ok());
    }
}

/// `data` with the value at a pointer set, which may be new.
fn with(mut data: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    data.pointer_mut(parent).unwrap()[key] = value;
    data
}

#[test]
fn each_field_that_is_read_refuses_other_types() {
    let (text, number, object) = (json!("x"), json!(5), json!({}));
    for key in ["conversation", "channel", "entry", "thread"] {
        for wrong in [number.clone(), json!(true), json!(["x"]), object.clone(), json!(1.5)] {
            assert_refused(
                "contact.started",
                with(started(), &format!("/{key}"), wrong),
                &format!("data.{key}"),
                "wrong_type",
            );
        }
    }
    for key in ["actor", "customer", "attributes", "skills"] {
        for wrong in [text.clone(), number.clone(), json!(true), json!(["x", "y"])] {
            assert_refused(
                "contact.started",
                with(started(), &format!("/{key}"), wrong),
                &format!("data.{key}"),
                "wrong_type",
            );
        }
    }
    for pointer in ["/actor/kind", "/actor/id", "/customer/id", "/customer/tier", "/customer/language"] {
        let field = format!("data{}", pointer.replace('/', "."));
        assert_refused("contact.started", with(started(), pointer, number.clone()), &field, "wrong_type");
    }
    for (message, field) in [
        (json!({ "kind": 5 }), "data.message.kind"),
        (json!({ "automatic": "no" }), "data.message.automatic"),
        (json!({ "visibility": [] }), "data.message.visibility"),
        (json!("hello"), "data.message"),
    ] {
        assert_refused("message.received", with(started(), "/message", message), field, "wrong_type");
    }
    for wrong in [json!([]), object.clone()] {
        assert_refused(
            "contact.started",
            with(started(), "/attributes/new", wrong),
            "data.attributes.new",
            "wrong_type",
        );
    }
    for wrong in [text, json!(1.5), json!(null)] {
        assert_refused("contact.started", with(started(), "/skills/german", wrong), "data.skills.german", "wrong_type");
    }
    for wrong in [json!(5), json!("x"), json!([])] {
        assert_refused("contact.started", wrong.clone(), "data", "wrong_type");
        assert_refused("workspace.configure", wrong, "data", "wrong_type");
    }
    for event_type in ["contact.started", "workspace.configure", "agent.configure"] {
        assert_refused(event_type, Value::Null, "data", "missing");
    }
    for key in ["id", "source", "type", "time", "workspace", "specversion"] {
        let mut event = event("contact.started", started());
        event[key] = json!(5);
        assert_eq!(refused(&event), (key.to_string(), "wrong_type"));
    }
}

#[test]
fn huge_numbers_are_out_of_bounds() {
    let text = |number: &str| {
        let data = r#"{"agent":"a","status":"online","sequence":N}"#.replace('N', number);
        format!(r#"{{"id":"e","source":"s","workspace":"w","type":"agent.presence","data":{data}}}"#)
    };
    assert!(Decoder::new(KEY).decode(text("18446744073709551615").as_bytes()).is_ok());
    for number in ["18446744073709551616", "1e400", "-1", "1e30", "-1e999", &"9".repeat(400)] {
        assert_text_refused(&text(number), "data.sequence", "out_of_bounds");
    }
    assert_text_refused(&text("1.5"), "data.sequence", "wrong_type");
    assert_text_refused(&text("01"), "data.sequence", "not_json");
    assert_text_refused(&text("NaN"), "data.sequence", "not_json");
}

#[test]
fn words_and_types_are_those_of_the_lists() {
    assert_refused("contact.exploded", json!({}), "type", "unknown_type");
    assert_refused("strowger.conversation.opened", json!({}), "type", "unknown_type");
    let actor = with(started(), "/actor/kind", json!("robot"));
    assert_refused("contact.started", actor, "data.actor.kind", "unknown_value");
    assert_refused("contact.started", with(started(), "/actor", json!({})), "data.actor.kind", "missing");
    assert_refused(
        "contact.started",
        with(started(), "/actor", json!({ "kind": "agent" })),
        "data.actor.id",
        "missing",
    );
    assert!(decode(&event("contact.started", with(started(), "/actor", json!({ "kind": "system" })))).is_ok());
    let mut other = event("contact.started", started());
    other["specversion"] = json!("0.3");
    assert_eq!(refused(&other), ("specversion".to_string(), "unknown_value"));
    let mut late = event("contact.started", started());
    late["time"] = json!("yesterday");
    assert_eq!(refused(&late), ("time".to_string(), "out_of_bounds"));
    late.as_object_mut().unwrap().remove("time");
    assert_eq!(decode(&late).unwrap().time, None);
}

#[test]
fn attributes_and_skills_have_limits() {
    let many = |n: usize, value: Value| -> Value {
        (0..n).map(|i| (format!("k{i}"), value.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    for key in ["attributes", "skills"] {
        let path = format!("/{key}");
        assert!(decode(&event("contact.started", with(started(), &path, many(64, json!(1))))).is_ok());
        let data = with(started(), &path, many(65, json!(1)));
        assert_refused("contact.started", data, &format!("data.{key}"), "out_of_bounds");
    }
    let level = |level: Value| with(started(), "/skills/german", level);
    assert!(decode(&event("contact.started", level(json!(10)))).is_ok());
    assert_refused("contact.started", level(json!(11)), "data.skills.german", "out_of_bounds");
    assert_refused("contact.started", level(json!(300)), "data.skills.german", "out_of_bounds");
    assert_refused("contact.started", level(json!(-1)), "data.skills.german", "out_of_bounds");
    assert_refused("contact.started", with(started(), "/skills/a b", json!(1)), "data.skills.\"a b\"", "out_of_bounds");
    let long = "x".repeat(257);
    let attribute = with(started(), "/attributes/product", json!(long));
    assert_refused("contact.started", attribute, "data.attributes.product", "out_of_bounds");
    let reason = with(json!({ "conversation": "c", "agent": "a" }), "/reason", json!("x".repeat(1_025)));
    assert_refused("conversation.assign", reason, "data.reason", "out_of_bounds");
}

fn policy() -> Value {
    json!({
        "version": 4,
        "actor": { "kind": "system", "id": "strowger" },
        "expected_version": 3,
        "channel": { "voice": { "units": 2 }, "fax": { "live": false } },
        "entry": { "+49.30": { "queue": "sales" } },
        "tier": { "vip": { "head_start_s": 90.5 } },
        "queue": [{ "name": "sales", "strategy": "least_loaded", "skills": { "german": 5 } }, { "name": "rest" }],
        "rule": [{ "when": { "tier": "vip", "attributes": { "vip": true } }, "queue": "sales" }, { "queue": "rest" }],
    })
}

#[test]
fn a_policy_is_read_with_its_defaults() {
    let Body::WorkspaceConfigure { policy: read, expected_version } = body("workspace.configure", policy()) else {
        panic!()
    };
    assert_eq!(expected_version, Some(3));
    assert_eq!((read.version, read.test, read.default_units), (4, false, 1));
    assert_eq!((read.reopen_window_ms, read.idle_reset_ms), (259_200_000, 60_000));
    assert_eq!(read.channels.len(), Policy::standard_channels().len() + 1);
    let voice = &read.channels[0];
    assert_eq!((&*voice.name, voice.live, voice.exclusive, voice.units), ("voice", true, true, 2));
    assert_eq!(read.tiers[0].head_start_ms, 90_500);
    assert_eq!(
        (read.queues[0].strategy, read.queues[1].strategy),
        (policy::Strategy::LeastLoaded, policy::Strategy::LongestIdle)
    );
    let subjects: Vec<_> = read.rules[0].when.iter().map(|condition| condition.subject).collect();
    assert_eq!(subjects, [Subject::Tier, Subject::Attribute]);
    assert_eq!(read.faults(), vec![]);
}

#[test]
fn a_policy_of_wrong_shape_is_refused_with_its_path() {
    let change = |pointer: &str, value: Value| with(policy(), pointer, value);
    let wrong = [
        ("/version", json!("4"), "data.version"),
        ("/test", json!(1), "data.test"),
        ("/channel", json!([]), "data.channel"),
        ("/channel/voice", json!(true), "data.channel.voice"),
        ("/channel/fax/live", json!("no"), "data.channel.fax.live"),
        ("/entry/+49.30/queue", json!(5), "data.entry.\"+49.30\".queue"),
        ("/tier/vip/head_start_s", json!("90"), "data.tier.vip.head_start_s"),
        ("/queue", json!({}), "data.queue"),
        ("/queue/1", json!("rest"), "data.queue[1]"),
        ("/queue/0/skills/german", json!(5.5), "data.queue[0].skills.german"),
        ("/rule/0/when", json!([]), "data.rule[0].when"),
        ("/rule/0/when/tier", json!(["vip"]), "data.rule[0].when.tier"),
        ("/rule/0/when/attributes/vip", json!({}), "data.rule[0].when.attributes.vip"),
        ("/expected_version", json!("3"), "data.expected_version"),
        ("/actor", json!("me"), "data.actor"),
    ];
    for (pointer, value, field) in wrong {
        let data = if let Some(i) = pointer.strip_prefix("/queue/").and_then(|rest| rest.parse::<usize>().ok()) {
            let mut data = policy();
            data["queue"][i] = value;
            data
        } else {
            change(pointer, value)
        };
        assert_refused("workspace.configure", data, field, "wrong_type");
    }
    for (pointer, value, field) in [
        ("/tier/vip/head_start_s", json!(-1), "data.tier.vip.head_start_s"),
        ("/queue/0/service_level_goal", json!(80), "data.queue[0].service_level_goal"),
        ("/default_units", json!(-1), "data.default_units"),
        ("/default_units", json!(1e30), "data.default_units"),
    ] {
        assert_refused("workspace.configure", change(pointer, value), field, "out_of_bounds");
    }
    for (parent, key, field) in [
        ("", "version", "data.version"),
        ("/queue/0", "name", "data.queue[0].name"),
        ("/rule/1", "queue", "data.rule[1].queue"),
        ("/channel/fax", "live", "data.channel.fax.live"),
        ("/entry/+49.30", "queue", "data.entry.\"+49.30\".queue"),
    ] {
        let mut data = policy();
        data.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        assert_refused("workspace.configure", data, field, "missing");
    }
}

#[test]
fn a_repeated_key_of_a_policy_is_refused() {
    let text = event("workspace.configure", policy()).to_string();
    let twice = |found: &str, put: &str, field: &str| {
        assert!(text.contains(found), "{found} in {text}");
        assert_text_refused(&text.replacen(found, put, 1), field, "repeated_key");
    };
    twice("\"version\":4", "\"version\":4,\"version\":4", "data.version");
    twice("\"fax\":", "\"fax\":{\"live\":true},\"fax\":", "data.channel.fax");
    twice("\"german\":5", "\"german\":5,\"german\":6", "data.queue[0].skills.german");
}

#[test]
fn a_policy_of_wrong_content_is_invalid_and_says_all_of_it() {
    let mut data = policy();
    data["queue"][0]["skills"]["german"] = json!(11);
    data["rule"][1]["queue"] = json!("nobody");
    data["queue"][1]["strategy"] = json!("fastest");
    let Body::Invalid { faults } = body("workspace.configure", data) else { panic!() };
    for part in ["queue[0].skills.german: ", "rule[1].queue: no queue is named `nobody`", "queue[1].strategy: "] {
        assert!(faults.contains(part), "{faults}");
    }
    let Body::Invalid { faults } = body("agent.configure", json!({ "agent": "a", "weight": 0, "units": 0 })) else {
        panic!()
    };
    assert!(faults.contains("weight: ") && faults.contains("units: "), "{faults}");
    let rules: Vec<Value> = (0..4_000).map(|_| json!({ "when": { "tier": "x" }, "queue": "nobody" })).collect();
    let Body::Invalid { faults } = body("workspace.configure", with(policy(), "/rule", json!(rules))) else { panic!() };
    assert!(faults.len() < 5_000 && faults.contains(" more"), "{}", faults.len());
}

#[test]
fn an_agent_is_read_with_its_defaults() {
    let Body::AgentConfigure { agent, config, .. } = body("agent.configure", json!({ "agent": "anna" })) else {
        panic!()
    };
    assert_eq!(agent, id(Kind::Agent, "anna"));
    assert_eq!((&*config.team, config.weight, config.units, config.skills.len()), ("", 1, None, 0));
    let data = json!({ "agent": "anna", "team": "north", "skills": { "b": 1, "a": 2 }, "weight": 3, "units": 4 });
    let Body::AgentConfigure { config, .. } = body("agent.configure", data) else { panic!() };
    let skills: Vec<_> = config.skills.iter().map(|skill| (&*skill.name, skill.level)).collect();
    assert_eq!((&*config.team, config.weight, config.units), ("north", 3, Some(4)));
    assert_eq!(skills, [("a", 2), ("b", 1)]);
    assert_refused("agent.configure", json!({}), "data.agent", "missing");
    assert_refused("agent.configure", json!({ "agent": 5 }), "data.agent", "wrong_type");
    assert_refused("agent.configure", json!({ "agent": "a b" }), "data.agent", "out_of_bounds");
    assert_refused("agent.configure", json!({ "agent": "a", "weight": "3" }), "data.weight", "wrong_type");
    assert_refused("agent.configure", json!({ "agent": "a", "skills": { "x": -1 } }), "data.skills.x", "out_of_bounds");
}

#[test]
fn a_refusal_does_not_repeat_what_a_customer_wrote() {
    let refusal =
        decode(&event("contact.started", with(started(), "/skills/german", json!("my \"secret\", expected"))))
            .unwrap_err();
    assert!(!refusal.sentence.contains("secret"), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("a text"), "{}", refusal.sentence);
}

/// Pieces of events that bytes drawn at random hardly ever are.
const PIECES: [&str; 16] = [
    "\"until\":",
    "\"to\":{\"agent\":",
    "\"expires_in_s\":1e999,",
    "\"channels\":[\"voice\",",
    "\"offer\":\"18446744073709551616\",",
    "\"account_owner\":null,",
    "\"type\":\"source.heartbeat\",",
    "\"type\":\"conversation.transfer\",",
    "\"data\":{},",
    "\"level\":-0,",
    "\"\\ud800",
    "null",
    "1e308",
    "{\"\":",
    "[[",
    "\"}",
];

/// Bytes of a real event of any type with some of them changed, cut, doubled or replaced: nearer to trouble than random
/// ones.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let mut sources = events::all_texts();
    sources
        .extend([event("contact.started", started()), event("workspace.configure", policy())].map(|e| e.to_string()));
    (0..sources.len(), any::<Vec<(prop::sample::Index, u8, u8)>>()).prop_map(move |(which, changes)| {
        let mut bytes = sources[which].clone().into_bytes();
        for (at, how, byte) in changes.into_iter().take(8) {
            let at = at.index(bytes.len());
            match how % 5 {
                0 => bytes[at] = byte,
                1 => bytes[at] = b"{}[]\",:\\0e-"[usize::from(byte) % 11],
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, byte),
                _ => {
                    let piece = PIECES[usize::from(byte) % PIECES.len()];
                    bytes.splice(at..at, piece.bytes());
                }
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Decoder::new(KEY).decode(&bytes).is_err());
    }

    #[test]
    fn any_mangled_event_is_judged_without_panic(bytes in mangled()) {
        if let Err(refusal) = Decoder::new(KEY).decode(&bytes) {
            prop_assert!(!refusal.field.is_empty() && !refusal.sentence.is_empty());
            prop_assert!(refusal.sentence.len() < 1_000 && refusal.field.len() < 4_000);
        }
    }
}
