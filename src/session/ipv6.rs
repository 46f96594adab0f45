//! IPv6 of the calls: IPV6CP beside IPCP, whose packets may pass, and whom a packet is for.
//!
//! All callers share each /64 prefix and choose the interface identifiers of their addresses
//! themselves (RFC 4862, RFC 8981). An address belongs to the call that first sends from it.

use core::net::Ipv6Addr;

use heapless::Vec;

use super::inbound::Taken;
use super::link::{Link, Outcome, Turn};
use super::outbound::Forward;
use super::rights::Way;
use super::server::Server;
use super::table::Call;
use crate::limits::{IPV6_ADDRESSES, IPV6_CACHE, IPV6_DNS, IPV6_NETWORKS, IPV6_PREFIXES};
use crate::packet::Packet;
use crate::proto::automaton::State;
use crate::proto::mss;
use crate::reason::Discard;
use crate::time::{Deadline, Instant, deadline};
use crate::wire::icmpv6::packet_too_big;
use crate::wire::ipv6::{Header, MTU_MIN, ROUTER, join, link_local, split, stays_on_link};
use crate::wire::ppp::{ControlPacket, protocol};

/// What callers get of IPv6. The program around the library finds it out and says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ipv6 {
    /// The upper 64 bits of the callers' addresses. The kernel has the address 1 in each of them.
    pub prefixes: Vec<u64, IPV6_PREFIXES>,
    /// The same of this machine's other networks.
    pub lan: Vec<u64, IPV6_NETWORKS>,
    /// DNS servers; `::` is the kernel's address in the first prefix.
    pub dns: Vec<Ipv6Addr, IPV6_DNS>,
    /// Whether callers are to use this router for addresses outside of the prefixes.
    pub default_router: bool,
}

/// What is known of a caller in IPv6.
#[derive(Debug, Default)]
pub struct Host {
    /// Lower 64 bits of its addresses under every prefix, the one used last first.
    pub(super) identifiers: Vec<u64, IPV6_ADDRESSES>,
    /// When it is told about the router again; `None` while no IPv6 may pass.
    pub(super) advertise_at: Option<Instant>,
    pub(super) advertised_at: Instant,
    /// That it takes itself for a router was told.
    pub(super) is_router: bool,
}

impl Host {
    /// When the server wants to look after it.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        deadline(self.advertise_at, "router advertisement")
    }

    /// Whether it has `identifier`, which then is the one used last.
    fn uses(&mut self, identifier: u64) -> bool {
        let Some(at) = self.identifiers.iter().position(|&known| known == identifier) else {
            return false;
        };
        self.identifiers[..=at].rotate_right(1);
        true
    }

    /// Takes a new one in place of the one that was not used for the longest time.
    fn learn(&mut self, identifier: u64) {
        if self.identifiers.is_full() {
            self.identifiers.pop();
        }
        let _room_was_made = self.identifiers.insert(0, identifier);
    }
}

impl Link {
    /// IPV6CP that comes before encryption is on waits for it, as IPCP does: Windows sends it ahead
    /// of everything else. What becomes of it never ends a call.
    pub(super) fn handle_ipv6cp<'p>(
        &mut self,
        packet: &ControlPacket,
        information: &[u8],
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        if !self.is_encrypted_enough() {
            self.held_ipv6cp.clear();
            let _too_long_to_keep = self.held_ipv6cp.extend_from_slice(information);
            return Ok(Outcome::None);
        }
        let ipv6cp = self.ipv6cp.as_mut().ok_or(Discard::PppPhase)?;
        // The peer begins: one that knows no IPv6 is not bothered with it.
        if ipv6cp.state() == State::Initial {
            ipv6cp.open(&mut turn.out, turn.now);
        }
        ipv6cp.handle(packet, &mut turn.out, turn.now).map(|_| Outcome::None)
    }

    /// Handles the IPV6CP packet that waited for encryption.
    pub(super) fn release_ipv6cp(&mut self, turn: &mut Turn) {
        let held = core::mem::take(&mut self.held_ipv6cp);
        if let Ok(packet) = ControlPacket::parse(&held) {
            let _wrong_ones_are_nobodys_loss = self.handle_ipv6cp(&packet, &held, turn);
        }
    }

    /// The peer answered IPV6CP with a Protocol-Reject: the call goes on without.
    pub(super) fn ipv6cp_refused<'p>(&mut self, turn: &mut Turn) -> Outcome<'p> {
        if let Some(ipv6cp) = &mut self.ipv6cp {
            ipv6cp.protocol_rejected(&mut turn.out, turn.now);
        }
        Outcome::None
    }

    /// Our interface identifier and the peer's, while inner IPv6 packets may pass.
    pub fn identifiers(&self) -> Option<(u64, u64)> {
        let open = self.ipv6cp.as_ref().filter(|ipv6cp| self.is_open() && ipv6cp.is_open())?;
        Some((open.protocol.own(), open.protocol.peer()?))
    }
}

impl Server<'_> {
    /// IPv6 became known, changed, or is gone. Without it callers cannot agree on it; calls that
    /// have keep it as it is then, and otherwise hear of the change.
    pub fn ipv6_changed(&mut self, ipv6: Option<Ipv6>, now: Instant) {
        if self.ipv6 == ipv6 {
            return;
        }
        self.ipv6 = ipv6;
        for slot in 0..self.table.slots() {
            if let Some(call) = self.table.get_mut(slot)
                && call.host.advertise_at.is_some()
            {
                call.host.advertise_at = Some(now);
            }
        }
        self.watch_all();
    }

    /// After a step of a call's link: IPv6 came up or went down. The identifier of the link is the
    /// one that many callers use under every prefix, so that these can be reached at once.
    pub(super) fn look_after_ipv6(&mut self, slot: u16, now: Instant) {
        let Some(call) = self.table.get_mut(slot) else { return };
        match (call.link.identifiers(), call.host.advertise_at) {
            (Some((_, peer)), None) => {
                self.may_use(slot, peer);
                self.advertise(slot, now);
            }
            (None, Some(_)) => call.host = Host::default(),
            _ => {}
        }
    }

    /// An inner IPv6 packet from a caller. It passes if its source is the caller's, and is not for
    /// the link itself.
    pub(super) fn take_ipv6(
        &mut self,
        slot: u16,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        let (_, peer) = call.link.identifiers().ok_or(match call.link.ipv6cp {
            Some(_) => Discard::InnerPhase,
            None => Discard::InnerProtocol,
        })?;
        let header = Header::parse(packet.data()).map_err(|_| Discard::InnerPacket)?;
        if header.hop_limit == 0 {
            return Err(Discard::InnerPacket);
        }
        packet.truncate(header.total_len);
        if !self.is_source(slot, &header, peer) {
            return Err(Discard::InnerSource);
        }
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        let on_link = stays_on_link(header.destination);
        if let (true, Some(ipv6)) = (call.grant.is_limited() && !on_link, &self.ipv6) {
            ipv6.judge(&mut call.grant, Way::Up, (&header, packet.data()), now)?;
        }
        call.traffic.rx_packets += 1;
        call.traffic.rx_bytes += header.total_len as u64;
        let mtu = call.ipv6_mtu();
        if on_link {
            return self.take_on_link(slot, &header, packet, now);
        }
        mss::clamp_ipv6(packet.data_mut(), &header, mtu);
        Ok(Taken::Tun)
    }

    /// Whether a caller may send from this source. Its link-local address, and none at all, are for
    /// the link only.
    fn is_source(&mut self, slot: u16, header: &Header, peer: u64) -> bool {
        let source = header.source;
        if source == link_local(peer) || source.is_unspecified() {
            return stays_on_link(header.destination);
        }
        let (prefix, identifier) = split(source);
        self.has_prefix(prefix) && self.may_use(slot, identifier)
    }

    /// Whether a caller may use `identifier`, which is its own from now on.
    fn may_use(&mut self, slot: u16, identifier: u64) -> bool {
        let used = |call: &mut Call| call.host.uses(identifier);
        if self.table.get_mut(slot).is_some_and(used) {
            return true;
        }
        let is_free = !matches!(identifier, 0 | ROUTER) && self.owner(identifier).is_none();
        if let Some(call) = self.table.get_mut(slot).filter(|_| is_free) {
            call.host.learn(identifier);
        }
        is_free
    }

    pub(super) fn has_prefix(&self, prefix: u64) -> bool {
        self.ipv6.as_ref().is_some_and(|ipv6| ipv6.prefixes.contains(&prefix))
    }

    /// The slot of the call that has the addresses of `identifier`.
    pub(super) fn owner(&mut self, identifier: u64) -> Option<u16> {
        let owns = |call: &Call| {
            call.host.identifiers.contains(&identifier) && call.link.identifiers().is_some()
        };
        let folded = (identifier ^ identifier >> 32) as usize;
        let place = (folded ^ folded >> 16 ^ folded >> 8) % IPV6_CACHE;
        let cached = self.ipv6_cache[place];
        if self.table.get(cached).is_some_and(owns) {
            return Some(cached);
        }
        let (found, _) = self.table.iter().find(|(_, call)| owns(call))?;
        self.ipv6_cache[place] = found;
        Some(found)
    }

    /// The slot of the call that an IPv6 packet from the TUN is for.
    pub(super) fn whose_ipv6(&mut self, packet: &Packet) -> Option<u16> {
        let header = Header::parse(packet.data()).ok()?;
        let (prefix, identifier) = split(header.destination);
        if self.has_prefix(prefix) { self.owner(identifier) } else { None }
    }

    /// An IPv6 packet that the kernel routed into the TUN. What the kernel says to a link that it
    /// takes for one (solicitations, multicast groups, redirects) goes nowhere.
    pub(super) fn tun_ipv6(
        &mut self,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Forward, Discard> {
        let header = Header::parse(packet.data()).map_err(|_| Discard::TunPacket)?;
        packet.truncate(header.total_len);
        let (prefix, identifier) = split(header.destination);
        if stays_on_link(header.source) || !self.has_prefix(prefix) {
            return Err(Discard::TunDestination);
        }
        let slot = self.owner(identifier).ok_or(Discard::TunDestination)?;
        let call = self.table.get_mut(slot).ok_or(Discard::TunDestination)?;
        if let (true, Some(ipv6)) = (call.grant.is_limited(), &self.ipv6) {
            ipv6.judge(&mut call.grant, Way::Down, (&header, packet.data()), now)?;
        }
        let mtu = call.ipv6_mtu();
        if header.total_len > usize::from(mtu) {
            let told = packet_too_big(packet, &header, mtu);
            return told.then_some(Forward::Tun).ok_or(Discard::TunSize);
        }
        mss::clamp_ipv6(packet.data_mut(), &header, mtu);
        call.send(protocol::IPV6, packet)?;
        call.traffic.tx_packets += 1;
        call.traffic.tx_bytes += header.total_len as u64;
        Ok(Forward::Gre(call.path))
    }
}

impl Call {
    /// Octets of the largest inner IPv6 packet. One of 1280 must always fit (RFC 8200 section 5),
    /// and by RFC 1661 section 6.1 every peer takes it, whatever MRU it asked for.
    pub(super) fn ipv6_mtu(&self) -> u16 {
        self.mtu.max(MTU_MIN)
    }

    /// The address that the caller used last, under `prefix`.
    pub(super) fn ipv6_address(&self, prefix: u64) -> Option<Ipv6Addr> {
        self.host.identifiers.first().map(|&identifier| join(prefix, identifier))
    }
}
