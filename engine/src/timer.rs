//! A timer is due: to whom it belongs.

use crate::effect::TimerKind;
use crate::state::Due;
use crate::step::Stepping;

impl Stepping<'_> {
    /// Does what a timer is for. Returns the workspace in which work may follow.
    pub(crate) fn fire(&mut self, due: Due) -> u32 {
        let slot = due.slot;
        match due.timer {
            TimerKind::Open => self.open_too_long(slot),
            TimerKind::Turn => self.turn_is_due(slot),
            TimerKind::Wait => self.wait_is_due(slot),
            TimerKind::Lease => self.lease_is_due(slot),
            TimerKind::Pace => self.pace_is_due(slot),
            TimerKind::Wrap => self.wrap_is_due(slot),
            TimerKind::Respond => self.respond_is_due(slot),
            TimerKind::Away => self.away_is_due(slot),
            TimerKind::Control => self.control_is_due(due.workspace, slot),
            TimerKind::Clock => self.clock_is_due(slot),
            TimerKind::Shift => self.shift_is_due(slot),
        }
        self.clocks_follow();
        due.workspace
    }
}
