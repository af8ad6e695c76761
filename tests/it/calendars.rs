//! Calendars of a workspace file on a running `serve`: their openings come with it, a restart says nothing new, and
//! `check` shows what is wrong with one.

use crate::node::{Folder, JournalAt, Node, event, kafka_or_skip};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 86_400;

/// Always open, but for some days around now.
fn workspace(closed_now: bool) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let date = |days: u64| {
        let ms = (now_s - 2 * DAY_S + days * DAY_S) * 1_000;
        format!("{{ date = \"{}\" }}", &connectors::codec::timestamp(ms)[..10])
    };
    let dates = if closed_now { (0..5).map(date).collect::<Vec<_>>().join(", ") } else { String::new() };
    format!(
        "workspace = \"acme\"\nversion = 1\n[[queue]]\nname = \"all\"\ncalendar = \"office\"\n[[rule]]\nqueue = \"all\"\n\
         [[calendar]]\nname = \"office\"\nzone = \"America/New_York\"\nopen = [\"mon-sun 00:00-24:00\"]\n\
         dates = [{dates}]\n[[agent]]\nid = \"ada\"\n"
    )
}

fn queue(node: &Node) -> Value {
    node.get("/v1/workspaces/acme/queues").json()["queues"][0].clone()
}

fn expansions(decisions: &[Value]) -> usize {
    decisions.iter().filter(|told| told["data"]["cause"]["source"] == "strowger").count()
}

/// Everything told of the workspace so far.
fn told(node: &Node, mark: &str) -> Vec<Value> {
    let outcome = node.settle(&event(mark, "customer.updated", json!({"customer": {"id": "cu"}})));
    let at = |name: &str| outcome["position"][name].as_u64().expect("a position");
    node.decisions(at("shard"), (at("seq"), at("idx")))
}

fn opens_closes_and_restarts(journal: &JournalAt, name: &str) {
    let mut node = Node::prepared(name, journal, Some(&workspace(true)));
    node.start();
    // Ready means that its hours are known.
    assert_eq!((&queue(&node)["open"], &queue(&node)["control"]), (&json!(false), &json!("none")));
    let metrics = node.get("/metrics").text;
    let open = metrics.lines().find(|line| line.starts_with("strowger_queue_open{")).expect("the metric");
    assert!(open.ends_with(" 0"), "{open}");
    let before = told(&node, "first");
    let closed = |told: &&Value| told["type"] == "strowger.queue.changed" && told["data"]["reason"] == "closed";
    assert_eq!(before.iter().filter(closed).count(), 1, "{before:#?}");
    let count = expansions(&before);
    assert!(node.terminate().success());
    node.start();
    // Longer than it takes to look again.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(expansions(&told(&node, "second")), count, "a restart has nothing to say");
    assert_eq!(queue(&node)["open"], json!(false));
}

#[test]
fn a_queue_closes_by_its_calendar_and_a_restart_says_nothing_new() {
    opens_closes_and_restarts(&JournalAt::Embedded, "calendars");
}

#[test]
fn on_kafka_the_openings_go_the_way_of_all_events() {
    let Some(bootstrap) = kafka_or_skip("on_kafka_the_openings_go_the_way_of_all_events") else { return };
    let prefix = format!("calendars-{}", std::process::id());
    opens_closes_and_restarts(&JournalAt::Kafka(bootstrap, prefix), "calendars-kafka");
}

#[test]
fn a_queue_is_open_while_its_calendar_is() {
    let mut node = Node::prepared("calendars-open", &JournalAt::Embedded, Some(&workspace(false)));
    node.start();
    assert_eq!(queue(&node)["open"], json!(true));
}

#[test]
fn check_shows_a_calendar_that_never_opens_again_and_a_zone_that_is_none() {
    let folder = Folder::new("check-calendars");
    let text = workspace(false)
        .replace("America/New_York", "Europe/Berln")
        .replace("[[agent]]", "[[calendar]]\nname = \"past\"\nzone = \"UTC\"\ndates = [{ date = \"2020-02-02\", open = [\"09:00-12:00\"] }]\n[[agent]]");
    let path = folder.write("w.toml", &text);
    let output = Command::new(env!("CARGO_BIN_EXE_strowger")).arg("check").arg(&path).output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    for part in [
        "calendar[0].zone: no time zone is named `Europe/Berln`",
        "w.toml:10:8",
        "did you mean `Europe/Berlin`?",
        "calendar[1].open: has no opening in the next 366 days",
        "w.toml:13:1",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}
