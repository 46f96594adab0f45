//! The two loops of RC4 and most of SHA-1 for every processor.
//!
//! On a 24Kc core this shape takes half of the instructions of the plain loop: indices are octets
//! into a table of 256, so no bound is checked; the counter `i` stands still for a block of 16
//! steps and is a constant offset in each; the key stream is gathered in a register and combined
//! with four octets of data at a time; and each step's look-up of its key octet stands behind the
//! next step's first load, where an in-order core would otherwise wait.

use crate::arc4::{BLOCK, IDENTITY, LEAD, WORD};
use crate::sha1::{FIRST, State, choose, round};

/// Combines whole blocks of `words`, from the word `first` on, with the key stream. The counter of the
/// first step is `base` + `LEAD` + 1, where the low four bits of `base` are zero; returns the next block's
/// `base`, and the other index. What is behind the last whole block stays.
#[inline(always)]
pub fn apply(
    table: &mut [u8; 256],
    mut place: (usize, u8),
    words: &mut [[u8; WORD]],
    first: usize,
) -> Option<(usize, u8)> {
    let mut at = first;
    while let Some(block) = words.get_mut(at..at + BLOCK / WORD) {
        place = apply_block(table, place, block);
        at += BLOCK / WORD;
    }
    Some(place)
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

/// Combines the first octets of `data` with the key stream, if that is worth it; returns the next place and
/// how many octets that were.
#[cfg(not(mips_asm))]
#[inline(always)]
pub fn apply_words(
    _: &mut [u8; 256],
    place: crate::arc4::Place,
    _: &mut [u8],
) -> (crate::arc4::Place, usize) {
    (place, 0)
}

/// The key schedule for a key of 128 bits; whatever was in the table before. Whether it was done.
#[inline(always)]
pub fn schedule(table: &mut [u8; 256], key: &[u8; 16]) -> bool {
    *table = IDENTITY.0;
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
    true
}

/// The last 64 rounds of SHA-1, whose words are made as they are needed.
#[inline(never)]
pub fn rest(mut state: State, mut block: [u32; 16]) -> State {
    macro_rules! rounds {
        ($mix:expr, $constant:expr, $($at:literal)*) => {$(
            let (one, two) = (block[($at + 13) % 16] ^ block[($at + 8) % 16], block[($at + 2) % 16]);
            block[$at] = (one ^ two ^ block[$at]).rotate_left(1);
            state = round(state, $mix, $constant, block[$at]);
        )*};
    }
    rounds!(choose, FIRST, 0 1 2 3);
    rounds!(parity, SECOND, 4 5 6 7 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7);
    rounds!(majority, THIRD, 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 8 9 10 11);
    rounds!(parity, FOURTH, 12 13 14 15 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    state
}

#[inline(always)]
fn parity(b: u32, c: u32, d: u32) -> u32 {
    b ^ c ^ d
}

#[inline(always)]
fn majority(b: u32, c: u32, d: u32) -> u32 {
    // No bit is in both summands.
    (b & c).wrapping_add((b ^ c) & d)
}

const SECOND: u32 = 0x6ed9_eba1;
const THIRD: u32 = 0x8f1b_bcdc;
const FOURTH: u32 = 0xca62_c1d6;
