//! Calls that negotiate anew while they are open.

use pptp::config::{Config, Mppe};
use pptp::reason::Cause;
use pptp::session::Step;

use crate::common::habits::{ALL, MIKROTIK, WINDOWS};
use crate::common::inner::numbered;
use crate::common::layer::frame;
use crate::common::world::{LAN, World, config, in_world};

/// Long past the time for a login.
const LONG: u64 = 100_000;

fn assert_passes(world: &mut World, at: usize) {
    let address = world.ppp(at).address();
    world.tun.clear();
    world.ppp(at).received.clear();
    world.ppp(at).send_ip(&numbered(address, LAN, 7, 60));
    world.push(at);
    world.send_tun(&numbered(LAN, address, 8, 60)).unwrap();
    world.run(100);
    assert_eq!((world.tun.len(), world.ppp(at).received.len()), (1, 1), "packets pass");
}

fn suspended(world: &World) -> usize {
    world.events.iter().filter(|event| event.step == Step::Suspended).count()
}

#[test]
fn ccp_anew() {
    for habits in [WINDOWS, MIKROTIK] {
        in_world(config(), 1, |world| {
            let at = world.open(1, habits);
            let now = world.now;
            world.ppp(at).renegotiate_ccp(now);
            world.push(at);
            assert!(world.run_until(5000, |world| world.is_open(at)), "open again");
            assert_passes(world, at);
            world.run(LONG);
            assert!(world.is_open(at), "{}: {:?}", habits.name, world.ended());
            assert_passes(world, at);
        });
    }
}

/// What was encrypted once stays so: while CCP is negotiated anew nothing passes in the clear, and
/// a forged end of CCP does not turn encryption off.
#[test]
fn optional_encryption_is_not_lost() {
    in_world(Config { mppe: Mppe::Optional, ..config() }, 1, |world| {
        let at = world.open(1, MIKROTIK);
        let (now, address) = (world.now, world.ppp(at).address());
        assert!(world.model(at).is_encrypted());
        world.ppp(at).renegotiate_ccp(now);
        world.push(at);
        let mut refused = 0;
        for _ in 0..40 {
            refused += u32::from(world.send_tun(&numbered(LAN, address, 1, 60)).is_err());
            world.run(1);
        }
        assert!(refused > 5 && world.is_open(at), "{refused}");
        world.run(100);
        assert_passes(world, at);
        world.send(at, &frame(0x80fd, 5, 1, &[]));
        world.run(6);
        assert!(world.send_tun(&numbered(LAN, address, 1, 60)).is_err());
        world.run(5000);
        assert_eq!(world.ended(), [Cause::EncryptionRefused]);
    });
}

#[test]
fn lcp_anew() {
    for habits in ALL {
        in_world(config(), 1, |world| {
            let at = world.open(1, habits);
            let (now, address) = (world.now, world.ppp(at).address());
            world.ppp(at).renegotiate_lcp(now);
            world.push(at);
            world.run(10);
            assert!(!world.is_open(at));
            assert!(world.run_until(10_000, |world| world.is_open(at)), "open again");
            assert_eq!((suspended(world), world.ppp(at).address()), (1, address));
            world.run(LONG);
            assert_passes(world, at);
        });
    }
}

/// A caller that begins anew on an open link has the time of a login for it, like any other.
#[test]
fn lcp_anew_and_never_open_again() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let now = world.now;
        world.ppp(at).renegotiate_lcp(now);
        world.ppp(at).habits.ipcp = &[];
        world.push(at);
        // IPCP goes round in circles: the address is never taken over.
        assert!(world.run_until(3000, |world| world.model(at).ipcp.started));
        for _ in 0..100 {
            let request = [0xff, 3, 0x80, 0x21, 1, 9, 0, 10, 3, 6, 10, 0, 0, 1];
            let now = world.now;
            world.ppp(at).ipcp.stop();
            world.callers[at].send_frame(0, &request, now);
            world.run(1000);
        }
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn ipcp_closed_and_opened_again() {
    for pause in [100, 1000, 2500, 10_000, 25_000] {
        in_world(config(), 1, |world| {
            let at = world.open(1, MIKROTIK);
            world.ppp(at).close_ipcp();
            world.push(at);
            world.run(pause);
            assert_eq!(suspended(world), 1);
            let now = world.now;
            world.ppp(at).open_ipcp(now);
            world.push(at);
            assert!(world.run_until(7000, |world| world.is_open(at)), "after {pause} ms");
            world.run(LONG);
            assert_passes(world, at);
        });
    }
}

#[test]
fn ipcp_closed_for_good() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        world.ppp(at).close_ipcp();
        world.push(at);
        world.run(29_000);
        assert_eq!(world.live(), 1);
        world.run(4000);
        assert_eq!(world.live(), 0);
    });
}

/// Who failed to log in does not get another challenge by negotiating LCP anew.
#[test]
fn lcp_anew_after_a_wrong_password() {
    in_world(config(), 1, |world| {
        let at = world.dial_as(1, MIKROTIK, crate::common::line::GOOD, "alice", "wrong");
        let refused = |world: &World| world.server.causes().of(Cause::WrongPassword) > 0;
        assert!(world.run_until(5000, refused));
        let now = world.now;
        world.ppp(at).password = "s3cret-Pass1".to_string();
        world.ppp(at).phase = crate::common::ppp::Phase::Establish;
        world.ppp(at).renegotiate_lcp(now);
        world.push(at);
        assert!(world.run_until(3000, |world| world.live() == 0));
        let logins = world.events.iter().filter(|it| matches!(it.step, Step::LoggedIn { .. }));
        assert_eq!(logins.count(), 0);
    });
}
