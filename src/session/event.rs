//! What happened, one line per step of a call's life: for the log, for ubus, and for the list of
//! failures. Never a password, hash or key.

use core::fmt::{self, Display, Formatter};
use core::net::Ipv4Addr;

use heapless::String;

use super::table::Traffic;
use crate::config::{LogLevel, Network};
use crate::proto::mppe::{Method, Strength};
use crate::reason::{Cause, Discard};
use crate::time::Instant;

/// Octets of a name in an event; a longer one is cut.
const SHOWN_NAME: usize = 64;

/// A name as a stranger sent it, fit to be printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShownName(String<SHOWN_NAME>);

impl ShownName {
    /// Octets that are not printable UTF-8 are shown as `?`.
    pub fn new(octets: &[u8]) -> ShownName {
        let mut shown = String::new();
        for chunk in octets.utf8_chunks() {
            let invalid = if chunk.invalid().is_empty() { "" } else { "?" };
            for letter in chunk.valid().chars().chain(invalid.chars()) {
                let letter = if letter.is_control() || letter == '"' { '?' } else { letter };
                if shown.push(letter).is_err() {
                    return ShownName(shown);
                }
            }
        }
        ShownName(shown)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A control connection was accepted.
    Connected,
    /// A connection was refused or closed before any call.
    Refused(Discard),
    /// A call began.
    Started,
    /// A call was refused.
    CallRefused(Cause),
    /// LCP is open.
    Established,
    /// No GRE packet has arrived for a while.
    NoGre,
    /// The login was right.
    LoggedIn { name: ShownName },
    /// The login was refused.
    LoginFailed { name: ShownName, cause: Cause },
    /// MPPE is on in both directions: how we receive, and how we send.
    Encrypted { receive: Method, send: Method },
    /// A machine of the LAN has the address that the call was to get, or has.
    Conflict { address: Ipv4Addr },
    /// Packets pass.
    Open { name: ShownName, address: Ipv4Addr, mtu: u16, encrypted: bool },
    /// A network is behind the caller, or why it is not.
    Route { network: Network, refused: Option<&'static str> },
    /// Packets do not pass for now.
    Suspended,
    /// The caller sent a router advertisement or a redirect in IPv6.
    ActsAsRouter,
    /// Broadcasts of the caller, or of a machine in the LAN, do not go on.
    HeldBack(Discard),
    /// The call is over; `address` is the one under which it was online, if it ever was.
    Ended {
        cause: Cause,
        name: ShownName,
        address: Option<Ipv4Addr>,
        seconds: u64,
        traffic: Traffic,
    },
}

/// One step of one call or control connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The peer's address.
    pub remote: Ipv4Addr,
    /// The Call ID that we gave, if it concerns a call.
    pub call_id: Option<u16>,
    pub step: Step,
}

impl Event {
    /// How much the line matters.
    pub fn level(&self) -> LogLevel {
        match self.step {
            Step::Connected | Step::Refused(_) => LogLevel::Debug,
            Step::NoGre
            | Step::ActsAsRouter
            | Step::Conflict { .. }
            | Step::HeldBack(_)
            | Step::LoginFailed { .. }
            | Step::CallRefused(_)
            | Step::Route { refused: Some(_), .. } => LogLevel::Warn,
            _ => LogLevel::Info,
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.call_id {
            Some(call_id) => write!(f, "call {call_id} from {}: ", self.remote)?,
            None if matches!(self.step, Step::HeldBack(_)) => write!(f, "LAN, {}: ", self.remote)?,
            None => write!(f, "connection from {}: ", self.remote)?,
        }
        match &self.step {
            Step::Connected => f.write_str("accepted"),
            Step::Refused(why) => write!(f, "closed: {}", why.words()),
            Step::Started => f.write_str("started"),
            Step::CallRefused(cause) => write!(f, "call refused: {}", cause.words()),
            Step::Established => f.write_str("LCP is open, asking for the login"),
            Step::NoGre => f.write_str(
                "TCP 1723 works but no GRE packet has arrived in 10 s; does a router or provider \
                 on the way block IP protocol 47?",
            ),
            Step::LoggedIn { name } => write!(f, "logged in as \"{}\"", name.as_str()),
            Step::LoginFailed { name, cause } => {
                write!(f, "login as \"{}\" failed: {}", name.as_str(), cause.words())
            }
            Step::Encrypted { receive, send } => fmt_encrypted(f, *receive, *send),
            Step::Conflict { address } => {
                write!(f, "{address} is in use by a machine of the LAN")
            }
            Step::Open { name, address, mtu, encrypted } => {
                let how = if *encrypted { "encrypted" } else { "NOT ENCRYPTED" };
                write!(f, "\"{}\" is online as {address}, mtu {mtu}, {how}", name.as_str())
            }
            Step::ActsAsRouter => {
                f.write_str("acts as an IPv6 router, which is ignored: does it share its Internet?")
            }
            Step::Route { network, refused: None } => write!(f, "{network} is behind the caller"),
            Step::Route { network, refused: Some(why) } => {
                write!(f, "{network} is not routed to the caller: {why}")
            }
            Step::HeldBack(why) => write!(f, "broadcasts are held back: {}", why.words()),
            Step::Suspended => f.write_str("the caller renegotiates, packets wait"),
            Step::Ended { cause, name, seconds, traffic, .. } => {
                fmt_ended(f, *cause, name, *seconds, traffic)
            }
        }
    }
}

fn fmt_encrypted(f: &mut Formatter<'_>, receive: Method, send: Method) -> fmt::Result {
    f.write_str("encryption is on: ")?;
    fmt_method(f, receive)?;
    if send != receive {
        f.write_str(" from the caller, ")?;
        fmt_method(f, send)?;
        f.write_str(" to it")?;
    }
    Ok(())
}

fn fmt_method(f: &mut Formatter<'_>, method: Method) -> fmt::Result {
    let bits = bits(method.strength);
    write!(f, "MPPE-{bits} {}", if method.stateful { "stateful" } else { "stateless" })
}

/// Number of bits of a key strength.
pub fn bits(strength: Strength) -> u8 {
    match strength {
        Strength::Bits40 => 40,
        Strength::Bits56 => 56,
        Strength::Bits128 => 128,
    }
}

fn fmt_ended(
    f: &mut Formatter<'_>,
    cause: Cause,
    name: &ShownName,
    seconds: u64,
    traffic: &Traffic,
) -> fmt::Result {
    f.write_str("ended")?;
    if !name.as_str().is_empty() {
        write!(f, " (\"{}\")", name.as_str())?;
    }
    write!(f, " after {seconds} s: {}", cause.words())?;
    if traffic.rx_packets + traffic.tx_packets > 0 {
        write!(f, "; {} bytes from the caller", traffic.rx_bytes)?;
        write!(f, ", {} to it", traffic.tx_bytes)?;
    }
    f.write_str("")
}

/// A call that failed or ended, for the list that a person reads to find out why.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub at: Instant,
    pub remote: Ipv4Addr,
    pub name: ShownName,
    pub cause: Cause,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_of_strangers_cannot_forge_log_lines() {
        assert_eq!(ShownName::new(b"a\nb\"\x1b[0m\xff").as_str(), "a?b??[0m?");
        assert_eq!(ShownName::new("Jürgen".as_bytes()).as_str(), "Jürgen");
        assert!(ShownName::new(&[b'x'; 500]).as_str().len() <= SHOWN_NAME);
    }

    #[test]
    fn lines_read_as_sentences() {
        let remote = Ipv4Addr::new(203, 0, 113, 7);
        let name = ShownName::new(b"alice");
        let step = Step::LoginFailed { name, cause: Cause::WrongPassword };
        let event = Event { remote, call_id: Some(4123), step };
        let line = event.to_string();
        assert!(line.starts_with("call 4123 from 203.0.113.7: login as \"alice\" failed: wrong"));
    }
}
