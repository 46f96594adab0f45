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
