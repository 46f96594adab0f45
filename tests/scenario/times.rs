//! When calls of an account end, and when they may be: idle and session time-outs, hours.

use pptp::config::hours::Span;
use pptp::config::{Config, Rights};
use pptp::reason::Cause;

use super::rights::{INTERNET, LAN, MINUTE, comes, dial, goes, online, up};
use crate::common::habits::MIKROTIK;
use crate::common::inner::numbered;
use crate::common::line::GOOD;
use crate::common::ppp::Phase;
use crate::common::world::{PASSWORD, World, config_of_many, in_world};

fn ends_after(world: &mut World, cause: Cause, minutes: u64) {
    assert_eq!(world.ended(), []);
    world.run(minutes * MINUTE - 2000);
    assert_eq!(world.ended(), [], "too early");
    world.run(4000);
    assert_eq!(world.ended(), [cause]);
    assert_eq!(world.model(0).phase, Phase::Over("the server terminated"));
    assert_eq!((world.live(), world.server.leased()), (0, 0));
}

/// LCP echoes do not count; packets do, in either direction.
#[test]
fn an_idle_call_ends() {
    let rights = Rights { idle_timeout: 3, ..Rights::default() };
    online(&[rights], |world| {
        for _ in 0..4 {
            world.run(2 * MINUTE);
            assert!(goes(world, 0, LAN));
            world.run(2 * MINUTE);
            assert!(comes(world, 0, INTERNET));
        }
        // Forbidden ones do not.
        world.run(MINUTE);
        let spoofed = numbered(LAN, INTERNET, 1, 60);
        assert!(!up(world, 0, &spoofed));
        ends_after(world, Cause::IdleTimeout, 2);
    });
}

#[test]
fn a_session_ends_whatever_passes() {
    let rights = Rights { session_timeout: 5, idle_timeout: 4, ..Rights::default() };
    online(&[rights], |world| {
        world.run(3 * MINUTE);
        assert!(goes(world, 0, LAN));
        world.run(MINUTE - 1000);
        assert!(goes(world, 0, LAN));
        ends_after(world, Cause::SessionTimeout, 1);
    });
}

pub fn hours(texts: &[&str]) -> Rights {
    let hours = texts.iter().map(|text| Span::parse(text).unwrap()).collect();
    Rights { hours, ..Rights::default() }
}

pub fn minute(day: u16, hour: u16, minute: u16) -> Option<u16> {
    Some((day * 24 + hour) * 60 + minute)
}

pub fn tell_time(world: &mut World, minute: Option<u16>) {
    world.server.local_time(minute, world.now);
    world.flush();
}

fn two_of_hours() -> Config {
    let mut config = config_of_many(2);
    config.users[0].rights = hours(&["mon-fri 08:00-22:00", "fri 23:00-02:00"]);
    config
}

fn refused(world: &mut World, cause: Cause) {
    let at = world.dial_as(9, MIKROTIK, GOOD, "user0", PASSWORD);
    assert!(world.run_until(5000, |world| world.callers[at].is_closed));
    assert_eq!(world.model(at).phase, Phase::Over("not now"), "Windows shows 646");
    assert_eq!(world.server.failures().last().unwrap().cause, cause);
}

#[test]
fn hours_of_a_login() {
    in_world(two_of_hours(), 1, |world| {
        refused(world, Cause::ClockNotSet);
        for (time, may) in [
            (minute(0, 7, 59), false),
            (minute(0, 8, 0), true),
            (minute(4, 22, 0), false),
            (minute(4, 23, 30), true),
            (minute(5, 1, 59), true),
            (minute(5, 2, 0), false),
            (None, false),
        ] {
            tell_time(world, time);
            match may {
                true => {
                    let at = world.dial_as(1, MIKROTIK, GOOD, "user0", PASSWORD);
                    assert!(world.run_until(5000, |world| world.is_open(at)), "{time:?}");
                    let now = world.now;
                    world.callers[at].hang_up(now);
                    world.run(1000);
                }
                false if time.is_none() => refused(world, Cause::ClockNotSet),
                false => refused(world, Cause::Hours),
            }
        }
        // Whoever has no hours has all of them; and refusals for the time are no guesses.
        assert!((0..10).all(|_| {
            refused(world, Cause::ClockNotSet);
            true
        }));
        dial(world, 1);
        tell_time(world, minute(0, 9, 0));
        let at = world.dial_as(9, MIKROTIK, GOOD, "user0", PASSWORD);
        assert!(world.run_until(5000, |world| world.is_open(at)));
    });
}

/// Somebody who does not know the password does not learn when it would count.
#[test]
fn hours_are_told_to_the_owner_only() {
    in_world(two_of_hours(), 1, |world| {
        let at = world.dial_as(9, MIKROTIK, GOOD, "user0", "wrong");
        assert!(world.run_until(5000, |world| world.callers[at].is_closed));
        assert_eq!(world.model(at).phase, Phase::Over("login failed"));
        assert_eq!(world.server.failures().last().unwrap().cause, Cause::WrongPassword);
    });
}

#[test]
fn a_call_ends_with_its_hours() {
    in_world(two_of_hours(), 1, |world| {
        tell_time(world, minute(1, 21, 58));
        dial(world, 0);
        dial(world, 1);
        tell_time(world, minute(1, 21, 59));
        world.run(1000);
        assert!(world.is_open(0) && world.is_open(1));
        tell_time(world, minute(1, 22, 0));
        world.run(2000);
        assert_eq!(world.ended(), [Cause::Hours]);
        assert!(world.is_open(1));
    });
}

/// A refused login does not throw out the call that the account has.
#[test]
fn hours_do_not_replace() {
    let mut config = two_of_hours();
    config.users[0].rights = Rights::default();
    in_world(config, 1, |world| {
        dial(world, 0);
        let at = world.dial_as(9, MIKROTIK, GOOD, "user0", PASSWORD);
        assert!(world.run_until(5000, |world| world.is_open(at)));
        assert_eq!(world.ended(), [Cause::Replaced]);
    });
}
