//! The enhanced GRE header of PPTP (RFC 2637 section 4.1).

use super::Error;
use crate::packet::Packet;

/// Octets of a header without sequence and acknowledgment number.
const FIXED: usize = 8;

const KEY_PRESENT: u16 = 0x2000;
const SEQUENCE_PRESENT: u16 = 0x1000;
const ACKNOWLEDGMENT_PRESENT: u16 = 0x0080;
const VERSION_1: u16 = 0x0001;
const PROTOCOL_PPP: u16 = 0x880b;

/// Version 1 GRE header.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |C|R|K|S|s|Recur|A| Flags | Ver |         Protocol Type         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |    Key (HW) Payload Length    |       Key (LW) Call ID        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                  Sequence Number (Optional)                   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |               Acknowledgment Number (Optional)                |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of payload, without this header.
    pub payload_length: u16,
    /// The Call ID that the receiver of the packet gave to the call.
    pub call_id: u16,
    /// Present exactly when there is a payload.
    pub sequence: Option<u32>,
    /// The highest sequence number that was received.
    pub acknowledgment: Option<u32>,
}

impl Header {
    /// Reads a header and says how many octets it has. C, R, s, Recur and Flags must be zero and
    /// K set; the payload must be there in full (`Error::Length`), and have a sequence number.
    pub fn parse(octets: &[u8]) -> Result<(Header, usize), Error> {
        let (&[f, l, p, q, n, m, c, d], mut rest) =
            octets.split_first_chunk::<FIXED>().ok_or(Error::Short)?;
        let (flags, protocol) = (u16::from_be_bytes([f, l]), u16::from_be_bytes([p, q]));
        let optional = SEQUENCE_PRESENT | ACKNOWLEDGMENT_PRESENT;
        if flags & !optional != KEY_PRESENT | VERSION_1 || protocol != PROTOCOL_PPP {
            return Err(Error::Value);
        }
        let (payload_length, call_id) = (u16::from_be_bytes([n, m]), u16::from_be_bytes([c, d]));
        let mut number = |mask| {
            if flags & mask == 0 {
                return Ok(None);
            }
            let (number, behind) = rest.split_first_chunk().ok_or(Error::Short)?;
            rest = behind;
            Ok(Some(u32::from_be_bytes(*number)))
        };
        let sequence = number(SEQUENCE_PRESENT)?;
        let acknowledgment = number(ACKNOWLEDGMENT_PRESENT)?;
        if usize::from(payload_length) > rest.len() {
            return Err(Error::Length);
        }
        if payload_length > 0 && sequence.is_none() {
            return Err(Error::Value);
        }
        let header = Header { payload_length, call_id, sequence, acknowledgment };
        Ok((header, octets.len() - rest.len()))
    }

    /// Puts the header in front of the payload.
    pub fn prepend_to(&self, packet: &mut Packet) {
        let mut flags = KEY_PRESENT | VERSION_1;
        if let Some(number) = self.acknowledgment {
            packet.prepend_array(number.to_be_bytes());
            flags |= ACKNOWLEDGMENT_PRESENT;
        }
        if let Some(number) = self.sequence {
            packet.prepend_array(number.to_be_bytes());
            flags |= SEQUENCE_PRESENT;
        }
        let ([n, m], [c, d]) = (self.payload_length.to_be_bytes(), self.call_id.to_be_bytes());
        let ([f, l], [p, q]) = (flags.to_be_bytes(), PROTOCOL_PPP.to_be_bytes());
        packet.prepend_array([f, l, p, q, n, m, c, d]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: [u8; 18] =
        [0x30, 0x81, 0x88, 0x0b, 0, 2, 0x29, 0x61, 0, 0, 0, 7, 0, 0, 0, 6, 0xc0, 0x21];

    #[test]
    fn round_trip_and_every_truncation() {
        let (header, len) = Header::parse(&FULL).unwrap();
        assert_eq!(len, 16);
        assert_eq!((header.sequence, header.acknowledgment), (Some(7), Some(6)));
        let mut packet = Packet::new();
        assert!(packet.set(&FULL[16..]));
        header.prepend_to(&mut packet);
        assert_eq!(packet.data(), FULL);
        let header = Header { acknowledgment: None, ..header };
        packet.strip(16);
        header.prepend_to(&mut packet);
        assert_eq!(Header::parse(packet.data()), Ok((header, 12)));
        for cut in 0..FULL.len() {
            assert!(Header::parse(&FULL[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn every_flag_bit_but_the_two_optional_ones_is_refused() {
        for bit in 0..16 {
            let flags = 0x3081u16 ^ (1 << bit);
            let mut octets = FULL;
            octets[..2].copy_from_slice(&flags.to_be_bytes());
            let accepted = Header::parse(&octets).is_ok();
            assert_eq!(accepted, bit == 7, "bit {bit}");
        }
    }

    #[test]
    fn a_payload_without_sequence_number_is_refused() {
        let octets = [0x20, 0x81, 0x88, 0x0b, 0, 2, 0, 1, 0, 0, 0, 6, 0xc0, 0x21];
        assert_eq!(Header::parse(&octets), Err(Error::Value));
    }
}
