//! MPPE over a line that the fuzzer rules: sender and receiver of the library with each other and,
//! for 128 bits, with the models of other peers, which have an RC4 and keys of their own. What is
//! read is what was sent, and work per packet is bounded.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use pptp::limits::REKEYS_PER_PACKET;
use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::reason::Discard;

use super::common::inner::numbered;
use super::common::mppe_peers::{KINDS, Kind, Receiver, Sender, rc4};
use super::input::Input;
use rc4::StreamCipher;
use sha1::{Digest, Sha1};

const START: [u8; 16] = *b"a start key, 128";

/// The first octet chooses: strength, mode, who sends, who receives.
pub fn mppe(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.u8();
    let strength = [Strength::Bits128, Strength::Bits56, Strength::Bits40][usize::from(first) % 3];
    let method = Method { strength, stateful: first & 0x80 != 0 };
    let has_model = strength == Strength::Bits128 && method.stateful;
    let kind = KINDS[usize::from(first >> 2) % 3];
    match first >> 5 & 3 {
        1 if has_model => to_model(kind, &mut input),
        2 if has_model => from_line(Peer::Model(Sender::new(kind, START)), method, &mut input),
        _ => from_line(Peer::Own(Encryptor::new(&START, method)), method, &mut input),
    }
}

enum Peer {
    Own(Encryptor),
    Model(Sender),
}

impl Peer {
    fn seal(&mut self, clear: &[u8]) -> Vec<u8> {
        match self {
            Peer::Own(encryptor) => seal(encryptor, clear),
            Peer::Model(sender) => sender.send(clear),
        }
    }

    fn reset(&mut self) {
        match self {
            Peer::Own(encryptor) => encryptor.reset(),
            Peer::Model(sender) => sender.reset(),
        }
    }
}

fn seal(encryptor: &mut Encryptor, clear: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    assert!(packet.set(clear));
    encryptor.seal(&mut packet);
    assert_eq!(packet.len(), clear.len() + 2);
    packet.data().to_vec()
}

/// An inner packet with its protocol field.
fn clear(number: u32, len: u8) -> Vec<u8> {
    let (source, destination) = (Ipv4Addr::new(192, 168, 77, 10), Ipv4Addr::new(10, 0, 0, 1));
    let packet = numbered(source, destination, number, usize::from(len) * 6);
    let field: &[u8] = if number.is_multiple_of(3) { &[0x21] } else { &[0x00, 0x21] };
    [field, &packet].concat()
}

fn open(decryptor: &mut Decryptor, wire: &[u8]) -> Result<Vec<u8>, Discard> {
    let mut packet = Packet::new();
    assert!(packet.set(wire));
    let before = decryptor.key_changes();
    let result = decryptor.open(&mut packet);
    let work = decryptor.key_changes().wrapping_sub(before);
    assert!(work <= u32::from(REKEYS_PER_PACKET), "{work} key changes for one packet");
    if matches!(result, Err(Discard::MppeLate | Discard::MppeHeader)) {
        assert_eq!(work, 0);
    }
    result.map(|()| {
        assert_eq!(packet.len() + 2, wire.len());
        packet.data().to_vec()
    })
}

/// More than these missed packets, or flushed ones of a sender that changes its key for each, are
/// not caught up in stateful mode: the receiver tries only so many keys.
const MISSED: usize = 3000;
const RESETS: usize = 8;

/// Counts up to the last one read that are never read again. Of a flushed packet from before that
/// the receiver cannot know whether it is old: the tunnel does, by its own numbers.
const LATE: u16 = 64;

/// Packets that were sent, and what they mean.
struct Line {
    peer: Peer,
    decryptor: Decryptor,
    flying: VecDeque<(Vec<u8>, Vec<u8>)>,
    /// The number of the next packet.
    next: u32,
    /// Number and count of the packet that was read last.
    read: Option<(u32, u16)>,
    /// Packets that were not read, and resets, since one was.
    missed: usize,
    resets: usize,
    /// Something spoofed was believed: MPPE cannot know, and what follows may be misread.
    fooled: bool,
}

fn from_line(peer: Peer, method: Method, input: &mut Input) {
    let decryptor = Decryptor::new(&START, method);
    let flying = VecDeque::new();
    let (next, missed, resets) = (0, 0, 0);
    let mut line =
        Line { peer, decryptor, flying, next, read: None, missed, resets, fooled: false };
    while !input.is_empty() && line.missed < MISSED && line.resets < RESETS {
        line.step(input);
    }
    line.recover();
}

impl Line {
    fn step(&mut self, input: &mut Input) {
        match input.below(10) {
            0 => self.send(input.u8()),
            1 => (0..input.u8()).for_each(|_| self.send(0)),
            2 => {
                self.missed += 1;
                self.flying.pop_front();
            }
            3 => self.lose(input.u16() % 5000),
            4 => {
                let late = self.flying.pop_front();
                let at = input.below(self.flying.len() + 1);
                late.into_iter().for_each(|late| self.flying.insert(at, late));
            }
            5 => {
                let Some((clear, wire)) = self.flying.front().cloned() else { return };
                self.flying.push_back((clear, wire));
            }
            6 => {
                self.resets += 1;
                self.peer.reset();
            }
            7 => self.spoof(input.octets()),
            8 => self.corrupt(input.u16()),
            _ => (0..1 + input.u8() % 64).for_each(|_| self.arrive()),
        }
    }

    fn send(&mut self, len: u8) {
        if self.flying.len() < 400 {
            let clear = clear(self.next, len);
            self.next += 1;
            let wire = self.peer.seal(&clear);
            self.flying.push_back((clear, wire));
        }
    }

    fn lose(&mut self, count: u16) {
        self.missed += usize::from(count);
        for _ in 0..count {
            self.peer.seal(&clear(0, 0));
        }
    }

    fn spoof(&mut self, wire: &[u8]) {
        self.fooled |= open(&mut self.decryptor, wire).is_ok();
    }

    /// Line noise: one octet of the next packet differs.
    fn corrupt(&mut self, at: u16) {
        let Some((_, mut wire)) = self.flying.pop_front() else { return };
        let at = usize::from(at) % wire.len();
        wire[at] ^= 1 << (at % 8);
        self.spoof(&wire);
    }

    fn arrive(&mut self) {
        let Some((clear, wire)) = self.flying.pop_front() else { return };
        self.missed += 1;
        let Ok(octets) = open(&mut self.decryptor, &wire) else { return };
        (self.missed, self.resets) = (0, 0);
        if self.fooled {
            return;
        }
        assert_eq!(octets, clear);
        let (number, count) = (number_of(&clear), u16::from_be_bytes([wire[0], wire[1]]));
        let is_late = |(_, read): (u32, u16)| read.wrapping_sub(count) % 4096 < LATE;
        assert!(self.read.is_none_or(|read| read.0 < number || !is_late(read)), "read twice");
        self.read = Some((number, count));
    }

    /// On a good line everything is read again, soon: whatever came before.
    fn recover(&mut self) {
        self.flying.clear();
        let is_read = (0..1500).any(|number| {
            if self.decryptor.awaits_reset() && number % 8 == 0 {
                self.peer.reset();
            }
            let clear = clear(number, 0);
            let wire = self.peer.seal(&clear);
            open(&mut self.decryptor, &wire) == Ok(clear)
        });
        assert!(is_read, "never read again");
    }
}

fn number_of(clear: &[u8]) -> u32 {
    super::common::inner::number(&clear[if clear[0] == 0x21 { 1 } else { 2 }..])
}

/// Counts that a receiver can miss between two packets that it reads: after a whole round of 4096
/// nobody can know how often the key changed.
const ROUND: u16 = 3800;

/// Our sender and the receiver of another kind. Losses, then a reset: what is read is right.
fn to_model(kind: Kind, input: &mut Input) {
    let method = Method { strength: Strength::Bits128, stateful: true };
    let (mut encryptor, mut peer) = (Encryptor::new(&START, method), Receiver::new(kind, START));
    let (mut number, mut read) = (0, 0);
    while !input.is_empty() {
        let (lost, len) = (input.below(4) == 1, input.u8());
        let count = if lost { input.u16() % ROUND } else { 1 + u16::from(input.u8()) };
        for _ in 0..count {
            number += 1;
            let wire = seal(&mut encryptor, &clear(number, len));
            let at = u16::from_be_bytes([wire[0], wire[1]]) % 4096;
            if at.wrapping_sub(read) % 4096 > ROUND {
                return;
            }
            match Some(&wire).filter(|_| !lost).map(|wire| peer.receive(wire)) {
                None => {}
                Some(None) => encryptor.reset(),
                Some(Some(octets)) => {
                    assert_eq!(octets, clear(number, len));
                    read = at;
                }
            }
        }
    }
    let is_read = (0..3).any(|_| {
        let octets = peer.receive(&seal(&mut encryptor, &clear(number, 0)));
        encryptor.reset();
        octets == Some(clear(number, 0))
    });
    assert!(is_read, "never read again by {kind:?}");
}

/// RC4 with a key of any length, in pieces of any length and at any place of a packet's buffer: the same
/// as another one's, and back. And rows of new session keys.
pub fn arc4(data: &[u8]) {
    key_changes(data);
    let mut input = Input::new(data);
    let mut key = input.octets().to_vec();
    if key.is_empty() {
        key.push(0);
    }
    let (mut ours, mut theirs) = (pptp_cipher::Arc4::new(&key), rc4(&key));
    let mut buffer = pptp_cipher::Buffer([0; pptp_cipher::BUFFER]);
    while !input.is_empty() {
        let clear = input.octets();
        let mut right = clear.to_vec();
        theirs.apply_keystream(&mut right);
        let start = right.iter().map(|&octet| usize::from(octet)).sum::<usize>() % 64;
        let end = start + clear.len();
        match buffer.0.get_mut(start..end) {
            Some(room) => {
                room.copy_from_slice(clear);
                ours.apply_in(&mut buffer, start, end);
                assert_eq!(buffer.0[start..end], right);
            }
            None => {
                let mut left = clear.to_vec();
                ours.apply(&mut left);
                assert_eq!(left, right);
            }
        }
    }
}

/// New session keys (RFC 3079 section 3.4) by SHA-1 and RC4 of others, and SHA-1 of anything.
fn key_changes(data: &[u8]) {
    assert_eq!(pptp_cipher::sha1(&[data])[..], Sha1::digest(data)[..]);
    let (Some(start), Some(first)) = (data.first_chunk::<16>(), data.last_chunk::<16>()) else {
        return;
    };
    let (mut ours, mut theirs, change) = (*first, *first, pptp_cipher::KeyChange::new(start));
    let pptp_cipher::Scratch(mut cipher) = pptp_cipher::Scratch::blank();
    for _ in 0..3 {
        change.change(&mut ours, &mut cipher);
        let hash = Sha1::new().chain_update(start).chain_update([0; 40]).chain_update(theirs);
        let interim = hash.chain_update([0xf2; 40]).finalize();
        theirs.copy_from_slice(&interim[..16]);
        rc4(&interim[..16]).apply_keystream(&mut theirs);
        assert_eq!(ours, theirs);
    }
}
