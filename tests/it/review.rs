//! `strowger review` from outside: its figures against counts made of `GET /v1/decisions` here, and against the reports
//! of the running server; the page against its JSON; what it refuses; that it leaves the journal as it is.

use crate::node::{JournalAt, Node, event, event_in, kafka_or_skip};
use connectors::codec::{parse_timestamp, timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Names that would be markup, were they not escaped.
const EVIL_AGENT: &str = "<b>bob</b>";
const EVIL_QUEUE: &str = "<img/src=x>";
const EVIL_CUSTOMER: &str = "'\"><script>alert(1)</script>";
const T_MS: u64 = 1_000;

const WORKSPACE: &str = r#"
workspace = "acme"
version = 1
test = true

[channel.email]
min_gap_s = 0

[channel.voice]
live = true
short_abandon_s = 0

[[queue]]
name = "calls"
strategy = "longest_idle"
service_level_s = 1
service_level_goal = 0.9

[[queue]]
name = "<img/src=x>"
strategy = "longest_idle"
skills = { nobody-has-it = 1 }
service_level_s = 1

[[queue.escalation]]
level = 1
priority = 7

[[rule]]
when = { attributes = { topic = "hard" } }
queue = "<img/src=x>"

[[rule]]
queue = "calls"

[[clock]]
kind = "first_response"
target_s = 1

[tier.vip]
head_start_s = 1

[[agent]]
id = "ada"
units = 9

[[agent]]
id = "<b>bob</b>"
units = 9
"#;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    since.as_millis() as u64
}

/// The busy minute of workspace `acme`: something of everything that a review shows.
struct Story {
    node: Node,
    serial: u64,
    last: (u64, (u64, u64)),
}

impl Story {
    fn play(name: &str, journal: &JournalAt) -> Story {
        let mut node = Node::prepared(name, journal, Some(WORKSPACE));
        node.start();
        let deadline = Instant::now() + Duration::from_secs(60);
        while node.get("/v1/workspaces/acme/agents").text.matches("\"agent\":").count() < 2 {
            assert!(Instant::now() < deadline, "the workspace file was not offered:\n{}", node.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut story = Story { node, serial: 0, last: (0, (0, 0)) };
        story.send("agent.presence", json!({"agent": "ada", "status": "online"}));
        story.calls();
        story.letters();
        story.send(
            "conversation.escalate",
            json!({"conversation": "waits", "level": 1, "reason": "now", "actor": boss()}),
        );
        story.send(
            "queue.control",
            json!({"queue": "calls", "state": "closed", "reason": "fire drill", "actor": boss()}),
        );
        story.send("queue.control", json!({"queue": "calls", "state": "open", "reason": "over", "actor": boss()}));
        story
    }

    fn send(&mut self, event_type: &str, data: Value) {
        self.serial += 1;
        let mut event = event(&format!("e{}", self.serial), event_type, data);
        event["time"] = timestamp(now_ms()).into();
        let outcome = self.node.settle(&event);
        assert!(matches!(outcome["outcome"].as_str(), Some("decided" | "recorded")), "{event} was answered {outcome}");
        let at = |name: &str| outcome["position"][name].as_u64().expect("a position");
        self.last = (at("shard"), (at("seq"), at("idx")));
    }

    fn calls(&mut self) {
        let call = |id: &str, customer: &str, topic: &str| {
            json!({"channel": "voice", "conversation": id, "customer": {"id": customer, "tier": "vip"},
                   "attributes": {"topic": topic}})
        };
        self.send("contact.started", call("leaves", "cu-8", "hard"));
        self.send("contact.started", call("waits", "cu-9", "hard"));
        for n in 0..3 {
            let id = format!("call-{n}");
            self.send("contact.started", call(&id, [EVIL_CUSTOMER, "cu-1", "cu-2"][n], "easy"));
            self.send("contact.ended", json!({"conversation": id, "by": "agent"}));
        }
        // Within the day that his matter was over he comes again.
        self.send("contact.started", call("again", EVIL_CUSTOMER, "easy"));
        self.send("contact.ended", json!({"conversation": "again", "by": "agent"}));
        std::thread::sleep(Duration::from_millis(T_MS + 100));
        self.send("contact.ended", json!({"conversation": "leaves", "by": "customer"}));
    }

    fn letters(&mut self) {
        let letter = |id: &str, topic: &str| {
            json!({"channel": "email", "conversation": id, "customer": {"id": format!("customer-of-{id}")},
                   "attributes": {"topic": topic}})
        };
        let reply = |agent: &str, id: &str| json!({"conversation": id, "actor": {"kind": "agent", "id": agent}});
        for id in ["quick", "slow", "handed-on"] {
            self.send("message.received", letter(id, "easy"));
        }
        self.send("message.received", letter("missed", "hard"));
        self.send("message.sent", reply("ada", "quick"));
        self.send("agent.presence", json!({"agent": EVIL_AGENT, "status": "online"}));
        self.send("message.sent", reply(EVIL_AGENT, "quick"));
        let to = json!({"agent": EVIL_AGENT});
        self.send("conversation.transfer", json!({"conversation": "handed-on", "to": to, "actor": agent("ada")}));
        let back = json!({"conversation": "handed-on", "to": {"agent": "ada"}, "note": "she knows", "actor": agent(EVIL_AGENT)});
        self.send("conversation.transfer", back);
        std::thread::sleep(Duration::from_millis(T_MS + 100));
        self.send("message.sent", reply("ada", "slow"));
        self.send("conversation.resolve", json!({"conversation": "quick", "actor": agent("ada")}));
        self.send("message.received", letter("quick", "easy"));
        self.send("message.sent", reply("ada", "quick"));
        self.send("conversation.resolve", json!({"conversation": "missed", "reason": "spam", "actor": boss()}));
    }

    /// Every decision of the workspace.
    fn decisions(&self) -> Vec<Value> {
        self.decisions_up_to(self.last.1)
    }

    /// Those that a review has read: a step may have been due between its reading and ours.
    fn decisions_of(&self, figures: &Value) -> Vec<Value> {
        let position = figures["journal"]["decision"].as_str().and_then(|at| at.split_once('.'));
        let (seq, idx) = position.expect("a position");
        self.decisions_up_to((seq.parse().expect("a seq"), idx.parse().expect("an idx")))
    }

    fn decisions_up_to(&self, up_to: (u64, u64)) -> Vec<Value> {
        let told = self.node.decisions(self.last.0, up_to).into_iter();
        told.filter(|told| told["workspace"] == "acme").collect()
    }

    /// The whole quarter of an hour, and the one after: what the reports over HTTP are about too.
    fn range(decisions: &[Value]) -> (String, String) {
        let first = decisions[0]["time"].as_str().and_then(parse_timestamp).expect("a time");
        let from = first / 900_000 * 900_000;
        (timestamp(from), timestamp(from + 1_800_000))
    }

    fn review(&self, more: &[&str]) -> Output {
        review(self.node.folder.path(), more)
    }

    /// The figures, and the page.
    fn figures(&self, (from, to): &(String, String)) -> (Value, String) {
        let folder = &self.node.folder;
        let done = self.review(&["--from", from, "--to", to, "--html", "page.html", "--json", "figures.json"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let text = |name: &str| std::fs::read_to_string(folder.file(name)).expect("it was written");
        let figures = serde_json::from_str(&text("figures.json")).expect("it is JSON");
        (figures, text("page.html"))
    }
}

fn boss() -> Value {
    json!({"kind": "supervisor", "id": "boss"})
}

fn agent(id: &str) -> Value {
    json!({"kind": "agent", "id": id})
}

fn review(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strowger"))
        .arg("review")
        .args(more)
        .current_dir(folder)
        .output()
        .expect("it starts")
}

/// What the decisions say, counted here, of entries by queue: entries, answered, in time, late, abandoned.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Entries {
    entries: u64,
    answered: u64,
    in_time: u64,
    late: u64,
    abandoned: u64,
}

fn entries_by_queue(decisions: &[Value], known_until: u64) -> BTreeMap<String, Entries> {
    let ms = |value: &Value| value.as_str().and_then(parse_timestamp).expect("a time");
    let mut waiting: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut found: BTreeMap<String, Entries> = BTreeMap::new();
    for told in decisions {
        let data = &told["data"];
        let (Some(kind), Some(id)) = (told["type"].as_str(), data["conversation"].as_str()) else { continue };
        let queue = data["queue"].as_str().unwrap_or_default().to_string();
        match kind.trim_start_matches("strowger.conversation.") {
            "queued" => {
                found.entry(queue.clone()).or_default().entries += 1;
                waiting.insert(id.into(), (queue, ms(&data["queued_at"])));
            }
            end @ ("assigned" | "abandoned" | "resolved") => {
                let Some((queue, _)) = waiting.remove(id) else { continue };
                let late = ms(&told["time"]) - ms(&data["queued_at"]) > T_MS;
                let entries = found.entry(queue).or_default();
                entries.late += u64::from(late);
                entries.answered += u64::from(end == "assigned");
                entries.in_time += u64::from(end == "assigned" && !late);
                entries.abandoned += u64::from(end == "abandoned");
            }
            _ => {}
        }
    }
    for (queue, queued_at) in waiting.into_values() {
        found.entry(queue).or_default().late += u64::from(known_until - queued_at > T_MS);
    }
    found
}

fn count(decisions: &[Value], kind: &str, fits: impl Fn(&Value) -> bool) -> u64 {
    let kind = format!("strowger.{kind}");
    decisions.iter().filter(|told| told["type"] == kind.as_str() && fits(&told["data"])).count() as u64
}

/// All of a review that decisions alone say, counted a second time.
fn judge(figures: &Value, decisions: &[Value]) {
    let known_until = figures["journal"]["known_until"].as_str().and_then(parse_timestamp).expect("a time");
    let expected = entries_by_queue(decisions, known_until);
    let number = |value: &Value| value.as_u64().expect("a count");
    let of = |group: &Value| Entries {
        entries: number(&group["entries"]),
        answered: number(&group["answered"]),
        in_time: number(&group["answered_in_time"]),
        late: number(&group["late"]),
        abandoned: number(&group["abandoned"]),
    };
    let groups = |name: &str| figures[name].as_array().expect("groups").clone();
    let found: BTreeMap<String, Entries> = groups("by_queue")
        .iter()
        .map(|group| (group["name"].as_str().expect("a name").to_string(), of(group)))
        .filter(|(_, entries)| entries.entries > 0)
        .collect();
    assert_eq!(found, expected);
    let sum = |groups: &[Value], what: &str| groups.iter().map(|group| number(&group[what])).sum::<u64>();
    for what in ["entries", "answered_in_time", "late", "abandoned", "handled"] {
        for name in ["by_queue", "by_channel", "by_tier"] {
            assert_eq!(sum(&groups(name), what), number(&figures["all"][what]), "{what} {name}");
        }
    }
    let any = |_: &Value| true;
    assert_eq!(sum(&groups("by_agent"), "assigned"), count(decisions, "conversation.assigned", any));
    let missed = count(decisions, "conversation.resolved", |data| data["reason"] == "missed");
    assert_eq!((number(&figures["missed"]["total"]), missed), (1, 1));
    assert_eq!(number(&figures["collisions"]["total"]), count(decisions, "reply.collision", any));
    let handovers = count(decisions, "conversation.transferred", any);
    let without_note = count(decisions, "conversation.transferred", |data| data["has_note"] == false);
    assert_eq!((handovers, without_note), (2, 1));
    assert_eq!(number(&figures["handovers"]["total"]), handovers);
    assert_eq!(number(&figures["handovers"]["without_note"]), without_note);
    assert_eq!(number(&figures["reopens"]), count(decisions, "conversation.reopened", any));
    let escalated = count(decisions, "conversation.escalated", any);
    assert_eq!((sum(&groups("escalations"), "count"), escalated), (1, 1));
    let clock = &figures["all"]["clocks"]["first_response"];
    for (result, what) in [("met", "met"), ("missed", "missed")] {
        assert_eq!(
            number(&clock[what]),
            count(decisions, "clock.completed", |data| data["reason"] == result),
            "{what}"
        );
    }
    assert_eq!(number(&figures["slow"]["total"]), count(decisions, "clock.breached", any));
    assert_eq!(figures["closures"][0]["queue"], "calls");
    let lost = groups("lost_context");
    let cases: Vec<u64> = lost.iter().map(|lost| number(&lost["cases"]["total"])).collect();
    assert_eq!(cases, [1, 1, 0, 0], "one without a note, one who came again");
}

/// The running server counts the same by its own fold.
fn compare_with_the_reports(story: &Story, figures: &Value, (from, to): &(String, String)) {
    let answer = story.node.get(&format!("/v1/workspaces/acme/queues?from={from}&to={to}")).json();
    let queues = answer["queues"].as_array().expect("queues");
    assert_eq!(queues.len(), 2, "{answer}");
    for queue in queues {
        let report = &queue["report"];
        let group =
            figures["by_queue"].as_array().expect("groups").iter().find(|group| group["name"] == queue["queue"]);
        let group = group.expect("it is in the review");
        for what in
            ["entries", "answered_in_time", "abandoned", "excluded", "service_level", "asa_s", "handled", "clocks"]
        {
            assert_eq!(group[what], report[what], "{what} of {}", queue["queue"]);
        }
        for what in ["average_response_s", "first_resolution_s", "final_resolution_s"] {
            assert_eq!(group[what], report[what], "{what} of {}", queue["queue"]);
        }
    }
}

/// And of agents.
fn compare_with_the_agents_reports(story: &Story, figures: &Value, (from, to): &(String, String)) {
    let answer = story.node.get(&format!("/v1/workspaces/acme/agents?from={from}&to={to}")).json();
    for agent in answer["agents"].as_array().expect("agents") {
        let of = |group: &&Value| group["name"] == agent["agent"];
        let group = figures["by_agent"].as_array().expect("groups").iter().find(of).expect("he is in the review");
        for what in ["assigned", "handled", "replied", "resolved", "average_response_s"] {
            assert_eq!(group[what], agent["report"][what], "{what} of {}", agent["agent"]);
        }
    }
}

fn escaped(text: &str) -> String {
    let amp = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    amp.replace('"', "&quot;").replace('\'', "&#39;")
}

fn percent(share: &Value) -> String {
    share.as_f64().map_or("–".into(), |share| format!("{:.1} %", share * 100.0))
}

/// The page is for itself, and its numbers are those of the JSON.
fn look_at(page: &str, figures: &Value) {
    for outside in ["http://", "https://", "//cdn", "<script", "<img", "<b>bob", "@import", "url(", "<link", "src="] {
        let is_name = outside == "src=";
        let text = if is_name { page.replace(&escaped(EVIL_QUEUE), "") } else { page.into() };
        assert!(!text.contains(outside), "{outside} is in the page");
    }
    for name in [EVIL_AGENT, EVIL_QUEUE, EVIL_CUSTOMER] {
        assert!(page.contains(&escaped(name)), "{name} is not in the page");
    }
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("<tr><td>")).collect();
    for group in figures["by_queue"].as_array().expect("groups") {
        let name = escaped(group["name"].as_str().expect("a name"));
        let row = rows.iter().find(|row| row.starts_with(&format!("<tr><td>{name}</td>"))).expect("its row");
        for what in ["service_level", "goal", "abandonment"] {
            assert!(row.contains(&percent(&group[what])), "{what}: {row}");
        }
        for what in ["entries", "answered", "late"] {
            assert!(row.contains(&format!(">{}</td>", group[what])), "{what}: {row}");
        }
    }
    assert!(page.contains(&format!("<b>{}</b> entries into queues", figures["all"]["entries"])));
    assert!(page.contains(&format!("<b>{}</b> slow", figures["slow"]["total"])));
    for missed in figures["missed"]["shown"].as_array().expect("a list") {
        assert!(page.contains(&format!("<td>{}</td>", missed["conversation"].as_str().expect("an id"))));
    }
}

fn records(journal: &Path) -> Vec<(i64, i64, Vec<u8>)> {
    let connection = rusqlite::Connection::open(journal).expect("a journal");
    let mut rows = connection.prepare("SELECT shard, offset, hash FROM journal ORDER BY 1, 2").expect("its table");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("its rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn a_review_says_what_the_decisions_say_while_a_server_runs_and_after_it() {
    let mut story = Story::play("review", &JournalAt::Embedded);
    let decisions = story.decisions();
    let range = Story::range(&decisions);
    let (figures, page) = story.figures(&range);
    let decisions = story.decisions_of(&figures);
    judge(&figures, &decisions);
    compare_with_the_reports(&story, &figures, &range);
    compare_with_the_agents_reports(&story, &figures, &range);
    look_at(&page, &figures);

    assert!(story.node.terminate().success());
    let journal = story.node.folder.file("journal.db");
    let before = records(&journal);
    let files = |folder: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).expect("the test's folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let there = files(story.node.folder.path());
    let (after, _) = story.figures(&range);
    judge(&after, &decisions);
    let new: Vec<String> = files(story.node.folder.path()).difference(&there).cloned().collect();
    assert!(new.iter().all(|name| name.ends_with("-shm") || name.ends_with("-wal")), "{new:?}");
    assert_eq!(records(&journal), before, "it only reads");
    // What SQLite leaves beside a journal that was read is in nobody's way.
    story.node.start();
    let printed = story.review(&["--from", &range.0, "--to", &range.1, "--json", "-"]);
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("nothing but JSON on standard output");
    for what in ["all", "by_agent", "lost_context", "handovers", "missed"] {
        assert_eq!(printed[what], after[what], "{what}: the same journal, the same review");
    }
}

#[test]
fn what_a_review_cannot_do_is_said_in_a_sentence() {
    let mut node = Node::prepared("review-refused", &JournalAt::Embedded, None);
    let refused = |node: &Node, more: &[&str], what: &str| {
        let done = review(node.folder.path(), more);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{more:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(what), "{more:?}: {said}");
    };
    let week = ["--from", "2026-11-16", "--to", "2026-11-23"];
    let with = |more: &[&'static str]| [&week[..], more].concat();
    refused(&node, &["--from", "2026-11-23", "--to", "2026-11-16"], "--to has to be later than --from");
    refused(&node, &["--from", "monday", "--to", "2026-11-16"], "--from: \"monday\" is no time");
    refused(&node, &with(&["--zone", "Berlin"]), "did you mean `Europe/Berlin`?");
    refused(&node, &with(&["--config", "none.toml"]), "none.toml");
    refused(&node, &week, "there is no journal at journal.db");
    assert!(!node.folder.file("journal.db").exists(), "it makes none either");
    node.folder.write("journal.db", "no database");
    refused(&node, &week, "journal.db is no journal");
    std::fs::remove_file(node.folder.file("journal.db")).expect("it was written just now");
    node.start();
    refused(&node, &week, "the journal has no workspace yet");
    for workspace in ["acme", "other"] {
        let policy = json!({"version": 1, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
        node.settle(&event_in(workspace, "policy", "workspace.configure", policy));
    }
    refused(&node, &with(&["--workspace", "acmee"]), "no workspace \"acmee\"; there are: acme, other");
    refused(&node, &week, "say --workspace; there are: acme, other");
    let done = review(node.folder.path(), &with(&["--workspace", "other"]));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.starts_with("review.html: workspace other, "), "{said}");
    assert!(node.folder.file("review.html").exists());
}

#[test]
fn a_review_reads_the_journal_on_kafka() {
    let Some(bootstrap) = kafka_or_skip("a review reads the journal on Kafka") else { return };
    let prefix = format!("review-{}", std::process::id());
    let story = Story::play("review-kafka", &JournalAt::Kafka(bootstrap, prefix));
    let decisions = story.decisions();
    let range = Story::range(&decisions);
    let (figures, page) = story.figures(&range);
    let decisions = story.decisions_of(&figures);
    judge(&figures, &decisions);
    look_at(&page, &figures);
}
