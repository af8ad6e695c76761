//! `strowger generate`: workloads with known answers, M/M/c and the like.
//!
//! Arrivals are a Poisson process (or a ramp, or bursts), handling and patience come from a named distribution, tiers,
//! channels, attributes and skills from weighted mixes. Each purpose draws from its own stream of one seed, so that
//! another handling time leaves the arrivals as they are (common random numbers). Handling times are rounded to the
//! millisecond, instants too: what stands in the file is all that a checker needs.

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
            let visible = name.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\');
            ensure!(!name.is_empty() && visible, "{what}: {name:?} is not a name of visible ASCII without quotes");
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
        })
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let stream = |number| {
            let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
            rng.set_stream(number);
            rng
        };
        let (mut gaps, mut handles, mut patiences, mut kinds) = (stream(0), stream(1), stream(2), stream(3));
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
        line.push_str("}\n");
    }

    fn write_workspace(&self, path: &Path) -> Result<()> {
        let mut text =
            String::from("# Written by `strowger generate`: one queue for all, the longest idle agent answers.\n");
        let _ = write!(text, "workspace = \"generated\"\nversion = 1\ntest = true\n\n");
        text.push_str("[[queue]]\nname = \"all\"\nstrategy = \"longest_idle\"\n\n[[rule]]\nqueue = \"all\"\n");
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
