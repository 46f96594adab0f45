//! Who has to wait after failed logins: a source address after a few, an account after more, so
//! that guessing is slow from one address and from many. An address from which the account was
//! used before may always try: attacks from elsewhere do not lock its owner out.

use core::net::Ipv4Addr;

use crate::limits::FAILED_LOGINS;
use crate::reason::Cause;
use crate::time::Instant;

/// An account waits after so many times the failures of one address.
const ACCOUNT_FACTOR: u16 = 4;
/// Accounts with failures, and pairs of account and address without, that are remembered.
const ACCOUNTS: usize = 64;

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    key: u64,
    count: u16,
    at: Instant,
}

/// The latest of something, with a count each; the least important makes room for a new one.
struct Recent<const N: usize>([Entry; N]);

impl<const N: usize> Recent<N> {
    fn find(&self, key: u64) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.count > 0 && entry.key == key)
    }

    fn count(&self, key: u64, since: Instant) -> u16 {
        self.find(key).filter(|entry| entry.at >= since).map_or(0, |entry| entry.count)
    }

    /// Counts one more; the same work, and nothing else, when it does not count.
    fn add(&mut self, key: u64, counts: bool, since: Instant, now: Instant) {
        let count = self.count(key, since).saturating_add(1);
        let importance = |entry: &&mut Entry| match () {
            () if entry.count > 0 && entry.key == key => (0, 0, Instant(0)),
            () if entry.count == 0 || entry.at < since => (1, 0, Instant(0)),
            () => (2, entry.count, entry.at),
        };
        if let Some(entry) = self.0.iter_mut().min_by_key(importance).filter(|_| counts) {
            *entry = Entry { key, count, at: now };
        }
    }

    /// Whether there was something to forget.
    fn remove(&mut self, key: u64) -> bool {
        let mut matching = self.0.iter_mut().filter(|entry| entry.count > 0 && entry.key == key);
        matching.next().map(|entry| entry.count = 0).is_some()
    }
}

/// Failed logins of a while.
pub struct Backoff {
    sources: Recent<FAILED_LOGINS>,
    accounts: Recent<ACCOUNTS>,
    /// Accounts with the addresses that they were used from.
    proven: Recent<ACCOUNTS>,
}

/// The limits from the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Failures before an address has to wait; 0 is never.
    pub failures: u16,
    /// Milliseconds that it waits, and that a failure is remembered.
    pub window: u64,
}

impl Backoff {
    /// Nobody failed yet.
    pub fn new() -> Backoff {
        Backoff {
            sources: Recent([Entry::default(); FAILED_LOGINS]),
            accounts: Recent([Entry::default(); ACCOUNTS]),
            proven: Recent([Entry::default(); ACCOUNTS]),
        }
    }

    /// Whether a login as `name` from `source` has to wait. A source or account that has to wait
    /// is not asked for its password, so the wait is not prolonged by trying.
    pub fn must_wait(
        &self,
        source: Ipv4Addr,
        name: &[u8],
        patience: Patience,
        now: Instant,
    ) -> bool {
        let since = now - patience.window;
        let source_failures = self.sources.count(source_key(source), since);
        let account_failures = self.accounts.count(account_key(name), since);
        let proven = self.proven.find(proven_key(source, name)).is_some();
        let account_limit = patience.failures.saturating_mul(ACCOUNT_FACTOR);
        patience.failures > 0
            && (source_failures >= patience.failures
                || account_failures >= account_limit && !proven)
    }

    /// A login failed for `cause`. Trying does not prolong a wait, and only accounts that exist are
    /// remembered; but the time that this takes tells neither.
    pub fn failed(
        &mut self,
        source: Ipv4Addr,
        name: &[u8],
        cause: Cause,
        patience: Patience,
        now: Instant,
    ) {
        let since = now - patience.window;
        let waits = cause == Cause::TooManyFailures;
        let exists = cause != Cause::UnknownUser;
        self.sources.add(source_key(source), !waits, since, now);
        self.accounts.add(account_key(name), !waits && exists, since, now);
    }

    /// A login succeeded.
    pub fn succeeded(&mut self, source: Ipv4Addr, name: &[u8], now: Instant) {
        self.sources.remove(source_key(source));
        self.proven.add(proven_key(source, name), true, Instant(0), now);
    }

    /// The administrator forgives an address, an account, or both. Whether anything was
    /// remembered of them.
    pub fn forgive(&mut self, source: Option<Ipv4Addr>, name: Option<&[u8]>) -> bool {
        let source = source.is_some_and(|source| self.sources.remove(source_key(source)));
        let account = name.is_some_and(|name| self.accounts.remove(account_key(name)));
        source || account
    }
}

fn source_key(source: Ipv4Addr) -> u64 {
    hash(1, &source.octets())
}

fn account_key(name: &[u8]) -> u64 {
    hash(2, name)
}

fn proven_key(source: Ipv4Addr, name: &[u8]) -> u64 {
    hash(account_key(name), &source.octets())
}

/// FNV-1a: the entries are few and compared by their whole key, so nothing is gained by choosing
/// names that collide but the wait of another name.
fn hash(start: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325 ^ start, |hash, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { failures: 3, window: 10_000 };
    const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const NOW: Instant = Instant(100_000);

    fn address(number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(0x0a00_0000 + number)
    }

    #[test]
    fn a_source_waits_for_the_window_after_its_last_failure() {
        let mut backoff = Backoff::new();
        for _ in 0..3 {
            assert!(!backoff.must_wait(HERE, b"x", PATIENCE, NOW));
            backoff.failed(HERE, b"x", Cause::UnknownUser, PATIENCE, NOW);
        }
        assert!(backoff.must_wait(HERE, b"other", PATIENCE, NOW + 10_000));
        assert!(!backoff.must_wait(HERE, b"x", PATIENCE, NOW + 10_001));
        assert!(!backoff.must_wait(address(1), b"x", PATIENCE, NOW));
        let never = Patience { failures: 0, window: 10_000 };
        assert!(!backoff.must_wait(HERE, b"x", never, NOW));
    }

    #[test]
    fn an_attack_on_an_account_from_many_addresses_does_not_lock_its_owner_out() {
        let mut backoff = Backoff::new();
        backoff.succeeded(HERE, b"alice", NOW);
        for number in 0..10_000 {
            backoff.failed(address(number), b"alice", Cause::WrongPassword, PATIENCE, NOW);
        }
        assert!(backoff.must_wait(address(20_000), b"alice", PATIENCE, NOW));
        assert!(!backoff.must_wait(HERE, b"alice", PATIENCE, NOW));
        assert!(!backoff.must_wait(address(20_000), b"bob", PATIENCE, NOW));
    }

    #[test]
    fn the_administrator_can_end_the_wait() {
        let mut backoff = Backoff::new();
        for number in 0..12 {
            backoff.failed(HERE, b"alice", Cause::WrongPassword, PATIENCE, NOW);
            backoff.failed(address(number), b"alice", Cause::WrongPassword, PATIENCE, NOW);
        }
        assert!(!backoff.forgive(Some(address(100)), Some(b"bob")));
        assert!(backoff.forgive(Some(HERE), None));
        assert!(!backoff.must_wait(HERE, b"bob", PATIENCE, NOW));
        assert!(backoff.must_wait(HERE, b"alice", PATIENCE, NOW));
        assert!(backoff.forgive(Some(HERE), Some(b"alice")));
        assert!(!backoff.must_wait(HERE, b"alice", PATIENCE, NOW));
        assert!(!backoff.forgive(Some(HERE), Some(b"alice")));
    }

    #[test]
    fn those_that_wait_stay_when_the_memory_is_full() {
        let mut backoff = Backoff::new();
        for _ in 0..3 {
            backoff.failed(HERE, b"x", Cause::UnknownUser, PATIENCE, NOW);
        }
        for number in 0..10_000 {
            backoff.failed(address(number), b"x", Cause::UnknownUser, PATIENCE, NOW + 1);
        }
        assert!(backoff.must_wait(HERE, b"x", PATIENCE, NOW + 2));
    }
}
