//! When each call and each control connection must be looked after. The first of them is known at
//! once, and to set one costs the same for a thousand as for ten: a binary heap.

use crate::time::{Deadline, Instant};

/// One of the heap's entries, and the place of one sleeper in the heap: the two have nothing to do
/// with each other but that there are as many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alarm {
    entry: Entry,
    place: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    at: Instant,
    reason: &'static str,
    sleeper: u16,
}

/// All alarms. A sleeper is a number below the length of the storage.
pub struct Alarms<'a> {
    storage: &'a mut [Alarm],
    len: usize,
}

impl<'a> Alarms<'a> {
    /// No alarm is set.
    pub fn new(storage: &'a mut [Alarm]) -> Alarms<'a> {
        storage.fill(Alarm::default());
        Alarms { storage, len: 0 }
    }

    /// Number of alarms that are set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first of all alarms.
    pub fn first(&self) -> Option<Deadline> {
        let first = self.storage.first().filter(|_| self.len > 0)?;
        Some((first.entry.at, first.entry.reason))
    }

    /// Whose alarm it is time for.
    pub fn due(&self, now: Instant) -> Option<u16> {
        let first = self.storage.first().filter(|_| self.len > 0)?;
        (first.entry.at <= now).then_some(first.entry.sleeper)
    }

    /// The alarm of one sleeper.
    pub fn of(&self, sleeper: u16) -> Option<Instant> {
        self.place(sleeper).map(|at| self.storage[at].entry.at)
    }

    /// Makes sure that a sleeper's alarm is not later than `deadline`.
    pub fn advance(&mut self, sleeper: u16, deadline: Option<Deadline>) {
        if let Some((at, _)) = deadline
            && self.of(sleeper).is_none_or(|now| at < now)
        {
            self.set(sleeper, deadline);
        }
    }

    /// Sets a sleeper's alarm anew, or takes it away.
    pub fn set(&mut self, sleeper: u16, deadline: Option<Deadline>) {
        match (self.place(sleeper), deadline) {
            (Some(at), Some((time, reason))) => {
                self.settle(at, Entry { at: time, reason, sleeper })
            }
            (None, Some((time, reason))) => {
                self.len += 1;
                self.settle(self.len - 1, Entry { at: time, reason, sleeper });
            }
            (Some(at), None) => self.remove(at, sleeper),
            (None, None) => {}
        }
    }

    fn place(&self, sleeper: u16) -> Option<usize> {
        self.storage.get(usize::from(sleeper))?.place.map(usize::from)
    }

    fn remove(&mut self, at: usize, sleeper: u16) {
        self.storage[usize::from(sleeper)].place = None;
        self.len -= 1;
        if at < self.len {
            self.settle(at, self.storage[self.len].entry);
        }
    }

    /// Puts an entry where it belongs, from the hole at `at`: up, or else down.
    fn settle(&mut self, mut at: usize, entry: Entry) {
        while let Some(above) = at.checked_sub(1).map(|below| below / 2)
            && entry.at < self.storage[above].entry.at
        {
            self.put(at, self.storage[above].entry);
            at = above;
        }
        while let Some(below) = self.earlier_below(at)
            && self.storage[below].entry.at < entry.at
        {
            self.put(at, self.storage[below].entry);
            at = below;
        }
        self.put(at, entry);
    }

    /// The earlier of the two entries below one.
    fn earlier_below(&self, at: usize) -> Option<usize> {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        let time = |at: usize| self.storage[at].entry.at;
        let found = if right < self.len && time(right) < time(left) { right } else { left };
        (found < self.len).then_some(found)
    }

    fn put(&mut self, at: usize, entry: Entry) {
        self.storage[at].entry = entry;
        self.storage[usize::from(entry.sleeper)].place = Some(at as u16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const SLEEPERS: u16 = 40;

    /// Against a plain list, with all that can be done to it.
    #[test]
    fn the_first_is_the_first_of_a_list() {
        let (mut storage, mut list) = ([Alarm::default(); SLEEPERS as usize], [None; 40]);
        let (mut alarms, mut random) = (Alarms::new(&mut storage), Random::new([3; 32]));
        for _ in 0..20_000 {
            let sleeper = random.u16() % SLEEPERS;
            let known: &mut Option<Instant> = &mut list[usize::from(sleeper)];
            let at = Instant(u64::from(random.u16() % 100));
            match random.u16() % 3 {
                0 => {
                    alarms.set(sleeper, None);
                    *known = None;
                }
                1 => {
                    alarms.set(sleeper, Some((at, "set")));
                    *known = Some(at);
                }
                _ => {
                    alarms.advance(sleeper, Some((at, "advance")));
                    *known = Some(known.map_or(at, |known| known.min(at)));
                }
            }
            assert_eq!(alarms.of(sleeper), list[usize::from(sleeper)]);
            assert_eq!(alarms.len(), list.iter().flatten().count());
            let first = list.iter().flatten().min().copied();
            assert_eq!(alarms.first().map(|first| first.0), first);
            if let Some(first) = first {
                assert_eq!(alarms.due(first - 1).filter(|_| first > Instant(0)), None);
                let due = alarms.due(first).expect("the first one");
                assert_eq!(list[usize::from(due)], Some(first));
            }
        }
    }
}
