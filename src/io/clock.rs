//! The clock: milliseconds since the start that never jump (CLOCK_MONOTONIC).

use std::time;

use pptp::time::Instant;

/// Counts from when it was made.
pub struct Clock(time::Instant);

impl Clock {
    /// Starts it.
    pub fn start() -> Clock {
        Clock(time::Instant::now())
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        Instant(self.0.elapsed().as_millis() as u64)
    }
}

/// Seconds since 1970 by the calendar, for people to read. It may jump, above all after the start of
/// a router.
#[expect(clippy::disallowed_methods, reason = "nothing is timed by it")]
pub fn calendar() -> u64 {
    let since = time::SystemTime::now().duration_since(time::SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
