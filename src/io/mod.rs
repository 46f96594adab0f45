//! The world outside of the protocol: the one loop that waits for sockets, the TUN device, signals
//! and time, and hands everything to the library's `Server`.

pub mod arp;
pub mod broadcasts;
pub mod clock;
pub mod conflict;
pub mod control;
pub mod dns;
pub mod failure;
pub mod gre;
pub mod hook;
pub mod hours;
pub mod lan;
pub mod log;
pub mod netlink;
pub mod open;
pub mod proxy;
pub mod signal;
pub mod source;
pub mod sys;
pub mod tun;
pub mod turns;
pub mod ubus;
pub mod uci;
pub mod welcome;

use std::mem;
use std::time::Duration;

use ::log::{debug, trace};
use mio::Events;
use pptp::config::Config;
use pptp::packet::Packet;
use pptp::reason::Discard;
use pptp::session::{FairQueue, Forward, Path, Relayed, Server, Taken};
use pptp::time::{Deadline, Instant, deadline, due, earlier};
use pptp::wire::ubus::Status;

use self::clock::Clock;
use self::failure::{Doing, Failure, is_blocked, is_interrupted};
use self::hook::Hooks;
use self::hours::Hours;
use self::open::{ARP, BROADCASTS, GRE, LAN, Open, SIGNALS, TUN, UBUS};
use self::proxy::Proxy;
use self::signal::Signal;
use self::tun::Tun;
use crate::io::log::{info, warn};

/// Packets that one turn takes from a socket or device before the others get their chance.
const BUDGET: usize = 16;

/// Events that one turn takes from the kernel; what is left comes with the next turn.
const EVENTS: usize = 64;

/// Milliseconds that the goodbye may take.
const GOODBYE_MS: u64 = 1900;

/// Milliseconds after which the server's random generator gets fresh octets from the kernel.
const RESEED_MS: u64 = 10 * 60 * 1000;

/// The server and everything around it.
pub struct World<'w, 'a> {
    server: &'w mut Server<'a>,
    open: Open,
    clock: Clock,
    events: Events,
    /// The buffer that the packet at hand is in.
    packet: &'w mut Packet,
    /// Packets that wait while more come than can be served.
    queue: FairQueue<'w, 'w>,
    /// When nothing waited there.
    calm_at: Instant,
    /// What has something for us. It is remembered here: mio reports each change once.
    ready: Ready,
    /// Whether every control connection must be looked at: something came on one, or the server may
    /// have something to say there.
    may_answer: bool,
    quota: log::Quota,
    proxy: Proxy,
    hooks: Hooks,
    hours: Hours,
    reseed_at: Instant,
    /// When the goodbye ends at the latest, once it has begun.
    stop_at: Option<Instant>,
}

#[derive(Default)]
struct Ready {
    gre: bool,
    tun: bool,
    /// Packets may be due in the reorder buffers.
    held: bool,
    broadcasts: bool,
    signals: bool,
}

/// What follows a turn of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another turn.
    Turn,
    /// The configuration shall be read again and handed to `reload`.
    Reload,
    /// Everybody was told goodbye.
    End,
}

impl<'w, 'a> World<'w, 'a> {
    /// Puts the server into its world.
    pub fn new(
        mut open: Open,
        server: &'w mut Server<'a>,
        (packet, queue): (&'w mut Packet, FairQueue<'w, 'w>),
        clock: Clock,
    ) -> World<'w, 'a> {
        let now = clock.now();
        open.ubus.want_zone(server.config(), now);
        open.tun.route(server, true);
        let mut hours = Hours::new();
        hours.follow(server.config().has_hours(), server, now);
        World {
            server,
            open,
            reseed_at: now + RESEED_MS,
            clock,
            events: Events::with_capacity(EVENTS),
            packet,
            queue,
            calm_at: now,
            ready: Ready::default(),
            may_answer: false,
            quota: log::Quota::default(),
            proxy: Proxy::default(),
            hooks: Hooks::default(),
            hours,
            stop_at: None,
        }
    }

    /// Says where callers can connect: everything is ready.
    pub fn announce(&self) {
        self.open.control.announce();
    }

    /// One turn: what is due, what is to be sent, wait, and what came, each with its budget.
    pub fn turn(&mut self) -> Result<Next, Failure> {
        let now = self.clock.now();
        self.timers(now)?;
        self.flush(now);
        if self.is_over(now) {
            self.proxy.withdraw();
            return Ok(Next::End);
        }
        self.wait(now)?;
        let now = self.clock.now();
        self.lan(now);
        self.may_answer |= self.open.arp.turn(self.server, now);
        self.control(now);
        self.packets(now)?;
        self.broadcasts(now);
        Ok(match self.ubus(now) {
            Next::Turn => self.signals(now),
            next => next,
        })
    }

    fn timers(&mut self, now: Instant) -> Result<(), Failure> {
        if self.server.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.server.handle_timeout(now);
        }
        if self.hooks.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.hooks.handle_timeout(now);
        }
        self.may_answer |= self.hours.turn(self.server, now);
        if self.reseed_at <= now {
            self.server.reseed(open::seed()?);
            self.reseed_at = now + RESEED_MS;
        }
        Ok(())
    }

    /// Sends what the server has ready. Connections first: closing one may lead to packets.
    fn flush(&mut self, now: Instant) {
        self.may_answer |= self.server.take_may_answer();
        if mem::take(&mut self.may_answer) || self.open.control.is_due(now) {
            self.open.control.send(self.server, now);
        }
        self.server.take_extra_keys();
        self.release(now);
        self.open.tun.flush();
        while let Some(path) = self.server.poll_gre(self.packet, now) {
            self.send_gre(path);
        }
        let mut happened = false;
        while let Some(event) = self.server.poll_event() {
            self.quota.log(&event, now);
            self.open.ubus.notify(&event, now);
            self.hooks.take(&event, self.server.config(), &mut self.open.ubus, now);
            happened = true;
        }
        while let Some(wish) = self.server.poll_probe() {
            self.open.arp.ask(wish, &self.open.lan);
        }
        if happened | self.server.take_routes_changed() {
            self.open.tun.route(self.server, false);
        }
        if happened {
            self.open.broadcasts.look_again();
            self.proxy.update(self.server, &self.open.lan, &self.open.arp, false);
            // A login, or a call's end, has left keys on the stack.
            sys::forget_stack();
        }
        self.listen_to_lan();
    }

    /// Sleeps until something comes or is due, and remembers what came.
    fn wait(&mut self, now: Instant) -> Result<(), Failure> {
        let time = self.time_to_wait(now);
        match self.open.poll.poll(&mut self.events, time) {
            Err(error) if is_interrupted(&error) => return Ok(()),
            result => result.doing("wait for events")?,
        }
        for event in &self.events {
            match event.token() {
                SIGNALS => self.ready.signals = true,
                GRE => self.ready.gre = true,
                TUN => self.ready.tun = true,
                UBUS => self.open.ubus.ready(event),
                LAN => self.open.lan.ready(),
                BROADCASTS => self.ready.broadcasts = true,
                ARP => self.open.arp.ready(),
                _ => self.open.control.ready(event),
            }
        }
        Ok(())
    }

    fn time_to_wait(&self, now: Instant) -> Option<Duration> {
        let ready = &self.ready;
        let more = self.open.control.has_more() || self.open.ubus.has_more();
        let more = more || self.open.arp.has_more();
        let more = more || ready.held || !self.queue.is_empty();
        if ready.signals || ready.gre || ready.tun || ready.broadcasts || more {
            return Some(Duration::ZERO);
        }
        let (at, reason) = self.poll_timeout()?;
        // What was due has been done. A deadline that is still in the past would be a mistake, and
        // without a pause it would turn into a loop that never sleeps.
        let millis = at.since(now).max(1);
        trace!("waiting at most {millis} ms: {reason}");
        Some(Duration::from_millis(millis))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let stop = deadline(self.stop_at, "end of the goodbye");
        let sockets = earlier(self.open.control.poll_timeout(), self.open.ubus.poll_timeout());
        let sockets = earlier(sockets, self.open.lan.poll_timeout());
        let own = earlier(self.hooks.poll_timeout(), self.hours.poll_timeout());
        earlier(self.server.poll_timeout(), earlier(sockets, earlier(own, stop)))
    }

    fn control(&mut self, now: Instant) {
        let registry = self.open.poll.registry();
        self.may_answer |= self.open.control.receive(self.server, registry, now);
    }

    /// What the kernel says of the LAN.
    fn lan(&mut self, now: Instant) {
        if self.open.lan.turn(self.server.config(), now) {
            self.server.lan_changed(self.open.lan.lan());
            let Open { lan, arp, poll, .. } = &mut self.open;
            arp.follow(self.server, lan, poll.registry());
            self.proxy.update(self.server, lan, arp, true);
            self.ipv6(now);
            self.open.broadcasts.look_again();
        }
    }

    /// What that means for the callers' IPv6.
    fn ipv6(&mut self, now: Instant) {
        let ipv6 = lan::ipv6(self.open.lan.facts(), self.server.config());
        self.server.ipv6_changed(ipv6, now);
    }

    /// From the callers to the LAN.
    fn gre(&mut self, now: Instant) {
        for _ in 0..BUDGET {
            if !self.ready.gre || self.server.extra_keys() >= turns::EXTRA_KEYS {
                break;
            }
            match self.open.gre.read(self.packet) {
                Ok(Some(from)) => {
                    let taken = self.server.handle_gre(from, self.packet, now);
                    self.taken(taken, now);
                }
                Ok(None) => debug!("packet that is no IP packet ignored"),
                Err(error) => self.ready.gre = is_passing(&error, "GRE socket"),
            }
            self.release(now);
        }
        self.open.tun.flush();
    }

    fn taken(&mut self, taken: Result<Taken, Discard>, now: Instant) {
        if let Ok(taken) = taken {
            self.pass(taken, now);
        }
    }

    /// What the reorder buffers let go. Where that costs much, the rest has time until the next turn.
    fn release(&mut self, now: Instant) {
        loop {
            self.ready.held = self.server.extra_keys() >= turns::EXTRA_KEYS;
            if self.ready.held {
                return;
            }
            match self.server.poll_tun(self.packet, now) {
                Taken::Nothing => return,
                taken => self.pass(taken, now),
            }
        }
    }

    /// Hands on what became of a received packet.
    fn pass(&mut self, taken: Taken, now: Instant) {
        match taken {
            Taken::Tun => self.open.tun.write(self.packet),
            Taken::Gre(path) => self.send_gre(path),
            Taken::Relay => self.relay(now),
            Taken::Nothing => {}
        }
    }

    fn send_gre(&mut self, path: Path) {
        if !self.open.gre.send(self.packet, path) {
            self.server.unsent();
        }
    }

    /// Hands out the copies of a broadcast.
    fn relay(&mut self, now: Instant) {
        while let Some(to) = self.server.poll_relay(self.packet, now) {
            match to {
                Relayed::Gre(path) => self.send_gre(path),
                Relayed::Tun => self.open.tun.write(self.packet),
                Relayed::Lan => self.open.broadcasts.send(self.packet),
            }
        }
    }

    /// From the LAN to the callers.
    fn tun(&mut self, now: Instant) -> Result<(), Failure> {
        for _ in 0..BUDGET {
            if !self.ready.tun {
                break;
            }
            match self.open.tun.read(self.packet) {
                Ok(()) => self.forward(now),
                Err(error) if tun::is_gone(&error) => self.make_tun_again()?,
                Err(error) => self.ready.tun = is_passing(&error, "TUN device"),
            }
        }
        Ok(())
    }

    fn forward(&mut self, now: Instant) {
        match self.server.handle_tun(self.packet, now) {
            Ok(Forward::Gre(path)) => self.send_gre(path),
            Ok(Forward::Tun) => self.open.tun.write(self.packet),
            Err(_counted) => {}
        }
    }

    /// From the LAN to everybody.
    fn broadcasts(&mut self, now: Instant) {
        for _ in 0..BUDGET {
            if !self.ready.broadcasts {
                return;
            }
            match self.open.broadcasts.read(self.packet) {
                Ok(()) if self.server.handle_lan(self.packet, now).is_ok() => self.relay(now),
                Ok(()) => {}
                Err(error) => self.ready.broadcasts = is_passing(&error, "broadcasts of the LAN"),
            }
        }
    }

    /// Listens to the LAN while somebody is online who may have its broadcasts.
    fn listen_to_lan(&mut self) {
        let Open { broadcasts, lan, poll, .. } = &mut self.open;
        let index = lan.device().map(|device| device.link.index);
        broadcasts.listen(self.server, index, poll.registry());
    }

    /// Somebody removed the device; the calls can go on over a new one.
    fn make_tun_again(&mut self) -> Result<(), Failure> {
        let config = self.server.config();
        warn!("{} was removed: making it again", config.device);
        self.open.tun = Tun::open(config)?;
        self.open.tun.route(self.server, true);
        self.ready.tun = false;
        self.open.watch_tun()
    }

    /// What other programs of this router want.
    fn ubus(&mut self, now: Instant) -> Next {
        let Open { ubus, control, poll, tun, lan, .. } = &mut self.open;
        let wants = ubus.turn(self.server, control, lan, poll.registry(), now);
        self.may_answer |= wants.answers;
        if wants.set_up
            && let Err(failure) = tun.set_up(self.server.config())
        {
            warn!("{failure}");
        }
        if wants.set_up {
            tun.route(self.server, true);
        }
        if wants.reload && self.stop_at.is_none() { Next::Reload } else { Next::Turn }
    }

    fn signals(&mut self, now: Instant) -> Next {
        if !self.ready.signals {
            return Next::Turn;
        }
        match self.open.signals.read() {
            Some(Signal::Stop) if self.stop_at.is_some() => Next::End,
            Some(Signal::Stop) => self.say_goodbye(now),
            Some(Signal::Reload) if self.stop_at.is_none() => Next::Reload,
            Some(Signal::Reload) => Next::Turn,
            Some(Signal::Child) => {
                self.hooks.child_ended(self.server.config(), now);
                Next::Turn
            }
            None => {
                self.ready.signals = false;
                Next::Turn
            }
        }
    }

    fn say_goodbye(&mut self, now: Instant) -> Next {
        info!("stopping");
        self.stop_at = Some(now + GOODBYE_MS);
        self.open.control.stop_listening();
        self.server.shutdown(now);
        self.may_answer = true;
        Next::Turn
    }

    fn is_over(&self, now: Instant) -> bool {
        let all_said = || {
            let server = &*self.server;
            server.is_finished() && self.open.control.all_sent(server) && self.hooks.is_idle()
        };
        self.stop_at.is_some() && (due(self.stop_at, now) || all_said())
    }

    /// Takes a new configuration; what only counts at the start stays as it is, with a warning.
    pub fn reload(&mut self, mut config: Config) {
        source::keep_fixed(self.server.config(), &mut config);
        log::set_level(config.log_level);
        let now = self.clock.now();
        self.hours.follow(config.has_hours(), self.server, now);
        self.server.reload(config, now);
        self.may_answer = true;
        if let Err(failure) = self.open.tun.set_up(self.server.config()) {
            warn!("{failure}");
        }
        self.open.tun.route(self.server, true);
        info!("configuration read again");
        self.open.lan.look_again(now);
        self.ipv6(now);
        self.open.broadcasts.look_again();
        self.open.ubus.want_zone(self.server.config(), now);
        self.open.ubus.reloaded(Status::OK, now);
    }

    /// The configuration stays; whoever asked for another one is told why.
    pub fn keep(&mut self, why: Status) {
        self.open.ubus.reloaded(why, self.clock.now());
    }
}

/// Whether to read on after a failed read: not when there was nothing, and not after an error that
/// may last; the next event comes with the next packet.
fn is_passing(error: &std::io::Error, what: &str) -> bool {
    if !is_blocked(error) {
        debug!("{what}: {error}");
    }
    is_interrupted(error)
}
