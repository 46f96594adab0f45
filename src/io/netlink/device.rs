//! Network devices and their addresses, as the kernel lists them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Netlink;
use super::message::{Message, attributes, u32_at};

/// News about devices and addresses come in these groups.
pub const GROUPS: &[u32] =
    &[libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR];

/// Octets of the structures in front of the attributes.
const IFINFOMSG: usize = 16;
const IFADDRMSG: usize = 8;

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number; another device that gets the same name later has another one.
    pub index: u32,
    /// Its hardware address; zeros when it has none of six octets.
    pub mac: [u8; 6],
    /// Whether it is up (`ip link set up`); a bridge without any cable is as well.
    pub up: bool,
}

/// An IPv4 address of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The number of the device.
    pub index: u32,
    /// The device's own.
    pub local: Ipv4Addr,
    /// The one at the other end of a line between two; elsewhere the same as `local`.
    pub peer: Ipv4Addr,
    /// Bits of its network.
    pub prefix: u8,
}

/// An IPv6 address of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address6 {
    /// The number of the device.
    pub index: u32,
    pub local: Ipv6Addr,
    /// Bits of its network.
    pub prefix: u8,
    /// Whether it shall not be used for anything new (RFC 4862 section 5.5.4).
    pub deprecated: bool,
}

/// The device of this name, if there is one.
pub fn link(netlink: &mut Netlink, name: &str) -> io::Result<Option<Link>> {
    let request = Message::request(libc::RTM_GETLINK, 0, &[0; IFINFOMSG]);
    let mut found = None;
    let done = netlink.ask(request.with(libc::IFLA_IFNAME, name.as_bytes()), &mut |kind, body| {
        if kind == libc::RTM_NEWLINK {
            found = parse_link(body);
        }
    });
    match done {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        done => done.map(|()| found),
    }
}

/// Gives the device with number `index` an address in a network of `prefix` bits, but no route to
/// that network. The same address may be there already.
pub fn add_address(
    netlink: &mut Netlink,
    index: u32,
    address: Ipv4Addr,
    prefix: u8,
) -> io::Result<()> {
    let [b0, b1, b2, b3] = index.to_ne_bytes();
    let body = [libc::AF_INET as u8, prefix, 0, 0, b0, b1, b2, b3];
    let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let request = Message::request(libc::RTM_NEWADDR, flags, &body)
        .with(libc::IFA_LOCAL, &address.octets())
        .with(libc::IFA_ADDRESS, &address.octets())
        .with(libc::IFA_FLAGS, &libc::IFA_F_NOPREFIXROUTE.to_ne_bytes());
    netlink.tell(request)
}

/// Every address of this machine, in the kernel's order.
pub fn addresses(netlink: &mut Netlink) -> io::Result<(Vec<Address>, Vec<Address6>)> {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    let request = Message::request(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; IFADDRMSG]);
    netlink.ask(request, &mut |kind, body| {
        if kind == libc::RTM_NEWADDR {
            four.extend(parse_address(body));
            six.extend(parse_address6(body));
        }
    })?;
    Ok((four, six))
}

/// Gives the device with number `index` this IPv6 address in a network of 64 bits, to which there
/// is a route then. It may have it already.
pub fn add_address6(netlink: &mut Netlink, index: u32, address: Ipv6Addr) -> io::Result<()> {
    let [a, b, c, d] = index.to_ne_bytes();
    let body = [libc::AF_INET6 as u8, 64, 0, libc::RT_SCOPE_UNIVERSE, a, b, c, d];
    let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let request = Message::request(libc::RTM_NEWADDR, flags, &body);
    netlink.tell(request.with(libc::IFA_LOCAL, &address.octets()))
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
    let mac = attribute(body, IFINFOMSG, libc::IFLA_ADDRESS).and_then(|mac| mac.try_into().ok());
    Some(Link { index, mac: mac.unwrap_or_default(), up: flags & libc::IFF_UP as u32 != 0 })
}

/// The name in news about a device.
pub fn link_name(body: &[u8]) -> &[u8] {
    let name = attribute(body, IFINFOMSG, libc::IFLA_IFNAME).unwrap_or_default();
    name.strip_suffix(b"\0").unwrap_or(name)
}

fn parse_address(body: &[u8]) -> Option<Address> {
    let &[family, prefix, ..] = body else { return None };
    let address = |kind| {
        let octets: [u8; 4] = attribute(body, IFADDRMSG, kind)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let peer = (i32::from(family) == libc::AF_INET).then(|| address(libc::IFA_ADDRESS))??;
    let local = address(libc::IFA_LOCAL).unwrap_or(peer);
    (prefix <= 32).then_some(Address { index: u32_at(body, 4)?, local, peer, prefix })
}

fn parse_address6(body: &[u8]) -> Option<Address6> {
    let &[family, prefix, flags, ..] = body else { return None };
    let octets: [u8; 16] = attribute(body, IFADDRMSG, libc::IFA_ADDRESS)?.try_into().ok()?;
    let fits = i32::from(family) == libc::AF_INET6 && prefix <= 128;
    fits.then_some(Address6 {
        index: u32_at(body, 4)?,
        local: octets.into(),
        prefix,
        deprecated: u32::from(flags) & libc::IFA_F_DEPRECATED != 0,
    })
}

fn attribute(body: &[u8], skipped: usize, wanted: u16) -> Option<&[u8]> {
    attributes(body, skipped).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel of the machine that runs the test has a loopback device in any case.
    #[test]
    fn the_kernel_knows_its_devices() {
        let mut netlink = Netlink::open().unwrap();
        let lo = link(&mut netlink, "lo").unwrap().unwrap();
        assert_eq!((lo.index, lo.mac), (1, [0; 6]));
        assert_eq!(link(&mut netlink, "no-such-thing").unwrap(), None);
        let (four, _) = addresses(&mut netlink).unwrap();
        let lo = four.iter().find(|address| address.index == 1);
        assert!(lo.is_none_or(|lo| lo.local.is_loopback() && lo.prefix == 8), "{lo:?}");
    }

    #[test]
    fn short_and_strange_answers_are_none() {
        let kind = libc::RTM_NEWADDR;
        let body = |family: c_int, prefix: u8, value: &[u8]| {
            let body = [family as u8, prefix, 0x20, 0, 5, 0, 0, 0];
            Message::new(kind, 0, &body).with(libc::IFA_ADDRESS, value).finish()[16..].to_vec()
        };
        use libc::{AF_INET, AF_INET6, c_int};
        let local = Ipv4Addr::new(10, 0, 0, 1);
        let index = u32::from_ne_bytes([5, 0, 0, 0]);
        let four = Address { index, local, peer: local, prefix: 24 };
        assert_eq!(parse_address(&body(AF_INET, 24, &[10, 0, 0, 1])), Some(four));
        assert_eq!(parse_address(&body(AF_INET, 33, &[10, 0, 0, 1])), None);
        assert_eq!(parse_address(&body(AF_INET, 24, &[10, 0, 0])), None);
        assert_eq!(parse_address(&body(AF_INET6, 24, &[10, 0, 0, 1])), None);
        let six = parse_address6(&body(AF_INET6, 64, &[0xfd; 16])).unwrap();
        assert!(six.deprecated && six.prefix == 64 && six.index == index);
        assert_eq!(parse_address6(&body(AF_INET6, 129, &[0xfd; 16])), None);
        assert_eq!((parse_address6(&[10]), parse_link(&[0; 11])), (None, None));
    }
}
