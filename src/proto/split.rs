//! Splits large TCP packets of the kernel into the segments that they stand for (TCP segmentation
//! offload). The kernel can do it as well, but then each segment is a packet of its own there, with a
//! system call of its own.
//!
//! What comes out is what Linux makes of the same packet (`tcp_gso_segment`): each segment has the
//! headers of the whole; the IP identification counts up; FIN and PSH stand in the last one only and CWR
//! in the first; and the checksums are new.

use crate::limits::{HEADROOM, PACKET, READ_OCTETS};
use crate::packet::Packet;
use crate::wire::checksum::{fold, sum};
use crate::wire::{ipv4, ipv6, virtio};
use pptp_cipher::{HUGE, Huge};

/// Octets of the largest segment.
const LARGEST: usize = PACKET - HEADROOM;

const _: () = assert!(READ_OCTETS == HUGE);

/// A large packet that becomes segments.
pub struct Split {
    /// The virtio header, then the large packet. Its headers are made ready for every segment.
    buffer: Huge,
    /// Where the data of the next segment begins, and where all of it ends, in the buffer.
    next: usize,
    end: usize,
    /// Octets of data of each segment but the last.
    segment: usize,
    /// Octets of the IP header, and of both.
    ip: usize,
    headers: usize,
    /// What counts up.
    identification: u16,
    sequence: u32,
    flags: u8,
    /// Sums of what the checksums are made of and is in all segments.
    ip_sum: u16,
    tcp_sum: u16,
}

impl Default for Split {
    fn default() -> Self {
        Split {
            buffer: Huge([0; HUGE]),
            next: 0,
            end: 0,
            segment: 0,
            ip: 0,
            headers: 0,
            identification: 0,
            sequence: 0,
            flags: 0,
            ip_sum: 0,
            tcp_sum: 0,
        }
    }
}

impl Split {
    /// Room for a read of one packet, with its virtio header.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer.0
    }

    /// After a read of `len` octets into `space`: makes `packet` the packet that it was, or the first
    /// segment of it; `next` has the others. What makes no sense becomes an empty packet.
    pub fn take(&mut self, packet: &mut Packet, len: usize) {
        packet.filled(0);
        (self.next, self.end) = (0, 0);
        let Some((header, octets)) = self.buffer.0[..len].split_first_chunk() else { return };
        let header = virtio::Header::parse(header);
        if header.gso == virtio::GSO_NONE {
            // Longer than the device's MTU it never is.
            packet.set(octets);
            if header.needs_checksum {
                complete(packet.data_mut(), &header);
            }
        } else if self.begin(&header, len).is_some() {
            self.make(packet);
        }
    }

    /// Makes `packet` the next segment; false (and no change) when there is none.
    #[inline]
    pub fn next(&mut self, packet: &mut Packet) -> bool {
        self.next != self.end && self.make(packet)
    }

    /// Looks at the headers of the packet in the buffer.
    fn begin(&mut self, header: &virtio::Header, len: usize) -> Option<()> {
        let octets = self.buffer.0.get_mut(virtio::HEADER..len)?;
        let (ip, total) = match header.gso {
            virtio::GSO_TCPV4 => {
                let parsed = ipv4::Header::parse(octets).ok()?;
                (parsed.header_len, parsed.total_len)
            }
            virtio::GSO_TCPV6 => {
                let parsed = ipv6::Header::parse(octets).ok()?;
                (header.checksum_start.max(ipv6::HEADER), parsed.total_len)
            }
            _ => return None,
        };
        let tcp = octets.get_mut(ip..)?.first_chunk_mut::<TCP_HEADER>()?;
        let headers = ip + usize::from(tcp[OFFSET] >> 4) * 4;
        let is_tcp = header.needs_checksum
            && (header.checksum_start, header.checksum_offset) == (ip, CHECKSUM);
        if !is_tcp
            || total != octets.len()
            || headers < ip + TCP_HEADER
            || headers >= total
            || header.segment == 0
            || headers + header.segment > LARGEST
        {
            return None;
        }
        (self.ip, self.headers, self.segment) = (ip, headers, header.segment);
        (self.next, self.end) = (virtio::HEADER + headers, len);
        self.prepare();
        Some(())
    }

    /// Sums up what all segments have in common, and takes out what they have not.
    fn prepare(&mut self) {
        let octets = &mut self.buffer.0[virtio::HEADER..self.end];
        let length = (octets.len() - self.ip) as u16;
        self.ip_sum = 0;
        if is_ipv4(octets) {
            self.identification = word(octets, IP_IDENTIFICATION);
            for field in [IP_LENGTH, IP_IDENTIFICATION, IP_CHECKSUM] {
                put(octets, field, 0);
            }
            self.ip_sum = fold(sum(&octets[..self.ip]));
        }
        let tcp = &mut octets[self.ip..self.headers];
        self.sequence = u32::from(word(tcp, SEQUENCE)) << 16 | u32::from(word(tcp, SEQUENCE + 2));
        self.flags = tcp[FLAGS];
        // The sum of the pseudo-header stands there, with the length of the whole.
        let pseudo = u32::from(word(tcp, CHECKSUM)) + u32::from(!length);
        put(tcp, SEQUENCE, 0);
        put(tcp, SEQUENCE + 2, 0);
        put(tcp, CHECKSUM, 0);
        tcp[FLAGS] = 0;
        self.tcp_sum = fold(pseudo + sum(tcp));
    }

    fn make(&mut self, packet: &mut Packet) -> bool {
        let (ip, headers, from) = (self.ip, self.headers, self.next);
        let data = self.segment.min(self.end - from);
        let is_first = from == virtio::HEADER + headers;
        let is_last = from + data == self.end;
        self.next += data;
        packet.set(&self.buffer.0[virtio::HEADER..][..headers]);
        let Some(data_sum) = packet.append(&self.buffer, from, data) else { return false };
        let octets = packet.data_mut();
        let length = (headers - ip + data) as u16;
        if is_ipv4(octets) {
            let (total, identification) = (ip as u16 + length, self.identification);
            put(octets, IP_LENGTH, total);
            put(octets, IP_IDENTIFICATION, identification);
            let sum = u32::from(self.ip_sum) + u32::from(total) + u32::from(identification);
            put(octets, IP_CHECKSUM, !fold(sum));
            self.identification = identification.wrapping_add(1);
        } else {
            put(octets, PAYLOAD_LENGTH, (ip - ipv6::HEADER) as u16 + length);
        }
        let mut flags = self.flags;
        if !is_first {
            flags &= !CWR;
        }
        if !is_last {
            flags &= !(FIN | PSH);
        }
        let (high, low) = ((self.sequence >> 16) as u16, self.sequence as u16);
        self.sequence = self.sequence.wrapping_add(data as u32);
        let sum = u32::from(self.tcp_sum)
            + u32::from(u16::from_be(data_sum))
            + u32::from(high)
            + u32::from(low)
            + u32::from(flags)
            + u32::from(length);
        let tcp = &mut octets[ip..headers];
        put(tcp, SEQUENCE, high);
        put(tcp, SEQUENCE + 2, low);
        tcp[FLAGS] = flags;
        put(tcp, CHECKSUM, !fold(sum));
        true
    }
}

/// Makes the checksum of a packet that is not to be split, of whatever protocol. Zero would say that
/// there is none (RFC 768).
fn complete(octets: &mut [u8], header: &virtio::Header) {
    let Some(covered) = octets.get_mut(header.checksum_start..) else { return };
    let right = match !u16::from_be(pptp_cipher::sum(covered)) {
        0 => 0xffff,
        other => other,
    };
    if let Some(field) = covered.get_mut(header.checksum_offset..).and_then(<[u8]>::first_chunk_mut)
    {
        *field = right.to_be_bytes();
    }
}

fn is_ipv4(octets: &[u8]) -> bool {
    octets[0] >> 4 == 4
}

fn put(octets: &mut [u8], at: usize, value: u16) {
    octets[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn word(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

// Offsets in an IPv4 header (RFC 791 section 3.1), ...
const IP_LENGTH: usize = 2;
const IP_IDENTIFICATION: usize = 4;
const IP_CHECKSUM: usize = 10;
// ... in an IPv6 header (RFC 8200 section 3), ...
const PAYLOAD_LENGTH: usize = 4;
// ... and in a TCP header (RFC 9293 section 3.1).
const TCP_HEADER: usize = 20;
const SEQUENCE: usize = 4;
const OFFSET: usize = 12;
const FLAGS: usize = 13;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;
const CHECKSUM: usize = 16;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::wire::checksum::checksum;
    use std::boxed::Box;
    use std::vec::Vec;

    /// A large packet as the kernel gives it: `ip` octets of IP header and `options` of TCP options.
    fn large(version: u8, ip: usize, options: usize, data: usize, flags: u8) -> Vec<u8> {
        let mut packet: Vec<u8> =
            (0..(ip + TCP_HEADER + options + data) as u64).map(|k| (k * k / 3) as u8 | 1).collect();
        let tcp = (packet.len() - ip) as u16;
        let (start, addresses) = if version == 4 {
            packet[..12].copy_from_slice(&[0x40, 0x18, 0, 0, 0xff, 0xfe, 0x40, 0, 63, 6, 0, 0]);
            packet[0] |= (ip / 4) as u8;
            put(&mut packet, IP_LENGTH, ip as u16 + tcp);
            let right = checksum(&packet[..ip], 0);
            put(&mut packet, IP_CHECKSUM, right);
            (ip, 12..20)
        } else {
            packet[..8].copy_from_slice(&[0x60, 1, 2, 3, 0, 0, 6, 64]);
            put(&mut packet, PAYLOAD_LENGTH, (ip - 40) as u16 + tcp);
            (ip, 8..40)
        };
        let pseudo = fold(sum(&packet[addresses]) + 6 + u32::from(tcp));
        let segment = &mut packet[start..];
        segment[SEQUENCE..SEQUENCE + 4].copy_from_slice(&(u32::MAX - 2000).to_be_bytes());
        segment[OFFSET] = (((TCP_HEADER + options) / 4) << 4) as u8;
        segment[FLAGS] = flags;
        put(segment, CHECKSUM, pseudo);
        packet
    }

    fn header(gso: u8, segment: u16, start: usize) -> [u8; virtio::HEADER] {
        let mut header = virtio::split(0, segment);
        (header[1], header[6]) = (gso, start as u8);
        header
    }

    /// Everything that comes out of a read of `octets`.
    fn read(split: &mut Split, octets: &[u8]) -> Vec<Vec<u8>> {
        let (mut packet, mut out) = (Packet::new(), Vec::new());
        split.space()[..octets.len()].copy_from_slice(octets);
        split.take(&mut packet, octets.len());
        loop {
            out.push(packet.data().to_vec());
            packet.filled(0);
            if !split.next(&mut packet) {
                assert_eq!(packet.len(), 0);
                return out;
            }
        }
    }

    /// The same packet split octet by octet, every checksum made of all that it covers.
    fn model(packet: &[u8], ip: usize, segment: usize) -> Vec<Vec<u8>> {
        let headers = ip + usize::from(packet[ip + OFFSET] >> 4) * 4;
        let count = (packet.len() - headers).div_ceil(segment);
        let one = |(k, data): (usize, &[u8])| {
            let mut one = [&packet[..headers], data].concat();
            let tcp = (one.len() - ip) as u16;
            let addresses = if packet[0] >> 4 == 4 {
                put(&mut one, IP_LENGTH, ip as u16 + tcp);
                put(
                    &mut one,
                    IP_IDENTIFICATION,
                    word(packet, IP_IDENTIFICATION).wrapping_add(k as u16),
                );
                put(&mut one, IP_CHECKSUM, 0);
                let right = checksum(&one[..ip], 0);
                put(&mut one, IP_CHECKSUM, right);
                12..20
            } else {
                put(&mut one, PAYLOAD_LENGTH, (ip - 40) as u16 + tcp);
                8..40
            };
            let start = (u32::MAX - 2000).wrapping_add((k * segment) as u32);
            one[ip + SEQUENCE..][..4].copy_from_slice(&start.to_be_bytes());
            one[ip + FLAGS] &= if k == 0 { 0xff } else { !CWR };
            one[ip + FLAGS] &= if k + 1 == count { 0xff } else { !(FIN | PSH) };
            put(&mut one, ip + CHECKSUM, 0);
            let pseudo = sum(&one[addresses]) + 6 + u32::from(tcp);
            let right = checksum(&one[ip..], pseudo);
            put(&mut one, ip + CHECKSUM, right);
            one
        };
        packet[headers..].chunks(segment).enumerate().map(one).collect()
    }

    #[test]
    fn segments_are_those_that_the_kernel_makes() {
        const ALL: u8 = 0xff;
        let mut split = Box::<Split>::default();
        for (version, ip) in [(4, 20), (4, 24), (4, 60), (6, 40), (6, 56)] {
            for (options, segment) in
                [(12, 1348), (0, 1360), (40, 1001), (12, 12), (0, 1), (20, 536)]
            {
                for data in [1, segment - 1, segment, segment + 1, 3 * segment, 17 * segment - 1] {
                    let data = data.max(1);
                    let packet = large(version, ip, options, data, ALL);
                    let gso =
                        if version == 4 { virtio::GSO_TCPV4 } else { virtio::GSO_TCPV6 } | 0x80;
                    let octets = [&header(gso, segment as u16, ip)[..], &packet].concat();
                    let expected = model(&packet, ip, segment);
                    assert_eq!(
                        read(&mut split, &octets),
                        expected,
                        "{version} {ip} {options} {data}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_largest_packets_there_are() {
        let mut split = Box::<Split>::default();
        for (version, ip, total) in [(4, 20, 65_535), (6, 40, 65_575)] {
            let packet = large(version, ip, 12, total - ip - 32, PSH | FIN);
            let gso = if version == 4 { virtio::GSO_TCPV4 } else { virtio::GSO_TCPV6 };
            let octets = [&header(gso, 1348, ip)[..], &packet].concat();
            assert!(read(&mut split, &octets) == model(&packet, ip, 1348));
        }
        assert!(split.space().len() >= virtio::HEADER + 65_575);
    }

    #[test]
    fn a_packet_that_is_whole_stays_as_it_is_but_for_its_checksum() {
        let mut split = Box::<Split>::default();
        let mut packet = large(4, 20, 12, 100, PSH);
        assert_eq!(read(&mut split, &[&virtio::PLAIN[..], &packet].concat()), [packet.clone()]);
        let partial = [&header(virtio::GSO_NONE, 0, 20)[..], &packet].concat();
        assert_eq!(read(&mut split, &partial), model(&packet, 20, 100));
        // One whose sum is zero, as UDP must not have it.
        let rest = word(&model(&packet, 20, 100)[0], 20 + CHECKSUM);
        let data = word(&packet, 60);
        put(&mut packet, 60, fold(u32::from(data) + u32::from(rest)));
        let partial = [&header(virtio::GSO_NONE, 0, 20)[..], &packet].concat();
        put(&mut packet, 20 + CHECKSUM, 0xffff);
        assert_eq!(read(&mut split, &partial), [packet]);
    }

    #[test]
    fn what_makes_no_sense_is_an_empty_packet() {
        let mut split = Box::<Split>::default();
        let packet = large(4, 20, 12, 3000, PSH);
        let good = [&header(virtio::GSO_TCPV4, 1000, 20)[..], &packet].concat();
        assert_eq!(read(&mut split, &good).len(), 3);
        for (at, value) in [
            (0, 0),
            (1, 4),
            (1, 3),
            (4, 0),
            (5, 0xff),
            (6, 24),
            (8, 6),
            (12, 0x65),
            (12, 0x46),
            (14, 1),
            (44, 0x40),
            (44, 0x10),
        ] {
            let mut wrong = good.clone();
            wrong[at] = value;
            let is_short = at == 4 && value == 0;
            if is_short {
                wrong[5] = 0;
            }
            assert!(read(&mut split, &wrong) == [Vec::new()], "{at} {value}");
        }
        for len in 0..good.len() {
            let out = read(&mut split, &good[..len]);
            assert_eq!(out, [Vec::new()], "{len}");
        }
        // A packet without data is no segment.
        let empty = large(4, 20, 12, 0, PSH);
        let octets = [&header(virtio::GSO_TCPV4, 1000, 20)[..], &empty].concat();
        assert_eq!(read(&mut split, &octets), [Vec::new()]);
    }

    /// Reads of all kinds one after the other, with any octet changed: never a panic, and what comes
    /// out is as much data as went in, or nothing.
    #[test]
    fn damaged_headers_are_borne() {
        let mut state = 1u32;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let (mut split, mut whole) = (Box::<Split>::default(), 0);
        for _ in 0..20_000 {
            let (version, ip) = [(4, 20), (4, 32), (6, 40), (6, 48)][random(4)];
            let packet = large(version, ip, random(11) * 4, random(4000), random(256) as u8);
            let gso = [virtio::GSO_NONE, 1, 1, 4, 4, 0x81, 3][random(7)];
            let mut octets = [&header(gso, random(1500) as u16, ip)[..], &packet].concat();
            for _ in 0..random(3) {
                let at = random(octets.len().min(120));
                octets[at] = random(256) as u8;
            }
            octets.truncate(octets.len() - random(octets.len()) * usize::from(random(5) == 0));
            let out = read(&mut split, &octets);
            let longest = out.iter().map(Vec::len).max().unwrap_or(0);
            assert!(longest <= LARGEST);
            whole += usize::from(out.len() > 1);
        }
        assert!(whole > 3000, "{whole}");
    }
}
