//! ARP for IPv4 on Ethernet (RFC 826), behind the link header.
//!
//! ```text
//!  0                   1                   2                   3
//! +-------------------------------+-------------------------------+
//! | hardware type 1               | protocol type 0x0800          |
//! +---------------+---------------+-------------------------------+
//! | 6             | 4             | operation                     |
//! +---------------+---------------+-------------------------------+
//! | sender's hardware address (6), its protocol address (4)       |
//! | target's hardware address (6), its protocol address (4)       |
//! +---------------------------------------------------------------+
//! ```

use core::net::Ipv4Addr;

use super::{Error, Reader};

/// Octets of a packet.
pub const LEN: usize = 28;

/// The hardware and protocol types, and the lengths of both addresses.
const KIND: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

/// Operations: a question, and its answer.
pub mod operation {
    pub const REQUEST: u16 = 1;
    pub const REPLY: u16 = 2;
}

/// A packet. A sender without a protocol address only asks whether somebody has the target's (RFC
/// 5227 section 1.1, an ARP Probe); one that asks for its own makes it known (an Announcement).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    pub operation: u16,
    pub sender_mac: [u8; 6],
    pub sender: Ipv4Addr,
    pub target_mac: [u8; 6],
    pub target: Ipv4Addr,
}

impl Arp {
    /// Who has `target`? asks `sender`, which is unspecified in a Probe.
    pub fn request(mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Arp {
        let operation = operation::REQUEST;
        Arp { operation, sender_mac: mac, sender, target_mac: [0; 6], target }
    }

    /// Reads a packet, behind which there may be padding.
    pub fn parse(octets: &[u8]) -> Result<Arp, Error> {
        let mut reader = Reader::new(octets);
        if reader.array()? != KIND {
            return Err(Error::Value);
        }
        Ok(Arp {
            operation: reader.u16()?,
            sender_mac: reader.array()?,
            sender: Ipv4Addr::from_octets(reader.array()?),
            target_mac: reader.array()?,
            target: Ipv4Addr::from_octets(reader.array()?),
        })
    }

    /// Its octets.
    pub fn octets(&self) -> [u8; LEN] {
        let mut octets = [0; LEN];
        let parts: [&[u8]; 6] = [
            &KIND,
            &self.operation.to_be_bytes(),
            &self.sender_mac,
            &self.sender.octets(),
            &self.target_mac,
            &self.target.octets(),
        ];
        let from = parts.into_iter().flatten();
        octets.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (mac, target) = ([2, 0, 0, 0, 0, 9], Ipv4Addr::new(192, 168, 1, 200));
        let probe = Arp::request(mac, Ipv4Addr::UNSPECIFIED, target);
        let octets = probe.octets();
        assert_eq!(
            octets,
            [
                0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 168,
                1, 200
            ]
        );
        assert_eq!(Arp::parse(&octets), Ok(probe));
        let padded = [&octets[..], &[0; 18]].concat();
        assert_eq!(Arp::parse(&padded), Ok(probe));
        for length in 0..LEN {
            assert!(Arp::parse(&octets[..length]).is_err());
        }
        for at in 0..6 {
            let mut other = octets;
            other[at] ^= 1;
            assert_eq!(Arp::parse(&other), Err(Error::Value));
        }
    }
}
