//! `pptp-bench WHAT OCTETS COUNT`: so many packets through one part of the server. Two runs with
//! different counts tell what one packet costs.
//!
//! WHAT is `seal`, or `open` with the `seal` before it (MPPE alone); `down` (the whole library: a packet
//! from the LAN to a caller), `up` (a caller's packet to the LAN) with what the caller does itself, or
//! `caller` (that alone).

#[allow(dead_code)] // the tests use the rest
#[path = "../../common/mod.rs"]
mod common;

use std::hint::black_box;

use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::session::{Forward, Taken};
use pptp::wire::gre::Header;

use common::caller::gre_octets;
use common::habits::{Encryption, Habits, MIKROTIK, STATELESS_128};
use common::inner::numbered;
use common::world::{LAN, World, config, in_world};

const KEY: [u8; 16] = *b"0123456789abcdef";
const METHOD: Method = Method { strength: Strength::Bits128, stateful: false };

/// Packets that are ready before the first one is taken: as many as a peer may have outstanding.
const ROUND: usize = 64;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, what, octets, count] = &words[..] else { panic!("usage: pptp-bench WHAT OCTETS COUNT") };
    let (octets, count) = (octets.parse().expect("octets"), count.parse().expect("a count"));
    match what.as_str() {
        "seal" => seal(octets, count),
        "open" => open(octets, count),
        "down" => whole(octets, count, round_down),
        "up" => whole(octets, count, |world, at, octets| round_up(world, at, octets, true)),
        "caller" => whole(octets, count, |world, at, octets| round_up(world, at, octets, false)),
        _ => panic!("no such part: {what}"),
    }
}

fn inner(octets: usize) -> Vec<u8> {
    let ip = numbered(LAN, [192, 168, 77, 10].into(), 1, octets);
    [&[0, 0x21], &ip[..]].concat()
}

fn seal(octets: usize, count: usize) {
    let (mut encryptor, inner, mut packet) =
        (Encryptor::new(&KEY, METHOD), inner(octets), Packet::new());
    for _ in 0..count {
        packet.set(&inner);
        encryptor.seal(&mut packet);
        black_box(packet.data());
    }
}

fn open(octets: usize, count: usize) {
    let mut encryptor = Encryptor::new(&KEY, METHOD);
    let mut decryptor = Decryptor::new(&KEY, METHOD);
    let (inner, mut packet) = (inner(octets), Packet::new());
    for _ in 0..count {
        packet.set(&inner);
        encryptor.seal(&mut packet);
        decryptor.open(&mut packet).expect("our own packet");
        black_box(packet.data());
    }
}

fn whole(octets: usize, count: usize, round: impl Fn(&mut World, usize, usize)) {
    let habits = Habits { encryption: Encryption::Wants(STATELESS_128, &[STATELESS_128]), ..MIKROTIK };
    in_world(config(), 1, |world| {
        let at = world.open(1, habits);
        (0..count / ROUND).for_each(|_| round(world, at, octets));
    });
}

fn round_up(world: &mut World, at: usize, octets: usize, arrives: bool) {
    let call = &mut world.callers[at].calls[0];
    let (call_id, first) = (call.server_id, call.next_sequence);
    let ppp = call.model_mut();
    let address = ppp.address();
    (0..ROUND).for_each(|number| ppp.send_ip(&numbered(address, LAN, number as u32, octets)));
    let frames = std::mem::take(&mut ppp.out);
    call.next_sequence = first.wrapping_add(ROUND as u32);
    let mut packet = Packet::new();
    for (sequence, frame) in (first..).zip(frames) {
        let payload_length = frame.len() as u16;
        let header = Header { payload_length, call_id, sequence: Some(sequence), acknowledgment: Some(0) };
        packet.set(&gre_octets(&header, &frame));
        if arrives {
            take(world, at, &mut packet);
        }
    }
}

#[inline(never)]
fn take(world: &mut World, at: usize, packet: &mut Packet) {
    let from = world.callers[at].address;
    assert_eq!(world.server.handle_gre(from, packet, world.now), Ok(Taken::Tun));
    assert_eq!(world.server.poll_tun(packet, world.now), Taken::Nothing);
    while world.server.poll_gre(packet, world.now).is_some() {}
}

fn round_down(world: &mut World, at: usize, octets: usize) {
    let address = world.ppp(at).address();
    let answer = numbered(LAN, address, 1, octets);
    let mut packet = Packet::new();
    for _ in 0..ROUND {
        packet.set(&answer);
        give(world, &mut packet);
    }
}

#[inline(never)]
fn give(world: &mut World, packet: &mut Packet) {
    assert!(matches!(world.server.handle_tun(packet, world.now), Ok(Forward::Gre(_))));
}
