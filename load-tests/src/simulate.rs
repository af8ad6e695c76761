//! `strowger simulate`: a workload on the engine inside the process, in virtual time.
//!
//! The engine's time is the workload's own instants; events carry the workload's ids and times and the source `simulate`.
//! Same workspace, workload and seed: same decisions, same digest. No file, clock or thread is touched between the first
//! event and the last. Before each event the engine gets every tick that is due until then; after it, ticks at the same
//! instant until nothing is due.

use crate::figures::{self, Figures};
use crate::player::{ARRIVAL, Act, Axis, Deed, Player, Step};
use crate::progress;
use crate::replay::events::TRANSFER_NOTE;
use crate::seen::Seen;
use crate::workload::{Arrival, Line, Presence, Selection, Workload};
use anyhow::{Context, Result, bail, ensure};
use connectors::calendar;
use connectors::codec;
use connectors::workspace_file::WorkspaceFile;
use engine::engine::{Engine, Output};
use engine::id::{HashKey, Id, Kind};
use engine::input::{Actor, ActorKind, Body, By, Contact, EventType, Input, RequiredSkill, Target};
use engine::policy::Policy;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub struct SimulateArgs {
    pub workspace: PathBuf,
    pub workload: PathBuf,
    pub seed: u64,
    /// So many times the arrivals; 1 is the workload as it is.
    pub load: f64,
    pub selection: Selection,
    pub json: bool,
    pub calls: Option<PathBuf>,
}

const SOURCE: &str = "simulate";
/// With nothing of the workload left to come, the engine's own timers run on for so long: longer than every default of
/// theirs. What then still waits is unfinished; a conversation may be offered round after round for ever.
const QUIET_MAX_MS: u64 = 30 * 24 * 3_600_000;
const IDLE_TICKS_MAX: u32 = 1_000_000;
/// The bar is moved once in so many events.
const EVENTS_A_DRAWING: u64 = 4_096;

pub fn run(args: SimulateArgs) -> Result<()> {
    let file = open_workspace(&args.workspace)?;
    let workload = Workload::open(&args.workload, &args.selection)?.loaded(args.load, args.seed)?;
    let begun = Instant::now();
    let played = play(&file, &workload, args.seed)?;
    let figures = Figures::of(&played.player, Some(played.digest), begun.elapsed().as_secs_f64());
    if let Some(path) = &args.calls {
        figures::write_calls(path, &played.player, true)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        use std::io::Write;
        writeln!(out, "{}", figures.json())?;
    } else {
        figures::print(&figures, &mut out)?;
    }
    Ok(())
}

pub fn open_workspace(path: &Path) -> Result<WorkspaceFile> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the workspace file {name}"))?;
    WorkspaceFile::parse(&name, &text).map_err(|faults| anyhow::anyhow!("{faults}"))
}

/// Whether customers of this channel are there while they wait, by this policy.
pub fn is_live(policy: &Policy, channel: &str) -> bool {
    policy.channels.iter().any(|known| &*known.name == channel && known.live)
}

pub struct Played<'w> {
    /// Settled: ready for `Figures`.
    pub player: Player<'w>,
    pub digest: String,
}

/// Plays the whole workload.
pub fn play<'w>(file: &WorkspaceFile, workload: &'w Workload, seed: u64) -> Result<Played<'w>> {
    let simulation = played(file, workload, seed, Some(Sha256::new()))?;
    let digest = simulation.machine.digest.map(|digest| digest.finalize().iter().map(|b| format!("{b:02x}")).collect());
    Ok(Played { player: simulation.player, digest: digest.unwrap_or_default() })
}

/// As `play`, without the digest, which takes as long as all the rest.
pub fn play_undigested<'w>(file: &WorkspaceFile, workload: &'w Workload, seed: u64) -> Result<Player<'w>> {
    Ok(played(file, workload, seed, None)?.player)
}

fn played<'w>(
    file: &WorkspaceFile,
    workload: &'w Workload,
    seed: u64,
    digest: Option<Sha256>,
) -> Result<Simulation<'w>> {
    let axis = Axis { workload: workload.begins, engine: workload.begins, stretch: 1.0 };
    let mut player = Player::new(workload, axis, "", seed, &|channel| is_live(&file.policy, channel));
    player.knows_wrap_ups(&file.policy);
    let key = HashKey(u128::from(seed) << 64 | u128::from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let (inputs, machine) = (Inputs::new(key, &file.workspace), Machine::new(key, digest));
    let calendars = (file.policy.clone(), u64::MAX);
    let mut simulation = Simulation { inputs, machine, player, last_deed: workload.begins, calendars };
    simulation.configure(file)?;
    let bar = progress::bar(workload.lines.len() as u64, "playing");
    for event in 1u64.. {
        if !simulation.advance()? {
            break;
        }
        if event.is_multiple_of(EVENTS_A_DRAWING) {
            bar.set_position(simulation.player.lines_played() as u64);
        }
    }
    bar.finish_and_clear();
    simulation.player.settle(false);
    Ok(simulation)
}

struct Simulation<'w> {
    inputs: Inputs,
    machine: Machine,
    player: Player<'w>,
    /// When the player did something last.
    last_deed: u64,
    /// The policy whose calendars are kept expanded, as `serve` keeps them, and when the first of them is due again.
    calendars: (Policy, u64),
}

impl Simulation<'_> {
    fn configure(&mut self, file: &WorkspaceFile) -> Result<()> {
        let now = self.player.workload().begins;
        let mut policy = file.policy.clone();
        policy.version = policy.version.max(1);
        let input = self.inputs.policy(policy, now);
        self.machine.step(&input, now, &mut self.player)?;
        self.expand_calendars(now)?;
        for (agent, config) in &file.agents {
            let input = self.inputs.agent(agent, config.clone(), now);
            self.machine.step(&input, now, &mut self.player)?;
        }
        let refused = self.player.refused.keys().next();
        ensure!(refused.is_none(), "the engine does not take the workspace: {}", refused.map_or("", |(code, _)| code));
        Ok(())
    }

    fn expand_calendars(&mut self, now: u64) -> Result<()> {
        let (policy, due) = &mut self.calendars;
        *due = u64::MAX;
        for own in &policy.calendars {
            let expansion = calendar::expansion_at(own, now)?;
            *due = (*due).min(calendar::renewal_of(expansion.until));
            let event = calendar::event(&self.inputs.workspace.text, policy.version.max(1), &own.name, &expansion);
            let input = codec::Decoder::new(self.inputs.key).decode(event.to_string().as_bytes())?;
            self.machine.step(&input, now, &mut self.player)?;
        }
        Ok(())
    }

    /// The next event or tick, whichever is due first. False: nothing can change any more.
    fn advance(&mut self) -> Result<bool> {
        let tick = self.machine.engine.wants_tick_at();
        let due = self.player.next_due();
        if let Some(at) = due.into_iter().chain(tick).min().filter(|at| *at > self.calendars.1) {
            self.expand_calendars(at.max(self.machine.engine.now()))?;
        }
        match (due, tick) {
            (None, None) => return Ok(false),
            (Some(due), Some(tick)) if tick <= due => self.machine.tick(tick, &mut self.player)?,
            (None, Some(tick)) if tick > self.last_deed + QUIET_MAX_MS => return Ok(false),
            (None, Some(tick)) => self.machine.tick(tick, &mut self.player)?,
            (Some(due), _) => {
                let act = self.player.take_due(due).context("a deed that was due is gone")?;
                let input = self.inputs.of(&act, &self.player);
                self.last_deed = due;
                self.machine.step(&input, due, &mut self.player)?;
            }
        }
        Ok(true)
    }
}

/// The engine with the digest of what it decides. Each step is a batch of its own, so that no batching can be seen.
struct Machine {
    engine: Engine,
    out: Output,
    seq: u64,
    digest: Option<Sha256>,
    line: Vec<u8>,
    /// Since the last one that changed something.
    idle_ticks: u32,
}

impl Machine {
    fn new(key: HashKey, digest: Option<Sha256>) -> Machine {
        Machine { engine: Engine::new(key), out: Output::default(), seq: 0, digest, line: Vec::new(), idle_ticks: 0 }
    }

    fn step(&mut self, input: &Input, now: u64, player: &mut Player<'_>) -> Result<()> {
        self.begin();
        let answer = self.engine.step(input, now, &mut self.out);
        match answer {
            engine::Answer::UnknownWorkspace => {
                bail!("the engine does not know the workspace {}", input.workspace.text)
            }
            // Ignored and rejected events are counted by the player, from their decisions.
            engine::Answer::Recorded { duplicate, .. } => {
                ensure!(!duplicate, "the engine takes the event {} for one that it has had", input.id)
            }
            engine::Answer::Renewed => bail!("the engine takes the event {} for the renewal of a lease", input.id),
        }
        self.tell(player)
    }

    fn tick(&mut self, at: u64, player: &mut Player<'_>) -> Result<()> {
        let now = at.max(self.engine.now());
        self.begin();
        let changed = self.engine.tick(now, &mut self.out);
        // A tick may only look at timers that have moved; it looks at some hundreds, so that many such ticks are a fault.
        let again = self.engine.wants_tick_at().is_some_and(|next| next <= now);
        self.idle_ticks = if changed || !again { 0 } else { self.idle_ticks + 1 };
        assert!(self.idle_ticks < IDLE_TICKS_MAX, "the engine wants ticks at {now} and does nothing in them");
        self.tell(player)
    }

    fn begin(&mut self) {
        self.seq += 1;
        self.out.begin(self.seq);
    }

    fn tell(&mut self, player: &mut Player<'_>) -> Result<()> {
        self.engine.seal();
        for told in codec::decisions(&self.out.decisions).context("the engine's own decisions")? {
            if let Some(digest) = &mut self.digest {
                self.line.clear();
                codec::canonical(&told, &mut self.line);
                self.line.push(b'\n');
                digest.update(&self.line);
            }
            player.see(&Seen::of(&told));
        }
        Ok(())
    }
}

/// Makes the engine's inputs of deeds, as the codec would of their CloudEvents.
struct Inputs {
    key: HashKey,
    workspace: Id,
    source_hash: u128,
}

impl Inputs {
    fn new(key: HashKey, workspace: &str) -> Inputs {
        let workspace = key.id(Kind::Workspace, workspace, workspace);
        let source_hash = key.hash(Kind::Source, &workspace.text, &[SOURCE]);
        Inputs { key, workspace, source_hash }
    }

    fn id(&self, kind: Kind, text: &str) -> Id {
        self.key.id(kind, &self.workspace.text, text)
    }

    fn hash(&self, kind: Kind, parts: &[&str]) -> u128 {
        self.key.hash(kind, &self.workspace.text, parts)
    }

    fn input(&self, id: &str, event_type: EventType, time: u64, actor: Option<Actor>, body: Body) -> Input {
        Input {
            id: id.into(),
            source: SOURCE.into(),
            key: self.hash(Kind::Event, &[SOURCE, id]),
            source_hash: self.source_hash,
            workspace: self.workspace.clone(),
            event_type,
            time: Some(time),
            traceparent: None,
            actor,
            body,
        }
    }

    fn policy(&self, policy: Policy, now: u64) -> Input {
        let body = Body::WorkspaceConfigure { policy: Box::new(policy), expected_version: None };
        self.input("workspace", EventType::WorkspaceConfigure, now, None, body)
    }

    fn agent(&self, agent: &str, config: engine::policy::AgentConfig, now: u64) -> Input {
        let body = Body::AgentConfigure { agent: self.id(Kind::Agent, agent), config, expected_version: None };
        self.input(&format!("agent/{agent}"), EventType::AgentConfigure, now, None, body)
    }

    fn of(&self, act: &Act, player: &Player<'_>) -> Input {
        let workload = player.workload();
        match act.deed {
            Deed::Opening { index } => self.presence(&workload.opening[index as usize], "opening", act.at),
            Deed::Presence { line } => match &workload.lines[line as usize] {
                Line::Presence(presence) => self.presence(presence, "presence", act.at),
                Line::Arrival(_) => unreachable!("a deed of presence is a line of presence"),
            },
            Deed::Arrive { call } => self.arrival(player, call, act.at),
            Deed::Call { call, agent, step, number } => {
                let id = player.step_id(step, number, player.arrival(call));
                self.step(player, call, agent, step, &id, act.at)
            }
        }
    }

    fn step(&self, player: &Player<'_>, call: u32, agent: u32, step: Step, id: &str, at: u64) -> Input {
        let arrival = player.arrival(call);
        let conversation = self.id(Kind::Conversation, &arrival.conversation);
        let agent = || self.id(Kind::Agent, player.agent_names.text(agent));
        let (event_type, body) = match step {
            Step::Handoff => {
                let (queue, skills, note) = (None, Vec::new(), None);
                let body = Body::ConversationHandoff { conversation, expected_epoch: None, queue, skills, note };
                (EventType::ConversationHandoff, body)
            }
            Step::Accept { offer } => (EventType::OfferAccept, Body::OfferAccept { offer, agent: agent() }),
            Step::Decline { offer } => {
                (EventType::OfferDecline, Body::OfferDecline { offer, agent: agent(), reason: None })
            }
            Step::Reply => {
                let (conversation, identity, mentions) = (Some(conversation), None, Vec::new());
                (EventType::MessageSent, Body::MessageSent { conversation, identity, answers: true, mentions })
            }
            Step::Transfer => (EventType::ConversationTransfer, self.transfer(arrival, conversation)),
            Step::Resolve => {
                (EventType::ConversationResolve, Body::ConversationResolve { conversation, expected_epoch: None })
            }
            Step::CompleteWrapUp => (EventType::WrapupComplete, Body::WrapupComplete { conversation, agent: agent() }),
            Step::Write => {
                let body = Body::MessageReceived { contact: self.contact(arrival), opens: true };
                (EventType::MessageReceived, body)
            }
            Step::Leave => {
                let (conversation, identity) = (Some(conversation), None);
                let body = Body::ContactEnded { conversation, identity, by: ActorKind::Customer };
                (EventType::ContactEnded, body)
            }
        };
        let actor = match step {
            Step::Handoff => Some(Actor { kind: ActorKind::Bot, id: Id::default() }),
            Step::Write | Step::Leave => self.customer(arrival),
            _ => Some(Actor { kind: ActorKind::Agent, id: agent() }),
        };
        self.input(id, event_type, at, actor, body)
    }

    fn transfer(&self, arrival: &Arrival, conversation: Id) -> Body {
        let queue = arrival.course().transfer.as_ref().map(|transfer| self.hash(Kind::Queue, &[&transfer.queue]));
        Body::ConversationTransfer {
            conversation,
            expected_epoch: None,
            to: Target { agent: None, queue, skills: Vec::new() },
            warm: false,
            place_back: false,
            note: Some(TRANSFER_NOTE.into()),
            reason: None,
            wait_ms: None,
            fallback: None,
        }
    }

    fn presence(&self, presence: &Presence, what: &str, at: u64) -> Input {
        let agent = self.id(Kind::Agent, &presence.agent);
        let actor = Actor { kind: ActorKind::Agent, id: agent.clone() };
        let body = Body::AgentPresence {
            agent,
            status: presence.status,
            by: By::Agent,
            session: None,
            sequence: None,
            expires_in_ms: None,
            channels: None,
            supervised: false,
            reason: None,
        };
        self.input(&format!("{what}/{}", presence.line), EventType::AgentPresence, at, Some(actor), body)
    }

    fn customer(&self, arrival: &Arrival) -> Option<Actor> {
        let customer = arrival.customer.as_ref()?;
        Some(Actor { kind: ActorKind::Customer, id: self.id(Kind::Customer, customer) })
    }

    fn arrival(&self, player: &Player<'_>, call: u32, at: u64) -> Input {
        let arrival = player.arrival(call);
        let contact = self.contact(arrival);
        let (event_type, body) = if player.calls[call as usize].live {
            (EventType::ContactStarted, Body::ContactStarted { contact })
        } else {
            (EventType::MessageReceived, Body::MessageReceived { contact, opens: true })
        };
        self.input(&player.event_id(ARRIVAL, arrival), event_type, at, self.customer(arrival), body)
    }

    fn contact(&self, arrival: &Arrival) -> Contact {
        let entry = arrival.entry.as_deref().unwrap_or("");
        let identity = |customer: &str| self.hash(Kind::Contact, &[&arrival.channel, entry, customer]);
        let skill = |(name, level): &(Box<str>, u8)| RequiredSkill { skill: self.id(Kind::Skill, name), level: *level };
        let mut skills: Vec<RequiredSkill> = arrival.skills.iter().map(skill).collect();
        skills.sort();
        Contact {
            conversation: Some(self.id(Kind::Conversation, &arrival.conversation)),
            // Asked for only where an event names no conversation.
            new_conversation: Id::default(),
            identity: arrival.customer.as_deref().map(identity),
            threaded: false,
            customer: arrival.customer.as_deref().map(|customer| self.id(Kind::Customer, customer)),
            tier: arrival.tier.as_deref().map(|tier| self.hash(Kind::Tier, &[tier])),
            language: arrival.language.as_deref().map(|language| self.hash(Kind::Language, &[language])),
            channel: self.id(Kind::Channel, &arrival.channel),
            entry: arrival.entry.as_deref().map(|entry| self.id(Kind::Entry, entry)).unwrap_or_default(),
            attributes: arrival.attributes.iter().map(|(k, v)| self.hash(Kind::Attribute, &[k, v])).collect(),
            skills,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = "workspace = 'w'\nversion = 1\n[[queue]]\nname = 'all'\nstrategy = 'longest_idle'\n\
                             [[rule]]\nqueue = 'all'\n[[agent]]\nid = 'A01'\n";

    fn workload(conversations: &[&str]) -> Workload {
        let mut text = r#"{"at":"2026-01-01T00:00:00Z","kind":"presence","agent":"A01","status":"online"}"#.to_owned();
        for conversation in conversations {
            text += &format!(
                "\n{{\"at\":\"2026-01-01T00:00:01Z\",\"kind\":\"arrival\",\"conversation\":\"{conversation}\",\
                 \"channel\":\"voice\",\"handle_s\":4,\"patience_s\":null}}"
            );
        }
        Workload::read("w", text.as_bytes(), &Selection::default()).unwrap()
    }

    #[test]
    fn conversations_named_like_events_are_all_answered() {
        let names = ["workspace", "agent/A01", "presence/1", "opening/1", "x", "x/resolve", "resolve/x", "arrival/x"];
        let workload = workload(&names);
        let file = WorkspaceFile::parse("w.toml", WORKSPACE).unwrap();
        let played = play(&file, &workload, 1).unwrap();
        let figures = Figures::of(&played.player, None, 0.0);
        assert_eq!((figures.all.answered, figures.all.unfinished), (names.len() as u64, 0));
        assert!(figures.refused.is_empty(), "{:?}", figures.refused);
        assert!(!played.player.calls[0].waited && played.player.calls[1].waited);
    }

    /// T is 10 s, wrap-up 2. All come at once: one is handled for 4 s, the next is answered after 6 and handled for 20, two
    /// leave after 3 (short) and after 8, the last is answered after 28 and handled for 4.
    #[test]
    fn service_level_and_rates_of_a_run_are_those_made_by_hand() {
        let workspace = WORKSPACE.replace("strategy", "service_level_s = 10\nstrategy")
            + "[channel.voice]\nlive = true\nwrap_up = { mode = 'timed', max_s = 2 }\n";
        let mut text = r#"{"at":"2026-01-01T00:00:00Z","kind":"presence","agent":"A01","status":"online"}"#.to_owned();
        for (id, handle, patience) in
            [("a", 4, "null"), ("b", 20, "null"), ("c", 9, "3"), ("d", 9, "8"), ("e", 4, "null")]
        {
            text += &format!(
                "\n{{\"at\":\"2026-01-01T00:00:01Z\",\"kind\":\"arrival\",\"conversation\":\"{id}\",\
                 \"channel\":\"voice\",\"handle_s\":{handle},\"patience_s\":{patience}}}"
            );
        }
        let workload = Workload::read("w", text.as_bytes(), &Selection::default()).unwrap();
        let file = WorkspaceFile::parse("w.toml", &workspace).unwrap();
        let figures = Figures::of(&play(&file, &workload, 1).unwrap().player, None, 0.0);
        let rates = figures.all.rates.unwrap();
        let expected = crate::service_level::Rates {
            service_level: Some(0.5),
            of_answered: Some(2.0 / 3.0),
            sl2: Some(0.75),
            of_arrivals: Some(0.5),
            without_early_abandons: Some(2.0 / 3.0),
            asa_s: Some(34_000.0 / 3.0 / 1e3),
            abandonment: Some(0.25),
            aht_s: Some(34_000.0 / 3.0 / 1e3),
            average_response_s: None,
        };
        assert_eq!((rates, figures.by_queue["all"].rates), (expected, Some(expected)));
        let json: serde_json::Value = serde_json::from_str(&figures.json()).unwrap();
        assert_eq!((&json["service_level"], &json["by_queue"]["all"]["sl2"]), (&0.5.into(), &0.75.into()));
    }

    #[test]
    fn the_average_response_is_over_turns() {
        let line = r#"{"at":"2026-01-01T00:00:01Z","kind":"arrival","conversation":"c","channel":"email","handle_s":4,
            "turns":[{"customer_after_s":10,"agent_after_s":2}]}"#;
        let presence = r#"{"at":"2026-01-01T00:00:00Z","kind":"presence","agent":"A01","status":"online"}"#;
        let text = format!("{presence}\n{}", line.replace('\n', ""));
        let workload = Workload::read("w", text.as_bytes(), &Selection::default()).unwrap();
        let file = WorkspaceFile::parse("w.toml", WORKSPACE).unwrap();
        let figures = Figures::of(&play(&file, &workload, 1).unwrap().player, None, 0.0);
        assert_eq!(figures.all.rates.unwrap().average_response_s, Some(3.0), "4 s, then 2");
    }

    #[test]
    fn who_waits_in_vain_is_late() {
        let workload = workload(&["a", "b"]);
        let file = WorkspaceFile::parse("w.toml", &WORKSPACE.replace("id = 'A01'", "id = 'B01'")).unwrap();
        let figures = Figures::of(&play(&file, &workload, 1).unwrap().player, None, 0.0);
        let rates = figures.all.rates.unwrap();
        assert_eq!((rates.service_level, rates.of_answered), (Some(0.0), None));
    }

    /// What `replay` sends is what `simulate` hands to the engine.
    #[test]
    fn every_deed_is_the_same_event_in_the_process_and_over_the_wire() {
        const KEY: HashKey = HashKey(7);
        let line = r#"{"at":"2026-01-01T00:00:00Z","kind":"arrival","conversation":"c","channel":"email","tier":"vip",
            "language":"de","entry":"in","attributes":{"a":"b"},"skills":{"german":3},"handle_s":1,
            "transfer":{"to":"second","after_s":1}}"#;
        let workload = Workload::read("w", line.replace('\n', "").as_bytes(), &Selection::default()).unwrap();
        let axis = Axis { workload: workload.begins, engine: workload.begins, stretch: 1.0 };
        let steps = [
            Step::Handoff,
            Step::Accept { offer: 12 },
            Step::Decline { offer: 12 },
            Step::Reply,
            Step::Transfer,
            Step::Resolve,
            Step::CompleteWrapUp,
            Step::Write,
            Step::Leave,
        ];
        let of_step = |step| Deed::Call { call: 0, agent: 0, step, number: 3 };
        for live in [false, true] {
            let mut player = Player::new(&workload, axis, "", 1, &|_| live);
            player.agent_names.number("anna");
            let (inputs, events) = (Inputs::new(KEY, "w"), crate::replay::events::Events::new("run", "w"));
            for deed in std::iter::once(Deed::Arrive { call: 0 }).chain(steps.map(of_step)) {
                let act = Act { at: workload.begins + 5, deed };
                let here = inputs.of(&act, &player);
                let mut there = codec::Decoder::new(KEY).decode(&events.of(&act, &player).json).unwrap();
                if let Body::MessageReceived { contact, .. } | Body::ContactStarted { contact } = &mut there.body {
                    // Asked for only where an event names no conversation.
                    contact.new_conversation = Id::default();
                }
                assert_eq!((&here.id, here.event_type, here.time), (&there.id, there.event_type, there.time));
                assert_eq!(here.body, there.body, "{deed:?}");
                let kinds = |input: &Input| input.actor.as_ref().map(|actor| actor.kind);
                let customers = matches!(kinds(&there), Some(ActorKind::Customer));
                assert!(kinds(&here) == kinds(&there) || customers && here.actor.is_none(), "{deed:?}");
            }
        }
    }

    #[test]
    fn an_event_that_the_engine_takes_for_a_repeat_ends_the_run() {
        let workload = workload(&["x"]);
        let axis = Axis { workload: workload.begins, engine: workload.begins, stretch: 1.0 };
        let mut player = Player::new(&workload, axis, "", 1, &|_| true);
        let key = HashKey(1);
        let mut machine = Machine::new(key, None);
        let policy = WorkspaceFile::parse("w.toml", WORKSPACE).unwrap().policy;
        let input = Inputs::new(key, "w").policy(policy, workload.begins);
        machine.step(&input, workload.begins, &mut player).unwrap();
        let error = machine.step(&input, workload.begins, &mut player).unwrap_err().to_string();
        assert_eq!(error, "the engine takes the event workspace for one that it has had");
    }
}
