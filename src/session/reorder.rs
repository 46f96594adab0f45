//! Received packets that wait for an earlier one (RFC 2637 section 4.3), for all calls together.
//!
//! The other way would be to pass every packet on at once and keep the keys of those that are
//! missing, so that a late one is decrypted with its own: a ring of 32 keys of 16 octets for each
//! call. Both by their rules, 60 000 packets over a line that loses some and delays 30 % by up to
//! 20 ms (a model; without the delays none is lost by either):
//!
//! | packets in a second | loss | buffer passes | waits, mean | ring passes | of them out of order |
//! |---|---|---|---|---|---|
//! | 300 | 0 % | 100 % | 3.0 ms | 100 % | 23 % |
//! | 300 | 10 % | 100 % | 18.4 ms | 100 % | 22 % |
//! | 1000 | 0 % | 99.0 % | 7.6 ms | 100 % | 28 % |
//! | 1000 | 10 % | 99.7 % | 12.0 ms | 100 % | 28 % |
//! | 5000 | 0 % | 77 % | 3.4 ms | 100 % | 29 % |
//! | 5000 | 10 % | 78 % | 4.0 ms | 99.9 % | 29 % |
//!
//! On a line that only loses packets both pass all others, and the buffer makes them wait for those
//! that never come: 2.5, 9.7 and 19.5 ms in the mean at 2, 10 and 30 % and 1000 packets a second. The
//! ring takes 512 octets for each call, 16 KB for 32 calls and 512 KB for 1024; the buffer 100 KB for
//! all. The ring needs no copy, no timer and no look for what waits.
//!
//! It is the buffer all the same. Stateful MPPE is one stream and needs it, whatever stateless does,
//! so a ring would come beside it and not in its place. And what it passes is in order: three
//! packets of a TCP connection that are overtaken count as a loss there.

use crate::limits::{HELD, HELD_PER_CALL, MRU, REORDER_MS};
use crate::packet::Packet;
use crate::reason::Discard;
use crate::time::Instant;

/// Octets of the longest PPP frame: address, control, protocol, MPPE header, inner protocol and an
/// information field of the largest kind, with some room for padding.
const LONGEST: usize = MRU + 36;

/// Octets of a packet that waits.
pub struct Held {
    len: usize,
    octets: [u8; LONGEST],
}

impl Default for Held {
    fn default() -> Self {
        Held { len: 0, octets: [0; LONGEST] }
    }
}

/// What waits in a place. These stand together: every packet that waits is looked at when one comes
/// or goes, and its octets are not.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    owner: Option<u16>,
    sequence: u32,
    since: Instant,
}

/// The calls whose next packet may be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    Nobody,
    One(u16),
    Several,
}

/// All places.
pub struct Reorder<'a> {
    places: &'a mut [Held],
    marks: [Mark; HELD],
    /// No place at or behind this is taken.
    end: usize,
    count: usize,
    /// When the first of all packets came, or earlier.
    first: Instant,
    moved: Moved,
}

impl<'a> Reorder<'a> {
    /// Nothing waits. Of `places` no more than `limits::HELD` are used.
    pub fn new(places: &'a mut [Held]) -> Reorder<'a> {
        let marks = [Mark::default(); HELD];
        Reorder { places, marks, end: 0, count: 0, first: Instant(0), moved: Moved::Nobody }
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
        let (mut held, mut free) = (0, self.end);
        for (at, mark) in self.marks[..self.end].iter().enumerate() {
            match mark.owner {
                None => free = free.min(at),
                Some(other) if other == owner => {
                    if mark.sequence == sequence {
                        return Err(Discard::GreDuplicate);
                    }
                    held += 1;
                }
                Some(_) => {}
            }
        }
        let mark = self.marks.get_mut(free).ok_or(Discard::HeldFull)?;
        let place = self.places.get_mut(free).filter(|_| held < HELD_PER_CALL);
        let place = place.ok_or(Discard::HeldFull)?;
        let room = place.octets.get_mut(..packet.len()).ok_or(Discard::HeldFull)?;
        room.copy_from_slice(packet.data());
        place.len = packet.len();
        *mark = Mark { owner: Some(owner), sequence, since: now };
        if self.count == 0 {
            self.first = now;
        }
        self.count += 1;
        self.end = self.end.max(free + 1);
        Ok(())
    }

    /// The earliest packet of `owner` behind `expected`: its number, and since when it or one behind
    /// it waits. Later numbers may have come first, and cannot pass before it does.
    pub fn lowest(&self, owner: u16, expected: u32) -> Option<(u32, Instant)> {
        let own = self.marks[..self.end].iter().filter(|mark| mark.owner == Some(owner));
        own.map(|mark| (mark.sequence, mark.since)).reduce(|a, b| {
            let distance = |number: u32| number.wrapping_sub(expected);
            let lower = if distance(b.0) < distance(a.0) { b.0 } else { a.0 };
            (lower, a.1.min(b.1))
        })
    }

    /// Moves the packet of `owner` with `sequence` into `packet`.
    pub fn take(&mut self, owner: u16, sequence: u32, packet: &mut Packet) -> bool {
        let mut marks = self.marks[..self.end].iter();
        let wanted = |mark: &Mark| mark.owner == Some(owner) && mark.sequence == sequence;
        let Some(at) = marks.position(wanted) else { return false };
        let (Some(mark), Some(place)) = (self.marks.get_mut(at), self.places.get(at)) else {
            return false;
        };
        mark.owner = None;
        packet.set(&place.octets[..place.len]);
        self.freed(1);
        true
    }

    /// After places became free.
    fn freed(&mut self, count: usize) {
        self.count -= count;
        let taken = self.marks[..self.end].iter().rposition(|mark| mark.owner.is_some());
        self.end = taken.map_or(0, |at| at + 1);
    }

    /// Whether a packet of `owner` waits.
    pub fn holds(&self, owner: u16) -> bool {
        self.count > 0 && self.owners().any(|it| it == owner)
    }

    /// The owners of what waits, each as often as it has packets.
    pub fn owners(&self) -> impl Iterator<Item = u16> + '_ {
        self.marks[..self.end].iter().filter_map(|mark| mark.owner)
    }

    /// Another packet is expected of `owner` than before: it may be one that waits.
    pub fn moved(&mut self, owner: u16) {
        if self.count > 0 {
            self.moved = match self.moved {
                Moved::Nobody => Moved::One(owner),
                Moved::One(other) if other == owner => Moved::One(owner),
                _ => Moved::Several,
            };
        }
    }

    /// The number of a packet whose turn it is, with its owner, if there may be one: `expected` tells
    /// what an owner expects.
    pub fn next(&mut self, expected: impl Fn(u16) -> Option<u32>) -> Option<(u16, u32)> {
        let in_order = |owner: u16| {
            let (sequence, _) = self.lowest(owner, expected(owner)?)?;
            (expected(owner) == Some(sequence)).then_some((owner, sequence))
        };
        let found = match self.moved {
            Moved::Nobody => return None,
            Moved::One(owner) => in_order(owner),
            Moved::Several => self.owners().find_map(in_order),
        };
        if found.is_none() {
            self.moved = Moved::Nobody;
        }
        found
    }

    /// The owner of a packet that has waited long enough.
    pub fn overdue(&mut self, now: Instant) -> Option<u16> {
        if self.poll_timeout()? > now {
            return None;
        }
        let waiting = self.marks[..self.end].iter().filter(|mark| mark.owner.is_some());
        let first = waiting.min_by_key(|mark| mark.since)?;
        self.first = first.since;
        first.owner.filter(|_| first.since + REORDER_MS <= now)
    }

    /// When the first packet has waited long enough, or earlier.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.count > 0).then(|| self.first + REORDER_MS)
    }

    /// Forgets all that waits for `owner`.
    pub fn forget(&mut self, owner: u16) {
        let mut count = 0;
        for mark in self.marks[..self.end].iter_mut().filter(|mark| mark.owner == Some(owner)) {
            mark.owner = None;
            count += 1;
        }
        self.freed(count);
    }
}
