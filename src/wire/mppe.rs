//! The header of an encrypted datagram (RFC 3078 section 3).

use super::Error;

/// Octets of the header.
pub const HEADER: usize = 2;

/// Coherency counts run from 0 to 4095.
pub const COUNTS: u16 = 4096;

/// Bits and coherency count in front of the encrypted data.
///
/// ```text
///  0                   1
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-------------------
/// |A|B|C|D|    Coherency Count    | Encrypted Data ...
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-------------------
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// A: the sender initialised its RC4 tables before this packet.
    pub flushed: bool,
    /// C: the data is compressed (MPPC).
    pub compressed: bool,
    /// D: the data is encrypted.
    pub encrypted: bool,
    /// 0 to 4095.
    pub count: u16,
}

impl Header {
    /// Reads the first two octets.
    pub fn parse(octets: &[u8]) -> Result<Header, Error> {
        let bits = u16::from_be_bytes(*octets.first_chunk().ok_or(Error::Short)?);
        let bit = |mask: u16| bits & mask != 0;
        Ok(Header {
            flushed: bit(0x8000),
            compressed: bit(0x2000),
            encrypted: bit(0x1000),
            count: bits % COUNTS,
        })
    }

    /// The two octets; B is always zero.
    pub fn to_octets(self) -> [u8; HEADER] {
        let bit = |set: bool, mask: u16| if set { mask } else { 0 };
        let bits = bit(self.flushed, 0x8000) | bit(self.compressed, 0x2000);
        (bits | bit(self.encrypted, 0x1000) | (self.count % COUNTS)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_count() {
        let header = Header { flushed: true, compressed: false, encrypted: true, count: 0xabc };
        assert_eq!(header.to_octets(), [0x9a, 0xbc]);
        assert_eq!(Header::parse(&[0x9a, 0xbc, 0]), Ok(header));
        assert_eq!(Header::parse(&[0x9a]), Err(Error::Short));
    }
}
