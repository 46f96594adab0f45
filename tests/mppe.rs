//! MPPE over bad lines: our sender with models of the peers that receive, models of the peers that
//! send with our receiver; loss, outages, duplicates, late and spoofed packets. Seeded, so that a
//! failure repeats.

#[path = "common/mppe_peers.rs"]
mod mppe_peers;

use std::collections::VecDeque;

use mppe_peers::{KINDS, Kind, Receiver, Sender};
use pptp::limits::REKEYS_PER_PACKET;
use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::reason::Discard;

const START: [u8; 16] = *b"a start key, 128";
const STATEFUL: Method = Method { strength: Strength::Bits128, stateful: true };
const STATELESS: Method = Method { strength: Strength::Bits128, stateful: false };

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn octets(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.roll() as u8).collect()
    }
}

/// An inner IPv4 packet that carries its number; every third protocol field is compressed.
fn clear(number: u32) -> Vec<u8> {
    let padding = (number % 7) as usize;
    let mut header = vec![0x45, 0, 0, (24 + padding) as u8, 0, 0, 0, 0, 64, 17, 0, 0];
    header.extend_from_slice(&[192, 168, 77, 10, 192, 168, 77, 1]);
    let words = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum = words.sum::<u32>();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    let protocol: &[u8] = if number.is_multiple_of(3) { &[0x21] } else { &[0x00, 0x21] };
    [protocol, &header, &number.to_be_bytes(), &vec![0; padding]].concat()
}

/// The number in an inner packet that `clear` made.
fn number(octets: &[u8]) -> Option<u32> {
    let at = if octets.first() == Some(&0x21) { 21 } else { 22 };
    let number = u32::from_be_bytes(octets.get(at..at + 4)?.try_into().ok()?);
    (octets == clear(number)).then_some(number)
}

fn seal(encryptor: &mut Encryptor, clear: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    assert!(packet.set(clear));
    encryptor.seal(&mut packet);
    packet.data().to_vec()
}

/// Opens a packet and holds the bound on work.
fn open(decryptor: &mut Decryptor, wire: &[u8]) -> Result<Vec<u8>, Discard> {
    let mut packet = Packet::new();
    assert!(packet.set(wire));
    let before = decryptor.key_changes();
    let result = decryptor.open(&mut packet);
    let work = decryptor.key_changes() - before;
    assert!(work <= u32::from(REKEYS_PER_PACKET), "{work} key changes for one packet");
    if result == Err(Discard::MppeLate) || result == Err(Discard::MppeHeader) {
        assert_eq!(work, 0);
    }
    result.map(|()| packet.data().to_vec())
}

fn count(wire: &[u8]) -> u16 {
    u16::from_be_bytes([wire[0], wire[1]]) % 4096
}

/// After a loss at any place between flag packets, and of any length short of a round, the packet
/// after the reset is read by every kind of peer.
#[test]
fn one_reset_after_every_place_and_length() {
    for kind in KINDS {
        for lost in [1, 2, 30, 255, 256, 257, 700, 3500] {
            let mut encryptor = Encryptor::new(&START, STATEFUL);
            let mut peer = Receiver::new(kind, START);
            for place in (0..256).step_by(if lost > 30 { 15 } else { 1 }) {
                for number in 0..=place {
                    let wire = seal(&mut encryptor, &clear(number));
                    assert_eq!(peer.receive(&wire), Some(clear(number)), "{kind:?} {place}");
                }
                for number in 0..lost {
                    seal(&mut encryptor, &clear(number));
                }
                let seen = seal(&mut encryptor, &clear(7));
                if kind == Kind::Linux || count(&seen) & 0xff != 0xff {
                    assert_eq!(peer.receive(&seen), None);
                }
                encryptor.reset();
                encryptor.reset();
                let flushed = seal(&mut encryptor, &clear(8));
                assert_eq!(count(&flushed) & 0xff, 0xff);
                assert_eq!(peer.receive(&flushed), Some(clear(8)), "{kind:?} {place} {lost}");
            }
        }
    }
}

/// Packets and Reset-Requests get lost, requests take time; whatever a peer reads is right, and
/// when the losses end it reads everything.
#[test]
fn our_sender_and_every_peer_over_a_bad_line() {
    for kind in KINDS {
        for seed in 1..=8 {
            let mut dice = Dice(seed);
            let (loss, delay) = (1 + dice.below(30), dice.below(40) as u32);
            let mut encryptor = Encryptor::new(&START, STATEFUL);
            let mut peer = Receiver::new(kind, START);
            let mut request = None;
            let mut misread = 0;
            for number in 0..12_000 {
                if request.is_some_and(|due| due <= number) {
                    request = None;
                    encryptor.reset();
                }
                let wire = seal(&mut encryptor, &clear(number));
                let is_good = number > 10_000;
                if !is_good && dice.percent(loss) {
                    continue;
                }
                match peer.receive(&wire) {
                    Some(octets) => assert_eq!(octets, clear(number), "{kind:?} seed {seed}"),
                    None if request.is_some() => misread += u32::from(number > 11_000),
                    None => {
                        misread += u32::from(number > 11_000);
                        let arrives = is_good || !dice.percent(loss);
                        request = arrives.then_some(number + delay);
                    }
                }
            }
            assert_eq!(misread, 0, "{kind:?} seed {seed}");
        }
    }
}

/// A peer's packets on their way to us: lost, doubled, late, and spoofed ones among them.
struct Line {
    dice: Dice,
    loss: u64,
    trouble: u64,
    flying: VecDeque<Vec<u8>>,
    read: Vec<u32>,
}

impl Line {
    fn new(seed: u64) -> Line {
        let mut dice = Dice(seed);
        let (loss, trouble) = (dice.below(20), dice.below(10));
        Line { dice, loss, trouble, flying: VecDeque::new(), read: Vec::new() }
    }

    fn carry(&mut self, wire: Vec<u8>) {
        if self.dice.percent(self.loss) {
            return;
        }
        if self.dice.percent(self.trouble) {
            self.flying.push_back(wire.clone());
        }
        if self.dice.percent(self.trouble) {
            let place = self.flying.len().saturating_sub(self.dice.below(5) as usize);
            self.flying.insert(place, wire.clone());
        }
        if self.dice.percent(self.trouble) {
            let bits = if self.dice.percent(50) { 0x9000 } else { 0x1000 };
            let near = count(&wire).wrapping_add(self.dice.below(300) as u16) % 4096;
            let spoofed = [&(bits | near).to_be_bytes(), &self.dice.octets(60)[..]].concat();
            self.flying.push_back(spoofed);
        }
        self.flying.push_back(wire);
    }

    /// Reads what has arrived. Numbers only go up: nothing is read twice.
    fn arrive(&mut self, decryptor: &mut Decryptor) {
        while self.flying.len() > 6 {
            let Some(wire) = self.flying.pop_front() else { break };
            let Ok(octets) = open(decryptor, &wire) else { continue };
            let Some(number) = number(&octets) else { continue };
            assert!(self.read.last().is_none_or(|&last| last < number));
            self.read.push(number);
        }
    }

    /// Every packet of a good line from `first` on was read.
    fn all_since(&self, first: u32, end: u32) -> bool {
        self.read.iter().filter(|&&number| number >= first).count() == (end - first) as usize
    }
}

#[test]
fn every_stateful_peer_and_our_receiver_over_a_bad_line() {
    for kind in KINDS {
        for seed in 1..=3 {
            let mut line = Line::new(seed);
            let mut decryptor = Decryptor::new(&START, STATEFUL);
            let mut sender = Sender::new(kind, START);
            for number in 0..10_000 {
                if number == 8_000 {
                    (line.loss, line.trouble) = (0, 0);
                }
                if decryptor.awaits_reset() && number % 16 == 0 && !line.dice.percent(line.loss) {
                    sender.reset();
                }
                line.carry(sender.send(&clear(number)));
                line.arrive(&mut decryptor);
            }
            assert!(line.read.len() > 2500, "{kind:?} seed {seed}: {}", line.read.len());
            assert!(line.all_since(9_000, 9_994), "{kind:?} seed {seed}");
            assert!(!decryptor.awaits_reset());
        }
    }
}

#[test]
fn our_own_stateful_sender_and_receiver() {
    let mut line = Line::new(5);
    let (mut encryptor, mut decryptor) =
        (Encryptor::new(&START, STATEFUL), Decryptor::new(&START, STATEFUL));
    for number in 0..10_000 {
        if number == 8_000 {
            (line.loss, line.trouble) = (0, 0);
        }
        if decryptor.awaits_reset() && number % 16 == 0 {
            encryptor.reset();
        }
        line.carry(seal(&mut encryptor, &clear(number)));
        line.arrive(&mut decryptor);
    }
    assert!(line.all_since(9_000, 9_994));
}

/// Stateless, every packet that arrives in order is read, whatever else arrives.
#[test]
fn stateless_over_a_bad_line() {
    for seed in 1..=3 {
        let mut line = Line::new(seed);
        let (mut encryptor, mut decryptor) =
            (Encryptor::new(&START, STATELESS), Decryptor::new(&START, STATELESS));
        for number in 0..10_000 {
            if number == 9_000 {
                (line.loss, line.trouble) = (0, 0);
            }
            line.carry(seal(&mut encryptor, &clear(number)));
            line.arrive(&mut decryptor);
        }
        assert!(line.read.len() > 7_000, "seed {seed}: {}", line.read.len());
        assert!(line.all_since(9_010, 9_994), "seed {seed}");
        assert!(!decryptor.awaits_reset());
    }
}

/// After an outage the receiver catches up within a bounded number of packets, at a bounded price
/// for each. Counts that look late (the last 64 of a round) and then
/// counts that look near but are a round further are waited out.
#[test]
fn stateless_outages() {
    for outage in [1, 2, 100, 255, 256, 257, 1000, 3839, 4030, 4040, 4090, 4096, 4097, 5000, 20_000]
    {
        let (mut encryptor, mut decryptor) =
            (Encryptor::new(&START, STATELESS), Decryptor::new(&START, STATELESS));
        for number in 0..outage {
            let wire = seal(&mut encryptor, &clear(number));
            if number < 10 {
                assert_eq!(open(&mut decryptor, &wire), Ok(clear(number)));
            }
        }
        let reach = u32::from(REKEYS_PER_PACKET);
        let waited = if outage > 3900 { 64 + reach } else { 0 };
        let missed = until_read(&mut encryptor, &mut decryptor);
        assert!(missed <= waited + (outage + waited) / reach + 1, "{outage}: {missed} missed");
        assert_eq!(open(&mut decryptor, &seal(&mut encryptor, &clear(2))), Ok(clear(2)));
    }
}

/// Packets sent before one is read.
fn until_read(encryptor: &mut Encryptor, decryptor: &mut Decryptor) -> u32 {
    let mut is_read = || open(decryptor, &seal(encryptor, &clear(1))).is_ok();
    (0..2000).find(|_| is_read()).expect("never read again")
}

/// In stateful mode the peer is asked for a reset, whatever its kind and however long the outage.
#[test]
fn stateful_outages() {
    for kind in KINDS {
        for outage in [1, 255, 256, 300, 4000, 4031, 4032, 4096, 5000] {
            let mut decryptor = Decryptor::new(&START, STATEFUL);
            let mut sender = Sender::new(kind, START);
            for number in 0..=outage {
                let wire = sender.send(&clear(number));
                assert!(number > 0 || open(&mut decryptor, &wire) == Ok(clear(0)));
            }
            let missed = (0..2000).find(|number| {
                if decryptor.awaits_reset() && number % 8 == 0 {
                    sender.reset();
                }
                open(&mut decryptor, &sender.send(&clear(*number))) == Ok(clear(*number))
            });
            assert!(missed.is_some_and(|missed| missed <= 80), "{kind:?} {outage}: {missed:?}");
        }
    }
}

/// A search that a spoofed packet began is forgotten when the true packets go on.
#[test]
fn an_outage_long_after_a_spoofed_jump() {
    let (mut encryptor, mut decryptor) =
        (Encryptor::new(&START, STATELESS), Decryptor::new(&START, STATELESS));
    assert!(open(&mut decryptor, &[0x97, 0xd0, 1, 2, 3]).is_err());
    for number in 0..1900 {
        let wire = seal(&mut encryptor, &clear(number));
        assert_eq!(open(&mut decryptor, &wire), Ok(clear(number)));
    }
    let reach = u32::from(REKEYS_PER_PACKET);
    for _ in 0..reach + 10 {
        seal(&mut encryptor, &clear(0));
    }
    assert_eq!(until_read(&mut encryptor, &mut decryptor), 1);
}

/// Late and doubled packets are no reason to ask for a reset, missing ones are, and the missing
/// ones are read when they still come.
#[test]
fn when_a_reset_is_awaited() {
    let (mut encryptor, mut decryptor) =
        (Encryptor::new(&START, STATEFUL), Decryptor::new(&START, STATEFUL));
    let wires: Vec<_> = (0..4).map(|number| seal(&mut encryptor, &clear(number))).collect();
    for wire in [&wires[0], &wires[1]] {
        assert!(open(&mut decryptor, wire).is_ok());
        assert_eq!(open(&mut decryptor, wire), Err(Discard::MppeLate));
    }
    assert_eq!(open(&mut decryptor, &wires[0]), Err(Discard::MppeLate));
    assert!(!decryptor.awaits_reset());
    assert_eq!(open(&mut decryptor, &wires[3]), Err(Discard::MppeReset));
    assert!(decryptor.awaits_reset());
    assert_eq!(open(&mut decryptor, &wires[2]), Ok(clear(2)));
    assert!(!decryptor.awaits_reset());
    assert_eq!(open(&mut decryptor, &wires[3]), Ok(clear(3)));
}

/// Each packet among twenty spoofed ones is read, and none of those.
#[test]
fn a_flood_of_spoofed_packets_changes_nothing() {
    let mut dice = Dice(3);
    for method in [STATELESS, STATEFUL] {
        let (mut encryptor, mut decryptor) =
            (Encryptor::new(&START, method), Decryptor::new(&START, method));
        for number in 0..50 {
            for _ in 0..20 {
                let ahead = (number as u16).wrapping_add(1 + dice.below(4095) as u16) % 4096;
                let bits = if method.stateful { 0x1000 } else { 0x9000 };
                let len = dice.below(80);
                let spoofed = [&(bits | ahead).to_be_bytes(), &dice.octets(len)[..]].concat();
                assert!(open(&mut decryptor, &spoofed).is_err());
            }
            let wire = seal(&mut encryptor, &clear(number));
            assert_eq!(open(&mut decryptor, &wire), Ok(clear(number)));
        }
    }
}

/// The count that is expected, too: a spoofed packet must decrypt to a protocol field.
#[test]
fn spoofed_packets_with_the_expected_count() {
    let mut dice = Dice(4);
    for method in [STATELESS, STATEFUL] {
        let mut decryptor = Decryptor::new(&START, method);
        let bits: u16 = if method.stateful { 0x1000 } else { 0x9000 };
        let spoofed: Vec<_> = (0..400)
            .map(|_| [&bits.to_be_bytes(), &dice.octets(40)[..]].concat())
            .filter(|wire| open(&mut Decryptor::new(&START, method), wire).is_err())
            .collect();
        assert!(spoofed.len() > 385, "{} of 400 refused", spoofed.len());
        for wire in &spoofed {
            assert_eq!(open(&mut decryptor, wire), Err(Discard::MppeJump));
        }
        let wire = seal(&mut Encryptor::new(&START, method), &clear(0));
        assert_eq!(open(&mut decryptor, &wire), Ok(clear(0)));
    }
}

#[test]
fn headers_that_are_not_mppe() {
    let wire = seal(&mut Encryptor::new(&START, STATELESS), &clear(0));
    let mut decryptor = Decryptor::new(&START, STATELESS);
    // Nothing, half a header, not encrypted, compressed, not flushed although stateless.
    for header in [&[][..], &[0x90], &[0x80, 0], &[0xb0, 0], &[0x10, 0]] {
        let octets = [header, if header.len() < 2 { &[] } else { &wire[2..] }].concat();
        assert_eq!(open(&mut decryptor, &octets), Err(Discard::MppeHeader));
    }
    assert_eq!(open(&mut decryptor, &wire), Ok(clear(0)));
}

#[test]
fn any_octets_of_any_length() {
    let mut dice = Dice(6);
    for method in [STATELESS, STATEFUL] {
        for strength in [Strength::Bits40, Strength::Bits56, Strength::Bits128] {
            let mut decryptor = Decryptor::new(&START, Method { strength, ..method });
            for len in (0..100).chain([1400, 1500, 1984]) {
                let mut octets = dice.octets(len);
                for first in [None, Some(0x10), Some(0x90)] {
                    if let (Some(octet), Some(first)) = (octets.first_mut(), first) {
                        *octet = first;
                    }
                    let _ = open(&mut decryptor, &octets);
                }
            }
        }
    }
}

/// Payload octets of every length pass unchanged, and only the header is added.
#[test]
fn all_lengths_there_and_back() {
    for method in [STATELESS, STATEFUL] {
        let (mut encryptor, mut decryptor) =
            (Encryptor::new(&START, method), Decryptor::new(&START, method));
        for len in 2..1504 {
            let mut clear = vec![0x5a; len];
            clear[..2].copy_from_slice(&[0x00, 0x21]);
            let wire = seal(&mut encryptor, &clear);
            assert_eq!(wire.len(), len + 2);
            assert_eq!(open(&mut decryptor, &wire), Ok(clear));
        }
    }
}
