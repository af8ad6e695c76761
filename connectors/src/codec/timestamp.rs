//! RFC 3339 in and out, by hand: one is read for each event and one written for each decision.
//!
//! In: any offset, any number of decimals (cut to milliseconds), `t` and `z` in either case, a leap second as the second
//! after it. Out: UTC with milliseconds, always 24 characters. Times before 1970 and after 9999 are not times here.

/// 9999-12-31T23:59:59.999Z.
const MS_MAX: u64 = 253_402_300_799_999;
const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970 UTC of an RFC 3339 date and time.
pub fn parse_timestamp(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    // The shortest is 1970-01-01T00:00:00Z; decimals beyond nanoseconds are still bounded.
    if bytes.len() < 20 || bytes.len() > 64 {
        return None;
    }
    let shape = bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b't' | b' ');
    if !shape || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let year = number(&bytes[0..4])?;
    let (month, day) = (number(&bytes[5..7])?, number(&bytes[8..10])?);
    let (hour, minute, second) = (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    let in_month = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    if !in_month || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (ms, rest) = decimals(&bytes[19..])?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let total = seconds * 1_000 + ms - offset_minutes(rest)? * 60_000;
    u64::try_from(total).ok().filter(|total| *total <= MS_MAX)
}

/// RFC 3339 UTC with milliseconds. Beyond the year 9999 it is that year's last millisecond.
pub fn timestamp(ms: u64) -> String {
    let mut out = Vec::with_capacity(24);
    put_timestamp(ms, &mut out);
    String::from_utf8(out).expect("a timestamp is ASCII")
}

pub(super) fn put_timestamp(ms: u64, out: &mut Vec<u8>) {
    let ms = ms.min(MS_MAX);
    let (year, month, day) = civil_from_days((ms / DAY_MS) as i64);
    let of_day = ms % DAY_MS;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year as u64);
    digits(&mut text[5..7], month as u64);
    digits(&mut text[8..10], day as u64);
    digits(&mut text[11..13], of_day / 3_600_000);
    digits(&mut text[14..16], of_day / 60_000 % 60);
    digits(&mut text[17..19], of_day / 1_000 % 60);
    digits(&mut text[20..23], of_day % 1_000);
    out.extend_from_slice(&text);
}

fn digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

/// Milliseconds of `.123456`, and what stands after it.
fn decimals(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some(fraction) = bytes.strip_prefix(b".") else { return Some((0, bytes)) };
    let len = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let mut digits = fraction[..len].iter().map(|digit| i64::from(digit - b'0')).chain([0, 0]);
    let ms = (0..3).fold(0, |ms, _| ms * 10 + digits.next().unwrap_or(0));
    Some((ms, &fraction[len..]))
}

fn offset_minutes(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reverse (Hinnant's `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants_are_read() {
        let known = [
            ("1970-01-01T00:00:00Z", 0),
            ("1999-02-02T08:00:00+02:00", 917_935_200_000),
            ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
            ("2024-02-29t23:59:59.9996z", 1_709_251_199_999),
            ("2024-02-29 23:59:59.5-00:30", 1_709_252_999_500),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("9999-12-31T23:59:59.999Z", MS_MAX),
        ];
        for (text, ms) in known {
            assert_eq!(parse_timestamp(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_not_a_time() {
        let wrong = [
            "",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+0200",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00Zx",
            "2024-1-1T00:00:00Z",
            "20240101T000000Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00é",
            "\u{0662}024-01-01T00:00:00Z",
        ];
        for text in wrong {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn jiff_reads_what_we_write_and_we_read_it_back(ms in 0..=MS_MAX) {
            let text = timestamp(ms);
            prop_assert_eq!(parse_timestamp(&text), Some(ms));
            let jiff: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(jiff.as_millisecond(), ms as i64);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            let _ = parse_timestamp(&text);
        }
    }
}
