//! The parsers: no octets make them panic, they never read past a length, and what they read comes
//! out again when it is written.

use pptp::packet::Packet;
use pptp::wire::chap::Response;
use pptp::wire::ppp::{ControlPacket, Options, frame_header, protocol_field, put_option};
use pptp::wire::pptp::{HEADER, Header, Kind, Message};
use pptp::wire::{Error, Writer, gre as gre_wire, mppe as mppe_wire};

use super::common::caller::KINDS;

/// Octets that `written` has room for.
const WRITTEN: usize = 2048;

/// What `write` writes.
pub fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut buffer = [0; WRITTEN];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    writer.written().to_vec()
}

/// A control message: all types are tried on the same octets.
pub fn pptp(data: &[u8]) {
    if let Ok(header) = Header::parse(data) {
        assert!(usize::from(header.length) >= HEADER);
    }
    let body = data.get(HEADER..).unwrap_or_default();
    for kind in KINDS {
        let Ok(message) = Message::parse(kind, body) else { continue };
        let octets = written(|writer| message.emit(writer));
        assert!(octets.len() <= 220, "longer than any message of the RFC");
        check_message(kind, &message, &octets);
        // A body that is cut short is refused or means the same.
        let short = Message::parse(kind, &body[..body.len().min(octets.len() - HEADER)]);
        assert_eq!(short, Ok(message));
    }
}

fn check_message(kind: Kind, message: &Message, octets: &[u8]) {
    let header = Header::parse(octets).expect("our own header");
    assert_eq!(usize::from(header.length), octets.len());
    assert_eq!(header.control_type, Some(kind as u16));
    assert_eq!(message.kind(), kind);
    assert_eq!(Message::parse(kind, &octets[HEADER..]), Ok(*message));
}

pub fn gre(data: &[u8]) {
    let Ok((header, len)) = gre_wire::Header::parse(data) else { return };
    assert!([8, 12, 16].contains(&len));
    assert!(len + usize::from(header.payload_length) <= data.len());
    let mut packet = Packet::new();
    header.prepend_to(&mut packet);
    assert_eq!(packet.data(), &data[..len]);
}

/// A frame, its control packet and its options; and the same octets as each of them.
pub fn ppp(data: &[u8]) {
    if let Ok((number, len)) = frame_header(data) {
        assert!(len <= 4 && number & 1 == 1);
        control_packet(&data[len..]);
    }
    if let Ok((number, len)) = protocol_field(data) {
        let octets = number.to_be_bytes();
        assert!(data[..len] == octets[2 - len..]);
    }
    control_packet(data);
    options(data);
}

fn control_packet(data: &[u8]) {
    let Ok(packet) = ControlPacket::parse(data) else { return };
    let length = packet.data.len() + 4;
    if length <= WRITTEN {
        assert_eq!(written(|writer| packet.emit(writer)), data[..length]);
    }
    options(packet.data);
}

fn options(data: &[u8]) {
    let mut seen = 0;
    for option in Options::new(data) {
        let Ok(option) = option else {
            assert!(!Options::new(data).are_well_formed());
            return;
        };
        assert!(option.raw.len() >= 2 && option.raw == &data[seen..seen + option.raw.len()]);
        assert_eq!(written(|writer| put_option(writer, option.kind, option.data)), option.raw);
        assert_eq!(option.u16().is_some(), option.data.len() == 2);
        assert_eq!(option.u32().is_some(), option.data.len() == 4);
        seen += option.raw.len();
    }
    assert_eq!(seen, data.len());
}

pub fn chap(data: &[u8]) {
    let response = Response::parse(data);
    assert_eq!(response.is_ok(), data.len() >= 50 && data[0] == 49);
    let Ok(response) = response else { return };
    let mut octets = written(|writer| response.emit(writer));
    if data.len() <= WRITTEN {
        octets[17..25].copy_from_slice(&data[17..25]);
        assert_eq!(octets, data);
    }
}

pub fn mppe_header(data: &[u8]) {
    let header = match mppe_wire::Header::parse(data) {
        Ok(header) => header,
        Err(error) => return assert!(error == Error::Short && data.len() < 2),
    };
    assert!(header.count < mppe_wire::COUNTS);
    let octets = header.to_octets();
    assert_eq!([octets[0] | data[0] & 0x40, octets[1]], data[..2]);
}
