//! One PPP link through the phases of RFC 1661 section 3: establish, authenticate, network,
//! terminate. The network phase stands in `network.rs`, the timers in `keepalive.rs`.

use heapless::Vec;

use crate::config::Mppe;
use crate::proto::automaton::State;
use crate::proto::ccp::{Ccp, Policy};
use crate::proto::chap::{Answer, Chap};
use crate::proto::frames::Outlet;
use crate::proto::ipcp::{Addresses, Ipcp};
use crate::proto::ipv6cp::Ipv6cp;
use crate::proto::lcp::Lcp;
use crate::proto::mppe::{Decryptor, Encryptor, Method};
use crate::proto::negotiator::{Change, Negotiator};
use crate::random::Random;
use crate::reason::{Cause, Discard};
use crate::time::Instant;
use crate::wire::chap::{self, Response};
use crate::wire::lcp;
use crate::wire::ppp::{ControlPacket, protocol};

use super::login::Proof;
use super::network::Unread;

/// Milliseconds between the Failure of an authentication and our Terminate-Request: time for the
/// peer to read the one before it sees the other.
const FAILURE_GRACE_MS: u64 = 1000;
/// Octets of an IPCP packet that waits for CCP.
const HELD_IPCP: usize = 96;
/// Octets of an IPV6CP packet that waits for CCP: a request with its one option, and some.
const HELD_IPV6CP: usize = 32;

/// Phases (RFC 1661 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Establish,
    Authenticate,
    Network,
    Terminate,
}

/// What the server must know after a step of the link.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'p> {
    /// Nothing.
    None,
    /// The peer answered the challenge: check it, then call `login` or `refuse_login`.
    Login(Response<'p>),
    /// LCP opened.
    Established,
    /// Encryption is on.
    Encrypted,
    /// The network phase is open: packets may pass.
    Open,
    /// Packets may not pass any more; the link lives.
    Closed,
    /// The link is over.
    Ended(Cause),
}

/// How a link is to be run, from the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Octets that we ask the peer to keep its packets to.
    pub mru: u16,
    pub mppe: Mppe,
    pub policy: Policy,
    /// Milliseconds of silence before an echo; 0 is never.
    pub echo_interval: u64,
    /// Unanswered echoes that end the call.
    pub echo_failures: u8,
    /// Whether IPV6CP is agreed to.
    pub ipv6: bool,
}

/// What every step needs besides the link itself.
pub struct Turn<'t, 'f, 'a> {
    pub out: Outlet<'f, 'a>,
    pub random: &'t mut Random,
    pub now: Instant,
}

/// A PPP link.
pub struct Link {
    pub(super) rules: Rules,
    pub(super) phase: Phase,
    pub(super) lcp: Negotiator<Lcp>,
    pub(super) chap: Chap,
    pub(super) ccp: Negotiator<Ccp>,
    pub(super) ipcp: Option<Negotiator<Ipcp>>,
    pub(super) ipv6cp: Option<Negotiator<Ipv6cp>>,
    pub(super) proof: Option<Proof>,
    pub(super) encryptor: Option<Encryptor>,
    pub(super) decryptor: Option<Decryptor>,
    /// The peer's last IPCP packet, which came before encryption was on.
    pub(super) held_ipcp: Vec<u8, HELD_IPCP>,
    /// The same of IPV6CP.
    pub(super) held_ipv6cp: Vec<u8, HELD_IPV6CP>,
    identifier: u8,
    pub(super) heard_at: Instant,
    pub(super) asked_at: Instant,
    pub(super) unanswered: u8,
    /// When CCP begins even if the peer has not.
    pub(super) ccp_at: Option<Instant>,
    /// When to send the next Reset-Request, and milliseconds from that one to its next.
    pub(super) reset_at: Option<Instant>,
    pub(super) reset_pause: u64,
    pub(super) unread: Unread,
    pub(super) terminate_at: Option<Instant>,
    cause: Option<Cause>,
}

impl Link {
    /// A link that has not sent anything. `name` is ours, for CHAP.
    pub fn new(rules: Rules, name: &str, magic: u32, now: Instant) -> Link {
        Link {
            rules,
            phase: Phase::Establish,
            lcp: Negotiator::new(Lcp::new(rules.mru, magic)),
            chap: Chap::new(name),
            ccp: Negotiator::new(Ccp::new(rules.policy)),
            ipcp: None,
            ipv6cp: None,
            proof: None,
            encryptor: None,
            decryptor: None,
            held_ipcp: Vec::new(),
            held_ipv6cp: Vec::new(),
            identifier: 0,
            heard_at: now,
            asked_at: now,
            unanswered: 0,
            ccp_at: None,
            reset_at: None,
            reset_pause: 0,
            unread: Unread::default(),
            terminate_at: None,
            cause: None,
        }
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The challenge that the peer answers.
    pub fn challenge(&self) -> &[u8; 16] {
        self.chap.challenge()
    }

    /// LCP's side of the negotiation: sizes and header compression of what is sent.
    pub fn lcp(&self) -> &Lcp {
        &self.lcp.protocol
    }

    /// How packets to the peer are encrypted, if they are.
    pub fn send_method(&self) -> Option<Method> {
        self.encryptor.as_ref().and(self.ccp.protocol.send())
    }

    /// How packets from the peer are encrypted, if they are.
    pub fn receive_method(&self) -> Option<Method> {
        self.decryptor.as_ref().and(self.ccp.protocol.receive())
    }

    /// Why the link ends, once it does.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Why the call ends if the caller leaves now, which by itself would be for `cause`: a caller
    /// that leaves while encryption is required and not agreed on does so for that.
    pub fn cause_if_left(&self, cause: Cause) -> Cause {
        let unencrypted = self.phase == Phase::Network && !self.is_encrypted_enough();
        let likely = if unencrypted { Cause::EncryptionRefused } else { cause };
        self.cause.unwrap_or(likely)
    }

    /// Whether inner packets may pass: IPCP is open, and encryption is on if it must be.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Network
            && self.ipcp.as_ref().is_some_and(Negotiator::is_open)
            && self.is_encrypted_enough()
    }

    pub(super) fn is_encrypted_enough(&self) -> bool {
        let encrypted = self.encryptor.is_some() && self.decryptor.is_some();
        encrypted || self.rules.mppe != Mppe::Required
    }

    /// Sends the first Configure-Request.
    pub fn start(&mut self, turn: &mut Turn) {
        self.lcp.open(&mut turn.out, turn.now);
    }

    /// A frame that is not an inner packet.
    pub fn handle<'p>(
        &mut self,
        number: u16,
        information: &'p [u8],
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        if !matches!(number, protocol::LCP | protocol::CHAP) {
            self.chap.settle();
        }
        if !self.speaks(number) {
            return self.reject_protocol(number, information, turn);
        }
        let packet = ControlPacket::parse(information).map_err(|_| Discard::PppFrame)?;
        match (number, self.phase) {
            (protocol::LCP, _) => self.handle_lcp(&packet, turn),
            (protocol::CHAP, Phase::Authenticate | Phase::Network) => {
                self.handle_chap(&packet, turn)
            }
            (protocol::CCP, Phase::Network) if self.rules.mppe == Mppe::Off => {
                self.reject_protocol(number, information, turn)
            }
            (protocol::CCP, Phase::Network) => self.handle_ccp(&packet, turn),
            (protocol::IPCP, Phase::Network) => self.handle_ipcp(&packet, information, turn),
            (protocol::IPV6CP, Phase::Network) => self.handle_ipv6cp(&packet, information, turn),
            _ => Err(Discard::PppPhase),
        }
    }

    fn speaks(&self, number: u16) -> bool {
        let is_known =
            matches!(number, protocol::LCP | protocol::CHAP | protocol::CCP | protocol::IPCP);
        is_known || number == protocol::IPV6CP && self.rules.ipv6
    }

    /// An unknown protocol is answered by Protocol-Reject once LCP is open (RFC 1661 section 5.7).
    fn reject_protocol<'p>(
        &mut self,
        number: u16,
        information: &[u8],
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        if !self.lcp.is_open() {
            return Err(Discard::PppPhase);
        }
        let head = (lcp::code::PROTOCOL_REJECT, self.next_identifier());
        turn.out.reject(protocol::LCP, head, &number.to_be_bytes(), information);
        Err(Discard::PppProtocol)
    }

    pub(super) fn next_identifier(&mut self) -> u8 {
        self.identifier = self.identifier.wrapping_add(1);
        self.identifier
    }

    fn handle_lcp<'p>(
        &mut self,
        packet: &ControlPacket,
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        match packet.code {
            lcp::code::PROTOCOL_REJECT => self.handle_protocol_reject(packet, turn),
            lcp::code::ECHO_REQUEST => self.answer_echo(packet, turn),
            // The reply was heard, which is all that it is for. The others are information that a
            // tunnel has no use for; a Code-Reject would confuse Windows.
            lcp::code::ECHO_REPLY
            | lcp::code::DISCARD_REQUEST
            | lcp::code::IDENTIFICATION
            | lcp::code::TIME_REMAINING => Ok(Outcome::None),
            _ => {
                let change = self.lcp.handle(packet, &mut turn.out, turn.now)?;
                Ok(self.after_lcp(change, false, turn))
            }
        }
    }

    /// Repeats the data that was really received, never more (RFC 1661 section 5.8).
    fn answer_echo<'p>(
        &mut self,
        packet: &ControlPacket,
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        if !self.lcp.is_open() {
            return Err(Discard::PppPhase);
        }
        let data = packet.data.get(4..).ok_or(Discard::PppFrame)?;
        let (magic, code) = (self.lcp.protocol.magic(), lcp::code::ECHO_REPLY);
        turn.out.control(protocol::LCP, code, packet.identifier, |writer| {
            writer.u32(magic);
            writer.put(data);
        });
        Ok(Outcome::None)
    }

    fn handle_protocol_reject<'p>(
        &mut self,
        packet: &ControlPacket,
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        let [high, low, ..] = *packet.data else { return Err(Discard::PppFrame) };
        match (u16::from_be_bytes([high, low]), self.phase) {
            (protocol::CHAP, Phase::Authenticate) => Ok(self.end(Cause::AuthRefused, turn)),
            (protocol::CCP, Phase::Network) => {
                let change = self.ccp.protocol_rejected(&mut turn.out, turn.now);
                Ok(self.after_ccp(change, false, turn))
            }
            (protocol::IPCP, Phase::Network) => Ok(self.end(Cause::NetworkRefused, turn)),
            (protocol::IPV6CP, Phase::Network) => Ok(self.ipv6cp_refused(turn)),
            _ => Ok(Outcome::None),
        }
    }

    pub(super) fn after_lcp<'p>(
        &mut self,
        change: Change,
        by_timer: bool,
        turn: &mut Turn,
    ) -> Outcome<'p> {
        let was_open = self.is_open();
        let if_left = self.cause_if_left(Cause::PeerTerminated);
        if change.down && self.phase != Phase::Terminate {
            self.leave_network();
            self.phase = Phase::Establish;
        }
        if change.up {
            return self.established(turn);
        }
        if change.late && self.phase == Phase::Authenticate {
            self.chap.start_over(&mut turn.out, turn.now);
        }
        if change.finished {
            return Outcome::Ended(self.lcp_cause(by_timer));
        }
        if self.lcp.state() == State::Stopping && self.cause.is_none() {
            // The peer's Terminate-Request was acknowledged.
            self.phase = Phase::Terminate;
            self.cause = Some(if_left);
            return Outcome::None;
        }
        if was_open && !self.is_open() { Outcome::Closed } else { Outcome::None }
    }

    fn established<'p>(&mut self, turn: &mut Turn) -> Outcome<'p> {
        if self.phase == Phase::Terminate {
            // A new start does not undo a refusal.
            return self.end(self.lcp_cause(false), turn);
        }
        self.phase = Phase::Authenticate;
        self.asked_at = turn.now;
        self.chap.start(turn.random.bytes(), &mut turn.out, turn.now);
        Outcome::Established
    }

    pub(super) fn lcp_cause(&self, by_timer: bool) -> Cause {
        match self.cause {
            Some(cause) => cause,
            None if self.lcp.protocol.refuses_authentication => Cause::AuthRefused,
            None if by_timer => Cause::LcpTimeout,
            None => Cause::LcpRefused,
        }
    }

    /// Wipes all keys, in place.
    pub fn forget_keys(&mut self) {
        (self.encryptor, self.decryptor, self.proof) = (None, None, None);
    }

    /// LCP went down under an open link: everything above starts anew, with new keys.
    fn leave_network(&mut self) {
        self.forget_keys();
        (self.ipcp, self.ipv6cp) = (None, None);
        self.ccp = Negotiator::new(Ccp::new(self.rules.policy));
        self.held_ipcp.clear();
        self.held_ipv6cp.clear();
        (self.ccp_at, self.reset_at) = (None, None);
    }

    fn handle_chap<'p>(
        &mut self,
        packet: &ControlPacket<'p>,
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        match self.chap.handle(packet, &mut turn.out, turn.now)? {
            Answer::Response(response) => Ok(Outcome::Login(response)),
            Answer::None => Ok(Outcome::None),
        }
    }

    /// The answer was right: tells the peer and opens the network phase. IPCP waits for `assign`.
    pub fn login(&mut self, proof: Proof, flags: u8, addresses: Addresses, turn: &mut Turn) {
        self.chap.succeed(proof.authenticator, flags, &mut turn.out, turn.now);
        self.phase = Phase::Network;
        self.proof = Some(proof);
        self.ipv6cp = self.rules.ipv6.then(|| Negotiator::new(Ipv6cp::new(addresses.peer)));
        if self.rules.mppe != Mppe::Off {
            self.start_ccp(turn);
        }
    }

    /// The answer was right, but there is no place: tells the peer, and terminates.
    pub fn login_without_place(&mut self, proof: &Proof, flags: u8, cause: Cause, turn: &mut Turn) {
        self.chap.succeed(proof.authenticator, flags, &mut turn.out, turn.now);
        self.end_after_grace(cause, turn.now);
    }

    /// The answer was wrong, or must not count now: tells the peer, and terminates a moment later.
    pub fn refuse_login(&mut self, cause: Cause, turn: &mut Turn) {
        let error = match cause {
            Cause::Hours | Cause::ClockNotSet => chap::RESTRICTED_LOGON_HOURS,
            _ => chap::AUTHENTICATION_FAILURE,
        };
        self.chap.fail(error, &mut turn.out);
        self.end_after_grace(cause, turn.now);
    }

    fn end_after_grace(&mut self, cause: Cause, now: Instant) {
        self.cause = Some(cause);
        self.phase = Phase::Terminate;
        self.terminate_at = Some(now + FAILURE_GRACE_MS);
    }

    /// Says goodbye for `cause`. A link whose LCP is not open has nobody to say it to, and is over
    /// at once.
    pub fn end<'p>(&mut self, cause: Cause, turn: &mut Turn) -> Outcome<'p> {
        let cause = *self.cause.get_or_insert(cause);
        self.terminate_at = None;
        self.phase = Phase::Terminate;
        if !self.lcp.is_open() {
            return Outcome::Ended(cause);
        }
        let change = self.lcp.close(farewell(cause), &mut turn.out, turn.now);
        if change.finished { Outcome::Ended(cause) } else { Outcome::None }
    }
}

/// What our Terminate-Request says; it stands in the caller's log, so no name is in it.
fn farewell(cause: Cause) -> &'static str {
    match cause {
        Cause::Shutdown => "server is stopping",
        Cause::EncryptionRefused | Cause::EncryptionTimeout => "MPPE encryption is required",
        Cause::KeysLost => "encryption keys are out of step",
        Cause::PoolExhausted => "no address is free",
        Cause::Replaced => "the account called from elsewhere",
        Cause::AccountChanged | Cause::Disconnected => "disconnected by the administrator",
        Cause::Hours | Cause::ClockNotSet => "not allowed at this time",
        Cause::IdleTimeout => "idle for too long",
        Cause::SessionTimeout => "the time is over",
        _ => "",
    }
}
