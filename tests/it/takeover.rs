//! Two nodes on one Kafka journal: who has lost a shard stops showing its figures before the other one shows them.

use crate::node::{JournalAt, Node, event, kafka_or_skip};
use crate::on_kafka::OnKafka;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(60);

/// What a scrape says of the waiting in `acme` and of each shard's ownership, by series; nothing of a node that is not up yet.
fn figures(url: &str) -> BTreeMap<String, f64> {
    let Ok(mut answer) = ureq::get(url).call() else { return BTreeMap::new() };
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let is_wanted = |line: &&str| {
        line.starts_with("strowger_shard_owned{") || line.starts_with(r#"strowger_queue_waiting{workspace="acme""#)
    };
    let samples = text.lines().filter(is_wanted).filter_map(|line| line.rsplit_once(' '));
    samples.map(|(series, value)| (series.to_string(), value.parse().expect("a number"))).collect()
}

fn waiting(figures: &BTreeMap<String, f64>) -> Option<f64> {
    let mut of_queues = figures.iter().filter(|(series, _)| series.starts_with("strowger_queue_waiting")).peekable();
    of_queues.peek()?;
    Some(of_queues.map(|(_, value)| value).sum())
}

fn shard_owned(figures: &BTreeMap<String, f64>) -> impl Iterator<Item = &str> {
    let owned = figures.iter().filter(|(series, value)| series.starts_with("strowger_shard_owned") && **value == 1.0);
    owned.map(|(series, _)| series.as_str())
}

/// As `scrape_interval_s` of the tests' nodes: a Prometheus that asks so often has each node's last answer for as long.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// What two nodes answer, held as a Prometheus holds it before it sums.
#[derive(Default)]
struct Seen {
    rounds: usize,
    before: usize,
    after: usize,
    /// By figure and node: when it was shown last.
    last: BTreeMap<(String, bool), Instant>,
    twice: Vec<String>,
}

impl Seen {
    fn look(&mut self, old: &str, new: &str) {
        self.rounds += 1;
        for (is_new, url) in [(false, old), (true, new)] {
            let figures = figures(url);
            let is_shown = waiting(&figures).is_some();
            *(if is_new { &mut self.after } else { &mut self.before }) += usize::from(is_shown);
            let shown = shard_owned(&figures).map(str::to_string).chain(is_shown.then(|| "waiting".to_string()));
            for figure in shown {
                let held = self.last.get(&(figure.clone(), !is_new)).filter(|at| at.elapsed() < SCRAPE_INTERVAL);
                if let Some(at) = held {
                    self.twice.push(format!(
                        "{figure}: {:?} after the other node, round {}",
                        at.elapsed(),
                        self.rounds
                    ));
                }
                self.last.insert((figure, is_new), Instant::now());
            }
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
    assert_eq!(waiting(&figures(&old)), Some(3.0));

    let (seen, is_over) = (Mutex::new(Seen::default()), AtomicBool::new(false));
    let sent = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                seen.lock().expect("nobody panics with it").look(&old, &new);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let _over = Over(&is_over);
        other.start();
        // What it does keeps the shard its own: who sees another one at work does not claim.
        let deadline = Instant::now() + WITHIN;
        let mut sent = 3;
        while waiting(&figures(&new)) != Some(sent as f64) {
            assert!(Instant::now() < deadline, "the new owner shows nothing:\n{}", other.log());
            // Refused while the old one has claimed once more; the log goes on from what was taken.
            sent += usize::from(other.send(&contact(sent)).status == 200);
            std::thread::sleep(Duration::from_millis(100));
        }
        sent
    });
    let seen = seen.into_inner().expect("nobody panics with it");
    assert_eq!(seen.twice, [""; 0], "of {} rounds", seen.rounds);
    let counts = (seen.rounds, seen.before, seen.after);
    assert!(seen.before > 0 && seen.after > 0 && sent > 3, "rounds, shown before and after: {counts:?}");
    assert_eq!(waiting(&figures(&old)), None, "{}", on.node.log());
}
