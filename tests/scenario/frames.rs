//! PPP frames of attackers and broken clients, in every phase: nothing breaks, answers stay small,
//! and a good call works afterwards.

use crate::common::caller::Mind;
use crate::common::dice::{Dice, for_seeds};
use crate::common::habits::{MIKROTIK, PPPD};
use crate::common::layer::frame;
use crate::common::line::GOOD;
use crate::common::world::{World, config, in_world};

fn assert_serves(world: &mut World) {
    let at = world.open(99, PPPD);
    assert!(world.is_open(at));
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
        world.callers[at].calls[0].mind = Mind::Test;
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
        world.callers[at].calls[0].mind = Mind::Test;
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
