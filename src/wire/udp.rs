//! Whole UDP datagrams in IPv4 packets (RFC 768), and what may change on their way.

use core::net::Ipv4Addr;

use super::checksum::{checksum, fold, mend, replace, sum};
use super::ipv4::Header as Packet;
use super::{Error, Reader};

/// UDP's number in the IPv4 header.
pub const PROTOCOL: u8 = 17;
/// Octets of a header.
pub const HEADER: usize = 8;

const TTL: usize = 8;
const IP_CHECKSUM: usize = 10;
const DESTINATION: usize = 16;
const UDP_CHECKSUM: usize = 6;

/// Fields of a datagram's headers, IPv4's and its own.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Source Port          |       Destination Port        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |             Length            |           Checksum            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Identification of the IPv4 packet.
    pub identification: u16,
    /// Time to Live of the IPv4 packet.
    pub ttl: u8,
    pub source_port: u16,
    pub destination_port: u16,
}

impl Datagram {
    /// Reads the datagram in the packet `octets`, whose IPv4 header is `packet`. `Value` for a
    /// fragment and for a wrong header checksum, `Length` when the lengths lie. The checksum over
    /// the data is the receiver's business.
    pub fn parse(octets: &[u8], packet: &Packet) -> Result<Datagram, Error> {
        let (header, body) = octets.split_at_checked(packet.header_len).ok_or(Error::Short)?;
        let mut reader = Reader::new(header);
        reader.u32()?;
        let (identification, fragment) = (reader.u16()?, reader.u16()?);
        let ttl = reader.u8()?;
        if packet.protocol != PROTOCOL || fragment & 0x3fff != 0 || checksum(header, 0) != 0 {
            return Err(Error::Value);
        }
        let left = packet.total_len - packet.header_len;
        let mut reader = Reader::new(body);
        let (source_port, destination_port) = (reader.u16()?, reader.u16()?);
        let length = usize::from(reader.u16()?);
        reader.u16()?;
        if !(HEADER..=left).contains(&length) {
            return Err(Error::Length);
        }
        Ok(Datagram { identification, ttl, source_port, destination_port })
    }
}

/// Changes the destination of the datagram in the packet `octets`, and both checksums with it. A
/// wrong one stays wrong, and the one that says that there is none (0) stays too.
pub fn readdress(octets: &mut [u8], packet: &Packet, to: Ipv4Addr) {
    let change = (sum(&packet.destination.octets()), sum(&to.octets()));
    replace(octets, DESTINATION, &to.octets(), IP_CHECKSUM);
    let at = packet.header_len + UDP_CHECKSUM;
    let field = |octets: &[u8]| octets.get(at..at + 2).map(|field| [field[0], field[1]]);
    if field(octets) == Some([0, 0]) {
        return;
    }
    mend(octets, at, change, DESTINATION);
    if field(octets) == Some([0, 0]) {
        octets[at..at + 2].fill(0xff);
    }
}

/// Counts a router on the way of the packet `octets`, but never the last one: some programs send
/// with a Time to Live of 1.
pub fn age(octets: &mut [u8]) {
    if let Some(&[ttl, protocol]) = octets.get(TTL..TTL + 2).and_then(<[u8]>::first_chunk)
        && ttl > 1
    {
        replace(octets, TTL, &[ttl - 1, protocol], IP_CHECKSUM);
    }
}

/// Finishes a checksum that the sender left to its network device, as a machine does whose packets
/// never pass one (a container of this router): then the field holds the sum of the addresses,
/// protocol and length alone.
pub fn complete(octets: &mut [u8], packet: &Packet) {
    let Some((header, body)) = octets.split_at_mut_checked(packet.header_len) else { return };
    let length =
        body.get(4..6).map_or(0, |field| usize::from(u16::from_be_bytes([field[0], field[1]])));
    let Some(datagram) = body.get_mut(..length).filter(|_| length >= HEADER) else { return };
    let start = sum(&header[12..20]) + u32::from(PROTOCOL) + length as u32;
    let field = UDP_CHECKSUM..UDP_CHECKSUM + 2;
    if datagram[field.clone()] != fold(start).to_be_bytes() {
        return;
    }
    // The field itself is the sum that is missing from the data.
    let whole = match checksum(datagram, 0) {
        0 => u16::MAX,
        whole => whole,
    };
    datagram[field].copy_from_slice(&whole.to_be_bytes());
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// A datagram of `data` with right checksums.
    fn datagram(data: &[u8]) -> Vec<u8> {
        let (length, total) = ((8 + data.len()) as u16, (28 + data.len()) as u16);
        let mut octets = std::vec![0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, PROTOCOL, 0, 0];
        octets[2..4].copy_from_slice(&total.to_be_bytes());
        octets.extend_from_slice(&[192, 168, 77, 10, 255, 255, 255, 255]);
        let header = checksum(&octets, 0).to_be_bytes();
        octets[10..12].copy_from_slice(&header);
        octets.extend_from_slice(&[0x30, 0x39, 0x69, 0x87]);
        octets.extend_from_slice(&length.to_be_bytes());
        octets.extend_from_slice(&[0, 0]);
        octets.extend_from_slice(data);
        let whole = (!data_sum(&octets)).to_be_bytes();
        octets[26..28].copy_from_slice(&whole);
        octets
    }

    fn pseudo(octets: &[u8]) -> u32 {
        sum(&octets[12..20]) + u32::from(PROTOCOL) + (octets.len() - 20) as u32
    }

    fn data_sum(octets: &[u8]) -> u16 {
        fold(pseudo(octets) + sum(&octets[20..]))
    }

    fn parse(octets: &[u8]) -> Result<Datagram, Error> {
        Packet::parse(octets).and_then(|packet| Datagram::parse(octets, &packet))
    }

    #[test]
    fn fields_of_a_datagram() {
        let found = parse(&datagram(b"lobby?")).unwrap();
        assert_eq!((found.source_port, found.destination_port), (12345, 27015));
        assert_eq!((found.identification, found.ttl), (0x1234, 64));
    }

    /// With the header checksum right for what was changed.
    fn changed(at: usize, value: u8) -> Vec<u8> {
        let mut octets = datagram(b"lobby?");
        octets[at] = value;
        octets[10..12].fill(0);
        let header = checksum(&octets[..20], 0).to_be_bytes();
        octets[10..12].copy_from_slice(&header);
        octets
    }

    #[test]
    fn fragments_wrong_checksums_and_lying_lengths() {
        for (at, value) in [(6, 0x20), (7, 1), (9, 6), (24, 1), (25, 7), (25, 15), (3, 27)] {
            assert!(parse(&changed(at, value)).is_err(), "{at} {value}");
        }
        assert!(parse(&changed(25, 13)).is_ok(), "octets behind the datagram are padding");
        assert!(parse(&changed(6, 0x40)).is_ok(), "don't fragment");
        let mut wrong = datagram(b"lobby?");
        wrong[11] ^= 1;
        assert_eq!(parse(&wrong), Err(Error::Value));
        let whole = datagram(b"lobby?");
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_err());
        }
    }

    #[test]
    fn a_new_destination_and_age_keep_the_checksums_right() {
        for data in [&b"lobby?"[..], b"odd", b""] {
            let mut octets = datagram(data);
            let packet = Packet::parse(&octets).unwrap();
            readdress(&mut octets, &packet, Ipv4Addr::new(192, 168, 1, 255));
            age(&mut octets);
            assert_eq!((octets[8], &octets[16..20]), (63, &[192, 168, 1, 255][..]));
            assert_eq!((checksum(&octets[..20], 0), data_sum(&octets)), (0, 0xffff));
        }
    }

    #[test]
    fn no_checksum_stays_none_and_a_wrong_one_wrong() {
        let mut octets = datagram(b"lobby?");
        let packet = Packet::parse(&octets).unwrap();
        octets[26..28].fill(0);
        readdress(&mut octets, &packet, Ipv4Addr::new(10, 0, 0, 255));
        assert_eq!(octets[26..28], [0, 0]);
        let mut octets = datagram(b"lobby?");
        octets[30] ^= 0x10;
        readdress(&mut octets, &packet, Ipv4Addr::new(10, 0, 0, 255));
        assert_ne!(data_sum(&octets), 0xffff);
    }

    #[test]
    fn the_last_router_is_never_counted() {
        for ttl in [0, 1] {
            let mut octets = changed(8, ttl);
            let before = octets.clone();
            age(&mut octets);
            assert_eq!(octets, before);
        }
    }

    #[test]
    fn checksums_that_were_left_to_the_device() {
        let right = datagram(b"lobby?");
        let packet = Packet::parse(&right).unwrap();
        let mut partial = right.clone();
        let start = fold(pseudo(&right)).to_be_bytes();
        partial[26..28].copy_from_slice(&start);
        complete(&mut partial, &packet);
        assert_eq!(partial, right);
        for octets in [right, changed(25, 200), changed(25, 0)] {
            let mut same = octets.clone();
            complete(&mut same, &packet);
            assert_eq!(same, octets);
        }
    }
}
