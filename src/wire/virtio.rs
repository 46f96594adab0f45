//! What stands in front of packets of a TUN device with IFF_VNET_HDR: the header of a virtio network
//! device (Virtual I/O Device Version 1.1 section 5.1.6), which tells how a large packet is to be split.

/// Octets of the header.
pub const HEADER: usize = 12;

/// A packet that is as it is.
pub const PLAIN: [u8; HEADER] = [0; HEADER];

const NEEDS_CHECKSUM: u8 = 1;
const GSO_TCPV4: u8 = 1;
const IP_HEADER: u16 = 20;
const TCP_CHECKSUM: u16 = 16;

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
