//! A server and any number of open calls, made one after the other with as little as possible around it:
//! `tests/common/world.rs` looks at every caller after every step, which a thousand of them are too many for.

use std::net::Ipv4Addr;

use pptp::config::{Config, Duplicate, Pool};
use pptp::packet::Packet;
use pptp::session::{ControlId, Path, Server};
use pptp::time::Instant;

use crate::common::caller::{Caller, Mind, start_request};
use crate::common::dice::Dice;
use crate::common::habits::{Encryption, Habits, MIKROTIK, STATELESS_128};
use crate::common::line::Quality;
use crate::common::ppp::Ppp;
use crate::common::world::{LOCAL, Memory, PASSWORD, USER, config};

pub const HABITS: Habits =
    Habits { encryption: Encryption::Wants(STATELESS_128, &[STATELESS_128]), ..MIKROTIK };

/// What is sent has arrived.
const WIRE: Quality = Quality { delay: 0, jitter: 0, loss: 0, doubled: 0, reordered: (0, 0) };

/// Milliseconds that a login may take.
const PATIENCE: u64 = 5000;

/// Connections beside those of the calls.
const SPARE: u16 = 32;

/// Milliseconds between the first and the last login: less than a call is silent before it is tested.
const SPREAD_MS: u64 = 19_000;

/// The first caller's address.
const FIRST: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);

/// `Server::handle_control`, counted or not.
pub type Hear = fn(&mut Server, ControlId, &[u8], Instant);

pub struct Crowd<'a> {
    pub server: Server<'a>,
    pub callers: Vec<Caller>,
    pub now: Instant,
    pub packet: Packet,
}

/// Hands a server with so many open calls to `work`.
pub fn with<T>(calls: usize, work: impl FnOnce(&mut Crowd) -> T) -> T {
    let config = config_of(calls);
    let mut memory = Memory::of(&config);
    let server = Server::new(config, memory.storage(), [7; 32]);
    let (callers, now, packet) = (Vec::new(), Instant(1_000_000), Packet::new());
    let mut crowd = Crowd { server, callers, now, packet };
    for number in 0..calls {
        crowd.dial(number);
        crowd.now = crowd.now + SPREAD_MS / calls as u64;
    }
    work(&mut crowd)
}

/// The limits are as low as they can be for these calls, as on a router of their size.
pub fn config_of(calls: usize) -> Config {
    let first = Ipv4Addr::new(10, 77, 0, 10);
    Config {
        max_sessions: calls as u16,
        max_connections: calls as u16 + SPARE,
        duplicate: Duplicate::Allow,
        local_ip: Ipv4Addr::new(10, 77, 0, 1),
        pool: Pool { first, last: (u32::from(first) + calls as u32 + 90).into() },
        ..config()
    }
}

impl Crowd<'_> {
    fn dial(&mut self, number: usize) {
        let address = Ipv4Addr::from(u32::from(FIRST) + number as u32);
        let dice = || Dice::new(number as u64 + 1);
        let mut caller = Caller::new(address, LOCAL, WIRE, dice());
        caller.id = Some(self.server.handle_accept(LOCAL, address, self.now).expect("accepted"));
        caller.say(&start_request(), self.now);
        let ppp = Ppp::new(HABITS, USER, PASSWORD, dice());
        caller.ask_for_call(Mind::Model(Box::new(ppp)), self.now);
        self.callers.push(caller);
        let end = self.now + PATIENCE;
        while !self.is_open(number) {
            assert!(self.now < end, "call {number} does not get in");
            if !self.exchange(number) {
                self.now = self.now + 1;
                self.server.handle_timeout(self.now);
            }
        }
    }

    fn is_open(&self, number: usize) -> bool {
        let model = self.callers[number].calls[0].model().is_some_and(Ppp::is_open);
        let id = self.callers[number].calls[0].server_id;
        let mut sessions = self.server.sessions();
        model && sessions.any(|session| session.call_id == id && session.state == "open")
    }

    /// Everything that a caller and the server have for each other; whether there was anything.
    fn exchange(&mut self, number: usize) -> bool {
        let now = self.now;
        let mut said =
            self.control(number, |server, id, octets, now| server.handle_control(id, octets, now));
        while let Some(octets) = self.callers[number].gre_up.receive(now) {
            self.packet.set(&octets);
            let from = self.callers[number].address;
            said |= self.server.handle_gre(from, &mut self.packet, now).is_ok();
        }
        while let Some(path) = self.server.poll_gre(&mut self.packet, now) {
            self.answer(path);
            said = true;
        }
        while self.server.poll_event().is_some() {}
        said
    }

    /// The control connection of a caller, in both directions: what it says goes to `hear`.
    pub fn control(&mut self, number: usize, hear: Hear) -> bool {
        let (caller, now) = (&mut self.callers[number], self.now);
        let Some(id) = caller.id else { return false };
        let mut said = false;
        while let Some(octets) = caller.tcp_up.receive(now) {
            hear(&mut self.server, id, &octets, now);
            said = true;
        }
        let output = self.server.control_output(id).to_vec();
        self.server.control_sent(id, output.len());
        caller.hear(&output, now);
        said | !output.is_empty()
    }

    /// `packet` is the server's own and arrives where it is for.
    pub fn answer(&mut self, path: Path) -> usize {
        let number = (u32::from(path.remote) - u32::from(FIRST)) as usize;
        self.callers[number].take_gre(self.packet.data(), self.now);
        number
    }
}
