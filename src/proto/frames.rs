//! The bounded queue of PPP frames of our own (LCP, CHAP, CCP, IPCP, and what the router of the
//! tunnel says in IPv6) that wait to be sent.
//!
//! When it is full a frame is lost, as the line could have lost it, and the restart timers of the
//! protocols send it again.

use crate::limits::FRAME;
use crate::wire::Writer;
use crate::wire::ppp::CONTROL_HEADER;

/// One queued frame: protocol field and information, without address and control field.
pub struct Frame {
    owner: u16,
    len: usize,
    octets: [u8; FRAME],
}

impl Default for Frame {
    fn default() -> Self {
        Frame { owner: 0, len: 0, octets: [0; FRAME] }
    }
}

impl Frame {
    /// The slot of the call that sends it.
    pub fn owner(&self) -> u16 {
        self.owner
    }

    /// The number in the protocol field.
    pub fn number(&self) -> u16 {
        u16::from_be_bytes([self.octets[0], self.octets[1]])
    }

    /// Protocol field and information.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

/// Owner of a frame that is not to be sent any more; no slot has this number.
const NOBODY: u16 = u16::MAX;

/// A ring of frames, first in first out.
pub struct Frames<'a> {
    slots: &'a mut [Frame],
    first: usize,
    count: usize,
    lost: u32,
}

impl<'a> Frames<'a> {
    /// An empty ring in the given storage.
    pub fn new(slots: &'a mut [Frame]) -> Frames<'a> {
        Frames { slots, first: 0, count: 0, lost: 0 }
    }

    /// The end of the ring that the protocols of one call write to. `mru` is the peer's: octets of
    /// the largest information field that may be sent.
    pub fn outlet(&mut self, owner: u16, mru: u16) -> Outlet<'_, 'a> {
        Outlet { frames: self, owner, mru: usize::from(mru) }
    }

    /// Takes the oldest frame out.
    pub fn pop(&mut self) -> Option<&Frame> {
        loop {
            self.count = self.count.checked_sub(1)?;
            let at = self.first;
            self.first = (at + 1) % self.slots.len();
            if self.slots[at].owner != NOBODY {
                return Some(&self.slots[at]);
            }
        }
    }

    /// Throws away what `owner` has in the ring.
    pub fn forget(&mut self, owner: u16) {
        for index in 0..self.count {
            let at = (self.first + index) % self.slots.len();
            if self.slots[at].owner == owner {
                self.slots[at].owner = NOBODY;
            }
        }
    }

    /// Frames lost since the last call.
    pub fn take_lost(&mut self) -> u32 {
        core::mem::take(&mut self.lost)
    }

    /// Whether so many frames more would find a place.
    pub fn has_room(&self, frames: usize) -> bool {
        self.count + frames <= self.slots.len()
    }

    fn vacant(&mut self) -> Option<&mut Frame> {
        let at = (self.first + self.count) % self.slots.len().max(1);
        (self.count < self.slots.len()).then(|| &mut self.slots[at])
    }
}

/// Where the protocols of one call put their frames.
pub struct Outlet<'f, 'a> {
    frames: &'f mut Frames<'a>,
    owner: u16,
    mru: usize,
}

impl Outlet<'_, '_> {
    /// Queues a control packet whose data `write` fills in (RFC 1661 section 5). One that does not
    /// fit the peer's MRU, or finds the ring full, is lost.
    pub fn control(
        &mut self,
        protocol: u16,
        code: u8,
        identifier: u8,
        write: impl Fn(&mut Writer),
    ) {
        self.packet(protocol, [code, identifier], &write);
    }

    fn packet(&mut self, protocol: u16, head: [u8; 2], write: &dyn Fn(&mut Writer)) {
        self.put(protocol, &|writer| {
            writer.put(&head);
            writer.u16(0);
            write(writer);
            writer.patch_u16(4, (writer.len() - 2) as u16);
        });
    }

    /// Queues a frame with the information that `write` fills in, such as an inner packet of our
    /// own. One that does not fit, or finds the ring full, is lost.
    pub fn frame(&mut self, protocol: u16, write: impl Fn(&mut Writer)) {
        self.put(protocol, &write);
    }

    fn put(&mut self, protocol: u16, write: &dyn Fn(&mut Writer)) {
        let (owner, limit) = (self.owner, (2 + self.mru).min(FRAME));
        let Some(frame) = self.frames.vacant() else {
            self.frames.lost += 1;
            return;
        };
        let mut writer = Writer::new(&mut frame.octets[..limit]);
        writer.u16(protocol);
        write(&mut writer);
        if let Some(len) = writer.finish() {
            (frame.owner, frame.len) = (owner, len);
            self.frames.count += 1;
        }
    }

    /// Queues a control packet that returns `rejected`, or as much of it as the peer's MRU takes
    /// behind `overhead` further octets: Code-Reject and Protocol-Reject (RFC 1661 sections 5.6
    /// and 5.7).
    pub fn reject(
        &mut self,
        protocol: u16,
        (code, identifier): (u8, u8),
        prefix: &[u8],
        rejected: &[u8],
    ) {
        let room = self.mru.saturating_sub(CONTROL_HEADER + prefix.len());
        let shown = &rejected[..rejected.len().min(room)];
        self.control(protocol, code, identifier, |writer| {
            writer.put(prefix);
            writer.put(shown);
        });
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::wire::ppp::{ControlPacket, protocol};
    use std::vec::Vec;

    fn storage(count: usize) -> Vec<Frame> {
        (0..count).map(|_| Frame::default()).collect()
    }

    #[test]
    fn first_in_first_out_and_bounded() {
        let mut slots = storage(2);
        let mut frames = Frames::new(&mut slots);
        for identifier in 1..=3 {
            frames.outlet(9, 1500).control(protocol::LCP, 9, identifier, |data| data.u32(7));
        }
        assert_eq!(frames.take_lost(), 1);
        let first = frames.pop().unwrap();
        assert_eq!(first.octets(), [0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 7]);
        assert_eq!(first.owner(), 9);
        assert_eq!(frames.pop().unwrap().octets()[3], 2);
        assert!(frames.pop().is_none());
    }

    #[test]
    fn a_reject_is_cut_to_the_mru_and_other_frames_are_not_sent_cut() {
        let mut slots = storage(2);
        let mut frames = Frames::new(&mut slots);
        frames.outlet(0, 580).reject(protocol::LCP, (8, 1), &[0x82, 0x35], &[0; 2000]);
        let frame = frames.pop().unwrap();
        assert_eq!(frame.octets().len(), 2 + 580);
        assert_eq!(ControlPacket::parse(&frame.octets()[2..]).unwrap().data.len(), 576);
        frames.outlet(0, 580).control(protocol::LCP, 2, 1, |data| data.put(&[0; 577]));
        assert!(frames.pop().is_none());
    }
}
