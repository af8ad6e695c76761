//! The closed loop of `performance.md`: a contact center with its agents at work, and what happens in it. Of ten events
//! eight are messages, one opens a conversation and one resolves one; all is drawn from a seed. The benches of the engine
//! share it.
//!
//! Time goes on once a record, as the shard has it under load: all steps of a batch have one time.

#[path = "../tests/it/histories/events.rs"]
#[allow(dead_code)]
pub mod events;

use engine::id::Kind;
use engine::input::{ActorKind, By, Contact, Input, Status};
use engine::policy::{Policy, Strategy};
use engine::{Engine, Limits, Output};
use events::Sender;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;

/// Events of one journal record, as under load.
pub const RECORD_EVENTS: usize = 64;
/// Records made outside and then applied inside a measurement.
const CHUNK_RECORDS: usize = 32;
pub const START_MS: u64 = 1_700_000_000_000;
const UTILISATION_PERCENT: u64 = 90;
const SKILLS_MAX: usize = 128;

/// What conversations ask of agents.
#[derive(Clone, Copy, PartialEq)]
pub enum Demand {
    /// Anybody serves anything: the floor.
    NoSkills,
    /// Agents have 2 to 8 of so many skills, the first ones far more often (Zipf); each requirement set asks for 1 to 3 that
    /// somebody has.
    Zipf { skills: usize, sets: usize },
    /// As many sets as skills, 64, each asks for one; every agent has so many of them.
    Even { of_an_agent: usize },
}

#[derive(Clone, Copy)]
pub struct Shape {
    pub agents: usize,
    pub demand: Demand,
    pub strategy: Strategy,
    /// Of `contact.started` and messages: `chat` is live, `email` async.
    pub channel: &'static str,
    /// Events in a millisecond of the engine's time.
    pub events_a_ms: f64,
    /// Events that are remembered: bounded, so that a long run stays in one state.
    pub remembered_max: u32,
}

impl Shape {
    /// A row of performance.md's table a.
    pub fn of_table(agents: usize, strategy: Strategy) -> Shape {
        let (skills, sets) = match agents {
            0..=100 => (32, 64),
            101..=1_000 => (64, 256),
            1_001..=10_000 => (128, 256),
            _ => (128, 512),
        };
        let demand = Demand::Zipf { skills, sets };
        Shape { agents, demand, strategy, channel: "chat", events_a_ms: 1.0, remembered_max: 100_000 }
    }

    pub fn asking(self, demand: Demand) -> Shape {
        Shape { demand, ..self }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Happening {
    Message,
    Opening,
    Resolve,
}

pub struct Event {
    pub what: Happening,
    pub input: Input,
}

/// A batch of events of one time.
pub struct Record {
    pub now: u64,
    pub events: Vec<Event>,
}

/// One engine at work; what it tells and records is thrown away as after a commit.
pub trait Side {
    fn apply(&mut self, record: &Record);
}

/// Numbers of conversations, one drawn as fast as another.
#[derive(Default)]
pub struct Numbers {
    all: Vec<u32>,
    /// Where a number stands, + 1.
    at: Vec<u32>,
}

impl Numbers {
    pub fn put(&mut self, number: u32) {
        if self.at.len() <= number as usize {
            self.at.resize(number as usize + 1, 0);
        }
        if self.at[number as usize] == 0 {
            self.all.push(number);
            self.at[number as usize] = self.all.len() as u32;
        }
    }

    pub fn remove(&mut self, number: u32) {
        let Some(at) = self.at.get_mut(number as usize).filter(|at| **at > 0) else { return };
        let at = std::mem::take(at) as usize - 1;
        self.all.swap_remove(at);
        if let Some(moved) = self.all.get(at) {
            self.at[*moved as usize] = at as u32 + 1;
        }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    fn draw(&self, rng: &mut impl Rng) -> u32 {
        self.all[rng.random_range(0..self.all.len())]
    }
}

/// Skills of an agent or set, a bit each.
type Skills = u128;

pub struct Loop {
    pub shape: Shape,
    pub policy: Policy,
    pub sender: Sender,
    /// Conversations that messages come to.
    pub open: Numbers,
    /// Those that may be resolved, where these are others.
    pub owned: Option<Numbers>,
    /// Units of all agents.
    pub units: u64,
    rng: ChaCha8Rng,
    agents: Vec<Skills>,
    requirements: Vec<Skills>,
    /// Sets that each agent can serve.
    served: Vec<Vec<u16>>,
    opened: u32,
    now_us: u64,
}

impl Loop {
    pub fn new(shape: Shape) -> Loop {
        let mut rng = ChaCha8Rng::seed_from_u64(shape.agents as u64);
        let (agents, requirements) = match shape.demand {
            Demand::NoSkills => (vec![0; shape.agents], vec![0]),
            Demand::Even { of_an_agent } => {
                let has = |agent: usize| (0..of_an_agent).map(|n| 1 << ((agent + n * 64 / of_an_agent) % 64)).sum();
                ((0..shape.agents).map(has).collect(), (0..64).map(|set| 1 << set).collect())
            }
            Demand::Zipf { skills, sets } => {
                let agents: Vec<Skills> = (0..shape.agents).map(|_| zipf_skills(&mut rng, skills)).collect();
                let asked = |_| some_of(agents[rng.random_range(0..shape.agents)], &mut rng);
                let requirements: Vec<Skills> = (0..sets).map(asked).collect();
                (agents, requirements)
            }
        };
        let serves = |has: Skills, set: &usize| requirements[*set] & has == requirements[*set];
        let sets = 0..requirements.len();
        let served = agents.iter().map(|has| sets.clone().filter(|set| serves(*has, set)).map(|s| s as u16).collect());
        Loop {
            policy: events::plain_policy(shape.strategy),
            sender: Sender::new("acme"),
            open: Numbers::default(),
            owned: None,
            units: 0,
            served: served.collect(),
            rng,
            agents,
            requirements,
            opened: 0,
            now_us: START_MS * 1_000,
            shape,
        }
    }

    /// Different sets that an agent is in, on the average.
    pub fn sets_of_an_agent(&self) -> f64 {
        let different = |sets: &Vec<u16>| {
            let mut asked: Vec<Skills> = sets.iter().map(|set| self.requirements[usize::from(*set)]).collect();
            asked.sort_unstable();
            asked.dedup();
            asked.len()
        };
        self.served.iter().map(different).sum::<usize>() as f64 / self.served.len() as f64
    }

    /// The agents come, and conversations up to the utilisation.
    pub fn fill(&mut self, side: &mut impl Side) {
        let configure = self.sender.configure(self.policy.clone(), None);
        self.tell(side, vec![configure]);
        for agent in 0..self.agents.len() {
            let name = format!("agent{agent}");
            let units = self.rng.random_range(1..=10);
            self.units += u64::from(units);
            let skills = names_of(self.agents[agent]);
            let levels: Vec<(&str, u8)> =
                skills.iter().map(|skill| (&**skill, self.rng.random_range(1..=10))).collect();
            let config = events::agent_config(Some(units), self.rng.random_range(1..=5), &levels);
            let inputs = vec![self.sender.agent(&name, config), self.sender.presence(&name, Status::Online, By::Agent)];
            self.tell(side, inputs);
        }
        self.open_more(side, (self.units * UTILISATION_PERCENT / 100) as usize);
    }

    /// So many more conversations, at one time.
    pub fn open_more(&mut self, side: &mut impl Side, mut count: usize) {
        while count > 0 {
            let inputs: Vec<Input> = (0..count.min(2_048)).map(|_| self.opening().input).collect();
            count -= inputs.len();
            self.tell(side, inputs);
        }
    }

    /// Events that are not of the loop, at its time.
    pub fn tell(&self, side: &mut impl Side, inputs: Vec<Input>) {
        let events: Vec<Event> = inputs.into_iter().map(|input| Event { what: Happening::Message, input }).collect();
        let mut events = events.into_iter();
        loop {
            let record = Record { now: self.now(), events: events.by_ref().take(RECORD_EVENTS).collect() };
            if record.events.is_empty() {
                return;
            }
            side.apply(&record);
        }
    }

    pub fn now(&self) -> u64 {
        self.now_us / 1_000
    }

    /// The next records, at most 32 of them, of together at most so many events.
    pub fn records(&mut self, events: u64) -> Vec<Record> {
        let events = (events as usize).min(CHUNK_RECORDS * RECORD_EVENTS);
        let mut records = Vec::with_capacity(CHUNK_RECORDS);
        for at in (0..events).step_by(RECORD_EVENTS) {
            let count = RECORD_EVENTS.min(events - at);
            self.now_us += (count as f64 * 1e3 / self.shape.events_a_ms) as u64;
            let events = (0..count).map(|_| self.next()).collect();
            records.push(Record { now: self.now(), events });
        }
        records
    }

    fn next(&mut self) -> Event {
        match self.rng.random_range(0..10) {
            0 => self.opening(),
            1 if self.owned.as_ref().unwrap_or(&self.open).len() > 1 => {
                let number = self.owned.as_ref().unwrap_or(&self.open).draw(&mut self.rng);
                self.owned.iter_mut().for_each(|owned| owned.remove(number));
                self.open.remove(number);
                let input = self.sender.resolve(&name_of(number), None);
                Event { what: Happening::Resolve, input: self.sender.by(input, ActorKind::System, "bench") }
            }
            _ => {
                let number = self.open.draw(&mut self.rng);
                let contact = self.contact(number);
                Event { what: Happening::Message, input: self.sender.received(contact, true) }
            }
        }
    }

    fn opening(&mut self) -> Event {
        let number = self.opened;
        self.opened += 1;
        // Demand goes where there are people for it: somebody, and one of the sets that he can serve.
        let set = loop {
            let sets = &self.served[self.rng.random_range(0..self.served.len())];
            if !sets.is_empty() {
                break usize::from(sets[self.rng.random_range(0..sets.len())]);
            }
        };
        let names = names_of(self.requirements[set]);
        let skills: Vec<(&str, u8)> = names.iter().map(|name| (&**name, 1)).collect();
        let contact = self.sender.requiring(self.contact(number), &skills);
        self.open.put(number);
        Event { what: Happening::Opening, input: self.opens(contact) }
    }

    /// A contact comes, the way it does on this channel.
    pub fn opens(&mut self, contact: Contact) -> Input {
        match self.shape.channel {
            "chat" => self.sender.started(contact),
            _ => self.sender.received(contact, true),
        }
    }

    fn contact(&self, number: u32) -> Contact {
        self.contact_at(&name_of(number), "+4989100")
    }

    pub fn contact_at(&self, id: &str, entry: &str) -> Contact {
        let contact = self.sender.contact(self.shape.channel, entry, Some(id), None);
        Contact { conversation: Some(self.sender.id(Kind::Conversation, id)), ..contact }
    }
}

/// A conversation's id, and back.
fn name_of(number: u32) -> String {
    format!("conversation{number}")
}

pub fn number_of(id: &str) -> Option<u32> {
    id.strip_prefix("conversation")?.parse().ok()
}

fn names_of(skills: Skills) -> Vec<String> {
    (0..SKILLS_MAX).filter(|skill| skills >> skill & 1 == 1).map(|skill| format!("skill{skill}")).collect()
}

fn zipf_skills(rng: &mut ChaCha8Rng, skills: usize) -> Skills {
    let count = rng.random_range(2..=8);
    let mut has: Skills = 0;
    while has.count_ones() < count {
        // The inverse of Zipf's distribution, near enough: skills^u is log-uniform.
        let skill = (skills as f64).powf(rng.random::<f64>()) as usize - 1;
        has |= 1 << skill.min(SKILLS_MAX - 1);
    }
    has
}

/// One to three of somebody's skills.
fn some_of(has: Skills, rng: &mut ChaCha8Rng) -> Skills {
    let wanted = rng.random_range(1..=3.min(has.count_ones()));
    let mut asked: Skills = 0;
    while asked.count_ones() < wanted {
        let skill = rng.random_range(0..SKILLS_MAX);
        asked |= has & 1 << skill;
    }
    asked
}

/// Limits of both engines.
pub fn limits(shape: Shape) -> Limits {
    Limits { idempotency_max: shape.remembered_max, ..Limits::default() }
}

/// The engine, driven as the shard drives it: what is due fires before an input, a record is sealed.
pub struct Ours {
    pub engine: Engine,
    pub out: Output,
}

impl Ours {
    pub fn new(world: &Loop) -> Ours {
        let mut ours = Ours { engine: Engine::new(world.sender.key), out: Output::default() };
        ours.engine.set_limits(limits(world.shape), START_MS, &mut ours.out);
        ours
    }

    pub fn begin(&mut self) {
        let seq = self.out.seq + 1;
        self.out.begin(seq);
    }

    /// One input, and all that is due before it.
    pub fn step(&mut self, input: &Input, now: u64) {
        while self.engine.wants_tick_at().is_some_and(|at| at <= now) {
            self.engine.tick(now, &mut self.out);
        }
        black_box(self.engine.step(input, now, &mut self.out));
    }
}

impl Side for Ours {
    #[inline(never)]
    fn apply(&mut self, record: &Record) {
        self.begin();
        for event in &record.events {
            self.step(&event.input, record.now);
        }
        black_box(self.engine.seal());
    }
}

/// A filled contact center after its first events: the first sight of tables and rings is not what is measured.
pub fn filled<S: Side>(shape: Shape, side: fn(&Loop) -> S) -> (S, Loop) {
    filled_under(shape, |_| {}, side)
}

/// The same under a policy that is changed first.
pub fn filled_under<S: Side>(shape: Shape, change: impl Fn(&mut Policy), side: fn(&Loop) -> S) -> (S, Loop) {
    let mut world = Loop::new(shape);
    change(&mut world.policy);
    let mut side = side(&world);
    world.fill(&mut side);
    warm(&mut side, &mut world);
    (side, world)
}

pub fn warm(side: &mut impl Side, world: &mut Loop) {
    for _ in 0..8 {
        for record in world.records(u64::MAX) {
            side.apply(&record);
        }
    }
}
