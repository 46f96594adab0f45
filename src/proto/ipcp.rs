//! What IPCP negotiates (RFC 1332, RFC 1877): our address, the peer's, and the name servers that
//! the peer is told. Header compression (RFC 1144) is refused.

use core::net::Ipv4Addr;

use super::negotiator::ControlProtocol;
use super::reply::Reply;
use crate::wire::Writer;
use crate::wire::ipcp::option;
use crate::wire::ppp::{ConfigureOption, protocol, put_option};

/// The addresses that a peer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Ours.
    pub local: Ipv4Addr,
    /// The one leased to the peer.
    pub peer: Ipv4Addr,
    /// First and second DNS server.
    pub dns: [Option<Ipv4Addr>; 2],
    /// First and second NetBIOS name server.
    pub nbns: [Option<Ipv4Addr>; 2],
}

/// Requests for an address of its own that a peer may send before it is told the leased one.
const OTHER_ADDRESSES: u8 = 3;

/// Our wishes and the peer's.
pub struct Ipcp {
    addresses: Addresses,
    tell_local: bool,
    peer_named_address: bool,
    /// Requests that named another address than the leased one.
    other_addresses: u8,
}

impl Ipcp {
    /// `addresses` are the only ones that will be agreed on.
    pub fn new(addresses: Addresses) -> Ipcp {
        Ipcp { addresses, tell_local: true, peer_named_address: false, other_addresses: 0 }
    }

    /// The addresses.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Whether the peer insists on an address of its own.
    pub fn is_refused(&self) -> bool {
        self.other_addresses > OTHER_ADDRESSES
    }

    /// The only value that is accepted for an option, if the option is known and has one.
    fn value(&self, kind: u8) -> Option<Ipv4Addr> {
        let Addresses { peer, dns, nbns, .. } = self.addresses;
        match kind {
            option::ADDRESS => Some(peer),
            option::PRIMARY_DNS => dns[0],
            option::SECONDARY_DNS => dns[1],
            option::PRIMARY_NBNS => nbns[0],
            option::SECONDARY_NBNS => nbns[1],
            _ => None,
        }
    }
}

impl ControlProtocol for Ipcp {
    fn number(&self) -> u16 {
        protocol::IPCP
    }

    /// The peer may still be busy with the protocols before this one.
    fn max_configure(&self) -> u8 {
        15
    }

    fn request(&self, options: &mut Writer) {
        if self.tell_local {
            put_option(options, option::ADDRESS, &self.addresses.local.octets());
        }
    }

    fn begin_review(&mut self) {
        self.peer_named_address = false;
    }

    fn review(&mut self, option: &ConfigureOption, reply: &mut Reply) {
        let (Some(value), Some(wish)) = (self.value(option.kind), option.u32()) else {
            return reply.reject(option);
        };
        if option.kind == option::ADDRESS {
            self.peer_named_address = true;
            let is_other = wish != value.to_bits() && wish != 0;
            self.other_addresses = self.other_addresses.saturating_add(u8::from(is_other));
        }
        if wish != value.to_bits() {
            reply.nak(option.kind, &value.octets());
        }
    }

    /// A peer that does not name its address is told it (RFC 1332 section 3.3).
    fn end_review(&mut self, reply: &mut Reply) {
        if !self.peer_named_address {
            reply.nak(option::ADDRESS, &self.addresses.peer.octets());
        }
    }

    /// Our address is what it is: asked again, then given up.
    fn naked(&mut self, _option: &ConfigureOption) {}

    /// A peer that does not want to know our address can have the call all the same.
    fn rejected(&mut self, option: &ConfigureOption) -> bool {
        if option.kind == option::ADDRESS {
            self.tell_local = false;
        }
        true
    }
}
