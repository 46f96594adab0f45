//! Networks behind callers: a router that dials in brings its own.

use core::net::Ipv4Addr;

use heapless::Vec;

use super::event::Step;
use super::server::Server;
use crate::config::Network;
use crate::limits::ROUTES_LIVE;

/// Which network is behind which live call. No two of them overlap, so the first one that contains
/// an address is the one with the longest prefix.
#[derive(Debug, Default)]
pub struct Routes(Vec<(Network, u16), ROUTES_LIVE>);

impl Routes {
    /// The slot of the call behind which `address` is.
    pub fn find(&self, address: Ipv4Addr) -> Option<u16> {
        self.0.iter().find(|route| route.0.contains(address)).map(|route| route.1)
    }

    /// All of them, with the slots of their calls.
    pub fn iter(&self) -> impl Iterator<Item = (Network, u16)> {
        self.0.iter().copied()
    }

    fn has(&self, network: Network, slot: u16) -> bool {
        self.0.contains(&(network, slot))
    }

    fn overlaps(&self, network: &Network) -> bool {
        self.0.iter().any(|route| route.0.overlaps(network))
    }
}

impl Server<'_> {
    /// The networks that are behind callers now, each with its call's Call ID.
    pub fn routes(&self) -> impl Iterator<Item = (Network, u16)> {
        let id = |slot| self.table.get(slot).map_or(0, |call| call.call_id);
        self.routes.iter().map(move |(network, slot)| (network, id(slot)))
    }

    /// Whether `routes` may have changed since the last time.
    pub fn take_routes_changed(&mut self) -> bool {
        core::mem::take(&mut self.routes_changed)
    }

    /// A call is online: its networks are behind it, unless they would hide something else.
    pub(super) fn add_routes(&mut self, slot: u16) {
        self.decide_routes(slot, None);
    }

    /// Tells what is new compared to `before`, or everything.
    fn decide_routes(&mut self, slot: u16, before: Option<&Routes>) {
        let Some(user) = self.user_of(slot) else { return };
        for network in user.rights.routes.clone() {
            if self.routes.has(network, slot) {
                continue;
            }
            let refused = self.obstacle(slot, &network);
            if refused.is_none() {
                self.routes_changed |= self.routes.0.push((network, slot)).is_ok();
            }
            if before.is_none_or(|before| before.has(network, slot) != refused.is_none()) {
                self.tell(slot, Step::Route { network, refused });
            }
        }
    }

    /// Why a network cannot be behind a call.
    fn obstacle(&self, slot: u16, network: &Network) -> Option<&'static str> {
        let outer = self.table.get(slot).map(|call| call.path.remote);
        // The call's own GRE packets would go into it.
        if outer.is_some_and(|outer| network.contains(outer)) {
            return Some("the caller itself calls from there");
        }
        if self.lan.networks.iter().any(|lan| lan.overlaps(network)) {
            return Some("it overlaps the LAN");
        }
        if self.routes.overlaps(network) {
            return Some("it is behind another call");
        }
        self.routes.0.is_full().then_some("too many networks are behind callers")
    }

    /// A call has no networks any more. Another call of the account may have them now.
    pub(super) fn remove_routes(&mut self, slot: u16) {
        let before = self.routes.0.len();
        self.routes.0.retain(|route| route.1 != slot);
        if self.routes.0.len() < before {
            self.routes_changed = true;
            self.route_everybody(slot, &Routes::default());
        }
    }

    fn route_everybody(&mut self, but: u16, before: &Routes) {
        for slot in 0..self.table.slots() {
            let wants = |user: &crate::config::User| !user.rights.routes.is_empty();
            if slot != but && self.is_online(slot) && self.user_of(slot).is_some_and(wants) {
                self.decide_routes(slot, Some(before));
            }
        }
    }

    /// The LAN or the accounts changed: what is behind whom is decided anew.
    pub(super) fn route_again(&mut self) {
        let before = core::mem::take(&mut self.routes);
        self.route_everybody(u16::MAX, &before);
        self.routes_changed |= before.0 != self.routes.0;
    }

    /// Whether packets could pass already, and the address was not taken away since.
    fn is_online(&self, slot: u16) -> bool {
        self.table.get(slot).is_some_and(|call| call.online_as.is_some() && call.lease.is_some())
    }
}
