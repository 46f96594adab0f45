//! PPP frames without HDLC, as GRE carries them (RFC 1661 section 2, RFC 2637 section 4), and the
//! packet format that all PPP control protocols share (RFC 1661 section 5).

use super::{Error, Reader, Writer};

/// Protocol numbers (RFC 1661 section 2 and the assigned numbers).
pub mod protocol {
    /// Internet Protocol version 4 (RFC 1332).
    pub const IPV4: u16 = 0x0021;
    /// Internet Protocol version 6 (RFC 5072).
    pub const IPV6: u16 = 0x0057;
    /// Compressed datagram: MPPE (RFC 1962, RFC 3078).
    pub const COMPRESSED: u16 = 0x00fd;
    /// Internet Protocol Control Protocol (RFC 1332).
    pub const IPCP: u16 = 0x8021;
    /// IPv6 Control Protocol (RFC 5072).
    pub const IPV6CP: u16 = 0x8057;
    /// Compression Control Protocol (RFC 1962).
    pub const CCP: u16 = 0x80fd;
    /// Link Control Protocol (RFC 1661).
    pub const LCP: u16 = 0xc021;
    /// Password Authentication Protocol (RFC 1334).
    pub const PAP: u16 = 0xc023;
    /// Challenge Handshake Authentication Protocol (RFC 1994).
    pub const CHAP: u16 = 0xc223;
    /// Extensible Authentication Protocol (RFC 3748).
    pub const EAP: u16 = 0xc227;
}

/// Codes that LCP, CCP, IPCP and IPV6CP share (RFC 1661 section 5).
pub mod code {
    pub const CONFIGURE_REQUEST: u8 = 1;
    pub const CONFIGURE_ACK: u8 = 2;
    pub const CONFIGURE_NAK: u8 = 3;
    pub const CONFIGURE_REJECT: u8 = 4;
    pub const TERMINATE_REQUEST: u8 = 5;
    pub const TERMINATE_ACK: u8 = 6;
    pub const CODE_REJECT: u8 = 7;
}

/// Address and control field of a frame that is not compressed (RFC 1662 section 3.1).
pub const ADDRESS_CONTROL: [u8; 2] = [0xff, 0x03];

/// Octets of the header of a control packet: code, identifier, length.
pub const CONTROL_HEADER: usize = 4;

/// Reads the protocol field of `octets`, compressed to one octet or not (RFC 1661 section 2: the
/// last octet is odd, all before are even). Returns the number and its octets.
pub fn protocol_field(octets: &[u8]) -> Result<(u16, usize), Error> {
    match *octets {
        [low, ..] if low & 1 == 1 => Ok((u16::from(low), 1)),
        [high, low, ..] if low & 1 == 1 => Ok((u16::from_be_bytes([high, low]), 2)),
        [_, _, ..] => Err(Error::Value),
        _ => Err(Error::Short),
    }
}

/// Reads the header of a frame: the optional address and control field, then the protocol.
/// Returns the protocol and the octets in front of its information field.
///
/// ```text
/// +----------+---------+------------------+-------------
/// |  (0xff)  |  (0x03) |  Protocol (8/16) | Information
/// +----------+---------+------------------+-------------
/// ```
pub fn frame_header(octets: &[u8]) -> Result<(u16, usize), Error> {
    let skipped = if octets.starts_with(&ADDRESS_CONTROL) { ADDRESS_CONTROL.len() } else { 0 };
    let (protocol, len) = protocol_field(&octets[skipped..])?;
    Ok((protocol, skipped + len))
}

/// A packet of a control protocol (RFC 1661 section 5).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     Code      |  Identifier   |            Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |    Data ...
/// +-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlPacket<'a> {
    pub code: u8,
    pub identifier: u8,
    pub data: &'a [u8],
}

impl<'a> ControlPacket<'a> {
    /// Reads a control packet; octets behind its length are padding (RFC 1661 section 5).
    pub fn parse(octets: &'a [u8]) -> Result<ControlPacket<'a>, Error> {
        let mut reader = Reader::new(octets);
        let (code, identifier, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let data_len = usize::from(length).checked_sub(CONTROL_HEADER).ok_or(Error::Length)?;
        let data = reader.take(data_len).map_err(|_| Error::Length)?;
        Ok(ControlPacket { code, identifier, data })
    }

    /// Writes the packet with the right length.
    pub fn emit(&self, writer: &mut Writer) {
        writer.u8(self.code);
        writer.u8(self.identifier);
        writer.u16((CONTROL_HEADER + self.data.len()) as u16);
        writer.put(self.data);
    }
}

/// One configuration option (RFC 1661 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigureOption<'a> {
    pub kind: u8,
    pub data: &'a [u8],
    /// The whole option as it stands in the packet, for answers that repeat it.
    pub raw: &'a [u8],
}

impl ConfigureOption<'_> {
    /// The data as a number of 16 bits, if it has that size.
    pub fn u16(&self) -> Option<u16> {
        self.data.try_into().ok().map(u16::from_be_bytes)
    }

    /// The data as a number of 32 bits, if it has that size.
    pub fn u32(&self) -> Option<u32> {
        self.data.try_into().ok().map(u32::from_be_bytes)
    }
}

/// The options of a Configure packet, one after the other; the first malformed one ends the list
/// with an error.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// The options in `data`.
    pub fn new(data: &'a [u8]) -> Options<'a> {
        Options(data)
    }

    /// Whether every option's length is right.
    pub fn are_well_formed(self) -> bool {
        self.into_iter().all(|option| option.is_ok())
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<ConfigureOption<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let option = split_option(self.0);
        self.0 = option.map_or(&[], |option| &self.0[option.raw.len()..]);
        Some(option)
    }
}

fn split_option(octets: &[u8]) -> Result<ConfigureOption<'_>, Error> {
    let [kind, length, ..] = *octets else { return Err(Error::Short) };
    let raw = octets.get(..usize::from(length)).ok_or(Error::Length)?;
    let data = raw.get(2..).ok_or(Error::Length)?;
    Ok(ConfigureOption { kind, data, raw })
}

/// Writes one option.
pub fn put_option(writer: &mut Writer, kind: u8, data: &[u8]) {
    writer.u8(kind);
    writer.u8((data.len() + 2) as u8);
    writer.put(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_fields_of_one_and_two_octets() {
        assert_eq!(frame_header(&[0xff, 0x03, 0xc0, 0x21]), Ok((protocol::LCP, 4)));
        assert_eq!(frame_header(&[0xc0, 0x21, 1]), Ok((protocol::LCP, 2)));
        assert_eq!(frame_header(&[0x21, 0x45]), Ok((protocol::IPV4, 1)));
        assert_eq!(frame_header(&[0xff, 0x03, 0xfd]), Ok((protocol::COMPRESSED, 3)));
        assert_eq!(frame_header(&[0x00, 0x20]), Err(Error::Value));
        assert_eq!(frame_header(&[0x00]), Err(Error::Short));
        assert_eq!(frame_header(&[0xff, 0x03]), Err(Error::Short));
    }

    #[test]
    fn a_control_packet_takes_its_own_length() {
        let padded = [1, 7, 0, 6, 0xaa, 0xbb, 0, 0, 0];
        let packet = ControlPacket::parse(&padded).unwrap();
        assert_eq!(packet, ControlPacket { code: 1, identifier: 7, data: &[0xaa, 0xbb] });
        let mut buffer = [0; 8];
        let mut writer = Writer::new(&mut buffer);
        packet.emit(&mut writer);
        assert_eq!(writer.written(), &padded[..6]);
        for cut in 0..6 {
            assert!(ControlPacket::parse(&padded[..cut]).is_err());
        }
        assert_eq!(ControlPacket::parse(&[1, 7, 0, 3]), Err(Error::Length));
    }

    #[test]
    fn options_end_at_the_first_lie() {
        let mut options = Options::new(&[1, 4, 5, 0xdc, 7, 2, 5, 6, 1]);
        assert_eq!(options.next().unwrap().unwrap().u16(), Some(1500));
        assert_eq!(options.next().unwrap().unwrap().data, &[]);
        assert_eq!(options.next(), Some(Err(Error::Length)));
        assert_eq!(options.next(), None);
        assert!(!Options::new(&[3, 1]).are_well_formed());
        assert!(!Options::new(&[3, 0]).are_well_formed());
        assert!(Options::new(&[]).are_well_formed());
    }
}
