//! The text of one value to what it means. An error says what is wrong; what is allowed instead
//! says `options::Field`.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{AUTO_PREFIX, Network, Pool, Secret};
use crate::limits;
use crate::proto::mschap;
use crate::wire::ipv6;

/// What is wrong with a value.
pub type Fault = &'static str;

/// MD4 of nothing: the NT hash of an account without a password.
const NO_PASSWORD: [u8; 16] = 0x31d6_cfe0_d16a_e931_b73c_59d7_e0c0_89c0_u128.to_be_bytes();

/// The words that OpenWrt's shell functions take for a switch.
pub fn switch(text: &str) -> Result<bool, Fault> {
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Ok(true),
        "0" | "off" | "false" | "no" | "disabled" => Ok(false),
        _ => Err("is neither on nor off"),
    }
}

/// A decimal number from `min` to `max`.
pub fn number(text: &str, min: u32, max: u32) -> Result<u32, Fault> {
    if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err("is not a number");
    }
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err("is out of range"),
    }
}

fn address(text: &str) -> Result<Ipv4Addr, Fault> {
    text.parse().map_err(|_| "is not an IPv4 address")
}

/// An address that a machine can have in a network.
pub fn host(text: &str) -> Result<Ipv4Addr, Fault> {
    let address = address(text)?;
    if is_host(address) { Ok(address) } else { Err("is no address of a machine") }
}

/// Neither "this network", loopback, multicast, reserved nor broadcast.
fn is_host(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..)
}

/// An address to listen on: of this machine (loopback too), or 0.0.0.0 for all of them.
pub fn listen(text: &str) -> Result<Ipv4Addr, Fault> {
    let address = address(text)?;
    let fits = is_host(address) || address.is_loopback() || address.is_unspecified();
    if fits { Ok(address) } else { Err("is no address of a machine") }
}

/// `FIRST-LAST`.
pub fn pool(text: &str) -> Result<Pool, Fault> {
    if text.bytes().any(|octet| octet == b'/') {
        return Err("is a network, not a range");
    }
    let (first, last) = text.split_once('-').ok_or("is not a range")?;
    let (Ok(first), Ok(last)) = (address(first), address(last)) else {
        return Err("is not a range of two IPv4 addresses");
    };
    if !is_host(first) || !is_host(last) {
        return Err("has addresses that no machine can have");
    }
    if first > last {
        return Err("ends before it starts");
    }
    let pool = Pool { first, last };
    if pool.count() <= limits::POOL { Ok(pool) } else { Err("has too many addresses") }
}

/// `ADDRESS/PREFIX`: a network of machines' addresses, written with its first one.
pub fn network(text: &str) -> Result<Network, Fault> {
    let (first, prefix) = text.split_once('/').ok_or("is not a network")?;
    let (first, prefix) = (address(first)?, number(prefix, 1, 32)? as u8);
    let network = Network::around(first, prefix);
    if network.address != first {
        return Err("has address bits beyond its prefix");
    }
    let fits = is_host(first) && is_host(network.broadcast());
    if fits { Ok(network) } else { Err("has addresses that no machine can have") }
}

/// The path of a program.
pub fn program(text: &str) -> Result<(), Fault> {
    if !text.starts_with('/') {
        return Err("is not a path from the root");
    }
    if text.contains(char::is_control) { Err("has a control character") } else { Ok(()) }
}

/// The upper half of an IPv6 prefix of 64 bits, such as `fd12:3456:789a:77::/64`: hosts make
/// addresses of nothing longer or shorter (RFC 7421). The word `auto` is `AUTO_PREFIX`.
pub fn prefix(text: &str) -> Result<u64, Fault> {
    if text == "auto" {
        return Ok(AUTO_PREFIX);
    }
    let (address, length) = text.split_once('/').ok_or("has no length")?;
    let address: Ipv6Addr = address.parse().map_err(|_| "is not an IPv6 prefix")?;
    if length != "64" {
        return Err("is not 64 bits long");
    }
    let (prefix, rest) = ipv6::split(address);
    if rest != 0 {
        return Err("has bits behind the first 64");
    }
    if is_host6(address) { Ok(prefix) } else { Err("is no prefix of machines") }
}

/// The address of an IPv6 server. The word `router` is `::`: this one.
pub fn server6(text: &str) -> Result<Ipv6Addr, Fault> {
    if text == "router" {
        return Ok(Ipv6Addr::UNSPECIFIED);
    }
    let address = text.parse().map_err(|_| "is not an IPv6 address")?;
    if is_host6(address) { Ok(address) } else { Err("is no address of a machine") }
}

/// Neither loopback nor mapped, link-local nor multicast (RFC 4291 section 2.4).
fn is_host6(address: Ipv6Addr) -> bool {
    ipv6::split(address).0 != 0 && !ipv6::stays_on_link(address)
}

/// A name of ASCII letters, digits and the characters of `also`, up to `max` octets.
pub fn name(text: &str, max: usize, also: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > max {
        return Err("is too long");
    }
    let known = |character: char| {
        character.is_ascii_alphanumeric() || also.chars().any(|other| other == character)
    };
    if text.chars().all(known) { Ok(()) } else { Err("has a character that is not allowed") }
}

/// The name of a network device; `.` and `..` mean something else in the kernel.
pub fn device(text: &str, also: &str) -> Result<(), Fault> {
    if matches!(text, "." | "..") {
        return Err("is no name");
    }
    name(text, limits::DEVICE_NAME, also)
}

/// The name of an account. Callers may write `DOMAIN\` in front of theirs, which is cut off before
/// accounts are looked up, so that no account with a backslash would ever be found.
pub fn user_name(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > limits::USERNAME {
        return Err("is too long");
    }
    if text.bytes().any(|octet| octet == b'\\') {
        return Err("has a backslash, which callers use to put a domain in front");
    }
    if text.contains(char::is_control) { Err("has a control character") } else { Ok(()) }
}

/// A password. A line break within is the trace of a quote that was not closed.
pub fn password(text: &str) -> Result<Secret, Fault> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains(char::is_control) {
        return Err("has a line break or another control character");
    }
    let nt_hash = mschap::nt_hash_of(text).map_err(|_| "is too long")?;
    let widened = if text.is_ascii() { None } else { mschap::widened_hash_of(text).ok() };
    mschap::wipe_stack();
    Ok(Secret { nt_hash, widened_hash: widened })
}

/// An NT hash in hex.
pub fn nt_hash(text: &str) -> Result<Secret, Fault> {
    let digits = text.len() == 32 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let Some(value) = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten() else {
        return Err("is not an NT hash");
    };
    let nt_hash = value.to_be_bytes();
    if nt_hash == NO_PASSWORD {
        return Err("is the hash of an empty password");
    }
    Ok(Secret { nt_hash, widened_hash: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_machines() {
        for (text, is_host) in [
            ("10.0.0.1", true),
            ("223.255.255.254", true),
            ("0.0.0.0", false),
            ("127.0.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("10.0.0.01", false),
            ("10.0.0.1 ", false),
        ] {
            assert_eq!(host(text).is_ok(), is_host, "{text}");
        }
        assert!(listen("0.0.0.0").is_ok() && listen("127.0.0.1").is_ok());
        assert!(listen("0.0.0.1").is_err());
    }

    #[test]
    fn pools_up_to_the_limit() {
        let largest = pool("10.0.0.0-10.0.15.255").expect("a pool");
        assert_eq!(largest.count(), limits::POOL);
        assert!(pool("10.0.0.0-10.0.16.0").is_err() && pool("0.0.0.0-255.255.255.255").is_err());
        assert_eq!(pool("10.0.0.7-10.0.0.7").map(|pool| pool.count()), Ok(1));
    }

    #[test]
    fn networks_of_machines() {
        let home = network("192.168.5.0/24").expect("a network");
        assert_eq!(home, Network::around([192, 168, 5, 9].into(), 24));
        for text in ["192.168.5.0", "192.168.5.1/24", "10.0.0.0/33", "10.0.0.0/", "0.0.0.0/0"] {
            assert!(network(text).is_err(), "{text}");
        }
        assert!(network("127.0.0.0/8").is_err() && network("192.0.0.0/2").is_err());
        assert!(network("10.0.0.1/32").is_ok() && network("128.0.0.0/1").is_err());
    }

    #[test]
    fn prefixes_and_servers_of_ipv6() {
        assert_eq!(prefix("fd12:3456:789a:77::/64"), Ok(0xfd12_3456_789a_0077));
        assert_eq!(prefix("auto"), Ok(AUTO_PREFIX));
        for wrong in [
            "fd12:3456:789a:77::",
            "fd12:3456:789a:77::1/64",
            "fd12:3456:789a::/48",
            "fd12::/064",
            "fe80::/64",
            "ff05::/64",
            "::/64",
            "192.168.0.0/64",
            "/64",
        ] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
        assert_eq!(server6("router"), Ok(Ipv6Addr::UNSPECIFIED));
        assert!(server6("2001:db8::53").is_ok());
        for wrong in ["::", "::1", "fe80::1", "ff02::fb", "::ffff:192.0.2.1", "192.0.2.1"] {
            assert!(server6(wrong).is_err(), "{wrong}");
        }
    }

    /// The second form is kept only where it differs from the first.
    #[test]
    fn passwords_outside_ascii_have_two_hashes() {
        assert_eq!(password("password").ok(), nt_hash("8846f7eaee8fb117ad06bdd830b7586c").ok());
        let secret = password("pässword").expect("a password");
        assert!(secret.widened_hash.is_some_and(|hash| hash != secret.nt_hash));
    }
}
