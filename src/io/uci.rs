//! What other programs' files beside our own in /etc/config say: which devices the LAN has.
//! They are the router's own and only read; one that is missing or broken says nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pptp::config::Config;
use pptp::config::uci::{Parser, Statement};
use pptp::limits::LAN_NETWORKS;

/// Octets of the largest file that is read.
const FILE: u64 = 256 * 1024;

/// Interfaces that stand for another one (`@lan`), in a row.
const ALIASES: usize = 4;

/// The word that means none.
const NONE: &str = "none";

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
    let mut text = Vec::new();
    if let Ok(file) = File::open(folder.join(name)) {
        // What was read before an error is what there is.
        let _read = file.take(FILE).read_to_end(&mut text);
    }
    text
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
    fn what_is_given_wins_and_none_is_none() {
        let mut config = Config { lan_device: "eth7".try_into().unwrap(), ..Config::default() };
        assert_eq!(lan_devices(&config, None), ["eth7"]);
        config.lan = "none".try_into().unwrap();
        assert!(lan_devices(&config, None).is_empty());
        assert!(lan_devices(&Config::default(), Some(Path::new("/nonexistent"))).is_empty());
    }
}
