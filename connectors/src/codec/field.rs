//! One field of an event: its bounds and its words, and the refusal that names it.

use super::envelope::{Number, Text, Whole};
use super::limits;
use super::refusal::Refusal;
use super::timestamp::parse_timestamp;

/// An id of wire.md: 1-256 bytes of 0x21-0x7E.
pub(super) fn checked_id<'t>(field: &str, text: &'t str) -> Result<&'t str, Refusal> {
    let printable = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if printable && !text.is_empty() && text.len() <= limits::ID_BYTES {
        return Ok(text);
    }
    let sentence = format!("this must have 1 to {} printable ASCII characters and no space", limits::ID_BYTES);
    Err(Refusal::bad(field, "out_of_bounds", sentence))
}

pub(super) fn required_id<'t>(field: &str, text: Option<&'t Text<'_>>) -> Result<&'t str, Refusal> {
    checked_id(field, required(field, text)?)
}

pub(super) fn optional_id<'t>(field: &str, text: Option<&'t Text<'_>>) -> Result<Option<&'t str>, Refusal> {
    text.map(|text| checked_id(field, &text.0)).transpose()
}

pub(super) fn required<'t>(field: &str, text: Option<&'t Text<'_>>) -> Result<&'t str, Refusal> {
    text.map(|text| &*text.0).ok_or_else(|| Refusal::missing(field))
}

/// Ids of a list, in its order; the path of one that is refused has its number.
pub(super) fn ids<'t>(
    field: &str,
    texts: &'t [Text<'_>],
    max: usize,
) -> Result<impl Iterator<Item = Result<&'t str, Refusal>>, Refusal> {
    check_count(field, texts.len(), max)?;
    let field = field.to_string();
    Ok(texts.iter().enumerate().map(move |(i, text)| {
        checked_id("", &text.0).map_err(|refusal| Refusal { field: format!("{field}[{i}]"), ..refusal })
    }))
}

/// A word of a list, as the engine has it.
pub(super) fn word<T>(
    field: &str,
    text: &str,
    from_word: impl FnOnce(&str) -> Option<T>,
    words: &[&str],
) -> Result<T, Refusal> {
    from_word(text)
        .ok_or_else(|| Refusal::bad(field, "unknown_value", format!("this must be one of: {}", words.join(", "))))
}

/// Free text that is kept: 1 to `bytes_max` bytes.
pub(super) fn text(field: &str, text: &Text<'_>, bytes_max: usize) -> Result<Box<str>, Refusal> {
    if (1..=bytes_max).contains(&text.0.len()) {
        return Ok((*text.0).into());
    }
    Err(Refusal::bad(field, "out_of_bounds", format!("this text has 1 to {bytes_max} bytes")))
}

/// A reason that somebody gave: free text, kept with the decision. Empty is none.
pub(super) fn reason(text: Option<&Text<'_>>) -> Result<Option<Box<str>>, Refusal> {
    let Some(Text(reason)) = text else { return Ok(None) };
    if reason.len() > limits::REASON_BYTES {
        let sentence = format!("a reason has at most {} bytes", limits::REASON_BYTES);
        return Err(Refusal::bad("data.reason", "out_of_bounds", sentence));
    }
    let reason = reason.trim();
    Ok((!reason.is_empty()).then(|| reason.into()))
}

pub(super) fn number(whole: Option<Whole>) -> Option<u64> {
    whole.map(|Whole(value)| value)
}

/// A whole number from `min` to `max`, which fit its type.
pub(super) fn bounded<T: TryFrom<u64>>(field: &str, Whole(value): Whole, min: u64, max: u64) -> Result<T, Refusal> {
    let inside = (min..=max).contains(&value).then(|| T::try_from(value).ok()).flatten();
    inside.ok_or_else(|| Refusal::bad(field, "out_of_bounds", format!("this number must be {min} to {max}")))
}

pub(super) fn required_bounded<T: TryFrom<u64>>(
    field: &str,
    whole: Option<Whole>,
    min: u64,
    max: u64,
) -> Result<T, Refusal> {
    bounded(field, whole.ok_or_else(|| Refusal::missing(field))?, min, max)
}

/// A duration of 1 s to `max_s`, as milliseconds.
pub(super) fn duration(field: &str, Number(seconds): Number, max_s: u32) -> Result<u64, Refusal> {
    if (1.0..=f64::from(max_s)).contains(&seconds) {
        return Ok((seconds * 1_000.0).round() as u64);
    }
    Err(Refusal::bad(field, "out_of_bounds", format!("this is a number of seconds from 1 to {max_s}")))
}

/// An instant, ms UTC.
pub(super) fn instant(field: &str, text: &str) -> Result<u64, Refusal> {
    parse_timestamp(text).ok_or_else(|| {
        Refusal::bad(field, "out_of_bounds", "a time is RFC 3339, like 2026-11-26T08:00:00.000Z, from 1970 to 9999")
    })
}

pub(super) fn check_count(field: &str, len: usize, max: usize) -> Result<(), Refusal> {
    if len <= max {
        return Ok(());
    }
    Err(Refusal::bad(field, "out_of_bounds", format!("this has {len} members, and {max} are the limit")))
}

pub(super) fn repeated_key(object: &str, key: &str) -> Refusal {
    Refusal::bad(path(object, key), "repeated_key", "this key stands twice; once is allowed")
}

/// The path of a member, cut where a sender's key is longer than a path should be.
pub(super) fn path(object: &str, key: &str) -> String {
    let shown: String = key.chars().take(64).collect();
    engine::faults::join_key(object, &shown)
}
