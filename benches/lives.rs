//! Whole lives of conversations, under a policy with none, three or five clocks: each comes, is answered, writes again, is
//! answered again and resolved. The bench of costs times them; callgrind counts them.

use crate::closed_loop::events::{self, Sender};
use crate::closed_loop::{Event, Happening, Loop, Ours, RECORD_EVENTS, Record, START_MS, Shape, Side};
use engine::id::Kind;
use engine::input::{ActorKind, Contact, Input, Status};
use engine::policy::{Clock, ClockKind, Policy, Strategy};

/// Events of one life.
pub const EVENTS: usize = 6;
/// Lives that go on at one time.
const AT_ONCE: usize = 1_000;
/// Beside each other in time: a second between two events of one life.
const STEP_MS: u64 = 1_000;

/// As many clocks as there are, or the first ones of these. Targets that nobody comes near, thresholds to look for.
pub fn with_clocks(policy: &mut Policy, clocks: usize) {
    let kinds = [
        ClockKind::FirstResponse,
        ClockKind::Resolution,
        ClockKind::QueueWait,
        ClockKind::NextResponse,
        ClockKind::ReplyWindow,
    ];
    let clock =
        |kind: &ClockKind| Clock { kind: *kind, target_ms: 3_600_000, warn_percent: vec![50, 75], ..Clock::default() };
    policy.clocks = kinds.iter().take(clocks).map(clock).collect();
}

pub struct Lives {
    pub ours: Ours,
    sender: Sender,
    now: u64,
    begun: usize,
}

impl Lives {
    pub fn new(clocks: usize) -> Lives {
        let mut sender = Sender::new("acme");
        let mut policy = events::plain_policy(Strategy::LongestIdle);
        with_clocks(&mut policy, clocks);
        let email = policy.channels.iter_mut().find(|channel| &*channel.name == "email").expect("it is a standard one");
        email.reply_window_ms = if clocks > 4 { 86_400_000 } else { 0 };
        policy.reopen_window_ms = 1_000;
        let mut world = Loop::new(Shape { channel: "email", ..Shape::of_table(100, Strategy::LongestIdle) });
        world.policy = policy.clone();
        let mut ours = Ours::new(&world);
        let mut inputs = vec![sender.configure(policy, None)];
        for agent in 0..100 {
            let name = format!("agent{agent}");
            inputs.push(sender.agent(&name, events::agent_config(Some(1_000), 1, &[])));
            inputs.push(sender.presence(&name, Status::Online, engine::input::By::Agent));
        }
        world.tell(&mut ours, inputs);
        Lives { ours, sender, now: START_MS + STEP_MS, begun: 0 }
    }

    /// The records of a thousand lives.
    pub fn records(&mut self) -> Vec<Record> {
        let first = self.begun;
        self.begun += AT_ONCE;
        let mut records = Vec::new();
        for step in 0..EVENTS {
            self.now += STEP_MS;
            let inputs: Vec<Input> = (first..self.begun).map(|life| self.event(life, step)).collect();
            let mut inputs = inputs.into_iter();
            while inputs.len() > 0 {
                let events = inputs.by_ref().take(RECORD_EVENTS);
                let events = events.map(|input| Event { what: Happening::Message, input }).collect();
                records.push(Record { now: self.now, events });
            }
        }
        records
    }

    fn event(&mut self, life: usize, step: usize) -> Input {
        let id = format!("life{life}");
        match step {
            0 | 2 => {
                let contact = self.sender.contact("email", "+4989100", Some(&id), None);
                let conversation = Some(self.sender.id(Kind::Conversation, &id));
                self.sender.received(Contact { conversation, ..contact }, true)
            }
            // A system's word: whose it is does not matter here.
            5 => {
                let input = self.sender.resolve(&id, None);
                self.sender.by(input, ActorKind::System, "bench")
            }
            4 => self.sender.note(&id, "done", &[]),
            _ => self.sender.replied(&id, "agent0"),
        }
    }
}

pub fn apply(ours: &mut Ours, records: &[Record]) {
    records.iter().for_each(|record| ours.apply(record));
}
