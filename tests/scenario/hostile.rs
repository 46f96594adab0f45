//! What attackers, scanners and broken clients send: nothing breaks, answers stay small, and a good
//! call works afterwards.

use pptp::wire::pptp::{Disconnect, Message, OutgoingCallReply, Start};

use crate::common::caller::{Caller, call_request, octets_of, start_request};
use crate::common::dice::{Dice, for_seeds};
use crate::common::habits::{MIKROTIK, PPPD};
use crate::common::inner::numbered;
use crate::common::layer::frame;
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

/// A call in each phase of PPP: asked for, LCP open, logged in, and open.
fn phases(world: &mut World) -> Vec<usize> {
    let scripted = world.scripted(1);
    let callers = [2, 3].map(|last| world.dial_as(last, PPPD, GOOD, "alice", "s3cret-Pass1"));
    for (at, breath) in callers.into_iter().zip([4, 8]) {
        world.callers[at].breath = Some(breath);
    }
    world.run(500);
    for at in callers {
        world.callers[at].breath = None;
        world.callers[at].calls[0].mind = crate::common::caller::Mind::Test;
    }
    let open = world.open(4, MIKROTIK);
    vec![scripted, callers[0], callers[1], open]
}

const PROTOCOLS: [u16; 8] = [0xc021, 0xc223, 0x80fd, 0x8021, 0xc227, 0xc023, 0x8057, 0x8235];

/// The answers to a frame are never larger than the frame, or than what a peer must take.
fn assert_small(world: &World, octets: usize, before: usize) {
    let sent = world.gre_octets - before;
    assert!(sent <= 2 * octets + 200, "{sent} octets for {octets}");
}

#[test]
fn lengths_that_lie() {
    for protocol in PROTOCOLS {
        in_world(config(), 1, |world| {
            for at in phases(world) {
                for code in 0..=16u8 {
                    for data in [0usize, 1, 3, 4, 6, 60, 1400] {
                        let real = data as u16 + 4;
                        for length in [0, 1, 3, 4, real - 1, real + 1, 255, 1500, 65_535] {
                            let mut octets = frame(protocol, code, 1, &vec![6; data]);
                            octets[6..8].copy_from_slice(&length.to_be_bytes());
                            let before = world.gre_octets;
                            world.send(at, &octets);
                            world.run(6);
                            assert_small(world, octets.len(), before);
                        }
                    }
                }
            }
            assert_serves(world);
        });
    }
}

/// What a peer gets back from an echo is what it sent, not an octet more.
#[test]
fn echoes_that_ask_for_more() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        world.callers[at].calls[0].mind = crate::common::caller::Mind::Test;
        for (length, octets) in [(1404u16, 8usize), (13, 8), (4, 0), (7, 3)] {
            let mut octets = frame(0xc021, 9, 1, &vec![7; octets]);
            octets[6..8].copy_from_slice(&length.to_be_bytes());
            world.send(at, &octets);
            world.run(20);
            assert_eq!(world.callers[at].calls[0].inbox.len(), 0, "{length}");
        }
        for data in [4, 5, 100, 1400] {
            world.send(at, &frame(0xc021, 9, 1, &vec![7; data]));
            world.run(20);
            let reply = world.callers[at].calls[0].inbox.pop_front().unwrap();
            assert_eq!(reply.len(), data + 8);
            assert_eq!(reply[4], 10);
            assert!(reply[12..].iter().all(|octet| *octet == 7));
        }
    });
}

/// Option lists of all shapes in a Configure-Request as large as a frame can be.
fn option_lists() -> Vec<Vec<u8>> {
    let filled = |option: &[u8]| option.repeat(1490 / option.len());
    let mut lists: Vec<Vec<u8>> = vec![vec![], vec![1], vec![1, 0], vec![1, 1], vec![1, 255]];
    for kind in [1u8, 2, 3, 5, 7, 8, 13, 17, 18, 129, 255] {
        for len in [2u8, 3, 4, 5, 6, 7, 60, 255] {
            let option = [&[kind, len][..], &vec![kind; usize::from(len) - 2]].concat();
            lists.push(filled(&option));
            lists.push(option.clone());
            lists.push(option.repeat(2));
            lists.push([&filled(&option)[..], &[kind, 0]].concat());
            if len < 6 {
                lists.push(option.repeat(255));
            }
        }
    }
    lists
}

#[test]
fn options_of_all_shapes() {
    for protocol in [0xc021, 0x80fd, 0x8021, 0x8057] {
        in_world(config(), 1, |world| {
            for (count, list) in option_lists().into_iter().enumerate() {
                for code in 1..=4 {
                    // A fresh call for each, since some of them end it.
                    let at = world.scripted(1);
                    let before = world.gre_octets;
                    let octets = frame(protocol, code, count as u8, &list);
                    world.send(at, &octets);
                    world.run(6);
                    assert_small(world, octets.len(), before);
                    let now = world.now;
                    world.callers[at].hang_up(now);
                    world.run(6);
                }
            }
            assert_serves(world);
        });
    }
}

/// The same on calls that are open.
#[test]
fn options_of_all_shapes_on_an_open_call() {
    for protocol in [0xc021, 0x80fd, 0x8021] {
        for code in 1..=4 {
            in_world(config(), 1, |world| {
                let at = world.open(1, MIKROTIK);
                let (mut received, before) = (0, world.gre_octets);
                for list in option_lists().into_iter().step_by(7) {
                    let octets = frame(protocol, code, 9, &list);
                    received += octets.len();
                    world.send(at, &octets);
                    world.run(3);
                }
                world.run(100);
                assert_small(world, received, before);
                assert_serves(world);
            });
        }
    }
}

/// Rejects are not larger than the peer's MRU, whatever it claims that to be.
#[test]
fn rejects_fit_the_mru() {
    for (mru, most) in [(0u16, 1500), (580, 580), (1400, 1400), (1500, 1500), (65_535, 1500)] {
        in_world(config(), 1, |world| {
            let at = world.scripted(1);
            let request = world.callers[at].calls[0].inbox.pop_front().unwrap();
            world.send(at, &frame(0xc021, 2, request[5], &request[8..]));
            world.send(at, &frame(0xc021, 1, 1, &[&[1, 4][..], &mru.to_be_bytes()].concat()));
            world.run(20);
            if mru == 0 {
                // Naked: the smallest is offered, and nothing is open.
                let nak = world.callers[at].calls[0].inbox.pop_front().unwrap();
                assert_eq!(nak[4..], [3, 1, 0, 8, 1, 4, 0x02, 0x44]);
                return;
            }
            for octets in [frame(0x8235, 1, 1, &[9; 1900]), frame(0xc021, 99, 1, &[9; 1900])] {
                world.callers[at].calls[0].inbox.clear();
                world.send(at, &octets);
                world.run(20);
                let reject = world.callers[at].calls[0].inbox.pop_front().unwrap();
                assert_eq!(reject.len() - 4, most, "MRU {mru}");
                let len = u16::from_be_bytes([reject[6], reject[7]]);
                assert_eq!(usize::from(len), most);
            }
        });
    }
}

/// CHAP Responses with names and values of all sizes.
#[test]
fn responses_of_all_sizes() {
    let config = pptp::config::Config { backoff_failures: 0, ..config() };
    in_world(config, 1, |world| {
        for (size, name) in [
            (49u8, 0usize),
            (49, 1),
            (49, 255),
            (49, 256),
            (49, 1400),
            (49, 1700),
            (0, 49),
            (48, 50),
            (50, 50),
            (255, 300),
            (16, 33),
        ] {
            for filling in [0, b'a', 0xff, b'\\'] {
                let at = world.dial(1, PPPD, GOOD);
                world.callers[at].breath = Some(4);
                world.run(60);
                world.callers[at].breath = None;
                let data = [&[size][..], &[1; 49], &vec![filling; name]].concat();
                for identifier in 0..3 {
                    world.send(at, &frame(0xc223, 2, identifier, &data));
                }
                world.run(10);
                let now = world.now;
                world.callers[at].hang_up(now);
                world.run(10);
            }
        }
        assert_serves(world);
    });
}

/// Authentication protocols that nobody asked for, before and after the login.
#[test]
fn unsolicited_authentication() {
    for protocol in [0xc227, 0xc023, 0xc223] {
        in_world(config(), 1, |world| {
            for at in phases(world) {
                for len in (0..=64).chain([255, 256, 1024, 1400, 1900]) {
                    for code in [1, 2, 3, 4] {
                        let before = world.gre_octets;
                        world.send(at, &frame(protocol, code, 0, &vec![0xff; len]));
                        world.run(3);
                        assert_small(world, len + 8, before);
                    }
                }
            }
            assert_serves(world);
        });
    }
}

/// Frames of random protocols, codes, lengths and octets, at any phase.
#[test]
fn random_frames() {
    for_seeds(100, |seed| {
        in_world(config(), seed, |world| {
            let callers = phases(world);
            let mut dice = Dice::new(seed);
            for _ in 0..100 {
                let at = *dice.pick(&callers);
                let len = dice.below(80);
                let mut octets = frame(
                    *dice.pick(&PROTOCOLS),
                    dice.below(17) as u8,
                    dice.below(4) as u8,
                    &dice.octets(len),
                );
                if dice.percent(50) {
                    let place = dice.below(octets.len() as u64) as usize;
                    octets[place] = dice.roll() as u8;
                }
                octets.truncate(1 + dice.below(100) as usize);
                world.send(at, &octets);
                world.run(2);
            }
            assert_serves(world);
        });
    });
}
