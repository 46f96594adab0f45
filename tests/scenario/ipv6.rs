//! IPv6 in the tunnel: IPV6CP, router advertisements, whose packets pass and whose do not.

use pptp::config::{Config, Duplicate, Mppe};
use pptp::reason::Discard;
use pptp::session::{Ipv6, Step};

use crate::common::habits::{ALL, Encryption, Habits, MIKROTIK, PPPD, WINDOWS};
use crate::common::inner::numbered;
use crate::common::ipv6::{
    PREFIX, SOLICITATION, address, global, icmp, icmp_sum, local, neighbor_solicitation, packet,
    router, udp,
};
use crate::common::ppp::IDENTIFIER;
use crate::common::world::{LAN, World, config, in_world};

const V6: Habits = Habits { asks_ipv6cp: true, ..PPPD };

/// The account may call twice.
fn crowd() -> Config {
    Config { duplicate: Duplicate::Allow, ..config() }
}

impl World<'_> {
    fn with_ipv6(&mut self) -> &mut Self {
        self.server.ipv6_changed(Some(router()), self.now);
        self
    }

    /// A caller says an inner packet; what came out of the TUN.
    fn says(&mut self, at: usize, octets: &[u8]) -> Vec<Vec<u8>> {
        self.tun.clear();
        self.ppp(at).received.clear();
        self.ppp(at).send_ip(octets);
        self.push(at);
        self.run(20);
        std::mem::take(&mut self.tun)
    }

    fn count(&self, why: Discard) -> u32 {
        self.server.discards().of(why)
    }

    /// What the caller received since it last said something.
    fn heard(&self, at: usize) -> Vec<Vec<u8>> {
        self.model(at).received.clone()
    }

    fn is_ipv6_open(&self, at: usize) -> bool {
        self.model(at).ipv6cp.is_open()
    }
}

#[test]
fn a_caller_is_told_its_router_and_packets_pass_both_ways() {
    for habits in [V6, WINDOWS] {
        in_world(config(), 1, |world| {
            let at = world.with_ipv6().open(1, habits);
            assert!(world.is_ipv6_open(at), "{}", habits.name);
            let told = world.heard(at);
            let [advertisement] = &told[..] else { panic!("{}: {told:?}", habits.name) };
            assert_eq!(advertisement[6..8], [58, 255]);
            assert_eq!(advertisement[8..24], address("fe80::1").octets());
            assert_eq!(advertisement[24..40], address("ff02::1").octets());
            assert_eq!((advertisement[40], icmp_sum(advertisement)), (134, 0xffff));
            assert_eq!(advertisement[46..48], 1800u16.to_be_bytes());
            // Down: the identifier of the link is known. Up: any other is the caller's as well, and
            // known from then on.
            let first = udp(address("2001:db8::5"), global(u64::from_be_bytes(IDENTIFIER)), 100);
            world.send_tun(&first).unwrap();
            world.run(20);
            let unknown = world.send_tun(&udp(address("2001:db8::5"), global(0xabc), 100));
            assert_eq!(unknown, Err(Discard::TunDestination));
            let up = udp(global(0xabc), address("2001:db8::5"), 200);
            assert_eq!(world.says(at, &up), [up]);
            let down = udp(address("2001:db8::5"), global(0xabc), 300);
            world.send_tun(&down).unwrap();
            world.run(20);
            assert_eq!(world.heard(at), [down]);
            // IPv4 beside it.
            let old = numbered(world.ppp(at).address(), LAN, 1, 100);
            assert_eq!(world.says(at, &old), [old]);
            let shown = world.server.sessions().next().unwrap();
            assert_eq!(shown.ipv6, Some(global(0xabc)));
            assert_eq!((shown.traffic.rx_bytes, shown.traffic.tx_bytes), (300, 400));
        });
    }
}

#[test]
fn without_ipv6_it_is_refused_and_the_call_lives() {
    in_world(config(), 1, |world| {
        let at = world.open(1, WINDOWS);
        assert_eq!(world.ppp(at).rejected, [0x8057]);
        world.says(at, &udp(global(5), address("2001:db8::5"), 100));
        assert_eq!(world.count(Discard::InnerProtocol), 1);
        let before = world.count(Discard::TunDestination);
        assert!(world.send_tun(&udp(address("2001:db8::5"), global(5), 100)).is_err());
        assert_eq!(world.count(Discard::TunDestination), before + 1);
        assert!(world.is_open(at));
    });
}

/// What an account may do counts for IPv6 as for IPv4, from its next packet on.
#[test]
fn accounts_go_where_they_may() {
    let places = [
        ("2001:db8:1::5", 0),
        ("fd00::5", 0),
        ("2001:db8::5", 1),
        ("fd12:3456:789a:77::2", 2),
        ("fd12:3456:789a:77::1", 0),
    ];
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        for shut in 0..4 {
            let mut config = config();
            let rights = &mut config.users[0].rights;
            (rights.lan, rights.internet, rights.callers) = (shut != 0, shut != 1, shut != 2);
            world.server.reload(config, world.now);
            world.run(50);
            let told = world.heard(at).pop().expect("an advertisement");
            assert_eq!(told[46..48] == [0, 0], shut == 1, "a default router");
            let route = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0];
            assert_eq!(told.windows(8).any(|octets| octets == route), shut != 0, "the LAN");
            for (place, kind) in places {
                let (other, may) = (address(place), shut != kind);
                assert_eq!(world.says(at, &udp(global(5), other, 100)).len(), usize::from(may));
                let down = world.send_tun(&udp(other, global(5), 100));
                let forbidden = if may { Ok(()) } else { Err(Discard::TunForbidden) };
                assert_eq!(down, forbidden, "{place} {shut}");
            }
            // DNS and pings of the router.
            let mut question = udp(global(5), global(1), 100);
            question[42..44].copy_from_slice(&53u16.to_be_bytes());
            assert_eq!(world.says(at, &question).len(), 1);
            let echo = icmp(64, global(5), global(1), &[128, 0, 0, 0, 1, 2, 3, 4]);
            assert_eq!(world.says(at, &echo).len(), 1);
        }
        assert_eq!(world.count(Discard::InnerForbidden), 5);
    });
}

#[test]
fn rates_count_both_versions() {
    let mut slow = config();
    slow.users[0].rights.rate_up = 1;
    in_world(slow, 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let up = udp(global(5), address("2001:db8::5"), 100);
        let passed = (0..200).map(|_| world.says(at, &up).len()).sum::<usize>();
        assert!((110..130).contains(&passed), "{passed} of the same bucket");
    });
}

/// One that does not ask for IPv6 is not asked; one that goes silent, refuses, terminates or
/// rejects in the midst of IPV6CP keeps its call.
#[test]
fn a_call_survives_whatever_becomes_of_ipv6cp() {
    for habits in ALL {
        for code in [0u8, 2, 3, 4, 5, 8] {
            in_world(config(), 1, |world| {
                let habits = Habits { asks_ipv6cp: code != 0, ..habits };
                let at = world.with_ipv6().dial(1, habits, crate::common::line::GOOD);
                world.ppp(at).twist = Some(Box::new(move |protocol, kind, identifier, data| {
                    let ours = protocol == 0x8057 && kind == 1;
                    assert!(code != 0 || protocol != 0x8057, "asked for IPv6 unasked");
                    let frame = crate::common::layer::frame;
                    ours.then(|| match code {
                        8 => {
                            vec![frame(0xc021, 8, 77, &frame(0x8057, kind, identifier, data)[2..])]
                        }
                        3 => vec![frame(0x8057, 3, identifier, &[1, 10, 0, 0, 0, 0, 0, 0, 0, 0])],
                        4 => vec![frame(0x8057, 4, identifier, data)],
                        5 => vec![frame(0x8057, 5, 99, &[])],
                        _ => vec![],
                    })
                }));
                assert!(world.run_until(10_000, |world| world.is_open(at)), "{code}");
                world.run(120_000);
                assert!(world.is_open(at), "{} {code}", habits.name);
                let up = numbered(world.ppp(at).address(), LAN, 1, 100);
                assert_eq!(world.says(at, &up), [up]);
                world.says(at, &udp(global(5), address("2001:db8::5"), 100));
                assert_eq!(world.count(Discard::InnerPhase), 1, "{} {code}", habits.name);
            });
        }
    }
}

#[test]
fn only_the_callers_own_addresses_may_be_sources() {
    in_world(crowd(), 1, |world| {
        let (one, two) = (world.with_ipv6().open(1, V6), world.open(2, WINDOWS));
        let lan = address("2001:db8::5");
        assert_eq!(world.says(one, &udp(global(5), lan, 100)).len(), 1);
        // Another caller's, ours, the subnet's anycast address, other prefixes, none, multicast,
        // loopback, and link-local ones that leave the link.
        for source in [
            global(5),
            global(1),
            global(0),
            address("fd12:3456:789a:78::5"),
            lan,
            address("::"),
            address("::1"),
            address("::ffff:192.168.77.10"),
            address("ff02::1"),
            local(),
            address("fe80::1"),
            address("fe80::9"),
        ] {
            let before = world.count(Discard::InnerSource);
            assert!(world.says(two, &udp(source, lan, 100)).is_empty(), "{source}");
            assert_eq!(world.count(Discard::InnerSource), before + 1, "{source}");
        }
        // Caller to caller: through the kernel, which may say no.
        world.says(two, &udp(global(6), lan, 100));
        let across = udp(global(6), global(5), 100);
        assert_eq!(world.says(two, &across), std::slice::from_ref(&across));
        world.ppp(one).received.clear();
        world.send_tun(&across).unwrap();
        world.run(20);
        assert_eq!(world.heard(one), [across]);
        // The address is free when its call is over.
        world.callers[one].hang_up(world.now);
        world.run(5000);
        assert_eq!(world.says(two, &udp(global(5), lan, 100)).len(), 1);
    });
}

#[test]
fn a_caller_has_a_few_addresses_and_the_last_used_stay() {
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let lan = address("2001:db8::5");
        for identifier in 100..200 {
            assert_eq!(world.says(at, &udp(global(identifier), lan, 60)).len(), 1);
            assert_eq!(world.says(at, &udp(global(7), lan, 60)).len(), 1);
        }
        for (identifier, known) in [(7, true), (199, true), (193, true), (192, false), (100, false)]
        {
            let told = world.send_tun(&udp(lan, global(identifier), 60));
            assert_eq!(told.is_ok(), known, "{identifier}");
        }
    });
}

#[test]
fn malformed_packets_go_nowhere() {
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let good = udp(global(5), address("2001:db8::5"), 100);
        assert_eq!(world.says(at, &good).len(), 1);
        let mut wrong = Vec::new();
        for (place, value) in [(4, 1), (5, 61), (5, 255), (7, 0)] {
            let mut octets = good.clone();
            octets[place] = value;
            wrong.push(octets);
        }
        // A jumbogram, and every truncation.
        wrong.push(packet(0, 64, global(5), address("2001:db8::5"), &[]));
        wrong.extend((1..100).map(|len| good[..len].to_vec()));
        for octets in &wrong {
            let before = world.count(Discard::InnerPacket);
            assert!(world.says(at, octets).is_empty(), "{octets:02x?}");
            assert_eq!(world.count(Discard::InnerPacket), before + 1, "{octets:02x?}");
        }
        // Padding is cut off; chains of extension headers are the kernel's business.
        assert_eq!(world.says(at, &[&good[..], &[0; 9]].concat()), [good]);
        let chain: Vec<u8> = (0..30).flat_map(|_| [60, 0, 1, 4, 0, 0, 0, 0]).collect();
        let chain = packet(0, 64, global(5), address("2001:db8::5"), &chain);
        assert_eq!(world.says(at, &chain), [chain]);
    });
}

#[test]
fn what_is_for_the_link_is_answered_or_ends_there() {
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let (router, nobody) = (address("fe80::1"), address("::"));
        let all_routers = address("ff02::2");
        let solicited = address("ff02::1:ff00:1");
        // A solicitation is answered, from an address or from none, and not more than once a second.
        world.run(5000);
        for source in [local(), nobody] {
            assert!(world.says(at, &icmp(255, source, all_routers, &SOLICITATION)).is_empty());
            world.run(1100);
            assert_eq!(world.heard(at).len(), 1, "{source}");
        }
        for _ in 0..50 {
            world.says(at, &icmp(255, local(), all_routers, &SOLICITATION));
        }
        world.run(100);
        assert!(world.gre_sent < 100);
        // Who has fe80::1, or the router's address under the prefix?
        for target in [router, global(1)] {
            let question = icmp(255, local(), solicited, &neighbor_solicitation(target));
            world.says(at, &question);
            let heard = world.heard(at);
            let answer = heard.iter().find(|octets| octets[40] == 136).expect("an answer");
            assert_eq!((answer[44], icmp_sum(answer)), (0xe0, 0xffff));
            assert_eq!(answer[48..64], target.octets());
            assert_eq!(answer[24..40], local().octets());
        }
        // Ping.
        let echo = icmp(64, local(), router, &[128, 0, 0, 0, 1, 2, 3, 4, 5]);
        world.says(at, &echo);
        let heard = world.heard(at);
        assert_eq!(heard.len(), 1);
        assert_eq!(
            (heard[0][40], icmp_sum(&heard[0]), &heard[0][44..]),
            (129, 0xffff, &echo[44..])
        );
        // Nothing of this link gets out, and what is nobody's is counted.
        let report = packet(0, 1, local(), address("ff02::16"), &[58, 0, 5, 2, 0, 0, 1, 0]);
        for octets in [
            udp(local(), address("ff02::fb"), 100),
            udp(global(5), address("ff05::2"), 100),
            udp(global(5), address("ff0e::101"), 100),
            udp(global(5), address("fe80::77"), 100),
            udp(local(), router, 100),
            icmp(255, nobody, solicited, &neighbor_solicitation(address("fe80::99"))),
            icmp(64, nobody, router, &[128, 0, 0, 0, 1, 2, 3, 4]),
            report,
        ] {
            let before = world.count(Discard::InnerLink);
            assert!(world.says(at, &octets).is_empty());
            assert_eq!(world.count(Discard::InnerLink), before + 1, "{octets:02x?}");
            assert!(world.heard(at).is_empty());
        }
    });
}

/// Duplicate Address Detection meets the router's addresses and those of other callers.
#[test]
fn a_taken_address_is_defended() {
    in_world(crowd(), 1, |world| {
        let (one, two) = (world.with_ipv6().open(1, V6), world.open(2, V6));
        world.says(one, &udp(global(5), address("2001:db8::5"), 100));
        let asks = |target| {
            let solicited = address("ff02::1:ff00:5");
            icmp(255, address("::"), solicited, &neighbor_solicitation(target))
        };
        for (caller, identifier, taken) in
            [(two, 5, true), (two, 6, false), (one, 5, false), (one, 1, true)]
        {
            world.says(caller, &asks(global(identifier)));
            let heard = world.heard(caller);
            assert_eq!(heard.len(), usize::from(taken), "{identifier}");
            if let Some(answer) = heard.first() {
                assert_eq!((answer[40], answer[44]), (136, 0xa0));
                assert_eq!(answer[24..40], address("ff02::1").octets());
            }
        }
    });
}

#[test]
fn a_flood_of_router_advertisements_is_counted_and_told_once() {
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let mut advertisement = [0; 16];
        advertisement[0] = 134;
        let all_nodes = address("ff02::1");
        for _ in 0..200 {
            assert!(world.says(at, &icmp(255, local(), all_nodes, &advertisement)).is_empty());
            assert!(world.heard(at).is_empty());
        }
        let mut redirect = [0; 40];
        redirect[0] = 137;
        world.says(at, &icmp(255, local(), all_nodes, &redirect));
        assert_eq!(world.count(Discard::InnerRouter), 201);
        let told = world.events.iter().filter(|event| event.step == Step::ActsAsRouter);
        assert_eq!(told.count(), 1);
        assert!(world.is_open(at));
    });
}

#[test]
fn large_packets_to_a_caller_are_told_and_tcp_is_kept_small() {
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, WINDOWS);
        let lan = address("2001:db8::5");
        world.says(at, &udp(global(5), lan, 100));
        world.tun.clear();
        // Windows' MRU is 1400: 1396 inside.
        world.send_tun(&udp(lan, global(5), 1396)).unwrap();
        world.send_tun(&udp(lan, global(5), 1397)).unwrap();
        let [told] = &world.tun[..] else { panic!("{:?}", world.tun) };
        assert_eq!((told.len(), told[40], icmp_sum(told)), (1280, 2, 0xffff));
        assert_eq!(told[44..48], 1396u32.to_be_bytes());
        assert_eq!(told[24..40], lan.octets());
        let mut syn = vec![0; 24];
        (syn[12], syn[13]) = (0x60, 2);
        syn[20..].copy_from_slice(&[2, 4, 0x05, 0xa0]);
        let up = world.says(at, &packet(6, 64, global(5), lan, &syn));
        assert_eq!(up[0][60..], [2, 4, 0x05, 0x38], "1396 - 60");
    });
}

/// What the kernel says into the TUN as it does on any link.
#[test]
fn the_kernels_own_multicast_reaches_nobody() {
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        world.says(at, &udp(global(5), address("2001:db8::5"), 100));
        let kernel = address("fe80::1234");
        for octets in [
            icmp(255, kernel, address("ff02::2"), &SOLICITATION),
            udp(global(1), address("ff02::fb"), 100),
            icmp(255, kernel, global(5), &[137; 40]),
            udp(address("2001:db8::5"), address("fd12:3456:789a:78::5"), 100),
        ] {
            assert_eq!(world.send_tun(&octets), Err(Discard::TunDestination));
        }
        assert_eq!(world.send_tun(&[0x60; 20]), Err(Discard::TunPacket));
        assert_eq!(world.send_tun(&[0x50; 60]), Err(Discard::TunPacket));
    });
}

#[test]
fn advertisements_come_again_and_tell_what_changed() {
    in_world(crowd(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let quiet = world.open(2, MIKROTIK);
        world.ppp(at).received.clear();
        world.run(3_600_000);
        let count = world.heard(at).len();
        assert!((6..=18).contains(&count), "{count} in an hour");
        world.ppp(at).received.clear();
        let none = Ipv6 { prefixes: [PREFIX + 1].into_iter().collect(), ..Ipv6::default() };
        world.server.ipv6_changed(Some(none), world.now);
        world.run(100);
        let heard = world.heard(at);
        let [told] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(told[46..48], [0, 0], "no default router");
        assert_eq!(told[80..88], (PREFIX + 1).to_be_bytes());
        assert!(world.model(quiet).received.is_empty(), "it has no IPv6");
    });
}

#[test]
fn in_clear_calls_too_but_never_where_encryption_is_required() {
    let optional = Config { mppe: Mppe::Off, ..config() };
    let clear = Habits { encryption: Encryption::UnknownCcp, ..V6 };
    in_world(optional, 1, |world| {
        let at = world.with_ipv6().open(1, clear);
        let up = udp(global(5), address("2001:db8::5"), 100);
        assert_eq!(world.says(at, &up), [up]);
    });
    in_world(config(), 1, |world| {
        let at = world.with_ipv6().open(1, V6);
        let up = udp(global(5), address("2001:db8::5"), 100);
        let frame = [&[0xff, 0x03, 0x00, 0x57], &up[..]].concat();
        world.send(at, &frame);
        world.run(100);
        assert_eq!((world.count(Discard::MppeClear), world.tun.len()), (1, 0));
    });
}
