//! The object `pptp-server` on ubus: its methods. What an argument means is decided here; arguments
//! that nobody knows are ignored, since LuCI adds one of its own to every call.

use std::net::Ipv4Addr;

use pptp::session::{Call, Server};
use pptp::time::Instant;
use pptp::wire::blob::{Table, Value, find};
use pptp::wire::ubus::{Method, NUMBER, Status, TEXT};

use super::Wants;
use super::status::{put_failures, put_status};
use crate::io::control::Control;
use crate::io::dns::Probes;
use crate::io::lan::Watch;
use crate::io::tun;

/// The object's name.
pub const NAME: &str = "pptp-server";

/// What the methods work with.
pub struct Context<'c, 's> {
    pub server: &'c mut Server<'s>,
    pub control: &'c Control,
    pub lan: &'c Watch,
    pub zone_joined: bool,
    pub now: Instant,
    pub probes: Probes,
    /// What the loop has to do afterwards.
    pub wants: Wants,
}

/// How a call went on, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The answer's data was written.
    Answered,
    /// There is nothing to tell.
    Silently,
    /// The answer follows when the configuration was read.
    Reload,
}

type Run = fn(&mut Context, &[u8], &mut Table) -> Result<Done, Status>;

struct Row {
    method: Method,
    run: Run,
}

const ROWS: &[Row] = &[
    Row { method: Method { name: "status", arguments: &[] }, run: status },
    Row {
        method: Method { name: "disconnect", arguments: &[("id", NUMBER), ("name", TEXT)] },
        run: disconnect,
    },
    Row { method: Method { name: "failures", arguments: &[] }, run: failures },
    Row {
        method: Method { name: "unblock", arguments: &[("address", TEXT), ("name", TEXT)] },
        run: unblock,
    },
    Row { method: Method { name: "reload", arguments: &[] }, run: reload },
    Row { method: Method { name: "check", arguments: &[] }, run: check },
];

/// The object's signature.
pub const METHODS: &[Method] = &{
    let mut methods = [ROWS[0].method; ROWS.len()];
    let mut at = 1;
    while at < ROWS.len() {
        methods[at] = ROWS[at].method;
        at += 1;
    }
    methods
};

/// Runs a method and writes the data of its answer.
pub fn run(
    method: &[u8],
    context: &mut Context,
    arguments: Option<&[u8]>,
    answer: &mut Table,
) -> Result<Done, Status> {
    let row = ROWS.iter().find(|row| row.method.name.as_bytes() == method);
    let row = row.ok_or(Status::METHOD_NOT_FOUND)?;
    (row.run)(context, arguments.ok_or(Status::INVALID_ARGUMENT)?, answer)
}

/// What only shows when somebody looks: whether the kernel forwards packets, and DNS servers answer.
fn check(context: &mut Context, _: &[u8], answer: &mut Table) -> Result<Done, Status> {
    let Context { server, probes, now, .. } = context;
    let config = server.config();
    answer.bool("forwarding", tun::obstacle(config).is_none());
    answer.array("dns", |list| {
        probes.check(&config.dns, *now, |server, state| {
            list.table("", |entry| {
                entry.text("address", server);
                entry.text("state", state);
            });
        });
    });
    Ok(Done::Answered)
}

fn status(context: &mut Context, _: &[u8], answer: &mut Table) -> Result<Done, Status> {
    put_status(context, answer);
    Ok(Done::Answered)
}

fn failures(context: &mut Context, _: &[u8], answer: &mut Table) -> Result<Done, Status> {
    put_failures(context, answer);
    Ok(Done::Answered)
}

/// Ends the call with this Call ID, or every call of this account; with both, both must fit. A call
/// that is ending already does not count.
fn disconnect(context: &mut Context, arguments: &[u8], answer: &mut Table) -> Result<Done, Status> {
    let (id, name) = (number(arguments, "id")?, text(arguments, "name")?);
    if id.is_none() && name.is_none() {
        return Err(Status::INVALID_ARGUMENT);
    }
    let wanted = |call: &Call| {
        call.link.cause().is_none()
            && id.is_none_or(|id| id == u64::from(call.call_id))
            && name.is_none_or(|name| call.user.as_deref().map(str::as_bytes) == Some(name))
    };
    match context.server.disconnect(wanted, context.now) {
        0 => Err(Status::NOT_FOUND),
        count => {
            answer.u32("count", count as u32);
            Ok(Done::Answered)
        }
    }
}

/// Ends the wait after failed logins of an address, of an account, or of both.
fn unblock(context: &mut Context, arguments: &[u8], _: &mut Table) -> Result<Done, Status> {
    let (address, name) = (text(arguments, "address")?, text(arguments, "name")?);
    if address.is_none() && name.is_none() {
        return Err(Status::INVALID_ARGUMENT);
    }
    let address = address.map(parse_address).transpose()?;
    if !context.server.unblock(address, name) {
        return Err(Status::NOT_FOUND);
    }
    Ok(Done::Silently)
}

fn parse_address(text: &[u8]) -> Result<Ipv4Addr, Status> {
    let text = str::from_utf8(text).map_err(|_| Status::INVALID_ARGUMENT)?;
    text.parse().map_err(|_| Status::INVALID_ARGUMENT)
}

fn reload(_: &mut Context, _: &[u8], _: &mut Table) -> Result<Done, Status> {
    Ok(Done::Reload)
}

/// A number; null is as good as none.
fn number(arguments: &[u8], name: &str) -> Result<Option<u64>, Status> {
    match find(arguments, name) {
        Ok(None | Some(Value::Null)) => Ok(None),
        Ok(Some(Value::Number(number))) => Ok(Some(number)),
        _ => Err(Status::INVALID_ARGUMENT),
    }
}

/// A text; an empty one is as good as none.
fn text<'a>(arguments: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Status> {
    match find(arguments, name) {
        Ok(None | Some(Value::Null | Value::Text(b""))) => Ok(None),
        Ok(Some(Value::Text(text))) => Ok(Some(text)),
        _ => Err(Status::INVALID_ARGUMENT),
    }
}
