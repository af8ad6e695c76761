//! HTTP: events in NDJSON batches to `POST /v1/events`, decisions from `GET /v1/decisions`.
//!
//! A workspace lives in one shard, so one stream has all its decisions. The run's first event says where in that shard
//! the run begins: the stream is read from the position of its answer on, never from the journal's start.

use crate::replay::decisions::{Decision, Tail, Turn};
use crate::replay::link::{Absence, Incoming, Link, Outgoing, QUEUED_MAX, Sent, Stop};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use ureq::Agent;

/// One request carries at most so many events, and not much more than so many bytes.
const EVENTS_A_REQUEST_MAX: usize = 500;
const BYTES_A_REQUEST_MAX: usize = 512 * 1024;
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// Where the stream of decisions has ended and nothing new was in it, it is asked again after this.
const NOTHING_NEW: Duration = Duration::from_millis(2);

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(REQUEST_MAX)).build().into()
}

/// `GET`, JSON, 200 or an error with the engine's own words.
pub fn get_json(api: &str, path: &str) -> Result<Value> {
    let mut response = agent().get(format!("{api}{path}")).call().with_context(|| format!("cannot reach {api}"))?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().with_context(|| format!("{api}{path}"))?;
    ensure!(status == 200, "{api}{path} answers {status}: {text}");
    serde_json::from_str(&text).with_context(|| format!("{api}{path} answers no JSON"))
}

/// Posts the run's first event and follows its shard from there.
pub fn connect(api: &str, first: &[u8]) -> Result<Link> {
    let url = format!("{api}/v1/events");
    let mut sent = Sent::default();
    let answers = post(&agent(), &url, &[first], &mut sent)?;
    if let Some(refusal) = sent.first_refusal {
        bail!("the engine does not take the run's first event: {refusal}");
    }
    let position = answers.first().map(|answer| &answer["position"]).context("the first event has no answer")?;
    let number = |name: &str| position[name].as_u64().with_context(|| format!("an answer without its {name}"));
    let stop = Stop::default();
    let (outbox, outgoing) = sync_channel(QUEUED_MAX);
    let (incoming, inbox) = sync_channel(QUEUED_MAX);
    let follower = Follower {
        api: api.to_owned(),
        shard: number("shard")?,
        tail: Tail(Some((number("seq")?, u32::try_from(number("idx")?)?))),
        incoming,
        stop: stop.clone(),
    };
    std::thread::Builder::new().name("decisions".to_owned()).spawn(move || follower.run())?;
    let sender = std::thread::Builder::new().name("sender".to_owned()).spawn(move || send(&url, &outgoing))?;
    Ok(Link { outbox, inbox, sender: Some(sender), stop })
}

fn send(url: &str, outgoing: &Receiver<Outgoing>) -> Result<Sent> {
    let agent = agent();
    let mut sent = Sent::default();
    while let Ok(first) = outgoing.recv() {
        let mut bytes = first.json.len();
        let mut events = vec![first];
        while events.len() < EVENTS_A_REQUEST_MAX && bytes < BYTES_A_REQUEST_MAX {
            let Ok(next) = outgoing.try_recv() else { break };
            bytes += next.json.len();
            events.push(next);
        }
        let leaves = Instant::now();
        events.iter().for_each(|event| sent.send_lag.record(event.intended, leaves));
        let lines: Vec<&[u8]> = events.iter().map(|event| &event.json[..]).collect();
        post(&agent, url, &lines, &mut sent)?;
        let answered = Instant::now();
        events.iter().for_each(|event| sent.answer.record(event.intended, answered));
    }
    Ok(sent)
}

/// Posts until the engine has answered every line; from the first one on that it had no room for, again. Sending again
/// is harmless: an event that was taken is a duplicate then. Returns the answers in order.
fn post(agent: &Agent, url: &str, lines: &[&[u8]], sent: &mut Sent) -> Result<Vec<Value>> {
    let mut absence = Absence::default();
    let mut answers: Vec<Value> = Vec::with_capacity(lines.len());
    while answers.len() < lines.len() {
        let body = lines[answers.len()..].join(&b"\n"[..]);
        let request = agent.post(url).header("content-type", "application/x-ndjson");
        let answer = request
            .send(&body[..])
            .and_then(|mut response| Ok((response.status().as_u16(), response.body_mut().read_to_string()?)));
        let (status, text) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                absence.note("the engine cannot be reached", &error)?;
                continue;
            }
        };
        match status {
            200..=299 => {}
            429 | 503 => {
                absence.note("the engine takes no events", &text)?;
                continue;
            }
            _ => bail!("{url} answers {status}: {text}"),
        }
        let before = answers.len();
        let parsed = text.lines().map(serde_json::from_str::<Value>).take(lines.len() - before);
        for answer in parsed {
            let answer = answer.with_context(|| format!("{url} answers what is no JSON"))?;
            if matches!(status_of(&answer), 429 | 503) {
                absence.note("the engine takes no events", &answer)?;
                break;
            }
            if status_of(&answer) >= 400 {
                sent.refuse(1, || answer.to_string());
            }
            answers.push(answer);
        }
        if answers.len() > before {
            absence.over();
        } else if text.trim().is_empty() {
            bail!("{url} answers {status} and nothing more");
        }
    }
    Ok(answers)
}

/// An outcome has none; a problem has the status that it would have alone.
fn status_of(answer: &Value) -> u64 {
    answer["status"].as_u64().unwrap_or(200)
}

/// Reads one shard's decisions in a thread of its own.
struct Follower {
    api: String,
    shard: u64,
    tail: Tail,
    incoming: SyncSender<Incoming>,
    stop: Stop,
}

impl Follower {
    fn run(mut self) {
        let agent = agent();
        let mut absence = Absence::default();
        while !self.stop.asked() {
            let outcome = match self.read(&agent) {
                Ok(0) => {
                    absence.over();
                    std::thread::sleep(NOTHING_NEW);
                    Ok(())
                }
                Ok(_) => {
                    absence.over();
                    Ok(())
                }
                Err(Broken::Away(error)) => absence.note("the decisions cannot be read", &error),
                Err(Broken::Wrong(error)) => Err(error),
                Err(Broken::Unwanted) => return,
            };
            if let Err(error) = outcome {
                let _ = self.incoming.send(Incoming::Failed(error));
                return;
            }
        }
    }

    /// One response to its end, or until it breaks off. Returns how many new decisions were in it.
    fn read(&mut self, agent: &Agent) -> Result<u64, Broken> {
        let (seq, idx) = self.tail.0.unwrap_or_default();
        let url = format!("{}/v1/decisions?shard={}&after={seq}.{idx}", self.api, self.shard);
        let mut response = agent.get(&url).call().map_err(|error| Broken::Away(error.into()))?;
        let status = response.status().as_u16();
        if status == 503 || status == 429 {
            return Err(Broken::Away(anyhow::anyhow!("{url} answers {status}")));
        }
        if status != 200 {
            let text = response.body_mut().read_to_string().unwrap_or_default();
            return Err(Broken::Wrong(anyhow::anyhow!("{url} answers {status}: {text}")));
        }
        let mut reader = BufReader::new(response.body_mut().as_reader());
        let mut line = Vec::new();
        let mut count = 0;
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(count),
                // A line without its end: the answer broke off in it.
                Ok(_) if line.last() != Some(&b'\n') => return Ok(count),
                Ok(_) => count += self.line(&line)?,
                // The stream stays open where nothing happens until the request's time is over: asked again.
                Err(_) if count > 0 || !self.stop.asked() => return Ok(count),
                Err(_) => return Err(Broken::Unwanted),
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<u64, Broken> {
        if line.trim_ascii().is_empty() {
            return Ok(0);
        }
        let received = Instant::now();
        let decision = Decision::parse(line).context("a decision that cannot be read").map_err(Broken::Wrong)?;
        let turn = self.tail.take(&decision);
        if turn == Turn::Repeat {
            return Ok(0);
        }
        if turn == Turn::Gap {
            self.incoming.send(Incoming::Missed).map_err(|_| Broken::Unwanted)?;
        }
        let incoming = Incoming::Decision { received, decision: Box::new(decision) };
        self.incoming.send(incoming).map_err(|_| Broken::Unwanted)?;
        Ok(1)
    }
}

enum Broken {
    /// It may come back.
    Away(anyhow::Error),
    Wrong(anyhow::Error),
    /// Nobody listens any more.
    Unwanted,
}
