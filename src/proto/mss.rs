//! Keeps TCP from sending segments that would not fit the tunnel: lowers the Maximum Segment Size
//! option of SYN segments (RFC 9293 section 3.7.1) and mends the checksum.

use crate::wire::ipv4::{self, Header};
use crate::wire::{checksum, ipv6};

const TCP: u8 = 6;
const TCP_HEADER: usize = 20;
const FLAGS: usize = 13;
const SYN: u8 = 0x02;
const CHECKSUM: usize = 16;
const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_MSS: u8 = 2;

/// Lowers the option in the IPv4 packet `octets`, whose header is `header`, to what fits a packet
/// of `mtu` octets.
pub fn clamp(octets: &mut [u8], header: &Header, mtu: u16) {
    if header.protocol == TCP && header.fragment_offset == 0 {
        let segment = &mut octets[header.header_len..header.total_len];
        clamp_segment(segment, mtu.saturating_sub((ipv4::HEADER_MIN + TCP_HEADER) as u16));
    }
}

/// The same for an IPv6 packet. A segment behind extension headers stays as it is: Packet Too Big
/// is there for it.
pub fn clamp_ipv6(octets: &mut [u8], header: &ipv6::Header, mtu: u16) {
    if header.next_header == ipv6::next_header::TCP {
        let segment = &mut octets[ipv6::HEADER..header.total_len];
        clamp_segment(segment, mtu.saturating_sub((ipv6::HEADER + TCP_HEADER) as u16));
    }
}

fn clamp_segment(segment: &mut [u8], limit: u16) {
    let is_syn = segment.get(FLAGS).is_some_and(|flags| flags & SYN != 0);
    let Some(at) = is_syn.then(|| find_mss(segment)).flatten() else { return };
    let old = u16::from_be_bytes([segment[at], segment[at + 1]]);
    if old > limit {
        checksum::replace(segment, at, &limit.to_be_bytes(), CHECKSUM);
    }
}

/// Offset of the value of the Maximum Segment Size option.
fn find_mss(segment: &[u8]) -> Option<usize> {
    let header_len = usize::from(segment.get(12)? >> 4) * 4;
    let end = header_len.min(segment.len());
    let mut at = TCP_HEADER;
    while at + 1 < end {
        match (segment[at], segment[at + 1]) {
            (OPTION_END, _) => return None,
            (OPTION_NOP, _) => at += 1,
            (OPTION_MSS, 4) => return (at + 4 <= end).then_some(at + 2),
            (_, length) if length < 2 => return None,
            (_, length) => at += usize::from(length),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn sum(octets: &[u8]) -> u16 {
        checksum::fold(checksum::sum(octets))
    }

    fn syn(options: &[u8]) -> Vec<u8> {
        let mut packet = std::vec![0; 40];
        packet.extend_from_slice(options);
        let total = packet.len() as u16;
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[9] = TCP;
        packet[32] = ((20 + options.len()) as u8 / 4) << 4;
        packet[33] = SYN;
        let checksum = !sum(&packet[20..]);
        packet[36..38].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    fn clamped(options: &[u8], mtu: u16) -> Vec<u8> {
        let mut packet = syn(options);
        let header = Header::parse(&packet).unwrap();
        clamp(&mut packet, &header, mtu);
        assert_eq!(sum(&packet[20..]), 0xffff, "checksum");
        packet[40..].to_vec()
    }

    #[test]
    fn a_large_value_is_lowered_and_a_small_one_stays() {
        assert_eq!(clamped(&[2, 4, 0x05, 0xb4], 1400), [2, 4, 0x05, 0x50]);
        assert_eq!(clamped(&[2, 4, 0x02, 0x00], 1400), [2, 4, 0x02, 0x00]);
    }

    /// The checksum covers addresses too, which are zero here in both versions.
    #[test]
    fn ipv6_leaves_twenty_octets_less() {
        let mut packet = std::vec![0; 20];
        packet.extend_from_slice(&syn(&[2, 4, 0x05, 0xb4])[..]);
        packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 24, TCP, 64]);
        packet[20..40].fill(0);
        let header = ipv6::Header::parse(&packet).unwrap();
        clamp_ipv6(&mut packet, &header, 1400);
        assert_eq!(packet[60..], [2, 4, 0x05, 0x3c]);
        assert_eq!(sum(&packet[40..]), 0xffff, "checksum");
        packet[6] = 17;
        packet[62..].copy_from_slice(&[0x05, 0xb4]);
        let header = ipv6::Header::parse(&packet).unwrap();
        clamp_ipv6(&mut packet, &header, 1400);
        assert_eq!(packet[60..], [2, 4, 0x05, 0xb4], "not TCP");
    }

    #[test]
    fn odd_offsets_keep_the_checksum_right() {
        assert_eq!(clamped(&[1, 2, 4, 0x05, 0xb4, 1, 1, 0], 1400)[..5], [1, 2, 4, 0x05, 0x50]);
    }

    #[test]
    fn malformed_options_are_left_alone() {
        for options in [
            &[1, 1, 1, 1, 1, 1, 2, 4][..],
            &[3, 0, 2, 4],
            &[2, 3, 5, 0xb4],
            &[0, 2, 4, 5],
            &[9, 200],
        ] {
            let mut padded = options.to_vec();
            padded.resize(8, 0xff);
            let before = padded.clone();
            assert_eq!(clamped(&padded, 1400), before);
        }
    }

    #[test]
    fn every_truncation_is_survived() {
        let whole = syn(&[2, 4, 0x05, 0xb4]);
        for len in 20..whole.len() {
            let mut packet = whole[..len].to_vec();
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            let header = Header::parse(&packet).unwrap();
            clamp(&mut packet, &header, 1400);
        }
    }
}
