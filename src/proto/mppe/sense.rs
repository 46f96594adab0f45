//! Does a packet decrypt to sense? MPPE has no integrity check (RFC 3078 section 9), so the inner
//! packet must vouch for the key.

use pptp_cipher::Arc4;

use super::stream::{HEAD, Stream};
use crate::packet::Packet;
use crate::wire::ppp::{protocol, protocol_field};

/// Whether a protocol field stands in front of a decrypted packet. Random octets pass once in a hundred
/// times: good enough for the packet that was expected anyway. A field of one octet passes only for
/// IP, since every second random octet is one.
pub fn has_protocol(octets: &[u8]) -> bool {
    match protocol_field(octets) {
        Ok((number, 1)) => number == protocol::IPV4 || number == protocol::IPV6,
        Ok((number, _)) => number < 0x100,
        Err(_) => false,
    }
}

/// The beginning of a decrypted packet.
pub struct Clear {
    head: [u8; HEAD],
    /// Octets of the whole packet.
    len: usize,
}

impl Clear {
    /// What `data` is under the next octets of `stream`.
    pub fn of(stream: &Stream, data: &[u8]) -> Clear {
        Clear { head: stream.peek(data), len: data.len() }
    }

    /// What `data` is under the next octets of `cipher`, which are used up.
    pub fn under(cipher: &mut Arc4, data: &[u8]) -> Clear {
        let mut head = [0; HEAD];
        let known = &mut head[..data.len().min(HEAD)];
        known.copy_from_slice(&data[..known.len()]);
        cipher.apply(known);
        Clear { head, len: data.len() }
    }

    /// Puts the clear octets in place of those in the packet, and decrypts the rest with the `cipher` of
    /// `under`.
    pub fn finish(&self, cipher: &mut Arc4, packet: &mut Packet) {
        let known = self.len.min(HEAD);
        packet.data_mut()[..known].copy_from_slice(&self.head[..known]);
        packet.apply(cipher, known);
    }

    /// Whether a protocol field stands in front.
    pub fn has_protocol(&self) -> bool {
        has_protocol(&self.head[..self.len.min(HEAD)])
    }

    /// Whether it is a whole IP packet. Random octets pass once in 10^9 times: good enough to
    /// believe in a key that was guessed.
    pub fn is_ip(&self) -> bool {
        match self.protocol() {
            Some((protocol::IPV4, at)) => self.is_ipv4(at),
            Some((protocol::IPV6, at)) => self.is_ipv6(at),
            _ => false,
        }
    }

    fn protocol(&self) -> Option<(u16, usize)> {
        protocol_field(&self.head[..self.len.min(HEAD)]).ok()
    }

    /// Version, lengths and checksum of an IPv4 header (RFC 791 section 3.1). A wrong checksum
    /// would be dropped by the next router anyway, so to insist on it loses nothing.
    fn is_ipv4(&self, at: usize) -> bool {
        let header = &self.head[at..];
        let header_len = usize::from(header[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        header[0] >> 4 == 4
            && header_len >= 20
            && header_len <= total_len
            && at + total_len <= self.len
            && checksum(&header[..header_len]) == 0xffff
    }

    /// Version and length of an IPv6 header (RFC 8200 section 3), which has no checksum: the
    /// length must fit exactly.
    fn is_ipv6(&self, at: usize) -> bool {
        let header = &self.head[at..];
        let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        header[0] >> 4 == 6 && at + 40 + payload_len == self.len
    }
}

/// Sum of 16-bit words in ones' complement (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    ((sum & 0xffff) + (sum >> 16)) as u16
}

// A protocol field of two octets and the longest IPv4 header, so no index above can be wrong.
const _: () = assert!(HEAD >= 2 + 60);
