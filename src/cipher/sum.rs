//! The Internet checksum (RFC 1071) of whole packets: what verifies one costs less than routing it.

/// Octets that one turn of the loop sums up.
const BLOCK: usize = 32;

/// Sum of the 16-bit words of `octets` in ones' complement, in the machine's own byte order: enough
/// to see whether a checksum is right, since 0xffff is the same in both orders.
pub fn sum(octets: &[u8]) -> u16 {
    let (blocks, rest) = octets.as_chunks::<BLOCK>();
    let mut total = 0u64;
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for word in words {
            total += u64::from(u32::from_ne_bytes(*word));
        }
    }
    for pair in rest.chunks(2) {
        let pair = [pair[0], pair.get(1).copied().unwrap_or(0)];
        total += u64::from(u16::from_ne_bytes(pair));
    }
    fold(total)
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
}
