//! Octets that are copied and summed up (RFC 1071) in one go, between a packet's buffer and a larger
//! one: to look at each word twice would cost as much again as the copy.

use core::array;

use crate::arc4::{BUFFER, Buffer};
use crate::sum::{fold, sum};

/// Octets of the largest packet of a TUN device, with what stands in front of it.
pub const LARGE: usize = 64 * 1024 + 12;

/// A buffer for packets of any size, which begins where a machine word does.
#[repr(C, align(4))]
pub struct Large(pub [u8; LARGE]);

/// Octets of a machine word.
const WORD: usize = 4;

/// Words that are copied in one turn.
const TURN: usize = 8;

/// Copies `len` octets at `from` of a large buffer to `to` of a packet's; returns their sum as `sum`
/// has it, or nothing if they are not there or have no room.
pub fn part(packet: &mut Buffer, to: usize, large: &Large, from: usize, len: usize) -> Option<u16> {
    if !(to | from).is_multiple_of(WORD) || to + len > BUFFER || from + len > LARGE {
        return any(packet.0.get_mut(to..to + len)?, large.0.get(from..from + len)?);
    }
    let (packet, _) = packet.0.as_chunks_mut();
    let (large, _) = large.0.as_chunks();
    Some(words(packet, to / WORD, large, from / WORD, len))
}

/// Copies `len` octets at `from` of a packet's buffer to `to` of a large one.
pub fn join(large: &mut Large, to: usize, packet: &Buffer, from: usize, len: usize) -> Option<u16> {
    if !(to | from).is_multiple_of(WORD) || to + len > LARGE || from + len > BUFFER {
        return any(large.0.get_mut(to..to + len)?, packet.0.get(from..from + len)?);
    }
    let (large, _) = large.0.as_chunks_mut();
    let (packet, _) = packet.0.as_chunks();
    Some(words(large, to / WORD, packet, from / WORD, len))
}

/// The same wherever they stand.
fn any(to: &mut [u8], from: &[u8]) -> Option<u16> {
    to.copy_from_slice(from);
    Some(sum(from))
}

/// The same for what begins with a whole word on either side. Places are counted from where the buffers
/// begin: only so the compiler knows that they are aligned.
#[inline(always)]
fn words(
    to: &mut [[u8; WORD]],
    mut at: usize,
    from: &[[u8; WORD]],
    mut place: usize,
    len: usize,
) -> u16 {
    let (mut low, mut high, mut left) = (0u32, 0u32, len);
    let mut add = |word: u32| {
        let (sum, carry) = low.overflowing_add(word);
        low = sum;
        high += u32::from(carry);
    };
    while left >= WORD * TURN
        && let (Some(to), Some(from)) = (to.get_mut(at..at + TURN), from.get(place..place + TURN))
    {
        // All are read before any is written: the compiler would read them twice.
        let turn: [u32; TURN] = array::from_fn(|k| u32::from_ne_bytes(from[k]));
        turn.into_iter().for_each(&mut add);
        for (word, to) in turn.into_iter().zip(to) {
            *to = word.to_ne_bytes();
        }
        (at, place, left) = (at + TURN, place + TURN, left - WORD * TURN);
    }
    while left > 0
        && let (Some(to), Some(from)) = (to.get_mut(at), from.get(place))
    {
        let mut word = [0; WORD];
        for k in 0..left.min(WORD) {
            (word[k], to[k]) = (from[k], from[k]);
        }
        add(u32::from_ne_bytes(word));
        (at, place, left) = (at + 1, place + 1, left.saturating_sub(WORD));
    }
    fold(u64::from(high) << 32 | u64::from(low))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;

    #[test]
    fn copies_and_sums_of_all_lengths_and_places() {
        let mut large = Box::new(Large([0; LARGE]));
        for (at, octet) in large.0.iter_mut().enumerate() {
            *octet = (at * at / 7) as u8 | 0x80;
        }
        for (len, from) in (0..140).flat_map(|len| (40..50).map(move |from| (len, from))) {
            for to in [64, 65, 66, 67, 68] {
                let mut packet = Buffer([7; BUFFER]);
                let octets = &large.0[from..from + len];
                assert_eq!(part(&mut packet, to, &large, from, len), Some(sum(octets)));
                assert_eq!(packet.0[to..to + len], *octets);
                assert!(packet.0[..to].iter().all(|&octet| octet == 7));
                assert!(packet.0[to + len..].iter().all(|&octet| octet == 7));
                let mut back = Box::new(Large([9; LARGE]));
                assert_eq!(join(&mut back, from, &packet, to, len), Some(sum(octets)));
                assert_eq!(back.0[from..from + len], large.0[from..from + len]);
                assert!(back.0[..from].iter().all(|&octet| octet == 9));
                assert!(back.0[from + len..].iter().all(|&octet| octet == 9));
            }
        }
        for len in [1348, 1360, 1984] {
            let mut packet = Buffer([7; BUFFER]);
            assert_eq!(
                part(&mut packet, 64, &large, 60_000, len),
                Some(sum(&large.0[60_000..][..len]))
            );
        }
        let mut packet = Buffer([7; BUFFER]);
        assert_eq!(part(&mut packet, BUFFER - 8, &large, 0, 9), None);
        assert_eq!(part(&mut packet, 0, &large, LARGE - 4, 5), None);
        assert_eq!(join(&mut large, LARGE - 4, &packet, 0, 8), None);
        assert_eq!(join(&mut large, 0, &packet, BUFFER - 3, 4), None);
    }
}
