//! A server and its callers in virtual time: each step jumps to the next thing that happens. The
//! server is held to its promises at every step.

use std::net::Ipv4Addr;

use pptp::config::{Config, Mppe, User};
use pptp::packet::Packet;
use pptp::session::{
    Alarm, Control, Event, Forward, Frame, Held, Path, Relayed, Server, Session, Sizes, Step,
    Storage, Taken,
};
use pptp::time::Instant;
use pptp::wire::{gre, ppp};

use super::caller::{Caller, Mind, start_request};
use super::dice::Dice;
use super::habits::Habits;
use super::line::{GOOD, Quality};
use super::ppp::Ppp;

pub const USER: &str = "alice";
pub const PASSWORD: &str = "s3cret-Pass1";
/// The address that callers dial.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// A machine behind the server.
pub const LAN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 5);

/// Rounds of `handle_timeout` at one instant after which nothing may be due any more: each does as much as
/// its frames have room for.
const ROUNDS: usize = 8;

/// A configuration with one account.
pub fn config() -> Config {
    let mut config = Config::default();
    config.users.push(User::new(USER, PASSWORD).unwrap()).unwrap();
    config
}

/// A configuration with the accounts `user0`, `user1` and so on, of the same password.
pub fn config_of_many(users: usize) -> Config {
    let mut config = Config::default();
    for number in 0..users {
        config.users.push(User::new(&format!("user{number}"), PASSWORD).unwrap()).unwrap();
    }
    config
}

/// The memory of a server.
pub struct Memory {
    sessions: Vec<Session>,
    controls: Vec<Control>,
    held: Vec<Held>,
    frames: Vec<Frame>,
    addresses: Vec<u16>,
    alarms: Vec<Alarm>,
}

fn filled<T: Default>(count: usize) -> Vec<T> {
    (0..count).map(|_| T::default()).collect()
}

impl Memory {
    pub fn of(config: &Config) -> Memory {
        let sizes = Sizes::of(config);
        Memory {
            sessions: filled(sizes.sessions),
            controls: filled(sizes.controls),
            held: filled(sizes.held),
            frames: filled(sizes.frames),
            addresses: filled(sizes.addresses),
            alarms: filled(sizes.alarms),
        }
    }

    pub fn storage(&mut self) -> Storage<'_> {
        let Memory { sessions, controls, held, frames, addresses, alarms } = self;
        Storage { sessions, controls, held, frames, addresses, alarms }
    }
}

/// Runs `scenario` in a fresh world.
pub fn in_world<T>(config: Config, seed: u64, scenario: impl FnOnce(&mut World) -> T) -> T {
    let mut memory = Memory::of(&config);
    let octets = seed.to_be_bytes();
    let server = Server::new(config, memory.storage(), std::array::from_fn(|at| octets[at % 8]));
    scenario(&mut World::new(server, seed))
}

pub struct World<'a> {
    pub server: Server<'a>,
    pub now: Instant,
    pub dice: Dice,
    pub callers: Vec<Caller>,
    /// What came out of the TUN.
    pub tun: Vec<Vec<u8>>,
    /// Broadcasts that went to the LAN.
    pub lan: Vec<Vec<u8>>,
    pub events: Vec<Event>,
    /// GRE packets that the server sent.
    pub gre_sent: usize,
    /// Octets in them.
    pub gre_octets: usize,
    /// Octets that the server wrote to control connections.
    pub control_sent: usize,
    packet: Packet,
}

impl<'a> World<'a> {
    fn new(server: Server<'a>, seed: u64) -> World<'a> {
        World {
            server,
            now: Instant(1_000_000),
            dice: Dice::new(seed),
            callers: Vec::new(),
            tun: Vec::new(),
            lan: Vec::new(),
            events: Vec::new(),
            gre_sent: 0,
            gre_octets: 0,
            control_sent: 0,
            packet: Packet::new(),
        }
    }

    /// A machine at 203.0.113.`last` connects. `None` when the server refuses it.
    pub fn connect(&mut self, last: u8, quality: Quality) -> Option<usize> {
        self.connect_from(Ipv4Addr::new(203, 0, 113, last), quality)
    }

    /// A machine at any address connects.
    pub fn connect_from(&mut self, address: Ipv4Addr, quality: Quality) -> Option<usize> {
        let dice = Dice::new(self.dice.roll());
        let mut caller = Caller::new(address, LOCAL, quality, dice);
        caller.id = Some(self.server.handle_accept(LOCAL, address, self.now).ok()?);
        self.callers.push(caller);
        self.flush();
        Some(self.callers.len() - 1)
    }

    /// A machine connects and dials in with a PPP client.
    pub fn dial(&mut self, last: u8, habits: Habits, quality: Quality) -> usize {
        self.dial_as(last, habits, quality, USER, PASSWORD)
    }

    pub fn dial_as(
        &mut self,
        last: u8,
        habits: Habits,
        quality: Quality,
        user: &str,
        password: &str,
    ) -> usize {
        let dice = Dice::new(self.dice.roll());
        self.dial_with(last, quality, Mind::Model(Box::new(Ppp::new(habits, user, password, dice))))
    }

    /// A machine connects and asks for a call that `mind` gets.
    pub fn dial_with(&mut self, last: u8, quality: Quality, mind: Mind) -> usize {
        let at = self.connect(last, quality).expect("accepted");
        self.callers[at].say(&start_request(), self.now);
        self.callers[at].ask_for_call(mind, self.now);
        at
    }

    /// A call of the habits that is open, over a good line.
    pub fn open(&mut self, last: u8, habits: Habits) -> usize {
        let at = self.dial(last, habits, GOOD);
        assert!(self.run_until(30_000, |world| world.is_open(at)), "{}: not open", habits.name);
        self.run(500);
        at
    }

    /// A call that the test plays itself, accepted by the server.
    pub fn scripted(&mut self, last: u8) -> usize {
        let at = self.dial_with(last, GOOD, Mind::Test);
        self.run(50);
        assert_ne!(self.callers[at].calls[0].server_id, 0, "no call");
        at
    }

    /// The model of a caller's first call.
    pub fn ppp(&mut self, at: usize) -> &mut Ppp {
        self.callers[at].calls[0].model_mut()
    }

    /// The same, to look at.
    pub fn model(&self, at: usize) -> &Ppp {
        self.callers[at].calls[0].model().expect("a model")
    }

    /// Whether the first call of a caller is open at both ends.
    pub fn is_open(&self, at: usize) -> bool {
        let call = &self.callers[at].calls[0];
        call.model().is_some_and(Ppp::is_open) && self.state(call.server_id) == Some("open")
    }

    /// What the server shows of a call.
    pub fn state(&self, call_id: u16) -> Option<&'static str> {
        let mut sessions = self.server.sessions();
        sessions.find(|session| session.call_id == call_id).map(|session| session.state)
    }

    pub fn live(&self) -> usize {
        self.server.sessions().count()
    }

    /// Whether no call, connection or address is in use.
    pub fn is_idle(&self) -> bool {
        let connected = self.callers.iter().any(|caller| caller.id.is_some());
        self.live() == 0 && self.server.leased() == 0 && !connected
    }

    /// The causes of the calls that ended, in order.
    pub fn ended(&self) -> Vec<pptp::reason::Cause> {
        let causes = self.events.iter().filter_map(|event| match &event.step {
            Step::Ended { cause, .. } => Some(*cause),
            _ => None,
        });
        causes.collect()
    }

    /// Has `caller` send whatever its model has to say.
    pub fn push(&mut self, at: usize) {
        let now = self.now;
        self.callers[at].send_frames(now);
    }

    /// A PPP frame of a scripted caller.
    pub fn send(&mut self, at: usize, frame: &[u8]) {
        let now = self.now;
        self.callers[at].send_frame(0, frame, now);
    }

    /// A packet of the LAN for a caller. The error is the server's.
    pub fn send_tun(&mut self, octets: &[u8]) -> Result<(), pptp::reason::Discard> {
        assert!(self.packet.set(octets));
        match self.server.handle_tun(&mut self.packet, self.now)? {
            Forward::Gre(path) => {
                let octets = self.packet.data().to_vec();
                self.route(path, octets);
            }
            Forward::Tun => self.tun.push(self.packet.data().to_vec()),
        }
        self.flush();
        Ok(())
    }

    /// Lets time pass.
    pub fn run(&mut self, millis: u64) {
        self.run_until(millis, |_| false);
    }

    /// Lets time pass until `wanted` holds, which is also the answer.
    pub fn run_until(&mut self, millis: u64, wanted: impl Fn(&World) -> bool) -> bool {
        let end = self.now + millis;
        self.flush();
        let mut steps = 0;
        while !wanted(self) {
            let Some(at) = self.next().filter(|at| *at <= end) else {
                self.now = end;
                return wanted(self);
            };
            steps = if at > self.now { 0 } else { steps + 1 };
            assert!(steps < 10_000, "nothing but {:?}", self.server.poll_timeout());
            self.now = self.now.max(at);
            self.step();
        }
        true
    }

    fn next(&self) -> Option<Instant> {
        let server = self.server.poll_timeout().map(|deadline| deadline.0);
        let callers = self.callers.iter();
        let callers = callers.flat_map(|caller| [caller.next_arrival(), caller.deadline()]);
        callers.chain([server]).flatten().min()
    }

    /// Everything that is due.
    fn step(&mut self) {
        for at in 0..self.callers.len() {
            self.arrive(at);
            if self.callers[at].deadline().is_some_and(|due| due <= self.now) {
                self.callers[at].handle_timeout(self.now);
            }
        }
        self.timers();
    }

    /// What is due is done at once: afterwards nothing is left in the past.
    pub fn timers(&mut self) {
        for _ in 0..ROUNDS {
            if self.server.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                self.server.handle_timeout(self.now);
                self.flush();
            }
        }
        let left = self.server.poll_timeout().filter(|(at, _)| *at <= self.now);
        assert_eq!(left, None, "at {:?}", self.now);
    }

    fn arrive(&mut self, at: usize) {
        let now = self.now;
        while let Some(octets) = self.callers[at].tcp_up.receive(now) {
            self.control(at, &octets);
        }
        while let Some(octets) = self.callers[at].gre_up.receive(now) {
            let from = self.callers[at].address;
            self.gre(from, &octets);
        }
        while let Some(octets) = self.callers[at].tcp_down.receive(now) {
            self.callers[at].hear(&octets, now);
        }
        while let Some(octets) = self.callers[at].gre_down.receive(now) {
            self.callers[at].take_gre(&octets, now);
        }
    }

    /// Octets of a control connection, in two pieces; none is its end.
    fn control(&mut self, at: usize, octets: &[u8]) {
        let Some(id) = self.callers[at].id else { return };
        if octets.is_empty() {
            (self.callers[at].id, self.callers[at].is_closed) = (None, true);
            self.server.handle_close(id, self.now);
        } else {
            let (first, second) = octets.split_at(self.dice.below(octets.len() as u64) as usize);
            self.server.handle_control(id, first, self.now);
            self.server.handle_control(id, second, self.now);
        }
        self.flush();
    }

    /// A GRE packet from anywhere.
    pub fn gre(&mut self, from: Ipv4Addr, octets: &[u8]) {
        self.take_gre(from, octets);
        self.flush();
    }

    /// The same within a turn: what the server has to say waits for the end of it.
    pub fn take_gre(&mut self, from: Ipv4Addr, octets: &[u8]) {
        self.packet.set(octets);
        let taken = self.server.handle_gre(from, &mut self.packet, self.now);
        self.pass(taken.unwrap_or(Taken::Nothing));
    }

    /// Hands on what became of a received packet; whether there was one.
    fn pass(&mut self, taken: Taken) -> bool {
        let octets = self.packet.data().to_vec();
        match taken {
            Taken::Tun => self.tun.push(octets),
            Taken::Gre(path) => self.route(path, octets),
            Taken::Relay => self.relay(),
            Taken::Nothing => return false,
        }
        true
    }

    /// A packet that somebody in the LAN sent to everybody. The error is the server's.
    pub fn send_lan(&mut self, octets: &[u8]) -> Result<(), pptp::reason::Discard> {
        assert!(self.packet.set(octets));
        let result = self.server.handle_lan(&mut self.packet, self.now);
        self.relay();
        self.flush();
        result
    }

    /// Hands out the copies of a broadcast.
    fn relay(&mut self) {
        while let Some(to) = self.server.poll_relay(&mut self.packet, self.now) {
            let octets = self.packet.data().to_vec();
            match to {
                Relayed::Gre(path) => self.route(path, octets),
                Relayed::Tun => self.tun.push(octets),
                Relayed::Lan => self.lan.push(octets),
            }
        }
    }

    fn release(&mut self) -> bool {
        let taken = self.server.poll_tun(&mut self.packet, self.now);
        self.pass(taken)
    }

    /// Takes what the server has ready, as the program does at the end of each turn.
    pub fn flush(&mut self) {
        for at in 0..self.callers.len() {
            self.flush_control(at);
        }
        while self.release() {}
        while let Some(path) = self.server.poll_gre(&mut self.packet, self.now) {
            let octets = self.packet.data().to_vec();
            self.route(path, octets);
        }
        while let Some(event) = self.server.poll_event() {
            self.events.push(event);
        }
        self.server.audit();
    }

    fn flush_control(&mut self, at: usize) {
        let Some(id) = self.callers[at].id else { return };
        let (now, caller) = (self.now, &mut self.callers[at]);
        let output = self.server.control_output(id).to_vec();
        if !output.is_empty() && !caller.is_deaf {
            self.control_sent += output.len();
            self.server.control_sent(id, output.len());
            caller.tcp_down.send(output, now, &mut caller.dice);
        }
        if self.server.wants_close(id) {
            caller.id = None;
            caller.tcp_down.send(Vec::new(), now, &mut caller.dice);
            self.server.handle_close(id, now);
        }
    }

    /// A GRE packet of the server, to the machine that has the call.
    fn route(&mut self, path: Path, octets: Vec<u8>) {
        assert_eq!(path.local, LOCAL, "the address that was dialled");
        let (header, len) = gre::Header::parse(&octets).unwrap();
        if header.payload_length > 0 && self.server.config().mppe == Mppe::Required {
            let protocol = ppp::frame_header(&octets[len..]).unwrap().0;
            let is_inner = matches!(protocol, ppp::protocol::IPV4 | ppp::protocol::IPV6);
            assert!(!is_inner, "a clear packet although MPPE is required");
        }
        self.gre_sent += 1;
        self.gre_octets += octets.len();
        let (now, callers) = (self.now, &mut self.callers);
        let has_call = |caller: &&mut Caller| {
            caller.address == path.remote
                && caller.calls.iter().any(|call| call.own_id == header.call_id)
        };
        if let Some(caller) = callers.iter_mut().find(has_call) {
            caller.gre_down.send(octets, now, &mut caller.dice);
        }
    }
}
