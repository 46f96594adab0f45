//! What the kinds of options take, in words and to be done.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use heapless::string::StringView;
use heapless::{LenType, VecView};

use super::hours::Span;
use super::load::Draft;
use super::options::{DEVICE, ZONE};
use super::value::{self, Fault};
use super::{Network, Pool, Ports, RATE_MAX, Secret};
use crate::limits;

/// A word of a choice and what it sets.
pub type Word = (&'static str, fn(&mut Draft));

/// What an option takes, and where that goes. Displays what is allowed.
#[derive(Debug)]
pub enum Field {
    /// On or off.
    Switch(fn(&mut Draft, bool)),
    /// A number within two limits.
    Number(u16, u16, fn(&mut Draft, u16)),
    /// One of some words.
    Choice(&'static [Word]),
    /// An address that a machine can have.
    Address(fn(&mut Draft, Ipv4Addr)),
    /// The same, or none.
    FixedAddress(fn(&mut Draft) -> &mut Option<Ipv4Addr>),
    /// A list of addresses to listen on.
    Listen(fn(&mut Draft) -> &mut VecView<Ipv4Addr>),
    /// A list of servers that callers are told.
    Servers(fn(&mut Draft) -> &mut VecView<Ipv4Addr>),
    /// A list of networks.
    Networks(fn(&mut Draft) -> &mut VecView<Network, u8>),
    /// The path of a program, or nothing.
    Program(fn(&mut Draft) -> &mut StringView),
    /// A list of IPv6 prefixes.
    Prefixes(fn(&mut Draft) -> &mut VecView<u64>),
    /// A list of IPv6 servers that callers are told.
    Servers6(fn(&mut Draft) -> &mut VecView<Ipv6Addr>),
    /// A list of ports and ranges of them.
    Ports(fn(&mut Draft) -> &mut VecView<Ports>),
    /// A range of addresses.
    Pool(fn(&mut Draft, Pool)),
    /// A name: octets, characters beside letters and digits.
    Name(usize, &'static str, fn(&mut Draft) -> &mut StringView),
    /// A domain, or nothing.
    Domain(fn(&mut Draft) -> &mut StringView),
    /// The name of a network device.
    Device(fn(&mut Draft) -> &mut StringView),
    /// A list of firewall zones, which the init script reads.
    Zones,
    /// The name of an account.
    UserName(fn(&mut Draft) -> &mut StringView),
    /// Kilobits per second.
    Rate(fn(&mut Draft) -> &mut u32),
    /// A list of times of the week.
    Hours(fn(&mut Draft) -> &mut VecView<Span, u8>),
    /// A password.
    Password(fn(&mut Draft) -> &mut Option<Secret>),
    /// The NT hash of a password.
    NtHash(fn(&mut Draft) -> &mut Option<Secret>),
}

impl Field {
    /// Whether it takes several values.
    pub fn is_list(&self) -> bool {
        use Field::*;
        matches!(
            self,
            Listen(_)
                | Servers(_)
                | Zones
                | Ports(_)
                | Networks(_)
                | Hours(_)
                | Prefixes(_)
                | Servers6(_)
        )
    }

    /// Whether one of its values has blanks in it.
    pub fn has_blanks(&self) -> bool {
        matches!(self, Field::Hours(_))
    }

    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Field::Password(_) | Field::NtHash(_))
    }

    /// Empties a list.
    pub(super) fn clear(&self, draft: &mut Draft) {
        match self {
            Field::Listen(list) | Field::Servers(list) => list(draft).clear(),
            Field::Networks(list) => list(draft).clear(),
            Field::Hours(list) => list(draft).clear(),
            Field::Ports(list) => list(draft).clear(),
            Field::Prefixes(list) => list(draft).clear(),
            Field::Servers6(list) => list(draft).clear(),
            _ => {}
        }
    }

    /// Puts the value of `text` where it goes; adds it if this is a list.
    pub(super) fn apply(&self, draft: &mut Draft, text: &str) -> Result<(), Fault> {
        match self {
            Field::Switch(set) => set(draft, value::switch(text)?),
            Field::Number(min, max, set) => {
                set(draft, value::number(text, (*min).into(), (*max).into())? as u16);
            }
            Field::Choice(words) => return choose(words, draft, text),
            Field::Address(set) => set(draft, value::host(text)?),
            Field::FixedAddress(place) => *place(draft) = Some(value::host(text)?),
            Field::Listen(list) => return add(list(draft), value::listen(text)?),
            Field::Servers(_) | Field::Servers6(_) | Field::Ports(_) if text == "none" => {
                self.clear(draft);
            }
            Field::Servers(list) => return add(list(draft), value::host(text)?),
            Field::Networks(list) => return add(list(draft), value::network(text)?),
            Field::Domain(place) | Field::Program(place) if text.is_empty() => place(draft).clear(),
            Field::Domain(place) => {
                return value::name(text, limits::DOMAIN, DEVICE)
                    .and_then(|()| copy(place(draft), text));
            }
            Field::Program(place) => {
                return value::program(text).and_then(|()| copy(place(draft), text));
            }
            Field::Prefixes(list) => return add(list(draft), value::prefix(text)?),
            Field::Servers6(list) => return add(list(draft), value::server6(text)?),
            Field::Ports(list) => return add(list(draft), Ports::parse(text)?),
            Field::Pool(set) => set(draft, value::pool(text)?),
            Field::Name(max, also, place) => {
                return value::name(text, *max, also).and_then(|()| copy(place(draft), text));
            }
            Field::Device(place) => {
                return value::device(text, DEVICE).and_then(|()| copy(place(draft), text));
            }
            Field::Zones => value::name(text, limits::ZONE_NAME, ZONE)?,
            Field::UserName(place) => {
                return value::user_name(text).and_then(|()| copy(place(draft), text));
            }
            Field::Rate(place) => *place(draft) = value::number(text, 0, RATE_MAX)?,
            Field::Hours(list) => return add(list(draft), Span::parse(text)?),
            Field::Password(place) => *place(draft) = Some(value::password(text)?),
            Field::NtHash(place) => *place(draft) = Some(value::nt_hash(text)?),
        }
        Ok(())
    }
}

fn choose(words: &[Word], draft: &mut Draft, text: &str) -> Result<(), Fault> {
    let (_, set) = words.iter().find(|(word, _)| *word == text).ok_or("is not known")?;
    set(draft);
    Ok(())
}

fn add<T: PartialEq, L: LenType>(list: &mut VecView<T, L>, item: T) -> Result<(), Fault> {
    if list.contains(&item) {
        return Err("is in the list already");
    }
    list.push(item).map_err(|_| "is one too many")
}

fn copy(place: &mut StringView, text: &str) -> Result<(), Fault> {
    place.clear();
    place.push_str(text).map_err(|_| "is too long")
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Switch(_) => f.write_str("1 or 0 (on, off, true, false, yes, no, ...)"),
            Field::Number(min, max, _) => write!(f, "{min} to {max}"),
            Field::Choice(words) => write_words(f, words),
            Field::Address(_) | Field::FixedAddress(_) => {
                f.write_str("an address outside of 0.x, 127.x and 224.x to 255.x")
            }
            Field::Listen(_) => {
                write!(f, "up to {} different addresses of this machine", limits::LISTEN)
            }
            Field::Servers(_) => f.write_str("up to 2 different addresses, or none"),
            Field::Networks(_) => f.write_str("different networks, such as 192.168.5.0/24"),
            Field::Program(_) => {
                write!(f, "a path such as /root/hook, up to {} octets", limits::PROGRAM)
            }
            Field::Prefixes(_) => {
                f.write_str("up to 2 of ADDRESS/64, such as fd12:3456:789a:77::/64, or auto")
            }
            Field::Servers6(_) => {
                f.write_str("up to 2 different IPv6 addresses, or router, or none")
            }
            Field::Ports(_) => write!(
                f,
                "up to {} ports or ranges such as 27015-27030, or none",
                limits::RELAY_PORTS
            ),
            Field::Pool(_) => write!(
                f,
                "FIRST-LAST with up to {} addresses, such as 192.168.77.10-192.168.77.99",
                limits::POOL
            ),
            Field::Name(max, also, _) => write_name(f, *max, also),
            Field::Domain(_) => write_name(f, limits::DOMAIN, DEVICE),
            Field::Device(_) => write_name(f, limits::DEVICE_NAME, DEVICE),
            Field::Zones => write_name(f, limits::ZONE_NAME, ZONE),
            Field::UserName(_) => {
                write!(f, "1 to {} octets without \\ and control characters", limits::USERNAME)
            }
            Field::Rate(_) => write!(f, "0 to {RATE_MAX}"),
            Field::Hours(_) => write!(
                f,
                "up to {} times such as mon-fri 08:00-22:00, sat,sun 20:00-02:00 or 06:00-24:00",
                limits::HOURS
            ),
            Field::Password(_) => {
                write!(f, "1 to {} characters without line breaks", limits::PASSWORD_UNITS)
            }
            Field::NtHash(_) => f.write_str("32 hex digits as `pptp-server nt-hash` prints them"),
        }
    }
}

fn write_words(f: &mut fmt::Formatter<'_>, words: &[Word]) -> fmt::Result {
    for (count, (word, _)) in words.iter().enumerate() {
        write!(f, "{}{word}", if count == 0 { "" } else { ", " })?;
    }
    Ok(())
}

fn write_name(f: &mut fmt::Formatter<'_>, max: usize, also: &str) -> fmt::Result {
    write!(f, "1 to {max} letters, digits or any of {also}")
}
