//! A packet in one fixed buffer with headroom: headers are stripped from and prepended to the
//! front, and the data in between never moves.

use pptp_cipher::{Arc4, BUFFER, Buffer, Huge, Large};

use crate::limits::{HEADROOM, PACKET};

const _: () = assert!(PACKET == BUFFER);

/// A packet that is changed in place.
#[derive(Clone)]
pub struct Packet {
    buffer: Buffer,
    start: usize,
    end: usize,
}

impl Default for Packet {
    fn default() -> Self {
        Packet::new()
    }
}

impl Packet {
    /// An empty packet behind the headroom.
    pub const fn new() -> Packet {
        Packet { buffer: Buffer([0; PACKET]), start: HEADROOM, end: HEADROOM }
    }

    /// The octets of the packet.
    pub fn data(&self) -> &[u8] {
        &self.buffer.0[self.start..self.end]
    }

    /// The octets of the packet, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.0[self.start..self.end]
    }

    /// Number of octets.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no octet.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Makes the packet a copy of `data` behind `HEADROOM`; false when it is too long.
    pub fn set(&mut self, data: &[u8]) -> bool {
        let end = HEADROOM + data.len();
        let Some(room) = self.buffer.0.get_mut(HEADROOM..end) else { return false };
        room.copy_from_slice(data);
        (self.start, self.end) = (HEADROOM, end);
        true
    }

    /// The buffer behind the headroom, for a read from a device; `filled` says how much came.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer.0[HEADROOM..]
    }

    /// After a read into `space`: the packet is its first `len` octets.
    pub fn filled(&mut self, len: usize) {
        self.start = HEADROOM;
        self.end = (HEADROOM + len).min(PACKET);
    }

    /// Appends `len` octets at `from` of a larger buffer; their sum as `copy` has it, or `None` and no
    /// change where they do not fit.
    pub fn append(&mut self, buffer: &Huge, from: usize, len: usize) -> Option<u16> {
        let sum = pptp_cipher::part(buffer, (from, from + len), &mut self.buffer, self.end)?;
        self.end += len;
        Some(sum)
    }

    /// Takes `count` octets off the front; false (and no change) when there are fewer.
    pub fn strip(&mut self, count: usize) -> bool {
        let fits = count <= self.len();
        if fits {
            self.start += count;
        }
        fits
    }

    /// Cuts the packet to its first `len` octets; longer than it is changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Combines the octets from `from` on with the next ones of the key stream.
    pub fn apply(&mut self, cipher: &mut Arc4, from: usize) {
        cipher.apply_in(&mut self.buffer, self.start + from, self.end);
    }

    /// Copies the octets from `from` on to where `at` is in `to`; the sum of their 16-bit words in ones'
    /// complement and the machine's byte order, or `None` where they do not fit.
    pub fn copy(&self, from: usize, to: &mut Large, at: usize) -> Option<u16> {
        pptp_cipher::copy(&self.buffer, (self.start + from, self.end), to, at)
    }

    /// Puts `header` in front. The headroom holds every header that this server builds
    /// (`limits::HEADROOM`); false (and no change) when it would not.
    pub fn prepend(&mut self, header: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(header.len()) else { return false };
        self.buffer.0[start..self.start].copy_from_slice(header);
        self.start = start;
        true
    }

    /// The same for a header of a few octets: a few stores, where a copy would cost a call.
    #[inline(always)]
    pub fn prepend_array<const N: usize>(&mut self, header: [u8; N]) -> bool {
        let Some(start) = self.start.checked_sub(N) else { return false };
        let Some(room) = self.buffer.0.get_mut(start..).and_then(<[u8]>::first_chunk_mut) else {
            return false;
        };
        *room = header;
        self.start = start;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_and_go_without_moving_the_data() {
        let mut packet = Packet::new();
        assert!(packet.set(b"abcdef"));
        assert!(packet.strip(2));
        assert_eq!(packet.data(), b"cdef");
        assert!(packet.prepend(b"xyz"));
        assert_eq!(packet.data(), b"xyzcdef");
        assert!(packet.prepend_array(*b"12"));
        assert_eq!(packet.data(), b"12xyzcdef");
        assert!(packet.strip(2));
        packet.truncate(4);
        assert_eq!(packet.data(), b"xyzc");
        assert!(!packet.strip(5));
        assert_eq!(packet.len(), 4);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut packet = Packet::new();
        assert!(packet.set(b"a"));
        assert!(!packet.prepend(&[0; HEADROOM + 1]));
        assert!(!packet.prepend_array([0; HEADROOM + 1]));
        assert!(!packet.set(&[0; PACKET]));
        assert_eq!(packet.data(), b"a");
        packet.filled(PACKET * 2);
        assert_eq!(packet.len(), PACKET - HEADROOM);
    }
}
