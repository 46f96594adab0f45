//! Inner packets of IPv6: the header, the segment size that is lowered, and what the router reads
//! and answers.

use pptp::packet::Packet;
use pptp::proto::mss;
use pptp::wire::icmpv6::{Message, answer_echo, neighbor_advertisement, packet_too_big};
use pptp::wire::ipv6::{HEADER, Header, MTU_MIN, link_local, stays_on_link};

use super::input::Input;

/// Two octets of MTU, then an IPv6 packet.
pub fn ipv6(data: &[u8]) {
    let mut input = Input::new(data);
    let mtu = input.u16().max(MTU_MIN);
    let octets = input.rest();
    let Ok(header) = Header::parse(octets) else { return };
    assert!(HEADER <= header.total_len && header.total_len <= octets.len());
    let octets = &octets[..header.total_len];
    clamp(octets, &header, mtu);
    answer(octets, &header, mtu);
}

/// The checksum of ICMPv6 with its pseudo-header: 0xffff when it is right.
fn sum(octets: &[u8]) -> u16 {
    let words = octets[8..].chunks(2);
    let words = words.map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut total = words.sum::<u32>() + (octets.len() - HEADER) as u32 + 58;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// A checksum that was right stays right, and once is enough.
fn clamp(octets: &[u8], header: &Header, mtu: u16) {
    let mut packet = octets.to_vec();
    mss::clamp_ipv6(&mut packet, header, mtu);
    assert_eq!(sum(octets) % 0xffff, sum(&packet) % 0xffff);
    assert_eq!(packet[..HEADER], octets[..HEADER]);
    let mut again = packet.clone();
    mss::clamp_ipv6(&mut again, header, mtu);
    assert_eq!(again, packet);
}

fn answer(octets: &[u8], header: &Header, mtu: u16) {
    let mut packet = Packet::new();
    if !packet.set(octets) {
        return;
    }
    let us = link_local(1);
    match Message::parse(octets, header) {
        Ok(Message::EchoRequest) => {
            answer_echo(&mut packet, us);
            assert_eq!((packet.len(), packet.data()[HEADER]), (octets.len(), 129));
            whole(&packet, header);
        }
        Ok(Message::NeighborSolicitation { target }) => {
            assert_eq!(header.hop_limit, 255);
            neighbor_advertisement(target, us, Some(header.source), &mut packet);
            whole(&packet, header);
        }
        _ => {}
    }
    packet.set(octets);
    if packet_too_big(&mut packet, header, mtu) {
        assert!(packet.len() <= usize::from(MTU_MIN));
        whole(&packet, header);
    } else {
        assert_eq!(packet.data(), octets);
    }
}

/// A whole message to the sender of `asked`, with the right checksum.
fn whole(packet: &Packet, asked: &Header) {
    let header = Header::parse(packet.data()).expect("our own packet");
    assert_eq!((header.total_len, header.next_header), (packet.len(), 58));
    assert_eq!(header.destination, asked.source);
    assert_eq!(sum(packet.data()), 0xffff);
    assert!(stays_on_link(header.source) || header.source == asked.destination);
}
