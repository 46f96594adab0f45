//! What of the program is counted: what its loop calls, and nothing that a test does around it. None of these
//! functions calls another one of them: callgrind begins and ends its count with each.

use std::net::Ipv4Addr;

use pptp::packet::Packet;
use pptp::session::{ControlId, Forward, Path, Server, Taken};
use pptp::time::Instant;

/// A packet of a caller; whether one is ready for the LAN.
#[inline(never)]
pub fn gre(server: &mut Server, from: Ipv4Addr, packet: &mut Packet, now: Instant) -> bool {
    server.handle_gre(from, packet, now) == Ok(Taken::Tun)
}

/// What waited for the packet before.
#[inline(never)]
pub fn released(server: &mut Server, packet: &mut Packet, now: Instant) -> bool {
    server.poll_tun(packet, now) == Taken::Tun
}

/// A packet of the LAN; whether it goes to a caller.
#[inline(never)]
pub fn tun(server: &mut Server, packet: &mut Packet, now: Instant) -> bool {
    matches!(server.handle_tun(packet, now), Ok(Forward::Gre(_)))
}

/// The timers, at the begin of a turn.
#[inline(never)]
pub fn timers(server: &mut Server, now: Instant) {
    if server.poll_timeout().is_some_and(|(at, _)| at <= now) {
        server.handle_timeout(now);
    }
}

/// The next packet of the server's own.
#[inline(never)]
pub fn own(server: &mut Server, packet: &mut Packet, now: Instant) -> Option<Path> {
    server.poll_gre(packet, now)
}

/// The next deadline, at the end of a turn.
#[inline(never)]
pub fn deadline(server: &Server) -> Option<Instant> {
    server.poll_timeout().map(|(at, _)| at)
}

/// Octets of a control connection.
#[inline(never)]
pub fn control(server: &mut Server, id: ControlId, octets: &[u8], now: Instant) {
    server.handle_control(id, octets, now);
}
