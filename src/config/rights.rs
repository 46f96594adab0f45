//! What an account may do, and for how long and how fast; and the checks of its routed networks.

use core::fmt::Write;
use core::net::Ipv4Addr;

use heapless::{String, Vec};

use super::hours::Span;
use super::load::{Account, Note};
use super::options::SERVER;
use super::problem::{Allowed, Problem, Report};
use super::{Config, Network};
use crate::limits::{HOURS, ROUTES};

/// The fastest rate in kbit/s. 200 ms of it in bits fit 32 bits.
pub const RATE_MAX: u32 = 10_000_000;

/// What an account may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Rights {
    /// Reach machines of the LAN and of private networks, and be reached by them.
    pub lan: bool,
    /// The same with all other addresses.
    pub internet: bool,
    /// The same with other callers, if those may too.
    pub callers: bool,
    /// Take part in the broadcast relay, as far as the others allow.
    pub relay: bool,
    /// Kilobits per second from the caller, up to `RATE_MAX`; 0 is as fast as it goes.
    pub rate_up: u32,
    /// Kilobits per second to the caller.
    pub rate_down: u32,
    /// Minutes without packets after which a call ends; 0 is never.
    pub idle_timeout: u16,
    /// Minutes after which a call ends; 0 is never.
    pub session_timeout: u16,
    /// When the account may be online; empty is always.
    pub hours: Vec<Span, HOURS, u8>,
    /// Networks behind the caller. No two of all accounts overlap.
    pub routes: Vec<Network, ROUTES, u8>,
}

impl Default for Rights {
    fn default() -> Rights {
        Rights {
            lan: true,
            internet: true,
            callers: true,
            relay: true,
            rate_up: 0,
            rate_down: 0,
            idle_timeout: 0,
            session_timeout: 0,
            hours: Vec::new(),
            routes: Vec::new(),
        }
    }
}

impl Rights {
    /// Whether `minute` of the week is one in which the account may be online.
    pub fn allow(&self, minute: u16) -> bool {
        self.hours.is_empty() || self.hours.iter().any(|span| span.contains(minute))
    }
}

/// Checks the networks of `accounts[place]` against everything that has an address.
pub(super) fn check_routes(
    config: &Config,
    server: &Note<{ SERVER.len() }>,
    accounts: &[Account],
    place: usize,
    report: &mut Report,
) {
    let Some(account) = accounts.get(place) else { return };
    let line = account.note.given("route").line;
    for (at, network) in account.rights.routes.iter().enumerate() {
        let clash = clash_in_server(config, server, network)
            .or_else(|| clash_in_list(account, at, network))
            .or_else(|| clash_between(accounts, place, network));
        if let Some((what, other)) = clash {
            let mut text = String::<18>::new();
            _ = write!(text, "{network}");
            let mut problem = Problem::new(line, &account.note.section, what).option("route");
            problem.other_line = (other != 0).then_some(other);
            let allowed = Allowed::Words("a network that nobody else has");
            report.errors.push(problem.value(&text).allowed(allowed));
        }
    }
}

/// What is wrong with a network, and the line of what it contradicts.
type Clash = Option<(&'static str, u32)>;

fn clash_in_server(config: &Config, server: &Note<{ SERVER.len() }>, network: &Network) -> Clash {
    let given = |option| server.given(option).line;
    if server.usable("local_ip") && network.contains(config.local_ip) {
        return Some(("contains the server's own address, local_ip", given("local_ip")));
    }
    let (first, last) = (config.pool.first, config.pool.last);
    let overlaps = network.address <= last && first <= network.broadcast();
    (overlaps && server.usable("pool")).then(|| ("overlaps the pool", given("pool")))
}

fn clash_in_list(account: &Account, at: usize, network: &Network) -> Clash {
    let mut before = account.rights.routes.iter().take(at);
    let clash = before.any(|other| other.overlaps(network));
    clash.then_some(("overlaps another network of the account", 0))
}

fn clash_between(accounts: &[Account], place: usize, network: &Network) -> Clash {
    let has_ip = |ip: Option<Ipv4Addr>| ip.is_some_and(|ip| network.contains(ip));
    accounts.iter().enumerate().filter(|(other, _)| *other != place).find_map(|(at, other)| {
        let given = |option| other.note.given(option).line;
        if has_ip(other.ip) {
            return Some(("contains the address of another account", given("ip")));
        }
        let overlaps = at < place && other.rights.routes.iter().any(|it| it.overlaps(network));
        overlaps.then(|| ("overlaps a network of another account", given("route")))
    })
}
