//! Receiving with one key stream through many packets (RFC 3078 section 8.2).

use super::keys::SessionKey;
use super::sense::Clear;
use super::stream::Stream;
use super::{LATE, is_flag};
use crate::limits::REKEYS_PER_PACKET;
use crate::packet::Packet;
use crate::reason::Discard;
use crate::wire::mppe::{COUNTS, Header};

/// The receiver of one call.
pub struct Stateful {
    key: SessionKey,
    stream: Stream,
    /// Count of the packet that `stream` is for.
    expected: u16,
    /// A packet is missing: only a flushed packet can follow, or the missing one itself.
    pub lost: bool,
    /// Key changes computed so far, right or wrong.
    pub work: u32,
}

impl Stateful {
    /// A receiver that waits for count 0.
    pub fn new(key: SessionKey) -> Stateful {
        let stream = key.stream();
        Stateful { key, stream, expected: 0, lost: false, work: 0 }
    }

    /// Decrypts a packet whose header was stripped.
    pub fn open(&mut self, header: Header, packet: &mut Packet) -> Result<(), Discard> {
        let distance = header.count.wrapping_sub(self.expected) % COUNTS;
        if distance >= COUNTS - LATE {
            return Err(Discard::MppeLate);
        }
        self.lost |= distance != 0;
        let data = packet.data();
        let is_believed = (distance == 0 && self.expected(header, data))
            || (header.flushed && self.flushed(data));
        if !is_believed {
            return Err(if self.lost { Discard::MppeReset } else { Discard::MppeJump });
        }
        self.stream.apply(packet.data_mut());
        self.expected = (header.count + 1) % COUNTS;
        self.lost = false;
        Ok(())
    }

    /// Whether it is the packet that comes next; a flushed one is searched for.
    pub fn expects(&self, header: Header) -> bool {
        header.count == self.expected && !header.flushed
    }

    /// Whether the packet that comes next makes sense under the running stream, or under the next
    /// key if it is a flag packet. FreeBSD does not set the FLUSHED bit on flag packets.
    fn expected(&mut self, header: Header, data: &[u8]) -> bool {
        if is_flag(header.count) {
            let mut key = self.key.clone();
            self.change(&mut key);
            return self.adopt(&key, |clear| clear.has_protocol(), data);
        }
        !header.flushed && Clear::of(&self.stream, data).has_protocol()
    }

    /// Whether a packet whose sender initialised its tables makes sense under a key that the
    /// sender can have now: the current one or one of the next.
    ///
    /// The key changed once for each flag packet, received or not. On other flushed packets RFC
    /// 3078 and FreeBSD keep the key, while Linux changes it; and Linux changed it for earlier
    /// flushed packets, too, which may be lost. A whole IP packet does not come out of a wrong
    /// key, so the first key under which one does is the right one, and nothing needs to be
    /// remembered about the peer.
    fn flushed(&mut self, data: &[u8]) -> bool {
        let mut key = self.key.clone();
        (0..KEYS_TRIED).any(|_| {
            let is_right = self.adopt(&key, |clear| clear.is_ip(), data);
            self.change(&mut key);
            is_right
        })
    }

    /// Takes a key over if the packet makes sense under it.
    fn adopt(&mut self, key: &SessionKey, is_sense: fn(&Clear) -> bool, data: &[u8]) -> bool {
        let stream = key.stream();
        let is_right = is_sense(&Clear::of(&stream, data));
        if is_right {
            (self.key, self.stream) = (key.clone(), stream);
        }
        is_right
    }

    fn change(&mut self, key: &mut SessionKey) {
        key.change();
        self.work = self.work.wrapping_add(1);
    }
}

impl Drop for Stateful {
    fn drop(&mut self) {
        self.stream.wipe();
    }
}

/// Keys that are tried for a flushed packet: two rounds of 16 flag packets, the second for an
/// outage of more than 4096 packets, and some flushed packets of Linux that were lost.
const KEYS_TRIED: u16 = 48;

const _: () = assert!(KEYS_TRIED < REKEYS_PER_PACKET);
