//! The bodies of all fuzz targets: functions of octets that panic when a promise is broken. The
//! fuzzer and the replay of the corpora (tests/corpora.rs) call the same ones.

#[path = "../../common/mod.rs"]
#[allow(dead_code)] // the models of callers are for the scenarios
pub mod common;

mod cipher;
mod client;
mod config;
mod control;
mod dhcp;
mod inner;
mod inner6;
mod input;
mod negotiation;
mod relay;
mod server;
mod ubus;
mod wire;

pub use cipher::{arc4, mppe};
pub use config::config;
pub use control::control;
pub use dhcp::dhcp;
pub use inner::ipv4;
pub use inner6::ipv6;
pub use negotiation::{ccp, ipcp, ipv6cp, lcp};
pub use relay::relay;
pub use server::server;
pub use ubus::ubus;
pub use wire::{chap, gre, mppe_header, ppp, pptp};

/// A target: its name is that of its folder in corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const ALL: [Target; 19] = [
    ("pptp", pptp),
    ("gre", gre),
    ("ppp", ppp),
    ("chap", chap),
    ("mppe_header", mppe_header),
    ("ipv4", ipv4),
    ("ipv6", ipv6),
    ("dhcp", dhcp),
    ("lcp", lcp),
    ("ccp", ccp),
    ("ipcp", ipcp),
    ("ipv6cp", ipv6cp),
    ("config", config),
    ("control", control),
    ("arc4", arc4),
    ("mppe", mppe),
    ("ubus", ubus),
    ("relay", relay),
    ("server", server),
];
