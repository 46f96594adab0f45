//! Addresses of the LAN are asked for there before a caller gets them.

use std::net::Ipv4Addr;

use pptp::config::{Config, LanMode, Network, Pool, User};
use pptp::reason::Cause;
use pptp::session::probe::Wish;
use pptp::session::{Lan, Step};

use crate::common::habits::{ALL, MIKROTIK, WINDOWS};
use crate::common::line::GOOD;
use crate::common::world::{PASSWORD, USER, World, config, in_world};

const ROUTER: Ipv4Addr = address(1);

const fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, last)
}

/// A pool of the addresses `first` to `last` in the LAN's network.
fn same_subnet(first: u8, last: u8) -> Config {
    let pool = Pool { first: address(first), last: address(last) };
    Config { lan_mode: LanMode::SameSubnet, local_ip: ROUTER, pool, ..config() }
}

fn in_lan<T>(config: Config, scenario: impl FnOnce(&mut World) -> T) -> T {
    in_world(config, 1, |world| {
        let networks = [Network::around(ROUTER, 24)].into_iter().collect();
        world.server.lan_changed(Lan { address: Some(ROUTER), networks });
        scenario(world)
    })
}

/// Lets time pass on a LAN where the machines have the addresses `taken`. The questions that it
/// heard, and when.
fn on_the_lan(world: &mut World, millis: u64, taken: &[Ipv4Addr]) -> Vec<(u64, Wish)> {
    let mut heard = Vec::new();
    for _ in 0..millis {
        world.run(1);
        while let Some(wish) = world.server.poll_probe() {
            heard.push((world.now.0, wish));
            if taken.contains(&wish.target) {
                world.server.address_in_use(wish.target, world.now);
            }
        }
        world.flush();
    }
    heard
}

fn leased(world: &World) -> Vec<Ipv4Addr> {
    world.server.sessions().filter_map(|session| session.address).collect()
}

fn conflicts(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event.step, Step::Conflict { .. })).count()
}

#[test]
fn every_caller_waits_for_the_lan_and_gets_in() {
    for habits in ALL {
        in_lan(same_subnet(200, 209), |world| {
            let at = world.dial(1, habits, GOOD);
            let heard = on_the_lan(world, 3000, &[address(9)]);
            assert!(world.is_open(at), "{}", habits.name);
            assert_eq!(world.model(at).address(), address(200), "{}", habits.name);
            let [(first, probe), (second, question)] = heard[..] else { panic!("{heard:?}") };
            assert_eq!(probe, Wish { target: address(200), sender: Ipv4Addr::UNSPECIFIED });
            assert_eq!(question, Wish { target: address(200), sender: ROUTER });
            assert_eq!(second - first, 150);
            assert_eq!(world.server.online().collect::<Vec<_>>(), [address(200)]);
        });
    }
}

/// The wait is over after 0.3 s, and IPCP does not begin before.
#[test]
fn the_wait_is_short() {
    let opened_after = |mode| {
        in_lan(Config { lan_mode: mode, ..same_subnet(200, 209) }, |world| {
            let begun = world.now;
            let at = world.dial(1, WINDOWS, GOOD);
            assert!(world.run_until(10_000, |world| world.is_open(at)));
            assert_eq!(world.server.poll_probe().is_some(), mode == LanMode::SameSubnet);
            world.now.since(begun)
        })
    };
    let (routed, asked) = (opened_after(LanMode::Routed), opened_after(LanMode::SameSubnet));
    assert!((routed + 100..=routed + 320).contains(&asked), "{routed} and {asked} ms");
}

#[test]
fn an_address_in_use_is_passed_over_and_left_alone_for_a_while() {
    in_lan(same_subnet(200, 209), |world| {
        let taken = [address(200), address(201)];
        let at = world.dial(1, MIKROTIK, GOOD);
        on_the_lan(world, 2000, &taken);
        assert!(world.is_open(at));
        assert_eq!((leased(world), conflicts(world)), (vec![address(202)], 2));
        let now = world.now;
        world.callers[at].hang_up(now);
        world.run(1000);
        // Those that were seen in use are not even asked for.
        for last in 203..=209 {
            let at = world.dial(1, MIKROTIK, GOOD);
            let heard = on_the_lan(world, 1500, &taken);
            assert!(heard.iter().all(|(_, wish)| wish.target == address(last)), "{heard:?}");
            let now = world.now;
            world.callers[at].hang_up(now);
            world.run(1000);
        }
        world.run(600_000);
        world.dial(1, MIKROTIK, GOOD);
        on_the_lan(world, 1500, &[]);
        assert_eq!(leased(world), [address(200)]);
    });
}

#[test]
fn when_every_address_is_in_use_the_call_ends_and_says_so() {
    in_lan(same_subnet(200, 203), |world| {
        let taken: Vec<_> = (200..=203).map(address).collect();
        for round in 0..2 {
            world.dial(1, WINDOWS, GOOD);
            let heard = on_the_lan(world, 5000, &taken);
            assert_eq!(heard.len(), if round == 0 { 4 } else { 0 });
            assert_eq!(world.server.causes().of(Cause::PoolExhausted), round + 1);
            assert!(world.is_idle());
        }
    });
}

/// One login does not search a large pool for ever; the next one goes on where it ended.
#[test]
fn a_login_tries_some_addresses() {
    in_lan(same_subnet(100, 199), |world| {
        let taken: Vec<_> = (100..115).map(address).collect();
        world.dial(1, WINDOWS, GOOD);
        assert_eq!(on_the_lan(world, 5000, &taken).len(), 8);
        assert_eq!(world.ended(), [Cause::PoolExhausted]);
        let at = world.dial(1, WINDOWS, GOOD);
        on_the_lan(world, 5000, &taken);
        assert!(world.is_open(at));
        assert_eq!(leased(world), [address(115)]);
    });
}

#[test]
fn a_fixed_address_in_use_is_refused() {
    let mut config = same_subnet(200, 209);
    config.users[0].ip = Some(address(77));
    in_lan(config, |world| {
        world.dial(1, WINDOWS, GOOD);
        let heard = on_the_lan(world, 5000, &[address(77)]);
        assert_eq!(heard.len(), 1);
        assert_eq!(world.ended(), [Cause::AddressTaken]);
        assert!(world.is_idle());
        // The machine may be gone by now: it is asked for anew.
        let at = world.dial(1, WINDOWS, GOOD);
        assert_eq!(on_the_lan(world, 5000, &[]).len(), 2);
        assert!(world.is_open(at));
        assert_eq!(leased(world), [address(77)]);
    });
}

#[test]
fn what_is_not_the_lans_is_not_asked_for() {
    let routed = Config { lan_mode: LanMode::Routed, ..same_subnet(200, 209) };
    for config in [routed, Config { lan_mode: LanMode::SameSubnet, ..config() }] {
        in_lan(config, |world| {
            let at = world.dial(1, WINDOWS, GOOD);
            assert_eq!(on_the_lan(world, 3000, &[]), []);
            assert!(world.is_open(at));
        });
    }
}

#[test]
fn no_caller_gets_an_address_of_the_network_itself() {
    let mut config = same_subnet(0, 2);
    config.local_ip = Ipv4Addr::new(10, 9, 9, 9);
    in_lan(config, |world| {
        let at = world.dial(1, WINDOWS, GOOD);
        on_the_lan(world, 3000, &[]);
        assert!(world.is_open(at));
        // Neither .0, which is the network's, nor .1, which is the router's.
        assert_eq!(leased(world), [address(2)]);
    });
}

/// A machine that takes a caller's address later does not end the call; it is said once.
#[test]
fn a_later_answer_is_told_and_remembered() {
    in_lan(same_subnet(200, 209), |world| {
        let at = world.dial(1, MIKROTIK, GOOD);
        on_the_lan(world, 2000, &[]);
        for _ in 0..3 {
            world.server.address_in_use(address(200), world.now);
            world.run(1000);
        }
        assert!(world.is_open(at));
        assert_eq!(conflicts(world), 1);
    });
}

#[test]
fn what_strangers_say_is_not_kept() {
    in_lan(same_subnet(200, 209), |world| {
        for last in 0..=255 {
            for third in 2..9 {
                let stranger = Ipv4Addr::new(192, 168, third, last);
                world.server.address_in_use(stranger, world.now);
            }
        }
        let at = world.dial(1, MIKROTIK, GOOD);
        assert_eq!(on_the_lan(world, 2000, &[]).len(), 2);
        assert!(world.is_open(at));
    });
}

/// The caller leaves, or is thrown out, while the LAN is asked.
#[test]
fn a_call_may_end_while_the_lan_is_asked() {
    for replaced in [false, true] {
        in_lan(same_subnet(200, 209), |world| {
            let at = world.dial(1, WINDOWS, GOOD);
            assert!(world.run_until(5000, |world| !leased(world).is_empty()));
            if replaced {
                world.dial(2, MIKROTIK, GOOD);
            } else {
                let now = world.now;
                world.callers[at].hang_up(now);
            }
            on_the_lan(world, 3000, &[address(200)]);
            // The first call had gone on to .201 when the second came.
            let expected = if replaced { vec![address(202)] } else { vec![] };
            assert_eq!(leased(world), expected);
            assert!(replaced || world.is_idle());
        });
    }
}

/// Everybody at once: each gets an address of its own, and no question is lost for good.
#[test]
fn a_crowd_gets_different_addresses() {
    let mut config = same_subnet(100, 149);
    for number in 0..30 {
        config.users.push(User::new(&format!("user{number}"), PASSWORD).unwrap()).unwrap();
    }
    in_lan(config, |world| {
        world.dial_as(100, MIKROTIK, GOOD, USER, PASSWORD);
        for number in 0..30u8 {
            world.dial_as(number + 1, MIKROTIK, GOOD, &format!("user{number}"), PASSWORD);
        }
        let taken: Vec<_> = (100..108).map(address).collect();
        on_the_lan(world, 8000, &taken);
        let mut all = leased(world);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 31);
        assert!(all.iter().all(|address| !taken.contains(address)));
    });
}
