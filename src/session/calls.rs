//! Calls from Outgoing-Call-Request to Call-Disconnect-Notify (RFC 2637 section 3.2), and what the
//! steps of their links lead to.

use core::net::Ipv4Addr;

use super::event::{Event, Failure, ShownName, Step};
use super::link::{Link, Outcome, Rules};
use super::server::{ControlId, Server};
use super::table::{Call, Path};
use crate::config::{Config, Mppe};
use crate::limits::{CALLS_PER_CONTROL, RECEIVE_WINDOW};
use crate::proto::ccp::Policy;
use crate::proto::control::{State, refused_call};
use crate::reason::{Cause, Discard};
use crate::time::{Deadline, Instant, deadline, due, earlier};
use crate::wire::pptp::{Disconnect, Message, OutgoingCall, OutgoingCallReply, error, result};

/// Milliseconds after which the absence of any GRE packet is told.
const NO_GRE_MS: u64 = 10_000;

/// Octets that MPPE adds to an inner packet: its header, and the inner protocol field. The peer's
/// MRU counts them (RFC 3078 section 2).
const MPPE_OVERHEAD: u16 = 4;

/// Bits per second that Outgoing-Call-Reply names; nobody holds us to it.
const CONNECT_SPEED: u32 = 100_000_000;

/// The smallest MTU of IPv4 (RFC 791 section 3.2).
const MTU_MIN: u16 = 576;

impl Call {
    /// When the server wants to look after the call.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let link = earlier(self.link.poll_timeout(), deadline(self.open_by, "login time"));
        let host = earlier(self.host.poll_timeout(), deadline(self.no_gre_at, "no GRE"));
        let link = earlier(link, self.limit_deadline());
        let probe = deadline(self.probe.map(|probe| probe.at), "ARP probe");
        earlier(earlier(link, probe), earlier(self.ack_deadline(), host))
    }

    /// When an acknowledgment must go alone. Once queued it goes out with the next packets, and the
    /// timer has done its work.
    pub(super) fn ack_deadline(&self) -> Option<Deadline> {
        let at = self.tunnel.ack_at().filter(|_| !self.ack_queued);
        deadline(at, "acknowledgment")
    }

    /// What a person should read as the reason of an end for `cause`. A call that heard no GRE
    /// packet at all failed for that, whatever timer ended it; and a caller that hangs up does so
    /// for the reason that we saw before.
    fn why(&self, cause: Cause) -> Cause {
        match cause {
            Cause::LcpTimeout | Cause::LoginTimeout if !self.tunnel.has_received() => Cause::NoGre,
            Cause::Cleared | Cause::ControlClosed => self.link.cause_if_left(cause),
            cause => cause,
        }
    }
}

impl Server<'_> {
    /// Answers Outgoing-Call-Request, and begins the call.
    pub(super) fn start_call(&mut self, id: ControlId, wish: &OutgoingCall, now: Instant) {
        let remote = self.control(id).remote;
        let known = self.find_peer_call(id, wish.call_id).is_some();
        let crowded = usize::from(self.control(id).calls) >= CALLS_PER_CONTROL
            || self.logins_from(remote) >= usize::from(self.config.max_per_address);
        let refusal = match self.vacancy(now) {
            _ if known => error::BAD_CALL_ID,
            Some((slot, call_id)) if !crowded && self.stopping.is_none() => {
                return self.accept_call(id, slot, call_id, wish.call_id, now);
            }
            _ => error::NO_RESOURCE,
        };
        self.control_mut(id).send(&refused_call(wish.call_id, result::GENERAL_ERROR, refusal));
        self.check_output(id, now);
        self.push_event(Event { remote, call_id: None, step: Step::CallRefused(Cause::NoSlot) });
        self.remember(Failure {
            at: now,
            remote,
            name: ShownName::default(),
            cause: Cause::NoSlot,
        });
    }

    /// A free slot. When there is none, the call that has been logging in for the longest time
    /// makes room: it is the least likely to get on.
    fn vacancy(&mut self, now: Instant) -> Option<(u16, u16)> {
        if self.table.live() == self.table.capacity() {
            let logins = self.table.iter().filter(|(_, call)| call.lease.is_none());
            let (oldest, _) = logins.min_by_key(|(_, call)| call.since)?;
            self.finish_call(oldest, Cause::NoSlot, now);
        }
        self.table.vacancy(&mut self.random)
    }

    /// Calls from one address that are not logged in.
    fn logins_from(&self, remote: Ipv4Addr) -> usize {
        let logins = self.table.iter().filter(|(_, call)| call.lease.is_none());
        logins.filter(|(_, call)| call.path.remote == remote).count()
    }

    fn accept_call(
        &mut self,
        id: ControlId,
        slot: u16,
        call_id: u16,
        peer_call_id: u16,
        now: Instant,
    ) {
        let control = self.control_mut(id);
        let path = Path { local: control.local, remote: control.remote };
        control.calls += 1;
        control.send(&Message::OutgoingCallReply(OutgoingCallReply {
            call_id,
            peer_call_id,
            result: result::SUCCESS,
            error: error::NONE,
            cause: 0,
            connect_speed: CONNECT_SPEED,
            receive_window: RECEIVE_WINDOW,
            processing_delay: 0,
            physical_channel: 0,
        }));
        let magic = self.random.u32();
        let rules = Rules { ipv6: self.ipv6.is_some(), ..rules(&self.config) };
        let link = Link::new(rules, &self.config.name, magic, now);
        let mut call = Call::new([call_id, peer_call_id], id, path, link, now);
        call.mtu = self.config.mtu;
        call.open_by = Some(now + u64::from(self.config.login_timeout) * 1000);
        call.no_gre_at = Some(now + NO_GRE_MS);
        self.table.insert(slot, call);
        self.tell(slot, Step::Started);
        self.step(slot, now, |call, turn| call.link.start(turn));
        self.watch_call(slot);
        self.check_output(id, now);
    }

    fn find_peer_call(&self, id: ControlId, peer_call_id: u16) -> Option<u16> {
        let mut calls = self.table.iter();
        let found = calls.find(|(_, call)| call.control == id && call.peer_call_id == peer_call_id);
        found.map(|(slot, _)| slot)
    }

    /// Call-Clear-Request: answered by Call-Disconnect-Notify with our Call ID; the connection
    /// stays (RFC 2637 section 2.12).
    pub(super) fn clear_call(&mut self, id: ControlId, peer_call_id: u16, now: Instant) {
        match self.find_peer_call(id, peer_call_id) {
            Some(slot) => self.finish_call(slot, Cause::Cleared, now),
            None => self.discards.count(Discard::ControlCall),
        }
    }

    /// The peer says that its call is gone: nothing needs to be answered.
    pub(super) fn lose_call(&mut self, id: ControlId, peer_call_id: u16, now: Instant) {
        self.clear_call(id, peer_call_id, now);
    }

    /// The connection is over, and nothing can be said any more.
    pub(super) fn end_calls_of(&mut self, id: ControlId, cause: Cause, now: Instant) {
        for slot in 0..self.table.slots() {
            if self.table.get(slot).is_some_and(|call| call.control == id) {
                self.finish_call(slot, cause, now);
            }
        }
    }

    /// Does what a step of a call's link asks for, and looks after its timers.
    pub(super) fn after(&mut self, slot: u16, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::None => {}
            Outcome::Login(response) => self.login(slot, &response, now),
            Outcome::Established => self.tell(slot, Step::Established),
            Outcome::Encrypted => self.encrypted(slot, now),
            Outcome::Open => self.opened(slot),
            Outcome::Closed => self.suspended(slot, now),
            Outcome::Ended(cause) => self.finish_call(slot, cause, now),
        }
        self.look_after_ipv6(slot, now);
        self.watch_call(slot);
    }

    fn encrypted(&mut self, slot: u16, now: Instant) {
        let Some(call) = self.table.get(slot) else { return };
        let methods = (call.link.receive_method(), call.link.send_method());
        if let (Some(receive), Some(send)) = methods {
            self.tell(slot, Step::Encrypted { receive, send });
        }
        let outcome = self.step(slot, now, |call, turn| call.link.release_ipcp(turn));
        self.after(slot, outcome.unwrap_or(Outcome::None), now);
    }

    fn opened(&mut self, slot: u16) {
        let limit = self.config.mtu;
        let Some(call) = self.table.get_mut(slot) else { return };
        let overhead = if call.link.send_method().is_some() { MPPE_OVERHEAD } else { 0 };
        call.mtu = (call.link.lcp().peer_mru - overhead).clamp(MTU_MIN, limit);
        call.open_by = None;
        let (mtu, encrypted, name) = (call.mtu, overhead > 0, call.name.clone());
        let Some(address) = call.lease else { return };
        let (id, first) = (call.control, call.online_as.replace(address).is_none());
        self.control_mut(id).open_calls += u16::from(first);
        self.tell(slot, Step::Open { name, address, mtu, encrypted });
        self.add_routes(slot);
    }

    /// A caller that renegotiates has as long for it as for its login.
    fn suspended(&mut self, slot: u16, now: Instant) {
        let login_time = u64::from(self.config.login_timeout) * 1000;
        if let Some(call) = self.table.get_mut(slot) {
            call.open_by = Some(now + login_time);
            self.tell(slot, Step::Suspended);
        }
    }

    /// Says goodbye to a caller. Its address is free for others at once.
    pub(super) fn end_call(&mut self, slot: u16, cause: Cause, now: Instant) {
        self.release_lease(slot);
        let outcome = self.step(slot, now, |call, turn| call.link.end(cause, turn));
        self.after(slot, outcome.unwrap_or(Outcome::None), now);
    }

    pub(super) fn release_lease(&mut self, slot: u16) {
        let lease = self.table.get_mut(slot).and_then(|call| call.lease.take());
        if let Some(address) = lease {
            self.leases.release(address);
            self.remove_routes(slot);
        }
        if let Some(call) = self.table.get_mut(slot) {
            call.probe = None;
        }
    }

    /// The call is over: tells the peer by Call-Disconnect-Notify, and frees everything.
    pub(super) fn finish_call(&mut self, slot: u16, cause: Cause, now: Instant) {
        self.release_lease(slot);
        self.reorder.forget(slot);
        self.frames.forget(slot);
        // The table forgets the keys, and what ends a call may depend on whether there were any.
        let Some(why) = self.table.get(slot).map(|call| call.why(cause)) else { return };
        let Some(call) = self.table.remove(slot) else { return };
        self.disconnect_notify(&call, cause, why, now);
        let (cause, name) = (why, call.name.clone());
        let step = Step::Ended {
            cause,
            name: name.clone(),
            address: call.online_as,
            seconds: now.since(call.since) / 1000,
            traffic: call.traffic,
        };
        let remote = call.path.remote;
        self.push_event(Event { remote, call_id: Some(call.call_id), step });
        self.remember(Failure { at: now, remote, name, cause });
    }

    fn disconnect_notify(&mut self, call: &Call, cause: Cause, why: Cause, now: Instant) {
        // After a failed login there is nothing to wait for but the next guess.
        let stops = self.stopping.is_some() || why.is_failed_login();
        let control = self.control_mut(call.control);
        control.calls -= 1;
        control.open_calls -= u16::from(call.online_as.is_some());
        control.idle_since = now;
        if matches!(control.state(), State::Established | State::WaitStopReply) {
            let (call_id, result, error) = (call.call_id, disconnect_result(cause), error::NONE);
            let notify = Disconnect { call_id, result, error, cause: 0 };
            control.send(&Message::CallDisconnectNotify(notify));
        }
        if stops && control.calls == 0 {
            control.stop(now);
        }
        self.watch_control(call.control);
    }

    /// Runs the timers of a call that are not its link's.
    pub(super) fn call_deadlines(&mut self, slot: u16, now: Instant) {
        let Some(call) = self.table.get_mut(slot) else { return };
        let (control, dead) = (call.control, call.link.seems_dead());
        let silent = due(call.no_gre_at, now);
        if silent {
            call.no_gre_at = None;
        }
        let (tell, late) = (silent && !call.tunnel.has_received(), due(call.open_by, now));
        let advertise = due(call.host.advertise_at, now);
        let overdue = call.overdue(now);
        if due(call.tunnel.ack_at(), now) {
            self.queue_ack(slot);
        }
        if advertise {
            self.advertise(slot, now);
        }
        self.probe_timeout(slot, now);
        if dead {
            self.control_mut(control).hurry(now);
            self.watch_control(control);
        }
        if tell {
            self.tell(slot, Step::NoGre);
        }
        if late {
            self.end_late_call(slot, now);
        }
        if let Some(cause) = overdue {
            self.end_call(slot, cause, now);
        }
    }

    fn end_late_call(&mut self, slot: u16, now: Instant) {
        let Some(call) = self.table.get_mut(slot) else { return };
        call.open_by = None;
        let cause = call.link.unfinished();
        self.end_call(slot, cause, now);
    }

    /// Ends the calls that `wanted` names, as the administrator's wish. Returns how many.
    pub fn disconnect(&mut self, wanted: impl Fn(&Call) -> bool, now: Instant) -> usize {
        let mut count = 0;
        for slot in 0..self.table.slots() {
            if self.table.get(slot).is_some_and(&wanted) {
                self.end_call(slot, Cause::Disconnected, now);
                count += 1;
            }
        }
        count
    }
}

/// The result code of Call-Disconnect-Notify (RFC 2637 section 2.13).
fn disconnect_result(cause: Cause) -> u8 {
    match cause {
        Cause::Cleared => result::REQUEST,
        Cause::Shutdown | Cause::Disconnected | Cause::AccountChanged | Cause::Replaced => {
            result::ADMIN_SHUTDOWN
        }
        Cause::Hours | Cause::ClockNotSet | Cause::SessionTimeout | Cause::IdleTimeout => {
            result::ADMIN_SHUTDOWN
        }
        _ => result::LOST_CARRIER,
    }
}

/// How links are run under a configuration.
fn rules(config: &Config) -> Rules {
    let overhead = if config.mppe == Mppe::Off { 0 } else { MPPE_OVERHEAD };
    Rules {
        mru: config.mtu + overhead,
        mppe: config.mppe,
        policy: Policy { min: config.mppe_min, stateful: config.mppe_stateful },
        echo_interval: u64::from(config.lcp_echo_interval) * 1000,
        echo_failures: config.lcp_echo_failures,
        ipv6: false,
    }
}
