//! The TUN device: the packets between the callers and this machine's routing. Made, addressed
//! and brought up here, without any other program; it goes away with its last descriptor.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use log::debug;
use pptp::config::{AUTO_PREFIX, Config, LanMode, Network};
use pptp::limits::TUN_QUEUE;
use pptp::packet::Packet;
use pptp::proto::merge::{Merge, Offered};
use pptp::proto::split::Split;
use pptp::session::Server;
use pptp::wire::{ipv6, virtio};

use super::failure::{Doing, Failure};
use super::netlink::Netlink;
use super::netlink::device::{self, add_address, add_address6};
use super::netlink::route::{self, blocks};
use super::sys::{self, Device, Socket};
use super::uci;
use crate::io::log::warn;

/// The open device.
pub struct Tun {
    file: File,
    /// A socket for requests about the device.
    handle: OwnedFd,
    /// What has a route.
    routed: Vec<Network>,
    /// What will be written as one packet, where the kernel takes that.
    merge: Option<Box<Merge>>,
    /// What was read as one packet and is several, where the kernel gives such.
    split: Option<Box<Split>>,
}

impl Tun {
    /// Makes the device and sets it up.
    pub fn open(config: &Config) -> Result<Tun, Failure> {
        let (file, merge, split) = make(&config.device)?;
        let handle = sys::socket(Socket::Device).doing("open a socket for device requests")?;
        let tun = Tun { file, handle, routed: Vec::new(), merge, split };
        if tun.split.is_some() {
            // A longer queue is no reason to do without large packets.
            let _stays = Device(tun.handle.as_fd(), &config.device).set_queue(TUN_QUEUE);
        }
        tun.set_up(config)?;
        Ok(tun)
    }

    /// What the event loop watches.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Gives the device its address and its largest packet; what is right already stays, so this
    /// also repairs a device that somebody else took down or changed. `route` belongs to it.
    pub fn set_up(&self, config: &Config) -> Result<(), Failure> {
        let name = config.device.as_str();
        let device = Device(self.handle.as_fd(), name);
        device.set_mtu(config.mtu).doing(format_args!("set the MTU of {name}"))?;
        device.bring_up().doing(format_args!("bring up {name}"))?;
        let index = device.index().doing(format_args!("look up the number of {name}"))?;
        let mut netlink = Netlink::open().doing("open a netlink socket")?;
        let added = add_address(&mut netlink, index, config.local_ip, prefix(config));
        added.doing(format_args!("set the address of {name}"))?;
        if let Err(failure) = add_prefixes(&mut netlink, index, config) {
            warn!("{failure}");
        }
        Ok(())
    }

    /// Routes the callers and the networks behind them to the device, and nothing else any more;
    /// `anew` also what had a route, which somebody may have removed.
    ///
    /// The routes cover the callers' addresses and no others, whatever network the device's own
    /// address is in: then addresses within the LAN's network leave the rest of it where it is,
    /// since the more specific route wins, and a packet from caller to caller comes back to us like
    /// any other.
    pub fn route(&mut self, server: &Server, anew: bool) {
        let mut wanted = to_callers(server);
        wanted.extend(server.routes().map(|(network, _)| network));
        let before = mem::replace(&mut self.routed, wanted);
        if !anew && before == self.routed {
            return;
        }
        let index = Device(self.handle.as_fd(), &server.config().device).index();
        let (Ok(index), Ok(mut netlink)) = (index, Netlink::open()) else { return };
        for network in &before {
            if !self.routed.contains(network) {
                // It may be gone already, by hand or with its device.
                let _gone = route::remove(&mut netlink, *network, index);
            }
        }
        for network in &self.routed {
            if (anew || !before.contains(network))
                && let Err(error) = route::add(&mut netlink, *network, index)
            {
                warn!("no route to {network}: {error}");
            }
        }
    }

    /// Reads one packet, or makes it of what was read before.
    pub fn read(&mut self, packet: &mut Packet) -> io::Result<()> {
        if let Some(split) = &mut self.split {
            if split.next(packet) {
                return Ok(());
            }
            let length = self.file.read(split.space())?;
            split.take(packet, length);
            return Ok(());
        }
        let length = self.file.read(packet.space())?;
        packet.filled(length);
        if self.merge.is_some() {
            packet.strip(virtio::HEADER);
        }
        Ok(())
    }

    /// Writes one packet, maybe together with those that follow: see `flush`.
    pub fn write(&mut self, packet: &mut Packet) {
        while let Some(merge) = &mut self.merge {
            match merge.offer(packet) {
                Offered::Kept => return,
                Offered::Full => self.flush(),
                Offered::Alone => return self.write_alone(packet),
            }
        }
        put(&mut self.file, packet.data());
    }

    fn write_alone(&mut self, packet: &mut Packet) {
        self.flush();
        packet.prepend(&virtio::PLAIN);
        put(&mut self.file, packet.data());
        packet.strip(virtio::HEADER);
    }

    /// Writes what waits for more.
    pub fn flush(&mut self) {
        if let Some(joined) = self.merge.as_mut().and_then(|merge| merge.take()) {
            put(&mut self.file, joined);
        }
    }
}

/// Where callers are: all addresses that they may get; among those of the LAN only those that they
/// have now, since the others may be machines of the LAN.
fn to_callers(server: &Server) -> Vec<Network> {
    let config = server.config();
    let host = |address| Network::around(address, 32);
    if config.lan_mode == LanMode::SameSubnet {
        return server.online().map(host).collect();
    }
    let fixed = config.users.iter().filter_map(|user| user.ip);
    let fixed = fixed.filter(|&address| config.pool.offset(address).is_none());
    blocks(config.pool.first, config.pool.last).chain(fixed.map(host)).collect()
}

/// Bits of the network that the device's address says it is in. Servers on this machine that answer
/// local networks only (dnsmasq with `localservice`, as it is on OpenWrt) know by it that callers are
/// no strangers. Callers with addresses of the LAN are none anyway.
///
/// It is a /24 as callers take it for, or the next larger one that holds all of the pool, but neither
/// begins nor ends with an address of it: the kernel takes those for broadcasts.
fn prefix(config: &Config) -> u8 {
    let Config { local_ip, pool, .. } = *config;
    let fits = |prefix: &u8| {
        let network = Network::around(local_ip, *prefix);
        let edges = [network.address, network.broadcast()];
        network.contains(pool.first)
            && network.contains(pool.last)
            && edges.iter().all(|&edge| edge != local_ip && pool.offset(edge).is_none())
    };
    let is_routed = config.lan_mode == LanMode::Routed;
    (16..=24).rev().find(|prefix| is_routed && fits(prefix)).unwrap_or(32)
}

/// Gives the device our address in each of the callers' IPv6 prefixes. Where IPv6 is switched off
/// there are callers all the same.
fn add_prefixes(netlink: &mut Netlink, index: u32, config: &Config) -> Result<(), Failure> {
    for &prefix in config.ipv6_prefix.iter().filter(|&&prefix| prefix != AUTO_PREFIX) {
        let address = ipv6::join(prefix, ipv6::ROUTER);
        let what = format_args!("add {address} to {}, so callers stay without IPv6", config.device);
        add_address6(netlink, index, address).doing_or(what, ipv6_advice)?;
    }
    Ok(())
}

fn ipv6_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EACCES) => "disable_ipv6 is 1 in /proc/sys/net/ipv6/conf: set it to 0",
        Some(libc::EOPNOTSUPP) => "this kernel has no IPv6: remove 'ipv6_prefix'",
        _ => "",
    }
}

/// A packet that the kernel does not take (device down, no memory, nonsense that looked like IP) is
/// lost, as on any line.
fn put(file: &mut File, octets: &[u8]) {
    if let Err(error) = file.write(octets) {
        debug!("packet of {} octets for the LAN lost: {error}", octets.len());
    }
}

/// The device; where large packets for it are gathered, and where those that come from it are split,
/// if this kernel takes and gives any.
type Made = (File, Option<Box<Merge>>, Option<Box<Split>>);

fn make(name: &str) -> Result<Made, Failure> {
    const PATH: &str = "/dev/net/tun";
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    let open = || options.open(PATH).doing_or(format_args!("open {PATH}"), path_advice);
    let file = open()?;
    let plain = std::env::var_os(PLAIN);
    if plain.as_ref().is_none_or(|what| what == PLAIN_READS)
        && Device(file.as_fd(), name).make_tun(true).is_ok()
        && sys::set_large_writes(&file, virtio::HEADER).is_ok()
    {
        let is_large = plain.is_none() && sys::set_large_reads(&file).is_ok();
        return Ok((file, Some(Box::default()), is_large.then(Box::default)));
    }
    drop(file);
    let file = open()?;
    let made = Device(file.as_fd(), name).make_tun(false);
    made.doing_or(format_args!("make the TUN device {name}"), name_advice)?;
    Ok((file, None, None))
}

/// With this in the environment every packet is read and written by itself, or only read so: for tests
/// that compare them.
const PLAIN: &str = "PPTP_SERVER_PLAIN_TUN";
const PLAIN_READS: &str = "reads";

fn path_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            "load the kernel module tun (OpenWrt: install kmod-tun)"
        }
        _ => "this container, jail or user has no access to it: allow it, or run as root",
    }
}

fn name_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY) => "another program uses this device: stop it, or set another 'device'",
        Some(libc::EINVAL) => {
            "a device of this name exists and is no TUN device, or the name is \
                               not valid: set another 'device'"
        }
        Some(libc::EPERM | libc::EACCES) => "the capability CAP_NET_ADMIN is needed: run as root",
        _ => "",
    }
}

/// Says once when the kernel would not pass packets on between callers and the LAN. The setting is
/// the owner's: it is never changed from here.
pub fn warn_if_not_forwarding(config: &Config) {
    if let Some(path) = obstacle(config) {
        warn!(
            "callers reach this machine only, not the LAN: {path} is 0 (to change that: echo 1 > \
             {path})"
        );
    }
}

/// The kernel's setting that keeps it from passing packets on between callers and the LAN.
pub fn obstacle(config: &Config) -> Option<String> {
    let device = format!("ipv4/conf/{}/forwarding", config.device);
    let mut names = vec!["ipv4/ip_forward", device.as_str()];
    if !config.ipv6_prefix.is_empty() {
        names.push("ipv6/conf/all/forwarding");
    }
    let mut paths = names.iter().map(|name| format!("/proc/sys/net/{name}"));
    paths.find(|path| uci::read_file(path.as_ref()).trim_ascii() == b"0")
}

/// The IPv4 addresses under which others may reach this machine, without those of `device`.
pub fn addresses(device: &str) -> io::Result<Vec<Ipv4Addr>> {
    let mut netlink = Netlink::open()?;
    let own = device::link(&mut netlink, device)?.map(|link| link.index);
    let (mut all, _) = device::addresses(&mut netlink)?;
    all.retain(|address| Some(address.index) != own && !address.local.is_loopback());
    Ok(all.iter().map(|address| address.local).collect())
}

/// Whether `error` of a read means that somebody removed the device.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADFD | libc::EFAULT | libc::ENODEV))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pptp::config::Pool;

    #[test]
    fn the_network_of_the_device_holds_the_pool_and_has_other_edges() {
        let prefix = |local: [u8; 4], first: [u8; 4], last: [u8; 4], lan_mode| {
            let pool = Pool { first: first.into(), last: last.into() };
            super::prefix(&Config { local_ip: local.into(), pool, lan_mode, ..Config::default() })
        };
        let routed = |local, first, last| prefix(local, first, last, LanMode::Routed);
        assert_eq!(super::prefix(&Config::default()), 24);
        assert_eq!(routed([10, 9, 1, 1], [10, 9, 0, 2], [10, 9, 1, 0]), 23);
        assert_eq!(routed([10, 9, 0, 1], [10, 9, 0, 2], [10, 9, 0, 255]), 23);
        assert_eq!(routed([10, 9, 2, 1], [10, 9, 2, 0], [10, 9, 2, 0]), 22);
        assert_eq!(routed([10, 9, 0, 1], [10, 8, 0, 2], [10, 8, 0, 9]), 32);
        assert_eq!(routed([192, 168, 77, 255], [192, 168, 77, 2], [192, 168, 77, 9]), 22);
        let same = LanMode::SameSubnet;
        assert_eq!(prefix([192, 168, 1, 250], [192, 168, 1, 2], [192, 168, 1, 9], same), 32);
    }
}
