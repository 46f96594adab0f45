//! Questions and wishes to the kernel's network side (rtnetlink(7)), and news from it. The kernel
//! puts its answer into the socket before `write` returns, so that nothing here ever waits.

pub mod device;
pub mod message;
pub mod neighbour;
pub mod route;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

use self::message::{Message, messages};
use super::sys::{self, Socket};

/// Octets of one read. The kernel makes the parts of a list no larger than this or a page.
const BUFFER: usize = 8192;

/// A socket to the kernel.
pub struct Netlink(File);

impl Netlink {
    /// Opens it.
    pub fn open() -> io::Result<Netlink> {
        sys::socket(Socket::Route).map(|socket| Netlink(socket.into()))
    }

    /// Opens one that hears the news of `groups` (RTNLGRP_...).
    pub fn listening(groups: &[u32]) -> io::Result<Netlink> {
        let mut netlink = Netlink::open()?;
        for &group in groups {
            let (level, name) = (libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP);
            sys::set_option(&netlink.0, level, name, group as i32)?;
        }
        // A socket gets its address with the first message that it sends, and without one it is
        // left out when the kernel tells its own news.
        netlink.0.write_all(&Message::new(libc::NLMSG_NOOP as u16, 0, &[]).finish())?;
        Ok(netlink)
    }

    /// What the event loop watches.
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Sends `request` and hands the kind and body of each message of the answer to `each`. An
    /// error is the kernel's, or that the answer made no sense.
    pub fn ask(&mut self, request: Message, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
        self.0.write_all(&request.finish())?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = self.0.read(&mut buffer)?;
            for (kind, body) in messages(&buffer[..length]) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => return acknowledged(body),
                    _ => each(kind, body),
                }
            }
        }
    }

    /// Sends `request`, which is answered by yes or no.
    pub fn tell(&mut self, request: Message) -> io::Result<()> {
        self.ask(request, &mut |_, _| {})
    }

    /// Hands the news that wait to `each`. An error other than `WouldBlock` means that some were
    /// lost, most likely for lack of room (ENOBUFS).
    pub fn hear(&mut self, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = self.0.read(&mut buffer)?;
            messages(&buffer[..length]).for_each(|(kind, body)| each(kind, body));
        }
    }
}

/// The kernel answers every request with NLMSG_ERROR and a negative errno, or 0 when it was done.
fn acknowledged(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().copied().map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        None => Err(io::Error::from_raw_os_error(libc::EBADMSG)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_kernel() {
        let answer = |error: i32| acknowledged(&error.to_ne_bytes());
        assert!(answer(0).is_ok());
        let denied = answer(-libc::EPERM).unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        assert!(answer(i32::MIN).is_err());
        assert!(acknowledged(&[0; 3]).is_err());
    }
}
