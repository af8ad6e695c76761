//! The engine and the naive engine side by side: whatever goes in is given to both, and what they tell is compared at
//! once, decision by decision, but for the sentences for people. A third engine decides nothing: it applies each
//! sealed record's effects, and must then be the live one. The outside checker hears every decision.

use super::checker::Checker;
use engine::decision::Told;
use engine::id::HashKey;
use engine::input::Input;
use engine::wire::{Reader, Wire};
use engine::{Answer, Engine, Limits, Output};
use naive::Naive;

/// Ticks after one input before the pair gives up on its ever coming to rest.
const TICKS_MAX: usize = 10_000;

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

    /// Gives one input to both. Returns what they told alike.
    pub fn step(&mut self, input: &Input, now: u64) -> Result<Vec<Told>, String> {
        let effects_before = self.out.effects.len();
        let answer = self.engine.step(input, now, &mut self.out);
        let told = self.fresh()?;
        let expected = self.naive.step(input, now);
        compare(&told, &expected)?;
        self.compare_answer(input, answer)?;
        self.checker.step(input, &told)?;
        let is_duplicate = matches!(answer, Answer::Recorded { duplicate: true, .. });
        if is_duplicate && self.out.effects.len() != effects_before {
            return Err("a duplicate has effects".into());
        }
        self.check_promises()?;
        Ok(told)
    }

    /// One tick for both.
    pub fn tick(&mut self, now: u64) -> Result<Vec<Told>, String> {
        let before = self.engine.wants_tick_at();
        let changed = self.engine.tick(now, &mut self.out);
        if changed && before.is_none() {
            return Err("a tick that was not wanted did something".into());
        }
        let told = self.fresh()?;
        let expected = self.naive.tick(now);
        compare(&told, &expected)?;
        self.checker.tick(&told)?;
        self.check_promises()?;
        Ok(told)
    }

    pub fn wants_tick(&self, now: u64) -> bool {
        self.naive.wants_tick() || self.engine.wants_tick_at().is_some_and(|at| at <= now)
    }

    /// Ticks until nothing is due, as the shard does before the next input.
    pub fn settle(&mut self, now: u64) -> Result<Vec<Told>, String> {
        let mut told = Vec::new();
        for _ in 0..TICKS_MAX {
            if !self.wants_tick(now) {
                return Ok(told);
            }
            told.append(&mut self.tick(now)?);
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
        Ok(told)
    }

    fn compare_answer(&self, input: &Input, answer: Answer) -> Result<(), String> {
        let expected = self.naive.outcome(input.key);
        let given = match answer {
            Answer::UnknownWorkspace => None,
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
            (None, Some(_)) => Err("an event that is in memory was answered with unknown workspace".into()),
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

/// The lines that differ; all of one where the other has none.
fn difference(engine: &str, naive: &str) -> String {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (engine.lines().collect(), naive.lines().collect());
    if ours.len() != theirs.len() {
        return format!("the engine tells {engine}\nthe naive one {naive}");
    }
    let mut lines = vec![format!("{} {}", ours.get(1).unwrap_or(&""), ours.get(6).unwrap_or(&""))];
    for (one, other) in ours.iter().zip(&theirs) {
        if one != other {
            lines.push(format!("  engine {}  naive {}", one.trim(), other.trim()));
        }
    }
    lines.join("\n")
}
