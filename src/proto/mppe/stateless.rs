//! Receiving with a new key for every packet (RFC 3078 section 8.1).

use pptp_cipher::{Arc4, Scratch};

use super::LATE;
use super::keys::SessionKey;
use super::sense::{Clear, has_protocol};
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
            0 => self.expected(packet)?,
            distance if distance >= COUNTS - LATE => return Err(Discard::MppeLate),
            distance => self.ahead(distance, header.count, packet)?,
        }
        self.search = None;
        Ok(())
    }

    /// Whether it is the packet that comes next.
    pub fn expects(&self, header: Header) -> bool {
        self.place.distance(header.count) == 0
    }

    /// The packet that comes next: one key change, taken back if it makes no sense.
    fn expected(&mut self, packet: &mut Packet) -> Result<(), Discard> {
        let (before, mut cipher) = (self.place.key.current(), Scratch::blank());
        let cipher = &mut cipher.0;
        self.place.key.change_with(cipher);
        self.work = self.work.wrapping_add(1);
        let known = packet.len().min(PROTOCOL);
        let (head, _) = packet.data_mut().split_at_mut(known);
        let mut clear = [0; PROTOCOL];
        let clear = &mut clear[..known];
        clear.copy_from_slice(head);
        cipher.apply(clear);
        if !has_protocol(clear) {
            self.place.key.restore(&before);
            return Err(Discard::MppeJump);
        }
        head.copy_from_slice(clear);
        packet.apply(cipher, known);
        self.place.changes = self.place.changes.wrapping_add(1);
        Ok(())
    }

    /// A packet with others missing before it. The keys in between are computed on a copy, at most
    /// `REKEYS_PER_PACKET` for this packet. What is further ahead than that is searched for by
    /// several packets, each of which goes on where the one before it had to stop.
    fn ahead(&mut self, distance: u16, count: u16, packet: &mut Packet) -> Result<(), Discard> {
        let is_near = distance < REKEYS_PER_PACKET;
        let (mut place, budget) = match self.search.take_if(|_| !is_near) {
            Some(search) => (search, REKEYS_PER_PACKET),
            None => (self.place.clone(), REKEYS_PER_PACKET.min(distance + 1)),
        };
        if self.run(&mut place, budget, count, packet) {
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
    fn run(&mut self, place: &mut Place, budget: u16, count: u16, packet: &mut Packet) -> bool {
        let mut cipher = Scratch::blank();
        let cipher = &mut cipher.0;
        (0..budget).any(|_| {
            let is_due = place.distance(count) == 0;
            self.step(place, cipher);
            if !is_due {
                return false;
            }
            let clear = Clear::under(cipher, packet.data());
            let is_right = clear.is_ip();
            if is_right {
                clear.finish(cipher, packet);
            }
            is_right
        })
    }

    fn step(&mut self, place: &mut Place, cipher: &mut Arc4) {
        place.key.change_with(cipher);
        place.changes = place.changes.wrapping_add(1);
        self.work = self.work.wrapping_add(1);
    }
}

/// Octets of an inner protocol field.
const PROTOCOL: usize = 2;

/// Keys after which a search starts again at its beginning, so that it comes back if a spoofed
/// packet stood in its way: eight rounds. An outage of more packets than that is not caught up.
const SEARCH_END: u32 = 8 * COUNTS as u32;
