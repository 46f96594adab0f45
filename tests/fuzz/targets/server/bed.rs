//! A server, the machines around it, and what must hold after every step.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use pptp::config::{Config, Duplicate, Mppe, Pool, User};
use pptp::limits::{CONTROL_OUTPUT, EVENTS, FRAMES, LOGINS};
use pptp::packet::Packet;
use pptp::proto::mppe::Strength;
use pptp::session::{ControlId, Path, Relayed, Server, Taken};
use pptp::time::Instant;
use pptp::wire::pptp::{Header, Message};
use pptp::wire::{gre, ipv4, ppp};

use super::super::client::{Client, Manners};
use super::super::common::caller::{gre_octets, parsed};
use super::super::common::world::{LOCAL, Memory, PASSWORD};
use super::six::ipv6;

/// Identification of the inner packets that were sent encrypted: the number of their call is in
/// the low octet. Nothing else may come out of the TUN when encryption is required.
pub const SEALED: u16 = 0x5e00;

/// Rounds of `handle_timeout` and of taking what is ready, at one instant.
const ROUNDS: usize = 2;

/// Frames on their way to callers.
const UNDER_WAY: usize = 64;

/// A TCP connection from a machine.
pub struct Connection {
    pub remote: Ipv4Addr,
    pub id: Option<ControlId>,
    /// It does not read.
    pub is_deaf: bool,
    input: Vec<u8>,
}

/// The caller's end of a call.
pub struct End {
    /// Its connection.
    pub connection: usize,
    pub own_id: u16,
    pub server_id: u16,
    pub next_sequence: u32,
    /// The highest number received.
    pub seen: u32,
    pub client: Client,
}

pub struct Bed<'a> {
    pub server: Server<'a>,
    pub base: Config,
    pub now: Instant,
    pub connections: Vec<Connection>,
    pub ends: Vec<End>,
    pub packet: Packet,
    /// GRE packets of the server that have not arrived.
    pub down: VecDeque<(Path, Vec<u8>)>,
    /// What was sent last, to be sent again.
    pub last: VecDeque<(Ipv4Addr, Vec<u8>)>,
    /// Encryption was required all the time.
    pub is_strict: bool,
    pub is_stopped: bool,
    /// Inner packets that came out.
    pub tun: usize,
}

/// A small server, so that all its places are soon taken.
pub fn config(variant: u8) -> Config {
    let mut config = Config::default();
    let bit = |at: u8| variant >> at & 1 != 0;
    config.mppe =
        [Mppe::Required, Mppe::Required, Mppe::Optional, Mppe::Off][usize::from(variant) & 3];
    config.mppe_stateful = bit(2);
    config.mppe_min = if bit(3) { Strength::Bits40 } else { Strength::Bits128 };
    config.duplicate = [Duplicate::Replace, Duplicate::Allow, Duplicate::Refuse, Duplicate::Allow]
        [usize::from(variant >> 4) & 3];
    config.lcp_echo_interval = if bit(6) { 0 } else { 20 };
    config.login_timeout = if bit(7) { 10 } else { 30 };
    (config.max_sessions, config.max_connections, config.max_per_address) = (4, 5, 3);
    (config.backoff_failures, config.backoff_time) = (3, 60);
    let address = |last| Ipv4Addr::new(192, 168, 77, last);
    config.pool = Pool { first: address(10), last: address(12) };
    for name in ["alice", "bob", "carol"] {
        let mut user = User::new(name, PASSWORD).expect("a good account");
        user.enabled = name != "carol";
        if name == "bob" {
            user.ip = Some(address(11));
            let rights = &mut user.rights;
            (rights.lan, rights.callers, rights.rate_up) = (false, false, 64);
            (rights.idle_timeout, rights.session_timeout) = (1, 5);
        }
        config.users.push(user).expect("room");
    }
    config
}

pub fn in_bed(variant: u8, script: impl FnOnce(&mut Bed)) {
    let base = config(variant);
    let mut memory = Memory::of(&base);
    let mut server = Server::new(base.clone(), memory.storage(), [7; 32]);
    let now = Instant(1_000_000);
    if variant & 0x80 != 0 {
        server.ipv6_changed(Some(ipv6(1)), now);
    }
    script(&mut Bed {
        server,
        is_strict: base.mppe == Mppe::Required,
        base,
        now,
        connections: Vec::new(),
        ends: Vec::new(),
        packet: Packet::new(),
        down: VecDeque::new(),
        last: VecDeque::new(),
        is_stopped: false,
        tun: 0,
    });
}

impl Bed<'_> {
    /// A machine at 203.0.113.`last` connects.
    pub fn connect(&mut self, last: u8) -> Option<usize> {
        let remote = Ipv4Addr::new(203, 0, 113, last);
        let id = self.server.handle_accept(LOCAL, remote, self.now).ok()?;
        assert!(self.connections.iter().all(|other| other.id != Some(id)), "a place taken twice");
        let (input, is_deaf) = (Vec::new(), false);
        self.connections.push(Connection { remote, id: Some(id), is_deaf, input });
        Some(self.connections.len() - 1)
    }

    pub fn hear(&mut self, at: usize, octets: &[u8]) {
        if let Some(id) = self.connections[at].id {
            self.server.handle_control(id, octets, self.now);
        }
    }

    /// The machine's side of a call that it asks for on its connection.
    pub fn expect_call(&mut self, connection: usize, own_id: u16, manners: Manners) {
        let client = Client::new(manners);
        let (server_id, next_sequence, seen) = (0, 0, 0);
        self.ends.push(End { connection, own_id, server_id, next_sequence, seen, client });
    }

    /// A GRE packet from anywhere.
    pub fn gre(&mut self, from: Ipv4Addr, octets: Vec<u8>) {
        if !self.packet.set(&octets) {
            return;
        }
        if let Ok(taken) = self.server.handle_gre(from, &mut self.packet, self.now) {
            self.check_taken(taken);
        }
        self.last.push_back((from, octets));
        self.last.truncate(8);
    }

    /// A frame of a call in its next packet.
    pub fn send(&mut self, at: usize, frame: &[u8]) {
        let end = &mut self.ends[at];
        let sequence = end.next_sequence;
        end.next_sequence = sequence.wrapping_add(1);
        self.send_as(at, sequence, frame);
    }

    pub fn send_as(&mut self, at: usize, sequence: u32, frame: &[u8]) {
        let end = &self.ends[at];
        let header = gre::Header {
            payload_length: frame.len() as u16,
            call_id: end.server_id,
            sequence: Some(sequence),
            acknowledgment: Some(end.seen),
        };
        self.gre(self.connections[end.connection].remote, gre_octets(&header, frame));
        self.settle();
    }

    /// The next packet of the server arrives, and is answered.
    pub fn arrive(&mut self) -> bool {
        let Some((path, octets)) = self.down.pop_front() else { return false };
        let (header, len) = gre::Header::parse(&octets).expect("our own header");
        let remote = |end: &End| self.connections[end.connection].remote;
        let is_meant = |end: &End| end.own_id == header.call_id && remote(end) == path.remote;
        let Some(at) = self.ends.iter().rposition(is_meant) else { return true };
        let end = &mut self.ends[at];
        if let Some(sequence) = header.sequence.filter(|_| header.payload_length > 0) {
            end.seen = sequence;
            for answer in end.client.take(&octets[len..]) {
                self.send(at, &answer);
            }
        }
        true
    }

    /// Everything that the server has ready is taken.
    pub fn settle(&mut self) {
        loop {
            match self.server.poll_tun(&mut self.packet, self.now) {
                Taken::Nothing => break,
                taken => self.check_taken(taken),
            }
        }
        let mut sent = 0;
        while let Some(path) = self.server.poll_gre(&mut self.packet, self.now) {
            sent += 1;
            self.check_gre(path);
        }
        let calls = usize::from(self.base.max_sessions) + LOGINS;
        assert!(sent <= FRAMES + calls, "{sent} packets at once");
        for at in 0..self.connections.len() {
            self.settle_connection(at);
        }
        let events = std::iter::from_fn(|| self.server.poll_event());
        let lines: Vec<_> = events.map(|event| event.to_string()).collect();
        assert!(lines.len() <= EVENTS);
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    }

    /// What must hold between any two steps.
    pub fn check(&mut self) {
        self.settle();
        self.server.audit();
        self.check_status();
    }

    /// What is due is done at once, and then nothing is due any more. After a leap in time a packet
    /// that waited for an earlier one may bring a call forward whose timers are due as well.
    pub fn run_timers(&mut self) {
        for _ in 0..ROUNDS {
            if self.server.poll_timeout().is_none_or(|(at, _)| at > self.now) {
                return;
            }
            self.server.handle_timeout(self.now);
            self.check();
        }
        let left = self.server.poll_timeout().filter(|(at, _)| *at <= self.now);
        assert_eq!(left, None, "a busy loop");
    }

    fn settle_connection(&mut self, at: usize) {
        let Some(id) = self.connections[at].id else { return };
        let output = self.server.control_output(id).to_vec();
        assert!(output.len() <= CONTROL_OUTPUT);
        if !self.connections[at].is_deaf {
            self.server.control_sent(id, output.len());
            self.read(at, &output);
        }
        if self.server.wants_close(id) {
            self.connections[at].id = None;
            self.server.handle_close(id, self.now);
        }
    }

    /// Control messages of the server: whole ones in any piece.
    fn read(&mut self, at: usize, octets: &[u8]) {
        let mut input = std::mem::take(&mut self.connections[at].input);
        input.extend_from_slice(octets);
        while let Ok(header) = Header::parse(&input) {
            let rest = input.split_off(usize::from(header.length));
            if let Message::OutgoingCallReply(reply) = parsed(&input)
                && reply.result == 1
            {
                self.accepted(at, reply.peer_call_id, reply.call_id);
            }
            input = rest;
        }
        assert!(input.is_empty(), "octets that are no message");
    }

    fn accepted(&mut self, connection: usize, own_id: u16, server_id: u16) {
        assert_ne!(server_id, 0);
        let is_own = |end: &&mut End| end.connection == connection && end.own_id == own_id;
        if let Some(end) = self.ends.iter_mut().rfind(is_own) {
            end.server_id = server_id;
        }
    }

    /// What comes out of the TUN is an IPv4 packet from the address of an open call, and was sent
    /// encrypted by that very call if encryption is required.
    fn check_taken(&mut self, taken: Taken) {
        match taken {
            Taken::Tun => self.check_tun(),
            Taken::Gre(path) => self.check_gre(path),
            Taken::Relay => self.check_relay(),
            Taken::Nothing => {}
        }
    }

    /// The copies of a broadcast: no call gets its own, and the LAN gets none since none is known.
    fn check_relay(&mut self) {
        let calls = self.server.sessions().count();
        let mut copies = 0;
        while let Some(to) = self.server.poll_relay(&mut self.packet, self.now) {
            match to {
                Relayed::Tun => self.check_tun(),
                Relayed::Gre(path) => self.check_gre(path),
                Relayed::Lan => panic!("a broadcast for nobody"),
            }
            copies += 1;
        }
        assert!(copies <= calls, "{copies} copies for {calls} calls");
    }

    fn check_tun(&mut self) {
        self.tun += 1;
        let octets = self.packet.data();
        if octets[0] >> 4 == 6 {
            return self.check_tun_ipv6();
        }
        let header = ipv4::Header::parse(octets).expect("a whole packet");
        assert_eq!(header.total_len, octets.len());
        let mut sessions = self.server.sessions();
        let session = sessions.find(|session| session.address == Some(header.source));
        let session = session.expect("a packet of nobody's address");
        assert_eq!(session.state, "open");
        if self.is_strict {
            let mark = u16::from_be_bytes([octets[4], octets[5]]);
            assert_eq!(mark & 0xff00, SEALED, "a clear packet came through");
            let end = &self.ends[usize::from(mark & 0xff)];
            assert_eq!(end.server_id, session.call_id, "a packet of another call");
        }
    }

    fn check_gre(&mut self, path: Path) {
        assert_eq!(path.local, LOCAL);
        let octets = self.packet.data().to_vec();
        let (header, len) = gre::Header::parse(&octets).expect("our own header");
        assert_eq!(usize::from(header.payload_length), octets.len() - len, "exact length");
        if header.payload_length > 0 {
            let number = ppp::frame_header(&octets[len..]).expect("our own frame").0;
            let is_inner = number == ppp::protocol::IPV4 || number == ppp::protocol::IPV6;
            assert!(!is_inner || !self.is_strict, "a clear packet");
        }
        self.down.push_back((path, octets));
        if self.down.len() > UNDER_WAY {
            self.down.pop_front();
        }
    }

    /// A packet of the LAN.
    pub fn lan(&mut self, octets: &[u8]) {
        use pptp::session::Forward;
        if !self.packet.set(octets) {
            return;
        }
        match self.server.handle_tun(&mut self.packet, self.now) {
            Ok(Forward::Gre(path)) => self.check_gre(path),
            Ok(Forward::Tun) if octets[0] >> 4 == 6 => self.check_too_big(),
            Ok(Forward::Tun) => {
                let header = ipv4::Header::parse(self.packet.data()).expect("our own packet");
                assert_eq!((header.protocol, header.fragment_offset), (1, 0));
            }
            Err(_) => {}
        }
    }

    fn check_status(&self) {
        let sessions: Vec<_> = self.server.sessions().collect();
        let leased = sessions.iter().filter(|session| session.address.is_some()).count();
        assert!(leased <= usize::from(self.base.max_sessions));
        assert!(sessions.len() <= usize::from(self.base.max_sessions) + LOGINS);
        for session in &sessions {
            let encrypted = session.send.is_some() && session.receive.is_some();
            assert!(session.state != "open" || encrypted || !self.is_strict);
            assert!(session.state != "open" || session.address.is_some());
            let mut same = sessions.iter().filter(|other| other.address == session.address);
            assert!(session.address.is_none() || same.nth(1).is_none(), "one address twice");
            let mut same = sessions.iter().filter(|other| other.ipv6 == session.ipv6);
            assert!(session.ipv6.is_none() || same.nth(1).is_none(), "one IPv6 address twice");
        }
    }
}
