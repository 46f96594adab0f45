//! Answers to callers that ask by DHCPINFORM for what IPCP cannot tell: routes, a domain, servers.
//! Windows does so when it does not use the tunnel as its default gateway.

use core::net::Ipv4Addr;

use heapless::Vec;

use super::inbound::Taken;
use super::server::Server;
use crate::config::{Network, Pool};
use crate::limits::{INFORM_BURST, INFORM_MS, TOLD_ROUTES};
use crate::packet::Packet;
use crate::reason::Discard;
use crate::time::Instant;
use crate::wire::dhcp::{self, Answer, Inform, option};
use crate::wire::ppp::protocol;
use crate::wire::{Writer, ipv4};

/// Octets of the longest answer: two lists of routes and a few other options.
const ANSWER: usize = 1024;

/// The widest network that is told for the pool: a pool has 4096 addresses at most (a /20), one
/// that lies across the border of two such networks can have twice as many around it.
const POOL_PREFIX: u8 = 19;

/// Networks that a caller is told.
type Told = Vec<Network, TOLD_ROUTES>;

impl Server<'_> {
    /// Whether a packet is for this machine or for all: nearly none is.
    pub(super) fn may_be_dhcp(&self, header: &ipv4::Header) -> bool {
        let to = header.destination;
        dhcp::is_carried_by(header.protocol) && (to == self.config.local_ip || to.is_broadcast())
    }

    /// Answers `packet`, an inner IPv4 packet, if it is for a DHCP server here (see `may_be_dhcp`) and
    /// the caller's own. `None`, and no change, if it is not. Anything else than a DHCPINFORM is dropped: there
    /// is nothing to lease to who has its address by IPCP.
    #[cold]
    pub(super) fn take_dhcp(
        &mut self,
        slot: u16,
        packet: &mut Packet,
        header: &ipv4::Header,
        now: Instant,
    ) -> Option<Result<Taken, Discard>> {
        // Not of a machine behind a caller: the answer is about the caller's own line.
        if self.table.get(slot)?.lease != Some(header.source) {
            return None;
        }
        let request = dhcp::request(packet.data(), header)?;
        let inform = request.and_then(|octets| Inform::parse(octets, header.source));
        let mut buffer = [0; ANSWER];
        let answer = match inform {
            Ok(inform) => self.answer(slot, &inform, header.source, &mut buffer),
            Err(_) => return Some(Err(Discard::DhcpMessage)),
        };
        Some(self.send_answer(slot, packet, answer.and_then(|len| buffer.get(..len)), now))
    }

    /// The length of the answer in `buffer`.
    fn answer(
        &self,
        slot: u16,
        inform: &Inform,
        client: Ipv4Addr,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let mtu = usize::from(self.table.get(slot)?.mtu);
        let room = buffer.len().min(inform.max_size()).min(mtu);
        let mut list = [0; 255];
        let mut routes = Writer::new(&mut list);
        for network in self.told_to(slot) {
            dhcp::put_route(&mut routes, network.address, network.prefix, self.config.local_ip);
        }
        inform.answer([self.config.local_ip, client], buffer.get_mut(..room)?, |answer| {
            self.tell_options(answer, routes.written());
        })
    }

    fn tell_options(&self, answer: &mut Answer, routes: &[u8]) {
        answer.tell_addresses(option::DNS, &self.config.dns);
        answer.tell_addresses(option::WINS, &self.config.wins);
        answer.tell(option::DOMAIN, self.config.domain.as_bytes());
        answer.tell(option::ROUTES_MICROSOFT, routes);
        answer.tell(option::ROUTES, routes);
    }

    fn send_answer(
        &mut self,
        slot: u16,
        packet: &mut Packet,
        answer: Option<&[u8]>,
        now: Instant,
    ) -> Result<Taken, Discard> {
        let call = self.table.get_mut(slot).ok_or(Discard::GreCall)?;
        let earliest = call.inform_at.max(now);
        if earliest.since(now) > (INFORM_BURST - 1) * INFORM_MS {
            return Err(Discard::DhcpLimit);
        }
        call.inform_at = earliest + INFORM_MS;
        if !answer.is_some_and(|answer| packet.set(answer)) {
            return Err(Discard::DhcpMessage);
        }
        call.traffic.tx_packets += 1;
        call.traffic.tx_bytes += packet.len() as u64;
        call.send(protocol::IPV4, packet)?;
        Ok(Taken::Gre(call.path))
    }

    /// The networks that a caller reaches through the tunnel, as far as its account may: the LAN, the
    /// pool, what is behind other callers, and what the configuration names.
    fn told_to(&self, slot: u16) -> Told {
        let mut told = Told::new();
        let Some(user) = self.user_of(slot) else { return told };
        if user.rights.lan {
            add(&mut told, &mut self.lan.networks.iter().copied());
        }
        if user.rights.callers {
            add(&mut told, &mut around(&self.config.pool).into_iter());
            let may = |other| self.user_of(other).is_some_and(|user| user.rights.callers);
            let others = self.routes.iter().filter(|route| route.1 != slot && may(route.1));
            add(&mut told, &mut others.map(|route| route.0));
        }
        add(&mut told, &mut self.config.push_routes.iter().copied());
        add(&mut told, &mut user.push_routes.iter().copied());
        told
    }
}

/// Adds those networks that are not within an earlier one.
fn add(told: &mut Told, networks: &mut dyn Iterator<Item = Network>) {
    for network in networks {
        let is_within = |earlier: &Network| {
            earlier.prefix <= network.prefix && earlier.contains(network.address)
        };
        if !told.iter().any(is_within) {
            let _no_more_fit = told.push(network);
        }
    }
}

/// The smallest network around a pool: one route instead of the many that would cover it exactly.
/// `None` when it would be far larger than the pool.
fn around(pool: &Pool) -> Option<Network> {
    let shared = (pool.first.to_bits() ^ pool.last.to_bits()).leading_zeros() as u8;
    (shared >= POOL_PREFIX).then(|| Network::around(pool.first, shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_around_pools() {
        let around = |first: [u8; 4], last: [u8; 4]| {
            super::around(&Pool { first: first.into(), last: last.into() })
                .map(|network| (network.address.octets(), network.prefix))
        };
        let usual = around([192, 168, 77, 10], [192, 168, 77, 99]);
        assert_eq!(usual, Some(([192, 168, 77, 0], 25)));
        assert_eq!(around([10, 0, 0, 7], [10, 0, 0, 7]), Some(([10, 0, 0, 7], 32)));
        assert_eq!(around([10, 0, 15, 255], [10, 0, 16, 0]), Some(([10, 0, 0, 0], 19)));
        assert_eq!(around([10, 127, 255, 255], [10, 128, 0, 0]), None);
    }
}
