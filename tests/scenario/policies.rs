//! Encryption as the configuration wants it: required, optional, off; strengths; stateful keys over
//! bad lines.

use pptp::config::{Config, Mppe};
use pptp::proto::mppe::Strength;
use pptp::reason::{Cause, Discard};
use pptp::session::Step;

use crate::common::dice::for_seeds;
use crate::common::habits::{
    ALL, Encryption, Habits, MIKROTIK, PPPD, STATEFUL_128, STATELESS_40, STATELESS_56,
    STATELESS_128, WINDOWS,
};
use crate::common::inner::{number, numbered};
use crate::common::line::{GOOD, Quality};
use crate::common::mppe_peers::{KINDS, Kind};
use crate::common::world::{LAN, World, config, in_world};

fn policy(mppe: Mppe) -> Config {
    Config { mppe, ..config() }
}

fn wants(bits: u32, accepted: &'static [u32]) -> Encryption {
    Encryption::Wants(bits, accepted)
}

/// Sends numbered packets both ways; returns which ones arrived at the LAN and at the caller.
fn exchange(world: &mut World, at: usize, count: u32) -> (Vec<u32>, Vec<u32>) {
    let address = world.ppp(at).address();
    world.tun.clear();
    world.ppp(at).received.clear();
    for number in 0..count {
        world.ppp(at).send_ip(&numbered(address, LAN, number, 60));
        world.push(at);
        world.send_tun(&numbered(LAN, address, number, 60)).unwrap();
        world.run(2);
    }
    world.run(200);
    let back = world.ppp(at).received.iter().map(|packet| number(packet)).collect();
    (world.tun.iter().map(|packet| number(packet)).collect(), back)
}

fn assert_exchange(world: &mut World, at: usize) {
    let all: Vec<_> = (0..50).collect();
    assert_eq!(exchange(world, at, 50), (all.clone(), all));
}

/// Whether the last call that opened did so encrypted, and its MTU.
fn opened(world: &World) -> Option<(bool, u16)> {
    world.events.iter().rev().find_map(|event| match event.step {
        Step::Open { encrypted, mtu, .. } => Some((encrypted, mtu)),
        _ => None,
    })
}

#[test]
fn strengths_and_modes() {
    for (bits, min, strength, stateful) in [
        (STATELESS_128, Strength::Bits128, Strength::Bits128, false),
        (STATEFUL_128, Strength::Bits128, Strength::Bits128, true),
        (STATELESS_56, Strength::Bits56, Strength::Bits56, false),
        (0x80, Strength::Bits40, Strength::Bits56, true),
        (STATELESS_40, Strength::Bits40, Strength::Bits40, false),
        (0x20, Strength::Bits40, Strength::Bits40, true),
    ] {
        let accepted: &[u32] = Box::leak(Box::new([bits]));
        let config = Config { mppe_min: min, mppe_stateful: stateful, ..config() };
        in_world(config, 1, |world| {
            let habits = Habits { encryption: wants(bits, accepted), ..MIKROTIK };
            let at = world.open(1, habits);
            let session = world.server.sessions().next().unwrap();
            for method in [session.send.unwrap(), session.receive.unwrap()] {
                assert_eq!((method.strength, method.stateful), (strength, stateful), "{bits:08x}");
            }
            assert_exchange(world, at);
        });
    }
}

/// Who offers several gets the best that is allowed.
#[test]
fn a_choice_of_strengths() {
    for habits in [MIKROTIK, PPPD] {
        let encryption = wants(0x0100_00e0, &[STATELESS_128, STATELESS_56, STATELESS_40]);
        in_world(Config { mppe_min: Strength::Bits40, ..config() }, 1, |world| {
            world.open(1, Habits { encryption, ..habits });
            let session = world.server.sessions().next().unwrap();
            assert_eq!(session.send.unwrap().strength, Strength::Bits128);
        });
    }
}

/// pppd hangs up when it is asked for a strength that it does not have: where weak ones are allowed
/// it is let go first.
#[test]
fn weak_keys_with_pppd() {
    for accepted in [&[STATELESS_40], &[STATELESS_56], &[STATELESS_128]] {
        in_world(Config { mppe_min: Strength::Bits40, ..config() }, 1, |world| {
            let at = world.open(1, Habits { encryption: wants(accepted[0], accepted), ..PPPD });
            assert_exchange(world, at);
        });
    }
}

/// Nobody waits for ever for a caller that does not begin.
#[test]
fn weak_keys_with_a_caller_that_waits() {
    in_world(Config { mppe_min: Strength::Bits40, ..config() }, 1, |world| {
        let encryption = Encryption::RejectsMppe;
        world.dial(1, Habits { encryption, ..MIKROTIK }, GOOD);
        assert!(world.run_until(3000, |world| !world.ended().is_empty()));
        assert_eq!(world.ended(), [Cause::EncryptionRefused]);
    });
}

#[test]
fn too_weak_or_stateful_is_refused() {
    for (bits, accepted) in [
        (STATELESS_40, &[STATELESS_40][..]),
        (STATELESS_56, &[STATELESS_56]),
        (STATEFUL_128, &[STATEFUL_128]),
    ] {
        in_world(config(), 1, |world| {
            world.dial(1, Habits { encryption: wants(bits, accepted), ..MIKROTIK }, GOOD);
            assert!(world.run_until(90_000, |world| world.is_idle()));
            assert_eq!(world.ended(), [Cause::EncryptionRefused], "{bits:08x}");
        });
    }
}

#[test]
fn optional_encryption_is_used_if_the_caller_has_it() {
    for habits in ALL {
        in_world(policy(Mppe::Optional), 1, |world| {
            let at = world.open(1, habits);
            assert!(world.model(at).is_encrypted(), "{}", habits.name);
            let mru = if habits.name == "mikrotik" { 1450 } else { 1400 };
            let expected = if habits.name == "pppd" { 1400 } else { 1400.min(mru - 4) };
            assert_eq!(opened(world), Some((true, expected)), "{}", habits.name);
            assert_exchange(world, at);
        });
    }
}

#[test]
fn optional_encryption_is_left_out_for_those_who_have_none() {
    for encryption in [Encryption::UnknownCcp, Encryption::RejectsMppe] {
        in_world(policy(Mppe::Optional), 1, |world| {
            let at = world.open(1, Habits { encryption, ..MIKROTIK });
            assert_eq!(opened(world), Some((false, 1400)));
            assert_exchange(world, at);
            world.run(60_000);
            assert!(world.is_open(at));
        });
    }
}

#[test]
fn encryption_that_is_off() {
    for (encryption, opens) in [
        (Encryption::UnknownCcp, true),
        (Encryption::RejectsMppe, true),
        (wants(STATELESS_128, &[STATELESS_128]), false),
    ] {
        in_world(policy(Mppe::Off), 1, |world| {
            let at = world.dial(1, Habits { encryption, ..MIKROTIK }, GOOD);
            world.run(5000);
            assert_eq!(world.is_open(at), opens, "{encryption:?}");
            if opens {
                assert_eq!(opened(world), Some((false, 1400)));
                assert_exchange(world, at);
            } else {
                assert!(world.model(at).rejected.contains(&0x80fd), "Protocol-Reject of CCP");
            }
        });
    }
}

/// A caller that must encrypt and finds a server that does not, and the other way round.
#[test]
fn required_and_refused() {
    for encryption in [Encryption::UnknownCcp, Encryption::RejectsMppe] {
        for habits in [PPPD, WINDOWS, MIKROTIK] {
            in_world(config(), 1, |world| {
                world.dial(1, Habits { encryption, ..habits }, GOOD);
                assert!(world.run_until(40_000, |world| !world.ended().is_empty()));
                assert_eq!(
                    world.ended(),
                    [Cause::EncryptionRefused],
                    "{} {encryption:?}",
                    habits.name
                );
                assert_eq!(opened(world), None);
            });
        }
    }
}

/// With required encryption no clear packet passes, at any time of a call.
#[test]
fn clear_packets_never_pass() {
    in_world(config(), 1, |world| {
        let at = world.dial(1, PPPD, GOOD);
        let clear = |source| [&[0xff, 3, 0, 0x21], &numbered(source, LAN, 1, 60)[..]].concat();
        for _ in 0..400 {
            if world.callers[at].calls[0].server_id != 0 {
                let source = world.server.sessions().next().and_then(|session| session.address);
                let source = source.unwrap_or([192, 168, 77, 10].into());
                world.send(at, &clear(source));
            }
            let _refused = world.send_tun(&numbered(LAN, [192, 168, 77, 10].into(), 1, 60));
            world.run(3);
        }
        assert!(world.is_open(at));
        assert_eq!(world.tun.len(), 0);
        assert!(world.server.discards().of(Discard::MppeClear) > 300);
    });
}

/// Encrypted, but not said so: the D bit or the A bit is missing.
#[test]
fn packets_with_wrong_mppe_bits_never_pass() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let source = world.ppp(at).address();
        for bits in 0..=15u8 {
            let inner = [&[0, 0x21], &numbered(source, LAN, 1, 60)[..]].concat();
            world.send(at, &[&[0xff, 3, 0, 0xfd, bits << 4, 0], &inner[..]].concat());
            world.run(20);
        }
        assert_eq!(world.tun.len(), 0);
        assert_exchange(world, at);
    });
}

/// Stateful keys over lines that lose packets, for every kind of peer: resets go both ways, what
/// arrives is right and in order, and when the losses end everything arrives. 5000 packets each way
/// are a round of the coherency count and more.
#[test]
fn stateful_over_a_bad_line() {
    for kind in KINDS {
        for_seeds(6, |seed| {
            let config = Config { mppe_stateful: true, ..config() };
            in_world(config, seed, |world| {
                let encryption = wants(STATEFUL_128, &[STATEFUL_128]);
                let at = world.open(1, Habits { encryption, kind, ..MIKROTIK });
                let quality =
                    Quality { delay: 8, jitter: 4, loss: 2, doubled: 1, reordered: (2, 6) };
                (world.callers[at].gre_up.quality, world.callers[at].gre_down.quality) =
                    (quality, quality);
                let (there, back) = exchange(world, at, 5000);
                for arrived in [&there, &back] {
                    assert!(arrived.is_sorted(), "{kind:?}");
                    assert!(arrived.len() > 2000, "{kind:?}: {} of 5000", arrived.len());
                }
                assert!(world.model(at).resets > 10, "{kind:?}");
                (world.callers[at].gre_up.quality, world.callers[at].gre_down.quality) =
                    (GOOD, GOOD);
                // The last losses are found out by the next packets.
                exchange(world, at, 600);
                assert_exchange(world, at);
            });
        });
    }
}

/// Stateless keys need no resets, and lose nothing but what the line loses.
#[test]
fn stateless_over_a_bad_line() {
    for_seeds(3, |seed| {
        in_world(config(), seed, |world| {
            let at = world.open(1, PPPD);
            let quality = Quality { delay: 8, jitter: 4, loss: 5, doubled: 2, reordered: (5, 20) };
            world.callers[at].gre_up.quality = quality;
            let (there, back) = exchange(world, at, 5000);
            assert!(there.len() > 4650 && there.is_sorted(), "{} of 5000", there.len());
            assert_eq!(back.len(), 5000);
        });
    });
}

/// A Reset-Request gets its Ack, and the next packet is flushed; again and again.
#[test]
fn resets_are_acknowledged() {
    let config = Config { mppe_stateful: true, ..config() };
    in_world(config, 1, |world| {
        let encryption = wants(STATEFUL_128, &[STATEFUL_128]);
        let at = world.open(1, Habits { encryption, kind: Kind::Rfc, ..MIKROTIK });
        for identifier in 0..100 {
            world.send(at, &crate::common::layer::frame(0x80fd, 14, identifier, &[]));
            world.run(3);
            let address = world.ppp(at).address();
            world.send_tun(&numbered(LAN, address, identifier.into(), 60)).unwrap();
            world.run(10);
        }
        assert_eq!(world.model(at).received.len(), 100);
    });
}
