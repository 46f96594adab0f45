//! ubus, OpenWrt's bus between programs: our object on it, and the callers' device in its firewall
//! zone. The server works as well without it; then it only looks from time to time whether it came.

mod notify;
mod object;
mod socket;
mod status;

use std::io::{self, ErrorKind};
use std::mem;
use std::path::{Path, PathBuf};

use ::log::debug;
use mio::event::Event;
use mio::{Registry, Token};
use pptp::config::{AUTO_PREFIX, Config};
use pptp::proto::ubus::{Call, Client, News};
use pptp::proto::zone;
use pptp::session;
use pptp::time::{Deadline, Instant};
use pptp::wire::ubus::{Caller, Status, put_invoke};
use pptp::wire::{Error, Writer};

use self::object::{Context, Done};
use self::socket::{Output, Socket};
use super::control::Control;
use super::dns::Probes;
use super::lan::Watch;
use crate::io::log::{info, warn};

/// Where ubusd listens, on releases of today and of long ago.
const SOCKETS: &[&str] = &["/var/run/ubus/ubus.sock", "/var/run/ubus.sock"];

/// Messages that one turn takes.
const MESSAGES: usize = 8;

/// Octets of the longest request: our object with its signature.
const REQUEST: usize = 512;

/// Octets of the end of an answer.
const STATUS: usize = 64;

/// Octets of the longest environment of a hotplug script.
const HOTPLUG: usize = 1024;

/// What the loop has to do after a turn.
#[derive(Debug, Default, Clone, Copy)]
pub struct Wants {
    /// The server may have something to say.
    pub answers: bool,
    /// netifd changed the TUN device.
    pub set_up: bool,
    /// Somebody wants the configuration to be read again; `reloaded` tells how that went.
    pub reload: bool,
}

/// The connection, and what is known of it.
pub struct Ubus {
    sockets: Vec<PathBuf>,
    token: Token,
    client: Client,
    socket: Option<Socket>,
    /// The lack of ubus was told.
    told: bool,
    /// Who waits for the configuration to be read.
    reloading: Option<Caller>,
    probes: Probes,
}

impl Ubus {
    /// Nothing is connected yet; `socket` is another one than the usual.
    pub fn new(socket: Option<&Path>, token: Token) -> Ubus {
        let usual = || SOCKETS.iter().map(PathBuf::from).collect();
        Ubus {
            sockets: socket.map_or_else(usual, |socket| vec![socket.into()]),
            token,
            client: Client::new(object::NAME, object::METHODS),
            socket: None,
            told: false,
            reloading: None,
            probes: Probes::default(),
        }
    }

    /// Puts the callers' device into its zone as soon as there is ubus.
    pub fn want_zone(&mut self, config: &Config, now: Instant) {
        let zone = self.client.zone();
        zone.want_prefix(config.ipv6_prefix.contains(&AUTO_PREFIX));
        zone.want(&config.zone, &config.device, now);
    }

    /// Remembers an event of the connection.
    pub fn ready(&mut self, event: &Event) {
        if let Some(socket) = &mut self.socket {
            socket.ready(event);
        }
    }

    /// Whether there is work that no event will announce.
    pub fn has_more(&self) -> bool {
        self.socket.as_ref().is_some_and(Socket::has_more)
    }

    /// When there is something to do without any event.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.client.poll_timeout()
    }

    /// Connects, takes what came, does it, and says what there is to say.
    pub fn turn(
        &mut self,
        server: &mut session::Server,
        control: &Control,
        lan: &Watch,
        registry: &Registry,
        now: Instant,
    ) -> Wants {
        let due = self.poll_timeout().is_some_and(|(at, _)| at <= now);
        if !due && !self.has_more() {
            return Wants::default();
        }
        let zone_joined = self.client.zone().is_joined();
        let (probes, wants) = (mem::take(&mut self.probes), Wants::default());
        let context = Context { server, control, lan, zone_joined, now, probes, wants };
        self.work(context, registry)
    }

    /// Nearly every turn of the loop is a packet's: what is seldom done stays out of its way.
    #[cold]
    fn work(&mut self, mut context: Context, registry: &Registry) -> Wants {
        if self.client.wants_connection(context.now) {
            self.connect(registry, context.now);
        }
        self.guarded(context.now, |ubus, socket| ubus.talk(socket, &mut context));
        self.probes = context.probes;
        context.wants
    }

    fn connect(&mut self, registry: &Registry, now: Instant) {
        let mut first = None;
        for path in &self.sockets {
            match Socket::connect(path, registry, self.token) {
                Ok(socket) => {
                    self.socket = Some(socket);
                    return self.client.handle_open(now);
                }
                Err(error) => {
                    first.get_or_insert((path, error));
                }
            }
        }
        self.client.handle_close(now);
        if let Some((path, error)) = first.filter(|_| !mem::replace(&mut self.told, true)) {
            info!("no ubus at {}: {error}: the server works without it", path.display());
        }
    }

    /// Does something with the connection; after an error there is none any more.
    fn guarded(
        &mut self,
        now: Instant,
        work: impl FnOnce(&mut Ubus, &mut Socket) -> io::Result<()>,
    ) {
        let Some(mut socket) = self.socket.take() else { return };
        match work(self, &mut socket) {
            Ok(()) => self.socket = Some(socket),
            Err(error) => {
                info!("ubus connection lost: {error}: trying again");
                (self.told, self.reloading) = (true, None);
                self.client.handle_close(now);
            }
        }
    }

    fn talk(&mut self, socket: &mut Socket, context: &mut Context) -> io::Result<()> {
        let news = self.client.handle_timeout(context.now).map_err(nonsense)?;
        self.tell(news, context);
        for _ in 0..MESSAGES {
            if socket.output.is_full() || !self.take(socket, context)? {
                break;
            }
        }
        if !socket.output.is_full() {
            let request = |writer: &mut Writer| self.client.poll_request(writer, context.now);
            socket.output.put(REQUEST, request);
        }
        socket.flush()
    }

    /// Takes one message. Whether there may be another one.
    fn take(&mut self, socket: &mut Socket, context: &mut Context) -> io::Result<bool> {
        let Some(message) = socket.input.message().map_err(nonsense)? else {
            return socket.fill();
        };
        match self.client.handle_message(&message, context.now).map_err(nonsense)? {
            News::Call(call) => self.answer(&call, &mut socket.output, context),
            news => self.tell(news, context),
        }
        socket.input.next();
        Ok(true)
    }

    /// Runs a method of our object and answers. No data goes out when it failed.
    fn answer(&mut self, call: &Call, output: &mut Output, context: &mut Context) {
        let nobody = Caller { object: 0, peer: 0, sequence: 0 };
        let caller = call.caller.unwrap_or(nobody);
        let mut result = Err(Status::UNKNOWN_ERROR);
        let has_room = output.put(status::room(context.server), |writer| {
            caller.put_data(writer, |answer| {
                result = object::run(call.method, context, call.arguments, answer);
            });
            call.caller.is_some() && result == Ok(Done::Answered)
        });
        context.wants.answers = true;
        let status = match result {
            Ok(Done::Reload) => return self.begin_reload(call.caller, output, context),
            Ok(_) if has_room => Status::OK,
            Ok(_) => Status::UNKNOWN_ERROR,
            Err(status) => status,
        };
        finish(call.caller, status, output);
    }

    /// Only one can wait for it.
    fn begin_reload(&mut self, caller: Option<Caller>, output: &mut Output, context: &mut Context) {
        context.wants.reload = true;
        finish(mem::replace(&mut self.reloading, caller), Status::OK, output);
    }

    /// Tells whoever asked for it how reading the configuration again went.
    pub fn reloaded(&mut self, status: Status, now: Instant) {
        let Some(caller) = self.reloading.take() else { return };
        self.guarded(now, |_, socket| {
            finish(Some(caller), status, &mut socket.output);
            socket.flush()
        });
    }

    /// Tells subscribers what happened. What ubusd does not take in time is lost.
    pub fn notify(&mut self, event: &session::Event, now: Instant) {
        let Some(object) = self.client.subscribed() else { return };
        let sequence = self.client.next_sequence();
        let Some(message) = notify::message(event, object, sequence) else { return };
        self.guarded(now, |_, socket| {
            if socket.output.is_full() {
                debug!("ubus does not keep up: notification lost");
                return Ok(());
            }
            socket.output.append(&message);
            socket.flush()
        });
    }

    /// Has procd run the hotplug scripts with this environment, texts that end in NUL. Whether there
    /// is somebody who does.
    pub fn hotplug(&mut self, environment: &[u8], now: Instant) -> bool {
        let Some(object) = self.client.hotplug() else { return false };
        let sequence = self.client.next_sequence();
        let variables = || environment.split(|&octet| octet == 0).map(String::from_utf8_lossy);
        self.guarded(now, |_, socket| {
            socket.output.put(HOTPLUG, |writer| {
                put_invoke(writer, sequence, object, "call", |arguments| {
                    arguments.array("env", |list| {
                        variables().filter(|it| !it.is_empty()).for_each(|it| list.text("", it));
                    });
                });
                true
            });
            socket.flush()
        });
        true
    }

    fn tell(&mut self, news: News, context: &mut Context) {
        match news {
            News::Ready => {
                self.told = true;
                info!("ubus object {} is there", object::NAME);
            }
            News::Refused(status) => warn!(
                "ubus refused the object {}: {} (another server with that name?)",
                object::NAME,
                status.words()
            ),
            News::Zone(news) => tell_zone(news, context),
            News::Call(_) | News::Nothing => {}
        }
    }
}

fn tell_zone(news: zone::News, context: &mut Context) {
    let Config { device, zone, .. } = context.server.config();
    match news {
        zone::News::Joined => info!("{device} is in the firewall zone {zone}"),
        zone::News::Left => info!("{device} is in no firewall zone"),
        zone::News::NoNetifd => info!("no netifd on ubus: {device} is in no firewall zone"),
        zone::News::Refused(status) => {
            let words = status.words();
            warn!("netifd did not put {device} into the firewall zone {zone}: {words}");
        }
        zone::News::Nothing => {}
    }
    context.wants.set_up |= matches!(news, zone::News::Joined | zone::News::Left);
}

fn finish(caller: Option<Caller>, status: Status, output: &mut Output) {
    if let Some(caller) = caller {
        output.put(STATUS, |writer| {
            caller.put_status(writer, status);
            true
        });
    }
}

fn nonsense(error: Error) -> io::Error {
    let what = match error {
        Error::Short => "no answer",
        Error::Length | Error::Value => "what came is not ubus",
    };
    io::Error::new(ErrorKind::InvalidData, what)
}
