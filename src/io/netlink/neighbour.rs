//! Proxy neighbours: addresses for which this machine answers ARP requests on a device, because it
//! knows the way to them (arp(7), `ip neighbour add proxy`).

use std::io;
use std::net::Ipv4Addr;

use super::Netlink;
use super::message::{Message, attributes, u32_at};

/// Octets of the structure in front of the attributes.
const NDMSG: usize = 12;
/// Who made an entry (NDA_PROTOCOL, Linux 5.0): by this number we know ours again after a crash. It
/// is GRE's among the protocols of IP, and nobody's among those of routes.
const NDA_PROTOCOL: u16 = 12;
const OURS: u8 = 47;

/// One entry: the number of the device, and the address.
pub type Entry = (u32, Ipv4Addr);

/// Answers for the address from now on; it may have done so before.
pub fn add(netlink: &mut Netlink, entry: Entry) -> io::Result<()> {
    netlink.tell(request(libc::RTM_NEWNEIGH, libc::NLM_F_CREATE, entry))
}

/// Answers no more. Whether the device or the entry was gone already does not matter.
pub fn remove(netlink: &mut Netlink, entry: Entry) -> io::Result<()> {
    match netlink.tell(request(libc::RTM_DELNEIGH, 0, entry)) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => Ok(()),
        done => done,
    }
}

/// The entries that carry our number, of whichever process.
pub fn ours(netlink: &mut Netlink) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    let request = Message::request(libc::RTM_GETNEIGH, libc::NLM_F_DUMP, &body(0));
    netlink.ask(request, &mut |kind, body| {
        if kind == libc::RTM_NEWNEIGH {
            found.extend(parse(body));
        }
    })?;
    Ok(found)
}

/// ```text
/// +---+---+-------+---------------+-------+---+---+
/// |fam| 0 |   0   | device number | state |flg|typ|                  ndmsg
/// +---+---+-------+---------------+-------+---+---+
/// ```
fn body(index: u32) -> [u8; NDMSG] {
    let [a, b, c, d] = index.to_ne_bytes();
    let [e, f] = libc::NUD_PERMANENT.to_ne_bytes();
    [libc::AF_INET as u8, 0, 0, 0, a, b, c, d, e, f, libc::NTF_PROXY, 0]
}

fn request(kind: u16, flags: i32, (index, address): Entry) -> Message {
    Message::request(kind, flags, &body(index))
        .with(libc::NDA_DST, &address.octets())
        .with(NDA_PROTOCOL, &[OURS])
}

fn parse(body: &[u8]) -> Option<Entry> {
    let value = |wanted| attributes(body, NDMSG).find(|(kind, _)| *kind == wanted).map(|it| it.1);
    let address: [u8; 4] = value(libc::NDA_DST)?.try_into().ok()?;
    (value(NDA_PROTOCOL)? == [OURS]).then_some((u32_at(body, 4)?, address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::netlink::message::messages;

    #[test]
    fn only_ours_are_found_again() {
        let entry = (7, Ipv4Addr::new(192, 168, 1, 200));
        let octets = request(libc::RTM_NEWNEIGH, 0, entry).finish();
        let (_, whole) = messages(&octets).next().unwrap();
        assert_eq!(parse(whole), Some(entry));
        for end in 0..whole.len() - 3 {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        let others = Message::new(libc::RTM_NEWNEIGH, 0, &body(7)).with(libc::NDA_DST, &[1; 4]);
        let octets = others.with(NDA_PROTOCOL, &[4]).finish();
        assert_eq!(messages(&octets).next().and_then(|(_, body)| parse(body)), None);
    }
}
