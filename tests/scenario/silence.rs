//! Peers that fall silent at any step are freed in time, with the cause that a person needs.

use pptp::reason::Cause;
use pptp::session::Step;

use crate::common::caller::{Mind, octets_of, start_request};
use crate::common::habits::{ALL, MIKROTIK, PPPD};
use crate::common::line::GOOD;
use crate::common::ppp::Ppp;
use crate::common::world::{World, config, in_world};

/// Milliseconds after which a silent caller with an open call is gone at the latest: four
/// unanswered LCP echoes of 20 s and what is heard last.
const OPEN_LIMIT: u64 = 105_000;

/// The caller sends so many messages and packets, then nothing, and leaves its connection open.
/// Returns how its call ended.
fn after(world: &mut World, at: usize, breath: usize) -> Vec<Cause> {
    world.callers[at].breath = Some(breath);
    let start = world.now;
    let was_freed = world.run_until(OPEN_LIMIT + 60_000, |world| world.is_idle());
    assert!(was_freed, "silent after {breath}: {:?}", world.server.poll_timeout());
    let open = world.events.iter().any(|event| matches!(event.step, Step::Open { .. }));
    let limit = if open { OPEN_LIMIT + 62_000 } else { 64_000 };
    assert!(
        world.now.since(start) <= limit,
        "silent after {breath}: {} ms",
        world.now.since(start)
    );
    world.run(100_000);
    assert_eq!(world.server.poll_timeout(), None, "nothing is left to do");
    world.ended()
}

#[test]
fn after_every_message() {
    for habits in ALL {
        let mut seen: Vec<Vec<Cause>> = Vec::new();
        // The first call that was open before the silence is the last one.
        while seen.last().is_none_or(|causes| *causes != [Cause::ControlTimeout]) {
            let breath = seen.len();
            in_world(config(), 1, |world| {
                let at = world.connect(1, GOOD).unwrap();
                world.callers[at].breath = Some(breath);
                let now = world.now;
                world.callers[at].say(&start_request(), now);
                let dice = world.dice.clone();
                let ppp = Ppp::new(habits, "alice", "s3cret-Pass1", dice);
                let mind = Mind::Model(Box::new(ppp));
                world.callers[at].ask_for_call(mind, now);
                let left = world.callers[at].breath.unwrap();
                seen.push(after(world, at, left));
            });
        }
        println!("{}: {seen:?}", habits.name);
        let cause = |breath: usize| seen[breath].first().copied();
        assert_eq!([cause(0), cause(1)], [None, None], "no call yet");
        assert_eq!(cause(2), Some(Cause::NoGre));
        let in_order = [
            Cause::NoGre,
            Cause::LcpTimeout,
            Cause::AuthTimeout,
            Cause::EncryptionTimeout,
            Cause::NetworkTimeout,
            Cause::ControlTimeout,
        ];
        let order: Vec<_> = seen.iter().flatten().collect();
        for cause in in_order {
            assert!(order.contains(&&cause), "{}: {cause:?}", habits.name);
        }
        assert!(seen.iter().skip(2).all(|causes| causes.len() == 1));
    }
}

#[test]
fn an_idle_connection() {
    in_world(config(), 1, |world| {
        let at = world.connect(1, GOOD).unwrap();
        world.run(9_900);
        assert!(!world.callers[at].is_closed);
        world.run(200);
        assert!(world.callers[at].is_closed && world.is_idle());
        assert!(world.callers[at].messages.is_empty(), "nothing was asked, nothing is said");
    });
}

#[test]
fn half_of_a_message() {
    let octets = octets_of(&start_request());
    for len in [1, 2, 11, 12, 13, 155] {
        in_world(config(), 1, |world| {
            let at = world.connect(1, GOOD).unwrap();
            let now = world.now;
            world.callers[at].say_octets(octets[..len].to_vec(), now);
            world.run(10_100);
            assert!(world.callers[at].is_closed && world.is_idle(), "{len} octets");
        });
    }
}

#[test]
fn a_connection_without_a_call() {
    in_world(config(), 1, |world| {
        let at = world.connect(1, GOOD).unwrap();
        let now = world.now;
        world.callers[at].say(&start_request(), now);
        world.run(29_000);
        assert!(!world.callers[at].is_closed);
        world.run(1_100);
        assert!(world.callers[at].is_closed && world.is_idle());
    });
}

/// What a person must read when IP protocol 47 is blocked: after 10 s in the log, then as the cause.
#[test]
fn no_gre_at_all() {
    in_world(config(), 1, |world| {
        let at = world.dial(1, PPPD, GOOD);
        world.callers[at].gre_up.quality.loss = 100;
        world.run(9_500);
        let told = |world: &World| world.events.iter().any(|event| event.step == Step::NoGre);
        assert!(!told(world));
        world.run(1000);
        assert!(told(world));
        world.run(20_000);
        assert_eq!(world.ended(), [Cause::NoGre]);
        let failure = world.server.failures().last().unwrap();
        assert_eq!(failure.cause, Cause::NoGre);
    });
}

/// A caller whose machine is gone: GRE is dead and TCP, too. The echo on the control connection is
/// asked early, and finds out.
#[test]
fn a_machine_that_vanished() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        world.callers[at].breath = Some(0);
        let start = world.now;
        assert!(world.run_until(OPEN_LIMIT, |world| world.live() == 0));
        assert_eq!(world.ended(), [Cause::ControlTimeout]);
        assert!(world.now.since(start) < 70_000, "{} ms", world.now.since(start));
    });
}

/// GRE is dead, while the control connection answers.
#[test]
fn a_line_that_died() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        world.callers[at].gre_up.quality.loss = 100;
        assert!(world.run_until(OPEN_LIMIT, |world| world.live() == 0));
        assert_eq!(world.ended(), [Cause::LineDead]);
        assert_eq!(world.callers[at].calls[0].disconnected, None, "it is still on its way");
        world.run(100);
        assert_eq!(world.callers[at].calls[0].disconnected, Some(1));
    });
}

/// An idle call is kept up by echoes both ways, for days.
#[test]
fn an_idle_call_stays() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let sent = world.gre_sent;
        world.run(2 * 24 * 3_600_000);
        assert!(world.is_open(at));
        let echoes = world.gre_sent - sent;
        assert!((8000..20_000).contains(&echoes), "{echoes} packets in two days");
    });
}

/// A caller whose second call is never begun: only that one ends.
#[test]
fn one_of_two_calls_is_silent() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let now = world.now;
        world.callers[at].ask_for_call(Mind::Test, now);
        world.run(60_000);
        assert_eq!(world.ended(), [Cause::NoGre]);
        assert!(world.is_open(at));
    });
}
