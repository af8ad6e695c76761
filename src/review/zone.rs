//! The zone in which a review shows days and hours.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

#[derive(Clone)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// By its IANA name; the error is a sentence.
    pub fn named(name: &str) -> Result<Zone, String> {
        let zone = if name == "UTC" {
            TimeZone::UTC
        } else {
            connectors::calendar::zone_named(name).map_err(|fault| fault.to_string())?
        };
        Ok(Zone { name: name.into(), zone })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Milliseconds on the wall clock of the zone, counted as if it were UTC.
    pub fn local(&self, at_ms: u64) -> i64 {
        let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let offset_s = at.map_or(0, |at| self.zone.to_offset(at).seconds());
        at_ms as i64 + i64::from(offset_s) * 1_000
    }

    /// The moment of a local date, with a time or without, as `2026-11-23` or `2026-11-23T08:00`; of an ambiguous one the
    /// first, one in a gap moves forward by it.
    pub fn moment(&self, text: &str) -> Option<u64> {
        let local: DateTime = text.parse().ok()?;
        let at = self.zone.to_ambiguous_timestamp(local).compatible().ok()?;
        u64::try_from(at.as_millisecond()).ok()
    }
}
