//! Calls that open, carry packets and end.

use crate::common::dice::for_seeds;
use crate::common::habits::ALL;
use crate::common::inner::{number, numbered};
use crate::common::line::{BAD, GOOD};
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

#[test]
fn open_over_a_bad_line() {
    for habits in ALL {
        let (mut times, mut count) = (Vec::new(), 0);
        for_seeds(300, |seed| {
            let mut config = config();
            config.login_timeout = std::env::var("LT").map_or(30, |t| t.parse().unwrap());
            let limit = u64::from(config.login_timeout) * 1000 + 1000;
            in_world(config, seed, |world| {
                let at = world.dial(1, habits, BAD);
                count += 1;
                let start = world.now;
                let opened = world.run_until(limit, |world| world.is_open(at));
                if opened {
                    times.push(world.now.since(start));
                } else {
                    println!(
                        "{} {seed}: {:?} {:?}",
                        habits.name,
                        world.ended(),
                        world.ppp(at).phase
                    );
                }
            });
        });
        times.sort();
        let part = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!(
            "= {}: {} of {count} open; ms: {:?}",
            habits.name,
            times.len(),
            [10, 50, 90, 99].map(part)
        );
    }
}
