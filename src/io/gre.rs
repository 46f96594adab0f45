//! The raw socket for GRE (RFC 2637 section 4): enhanced GRE packets straight on IP protocol 47,
//! without any kernel module.

use std::fs::File;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use log::debug;
use pptp::packet::Packet;
use pptp::session::Path;

use super::failure::{Doing, Failure};
use super::sys::{self, Socket};
use crate::io::log::warn;

/// Octets of received packets that may wait for us; the kernel doubles it, and counts 2.3 KB for each
/// packet of most drivers. It holds 440 of them then: 50 ms of a line of 100 Mbit/s while another
/// program has the processor (the kernel's default, 93, is one time slice of a busy router). More
/// would only let a flood stand in front of everybody: when all of them are read in a row, as
/// `turns.rs` does it, that takes 1.6 million instructions, 6 ms on a small router. With half of it 5 %
/// of one caller's pings were lost beside another's transfer on a busy machine (tests/bench/run latency).
const RECEIVE_BUFFER: i32 = 1 << 19;

/// Newer kernels answer a GRE packet for which there is no room with ICMP "protocol unreachable", at
/// which callers such as pptp-linux may hang up; older ones just drop it. Seen so: 6.18 does. Which
/// version began is not sure: 6.9 by the date of the change, and a second socket does no harm before.
const ANSWERS_WHEN_FULL: (u32, u32) = (6, 9);

/// A socket that takes every GRE packet and keeps none, so that none is without a taker. Where it is
/// not needed it is not opened: each packet costs a copy of its descriptor more with it, by estimate
/// (not measured) 1000 instructions on MIPS.
fn taker() -> io::Result<Option<OwnedFd>> {
    let release = super::uci::read_file("/proc/sys/kernel/osrelease".as_ref());
    if version(&release).is_some_and(|version| version < ANSWERS_WHEN_FULL) {
        return Ok(None);
    }
    let socket = sys::socket(Socket::Gre)?;
    // The one instruction returns how many octets to keep.
    let keep_none =
        sys::Instruction { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    sys::filter(&socket, &[keep_none])?;
    Ok(Some(socket))
}

/// The first two numbers of a kernel's release, such as `6.12.40`.
fn version(release: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = str::from_utf8(release).ok()?.split(['.', '-', '\n']);
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

/// With this in the environment the kernel makes all IP headers: for tests that compare the two.
const PLAIN: &str = "PPTP_SERVER_PLAIN_GRE";

/// The open sockets.
pub struct Gre {
    socket: File,
    /// Takes the packets for which `socket` has no room. It is never read.
    _taker: Option<OwnedFd>,
    /// Sends packets with their IP header: the kernel then has a third less to do for each.
    ready: Option<OwnedFd>,
    /// What `ready` is bound to.
    local: Option<Ipv4Addr>,
    /// Identification of the last IP packet, for the case that it is fragmented on its way.
    identification: u16,
}

impl Gre {
    /// Opens the socket for all local addresses.
    pub fn open() -> Result<Gre, Failure> {
        let socket = sys::socket(Socket::Gre).doing_or(
            "open a raw socket for GRE",
            |_| "the capability CAP_NET_RAW is needed: run as root",
        )?;
        let forced =
            sys::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER);
        forced
            .or_else(|_| {
                sys::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER)
            })
            .unwrap_or_else(|error| warn!("receive buffer of the GRE socket stays small: {error}"));
        let ready = match std::env::var_os(PLAIN) {
            None => Some(sys::socket(Socket::Ready).doing("open a raw socket for IP")?),
            Some(_) => None,
        };
        // Never set Don't Fragment and never look at the learned path MTU. Callers' packets are
        // already limited so that the outer packet fits a line of 1500 octets, or 1492 with PPPoE
        // ('mtu', and the MRU of the peer). On a narrower path fragments are slow but arrive;
        // with DF set a router that swallows ICMP would make a black hole of it. Whoever knows the
        // caller's address can forge an ICMP "fragmentation needed", which IP_PMTUDISC_DONT would
        // still believe: for ten minutes each packet would be three fragments.
        let plain = libc::IP_PMTUDISC_OMIT;
        for socket in [Some(&socket), ready.as_ref()].into_iter().flatten() {
            sys::set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, plain)
                .doing("let GRE packets be fragmented")?;
        }
        let _taker = taker().doing("open a second raw socket for GRE")?;
        Ok(Gre { socket: socket.into(), _taker, ready, local: None, identification: 0 })
    }

    /// What the event loop watches.
    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Reads one packet. It then starts at the GRE header and the result says who sent it; `None`
    /// when it makes no sense as IP.
    pub fn read(&mut self, packet: &mut Packet) -> io::Result<Option<Ipv4Addr>> {
        let length = self.socket.read(packet.space())?;
        packet.filled(length);
        Ok(strip_ip(packet))
    }

    /// Sends one packet. One that the kernel does not take (buffer full, no route, firewall) is
    /// lost, as on any line; PPP and the traffic inside deal with that. Whether it was taken.
    pub fn send(&mut self, packet: &mut Packet, path: Path) -> bool {
        let sent = match self.send_ready(packet, path) {
            // The address is new or gone, or the packet needs fragments: all that is the kernel's.
            Err(_) => sys::send_from(&self.socket, packet.data(), path.local, path.remote),
            sent => sent,
        };
        if let Err(error) = &sent {
            debug!("packet of {} octets for {} lost: {error}", packet.len(), path.remote);
        }
        sent.is_ok()
    }

    /// Sends it with an IP header of ours; afterwards the packet is as it was.
    fn send_ready(&mut self, packet: &mut Packet, path: Path) -> io::Result<()> {
        let Some(ready) = &self.ready else {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        };
        if self.local != Some(path.local) {
            self.local = None;
            sys::bind(ready, path.local)?;
            self.local = Some(path.local);
        }
        // Zero would make the kernel compute one.
        self.identification = self.identification.wrapping_add(1).max(1);
        packet.prepend(&ip_header(packet.len(), self.identification, path));
        let sent = sys::send_to(ready, packet.data(), path.remote);
        packet.strip(IP_HEADER);
        sent
    }
}

/// An IP header (RFC 791 section 3.1) for `length` octets of GRE. The kernel puts in the checksum.
fn ip_header(length: usize, identification: u16, path: Path) -> [u8; IP_HEADER] {
    let (length, identification) =
        (((IP_HEADER + length) as u16).to_be_bytes(), identification.to_be_bytes());
    let mut header = [0; IP_HEADER];
    header[..2].copy_from_slice(&[0x45, 0]);
    header[2..4].copy_from_slice(&length);
    header[4..6].copy_from_slice(&identification);
    header[8..10].copy_from_slice(&[TIME_TO_LIVE, GRE]);
    header[12..16].copy_from_slice(&path.local.octets());
    header[16..].copy_from_slice(&path.remote.octets());
    header
}

const IP_HEADER: usize = 20;
const TIME_TO_LIVE: u8 = 64;
const GRE: u8 = 47;

/// Takes off the IP header (RFC 791 section 3.1), which a raw socket hands out too, and whatever
/// stands behind the IP packet. Returns the source address.
fn strip_ip(packet: &mut Packet) -> Option<Ipv4Addr> {
    let header: [u8; 20] = *packet.data().first_chunk()?;
    let [version, _, length_high, length_low, ..] = header;
    let [.., s0, s1, s2, s3, _, _, _, _] = header;
    let header_length = usize::from(version & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let sane = version >> 4 == 4 && header_length >= 20 && total_length >= header_length;
    // Longer than what was read: the packet did not fit into the buffer.
    if !sane || total_length > packet.len() {
        return None;
    }
    packet.truncate(total_length);
    packet.strip(header_length);
    Some(Ipv4Addr::new(s0, s1, s2, s3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(first: u8, total: u16, octets: usize) -> Packet {
        let mut data = vec![0; octets];
        data[0] = first;
        data[2..4].copy_from_slice(&total.to_be_bytes());
        data[12..16].copy_from_slice(&[10, 1, 2, 3]);
        let mut packet = Packet::new();
        assert!(packet.set(&data));
        packet
    }

    #[test]
    fn header_options_and_padding_come_off() {
        for (first, header) in [(0x45, 20), (0x4f, 60)] {
            let mut packet = ip(first, header + 8, 90);
            assert_eq!(strip_ip(&mut packet), Some(Ipv4Addr::new(10, 1, 2, 3)));
            assert_eq!(packet.len(), 8);
        }
    }

    #[test]
    fn nonsense_is_no_packet() {
        for (first, total, octets) in
            [(0x44, 40, 40), (0x65, 40, 40), (0x45, 19, 40), (0x4f, 40, 60), (0x45, 41, 40)]
        {
            assert_eq!(strip_ip(&mut ip(first, total, octets)), None);
        }
        let mut short = Packet::new();
        assert!(short.set(&[0x45; 19]));
        assert_eq!(strip_ip(&mut short), None);
    }

    #[test]
    fn the_release_of_a_kernel() {
        assert_eq!(version(b"6.12.40\n"), Some((6, 12)));
        assert_eq!(version(b"6.9-rc1"), Some(ANSWERS_WHEN_FULL));
        assert_eq!(version(b"5.15.0-generic"), Some((5, 15)));
        assert_eq!(version(b""), None);
        assert_eq!(version(b"unknown"), None);
    }
}
