//! Calendars: from local opening hours to the UTC openings that the engine counts with (routing.md §7), what is wrong
//! with a calendar, and how it is written in a workspace file.
//!
//! Expanded with the time-zone database that is compiled in, never the system's: the same calendar has to give the same
//! numbers on every machine. Openings are recorded, so recovery does not come here. A local time in a gap moves forward
//! by the gap, an ambiguous one is the first; what becomes empty by that is dropped.

use crate::codec::limits::ID_BYTES;
use crate::codec::{nearest, timestamp};
use engine::calendar::{Opening, Openings};
use engine::policy::{Calendar, DateOpenings, DayOpening, Policy, WeeklyOpening, limits};
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// An expansion begins so many days before now: clocks may start in the past (routing.md §1).
pub const DAYS_BEFORE: u16 = 2;
/// An expansion ends so many days after now.
pub const DAYS_AHEAD: u16 = 400;
/// Openings that end sooner than this are expanded again, about once a month.
pub const DAYS_LEFT: u16 = 370;
/// A calendar that has no opening in so many days is refused.
pub const DAYS_WITHOUT_OPENING: u16 = 366;

/// Of `calendar.expand`: the process itself.
const SOURCE: &str = "strowger";

const DAY_MINUTES: u16 = 1_440;
const DAY_MS: u64 = 86_400_000;
const DAY_WORDS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Why a calendar cannot be expanded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CalendarFault {
    #[error("no time zone is named `{name}`{hint}")]
    UnknownZone {
        name: String,
        /// Empty, or the rest of the sentence.
        hint: String,
    },
    #[error("expands to {0} openings, and {max} are the limit", max = limits::OPENINGS)]
    TooManyOpenings(usize),
    #[error("reaches beyond the years that have dates")]
    BeyondDates,
}

impl From<jiff::Error> for CalendarFault {
    /// Whatever jiff refuses below is a date or time that it has not.
    fn from(_: jiff::Error) -> CalendarFault {
        CalendarFault::BeyondDates
    }
}

/// What the engine is told of a calendar: all openings in [from, until), in milliseconds UTC, sorted and disjoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expansion {
    pub from: u64,
    pub until: u64,
    pub openings: Vec<Opening>,
}

impl Expansion {
    /// Whether what is known says the same from `now_ms` on, as far as both go.
    pub fn agrees_with(&self, known: &Openings, now_ms: u64) -> bool {
        let until = self.until.min(known.until());
        let from_now = |list: &[Opening]| Openings::default().renewed(now_ms, until, list);
        from_now(&self.openings) == from_now(known.list())
    }
}

/// When openings that are known up to `until` are expanded again.
pub fn renewal_of(until: u64) -> u64 {
    until.saturating_sub(u64::from(DAYS_LEFT) * DAY_MS)
}

/// Whether what is known reaches far enough ahead.
pub fn lasts(known: &Openings, now_ms: u64) -> bool {
    now_ms <= renewal_of(known.until())
}

/// The `calendar.expand` that tells the engine, as a CloudEvent. The same openings of the same calendar and policy on the
/// same day are the same event, so it may be sent again.
pub fn event(workspace: &str, policy_version: u64, calendar: &str, expansion: &Expansion) -> serde_json::Value {
    let opening = |opening: &Opening| [timestamp(opening.from), timestamp(opening.to)];
    let openings = json!(expansion.openings.iter().map(opening).collect::<Vec<_>>());
    let until = timestamp(expansion.until);
    let content = Sha256::digest(format!("{calendar} {until} {openings}").as_bytes());
    let content: String = content.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut id = format!("calendar/{policy_version}/{}/{content}/{calendar}", timestamp(expansion.from));
    if id.len() > ID_BYTES {
        id.truncate(id.len() - calendar.len() - 1);
    }
    json!({
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": "calendar.expand",
        "workspace": workspace,
        "datacontenttype": "application/json",
        "data": {
            "actor": { "kind": "system" },
            "calendar": calendar,
            "from": timestamp(expansion.from),
            "until": until,
            "openings": openings,
        },
    })
}

/// From local midnight two days before `now_ms` to local midnight 400 days after.
pub fn expansion_at(calendar: &Calendar, now_ms: u64) -> Result<Expansion, CalendarFault> {
    let hours = LocalHours::of(calendar)?;
    let today = hours.date_at(now_ms)?;
    hours.expansion(today.checked_sub(days(DAYS_BEFORE))?, DAYS_BEFORE + DAYS_AHEAD)
}

/// The openings of `count` local days from `first` on, those that run into them from the day before included; cut at
/// both ends.
pub fn expand(calendar: &Calendar, first: Date, count: u16) -> Result<Vec<Opening>, CalendarFault> {
    Ok(LocalHours::of(calendar)?.expansion(first, count)?.openings)
}

/// A calendar made ready for looking up days.
struct LocalHours<'a> {
    zone: TimeZone,
    /// From Monday.
    weekly: [Vec<DayOpening>; 7],
    dates: BTreeMap<u32, &'a [DayOpening]>,
}

impl LocalHours<'_> {
    fn of(calendar: &Calendar) -> Result<LocalHours<'_>, CalendarFault> {
        let mut weekly: [Vec<DayOpening>; 7] = Default::default();
        for opening in &calendar.weekly {
            // A day out of range is told by `faults` and never comes.
            if let Some(of_day) = weekly.get_mut(usize::from(opening.day).wrapping_sub(1)) {
                of_day.push(DayOpening { from_minute: opening.from_minute, to_minute: opening.to_minute });
            }
        }
        let dates = calendar.dates.iter().map(|date| (date.date, date.openings.as_slice())).collect();
        Ok(LocalHours { zone: zone_named(&calendar.zone)?, weekly, dates })
    }

    fn expansion(&self, first: Date, count: u16) -> Result<Expansion, CalendarFault> {
        let end = first.checked_add(days(count))?;
        let (from, until) = (self.instant(first, 0)?, self.instant(end, 0)?);
        let mut found = Vec::new();
        // The day before may run past midnight.
        let mut date = first.yesterday()?;
        while date < end {
            for opening in self.openings_of(date) {
                found.push(self.opening(date, *opening)?);
            }
            date = date.tomorrow()?;
        }
        let openings = Openings::default().renewed(from, until, &found).list().to_vec();
        if openings.len() > limits::OPENINGS {
            return Err(CalendarFault::TooManyOpenings(openings.len()));
        }
        Ok(Expansion { from, until, openings })
    }

    fn openings_of(&self, date: Date) -> &[DayOpening] {
        match self.dates.get(&date_number(date)) {
            Some(openings) => openings,
            None => &self.weekly[date.weekday().to_monday_zero_offset() as usize],
        }
    }

    /// Empty or backwards where a gap swallowed it; who collects them drops those.
    fn opening(&self, date: Date, opening: DayOpening) -> Result<Opening, CalendarFault> {
        let past_midnight = opening.to_minute <= opening.from_minute;
        let to_minute = opening.to_minute.saturating_add(if past_midnight { DAY_MINUTES } else { 0 });
        Ok(Opening { from: self.instant(date, opening.from_minute)?, to: self.instant(date, to_minute)? })
    }

    /// Of minutes on the wall's clock since a date's midnight; times before 1970 are 1970.
    fn instant(&self, date: Date, minute: u16) -> Result<u64, CalendarFault> {
        let date = date.checked_add(days(minute / DAY_MINUTES))?;
        let of_day = minute % DAY_MINUTES;
        let local = date.at((of_day / 60) as i8, (of_day % 60) as i8, 0, 0);
        let instant = self.zone.to_ambiguous_timestamp(local).compatible()?;
        Ok(u64::try_from(instant.as_millisecond()).unwrap_or(0))
    }

    fn date_at(&self, ms: u64) -> Result<Date, CalendarFault> {
        let ms = i64::try_from(ms).map_err(|_| CalendarFault::BeyondDates)?;
        Ok(self.zone.to_datetime(Timestamp::from_millisecond(ms)?).date())
    }

    /// Whether anything is open in the days from `now_ms` on within which every calendar has to open.
    fn opens_soon(&self, now_ms: u64) -> Result<bool, CalendarFault> {
        let end = now_ms.saturating_add(u64::from(DAYS_WITHOUT_OPENING) * DAY_MS);
        let expansion = self.expansion(self.date_at(now_ms)?, DAYS_WITHOUT_OPENING + 1)?;
        Ok(expansion.openings.iter().any(|opening| opening.to > now_ms && opening.from < end))
    }
}

fn days(count: u16) -> Span {
    Span::new().days(i64::from(count))
}

/// 2026-12-24 as 20261224.
fn date_number(date: Date) -> u32 {
    let year = u32::try_from(date.year()).unwrap_or(0);
    year * 10_000 + date.month().unsigned_abs() as u32 * 100 + date.day().unsigned_abs() as u32
}

fn date_of_number(number: u32) -> Option<Date> {
    let year = i16::try_from(number / 10_000).ok().filter(|year| *year >= 1970)?;
    Date::new(year, (number / 100 % 100) as i8, (number % 100) as i8).ok()
}

/// Names count as they are spelled: a file that one machine takes, every other one takes.
pub fn zone_named(name: &str) -> Result<TimeZone, CalendarFault> {
    let known = DATABASE.get(name).ok().filter(|zone| zone.iana_name() == Some(name));
    known.ok_or_else(|| {
        let hint = nearest_zone(name).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        CalendarFault::UnknownZone { name: name.to_string(), hint }
    })
}

/// A zone spelled alike, or the one whose city this is.
fn nearest_zone(name: &str) -> Option<String> {
    let known: Vec<String> = DATABASE.available().map(|zone| zone.to_string()).collect();
    let is_city = |zone: &&String| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name));
    if let Some(zone) = known.iter().find(is_city) {
        return Some(zone.clone());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    nearest(name, &known).map(str::to_string)
}

/// What is wrong with a policy's calendars, as `Policy::faults` says it: what the engine cannot know.
pub fn faults_of(policy: &Policy, now_ms: Option<u64>) -> Vec<(String, String)> {
    let of_one = |(i, calendar): (usize, &Calendar)| {
        faults(calendar, now_ms).into_iter().map(move |(path, sentence)| (format!("calendar[{i}].{path}"), sentence))
    };
    policy.calendars.iter().take(limits::CALENDARS).enumerate().flat_map(of_one).collect()
}

/// What is wrong with a calendar, as (path, sentence without its path); none: it can be taken. Paths are those of a
/// file's keys, lists counted from 0: `dates[2].open[0]`. Names are the policy's matter. Without a time it is not asked
/// whether it ever opens.
pub fn faults(calendar: &Calendar, now_ms: Option<u64>) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    if let Err(fault) = zone_named(&calendar.zone) {
        faults.push(("zone".to_string(), fault.to_string()));
    }
    faults_of_week(&calendar.weekly, &mut faults);
    faults_of_dates(&calendar.dates, &mut faults);
    // Whether it ever opens can only be said of one that is right so far.
    if let Some(now_ms) = now_ms.filter(|_| faults.is_empty()) {
        faults.extend(fault_of_opening_never(calendar, now_ms));
    }
    faults
}

fn fault_of_opening_never(calendar: &Calendar, now_ms: u64) -> Option<(String, String)> {
    let sentence = match LocalHours::of(calendar).and_then(|hours| hours.opens_soon(now_ms)) {
        Ok(true) => return None,
        Ok(false) => format!("has no opening in the next {DAYS_WITHOUT_OPENING} days"),
        Err(fault) => fault.to_string(),
    };
    Some(("open".to_string(), sentence))
}

fn faults_of_week(weekly: &[WeeklyOpening], faults: &mut Vec<(String, String)>) {
    too_many("open", "openings", weekly.len(), limits::WEEKLY_OPENINGS, faults);
    for (day, word) in (1..).zip(DAY_WORDS) {
        let count = weekly.iter().filter(|opening| opening.day == day).count();
        too_many("open", &format!("openings on {word}"), count, limits::OPENINGS_OF_DATE, faults);
    }
    for (i, opening) in weekly.iter().enumerate() {
        if !(1..=7).contains(&opening.day) {
            faults.push((format!("open[{i}]"), "must be on a day from 1 (Monday) to 7 (Sunday)".to_string()));
        }
        let minutes = DayOpening { from_minute: opening.from_minute, to_minute: opening.to_minute };
        faults_of_minutes(&format!("open[{i}]"), minutes, faults);
    }
}

fn faults_of_dates(dates: &[DateOpenings], faults: &mut Vec<(String, String)>) {
    too_many("dates", "dates", dates.len(), limits::DATES, faults);
    let mut seen = BTreeSet::new();
    for (i, date) in dates.iter().enumerate() {
        if date_of_number(date.date).is_none() {
            faults.push((format!("dates[{i}].date"), format!("there is no date {}", date_text(date.date))));
        } else if !seen.insert(date.date) {
            faults.push((format!("dates[{i}].date"), format!("{} is there twice", date_text(date.date))));
        }
        let path = format!("dates[{i}].open");
        too_many(&path, "openings", date.openings.len(), limits::OPENINGS_OF_DATE, faults);
        for (j, opening) in date.openings.iter().enumerate() {
            faults_of_minutes(&format!("{path}[{j}]"), *opening, faults);
        }
    }
}

fn faults_of_minutes(path: &str, opening: DayOpening, faults: &mut Vec<(String, String)>) {
    if opening.from_minute >= DAY_MINUTES {
        faults.push((path.to_string(), "must begin before 24:00".to_string()));
    }
    if opening.to_minute > DAY_MINUTES {
        faults.push((
            path.to_string(),
            "must end at 24:00 or before; an end at or before its begin is on the next day".into(),
        ));
    }
}

fn too_many(path: &str, what: &str, count: usize, max: usize, faults: &mut Vec<(String, String)>) {
    if count > max {
        faults.push((path.to_string(), format!("has {count} {what}, and {max} are the limit")));
    }
}

/// `mon-fri 09:00-18:00`: the opening of each of these days.
pub fn parse_weekly(text: &str) -> Result<Vec<WeeklyOpening>, String> {
    let Some((days, span)) = text.split_once(' ') else {
        return Err(format!("`{text}` is not days and a span, like `mon-fri 09:00-18:00`"));
    };
    let DayOpening { from_minute, to_minute } = parse_span(span)?;
    Ok(parse_days(days)?.into_iter().map(|day| WeeklyOpening { day, from_minute, to_minute }).collect())
}

/// The other way: one text for all days that share a span, in the order of their first. Read again and sorted, they
/// are what they were, sorted.
pub fn weekly_texts(weekly: &[WeeklyOpening]) -> Vec<String> {
    let mut days_of_spans: Vec<(DayOpening, Vec<u8>)> = Vec::new();
    for WeeklyOpening { day, from_minute, to_minute } in weekly.iter().copied() {
        let span = DayOpening { from_minute, to_minute };
        match days_of_spans.iter_mut().find(|(known, _)| *known == span) {
            Some((_, days)) => days.push(day),
            None => days_of_spans.push((span, vec![day])),
        }
    }
    days_of_spans.iter().map(|(span, days)| format!("{} {}", days_text(days), span_text(*span))).collect()
}

/// `09:00-18:00`; an end at or before the begin is on the next day.
pub fn parse_span(text: &str) -> Result<DayOpening, String> {
    let unreadable = || format!("`{text}` is not a span of time, like `09:00-18:00`");
    let (from, to) = text.split_once('-').ok_or_else(unreadable)?;
    let (from_minute, to_minute) = (minute(from).ok_or_else(unreadable)?, minute(to).ok_or_else(unreadable)?);
    if from_minute == DAY_MINUTES {
        return Err(format!("`{text}` begins at 24:00: write 00:00 on the next day"));
    }
    Ok(DayOpening { from_minute, to_minute })
}

pub fn span_text(span: DayOpening) -> String {
    let DayOpening { from_minute, to_minute } = span;
    format!("{:02}:{:02}-{:02}:{:02}", from_minute / 60, from_minute % 60, to_minute / 60, to_minute % 60)
}

/// Of `00:00` to `24:00`, always five characters.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let minute = two_digits(hour)? * 60 + two_digits(minute).filter(|minute| *minute < 60)?;
    (minute <= DAY_MINUTES).then_some(minute)
}

fn two_digits(text: &str) -> Option<u16> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `mon-fri`, `sat`, `mon,wed`, `mon-wed,sat`, `sat-mon`: days from 1 (Monday) to 7, rising, each once.
pub fn parse_days(text: &str) -> Result<Vec<u8>, String> {
    let mut found = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day_index(first)?, day_index(last)?);
        for step in 0..=(last + 7 - first) % 7 {
            found[(first + step) % 7] = true;
        }
    }
    Ok((1..=7).filter(|day| found[usize::from(*day) - 1]).collect())
}

fn day_index(word: &str) -> Result<usize, String> {
    let known = DAY_WORDS.iter().position(|day| *day == word);
    known.ok_or_else(|| format!("`{word}` is not a day; days are {}", DAY_WORDS.join(", ")))
}

/// Three days in a row and more are a range. Days out of range are left out.
pub fn days_text(days: &[u8]) -> String {
    let listed = |day: &u8| days.contains(day);
    let mut parts = Vec::new();
    let mut day = 1;
    while day <= 7 {
        let run = (day..=7).take_while(listed).count();
        let words = &DAY_WORDS[usize::from(day) - 1..][..run];
        match words {
            [first, _, .., last] => parts.push(format!("{first}-{last}")),
            words => parts.extend(words.iter().map(|word| word.to_string())),
        }
        day += run.max(1) as u8;
    }
    parts.join(",")
}

/// `2026-12-24` as 20261224.
pub fn parse_date(text: &str) -> Result<u32, String> {
    let bytes = text.as_bytes();
    let is_shape = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(i, byte)| if i == 4 || i == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
    if !is_shape {
        return Err(format!("`{text}` is not a date, like `2026-12-24`"));
    }
    let number =
        bytes.iter().filter(|byte| **byte != b'-').fold(0, |number, byte| number * 10 + u32::from(byte - b'0'));
    date_of_number(number).map(date_number).ok_or_else(|| format!("there is no date {text}"))
}

pub fn date_text(date: u32) -> String {
    format!("{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100)
}

#[cfg(test)]
mod tests;
