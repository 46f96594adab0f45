//! The operations.

use std::net::Ipv4Addr;

use pptp::config::Mppe;
use pptp::wire::gre;
use pptp::wire::pptp::{Disconnect, Message};

use super::super::client::Manners;
use super::super::common::caller::{call_request, gre_octets, octets_of, start_request};
use super::super::common::inner::numbered;
use super::super::common::layer::frame;
use super::super::input::Input;
use super::bed::{Bed, SEALED, config};

/// Connections and calls in one row of operations.
const CONNECTIONS: usize = 24;
const CALLS: usize = 32;

const PROTOCOLS: [u16; 8] = [0xc021, 0xc223, 0x80fd, 0x8021, 0x00fd, 0x0021, 0xc023, 0x8057];

impl Bed<'_> {
    pub fn step(&mut self, input: &mut Input) {
        match input.below(26) {
            0 => drop(self.accept(input)),
            1 | 2 => self.dial(input),
            3 => self.say(input),
            4 => self.babble(input),
            5..=7 => self.deliver(1 + input.u8() % 32),
            8 => self.down.truncate(input.below(8)),
            9 => drop(self.down.pop_front()),
            10 => self.send_packet(input),
            11 => self.send_many(input),
            12 => self.send_raw(input),
            13 => self.send_options(input),
            14 => self.send_numbered(input),
            15 => self.spoof(input),
            16 => self.repeat(input),
            17 => self.lan_packet(input),
            18 => self.lan_raw(input),
            19 => self.wait(u64::from(input.u8()) * 10),
            20 => self.wait(u64::from(input.u8()) * 500),
            21 => self.until_due(1 + input.below(8)),
            22 => self.change(input),
            23 => self.renegotiate(input),
            24 => self.hang_up(input),
            _ => self.rare(input),
        }
    }

    /// One that is connected, by preference.
    fn connection(&self, input: &mut Input) -> Option<usize> {
        let count = self.connections.len();
        let at = input.below(count.max(1));
        let order = (0..count).map(|step| (at + count - step) % count);
        order.into_iter().find(|&at| self.connections[at].id.is_some())
    }

    /// A call that the server accepted, the last ones by preference.
    pub fn end(&self, input: &mut Input) -> Option<usize> {
        let back = input.below(4);
        let mut accepted = (0..self.ends.len()).rev().filter(|&at| self.ends[at].server_id != 0);
        let first = accepted.next();
        accepted.nth(back.wrapping_sub(1).min(CALLS)).filter(|_| back > 0).or(first)
    }

    fn accept(&mut self, input: &mut Input) -> Option<usize> {
        let last = 1 + input.u8() % 4;
        if self.connections.len() >= CONNECTIONS {
            return None;
        }
        let at = self.connect(last)?;
        self.settle();
        Some(at)
    }

    /// A whole call as a caller makes it, and some way of its login.
    fn dial(&mut self, input: &mut Input) {
        let Some(at) = self.accept(input) else { return };
        let manners = Manners::chosen(input.u16());
        self.hear(at, &octets_of(&start_request()));
        self.settle();
        self.ask_for_call(at, manners);
        self.deliver(input.u8() % 64);
    }

    fn deliver(&mut self, count: u8) {
        for _ in 0..count {
            self.arrive();
        }
    }

    pub fn ask_for_call(&mut self, at: usize, manners: Manners) {
        if self.ends.len() < CALLS {
            let own_id = 100 + self.ends.len() as u16;
            self.expect_call(at, own_id, manners);
            self.hear(at, &octets_of(&call_request(own_id)));
            self.settle();
        }
    }

    /// A good message, in two pieces, at any time.
    fn say(&mut self, input: &mut Input) {
        let Some(at) = self.connection(input) else { return };
        let call_id = 100 + u16::from(input.u8() % 8);
        let octets = match input.below(12) {
            0 => octets_of(&start_request()),
            1 => return self.ask_for_call(at, Manners::chosen(input.u16())),
            2 => octets_of(&call_request(call_id)),
            3 => octets_of(&Message::CallClearRequest { call_id }),
            4 => octets_of(&Message::EchoRequest { identifier: 7 }),
            5 => octets_of(&Message::EchoReply { identifier: 1, result: 1, error: 0 }),
            6 => octets_of(&Message::StopRequest { reason: 1 }),
            7 => octets_of(&Message::StopReply { result: 1, error: 0 }),
            8 => octets_of(&Message::IncomingCallRequest { call_id }),
            9 => {
                let notify = Disconnect { call_id, result: 1, error: 0, cause: 0 };
                octets_of(&Message::CallDisconnectNotify(notify))
            }
            10 => octets_of(&Message::WanErrorNotify { peer_call_id: call_id }),
            _ => octets_of(&Message::SetLinkInfo {
                peer_call_id: call_id,
                send_accm: 0,
                receive_accm: u32::MAX,
            }),
        };
        let (first, second) = octets.split_at(usize::from(input.u8()) % octets.len());
        self.hear(at, first);
        self.settle();
        self.hear(at, second);
    }

    /// Octets of any kind, behind a good header or not.
    fn babble(&mut self, input: &mut Input) {
        let Some(at) = self.connection(input) else { return };
        let kind = input.u8();
        let body = input.octets();
        let mut octets = body.to_vec();
        if kind < 0x80 {
            let length = (12 + body.len() as u16).to_be_bytes();
            octets = vec![length[0], length[1], 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, kind % 17, 0, 0];
            octets.extend_from_slice(body);
        }
        self.hear(at, &octets);
    }

    /// An inner packet of a call; its source may be a lie.
    fn send_packet(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let (kind, len) = (input.u8(), usize::from(input.u8()) * 6);
        let source = match kind & 7 {
            0 => Ipv4Addr::new(192, 168, 77, 10 + kind / 64),
            1 => Ipv4Addr::new(10, 0, 0, 1),
            _ => self.ends[at].client.address(),
        };
        let number = if kind & 0x38 == 0x38 { 0x0057 } else { 0x0021 };
        let clear = numbered(source, Ipv4Addr::new(192, 168, 1, 5), 1, len);
        let octets = self.sealed(at, number, clear, kind & 0x38 == 0x30);
        self.send(at, &octets);
    }

    /// Bears the mark of the call if it is encrypted; `is_clear` leaves the encryption out.
    fn sealed(&mut self, at: usize, number: u16, mut clear: Vec<u8>, is_clear: bool) -> Vec<u8> {
        if is_clear || !self.ends[at].client.is_encrypted() {
            return [&number.to_be_bytes(), &clear[..]].concat();
        }
        let mark = SEALED | at as u16;
        clear[4..6].copy_from_slice(&mark.to_be_bytes());
        // The receiver looks at the checksum of packets behind a gap.
        clear[10..12].fill(0);
        let words = clear[..20].chunks(2);
        let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
        let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
        clear[10..12].copy_from_slice(&checksum.to_be_bytes());
        self.ends[at].client.inner(number, &clear)
    }

    /// A burst, in order or not.
    fn send_many(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let (count, mix) = (1 + u32::from(input.u8() % 40), input.u8());
        let first = self.ends[at].next_sequence;
        let address = self.ends[at].client.address();
        for number in 0..count {
            let clear = numbered(address, Ipv4Addr::new(192, 168, 1, 5), number, 40);
            let octets = self.sealed(at, 0x0021, clear, false);
            // Every so often two change places, or one is lost.
            let offset = match mix % 4 {
                1 => number ^ 1,
                2 => number ^ u32::from(mix / 4),
                3 if number % 7 == 3 => continue,
                _ => number,
            };
            self.send_as(at, first.wrapping_add(offset), &octets);
        }
        self.ends[at].next_sequence = first.wrapping_add(count);
    }

    /// A frame of any protocol with anything in it.
    fn send_raw(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let number = input.pick(&PROTOCOLS);
        let octets = [&number.to_be_bytes(), input.octets()].concat();
        self.send(at, &octets);
    }

    /// A control packet with the right length.
    fn send_options(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let number = input.pick(&PROTOCOLS[..4]);
        let (code, identifier) = (input.u8() % 18, input.u8());
        let octets = frame(number, code, identifier, input.octets());
        self.send(at, &octets);
    }

    /// A frame under any number: far ahead, behind, again.
    fn send_numbered(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let sequence = match input.below(4) {
            0 => input.u32(),
            1 => self.ends[at].next_sequence.wrapping_sub(u32::from(input.u8())),
            _ => self.ends[at].next_sequence.wrapping_add(u32::from(input.u8())),
        };
        let octets = input.octets();
        if octets.is_empty() {
            self.ends[at].next_sequence = sequence;
        } else {
            self.send_as(at, sequence, octets);
        }
    }

    /// A GRE packet of a stranger, or one that breaks the rules of its header.
    fn spoof(&mut self, input: &mut Input) {
        let kind = input.u8();
        let end = self.end(input);
        let from = match end {
            Some(at) if kind & 1 == 0 => self.connections[self.ends[at].connection].remote,
            _ => Ipv4Addr::new(203, 0, 113, kind >> 2),
        };
        if kind & 2 != 0 {
            let octets = input.octets().to_vec();
            return self.gre(from, octets);
        }
        let call_id = end.map_or(0, |at| self.ends[at].server_id);
        let sequence = end.map(|at| self.ends[at].next_sequence);
        let (acknowledgment, frame) = (Some(input.u32()), input.octets());
        let payload_length = frame.len() as u16;
        let header = gre::Header { payload_length, call_id, sequence, acknowledgment };
        self.gre(from, gre_octets(&header, frame));
    }

    fn repeat(&mut self, input: &mut Input) {
        let at = input.below(self.last.len().max(1));
        if let Some((from, octets)) = self.last.get(at).cloned() {
            self.gre(from, octets);
        }
    }

    /// A packet for a leased address, or not; too large, or not.
    fn lan_packet(&mut self, input: &mut Input) {
        let (kind, len) = (input.u8(), usize::from(input.u8()) * 6);
        let destination = Ipv4Addr::new(192, 168, 77, 9 + kind % 5);
        let mut octets = numbered(Ipv4Addr::new(192, 168, 1, 5), destination, 2, len);
        octets[6] = kind & 0x40;
        if kind & 0x80 != 0 {
            // A SYN segment with an MSS option of 1460.
            octets[9] = 6;
            octets.resize(44, 0);
            (octets[2], octets[3]) = (0, 44);
            (octets[32], octets[33]) = (0x60, 0x02);
            octets[40..44].copy_from_slice(&[2, 4, 0x05, 0xb4]);
        }
        self.lan(&octets);
    }

    fn lan_raw(&mut self, input: &mut Input) {
        let octets = input.octets().to_vec();
        self.lan(&octets);
    }

    pub fn wait(&mut self, millis: u64) {
        self.now = self.now + millis;
        self.run_timers();
    }

    /// Time jumps to the next thing that is due.
    pub fn until_due(&mut self, count: usize) {
        for _ in 0..count {
            let Some((at, _)) = self.server.poll_timeout() else { return };
            self.now = self.now.max(at);
            self.run_timers();
        }
    }

    /// Another configuration. Only if the first one does not insist on encryption may it change.
    fn change(&mut self, input: &mut Input) {
        let (variant, kind) = (input.u8(), input.u8());
        let mut new = config(variant);
        if self.is_strict {
            new.mppe = Mppe::Required;
        }
        new.mtu = [1400, 576, 1456, 1000][usize::from(kind) & 3];
        match kind >> 2 & 7 {
            1 => new.users.truncate(1),
            2 => new.users[0].secret.nt_hash = [0; 16],
            3 => new.users[0].enabled = false,
            4 => new.users[0].ip = Some(Ipv4Addr::new(192, 168, 77, 12)),
            5 => new.users[1].ip = Some(Ipv4Addr::new(192, 168, 99, 1)),
            6 => new.users.clear(),
            _ => {}
        }
        (new.max_per_address, new.echo_interval) = (1 + u16::from(kind >> 5), 10);
        self.server.reload(new, self.now);
    }

    fn renegotiate(&mut self, input: &mut Input) {
        let Some(at) = self.end(input) else { return };
        let number = input.pick(&[0xc021, 0x80fd, 0x8021, 0x8057]);
        for octets in self.ends[at].client.renegotiate(number) {
            self.send(at, &octets);
        }
    }

    fn hang_up(&mut self, input: &mut Input) {
        let Some(at) = self.connection(input) else { return };
        if let Some(id) = self.connections[at].id.take() {
            self.server.handle_close(id, self.now);
        }
    }

    fn rare(&mut self, input: &mut Input) {
        match input.below(8) {
            0 => {
                let name = input.pick(&["alice", "bob"]);
                self.server.disconnect(|call| call.user.as_deref() == Some(name), self.now);
            }
            1 => drop(self.server.disconnect(|_| true, self.now)),
            2 => self.server.reseed([input.u8(); 32]),
            3 => {
                self.is_stopped = true;
                self.server.shutdown(self.now);
            }
            4 => self.send_ipv6(input),
            5 => self.lan_ipv6(input),
            6 => self.change_ipv6(input),
            _ => {
                let Some(at) = self.connection(input) else { return };
                self.connections[at].is_deaf ^= true;
            }
        }
    }
}
