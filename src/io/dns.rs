//! Whether the DNS servers that callers are told of answer: for the self-check, which asks twice.
//! The first time the questions go out, and whoever comes later gets to know what came back.

use std::net::{Ipv4Addr, UdpSocket};

use pptp::time::Instant;

/// Milliseconds that a server may take.
const WAIT_MS: u64 = 2000;
/// Milliseconds after which servers are asked anew.
const AGAIN_MS: u64 = 15_000;

/// A question for the name servers of the root, which every server knows or asks for (RFC 1035
/// section 4.1). There is nothing in the answer that would be worth a forgery.
const QUESTION: [u8; 17] = [0x50, 0x50, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
/// In the fourth octet of the answer: the server does not want to (section 4.1.1).
const REFUSED: u8 = 5;

/// One server.
struct Probe {
    server: Ipv4Addr,
    socket: Option<UdpSocket>,
    state: &'static str,
}

/// All servers.
#[derive(Default)]
pub struct Probes {
    asked: Option<Instant>,
    probes: Vec<Probe>,
}

impl Probes {
    /// Asks if the last time is long ago or was about others; hands each server and what is known
    /// of it to `each`: `asked`, `answers`, `refuses`, `silent`, `unreachable`.
    pub fn check(
        &mut self,
        servers: &[Ipv4Addr],
        now: Instant,
        mut each: impl FnMut(Ipv4Addr, &'static str),
    ) {
        let is_old = self.asked.is_none_or(|asked| now.since(asked) > AGAIN_MS);
        if is_old || !self.probes.iter().map(|probe| &probe.server).eq(servers) {
            self.asked = Some(now);
            self.probes = servers.iter().map(|server| ask(*server)).collect();
        }
        let is_late = self.asked.is_some_and(|asked| now.since(asked) > WAIT_MS);
        for probe in &mut self.probes {
            probe.hear(is_late);
            each(probe.server, probe.state);
        }
    }
}

fn ask(server: Ipv4Addr) -> Probe {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect((server, 53))?;
        socket.send(&QUESTION).map(|_| socket)
    });
    let state = if socket.is_ok() { "asked" } else { "unreachable" };
    Probe { server, socket: socket.ok(), state }
}

impl Probe {
    /// Takes the answer, if it came.
    fn hear(&mut self, is_late: bool) {
        let Some(socket) = &self.socket else { return };
        let mut answer = [0; 12];
        self.state = match socket.recv(&mut answer) {
            Ok(12) if answer[3] & 15 == REFUSED => "refuses",
            Ok(12) if answer[..2] == QUESTION[..2] => "answers",
            Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => "unreachable",
            _ if is_late => "silent",
            _ => return,
        };
        self.socket = None;
    }
}
