//! The Internet checksum (RFC 1071) of whole packets: what verifies one costs less than routing it.

use crate::arc4::Buffer;

/// Octets of a machine word.
pub const WORD: usize = 4;

/// Words that one turn of a loop takes.
const BLOCK: usize = 8;

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
/// their 16-bit words as `sum` does: both at once where all stand aligned. `None` where they do not fit.
#[inline(never)] // inlined, it would be forgotten that they are aligned
pub fn copy(from: &Buffer, (start, end): (usize, usize), to: &mut Large, at: usize) -> Option<u16> {
    let octets = from.0.get(start..end)?;
    let room = to.0.get_mut(at..at + octets.len())?;
    if !(start | at).is_multiple_of(WORD) {
        room.copy_from_slice(octets);
        return Some(sum(octets));
    }
    // Counted from the start of both: only so the compiler knows that they are aligned.
    let (words, _) = from.0.as_chunks();
    let (places, _) = to.0.as_chunks_mut();
    Some(copy_words((words, start), (places, at), octets.len()))
}

/// Copies `len` octets to where there is room for them; their sum. Both places are octets too, and whole
/// words.
#[inline(always)]
pub fn copy_words(
    (words, start): (&[[u8; WORD]], usize),
    (places, at): (&mut [[u8; WORD]], usize),
    len: usize,
) -> u16 {
    let (mut read, mut write, end) = (start / WORD, at / WORD, (start + len) / WORD);
    let mut total = 0;
    while read + BLOCK <= end
        && let Some(Ok(words)) = words.get(read..read + BLOCK).map(<&[_; BLOCK]>::try_from)
        && let Some(Ok(places)) =
            places.get_mut(write..write + BLOCK).map(<&mut [_; BLOCK]>::try_from)
    {
        // As a loop this would become a call of memcpy, and reading it all once more.
        let [a, b, c, d, e, f, g, h] = places;
        total += take(words[0], a) + take(words[1], b) + take(words[2], c) + take(words[3], d);
        total += take(words[4], e) + take(words[5], f) + take(words[6], g) + take(words[7], h);
        (read, write) = (read + BLOCK, write + BLOCK);
    }
    let few = words.get(read..end).unwrap_or_default();
    for (place, word) in places.iter_mut().skip(write).zip(few) {
        total += take(*word, place);
    }
    let rest = len % WORD;
    if rest > 0
        && let Some(word) = words.get(end)
        && let Some(place) = places.get_mut(at / WORD + len / WORD)
    {
        place[..rest].copy_from_slice(&word[..rest]);
        total += last(&word[..rest]);
    }
    fold(total)
}

/// Puts a word in its place; its number.
#[inline(always)]
fn take(word: [u8; WORD], place: &mut [u8; WORD]) -> u64 {
    *place = word;
    u32::from_ne_bytes(word).into()
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
