//! `strowger theory`: queueing systems whose figures are known, played on the engine in virtual time and judged.
//!
//! The cases are those of `queueing_reference.json`: what each is, what must come out, and how far one run of a million
//! arrivals may be off. Each is a workspace file and arrivals drawn by a seed; the player plays them as it plays any
//! workload. Of steady states every figure of the file is judged, and one that is not known is a fault; of the other cases
//! those that `cases` names.
//!
//! | file | what |
//! |---|---|
//! | `system` | a queueing system: its workspace, its arrivals, what came of them |
//! | `recursion` | the same arrivals by Kiefer and Wolfowitz, without the engine |
//! | `cases` | each case: its systems and its figures |
//! | `tolerance` | how far a figure may be off |
//! | `bank` | the dispatch rule of a real exchange against the engine's order |

mod bank;
mod cases;
mod recursion;
mod system;
mod tolerance;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub struct TheoryArgs {
    /// Ids of cases; empty: all.
    pub cases: Vec<String>,
    /// Of each run at least.
    pub arrivals: u64,
    pub seed: u64,
    /// The folder of `queueing_reference.json`. None: STROWGER_DATA, else `data`.
    pub data: Option<PathBuf>,
}

pub const REFERENCE: &str = "queueing_reference.json";
pub const BANK: &str = "bank-1999-02.workload.ndjson.gz";
const ARRIVALS_MAX: u64 = 10_000_000;

/// One figure of a case.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: String,
    pub figure: String,
    pub expected: f64,
    pub measured: f64,
    /// The measured figure may be so far from the expected one, either way.
    pub tolerance: f64,
}

impl Row {
    pub fn is_inside(&self) -> bool {
        (self.measured - self.expected).abs() <= self.tolerance
    }
}

/// What a case is played with.
struct Run<'r> {
    reference: &'r Reference,
    arrivals: u64,
    seed: u64,
    data: &'r Path,
}

pub fn run(args: TheoryArgs) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let begun = Instant::now();
    let (mut cases, mut figures, mut outside) = (0, 0, 0);
    judge(&args, |rows, note| {
        if cases == 0 {
            write_headings(&mut out)?;
        }
        cases += 1;
        for row in rows {
            figures += 1;
            outside += u32::from(!row.is_inside());
            write_row(&mut out, row)?;
        }
        if !note.is_empty() {
            writeln!(out, "  {note}")?;
        }
        Ok(())
    })?;
    writeln!(out, "{figures} figures of {cases} cases, {outside} outside, in {:.0} s", begun.elapsed().as_secs_f64())?;
    ensure!(figures > 0, "nothing was judged");
    ensure!(outside == 0, "{outside} of {figures} figures are outside of their tolerance");
    Ok(())
}

/// Plays the cases asked for, each handed over with its figures and a note (empty: none) as soon as it is done.
pub fn judge(args: &TheoryArgs, mut done: impl FnMut(&[Row], &str) -> Result<()>) -> Result<()> {
    ensure!((1_000..=ARRIVALS_MAX).contains(&args.arrivals), "--arrivals must be from 1,000 to {ARRIVALS_MAX}");
    let data = folder(args.data.as_deref());
    let reference = Reference::open(&data.join(REFERENCE))?;
    let run = Run { reference: &reference, arrivals: args.arrivals, seed: args.seed, data: &data };
    let known = reference.ids();
    for id in &args.cases {
        ensure!(known.contains(&id.as_str()), "the case {id:?} is not known; known are {}", known.join(", "));
    }
    for case in &reference.cases {
        let id = id_of(case);
        if args.cases.is_empty() || args.cases.iter().any(|asked| asked == id) {
            let (rows, note) = cases::play(case, &run).with_context(|| format!("the case {id}"))?;
            done(&rows, &note)?;
        }
    }
    Ok(())
}

/// Where real input and reference numbers lie.
pub fn folder(named: Option<&Path>) -> PathBuf {
    let of_environment = || std::env::var_os("STROWGER_DATA").map(PathBuf::from);
    named.map(Path::to_path_buf).or_else(of_environment).unwrap_or_else(|| PathBuf::from("data"))
}

struct Reference {
    cases: Vec<Value>,
}

impl Reference {
    fn open(path: &Path) -> Result<Reference> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}: name its folder with --data or STROWGER_DATA", path.display()))?;
        let value: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        let cases = value["cases"].as_array().cloned().unwrap_or_default();
        ensure!(!cases.is_empty(), "{} has no cases", path.display());
        Ok(Reference { cases })
    }

    fn ids(&self) -> Vec<&str> {
        self.cases.iter().map(id_of).collect()
    }
}

fn id_of(case: &Value) -> &str {
    case["id"].as_str().unwrap_or("")
}

/// A number at a path of members and of indices of lists.
fn number(value: &Value, path: &[&str]) -> Result<f64> {
    let found = path.iter().try_fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) if value.is_array() => value.get(index),
        _ => value.get(part),
    });
    match found.and_then(Value::as_f64) {
        Some(number) => Ok(number),
        None => bail!("{} is not a number", path.join(".")),
    }
}

fn write_headings(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{:<47} {:<58} {:>12} {:>12} {:>12}  verdict", "case", "figure", "expected", "measured", "tolerance")
}

fn write_row(out: &mut impl Write, row: &Row) -> std::io::Result<()> {
    let verdict = if row.is_inside() { "ok" } else { "OUTSIDE" };
    writeln!(
        out,
        "{:<47} {:<58} {:>12} {:>12} {:>12}  {verdict}",
        row.case,
        row.figure,
        digits(row.expected),
        digits(row.measured),
        digits(row.tolerance)
    )
}

/// Five significant digits or so.
fn digits(value: f64) -> String {
    let decimals = (4 - value.abs().max(1e-6).log10().floor() as i64).clamp(0, 8) as usize;
    format!("{value:.decimals$}")
}
