//! `strowger demo`: a whole contact center on this machine for as long as one likes to watch.
//!
//! The same pipeline as `serve`, in this process, on an embedded journal in a temporary folder; its events go in by the
//! same door as HTTP's, and what it knows of the engine is what every reader of decisions knows. Each second it prints a
//! few plain lines. The folder goes when it ends.

mod traffic;

use crate::config::Config;
use crate::http::HttpState;
use crate::serve::Serving;
use crate::top;
use crate::workload::SharedShard;
use anyhow::Context;
use connectors::workspace_file::WorkspaceFile;
use engine::decision::{AgentState, Position};
use engine::view::{Agent, HoldKind, Queue};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use traffic::Traffic;

const WORKSPACE_TEXT: &str = include_str!("../load-tests/workspaces/demo.toml");
const WORKSPACE: &str = "demo";
const VIP: &str = "vip";
/// What one second's lines tell of what has happened in it.
const LATEST_MAX: usize = 3;
/// Decisions read from the journal at once.
const READ_MAX: usize = 256;
/// An event that is not committed by then is given up on: something is badly wrong, and will be told.
const COMMIT_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Args {
    /// Of HTTP, on loopback; 0 takes any.
    pub port: u16,
    /// Ends by itself after so many seconds.
    pub seconds: Option<u64>,
}

/// Runs until Ctrl-C, SIGTERM or the time is over.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let workspace = folder.0.join("demo.toml");
    std::fs::write(&workspace, WORKSPACE_TEXT)?;
    let file = WorkspaceFile::parse("demo.toml", WORKSPACE_TEXT).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let sources = traffic::sources();
    let config = Config { sources, ..Config::embedded(folder.0.join("journal.db"), vec![workspace], args.port) };
    let serving = Serving::start(&config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let limit = args.seconds.map(Duration::from_secs);
    let told = serving.wait_until_ready().and_then(|()| {
        say(&introduction(&serving, &file, &folder.0));
        let screen = std::io::stdout().is_terminal().then(|| Screen::open(&serving)).transpose()?;
        let told = runtime.block_on(Demo::new(&serving, &file, screen.as_ref()).run(limit));
        screen.map_or(Ok(()), Screen::close).and(told)
    });
    let stopped = serving.stop();
    drop(folder);
    say(&format!("The demo has ended: {}. Its folder is gone.\n", told?));
    stopped
}

/// A reader who has gone, as of a pipe, must not end the demo in disorder.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `strowger top` on the demo's own server, where there is a terminal; what happens stands in its last line.
struct Screen {
    ticker: top::Ticker,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
    /// A key has ended it, or it could not go on.
    ended: watch::Receiver<bool>,
}

impl Screen {
    fn open(serving: &Serving) -> anyhow::Result<Screen> {
        let (ticker, stopping) = (top::Ticker::default(), Arc::new(AtomicBool::new(false)));
        let (told, ended) = watch::channel(false);
        let client = top::Client::new(&format!("http://{}", serving.address()));
        let (shown, stop) = (ticker.clone(), stopping.clone());
        let thread = std::thread::Builder::new().name("top".into()).spawn(move || {
            let outcome = top::watch(&client, WORKSPACE, &stop, &shown);
            told.send_replace(true);
            outcome
        })?;
        Ok(Screen { ticker, stopping, thread, ended })
    }

    /// Gives the terminal back.
    fn close(self) -> anyhow::Result<()> {
        self.stopping.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the screen has panicked")))
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Folder> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("strowger-demo-{}-{}", std::process::id(), since.as_millis());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder could not be removed");
        }
    }
}

fn introduction(serving: &Serving, file: &WorkspaceFile, folder: &Path) -> String {
    let address = serving.address();
    let shard = serving.state().shard_of(WORKSPACE).shard;
    let (agents, queues) = (file.agents.len(), file.policy.queues.len());
    format!(
        "Strowger demo: {agents} agents, {queues} queues, traffic by voice, chat, WhatsApp and e-mail. Ctrl-C ends it.\n\
         \n\
         \x20 wallboard  http://{address}/wallboard, or strowger top --url http://{address}\n\
         \x20 queues     http://{address}/v1/workspaces/demo/queues\n\
         \x20 agents     http://{address}/v1/workspaces/demo/agents\n\
         \x20 decisions  curl -N 'http://{address}/v1/decisions?shard={shard}'\n\
         \x20 metrics    http://{address}/metrics\n\
         \x20 dashboards prometheus --config.file=grafana/prometheus.yml (it scrapes 127.0.0.1:8080),\n\
         \x20            then import grafana/dashboards/wallboard.json and its neighbours into Grafana\n\
         \x20 API        http://{address}/docs\n\
         \x20 journal    {folder}\n\
         \n",
        folder = folder.display()
    )
}

/// What has happened, in words.
#[derive(Default)]
struct Sums {
    events: u64,
    decisions: u64,
    assigned: u64,
    offers: u64,
    accepted: u64,
    handed_on: u64,
    /// First answers, by their clock.
    in_time: u64,
    late: u64,
    refused: u64,
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} events, {} decisions, {} conversations assigned", self.events, self.decisions, self.assigned)?;
        write!(f, ", {} of {} offers accepted, {} handed on by the bot", self.accepted, self.offers, self.handed_on)?;
        write!(f, ", {} of {} first answers in time", self.in_time, self.in_time + self.late)?;
        if self.refused > 0 {
            write!(f, ", {} events not taken", self.refused)?;
        }
        Ok(())
    }
}

struct Demo<'a> {
    serving: &'a Serving,
    state: &'a HttpState,
    shard: SharedShard,
    traffic: Traffic,
    /// So long a VIP's contact rings the senior agents only, ms.
    first_ring_ms: u64,
    started: Instant,
    /// The last decision read.
    after: Position,
    latest: VecDeque<String>,
    sums: Sums,
    screen: Option<&'a Screen>,
}

impl<'a> Demo<'a> {
    fn new(serving: &'a Serving, file: &WorkspaceFile, screen: Option<&'a Screen>) -> Demo<'a> {
        let state = serving.state();
        let agents = file.agents.iter().map(|(agent, _)| agent.clone()).collect();
        let ring = file.policy.tiers.iter().find(|tier| &*tier.name == VIP).and_then(|tier| tier.first_ring.as_ref());
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        Demo {
            serving,
            state,
            shard: state.shard_of(WORKSPACE).clone(),
            traffic: Traffic::new(agents, seed),
            first_ring_ms: ring.map_or(0, |ring| ring.for_ms),
            started: Instant::now(),
            after: Position::default(),
            latest: VecDeque::new(),
            sums: Sums::default(),
            screen,
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    async fn run(mut self, limit: Option<Duration>) -> anyhow::Result<Sums> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // Far enough away where there is no limit.
        let mut ended = self.screen.map(|screen| screen.ended.clone());
        let mut closed = async || match &mut ended {
            Some(ended) => drop(ended.wait_for(|ended| *ended).await),
            None => std::future::pending().await,
        };
        let end = self.started + limit.unwrap_or(Duration::from_secs(366 * 86_400));
        loop {
            let next = self.started + Duration::from_millis(self.traffic.next_at_ms().unwrap_or(u64::MAX >> 16));
            tokio::select! {
                _ = interrupt.recv() => return Ok(self.sums),
                _ = terminate.recv() => return Ok(self.sums),
                () = tokio::time::sleep_until(end) => return Ok(self.sums),
                () = closed() => return Ok(self.sums),
                _ = self.shard.committed.changed() => self.take_decisions()?,
                () = tokio::time::sleep_until(next) => self.send_due().await?,
                _ = seconds.tick() => {
                    if let Some(fault) = self.serving.fault(Duration::ZERO) {
                        anyhow::bail!(fault);
                    }
                    match self.screen {
                        Some(screen) => self.show(screen),
                        None => say(&self.second()),
                    }
                }
            }
        }
    }

    async fn send_due(&mut self) -> anyhow::Result<()> {
        for event in self.traffic.advance(self.now_ms()) {
            let json = event.to_string();
            let input = self.state.decoder.decode(json.as_bytes()).with_context(|| format!("the demo's own {json}"))?;
            let Ok(answer) = self.state.ingest.offer(input, json.as_bytes()) else {
                self.sums.refused += 1;
                continue;
            };
            match tokio::time::timeout(COMMIT_WITHIN, answer).await {
                Ok(Ok(_)) => self.sums.events += 1,
                Ok(Err(_)) | Err(_) => self.sums.refused += 1,
            }
        }
        Ok(())
    }

    fn take_decisions(&mut self) -> anyhow::Result<()> {
        loop {
            let mut lines = Vec::new();
            self.after = self.state.decisions.read(self.shard.shard, self.after, READ_MAX, &mut lines)?;
            if lines.is_empty() {
                return Ok(());
            }
            for line in lines {
                let decision: Value = serde_json::from_slice(&line)?;
                if decision["workspace"] == WORKSPACE {
                    self.take(&decision);
                }
            }
        }
    }

    fn take(&mut self, decision: &Value) {
        self.sums.decisions += 1;
        let reason = decision["data"]["reason"].as_str().unwrap_or("");
        match decision["type"].as_str().unwrap_or("") {
            "strowger.conversation.assigned" => {
                self.sums.assigned += 1;
                self.sums.accepted += u64::from(reason == "accepted");
                self.tell(assignment(decision, self.first_ring_ms));
            }
            "strowger.conversation.offered" => self.sums.offers += 1,
            "strowger.conversation.queued" if reason == "handoff" => {
                self.sums.handed_on += 1;
                self.tell(format!("the bot hands {} to {}", subject(decision), word(decision, "queue")));
            }
            "strowger.offer.withdrawn" if reason == "declined" => {
                self.tell(format!("{} declines {}", asked(decision), subject(decision)));
            }
            "strowger.offer.withdrawn" if reason == "expired" => {
                self.tell(format!("{} does not hear {}", asked(decision), subject(decision)));
            }
            "strowger.conversation.relaxed" if reason == "first_ring" => {
                self.tell(format!("{} (vip) now rings everybody", subject(decision)));
            }
            "strowger.clock.breached" if clock(decision) == "first_response" => {
                self.tell(format!("{} ({}) waits too long", subject(decision), word(decision, "queue")));
            }
            "strowger.clock.completed" if clock(decision) == "first_response" => {
                *if reason == "met" { &mut self.sums.in_time } else { &mut self.sums.late } += 1;
            }
            _ => {}
        }
        let now_ms = self.now_ms();
        self.traffic.take(decision, now_ms);
    }

    fn tell(&mut self, line: String) {
        self.latest.push_back(line);
        if self.latest.len() > LATEST_MAX {
            self.latest.pop_front();
        }
    }

    fn show(&mut self, screen: &Screen) {
        if let (Ok(mut ticker), Some(last)) = (screen.ticker.lock(), self.latest.pop_back()) {
            *ticker = last;
        }
        self.latest.clear();
    }

    /// The lines of one second.
    fn second(&mut self) -> String {
        let passed_s = self.started.elapsed().as_secs();
        let now = (self.state.clock)(self.shard.shard).now;
        let workload = self.shard.read();
        let Some(workspace) = workload.replica().workspace(WORKSPACE) else { return String::new() };
        let (queues, agents) = (workspace.queues(), workspace.agents());
        let waiting: Vec<String> = queues.iter().map(|queue| queue_line(queue, now)).collect();
        let latest: Vec<String> = self.latest.drain(..).collect();
        let mut lines = format!("{:02}:{:02}  waiting  {}\n", passed_s / 60, passed_s % 60, waiting.join("  "));
        lines += &format!("       agents   {}\n", agents_line(&queues, &agents));
        if !latest.is_empty() {
            lines += &format!("       latest   {}\n", latest.join("; "));
        }
        lines
    }
}

fn word<'d>(decision: &'d Value, name: &str) -> &'d str {
    decision["data"][name].as_str().unwrap_or("")
}

fn subject(decision: &Value) -> &str {
    decision["subject"].as_str().unwrap_or("")
}

fn clock(decision: &Value) -> &str {
    decision["data"]["clock"]["clock"].as_str().unwrap_or("")
}

/// Whom an offer was made to.
fn asked(decision: &Value) -> &str {
    decision["data"]["agent"]["id"].as_str().unwrap_or("")
}

fn assignment(decision: &Value, first_ring_ms: u64) -> String {
    let waited_ms = decision["data"]["waited_ms"].as_u64().unwrap_or(0);
    let vip = match word(decision, "tier") == VIP {
        true if waited_ms < first_ring_ms => ", vip in his first ring",
        true => ", vip",
        false => "",
    };
    let kind = match word(decision, "reason") {
        "auto" => String::new(),
        "accepted" => ", accepted".into(),
        "preferred" => ", who knows him".into(),
        other => format!(", by {other}"),
    };
    let (owner, queue, waited_s) = (word(decision, "owner"), word(decision, "queue"), waited_ms as f64 / 1e3);
    format!("{owner} <- {} ({queue}{vip}{kind}, waited {waited_s:.1} s)", subject(decision))
}

fn queue_line(queue: &Queue, now: u64) -> String {
    let waiting: u64 = queue.lines.iter().map(|line| line.waiting).sum();
    let Some(oldest) = queue.lines.iter().map(|line| line.oldest_arrival).min() else {
        return format!("{} {waiting}", queue.name);
    };
    let causes = queue.causes.iter().filter(|(_, count)| *count > 0);
    let causes: Vec<String> = causes.map(|(cause, count)| format!("{count} {}", in_words(cause))).collect();
    let longest_s = now.saturating_sub(oldest) / 1_000;
    format!("{} {waiting} (longest {longest_s} s: {})", queue.name, causes.join(", "))
}

/// Why a conversation waits, as one says it.
fn in_words(cause: &str) -> &str {
    match cause {
        "due" => "ringing",
        "preference" => "for the one who knows him",
        "nobody_online" => "nobody there",
        "no_skill_online" => "nobody with the skill",
        "delay" => "others first",
        "all_declined" => "all declined",
        "all_full" => "all busy",
        "paced" => "in a moment",
        other => other,
    }
}

/// How many are in each state, and what goes on; what nobody does is left out.
fn agents_line(queues: &[Queue], agents: &[Agent]) -> String {
    let states = [
        AgentState::Available,
        AgentState::Partly,
        AgentState::Full,
        AgentState::Away,
        AgentState::Offline,
        AgentState::NotResponding,
    ];
    let mut counts: Vec<(usize, &str)> = states
        .iter()
        .map(|state| (agents.iter().filter(|agent| agent.state == *state).count(), state.word()))
        .collect();
    let holding = |kind| agents.iter().filter(|agent| agent.holds.iter().any(|hold| hold.kind == kind)).count();
    counts.push((holding(HoldKind::Offer), "ringing"));
    counts.push((holding(HoldKind::WrapUp), "wrapping up"));
    let in_bot: u64 = queues.iter().flat_map(|q| &q.states).filter(|(_, s, _)| *s == "in_bot").map(|(.., n)| n).sum();
    counts.push((in_bot as usize, "with the bot"));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {}", word.replace('_', " "))).collect();
    counts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_workspace_is_sound() {
        let file = WorkspaceFile::parse("demo.toml", WORKSPACE_TEXT).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(file.workspace, WORKSPACE);
        assert_eq!(file.policy.queues.len(), 5);
        assert!(file.agents.len() >= 20);
        assert!(file.policy.queues.iter().any(|queue| queue.accept_ms > 0), "nothing is offered");
        assert!(file.policy.entries.iter().any(|entry| entry.bot), "there is no bot");
        assert!(file.policy.tiers.iter().any(|tier| &*tier.name == VIP && tier.first_ring.is_some()));
    }

    fn queue(lines: &[(u64, u64)], causes: &[(&'static str, u64)]) -> Queue {
        let line = |&(waiting, oldest_arrival): &(u64, u64)| engine::view::Line {
            channel: "voice".into(),
            tier: "".into(),
            waiting,
            oldest_arrival,
        };
        Queue {
            name: "sales".into(),
            lines: lines.iter().map(line).collect(),
            causes: causes.to_vec(),
            assigned: Vec::new(),
            states: Vec::new(),
            unanswered: Vec::new(),
            control: engine::input::Control::None,
            is_open: true,
            turned_at: 0,
            clocks: Vec::new(),
            rotation_error_milli: 0,
        }
    }

    #[test]
    fn a_queue_says_how_many_wait_how_long_and_why() {
        assert_eq!(queue_line(&queue(&[], &[]), 9_000), "sales 0");
        let waiting = queue(&[(2, 4_000), (1, 6_500)], &[("all_full", 2), ("due", 1), ("paced", 0)]);
        assert_eq!(queue_line(&waiting, 9_000), "sales 3 (longest 5 s: 2 all busy, 1 ringing)");
    }

    #[test]
    fn an_assignment_says_how_it_came_about() {
        let decision = |reason: &str, tier: &str, waited_ms: u64| {
            serde_json::json!({
                "subject": "chat-7",
                "data": {"owner": "ada", "queue": "sales", "tier": tier, "reason": reason, "waited_ms": waited_ms},
            })
        };
        assert_eq!(assignment(&decision("auto", "standard", 1_250), 6_000), "ada <- chat-7 (sales, waited 1.2 s)");
        let first = assignment(&decision("accepted", VIP, 2_000), 6_000);
        assert_eq!(first, "ada <- chat-7 (sales, vip in his first ring, accepted, waited 2.0 s)");
        let later = assignment(&decision("supervisor", VIP, 8_000), 6_000);
        assert_eq!(later, "ada <- chat-7 (sales, vip, by supervisor, waited 8.0 s)");
    }
}
