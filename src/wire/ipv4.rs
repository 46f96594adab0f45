//! The parts of an IPv4 header (RFC 791 section 3.1) that a PPTP server must look at.

use core::net::Ipv4Addr;

use super::Error;

/// Octets of a header without options.
pub const HEADER_MIN: usize = 20;

/// Fields of an IPv4 header.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |Version|  IHL  |Type of Service|          Total Length         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |         Identification        |Flags|      Fragment Offset    |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Time to Live |    Protocol   |         Header Checksum       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                       Source Address                          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                    Destination Address                        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of the header, with options.
    pub header_len: usize,
    /// Octets of the whole packet.
    pub total_len: usize,
    /// Offset of this fragment in units of 8 octets.
    pub fragment_offset: u16,
    /// TCP is 6, UDP is 17.
    pub protocol: u8,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
}

impl Header {
    /// Reads a header; the packet must be there in full, octets behind it are padding.
    pub fn parse(octets: &[u8]) -> Result<Header, Error> {
        // As an array: every packet comes by here.
        let fixed: &[u8; HEADER_MIN] = octets.first_chunk().ok_or(Error::Short)?;
        if fixed[0] >> 4 != 4 {
            return Err(Error::Value);
        }
        let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *fixed;
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let header_len = usize::from(fixed[0] & 15) * 4;
        let total_len = usize::from(word(2));
        let (fragment_offset, protocol) = (word(6) & 0x1fff, fixed[9]);
        let (source, destination) = ([s0, s1, s2, s3].into(), [d0, d1, d2, d3].into());
        if header_len < HEADER_MIN || total_len < header_len || total_len > octets.len() {
            return Err(Error::Length);
        }
        Ok(Header { header_len, total_len, fragment_offset, protocol, source, destination })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_and_lying_lengths() {
        let mut octets = [0u8; 28];
        octets[..4].copy_from_slice(&[0x45, 0, 0, 28]);
        octets[9] = 17;
        octets[12..20].copy_from_slice(&[192, 168, 77, 10, 192, 168, 77, 1]);
        let header = Header::parse(&octets).unwrap();
        assert_eq!(header.source, Ipv4Addr::new(192, 168, 77, 10));
        assert_eq!((header.header_len, header.total_len, header.protocol), (20, 28, 17));
        for cut in 0..28 {
            assert!(Header::parse(&octets[..cut]).is_err());
        }
        for (at, value) in [(0, 0x44), (0, 0x65), (0, 0x4f), (3, 19), (2, 1)] {
            let mut wrong = octets;
            wrong[at] = value;
            assert!(Header::parse(&wrong).is_err(), "{at} {value}");
        }
    }
}
