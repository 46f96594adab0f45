//! Callers with addresses of the LAN: its machines ask for them by ARP, and this machine answers
//! for each caller that is online, and for no other address, whatever the sysctl proxy_arp says.

use std::io;
use std::mem;

use log::debug;
use pptp::config::LanMode;
use pptp::session::Server;

use super::arp::Ears;
use super::lan::Watch;
use super::netlink::Netlink;
use super::netlink::neighbour::{self, Entry};
use crate::io::log::warn;

/// The addresses that are answered for.
#[derive(Default)]
pub struct Proxy {
    /// In order, each once.
    entries: Vec<Entry>,
    /// What an earlier process left behind is gone.
    swept: bool,
    /// A failure was told.
    told: bool,
}

impl Proxy {
    /// Answers for who is online now. `afresh` says that the LAN's device may have been down or
    /// made anew in the meantime, which the kernel's entries do not survive.
    pub fn update(&mut self, server: &Server, lan: &Watch, arp: &Ears, afresh: bool) {
        let wanted = wanted(server, lan);
        if self.swept && !afresh && wanted == self.entries {
            return;
        }
        match self.put(wanted, afresh) {
            Ok(new) => {
                self.told = false;
                new.iter().for_each(|&(_, address)| arp.announce(address, lan));
            }
            Err(error) if mem::replace(&mut self.told, true) => debug!("proxy neighbours: {error}"),
            Err(error) => warn!("machines of the LAN will not find callers: {error}"),
        }
    }

    /// Answers for nobody any more.
    pub fn withdraw(&mut self) {
        if let Err(error) = self.put(Vec::new(), false) {
            debug!("proxy neighbours: {error}");
        }
    }

    /// Makes the kernel's entries those of `wanted`. Returns the new ones.
    fn put(&mut self, wanted: Vec<Entry>, afresh: bool) -> io::Result<Vec<Entry>> {
        let mut netlink = Netlink::open()?;
        if !self.swept {
            self.entries = neighbour::ours(&mut netlink)?;
            self.entries.sort_unstable();
            self.swept = true;
        }
        let before = mem::take(&mut self.entries);
        let is_new = |entry: &Entry| before.binary_search(entry).is_err();
        let mut result = Ok(());
        for &entry in &wanted {
            let adds = afresh || is_new(&entry);
            match if adds { neighbour::add(&mut netlink, entry) } else { Ok(()) } {
                Ok(()) => self.entries.push(entry),
                failed => result = failed,
            }
        }
        for &entry in before.iter().filter(|entry| wanted.binary_search(entry).is_err()) {
            result = result.and(neighbour::remove(&mut netlink, entry));
        }
        result.map(|()| self.entries.iter().copied().filter(is_new).collect())
    }
}

/// Each online address that belongs to a network of the LAN, with the device of that network.
fn wanted(server: &Server, lan: &Watch) -> Vec<Entry> {
    let mut wanted = Vec::new();
    if server.config().lan_mode == LanMode::SameSubnet {
        for address in server.online() {
            wanted.extend(lan.device_of(address).map(|device| (device.link.index, address)));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
