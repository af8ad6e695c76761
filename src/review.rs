//! `strowger review`: what was asked for and what was reached in a range of time, as one HTML page and as JSON.
//!
//! Everything is read from the journal, in both modes, by the reading rules that hold for everybody; nothing is claimed
//! and nothing is written, so a server may run on it meanwhile. `fold` makes figures of decisions, `page` and `plots`
//! make a page of figures. Policies are read out of the records' effects, since goals stand in no decision.

pub mod figures;
pub mod fold;
pub mod page;
mod plots;
pub mod zone;

use crate::clock::WallClock;
use crate::config::{Config, JournalConfig};
use crate::publisher::hex;
use crate::recovery::genesis;
use anyhow::{Context, anyhow, bail, ensure};
use connectors::codec::partition;
use connectors::codec::{decisions, parse_timestamp, timestamp};
use connectors::journal::history::read_batches;
use connectors::journal::{Fold, Genesis, Journal, Record};
use connectors::kafka::KafkaJournal;
use connectors::sqlite::SqliteJournal;
use crossbeam::channel::bounded;
use engine::Engine;
use engine::decision::{DecisionType, Position, Told};
use engine::id::HashKey;
use figures::{Figures, JournalRead};
use fold::{Range, Review};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zone::Zone;

/// A review is of days or weeks; what a fold keeps of each day and queue is bounded by this.
const RANGE_DAYS_MAX: u64 = 400;
const DAY_MS: u64 = 86_400_000;
/// Where the page goes if nobody says where anything goes.
const HTML_DEFAULT: &str = "review.html";
const STANDARD_OUTPUT: &str = "-";

#[derive(Clone, Debug)]
pub struct Args {
    pub config: PathBuf,
    /// Absent: the only one of the journal.
    pub workspace: Option<String>,
    /// RFC 3339, or a date or local time in `zone`.
    pub from: String,
    pub to: String,
    pub zone: String,
    pub html: Option<PathBuf>,
    /// - is standard output.
    pub json: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let zone = Zone::named(&args.zone).map_err(|sentence| anyhow!("--zone: {sentence}"))?;
    let range = range(&args.from, &args.to, &zone)?;
    // Where a server would listen is not asked of who only reads.
    let config = Config::read(&args.config, true).map_err(anyhow::Error::msg)?;
    let (mut journal, shards) = open(&config)?;
    let mut figures = read(journal.as_mut(), shards, args.workspace.as_deref(), range, &zone)?;
    figures.made_at = timestamp(WallClock::default().now_ms());
    let html = match (&args.html, &args.json) {
        (None, None) => Some(PathBuf::from(HTML_DEFAULT)),
        (html, _) => html.clone(),
    };
    if let Some(path) = &html {
        write(path, &page::render(&figures, &zone))?;
    }
    let to_standard_output = args.json.as_deref() == Some(Path::new(STANDARD_OUTPUT));
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&figures).context("the figures as JSON")? + "\n";
        match to_standard_output {
            true => say(&text),
            false => write(path, &text)?,
        }
    }
    if !to_standard_output {
        let files: Vec<String> =
            [&html, &args.json].into_iter().flatten().map(|path| path.display().to_string()).collect();
        say(&page::summary(&figures, &files.join(" and ")));
    }
    Ok(())
}

/// Who reads only the beginning, as `head` does, has what he wanted.
fn say(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn range(from: &str, to: &str, zone: &Zone) -> anyhow::Result<Range> {
    let moment = |name: &str, text: &str| {
        parse_timestamp(text).or_else(|| zone.moment(text)).with_context(|| {
            format!("{name}: {text:?} is no time; it is a date as 2026-11-23, or RFC 3339 as 2026-11-23T08:00:00Z")
        })
    };
    let range = Range { from: moment("--from", from)?, to: moment("--to", to)? };
    ensure!(range.from < range.to, "--to has to be later than --from: {from} is not before {to}");
    let days = (range.to - range.from).div_ceil(DAY_MS);
    ensure!(days <= RANGE_DAYS_MAX, "--from and --to are {days} days apart; a review is of at most {RANGE_DAYS_MAX}");
    Ok(range)
}

/// The journal as one who only reads has it, and how many shards it has.
fn open(config: &Config) -> anyhow::Result<(Box<dyn Journal>, u16)> {
    match &config.journal {
        JournalConfig::Sqlite { path } => {
            let (journal, shards) = SqliteJournal::read_only(path)?;
            Ok((Box::new(journal), shards))
        }
        JournalConfig::Kafka(kafka) => {
            let journal = KafkaJournal::new(kafka, bounded(1).0, Arc::new(|_| {}))?;
            Ok((Box::new(journal), config.shards))
        }
    }
}

fn read(
    journal: &mut dyn Journal,
    shards: u16,
    workspace: Option<&str>,
    range: Range,
    zone: &Zone,
) -> anyhow::Result<Figures> {
    let Genesis { journal_id, key, shards, .. } =
        genesis(journal, shards, &[], (0, 0)).context("the journal cannot be read")?;
    ensure!(journal_id != [0; 16], "the journal is empty: no server has written to it yet");
    let mut reading = Reading::new(workspace, Review::new(range, zone.clone(), HashKey(key)));
    match workspace {
        Some(name) => reading.shard(journal, partition(name, shards))?,
        None => (0..shards).try_for_each(|shard| reading.shard(journal, shard))?,
    }
    let Some(known) = reading.found.clone() else {
        let Some(name) = workspace else { bail!("the journal has no workspace yet") };
        (0..shards).try_for_each(|shard| reading.shard(journal, shard))?;
        bail!("the journal has no workspace {name:?}; {}", listed(&reading.names));
    };
    ensure!(
        workspace.is_some() || reading.names.len() == 1,
        "the journal has several workspaces: say --workspace; {}",
        listed(&reading.names)
    );
    let mut figures = reading.review.finish(known.now);
    figures.workspace = reading.wanted.unwrap_or_default().into();
    figures.journal = JournalRead {
        id: hex(&journal_id),
        shard: known.shard,
        seq: known.seq,
        decision: (known.decision.seq > 0).then(|| format!("{}.{}", known.decision.seq, known.decision.idx)),
        known_until: timestamp(known.now),
    };
    Ok(figures)
}

fn listed(names: &BTreeSet<Box<str>>) -> String {
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    if names.is_empty() { "there is none yet".into() } else { format!("there are: {}", names.join(", ")) }
}

/// How far the workspace's shard was read.
#[derive(Clone, Debug)]
struct Known {
    shard: u16,
    seq: u64,
    decision: Position,
    now: u64,
}

/// A pass over shards, on the search for one workspace.
struct Reading {
    /// Absent until the first one is seen, where none was named.
    wanted: Option<Box<str>>,
    names: BTreeSet<Box<str>>,
    review: Review,
    found: Option<Known>,
}

impl Reading {
    fn new(workspace: Option<&str>, review: Review) -> Reading {
        Reading { wanted: workspace.map(Into::into), names: BTreeSet::new(), review, found: None }
    }

    fn shard(&mut self, journal: &mut dyn Journal, shard: u16) -> anyhow::Result<()> {
        let bar = bar(journal.end(shard).unwrap_or(0));
        let mut fault = None;
        let read = read_batches(journal, Fold::new(shard), u64::MAX, &mut |fold, record| {
            bar.set_position(fold.pos);
            let taken = self.record(fold, record);
            taken.map_err(|error| fault = Some(error)).is_ok()
        });
        bar.finish_and_clear();
        read.with_context(|| format!("shard {shard} of the journal cannot be read"))?;
        fault.map_or(Ok(()), Err)
    }

    fn record(&mut self, fold: &Fold, record: &Record<'_>) -> anyhow::Result<()> {
        let seq = record.header.seq;
        let told = decisions(record.decisions).with_context(|| format!("the decisions of record {seq}"))?;
        let configures = |told: &Told| told.decision_type == DecisionType::WorkspaceConfigured;
        let policies = if told.iter().any(configures) {
            Engine::policies(record.effects).with_context(|| format!("the policy of record {seq}"))?
        } else {
            Vec::new()
        };
        let mut policies = policies.into_iter();
        for told in &told {
            let policy = if configures(told) { policies.next() } else { None };
            if policy.is_some() && !self.names.contains(&told.workspace) {
                self.names.insert(told.workspace.clone());
            }
            if self.wanted.is_none() {
                self.wanted = Some(told.workspace.clone());
            }
            if self.wanted.as_ref() != Some(&told.workspace) {
                continue;
            }
            if let Some(policy) = policy {
                self.review.configured(&policy, told.time);
                self.found.get_or_insert(Known { shard: fold.shard, seq, decision: Position::default(), now: 0 });
            }
            self.review.take(told);
        }
        if let Some(found) = self.found.as_mut().filter(|found| found.shard == fold.shard) {
            (found.seq, found.decision, found.now) = (fold.seq, fold.last_decision, fold.now);
        }
        Ok(())
    }
}

/// Hides itself where there is no terminal.
fn bar(end: u64) -> ProgressBar {
    let bar = ProgressBar::new(end);
    let style = ProgressStyle::with_template("reading the journal {bar:40} {percent:>3} % ({eta} left)");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_in_the_zone_that_is_shown_and_faults_say_what_is_meant() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let midnight = parse_timestamp("2026-11-22T23:00:00Z").unwrap();
        let week = range("2026-11-23", "2026-11-30T00:00", &berlin).unwrap();
        assert_eq!(week, Range { from: midnight, to: midnight + 7 * DAY_MS });
        assert_eq!(range("2026-11-23T00:00:00+01:00", "2026-11-24", &berlin).unwrap().from, midnight);
        let fault = |from, to| range(from, to, &berlin).unwrap_err().to_string();
        assert!(fault("2026-11-23", "2026-11-23").contains("later than --from"));
        assert!(fault("monday", "2026-11-23").contains("--from: \"monday\" is no time"));
        assert!(fault("2026-11-23", "2026-13-01").contains("--to: "));
        assert!(fault("2024-01-01", "2026-01-01").contains("731 days apart"));
        assert!(Zone::named("Europe/Bern").is_err_and(|sentence| sentence.contains("Europe/Bern")));
    }
}
