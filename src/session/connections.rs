//! Control connections from `handle_accept` to `handle_close`: who may connect, for how long
//! without a call, and what their messages lead to.

use core::net::Ipv4Addr;

use super::event::{Event, Step};
use super::server::{ControlId, Server};
use crate::proto::control::{Control, Received, Request, State};
use crate::reason::{Cause, Discard};
use crate::time::{Deadline, Instant, deadline, due, earlier};
use crate::wire::pptp::Header;

/// Milliseconds that a connection may stay without Start-Control-Connection-Request. A client
/// sends it with the first packet.
const START_MS: u64 = 10_000;

/// Milliseconds that a new connection is left alone while others make room.
const NEW_MS: u64 = 1000;

impl Server<'_> {
    /// A TCP connection was made to our address `local` from `remote`. The error says why it must
    /// be closed at once.
    pub fn handle_accept(
        &mut self,
        local: Ipv4Addr,
        remote: Ipv4Addr,
        now: Instant,
    ) -> Result<ControlId, Discard> {
        let admitted = self.admit(remote, now);
        let (step, result) = match admitted {
            Ok(id) => {
                let echo_interval = u64::from(self.config.echo_interval) * 1000;
                self.controls[usize::from(id.0)] = Control::new(local, remote, echo_interval, now);
                self.watch_control(id);
                (Step::Connected, Ok(id))
            }
            Err(why) => {
                self.discards.count(why);
                (Step::Refused(why), Err(why))
            }
        };
        self.push_event(Event { remote, call_id: None, step });
        result
    }

    /// Finds a place for a connection. When there are too many, the one that has waited longest
    /// without saying anything sensible makes room: a crowd of idle sockets keeps nobody out.
    fn admit(&mut self, remote: Ipv4Addr, now: Instant) -> Result<ControlId, Discard> {
        if self.stopping.is_some() {
            return Err(Discard::ControlLimit);
        }
        let same = self.ids().filter(|&id| self.control(id).remote == remote);
        let waiting = same.filter(|&id| self.is_waiting(id)).count();
        if waiting >= usize::from(self.config.max_per_address) {
            return Err(Discard::ControlAddressLimit);
        }
        let connected = self.ids().filter(|&id| !self.control(id).is_done()).count();
        if connected >= usize::from(self.config.max_connections) {
            let idle = self.idlest(now).ok_or(Discard::ControlLimit)?;
            self.push_event(Event {
                remote: self.control(idle).remote,
                call_id: None,
                step: Step::Refused(Discard::ControlLimit),
            });
            self.abandon(idle, Cause::NoSlot, now);
        }
        let free = self.controls.iter().position(Control::is_free);
        free.map(|index| ControlId(index as u16)).ok_or(Discard::ControlLimit)
    }

    /// The connection to give up first. Those of callers stay, and whoever has just come gets a
    /// moment; then it is those that say nothing, those without a call, and those that have been
    /// logging in for the longest time.
    fn idlest(&self, now: Instant) -> Option<ControlId> {
        let waiting = self.ids().filter(|&id| self.is_waiting(id));
        waiting.min_by_key(|&id| {
            let control = self.control(id);
            let is_new = now.since(control.idle_since) < NEW_MS;
            (is_new, control.calls > 0, control.state() != State::Idle, control.idle_since)
        })
    }

    fn ids(&self) -> impl Iterator<Item = ControlId> + '_ {
        let ids = (0..self.controls.len() as u16).map(ControlId);
        ids.filter(|&id| !self.control(id).is_free())
    }

    fn has_call(&self, id: ControlId) -> bool {
        self.control(id).calls > 0
    }

    /// Whether a connection has no open call (yet).
    fn is_waiting(&self, id: ControlId) -> bool {
        !self.control(id).is_done() && self.control(id).open_calls == 0
    }

    pub(super) fn control(&self, id: ControlId) -> &Control {
        &self.controls[usize::from(id.0)]
    }

    /// Whatever is done with it may lead to an answer.
    pub(super) fn control_mut(&mut self, id: ControlId) -> &mut Control {
        self.may_answer = true;
        &mut self.controls[usize::from(id.0)]
    }

    /// Octets arrived on a connection, cut anywhere.
    pub fn handle_control(&mut self, id: ControlId, mut octets: &[u8], now: Instant) {
        let mut message = Received::default();
        while !self.control(id).is_done() && !self.control(id).is_free() {
            match self.control_mut(id).next_message(&mut octets, &mut message) {
                Ok(None) => break,
                Ok(Some(header)) => self.handle_message(id, &header, &message, now),
                Err(why) => {
                    self.discards.count(why);
                    self.tell_control(id, Step::Refused(why));
                    self.abandon(id, Cause::ControlProtocol, now);
                }
            }
        }
        self.watch_control(id);
    }

    fn handle_message(&mut self, id: ControlId, header: &Header, message: &Received, now: Instant) {
        let name = self.config.name.clone();
        match self.control_mut(id).handle(header, message, &name, now) {
            Ok(request) => self.handle_request(id, request, now),
            Err(why) => {
                self.discards.count(why);
                if self.control(id).is_done() {
                    self.tell_control(id, Step::Refused(why));
                    self.end_calls_of(id, Cause::ControlProtocol, now);
                }
            }
        }
    }

    fn handle_request(&mut self, id: ControlId, request: Request, now: Instant) {
        match request {
            Request::None => self.check_output(id, now),
            Request::Call(call) => self.start_call(id, &call, now),
            Request::Clear { peer_call_id } => self.clear_call(id, peer_call_id, now),
            Request::Gone { peer_call_id } => self.lose_call(id, peer_call_id, now),
            Request::Over(cause) => self.end_calls_of(id, cause, now),
        }
    }

    /// An answer did not fit since the peer does not read: the connection is over.
    pub(super) fn check_output(&mut self, id: ControlId, now: Instant) {
        if self.control(id).is_done() && self.has_call(id) {
            self.discards.count(Discard::ControlOutput);
            self.end_calls_of(id, Cause::ControlClosed, now);
        }
    }

    fn abandon(&mut self, id: ControlId, cause: Cause, now: Instant) {
        self.control_mut(id).abandon();
        self.end_calls_of(id, cause, now);
    }

    /// The connection is gone: closed by the peer, failed, or closed since `wants_close` said so.
    pub fn handle_close(&mut self, id: ControlId, now: Instant) {
        self.control_mut(id).abandon();
        self.end_calls_of(id, Cause::ControlClosed, now);
        *self.control_mut(id) = Control::default();
    }

    /// Whether `control_output` or `wants_close` of any connection may be different from what it was
    /// the last time: data packets, which are nearly all there is, never lead to that.
    pub fn take_may_answer(&mut self) -> bool {
        core::mem::take(&mut self.may_answer)
    }

    /// Octets to be written to a connection.
    pub fn control_output(&self, id: ControlId) -> &[u8] {
        self.control(id).output()
    }

    /// The first `count` octets of `control_output` were written.
    pub fn control_sent(&mut self, id: ControlId, count: usize) {
        self.controls[usize::from(id.0)].sent(count);
    }

    /// Whether a connection is to be closed, after its output is written if that can be done.
    pub fn wants_close(&self, id: ControlId) -> bool {
        self.control(id).is_done()
    }

    pub(super) fn control_timeout(&mut self, id: ControlId, now: Instant) {
        if self.control(id).is_free() || self.control(id).is_done() {
            return;
        }
        if let Request::Over(cause) = self.control_mut(id).handle_timeout(now) {
            self.end_calls_of(id, cause, now);
        }
        self.check_output(id, now);
        if due(self.idle_until(id), now) {
            self.control_mut(id).stop(now);
            if !self.control(id).is_done() {
                // It was told; there is no need to wait for the answer.
                self.control_mut(id).abandon();
            }
        }
    }

    /// When a connection without calls has been kept long enough.
    fn idle_until(&self, id: ControlId) -> Option<Instant> {
        let control = self.control(id);
        let patience = match control.state() {
            State::Idle => START_MS,
            State::Established => u64::from(self.config.login_timeout) * 1000,
            _ => return None,
        };
        (!self.has_call(id)).then(|| control.idle_since + patience)
    }

    pub(super) fn control_deadline(&self, id: ControlId) -> Option<Deadline> {
        if self.control(id).is_free() || self.control(id).is_done() {
            return None;
        }
        let idle = deadline(self.idle_until(id), "connection without a call");
        earlier(self.control(id).poll_timeout(), idle)
    }

    fn tell_control(&mut self, id: ControlId, step: Step) {
        let remote = self.control(id).remote;
        self.push_event(Event { remote, call_id: None, step });
    }
}
