//! Joins consecutive TCP segments of one connection into one large packet. The kernel routes it once
//! and splits it where it leaves, which costs a router half as much as one packet after the other.
//!
//! What the receiver gets must be, octet by octet, what the sender sent. So only those are joined that
//! the splitting makes again: the data goes on where it ended, the IP identification counts up by one,
//! all but the last have one length and no PSH, and everything else is the same. Splitting makes new
//! checksums, and MPPE has no integrity check: one that is wrong keeps its segment out.

use pptp_cipher::{LARGE, Large, sum};

use crate::limits::{MERGED, MERGED_OCTETS};
use crate::packet::Packet;
use crate::wire::checksum::{self, checksum};
use crate::wire::virtio;

/// What became of an offered packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It was copied: it goes out with the joined packet.
    Kept,
    /// It has to wait until the joined packet was taken; then it can be offered again.
    Full,
    /// It is not to be joined with anything. What was joined before must go out before it.
    Alone,
}

/// Segments on their way to be one packet.
pub struct Merge {
    /// A virtio header, then the joined packet.
    buffer: Large,
    /// Octets of the joined packet.
    len: usize,
    /// Octets of its headers.
    headers: usize,
    /// Octets of data of each segment but the last.
    segment: usize,
    count: u16,
    /// Nothing can follow the last segment.
    is_closed: bool,
}

impl Default for Merge {
    fn default() -> Self {
        Merge {
            buffer: Large([0; LARGE]),
            len: 0,
            headers: 0,
            segment: 0,
            count: 0,
            is_closed: false,
        }
    }
}

impl Merge {
    /// Takes the IPv4 packet `packet` if it can be joined with those before it, or if it can be the
    /// first.
    pub fn offer(&mut self, packet: &Packet) -> Offered {
        let octets = packet.data();
        let Some(headers) = headers(octets) else { return Offered::Alone };
        let data = octets.len() - headers;
        if self.count == 0 {
            if octets.len() > MERGED_OCTETS {
                return Offered::Alone;
            }
            self.buffer.0[virtio::HEADER..][..headers].copy_from_slice(&octets[..headers]);
            (self.len, self.headers, self.segment) = (headers, headers, data);
            self.is_closed = false;
        } else if !self.is_next(octets, headers) {
            return Offered::Full;
        }
        // Its checksum is found right or wrong by the way.
        let sum = packet.copy(headers, &mut self.buffer, virtio::HEADER + self.len);
        if !sum.is_some_and(|sum| is_right(octets, headers, sum)) {
            return Offered::Alone;
        }
        self.buffer.0[virtio::HEADER + FLAGS] |= octets[FLAGS];
        self.len += data;
        self.count += 1;
        self.is_closed = data < self.segment || octets[FLAGS] & PSH != 0 || self.count == MERGED;
        Offered::Kept
    }

    /// The joined packet with its virtio header, if there is any; the next one begins behind it.
    pub fn take(&mut self) -> Option<&[u8]> {
        let end = virtio::HEADER + self.len;
        let (header, packet) = self.buffer.0[..end].split_at_mut(virtio::HEADER);
        match core::mem::take(&mut self.count) {
            0 => return None,
            1 => header.copy_from_slice(&virtio::PLAIN),
            _ => {
                header.copy_from_slice(&virtio::split(self.headers as u16, self.segment as u16));
                finish(packet);
            }
        }
        Some(&self.buffer.0[..end])
    }

    fn is_next(&self, packet: &[u8], headers: usize) -> bool {
        let data = packet.len() - headers;
        let first = &self.buffer.0[virtio::HEADER..];
        let so_far = (self.len - self.headers) as u32;
        !self.is_closed
            && headers == self.headers
            && data <= self.segment
            && self.len + data <= MERGED_OCTETS
            && follows(first, packet, headers, self.count, so_far)
    }
}

/// Whether the headers of `packet` are those of `first`, with the numbers of a segment that comes
/// `count` segments and `octets` of data later. Lengths, checksums and PSH may be others.
fn follows(first: &[u8], packet: &[u8], headers: usize, count: u16, octets: u32) -> bool {
    let ((first, _), (packet, _)) = (first.as_chunks(), packet.as_chunks());
    let Some((a, a_options)) = first.get(..headers / 4).and_then(<[_]>::split_first_chunk) else {
        return false;
    };
    let Some((b, b_options)) = packet.get(..headers / 4).and_then(<[_]>::split_first_chunk) else {
        return false;
    };
    let (a, b): (&[_; WORDS], &[_; WORDS]) = (a, b);
    let number = |at: usize| u32::from_be_bytes(a[at / 4]);
    let later = |at: usize, by: u32| number(at).wrapping_add(by) ^ u32::from_be_bytes(b[at / 4]);
    let other = |at: usize| u32::from_ne_bytes(a[at / 4]) ^ u32::from_ne_bytes(b[at / 4]);
    let differences = other(VERSION) & LEFT
        | later(IDENTIFICATION, u32::from(count) << 16)
        | other(TIME_TO_LIVE) & LEFT
        | other(ADDRESSES)
        | other(ADDRESSES + 4)
        | other(PORTS)
        | later(SEQUENCE, octets)
        | other(ACKNOWLEDGMENT)
        | other(OFFSET) & !(u32::from(PSH) << 16).to_be()
        | other(TCP_CHECKSUM) & !LEFT;
    differences == 0 && a_options == b_options
}

/// Words of headers without options.
const WORDS: usize = (IP_HEADER + TCP_HEADER) / 4;
/// The first two octets of a word.
const LEFT: u32 = 0xffff_0000u32.to_be();

/// Octets of the headers of a TCP segment that may be joined with others if its checksums are right:
/// data, no flag but ACK and PSH, no fragment, no IP options.
fn headers(packet: &[u8]) -> Option<usize> {
    let (first, _) = packet.split_first_chunk::<{ IP_HEADER + TCP_HEADER }>()?;
    let headers = IP_HEADER + usize::from(first[OFFSET] >> 4) * 4;
    let is_plain = first[0] == VERSION_4_NO_OPTIONS
        && first[FRAGMENT] & !DONT_FRAGMENT == 0
        && first[FRAGMENT + 1] == 0
        && first[PROTOCOL] == TCP
        && first[OFFSET] & 0x0f == 0
        && first[FLAGS] & !PSH == ACK
        && usize::from(word(first, LENGTH)) == packet.len()
        && headers >= IP_HEADER + TCP_HEADER
        && headers < packet.len();
    is_plain.then_some(headers)
}

/// Whether the checksums of IP and TCP (RFC 9293 section 3.1, with the pseudo-header) are right, where
/// the octets behind the headers have this sum. The addresses stand in front of the segment already.
fn is_right(packet: &[u8], headers: usize, data: u16) -> bool {
    let rest = u16::from(TCP) + (packet.len() - IP_HEADER) as u16;
    let whole =
        u32::from(sum(&packet[ADDRESSES..headers])) + u32::from(data) + u32::from(rest.to_be());
    sum(&packet[..IP_HEADER]) == 0xffff && checksum::fold(whole) == 0xffff
}

/// Makes the headers those of the joined packet, with the checksum of the pseudo-header alone where
/// that of TCP belongs.
fn finish(packet: &mut [u8]) {
    let len = packet.len();
    put(packet, LENGTH, len as u16);
    put(packet, IP_CHECKSUM, 0);
    let ip = checksum(&packet[..IP_HEADER], 0);
    put(packet, IP_CHECKSUM, ip);
    let rest = u32::from(TCP) + (len - IP_HEADER) as u32;
    let pseudo = checksum::fold(checksum::sum(&packet[ADDRESSES..IP_HEADER]) + rest);
    put(packet, TCP_CHECKSUM, pseudo);
}

fn put(packet: &mut [u8], at: usize, value: u16) {
    packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn word(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

// Offsets in an IPv4 header without options (RFC 791 section 3.1) ...
const IP_HEADER: usize = 20;
const VERSION_4_NO_OPTIONS: u8 = 0x45;
const VERSION: usize = 0;
const LENGTH: usize = 2;
const IDENTIFICATION: usize = 4;
const FRAGMENT: usize = 6;
const DONT_FRAGMENT: u8 = 0x40;
const TIME_TO_LIVE: usize = 8;
const PROTOCOL: usize = 9;
const TCP: u8 = 6;
const IP_CHECKSUM: usize = 10;
const ADDRESSES: usize = 12;
// ... and, counted from there as well, in the TCP header behind it (RFC 9293 section 3.1).
const TCP_HEADER: usize = 20;
const PORTS: usize = 20;
const SEQUENCE: usize = 24;
const ACKNOWLEDGMENT: usize = 28;
const OFFSET: usize = 32;
const FLAGS: usize = 33;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const TCP_CHECKSUM: usize = 36;

const _: () =
    assert!(MERGED_OCTETS <= u16::MAX as usize && virtio::HEADER + MERGED_OCTETS == LARGE);

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn long(octets: &[u8], at: usize) -> u32 {
        u32::from(word(octets, at)) << 16 | u32::from(word(octets, at + 2))
    }

    fn packet(octets: &[u8]) -> Packet {
        let mut packet = Packet::new();
        assert!(packet.set(octets));
        packet
    }

    /// One TCP segment with `data` octets of data; `change` changes it before the checksums are made.
    fn segment(number: u16, at: u32, data: usize, change: impl Fn(&mut [u8])) -> Vec<u8> {
        let mut packet: Vec<u8> =
            (0..IP_HEADER + 32 + data).map(|k| (k as u32 ^ at) as u8).collect();
        packet[..12].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 63, TCP, 0, 0]);
        packet[12..24].copy_from_slice(&[192, 168, 77, 10, 192, 168, 50, 2, 3, 232, 7, 208]);
        packet[24..28].copy_from_slice(&at.to_be_bytes());
        packet[28..40].copy_from_slice(&[0, 0, 0, 1, 0x80, ACK, 255, 255, 0, 0, 0, 0]);
        packet[40..52].copy_from_slice(&[1, 1, 8, 10, 0, 0, 1, 1, 0, 0, 2, 2]);
        let len = packet.len() as u16;
        put(&mut packet, LENGTH, len);
        put(&mut packet, IDENTIFICATION, number);
        change(&mut packet);
        seal(&mut packet);
        packet
    }

    fn seal(packet: &mut [u8]) {
        put(packet, IP_CHECKSUM, 0);
        put(packet, TCP_CHECKSUM, 0);
        let ip = checksum(&packet[..IP_HEADER], 0);
        put(packet, IP_CHECKSUM, ip);
        let rest = u32::from(packet[PROTOCOL]) + (packet.len() - IP_HEADER) as u32;
        let tcp = checksum(&packet[ADDRESSES..], rest);
        put(packet, TCP_CHECKSUM, tcp);
    }

    /// What a device makes of what was written: TCP segmentation as Linux does it.
    fn split(written: &[u8]) -> Vec<Vec<u8>> {
        let (header, packet) = written.split_at(virtio::HEADER);
        if header == virtio::PLAIN {
            return std::vec![packet.to_vec()];
        }
        let little = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let (headers, size) = (little(2), little(4));
        assert_eq!(header, virtio::split(headers as u16, size as u16));
        let count = (packet.len() - headers).div_ceil(size);
        let data = packet[headers..].chunks(size).enumerate();
        data.map(|(k, data)| {
            let mut one = [&packet[..headers], data].concat();
            let len = one.len() as u16;
            put(&mut one, LENGTH, len);
            put(&mut one, IDENTIFICATION, word(packet, IDENTIFICATION).wrapping_add(k as u16));
            let sequence = long(packet, SEQUENCE).wrapping_add((k * size) as u32);
            one[SEQUENCE..ACKNOWLEDGMENT].copy_from_slice(&sequence.to_be_bytes());
            if k + 1 < count {
                one[FLAGS] &= !PSH;
            }
            seal(&mut one);
            one
        })
        .collect()
    }

    /// Packets that come out when `packets` go in one after the other, and what the device makes of them.
    fn through(packets: &[Vec<u8>]) -> (usize, Vec<Vec<u8>>) {
        let (mut merge, mut writes, mut out) = (Merge::default(), 0, Vec::new());
        let mut write = |written: &[u8]| {
            writes += 1;
            out.extend(split(written));
        };
        for octets in packets {
            while merge.offer(&packet(octets)) != Offered::Kept {
                match merge.take() {
                    Some(written) => write(written),
                    None => {
                        write(&[&virtio::PLAIN[..], octets].concat());
                        break;
                    }
                }
            }
        }
        merge.take().into_iter().for_each(&mut write);
        (writes, out)
    }

    fn train(count: u16, data: usize) -> Vec<Vec<u8>> {
        (0..count).map(|k| segment(k, u32::from(k) * data as u32, data, |_| {})).collect()
    }

    #[test]
    fn a_train_is_one_packet_and_comes_out_as_it_was() {
        let packets = train(MERGED, 1348);
        assert_eq!(through(&packets), (1, packets));
        let longer = train(MERGED * 2 + 1, 1348);
        assert_eq!(through(&longer), (3, longer));
    }

    #[test]
    fn numbers_wrap() {
        let first = u32::MAX - 1000;
        let numbers = [0xfffe, 0xffff, 0, 1];
        let packets: Vec<_> = (0..)
            .zip(numbers)
            .map(|(k, number)| segment(number, first.wrapping_add(k * 700), 700, |_| {}))
            .collect();
        assert_eq!(through(&packets), (1, packets));
    }

    #[test]
    fn a_short_or_pushed_segment_is_the_last_one() {
        for (data, flags) in [(500, ACK), (1000, ACK | PSH), (500, ACK | PSH)] {
            let mut packets = train(5, 1000);
            packets[2] = segment(2, 2000, data, |packet| packet[FLAGS] = flags);
            packets[3] = segment(3, 2000 + data as u32, 1000, |_| {});
            packets[4] = segment(4, 3000 + data as u32, 1000, |_| {});
            assert_eq!(through(&packets), (2, packets), "{data} {flags}");
        }
    }

    #[test]
    fn whatever_differs_keeps_segments_apart() {
        // Anything in the headers but the lengths, one bit at a time, in the second of three.
        for at in (0..IP_HEADER + 32).filter(|at| ![LENGTH, LENGTH + 1].contains(at)) {
            for bit in 0..8 {
                let mut packets = train(3, 1000);
                packets[1][at] ^= 1 << bit;
                let is_pushed = at == FLAGS && 1 << bit == PSH;
                assert_eq!(through(&packets).1, packets, "{at} {bit}, checksum wrong");
                seal(&mut packets[1]);
                let (writes, out) = through(&packets);
                assert_eq!(out, packets, "{at} {bit}");
                let is_checksum = [IP_CHECKSUM, TCP_CHECKSUM].contains(&(at & !1));
                assert!(writes > 1 || is_checksum, "{at} {bit} {is_pushed}");
            }
        }
    }

    #[test]
    fn damaged_data_is_not_given_a_right_checksum() {
        for at in [52, 60, 1051] {
            let mut packets = train(3, 1000);
            packets[1][at] ^= 0x10;
            assert_eq!(through(&packets), (3, packets));
        }
    }

    #[test]
    fn nonsense_goes_alone() {
        let mut merge = Merge::default();
        let whole = segment(1, 1, 1000, |_| {});
        for len in 0..whole.len() {
            assert_eq!(merge.offer(&packet(&whole[..len])), Offered::Alone, "{len}");
        }
        for offset in [0, 4, 15 << 4] {
            let odd = segment(1, 1, 20, |packet| packet[OFFSET] = offset);
            assert_eq!(merge.offer(&packet(&odd)), Offered::Alone);
        }
        assert_eq!(merge.offer(&packet(&segment(1, 1, 0, |_| {}))), Offered::Alone);
        assert!(merge.take().is_none());
    }

    /// Trains with all that can happen between segments: whatever was joined, the same comes out.
    #[test]
    fn random_trains_come_out_as_they_were() {
        let mut state = 1u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut merged = 0;
        for _ in 0..300 {
            let (mut number, mut at, mut packets) =
                (random(9) as u16, random(u32::MAX), Vec::new());
            for _ in 0..40 {
                let data = [1000, 1000, 1000, 1000, 1000, 1000, 300, 1400][random(8) as usize];
                let (place, bit) = (random(52) as usize, 1u8 << random(8));
                let is_odd = random(8) == 0;
                let is_bad = random(16) == 0;
                let mut packet = segment(number, at, data, |packet| {
                    if is_odd && ![LENGTH, LENGTH + 1].contains(&place) {
                        packet[place] ^= bit;
                    }
                });
                if is_bad {
                    packet[place] ^= bit;
                }
                packets.push(packet);
                number = number.wrapping_add(u16::from(random(12) != 0));
                at = at.wrapping_add(if random(12) == 0 { 5 } else { data as u32 });
            }
            let (writes, out) = through(&packets);
            assert!(out == packets);
            merged += packets.len() - writes;
        }
        assert!(merged > 2000, "{merged}");
    }
}
