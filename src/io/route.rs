//! Routes to the callers, told to the kernel through netlink (rtnetlink(7)). Numbers in these
//! messages are in the machine's own byte order, addresses are in network order.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;

use super::sys::{self, Socket};

/// A block of addresses: the first one, and how many leading bits they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub address: Ipv4Addr,
    pub prefix: u8,
}

/// The fewest blocks that hold the addresses `first` to `last` and no other.
pub fn blocks(first: Ipv4Addr, last: Ipv4Addr) -> impl Iterator<Item = Block> {
    let (mut next, end) = (u64::from(first.to_bits()), u64::from(last.to_bits()) + 1);
    std::iter::from_fn(move || {
        let left = end.checked_sub(next).filter(|left| *left > 0)?;
        let bits = (next | 1 << 32).trailing_zeros().min(left.ilog2());
        let block = Block { address: Ipv4Addr::from_bits(next as u32), prefix: 32 - bits as u8 };
        next += 1 << bits;
        Some(block)
    })
}

/// A socket to the kernel's routing tables.
pub struct Routes(File);

impl Routes {
    /// Opens it.
    pub fn open() -> io::Result<Routes> {
        sys::socket(Socket::Route).map(|socket| Routes(socket.into()))
    }

    /// Adds a route to `block` through the device with number `index`, without a gateway. The same
    /// route may stand there already. One through another device stays too, behind ours.
    pub fn add(&mut self, block: Block, index: u32) -> io::Result<()> {
        self.0.write_all(&new_route(block, index))?;
        let mut answer = [0; 256];
        let length = self.0.read(&mut answer)?;
        acknowledged(&answer[..length])
    }
}

const HEADER: usize = 16;
const MESSAGE: usize = HEADER + 12 + 8 + 8;

/// ```text
///  0               4       6       8               12              16
/// +---------------+-------+-------+---------------+---------------+
/// | length        | type  | flags | sequence      | port          |  nlmsghdr
/// +---+---+---+---+---+---+---+---+---------------+---------------+
/// |fam|dst|src|tos|tab|pro|sco|typ| flags         |                  rtmsg
/// +---+---+---+---+---+---+---+---+---------------+
/// | len 8 | DST 1 | address       |                                  rtattr
/// | len 8 | OIF 4 | device number |                                  rtattr
/// +-------+-------+---------------+
/// ```
fn new_route(block: Block, index: u32) -> [u8; MESSAGE] {
    // Neither NLM_F_EXCL nor NLM_F_REPLACE: a route that the owner made is no error and is kept.
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE) as u16;
    let mut message = [0; MESSAGE];
    let mut at = 0;
    let mut put = |octets: &[u8]| {
        message[at..at + octets.len()].copy_from_slice(octets);
        at += octets.len();
    };
    put(&(MESSAGE as u32).to_ne_bytes());
    put(&libc::RTM_NEWROUTE.to_ne_bytes());
    put(&flags.to_ne_bytes());
    put(&[0; 8]);
    put(&[libc::AF_INET as u8, block.prefix, 0, 0]);
    put(&[libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_LINK, libc::RTN_UNICAST]);
    put(&[0; 4]);
    put(&attribute(libc::RTA_DST, block.address.octets()));
    put(&attribute(libc::RTA_OIF, index.to_ne_bytes()));
    message
}

fn attribute(kind: u16, value: [u8; 4]) -> [u8; 8] {
    let ([a, b], [c, d], [e, f, g, h]) = (8u16.to_ne_bytes(), kind.to_ne_bytes(), value);
    [a, b, c, d, e, f, g, h]
}

/// The kernel answers every request with NLMSG_ERROR and a negative errno, or 0 when it was done.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let error = answer.get(HEADER..).and_then(|body| body.first_chunk()).copied();
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) if error == -libc::EEXIST => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::from_raw_os_error(libc::EBADMSG)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(first: [u8; 4], last: [u8; 4]) -> Vec<String> {
        let blocks = blocks(first.into(), last.into());
        blocks.map(|block| format!("{}/{}", block.address, block.prefix)).collect()
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

    #[test]
    fn answers_of_the_kernel() {
        let answer = |error: i32| [&[0; HEADER][..], &error.to_ne_bytes()].concat();
        assert!(acknowledged(&answer(0)).is_ok());
        assert!(acknowledged(&answer(-libc::EEXIST)).is_ok());
        let denied = acknowledged(&answer(-libc::EPERM)).unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        assert!(acknowledged(&[0; HEADER]).is_err());
    }
}
