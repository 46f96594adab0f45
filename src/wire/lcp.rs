//! Codes and options of the Link Control Protocol (RFC 1661 sections 5 and 6, RFC 1570, RFC 1990).

use super::Writer;
use super::ppp::put_option;

/// Codes that only LCP has; the first seven are in `ppp::code`.
pub mod code {
    /// RFC 1661 section 5.7.
    pub const PROTOCOL_REJECT: u8 = 8;
    /// RFC 1661 section 5.8.
    pub const ECHO_REQUEST: u8 = 9;
    /// RFC 1661 section 5.8.
    pub const ECHO_REPLY: u8 = 10;
    /// RFC 1661 section 5.9.
    pub const DISCARD_REQUEST: u8 = 11;
    /// RFC 1570 section 1.1.
    pub const IDENTIFICATION: u8 = 12;
    /// RFC 1570 section 1.2.
    pub const TIME_REMAINING: u8 = 13;
}

/// Option types.
pub mod option {
    /// Maximum-Receive-Unit (RFC 1661 section 6.1).
    pub const MRU: u8 = 1;
    /// Async-Control-Character-Map (RFC 1662 section 7.1): without meaning over GRE.
    pub const ACCM: u8 = 2;
    /// Authentication-Protocol (RFC 1661 section 6.2).
    pub const AUTHENTICATION: u8 = 3;
    /// Magic-Number (RFC 1661 section 6.4).
    pub const MAGIC: u8 = 5;
    /// Protocol-Field-Compression (RFC 1661 section 6.5).
    pub const PFC: u8 = 7;
    /// Address-and-Control-Field-Compression (RFC 1661 section 6.6).
    pub const ACFC: u8 = 8;
}

/// Data of the authentication option that asks for CHAP with MS-CHAPv2 (RFC 2759 section 3).
pub const CHAP_MSCHAPV2: [u8; 3] = [0xc2, 0x23, 0x81];

/// Octets of the smallest MRU that makes sense here: an IPv4 packet of 576 octets
/// (RFC 791 section 3.2) fits beside the MPPE header.
pub const MRU_MIN: u16 = 580;

/// Octets that every implementation receives without asking (RFC 1661 section 6.1).
pub const MRU_DEFAULT: u16 = 1500;

/// Writes a Maximum-Receive-Unit option.
pub fn put_mru(writer: &mut Writer, mru: u16) {
    put_option(writer, option::MRU, &mru.to_be_bytes());
}

/// Writes a Magic-Number option.
pub fn put_magic(writer: &mut Writer, magic: u32) {
    put_option(writer, option::MAGIC, &magic.to_be_bytes());
}

/// Writes the Authentication-Protocol option for MS-CHAPv2.
pub fn put_mschapv2(writer: &mut Writer) {
    put_option(writer, option::AUTHENTICATION, &CHAP_MSCHAPV2);
}
