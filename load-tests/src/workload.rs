//! The workload: NDJSON, plain or gzip, sorted by `at`, of arrivals and changes of presence (`load-tests/README.md`).
//!
//! It says what the world does (who comes when, how long he needs, when he would give up, who is there), not what a
//! router did with it; `observed` is what really happened, for comparison only. How a conversation goes on beyond being
//! handled is `course`. The whole file is read at once, checked
//! line by line, and cut to `--from` and `--to`.

use crate::course::{self, Course, RawCourse, RawShares, RawTransfer, RawTurns};
use anyhow::{Context, Result, bail, ensure};
use connectors::codec::limits;
use engine::input::Status;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

type Text = Box<str>;

/// A line is at most this long: one arrival with 64 attributes fits many times over.
pub const LINE_BYTES_MAX: u64 = 64 * 1024;
/// At most so many lines, some 8 GB in memory.
pub const LINES_MAX: usize = 20_000_000;
/// Ids leave room, within the engine's 256 bytes, for the run's prefix and what an event's id adds.
pub const ID_BYTES_MAX: usize = 200;
/// What a first line `{"kind": "workload", "version": 1}` says.
const VERSION: u64 = 1;
/// No duration of a workload is longer: 30 years.
const SECONDS_MAX: f64 = 1e9;

/// A workload, cut to what is to be played.
#[derive(Debug, Default)]
pub struct Workload {
    pub lines: Vec<Line>,
    /// Of each agent the last status before `begins`, in the order of those lines: what `--from` sends first.
    pub opening: Vec<Presence>,
    /// `--from`, else the first line's instant, ms UTC.
    pub begins: u64,
    /// The last line's instant.
    pub ends: u64,
}

#[derive(Debug)]
pub enum Line {
    Arrival(Box<Arrival>),
    Presence(Presence),
}

impl Line {
    pub fn at(&self) -> u64 {
        match self {
            Line::Arrival(arrival) => arrival.at,
            Line::Presence(presence) => presence.at,
        }
    }
}

#[derive(Debug, Default, Clone)]
pub struct Arrival {
    /// ms UTC.
    pub at: u64,
    pub conversation: Text,
    pub customer: Option<Text>,
    pub tier: Option<Text>,
    pub language: Option<Text>,
    pub channel: Text,
    pub entry: Option<Text>,
    pub attributes: Vec<(Text, Text)>,
    /// Required of the agent, with the level.
    pub skills: Vec<(Text, u8)>,
    /// Work until the end, or until the first reply where there are turns.
    pub handle_ms: u64,
    /// None: never leaves.
    pub patience_ms: Option<u64>,
    pub observed: Option<Observed>,
    /// None: answered, handled and resolved.
    pub course: Option<Box<Course>>,
}

impl Arrival {
    pub fn course(&self) -> &Course {
        self.course.as_deref().unwrap_or(&course::PLAIN)
    }
}

/// What really happened to it.
#[derive(Debug, Default, Clone)]
pub struct Observed {
    pub queued: bool,
    pub wait_ms: u64,
    pub answered: bool,
    pub abandoned: bool,
    pub agent: Option<Text>,
}

#[derive(Debug, Clone)]
pub struct Presence {
    pub at: u64,
    pub agent: Text,
    pub status: Status,
    /// Its number in the file, from 1: part of its event's id.
    pub line: u64,
}

/// What to read of a workload: `from` <= at < `to`. A time is RFC 3339; without an offset, or as a bare date, it has the
/// offset of the workload's first line.
#[derive(Debug, Default, Clone)]
pub struct Selection {
    pub from: Option<String>,
    pub to: Option<String>,
}

#[derive(Deserialize)]
struct RawLine {
    /// Of every line but that of the workload itself.
    at: Option<Text>,
    kind: Text,
    /// Of the workload's own line.
    version: Option<u64>,
    conversation: Option<Text>,
    customer: Option<Text>,
    tier: Option<Text>,
    language: Option<Text>,
    channel: Option<Text>,
    entry: Option<Text>,
    attributes: Option<BTreeMap<Text, serde_json::Value>>,
    skills: Option<BTreeMap<Text, u8>>,
    handle_s: Option<f64>,
    patience_s: Option<f64>,
    observed: Option<RawObserved>,
    agent: Option<Text>,
    status: Option<Text>,
    decline_share: Option<f64>,
    miss_share: Option<f64>,
    bot_s: Option<f64>,
    accept_s: Option<f64>,
    acw_s: Option<f64>,
    turns: Option<RawTurns>,
    transfer: Option<RawTransfer>,
    reopen_after_s: Option<f64>,
}

impl RawLine {
    fn shares(&self) -> RawShares {
        RawShares { decline: self.decline_share, miss: self.miss_share }
    }

    fn course(&mut self) -> RawCourse {
        RawCourse {
            bot_s: self.bot_s,
            accept_s: self.accept_s,
            acw_s: self.acw_s,
            turns: self.turns.take(),
            transfer: self.transfer.take(),
            reopen_after_s: self.reopen_after_s,
        }
    }
}

#[derive(Deserialize)]
struct RawObserved {
    #[serde(default)]
    queued: bool,
    wait_s: Option<f64>,
    outcome: Option<Text>,
    agent: Option<Text>,
}

impl Workload {
    /// Reads a file; gzip is known by its first two bytes, not by its name.
    pub fn open(path: &Path, selection: &Selection) -> Result<Workload> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open the workload {name}"))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let packed = reader.fill_buf().with_context(|| format!("cannot read {name}"))?.starts_with(&[0x1f, 0x8b]);
        if packed {
            Workload::read(&name, BufReader::with_capacity(1 << 20, MultiGzDecoder::new(reader)), selection)
        } else {
            Workload::read(&name, reader, selection)
        }
    }

    pub fn read(name: &str, mut reader: impl BufRead, selection: &Selection) -> Result<Workload> {
        let mut reading = Reading::default();
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            let len = reader
                .by_ref()
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut bytes)
                .with_context(|| format!("cannot read {name}"))?;
            if len == 0 {
                break;
            }
            ensure!((len as u64) < LINE_BYTES_MAX, "{name}:{number}: the line is longer than {LINE_BYTES_MAX} bytes");
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            ensure!(number <= LINES_MAX as u64, "{name}: more than {LINES_MAX} lines");
            reading.line(&bytes, number, selection).with_context(|| format!("{name}:{number}"))?;
        }
        reading.finish().with_context(|| name.to_owned())
    }

    pub fn arrivals(&self) -> impl Iterator<Item = &Arrival> {
        self.lines.iter().filter_map(|line| match line {
            Line::Arrival(arrival) => Some(&**arrival),
            Line::Presence(_) => None,
        })
    }
}

/// A workload being read.
#[derive(Default)]
struct Reading {
    workload: Workload,
    last_at: u64,
    from: Option<u64>,
    to: Option<u64>,
    begun: bool,
    /// Some line was read.
    started: bool,
    /// Of the workload's own line.
    shares: RawShares,
    conversations: HashSet<Text>,
    /// Of each agent the last status before `from`, with when it came among them.
    earlier: HashMap<Text, Presence>,
}

impl Reading {
    fn line(&mut self, bytes: &[u8], number: u64, selection: &Selection) -> Result<()> {
        let raw: RawLine = serde_json::from_slice(bytes).context("not a line of a workload")?;
        let first = !std::mem::replace(&mut self.started, true);
        if &*raw.kind == "workload" {
            ensure!(first, "the line of kind \"workload\" is the first or none");
            ensure!(raw.version == Some(VERSION), "version {VERSION} of workloads is the only one that is known");
            self.shares = raw.shares().over(RawShares::default())?;
            return Ok(());
        }
        let text = raw.at.clone().context("\"at\" is missing")?;
        let at = instant(&text)?;
        if !self.begun {
            self.begun = true;
            let offset = offset(&text);
            self.from = selection.from.as_deref().map(|text| chosen(text, offset)).transpose().context("--from")?;
            self.to = selection.to.as_deref().map(|text| chosen(text, offset)).transpose().context("--to")?;
        }
        ensure!(at >= self.last_at, "the lines are not sorted by \"at\": {} comes after a later one", text);
        self.last_at = at;
        let early = self.from.is_some_and(|from| at < from);
        let late = self.to.is_some_and(|to| at >= to);
        match &*raw.kind {
            "arrival" => {
                let arrival = arrival(raw, at, self.shares)?;
                if !early && !late {
                    let fresh = self.conversations.insert(arrival.conversation.clone());
                    ensure!(fresh, "the conversation {} has come already on an earlier line", arrival.conversation);
                    self.workload.lines.push(Line::Arrival(Box::new(arrival)));
                }
            }
            "presence" => {
                let presence = presence(raw, at, number)?;
                if early {
                    self.earlier.insert(presence.agent.clone(), presence);
                } else if !late {
                    self.workload.lines.push(Line::Presence(presence));
                }
            }
            other => {
                bail!("the kind {other:?} is not known; known are \"arrival\" and \"presence\", first \"workload\"")
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Workload> {
        let mut workload = self.workload;
        let Some(first) = workload.lines.first() else {
            bail!("no line of the workload lies between --from and --to");
        };
        workload.begins = self.from.unwrap_or(first.at());
        workload.ends = workload.lines.last().map_or(workload.begins, Line::at);
        workload.opening = self.earlier.into_values().collect();
        workload.opening.sort_by_key(|presence| presence.line);
        Ok(workload)
    }
}

fn arrival(mut raw: RawLine, at: u64, shares: RawShares) -> Result<Arrival> {
    let handle_ms = milliseconds("handle_s", raw.handle_s.context("\"handle_s\" is missing")?)?;
    let (course, handle_ms) = course::of_arrival(raw.course(), raw.shares().over(shares)?, handle_ms)?;
    Ok(Arrival {
        at,
        conversation: id("conversation", raw.conversation)?,
        customer: optional_id("customer", raw.customer)?,
        tier: optional_id("tier", raw.tier)?,
        language: optional_id("language", raw.language)?,
        channel: id("channel", raw.channel)?,
        entry: optional_id("entry", raw.entry)?,
        attributes: attributes(raw.attributes.unwrap_or_default())?,
        skills: skills(raw.skills.unwrap_or_default())?,
        handle_ms,
        patience_ms: raw.patience_s.map(|s| milliseconds("patience_s", s)).transpose()?,
        observed: raw.observed.map(observed).transpose()?,
        course,
    })
}

/// As texts, within the bounds of an event's.
fn attributes(pairs: BTreeMap<Text, serde_json::Value>) -> Result<Vec<(Text, Text)>> {
    let max = limits::ATTRIBUTES;
    ensure!(pairs.len() <= max, "\"attributes\" has {} members, and {max} are the limit", pairs.len());
    let mut attributes = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let bytes_max = limits::ID_BYTES;
        ensure!(
            (1..=bytes_max).contains(&key.len()),
            "\"attributes\": a name must have 1 to {bytes_max} bytes, not {}",
            key.len()
        );
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            _ => bail!("the attribute {key:?} is neither a text, a number nor true or false"),
        };
        ensure!(
            text.len() <= bytes_max,
            "the attribute {key:?} has {} bytes, and {bytes_max} are the limit",
            text.len()
        );
        attributes.push((key, text.into_boxed_str()));
    }
    Ok(attributes)
}

fn skills(levels: BTreeMap<Text, u8>) -> Result<Vec<(Text, u8)>> {
    let max = limits::SKILLS;
    ensure!(levels.len() <= max, "\"skills\" has {} members, and {max} are the limit", levels.len());
    for (name, level) in &levels {
        ensure!(
            is_id(name),
            "a name in \"skills\" must be 1 to {ID_BYTES_MAX} visible ASCII characters without blanks"
        );
        ensure!(*level <= limits::LEVEL, "the level of the skill {name:?} must be 0 to {}", limits::LEVEL);
    }
    Ok(levels.into_iter().collect())
}

fn observed(raw: RawObserved) -> Result<Observed> {
    let outcome = raw.outcome.as_deref().unwrap_or("");
    Ok(Observed {
        queued: raw.queued,
        wait_ms: milliseconds("observed.wait_s", raw.wait_s.unwrap_or(0.0))?,
        answered: outcome == "answered",
        abandoned: outcome == "abandoned",
        agent: raw.agent,
    })
}

fn presence(raw: RawLine, at: u64, line: u64) -> Result<Presence> {
    let word = raw.status.context("\"status\" is missing")?;
    let status = Status::from_word(&word).with_context(|| format!("the status {word:?} is not known"))?;
    Ok(Presence { at, agent: id("agent", raw.agent)?, status, line })
}

pub(crate) fn id(field: &str, text: Option<Text>) -> Result<Text> {
    let text = text.with_context(|| format!("{field:?} is missing"))?;
    ensure!(is_id(&text), "{field:?} must be 1 to {ID_BYTES_MAX} visible ASCII characters without blanks");
    Ok(text)
}

fn optional_id(field: &str, text: Option<Text>) -> Result<Option<Text>> {
    text.map(|text| id(field, Some(text))).transpose()
}

fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

pub(crate) fn milliseconds(field: &str, seconds: f64) -> Result<u64> {
    ensure!((0.0..=SECONDS_MAX).contains(&seconds), "{field:?} must be a number of seconds from 0 to {SECONDS_MAX}");
    Ok((seconds * 1000.0).round() as u64)
}

/// RFC 3339 to ms UTC; not before 1970.
fn instant(text: &str) -> Result<u64> {
    connectors::codec::parse_timestamp(text)
        .with_context(|| format!("{text:?} is not a time of RFC 3339 between 1970 and 9999"))
}

/// `Z` or `+02:00`: what follows the time of day.
fn offset(at: &str) -> &str {
    let time = at.find(['T', 't', ' ']).unwrap_or(0);
    at[time..].find(['Z', 'z', '+', '-']).map_or("Z", |begin| &at[time + begin..])
}

fn chosen(text: &str, offset: &str) -> Result<u64> {
    if connectors::codec::parse_timestamp(text).is_some() {
        return instant(text);
    }
    let rest = match text.len() {
        DATE => "T00:00:00",
        DATE_AND_MINUTE => ":00",
        _ => "",
    };
    instant(&format!("{text}{rest}{offset}"))
}

const DATE: usize = "1999-02-01".len();
const DATE_AND_MINUTE: usize = "1999-02-01T07:00".len();

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = concat!(
        r#"{"at":"1999-02-01T06:59:53+02:00","kind":"presence","agent":"A01","status":"online"}"#,
        "\n",
        r#"{"at":"1999-02-01T07:00:00.25+02:00","kind":"arrival","conversation":"c1","customer":null,"tier":"vip","channel":"voice","attributes":{"type":"NW","n":3},"handle_s":113.0,"patience_s":null,"observed":{"queued":true,"wait_s":1.5,"outcome":"answered","agent":"A01"}}"#,
        "\n"
    );

    fn read(text: &str, from: Option<&str>, to: Option<&str>) -> Result<Workload> {
        let selection = Selection { from: from.map(str::to_owned), to: to.map(str::to_owned) };
        Workload::read("w", text.as_bytes(), &selection)
    }

    #[test]
    fn a_line_is_read_with_its_times_in_milliseconds() {
        let workload = read(TWO, None, None).unwrap();
        let arrival = workload.arrivals().next().unwrap();
        assert_eq!((arrival.at - workload.begins, arrival.handle_ms, arrival.patience_ms), (7_250, 113_000, None));
        assert_eq!(arrival.attributes, [("n".into(), "3".into()), ("type".into(), "NW".into())]);
        assert!(arrival.observed.as_ref().unwrap().queued);
    }

    #[test]
    fn from_keeps_the_last_earlier_status_and_takes_the_files_own_offset() {
        let workload = read(TWO, Some("1999-02-01T07:00"), None).unwrap();
        assert_eq!((workload.lines.len(), workload.opening.len()), (1, 1));
        assert_eq!(workload.begins, instant("1999-02-01T05:00:00Z").unwrap());
        assert!(read(TWO, None, Some("1999-02-01")).is_err());
        assert_eq!(read(TWO, Some("1999-02-01"), Some("1999-02-02")).unwrap().lines.len(), 2);
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let twice = format!("{TWO}{}", TWO.lines().nth(1).unwrap());
        assert!(format!("{:#}", read(&twice, None, None).unwrap_err()).starts_with("w:3: the conversation c1"));
        let back = format!("{TWO}{}", TWO.lines().next().unwrap());
        assert!(format!("{:#}", read(&back, None, None).unwrap_err()).contains("not sorted"));
        assert!(format!("{:#}", read("{}", None, None).unwrap_err()).starts_with("w:1: not a line"));
    }

    /// An arrival with one more member.
    fn with(name: &str, value: serde_json::Value) -> Result<Workload> {
        let mut line = serde_json::json!({"at": "2026-01-01T00:00:00Z", "kind": "arrival", "conversation": "c1",
            "channel": "voice", "handle_s": 1.0});
        line[name] = value;
        read(&line.to_string(), None, None)
    }

    #[test]
    fn what_an_event_may_not_hold_a_line_may_not_either_and_the_field_is_named() {
        let refused = |name: &str, value: serde_json::Value| {
            let said = format!("{:#}", with(name, value).unwrap_err());
            assert!(said.starts_with("w:1: ") && said.contains(name.trim_end_matches('s')), "{name}: {said}");
        };
        let members = |count: usize, value: serde_json::Value| {
            (0..count).map(|i| (format!("k{i}"), value.clone())).collect::<serde_json::Map<_, _>>().into()
        };
        for name in ["entry", "tier", "language", "customer", "channel", "conversation"] {
            refused(name, "x".repeat(20_000).into());
            refused(name, "".into());
            refused(name, "two words".into());
            with(name, "x".repeat(ID_BYTES_MAX).into()).unwrap();
        }
        refused("attributes", members(65, "v".into()));
        refused("attributes", serde_json::json!({ "x".repeat(257): "v" }));
        refused("attributes", serde_json::json!({ "": "v" }));
        refused("attributes", serde_json::json!({ "k": "v".repeat(257) }));
        refused("skills", members(65, 1.into()));
        refused("skills", serde_json::json!({ "x".repeat(257): 1 }));
        refused("skills", serde_json::json!({ "german": 11 }));
        with("attributes", members(64, "v".repeat(256).into())).unwrap();
        with("skills", members(64, 10.into())).unwrap();
    }
}
