//! An RC4 key stream whose next octets can be looked at before they are used.

use zeroize::Zeroize;

use pptp_cipher::Arc4;

/// Octets of a packet that can be looked at: protocol field and the longest IPv4 header.
pub const HEAD: usize = 64;

/// The key stream of one RC4 table.
pub struct Stream {
    /// Stands behind `ahead`.
    cipher: Arc4,
    /// The next octets of the key stream.
    ahead: [u8; HEAD],
}

impl Stream {
    /// The stream of a fresh table.
    pub fn new(cipher: Arc4) -> Stream {
        let mut stream = Stream { cipher, ahead: [0; HEAD] };
        stream.cipher.apply(&mut stream.ahead);
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
        self.cipher.apply(behind);
    }

    /// Forgets the stream, for those that outlive a packet.
    pub fn wipe(&mut self) {
        self.cipher.wipe();
        self.ahead.zeroize();
    }

    /// Uses up the octets ahead and the cipher as far as `data` goes; returns how many of those
    /// ahead.
    fn start(&mut self, data: &mut [u8]) -> usize {
        let (head, rest) = data.split_at_mut(data.len().min(HEAD));
        for (octet, key) in head.iter_mut().zip(&self.ahead) {
            *octet ^= key;
        }
        self.cipher.apply(rest);
        head.len()
    }
}
