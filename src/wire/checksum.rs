//! The Internet checksum of IP, ICMP, TCP and UDP (RFC 1071), and how it is mended (RFC 1624).

/// Sum of the 16-bit words of `octets`, not folded yet; an odd octet at the end is the high one.
pub fn sum(octets: &[u8]) -> u32 {
    let words = octets
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    words.sum()
}

/// Folds the carries of a sum into 16 bits.
pub fn fold(sum: u32) -> u16 {
    let folded = (sum & 0xffff) + (sum >> 16);
    ((folded & 0xffff) + (folded >> 16)) as u16
}

/// The checksum of `octets` and of what was summed up in `start`.
pub fn checksum(octets: &[u8], start: u32) -> u16 {
    !fold(start + sum(octets))
}

/// Puts `new`, an even number of octets, at `at` of `octets` and mends the checksum at `field` for
/// that. A value at an odd offset counts with its octets swapped. What does not fit changes nothing.
pub fn replace(octets: &mut [u8], at: usize, new: &[u8], field: usize) {
    let Some(place) = octets.get_mut(at..at + new.len()) else { return };
    let (before, after) = (sum(place), sum(new));
    place.copy_from_slice(new);
    mend(octets, field, (before, after), at);
}

/// Mends the checksum at `field` for words at `at` that summed up to `before` and now to `after`
/// (RFC 1624 equation 3).
pub fn mend(octets: &mut [u8], field: usize, (before, after): (u32, u32), at: usize) {
    let aligned = |sum: u32| if at.is_multiple_of(2) { fold(sum) } else { fold(sum).swap_bytes() };
    let Some(place) = octets.get_mut(field..).and_then(|rest| rest.first_chunk_mut()) else {
        return;
    };
    let old = u16::from_be_bytes(*place);
    let sum = u32::from(!old) + u32::from(!aligned(before)) + u32::from(aligned(after));
    *place = (!fold(sum)).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mended_checksum_is_that_of_the_new_octets() {
        for at in 0..6 {
            let mut octets = [1, 2, 3, 4, 0xff, 0xfe, 0x80, 0, 0, 0];
            let right = checksum(&octets, 0);
            octets[8..].copy_from_slice(&right.to_be_bytes());
            replace(&mut octets, at, &[0xab, 0xcd], 8);
            assert_eq!(octets[at..at + 2], [0xab, 0xcd]);
            assert_eq!(fold(sum(&octets)), 0xffff, "at {at}");
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut octets = [1, 2, 3, 4];
        replace(&mut octets, 3, &[9, 9], 0);
        mend(&mut octets, 3, (1, 2), 0);
        assert_eq!(octets, [1, 2, 3, 4]);
    }
}
