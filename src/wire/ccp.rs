//! Codes of the Compression Control Protocol (RFC 1962) and the MPPE option (RFC 3078 section 2).

use super::Writer;
use super::ppp::put_option;

/// Codes that only CCP has; the first seven are in `ppp::code`.
pub mod code {
    /// RFC 1962 section 3.
    pub const RESET_REQUEST: u8 = 14;
    /// RFC 1962 section 3.
    pub const RESET_ACK: u8 = 15;
}

/// Option type of MPPC and MPPE (RFC 2118 section 2, RFC 3078 section 2).
pub const MPPE: u8 = 18;

/// The supported bits of an MPPE option (RFC 3078 section 2.1).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |             |H|                               |M|S|L|D|     |C|
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportedBits(pub u32);

impl SupportedBits {
    /// H: stateless mode, the key changes with every packet.
    pub const STATELESS: u32 = 0x0100_0000;
    /// M: 56 bit keys.
    pub const BITS_56: u32 = 0x80;
    /// S: 128 bit keys.
    pub const BITS_128: u32 = 0x40;
    /// L: 40 bit keys.
    pub const BITS_40: u32 = 0x20;
    /// All strengths.
    pub const STRENGTHS: u32 = Self::BITS_40 | Self::BITS_56 | Self::BITS_128;

    /// The bits as they stand in the option's data.
    pub fn to_octets(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Writes the option.
    pub fn emit(self, writer: &mut Writer) {
        put_option(writer, MPPE, &self.to_octets());
    }
}
