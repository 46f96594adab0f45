//! Outages in the middle of a call: short ones are caught up, and a call whose keys are out of step
//! for good ends with the cause that a person needs, instead of living on deaf.

use pptp::config::Config;
use pptp::limits::{REKEYS_PER_SECOND, UNREAD_MS, UNREAD_PACKETS};
use pptp::reason::{Cause, Discard};

use crate::common::habits::{Encryption, Habits, MIKROTIK, PPPD, STATEFUL_128};
use crate::common::inner::{number, numbered};
use crate::common::line::GOOD;
use crate::common::mppe_peers::KINDS;
use crate::common::world::{LAN, World, config, in_world};

/// Sends `count` packets of the caller, one every `pause` milliseconds.
fn send(world: &mut World, at: usize, count: u32, pause: u64) {
    let address = world.ppp(at).address();
    for number in 0..count {
        world.ppp(at).send_ip(&numbered(address, LAN, number, 60));
        world.push(at);
        world.run(pause);
    }
}

/// The caller's packets get lost, so many of them.
fn outage(world: &mut World, at: usize, count: u32) {
    world.callers[at].gre_up.quality.loss = 100;
    send(world, at, count, 0);
    world.callers[at].gre_up.quality = GOOD;
    world.tun.clear();
}

/// After an outage of so many packets the call ends in time, says why, and the caller is in again.
fn assert_ends(world: &mut World, habits: Habits, lost: u32) {
    let at = world.open(1, habits);
    outage(world, at, lost);
    let began = world.now;
    while world.ended().is_empty() {
        send(world, at, 1, 200);
        assert!(world.now.since(began) < UNREAD_MS + 5_000, "{lost} lost: still deaf");
    }
    assert_eq!((world.ended(), world.tun.len()), (vec![Cause::KeysLost], 0));
    world.run(5_000);
    assert_eq!(world.server.leased(), 0);
    let again = world.open(1, habits);
    send(world, again, 10, 10);
    assert_eq!(world.tun.len(), 10);
}

#[test]
fn stateless_outages_that_are_too_long() {
    for lost in [33_000, 40_000] {
        in_world(config(), 1, |world| assert_ends(world, PPPD, lost));
    }
}

#[test]
fn stateful_outages_that_are_too_long() {
    for kind in KINDS {
        let encryption = Encryption::Wants(STATEFUL_128, &[STATEFUL_128]);
        let habits = Habits { encryption, kind, ..MIKROTIK };
        let config = Config { mppe_stateful: true, ..config() };
        in_world(config, 1, |world| assert_ends(world, habits, 20_000));
    }
}

/// What can be caught up is caught up, also by a caller that sends little.
#[test]
fn outages_that_are_caught_up() {
    for (lost, pause) in [(1, 1000), (60, 1000), (1500, 1000), (5000, 200), (32_000, 20)] {
        in_world(config(), 1, |world| {
            let at = world.open(1, PPPD);
            outage(world, at, lost);
            send(world, at, 600.min(3 + lost / 50), pause);
            world.run(1_000);
            assert_eq!(world.ended(), [], "{lost} lost");
            world.tun.clear();
            send(world, at, 10, pause);
            world.run(1_000);
            let arrived: Vec<_> = world.tun.iter().map(|packet| number(packet)).collect();
            assert_eq!(arrived, (0..10).collect::<Vec<_>>(), "{lost} lost");
        });
    }
}

/// Forged packets between those of a caller end nothing, however long they come.
#[test]
fn forged_packets_between_good_ones() {
    in_world(config(), 1, |world| {
        let at = world.open(1, PPPD);
        for round in 0..120u16 {
            for forged in 0..2 * UNREAD_PACKETS as u16 / 10 {
                let count = (0x9000 | (round * 97 + forged * 131) & 0x0fff).to_be_bytes();
                let frame = [&[0xff, 3, 0, 0xfd], &count[..], &[0x5a; 60]].concat();
                let sequence = world.callers[at].calls[0].next_sequence + 1000 + u32::from(forged);
                let now = world.now;
                world.callers[at].send_frame_as(0, sequence, &frame, now);
            }
            send(world, at, 1, 1000);
        }
        assert_eq!((world.ended(), world.tun.len()), (vec![], 120));
        assert!(world.server.discards().of(Discard::MppeJump) > 500);
    });
}

/// A flood of packets that cannot be read costs a bounded number of key changes in a second, and the
/// caller's own packets pass beside it.
#[test]
fn a_flood_of_unreadable_packets() {
    in_world(config(), 1, |world| {
        let at = world.open(1, PPPD);
        let before = world.server.key_changes();
        for number in 0..4_000u16 {
            let count = (0x9000 | number.wrapping_mul(67) & 0x0fff).to_be_bytes();
            let frame = [&[0xff, 3, 0, 0xfd], &count[..], &[0x5a; 60]].concat();
            let sequence = world.callers[at].calls[0].next_sequence + 1000 + u32::from(number);
            let now = world.now;
            world.callers[at].send_frame_as(0, sequence, &frame, now);
            if number % 40 == 0 {
                send(world, at, 1, 10);
            }
        }
        world.run(1_000);
        assert_eq!((world.ended(), world.tun.len()), (vec![], 100));
        let spent = world.server.key_changes() - before;
        assert!(spent < 3 * REKEYS_PER_SECOND, "{spent} key changes in two seconds");
    });
}

/// Requests for new keys that are not heard become rare while the peer sends nothing; its next packet
/// brings the next request within half a second.
#[test]
fn a_silent_peer_is_seldom_asked_for_a_reset() {
    let encryption = Encryption::Wants(STATEFUL_128, &[STATEFUL_128]);
    in_world(Config { mppe_stateful: true, ..config() }, 1, |world| {
        let at = world.open(1, Habits { encryption, ..MIKROTIK });
        outage(world, at, 1);
        world.callers[at].gre_down.quality.loss = 100;
        send(world, at, 1, 0);
        let before = world.gre_sent;
        world.run(16_000);
        let asked = world.gre_sent - before;
        assert!((4..=8).contains(&asked), "{asked} packets in 16 s of silence");
        world.callers[at].gre_down.quality = GOOD;
        send(world, at, 1, 520);
        assert_eq!(world.tun.len(), 0);
        send(world, at, 3, 10);
        assert_eq!(world.tun.len(), 3);
    });
}
