//! The workload's fold against an engine in this process, and the metrics of a running demo against a real Prometheus.

mod reports;
mod routing;

use crate::node::{Folder, free_port, program_or_skip};
use connectors::codec::{self, Decoder};
use engine::decision::{DecisionType, Told};
use engine::id::HashKey;
use engine::input::{Body, EventType, Input};
use engine::policy::{ClockLevel, Policy};
use engine::{BrokenPromise, Engine, Output};
use load_tests::service_level::Counts;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger::metrics::{Family, Kind, Scrape};
use strowger::workload::{AgentCounts, CommittedBatch, Judged, LabelBudget, Range, SharedShard, Views};

const KEY: HashKey = HashKey(0x5eed);
const START: u64 = 1_764_000_000_000;
const DASHBOARDS: [&str; 5] = [
    include_str!("../../grafana/dashboards/wallboard.json"),
    include_str!("../../grafana/dashboards/queues.json"),
    include_str!("../../grafana/dashboards/agents.json"),
    include_str!("../../grafana/dashboards/sla.json"),
    include_str!("../../grafana/dashboards/engine.json"),
];
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/rules/*.yaml");
const QUERIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grafana/queries.py");
/// What records the series that the dashboards share.
const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/rules/recording.yaml");

/// An engine and the read side of its shard; each event is a committed record.
struct Rig {
    engine: Engine,
    decoder: Decoder,
    shard: SharedShard,
    now: u64,
    seq: u64,
    serial: u64,
    records: Vec<Recorded>,
    /// Of the last record.
    judged: Vec<Judged>,
    told: Vec<Told>,
}

/// What a reader of the journal would see.
struct Recorded {
    seq: u64,
    now: u64,
    digest: u128,
    effects: Vec<u8>,
    decisions: Vec<u8>,
}

fn shared() -> SharedShard {
    SharedShard::new(0, KEY, Arc::new(Views::default()), LabelBudget::new(200))
}

impl Rig {
    fn new() -> Rig {
        let shard = shared();
        shard.metrics.owned.set(1);
        Rig {
            engine: Engine::new(KEY),
            decoder: Decoder::new(KEY),
            shard,
            now: START,
            seq: 0,
            serial: 0,
            records: Vec::new(),
            judged: Vec::new(),
            told: Vec::new(),
        }
    }

    /// With workspace `acme`: queues `calls` (rule channel voice) and `mail`, tiers vip and basic, agents as given.
    fn configured(agents: &[(&str, u32)]) -> Rig {
        let mut rig = Rig::new();
        rig.send(
            "workspace.configure",
            json!({
                "version": 1,
                "tier": {"vip": {"head_start_s": 90}, "basic": {"head_start_s": 0}},
                "queue": [{"name": "calls", "service_level_s": 20}, {"name": "mail", "service_level_s": 60}],
                "rule": [{"when": {"channel": "voice"}, "queue": "calls"}, {"queue": "mail"}],
            }),
        );
        for (agent, units) in agents {
            rig.send("agent.configure", json!({"agent": agent, "units": units, "team": "north"}));
        }
        rig
    }

    fn send(&mut self, event_type: &str, data: Value) {
        self.serial += 1;
        let id = self.serial.to_string();
        self.send_as(&id, event_type, data);
    }

    fn send_as(&mut self, id: &str, event_type: &str, data: Value) {
        let event = json!({"specversion": "1.0", "id": id, "source": "test", "type": event_type, "workspace": "acme", "data": data});
        let input = self.decoder.decode(event.to_string().as_bytes()).expect("a good event");
        self.send_input(&input);
    }

    /// The policy in force, changed, as the next version.
    fn change_policy(&mut self, change: impl FnOnce(&mut Policy)) {
        let mut policy = self.policy();
        policy.version += 1;
        change(&mut policy);
        let version = policy.version;
        let body = Body::WorkspaceConfigure { policy: Box::new(policy), expected_version: None };
        let input = Input { event_type: EventType::WorkspaceConfigure, body, ..self.any_input() };
        self.send_input(&input);
        assert_eq!(self.policy().version, version, "the engine takes it");
    }

    fn policy(&self) -> Policy {
        let workload = self.shard.read();
        workload.replica().workspace("acme").expect("it is configured").policy.clone()
    }

    /// One with an id of its own, whose type and body are to be set.
    fn any_input(&mut self) -> Input {
        self.serial += 1;
        let data = json!({"agent": "nobody", "status": "online"});
        let event = json!({"specversion": "1.0", "id": self.serial.to_string(), "source": "test", "type": "agent.presence",
            "workspace": "acme", "data": data});
        self.decoder.decode(event.to_string().as_bytes()).expect("a good event")
    }

    fn send_input(&mut self, input: &Input) {
        self.record(|engine, now, output| {
            let answer = engine.step(input, now, output);
            Judged::of(input, &answer)
        });
        self.wake();
    }

    /// What `decide` does becomes one committed record.
    fn record(&mut self, decide: impl FnOnce(&mut Engine, u64, &mut Output) -> Option<Judged>) {
        self.seq += 1;
        let mut output = Output::default();
        output.begin(self.seq);
        let judged: Vec<Judged> = decide(&mut self.engine, self.now, &mut output).into_iter().collect();
        let digest = self.engine.seal();
        self.told = codec::decisions(&output.decisions).expect("our own bytes");
        let record = batch(self.seq, self.now, digest, &output.effects, &self.told, &judged, true);
        self.shard.write().commit(&record).expect("replica and engine agree");
        self.judged = judged;
        let Output { effects, decisions, .. } = output;
        self.records.push(Recorded { seq: self.seq, now: self.now, digest, effects, decisions });
    }

    /// Everything that is due now, each tick a record of its own.
    fn wake(&mut self) {
        while self.engine.wants_tick_at().is_some_and(|at| at <= self.now) {
            self.record(|engine, now, output| {
                engine.tick(now, output);
                None
            });
        }
    }

    /// Time passes, and what falls due on the way happens at its time.
    fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1_000);
    }

    fn pass_ms(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) = self.engine.wants_tick_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.wake();
        }
        self.now = end;
    }

    /// The id of the offer made last.
    fn last_offer(&self) -> String {
        let records = self.records.iter().rev();
        let told =
            records.flat_map(|record| codec::decisions(&record.decisions).expect("our own bytes").into_iter().rev());
        let offered = told.into_iter().find(|told| told.decision_type == DecisionType::ConversationOffered);
        offered.and_then(|told| told.detail).map_or_else(|| "0".into(), |detail| detail.offer.to_string())
    }

    fn call(&mut self, id: &str, tier: &str) {
        self.send(
            "contact.started",
            json!({"channel": "voice", "conversation": id, "customer": {"id": id, "tier": tier}}),
        );
    }

    fn online(&mut self, agent: &str) {
        self.send("agent.presence", json!({"agent": agent, "status": "online"}));
    }

    fn samples(&self) -> Samples {
        Samples::of(&text(&self.shard, self.now))
    }
}

fn batch<'a>(
    seq: u64,
    now: u64,
    digest: u128,
    effects: &'a [u8],
    decisions: &'a [Told],
    judged: &'a [Judged],
    live: bool,
) -> CommittedBatch<'a> {
    let (hash, prev_decision, dead_letters, received_at) = ([0; 32], None, &[][..], None);
    CommittedBatch {
        shard: 0,
        seq,
        now,
        digest,
        hash,
        prev_decision,
        effects,
        decisions,
        judged,
        dead_letters,
        live,
        received_at,
    }
}

/// All reports of `acme` as they are at `now`, by queue and by agent.
fn reports(shard: &SharedShard, now: u64, range: Range) -> (BTreeMap<String, Counts>, BTreeMap<String, AgentCounts>) {
    let mut workload = shard.write();
    workload.settle("acme", now).expect("it is configured");
    let agents: Vec<String> = {
        let acme = workload.replica().workspace("acme").expect("it is configured");
        acme.agents().into_iter().map(|agent| agent.id.into()).collect()
    };
    let of_agents = workload.agent_reports("acme", range, agents.iter().map(String::as_str));
    let of_queues = workload.queue_reports("acme", range);
    let agents = of_agents.into_iter().map(|(agent, counts)| (agent.into(), counts)).collect();
    (of_queues.into_iter().map(|(queue, counts)| (queue.into(), counts)).collect(), agents)
}

const EVER: Range = Range { from: 0, to: 1 << 50 };

fn text(shard: &SharedShard, now: u64) -> String {
    let mut scrape = Scrape::default();
    shard.collect(now, &mut scrape);
    let mut text = String::new();
    scrape.text(&mut text);
    text
}

/// Samples of a text, by series.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    fn of(text: &str) -> Samples {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let pairs = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("series and value");
            (series.to_string(), value.parse().expect("a number"))
        });
        Samples(pairs.collect())
    }

    /// The sum of a family over the series that have all these labels.
    fn sum(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let of_family = self.0.iter().filter(|(series, _)| {
            series.split('{').next() == Some(family) && wanted.iter().all(|label| series.contains(label.as_str()))
        });
        of_family.map(|(_, value)| value).sum()
    }

    fn has(&self, family: &str, labels: &[(&str, &str)]) -> bool {
        let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        self.0
            .keys()
            .any(|s| s.split('{').next() == Some(family) && wanted.iter().all(|label| s.contains(label.as_str())))
    }
}

#[test]
fn what_the_policy_can_fill_stands_at_zero_and_histograms_wait_for_a_sample() {
    let samples = Rig::configured(&[("ada", 1)]).samples();
    for (family, label) in [
        ("strowger_queue_entries_total", ("reason", "reopen")),
        ("strowger_queue_exits_total", ("outcome", "abandoned")),
        ("strowger_service_level_contacts_total", ("verdict", "late")),
        ("strowger_queue_waiting", ("tier", "none")),
    ] {
        for tier in ["vip", "basic", "none"] {
            let labels = [("queue", "calls"), ("channel", "voice"), ("tier", tier), label];
            let labels = if label.0 == "tier" { &labels[..3] } else { &labels[..] };
            assert!(samples.has(family, labels), "{family} {labels:?}");
            assert_eq!(samples.sum(family, labels), 0.0);
        }
    }
    assert!(samples.has("strowger_assignments_total", &[("queue", "mail"), ("channel", "email"), ("kind", "claim")]));
    assert!(samples.has("strowger_events_total", &[("type", "agent.presence"), ("result", "ignored")]));
    assert!(samples.has("strowger_agents", &[("team", "north"), ("state", "away")]));
    assert_eq!(samples.sum("strowger_agents", &[("team", "north"), ("state", "offline")]), 1.0);
    assert!(!samples.0.keys().any(|series| series.starts_with("strowger_queue_wait_seconds")));
}

#[test]
fn a_day_in_the_life_of_a_queue_is_counted_to_the_last_contact() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    rig.online("ada");
    rig.call("c1", "vip");
    rig.call("c2", "basic");
    rig.call("c3", "basic");
    rig.call("c4", "basic");
    rig.pass(3);
    rig.send("contact.ended", json!({"conversation": "c4", "by": "customer"}));
    rig.pass(7);
    rig.send("contact.ended", json!({"conversation": "c3", "by": "customer"}));
    rig.pass(30);
    // c2 has waited 40 s of the 20 that were promised.
    rig.send("conversation.resolve", json!({"conversation": "c1"}));
    rig.pass(5);
    let samples = rig.samples();
    let sum = |family: &str, labels: &[(&str, &str)]| samples.sum(&format!("strowger_{family}"), labels);
    assert_eq!(sum("queue_entries_total", &[("queue", "calls"), ("reason", "new")]), 4.0);
    for (outcome, count) in [("answered", 2.0), ("abandoned", 1.0), ("short_abandoned", 1.0), ("closed", 0.0)] {
        assert_eq!(sum("queue_exits_total", &[("queue", "calls"), ("outcome", outcome)]), count, "{outcome}");
    }
    for (verdict, count) in [("within", 1.0), ("late", 1.0), ("abandoned", 1.0), ("excluded", 1.0)] {
        assert_eq!(sum("service_level_contacts_total", &[("verdict", verdict)]), count, "{verdict}");
    }
    assert_eq!(sum("assignments_total", &[("kind", "auto")]), 2.0);
    assert_eq!(sum("conversations_ended_total", &[("reason", "resolved")]), 1.0);
    assert_eq!(sum("queue_wait_seconds_count", &[("outcome", "answered")]), 2.0);
    assert_eq!(sum("queue_wait_seconds_sum", &[("outcome", "answered")]), 40.0);
    assert_eq!(sum("queue_wait_seconds_sum", &[("outcome", "abandoned")]), 10.0);
    assert_eq!(sum("handle_seconds_sum", &[("part", "work")]), 40.0);
    assert_eq!(sum("conversations", &[("state", "our_turn")]), 1.0);
    assert_eq!(sum("capacity_units", &[("channel", "voice"), ("kind", "work")]), 1.0);
    assert_eq!(sum("capacity_unit_seconds_total", &[("kind", "work")]), 45.0);
    assert_eq!(sum("capacity_unit_seconds_total", &[("kind", "online")]), 45.0);
    assert_eq!(sum("agent_state_seconds_total", &[("state", "full")]), 45.0);
    assert_eq!(sum("agents_by_load", &[("load", "le_100")]), 1.0);
    assert_eq!(sum("events_total", &[("type", "contact.started"), ("result", "applied")]), 4.0);
}

#[test]
fn agents_are_told_by_name_up_to_a_cap_and_the_others_as_one() {
    let mut rig = Rig::configured(&[("ada", 1), ("bela", 2), ("cleo", 2)]);
    for (agent, call) in [("ada", "c1"), ("bela", "c2"), ("cleo", "c3")] {
        rig.online(agent);
        rig.call(call, "vip");
    }
    rig.pass(10);
    rig.send("conversation.resolve", json!({"conversation": "c1", "actor": {"kind": "agent", "id": "ada"}}));
    let told = |rig: &Rig, max: usize| {
        let mut scrape = Scrape::default();
        rig.shard.collect_agents(rig.now, max, &mut scrape);
        Samples::of(&strowger::metrics::render_alone(&scrape))
    };
    let all = told(&rig, 3);
    for agent in ["ada", "bela", "cleo"] {
        let labels = [("workspace", "acme"), ("team", "north"), ("agent", agent)];
        assert_eq!(all.sum("strowger_agent_assigned_total", &labels), 1.0, "{agent}");
        let is_over = f64::from(u8::from(agent == "ada"));
        assert_eq!(all.sum("strowger_agent_handled_total", &labels), is_over, "{agent}");
        assert_eq!(all.sum("strowger_agent_resolved_total", &labels), is_over, "{agent}");
        assert_eq!(all.sum("strowger_agent_unit_seconds_total", &labels), 10.0, "{agent}");
    }
    let capped = told(&rig, 1);
    assert_eq!(capped.sum("strowger_agent_assigned_total", &[("agent", "ada")]), 1.0);
    assert_eq!(capped.sum("strowger_agent_assigned_total", &[("agent", "other"), ("team", "other")]), 2.0);
    assert!(!capped.has("strowger_agent_assigned_total", &[("agent", "bela")]));
    assert_eq!(capped.sum("strowger_agent_unit_seconds_total", &[]), all.sum("strowger_agent_unit_seconds_total", &[]));
    // Nothing of them is in what Prometheus scrapes every few seconds.
    assert!(!rig.samples().0.keys().any(|series| series.starts_with("strowger_agent_assigned")));
}

#[test]
fn what_waits_is_shown_by_cause_and_age_and_the_same_event_again_as_a_duplicate() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    rig.call("c1", "vip");
    rig.pass(400);
    rig.call("c2", "vip");
    rig.send_as("3", "contact.started", json!({"channel": "voice", "conversation": "c1"}));
    let samples = rig.samples();
    assert_eq!(samples.sum("strowger_queue_waiting", &[("queue", "calls"), ("tier", "vip")]), 2.0);
    assert_eq!(samples.sum("strowger_queue_oldest_wait_seconds", &[("queue", "calls")]), 400.0);
    assert_eq!(samples.sum("strowger_queue_waiting_by_cause", &[("cause", "nobody_online")]), 2.0);
    assert_eq!(samples.sum("strowger_unanswered", &[("age", "le_5m")]), 1.0);
    assert_eq!(samples.sum("strowger_unanswered", &[("age", "le_30m")]), 1.0);
    assert_eq!(samples.sum("strowger_events_total", &[("result", "duplicate")]), 1.0);
    assert_eq!(samples.sum("strowger_events_total", &[("type", "contact.started"), ("result", "applied")]), 2.0);
}

/// Random events of a small workspace; the fold's own assertions check the balance at every publish.
fn history(rig: &mut Rig, seed: u64, length: usize) {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..length {
        let conversation = format!("c{}", rng.random_range(0..12));
        let agent = ["ada", "bela", "carla"][rng.random_range(0..3)];
        let tier = ["vip", "basic", "unheard"][rng.random_range(0..3)];
        let named = json!({"conversation": conversation});
        let contact = |channel: &str| json!({"conversation": conversation, "channel": channel, "customer": {"id": conversation, "tier": tier}});
        rig.pass_ms(rng.random_range(0..30_000));
        match rng.random_range(0..12) {
            0..=2 => rig.send("contact.started", contact(["voice", "chat"][rng.random_range(0..2)])),
            3..=4 => {
                let mut data = contact("email");
                data["message"] = json!({"id": "m", "kind": "text"});
                rig.send("message.received", data);
            }
            5 => rig.send("contact.ended", named),
            6 => {
                let status = ["online", "away", "offline"][rng.random_range(0..3)];
                rig.send("agent.presence", json!({"agent": agent, "status": status}));
            }
            7 => rig.online(agent),
            8..=9 => rig.send("conversation.resolve", named),
            10 => rig.send("conversation.claim", json!({"conversation": conversation, "agent": agent})),
            _ => {
                let actor = json!({"kind": "supervisor", "id": "s"});
                rig.send(
                    "conversation.assign",
                    json!({"conversation": conversation, "agent": agent, "reason": "r", "actor": actor}),
                );
            }
        }
        assert_eq!(rig.shard.read().imbalance(), None, "SEED={seed}");
    }
}

/// A changed policy: other tiers, one queue gone, units by default.
fn reconfigure(rig: &mut Rig) {
    rig.send(
        "workspace.configure",
        json!({
            "version": 2, "default_units": 2, "tier": {"gold": {"head_start_s": 5}},
            "queue": [{"name": "everything", "service_level_s": 5}, {"name": "mail"}],
            "rule": [{"when": {"channel": "email"}, "queue": "mail"}, {"queue": "everything"}],
        }),
    );
}

#[test]
fn entries_minus_exits_is_the_change_of_what_waits_and_recovery_counts_nothing() {
    for seed in 0..40 {
        let mut rig = Rig::configured(&[("ada", 1), ("bela", 3), ("carla", 2)]);
        history(&mut rig, seed, 60);
        reconfigure(&mut rig);
        assert_eq!(rig.shard.read().imbalance(), None, "SEED={seed}");
        history(&mut rig, seed + 1_000, 60);
        assert_recovery_shows_the_same(&rig, seed);
    }
}

/// Read from its journal, a shard shows the same gauges, and has counted nothing.
fn assert_recovery_shows_the_same(rig: &Rig, seed: u64) {
    let live = rig.samples();
    let recovered = shared();
    recovered.metrics.owned.set(1);
    recover(&recovered, &rig.records, None);
    assert_eq!(recovered.read().imbalance(), None, "SEED={seed}");
    let again = Samples::of(&text(&recovered, rig.now));
    for family in Family::ALL.iter().filter(|family| family.kind() == Kind::Counter) {
        assert_eq!(again.sum(family.name(), &[]), 0.0, "SEED={seed}: recovery counted {}", family.name());
    }
    for gauge in [
        "queue_waiting",
        "queue_waiting_by_cause",
        "queue_open",
        "agents",
        "agents_by_load",
        "capacity_units",
        "conversations",
        "unanswered",
        "queue_agents",
        "sources_suspect",
        "clocks",
    ] {
        let of = |samples: &Samples| -> Vec<(String, f64)> {
            let name = format!("strowger_{gauge}{{");
            let of_family = samples.0.iter().filter(|(series, value)| series.starts_with(&name) && **value > 0.0);
            of_family.map(|(series, value)| (series.clone(), *value)).collect()
        };
        assert_eq!(of(&live), of(&again), "SEED={seed}");
    }
    assert_eq!(reports(&rig.shard, rig.now, EVER), reports(&recovered, rig.now, EVER), "SEED={seed}");
    assert_every_entry_is_judged_once(rig, seed);
}

/// Of every queue's entries each is in one class, but for those who wait and for whom T has not passed.
fn assert_every_entry_is_judged_once(rig: &Rig, seed: u64) {
    let (queues, _) = reports(&rig.shard, rig.now, EVER);
    let workload = rig.shard.read();
    let acme = workload.replica().workspace("acme").expect("it is configured");
    let waiting: BTreeMap<String, u64> = acme
        .queues()
        .into_iter()
        .map(|queue| (queue.name.to_string(), queue.lines.iter().map(|line| line.waiting).sum()))
        .collect();
    for (queue, counts) in &queues {
        let judged = counts.answered_in_time + counts.abandoned_in_time + counts.excluded.sum() + counts.late;
        let open = counts.entries.checked_sub(judged);
        let waiting = waiting.get(queue).copied().unwrap_or(0);
        assert!(open.is_some_and(|open| open <= waiting), "SEED={seed}: {queue}, {waiting} wait: {counts:?}");
    }
    drop(workload);
    let late: u64 = queues.values().map(|counts| counts.late).sum();
    let samples = rig.samples();
    assert_eq!(
        samples.sum("strowger_service_level_contacts_total", &[("verdict", "late")]),
        late as f64,
        "SEED={seed}"
    );
}

#[test]
fn work_units_are_those_that_agents_use() {
    let mut rig = Rig::configured(&[("ada", 1), ("bela", 3), ("carla", 2)]);
    history(&mut rig, 77, 300);
    let used: u32 = {
        let workload = rig.shard.read();
        let acme = workload.replica().workspace("acme").expect("it is configured");
        acme.agents().iter().map(|agent| agent.units_used).sum()
    };
    assert_eq!(rig.samples().sum("strowger_capacity_units", &[("kind", "work")]), f64::from(used));
    let seconds = (rig.now - START) as f64 / 1e3;
    assert_eq!(rig.samples().sum("strowger_agent_state_seconds_total", &[]), 3.0 * seconds);
}

/// Reads the journal into a shard as recovery does; the batch of `ours` with what was judged, as after a lost ack.
fn recover(shard: &SharedShard, records: &[Recorded], ours: Option<(u64, &[Judged])>) {
    for Recorded { seq, now, digest, effects, decisions } in records {
        let told = codec::decisions(decisions).expect("our own bytes");
        let judged = ours.filter(|(at, _)| at == seq).map_or(&[][..], |(_, judged)| judged);
        let record = batch(*seq, *now, *digest, effects, &told, judged, false);
        shard.write().commit(&record).expect("recovery is the same state");
    }
}

#[test]
fn queues_keep_their_names_however_often_the_shard_is_read_anew() {
    let rig = Rig::configured(&[("ada", 1)]);
    let shard = SharedShard::new(0, KEY, Arc::new(Views::default()), LabelBudget::new(2));
    shard.metrics.owned.set(1);
    for _ in 0..4 {
        recover(&shard, &rig.records, None);
        let samples = Samples::of(&text(&shard, rig.now));
        assert!(samples.has("strowger_queue_waiting", &[("queue", "calls")]));
        assert!(samples.has("strowger_queue_waiting", &[("queue", "mail")]));
        assert!(!samples.has("strowger_queue_waiting", &[("queue", "other")]));
        shard.write().withdraw();
    }
}

#[test]
fn a_batch_whose_ack_was_lost_is_counted_when_the_journal_tells_of_it_and_no_time_before_it_is() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    rig.online("ada");
    rig.call("c1", "vip");
    rig.pass(60);
    rig.call("c2", "vip");
    let recovered = shared();
    recovered.metrics.owned.set(1);
    recover(&recovered, &rig.records, Some((rig.seq, &rig.judged)));
    assert_eq!(recovered.read().imbalance(), None);
    let samples = Samples::of(&text(&recovered, rig.now));
    let sum = |family: &str, labels: &[(&str, &str)]| samples.sum(&format!("strowger_{family}"), labels);
    assert_eq!(sum("events_total", &[]), 1.0);
    assert_eq!(sum("events_total", &[("type", "contact.started"), ("result", "applied")]), 1.0);
    assert_eq!(sum("queue_entries_total", &[("queue", "calls")]), 1.0);
    assert_eq!(sum("queue_exits_total", &[]), 0.0);
    assert_eq!(sum("agent_state_seconds_total", &[]), 0.0);
}

#[test]
fn dead_letters_are_events_too_one_series_of_all_shards_that_never_falls() {
    let shards = [shared(), shared()];
    let letters = [(7, "not_json".to_string()), (8, "too_large".to_string())];
    for shard in &shards {
        shard.metrics.owned.set(1);
        let (mut engine, mut output) = (Engine::new(KEY), Output::default());
        output.begin(1);
        letters.iter().for_each(|(offset, reason)| engine.dead_letter(*offset, reason, START, &mut output));
        let record = batch(1, START, engine.seal(), &output.effects, &[], &[], true);
        let record = CommittedBatch { dead_letters: &letters, ..record };
        shard.write().commit(&record).expect("replica and engine agree");
    }
    let counted = || {
        let mut scrape = Scrape::default();
        shards.iter().for_each(|shard| shard.collect(START, &mut scrape));
        let mut text = String::new();
        scrape.text(&mut text);
        let mut lines: Vec<String> = text.lines().filter(|line| line.contains("unknown")).map(str::to_string).collect();
        lines.sort_unstable();
        lines
    };
    let all = [
        r#"strowger_dead_letters_total{workspace="unknown",source="kafka",reason="not_json"} 2"#,
        r#"strowger_dead_letters_total{workspace="unknown",source="kafka",reason="too_large"} 2"#,
        r#"strowger_events_total{workspace="unknown",type="unknown",result="dead_letter"} 4"#,
    ];
    assert_eq!(counted(), all);
    shards[0].metrics.owned.set(0);
    shards[0].write().withdraw();
    assert_eq!(counted(), all, "after a step-down");
}

#[test]
fn every_reason_of_dead_letters_stands_at_zero_where_there_is_a_log_to_read() {
    let samples = |shard: &SharedShard| {
        shard.metrics.owned.set(1);
        Samples::of(&text(shard, START))
    };
    let log = shared().reading_a_log();
    let reasons = || codec::REFUSALS.into_iter().chain(["unknown_workspace"]);
    for again in [false, true] {
        let samples = samples(&log);
        for reason in reasons() {
            assert!(samples.has("strowger_dead_letters_total", &[("source", "kafka"), ("reason", reason)]), "{reason}");
        }
        assert_eq!(samples.sum("strowger_dead_letters_total", &[]), 0.0);
        assert!(samples.has("strowger_events_total", &[("result", "dead_letter")]), "again: {again}");
        log.write().withdraw();
    }
    let embedded = samples(&shared());
    assert!(!embedded.has("strowger_dead_letters_total", &[]));
    assert!(embedded.has("strowger_events_total", &[("result", "dead_letter")]), "the alert asks for it");
}

#[test]
fn a_broken_promise_is_counted_for_its_workspace() {
    let rig = Rig::configured(&[("ada", 1)]);
    for promise in ["1", "2", "3", "4", "5", "6", "7"] {
        let labels = [("workspace", "acme"), ("promise", promise)];
        assert!(rig.samples().has("strowger_promise_violations_total", &labels), "{promise}");
    }
    let broken = BrokenPromise { promise: 7, workspace: "acme".into(), how: "somebody waits beside ada".into() };
    rig.shard.write().violated(&broken);
    assert_eq!(rig.samples().sum("strowger_promise_violations_total", &[("promise", "7")]), 1.0);
    assert_eq!(rig.samples().sum("strowger_promise_violations_total", &[]), 1.0);
}

#[test]
fn what_a_team_holds_stands_at_zero_on_every_channel_of_the_policy_before_the_first_hold() {
    let mut rig = Rig::configured(&[]);
    rig.change_policy(|policy| {
        let mut team = policy.teams.first().cloned().unwrap_or_default();
        team.name = "south".into();
        policy.teams.push(team);
    });
    rig.send("agent.configure", json!({"agent": "ada", "units": 1, "team": "north"}));
    let samples = rig.samples();
    for team in ["north", "south"] {
        assert!(samples.has("strowger_agents", &[("team", team), ("state", "available")]), "{team}");
        for channel in rig.policy().channels.iter().map(|channel| &*channel.name) {
            for kind in ["work", "wrap_up", "external"] {
                let labels = [("workspace", "acme"), ("team", team), ("channel", channel), ("kind", kind)];
                assert!(samples.has("strowger_capacity_units", &labels), "{labels:?}");
                assert!(samples.has("strowger_capacity_unit_seconds_total", &labels), "{labels:?}");
            }
            let labels = [("team", team), ("channel", channel), ("kind", "offer")];
            assert!(samples.has("strowger_capacity_units", &labels), "{labels:?}");
        }
    }
    assert!(!rig.policy().channels.is_empty());
    for actor in ["agent", "bot", "system", "supervisor", "customer"] {
        let labels = [("channel", "voice"), ("direction", "out"), ("actor", actor)];
        assert!(samples.has("strowger_messages_total", &labels), "{actor}");
    }
}

#[test]
fn teams_beyond_a_limit_stand_on_a_channel_from_their_first_hold_on() {
    let mut rig = Rig::configured(&[]);
    for team in 0..100 {
        let agent = format!("agent{team}");
        rig.send("agent.configure", json!({"agent": agent, "units": 1, "team": format!("team{team}")}));
    }
    let of_team = |samples: &Samples, team: &str| {
        samples.has("strowger_capacity_units", &[("team", team), ("channel", "voice"), ("kind", "work")])
    };
    let samples = rig.samples();
    assert!(of_team(&samples, "team0") && !of_team(&samples, "team99"));
    rig.online("agent99");
    rig.call("c1", "vip");
    let samples = rig.samples();
    assert!(of_team(&samples, "team0") && of_team(&samples, "team99"), "and nothing vanishes");
}

#[test]
fn a_replica_that_strays_from_the_journal_is_told() {
    let mut rig = Rig::configured(&[]);
    rig.seq += 1;
    let wrong = batch(rig.seq, rig.now, 1, &[], &[], &[], true);
    let divergence = rig.shard.write().commit(&wrong).expect_err("another digest");
    assert!(divergence.to_string().contains("digest"), "{divergence}");
}

#[test]
fn a_shard_that_is_not_owned_shows_nothing_of_its_queues() {
    let rig = Rig::configured(&[("ada", 1)]);
    rig.shard.metrics.owned.set(0);
    let samples = rig.samples();
    let nothing = [
        (r#"strowger_events_total{workspace="unknown",type="unknown",result="dead_letter"}"#.to_string(), 0.0),
        (r#"strowger_shard_owned{shard="0"}"#.to_string(), 0.0),
    ];
    assert_eq!(samples.0.into_iter().collect::<Vec<_>>(), nothing);
    rig.shard.metrics.owned.set(1);
    assert!(rig.samples().has("strowger_queue_waiting", &[]));
    // Not yet, after a take-over, and no more, where the log has not said so for long.
    let now_ms = rig.shard.metrics.started.elapsed().as_millis() as u64;
    let gauges: Vec<&str> =
        Family::ALL.iter().filter(|family| family.kind() == Kind::Gauge).map(|family| family.name()).collect();
    for (shown, owned) in [(now_ms + 60_000..u64::MAX, 1.0), (0..now_ms, 0.0)] {
        rig.shard.metrics.show(shown);
        let samples = rig.samples();
        assert_eq!(samples.sum("strowger_shard_owned", &[]), owned);
        assert!(samples.has("strowger_ring_capacity", &[("shard", "0")]), "how the shard does is no sum over nodes");
        let of_acme = samples.0.keys().filter(|series| series.contains("workspace=\"acme\""));
        let shown: Vec<&String> =
            of_acme.filter(|series| gauges.contains(&series.split('{').next().unwrap())).collect();
        assert!(shown.is_empty(), "{shown:?}");
        let configured = [("type", "agent.configure"), ("result", "applied")];
        assert_eq!(samples.sum("strowger_events_total", &configured), 1.0, "what it has decided is its own");
    }
    rig.shard.metrics.show(0..now_ms + 60_000);
    assert!(rig.samples().has("strowger_queue_waiting", &[]));
}

#[test]
fn two_hundred_filled_queues_stay_below_a_hundred_thousand_series() {
    let mut rig = Rig::new();
    let step = json!({"after_s": 100, "head_start_s": 1});
    let rung = |level: u64| json!({"level": level, "priority": level});
    let ladder: Vec<Value> = (1..=9).map(rung).collect();
    let queues =
        (0..250).map(|n| json!({"name": format!("q{n}"), "accept_s": 80_000, "step": [step], "escalation": ladder}));
    let queues: Vec<Value> = queues.collect();
    let mut rules: Vec<Value> = (0..250)
        .map(|n| json!({"when": {"channel": "voice", "attributes": {"to": n.to_string()}}, "queue": format!("q{n}")}))
        .collect();
    rules.push(json!({"queue": "q0"}));
    let ring = json!({"first_ring": {"seniority_at_least": 1, "for_s": 1}});
    let voice = json!({"live": true, "units": 1, "exclusive": false, "wrap_up": {"mode": "timed", "max_s": 1}});
    let policy = json!({
        "version": 1, "queue": queues, "rule": rules, "tier": {"a": ring, "b": ring, "c": ring},
        "channel": {"voice": voice},
    });
    rig.send("workspace.configure", policy);
    assert_eq!(rig.told.first().map(|told| told.decision_type), Some(DecisionType::WorkspaceConfigured));
    // Clocks of every kind, with a level for each of the ladder's.
    rig.change_policy(|policy| {
        reports::clocks_of_every_kind(policy);
        let level = |n: u16| ClockLevel { percent: 100 + n, priority: 1, ..ClockLevel::default() };
        policy.clocks.iter_mut().for_each(|clock| clock.levels = (0..9).map(level).collect());
    });
    rig.send("agent.configure", json!({"agent": "ada", "units": 1_000, "team": "north", "seniority": 1}));
    rig.online("ada");
    for n in 0..250 {
        // One is answered and wrapped up, one hangs up, one waits: every histogram has a sample.
        for tier in ["a", "b", "c"] {
            let id = format!("{n}{tier}");
            let data = json!({"conversation": id, "channel": "voice", "customer": {"id": id, "tier": tier}, "attributes": {"to": n.to_string()}});
            rig.send("contact.started", data);
            match tier {
                "a" => {
                    let offer = rig.last_offer();
                    rig.send("offer.accept", json!({"offer": offer, "agent": "ada"}));
                    rig.send("contact.ended", json!({"conversation": id, "by": "customer"}));
                }
                "b" => {
                    rig.pass(10);
                    rig.send("contact.ended", json!({"conversation": id, "by": "customer"}));
                }
                _ => {}
            }
        }
    }
    let samples = rig.samples();
    let names: BTreeSet<&str> =
        samples.0.keys().filter_map(|s| s.split("queue=\"").nth(1)?.split('"').next()).collect();
    assert_eq!(names.len(), 201, "200 by name and `other`");
    for histogram in ["queue_wait", "handle", "offer", "first_response", "resolution"] {
        let filled = samples.0.keys().filter(|s| s.starts_with(&format!("strowger_{histogram}_seconds_count")));
        let labels = if histogram == "offer" { 1 } else { 2 };
        assert_eq!(filled.count(), 201 * labels, "{histogram} of each queue, by each of its {labels}");
    }
    assert_eq!(samples.sum("strowger_queue_waiting", &[]), 250.0);
    assert_eq!(samples.sum("strowger_queue_waiting", &[("queue", "other")]), 50.0);
    println!("{} series", samples.0.len());
    assert!(samples.0.len() < 100_000, "{} series", samples.0.len());
}

// ---- the dashboards ----

/// (panel, expression) of every target, rows opened.
fn expressions() -> Vec<(String, String)> {
    fn walk(panels: &Value, found: &mut Vec<(String, String)>) {
        for panel in panels.as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap_or("").to_string();
            for target in panel["targets"].as_array().into_iter().flatten() {
                found.push((title.clone(), target["expr"].as_str().expect("an expression").to_string()));
            }
            walk(&panel["panels"], found);
        }
    }
    let mut found = Vec::new();
    for text in DASHBOARDS {
        let dashboard: Value = serde_json::from_str(text).expect("a dashboard is JSON");
        walk(&dashboard["panels"], &mut found);
    }
    found
}

fn names_in(expression: &str) -> Vec<String> {
    // With its colons, the name of a recorded series is one word, and none of ours.
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let words = words.map(|word| word.trim_end_matches(':'));
    words.filter(|word| word.starts_with("strowger_")).map(str::to_string).collect()
}

#[test]
fn the_dashboards_and_rules_ask_only_for_metrics_that_exist() {
    let known: BTreeMap<&str, Kind> = Family::ALL.iter().map(|family| (family.name(), family.kind())).collect();
    let process = ["strowger_build_info", "strowger_disk_free_bytes", "strowger_events_forwarded_total"];
    // The rules' text: in it nothing but metrics' names begins so.
    let rules = [RECORDING.to_string(), RECORDING.replace("recording", "alerts")];
    let rules = rules.map(|path| (path.clone(), std::fs::read_to_string(&path).expect("the rules are there")));
    for (place, expression) in expressions().into_iter().chain(rules) {
        for name in names_in(&expression) {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let summed = base.and_then(|base| known.get(base));
            let is_of_one = matches!(summed, Some(Kind::Histogram | Kind::Summary));
            let exists = known.contains_key(name.as_str()) || is_of_one || process.contains(&name.as_str());
            assert!(exists, "{place} asks for {name}");
        }
    }
}

/// A process that goes with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running demo with its temporary folder in this one, and where it answers.
fn demo(folder: &Folder, seconds: u32) -> (Running, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_strowger"))
        .args(["demo", "--port", "0", "--seconds", &seconds.to_string()])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the strowger binary starts");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let running = Running(process);
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("http://")?;
        Some(rest.split_once('/').map_or(rest, |(address, _)| address).trim().to_string())
    });
    // The pipe must not fill.
    std::thread::spawn(move || lines.for_each(drop));
    (running, address.expect("the demo says where to look"))
}

fn get(url: &str) -> Option<String> {
    ureq::get(url).call().ok()?.body_mut().read_to_string().ok()
}

#[test]
fn every_query_of_dashboards_rules_and_alerts_returns_a_sample() {
    if !program_or_skip("prometheus", "every_query_of_dashboards_rules_and_alerts_returns_a_sample") {
        return;
    }
    let folder = Folder::new("prometheus");
    let (_demo, address) = demo(&folder, 600);
    let config = format!(
        "global: {{scrape_interval: 2s, evaluation_interval: 2s}}\nrule_files: ['{RULES}']\n\
         scrape_configs: [{{job_name: strowger, static_configs: [{{targets: ['{address}']}}]}}]\n"
    );
    let config = folder.write("prometheus.yml", &config);
    let port = free_port();
    let log = std::fs::File::create(folder.file("prometheus.log")).expect("a file in the test's folder");
    let _prometheus = Running(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.file("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .expect("prometheus starts"),
    );
    let mut asked = Command::new("python3");
    asked.arg("-B").arg(QUERIES).arg("--prometheus").arg(format!("http://127.0.0.1:{port}"));
    let output = asked.args(["--wait", "420", "--rate-interval", "20s"]).output().expect("python3 runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = || std::fs::read_to_string(folder.file("prometheus.log")).unwrap_or_default();
    assert!(output.status.success(), "{}\n{said}", log());
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    if !program_or_skip("promtool", "promtool_finds_nothing_to_say_about_the_metrics") {
        return;
    }
    let folder = Folder::new("promtool");
    let (_demo, address) = demo(&folder, 60);
    let deadline = Instant::now() + Duration::from_secs(40);
    // Histograms appear with their first sample: the first agent who finishes has filled the last of them.
    let text = loop {
        assert!(Instant::now() < deadline, "the demo resolved nothing");
        let text = get(&format!("http://{address}/metrics")).expect("the demo answers");
        if text.contains("strowger_handle_seconds_bucket") {
            break text;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    promtool.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("promtool reads");
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
