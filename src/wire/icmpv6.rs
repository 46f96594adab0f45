//! The ICMPv6 messages of a router at the end of a tunnel: what it reads of Neighbor Discovery
//! (RFC 4861 section 4) and echoes (RFC 4443 section 4), and what it says.

use core::net::Ipv6Addr;

use super::checksum::{checksum, sum};
use super::ipv6::{ALL_NODES, HEADER, Header, MTU_MIN, next_header};
use super::{Error, Reader, Writer};
use crate::packet::Packet;

/// Message types.
mod kind {
    pub const PACKET_TOO_BIG: u8 = 2;
    /// From here on messages are no errors (RFC 4443 section 2.1).
    pub const INFORMATIONAL: u8 = 128;
    pub const ECHO_REQUEST: u8 = 128;
    pub const ECHO_REPLY: u8 = 129;
    pub const ROUTER_SOLICITATION: u8 = 133;
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    pub const REDIRECT: u8 = 137;
}

/// Option types of Neighbor Discovery.
mod option {
    pub const PREFIX: u8 = 3;
    pub const MTU: u8 = 5;
    pub const ROUTE: u8 = 24;
    pub const RDNSS: u8 = 25;
}

/// Hop Limit of Neighbor Discovery: no router has passed it on (RFC 4861 section 3.1).
const ON_LINK: u8 = 255;
/// Current hop limit that hosts are told.
const HOP_LIMIT: u8 = 64;
/// Autonomous address configuration; the on-link flag is off (RFC 4861 section 4.6.2), since other
/// callers with addresses of the prefix are at the end of other links.
const AUTONOMOUS: u8 = 0x40;
/// Router, solicited and override flags of a Neighbor Advertisement.
const IS_ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// Octets of a prefix in bits.
const PREFIX_BITS: u8 = 64;
/// Octets of our IPv6 and ICMPv6 headers in front of a packet that is returned.
const HEADERS: usize = HEADER + 8;

/// What a caller says to its router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    RouterSolicitation,
    NeighborSolicitation {
        target: Ipv6Addr,
    },
    EchoRequest,
    /// Router Advertisement or Redirect: only routers send those.
    Routing,
    /// Nothing that is answered.
    Other,
}

impl Message {
    /// Reads the message in the IPv6 packet `octets`, whose header is `header`. Neighbor Discovery
    /// counts only as RFC 4861 sections 6.1 and 7.1 have it.
    pub fn parse(octets: &[u8], header: &Header) -> Result<Message, Error> {
        let octets = octets.get(..header.total_len).ok_or(Error::Length)?;
        let mut reader = Reader::new(octets.get(HEADER..).ok_or(Error::Short)?);
        if header.next_header != next_header::ICMPV6 {
            return Ok(Message::Other);
        }
        let (kind, code) = (reader.u8()?, reader.u8()?);
        reader.u16()?;
        if pseudo_checksum(octets) != 0 {
            return Err(Error::Value);
        }
        if kind == kind::ECHO_REQUEST {
            return Ok(Message::EchoRequest);
        }
        if !(kind::ROUTER_SOLICITATION..=kind::REDIRECT).contains(&kind) {
            return Ok(Message::Other);
        }
        if header.hop_limit != ON_LINK || code != 0 {
            return Err(Error::Value);
        }
        reader.u32()?;
        Ok(match kind {
            kind::ROUTER_SOLICITATION => {
                check_options(reader)?;
                Message::RouterSolicitation
            }
            kind::NEIGHBOR_SOLICITATION => {
                let target = reader.array()?.into();
                check_options(reader)?;
                Message::NeighborSolicitation { target }
            }
            kind::ROUTER_ADVERTISEMENT | kind::REDIRECT => Message::Routing,
            _ => Message::Other,
        })
    }
}

/// Options have a length, in units of 8 octets (RFC 4861 section 4.6).
fn check_options(mut reader: Reader) -> Result<(), Error> {
    while reader.left() > 0 {
        reader.u8()?;
        let rest = usize::from(reader.u8()?) * 8;
        reader.take(rest.checked_sub(2).ok_or(Error::Length)?)?;
    }
    Ok(())
}

/// What a router tells its hosts (RFC 4861 section 4.2).
#[derive(Debug, Clone, Copy)]
pub struct RouterAdvertisement<'a> {
    /// Seconds for which it is a default router; 0 is not at all.
    pub lifetime: u16,
    /// Octets of the largest packet (RFC 4861 section 4.6.4).
    pub mtu: u16,
    /// Prefixes of which hosts make addresses (RFC 4862), and which are reached through the
    /// router (RFC 4191), each with the seconds of its preferred and valid lifetimes.
    pub prefixes: &'a [(u64, [u32; 2])],
    /// More that are reached through the router, for as long as the first of those.
    pub routes: &'a [u64],
    /// DNS servers (RFC 8106).
    pub dns: &'a [Ipv6Addr],
}

impl RouterAdvertisement<'_> {
    /// Writes the whole IPv6 packet.
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr, writer: &mut Writer) {
        let at = begin(writer, source, destination);
        writer.put(&[kind::ROUTER_ADVERTISEMENT, 0, 0, 0, HOP_LIMIT, 0]);
        writer.u16(self.lifetime);
        // Reachable time and retransmission timer: unspecified.
        writer.put(&[0; 8]);
        writer.put(&[option::MTU, 1, 0, 0, 0, 0]);
        writer.u16(self.mtu);
        for &(prefix, [preferred, valid]) in self.prefixes {
            writer.put(&[option::PREFIX, 4, PREFIX_BITS, AUTONOMOUS]);
            writer.u32(valid);
            writer.u32(preferred);
            writer.u32(0);
            writer.put(&prefix.to_be_bytes());
            writer.put(&[0; 8]);
            put_route(writer, prefix, valid);
        }
        let valid = self.prefixes.first().map_or(0, |(_, [_, valid])| *valid);
        self.routes.iter().for_each(|&route| put_route(writer, route, valid));
        if !self.dns.is_empty() {
            writer.put(&[option::RDNSS, 1 + 2 * self.dns.len() as u8, 0, 0]);
            writer.u32(valid);
            self.dns.iter().for_each(|address| writer.put(&address.octets()));
        }
        end(writer, at);
    }
}

/// Route Information Option (RFC 4191 section 2.3) with the preference of the default route.
fn put_route(writer: &mut Writer, prefix: u64, lifetime: u32) {
    writer.put(&[option::ROUTE, 2, PREFIX_BITS, 0]);
    writer.u32(lifetime);
    writer.put(&prefix.to_be_bytes());
}

/// Makes `packet` the one by which a router says that `target` is taken: by itself, which is the
/// answer to `asker`, or, when that is nobody, to all who think of using it (RFC 4861 section 4.4).
pub fn neighbor_advertisement(
    target: Ipv6Addr,
    source: Ipv6Addr,
    asker: Option<Ipv6Addr>,
    packet: &mut Packet,
) {
    let mut octets = [0; HEADER + 24];
    let mut writer = Writer::new(&mut octets);
    let at = begin(&mut writer, source, asker.unwrap_or(ALL_NODES));
    let flags = IS_ROUTER | OVERRIDE | if asker.is_some() { SOLICITED } else { 0 };
    writer.put(&[kind::NEIGHBOR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
    writer.put(&target.octets());
    end(&mut writer, at);
    packet.set(&octets);
}

/// Turns the echo request `packet` into its answer, which comes from `source` (RFC 4443 section
/// 4.2).
pub fn answer_echo(packet: &mut Packet, source: Ipv6Addr) {
    let octets = packet.data_mut();
    octets.copy_within(8..24, 24);
    octets[8..24].copy_from_slice(&source.octets());
    octets[7] = ON_LINK;
    octets[HEADER..HEADER + 4].copy_from_slice(&[kind::ECHO_REPLY, 0, 0, 0]);
    let total = pseudo_checksum(octets);
    octets[HEADER + 2..HEADER + 4].copy_from_slice(&total.to_be_bytes());
}

/// Turns `packet`, whose IPv6 header is `header`, into the message to its sender that `mtu` octets
/// are the limit (RFC 4443 section 3.2). It comes from the packet's destination, as its IPv4
/// sister does. False (and no change) for an ICMPv6 error (RFC 4443 section 2.4).
pub fn packet_too_big(packet: &mut Packet, header: &Header, mtu: u16) -> bool {
    let is_icmp = header.next_header == next_header::ICMPV6;
    let kind = packet.data().get(HEADER).copied().unwrap_or(0);
    if is_icmp && kind < kind::INFORMATIONAL {
        return false;
    }
    packet.truncate(usize::from(MTU_MIN) - HEADERS);
    let mut octets = [0; HEADERS];
    let mut writer = Writer::new(&mut octets);
    let (source, destination) = (header.destination, header.source);
    let total_len = HEADERS + packet.len();
    let next_header = next_header::ICMPV6;
    Header { total_len, next_header, hop_limit: HOP_LIMIT, source, destination }.emit(&mut writer);
    writer.put(&[kind::PACKET_TOO_BIG, 0, 0, 0, 0, 0]);
    writer.u16(mtu);
    if !packet.prepend(&octets) {
        return false;
    }
    let total = pseudo_checksum(packet.data());
    packet.data_mut()[HEADER + 2..HEADER + 4].copy_from_slice(&total.to_be_bytes());
    true
}

/// Writes the header of a message that stays on the link, with nothing behind it yet; returns where
/// it begins.
fn begin(writer: &mut Writer, source: Ipv6Addr, destination: Ipv6Addr) -> usize {
    let (at, next_header) = (writer.len(), next_header::ICMPV6);
    Header { total_len: HEADER, next_header, hop_limit: ON_LINK, source, destination }.emit(writer);
    at
}

/// Fills in length and checksum of the message that begins at `at`.
fn end(writer: &mut Writer, at: usize) {
    let length = writer.len().saturating_sub(at + HEADER);
    writer.patch_u16(at + 4, length as u16);
    let total = writer.written().get(at..).map_or(0, pseudo_checksum);
    writer.patch_u16(at + HEADER + 2, total);
}

/// The checksum of the ICMPv6 message in the whole packet `octets` and its pseudo-header (RFC 8200
/// section 8.1): both addresses, length, next header. It is 0 when the right one is in place.
fn pseudo_checksum(octets: &[u8]) -> u16 {
    let length = octets.len().saturating_sub(HEADER) as u32;
    let addresses = octets.get(8..HEADER).map_or(0, sum);
    let message = octets.get(HEADER..).unwrap_or_default();
    checksum(message, addresses + length + u32::from(next_header::ICMPV6))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::wire::ipv6::{join, link_local};
    use std::vec::Vec;

    const PREFIX: u64 = 0xfd12_3456_789a_0077;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut buffer = [0; 400];
        let mut writer = Writer::new(&mut buffer);
        write(&mut writer);
        let len = writer.finish().unwrap();
        buffer[..len].to_vec()
    }

    /// A packet with the ICMPv6 message `message`, its checksum right.
    fn packet(hop_limit: u8, message: &[u8]) -> Vec<u8> {
        let header = Header {
            total_len: HEADER + message.len(),
            next_header: next_header::ICMPV6,
            hop_limit,
            source: link_local(7),
            destination: ALL_NODES,
        };
        let mut octets = written(|writer| header.emit(writer));
        octets.extend_from_slice(message);
        let total = pseudo_checksum(&octets);
        octets[42..44].copy_from_slice(&total.to_be_bytes());
        octets
    }

    fn parse(octets: &[u8]) -> Result<Message, Error> {
        Message::parse(octets, &Header::parse(octets)?)
    }

    #[test]
    fn a_router_advertisement_octet_by_octet() {
        let dns = [join(PREFIX, 1)];
        let prefixes = &[(PREFIX, [2700, 5400])];
        let advertisement =
            RouterAdvertisement { lifetime: 1800, mtu: 1396, prefixes, routes: &[7], dns: &dns };
        let octets = written(|writer| advertisement.emit(link_local(1), ALL_NODES, writer));
        let header = Header::parse(&octets).unwrap();
        assert_eq!((header.total_len, header.hop_limit), (octets.len(), 255));
        assert_eq!(pseudo_checksum(&octets), 0);
        let expected = [
            &[134, 0, octets[42], octets[43], 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[5, 1, 0, 0, 0, 0, 5, 0x74],
            &[3, 4, 64, 0x40, 0, 0, 0x15, 0x18, 0, 0, 0x0a, 0x8c, 0, 0, 0, 0],
            &[0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 0x77, 0, 0, 0, 0, 0, 0, 0, 0],
            &[24, 2, 64, 0, 0, 0, 0x15, 0x18, 0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 0x77],
            &[24, 2, 64, 0, 0, 0, 0x15, 0x18, 0, 0, 0, 0, 0, 0, 0, 7],
            &[25, 3, 0, 0, 0, 0, 0x15, 0x18],
            &[0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 0x77, 0, 0, 0, 0, 0, 0, 0, 1],
        ];
        assert_eq!(octets[HEADER..], expected.concat());
        assert_eq!(parse(&octets), Ok(Message::Routing));
    }

    #[test]
    fn solicitations_count_only_from_the_link_and_with_whole_options() {
        let solicitation = [133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(parse(&packet(255, &solicitation)), Ok(Message::RouterSolicitation));
        assert_eq!(parse(&packet(254, &solicitation)), Err(Error::Value));
        for (at, value) in [(1, 1), (9, 0), (9, 2)] {
            let mut wrong = solicitation;
            wrong[at] = value;
            assert!(parse(&packet(255, &wrong)).is_err(), "{at} {value}");
        }
        let mut forged = packet(255, &solicitation);
        forged[42] ^= 1;
        assert_eq!(parse(&forged), Err(Error::Value));
        for cut in 0..8 {
            assert!(parse(&packet(255, &solicitation[..4 + cut % 4])).is_err());
        }
    }

    #[test]
    fn neighbors_are_asked_for_and_told() {
        let target = link_local(1);
        let mut message = [0; 24];
        message[0] = 135;
        message[8..].copy_from_slice(&target.octets());
        assert_eq!(parse(&packet(255, &message)), Ok(Message::NeighborSolicitation { target }),);
        assert!(parse(&packet(255, &message[..20])).is_err());
        let mut answer = Packet::new();
        neighbor_advertisement(target, target, None, &mut answer);
        assert_eq!((answer.data()[HEADER], answer.data()[HEADER + 4]), (136, 0xa0));
        assert_eq!(answer.data()[24..40], ALL_NODES.octets());
        neighbor_advertisement(target, target, Some(link_local(7)), &mut answer);
        assert_eq!((answer.data()[HEADER + 4], pseudo_checksum(answer.data())), (0xe0, 0));
        assert_eq!(answer.data()[24..40], link_local(7).octets());
    }

    #[test]
    fn an_echo_goes_back_with_its_data() {
        let echo = [128, 0, 0, 0, 1, 2, 3, 4, b'x'];
        let octets = packet(3, &echo);
        assert_eq!(parse(&octets), Ok(Message::EchoRequest));
        let mut answer = Packet::new();
        answer.set(&octets);
        answer_echo(&mut answer, link_local(1));
        assert_eq!((answer.data()[HEADER], &answer.data()[44..]), (129, &echo[4..]));
        assert_eq!(pseudo_checksum(answer.data()), 0);
        let header = Header::parse(answer.data()).unwrap();
        assert_eq!((header.source, header.destination), (link_local(1), link_local(7)));
    }

    #[test]
    fn packet_too_big_quotes_as_much_as_fits() {
        let mut octets = [0; 1400];
        octets[..8].copy_from_slice(&[0x60, 0, 0, 0, 0x05, 0x50, 17, 64]);
        octets[23] = 9;
        octets[39] = 5;
        let mut packet = Packet::new();
        packet.set(&octets);
        let header = Header::parse(packet.data()).unwrap();
        assert!(packet_too_big(&mut packet, &header, 1280));
        let answer = Header::parse(packet.data()).unwrap();
        assert_eq!((answer.total_len, packet.len()), (1280, 1280));
        assert_eq!((answer.source, answer.destination), (header.destination, header.source));
        assert_eq!(packet.data()[40..42], [2, 0]);
        assert_eq!(packet.data()[44..48], [0, 0, 5, 0]);
        assert_eq!(packet.data()[48..88], octets[..40]);
        assert_eq!(pseudo_checksum(packet.data()), 0);
        // Never for an error.
        (octets[6], octets[40]) = (58, 1);
        packet.set(&octets);
        let header = Header::parse(packet.data()).unwrap();
        assert!(!packet_too_big(&mut packet, &header, 1280));
        assert_eq!(packet.data(), octets);
    }
}
