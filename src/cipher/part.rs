//! Parts of a packet of any size, which become packets of their own.

use crate::arc4::Buffer;
use crate::sum::{WORD, copy_all};

/// Octets of the largest packet of a TUN device, an IPv6 header and 65535 octets behind it, and of the 12
/// that stand in front; as whole words.
pub const HUGE: usize = (12 + 40 + 65_535_usize).next_multiple_of(WORD);

/// A buffer for a packet of any size, which begins where a machine word does.
#[repr(C, align(4))]
pub struct Huge(pub [u8; HUGE]);

/// Copies the octets of `from` from `start` to `end` to where `at` is in `to`, and returns their sum, as
/// `copy` does.
pub fn part(from: &Huge, (start, end): (usize, usize), to: &mut Buffer, at: usize) -> Option<u16> {
    let octets = from.0.get(start..end)?;
    let room = to.0.get_mut(at..at + octets.len())?;
    Some(copy_all(octets, room))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::arc4::BUFFER;
    use crate::sum;
    use std::boxed::Box;

    #[test]
    fn a_part_from_anywhere_to_anywhere_has_the_same_sum() {
        let mut from = Box::new(Huge([0; HUGE]));
        for (at, octet) in from.0.iter_mut().enumerate() {
            *octet = (at.wrapping_mul(at) / 7) as u8 | 0x80;
        }
        for (start, at) in (60..69).flat_map(|start| (60..69).map(move |at| (start, at))) {
            for len in (0..80).chain([1348, 1349]) {
                let (mut to, end) = (Buffer([0x5a; BUFFER]), start + len);
                assert_eq!(part(&from, (start, end), &mut to, at), Some(sum(&from.0[start..end])));
                assert_eq!(to.0[at..at + len], from.0[start..end], "{start} {at} {len}");
                let others = to.0[..at].iter().chain(&to.0[at + len..]);
                assert!(others.copied().all(|octet| octet == 0x5a), "{start} {at} {len}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_copied() {
        let (from, mut to) = (Box::new(Huge([1; HUGE])), Buffer([0; BUFFER]));
        for (range, at) in [
            ((0, 101), BUFFER - 100),
            ((4, 104), BUFFER - 96),
            ((HUGE - 4, HUGE + 1), 0),
            ((9, 8), 0),
        ] {
            assert_eq!(part(&from, range, &mut to, at), None);
        }
        assert!(to.0 == [0; BUFFER]);
    }
}
