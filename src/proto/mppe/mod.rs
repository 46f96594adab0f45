//! Microsoft Point-To-Point Encryption (RFC 3078) with the keys of RFC 3079 section 3.
//!
//! Both directions count their packets from 0 to 4095 and round again. *Stateless*, the session
//! key changes before every packet, so a lost packet costs only itself. *Stateful*, one RC4
//! stream runs through 256 packets and a lost packet costs a reset by CCP.
//!
//! MPPE has no integrity check. So the receiver believes a packet only as far as it decrypts to
//! sense, and what is not believed changes nothing: no spoofed, late or damaged packet moves the
//! keys, and each one costs a bounded number of key changes.

mod decrypt;
mod encrypt;
mod keys;
mod sense;
mod stateful;
mod stateless;
mod stream;

pub use decrypt::Decryptor;
pub use encrypt::Encryptor;

/// Effective length of the session keys, weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// 8 octets, of which 3 are known to everybody.
    Bits40,
    /// 8 octets, of which 1 is known to everybody.
    Bits56,
    /// 16 octets.
    Bits128,
}

/// What CCP agreed on (RFC 3078 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Length of the keys.
    pub strength: Strength,
    /// One RC4 stream for up to 256 packets, instead of a new key for each.
    pub stateful: bool,
}

/// A packet before which the key changes in stateful mode (RFC 3078 section 8.2: the "flag"
/// packet).
fn is_flag(count: u16) -> bool {
    count & FLAG == FLAG
}

/// Low octet of the coherency count of a flag packet.
const FLAG: u16 = 0xff;

/// Counts behind the expected one that mean a late packet; the others mean one from further ahead,
/// after packets that were lost. The tunnel drops what is late (by its own numbers, which do not
/// go round), so this is small: an outage that ends on such a count has to wait for it to pass.
const LATE: u16 = 64;
