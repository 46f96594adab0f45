//! Parts for `tests/bench/run cipher`: MPPE alone, and the library's whole way with one call.

use std::hint::black_box;

use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::session::{Forward, Taken};
use pptp::wire::gre::Header;

use crate::common::caller::gre_octets;
use crate::common::inner::numbered;
use crate::common::world::{LAN, World, config, in_world};
use crate::crowd::HABITS;

const KEY: [u8; 16] = *b"0123456789abcdef";
const METHOD: Method = Method { strength: Strength::Bits128, stateful: false };

/// Packets that are ready before the first one is taken: as many as a peer may have outstanding.
const ROUND: usize = 64;

/// Where the server has it: the IP packet behind the headroom, the protocol field in front of it.
fn put_inner(packet: &mut Packet, ip: &[u8]) {
    packet.set(ip);
    packet.prepend(&[0, 0x21]);
}

fn inner(octets: usize) -> Vec<u8> {
    numbered(LAN, [192, 168, 77, 10].into(), 1, octets)
}

pub fn seal(octets: usize, count: usize) {
    let (mut encryptor, inner, mut packet) =
        (Encryptor::new(&KEY, METHOD), inner(octets), Packet::new());
    for _ in 0..count {
        put_inner(&mut packet, &inner);
        encryptor.seal(&mut packet);
        black_box(packet.data());
    }
}

pub fn open(octets: usize, count: usize) {
    let mut encryptor = Encryptor::new(&KEY, METHOD);
    let mut decryptor = Decryptor::new(&KEY, METHOD);
    let (inner, mut packet) = (inner(octets), Packet::new());
    for _ in 0..count {
        put_inner(&mut packet, &inner);
        encryptor.seal(&mut packet);
        decryptor.open(&mut packet).expect("our own packet");
        black_box(packet.data());
    }
}

pub fn down(octets: usize, count: usize) {
    whole(octets, count, round_down);
}

/// `arrives`: whether the server gets what the caller has made.
pub fn up(octets: usize, count: usize, arrives: bool) {
    whole(octets, count, |world, at, octets| round_up(world, at, octets, arrives));
}

fn whole(octets: usize, count: usize, round: impl Fn(&mut World, usize, usize)) {
    in_world(config(), 1, |world| {
        let at = world.open(1, HABITS);
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
        let header =
            Header { payload_length, call_id, sequence: Some(sequence), acknowledgment: Some(0) };
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
