//! What other programs' files beside our own in /etc/config say: which devices the LAN has.
//! They are the router's own and only read; one that is missing or broken says nothing.

use std::fs::File;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::Path;

use pptp::config::uci::{Parser, Statement};
use pptp::config::{Config, Network};
use pptp::limits::LAN_NETWORKS;

/// Octets of the largest file that is read.
const FILE: usize = 256 * 1024;

/// Octets that are asked for at once where it is not known how many there are.
const PIECE: usize = 4096;

/// Interfaces that stand for another one (`@lan`), in a row.
const ALIASES: usize = 4;

/// The word that means none.
pub const NONE: &str = "none";

/// An option, or one item of a list.
pub struct Item<'a> {
    /// The number of its section in the file.
    pub section: usize,
    /// The section's type and name.
    pub kind: &'a str,
    pub of: &'a str,
    /// Its own name and value.
    pub name: &'a str,
    pub value: &'a str,
}

/// The text of the file `name` in `folder`; empty when there is none.
pub fn read(folder: &Path, name: &str) -> Vec<u8> {
    read_file(&folder.join(name))
}

/// The beginning of a file; empty when there is none.
#[inline(never)]
pub fn read_file(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(file) = File::open(path) {
        // What was read before an error is what there is.
        let _read = read_up_to(file, &mut text, FILE);
    }
    text
}

/// Reads a file to its end, or until the text has `most` octets: into the space that there is, and only when
/// that is full into more, since a text that grows leaves copies behind. (The standard library's way is for
/// every reader, and four times as large.)
pub fn read_up_to(mut file: File, text: &mut Vec<u8>, most: usize) -> io::Result<()> {
    loop {
        let length = text.len();
        let room = if length < text.capacity() { text.capacity() } else { length + PIECE };
        text.resize(room.min(most), 0);
        let read = file.read(&mut text[length..]);
        text.truncate(length + *read.as_ref().unwrap_or(&0));
        if read? == 0 {
            return Ok(());
        }
    }
}

/// Hands every option of a file's text to `each`.
pub fn each(text: &[u8], each: &mut dyn FnMut(Item)) {
    let mut parser = Parser::new(text);
    let (mut section, mut kind, mut of) = (0, String::new(), String::new());
    while let Some(found) = parser.advance() {
        match found.statement {
            Ok(Statement::Section { kind: new, name }) => {
                section += 1;
                (kind, of) = (new.into(), name.unwrap_or_default().into());
            }
            Ok(Statement::Option { name, value } | Statement::List { name, value }) => {
                each(Item { section, kind: &kind, of: &of, name, value });
            }
            _ => {}
        }
    }
}

/// The devices of the LAN, the main one first; none when nothing tells. They need not exist.
pub fn lan_devices(config: &Config, folder: Option<&Path>) -> Vec<String> {
    let named = config.lan_device.as_str();
    if config.lan == NONE || named == NONE {
        return Vec::new();
    }
    if !named.is_empty() {
        return vec![named.into()];
    }
    let Some(folder) = folder else { return Vec::new() };
    let (firewall, network) = (read(folder, "firewall"), read(folder, "network"));
    let networks = lan_networks(config, &firewall);
    let mut devices: Vec<String> = Vec::new();
    for device in networks.iter().filter_map(|name| device_of(&network, name)) {
        if !devices.contains(&device) && devices.len() < LAN_NETWORKS {
            devices.push(device);
        }
    }
    devices
}

/// The names of the LAN's networks, the main one first: it and the others of its firewall zone.
pub fn lan_networks(config: &Config, firewall: &[u8]) -> Vec<String> {
    let mut networks = zone_networks(firewall, &config.zone);
    let main = match config.lan.as_str() {
        "" if networks.is_empty() || networks.iter().any(|name| name == "lan") => "lan".into(),
        "" => networks[0].clone(),
        lan => lan.into(),
    };
    networks.retain(|name| *name != main);
    networks.insert(0, main);
    networks
}

/// The networks of a firewall zone.
fn zone_networks(firewall: &[u8], zone: &str) -> Vec<String> {
    let mut section = None;
    each(firewall, &mut |item| {
        if (item.kind, item.name, item.value) == ("zone", "name", zone) {
            section = Some(item.section);
        }
    });
    let mut networks = Vec::new();
    each(firewall, &mut |item| {
        if section == Some(item.section) && item.name == "network" {
            networks.extend(item.value.split_ascii_whitespace().map(String::from));
        }
    });
    networks
}

/// The device of a network: what `option device` says (before OpenWrt 21.02 `ifname`), or its own
/// bridge.
fn device_of(network: &[u8], name: &str) -> Option<String> {
    let mut name = String::from(name);
    for _ in 0..ALIASES {
        let (mut device, mut bridge) = (None, false);
        each(network, &mut |item| {
            if (item.kind, item.of) == ("interface", &name) {
                match item.name {
                    "device" | "ifname" => device = Some(String::from(item.value)),
                    "type" => bridge = item.value == "bridge",
                    _ => {}
                }
            }
        });
        if bridge {
            return Some(format!("br-{name}"));
        }
        let device = device?;
        match device.strip_prefix('@') {
            Some(other) => name = other.into(),
            None => return device.split_ascii_whitespace().next().map(String::from),
        }
    }
    None
}

/// The addresses that DHCP gives out in a network, as dnsmasq's script computes them: `start`
/// addresses behind the network's own, `limit` of them.
pub fn dhcp_range(dhcp: &[u8], network: &[u8], name: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let mut section = None;
    each(dhcp, &mut |item| {
        if (item.kind, item.name, item.value) == ("dhcp", "interface", name) {
            section = Some(item.section);
        }
    });
    let section = section?;
    let (mut start, mut limit, mut off) = (100, 150, false);
    each(dhcp, &mut |item| {
        if item.section == section {
            match (item.name, item.value) {
                ("start", value) => start = value.parse().unwrap_or(start),
                ("limit", value) => limit = value.parse().unwrap_or(limit),
                ("ignore", "1") | ("dynamicdhcp", "0") | ("dhcpv4", "disabled") => off = true,
                _ => {}
            }
        }
    });
    let network = static_network(network, name)?;
    let last = network.broadcast().to_bits().checked_sub(1)?;
    let first = network.address.to_bits().saturating_add(start);
    let end = first.saturating_add(limit).checked_sub(1)?.min(last);
    (!off && limit > 0 && first <= end)
        .then(|| (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(end)))
}

/// The network that the router's own configuration gives an interface.
fn static_network(text: &[u8], name: &str) -> Option<Network> {
    let (mut address, mut mask) = (None, None);
    each(text, &mut |item| {
        if (item.kind, item.of) == ("interface", name) {
            match item.name {
                "ipaddr" if address.is_none() => {
                    let first = item.value.split_ascii_whitespace().next().unwrap_or_default();
                    let (host, prefix) = first.split_once('/').unwrap_or((first, ""));
                    address = host.parse::<Ipv4Addr>().ok();
                    mask = prefix.parse().ok().or(mask);
                }
                "netmask" => mask = mask.or(item.value.parse().ok().map(prefix_of)),
                _ => {}
            }
        }
    });
    Some(Network::around(address?, mask?))
}

fn prefix_of(mask: Ipv4Addr) -> u8 {
    mask.to_bits().leading_ones() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = "\
        config device\n option name br-lan\n option type bridge\n list ports lan1\n\
        config interface lan\n option device br-lan\n option proto static\n\
        config interface 'guest'\n option device 'br-guest'\n\
        config interface again\n option device @lan\n\
        config interface old\n option type bridge\n option ifname 'eth0 eth1'\n\
        config interface plain\n option ifname 'eth2'\n\
        config interface ring\n option device @ring\n\
        config interface empty\n";

    const FIREWALL: &str = "\
        config defaults\n option forward REJECT\n\
        config zone\n list network guest\n option name guests\n\
        config zone\n option name home\n list network lan\n list network old\n\
        config zone\n option name words\n option network 'plain guest'\n\
        config forwarding\n option src home\n option name home\n option network ring\n";

    #[test]
    fn devices_of_networks() {
        let device = |name| device_of(NETWORK.as_bytes(), name);
        for (name, expected) in [
            ("lan", "br-lan"),
            ("guest", "br-guest"),
            ("again", "br-lan"),
            ("old", "br-old"),
            ("plain", "eth2"),
        ] {
            assert_eq!(device(name).as_deref(), Some(expected), "{name}");
        }
        for name in ["ring", "empty", "wan", ""] {
            assert_eq!(device(name), None, "{name}");
        }
    }

    #[test]
    fn the_lan_is_its_zone() {
        let networks = |zone: &str, lan: &str| {
            let (zone, lan) = (zone.try_into().unwrap(), lan.try_into().unwrap());
            let config = Config { zone, lan, ..Config::default() };
            lan_networks(&config, FIREWALL.as_bytes()).join(" ")
        };
        assert_eq!(networks("home", ""), "lan old");
        assert_eq!(networks("home", "old"), "old lan");
        assert_eq!(networks("guests", ""), "guest");
        assert_eq!(networks("words", ""), "plain guest");
        assert_eq!(networks("none", ""), "lan");
        assert_eq!(networks("none", "guest"), "guest");
    }

    #[test]
    fn what_dhcp_gives_out() {
        let network = "\
            config interface lan\n option ipaddr 192.168.1.1\n option netmask 255.255.255.0\n\
            config interface wide\n list ipaddr '10.0.0.1/16'\n list ipaddr '10.9.0.1/24'\n\
            config interface dialled\n option proto dhcp\n";
        let range = |name: &str, options: &str| {
            let dhcp = format!(
                "config dnsmasq\n option start 5\n\
                config dhcp other\n option interface '{name}'\n {options}\nconfig dhcp wan\n"
            );
            let range = dhcp_range(dhcp.as_bytes(), network.as_bytes(), name);
            range.map_or(String::new(), |(first, last)| format!("{first}-{last}"))
        };
        assert_eq!(range("lan", ""), "192.168.1.100-192.168.1.249");
        assert_eq!(range("lan", "option start 10\n option limit 5"), "192.168.1.10-192.168.1.14");
        assert_eq!(range("lan", "option limit 500"), "192.168.1.100-192.168.1.254");
        assert_eq!(range("wide", "option start 512"), "10.0.2.0-10.0.2.149");
        for off in [
            "option ignore 1",
            "option dynamicdhcp 0",
            "option dhcpv4 disabled",
            "option limit 0",
            "option start 300",
            "option start 4294967295",
        ] {
            assert_eq!(range("lan", off), "", "{off}");
        }
        assert_eq!(range("dialled", "") + &range("nowhere", ""), "");
    }

    #[test]
    fn what_is_given_wins_and_none_is_none() {
        let mut config = Config { lan_device: "eth7".try_into().unwrap(), ..Config::default() };
        assert_eq!(lan_devices(&config, None), ["eth7"]);
        config.lan = "none".try_into().unwrap();
        assert!(lan_devices(&config, None).is_empty());
        assert!(lan_devices(&Config::default(), Some(Path::new("/nonexistent"))).is_empty());
    }
}
