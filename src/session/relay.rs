//! Broadcasts between the LAN and the callers, and among callers: what a router never passes on and
//! what games, and computers that look for each other, need. The source stays what it is, since
//! that is who they answer. Functions stand in the order in which a datagram meets them.
//!
//! Only whole UDP datagrams pass. A fragment has no ports after the first, and nobody looks for
//! others with more than a packet holds.

use core::net::Ipv4Addr;

use heapless::Vec;

use super::event::{Event, Step};
use super::inbound::Taken;
use super::server::Server;
use super::storm::{Crowd, Storm, hash};
use super::table::{Call, Path};
use crate::config::Network;
use crate::limits::{LAN_NETWORKS, MRU};
use crate::packet::Packet;
use crate::reason::Discard;
use crate::time::Instant;
use crate::wire::ipv4::Header;
use crate::wire::ppp::protocol;
use crate::wire::udp::{self, Datagram};

/// The group of multicast DNS (RFC 6762) and its port.
pub const MDNS: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);
/// The group in which UPnP devices are searched (SSDP), and its port.
pub const SSDP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);

/// Milliseconds between two lines of the log about broadcasts that do not pass.
const TELL_MS: u64 = 60_000;

/// Whom a copy of a broadcast is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    /// A caller: the packet now starts at the GRE header.
    Gre(Path),
    /// This machine itself, by way of the TUN.
    Tun,
    /// Everybody in the LAN, or the members of the group that is the packet's destination.
    Lan,
}

/// Where a broadcast comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The caller in this slot.
    Caller(u16),
    Lan,
}

/// The broadcast on its way, and what was on it before.
pub struct Relay {
    storm: Storm,
    /// Callers, LAN.
    crowds: [Crowd; 2],
    /// The broadcast as callers shall get it; empty when there is none.
    datagram: Vec<u8, MRU>,
    from: Origin,
    /// The next slot that may get a copy.
    next: u16,
    /// This machine, and the LAN with the destination that it takes, if they shall get one.
    tun: bool,
    lan: Option<Ipv4Addr>,
    /// When the log may have a line about what does not pass.
    tell_at: Instant,
    /// Broadcasts that went on.
    relayed: u32,
}

impl Relay {
    /// Nothing is on its way.
    pub fn new() -> Relay {
        Relay {
            storm: Storm::new(),
            crowds: [Crowd::default(); 2],
            datagram: Vec::new(),
            from: Origin::Lan,
            next: 0,
            tun: false,
            lan: None,
            tell_at: Instant(0),
            relayed: 0,
        }
    }
}

impl Server<'_> {
    /// The destinations of packets in the LAN that are to be taken by `handle_lan`; none while
    /// nobody is online who may have them.
    pub fn wanted_broadcasts(&self) -> Vec<Ipv4Addr, { LAN_NETWORKS + 3 }> {
        let (relay, networks) = (&self.config.relay, &self.lan.networks);
        let mut calls = self.table.iter();
        if !relay.on || networks.is_empty() || !calls.any(|(_, call)| call.shares(Origin::Lan)) {
            return Vec::new();
        }
        let networks = networks.iter().filter(|network| network.prefix < 31);
        let groups = [(relay.mdns, MDNS.0), (relay.ssdp, SSDP.0), (true, Ipv4Addr::BROADCAST)];
        let groups = groups.into_iter().filter(|group| group.0).map(|group| group.1);
        networks.map(Network::broadcast).chain(groups).collect()
    }

    /// Broadcasts that went on to others since the start.
    pub fn relayed(&self) -> u32 {
        self.relay.relayed
    }

    /// A packet of a caller that may be a broadcast: if it is, it is to be taken by `poll_relay`.
    /// `None` when it goes the way of any other packet.
    pub(super) fn take_broadcast(
        &mut self,
        slot: u16,
        header: &Header,
        packet: &mut Packet,
        now: Instant,
    ) -> Option<Result<Taken, Discard>> {
        let audience = self.audience(header)?;
        self.table.get(slot).filter(|call| call.grant.relays())?;
        let taken = self.examine(Origin::Caller(slot), audience, header, packet, now);
        if let Err(why @ (Discard::RelayPacket | Discard::RelayPort | Discard::TunSize)) = taken {
            // It stays between the caller and this machine.
            self.discards.count(why);
            return None;
        }
        let call = self.table.get_mut(slot)?;
        call.traffic.rx_packets += 1;
        call.traffic.rx_bytes += header.total_len as u64;
        Some(taken.map(|()| Taken::Relay))
    }

    /// A packet that somebody in the LAN sent to everybody. Take its copies by `poll_relay`.
    pub fn handle_lan(&mut self, packet: &mut Packet, now: Instant) -> Result<(), Discard> {
        self.take_lan(packet, now).inspect_err(|&why| self.discards.count(why))
    }

    fn take_lan(&mut self, packet: &mut Packet, now: Instant) -> Result<(), Discard> {
        let header = Header::parse(packet.data()).map_err(|_| Discard::RelayPacket)?;
        let audience = self.audience(&header).ok_or(Discard::RelayPacket)?;
        packet.truncate(header.total_len);
        if !is_host(header.source) {
            return Err(Discard::RelayPacket);
        }
        // Nobody there has the address of a caller or one of ours: a bridge brought it back.
        if self.is_behind_caller(header.source) || self.is_own(header.source) {
            return Err(Discard::RelayLoop);
        }
        udp::complete(packet.data_mut(), &header);
        self.examine(Origin::Lan, audience, &header, packet, now)
    }

    fn is_behind_caller(&self, address: Ipv4Addr) -> bool {
        self.leases.find(address).is_some() || self.routes.find(address).is_some()
    }

    fn is_own(&self, address: Ipv4Addr) -> bool {
        address == self.config.local_ip || self.lan.address == Some(address)
    }

    /// The destination that callers take in place of a packet's: their devices have no network
    /// around their address, so that they know no broadcast but the one to everybody. `None` if
    /// the packet is for somebody.
    fn audience(&self, header: &Header) -> Option<Ipv4Addr> {
        let (to, relay) = (header.destination, &self.config.relay);
        // The last two bits of every broadcast address are ones. Most packets end here.
        let may_be = to.to_bits() & 3 == 3 || to == SSDP.0;
        if !may_be || header.protocol != udp::PROTOCOL || !relay.on {
            return None;
        }
        match to {
            Ipv4Addr::BROADCAST => Some(to),
            _ if to == MDNS.0 => relay.mdns.then_some(to),
            _ if to == SSDP.0 => relay.ssdp.then_some(to),
            _ => (self.is_lan_broadcast(to) || self.is_callers_broadcast(header))
                .then_some(Ipv4Addr::BROADCAST),
        }
    }

    fn is_lan_broadcast(&self, to: Ipv4Addr) -> bool {
        self.lan.networks.iter().any(|network| network.prefix < 31 && network.broadcast() == to)
    }

    /// Callers believe that their address has a network of its class around it, or one of 24 bits.
    fn is_callers_broadcast(&self, header: &Header) -> bool {
        let (from, to) = (header.source, header.destination);
        let class = match from.octets()[0] {
            0..128 => 8,
            128..192 => 16,
            _ => 24,
        };
        let is_broadcast =
            [24, class].iter().any(|&it| Network::around(from, it).broadcast() == to);
        let is_host = || {
            self.config.pool.offset(to).is_some()
                || self.is_behind_caller(to)
                || self.lan.contains(to)
        };
        is_broadcast && !is_host()
    }

    /// Whether a broadcast may go on; if so, it is on its way.
    fn examine(
        &mut self,
        from: Origin,
        audience: Ipv4Addr,
        header: &Header,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<(), Discard> {
        let octets = packet.data_mut();
        let datagram = Datagram::parse(octets, header).map_err(|_| Discard::RelayPacket)?;
        if !self.passes(header.destination, datagram.destination_port) {
            return Err(Discard::RelayPort);
        }
        if header.total_len > usize::from(self.config.mtu) {
            return Err(Discard::TunSize);
        }
        self.guard(from, header, &datagram, octets, now).inspect_err(|&why| {
            self.tell_storm(from, header.source, why, now);
        })?;
        udp::age(octets);
        udp::readdress(octets, header, audience);
        self.start(from, header.destination, octets);
        Ok(())
    }

    /// A group has one port; everybody has those of the configuration.
    fn passes(&self, to: Ipv4Addr, port: u16) -> bool {
        match [MDNS, SSDP].iter().find(|group| group.0 == to) {
            Some(group) => group.1 == port,
            None => self.config.relay.allows(port),
        }
    }

    /// Keeps storms and loops out.
    fn guard(
        &mut self,
        from: Origin,
        header: &Header,
        datagram: &Datagram,
        octets: &[u8],
        now: Instant,
    ) -> Result<(), Discard> {
        let Relay { storm, crowds, .. } = &mut self.relay;
        let crowd = &mut crowds[usize::from(from == Origin::Lan)];
        if !storm.admits(header.source, crowd, self.config.relay.rate, now) {
            return Err(Discard::RelayRate);
        }
        let (_, body) = octets.split_at(header.header_len);
        // Ports and length; not the checksum, which changes with the destination.
        let (fields, data) = (&body[..6], &body[udp::HEADER..]);
        let hash = hash(&[&datagram.identification.to_be_bytes(), fields, data]);
        match storm.is_loop(header.source, hash, datagram.ttl, now) {
            true => Err(Discard::RelayLoop),
            false => Ok(()),
        }
    }

    /// A line for the log, now and then.
    fn tell_storm(&mut self, from: Origin, source: Ipv4Addr, why: Discard, now: Instant) {
        if now < self.relay.tell_at {
            return;
        }
        self.relay.tell_at = now + TELL_MS;
        match from {
            Origin::Caller(slot) => self.tell(slot, Step::HeldBack(why)),
            Origin::Lan => {
                let step = Step::HeldBack(why);
                self.push_event(Event { remote: source, call_id: None, step });
            }
        }
    }

    /// Copies will be made of `octets`, which was sent to `to`. The LAN knows its own broadcast
    /// addresses, but not those of the callers.
    fn start(&mut self, from: Origin, to: Ipv4Addr, octets: &[u8]) {
        let is_known = to.is_multicast() || self.is_lan_broadcast(to);
        let lan = if is_known { to } else { Ipv4Addr::BROADCAST };
        let (has_lan, has_callers) = match from {
            Origin::Caller(slot) => self.table.get(slot).map_or((false, false), |call| {
                (call.grant.reaches_lan(), call.grant.reaches_callers())
            }),
            Origin::Lan => (false, true),
        };
        let relay = &mut self.relay;
        relay.datagram.clear();
        if relay.datagram.extend_from_slice(octets).is_ok() {
            relay.relayed = relay.relayed.saturating_add(1);
            (relay.from, relay.tun) = (from, has_lan);
            relay.next = if has_callers { 0 } else { u16::MAX };
            relay.lan = Some(lan).filter(|_| has_lan && !self.lan.networks.is_empty());
        }
    }

    /// The next copy of the broadcast that is on its way. Call it until there is none after each
    /// `handle_lan`, and after each `handle_gre` and `poll_tun` that say `Taken::Relay`.
    pub fn poll_relay(&mut self, packet: &mut Packet, now: Instant) -> Option<Relayed> {
        if self.relay.datagram.is_empty() || !packet.set(&self.relay.datagram) {
            return None;
        }
        if core::mem::take(&mut self.relay.tun) {
            return Some(Relayed::Tun);
        }
        if let Some(to) = self.relay.lan.take() {
            if let Ok(header) = Header::parse(packet.data()) {
                udp::readdress(packet.data_mut(), &header, to);
            }
            return Some(Relayed::Lan);
        }
        let path = self.poll_relay_to_caller(packet, now);
        if path.is_none() {
            self.relay.datagram.clear();
        }
        path.map(Relayed::Gre)
    }

    fn poll_relay_to_caller(&mut self, packet: &mut Packet, now: Instant) -> Option<Path> {
        let Relay { from, datagram, next, .. } = &mut self.relay;
        let octets = datagram.len();
        while *next < self.table.slots() {
            let slot = *next;
            *next += 1;
            let wanted = |call: &&mut Call| *from != Origin::Caller(slot) && call.shares(*from);
            let Some(call) = self.table.get_mut(slot).filter(wanted) else { continue };
            let admitted = call.grant.admits_broadcast(octets, now) && packet.set(datagram);
            if admitted && call.send(protocol::IPV4, packet).is_ok() {
                call.traffic.tx_packets += 1;
                call.traffic.tx_bytes += octets as u64;
                return Some(call.path);
            }
        }
        None
    }
}

impl Call {
    /// Whether the caller gets broadcasts from there.
    fn shares(&self, from: Origin) -> bool {
        let may = match from {
            Origin::Caller(_) => self.grant.reaches_callers(),
            Origin::Lan => self.grant.reaches_lan(),
        };
        may && self.grant.relays() && self.link.is_open()
    }
}

/// Neither "this network", loopback, multicast, reserved nor broadcast.
fn is_host(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..)
}
