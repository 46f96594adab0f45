//! Receiving with a new key for every packet (RFC 3078 section 8.1).

use super::LATE;
use super::keys::SessionKey;
use super::sense::Clear;
use super::stream::Stream;
use crate::limits::REKEYS_PER_PACKET;
use crate::packet::Packet;
use crate::reason::Discard;
use crate::wire::mppe::{COUNTS, Header};

/// A place in the endless row of keys.
#[derive(Clone)]
struct Place {
    key: SessionKey,
    /// Changes that made `key`. The next one is for the packet whose count is this, modulo 4096.
    changes: u32,
}

impl Place {
    /// Packets from the next key's to the one with `count`.
    fn distance(&self, count: u16) -> u16 {
        count.wrapping_sub(self.changes as u16) % COUNTS
    }
}

/// The receiver of one call.
pub struct Stateless {
    /// Behind the last packet that was believed.
    place: Place,
    /// Where the search for a packet far ahead has come to.
    search: Option<Place>,
    /// Key changes computed so far, right or wrong.
    pub work: u32,
}

impl Stateless {
    /// A receiver that waits for count 0. Its key is the first one changed: "stateless" changes
    /// the key before the first packet, too.
    pub fn new(key: SessionKey) -> Stateless {
        Stateless { place: Place { key, changes: 0 }, search: None, work: 0 }
    }

    /// Decrypts a packet whose header was stripped.
    pub fn open(&mut self, header: Header, packet: &mut Packet) -> Result<(), Discard> {
        if !header.flushed {
            return Err(Discard::MppeHeader);
        }
        let stream = match self.place.distance(header.count) {
            0 => self.expected(packet.data())?,
            distance if distance >= COUNTS - LATE => return Err(Discard::MppeLate),
            distance => self.ahead(distance, header.count, packet.data())?,
        };
        self.search = None;
        stream.finish(packet.data_mut());
        Ok(())
    }

    /// Whether it is the packet that comes next.
    pub fn expects(&self, header: Header) -> bool {
        self.place.distance(header.count) == 0
    }

    /// The packet that comes next: one key change.
    fn expected(&mut self, data: &[u8]) -> Result<Stream, Discard> {
        let mut place = self.place.clone();
        self.step(&mut place);
        let stream = place.key.stream();
        if !Clear::of(&stream, data).has_protocol() {
            return Err(Discard::MppeJump);
        }
        self.place = place;
        Ok(stream)
    }

    /// A packet with others missing before it. The keys in between are computed on a copy, at most
    /// `REKEYS_PER_PACKET` for this packet. What is further ahead than that is searched for by
    /// several packets, each of which goes on where the one before it had to stop.
    fn ahead(&mut self, distance: u16, count: u16, data: &[u8]) -> Result<Stream, Discard> {
        let is_near = distance < REKEYS_PER_PACKET;
        let (mut place, budget) = match self.search.take_if(|_| !is_near) {
            Some(search) => (search, REKEYS_PER_PACKET),
            None => (self.place.clone(), REKEYS_PER_PACKET.min(distance + 1)),
        };
        if let Some(stream) = self.run(&mut place, budget, count, data) {
            self.place = place;
            return Ok(stream);
        }
        let lead = place.changes.wrapping_sub(self.place.changes);
        if !is_near && lead < SEARCH_END {
            self.search = Some(place);
        }
        Err(Discard::MppeJump)
    }

    /// Steps `budget` keys forward and stops at a key of this count that decrypts to sense. The
    /// search does not end at the count itself: after an outage of more than 4096 packets the key
    /// is a whole round further.
    fn run(&mut self, place: &mut Place, budget: u16, count: u16, data: &[u8]) -> Option<Stream> {
        (0..budget).find_map(|_| {
            let is_due = place.distance(count) == 0;
            self.step(place);
            if !is_due {
                return None;
            }
            Some(place.key.stream()).filter(|stream| Clear::of(stream, data).is_ip())
        })
    }

    fn step(&mut self, place: &mut Place) {
        place.key.change();
        place.changes = place.changes.wrapping_add(1);
        self.work = self.work.wrapping_add(1);
    }
}

/// Keys after which a search starts again at its beginning, so that it comes back if a spoofed
/// packet stood in its way: eight rounds. An outage of more packets than that is not caught up.
const SEARCH_END: u32 = 8 * COUNTS as u32;
