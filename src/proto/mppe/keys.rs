//! Session keys (RFC 3079 sections 3.1 to 3.3) and how they change (RFC 3078 section 7.3).

use sha1::block_api::compress;
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
        let mut cipher = self.cipher();
        cipher.apply(&mut self.current[..length(self.strength)]);
        self.weaken();
    }

    /// The key itself, for `restore`.
    pub fn current(&self) -> [u8; 16] {
        self.current
    }

    /// Takes a change back.
    pub fn restore(&mut self, current: &[u8; 16]) {
        self.current = *current;
    }

    /// An RC4 table initialised with this key.
    #[inline(always)]
    pub fn cipher(&self) -> Arc4 {
        Arc4::new(&self.current[..length(self.strength)])
    }

    /// RC4 tables initialised with this key.
    pub fn stream(&self) -> Stream {
        Stream::new(self.cipher())
    }

    /// GetNewKeyFromSHA (RFC 3079 section 3.4): the hash of start key, 40 octets of padding, current
    /// key and 40 more. With SHA-1's own padding (RFC 3174 section 4) that is two blocks for both
    /// lengths of key, made here at once: this is done for every packet.
    fn hash(&mut self) {
        let length = length(self.strength);
        let mut message = [0; 128];
        message[..length].copy_from_slice(&self.start[..length]);
        message[length + 40..][..length].copy_from_slice(&self.current[..length]);
        message[2 * length + 40..][..40].fill(0xf2);
        message[2 * length + 80] = 0x80;
        message[126..].copy_from_slice(&((2 * length as u16 + 80) * 8).to_be_bytes());
        let (mut state, (blocks, _)) = (SHA1_START, message.as_chunks());
        compress(&mut state, blocks);
        for (octets, word) in self.current[..length].chunks_mut(4).zip(state) {
            octets.copy_from_slice(&word.to_be_bytes());
        }
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

/// Where SHA-1 starts (RFC 3174 section 6.1).
const SHA1_START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
