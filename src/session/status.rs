//! What the server tells about itself and its calls.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::event::Failure;
use super::ipv6::Ipv6;
use super::server::Server;
use super::table::{Call, Traffic};
use crate::config::{Config, Rights};
use crate::proto::mppe::Method;
use crate::reason::{Causes, Discard, Discards};
use crate::time::Instant;

/// What is shown of one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionStatus<'s> {
    /// The Call ID that we gave: it names the call.
    pub call_id: u16,
    /// The account; empty before the login.
    pub name: &'s str,
    /// The inner address, once leased.
    pub address: Option<Ipv4Addr>,
    /// The IPv6 address that the caller used last, under the first prefix.
    pub ipv6: Option<Ipv6Addr>,
    /// The caller's outer address.
    pub peer: Ipv4Addr,
    /// When the call began.
    pub since: Instant,
    /// Octets of the largest inner packet.
    pub mtu: u16,
    /// How packets from the caller are encrypted.
    pub receive: Option<Method>,
    /// How packets to the caller are encrypted.
    pub send: Option<Method>,
    /// `connecting`, `open` or `closing`.
    pub state: &'static str,
    pub traffic: Traffic,
    /// Packets from the caller that never came, or came too late.
    pub lost: u32,
    /// Packets from the caller that came after a later one.
    pub reordered: u32,
    /// What the account may do, once there is one.
    pub rights: Option<&'s Rights>,
}

impl Call {
    /// What is shown of the call; the prefixes of its IPv6 addresses are the server's.
    pub fn status(&self, ipv6: Option<&Ipv6>) -> SessionStatus<'_> {
        let prefix = ipv6.and_then(|ipv6| ipv6.prefixes.first());
        SessionStatus {
            call_id: self.call_id,
            name: self.user.as_deref().unwrap_or(""),
            address: self.lease,
            ipv6: prefix.and_then(|&prefix| self.ipv6_address(prefix)),
            peer: self.path.remote,
            since: self.since,
            mtu: self.mtu,
            receive: self.link.receive_method(),
            send: self.link.send_method(),
            state: match () {
                () if self.link.cause().is_some() => "closing",
                () if self.link.is_open() => "open",
                () => "connecting",
            },
            traffic: self.traffic,
            lost: self.tunnel.lost,
            reordered: self.tunnel.reordered,
            rights: None,
        }
    }
}

impl Server<'_> {
    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was dropped, by reason.
    pub fn discards(&self) -> &Discards {
        &self.discards
    }

    /// Counts a packet of ours that the program could not send.
    pub fn unsent(&mut self) {
        self.discards.count(Discard::GreUnsent);
    }

    /// How calls ended, by cause.
    pub fn causes(&self) -> &Causes {
        &self.causes
    }

    /// All calls.
    pub fn sessions(&self) -> impl Iterator<Item = SessionStatus<'_>> {
        self.table.iter().map(|(slot, call)| {
            let rights = self.user_of(slot).map(|user| &user.rights);
            SessionStatus { rights, ..call.status(self.ipv6.as_ref()) }
        })
    }

    /// The calls that failed or ended last, oldest first.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.iter()
    }

    /// Inner addresses that are leased.
    pub fn leased(&self) -> usize {
        self.leases.count()
    }
}
