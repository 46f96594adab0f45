//! A token bucket: how many octets may pass at a rate. One kilobit per second is one bit per
//! millisecond, so that filling it is one multiplication.

use crate::config::RATE_MAX;
use crate::time::Instant;

/// Milliseconds of the rate that may pass at once: enough for TCP to keep the rate over lines of
/// that round-trip time.
const BURST_MS: u32 = 200;

/// Bits that may pass at once at any rate: eight of the largest packets.
const BURST_MIN: u32 = 8 * 1500 * 8;

const _: () = assert!(RATE_MAX.checked_mul(BURST_MS).is_some());

/// A rate limit; the default is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// Bits per millisecond; 0 is no limit.
    rate: u32,
    /// Bits that may pass.
    credit: u32,
    /// When the credit was right.
    at: Instant,
}

impl Bucket {
    /// Whether there is no limit.
    pub fn is_open(&self) -> bool {
        self.rate == 0
    }

    /// Another rate, in kilobits per second up to `RATE_MAX`; 0 is no limit. The bucket is full,
    /// unless its rate stays.
    pub fn set(&mut self, rate: u32, now: Instant) {
        if rate != self.rate {
            *self = Bucket { rate, credit: burst(rate), at: now };
        }
    }

    /// Takes `octets` out, at most 65535; false, and nothing taken, if that is too much at `now`.
    pub fn admits(&mut self, octets: usize, now: Instant) -> bool {
        let filled = now.since(self.at).saturating_mul(self.rate.into());
        let credit = u64::from(self.credit).saturating_add(filled).min(burst(self.rate).into());
        self.at = now;
        self.credit = credit as u32;
        let left = self.credit.checked_sub(octets as u32 * 8);
        self.credit = left.unwrap_or(self.credit);
        self.rate == 0 || left.is_some()
    }
}

fn burst(rate: u32) -> u32 {
    (rate * BURST_MS).max(BURST_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets that pass in `seconds` when packets of `size` octets come every millisecond.
    fn passed(rate: u32, size: usize, per_ms: u32, seconds: u64) -> u64 {
        let mut bucket = Bucket::default();
        let start = Instant(5);
        bucket.set(rate, start);
        let mut octets = 0;
        for ms in 0..seconds * 1000 {
            for _ in 0..per_ms {
                octets += u64::from(bucket.admits(size, start + ms)) * size as u64;
            }
        }
        octets
    }

    #[test]
    fn rates_are_kept() {
        for (rate, size, per_ms) in [(64, 1400, 1), (1000, 100, 3), (20_000, 1400, 4), (1, 40, 1)] {
            let (seconds, least) = (100, u64::from(burst(rate)) / 8);
            let octets = passed(rate, size, per_ms, seconds);
            let wanted = u64::from(rate) * 125 * seconds + least;
            let slack = 2 * size as u64 + u64::from(rate) / 8;
            assert!(octets <= wanted && octets + slack >= wanted, "{rate}: {octets} of {wanted}");
        }
    }

    #[test]
    fn the_largest_rate_and_the_longest_time() {
        let mut bucket = Bucket::default();
        bucket.set(RATE_MAX, Instant(0));
        assert!(bucket.admits(65_535, Instant(u64::MAX)));
        let more = (0..5000).filter(|_| bucket.admits(65_535, Instant(u64::MAX))).count();
        assert_eq!(more, 250_000_000 / 65_535 - 1);
    }

    #[test]
    fn no_limit_and_a_changed_one() {
        let mut bucket = Bucket::default();
        assert!((0..1000).all(|_| bucket.admits(1500, Instant(7))));
        bucket.set(10, Instant(7));
        assert_eq!((0..100).filter(|_| bucket.admits(1500, Instant(7))).count(), 8);
        // The same rate again does not fill it.
        bucket.set(10, Instant(7));
        assert!(!bucket.admits(1500, Instant(7)));
        bucket.set(0, Instant(7));
        assert!(bucket.is_open() && bucket.admits(1500, Instant(7)));
    }
}
