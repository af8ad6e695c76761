//! Bad input on Kafka: one dead letter each, with the original bytes, in order, and the stream of events goes on.

use crate::node::{SHARDS, event, event_in, kafka_or_skip};
use crate::on_kafka::OnKafka;
use connectors::codec::partition;
use serde_json::json;

fn contact(id: &str) -> Vec<u8> {
    event(id, "contact.started", json!({"channel": "voice", "conversation": id})).to_string().into_bytes()
}

/// A workspace that does not exist and would live on the same partition: an event that stands on another one is forwarded.
fn neighbour(on: &OnKafka) -> String {
    let mut names = (0..).map(|n| format!("elsewhere-{n}"));
    names.find(|name| partition(name, SHARDS) == on.shard).expect("one in four")
}

#[test]
fn what_cannot_be_read_is_one_dead_letter_with_its_bytes_and_reason() {
    let Some(bootstrap) = kafka_or_skip("dead letters on Kafka") else { return };
    let on = OnKafka::start("dead-letters", &bootstrap);
    let mut not_utf8 = contact("x");
    let at = not_utf8.len() / 2;
    not_utf8[at] = 0xFF;
    let truncated = contact("x")[..40].to_vec();
    let deep = [b"{\"ignored\":".to_vec(), vec![b'['; 10_000]].concat();
    let unknown_type = event("x", "no.such", json!({})).to_string().into_bytes();
    let elsewhere =
        event_in(&neighbour(&on), "x", "contact.started", json!({"channel": "voice"})).to_string().into_bytes();
    let large = event("x", "contact.started", json!({"channel": "voice", "ignored": "x".repeat(300 * 1024)}));
    let large = large.to_string().into_bytes();
    let bad = [
        (truncated, "not_json"),
        (not_utf8, "not_utf8"),
        (deep, "too_deep"),
        (unknown_type, "unknown_type"),
        (large, "too_large"),
        (elsewhere, "unknown_workspace"),
    ];
    for (bytes, _) in &bad {
        on.append(&on.config.topics.events, b"acme", bytes);
    }
    on.append(&on.config.topics.events, b"acme", &contact("after"));

    let letters = on.read(&on.config.topics.dead_letters, bad.len());
    for (letter, (bytes, reason)) in letters.iter().zip(&bad) {
        assert_eq!(&letter.payload, bytes, "{reason}");
        let said = letter.headers.iter().find(|(name, _)| name == "reason").map(|(_, value)| value.as_str());
        assert_eq!(said, Some(*reason));
        assert!(letter.key.starts_with(&format!("{}:", on.shard)), "{letter:?}");
    }
    // The event behind them was decided: the same over HTTP is a duplicate.
    let again = event("after", "contact.started", json!({"channel": "voice", "conversation": "after"}));
    assert_eq!(on.node.settle(&again)["duplicate"], true);
    // Nothing went out twice: the next bad one is the next letter.
    on.append(&on.config.topics.events, b"acme", b"one more");
    assert_eq!(on.read(&on.config.topics.dead_letters, bad.len() + 1)[bad.len()].payload, b"one more");
}

#[test]
fn over_http_an_unknown_workspace_is_404_on_kafka_too_and_counts_later() {
    let Some(bootstrap) = kafka_or_skip("an unknown workspace on Kafka") else { return };
    let on = OnKafka::start("unknown-workspace", &bootstrap);
    let early = event_in("later", "early", "contact.started", json!({"channel": "voice", "conversation": "c1"}));
    assert_eq!(on.node.send(&early).status, 404);
    let policy = json!({"version": 1, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
    on.node.settle(&event_in("later", "policy", "workspace.configure", policy));
    let outcome = on.node.settle(&early);
    assert_eq!(outcome["outcome"], "decided");
    assert!(outcome.get("duplicate").is_none(), "{outcome}");
}
