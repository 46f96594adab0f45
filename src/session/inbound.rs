//! From the caller to the LAN: GRE in, inner packets out. Functions stand in the order in which a
//! packet meets them.

use core::net::Ipv4Addr;

use super::link::Outcome;
use super::rights::{Places, Way};
use super::server::Server;
use super::table::Path;
use crate::limits::RECEIVE_WINDOW;
use crate::packet::Packet;
use crate::proto::mss;
use crate::proto::tunnel::Place;
use crate::reason::{Cause, Discard};
use crate::time::Instant;
use crate::wire::ppp::{frame_header, protocol, protocol_field};
use crate::wire::{Error, gre, ipv4, mppe, udp};

/// What became of a received packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It now is an inner IP packet for the TUN.
    Tun,
    /// It now is our answer to its sender, and starts at the GRE header.
    Gre(Path),
    /// It is a broadcast: `Server::poll_relay` has its copies.
    Relay,
    /// It is used up.
    Nothing,
}

/// Whether this PPP frame goes on with a stream that others began.
fn follows(frame: &[u8]) -> bool {
    let Ok((protocol::COMPRESSED, len)) = frame_header(frame) else { return false };
    mppe::Header::parse(&frame[len..]).is_ok_and(|header| !header.flushed)
}

impl Server<'_> {
    /// A GRE packet from the address `from`; `packet` starts at the GRE header. Call `poll_tun`
    /// until it has nothing more afterwards.
    pub fn handle_gre(
        &mut self,
        from: Ipv4Addr,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        self.handle_waited(from, packet, false, now)
    }

    /// The same; `behind_gap` tells that packets of the caller in front of it were dropped here, so
    /// that nobody needs to wait for them.
    pub fn handle_waited(
        &mut self,
        from: Ipv4Addr,
        packet: &mut Packet,
        behind_gap: bool,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let taken = self.take_gre(from, packet, behind_gap, now);
        taken.inspect_err(|&why| self.discards.count(why))
    }

    /// The slot of the call that a GRE packet belongs to, and whether it is of use only behind the
    /// packet before it: one of stateful MPPE without the FLUSHED bit (RFC 3078 section 8.2). One that
    /// belongs to no call is counted.
    pub fn whose_gre(&mut self, from: Ipv4Addr, packet: &Packet) -> Result<(u16, bool), Discard> {
        let found = self.find_call(from, packet).inspect_err(|&why| self.discards.count(why));
        let (slot, _, len) = found?;
        let method = self.table.get(slot).and_then(|call| call.link.receive_method());
        let is_stateful = method.is_some_and(|method| method.stateful);
        Ok((slot, is_stateful && packet.data().get(len..).is_some_and(follows)))
    }

    fn find_call(
        &self,
        from: Ipv4Addr,
        packet: &Packet,
    ) -> Result<(u16, gre::Header, usize), Discard> {
        let (header, len) = gre::Header::parse(packet.data()).map_err(|error| match error {
            Error::Length => Discard::GreLength,
            Error::Short | Error::Value => Discard::GreHeader,
        })?;
        let slot = self.table.find(header.call_id).ok_or(Discard::GreCall)?;
        let call = self.table.get(slot).ok_or(Discard::GreCall)?;
        if call.path.remote != from {
            return Err(Discard::GreSource);
        }
        Ok((slot, header, len))
    }

    fn take_gre(
        &mut self,
        from: Ipv4Addr,
        packet: &mut Packet,
        behind_gap: bool,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let (slot, header, len) = self.find_call(from, packet)?;
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        call.link.heard(now);
        if let Some(number) = header.acknowledgment {
            call.tunnel.acknowledge(number);
        }
        let Some(sequence) = header.sequence else { return Ok(Taken::Nothing) };
        let place = call.tunnel.place(sequence);
        call.tunnel.arrived(sequence);
        packet.strip(len);
        packet.truncate(usize::from(header.payload_length));
        match place {
            Place::Next => self.take_in_order(slot, sequence, packet, now),
            Place::Ahead(_) if behind_gap && !self.reorder.holds(slot) => {
                self.take_out_of_order(slot, sequence, packet, now)
            }
            Place::Ahead(_) => self.hold(slot, sequence, packet, now),
            Place::Duplicate => Err(Discard::GreDuplicate),
            Place::Behind => Err(Discard::GreLate),
        }
    }

    fn take_in_order(
        &mut self,
        slot: u16,
        sequence: u32,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        if let Some(call) = self.table.get_mut(slot) {
            call.tunnel.accept(sequence, now);
        }
        self.reorder.moved(slot);
        let taken = self.take_frame(slot, packet, now);
        self.queue_ack_if_many(slot);
        taken
    }

    /// An early packet waits for the missing ones. When there is no more room, the earliest of
    /// the call goes ahead in its place.
    fn hold(
        &mut self,
        slot: u16,
        sequence: u32,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        match self.reorder.hold(slot, sequence, packet, now) {
            Ok(()) => return Ok(Taken::Nothing),
            Err(Discard::HeldFull) => {}
            Err(why) => return Err(why),
        }
        let expected = self.table.get(slot).and_then(|call| call.tunnel.expected());
        let expected = expected.ok_or(Discard::HeldFull)?;
        let lowest = self.reorder.lowest(slot, expected).map(|lowest| lowest.0);
        let distance = |number: u32| number.wrapping_sub(expected);
        match lowest.filter(|&lowest| distance(lowest) < distance(sequence)) {
            // The packet at hand takes the place of the one that goes ahead.
            Some(lowest) => {
                let late = packet.clone();
                if !self.reorder.take(slot, lowest, packet) {
                    return Err(Discard::HeldFull);
                }
                self.reorder.hold(slot, sequence, &late, now)?;
                self.take_out_of_order(slot, lowest, packet, now)
            }
            None => self.take_out_of_order(slot, sequence, packet, now),
        }
    }

    /// A packet behind a gap moves the expected number on only if it is believed: a spoofed one
    /// must not make the next thousand real ones late. An inner packet is, since it came out of
    /// the right key; what anybody could have written only if the gap is no wider than what the
    /// peer may have outstanding.
    fn take_out_of_order(
        &mut self,
        slot: u16,
        sequence: u32,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let place = self.table.get(slot).map(|call| call.tunnel.place(sequence));
        let is_near = matches!(place, Some(Place::Ahead(gap)) if gap <= u32::from(RECEIVE_WINDOW));
        let taken = self.take_frame(slot, packet, now);
        // A packet that only waits for a key reset is as good as one that was opened.
        let is_sense = matches!(taken, Ok(_) | Err(Discard::MppeReset));
        // So is one that was opened and must not pass.
        let is_inner = matches!(
            taken,
            Ok(Taken::Tun | Taken::Gre(_) | Taken::Relay)
                | Err(Discard::InnerForbidden | Discard::RateUp)
                | Err(Discard::RelayRate | Discard::RelayLoop)
                | Err(Discard::DhcpMessage | Discard::DhcpLimit)
        );
        if is_inner || is_near && is_sense {
            if let Some(call) = self.table.get_mut(slot) {
                call.tunnel.accept(sequence, now);
            }
            self.reorder.moved(slot);
            self.queue_ack_if_many(slot);
        }
        taken
    }

    /// The next packet that the reorder buffers let go, and what became of it. Call it until that
    /// is nothing after each `handle_gre` and `handle_timeout`.
    pub fn poll_tun(&mut self, packet: &mut Packet, now: Instant) -> Taken {
        while let Some((slot, sequence, in_order)) = self.releasable(now) {
            if !self.reorder.take(slot, sequence, packet) {
                return Taken::Nothing;
            }
            let taken = match in_order {
                true => self.take_in_order(slot, sequence, packet, now),
                false => self.take_out_of_order(slot, sequence, packet, now),
            };
            match taken {
                Ok(Taken::Nothing) => {}
                Ok(taken) => return taken,
                Err(why) => self.discards.count(why),
            }
        }
        Taken::Nothing
    }

    /// A held packet whose turn it is, or that has waited long enough for the ones before it.
    fn releasable(&mut self, now: Instant) -> Option<(u16, u32, bool)> {
        if self.reorder.is_empty() {
            return None;
        }
        let Server { reorder, table, .. } = self;
        let expected = |slot| table.get(slot)?.tunnel.expected();
        if let Some((slot, sequence)) = reorder.next(expected) {
            return Some((slot, sequence, true));
        }
        let slot = reorder.overdue(now)?;
        let (sequence, _) = reorder.lowest(slot, expected(slot)?)?;
        Some((slot, sequence, false))
    }

    /// A PPP frame: an inner packet, or one for the link itself.
    fn take_frame(
        &mut self,
        slot: u16,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        if packet.is_empty() {
            return Ok(Taken::Nothing);
        }
        let (number, len) = frame_header(packet.data()).map_err(|_| Discard::PppFrame)?;
        packet.strip(len);
        match number {
            protocol::COMPRESSED => self.take_sealed(slot, packet, now),
            protocol::IPV4 | protocol::IPV6 => {
                let call = self.table.get(slot).ok_or(Discard::GreCall)?;
                match call.link.admits_clear() {
                    true => self.take_inner(slot, number, packet, now),
                    false => Err(Discard::MppeClear),
                }
            }
            _ => self.take_control(slot, number, packet, now).map(|()| Taken::Nothing),
        }
    }

    fn take_control(
        &mut self,
        slot: u16,
        number: u16,
        packet: &Packet,
        now: Instant,
    ) -> Result<(), Discard> {
        let information = packet.data();
        let outcome = self
            .step(slot, now, |call, turn| call.link.handle(number, information, turn))
            .unwrap_or(Ok(Outcome::None));
        // Refused or not, the step may have set a timer.
        self.watch_call(slot);
        self.after(slot, outcome?, now);
        Ok(())
    }

    fn take_sealed(
        &mut self,
        slot: u16,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let opened = self.step(slot, now, |call, turn| call.link.open_sealed(packet, turn));
        let (opened, keys) = opened.unwrap_or((Err(Discard::GreCall), 0));
        self.extra_keys += keys.saturating_sub(1);
        if opened == Err(Discard::MppeReset) {
            self.watch_call(slot);
        }
        if opened.is_err() && self.table.get(slot).is_some_and(|call| call.link.has_lost_keys(now))
        {
            self.end_call(slot, Cause::KeysLost, now);
        }
        opened?;
        let (number, len) = protocol_field(packet.data()).map_err(|_| Discard::InnerPacket)?;
        packet.strip(len);
        self.take_inner(slot, number, packet, now)
    }

    /// An inner packet passes if the network phase is open, it comes from the leased address or a
    /// network behind the caller, and the account may.
    fn take_inner(
        &mut self,
        slot: u16,
        number: u16,
        packet: &mut Packet,
        now: Instant,
    ) -> Result<Taken, Discard> {
        match number {
            protocol::IPV4 => {}
            protocol::IPV6 => return self.take_ipv6(slot, packet, now),
            _ => return Err(Discard::InnerProtocol),
        }
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        if !call.link.is_open() {
            return Err(Discard::InnerPhase);
        }
        let header = ipv4::Header::parse(packet.data()).map_err(|_| Discard::InnerPacket)?;
        if call.lease != Some(header.source) && self.routes.find(header.source) != Some(slot) {
            return Err(Discard::InnerSource);
        }
        packet.truncate(header.total_len);
        if header.protocol == udp::PROTOCOL
            && let Some(taken) = self.take_broadcast(slot, &header, packet, now)
        {
            return taken;
        }
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        if call.grant.is_limited() {
            let Server { config, leases, routes, lan, .. } = self;
            let places = Places { config, leases, routes, lan };
            places.judge(call, Way::Up, (&header, packet.data()), now)?;
        }
        mss::clamp(packet.data_mut(), &header, call.mtu);
        call.traffic.rx_packets += 1;
        call.traffic.rx_bytes += header.total_len as u64;
        if self.may_be_dhcp(&header)
            && let Some(taken) = self.take_dhcp(slot, packet, &header, now)
        {
            return taken;
        }
        Ok(Taken::Tun)
    }
}
