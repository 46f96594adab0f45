//! Receiving with one key stream through many packets (RFC 3078 section 8.2).

use super::is_flag;
use super::keys::SessionKey;
use super::sense::Clear;
use super::stream::Stream;
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
            || (header.flushed && self.flushed(header, distance, data));
        if !is_believed {
            return Err(if self.lost { Discard::MppeReset } else { Discard::MppeJump });
        }
        self.stream.apply(packet.data_mut());
        self.expected = (header.count + 1) % COUNTS;
        self.lost = false;
        Ok(())
    }

    /// Whether the packet that comes next makes sense under the running stream, or under the next
    /// key if it is a flag packet. FreeBSD does not set the FLUSHED bit on flag packets.
    fn expected(&mut self, header: Header, data: &[u8]) -> bool {
        if is_flag(header.count) {
            let mut key = self.key.clone();
            self.change(&mut key);
            return self.adopt(key, |clear| clear.has_protocol(), data);
        }
        !header.flushed && Clear::of(&self.stream, data).has_protocol()
    }

    /// Whether a packet whose sender initialised its tables makes sense under a key that the
    /// sender can have now.
    ///
    /// The key changed once for each flag packet, received or not. On a flushed packet that is not
    /// a flag packet RFC 3078 and FreeBSD keep the key, while Linux changes it; and Linux changed
    /// it for earlier flushed packets, too, which may be lost. So the first key is tried, then the
    /// next ones. A whole IP packet does not come out of a wrong key, so nothing is remembered
    /// about the peer.
    fn flushed(&mut self, header: Header, distance: u16, data: &[u8]) -> bool {
        let passed_flags = ((self.expected & 0xff) + distance) / 256;
        let mut key = self.key.clone();
        for _ in 0..passed_flags + u16::from(is_flag(header.count)) {
            self.change(&mut key);
        }
        for _ in 0..EXTRA_CHANGES {
            if self.adopt(key.clone(), |clear| clear.is_ip(), data) {
                return true;
            }
            self.change(&mut key);
        }
        false
    }

    /// Takes a key over if the packet makes sense under it.
    fn adopt(&mut self, key: SessionKey, is_sense: fn(&Clear) -> bool, data: &[u8]) -> bool {
        let stream = key.stream();
        let is_right = is_sense(&Clear::of(&stream, data));
        if is_right {
            (self.key, self.stream) = (key, stream);
        }
        is_right
    }

    fn change(&mut self, key: &mut SessionKey) {
        key.change();
        self.work = self.work.wrapping_add(1);
    }
}

/// Packets that count as late instead of lost, as in stateless mode.
const LATE: u16 = 256;

/// Keys that are tried for a flushed packet: one round of 16 flag packets, which an outage of more
/// than 4096 packets hides, and a few flushed packets of Linux that were lost.
const EXTRA_CHANGES: u16 = 20;

const _: () = assert!(COUNTS / 256 + 1 + EXTRA_CHANGES <= REKEYS_PER_PACKET);
