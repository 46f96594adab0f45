//! RC4, written for routers: most of the time that a packet costs is spent in `apply_in` and `start`.
//!
//! What is done octet by octet stands here. Blocks of 16 octets and keys of 128 bits, which is nearly
//! everything, are done in `portable.rs`, or in `mips` where the compiler may take that.

use zeroize::Zeroize;

use crate::fast;

/// Steps for which the counter stands still.
pub const BLOCK: usize = 16;

/// Octets of a machine word that is combined with the key stream at once.
pub const WORD: usize = 4;

/// Steps that stand before the first block of an aligned packet: MPPE encrypts from the protocol field
/// on, which is two octets, and the IP packet behind it is aligned.
pub const LEAD: usize = 2;

/// Octets of a packet's buffer.
pub const BUFFER: usize = 2048;

/// A packet's buffer, which begins where a machine word does.
#[derive(Clone)]
#[repr(C, align(4))]
pub struct Buffer(pub [u8; BUFFER]);

/// The two indices, i and j.
pub type Place = (u8, u8);

/// The table and its two indices.
#[derive(Clone)]
#[repr(C, align(4))]
pub struct Arc4 {
    table: [u8; 256],
    i: u8,
    j: u8,
}

/// The tables of single packets, one after the other, where they cost least: a table for MIPS's own
/// instructions begins at a multiple of its length.
#[cfg_attr(mips_asm, repr(C, align(256)))]
pub struct Scratch(pub Arc4);

impl Scratch {
    /// A table that `Arc4::start` initialises where it lies.
    #[inline(always)]
    pub const fn blank() -> Scratch {
        Scratch(Arc4 { table: [0; 256], i: 0, j: 0 })
    }
}

impl Arc4 {
    /// A table initialised with a key of 1 to 256 octets.
    pub fn new(key: &[u8]) -> Arc4 {
        let mut scratch = Scratch::blank();
        scratch.0.start(key);
        scratch.0
    }

    /// Begins the key stream of a key of 1 to 256 octets.
    #[cfg_attr(mips_asm, inline(never))] // the loops are no part of it there
    pub fn start(&mut self, key: &[u8]) {
        (self.i, self.j) = (0, 0);
        if !key.try_into().is_ok_and(|key| fast::schedule(&mut self.table, key)) {
            schedule(&mut self.table, key);
        }
    }

    /// Combines `data` with the next octets of the key stream, one after the other.
    #[cfg_attr(mips_asm, inline(never))]
    pub fn apply(&mut self, data: &mut [u8]) {
        let table = &mut self.table;
        let done;
        ((self.i, self.j), done) = fast::apply_words(table, (self.i, self.j), data);
        for octet in &mut data[done..] {
            self.i = self.i.wrapping_add(1);
            let x = table[usize::from(self.i)];
            self.j = self.j.wrapping_add(x);
            let y = table[usize::from(self.j)];
            table[usize::from(self.i)] = y;
            table[usize::from(self.j)] = x;
            *octet ^= table[usize::from(x.wrapping_add(y))];
        }
    }

    /// The same for the octets of `buffer` from `start` to `end`. Where they stand as those of a packet
    /// do, whole blocks are done at once: half as much work.
    pub fn apply_in(&mut self, buffer: &mut Buffer, start: usize, end: usize) {
        let lead = start.wrapping_neg() % WORD;
        if start + lead > end || (usize::from(self.i) + lead) % BLOCK != LEAD {
            return self.apply(buffer.0.get_mut(start..end).unwrap_or_default());
        }
        let first = (start + lead) / WORD;
        self.apply(buffer.0.get_mut(start..first * WORD).unwrap_or_default());
        // Counted from the start of the buffer: only so the compiler knows that they are aligned.
        let (words, _) = buffer.0.as_chunks_mut();
        let Some(words) = words.get_mut(..end / WORD) else { return };
        let (place, mut last) = ((usize::from(self.i) & (256 - BLOCK), self.j), first);
        if let Some((base, j)) = fast::apply(&mut self.table, place, words, first) {
            (self.i, self.j) = ((base + LEAD) as u8, j);
            last = words.len() - (words.len() - first) % (BLOCK / WORD);
        }
        self.apply(buffer.0.get_mut(last * WORD..end).unwrap_or_default());
    }

    /// Forgets the table. Not done by itself: the tables of single packets lie on the stack, where
    /// the next packet's overwrites them, and wiping costs as much as encrypting 60 octets.
    pub fn wipe(&mut self) {
        self.table.zeroize();
        self.j.zeroize();
    }
}

/// The key schedule for keys of any length.
fn schedule(table: &mut [u8; 256], key: &[u8]) {
    *table = IDENTITY.0;
    let mut j = 0u8;
    for (i, &octet) in (0..256).zip(key.iter().cycle()) {
        j = j.wrapping_add(table[i]).wrapping_add(octet);
        table.swap(i, usize::from(j));
    }
}

/// A table of 0 to 255, where whole words of it can be copied.
#[repr(C, align(4))]
pub struct Table(pub [u8; 256]);

pub static IDENTITY: Table = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = i as u8;
        i += 1;
    }
    Table(table)
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

    /// As packets have it.
    fn scratch() -> Scratch {
        let mut scratch = Scratch::blank();
        scratch.0.start(b"0123456789abcdef");
        scratch
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
        let mut theirs = vec![0; 5000];
        reference(b"0123456789abcdef").apply_keystream(&mut theirs);
        let mut scratch = scratch();
        for cipher in [&mut Arc4::new(b"0123456789abcdef"), &mut scratch.0] {
            let (mut ours, mut at, mut step) = (vec![0; 5000], 0, 1);
            while at < ours.len() {
                let end = (at + step).min(ours.len());
                cipher.apply(&mut ours[at..end]);
                (at, step) = (end, step * 7 % 61 + 1);
            }
            assert_eq!(ours, theirs);
        }
    }

    /// What the other tests see of packets is the work of those loops, not of the plain ones.
    #[test]
    fn packets_have_the_fast_loops() {
        let (Scratch(ref mut cipher), mut buffer) = (scratch(), Buffer([0; BUFFER]));
        assert!(fast::schedule(&mut cipher.table, b"0123456789abcdef"));
        let (words, _) = buffer.0.as_chunks_mut();
        assert!(fast::apply(&mut cipher.table, (0, 0), &mut words[..8], 4).is_some());
        assert!(words[4..8].iter().all(|word| *word != [0; 4]) && words[..4] == [[0; 4]; 4]);
    }

    /// Wherever a packet stands in its buffer and whatever of the stream was used before.
    #[test]
    fn every_place_in_a_buffer_is_as_good_as_any() {
        for (start, used) in (0..20).flat_map(|start| (0..36).map(move |used| (start, used))) {
            for len in [0, 1, 2, 3, 5, 16, 17, 18, 19, 33, 64, 300, 1402] {
                let mut buffer = Buffer([0x5a; BUFFER]);
                let (Scratch(ref mut ours), mut theirs) = (scratch(), vec![0; used + len]);
                ours.apply(&mut vec![0; used]);
                ours.apply_in(&mut buffer, start, start + len);
                reference(b"0123456789abcdef").apply_keystream(&mut theirs);
                theirs.iter_mut().for_each(|octet| *octet ^= 0x5a);
                assert_eq!(buffer.0[start..start + len], theirs[used..], "{start} {used} {len}");
                assert!(buffer.0[..start].iter().all(|&octet| octet == 0x5a));
                assert!(buffer.0[start + len..].iter().all(|&octet| octet == 0x5a));
                let (mut next, mut more) = ([0; 20], vec![0; used + len + 20]);
                ours.apply(&mut next);
                reference(b"0123456789abcdef").apply_keystream(&mut more);
                assert_eq!(next, more[used + len..]);
            }
        }
        let (Scratch(ref mut cipher), mut buffer) = (scratch(), Buffer([7; BUFFER]));
        cipher.apply_in(&mut buffer, BUFFER - 4, BUFFER + 1);
        cipher.apply_in(&mut buffer, 9, 8);
        assert_eq!(buffer.0, [7; BUFFER]);
    }
}
