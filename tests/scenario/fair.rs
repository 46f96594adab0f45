//! More packets than a small router can serve: turns are fair, and a ping waits for nobody. The
//! processor is a model with the costs of one of 300 million instructions in a second, which reads
//! and serves as `io/turns.rs` does, or straight in the order in which packets come.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use pptp::config::Config;
use pptp::limits::WAITING;
use pptp::packet::Packet;
use pptp::reason::Discard;
use pptp::session::fair::KEY_COST;
use pptp::session::{Account, FairQueue, Source, Taken, Waiting};
use pptp::time::Instant;
use pptp::wire::gre::Header;

use crate::common::caller::gre_octets;
use crate::common::habits::{Encryption, Habits, MIKROTIK, STATEFUL_128};
use crate::common::inner::numbered;
use crate::common::line::GOOD;
use crate::common::mppe_peers::KINDS;
use crate::common::world::{LAN, PASSWORD, World, config_of_many, in_world};

/// Nanoseconds: to read a packet, to serve one, for each of its octets, for a key change.
const READ: u64 = 10_000;
const SERVE: u64 = 70_000;
const OCTET: u64 = 85;
const KEY: u64 = 19_000;
/// Packets that the socket holds.
const SOCKET: usize = 220;
const READS: usize = 64;
const SERVED: u32 = 4 * 2200;

/// What a caller sends, and what became of it.
struct Stream {
    /// Its number among the callers of the world.
    at: usize,
    /// Nanoseconds between its packets, and their octets.
    every: u64,
    octets: usize,
    next: u64,
    sent: u32,
    passed: u32,
    /// Nanoseconds from a packet's arrival to its service, at most.
    slowest: u64,
}

/// A packet in the socket: whose it is, since when it is there, its octets.
type Arrived = (usize, u64, Vec<u8>);

struct Router<'r, 'w> {
    world: &'r mut World<'w>,
    streams: Vec<Stream>,
    socket: VecDeque<Arrived>,
    /// Nanoseconds since the start.
    time: u64,
    start: Instant,
    dropped: u32,
    packet: Packet,
}

impl<'r, 'w> Router<'r, 'w> {
    /// A call for each of `streams`: habits, packets in a second, octets.
    fn new(world: &'r mut World<'w>, streams: &[(Habits, u64, usize)]) -> Router<'r, 'w> {
        let mut open = Vec::new();
        for (number, &(habits, rate, octets)) in streams.iter().enumerate() {
            let at =
                world.dial_as(1 + number as u8, habits, GOOD, &format!("user{number}"), PASSWORD);
            assert!(world.run_until(30_000, |world| world.is_open(at)));
            world.run(500);
            // What it answers goes through the socket as well: see `spend`.
            world.callers[at].gre_up.quality.delay = u64::from(u32::MAX);
            let every = 1_000_000_000 / rate;
            let next = every * number as u64 / 7;
            open.push(Stream { at, every, octets, next, sent: 0, passed: 0, slowest: 0 });
        }
        world.run(100);
        let (socket, start) = (VecDeque::new(), world.now);
        Router { world, streams: open, socket, time: 0, start, dropped: 0, packet: Packet::new() }
    }

    /// The processor was busy for so long; what came meanwhile is in the socket, or lost.
    fn spend(&mut self, nanos: u64) {
        self.time += nanos;
        while let Some(number) = (0..self.streams.len()).min_by_key(|&at| self.streams[at].next)
            && self.streams[number].next <= self.time
        {
            let since = self.streams[number].next;
            self.streams[number].next += self.streams[number].every;
            let octets = self.inner_packet(number);
            self.arrive((number, since, octets));
            self.streams[number].sent += 1;
        }
        let now = self.start + self.time / 1_000_000;
        self.world.run(now.since(self.world.now));
        for number in 0..self.streams.len() {
            let at = self.streams[number].at;
            let said = |world: &mut World| world.callers[at].gre_up.receive(Instant(u64::MAX));
            while let Some(octets) = said(self.world) {
                self.arrive((number, self.time, octets));
            }
        }
    }

    fn arrive(&mut self, packet: Arrived) {
        if self.socket.len() < SOCKET {
            self.socket.push_back(packet);
        }
    }

    fn inner_packet(&mut self, number: usize) -> Vec<u8> {
        let Stream { at, octets, sent, .. } = self.streams[number];
        let call = &mut self.world.callers[at].calls[0];
        let (call_id, sequence) = (call.server_id, Some(call.next_sequence));
        call.next_sequence += 1;
        let ppp = call.model_mut();
        ppp.send_ip(&numbered(ppp.address(), LAN, sent, octets));
        let frame = ppp.out.pop().unwrap();
        let payload_length = frame.len() as u16;
        gre_octets(&Header { payload_length, call_id, sequence, acknowledgment: None }, &frame)
    }

    /// Serves the packet at hand of this stream, which has been there since then.
    fn serve(&mut self, number: usize, since: u64, behind_gap: bool) -> u32 {
        let from = self.world.callers[self.streams[number].at].address;
        let (len, now) = (self.packet.len() as u64, self.world.now);
        self.world.server.take_extra_keys();
        let server = &mut self.world.server;
        let taken = server.handle_waited(from, &mut self.packet, behind_gap, now);
        let keys = server.take_extra_keys();
        let was = self.world.tun.len();
        self.world.flush();
        let stream = &mut self.streams[number];
        let released = self.world.tun.len() - was;
        stream.passed += u32::from(taken == Ok(Taken::Tun)) + released as u32;
        self.world.tun.clear();
        self.spend(SERVE + len * OCTET + u64::from(keys) * KEY);
        let stream = &mut self.streams[number];
        stream.slowest = stream.slowest.max(self.time - since);
        keys
    }

    /// As packets come, for so many seconds.
    fn in_order(&mut self, seconds: u64) {
        while self.time < seconds * 1_000_000_000 {
            self.spend(READ);
            if let Some((number, since, octets)) = self.socket.pop_front() {
                self.packet.set(&octets);
                self.serve(number, since, false);
            }
        }
    }

    /// In fair turns, for so many seconds.
    fn in_turns(&mut self, seconds: u64) {
        let mut packets: Vec<Packet> = (0..=WAITING).map(|_| Packet::new()).collect();
        let mut packets = packets.iter_mut();
        let mut at_hand = packets.next().unwrap();
        let mut waiting: Vec<Waiting> = packets.map(Waiting::new).collect();
        let mut accounts = [Account::default(); 65];
        let mut queue = FairQueue::new(&mut waiting, &mut accounts);
        let mut since: Vec<VecDeque<u64>> = vec![VecDeque::new(); self.streams.len()];
        while self.time < seconds * 1_000_000_000 {
            self.spend(READ);
            for (number, came, octets) in
                self.socket.drain(..self.socket.len().min(READS)).collect::<Vec<_>>()
            {
                let from = self.world.callers[self.streams[number].at].address;
                at_hand.set(&octets);
                let (slot, follows) = self.world.server.whose_gre(from, at_hand).unwrap();
                since[number].push_back(came);
                if let Some(Source::Gre(from)) =
                    queue.push(&mut at_hand, slot, Source::Gre(from), follows)
                {
                    since[self.whose(from)].pop_back();
                    self.dropped += 1;
                }
                self.spend(READ);
            }
            let mut left = SERVED;
            while left > 0
                && let Some(next) = queue.pop(&mut at_hand)
            {
                let Source::Gre(from) = next.source else { unreachable!() };
                let number = self.whose(from);
                self.packet.set(at_hand.data());
                let came = since[number].pop_front().unwrap();
                let extra = self.serve(number, came, next.behind_gap) * KEY_COST;
                queue.charge(next.owner, extra);
                left = left.saturating_sub(next.cost + extra);
            }
        }
    }

    fn whose(&self, from: Ipv4Addr) -> usize {
        let is_from = |stream: &Stream| self.world.callers[stream.at].address == from;
        self.streams.iter().position(is_from).unwrap()
    }

    /// What each stream got, in shares of what all got.
    fn shares(&self) -> Vec<f64> {
        let all: u32 = self.streams.iter().map(|stream| stream.passed).sum();
        let fair = f64::from(all) / self.streams.len() as f64;
        self.streams.iter().map(|stream| f64::from(stream.passed) / fair).collect()
    }
}

fn with_router<T>(streams: &[(Habits, u64, usize)], test: impl FnOnce(&mut Router) -> T) -> T {
    let config = Config { mppe_stateful: true, ..config_of_many(8) };
    in_world(config, 1, |world| test(&mut Router::new(world, streams)))
}

#[test]
fn everybody_gets_a_share() {
    for (octets, rates) in [(64, [6000, 4000, 4000, 4000]), (1400, [4000, 2000, 2000, 2000])] {
        let streams = rates.map(|rate| (MIKROTIK, rate, octets));
        let shares = with_router(&streams, |router| {
            router.in_turns(2);
            assert!(router.dropped > 2000, "{} dropped", router.dropped);
            router.shares()
        });
        println!("{octets} octets: {shares:.2?}");
        assert!(shares.iter().all(|&share| share > 0.5), "{octets} octets: {shares:.2?}");
    }
}

/// Twelve times what there is time for, from one caller: it drowns in its own keys, the others not.
#[test]
fn a_flood_takes_no_share_of_others() {
    let streams = [30_000, 3000, 3000, 3000].map(|rate| (MIKROTIK, rate, 64));
    let before = with_router(&streams, |router| {
        router.in_order(2);
        router.shares()
    });
    let shares = with_router(&streams, |router| {
        router.in_turns(2);
        router.shares()
    });
    println!("in order {before:.2?}, in turns {shares:.2?}");
    assert!(before[1..].iter().all(|&share| share < 0.5), "in order: {before:.2?}");
    assert!(shares[1..].iter().all(|&share| share > 0.9), "{shares:.2?}");
}

#[test]
fn a_ping_waits_for_nobody() {
    let streams = [(MIKROTIK, 20_000, 64), (MIKROTIK, 50, 64)];
    let ping = |router: &Router| {
        (router.streams[1].slowest / 1000, router.streams[1].passed, router.streams[1].sent)
    };
    let before = with_router(&streams, |router| {
        router.in_order(2);
        ping(router)
    });
    let (slowest, passed, sent) = with_router(&streams, |router| {
        router.in_turns(2);
        ping(router)
    });
    println!("slowest in order {} us, in turns {slowest} us", before.0);
    assert!(before.0 > 10_000 && before.1 < before.2, "in order: {before:?}");
    assert!(slowest < 10_000 && passed + 1 >= sent, "{slowest} us, {passed} of {sent}");
}

/// Stateful encryption loses more than the packet that was dropped, but not for ever.
#[test]
fn stateful_calls_get_on() {
    let encryption = Encryption::Wants(STATEFUL_128, &[STATEFUL_128]);
    for kind in KINDS {
        let stateful = Habits { encryption, kind, ..MIKROTIK };
        let streams = [(stateful, 4000, 1400), (MIKROTIK, 4000, 1400)];
        let (shares, waited) = with_router(&streams, |router| {
            router.in_turns(2);
            (router.shares(), router.world.server.discards().of(Discard::MppeReset))
        });
        println!("{kind:?}: {shares:.2?}, {waited} waited for a reset");
        assert!(shares[0] > 0.5, "{kind:?}: {shares:.2?}");
    }
}
