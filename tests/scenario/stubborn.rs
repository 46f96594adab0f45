//! Peers that never agree: every one comes to an end, and few packets are spent on it.

use pptp::config::{Config, Mppe};
use pptp::reason::Cause;

use crate::common::caller::Mind;
use crate::common::habits::{Encryption, Habits, MIKROTIK, PPPD, STATELESS_40};
use crate::common::layer::{ACK, NAK, REJECT, REQUEST, decoded, frame};
use crate::common::line::GOOD;
use crate::common::ppp::{Ppp, Twist};
use crate::common::world::{PASSWORD, USER, World, config, in_world};

const LCP: u16 = 0xc021;
const CHAP: u16 = 0xc223;
const CCP: u16 = 0x80fd;
const IPCP: u16 = 0x8021;

/// Packets that the server may spend on a call that comes to nothing.
const PACKETS: usize = 150;

fn dial(world: &mut World, habits: Habits, twist: Twist) -> usize {
    let mut ppp = Ppp::new(habits, USER, PASSWORD, world.dice.clone());
    ppp.twist = Some(twist);
    world.dial_with(1, GOOD, Mind::Model(Box::new(ppp)))
}

/// How the call of such a peer ends.
fn ends(config: Config, habits: Habits, twist: Twist) -> Cause {
    in_world(config, 1, |world| {
        dial(world, habits, twist);
        ends_in(world)
    })
}

/// How the call of a peer ends that sends one Configure-Request again whatever the server says.
fn ends_repeating(habits: Habits, protocol: u16, options: &'static [u8]) -> Cause {
    in_world(config(), 1, |world| {
        let at = dial(world, habits, repeats(protocol, options));
        let ppp = world.ppp(at);
        let layer = match protocol {
            LCP => &mut ppp.lcp,
            CCP => &mut ppp.ccp,
            _ => &mut ppp.ipcp,
        };
        layer.wishes = decoded(options);
        ends_in(world)
    })
}

fn ends_in(world: &mut World) -> Cause {
    assert!(world.run_until(80_000, |world| world.is_idle()), "{:?}", world.server.poll_timeout());
    assert!(world.gre_sent < PACKETS, "{} packets", world.gre_sent);
    let ended = world.ended();
    assert_eq!(ended.len(), 1);
    ended[0]
}

/// Answers every Configure-Request of `protocol` with `code` and `options`.
fn always(protocol: u16, code: u8, options: &'static [u8]) -> Twist {
    Box::new(move |which, what, identifier, _| {
        let meant = which == protocol && what == REQUEST;
        meant.then(|| vec![frame(protocol, code, identifier, options)])
    })
}

/// Sends the same Configure-Request again whatever the server said to it.
fn repeats(protocol: u16, options: &'static [u8]) -> Twist {
    let mut count = 0;
    Box::new(move |which, what, _, _| {
        if which != protocol || !matches!(what, NAK | REJECT) {
            return None;
        }
        count += 1;
        Some(vec![frame(protocol, REQUEST, count, options)])
    })
}

#[test]
fn lcp_that_is_refused_in_circles() {
    let magic: &[u8] = &[5, 6, 1, 2, 3, 4];
    assert_eq!(ends(config(), PPPD, always(LCP, NAK, magic)), Cause::LcpRefused);
    let mru: &[u8] = &[1, 4, 0x05, 0x00];
    assert_eq!(ends(config(), PPPD, always(LCP, NAK, mru)), Cause::LcpRefused);
    assert_eq!(ends(config(), PPPD, always(LCP, NAK, &[])), Cause::LcpRefused);
    assert_eq!(ends(config(), PPPD, always(LCP, REJECT, &[])), Cause::LcpRefused);
    let unknown: &[u8] = &[0x17, 4, 1, 2];
    assert_eq!(ends(config(), PPPD, always(LCP, REJECT, unknown)), Cause::LcpRefused);
}

#[test]
fn authentication_that_is_refused() {
    let wishes: [&[u8]; 4] = [
        &[3, 4, 0xc0, 0x23],
        &[3, 5, 0xc2, 0x23, 5],
        &[3, 5, 0xc2, 0x23, 0x80],
        &[3, 4, 0xc2, 0x27],
    ];
    for wish in wishes {
        assert_eq!(ends(config(), PPPD, always(LCP, NAK, wish)), Cause::AuthRefused, "{wish:x?}");
    }
    let ours: &[u8] = &[3, 5, 0xc2, 0x23, 0x81];
    assert_eq!(ends(config(), PPPD, always(LCP, REJECT, ours)), Cause::AuthRefused);
    // It asks for what it is offered, again and again.
    assert_eq!(ends(config(), PPPD, always(LCP, NAK, ours)), Cause::LcpRefused);
    let rejects_chap: Twist = Box::new(|protocol, code, identifier, data| {
        let rejected = frame(CHAP, code, identifier, data)[2..].to_vec();
        (protocol == CHAP).then(|| vec![frame(LCP, 8, 1, &rejected)])
    });
    assert_eq!(ends(config(), PPPD, rejects_chap), Cause::AuthRefused);
}

#[test]
fn lcp_that_is_asked_in_circles() {
    for options in [&[1, 4, 0, 0][..], &[0x17, 4, 1, 2], &[5, 6, 0, 0, 0, 0], &[3, 4, 0xc0, 0x23]] {
        let cause = ends_repeating(PPPD, LCP, options);
        assert_eq!(cause, Cause::LoginTimeout, "{options:x?}");
    }
}

/// The peer is a mirror: it sends back whatever it gets.
#[test]
fn a_looped_back_line() {
    let mirror: Twist = Box::new(|protocol, code, identifier, data| {
        Some(vec![frame(protocol, code, identifier, data)])
    });
    let cause = ends(config(), PPPD, mirror);
    // Its own refusal of an option comes back to it.
    assert_eq!(cause, Cause::AuthRefused);
}

#[test]
fn encryption_that_is_refused() {
    for (encryption, cause) in [
        (Encryption::UnknownCcp, Cause::EncryptionRefused),
        (Encryption::RejectsMppe, Cause::EncryptionRefused),
    ] {
        let habits = Habits { encryption, ..PPPD };
        assert_eq!(ends(config(), habits, Box::new(|_, _, _, _| None)), cause);
    }
    // 40 bit only, which is not allowed here.
    let weak = Encryption::Wants(STATELESS_40, &[STATELESS_40]);
    let cause = ends(config(), Habits { encryption: weak, ..PPPD }, Box::new(|_, _, _, _| None));
    assert_eq!(cause, Cause::EncryptionRefused);
}

/// Some routers repeat one request for ever: no strength at all, or Microsoft's compression.
#[test]
fn encryption_that_is_asked_in_circles() {
    let wishes: [&[u8]; 4] =
        [&[18, 6, 0, 0, 0, 0], &[18, 6, 0, 0, 0, 1], &[18, 6, 1, 0, 0, 0x60], &[0x1a, 4, 0x78, 0]];
    for wish in wishes {
        let cause = ends_repeating(MIKROTIK, CCP, wish);
        assert!(
            matches!(cause, Cause::EncryptionTimeout | Cause::EncryptionRefused),
            "{wish:x?}: {cause:?}"
        );
    }
}

#[test]
fn encryption_that_is_naked_in_circles() {
    for wish in [&[18, 6, 0, 0, 0, 0][..], &[18, 6, 1, 0, 0, 0x20], &[18, 6, 0, 0, 0, 0x40], &[]] {
        let cause = ends(config(), MIKROTIK, always(CCP, NAK, wish));
        assert_eq!(cause, Cause::EncryptionRefused, "{wish:x?}");
    }
}

#[test]
fn addresses_that_are_refused() {
    let own: &[u8] = &[3, 6, 10, 0, 0, 7];
    assert_eq!(ends_repeating(PPPD, IPCP, own), Cause::AddressRefused);
    // The server's own address is not good enough.
    assert_eq!(ends(config(), PPPD, always(IPCP, NAK, own)), Cause::NetworkRefused);
    let unknown: Twist = Box::new(|protocol, code, identifier, data| {
        let rejected = frame(IPCP, code, identifier, data)[2..].to_vec();
        (protocol == IPCP).then(|| vec![frame(LCP, 8, 1, &rejected)])
    });
    assert_eq!(ends(config(), PPPD, unknown), Cause::NetworkRefused);
}

/// A peer that does not want to know our address can have the call all the same.
#[test]
fn our_address_is_rejected() {
    in_world(config(), 1, |world| {
        let mut rejected = false;
        let twist: Twist = Box::new(move |protocol, code, identifier, data| {
            let first =
                protocol == IPCP && code == REQUEST && !std::mem::replace(&mut rejected, true);
            first.then(|| vec![frame(IPCP, REJECT, identifier, data)])
        });
        let at = dial(world, MIKROTIK, twist);
        assert!(world.run_until(10_000, |world| world.is_open(at)));
    });
}

/// Everything is naked, whatever it is.
#[test]
fn a_peer_that_naks_everything() {
    let naysayer: Twist = Box::new(|protocol, code, identifier, data| {
        (code == REQUEST).then(|| vec![frame(protocol, NAK, identifier, data)])
    });
    assert_eq!(ends(config(), PPPD, naysayer), Cause::LcpRefused);
    let optional = Config { mppe: Mppe::Optional, ..config() };
    let later: Twist = Box::new(|protocol, code, identifier, data| {
        let meant = code == REQUEST && matches!(protocol, CCP | IPCP);
        meant.then(|| vec![frame(protocol, NAK, identifier, data)])
    });
    assert_eq!(ends(optional, MIKROTIK, later), Cause::NetworkRefused);
}

/// Answers that nobody asked for change nothing.
#[test]
fn unasked_answers() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let sent = world.gre_sent;
        for protocol in [LCP, CCP, IPCP] {
            for code in [ACK, NAK, REJECT] {
                for identifier in 0..=255 {
                    world.send(at, &frame(protocol, code, identifier, &[]));
                    world.run(1);
                }
            }
        }
        assert!(world.is_open(at));
        // Acknowledgments alone.
        assert!(world.gre_sent - sent < 9 * 256 / 8 + 50, "{}", world.gre_sent - sent);
    });
}

/// A thousand requests in a second are not answered a thousand times.
#[test]
fn a_flood_of_requests() {
    for (protocol, options) in [(LCP, &[0x17, 4, 1, 2][..]), (CCP, &[18, 6, 0, 0, 0, 0])] {
        in_world(config(), 1, |world| {
            let at = world.open(1, MIKROTIK);
            let sent = world.gre_sent;
            for identifier in 0..1000u32 {
                world.send(at, &frame(protocol, REQUEST, identifier as u8, options));
                world.run(1);
            }
            let sent = world.gre_sent - sent;
            assert!(sent < 250, "{protocol:04x}: {sent} packets for 1000");
            world.run(100_000);
            assert!(world.is_idle() || world.is_open(at));
        });
    }
}
