//! Session keys (RFC 3079 sections 3.1 to 3.3) and how they change (RFC 3078 section 7.3).

use pptp_cipher::{Arc4, KeyChange, Scratch, sha1};
use zeroize::Zeroize;

use super::Strength;
use super::stream::Stream;

/// The session key of one direction, with the start key that each change needs.
#[derive(Clone)]
pub struct SessionKey {
    current: [u8; 16],
    strength: Strength,
    /// Has the start key.
    change: KeyChange,
}

impl SessionKey {
    /// The initial session key: derived from the start key alone (RFC 3079 section 3.4).
    pub fn new(start_key: &[u8; 16], strength: Strength) -> SessionKey {
        let change = KeyChange::new(start_key);
        let mut key = SessionKey { current: *start_key, strength, change };
        key.hash();
        key.weaken();
        key
    }

    /// The next session key: hashed with the start key, then encrypted under itself (RFC 3078
    /// section 7.3).
    pub fn change(&mut self) {
        self.change_with(&mut Scratch::blank().0);
    }

    /// The next session key, and its key stream in `cipher`: this is done for every packet.
    pub fn change_with(&mut self, cipher: &mut Arc4) {
        if self.strength == Strength::Bits128 {
            return self.change.change(&mut self.current, cipher);
        }
        self.hash();
        cipher.start(self.octets());
        cipher.apply(&mut self.current[..SHORT]);
        self.weaken();
        cipher.start(self.octets());
    }

    /// The key itself, for `restore`.
    pub fn current(&self) -> [u8; 16] {
        self.current
    }

    /// Takes a change back.
    pub fn restore(&mut self, current: &[u8; 16]) {
        self.current = *current;
    }

    /// RC4 tables initialised with this key.
    pub fn stream(&self) -> Stream {
        Stream::new(Arc4::new(self.octets()))
    }

    fn octets(&self) -> &[u8] {
        match self.strength {
            Strength::Bits40 | Strength::Bits56 => &self.current[..SHORT],
            Strength::Bits128 => &self.current,
        }
    }

    /// GetNewKeyFromSHA (RFC 3079 section 3.4): the hash of start key, 40 octets of padding, current key
    /// and 40 more.
    fn hash(&mut self) {
        if self.strength == Strength::Bits128 {
            self.current = self.change.hash(&self.current);
            return;
        }
        let (mut start, current) = (self.change.start_key(), &mut self.current[..SHORT]);
        let mut digest = sha1(&[&start[..SHORT], &[0; 40], current, &[0xf2; 40]]);
        current.copy_from_slice(&digest[..SHORT]);
        digest.zeroize();
        start.zeroize();
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
        self.current.zeroize();
        self.change.wipe();
    }
}

/// Octets of the shorter keys.
const SHORT: usize = 8;
