//! The clock: milliseconds since the start that never jump (CLOCK_MONOTONIC).

use std::time::Duration;

use pptp::time::Instant;

use super::sys;

/// Counts from when it was made.
pub struct Clock(Duration);

impl Clock {
    /// Starts it.
    pub fn start() -> Clock {
        Clock(monotonic())
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        Instant(monotonic().saturating_sub(self.0).as_millis() as u64)
    }
}

/// The time that never jumps, from some moment before the start.
pub fn monotonic() -> Duration {
    sys::time(libc::CLOCK_MONOTONIC)
}

/// Seconds since 1970 by the calendar, for people to read. It may jump, above all after the start of
/// a router.
pub fn calendar() -> u64 {
    sys::time(libc::CLOCK_REALTIME).as_secs()
}
