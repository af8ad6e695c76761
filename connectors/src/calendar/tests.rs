use super::*;

const NOVEMBER_2026: u64 = 1_795_435_200_000;
/// A Thursday.
const CHRISTMAS: &str = "2026-12-24";

fn calendar(zone: &str, weekly: &[&str], dates: &[(&str, &[&str])]) -> Calendar {
    let spans = |texts: &[&str]| texts.iter().map(|text| parse_span(text).unwrap()).collect();
    let date =
        |(date, texts): &(&str, &[&str])| DateOpenings { date: parse_date(date).unwrap(), openings: spans(texts) };
    Calendar {
        name: "test".into(),
        zone: zone.into(),
        weekly: weekly.iter().flat_map(|text| parse_weekly(text).unwrap()).collect(),
        dates: dates.iter().map(date).collect(),
    }
}

/// The openings of some days, each as its begin in UTC and its real minutes.
fn opens(calendar: &Calendar, first: &str, count: u16) -> Vec<String> {
    let shown = |opening: &Opening| {
        let from = Timestamp::from_millisecond(opening.from as i64).unwrap();
        format!("{} for {} min", from.strftime("%m-%d %H:%MZ"), (opening.to - opening.from) / 60_000)
    };
    expand(calendar, first.parse().unwrap(), count).unwrap().iter().map(shown).collect()
}

fn ms(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_millisecond() as u64
}

fn sentences(calendar: &Calendar) -> Vec<String> {
    faults(calendar, Some(NOVEMBER_2026)).iter().map(|(path, sentence)| format!("{path} {sentence}")).collect()
}

#[test]
fn ordinary_days_open_by_the_wall_clock_of_their_zone() {
    let berlin = calendar("Europe/Berlin", &["mon-fri 09:00-18:00", "sat 10:00-14:00"], &[]);
    assert_eq!(
        opens(&berlin, "2026-11-27", 4),
        ["11-27 08:00Z for 540 min", "11-28 09:00Z for 240 min", "11-30 08:00Z for 540 min"]
    );
}

#[test]
fn around_the_clock_has_23_hours_when_summer_time_begins_and_25_when_it_ends() {
    let always = calendar("Europe/Berlin", &["sun 00:00-24:00"], &[]);
    assert_eq!(opens(&always, "2026-03-29", 1), ["03-28 23:00Z for 1380 min"]);
    assert_eq!(opens(&always, "2026-10-25", 1), ["10-24 22:00Z for 1500 min"]);
}

#[test]
fn daytime_keeps_its_wall_clock_over_both_changes() {
    let daily = calendar("Europe/Berlin", &["mon-sun 09:00-18:00"], &[]);
    assert_eq!(opens(&daily, "2026-03-28", 2), ["03-28 08:00Z for 540 min", "03-29 07:00Z for 540 min"]);
    assert_eq!(opens(&daily, "2026-10-24", 2), ["10-24 07:00Z for 540 min", "10-25 08:00Z for 540 min"]);
}

#[test]
fn a_time_in_a_gap_moves_forward_by_the_gap() {
    let shown = |span: &str| opens(&calendar("Europe/Berlin", &[&format!("sun {span}")], &[]), "2026-03-29", 1);
    assert_eq!(shown("02:30-05:00"), ["03-29 01:30Z for 90 min"], "02:30 is 03:30");
    assert_eq!(shown("01:00-02:30"), ["03-29 00:00Z for 90 min"]);
    assert_eq!(shown("02:15-02:45"), ["03-29 01:15Z for 30 min"]);
}

#[test]
fn a_gap_of_half_an_hour_moves_by_half_an_hour() {
    let island = calendar("Australia/Lord_Howe", &["sun 02:15-04:00"], &[]);
    assert_eq!(opens(&island, "2026-10-04", 1), ["10-03 15:45Z for 75 min"], "02:15 is 02:45");
}

#[test]
fn an_opening_that_becomes_empty_in_a_gap_is_dropped() {
    let shown = |span: &str| opens(&calendar("Europe/Berlin", &[&format!("sun {span}")], &[]), "2026-03-29", 1);
    assert_eq!(shown("02:30-03:00"), [""; 0], "its end does not move, its begin would be after it");
    assert_eq!(shown("02:00-03:00"), [""; 0], "03:00 to 03:00");
}

#[test]
fn a_day_that_a_zone_skipped_has_no_hours_of_its_own() {
    let samoa = calendar("Pacific/Apia", &["fri 00:00-24:00"], &[]);
    assert_eq!(opens(&samoa, "2011-12-29", 4), [""; 0], "Friday 30 December 2011 never was");
}

#[test]
fn an_ambiguous_time_is_the_first() {
    let shown = |span: &str| opens(&calendar("Europe/Berlin", &[&format!("sun {span}")], &[]), "2026-10-25", 1);
    assert_eq!(shown("02:30-04:00"), ["10-25 00:30Z for 150 min"]);
    assert_eq!(shown("01:00-02:30"), ["10-24 23:00Z for 90 min"]);
    assert_eq!(shown("02:00-03:00"), ["10-25 00:00Z for 120 min"]);
}

#[test]
fn a_holiday_is_closed() {
    let berlin = calendar("Europe/Berlin", &["mon-fri 09:00-18:00"], &[("2026-12-25", &[])]);
    assert_eq!(opens(&berlin, CHRISTMAS, 2), ["12-24 08:00Z for 540 min"]);
}

#[test]
fn a_date_has_other_hours_instead_of_its_weekdays() {
    let open: &[&str] = &["09:00-12:00", "13:00-14:00"];
    let berlin =
        calendar("Europe/Berlin", &["mon-fri 09:00-18:00"], &[(CHRISTMAS, open), ("2026-12-26", &["10:00-11:00"])]);
    assert_eq!(
        opens(&berlin, CHRISTMAS, 3),
        ["12-24 08:00Z for 180 min", "12-24 12:00Z for 60 min", "12-25 08:00Z for 540 min", "12-26 09:00Z for 60 min"]
    );
}

#[test]
fn hours_past_midnight_belong_to_the_day_they_begin_on() {
    let bar = calendar("Europe/Berlin", &["fri 22:00-06:00"], &[]);
    assert_eq!(opens(&bar, "2026-11-27", 1), ["11-27 21:00Z for 120 min"], "cut at the end of what was asked");
    assert_eq!(opens(&bar, "2026-11-28", 1), ["11-27 23:00Z for 360 min"], "from the day before");
    assert_eq!(opens(&bar, "2026-11-27", 2), ["11-27 21:00Z for 480 min"]);
}

#[test]
fn a_holiday_takes_nothing_from_the_night_before_it() {
    let bar = calendar("Europe/Berlin", &["mon-sun 22:00-06:00"], &[("2026-12-25", &[])]);
    assert_eq!(opens(&bar, CHRISTMAS, 3)[1..], ["12-24 21:00Z for 480 min", "12-26 21:00Z for 120 min"]);
}

#[test]
fn an_end_that_equals_the_begin_is_a_day_later() {
    let all_day = calendar("UTC", &["mon 09:00-09:00"], &[]);
    assert_eq!(opens(&all_day, "2026-11-23", 2), ["11-23 09:00Z for 1440 min"]);
}

#[test]
fn four_and_twenty_is_the_next_midnight_and_touching_days_are_one_opening() {
    let weekend = calendar("UTC", &["sat-sun 00:00-24:00"], &[]);
    assert_eq!(opens(&weekend, "2026-11-23", 14), ["11-28 00:00Z for 2880 min", "12-05 00:00Z for 2880 min"]);
}

#[test]
fn overlapping_hours_are_one_opening() {
    let berlin = calendar("UTC", &["mon 09:00-12:00", "mon 11:00-15:00", "mon 15:00-16:00"], &[]);
    assert_eq!(opens(&berlin, "2026-11-23", 1), ["11-23 09:00Z for 420 min"]);
    assert_eq!(sentences(&berlin), [""; 0]);
}

#[test]
fn due_at_a_closing_and_breached_after_the_holiday() {
    let berlin = calendar("Europe/Berlin", &["mon-fri 09:00-18:00"], &[("2026-12-25", &[])]);
    let Expansion { until, openings, .. } = expansion_at(&berlin, ms("2026-12-24T12:00:00Z")).unwrap();
    let openings = Openings::new(until, &openings);
    let (start, target) = (ms("2026-12-24T16:00:00Z"), 3_600_000);
    assert_eq!(openings.reached(start, target), Some(ms("2026-12-24T17:00:00Z")));
    assert_eq!(openings.passed(start, target), Some(ms("2026-12-28T08:00:00.001Z")));
}

#[test]
fn an_expansion_reaches_from_two_days_ago_to_400_days_ahead() {
    let daily = calendar("Europe/Berlin", &["mon-sun 00:00-24:00"], &[]);
    // In Berlin it is already the 22nd.
    let expansion = expansion_at(&daily, ms("2026-11-21T23:30:00Z")).unwrap();
    assert_eq!((expansion.from, expansion.until), (ms("2026-11-19T23:00:00Z"), ms("2027-12-26T23:00:00Z")));
    assert_eq!(expansion.openings, [Opening { from: expansion.from, to: expansion.until }]);
}

#[test]
fn no_instant_makes_an_expansion_panic() {
    let daily = calendar("America/New_York", &["mon-sun 09:00-17:00"], &[]);
    for now in [0, 1, u64::MAX, i64::MAX as u64] {
        let _ = (expansion_at(&daily, now), faults(&daily, Some(now)));
    }
    assert_eq!(expansion_at(&daily, 0).unwrap().from, 0, "nothing is before 1970");
    assert_eq!(expansion_at(&daily, u64::MAX), Err(CalendarFault::BeyondDates));
    let wild = WeeklyOpening { day: 255, from_minute: u16::MAX, to_minute: u16::MAX };
    let wild =
        Calendar { weekly: vec![wild, WeeklyOpening { day: 0, ..wild }, WeeklyOpening { day: 1, ..wild }], ..daily };
    assert!(expansion_at(&wild, NOVEMBER_2026).is_ok());
}

#[test]
fn the_largest_calendar_that_is_taken_expands_within_the_limit() {
    let spans =
        ["00:00-01:00", "03:00-04:00", "06:00-07:00", "09:00-10:00", "12:00-13:00", "15:00-16:00", "18:00-19:00"];
    let weekly: Vec<String> =
        spans.iter().map(|span| format!("mon-sun {span}")).chain(["mon-sun 21:00-22:00".into()]).collect();
    let weekly: Vec<&str> = weekly.iter().map(String::as_str).collect();
    let full = calendar("Europe/Berlin", &weekly, &[]);
    assert_eq!(sentences(&full), [""; 0]);
    let count = expansion_at(&full, NOVEMBER_2026).unwrap().openings.len();
    assert_eq!(count, 8 * usize::from(DAYS_BEFORE + DAYS_AHEAD));
    assert_eq!(expand(&full, "2026-01-01".parse().unwrap(), 600), Err(CalendarFault::TooManyOpenings(4_800)));
}

#[test]
fn an_expansions_event_has_its_id_by_what_it_says() {
    let id = |open: &str, name: &str| {
        let expansion = expansion_at(&calendar("UTC", &[open], &[]), NOVEMBER_2026).unwrap();
        event("acme", 3, name, &expansion)["id"].as_str().unwrap().to_string()
    };
    let office = id("mon 09:00-17:00", "office");
    assert!(office.starts_with("calendar/3/") && office.ends_with("/office"), "{office}");
    assert_eq!(id("mon 09:00-17:00", "office"), office);
    assert_ne!(id("mon 09:00-16:00", "office"), office, "a time-zone database of another day");
    let long = "x".repeat(ID_BYTES);
    let shortened = id("mon 09:00-17:00", &long);
    assert!(shortened.len() <= ID_BYTES && shortened != id("mon 09:00-17:00", &"y".repeat(ID_BYTES)), "{shortened}");
}

#[test]
fn a_zone_that_is_not_known_is_told_with_the_nearest_one() {
    let shown = |zone: &str| sentences(&calendar(zone, &["mon 09:00-17:00"], &[]));
    assert_eq!(shown("Europe/Berln"), ["zone no time zone is named `Europe/Berln`; did you mean `Europe/Berlin`?"]);
    assert_eq!(shown("europe/berlin"), ["zone no time zone is named `europe/berlin`; did you mean `Europe/Berlin`?"]);
    assert_eq!(shown("kolkata"), ["zone no time zone is named `kolkata`; did you mean `Asia/Kolkata`?"]);
    assert_eq!(shown("Somewhere/Else/Entirely"), ["zone no time zone is named `Somewhere/Else/Entirely`"]);
    assert_eq!(shown(""), ["zone no time zone is named ``"]);
    assert_eq!(shown("UTC"), [""; 0]);
}

#[test]
fn every_fault_is_told_at_its_place() {
    let opening = |day, from_minute, to_minute| WeeklyOpening { day, from_minute, to_minute };
    let date =
        |date, from_minute, to_minute| DateOpenings { date, openings: vec![DayOpening { from_minute, to_minute }] };
    let wrong = Calendar {
        weekly: vec![opening(0, 0, 60), opening(1, 1_440, 60), opening(8, 0, 1_441)],
        dates: vec![date(20_260_230, 0, 60), date(20_261_224, 0, 60), date(20_261_224, 0, 1_500), date(7, 0, 1)],
        ..calendar("UTC", &[], &[])
    };
    let past_the_end = "must end at 24:00 or before; an end at or before its begin is on the next day";
    assert_eq!(
        sentences(&wrong),
        [
            "open[0] must be on a day from 1 (Monday) to 7 (Sunday)".to_string(),
            "open[1] must begin before 24:00".to_string(),
            "open[2] must be on a day from 1 (Monday) to 7 (Sunday)".to_string(),
            format!("open[2] {past_the_end}"),
            "dates[0].date there is no date 2026-02-30".to_string(),
            "dates[2].date 2026-12-24 is there twice".to_string(),
            format!("dates[2].open[0] {past_the_end}"),
            "dates[3].date there is no date 0000-00-07".to_string(),
        ]
    );
}

#[test]
fn limits_are_told() {
    let opening = WeeklyOpening { day: 1, from_minute: 0, to_minute: 60 };
    let days =
        |i: u32| DateOpenings { date: date_number(jiff::civil::date(2026, 1, 1) + days(i as u16)), openings: vec![] };
    let mut many =
        Calendar { weekly: vec![opening; 57], dates: (0..1_001).map(days).collect(), ..calendar("UTC", &[], &[]) };
    many.dates[0].openings = vec![DayOpening::default(); 9];
    assert_eq!(
        sentences(&many),
        [
            "open has 57 openings, and 56 are the limit",
            "open has 57 openings on mon, and 8 are the limit",
            "dates has 1001 dates, and 1000 are the limit",
            "dates[0].open has 9 openings, and 8 are the limit",
        ]
    );
}

#[test]
fn a_calendar_that_never_opens_is_refused() {
    let never = ["open has no opening in the next 366 days"];
    assert_eq!(sentences(&calendar("UTC", &[], &[])), never);
    assert_eq!(sentences(&calendar("UTC", &[], &[("2026-11-20", &["09:00-10:00"])])), never, "only in the past");
    assert_eq!(sentences(&calendar("UTC", &[], &[("2027-11-30", &["09:00-10:00"])])), never, "too far ahead");
    assert_eq!(sentences(&calendar("UTC", &[], &[("2027-11-01", &["09:00-10:00"])])), [""; 0]);
}

#[test]
fn days_are_read_and_written() {
    let read = |text: &str| parse_days(text).unwrap();
    assert_eq!(read("mon-fri"), [1, 2, 3, 4, 5]);
    assert_eq!(read("sat"), [6]);
    assert_eq!(read("wed,mon"), [1, 3]);
    assert_eq!(read("sat-mon"), [1, 6, 7], "over the week's end");
    assert_eq!(read("mon-wed,sat,tue"), [1, 2, 3, 6]);
    assert_eq!(read("mon-sun"), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(parse_days("mon-"), Err("`` is not a day; days are mon, tue, wed, thu, fri, sat, sun".to_string()));
    assert_eq!(
        parse_days("Montag"),
        Err("`Montag` is not a day; days are mon, tue, wed, thu, fri, sat, sun".to_string())
    );
    for set in 1..128u8 {
        let days: Vec<u8> = (1..=7).filter(|day| set >> (day - 1) & 1 == 1).collect();
        assert_eq!(read(&days_text(&days)), days);
    }
    assert_eq!(days_text(&[1, 2, 4, 5, 6]), "mon,tue,thu-sat");
}

#[test]
fn spans_are_read_and_written() {
    let span = |from_minute, to_minute| Ok(DayOpening { from_minute, to_minute });
    assert_eq!(parse_span("09:00-18:00"), span(540, 1_080));
    assert_eq!(parse_span("00:00-24:00"), span(0, 1_440));
    assert_eq!(parse_span("22:00-06:00"), span(1_320, 360));
    for text in ["00:00-24:00", "22:05-06:59", "00:00-00:00"] {
        assert_eq!(span_text(parse_span(text).unwrap()), text);
    }
    assert_eq!(
        parse_span("24:00-06:00"),
        Err("`24:00-06:00` begins at 24:00: write 00:00 on the next day".to_string())
    );
    for text in
        ["", "9-18", "9:00-18:00", "09:00", "09:60-10:00", "09:00-24:01", "25:00-26:00", "+9:00-10:00", "09:00–10:00"]
    {
        assert_eq!(parse_span(text), Err(format!("`{text}` is not a span of time, like `09:00-18:00`")));
    }
}

#[test]
fn weekly_hours_are_read_and_written() {
    let texts = ["mon-fri 09:00-18:00", "sat 10:00-14:00", "mon,wed 20:00-02:00"];
    let weekly: Vec<WeeklyOpening> = texts.iter().flat_map(|text| parse_weekly(text).unwrap()).collect();
    assert_eq!(weekly.len(), 8);
    assert_eq!(weekly[5], WeeklyOpening { day: 6, from_minute: 600, to_minute: 840 });
    assert_eq!(weekly_texts(&weekly), texts);
    assert_eq!(
        parse_weekly("mon-fri"),
        Err("`mon-fri` is not days and a span, like `mon-fri 09:00-18:00`".to_string())
    );
    assert!(parse_weekly("mon-fri 9-18").unwrap_err().contains("`9-18`"));
    assert!(parse_weekly("mo-fr 09:00-18:00").unwrap_err().contains("`mo` is not a day"));
}

#[test]
fn dates_are_read_and_written() {
    assert_eq!(parse_date("2026-12-24"), Ok(20_261_224));
    assert_eq!(parse_date("2028-02-29"), Ok(20_280_229));
    assert_eq!(date_text(20_260_105), "2026-01-05");
    assert_eq!(parse_date("2026-02-30"), Err("there is no date 2026-02-30".to_string()));
    for text in ["", "24.12.2026", "2026-1-2", "2026-12-2x", "2026/12/24"] {
        assert_eq!(parse_date(text), Err(format!("`{text}` is not a date, like `2026-12-24`")));
    }
}
