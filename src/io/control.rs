//! The TCP connections of RFC 2637's control protocol: accepted, read and written with a budget,
//! closed so that the last words still arrive.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4};

use log::debug;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use pptp::config::Config;
use pptp::session::{ControlId, Server, Sizes};
use pptp::time::{Deadline, Instant, deadline, due, earlier};

use super::failure::{Doing, Failure, is_blocked, is_interrupted};
use crate::io::log::{info, warn};

/// Connections accepted in one turn, so that a flood of them leaves time for packets.
const ACCEPTS: usize = 8;

/// Octets read from one connection in one turn: a caller's whole call set-up is less.
const READ: usize = 512;

/// Milliseconds until the next attempt when accepting failed for want of descriptors or memory.
const ACCEPT_PAUSE_MS: u64 = 500;

/// Milliseconds that a connection which shall be closed may take to read our last words and close
/// its side.
const LINGER_MS: u64 = 1000;

/// All listeners and connections.
pub struct Control {
    first_token: usize,
    listeners: Vec<Listener>,
    /// No attempt to accept before this: the system ran out of something.
    accept_at: Option<Instant>,
    /// By `ControlId`.
    connections: Vec<Option<Connection>>,
    /// The ids that are in use, in no order.
    active: Vec<u16>,
    /// Whether an event or an unfinished piece of work waits for `receive`.
    waiting: bool,
    /// When the first connection that is being closed has had its time.
    close_at: Option<Instant>,
    /// Whether the last attempt to accept failed: that is said once.
    ran_out: bool,
}

struct Listener {
    socket: TcpListener,
    ready: bool,
}

struct Connection {
    stream: TcpStream,
    /// Readiness is remembered: mio reports each change once.
    readable: bool,
    writable: bool,
    closing: Option<Closing>,
}

/// A connection that shall be closed.
struct Closing {
    /// At the latest.
    at: Instant,
    /// Whether everything was said and our side is closed.
    said: bool,
}

/// What became of a connection in one turn.
enum Verdict {
    Stays,
    /// It is being closed; `more` when it has octets that are still to be thrown away.
    Closing {
        at: Instant,
        more: bool,
    },
    Over,
}

impl Control {
    /// Listens on every address of the configuration. Events come with tokens from `first_token`.
    pub fn open(
        config: &Config,
        registry: &Registry,
        first_token: usize,
    ) -> Result<Control, Failure> {
        let capacity = Sizes::of(config).controls;
        let mut control = Control {
            first_token,
            listeners: Vec::with_capacity(config.listen.len()),
            accept_at: None,
            connections: (0..capacity).map(|_| None).collect(),
            active: Vec::with_capacity(capacity),
            waiting: false,
            close_at: None,
            ran_out: false,
        };
        for address in &config.listen {
            let address = SocketAddrV4::new(*address, config.port);
            let doing = format_args!("listen on {}:{}", address.ip(), address.port());
            let mut socket = TcpListener::bind(address.into()).doing_or(doing, listen_advice)?;
            let token = Token(first_token + capacity + control.listeners.len());
            registry.register(&mut socket, token, Interest::READABLE).doing(doing)?;
            control.listeners.push(Listener { socket, ready: false });
        }
        Ok(control)
    }

    /// Says where callers can connect.
    pub fn announce(&self) {
        for listener in &self.listeners {
            match address_of(listener) {
                Some((address, port)) => info!("listening on {address}:{port}"),
                None => warn!("listening, but the address is unknown"),
            }
        }
    }

    /// Where it listens.
    pub fn addresses(&self) -> impl Iterator<Item = (Ipv4Addr, u16)> {
        self.listeners.iter().filter_map(address_of)
    }

    /// Takes no more connections.
    pub fn stop_listening(&mut self) {
        self.listeners.clear();
        self.accept_at = None;
    }

    /// Remembers an event whose token is `first_token` or more.
    pub fn ready(&mut self, event: &Event) {
        let number = event.token().0 - self.first_token;
        self.waiting = true;
        if let Some(Some(connection)) = self.connections.get_mut(number) {
            // An error is seen by the next read.
            connection.readable |= event.is_readable() || event.is_error();
            connection.writable |= event.is_writable();
        } else if let Some(listener) =
            number.checked_sub(self.connections.len()).and_then(|at| self.listeners.get_mut(at))
        {
            listener.ready = true;
        }
    }

    /// Whether there is work that no further event will announce.
    pub fn has_more(&self) -> bool {
        self.waiting
    }

    /// Accepts and reads, at most the budget of one turn. Returns whether anything was done, so
    /// that there may be answers.
    pub fn receive(&mut self, server: &mut Server, registry: &Registry, now: Instant) -> bool {
        if due(self.accept_at, now) {
            self.accept_at = None;
            self.waiting = true;
        }
        if !self.waiting {
            return false;
        }
        self.waiting = false;
        self.read_all(server, now);
        self.accept_all(server, registry, now);
        true
    }

    fn read_all(&mut self, server: &mut Server, now: Instant) {
        for id in &self.active {
            let Some(connection) = &mut self.connections[usize::from(*id)] else { continue };
            if connection.readable && connection.closing.is_none() {
                if connection.read(|octets| server.handle_control(ControlId(*id), octets, now)) {
                    // The peer is gone: no time for last words.
                    connection.closing = Some(Closing { at: now, said: true });
                }
                self.waiting |= connection.readable;
            }
        }
    }

    fn accept_all(&mut self, server: &mut Server, registry: &Registry, now: Instant) {
        for at in 0..self.listeners.len() {
            for _ in 0..ACCEPTS {
                if self.accept_at.is_some() || !self.listeners[at].ready {
                    break;
                }
                match self.listeners[at].socket.accept() {
                    Ok((stream, remote)) => self.add(stream, remote, server, registry, now),
                    Err(error) => self.accept_failed(at, &error, now),
                }
            }
            self.waiting |= self.accept_at.is_none() && self.listeners[at].ready;
        }
    }

    /// Tries again after a pause when something ran out: the connection still waits in the queue
    /// and no event will come for it. A caller who gave up before he was accepted is no reason.
    fn accept_failed(&mut self, at: usize, error: &io::Error, now: Instant) {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                if !self.ran_out {
                    warn!("cannot accept a connection: {error}: trying again");
                }
                self.ran_out = true;
                self.accept_at = Some(now + ACCEPT_PAUSE_MS);
            }
            _ if is_blocked(error) => self.listeners[at].ready = false,
            _ => debug!("connection lost before it was accepted: {error}"),
        }
    }

    /// Makes a connection known to the server; one that it does not want is closed at once.
    fn add(
        &mut self,
        mut stream: TcpStream,
        remote: SocketAddr,
        server: &mut Server,
        registry: &Registry,
        now: Instant,
    ) {
        let (Some(remote), Some(local)) = (ipv4(Ok(remote)), ipv4(stream.local_addr())) else {
            return;
        };
        self.ran_out = false;
        let Ok(id) = server.handle_accept(local, remote, now) else { return };
        // Without this an answer could wait for the acknowledgment of the one before.
        let _ = stream.set_nodelay(true);
        let token = Token(self.first_token + usize::from(id.0));
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = registry.register(&mut stream, token, both) {
            warn!("connection of {remote} lost: {error}");
            server.handle_close(id, now);
            return;
        }
        let connection = Connection { stream, readable: false, writable: true, closing: None };
        self.connections[usize::from(id.0)] = Some(connection);
        self.active.push(id.0);
    }

    /// Whether `send` has something to close.
    pub fn is_due(&self, now: Instant) -> bool {
        due(self.close_at, now)
    }

    /// Writes what the server has to say and closes what it wants closed.
    pub fn send(&mut self, server: &mut Server, now: Instant) {
        self.close_at = None;
        let mut at = 0;
        while let Some(id) = self.active.get(at).map(|id| ControlId(*id)) {
            let slot = &mut self.connections[usize::from(id.0)];
            match slot.as_mut().map_or(Verdict::Over, |it| it.turn(id, server, now)) {
                Verdict::Stays => at += 1,
                Verdict::Closing { at: latest, more } => {
                    self.close_at = Some(self.close_at.map_or(latest, |first| first.min(latest)));
                    self.waiting |= more;
                    at += 1;
                }
                Verdict::Over => {
                    *slot = None;
                    self.active.swap_remove(at);
                    server.handle_close(id, now);
                }
            }
        }
    }

    /// Whether every connection has taken what the server had to say to it.
    pub fn all_sent(&self, server: &Server) -> bool {
        self.active.iter().all(|id| server.control_output(ControlId(*id)).is_empty())
    }

    /// When there is something to do without any event.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let accept = deadline(self.accept_at, "accept again");
        earlier(accept, deadline(self.close_at, "close a connection"))
    }
}

impl Connection {
    /// Reads at most one chunk; true when the peer closed or the connection failed.
    fn read(&mut self, handle: impl FnOnce(&[u8])) -> bool {
        let mut chunk = [0; READ];
        match self.stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(length) => handle(&chunk[..length]),
            Err(error) if is_blocked(&error) => self.readable = false,
            Err(error) if is_interrupted(&error) => {}
            Err(_) => return true,
        }
        false
    }

    fn turn(&mut self, id: ControlId, server: &mut Server, now: Instant) -> Verdict {
        let silent = server.control_output(id).is_empty();
        if self.closing.is_none() && server.wants_close(id) {
            // Nobody waits for a peer to whom there is nothing to say: the place may be needed.
            let patience = if silent { 0 } else { LINGER_MS };
            self.closing = Some(Closing { at: now + patience, said: silent });
        }
        let failed = self.write(id, server).is_err();
        let all_said = server.control_output(id).is_empty();
        let Some(closing) = &mut self.closing else {
            return if failed { Verdict::Over } else { Verdict::Stays };
        };
        let at = closing.at;
        if all_said && !closing.said {
            closing.said = true;
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        if self.drain() || failed || at <= now {
            return Verdict::Over;
        }
        Verdict::Closing { at, more: self.readable }
    }

    /// Writes as much as the peer takes.
    fn write(&mut self, id: ControlId, server: &mut Server) -> io::Result<()> {
        while self.writable && !server.control_output(id).is_empty() {
            match self.stream.write(server.control_output(id)) {
                Ok(length) => server.control_sent(id, length),
                Err(error) if is_blocked(&error) => self.writable = false,
                Err(error) if is_interrupted(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Throws away what a peer still says whose connection is being closed: closing with unread
    /// octets would reset the connection, and our last words would be lost. True when it closed.
    fn drain(&mut self) -> bool {
        self.readable && self.read(|_| {})
    }
}

/// The address and the TCP port.
fn address_of(listener: &Listener) -> Option<(Ipv4Addr, u16)> {
    let address = listener.socket.local_addr().ok()?;
    Some((ipv4(Ok(address))?, address.port()))
}

fn ipv4(address: io::Result<SocketAddr>) -> Option<Ipv4Addr> {
    match address {
        Ok(SocketAddr::V4(address)) => Some(*address.ip()),
        _ => None,
    }
}

fn listen_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            "another program listens there (another PPTP server?): stop it, or \
                                 set another 'port'"
        }
        Some(libc::EADDRNOTAVAIL) => "this machine does not have the address: set another 'listen'",
        Some(libc::EACCES | libc::EPERM) => {
            "the capability CAP_NET_BIND_SERVICE is needed for this port: run as root"
        }
        _ => "",
    }
}
