//! What the server's memory costs.

use std::mem::size_of;

use pptp::config::Config;
use pptp::session::{Alarm, Control, Frame, Held, Server, Session, Sizes};

/// The parts, with their sizes and how many there are.
fn parts(config: &Config) -> [(&'static str, usize, usize); 7] {
    let sizes = Sizes::of(config);
    [
        ("server", size_of::<Server>(), 1),
        ("calls", size_of::<Session>(), sizes.sessions),
        ("connections", size_of::<Control>(), sizes.controls),
        ("held packets", size_of::<Held>(), sizes.held),
        ("frames", size_of::<Frame>(), sizes.frames),
        ("addresses", size_of::<u16>(), sizes.addresses),
        ("alarms", size_of::<Alarm>(), sizes.alarms),
    ]
}

fn total(config: &Config) -> usize {
    parts(config).iter().map(|(_, size, count)| size * count).sum()
}

/// Resident memory is bounded to 2 MiB with 32 calls; this is the part of it that is the library's.
#[test]
fn memory_of_32_calls() {
    let config = Config::default();
    assert_eq!(config.max_sessions, 32);
    for (name, size, count) in parts(&config) {
        println!("{name:>12}: {count:3} of {size:5} octets: {:6}", size * count);
    }
    println!("       total: {} octets", total(&config));
    assert!(total(&config) < 512 * 1024);
}

/// A call more costs a call and its connection.
#[test]
fn memory_of_1024_calls() {
    let config = Config { max_sessions: 1024, max_connections: 1024, ..Config::default() };
    println!("1024 calls: {} octets", total(&config));
    assert!(total(&config) < 5 * 1024 * 1024);
}
