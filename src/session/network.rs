//! The network phase of a link: encryption by CCP and MPPE, addresses by IPCP, and what may pass.

use super::link::{Link, Outcome, Phase, Turn};
use crate::config::Mppe;
use crate::limits::{REKEYS_PER_SECOND, UNREAD_MS, UNREAD_PACKETS};
use crate::packet::Packet;
use crate::proto::automaton::State;
use crate::proto::ipcp::{Addresses, Ipcp};
use crate::proto::mppe::{Decryptor, Encryptor, Strength};
use crate::proto::mschap::wipe_stack;
use crate::proto::negotiator::{Change, ControlProtocol, Negotiator};
use crate::reason::{Cause, Discard};
use crate::time::Instant;
use crate::wire::ccp;
use crate::wire::ppp::{ControlPacket, Options, code, protocol};

/// Milliseconds from a Reset-Request (RFC 1962 section 3) to the next one while packets come that
/// cannot be read without it.
const RESET_MS: u64 = 500;
/// While none come the pause doubles, up to this: a peer that is gone is not asked twice a second.
const RESET_PAUSE_MS: u64 = 16_000;

/// Milliseconds that a peer has to begin CCP where weak keys are allowed.
const CCP_WAIT_MS: u64 = 1000;

/// Encrypted packets that could not be read since the last one that could.
#[derive(Default)]
pub struct Unread {
    count: u32,
    /// When the first of them came.
    since: Instant,
    /// Key changes that such packets have cost, and since when those are counted.
    wasted: u32,
    wasted_since: Instant,
}

impl Unread {
    /// Counts a packet that was opened or not. Packets that are no MPPE say nothing about keys.
    fn note(&mut self, opened: Result<(), Discard>, work: u32, now: Instant) {
        match opened {
            Ok(()) => return self.count = 0,
            Err(Discard::MppeHeader) => return,
            Err(_) if self.count == 0 => (self.count, self.since) = (1, now),
            Err(_) => self.count = self.count.saturating_add(1),
        }
        self.wasted += work;
    }

    /// Whether this second has had its share of the search for keys.
    fn is_over_budget(&mut self, now: Instant) -> bool {
        if now.since(self.wasted_since) >= 1000 {
            (self.wasted, self.wasted_since) = (0, now);
        }
        self.wasted >= REKEYS_PER_SECOND
    }
}

impl Link {
    /// Begins CCP. A peer that has weak keys only hangs up when it is asked for strong ones (pppd),
    /// so where they are allowed it is let go first.
    pub(super) fn start_ccp(&mut self, turn: &mut Turn) {
        if self.rules.policy.min == Strength::Bits128 {
            self.ccp.open(&mut turn.out, turn.now);
        } else {
            self.ccp_at = Some(turn.now + CCP_WAIT_MS);
        }
    }

    /// The peer has begun: what it wants to receive is what it can send, most likely.
    fn follow_ccp(&mut self, packet: &ControlPacket, turn: &mut Turn) {
        if self.ccp_at.take().is_some() {
            for option in Options::new(packet.data).flatten() {
                self.ccp.protocol.naked(&option);
            }
            self.ccp.open(&mut turn.out, turn.now);
        }
    }

    pub(super) fn handle_ccp<'p>(
        &mut self,
        packet: &ControlPacket,
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        match packet.code {
            ccp::code::RESET_REQUEST => {
                let encryptor = self.encryptor.as_mut().ok_or(Discard::PppPhase)?;
                encryptor.reset();
                let code = ccp::code::RESET_ACK;
                turn.out.control(protocol::CCP, code, packet.identifier, |_| {});
                Ok(Outcome::None)
            }
            // The next flushed packet is what counts (RFC 3078 section 8.2).
            ccp::code::RESET_ACK => Ok(Outcome::None),
            _ => {
                self.follow_ccp(packet, turn);
                let change = self.ccp.handle(packet, &mut turn.out, turn.now)?;
                Ok(self.after_ccp(change, false, turn))
            }
        }
    }

    pub(super) fn after_ccp<'p>(
        &mut self,
        change: Change,
        by_timer: bool,
        turn: &mut Turn,
    ) -> Outcome<'p> {
        let was_open = self.is_open();
        if change.down || change.finished {
            (self.encryptor, self.decryptor, self.reset_at) = (None, None, None);
        }
        if change.up {
            self.key_mppe();
        }
        if let Some(cause) = self.missing_encryption(change, by_timer) {
            return self.end(cause, turn);
        }
        if change.up && self.encryptor.is_some() {
            self.open_ipcp(turn);
            return Outcome::Encrypted;
        }
        if was_open && !self.is_open() { Outcome::Closed } else { Outcome::None }
    }

    /// Why the call cannot go on after a step of CCP: encryption is required and will not come.
    fn missing_encryption(&self, change: Change, by_timer: bool) -> Option<Cause> {
        if self.rules.mppe != Mppe::Required {
            return None;
        }
        let terminated = self.ccp.state() == State::Stopping;
        let without = change.up && !self.is_encrypted_enough();
        match by_timer {
            true => change.finished.then_some(Cause::EncryptionTimeout),
            false if change.finished || terminated || without => Some(Cause::EncryptionRefused),
            false => None,
        }
    }

    /// Sets up both directions; one without the other is no encryption. What is encrypted once
    /// stays so: a forged end of CCP must not turn an optional encryption off.
    fn key_mppe(&mut self) {
        let methods = (self.ccp.protocol.send(), self.ccp.protocol.receive());
        if let (Some(proof), (Some(send), Some(receive))) = (&self.proof, methods) {
            self.encryptor = Some(Encryptor::new(&proof.send_key, send));
            self.decryptor = Some(Decryptor::new(&proof.receive_key, receive));
            wipe_stack();
            self.rules.mppe = Mppe::Required;
        }
    }

    pub(super) fn open_ipcp(&mut self, turn: &mut Turn) {
        if let Some(ipcp) = self.ipcp.as_mut().filter(|ipcp| ipcp.state() == State::Initial) {
            ipcp.open(&mut turn.out, turn.now);
        }
    }

    /// The addresses are known now: IPCP can begin, or go on with what the peer sent meanwhile.
    pub fn assign(&mut self, addresses: Addresses, turn: &mut Turn) -> Outcome<'static> {
        if self.phase != Phase::Network || self.ipcp.is_some() {
            return Outcome::None;
        }
        self.ipcp = Some(Negotiator::new(Ipcp::new(addresses)));
        if !self.is_encrypted_enough() {
            return Outcome::None;
        }
        self.open_ipcp(turn);
        self.release_ipcp(turn)
    }

    /// IPCP that comes before encryption is on is kept, not refused: MikroTik sends it right
    /// behind CCP and takes a Terminate-Ack for the end of the call.
    pub(super) fn handle_ipcp<'p>(
        &mut self,
        packet: &ControlPacket,
        information: &[u8],
        turn: &mut Turn,
    ) -> Result<Outcome<'p>, Discard> {
        if !self.is_encrypted_enough() || self.ipcp.is_none() {
            self.held_ipcp.clear();
            let _too_long_to_keep = self.held_ipcp.extend_from_slice(information);
            return Ok(self.presume_ccp_if_patient(turn));
        }
        let was_open = self.is_open();
        let ipcp = self.ipcp.as_mut().ok_or(Discard::PppPhase)?;
        let change = ipcp.handle(packet, &mut turn.out, turn.now)?;
        // The peer may close IPCP and open it again: that is no reason to end the link (RFC 1661
        // section 3.7).
        let terminates = matches!(packet.code, code::TERMINATE_REQUEST | code::TERMINATE_ACK);
        if change.finished && !terminates {
            return Ok(self.end(Cause::NetworkRefused, turn));
        }
        Ok(match (was_open, self.is_open()) {
            (false, true) => Outcome::Open,
            (true, false) => Outcome::Closed,
            _ => Outcome::None,
        })
    }

    /// IPCP of a peer whose Configure-Ack for CCP has been missing for long: it is most likely open
    /// and only its Ack was lost. Should that be wrong, its CCP request comes again.
    fn presume_ccp_if_patient<'p>(&mut self, turn: &mut Turn) -> Outcome<'p> {
        if !self.ccp.is_patient() {
            return Outcome::None;
        }
        let change = self.ccp.presume_ack(&mut turn.out, turn.now);
        self.after_ccp(change, false, turn)
    }

    /// Handles the IPCP packet that waited for encryption, and says whether the link is open now:
    /// IPCP may have stayed open while encryption was negotiated anew.
    pub fn release_ipcp(&mut self, turn: &mut Turn) -> Outcome<'static> {
        self.release_ipv6cp(turn);
        let held = core::mem::take(&mut self.held_ipcp);
        if let Ok(packet) = ControlPacket::parse(&held)
            && let Ok(Outcome::Ended(cause)) = self.handle_ipcp(&packet, &held, turn)
        {
            return Outcome::Ended(cause);
        }
        if self.is_open() { Outcome::Open } else { Outcome::None }
    }

    /// Encrypts `packet` (inner protocol and data) in place if encryption is on, and says whether
    /// it is. `InnerPhase` when it must be and is not.
    pub fn seal(&mut self, packet: &mut Packet) -> Result<bool, Discard> {
        if !self.is_open() {
            return Err(Discard::InnerPhase);
        }
        match &mut self.encryptor {
            Some(encryptor) => encryptor.seal(packet),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Decrypts `packet` (MPPE header and ciphertext) in place; also says how many key changes that
    /// took.
    pub fn open_sealed(
        &mut self,
        packet: &mut Packet,
        turn: &mut Turn,
    ) -> (Result<(), Discard>, u32) {
        let Some(decryptor) = &mut self.decryptor else { return (Err(Discard::InnerPhase), 0) };
        let before = decryptor.key_changes();
        let opened = match self.unread.is_over_budget(turn.now) && !decryptor.expects(packet) {
            true => Err(Discard::MppeJump),
            false => decryptor.open(packet),
        };
        let work = decryptor.key_changes().wrapping_sub(before);
        if !decryptor.awaits_reset() {
            self.reset_at = None;
        } else if self.reset_at.is_none() {
            self.reset_pause = RESET_MS;
            self.ask_for_reset(turn);
        } else if opened == Err(Discard::MppeReset) {
            self.reset_pause = RESET_MS;
            self.reset_at = self.reset_at.min(Some(turn.now + RESET_MS));
        }
        self.unread.note(opened, work, turn.now);
        (opened, work)
    }

    /// Whether the keys are out of step for good: neither the search for the right one nor a reset
    /// helped. The call would live, and carry nothing.
    pub fn has_lost_keys(&self, now: Instant) -> bool {
        let Unread { count, since, .. } = self.unread;
        count >= UNREAD_PACKETS && now.since(since) >= UNREAD_MS && self.phase == Phase::Network
    }

    /// Whether a clear inner packet from the peer may pass.
    pub fn admits_clear(&self) -> bool {
        self.decryptor.is_none() && self.rules.mppe != Mppe::Required
    }

    pub(super) fn ask_for_reset(&mut self, turn: &mut Turn) {
        let identifier = self.next_identifier();
        self.reset_at = Some(turn.now + self.reset_pause);
        self.reset_pause = (self.reset_pause * 2).min(RESET_PAUSE_MS);
        turn.out.control(protocol::CCP, ccp::code::RESET_REQUEST, identifier, |_| {});
    }
}
