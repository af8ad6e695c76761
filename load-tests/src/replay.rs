//! `strowger replay`: a workload on a live engine, over HTTP or Kafka, in real time or N times as fast.
//!
//! Sending is open-loop: each event has its intended instant, given by the workload, and latency is measured from there,
//! so that a slow engine cannot make itself look fast by slowing the player down. What agents do follows from the
//! decisions, which are read back from every shard. A run has an id that its sources, conversations and customers
//! carry. At the end, or at Ctrl-C, the player closes what it opened and signs its agents off.
//!
//! | file | what |
//! |---|---|
//! | `clock` | the engine's clock and how real time lies on it |
//! | `events` | deeds as CloudEvents |
//! | `decisions` | decisions as JSON, each once |
//! | `link` | the way there and back; `http`, `kafka` are the two |
//! | `latency` | histograms from the intended instant |
//! | `session` | the loop |

pub mod clock;
pub mod decisions;
pub mod events;
pub mod http;
pub mod kafka;
pub mod latency;
pub mod link;
pub mod session;

use crate::figures::{self, Figures};
use crate::player::Player;
use crate::simulate::{is_live, open_workspace};
use crate::workload::{Line, Selection, Workload};
use anyhow::{Context, Result, bail, ensure};
use clock::Clock;
use engine::policy::{Channel, Policy};
use events::Events;
use latency::Latencies;
use serde::Serialize;
use session::Session;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Bytes of a run's id, which stands before every id of the workload.
const RUN_MAX: usize = 32;

pub struct ReplayArgs {
    pub workload: PathBuf,
    /// `http://host:port` or `kafka://host:port[,host:port…]`.
    pub to: String,
    /// `http://host:port` of the engine; needed with Kafka, to ask for its clock.
    pub api: Option<String>,
    /// The workspace file: its name, and which of its channels are live. The engine must have it already: `serve` offers it.
    pub workspace: Option<PathBuf>,
    /// Instead of a file; then the channels are the standard ones.
    pub workspace_name: Option<String>,
    pub speed: f64,
    /// So many times the arrivals; 1 is the workload as it is.
    pub load: f64,
    /// Of what the player draws.
    pub seed: u64,
    /// What its sources, conversations and customers carry; drawn where it is not given.
    pub run: Option<String>,
    pub selection: Selection,
    pub json: bool,
    pub calls: Option<PathBuf>,
    /// librdkafka's `name=value`, for TLS and SASL.
    pub kafka_properties: Vec<String>,
    pub events_topic: String,
    pub decisions_topic: String,
}

impl Default for ReplayArgs {
    fn default() -> ReplayArgs {
        ReplayArgs {
            workload: PathBuf::new(),
            to: String::new(),
            api: None,
            workspace: None,
            workspace_name: None,
            speed: 1.0,
            load: 1.0,
            seed: 1,
            run: None,
            selection: Selection::default(),
            json: false,
            calls: None,
            kafka_properties: Vec::new(),
            events_topic: "strowger.events".to_owned(),
            decisions_topic: "strowger.decisions".to_owned(),
        }
    }
}

enum Target {
    Http,
    Kafka { bootstrap: String },
}

/// What `--json` prints: the figures, and what only a live run has.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    figures: &'a Figures,
    run: &'a str,
    speed: f64,
    /// Of the engine's clock.
    scale: f64,
    latency: &'a Latencies,
    rate: Rate,
    /// Events that no decision named, and decisions that the stream left out: both must be 0.
    undecided: u64,
    missed_decisions: u64,
}

#[derive(Serialize)]
struct Rate {
    asked_per_s: f64,
    reached_per_s: f64,
}

pub fn run(args: ReplayArgs) -> Result<()> {
    ensure!(args.speed.is_finite() && args.speed > 0.0, "--speed must be a number above 0");
    let (target, api) = target(&args)?;
    let (name, policy) = workspace(&args)?;
    let workload = Workload::open(&args.workload, &args.selection)?.loaded(args.load, args.seed)?;
    let mut clock = Clock::ask(&api, &name)?;
    let run = args.run.clone().unwrap_or_else(run_id);
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = (1..=RUN_MAX).contains(&run.len()) && run.chars().all(is_word);
    ensure!(is_name, "--run {run:?} is no name: 1 to {RUN_MAX} letters, digits, `-`, `_` and `.`");
    let events = Events::new(&run, &name);
    let agent = first_agent(&workload).context("the workload has no agent")?;
    let first = events.first(agent, clock.engine_at(Instant::now()));
    let (link, first) = match target {
        Target::Http => (http::connect(&api, &first.json)?, None),
        Target::Kafka { bootstrap } => (kafka::connect(&args, &bootstrap, &name)?, Some(first)),
    };
    // Connecting may have taken seconds, which a running clock has gone on for.
    if !clock.standing {
        clock.read()?;
    }
    let axis = clock.axis(&workload, args.speed);
    let mut player = Player::new(&workload, axis, &format!("{run}/"), args.seed, &|channel| is_live(&policy, channel));
    player.knows_wrap_ups(&policy);
    if !args.json {
        let lines = workload.lines.len();
        eprintln!("run {run}: {lines} lines to the workspace {name} at {}, speed {}", args.to, args.speed);
    }
    let interrupt = interrupted()?;
    let begun = Instant::now();
    let mut session = Session::new(player, clock, args.speed, events, link);
    session.play(first, &interrupt)?;
    conclude(session, &args, &run, begun.elapsed().as_secs_f64())
}

/// Figures first, then the closing, then the report, then whether all of it is to be trusted.
fn conclude(mut session: Session<'_>, args: &ReplayArgs, run: &str, wall_s: f64) -> Result<()> {
    let (cut_off, scale) = (session.interrupted, session.clock.scale);
    session.player.settle(cut_off);
    let mut figures = Figures::of(&session.player, None, wall_s);
    let meaningful = scale == args.speed;
    if !meaningful {
        figures.hide_waits();
    }
    if let Some(path) = &args.calls {
        figures::write_calls(path, &session.player, meaningful)?;
    }
    let per_s = |seconds: f64| session.sent as f64 / seconds.max(0.001);
    let rate = Rate { asked_per_s: per_s(session.planned_s()), reached_per_s: per_s(wall_s) };
    let undecided = session.pending.len() as u64;
    let ended = session.close();
    let report = Report {
        figures: &figures,
        run,
        speed: args.speed,
        scale,
        latency: &ended.latencies,
        rate,
        undecided,
        missed_decisions: ended.missed,
    };
    print(&report, args.json)?;
    if let Some(fault) = ended.fault {
        bail!(fault);
    }
    ensure!(undecided == 0 || cut_off, "{undecided} events of this run have no decision");
    ensure!(ended.missed == 0, "the stream of decisions left {} out: its `prev` does not fit", ended.missed);
    Ok(())
}

fn target(args: &ReplayArgs) -> Result<(Target, String)> {
    if let Some(bootstrap) = args.to.strip_prefix("kafka://") {
        let api = args
            .api
            .clone()
            .context("--to kafka:// needs --api http://host:port too: the engine's clock is asked there")?;
        return Ok((Target::Kafka { bootstrap: bootstrap.trim_end_matches('/').to_owned() }, base(&api)?));
    }
    ensure!(args.to.starts_with("http://"), "--to {:?} is neither http://host:port nor kafka://host:port", args.to);
    Ok((Target::Http, base(args.api.as_deref().unwrap_or(&args.to))?))
}

fn base(url: &str) -> Result<String> {
    ensure!(url.starts_with("http://"), "{url:?} is not http://host:port");
    Ok(url.trim_end_matches('/').to_owned())
}

fn workspace(args: &ReplayArgs) -> Result<(String, Policy)> {
    match (&args.workspace, &args.workspace_name) {
        (Some(path), name) => {
            let file = open_workspace(path)?;
            Ok((name.clone().unwrap_or(file.workspace), file.policy))
        }
        (None, Some(name)) => {
            let channels: Vec<Channel> = Policy::standard_channels();
            Ok((name.clone(), Policy { channels, ..Policy::default() }))
        }
        (None, None) => bail!("name the workspace: --workspace FILE, or --workspace-name NAME"),
    }
}

fn first_agent(workload: &Workload) -> Option<&str> {
    let line = workload.lines.iter().find_map(|line| match line {
        Line::Presence(presence) => Some(presence),
        Line::Arrival(_) => None,
    });
    workload.opening.first().or(line).map(|presence| &*presence.agent)
}

/// Eight hex digits: the clock's nanoseconds mixed with the process's number. Two runs of one second differ.
fn run_id() -> String {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let mixed = (nanos ^ (u64::from(std::process::id()) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}", (mixed >> 32) as u32)
}

/// A flag that Ctrl-C or SIGTERM sets; a second one ends the process at once.
fn interrupted() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot listen for Ctrl-C")?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            for code in [None, Some(130)] {
                tokio::select! {
                    pressed = tokio::signal::ctrl_c() => pressed?,
                    _ = terminate.recv() => {}
                }
                set.store(true, Ordering::Relaxed);
                if let Some(code) = code {
                    std::process::exit(code);
                }
            }
            std::io::Result::Ok(())
        })
    })?;
    Ok(flag)
}

fn print(report: &Report<'_>, json: bool) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    figures::print(report.figures, &mut out)?;
    if report.scale != report.speed {
        writeln!(
            out,
            "No waits: the engine's clock runs at {} and the player at {}. Start it with `serve --clock scaled={},start=TIME`.",
            report.scale, report.speed, report.speed
        )?;
    }
    report.latency.print(&mut out)?;
    writeln!(out, "events a second: asked {:.1}, reached {:.1}", report.rate.asked_per_s, report.rate.reached_per_s)?;
    if report.undecided + report.missed_decisions > 0 {
        writeln!(
            out,
            "events without a decision: {}, decisions missed: {}",
            report.undecided, report.missed_decisions
        )?;
    }
    Ok(())
}
