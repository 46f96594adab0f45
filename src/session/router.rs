//! The router that callers see at the other end of their link: its advertisements (RFC 4861
//! section 6.2), and its answers to what they say on the link.

use core::net::Ipv6Addr;

use heapless::Vec;

use super::event::Step;
use super::inbound::Taken;
use super::ipv6::Ipv6;
use super::server::Server;
use super::table::Call;
use crate::limits::IPV6_PREFIXES;
use crate::packet::Packet;
use crate::reason::Discard;
use crate::time::Instant;
use crate::wire::icmpv6::{Message, RouterAdvertisement, answer_echo, neighbor_advertisement};
use crate::wire::ipv6::{ALL_NODES, Header, ROUTER, join, link_local, split};
use crate::wire::ppp::protocol;

/// Milliseconds between two advertisements that nobody asked for, at least and at most (RFC 4861
/// section 6.2.1: MinRtrAdvInterval, MaxRtrAdvInterval).
const INTERVAL_MS: (u64, u64) = (200_000, 600_000);
/// Milliseconds between two advertisements, however often a caller asks. Less than the
/// MIN_DELAY_BETWEEN_RAS of RFC 4861 section 10, which is for a crowd on one link.
const ASKED_MS: u64 = 1000;
/// Seconds for which we are a default router: three of the longest intervals.
const ROUTER_LIFETIME: u16 = 1800;
/// Seconds that addresses are preferred and valid (RFC 9096 section 3.3).
const LIFETIMES: [u32; 2] = [2700, 5400];

impl Server<'_> {
    /// Tells a caller about the router, and when to do so again.
    pub(super) fn advertise(&mut self, slot: u16, now: Instant) {
        let mut ipv6 = self.ipv6.clone().unwrap_or_default();
        self.step(slot, now, |call, turn| {
            let Some((own, _)) = call.link.identifiers() else { return };
            ipv6.default_router &= call.grant.has_internet();
            if !call.grant.has_lan() {
                ipv6.lan.clear();
            }
            let (low, high) = INTERVAL_MS;
            let pause = low + (high - low) * u64::from(turn.random.u16()) / u64::from(u16::MAX);
            call.host.advertised_at = now;
            call.host.advertise_at = Some(now + pause);
            let source = link_local(own);
            let mtu = call.ipv6_mtu();
            turn.out.frame(protocol::IPV6, |writer| {
                advertisement(&ipv6, mtu, |it| it.emit(source, ALL_NODES, writer));
            });
        });
        self.watch_call(slot);
    }

    /// A packet of a caller for its own link: what is said to a router is answered, all else ends
    /// here.
    pub(super) fn take_on_link(
        &mut self,
        slot: u16,
        header: &Header,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let message = Message::parse(packet.data(), header).map_err(|_| Discard::InnerPacket)?;
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        let (own, _) = call.link.identifiers().ok_or(Discard::InnerPhase)?;
        let own = link_local(own);
        let is_for_us = header.destination.is_multicast() || header.destination == own;
        let asker = (!header.source.is_unspecified()).then_some(header.source);
        match message {
            Message::RouterSolicitation if is_for_us => {
                let soon = now.max(call.host.advertised_at + ASKED_MS);
                call.host.advertise_at = call.host.advertise_at.map(|at| at.min(soon));
                self.watch_call(slot);
                return Ok(Taken::Nothing);
            }
            Message::NeighborSolicitation { target }
                if target == own || self.is_taken(target, slot) =>
            {
                neighbor_advertisement(target, own, asker, packet);
            }
            Message::EchoRequest if is_for_us && asker.is_some() => answer_echo(packet, own),
            Message::Routing => return Err(self.meet_router(slot)),
            _ => return Err(Discard::InnerLink),
        }
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        call.send(protocol::IPV6, packet)?;
        Ok(Taken::Gre(call.path))
    }

    /// Whether an address under a prefix is this router's or another caller's, as somebody must
    /// know who thinks of using it (RFC 4862 section 5.4).
    fn is_taken(&mut self, target: Ipv6Addr, asker: u16) -> bool {
        let (prefix, identifier) = split(target);
        self.has_prefix(prefix)
            && (identifier == ROUTER || self.owner(identifier).is_some_and(|slot| slot != asker))
    }

    /// A caller that shares its own Internet access, or means harm.
    fn meet_router(&mut self, slot: u16) -> Discard {
        let is_known = |call: &mut Call| core::mem::replace(&mut call.host.is_router, true);
        if !self.table.get_mut(slot).is_none_or(is_known) {
            self.tell(slot, Step::ActsAsRouter);
        }
        Discard::InnerRouter
    }
}

/// Hands to `with` what callers are told.
fn advertisement(ipv6: &Ipv6, mtu: u16, with: impl FnOnce(&RouterAdvertisement)) {
    let prefixes: Vec<_, IPV6_PREFIXES> =
        ipv6.prefixes.iter().map(|&prefix| (prefix, LIFETIMES)).collect();
    let mut dns = ipv6.dns.clone();
    for address in dns.iter_mut().filter(|address| address.is_unspecified()) {
        *address = ipv6.prefixes.first().map_or(*address, |&first| join(first, ROUTER));
    }
    let lifetime = if ipv6.default_router { ROUTER_LIFETIME } else { 0 };
    with(&RouterAdvertisement { lifetime, mtu, prefixes: &prefixes, routes: &ipv6.lan, dns: &dns });
}
