//! The configuration and one visible list of its defaults. The text of a file goes through
//! `uci.rs` (text to statements), `load.rs` (statements to fields, by the table of all options in
//! `options.rs` and the values in `value.rs`) and `check.rs` (fields that must fit each other);
//! what is wrong is collected in `problem.rs`, what is allowed instead says `field.rs`.

mod check;
mod field;
pub mod hours;
mod load;
mod network;
pub mod options;
mod problem;
mod relay;
mod rights;
pub mod uci;
pub mod value;

use core::net::{Ipv4Addr, Ipv6Addr};

use heapless::{String, Vec};

pub use load::{Account, Draft};
pub use network::Network;
pub use problem::{Allowed, Problem, Problems};
pub use relay::{Ports, Relay};
pub use rights::{RATE_MAX, Rights};

use crate::limits::{
    DEVICE_NAME, DOMAIN, HOST_NAME, IPV6_DNS, IPV6_PREFIXES, LISTEN, PROGRAM, PUSHED,
    PUSHED_PER_USER, USERNAME, USERS, ZONE_NAME,
};
use crate::proto::mppe::Strength;

/// What a call must have: MPPE (RFC 3078) always, if the caller wants it, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mppe {
    /// Always: no clear packet passes.
    Required,
    /// If the caller wants it.
    Optional,
    /// Never.
    Off,
}

/// How callers and the machines of the LAN find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanMode {
    /// By routes: callers have a network of their own.
    Routed,
    /// Callers have addresses of the LAN's own network, and this machine answers ARP for them.
    SameSubnet,
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
    /// The lowest address.
    pub first: Ipv4Addr,
    /// The highest address, not below `first`.
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

/// In place of an IPv6 prefix: those that somebody else gives to the device of the callers.
pub const AUTO_PREFIX: u64 = 0;

/// How verbose the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What keeps the server from working.
    Error,
    /// What a person should look at.
    Warn,
    /// Each step of each call's life.
    Info,
    /// Each control message and each PPP frame that is negotiated.
    Debug,
    /// Each packet.
    Trace,
}

/// One account.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Whether it may dial in.
    pub enabled: bool,
    /// As callers type it, without a domain; compared octet by octet.
    pub name: String<USERNAME>,
    /// Its password.
    pub secret: Secret,
    /// The address that this account always gets.
    pub ip: Option<Ipv4Addr>,
    /// Networks that its callers are told beside the server's `push_routes`.
    pub push_routes: Vec<Network, PUSHED_PER_USER, u8>,
    /// What it may do.
    pub rights: Rights,
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
    /// TCP port of the control connection (RFC 2637 section 1.3: 1723).
    pub port: u16,
    /// Firewall zone that the callers join.
    pub zone: String<ZONE_NAME>,
    /// Network of netifd that is the LAN; empty is the zone's, and `none` is none.
    pub lan: String<ZONE_NAME>,
    /// The LAN's device, whatever `lan` says; empty when that shall tell.
    pub lan_device: String<DEVICE_NAME>,
    /// How callers and the machines of the LAN find each other.
    pub lan_mode: LanMode,
    /// Name of the TUN device.
    pub device: String<DEVICE_NAME>,
    /// Our name in Start-Control-Connection-Reply and CHAP Challenges; never empty.
    pub name: String<HOST_NAME>,
    /// Our address inside the tunnel.
    pub local_ip: Ipv4Addr,
    /// The callers' addresses; `local_ip` is not one of them.
    pub pool: Pool,
    /// DNS servers that callers are told (RFC 1877).
    pub dns: Vec<Ipv4Addr, 2>,
    /// NBNS servers that callers are told (RFC 1877).
    pub wins: Vec<Ipv4Addr, 2>,
    /// Domain that callers are told (RFC 2132 section 3.17); empty is none.
    pub domain: String<DOMAIN>,
    /// Networks that callers are told to reach through the tunnel, beside those that are known.
    pub push_routes: Vec<Network, PUSHED, u8>,
    /// Program that is run when a call comes online or ends; empty is none.
    pub hook: String<PROGRAM>,
    /// The upper halves of the callers' IPv6 addresses, and `AUTO_PREFIX`. Without any there is no
    /// IPv6 in the tunnel.
    pub ipv6_prefix: Vec<u64, IPV6_PREFIXES>,
    /// DNS servers that callers are told in IPv6 (RFC 8106); `::` is our own address there.
    pub ipv6_dns: Vec<Ipv6Addr, IPV6_DNS>,
    /// Whether calls are encrypted.
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
    /// What happens to a second call of one account.
    pub duplicate: Duplicate,
    /// Failed logins of one source address or account before it has to wait; 0 is never.
    pub backoff_failures: u16,
    /// Seconds that it has to wait.
    pub backoff_time: u16,
    /// Which broadcasts go on to others.
    pub relay: Relay,
    /// How verbose the log is.
    pub log_level: LogLevel,
    /// The accounts: names and fixed addresses are unique.
    pub users: Vec<User, USERS>,
}

impl Default for Config {
    /// The values of a file that says nothing. There are no accounts.
    fn default() -> Config {
        let local_ip = Ipv4Addr::new(192, 168, 77, 1);
        Config {
            enabled: true,
            listen: Vec::from_iter([Ipv4Addr::UNSPECIFIED]),
            port: 1723,
            zone: short("lan"),
            lan: String::new(),
            lan_device: String::new(),
            lan_mode: LanMode::Routed,
            device: short("pptps0"),
            name: short("pptp-server"),
            local_ip,
            pool: Pool {
                first: Ipv4Addr::new(192, 168, 77, 10),
                last: Ipv4Addr::new(192, 168, 77, 99),
            },
            dns: Vec::from_iter([local_ip]),
            wins: Vec::new(),
            domain: String::new(),
            push_routes: Vec::new(),
            hook: String::new(),
            ipv6_prefix: Vec::new(),
            ipv6_dns: Vec::from_iter([Ipv6Addr::UNSPECIFIED]),
            mppe: Mppe::Required,
            mppe_min: Strength::Bits128,
            mppe_stateful: false,
            mtu: 1400,
            max_sessions: 32,
            max_connections: 64,
            max_per_address: 8,
            login_timeout: 30,
            echo_interval: 60,
            lcp_echo_interval: 20,
            lcp_echo_failures: 4,
            duplicate: Duplicate::Replace,
            backoff_failures: 5,
            backoff_time: 300,
            relay: Relay::default(),
            log_level: LogLevel::Info,
            users: Vec::new(),
        }
    }
}

/// A string that is known to fit.
fn short<const N: usize>(text: &str) -> String<N> {
    String::try_from(text).unwrap_or_default()
}

impl Config {
    /// Reads the text of a UCI file. Warnings do not refuse it: unknown options, which are ignored,
    /// and what is allowed but probably not meant.
    #[expect(clippy::result_large_err, reason = "there is no heap to put the problems on")]
    pub fn parse(text: &[u8], warnings: &mut Problems) -> Result<Config, Problems> {
        let (config, report) = load::load(text);
        *warnings = report.warnings;
        if report.errors.is_empty() { Ok(config) } else { Err(report.errors) }
    }

    /// Whether somebody may be online at certain times only.
    pub fn has_hours(&self) -> bool {
        self.users.iter().any(|user| !user.rights.hours.is_empty())
    }

    /// Callers are told our own address as their DNS server: the router answers there.
    fn tell_own_dns(&mut self) {
        self.dns = Vec::from_iter([self.local_ip]);
    }
}

impl User {
    /// Whether a call of this account may go on when the account becomes `new`.
    pub fn is_still(&self, new: &User) -> bool {
        let User { enabled, name, secret, ip, push_routes: _, rights: _ } = self;
        (enabled, name, secret, ip) == (&new.enabled, &new.name, &new.secret, &new.ip)
    }

    /// An enabled account with a plain password, no fixed address and all rights. The error says what is wrong
    /// with the name or the password.
    pub fn new(name: &str, password: &str) -> Result<User, &'static str> {
        value::user_name(name)?;
        let name = String::try_from(name).map_err(|_| "is too long")?;
        let (secret, push_routes) = (value::password(password)?, Vec::new());
        let (ip, rights) = (None, Rights::default());
        Ok(User { enabled: true, name, secret, ip, push_routes, rights })
    }
}
