//! The parts of an IPv6 header (RFC 8200 section 3) that a PPTP server must look at, and the kinds
//! of addresses (RFC 4291 section 2.4) that it tells apart.

use core::net::Ipv6Addr;

use super::{Error, Reader, Writer};

/// Octets of the header; extension headers are payload.
pub const HEADER: usize = 40;
/// The smallest MTU that a link must have (RFC 8200 section 5).
pub const MTU_MIN: u16 = 1280;
/// The interface identifier of this router, on the link and in every prefix.
pub const ROUTER: u64 = 1;

/// Next Header values.
pub mod next_header {
    pub const HOP_BY_HOP: u8 = 0;
    pub const TCP: u8 = 6;
    pub const ICMPV6: u8 = 58;
}

/// `fe80::/64` (RFC 4291 section 2.5.6).
const LINK_LOCAL: u64 = 0xfe80 << 48;
/// All nodes on the link, `ff02::1` (RFC 4291 section 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Fields of an IPv6 header.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |Version| Traffic Class |           Flow Label                  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |         Payload Length        |  Next Header  |   Hop Limit   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                Source Address (128 bits)                      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |              Destination Address (128 bits)                   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole packet.
    pub total_len: usize,
    pub next_header: u8,
    pub hop_limit: u8,
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
}

impl Header {
    /// Reads a header; the packet must be there in full, octets behind it are padding. A jumbogram
    /// (RFC 2675) fits no tunnel: no payload and options behind it is a lie.
    pub fn parse(octets: &[u8]) -> Result<Header, Error> {
        let mut reader = Reader::new(octets);
        if reader.u32()? >> 28 != 6 {
            return Err(Error::Value);
        }
        let total_len = HEADER + usize::from(reader.u16()?);
        let (next_header, hop_limit) = (reader.u8()?, reader.u8()?);
        let (source, destination) = (Ipv6Addr::from(reader.array()?), reader.array()?.into());
        let is_jumbo = total_len == HEADER && next_header == next_header::HOP_BY_HOP;
        if total_len > octets.len() || is_jumbo {
            return Err(Error::Length);
        }
        Ok(Header { total_len, next_header, hop_limit, source, destination })
    }

    /// Writes the header in front of the payload that `total_len` counts.
    pub fn emit(&self, writer: &mut Writer) {
        writer.u32(6 << 28);
        writer.u16((self.total_len - HEADER) as u16);
        writer.put(&[self.next_header, self.hop_limit]);
        writer.put(&self.source.octets());
        writer.put(&self.destination.octets());
    }
}

/// The upper and the lower half of an address: prefix and interface identifier.
pub fn split(address: Ipv6Addr) -> (u64, u64) {
    let bits = address.to_bits();
    ((bits >> 64) as u64, bits as u64)
}

/// The address of `identifier` under `prefix`.
pub fn join(prefix: u64, identifier: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(u128::from(prefix) << 64 | u128::from(identifier))
}

/// The link-local address of `identifier`.
pub fn link_local(identifier: u64) -> Ipv6Addr {
    join(LINK_LOCAL, identifier)
}

/// Whether packets to or from `address` never leave their link: multicast (of whatever scope, since
/// there is no multicast routing here) or link-local unicast.
pub fn stays_on_link(address: Ipv6Addr) -> bool {
    address.is_multicast() || address.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_and_lying_lengths() {
        let mut octets = [0u8; 48];
        octets[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 8, 17, 64]);
        octets[23] = 9;
        octets[24..26].copy_from_slice(&[0xff, 0x02]);
        let header = Header::parse(&octets).unwrap();
        assert_eq!((header.total_len, header.next_header, header.hop_limit), (48, 17, 64));
        assert_eq!(split(header.source), (0, 9));
        assert!(stays_on_link(header.destination));
        for cut in 0..48 {
            assert!(Header::parse(&octets[..cut]).is_err());
        }
        for (at, value) in [(0, 0x45), (0, 0x70), (4, 1), (5, 9)] {
            let mut wrong = octets;
            wrong[at] = value;
            assert!(Header::parse(&wrong).is_err(), "{at} {value}");
        }
    }

    #[test]
    fn a_jumbogram_is_refused_and_an_empty_packet_is_none() {
        let mut octets = [0u8; 60];
        octets[0] = 0x60;
        assert_eq!(Header::parse(&octets), Err(Error::Length));
        octets[6] = 59;
        assert_eq!(Header::parse(&octets).map(|header| header.total_len), Ok(HEADER));
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let (source, destination) = (link_local(ROUTER), join(0xfd12_3456_789a_0077, 5));
        let header =
            Header { total_len: HEADER, next_header: 58, hop_limit: 255, source, destination };
        let mut buffer = [0; HEADER];
        let mut writer = Writer::new(&mut buffer);
        header.emit(&mut writer);
        assert_eq!(Header::parse(&buffer), Ok(header));
        assert!(stays_on_link(source) && !stays_on_link(destination));
    }
}
