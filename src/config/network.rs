//! IPv4 networks (CIDR, RFC 4632 section 3.1).

use core::fmt;
use core::net::Ipv4Addr;

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address: the bits beyond `prefix` are zero.
    pub address: Ipv4Addr,
    /// Leading bits that all its addresses share, 0 to 32.
    pub prefix: u8,
}

impl Network {
    /// The network of `prefix` bits (at most 32) around `address`.
    pub fn around(address: Ipv4Addr, prefix: u8) -> Network {
        let prefix = prefix.min(32);
        let address = Ipv4Addr::from_bits(address.to_bits() & mask(prefix));
        Network { address, prefix }
    }

    /// Its mask, such as 255.255.255.0.
    pub fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask(self.prefix))
    }

    /// Whether `address` is one of its addresses.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.address.to_bits()
    }

    /// Its last address, which is its broadcast address if it is larger than two (RFC 3021).
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !mask(self.prefix))
    }

    /// Whether the two have an address in common.
    pub fn overlaps(&self, other: &Network) -> bool {
        let prefix = self.prefix.min(other.prefix);
        Network::around(self.address, prefix) == Network::around(other.address, prefix)
    }
}

/// `192.168.5.0/24`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(octets: [u8; 4], prefix: u8) -> Network {
        Network::around(octets.into(), prefix)
    }

    #[test]
    fn addresses_of_a_network() {
        let lan = network([192, 168, 5, 77], 24);
        assert_eq!(lan.address, Ipv4Addr::new(192, 168, 5, 0));
        assert_eq!(lan.mask(), Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(lan.broadcast(), Ipv4Addr::new(192, 168, 5, 255));
        assert!(lan.contains(Ipv4Addr::new(192, 168, 5, 255)));
        assert!(!lan.contains(Ipv4Addr::new(192, 168, 6, 0)));
        assert!(network([10, 0, 0, 1], 0).contains(Ipv4Addr::BROADCAST));
        let host = network([10, 0, 0, 1], 32);
        assert_eq!((host.address, host.broadcast()), (host.broadcast(), host.address));
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        let lan = network([192, 168, 4, 0], 23);
        assert!(lan.overlaps(&network([192, 168, 5, 0], 24)));
        assert!(network([192, 168, 5, 0], 24).overlaps(&lan));
        assert!(!lan.overlaps(&network([192, 168, 6, 0], 24)));
        assert!(lan.overlaps(&network([0, 0, 0, 0], 0)));
    }
}
