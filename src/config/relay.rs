//! Which broadcasts go on to others.

use heapless::Vec;

use super::value::{Fault, number};
use crate::limits::RELAY_PORTS;

/// DHCP's ports (RFC 2131): an address of one network is of no use in another, so that no setting
/// lets them through.
const DHCP: Ports = Ports { first: 67, last: 68 };

/// The broadcast relay between the LAN and the callers, and among callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Whether there is one.
    pub on: bool,
    /// UDP destination ports of broadcasts that pass.
    pub ports: Vec<Ports, RELAY_PORTS>,
    /// Those that do not.
    pub deny: Vec<Ports, RELAY_PORTS>,
    /// Datagrams of one source in a second.
    pub rate: u16,
    /// Whether multicast DNS passes too (RFC 6762).
    pub mdns: bool,
    /// Whether the search of UPnP devices passes too (SSDP).
    pub ssdp: bool,
}

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

impl Default for Relay {
    /// Games and the search for computers pass; not what turns broadcasts into floods (echo, chargen)
    /// or moves routes (RIP).
    fn default() -> Relay {
        let deny = [7, 19, 520].map(|port| Ports { first: port, last: port });
        Relay {
            on: true,
            ports: Vec::from_iter([Ports { first: 1, last: u16::MAX }]),
            deny: Vec::from_iter(deny),
            rate: 30,
            mdns: false,
            ssdp: false,
        }
    }
}

impl Relay {
    /// Whether broadcasts to `port` pass.
    pub fn allows(&self, port: u16) -> bool {
        let has = |list: &[Ports]| list.iter().any(|ports| ports.contains(port));
        has(&self.ports) && !has(&self.deny) && !DHCP.contains(port)
    }
}

impl Ports {
    /// `6112` or `27015-27030`.
    pub fn parse(text: &str) -> Result<Ports, Fault> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text| number(text, 1, 65535).map(|port| port as u16);
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err("ends before it starts");
        }
        Ok(Ports { first, last })
    }

    /// Whether `port` is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        assert_eq!(Ports::parse("6112"), Ok(Ports { first: 6112, last: 6112 }));
        assert_eq!(Ports::parse("27015-27030"), Ok(Ports { first: 27015, last: 27030 }));
        for text in ["", "0", "65536", "-", "1-", "-1", "2-1", "1-2-3", "game", "1 - 2"] {
            assert!(Ports::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_denied_wins_and_dhcp_always_is() {
        let mut relay = Relay::default();
        assert!(relay.allows(6112) && relay.allows(137) && relay.allows(9));
        assert!(!relay.allows(7) && !relay.allows(520) && !relay.allows(67) && !relay.allows(68));
        let one = |text| Vec::from_iter(Ports::parse(text));
        (relay.ports, relay.deny) = (one("5-6112"), one("6000-6100"));
        assert!(relay.allows(7) && relay.allows(6112) && relay.allows(5999));
        assert!(!relay.allows(6050) && !relay.allows(6113) && !relay.allows(67));
    }
}
