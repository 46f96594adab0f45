//! The configuration: one visible list of defaults, and the checks between fields. The text of a
//! UCI file becomes a `Config` in `uci.rs`.

use core::net::Ipv4Addr;

use heapless::{String, Vec};

use crate::limits::{DEVICE_NAME, HOST_NAME, LISTEN, USERNAME, USERS, ZONE_NAME};
use crate::proto::mppe::Strength;

/// What a call must have: MPPE (RFC 3078) always, if the caller wants it, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mppe {
    Required,
    Optional,
    Off,
}

/// What happens to a second call of an account that has one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// The new call takes the place of the old one.
    Replace,
    /// The new call is refused.
    Refuse,
    /// Both stay.
    Allow,
}

/// Addresses that are leased to callers: `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

impl Pool {
    /// The place of `address` in the pool.
    pub fn offset(&self, address: Ipv4Addr) -> Option<usize> {
        let offset = address.to_bits().checked_sub(self.first.to_bits())?;
        (address <= self.last).then_some(offset as usize)
    }

    /// The address at `offset`.
    pub fn address(&self, offset: usize) -> Option<Ipv4Addr> {
        let bits = self.first.to_bits().checked_add(u32::try_from(offset).ok()?)?;
        let address = Ipv4Addr::from_bits(bits);
        (address <= self.last).then_some(address)
    }

    /// Number of addresses.
    pub fn count(&self) -> usize {
        (self.last.to_bits() - self.first.to_bits()) as usize + 1
    }
}

/// How verbose the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// One account.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub enabled: bool,
    pub name: String<USERNAME>,
    pub secret: Secret,
    /// The address that this account always gets.
    pub ip: Option<Ipv4Addr>,
}

/// What is known of an account's password (RFC 2759 section 8.3).
#[derive(Clone, PartialEq)]
pub struct Secret {
    /// MD4 of the password in UTF-16LE.
    pub nt_hash: [u8; 16],
    /// MD4 of the password's UTF-8 octets widened to 16 bits each, which is what pppd sends, when
    /// it differs: a password with characters outside ASCII.
    pub widened_hash: Option<[u8; 16]>,
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Read by the init script, which does not start the program when it is off.
    pub enabled: bool,
    /// Local addresses to listen on.
    pub listen: Vec<Ipv4Addr, LISTEN>,
    pub port: u16,
    /// Firewall zone that the callers join.
    pub zone: String<ZONE_NAME>,
    /// Name of the TUN device.
    pub device: String<DEVICE_NAME>,
    /// Our name in Start-Control-Connection-Reply and CHAP Challenges; never empty.
    pub name: String<HOST_NAME>,
    /// Our address inside the tunnel.
    pub local_ip: Ipv4Addr,
    pub pool: Pool,
    /// DNS servers that callers are told (RFC 1877).
    pub dns: Vec<Ipv4Addr, 2>,
    /// NBNS servers that callers are told (RFC 1877).
    pub wins: Vec<Ipv4Addr, 2>,
    pub mppe: Mppe,
    /// The weakest MPPE key that is accepted.
    pub mppe_min: Strength,
    /// Whether a caller may choose stateful MPPE (RFC 3078 section 8.2).
    pub mppe_stateful: bool,
    /// Octets of the largest inner packet: 576 to 1456.
    pub mtu: u16,
    /// Calls at once: 1 to `limits::SESSIONS`.
    pub max_sessions: u16,
    /// Control connections at once: 1 to `limits::CONTROLS`.
    pub max_connections: u16,
    /// Control connections of one source address that have no open call.
    pub max_per_address: u16,
    /// Seconds from the TCP connection to an open call.
    pub login_timeout: u16,
    /// Seconds of silence after which a control connection is asked for an echo.
    pub echo_interval: u16,
    /// Seconds of silence after which a link is asked for an LCP echo; 0 is never.
    pub lcp_echo_interval: u16,
    /// Unanswered LCP echoes after which the call ends.
    pub lcp_echo_failures: u8,
    pub duplicate: Duplicate,
    /// Failed logins of one source address or account before it has to wait; 0 is never.
    pub backoff_failures: u16,
    /// Seconds that it has to wait.
    pub backoff_time: u16,
    pub log_level: LogLevel,
    pub users: Vec<User, USERS>,
}
