//! Random octets for challenges, magic numbers and Call IDs, from a seed that the program reads
//! from the kernel: SHA-1 of a secret state and a counter, the state replaced after each request
//! so that an earlier output cannot be computed from a later state.

use pptp_cipher::sha1;

/// A deterministic generator; as unpredictable as its seed.
pub struct Random {
    state: [u8; 32],
}

impl Random {
    /// A generator that starts from 32 octets of the kernel's entropy.
    pub fn new(seed: [u8; 32]) -> Random {
        Random { state: seed }
    }

    /// Mixes fresh octets of the kernel's entropy into the state.
    pub fn reseed(&mut self, fresh: [u8; 32]) {
        for (state, fresh) in self.state.iter_mut().zip(fresh) {
            *state ^= fresh;
        }
        self.advance();
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        for (count, chunk) in (1u32..).zip(out.chunks_mut(20)) {
            chunk.copy_from_slice(&self.block(b'o', count)[..chunk.len()]);
        }
        self.advance();
    }

    /// `N` octets.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A 16-bit number.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes())
    }

    /// A 32-bit number.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    fn block(&self, purpose: u8, count: u32) -> [u8; 20] {
        sha1(&[&self.state, &[purpose], &count.to_be_bytes()])
    }

    fn advance(&mut self) {
        let (low, high) = (self.block(b's', 0), self.block(b's', 1));
        self.state[..16].copy_from_slice(&low[..16]);
        self.state[16..].copy_from_slice(&high[..16]);
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_octets_and_no_repeats() {
        let (mut a, mut b) = (Random::new([7; 32]), Random::new([7; 32]));
        let first: [u8; 50] = a.bytes();
        assert_eq!(first, b.bytes());
        assert_ne!(first, a.bytes());
        assert_ne!(first[..20], first[20..40]);
        b.reseed([1; 32]);
        assert_ne!(a.u32(), b.u32());
    }
}
