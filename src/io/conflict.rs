//! Addresses for callers that do not fit the networks around them.

use std::net::Ipv4Addr;
use std::path::Path;

use pptp::config::{Config, LanMode, Network};

use super::lan::Facts;
use super::uci;

/// Addresses for callers, and the option that gives them.
struct Range<'c> {
    option: &'c str,
    /// The account, if it is one's fixed address.
    user: &'c str,
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl Range<'_> {
    fn overlaps(&self, first: Ipv4Addr, last: Ipv4Addr) -> bool {
        self.first <= last && first <= self.last
    }

    fn is_within(&self, network: &Network) -> bool {
        network.contains(self.first) && network.contains(self.last)
    }
}

/// `main.pool (192.168.1.200-192.168.1.220)`.
impl std::fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.option)?;
        if !self.user.is_empty() {
            write!(f, " of \"{}\"", self.user)?;
        }
        write!(f, " ({}", self.first)?;
        if self.first != self.last {
            write!(f, "-{}", self.last)?;
        }
        f.write_str(")")
    }
}

/// The pool, and the fixed addresses of accounts.
fn ranges(config: &Config) -> Vec<Range<'_>> {
    let pool = config.pool;
    let pool = Range { option: "main.pool", user: "", first: pool.first, last: pool.last };
    let fixed = config.users.iter().filter(|user| user.enabled).filter_map(|user| {
        let address = user.ip.filter(|ip| config.pool.offset(*ip).is_none())?;
        Some(Range { option: "ip", user: &user.name, first: address, last: address })
    });
    std::iter::once(pool).chain(fixed).collect()
}

/// What a person should change, now that the LAN and this machine's other networks are known.
pub fn problem(config: &Config, facts: &Facts, lan: &[Network]) -> Option<String> {
    let ranges = ranges(config);
    let same = config.lan_mode == LanMode::SameSubnet;
    let among = |networks: &[Network], range: &Range| {
        networks.iter().find(|it| range.overlaps(it.address, it.broadcast())).copied()
    };
    for range in &ranges {
        if let Some(network) = among(&facts.others, range) {
            return Some(format!(
                "{range} overlaps {network}, another network of this router: choose other addresses"
            ));
        }
        match among(lan, range) {
            Some(network) if !same => {
                return Some(format!(
                    "{range} overlaps the LAN {network}: its machines do not find the callers; set \
                     lan_mode to same_subnet, or choose addresses outside of the LAN"
                ));
            }
            Some(network) if !range.is_within(&network) => {
                return Some(format!("{range} reaches out of the LAN {network}"));
            }
            None if same && !lan.is_empty() && range.user.is_empty() => {
                return Some(format!(
                    "lan_mode is same_subnet, but {range} is not within the LAN {}: callers are \
                     routed",
                    lan[0]
                ));
            }
            _ => {}
        }
    }
    None
}

/// Why a configuration is refused: what DHCP gives to machines of the LAN is not for callers too.
/// `folder` is where the router's own configuration is.
pub fn refusal(config: &Config, folder: &Path) -> Option<String> {
    let (firewall, dhcp) = (uci::read(folder, "firewall"), uci::read(folder, "dhcp"));
    if dhcp.is_empty() || config.lan == uci::NONE {
        return None;
    }
    let network = uci::read(folder, "network");
    for name in uci::lan_networks(config, &firewall) {
        let Some((first, last)) = uci::dhcp_range(&dhcp, &network, &name) else { continue };
        if let Some(range) = ranges(config).iter().find(|range| range.overlaps(first, last)) {
            return Some(format!(
                "{range} has addresses that DHCP gives out in the network {name} \
                 ({first}-{last}, /etc/config/dhcp), allowed: addresses outside of that range"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(first: [u8; 4], last: [u8; 4], lan_mode: LanMode) -> Config {
        let pool = pptp::config::Pool { first: first.into(), last: last.into() };
        Config { pool, lan_mode, ..Config::default() }
    }

    fn told(config: &Config) -> String {
        let others = vec![Network::around([203, 0, 113, 1].into(), 24)];
        let facts = Facts { others, ..Facts::default() };
        let lan = [Network::around([192, 168, 1, 0].into(), 24)];
        problem(config, &facts, &lan).unwrap_or_default()
    }

    #[test]
    fn what_overlaps_is_named() {
        use LanMode::{Routed, SameSubnet};
        assert_eq!(told(&Config::default()), "");
        assert_eq!(told(&config([192, 168, 1, 200], [192, 168, 1, 220], SameSubnet)), "");
        let routed = told(&config([192, 168, 1, 200], [192, 168, 1, 220], Routed));
        assert!(routed.starts_with(
            "main.pool (192.168.1.200-192.168.1.220) overlaps the LAN 192.168.1.0/24: "
        ));
        let wan = told(&config([203, 0, 113, 9], [203, 0, 113, 9], Routed));
        assert!(wan.starts_with("main.pool (203.0.113.9) overlaps 203.0.113.0/24, another"));
        let beyond = told(&config([192, 168, 1, 250], [192, 168, 2, 9], SameSubnet));
        assert!(beyond.ends_with("reaches out of the LAN 192.168.1.0/24"), "{beyond}");
        let away = told(&config([10, 0, 0, 1], [10, 0, 0, 9], SameSubnet));
        assert!(away.ends_with("is not within the LAN 192.168.1.0/24: callers are routed"));
    }

    #[test]
    fn fixed_addresses_count_too() {
        let mut config = Config::default();
        let mut user = pptp::config::User::new("bob", "password").unwrap();
        user.ip = Some([192, 168, 1, 9].into());
        config.users.push(user).unwrap();
        assert!(told(&config).starts_with("ip of \"bob\" (192.168.1.9) overlaps the LAN"));
        config.users[0].enabled = false;
        assert_eq!(told(&config), "");
    }
}
