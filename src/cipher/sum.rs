//! The Internet checksum (RFC 1071) of whole packets: what verifies one costs less than routing it.

use crate::arc4::Buffer;

/// Octets of a machine word.
pub const WORD: usize = 4;

/// Words that one turn of a loop sums up.
const BLOCK: usize = 8;

/// Words that one turn of a loop copies and sums up.
pub const COPIED: usize = 16;

/// Octets of a buffer for a packet of many segments.
pub const LARGE: usize = 12 + 24 * 1024;

/// A buffer for a packet of many segments, which begins where a machine word does.
#[repr(C, align(4))]
pub struct Large(pub [u8; LARGE]);

/// Sum of the 16-bit words of `octets` in ones' complement, in the machine's own byte order: enough
/// to see whether a checksum is right, since 0xffff is the same in both orders.
pub fn sum(octets: &[u8]) -> u16 {
    let (words, rest) = octets.as_chunks::<WORD>();
    let (blocks, few) = words.as_chunks::<BLOCK>();
    let mut total = last(rest);
    for block in blocks {
        for word in block {
            total += u64::from(u32::from_ne_bytes(*word));
        }
    }
    for word in few {
        total += u64::from(u32::from_ne_bytes(*word));
    }
    fold(total)
}

/// Copies the octets of `from` from `start` to `end` to where `at` is in `to`, and returns the sum of
/// their 16-bit words as `sum` does. `None` where they do not fit.
pub fn copy(from: &Buffer, (start, end): (usize, usize), to: &mut Large, at: usize) -> Option<u16> {
    let octets = from.0.get(start..end)?;
    let room = to.0.get_mut(at..at + octets.len())?;
    Some(copy_all(octets, room))
}

/// Copies all octets of `from`, which are as many as those of `to`; their sum.
#[inline(never)]
pub fn copy_all(from: &[u8], to: &mut [u8]) -> u16 {
    let (words, rest) = from.as_chunks::<WORD>();
    let (places, last_place) = to.as_chunks_mut::<WORD>();
    let (blocks, few) = words.as_chunks::<COPIED>();
    let (rooms, few_places) = places.as_chunks_mut::<COPIED>();
    let Some(mut total) = copy_blocks(blocks, rooms) else {
        to.copy_from_slice(from);
        return sum(from);
    };
    for (word, place) in few.iter().zip(few_places) {
        *place = *word;
        total += u64::from(u32::from_ne_bytes(*word));
    }
    last_place.copy_from_slice(rest);
    fold(total + last(rest))
}

#[cfg(mips_asm)]
use crate::mips::copy_blocks;

/// Copies all of `from`; the sum of its words.
#[cfg(not(mips_asm))]
#[inline(always)]
fn copy_blocks(from: &[[[u8; WORD]; COPIED]], to: &mut [[[u8; WORD]; COPIED]]) -> Option<u64> {
    let mut total = 0;
    for (block, room) in from.iter().zip(to) {
        for (word, place) in block.iter().zip(room) {
            *place = *word;
            total += u64::from(u32::from_ne_bytes(*word));
        }
    }
    Some(total)
}

/// Sum of up to three octets behind the last whole word.
#[inline(always)]
fn last(rest: &[u8]) -> u64 {
    let mut word = [0; WORD];
    for (place, octet) in word.iter_mut().zip(rest) {
        *place = *octet;
    }
    u32::from_ne_bytes(word).into()
}

/// Folds the carries of a sum into 16 bits.
#[inline(always)]
fn fold(total: u64) -> u16 {
    let total = (total & 0xffff_ffff) + (total >> 32);
    let total = (total & 0xffff) + (total >> 16 & 0xffff) + (total >> 32);
    let total = (total & 0xffff) + (total >> 16);
    ((total & 0xffff) + (total >> 16)) as u16
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::arc4::BUFFER;
    use core::array;
    use std::vec::Vec;

    fn word_by_word(octets: &[u8]) -> u16 {
        let mut total = 0u32;
        for pair in octets.chunks(2) {
            total += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            total = (total & 0xffff) + (total >> 16);
        }
        total as u16
    }

    #[test]
    fn every_length_as_summed_word_by_word() {
        for len in 0..1500 {
            let octets: Vec<u8> = (0..len).map(|k: usize| (k * k * 7 + len) as u8 | 0x81).collect();
            assert_eq!(u16::from_be(sum(&octets)), word_by_word(&octets), "{len}");
        }
        assert_eq!(sum(&[0xff; 3000]), 0xffff);
    }

    #[test]
    fn a_copy_from_anywhere_to_anywhere_has_the_same_sum() {
        let from = Buffer(array::from_fn(|k| (k * k * 5 + k) as u8 | 0x41));
        for (start, at) in (0..9).flat_map(|start| (0..9).map(move |at| (start, at))) {
            for len in (0..80).chain([1348, 1349]) {
                let (mut to, end) = (Large([0x5a; LARGE]), start + len);
                assert_eq!(copy(&from, (start, end), &mut to, at), Some(sum(&from.0[start..end])));
                assert_eq!(to.0[at..at + len], from.0[start..end], "{start} {at} {len}");
                let others = to.0[..at].iter().chain(&to.0[at + len..]);
                assert!(others.copied().all(|octet| octet == 0x5a), "{start} {at} {len}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_copied() {
        let (from, mut to) = (Buffer([1; BUFFER]), Large([0; LARGE]));
        for (range, at) in [
            ((0, 101), LARGE - 100),
            ((4, 104), LARGE - 96),
            ((BUFFER - 4, BUFFER + 1), 0),
            ((9, 8), 0),
        ] {
            assert_eq!(copy(&from, range, &mut to, at), None);
        }
        assert!(to.0 == [0; LARGE]);
    }
}
