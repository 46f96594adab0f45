//! How callers of the field behave, as data.

use super::mppe_peers::Kind;

/// MPPE bits of the option in CCP (RFC 3078 section 2.1).
pub const STATELESS_128: u32 = 0x0100_0040;
pub const STATEFUL_128: u32 = 0x0000_0040;
pub const STATELESS_56: u32 = 0x0100_0080;
pub const STATELESS_40: u32 = 0x0100_0020;

/// What a caller does with CCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Asks for these bits first, and lives with each of the list.
    Wants(u32, &'static [u32]),
    /// Does not know CCP: Protocol-Reject.
    UnknownCcp,
    /// Knows CCP, but rejects MPPE.
    RejectsMppe,
}

/// A personality.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    pub name: &'static str,
    /// The number of its first GRE packet.
    pub first_sequence: u32,
    /// LCP options of its first request; the magic number is drawn.
    pub lcp: &'static [(u8, &'static [u8])],
    pub encryption: Encryption,
    /// Whose stateful MPPE it has.
    pub kind: Kind,
    /// IPCP options of its first request, all asking for a value, and one that is refused.
    pub ipcp: &'static [u8],
    pub asks_for_compression: bool,
    /// IPCP begins when encryption is on; otherwise right behind CCP.
    pub ipcp_waits: bool,
    /// Hangs up when CCP goes down (pppd with require-mppe).
    pub hangs_up_without_ccp: bool,
    /// Sends its CHAP Response again until it is told the result.
    pub repeats_response: bool,
    /// Sends IPV6CP with the other NCPs.
    pub asks_ipv6cp: bool,
    /// Acknowledgments go alone when there is no data.
    pub bare_acks: bool,
    pub restart_ms: u64,
    /// A repeated Configure-Request keeps its identifier (RFC 1661 section 5.1 lets it).
    pub keeps_identifier: bool,
    pub flags: u8,
}

const ACCM: (u8, &[u8]) = (2, &[0, 0, 0, 0]);
const MRU_1400: (u8, &[u8]) = (1, &[0x05, 0x78]);
const MRU_1450: (u8, &[u8]) = (1, &[0x05, 0xaa]);
const PFC: (u8, &[u8]) = (7, &[]);
const ACFC: (u8, &[u8]) = (8, &[]);
/// Place of the magic number.
pub const MAGIC: u8 = 5;

/// pptp-linux with pppd and `require-mppe-128`.
pub const PPPD: Habits = Habits {
    name: "pppd",
    first_sequence: 1,
    lcp: &[ACCM, (MAGIC, &[]), PFC, ACFC],
    encryption: Encryption::Wants(STATELESS_128, &[STATELESS_128]),
    kind: Kind::Linux,
    ipcp: &[3, 129, 131],
    asks_for_compression: true,
    ipcp_waits: true,
    hangs_up_without_ccp: true,
    repeats_response: false,
    asks_ipv6cp: false,
    bare_acks: true,
    restart_ms: 3000,
    keeps_identifier: true,
    flags: 0,
};

/// Windows 10.
pub const WINDOWS: Habits = Habits {
    name: "windows",
    first_sequence: 0,
    lcp: &[MRU_1400, (MAGIC, &[]), PFC, ACFC, (0x0d, &[6])],
    encryption: Encryption::Wants(0x0100_0000, &[STATELESS_128]),
    kind: Kind::Rfc,
    ipcp: &[3, 129, 130, 131, 132],
    asks_for_compression: false,
    ipcp_waits: false,
    hangs_up_without_ccp: false,
    repeats_response: true,
    asks_ipv6cp: true,
    bare_acks: true,
    restart_ms: 3000,
    keeps_identifier: false,
    flags: 0,
};

/// RouterOS.
pub const MIKROTIK: Habits = Habits {
    name: "mikrotik",
    first_sequence: 0,
    lcp: &[MRU_1450, (MAGIC, &[])],
    encryption: Encryption::Wants(STATELESS_128, &[STATELESS_128]),
    kind: Kind::Rfc,
    ipcp: &[3],
    asks_for_compression: false,
    ipcp_waits: false,
    hangs_up_without_ccp: false,
    repeats_response: true,
    asks_ipv6cp: false,
    bare_acks: false,
    restart_ms: 3000,
    keeps_identifier: false,
    flags: 0,
};

pub const ALL: [Habits; 3] = [PPPD, WINDOWS, MIKROTIK];
