//! ARP on the LAN's devices, while callers get addresses of the LAN: who has an address already,
//! and whom to send a new caller's packets to.

use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use log::debug;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use pptp::config::LanMode;
use pptp::session::Server;
use pptp::session::probe::Wish;
use pptp::time::Instant;
use pptp::wire::arp::{Arp, LEN};

use super::failure::is_interrupted;
use super::lan::{Device, Watch};
use super::sys::{self, Socket};
use crate::io::log::warn;

/// Packets that one turn takes from a device.
const BUDGET: usize = 16;

/// ARP's EtherType.
const ETHER_TYPE: u16 = 0x0806;
const BROADCAST: [u8; 6] = [0xff; 6];

/// A device that is listened to.
struct Ear {
    index: u32,
    mac: [u8; 6],
    socket: File,
}

/// The sockets, one for each device of the LAN; none in the other mode.
pub struct Ears {
    token: Token,
    open: Vec<Ear>,
    ready: bool,
}

impl Ears {
    /// Nothing is listened to yet.
    pub fn new(token: Token) -> Ears {
        Ears { token, open: Vec::new(), ready: false }
    }

    /// There is something to read.
    pub fn ready(&mut self) {
        self.ready = true;
    }

    /// Whether there is work that no event will announce.
    pub fn has_more(&self) -> bool {
        self.ready
    }

    /// Listens where the LAN is now.
    pub fn follow(&mut self, server: &Server, lan: &Watch, registry: &Registry) {
        let wanted =
            if server.config().lan_mode == LanMode::SameSubnet { lan.devices() } else { &[] };
        let is_same = |ear: &Ear, it: &Device| (ear.index, ear.mac) == (it.link.index, it.link.mac);
        self.open.retain(|ear| wanted.iter().any(|device| is_same(ear, device)));
        for device in wanted {
            if self.open.iter().any(|ear| is_same(ear, device)) {
                continue;
            }
            match self.listen(device, registry) {
                Ok(ear) => self.open.push(ear),
                Err(error) => warn!("addresses in use on {} go unnoticed: {error}", device.name),
            }
        }
    }

    fn listen(&self, device: &Device, registry: &Registry) -> std::io::Result<Ear> {
        let socket = File::from(sys::socket(Socket::Packet)?);
        sys::listen_on(&socket, device.link.index, ETHER_TYPE)?;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), self.token, Interest::READABLE)?;
        Ok(Ear { index: device.link.index, mac: device.link.mac, socket })
    }

    /// Tells the server which addresses machines of the LAN have. Whether there were any.
    pub fn turn(&mut self, server: &mut Server, now: Instant) -> bool {
        if !std::mem::take(&mut self.ready) {
            return false;
        }
        for ear in &self.open {
            self.ready |= ear.take(server, now);
        }
        true
    }

    /// Asks who has an address.
    pub fn ask(&self, wish: Wish, lan: &Watch) {
        self.send(wish.sender, wish.target, lan);
    }

    /// Makes known who has an address now, above all to those who knew somebody else (RFC 5227
    /// section 2.3).
    pub fn announce(&self, address: Ipv4Addr, lan: &Watch) {
        self.send(address, address, lan);
    }

    fn send(&self, sender: Ipv4Addr, target: Ipv4Addr, lan: &Watch) {
        let index = lan.device_of(target).map(|device| device.link.index);
        let Some(ear) = self.open.iter().find(|ear| Some(ear.index) == index) else { return };
        let packet = Arp::request(ear.mac, sender, target).octets();
        if let Err(error) =
            sys::send_frame(&ear.socket, &packet, (ear.index, ETHER_TYPE, BROADCAST))
        {
            debug!("ARP packet about {target} lost: {error}");
        }
    }
}

impl Ear {
    /// Reads what came. Whether there may be more.
    fn take(&self, server: &mut Server, now: Instant) -> bool {
        let mut octets = [0; LEN];
        for _ in 0..BUDGET {
            match (&self.socket).read(&mut octets) {
                Ok(length) => {
                    let arp = Arp::parse(&octets[..length]).ok();
                    if let Some(arp) = arp.filter(|arp| arp.sender_mac != self.mac) {
                        server.address_in_use(arp.sender, now);
                    }
                }
                Err(error) => return is_interrupted(&error),
            }
        }
        true
    }
}
