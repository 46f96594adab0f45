//! Receiving with a new key for every packet (RFC 3078 section 8.1).

use super::LATE;
use super::keys::SessionKey;
use super::sense::Clear;
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
        match self.place.distance(header.count) {
            0 => self.expected(packet.data_mut())?,
            distance if distance >= COUNTS - LATE => return Err(Discard::MppeLate),
            distance => self.ahead(distance, header.count, packet.data_mut())?,
        }
        self.search = None;
        Ok(())
    }

    /// Whether it is the packet that comes next.
    pub fn expects(&self, header: Header) -> bool {
        self.place.distance(header.count) == 0
    }

    /// The packet that comes next: one key change, taken back if it makes no sense.
    fn expected(&mut self, data: &mut [u8]) -> Result<(), Discard> {
        let before = self.place.key.current();
        self.place.key.change();
        self.work = self.work.wrapping_add(1);
        if !open(&self.place.key, Clear::has_protocol, data) {
            self.place.key.restore(&before);
            return Err(Discard::MppeJump);
        }
        self.place.changes = self.place.changes.wrapping_add(1);
        Ok(())
    }

    /// A packet with others missing before it. The keys in between are computed on a copy, at most
    /// `REKEYS_PER_PACKET` for this packet. What is further ahead than that is searched for by
    /// several packets, each of which goes on where the one before it had to stop.
    fn ahead(&mut self, distance: u16, count: u16, data: &mut [u8]) -> Result<(), Discard> {
        let is_near = distance < REKEYS_PER_PACKET;
        let (mut place, budget) = match self.search.take_if(|_| !is_near) {
            Some(search) => (search, REKEYS_PER_PACKET),
            None => (self.place.clone(), REKEYS_PER_PACKET.min(distance + 1)),
        };
        if self.run(&mut place, budget, count, data) {
            self.place = place;
            return Ok(());
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
    fn run(&mut self, place: &mut Place, budget: u16, count: u16, data: &mut [u8]) -> bool {
        (0..budget).any(|_| {
            let is_due = place.distance(count) == 0;
            self.step(place);
            is_due && open(&place.key, Clear::is_ip, data)
        })
    }

    fn step(&mut self, place: &mut Place) {
        place.key.change();
        place.changes = place.changes.wrapping_add(1);
        self.work = self.work.wrapping_add(1);
    }
}

/// Decrypts `data` if it makes sense under `key`.
fn open(key: &SessionKey, is_sense: fn(&Clear) -> bool, data: &mut [u8]) -> bool {
    let mut cipher = key.cipher();
    let clear = Clear::under(&mut cipher, data);
    let is_right = is_sense(&clear);
    if is_right {
        clear.finish(&mut cipher, data);
    }
    is_right
}

/// Keys after which a search starts again at its beginning, so that it comes back if a spoofed
/// packet stood in its way: eight rounds. An outage of more packets than that is not caught up.
const SEARCH_END: u32 = 8 * COUNTS as u32;
