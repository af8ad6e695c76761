//! The command line: what can be said to `strowger`, and which part of the crate each command is.
//!
//! The player's commands live in `load-tests`, which knows no clap: their arguments are named here and handed over.

use crate::clock::Scaled;
use crate::config::Config;
use crate::review::Args as ReviewArgs;
use anyhow::{anyhow, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use load_tests::workload::Selection;
use load_tests::{CourseArgs, GenerateArgs, ReplayArgs, SimulateArgs, TheoryArgs};
use std::path::PathBuf;

/// The automatic exchange for customer conversations: decides which person answers which customer.
#[derive(Parser)]
#[command(name = "strowger", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Runs the engine until SIGTERM: events in over Kafka or HTTP, decisions out.
    Serve(Serve),
    /// Judges a config file or a workspace file; faults come with line and column.
    Check {
        /// Which of the two it is shows in its keys.
        file: PathBuf,
    },
    /// Prints a schema: of the workspace file for editors, of the topics for integrators.
    Schema {
        #[arg(value_enum, value_name = "KIND")]
        of: SchemaOf,
    },
    /// A lively contact center on this machine, in a temporary folder; prints where to look.
    Demo(Demo),
    /// A workspace's figures in the terminal, live.
    Top(Top),
    /// Plays a workload in virtual time on the engine inside this process.
    Simulate(Simulate),
    /// Plays a workload against a running engine.
    Replay(Replay),
    /// Writes a workload.
    Generate(Generate),
    /// What was asked for and what was reached in a range of time, from the journal: a page in HTML, or JSON.
    Review(Review),
    /// Plays queueing systems whose figures are known on the engine inside this process, and judges the figures.
    Theory(Theory),
}

/// What has a schema.
#[derive(Clone, Copy, ValueEnum)]
pub enum SchemaOf {
    /// The workspace file, policy and agents, as JSON Schema.
    Workspace,
    /// Events in and decisions out, as AsyncAPI.
    Asyncapi,
}

#[derive(Args)]
pub struct Serve {
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// scaled=N,start=TIMESTAMP: the engine's clock runs N times as fast, from TIMESTAMP at the first event that is not
    /// a configure. For workspaces marked `test` only.
    #[arg(long, value_name = "CLOCK")]
    pub clock: Option<Scaled>,
    /// Listen on an address that other machines reach, although there is no access control yet.
    #[arg(long)]
    pub insecure: bool,
}

impl Serve {
    /// The file's settings with what the command line says over them; the error is ready to be printed.
    pub fn config(&self) -> Result<Config, String> {
        let mut config = Config::read(&self.config, self.insecure)?;
        config.clock = self.clock.or(config.clock);
        Ok(config)
    }
}

#[derive(Args)]
pub struct Demo {
    /// Port of HTTP on loopback; 0 takes any.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Ends by itself after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
}

#[derive(Args)]
pub struct Top {
    /// Of the server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Needed where there are several.
    #[arg(long, value_name = "NAME")]
    pub workspace: Option<String>,
    /// Prints the figures once, as plain lines; so does an output that is no terminal.
    #[arg(long)]
    pub once: bool,
}

#[derive(Args)]
pub struct Simulate {
    /// The workspace file.
    #[arg(long, value_name = "FILE")]
    workspace: PathBuf,
    /// The workload, NDJSON, `.gz` or not.
    #[arg(long, value_name = "FILE")]
    workload: PathBuf,
    /// Seeds the engine's generator and whatever the player draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many times the arrivals: copies are new customers with the same handling times, a few minutes apart.
    #[arg(long, value_name = "K", default_value_t = 1.0)]
    load: f64,
    /// Plays lines at or after this time.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Plays lines before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Writes one line a conversation, NDJSON.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
}

impl From<Simulate> for SimulateArgs {
    fn from(args: Simulate) -> SimulateArgs {
        SimulateArgs {
            workspace: args.workspace,
            workload: args.workload,
            seed: args.seed,
            load: args.load,
            selection: Selection { from: args.from, to: args.to },
            json: args.json,
            calls: args.calls,
        }
    }
}

#[derive(Args)]
pub struct Replay {
    /// The workload, NDJSON, `.gz` or not.
    #[arg(long, value_name = "FILE")]
    workload: PathBuf,
    /// Where the engine is: kafka://host:port or http://host:port. A second --to may say a time instead, as that of
    /// `simulate` does, and only lines before it are played: --to http://127.0.0.1:8080 --to 2026-11-23T08:30.
    #[arg(long, value_name = "URL, then TIME", required = true, num_args = 1)]
    to: Vec<String>,
    /// http://host:port of the engine, where events go to Kafka: its clock is asked there.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// The workspace file, for its name and its channels; `serve` must have offered it.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// The workspace's name, where there is no file; its channels are the standard ones.
    #[arg(long, value_name = "NAME")]
    workspace_name: Option<String>,
    /// So many times as fast; the engine's clock must run at the same scale.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// So many times the arrivals: copies are new customers with the same handling times, a few minutes apart.
    #[arg(long, value_name = "K", default_value_t = 1.0)]
    load: f64,
    /// Seeds whatever the player draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The run's id, drawn if left out: events come from the sources replay/ID/customers/CHANNEL, …/agents and …/bots. A
    /// second run of one id sends nothing new.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Plays lines at or after this time.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Writes one line a conversation, NDJSON.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// A librdkafka property, name=value; may be given several times.
    #[arg(long = "kafka-property", value_name = "NAME=VALUE")]
    kafka_properties: Vec<String>,
    #[arg(long, default_value = "strowger.events", value_name = "TOPIC")]
    events_topic: String,
    #[arg(long, default_value = "strowger.decisions", value_name = "TOPIC")]
    decisions_topic: String,
}

impl TryFrom<Replay> for ReplayArgs {
    type Error = anyhow::Error;

    fn try_from(args: Replay) -> anyhow::Result<ReplayArgs> {
        let (targets, ends): (Vec<String>, Vec<String>) = args.to.into_iter().partition(|to| to.contains("://"));
        ensure!(ends.len() <= 1, "--to is given {} times as a time; once is enough", ends.len());
        let [to] = <[String; 1]>::try_from(targets)
            .map_err(|_| anyhow!("--to must say once where the engine is: kafka://host:port or http://host:port"))?;
        Ok(ReplayArgs {
            workload: args.workload,
            to,
            api: args.api,
            workspace: args.workspace,
            workspace_name: args.workspace_name,
            speed: args.speed,
            load: args.load,
            seed: args.seed,
            run: args.run,
            selection: Selection { from: args.from, to: ends.into_iter().next() },
            json: args.json,
            calls: args.calls,
            kafka_properties: args.kafka_properties,
            events_topic: args.events_topic,
            decisions_topic: args.decisions_topic,
        })
    }
}

#[derive(Args)]
pub struct Generate {
    /// The workload to write; - is standard output, a name that ends in .gz is packed.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[arg(long, default_value_t = 10_000)]
    arrivals: u64,
    /// A case of the queueing literature: mmc_c5_rho0.7 or mmc_c10_rho0.8; sets rate, agents and handling.
    #[arg(long)]
    case: Option<String>,
    #[arg(long)]
    rate_per_s: Option<f64>,
    #[arg(long)]
    agents: Option<u32>,
    /// exponential:MEAN_S, deterministic:S or lognormal:MEAN_S:CV.
    #[arg(long)]
    handle: Option<String>,
    /// As --handle, or none.
    #[arg(long)]
    patience: Option<String>,
    /// Names with weights: vip:0.2,regular:0.8.
    #[arg(long)]
    tiers: Option<String>,
    #[arg(long)]
    channels: Option<String>,
    /// Like type=PS:0.6,type=NW:0.4.
    #[arg(long)]
    attributes: Option<String>,
    /// The skill that an arrival requires, - for none: german:0.5,-:0.5.
    #[arg(long)]
    skills: Option<String>,
    /// steady, ramp or burst:N.
    #[arg(long)]
    shape: Option<String>,
    /// RFC 3339.
    #[arg(long)]
    start: Option<String>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes a workspace file that fits.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// A bot has each first, until it hands over; as --handle.
    #[arg(long, value_name = "TIME")]
    bot: Option<String>,
    /// Until an agent accepts an offer; as --handle.
    #[arg(long, value_name = "TIME")]
    accept: Option<String>,
    /// Wrap-up after the end; as --handle.
    #[arg(long, value_name = "TIME")]
    acw: Option<String>,
    /// Messages back and forth, among which the handling time is divided.
    #[arg(long, value_name = "N", default_value_t = 0)]
    turns: usize,
    /// A share of the conversations is transferred to a queue: 0.1:second:exponential:60.
    #[arg(long, value_name = "SHARE:QUEUE:TIME")]
    transfer: Option<String>,
    /// A share of the customers writes again after the end: 0.05:exponential:3600.
    #[arg(long, value_name = "SHARE:TIME")]
    reopen: Option<String>,
    /// The share of offers that agents decline.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    decline_share: f64,
    /// The share of offers that agents let run out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    miss_share: f64,
}

impl From<Generate> for GenerateArgs {
    fn from(args: Generate) -> GenerateArgs {
        GenerateArgs {
            out: args.out,
            arrivals: args.arrivals,
            case: args.case,
            rate_per_s: args.rate_per_s,
            agents: args.agents,
            handle: args.handle,
            patience: args.patience,
            tiers: args.tiers,
            channels: args.channels,
            attributes: args.attributes,
            skills: args.skills,
            shape: args.shape,
            start: args.start,
            seed: args.seed,
            workspace: args.workspace,
            course: CourseArgs {
                bot: args.bot,
                accept: args.accept,
                acw: args.acw,
                turns: args.turns,
                transfer: args.transfer,
                reopen: args.reopen,
                decline_share: args.decline_share,
                miss_share: args.miss_share,
            },
        }
    }
}

#[derive(Args)]
pub struct Review {
    /// The server's config file: it says where the journal is.
    #[arg(long, value_name = "FILE", default_value = "strowger.toml")]
    config: PathBuf,
    /// May be left out where the journal has only one.
    #[arg(long, value_name = "NAME")]
    workspace: Option<String>,
    /// Entries, work and clocks at or after this time: RFC 3339, or a date or local time in the zone.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// And before this time.
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Days and hours are those of this time zone, by its IANA name.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// Writes the page; review.html where neither --html nor --json is given.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the figures as one JSON object; - is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl From<Review> for ReviewArgs {
    fn from(args: Review) -> ReviewArgs {
        ReviewArgs {
            config: args.config,
            workspace: args.workspace,
            from: args.from,
            to: args.to,
            zone: args.zone,
            html: args.html,
            json: args.json,
        }
    }
}

#[derive(Args)]
pub struct Theory {
    /// Cases of the reference, by id; all of them where none is named.
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Arrivals of each run at least.
    #[arg(long, default_value_t = 1_000_000)]
    arrivals: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder of queueing_reference.json; else STROWGER_DATA, else data.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl From<Theory> for TheoryArgs {
    fn from(args: Theory) -> TheoryArgs {
        TheoryArgs { cases: args.cases, arrivals: args.arrivals, seed: args.seed, data: args.data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_schema_is_asked_for_by_name() {
        let parsed = Cli::try_parse_from(["strowger", "schema", "workspace"]).map(|cli| cli.command);
        assert!(matches!(parsed, Ok(Command::Schema { of: SchemaOf::Workspace })));
        assert!(Cli::try_parse_from(["strowger", "schema"]).is_err());
        assert!(Cli::try_parse_from(["strowger", "schema", "config"]).is_err());
    }

    fn replay(words: &[&str]) -> anyhow::Result<ReplayArgs> {
        let all = ["strowger", "replay", "--workload", "w"].iter().chain(words);
        let Command::Replay(args) = Cli::try_parse_from(all)?.command else { panic!() };
        args.try_into()
    }

    #[test]
    fn to_says_where_and_until_when() {
        let args = replay(&["--from", "a", "--to", "1999-02-03", "--to", "http://h:1"]).unwrap();
        assert_eq!((args.to.as_str(), args.selection.to.as_deref()), ("http://h:1", Some("1999-02-03")));
        let args = replay(&["--to", "kafka://h:1", "--api", "http://h:2"]).unwrap();
        assert_eq!((args.to.as_str(), args.selection.to), ("kafka://h:1", None));
        assert!(replay(&["--to", "1999-02-03"]).is_err());
        assert!(replay(&["--to", "http://a:1", "--to", "http://b:1"]).is_err());
    }
}
