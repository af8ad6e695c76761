//! The only clock of the engine: wall time that does not jump, and a scaled one for tests.
//!
//! Read by the shard's thread, once a batch; `now` never reaches the engine in any other way. A jump of the wall clock
//! that the monotonic clock does not confirm is held and alarmed until the process restarts (routing.md §1). A scaled
//! clock runs N times as fast from an origin that a claim of the journal records (`player.md`).

use connectors::journal::ClockOrigin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A difference beyond this between two readings is a jump, not a clock that is being disciplined.
const JUMP_MS: u64 = 1_000;
/// The anchor follows the wall clock this often, so that slow corrections never add up to a jump.
const ANCHOR_MS: u64 = 10_000;
const ALARM: Duration = Duration::from_secs(60);

/// Wall time in ms UTC, held against the monotonic clock.
pub struct WallClock {
    hold: Mutex<Hold>,
    /// The highest time ever given: shards read in turn, and none may see time go back.
    last_ms: AtomicU64,
}

struct Hold {
    started: Instant,
    /// Wall and monotonic time of the last reading that agreed.
    wall_ms: u64,
    monotonic_ms: u64,
    alarmed: Option<Instant>,
}

impl Default for WallClock {
    fn default() -> WallClock {
        let hold = Hold { started: Instant::now(), wall_ms: wall_ms(), monotonic_ms: 0, alarmed: None };
        WallClock { hold: Mutex::new(hold), last_ms: AtomicU64::new(0) }
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl WallClock {
    pub fn now_ms(&self) -> u64 {
        let mut hold = self.hold.lock().expect("nobody panics with it");
        let monotonic_ms = hold.started.elapsed().as_millis() as u64;
        let (now_ms, held) = hold.read(wall_ms(), monotonic_ms);
        if let Some(difference_ms) = held
            && hold.alarmed.is_none_or(|at| at.elapsed() >= ALARM)
        {
            hold.alarmed = Some(Instant::now());
            tracing::error!(
                difference_ms,
                "the wall clock has jumped and the monotonic clock does not confirm it; the old time is held until a restart"
            );
        }
        drop(hold);
        self.last_ms.fetch_max(now_ms, Ordering::Relaxed).max(now_ms)
    }
}

impl Hold {
    /// The time to use, and the jump in ms where one is being held.
    fn read(&mut self, wall_ms: u64, monotonic_ms: u64) -> (u64, Option<i64>) {
        let elapsed = monotonic_ms.saturating_sub(self.monotonic_ms);
        let expected = self.wall_ms + elapsed;
        let difference = wall_ms as i64 - expected as i64;
        if difference.unsigned_abs() > JUMP_MS {
            return (expected, Some(difference));
        }
        if elapsed >= ANCHOR_MS {
            self.wall_ms = wall_ms;
            self.monotonic_ms = monotonic_ms;
        }
        (wall_ms, None)
    }
}

/// `--clock scaled=N,start=TIMESTAMP`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scaled {
    pub scale: u32,
    /// Engine time until the first input that is not a configure, ms UTC.
    pub start: u64,
}

impl std::str::FromStr for Scaled {
    type Err = String;

    fn from_str(text: &str) -> Result<Scaled, String> {
        const FORM: &str = "a clock is given as scaled=N,start=TIMESTAMP, like scaled=120,start=1999-02-02T00:00:00Z";
        let rest = text.strip_prefix("scaled=").ok_or(FORM)?;
        let (scale, start) = rest.split_once(",start=").ok_or(FORM)?;
        let scale: u32 = scale.parse().map_err(|_| FORM)?;
        if !(1..=100_000).contains(&scale) {
            return Err("a clock's scale is a whole number from 1 to 100000".into());
        }
        let start = connectors::codec::parse_timestamp(start)
            .ok_or_else(|| format!("{start:?} is not an RFC 3339 timestamp; {FORM}"))?;
        Ok(Scaled { scale, start })
    }
}

/// One shard's clock function: identity, or scaled from a recorded origin. Append times pass through it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShardClock {
    scaled: Option<Scaled>,
    origin: Option<u64>,
}

impl ShardClock {
    pub fn new(scaled: Option<Scaled>) -> ShardClock {
        ShardClock { scaled, origin: None }
    }

    pub fn is_scaled(&self) -> bool {
        self.scaled.is_some()
    }

    /// Engine seconds in a real one.
    pub fn scale(&self) -> f64 {
        self.scaled.map_or(1.0, |scaled| f64::from(scaled.scale))
    }

    /// Wall time at which a scaled clock was set going.
    pub fn origin(&self) -> Option<u64> {
        self.origin
    }

    /// Scaled, and standing still until its origin is recorded.
    pub fn awaits_origin(&self) -> bool {
        self.scaled.is_some() && self.origin.is_none()
    }

    /// What the claim that starts this clock says.
    pub fn origin_at(&self, wall_ms: u64) -> Option<ClockOrigin> {
        self.scaled.map(|Scaled { scale, start }| ClockOrigin { scale, start, origin: wall_ms })
    }

    /// Takes what the journal says. Going on at another scale would be another past.
    pub fn take_recorded(&mut self, recorded: Option<ClockOrigin>) -> Result<(), String> {
        match (recorded, self.scaled) {
            (None, _) => Ok(()),
            (Some(recorded), Some(asked)) if (recorded.scale, recorded.start) == (asked.scale, asked.start) => {
                self.origin = Some(recorded.origin);
                Ok(())
            }
            (Some(recorded), _) => Err(format!(
                "this journal runs on a scaled clock; start it with --clock scaled={},start={}",
                recorded.scale,
                connectors::codec::timestamp(recorded.start)
            )),
        }
    }

    /// Engine time of an instant of the world outside.
    pub fn engine_ms(&self, wall_ms: u64) -> u64 {
        match (self.scaled, self.origin) {
            (None, _) => wall_ms,
            (Some(scaled), None) => scaled.start,
            (Some(scaled), Some(origin)) => {
                scaled.start + wall_ms.saturating_sub(origin).saturating_mul(u64::from(scaled.scale))
            }
        }
    }

    /// Ms of the world outside until the engine's clock shows `engine_ms`; none while it stands still.
    pub fn wall_ms_until(&self, engine_ms: u64, wall_ms: u64) -> Option<u64> {
        let remaining = engine_ms.saturating_sub(self.engine_ms(wall_ms));
        match self.scaled {
            None => Some(remaining),
            Some(_) if self.awaits_origin() => (remaining == 0).then_some(0),
            Some(scaled) => Some(remaining.div_ceil(u64::from(scaled.scale))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        Hold { started: Instant::now(), wall_ms: 1_000_000, monotonic_ms: 0, alarmed: None }
    }

    #[test]
    fn a_jump_that_the_monotonic_clock_does_not_confirm_is_held() {
        let mut hold = hold();
        assert_eq!(hold.read(1_000_500, 500), (1_000_500, None));
        assert_eq!(hold.read(4_600_600, 600), (1_000_600, Some(3_600_000)));
        assert_eq!(hold.read(900_700, 700), (1_000_700, Some(-100_000)));
        assert_eq!(hold.read(1_000_800, 800), (1_000_800, None));
    }

    #[test]
    fn a_clock_that_is_slowly_disciplined_never_jumps() {
        let mut hold = hold();
        for step in 1..10_000u64 {
            // 500 ppm fast: 5 ms in 10 s.
            let (now, held) = hold.read(1_000_000 + step * 10_005, step * 10_000);
            assert_eq!((now, held), (1_000_000 + step * 10_005, None));
        }
    }

    #[test]
    fn a_gap_that_both_clocks_saw_is_taken() {
        assert_eq!(hold().read(1_000_000 + 3_600_000, 3_600_000), (4_600_000, None));
    }

    #[test]
    fn a_scaled_clock_stands_until_its_origin() {
        let scaled: Scaled = "scaled=120,start=1999-02-02T00:00:00Z".parse().unwrap();
        let mut clock = ShardClock::new(Some(scaled));
        assert!(clock.awaits_origin());
        assert_eq!(clock.engine_ms(5), scaled.start);
        let origin = clock.origin_at(1_000).unwrap();
        clock.take_recorded(Some(origin)).unwrap();
        assert_eq!(clock.engine_ms(1_000), scaled.start);
        assert_eq!(clock.engine_ms(2_000), scaled.start + 120_000);
        assert_eq!(clock.wall_ms_until(scaled.start + 121, 1_000), Some(2));
        assert!(ShardClock::new(None).take_recorded(Some(origin)).unwrap_err().contains("scaled=120"));
        assert!("scaled=0,start=1999-02-02T00:00:00Z".parse::<Scaled>().is_err());
        assert!("scaled=2".parse::<Scaled>().is_err());
    }
}
