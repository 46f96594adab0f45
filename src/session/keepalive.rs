//! The timers of a link: restarts, LCP echoes (RFC 1661 section 5.8), resets, the last goodbye.

use super::link::{Link, Outcome, Phase, Turn};
use crate::proto::automaton::State;
use crate::proto::negotiator::{Change, Negotiator};
use crate::reason::Cause;
use crate::time::{Deadline, Instant, deadline, due, earlier};
use crate::wire::lcp;
use crate::wire::ppp::protocol;

impl Link {
    /// Something arrived from the peer: it lives.
    pub fn heard(&mut self, now: Instant) {
        (self.heard_at, self.unanswered) = (now, 0);
    }

    /// Whether the peer left echoes unanswered.
    pub fn seems_dead(&self) -> bool {
        self.unanswered > 1
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, turn: &mut Turn) -> Outcome<'static> {
        let now = turn.now;
        if due(self.lcp.restart_at(), now) {
            let change = self.lcp.handle_timeout(&mut turn.out, now);
            return self.after_lcp(change, true, turn);
        }
        if due(self.terminate_at, now) {
            let cause = self.lcp_cause(false);
            return self.end(cause, turn);
        }
        match self.phase {
            Phase::Authenticate if !self.chap.handle_timeout(&mut turn.out, now) => {
                self.end(Cause::AuthTimeout, turn)
            }
            Phase::Network => self.handle_network_timeout(turn),
            _ => Outcome::None,
        }
    }

    fn handle_network_timeout(&mut self, turn: &mut Turn) -> Outcome<'static> {
        if due(self.echo_at(), turn.now) {
            return self.ask_for_echo(turn);
        }
        self.chap.handle_timeout(&mut turn.out, turn.now);
        if due(self.reset_at, turn.now) {
            self.ask_for_reset(turn);
        }
        if due(self.ccp_at, turn.now) {
            self.ccp_at = None;
            self.ccp.open(&mut turn.out, turn.now);
        }
        if due(self.ccp.restart_at(), turn.now) {
            let change = self.ccp_timeout(turn);
            return self.after_ccp(change, true, turn);
        }
        if let Some(ipv6cp) = &mut self.ipv6cp {
            // Whether it gives up or not: a call without IPv6 is a call.
            ipv6cp.handle_timeout(&mut turn.out, turn.now);
        }
        let Some(ipcp) = &mut self.ipcp else { return Outcome::None };
        // One that the peer closed may be opened again: that is no reason to end the link (RFC 1661
        // section 3.7). It has the time of a login for it.
        let is_closing = ipcp.state() == State::Stopping;
        let change = ipcp.handle_timeout(&mut turn.out, turn.now);
        let gave_up = change.finished && !is_closing;
        if gave_up { self.end(self.unfinished(), turn) } else { Outcome::None }
    }

    /// Why the link is not open, should it take too long.
    pub fn unfinished(&self) -> Cause {
        let insists = self.ipcp.as_ref().is_some_and(|ipcp| ipcp.protocol.is_refused());
        match self.phase {
            Phase::Authenticate => Cause::AuthTimeout,
            Phase::Network if !self.is_encrypted_enough() => Cause::EncryptionTimeout,
            Phase::Network if insists => Cause::AddressRefused,
            Phase::Network => Cause::NetworkTimeout,
            Phase::Establish | Phase::Terminate => Cause::LoginTimeout,
        }
    }

    /// The peer's Configure-Ack is missing. If its IPCP has begun since we acknowledged its own
    /// request, it is most likely open and only its Ack was lost; asking again would make pppd
    /// drop the call. Should that be wrong, the peer's own timer restarts the negotiation.
    fn ccp_timeout(&mut self, turn: &mut Turn) -> Change {
        if self.ccp.state() == State::AckSent && !self.held_ipcp.is_empty() {
            return self.ccp.presume_ack(&mut turn.out, turn.now);
        }
        self.ccp.handle_timeout(&mut turn.out, turn.now)
    }

    fn ask_for_echo(&mut self, turn: &mut Turn) -> Outcome<'static> {
        if self.unanswered >= self.rules.echo_failures {
            // Nobody is there to hear a goodbye.
            self.phase = Phase::Terminate;
            return Outcome::Ended(Cause::LineDead);
        }
        self.unanswered += 1;
        self.asked_at = turn.now;
        let (magic, identifier) = (self.lcp.protocol.magic(), self.next_identifier());
        turn.out.control(protocol::LCP, lcp::code::ECHO_REQUEST, identifier, |writer| {
            writer.u32(magic);
        });
        Outcome::None
    }

    fn echo_at(&self) -> Option<Instant> {
        let asks = self.phase == Phase::Network && self.rules.echo_interval > 0;
        asks.then(|| self.heard_at.max(self.asked_at) + self.rules.echo_interval)
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let lcp = deadline(self.lcp.restart_at(), "LCP restart");
        let link = earlier(lcp, deadline(self.terminate_at, "LCP terminate"));
        let login = earlier(link, deadline(self.chap.restart_at(), "CHAP restart"));
        match self.phase {
            Phase::Authenticate => login,
            Phase::Network => earlier(login, self.network_deadline()),
            Phase::Establish | Phase::Terminate => link,
        }
    }

    fn network_deadline(&self) -> Option<Deadline> {
        let ipcp_at = self.ipcp.as_ref().and_then(Negotiator::restart_at);
        let ipv6cp_at = self.ipv6cp.as_ref().and_then(Negotiator::restart_at);
        let ipcp =
            earlier(deadline(ipcp_at, "IPCP restart"), deadline(ipv6cp_at, "IPV6CP restart"));
        let restart = earlier(deadline(self.ccp_at.or(self.ccp.restart_at()), "CCP restart"), ipcp);
        let reset = deadline(self.reset_at, "CCP reset");
        earlier(restart, earlier(reset, deadline(self.echo_at(), "LCP echo")))
    }
}
