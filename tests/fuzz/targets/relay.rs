//! Broadcasts of the LAN: what goes on is a whole datagram to a port that may, and no more than the
//! rate; and what is changed on the way keeps its checksums.

use std::net::Ipv4Addr;

use pptp::config::{Config, Network};
use pptp::packet::Packet;
use pptp::session::{Lan, Server};
use pptp::time::Instant;
use pptp::wire::ipv4::Header;
use pptp::wire::udp::{self, Datagram};

use super::common::world::Memory;
use super::input::Input;

/// What may pass at once and in a second with the limit of all sources.
const BURST: u64 = 60;
const RATE: u64 = 125;

/// Packets, each with a time in front and whether its checksums and lengths are to be made right.
pub fn relay(data: &[u8]) {
    let mut config = Config::default();
    (config.relay.mdns, config.relay.ssdp) = (true, true);
    let mut memory = Memory::of(&config);
    let mut server = Server::new(config, memory.storage(), [7; 32]);
    let networks = [Network::around([192, 168, 1, 1].into(), 24)].into_iter().collect();
    server.lan_changed(Lan { address: Some([192, 168, 1, 1].into()), networks });
    let (mut input, mut now, mut passed) = (Input::new(data), Instant(1_000_000), 0);
    while !input.is_empty() {
        let (wait, help) = (input.u8(), input.u8());
        now = now + u64::from(wait);
        let mut octets = input.octets().to_vec();
        if help & 1 != 0 {
            make_whole(&mut octets);
        }
        change(&octets);
        passed += u64::from(hear(&mut server, &octets, now));
        let limit = BURST + 2 + (now.0 - 1_000_000) * RATE / 1000;
        assert!(passed <= limit, "{passed} in {} ms", now.0 - 1_000_000);
    }
    assert_eq!(u64::from(server.relayed()), passed);
}

/// Whether the server passes it on.
fn hear(server: &mut Server, octets: &[u8], now: Instant) -> bool {
    let mut packet = Packet::new();
    assert!(packet.set(octets));
    let passes = server.handle_lan(&mut packet, now).is_ok();
    assert_eq!(server.poll_relay(&mut packet, now), None, "nobody is online");
    if passes {
        let header = Header::parse(octets).expect("a whole packet");
        let datagram = Datagram::parse(octets, &header).expect("a whole datagram");
        let denied = [7, 19, 67, 68, 520].contains(&datagram.destination_port);
        assert!(header.destination.is_multicast() || !denied);
        assert!(header.destination.octets()[3] >= 250 && header.source.octets()[0] != 0);
    }
    passes
}

/// A whole datagram, as far as there are octets for it.
fn make_whole(octets: &mut [u8]) {
    let length = octets.len() as u16;
    if octets.len() < 28 {
        return;
    }
    octets[0] = 0x45;
    octets[2..4].copy_from_slice(&length.to_be_bytes());
    (octets[6], octets[7], octets[9]) = (octets[6] & 0x40, 0, udp::PROTOCOL);
    octets[24..26].copy_from_slice(&(length - 20).to_be_bytes());
    octets[10..12].fill(0);
    let checksum = !sum(&octets[..20], 0);
    octets[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn sum(octets: &[u8], start: u32) -> u16 {
    let words = octets.chunks(2);
    let words = words.map(|it| u32::from(it[0]) << 8 | u32::from(*it.get(1).unwrap_or(&0)));
    let mut total = words.sum::<u32>() + start;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The sum that is 0xffff when the checksum over the data is right.
fn data_sum(octets: &[u8], header: &Header) -> u16 {
    let body = &octets[header.header_len..header.total_len];
    sum(body, u32::from(sum(&octets[12..20], 17)) + body.len() as u32)
}

/// Another destination and another router on the way change just those fields, and checksums stay
/// as right or wrong as they were.
fn change(octets: &[u8]) {
    let Ok(header) = Header::parse(octets) else { return };
    let mut changed = octets.to_vec();
    udp::complete(&mut changed, &header);
    let field = header.header_len + 6;
    let others = |at: &usize| !(field..field + 2).contains(at);
    assert!((0..octets.len()).filter(others).all(|at| changed[at] == octets[at]));
    if Datagram::parse(octets, &header).is_err() {
        return;
    }
    let before = data_sum(&changed, &header);
    let has_none = changed[field..field + 2] == [0, 0];
    udp::age(&mut changed);
    udp::readdress(&mut changed, &header, Ipv4Addr::new(10, 1, 2, 255));
    assert_eq!(changed[16..20], [10, 1, 2, 255]);
    assert_eq!(changed[8], if octets[8] > 1 { octets[8] - 1 } else { octets[8] });
    assert_eq!(sum(&changed[..header.header_len], 0), 0xffff);
    match has_none {
        true => assert_eq!(changed[field..field + 2], [0, 0]),
        false => assert_eq!(data_sum(&changed, &header) % 0xffff, before % 0xffff),
    }
    assert_eq!(changed[header.header_len..field], octets[header.header_len..field]);
    assert_eq!(changed[field + 2..], octets[field + 2..]);
}
