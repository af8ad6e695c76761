//! A server inside the test's process, embedded journal: files offered, restarts, clocks. Over HTTP and with kill -9 the
//! same is tested in `tests/it`.

use super::*;
use crate::clock::Scaled;
use crate::ingest::Answered;
use engine::decision::{Outcome, Position, Reason};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::AtomicU32;

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let name = format!("strowger-serve-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, text: &str) {
        std::fs::write(self.0.join("acme.toml"), text).unwrap();
    }

    fn config(&self, clock: Option<Scaled>) -> Config {
        let file = self.0.join("acme.toml");
        let workspaces = if file.exists() { vec![file] } else { Vec::new() };
        Config { clock, ..Config::embedded(self.0.join("journal.db"), workspaces, 0) }
    }

    fn start(&self, clock: Option<Scaled>) -> Serving {
        let serving = Serving::start(&self.config(clock)).unwrap();
        serving.wait_until_ready().unwrap();
        serving
    }

    /// The sentence with which it does not start.
    fn refused(&self, clock: Option<Scaled>) -> String {
        let started = Serving::start(&self.config(clock)).and_then(|serving| {
            let ready = serving.wait_until_ready();
            let _ = serving.stop();
            ready
        });
        started.unwrap_err().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn file(version: u32, queue: &str, test: bool) -> String {
    format!(
        "workspace = \"acme\"\nversion = {version}\ntest = {test}\n[[queue]]\nname = \"{queue}\"\n[[rule]]\nqueue = \"{queue}\"\n\
         [[agent]]\nid = \"ada\"\nunits = 2\n[[agent]]\nid = \"bob\"\n"
    )
}

fn send(serving: &Serving, id: &str, event_type: &str, data: Value) -> Answered {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "test", "type": event_type, "workspace": "acme", "data": data,
    });
    let bytes = event.to_string();
    let input = serving.state().decoder.decode(bytes.as_bytes()).unwrap();
    serving.state().ingest.offer(input, bytes.as_bytes()).unwrap().blocking_recv().unwrap()
}

fn outcome(answered: Answered) -> (Outcome, Reason, bool) {
    match answered {
        Answered::Outcome { outcome, code, duplicate, .. } => (outcome, code, duplicate),
        other => panic!("{other:?}"),
    }
}

fn decisions(serving: &Serving) -> Vec<Value> {
    let mut lines = Vec::new();
    let shard = serving.state().ingest.shard_of("acme");
    serving.state().decisions.read(shard, Position::default(), 1_000, &mut lines).unwrap();
    lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn count(decisions: &[Value], decision_type: &str) -> usize {
    decisions.iter().filter(|decision| decision["type"] == format!("strowger.{decision_type}")).count()
}

fn digest(serving: &Serving) -> u128 {
    let shard = &serving.state().shards[usize::from(serving.state().ingest.shard_of("acme"))];
    let workload = shard.read();
    assert_eq!(workload.replica().digest(), workload.replica().digest_in_full());
    workload.replica().digest()
}

#[test]
fn an_event_goes_through_every_stage_and_a_restart_finds_it_again() {
    let folder = Folder::new();
    folder.write(&file(1, "all", false));
    let serving = folder.start(None);
    assert_eq!(
        outcome(send(&serving, "p", "agent.presence", json!({"agent": "ada", "status": "online"}))).0,
        Outcome::Decided
    );
    let contact = json!({"channel": "chat", "conversation": "c1"});
    assert_eq!(
        outcome(send(&serving, "c", "contact.started", contact.clone())),
        (Outcome::Decided, Reason::None, false)
    );
    let told = decisions(&serving);
    assert_eq!(count(&told, "workspace.configured"), 1);
    assert_eq!(count(&told, "conversation.assigned"), 1);
    let mut before = Value::Null;
    for decision in &told {
        let position = &decision["data"]["position"];
        assert_eq!(position["prev"], before, "{decision}");
        before = json!([position["seq"], position["idx"]]);
    }
    let state = digest(&serving);
    serving.stop().unwrap();

    let serving = folder.start(None);
    assert_eq!(digest(&serving), state);
    // Nothing of the file differs: nothing was offered.
    assert_eq!(decisions(&serving), told);
    assert_eq!(outcome(send(&serving, "c", "contact.started", contact)), (Outcome::Decided, Reason::None, true));
    serving.stop().unwrap();
}

#[test]
fn an_unknown_workspace_leaves_nothing() {
    let folder = Folder::new();
    let serving = folder.start(None);
    let contact = json!({"channel": "chat", "conversation": "c1"});
    assert_eq!(send(&serving, "c", "contact.started", contact), Answered::UnknownWorkspace);
    assert!(decisions(&serving).is_empty());
    let (read, _) = serving.standings[usize::from(serving.state().ingest.shard_of("acme"))].recovery();
    assert!(read <= 1, "at most a claim");
    serving.stop().unwrap();
}

#[test]
fn a_file_is_offered_by_its_version() {
    let folder = Folder::new();
    folder.write(&file(2, "all", false));
    folder.start(None).stop().unwrap();

    // An older one: reported, not offered.
    folder.write(&file(1, "old", false));
    let serving = folder.start(None);
    assert_eq!(count(&decisions(&serving), "workspace.configured"), 1);
    serving.stop().unwrap();

    // The same number with other content refuses to start.
    folder.write(&file(2, "other", false));
    let sentence = folder.refused(None);
    assert!(sentence.contains("version 2 is in force with other content"), "{sentence}");

    // A newer one without an agent: the agent stays.
    folder.write(&file(3, "new", false).replace("[[agent]]\nid = \"bob\"\n", ""));
    let serving = folder.start(None);
    assert_eq!(count(&decisions(&serving), "workspace.configured"), 2);
    let shard = &serving.state().shards[usize::from(serving.state().ingest.shard_of("acme"))];
    assert!(shard.read().replica().workspace("acme").unwrap().agent("bob").is_some());
    serving.stop().unwrap();

    folder.write("workspace = \"acme\"\nversion = \"x\"");
    assert!(folder.refused(None).contains("acme.toml:2:"));
}

#[test]
fn a_scaled_clock_stands_until_the_first_event_and_goes_on_after_a_restart() {
    let folder = Folder::new();
    folder.write(&file(1, "all", true));
    let scaled: Scaled = "scaled=1000,start=1999-02-02T00:00:00Z".parse().unwrap();
    let serving = folder.start(Some(scaled));
    let shard = serving.state().ingest.shard_of("acme");
    let reading = (serving.state().clock)(shard);
    assert_eq!((reading.now, reading.scale, reading.origin), (scaled.start, 1_000.0, None));
    send(&serving, "p", "agent.presence", json!({"agent": "ada", "status": "online"}));
    let reading = (serving.state().clock)(shard);
    let origin = reading.origin.expect("it was set going");
    assert!(reading.now >= scaled.start);
    let told = decisions(&serving);
    assert!(told.iter().all(|decision| decision["time"].as_str().unwrap().starts_with("1999-02-02T00:")), "{told:?}");
    serving.stop().unwrap();

    let serving = folder.start(Some(scaled));
    assert_eq!((serving.state().clock)(shard).origin, Some(origin));
    send(&serving, "q", "agent.presence", json!({"agent": "bob", "status": "online"}));
    // Not the file's, but by event: only test workspaces are configured while the clock is scaled.
    let policy = json!({"version": 9, "queue": [{"name": "all"}], "rule": [{"queue": "all"}]});
    let answer = outcome(send(&serving, "w", "workspace.configure", policy));
    assert_eq!(answer, (Outcome::Rejected, Reason::InvalidPolicy, false));
    serving.stop().unwrap();

    let other = Scaled { scale: 10, ..scaled };
    for clock in [None, Some(other)] {
        let sentence = folder.refused(clock);
        assert!(sentence.contains("--clock scaled=1000,start=1999-02-02T00:00:00.000Z"), "{sentence}");
    }
}

#[test]
fn a_scaled_clock_is_refused_for_workspaces_in_earnest() {
    let folder = Folder::new();
    folder.write(&file(1, "all", false));
    let scaled: Scaled = "scaled=2,start=1999-02-02T00:00:00Z".parse().unwrap();
    assert!(folder.refused(Some(scaled)).contains("test = true"));
    folder.start(None).stop().unwrap();
    assert!(folder.refused(Some(scaled)).contains("scaled"));
}

#[test]
fn many_events_at_once_are_each_answered_once_and_in_order() {
    let folder = Folder::new();
    folder.write(&file(1, "all", false));
    let serving = folder.start(None);
    let mut waiting = Vec::new();
    for n in 0..2_000 {
        let data = json!({"channel": "chat", "conversation": format!("c{n}")});
        let event = json!({
            "specversion": "1.0", "id": format!("e{n}"), "source": "test", "type": "contact.started", "workspace": "acme", "data": data,
        });
        let bytes = event.to_string();
        let input = serving.state().decoder.decode(bytes.as_bytes()).unwrap();
        waiting.push(serving.state().ingest.offer(input, bytes.as_bytes()).unwrap());
    }
    let mut last = Position::default();
    for answer in waiting {
        let Answered::Outcome { position, .. } = answer.blocking_recv().unwrap() else { panic!() };
        assert!(position > last);
        last = position;
    }
    serving.stop().unwrap();
    assert!(Path::new(&folder.0.join("journal.db")).exists());
}

/// Offers and leases of one second, and a grace of one.
fn file_of_seconds(test: bool, accept_s: u32) -> String {
    format!(
        "workspace = \"acme\"\nversion = 1\ntest = {test}\nlease_grace_s = 1\n[[queue]]\nname = \"all\"\n\
         accept_s = {accept_s}\n[[rule]]\nqueue = \"all\"\n[[agent]]\nid = \"ada\"\nunits = 2\n[[agent]]\nid = \"bob\"\n"
    )
}

/// Waits for commits until what they told is enough.
fn await_decisions(serving: &Serving, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let shard = usize::from(serving.state().ingest.shard_of("acme"));
    let mut committed = serving.state().shards[shard].committed.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let told = async {
        loop {
            let told = decisions(serving);
            if enough(&told) {
                return told;
            }
            committed.changed().await.unwrap();
        }
    };
    let within = Duration::from_secs(30);
    let told = runtime.block_on(async { tokio::time::timeout(within, told).await });
    told.unwrap_or_else(|_| panic!("it was not told: {:#?}", decisions(serving)))
}

/// Times of the decisions of that type and reason, ms UTC.
fn times(decisions: &[Value], decision_type: &str, reason: &str) -> Vec<u64> {
    let is_one =
        |told: &&Value| told["type"] == format!("strowger.{decision_type}") && told["data"]["reason"] == reason;
    let time = |told: &Value| connectors::codec::parse_timestamp(told["time"].as_str().unwrap()).unwrap();
    decisions.iter().filter(is_one).map(time).collect()
}

fn wall_ms() -> u64 {
    WallClock::default().now_ms()
}

/// Sleeps until the wall clock shows it: nothing else happens then.
fn pass(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms.saturating_sub(wall_ms()) + 1));
}

fn until_of_offer(decisions: &[Value]) -> u64 {
    let offered = decisions.iter().find(|told| told["type"] == "strowger.conversation.offered").expect("an offer");
    connectors::codec::parse_timestamp(offered["data"]["until"].as_str().expect("its end")).unwrap()
}

const CONTACT: &str = "contact.started";

fn chat(conversation: &str) -> Value {
    json!({"channel": "chat", "conversation": conversation})
}

#[test]
fn an_offer_that_nobody_answers_ends_though_nothing_else_happens() {
    let folder = Folder::new();
    folder.write(&file_of_seconds(false, 1));
    let serving = folder.start(None);
    send(&serving, "p", "agent.presence", json!({"agent": "ada", "status": "online"}));
    send(&serving, "c", CONTACT, chat("c"));
    let until = until_of_offer(&decisions(&serving));
    let told = await_decisions(&serving, |told| count(told, "offer.withdrawn") > 0);
    let expired = times(&told, "offer.withdrawn", "expired");
    assert!(expired.len() == 1 && expired[0] >= until, "{expired:?}, it ends at {until}");
    serving.stop().unwrap();
}

#[test]
fn what_was_due_while_the_server_was_away_is_done_once_right_after_and_a_lease_has_its_grace() {
    let folder = Folder::new();
    folder.write(&file_of_seconds(false, 1));
    let serving = folder.start(None);
    send(&serving, "p", "agent.presence", json!({"agent": "ada", "status": "online"}));
    send(&serving, "l", "agent.presence", json!({"agent": "bob", "status": "pending_away", "expires_in_s": 2}));
    send(&serving, "c", CONTACT, chat("c"));
    let until = until_of_offer(&decisions(&serving));
    serving.stop().unwrap();
    // Both are over, the lease a second later.
    pass(until + 1_500);
    let back = wall_ms();
    let serving = folder.start(None);
    let told = await_decisions(&serving, |told| !times(told, "agent.changed", "lease_expired").is_empty());
    let withdrawn = times(&told, "offer.withdrawn", "expired");
    let lease = times(&told, "agent.changed", "lease_expired");
    assert_eq!((withdrawn.len(), lease.len()), (1, 1));
    assert!(withdrawn[0] >= back && withdrawn[0] < lease[0], "{withdrawn:?}, {lease:?}");
    assert!(lease[0] >= back + 1_000, "{} ms after the start", lease[0] - back);
    serving.stop().unwrap();
    // Once: not again at the next start.
    let serving = folder.start(None);
    let told = decisions(&serving);
    assert_eq!(times(&told, "offer.withdrawn", "expired"), withdrawn);
    assert_eq!(times(&told, "agent.changed", "lease_expired"), lease);
    serving.stop().unwrap();
}

#[test]
fn a_renewal_without_effect_is_answered_without_a_position_and_leaves_nothing() {
    let folder = Folder::new();
    folder.write(&file_of_seconds(false, 1));
    let serving = folder.start(None);
    let lease = |sequence: u64| {
        json!({
            "agent": "ada", "status": "online", "by": "device", "session": "s", "sequence": sequence, "expires_in_s": 3_600,
        })
    };
    assert_eq!(outcome(send(&serving, "1", "agent.presence", lease(1))).0, Outcome::Decided);
    let (told, state) = (decisions(&serving), digest(&serving));
    assert_eq!(send(&serving, "2", "agent.presence", lease(2)), Answered::Renewed);
    // Sent again, it is again one that changes nothing: nobody has remembered it.
    assert_eq!(send(&serving, "2", "agent.presence", lease(2)), Answered::Renewed);
    assert_eq!((decisions(&serving), digest(&serving)), (told, state));
    // The next number but one is recorded: so at least every second renewal is.
    assert_eq!(outcome(send(&serving, "3", "agent.presence", lease(3))).0, Outcome::Recorded);
    serving.stop().unwrap();
}

#[test]
fn timers_go_by_the_scaled_clock() {
    let folder = Folder::new();
    folder.write(&file_of_seconds(true, 600));
    let scaled: Scaled = "scaled=1000,start=1999-02-02T00:00:00Z".parse().unwrap();
    let serving = folder.start(Some(scaled));
    send(&serving, "p", "agent.presence", json!({"agent": "ada", "status": "online"}));
    let began = Instant::now();
    send(&serving, "c", CONTACT, chat("c"));
    let until = until_of_offer(&decisions(&serving));
    let told = await_decisions(&serving, |told| count(told, "offer.withdrawn") > 0);
    let expired = times(&told, "offer.withdrawn", "expired");
    assert!(expired[0] >= until, "{expired:?}, it ends at {until}");
    // Ten minutes of its time.
    assert!(began.elapsed() >= Duration::from_millis(590), "{:?}", began.elapsed());
    serving.stop().unwrap();
}

fn file_with_hours(version: u32, open: &str) -> String {
    format!(
        "workspace = \"acme\"\nversion = {version}\ntest = true\n[[queue]]\nname = \"all\"\ncalendar = \"office\"\n\
         [[rule]]\nqueue = \"all\"\n[[agent]]\nid = \"ada\"\nshifts = \"office\"\n\
         [[calendar]]\nname = \"office\"\nzone = \"Europe/Berlin\"\nopen = [\"{open}\"]\n"
    )
}

/// Ids of the expansions that were told, in order, without the digest of what they say.
fn expansions(decisions: &[Value]) -> Vec<String> {
    let causes = decisions.iter().map(|told| &told["data"]["cause"]).filter(|cause| cause["source"] == "strowger");
    let mut ids: Vec<String> = causes.map(|cause| cause["id"].as_str().unwrap().to_string()).collect();
    ids.retain(|id| id.starts_with("calendar/"));
    ids.dedup();
    let without_digest = |id: &String| {
        let parts: Vec<&str> = id.split('/').collect();
        [&parts[..3], &parts[4..]].concat().join("/")
    };
    ids.iter().map(without_digest).collect()
}

fn is_open(serving: &Serving) -> bool {
    let shard = &serving.state().shards[usize::from(serving.state().ingest.shard_of("acme"))];
    let workload = shard.read();
    workload.replica().workspace("acme").unwrap().queues()[0].is_open
}

#[test]
fn a_calendar_is_expanded_with_its_policy_and_again_only_when_that_says_else() {
    let folder = Folder::new();
    folder.write(&file_with_hours(1, "mon-fri 09:00-18:00"));
    // A Thursday evening: the clock stands, and what is expanded does not set it going.
    let scaled: Scaled = "scaled=1,start=2026-11-26T20:00:00Z".parse().unwrap();
    let serving = folder.start(Some(scaled));
    let shard = serving.state().ingest.shard_of("acme");
    assert_eq!((serving.state().clock)(shard).origin, None);
    let is_told = |told: &Value| told["data"]["reason"] == "shift_ended";
    let told = await_decisions(&serving, |told| told.iter().any(is_told));
    assert_eq!(expansions(&told), ["calendar/1/2026-11-23T23:00:00.000Z/office"]);
    assert_eq!(count(&told, "queue.changed"), 1);
    assert!(!is_open(&serving), "ready means with its hours");
    let off_shift = told.iter().rfind(|told| told["type"] == "strowger.agent.changed").unwrap();
    assert_eq!(off_shift["data"]["reason"], "shift_ended");
    serving.stop().unwrap();

    let serving = folder.start(Some(scaled));
    assert_eq!(decisions(&serving), told, "a restart finds it right");
    serving.stop().unwrap();

    // The same hours in another version: nothing to be said.
    folder.write(&file_with_hours(2, "mon,tue,wed,thu,fri 09:00-18:00"));
    let serving = folder.start(Some(scaled));
    assert_eq!(expansions(&decisions(&serving)).len(), 1);
    serving.stop().unwrap();

    folder.write(&file_with_hours(3, "mon-fri 09:00-23:00"));
    let serving = folder.start(Some(scaled));
    let told = decisions(&serving);
    assert_eq!(expansions(&told)[1..], ["calendar/3/2026-11-23T23:00:00.000Z/office"]);
    assert!(is_open(&serving));

    // And one that comes by event.
    let policy = json!({
        "version": 4, "test": true, "queue": [{"name": "all", "calendar": "office"}], "rule": [{"queue": "all"}],
        "calendar": [{"name": "office", "zone": "UTC", "open": ["mon-fri 09:00-17:00"]}],
    });
    assert_eq!(outcome(send(&serving, "w", "workspace.configure", policy)).0, Outcome::Decided);
    let told = await_decisions(&serving, |told| expansions(told).len() == 3);
    assert_eq!(expansions(&told)[2], "calendar/4/2026-11-24T00:00:00.000Z/office");
    assert!(!is_open(&serving));
    serving.stop().unwrap();
}

#[test]
fn openings_are_renewed_before_they_end() {
    let folder = Folder::new();
    folder.write(&file_with_hours(1, "mon-sun 00:00-24:00"));
    // A day of its time is less than a second.
    let scaled: Scaled = "scaled=100000,start=2026-11-26T20:00:00Z".parse().unwrap();
    let serving = folder.start(Some(scaled));
    assert_eq!(expansions(&decisions(&serving)).len(), 1);
    send(&serving, "p", "agent.presence", json!({"agent": "ada", "status": "online"}));
    // As if a year had passed: what is known ends soon.
    let short = json!({
        "calendar": "office", "from": "2026-11-25T00:00:00Z", "until": "2027-11-01T00:00:00Z",
        "openings": [["2026-11-25T00:00:00Z", "2027-11-01T00:00:00Z"]],
    });
    assert_eq!(outcome(send(&serving, "short", "calendar.expand", short)).0, Outcome::Recorded);
    let told = await_decisions(&serving, |told| expansions(told).len() > 1);
    let ids = expansions(&told);
    assert_ne!(ids[0], ids[1], "of another day");
    let shard = &serving.state().shards[usize::from(serving.state().ingest.shard_of("acme"))];
    let until = shard.read().replica().workspace("acme").unwrap().openings("office").unwrap().until();
    let year_ms = 365 * 24 * 3_600_000;
    assert!(until > scaled.start + year_ms, "{until}");
    serving.stop().unwrap();
}

#[test]
fn a_connection_whose_other_end_reads_nothing_is_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let closed = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _never_reads = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        gives_up_unread(&stream, Duration::from_millis(300)).unwrap();
        // Both ends' buffers fill, and then nothing goes on any more.
        loop {
            stream.writable().await.unwrap();
            match stream.try_write(&[0; 65_536]) {
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break error,
                _ => {}
            }
        }
    };
    let error = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), closed).await });
    assert_eq!(error.expect("it is closed").kind(), std::io::ErrorKind::TimedOut);
}
