//! What `status` and `failures` answer: the server and its calls as named values.

use std::fmt::{self, Display};

use pptp::config::{Config, Rights};
use pptp::limits::{LOGINS, SESSIONS, UBUS_MESSAGE};
use pptp::proto::mppe::Method;
use pptp::reason::{Cause, Discard};
use pptp::session::{Failure, Server, SessionStatus, event};
use pptp::time::Instant;
use pptp::wire::blob::Table;

use super::object::Context;
use crate::io::clock::calendar;

/// Octets of the longest answer without calls: the list of failures.
const ANSWER: usize = 24 * 1024;
/// Octets of one call in `status`, with the longest name.
const SESSION: usize = 896;

const _: () = assert!(ANSWER + (SESSIONS + LOGINS) * SESSION <= UBUS_MESSAGE);

/// Octets that an answer of this server can have.
pub fn room(server: &Server) -> usize {
    ANSWER + server.sessions().count() * SESSION
}

/// The server, its counters and its calls.
pub fn put_status(context: &Context, answer: &mut Table) {
    let (server, config) = (&*context.server, context.server.config());
    answer.text("version", env!("CARGO_PKG_VERSION"));
    answer.u32("uptime", seconds(context.now, Instant(0)));
    answer.array("listening", |list| {
        for (address, port) in context.control.addresses() {
            list.text("", format_args!("{address}:{port}"));
        }
    });
    put_config(config, answer);
    answer.table("lan", |table| put_lan(context, table));
    answer.bool("zone_joined", context.zone_joined);
    answer.u32("leased", server.leased() as u32);
    answer.u32("relayed", server.relayed());
    answer.table("discards", |table| {
        for &why in Discard::ALL {
            table.u64(why.name(), server.discards().of(why).into());
        }
    });
    answer.table("causes", |table| {
        for &cause in Cause::ALL {
            table.u64(cause.name(), server.causes().of(cause).into());
        }
    });
    answer.array("sessions", |list| {
        for session in server.sessions() {
            list.table("", |entry| {
                put_session(&session, context.now, entry);
                put_routes(server, session.call_id, entry);
            });
        }
    });
}

fn put_config(config: &Config, answer: &mut Table) {
    answer.text("device", &config.device);
    answer.text("local_ip", config.local_ip);
    answer.text("pool", format_args!("{}-{}", config.pool.first, config.pool.last));
    answer.u32("max_sessions", config.max_sessions.into());
    answer.text("zone", &config.zone);
}

/// Without a device when no LAN is known.
fn put_lan(context: &Context, table: &mut Table) {
    table.text("problem", context.lan.problem());
    let Some(name) = context.lan.name() else { return };
    table.text("device", name);
    table.bool("up", context.lan.device().is_some_and(|device| device.link.up));
    let lan = context.server.lan();
    table.text("address", lan.address.map_or(String::new(), |it| it.to_string()));
    table.array("networks", |list| {
        for network in &lan.networks {
            list.text("", network);
        }
    });
}

fn put_session(session: &SessionStatus, now: Instant, entry: &mut Table) {
    entry.u32("id", session.call_id.into());
    entry.text("name", session.name);
    entry.text("address", session.address.map_or(String::new(), |it| it.to_string()));
    entry.text("ipv6", session.ipv6.map_or(String::new(), |it| it.to_string()));
    entry.text("peer", session.peer);
    entry.text("state", session.state);
    entry.u64("since", epoch(session.since, now));
    entry.u32("seconds", seconds(now, session.since));
    entry.u32("mtu", session.mtu.into());
    entry.text("mppe", Mppe(session.receive, session.send));
    entry.u64("rx_bytes", session.traffic.rx_bytes);
    entry.u64("tx_bytes", session.traffic.tx_bytes);
    entry.u64("rx_packets", session.traffic.rx_packets);
    entry.u64("tx_packets", session.traffic.tx_packets);
    entry.u32("rx_lost", session.lost);
    entry.u32("rx_reordered", session.reordered);
    if let Some(rights) = session.rights {
        put_rights(rights, entry);
    }
}

/// What the account may do.
fn put_rights(rights: &Rights, entry: &mut Table) {
    entry.bool("lan", rights.lan);
    entry.bool("internet", rights.internet);
    entry.bool("callers", rights.callers);
    for (name, number) in [
        ("rate_up", rights.rate_up),
        ("rate_down", rights.rate_down),
        ("idle_timeout", rights.idle_timeout.into()),
        ("session_timeout", rights.session_timeout.into()),
    ] {
        entry.u32(name, number);
    }
}

/// The networks that are behind the caller now.
fn put_routes(server: &Server, call_id: u16, entry: &mut Table) {
    entry.array("routes", |list| {
        for (network, _) in server.routes().filter(|route| route.1 == call_id) {
            list.text("", network);
        }
    });
}

/// The calls that failed or ended last, oldest first.
pub fn put_failures(context: &Context, answer: &mut Table) {
    answer.array("failures", |list| {
        for failure in context.server.failures() {
            list.table("", |entry| put_failure(failure, context.now, entry));
        }
    });
}

fn put_failure(failure: &Failure, now: Instant, entry: &mut Table) {
    entry.u64("when", epoch(failure.at, now));
    entry.u32("seconds", seconds(now, failure.at));
    entry.text("peer", failure.remote);
    entry.text("name", failure.name.as_str());
    entry.text("cause", failure.cause.name());
    entry.text("text", failure.cause.words());
}

/// Seconds since 1970. The calendar of a router may jump after its start, so that it is asked when
/// somebody wants to know, and not when it happened.
fn epoch(at: Instant, now: Instant) -> u64 {
    calendar().saturating_sub(now.since(at) / 1000)
}

fn seconds(now: Instant, since: Instant) -> u32 {
    (now.since(since) / 1000) as u32
}

/// The encryption from the caller and to it; nothing when there is none.
struct Mppe(Option<Method>, Option<Method>);

impl Display for Mppe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mppe(Some(receive), Some(send)) if receive == send => put_method(f, *receive),
            Mppe(None, None) => f.write_str(""),
            Mppe(receive, send) => {
                put_one(f, *receive)?;
                f.write_str(" in, ")?;
                put_one(f, *send)?;
                f.write_str(" out")
            }
        }
    }
}

fn put_one(f: &mut fmt::Formatter<'_>, method: Option<Method>) -> fmt::Result {
    match method {
        Some(method) => put_method(f, method),
        None => f.write_str("none"),
    }
}

fn put_method(f: &mut fmt::Formatter<'_>, method: Method) -> fmt::Result {
    let kind = if method.stateful { "stateful" } else { "stateless" };
    write!(f, "{} {kind}", event::bits(method.strength))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::control::Control;
    use crate::io::lan::Watch;
    use mio::Poll;
    use pptp::limits::{FAILURES, ROUTES, USERNAME};
    use pptp::proto::mppe::Strength;
    use pptp::session::{ControlId, Sizes, Storage};
    use pptp::wire::Writer;
    use pptp::wire::blob::{Blob, Value, fields, find};
    use pptp::wire::pptp::{Message, OutgoingCall, Start};
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn length(write: impl Fn(&mut Table)) -> usize {
        let mut buffer = vec![0; ANSWER];
        let mut writer = Writer::new(&mut buffer);
        Blob::new(&mut writer).table(0, |table| table.table("", write));
        writer.finish().unwrap()
    }

    const STATEFUL: Method = Method { strength: Strength::Bits56, stateful: true };

    #[test]
    fn the_longest_call_has_room() {
        let name = "n".repeat(USERNAME);
        let address = Ipv4Addr::new(255, 255, 255, 255);
        let rights = Rights::default();
        let session = SessionStatus {
            call_id: u16::MAX,
            name: &name,
            address: Some(address),
            ipv6: Some(Ipv6Addr::from_bits(u128::MAX)),
            peer: address,
            since: Instant(0),
            mtu: 1456,
            receive: Some(Method { stateful: false, ..STATEFUL }),
            send: Some(STATEFUL),
            state: "connecting",
            traffic: Default::default(),
            lost: 0,
            reordered: 0,
            rights: Some(&rights),
        };
        let rest = length(|table| {
            table.array("routes", |list| {
                (0..ROUTES).for_each(|_| list.text("", "255.255.255.255/32"));
            });
        });
        let whole = length(|table| put_session(&session, Instant(5), table)) + rest;
        assert!(whole <= SESSION, "{whole}");
    }

    #[test]
    fn the_longest_failures_and_all_counters_have_room() {
        let name = pptp::session::event::ShownName::new(&[b'n'; 128]);
        let remote = Ipv4Addr::new(255, 255, 255, 255);
        let longest = Cause::ALL.iter().max_by_key(|cause| cause.words().len()).unwrap();
        let failure = Failure { at: Instant(0), remote, name, cause: *longest };
        let one = length(|table| put_failure(&failure, Instant(5), table));
        assert!(one * FAILURES + 100 <= ANSWER);
        let counters = length(|table| {
            Discard::ALL.iter().for_each(|why| table.u64(why.name(), 0));
            Cause::ALL.iter().for_each(|cause| table.u64(cause.name(), 0));
        });
        assert!(counters + 2048 <= ANSWER);
    }

    fn handle(server: &mut Server, id: ControlId, message: &Message) {
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer);
        message.emit(&mut writer);
        server.handle_control(id, writer.written(), Instant(0));
        let answered = server.control_output(id).len();
        server.control_sent(id, answered);
    }

    /// Calls that are being set up, eight on each connection.
    fn dial(server: &mut Server, connections: u16) {
        let start = Start {
            version: 0x0100,
            framing_capabilities: 3,
            bearer_capabilities: 3,
            maximum_channels: 0,
            firmware_revision: 0,
            host_name: b"",
            vendor: b"",
        };
        for number in 0..connections {
            let remote = Ipv4Addr::from_bits(0x0a00_0000 + u32::from(number));
            let id = server.handle_accept(Ipv4Addr::LOCALHOST, remote, Instant(0)).unwrap();
            handle(server, id, &Message::StartRequest(start));
            for call_id in 1..=8 {
                let call = OutgoingCall {
                    call_id,
                    serial_number: call_id,
                    minimum_bps: 300,
                    maximum_bps: 100_000_000,
                    bearer_type: 3,
                    framing_type: 3,
                    receive_window: 64,
                    processing_delay: 0,
                    phone_number: b"",
                    subaddress: b"",
                };
                handle(server, id, &Message::OutgoingCallRequest(call));
            }
        }
    }

    #[test]
    fn the_status_of_a_thousand_calls_is_one_answer() {
        let connections = (SESSIONS / 8) as u16;
        let config = Config {
            listen: [Ipv4Addr::LOCALHOST].into_iter().collect(),
            port: 0,
            max_sessions: SESSIONS as u16,
            max_connections: connections,
            ..Config::default()
        };
        let control = Control::open(&config, Poll::new().unwrap().registry(), 0).unwrap();
        let sizes = Sizes::of(&config);
        let mut sessions = crate::storage(sizes.sessions);
        let mut controls = crate::storage(sizes.controls);
        let mut held = crate::storage(sizes.held);
        let mut frames = crate::storage(sizes.frames);
        let mut addresses = crate::storage(sizes.addresses);
        let mut alarms = crate::storage(sizes.alarms);
        let storage = Storage {
            sessions: &mut sessions,
            controls: &mut controls,
            held: &mut held,
            frames: &mut frames,
            addresses: &mut addresses,
            alarms: &mut alarms,
        };
        let mut server = Server::new(config, storage, [7; 32]);
        dial(&mut server, connections);
        let room = room(&server);
        assert!(room <= UBUS_MESSAGE);
        let (now, wants, probes) = (Instant(5000), Default::default(), Default::default());
        let (server, control, lan) = (&mut server, &control, &Watch::open(None));
        let context = Context { server, control, lan, zone_joined: false, now, probes, wants };
        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer);
        Blob::new(&mut writer).table(0, |answer| put_status(&context, answer));
        let length = writer.finish().unwrap();
        let Ok(Some(Value::Array(list))) = find(&buffer[4..length], "sessions") else { panic!() };
        assert_eq!(fields(list).filter(Result::is_ok).count(), SESSIONS);
    }

    #[test]
    fn encryption_reads_well() {
        let stateless = Method { strength: Strength::Bits128, stateful: false };
        assert_eq!(Mppe(Some(stateless), Some(stateless)).to_string(), "128 stateless");
        assert_eq!(Mppe(None, None).to_string(), "");
        let both = Mppe(Some(stateless), Some(STATEFUL)).to_string();
        assert_eq!(both, "128 stateless in, 56 stateful out");
        assert_eq!(Mppe(None, Some(STATEFUL)).to_string(), "none in, 56 stateful out");
    }
}
