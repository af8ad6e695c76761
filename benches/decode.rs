//! Stage "record -> event": the decoder against the same work done over `serde_json::Value` (target T5: at most half).
//!
//! Both make the same `Input`, with the same hashes and owned ids, from the same bytes. The one over `Value` is the way a
//! plain service does it; it checks less (no nesting, no repeated keys), which is in its favour. The result that counts is
//! the ratio of the two lines of one run. `parse_only` says how much of the second is the parsing.

use connectors::codec::{Decoder, parse_timestamp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::id::{HashKey, Id, Kind};
use engine::input::{Actor, ActorKind, Body, Contact, EventType, Input, RequiredSkill};
use serde_json::Value;
use std::hint::black_box;

const KEY: HashKey = HashKey(0x0123_4567_89ab_cdef_0011_2233_4455_6677);

/// A chat message of 612 bytes with a few members that nobody reads, as platforms send them.
const MESSAGE: &str = r#"{"specversion":"1.0","id":"evt-000000017","source":"chat/eu-1","type":"message.received","time":"2026-11-26T08:15:42.123Z","workspace":"acme","datacontenttype":"application/json","data":{"actor":{"kind":"customer","id":"cu-83a91f"},"customer":{"id":"cu-83a91f","tier":"vip","language":"de","segments":["a","b"]},"channel":"chat","entry":"widget-7","thread":"th-99812","message":{"id":"m-17","kind":"text","visibility":"public","length":143,"attachments":[{"ref":"x","media_type":"image/png","bytes":48211}]},"attributes":{"product":"loan","amount":25000,"returning":true},"skills":{"german":5,"loans":3}}}"#;
const CLAIM: &str = r#"{"specversion":"1.0","id":"evt-000000018","source":"desktop","type":"conversation.claim","time":"2026-11-26T08:15:43.000Z","workspace":"acme","data":{"actor":{"kind":"agent","id":"anna"},"conversation":"chat/eu-1/evt-000000017","expected_epoch":0}}"#;

fn decode(criterion: &mut Criterion) {
    let decoder = Decoder::new(KEY);
    for (name, event) in [("message", MESSAGE), ("claim", CLAIM)] {
        assert_eq!(decoder.decode(event.as_bytes()).ok(), over_value(event.as_bytes()), "both do the same work");
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        group.throughput(Throughput::Bytes(event.len() as u64));
        group.bench_function("projection", |bench| bench.iter(|| decoder.decode(black_box(event.as_bytes()))));
        group.bench_function("over_value", |bench| bench.iter(|| over_value(black_box(event.as_bytes()))));
        group.bench_function("over_value_parse_only", |bench| {
            bench.iter(|| serde_json::from_slice::<Value>(black_box(event.as_bytes())));
        });
        group.finish();
    }
}

/// What a service does that parses into `Value` and picks.
fn over_value(bytes: &[u8]) -> Option<Input> {
    let event: Value = serde_json::from_slice(bytes).ok()?;
    let workspace = event["workspace"].as_str()?;
    let (id, source) = (event["id"].as_str()?, event["source"].as_str()?);
    let data = &event["data"];
    let event_type = EventType::from_word(event["type"].as_str()?)?;
    let kind = ActorKind::from_word(data["actor"]["kind"].as_str()?)?;
    let of = if kind == ActorKind::Agent { Kind::Agent } else { Kind::Customer };
    let actor = Actor { kind, id: KEY.id(of, workspace, data["actor"]["id"].as_str()?) };
    let body = match event_type {
        EventType::MessageReceived => Body::MessageReceived {
            contact: contact(data, workspace, source, id)?,
            opens: data["message"]["kind"] == "text" && data["message"]["automatic"] != true,
        },
        EventType::ConversationClaim => Body::ConversationClaim {
            conversation: KEY.id(Kind::Conversation, workspace, data["conversation"].as_str()?),
            agent: actor.id.clone(),
            expected_epoch: data["expected_epoch"].as_u64(),
        },
        _ => return None,
    };
    Some(Input {
        id: id.into(),
        source: source.into(),
        key: KEY.hash(Kind::Event, workspace, &[source, id]),
        source_hash: KEY.hash(Kind::Source, workspace, &[source]),
        workspace: KEY.id(Kind::Workspace, "", workspace),
        event_type,
        time: event["time"].as_str().and_then(parse_timestamp),
        traceparent: event["traceparent"].as_str().map(Into::into),
        actor: Some(actor),
        body,
    })
}

fn contact(data: &Value, workspace: &str, source: &str, id: &str) -> Option<Contact> {
    let (channel, entry) = (data["channel"].as_str()?, data["entry"].as_str()?);
    let customer = &data["customer"];
    let attributes = data["attributes"].as_object()?.iter().map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        KEY.hash(Kind::Attribute, workspace, &[key, &text])
    });
    let mut skills = Vec::new();
    for (name, level) in data["skills"].as_object()? {
        skills.push(RequiredSkill { skill: KEY.id(Kind::Skill, workspace, name), level: level.as_u64()? as u8 });
    }
    skills.sort_unstable();
    let hash = |kind, text: &Value| text.as_str().map(|text| KEY.hash(kind, workspace, &[text]));
    Some(Contact {
        conversation: data["conversation"].as_str().map(|id| KEY.id(Kind::Conversation, workspace, id)),
        new_conversation: KEY.id(Kind::Conversation, workspace, &format!("{source}/{id}")),
        identity: data["thread"].as_str().map(|thread| KEY.hash(Kind::Thread, workspace, &[channel, entry, thread])),
        threaded: data["thread"].is_string(),
        customer: customer["id"].as_str().map(|id| KEY.id(Kind::Customer, workspace, id)),
        tier: hash(Kind::Tier, &customer["tier"]),
        language: hash(Kind::Language, &customer["language"]),
        channel: KEY.id(Kind::Channel, workspace, channel),
        entry: if entry.is_empty() { Id::default() } else { KEY.id(Kind::Entry, workspace, entry) },
        attributes: {
            let mut hashes: Vec<u128> = attributes.collect();
            hashes.sort_unstable();
            hashes
        },
        skills,
    })
}

criterion_group!(benches, decode);
criterion_main!(benches);
