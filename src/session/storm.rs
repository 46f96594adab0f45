//! What keeps broadcasts from becoming a storm: a limit for each source and for all of them, and a
//! memory of what went on a moment ago, since a second relay or a bridge may bring it back.

use core::net::Ipv4Addr;

use crate::limits::{RELAY_MEMORY, RELAY_SOURCES};
use crate::time::Instant;

/// Milliseconds of the rate that may pass at once.
const BURST_MS: u64 = 500;

/// Sources together may send as much as so many alone.
const CROWD: u16 = 4;

/// Milliseconds for which a datagram is remembered: longer than any way around a loop.
const MEMORY_MS: u32 = 2000;

/// The limits and the memory.
pub struct Storm {
    sources: [Source; RELAY_SOURCES],
    memory: [Seen; RELAY_MEMORY],
    /// The oldest of the memory.
    oldest: usize,
}

/// What a source may send now.
#[derive(Clone, Copy, Default)]
struct Source {
    address: u32,
    /// When it may send a whole burst again.
    full_at: Instant,
}

/// A datagram that went on.
#[derive(Clone, Copy, Default)]
struct Seen {
    source: u32,
    hash: u32,
    /// The low bits of its time in milliseconds.
    at: u32,
    ttl: u8,
}

/// All sources of one side: callers do not suffer from a storm in the LAN, nor it from theirs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Crowd(Instant);

impl Storm {
    /// Nothing was sent yet.
    pub fn new() -> Storm {
        Storm {
            sources: [Source::default(); RELAY_SOURCES],
            memory: [Seen::default(); RELAY_MEMORY],
            oldest: 0,
        }
    }

    /// Whether one more datagram of `source` may pass, at `rate` (1 to 250) in a second; if so, it
    /// counts. The source that has been quiet for the longest time makes room for a new one.
    pub fn admits(&mut self, source: Ipv4Addr, crowd: &mut Crowd, rate: u16, now: Instant) -> bool {
        let address = source.to_bits();
        let key = |it: &Source| (it.address != address, it.full_at);
        let Some(place) = self.sources.iter_mut().min_by_key(|it| key(it)) else { return false };
        if place.address != address {
            *place = Source { address, full_at: Instant(0) };
        }
        // A source that is over its limit takes nothing from the others.
        admit(&mut place.full_at, rate, now) && admit(&mut crowd.0, rate * CROWD, now)
    }

    /// Whether a datagram has come back. One that was relayed returns with a smaller TTL, or with
    /// the smallest; what a program sends again and again does not. If it is new it is remembered.
    pub fn is_loop(&mut self, source: Ipv4Addr, hash: u32, ttl: u8, now: Instant) -> bool {
        let new = Seen { source: source.to_bits(), hash, at: now.0 as u32, ttl };
        let is_same = |seen: &&mut Seen| {
            seen.source == new.source
                && seen.hash == hash
                && new.at.wrapping_sub(seen.at) < MEMORY_MS
        };
        if let Some(seen) = self.memory.iter_mut().find(is_same) {
            let returned = ttl < seen.ttl || ttl <= 1;
            if !returned {
                *seen = new;
            }
            return returned;
        }
        self.memory[self.oldest] = new;
        self.oldest = (self.oldest + 1) % RELAY_MEMORY;
        false
    }
}

/// Takes one datagram out of what may pass. Only the time is kept at which all of it may again.
fn admit(full_at: &mut Instant, rate: u16, now: Instant) -> bool {
    let interval = 1000 / u64::from(rate.max(1));
    let next = now.max(*full_at) + interval;
    let admitted = next.since(now) <= BURST_MS.max(interval);
    if admitted {
        *full_at = next;
    }
    admitted
}

/// FNV-1a of what stays the same on the way of a datagram.
pub fn hash(parts: &[&[u8]]) -> u32 {
    let mix = |hash: u32, octet: &u8| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
    parts.iter().copied().flatten().fold(0x811c_9dc5, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAME: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 5);
    const RATE: u16 = 30;

    fn passed(storm: &mut Storm, crowd: &mut Crowd, source: Ipv4Addr, from: u64) -> usize {
        let times = (0..1000).map(|millis| Instant(from + millis));
        times.filter(|now| storm.admits(source, crowd, RATE, *now)).count()
    }

    #[test]
    fn a_storm_of_one_source_is_cut_to_its_rate() {
        let (mut storm, mut crowd) = (Storm::new(), Crowd::default());
        assert_eq!(passed(&mut storm, &mut crowd, GAME, 1000), 45);
        assert_eq!(passed(&mut storm, &mut crowd, GAME, 2000), 30);
        assert!(storm.admits(Ipv4Addr::new(192, 168, 1, 6), &mut crowd, RATE, Instant(3000)));
        for (rate, at) in [(1, 9000), (250, 19_000)] {
            assert!(storm.admits(GAME, &mut crowd, rate, Instant(at)));
        }
    }

    #[test]
    fn many_sources_together_have_a_limit_and_each_side_its_own() {
        let (mut storm, mut lan, mut callers) = (Storm::new(), Crowd::default(), Crowd::default());
        let forged = (0..10_000).map(|number| Ipv4Addr::from_bits(0x0a00_0001 + number));
        let count = forged.filter(|&it| storm.admits(it, &mut lan, RATE, Instant(5000))).count();
        assert!((30..=70).contains(&count), "{count}");
        assert!(storm.admits(GAME, &mut callers, RATE, Instant(5000)));
    }

    #[test]
    fn what_returns_is_older_and_what_is_sent_again_is_not() {
        let mut storm = Storm::new();
        let mut looped = |ttl, at| storm.is_loop(GAME, 7, ttl, Instant(at));
        assert!(!looped(64, 1000) && !looped(64, 1100));
        assert!(looped(63, 1200) && looped(1, 1900));
        assert!(!looped(64, 2000) && !looped(63, 4500));
        assert!(!storm.is_loop(Ipv4Addr::LOCALHOST, 7, 1, Instant(4600)));
        assert!(storm.is_loop(Ipv4Addr::LOCALHOST, 7, 1, Instant(4700)));
        assert!(!storm.is_loop(Ipv4Addr::LOCALHOST, 7, 1, Instant(6700)));
    }

    #[test]
    fn the_memory_is_a_ring() {
        let mut storm = Storm::new();
        for hash in 0..RELAY_MEMORY as u32 + 1 {
            assert!(!storm.is_loop(GAME, hash, 64, Instant(1000)));
        }
        assert!(!storm.is_loop(GAME, 0, 63, Instant(1000)), "the oldest is forgotten");
        assert!(storm.is_loop(GAME, RELAY_MEMORY as u32, 63, Instant(1000)));
    }
}
