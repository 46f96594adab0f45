//! What stands in front of packets of a TUN device with IFF_VNET_HDR: the header of a virtio network
//! device (Virtual I/O Device Version 1.1 section 5.1.6), which tells how a large packet is to be split.

/// Octets of the header.
pub const HEADER: usize = 12;

/// A packet that is as it is.
pub const PLAIN: [u8; HEADER] = [0; HEADER];

/// What the packet is to be split into: nothing, TCP segments of IPv4 or of IPv6.
pub const GSO_NONE: u8 = 0;
pub const GSO_TCPV4: u8 = 1;
pub const GSO_TCPV6: u8 = 4;

const NEEDS_CHECKSUM: u8 = 1;
/// The first segment has CWR set, which says nothing new.
const GSO_ECN: u8 = 0x80;
const IP_HEADER: u16 = 20;
const TCP_CHECKSUM: u16 = 16;

/// What the header of a packet from the kernel asks for; offsets are those in the packet behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The checksum is that of the pseudo-header alone.
    pub needs_checksum: bool,
    pub gso: u8,
    /// Octets of data in each segment but the last.
    pub segment: usize,
    /// Where that begins which the checksum is to be made of.
    pub checksum_start: usize,
    /// Where the checksum stands, counted from there.
    pub checksum_offset: usize,
}

impl Header {
    /// Reads a header, in little-endian. Its length of headers is left out: Linux fills in what it likes.
    pub fn parse(octets: &[u8; HEADER]) -> Header {
        let [flags, gso, _, _, segment @ .., _, _] = *octets;
        let word = |at: usize| usize::from(u16::from_le_bytes([segment[at], segment[at + 1]]));
        Header {
            needs_checksum: flags & NEEDS_CHECKSUM != 0,
            gso: gso & !GSO_ECN,
            segment: word(0),
            checksum_start: word(2),
            checksum_offset: word(4),
        }
    }
}

/// The header, in little-endian, of an IPv4 packet without options that is to be split into TCP
/// segments of `segment` octets of data each; `headers` is the octets of its IP and TCP header. Its TCP
/// checksum is that of the pseudo-header alone.
pub fn split(headers: u16, segment: u16) -> [u8; HEADER] {
    let [headers, segment] = [headers, segment].map(u16::to_le_bytes);
    let [start, offset] = [IP_HEADER, TCP_CHECKSUM].map(u16::to_le_bytes);
    [
        NEEDS_CHECKSUM,
        GSO_TCPV4,
        headers[0],
        headers[1],
        segment[0],
        segment[1],
        start[0],
        start[1],
        offset[0],
        offset[1],
        0,
        0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let mut octets = split(52, 1348);
        let header = Header {
            needs_checksum: true,
            gso: GSO_TCPV4,
            segment: 1348,
            checksum_start: 20,
            checksum_offset: 16,
        };
        assert_eq!(Header::parse(&octets), header);
        octets[..2].copy_from_slice(&[2, GSO_TCPV6 | GSO_ECN]);
        assert_eq!(
            Header::parse(&octets),
            Header { needs_checksum: false, gso: GSO_TCPV6, ..header }
        );
        assert_eq!(Header::parse(&PLAIN).gso, GSO_NONE);
    }
}
