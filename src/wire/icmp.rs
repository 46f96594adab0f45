//! The one ICMP message that a tunnel's end must send: Destination Unreachable, fragmentation
//! needed and DF set (RFC 792, RFC 1191 section 4).

use super::checksum::{checksum, sum};
use super::ipv4::{HEADER_MIN, Header};
use crate::packet::Packet;

const PROTOCOL_ICMP: u8 = 1;
const DESTINATION_UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const REDIRECT: u8 = 5;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const DONT_FRAGMENT: u8 = 0x40;
const TTL: u8 = 64;
/// Octets of our IPv4 and ICMP headers.
const HEADERS: usize = HEADER_MIN + 8;
/// Octets of the packet's data that are sent back behind its header (RFC 792).
const SHOWN: usize = 8;

/// Whether the IPv4 packet `octets` is a Redirect (RFC 792): the kernel sends them to a caller that
/// talks to another one, since both are behind the same device, and they mean nothing to it.
pub fn is_redirect(octets: &[u8], header: &Header) -> bool {
    let icmp_type = octets.get(header.header_len);
    header.protocol == PROTOCOL_ICMP && header.fragment_offset == 0 && icmp_type == Some(&REDIRECT)
}

/// Turns `packet`, whose IPv4 header is `header`, into the message to its sender that `mtu` octets
/// are the limit. It comes from the packet's destination: one from the address of the device that
/// it is written to would be dropped by the kernel as forged. False (and no change) when none may be sent: the DF bit is not set, the packet
/// is a later fragment or itself an ICMP error, or its source is no single host (RFC 1122 section
/// 3.2.2).
pub fn fragmentation_needed(packet: &mut Packet, header: &Header, mtu: u16) -> bool {
    if packet.data()[6] & DONT_FRAGMENT == 0 || !may_be_answered(packet.data(), header) {
        return false;
    }
    packet.truncate(header.header_len + SHOWN);
    let total_len = (HEADERS + packet.len()) as u16;
    let (total, limit) = (total_len.to_be_bytes(), mtu.to_be_bytes());
    let mut octets = [0; HEADERS];
    octets[..4].copy_from_slice(&[0x45, 0, total[0], total[1]]);
    octets[8..10].copy_from_slice(&[TTL, PROTOCOL_ICMP]);
    octets[12..16].copy_from_slice(&header.destination.octets());
    octets[16..20].copy_from_slice(&header.source.octets());
    octets[20..22].copy_from_slice(&[DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED]);
    octets[26..28].copy_from_slice(&limit);
    let ip_checksum = checksum(&octets[..HEADER_MIN], 0);
    octets[10..12].copy_from_slice(&ip_checksum.to_be_bytes());
    let icmp_checksum = checksum(packet.data(), sum(&octets[HEADER_MIN..]));
    octets[22..24].copy_from_slice(&icmp_checksum.to_be_bytes());
    packet.prepend(&octets)
}

fn may_be_answered(octets: &[u8], header: &Header) -> bool {
    let icmp_type = octets.get(header.header_len);
    let is_error = header.protocol == PROTOCOL_ICMP
        && !icmp_type.is_some_and(|kind| matches!(*kind, ECHO_REPLY | ECHO_REQUEST));
    let source = header.source;
    let is_host = !source.is_multicast()
        && !source.is_broadcast()
        && !source.is_unspecified()
        && !source.is_loopback();
    header.fragment_offset == 0 && !is_error && is_host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(flags: u8) -> Packet {
        let mut octets = [0; 1000];
        octets[..10].copy_from_slice(&[0x45, 0, 0x03, 0xe8, 0, 1, flags, 0, 64, 17]);
        octets[12..20].copy_from_slice(&[192, 168, 1, 2, 192, 168, 77, 10]);
        let mut packet = Packet::new();
        packet.set(&octets);
        packet
    }

    #[test]
    fn the_message_quotes_the_packet_and_its_checksums_are_right() {
        let mut packet = udp(DONT_FRAGMENT);
        let header = Header::parse(packet.data()).unwrap();
        assert!(fragmentation_needed(&mut packet, &header, 1396));
        let answer = Header::parse(packet.data()).unwrap();
        assert_eq!((answer.source, answer.destination), (header.destination, header.source));
        assert_eq!((answer.total_len, packet.len()), (56, 56));
        assert_eq!(checksum(&packet.data()[..20], 0), 0);
        assert_eq!(checksum(&packet.data()[20..], 0), 0);
        assert_eq!(packet.data()[26..28], 1396u16.to_be_bytes());
    }

    #[test]
    fn no_message_without_df_or_for_an_icmp_error() {
        let mut packet = udp(0);
        let header = Header::parse(packet.data()).unwrap();
        assert!(!fragmentation_needed(&mut packet, &header, 1396));
        let mut packet = udp(DONT_FRAGMENT);
        packet.data_mut()[9] = PROTOCOL_ICMP;
        packet.data_mut()[20] = DESTINATION_UNREACHABLE;
        let header = Header::parse(packet.data()).unwrap();
        assert!(!fragmentation_needed(&mut packet, &header, 1396));
        assert_eq!(packet.len(), 1000);
    }
}
