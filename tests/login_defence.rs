//! What a stranger can learn or break by trying to log in: the time of an answer, the challenges and
//! Call IDs, and a dictionary that is tried from ten thousand addresses. The figures are printed.

#[allow(dead_code)] // other tests use the rest
#[path = "common/mod.rs"]
mod common;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use pptp::config::Config;
use pptp::packet::Packet;
use pptp::random::Random;
use pptp::reason::Cause;
use pptp::session::{Server, Step};
use pptp::wire::{gre, ppp};

use common::caller::{Mind, start_request};
use common::dice::Dice;
use common::habits::MIKROTIK;
use common::line::GOOD;
use common::ppp::Ppp;
use common::world::{PASSWORD, World, config_of_many, in_world};

/// Logins of each kind whose time is measured.
const SAMPLES: usize = 1500;

/// Dials in from anywhere.
fn dial_from(world: &mut World, address: Ipv4Addr, user: &str, password: &str) -> usize {
    let at = world.connect_from(address, GOOD).expect("accepted");
    let dice = Dice::new(world.dice.roll());
    let mind = Mind::Model(Box::new(Ppp::new(MIKROTIK, user, password, dice)));
    let now = world.now;
    world.callers[at].say(&start_request(), now);
    world.callers[at].ask_for_call(mind, now);
    at
}

/// Whether a GRE packet is a CHAP Response.
fn is_response(octets: &[u8]) -> bool {
    let Ok((_, len)) = gre::Header::parse(octets) else { return false };
    let Ok((number, at)) = ppp::frame_header(&octets[len..]) else { return false };
    number == ppp::protocol::CHAP && octets[len + at] == 2
}

/// How long the server takes for the answer to its challenge.
fn time_of_login(world: &mut World, user: &str) -> Duration {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + world.dice.below(1 << 20) as u32);
    let at = dial_from(world, address, user, "wrong");
    loop {
        let arrived = |world: &World| world.callers[at].gre_up.next_arrival().is_some();
        assert!(world.run_until(5_000, arrived), "no Response");
        world.now = world.callers[at].gre_up.next_arrival().unwrap();
        let octets = world.callers[at].gre_up.receive(world.now).unwrap();
        if is_response(&octets) {
            let took = time_of(&mut world.server, address, &octets, world.now);
            world.flush();
            world.run(3_000);
            world.callers.clear();
            return took;
        }
        world.gre(address, &octets);
    }
}

fn time_of(
    server: &mut Server,
    from: Ipv4Addr,
    octets: &[u8],
    now: pptp::time::Instant,
) -> Duration {
    let mut packet = Packet::new();
    packet.set(octets);
    let began = Instant::now();
    let _ = server.handle_gre(from, &mut packet, now);
    began.elapsed()
}

/// Nanoseconds, sorted, without the slowest twentieth: those were interrupted.
fn usual(mut samples: Vec<Duration>) -> Vec<f64> {
    samples.sort();
    samples.truncate(samples.len() * 19 / 20);
    samples.iter().map(|time| time.as_nanos() as f64).collect()
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

fn variance(of: &[f64]) -> f64 {
    let mean = mean(of);
    of.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (of.len() - 1) as f64
}

/// Welch's t: the difference of two means in units of its own uncertainty.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    (mean(a) - mean(b)) / (variance(a) / a.len() as f64 + variance(b) / b.len() as f64).sqrt()
}

/// The chance that one of `a` is larger than one of `b` (Mann-Whitney): a half when the time tells
/// nothing, 0 or 1 when one look is enough.
fn larger(a: &[f64], b: &[f64]) -> f64 {
    let wins = |it: &f64| {
        let below = b.partition_point(|other| other < it);
        let same = b[below..].partition_point(|other| other <= it);
        below as f64 + same as f64 / 2.0
    };
    a.iter().map(wins).sum::<f64>() / (a.len() * b.len()) as f64
}

/// Failed logins of one address after which it waits; four times as many for an account.
const FAILURES: u16 = 20;

/// The answers to a wrong password, to a name that does not exist and to an account that has to
/// wait take the same time, wherever the account stands in the list.
#[test]
fn the_time_of_an_answer_tells_nothing() {
    let (backoff_failures, backoff_time) = (FAILURES, u16::MAX);
    let config = Config { backoff_failures, backoff_time, ..config_of_many(128) };
    let mut times: [Vec<Duration>; 4] = Default::default();
    in_world(config, 1, |world| {
        for _ in 0..4 * FAILURES {
            time_of_login(world, "user127");
        }
        for round in 0..SAMPLES {
            // Each account a few times only: none but the last has to wait. In turn, so that
            // whatever changes the machine's speed changes it for all of them.
            let names = [
                format!("user{}", round % 63),
                format!("user{}", 63 + round % 63),
                format!("nobody{}", round % 100),
                String::from("user127"),
            ];
            for step in 0..names.len() {
                let which = (round + step) % names.len();
                times[which].push(time_of_login(world, &names[which]));
            }
        }
        let causes: Vec<_> = world.server.failures().map(|failure| failure.cause).collect();
        for cause in [Cause::WrongPassword, Cause::UnknownUser, Cause::TooManyFailures] {
            assert!(causes.contains(&cause), "{causes:?}");
        }
    });
    let [first, last, nobody, waits] = &times.map(usual);
    for (what, a, b) in
        [("position", first, last), ("unknown name", first, nobody), ("wait", first, waits)]
    {
        println!(
            "{what}: {:.0} and {:.0} ns, Welch t {:.1}, Mann-Whitney {:.3}",
            mean(a),
            mean(b),
            welch(a, b),
            larger(a, b)
        );
        let difference = (mean(a) - mean(b)).abs();
        assert!(difference < 0.1 * mean(a), "{what}: {difference} ns apart");
    }
}

/// Chi-square of counts that should all be the same, in standard deviations from what is usual.
fn surprise(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    let square: f64 = counts.iter().map(|&it| (f64::from(it) - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    (square - freedom) / (2.0 * freedom).sqrt()
}

/// Every octet of the challenges is as likely as any other at each place, every bit is independent
/// of the one before, and no challenge comes twice.
#[test]
fn challenges_are_random() {
    const COUNT: usize = 100_000;
    let mut random = Random::new(*b"thirty-two octets of the kernel!");
    let challenges: Vec<[u8; 16]> = (0..COUNT).map(|_| random.bytes()).collect();
    let mut worst: f64 = 0.0;
    for place in 0..16 {
        let (mut octets, mut follow) = (vec![0; 256], vec![0; 256]);
        for pair in challenges.windows(2) {
            octets[usize::from(pair[0][place])] += 1;
            follow[usize::from(pair[0][place] ^ pair[1][place])] += 1;
        }
        worst = worst.max(surprise(&octets).abs()).max(surprise(&follow).abs());
    }
    println!("{COUNT} challenges: chi-square at most {worst:.1} deviations from the usual");
    assert!(worst < 5.0);
    let mut sorted = challenges.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), COUNT, "a challenge came twice");
    // Servers whose seeds differ by one bit have nothing in common.
    let first = |bit: usize| {
        let mut seed = [0; 32];
        seed[bit / 8] ^= 1 << (bit % 8);
        Random::new(seed).bytes::<16>()
    };
    let mut firsts: Vec<_> = (0..256).map(first).collect();
    firsts.sort();
    firsts.dedup();
    assert_eq!(firsts.len(), 256);
}

/// The Call IDs of calls that come and go: the part that is not the slot is evenly spread, and the
/// next one cannot be told from the last.
#[test]
fn call_ids_are_random() {
    const COUNT: usize = 20_000;
    const BITS: u32 = 10;
    let (mut parts, mut steps) = (vec![0; 1 << BITS], vec![0; 1 << BITS]);
    in_world(config_of_many(1), 1, |world| {
        let mut last = 0;
        for _ in 0..COUNT {
            let at = world.scripted(1);
            let part = usize::from(world.callers[at].calls[0].server_id >> (16 - BITS));
            parts[part] += 1;
            steps[part.wrapping_sub(last) % (1 << BITS)] += 1;
            last = part;
            let now = world.now;
            world.callers[at].hang_up(now);
            world.run(50);
            world.callers.clear();
        }
    });
    let (part, step) = (surprise(&parts), surprise(&steps));
    println!("{COUNT} Call IDs: chi-square {part:.1}, of their distances {step:.1} deviations");
    assert!(part.abs() < 5.0 && step.abs() < 5.0);
}

/// Guesses at every account from ten thousand addresses: nothing grows, nobody gets in, callers who
/// were there before get in at once, and so does a new one of an account that nobody attacks.
#[test]
fn a_dictionary_from_ten_thousand_addresses() {
    const ADDRESSES: u32 = 10_000;
    let config = config_of_many(16);
    in_world(config, 1, |world| {
        let home = Ipv4Addr::new(192, 0, 2, 7);
        let owner = dial_from(world, home, "user0", PASSWORD);
        world.run_until(10_000, |world| world.is_open(owner));
        assert!(world.is_open(owner));
        world.callers[owner].hang_up(world.now);
        world.run(1_000);
        world.callers.clear();
        let began = Instant::now();
        let mut most = 0;
        for address in 0..ADDRESSES {
            let user = format!("user{}", address % 15);
            let source = Ipv4Addr::from_bits(0x0a00_0000 + address);
            dial_from(world, source, &user, &format!("guess-{address}"));
            if address % 20 == 19 {
                world.run(30);
                most = most.max(world.live());
                world.run(170);
                world.callers.retain(|caller| caller.id.is_some());
            }
        }
        println!("{ADDRESSES} addresses: {most} calls at once, {:?} in all", began.elapsed());
        assert!((10..=32 + 32).contains(&most), "{most}");
        let got_in = world.events.iter().filter(|it| matches!(it.step, Step::LoggedIn { .. }));
        assert_eq!(got_in.count(), 1, "the owner's own");
        for (source, user) in [(home, "user0"), (Ipv4Addr::new(192, 0, 2, 8), "user15")] {
            let at = dial_from(world, source, user, PASSWORD);
            assert!(world.run_until(10_000, |world| world.is_open(at)), "{user} is kept out");
        }
    });
}
