//! Each type once in full, and each bound from both sides.

use super::{NOT_BUILT, assert_refused, body, decode, event, hash, id, refused, with};
use engine::calendar::Opening;
use engine::id::{Id, Kind};
use engine::input::{ActorKind, Body, By, Contact, Control, EventType, RequiredSkill, Status, SurveyKind, Target};
use engine::wire::{Reader, Wire};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn conversation() -> Id {
    id(Kind::Conversation, "c7")
}

fn agent(name: &str) -> Id {
    id(Kind::Agent, name)
}

fn skills(skills: &[(&str, u8)]) -> Vec<RequiredSkill> {
    let mut skills: Vec<RequiredSkill> =
        skills.iter().map(|(name, level)| RequiredSkill { skill: id(Kind::Skill, name), level: *level }).collect();
    skills.sort_unstable();
    skills
}

fn sorted(kind: Kind, names: &[&str]) -> Vec<u128> {
    let mut hashes: Vec<u128> = names.iter().map(|name| hash(kind, &[name])).collect();
    hashes.sort_unstable();
    hashes
}

fn text(text: &str) -> Option<Box<str>> {
    Some(text.into())
}

/// An agent's command about the conversation c7.
fn command(more: Value) -> Value {
    let mut data = json!({ "actor": { "kind": "agent", "id": "anna" }, "conversation": "c7" });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data
}

fn contact_data() -> Value {
    json!({
        "conversation": "c7", "channel": "voice", "entry": "+4930", "thread": "t1", "attributes": { "product": "loan" },
        "skills": { "german": 5 }, "customer": { "id": "cu1", "tier": "vip", "language": "de" },
    })
}

fn contact() -> Contact {
    Contact {
        conversation: Some(conversation()),
        new_conversation: id(Kind::Conversation, "crm/e1"),
        identity: Some(hash(Kind::Thread, &["voice", "+4930", "t1"])),
        threaded: true,
        customer: Some(id(Kind::Customer, "cu1")),
        tier: Some(hash(Kind::Tier, &["vip"])),
        language: Some(hash(Kind::Language, &["de"])),
        channel: id(Kind::Channel, "voice"),
        entry: id(Kind::Entry, "+4930"),
        attributes: vec![hash(Kind::Attribute, &["product", "loan"])],
        skills: skills(&[("german", 5)]),
    }
}

const UNTIL_MS: u64 = 1_795_766_400_000;
const UNTIL: &str = "2026-11-27T08:00:00.000Z";

fn facts() -> Vec<(EventType, Value, Body)> {
    let (conversation, identity) = (Some(conversation()), None);
    vec![
        (EventType::ContactStarted, contact_data(), Body::ContactStarted { contact: contact() }),
        (
            EventType::ContactConnected,
            json!({ "conversation": "c7", "agent": "anna", "actor": { "kind": "system" } }),
            Body::ContactConnected { conversation: conversation.clone(), identity, agent: agent("anna") },
        ),
        (
            EventType::ContactEnded,
            json!({ "conversation": "c7", "by": "bot", "actor": { "kind": "agent", "id": "anna" } }),
            Body::ContactEnded { conversation: conversation.clone(), identity, by: ActorKind::Bot },
        ),
        (
            EventType::MessageReceived,
            with(contact_data(), "/message", json!({ "kind": "media", "id": "m1", "reply_to": 5 })),
            Body::MessageReceived { contact: contact(), opens: true },
        ),
        (
            EventType::MessageSent,
            json!({
                "actor": { "kind": "agent", "id": "anna" }, "conversation": "c7",
                "message": { "kind": "text", "automatic": false, "visibility": "public" },
                "mentions": ["cleo", "bert", "cleo"],
            }),
            Body::MessageSent {
                conversation: conversation.clone(),
                identity,
                answers: true,
                mentions: vec![agent("cleo"), agent("bert")],
            },
        ),
        (
            EventType::MessageStatus,
            json!({ "channel": "whatsapp", "customer": { "id": "cu1" }, "status": "failed" }),
            Body::MessageStatus {
                conversation: None,
                identity: Some(hash(Kind::Contact, &["whatsapp", "", "cu1"])),
                failed: true,
            },
        ),
        (
            EventType::MessageEdited,
            json!({ "conversation": "c7", "message": 5 }),
            Body::MessageStatus { conversation: conversation.clone(), identity, failed: false },
        ),
        (
            EventType::MessageDeleted,
            json!({ "conversation": "c7" }),
            Body::MessageStatus { conversation: conversation.clone(), identity, failed: false },
        ),
        (
            EventType::SurveyAnswered,
            json!({ "conversation": "c7", "kind": "nps", "score": 9, "max": 10 }),
            Body::SurveyAnswered { conversation, identity, kind: SurveyKind::Nps, score: 9, max: 10 },
        ),
        (
            EventType::CustomerUpdated,
            json!({ "customer": { "id": "cu1", "tier": "vip" }, "blocked": true, "account_owner": "anna" }),
            Body::CustomerUpdated {
                customer: id(Kind::Customer, "cu1"),
                tier: Some(hash(Kind::Tier, &["vip"])),
                blocked: Some(true),
                account_owner: Some(agent("anna")),
            },
        ),
        (
            EventType::CustomerLinked,
            json!({ "customer": { "id": "cu1" }, "other": "cu2" }),
            Body::CustomerLinked { customer: id(Kind::Customer, "cu1"), other: id(Kind::Customer, "cu2") },
        ),
        (
            EventType::CustomerUnlinked,
            json!({ "customer": { "id": "cu1" }, "other": "cu2" }),
            Body::CustomerUnlinked { customer: id(Kind::Customer, "cu1"), other: id(Kind::Customer, "cu2") },
        ),
        (
            EventType::AgentPresence,
            json!({
                "agent": "anna", "status": "pending_away", "by": "device", "session": "s1",
                "sequence": 18_446_744_073_709_551_615u64, "expires_in_s": 90.5,
                "channels": ["voice", "email", "voice"], "reason": " lunch ",
                "actor": { "kind": "supervisor", "id": "sam" },
            }),
            Body::AgentPresence {
                agent: agent("anna"),
                status: Status::PendingAway,
                by: By::Device,
                session: Some(hash(Kind::Session, &["s1"])),
                sequence: Some(u64::MAX),
                expires_in_ms: Some(90_500),
                channels: Some(sorted(Kind::Channel, &["voice", "email"])),
                supervised: true,
                reason: text("lunch"),
            },
        ),
        (
            EventType::AgentEngaged,
            json!({ "agent": "anna", "engagement": "m5", "channel": "voice", "units": 2 }),
            Body::AgentEngaged {
                agent: agent("anna"),
                engagement: id(Kind::Engagement, "m5"),
                channel: id(Kind::Channel, "voice"),
                units: Some(2),
            },
        ),
        (
            EventType::AgentDisengaged,
            json!({ "actor": { "kind": "agent", "id": "anna" }, "engagement": "m5" }),
            Body::AgentDisengaged { agent: agent("anna"), engagement: id(Kind::Engagement, "m5") },
        ),
        (
            EventType::SourceHeartbeat,
            json!({ "open_contacts": ["c9", "c7", "c9"] }),
            Body::SourceHeartbeat { open_contacts: Some(sorted(Kind::Conversation, &["c7", "c9"])) },
        ),
    ]
}

fn commands() -> Vec<(EventType, Value, Body)> {
    let conversation = conversation();
    let expected_epoch = Some(3);
    let of_epoch = |more: Value| with(command(more), "/expected_epoch", json!(3));
    vec![
        (
            EventType::ConversationOpen,
            with(contact_data(), "/agent", json!("anna")),
            Body::ConversationOpen { contact: contact(), agent: agent("anna") },
        ),
        (
            EventType::ConversationHandoff,
            of_epoch(json!({ "queue": "sales", "skills": { "german": 5 }, "note": "he is cross" })),
            Body::ConversationHandoff {
                conversation: conversation.clone(),
                expected_epoch,
                queue: Some(hash(Kind::Queue, &["sales"])),
                skills: skills(&[("german", 5)]),
                note: text("he is cross"),
            },
        ),
        (
            EventType::ConversationClaim,
            of_epoch(json!({})),
            Body::ConversationClaim { conversation: conversation.clone(), agent: agent("anna"), expected_epoch },
        ),
        (
            EventType::ConversationAssign,
            of_epoch(json!({ "agent": "bert", "reason": "knows him" })),
            Body::ConversationAssign {
                conversation: conversation.clone(),
                agent: agent("bert"),
                expected_epoch,
                reason: text("knows him"),
            },
        ),
        (
            EventType::ConversationTransfer,
            of_epoch(json!({
                "to": { "agent": "bert" }, "warm": true, "place": "back", "note": "n", "wait_s": 120,
                "fallback": "sales", "reason": "r",
            })),
            Body::ConversationTransfer {
                conversation: conversation.clone(),
                expected_epoch,
                to: Target { agent: Some(agent("bert")), queue: None, skills: vec![] },
                warm: true,
                place_back: true,
                note: text("n"),
                reason: text("r"),
                wait_ms: Some(120_000),
                fallback: Some(hash(Kind::Queue, &["sales"])),
            },
        ),
        (
            EventType::ConversationRelease,
            of_epoch(json!({ "reason": "r" })),
            Body::ConversationRelease { conversation: conversation.clone(), expected_epoch, reason: text("r") },
        ),
        (
            EventType::ConversationEscalate,
            of_epoch(json!({ "level": 2, "reason": "r" })),
            Body::ConversationEscalate {
                conversation: conversation.clone(),
                expected_epoch,
                level: 2,
                reason: text("r"),
            },
        ),
        (
            EventType::ConversationSnooze,
            of_epoch(json!({ "until": UNTIL })),
            Body::ConversationSnooze { conversation: conversation.clone(), expected_epoch, until: UNTIL_MS },
        ),
        (
            EventType::ConversationWake,
            of_epoch(json!({})),
            Body::ConversationWake { conversation: conversation.clone(), expected_epoch },
        ),
        (
            EventType::ConversationUpdate,
            of_epoch(json!({ "customer": { "tier": "vip" }, "priority": 9, "skills": {}, "reason": "r" })),
            Body::ConversationUpdate {
                conversation: conversation.clone(),
                expected_epoch,
                tier: Some(hash(Kind::Tier, &["vip"])),
                priority: Some(9),
                skills: Some(vec![]),
                reason: text("r"),
            },
        ),
        (
            EventType::ConversationResolve,
            of_epoch(json!({})),
            Body::ConversationResolve { conversation: conversation.clone(), expected_epoch },
        ),
        (
            EventType::ConversationClose,
            of_epoch(json!({ "reason": "spam" })),
            Body::ConversationClose { conversation: conversation.clone(), expected_epoch, reason: text("spam") },
        ),
        (
            EventType::ConversationReopen,
            of_epoch(json!({})),
            Body::ConversationReopen { conversation: conversation.clone(), expected_epoch },
        ),
        (
            EventType::ConversationMerge,
            command(json!({ "other": "c8", "survivor": "c8" })),
            Body::ConversationMerge {
                conversation: conversation.clone(),
                other: id(Kind::Conversation, "c8"),
                survivor: Some(id(Kind::Conversation, "c8")),
            },
        ),
        (
            EventType::OfferAccept,
            json!({ "actor": { "kind": "agent", "id": "anna" }, "offer": "18446744073709551615" }),
            Body::OfferAccept { offer: u64::MAX, agent: agent("anna") },
        ),
        (
            EventType::OfferDecline,
            json!({ "agent": "anna", "offer": "42", "reason": "busy" }),
            Body::OfferDecline { offer: 42, agent: agent("anna"), reason: text("busy") },
        ),
        (
            EventType::WrapupComplete,
            command(json!({})),
            Body::WrapupComplete { conversation: conversation.clone(), agent: agent("anna") },
        ),
        (
            EventType::NoteAdd,
            command(json!({ "text": " called twice ", "mentions": ["bert"] })),
            Body::NoteAdd { conversation, text: " called twice ".into(), mentions: vec![agent("bert")] },
        ),
        (
            EventType::AgentRemove,
            json!({ "agent": "anna", "successor": "bert", "reason": "left", "expected_version": 4 }),
            Body::AgentRemove {
                agent: agent("anna"),
                successor: Some(agent("bert")),
                reason: text("left"),
                expected_version: Some(4),
            },
        ),
        (
            EventType::AgentDrain,
            json!({ "agent": "anna", "drain": false, "reason": "back", "expected_version": 4 }),
            Body::AgentDrain { agent: agent("anna"), drain: false, reason: text("back"), expected_version: Some(4) },
        ),
        (
            EventType::QueueControl,
            json!({ "queue": "sales", "state": "emergency", "until": UNTIL, "reason": "fire", "expected_version": 4 }),
            Body::QueueControl {
                queue: id(Kind::Queue, "sales"),
                control: Control::Emergency,
                until: Some(UNTIL_MS),
                reason: text("fire"),
                expected_version: Some(4),
            },
        ),
        (
            EventType::CalendarExpand,
            json!({
                "calendar": "office", "from": "2026-11-01T00:00:00Z", "until": UNTIL,
                "openings": [["2026-11-26T08:00:00Z", "2026-11-26T17:00:00.5Z"], ["2026-11-26T17:00:00.5Z", UNTIL]],
            }),
            Body::CalendarExpand {
                calendar: id(Kind::Calendar, "office"),
                from: 1_793_491_200_000,
                until: UNTIL_MS,
                openings: vec![
                    Opening { from: 1_795_680_000_000, to: 1_795_712_400_500 },
                    Opening { from: 1_795_712_400_500, to: UNTIL_MS },
                ],
            },
        ),
    ]
}

#[test]
fn openings_have_two_ends_in_order_and_do_not_overlap() {
    let expand = |openings: Value| {
        event("calendar.expand", json!({ "calendar": "office", "until": UNTIL, "openings": openings }))
    };
    let hour = |hour: u32| format!("2026-11-26T{hour:02}:00:00Z");
    assert!(matches!(decode(&expand(json!([]))).unwrap().body, Body::CalendarExpand { from: 0, .. }), "from the start");
    for (openings, at, reason) in [
        (json!([[hour(8)]]), "data.openings[0]", "out_of_bounds"),
        (json!([[hour(8), hour(9), hour(10)]]), "data.openings[0]", "out_of_bounds"),
        (json!([[hour(8), hour(8)]]), "data.openings[0]", "out_of_bounds"),
        (json!([[hour(8), hour(10)], [hour(9), hour(11)]]), "data.openings[1]", "out_of_bounds"),
        (json!([[hour(9), hour(10)], [hour(7), hour(8)]]), "data.openings[1]", "out_of_bounds"),
        (json!([[hour(8), "soon"]]), "data.openings[0][1]", "out_of_bounds"),
        (json!([[8, 9]]), "data.openings[0][0]", "wrong_type"),
        (json!([hour(8)]), "data.openings[0]", "wrong_type"),
        (json!(vec![[hour(8), hour(9)]; 4_097]), "data.openings", "out_of_bounds"),
    ] {
        assert_eq!(refused(&expand(openings)), (at.to_string(), reason));
    }
    let mut backwards = expand(json!([]));
    backwards["data"]["from"] = json!(UNTIL);
    assert_eq!(refused(&backwards), ("data.until".to_string(), "out_of_bounds"));
}

/// An expansion at the limit is one event.
#[test]
fn as_many_openings_as_there_may_be_fit_an_event() {
    let opening = |i: u64| [super::super::timestamp(i * 1_000 + 1), super::super::timestamp(i * 1_000 + 2)];
    let openings: Vec<_> = (0..4_096).map(opening).collect();
    let data =
        json!({ "actor": { "kind": "system" }, "calendar": "c".repeat(256), "until": UNTIL, "openings": openings });
    let decoded = decode(&event("calendar.expand", data)).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(matches!(decoded.body, Body::CalendarExpand { openings, .. } if openings.len() == 4_096));
}

#[test]
fn every_type_is_decoded_in_full() {
    let all = [facts(), commands()].concat();
    for (event_type, data, expected) in &all {
        let input = decode(&event(event_type.word(), data.clone())).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!((input.event_type, &input.body), (*event_type, expected));
    }
    let mut types: BTreeSet<EventType> = all.iter().map(|(event_type, _, _)| *event_type).collect();
    types.extend(NOT_BUILT);
    types.extend([EventType::AgentConfigure, EventType::WorkspaceConfigure]);
    assert_eq!(types, EventType::ALL.iter().copied().collect());
}

#[test]
fn every_input_is_recorded_and_read_again() {
    for (event_type, data, _) in [facts(), commands()].concat() {
        let input = decode(&event(event_type.word(), data)).unwrap();
        let mut bytes = Vec::new();
        input.put(&mut bytes);
        assert_eq!(engine::input::Input::take(&mut Reader::new(&bytes)).unwrap(), input);
    }
}

#[test]
fn data_before_the_type_is_the_same_for_every_type() {
    for (event_type, data, expected) in [facts(), commands()].concat() {
        let word = event_type.word();
        let text = format!(r#"{{"data":{data},"type":"{word}","id":"e1","source":"crm","workspace":"acme"}}"#);
        let input = super::Decoder::new(super::KEY).decode(text.as_bytes()).unwrap();
        assert_eq!(input.body, expected);
    }
}

#[test]
fn what_may_be_absent_has_its_default() {
    let presence = body("agent.presence", json!({ "agent": "anna", "status": "online", "channels": [] }));
    let Body::AgentPresence { by: By::Agent, channels: Some(channels), expires_in_ms: None, supervised, .. } = presence
    else {
        panic!("{presence:?}")
    };
    assert!(channels.is_empty() && !supervised);
    let transfer = body("conversation.transfer", command(json!({ "to": { "queue": "sales" } })));
    let Body::ConversationTransfer { to, warm: false, place_back: false, note: None, wait_ms: None, .. } = transfer
    else {
        panic!("{transfer:?}")
    };
    assert_eq!(to, Target { agent: None, queue: Some(hash(Kind::Queue, &["sales"])), skills: vec![] });
    let to_skills = body("conversation.transfer", command(json!({ "to": { "skills": { "tax": 3 } } })));
    let Body::ConversationTransfer { to, .. } = to_skills else { panic!() };
    assert_eq!(to.skills, skills(&[("tax", 3)]));
    let keep = body("conversation.transfer", command(json!({ "to": { "queue": "sales" }, "place": "keep" })));
    assert!(matches!(keep, Body::ConversationTransfer { place_back: false, .. }));
    assert!(matches!(body("agent.drain", json!({ "agent": "anna" })), Body::AgentDrain { drain: true, .. }));
    assert_eq!(body("source.heartbeat", json!({})), Body::SourceHeartbeat { open_contacts: None });
    let empty = json!({ "open_contacts": [] });
    assert_eq!(body("source.heartbeat", empty), Body::SourceHeartbeat { open_contacts: Some(vec![]) });
    let survey = body("survey.answered", json!({ "conversation": "c7", "score": 0, "max": 1 }));
    assert!(matches!(survey, Body::SurveyAnswered { kind: SurveyKind::Other, score: 0, max: 1, .. }));
    let merge = body("conversation.merge", command(json!({ "other": "c8" })));
    assert!(matches!(merge, Body::ConversationMerge { survivor: None, .. }));
    let update = body("conversation.update", command(json!({})));
    assert!(matches!(update, Body::ConversationUpdate { tier: None, priority: None, skills: None, reason: None, .. }));
    let engaged = body("agent.engaged", json!({ "agent": "anna", "engagement": "m5", "channel": "voice" }));
    assert!(matches!(engaged, Body::AgentEngaged { units: None, .. }));
}

#[test]
fn an_account_owner_is_set_taken_away_or_left() {
    let owner = |change: Option<Value>| {
        let mut data = json!({ "customer": { "id": "cu1" } });
        if let Some(change) = change {
            data["account_owner"] = change;
        }
        match body("customer.updated", data) {
            Body::CustomerUpdated { account_owner, tier: None, blocked: None, .. } => account_owner,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(owner(None), None);
    assert_eq!(owner(Some(Value::Null)), Some(Id::default()));
    assert_eq!(owner(Some(json!("anna"))), Some(agent("anna")));
}

#[test]
fn only_what_a_person_of_ours_writes_to_the_customer_answers() {
    let answers = |kind: &str, message: Value| {
        let data = json!({ "conversation": "c7", "actor": { "kind": kind, "id": "x" }, "message": message });
        match body("message.sent", data) {
            Body::MessageSent { answers, .. } => answers,
            other => panic!("{other:?}"),
        }
    };
    for kind in ["agent", "supervisor"] {
        assert!(answers(kind, json!({ "kind": "text" })) && answers(kind, json!({ "kind": "media" })));
        assert!(answers(kind, json!({})) && answers(kind, Value::Null));
        assert!(answers(kind, json!({ "visibility": "public", "automatic": false })));
        assert!(!answers(kind, json!({ "visibility": "private" })));
        assert!(!answers(kind, json!({ "automatic": true })));
        for machine in ["reaction", "auto_reply", "bounce", "system"] {
            assert!(!answers(kind, json!({ "kind": machine })));
        }
    }
    for kind in ["customer", "bot", "system"] {
        assert!(!answers(kind, json!({ "kind": "text" })));
    }
    let nobody = body("message.sent", json!({ "conversation": "c7" }));
    assert!(matches!(nobody, Body::MessageSent { answers: false, .. }));
}

#[test]
fn an_offer_is_known_by_the_number_that_was_told() {
    let offer = |id: &str| match body("offer.accept", json!({ "agent": "anna", "offer": id })) {
        Body::OfferAccept { offer, .. } => offer,
        other => panic!("{other:?}"),
    };
    assert_eq!([offer("1"), offer("18446744073709551615")], [1, u64::MAX]);
    for none in ["0", "007", "+7", "18446744073709551616", "7.0", "seven", "-7"] {
        assert_eq!(offer(none), 0, "{none}");
    }
}

#[test]
fn every_bound_is_kept_and_named() {
    let long = |len: usize| json!("x".repeat(len));
    let names = |len: usize| -> Value { (0..len).map(|i| json!(format!("n{i}"))).collect::<Vec<_>>().into() };
    let levels = |len: usize| -> Value {
        (0..len).map(|i| (format!("s{i}"), json!(1))).collect::<serde_json::Map<_, _>>().into()
    };
    // (type, member, the least and the greatest value, values beside them)
    let bounds: &[(EventType, &str, [Value; 2], &[Value])] = &[
        (
            EventType::AgentPresence,
            "expires_in_s",
            [json!(1), json!(86_400)],
            &[json!(0), json!(0.999), json!(86_400.001)],
        ),
        (EventType::AgentPresence, "channels", [names(0), names(32)], &[names(33)]),
        (EventType::AgentPresence, "reason", [long(0), long(1_024)], &[long(1_025)]),
        (EventType::AgentEngaged, "units", [json!(1), json!(1_000_000)], &[json!(0), json!(1_000_001), json!(-1)]),
        (EventType::MessageSent, "mentions", [names(0), names(16)], &[names(17)]),
        (EventType::NoteAdd, "mentions", [names(0), names(16)], &[names(17)]),
        (EventType::NoteAdd, "text", [long(1), long(4_096)], &[long(0), long(4_097)]),
        (EventType::ConversationTransfer, "note", [long(1), long(4_096)], &[long(0), long(4_097)]),
        (EventType::ConversationHandoff, "note", [long(1), long(4_096)], &[long(0), long(4_097)]),
        (EventType::ConversationHandoff, "skills", [levels(0), levels(64)], &[levels(65)]),
        (EventType::ConversationTransfer, "wait_s", [json!(1), json!(604_800)], &[json!(0), json!(-1), json!(604_801)]),
        (EventType::ConversationEscalate, "level", [json!(1), json!(9)], &[json!(0), json!(10), json!(257), json!(-1)]),
        (EventType::ConversationUpdate, "priority", [json!(0), json!(9)], &[json!(10), json!(256), json!(-1)]),
        (EventType::ConversationUpdate, "skills", [levels(0), levels(64)], &[levels(65)]),
        (EventType::SurveyAnswered, "score", [json!(0), json!(10)], &[json!(11), json!(1_001), json!(-1)]),
        (EventType::SurveyAnswered, "max", [json!(9), json!(1_000)], &[json!(0), json!(1_001)]),
        (EventType::SourceHeartbeat, "open_contacts", [names(0), names(10_000)], &[names(10_001)]),
        (
            EventType::ConversationSnooze,
            "until",
            [json!("1970-01-01T00:00:00Z"), json!("9999-12-31T23:59:59.999Z")],
            &[json!("tomorrow"), json!(""), json!("1969-12-31T23:59:59Z"), json!("2026-13-01T00:00:00Z")],
        ),
        (EventType::QueueControl, "until", [json!(UNTIL), json!(UNTIL)], &[json!("later")]),
        (
            EventType::CalendarExpand,
            "from",
            [json!("1970-01-01T00:00:00Z"), json!("2026-11-26T00:00:00Z")],
            &[json!("")],
        ),
        (EventType::CalendarExpand, "until", [json!(UNTIL), json!("9999-12-31T23:59:59.999Z")], &[json!("later")]),
        (
            EventType::CalendarExpand,
            "openings",
            [json!([]), json!([[UNTIL, "2099-01-01T00:00:00Z"]])],
            &[json!(vec![[UNTIL, "2099-01-01T00:00:00Z"]; 4_097])],
        ),
    ];
    let all = [facts(), commands()].concat();
    for (event_type, member, inside, outside) in bounds {
        let (_, data, _) = all.iter().find(|(other, _, _)| other == event_type).unwrap();
        let put = |value: &Value| event(event_type.word(), with(data.clone(), &format!("/{member}"), value.clone()));
        for value in inside {
            let decoded = decode(&put(value));
            assert!(decoded.is_ok(), "{event_type:?} {member}: {}", decoded.unwrap_err());
        }
        for value in *outside {
            assert_eq!(refused(&put(value)), (format!("data.{member}"), "out_of_bounds"), "{event_type:?} {value}");
        }
    }
}

#[test]
fn every_id_of_every_type_has_1_to_256_printable_bytes() {
    let fields: &[(EventType, &[&str])] = &[
        (EventType::ContactConnected, &["/conversation", "/agent"]),
        (EventType::AgentPresence, &["/agent", "/session", "/channels/0"]),
        (EventType::AgentEngaged, &["/agent", "/engagement", "/channel"]),
        (EventType::AgentDisengaged, &["/actor/id", "/engagement"]),
        (EventType::SourceHeartbeat, &["/open_contacts/1"]),
        (EventType::CustomerUpdated, &["/customer/id", "/customer/tier", "/account_owner"]),
        (EventType::CustomerLinked, &["/customer/id", "/other"]),
        (EventType::CustomerUnlinked, &["/customer/id", "/other"]),
        (EventType::MessageSent, &["/conversation", "/mentions/2"]),
        (EventType::MessageStatus, &["/channel", "/customer/id"]),
        (EventType::ConversationOpen, &["/conversation", "/channel", "/agent"]),
        (EventType::ConversationHandoff, &["/conversation", "/queue"]),
        (EventType::ConversationTransfer, &["/conversation", "/to/agent", "/fallback"]),
        (EventType::ConversationUpdate, &["/conversation", "/customer/tier"]),
        (EventType::ConversationMerge, &["/conversation", "/other", "/survivor"]),
        (EventType::OfferAccept, &["/actor/id", "/offer"]),
        (EventType::OfferDecline, &["/agent", "/offer"]),
        (EventType::WrapupComplete, &["/conversation", "/actor/id"]),
        (EventType::NoteAdd, &["/conversation", "/mentions/0"]),
        (EventType::AgentRemove, &["/agent", "/successor"]),
        (EventType::AgentDrain, &["/agent"]),
        (EventType::QueueControl, &["/queue"]),
        (EventType::CalendarExpand, &["/calendar"]),
    ];
    let all = [facts(), commands()].concat();
    for (event_type, pointers) in fields {
        let (_, data, _) = all.iter().find(|(other, _, _)| other == event_type).unwrap();
        for pointer in *pointers {
            let field = format!("data{}", dotted(pointer));
            for wrong in ["".to_string(), "x".repeat(257), "a b".into(), "ä".into(), "a\u{7f}".into()] {
                let mut data = data.clone();
                *data.pointer_mut(pointer).unwrap_or_else(|| panic!("{event_type:?} {pointer}")) = json!(wrong);
                assert_refused(event_type.word(), data, &field, "out_of_bounds");
            }
            // A longest id is one; a survivor that is neither of both is another matter.
            if *pointer != "/survivor" && *pointer != "/other" {
                let mut data = data.clone();
                *data.pointer_mut(pointer).unwrap() = json!("x".repeat(256));
                assert!(decode(&event(event_type.word(), data)).is_ok(), "{event_type:?} {pointer}");
            }
        }
    }
}

fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, part| match part.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) => format!("{path}.{part}"),
    })
}

#[test]
fn words_are_those_of_their_lists() {
    let wrong = [
        ("agent.presence", json!({ "agent": "a", "status": "not_responding" }), "data.status"),
        ("message.status", json!({ "conversation": "c", "status": "sent" }), "data.status"),
        (
            "message.sent",
            json!({ "conversation": "c", "message": { "visibility": "secret" } }),
            "data.message.visibility",
        ),
        ("message.sent", json!({ "conversation": "c", "message": { "kind": "poke" } }), "data.message.kind"),
        ("survey.answered", json!({ "conversation": "c", "kind": "stars", "score": 1, "max": 5 }), "data.kind"),
        ("queue.control", json!({ "queue": "q", "state": "shut" }), "data.state"),
        ("conversation.transfer", command(json!({ "to": { "queue": "q" }, "place": "front" })), "data.place"),
        ("conversation.merge", command(json!({ "other": "c8", "survivor": "c9" })), "data.survivor"),
        ("contact.ended", json!({ "conversation": "c", "by": "device" }), "data.by"),
    ];
    for (event_type, data, field) in wrong {
        assert_refused(event_type, data, field, "unknown_value");
    }
}

#[test]
fn a_transfer_has_one_target() {
    let to = |to: Value| command(json!({ "to": to }));
    assert_refused("conversation.transfer", command(json!({})), "data.to", "missing");
    assert_refused("conversation.transfer", to(json!({})), "data.to", "missing");
    assert_refused("conversation.transfer", to(json!({ "agent": null })), "data.to", "missing");
    for two in [json!({ "agent": "a", "queue": "q" }), json!({ "queue": "q", "skills": { "tax": 1 } })] {
        assert_refused("conversation.transfer", to(two), "data.to", "out_of_bounds");
    }
    assert_refused("conversation.transfer", to(json!({ "skills": {} })), "data.to.skills", "out_of_bounds");
    assert_refused(
        "conversation.transfer",
        to(json!({ "skills": { "tax": 11 } })),
        "data.to.skills.tax",
        "out_of_bounds",
    );
    assert_refused("conversation.transfer", to(json!({ "agent": 5 })), "data.to.agent", "wrong_type");
    assert_refused("conversation.transfer", to(json!("sales")), "data.to", "wrong_type");
}

#[test]
fn what_a_command_would_need_and_is_not_built_is_unsupported() {
    let what = |event_type: &str, more: Value| match body(event_type, command(more)) {
        Body::Unsupported { what } => what.into_string(),
        other => panic!("{other:?}"),
    };
    for (member, value) in [("warm", json!(true)), ("wait_s", json!(60)), ("fallback", json!("rest"))] {
        for target in [json!({ "queue": "sales" }), json!({ "skills": { "tax": 1 } })] {
            assert_eq!(what("conversation.transfer", json!({ "to": target, member: value.clone() })), member);
        }
    }
    let cold = body("conversation.transfer", command(json!({ "to": { "queue": "sales" }, "warm": false })));
    assert!(matches!(cold, Body::ConversationTransfer { warm: false, .. }));
    assert_eq!(what("conversation.update", json!({ "attributes": { "a": 1 } })), "attributes");
    assert_eq!(what("conversation.transfer", json!({ "to": { "queue": "q" }, "skills": {} })), "skills");
    assert_eq!(what("conversation.merge", json!({ "other": "c8", "expected_epoch": 1 })), "expected_epoch");
    assert_eq!(what("conversation.resolve", json!({ "wrap_up": { "mode": "none" } })), "wrap_up");
    assert_eq!(what("conversation.claim", json!({ "note": ["x"] })), "note");
    assert_eq!(what("conversation.open", json!({ "channel": "voice", "priority": 5 })), "priority");
}

#[test]
fn events_about_a_conversation_name_it_or_who_is_in_it() {
    for event_type in ["contact.connected", "message.status", "message.edited", "message.deleted", "survey.answered"] {
        let data = json!({ "agent": "a", "status": "read", "score": 1, "max": 5, "channel": "sms" });
        assert_refused(event_type, data.clone(), "data.conversation", "missing");
        let named = decode(&event(event_type, with(data, "/thread", json!("t")))).unwrap();
        let (Body::ContactConnected { identity, .. }
        | Body::MessageStatus { identity, .. }
        | Body::SurveyAnswered { identity, .. }) = named.body
        else {
            panic!("{:?}", named.body)
        };
        assert_eq!(identity, Some(hash(Kind::Thread, &["sms", "", "t"])));
    }
}

#[test]
fn the_agent_is_named_or_is_who_sent_it() {
    let cases = [
        ("contact.connected", json!({ "conversation": "c7" })),
        ("agent.engaged", json!({ "engagement": "m", "channel": "voice" })),
        ("agent.disengaged", json!({ "engagement": "m" })),
        ("conversation.open", json!({ "channel": "voice" })),
        ("conversation.claim", json!({ "conversation": "c7" })),
        ("offer.accept", json!({ "offer": "1" })),
        ("offer.decline", json!({ "offer": "1" })),
        ("wrapup.complete", json!({ "conversation": "c7" })),
    ];
    for (event_type, data) in cases {
        assert_refused(event_type, data.clone(), "data.agent", "missing");
        let by_supervisor = with(data.clone(), "/actor", json!({ "kind": "supervisor", "id": "sam" }));
        assert_refused(event_type, by_supervisor, "data.agent", "missing");
        let by_agent = with(data.clone(), "/actor", json!({ "kind": "agent", "id": "anna" }));
        let named = with(data, "/agent", json!("anna"));
        assert_eq!(body(event_type, by_agent), body(event_type, named), "{event_type}");
    }
    // Whoever removes or drains an agent says which.
    for event_type in ["agent.remove", "agent.drain", "conversation.assign"] {
        let data = json!({ "conversation": "c7", "actor": { "kind": "agent", "id": "anna" } });
        assert_refused(event_type, data, "data.agent", "missing");
    }
}

#[test]
fn a_member_that_stands_twice_is_refused_where_it_is_read() {
    let text = event("conversation.snooze", command(json!({ "until": UNTIL, "extra": 1 }))).to_string();
    let twice = |found: &str, put: &str| text.replacen(found, &format!("{put},{found}"), 1);
    let until = twice("\"until\":", "\"until\":\"x\"");
    super::assert_text_refused(&until, "data.until", "repeated_key");
    for ignored in [twice("\"extra\":", "\"extra\":2"), twice("\"extra\":", "\"thread\":1,\"thread\":2")] {
        assert!(super::Decoder::new(super::KEY).decode(ignored.as_bytes()).is_ok(), "{ignored}");
    }
}

/// Events whose mangled bytes the property tests read.
pub(super) fn all_texts() -> Vec<String> {
    [facts(), commands()]
        .concat()
        .into_iter()
        .map(|(event_type, data, _)| event(event_type.word(), data).to_string())
        .collect()
}
