//! The whole pipeline against the same with a null core (`performance.md` T10): what deciding adds to moving.
//!
//! A source thread feeds decoded events at a steady rate through the ring; the shard's thread decides a batch, makes a
//! record of it (header, sections, CRC32C, BLAKE3 chain) and has the fold judge it as at an ack. The null core does the
//! same with sections of the same size that nobody decided. The journal is memory: a disk would be all that is seen.
//! Latency runs from an event's intended instant to the commit. Both run in turn, several times; the ratio of their
//! medians within one run is the result.

#[path = "../tests/it/histories/events.rs"]
#[allow(dead_code)]
mod events;

use connectors::journal::record::{self, Claim, Header};
use connectors::journal::{Fold, Kind, Verdict};
use engine::decision::Position;
use engine::input::{ActorKind, By, Contact, Input, Status};
use engine::policy::Strategy;
use engine::{Engine, Output};
use events::Sender;
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use strowger::ring::{Exit, ITEMS_MAX, ring, sleeper};

const AGENTS: usize = 1_000;
const UNITS: u32 = 10;
const REPETITIONS: usize = 5;
const NOW_MS: u64 = 1_700_000_000_000;
/// Events a second: one that a laptop's two busy cores can hold, and T10's. `STROWGER_BENCH_RATE` asks for another. Above
/// what the engine can do the queue grows, and the latencies are those of the queue.
const RATES: [u64; 2] = [100_000, 500_000];
const EVENTS: usize = 400_000;

/// An event and when it is due, ns after the start.
struct Due {
    input: Input,
    due_ns: u64,
}

enum Core {
    Engine(Box<Engine>),
    /// Bytes of effects and decisions for each event, as the engine makes on the average.
    Null {
        effects: Vec<u8>,
        decisions: Vec<u8>,
    },
}

impl Core {
    fn decide(&mut self, input: &Input, out: &mut Output) {
        match self {
            Core::Engine(engine) => {
                while engine.wants_tick_at().is_some_and(|at| at <= NOW_MS) {
                    engine.tick(NOW_MS, out);
                }
                engine.step(input, NOW_MS, out);
            }
            Core::Null { effects, decisions } => {
                out.effects.extend_from_slice(effects);
                out.decisions.extend_from_slice(decisions);
            }
        }
    }

    fn seal(&mut self) -> u128 {
        match self {
            Core::Engine(engine) => engine.seal(),
            Core::Null { .. } => 0,
        }
    }
}

/// Agents at work and conversations with them; then the mix of `performance.md`: eight messages in ten, one
/// conversation that begins, one that ends.
fn history(sender: &mut Sender) -> (Vec<Input>, Vec<Input>) {
    let mut before = vec![sender.configure(events::plain_policy(Strategy::LongestIdle), None)];
    for agent in 0..AGENTS {
        let agent = format!("agent{agent}");
        before.push(sender.agent(&agent, events::agent_config(Some(UNITS), 1, &[])));
        before.push(sender.presence(&agent, Status::Online, By::Agent));
    }
    let mut open = VecDeque::new();
    let mut begun = 0;
    let mut begins = |sender: &mut Sender, open: &mut VecDeque<String>| {
        begun += 1;
        open.push_back(format!("c{begun}"));
        let contact = contact(sender, open.back().expect("it was just put there"));
        sender.started(contact)
    };
    for _ in 0..AGENTS * UNITS as usize * 9 / 10 {
        before.push(begins(sender, &mut open));
    }
    let mut inputs = Vec::with_capacity(EVENTS);
    for event in 0..EVENTS {
        inputs.push(match event % 10 {
            0 => begins(sender, &mut open),
            5 => {
                let conversation = open.pop_front().expect("as many begin as end");
                let input = sender.resolve(&conversation, None);
                sender.by(input, ActorKind::System, "bench")
            }
            _ => {
                let conversation = &open[event * 7_919 % open.len()];
                let contact = contact(sender, conversation);
                sender.received(contact, true)
            }
        });
    }
    (before, inputs)
}

fn contact(sender: &Sender, conversation: &str) -> Contact {
    let contact = sender.contact("chat", "+4989100", Some(conversation), None);
    Contact { conversation: Some(sender.id(engine::id::Kind::Conversation, conversation)), ..contact }
}

/// The shard's side: takes batches from the ring, decides, records, judges. Returns the latencies.
fn consume(mut exit: Exit<Due>, mut core: Core, events: usize, started: Instant) -> Histogram<u64> {
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are sound");
    let mut fold = Fold::new(0);
    claim(&mut fold);
    let mut out = Output::default();
    let mut seen = 0;
    while seen < events {
        let Some(mut batch) = exit.pop() else {
            std::hint::spin_loop();
            continue;
        };
        out.begin(fold.seq + 1);
        for due in &batch.items {
            core.decide(&due.input, &mut out);
        }
        let digest = core.seal();
        commit(&mut fold, &out, batch.items.len() as u64, digest);
        let now_ns = started.elapsed().as_nanos() as u64;
        for due in &batch.items {
            latencies.record(now_ns.saturating_sub(due.due_ns).max(1)).expect("within the bounds");
        }
        seen += batch.items.len();
        batch.items.clear();
        exit.give_back(batch);
    }
    latencies
}

fn claim(fold: &mut Fold) {
    let header = header(fold, Kind::Claim, 0, 0);
    let bytes = record::encode(&header, &Claim::default().encode(), b"", b"");
    assert_eq!(fold.read(0, &bytes).expect("it is well made").0, Verdict::Accepted);
}

fn commit(fold: &mut Fold, out: &Output, inputs: u64, digest: u128) {
    let header = header(fold, Kind::Batch, inputs, digest);
    let bytes = record::encode(&header, &out.effects, &out.decisions, b"");
    let verdict = fold.read(fold.pos, &bytes).expect("it is well made").0;
    assert_eq!(verdict, Verdict::Accepted);
}

fn header(fold: &Fold, kind: Kind, inputs: u64, digest: u128) -> Header {
    let claims = kind == Kind::Claim;
    Header {
        kind,
        behind: false,
        shard: 0,
        term: fold.term + u64::from(claims),
        claim_id: [7; 16],
        seq: fold.seq + u64::from(!claims),
        prev_hash: fold.hash,
        from: fold.next_input,
        to: fold.next_input + inputs,
        relay: Position::default(),
        last_decision: fold.last_decision,
        now: NOW_MS,
        digest,
    }
}

/// One run at a steady rate.
fn run(core: Core, inputs: Vec<Input>, rate: u64) -> Histogram<u64> {
    let (_shard_sleeper, shard) = sleeper();
    let (_source_sleeper, source) = sleeper();
    let (mut entrance, exit) = ring::<Due>(shard, source);
    let events = inputs.len();
    let started = Instant::now() + Duration::from_millis(20);
    let consumer = std::thread::spawn(move || consume(exit, core, events, started));
    let due_ns = |at: usize| at as u64 * 1_000_000_000 / rate;
    let mut inputs = inputs.into_iter().enumerate().peekable();
    while inputs.peek().is_some() {
        let now_ns = Instant::now().saturating_duration_since(started).as_nanos() as u64;
        let is_due = |at: usize| due_ns(at) <= now_ns;
        if !inputs.peek().is_some_and(|(at, _)| is_due(*at)) {
            std::hint::spin_loop();
            continue;
        }
        let Some(mut batch) = entrance.take_empty() else { continue };
        while batch.items.len() < ITEMS_MAX {
            let Some((at, input)) = inputs.next_if(|(at, _)| is_due(*at)) else { break };
            batch.items.push(Due { input, due_ns: due_ns(at) });
        }
        entrance.push(batch);
    }
    consumer.join().expect("the consumer ends")
}

/// A new engine with its agents at work, and the bytes that an event costs on the average.
fn prepared(before: &[Input], sender: &Sender) -> Engine {
    let mut engine = Engine::new(sender.key);
    let mut out = Output::default();
    for (at, input) in before.iter().enumerate() {
        out.begin(at as u64 + 1);
        engine.step(input, NOW_MS, &mut out);
        engine.seal();
    }
    engine
}

fn bytes_an_event(before: &[Input], inputs: &[Input], sender: &Sender) -> (usize, usize) {
    let mut engine = prepared(before, sender);
    let mut out = Output::default();
    let (mut effects, mut decisions) = (0, 0);
    for (at, record) in inputs.chunks(ITEMS_MAX).take(200).enumerate() {
        out.begin(before.len() as u64 + at as u64 + 1);
        record.iter().for_each(|input| {
            engine.step(input, NOW_MS, &mut out);
        });
        engine.seal();
        (effects, decisions) = (effects + out.effects.len(), decisions + out.decisions.len());
    }
    let events = inputs.len().min(200 * ITEMS_MAX);
    (effects / events, decisions / events)
}

/// A decision section that can be counted: one item, so many bytes long.
fn filler(bytes: usize) -> Vec<u8> {
    let mut item = Vec::new();
    let body = bytes.saturating_sub(2).max(1);
    engine::wire::put_varint(body as u64, &mut item);
    item.resize(item.len() + body, 0);
    item
}

fn main() {
    let asked = std::env::var("STROWGER_BENCH_RATE").ok().and_then(|rate| rate.parse().ok());
    // Cargo runs benches as tests too: then one short run shows that it works.
    let testing = !std::env::args().any(|arg| arg == "--bench");
    let (events, repetitions) = if testing { (20_000, 1) } else { (EVENTS, REPETITIONS) };
    let mut sender = Sender::new("acme");
    let (before, mut inputs) = history(&mut sender);
    inputs.truncate(events);
    let bytes = bytes_an_event(&before, &inputs, &sender);
    println!("{events} events, {AGENTS} agents; {} bytes of effects and {} of decisions an event", bytes.0, bytes.1);
    for rate in asked.map_or(RATES.to_vec(), |rate| vec![rate]) {
        compare(rate, repetitions, bytes, &before, &inputs, &sender);
    }
}

fn compare(rate: u64, repetitions: usize, bytes: (usize, usize), before: &[Input], inputs: &[Input], sender: &Sender) {
    println!("{rate:>9} events/s {:>20} {:>24} {:>18}", "engine p50 / p99 us", "null p50 / p99 us", "ratio p50 / p99");
    let mut ratios = Vec::new();
    for repetition in 1..=repetitions {
        let null = Core::Null { effects: vec![0; bytes.0], decisions: filler(bytes.1) };
        let null = run(null, inputs.to_vec(), rate);
        let ours = run(Core::Engine(Box::new(prepared(before, sender))), inputs.to_vec(), rate);
        let at = |latencies: &Histogram<u64>, quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        let (p50, p99) = (at(&ours, 0.5) / at(&null, 0.5), at(&ours, 0.99) / at(&null, 0.99));
        println!(
            "{repetition:>9} {:>15.1} / {:>10.1} {:>11.1} / {:>10.1} {p50:>8.2} / {p99:>7.2}",
            at(&ours, 0.5),
            at(&ours, 0.99),
            at(&null, 0.5),
            at(&null, 0.99),
        );
        ratios.push((p50, p99));
    }
    let median = |pick: fn(&(f64, f64)) -> f64| {
        let mut sorted: Vec<f64> = ratios.iter().map(pick).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    println!("median of the ratios: p50 {:.2}, p99 {:.2} (aim: 1.3 and 2)", median(|r| r.0), median(|r| r.1));
}
