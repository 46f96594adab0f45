//! DHCPINFORM inside the tunnel: what a caller is told, and what is refused.

use std::net::Ipv4Addr;

use pptp::config::{Config, Duplicate, Network};
use pptp::reason::Discard;
use pptp::session::Lan;

use crate::common::dice::Dice;
use crate::common::habits::{MIKROTIK, PPPD, WINDOWS};
use crate::common::line::{GOOD, Quality};
use crate::common::world::{PASSWORD, World, config, config_of_many, in_world};

const LOCAL_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

fn network(octets: [u8; 4], prefix: u8) -> Network {
    Network::around(octets.into(), prefix)
}

fn lan(networks: &[Network]) -> Lan {
    Lan { address: None, networks: networks.iter().copied().collect() }
}

/// An inner UDP packet with no checksum.
fn udp(from: Ipv4Addr, to: Ipv4Addr, ports: [u16; 2], data: &[u8]) -> Vec<u8> {
    let length = 8 + data.len() as u16;
    let mut octets = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 128, 17, 0, 0];
    octets[2..4].copy_from_slice(&(20 + length).to_be_bytes());
    octets.extend_from_slice(&from.octets());
    octets.extend_from_slice(&to.octets());
    for field in [ports[0], ports[1], length, 0] {
        octets.extend_from_slice(&field.to_be_bytes());
    }
    octets.extend_from_slice(data);
    octets
}

/// A DHCP message of a client at `address`.
fn message(address: Ipv4Addr, options: &[u8]) -> Vec<u8> {
    let mut octets = vec![1, 8, 16, 0, 9, 8, 7, 6, 0, 0, 0, 0];
    octets.extend_from_slice(&address.octets());
    octets.resize(236, 0);
    octets.extend_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    octets.extend_from_slice(options);
    octets
}

const INFORM: &[u8] = &[53, 1, 8, 55, 6, 6, 44, 43, 15, 249, 121, 255];

/// Sends a packet of the caller's; what came back, and what went to the LAN.
fn send(world: &mut World, at: usize, packet: &[u8]) -> (Vec<Vec<u8>>, usize) {
    world.tun.clear();
    world.ppp(at).received.clear();
    world.ppp(at).send_ip(packet);
    world.push(at);
    world.run(300);
    (std::mem::take(&mut world.ppp(at).received), world.tun.len())
}

fn ask(world: &mut World, at: usize, to: Ipv4Addr, options: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let address = world.ppp(at).address();
    send(world, at, &udp(address, to, [68, 67], &message(address, options)))
}

/// The options of the only answer.
fn told(world: &mut World, at: usize, options: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let address = world.ppp(at).address();
    let (answers, passed) = ask(world, at, Ipv4Addr::BROADCAST, options);
    assert_eq!((answers.len(), passed), (1, 0), "one answer and nothing to the LAN");
    let answer = &answers[0];
    assert_eq!(answer[12..20], [LOCAL_IP.octets(), address.octets()].concat());
    assert_eq!(answer[20..24], [0, 67, 0, 68]);
    let message = &answer[28..];
    assert_eq!((message[0], &message[4..8]), (2, &[9, 8, 7, 6][..]));
    assert_eq!(message[12..20], [&address.octets()[..], &[0; 4]].concat());
    let (mut found, mut rest) = (Vec::new(), &message[240..]);
    while rest != [255] {
        let length = usize::from(rest[1]);
        found.push((rest[0], rest[2..2 + length].to_vec()));
        rest = &rest[2 + length..];
    }
    found
}

fn option(found: &[(u8, Vec<u8>)], code: u8) -> Option<&[u8]> {
    found.iter().find(|option| option.0 == code).map(|option| &option.1[..])
}

fn informed() -> Config {
    let mut config = config();
    config.domain = "lan".try_into().unwrap();
    config.wins.push([192, 168, 1, 9].into()).unwrap();
    config.push_routes.push(network([10, 20, 0, 0], 16)).unwrap();
    config.push_routes.push(network([192, 168, 1, 64], 26)).unwrap();
    config.users[0].push_routes.push(network([172, 16, 5, 128], 25)).unwrap();
    config
}

#[test]
fn routes_names_and_servers() {
    in_world(informed(), 1, |world| {
        world.server.lan_changed(lan(&[network([192, 168, 1, 0], 24)]));
        for habits in [WINDOWS, PPPD, MIKROTIK] {
            let at = world.open(1, habits);
            let found = told(world, at, INFORM);
            assert_eq!(option(&found, 53), Some(&[5][..]));
            assert_eq!(option(&found, 54), Some(&LOCAL_IP.octets()[..]));
            assert_eq!(option(&found, 6), Some(&LOCAL_IP.octets()[..]));
            assert_eq!(option(&found, 44), Some(&[192, 168, 1, 9][..]));
            assert_eq!(option(&found, 15), Some(&b"lan"[..]));
            // The second pushed network is within the LAN, and is not told again.
            let gateway = LOCAL_IP.octets();
            let routes = [
                &[24, 192, 168, 1][..],
                &gateway,
                &[25, 192, 168, 77, 0],
                &gateway,
                &[16, 10, 20],
                &gateway,
                &[25, 172, 16, 5, 128],
                &gateway,
            ];
            assert_eq!(option(&found, 121), Some(&routes.concat()[..]));
            assert_eq!(option(&found, 249), option(&found, 121));
            assert!(found.iter().all(|option| ![1, 3, 51].contains(&option.0)), "no lease");
        }
    });
}

#[test]
fn only_what_is_asked_for_or_all() {
    in_world(informed(), 1, |world| {
        let at = world.open(1, WINDOWS);
        let codes = |found: &[(u8, Vec<u8>)]| found.iter().map(|it| it.0).collect::<Vec<_>>();
        let found = told(world, at, &[53, 1, 8, 55, 1, 249, 255]);
        assert_eq!(codes(&found), [53, 54, 249]);
        let found = told(world, at, &[53, 1, 8, 61, 2, 1, 7, 255]);
        assert_eq!(codes(&found), [53, 54, 61, 6, 44, 15, 249, 121]);
        let (answers, _) = ask(world, at, LOCAL_IP, INFORM);
        assert_eq!(answers.len(), 1, "sent to us alone");
    });
}

/// The routes of option 121 as networks.
fn routes(found: &[(u8, Vec<u8>)]) -> Vec<String> {
    let (mut rest, mut routes) = (option(found, 121).unwrap_or_default(), Vec::new());
    while let [prefix, ..] = *rest {
        let shown = usize::from(prefix.div_ceil(8));
        let mut octets = [0; 4];
        octets[..shown].copy_from_slice(&rest[1..1 + shown]);
        routes.push(Network::around(octets.into(), prefix).to_string());
        rest = &rest[1 + shown + 4..];
    }
    routes
}

#[test]
fn networks_that_an_account_may_not_reach_are_not_told() {
    let mut config = config_of_many(3);
    config.users[2].rights.routes.push(network([192, 168, 5, 0], 24)).unwrap();
    in_world(config, 1, |world| {
        world.server.lan_changed(lan(&[network([192, 168, 1, 0], 24)]));
        let dial = |world: &mut World, user: u8| {
            let at = world.dial_as(user, WINDOWS, GOOD, &format!("user{user}"), PASSWORD);
            assert!(world.run_until(30_000, |world| world.is_open(at)));
            world.run(5000);
            at
        };
        let (one, router) = (dial(world, 1), dial(world, 2));
        let all = ["192.168.1.0/24", "192.168.77.0/25", "192.168.5.0/24"];
        let found = told(world, one, INFORM);
        assert_eq!(routes(&found), all);
        let found = told(world, router, INFORM);
        assert_eq!(routes(&found), all[..2], "not its own");
        let mut changed = world.server.config().clone();
        changed.users[1].rights.lan = false;
        world.server.reload(changed.clone(), world.now);
        let found = told(world, one, INFORM);
        assert_eq!(routes(&found), all[1..]);
        changed.users[2].rights.callers = false;
        world.server.reload(changed.clone(), world.now);
        let found = told(world, one, INFORM);
        assert_eq!(routes(&found), all[1..2]);
        changed.users[1].rights.callers = false;
        world.server.reload(changed, world.now);
        let found = told(world, one, INFORM);
        assert_eq!(option(&found, 121), None, "there is nothing to say");
        // A machine behind the router is none of ours to configure: its packet passes.
        let behind = Ipv4Addr::new(192, 168, 5, 9);
        let packet = udp(behind, LOCAL_IP, [68, 67], &message(behind, INFORM));
        assert_eq!(send(world, router, &packet), (vec![], 1));
    });
}

#[test]
fn everything_else_is_dropped_and_counted() {
    in_world(config(), 1, |world| {
        let at = world.open(1, WINDOWS);
        let address = world.ppp(at).address();
        let dropped = |world: &World| world.server.discards().of(Discard::DhcpMessage);
        for kind in [0, 1, 2, 3, 4, 5, 6, 7, 9] {
            assert_eq!(ask(world, at, Ipv4Addr::BROADCAST, &[53, 1, kind, 255]), (vec![], 0));
        }
        assert_eq!(dropped(world), 9);
        let whole = message(address, INFORM);
        // The type of the message is its first option, and the rest may be missing.
        for cut in 0..243 {
            let packet = udp(address, LOCAL_IP, [68, 67], &whole[..cut]);
            assert_eq!(send(world, at, &packet), (vec![], 0), "{cut}");
        }
        let other = message([192, 168, 77, 98].into(), INFORM);
        assert_eq!(send(world, at, &udp(address, LOCAL_IP, [68, 67], &other)), (vec![], 0));
        assert_eq!(send(world, at, &udp(address, LOCAL_IP, [99, 67], &whole)), (vec![], 0));
        assert_eq!(dropped(world) as usize, 9 + 243 + 2);
        // What is for others goes its way.
        let elsewhere = udp(address, [192, 168, 1, 1].into(), [68, 67], &whole);
        assert_eq!(send(world, at, &elsewhere), (vec![], 1));
        assert_eq!(send(world, at, &udp(address, LOCAL_IP, [68, 53], &whole)), (vec![], 1));
        assert_eq!(told(world, at, INFORM).len(), 5);
    });
}

#[test]
fn nobody_gets_more_answers_than_a_person_needs() {
    in_world(Config { duplicate: Duplicate::Allow, ..config() }, 1, |world| {
        let (at, other) = (world.open(1, WINDOWS), world.open(2, MIKROTIK));
        let mut answered = 0;
        for _ in 0..100 {
            answered += ask(world, at, LOCAL_IP, INFORM).0.len();
        }
        // 30 s: five at once, and one every 2 s.
        assert!((18..=21).contains(&answered), "{answered}");
        let limit = world.server.discards().of(Discard::DhcpLimit);
        assert_eq!(limit as usize, 100 - answered);
        assert_eq!(ask(world, other, LOCAL_IP, INFORM).0.len(), 1);
    });
}

#[test]
fn as_many_routes_as_one_option_holds_and_as_fit_into_the_packet() {
    let mut config = Config { mtu: 576, ..config() };
    for number in 0..8 {
        config.push_routes.push(network([10, number, 0, 0], 32)).unwrap();
    }
    for number in 0..4 {
        config.users[0].push_routes.push(network([11, number, 0, 0], 32)).unwrap();
    }
    in_world(config, 1, |world| {
        let networks: Vec<_> = (0..4).map(|number| network([12, number, 0, 0], 32)).collect();
        world.server.lan_changed(lan(&networks));
        let at = world.open(1, WINDOWS);
        let found = told(world, at, INFORM);
        // The room of 576 octets is enough for one of the lists: the one that every Windows knows.
        assert_eq!(option(&found, 249).map(<[u8]>::len), Some(17 * 9));
        assert_eq!(option(&found, 121), None);
    });
}

/// Questions that come early wait, and are answered like others.
#[test]
fn questions_over_a_line_that_reorders() {
    in_world(config(), 7, |world| {
        let mut dice = Dice::new(3);
        let at = world.open(1, PPPD);
        let address = world.ppp(at).address();
        let mut answers = 0;
        world.callers[at].gre_up.quality = Quality { reordered: (300, 20), ..GOOD };
        for _ in 0..40 {
            world.ppp(at).received.clear();
            world.ppp(at).send_ip(&udp(address, LOCAL_IP, [68, 67], &message(address, INFORM)));
            world.ppp(at).send_ip(&udp(address, LOCAL_IP, [68, 53], b"between"));
            world.push(at);
            world.run(2000 + dice.below(500));
            answers += world.ppp(at).received.len();
        }
        assert_eq!(answers, 40);
    });
}
