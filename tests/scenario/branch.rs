//! Networks behind callers, and a configuration that changes what accounts may do.

use std::net::Ipv4Addr;

use pptp::config::Rights;
use pptp::reason::{Cause, Discard};
use pptp::session::Step;

use super::rights::{
    BRANCH, INTERNET, LAN, MINUTE, address, comes, dial, discards, goes, lan, measure, network,
    online, up,
};
use super::times::{hours, minute, tell_time};
use crate::common::habits::MIKROTIK;
use crate::common::inner::numbered;
use crate::common::line::GOOD;
use crate::common::world::{PASSWORD, World, config_of_many, in_world};

fn branch(network_text: &str) -> Rights {
    Rights { routes: [network(network_text)].into_iter().collect(), ..Rights::default() }
}

fn routes(world: &World) -> Vec<String> {
    world.server.routes().map(|(network, _)| network.to_string()).collect()
}

/// A router brings its network: packets pass both ways, and nobody else may use its addresses.
#[test]
fn a_network_behind_a_caller() {
    online(&[branch("192.168.5.0/24"), Rights::default()], |world| {
        assert_eq!(routes(world), ["192.168.5.0/24"]);
        assert!(world.server.take_routes_changed() && !world.server.take_routes_changed());
        let own = address(world, 0);
        for (from, to, may) in [
            (BRANCH, LAN, true),
            (own, LAN, true),
            (Ipv4Addr::new(192, 168, 6, 20), LAN, false),
            (LAN, INTERNET, false),
            (address(world, 1), LAN, false),
        ] {
            let before = discards(world, Discard::InnerSource);
            assert_eq!(up(world, 0, &numbered(from, to, 1, 60)), may, "{from}");
            assert_eq!(discards(world, Discard::InnerSource) - before, u32::from(!may));
        }
        assert!(!up(world, 1, &numbered(BRANCH, LAN, 1, 60)), "of another caller");
        let received = world.model(0).received.len();
        assert!(world.send_tun(&numbered(LAN, BRANCH, 77, 60)).is_ok());
        world.run(100);
        assert_eq!(world.model(0).received.len(), received + 1);
        let nobody = numbered(LAN, Ipv4Addr::new(192, 168, 6, 1), 1, 60);
        assert_eq!(world.send_tun(&nobody), Err(Discard::TunDestination));
        // It goes with the call.
        let now = world.now;
        world.callers[0].hang_up(now);
        world.run(1000);
        assert!(routes(world).is_empty() && world.server.take_routes_changed());
        let late = numbered(LAN, BRANCH, 1, 60);
        assert_eq!(world.send_tun(&late), Err(Discard::TunDestination));
    });
}

/// The rights hold for the networks behind callers too.
#[test]
fn rights_and_networks() {
    let alone = Rights { callers: false, ..Rights::default() };
    let shut = Rights { lan: false, ..branch("192.168.5.0/24") };
    online(&[shut, alone], |world| {
        assert!(!up(world, 0, &numbered(BRANCH, LAN, 1, 60)));
        assert!(up(world, 0, &numbered(BRANCH, INTERNET, 1, 60)));
        assert_eq!(world.send_tun(&numbered(LAN, BRANCH, 1, 60)), Err(Discard::TunForbidden));
        assert!(!goes(world, 1, BRANCH) && !comes(world, 1, BRANCH));
    });
}

fn refusals(world: &World) -> Vec<(String, &'static str)> {
    let told = world.events.iter().filter_map(|event| match &event.step {
        Step::Route { network, refused: Some(why) } => Some((network.to_string(), *why)),
        _ => None,
    });
    told.collect()
}

/// What would hide the LAN, or the caller itself, is not routed; the call goes on.
#[test]
fn networks_that_cannot_be() {
    for (text, why) in [
        ("192.168.0.0/20", "it overlaps the LAN"),
        ("192.168.1.128/25", "it overlaps the LAN"),
        ("203.0.113.0/24", "the caller itself calls from there"),
    ] {
        online(&[branch(text)], |world| {
            assert_eq!(refusals(world), [(text.to_string(), why)]);
            assert!(routes(world).is_empty() && world.is_open(0));
            assert!(goes(world, 0, LAN));
        });
    }
}

#[test]
fn the_lan_appears_and_goes() {
    online(&[branch("192.168.9.0/24"), branch("192.168.5.0/24")], |world| {
        world.server.take_routes_changed();
        world.events.clear();
        let mut clash = lan();
        clash.networks.push(network("192.168.9.0/24")).unwrap();
        for _ in 0..3 {
            world.server.lan_changed(clash.clone());
            world.flush();
        }
        assert_eq!(routes(world), ["192.168.5.0/24"]);
        assert!(world.server.take_routes_changed());
        assert_eq!(refusals(world).len(), 1, "told once");
        world.server.lan_changed(lan());
        world.flush();
        assert_eq!(routes(world).len(), 2);
        assert_eq!(world.events.len(), 2, "and that it is back");
    });
}

/// Two calls of one account: when one ends, the other one has the network.
#[test]
fn two_calls_of_a_branch() {
    let mut config = config_of_many(1);
    config.duplicate = pptp::config::Duplicate::Allow;
    config.users[0].rights = branch("192.168.5.0/24");
    in_world(config, 1, |world| {
        dial(world, 0);
        let second = world.dial_as(2, MIKROTIK, GOOD, "user0", PASSWORD);
        assert!(world.run_until(5000, |world| world.is_open(second)));
        let behind = |world: &World| world.server.routes().map(|route| route.1).collect::<Vec<_>>();
        let ids = [0, second].map(|at| world.callers[at].calls[0].server_id);
        assert_eq!(behind(world), [ids[0]]);
        let now = world.now;
        world.callers[0].hang_up(now);
        world.run(1000);
        assert_eq!(behind(world), [ids[1]]);
        assert!(up(world, second, &numbered(BRANCH, LAN, 1, 60)));
    });
}

/// More networks than the table holds: the last ones are refused, and nothing else happens.
#[test]
fn a_hundred_networks() {
    let rights: Vec<Rights> = (0..25)
        .map(|at| Rights {
            routes: (0..4).map(|n| network(&format!("10.{at}.{n}.0/24"))).collect(),
            ..Rights::default()
        })
        .collect();
    online(&rights, |world| {
        assert_eq!(routes(world).len(), pptp::limits::ROUTES_LIVE);
        assert_eq!(refusals(world).len(), 100 - pptp::limits::ROUTES_LIVE);
        assert!((0..25).all(|at| world.is_open(at)));
    });
}

/// Changed rights count at once, and the call stays.
#[test]
fn a_reload_changes_rights() {
    online(&[Rights::default(), branch("192.168.5.0/24")], |world| {
        let mut new = world.server.config().clone();
        new.users[0].rights.lan = false;
        new.users[0].rights.rate_up = 8;
        new.users[1].rights = branch("192.168.8.0/24");
        world.server.reload(new.clone(), world.now);
        world.flush();
        assert!(!goes(world, 0, LAN) && goes(world, 0, INTERNET));
        assert_eq!(routes(world), ["192.168.8.0/24"]);
        assert!(!up(world, 1, &numbered(BRANCH, LAN, 1, 60)));
        let (up, _) = measure(world, 5);
        assert!(up < 20_000, "{up}");
        new.users[0].rights = Rights::default();
        world.server.reload(new.clone(), world.now);
        assert!(goes(world, 0, LAN));
        assert!(world.is_open(0) && world.is_open(1));
        // Hours that are over end it, and so does a time that is over.
        tell_time(world, minute(6, 12, 0));
        new.users[0].rights = hours(&["mon 08:00-09:00"]);
        new.users[1].rights.session_timeout = 1;
        world.server.reload(new, world.now);
        world.flush();
        world.run(2000);
        assert_eq!(world.ended(), [Cause::Hours]);
        world.run(MINUTE);
        assert_eq!(world.ended(), [Cause::Hours, Cause::SessionTimeout]);
    });
}
