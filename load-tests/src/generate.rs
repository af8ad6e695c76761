//! `strowger generate`: workloads with known answers, M/M/c and the like.
//!
//! Arrivals are a Poisson process (or a ramp, or bursts), handling and patience come from a named distribution, tiers,
//! channels, attributes and skills from weighted mixes. Each purpose draws from its own stream of one seed, so that
//! another handling time leaves the arrivals as they are (common random numbers). Handling times are rounded to the
//! millisecond, instants too: what stands in the file is all that a checker needs.

use crate::course::TURNS_MAX;
use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, Exp, LogNormal};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Default)]
pub struct GenerateArgs {
    /// `-` is standard output; a name that ends in `.gz` is packed.
    pub out: PathBuf,
    pub arrivals: u64,
    /// A case of the queueing literature that sets rate, agents and handling: see `CASES`.
    pub case: Option<String>,
    pub rate_per_s: Option<f64>,
    pub agents: Option<u32>,
    /// `exponential:MEAN_S`, `deterministic:S`, `lognormal:MEAN_S:CV`.
    pub handle: Option<String>,
    /// As `handle`, or `none`.
    pub patience: Option<String>,
    /// `vip:0.2,regular:0.8`: names with weights.
    pub tiers: Option<String>,
    pub channels: Option<String>,
    /// `type=PS:0.6,type=NW:0.4`.
    pub attributes: Option<String>,
    /// `german:0.5,-:0.5`: the skill an arrival requires, `-` for none.
    pub skills: Option<String>,
    /// `steady`, `ramp` (the rate rises from 0 to twice the mean), `burst:N` (N arrivals at each instant).
    pub shape: Option<String>,
    /// RFC 3339.
    pub start: Option<String>,
    pub seed: u64,
    /// Writes a workspace file that fits: one queue, longest idle, these agents.
    pub workspace: Option<PathBuf>,
    /// How conversations go on.
    pub course: CourseArgs,
}

/// As `handle` where a time is asked for. Each draws from the stream of courses, so that the rest stays as it is.
#[derive(Default)]
pub struct CourseArgs {
    /// Until a bot hands over. Its arrivals come to the entry `bot`.
    pub bot: Option<String>,
    /// Until an agent accepts an offer.
    pub accept: Option<String>,
    /// Wrap-up.
    pub acw: Option<String>,
    /// Messages back and forth.
    pub turns: usize,
    /// `SHARE:QUEUE:TIME`: so many are transferred to this queue after so long: `0.1:second:exponential:60`.
    pub transfer: Option<String>,
    /// `SHARE:TIME`: so many customers write again so long after the end.
    pub reopen: Option<String>,
    /// Shares of the offers.
    pub decline_share: f64,
    pub miss_share: f64,
}

/// (name, arrivals a second, agents, mean handling in seconds): M/M/c, first come first served, endless patience.
pub const CASES: [(&str, f64, u32, f64); 2] =
    [("mmc_c5_rho0.7", 3.5 / 240.0, 5, 240.0), ("mmc_c10_rho0.8", 8.0 / 300.0, 10, 300.0)];

const START: &str = "2026-01-01T00:00:00Z";
/// No more arrivals than a workload may have lines, and no more agents than a shard holds.
const ARRIVALS_MAX: u64 = 15_000_000;
const AGENTS_MAX: u32 = 200_000;

pub fn run(args: GenerateArgs) -> Result<()> {
    let plan = Plan::of(&args)?;
    let path = args.out.display().to_string();
    let context = || format!("cannot write {path}");
    if path == "-" {
        let mut out = BufWriter::new(std::io::stdout().lock());
        plan.write(&mut out).and_then(|()| out.flush()).with_context(context)?;
    } else {
        let file = BufWriter::with_capacity(1 << 20, File::create(&args.out).with_context(context)?);
        if path.ends_with(".gz") {
            let mut out = GzEncoder::new(file, Compression::fast());
            plan.write(&mut out).and_then(|()| out.finish()?.flush()).with_context(context)?;
        } else {
            let mut out = file;
            plan.write(&mut out).and_then(|()| out.flush()).with_context(context)?;
        }
    }
    args.workspace.as_deref().map_or(Ok(()), |path| plan.write_workspace(path))
}

#[derive(Clone, Copy)]
enum Spread {
    Never,
    Fixed(f64),
    Exponential(Exp<f64>),
    LogNormal(LogNormal<f64>),
}

impl Spread {
    fn parse(what: &str, text: &str) -> Result<Spread> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or("");
        let numbers: Result<Vec<f64>, _> = parts.map(str::parse).collect();
        let numbers = numbers.with_context(|| format!("{what}: {text:?} has a part that is not a number"))?;
        ensure!(numbers.iter().all(|n| n.is_finite() && *n > 0.0), "{what}: the numbers of {text:?} must be above 0");
        Ok(match (name, &numbers[..]) {
            ("none", []) => Spread::Never,
            ("deterministic", [seconds]) => Spread::Fixed(*seconds),
            ("exponential", [mean_s]) => Spread::Exponential(Exp::new(1.0 / mean_s)?),
            ("lognormal", [mean_s, cv]) => {
                // Mean m and coefficient of variation c: sigma^2 = ln(1 + c^2), mu = ln m - sigma^2 / 2.
                let variance = (1.0 + cv * cv).ln();
                Spread::LogNormal(LogNormal::new(mean_s.ln() - variance / 2.0, variance.sqrt())?)
            }
            _ => bail!("{what}: {text:?} is none of exponential:MEAN_S, deterministic:S, lognormal:MEAN_S:CV, none"),
        })
    }

    fn draw_ms(&self, rng: &mut ChaCha12Rng) -> Option<u64> {
        let seconds = match self {
            Spread::Never => return None,
            Spread::Fixed(seconds) => *seconds,
            Spread::Exponential(exponential) => exponential.sample(rng),
            Spread::LogNormal(lognormal) => lognormal.sample(rng),
        };
        Some((seconds * 1000.0).round() as u64)
    }
}

/// Names with weights.
struct Mix {
    /// With the cumulated weight.
    names: Vec<(String, f64)>,
    total: f64,
}

impl Mix {
    fn parse(what: &str, text: Option<&str>) -> Result<Mix> {
        let mut mix = Mix { names: Vec::new(), total: 0.0 };
        for part in text.unwrap_or("").split(',').filter(|part| !part.is_empty()) {
            let (name, weight) = part.rsplit_once(':').unwrap_or((part, "1"));
            let weight: f64 =
                weight.parse().with_context(|| format!("{what}: the weight of {part:?} is not a number"))?;
            ensure!(weight.is_finite() && weight > 0.0, "{what}: the weight of {part:?} must be above 0");
            ensure!(is_name(name), "{what}: {name:?} is not a name of visible ASCII without quotes");
            mix.total += weight;
            mix.names.push((name.to_owned(), mix.total));
        }
        Ok(mix)
    }

    /// Draws even where there is one name only, so that mixes of all sizes use the stream alike.
    fn draw(&self, rng: &mut ChaCha12Rng) -> Option<&str> {
        let point = rng.random::<f64>() * self.total;
        self.names.iter().find(|(_, until)| point < *until).or(self.names.last()).map(|(name, _)| &**name)
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Steady,
    Ramp,
    Burst(u64),
}

struct Plan {
    arrivals: u64,
    rate_per_s: f64,
    agents: u32,
    handle: Spread,
    patience: Spread,
    tiers: Mix,
    channels: Mix,
    attributes: Mix,
    skills: Mix,
    shape: Shape,
    start: u64,
    seed: u64,
    course: Course,
}

impl Plan {
    fn of(args: &GenerateArgs) -> Result<Plan> {
        let known = || CASES.map(|case| case.0).join(", ");
        let case = match &args.case {
            None => None,
            Some(name) => {
                let case = CASES.iter().find(|case| case.0 == name);
                Some(case.with_context(|| format!("the case {name:?} is not known; known are {}", known()))?)
            }
        };
        let rate_per_s = args.rate_per_s.or(case.map(|case| case.1)).unwrap_or(3.5 / 240.0);
        let agents = args.agents.or(case.map(|case| case.2)).unwrap_or(5);
        let mean_s = case.map_or(240.0, |case| case.3);
        let handle = args.handle.clone().unwrap_or_else(|| format!("exponential:{mean_s}"));
        let handle = Spread::parse("--handle", &handle)?;
        ensure!(!matches!(handle, Spread::Never), "--handle cannot be none");
        ensure!(rate_per_s.is_finite() && rate_per_s > 0.0, "--rate must be above 0 arrivals a second");
        ensure!((1..=ARRIVALS_MAX).contains(&args.arrivals), "--arrivals must be from 1 to {ARRIVALS_MAX}");
        ensure!(agents <= AGENTS_MAX, "--agents must be at most {AGENTS_MAX}");
        let attributes = Mix::parse("--attributes", args.attributes.as_deref())?;
        let paired = attributes.names.iter().all(|(name, _)| name.contains('='));
        ensure!(paired, "--attributes takes name=value:weight, separated by commas");
        let start = args.start.as_deref().unwrap_or(START);
        let start: jiff::Timestamp = start.parse().with_context(|| format!("--start: {start:?} is not RFC 3339"))?;
        Ok(Plan {
            arrivals: args.arrivals,
            rate_per_s,
            agents,
            handle,
            patience: Spread::parse("--patience", args.patience.as_deref().unwrap_or("none"))?,
            tiers: Mix::parse("--tiers", args.tiers.as_deref())?,
            channels: Mix::parse("--channels", Some(args.channels.as_deref().unwrap_or("voice")))?,
            attributes,
            skills: Mix::parse("--skills", args.skills.as_deref())?,
            shape: shape(args.shape.as_deref().unwrap_or("steady"))?,
            start: u64::try_from(start.as_millisecond()).context("--start lies before 1970")?,
            seed: args.seed,
            course: Course::of(&args.course)?,
        })
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let stream = |number| {
            let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
            rng.set_stream(number);
            rng
        };
        let (mut gaps, mut handles, mut patiences, mut kinds) = (stream(0), stream(1), stream(2), stream(3));
        let mut courses = stream(4);
        self.course.write_shares(out)?;
        let begins = connectors::codec::timestamp(self.start);
        for agent in 1..=self.agents {
            let name = agent_name(agent, self.agents);
            writeln!(out, r#"{{"at":"{begins}","kind":"presence","agent":"{name}","status":"online"}}"#)?;
        }
        let bar = crate::progress::bar(self.arrivals, "writing");
        let mut clock = Clock { seconds: 0.0, unit_time: 0.0, number: 0 };
        let mut line = String::new();
        for number in 1..=self.arrivals {
            let at = self.start + self.next_instant(&mut clock, &mut gaps);
            line.clear();
            self.arrival(number, at, &mut line, &mut handles, &mut patiences, &mut kinds);
            self.course.write(&mut line, &mut courses);
            line.push_str("}\n");
            out.write_all(line.as_bytes())?;
            if number.is_multiple_of(16_384) {
                bar.set_position(number);
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Milliseconds from the start to the next arrival. Gaps add up unrounded; only the instant is rounded.
    fn next_instant(&self, clock: &mut Clock, rng: &mut ChaCha12Rng) -> u64 {
        // Exponential by inversion: 1 - u lies in (0, 1].
        let mut gap = || -(1.0 - rng.random::<f64>()).ln();
        match self.shape {
            Shape::Steady => clock.seconds += gap() / self.rate_per_s,
            Shape::Burst(size) => {
                if clock.number.is_multiple_of(size) {
                    clock.seconds += gap() * size as f64 / self.rate_per_s;
                }
            }
            Shape::Ramp => {
                // Over T = arrivals / rate the rate rises as 2 rate t / T: a unit Poisson process at s stands at
                // t = sqrt(s T / rate) (time change of Cinlar).
                clock.unit_time += gap();
                let whole_s = self.arrivals as f64 / self.rate_per_s;
                clock.seconds = (clock.unit_time * whole_s / self.rate_per_s).sqrt();
            }
        }
        clock.number += 1;
        (clock.seconds * 1000.0).round() as u64
    }

    fn arrival(
        &self,
        number: u64,
        at: u64,
        line: &mut String,
        handles: &mut ChaCha12Rng,
        patiences: &mut ChaCha12Rng,
        kinds: &mut ChaCha12Rng,
    ) {
        let handle_ms = self.handle.draw_ms(handles).unwrap_or(0);
        let patience = self.patience.draw_ms(patiences).map_or("null".to_owned(), decimal);
        let quoted = |text: Option<&str>| text.map_or("null".to_owned(), |text| format!("\"{text}\""));
        let tier = quoted(self.tiers.draw(kinds));
        let channel = self.channels.draw(kinds).unwrap_or("voice");
        let attribute = self.attributes.draw(kinds).and_then(|pair| pair.split_once('='));
        let attributes = attribute.map_or(String::new(), |(key, value)| format!("\"{key}\":\"{value}\""));
        let at = connectors::codec::timestamp(at);
        let handle = decimal(handle_ms);
        let _ = write!(
            line,
            r#"{{"at":"{at}","kind":"arrival","conversation":"c{number}","customer":null,"tier":{tier},"channel":"{channel}","attributes":{{{attributes}}},"handle_s":{handle},"patience_s":{patience}"#,
        );
        if let Some(skill) = self.skills.draw(kinds).filter(|skill| *skill != "-") {
            let _ = write!(line, r#","skills":{{"{skill}":1}}"#);
        }
    }

    fn write_workspace(&self, path: &Path) -> Result<()> {
        let mut text =
            String::from("# Written by `strowger generate`: one queue for all, the longest idle agent answers.\n");
        text.push_str("workspace = \"generated\"\nversion = 1\ntest = true\n");
        if self.course.makes_offers() {
            text.push_str("# Who declined or missed too many in a row gets nothing for a while.\n");
            let _ = writeln!(text, "not_responding_s = {NOT_RESPONDING_S}");
        }
        self.course.write_queues(&mut text);
        text.push_str("\n[[rule]]\nqueue = \"all\"\n");
        for (tier, _) in &self.tiers.names {
            let _ = write!(text, "\n[tier.\"{tier}\"]\nhead_start_s = 0\n");
        }
        let skills = self.skills.names.iter().filter(|(name, _)| name != "-");
        let skills: Vec<String> = skills.map(|(name, _)| format!("\"{name}\" = 1")).collect();
        for agent in 1..=self.agents {
            let name = agent_name(agent, self.agents);
            let _ = write!(text, "\n[[agent]]\nid = \"{name}\"\nskills = {{ {} }}\n", skills.join(", "));
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What `CourseArgs` ask for.
struct Course {
    bot: Spread,
    accept: Spread,
    acw: Spread,
    turns: usize,
    transfer: Option<(f64, String, Spread)>,
    reopen: Option<(f64, Spread)>,
    decline_share: f64,
    miss_share: f64,
}

/// What a written workspace allows an agent to accept an offer, and for his wrap-up.
const ACCEPT_S: u32 = 20;
const WRAP_UP_MAX_S: u32 = 600;
const NOT_RESPONDING_S: u32 = 60;
/// The entry at which a bot answers.
const BOT_ENTRY: &str = "bot";

impl Course {
    fn of(args: &CourseArgs) -> Result<Course> {
        let spread = |what: &str, text: &Option<String>| Spread::parse(what, text.as_deref().unwrap_or("none"));
        ensure!(args.turns <= TURNS_MAX, "--turns must be at most {TURNS_MAX}");
        let (decline_share, miss_share) = (args.decline_share, args.miss_share);
        let are_shares = decline_share >= 0.0 && miss_share >= 0.0 && decline_share + miss_share <= 1.0;
        ensure!(are_shares, "--decline-share and --miss-share must be from 0 to 1, together too");
        let transfer = match &args.transfer {
            None => None,
            Some(text) => {
                let (share, rest) = share("--transfer", text)?;
                let (queue, time) = rest.split_once(':').context("--transfer is SHARE:QUEUE:TIME")?;
                ensure!(is_name(queue), "--transfer: {queue:?} is not a name of visible ASCII without quotes");
                Some((share, queue.to_owned(), timed("--transfer", time)?))
            }
        };
        let reopen = match &args.reopen {
            None => None,
            Some(text) => {
                share("--reopen", text).and_then(|(share, time)| Ok(Some((share, timed("--reopen", time)?))))?
            }
        };
        Ok(Course {
            bot: spread("--bot", &args.bot)?,
            accept: spread("--accept", &args.accept)?,
            acw: spread("--acw", &args.acw)?,
            turns: args.turns,
            transfer,
            reopen,
            decline_share,
            miss_share,
        })
    }

    fn makes_offers(&self) -> bool {
        !matches!(self.accept, Spread::Never) || self.decline_share + self.miss_share > 0.0
    }

    /// The workload's first line, where there is something to say in it.
    fn write_shares(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (decline, miss) = (self.decline_share, self.miss_share);
        if decline + miss > 0.0 {
            writeln!(out, r#"{{"kind":"workload","version":1,"decline_share":{decline},"miss_share":{miss}}}"#)?;
        }
        Ok(())
    }

    /// The members of an arrival. All that is drawn is drawn for each, asked for or not by this one's share.
    fn write(&self, line: &mut String, rng: &mut ChaCha12Rng) {
        for (name, spread) in [("bot_s", self.bot), ("accept_s", self.accept), ("acw_s", self.acw)] {
            if let Some(ms) = spread.draw_ms(rng) {
                let _ = write!(line, r#","{name}":{}"#, decimal(ms));
            }
        }
        if !matches!(self.bot, Spread::Never) {
            let _ = write!(line, r#","entry":"{BOT_ENTRY}""#);
        }
        if self.turns > 0 {
            let _ = write!(line, r#","turns":{}"#, self.turns);
        }
        if let Some((share, queue, spread)) = &self.transfer {
            let (chance, after_ms) = (rng.random::<f64>(), spread.draw_ms(rng).unwrap_or(0));
            if chance < *share {
                let _ = write!(line, r#","transfer":{{"to":"{queue}","after_s":{}}}"#, decimal(after_ms));
            }
        }
        if let Some((share, spread)) = &self.reopen {
            let (chance, after_ms) = (rng.random::<f64>(), spread.draw_ms(rng).unwrap_or(0));
            if chance < *share {
                let _ = write!(line, r#","reopen_after_s":{}"#, decimal(after_ms));
            }
        }
    }

    /// The queues of a workspace in which all of this happens, and the bot's entry.
    fn write_queues(&self, text: &mut String) {
        let mut queues = vec!["all"];
        queues.extend(self.transfer.iter().map(|(_, queue, _)| &**queue).filter(|queue| *queue != "all"));
        for queue in queues {
            let _ = write!(text, "\n[[queue]]\nname = \"{queue}\"\nstrategy = \"longest_idle\"\n");
            if self.makes_offers() {
                let _ = writeln!(text, "accept_s = {ACCEPT_S}");
            }
            if !matches!(self.acw, Spread::Never) {
                let _ = writeln!(text, "wrap_up = {{ mode = \"optional\", units = 1, max_s = {WRAP_UP_MAX_S} }}");
            }
        }
        if !matches!(self.bot, Spread::Never) {
            let _ = write!(text, "\n[entry.{BOT_ENTRY}]\nqueue = \"all\"\nbot = true\n");
        }
    }
}

fn share<'t>(what: &str, text: &'t str) -> Result<(f64, &'t str)> {
    let (share, rest) = text.split_once(':').with_context(|| format!("{what} begins with a share and a colon"))?;
    let share: f64 = share.parse().with_context(|| format!("{what}: the share {share:?} is not a number"))?;
    ensure!((0.0..=1.0).contains(&share), "{what}: the share must be from 0 to 1");
    Ok((share, rest))
}

fn timed(what: &str, text: &str) -> Result<Spread> {
    let spread = Spread::parse(what, text)?;
    ensure!(!matches!(spread, Spread::Never), "{what} needs a time");
    Ok(spread)
}

fn is_name(name: &str) -> bool {
    let visible = name.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\');
    !name.is_empty() && visible
}

struct Clock {
    seconds: f64,
    /// The time of a Poisson process of rate 1.
    unit_time: f64,
    number: u64,
}

fn shape(text: &str) -> Result<Shape> {
    match (text, text.strip_prefix("burst:").map(str::parse::<u64>)) {
        ("steady", _) => Ok(Shape::Steady),
        ("ramp", _) => Ok(Shape::Ramp),
        (_, Some(Ok(size))) if size > 0 => Ok(Shape::Burst(size)),
        _ => bail!("--shape: {text:?} is none of steady, ramp, burst:N"),
    }
}

/// `a01` of 5 and of 10, `a001` of 100: sorted as numbered.
fn agent_name(number: u32, of: u32) -> String {
    let width = of.to_string().len().max(2);
    format!("a{number:0width$}")
}

fn decimal(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Selection, Workload};

    fn generated(args: GenerateArgs) -> Workload {
        let mut bytes = Vec::new();
        Plan::of(&args).unwrap().write(&mut bytes).unwrap();
        Workload::read("generated", &bytes[..], &Selection::default()).unwrap()
    }

    #[test]
    fn what_is_generated_is_read_back_with_its_means() {
        let case = Some("mmc_c10_rho0.8".to_owned());
        let workload = generated(GenerateArgs { arrivals: 50_000, case, seed: 7, ..GenerateArgs::default() });
        let handled: u64 = workload.arrivals().map(|arrival| arrival.handle_ms).sum();
        let load = handled as f64 / (workload.ends - workload.begins) as f64;
        assert!((load / 8.0 - 1.0).abs() < 0.02, "offered load {load}");
        assert_eq!(workload.lines.len(), 50_010);
    }

    #[test]
    fn other_handling_times_leave_the_arrivals_as_they_are() {
        let instants = |handle: &str| {
            let handle = Some(handle.to_owned());
            let tiers = Some("vip:1,regular:3".to_owned());
            let workload =
                generated(GenerateArgs { arrivals: 1_000, handle, tiers, seed: 1, ..GenerateArgs::default() });
            workload.arrivals().map(|a| (a.at, a.tier.clone())).collect::<Vec<_>>()
        };
        assert_eq!(instants("deterministic:60"), instants("lognormal:240:1.5"));
    }

    #[test]
    fn a_course_is_read_back_and_moves_nothing_else() {
        let of = |course: CourseArgs| {
            let args = GenerateArgs {
                arrivals: 2_000,
                seed: 3,
                patience: Some("exponential:60".to_owned()),
                course,
                ..GenerateArgs::default()
            };
            generated(args)
        };
        let text = |text: &str| Some(text.to_owned());
        let plain = of(CourseArgs::default());
        let full = of(CourseArgs {
            bot: text("exponential:20"),
            accept: text("deterministic:3"),
            acw: text("lognormal:30:1"),
            turns: 2,
            transfer: text("0.25:second:exponential:60"),
            reopen: text("0.1:deterministic:3600"),
            decline_share: 0.2,
            miss_share: 0.1,
        });
        for (one, other) in plain.arrivals().zip(full.arrivals()) {
            assert_eq!((one.at, one.patience_ms), (other.at, other.patience_ms));
            let course = other.course();
            assert_eq!(other.handle_ms + course.turns.iter().map(|turn| turn.agent_ms).sum::<u64>(), one.handle_ms);
            assert_eq!((course.accept_ms, course.turns.len(), course.decline_share), (3_000, 2, 0.2));
            assert!(course.bot_ms.is_some() && course.acw_ms.is_some() && one.course.is_none());
        }
        let transferred = full.arrivals().filter(|arrival| arrival.course().transfer.is_some()).count();
        let reopened = full.arrivals().filter(|a| a.course().reopen_after_ms == Some(3_600_000)).count();
        assert!((430..570).contains(&transferred) && (150..250).contains(&reopened), "{transferred} {reopened}");
        let fault = |course| Plan::of(&GenerateArgs { arrivals: 1, course, ..GenerateArgs::default() }).is_err();
        assert!(fault(CourseArgs { reopen: text("2:deterministic:1"), ..CourseArgs::default() }));
        assert!(fault(CourseArgs { decline_share: 0.6, miss_share: 0.6, ..CourseArgs::default() }));
    }

    #[test]
    fn bursts_come_at_one_instant_and_mixes_keep_their_weights() {
        let workload = generated(GenerateArgs {
            arrivals: 10_000,
            shape: Some("burst:50".to_owned()),
            skills: Some("german:1,-:3".to_owned()),
            attributes: Some("type=PS:1".to_owned()),
            ..GenerateArgs::default()
        });
        let instants: std::collections::BTreeSet<u64> = workload.arrivals().map(|arrival| arrival.at).collect();
        assert_eq!(instants.len(), 200);
        let german = workload.arrivals().filter(|arrival| !arrival.skills.is_empty()).count();
        assert!((2_300..2_700).contains(&german), "{german} of 10,000");
    }
}
