//! What people and their screens see of a running server: lists of open conversations, the board, the stream of both,
//! the pages, and the dashboards' own checks.

use crate::node::{JournalAt, Node, event, position_of, program_or_skip};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const WORKSPACE: &str = r#"
    workspace = "acme"
    version = 1
    [[queue]]
    name = "calls"
    service_level_s = 20
    service_level_goal = 0.8
    [[queue]]
    name = "mail"
    service_level_s = 60
    [[rule]]
    when = { channel = "voice" }
    queue = "calls"
    [[rule]]
    queue = "mail"
    [[clock]]
    kind = "first_response"
    target_s = 3600
    [[agent]]
    id = "ada"
    units = 2
    [[agent]]
    id = "bo"
"#;

/// `sources`: `[[source]]` tables of the config.
fn office(name: &str, sources: &str) -> Node {
    let mut node = Node::prepared(name, &JournalAt::Embedded, Some(WORKSPACE));
    let config = std::fs::read_to_string(node.folder.file("strowger.toml")).unwrap();
    node.folder.write("strowger.toml", &format!("{config}\n{sources}"));
    node.start();
    node
}

/// An e-mail of a customer, without a time of its own: now.
fn mail(node: &Node, id: &str, customer: &str) -> Value {
    let data = json!({"conversation": id, "channel": "email", "customer": {"id": customer}});
    let mut mail = event(&format!("mail-{id}"), "message.received", data);
    mail.as_object_mut().unwrap().remove("time");
    node.settle(&mail)
}

fn online(node: &Node, agent: &str) {
    node.settle(&event(&format!("online-{agent}"), "agent.presence", json!({"agent": agent, "status": "online"})));
}

fn ids(list: &Value) -> Vec<&str> {
    list["conversations"].as_array().unwrap().iter().map(|row| row["conversation"].as_str().unwrap()).collect()
}

#[test]
fn what_is_unanswered_is_listed_oldest_first_by_queue_owner_and_cause() {
    let node = office("live-unanswered", "");
    for id in ["a", "b", "c"] {
        mail(&node, id, "cu");
    }
    node.settle(&event(
        "call",
        "contact.started",
        json!({"conversation": "call", "channel": "voice", "customer": {"id": "cu"}}),
    ));
    let list = |query: &str| node.get(&format!("/v1/workspaces/acme/unanswered{query}")).json();
    let all = list("");
    // The call has a time of its own, an older one.
    assert_eq!((ids(&all), &all["total"], &all["next"]), (vec!["call", "a", "b", "c"], &json!(4), &Value::Null));
    assert_eq!(ids(&list("?queue=calls")), ["call"]);
    assert_eq!(ids(&list("?cause=nobody_online&channel=email")), ["a", "b", "c"]);
    assert_eq!(ids(&list("?cause=all_full")), [""; 0]);
    assert_eq!(ids(&list("?older_than_s=3600")), ["call"]);
    // Page by page, also while conversations go.
    let first = list("?limit=2");
    assert_eq!((ids(&first), &first["total"]), (vec!["call", "a"], &json!(4)));
    node.settle(&event("claim", "conversation.claim", json!({"conversation": "b", "agent": "bo"})));
    online(&node, "ada");
    let next = list(&format!("?limit=2&cursor={}", first["next"].as_str().unwrap()));
    assert_eq!((ids(&next), &next["next"]), (vec!["b", "c"], &Value::Null));
    // Ada has the oldest call, and as many more as fit beside it; what nobody owns waits on.
    let of_ada = node.get("/v1/workspaces/acme/agents/ada/conversations").json();
    assert!(ids(&of_ada).contains(&"call"), "{of_ada}");
    assert_eq!(of_ada["conversations"][0]["state"], "assigned");
    let waiting = list("?owner=none");
    assert!(ids(&waiting).iter().all(|id| !ids(&of_ada).contains(id)), "{waiting}");
    let in_line = node.get("/v1/workspaces/acme/queues/mail/waiting").json();
    assert_eq!(ids(&in_line), ids(&waiting));
    assert_eq!(in_line["conversations"][0]["clocks"][0]["clock"], "first_response");
    // Over all channels.
    assert_eq!(ids(&node.get("/v1/workspaces/acme/customers/cu/conversations").json()).len(), 4);
    assert_eq!(ids(&node.get("/v1/workspaces/acme/customers/nobody/conversations").json()), [""; 0]);
    for (path, status, reason) in [
        ("unanswered?limit=0", 400, "out_of_bounds"),
        ("unanswered?cursor=x", 400, "wrong_type"),
        ("unanswered?older_than_s=soon", 400, "wrong_type"),
        ("queues/none/waiting", 404, "unknown_queue"),
        ("agents/none/conversations", 404, "unknown_agent"),
    ] {
        let answer = node.get(&format!("/v1/workspaces/acme/{path}"));
        assert_eq!((answer.status, answer.json()["reason"].as_str().unwrap()), (status, reason), "{path}");
    }
}

#[test]
fn the_board_agrees_with_the_queues_and_knows_a_silent_source() {
    let node = office(
        "live-board",
        "[[source]]\nname = 'mailbox'\nprefix = 'test'\nsilent_after_s = 3600\n\
         [[source]]\nname = 'dead'\nprefix = 'meta/'\nsilent_after_s = 1\n",
    );
    for id in ["a", "b", "c"] {
        mail(&node, id, "cu");
    }
    online(&node, "ada");
    let board = node.get("/v1/workspaces/acme/board").json();
    let queues = node.get("/v1/workspaces/acme/queues").json();
    let figures = |list: &Value, name: &str| -> Vec<u64> {
        list["queues"].as_array().unwrap().iter().map(|queue| queue[name].as_u64().unwrap()).collect()
    };
    assert_eq!(figures(&board, "waiting"), figures(&queues, "waiting"));
    assert_eq!(board["waiting"], 2, "{board}");
    assert_eq!((&board["unanswered"], &board["unanswered_by_age"]["le_5m"]), (&json!(3), &json!(3)));
    assert_eq!(
        (&board["agents_online"], &board["agents"]["partly"], &board["agents"]["offline"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&board["units_used"], &board["units"]), (&json!(1), &json!(2)));
    // Ada gets one more when her pace is over.
    assert_eq!((&board["queues"][1]["cause"], &board["waiting_by_cause"]["paced"]), (&json!("paced"), &json!(2)));
    assert_eq!(board["oldest_wait_queue"], "mail");
    assert_eq!(board["service_level"], json!({"last_30m": 1.0, "today": 1.0, "goal": 0.8}));
    assert_eq!(
        node.get("/v1/workspaces").json(),
        json!({"workspaces": [{"workspace": "acme", "test": false, "policy_version": 1}]})
    );
    let told = node.get("/metrics").text;
    let last =
        told.lines().find(|line| line.starts_with("strowger_source_last_event_timestamp_seconds{source=\"mailbox\"} "));
    assert!(last.is_some_and(|line| !line.ends_with(" 0")), "{last:?}");
    assert!(told.contains("strowger_source_last_event_timestamp_seconds{source=\"dead\"} 0\n"));
    // A second passes: then a source that has said nothing since the start is silent.
    let mut stream = Stream::open(&node, "figures=1", None);
    let is_silent = |board: &Value| board["sources"][1]["silent"] == true;
    let board = std::iter::repeat_with(|| stream.next("board")).map(|event| event.data).find(is_silent).unwrap();
    assert_eq!((&board["sources"][0]["source"], &board["sources"][0]["silent"]), (&json!("mailbox"), &json!(false)));
    assert_eq!(board["sources"][1]["last_event_at"], Value::Null);
}

#[test]
fn the_silence_of_a_source_counts_from_the_opening() {
    let node = office("live-night", "\n[[source]]\nname = \"dead\"\nprefix = \"fax\"\nsilent_after_s = 2\n");
    let turn = |state: &str| {
        for queue in ["calls", "mail"] {
            let data =
                json!({"queue": queue, "state": state, "reason": "night", "actor": {"kind": "supervisor", "id": "s"}});
            let mut event = event(&format!("{state}-{queue}"), "queue.control", data);
            event.as_object_mut().unwrap().remove("time");
            assert_eq!(node.settle(&event)["outcome"], "decided");
        }
    };
    let is_silent = || node.get("/v1/workspaces/acme/board").json()["sources"][0]["silent"] == true;
    let mut stream = Stream::open(&node, "figures=1", None);
    let mut silent_board = || while stream.next("board").data["sources"][0]["silent"] != true {};
    silent_board();
    turn("closed");
    assert!(!is_silent(), "while all is closed nobody misses it");
    turn("open");
    assert!(!is_silent(), "it has just opened");
    silent_board();
}

#[test]
fn an_answer_that_is_known_is_not_sent_again() {
    let node = office("live-tag", "");
    // One waits, with a clock that runs: that time passes is no news.
    mail(&node, "old", "cu");
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    for path in ["board", "unanswered", "agents/ada/conversations"] {
        let url = node.url(&format!("/v1/workspaces/acme/{path}"));
        let first = agent.get(&url).call().unwrap();
        let tag = first.headers()["etag"].to_str().unwrap().to_string();
        let again = agent.get(&url).header("if-none-match", &tag).call().unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
    let url = node.url("/v1/workspaces/acme/board");
    let tag = agent.get(&url).call().unwrap().headers()["etag"].to_str().unwrap().to_string();
    mail(&node, "a", "cu");
    assert_eq!(agent.get(&url).header("if-none-match", &tag).call().unwrap().status(), 200);
}

#[test]
fn what_each_agent_did_is_a_target_of_its_own_and_off_by_default() {
    let off = office("live-agents-off", "");
    let answer = off.get("/metrics/agents");
    assert_eq!((answer.status, answer.json()["reason"].as_str()), (404, Some("off")));
    let node = office("live-agents", "\n[metrics]\nmax_agents = 10\n");
    online(&node, "ada");
    mail(&node, "a", "cu");
    let told = node.get("/metrics/agents");
    assert_eq!((told.status, told.content_type.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let assigned = "strowger_agent_assigned_total{workspace=\"acme\",team=\"none\",agent=\"ada\"} 1\n";
    assert!(told.text.contains(assigned), "{}", told.text);
    // Nothing of the process stands there a second time.
    assert!(told.text.lines().all(|line| line.contains("strowger_agent_")), "{}", told.text);
    if program_or_skip("promtool", "what_each_agent_did") {
        let mut promtool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn().unwrap();
        promtool.stdin.take().unwrap().write_all(told.text.as_bytes()).unwrap();
        assert!(promtool.wait().unwrap().success());
    }
}

#[test]
fn a_renewal_that_changes_nothing_is_counted_where_it_came_in() {
    let source = "\n[[source]]\nname = \"desk\"\nprefix = \"test\"\n";
    let node = office("live-renewal", source);
    let lease = |sequence: u64| {
        let data = json!({"agent": "ada", "status": "online", "expires_in_s": 600, "sequence": sequence});
        let mut event = event(&format!("lease-{sequence}"), "agent.presence", data);
        event.as_object_mut().unwrap().remove("time");
        node.settle(&event)
    };
    let counted = || {
        let text = node.get("/metrics").text;
        let sum = |prefix: &str| -> f64 {
            let lines = text.lines().filter(|line| line.starts_with(prefix));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
        };
        let events = sum("strowger_events_total{workspace=\"acme\",type=\"agent.presence\"");
        let heard = sum("strowger_source_last_event_timestamp_seconds{source=\"desk\"}");
        (events, heard)
    };
    assert!(!lease(1)["position"].is_null());
    let (events, heard) = counted();
    let renewed = lease(2);
    assert!(renewed["position"].is_null(), "it costs no record: {renewed}");
    let (events_now, heard_now) = counted();
    assert_eq!(events_now, events + 1.0);
    assert!(heard_now > heard, "{heard_now} is not after {heard}");
}

/// A stream of server-sent events, read by hand.
struct Stream {
    lines: BufReader<TcpStream>,
}

struct Frame {
    id: String,
    event: String,
    data: Value,
}

impl Stream {
    fn open(node: &Node, query: &str, last_id: Option<&str>) -> Stream {
        let mut lines = BufReader::new(Stream::connect(node, query, last_id));
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Stream { lines }
    }

    fn connect(node: &Node, query: &str, last_id: Option<&str>) -> TcpStream {
        let address = node.url("").trim_start_matches("http://").to_string();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let last_id = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(
            socket,
            "GET /v1/workspaces/acme/stream?{query} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{last_id}\r\n"
        )
        .unwrap();
        socket
    }

    /// The next frame of this kind, or none where the stream has ended. Sizes of chunks stand between the lines.
    fn try_next(&mut self, wanted: &str) -> Option<Frame> {
        let mut frame = Frame { id: String::new(), event: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(id) = line.strip_prefix("id: ") {
                frame.id = id.into();
            } else if let Some(event) = line.strip_prefix("event: ") {
                frame.event = event.into();
            } else if let Some(data) = line.strip_prefix("data: ") {
                frame.data = serde_json::from_str(data).unwrap();
                let frame =
                    std::mem::replace(&mut frame, Frame { id: String::new(), event: String::new(), data: Value::Null });
                if frame.event == wanted || frame.event == "dropped" {
                    return Some(frame);
                }
            }
        }
    }

    fn next(&mut self, wanted: &str) -> Frame {
        self.try_next(wanted).unwrap_or_else(|| panic!("the stream ends before a {wanted}"))
    }
}

#[test]
fn a_stream_tells_figures_and_decisions_and_goes_on_where_it_was_left() {
    let node = office("live-stream", "");
    let mut stream = Stream::open(&node, "decisions=1", None);
    assert_eq!(stream.next("board").data["waiting"], 0);
    mail(&node, "a", "cu");
    let first = stream.next("decision");
    assert_eq!(
        (first.data["type"].as_str().unwrap(), first.data["subject"].as_str().unwrap()),
        ("strowger.conversation.opened", "a")
    );
    let (seq, idx) = position_of(&first.data);
    assert_eq!(first.id, format!("{seq}.{idx}"));
    let waits = std::iter::repeat_with(|| stream.next("board").data).find(|board| board["waiting"] == 1);
    assert_eq!(waits.unwrap()["queues"][1]["cause"], "nobody_online");
    // Of another workspace in the same shard, if it is: nothing.
    let policy = json!({"version": 1, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
    for name in 0..8 {
        node.settle(&crate::node::event_in(&format!("other-{name}"), "p", "workspace.configure", policy.clone()));
    }
    // Left and taken up again: all that came meanwhile, once, in order.
    drop(stream);
    mail(&node, "b", "cu");
    mail(&node, "c", "cu");
    let shard = node.settle(&event("mark", "agent.presence", json!({"agent": "ada", "status": "online"})));
    let position = (shard["position"]["seq"].as_u64().unwrap(), shard["position"]["idx"].as_u64().unwrap());
    let expected: Vec<Value> = node.decisions(shard["position"]["shard"].as_u64().unwrap(), position);
    let expected: Vec<(u64, u64)> = expected
        .iter()
        .filter(|told| told["workspace"] == "acme")
        .map(position_of)
        .filter(|at| *at > (seq, idx) && *at <= position)
        .collect();
    let mut again = Stream::open(&node, "figures=0&decisions=1", Some(&first.id));
    let told: Vec<(u64, u64)> = expected.iter().map(|_| position_of(&again.next("decision").data)).collect();
    assert_eq!(told, expected);
    assert!(told.len() > 4, "{told:?}");
    for (query, status, reason) in [("after=x", 400, "wrong_type"), ("figures=no", 400, "wrong_type")] {
        let answer = node.get(&format!("/v1/workspaces/acme/stream?{query}"));
        assert_eq!((answer.status, answer.json()["reason"].as_str().unwrap()), (status, reason));
    }
    assert_eq!(node.get("/v1/workspaces/nobody/stream").status, 404);
}

#[test]
fn a_position_of_another_journal_is_told_and_a_node_that_stops_says_so() {
    let mut node = office("live-reset", "");
    // As after a restore: the browser has seen more than this journal has.
    let mut stream = Stream::open(&node, "figures=0&decisions=1", Some("999999.0"));
    assert_eq!(stream.next("reset").data, json!({}));
    mail(&node, "a", "cu");
    assert_eq!(stream.next("decision").data["subject"], "a");
    let mut watching = Stream::open(&node, "figures=1", None);
    assert_eq!(watching.next("board").data["waiting"], 1);
    assert!(node.terminate().success());
    for (name, mut left) in [("decisions", stream), ("figures", watching)] {
        left.next("stopping");
        assert!(left.try_next("board").is_none(), "{name}: the stream ends with it");
    }
}

#[test]
fn a_stream_that_is_not_read_is_dropped_and_told_so_and_costs_nobody_else() {
    let node = office("live-slow", "");
    online(&node, "ada");
    let slow = Stream::connect(&node, "figures=0&decisions=1&after=0.0", None);
    let asleep: Vec<TcpStream> = (0..40).map(|_| Stream::connect(&node, "decisions=1", None)).collect();
    let before_kib = node.resident_kib();
    let mut quick = Stream::open(&node, "figures=0&decisions=1&after=0.0", None);
    // More than sockets hold: some 20 MB of decisions.
    let mut sent = 0;
    for _ in 0..6 {
        let events: Vec<Value> = (sent..sent + 1_000)
            .map(|n| {
                event(
                    &format!("m{n}"),
                    "message.received",
                    json!({"conversation": format!("c{n}"), "channel": "email"}),
                )
            })
            .collect();
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        assert_eq!(node.post("application/x-ndjson", lines.as_bytes()).status, 200);
        sent += 1_000;
        // Who reads gets everything meanwhile.
        let last = format!("c{}", sent - 1);
        while quick.next("decision").data["subject"] != *last {}
    }
    // Had it kept for each what he did not read, it would be 40 times those 20 MB; it has the conversations too.
    let grown_kib = node.resident_kib().saturating_sub(before_kib);
    println!(
        "resident memory grew by {grown_kib} KiB over {sent} conversations with {} who read nothing",
        asleep.len()
    );
    assert!(grown_kib < 150 << 10, "{grown_kib} KiB");
    // It is let go ten seconds after its room was full; reading sooner would make room.
    std::thread::sleep(Duration::from_secs(12));
    let mut text = String::new();
    let mut slow = slow;
    slow.read_to_string(&mut text).expect("the end of the stream");
    assert!(
        text.contains("event: dropped\ndata: {\"reason\":\"too_slow\"}"),
        "{}",
        &text[text.len().saturating_sub(400)..]
    );
    assert!(!text.contains(&format!("\"subject\":\"c{}\"", sent - 1)), "it missed the last ones");
    node.settle(&event("after", "agent.presence", json!({"agent": "bo", "status": "online"})));
}

#[test]
fn the_pages_are_served_and_load_nothing_from_outside() {
    let node = office("live-pages", "");
    for path in ["/", "/wallboard?workspace=acme", "/docs"] {
        let page = node.get(path);
        assert_eq!((page.status, page.content_type.as_str()), (200, "text/html; charset=utf-8"), "{path}");
        let head = page.text.to_lowercase();
        for outside in ["src=\"http", "href=\"http", "@import", "url(http"] {
            assert!(!head.contains(outside), "{path} has {outside}");
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = Command::new(env!("CARGO_BIN_EXE_strowger")).args(["top", "--url", &node.url("")]).output().unwrap();
    let said = String::from_utf8_lossy(&top.stdout).to_string();
    let wrong = String::from_utf8_lossy(&top.stderr);
    assert!(top.status.success() && said.contains("acme at ") && said.contains("calls"), "{said}{wrong}");
    let top = ["top", "--workspace", "nobody", "--url", &node.url("")];
    let top = Command::new(env!("CARGO_BIN_EXE_strowger")).args(top).output().unwrap();
    assert!(String::from_utf8_lossy(&top.stderr).contains("no workspace is named nobody; there are: acme"));
    if program_or_skip("chromium", "the pages in a browser") && program_or_skip("python3", "the pages in a browser") {
        let document = node.folder.write("openapi.json", &node.get("/openapi.json").text);
        run(Command::new("python3").arg(root.join("tests/pages/check.py")).env("OPENAPI", document));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{command:?}: {said}");
}

#[test]
fn dashboards_rules_and_alerts_are_sound() {
    if !program_or_skip("python3", "the dashboards' checks") || !program_or_skip("promtool", "the dashboards' checks") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new("python3").arg(root.join("grafana/generate.py")).arg("--check"));
    run(Command::new("python3").arg(root.join("tests/grafana/lint.py")));
    run(Command::new("python3").arg(root.join("tests/grafana/lint.py")).arg("--self-test"));
    let tests = std::fs::read_dir(root.join("grafana/rules/tests")).unwrap().map(|file| file.unwrap().path());
    run(Command::new("promtool").args(["test", "rules"]).args(tests));
    run(Command::new("promtool").args(["check", "rules"]).arg(root.join("grafana/rules/alerts.yaml")));
}
