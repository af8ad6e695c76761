//! The HTTP side: routes and their description, views, the stream of decisions, and refusals when the pipeline is full.
//! What each bad event is answered is in `bad_input.rs`.

use crate::node::{Node, configure, event, position_of};
use connectors::codec::{self, Decoder};
use engine::decision::Position;
use engine::id::HashKey;
use engine::{Engine, Output};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger::http::{self, ClockReading, DecisionReader, HttpLimits, HttpState, Probes, openapi};
use strowger::ingest::{Ingest, Offers};
use strowger::sources::Sources;
use strowger::standing::Standing;
use strowger::workload::{CommittedBatch, LabelBudget, SharedShard, Views};
use tokio::sync::watch;
use utoipa::OpenApi;

const KEY: HashKey = HashKey(7);

/// Decisions 1.0, 2.0 … of a made-up journal that grows by the watch.
struct Counting(watch::Receiver<Position>);

impl DecisionReader for Counting {
    fn read(&self, _: u16, after: Position, limit: usize, out: &mut Vec<Vec<u8>>) -> anyhow::Result<Position> {
        let end = self.0.borrow().seq;
        let told: Vec<u64> = (after.seq + 1..=end).take(limit).collect();
        out.extend(told.iter().map(|seq| seq.to_string().into_bytes()));
        Ok(told.last().map_or(after, |seq| Position { seq: *seq, idx: 0 }))
    }
}

/// An HTTP side with nothing behind it: nobody takes what is offered.
struct Front {
    address: SocketAddr,
    ingest: Ingest,
    standings: Arc<[Arc<Standing>]>,
    committed: watch::Sender<Position>,
    stopping: watch::Sender<bool>,
    shard: SharedShard,
    _offers: Offers,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    fn new() -> Front {
        Front::with(HttpLimits::default())
    }

    fn with(limits: HttpLimits) -> Front {
        let standings: Arc<[Arc<Standing>]> = Arc::new([Arc::new(Standing::new(0, Arc::default()))]);
        let (ingest, offers) = Ingest::embedded(standings.clone(), Arc::new(Sources::new(&[], true)));
        let (committed, follower) = watch::channel(Position::default());
        let (stopping, stopped) = watch::channel(false);
        let views = Arc::new(Views::default());
        let mut shard = SharedShard::new(0, KEY, views.clone(), LabelBudget::new(200));
        shard.committed = follower.clone();
        let state = HttpState {
            ingest: ingest.clone(),
            decoder: Arc::new(Decoder::new(KEY)),
            shards: Arc::new([shard.clone()]),
            views,
            decisions: Arc::new(Counting(follower)),
            probes: Probes {
                ready: Arc::new(|| Err("reading the journal: 3 of 7".into())),
                alive: Arc::new(|| Ok(())),
            },
            clock: Arc::new(|_| ClockReading { now: 1_000, scale: 1.0, origin: None }),
            disk_free_bytes: Arc::new(|| Some(5)),
            stopping: stopped,
            sources: Arc::new(Sources::new(&[], true)),
            metrics_max_agents: 0,
            started_ms: 0,
            hub: Arc::default(),
            limits,
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port on loopback");
        let address = listener.local_addr().expect("it is bound");
        runtime.spawn(async move { axum::serve(listener, http::router(state)).await });
        Front { address, ingest, standings, committed, stopping, shard, _offers: offers, _runtime: runtime }
    }

    /// The node owns its shard, and workspace `acme` is in it.
    fn own_acme(&self) {
        let policy = json!({"version": 1, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
        let event = event("policy", "workspace.configure", policy).to_string();
        let input = Decoder::new(KEY).decode(event.as_bytes()).expect("a good event");
        let (mut engine, mut output) = (Engine::new(KEY), Output::default());
        output.begin(1);
        engine.step(&input, 1_000, &mut output);
        let batch = CommittedBatch {
            shard: 0,
            seq: 1,
            now: 1_000,
            digest: engine.seal(),
            hash: [0; 32],
            prev_decision: None,
            effects: &output.effects,
            decisions: &codec::decisions(&output.decisions).expect("our own bytes"),
            judged: &[],
            dead_letters: &[],
            live: true,
            received_at: None,
        };
        self.shard.write().commit(&batch).expect("replica and engine agree");
        self.shard.metrics.owned.set(1);
    }

    /// A listener, and the first line that it is answered.
    fn listen(&self) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.address).expect("the front listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.write_all(b"GET /v1/workspaces/acme/stream HTTP/1.1\r\nhost: node\r\n\r\n").expect("a request");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("an answer");
        (stream, line.trim_end().to_string())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn request(&self, method: &str, path: &str, content_type: &str, body: &str) -> Answer {
        let request =
            ureq::http::Request::builder().method(method).uri(self.url(path)).header("content-type", content_type);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build()
            .new_agent();
        let mut response = agent.run(request.body(body.to_string()).expect("a request")).expect("an answer");
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_string);
        let (status, retry_after) = (response.status().as_u16(), header("retry-after"));
        let text = response.body_mut().read_to_string().unwrap_or_default();
        Answer { status, retry_after, text }
    }
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    text: String,
}

impl Answer {
    fn reason(&self) -> String {
        let problem: Value = serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text));
        problem["reason"].as_str().unwrap_or_else(|| panic!("no reason: {problem}")).to_string()
    }
}

fn contact(id: &str) -> String {
    event(id, "contact.started", json!({"channel": "voice", "conversation": id})).to_string()
}

#[test]
fn the_openapi_document_describes_exactly_the_routes_that_answer() {
    let document = serde_json::to_value(openapi::Api::openapi()).expect("it is JSON");
    let described: BTreeSet<String> = document["paths"].as_object().expect("paths").keys().cloned().collect();
    let routed: BTreeSet<String> = http::routes().into_iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(described, routed);

    let front = Front::new();
    let served: Value = serde_json::from_str(&front.request("GET", "/openapi.json", "", "").text).expect("it is JSON");
    assert_eq!(served, document);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let asked = path.replace("{workspace}", "w").replace("{conversation}", "c");
        let asked = ["{queue}", "{agent}", "{customer}"].iter().fold(asked, |asked, name| asked.replace(name, "x"));
        for method in methods.as_object().expect("methods").keys() {
            let query = if path == "/v1/decisions" { "?shard=0&follow=false" } else { "" };
            let answer = front.request(&method.to_uppercase(), &format!("{asked}{query}"), "application/json", "{}");
            let undescribed = format!("{}", answer.status);
            assert!(
                methods[method]["responses"][&undescribed].is_object(),
                "{method} {path} answered {}",
                answer.status
            );
        }
    }
    // A page, and a generated client, finds an operation by its name.
    let paths = document["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|methods| methods.as_object().expect("methods").values());
    let mut names: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().expect("a name")).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
    // Every schema that is referred to is there.
    let text = document.to_string();
    for name in text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap_or("")) {
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not described");
    }
}

#[test]
fn what_is_not_there_is_a_problem_too() {
    let front = Front::new();
    let answer = front.request("GET", "/v2", "", "");
    assert_eq!((answer.status, answer.reason().as_str()), (404, "no_such_path"));
    let answer = front.request("DELETE", "/v1/clock", "", "");
    assert_eq!((answer.status, answer.reason().as_str()), (405, "no_such_method"));
    let answer = front.request("POST", "/v1/events", "text/csv", "a,b");
    assert_eq!((answer.status, answer.reason().as_str()), (415, "unknown_content_type"));
    let answer = front.request("GET", "/v1/decisions?shard=9", "", "");
    assert_eq!((answer.status, answer.reason().as_str()), (404, "unknown_shard"));
    for query in ["", "?shard=x", "?shard=0&after=3", "?shard=0&after=3.x"] {
        let answer = front.request("GET", &format!("/v1/decisions{query}"), "", "");
        assert_eq!((answer.status, answer.reason().as_str()), (400, "wrong_type"), "{query}");
    }
}

#[test]
fn a_body_that_is_too_large_or_too_many_is_refused_whole() {
    let front = Front::new();
    front.standings[0].set_owned(true);
    let body = " ".repeat(9 << 20);
    assert_eq!(front.request("POST", "/v1/events", "application/x-ndjson", &body).status, 413);
    let body: String = (0..1_001).map(|n| format!("{}\n", contact(&n.to_string()))).collect();
    let answer = front.request("POST", "/v1/events", "application/x-ndjson", &body);
    assert_eq!((answer.status, answer.reason().as_str()), (413, "too_many"));
}

#[test]
fn more_listeners_than_a_node_allows_are_told_so_until_one_leaves() {
    let front = Front::with(HttpLimits::default().of_listeners(2));
    front.own_acme();
    let (first, said) = front.listen();
    let (_second, again) = front.listen();
    assert_eq!((said.as_str(), again.as_str()), ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK"));
    let refused = front.request("GET", "/v1/workspaces/acme/stream", "", "");
    assert_eq!((refused.status, refused.reason().as_str()), (429, "too_many_streams"));
    assert!(refused.retry_after.is_some(), "when to come again");
    assert_eq!(front.request("GET", "/v1/workspaces/acme/board", "", "").status, 200, "the figures are there still");
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(30);
    while front.listen().1 != "HTTP/1.1 200 OK" {
        assert!(Instant::now() < deadline, "the place of one who left is not given again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bodies_that_stop_half_way_are_answered_408_and_give_their_places_back() {
    let front = Front::with(HttpLimits::new(Duration::from_millis(300)));
    let half = "POST /v1/events HTTP/1.1\r\nhost: node\r\ncontent-type: application/cloudevents+json\r\n\
                content-length: 100\r\n\r\n{\"specversion\":";
    // As many as may be in hand at once.
    let stalled: Vec<TcpStream> = (0..256)
        .map(|_| {
            let mut stream = TcpStream::connect(front.address).expect("the front listens");
            stream.write_all(half.as_bytes()).expect("half a request");
            stream
        })
        .collect();
    for mut stream in stalled {
        let mut answer = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.read_to_string(&mut answer).expect("an answer, then the end of the connection");
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains(r#""reason":"too_slow""#), "{answer}");
    }
    let answer = front.request("POST", "/v1/events", "application/cloudevents+json", &contact("c"));
    assert_eq!((answer.status, answer.reason().as_str()), (503, "starting"), "it came through to the pipeline");
}

#[test]
fn a_node_that_starts_says_503_and_a_full_one_429_both_with_retry_after() {
    let front = Front::new();
    let answer = front.request("GET", "/readyz", "", "");
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("3 of 7"), "{}", answer.text);
    assert_eq!(front.request("GET", "/livez", "", "").status, 200);
    let json = "application/cloudevents+json";
    let answer = front.request("POST", "/v1/events", json, &contact("c"));
    assert_eq!((answer.status, answer.reason().as_str(), answer.retry_after.as_deref()), (503, "starting", Some("1")));
    let answer = front.request("GET", "/v1/workspaces/acme/agents", "", "");
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));

    front.standings[0].set_owned(true);
    let decoder = Decoder::new(KEY);
    let mut held = Vec::new();
    while let Ok(receiver) = {
        let text = contact(&held.len().to_string());
        front.ingest.offer(decoder.decode(text.as_bytes()).expect("a good event"), text.as_bytes())
    } {
        held.push(receiver);
    }
    let answer = front.request("POST", "/v1/events", json, &contact("c"));
    assert_eq!((answer.status, answer.reason().as_str(), answer.retry_after.as_deref()), (429, "full", Some("1")));
    let lines = format!("{}\n{{}}\n{}\n", contact("a"), contact("b"));
    let answer = front.request("POST", "/v1/events", "application/x-ndjson", &lines);
    assert_eq!((answer.status, answer.retry_after.as_deref()), (200, Some("1")));
    let statuses: Vec<u64> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [429, 429, 429], "from the first refused on, so that the sender keeps his order");
    drop(held);
}

#[test]
fn a_stream_of_decisions_resumes_follows_and_ends_with_the_process() {
    let front = Front::new();
    front.committed.send_replace(Position { seq: 1_000, idx: 0 });
    let ended = front.request("GET", "/v1/decisions?shard=0&after=998.0&follow=false", "", "");
    assert_eq!(ended.text, "999\n1000\n");
    let answer = ureq::get(front.url("/v1/decisions?shard=0")).call().expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let mut lines = BufReader::new(answer.into_body().into_reader()).lines().map(|line| line.expect("a line"));
    for n in 1..=1_000 {
        assert_eq!(lines.next().as_deref(), Some(n.to_string().as_str()));
    }
    for n in 1_001..1_010 {
        front.committed.send_replace(Position { seq: n, idx: 0 });
        assert_eq!(lines.next().as_deref(), Some(n.to_string().as_str()));
    }
    front.stopping.send_replace(true);
    assert_eq!(lines.next(), None);
}

#[test]
fn more_streams_than_allowed_are_refused_and_a_closed_one_makes_room() {
    let front = Front::new();
    let mut open: Vec<_> =
        (0..64).map(|_| ureq::get(front.url("/v1/decisions?shard=0")).call().expect("a stream")).collect();
    let answer = front.request("GET", "/v1/decisions?shard=0", "", "");
    assert_eq!((answer.status, answer.reason().as_str()), (429, "too_many_streams"));
    open.pop();
    let deadline = Instant::now() + Duration::from_secs(10);
    // The server learns of the closed connection from the network: ask again.
    while front.request("GET", "/v1/decisions?shard=0&follow=false", "", "").status != 200 {
        assert!(Instant::now() < deadline, "a closed stream keeps its place");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn views_show_what_is_committed_under_percent_encoded_ids() {
    let node = Node::embedded("views");
    let id = "a/b c%?#ü".replace([' ', 'ü'], "~");
    assert_eq!(node.get("/v1/workspaces/acme/agents").status, 404);
    configure(&node);
    node.settle(&event(
        "1",
        "contact.started",
        json!({"channel": "voice", "conversation": id, "customer": {"id": "cu"}}),
    ));
    let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/v1/workspaces/acme/conversations/{encoded}");
    let waiting = node.get(&path).json();
    assert_eq!(
        (&waiting["conversation"], &waiting["state"], &waiting["owner"]),
        (&json!(id), &json!("queued"), &Value::Null)
    );
    let queues = node.get("/v1/workspaces/acme/queues").json();
    assert_eq!(queues["queues"][0]["waiting"], 1);
    assert_eq!(queues["queues"][0]["waiting_by_cause"], json!({"nobody_online": 1}));

    let outcome = node.settle(&event("2", "agent.presence", json!({"agent": "ada", "status": "online"})));
    let assigned = node.get(&path).json();
    assert_eq!(
        (&assigned["state"], &assigned["owner"], &assigned["epoch"]),
        (&json!("assigned"), &json!("ada"), &json!(1))
    );
    assert_eq!(assigned["position"]["seq"], outcome["position"]["seq"]);
    let agents = node.get("/v1/workspaces/acme/agents").json();
    let ada = &agents["agents"][0];
    assert_eq!((&ada["agent"], &ada["units_used"], &ada["conversations"]), (&json!("ada"), &json!(1), &json!([id])));
    assert_eq!(ada["since_start"]["assigned"], 1);

    node.settle(&event("3", "conversation.resolve", json!({"conversation": id})));
    let ended = node.get(&path).json();
    assert_eq!(
        (&ended["state"], &ended["ended"], &ended["previous_owner"]),
        (&json!("resolved"), &json!(true), &json!("ada"))
    );
    assert_eq!(node.get("/v1/workspaces/acme/conversations/none").status, 404);
    assert_eq!(node.get("/v1/workspaces/nowhere/queues").status, 404);
}

#[test]
fn views_show_offers_holds_notes_and_why_something_waits() {
    let node = Node::embedded("views-of-routing");
    let policy = json!({
        "version": 1,
        "channel": {"voice": {"live": true, "units": 2, "wrap_up": {"mode": "mandatory", "max_s": 600}}},
        "queue": [{"name": "sales", "accept_s": 600}, {"name": "mail"}],
        "rule": [{"when": {"channel": "voice"}, "queue": "sales"}, {"queue": "mail"}],
    });
    node.settle(&event("1", "workspace.configure", policy));
    node.settle(&event("2", "agent.configure", json!({"agent": "ada", "units": 2, "seniority": 3})));
    node.settle(&event("3", "agent.presence", json!({"agent": "ada", "status": "online", "expires_in_s": 600})));
    node.settle(&event("4", "contact.started", json!({"channel": "voice", "conversation": "c1"})));
    let conversation = |id: &str| node.get(&format!("/v1/workspaces/acme/conversations/{id}")).json();
    let ada = || node.get("/v1/workspaces/acme/agents").json()["agents"][0].clone();

    let offered = conversation("c1");
    assert_eq!((&offered["state"], &offered["offered_to"]), (&json!("offered"), &json!("ada")));
    assert_eq!((&offered["owner"], &offered["priority"], &offered["step"]), (&Value::Null, &json!(0), &json!(0)));
    let offer = offered["offer"].as_str().expect("the offer's id").to_string();
    let hold = &ada()["holds"][0];
    assert_eq!((&hold["kind"], &hold["reference"], &hold["units"]), (&json!("offer"), &json!("c1"), &json!(2)));
    assert!(hold["until"].is_string(), "an offer ends by itself");
    node.settle(&event("5", "contact.started", json!({"channel": "voice", "conversation": "c2"})));
    assert_eq!(conversation("c2")["cause"], "all_full");
    let queues = node.get("/v1/workspaces/acme/queues").json();
    let sales = &queues["queues"][0];
    assert_eq!((&sales["waiting"], &sales["control"]), (&json!(2), &json!("none")));
    assert_eq!(sales["conversations_by_state"], json!({"queued": 1, "offered": 1}));
    assert_eq!(sales["members_by_presence"], json!({"available": 1}));

    node.settle(&event("6", "offer.accept", json!({"offer": offer, "agent": "ada"})));
    let note = json!({"conversation": "c1", "text": "calls back at five", "actor": {"kind": "agent", "id": "ada"}});
    node.settle(&event("7", "note.add", note));
    let assigned = conversation("c1");
    assert_eq!((&assigned["state"], &assigned["turn"]), (&json!("assigned"), &json!("ours")));
    assert_eq!((&assigned["offer"], &assigned["cause"], &assigned["units"]), (&Value::Null, &Value::Null, &json!(2)));
    assert_eq!(
        (&assigned["decision"], &assigned["reason"]),
        (&json!("strowger.conversation.assigned"), &json!("accepted"))
    );
    let notes = &assigned["notes"];
    assert_eq!((&notes[0]["by"], &notes[0]["text"]), (&json!("ada"), &json!("calls back at five")));

    node.settle(&event(
        "8",
        "conversation.resolve",
        json!({"conversation": "c1", "actor": {"kind": "agent", "id": "ada"}}),
    ));
    let ended = conversation("c1");
    assert_eq!((&ended["state"], &ended["ended"], &ended["turn"]), (&json!("resolved"), &json!(true), &Value::Null));
    let ada = ada();
    assert_eq!(
        (&ada["holds"][0]["kind"], &ada["state"], &ada["presence"]),
        (&json!("wrap_up"), &json!("full"), &json!("available"))
    );
    assert!(ada["holds"][0]["until"].is_string(), "wrap-up ends by itself");
    assert_eq!((&ada["seniority"], &ada["since_start"]["handled"]), (&json!(3), &json!(1)));
}

#[test]
fn queues_and_agents_have_reports_of_today_or_of_the_time_asked_for() {
    let node = Node::embedded("reports");
    configure(&node);
    node.settle(&event("1", "agent.presence", json!({"agent": "ada", "status": "online", "expires_in_s": 600})));
    let message =
        json!({"channel": "whatsapp", "conversation": "c1", "customer": {"id": "cu"}, "message": {"id": "m"}});
    let mut message = event("2", "message.received", message);
    // Now: a reply window counts from the customer's own time.
    message.as_object_mut().expect("an object").remove("time");
    node.settle(&message);
    let conversation = node.get("/v1/workspaces/acme/conversations/c1").json();
    let clock = &conversation["clocks"][0];
    assert_eq!((&clock["clock"], &clock["state"]), (&json!("reply_window"), &json!("running")));
    assert_eq!((&clock["target_ms"], &clock["generation"]), (&json!(86_400_000), &json!(1)));
    assert!(clock["due"].is_string() && clock["wall_ms"] == clock["business_ms"], "{clock}");
    assert_eq!(conversation["decision"], "strowger.conversation.assigned", "clocks are no news of it");

    let queues = node.get("/v1/workspaces/acme/queues").json();
    let all = &queues["queues"][0];
    assert_eq!((&all["open"], &all["clocks"]), (&json!(true), &json!({"reply_window": {"running": 1}})));
    let report = &all["report"];
    assert_eq!((&report["entries"], &report["answered_in_time"]), (&json!(1), &json!(1)));
    assert_eq!((&report["service_level"], &report["aht_s"]), (&json!(1.0), &Value::Null));
    assert!(queues["reports"]["from"].as_str().is_some_and(|from| from.ends_with("T00:00:00.000Z")), "{queues}");
    assert_eq!(queues["reports"]["complete"], true);

    node.settle(&event("3", "conversation.resolve", json!({"conversation": "c1"})));
    let clock = node.get("/v1/clock").json();
    let now = clock["shards"][0]["now"].as_str().expect("a time").to_string();
    let now = codec::parse_timestamp(&now).expect("a time");
    let at = |ms: u64| codec::timestamp(ms);
    let agents = |query: &str| node.get(&format!("/v1/workspaces/acme/agents{query}"));
    let ada = agents(&format!("?from={}&to={}", at(now - 3_600_000), at(now + 60_000))).json()["agents"][0].take();
    let report = &ada["report"];
    assert_eq!((&report["assigned"], &report["handled"], &report["resolved"]), (&json!(1), &json!(1), &json!(1)));
    assert!(report["online_unit_seconds"].as_f64() > Some(0.0) && report["occupancy"].is_f64(), "{report}");
    let before = agents(&format!("?from={}&to={}", at(now - 8_000_000), at(now - 7_200_000))).json();
    assert_eq!(before["agents"][0]["report"]["assigned"], 0);

    for (query, field, reason) in [
        ("?from=yesterday".to_string(), "from", "wrong_type"),
        (format!("?from={}&to=x", at(now)), "to", "wrong_type"),
        (format!("?to={}", at(now)), "from", "missing"),
        (format!("?from={}&to={}", at(now - 1_000), at(now - 2_000)), "to", "empty_range"),
        (format!("?from={}", at(now - 9 * 86_400_000)), "from", "too_old"),
        (format!("?from={}", at(now + 3_600_000)), "from", "in_the_future"),
    ] {
        for path in ["agents", "queues"] {
            let answer = node.get(&format!("/v1/workspaces/acme/{path}{query}"));
            let problem = answer.json();
            assert_eq!(
                (answer.status, &problem["field"], &problem["reason"]),
                (400, &json!(field), &json!(reason)),
                "{path}{query}"
            );
        }
    }
}

#[test]
fn a_merged_conversation_shows_into_which_it_went() {
    let node = Node::embedded("views-of-a-merge");
    configure(&node);
    for id in ["into", "from"] {
        let data = json!({"channel": "email", "conversation": id, "customer": {"id": id}, "message": {"id": id}});
        node.settle(&event(id, "message.received", data));
    }
    let boss = json!({"kind": "supervisor", "id": "w"});
    let merge =
        json!({"conversation": "into", "other": "from", "survivor": "into", "actor": boss, "reason": "same matter"});
    node.settle(&event("merge", "conversation.merge", merge));
    let from = node.get("/v1/workspaces/acme/conversations/from").json();
    assert_eq!(
        (&from["state"], &from["ended"], &from["merged_into"]),
        (&json!("merged"), &json!(true), &json!("into"))
    );
    let into = node.get("/v1/workspaces/acme/conversations/into").json();
    assert_eq!((&into["state"], &into["ended"]), (&json!("queued"), &json!(false)));
}

#[test]
fn decisions_are_told_once_in_order_and_the_clock_by_shard() {
    let mut node = Node::embedded("decisions");
    configure(&node);
    let outcome = node.settle(&event("1", "contact.started", json!({"channel": "voice", "conversation": "c1"})));
    let (shard, seq) = (outcome["position"]["shard"].as_u64().unwrap(), outcome["position"]["seq"].as_u64().unwrap());
    let idx = outcome["position"]["idx"].as_u64().unwrap();
    let told = node.decisions(shard, (seq, idx));
    let positions: Vec<(u64, u64)> = told.iter().map(position_of).collect();
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    for pair in told.windows(2) {
        let (before, after) = (position_of(&pair[0]), &pair[1]["data"]["position"]["prev"]);
        assert_eq!(after, &json!([before.0, before.1]));
    }
    let rest = node.get(&format!("/v1/decisions?shard={shard}&after={seq}.{idx}&follow=false")).text;
    let rest: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).expect("a decision")).collect();
    assert!(rest.iter().all(|decision| position_of(decision) > (seq, idx)));
    assert_eq!(rest.last().map(|decision| decision["type"].clone()), Some(json!("strowger.conversation.queued")));

    let clock = node.get("/v1/clock").json();
    let shards = clock["shards"].as_array().expect("a list");
    assert_eq!(shards.len(), 4);
    assert!(shards.iter().all(|shard| shard["scale"] == 1.0 && shard["origin"].is_null() && shard["now"].is_string()));
    assert!(node.terminate().success());
}
