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

/// Octets of a machine word that is combined with the key stream at once.
const WORD: usize = 4;

/// Steps that stand before the first block of an aligned packet: MPPE encrypts from the protocol field
/// on, which is two octets, and the IP packet behind it is aligned.
const LEAD: usize = 2;

/// Octets of a packet's buffer.
pub const BUFFER: usize = 2048;

/// A packet's buffer, which begins where a machine word does.
#[derive(Clone)]
#[repr(C, align(4))]
pub struct Buffer(pub [u8; BUFFER]);

/// The table and its two indices.
#[derive(Clone)]
#[repr(C, align(4))]
pub struct Arc4 {
    table: [u8; 256],
    i: u8,
    j: u8,
}

impl Arc4 {
    /// A table initialised with a key of 1 to 256 octets.
    pub fn new(key: &[u8]) -> Arc4 {
        let mut cipher = Arc4::blank();
        cipher.start(key);
        cipher
    }

    /// A table that `start` initialises where it lies: for single packets a copy would cost too much.
    #[inline(always)]
    pub const fn blank() -> Arc4 {
        Arc4 { table: [0; 256], i: 0, j: 0 }
    }

    /// Begins the key stream of a key of 1 to 256 octets.
    pub fn start(&mut self, key: &[u8]) {
        (self.table, self.i, self.j) = (IDENTITY.0, 0, 0);
        match key.try_into() {
            Ok(key) => schedule(&mut self.table, key),
            Err(_other_length) => schedule_any(&mut self.table, key),
        }
    }

    /// Combines `data` with the next octets of the key stream, one after the other.
    pub fn apply(&mut self, data: &mut [u8]) {
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
        let last = self.apply_words(words, first);
        self.apply(buffer.0.get_mut(last * WORD..end).unwrap_or_default());
    }

    /// Forgets the table. Not done by itself: the tables of single packets lie on the stack, where
    /// the next packet's overwrites them, and wiping costs as much as encrypting 60 octets.
    pub fn wipe(&mut self) {
        self.table.zeroize();
        self.j.zeroize();
    }

    /// Whole blocks, from the word `first` on; returns the word behind them.
    #[inline(always)]
    fn apply_words(&mut self, words: &mut [[u8; WORD]], first: usize) -> usize {
        let (mut place, mut at) = ((usize::from(self.i) & (256 - BLOCK), self.j), first);
        while let Some(block) = words.get_mut(at..at + BLOCK / WORD) {
            place = apply_block(&mut self.table, place, block);
            at += BLOCK / WORD;
        }
        (self.i, self.j) = ((place.0 + LEAD) as u8, place.1);
        at
    }
}

/// Sixteen steps from a counter whose low four bits are `LEAD` and whose high ones are `base`; returns
/// the next one's, and the other index. Those are no octets in the table but registers here, and `base`
/// is a machine word: then the compiler adds `step` in the load itself.
#[inline(always)]
fn apply_block(
    table: &mut [u8; 256],
    (base, mut j): (usize, u8),
    words: &mut [[u8; WORD]],
) -> (usize, u8) {
    let next = (base + BLOCK) & (256 - BLOCK);
    // The place of the last key octet, which is looked up one step late.
    let mut late = 0u8;
    for (number, word) in words.iter_mut().enumerate() {
        let mut stream = [0; WORD];
        for k in 0..WORD {
            let step = LEAD + WORD * number + k + 1;
            let i = if step < BLOCK { base + step } else { next + step - BLOCK } & 0xff;
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
        stream[WORD - 1] = table[usize::from(late)];
        let mixed = u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(stream);
        *word = mixed.to_ne_bytes();
    }
    (next, j)
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

/// A table of 0 to 255, where whole words of it can be copied.
#[repr(C, align(4))]
struct Table([u8; 256]);

static IDENTITY: Table = {
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

    /// Wherever a packet stands in its buffer and whatever of the stream was used before.
    #[test]
    fn every_place_in_a_buffer_is_as_good_as_any() {
        for (start, used) in (0..20).flat_map(|start| (0..36).map(move |used| (start, used))) {
            for len in [0, 1, 2, 3, 5, 16, 17, 18, 19, 33, 64, 300] {
                let mut buffer = Buffer([0x5a; BUFFER]);
                let (mut ours, mut theirs) = (Arc4::new(b"0123456789abcdef"), vec![0; used + len]);
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
        let (mut cipher, mut buffer) = (Arc4::new(b"key"), Buffer([7; BUFFER]));
        cipher.apply_in(&mut buffer, BUFFER - 4, BUFFER + 1);
        cipher.apply_in(&mut buffer, 9, 8);
        assert_eq!(buffer.0, [7; BUFFER]);
    }
}
