//! Packets of an open call cost no heap allocation, on good lines and on bad ones. The library has
//! no allocator, so this is about everything that it is built from.

#[allow(dead_code)] // other tests use the rest
#[path = "common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::net::Ipv4Addr;

use pptp::config::{Config, Network};
use pptp::packet::Packet;
use pptp::reason::Discard;
use pptp::session::{Account, FairQueue, Forward, Lan, Server, Source, Taken, Waiting};
use pptp::time::Instant;
use pptp::wire::gre::Header;

use common::caller::gre_octets;
use common::dice::Dice;
use common::habits::{Encryption, Habits, MIKROTIK, PPPD, STATEFUL_128, STATELESS_128};
use common::inner::numbered;
use common::ipv6::{SOLICITATION, address, global, icmp, local, neighbor_solicitation, router};
use common::ipv6::{udp, under};
use common::ppp::IDENTIFIER;
use common::world::{LAN, World, config, in_world};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator; the counter allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps to the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread so far.
fn count() -> u64 {
    COUNT.with(Cell::get)
}

const PACKETS: u32 = 5000;

/// The GRE packets of a caller's inner packets, with chances in percent of loss and of a place
/// further behind.
fn packets(world: &mut World, at: usize, loss: u64, late: u64) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(7);
    let address = world.ppp(at).address();
    let inner = |count| numbered(address, LAN, count, 40 + dice.below(1300) as usize);
    let inner = (0..PACKETS).map(inner).collect::<Vec<_>>();
    let mut packets = sealed(world, at, &inner);
    packets.retain(|_| !dice.percent(loss));
    for place in 0..packets.len().saturating_sub(20) {
        if dice.percent(late) {
            packets.swap(place, place + dice.below(20) as usize);
        }
    }
    packets
}

/// The GRE packets in which a caller sends these inner packets.
fn sealed(world: &mut World, at: usize, inner: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let call = &mut world.callers[at].calls[0];
    let (call_id, first) = (call.server_id, call.next_sequence);
    let ppp = call.model_mut();
    inner.iter().for_each(|octets| ppp.send_ip(octets));
    (first..)
        .zip(std::mem::take(&mut ppp.out))
        .map(|(sequence, frame)| {
            let header = Header {
                payload_length: frame.len() as u16,
                call_id,
                sequence: Some(sequence),
                acknowledgment: Some(0),
            };
            gre_octets(&header, &frame)
        })
        .collect()
}

/// What passed.
#[derive(Debug, Default)]
struct Passed {
    to_lan: usize,
    to_caller: usize,
    own: usize,
}

/// The program's turns: a packet each way, and what the server has ready.
fn turns(
    server: &mut Server,
    packets: &[Vec<u8>],
    (from, answer): (Ipv4Addr, &[u8]),
    mut now: Instant,
) -> Passed {
    let (mut packet, mut passed) = (Packet::new(), Passed::default());
    for octets in packets {
        packet.set(octets);
        let taken = server.handle_gre(from, &mut packet, now);
        passed.to_lan += usize::from(taken == Ok(Taken::Tun));
        passed.own += usize::from(matches!(taken, Ok(Taken::Gre(_))));
        while server.poll_tun(&mut packet, now) == Taken::Tun {
            passed.to_lan += 1;
        }
        packet.set(answer);
        let forward = server.handle_tun(&mut packet, now);
        passed.to_caller += usize::from(matches!(forward, Ok(Forward::Gre(_))));
        if server.poll_timeout().is_some_and(|(at, _)| at <= now) {
            server.handle_timeout(now);
        }
        while server.poll_gre(&mut packet, now).is_some() {
            passed.own += 1;
        }
        black_box(server.poll_event());
        now = now + 2;
    }
    passed
}

fn assert_allocates_nothing(bits: u32, loss: u64, late: u64) -> Passed {
    let accepted: &[u32] = Box::leak(Box::new([bits]));
    let habits = Habits { encryption: Encryption::Wants(bits, accepted), ..MIKROTIK };
    let config = Config { mppe_stateful: true, ..config() };
    in_world(config, 1, |world| {
        let at = world.open(1, habits);
        let packets = packets(world, at, loss, late);
        let address = world.ppp(at).address();
        let (from, answer) = (world.callers[at].address, numbered(LAN, address, 1, 900));
        let before = count();
        let passed = turns(&mut world.server, &packets, (from, &answer), world.now);
        assert_eq!(count() - before, 0, "{bits:08x}, loss {loss}, late {late}");
        assert_eq!(passed.to_caller, packets.len());
        passed
    })
}

/// Broadcasts of the LAN and copies of them for each caller, those that do not pass among them.
#[test]
fn broadcasts() {
    in_world(config(), 1, |world| {
        world.open(1, MIKROTIK);
        let networks = [Network::around(LAN, 24)].into_iter().collect();
        world.server.lan_changed(Lan { address: None, networks });
        let (mut packet, mut now, mut copies) = (Packet::new(), world.now, 0);
        let mut search = numbered(LAN, Ipv4Addr::BROADCAST, 0, 500);
        search[23] = 9;
        search[24..26].copy_from_slice(&480u16.to_be_bytes());
        let before = count();
        for number in 0..PACKETS {
            search[28..32].copy_from_slice(&number.to_be_bytes());
            packet.set(&search);
            black_box(world.server.handle_lan(&mut packet, now).is_ok());
            while world.server.poll_relay(&mut packet, now).is_some() {
                copies += 1;
            }
            black_box(world.server.poll_event());
            now = now + 5;
        }
        assert_eq!(count() - before, 0);
        // 25 seconds of it, each with 30 and the first with a burst.
        assert!((700..800).contains(&copies), "{copies}");
    });
}

/// Under overload packets wait, make room for others, and are dropped.
#[test]
fn overload() {
    in_world(config(), 1, |world| {
        let at = world.open(1, MIKROTIK);
        let packets = packets(world, at, 0, 0);
        let (from, now) = (world.callers[at].address, world.now);
        let mut buffers: Vec<Packet> = (0..9).map(|_| Packet::new()).collect();
        let mut buffers = buffers.iter_mut();
        let mut packet = buffers.next().unwrap();
        let mut places: Vec<Waiting> = buffers.map(Waiting::new).collect();
        let mut accounts = [Account::default(); 8];
        let mut queue = FairQueue::new(&mut places, &mut accounts);
        let (mut dropped, mut passed) = (0, 0);
        let before = count();
        for (number, octets) in packets.iter().enumerate() {
            packet.set(octets);
            let (slot, follows) = world.server.whose_gre(from, packet).unwrap();
            let source = Source::Gre(from);
            dropped += usize::from(queue.push(&mut packet, slot, source, follows).is_some());
            if number % 3 == 0
                && let Some(next) = queue.pop(&mut packet)
            {
                let taken = world.server.handle_waited(from, packet, next.behind_gap, now);
                passed += usize::from(taken == Ok(Taken::Tun));
                queue.charge(slot, world.server.take_extra_keys());
            }
        }
        assert_eq!(count() - before, 0);
        // What was dropped cost nobody else a packet.
        assert!(
            passed > packets.len() / 3 - 10 && dropped > packets.len() / 2,
            "{passed} {dropped}"
        );
    });
}

#[test]
fn good_lines() {
    assert!(count() > 0, "allocations are counted");
    for bits in [STATELESS_128, STATEFUL_128] {
        let passed = assert_allocates_nothing(bits, 0, 0);
        assert_eq!(passed.to_lan, PACKETS as usize);
    }
}

/// What an account may do is judged for each of its packets.
#[test]
fn limited_accounts() {
    let mut config = config();
    config.users[0].rights.internet = false;
    config.users[0].rights.rate_up = 100_000;
    config.users[0].rights.idle_timeout = 1;
    in_world(config, 1, |world| {
        let at = world.open(1, MIKROTIK);
        let packets = packets(world, at, 0, 0);
        let address = world.ppp(at).address();
        let (from, answer) = (world.callers[at].address, numbered(LAN, address, 1, 900));
        let before = count();
        let passed = turns(&mut world.server, &packets, (from, &answer), world.now);
        assert_eq!(count() - before, 0);
        assert_eq!((passed.to_lan, passed.to_caller), (packets.len(), packets.len()));
    });
}

/// Of an IPv6 packet in five each: two from the caller's first address, one from one of many others
/// that it takes in turn, one from an address that cannot be its own, and a question to its router.
fn ipv6_packet(count: u32) -> Vec<u8> {
    let (outside, own) = (address("2001:db8::5"), u64::from_be_bytes(IDENTIFIER));
    let len = 48 + count as usize % 1200;
    match count % 5 {
        0 | 1 => udp(global(own), outside, len),
        2 => udp(global(0x1000 + u64::from(count % 100)), outside, len),
        3 => udp(under("2001:db8:1::", own), outside, len),
        _ if count.is_multiple_of(2) => icmp(255, local(), address("ff02::2"), &SOLICITATION),
        _ => icmp(255, local(), address("fe80::1"), &neighbor_solicitation(address("fe80::1"))),
    }
}

#[test]
fn ipv6() {
    in_world(config(), 1, |world| {
        world.server.ipv6_changed(Some(router()), world.now);
        let at = world.open(1, Habits { asks_ipv6cp: true, ..PPPD });
        assert!(world.model(at).ipv6cp.is_open());
        let inner: Vec<_> = (0..PACKETS).map(ipv6_packet).collect();
        let packets = sealed(world, at, &inner);
        let answer = udp(address("2001:db8::5"), global(u64::from_be_bytes(IDENTIFIER)), 900);
        let from = world.callers[at].address;
        let before = count();
        let passed = turns(&mut world.server, &packets, (from, &answer), world.now);
        assert_eq!(count() - before, 0);
        assert_eq!((passed.to_lan, passed.to_caller), (inner.len() * 3 / 5, inner.len()));
        let spoofed = world.server.discards().of(Discard::InnerSource);
        assert_eq!(spoofed as usize, inner.len() / 5);
        // Half of the questions are Neighbor Solicitations, all of which are answered; the others
        // have an advertisement at most every three seconds.
        assert!(passed.own > inner.len() / 10 + 2, "{passed:?}");
    });
}

#[test]
fn bad_lines() {
    let passed = assert_allocates_nothing(STATELESS_128, 10, 20);
    assert!(passed.to_lan > 4000, "{passed:?}");
    // Nobody hears the Reset-Requests.
    let passed = assert_allocates_nothing(STATEFUL_128, 10, 20);
    assert!(passed.own > 10, "{passed:?}");
}
