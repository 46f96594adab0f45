//! Which call has which inner address.

use core::net::Ipv4Addr;

use heapless::Vec;

use crate::config::Pool;
use crate::limits::USERS;

/// The index from addresses to slots: a subtraction for those of the pool, a short list for fixed
/// addresses outside of it.
pub struct Leases<'a> {
    pool: Pool,
    /// Slot plus one of each address of the pool; 0 is free.
    index: &'a mut [u16],
    /// Where the search for a free address begins, so that a new caller does not inherit the
    /// connections that were open through an address given back a moment ago.
    next: usize,
    strays: Vec<(Ipv4Addr, u16), USERS>,
}

impl<'a> Leases<'a> {
    /// No address is leased.
    pub fn new(pool: Pool, index: &'a mut [u16]) -> Leases<'a> {
        index.fill(0);
        Leases { pool, index, next: 0, strays: Vec::new() }
    }

    /// The slot of the call that has `address`.
    pub fn find(&self, address: Ipv4Addr) -> Option<u16> {
        match self.pool.offset(address) {
            Some(offset) => self.index.get(offset)?.checked_sub(1),
            None => self.strays.iter().find(|stray| stray.0 == address).map(|stray| stray.1),
        }
    }

    /// Leases `address` itself to `slot`; false when another call has it.
    pub fn take(&mut self, address: Ipv4Addr, slot: u16) -> bool {
        if self.find(address).is_some() {
            return false;
        }
        match self.pool.offset(address).and_then(|offset| self.index.get_mut(offset)) {
            Some(entry) => *entry = slot + 1,
            None => return self.strays.push((address, slot)).is_ok(),
        }
        true
    }

    /// Leases the next free address of the pool to `slot`; `reserved` are left alone.
    pub fn take_any(&mut self, slot: u16, reserved: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let count = self.index.len();
        let offsets = (self.next..count).chain(0..self.next.min(count));
        for offset in offsets {
            let Some(address) = self.pool.address(offset) else { continue };
            if self.index[offset] == 0 && !reserved(address) {
                self.index[offset] = slot + 1;
                self.next = offset + 1;
                return Some(address);
            }
        }
        None
    }

    /// Gives `address` back.
    pub fn release(&mut self, address: Ipv4Addr) {
        match self.pool.offset(address).and_then(|offset| self.index.get_mut(offset)) {
            Some(entry) => *entry = 0,
            None => self.strays.retain(|stray| stray.0 != address),
        }
    }

    /// Number of leased addresses.
    pub fn count(&self) -> usize {
        self.index.iter().filter(|&&entry| entry != 0).count() + self.strays.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_fit_reserved_and_strays() {
        let address = |last| Ipv4Addr::new(192, 168, 77, last);
        let mut index = [0; 3];
        let pool = Pool { first: address(10), last: address(12) };
        let mut leases = Leases::new(pool, &mut index);
        let free = |_| false;
        assert_eq!(leases.take_any(5, free), Some(address(10)));
        leases.release(address(10));
        assert_eq!(leases.take_any(6, free), Some(address(11)));
        assert!(leases.take(address(200), 7));
        assert!(!leases.take(address(200), 8));
        assert_eq!(leases.take_any(9, |reserved| reserved == address(12)), Some(address(10)));
        assert_eq!(leases.take_any(9, |reserved| reserved == address(12)), None);
        assert_eq!((leases.find(address(11)), leases.find(address(200))), (Some(6), Some(7)));
        leases.release(address(200));
        assert_eq!(leases.find(address(200)), None);
        assert_eq!(leases.find(address(9)), None);
        assert_eq!(leases.count(), 2);
    }
}
