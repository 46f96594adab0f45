//! The new session key of MPPE for each packet (RFC 3079 section 3.4, RFC 3078 section 7.3) with keys of
//! 16 octets: SHA-1 of start key, padding, current key and padding makes the interim key, and RC4 of that
//! under itself the new one.
//!
//! What is hashed always has the same shape. Its first 14 words stay the same for as long as a call
//! lasts, so the first 14 of 160 rounds are computed once.

use zeroize::Zeroize;

use crate::arc4::Arc4;
use crate::fast::rest;
use crate::sha1::{START, State, add, compress, first_round, octets, words};

/// What goes on from one key of a direction to the next.
#[derive(Clone)]
pub struct KeyChange {
    /// The start key in the words of SHA-1.
    start: [u32; 4],
    /// The state of SHA-1 behind the start key and its padding, as far as whole words go.
    state: State,
}

impl KeyChange {
    /// The changes of keys that began with `start_key`.
    pub fn new(start_key: &[u8; 16]) -> KeyChange {
        let start = words(start_key);
        // SHApad1 is zeros.
        let state = start.into_iter().chain([0; 10]).fold(START, first_round);
        KeyChange { start, state }
    }

    /// The start key.
    pub fn start_key(&self) -> [u8; 16] {
        octets(self.start)
    }

    /// GetNewKeyFromSHA: the interim key.
    pub fn hash(&self, current: &[u8; 16]) -> [u8; 16] {
        let [a, b, c, d] = self.start;
        let [first, second, third, fourth] = words(current);
        let block = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, first, second];
        let state = first_round(first_round(self.state, first), second);
        let state = add(START, rest(state, block));
        let block =
            [third, fourth, PAD, PAD, PAD, PAD, PAD, PAD, PAD, PAD, PAD, PAD, MARK, 0, 0, BITS];
        let [a, b, c, d, _] = compress(state, block);
        octets([a, b, c, d])
    }

    /// The session key that follows on `key`, in its place, and in `cipher` its key stream.
    pub fn change(&self, key: &mut [u8; 16], cipher: &mut Arc4) {
        *key = self.hash(key);
        cipher.start(key);
        cipher.apply(key);
        cipher.start(key);
    }

    /// Forgets the start key.
    pub fn wipe(&mut self) {
        self.start.zeroize();
        self.state.zeroize();
    }
}

/// Four octets of SHApad2.
const PAD: u32 = 0xf2f2_f2f2;
/// The bit behind the message (RFC 3174 section 4).
const MARK: u32 = 0x8000_0000;
/// Bits of the message: two keys and twice 40 octets.
const BITS: u32 = (16 + 40 + 16 + 40) * 8;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::arc4::Scratch;
    use ::sha1::{Digest, Sha1};
    use core::array;
    use rc4::{KeyInit, Rc4, StreamCipher};

    fn reference(start: &[u8; 16], key: &[u8; 16]) -> [u8; 16] {
        let hash = Sha1::new().chain_update(start).chain_update([0; 40]);
        let hash = hash.chain_update(key).chain_update([0xf2; 40]).finalize();
        *hash.first_chunk().unwrap()
    }

    /// Sample keys of RFC 3079 section 3.5.3.
    #[test]
    fn rfc_3079_has_this_sample() {
        let start = [
            0x8b, 0x7c, 0xdc, 0x14, 0x9b, 0x99, 0x3a, 0x1b, 0xa1, 0x18, 0xcb, 0x15, 0x3f, 0x56,
            0xdc, 0xcb,
        ];
        let first = [
            0x40, 0x5c, 0xb2, 0x24, 0x7a, 0x79, 0x56, 0xe6, 0xe2, 0x11, 0x00, 0x7a, 0xe2, 0x7b,
            0x22, 0xd4,
        ];
        assert_eq!(KeyChange::new(&start).hash(&start), first);
    }

    #[test]
    fn long_rows_of_keys_as_the_crates_make_them() {
        for seed in 0..64u8 {
            let start: [u8; 16] =
                array::from_fn(|at| seed.wrapping_mul(at as u8).wrapping_add(seed) ^ at as u8);
            let change = KeyChange::new(&start);
            assert_eq!(change.start_key(), start);
            let (mut ours, mut theirs, mut cipher) = (start, start, Scratch::blank());
            for _ in 0..200 {
                change.change(&mut ours, &mut cipher.0);
                theirs = reference(&start, &theirs);
                let key = theirs;
                Rc4::new_from_slice(&key).unwrap().apply_keystream(&mut theirs);
                assert_eq!(ours, theirs);
                let (mut one, mut other) = ([0; 40], [0; 40]);
                cipher.0.apply(&mut one);
                Rc4::new_from_slice(&theirs).unwrap().apply_keystream(&mut other);
                assert_eq!(one, other);
            }
        }
    }
}
