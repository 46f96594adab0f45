//! Accounts at work: logins, addresses, second calls, and a configuration that changes.

use core::net::Ipv4Addr;

use super::event::{ShownName, Step};
use super::link::Turn;
use super::login::{Proof, check};
use super::server::Server;
use super::table::Call;
use crate::config::{Config, Duplicate, User};
use crate::proto::ipcp::Addresses;
use crate::proto::mschap::{base_name, wipe_stack};
use crate::reason::Cause;
use crate::time::Instant;
use crate::wire::chap::Response;

impl Server<'_> {
    /// The peer of a call answered the challenge.
    pub(super) fn login(&mut self, slot: u16, response: &Response, now: Instant) {
        let judged = self.judge(slot, response, now);
        wipe_stack();
        match judged {
            Ok((user, proof)) => self.welcome(slot, &user, proof, response.flags, now),
            Err(cause) => {
                let name = ShownName::new(base_name(response.name));
                self.step(slot, now, |call, turn| {
                    call.name = name.clone();
                    call.link.refuse_login(cause, turn);
                });
                self.tell(slot, Step::LoginFailed { name, cause });
            }
        }
    }

    /// Whether the login is right, and may be.
    fn judge(
        &mut self,
        slot: u16,
        response: &Response,
        now: Instant,
    ) -> Result<(User, Proof), Cause> {
        let call = self.table.get(slot).ok_or(Cause::AuthTimeout)?;
        let (source, patience) = (call.path.remote, self.patience());
        let name = base_name(response.name);
        // Checked for those that have to wait as well: otherwise their answer came sooner, and since
        // only accounts that exist have to wait, that would tell which do.
        let checked = check(&self.config, call.link.challenge(), response);
        let checked = checked.map(|(user, proof)| (user.clone(), proof));
        let waits = self.backoff.must_wait(source, name, patience, now);
        match if waits { Err(Cause::TooManyFailures) } else { checked } {
            Ok((user, proof)) => {
                self.backoff.succeeded(source, name, now);
                if let Some(cause) = self.closed(&user.rights) {
                    return Err(cause);
                }
                self.make_way(slot, &user, now).map(|()| (user, proof))
            }
            Err(cause) => {
                self.backoff.failed(source, name, cause, patience, now);
                Err(cause)
            }
        }
    }

    /// One call per account, unless the configuration says otherwise.
    fn make_way(&mut self, slot: u16, user: &User, now: Instant) -> Result<(), Cause> {
        for other in 0..self.table.slots() {
            if other == slot || !self.table.get(other).is_some_and(|call| call.is_of(user)) {
                continue;
            }
            match self.config.duplicate {
                Duplicate::Allow => {}
                Duplicate::Refuse => return Err(Cause::AlreadyConnected),
                Duplicate::Replace => self.end_call(other, Cause::Replaced, now),
            }
        }
        Ok(())
    }

    fn welcome(&mut self, slot: u16, user: &User, proof: Proof, flags: u8, now: Instant) {
        let name = ShownName::new(user.name.as_bytes());
        match self.lease(slot, user, now) {
            Ok(address) => {
                let addresses = self.addresses(address);
                self.step(slot, now, |call: &mut Call, turn: &mut Turn| {
                    call.user = Some(user.name.clone());
                    call.name = name.clone();
                    call.grant.set(&user.rights, now);
                    call.link.login(proof, flags, addresses, turn);
                });
                self.tell(slot, Step::LoggedIn { name });
                self.assign(slot, now);
            }
            Err(cause) => {
                self.step(slot, now, |call: &mut Call, turn: &mut Turn| {
                    call.name = name.clone();
                    call.link.login_without_place(&proof, flags, cause, turn);
                });
                self.tell(slot, Step::LoginFailed { name, cause });
            }
        }
    }

    /// The account's own address, or one of the pool. A call that logs in again keeps its lease
    /// if it is still the same account.
    fn lease(&mut self, slot: u16, user: &User, now: Instant) -> Result<Ipv4Addr, Cause> {
        let call = self.table.get(slot).ok_or(Cause::AuthTimeout)?;
        if let Some(address) = call.lease.filter(|_| call.is_of(user)) {
            return Ok(address);
        }
        self.release_lease(slot);
        if self.leases.count() >= usize::from(self.config.max_sessions) {
            return Err(Cause::NoSlot);
        }
        let address = match user.ip {
            Some(address) => {
                self.leases.take(address, slot).then_some(address).ok_or(Cause::AddressInUse)?
            }
            None => self.take_free(slot, now).ok_or(Cause::PoolExhausted)?,
        };
        if let Some(call) = self.table.get_mut(slot) {
            call.lease = Some(address);
        }
        self.begin_probe(slot, 0, now);
        Ok(address)
    }

    /// Ends the wait after failed logins of an address, of an account, or of both. Whether either
    /// had failed at all.
    pub fn unblock(&mut self, source: Option<Ipv4Addr>, name: Option<&[u8]>) -> bool {
        self.backoff.forgive(source, name)
    }

    pub(super) fn addresses(&self, peer: Ipv4Addr) -> Addresses {
        let Config { local_ip, dns, wins, .. } = &self.config;
        let pair = |list: &[Ipv4Addr]| [list.first().copied(), list.get(1).copied()];
        Addresses { local: *local_ip, peer, dns: pair(dns), nbns: pair(wins) }
    }

    /// Takes a new configuration. What the sockets, the TUN and the memory were made for stays as
    /// it is until the program starts anew: `listen`, `port`, `device`, `local_ip`, `pool`,
    /// `ipv6_prefix`, `max_sessions`, `max_connections`. Calls whose account is gone, disabled, or
    /// has another password or address are disconnected; the others go on, with the rights that they
    /// have now.
    pub fn reload(&mut self, new: Config, now: Instant) {
        let old = core::mem::replace(&mut self.config, new);
        self.config.listen = old.listen;
        self.config.port = old.port;
        self.config.device = old.device;
        self.config.local_ip = old.local_ip;
        self.config.pool = old.pool;
        self.config.ipv6_prefix = old.ipv6_prefix;
        self.config.max_sessions = old.max_sessions;
        self.config.max_connections = old.max_connections;
        for slot in 0..self.table.slots() {
            let Some(call) = self.table.get(slot) else { continue };
            let before = old.users.iter().find(|user| call.is_of(user));
            let after = self.config.users.iter().find(|user| call.is_of(user));
            let goes_on = match (before, after) {
                (Some(before), Some(after)) => before.is_still(after),
                (before, after) => before == after,
            };
            match goes_on {
                true => self.grant(slot, now),
                false => self.end_call(slot, Cause::AccountChanged, now),
            }
        }
        self.route_again();
        self.end_by_hours(now);
        // A shorter login_timeout may end a connection earlier than it was waited for.
        self.watch_all();
    }
}

impl Call {
    /// Whether the call is logged in as `user`, and not on its way out.
    pub(super) fn is_of(&self, user: &User) -> bool {
        self.link.cause().is_none() && self.user.as_ref() == Some(&user.name)
    }
}
