//! Inner packets: the IPv4 header, the segment size that is lowered, the ICMP message, large packets.

use pptp::packet::Packet;
use pptp::proto::mss;
use pptp::proto::split::Split;
use pptp::wire::icmp::fragmentation_needed;
use pptp::wire::ipv4::{HEADER_MIN, Header};
use pptp::wire::virtio;

use super::input::Input;

const TCP: u8 = 6;

/// Two octets of MTU, then an IPv4 packet.
pub fn ipv4(data: &[u8]) {
    let mut input = Input::new(data);
    let mtu = input.u16();
    let octets = input.rest();
    let Ok(header) = Header::parse(octets) else { return };
    assert!((HEADER_MIN..=60).contains(&header.header_len));
    assert!(header.header_len <= header.total_len && header.total_len <= octets.len());
    clamp(octets, &header, mtu);
    answer(octets, &header, mtu);
    segments(&octets[..header.total_len], &header, mtu);
}

/// As a large packet of the kernel's: nothing, or segments that have all of its data, each with a right IP
/// header, and a TCP checksum that is right where the large packet's was that of its pseudo-header.
fn segments(octets: &[u8], header: &Header, size: u16) {
    let mut virtio = virtio::split(0, size);
    virtio[6] = header.header_len as u8;
    let (mut split, mut packet, mut data) = (Box::<Split>::default(), Packet::new(), Vec::new());
    let len = virtio.len() + octets.len();
    split.space()[..virtio.len()].copy_from_slice(&virtio);
    split.space()[virtio.len()..len].copy_from_slice(octets);
    split.take(&mut packet, len);
    let Some(tcp) = octets.get(header.header_len..).filter(|_| !packet.is_empty()) else { return };
    let start = header.header_len + usize::from(tcp[12] >> 4) * 4;
    let pseudo =
        |tcp: &[u8]| sum(&[&octets[12..20], &[0, TCP], &(tcp.len() as u16).to_be_bytes()].concat());
    let is_ready = u16::from_be_bytes([tcp[16], tcp[17]]) == pseudo(tcp);
    while !packet.is_empty() {
        let one = Header::parse(packet.data()).expect("a segment");
        assert_eq!((one.total_len, one.header_len), (packet.len(), header.header_len));
        assert_eq!(sum(&packet.data()[..header.header_len]), 0xffff, "checksum of IP");
        let tcp = &packet.data()[header.header_len..];
        let whole = sum(&[&pseudo(tcp).to_be_bytes()[..], tcp].concat());
        assert!(!is_ready || whole == 0xffff, "checksum of TCP");
        data.extend_from_slice(&packet.data()[start..]);
        packet.filled(0);
        split.next(&mut packet);
    }
    assert_eq!(data, octets[start..]);
}

/// The ones' complement sum of 16-bit words.
fn sum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2);
    let words =
        words.map(|word| u32::from(word[0]) << 8 | word.get(1).copied().unwrap_or(0) as u32);
    let mut total: u32 = words.sum();
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// Only option and checksum change, the option only gets lower, and a checksum that was right
/// stays right, as a wrong one stays wrong.
fn clamp(octets: &[u8], header: &Header, mtu: u16) {
    let mut packet = octets.to_vec();
    mss::clamp(&mut packet, header, mtu);
    let changed: Vec<_> = (0..packet.len()).filter(|&at| packet[at] != octets[at]).collect();
    if changed.is_empty() {
        return;
    }
    assert!(header.protocol == TCP && header.fragment_offset == 0);
    let segment = header.header_len..header.total_len;
    assert!(changed.iter().all(|at| segment.contains(at)) && changed.len() <= 4);
    let value = changed.iter().filter(|&&at| !(16..18).contains(&(at - segment.start)));
    assert!(value.clone().all(|at| at - segment.start >= 22));
    assert!(value.map(|&at| (octets[at], packet[at])).next().is_none_or(|(old, new)| new < old));
    let (before, after) = (sum(&octets[segment.clone()]), sum(&packet[segment]));
    assert!(before % 0xffff == after % 0xffff, "{before:04x} {after:04x}");
    let mut again = packet.clone();
    mss::clamp(&mut again, header, mtu);
    assert_eq!(again, packet, "once is enough");
}

/// The message is a whole ICMP packet to the sender that quotes the packet; without it nothing
/// changes.
fn answer(octets: &[u8], header: &Header, mtu: u16) {
    let mut packet = Packet::new();
    if !packet.set(octets) {
        return;
    }
    if !fragmentation_needed(&mut packet, header, mtu) {
        return assert_eq!(packet.data(), octets);
    }
    let answer = Header::parse(packet.data()).expect("our own header");
    assert_eq!((answer.source, answer.destination), (header.destination, header.source));
    assert_eq!((answer.total_len, answer.protocol), (packet.len(), 1));
    assert!(packet.len() <= 28 + 60 + 8);
    assert_eq!((sum(&packet.data()[..20]), sum(&packet.data()[20..])), (0xffff, 0xffff));
    assert!(octets.starts_with(&packet.data()[28..]));
    assert!(octets[6] & 0x40 != 0 && header.fragment_offset == 0);
}
