//! What attackers, scanners and broken clients say on the control connection: nothing breaks,
//! answers stay small, and a good call works afterwards.

use pptp::wire::pptp::{Disconnect, Message, OutgoingCallReply, Start};

use crate::common::caller::{Caller, call_request, octets_of, start_request};
use crate::common::dice::{Dice, for_seeds};
use crate::common::habits::{MIKROTIK, PPPD};
use crate::common::inner::numbered;
use crate::common::line::GOOD;
use crate::common::world::{LAN, World, config, in_world};

/// Each of the 15 messages, about the call `call_id` where it is about one.
fn messages(call_id: u16) -> Vec<Vec<u8>> {
    let (result, error, identifier, peer_call_id) = (1, 0, 7, call_id);
    let start = Start {
        version: 0x0100,
        framing_capabilities: 3,
        bearer_capabilities: 3,
        maximum_channels: 0,
        firmware_revision: 0,
        host_name: b"",
        vendor: b"",
    };
    let reply = OutgoingCallReply {
        call_id,
        peer_call_id,
        result,
        error,
        cause: 0,
        connect_speed: 0,
        receive_window: 64,
        processing_delay: 0,
        physical_channel: 0,
    };
    let all = [
        start_request(),
        Message::StartReply { start, result, error },
        Message::StopRequest { reason: 1 },
        Message::StopReply { result, error },
        Message::EchoRequest { identifier },
        Message::EchoReply { identifier, result, error },
        call_request(call_id),
        Message::OutgoingCallReply(reply),
        Message::IncomingCallRequest { call_id },
        Message::IncomingCallReply { call_id, peer_call_id, result, error },
        Message::IncomingCallConnected { peer_call_id },
        Message::CallClearRequest { call_id },
        Message::CallDisconnectNotify(Disconnect { call_id, result, error, cause: 0 }),
        Message::WanErrorNotify { peer_call_id },
        Message::SetLinkInfo { peer_call_id, send_accm: 0, receive_accm: 0 },
    ];
    all.iter().map(octets_of).collect()
}

/// The name of a state, and how to get a connection into it.
type Meeting = (&'static str, fn(&mut World) -> usize);

/// The states in which a connection can be met.
const STATES: [Meeting; 6] = [
    ("connected", |world| world.connect(1, GOOD).unwrap()),
    ("started", |world| {
        let at = world.connect(1, GOOD).unwrap();
        say(world, at, octets_of(&start_request()));
        at
    }),
    ("a call begins", |world| world.scripted(1)),
    ("a call logs in", |world| {
        let at = world.dial(1, PPPD, GOOD);
        world.run(45);
        at
    }),
    ("a call is open", |world| world.open(1, MIKROTIK)),
    ("stopping", |world| {
        let at = world.scripted(1);
        world.server.shutdown(world.now);
        world.flush();
        at
    }),
];

fn say(world: &mut World, at: usize, octets: Vec<u8>) {
    let now = world.now;
    world.callers[at].say_octets(octets, now);
    world.run(6);
}

/// The Call ID that a caller gave to its call, if it has one.
fn own_id(caller: &Caller) -> u16 {
    caller.calls.first().map_or(7, |call| call.own_id)
}

/// A packet each way on the first call, if it is open.
fn carry(world: &mut World, at: usize) {
    if world.callers[at].calls.is_empty() || !world.is_open(at) {
        return;
    }
    let address = world.ppp(at).address();
    world.ppp(at).send_ip(&numbered(address, LAN, 1, 60));
    world.push(at);
    let _may_be_closing = world.send_tun(&numbered(LAN, address, 1, 60));
}

fn assert_serves(world: &mut World) {
    let at = world.open(99, PPPD);
    assert!(world.is_open(at));
}

#[test]
fn any_two_messages_in_any_state() {
    for (name, prepare) in STATES {
        for first in 0..15 {
            for second in 0..15 {
                in_world(config(), 1, |world| {
                    let at = prepare(world);
                    let messages = messages(own_id(&world.callers[at]));
                    carry(world, at);
                    say(world, at, messages[first].clone());
                    carry(world, at);
                    say(world, at, messages[second].clone());
                    carry(world, at);
                    let (sent, name) = (world.control_sent, name);
                    assert!(sent < 1500, "{name}, {first}, {second}: {sent} octets");
                    world.run(5);
                });
            }
        }
        in_world(config(), 1, |world| {
            let at = prepare(world);
            let messages = messages(own_id(&world.callers[at]));
            for octets in messages.iter().chain(&messages) {
                say(world, at, octets.clone());
            }
            if name != "stopping" {
                assert_serves(world);
            }
        });
    }
}

/// Any three messages of an open call in one piece, with packets in front and behind.
#[test]
fn any_three_messages_of_an_open_call() {
    for first in 0..15 {
        in_world(config(), 1, |world| {
            for second in 0..15 {
                for third in 0..15 {
                    let at = world.dial(1, MIKROTIK, GOOD);
                    assert!(world.run_until(5_000, |world| world.is_open(at)));
                    let messages = messages(own_id(&world.callers[at]));
                    carry(world, at);
                    let octets = [first, second, third].map(|which| &messages[which][..]).concat();
                    say(world, at, octets);
                    carry(world, at);
                    let now = world.now;
                    world.callers[at].hang_up(now);
                    world.run(20);
                    world.callers.clear();
                    assert_eq!(world.live(), 0, "{first}, {second}, {third}");
                }
            }
        });
    }
}

/// An answer only comes when it is due: those that nobody waits for are counted and ignored.
#[test]
fn messages_of_the_other_direction_change_nothing() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let heard = world.callers[at].messages.len();
        for kind in [1, 3, 5, 7, 9, 10, 13, 14] {
            let octets = messages(own_id(&world.callers[at])).swap_remove(kind);
            say(world, at, octets);
        }
        assert_eq!(world.callers[at].messages.len(), heard, "nothing is said");
        assert!(world.is_open(at));
    });
}

/// Whatever is no PPTP client is closed at its first words.
#[test]
fn strangers_are_closed_at_once() {
    let stop = messages(7).swap_remove(2);
    for octets in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 200],
        &[0xff; 200],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
        &stop,
    ] {
        in_world(config(), 1, |world| {
            let at = world.connect(1, GOOD).unwrap();
            say(world, at, octets.to_vec());
            world.run(6);
            assert!(world.callers[at].is_closed && world.callers[at].messages.is_empty());
        });
    }
}

/// Every message is cut at every octet, and the rest comes later, or never.
#[test]
fn every_cut_of_every_message() {
    for kind in 0..15 {
        let len = messages(7)[kind].len();
        for cut in 1..len {
            in_world(config(), 1, |world| {
                let at = STATES[1].1(world);
                let octets = messages(7).swap_remove(kind);
                say(world, at, octets[..cut].to_vec());
                let heard = world.callers[at].messages.len();
                assert_eq!(heard, 1, "half of message {kind} is answered");
                say(world, at, octets[cut..].to_vec());
                world.run(6);
                // The same as in one piece.
                let heard: Vec<_> = world.callers[at].messages.iter().map(|it| it[9]).collect();
                let expected: &[u8] = match kind {
                    0 => &[2, 2],
                    2 => &[2, 4],
                    4 => &[2, 6],
                    6 => &[2, 8],
                    8 => &[2, 10],
                    _ => &[2],
                };
                assert_eq!(heard, expected, "message {kind} cut at {cut}");
            });
        }
    }
}

/// Length fields that lie, for every type and for some that do not exist.
#[test]
fn every_length_of_every_message() {
    let lengths = (0..=230).chain([255, 256, 1000, 32_768, 65_535]);
    for length in lengths {
        for kind in 0..=20u16 {
            in_world(config(), 1, |world| {
                let at = STATES[1].1(world);
                let mut octets = messages(7)
                    .get(usize::from(kind).wrapping_sub(1))
                    .cloned()
                    .unwrap_or_else(|| octets_of(&call_request(7)));
                octets[..2].copy_from_slice(&(length as u16).to_be_bytes());
                octets[8..10].copy_from_slice(&kind.to_be_bytes());
                octets.resize(length.max(12), 0);
                say(world, at, octets);
                assert!(world.control_sent < 156 * 2 + 32 + 1);
                if !(12..=220).contains(&length) {
                    world.run(6);
                    assert!(world.callers[at].is_closed, "{length} octets, type {kind}");
                }
            });
        }
    }
}

#[test]
fn random_octets_on_a_connection() {
    for_seeds(300, |seed| {
        in_world(config(), seed, |world| {
            let mut dice = Dice::new(seed);
            let state = dice.below(5) as usize;
            let at = STATES[state].1(world);
            for _ in 0..5 {
                let mut octets = dice.pick(&messages(own_id(&world.callers[at]))).clone();
                for _ in 0..dice.below(4) {
                    let place = dice.below(octets.len() as u64) as usize;
                    octets[place] = dice.roll() as u8;
                }
                octets.truncate(1 + dice.below(octets.len() as u64) as usize);
                say(world, at, octets);
            }
            assert!(world.control_sent < 2500);
        });
    });
}
