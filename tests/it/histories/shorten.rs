//! A failing history made small: moves are left out, in ever smaller runs, and what is left is made plainer, for as long
//! as it still fails. And how it is shown: what differs from plain, with names for hashes.

use super::drawn_policy::{CHANNELS, QUEUES, TIERS};
use super::events::{agent_config, plain_policy, queue, rule};
use super::generator::{Before, LANGUAGES, Move, Restart, Ticks};
use engine::id::{HashKey, Kind};
use engine::input::{Body, Contact};
use engine::policy::{Entry, Policy, Strategy, Tier};
use std::sync::{Mutex, PoisonError};

/// Each plays the history once.
const PLAYS_MAX: usize = 4_000;

/// Fails as before: the failure, or nothing.
type Replay<'a> = &'a dyn Fn(&[Move]) -> Option<String>;

/// The shorter history and how it fails.
pub fn shortened(moves: Vec<Move>, failure: String, replay: Replay<'_>) -> (Vec<Move>, String) {
    // One at a time: the hook is the process's.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut best = Best { moves, failure, plays: 0, replay };
    best.leave_out();
    best.make_plainer();
    best.leave_out();
    std::panic::set_hook(hook);
    (best.moves, best.failure)
}

struct Best<'a> {
    moves: Vec<Move>,
    failure: String,
    plays: usize,
    replay: Replay<'a>,
}

impl Best<'_> {
    fn accepts(&mut self, moves: Vec<Move>) -> bool {
        if self.plays >= PLAYS_MAX {
            return false;
        }
        self.plays += 1;
        match (self.replay)(&moves) {
            Some(failure) if kind(&failure) == kind(&self.failure) => {
                (self.moves, self.failure) = (moves, failure);
                true
            }
            _ => false,
        }
    }

    fn leave_out(&mut self) {
        let mut run = self.moves.len() / 2;
        while run > 0 {
            let mut at = 0;
            while at < self.moves.len() {
                let mut fewer = self.moves.clone();
                fewer.drain(at..(at + run).min(self.moves.len()));
                if !self.accepts(fewer) {
                    at += run;
                }
            }
            run /= 2;
        }
    }

    fn make_plainer(&mut self) {
        for at in 0..self.moves.len() {
            for plainer in plainer_moves(&self.moves[at]) {
                self.replace(at, plainer);
            }
            // One setting after the other, each on what the one before has left.
            for change in 0.. {
                let Some(plainer) = plainer_body(&self.moves[at], change) else { break };
                self.replace(at, plainer);
            }
        }
    }

    fn replace(&mut self, at: usize, plainer: Move) {
        let mut moves = self.moves.clone();
        moves[at] = plainer;
        self.accepts(moves);
    }
}

/// What fails, whoever and whatever it is about.
fn kind(failure: &str) -> String {
    let names = |word: &&str| !word.contains(|c: char| c.is_ascii_digit() || c == '"');
    failure.split_whitespace().filter(names).take(8).collect::<Vec<_>>().join(" ")
}

fn plainer_moves(one: &Move) -> Vec<Move> {
    let all = Move {
        before: Before::AtDeadlines,
        ticks: Ticks::All,
        behind: None,
        seal: true,
        restart: Restart::None,
        ..one.clone()
    };
    let mut timeless = one.clone();
    (timeless.input.time, timeless.input.traceparent) = (None, None);
    vec![
        Move { before: all.before, ..one.clone() },
        Move { ticks: all.ticks, ..one.clone() },
        Move { behind: None, ..one.clone() },
        Move { restart: all.restart, ..one.clone() },
        all,
        timeless,
    ]
}

/// The move with its `change`-th setting back at its default; none where there are no more.
fn plainer_body(one: &Move, change: usize) -> Option<Move> {
    let mut plainer = one.clone();
    match &mut plainer.input.body {
        Body::WorkspaceConfigure { policy, .. } => plainer_policy(policy, change)?,
        Body::AgentConfigure { config, .. } => {
            let plain = agent_config(Some(1), 1, &[]);
            match change {
                0 => config.memberships = plain.memberships,
                1 => config.limits = plain.limits,
                2 => config.channels = plain.channels,
                3 => config.team = plain.team,
                4 => config.seniority = plain.seniority,
                5 => config.skills = plain.skills,
                6 => config.weight = plain.weight,
                7 => config.units = plain.units,
                8 => config.shifts = plain.shifts,
                _ => return None,
            }
        }
        Body::MessageReceived { contact, .. }
        | Body::ContactStarted { contact }
        | Body::ConversationOpen { contact, .. } => plainer_contact(contact, change)?,
        _ => return None,
    }
    Some(plainer)
}

fn plainer_contact(contact: &mut Contact, change: usize) -> Option<()> {
    match change {
        0 => contact.tier = None,
        1 => contact.language = None,
        2 => contact.attributes.clear(),
        3 => contact.skills.clear(),
        4 => contact.conversation = None,
        _ => return None,
    }
    Some(())
}

/// Settings of the whole, then of each channel, of each queue, and its steps.
fn plainer_policy(policy: &mut Policy, change: usize) -> Option<()> {
    let plain = plain_policy(Strategy::LongestIdle);
    let (first, channels, queues) = (policy.queues[0].name.clone(), policy.channels.len(), policy.queues.len());
    const OF_CHANNEL: usize = 9;
    const OF_QUEUE: usize = 20;
    const OF_ALL: usize = 22;
    match change {
        0 => policy.tiers = policy.tiers.iter().map(|tier| Tier { first_ring: None, ..tier.clone() }).collect(),
        1 => policy.tiers.iter_mut().for_each(|tier| tier.class = 0),
        2 => policy.tiers.iter_mut().for_each(|tier| tier.head_start_ms = 0),
        3 => policy.entries = policy.entries.iter().map(|entry| Entry { bot: false, ..entry.clone() }).collect(),
        4 => policy.entries.clear(),
        5 => policy.rules = vec![rule(&[], &first)],
        6 => policy.teams.iter_mut().for_each(|team| team.memberships.clear()),
        7 => policy.strict_max_wait_ms = 0,
        8 => policy.not_responding_ms = 0,
        9 => policy.decline_limit = plain.decline_limit,
        10 => policy.lease_grace_ms = plain.lease_grace_ms,
        11 => policy.bot_max_ms = plain.bot_max_ms,
        13 => policy.clocks.clear(),
        14 => drop(policy.clocks.pop()),
        15 if !policy.clocks.is_empty() => drop(policy.clocks.remove(0)),
        15 => {}
        16 => policy.clocks.iter_mut().for_each(|clock| clock.levels.clear()),
        17 => policy.clocks.iter_mut().for_each(|clock| clock.warn_percent.clear()),
        18 => policy.clocks.iter_mut().for_each(|clock| (clock.targets.clear(), clock.pause_on = None).0),
        19 => policy.clocks.iter_mut().for_each(|clock| clock.calendar = engine::policy::ALWAYS.into()),
        20 => policy.queues.iter_mut().for_each(|queue| queue.calendar = "".into()),
        21 => policy.queues.iter_mut().for_each(|queue| queue.drain_after_close_ms = 0),
        12 => (policy.reopen_window_ms, policy.idle_reset_ms) = (plain.reopen_window_ms, plain.idle_reset_ms),
        _ => {
            let rest = change - OF_ALL;
            if rest < channels * OF_CHANNEL {
                let own = &mut policy.channels[rest / OF_CHANNEL];
                let mut usual = super::events::channel(&own.name, own.live, own.units, own.exclusive);
                match rest % OF_CHANNEL {
                    0 => *own = usual,
                    1 => own.wrap_up = usual.wrap_up,
                    2 => own.min_gap_ms = 0,
                    3 => own.limit = 0,
                    4 => own.interrupts = None,
                    5 => (own.on_offline, own.offline_grace_ms) = (usual.on_offline, usual.offline_grace_ms),
                    6 => (own.owner_absent, own.owner_absent_ms) = (usual.owner_absent, usual.owner_absent_ms),
                    7 => (own.owner_silent_ms, own.close_after_ms) = (usual.owner_silent_ms, usual.close_after_ms),
                    _ => {
                        (usual.units, usual.exclusive) = (1, false);
                        (usual.their_turn_units, usual.max_open_ms) = (1, own.max_open_ms);
                        *own = usual;
                    }
                }
                return Some(());
            }
            let rest = rest - channels * OF_CHANNEL;
            if rest >= queues * OF_QUEUE {
                return None;
            }
            let own = &mut policy.queues[rest / OF_QUEUE];
            let usual = queue(&own.name, Strategy::LongestIdle, &[]);
            match rest % OF_QUEUE {
                0 => *own = usual,
                1 => own.steps.clear(),
                2 => drop(own.steps.pop()),
                3 => own.ladder.clear(),
                4 => (own.max_wait_ms, own.on_max_wait) = (0, usual.on_max_wait),
                5 => (own.max_waiting, own.on_full) = (0, usual.on_full),
                6 => own.on_closed = usual.on_closed,
                7 => own.on_unstaffed = usual.on_unstaffed,
                8 => own.on_unservable = usual.on_unservable,
                9 => own.accept_ms = 0,
                10 => (own.on_all_declined, own.all_declined_queue) = (usual.on_all_declined, "".into()),
                11 => own.preferred_ms = 0,
                12 => own.skills.clear(),
                13 => own.preferred_skills.clear(),
                14 => own.teams.clear(),
                15 => own.wrap_up = None,
                16 => own.replies_do_not_claim = false,
                17 => own.context_required = false,
                18 => {
                    (own.strategy, own.pick) = (usual.strategy, usual.pick);
                    (own.unclaimed_ms, own.unclaimed_strategy) = (0, usual.unclaimed_strategy);
                }
                _ => own.round_ms = usual.round_ms,
            }
        }
    }
    Some(())
}

/// A move in one line: how it is played where that is unusual, and its input without what is plain.
pub fn line(at: usize, one: &Move, start: u64) -> String {
    let mut how = String::new();
    if one.before != Before::AtDeadlines {
        how += &format!(" {:?}", one.before);
    }
    if one.ticks != Ticks::All {
        how += &format!(" {:?}", one.ticks);
    }
    if let Some(behind) = one.behind {
        how += &format!(" behind={behind}");
    }
    if one.restart != Restart::None {
        how += &format!(" {:?}", one.restart);
    }
    let input = &one.input;
    let after = one.now as i64 - start as i64;
    let time = input.time.map_or(String::new(), |time| format!(" time={}", time as i64 - start as i64));
    let actor = input.actor.as_ref().map_or(String::new(), |actor| format!(" {}:{}", actor.kind.word(), actor.id.text));
    let body = match &input.body {
        Body::WorkspaceConfigure { policy, .. } => departures(policy),
        body => format!("{body:?}"),
    };
    let body = brief(&body, &input.workspace.text);
    format!("{at:3} {after}ms{how}{time} {} {}/{}{actor} {body}", input.workspace.text, input.source, input.id)
}

/// What a policy has that a plain one has not.
fn departures(policy: &Policy) -> String {
    let plain = plain_policy(Strategy::LongestIdle);
    let lists = |policy: &Policy| Policy {
        channels: Vec::new(),
        queues: Vec::new(),
        teams: policy.teams.iter().filter(|team| !team.memberships.is_empty()).cloned().collect(),
        ..policy.clone()
    };
    let mut text = format!("Policy {}", differing(&lists(policy), &lists(&plain)));
    for own in &policy.channels {
        if !plain.channels.contains(own) {
            let usual = super::events::channel(&own.name, false, 1, false);
            text += &format!("; channel {} {}", own.name, differing(own, &usual));
        }
    }
    for own in &policy.queues {
        text += &format!("; queue {} {}", own.name, differing(own, &queue(&own.name, Strategy::LongestIdle, &[])));
    }
    text
}

/// The parts of one that the other has not.
fn differing<T: std::fmt::Debug>(one: &T, other: &T) -> String {
    let other = format!("{other:?}");
    let plain: Vec<&str> = other.split(", ").collect();
    let own = format!("{one:?}");
    own.split(", ").filter(|part| !plain.contains(part)).collect::<Vec<_>>().join(", ")
}

/// Without hashes of what has a text, with names for the other hashes, without what is zero, empty, none or false.
fn brief(debug: &str, workspace: &str) -> String {
    let named: Vec<(String, &str)> = [
        (Kind::Tier, &TIERS[..]),
        (Kind::Language, &LANGUAGES[..]),
        (Kind::Queue, &QUEUES[..]),
        (Kind::Channel, &CHANNELS[..]),
    ]
    .into_iter()
    .flat_map(|(kind, names)| {
        let hash =
            move |name: &&'static str| (HashKey(super::events::KEY).hash(kind, workspace, &[name]).to_string(), *name);
        names.iter().map(hash)
    })
    .collect();
    let mut text = debug.to_string();
    for (hash, name) in named {
        text = text.replace(&hash, name);
    }
    let mut words = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Id { hash: ") {
        let (before, id) = rest.split_at(at);
        let Some((_, tail)) = id.split_once("text: ") else { break };
        let Some((name, tail)) = tail.split_once(" }") else { break };
        words += before;
        words += name;
        rest = tail;
    }
    words += rest;
    let is_plain = |value: &str| matches!(value, "0" | "None" | "[]" | "false" | "\"\"");
    let mut kept = Vec::new();
    for part in words.split(", ") {
        let value = part.rsplit(": ").next().unwrap_or("");
        // What closes or opens a bracket stays, or the rest could not be read.
        if !(is_plain(value) && part.matches(": ").count() == 1 && !part.contains(['{', '}', '(', ')'])) {
            kept.push(part);
        }
    }
    kept.join(", ")
}
