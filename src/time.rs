//! Time as a value: the library never reads a clock, it is told.

use core::ops::{Add, Sub};

/// A point on the monotonic clock, in milliseconds since some start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    pub fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Instant {
    type Output = Instant;
    /// The instant `millis` later.
    fn add(self, millis: u64) -> Instant {
        Instant(self.0.saturating_add(millis))
    }
}

impl Sub<u64> for Instant {
    type Output = Instant;
    /// The instant `millis` earlier, not before the start.
    fn sub(self, millis: u64) -> Instant {
        Instant(self.0.saturating_sub(millis))
    }
}

/// A deadline together with what it is for, so that a log can say why the loop woke up.
pub type Deadline = (Instant, &'static str);

/// The earlier of two deadlines.
pub fn earlier(a: Option<Deadline>, b: Option<Deadline>) -> Option<Deadline> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// `at` as a deadline for `reason`, if it is set. (One function for all places: for size.)
#[inline(never)]
pub fn deadline(at: Option<Instant>, reason: &'static str) -> Option<Deadline> {
    at.map(|at| (at, reason))
}

/// Whether a timer is set and `now` has reached it.
pub fn due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}
