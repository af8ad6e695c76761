//! Every row of the table "Answers" of wire.md, asked of a running `serve`: the documented answer, nothing lost, nothing
//! recorded that should not be.

use crate::node::{Answer, Node, configure, event, event_in};
use serde_json::{Value, json};

const EVENT_BYTES_MAX: usize = 256 * 1024;
const CONFIGURE_BYTES_MAX: usize = 1024 * 1024;
const DEPTH_MAX: usize = 64;

fn contact(id: &str) -> Value {
    event(id, "contact.started", json!({"channel": "voice", "conversation": id, "customer": {"id": "cu-1"}}))
}

fn position(outcome: &Value) -> (u64, u64, u64) {
    let at = |name: &str| outcome["position"][name].as_u64().unwrap_or_else(|| panic!("no position in {outcome}"));
    (at("shard"), at("seq"), at("idx"))
}

fn structured(node: &Node, body: &[u8]) -> Answer {
    node.post("application/cloudevents+json", body)
}

/// Refused with problem+json that names the field and the reason.
fn assert_problem(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.content_type.starts_with("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["reason"], reason, "{problem}");
    assert!(problem["field"].is_string(), "{problem}");
}

/// An event with `text` put in place of its data's last brace.
fn with_raw_data(id: &str, raw: &str) -> String {
    let text = contact(id).to_string();
    text.replacen("\"channel\":", &format!("{raw},\"channel\":"), 1)
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn what_is_not_an_event_is_refused_with_field_and_reason_and_leaves_nothing() {
    let node = Node::embedded("refused");
    configure(&node);
    let (shard, seq, _) = position(&node.settle(&contact("before")));

    let good = contact("x").to_string();
    assert_problem(&structured(&node, &good.as_bytes()[..good.len() / 2]), 400, "not_json");
    assert_problem(&structured(&node, b""), 400, "not_json");
    let mut broken = good.clone().into_bytes();
    let at = good.find("cu-1").expect("the customer's id");
    broken[at] = 0xFF;
    assert_problem(&structured(&node, &broken), 400, "not_utf8");

    let refused = |path: &[&str], value: Value, reason: &str| {
        let mut event = contact("x");
        let mut place = &mut event;
        for name in path {
            place = &mut place[*name];
        }
        *place = value;
        assert_problem(&structured(&node, event.to_string().as_bytes()), 400, reason);
    };
    refused(&["id"], json!(7), "wrong_type");
    refused(&["data"], json!("text"), "wrong_type");
    refused(&["data", "channel"], json!(["voice"]), "wrong_type");
    refused(&["type"], json!("conversation.explode"), "unknown_type");
    refused(&["id"], json!("x".repeat(257)), "out_of_bounds");
    refused(&["id"], json!(""), "out_of_bounds");
    refused(&["workspace"], json!("two words"), "out_of_bounds");
    refused(&["data", "conversation"], json!("ü"), "out_of_bounds");
    refused(&["data", "skills"], json!({"german": 11}), "out_of_bounds");

    let mut nameless = contact("x");
    nameless.as_object_mut().expect("an object").remove("id");
    assert_problem(&structured(&node, nameless.to_string().as_bytes()), 400, "missing");

    assert_problem(&structured(&node, with_raw_data("x", "\"channel\":\"chat\"").as_bytes()), 400, "repeated_key");
    let deep = |depth| with_raw_data("x", &format!("\"ignored\":{}", nested(depth)));
    assert_problem(&structured(&node, deep(10_000).as_bytes()), 400, "too_deep");
    assert_problem(&structured(&node, deep(DEPTH_MAX).as_bytes()), 400, "too_deep");
    let large = with_raw_data("x", &format!("\"ignored\":\"{}\"", "x".repeat(EVENT_BYTES_MAX)));
    assert_problem(&structured(&node, large.as_bytes()), 413, "too_large");
    let policy = json!({"version": 2, "queue": [{"name": "x".repeat(CONFIGURE_BYTES_MAX)}]});
    assert_problem(&node.send(&event("large", "workspace.configure", policy)), 413, "too_large");

    // Nothing was recorded by any of these: the next event's record is the next, and `x` is still new.
    let outcome = node.settle(&contact("x"));
    assert_eq!(position(&outcome), (shard, seq + 1, 0));
    assert_eq!(outcome["outcome"], "decided");
    assert!(outcome.get("duplicate").is_none(), "{outcome}");
}

#[test]
fn what_is_ignored_may_be_deep_and_repeated_within_bounds() {
    let node = Node::embedded("ignored-fields");
    configure(&node);
    // The event's own object and `data` are two levels.
    let deep = with_raw_data("deep", &format!("\"ignored\":{}", nested(DEPTH_MAX - 2)));
    assert_eq!(structured(&node, deep.as_bytes()).status, 200);
    let repeated = with_raw_data("repeated", "\"ignored\":1,\"ignored\":2");
    assert_eq!(structured(&node, repeated.as_bytes()).status, 200);
}

#[test]
fn an_unknown_workspace_is_404_and_the_event_counts_when_it_exists() {
    let node = Node::embedded("unknown-workspace");
    let early = contact("early");
    let answer = node.send(&early);
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.content_type.starts_with("application/problem+json"), "{answer:?}");
    configure(&node);
    let outcome = node.settle(&early);
    assert_eq!(outcome["outcome"], "decided");
    assert!(outcome.get("duplicate").is_none(), "{outcome}");
    assert_eq!(node.send(&event_in("elsewhere", "e", "contact.started", json!({"channel": "voice"}))).status, 404);
}

#[test]
fn what_is_not_allowed_is_answered_with_its_code() {
    let node = Node::embedded("not-allowed");
    configure(&node);
    node.settle(&contact("c1"));
    let outcome = |id: &str, event_type: &str, data: Value| {
        let outcome = node.settle(&event(id, event_type, data));
        (outcome["outcome"].as_str().unwrap_or("").to_string(), outcome["code"].as_str().unwrap_or("").to_string())
    };
    let is = |outcome: &str, code: &str| (outcome.to_string(), code.to_string());
    // Commands are rejected, facts are recorded and ignored.
    let claim = |agent: &str, conversation: &str| json!({"conversation": conversation, "agent": agent});
    assert_eq!(outcome("1", "conversation.claim", claim("nobody", "c1")), is("rejected", "unknown_agent"));
    assert_eq!(outcome("2", "conversation.claim", claim("ada", "none")), is("rejected", "unknown_conversation"));
    assert_eq!(outcome("3", "conversation.claim", claim("ada", "c1")), is("rejected", "not_routable"));
    let presence = json!({"agent": "nobody", "status": "online"});
    assert_eq!(outcome("4", "agent.presence", presence), is("ignored", "unknown_agent"));
    assert_eq!(outcome("5", "contact.ended", json!({"conversation": "none"})), is("ignored", "unknown_conversation"));
    assert_eq!(
        outcome("6", "conversation.resolve", json!({"conversation": "none"})),
        is("rejected", "unknown_conversation")
    );
    let stale = json!({"conversation": "c1", "expected_epoch": 99});
    assert_eq!(outcome("7", "conversation.resolve", stale), is("rejected", "stale_epoch"));
    let unknown_channel = json!({"channel": "pigeon", "customer": {"id": "cu-2"}});
    assert_eq!(outcome("8", "contact.started", unknown_channel), is("ignored", "unknown_channel"));
    // Known and not built: never silently taken.
    assert_eq!(outcome("9", "customer.erased", json!({"customer": {"id": "cu-1"}})), is("ignored", "unsupported"));
    assert_eq!(outcome("10", "callback.request", json!({"conversation": "c1"})), is("rejected", "unsupported"));
    let warm = json!({"conversation": "c1", "to": {"queue": "all"}, "warm": true});
    assert_eq!(outcome("11", "conversation.transfer", warm), is("rejected", "unsupported"));
    let grouped = json!({"version": 2, "queue": [{"name": "all", "groups": ["north"]}], "rule": [{"queue": "all"}]});
    assert_eq!(outcome("12", "workspace.configure", grouped), is("rejected", "unsupported"));
    let hours = json!({"version": 2, "queue": [{"name": "all", "calendar": "office"}], "rule": [{"queue": "all"}]});
    assert_eq!(outcome("12b", "workspace.configure", hours), is("rejected", "invalid_policy"));
    let dangling = json!({"version": 2, "queue": [{"name": "all"}], "rule": [{"queue": "none"}]});
    assert_eq!(outcome("13", "workspace.configure", dangling), is("rejected", "invalid_policy"));
    let below = json!({"version": 0, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
    assert_eq!(outcome("14", "workspace.configure", below).0, "rejected");
}

#[test]
fn the_same_event_again_is_answered_as_the_first_time_and_changes_nothing() {
    let node = Node::embedded("again");
    configure(&node);
    let first = node.settle(&contact("c1"));
    let refused = event("r1", "conversation.resolve", json!({"conversation": "none"}));
    let refusal = node.settle(&refused);
    for (sent, answered) in [(contact("c1"), &first), (refused, &refusal)] {
        let mut again = node.settle(&sent);
        assert_eq!(again["duplicate"], true, "{again}");
        again.as_object_mut().expect("an object").remove("duplicate");
        assert_eq!(&again, answered);
    }
    // Same key, other content: the first counts.
    let mut other = contact("c1");
    other["data"]["conversation"] = json!("another");
    assert_eq!(node.settle(&other)["duplicate"], true);
    let path = "/v1/workspaces/acme/conversations/another";
    assert_eq!(node.get(path).status, 404);
}

#[test]
fn events_out_of_order_are_each_answered_on_the_state_they_meet() {
    let node = Node::embedded("out-of-order");
    configure(&node);
    let end = |id: &str| event(id, "contact.ended", json!({"conversation": "c1"}));
    assert_eq!(node.settle(&end("end-1"))["code"], "unknown_conversation");
    assert_eq!(node.settle(&contact("c1"))["outcome"], "decided");
    assert_eq!(node.settle(&end("end-2"))["outcome"], "decided");
}

#[test]
fn a_batch_is_answered_event_by_event_in_order() {
    let node = Node::embedded("batch");
    configure(&node);
    let bad = json!({"specversion": "1.0", "id": "bad", "source": "test", "type": "no.such", "workspace": "acme"});
    let elsewhere = event_in("elsewhere", "e", "contact.started", json!({"channel": "voice"}));
    let events = [contact("b1"), bad, contact("b1"), elsewhere, contact("b2")];
    let array = node.post("application/cloudevents-batch+json", json!(events).to_string().as_bytes());
    assert_eq!(array.status, 200, "{array:?}");
    assert_answers(array.json().as_array().expect("an array"), false);
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let lines = node.post("application/x-ndjson", lines.as_bytes());
    assert_eq!(lines.status, 200, "{lines:?}");
    let answers: Vec<Value> =
        lines.text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_answers(&answers, true);
}

fn assert_answers(answers: &[Value], all_seen: bool) {
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(answers[0]["outcome"], "decided");
    assert_eq!(answers[0].get("duplicate").is_some(), all_seen);
    assert_eq!((&answers[1]["status"], &answers[1]["reason"]), (&json!(400), &json!("unknown_type")));
    assert_eq!(answers[2]["duplicate"], true);
    assert_eq!(answers[2]["position"], answers[0]["position"]);
    assert_eq!(answers[3]["status"], 404);
    assert_eq!(answers[4]["outcome"], "decided");
}
