//! Events that stand on another workspace's partition: they are forwarded to their own and decided once, also when the
//! process is told to stop in the middle of them.

use crate::node::{SHARDS, event, kafka_or_skip};
use crate::on_kafka::OnKafka;
use serde_json::json;
use std::time::{Duration, Instant};

const EVENTS: usize = 600;
const WITHIN: Duration = Duration::from_secs(60);

fn contact(n: usize) -> serde_json::Value {
    let id = format!("astray-{n}");
    event(&id, "contact.started", json!({"channel": "voice", "conversation": id}))
}

#[test]
fn a_stop_in_the_middle_of_forwarding_loses_nothing() {
    let Some(bootstrap) = kafka_or_skip("a stop while events are forwarded") else { return };
    let mut on = OnKafka::start("forwarding", &bootstrap);
    let wrong = (on.shard + 1) % SHARDS;
    let events: Vec<Vec<u8>> = (0..EVENTS).map(|n| contact(n).to_string().into_bytes()).collect();
    on.append_all(&on.config.topics.events, wrong, b"acme", &events);
    assert!(on.node.terminate().success(), "{}", on.node.log());
    on.node.start();
    // They are forwarded in their order, so the last one is decided last.
    let last = format!("/v1/workspaces/acme/conversations/astray-{}", EVENTS - 1);
    let deadline = Instant::now() + WITHIN;
    while on.node.get(&last).status != 200 {
        assert!(Instant::now() < deadline, "the last event was not decided:\n{}", on.node.log());
        std::thread::sleep(Duration::from_millis(50)); // nothing tells a client that a conversation has come
    }
    let lost: Vec<usize> = (0..EVENTS).filter(|n| on.node.settle(&contact(*n))["duplicate"] != true).collect();
    assert_eq!(lost, Vec::<usize>::new(), "these were taken from the wrong partition and never decided");
}
