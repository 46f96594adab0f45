//! IPv6 in the tunnel: what callers and the LAN send, and what must hold of what comes out.

use std::net::Ipv6Addr;

use pptp::session::Ipv6;
use pptp::wire::ipv6::{HEADER, Header, join, link_local, stays_on_link};

use super::super::input::Input;
use super::bed::{Bed, SEALED};

const PREFIXES: [u64; 2] = [0xfd12_3456_789a_0077, 0x2001_0db8_0002_0077];
const LAN: u64 = 0x2001_0db8_0001_0000;
const ICMPV6: u8 = 58;

/// What the server may be told of IPv6: the first `count` prefixes.
pub fn ipv6(count: usize) -> Ipv6 {
    Ipv6 {
        prefixes: PREFIXES.into_iter().take(count).collect(),
        lan: [LAN].into_iter().collect(),
        dns: [Ipv6Addr::UNSPECIFIED].into_iter().collect(),
        default_router: count == 1,
    }
}

/// An address with a meaning.
fn chosen(input: &mut Input, own: u64) -> Ipv6Addr {
    let kind = input.u8();
    let prefix = PREFIXES[usize::from(kind >> 4) & 1];
    match kind % 12 {
        0 | 1 => join(prefix, own),
        2 | 3 => join(prefix, u64::from(kind >> 5)),
        4 => link_local(own),
        5 => link_local(1),
        6 => Ipv6Addr::UNSPECIFIED,
        7 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, u16::from(kind >> 4) + 1),
        8 | 9 => join(LAN, u64::from(kind)),
        10 => join(prefix, input.u32().into()),
        _ => Ipv6Addr::from(u128::from(input.u32()) << 96 | u128::from(input.u32())),
    }
}

/// A packet whose lengths and checksum are right; the flow label is `mark`.
fn packet(ends: [Ipv6Addr; 2], next: u8, hops: u8, mark: u16, data: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x60, 0];
    octets.extend_from_slice(&mark.to_be_bytes());
    octets.extend_from_slice(&(data.len() as u16).to_be_bytes());
    octets.extend_from_slice(&[next, hops]);
    ends.iter().for_each(|end| octets.extend_from_slice(&end.octets()));
    octets.extend_from_slice(data);
    if next == ICMPV6 && data.len() >= 4 {
        octets[HEADER + 2..HEADER + 4].fill(0);
        let words = octets[8..].chunks(2);
        let words = words.map(|it| u32::from(it[0]) << 8 | u32::from(*it.get(1).unwrap_or(&0)));
        let mut total = words.sum::<u32>() + data.len() as u32 + u32::from(ICMPV6);
        while total > 0xffff {
            total = (total & 0xffff) + (total >> 16);
        }
        octets[HEADER + 2..HEADER + 4].copy_from_slice(&(!total as u16).to_be_bytes());
    }
    octets
}

/// A message of Neighbor Discovery or an echo, any other protocol, or any octets.
fn data(input: &mut Input) -> (u8, Vec<u8>) {
    let kind = input.u8();
    let mut octets = match kind & 3 {
        0 | 1 => vec![128 + (kind >> 2) % 10, 0, 0, 0, 0, 0, 0, 0],
        _ => Vec::new(),
    };
    octets.extend_from_slice(input.octets());
    if kind & 0x40 != 0 {
        octets.resize(octets.len() + usize::from(input.u8()) * 6, 0x5a);
    }
    let next = if kind & 2 == 0 { ICMPV6 } else { [6, 17, 0, 44][usize::from(kind >> 4) % 4] };
    (next, octets)
}

/// Whether the lower halves are the same: a caller has its identifiers under every prefix.
fn same_host(one: Ipv6Addr, other: Ipv6Addr) -> bool {
    one.to_bits() as u64 == other.to_bits() as u64
}

impl Bed<'_> {
    /// From a caller; source and destination may be anything.
    pub fn send_ipv6(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let own = self.ends[at].client.identifier().unwrap_or(7);
        let ends = [chosen(input, own), chosen(input, own)];
        let (next, data) = data(input);
        let is_encrypted = self.ends[at].client.is_encrypted();
        let mark = if is_encrypted { SEALED | at as u16 } else { 0 };
        let hops = if input.u8() & 1 == 0 { 255 } else { 64 };
        let octets = self.ends[at].client.inner(0x57, &packet(ends, next, hops, mark, &data));
        self.send(at, &octets);
    }

    /// From the LAN.
    pub fn lan_ipv6(&mut self, input: &mut Input) {
        let own = self.end(input).and_then(|at| self.ends[at].client.identifier()).unwrap_or(7);
        let ends = [chosen(input, own), chosen(input, own)];
        let (next, data) = data(input);
        self.lan(&packet(ends, next, 64, 0, &data));
    }

    /// The machine's IPv6 comes, changes or goes.
    pub fn change_ipv6(&mut self, input: &mut Input) {
        let count = input.below(3);
        self.server.ipv6_changed((count > 0).then(|| ipv6(count)), self.now);
    }

    /// The packet is from a prefix of the callers, was sent encrypted if it must, and its source is
    /// what no other call used last.
    pub fn check_tun_ipv6(&mut self) {
        let octets = self.packet.data();
        let header = Header::parse(octets).expect("a whole packet");
        assert_eq!(header.total_len, octets.len());
        assert!(!stays_on_link(header.destination) && header.hop_limit > 0);
        let source = header.source;
        let is_prefix = |prefix: &u64| *prefix == (source.to_bits() >> 64) as u64;
        assert!(PREFIXES.iter().any(is_prefix), "a packet from {source}");
        let mark = u16::from_be_bytes([octets[2], octets[3]]);
        assert!(!self.is_strict || mark & 0xff00 == SEALED, "a clear packet came through");
        if mark & 0xff00 != SEALED {
            return;
        }
        let Some(sender) = self.ends.get(usize::from(mark & 0xff)) else { return };
        let sessions: Vec<_> = self.server.sessions().collect();
        let is_open = |id| sessions.iter().any(|one| one.call_id == id && one.state == "open");
        assert!(is_open(sender.server_id) || !self.is_strict, "a packet of no call");
        let owner = sessions.iter().find(|one| one.ipv6.is_some_and(|its| same_host(its, source)));
        assert!(owner.is_none_or(|it| it.call_id == sender.server_id), "another's {source}");
    }

    /// An answer to the LAN instead of a packet that is too large (RFC 4443 section 3.2).
    pub fn check_too_big(&self) {
        let octets = self.packet.data();
        let header = Header::parse(octets).expect("our own packet");
        assert_eq!((header.next_header, octets[HEADER], header.total_len), (58, 2, octets.len()));
        assert!(header.total_len <= 1280);
    }
}
