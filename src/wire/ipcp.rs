//! Options of the Internet Protocol Control Protocol (RFC 1332 section 3, RFC 1877 section 1).

/// Option types.
pub mod option {
    /// IP-Address (RFC 1332 section 3.3).
    pub const ADDRESS: u8 = 3;
    /// Primary DNS Server Address (RFC 1877 section 1.1).
    pub const PRIMARY_DNS: u8 = 129;
    /// Primary NBNS Server Address (RFC 1877 section 1.2).
    pub const PRIMARY_NBNS: u8 = 130;
    /// Secondary DNS Server Address (RFC 1877 section 1.3).
    pub const SECONDARY_DNS: u8 = 131;
    /// Secondary NBNS Server Address (RFC 1877 section 1.4).
    pub const SECONDARY_NBNS: u8 = 132;
}
