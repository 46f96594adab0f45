//! Session keys (RFC 3079 sections 3.1 to 3.3) and how they change (RFC 3078 section 7.3).

use sha1::{Digest, Sha1};
use zeroize::Zeroize;

use super::Strength;
use super::stream::Stream;
use pptp_cipher::Arc4;

/// The session key of one direction, with the start key that each change needs.
#[derive(Clone)]
pub struct SessionKey {
    start: [u8; 16],
    current: [u8; 16],
    strength: Strength,
}

impl SessionKey {
    /// The initial session key: derived from the start key alone (RFC 3079 section 3.4).
    pub fn new(start_key: &[u8; 16], strength: Strength) -> SessionKey {
        let mut key = SessionKey { start: *start_key, current: *start_key, strength };
        key.hash();
        key.weaken();
        key
    }

    /// The next session key: hashed with the start key, then encrypted under itself (RFC 3078
    /// section 7.3).
    pub fn change(&mut self) {
        self.hash();
        let mut interim = self.current;
        let length = length(self.strength);
        Arc4::new(&interim[..length]).apply(&mut self.current[..length]);
        interim.zeroize();
        self.weaken();
    }

    /// RC4 tables initialised with this key.
    pub fn stream(&self) -> Stream {
        Stream::new(&self.current[..length(self.strength)])
    }

    /// GetNewKeyFromSHA (RFC 3079 section 3.4).
    fn hash(&mut self) {
        let length = length(self.strength);
        let mut hash = Sha1::new();
        hash.update(&self.start[..length]);
        hash.update([0; 40]);
        hash.update(&self.current[..length]);
        hash.update([0xf2; 40]);
        let mut digest: [u8; 20] = hash.finalize().into();
        self.current[..length].copy_from_slice(&digest[..length]);
        digest.zeroize();
    }

    /// Fills the known octets of a shorter key (RFC 3079 sections 3.1 and 3.2).
    fn weaken(&mut self) {
        let known: &[u8] = match self.strength {
            Strength::Bits40 => &[0xd1, 0x26, 0x9e],
            Strength::Bits56 => &[0xd1],
            Strength::Bits128 => &[],
        };
        self.current[..known.len()].copy_from_slice(known);
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.start.zeroize();
        self.current.zeroize();
    }
}

fn length(strength: Strength) -> usize {
    match strength {
        Strength::Bits40 | Strength::Bits56 => 8,
        Strength::Bits128 => 16,
    }
}
