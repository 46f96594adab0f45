//! SHA-1 (RFC 3174): every packet of MPPE needs it twice over, so it is here. Logins use it too.

use zeroize::Zeroize;

use crate::fast::rest;

/// The five words that SHA-1 works on.
pub type State = [u32; 5];

/// Where SHA-1 starts (RFC 3174 section 6.1).
pub const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// The hash of all `parts`, one behind the other.
pub fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut hash = Hash { state: START, block: [0; 16], len: 0 };
    parts.iter().copied().flatten().for_each(|&octet| hash.put(octet));
    let bits = hash.len as u64 * 8;
    hash.put(0x80);
    while hash.len % 64 != 56 {
        hash.put(0);
    }
    bits.to_be_bytes().into_iter().for_each(|octet| hash.put(octet));
    octets(hash.state)
}

/// A hash that grows.
struct Hash {
    state: State,
    block: [u32; 16],
    len: usize,
}

impl Hash {
    #[inline(never)]
    fn put(&mut self, octet: u8) {
        let place = self.len % 64;
        self.block[place / 4] |= u32::from(octet) << (24 - place % 4 * 8);
        self.len += 1;
        if place == 63 {
            self.state = compress(self.state, self.block);
            self.block.zeroize();
        }
    }
}

/// One block into the state.
#[inline(never)]
pub fn compress(before: State, block: [u32; 16]) -> State {
    add(before, rest(block.into_iter().fold(before, first_round), block))
}

/// One of the first 16 rounds.
#[inline(always)]
pub fn first_round(state: State, word: u32) -> State {
    round(state, choose, FIRST, word)
}

/// One round (RFC 3174 section 6.1).
#[inline(always)]
pub fn round(
    [a, b, c, d, e]: State,
    mix: fn(u32, u32, u32) -> u32,
    constant: u32,
    word: u32,
) -> State {
    let sum = a.rotate_left(5).wrapping_add(mix(b, c, d)).wrapping_add(e);
    [sum.wrapping_add(word.wrapping_add(constant)), a, b.rotate_left(30), c, d]
}

/// Ch of the first 20 rounds.
#[inline(always)]
pub fn choose(b: u32, c: u32, d: u32) -> u32 {
    (c ^ d) & b ^ d
}

/// The state of before and what became of it.
pub fn add(one: State, other: State) -> State {
    core::array::from_fn(|at| one[at].wrapping_add(other[at]))
}

/// Octets as the words of SHA-1.
pub fn words<const OCTETS: usize, const WORDS: usize>(octets: &[u8; OCTETS]) -> [u32; WORDS] {
    core::array::from_fn(|at| {
        u32::from_be_bytes(core::array::from_fn(|octet| octets[4 * at + octet]))
    })
}

/// And back.
pub fn octets<const OCTETS: usize, const WORDS: usize>(words: [u32; WORDS]) -> [u8; OCTETS] {
    let octets = words.map(u32::to_be_bytes);
    core::array::from_fn(|at| octets[at / 4][at % 4])
}

/// K of the first 20 rounds.
pub const FIRST: u32 = 0x5a82_7999;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use ::sha1::{Digest, Sha1};
    use std::vec::Vec;

    /// RFC 3174 section 7.3.
    #[test]
    fn rfc_3174_has_this_sample() {
        let abc = [
            0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
            0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d,
        ];
        assert_eq!(sha1(&[b"a", b"", b"bc"]), abc);
    }

    #[test]
    fn every_length_as_the_crate_has_it() {
        for len in 0..400 {
            let octets: Vec<u8> = (0..len).map(|k| (k * 7 + len) as u8).collect();
            let (one, other) = octets.split_at(len / 3);
            assert_eq!(sha1(&[one, other])[..], Sha1::digest(&octets)[..], "{len}");
        }
    }
}
