//! Routes to the callers.

use std::io;
use std::net::Ipv4Addr;

use pptp::config::Network;

use super::Netlink;
use super::message::Message;

/// The fewest blocks that hold the addresses `first` to `last` and no other.
pub fn blocks(first: Ipv4Addr, last: Ipv4Addr) -> impl Iterator<Item = Network> {
    let (mut next, end) = (u64::from(first.to_bits()), u64::from(last.to_bits()) + 1);
    std::iter::from_fn(move || {
        let left = end.checked_sub(next).filter(|left| *left > 0)?;
        let bits = (next | 1 << 32).trailing_zeros().min(left.ilog2());
        let block = Network::around(Ipv4Addr::from_bits(next as u32), 32 - bits as u8);
        next += 1 << bits;
        Some(block)
    })
}

/// Adds a route to `block` through the device with number `index`, without a gateway. The same
/// route may stand there already. One through another device stays too, behind ours.
pub fn add(netlink: &mut Netlink, block: Network, index: u32) -> io::Result<()> {
    // Neither NLM_F_EXCL nor NLM_F_REPLACE: a route that the owner made is no error and is kept.
    match netlink.tell(route(libc::RTM_NEWROUTE, libc::NLM_F_CREATE, block, index)) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        done => done,
    }
}

/// Removes the route that `add` made.
pub fn remove(netlink: &mut Netlink, block: Network, index: u32) -> io::Result<()> {
    netlink.tell(route(libc::RTM_DELROUTE, 0, block, index))
}

/// ```text
/// +---+---+---+---+---+---+---+---+---------------+
/// |fam|dst|src|tos|tab|pro|sco|typ| flags         |                  rtmsg
/// +---+---+---+---+---+---+---+---+---------------+
/// ```
fn route(message: u16, flags: i32, block: Network, index: u32) -> Message {
    let [family, table] = [libc::AF_INET as u8, libc::RT_TABLE_MAIN];
    let (protocol, scope) = (libc::RTPROT_STATIC, libc::RT_SCOPE_LINK);
    let kind = libc::RTN_UNICAST;
    let body = [family, block.prefix, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0];
    Message::request(message, flags, &body)
        .with(libc::RTA_DST, &block.address.octets())
        .with(libc::RTA_OIF, &index.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(first: [u8; 4], last: [u8; 4]) -> Vec<String> {
        let blocks = blocks(first.into(), last.into());
        blocks.map(|block| block.to_string()).collect()
    }

    #[test]
    fn blocks_hold_exactly_the_pool() {
        assert_eq!(covered([10, 0, 0, 7], [10, 0, 0, 7]), ["10.0.0.7/32"]);
        assert_eq!(covered([10, 0, 0, 0], [10, 0, 0, 255]), ["10.0.0.0/24"]);
        assert_eq!(covered([0, 0, 0, 0], [255, 255, 255, 255]), ["0.0.0.0/0"]);
        assert_eq!(
            covered([192, 168, 77, 10], [192, 168, 77, 99]),
            [
                "192.168.77.10/31",
                "192.168.77.12/30",
                "192.168.77.16/28",
                "192.168.77.32/27",
                "192.168.77.64/27",
                "192.168.77.96/30"
            ]
        );
    }
}
