//! The workspace file: a workspace's policy and its agents in TOML, as people write and `strowger check` judges them.
//!
//! It has the keys of `workspace.configure` and beside them `workspace` and `[[agent]]`. Every fault is found at once and
//! shown with line, column and what to do. `serve`, `simulate` and the demo turn it into events (`events`); the engine
//! never sees the file. Where a fault stands is looked up by its path only when there is one.

use crate::calendar;
use crate::codec::{
    Node, Reader, ShapeFault, Table, Value, WORKSPACE_FILE, agent_to_json, follows, limits, nearest, policy_to_json,
};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use engine::faults::join_key;
use engine::policy::{AgentConfig, Policy};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file of 100,000 agents has about 8 MiB.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Faults that are shown; the rest is counted.
const SHOWN_MAX: usize = 100;

/// A workspace file that can be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkspaceFile {
    pub workspace: String,
    pub policy: Policy,
    /// In the order of the file.
    pub agents: Vec<(String, AgentConfig)>,
}

impl WorkspaceFile {
    /// `path_for_messages` is only printed. It is not asked whether each calendar opens again: that depends on the day.
    pub fn parse(path_for_messages: &str, text: &str) -> Result<WorkspaceFile, Faults> {
        Self::judged(path_for_messages, text, None)
    }

    /// As it is to be taken at `now_ms`: with calendars that open within a year from then.
    pub fn parse_at(path_for_messages: &str, text: &str, now_ms: u64) -> Result<WorkspaceFile, Faults> {
        Self::judged(path_for_messages, text, Some(now_ms))
    }

    fn judged(path_for_messages: &str, text: &str, now_ms: Option<u64>) -> Result<WorkspaceFile, Faults> {
        if text.len() > FILE_BYTES_MAX {
            let sentence = format!("the file has {} bytes, and {FILE_BYTES_MAX} are the limit", text.len());
            return Err(Faults::new(path_for_messages, "", vec![Fault::new(0..0, "", sentence, "")]));
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            // What follows from a broken line would be noise.
            let faults =
                errors.iter().map(|error| Fault::new(error.span().unwrap_or(0..0), "", error.message(), "")).collect();
            return Err(Faults::new(path_for_messages, text, faults));
        }
        let mut found = Found { document: &document, faults: Vec::new(), of_shape: 0 };
        let file = found.read(now_ms);
        if found.faults.is_empty() { Ok(file) } else { Err(Faults::new(path_for_messages, text, found.faults)) }
    }

    /// The file as CloudEvents: one `workspace.configure`, then one `agent.configure` for each agent. `source` must be
    /// new with each offering: the ids are the same each time, and a file that returns to an older content would
    /// otherwise be taken for a duplicate.
    pub fn events(&self, source: &str) -> Vec<serde_json::Value> {
        let event = |id: String, event_type: &str, data: serde_json::Value| {
            json!({
                "specversion": "1.0",
                "id": id,
                "source": source,
                "type": event_type,
                "workspace": self.workspace,
                "datacontenttype": "application/json",
                "data": data,
            })
        };
        let policy = policy_to_json(&self.policy);
        let mut events = vec![event("configure/workspace".to_string(), "workspace.configure", policy)];
        for (i, (agent, config)) in self.agents.iter().enumerate() {
            events.push(event(format!("configure/agent/{i}"), "agent.configure", agent_to_json(agent, config)));
        }
        events
    }
}

/// What has been found in a document.
struct Found<'d, 't> {
    document: &'d Spanned<DeTable<'t>>,
    faults: Vec<Fault>,
    /// How many of them are of shape; they come first.
    of_shape: usize,
}

impl Found<'_, '_> {
    fn read(&mut self, now_ms: Option<u64>) -> WorkspaceFile {
        let root = Value::Table(pairs(self.document.get_ref()));
        let mut reader = Reader::default();
        let table = reader.table(&root, String::new(), WORKSPACE_FILE);
        let workspace = table.text("workspace").unwrap_or("").to_string();
        let policy = reader.policy(&table);
        let agents = agents(&mut reader, &table);
        self.shape(&reader.faults);
        self.content("workspace", name_faults(&workspace), &[]);
        let names = names(&policy);
        self.content("", policy.faults(), &names);
        self.content("", calendar::faults_of(&policy, now_ms), &names);
        self.agents(&agents, &policy, &names);
        let bytes = policy_to_json(&policy).to_string().len();
        if bytes + 4_096 > limits::CONFIGURE_BYTES {
            let sentence = format!("the policy has {bytes} bytes as JSON, and about {} are the limit", 1_000_000);
            self.faults.push(Fault::new(0..0, "", sentence, "split the workspace, or its rules and entries"));
        }
        WorkspaceFile { workspace, policy, agents }
    }

    fn shape(&mut self, faults: &[ShapeFault]) {
        for fault in faults {
            let span = span(self.document, &fault.path, fault.kind.is_of_key());
            self.faults.push(Fault::new(span, &fault.path, &fault.sentence, &fault.help));
        }
        self.of_shape = self.faults.len();
    }

    /// Faults of content, but for those that stand in or around one of shape and follow from it.
    fn content(&mut self, prefix: &str, faults: Vec<(String, String)>, names: &[(&str, Vec<&str>)]) {
        for (path, sentence) in faults {
            let path = match (prefix, path.as_str()) {
                ("", _) => path,
                (_, "") => prefix.to_string(),
                _ => format!("{prefix}.{path}"),
            };
            let shapes = &self.faults[..self.of_shape];
            if !shapes.iter().any(|shape| follows(&path, &shape.path)) {
                let wrong = wrong_name(&sentence);
                // A name may stand there as a key.
                let of_key = wrong.is_some_and(|name| path.ends_with(&join_key("", name)));
                let span = span(self.document, &path, of_key);
                let help = wrong.map(|name| did_you_mean(&sentence, name, names)).unwrap_or_default();
                // A sentence that has its hint with it.
                let (sentence, help) = match sentence.split_once("; did you mean ") {
                    Some((sentence, meant)) => (sentence, format!("did you mean {meant}")),
                    None => (sentence.as_str(), help),
                };
                self.faults.push(Fault::new(span, &path, sentence, &help));
            }
        }
    }

    fn agents(&mut self, agents: &[(String, AgentConfig)], policy: &Policy, names: &[(&str, Vec<&str>)]) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, (name, config)) in agents.iter().enumerate() {
            let id = format!("agent[{i}].id");
            self.content(&id, name_faults(name), &[]);
            if let Some(first) = seen.insert(name, i) {
                let sentence = format!("agent[{first}] has the id `{name}` too");
                self.content(&id, vec![(String::new(), sentence)], &[]);
            }
            let own = format!("agent[{i}]");
            self.content(&own, config.faults(), &[]);
            self.content(&own, engine::faults::of_agent_in(policy, config), names);
        }
    }
}

fn agents(reader: &mut Reader, table: &Table<'_, '_>) -> Vec<(String, AgentConfig)> {
    let agent = |own: &Table<'_, '_>| (own.text("id").unwrap_or("").to_string(), reader.agent(own));
    table.tables("agent").iter().map(agent).collect()
}

fn name_faults(name: &str) -> Vec<(String, String)> {
    let printable = name.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if printable && !name.is_empty() && name.len() <= limits::ID_BYTES {
        return Vec::new();
    }
    let sentence = format!("this must have 1 to {} printable ASCII characters and no space", limits::ID_BYTES);
    vec![(String::new(), sentence)]
}

fn names(policy: &Policy) -> [(&'static str, Vec<&str>); 6] {
    [
        ("no queue is named `", policy.queues.iter().map(|queue| &*queue.name).collect()),
        ("no tier is named `", policy.tiers.iter().map(|tier| &*tier.name).collect()),
        ("no channel is named `", policy.channels.iter().map(|channel| &*channel.name).collect()),
        ("no team is named `", policy.teams.iter().map(|team| &*team.name).collect()),
        ("no calendar is named `", policy.calendars.iter().map(|calendar| &*calendar.name).collect()),
        ("no skill is named `", policy.skills.iter().map(|skill| &**skill).collect()),
    ]
}

/// The name that nobody has, of a sentence that says so.
fn wrong_name(sentence: &str) -> Option<&str> {
    let (_, rest) = sentence.split_once(" is named `").filter(|(what, _)| what.starts_with("no "))?;
    Some(rest.split_once('`')?.0)
}

/// For a name that nobody has, the one that was probably meant.
fn did_you_mean(sentence: &str, wrong: &str, names: &[(&str, Vec<&str>)]) -> String {
    const LISTED_MAX: usize = 12;
    let Some((_, known)) = names.iter().find(|(start, _)| sentence.starts_with(start)) else { return String::new() };
    match nearest(wrong, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if (1..=LISTED_MAX).contains(&known.len()) => format!("there are: {}", known.join(", ")),
        None if sentence.starts_with("no team") => format!("write `[team.{wrong}]`, if only to name it"),
        None if sentence.starts_with("no calendar") => format!("write a [[calendar]] with `name = \"{wrong}\"`"),
        None => String::new(),
    }
}

fn pairs<'t>(table: &DeTable<'t>) -> Vec<(std::borrow::Cow<'t, str>, Node<'t>)> {
    table.iter().map(|(key, value)| (key.get_ref().clone(), node(value.get_ref()))).collect()
}

fn node<'t>(value: &DeValue<'t>) -> Node<'t> {
    Node(match value {
        DeValue::String(text) => Value::Text(text.clone()),
        DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => u64::try_from(number).map_or(Value::Number(number as f64), Value::Whole),
            Err(_) => Value::Number(f64::INFINITY),
        },
        DeValue::Float(float) => Value::Number(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(values) => Value::List(values.iter().map(|value| node(value.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(pairs(table)),
    })
}

/// Where a path stands in the document: its value, or its key where that is asked for or the value is a whole table; of
/// a key that is not there, the table it is missing in.
fn span(document: &Spanned<DeTable<'_>>, path: &str, key_wanted: bool) -> Range<usize> {
    let mut best = 0..0;
    let mut place = Place::Table(document.get_ref());
    for segment in segments(path) {
        let next = match (&segment, place) {
            (Segment::Key(key), Place::Table(table)) => table.get_key_value(key.as_str()).map(|(key, value)| {
                let whole = key_wanted || value.get_ref().is_table() || value.get_ref().is_array();
                (if whole { key.span() } else { value.span() }, value)
            }),
            (Segment::Index(i), Place::List(list)) => list.get(*i).map(|value| (value.span(), value)),
            _ => None,
        };
        let Some((span, value)) = next else { break };
        best = span;
        place = match value.get_ref() {
            DeValue::Table(table) => Place::Table(table),
            DeValue::Array(list) => Place::List(list),
            _ => Place::Leaf,
        };
    }
    best
}

#[derive(Clone, Copy)]
enum Place<'d, 't> {
    Table(&'d DeTable<'t>),
    List(&'d [Spanned<DeValue<'t>>]),
    Leaf,
}

#[derive(PartialEq, Eq, Debug)]
enum Segment {
    Key(String),
    Index(usize),
}

/// The parts of a path as `engine::faults::join_key` writes them.
fn segments(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut rest = path.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '.' => {}
            '[' => {
                let digits: String = rest.by_ref().take_while(|letter| *letter != ']').collect();
                segments.push(Segment::Index(digits.parse().unwrap_or(usize::MAX)));
            }
            '"' => {
                let mut key = String::new();
                while let Some(letter) = rest.next() {
                    match letter {
                        '"' => break,
                        '\\' => key.extend(rest.next()),
                        other => key.push(other),
                    }
                }
                segments.push(Segment::Key(key));
            }
            letter => {
                let mut key = String::from(letter);
                while let Some(letter) = rest.next_if(|letter| !matches!(letter, '.' | '[')) {
                    key.push(letter);
                }
                segments.push(Segment::Key(key));
            }
        }
    }
    segments
}

/// One fault of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// Like `queue[2].strategy`; empty where the text is no TOML.
    pub path: String,
    pub sentence: String,
    /// What to do about it; may be empty.
    pub help: String,
}

impl Fault {
    fn new(span: Range<usize>, path: &str, sentence: impl Into<String>, help: impl Into<String>) -> Fault {
        Fault { span, path: path.to_string(), sentence: sentence.into(), help: help.into() }
    }
}

/// All that is wrong with a file, in its order. Prints each with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    path: String,
    text: String,
    faults: Vec<Fault>,
}

impl Faults {
    fn new(path: &str, text: &str, mut faults: Vec<Fault>) -> Faults {
        faults.sort_by_key(|fault| fault.span.start);
        Faults { path: path.to_string(), text: text.to_string(), faults }
    }

    pub fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// Line and column of a fault, both from 1; columns are characters.
    pub fn line_and_column(&self, fault: &Fault) -> (usize, usize) {
        let before = self.text.get(..fault.span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn shown(&self, fault: &Fault) -> String {
        let (line, _) = self.line_and_column(fault);
        let start = self.text.get(..fault.span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        // A span of several lines (a table) is shown by its first.
        let from = fault.span.start.clamp(start, end) - start;
        let to = fault.span.end.clamp(start + from, end) - start;
        let title = match fault.path.as_str() {
            "" => fault.sentence.clone(),
            path => format!("{path}: {}", fault.sentence),
        };
        let snippet = Snippet::source(&self.text[start..end])
            .line_start(line)
            .path(self.path.as_str())
            .annotation(AnnotationKind::Primary.span(from..to));
        let mut group = Level::ERROR.primary_title(title).element(snippet);
        if !fault.help.is_empty() {
            group = group.element(Level::HELP.message(fault.help.as_str()));
        }
        Renderer::plain().render(&[group])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().take(SHOWN_MAX).enumerate() {
            let gap = if i == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{}", self.shown(fault))?;
        }
        match self.faults.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} faults more"),
        }
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;
    use engine::id::HashKey;
    use engine::input::Body;

    const SOUND: &str = r#"
workspace = "acme"
version = 3
test = true
default_units = 2
reopen_window_s = 3600
idle_reset_s = 2.5

[channel.voice]
short_abandon_s = 7

[channel.fax]
live = false
units = 3

[entry."+49.30"]
queue = "sales"

[tier.vip]
head_start_s = 90

[tier.regular]

[[queue]]
name = "sales"
strategy = "weighted_round_robin"
skills = { german = 5, english = 1 }
service_level_goal = 0.9

[[queue]]
name = "rest"

[[rule]]
when = { tier = "vip", channel = "voice", attributes = { size = 5, "big deal" = true } }
queue = "sales"

[[rule]]
queue = "rest"

[[agent]]
id = "anna"
team = "north"
skills = { german = 7 }
weight = 3
units = 4

[[agent]]
id = "bert"
"#;

    fn faults(text: &str) -> Faults {
        WorkspaceFile::parse("acme.toml", text).unwrap_err()
    }

    /// (line, column, path) of each fault.
    fn places(text: &str) -> Vec<(usize, usize, String)> {
        let faults = faults(text);
        let place = |fault: &Fault| {
            let (line, column) = faults.line_and_column(fault);
            (line, column, fault.path.clone())
        };
        faults.list().iter().map(place).collect()
    }

    #[test]
    fn a_sound_file_is_read_with_its_defaults() {
        let file = WorkspaceFile::parse("acme.toml", SOUND).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!((file.workspace.as_str(), file.policy.version, file.policy.test), ("acme", 3, true));
        assert_eq!((file.policy.reopen_window_ms, file.policy.idle_reset_ms), (3_600_000, 2_500));
        let voice = &file.policy.channels[0];
        assert_eq!((&*voice.name, voice.live, voice.exclusive, voice.short_abandon_ms), ("voice", true, true, 7_000));
        let fax = file.policy.channels.last().unwrap();
        assert_eq!((&*fax.name, fax.live, fax.units, fax.short_abandon_ms), ("fax", false, 3, 5_000));
        assert_eq!(file.policy.tiers.iter().map(|tier| &*tier.name).collect::<Vec<_>>(), ["regular", "vip"]);
        let rest = &file.policy.queues[1];
        assert_eq!((rest.service_level_ms, rest.service_level_goal_permille), (20_000, 800));
        let conditions: Vec<_> =
            file.policy.rules[0].when.iter().map(|c| (c.subject.word(), &*c.key, &*c.value)).collect();
        let expected = [
            ("channel", "", "voice"),
            ("tier", "", "vip"),
            ("attributes", "big deal", "true"),
            ("attributes", "size", "5"),
        ];
        assert_eq!(conditions, expected);
        assert_eq!(file.agents[0].1.units, Some(4));
        assert_eq!(file.agents[1], ("bert".to_string(), AgentConfig { weight: 1, ..AgentConfig::default() }));
    }

    #[test]
    fn its_events_are_decoded_to_the_same_policy_and_agents() {
        let file = WorkspaceFile::parse("acme.toml", SOUND).unwrap();
        let decoder = Decoder::new(HashKey(7));
        let events = file.events("file/1");
        assert_eq!(events.len(), 3);
        let inputs: Vec<_> = events.iter().map(|event| decoder.decode(event.to_string().as_bytes()).unwrap()).collect();
        let Body::WorkspaceConfigure { policy, expected_version: None } = &inputs[0].body else {
            panic!("{:?}", inputs[0].body)
        };
        assert_eq!(**policy, file.policy);
        for (input, (name, config)) in inputs[1..].iter().zip(&file.agents) {
            let Body::AgentConfigure { agent, config: decoded, expected_version: None } = &input.body else {
                panic!("{:?}", input.body)
            };
            assert_eq!((&*agent.text, decoded), (name.as_str(), config));
        }
    }

    #[test]
    fn every_fault_is_found_at_once_with_its_place() {
        let text = r#"workspace = "ac me"
version = "3"
max_open_s = 7
reopen_window = 5

[tier.vip]
head_start = 90

[[queue]]
name = "sales"
strategy = "longest_idel"
service_level_goal = 80
skills = { german = 11 }

[[queue]]
accept_s = "15"

[[queue.step]]
after_s = 30

[[rule]]
when = { tier = "vpi" }
queue = "salse"

[[agent]]
id = "anna"
weight = 0

[[agent]]
id = "anna"
shift = []
"#;
        let expected = [
            (1, 13, "workspace"),
            (2, 11, "version"),
            (3, 1, "max_open_s"),
            (4, 1, "reopen_window"),
            (7, 1, "tier.vip.head_start"),
            (11, 12, "queue[0].strategy"),
            (12, 22, "queue[0].service_level_goal"),
            (13, 21, "queue[0].skills.german"),
            (15, 1, "queue[1].name"),
            (16, 12, "queue[1].accept_s"),
            (18, 1, "queue[1].step[0]"),
            (21, 3, "rule"),
            (22, 17, "rule[0].when.tier"),
            (23, 9, "rule[0].queue"),
            (27, 10, "agent[0].weight"),
            (30, 6, "agent[1].id"),
            (31, 1, "agent[1].shift"),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(l, c, path)| (l, c, path.to_string())).collect();
        assert_eq!(places(text), expected, "{}", faults(text));
    }

    #[test]
    fn a_fault_is_shown_with_caret_and_help() {
        let text =
            SOUND.replace("head_start_s", "headstart_s").replace("\"rest\"\n\n[[agent]]", "\"rset\"\n\n[[agent]]");
        let expected = "\
error: tier.vip.headstart_s: `headstart_s` is no key of this table
  --> acme.toml:20:1
   |
20 | headstart_s = 90
   | ^^^^^^^^^^^
   |
   = help: did you mean `head_start_s`?

error: rule[1].queue: no queue is named `rset`
  --> acme.toml:38:9
   |
38 | queue = \"rset\"
   |         ^^^^^^
   |
   = help: did you mean `rest`?";
        assert_eq!(faults(&text).to_string(), expected);
    }

    #[test]
    fn a_fault_of_two_keys_or_of_a_name_stands_at_the_key() {
        let text = SOUND
            .replace("version = 3", "version = 3\nskills = [\"german\", \"english\"]\nbot_max = 5")
            .replace("skills = { german = 7 }", "skills = { germn = 7 }\nmemberships = [\"rest\"]")
            .replace("head_start_s = 90", "first_ring = { team = \"seniors\" }")
            .replace("name = \"rest\"", "name = \"rest\"\non_full = { then = \"park\", queue = \"sales\" }");
        let expected = "\
error: bot_max: `bot_max` is no key of this table
 --> acme.toml:5:1
  |
5 | bot_max = 5
  | ^^^^^^^
  |
  = help: did you mean `bot_max_s`?

error: tier.vip.first_ring.for_s: `for_s` is missing
  --> acme.toml:22:1
   |
22 | first_ring = { team = \"seniors\" }
   | ^^^^^^^^^^
   |
   = help: after so long anybody

error: tier.vip.first_ring.team: no team is named `seniors`
  --> acme.toml:22:23
   |
22 | first_ring = { team = \"seniors\" }
   |                       ^^^^^^^^^
   |
   = help: write `[team.seniors]`, if only to name it

error: queue[1].on_full: is used with `max_waiting` only: without it the queue is never full
  --> acme.toml:34:1
   |
34 | on_full = { then = \"park\", queue = \"sales\" }
   | ^^^^^^^
   |
   = help: say how many may wait: `max_waiting`

error: queue[1].on_full.queue: is used with `then = \"queue\"` only
  --> acme.toml:34:28
   |
34 | on_full = { then = \"park\", queue = \"sales\" }
   |                            ^^^^^
   |
   = help: leave it out

error: agent[0].skills.germn: no skill is named `germn` in the workspace's `skills`
  --> acme.toml:46:12
   |
46 | skills = { germn = 7 }
   |            ^^^^^
   |
   = help: did you mean `german`?

error: agent[0].memberships[0]: this must be a table, and it is a text
  --> acme.toml:47:16
   |
47 | memberships = [\"rest\"]
   |                ^^^^^^
   |
   = help: write { queue = \"rest\" }";
        assert_eq!(faults(&text).to_string(), expected);
    }

    const HOURS: &str = r#"
workspace = "acme"
version = 1

[[calendar]]
name = "office"
zone = "Europe/Berln"
open = ["mon-fri 09:00-18:00", "satt 10:00-14:00"]
dates = [{ date = "2026-02-30" }, { date = "2026-12-24" }, { date = "2026-12-24" }]

[[calendar]]
name = "always"
zone = "UTC"
open = ["mon-sun 00:00-24:00"]

[[calendar]]
name = "past"
zone = "UTC"
dates = [{ date = "2020-02-02", open = ["09:00-12:00"] }]

[[queue]]
name = "all"
calendar = "ofice"

[[rule]]
when = { open = "nights" }
queue = "all"

[[rule]]
queue = "all"

[[clock]]
kind = "first_response"

[[clock]]
kind = "first_response"
target_s = 60
targets = [{ tier = "vip", target_s = 0 }]
warn_percent = [75, 50]

[[clock.level]]
percent = 100

[[clock.level]]
percent = 50
escalate = 3

[[agent]]
id = "anna"
shifts = "nights"
"#;

    #[test]
    fn every_fault_of_hours_and_clocks_has_its_place() {
        let faults = WorkspaceFile::parse_at("acme.toml", HOURS, 1_795_435_200_000).unwrap_err();
        let found: Vec<_> = faults
            .list()
            .iter()
            .map(|fault| (faults.line_and_column(fault), fault.path.as_str(), fault.sentence.as_str()))
            .collect();
        let expected = [
            ((7, 8), "calendar[0].zone", "no time zone is named `Europe/Berln`"),
            ((8, 32), "calendar[0].open[1]", "`satt` is not a day; days are mon, tue, wed, thu, fri, sat, sun"),
            ((9, 19), "calendar[0].dates[0].date", "there is no date 2026-02-30"),
            ((9, 69), "calendar[0].dates[2].date", "2026-12-24 is there twice"),
            ((12, 8), "calendar[1].name", "says of a clock that it counts at every moment, so no calendar is named so"),
            ((16, 1), "calendar[2].open", "has no opening in the next 366 days"),
            ((23, 12), "queue[0].calendar", "no calendar is named `ofice`"),
            ((26, 17), "rule[0].when.open", "no calendar is named `nights`"),
            ((32, 1), "clock[0]", "has no target, so it would never run: it needs `target_s` or `targets`"),
            ((36, 8), "clock[1].kind", "clock[0] is of this kind too"),
            ((38, 21), "clock[1].targets[0].tier", "no tier is named `vip`"),
            ((38, 39), "clock[1].targets[0].target_s", "must be above 0"),
            ((39, 21), "clock[1].warn_percent[1]", "must be above the percent before"),
            (
                (41, 1),
                "clock[1].level[0]",
                "does nothing: it needs `priority`, `relax`, `notify`, `reassign`, `queue` or `escalate`",
            ),
            ((45, 11), "clock[1].level[1].percent", "must not be below the percent of the level before"),
            ((46, 12), "clock[1].level[1].escalate", "no queue has an escalation of level 3"),
            ((50, 10), "agent[0].shifts", "no calendar is named `nights`"),
        ];
        assert_eq!(found, expected, "{faults}");
        let shown = faults.to_string();
        for help in ["did you mean `Europe/Berlin`?", "did you mean `office`?"] {
            assert!(shown.contains(&format!("= help: {help}")), "{shown}");
        }
        // Whether it opens again depends on the day.
        let undated = WorkspaceFile::parse("acme.toml", HOURS).unwrap_err();
        assert_eq!(undated.list().len(), faults.list().len() - 1);
    }

    #[test]
    fn what_comes_later_is_named_as_such() {
        let faults = faults(&SOUND.replace("head_start_s = 90", "group_shares = [\"snoozed\"]"));
        assert_eq!(faults.list()[0].sentence, "`group_shares` is not built yet");
        assert!(faults.to_string().contains("a later version"), "{faults}");
    }

    #[test]
    fn text_that_is_no_toml_is_shown_where_it_breaks() {
        let text = "workspace = \"acme\"\nversion = = 3\nversion 4\n";
        let faults = faults(text);
        assert_eq!(faults.line_and_column(&faults.list()[0]).0, 2);
        assert!(faults.to_string().contains("acme.toml:2:"), "{faults}");
        assert!(places("version = 1\nversion = 2\n").iter().all(|(line, ..)| *line == 2));
        assert!(!WorkspaceFile::parse("x", "ä = \"\u{1}\"").unwrap_err().to_string().is_empty());
    }

    #[test]
    fn many_faults_are_counted_and_not_all_shown() {
        let text = format!("{SOUND}\n{}", "[[agent]]\n".repeat(300));
        let faults = faults(&text);
        assert_eq!(faults.list().len(), 300);
        assert!(faults.to_string().ends_with("and 200 faults more"));
    }

    #[test]
    fn a_path_is_split_as_it_was_joined() {
        let path = join_key("entry", "a.\"b\\[0]");
        let key = |key: &str| Segment::Key(key.to_string());
        assert_eq!(segments(&path), [key("entry"), key("a.\"b\\[0]")]);
        assert_eq!(segments("rule[12].when.tier"), [key("rule"), Segment::Index(12), key("when"), key("tier")]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,60}", cut in 0..SOUND.len(), key in "[a-z_\\[\\]\\.\"= 0-9{}]{0,12}") {
            for text in [text, format!("{}{key}", &SOUND[..cut]), format!("{}{key}{}", &SOUND[..cut], &SOUND[cut..])] {
                if let Err(faults) = WorkspaceFile::parse("x.toml", &text) {
                    proptest::prop_assert!(!faults.to_string().is_empty());
                }
            }
        }
    }
}
