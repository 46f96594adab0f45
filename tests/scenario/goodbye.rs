//! Every way to end a call, from either side.

use pptp::reason::Cause;
use pptp::wire::pptp::Message;

use crate::common::caller::{Mind, parsed};
use crate::common::habits::{ALL, MIKROTIK, WINDOWS};
use crate::common::line::GOOD;
use crate::common::world::{World, config, config_of_many, in_world};

/// Kinds of the control messages that a caller got, by their numbers.
fn kinds(world: &World, at: usize) -> Vec<u8> {
    let messages = world.callers[at].messages.iter();
    messages.map(|octets| parsed(octets).kind() as u8).collect()
}

#[test]
fn the_caller_terminates_ppp() {
    for habits in ALL {
        in_world(config(), 1, |world| {
            let at = world.open(1, habits);
            world.ppp(at).terminate();
            world.push(at);
            assert!(world.run_until(3000, |world| world.live() == 0));
            world.run(100);
            assert_eq!(world.ended(), [Cause::PeerTerminated]);
            // Call-Disconnect-Notify: the carrier was lost.
            assert_eq!(world.callers[at].calls[0].disconnected, Some(1));
            assert_eq!(world.server.leased(), 0);
            // The connection is kept for another call, for a while.
            assert!(!world.callers[at].is_closed);
            assert!(world.run_until(31_000, |world| world.is_idle()));
        });
    }
}

#[test]
fn the_caller_clears_the_call() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let (now, call_id) = (world.now, world.callers[at].calls[0].own_id);
        world.callers[at].say(&Message::CallClearRequest { call_id }, now);
        world.run(100);
        assert_eq!(world.callers[at].calls[0].disconnected, Some(4), "on request");
        assert_eq!((world.live(), world.ended()), (0, vec![Cause::Cleared]));
        assert!(!world.callers[at].is_closed);
        // Once more: the call is gone, nothing is said.
        let heard = world.callers[at].messages.len();
        world.callers[at].say(&Message::CallClearRequest { call_id }, world.now);
        world.run(100);
        assert_eq!(world.callers[at].messages.len(), heard);
    });
}

#[test]
fn the_caller_stops_the_connection() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let now = world.now;
        world.callers[at].say(&Message::StopRequest { reason: 1 }, now);
        world.run(100);
        assert_eq!(kinds(world, at).last(), Some(&4), "Stop-Control-Connection-Reply");
        assert!(world.callers[at].is_closed && world.is_idle());
        assert_eq!(world.ended(), [Cause::ControlClosed]);
    });
}

#[test]
fn the_connection_closes() {
    in_world(config(), 1, |world| {
        let at = world.open(1, WINDOWS);
        let now = world.now;
        world.callers[at].hang_up(now);
        world.run(10);
        assert!(world.is_idle());
        assert_eq!(world.ended(), [Cause::ControlClosed]);
    });
}

#[test]
fn the_administrator_disconnects() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        world.callers[at].calls[0].mind = Mind::Test;
        assert_eq!(world.server.disconnect(|call| call.mtu > 0, world.now), 1);
        assert_eq!(world.server.leased(), 0, "the address is free at once");
        world.run(2000);
        assert_eq!((world.live(), world.ended()), (0, vec![Cause::Disconnected]));
        assert_eq!(world.callers[at].calls[0].disconnected, Some(3), "by the administrator");
    });
}

/// Everybody gets Terminate-Request, Call-Disconnect-Notify and Stop-Control-Connection-Request.
#[test]
fn the_server_stops() {
    in_world(config_of_many(20), 1, |world| {
        let callers: Vec<_> = (0..20)
            .map(|number| {
                let user = format!("user{number}");
                world.dial_as(number, MIKROTIK, GOOD, &user, crate::common::world::PASSWORD)
            })
            .collect();
        let idle = world.connect(30, GOOD).unwrap();
        world.run(3000);
        assert!(callers.iter().all(|at| world.is_open(*at)));
        let start = world.now;
        world.server.shutdown(start);
        assert!(
            world
                .server
                .handle_accept(world.callers[0].local, world.callers[0].address, start)
                .is_err()
        );
        assert!(world.run_until(2000, |world| world.server.is_finished()));
        assert!(world.now.since(start) < 1000, "callers that answer are not waited for");
        world.run(100);
        for at in callers {
            use crate::common::ppp::Phase;
            assert_eq!(world.model(at).phase, Phase::Over("the server terminated"));
            assert!(kinds(world, at).contains(&3), "Stop-Control-Connection-Request");
            assert!(world.callers[at].is_closed);
        }
        assert!(world.callers[idle].is_closed && world.is_idle());
    });
}

/// A caller that went away without a word does not keep the server from stopping.
#[test]
fn the_server_stops_and_nobody_answers() {
    for open in [true, false] {
        in_world(config(), 1, |world| {
            let at = if open { world.open(1, MIKROTIK) } else { world.scripted(1) };
            world.callers[at].breath = Some(0);
            let start = world.now;
            world.server.shutdown(start);
            world.server.shutdown(start);
            assert!(world.run_until(2000, |world| world.server.is_finished()));
            assert_eq!(world.ended(), [Cause::Shutdown]);
            world.run(60_000);
            assert!(world.server.is_finished() && world.is_idle());
            assert_eq!(world.server.poll_timeout(), None);
        });
    }
}

/// A connection without a call is waited for as long as its reply may take, not longer.
#[test]
fn the_server_stops_with_a_silent_connection() {
    in_world(config(), 1, |world| {
        let at = world.connect(1, GOOD).unwrap();
        let now = world.now;
        world.callers[at].say(&crate::common::caller::start_request(), now);
        world.run(100);
        world.callers[at].is_polite = false;
        let start = world.now;
        world.server.shutdown(start);
        assert!(world.run_until(2000, |world| world.server.is_finished()));
        assert_eq!(world.now.since(start), 1000);
    });
}

/// A caller that does not read its connection costs a bounded buffer, then the connection.
#[test]
fn a_caller_that_does_not_read() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        world.callers[at].is_deaf = true;
        let id = world.callers[at].id.unwrap();
        for identifier in 0..100 {
            let now = world.now;
            world.callers[at].say(&Message::EchoRequest { identifier }, now);
            world.run(10);
            assert!(world.server.control_output(id).len() <= 640);
        }
        assert!(world.is_idle());
        assert_eq!(world.ended(), [Cause::ControlClosed]);
    });
}
