//! The loop of a replay: sends what is due, takes decisions in, and in the end leaves the engine as it found it.
//!
//! One thread. Everything that waits for a network stands behind the link's channels. It ends when no line, end of work
//! or leaving lies ahead and every event that was sent has its decision, at Ctrl-C, or when decisions stay out for too
//! long.

use crate::player::{Act, Deed, Planned, Player, Stage};
use crate::progress;
use crate::replay::clock::Clock;
use crate::replay::decisions::Decision;
use crate::replay::events::{Event, Events};
use crate::replay::latency::{Latencies, Latency};
use crate::replay::link::{Incoming, Link, Outgoing};
use anyhow::{Context, Result, bail, ensure};
use engine::decision::DecisionType;
use engine::input::Status;
use indicatif::ProgressBar;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// With nothing ahead, a decision that is still out after this long will not come.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The loop looks at Ctrl-C at least so often.
const NAP_MAX: Duration = Duration::from_millis(50);
/// Decisions taken in before the loop looks again at what is due.
const DECISIONS_A_TURN: usize = 256;
/// Where there is no terminal, a plain line says so often how far the run is.
const WORD_EVERY: Duration = Duration::from_secs(30);

pub struct Session<'w> {
    pub player: Player<'w>,
    pub clock: Clock,
    speed: f64,
    events: Events,
    link: Link,
    /// Sent events that no decision has named yet, with their intended instants.
    pub pending: HashMap<Box<str>, Instant>,
    /// The event whose decisions are coming in: they stand together.
    last_cause: Option<(Box<str>, Instant)>,
    /// Calls about which something was due before the decision that brings it about was received: it is due at its receipt.
    late: HashMap<u32, Instant>,
    decision: Latency,
    end_to_end: Latency,
    missed: u64,
    /// Events of the workload and of what follows from it.
    pub sent: u64,
    last_received: Instant,
    pub interrupted: bool,
    first_intended: Option<Instant>,
    last_intended: Option<Instant>,
    bar: ProgressBar,
    last_word: Instant,
}

/// What the end brings.
pub struct Ended {
    pub latencies: Latencies,
    pub missed: u64,
    /// Why the run is not to be trusted, or the engine not left as it was found.
    pub fault: Option<String>,
}

impl<'w> Session<'w> {
    pub fn new(player: Player<'w>, clock: Clock, speed: f64, events: Events, link: Link) -> Session<'w> {
        let lines = player.workload().lines.len() as u64;
        let now = Instant::now();
        Session {
            player,
            clock,
            speed,
            events,
            link,
            pending: HashMap::new(),
            last_cause: None,
            late: HashMap::new(),
            decision: Latency::default(),
            end_to_end: Latency::default(),
            missed: 0,
            sent: 0,
            last_received: now,
            interrupted: false,
            first_intended: None,
            last_intended: None,
            bar: progress::bar(lines, "replaying"),
            last_word: now,
        }
    }

    /// Real seconds between the first and the last intended instant.
    pub fn planned_s(&self) -> f64 {
        match (self.first_intended, self.last_intended) {
            (Some(first), Some(last)) => last.saturating_duration_since(first).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// `first`: the run's first event where it is not sent yet.
    pub fn play(&mut self, first: Option<Event>, interrupt: &AtomicBool) -> Result<()> {
        self.start_clock(first)?;
        loop {
            if interrupt.load(Ordering::Relaxed) {
                self.interrupted = true;
                break;
            }
            let next = self.send_due()?;
            if next.is_none() && self.settled()? {
                break;
            }
            let nap = next.map_or(NAP_MAX, |at| at.saturating_duration_since(Instant::now()).min(NAP_MAX));
            self.receive(nap)?;
            self.show();
        }
        self.bar.finish_and_clear();
        Ok(())
    }

    /// A clock that stands starts with the run's first event, which was sent when the link was made or is sent here.
    fn start_clock(&mut self, first: Option<Event>) -> Result<()> {
        if let Some(event) = first {
            self.send(event, Instant::now())?;
        }
        let deadline = Instant::now() + SILENCE_MAX;
        while self.clock.standing {
            ensure!(Instant::now() < deadline, "the engine's clock did not start with the first event");
            self.receive(Duration::from_millis(5))?;
            self.clock.read()?;
        }
        Ok(())
    }

    /// Sends all that is due. Returns when the next is.
    fn send_due(&mut self) -> Result<Option<Instant>> {
        loop {
            let Some(at) = self.player.next_due() else { return Ok(None) };
            let due = self.clock.wall_of(at);
            if due > Instant::now() {
                return Ok(Some(due));
            }
            let act = self.player.take_due(at).context("a deed that was due is gone")?;
            let intended = self.intended(&act, due);
            let event = self.events.of(&act, &self.player);
            self.first_intended.get_or_insert(intended);
            self.last_intended = Some(self.last_intended.map_or(intended, |last| last.max(intended)));
            self.send(event, intended)?;
        }
    }

    /// The intended instant: the due one, or where the player could not know of it before, when it learned.
    fn intended(&mut self, act: &Act, due: Instant) -> Instant {
        match act.deed {
            Deed::Call { call, .. } => self.late.remove(&call).map_or(due, |received| received.max(due)),
            _ => due,
        }
    }

    fn send(&mut self, event: Event, intended: Instant) -> Result<()> {
        self.pending.insert(event.id.into_boxed_str(), intended);
        self.sent += 1;
        let outgoing = Outgoing { json: event.json, intended };
        if self.link.outbox.send(outgoing).is_err() {
            return Err(self.sender_fault());
        }
        Ok(())
    }

    /// Waits at most `nap` for a decision, then takes in what is there.
    fn receive(&mut self, nap: Duration) -> Result<()> {
        let mut next = match self.link.inbox.recv_timeout(nap) {
            Ok(incoming) => Some(incoming),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => bail!("nobody reads decisions any more"),
        };
        let mut taken = 0;
        while let Some(incoming) = next {
            match incoming {
                Incoming::Decision { received, decision } => self.take(received, &decision),
                Incoming::Missed => self.missed += 1,
                Incoming::Failed(error) => return Err(error),
            }
            taken += 1;
            next = if taken < DECISIONS_A_TURN { self.link.inbox.try_recv().ok() } else { None };
        }
        Ok(())
    }

    fn take(&mut self, received: Instant, decision: &Decision) {
        self.last_received = received;
        let named_before = self.last_cause.as_ref().is_some_and(|(id, _)| *id == decision.cause_id);
        if !named_before && let Some((id, intended)) = self.pending.remove_entry(&decision.cause_id) {
            self.decision.record(intended, received);
            self.last_cause = Some((id, intended));
        }
        let planned = self.player.see(&decision.seen());
        let cause = self.last_cause.as_ref().filter(|(id, _)| *id == decision.cause_id);
        if let (DecisionType::ConversationAssigned, Some((_, intended))) = (decision.decision_type, cause) {
            self.end_to_end.record(*intended, received);
        }
        // Where the leaving crosses, the engine ends the call itself when it comes to it: the order in the log counts.
        if let Some(Planned { call, at }) = planned
            && self.clock.wall_of(at) < received
        {
            self.late.insert(call, received);
        }
    }

    /// Nothing lies ahead: is everything that was sent decided?
    fn settled(&mut self) -> Result<bool> {
        if self.pending.is_empty() && !self.player.awaits_offers() {
            return Ok(true);
        }
        if self.link.sender.as_ref().is_none_or(|sender| sender.is_finished()) {
            return Err(self.sender_fault());
        }
        let newest = self.last_intended.map_or(self.last_received, |last| last.max(self.last_received));
        Ok(newest.elapsed() > SILENCE_MAX)
    }

    fn show(&mut self) {
        self.bar.set_position(self.player.lines_played() as u64);
        if self.bar.is_hidden() && self.last_word.elapsed() > WORD_EVERY {
            self.last_word = Instant::now();
            let time = connectors::codec::timestamp(self.clock.engine_at(self.last_word));
            let (played, all) = (self.player.lines_played(), self.player.workload().lines.len());
            eprintln!("{time} of the engine: {played} of {all} lines played at {} times", self.speed);
        }
    }

    /// The sender ends before its outbox is closed only by a fault.
    fn sender_fault(&mut self) -> anyhow::Error {
        self.link.sent().err().unwrap_or_else(|| anyhow::anyhow!("the sender has ended before its time"))
    }

    /// Ends what this run opened and signs its agents off, then waits for the last answers. The figures are made before,
    /// so a fault on the way is told beside them.
    pub fn close(mut self) -> Ended {
        let mut latencies = Latencies {
            decision: self.decision.quantiles(),
            end_to_end: self.end_to_end.quantiles(),
            ..Latencies::default()
        };
        let closed = self.send_closing();
        self.link.stop.ask();
        // In place of the outbox one that nobody reads: the sender sees the end of its own.
        self.link.outbox = sync_channel(1).0;
        let sent = closed.and_then(|()| self.link.sent());
        let fault = match sent {
            Ok(sent) => {
                (latencies.send_lag, latencies.answer) = (sent.send_lag.quantiles(), sent.answer.quantiles());
                sent.first_refusal.map(|first| format!("{} events were not taken; the first: {first}", sent.refused))
            }
            Err(error) => Some(format!("{error:#}")),
        };
        Ended { latencies, missed: self.missed, fault }
    }

    fn send_closing(&mut self) -> Result<()> {
        let now = Instant::now();
        let at = self.clock.engine_at(now);
        for call in 0..self.player.calls.len() as u32 {
            let event = match self.player.calls[call as usize].stage {
                Stage::Waiting | Stage::InBot => self.events.send_away(&self.player, call, at),
                Stage::Working => self.events.cut_short(&self.player, call, at),
                _ => continue,
            };
            self.send(event, now)?;
        }
        for number in 0..self.player.agents.len() {
            if self.player.agents[number].sent.is_some_and(|status| status != Status::Offline) {
                let agent = self.player.agent_names.text(number as u32).to_owned();
                let event = self.events.status(&agent, Status::Offline, at);
                self.send(event, now)?;
            }
        }
        let deadline = Instant::now() + SILENCE_MAX;
        while !self.pending.is_empty() && Instant::now() < deadline {
            self.receive(NAP_MAX)?;
        }
        Ok(())
    }
}
