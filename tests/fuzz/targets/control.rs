//! The octets of a control connection through the whole server: cut anywhere they mean the same,
//! and what is answered are whole messages.

use std::net::Ipv4Addr;

use pptp::limits::CONTROL_OUTPUT;
use pptp::session::{ControlId, Event, Server};
use pptp::time::Instant;
use pptp::wire::pptp::Header;

use super::common::caller::parsed;
use super::common::world::{LOCAL, Memory, config};
use super::input::Input;

const REMOTE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const NOW: Instant = Instant(1000);

/// The octet in front says how long the pieces are.
pub fn control(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = usize::from(input.u8()) + 1;
    let stream = input.rest();
    let whole = run([stream].into_iter());
    let pieces = run(stream.chunks(cut));
    assert_eq!(whole, pieces);
    check(&whole.output);
}

/// What a server did.
#[derive(Debug, PartialEq)]
struct Seen {
    output: Vec<u8>,
    wants_close: bool,
    calls: Vec<u16>,
    events: Vec<Event>,
    frames: usize,
}

fn run<'d>(pieces: impl Iterator<Item = &'d [u8]>) -> Seen {
    let mut config = config();
    (config.max_sessions, config.max_connections) = (4, 2);
    let mut memory = Memory::of(&config);
    let mut server = Server::new(config, memory.storage(), [7; 32]);
    let id = server.handle_accept(LOCAL, REMOTE, NOW).expect("room");
    for piece in pieces {
        server.handle_control(id, piece, NOW);
        server.audit();
    }
    look(&mut server, id)
}

fn look(server: &mut Server, id: ControlId) -> Seen {
    let mut packet = pptp::packet::Packet::new();
    Seen {
        output: server.control_output(id).to_vec(),
        wants_close: server.wants_close(id),
        calls: server.sessions().map(|session| session.call_id).collect(),
        events: std::iter::from_fn(|| server.poll_event()).collect(),
        frames: std::iter::from_fn(|| server.poll_gre(&mut packet, NOW)).count(),
    }
}

fn check(mut output: &[u8]) {
    assert!(output.len() <= CONTROL_OUTPUT);
    while !output.is_empty() {
        let header = Header::parse(output).expect("our own message");
        let (message, rest) = output.split_at(usize::from(header.length));
        parsed(message);
        output = rest;
    }
}
