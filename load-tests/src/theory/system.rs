//! A queueing system: classes of customers, agents, and what its queue does. It writes its workspace file, draws its
//! arrivals, and plays them on the engine.
//!
//! Gaps, handling times and patience are exponential, each drawn from its own stream of the seed and rounded to the
//! millisecond, which is 1/60,000 of the shortest handling time in use.

use crate::names::NONE;
use crate::player::{Player, Stage};
use crate::simulate;
use crate::workload::{Arrival, Line, Presence, Workload};
use anyhow::{Result, bail};
use connectors::workspace_file::WorkspaceFile;
use engine::input::Status;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::fmt::Write;

#[derive(Clone, Default)]
pub struct Class {
    pub rate_per_s: f64,
    /// None: endless.
    pub patience_s: Option<f64>,
    /// Required of the agent.
    pub skill: Option<&'static str>,
    pub head_start_s: u64,
}

#[derive(Clone, Default)]
pub struct Agent {
    pub skills: Vec<&'static str>,
    /// 0: 1.
    pub weight: u32,
}

#[derive(Clone)]
pub struct System {
    pub classes: Vec<Class>,
    pub handle_s: f64,
    pub agents: Vec<Agent>,
    pub strategy: &'static str,
    /// Conversations that an agent can have at once; more than 1 makes them chats.
    pub units: u32,
    /// The first class comes before the second and so on, however long that one has waited.
    pub strict: bool,
    pub waiting_max: Option<u32>,
    pub wait_max_ms: Option<u64>,
    /// Days of this length, each of which begins empty, with arrivals to its end.
    pub day_s: Option<u64>,
}

impl System {
    /// So many alike agents, first come first served.
    pub fn of(agents: u64, rate_per_s: f64, handle_s: f64) -> System {
        System {
            classes: vec![Class { rate_per_s, ..Class::default() }],
            handle_s,
            agents: vec![Agent::default(); agents as usize],
            strategy: "longest_idle",
            units: 1,
            strict: false,
            waiting_max: None,
            wait_max_ms: None,
            day_s: None,
        }
    }

    pub fn with_classes(self, classes: Vec<Class>) -> System {
        System { classes, ..self }
    }

    pub fn with_patience(mut self, patience_s: f64) -> System {
        self.classes.iter_mut().for_each(|class| class.patience_s = Some(patience_s));
        self
    }

    fn channel(&self) -> &'static str {
        if self.units > 1 { "chat" } else { "voice" }
    }

    fn workspace(&self) -> Result<WorkspaceFile> {
        // No contact is taken for a forgotten one.
        let mut text = format!(
            "workspace = \"theory\"\nversion = 1\ntest = true\ndefault_units = {}\n\n[channel.{}]\nmax_open_s = 31536000\n\n\
             [[queue]]\nname = \"all\"\nstrategy = \"{}\"\n",
            self.units,
            self.channel(),
            self.strategy
        );
        if let Some(max) = self.waiting_max {
            let _ = writeln!(text, "max_waiting = {max}\non_full = {{ then = \"deflect\", reason = \"full\" }}");
        }
        if let Some(ms) = self.wait_max_ms {
            let seconds = ms as f64 / 1000.0;
            let _ = writeln!(text, "max_wait_s = {seconds}\non_max_wait = {{ then = \"deflect\", reason = \"late\" }}");
        }
        text.push_str("\n[[rule]]\nqueue = \"all\"\n");
        for (number, class) in self.classes.iter().enumerate() {
            let _ = write!(text, "\n[tier.{}]\nhead_start_s = {}\n", tier(number), class.head_start_s);
            if self.strict {
                let _ = writeln!(text, "class = {}", number + 1);
            }
        }
        for (number, agent) in self.agents.iter().enumerate() {
            let skills: Vec<String> = agent.skills.iter().map(|skill| format!("{skill} = 1")).collect();
            let (weight, skills) = (agent.weight.max(1), skills.join(", "));
            let name = agent_name(number);
            let _ = write!(text, "\n[[agent]]\nid = \"{name}\"\nweight = {weight}\nskills = {{ {skills} }}\n");
        }
        match WorkspaceFile::parse("theory.toml", &text) {
            Ok(file) => Ok(file),
            Err(faults) => bail!("{faults}"),
        }
    }

    /// So many arrivals, or so many whole days that there are as many.
    pub fn draw(&self, arrivals: u64, seed: u64) -> Vec<Drawn> {
        let stream = |number| {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            rng.set_stream(number);
            rng
        };
        let (mut gaps, mut kinds, mut handles, mut patiences) = (stream(0), stream(1), stream(2), stream(3));
        let rate_per_s: f64 = self.classes.iter().map(|class| class.rate_per_s).sum();
        let mut drawn: Vec<Drawn> = Vec::with_capacity(arrivals as usize);
        let (mut seconds, mut day) = (0.0, 0);
        loop {
            seconds += exponential(&mut gaps, 1.0 / rate_per_s);
            if let Some(day_s) = self.day_s
                && seconds >= day_s as f64
            {
                if drawn.len() as u64 >= arrivals {
                    return drawn;
                }
                (seconds, day) = (0.0, day + 1);
                continue;
            }
            if self.day_s.is_none() && drawn.len() as u64 == arrivals {
                return drawn;
            }
            let class = self.class_at(kinds.random::<f64>() * rate_per_s);
            let patience_s = self.classes[class].patience_s;
            drawn.push(Drawn {
                day,
                at_ms: milliseconds(seconds),
                class: class as u32,
                handle_ms: milliseconds(exponential(&mut handles, self.handle_s)),
                patience_ms: patience_s.map(|mean_s| milliseconds(exponential(&mut patiences, mean_s))),
            });
        }
    }

    fn class_at(&self, mut point: f64) -> usize {
        for (number, class) in self.classes.iter().enumerate() {
            point -= class.rate_per_s;
            if point < 0.0 {
                return number;
            }
        }
        self.classes.len() - 1
    }

    /// Draws, and plays on the engine.
    pub fn play(&self, arrivals: u64, seed: u64) -> Result<Outcome> {
        self.play_drawn(&self.draw(arrivals, seed))
    }

    pub fn play_drawn(&self, drawn: &[Drawn]) -> Result<Outcome> {
        let file = self.workspace()?;
        let mut outcome = Outcome::of(self.agents.len());
        for day in drawn.chunk_by(|one, next| one.day == next.day) {
            let workload = self.workload(day);
            let player = simulate::play_undigested(&file, &workload, 1)?;
            self.add(&mut outcome, &player, day)?;
        }
        Ok(outcome)
    }

    fn workload(&self, drawn: &[Drawn]) -> Workload {
        let online = |number| {
            let agent = agent_name(number).into_boxed_str();
            Line::Presence(Presence { at: START, agent, status: Status::Online, line: number as u64 + 1 })
        };
        let mut lines: Vec<Line> = (0..self.agents.len()).map(online).collect();
        lines.extend(drawn.iter().enumerate().map(|(number, drawn)| self.arrival(number, drawn)));
        Workload { lines, opening: Vec::new(), begins: START, ends: START + self.span_ms(drawn) }
    }

    /// Occupancy counts for so long: the day, or to the last arrival.
    pub fn span_ms(&self, drawn: &[Drawn]) -> u64 {
        self.day_s.map_or(drawn.last().map_or(0, |last| last.at_ms), |day_s| day_s * 1000)
    }

    fn arrival(&self, number: usize, drawn: &Drawn) -> Line {
        let skill = self.classes[drawn.class as usize].skill;
        Line::Arrival(Box::new(Arrival {
            at: START + drawn.at_ms,
            conversation: number.to_string().into(),
            tier: Some(tier(drawn.class as usize).into()),
            channel: self.channel().into(),
            skills: skill.map(|skill| (skill.into(), 1)).into_iter().collect(),
            handle_ms: drawn.handle_ms,
            patience_ms: drawn.patience_ms,
            ..Arrival::default()
        }))
    }

    fn add(&self, outcome: &mut Outcome, player: &Player<'_>, drawn: &[Drawn]) -> Result<()> {
        if let Some((code, event)) = player.refused.keys().next() {
            bail!("the engine refuses {event}: {code}");
        }
        for (call, drawn) in player.calls.iter().zip(drawn) {
            let fate = match call.stage {
                Stage::Answered => Fate::Answered,
                Stage::Abandoned => Fate::Abandoned,
                Stage::Deflected => Fate::Deflected,
                stage => bail!("arrival {} of the class {} ends as {stage:?}", outcome.ones.len() + 1, drawn.class),
            };
            let wait_ms = call.wait_ms.unwrap_or(0);
            let agent = if call.agent == NONE { u32::MAX } else { call.agent };
            outcome.ones.push(One { class: drawn.class, wait_ms, waited: call.waited, fate, agent });
        }
        for (number, agent) in player.agents.iter().enumerate() {
            outcome.held_ms[number] += agent.held_unit_ms;
        }
        outcome.span_ms += self.span_ms(drawn);
        outcome.days += 1;
        outcome.units = self.units;
        Ok(())
    }
}

/// 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600_000;

fn tier(class: usize) -> String {
    format!("class{}", class + 1)
}

fn agent_name(number: usize) -> String {
    format!("a{:03}", number + 1)
}

/// By inversion: 1 - u lies in (0, 1].
fn exponential(rng: &mut ChaCha12Rng, mean: f64) -> f64 {
    -(1.0 - rng.random::<f64>()).ln() * mean
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

/// An arrival.
#[derive(Clone, Copy)]
pub struct Drawn {
    pub day: u32,
    /// From the beginning of its day.
    pub at_ms: u64,
    pub class: u32,
    pub handle_ms: u64,
    pub patience_ms: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Answered,
    Abandoned,
    Deflected,
}

/// What came of an arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct One {
    pub class: u32,
    pub wait_ms: u64,
    pub waited: bool,
    pub fate: Fate,
    /// Number of who answered it.
    pub agent: u32,
}

/// What came of all.
pub struct Outcome {
    pub ones: Vec<One>,
    /// Of each agent, the time of work within the span.
    pub held_ms: Vec<u64>,
    /// Of all days together.
    pub span_ms: u64,
    pub days: u64,
    pub units: u32,
}

impl Outcome {
    pub fn of(agents: usize) -> Outcome {
        Outcome { ones: Vec::new(), held_ms: vec![0; agents], span_ms: 0, days: 0, units: 1 }
    }

    pub fn count(&self, which: impl Fn(&One) -> bool) -> f64 {
        self.ones.iter().filter(|one| which(one)).count() as f64
    }

    /// Of those `among` which it is asked.
    pub fn share(&self, which: impl Fn(&One) -> bool, among: impl Fn(&One) -> bool) -> f64 {
        self.count(|one| among(one) && which(one)) / self.count(&among)
    }

    fn wait_s(&self, among: impl Fn(&One) -> bool) -> f64 {
        self.ones.iter().filter(|one| among(one)).map(|one| one.wait_ms as f64).sum::<f64>() / 1000.0
    }

    pub fn mean_wait_s(&self, among: impl Fn(&One) -> bool) -> f64 {
        self.wait_s(&among) / self.count(&among)
    }

    /// The mean number of those who wait.
    pub fn mean_queue(&self, among: impl Fn(&One) -> bool) -> f64 {
        self.wait_s(among) / (self.span_ms as f64 / 1000.0)
    }

    /// So large a share waits at most so long, in seconds.
    pub fn quantile_s(&self, share: f64) -> f64 {
        let mut waits: Vec<u64> = self.ones.iter().map(|one| one.wait_ms).collect();
        let index = (share * waits.len() as f64).ceil() as usize - 1;
        *waits.select_nth_unstable(index).1 as f64 / 1000.0
    }

    pub fn occupancy(&self) -> f64 {
        let held: u64 = self.held_ms.iter().sum();
        held as f64 / self.span_ms as f64 / self.held_ms.len() as f64 / f64::from(self.units)
    }

    pub fn utilization(&self, agent: usize) -> f64 {
        self.held_ms[agent] as f64 / self.span_ms as f64 / f64::from(self.units)
    }
}
