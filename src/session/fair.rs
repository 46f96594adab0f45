//! Fair turns for callers while more packets come than can be served: start-time fair queueing
//! (Goyal, Vin and Cheng, 1996) over packets that were read and not looked into yet.
//!
//! A socket is a queue for everybody: who fills it delays all others, and makes them lose packets in
//! proportion. Here the packets of both directions wait by caller instead, and a packet that must be
//! dropped costs no more than its read.
//!
//! * Every packet gets a number when it comes: the point of *virtual time* at which it is to be
//!   served. The packets of a caller stand apart by what each costs, so the lower number is that of
//!   the caller who was given less so far. Who has not sent for a while starts a little before the
//!   others: a ping does not wait for anybody's download.
//! * The lowest number is served, except that a caller goes on for a few packets: what stays
//!   together can be written together (`proto::merge`).
//! * When there is no more room, the packet with the highest number is dropped: the last one of the
//!   caller that is furthest ahead of all others.
//! * Where packets can be read in a row only (stateful MPPE), those behind a dropped one are dropped
//!   too, all but one by which the receiver learns of it, until the row begins anew. So such a call
//!   is interrupted when its packets fill the queue, and not once more for each of them.
//!
//! Each caller's packets are a list; to serve or to drop looks at the callers that have something
//! waiting, some 15 instructions for each, and only while there is more to do than time.

use core::mem;
use core::net::Ipv4Addr;

use heapless::Vec;

use crate::limits::{FAIR_BURST, WAITING};
use crate::packet::Packet;

/// Where a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From a caller at this address.
    Gre(Ipv4Addr),
    /// From the LAN, for a caller.
    Tun,
}

/// A packet whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    pub source: Source,
    /// The slot of the caller, for `charge`; `NOBODY` where there is no such caller.
    pub owner: u16,
    /// Packets of the caller in front of this one were dropped here.
    pub behind_gap: bool,
    /// What it costs, beside what is charged later: see `cost`.
    pub cost: u32,
}

/// The slot of packets that are nobody's.
pub const NOBODY: u16 = u16::MAX;

/// One place in the queue, and the buffer that belongs to it.
pub struct Waiting<'a> {
    packet: &'a mut Packet,
    next: Next,
    /// The places of the caller's packets before and behind it, or of the free place behind it.
    before: u16,
    behind: u16,
}

impl<'a> Waiting<'a> {
    /// A free place.
    pub fn new(packet: &'a mut Packet) -> Waiting<'a> {
        let next = Next { source: Source::Tun, owner: NOBODY, behind_gap: false, cost: 0 };
        Waiting { packet, next, before: NONE, behind: NONE }
    }
}

/// No place.
const NONE: u16 = u16::MAX;

/// What waits for a caller, and what it has had.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    first: u16,
    last: u16,
    /// The number of the first packet, and of the next one that comes.
    number: u64,
    end: u64,
    gap: Gap,
}

/// Whether GRE packets of a caller were dropped since the last one that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Dropped,
    /// They were, in a row; and what comes behind them is of use for nobody until the next row.
    Row,
}

impl Default for Account {
    fn default() -> Account {
        Account { first: NONE, last: NONE, number: 0, end: 0, gap: Gap::None }
    }
}

impl Account {
    /// Its last packet was dropped, and came from there.
    fn note_gap(&mut self, source: Source) {
        if source != Source::Tun {
            self.gap = Gap::Dropped;
        }
    }
}

/// The packets that wait.
pub struct FairQueue<'q, 'a> {
    places: &'q mut [Waiting<'a>],
    /// The first free place.
    free: u16,
    /// By slot, and a last one for packets of nobody.
    accounts: &'q mut [Account],
    /// Whose packets wait, by account.
    busy: Vec<u16, WAITING>,
    /// The highest that the lowest number was.
    time: u64,
    /// The account that is served.
    served: u16,
}

impl<'q, 'a> FairQueue<'q, 'a> {
    /// An empty queue of at most `WAITING` places. `accounts` has one element more than there are
    /// slots.
    pub fn new(places: &'q mut [Waiting<'a>], accounts: &'q mut [Account]) -> FairQueue<'q, 'a> {
        let count = places.len().min(WAITING);
        let places = &mut places[..count];
        for (place, behind) in places.iter_mut().zip(1..) {
            place.behind = if usize::from(behind) < count { behind } else { NONE };
        }
        // Callers begin at zero, and as much before the others as they may be.
        let time = FAIR_BURST.into();
        FairQueue { places, free: 0, accounts, busy: Vec::new(), time, served: NOBODY }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }

    /// Whether a further packet costs one that waits, or itself.
    pub fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// Puts `packet` into the queue, from or for the caller in slot `owner`, and gives another buffer
    /// for it. `follows` tells that the packet is of use only behind the one before it. Tells where
    /// the packet came from that had to be dropped, if one had to: another one or itself.
    pub fn push(
        &mut self,
        packet: &mut &'a mut Packet,
        owner: u16,
        source: Source,
        follows: bool,
    ) -> Option<Source> {
        let index = self.index(owner);
        if follows && self.account(index).gap == Gap::Row {
            return Some(source);
        }
        let earliest = self.time.saturating_sub(FAIR_BURST.into());
        let number = self.account(index).end.max(earliest);
        let dropped = if self.free == NONE { self.make_room(number) } else { None };
        let at = self.free;
        let Some(place) = self.places.get_mut(usize::from(at)) else {
            self.account(index).note_gap(source);
            return Some(source);
        };
        let cost = cost(packet.len());
        mem::swap(&mut place.packet, packet);
        self.free = mem::replace(&mut place.behind, NONE);
        let account = &mut self.accounts[usize::from(index)];
        let behind_gap = source != Source::Tun && account.gap != Gap::None;
        if behind_gap {
            account.gap = if follows { Gap::Row } else { Gap::None };
        }
        place.next = Next { source, owner, behind_gap, cost };
        place.before = mem::replace(&mut account.last, at);
        account.end = number + u64::from(cost);
        if account.first == NONE {
            (account.first, account.number) = (at, number);
            // There is room for as many callers as for packets.
            let _has_room = self.busy.push(index);
        } else {
            let before = usize::from(place.before);
            self.places[before].behind = at;
        }
        dropped
    }

    /// Drops the packet with the highest number, if that is higher than `number`. Its caller gets
    /// back what it would have cost.
    fn make_room(&mut self, number: u64) -> Option<Source> {
        let last_number = |&(_, &index): &(usize, &u16)| {
            let account = &self.accounts[usize::from(index)];
            account.end - u64::from(self.places[usize::from(account.last)].next.cost)
        };
        let victim = self.busy.iter().enumerate().max_by_key(last_number)?;
        let (highest, (busy, index)) = (last_number(&victim), (victim.0, *victim.1));
        if highest <= number {
            return None;
        }
        let account = &mut self.accounts[usize::from(index)];
        let at = account.last;
        let place = &mut self.places[usize::from(at)];
        let next = place.next;
        account.note_gap(next.source);
        (account.last, account.end) = (place.before, highest);
        place.behind = mem::replace(&mut self.free, at);
        match account.last {
            NONE => {
                account.first = NONE;
                self.busy.swap_remove(busy);
            }
            last => self.places[usize::from(last)].behind = NONE,
        }
        Some(next.source)
    }

    /// Takes the packet whose turn it is out of the queue, and gives the buffer in `packet` for it.
    pub fn pop(&mut self, packet: &mut &'a mut Packet) -> Option<Next> {
        let number = |&(_, &index): &(usize, &u16)| self.accounts[usize::from(index)].number;
        let lowest = self.busy.iter().enumerate().min_by_key(number)?;
        let limit = number(&lowest) + u64::from(FAIR_BURST);
        self.time = self.time.max(number(&lowest));
        let own = self.busy.iter().enumerate().find(|&(_, &index)| index == self.served);
        let own = own.filter(|own| number(own) < limit);
        let (busy, &index) = own.unwrap_or(lowest);
        let account = &mut self.accounts[usize::from(index)];
        let at = account.first;
        let place = &mut self.places[usize::from(at)];
        mem::swap(&mut place.packet, packet);
        account.number += u64::from(place.next.cost);
        account.first = mem::replace(&mut place.behind, mem::replace(&mut self.free, at));
        let next = place.next;
        match account.first {
            NONE => {
                account.last = NONE;
                self.busy.swap_remove(busy);
            }
            first => self.places[usize::from(first)].before = NONE,
        }
        self.served = index;
        Some(next)
    }

    /// A packet of the caller cost more than it seemed: those behind it wait for longer.
    pub fn charge(&mut self, owner: u16, cost: u32) {
        let index = self.index(owner);
        let account = self.account(index);
        account.number += u64::from(cost);
        account.end += u64::from(cost);
    }

    /// The account of a slot; the last one for what is none.
    fn index(&self, owner: u16) -> u16 {
        owner.min((self.accounts.len() - 1) as u16)
    }

    fn account(&mut self, index: u16) -> &mut Account {
        &mut self.accounts[usize::from(index)]
    }
}

/// What a packet costs, in the time that one octet takes to be encrypted, copied and checked (26
/// instructions on MIPS): its octets, and as much as `PACKET_COST` of them for its trip.
fn cost(octets: usize) -> u32 {
    PACKET_COST + octets as u32
}

const PACKET_COST: u32 = 800;

/// What a key change costs, in the same unit.
pub const KEY_COST: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const GRE: Source = Source::Gre(Ipv4Addr::LOCALHOST);

    /// A queue for the slots 0 to 3, and the packet at hand.
    struct Bench<'q, 'a> {
        queue: FairQueue<'q, 'a>,
        packet: &'a mut Packet,
    }

    fn with_queue(places: usize, test: impl FnOnce(Bench)) {
        let mut buffers: [Packet; 17] = core::array::from_fn(|_| Packet::new());
        let ([packet, ..], rest) = buffers.split_at_mut(1) else { unreachable!() };
        let mut waiting: Vec<Waiting, 16> = rest.iter_mut().map(Waiting::new).collect();
        let mut accounts = [Account::default(); 5];
        let queue = FairQueue::new(&mut waiting[..places], &mut accounts);
        test(Bench { queue, packet });
    }

    impl Bench<'_, '_> {
        /// A packet of `len` octets, of which the first is `mark`.
        fn push(&mut self, owner: u16, source: Source, mark: u8, len: usize) -> Option<Source> {
            self.packet.filled(len);
            self.packet.data_mut()[0] = mark;
            self.queue.push(&mut self.packet, owner, source, false)
        }

        /// One that is of use only behind the one before it.
        fn push_follower(&mut self, mark: u8) -> Option<Source> {
            self.packet.filled(100);
            self.packet.data_mut()[0] = mark;
            self.queue.push(&mut self.packet, 1, GRE, true)
        }

        fn pop(&mut self) -> Option<(Next, u8)> {
            let next = self.queue.pop(&mut self.packet)?;
            Some((next, self.packet.data()[0]))
        }

        fn owners(&mut self, count: usize) -> Vec<u16, 64> {
            (0..count).filter_map(|_| self.pop()).map(|(next, _)| next.owner).collect()
        }
    }

    #[test]
    fn one_caller_is_served_in_order() {
        with_queue(8, |mut bench| {
            for round in 0..3 {
                assert!(bench.queue.is_empty() && bench.pop().is_none());
                for mark in 0..8 {
                    let source = if mark % 2 == 0 { GRE } else { Source::Tun };
                    assert_eq!(bench.push(1, source, round + mark, 100), None);
                }
                for mark in 0..8 {
                    let (next, seen) = bench.pop().unwrap();
                    assert_eq!((next.owner, seen, next.behind_gap), (1, round + mark, false));
                }
            }
        });
    }

    /// Slot 0 has more waiting than anybody can serve, slot 1 sends one packet.
    #[test]
    fn a_ping_does_not_wait_for_a_download() {
        with_queue(16, |mut bench| {
            for mark in 0..10 {
                bench.push(0, Source::Tun, mark, 1400);
            }
            assert_eq!(bench.owners(4).as_slice(), [0; 4]);
            bench.push(1, GRE, 99, 100);
            assert_eq!(bench.pop().map(|(next, mark)| (next.owner, mark)), Some((1, 99)));
            assert_eq!(bench.owners(9).as_slice(), [0; 6]);
        });
    }

    #[test]
    fn costs_are_shared_equally() {
        with_queue(16, |mut bench| {
            let mut cost = [0; 4];
            for _ in 0..4000 {
                // Slot 0 sends thrice as much as the others, slot 2 small packets, slot 3 expensive ones.
                for owner in [0, 0, 0, 1, 2, 2, 2, 3] {
                    bench.push(owner, GRE, 0, if owner == 2 { 60 } else { 1400 });
                }
                for _ in 0..3 {
                    let (next, _) = bench.pop().unwrap();
                    let extra = if next.owner == 3 { 1000 } else { 0 };
                    bench.queue.charge(next.owner, extra);
                    cost[usize::from(next.owner)] += next.cost + extra;
                }
            }
            let fair = cost.iter().sum::<u32>() / 4;
            assert!(cost.iter().all(|&it| it > fair * 3 / 5), "{cost:?}");
        });
    }

    #[test]
    fn the_last_one_of_whoever_has_most_makes_room() {
        with_queue(4, |mut bench| {
            for mark in 0..4 {
                assert_eq!(bench.push(0, GRE, mark, 1400), None);
            }
            // Its own next one is the last.
            assert_eq!(bench.push(0, GRE, 4, 1400), Some(GRE));
            assert_eq!(bench.push(1, Source::Tun, 50, 1400), Some(GRE));
            let mut seen: Vec<(u16, u8, bool), 8> = Vec::new();
            assert_eq!(bench.push(7, Source::Tun, 60, 1400), Some(GRE));
            while let Some((next, mark)) = bench.pop() {
                seen.push((next.owner, mark, next.behind_gap)).unwrap();
                if mark == 0 {
                    assert_eq!(bench.push(0, GRE, 6, 40), None);
                }
            }
            let of = |owner| seen.iter().filter(move |it| it.0 == owner).map(|it| (it.1, it.2));
            assert!(of(0).eq([(0, false), (1, false), (6, true)]), "{seen:?}");
            assert!(of(1).eq([(50, false)]) && of(7).eq([(60, false)]), "{seen:?}");
        });
    }

    #[test]
    fn a_row_ends_with_the_first_drop() {
        with_queue(3, |mut bench| {
            for mark in 0..3 {
                assert_eq!(bench.push_follower(mark), None);
            }
            assert_eq!(bench.push_follower(3), Some(GRE));
            assert_eq!(bench.pop().map(|it| it.1), Some(0));
            // The first one behind the gap tells of it, the others are useless.
            assert_eq!(bench.push_follower(4), None);
            for mark in 5..9 {
                assert_eq!(bench.pop().is_some(), mark < 8);
                assert_eq!(bench.push_follower(mark), Some(GRE));
            }
            assert_eq!(bench.push(1, Source::Tun, 40, 100), None);
            assert_eq!(bench.push(1, GRE, 9, 100), None);
            assert_eq!(bench.push_follower(10), None);
            let marks = [(40, false), (9, true), (10, false)];
            assert!(
                marks
                    .iter()
                    .all(|it| bench.pop().map(|(next, mark)| (mark, next.behind_gap)) == Some(*it))
            );
        });
    }

    /// Whatever comes in whatever order: nothing is lost but what is told, nothing comes twice, and
    /// each caller's packets stay in order.
    #[test]
    fn nothing_is_lost_untold() {
        with_queue(16, |mut bench| {
            let (mut waiting, mut last, mut roll) = (0, [0u8; 5], 1u32);
            let mut sent = [0u8; 5];
            for _ in 0..200_000 {
                roll = roll.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (kind, owner) = (roll >> 20 & 7, (roll >> 24 & 3) * (roll >> 28 & 1));
                match kind {
                    0..4 => {
                        let owner = owner as u16;
                        let mark = &mut sent[usize::from(owner)];
                        *mark = mark.wrapping_add(1);
                        let mark = *mark;
                        let dropped =
                            bench.push(owner, GRE, mark, 1 + (roll >> 8 & 0x3ff) as usize);
                        assert_eq!(dropped.is_some(), waiting == 16);
                        waiting += usize::from(dropped.is_none());
                    }
                    4..7 => match bench.pop() {
                        Some((next, mark)) => {
                            let last = &mut last[usize::from(next.owner)];
                            let step = mark.wrapping_sub(*last);
                            assert!(step < 128 && (step == 1) != next.behind_gap, "{step}");
                            *last = mark;
                            waiting -= 1;
                        }
                        None => assert_eq!(waiting, 0),
                    },
                    _ => bench.queue.charge(owner as u16, roll & 0xfff),
                }
            }
        });
    }
}
