//! Inner IPv4 packets that carry a number.

use std::net::Ipv4Addr;

/// A UDP packet of `len` octets at least 32 with `number` in it.
pub fn numbered(source: Ipv4Addr, destination: Ipv4Addr, number: u32, len: usize) -> Vec<u8> {
    let total = len.max(32) as u16;
    let mut octets = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    octets[2..4].copy_from_slice(&total.to_be_bytes());
    octets.extend_from_slice(&source.octets());
    octets.extend_from_slice(&destination.octets());
    let words = octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    octets[10..12].copy_from_slice(&checksum.to_be_bytes());
    octets.extend_from_slice(&[0, 7, 0, 7, 0, 0, 0, 0]);
    octets.extend_from_slice(&number.to_be_bytes());
    octets.resize(usize::from(total), 0x5a);
    octets
}

/// The number in a packet that `numbered` made.
pub fn number(octets: &[u8]) -> u32 {
    u32::from_be_bytes(octets[28..32].try_into().unwrap())
}
