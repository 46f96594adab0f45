//! `pptp-caller SERVER USER PASSWORD FIRST CALLS mppe|plain`: a caller that is as fast as the server, for
//! measuring it. It dials so many calls one after the other, with the PPP of the tests' models, and then
//! carries packets between a TUN device and its calls. FIRST is the Call ID of the first one.
//!
//! Standard input is the TUN device, standard output a raw socket for GRE connected to SERVER; neither
//! blocks. A call that is open is told on standard error: `up ADDRESS`. It ends when it is killed.

mod call;
#[allow(dead_code)] // the tests use the rest
#[path = "../../../../common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant as Clock};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use pptp::packet::Packet;
use pptp::time::Instant;
use pptp::wire::{gre, ipv4};

use call::{Account, Call};

const TUN: Token = Token(0);
const GRE: Token = Token(1);
/// Connections have this token and those above it.
const FIRST: usize = 2;

/// Packets that are taken from one side before the other gets its chance.
const BUDGET: usize = 32;

/// The most that one wait takes, for the models' timers.
const TICK: Duration = Duration::from_millis(50);

/// How long a call may take to come up.
const PATIENCE_MS: u64 = 20_000;

struct World {
    poll: Poll,
    tun: File,
    gre: File,
    began: Clock,
    /// The Call ID of the first of `calls`.
    first: u16,
    calls: Vec<Call>,
    by_address: HashMap<Ipv4Addr, usize>,
    packet: Packet,
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [server, user, password, first, count, cipher] = &words[..] else {
        panic!("usage: pptp-caller SERVER USER PASSWORD FIRST CALLS mppe|plain")
    };
    let account = Account { user, password, encrypts: cipher == "mppe" };
    let mut world = World::open(first.parse().expect("a Call ID"))?;
    for number in 0..count.parse().expect("a number of calls") {
        world.dial(server.parse().expect("an address"), &account, number)?;
    }
    loop {
        world.turn()?;
    }
}

/// A copy of a standard descriptor: what it is was decided by whoever started the program.
fn device(descriptor: impl AsFd) -> io::Result<File> {
    Ok(File::from(descriptor.as_fd().try_clone_to_owned()?))
}

impl World {
    fn open(first: u16) -> io::Result<World> {
        let (tun, gre) = (device(io::stdin())?, device(io::stdout())?);
        let poll = Poll::new()?;
        for (file, token) in [(&tun, TUN), (&gre, GRE)] {
            poll.registry().register(
                &mut SourceFd(&file.as_raw_fd()),
                token,
                Interest::READABLE,
            )?;
        }
        let (calls, by_address) = (Vec::new(), HashMap::new());
        let (began, packet) = (Clock::now(), Packet::new());
        Ok(World { poll, tun, gre, began, first, calls, by_address, packet })
    }

    fn now(&self) -> Instant {
        Instant(self.began.elapsed().as_millis() as u64)
    }

    /// Makes a call and waits until it is open. The calls before it go on meanwhile.
    fn dial(&mut self, server: Ipv4Addr, account: &Account, number: usize) -> io::Result<()> {
        let mut call = Call::connect(server, account, self.first + number as u16, self.now())?;
        let token = Token(FIRST + number);
        self.poll.registry().register(call.stream(), token, Interest::READABLE)?;
        self.calls.push(call);
        let end = self.now() + PATIENCE_MS;
        while !self.calls[number].settle() {
            assert!(self.now() < end, "call {number} does not get in");
            self.turn()?;
        }
        let address = self.calls[number].address();
        self.by_address.insert(address, number);
        eprintln!("up {address}");
        Ok(())
    }

    /// Waits for something, and takes everything that there is.
    fn turn(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        match self.poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now = self.now();
        for number in events.iter().filter_map(|event| event.token().0.checked_sub(FIRST)) {
            self.calls[number].hear(now)?;
        }
        let (mut up, mut down) = (true, true);
        while up || down {
            down = down && self.drain(World::take_gre)?;
            up = up && self.drain(World::take_tun)?;
        }
        if events.is_empty() || self.calls.last().is_some_and(|call| !call.is_settled()) {
            self.calls.iter_mut().try_for_each(|call| call.handle_timeout(now, &mut self.gre))?;
        }
        Ok(())
    }

    /// Takes packets of one side; whether there may be more.
    fn drain(&mut self, take: fn(&mut World) -> io::Result<()>) -> io::Result<bool> {
        for _ in 0..BUDGET {
            match take(self) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if !is_loss(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(true)
    }

    /// A packet of this machine goes into the call that has its address.
    fn take_tun(&mut self) -> io::Result<()> {
        self.packet.set(&[]);
        let len = self.tun.read(self.packet.space())?;
        self.packet.filled(len);
        let Ok(header) = ipv4::Header::parse(self.packet.data()) else { return Ok(()) };
        let Some(&number) = self.by_address.get(&header.source) else { return Ok(()) };
        self.calls[number].seal(&mut self.packet);
        send(&mut self.gre, self.packet.data())
    }

    /// A packet of the server: one for this machine, or one of PPP's own.
    fn take_gre(&mut self) -> io::Result<()> {
        self.packet.set(&[]);
        let len = self.gre.read(self.packet.space())?;
        self.packet.filled(len);
        let ip_header = self.packet.data().first().map_or(0, |first| usize::from(first & 15) * 4);
        self.packet.strip(ip_header);
        let Ok((header, len)) = gre::Header::parse(self.packet.data()) else { return Ok(()) };
        let Some(number) = header.call_id.checked_sub(self.first) else { return Ok(()) };
        let now = self.now();
        let Some(call) = self.calls.get_mut(usize::from(number)) else { return Ok(()) };
        if call.open(&header, len, &mut self.packet) {
            return send(&mut self.tun, self.packet.data());
        }
        call.take(self.packet.data(), now);
        call.say(now, &mut self.gre)
    }
}

/// What a full queue does not take is lost, as on any line.
fn send(file: &mut File, octets: &[u8]) -> io::Result<()> {
    match file.write(octets) {
        Err(error) if !is_loss(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether an error means a lost packet. A server whose socket is full makes a new kernel say that there is
/// no such protocol.
fn is_loss(error: &io::Error) -> bool {
    const EAGAIN: i32 = 11;
    const ENOPROTOOPT: i32 = 92;
    const ENOBUFS: i32 = 105;
    matches!(error.raw_os_error(), Some(EAGAIN | ENOPROTOOPT | ENOBUFS))
}
