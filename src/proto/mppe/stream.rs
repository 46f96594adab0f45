//! An RC4 key stream whose next octets can be looked at before they are used. The one place that
//! knows which code computes RC4.

use rc4::{KeyInit, Rc4, StreamCipher};
use zeroize::Zeroize;

/// Octets of a packet that can be looked at: protocol field and the longest IPv4 header.
pub const HEAD: usize = 64;

/// The key stream of one RC4 table.
pub struct Stream {
    /// Stands behind `ahead`. The crate wipes it when it is dropped.
    cipher: Rc4,
    /// The next octets of the key stream.
    ahead: [u8; HEAD],
}

impl Stream {
    /// The stream of a key of 8 or 16 octets.
    pub fn new(key: &[u8]) -> Stream {
        let mut stream = Stream { cipher: table(key), ahead: [0; HEAD] };
        stream.cipher.apply_keystream(&mut stream.ahead);
        stream
    }

    /// What the first octets of `data` are under the next octets of this stream, which stays.
    pub fn peek(&self, data: &[u8]) -> [u8; HEAD] {
        let mut head = self.ahead;
        for (octet, data) in head.iter_mut().zip(data) {
            *octet ^= data;
        }
        head
    }

    /// Encrypts or decrypts `data`; the stream goes on behind it.
    pub fn apply(&mut self, data: &mut [u8]) {
        let used = self.start(data);
        self.ahead.copy_within(used.., 0);
        let behind = &mut self.ahead[HEAD - used..];
        behind.fill(0);
        self.cipher.apply_keystream(behind);
    }

    /// Encrypts or decrypts `data`; the stream ends with it.
    pub fn finish(mut self, data: &mut [u8]) {
        self.start(data);
    }

    /// Uses up the octets ahead and the cipher as far as `data` goes; returns how many of those
    /// ahead.
    fn start(&mut self, data: &mut [u8]) -> usize {
        let (head, rest) = data.split_at_mut(data.len().min(HEAD));
        for (octet, key) in head.iter_mut().zip(&self.ahead) {
            *octet ^= key;
        }
        self.cipher.apply_keystream(rest);
        head.len()
    }
}

/// Encrypts `data` under the first octets of the stream of `key`.
pub fn encrypt(key: &[u8], data: &mut [u8]) {
    table(key).apply_keystream(data);
}

/// An initialised table. RC4 repeats a short key all over its table, so the key may as well be
/// repeated to a length that the compiler knows and that cannot be wrong.
fn table(key: &[u8]) -> Rc4 {
    let mut repeated = [0; 32];
    for (octet, key) in repeated.iter_mut().zip(key.iter().cycle()) {
        *octet = *key;
    }
    let table = Rc4::new(&repeated.into());
    repeated.zeroize();
    table
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ahead.zeroize();
    }
}
