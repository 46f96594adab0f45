//! GRE (RFC 2637 section 4): order, duplicates, gaps, acknowledgments, and packets of strangers.

use std::net::Ipv4Addr;

use pptp::limits::{ACK_EVERY, REORDER_MS};
use pptp::reason::{Cause, Discard};
use pptp::wire::gre::Header;
use pptp::wire::pptp::Message;

use crate::common::caller::{CallEnd, Mind, call_request, gre_octets, octets_of, start_request};
use crate::common::dice::{Dice, for_seeds};
use crate::common::habits::{Encryption, Habits, MIKROTIK, PPPD, STATEFUL_128};
use crate::common::inner::{number, numbered};
use crate::common::layer::frame;
use crate::common::line::{GOOD, Quality};
use crate::common::ppp::Ppp;
use crate::common::world::{LAN, PASSWORD, World, config, config_of_many, in_world};

/// Frames with inner packets of the numbers `from` to `to`, not sent yet.
fn frames(world: &mut World, at: usize, numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    let ppp = world.ppp(at);
    let address = ppp.address();
    for count in numbers {
        ppp.send_ip(&numbered(address, LAN, count, 60));
    }
    std::mem::take(&mut ppp.out)
}

/// Sends frames with the next numbers, but in the order of the places.
fn send_in_order(world: &mut World, at: usize, frames: &[Vec<u8>], places: &[usize]) {
    let (now, call) = (world.now, &mut world.callers[at].calls[0]);
    let first = call.next_sequence;
    call.next_sequence = first.wrapping_add(frames.len() as u32);
    for place in places {
        let sequence = first.wrapping_add(*place as u32);
        world.callers[at].send_frame_as(0, sequence, &frames[*place], now);
    }
}

/// Sends inner packets in the usual way.
fn send(world: &mut World, at: usize, numbers: std::ops::Range<u32>) {
    let frames = frames(world, at, numbers);
    let places: Vec<_> = (0..frames.len()).collect();
    send_in_order(world, at, &frames, &places);
}

/// The numbers that came out of the TUN since the last time.
fn arrived(world: &mut World) -> Vec<u32> {
    world.tun.drain(..).map(|packet| number(&packet)).collect()
}

fn counted(world: &World, why: Discard) -> u32 {
    world.server.discards().of(why)
}

fn call<'w>(world: &'w World, at: usize) -> &'w CallEnd {
    &world.callers[at].calls[0]
}

#[test]
fn any_order_within_the_limit_is_mended() {
    for_seeds(50, |seed| {
        in_world(config(), seed, |world| {
            let at = world.open(1, MIKROTIK);
            let mut dice = Dice::new(seed);
            let frames = frames(world, at, 0..12);
            let mut places: Vec<_> = (0..12).collect();
            for place in 0..12 {
                places.swap(place, dice.below(12) as usize);
            }
            send_in_order(world, at, &frames, &places);
            world.run(6);
            assert_eq!(arrived(world), (0..12).collect::<Vec<_>>());
        });
    });
}

/// A line that reorders a lot, and loses nothing: everything arrives, in order.
#[test]
fn a_reordering_line_loses_nothing() {
    for_seeds(20, |seed| {
        in_world(config(), seed, |world| {
            let at = world.open(1, PPPD);
            let late = REORDER_MS - 5;
            world.callers[at].gre_up.quality =
                Quality { delay: 10, jitter: 5, doubled: 20, reordered: (40, late), ..GOOD };
            for count in 0..300 {
                send(world, at, count..count + 1);
                world.run(4);
            }
            world.run(200);
            assert_eq!(arrived(world), (0..300).collect::<Vec<_>>());
        });
    });
}

#[test]
fn what_is_later_than_the_limit_is_counted() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let frames = frames(world, at, 0..5);
        send_in_order(world, at, &frames, &[0, 2, 3]);
        let first = call(world, at).next_sequence - 5;
        world.run(5 + REORDER_MS - 1);
        assert_eq!(arrived(world), [0]);
        world.run(1);
        assert_eq!(arrived(world), [2, 3], "given up");
        let now = world.now;
        world.callers[at].send_frame_as(0, first + 1, &frames[1], now);
        world.callers[at].send_frame_as(0, first + 4, &frames[4], now);
        world.run(10);
        assert_eq!(arrived(world), [4]);
        assert_eq!(counted(world, Discard::GreLate), 1);
    });
}

#[test]
fn duplicates_pass_once() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let frames = frames(world, at, 0..6);
        send_in_order(world, at, &frames, &[0, 0, 0, 2, 2, 1, 1, 2, 5, 5, 4, 3, 3, 5, 0]);
        world.run(100);
        assert_eq!(arrived(world), [0, 1, 2, 3, 4, 5]);
        assert_eq!(counted(world, Discard::GreDuplicate) + counted(world, Discard::GreLate), 9);
    });
}

/// Numbers wrap in the middle of a call, over a line that reorders.
#[test]
fn sequence_numbers_wrap() {
    for back in [1, 5, 12, 40] {
        let habits = Habits { first_sequence: 0u32.wrapping_sub(back), ..PPPD };
        in_world(config(), 1, |world| {
            let at = world.open(1, habits);
            world.callers[at].gre_up.quality.reordered = (30, 20);
            for count in 0..100 {
                send(world, at, count..count + 1);
                world.run(3);
            }
            world.run(100);
            assert_eq!(arrived(world), (0..100).collect::<Vec<_>>(), "{back} before the wrap");
            assert!(call(world, at).next_sequence < 200);
        });
    }
}

/// The first packet, number 0, is overtaken by number 1.
#[test]
fn the_first_packet_is_overtaken() {
    in_world(config(), 1, |world| {
        let at = world.scripted(1);
        let now = world.now;
        world.callers[at].send_frame_as(0, 1, &frame(0xc021, 1, 2, &[]), now);
        world.callers[at].send_frame_as(0, 0, &frame(0xc021, 1, 1, &[]), now);
        world.callers[at].send_frame_as(0, 2, &frame(0xc021, 1, 3, &[]), now);
        world.run(50);
        let inbox = &world.callers[at].calls[0].inbox;
        let acks: Vec<_> = inbox.iter().filter(|frame| frame[4] == 2).map(|it| it[5]).collect();
        assert_eq!(acks, [2, 1, 3]);
    });
}

/// Acknowledgments that went alone since a time, with their numbers.
fn bare_acks(world: &World, at: usize, since: usize) -> Vec<(u64, u32)> {
    let headers = call(world, at).headers[since..].iter();
    let bare = headers.filter(|(_, header)| header.sequence.is_none());
    bare.map(|(at, header)| (at.0, header.acknowledgment.unwrap())).collect()
}

#[test]
fn an_acknowledgment_goes_alone_within_100_ms() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        for _ in 0..50 {
            let since = call(world, at).headers.len();
            send(world, at, 0..1);
            let (sent, sequence) = (world.now.0, call(world, at).next_sequence - 1);
            world.run(300);
            let acks = bare_acks(world, at, since);
            assert_eq!(acks.len(), 1);
            assert_eq!(acks[0].1, sequence);
            assert!(acks[0].0 - sent <= 100 + 2 * 5, "after {} ms", acks[0].0 - sent);
            let pause = world.dice.below(90);
            world.run(pause);
        }
    });
}

#[test]
fn an_acknowledgment_rides_on_data() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let address = world.ppp(at).address();
        let since = call(world, at).headers.len();
        for count in 0..20 {
            send(world, at, count..count + 1);
            world.run(6);
            world.send_tun(&numbered(LAN, address, count, 60)).unwrap();
            world.send_tun(&numbered(LAN, address, count, 60)).unwrap();
            world.run(6);
        }
        world.run(300);
        assert_eq!(bare_acks(world, at, since), []);
        let headers = &call(world, at).headers[since..];
        let with = headers.iter().filter(|(_, header)| header.acknowledgment.is_some()).count();
        assert_eq!((headers.len(), with), (40, 20), "on every second packet");
    });
}

/// A peer that sends a lot and gets nothing back is acknowledged often enough for its window, but
/// at most once in a turn.
#[test]
fn acknowledgments_of_a_one_way_stream() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let since = call(world, at).headers.len();
        send(world, at, 0..64);
        world.run(11);
        // The lines of a test deliver one packet a turn.
        let acks = bare_acks(world, at, since).len();
        assert_eq!(acks, 64 / ACK_EVERY as usize);
        let last = call(world, at).next_sequence - 1;
        assert_eq!(bare_acks(world, at, since).last().unwrap().1, last);
        world.run(1000);
        assert_eq!(bare_acks(world, at, since).len(), acks, "nothing is acknowledged twice");
    });
}

/// Packets for which the TUN and the acknowledgments are polled only once, as in one turn.
#[test]
fn one_acknowledgment_in_a_turn() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let frames = frames(world, at, 0..60);
        let (server_id, first) = (call(world, at).server_id, call(world, at).next_sequence);
        let from = world.callers[at].address;
        let sent = world.gre_sent;
        for (sequence, frame) in (first..).zip(&frames) {
            let header = Header {
                payload_length: frame.len() as u16,
                call_id: server_id,
                sequence: Some(sequence),
                acknowledgment: None,
            };
            world.take_gre(from, &gre_octets(&header, frame));
        }
        world.flush();
        assert_eq!((arrived(world).len(), world.gre_sent - sent), (60, 1));
    });
}

#[test]
fn several_calls_on_one_connection() {
    in_world(config_of_many(3), 1, |world| {
        let at = world.dial_as(1, MIKROTIK, GOOD, "user0", PASSWORD);
        for user in ["user1", "user2"] {
            let dice = Dice::new(world.dice.roll());
            let ppp = Ppp::new(MIKROTIK, user, PASSWORD, dice);
            let now = world.now;
            world.callers[at].ask_for_call(Mind::Model(Box::new(ppp)), now);
        }
        world.run(3000);
        assert_eq!(world.server.sessions().filter(|call| call.state == "open").count(), 3);
        // The middle one is cleared, by the caller's Call ID; the answer names ours.
        let (now, call_id) = (world.now, world.callers[at].calls[1].own_id);
        world.callers[at].say(&Message::CallClearRequest { call_id }, now);
        world.run(100);
        let results: Vec<_> = world.callers[at].calls.iter().map(|it| it.disconnected).collect();
        assert_eq!(results, [None, Some(4), None]);
        assert_eq!((world.live(), world.server.leased()), (2, 2));
        for which in [0, 2] {
            let ppp = world.callers[at].calls[which].model_mut();
            let packet = numbered(ppp.address(), LAN, which as u32, 60);
            ppp.send_ip(&packet);
        }
        world.push(at);
        world.run(50);
        assert_eq!(arrived(world), [0, 2]);
        // The connection takes them along.
        let now = world.now;
        world.callers[at].hang_up(now);
        world.run(50);
        assert!(world.is_idle());
        assert_eq!(world.ended(), [Cause::Cleared, Cause::ControlClosed, Cause::ControlClosed]);
    });
}

#[test]
fn one_call_too_many_on_a_connection() {
    in_world(config(), 1, |world| {
        let at = world.scripted(1);
        for _ in 0..10 {
            let now = world.now;
            world.callers[at].ask_for_call(Mind::Test, now);
            world.run(20);
        }
        assert_eq!(world.live(), pptp::limits::CALLS_PER_CONTROL);
        // The same Call ID once more.
        let (now, own_id) = (world.now, world.callers[at].calls[0].own_id);
        let heard = world.callers[at].messages.len();
        world.callers[at].say(&crate::common::caller::call_request(own_id), now);
        world.run(20);
        let answer = world.callers[at].messages[heard].clone();
        let Message::OutgoingCallReply(reply) = crate::common::caller::parsed(&answer) else {
            panic!("{answer:?}")
        };
        assert_eq!((reply.result, reply.error, reply.peer_call_id), (2, 5, own_id));
    });
}

/// Two machines behind one address, as behind a home router.
#[test]
fn two_calls_from_one_address() {
    in_world(config_of_many(2), 1, |world| {
        let callers = ["user0", "user1"].map(|user| {
            let at = world.dial_as(1, MIKROTIK, GOOD, user, PASSWORD);
            world.run(1000);
            assert!(world.is_open(at));
            at
        });
        let addresses = callers.map(|at| world.ppp(at).address());
        assert_ne!(addresses[0], addresses[1]);
        for (at, address) in callers.into_iter().zip(addresses) {
            world.send_tun(&numbered(LAN, address, at as u32, 60)).unwrap();
            world.run(50);
            let received: Vec<_> = world.ppp(at).received.drain(..).collect();
            assert_eq!(received.iter().map(|it| number(it)).collect::<Vec<_>>(), [at as u32]);
        }
    });
}

#[test]
fn packets_from_another_address() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let (server_id, first) = (call(world, at).server_id, call(world, at).next_sequence);
        for octets in frames(world, at, 0..5) {
            let header = Header {
                payload_length: octets.len() as u16,
                call_id: server_id,
                sequence: Some(first),
                acknowledgment: None,
            };
            world.gre(Ipv4Addr::new(203, 0, 113, 9), &gre_octets(&header, &octets));
        }
        assert_eq!(counted(world, Discard::GreSource), 5);
        assert_eq!(arrived(world), []);
        assert!(world.is_open(at));
    });
}

#[test]
fn headers_that_are_not_ours() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let header = Header {
            payload_length: 8,
            call_id: call(world, at).server_id,
            sequence: Some(call(world, at).next_sequence),
            acknowledgment: None,
        };
        let good = gre_octets(&header, &frame(0xc021, 9, 1, &[]));
        let from = world.callers[at].address;
        for bit in 0..32 {
            let mut octets = good.clone();
            octets[bit / 8] ^= 0x80 >> (bit % 8);
            world.gre(from, &octets);
        }
        for len in 0..good.len() {
            world.gre(from, &good[..len]);
        }
        let (headers, lengths) = (Discard::GreHeader, Discard::GreLength);
        // One bit is the acknowledgment's: 4 octets less of payload.
        assert!(counted(world, headers) + counted(world, lengths) >= 31 + good.len() as u32);
        send(world, at, 0..3);
        world.run(50);
        assert_eq!(arrived(world), [0, 1, 2]);
    });
}

/// Octets behind the payload are padding of the line below.
#[test]
fn padding_is_cut_off() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let octets = frames(world, at, 7..8).remove(0);
        let header = Header {
            payload_length: octets.len() as u16,
            call_id: call(world, at).server_id,
            sequence: Some(call(world, at).next_sequence),
            acknowledgment: None,
        };
        let from = world.callers[at].address;
        world.gre(from, &[&gre_octets(&header, &octets)[..], &[0x55; 30]].concat());
        assert_eq!(world.tun.len(), 1);
        assert_eq!((world.tun[0].len(), arrived(world)), (60, vec![7]));
    });
}

/// What somebody may send who knows the Call ID and forges the address.
fn forged(dice: &mut Dice) -> Vec<(&'static str, Vec<u8>)> {
    let sealed = [&[0xff, 3, 0, 0xfd, 0x90, 7], &dice.octets(60)[..]].concat();
    vec![
        ("nothing", vec![]),
        ("an echo", frame(0xc021, 9, 1, &[1, 2, 3, 4])),
        ("a discard request", frame(0xc021, 11, 1, &[1, 2, 3, 4])),
        ("an unknown protocol", frame(0x8235, 1, 1, &[])),
        ("sealed garbage", sealed),
        ("garbage", dice.octets(40)),
        ("a clear packet", [&[0xff, 3, 0, 0x21], &numbered(LAN, LAN, 9, 60)[..]].concat()),
    ]
}

/// A forged number far ahead does not make the numbers before it late.
#[test]
fn forged_numbers_far_ahead() {
    let stateful = Encryption::Wants(STATEFUL_128, &[STATEFUL_128]);
    for habits in [MIKROTIK, Habits { encryption: stateful, ..MIKROTIK }] {
        for (name, octets) in forged(&mut Dice::new(1)) {
            for ahead in [100, 5000, 1 << 20, (1 << 31) - 1, 1 << 31, u32::MAX - 3] {
                let config = pptp::config::Config { mppe_stateful: true, ..config() };
                in_world(config, 1, |world| {
                    let at = world.open(1, habits);
                    let sequence = call(world, at).next_sequence.wrapping_add(ahead);
                    let now = world.now;
                    world.callers[at].send_frame_as(0, sequence, &octets, now);
                    world.run(100);
                    send(world, at, 0..20);
                    world.run(100);
                    let all: Vec<_> = (0..20).collect();
                    assert_eq!(arrived(world), all, "{name}, {ahead} ahead, {}", habits.name);
                });
            }
        }
    }
}

/// A packet that is too long to be kept takes nobody's place.
#[test]
fn packets_too_long_to_wait() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let frames = frames(world, at, 0..17);
        send_in_order(world, at, &frames, &(1..17).collect::<Vec<_>>());
        let (now, next) = (world.now, call(world, at).next_sequence);
        for count in 0..5 {
            world.callers[at].send_frame_as(0, next + count, &[0xff; 1900], now);
        }
        world.callers[at].send_frame_as(0, next - 17, &frames[0], now);
        world.run(10);
        assert_eq!(arrived(world), (0..17).collect::<Vec<_>>());
    });
}

/// What waits to be sent when a call ends does not go out on the next one in its place.
#[test]
fn frames_of_a_call_that_is_over() {
    let config = pptp::config::Config { max_sessions: 1, ..config() };
    in_world(config, 1, |world| {
        let at = world.connect(1, GOOD).unwrap();
        let messages = [
            start_request(),
            call_request(7),
            Message::CallClearRequest { call_id: 7 },
            call_request(8),
        ];
        let octets: Vec<u8> = messages.iter().flat_map(octets_of).collect();
        world.server.handle_control(world.callers[at].id.unwrap(), &octets, world.now);
        let sent = world.gre_sent;
        world.flush();
        assert_eq!(world.gre_sent - sent, 1, "one Configure-Request of LCP");
    });
}

/// Nor do many of them, at once.
#[test]
fn a_flood_of_forged_numbers() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let mut dice = Dice::new(5);
        for count in 0..200 {
            for _ in 0..20 {
                let (name, octets) = forged(&mut dice).swap_remove(dice.below(7) as usize);
                assert!(!name.is_empty());
                let ahead = 100 + dice.below(1 << 30) as u32;
                let sequence = call(world, at).next_sequence.wrapping_add(ahead);
                let now = world.now;
                world.callers[at].send_frame_as(0, sequence, &octets, now);
            }
            send(world, at, count..count + 1);
            world.run(5);
        }
        world.run(100);
        let missing = 200 - arrived(world).len();
        assert!(missing <= 4, "{missing} of 200 did not pass");
        assert!(world.is_open(at));
    });
}
