//! For a start without arguments: an account with a fresh password, and how to dial in with it.

use std::fmt::Write;
use std::io;

use pptp::config::Config;

use super::failure::{Doing, Failure};
use super::{sys, tun};

/// Name of the account of the configuration that is built in.
pub const ACCOUNT: &str = "vpn";

/// Characters of the password: 100 bits, more than the 56-bit keys of MS-CHAPv2 can protect.
const LENGTH: usize = 20;

/// 32 characters that nobody takes for another one: no l, o, 0, 1.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password that nobody has seen.
pub fn password() -> Result<String, Failure> {
    let mut octets = [0; LENGTH];
    sys::random(&mut octets).doing("make a password")?;
    // 256 is a multiple of 32: every character is as likely as any other.
    Ok(octets.iter().map(|octet| char::from(ALPHABET[usize::from(octet % 32)])).collect())
}

/// What a person needs to dial in.
pub fn text(config: &Config, password: &str) -> io::Result<String> {
    let mut servers = String::new();
    for address in tun::addresses(&config.device)? {
        let comma = if servers.is_empty() { "" } else { ", " };
        let _ = write!(servers, "{comma}{address}");
    }
    if servers.is_empty() {
        servers.push_str("this machine has no address yet");
    }
    Ok(format!(
        "Dial in with:\n  \
           server      {servers}\n  \
           type        PPTP (TCP port {}, and GRE: IP protocol 47)\n  \
           user        {ACCOUNT}\n  \
           password    {password}\n  \
           encryption  required: MPPE with 128 bits\n\
         The password counts until this program ends. For accounts that stay: pptp-server -c FILE\n",
        config.port
    ))
}
