//! Parts for `tests/bench/run scale`: what more calls, a bad line and waiting cost.

use std::hint::black_box;
use std::mem::take;

use pptp::packet::Packet;
use pptp::session::{Alarm, Control, Frame, Held, Server, Session, Sizes};
use pptp::wire::gre::Header;

use crate::common::caller::gre_octets;
use crate::common::dice::Dice;
use crate::common::inner::numbered;
use crate::common::world::LAN;
use crate::counted;
use crate::crowd::{self, Crowd};

/// Octets of the inner packets: small ones, so that what is not encryption shows.
const OCTETS: usize = 64;

/// Packets that one turn of the program's loop takes, and the milliseconds between two turns.
const BUDGET: usize = 16;
const TURN_MS: u64 = 1;

/// Places by which a late packet of a caller comes too late.
const DEPTH: usize = 4;

/// Packets to the LAN, `burst` of them of one caller and then of the next. `line`: in percent, how many get
/// lost, and how many are late.
pub fn up(calls: usize, burst: usize, line: [usize; 2], count: usize) {
    crowd::with(calls, |crowd| {
        let packets = packets(crowd, burst, line, count);
        let (mut passed, arrived) = (0, packets.len());
        for turn in packets.chunks(BUDGET) {
            begin(crowd);
            for (number, octets) in turn {
                passed += arrive(crowd, *number, octets);
            }
            end(crowd);
        }
        assert!(passed >= arrived * 9 / 10, "{passed} of {arrived} came through");
        println!("{arrived}");
    });
}

/// The GRE packets of `count` inner packets, each with the number of its caller.
fn packets(
    crowd: &mut Crowd,
    burst: usize,
    [loss, late]: [usize; 2],
    count: usize,
) -> Vec<(usize, Vec<u8>)> {
    let (mut dice, calls) = (Dice::new(7), crowd.callers.len());
    let numbers = (0..count).map(|at| at / burst % calls);
    let mut packets: Vec<_> = numbers.map(|number| (number, sealed(crowd, number))).collect();
    packets.retain(|_| !dice.percent(loss as u64));
    for at in 0..packets.len().saturating_sub(DEPTH * calls) {
        if dice.percent(late as u64) {
            packets[at..=at + DEPTH * calls].rotate_left(1);
        }
    }
    packets
}

/// The next packet of a caller.
fn sealed(crowd: &mut Crowd, number: usize) -> Vec<u8> {
    let call = &mut crowd.callers[number].calls[0];
    let (call_id, sequence) = (call.server_id, call.next_sequence);
    call.next_sequence = sequence.wrapping_add(1);
    let ppp = call.model_mut();
    let address = ppp.address();
    ppp.send_ip(&numbered(address, LAN, sequence, OCTETS));
    let frame = take(&mut ppp.out).remove(0);
    let payload_length = frame.len() as u16;
    let header = Header { payload_length, call_id, sequence: Some(sequence), acknowledgment: None };
    gre_octets(&header, &frame)
}

fn arrive(crowd: &mut Crowd, number: usize, octets: &[u8]) -> usize {
    let Crowd { server, packet, now, callers } = crowd;
    packet.set(octets);
    let mut passed = usize::from(counted::gre(server, callers[number].address, packet, *now));
    while counted::released(server, packet, *now) {
        passed += 1;
    }
    passed
}

/// Packets of the LAN to all callers, in the same way.
pub fn down(calls: usize, burst: usize, count: usize) {
    crowd::with(calls, |crowd| {
        let addresses: Vec<_> =
            crowd.callers.iter_mut().map(|caller| caller.calls[0].model_mut().address()).collect();
        let inner: Vec<_> = addresses.iter().map(|&to| numbered(LAN, to, 1, OCTETS)).collect();
        let all: Vec<usize> = (0..count).map(|at| at / burst % calls).collect();
        for turn in all.chunks(BUDGET) {
            begin(crowd);
            for &number in turn {
                crowd.packet.set(&inner[number]);
                assert!(counted::tun(&mut crowd.server, &mut crowd.packet, crowd.now));
            }
            end(crowd);
        }
        println!("{count}");
    });
}

/// Nobody sends anything but what keeps calls alive: echoes and their answers.
pub fn idle(calls: usize, seconds: usize) {
    crowd::with(calls, |crowd| {
        let end = crowd.now + seconds as u64 * 1000;
        while let Some(at) = counted::deadline(&crowd.server).filter(|&at| at < end) {
            crowd.now = crowd.now.max(at);
            counted::timers(&mut crowd.server, crowd.now);
            while let Some(path) = counted::own(&mut crowd.server, &mut crowd.packet, crowd.now) {
                let number = crowd.answer(path);
                reply(crowd, number);
            }
            (0..calls).for_each(|number| while crowd.control(number, counted::control) {});
        }
        assert_eq!(crowd.server.sessions().count(), calls, "a call ended");
        println!("{}", calls * seconds);
    });
}

/// What a caller says to what has just arrived.
fn reply(crowd: &mut Crowd, number: usize) {
    let Crowd { server, packet, now, callers } = crowd;
    while let Some(octets) = callers[number].gre_up.receive(*now) {
        packet.set(&octets);
        counted::gre(server, callers[number].address, packet, *now);
    }
}

/// What the program takes at its start for so many calls and connections.
pub fn sizes(calls: usize) {
    let config = crowd::config_of(calls);
    let sizes = Sizes::of(&config);
    let octets = [
        size_of::<Server>(),
        size_of::<Session>() * sizes.sessions,
        size_of::<Control>() * sizes.controls,
        size_of::<Held>() * sizes.held,
        size_of::<Frame>() * sizes.frames,
        size_of::<Alarm>() * sizes.alarms,
        size_of::<u16>() * sizes.addresses,
    ];
    println!("{}", octets.iter().sum::<usize>());
}

fn begin(crowd: &mut Crowd) {
    crowd.now = crowd.now + TURN_MS;
    counted::timers(&mut crowd.server, crowd.now);
}

/// The end of a turn. Acknowledgments are not answered: these callers only send, or only receive.
fn end(crowd: &mut Crowd) {
    let Crowd { server, packet, now, .. } = crowd;
    while counted::own(server, packet, *now).is_some() {}
    while counted::released(server, packet, *now) {}
    black_box::<&Packet>(packet);
    counted::deadline(server);
}
