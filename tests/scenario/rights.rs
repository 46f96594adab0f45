//! What accounts may do: where packets go and where they must not, and how fast.

use std::net::Ipv4Addr;

use pptp::config::{Network, Rights};
use pptp::reason::Discard;
use pptp::session::Lan;

use crate::common::habits::MIKROTIK;
use crate::common::inner::numbered;
use crate::common::line::GOOD;
use crate::common::world::{LOCAL, PASSWORD, World, config_of_many, in_world};

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const LAN_ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
pub const LAN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 5);
const GUEST: Ipv4Addr = Ipv4Addr::new(192, 168, 3, 5);
pub const INTERNET: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);
pub const BRANCH: Ipv4Addr = Ipv4Addr::new(192, 168, 5, 20);
pub const MINUTE: u64 = 60_000;

pub fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').unwrap();
    Network::around(address.parse().unwrap(), prefix.parse().unwrap())
}

pub fn lan() -> Lan {
    let networks = [network("192.168.1.0/24"), network("198.18.0.0/24")];
    Lan { address: Some(LAN_ROUTER), networks: networks.into_iter().collect() }
}

/// A world of the accounts `user0` and so on with these rights, all of them online in this order.
pub fn online<T>(rights: &[Rights], scenario: impl FnOnce(&mut World) -> T) -> T {
    let mut config = config_of_many(rights.len());
    for (user, rights) in config.users.iter_mut().zip(rights) {
        user.rights = rights.clone();
    }
    in_world(config, 1, |world| {
        world.server.lan_changed(lan());
        for at in 0..rights.len() {
            dial(world, at);
        }
        scenario(world)
    })
}

pub fn dial(world: &mut World, at: usize) {
    let caller = world.dial_as(at as u8 + 1, MIKROTIK, GOOD, &format!("user{at}"), PASSWORD);
    assert!(world.run_until(5000, |world| world.is_open(caller)), "user{at} is not online");
    world.run(500);
}

pub fn address(world: &World, at: usize) -> Ipv4Addr {
    world.model(at).address()
}

/// Whether a packet of a caller comes out of the TUN.
pub fn up(world: &mut World, at: usize, packet: &[u8]) -> bool {
    let before = world.tun.len();
    world.ppp(at).send_ip(packet);
    world.push(at);
    world.run(100);
    assert!(world.tun[before..].iter().all(|passed| passed == packet));
    world.tun.len() > before
}

pub fn goes(world: &mut World, at: usize, to: Ipv4Addr) -> bool {
    let packet = numbered(address(world, at), to, 1, 60);
    up(world, at, &packet)
}

/// Whether a packet from `from` reaches a caller.
pub fn comes(world: &mut World, at: usize, from: Ipv4Addr) -> bool {
    let packet = numbered(from, address(world, at), 2, 60);
    world.send_tun(&packet).is_ok()
}

/// A UDP or TCP packet between two ports.
fn with_ports(mut packet: Vec<u8>, protocol: u8, source: u16, destination: u16) -> Vec<u8> {
    packet[9] = protocol;
    packet[20..22].copy_from_slice(&source.to_be_bytes());
    packet[22..24].copy_from_slice(&destination.to_be_bytes());
    packet
}

pub fn discards(world: &World, why: Discard) -> u32 {
    world.server.discards().of(why)
}

#[test]
fn every_combination_of_rights() {
    for bits in 0..8 {
        let (lan, internet, callers) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
        let rights = Rights { lan, internet, callers, ..Rights::default() };
        online(&[rights, Rights::default()], |world| {
            let other = address(world, 1);
            for (place, may) in [
                (LAN, lan),
                (LAN_ROUTER, lan),
                (ROUTER, lan),
                (LOCAL, lan),
                (Ipv4Addr::new(198, 18, 0, 7), lan),
                (GUEST, lan),
                (Ipv4Addr::new(192, 168, 1, 255), lan),
                (Ipv4Addr::new(239, 255, 255, 250), lan),
                (INTERNET, internet),
                (Ipv4Addr::new(198, 18, 1, 7), internet),
                (other, callers),
                (Ipv4Addr::new(192, 168, 77, 60), callers),
            ] {
                let before = discards(world, Discard::InnerForbidden);
                assert_eq!(goes(world, 0, place), may, "{bits:03b} to {place}");
                let counted = discards(world, Discard::InnerForbidden) - before;
                assert_eq!(counted, u32::from(!may));
                let before = discards(world, Discard::TunForbidden);
                assert_eq!(comes(world, 0, place), may, "{bits:03b} from {place}");
                assert_eq!(discards(world, Discard::TunForbidden) - before, u32::from(!may));
            }
            // Those with all rights can go to the other, but arrive only if that may.
            assert!(goes(world, 1, address(world, 0)));
            let sender = address(world, 1);
            assert_eq!(comes(world, 0, sender), callers);
        });
    }
}

/// Without the LAN the router still gives names and addresses, and nothing else.
#[test]
fn services_of_the_router() {
    let rights = Rights { lan: false, callers: false, internet: false, ..Rights::default() };
    online(&[rights], |world| {
        let own = address(world, 0);
        for router in [ROUTER, LAN_ROUTER, LOCAL] {
            let to =
                |protocol, port| with_ports(numbered(own, router, 1, 60), protocol, 4000, port);
            let from =
                |protocol, port| with_ports(numbered(router, own, 1, 60), protocol, port, 4000);
            for (protocol, port, may) in
                [(17, 53, true), (6, 53, true), (6, 80, false), (17, 443, false)]
            {
                assert_eq!(up(world, 0, &to(protocol, port)), may, "{protocol} {port}");
                assert_eq!(world.send_tun(&from(protocol, port)).is_ok(), may);
            }
            let ping = with_ports(numbered(own, router, 1, 60), 1, 0x0800, 0);
            assert!(up(world, 0, &ping));
            let redirect = with_ports(numbered(own, router, 1, 60), 1, 0x0501, 0);
            assert!(!up(world, 0, &redirect));
        }
        // DHCP is handled here; names of a LAN host that is not the server that callers know.
        let inform = numbered(own, Ipv4Addr::BROADCAST, 1, 300);
        assert!(!up(world, 0, &with_ports(inform, 17, 68, 67)));
        assert_eq!(discards(world, Discard::DhcpMessage), 1, "it was read");
        assert!(!up(world, 0, &with_ports(numbered(own, LAN, 1, 60), 17, 4000, 53)));
    });
}

/// The DNS server that callers are told of is one of the LAN.
#[test]
fn a_dns_server_of_the_lan() {
    let mut config = config_of_many(1);
    config.dns = [LAN].into_iter().collect();
    config.users[0].rights.lan = false;
    in_world(config, 1, |world| {
        dial(world, 0);
        let own = address(world, 0);
        assert!(up(world, 0, &with_ports(numbered(own, LAN, 1, 60), 17, 4000, 53)));
        assert!(!up(world, 0, &with_ports(numbered(own, LAN, 1, 60), 6, 4000, 445)));
        let answer = with_ports(numbered(LAN, own, 1, 60), 17, 53, 4000);
        assert!(world.send_tun(&answer).is_ok());
    });
}

/// Of an unknown LAN the private networks are known.
#[test]
fn an_unknown_lan() {
    let mut config = config_of_many(1);
    config.users[0].rights.lan = false;
    in_world(config, 1, |world| {
        dial(world, 0);
        assert!(goes(world, 0, INTERNET) && !goes(world, 0, LAN) && !goes(world, 0, GUEST));
        assert!(goes(world, 0, Ipv4Addr::new(198, 18, 0, 7)));
        world.server.lan_changed(lan());
        assert!(!goes(world, 0, Ipv4Addr::new(198, 18, 0, 7)));
    });
}

/// Octets that pass in `seconds` of one packet each 2 ms in both directions.
pub fn measure(world: &mut World, seconds: u64) -> (usize, usize) {
    let (own, before) = (address(world, 0), world.tun.len());
    let mut down = 0;
    for number in 0..seconds * 500 {
        let packet = numbered(own, LAN, number as u32, 1000);
        world.ppp(0).send_ip(&packet);
        world.push(0);
        let packet = numbered(LAN, own, number as u32, 1000);
        down += usize::from(world.send_tun(&packet).is_ok());
        world.run(2);
    }
    world.run(100);
    ((world.tun.len() - before) * 1000, down * 1000)
}

#[test]
fn rates_in_both_directions() {
    let rights = Rights { rate_up: 512, rate_down: 2000, ..Rights::default() };
    online(&[rights], |world| {
        let seconds = 20;
        let (up, down) = measure(world, seconds);
        for (octets, rate) in [(up, 512), (down, 2000)] {
            let wanted = rate * 125 * seconds as usize;
            assert!(octets.abs_diff(wanted) * 10 < wanted, "{octets} of {wanted}");
        }
        let sent = seconds as usize * 500;
        assert_eq!(discards(world, Discard::RateUp) as usize, sent - up / 1000);
        assert_eq!(discards(world, Discard::RateDown) as usize, sent - down / 1000);
        // A caller over its rate is still a good one: nothing was late or out of order.
        assert!(world.is_open(0));
        assert_eq!(discards(world, Discard::GreLate), 0);
    });
}

/// Packets behind a lost one that are over the rate move the numbers on all the same.
#[test]
fn a_rate_on_a_bad_line() {
    let rights = Rights { rate_up: 100, ..Rights::default() };
    online(&[rights], |world| {
        world.callers[0].gre_up.quality.loss = 10;
        let (up, _) = measure(world, 20);
        let wanted = 100 * 125 * 20;
        assert!(up.abs_diff(wanted) * 10 < wanted, "{up} of {wanted}");
        assert!(world.is_open(0));
    });
}

#[test]
fn no_rate_is_no_limit() {
    online(&[Rights::default()], |world| {
        assert_eq!(measure(world, 2), (1_000_000, 1_000_000));
    });
}

#[test]
fn rights_are_shown() {
    let rights = Rights { lan: false, rate_up: 7, ..Rights::default() };
    online(&[rights], |world| {
        let shown = world.server.sessions().next().unwrap().rights.unwrap();
        assert_eq!((shown.lan, shown.internet, shown.rate_up), (false, true, 7));
    });
}
