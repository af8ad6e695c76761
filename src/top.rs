//! `strowger top`: a workspace's figures in a terminal, once a second, by the same door as the wallboard's page.
//!
//! Without a terminal, or with `--once`, it prints them once as plain lines. What is drawn is made of a board alone, so
//! that a test can look at it.

use anyhow::{Context, anyhow, bail};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{Clear, ClearType};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// A server that does not answer by then is shown as silent; where it is asked once only, it is given longer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
const ANSWERS_ONCE_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Args {
    /// Of the server, such as http://127.0.0.1:8080.
    pub url: String,
    /// None: the only one there is.
    pub workspace: Option<String>,
    /// Prints once as plain lines.
    pub once: bool,
}

/// The figures as `/board` has them, as far as they are shown here.
#[derive(Clone, Debug, Deserialize)]
pub struct Board {
    workspace: String,
    at: String,
    waiting: u64,
    oldest_wait_ms: u64,
    unanswered: u64,
    oldest_unanswered_ms: u64,
    agents: BTreeMap<String, u64>,
    agents_online: u64,
    units_used: u64,
    units: u64,
    service_level: ServiceLevel,
    answered_today: u64,
    abandoned_today: u64,
    clocks: Clocks,
    queues: Vec<Queue>,
    sources: Vec<Source>,
}

#[derive(Clone, Debug, Deserialize)]
struct ServiceLevel {
    last_30m: Option<f64>,
    today: Option<f64>,
    goal: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Clocks {
    warned: u64,
    breached: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Queue {
    queue: String,
    open: bool,
    waiting: u64,
    oldest_wait_ms: u64,
    cause: Option<String>,
    agents: BTreeMap<String, u64>,
    agents_online: u64,
    unanswered: u64,
    service_level: ServiceLevel,
    service_level_s: f64,
    clocks: Clocks,
}

#[derive(Clone, Debug, Deserialize)]
struct Source {
    source: String,
    last_event_at: Option<String>,
    silent: bool,
}

/// What is asked of a server.
pub struct Client {
    agent: ureq::Agent,
    url: String,
}

impl Client {
    /// Of a screen that looks every second.
    pub fn new(url: &str) -> Client {
        Client::answered_within(ANSWERS_WITHIN, url)
    }

    fn answered_within(within: Duration, url: &str) -> Client {
        let config = ureq::Agent::config_builder().timeout_global(Some(within)).http_status_as_error(false);
        Client { agent: config.build().into(), url: url.trim_end_matches('/').into() }
    }

    fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.url);
        let mut response = self.agent.get(&url).call().with_context(|| format!("{} does not answer", self.url))?;
        let text = response.body_mut().read_to_string().with_context(|| format!("{url} breaks off"))?;
        if response.status() != 200 {
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            bail!("{}: {}", response.status(), problem["detail"].as_str().unwrap_or("no reason is given"));
        }
        serde_json::from_str(&text).with_context(|| format!("{url} answers otherwise than a Strowger of this version"))
    }

    /// The workspace asked for, or the only one there is.
    pub fn workspace(&self, asked: Option<&str>) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Workspaces {
            workspaces: Vec<Workspace>,
        }
        #[derive(Deserialize)]
        struct Workspace {
            workspace: String,
        }
        let known: Workspaces = self.get("/v1/workspaces")?;
        let names: Vec<String> = known.workspaces.into_iter().map(|known| known.workspace).collect();
        match asked {
            Some(asked) if names.iter().any(|name| name == asked) => Ok(asked.into()),
            Some(asked) => Err(anyhow!("no workspace is named {asked}; there are: {}", listed(&names))),
            None if names.len() == 1 => Ok(names[0].clone()),
            None => Err(anyhow!("say which with --workspace; there are: {}", listed(&names))),
        }
    }

    pub fn board(&self, workspace: &str) -> anyhow::Result<Board> {
        self.get(&format!("/v1/workspaces/{}/board", encoded(workspace)))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none yet".into() } else { names.join(", ") }
}

/// A segment of a path.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Until q, Esc or Ctrl-C.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let is_once = args.once || !std::io::stdout().is_terminal();
    let client = if is_once { Client::answered_within(ANSWERS_ONCE_WITHIN, &args.url) } else { Client::new(&args.url) };
    let workspace = client.workspace(args.workspace.as_deref())?;
    if is_once {
        let board = client.board(&workspace)?;
        println!("{}", lines(&board).join("\n"));
        return Ok(());
    }
    let stopping = terminated()?;
    watch(&client, &workspace, &stopping, &Arc::default())
}

/// A flag that SIGTERM and SIGHUP set: the terminal is to be given back before the process goes.
fn terminated() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hang_up = signal(SignalKind::hangup())?;
            tokio::select! { _ = terminate.recv() => {} _ = hang_up.recv() => {} }
            set.store(true, Ordering::Relaxed);
            std::io::Result::Ok(())
        })
    })?;
    Ok(flag)
}

/// What stands in the last line, beside the keys: the demo says there what happens.
pub type Ticker = Arc<Mutex<String>>;

/// Draws until a key ends it, or `stopping` is set.
pub fn watch(client: &Client, workspace: &str, stopping: &AtomicBool, ticker: &Ticker) -> anyhow::Result<()> {
    let _restored = Restored;
    *SAID.lock().unwrap_or_else(PoisonError::into_inner) = Some(VecDeque::new());
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    // Not by `terminal.clear()`, which asks where the cursor is: some terminals do not answer.
    ratatui::crossterm::execute!(std::io::stdout(), Clear(ClearType::All))?;
    let mut last: Option<(Board, Instant)> = None;
    let mut fault = None;
    let mut scrolled = 0;
    let mut next = Instant::now();
    loop {
        if stopping.load(Ordering::Relaxed) {
            break Ok(());
        }
        if Instant::now() >= next {
            match client.board(workspace) {
                Ok(board) => (last, fault) = (Some((board, Instant::now())), None),
                Err(error) => fault = Some(format!("{error:#}")),
            }
            next = Instant::now() + EVERY;
        }
        let ticker = ticker.lock().map(|ticker| ticker.clone()).unwrap_or_default();
        let drawn = terminal.draw(|frame| match &last {
            Some((board, at)) => {
                let state = match &fault {
                    None => ticker,
                    Some(fault) => format!("as of {} s ago: {fault}", at.elapsed().as_secs()),
                };
                draw(frame, board, &client.url, scrolled, fault.is_some(), &state);
            }
            None => frame.render_widget(Paragraph::new(fault.clone().unwrap_or("connecting".into())), frame.area()),
        });
        if let Err(error) = drawn {
            break Err(error.into());
        }
        match key(next) {
            Ok(Some(Key::Quit)) => break Ok(()),
            Ok(Some(Key::Up)) => scrolled = usize::saturating_sub(scrolled, 1),
            Ok(Some(Key::Down)) => {
                scrolled =
                    (scrolled + 1).min(last.as_ref().map_or(0, |(board, _)| board.queues.len()).saturating_sub(1));
            }
            Ok(None) => {}
            Err(error) => break Err(error.into()),
        }
    }
}

/// Gives the terminal back, however the drawing ends.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        let held = said.take().unwrap_or_default();
        let _ = std::io::stderr().write_all(held.as_slices().0);
        let _ = std::io::stderr().write_all(held.as_slices().1);
    }
}

/// What the log said while a screen is drawn; none: none is.
static SAID: Mutex<Option<VecDeque<u8>>> = Mutex::new(None);
const SAID_MAX: usize = 64 * 1_024;

/// Standard error for the log's lines, but that they wait while a screen is drawn: they would stand across it. Of more than
/// 64 KiB the last are kept.
pub struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match SAID.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            None => std::io::stderr().write(bytes),
            Some(said) => {
                said.extend(bytes);
                said.drain(..said.len().saturating_sub(SAID_MAX));
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

enum Key {
    Quit,
    Up,
    Down,
}

/// A key, if one comes before then.
fn key(until: Instant) -> std::io::Result<Option<Key>> {
    let wait = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(250));
    if !event::poll(wait)? {
        return Ok(None);
    }
    let Event::Key(key) = event::read()? else { return Ok(None) };
    let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    Ok(match key.code {
        _ if key.kind == KeyEventKind::Release => None,
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        _ if is_ctrl_c => Some(Key::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        _ => None,
    })
}

/// Why most wait, in words.
fn in_words(cause: &str) -> &str {
    match cause {
        "closed" => "closed",
        "manual" => "to be claimed",
        "preference" => "kept for one agent",
        "nobody_online" => "nobody online",
        "no_skill_online" => "no skill online",
        "delay" => "delay not over",
        "all_declined" => "all declined",
        "all_full" => "all full",
        "paced" => "pacing",
        "due" => "being given",
        other => other,
    }
}

fn time(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{}:{:02}", s / 60, s % 60),
        _ => format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60),
    }
}

fn share(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0))
}

/// Nothing to mind, look at it, act: told by a sign too, for who sees no colours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    Look,
    Act,
}

impl State {
    fn sign(self) -> &'static str {
        match self {
            State::Fine => " ",
            State::Look => "!",
            State::Act => "#",
        }
    }

    fn style(self) -> Style {
        match self {
            State::Fine => Style::default(),
            State::Look => Style::default().add_modifier(Modifier::BOLD),
            State::Act => Style::default().add_modifier(Modifier::BOLD | Modifier::REVERSED),
        }
    }

    fn of_level(level: &ServiceLevel) -> State {
        match (level.last_30m, level.goal) {
            (Some(reached), Some(goal)) if reached < goal / 2.0 => State::Act,
            (Some(reached), Some(goal)) if reached < goal => State::Look,
            _ => State::Fine,
        }
    }
}

/// Those who have room for something.
fn free(agents: &BTreeMap<String, u64>) -> u64 {
    ["available", "partly"].into_iter().filter_map(|state| agents.get(state)).sum()
}

impl Queue {
    fn state(&self) -> State {
        let is_past = self.waiting > 0 && self.oldest_wait_ms as f64 > self.service_level_s * 1e3;
        let is_stuck = self.waiting > 0 && self.agents_online == 0 && self.open;
        match (is_stuck || self.clocks.breached > 0, is_past || self.clocks.warned > 0) {
            (true, _) => State::Act,
            (_, true) => State::Look,
            _ => State::of_level(&self.service_level),
        }
    }

    fn cells(&self) -> [String; 10] {
        [
            self.state().sign().into(),
            self.queue.clone(),
            if self.open { "open".into() } else { "closed".into() },
            self.waiting.to_string(),
            if self.waiting > 0 { time(self.oldest_wait_ms) } else { "-".into() },
            self.cause.as_deref().map_or("-", in_words).into(),
            format!("{}/{}", free(&self.agents), self.agents_online),
            self.unanswered.to_string(),
            format!("{} of {}", share(self.service_level.last_30m), share(self.service_level.goal)),
            format!("{}/{}", self.clocks.warned, self.clocks.breached),
        ]
    }
}

const HEADS: [&str; 10] =
    [" ", "queue", "", "waiting", "longest", "why", "free/online", "unanswered", "in time, 30 min", "warned/late"];

/// The figures above the table: (name, figure, beside it).
fn figures(board: &Board) -> [(&'static str, String, String, State); 6] {
    let strictest_s = board.queues.iter().filter(|queue| queue.waiting > 0).map(|queue| queue.service_level_s);
    let strictest_s = strictest_s.fold(f64::INFINITY, f64::min);
    let is_past = board.oldest_wait_ms as f64 > strictest_s * 1e3;
    let late = if board.clocks.breached > 0 { State::Act } else { State::Fine };
    let online = if board.agents_online == 0 { State::Act } else { State::Fine };
    let occupied = (board.units > 0).then(|| board.units_used as f64 / board.units as f64);
    [
        (
            "longest wait",
            time(board.oldest_wait_ms),
            format!("{} wait", board.waiting),
            if is_past { State::Look } else { State::Fine },
        ),
        (
            "unanswered",
            board.unanswered.to_string(),
            format!("oldest {}", time(board.oldest_unanswered_ms)),
            State::Fine,
        ),
        (
            "in time, 30 min",
            share(board.service_level.last_30m),
            format!("goal {}, today {}", share(board.service_level.goal), share(board.service_level.today)),
            State::of_level(&board.service_level),
        ),
        (
            "agents online",
            board.agents_online.to_string(),
            format!("{} free, {} of units used", free(&board.agents), share(occupied)),
            online,
        ),
        ("clocks late", board.clocks.breached.to_string(), format!("{} warned", board.clocks.warned), late),
        ("today", board.answered_today.to_string(), format!("answered, {} left", board.abandoned_today), State::Fine),
    ]
}

fn silent(board: &Board) -> Vec<String> {
    let silent = board.sources.iter().filter(|source| source.silent);
    let told = silent.map(|source| match &source.last_event_at {
        Some(at) => format!("nothing from {} since {at}", source.source),
        None => format!("nothing from {} since the start", source.source),
    });
    told.collect()
}

/// The same as plain lines.
pub fn lines(board: &Board) -> Vec<String> {
    let mut lines = vec![format!("{} at {}", board.workspace, board.at)];
    for (name, figure, beside, state) in figures(board) {
        lines.push(format!("{} {name:<16} {figure:>9}  {beside}", state.sign()));
    }
    lines.extend(silent(board).into_iter().map(|line| format!("# {line}")));
    let rows: Vec<[String; 10]> = board.queues.iter().map(Queue::cells).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).chain([HEADS[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: &[String; 10]| {
        let cells = cells.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        cells.collect::<Vec<String>>().join("  ").trim_end().to_string()
    };
    lines.push(line(&HEADS.map(String::from)));
    lines.extend(rows.iter().map(line));
    lines
}

fn draw(frame: &mut Frame<'_>, board: &Board, url: &str, scrolled: usize, is_old: bool, state: &str) {
    let silent = silent(board);
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(4),
        Constraint::Length(silent.len() as u16),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .split(frame.area());
    let title = format!("strowger top  {}  {}  {url}/wallboard  {url}/docs", board.workspace, board.at);
    frame.render_widget(Paragraph::new(title).style(Style::default().add_modifier(Modifier::BOLD)), areas[0]);
    draw_figures(frame, board, is_old, areas[1]);
    let silent: Vec<Line<'_>> =
        silent.iter().map(|line| Line::from(format!("# {line}")).style(State::Act.style())).collect();
    frame.render_widget(Paragraph::new(silent), areas[2]);
    let rows = board
        .queues
        .iter()
        .skip(scrolled)
        .map(|queue| Row::new(queue.cells().map(Cell::from)).style(queue.state().style()));
    let widths = [1, 16, 6, 7, 8, 18, 11, 10, 15, 11].map(Constraint::Length);
    let heads = Row::new(HEADS).style(Style::default().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(heads), areas[3]);
    let keys = Line::from(vec![Span::raw("q quits, arrows scroll   "), Span::raw(state.to_string())]);
    frame.render_widget(Paragraph::new(keys), areas[4]);
}

fn draw_figures(frame: &mut Frame<'_>, board: &Board, is_old: bool, area: Rect) {
    let figures = figures(board);
    let areas = Layout::horizontal([Constraint::Fill(1); 6]).split(area);
    for ((name, figure, beside, state), area) in figures.into_iter().zip(areas.iter()) {
        let style = if is_old { Style::default().add_modifier(Modifier::DIM) } else { state.style() };
        let block = Block::new().borders(Borders::LEFT).title(format!(" {name}"));
        let text =
            vec![Line::from(format!(" {} {figure}", state.sign())).style(style), Line::from(format!(" {beside}"))];
        frame.render_widget(Paragraph::new(text).block(block), *area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    fn board() -> Board {
        let level = |last: Option<f64>| json!({"last_30m": last, "today": 0.83, "goal": 0.8});
        let queue = |name: &str, waiting: u64, cause: Option<&str>, online: u64| {
            json!({
                "queue": name, "open": true, "waiting": waiting, "oldest_wait_ms": waiting * 10_000, "cause": cause,
                "agents": {"available": 0, "partly": 1, "full": online}, "agents_online": online, "unanswered": 4,
                "service_level": level(Some(0.5)), "service_level_s": 20.0, "clocks": {"warned": 1, "breached": 0},
            })
        };
        serde_json::from_value(json!({
            "workspace": "shop", "at": "2026-11-26T17:00:00.000Z", "waiting": 7, "oldest_wait_ms": 70_000, "unanswered": 8,
            "oldest_unanswered_ms": 3_723_000, "agents": {"available": 3}, "agents_online": 5, "units_used": 4, "units": 8,
            "service_level": level(None), "answered_today": 812, "abandoned_today": 33,
            "clocks": {"warned": 2, "breached": 1},
            "queues": [queue("sales", 7, Some("all_full"), 2), queue("night", 3, Some("nobody_online"), 0)],
            "sources": [{"source": "whatsapp", "last_event_at": null, "silent_after_s": 60, "silent": true}],
        }))
        .unwrap()
    }

    #[test]
    fn figures_and_queues_stand_in_plain_lines() {
        let lines = lines(&board());
        assert_eq!(lines[0], "shop at 2026-11-26T17:00:00.000Z");
        assert_eq!(lines[1], "! longest wait          1:10  7 wait");
        assert_eq!(lines[2], "  unanswered               8  oldest 1:02:03");
        assert_eq!(lines[3], "  in time, 30 min          -  goal 80 %, today 83 %");
        assert_eq!(lines[4], "  agents online            5  3 free, 50 % of units used");
        assert_eq!(lines[5], "# clocks late              1  2 warned");
        assert_eq!(lines[7], "# nothing from whatsapp since the start");
        assert!(lines[9].starts_with("!  sales  open  7        1:10     all full       1/2"), "{}", lines[9]);
        assert!(lines[10].starts_with("#  night  open  3        30 s     nobody online  1/0"), "{}", lines[10]);
    }

    #[test]
    fn a_screen_shows_the_same() {
        let mut terminal = Terminal::new(TestBackend::new(120, 14)).unwrap();
        terminal.draw(|frame| draw(frame, &board(), "http://h:1", 0, false, "live")).unwrap();
        let text = terminal.backend().to_string();
        for shown in [
            "strowger top  shop",
            "http://h:1/wallboard",
            "1:10",
            "nothing from whatsapp",
            "nobody online",
            "all full",
            "live",
            "q quits",
        ] {
            assert!(text.contains(shown), "{shown} is not in\n{text}");
        }
        // Too small a screen shows less, and fails at nothing.
        for (width, height) in [(1, 1), (20, 3), (40, 6), (300, 80)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &board(), "http://h:1", 1, true, "")).unwrap();
        }
    }

    #[test]
    fn the_log_waits_while_a_screen_is_drawn() {
        *SAID.lock().unwrap() = Some(VecDeque::new());
        Log.write_all(&vec![b'x'; SAID_MAX]).unwrap();
        Log.write_all(b"why it ended\n").unwrap();
        let said: Vec<u8> = SAID.lock().unwrap().iter().flatten().copied().collect();
        assert!(said.len() == SAID_MAX && said.ends_with(b"xwhy it ended\n"), "the last is kept");
        // The test's own output is no place for it.
        SAID.lock().unwrap().as_mut().unwrap().clear();
        drop(Restored);
        assert!(SAID.lock().unwrap().is_none());
    }

    #[test]
    fn names_are_encoded_in_paths() {
        assert_eq!(encoded("a b/ü"), "a%20b%2F%C3%BC");
    }
}
