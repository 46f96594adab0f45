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

pub use config::config;
pub use control::control;
pub use dhcp::dhcp;
pub use relay::relay;
pub use server::server;
pub use ubus::ubus;

use input::Input;

/// A target: its name is that of its folder in corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const ALL: [Target; 9] = [
    ("headers", headers),
    ("negotiation", negotiation),
    ("mppe", mppe),
    ("dhcp", dhcp),
    ("relay", relay),
    ("config", config),
    ("control", control),
    ("ubus", ubus),
    ("server", server),
];

/// Every parser that remembers nothing.
pub fn headers(data: &[u8]) {
    use wire::{chap, gre, mppe_header, ppp, pptp};
    one_of(&[pptp, gre, ppp, chap, mppe_header, inner::ipv4, inner6::ipv6], data);
}

/// Every protocol on the automaton of RFC 1661.
pub fn negotiation(data: &[u8]) {
    use negotiation::{ccp, ipcp, ipv6cp, lcp};
    one_of(&[lcp, ccp, ipcp, ipv6cp], data);
}

/// MPPE and its cipher.
pub fn mppe(data: &[u8]) {
    one_of(&[cipher::mppe, cipher::arc4], data);
}

/// The first octet chooses the function for the others.
fn one_of(functions: &[fn(&[u8])], data: &[u8]) {
    let mut input = Input::new(data);
    let chosen = input.pick(functions);
    chosen(input.rest());
}
