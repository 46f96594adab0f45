//! `pptp-bench PART ARGUMENT...`: packets through parts of the server, for counting instructions.
//!
//! `seal|open|up|caller|down OCTETS COUNT`: two runs with different counts tell what one packet costs.
//! `seal`, and `open` with the `seal` before it, are MPPE alone; `down` is the whole library with a packet
//! from the LAN to a caller, `up` with a caller's packet to the LAN and what the caller does itself,
//! `caller` that alone.
//!
//! `calls-up|calls-down CALLS BURST COUNT`, `line CALLS LOSS LATE COUNT`, `idle CALLS SECONDS`: only what is
//! done in the module `counted` is to be counted. Printed is what it is to be divided by: packets that
//! arrived, or calls and seconds.
//!
//! `sizes CALLS`: octets that so many calls take, and the rest of the server's memory.

#[allow(dead_code)] // the tests use the rest
#[path = "../../common/mod.rs"]
mod common;
mod counted;
mod crowd;
mod mppe;
mod scale;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (part, rest) = words.split_first().expect("a part");
    let numbers: Vec<usize> = rest.iter().map(|word| word.parse().expect("a number")).collect();
    match (part.as_str(), &numbers[..]) {
        ("seal", &[octets, count]) => mppe::seal(octets, count),
        ("open", &[octets, count]) => mppe::open(octets, count),
        ("down", &[octets, count]) => mppe::down(octets, count),
        ("up", &[octets, count]) => mppe::up(octets, count, true),
        ("caller", &[octets, count]) => mppe::up(octets, count, false),
        ("calls-up", &[calls, burst, count]) => scale::up(calls, burst, [0, 0], count),
        ("calls-down", &[calls, burst, count]) => scale::down(calls, burst, count),
        ("line", &[calls, loss, late, count]) => scale::up(calls, 1, [loss, late], count),
        ("idle", &[calls, seconds]) => scale::idle(calls, seconds),
        ("sizes", &[calls]) => scale::sizes(calls),
        _ => panic!("no such part: {words:?}"),
    }
}
