//! The engine and the naive engine side by side: whatever goes in is given to both, and what they tell is compared at
//! once, decision by decision, but for the sentences for people. A third engine decides nothing: it applies each
//! sealed record's effects, and must then be the live one. The outside checker hears every decision.

use super::checker::Checker;
use engine::decision::{DecisionType, Told};
use engine::id::HashKey;
use engine::input::Input;
use engine::wire::{Reader, Wire};
use engine::{Answer, Engine, Limits, Output};
use naive::Naive;
use std::collections::HashSet;

/// Ticks before the pair gives up on its ever coming to rest.
const TICKS_MAX: usize = 100_000;

pub struct Pair {
    pub engine: Engine,
    pub naive: Naive,
    /// Knows nothing but recorded effects.
    replica: Engine,
    checker: Checker,
    out: Output,
    /// How far the decisions of the open record have been read.
    read: usize,
    seq: u64,
    /// Workspaces of which a policy was told.
    workspaces: HashSet<String>,
}

impl Pair {
    pub fn new(key: HashKey) -> Pair {
        let mut pair = Pair {
            engine: Engine::new(key),
            naive: Naive::new(key),
            replica: Engine::new(key),
            checker: Checker::default(),
            out: Output::default(),
            read: 0,
            seq: 0,
            workspaces: HashSet::new(),
        };
        pair.begin();
        pair
    }

    fn begin(&mut self) {
        self.seq += 1;
        self.out.begin(self.seq);
        self.naive.begin(self.seq);
        self.read = 0;
    }

    pub fn set_limits(&mut self, limits: Limits, now: u64) {
        self.engine.set_limits(limits, now, &mut self.out);
        self.naive.set_limits(limits);
    }

    /// The shard is behind its log, or no longer.
    pub fn set_behind(&mut self, behind: bool, now: u64) -> Result<(), String> {
        self.engine.set_behind(behind, now, &mut self.out);
        self.naive.set_behind(behind, now);
        self.quietly("set_behind")
    }

    /// The first step after a claim.
    pub fn claimed(&mut self, now: u64) -> Result<(), String> {
        self.engine.claimed(now, now, &mut self.out);
        self.naive.claimed(now);
        self.quietly("claimed")
    }

    /// What is no event tells nothing.
    fn quietly(&mut self, what: &str) -> Result<(), String> {
        match self.fresh()?.is_empty() {
            true => self.check_promises(),
            false => Err(format!("{what} told something")),
        }
    }

    /// Gives one input to both. Returns what they told alike.
    pub fn step(&mut self, input: &Input, now: u64) -> Result<Vec<Told>, String> {
        let effects_before = self.out.effects.len();
        let answer = self.engine.step(input, now, &mut self.out);
        let told = self.fresh()?;
        let expected = self.naive.step(input, now);
        compare(&told, &expected)?;
        if told.iter().any(|told| told.decision_type == DecisionType::WorkspaceConfigured) {
            self.workspaces.insert(input.workspace.text.to_string());
        }
        self.compare_answer(input, answer)?;
        self.checker.step(input, &told)?;
        let changes_nothing = match answer {
            Answer::Recorded { duplicate, .. } => duplicate,
            Answer::UnknownWorkspace | Answer::Renewed => true,
        };
        if changes_nothing && self.out.effects.len() != effects_before {
            return Err(format!("{answer:?} has effects"));
        }
        self.check_promises()?;
        Ok(told)
    }

    /// One tick for both. A tick of the engine that changes nothing (it may look too early, never too late) is none.
    pub fn tick(&mut self, now: u64) -> Result<Vec<Told>, String> {
        let before = self.engine.wants_tick_at();
        let changed = self.engine.tick(now, &mut self.out);
        if changed && before.is_none_or(|at| at > now.max(self.engine.now())) {
            return Err("a tick that was not wanted did something".into());
        }
        let told = self.fresh()?;
        if !changed && !told.is_empty() {
            return Err("a tick that changed nothing told something".into());
        }
        if changed || !self.engine_wants(now) {
            let expected = self.naive.tick(now);
            compare(&told, &expected)?;
        }
        self.checker.tick(&told)?;
        self.check_promises()?;
        Ok(told)
    }

    fn engine_wants(&self, now: u64) -> bool {
        self.engine.wants_tick_at().is_some_and(|at| at <= now.max(self.engine.now()))
    }

    pub fn wants_tick(&self, now: u64) -> bool {
        self.naive.wants_tick_at().is_some_and(|at| at <= now.max(self.naive.now())) || self.engine_wants(now)
    }

    /// The engine may want a tick before it is due, never after.
    fn compare_wants(&self, now: u64) -> Result<(), String> {
        let at_hand = |at: Option<u64>| at.map(|at| at.max(now));
        match (at_hand(self.engine.wants_tick_at()), at_hand(self.naive.wants_tick_at())) {
            (_, None) => Ok(()),
            (Some(engine), Some(naive)) if engine <= naive => Ok(()),
            (engine, naive) => Err(format!("the engine wants a tick at {engine:?}, the naive one at {naive:?}")),
        }
    }

    /// Ticks at `now` until nothing is due, as the shard at the end of its log does before the next input.
    pub fn settle(&mut self, now: u64) -> Result<Vec<Told>, String> {
        let mut told = Vec::new();
        for _ in 0..TICKS_MAX {
            self.compare_wants(now.max(self.engine.now()))?;
            if !self.wants_tick(now) {
                return Ok(told);
            }
            told.append(&mut self.tick(now)?);
        }
        Err(format!("still wants a tick after {TICKS_MAX}"))
    }

    /// Ticks at every deadline up to `until`, each at its own, as a shard that is behind does.
    pub fn pass(&mut self, until: u64) -> Result<Vec<Told>, String> {
        let mut told = Vec::new();
        for _ in 0..TICKS_MAX {
            let wanted = [self.engine.wants_tick_at(), self.naive.wants_tick_at()];
            match wanted.into_iter().flatten().min() {
                Some(at) if at <= until => {
                    let at = at.max(self.engine.now()).min(until);
                    // Clocks may be due before the event that starts them: time stands where it is then.
                    self.compare_wants(at.max(self.engine.now()))?;
                    told.append(&mut self.tick(at)?);
                }
                _ => return Ok(told),
            }
        }
        Err(format!("still wants a tick after {TICKS_MAX}"))
    }

    /// Ends the record: the replica applies it, and must be the live engine then.
    pub fn seal(&mut self) -> Result<(), String> {
        let digest = self.engine.seal();
        let rebuilt = self.replica.apply(self.seq, &self.out.effects).map_err(|malformed| malformed.to_string())?;
        if rebuilt != digest {
            return Err("the state rebuilt from effects has another digest than the live one".into());
        }
        for (name, engine) in [("live", &self.engine), ("rebuilt", &self.replica)] {
            if engine.digest() != digest || engine.digest_in_full() != digest {
                return Err(format!("the {name} state's digest is not what its rows give"));
            }
        }
        self.begin();
        Ok(())
    }

    /// The replica goes on as the live engine, and the live one as the replica: a recovery in mid-stream.
    pub fn recover(&mut self) -> Result<(), String> {
        self.seal()?;
        std::mem::swap(&mut self.engine, &mut self.replica);
        Ok(())
    }

    /// The decisions that the record has gained.
    fn fresh(&mut self) -> Result<Vec<Told>, String> {
        let mut reader = Reader::new(&self.out.decisions[self.read..]);
        let mut told = Vec::new();
        while !reader.is_empty() {
            told.push(Told::take(&mut reader).map_err(|malformed| malformed.to_string())?);
        }
        self.read = self.out.decisions.len();
        if std::env::var_os("SHOW").is_some() {
            for one in &told {
                let about = one.conversation.as_ref().map_or("", |conversation| &*conversation.id);
                let agent = one.agent.as_ref().map_or("", |agent| &*agent.id);
                println!("    {} {} {} {about} {agent}", one.time, one.decision_type.word(), one.reason.word());
            }
        }
        Ok(told)
    }

    fn compare_answer(&self, input: &Input, answer: Answer) -> Result<(), String> {
        let expected = self.naive.outcome(input.key);
        let knows_workspace = self.workspaces.contains(&*input.workspace.text);
        let given = match answer {
            Answer::UnknownWorkspace if knows_workspace => return Err("a known workspace was called unknown".into()),
            Answer::Renewed if !knows_workspace => return Err("a renewal in an unknown workspace".into()),
            Answer::UnknownWorkspace | Answer::Renewed => None,
            Answer::Recorded { outcome, code, position, .. } => Some((outcome, code, position)),
        };
        match (given, expected) {
            (None, None) => Ok(()),
            (Some(_), None) => Err("an event was answered and is not in memory".into()),
            (Some((outcome, code, position)), Some((o, c, p))) => {
                if outcome == o && code == c && position == p {
                    return Ok(());
                }
                Err(format!("answered {outcome:?} {code:?} {position:?}, expected {o:?} {c:?} {p:?}"))
            }
            (None, Some(_)) => Err(format!("an event that is in memory was answered with {answer:?}")),
        }
    }

    fn check_promises(&mut self) -> Result<(), String> {
        if let Some(broken) = self.engine.broken_promise() {
            return Err(format!("the engine says of itself: {broken}"));
        }
        match self.naive.waits_in_vain() {
            Some(id) => Err(format!("{id} waits although somebody could take it")),
            None => Ok(()),
        }
    }
}

fn compare(told: &[Told], expected: &[Told]) -> Result<(), String> {
    for at in 0..told.len().max(expected.len()) {
        let bare = |told: Option<&Told>| told.map(|told| Told { sentence: "".into(), ..told.clone() });
        let (one, other) = (bare(told.get(at)), bare(expected.get(at)));
        if one != other {
            let shown = |told: &Option<Told>| told.as_ref().map_or("nothing".to_string(), |told| format!("{told:#?}"));
            return Err(format!("decision {at}: {}", difference(&shown(&one), &shown(&other))));
        }
    }
    Ok(())
}

/// What it is about, and the lines that only one of them has.
fn difference(engine: &str, naive: &str) -> String {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (engine.lines().collect(), naive.lines().collect());
    let about = |word: &str| ours.iter().chain(&theirs).find(|line| line.trim().starts_with(word)).copied();
    let about = ["decision_type:", "reason:", "id:"].map(|word| about(word).unwrap_or("").trim());
    let only = |some: &[&str], others: &[&str]| -> String {
        let mut others = others.to_vec();
        let mut lines = Vec::new();
        for line in some {
            match others.iter().position(|other| other == line) {
                Some(at) => drop(others.remove(at)),
                None => lines.push(line.trim()),
            }
        }
        lines.join(" ")
    };
    let (ours, theirs) = (only(&ours, &theirs), only(&theirs, &ours));
    format!("{}\n  engine: {ours}\n  naive:  {theirs}", about.join(" "))
}
