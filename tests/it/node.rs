//! A running `strowger serve` as a process of its own, and the few words of HTTP that tests need with it.
//!
//! Every test has a folder under `target/tmp` and ports of its own, so that tests run side by side. A node that a test
//! leaves behind, by success or by panic, is killed with the value; its folder stays only when the test failed.

use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A cold start of a loaded machine, with a journal to read.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(10);
pub const SHARDS: u16 = 4;

/// A folder that goes with its test, unless that fails.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{serial}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder under target/tmp");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).expect("a file in the test's folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Where the journal is.
pub enum JournalAt {
    Embedded,
    /// Bootstrap servers, and the prefix of the topics.
    Kafka(String, String),
}

pub struct Node {
    pub folder: Folder,
    config: PathBuf,
    port: u16,
    process: Option<Child>,
    environment: Vec<(String, String)>,
}

impl Node {
    /// A started node with an empty embedded journal and no workspace file.
    pub fn embedded(name: &str) -> Node {
        let mut node = Node::prepared(name, &JournalAt::Embedded, None);
        node.start();
        node
    }

    /// A node with its config file written, not started. `workspace` is the text of a workspace file, `workspace.toml`.
    pub fn prepared(name: &str, journal: &JournalAt, workspace: Option<&str>) -> Node {
        let folder = Folder::new(name);
        let port = free_port();
        let config = folder.write("strowger.toml", &config_text(port, journal, workspace.is_some()));
        if let Some(text) = workspace {
            folder.write("workspace.toml", text);
        }
        Node { folder, config, port, process: None, environment: Vec::new() }
    }

    pub fn with_environment(mut self, name: &str, value: &str) -> Node {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts it and waits until it owns its shards.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.file("serve.log")).expect("a log file");
        let process = Command::new(env!("CARGO_BIN_EXE_strowger"))
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .expect("the strowger binary starts");
        self.process = Some(process);
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_WITHIN;
        // Nothing tells a stranger that a port has been opened: ask again.
        while self.try_get("/readyz").is_none_or(|answer| answer.status != 200) {
            if let Some(status) = self.process.as_mut().expect("started").try_wait().expect("own child") {
                panic!("serve ended by itself with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "serve was not ready within {READY_WITHIN:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Memory of the process that is resident, KiB.
    pub fn resident_kib(&self) -> u64 {
        let process = self.process.as_ref().expect("started");
        let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("resident memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.file("serve.log")).unwrap_or_default()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("started");
        process.kill().expect("own child");
        process.wait().expect("own child");
    }

    /// SIGTERM; the exit status, which has to come within 10 s (design.md §8).
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("started");
        let sent = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        let deadline = Instant::now() + STOP_WITHIN;
        loop {
            if let Some(status) = process.try_wait().expect("own child") {
                return status;
            }
            if Instant::now() > deadline {
                let _ = process.kill();
                let _ = process.wait();
                panic!("serve did not stop within {STOP_WITHIN:?} of SIGTERM:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn try_get(&self, path: &str) -> Option<Answer> {
        agent().get(&self.url(path)).call().ok().map(Answer::read)
    }

    pub fn get(&self, path: &str) -> Answer {
        Answer::read(agent().get(&self.url(path)).call().expect("an HTTP answer"))
    }

    pub fn post(&self, content_type: &str, body: &[u8]) -> Answer {
        let request = agent().post(&self.url("/v1/events")).header("content-type", content_type);
        Answer::read(request.send(body).expect("an HTTP answer"))
    }

    /// One event in structured mode.
    pub fn send(&self, event: &Value) -> Answer {
        self.post("application/cloudevents+json", event.to_string().as_bytes())
    }

    /// One event that has to be answered 200; its outcome.
    pub fn settle(&self, event: &Value) -> Value {
        let answer = self.send(event);
        assert_eq!(answer.status, 200, "{event} was answered {answer:?}");
        answer.json()
    }

    /// All decisions of all shards up to the last position answered to a last event, in order of shard and position.
    pub fn decisions(&self, shard: u64, up_to: (u64, u64)) -> Vec<Value> {
        let mut decisions: Vec<Value> = Vec::new();
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let last = decisions.last().map(position_of);
            if last.is_some_and(|last| last >= up_to) {
                return decisions;
            }
            assert!(Instant::now() < deadline, "shard {shard} tells decisions up to {last:?}, awaited is {up_to:?}");
            let after = last.map(|(seq, idx)| format!("&after={seq}.{idx}")).unwrap_or_default();
            self.read_decisions(&format!("/v1/decisions?shard={shard}&follow=false{after}"), up_to, &mut decisions);
        }
    }

    fn read_decisions(&self, path: &str, up_to: (u64, u64), decisions: &mut Vec<Value>) {
        use std::io::{BufRead, BufReader};
        let answer = agent().get(&self.url(path)).call().expect("an HTTP answer");
        assert_eq!(answer.status().as_u16(), 200);
        for line in BufReader::new(answer.into_body().into_reader()).lines() {
            let Ok(line) = line else { return };
            if line.is_empty() {
                continue;
            }
            decisions.push(serde_json::from_str(&line).expect("a decision is JSON"));
            if position_of(decisions.last().expect("just pushed")) >= up_to {
                return;
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub fn position_of(decision: &Value) -> (u64, u64) {
    let position = &decision["data"]["position"];
    (position["seq"].as_u64().expect("a seq"), position["idx"].as_u64().expect("an idx"))
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    fn read(mut response: ureq::http::Response<ureq::Body>) -> Answer {
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_string();
        let (status, content_type) = (response.status().as_u16(), header("content-type"));
        let text = response.body_mut().read_to_string().unwrap_or_default();
        Answer { status, content_type, text }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent()
}

/// Below the range of outgoing connections, so that none of those takes it between here and the server's bind.
pub fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut drawn = std::iter::repeat_with(|| rand::random_range(10_000..20_000)).take(1_000);
    drawn.find(free).expect("a free port on loopback")
}

fn config_text(port: u16, journal: &JournalAt, with_workspace: bool) -> String {
    let workspaces = if with_workspace { "workspaces = [\"workspace.toml\"]\n" } else { "" };
    let journal = match journal {
        JournalAt::Embedded => "[journal]\nkind = \"sqlite\"\npath = \"journal.db\"\n".to_string(),
        JournalAt::Kafka(bootstrap, prefix) => format!(
            "[metrics]\nscrape_interval_s = 1\n\n[journal]\nkind = \"kafka\"\n\n[kafka]\nbootstrap = {bootstrap:?}\nreplication_factor = 1\n\n\
             [kafka.topics]\nevents = \"{prefix}.events\"\njournal = \"{prefix}.journal\"\n\
             decisions = \"{prefix}.decisions\"\ndead_letters = \"{prefix}.dead-letters\"\n"
        ),
    };
    format!("{workspaces}shards = {SHARDS}\n\n[http]\nlisten = \"127.0.0.1:{port}\"\n\n{journal}")
}

/// A CloudEvent of workspace `acme` from source `test`.
pub fn event(id: &str, event_type: &str, data: Value) -> Value {
    event_in("acme", id, event_type, data)
}

pub fn event_in(workspace: &str, id: &str, event_type: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "test", "type": event_type, "time": "2026-11-25T09:00:00.000Z",
        "workspace": workspace, "data": data
    })
}

/// Workspace `acme` with one queue and agent `ada`, two units, offline.
pub fn configure(node: &Node) {
    let policy = json!({"version": 1, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
    node.settle(&event("setup-policy", "workspace.configure", policy));
    node.settle(&event("setup-ada", "agent.configure", json!({"agent": "ada", "units": 2})));
}

/// The broker that tests may use, else a line that says what was skipped.
pub fn kafka_or_skip(test: &str) -> Option<String> {
    let bootstrap = std::env::var("KAFKA_BOOTSTRAP").ok().filter(|address| !address.is_empty());
    if bootstrap.is_none() {
        println!("skipped: {test}: no Kafka (KAFKA_BOOTSTRAP is not set; `make test` starts one)");
    }
    bootstrap
}

/// Whether a program is on this machine, else a line that says what was skipped.
pub fn program_or_skip(program: &str, test: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: {test}: {program} is not installed");
    }
    there
}
