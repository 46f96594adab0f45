//! Every option of the configuration file: its name, what it takes, its default, what it means
//! and where it goes. To add an option, add a row here (and its field to `Config` or `Account`).

pub use super::field::{Field, Word};
use super::{Duplicate, LanMode, LogLevel, Mppe};
use crate::limits;
use crate::proto::mppe::Strength;

/// One option.
#[derive(Debug)]
pub struct Row {
    /// The name in the file.
    pub name: &'static str,
    /// What it takes, and where that goes.
    pub field: Field,
    /// The value when the file gives none, as it would be written. The default of `dns` is the
    /// word `local_ip`: what that option says.
    pub default: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// One type of section.
#[derive(Debug)]
pub struct Section {
    /// The type in the file.
    pub kind: &'static str,
    /// Its options.
    pub rows: &'static [Row],
}

/// Every type of section with its options.
pub const ALL: &[Section] =
    &[Section { kind: "server", rows: SERVER }, Section { kind: "user", rows: USER }];

/// Characters of zones and devices beside letters and digits.
pub(super) const ZONE: &str = "_-";
pub(super) const DEVICE: &str = "._-";

/// `config server 'main'`.
pub const SERVER: &[Row] = &[
    Row {
        name: "enabled",
        field: Field::Switch(|d, on| d.config.enabled = on),
        default: "1",
        help: "Whether the init script starts the server.",
    },
    Row {
        name: "listen",
        field: Field::Listen(|d| d.config.listen.as_mut_view()),
        default: "0.0.0.0",
        help: "Addresses of this router to listen on; 0.0.0.0 is all of them.",
    },
    Row {
        name: "port",
        field: Field::Number(1, u16::MAX, |d, n| d.config.port = n),
        default: "1723",
        help: "TCP port of the control connection. Windows always dials 1723.",
    },
    Row {
        name: "src",
        field: Field::Zones,
        default: "wan",
        help: "Firewall zones from which callers may dial in; the init script opens them.",
    },
    Row {
        name: "zone",
        field: Field::Name(limits::ZONE_NAME, ZONE, |d| d.config.zone.as_mut_view()),
        default: "lan",
        help: "Firewall zone that the callers join; `none` is no zone.",
    },
    Row {
        name: "lan",
        field: Field::Name(limits::ZONE_NAME, "_", |d| d.config.lan.as_mut_view()),
        default: "",
        help: "Network of this router that is the LAN; without it the one of the zone, best `lan`; \
               `none` is no LAN.",
    },
    Row {
        name: "lan_device",
        field: Field::Device(|d| d.config.lan_device.as_mut_view()),
        default: "",
        help: "Network device of the LAN, such as br-lan, where the network's name does not tell it.",
    },
    Row {
        name: "lan_mode",
        field: Field::Choice(&[
            ("routed", |d| d.config.lan_mode = LanMode::Routed),
            ("same_subnet", |d| d.config.lan_mode = LanMode::SameSubnet),
        ]),
        default: "routed",
        help: "Callers have a network of their own, or addresses of the LAN's network, for which \
               the router answers there.",
    },
    Row {
        name: "device",
        field: Field::Device(|d| d.config.device.as_mut_view()),
        default: "pptps0",
        help: "Name of the network device of all callers.",
    },
    Row {
        name: "name",
        field: Field::Name(limits::HOST_NAME, DEVICE, |d| d.config.name.as_mut_view()),
        default: "pptp-server",
        help: "Name that the server tells its callers.",
    },
    Row {
        name: "local_ip",
        field: Field::Address(|d, address| d.config.local_ip = address),
        default: "192.168.77.1",
        help: "The server's own address inside the tunnel.",
    },
    Row {
        name: "pool",
        field: Field::Pool(|d, pool| d.config.pool = pool),
        default: "192.168.77.10-192.168.77.99",
        help: "Addresses that callers get, from the first to the last.",
    },
    Row {
        name: "dns",
        field: Field::Servers(|d| d.config.dns.as_mut_view()),
        default: "local_ip",
        help: "DNS servers that callers are told. Without any it is the address of local_ip.",
    },
    Row {
        name: "wins",
        field: Field::Servers(|d| d.config.wins.as_mut_view()),
        default: "",
        help: "WINS servers that callers are told.",
    },
    Row {
        name: "domain",
        field: Field::Domain(|d| d.config.domain.as_mut_view()),
        default: "",
        help: "Domain that callers are told by DHCP.",
    },
    Row {
        name: "push_route",
        field: Field::Networks(|d| d.config.push_routes.as_mut_view()),
        default: "",
        help: "Networks that callers are told by DHCP to reach through the tunnel, up to 8, beside the LAN and the pool.",
    },
    Row {
        name: "hook",
        field: Field::Program(|d| d.config.hook.as_mut_view()),
        default: "",
        help: "Program that is run when a caller comes online or goes.",
    },
    Row {
        name: "ipv6_prefix",
        field: Field::Prefixes(|d| d.config.ipv6_prefix.as_mut_view()),
        default: "",
        help: "IPv6 prefixes that callers make their addresses of; `auto` is what netifd assigns to \
               the device. Without any there is no IPv6 in the tunnel.",
    },
    Row {
        name: "ipv6_dns",
        field: Field::Servers6(|d| d.config.ipv6_dns.as_mut_view()),
        default: "router",
        help: "DNS servers that callers are told in IPv6; `router` is this one.",
    },
    Row {
        name: "mppe",
        field: Field::Choice(&[
            ("required", |d| d.config.mppe = Mppe::Required),
            ("optional", |d| d.config.mppe = Mppe::Optional),
            ("off", |d| d.config.mppe = Mppe::Off),
        ]),
        default: "required",
        help: "Encryption: callers must use it, may use it, or never do.",
    },
    Row {
        name: "mppe_min_bits",
        field: Field::Choice(&[
            ("128", |d| d.config.mppe_min = Strength::Bits128),
            ("56", |d| d.config.mppe_min = Strength::Bits56),
            ("40", |d| d.config.mppe_min = Strength::Bits40),
        ]),
        default: "128",
        help: "Shortest encryption key that is accepted. 56 and 40 bits protect nothing.",
    },
    Row {
        name: "mppe_stateful",
        field: Field::Switch(|d, on| d.config.mppe_stateful = on),
        default: "0",
        help: "Whether callers may choose stateful encryption, which stalls when packets get lost.",
    },
    Row {
        name: "mtu",
        field: Field::Number(576, 1456, |d, n| d.config.mtu = n),
        default: "1400",
        help: "Octets of the largest packet inside the tunnel.",
    },
    Row {
        name: "max_sessions",
        field: Field::Number(1, limits::SESSIONS as u16, |d, n| d.config.max_sessions = n),
        default: "32",
        help: "Calls at once.",
    },
    Row {
        name: "max_connections",
        field: Field::Number(1, limits::CONTROLS as u16, |d, n| d.config.max_connections = n),
        default: "64",
        help: "TCP connections at once, logged in or not.",
    },
    Row {
        name: "max_per_address",
        field: Field::Number(1, limits::CONTROLS as u16, |d, n| d.config.max_per_address = n),
        default: "8",
        help: "TCP connections at once from one address before they are logged in.",
    },
    Row {
        name: "login_timeout",
        field: Field::Number(5, 600, |d, n| d.config.login_timeout = n),
        default: "30",
        help: "Seconds from the TCP connection to an open call.",
    },
    Row {
        name: "echo_interval",
        field: Field::Number(5, 3600, |d, n| d.config.echo_interval = n),
        default: "60",
        help: "Seconds of silence after which the TCP connection is tested by an echo.",
    },
    Row {
        name: "lcp_echo_interval",
        field: Field::Number(0, 3600, |d, n| d.config.lcp_echo_interval = n),
        default: "20",
        help: "Seconds of silence after which a call is tested by an echo; 0 is never.",
    },
    Row {
        name: "lcp_echo_failures",
        field: Field::Number(1, 255, |d, n| d.config.lcp_echo_failures = n.to_be_bytes()[1]),
        default: "4",
        help: "Unanswered echoes after which a call ends.",
    },
    Row {
        name: "duplicate",
        field: Field::Choice(&[
            ("replace", |d| d.config.duplicate = Duplicate::Replace),
            ("refuse", |d| d.config.duplicate = Duplicate::Refuse),
            ("allow", |d| d.config.duplicate = Duplicate::Allow),
        ]),
        default: "replace",
        help: "A second call of one account takes the place of the first, is refused, or both stay.",
    },
    Row {
        name: "backoff_failures",
        field: Field::Number(0, 1000, |d, n| d.config.backoff_failures = n),
        default: "5",
        help: "Failed logins of one address or account before it has to wait; 0 is never.",
    },
    Row {
        name: "backoff_time",
        field: Field::Number(1, u16::MAX, |d, n| d.config.backoff_time = n),
        default: "300",
        help: "Seconds that it has to wait.",
    },
    Row {
        name: "relay",
        field: Field::Switch(|d, on| d.config.relay.on = on),
        default: "1",
        help: "Whether broadcasts pass between the LAN and callers and among callers, so that games find each other.",
    },
    Row {
        name: "relay_ports",
        field: Field::Ports(|d| d.config.relay.ports.as_mut_view()),
        default: "1-65535",
        help: "UDP ports of broadcasts that pass.",
    },
    Row {
        name: "relay_deny",
        field: Field::Ports(|d| d.config.relay.deny.as_mut_view()),
        default: "7 19 520",
        help: "UDP ports of broadcasts that do not pass. DHCP (67 and 68) never does.",
    },
    Row {
        name: "relay_rate",
        field: Field::Number(1, 250, |d, n| d.config.relay.rate = n),
        default: "30",
        help: "Broadcasts that one machine may send in a second; more do not pass.",
    },
    Row {
        name: "relay_mdns",
        field: Field::Switch(|d, on| d.config.relay.mdns = on),
        default: "0",
        help: "Whether multicast DNS passes too (224.0.0.251, port 5353): printers and Apple devices.",
    },
    Row {
        name: "relay_ssdp",
        field: Field::Switch(|d, on| d.config.relay.ssdp = on),
        default: "0",
        help: "Whether SSDP passes too (239.255.255.250, port 1900): UPnP, media players, TV sets.",
    },
    Row {
        name: "log_level",
        field: Field::Choice(&[
            ("error", |d| d.config.log_level = LogLevel::Error),
            ("warn", |d| d.config.log_level = LogLevel::Warn),
            ("info", |d| d.config.log_level = LogLevel::Info),
            ("debug", |d| d.config.log_level = LogLevel::Debug),
            ("trace", |d| d.config.log_level = LogLevel::Trace),
        ]),
        default: "info",
        help: "How much is logged.",
    },
];

/// `config user`.
pub const USER: &[Row] = &[
    Row {
        name: "enabled",
        field: Field::Switch(|d, on| d.account.enabled = on),
        default: "1",
        help: "Whether the account may dial in.",
    },
    Row {
        name: "username",
        field: Field::UserName(|d| d.account.name.as_mut_view()),
        default: "",
        help: "Name of the account; capital and small letters differ.",
    },
    Row {
        name: "password",
        field: Field::Password(|d| &mut d.account.password),
        default: "",
        help: "Password of the account. Give either this or nt_hash.",
    },
    Row {
        name: "nt_hash",
        field: Field::NtHash(|d| &mut d.account.nt_hash),
        default: "",
        help: "NT hash of the password, as `pptp-server nt-hash` prints it.",
    },
    Row {
        name: "ip",
        field: Field::FixedAddress(|d| &mut d.account.ip),
        default: "",
        help: "Address that the account always gets; without it any of the pool.",
    },
    Row {
        name: "push_route",
        field: Field::Networks(|d| d.account.push_routes.as_mut_view()),
        default: "",
        help: "Further networks that its callers are told by DHCP to reach through the tunnel, up to 4.",
    },
    Row {
        name: "lan",
        field: Field::Switch(|d, on| d.account.rights.lan = on),
        default: "1",
        help: "Whether its callers reach the router, the LAN and other private networks, and these them. Without it the router still answers DNS, DHCP and pings.",
    },
    Row {
        name: "internet",
        field: Field::Switch(|d, on| d.account.rights.internet = on),
        default: "1",
        help: "Whether its callers reach the Internet through the router.",
    },
    Row {
        name: "callers",
        field: Field::Switch(|d, on| d.account.rights.callers = on),
        default: "1",
        help: "Whether its callers reach other callers and their networks; both sides need it.",
    },
    Row {
        name: "route",
        field: Field::Networks(|d| d.account.rights.routes.as_mut_view()),
        default: "",
        help: "Networks behind the caller, a router, that are reached through it while it is online, up to 4; no two of all accounts overlap.",
    },
    Row {
        name: "rate_up",
        field: Field::Rate(|d| &mut d.account.rights.rate_up),
        default: "0",
        help: "Kilobits per second from each caller; 0 is no limit.",
    },
    Row {
        name: "rate_down",
        field: Field::Rate(|d| &mut d.account.rights.rate_down),
        default: "0",
        help: "Kilobits per second to each caller; 0 is no limit.",
    },
    Row {
        name: "idle_timeout",
        field: Field::Number(0, 65535, |d, n| d.account.rights.idle_timeout = n),
        default: "0",
        help: "Minutes without packets inside the tunnel after which a call ends; 0 is never.",
    },
    Row {
        name: "session_timeout",
        field: Field::Number(0, 65535, |d, n| d.account.rights.session_timeout = n),
        default: "0",
        help: "Minutes after which a call ends; 0 is never.",
    },
    Row {
        name: "hours",
        field: Field::Hours(|d| d.account.rights.hours.as_mut_view()),
        default: "",
        help: "Times of the week, by the router's clock, in which the account may be online; without any it is always.",
    },
    Row {
        name: "relay",
        field: Field::Switch(|d, on| d.account.rights.relay = on),
        default: "1",
        help: "Whether its callers take part in the relay of broadcasts.",
    },
];
