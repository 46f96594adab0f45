//! The whole server as the program sees it: octets and packets in, octets and packets out.

use heapless::Deque;

use super::alarms::Alarms;
use super::backoff::{Backoff, Patience};
use super::event::{Event, Failure, Step};
use super::fair::Source;
use super::ipv6::Ipv6;
use super::lan::Lan;
use super::leases::Leases;
use super::link::{Outcome, Turn};
use super::probe::Probes;
use super::relay::Relay;
use super::reorder::Reorder;
use super::routes::Routes;
use super::shutdown::Stopping;
use super::storage::Storage;
use super::table::{Call, Table};
use crate::config::Config;
use crate::limits::{EVENTS, FAILURES, IPV6_CACHE, LOGINS, SESSIONS};
use crate::proto::control::Control;
use crate::proto::frames::Frames;
use crate::random::Random;
use crate::reason::{Causes, Discard, Discards};
use crate::time::{Deadline, Instant, deadline, due, earlier};

/// A control connection, from `handle_accept` to `handle_close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlId(pub u16);

/// Steps of one call's timers in one go: every protocol has one, and none starts another anew.
const TIMER_STEPS: usize = 8;

/// Calls whose acknowledgments may wait to go alone; more wait for their timer.
const ACK_QUEUE: usize = 64;

/// A PPTP server.
pub struct Server<'a> {
    pub(super) config: Config,
    pub(super) probes: Probes,
    pub(super) lan: Lan,
    pub(super) routes: Routes,
    pub(super) routes_changed: bool,
    /// The minute of the week, if the clock is set.
    pub(super) minute: Option<u16>,
    pub(super) table: Table<'a>,
    pub(super) leases: Leases<'a>,
    pub(super) controls: &'a mut [Control],
    pub(super) may_answer: bool,
    pub(super) frames: Frames<'a>,
    pub(super) reorder: Reorder<'a>,
    pub(super) backoff: Backoff,
    pub(super) relay: Relay,
    pub(super) random: Random,
    pub(super) ack_queue: Deque<u16, ACK_QUEUE>,
    /// Key changes that packets took beyond one each, for `take_extra_keys`.
    pub(super) extra_keys: u32,
    pub(super) discards: Discards,
    pub(super) causes: Causes,
    pub(super) failures: Deque<Failure, FAILURES>,
    events: Deque<Event, EVENTS>,
    /// No timer of a call or connection is due before its alarm; kept low by every step, made exact
    /// when it is reached. First the slots, then the connections.
    alarms: Alarms<'a>,
    pub(super) stopping: Option<Stopping>,
    /// What callers get of IPv6, if anything.
    pub(super) ipv6: Option<Ipv6>,
    /// The slot of the call that was found for an IPv6 address, by what the address hashes to.
    pub(super) ipv6_cache: [u16; IPV6_CACHE],
}

impl<'a> Server<'a> {
    /// A server without calls. `storage` has the sizes of `Sizes::of(&config)`; `seed` is 32
    /// octets of the kernel's entropy.
    pub fn new(config: Config, storage: Storage<'a>, seed: [u8; 32]) -> Server<'a> {
        let slots = storage.sessions.len().min(SESSIONS + LOGINS);
        Server {
            table: Table::new(&mut storage.sessions[..slots]),
            leases: Leases::new(config.pool, storage.addresses),
            controls: storage.controls,
            may_answer: false,
            frames: Frames::new(storage.frames),
            reorder: Reorder::new(storage.held),
            backoff: Backoff::new(),
            relay: Relay::new(),
            random: Random::new(seed),
            ack_queue: Deque::new(),
            extra_keys: 0,
            discards: Discards::default(),
            causes: Causes::default(),
            failures: Deque::new(),
            events: Deque::new(),
            probes: Probes::default(),
            lan: Lan::default(),
            routes: Routes::default(),
            routes_changed: false,
            minute: None,
            alarms: Alarms::new(storage.alarms),
            stopping: None,
            ipv6: None,
            ipv6_cache: [0; IPV6_CACHE],
            config,
        }
    }

    /// Mixes fresh entropy in.
    pub fn reseed(&mut self, fresh: [u8; 32]) {
        self.random.reseed(fresh);
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `handle_timeout` wants to be called, and what for.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let reorder = deadline(self.reorder.poll_timeout(), "reorder limit");
        earlier(earlier(self.alarms.first(), self.stopping_deadline()), reorder)
    }

    /// Runs everything whose time has come. Afterwards `poll_tun`, `poll_gre`, `control_output`
    /// and `poll_event` may have something.
    pub fn handle_timeout(&mut self, now: Instant) {
        // Each once: an alarm that stays in the past is for the next turn.
        for _ in 0..self.alarms.len() {
            let Some(sleeper) = self.alarms.due(now).filter(|_| self.has_room()) else { break };
            match sleeper.checked_sub(self.table.slots()) {
                None => self.call_timeout(sleeper, now),
                Some(index) => self.control_timeout(ControlId(index), now),
            }
            self.alarms.set(sleeper, self.deadline_of(sleeper));
        }
        if due(self.stopping_deadline().map(|deadline| deadline.0), now) {
            self.stopping_timeout(now);
        }
    }

    /// Whether what another timer leads to can be sent. Otherwise it waits for the next turn, instead
    /// of being lost when hundreds of calls have the same moment.
    fn has_room(&self) -> bool {
        !self.ack_queue.is_full() && self.frames.has_room(TIMER_STEPS)
    }

    fn deadline_of(&self, sleeper: u16) -> Option<Deadline> {
        match sleeper.checked_sub(self.table.slots()) {
            None => self.table.get(sleeper).and_then(Call::poll_timeout),
            Some(index) => self.control_deadline(ControlId(index)),
        }
    }

    fn call_timeout(&mut self, slot: u16, now: Instant) {
        for _ in 0..TIMER_STEPS {
            let link_at = self.table.get(slot).and_then(|call| call.link.poll_timeout());
            if !due(link_at.map(|deadline| deadline.0), now) {
                break;
            }
            let outcome = self.step(slot, now, |call, turn| call.link.handle_timeout(turn));
            self.after(slot, outcome.unwrap_or(Outcome::None), now);
        }
        self.call_deadlines(slot, now);
    }

    /// Something was done with a call: its timers may be earlier than the one that is waited for.
    pub(super) fn watch_call(&mut self, slot: u16) {
        self.alarms.advance(slot, self.deadline_of(slot));
    }

    /// A received packet may want an acknowledgment, and changes no other timer.
    pub(super) fn watch_ack(&mut self, slot: u16) {
        self.alarms.advance(slot, self.table.get(slot).and_then(Call::ack_deadline));
    }

    /// The same for a connection.
    pub(super) fn watch_control(&mut self, id: ControlId) {
        let sleeper = self.table.slots() + id.0;
        self.alarms.advance(sleeper, self.deadline_of(sleeper));
    }

    /// Something was done with all of them.
    pub(super) fn watch_all(&mut self) {
        for sleeper in 0..self.table.slots() + self.controls.len() as u16 {
            self.alarms.advance(sleeper, self.deadline_of(sleeper));
        }
    }

    /// Panics when a call or connection has a timer before its alarm.
    pub(super) fn audit_alarms(&self) {
        for sleeper in 0..self.table.slots() + self.controls.len() as u16 {
            let Some((at, reason)) = self.deadline_of(sleeper) else { continue };
            assert!(
                self.alarms.of(sleeper).is_some_and(|alarm| alarm <= at),
                "overslept: {reason}"
            );
        }
    }

    /// Lets `work` do something with a call, its frames going to the outbox.
    pub(super) fn step<T>(
        &mut self,
        slot: u16,
        now: Instant,
        work: impl FnOnce(&mut Call, &mut Turn) -> T,
    ) -> Option<T> {
        let call = self.table.get_mut(slot)?;
        let out = self.frames.outlet(slot, call.link.lcp().send_limit());
        let result = work(call, &mut Turn { out, random: &mut self.random, now });
        for _ in 0..self.frames.take_lost() {
            self.discards.count(Discard::OutboxFull);
        }
        Some(result)
    }

    /// Tells what happened to a call.
    pub(super) fn tell(&mut self, slot: u16, step: Step) {
        if let Some(call) = self.table.get(slot) {
            let (remote, call_id) = (call.path.remote, Some(call.call_id));
            self.push_event(Event { remote, call_id, step });
        }
    }

    /// When nobody reads them, the oldest events make room.
    pub(super) fn push_event(&mut self, event: Event) {
        if self.events.is_full() {
            self.events.pop_front();
        }
        let _room_was_made = self.events.push_back(event);
    }

    /// Key changes that packets took since the last `take_extra_keys`, beyond one for each.
    pub fn extra_keys(&self) -> u32 {
        self.extra_keys
    }

    /// The same, and starts anew.
    pub fn take_extra_keys(&mut self) -> u32 {
        core::mem::take(&mut self.extra_keys)
    }

    /// A packet was dropped since its caller had its share.
    pub fn overloaded(&mut self, source: Source) {
        self.discards.count(match source {
            Source::Gre(_) => Discard::GreOverload,
            Source::Tun => Discard::TunOverload,
        });
    }

    /// Remembers why a call failed or ended.
    pub(super) fn remember(&mut self, failure: Failure) {
        self.causes.count(failure.cause);
        if self.failures.is_full() {
            self.failures.pop_front();
        }
        let _room_was_made = self.failures.push_back(failure);
    }

    /// How many failed logins are borne, from the configuration.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            failures: self.config.backoff_failures,
            window: u64::from(self.config.backoff_time) * 1000,
        }
    }
}
