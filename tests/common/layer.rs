//! Option negotiation as callers do it: two flags and a timer, in the manner of pppd's fsm.c and
//! apart from the server's automaton.

use pptp::time::Instant;

use super::habits::Habits;

/// A configuration option: type and data.
pub type Choice = (u8, Vec<u8>);

pub const REQUEST: u8 = 1;
pub const ACK: u8 = 2;
pub const NAK: u8 = 3;
pub const REJECT: u8 = 4;
pub const TERMINATE: u8 = 5;
pub const TERMINATE_ACK: u8 = 6;

/// Requests without an answer before a caller gives up.
const TRIES: u8 = 10;
/// Naks and Rejects in a row before a caller gives up.
const REFUSALS: u8 = 10;

/// What a caller says to a Configure-Request.
pub enum Judgement {
    Good,
    Nak(Vec<Choice>),
    Reject(Vec<Choice>),
}

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saw {
    Nothing,
    Up,
    /// It was open and negotiates again.
    Down,
    /// The other side terminated.
    Terminated,
    GaveUp,
}

/// Octets of a PPP frame with address and control field.
pub fn frame(protocol: u16, code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let mut octets = vec![0xff, 0x03];
    octets.extend_from_slice(&protocol.to_be_bytes());
    octets.extend_from_slice(&[code, identifier]);
    octets.extend_from_slice(&(data.len() as u16 + 4).to_be_bytes());
    octets.extend_from_slice(data);
    octets
}

pub fn encoded(choices: &[Choice]) -> Vec<u8> {
    let option = |(kind, data): &Choice| [&[*kind, data.len() as u8 + 2], &data[..]].concat();
    choices.iter().flat_map(option).collect()
}

/// The options in `data`; a server must not send malformed ones.
pub fn decoded(mut data: &[u8]) -> Vec<Choice> {
    let mut choices = Vec::new();
    while !data.is_empty() {
        let len = usize::from(data[1]);
        choices.push((data[0], data[2..len].to_vec()));
        data = &data[len..];
    }
    choices
}

/// One protocol's negotiation.
pub struct Layer {
    protocol: u16,
    pub wishes: Vec<Choice>,
    restart_ms: u64,
    /// A repeated request has the same identifier.
    keeps_identifier: bool,
    pub started: bool,
    identifier: u8,
    waits: bool,
    /// The server acknowledged our request.
    agreed: bool,
    /// We acknowledged the server's.
    consented: bool,
    tries: u8,
    refusals: u8,
    pub restart_at: Option<Instant>,
}

impl Layer {
    pub fn new(protocol: u16, wishes: Vec<Choice>, habits: &Habits) -> Layer {
        Layer {
            protocol,
            wishes,
            restart_ms: habits.restart_ms,
            keeps_identifier: habits.keeps_identifier,
            started: false,
            identifier: 0,
            waits: false,
            agreed: false,
            consented: false,
            tries: 0,
            refusals: 0,
            restart_at: None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.agreed && self.consented
    }

    pub fn start(&mut self, identifiers: &mut u8, now: Instant, out: &mut Vec<Vec<u8>>) {
        (self.started, self.agreed, self.consented, self.tries) = (true, false, false, 0);
        self.request(identifiers, now, out);
    }

    pub fn stop(&mut self) {
        (self.started, self.agreed, self.consented) = (false, false, false);
        self.restart_at = None;
    }

    fn request(&mut self, identifiers: &mut u8, now: Instant, out: &mut Vec<Vec<u8>>) {
        self.identifier = *identifiers;
        *identifiers = identifiers.wrapping_add(1);
        self.request_again(now, out);
    }

    fn request_again(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        self.waits = true;
        self.tries += 1;
        self.restart_at = Some(now + self.restart_ms);
        out.push(frame(self.protocol, REQUEST, self.identifier, &encoded(&self.wishes)));
    }

    /// The timer: the request goes out again, and an Ack for the one before no longer counts.
    pub fn handle_timeout(
        &mut self,
        identifiers: &mut u8,
        now: Instant,
        out: &mut Vec<Vec<u8>>,
    ) -> Saw {
        if self.restart_at.is_none_or(|at| at > now) {
            return Saw::Nothing;
        }
        if self.tries >= TRIES {
            self.stop();
            return Saw::GaveUp;
        }
        self.agreed = false;
        match self.keeps_identifier {
            true => self.request_again(now, out),
            false => self.request(identifiers, now, out),
        }
        Saw::Nothing
    }

    /// A Configure-Request of the server and what we think of it.
    pub fn requested(
        &mut self,
        (identifier, data): (u8, &[u8]),
        judgement: Judgement,
        identifiers: &mut u8,
        now: Instant,
        out: &mut Vec<Vec<u8>>,
    ) -> Saw {
        let was_open = self.is_open();
        if was_open {
            self.agreed = false;
            self.tries = 0;
            self.request(identifiers, now, out);
        }
        let (code, answer) = match judgement {
            Judgement::Good => (ACK, data.to_vec()),
            Judgement::Nak(choices) => (NAK, encoded(&choices)),
            Judgement::Reject(choices) => (REJECT, encoded(&choices)),
        };
        self.consented = code == ACK;
        out.push(frame(self.protocol, code, identifier, &answer));
        if was_open { Saw::Down } else { self.up() }
    }

    /// Whether an answer is the first to the last request; late and doubled ones are not.
    pub fn is_answer(&mut self, identifier: u8) -> bool {
        let is_answer = self.waits && identifier == self.identifier;
        self.waits &= !is_answer;
        is_answer
    }

    /// The request was acknowledged, and rightly so.
    pub fn acknowledged(&mut self, data: &[u8]) -> Saw {
        assert_eq!(data, encoded(&self.wishes), "Ack of something else");
        (self.agreed, self.tries, self.refusals) = (true, 0, 0);
        self.up()
    }

    /// The request was refused; the wishes are other ones now.
    pub fn refused(&mut self, identifiers: &mut u8, now: Instant, out: &mut Vec<Vec<u8>>) -> Saw {
        self.refusals += 1;
        if self.refusals > REFUSALS {
            self.stop();
            return Saw::GaveUp;
        }
        (self.agreed, self.tries) = (false, 0);
        self.request(identifiers, now, out);
        Saw::Nothing
    }

    fn up(&mut self) -> Saw {
        if !self.is_open() {
            return Saw::Nothing;
        }
        self.restart_at = None;
        Saw::Up
    }
}
