//! From the LAN to the caller: inner packets in, GRE out; and the frames and acknowledgments that
//! are our own. Functions stand in the order in which a packet meets them.

use super::fair::NOBODY;
use super::rights::{Places, Way};
use super::server::Server;
use super::table::{Call, Path};
use crate::packet::Packet;
use crate::proto::mss;
use crate::reason::Discard;
use crate::time::Instant;
use crate::wire::ppp::{ADDRESS_CONTROL, protocol};
use crate::wire::{icmp, ipv4};

/// Where a packet from the TUN goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// To a caller: it now starts at the GRE header.
    Gre(Path),
    /// Back to the TUN: it now is an ICMP message to its sender.
    Tun,
}

impl Server<'_> {
    /// A packet that the kernel routed into the TUN.
    pub fn handle_tun(&mut self, packet: &mut Packet, now: Instant) -> Result<Forward, Discard> {
        self.take_tun(packet, now).inspect_err(|&why| self.discards.count(why))
    }

    /// The slot of the call that a packet from the TUN is for, or `NOBODY`.
    pub fn whose_tun(&mut self, packet: &Packet) -> u16 {
        let slot = match packet.data().first().map(|octet| octet >> 4) {
            Some(6) => self.whose_ipv6(packet),
            _ => ipv4::Header::parse(packet.data()).ok().and_then(|header| {
                let to = header.destination;
                self.leases.find(to).or_else(|| self.routes.find(to))
            }),
        };
        slot.unwrap_or(NOBODY)
    }

    fn take_tun(&mut self, packet: &mut Packet, now: Instant) -> Result<Forward, Discard> {
        if packet.data().first().is_some_and(|octet| octet >> 4 == 6) {
            return self.tun_ipv6(packet, now);
        }
        let header = ipv4::Header::parse(packet.data()).map_err(|_| Discard::TunPacket)?;
        packet.truncate(header.total_len);
        let to = header.destination;
        let slot = self.leases.find(to).or_else(|| self.routes.find(to));
        let slot = slot.ok_or(Discard::TunDestination)?;
        let (local_ip, limit) = (self.config.local_ip, self.config.mtu);
        if header.source == local_ip && icmp::is_redirect(packet.data(), &header) {
            return Err(Discard::TunRedirect);
        }
        let call = self.table.get_mut(slot).ok_or(Discard::TunDestination)?;
        if call.grant.is_limited() {
            let Server { config, leases, routes, lan, .. } = self;
            let places = Places { config, leases, routes, lan };
            places.judge(call, Way::Down, (&header, packet.data()), now)?;
        }
        if header.total_len > usize::from(call.mtu) {
            if icmp::fragmentation_needed(packet, &header, call.mtu) {
                return Ok(Forward::Tun);
            }
            // Without the DF bit the caller gets it whole: by RFC 1661 section 6.1 every peer
            // takes 1500 octets, whatever MRU it asked for.
            if header.total_len > usize::from(limit) {
                return Err(Discard::TunSize);
            }
        }
        mss::clamp(packet.data_mut(), &header, call.mtu);
        call.send(protocol::IPV4, packet)?;
        call.traffic.tx_packets += 1;
        call.traffic.tx_bytes += header.total_len as u64;
        Ok(Forward::Gre(call.path))
    }

    /// The next GRE packet of our own: a PPP frame, or an acknowledgment that goes alone.
    pub fn poll_gre(&mut self, packet: &mut Packet, now: Instant) -> Option<Path> {
        self.poll_frame(packet).or_else(|| self.poll_acknowledgment(packet, now))
    }

    fn poll_frame(&mut self, packet: &mut Packet) -> Option<Path> {
        while let Some(frame) = self.frames.pop() {
            let (slot, number) = (frame.owner(), frame.number());
            if !packet.set(frame.octets()) {
                continue;
            }
            let Some(call) = self.table.get_mut(slot) else { continue };
            if number == protocol::IPV6 {
                packet.strip(size_of::<u16>());
                match call.send(number, packet) {
                    Ok(()) => return Some(call.path),
                    Err(why) => self.discards.count(why),
                }
            } else if packet.prepend_array(ADDRESS_CONTROL) {
                call.prepend_gre(packet);
                return Some(call.path);
            }
        }
        None
    }

    fn poll_acknowledgment(&mut self, packet: &mut Packet, now: Instant) -> Option<Path> {
        while let Some(slot) = self.ack_queue.pop_front() {
            let Some(call) = self.table.get_mut(slot) else { continue };
            call.ack_queued = false;
            let (path, peer_call_id) = (call.path, call.peer_call_id);
            match call.tunnel.acknowledgment_header(peer_call_id, now) {
                Some(header) => {
                    packet.filled(0);
                    header.prepend_to(packet);
                    return Some(path);
                }
                // It rode on data since it was queued, and a later one may be pending.
                None => self.watch_call(slot),
            }
        }
        None
    }

    /// After a received packet: an acknowledgment goes alone at the end of the turn if many
    /// packets wait for one.
    pub(super) fn queue_ack_if_many(&mut self, slot: u16) {
        let Some(call) = self.table.get(slot) else { return };
        if call.tunnel.has_many_unacknowledged() {
            self.queue_ack(slot);
        } else if call.tunnel.has_first_unacknowledged() {
            self.watch_ack(slot);
        }
    }

    pub(super) fn queue_ack(&mut self, slot: u16) {
        let Some(call) = self.table.get_mut(slot).filter(|call| !call.ack_queued) else { return };
        // When the queue is full, the call's timer comes again.
        call.ack_queued = self.ack_queue.push_back(slot).is_ok();
    }
}

impl Call {
    /// Turns an inner packet of the protocol `number` into a GRE packet for the caller.
    pub(super) fn send(&mut self, number: u16, packet: &mut Packet) -> Result<(), Discard> {
        let (pfc, acfc) = (self.link.lcp().peer_pfc, self.link.lcp().peer_acfc);
        packet.prepend_array(number.to_be_bytes());
        if self.link.seal(packet)? {
            packet.prepend_array([protocol::COMPRESSED as u8]);
            if !pfc {
                packet.prepend_array([(protocol::COMPRESSED >> 8) as u8]);
            }
        }
        if !acfc {
            packet.prepend_array(ADDRESS_CONTROL);
        }
        self.prepend_gre(packet);
        Ok(())
    }

    /// The next sequence number, and an acknowledgment if one is due.
    fn prepend_gre(&mut self, packet: &mut Packet) {
        let header = self.tunnel.data_header(self.peer_call_id, packet.len() as u16);
        header.prepend_to(packet);
    }
}
