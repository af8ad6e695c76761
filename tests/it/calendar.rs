//! Calendars against a second computation: `tests/calendar/zoneinfo_reference.py`, with Python's zones and its own way of
//! counting, on drawn zones, weeks, dates, starts, targets and pauses. Equal to the millisecond.
//!
//! `CASES` sets how many are drawn (100,000 in `make test`), `SEED` draws one. Years end with 2024: of what is further
//! ahead, two releases of the time-zone database may say different things.

use crate::node::program_or_skip;
use connectors::calendar::expand;
use engine::calendar::{Opening, Openings};
use engine::policy::{Calendar, DateOpenings, DayOpening, WeeklyOpening};
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// 1995-01-10 and 2024-11-20, UTC.
const STARTS: (u64, u64) = (789_696_000_000, 1_732_060_800_000);
/// Local days that are expanded, two of them before the start.
const DAYS: u16 = 16;
const SHOWN: usize = 5;

/// Every kind of clock change: an hour, half an hour, at midnight, over the date line, in Ramadan, seldom, never.
const ZONES: [&str; 26] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Moscow",
    "Europe/Istanbul",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Caracas",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Amman",
    "Asia/Pyongyang",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
];

/// Where weeks' minutes come from besides chance: midnights, the hours in which clocks change, office hours, nights.
const MINUTES: [u16; 18] = [0, 0, 30, 60, 90, 120, 135, 150, 165, 180, 240, 480, 540, 720, 1_020, 1_080, 1_320, 1_380];

struct Case {
    calendar: Calendar,
    first: Date,
    openings: Openings,
    start: u64,
    end: u64,
    target: u64,
    /// Disjoint, rising, from the start on.
    pauses: Vec<Opening>,
}

#[derive(PartialEq, Eq, Debug)]
struct Answer {
    business_ms: u64,
    due: Option<u64>,
    breach: Option<u64>,
}

#[test]
fn business_time_due_and_breach_are_those_of_pythons_zoneinfo() {
    if !reference_or_skip("calendars against Python's zoneinfo") {
        return;
    }
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=cases_asked()).collect::<Vec<u64>>(),
    };
    let started = Instant::now();
    let cases: Vec<Case> = seeds.iter().map(|seed| Case::draw(*seed)).collect();
    let ours: Vec<Answer> = cases.iter().map(Case::answer).collect();
    let ours_took = started.elapsed();
    let theirs = reference(&cases, "all", &[]);
    let differing: Vec<usize> = (0..cases.len()).filter(|i| ours[*i] != theirs[*i]).collect();
    for i in differing.iter().take(SHOWN) {
        println!("{}\nhere {:?}\nzoneinfo {:?}", cases[*i].to_json(), ours[*i], theirs[*i]);
        println!("SEED={} cargo test --test it calendar -- --nocapture\n", seeds[*i]);
    }
    println!(
        "{} cases, {}; drawn and answered in {ours_took:.1?}, with the reference in {:.1?}",
        cases.len(),
        kinds(&cases, &ours),
        started.elapsed()
    );
    assert!(differing.is_empty(), "{} of {} cases differ, as shown above", differing.len(), cases.len());
}

#[test]
fn each_mistake_planted_in_the_reference_is_noticed() {
    if !reference_or_skip("mistakes planted in the calendars' reference") {
        return;
    }
    let cases: Vec<Case> = (1..=2_000).map(Case::draw).collect();
    for mistake in ["fold", "gap", "holiday", "night", "closing"] {
        let theirs = reference(&cases, mistake, &["--wrong", mistake]);
        let noticed = cases.iter().zip(theirs).filter(|(case, theirs)| case.answer() != *theirs).count();
        println!("{mistake}: {noticed} of {} cases differ", cases.len());
        assert!(noticed > 0, "{mistake} went unnoticed");
    }
}

fn cases_asked() -> u64 {
    std::env::var("CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// Whether Python and its zones are on this machine, else a line that says what was skipped.
fn reference_or_skip(test: &str) -> bool {
    if !program_or_skip("python3", test) {
        return false;
    }
    let zone = "import zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')";
    let there = Command::new("python3").args(["-c", zone]).stderr(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: {test}: python3 has no time zones (tzdata is not installed)");
    }
    there
}

/// The reference's answers, case by case.
fn reference(cases: &[Case], name: &str, arguments: &[&str]) -> Vec<Answer> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calendar/zoneinfo_reference.py");
    let file =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("calendar-{name}-{}.ndjson", std::process::id()));
    let lines: String = cases.iter().map(|case| case.to_json() + "\n").collect();
    std::fs::write(&file, lines).expect("target/tmp can be written");
    let output = Command::new("python3").arg(script).arg(&file).args(arguments).output().expect("python3 starts");
    std::fs::remove_file(&file).expect("it was written");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Answer> = String::from_utf8(output.stdout).expect("digits").lines().map(answer_of_line).collect();
    assert_eq!(answers.len(), cases.len(), "one line for each case");
    answers
}

fn answer_of_line(line: &str) -> Answer {
    let mut numbers = line.split(' ').map(|word| word.parse().ok());
    let mut next = || numbers.next().expect("three words");
    Answer { business_ms: next().expect("a number"), due: next(), breach: next() }
}

/// How many were of the kinds that matter; of many, some must be of each.
fn kinds(cases: &[Case], answers: &[Answer]) -> String {
    let at_closing =
        answers.iter().filter(|a| a.due.zip(a.breach).is_some_and(|(due, breach)| breach > due + 1)).count();
    let unreached = answers.iter().filter(|a| a.due.is_none()).count();
    let paused = cases.iter().filter(|case| !case.pauses.is_empty()).count();
    let changing = cases.iter().filter(|case| case.clocks_change()).count();
    assert!(cases.len() < 1_000 || [at_closing, unreached, paused, changing].iter().all(|count| *count > 0));
    format!(
        "{at_closing} due at a closing, {unreached} not reached, {paused} with pauses, {changing} over a clock change"
    )
}

impl Case {
    fn draw(seed: u64) -> Case {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let name = ZONES[rng.random_range(0..ZONES.len())];
        let zone = TimeZoneDatabase::bundled().get(name).expect("a zone that is known");
        let start = draw_start(&zone, rng);
        let first = zone.to_datetime(timestamp(start)).date().checked_sub(Span::new().days(2)).expect("a date");
        let calendar =
            Calendar { name: "drawn".into(), zone: name.into(), weekly: draw_week(rng), dates: draw_dates(first, rng) };
        let until = start + u64::from(DAYS + 3) * DAY_MS;
        let openings = Openings::new(until, &expand(&calendar, first, DAYS).expect("a calendar that can be expanded"));
        let pauses = draw_pauses(&openings, start, rng);
        let end = near_a_change(&openings, start + rng.random_range(0..12 * DAY_MS), rng);
        let target = draw_target(&openings, start, rng);
        Case { calendar, first, openings, start, end, target, pauses }
    }

    fn answer(&self) -> Answer {
        let paused = |pause: &Opening| self.openings.business_between(pause.from.min(self.end), pause.to.min(self.end));
        let in_pauses: u64 = self.pauses.iter().map(paused).sum();
        Answer {
            business_ms: self.openings.business_between(self.start, self.end) - in_pauses,
            due: self.first_instant(Openings::reached),
            breach: self.first_instant(Openings::passed),
        }
    }

    /// As a clock does it: what is left of the target is looked for from one pause to the next.
    fn first_instant(&self, found: fn(&Openings, u64, u64) -> Option<u64>) -> Option<u64> {
        let (mut from, mut left) = (self.start, self.target);
        for pause in &self.pauses {
            if let Some(at) = found(&self.openings, from, left).filter(|at| *at <= pause.from) {
                return Some(at);
            }
            left -= self.openings.business_between(from, pause.from);
            from = pause.to;
        }
        found(&self.openings, from, left)
    }

    fn clocks_change(&self) -> bool {
        let zone = TimeZoneDatabase::bundled().get(&self.calendar.zone).expect("a zone that is known");
        zone.to_offset(timestamp(self.start)) != zone.to_offset(timestamp(self.start + 12 * DAY_MS))
    }

    fn to_json(&self) -> String {
        let span = |opening: &DayOpening| json!([opening.from_minute, opening.to_minute]);
        let weekly = |opening: &WeeklyOpening| json!([opening.day, opening.from_minute, opening.to_minute]);
        let date = |date: &DateOpenings| {
            let spans = date.openings.iter().map(span).collect::<Vec<_>>();
            json!([connectors::calendar::date_text(date.date), spans])
        };
        json!({
            "zone": &*self.calendar.zone,
            "first": self.first.to_string(),
            "days": DAYS,
            "weekly": self.calendar.weekly.iter().map(weekly).collect::<Vec<_>>(),
            "dates": self.calendar.dates.iter().map(date).collect::<Vec<_>>(),
            "start": self.start,
            "end": self.end,
            "target": self.target,
            "pauses": self.pauses.iter().map(|pause| json!([pause.from, pause.to])).collect::<Vec<_>>(),
        })
        .to_string()
    }
}

fn timestamp(ms: u64) -> Timestamp {
    Timestamp::from_millisecond(ms as i64).expect("a year that has dates")
}

/// Every second one shortly before a change of the zone's clocks.
fn draw_start(zone: &TimeZone, rng: &mut ChaCha8Rng) -> u64 {
    let anywhere = rng.random_range(STARTS.0..STARTS.1);
    if rng.random() {
        return anywhere;
    }
    let change = zone.following(timestamp(anywhere)).next().map(|change| change.timestamp().as_millisecond() as u64);
    let change = change.filter(|change| *change < STARTS.1).unwrap_or(anywhere);
    change - rng.random_range(0..4 * DAY_MS)
}

fn draw_week(rng: &mut ChaCha8Rng) -> Vec<WeeklyOpening> {
    let weekly =
        |day: u8, span: DayOpening| WeeklyOpening { day, from_minute: span.from_minute, to_minute: span.to_minute };
    let span = draw_span(rng);
    match rng.random_range(0..4) {
        0 => (1..=5).map(|day| weekly(day, DayOpening { from_minute: 540, to_minute: 1_080 })).collect(),
        1 => (1..=7).map(|day| weekly(day, span)).collect(),
        _ => (0..rng.random_range(1..=12)).map(|_| weekly(rng.random_range(1..=7), draw_span(rng))).collect(),
    }
}

fn draw_dates(first: Date, rng: &mut ChaCha8Rng) -> Vec<DateOpenings> {
    let mut dates: Vec<DateOpenings> = Vec::new();
    for _ in 0..rng.random_range(0..=4) {
        let date = first.checked_add(Span::new().days(rng.random_range(-1..i64::from(DAYS)))).expect("a date");
        let date = connectors::calendar::parse_date(&date.to_string()).expect("a date");
        let openings = (0..rng.random_range(0..=2)).map(|_| draw_span(rng)).collect();
        if dates.iter().all(|known| known.date != date) {
            dates.push(DateOpenings { date, openings });
        }
    }
    dates
}

/// An end before its begin, and 24:00, come often.
fn draw_span(rng: &mut ChaCha8Rng) -> DayOpening {
    let mut minute = || {
        if rng.random_ratio(1, 4) { rng.random_range(0..1_440) } else { MINUTES[rng.random_range(0..MINUTES.len())] }
    };
    let (from_minute, to_minute) = (minute(), minute());
    DayOpening { from_minute, to_minute: if to_minute == 0 { 1_440 } else { to_minute } }
}

fn draw_pauses(openings: &Openings, start: u64, rng: &mut ChaCha8Rng) -> Vec<Opening> {
    let mut at = start;
    let mut pauses = Vec::new();
    for _ in 0..rng.random_range(0..=5) {
        let from = near_a_change(openings, at + rng.random_range(0..DAY_MS), rng);
        let to = near_a_change(openings, from + rng.random_range(0..30 * HOUR_MS), rng);
        pauses.push(Opening { from, to });
        at = to;
    }
    pauses
}

/// Every fourth one exactly at the next opening or closing.
fn near_a_change(openings: &Openings, at: u64, rng: &mut ChaCha8Rng) -> u64 {
    if rng.random_ratio(1, 4) { openings.next_change(at).unwrap_or(at) } else { at }
}

/// Every second one is met exactly at a closing, where there is no pause.
fn draw_target(openings: &Openings, start: u64, rng: &mut ChaCha8Rng) -> u64 {
    let closings: Vec<u64> = openings.list().iter().map(|opening| opening.to).filter(|to| *to > start).collect();
    if closings.is_empty() || rng.random() {
        return rng.random_range(1..60 * HOUR_MS);
    }
    openings.business_between(start, closings[rng.random_range(0..closings.len().min(6))])
}
