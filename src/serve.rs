//! `strowger serve`: puts the stages of the pipeline together, watches over them, and takes them apart again.
//!
//! Start: journal, first records, publisher, shards, source, HTTP, then the workspace files. Stop (SIGTERM, Ctrl-C, or
//! `stop`): the sources first, then what is in the rings is decided and committed, then published, then HTTP ends, all
//! within ten seconds. A thread that fails stops the process: it recovers from the journal.

use crate::calendars::{self, Calendars, LookedAt};
use crate::clock::WallClock;
use crate::config::{Config, JournalConfig};
use crate::configure::Offering;
use crate::consumer::{Consumer, controls};
use crate::decision_reader::JournalDecisions;
use crate::http::{ClockReading, HttpState, Probes};
use crate::ingest::{Ingest, Item, Pending};
use crate::publisher::{self, Publication, Publisher};
use crate::relay::Relays;
use crate::ring::{Entrance, Exit, Sleeper, Waker, ring, sleeper};
use crate::shard::{Shard, ShardParts, ShardThread};
use crate::sources::{Sources, wall_ms};
use crate::standing::{Life, Standing};
use crate::workload::{LabelBudget, SharedShard, Views};
use anyhow::{Context, anyhow};
use connectors::codec::Decoder;
use connectors::journal::{Acked, Genesis, Journal, Timing, Wake};
use connectors::kafka::{EventsProducer, KafkaConfig, KafkaJournal, topics};
use connectors::sqlite::{SqliteStore, disk};
use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use engine::id::HashKey;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Of the ten seconds that a supervisor leaves after SIGTERM.
const STOP: Duration = Duration::from_secs(9);
/// A shard thread that has not come round for so long is not alive.
const SILENT_MS_MAX: u64 = 30_000;
/// Threads that only read the journal have nothing to lose: how long a stop waits for them.
const STOP_UNOWNED: Duration = Duration::from_millis(500);
/// HTTP's threads beside the pipeline's.
const HTTP_THREADS: usize = 2;
/// A reader of decisions may pause for so long without having to connect again.
const UNREAD_MAX: Duration = Duration::from_secs(60);

/// A running server.
pub struct Serving {
    address: SocketAddr,
    state: HttpState,
    standings: Arc<[Arc<Standing>]>,
    offered: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    http_stopping: watch::Sender<bool>,
    publications: Sender<Publication>,
    faults: Receiver<String>,
    threads: Threads,
    runtime: Option<tokio::runtime::Runtime>,
    http: Option<tokio::task::JoinHandle<()>>,
    /// Dropped last: its writer ends when all its journals have gone.
    _journals: Journals,
}

#[derive(Default)]
struct Threads {
    sources: Vec<JoinHandle<()>>,
    shards: Vec<JoinHandle<()>>,
    publisher: Option<JoinHandle<()>>,
    offering: Option<JoinHandle<()>>,
}

/// Where journals come from.
enum Journals {
    Sqlite(SqliteStore),
    Kafka(KafkaConfig),
}

impl Journals {
    /// Opens the place, and says which topics it is of.
    fn open(config: &Config) -> anyhow::Result<(Journals, Vec<(String, String)>)> {
        match &config.journal {
            JournalConfig::Sqlite { path } => {
                let store = SqliteStore::open(path, config.shards)?;
                Ok((Journals::Sqlite(store), Vec::new()))
            }
            JournalConfig::Kafka(kafka) => {
                let found = topics::ensure(kafka, config.shards)?;
                for topic in &found.created {
                    tracing::info!(topic, "a topic was created");
                }
                Ok((Journals::Kafka(kafka.clone()), found.ids))
            }
        }
    }

    fn journal(&self, acks: Sender<Acked>, wake: Wake) -> anyhow::Result<Box<dyn Journal>> {
        Ok(match self {
            Journals::Sqlite(store) => Box::new(store.journal(acks, wake)?),
            Journals::Kafka(config) => Box::new(KafkaJournal::new(config, acks, wake)?),
        })
    }

    /// One that only reads.
    fn reader(&self) -> anyhow::Result<Box<dyn Journal>> {
        self.journal(bounded(1).0, Arc::new(|_| {}))
    }

    fn kafka(&self) -> Option<&KafkaConfig> {
        match self {
            Journals::Sqlite(_) => None,
            Journals::Kafka(config) => Some(config),
        }
    }

    /// A thread that waits for Kafka is alive: starting it again would not bring Kafka back.
    fn silent_ms_max(&self) -> u64 {
        match self {
            Journals::Sqlite(_) => SILENT_MS_MAX,
            Journals::Kafka(config) => SILENT_MS_MAX + 2 * u64::from(config.read_timeout_ms),
        }
    }

    fn timing(&self, scrape_interval_s: u64) -> Timing {
        match self {
            Journals::Sqlite(_) => Timing::EMBEDDED,
            Journals::Kafka(config) => Timing {
                // Longer than the writer's own time-out, after which it reports itself.
                ack_ms_max: u64::from(config.ack_timeout_ms) * 2,
                hidden_ms: Timing::hidden_ms(Timing::KAFKA.shown_ms, scrape_interval_s * 1_000),
                ..Timing::KAFKA
            },
        }
    }
}

fn genesis(journals: &Journals, shards: u16, topics: &[(String, String)]) -> anyhow::Result<Genesis> {
    let random = (rand::random(), rand::random());
    let mut reader = journals.reader()?;
    let genesis = crate::recovery::genesis(reader.as_mut(), shards, topics, random)?;
    if let Some(_kafka) = journals.kafka() {
        topics::refuse_recreated(&genesis.topics, topics)?;
    }
    anyhow::ensure!(
        genesis.shards == shards,
        "the journal has {} shards and {shards} are configured; the number never changes",
        genesis.shards
    );
    Ok(genesis)
}

impl Serving {
    pub fn start(config: &Config) -> anyhow::Result<Serving> {
        // Bound first: a port that is taken must not cost a recovery.
        let listener = std::net::TcpListener::bind(config.http.listen)
            .with_context(|| format!("cannot listen on {}", config.http.listen))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (journals, topics) = Journals::open(config)?;
        let genesis = genesis(&journals, config.shards, &topics)?;
        let mut house = House::new(config, journals, genesis);
        let (faulty, faults) = unbounded();
        let mut threads = Threads::default();
        let (shard_side, source_side) = house.rings(config);
        house.start_publisher(&faulty, &mut threads)?;
        let source_controls = house.start_sources(source_side, &faulty, &mut threads)?;
        house.start_shards(config, shard_side, source_controls, &faulty, &mut threads)?;
        let offered = Arc::new(AtomicBool::new(false));
        let (http_stopping, stopping_seen) = watch::channel(false);
        let state = house.http_state(stopping_seen, offered.clone())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(HTTP_THREADS)
            .thread_name("http")
            .enable_all()
            .build()?;
        let http = serve_http(&runtime, listener, &state)?;
        tracing::info!(%address, shards = config.shards, "listening");
        let serving = Serving {
            address,
            state,
            standings: house.standings.clone(),
            offered,
            stopping: house.stopping.clone(),
            draining: house.draining.clone(),
            http_stopping,
            publications: house.publications.clone(),
            faults,
            threads,
            runtime: Some(runtime),
            http: Some(http),
            _journals: house.journals,
        };
        Ok(serving.offering(config, &faulty))
    }

    /// Starts the thread that offers the workspace files once the shards are owned, and then keeps calendars expanded.
    fn offering(mut self, config: &Config, faulty: &Sender<String>) -> Serving {
        let files = config.workspaces.clone();
        let scaled = config.clock.is_some();
        let (standings, stopping, offered) = (self.standings.clone(), self.stopping.clone(), self.offered.clone());
        let state = self.state.clone();
        let thread = watched("offering", faulty, move || {
            offer(&files, scaled, &state, &standings, &stopping)?;
            let now = |shard: u16| (state.clock)(shard).now;
            let mut calendars = Calendars {
                ingest: &state.ingest,
                decoder: &state.decoder,
                shards: &state.shards,
                standings: &standings,
                now: &now,
                stopping: &stopping,
                looked_at: LookedAt::default(),
            };
            // Ready means with the hours of its queues.
            calendars.look();
            offered.store(true, Ordering::Release);
            while !stopping.load(Ordering::Acquire) {
                std::thread::park_timeout(calendars::EVERY);
                calendars.look();
            }
            Ok(())
        });
        self.threads.offering = thread.ok();
        self
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What HTTP sees: the way in, the decoder, the shards with their workloads, the views.
    pub fn state(&self) -> &HttpState {
        &self.state
    }

    /// Whether it owns its shards and the workspace files have been offered, or what is missing.
    pub fn ready(&self) -> Result<(), String> {
        (self.state.probes.ready)()
    }

    /// A sentence, once a thread has failed: the process should stop. Waits at most `wait` for one.
    pub fn fault(&self, wait: Duration) -> Option<String> {
        self.faults.recv_timeout(wait).ok()
    }

    /// Returns when ready; an error when a thread failed before.
    pub fn wait_until_ready(&self) -> anyhow::Result<()> {
        loop {
            if self.ready().is_ok() {
                return Ok(());
            }
            if let Some(fault) = self.fault(Duration::from_millis(10)) {
                return Err(anyhow!(fault));
            }
        }
    }

    /// Serves until SIGTERM or Ctrl-C (Ok), or until a thread fails (its sentence).
    pub fn run_until_signal(self) -> anyhow::Result<()> {
        let signals = self.signals()?;
        let fault = crossbeam::select! {
            recv(signals) -> signal => {
                tracing::info!(signal = signal.unwrap_or("none"), "stopping");
                None
            }
            recv(self.faults) -> fault => fault.ok(),
        };
        match fault {
            None => self.stop(),
            Some(sentence) => {
                let _ = self.stop();
                Err(anyhow!(sentence))
            }
        }
    }

    fn signals(&self) -> anyhow::Result<Receiver<&'static str>> {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, receiver) = bounded(2);
        let runtime = self.runtime.as_ref().expect("it runs");
        let _inside = runtime.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        runtime.spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            let _ = sender.send(name);
        });
        Ok(receiver)
    }

    /// Stops the sources, drains, commits, publishes, ends HTTP. An error: not everything within the time.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + STOP;
        self.stopping.store(true, Ordering::Release);
        self.state.ingest.stop();
        let mut done = true;
        if let Some(offering) = &self.threads.offering {
            offering.thread().unpark();
        }
        for thread in self.threads.sources.drain(..).chain(self.threads.offering.take()) {
            done &= join_until(thread, deadline);
        }
        self.draining.store(true, Ordering::Release);
        let unowned = self.standings.iter().all(|standing| !standing.is_owned());
        let shards_deadline = if unowned { Instant::now() + STOP_UNOWNED } else { deadline };
        for thread in self.threads.shards.drain(..) {
            done &= join_until(thread, shards_deadline) || unowned;
        }
        let _ = self.publications.send_timeout(Publication::Stop, deadline.saturating_duration_since(Instant::now()));
        if let Some(thread) = self.threads.publisher.take() {
            done &= join_until(thread, deadline);
        }
        self.state.ingest.give_up();
        self.http_stopping.send_replace(true);
        let runtime = self.runtime.take().expect("it is taken once");
        if let Some(http) = self.http.take() {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(200));
            let ended = runtime.block_on(async { tokio::time::timeout(left, http).await });
            if ended.is_err() {
                tracing::warn!("connections were still open when the time was over; they are closed");
            }
        }
        runtime.shutdown_timeout(Duration::from_millis(200));
        anyhow::ensure!(done, "not everything was committed and published within {} s", STOP.as_secs());
        Ok(())
    }
}

/// Waits for a thread, but not for ever: an append that cannot be acknowledged must not keep the process.
fn join_until(thread: JoinHandle<()>, deadline: Instant) -> bool {
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    thread.join().is_ok()
}

/// A thread whose error or panic is a fault of the process.
fn watched(
    name: &str,
    faulty: &Sender<String>,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let (faulty, told) = (faulty.clone(), name.to_string());
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let sentence = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("thread {told} has panicked; what is committed is safe in the journal"),
        };
        tracing::error!(thread = told, "{sentence}");
        let _ = faulty.send(sentence);
    })?;
    Ok(thread)
}

fn offer(
    files: &[PathBuf],
    scaled: bool,
    state: &HttpState,
    standings: &[Arc<Standing>],
    stopping: &AtomicBool,
) -> anyhow::Result<()> {
    let caught_up = |standing: &Arc<Standing>| {
        let applied = standing.history.read().expect("nobody panics with it").last_seq();
        standing.is_owned() && standing.published_seq() >= applied
    };
    // Once, at the start; nothing tells that the publisher has caught up.
    while !standings.iter().all(caught_up) {
        if stopping.load(Ordering::Acquire) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let offering = Offering {
        ingest: &state.ingest,
        decoder: &state.decoder,
        shards: &state.shards,
        scaled,
        now: (state.clock)(0).now,
        stopping,
        source: format!("strowger/serve/{:016x}", rand::random::<u64>()),
    };
    offering.offer_all(files).map_err(|sentence| anyhow!(sentence))
}

/// The system closes a connection whose other end has taken nothing of what lies ready for it for so long: a listener that was
/// let go and never reads would keep it else.
fn gives_up_unread(stream: &tokio::net::TcpStream, within: Duration) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(within))
}

fn serve_http(
    runtime: &tokio::runtime::Runtime,
    listener: std::net::TcpListener,
    state: &HttpState,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let _inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = crate::http::router(state.clone());
    let mut stopping = state.stopping.clone();
    Ok(runtime.spawn(async move {
        // An answer is small and its reader waits for it: Nagle's algorithm would hold it for a delayed ack (40 ms).
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let set = stream.set_nodelay(true).and_then(|()| gives_up_unread(stream, UNREAD_MAX));
            if let Err(error) = set {
                tracing::debug!(%error, "a connection's options cannot be set");
            }
        });
        let served = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        });
        if let Err(error) = served.await {
            tracing::error!(%error, "HTTP has ended");
        }
    }))
}

/// What the stages share while they are being put together.
struct House {
    journals: Journals,
    genesis: Genesis,
    key: HashKey,
    journal_id: String,
    wall: Arc<WallClock>,
    standings: Arc<[Arc<Standing>]>,
    views: Arc<Views>,
    shards: Arc<[SharedShard]>,
    decoder: Arc<Decoder>,
    publications: Sender<Publication>,
    published: Option<Receiver<Publication>>,
    pending: Option<Arc<Pending>>,
    ingest: Option<Ingest>,
    stopping: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    sources: Arc<Sources>,
    metrics_max_agents: usize,
}

/// The shards' ends of the rings by thread, with where the thread sleeps and how it is woken.
struct ShardSide {
    threads: Vec<(Sleeper, Waker, Vec<Exit<Item>>)>,
}

struct SourceSide {
    sleeper: Sleeper,
    rings: Vec<Entrance<Item>>,
}

impl House {
    fn new(config: &Config, journals: Journals, genesis: Genesis) -> House {
        let key = HashKey(genesis.key);
        let lives: Vec<Arc<Life>> = (0..shard_threads(config)).map(|_| Arc::default()).collect();
        let standings: Vec<_> = (0..config.shards)
            .map(|shard| Arc::new(Standing::new(shard, lives[usize::from(shard) % lives.len()].clone())))
            .collect();
        let views = Arc::new(Views::default());
        let budget = LabelBudget::new(config.metrics_max_queues);
        let sources = Arc::new(Sources::new(&config.sources, config.clock.is_none()));
        let reads_a_log = journals.kafka().is_some();
        let shard = |shard| {
            let shard = SharedShard::new(shard, key, views.clone(), budget.clone()).knowing(sources.clone());
            if reads_a_log { shard.reading_a_log() } else { shard }
        };
        let shards: Vec<_> = (0..config.shards).map(shard).collect();
        let (publications, published) = publisher::channel();
        House {
            journal_id: publisher::hex(&genesis.journal_id),
            pending: journals.kafka().map(|_| Arc::default()),
            journals,
            genesis,
            key,
            wall: Arc::default(),
            standings: standings.into(),
            views,
            shards: shards.into(),
            decoder: Arc::new(Decoder::new(key)),
            publications,
            published: Some(published),
            ingest: None,
            stopping: Arc::default(),
            draining: Arc::default(),
            sources,
            metrics_max_agents: config.metrics_max_agents,
        }
    }

    /// Shard n is driven by thread n mod threads.
    fn rings(&self, config: &Config) -> (ShardSide, SourceSide) {
        let count = shard_threads(config);
        let mut threads: Vec<_> = (0..count)
            .map(|_| {
                let (sleeper, waker) = sleeper();
                (sleeper, waker, Vec::new())
            })
            .collect();
        let (sleeper, source) = sleeper();
        let mut rings = Vec::new();
        for shard in 0..usize::from(config.shards) {
            let (_, waker, exits) = &mut threads[shard % count];
            let (entrance, exit) = ring(waker.clone(), source.clone());
            rings.push(entrance);
            exits.push(exit);
        }
        (ShardSide { threads }, SourceSide { sleeper, rings })
    }

    fn start_publisher(&mut self, faulty: &Sender<String>, threads: &mut Threads) -> anyhow::Result<()> {
        let relays = match self.journals.kafka() {
            Some(kafka) => Some(Relays::new(kafka, self.journal_id.clone(), self.journals.reader()?)?),
            None => None,
        };
        let publisher = Publisher {
            shards: self.shards.clone(),
            standings: self.standings.clone(),
            pending: self.pending.clone(),
            relays,
        };
        let published = self.published.take().expect("there is one publisher");
        threads.publisher = Some(watched("publisher", faulty, move || publisher.run(&published))?);
        Ok(())
    }

    /// Returns how each shard tells its source where to read; embedded there is nothing to tell.
    fn start_sources(
        &mut self,
        side: SourceSide,
        faulty: &Sender<String>,
        threads: &mut Threads,
    ) -> anyhow::Result<Vec<Option<crate::consumer::SourceControl>>> {
        let (Some(kafka), Some(pending)) = (self.journals.kafka(), &self.pending) else {
            let (ingest, offers) = Ingest::embedded(self.standings.clone(), self.sources.clone());
            self.ingest = Some(ingest);
            threads.sources.push(watched("ingest", faulty, move || {
                offers.run(side.rings, &side.sleeper);
                Ok(())
            })?);
            return Ok(self.standings.iter().map(|_| None).collect());
        };
        let events = Arc::new(EventsProducer::new(kafka, self.genesis.shards)?);
        let (standings, sources) = (self.standings.clone(), self.sources.clone());
        self.ingest = Some(Ingest::kafka(standings, sources, events.clone(), pending.clone()));
        let (controls, commands) = controls(&self.standings);
        let consumer = Consumer {
            config: kafka.clone(),
            decoder: self.decoder.clone(),
            events,
            commands,
            rings: side.rings,
            metrics: self.shards.iter().map(|shard| shard.metrics.clone()).collect(),
            wall: self.wall.clone(),
            stopping: self.stopping.clone(),
            sources: self.sources.clone(),
        };
        threads.sources.push(watched("consumer", faulty, move || Ok(consumer.run()?))?);
        Ok(controls.into_iter().map(Some).collect())
    }

    fn start_shards(
        &mut self,
        config: &Config,
        side: ShardSide,
        controls: Vec<Option<crate::consumer::SourceControl>>,
        faulty: &Sender<String>,
        threads: &mut Threads,
    ) -> anyhow::Result<()> {
        let count = side.threads.len();
        let wakers: Vec<Waker> = side.threads.iter().map(|(_, waker, _)| waker.clone()).collect();
        let wake: Wake = Arc::new(move |shard: u16| wakers[usize::from(shard) % count].wake());
        let mut controls: Vec<_> = controls.into_iter().collect();
        for (thread, (sleeper, _, exits)) in side.threads.into_iter().enumerate() {
            // W = 1: one ack a shard, and a claim's.
            let (acked, acks) = bounded(1_024);
            let journal = self.journals.journal(acked, wake.clone())?;
            let shards = exits.into_iter().enumerate().map(|(turn, ring)| {
                let number = (thread + turn * count) as u16;
                Shard::new(ShardParts {
                    number,
                    node: node_name(config),
                    genesis: self.genesis.clone(),
                    timing: self.journals.timing(config.scrape_interval_s),
                    limits: config.limits,
                    clock: config.clock,
                    wall: self.wall.clone(),
                    ring,
                    source: controls[usize::from(number)].take(),
                    publications: self.publications.clone(),
                    standing: self.standings[usize::from(number)].clone(),
                    metrics: self.shards[usize::from(number)].metrics.clone(),
                    seed: rand::random(),
                })
            });
            let shard_thread =
                ShardThread { shards: shards.collect(), journal, acks, sleeper, draining: self.draining.clone() };
            threads.shards.push(watched(&format!("shards {thread}"), faulty, move || Ok(shard_thread.run()?))?);
        }
        Ok(())
    }

    fn http_state(&self, stopping: watch::Receiver<bool>, offered: Arc<AtomicBool>) -> anyhow::Result<HttpState> {
        debug_assert_eq!(self.key, HashKey(self.genesis.key));
        let decisions = JournalDecisions::new(self.journals.reader()?, self.journal_id.clone(), self.standings.clone());
        let (wall, standings) = (self.wall.clone(), self.standings.clone());
        let clock = move |shard: u16| {
            let clock = *standings[usize::from(shard)].clock.read().expect("nobody panics with it");
            ClockReading { now: clock.engine_ms(wall.now_ms()), scale: clock.scale(), origin: clock.origin() }
        };
        let path = match &self.journals {
            Journals::Sqlite(store) => Some(store.path().to_path_buf()),
            Journals::Kafka(_) => None,
        };
        Ok(HttpState {
            ingest: self.ingest.clone().expect("the sources were started"),
            decoder: self.decoder.clone(),
            shards: self.shards.clone(),
            views: self.views.clone(),
            decisions: Arc::new(decisions),
            probes: probes(self.standings.clone(), self.stopping.clone(), offered, self.journals.silent_ms_max()),
            clock: Arc::new(clock),
            disk_free_bytes: Arc::new(move || disk::free_bytes(path.as_deref()?).ok()),
            stopping,
            sources: self.sources.clone(),
            metrics_max_agents: self.metrics_max_agents,
            started_ms: wall_ms(),
            hub: Arc::default(),
            limits: Default::default(),
        })
    }
}

/// cores - 1, at least 1 and no more than shards.
fn shard_threads(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    (cores - 1).clamp(1, usize::from(config.shards))
}

/// Who claims, for people who read the journal.
fn node_name(config: &Config) -> String {
    format!("{} pid {}", config.http.listen, std::process::id())
}

fn probes(
    standings: Arc<[Arc<Standing>]>,
    stopping: Arc<AtomicBool>,
    offered: Arc<AtomicBool>,
    silent_ms_max: u64,
) -> Probes {
    let alive = standings.clone();
    let ready = move || {
        if stopping.load(Ordering::Acquire) {
            return Err("the node is stopping".to_string());
        }
        for standing in standings.iter() {
            let shard = standing.shard;
            if !standing.is_owned() {
                let (read, end) = standing.recovery();
                return Err(if standing.is_superseded() {
                    format!("shard {shard} is owned by another node")
                } else {
                    format!("shard {shard} is being read from its journal: {read} of {end} records")
                });
            }
            let applied = standing.history.read().expect("nobody panics with it").last_seq();
            let behind = applied.saturating_sub(standing.published_seq());
            // In full flight a few batches are always on their way to the publisher.
            if behind > publisher::PUBLICATIONS_MAX as u64 {
                return Err(format!("shard {shard} has {behind} records that are not published yet"));
            }
        }
        if offered.load(Ordering::Acquire) { Ok(()) } else { Err("the workspace files are being offered".to_string()) }
    };
    let alive = move || {
        for standing in alive.iter() {
            let silent_ms = standing.silent_ms();
            if silent_ms > silent_ms_max {
                return Err(format!("shard {} has not come round for {} s", standing.shard, silent_ms / 1_000));
            }
        }
        Ok(())
    };
    Probes { ready: Arc::new(ready), alive: Arc::new(alive) }
}

/// The command: serves until it is told to stop.
pub fn run(config: &Config) -> anyhow::Result<()> {
    Serving::start(config)?.run_until_signal()
}

#[cfg(test)]
mod tests;
