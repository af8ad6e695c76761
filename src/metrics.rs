//! Every metric's name and help, and the text of a scrape.
//!
//! A scrape is built in two moves. `Scrape` first collects samples (cheap: shared label sets and numbers, done while
//! the workload is locked); `text` then writes them with the exporter's own formatting functions, without any lock.
//! The process's few low-rate gauges go through the `metrics` crate and are rendered by its exporter; each family
//! lives on one side only. Nothing here counts: the shard's figures are in `metrics/shard.rs`, the workload's in
//! `workload.rs`.

pub mod histogram;
pub mod shard;

pub use shard::ShardMetrics;

use metrics_exporter_prometheus::formatting::{write_help_line, write_metric_line, write_type_line};
use metrics_exporter_prometheus::{LabelSet, PrometheusBuilder, PrometheusHandle};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a family's samples are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    /// Quantiles of a moving window without sum and count (promtool keeps the label `quantile` for this type), or a sum
    /// and a count alone.
    Summary,
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
            Kind::Histogram => "histogram",
        }
    }
}

macro_rules! families {
    ($( $variant:ident = $kind:ident $name:literal $help:literal, )*) => {
        /// A family that we render ourselves, in the order of the text.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Family { $( $variant ),* }
        impl Family {
            pub const ALL: &'static [Family] = &[ $( Family::$variant ),* ];
            pub const fn name(self) -> &'static str {
                match self { $( Family::$variant => $name ),* }
            }
            pub const fn kind(self) -> Kind {
                match self { $( Family::$variant => Kind::$kind ),* }
            }
            pub const fn help(self) -> &'static str {
                match self { $( Family::$variant => $help ),* }
            }
        }
    };
}

families! {
    QueueEntries = Counter "strowger_queue_entries_total" "Entries of conversations into a queue, by reason.",
    QueueExits = Counter "strowger_queue_exits_total" "Exits of conversations from a queue, by outcome. Entries minus exits is the change of strowger_queue_waiting since the process started.",
    ServiceLevelContacts = Counter "strowger_service_level_contacts_total" "Contacts judged against the service level of their queue, once an entry and at the moment of the verdict: late when the threshold passes while they wait, else when they are answered or leave. excluded are short abandons and those sent on or away in time.",
    Assignments = Counter "strowger_assignments_total" "Conversations given to an agent, by what chose him; an accepted offer counts as what made it.",
    Offers = Counter "strowger_offers_total" "Offers that ended, by outcome.",
    ConversationsEnded = Counter "strowger_conversations_ended_total" "Conversations that ended other than by an abandon, by reason. missed: async and never answered; contained: by a bot alone.",
    Reopens = Counter "strowger_reopens_total" "Resolved conversations that were opened again.",
    Transfers = Counter "strowger_transfers_total" "Transfers out of a queue, by kind and by whether a note went with them.",
    Preferences = Counter "strowger_preferences_total" "Conversations with a preferred agent, by whether he got it, it went on without him, or he was not there.",
    ClockResults = Counter "strowger_clock_results_total" "Clocks of conversations that ended, by result: cancelled ones ended without what they measure.",
    Relaxations = Counter "strowger_relaxations_total" "Relaxation steps that conversations came to; first_ring: the end of their tier's first ring.",
    Escalations = Counter "strowger_escalations_total" "Escalations, by level of the ladder (0: none) and by what caused them.",
    ReplyCollisions = Counter "strowger_reply_collisions_total" "Replies of somebody who does not own the conversation, by kind.",
    ContextLosses = Counter "strowger_context_losses_total" "Moments at which what was known of a customer's matter was lost, by reason.",
    Messages = Counter "strowger_messages_total" "Messages of known conversations, by direction and by who wrote them.",
    AgentStateSeconds = Counter "strowger_agent_state_seconds_total" "Seconds that agents spent in each state, summed over the agents of a team.",
    CapacityUnitSeconds = Counter "strowger_capacity_unit_seconds_total" "Unit-seconds of capacity. work, wrap_up and external: held, by channel; online: of agents online or still finishing, channel any, because units are shared by the channels.",
    CapacityExceeded = Counter "strowger_capacity_exceeded_total" "Times an agent was put over his units, by reason.",
    AgentAssigned = Counter "strowger_agent_assigned_total" "Conversations that became an agent's.",
    AgentHandled = Counter "strowger_agent_handled_total" "Conversations that an agent had and has no more.",
    AgentReplied = Counter "strowger_agent_replied_total" "Answers of an agent that a response clock was running for.",
    AgentResolved = Counter "strowger_agent_resolved_total" "Conversations that an agent resolved.",
    AgentUnitSeconds = Counter "strowger_agent_unit_seconds_total" "Unit-seconds that an agent held by work and wrap-up.",
    Events = Counter "strowger_events_total" "Events decided, by type and result.",
    Decisions = Counter "strowger_decisions_total" "Decisions committed, by type.",
    DeadLetters = Counter "strowger_dead_letters_total" "Records of the event log that could not be taken, by reason.",
    PromiseViolations = Counter "strowger_promise_violations_total" "Broken promises found by sampling the state; must stay 0.",
    QueueWaiting = Gauge "strowger_queue_waiting" "Conversations waiting in a queue.",
    QueueOldestWait = Gauge "strowger_queue_oldest_wait_seconds" "How long the longest waiting conversation has waited since its arrival; 0 where nobody waits.",
    QueueWaitingByCause = Gauge "strowger_queue_waiting_by_cause" "Conversations waiting, by the first reason that leaves no agent.",
    QueueOpen = Gauge "strowger_queue_open" "1 where a queue is open, 0 where it is closed by its calendar or by command.",
    Clocks = Gauge "strowger_clocks" "Clocks of conversations that have not ended, by state: a breached one is breached, paused or not; warned: a threshold before its target has passed.",
    Conversations = Gauge "strowger_conversations" "Open conversations by state.",
    Unanswered = Gauge "strowger_unanswered" "Conversations whose customer spoke last, owned or not, by time since he did.",
    Agents = Gauge "strowger_agents" "Agents by state.",
    QueueAgents = Gauge "strowger_queue_agents" "Agents who could serve a queue by membership, team and skills, by state. Agents are shared by queues: do not sum over queues.",
    AgentsByLoad = Gauge "strowger_agents_by_load" "Agents online, by the share of their units in use.",
    CapacityUnits = Gauge "strowger_capacity_units" "Units of capacity. work, offer, wrap_up and external: held, by channel; limit: of agents online or still finishing, channel any.",
    ServiceLevelGoal = Gauge "strowger_service_level_goal_ratio" "The configured goal of a queue's service level.",
    ServiceLevelThreshold = Gauge "strowger_service_level_threshold_seconds" "The configured threshold of a queue's service level.",
    WeightedRotationError = Gauge "strowger_weighted_rotation_error" "Largest distance between picks made and picks due over a queue's weighted rotations, in picks.",
    SourcesSuspect = Gauge "strowger_sources_suspect" "Sources of presence of which many leases ran out at once, and which are given more time.",
    SourceLastEvent = Gauge "strowger_source_last_event_timestamp_seconds" "When the last event of a configured source came, Unix time; 0: none since the process started.",
    SourceSilentAfter = Gauge "strowger_source_silent_after_seconds" "For how long a source may be silent in open hours, where that is configured.",
    ConfigInfo = Gauge "strowger_config_info" "The policy in force: 1, with its version as label.",
    ShardOwned = Gauge "strowger_shard_owned" "1 where this process owns the shard and the log has said so lately.",
    RingDepth = Gauge "strowger_ring_depth" "Batches waiting in the ring before the shard.",
    RingCapacity = Gauge "strowger_ring_capacity" "Batches that the ring before the shard can hold.",
    InputLagRecords = Gauge "strowger_input_lag_records" "Records of the event log that are not decided yet.",
    InputLagSeconds = Gauge "strowger_input_lag_seconds" "Age of the oldest input that is not decided yet.",
    JournalInFlight = Gauge "strowger_journal_in_flight" "Records submitted to the journal and not acknowledged yet.",
    RelayLagRecords = Gauge "strowger_decisions_relay_lag_records" "Committed records whose decisions are not on the decisions topic yet.",
    JournalBytes = Gauge "strowger_journal_bytes" "Bytes of the shard's journal.",
    IdempotencyWindow = Gauge "strowger_idempotency_window_seconds" "How far back the shard still knows which events it has seen.",
    ApplyQuantile = Summary "strowger_apply_quantile_seconds" "Quantiles of strowger_apply_seconds over the last half to whole minute.",
    CommitQuantile = Summary "strowger_commit_quantile_seconds" "Quantiles of strowger_commit_seconds over the last half to whole minute.",
    EventToDecisionQuantile = Summary "strowger_event_to_decision_quantile_seconds" "Quantiles of strowger_event_to_decision_seconds over the last half to whole minute.",
    SurveyScore = Summary "strowger_survey_score" "Scores that customers gave, as shares of the largest possible, by kind of survey.",
    QueueWait = Histogram "strowger_queue_wait_seconds" "Wait from arrival until answered or abandoned; short abandons are left out.",
    Handle = Histogram "strowger_handle_seconds" "Time that one agent held one conversation, or its wrap-up.",
    FirstResponse = Histogram "strowger_first_response_seconds" "Time of completed first-response clocks, nothing subtracted (wall) and within business hours (business).",
    Response = Histogram "strowger_response_seconds" "Time from a customer's oldest unanswered message to the answer, of completed response clocks of async conversations; what a hand-off began is left out. Its mean is the average response.",
    Resolution = Histogram "strowger_resolution_seconds" "Time of completed resolution clocks; a reopened conversation has one of its own each time.",
    OfferTime = Histogram "strowger_offer_seconds" "Time that an offer stood until it was accepted or ended otherwise.",
    EventAge = Histogram "strowger_event_age_seconds" "Time from an event's own time until it came, by configured source.",
    Apply = Histogram "strowger_apply_seconds" "Time of the engine for one event.",
    Commit = Histogram "strowger_commit_seconds" "Time from handing a record to the journal until it was committed.",
    EventToDecision = Histogram "strowger_event_to_decision_seconds" "Time from receiving an event until its decisions were committed.",
}

/// Every family of the `metrics` crate's side: kind, name and help.
const PROCESS: [(Kind, &str, &str); 3] = [
    (Kind::Gauge, BUILD_INFO, "The running build: 1, with its version as label."),
    (Kind::Gauge, DISK_FREE_BYTES, "Free bytes where the journal is."),
    (
        Kind::Counter,
        EVENTS_FORWARDED,
        "Events that stood on another workspace's partition and were forwarded to their own.",
    ),
];
const BUILD_INFO: &str = "strowger_build_info";
const DISK_FREE_BYTES: &str = "strowger_disk_free_bytes";
/// Counted by the source on Kafka.
pub const EVENTS_FORWARDED: &str = "strowger_events_forwarded_total";

/// Label sets are made once and shared by every scrape.
pub type Labels = Arc<LabelSet>;

/// The label set of these pairs, in this order.
pub fn labels(pairs: &[(&'static str, &str)]) -> Labels {
    let labels: Vec<metrics::Label> =
        pairs.iter().map(|(name, value)| metrics::Label::new(*name, (*value).to_owned())).collect();
    let key = metrics::Key::from_parts("labels", labels);
    Arc::new(LabelSet::from_key_and_global(&key, &Default::default()))
}

#[derive(Clone, Copy)]
enum Number {
    Whole(u64),
    Real(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(n) => n.fmt(f),
            Number::Real(n) => n.fmt(f),
        }
    }
}

struct Sample {
    suffix: Option<&'static str>,
    labels: Labels,
    /// The one label that differs among the samples of a label set.
    last: Option<(&'static str, &'static str)>,
    value: Number,
}

/// Samples of one scrape, by family.
pub struct Scrape {
    samples: Vec<Vec<Sample>>,
}

impl Default for Scrape {
    fn default() -> Scrape {
        Scrape { samples: Family::ALL.iter().map(|_| Vec::new()).collect() }
    }
}

impl Scrape {
    fn push(&mut self, family: Family, labels: &Labels, last: Option<(&'static str, &'static str)>, value: Number) {
        self.samples[family as usize].push(Sample { suffix: None, labels: labels.clone(), last, value });
    }

    pub fn whole(&mut self, family: Family, labels: &Labels, value: u64) {
        self.push(family, labels, None, Number::Whole(value));
    }

    pub fn real(&mut self, family: Family, labels: &Labels, value: f64) {
        self.push(family, labels, None, Number::Real(value));
    }

    pub fn whole_of(&mut self, family: Family, labels: &Labels, name: &'static str, word: &'static str, value: u64) {
        self.push(family, labels, Some((name, word)), Number::Whole(value));
    }

    /// Adds to the sample of these labels: one series to which several shards contribute.
    pub fn add_whole_of(
        &mut self,
        family: Family,
        labels: &Labels,
        last: Option<(&'static str, &'static str)>,
        value: u64,
    ) {
        let same = |sample: &&mut Sample| sample.last == last && sample.labels == *labels;
        match self.samples[family as usize].iter_mut().find(same) {
            Some(Sample { value: Number::Whole(sum), .. }) => *sum += value,
            _ => self.push(family, labels, last, Number::Whole(value)),
        }
    }

    pub fn real_of(&mut self, family: Family, labels: &Labels, name: &'static str, word: &'static str, value: f64) {
        self.push(family, labels, Some((name, word)), Number::Real(value));
    }

    /// A classic histogram. `bounds` are the `le` texts; `counts` are per bucket, the one past the last bound included.
    pub fn histogram(&mut self, family: Family, labels: &Labels, bounds: &[&'static str], counts: &[u64], sum: f64) {
        assert_eq!(counts.len(), bounds.len() + 1, "a histogram has one bucket more than bounds");
        let samples = &mut self.samples[family as usize];
        let mut below = 0;
        for (count, bound) in counts.iter().zip(bounds.iter().copied().chain(["+Inf"])) {
            below += count;
            let value = Number::Whole(below);
            samples.push(Sample { suffix: Some("bucket"), labels: labels.clone(), last: Some(("le", bound)), value });
        }
        let mut total =
            |suffix, value| samples.push(Sample { suffix: Some(suffix), labels: labels.clone(), last: None, value });
        total("sum", Number::Real(sum));
        total("count", Number::Whole(below));
    }

    /// A summary without quantiles.
    pub fn sum_and_count(
        &mut self,
        family: Family,
        labels: &Labels,
        last: (&'static str, &'static str),
        sum: f64,
        count: u64,
    ) {
        for (suffix, value) in [("sum", Number::Real(sum)), ("count", Number::Whole(count))] {
            let sample = Sample { suffix: Some(suffix), labels: labels.clone(), last: Some(last), value };
            self.samples[family as usize].push(sample);
        }
    }

    /// Takes over another's samples, but for gauges.
    pub fn take_but_gauges(&mut self, other: Scrape) {
        for ((family, mine), theirs) in Family::ALL.iter().zip(&mut self.samples).zip(other.samples) {
            if family.kind() != Kind::Gauge {
                mine.extend(theirs);
            }
        }
    }

    /// How many lines of samples `text` will write.
    pub fn len(&self) -> usize {
        self.samples.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends everything collected in the exposition format. A family without samples writes nothing.
    pub fn text(&self, out: &mut String) {
        for (family, samples) in Family::ALL.iter().zip(&self.samples) {
            if samples.is_empty() {
                continue;
            }
            write_help_line(out, family.name(), None, None, family.help());
            write_type_line(out, family.name(), None, None, family.kind().word());
            for sample in samples {
                write_metric_line(out, family.name(), sample.suffix, &sample.labels, sample.last, sample.value, None);
            }
        }
    }
}

/// The process's own recorder, installed on first use; who counts by the `metrics` crate calls this first. One a process, tests with several servers included.
pub fn process() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Another recorder in this process would only cost us these few; a second one of ours cannot be.
        let _ = metrics::set_global_recorder(recorder);
        for (kind, name, help) in PROCESS {
            match kind {
                Kind::Counter => metrics::describe_counter!(name, help),
                _ => metrics::describe_gauge!(name, help),
            }
        }
        metrics::counter!(EVENTS_FORWARDED).increment(0);
        metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // Memory, processor time, threads, files and start of the process, by Prometheus' own names.
        metrics_process::Collector::default().describe();
        handle
    })
}

/// Sets the gauge of free disk; called at a scrape by who knows where the journal is.
pub fn disk_free_bytes(bytes: u64) {
    process();
    metrics::gauge!(DISK_FREE_BYTES).set(bytes as f64);
}

/// The text of what was collected, alone.
pub fn render_alone(scrape: &Scrape) -> String {
    let mut text = String::new();
    scrape.text(&mut text);
    text
}

/// The whole text of `/metrics`: the process's families, then what was collected.
pub fn render(scrape: &Scrape) -> String {
    let handle = process();
    metrics_process::Collector::default().collect();
    handle.run_upkeep();
    let mut text = handle.render();
    scrape.text(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_ours_and_stands_once() {
        let mut names: Vec<&str> =
            Family::ALL.iter().map(|f| f.name()).chain(PROCESS.map(|(_, name, _)| name)).collect();
        assert!(names.iter().all(|name| name.starts_with("strowger_")));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn counters_end_in_total_and_nothing_else_does() {
        for family in Family::ALL {
            assert_eq!(family.kind() == Kind::Counter, family.name().ends_with("_total"), "{}", family.name());
        }
    }

    #[test]
    fn the_processs_own_families_stand_with_help_and_type_from_the_start() {
        let text = render(&Scrape::default());
        for (kind, name, help) in PROCESS.into_iter().filter(|(_, name, _)| *name != DISK_FREE_BYTES) {
            assert!(text.contains(&format!("# HELP {name} {help}\n# TYPE {name} {}\n{name}", kind.word())), "{text}");
        }
    }

    #[test]
    fn the_process_says_what_it_takes_and_since_when() {
        let text = render(&Scrape::default());
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let age_s = now - value("process_start_time_seconds");
        assert!((-1.0..3_600.0).contains(&age_s), "it started {age_s} s ago");
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_threads"] {
            assert!(value(name) > 0.0, "{name}");
        }
        assert!(value("process_cpu_seconds_total") >= 0.0);
    }

    #[test]
    fn a_histogram_is_written_cumulatively_with_its_sum_and_count() {
        let mut scrape = Scrape::default();
        let labels = labels(&[("queue", "a\"b")]);
        scrape.histogram(Family::QueueWait, &labels, &["1", "2"], &[3, 0, 4], 12.5);
        let mut text = String::new();
        scrape.text(&mut text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                r#"strowger_queue_wait_seconds_bucket{queue="a\"b",le="1"} 3"#,
                r#"strowger_queue_wait_seconds_bucket{queue="a\"b",le="2"} 3"#,
                r#"strowger_queue_wait_seconds_bucket{queue="a\"b",le="+Inf"} 7"#,
                r#"strowger_queue_wait_seconds_sum{queue="a\"b"} 12.5"#,
                r#"strowger_queue_wait_seconds_count{queue="a\"b"} 7"#,
            ]
        );
    }
}
