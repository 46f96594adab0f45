//! Inner IPv6 packets, and the callers' network in them.

use std::net::Ipv6Addr;

use pptp::session::Ipv6;

use super::ppp::IDENTIFIER;

/// Upper half of the callers' addresses.
pub const PREFIX: u64 = 0xfd12_3456_789a_0077;

pub fn under(prefix: &str, identifier: u64) -> Ipv6Addr {
    let prefix: Ipv6Addr = prefix.parse().unwrap();
    Ipv6Addr::from_bits(prefix.to_bits() | u128::from(identifier))
}

pub fn global(identifier: u64) -> Ipv6Addr {
    under("fd12:3456:789a:77::", identifier)
}

/// The caller's link-local address.
pub fn local() -> Ipv6Addr {
    under("fe80::", u64::from_be_bytes(IDENTIFIER))
}

pub fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// What the server is told of IPv6: the callers' prefix, a LAN, and a way to the Internet.
pub fn router() -> Ipv6 {
    Ipv6 {
        prefixes: [PREFIX].into_iter().collect(),
        lan: [0x2001_0db8_0001_0000].into_iter().collect(),
        dns: [Ipv6Addr::UNSPECIFIED].into_iter().collect(),
        default_router: true,
    }
}

/// An IPv6 packet with what the header says right.
pub fn packet(next: u8, hops: u8, source: Ipv6Addr, destination: Ipv6Addr, data: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x60, 0, 0, 0, 0, 0, next, hops];
    octets[4..6].copy_from_slice(&(data.len() as u16).to_be_bytes());
    octets.extend_from_slice(&source.octets());
    octets.extend_from_slice(&destination.octets());
    octets.extend_from_slice(data);
    octets
}

pub fn sum(octets: &[u8]) -> u32 {
    octets
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

/// The ones' complement sum of an ICMPv6 packet with its pseudo-header: 0xffff when it is right.
pub fn icmp_sum(octets: &[u8]) -> u16 {
    let total = sum(&octets[8..]) + (octets.len() as u32 - 40) + 58;
    let folded = (total & 0xffff) + (total >> 16);
    ((folded & 0xffff) + (folded >> 16)) as u16
}

pub fn icmp(hops: u8, source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut octets = packet(58, hops, source, destination, message);
    let total = !icmp_sum(&octets);
    octets[42..44].copy_from_slice(&total.to_be_bytes());
    octets
}

pub fn udp(source: Ipv6Addr, destination: Ipv6Addr, len: usize) -> Vec<u8> {
    packet(17, 64, source, destination, &vec![0x5a; len - 40])
}

/// Router Solicitation without options.
pub const SOLICITATION: [u8; 8] = [133, 0, 0, 0, 0, 0, 0, 0];

pub fn neighbor_solicitation(target: Ipv6Addr) -> Vec<u8> {
    [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets()].concat()
}
