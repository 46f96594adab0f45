//! The authenticator's side of CHAP (RFC 1994 section 4) with MS-CHAPv2 (RFC 2759): asks, takes
//! one answer, tells the result. Whether the answer is right is decided above, where the accounts
//! are.

use super::frames::Outlet;
use crate::limits::HOST_NAME;
use crate::reason::Discard;
use crate::time::Instant;
use crate::wire::chap::{Response, code, put_challenge, put_failure, put_success};
use crate::wire::ppp::{ControlPacket, protocol};
use heapless::String;

/// Milliseconds between two Challenges, or two Successes.
const RESTART_MS: u64 = 3000;
/// Challenges without an answer before giving up, and Successes without an effect.
const MAX_SENT: u8 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// A Challenge is out.
    Asked,
    /// A Response is with the layer above.
    Answered,
    Succeeded {
        authenticator: [u8; 20],
        with_text: bool,
    },
    Failed,
}

/// The authentication of one call.
pub struct Chap {
    state: State,
    name: String<HOST_NAME>,
    challenge: [u8; 16],
    identifier: u8,
    /// Challenges or Successes sent.
    sent: u8,
    restart_at: Option<Instant>,
}

/// What the layer above must know after a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<'p> {
    /// Nothing.
    None,
    /// The peer's Response, to be checked against its account.
    Response(Response<'p>),
}

impl Chap {
    /// `name` is what our Challenges say we are; some peers insist that it is not empty.
    pub fn new(name: &str) -> Chap {
        let name = String::try_from(name).unwrap_or_default();
        Chap {
            state: State::Idle,
            name,
            challenge: [0; 16],
            identifier: 0,
            sent: 0,
            restart_at: None,
        }
    }

    /// The challenge that is out.
    pub fn challenge(&self) -> &[u8; 16] {
        &self.challenge
    }

    /// Whether the peer has proved itself.
    pub fn has_succeeded(&self) -> bool {
        matches!(self.state, State::Succeeded { .. })
    }

    /// When `handle_timeout` wants to be called.
    pub fn restart_at(&self) -> Option<Instant> {
        self.restart_at
    }

    /// Asks with a fresh challenge, which must be unpredictable.
    pub fn start(&mut self, challenge: [u8; 16], out: &mut Outlet, now: Instant) {
        self.state = State::Asked;
        self.challenge = challenge;
        self.identifier = self.identifier.wrapping_add(1);
        self.sent = 0;
        self.ask(out, now);
    }

    /// The restart timer, when it is due: asks again; false when it was asked often enough. A
    /// Success is repeated, too: pppd sends its Response once and waits for ever if that was lost.
    pub fn handle_timeout(&mut self, out: &mut Outlet, now: Instant) -> bool {
        if !crate::time::due(self.restart_at, now) {
            return true;
        }
        self.restart_at = None;
        let goes_on = self.sent < MAX_SENT;
        match self.state {
            State::Asked if goes_on => self.ask(out, now),
            State::Asked => return false,
            State::Succeeded { .. } if goes_on => self.send_success(out, now),
            _ => {}
        }
        true
    }

    /// The peer could not hear the Challenges so far.
    pub fn start_over(&mut self, out: &mut Outlet, now: Instant) {
        if matches!(self.state, State::Asked) {
            self.sent = 0;
            self.ask(out, now);
        }
    }

    /// The peer has gone on: it knows of its success.
    pub fn settle(&mut self) {
        if self.has_succeeded() {
            self.restart_at = None;
        }
    }

    /// A CHAP packet. A Response that comes again since our Success was lost gets it again.
    pub fn handle<'p>(
        &mut self,
        packet: &ControlPacket<'p>,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Answer<'p>, Discard> {
        if packet.code != code::RESPONSE {
            return Err(Discard::PppCode);
        }
        if packet.identifier != self.identifier {
            return Err(Discard::PppIdentifier);
        }
        let response = Response::parse(packet.data).map_err(|_| Discard::PppFrame)?;
        match self.state {
            State::Asked => {
                self.state = State::Answered;
                self.restart_at = None;
                Ok(Answer::Response(response))
            }
            State::Succeeded { .. } => {
                self.send_success(out, now);
                Ok(Answer::None)
            }
            State::Idle | State::Answered | State::Failed => Err(Discard::PppIdentifier),
        }
    }

    /// The answer was right. `flags` are those of the Response: Windows 9x sends 4 and does not
    /// understand a text behind the authenticator response.
    pub fn succeed(&mut self, authenticator: [u8; 20], flags: u8, out: &mut Outlet, now: Instant) {
        self.state = State::Succeeded { authenticator, with_text: flags == 0 };
        self.sent = 0;
        self.send_success(out, now);
    }

    /// The answer is refused for `error`, whatever it was: there is no second try (R=0).
    pub fn fail(&mut self, error: u16, out: &mut Outlet) {
        self.state = State::Failed;
        let challenge = self.challenge;
        out.control(protocol::CHAP, code::FAILURE, self.identifier, |writer| {
            put_failure(writer, error, &challenge, "Access denied");
        });
    }

    fn ask(&mut self, out: &mut Outlet, now: Instant) {
        self.sent += 1;
        self.restart_at = Some(now + RESTART_MS);
        let (challenge, name) = (&self.challenge, self.name.as_bytes());
        out.control(protocol::CHAP, code::CHALLENGE, self.identifier, |writer| {
            put_challenge(writer, challenge, name);
        });
    }

    fn send_success(&mut self, out: &mut Outlet, now: Instant) {
        let State::Succeeded { authenticator, with_text } = &self.state else { return };
        self.sent = self.sent.saturating_add(1);
        self.restart_at = Some(now + RESTART_MS);
        let text = with_text.then_some("Welcome");
        out.control(protocol::CHAP, code::SUCCESS, self.identifier, |writer| {
            put_success(writer, authenticator, text);
        });
    }
}
