//! Models of the MPPE peers in the field, written from RFC 3078 and from what Linux' ppp_mppe and
//! FreeBSD's ng_mppc do, apart from the server's own code: other key code, other RC4 handling.

#![allow(dead_code)] // each test uses its part
use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};

/// Whose rules a stateful peer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 3078: a flushed packet re-initialises RC4, flag packets change the key and are flushed.
    Rfc,
    /// The same, but flag packets do not carry the FLUSHED bit.
    FreeBsd,
    /// Every flushed packet changes the key.
    Linux,
}

pub const KINDS: [Kind; 3] = [Kind::Rfc, Kind::FreeBsd, Kind::Linux];

const FLUSHED: u16 = 0x8000;
const ENCRYPTED: u16 = 0x1000;

/// A 128-bit session key.
#[derive(Clone)]
pub struct Key {
    start: [u8; 16],
    pub session: [u8; 16],
}

impl Key {
    pub fn new(start: [u8; 16]) -> Key {
        Key { start, session: hashed(&start, &start) }
    }

    pub fn change(&mut self) {
        let interim = hashed(&self.start, &self.session);
        self.session = interim;
        rc4(&interim).apply_keystream(&mut self.session);
    }
}

fn hashed(start: &[u8; 16], session: &[u8; 16]) -> [u8; 16] {
    let octets = [&start[..], &[0; 40], session, &[0xf2; 40]].concat();
    Sha1::digest(octets)[..16].try_into().unwrap()
}

pub fn rc4(key: &[u8]) -> Rc4 {
    Rc4::new_from_slice(key).unwrap()
}

/// The sending half of a stateful peer.
pub struct Sender {
    kind: Kind,
    pub key: Key,
    rc4: Rc4,
    pub count: u16,
    flush: bool,
}

impl Sender {
    pub fn new(kind: Kind, start: [u8; 16]) -> Sender {
        let key = Key::new(start);
        Sender { kind, rc4: rc4(&key.session), key, count: 0, flush: false }
    }

    /// A Reset-Request came.
    pub fn reset(&mut self) {
        self.flush = true;
    }

    pub fn send(&mut self, clear: &[u8]) -> Vec<u8> {
        let flush = std::mem::take(&mut self.flush);
        let flag = self.count & 0xff == 0xff;
        if flag || flush && self.kind == Kind::Linux {
            self.key.change();
        }
        if flag || flush {
            self.rc4 = rc4(&self.key.session);
        }
        let is_flushed = flush || flag && self.kind != Kind::FreeBsd;
        let bits = ENCRYPTED | if is_flushed { FLUSHED } else { 0 };
        let mut octets = (bits | self.count).to_be_bytes().to_vec();
        octets.extend_from_slice(clear);
        self.rc4.apply_keystream(&mut octets[2..]);
        self.count = (self.count + 1) % 4096;
        octets
    }
}

/// The receiving half of a stateful peer.
pub struct Receiver {
    kind: Kind,
    key: Key,
    rc4: Rc4,
    /// Linux: of the last packet, or in the discard state of the first one missed. Others: of the
    /// next packet.
    count: u16,
    discard: bool,
}

impl Receiver {
    pub fn new(kind: Kind, start: [u8; 16]) -> Receiver {
        let key = Key::new(start);
        let count = if kind == Kind::Linux { 4095 } else { 0 };
        Receiver { kind, rc4: rc4(&key.session), key, count, discard: false }
    }

    /// The clear packet, or `None`: the peer wants a reset.
    pub fn receive(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        let header = u16::from_be_bytes([octets[0], octets[1]]);
        assert_eq!(header & 0x7000, ENCRYPTED, "bits of {header:04x}");
        let (flushed, count) = (header & FLUSHED != 0, header % 4096);
        let is_readable = match self.kind {
            Kind::Linux => self.follow_linux(flushed, count),
            Kind::Rfc | Kind::FreeBsd => self.follow_rfc(flushed, count),
        };
        let mut clear = octets[2..].to_vec();
        is_readable.then(|| {
            self.rc4.apply_keystream(&mut clear);
            clear
        })
    }

    fn change(&mut self) {
        self.key.change();
        self.rc4 = rc4(&self.key.session);
    }

    /// A gap leads to the discard state, also when the packet behind the gap is flushed. A flushed
    /// packet ends it: one change for each step of the upper four bits, one for the packet.
    fn follow_linux(&mut self, flushed: bool, count: u16) -> bool {
        assert!(flushed || count & 0xff != 0xff, "Linux ends a link whose flag packets lack A");
        if !self.discard {
            self.count = (self.count + 1) % 4096;
            self.discard = count != self.count;
            if self.discard {
                return false;
            }
        } else if !flushed {
            return false;
        } else {
            while self.count >> 8 != count >> 8 {
                self.change();
                self.count = (self.count + 256) % 4096;
            }
            (self.discard, self.count) = (false, count);
        }
        if flushed {
            self.change();
        }
        true
    }

    /// A flushed packet can always be read: one change for each count on the way that ends in ff,
    /// tables from the key, and a change if the packet itself is a flag packet.
    fn follow_rfc(&mut self, flushed: bool, count: u16) -> bool {
        if flushed {
            while self.count != count {
                if self.count & 0xff == 0xff {
                    self.change();
                }
                self.count = (self.count + 1) % 4096;
            }
            self.rc4 = rc4(&self.key.session);
        } else if self.count != count {
            return false;
        }
        if count & 0xff == 0xff {
            self.change();
        }
        self.count = (count + 1) % 4096;
        true
    }
}
