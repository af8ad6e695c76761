//! Every setting of `serve`, and what the config file says where it is wrong: line, column, caret and a hint.
//!
//! The file says where things are (journal, Kafka, HTTP, shards); policy stands in the workspace files it names. Paths
//! are relative to the config file's folder. Unknown keys are refused: a misspelt setting must not be a default.

use crate::sources::{SOURCES_MAX, SourceConfig};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use connectors::kafka::KafkaConfig;
use engine::Limits;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A node owns at most this many shards (design.md §3): two producers a shard, five threads each.
pub const SHARDS_MAX: u16 = 32;
/// Beyond this the memory's rows would be most of the state.
const IDEMPOTENCY_MAX: u32 = 50_000_000;
/// Agents of a workspace by name on `/metrics/agents`, five series each.
const AGENTS_MAX: usize = 5_000;
/// Prometheus' own default is a minute; hardly anybody leaves it at that, and alerts wait for no longer one.
const SCRAPE_INTERVAL_S: u64 = 15;
const SCRAPE_INTERVAL_S_MAX: u64 = 60;
/// The alert looks a day back.
const SILENT_AFTER_BELOW_S: u64 = 86_400;

#[derive(Clone, Debug)]
pub struct Config {
    pub shards: u16,
    /// Workspace files that `serve` offers.
    pub workspaces: Vec<PathBuf>,
    pub journal: JournalConfig,
    pub http: HttpConfig,
    pub limits: Limits,
    pub clock: Option<crate::clock::Scaled>,
    /// (workspace, queue) pairs that metrics tell apart.
    pub metrics_max_queues: usize,
    /// Agents of a workspace that `/metrics/agents` tells by name; 0: it is off.
    pub metrics_max_agents: usize,
    /// How often Prometheus asks, at the most seldom.
    pub scrape_interval_s: u64,
    /// Connectors, by a prefix of their events' `source`.
    pub sources: Vec<SourceConfig>,
}

#[derive(Clone, Debug)]
pub enum JournalConfig {
    Sqlite { path: PathBuf },
    Kafka(KafkaConfig),
}

#[derive(Clone, Debug)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    /// Bind to more than loopback although there is no access control yet.
    pub insecure: bool,
}

impl Config {
    /// An embedded server on loopback, as `demo` and tests want one. Port 0 takes any.
    pub fn embedded(journal: PathBuf, workspaces: Vec<PathBuf>, port: u16) -> Config {
        Config {
            shards: default_shards(),
            workspaces,
            journal: JournalConfig::Sqlite { path: journal },
            http: HttpConfig { listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), insecure: false },
            limits: Limits::default(),
            clock: None,
            metrics_max_queues: default_max_queues(),
            metrics_max_agents: 0,
            scrape_interval_s: SCRAPE_INTERVAL_S,
            sources: Vec::new(),
        }
    }

    /// Reads the file; `insecure` as if it said so. The error is ready to be printed.
    pub fn read(path: &Path, insecure: bool) -> Result<Config, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("error: {}: {error}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Config::parse(&path.display().to_string(), &text, folder, insecure)
    }

    pub fn parse(name: &str, text: &str, folder: &Path, insecure: bool) -> Result<Config, String> {
        let page = Page { name, text };
        let file: File = toml::from_str(text).map_err(|error| page.toml(&error))?;
        let fault = |span: Range<usize>, what: &str, help: &str| Err(page.fault(span, what, help));
        let limits = file
            .idempotency
            .limits()
            .map_err(|(span, what)| page.fault(span, what, "the defaults are 86400 and 2000000"))?;
        let shards = *file.shards.get_ref();
        if !(1..=SHARDS_MAX).contains(&shards) {
            let what = format!("shards is {shards}, and a node owns 1 to {SHARDS_MAX}");
            return fault(file.shards.span(), &what, "4 is a good number; it never changes for a journal");
        }
        let listen = *file.http.listen.get_ref();
        let insecure = insecure || file.http.insecure;
        if !listen.ip().is_loopback() && !insecure {
            let help = "set http.insecure = true, or --insecure, only where the network is yours: there is no access control yet";
            return fault(file.http.listen.span(), &format!("{listen} is reachable from other machines"), help);
        }
        let clock = match file.clock {
            None => None,
            Some(clock) => {
                let text = format!("scaled={},start={}", clock.get_ref().scale, clock.get_ref().start);
                let clock = text
                    .parse()
                    .map_err(|what: String| page.fault(clock.span(), &what, "leave [clock] out for real time"));
                Some(clock?)
            }
        };
        let journal = journal(&page, file.journal, file.kafka, folder)?;
        Ok(Config {
            shards,
            workspaces: file.workspaces.iter().map(|path| folder.join(path)).collect(),
            journal,
            http: HttpConfig { listen, insecure },
            limits,
            clock,
            metrics_max_queues: file.metrics.max_queues,
            metrics_max_agents: file.metrics.max_agents(&page)?,
            scrape_interval_s: file.metrics.scrape_interval_s(&page)?,
            sources: sources(&page, file.source)?,
        })
    }
}

fn journal(
    page: &Page<'_>,
    journal: Spanned<JournalTable>,
    kafka: Option<Spanned<KafkaConfig>>,
    folder: &Path,
) -> Result<JournalConfig, String> {
    match (journal.get_ref().kind, kafka) {
        (KindOfJournal::Sqlite, Some(kafka)) => Err(page.fault(
            kafka.span(),
            "[kafka] is set and the journal is SQLite",
            "set journal.kind = \"kafka\", or leave [kafka] out",
        )),
        (KindOfJournal::Sqlite, None) => {
            let path = folder.join(journal.into_inner().path.unwrap_or_else(|| "strowger.db".into()));
            Ok(JournalConfig::Sqlite { path })
        }
        (KindOfJournal::Kafka, None) => {
            let help = "add [kafka] with bootstrap = \"host:port\"";
            Err(page.fault(journal.span(), "the journal is on Kafka and nothing says where that is", help))
        }
        (KindOfJournal::Kafka, Some(_)) if journal.get_ref().path.is_some() => {
            Err(page.fault(journal.span(), "journal.path is of SQLite, and the journal is on Kafka", "leave path out"))
        }
        (KindOfJournal::Kafka, Some(kafka)) => {
            let span = kafka.span();
            let kafka = kafka.into_inner();
            kafka.check().map_err(|what| page.fault(span, &what.to_string(), "see `[kafka]` in the README"))?;
            Ok(JournalConfig::Kafka(kafka))
        }
    }
}

fn sources(page: &Page<'_>, tables: Vec<Spanned<SourceTable>>) -> Result<Vec<SourceConfig>, String> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for table in tables {
        let span = table.span();
        let table = table.into_inner();
        let (name, prefix) = (table.name.get_ref(), table.prefix.get_ref());
        let silent = table.silent_after_s.as_ref();
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let (span, what) = if sources.len() == SOURCES_MAX {
            (span, format!("there are at most {SOURCES_MAX} sources"))
        } else if name.is_empty() || name.len() > 64 || !name.chars().all(is_word) {
            (table.name.span(), format!("{name:?} is no name of a source: 1 to 64 letters, digits, `_`, `-` and `.`"))
        } else if name == "other" || sources.iter().any(|known| known.name == *name) {
            (table.name.span(), format!("{name:?} is the name of another source"))
        } else if prefix.is_empty() {
            (table.prefix.span(), "an empty prefix fits every event".into())
        } else if sources.iter().any(|known| known.prefix == *prefix) {
            (table.prefix.span(), format!("{prefix:?} is the prefix of another source"))
        } else if let Some(after_s) = silent.filter(|after_s| *after_s.get_ref() == 0) {
            (after_s.span(), "a source that may be silent for 0 seconds is always silent".into())
        } else if let Some(after_s) = silent.filter(|after_s| *after_s.get_ref() >= SILENT_AFTER_BELOW_S) {
            (
                after_s.span(),
                format!("silent_after_s is below {SILENT_AFTER_BELOW_S}, a day: the alert looks no further back"),
            )
        } else {
            sources.push(SourceConfig {
                name: table.name.into_inner(),
                prefix: table.prefix.into_inner(),
                silent_after_s: table.silent_after_s.map(Spanned::into_inner),
            });
            continue;
        };
        return Err(page.fault(span, &what, "see `[[source]]` in the README"));
    }
    Ok(sources)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "spanned_shards")]
    shards: Spanned<u16>,
    #[serde(default)]
    workspaces: Vec<PathBuf>,
    #[serde(default = "spanned_journal")]
    journal: Spanned<JournalTable>,
    kafka: Option<Spanned<KafkaConfig>>,
    #[serde(default)]
    http: HttpTable,
    #[serde(default)]
    idempotency: IdempotencyTable,
    clock: Option<Spanned<ClockTable>>,
    #[serde(default)]
    metrics: MetricsTable,
    #[serde(default)]
    source: Vec<Spanned<SourceTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    name: Spanned<String>,
    prefix: Spanned<String>,
    silent_after_s: Option<Spanned<u64>>,
}

#[derive(Clone, Copy, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum KindOfJournal {
    #[default]
    Sqlite,
    Kafka,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct JournalTable {
    #[serde(default)]
    kind: KindOfJournal,
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    #[serde(default = "default_listen")]
    listen: Spanned<SocketAddr>,
    #[serde(default)]
    insecure: bool,
}

impl Default for HttpTable {
    fn default() -> HttpTable {
        HttpTable { listen: default_listen(), insecure: false }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct IdempotencyTable {
    window_s: Option<Spanned<u64>>,
    max: Option<Spanned<u32>>,
}

impl IdempotencyTable {
    fn limits(self) -> Result<Limits, (Range<usize>, &'static str)> {
        let mut limits = Limits::default();
        if let Some(window_s) = self.window_s {
            if !(1..=30 * 86_400).contains(window_s.get_ref()) {
                return Err((window_s.span(), "idempotency.window_s is 1 second to 30 days"));
            }
            limits.idempotency_window_ms = window_s.get_ref() * 1_000;
        }
        if let Some(max) = self.max {
            if !(1..=IDEMPOTENCY_MAX).contains(max.get_ref()) {
                return Err((max.span(), "idempotency.max is 1 to 50000000 events a shard"));
            }
            limits.idempotency_max = *max.get_ref();
        }
        Ok(limits)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockTable {
    scale: u32,
    start: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsTable {
    #[serde(default = "default_max_queues")]
    max_queues: usize,
    #[serde(default)]
    max_agents: Option<Spanned<usize>>,
    #[serde(default)]
    scrape_interval_s: Option<Spanned<u64>>,
}

impl MetricsTable {
    /// Of how many agents of a workspace `/metrics/agents` tells by name; 0: it is off.
    fn max_agents(&self, page: &Page<'_>) -> Result<usize, String> {
        let Some(max) = &self.max_agents else { return Ok(0) };
        if *max.get_ref() > AGENTS_MAX {
            let what = format!("metrics.max_agents is at most {AGENTS_MAX}: five series each");
            return Err(page.fault(max.span(), &what, "agents beyond it are summed as `other`"));
        }
        Ok(*max.get_ref())
    }

    fn scrape_interval_s(&self, page: &Page<'_>) -> Result<u64, String> {
        let Some(interval) = &self.scrape_interval_s else { return Ok(SCRAPE_INTERVAL_S) };
        if !(1..=SCRAPE_INTERVAL_S_MAX).contains(interval.get_ref()) {
            let what = format!("metrics.scrape_interval_s is 1 to {SCRAPE_INTERVAL_S_MAX}");
            return Err(page.fault(interval.span(), &what, "it is the longest scrape_interval of those who ask"));
        }
        Ok(*interval.get_ref())
    }
}

impl Default for MetricsTable {
    fn default() -> MetricsTable {
        MetricsTable { max_queues: default_max_queues(), max_agents: None, scrape_interval_s: None }
    }
}

fn default_shards() -> u16 {
    4
}

fn spanned_shards() -> Spanned<u16> {
    Spanned::new(0..0, default_shards())
}

fn spanned_journal() -> Spanned<JournalTable> {
    Spanned::new(0..0, JournalTable::default())
}

fn default_listen() -> Spanned<SocketAddr> {
    Spanned::new(0..0, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8_080))
}

fn default_max_queues() -> usize {
    200
}

/// The file, for pointing into it.
struct Page<'a> {
    name: &'a str,
    text: &'a str,
}

impl Page<'_> {
    fn toml(&self, error: &toml::de::Error) -> String {
        let message = error.message();
        let help = if message.starts_with("unknown field") {
            "nothing is guessed: remove the key, or correct its name"
        } else if message.starts_with("missing field") {
            "add the key to this table"
        } else {
            "the README shows a whole config file"
        };
        self.fault(error.span().unwrap_or(0..0), message, help)
    }

    fn fault(&self, span: Range<usize>, what: &str, help: &str) -> String {
        let snippet = Snippet::source(self.text).path(self.name).annotation(AnnotationKind::Primary.span(span));
        let report = [Level::ERROR.primary_title(what).element(snippet).element(Level::HELP.message(help))];
        Renderer::plain().render(&report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("strowger.toml", text, Path::new("/etc/strowger"), false)
    }

    #[test]
    fn an_empty_file_is_an_embedded_server_on_loopback() {
        let config = parse("").unwrap();
        assert_eq!(config.shards, 4);
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        let JournalConfig::Sqlite { path } = config.journal else { panic!() };
        assert_eq!(path, Path::new("/etc/strowger/strowger.db"));
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn a_whole_file_is_taken() {
        let config = parse(
            "shards = 2\nworkspaces = ['bank.toml', '/abs.toml']\n[journal]\nkind = 'kafka'\n[kafka]\nbootstrap = 'a:1'\n\
             [kafka.properties]\n'socket.keepalive.enable' = true\n[http]\nlisten = '0.0.0.0:80'\ninsecure = true\n\
             [idempotency]\nwindow_s = 60\nmax = 10\n[clock]\nscale = 120\nstart = '1999-02-02T00:00:00Z'\n",
        )
        .unwrap();
        assert_eq!(config.workspaces, [Path::new("/etc/strowger/bank.toml"), Path::new("/abs.toml")]);
        assert!(matches!(config.journal, JournalConfig::Kafka(_)));
        assert_eq!(config.limits, Limits { idempotency_window_ms: 60_000, idempotency_max: 10 });
        assert_eq!(config.clock.unwrap().scale, 120);
    }

    #[test]
    fn faults_say_line_column_and_what_to_do() {
        let cases = [
            ("shards = 0", "strowger.toml:1:10", "1 to 32"),
            ("\nshard = 3", "strowger.toml:2:1", "unknown field"),
            ("[http]\nlisten = '0.0.0.0:80'", "strowger.toml:2:10", "reachable from other machines"),
            ("[journal]\nkind = 'kafka'", "strowger.toml:1:1", "bootstrap"),
            ("[journal]\nkind = 'oracle'", "strowger.toml:2:8", "oracle"),
            ("[kafka]\nbootstrap = 'a:1'", "strowger.toml:1:1", "journal is SQLite"),
            ("[idempotency]\nmax = 0", "strowger.toml:2:7", "50000000"),
            ("[clock]\nscale = 2\nstart = 'noon'", "strowger.toml:1:1", "RFC 3339"),
            ("shards = ", "strowger.toml:1:", "error"),
            ("[metrics]\nmax_agents = 5001", "strowger.toml:2:14", "at most 5000"),
            ("[metrics]\nscrape_interval_s = 0", "strowger.toml:2:21", "1 to 60"),
            ("[metrics]\nscrape_interval_s = 61", "strowger.toml:2:21", "1 to 60"),
            ("[[source]]\nname = 'a b'\nprefix = 'x'", "strowger.toml:2:8", "no name of a source"),
            ("[[source]]\nname = 'other'\nprefix = 'x'", "strowger.toml:2:8", "another source"),
            ("[[source]]\nname = 'a'\nprefix = ''", "strowger.toml:3:10", "fits every event"),
            ("[[source]]\nname = 'a'\nprefix = 'x'\nsilent_after_s = 0", "strowger.toml:4:18", "always silent"),
            ("[[source]]\nname = 'a'\nprefix = 'x'\nsilent_after_s = 86400", "strowger.toml:4:18", "below 86400"),
        ];
        for (text, place, what) in cases {
            let said = parse(text).unwrap_err();
            assert!(said.contains(place), "{text}: {said}");
            assert!(said.contains(what), "{text}: {said}");
            assert!(said.contains("help"), "{text}: {said}");
        }
    }
}
