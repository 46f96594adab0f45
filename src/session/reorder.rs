//! Received packets that wait for an earlier one (RFC 2637 section 4.3), for all calls together.

use crate::limits::{HELD_PER_CALL, MRU, REORDER_MS};
use crate::packet::Packet;
use crate::reason::Discard;
use crate::time::Instant;

/// Octets of the longest PPP frame: address, control, protocol, MPPE header, inner protocol and an
/// information field of the largest kind, with some room for padding.
const LONGEST: usize = MRU + 36;

/// One place.
pub struct Held {
    owner: Option<u16>,
    sequence: u32,
    since: Instant,
    len: usize,
    octets: [u8; LONGEST],
}

impl Default for Held {
    fn default() -> Self {
        Held { owner: None, sequence: 0, since: Instant(0), len: 0, octets: [0; LONGEST] }
    }
}

/// All places.
pub struct Reorder<'a> {
    places: &'a mut [Held],
    count: usize,
}

impl<'a> Reorder<'a> {
    /// Nothing waits.
    pub fn new(places: &'a mut [Held]) -> Reorder<'a> {
        Reorder { places, count: 0 }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keeps a copy of the PPP frame in `packet`. Refused when it is kept already, when it is too
    /// long, or (`HeldFull`) when the call or all calls have too many.
    pub fn hold(
        &mut self,
        owner: u16,
        sequence: u32,
        packet: &Packet,
        now: Instant,
    ) -> Result<(), Discard> {
        if packet.len() > LONGEST {
            return Err(Discard::PppFrame);
        }
        let mut own = self.places.iter().filter(|place| place.owner == Some(owner));
        if own.any(|place| place.sequence == sequence) {
            return Err(Discard::GreDuplicate);
        }
        let held = self.places.iter().filter(|place| place.owner == Some(owner)).count();
        let free = self.places.iter_mut().find(|place| place.owner.is_none());
        let place = free.filter(|_| held < HELD_PER_CALL).ok_or(Discard::HeldFull)?;
        let room = place.octets.get_mut(..packet.len()).ok_or(Discard::HeldFull)?;
        room.copy_from_slice(packet.data());
        place.len = packet.len();
        (place.owner, place.sequence, place.since) = (Some(owner), sequence, now);
        self.count += 1;
        Ok(())
    }

    /// The earliest packet of `owner` behind `expected`: its number, and since when it or one behind
    /// it waits. Later numbers may have come first, and cannot pass before it does.
    pub fn lowest(&self, owner: u16, expected: u32) -> Option<(u32, Instant)> {
        let own = || self.places.iter().filter(|place| place.owner == Some(owner));
        let lowest = own().min_by_key(|place| place.sequence.wrapping_sub(expected))?;
        let since = own().map(|place| place.since).min()?;
        Some((lowest.sequence, since))
    }

    /// Moves the packet of `owner` with `sequence` into `packet`.
    pub fn take(&mut self, owner: u16, sequence: u32, packet: &mut Packet) -> bool {
        let mut places = self.places.iter_mut();
        let wanted = places.find(|place| place.owner == Some(owner) && place.sequence == sequence);
        let Some(place) = wanted else { return false };
        place.owner = None;
        self.count -= 1;
        packet.set(&place.octets[..place.len])
    }

    /// The owners of what waits, each as often as it has packets.
    pub fn owners(&self) -> impl Iterator<Item = u16> + '_ {
        self.places.iter().filter_map(|place| place.owner)
    }

    /// When the first packet has waited long enough.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.places.iter().filter(|place| place.owner.is_some());
        waiting.map(|place| place.since + REORDER_MS).min()
    }

    /// Forgets all that waits for `owner`.
    pub fn forget(&mut self, owner: u16) {
        for place in self.places.iter_mut().filter(|place| place.owner == Some(owner)) {
            place.owner = None;
            self.count -= 1;
        }
    }
}
