//! The LAN: which device it is, its addresses, and news of them. It may come later than this
//! program, change, go, and come back under the same name.

use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use log::debug;
use pptp::config::{Config, Network};
use pptp::session::{Ipv6, Lan};
use pptp::time::{Deadline, Instant, deadline, due};
use pptp::wire::ipv6;

use super::netlink::Netlink;
use super::netlink::device::{self, Address, Address6, Link};
use super::{conflict, uci};
use crate::io::log::{info, warn};

/// Milliseconds between news and the look at what is there now: they seldom come alone.
const SETTLE_MS: u64 = 50;
/// Milliseconds from one look to the next.
const PAUSE_MS: u64 = 500;

/// A device of the LAN that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub name: String,
    pub link: Link,
    /// Its IPv4 addresses.
    pub four: Vec<Address>,
    /// Its IPv6 addresses.
    pub six: Vec<Address6>,
}

/// What is known of the LAN.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its devices, the main one first if it is there.
    pub devices: Vec<Device>,
    /// IPv4 networks of this machine's other devices, without the callers' own.
    pub others: Vec<Network>,
    /// The upper halves of the IPv6 addresses that the callers' device has in networks of 64 bits,
    /// if the lower half is ours.
    pub prefixes: Vec<u64>,
    /// The upper halves of the addresses of this machine's other devices.
    pub networks: Vec<u64>,
    /// Whether there is a way out for IPv6.
    pub ipv6_default: bool,
}

/// The look-out.
pub struct Watch {
    news: Option<Netlink>,
    /// Where the router's own configuration is.
    folder: Option<PathBuf>,
    /// The names of the LAN's devices, the main one first.
    names: Vec<String>,
    facts: Facts,
    problem: String,
    /// There was news of our devices since the last look.
    shaken: bool,
    ready: bool,
    looked_at: Instant,
    look_at: Option<Instant>,
}

impl Watch {
    /// Begins to listen. `file` is our configuration; what else the router has stands beside it.
    pub fn open(file: Option<&Path>) -> Watch {
        let news = Netlink::listening(device::GROUPS);
        let news = news.inspect_err(|error| warn!("changes of the LAN go unnoticed: {error}")).ok();
        Watch {
            news,
            folder: file.and_then(Path::parent).map(PathBuf::from),
            names: Vec::new(),
            facts: Facts::default(),
            problem: String::new(),
            shaken: true,
            ready: false,
            looked_at: Instant(0),
            look_at: Some(Instant(0)),
        }
    }

    /// What the event loop watches.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.news.as_ref().map(Netlink::descriptor)
    }

    /// There is news.
    pub fn ready(&mut self) {
        self.ready = true;
    }

    /// The name of the LAN's main device, whether it is there or not.
    pub fn name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    /// The LAN's main device, while it is there.
    pub fn device(&self) -> Option<&Device> {
        self.facts.devices.first().filter(|device| Some(&device.name) == self.names.first())
    }

    /// The LAN's devices that are there.
    pub fn devices(&self) -> &[Device] {
        &self.facts.devices
    }

    /// The device of the LAN in whose network `address` is.
    pub fn device_of(&self, address: Ipv4Addr) -> Option<&Device> {
        let has = |device: &&Device| device.four.iter().any(|it| network(it).contains(address));
        self.facts.devices.iter().find(has)
    }

    /// What a person should change; empty when nothing is wrong.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Looks again with the next turn: the configuration may have changed.
    pub fn look_again(&mut self, now: Instant) {
        self.look_at = Some(now);
    }

    /// When there is something to do without any event.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        deadline(self.look_at, "look at the LAN")
    }

    /// Takes the news, and looks what is there now if they are of interest. Tells whether
    /// something is other than before, or was meanwhile.
    pub fn turn(&mut self, config: &Config, now: Instant) -> bool {
        if mem::take(&mut self.ready) {
            self.hear(now);
        }
        due(self.look_at, now) && self.look(config, now)
    }

    /// News may be lost when they come too fast, so they only lead to a look.
    #[cold]
    fn hear(&mut self, now: Instant) {
        let (names, mut matters) = (&self.names, false);
        let Some(news) = &mut self.news else { return };
        let heard = news.hear(&mut |kind, body| {
            matters |= match kind {
                libc::RTM_NEWLINK | libc::RTM_DELLINK => {
                    let name = device::link_name(body);
                    names.iter().any(|known| known.as_bytes() == name)
                }
                _ => true,
            };
        });
        let lost = heard.is_err_and(|error| !super::failure::is_blocked(&error));
        // An error ends the reading, and there may be more.
        self.ready = lost;
        self.shaken |= lost || matters;
        if lost || matters {
            let at = (now + SETTLE_MS).max(self.looked_at + PAUSE_MS);
            self.look_at.get_or_insert(at);
        }
    }

    #[cold]
    fn look(&mut self, config: &Config, now: Instant) -> bool {
        (self.looked_at, self.look_at) = (now, None);
        let names = uci::lan_devices(config, self.folder.as_deref());
        let facts = match facts(&names, &config.device) {
            Ok(facts) => facts,
            Err(error) => {
                debug!("look at the LAN: {error}");
                self.look_at = Some(now + PAUSE_MS);
                return false;
            }
        };
        let first = names != self.names;
        self.names = names;
        let before = mem::replace(&mut self.facts, facts);
        let shaken = mem::take(&mut self.shaken);
        if first || self.facts.devices != before.devices {
            self.tell(&before, first);
        }
        self.judge(config);
        first || shaken || self.facts != before
    }

    /// Says what the LAN is now; that it is missing only when it was there, or never was yet.
    fn tell(&self, before: &Facts, first: bool) {
        let Some(name) = self.names.first() else {
            debug!("no LAN is known: neither main.lan nor main.lan_device names a device");
            return;
        };
        match self.device() {
            Some(device) if self.lan().networks.is_empty() => {
                info!("the LAN device {} has no IPv4 address yet", device.name);
            }
            Some(device) => {
                for network in &self.lan().networks {
                    info!("the LAN is {network}, {}", device.name);
                }
            }
            None if first || before.devices.iter().any(|device| device.name == *name) => {
                info!("the LAN device {name} is not there: waiting for it");
            }
            None => {}
        }
    }

    /// Says once what is wrong.
    fn judge(&mut self, config: &Config) {
        let problem = conflict::problem(config, &self.facts, &self.lan().networks);
        let problem = problem.unwrap_or_default();
        if self.problem != problem {
            self.problem = problem;
            if !self.problem.is_empty() {
                warn!("{}", self.problem);
            }
        }
    }

    /// The facts.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the server shall know.
    pub fn lan(&self) -> Lan {
        let mut lan = Lan { address: None, ..Lan::default() };
        let main = self.device().and_then(|device| device.four.first());
        lan.address = main.map(|address| address.local);
        for address in self.facts.devices.iter().flat_map(|device| &device.four) {
            let network = network(address);
            if !lan.networks.contains(&network) {
                // More than the limit are not the LAN of a home.
                let _known = lan.networks.push(network);
            }
        }
        lan
    }
}

/// What callers get of IPv6 from what the kernel has. A prefix that is another network's is no way
/// to callers.
pub fn ipv6(facts: &Facts, config: &Config) -> Option<Ipv6> {
    let mut ipv6 = Ipv6 { default_router: facts.ipv6_default, ..Ipv6::default() };
    for &prefix in &facts.prefixes {
        if facts.networks.contains(&prefix) {
            let network = ipv6::join(prefix, 0);
            warn!("callers cannot have the IPv6 prefix {network}/64, which is another network's");
        } else {
            // More than the limit is more than a caller needs.
            let _known = ipv6.prefixes.push(prefix);
        }
    }
    for &network in &facts.networks {
        // More than the limit are not the networks of a home.
        let _known = ipv6.lan.push(network);
    }
    let is_on = !config.ipv6_prefix.is_empty() && !ipv6.prefixes.is_empty();
    ipv6.dns.clone_from(&config.ipv6_dns);
    is_on.then_some(ipv6)
}

/// Whether /proc/net/ipv6_route (proc(5)) has a default route through a device, from any source.
fn has_default6(routes: &str) -> bool {
    const UNREACHABLE: u32 = 0x0200;
    routes.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let to = (fields.next(), fields.next());
        let flags = fields.nth(6).and_then(|flags| u32::from_str_radix(flags, 16).ok());
        to == (Some("00000000000000000000000000000000"), Some("00"))
            && flags.is_some_and(|flags| flags & UNREACHABLE == 0)
            && fields.next() != Some("lo")
    })
}

/// What the kernel says of these devices; `own` is the callers'.
fn facts(names: &[String], own: &str) -> std::io::Result<Facts> {
    let mut netlink = Netlink::open()?;
    let (four, six) = device::addresses(&mut netlink)?;
    let mut facts = Facts::default();
    for name in names {
        let Some(link) = device::link(&mut netlink, name)? else { continue };
        let four = four.iter().filter(|address| address.index == link.index);
        let six = six.iter().filter(|address| address.index == link.index);
        let (four, six) = (four.copied().collect(), six.copied().collect());
        facts.devices.push(Device { name: name.clone(), link, four, six });
    }
    let own = device::link(&mut netlink, own)?.map(|own| own.index);
    let is_other = |address: &&Address| {
        let known = |device: &Device| device.link.index == address.index;
        Some(address.index) != own
            && !address.local.is_loopback()
            && !facts.devices.iter().any(known)
    };
    facts.others = four.iter().filter(is_other).map(network).collect();
    for address in six.iter().filter(|six| six.prefix == 64 && !six.deprecated) {
        let (prefix, identifier) = ipv6::split(address.local);
        if ipv6::stays_on_link(address.local) {
            continue;
        }
        if Some(address.index) != own {
            facts.networks.push(prefix);
        } else if identifier == ipv6::ROUTER {
            facts.prefixes.push(prefix);
        }
    }
    facts.networks.dedup();
    if !facts.prefixes.is_empty() {
        let routes = uci::read_file(Path::new("/proc/net/ipv6_route"));
        facts.ipv6_default = has_default6(std::str::from_utf8(&routes).unwrap_or_default());
    }
    Ok(facts)
}

fn network(address: &Address) -> Network {
    Network::around(address.peer, address.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_is_one_that_leads_somewhere() {
        let zero = "0".repeat(32);
        let (all, one) = (format!("{zero} 00"), format!("{zero} 80"));
        let from = "20010db8000000000000000000000000 38";
        for (routes, expected) in [
            (format!("{all} {all} {zero} 00000400 00000001 00000000 00450003      wan\n"), true),
            (format!("{all} {from} {zero} 00000400 00000001 00000000 00450003      wan\n"), true),
            (format!("{all} {all} {zero} ffffffff 00000001 00000000 00200200       lo\n"), false),
            (format!("{one} {all} {zero} 00000000 00000003 00000000 80200001       lo\n"), false),
            (String::from("nonsense\n\n"), false),
        ] {
            assert_eq!(has_default6(&routes), expected, "{routes}");
        }
    }
}
