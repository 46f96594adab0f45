//! DHCP inside the tunnel: whatever a caller sends, an answer is whole, right, and no larger than
//! it takes.

use std::net::Ipv4Addr;

use pptp::wire::checksum::checksum;
use pptp::wire::dhcp::{Inform, option, put_route, request};
use pptp::wire::ipv4::Header;
use pptp::wire::{Writer, dhcp::kind};

use super::input::Input;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 10);

/// Octets of room for the answer, of an option, a number of routes, then a message; the same octets
/// once more as an IPv4 packet.
pub fn dhcp(data: &[u8]) {
    let mut input = Input::new(data);
    let (room, length, routes) = (usize::from(input.u16() % 1500), input.u8(), input.u8());
    let octets = input.rest();
    if let Ok(header) = Header::parse(octets)
        && let Some(Ok(data)) = request(octets, &header)
    {
        assert!(data.len() + 8 + header.header_len <= header.total_len);
    }
    let Ok(inform) = Inform::parse(octets, CLIENT) else { return };
    assert!(octets.len() >= 240 && inform.max_size() >= 576);
    let mut list = [0; 255];
    let mut writer = Writer::new(&mut list);
    for number in 0..routes {
        let network = Ipv4Addr::new(10, number, length, routes);
        put_route(&mut writer, network, number % 33, SERVER);
    }
    let routes = writer.written().to_vec();
    assert!(writer.finish().is_some());
    answer(&inform, octets, room, &vec![b'x'; usize::from(length)], &routes);
}

fn answer(inform: &Inform, octets: &[u8], room: usize, domain: &[u8], routes: &[u8]) {
    let mut buffer = vec![0; room];
    let written = inform.answer([SERVER, CLIENT], &mut buffer, |answer| {
        answer.tell_addresses(option::DNS, &[SERVER, CLIENT]);
        answer.tell(option::DOMAIN, domain);
        answer.tell(option::ROUTES, routes);
    });
    let Some(packet) = written.map(|length| &buffer[..length]) else {
        // The client's identifier, if it has one, is given back.
        return assert!(room < 28 + 240 + 9 + 2 + 255 + 1, "no answer with room for one");
    };
    let header = Header::parse(packet).unwrap();
    assert_eq!((header.source, header.destination), (SERVER, CLIENT));
    assert_eq!((header.total_len, checksum(&packet[..20], 0)), (packet.len(), 0));
    let message = &packet[28..];
    // The hardware, the transaction and the hardware's address are those of the question.
    assert_eq!((&message[1..3], &message[4..8]), (&octets[1..3], &octets[4..8]));
    assert_eq!((message[0], &message[28..44]), (2, &octets[28..44]));
    check_options(&message[240..], inform, domain, routes);
}

/// Every option is whole, wanted, and says what it was given.
fn check_options(mut rest: &[u8], inform: &Inform, domain: &[u8], routes: &[u8]) {
    assert_eq!(rest[..3], [option::TYPE, 1, kind::ACK]);
    while rest != [option::END] {
        let (code, length) = (rest[0], usize::from(rest[1]));
        let data = &rest[2..2 + length];
        let is_own = matches!(code, option::TYPE | option::SERVER | option::CLIENT);
        assert!(is_own || inform.wants(code));
        assert!(code != option::DOMAIN || data == domain);
        assert!(code != option::ROUTES || data == routes);
        rest = &rest[2 + length..];
    }
}
