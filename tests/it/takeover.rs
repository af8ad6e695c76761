//! Two nodes on one Kafka journal: who has lost a shard stops showing its figures before the other one shows them.

use crate::node::{JournalAt, Node, event, kafka_or_skip};
use crate::on_kafka::OnKafka;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(60);

/// How many wait in `acme` by what a node shows; none of a node that is not up yet, or shows nothing of it.
fn waiting(url: &str) -> Option<f64> {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build();
    let text = config.new_agent().get(url).call().ok()?.body_mut().read_to_string().ok()?;
    let of_acme = text.lines().filter(|line| line.starts_with(r#"strowger_queue_waiting{workspace="acme""#));
    let mut values = of_acme.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).peekable();
    values.peek()?;
    Some(values.sum())
}

/// As `scrape_interval_s` of the tests' nodes: a Prometheus that asks so often has each node's last answer for as long.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// What two nodes answer, held as a Prometheus holds it before it sums.
#[derive(Default)]
struct Seen {
    rounds: usize,
    /// Of the old and the new node: how often it showed who waits, and when last.
    shown: [usize; 2],
    last: [Option<Instant>; 2],
    twice: Vec<String>,
}

impl Seen {
    fn look(&mut self, urls: [&str; 2]) {
        self.rounds += 1;
        for (node, url) in urls.into_iter().enumerate() {
            if waiting(url).is_none() {
                continue;
            }
            let other = self.last[1 - node].filter(|at| at.elapsed() < SCRAPE_INTERVAL);
            self.twice
                .extend(other.map(|at| format!("{node} {:?} after the other, round {}", at.elapsed(), self.rounds)));
            self.shown[node] += 1;
            self.last[node] = Some(Instant::now());
        }
    }
}

/// Ends the looking on whatever happens beside it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_shard_that_changes_hands_is_never_shown_by_two_nodes() {
    let Some(bootstrap) = kafka_or_skip("a take-over between two nodes") else { return };
    let on = OnKafka::start("takeover", &bootstrap);
    let contact = |n: usize| {
        let conversation = format!("c{n}");
        event(&conversation, "contact.started", json!({"channel": "voice", "conversation": conversation}))
    };
    (0..3).for_each(|n| drop(on.node.settle(&contact(n))));
    let prefix = on.config.topics.events.trim_end_matches(".events").to_string();
    let mut other = Node::prepared("takeover-other", &JournalAt::Kafka(bootstrap, prefix), None);
    let (old, new) = (on.node.url("/metrics"), other.url("/metrics"));
    assert_eq!(waiting(&old), Some(3.0));

    let (seen, is_over) = (Mutex::new(Seen::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                seen.lock().expect("nobody panics with it").look([&old, &new]);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let _over = Over(&is_over);
        other.start();
        // What it does keeps the shard its own: who sees another one at work does not claim.
        let deadline = Instant::now() + WITHIN;
        let mut sent = 3;
        while waiting(&new) != Some(sent as f64) || seen.lock().expect("nobody panics with it").shown[1] < 20 {
            assert!(Instant::now() < deadline, "the new owner shows nothing:\n{}", other.log());
            // Refused while the old one has claimed once more; the log goes on from what was taken.
            sent += usize::from(other.send(&contact(sent)).status == 200);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let seen = seen.into_inner().expect("nobody panics with it");
    assert_eq!(seen.twice, [""; 0], "of {} rounds", seen.rounds);
    assert!(seen.shown[0] > 0, "the old one showed nothing in {} rounds", seen.rounds);
    assert_eq!(waiting(&old), None, "{}", on.node.log());
}
