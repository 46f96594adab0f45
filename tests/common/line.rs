//! One direction of a line, in virtual time: it delays, loses, doubles and reorders.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use pptp::time::Instant;

use super::dice::Dice;

/// How good a line is: milliseconds, and chances in percent.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    pub delay: u64,
    pub jitter: u64,
    pub loss: u64,
    pub doubled: u64,
    /// Chance that a packet is overtaken, and for how long at most.
    pub reordered: (u64, u64),
}

/// A quiet line.
pub const GOOD: Quality = Quality { delay: 5, jitter: 0, loss: 0, doubled: 0, reordered: (0, 0) };

/// What mobile callers have on a bad day.
pub const BAD: Quality =
    Quality { delay: 20, jitter: 20, loss: 30, doubled: 5, reordered: (20, 60) };

/// Octets under way.
pub struct Line {
    pub quality: Quality,
    under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    last_arrival: Instant,
    count: u64,
}

impl Line {
    pub fn new(quality: Quality) -> Line {
        Line { quality, under_way: BinaryHeap::new(), last_arrival: Instant(0), count: 0 }
    }

    pub fn send(&mut self, octets: Vec<u8>, now: Instant, dice: &mut Dice) {
        let Quality { loss, doubled, .. } = self.quality;
        if dice.percent(loss) {
            return;
        }
        if dice.percent(doubled) {
            self.put(octets.clone(), now, dice);
        }
        self.put(octets, now, dice);
    }

    /// What is not reordered arrives in order, whatever the jitter.
    fn put(&mut self, octets: Vec<u8>, now: Instant, dice: &mut Dice) {
        let Quality { delay, jitter, reordered: (chance, most), .. } = self.quality;
        let arrival = self.last_arrival.max(now + delay + dice.below(jitter + 1));
        let late = if dice.percent(chance) { 1 + dice.below(most) } else { 0 };
        if late == 0 {
            self.last_arrival = arrival;
        }
        self.count += 1;
        self.under_way.push(Reverse((arrival + late, self.count, octets)));
    }

    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((at, ..))| *at)
    }

    pub fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.next_arrival().filter(|at| *at <= now)?;
        self.under_way.pop().map(|Reverse((_, _, octets))| octets)
    }

    /// Everything under way is lost.
    pub fn cut(&mut self) {
        self.under_way.clear();
    }
}
