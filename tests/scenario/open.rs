//! Calls that open, carry packets and end.

use pptp::config::Config;
use pptp::reason::Cause;

use crate::common::dice::for_seeds;
use crate::common::habits::{ALL, Habits};
use crate::common::inner::{number, numbered};
use crate::common::line::{BAD, GOOD, Quality};
use crate::common::world::{LAN, config, in_world};

#[test]
fn a_clean_login_and_packets_both_ways() {
    for habits in ALL {
        in_world(config(), 1, |world| {
            let at = world.open(1, habits);
            let address = world.ppp(at).address();
            for count in 0..1000 {
                let packet = numbered(address, LAN, count, 200);
                world.ppp(at).send_ip(&packet);
                world.push(at);
                world.send_tun(&numbered(LAN, address, count, 300)).unwrap();
                world.run(1);
            }
            world.run(100);
            let there: Vec<_> = world.tun.iter().map(|packet| number(packet)).collect();
            let back: Vec<_> = world.ppp(at).received.iter().map(|it| number(it)).collect();
            let all: Vec<_> = (0..1000).collect();
            assert_eq!(there, all, "{}", habits.name);
            assert_eq!(back, all, "{}", habits.name);
        });
    }
}

/// What came of many calls over bad lines.
#[derive(Default)]
struct Tally {
    /// Milliseconds until a call was open.
    times: Vec<u64>,
    failed: Vec<(u64, Vec<Cause>)>,
}

impl Tally {
    /// The times that so many percent of the calls needed at most.
    fn times(&mut self) -> [u64; 3] {
        self.times.sort();
        [10, 50, 90].map(|percent| self.times[(self.times.len() - 1) * percent / 100])
    }
}

/// Opens a call for each of 300 seeds. Those that fail say why, and leave nothing behind.
fn tally(habits: Habits, quality: Quality, login_timeout: u16) -> Tally {
    let mut tally = Tally::default();
    for_seeds(300, |seed| {
        let config = Config { login_timeout, ..config() };
        in_world(config, seed, |world| {
            let at = world.dial(1, habits, quality);
            let start = world.now;
            let in_time = u64::from(login_timeout) * 1000;
            if world.run_until(in_time, |world| world.is_open(at)) {
                return tally.times.push(world.now.since(start));
            }
            world.run_until(200_000, |world| world.is_open(at) || world.is_idle());
            assert!(world.is_open(at) || world.is_idle(), "{}", habits.name);
            tally.failed.push((seed, world.ended()));
        });
    });
    tally
}

fn assert_opens(quality: Quality, login_timeout: u16) {
    let (mut open, mut all) = (0, 0);
    for habits in ALL {
        let mut tally = tally(habits, quality, login_timeout);
        open += tally.times.len();
        all += tally.times.len() + tally.failed.len();
        let (name, count, times) = (habits.name, tally.times.len(), tally.times());
        println!("{name}: {count} open, after {times:?} ms; the others: {:?}", tally.failed);
    }
    assert!(open * 100 >= all * 95, "{open} of {all}");
}

/// Every second exchange of two packets fails. Callers repeat theirs after 3 s, so this takes its
/// time.
#[test]
fn open_with_30_percent_loss_each_way() {
    assert_opens(BAD, 120);
}

#[test]
fn open_with_15_percent_loss_each_way_in_the_usual_time() {
    assert_opens(Quality { loss: 15, ..BAD }, 30);
}

/// A round trip takes nearly as long as a caller waits before it repeats its Response.
#[test]
fn open_over_slow_lines() {
    for habits in ALL {
        for delay in [300, 700, 1000, 1400] {
            in_world(config(), 1, |world| {
                let at = world.dial(1, habits, Quality { delay, ..GOOD });
                let opens = world.run_until(30_000, |world| world.is_open(at));
                assert!(opens, "{} with {delay} ms: {:?}", habits.name, world.ended());
            });
        }
    }
}
