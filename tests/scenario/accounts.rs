//! Who may log in, and what happens to the others: passwords, back-off, second calls, addresses,
//! and a configuration that changes.

use std::net::Ipv4Addr;

use pptp::config::{Config, Duplicate, Mppe, Pool, User};
use pptp::reason::{Cause, Discard};
use pptp::session::Step;

use crate::common::caller::start_request;
use crate::common::habits::{ALL, Habits, MIKROTIK, WINDOWS};
use crate::common::line::GOOD;
use crate::common::ppp::Phase;
use crate::common::world::{PASSWORD, USER, World, config, config_of_many, in_world};

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 77, last)
}

/// Dials in as `user` and says how the login ended; `None` is success.
fn login(world: &mut World, last: u8, user: &str, password: &str) -> Option<Cause> {
    let at = world.dial_as(last, MIKROTIK, GOOD, user, password);
    world.events.clear();
    let decided = |world: &World| {
        world
            .events
            .iter()
            .any(|event| matches!(event.step, Step::LoggedIn { .. } | Step::LoginFailed { .. }))
    };
    assert!(world.run_until(5000, decided));
    let failed = world.events.iter().find_map(|event| match event.step {
        Step::LoginFailed { cause, .. } => Some(cause),
        _ => None,
    });
    if failed.is_some() {
        assert!(
            world.run_until(5000, |world| world.callers[at].is_closed),
            "closed after a failure"
        );
    }
    world.run(3000);
    failed
}

fn hang_up(world: &mut World, at: usize) {
    let now = world.now;
    world.callers[at].hang_up(now);
    world.run(100);
}

#[test]
fn wrong_passwords_and_unknown_names() {
    for (user, password, cause) in [
        (USER, "wrong", Cause::WrongPassword),
        ("mallory", PASSWORD, Cause::UnknownUser),
        ("", PASSWORD, Cause::UnknownUser),
        ("Alice", PASSWORD, Cause::UnknownUser),
        (USER, "", Cause::WrongPassword),
    ] {
        in_world(config(), 1, |world| {
            assert_eq!(login(world, 1, user, password), Some(cause), "{user}");
            // One failure for a person to read, with the name that was tried.
            let failures: Vec<_> = world.server.failures().collect();
            assert_eq!(failures.len(), 1);
            assert_eq!((failures[0].cause, failures[0].name.as_str()), (cause, user));
            assert_eq!(world.server.causes().of(cause), 1);
            assert!(world.is_idle());
        });
    }
}

/// The caller is told E=691 before it is hung up on, whatever the reason is.
#[test]
fn the_caller_is_told() {
    for habits in ALL {
        in_world(config(), 1, |world| {
            let at = world.dial_as(1, habits, GOOD, "mallory", "x");
            let over = |world: &World| matches!(world.model(at).phase, Phase::Over(_));
            assert!(world.run_until(5000, over));
            assert_eq!(world.model(at).phase, Phase::Over("login failed"), "{}", habits.name);
        });
    }
}

#[test]
fn names_and_passwords_of_all_kinds() {
    for (account, user, password) in [
        (USER, "DOMAIN\\alice", PASSWORD),
        (USER, "\\alice", PASSWORD),
        ("Jürgen", "Jürgen", "pässwörd"),
        ("имя", "HOME\\имя", "пароль"),
        ("emoji", "emoji", "\u{1f511} and more"),
        ("a b'c\"d", "a b'c\"d", " leading and trailing "),
    ] {
        let mut config = Config::default();
        config.users.push(User::new(account, password).unwrap()).unwrap();
        in_world(config, 1, |world| {
            assert_eq!(login(world, 1, user, password), None, "{user}");
            assert_eq!(world.server.sessions().next().unwrap().name, account);
        });
    }
}

/// Windows 95 and 98 set a flag and do not understand a text behind the proof.
#[test]
fn flags_of_old_windows() {
    in_world(config(), 1, |world| {
        world.open(1, Habits { flags: 4, ..WINDOWS });
    });
}

#[test]
fn a_disabled_account() {
    let mut config = config();
    config.users[0].enabled = false;
    in_world(config, 1, |world| {
        assert_eq!(login(world, 1, USER, PASSWORD), Some(Cause::UserDisabled));
        assert_eq!(login(world, 1, USER, "wrong"), Some(Cause::WrongPassword));
    });
}

#[test]
fn a_source_waits_after_failures() {
    let config = Config { backoff_failures: 3, backoff_time: 60, ..config_of_many(2) };
    in_world(config, 1, |world| {
        for _ in 0..3 {
            assert_eq!(login(world, 1, "user0", "wrong"), Some(Cause::WrongPassword));
        }
        // Even the right password does not help, for any account; elsewhere nobody notices.
        assert_eq!(login(world, 1, "user0", PASSWORD), Some(Cause::TooManyFailures));
        assert_eq!(login(world, 1, "user1", PASSWORD), Some(Cause::TooManyFailures));
        assert_eq!(login(world, 2, "user1", PASSWORD), None);
        world.run(60_000);
        assert_eq!(login(world, 1, "user0", PASSWORD), None);
    });
}

/// Connections alone, however many, are not failures.
#[test]
fn connections_are_no_failures() {
    let config = Config { backoff_failures: 3, ..config() };
    in_world(config, 1, |world| {
        for _ in 0..20 {
            let at = world.connect(1, GOOD).unwrap();
            let now = world.now;
            world.callers[at].say(&start_request(), now);
            world.run(100);
            hang_up(world, at);
        }
        assert_eq!(login(world, 1, USER, PASSWORD), None);
    });
}

/// An account is guessed from many addresses: strangers have to wait, its owner does not.
#[test]
fn an_account_under_attack() {
    let config = Config { backoff_failures: 3, backoff_time: 600, ..config() };
    in_world(config, 1, |world| {
        assert_eq!(login(world, 1, USER, PASSWORD), None);
        hang_up(world, 0);
        for last in 10..22 {
            assert_eq!(login(world, last, USER, "guess"), Some(Cause::WrongPassword));
        }
        assert_eq!(login(world, 30, USER, PASSWORD), Some(Cause::TooManyFailures));
        assert_eq!(login(world, 1, USER, PASSWORD), None);
    });
}

#[test]
fn no_back_off_if_it_is_off() {
    let config = Config { backoff_failures: 0, ..config() };
    in_world(config, 1, |world| {
        for _ in 0..10 {
            assert_eq!(login(world, 1, USER, "wrong"), Some(Cause::WrongPassword));
        }
        assert_eq!(login(world, 1, USER, PASSWORD), None);
    });
}

fn duplicate(duplicate: Duplicate) -> Config {
    Config { duplicate, ..config() }
}

#[test]
fn a_second_call_replaces_the_first() {
    in_world(duplicate(Duplicate::Replace), 1, |world| {
        let first = world.open(1, MIKROTIK);
        let second = world.open(2, MIKROTIK);
        world.run(2000);
        assert!(world.is_open(second) && !world.is_open(first));
        assert_eq!(world.ended(), [Cause::Replaced]);
        assert_eq!((world.live(), world.server.leased()), (1, 1));
    });
}

/// A caller whose machine went down and who dials again at once gets its place, fixed address too.
#[test]
fn a_caller_that_comes_back_replaces_itself() {
    let mut config = duplicate(Duplicate::Replace);
    config.users[0].ip = Some(address(200));
    config.max_sessions = 1;
    in_world(config, 1, |world| {
        let first = world.open(1, MIKROTIK);
        world.callers[first].breath = Some(0);
        let second = world.open(1, MIKROTIK);
        assert_eq!(world.ppp(second).address(), address(200));
        world.run(2000);
        assert_eq!((world.live(), world.server.leased()), (1, 1));
    });
}

#[test]
fn a_second_call_is_refused() {
    in_world(duplicate(Duplicate::Refuse), 1, |world| {
        let first = world.open(1, MIKROTIK);
        assert_eq!(login(world, 2, USER, PASSWORD), Some(Cause::AlreadyConnected));
        assert!(world.is_open(first));
        hang_up(world, first);
        assert_eq!(login(world, 2, USER, PASSWORD), None);
    });
}

#[test]
fn second_calls_are_allowed() {
    in_world(duplicate(Duplicate::Allow), 1, |world| {
        let callers: Vec<_> = (0..5).map(|last| world.open(last, MIKROTIK)).collect();
        assert!(callers.iter().all(|at| world.is_open(*at)));
        let mut addresses: Vec<_> = callers.iter().map(|at| world.model(*at).address()).collect();
        addresses.dedup();
        assert_eq!(addresses.len(), 5);
    });
}

#[test]
fn fixed_addresses_inside_and_outside_of_the_pool() {
    let mut config = config_of_many(4);
    config.pool = Pool { first: address(10), last: address(12) };
    config.users[0].ip = Some(address(11));
    config.users[1].ip = Some(address(250));
    in_world(config, 1, |world| {
        let mut given = Vec::new();
        for (last, user) in [(1, "user2"), (2, "user0"), (3, "user3"), (4, "user1")] {
            assert_eq!(login(world, last, user, PASSWORD), None, "{user}");
            given.push(world.ppp(usize::from(last) - 1).address());
        }
        // The address of an account is not given to others, even while it is not used.
        assert_eq!(given, [address(10), address(11), address(12), address(250)]);
        hang_up(world, 3);
        assert_eq!(login(world, 4, "user1", PASSWORD), None);
        assert_eq!(world.ppp(4).address(), address(250));
    });
}

#[test]
fn the_pool_is_empty() {
    let mut config = config_of_many(4);
    config.pool = Pool { first: address(10), last: address(11) };
    in_world(config, 1, |world| {
        assert_eq!(login(world, 1, "user0", PASSWORD), None);
        assert_eq!(login(world, 2, "user1", PASSWORD), None);
        let at = world.dial_as(3, MIKROTIK, GOOD, "user2", PASSWORD);
        assert!(world.run_until(5000, |world| world.callers[at].is_closed));
        assert_eq!(world.server.causes().of(Cause::PoolExhausted), 1);
        assert_eq!(world.live(), 2);
        // Next-fit: what was given back last is given last.
        hang_up(world, 0);
        hang_up(world, 1);
        assert_eq!(login(world, 4, "user3", PASSWORD), None);
        assert_eq!(world.ppp(3).address(), address(10));
    });
}

#[test]
fn an_address_in_use() {
    let mut config = config_of_many(2);
    config.pool = Pool { first: address(10), last: address(10) };
    in_world(config.clone(), 1, |world| {
        assert_eq!(login(world, 1, "user0", PASSWORD), None);
        // The other account is given that very address.
        config.users[1].ip = Some(address(10));
        world.server.reload(config.clone(), world.now);
        assert_eq!(login(world, 2, "user1", PASSWORD), Some(Cause::AddressInUse));
        assert!(world.is_open(0));
    });
}

#[test]
fn all_calls_are_taken() {
    let config = Config { max_sessions: 2, ..config_of_many(3) };
    in_world(config, 1, |world| {
        assert_eq!(login(world, 1, "user0", PASSWORD), None);
        assert_eq!(login(world, 2, "user1", PASSWORD), None);
        assert_eq!(login(world, 3, "user2", PASSWORD), Some(Cause::NoSlot));
        hang_up(world, 0);
        assert_eq!(login(world, 3, "user2", PASSWORD), None);
    });
}

#[test]
fn connections_of_one_address_are_limited() {
    let config = Config { max_per_address: 3, ..config_of_many(5) };
    in_world(config, 1, |world| {
        // Open calls do not count.
        for user in ["user0", "user1", "user2", "user3"] {
            assert_eq!(login(world, 1, user, PASSWORD), None);
        }
        for _ in 0..3 {
            assert!(world.connect(1, GOOD).is_some());
        }
        assert!(world.connect(1, GOOD).is_none());
        assert_eq!(world.server.discards().of(Discard::ControlAddressLimit), 1);
        assert!(world.connect(2, GOOD).is_some());
    });
}

/// A crowd of idle sockets keeps nobody out, and throws nobody out.
#[test]
fn a_crowd_of_idle_connections() {
    let config = Config { max_connections: 10, max_per_address: 10, ..config() };
    in_world(config, 1, |world| {
        let open = world.open(1, MIKROTIK);
        for last in 20..80 {
            world.connect(last, GOOD);
            world.run(20);
        }
        let late = world.open(2, Habits { first_sequence: 1, ..MIKROTIK });
        world.run(1000);
        assert!(world.is_open(late));
        assert_eq!(world.ended(), [Cause::Replaced], "by itself");
        assert!(!world.is_open(open));
        let connected = world.callers.iter().filter(|caller| caller.id.is_some()).count();
        assert!(connected <= 10, "{connected}");
    });
}

#[test]
fn a_reload_that_does_not_concern_a_call() {
    in_world(config_of_many(3), 1, |world| {
        assert_eq!(login(world, 1, "user0", PASSWORD), None);
        let mut new = world.server.config().clone();
        new.users.swap_remove(2);
        new.users.insert(0, User::new("new", "another").unwrap()).unwrap();
        new.mppe = Mppe::Optional;
        new.lcp_echo_interval = 0;
        new.pool = Pool { first: address(100), last: address(101) };
        new.max_sessions = 1;
        world.server.reload(new, world.now);
        world.run(1000);
        assert!(world.is_open(0));
        // What the memory was made for stays.
        let kept = world.server.config();
        assert_eq!((kept.pool.first, kept.max_sessions), (address(10), 32));
        assert_eq!(login(world, 2, "new", "another"), None);
        assert_eq!(login(world, 3, "user2", PASSWORD), Some(Cause::UnknownUser));
    });
}

#[test]
fn a_reload_that_concerns_a_call() {
    let changes: [fn(&mut Config); 4] = [
        |config| config.users.clear(),
        |config| config.users[0].enabled = false,
        |config| config.users[0].secret = User::new(USER, "another").unwrap().secret,
        |config| config.users[0].ip = Some(address(50)),
    ];
    for change in changes {
        in_world(config(), 1, |world| {
            let at = world.open(1, MIKROTIK);
            let mut new = world.server.config().clone();
            change(&mut new);
            world.server.reload(new, world.now);
            assert_eq!(world.server.leased(), 0);
            world.run(2000);
            assert_eq!((world.live(), world.ended()), (0, vec![Cause::AccountChanged]));
            assert_eq!(world.model(at).phase, Phase::Over("the server terminated"));
        });
    }
}

/// A login that is under way when its account changes is judged by the new one.
#[test]
fn a_reload_during_a_login() {
    in_world(config(), 1, |world| {
        let at = world.dial_as(1, MIKROTIK, GOOD, USER, "another");
        let asked = |world: &World| world.model(at).phase == Phase::Authenticate;
        assert!(world.run_until(3000, asked));
        let mut new = world.server.config().clone();
        new.users[0] = User::new(USER, "another").unwrap();
        world.server.reload(new, world.now);
        assert!(world.run_until(5000, |world| world.is_open(at)));
    });
}
