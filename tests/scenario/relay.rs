//! Broadcasts between the LAN and callers, and among callers: who gets a copy, what it looks like,
//! and what does not pass.

use std::net::Ipv4Addr;

use pptp::config::{Config, Network, Ports, Relay};
use pptp::packet::Packet;
use pptp::reason::Discard;
use pptp::session::{Lan, Relayed, Step};
use pptp::wire::ipv4::Header;
use pptp::wire::udp::{self, Datagram};

use crate::common::habits::{MIKROTIK, WINDOWS};
use crate::common::inner::{number, numbered};
use crate::common::line::GOOD;
use crate::common::world::{LAN, PASSWORD, World, config_of_many, in_world};

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const LAN_BROADCAST: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 255);
const CALLERS_BROADCAST: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 255);
const EVERYBODY: Ipv4Addr = Ipv4Addr::BROADCAST;
const MDNS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const SSDP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);

/// A port of a game.
const GAME: u16 = 6112;

/// A search of a game: a datagram with right checksums.
fn search(source: Ipv4Addr, to: Ipv4Addr, count: u32) -> Vec<u8> {
    search_with(source, to, count, |_| {})
}

/// The same, after a change that its checksums know of.
fn search_with(
    source: Ipv4Addr,
    to: Ipv4Addr,
    count: u32,
    change: impl Fn(&mut Vec<u8>),
) -> Vec<u8> {
    let mut octets = numbered(source, to, count, 60);
    octets[20..22].copy_from_slice(&12345u16.to_be_bytes());
    octets[22..24].copy_from_slice(&GAME.to_be_bytes());
    octets[24..26].copy_from_slice(&40u16.to_be_bytes());
    change(&mut octets);
    mend(&mut octets);
    octets
}

fn sum(octets: &[u8], start: u32) -> u16 {
    let words =
        octets.chunks(2).map(|it| u32::from(it[0]) << 8 | u32::from(*it.get(1).unwrap_or(&0)));
    let total = words.sum::<u32>() + start;
    let folded = (total & 0xffff) + (total >> 16);
    (folded & 0xffff) as u16 + (folded >> 16) as u16
}

fn pseudo(octets: &[u8]) -> u32 {
    u32::from(sum(&octets[12..20], 17)) + (octets.len() - 20) as u32
}

fn mend(octets: &mut [u8]) {
    octets[10..12].fill(0);
    octets[26..28].fill(0);
    let header = !sum(&octets[..20], 0);
    octets[10..12].copy_from_slice(&header.to_be_bytes());
    let whole = !sum(&octets[20..], pseudo(octets));
    octets[26..28].copy_from_slice(&whole.to_be_bytes());
}

/// A world whose LAN is known, with callers of the accounts `user0`, `user1` ... online.
fn in_lan(callers: usize, relay: Relay, scenario: impl FnOnce(&mut World, &[usize])) {
    in_lan_of(Config { relay, ..config_of_many(callers) }, callers, scenario);
}

fn in_lan_of(config: Config, callers: usize, scenario: impl FnOnce(&mut World, &[usize])) {
    in_world(config, 1, |world| {
        let network = Network::around(LAN, 24);
        let networks = [network].into_iter().collect();
        world.server.lan_changed(Lan { address: Some(ROUTER), networks });
        let ends: Vec<_> = (0..callers)
            .map(|number| {
                let (habits, user) =
                    (if number % 2 == 0 { WINDOWS } else { MIKROTIK }, format!("user{number}"));
                let at = world.dial_as(10 + number as u8, habits, GOOD, &user, PASSWORD);
                assert!(world.run_until(30_000, |world| world.is_open(at)));
                at
            })
            .collect();
        world.run(500);
        scenario(world, &ends);
    });
}

/// What a caller received since it was asked last.
fn received(world: &mut World, at: usize) -> Vec<Vec<u8>> {
    std::mem::take(&mut world.ppp(at).received)
}

fn numbers(packets: &[Vec<u8>]) -> Vec<u32> {
    packets.iter().map(|it| number(it)).collect()
}

fn say(world: &mut World, at: usize, packet: &[u8]) {
    world.ppp(at).send_ip(packet);
    world.push(at);
    world.run(50);
}

/// A copy of what `search` made: one router older, for `to`, and nothing else is other than before.
fn assert_copy(copy: &[u8], original: &[u8], to: Ipv4Addr) {
    let mut expected = original.to_vec();
    expected[8] -= 1;
    expected[16..20].copy_from_slice(&to.octets());
    mend(&mut expected);
    assert_eq!(copy, expected);
}

fn counted(world: &World, why: Discard) -> u32 {
    world.server.discards().of(why)
}

#[test]
fn from_the_lan_to_every_caller() {
    in_lan(3, Relay::default(), |world, ends| {
        for (count, to) in [EVERYBODY, LAN_BROADCAST].into_iter().enumerate() {
            let packet = search(LAN, to, count as u32);
            world.send_lan(&packet).unwrap();
            world.run(50);
            for &at in ends {
                let got = received(world, at);
                assert_eq!(got.len(), 1);
                assert_copy(&got[0], &packet, EVERYBODY);
            }
        }
        assert!(world.lan.is_empty() && world.tun.is_empty());
        assert_eq!(world.server.relayed(), 2);
    });
}

#[test]
fn from_a_caller_to_the_others_the_lan_and_this_machine() {
    in_lan(3, Relay::default(), |world, ends| {
        let address = world.ppp(ends[1]).address();
        let destinations = [
            (EVERYBODY, EVERYBODY),
            (LAN_BROADCAST, LAN_BROADCAST),
            (CALLERS_BROADCAST, EVERYBODY),
        ];
        for (count, (to, in_lan)) in destinations.into_iter().enumerate() {
            let packet = search(address, to, count as u32);
            say(world, ends[1], &packet);
            for at in [ends[0], ends[2]] {
                let got = received(world, at);
                assert_eq!(got.len(), 1, "{to}");
                assert_copy(&got[0], &packet, EVERYBODY);
            }
            assert!(received(world, ends[1]).is_empty(), "not back to the sender");
            assert_copy(&world.lan.pop().expect("a copy for the LAN"), &packet, in_lan);
            assert_copy(&world.tun.pop().expect("a copy for us"), &packet, EVERYBODY);
            assert!(world.lan.is_empty() && world.tun.is_empty());
        }
    });
}

/// Without a LAN callers still find each other.
#[test]
fn among_callers_without_a_lan() {
    in_lan(2, Relay::default(), |world, ends| {
        world.server.lan_changed(Lan::default());
        let address = world.ppp(ends[0]).address();
        say(world, ends[0], &search(address, EVERYBODY, 5));
        assert_eq!(numbers(&received(world, ends[1])), [5]);
        assert!(world.lan.is_empty());
        assert!(world.server.wanted_broadcasts().is_empty());
    });
}

#[test]
fn listens_to_the_lan_only_for_somebody() {
    in_lan(1, Relay { mdns: true, ..Relay::default() }, |world, ends| {
        let wanted = world.server.wanted_broadcasts();
        assert_eq!(wanted, [LAN_BROADCAST, MDNS, EVERYBODY]);
        let now = world.now;
        world.callers[ends[0]].hang_up(now);
        world.run(5000);
        assert!(world.server.wanted_broadcasts().is_empty());
    });
    in_lan(1, Relay { on: false, ..Relay::default() }, |world, _| {
        assert!(world.server.wanted_broadcasts().is_empty());
    });
}

#[test]
fn off_is_off() {
    in_lan(2, Relay { on: false, ..Relay::default() }, |world, ends| {
        let address = world.ppp(ends[0]).address();
        let packet = search(address, EVERYBODY, 1);
        say(world, ends[0], &packet);
        assert_eq!(world.tun, [packet], "unchanged, as any packet");
        assert!(world.send_lan(&search(LAN, EVERYBODY, 2)).is_err());
        world.run(50);
        assert!(world.lan.is_empty() && received(world, ends[1]).is_empty());
    });
}

/// An account without the relay neither gets nor sends.
#[test]
fn off_for_an_account() {
    let mut config = config_of_many(3);
    config.users[1].rights.relay = false;
    in_lan_of(config, 3, |world, ends| {
        let address = world.ppp(ends[1]).address();
        say(world, ends[1], &search(address, EVERYBODY, 1));
        assert_eq!(world.tun.len(), 1);
        assert!(world.lan.is_empty() && received(world, ends[0]).is_empty());
        world.send_lan(&search(LAN, EVERYBODY, 2)).unwrap();
        world.run(50);
        assert_eq!(ends.iter().map(|&at| received(world, at).len()).collect::<Vec<_>>(), [1, 0, 1]);
    });
}

#[test]
fn groups_pass_when_they_are_wanted() {
    for (group, port, relay) in [
        (MDNS, 5353, Relay { mdns: true, ..Relay::default() }),
        (SSDP, 1900, Relay { ssdp: true, ..Relay::default() }),
    ] {
        let to_port = |source, port: u16, count| {
            search_with(source, group, count, |it| it[22..24].copy_from_slice(&port.to_be_bytes()))
        };
        // A list of ports is about broadcasts.
        let ports = [Ports { first: GAME, last: GAME }].into_iter().collect();
        in_lan(2, Relay { ports, ..relay }, |world, ends| {
            let address = world.ppp(ends[0]).address();
            let packet = to_port(address, port, 1);
            say(world, ends[0], &packet);
            assert_copy(&world.lan.pop().unwrap(), &packet, group);
            assert_copy(&received(world, ends[1]).pop().unwrap(), &packet, group);
            world.send_lan(&to_port(LAN, port, 2)).unwrap();
            assert_eq!(world.send_lan(&to_port(LAN, GAME, 3)), Err(Discard::RelayPort));
            world.run(50);
            assert_eq!(numbers(&received(world, ends[0])), [2]);
        });
        in_lan(2, Relay::default(), |world, ends| {
            let address = world.ppp(ends[0]).address();
            say(world, ends[0], &to_port(address, port, 1));
            assert!(world.send_lan(&to_port(LAN, port, 2)).is_err());
            world.run(50);
            assert!(world.lan.is_empty() && received(world, ends[1]).is_empty());
        });
    }
}

#[test]
fn denied_ports_stay_between_the_caller_and_this_machine() {
    in_lan(2, Relay::default(), |world, ends| {
        let address = world.ppp(ends[0]).address();
        // What is wrong with DHCP is not handed to this machine either.
        for (port, ours) in [(67u16, 0), (68, 1), (7, 2), (19, 3), (520, 4)] {
            let change = |it: &mut Vec<u8>| it[22..24].copy_from_slice(&port.to_be_bytes());
            say(world, ends[0], &search_with(address, EVERYBODY, 1, change));
            assert_eq!(world.tun.len(), ours, "port {port}");
            let from_lan = search_with(LAN, EVERYBODY, 2, change);
            assert_eq!(world.send_lan(&from_lan), Err(Discard::RelayPort));
        }
        world.run(50);
        assert!(world.lan.is_empty() && received(world, ends[1]).is_empty());
        assert_eq!(counted(world, Discard::RelayPort), 10);
    });
}

/// Packets for somebody are not taken for broadcasts, whatever their last octet is.
#[test]
fn packets_for_somebody_stay_what_they_are() {
    in_lan(2, Relay::default(), |world, ends| {
        let address = world.ppp(ends[0]).address();
        let tcp = search_with(address, EVERYBODY, 1, |it| it[9] = 6);
        let unicast = search(address, LAN, 2);
        let elsewhere = search(address, Ipv4Addr::new(192, 168, 2, 255), 3);
        for packet in [&tcp, &unicast, &elsewhere] {
            say(world, ends[0], packet);
        }
        assert_eq!(world.tun, [tcp, unicast, elsewhere]);
        assert_eq!(world.server.relayed(), 0);
    });
}

#[test]
fn broken_datagrams() {
    in_lan(2, Relay::default(), |world, ends| {
        let address = world.ppp(ends[0]).address();
        let mut wrong = search(address, EVERYBODY, 1);
        wrong[11] ^= 1;
        let broken = [
            search_with(address, EVERYBODY, 2, |it| it[6] = 0x20),
            search_with(address, EVERYBODY, 3, |it| it[7] = 4),
            search_with(address, EVERYBODY, 4, |it| it[25] = 41),
            search_with(address, EVERYBODY, 5, |it| it[25] = 7),
            wrong,
        ];
        for packet in &broken {
            say(world, ends[0], packet);
            let mut from_lan = packet.clone();
            from_lan[12..16].copy_from_slice(&LAN.octets());
            assert!(world.send_lan(&from_lan).is_err());
        }
        for len in 0..60 {
            assert!(world.send_lan(&search(LAN, EVERYBODY, 6)[..len]).is_err());
        }
        world.run(50);
        assert!(world.lan.is_empty() && received(world, ends[1]).is_empty());
        assert_eq!(world.tun, broken, "this machine may make sense of them");
        assert_eq!(counted(world, Discard::RelayPacket), 70);
    });
}

/// Whether its data is right says the receiver.
#[test]
fn checksums_of_the_data() {
    in_lan(1, Relay::default(), |world, ends| {
        let good = search(LAN, LAN_BROADCAST, 1);
        let (mut none, mut wrong, mut left_out) = (good.clone(), good.clone(), good.clone());
        none[26..28].fill(0);
        wrong[59] ^= 1;
        let start = sum(&[], pseudo(&good)).to_be_bytes();
        left_out[26..28].copy_from_slice(&start);
        left_out[4] = 9;
        let header = [&left_out[..10], &[0, 0], &left_out[12..20]].concat();
        left_out[10..12].copy_from_slice(&(!sum(&header, 0)).to_be_bytes());
        for packet in [&none, &wrong, &left_out] {
            world.send_lan(packet).unwrap();
        }
        world.run(50);
        let got = received(world, ends[0]);
        let right = |it: &Vec<u8>| sum(&it[20..], pseudo(it)) == 0xffff;
        assert_eq!(got.iter().map(right).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(got[0][26..28], [0, 0]);
    });
}

#[test]
fn nobody_in_the_lan_has_a_callers_address_or_ours() {
    in_lan(1, Relay::default(), |world, ends| {
        let own = world.server.config().local_ip;
        for source in [world.ppp(ends[0]).address(), own, ROUTER] {
            assert_eq!(world.send_lan(&search(source, EVERYBODY, 1)), Err(Discard::RelayLoop));
        }
        for source in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4]] {
            let packet = search(source.into(), EVERYBODY, 1);
            assert_eq!(world.send_lan(&packet), Err(Discard::RelayPacket));
        }
        world.run(50);
        assert!(received(world, ends[0]).is_empty());
    });
}

/// A second server on the LAN, a bridge: whatever brings a broadcast back. Time to Live or not, it
/// goes on once.
#[test]
fn what_comes_back_does_not_go_on() {
    in_lan(1, Relay::default(), |world, ends| {
        for (count, ttl) in [(1, 64), (2, 2), (3, 1)] {
            let packet = search_with(LAN, EVERYBODY, count, |it| it[8] = ttl);
            world.send_lan(&packet).unwrap();
            world.run(5);
            let mut copy = received(world, ends[0]).pop().expect("a copy");
            for _ in 0..30 {
                assert_eq!(world.send_lan(&copy), Err(Discard::RelayLoop), "{ttl}");
                copy[8] = copy[8].saturating_sub(1).max(1);
                mend(&mut copy);
                world.run(50);
            }
            assert!(received(world, ends[0]).is_empty());
            world.run(5000);
        }
        let told = world.events.iter().filter(|event| matches!(event.step, Step::HeldBack(_)));
        assert_eq!(told.count(), 1, "one line for the log");
    });
}

/// Two servers on one LAN whose callers are both: what A sends to the LAN B takes for its callers,
/// and gives nothing back to the LAN.
#[test]
fn two_servers_on_one_lan() {
    in_lan(2, Relay::default(), |one, ends| {
        in_lan(2, Relay::default(), |two, others| {
            // The callers of the other server have other addresses.
            let foreign = Ipv4Addr::new(192, 168, 78, 10);
            let address = one.ppp(ends[0]).address();
            say(one, ends[0], &search(address, EVERYBODY, 7));
            let mut on_the_lan = one.lan.pop().unwrap();
            on_the_lan[12..16].copy_from_slice(&foreign.octets());
            mend(&mut on_the_lan);
            two.send_lan(&on_the_lan).unwrap();
            two.run(50);
            for &at in others {
                assert_eq!(numbers(&received(two, at)), [7]);
            }
            assert!(two.lan.is_empty());
        });
    });
}

/// A program that searches again and again sends the same each time.
#[test]
fn searching_again_is_no_loop() {
    in_lan(1, Relay::default(), |world, ends| {
        for _ in 0..100 {
            world.send_lan(&search(LAN, EVERYBODY, 1)).unwrap();
            world.run(100);
        }
        assert_eq!(received(world, ends[0]).len(), 100);
    });
}

#[test]
fn a_storm_of_a_caller() {
    in_lan(2, Relay::default(), |world, ends| {
        let address = world.ppp(ends[0]).address();
        for millis in 0..1000u32 {
            for count in 0..10 {
                let packet = search(address, EVERYBODY, millis * 10 + count);
                world.ppp(ends[0]).send_ip(&packet);
            }
            let ping = search(address, LAN, 1_000_000 + millis);
            world.ppp(ends[0]).send_ip(&ping);
            world.push(ends[0]);
            world.run(1);
        }
        world.run(200);
        let (others, lan) = (received(world, ends[1]).len(), world.lan.len());
        assert!((30..=46).contains(&others) && lan == others, "{others} {lan}");
        assert_eq!(world.tun.len(), 1000 + lan, "other traffic went on");
        assert_eq!(counted(world, Discard::RelayRate) as usize, 10_000 - lan);
        let told = world.events.iter().filter(|event| matches!(event.step, Step::HeldBack(_)));
        assert_eq!(told.count(), 1, "one line for the log");
    });
}

#[test]
fn a_storm_in_the_lan() {
    in_lan(2, Relay::default(), |world, ends| {
        let address = world.ppp(ends[0]).address();
        for count in 0..10_000u32 {
            // Half of them from sources that nobody has.
            let source =
                if count % 2 == 0 { LAN } else { Ipv4Addr::from_bits(0x0a01_0000 + count) };
            _ = world.send_lan(&search(source, EVERYBODY, count));
            if count % 10 == 0 {
                world.run(1);
            }
        }
        world.run(50);
        let passed = received(world, ends[0]).len();
        assert!((30..=190).contains(&passed), "{passed}");
        // Callers have a limit of their own.
        say(world, ends[0], &search(address, EVERYBODY, 1));
        assert_eq!(world.lan.len(), 1);
        assert_eq!(received(world, ends[1]).len(), passed + 1);
    });
}

/// Broadcasts go no further than the account may, and reach nobody that it may not.
#[test]
fn rights_of_accounts() {
    let mut config = config_of_many(4);
    config.users[1].rights.lan = false;
    config.users[2].rights.callers = false;
    in_lan_of(config, 4, |world, ends| {
        world.send_lan(&search(LAN, EVERYBODY, 1)).unwrap();
        world.run(50);
        let got = |world: &mut World| {
            ends.iter().map(|&at| received(world, at).len()).collect::<Vec<_>>()
        };
        assert_eq!(got(world), [1, 0, 1, 1]);
        for (from, heard, lan) in [(0, [0, 1, 0, 1], 1), (1, [1, 0, 0, 1], 0), (2, [0; 4], 1)] {
            let address = world.ppp(ends[from]).address();
            (world.lan, world.tun) = Default::default();
            say(world, ends[from], &search(address, EVERYBODY, 2));
            assert_eq!((got(world), world.lan.len(), world.tun.len()), (heard.to_vec(), lan, lan));
        }
    });
}

/// What everybody hears keeps no call alive, and takes no more of the line than the account has.
#[test]
fn idle_calls_and_slow_ones() {
    let mut config = config_of_many(2);
    config.users[0].rights.idle_timeout = 1;
    config.users[1].rights.rate_down = 8;
    in_lan_of(config, 2, |world, ends| {
        for count in 0..200 {
            _ = world.send_lan(&search_with(LAN, EVERYBODY, count, |it| it[8] = 64));
            world.run(400);
        }
        assert!(!world.is_open(ends[0]) && world.is_open(ends[1]));
        let long = |count| {
            let mut packet = search(LAN, EVERYBODY, count);
            packet.resize(1000, 0);
            packet[2..4].copy_from_slice(&1000u16.to_be_bytes());
            packet[24..26].copy_from_slice(&980u16.to_be_bytes());
            mend(&mut packet);
            packet
        };
        received(world, ends[1]);
        for count in 1000..1100 {
            world.send_lan(&long(count)).unwrap();
            world.run(100);
        }
        // One kilobyte in a second, and what may come at once.
        let got = received(world, ends[1]).len();
        assert!((10..=23).contains(&got), "{got}");
    });
}

/// A caller cannot send as somebody else, not even to everybody.
#[test]
fn forged_sources() {
    in_lan(2, Relay::default(), |world, ends| {
        say(world, ends[0], &search(LAN, EVERYBODY, 1));
        assert_eq!(counted(world, Discard::InnerSource), 1);
        assert!(world.lan.is_empty() && received(world, ends[1]).is_empty());
    });
}

/// Callers that are gone before their copy was made do not matter.
#[test]
fn a_call_that_ends_meanwhile() {
    in_lan(3, Relay::default(), |world, ends| {
        let mut packet = Packet::new();
        packet.set(&search(LAN, EVERYBODY, 1));
        let now = world.now;
        world.server.handle_lan(&mut packet, now).unwrap();
        let gone = world.callers[ends[2]].calls[0].server_id;
        assert_eq!(world.server.disconnect(|call| call.call_id == gone, now), 1);
        let copies = std::iter::from_fn(|| world.server.poll_relay(&mut packet, now));
        assert!(copies.filter(|to| matches!(to, Relayed::Gre(_))).count() <= 2);
        assert_eq!(world.server.poll_relay(&mut packet, now), None);
        world.flush();
    });
}

#[test]
fn the_samples_are_what_they_seem() {
    let packet = search(LAN, EVERYBODY, 1);
    let header = Header::parse(&packet).unwrap();
    let datagram = Datagram::parse(&packet, &header).unwrap();
    assert_eq!((datagram.source_port, datagram.destination_port), (12345, GAME));
    assert_eq!((header.protocol, sum(&packet[20..], pseudo(&packet))), (udp::PROTOCOL, 0xffff));
}
