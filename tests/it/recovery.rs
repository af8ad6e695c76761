//! What a node is after kill -9: the state that its recorded effects make, whatever else has changed around it.
//!
//! The journal is read here with the same fold as in the node, after the node is dead or (on Kafka) beside it. The engine
//! is never asked: a node that recovers compares the digest of every record itself and halts where one differs.

use crate::node::{JournalAt, Node, SHARDS, event, kafka_or_skip};
use crate::on_kafka::OnKafka;
use connectors::codec::{self, partition};
use connectors::journal::record::{self, Claim, Header, Kind};
use connectors::journal::{Fold, Journal, Verdict};
use connectors::kafka::KafkaJournal;
use connectors::sqlite::SqliteStore;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(60);

const WORKSPACE: &str = r#"
workspace = "acme"
version = 1

[[queue]]
name = "all"
strategy = "longest_idle"

[[rule]]
queue = "all"

[[agent]]
id = "ada"
units = 3

[[agent]]
id = "bob"
units = 1
"#;

/// A shard's log as a reader sees it: the fold at its end, the last accepted batch, and what each record was.
#[derive(Default)]
struct Log {
    fold: Fold,
    last_batch: Option<Header>,
    verdicts: Vec<(Kind, Verdict)>,
}

fn read_log(journal: &mut dyn Journal, shard: u16) -> Log {
    let mut log = Log { fold: Fold::new(shard), ..Log::default() };
    let read = journal.read(shard, 0, &mut |offset, bytes| {
        let (verdict, record) = log.fold.read(offset, bytes)?;
        log.verdicts.push((record.header.kind, verdict));
        if verdict == Verdict::Accepted && record.header.kind == Kind::Batch {
            log.last_batch = Some(record.header);
        }
        Ok(())
    });
    read.expect("the journal can be read");
    log
}

fn read_embedded(node: &Node, shard: u16) -> Log {
    let store = SqliteStore::open(&node.folder.file("journal.db"), SHARDS).expect("nobody else has the file");
    let mut journal = store.reader().expect("a reader");
    read_log(&mut journal, shard)
}

fn contact(id: &str) -> Value {
    event(id, "contact.started", json!({"channel": "chat", "conversation": id, "customer": {"id": format!("cu-{id}")}}))
}

/// A day's beginning: agents, conversations assigned and waiting, one resolved, one refused command.
fn some_history(node: &Node) {
    settle_when_configured(node, &event("p1", "agent.presence", json!({"agent": "ada", "status": "online"})));
    node.settle(&event("p2", "agent.presence", json!({"agent": "bob", "status": "online"})));
    for n in 0..7 {
        node.settle(&contact(&format!("c{n}")));
    }
    node.settle(&event("r1", "conversation.resolve", json!({"conversation": "c0"})));
    node.settle(&event("r2", "conversation.resolve", json!({"conversation": "none"})));
    node.settle(&event("p3", "agent.presence", json!({"agent": "bob", "status": "away"})));
}

/// The workspace file is offered after the start: until it is recorded, the workspace is unknown (404).
fn settle_when_configured(node: &Node, event: &Value) {
    let deadline = Instant::now() + WITHIN;
    loop {
        let answer = node.send(event);
        let known = answer.status == 200 && answer.json()["code"] != "unknown_agent";
        if known {
            return;
        }
        assert!(Instant::now() < deadline, "the workspace file was not offered: {answer:?}\n{}", node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn views(node: &Node) -> Vec<Value> {
    let paths = ["agents", "queues", "conversations/c1", "conversations/c6"];
    paths.iter().map(|path| without_moments(node.get(&format!("/v1/workspaces/acme/{path}")).json())).collect()
}

/// A view without what depends on the moment of asking or counts since the start of the process.
fn without_moments(mut view: Value) -> Value {
    match &mut view {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !matches!(
                    name.as_str(),
                    "waited_ms" | "oldest_wait_ms" | "since_start" | "report" | "reports" | "wall_ms" | "business_ms"
                )
            });
            fields.values_mut().for_each(|field| *field = without_moments(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_moments(item.take())),
        _ => {}
    }
    view
}

#[test]
fn recovery_opens_no_workspace_file_and_comes_to_the_same_state() {
    let mut node = Node::prepared("no-file", &JournalAt::Embedded, Some(WORKSPACE));
    node.start();
    some_history(&node);
    let before = views(&node);
    node.kill();
    let shard = partition("acme", SHARDS);
    let log = read_embedded(&node, shard);
    let digest = log.last_batch.as_ref().expect("a batch").digest;

    fs::rename(node.folder.file("workspace.toml"), node.folder.file("moved-away.toml")).expect("the file was there");
    node.start();
    // The node compared each record's digest with its own; what it shows is what it showed.
    assert_eq!(views(&node), before);
    // An answered event again: the memory came back too, and a duplicate is all that it records.
    assert_eq!(node.settle(&contact("c3"))["duplicate"], true);
    node.kill();
    let after = read_embedded(&node, shard);
    assert_eq!(after.fold.seq, log.fold.seq + 1, "only the duplicate was recorded since");
    assert_eq!(after.last_batch.expect("a batch").digest, digest, "a duplicate changes nothing of the state");
}

#[test]
fn a_node_that_is_killed_while_it_recovers_recovers_again() {
    let mut node = Node::embedded("again-and-again");
    crate::node::configure(&node);
    let first = node.settle(&contact("c1"));
    for _ in 0..3 {
        node.kill();
        node.start();
    }
    let again = node.settle(&contact("c1"));
    assert_eq!((&again["position"], &again["duplicate"]), (&first["position"], &json!(true)));
    let claims = {
        node.kill();
        read_embedded(&node, partition("acme", SHARDS)).fold.term
    };
    assert_eq!(claims, 4, "each start claims once");
}

/// Offers of three seconds, and leases that have a second's grace.
const OF_SECONDS: &str = r#"
workspace = "acme"
version = 1
lease_grace_s = 1

[[queue]]
name = "all"
accept_s = 3

[[rule]]
queue = "all"

[[agent]]
id = "ada"

[[agent]]
id = "bob"
"#;

/// What shard `acme` is on has told so far, once it is enough.
fn await_decisions(node: &Node, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + WITHIN;
    let path = format!("/v1/decisions?shard={}&follow=false", partition("acme", SHARDS));
    loop {
        let text = node.get(&path).text;
        let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a decision")).collect();
        if enough(&told) {
            return told;
        }
        assert!(Instant::now() < deadline, "it was not told: {told:#?}\n{}", node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Times of the decisions of that type and reason, ms UTC.
fn times(told: &[Value], decision_type: &str, reason: &str) -> Vec<u64> {
    let is_one =
        |told: &&Value| told["type"] == format!("strowger.{decision_type}") && told["data"]["reason"] == reason;
    told.iter().filter(is_one).map(|told| moment(&told["time"])).collect()
}

fn moment(timestamp: &Value) -> u64 {
    codec::parse_timestamp(timestamp.as_str().expect("a text")).expect("a timestamp")
}

fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_millis() as u64
}

/// Nothing happens at that time but that it has come.
fn pass(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms.saturating_sub(wall_ms()) + 1));
}

fn end_of_offer(told: &[Value]) -> u64 {
    let offered = told.iter().find(|told| told["type"] == "strowger.conversation.offered").expect("an offer");
    moment(&offered["data"]["until"])
}

#[test]
fn a_timer_due_while_the_node_was_dead_fires_once_right_after_the_restart_and_a_lease_after_its_grace() {
    let mut node = Node::prepared("timers", &JournalAt::Embedded, Some(OF_SECONDS));
    node.start();
    settle_when_configured(&node, &event("p1", "agent.presence", json!({"agent": "ada", "status": "online"})));
    // Alive, and takes nothing: the offer is ada's.
    let lease = json!({"agent": "bob", "status": "pending_away", "expires_in_s": 4});
    node.settle(&event("p2", "agent.presence", lease));
    node.settle(&contact("c1"));
    let told = await_decisions(&node, |_| true);
    node.kill();
    assert_eq!(times(&told, "offer.withdrawn", "expired"), [0; 0]);
    pass(end_of_offer(&told) + 1_500);
    let back = wall_ms();
    node.start();
    let told = await_decisions(&node, |told| !times(told, "agent.changed", "lease_expired").is_empty());
    let (expired, lease) = (times(&told, "offer.withdrawn", "expired"), times(&told, "agent.changed", "lease_expired"));
    assert_eq!((expired.len(), lease.len()), (1, 1));
    assert!(back <= expired[0] && expired[0] < lease[0], "{expired:?} {lease:?}");
    assert!(lease[0] >= back + 1_000, "the grace counts from the restart");
    node.kill();
    node.start();
    let told = await_decisions(&node, |_| true);
    assert_eq!(times(&told, "offer.withdrawn", "expired"), expired, "once");
    assert_eq!(times(&told, "agent.changed", "lease_expired"), lease, "once");
}

#[test]
fn sigterm_drains_and_exits_0_and_what_was_answered_is_there_after_it() {
    let mut node = Node::embedded("sigterm");
    crate::node::configure(&node);
    let first = node.settle(&contact("c1"));
    assert!(node.terminate().success(), "{}", node.log());
    node.start();
    assert_eq!(node.settle(&contact("c1"))["position"], first["position"]);
}

/// A record that another node might have appended.
fn foreign_header(on: &OnKafka, kind: Kind, fold: &Fold) -> Header {
    Header {
        kind,
        behind: false,
        shard: on.shard,
        term: fold.term,
        claim_id: *b"a foreign node's",
        seq: fold.seq + 1,
        prev_hash: [7; 32],
        from: fold.next_input,
        to: fold.next_input,
        relay: fold.relay,
        last_decision: fold.last_decision,
        now: fold.now,
        digest: 0,
    }
}

fn read_kafka(on: &OnKafka) -> Log {
    let (acks, _) = crossbeam::channel::bounded(1);
    let mut journal = KafkaJournal::new(&on.config, acks, Arc::new(|_| {})).expect("a reader");
    read_log(&mut journal, on.shard)
}

fn append_foreign(on: &OnKafka, header: &Header, body: &[u8]) {
    on.append(&on.config.topics.journal, b"", &record::encode(header, body, b"", b""));
}

fn wait_for_readiness(on: &OnKafka, ready: bool) {
    let deadline = Instant::now() + WITHIN;
    while on.node.try_get("/readyz").is_some_and(|answer| answer.status == 200) != ready {
        assert!(Instant::now() < deadline, "the node did not become ready={ready}:\n{}", on.node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_foreign_batch_is_void_and_the_node_goes_on() {
    let Some(bootstrap) = kafka_or_skip("a foreign batch under a running serve") else { return };
    let on = OnKafka::start("foreign-batch", &bootstrap);
    let first = on.node.settle(&contact("c1"));
    let before = read_kafka(&on);
    append_foreign(&on, &foreign_header(&on, Kind::Batch, &before.fold), b"");
    let second = on.node.settle(&contact("c2"));
    assert_eq!(second["outcome"], "decided");
    assert_eq!(on.node.settle(&contact("c1"))["position"], first["position"]);

    let after = read_kafka(&on);
    let voids: Vec<_> = after.verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Accepted).collect();
    assert_eq!(voids.len(), 1, "{voids:?}");
    assert_eq!(after.fold.term, before.fold.term, "a void batch costs a read, not the shard");
    assert!(after.fold.seq >= before.fold.seq + 2);
}

#[test]
fn a_foreign_claim_with_a_higher_term_makes_the_node_step_down_and_claim_above_it() {
    let Some(bootstrap) = kafka_or_skip("a foreign claim under a running serve") else { return };
    let on = OnKafka::start("foreign-claim", &bootstrap);
    let first = on.node.settle(&contact("c1"));
    let before = read_kafka(&on);
    let term = before.fold.term + 5;
    let header = Header { term, seq: before.fold.seq, ..foreign_header(&on, Kind::Claim, &before.fold) };
    let claim = Claim { node: "another".into(), ..Claim::default() };
    append_foreign(&on, &header, &claim.encode());

    wait_for_readiness(&on, false);
    wait_for_readiness(&on, true);
    let after = read_kafka(&on);
    assert!(after.fold.term > term, "it claimed term {}, above {term}", after.fold.term);
    assert!(after.verdicts.contains(&(Kind::Claim, Verdict::Accepted)));
    // Nothing was lost over it, nothing decided twice.
    let again = on.node.settle(&contact("c1"));
    assert_eq!((&again["position"], &again["duplicate"]), (&first["position"], &json!(true)));
    assert_eq!(on.node.settle(&contact("c2"))["outcome"], "decided");
}

#[test]
fn an_acceptance_in_the_backlog_before_the_deadline_counts_after_a_kill() {
    let Some(bootstrap) = kafka_or_skip("a backlog with a reply and a deadline") else { return };
    let mut on = OnKafka::start("backlog", &bootstrap);
    let policy = json!({"version": 2, "queue": [{"name": "all", "accept_s": 8}], "rule": [{"queue": "all"}]});
    on.node.settle(&event("policy-2", "workspace.configure", policy));
    on.node.settle(&event("p1", "agent.presence", json!({"agent": "ada", "status": "online"})));
    on.node.settle(&contact("c1"));
    on.node.settle(&contact("c2"));
    let told = await_decisions(&on.node, |told| told.len() > 1);
    on.node.kill();
    let offer = |conversation: &str| {
        let is_it = |told: &&Value| told["type"] == "strowger.conversation.offered" && told["subject"] == conversation;
        told.iter().find(is_it).unwrap_or_else(|| panic!("{conversation} was offered: {told:#?}"))["data"].clone()
    };
    // While the node is dead: one accepts in time, of the other nothing is heard.
    let accept = event("accept", "offer.accept", json!({"offer": offer("c1")["offer"], "agent": "ada"}));
    on.append(&on.config.topics.events, b"acme", accept.to_string().as_bytes());
    let until = moment(&offer("c2")["until"]);
    let in_time = wall_ms() < moment(&offer("c1")["until"]);
    assert!(in_time, "this machine is too slow for an offer of eight seconds");
    pass(until + 2_500);
    on.append(&on.config.topics.events, b"acme", contact("c3").to_string().as_bytes());
    on.node.start();
    let told = await_decisions(&on.node, |told| !times(told, "offer.withdrawn", "expired").is_empty());
    assert_eq!(times(&told, "conversation.assigned", "accepted").len(), 1, "{told:#?}");
    assert_eq!(times(&told, "offer.withdrawn", "expired"), [until], "at its deadline, though nobody was there then");
}
