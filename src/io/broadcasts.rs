//! The LAN's end of the broadcast relay: a packet socket that is open only while somebody is online
//! who may have the LAN's broadcasts, and hears nothing else.

use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use log::debug;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use pptp::packet::Packet;
use pptp::session::Server;

use super::sys::{self, Instruction, Socket};
use crate::io::log::warn;

const ETHERTYPE_IP: u16 = 0x0800;

/// The socket, or none.
pub struct Broadcasts {
    token: Token,
    open: Option<Open>,
    /// What the socket is open for, or could not be opened for.
    wish: Wish,
    look_again: bool,
}

struct Open {
    socket: File,
    /// Keeps this machine a member of the groups that are listened to: switches and bridges that
    /// look for members send us nothing otherwise.
    _member: Option<UdpSocket>,
}

/// The number of the LAN's device, and the destinations that are listened to.
#[derive(Default, PartialEq)]
struct Wish {
    index: u32,
    destinations: Vec<Ipv4Addr>,
    address: Option<Ipv4Addr>,
}

impl Broadcasts {
    /// Nothing is open yet.
    pub fn new(token: Token) -> Broadcasts {
        Broadcasts { token, open: None, wish: Wish::default(), look_again: false }
    }

    /// Something happened that may change what is wanted: a call came or went, the configuration or
    /// the LAN is another one.
    pub fn look_again(&mut self) {
        self.look_again = true;
    }

    /// Opens or closes the socket, if `look_again` was called. `index` is the number of the LAN's
    /// device.
    pub fn listen(&mut self, server: &Server, index: Option<u32>, registry: &Registry) {
        if std::mem::take(&mut self.look_again) {
            self.update(wish(server, index), registry);
        }
    }

    #[cold]
    fn update(&mut self, wish: Wish, registry: &Registry) {
        if wish == self.wish {
            return;
        }
        // Closing it also ends its place in the event queue.
        self.open = None;
        self.wish = wish;
        if self.wish.destinations.is_empty() {
            return debug!("broadcasts of the LAN are not listened to");
        }
        match self.wish.open(registry, self.token) {
            Ok(open) => self.open = Some(open),
            Err(error) => warn!("no broadcasts pass between the LAN and callers: {error}"),
        }
    }

    /// Reads one packet, which starts at the IP header.
    pub fn read(&mut self, packet: &mut Packet) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        };
        let length = open.socket.read(packet.space())?;
        packet.filled(length);
        Ok(())
    }

    /// Sends one packet to everybody in the LAN, or to the members of the group that is its
    /// destination. It is lost, as on any line, when the kernel does not take it.
    pub fn send(&self, packet: &Packet) {
        let Some(open) = &self.open else { return };
        let to = (self.wish.index, ETHERTYPE_IP, hardware(packet.data()));
        if let Err(error) = sys::send_frame(&open.socket, packet.data(), to) {
            debug!("broadcast of {} octets for the LAN lost: {error}", packet.len());
        }
    }
}

fn wish(server: &Server, index: Option<u32>) -> Wish {
    let Some(index) = index else { return Wish::default() };
    let destinations = server.wanted_broadcasts().to_vec();
    match destinations.is_empty() {
        true => Wish::default(),
        false => Wish { index, destinations, address: server.lan().address },
    }
}

impl Wish {
    fn open(&self, registry: &Registry, token: Token) -> io::Result<Open> {
        let socket = sys::socket(Socket::Packet)?;
        // The filter first: the socket hears nothing before it has its device.
        sys::filter(&socket, &program(&self.destinations))?;
        sys::listen_on(&socket, self.index, ETHERTYPE_IP)?;
        let descriptor = socket.as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        Ok(Open { socket: socket.into(), _member: self.join()? })
    }

    fn join(&self) -> io::Result<Option<UdpSocket>> {
        let mut groups = self.destinations.iter().filter(|it| it.is_multicast()).peekable();
        if groups.peek().is_none() {
            return Ok(None);
        }
        let member = UdpSocket::from(sys::socket(Socket::Device)?);
        let own = self.address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        for group in groups {
            member.join_multicast_v4(group, &own)?;
        }
        Ok(Some(member))
    }
}

/// Passes UDP packets for one of `destinations` that came in as a broadcast or multicast frame. The
/// addresses of the instructions count from the packet's first octet.
fn program(destinations: &[Ipv4Addr]) -> Vec<Instruction> {
    const LOAD_WORD: u16 = 0x20;
    const LOAD_OCTET: u16 = 0x30;
    const IS_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    /// The kind of the frame (SKF_AD_OFF and SKF_AD_PKTTYPE): broadcast, multicast.
    const KIND: u32 = 0xffff_f004;
    let instruction = |code, jt, jf, k| Instruction { code, jt, jf, k };
    let count = destinations.len() as u8;
    let mut program = vec![
        instruction(LOAD_WORD, 0, 0, KIND),
        instruction(IS_EQUAL, 1, 0, libc::PACKET_BROADCAST.into()),
        instruction(IS_EQUAL, 0, count + 3, libc::PACKET_MULTICAST.into()),
        instruction(LOAD_OCTET, 0, 0, 9),
        instruction(IS_EQUAL, 0, count + 1, libc::IPPROTO_UDP as u32),
        instruction(LOAD_WORD, 0, 0, 16),
    ];
    for (left, to) in (1..=count).rev().zip(destinations) {
        program.push(instruction(IS_EQUAL, left, 0, to.to_bits()));
    }
    program.push(instruction(RETURN, 0, 0, 0));
    program.push(instruction(RETURN, 0, 0, u32::MAX));
    program
}

/// The hardware address for the destination of an IPv4 packet: everybody's, or that of its group
/// (RFC 1112 section 6.4).
fn hardware(packet: &[u8]) -> [u8; 6] {
    match packet.get(16..20) {
        Some(&[224..240, b, c, d]) => [0x01, 0x00, 0x5e, b & 0x7f, c, d],
        _ => [0xff; 6],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does with the program. The first number is the kind of the frame.
    fn passes(program: &[Instruction], kind: u32, packet: &[u8]) -> bool {
        let (mut at, mut value) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let word = |at: usize| packet[at..at + 4].try_into().unwrap();
            match code {
                0x20 if k == 0xffff_f004 => value = kind,
                0x20 => value = u32::from_be_bytes(word(k as usize)),
                0x30 => value = packet[k as usize].into(),
                0x15 => at += usize::from(if value == k { jt } else { jf }),
                0x06 => return k != 0,
                _ => panic!("{code:#x}"),
            }
        }
    }

    #[test]
    fn the_filter_passes_what_is_wanted() {
        let wanted = ["192.168.1.255", "255.255.255.255", "224.0.0.251"];
        let wanted = wanted.map(|it| it.parse().unwrap());
        let mut packet = [0; 28];
        packet[9] = 17;
        for count in 1..=wanted.len() {
            let program = program(&wanted[..count]);
            for (at, to) in wanted.iter().enumerate() {
                packet[16..20].copy_from_slice(&to.octets());
                for kind in 0..=4 {
                    let expected = at < count && (kind == 1 || kind == 2);
                    assert_eq!(passes(&program, kind, &packet), expected, "{to} {kind}");
                }
            }
            packet[16..20].copy_from_slice(&[192, 168, 1, 5]);
            assert!(!passes(&program, 1, &packet));
            packet[16..20].copy_from_slice(&wanted[0].octets());
            packet[9] = 6;
            assert!(!passes(&program, 1, &packet));
            packet[9] = 17;
        }
    }

    #[test]
    fn hardware_addresses_of_destinations() {
        let mut packet = [0; 20];
        for (to, expected) in [
            ([255; 4], [0xff; 6]),
            ([192, 168, 1, 255], [0xff; 6]),
            ([239, 255, 255, 250], [1, 0, 0x5e, 0x7f, 0xff, 0xfa]),
            ([224, 0, 0, 251], [1, 0, 0x5e, 0, 0, 0xfb]),
        ] {
            packet[16..].copy_from_slice(&to);
            assert_eq!(hardware(&packet), expected);
        }
        assert_eq!(hardware(&[]), [0xff; 6]);
    }
}
