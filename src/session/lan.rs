//! What the server knows of the LAN. The program around the library finds it out and says so.

use core::net::Ipv4Addr;

use heapless::Vec;

use super::server::Server;
use super::table::Call;
use crate::config::Network;
use crate::limits::LAN_NETWORKS;

/// The LAN that the callers join. The default is one of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lan {
    /// This machine's own address in the first network.
    pub address: Option<Ipv4Addr>,
    /// Its networks, the main one first.
    pub networks: Vec<Network, LAN_NETWORKS>,
}

impl Lan {
    /// Whether `address` belongs to the LAN.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether `address` is this machine's own, or one of a network that no machine can have.
    pub fn reserves(&self, address: Ipv4Addr) -> bool {
        let edges = |network: &Network| [network.address, network.broadcast()];
        let is_edge = |network: &Network| network.prefix < 31 && edges(network).contains(&address);
        self.address == Some(address) || self.networks.iter().any(is_edge)
    }
}

impl Server<'_> {
    /// The LAN became known, changed, or is gone.
    pub fn lan_changed(&mut self, lan: Lan) {
        self.lan = lan;
        self.route_again();
    }

    /// The addresses under which callers are online.
    pub fn online(&self) -> impl Iterator<Item = Ipv4Addr> {
        let online = |call: &Call| call.online_as.filter(|_| call.online_as == call.lease);
        self.table.iter().filter_map(move |(_, call)| online(call))
    }

    /// The LAN as it was told last.
    pub fn lan(&self) -> &Lan {
        &self.lan
    }
}
