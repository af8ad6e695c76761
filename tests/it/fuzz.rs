//! Anything at all, for a while: decodable events on any state, bytes at the codec, bytes at the HTTP edge. Nothing may
//! panic, break a promise or grow.
//!
//! A minute of each in every run; `FUZZ_SECONDS=3600 cargo test --test it fuzz -- --nocapture` goes on for an hour. What
//! fails names its round: `FUZZ_SEED=n` plays that one again. How many executions there were is printed at the end.

use crate::node::Node;
use connectors::codec::{self, Decoder};
use engine::id::HashKey;
use engine::input::{EventType, Input};
use engine::wire::{Reader, Wire};
use engine::{Engine, Limits, Output};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

const KEY: HashKey = HashKey(11);
const START_MS: u64 = 1_764_000_000_000;
/// Events of one history of the engine.
const EVENTS: usize = 400;
/// Ticks of one instant: what is due so often is never done.
const TICKS_MAX: usize = 20_000;
/// What an input may come to beside the bytes it was read from: ids have hashes, a configuration its defaults.
const GROWTH: usize = 8;
const GROWTH_BYTES: usize = 16 * 1024;
/// What a server may keep of what it was sent: its journal's pages, views and memory of what was accepted.
const RESIDENT_GROWTH_KIB: u64 = 96 * 1024;

/// Rounds until the time is over, or the one that is asked for.
fn rounds(mut round: impl FnMut(u64) -> u64) -> (u64, Duration) {
    let asked: Option<u64> = std::env::var("FUZZ_SEED").ok().map(|seed| seed.parse().expect("FUZZ_SEED is a number"));
    let seconds = std::env::var("FUZZ_SECONDS").map_or(60, |s| s.parse().expect("FUZZ_SECONDS is a number"));
    let (started, time) = (Instant::now(), Duration::from_secs(seconds));
    if let Some(seed) = asked {
        return (round(seed), started.elapsed());
    }
    let mut executions = 0;
    let mut seed = 0;
    while started.elapsed() < time {
        executions += round(seed);
        seed += 1;
    }
    (executions, started.elapsed())
}

#[test]
fn fuzz_any_decodable_event_on_any_state_breaks_nothing() {
    let mut decoded = 0;
    let (executions, time) = rounds(|seed| {
        let mut history = History::new(seed);
        let played = catch_unwind(AssertUnwindSafe(|| history.play()));
        if let Err(panic) = played {
            let what = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
            panic!("FUZZ_SEED={seed}: after {} events, at {}: {what}", history.steps, history.last);
        }
        decoded += history.steps;
        EVENTS as u64
    });
    println!("fuzz: {executions} events, {decoded} of them decodable, in {time:.0?}");
    assert!(decoded * 4 > executions, "of {executions} events only {decoded} were any");
}

/// A contact center to which anything happens.
struct History {
    draw: Draw,
    decoder: Decoder,
    engine: Engine,
    replica: Engine,
    out: Output,
    now: u64,
    steps: u64,
    last: String,
}

impl History {
    fn new(seed: u64) -> History {
        let mut engine = Engine::new(KEY);
        let mut out = Output::default();
        out.begin(1);
        engine.set_limits(Limits { idempotency_window_ms: 3_600_000, idempotency_max: 64 }, START_MS, &mut out);
        let (draw, decoder, replica) = (Draw::new(seed), Decoder::new(KEY), Engine::new(KEY));
        History { draw, decoder, engine, replica, out, now: START_MS, steps: 0, last: String::new() }
    }

    fn play(&mut self) {
        let policy = self.draw.policy(1);
        self.step(&policy);
        for n in 0..EVENTS {
            self.now += self.draw.pause_ms();
            let event = self.draw.event(n, self.now);
            self.step(&event);
            if n % 16 == 0 {
                self.seal();
            }
        }
        self.seal();
        assert_eq!(self.engine.digest(), self.engine.digest_in_full(), "the digest is not that of the rows");
    }

    fn step(&mut self, event: &Value) {
        self.last = event.to_string();
        let Ok(input) = self.decoder.decode(self.last.as_bytes()) else { return };
        self.steps += 1;
        self.settle();
        self.engine.step(&input, self.now, &mut self.out);
        self.settle();
        if let Some(sentence) = self.engine.broken_promise() {
            panic!("{sentence}");
        }
    }

    fn settle(&mut self) {
        let mut ticks = 0;
        while self.engine.wants_tick_at().is_some_and(|at| at <= self.now) {
            self.engine.tick(self.now, &mut self.out);
            ticks += 1;
            assert!(ticks < TICKS_MAX, "it never comes to rest");
        }
    }

    /// A record ends: a state that only knows its effects is the same.
    fn seal(&mut self) {
        let digest = self.engine.seal();
        let told = codec::decisions(&self.out.decisions).expect("what is told can be read");
        assert_eq!(told.len(), self.out.decision_count as usize);
        assert_eq!(self.replica.apply(self.out.seq, &self.out.effects), Ok(digest), "effects give another state");
        self.out.begin(self.out.seq + 1);
    }
}

/// What is drawn from a seed.
struct Draw(ChaCha8Rng);

impl Draw {
    fn new(seed: u64) -> Draw {
        Draw(ChaCha8Rng::seed_from_u64(seed))
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.choose(&mut self.0).expect("there is something to choose from")
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    fn pause_ms(&mut self) -> u64 {
        match self.0.random_range(0..10) {
            0..4 => 0,
            4..7 => self.0.random_range(0..2_000),
            7..9 => self.0.random_range(0..90_000),
            _ => self.0.random_range(0..400_000_000),
        }
    }

    /// An event of any type with the members of its own, some of them changed, left out or another type's.
    fn event(&mut self, n: usize, now: u64) -> Value {
        let event_type = *self.one(EventType::ALL);
        if event_type == EventType::WorkspaceConfigure && self.chance(70) {
            return self.policy(n as u64 + 2);
        }
        let Value::Object(mut data) = codec::example(event_type) else { unreachable!("data is an object") };
        if self.chance(20) {
            let other = *self.one(EventType::ALL);
            let Value::Object(more) = codec::example(other) else { unreachable!("data is an object") };
            data.extend(more);
        }
        let members: Vec<String> = data.keys().cloned().collect();
        for member in members {
            // Who is named most often decides most.
            let stays = matches!(&*member, "conversation" | "agent" | "actor" | "channel");
            if self.chance(if stays { 4 } else { 45 }) {
                data.remove(&member);
                continue;
            }
            let changed = self.member(&member, &data[&member], now);
            data.insert(member, changed);
        }
        self.envelope(&format!("e{n}"), event_type, data, now)
    }

    fn envelope(&mut self, id: &str, event_type: EventType, data: Map<String, Value>, now: u64) -> Value {
        let workspace = if self.chance(98) { "acme" } else { "other" };
        let mut event = json!({
            "specversion": "1.0", "id": id, "source": *self.one(&["desk", "gateway", "bot"]),
            "type": event_type.word(), "workspace": workspace, "data": data,
        });
        if self.chance(60) {
            let back = *self.one(&[0, 1, 500, 60_000, 3_600_000, 90_000_000, 900_000_000_000]);
            event["time"] = json!(codec::timestamp(now.saturating_sub(back)));
        }
        event
    }

    fn member(&mut self, name: &str, value: &Value, now: u64) -> Value {
        if self.chance(2) {
            return self
                .one(&[Value::Null, json!(-1), json!(""), json!([]), json!({}), json!(1e300), json!(true)])
                .clone();
        }
        match name {
            "conversation" | "other" | "survivor" => json!(format!("c{}", self.0.random_range(0..6))),
            "agent" | "successor" => json!(self.agent()),
            "account_owner" => json!(self.agent()),
            "actor" => {
                let kind = *self.one(&["customer", "agent", "agent", "bot", "supervisor", "system"]);
                let id = if kind == "agent" { self.agent() } else { format!("cu{}", self.0.random_range(0..4)) };
                json!({ "kind": kind, "id": id })
            }
            "customer" => {
                let mut customer = json!({ "id": format!("cu{}", self.0.random_range(0..4)) });
                if self.chance(40) {
                    customer["tier"] = json!(self.one(&["vip", "gold", "nothing"]));
                }
                customer
            }
            "channel" => json!(self.one(&["voice", "chat", "email", "whatsapp", "fax"])),
            "entry" => json!(self.one(&["desk", "robot", "+49"])),
            "queue" | "fallback" => json!(self.one(&["main", "second", "third"])),
            "offer" => json!(self.0.random_range(0..40).to_string()),
            "sequence" | "expected_epoch" | "level" | "priority" | "units" | "score" | "max" => {
                json!(*self.one(&[0u64, 1, 1, 2, 3, 5, 9, u64::from(u32::MAX), u64::MAX]))
            }
            "expires_in_s" | "wait_s" => json!(*self.one(&[0.0, 0.001, 1.0, 20.0, 90.0, 1e9])),
            "status" => json!(self.one(&["online", "online", "away", "offline", "pending_away", "failed", "read"])),
            "state" => json!(self.one(&["open", "closed", "emergency"])),
            "until" => {
                let ahead = *self.one(&[0u64, 1, 5_000, 60_000, 86_400_000, 34_560_000_000]);
                json!(codec::timestamp(now + ahead))
            }
            "from" => json!(codec::timestamp(now.saturating_sub(3_600_000))),
            "openings" => {
                let starts: Vec<u64> =
                    (0..self.0.random_range(0..4)).map(|_| self.0.random_range(0..600_000)).collect();
                let opening = |at: &u64| [now + at, now + at + 30_000].map(codec::timestamp);
                json!(starts.iter().map(opening).collect::<Vec<_>>())
            }
            "calendar" => json!(self.one(&["office", "night", "none"])),
            "to" => match self.0.random_range(0..3) {
                0 => json!({ "agent": self.agent() }),
                1 => json!({ "queue": self.one(&["main", "second", "third"]) }),
                _ => json!({ "skills": { "german": 3 } }),
            },
            "skills" => json!({ *self.one(&["german", "loans", "rare"]): self.0.random_range(0..12) }),
            "open_contacts" => json!([format!("c{}", self.0.random_range(0..6))]),
            "mentions" => json!([self.agent()]),
            "drain" | "blocked" | "warm" => json!(self.chance(50)),
            _ => value.clone(),
        }
    }

    fn agent(&mut self) -> String {
        (*self.one(&["anna", "bert", "cleo", "nobody"])).to_string()
    }

    /// A policy with much in play.
    fn policy(&mut self, version: u64) -> Value {
        let mut queues = Vec::new();
        for name in ["main", "second"] {
            let strategy =
                *self.one(&["longest_idle", "weighted_round_robin", "least_loaded", "most_skilled", "manual"]);
            let mut queue = json!({ "name": name, "strategy": strategy });
            let choices = [
                ("accept_s", json!(*self.one(&[5, 20]))),
                ("max_waiting", json!(self.0.random_range(1..5))),
                ("max_wait_s", json!(*self.one(&[1, 30, 600]))),
                ("preferred_s", json!(15)),
                ("skills", json!({ "german": 3 })),
                ("calendar", json!(*self.one(&["office", "night"]))),
                ("drain_after_close_s", json!(10)),
                ("on_closed", json!({ "then": "park" })),
                ("on_full", json!({ "then": "queue", "queue": if name == "main" { "second" } else { "main" } })),
                ("on_max_wait", json!({ "then": "deflect", "reason": "sorry" })),
            ];
            for (key, value) in choices {
                if self.chance(30) {
                    queue[key] = value;
                }
            }
            queues.push(queue);
        }
        let mut clocks = Vec::new();
        for kind in ["first_response", "next_response", "resolution", "queue_wait", "reply_window"] {
            if self.chance(60) {
                let target = *self.one(&[1.0, 0.05, 20.0, 3_600.0]);
                let mut clock = json!({ "kind": kind, "target_s": target, "warn_percent": [50, 90] });
                if self.chance(50) {
                    let reassign = self.chance(50);
                    clock["level"] = json!([
                        { "percent": 75, "priority": 5, "relax": true, "notify": ["anna"] },
                        { "percent": 150, "reassign": reassign, "queue": "second" },
                    ]);
                }
                if self.chance(30) {
                    clock["pause_on"] = json!(["theirs", "snoozed", "parked"]);
                }
                clocks.push(clock);
            }
        }
        let calendars = json!([
            { "name": "office", "zone": "Europe/Berlin", "open": ["mon-fri 09:00-18:00"] },
            { "name": "night", "zone": "UTC", "open": ["mon-sun 22:00-06:00"] },
        ]);
        let mut data = json!({
            "version": version, "queue": queues, "rule": [{ "queue": "main" }], "calendar": calendars, "clock": clocks,
            "tier": { "vip": { "head_start_s": 60 } }, "entry": { "robot": { "queue": "main", "bot": true } },
            "channel": { "fax": { "live": false }, "whatsapp": { "live": false, "close_after_s": 40, "owner_silent_s": 20 } },
        });
        if self.chance(30) {
            data["reopen_window_s"] = json!(30);
        }
        let Value::Object(data) = data else { unreachable!("it was made as one") };
        self.envelope(&format!("policy{version}"), EventType::WorkspaceConfigure, data, START_MS)
    }
}

#[test]
fn fuzz_any_bytes_at_the_codec_are_judged_and_grow_to_nothing() {
    let decoder = Decoder::new(KEY);
    let mut taken = 0u64;
    let (executions, time) = rounds(|seed| {
        let mut draw = Draw::new(seed);
        for n in 0..EVENTS {
            let bytes = draw.bytes(n);
            let judged = catch_unwind(AssertUnwindSafe(|| decoder.decode(&bytes)));
            let judged = judged.unwrap_or_else(|_| panic!("FUZZ_SEED={seed}: {:?}", String::from_utf8_lossy(&bytes)));
            if let Ok(input) = judged {
                taken += 1;
                check_size(&input, bytes.len(), seed);
            }
        }
        EVENTS as u64
    });
    println!("fuzz: {executions} bodies, {taken} of them events, in {time:.0?}");
    assert!(taken > 0, "nothing that was drawn was an event");
}

/// An input is not much more than the bytes it was read from, and is read again from its own.
fn check_size(input: &Input, read: usize, seed: u64) {
    let mut recorded = Vec::new();
    input.put(&mut recorded);
    let most = read * GROWTH + GROWTH_BYTES;
    assert!(recorded.len() <= most, "FUZZ_SEED={seed}: {read} bytes became {}", recorded.len());
    let again = Input::take(&mut Reader::new(&recorded)).expect("what was recorded is read");
    assert_eq!(again, *input, "FUZZ_SEED={seed}");
}

impl Draw {
    /// An event with some of its bytes changed.
    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = self.event(n, START_MS).to_string().into_bytes();
        for _ in 0..self.0.random_range(0..4) {
            let at = self.0.random_range(0..=bytes.len());
            let end = (at + self.0.random_range(0..20)).min(bytes.len());
            match self.0.random_range(0..6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.0.random_range(0..8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.0.random_range(0..=bytes.len());
                    bytes.splice(to..to, piece);
                }
                3 => {
                    let token =
                        *self.one(&["\"", "{", "[", "}", "]", ":", ",", "\\u0000", "null", "1e999", "\u{fffd}"]);
                    bytes.splice(at..at, token.bytes());
                }
                4 => {
                    let deep = self.0.random_range(1..200);
                    bytes.splice(at..at, std::iter::repeat_n(b'[', deep));
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    }

    /// A request that is nearly one.
    fn request(&mut self, n: usize) -> Vec<u8> {
        let body = match self.0.random_range(0..4) {
            0 => Vec::new(),
            1 => (0..self.0.random_range(0..200)).map(|_| self.0.random()).collect(),
            _ => self.bytes(n),
        };
        let method = *self.one(&["GET", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "\u{7f}"]);
        let path = *self.one(&[
            "/v1/events",
            "/v1/events",
            "/v1/events",
            "/v1/decisions?shard=0&follow=false",
            "/v1/decisions?shard=999999999999&after=1.x",
            "/v1/decisions?shard=1&after=18446744073709551615.4294967295&follow=false",
            "/v1/workspaces/acme/conversations/%00%ff%2e%2e%2f",
            "/v1/workspaces/acme/queues?from=2026-13-45&to=x",
            "/v1/workspaces/acme/agents",
            "/v1/clock",
            "/metrics",
            "/readyz",
            "/%",
            "//",
            "*",
        ]);
        let content_type = *self.one(&[
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/x-ndjson",
            "text/plain; charset=\"",
            "",
        ]);
        let length = match self.0.random_range(0..10) {
            0 => "99999999999999999999".to_string(),
            1 => "-1".to_string(),
            2 => (body.len() + 1_000).to_string(),
            _ => body.len().to_string(),
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n");
        match self.0.random_range(0..10) {
            0 => request += "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            1 => request += &format!("x: {}\r\n\r\n", "y".repeat(70_000)),
            _ => request += &format!("content-length: {length}\r\nconnection: close\r\n\r\n"),
        }
        let mut bytes = request.into_bytes();
        bytes.extend(body);
        if self.chance(20) {
            let at = self.0.random_range(0..bytes.len());
            bytes[at] = self.0.random();
        }
        bytes
    }
}

#[test]
fn fuzz_any_bytes_at_the_http_edge_leave_the_server_as_it_was() {
    let mut node = Node::embedded("fuzz-http");
    let policy = Draw::new(0).policy(1);
    node.send(&policy);
    let before = node.resident_kib();
    let mut answered = 0u64;
    let (executions, time) = rounds(|seed| {
        let mut draw = Draw::new(seed);
        for n in 0..50 {
            answered += u64::from(node.is_answered(&draw.request(n)));
        }
        50
    });
    let grown = node.resident_kib().saturating_sub(before);
    println!("fuzz: {executions} requests, {answered} of them answered, in {time:.0?}; {grown} KiB more resident");
    assert!(answered > 0, "no request was answered");
    assert_eq!(node.get("/livez").status, 200);
    assert!(!node.log().contains("panicked"), "{}", node.log());
    assert!(grown < RESIDENT_GROWTH_KIB, "the server has grown by {grown} KiB");
    assert!(node.terminate().success(), "it did not end well:\n{}", node.log());
}

impl Node {
    /// Sends bytes on a connection of their own. Whether anything came back before it was closed or went quiet.
    fn is_answered(&self, bytes: &[u8]) -> bool {
        let address = self.url("").trim_start_matches("http://").to_string();
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let mut answer = [0; 1_024];
        // A server that refuses may close before all is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        matches!(stream.read(&mut answer), Ok(n) if n > 0)
    }
}
