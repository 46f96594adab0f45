//! The rights of a call's account at work, in the order in which a packet meets them: where it may
//! go or come from, how fast; and when the call ends for its time.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::bucket::Bucket;
use super::ipv6::Ipv6;
use super::lan::Lan;
use super::leases::Leases;
use super::routes::Routes;
use super::server::Server;
use super::table::Call;
use crate::config::{Config, Rights, User};
use crate::reason::{Cause, Discard};
use crate::time::{Deadline, Instant, deadline, due, earlier};
use crate::wire::ipv4::Header;
use crate::wire::ipv6;

const MINUTE_MS: u64 = 60_000;

const NO_LAN: u8 = 1;
const NO_INTERNET: u8 = 2;
const NO_CALLERS: u8 = 4;
const PLACES: u8 = NO_LAN | NO_INTERNET | NO_CALLERS;
/// A rate limit, or the time of the last packet matters.
const METERED: u8 = 8;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DNS: u16 = 53;
const DHCP: u16 = 67;

/// What the account of a call may do, as a packet asks for it. The default is everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grant {
    /// What is not as free as it could be: nearly every call has no such bit, and this is the one
    /// test that its packets pay for.
    limits: u8,
    /// Broadcasts are relayed.
    relay: bool,
    up: Bucket,
    down: Bucket,
    /// Milliseconds without inner packets, and from the start, until the call ends; 0 is never.
    idle: u64,
    session: u64,
    active_at: Instant,
}

/// The direction of a packet: from the caller or to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

impl Grant {
    /// Whether packets have to be judged.
    pub fn is_limited(&self) -> bool {
        self.limits != 0
    }

    /// Whether broadcasts pass from and to the caller.
    pub fn relays(&self) -> bool {
        self.relay
    }

    /// Whether everything of the LAN is free.
    pub fn reaches_lan(&self) -> bool {
        self.limits & NO_LAN == 0
    }

    /// Whether other callers are free.
    pub fn reaches_callers(&self) -> bool {
        self.limits & NO_CALLERS == 0
    }

    /// Whether a broadcast of so many octets may go to the caller. It is no sign of life.
    pub fn admits_broadcast(&mut self, octets: usize, now: Instant) -> bool {
        self.down.admits(octets, now)
    }

    /// The rights are these from now on.
    pub(super) fn set(&mut self, rights: &Rights, now: Instant) {
        self.up.set(rights.rate_up, now);
        self.down.set(rights.rate_down, now);
        if self.idle == 0 {
            self.active_at = now;
        }
        self.idle = u64::from(rights.idle_timeout) * MINUTE_MS;
        self.session = u64::from(rights.session_timeout) * MINUTE_MS;
        let metered = !self.up.is_open() || !self.down.is_open() || self.idle != 0;
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        self.relay = rights.relay;
        self.limits = bit(!rights.lan, NO_LAN)
            | bit(!rights.internet, NO_INTERNET)
            | bit(!rights.callers, NO_CALLERS)
            | bit(metered, METERED);
    }

    /// Whether the Internet is open to it.
    pub fn has_internet(&self) -> bool {
        self.limits & NO_INTERNET == 0
    }

    /// Whether the LAN is open to it.
    pub fn has_lan(&self) -> bool {
        self.limits & NO_LAN == 0
    }

    fn meter(&mut self, way: Way, octets: usize, now: Instant) -> Result<(), Discard> {
        let (bucket, why) = match way {
            Way::Up => (&mut self.up, Discard::RateUp),
            Way::Down => (&mut self.down, Discard::RateDown),
        };
        if !bucket.admits(octets, now) {
            return Err(why);
        }
        self.active_at = now;
        Ok(())
    }
}

/// Everything that says what an address is.
pub(super) struct Places<'s> {
    pub config: &'s Config,
    pub leases: &'s Leases<'s>,
    pub routes: &'s Routes,
    pub lan: &'s Lan,
}

impl Places<'_> {
    /// Whether a packet of a call may pass; if so, it counts.
    #[cold]
    pub fn judge(
        &self,
        call: &mut Call,
        way: Way,
        (header, octets): (&Header, &[u8]),
        now: Instant,
    ) -> Result<(), Discard> {
        let (other, forbidden) = match way {
            Way::Up => (header.destination, Discard::InnerForbidden),
            Way::Down => (header.source, Discard::TunForbidden),
        };
        let limits = call.grant.limits;
        let denied = limits & PLACES != 0 && limits & self.kind(other, call) != 0;
        if denied && !(self.serves(other, call) && is_service(way, header, octets)) {
            return Err(forbidden);
        }
        if limits & METERED == 0 {
            return Ok(());
        }
        call.grant.meter(way, header.total_len, now)
    }

    /// The bit that forbids `address`. What is private is taken for a part of the LAN, whether it
    /// is known or not: a guest network or a modem is not the Internet.
    fn kind(&self, address: Ipv4Addr, call: &Call) -> u8 {
        if self.is_router(address, call) {
            return NO_LAN;
        }
        let is_caller = self.config.pool.offset(address).is_some()
            || self.leases.find(address).is_some()
            || self.routes.find(address).is_some();
        if is_caller {
            return NO_CALLERS;
        }
        if self.lan.contains(address) || is_local(address) { NO_LAN } else { NO_INTERNET }
    }

    /// This machine, as far as it is known by name: inside the tunnel, in the LAN, and where the
    /// caller dialled.
    fn is_router(&self, address: Ipv4Addr, call: &Call) -> bool {
        let own = [Some(self.config.local_ip), self.lan.address, Some(call.path.local)];
        own.contains(&Some(address))
    }

    /// Whether `address` answers even those who may not go there: the router, the DNS servers that
    /// callers are told of, and whoever answers DHCP.
    fn serves(&self, address: Ipv4Addr, call: &Call) -> bool {
        self.is_router(address, call)
            || self.config.dns.contains(&address)
            || address == Ipv4Addr::BROADCAST
    }
}

/// Addresses that are never those of a machine in the Internet: private and shared ones (RFC 1918,
/// RFC 6598), link-local, this network, loopback, multicast, reserved and broadcast.
fn is_local(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_link_local()
        || matches!(first, 0 | 127 | 224..)
        || first == 100 && second & 0xc0 == 64
}

/// DNS, DHCP, pings and their errors (RFC 792). Only the first fragment of a packet has ports; the
/// others are nothing without it.
fn is_service(way: Way, header: &Header, octets: &[u8]) -> bool {
    if header.fragment_offset != 0 {
        return matches!(header.protocol, ICMP | TCP | UDP);
    }
    has_service(way, header.protocol, octets.get(header.header_len..).unwrap_or_default())
}

/// The same of a packet with this payload in either version.
fn has_service(way: Way, protocol: u8, payload: &[u8]) -> bool {
    let [a, b, c, d, ..] = *payload else { return false };
    let port = match way {
        Way::Up => u16::from_be_bytes([c, d]),
        Way::Down => u16::from_be_bytes([a, b]),
    };
    match protocol {
        // Echo and its reply, unreachable, time exceeded.
        ICMP => matches!(a, 0 | 3 | 8 | 11),
        // Every error, echo and its reply.
        ICMPV6 => matches!(a, 1..=4 | 128 | 129),
        TCP => port == DNS,
        UDP => matches!(port, DNS | DHCP),
        _ => false,
    }
}

impl Ipv6 {
    /// Whether an IPv6 packet of a call may pass; if so, it counts.
    #[cold]
    pub(super) fn judge(
        &self,
        grant: &mut Grant,
        way: Way,
        (header, octets): (&ipv6::Header, &[u8]),
        now: Instant,
    ) -> Result<(), Discard> {
        let (other, forbidden) = match way {
            Way::Up => (header.destination, Discard::InnerForbidden),
            Way::Down => (header.source, Discard::TunForbidden),
        };
        let serves = || {
            let payload = octets.get(ipv6::HEADER..).unwrap_or_default();
            (self.is_router(other) || self.dns.contains(&other))
                && has_service(way, header.next_header, payload)
        };
        if grant.limits & self.kind(other) != 0 && !serves() {
            return Err(forbidden);
        }
        if grant.limits & METERED == 0 {
            return Ok(());
        }
        grant.meter(way, header.total_len, now)
    }

    /// The bit that forbids `address`. What is in a network of this machine, and what is private, is
    /// taken for a part of the LAN.
    fn kind(&self, address: Ipv6Addr) -> u8 {
        let (prefix, _) = ipv6::split(address);
        match () {
            () if self.is_router(address) => NO_LAN,
            () if self.prefixes.contains(&prefix) => NO_CALLERS,
            () if self.lan.contains(&prefix) || !is_global(address) => NO_LAN,
            () => NO_INTERNET,
        }
    }

    fn is_router(&self, address: Ipv6Addr) -> bool {
        let (prefix, identifier) = ipv6::split(address);
        identifier == ipv6::ROUTER && self.prefixes.contains(&prefix)
    }
}

/// Whether `address` is one of the Internet's (RFC 4291 section 2.4): 2000::/3 is all that is given
/// out, and the way to IPv4 by a translator (RFC 6052).
fn is_global(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    first >> 13 == 1 || (first, second) == (0x64, 0xff9b)
}

impl Call {
    /// When the call ends for its account's limits of time.
    pub(super) fn limit_deadline(&self) -> Option<Deadline> {
        let Grant { idle, session, active_at, .. } = self.grant;
        if self.link.cause().is_some() {
            return None;
        }
        let after = |start: Instant, length: u64| (length != 0).then(|| start + length);
        let idle = deadline(after(active_at, idle), "idle time");
        earlier(idle, deadline(after(self.since, session), "session time"))
    }

    /// Why the call must end now.
    pub(super) fn overdue(&self, now: Instant) -> Option<Cause> {
        let at = self.limit_deadline().map(|deadline| deadline.0);
        let session = Some(self.since + self.grant.session).filter(|_| self.grant.session != 0);
        let cause = if due(session, now) { Cause::SessionTimeout } else { Cause::IdleTimeout };
        due(at, now).then_some(cause)
    }
}

impl Server<'_> {
    /// The account of a call.
    pub(super) fn user_of(&self, slot: u16) -> Option<&User> {
        let name = self.table.get(slot)?.user.as_ref()?;
        self.config.users.iter().find(|user| user.name == *name)
    }

    /// Gives a call the rights of its account.
    pub(super) fn grant(&mut self, slot: u16, now: Instant) {
        let Server { config, table, .. } = self;
        let Some(call) = table.get_mut(slot) else { return };
        let own = config.users.iter().find(|user| call.user.as_ref() == Some(&user.name));
        if let Some(user) = own {
            call.grant.set(&user.rights, now);
            // What it is told in IPv6 follows from them.
            call.host.advertise_at = call.host.advertise_at.map(|_| now);
        }
    }

    /// The router's local time: the minute of the week from Monday 00:00, or `None` while its clock
    /// is not set. To be told before the first call and at each full minute, if any account has
    /// `hours`. Ends the calls whose time is over.
    pub fn local_time(&mut self, minute: Option<u16>, now: Instant) {
        self.minute = minute;
        self.end_by_hours(now);
    }

    /// Why an account must not be online now.
    pub(super) fn closed(&self, rights: &Rights) -> Option<Cause> {
        match self.minute {
            _ if rights.hours.is_empty() => None,
            None => Some(Cause::ClockNotSet),
            Some(minute) => (!rights.allow(minute)).then_some(Cause::Hours),
        }
    }

    pub(super) fn end_by_hours(&mut self, now: Instant) {
        for slot in 0..self.table.slots() {
            let is_live = self.table.get(slot).is_some_and(|call| call.link.cause().is_none());
            let closed = || self.user_of(slot).and_then(|user| self.closed(&user.rights));
            if let Some(cause) = is_live.then(closed).flatten() {
                self.end_call(slot, cause, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_local() {
        let local = |octets: [u8; 4]| is_local(octets.into());
        for octets in [[10, 0, 0, 1], [172, 16, 0, 1], [172, 31, 255, 255], [192, 168, 9, 9]] {
            assert!(local(octets), "{octets:?}");
        }
        for octets in [[169, 254, 1, 1], [100, 64, 0, 0], [100, 127, 255, 255], [224, 0, 0, 251]] {
            assert!(local(octets), "{octets:?}");
        }
        assert!(local([255; 4]) && local([239, 255, 255, 250]) && local([0; 4]));
        for octets in [[9, 9, 9, 9], [172, 32, 0, 1], [100, 128, 0, 1], [100, 63, 0, 1]] {
            assert!(!local(octets), "{octets:?}");
        }
    }

    #[test]
    fn places_of_ipv6() {
        let ipv6 = Ipv6 {
            prefixes: [0xfd00_0000_0000_0007].into_iter().collect(),
            lan: [0x2001_0db8_0000_0001].into_iter().collect(),
            ..Ipv6::default()
        };
        for (address, kind) in [
            ("fd00:0:0:7::1", NO_LAN),
            ("fd00:0:0:7::2", NO_CALLERS),
            ("fd00:0:0:8::2", NO_LAN),
            ("2001:db8:0:1::5", NO_LAN),
            ("2001:db8:0:2::5", NO_INTERNET),
            ("64:ff9b::808:808", NO_INTERNET),
            ("::1", NO_LAN),
            ("::ffff:8.8.8.8", NO_LAN),
            ("4000::1", NO_LAN),
        ] {
            assert_eq!(ipv6.kind(address.parse().unwrap()), kind, "{address}");
        }
        assert!(has_service(Way::Up, ICMPV6, &[128, 0, 0, 0]));
        assert!(!has_service(Way::Up, ICMPV6, &[134, 0, 0, 0]));
    }

    #[test]
    fn services_by_port_and_direction() {
        let packet = |protocol, payload: [u8; 4], fragment_offset| {
            let source = Ipv4Addr::LOCALHOST;
            let (header_len, total_len) = (20, 24);
            let destination = source;
            let header =
                Header { header_len, total_len, fragment_offset, protocol, source, destination };
            let mut octets = [0; 24];
            octets[20..].copy_from_slice(&payload);
            (header, octets)
        };
        let serves = |way, protocol, payload, offset| {
            let (header, octets) = packet(protocol, payload, offset);
            is_service(way, &header, &octets)
        };
        assert!(serves(Way::Up, UDP, [9, 9, 0, 53], 0) && serves(Way::Down, TCP, [0, 53, 9, 9], 0));
        assert!(
            !serves(Way::Down, UDP, [9, 9, 0, 53], 0) && !serves(Way::Up, TCP, [0, 53, 0, 80], 0)
        );
        assert!(
            serves(Way::Up, UDP, [0, 68, 0, 67], 0) && !serves(Way::Up, TCP, [0, 68, 0, 67], 0)
        );
        assert!(serves(Way::Up, ICMP, [8, 0, 0, 0], 0) && !serves(Way::Up, ICMP, [5, 0, 0, 0], 0));
        assert!(serves(Way::Up, UDP, [0; 4], 100) && !serves(Way::Up, 47, [0; 4], 100));
        let (header, octets) = packet(UDP, [0; 4], 0);
        assert!(!is_service(Way::Up, &header, &octets[..22]));
    }
}
