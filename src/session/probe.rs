//! Addresses of the LAN are asked for there before a caller gets them: a machine that answers has
//! the address already (RFC 5227 section 2.1, with less patience: the caller waits).

use core::net::Ipv4Addr;

use heapless::{Deque, Vec};

use super::event::Step;
use super::link::Outcome;
use super::server::Server;
use crate::config::{LanMode, User};
use crate::limits::LAN_ADDRESSES;
use crate::reason::Cause;
use crate::time::Instant;

/// Questions about one address, and milliseconds that each is given for an answer. The caller's
/// IPCP waits for them, and nothing else does.
const PROBES: u8 = 2;
const PROBE_MS: u64 = 150;

/// Addresses that one login tries. Those that are found in use are left alone for a while, so that
/// the next login begins behind them.
const TRIES: u8 = 8;

/// Milliseconds that an address in use is left alone.
const SHUN_MS: u64 = 10 * 60 * 1000;

/// How far the questions about a call's address are.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// When the next one goes out, or the address is free.
    pub at: Instant,
    /// Those that are still to be asked.
    left: u8,
    /// Addresses before this one that were in use.
    misses: u8,
}

/// A question for the LAN: who has `target`?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub target: Ipv4Addr,
    /// Our own address in the same network, which routers that answer for others want to know;
    /// unspecified in an ARP Probe, which changes nobody's mind about anything.
    pub sender: Ipv4Addr,
}

/// Questions that wait to be asked, and what the LAN answered.
#[derive(Default)]
pub struct Probes {
    wishes: Deque<Wish, LAN_ADDRESSES>,
    /// Addresses that machines of the LAN have, and when that was seen.
    used: Vec<(Ipv4Addr, Instant), LAN_ADDRESSES>,
}

impl Probes {
    /// Whether a machine of the LAN had the address a short while ago.
    pub fn is_used(&self, address: Ipv4Addr, now: Instant) -> bool {
        let recent = |at: Instant| now.since(at) < SHUN_MS;
        self.used.iter().any(|used| used.0 == address && recent(used.1))
    }

    /// Whether that is news. The oldest knowledge makes room.
    fn note(&mut self, address: Ipv4Addr, now: Instant) -> bool {
        let is_news = !self.is_used(address, now);
        self.used.retain(|used| used.0 != address);
        if self.used.is_full() {
            self.used.remove(0);
        }
        let _room_was_made = self.used.push((address, now));
        is_news
    }
}

impl Server<'_> {
    /// The next question for the LAN.
    pub fn poll_probe(&mut self) -> Option<Wish> {
        self.probes.wishes.pop_front()
    }

    /// A machine of the LAN has `address`.
    pub fn address_in_use(&mut self, address: Ipv4Addr, now: Instant) {
        let owner = self.leases.find(address);
        let is_ours = |user: &User| user.ip == Some(address);
        if self.config.pool.offset(address).is_none() && !self.config.users.iter().any(is_ours) {
            return;
        }
        let is_news = self.probes.note(address, now);
        let Some(slot) = owner else { return };
        let misses = self.table.get(slot).and_then(|call| call.probe).map(|probe| probe.misses);
        if is_news || misses.is_some() {
            self.tell(slot, Step::Conflict { address });
        }
        if let Some(misses) = misses {
            self.take_another(slot, misses + 1, now);
        }
    }

    /// Asks the LAN for an address that a call has just been leased, if it is the LAN's.
    pub(super) fn begin_probe(&mut self, slot: u16, misses: u8, now: Instant) {
        let Some(call) = self.table.get_mut(slot) else { return };
        let is_asked_for = |address: &Ipv4Addr| {
            self.config.lan_mode == LanMode::SameSubnet && self.lan.contains(*address)
        };
        let probe = Probe { at: now, left: PROBES, misses };
        call.probe = call.lease.filter(is_asked_for).map(|_| probe);
        self.probe_timeout(slot, now);
    }

    /// Asks again, or has waited long enough: nobody has the address.
    pub(super) fn probe_timeout(&mut self, slot: u16, now: Instant) {
        let Some(call) = self.table.get_mut(slot) else { return };
        let Some(probe) = call.probe.as_mut().filter(|probe| probe.at <= now) else { return };
        if let Some(left) = probe.left.checked_sub(1) {
            (probe.left, probe.at) = (left, now + PROBE_MS);
            let target = call.lease;
            self.ask(target, left);
            return self.watch_call(slot);
        }
        call.probe = None;
        self.assign(slot, now);
    }

    /// Lets IPCP begin, unless it is not known yet that nobody has the address.
    pub(super) fn assign(&mut self, slot: u16, now: Instant) {
        let call = self.table.get(slot).filter(|call| call.probe.is_none());
        let Some(address) = call.and_then(|call| call.lease) else { return };
        let addresses = self.addresses(address);
        let outcome = self.step(slot, now, |call, turn| call.link.assign(addresses, turn));
        self.after(slot, outcome.unwrap_or(Outcome::None), now);
    }

    fn ask(&mut self, target: Option<Ipv4Addr>, left: u8) {
        let Some(target) = target else { return };
        let main = self.lan.networks.first().filter(|main| left == 0 && main.contains(target));
        let sender = main.and(self.lan.address).unwrap_or(Ipv4Addr::UNSPECIFIED);
        // A crowd of logins asks for some addresses once instead of twice.
        let _full = self.probes.wishes.push_back(Wish { target, sender });
    }

    /// The address of a call that logs in is in use: another one, or the end.
    fn take_another(&mut self, slot: u16, misses: u8, now: Instant) {
        let Some(call) = self.table.get(slot) else { return };
        let fixed = self.config.users.iter().any(|user| call.is_of(user) && user.ip == call.lease);
        self.release_lease(slot);
        let next = (!fixed && misses < TRIES).then(|| self.take_free(slot, now)).flatten();
        if let Some(call) = self.table.get_mut(slot).filter(|_| next.is_some()) {
            call.lease = next;
            return self.begin_probe(slot, misses, now);
        }
        let cause = if fixed { Cause::AddressTaken } else { Cause::PoolExhausted };
        self.end_call(slot, cause, now);
    }

    /// Leases the next address of the pool that nobody has or shall have.
    pub(super) fn take_free(&mut self, slot: u16, now: Instant) -> Option<Ipv4Addr> {
        let Server { config, lan, probes, leases, .. } = self;
        let is_reserved = |address| {
            address == config.local_ip
                || config.users.iter().any(|user| user.ip == Some(address))
                || lan.reserves(address)
                || probes.is_used(address, now)
        };
        leases.take_any(slot, is_reserved)
    }
}
