//! Real waits: the incidents of a company (`bpi2013_incidents.csv.gz`), played as conversations whose resolution clock stands
//! still while the user is to answer. What the engine says that each took, by the wall and by the office's hours, is what
//! `tests/calendar/incidents_reference.py` computes.

use crate::histories::events::{self, Sender};
use crate::node::program_or_skip;
use crate::player::data;
use connectors::calendar::expand;
use engine::decision::{DecisionType, Reason, Told};
use engine::id::Kind;
use engine::input::{Body, By, Contact, EventType, Input, Status};
use engine::policy::{Calendar, Channel, Clock, ClockKind, DateOpenings, PauseOn, Policy, Strategy, WeeklyOpening};
use engine::{Engine, Limits, Output};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// As long as a policy can say.
const EVER_MS: u64 = 3_650 * 86_400_000;
const TARGET_MS: u64 = 40 * 3_600_000;

#[derive(Deserialize)]
struct Case {
    case: String,
    /// (ms UTC, from here on the user is to answer).
    moments: Vec<(u64, bool)>,
    wall_ms: u64,
    business_ms: u64,
}

#[test]
fn incidents_take_as_long_as_a_second_computation_says() {
    let what = "the waits of real incidents";
    let Some(path) = data(what, "bpi2013_incidents.csv.gz") else { return };
    if !program_or_skip("python3", what) {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calendar/incidents_reference.py");
    let done = Command::new("python3").arg("-B").arg(script).arg(path).output().expect("python3 starts");
    let error = String::from_utf8_lossy(&done.stderr);
    if error.contains("ZoneInfoNotFoundError") {
        println!("skipped: {what}: python3 has no time zones (tzdata is not installed)");
        return;
    }
    assert!(done.status.success(), "{error}");
    let cases: Vec<Case> = done.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect();
    assert_eq!(cases.len(), 7_554);
    let told = Office::open(&cases).play(&cases);
    let mut paused = 0;
    for case in &cases {
        let clock = told.get(&*case.case).unwrap_or_else(|| panic!("case {} was never resolved", case.case));
        assert_eq!((clock.wall_ms, clock.business_ms), (case.wall_ms, case.business_ms), "case {}", case.case);
        assert_eq!(clock.over_ms, case.business_ms.saturating_sub(TARGET_MS), "case {}", case.case);
        assert_eq!(clock.met, case.business_ms <= TARGET_MS, "case {}", case.case);
        paused += usize::from(clock.paused);
    }
    assert!(paused > 2_000, "only {paused} cases waited for their users");
    println!("{} incidents, {paused} of them paused", cases.len());
}

fn read(line: &[u8]) -> Case {
    serde_json::from_slice(line).expect("a case")
}

/// What was told of a case's clock.
#[derive(Default)]
struct Clocked {
    wall_ms: u64,
    business_ms: u64,
    over_ms: u64,
    met: bool,
    paused: bool,
}

struct Office {
    engine: Engine,
    out: Output,
    sender: Sender,
}

impl Office {
    fn open(cases: &[Case]) -> Office {
        let first = cases.iter().map(|case| case.moments[0].0).min().expect("there are cases");
        let sender = Sender::new("acme");
        let mut office = Office { engine: Engine::new(sender.key), out: Output::default(), sender };
        let limits = Limits { idempotency_max: 64, ..Limits::default() };
        office.engine.set_limits(limits, first, &mut office.out);
        let configure = office.sender.configure(policy(), None);
        let expansion = office.expansion();
        let agent = office.sender.agent("desk", events::agent_config(Some(1_000_000), 1, &[]));
        let online = office.sender.presence("desk", Status::Online, By::Agent);
        for input in [configure, expansion, agent, online] {
            let told = office.step(&input, first);
            assert!(told.iter().all(|told| told.decision_type != DecisionType::CommandRejected), "{told:?}");
        }
        office
    }

    /// The office's hours from before the first case to after the last.
    fn expansion(&mut self) -> Input {
        let days = 1_000;
        let start = date(2010, 1, 1);
        let openings = expand(&calendar(), start, days).expect("an ordinary calendar");
        let from = start.to_zoned_datetime(TimeZone::UTC).expect("a day").timestamp().as_millisecond() as u64;
        let until = from + u64::from(days) * 86_400_000;
        let calendar = self.sender.id(Kind::Calendar, "office");
        self.sender.input(EventType::CalendarExpand, Body::CalendarExpand { calendar, from, until, openings })
    }

    fn step(&mut self, input: &Input, now: u64) -> Vec<Told> {
        self.out.begin(self.out.seq + 1);
        while self.engine.wants_tick_at().is_some_and(|at| at <= now) {
            let at = self.engine.wants_tick_at().unwrap_or(now);
            self.engine.tick(at, &mut self.out);
        }
        self.engine.step(input, now, &mut self.out);
        while self.engine.wants_tick_at().is_some_and(|at| at <= now) {
            self.engine.tick(now, &mut self.out);
        }
        self.engine.seal();
        connectors::codec::decisions(&self.out.decisions).expect("what is told can be read")
    }

    /// All moments of all cases, in order.
    fn play(mut self, cases: &[Case]) -> HashMap<String, Clocked> {
        let mut moments: Vec<(u64, usize, usize)> = Vec::new();
        for (case, of) in cases.iter().enumerate() {
            moments.extend(of.moments.iter().enumerate().map(|(at, moment)| (moment.0, case, at)));
        }
        moments.sort_unstable();
        let mut clocks = HashMap::new();
        for (now, case, at) in moments {
            for input in self.happens(&cases[case], at) {
                self.step(&input, now).iter().for_each(|told| hear(told, &mut clocks));
            }
        }
        clocks
    }

    /// The user speaks where the case goes on, we do where it waits for him; in the end it is resolved.
    fn happens(&mut self, case: &Case, at: usize) -> Vec<Input> {
        let (_, waits) = case.moments[at];
        let did_wait = at > 0 && case.moments[at - 1].1;
        let mut inputs = Vec::new();
        if at == 0 || (did_wait && !waits) {
            let contact = self.sender.contact("email", "", Some(&case.case), None);
            let conversation = Some(self.sender.id(Kind::Conversation, &case.case));
            inputs.push(self.sender.received(Contact { conversation, ..contact }, true));
        }
        if waits && !did_wait {
            inputs.push(self.sender.replied(&case.case, "desk"));
        }
        if at + 1 == case.moments.len() {
            inputs.push(self.sender.resolve(&case.case, None));
        }
        inputs
    }
}

fn hear(told: &Told, clocks: &mut HashMap<String, Clocked>) {
    let (Some(clock), Some(conversation)) = (told.clock, &told.conversation) else { return };
    if clock.clock != ClockKind::Resolution {
        return;
    }
    let known = clocks.entry(conversation.id.to_string()).or_default();
    match told.decision_type {
        DecisionType::ClockPaused => known.paused = true,
        DecisionType::ClockCompleted => {
            let Clocked { paused, .. } = *known;
            let met = told.reason == Reason::Met;
            let (wall_ms, business_ms, over_ms) = (clock.wall_ms, clock.business_ms, clock.over_ms);
            *known = Clocked { wall_ms, business_ms, over_ms, met, paused };
        }
        _ => {}
    }
}

fn calendar() -> Calendar {
    let weekly = (1..=5).map(|day| WeeklyOpening { day, from_minute: 480, to_minute: 1_020 });
    let holidays = [606, 1_224, 1_225, 1_226, 101];
    let years = [2010, 2011, 2012];
    let dates =
        years.iter().flat_map(|year| holidays.map(|day| DateOpenings { date: year * 10_000 + day, openings: vec![] }));
    Calendar {
        name: "office".into(),
        zone: "Europe/Stockholm".into(),
        weekly: weekly.collect(),
        dates: dates.collect(),
    }
}

fn policy() -> Policy {
    let mut policy = events::plain_policy(Strategy::LongestIdle);
    policy.calendars = vec![calendar()];
    policy.clocks = vec![Clock {
        kind: ClockKind::Resolution,
        calendar: "office".into(),
        target_ms: TARGET_MS,
        warn_percent: vec![50],
        pause_on: Some(vec![PauseOn::Theirs]),
        ..Clock::default()
    }];
    let patient =
        Channel { owner_silent_ms: EVER_MS, close_after_ms: EVER_MS, ..events::channel("email", false, 1, false) };
    events::set_channel(&mut policy, patient);
    policy
}
