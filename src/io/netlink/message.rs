//! Messages of netlink(7), written and read. Numbers are in the machine's own byte order,
//! addresses in network order.
//!
//! ```text
//!  0               4       6       8               12              16
//! +---------------+-------+-------+---------------+---------------+
//! | length        | kind  | flags | sequence      | port          |  nlmsghdr
//! +---------------+-------+-------+---------------+---------------+
//! | body: a structure of the kind, padded to 4 octets              |
//! +-------+-------+-----------------------------------------------+
//! |length | kind  | value, padded to 4 octets                      |  rtattr, any number
//! +-------+-------+-----------------------------------------------+
//! ```
//!
//! Lengths count their own header and no padding.

use libc::c_int;

/// Octets of the header of a message, and of an attribute.
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;

/// The bits of an attribute's kind that are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
const FLAGS: u16 = 0xc000;

/// A message to the kernel.
pub struct Message(Vec<u8>);

impl Message {
    /// One of `kind` with NLM_F_`flags`.
    pub fn new(kind: u16, flags: c_int, body: &[u8]) -> Message {
        let mut message = Message(vec![0; HEADER]);
        message.0[4..6].copy_from_slice(&kind.to_ne_bytes());
        message.0[6..8].copy_from_slice(&(flags as u16).to_ne_bytes());
        message.put(body);
        message
    }

    /// A request that is answered by what was asked for, and by yes or no.
    pub fn request(kind: u16, flags: c_int, body: &[u8]) -> Message {
        Message::new(kind, flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK, body)
    }

    /// With one more attribute; its value has less than 64 KiB.
    pub fn with(mut self, kind: u16, value: &[u8]) -> Message {
        let length = (ATTRIBUTE + value.len()) as u16;
        self.put(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// Appends `octets` behind the padding of what stands there.
    fn put(&mut self, octets: &[u8]) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.0.extend_from_slice(octets);
    }

    /// Its octets.
    pub fn finish(mut self) -> Vec<u8> {
        self.put(&[]);
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// The kinds and bodies of the messages in `octets`. Ends at the first that is not whole.
pub fn messages(octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let kind = u16_at(rest, 4)?;
        Some((kind, take(&mut rest, HEADER, length)?))
    })
}

/// The kinds and values of the attributes behind the first `skipped` octets of a message's body.
/// Ends at the first that is not whole.
pub fn attributes(body: &[u8], skipped: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(skipped..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, kind) = (u16_at(rest, 0)?, u16_at(rest, 2)? & !FLAGS);
        Some((kind, take(&mut rest, ATTRIBUTE, length.into())?))
    })
}

/// Takes something of `length` octets off `rest`, and its header off that.
fn take<'a>(rest: &mut &'a [u8], header: usize, length: usize) -> Option<&'a [u8]> {
    let taken = rest.get(header..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(taken)
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

/// The number at this place of a message's body.
pub fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        Message::request(24, libc::NLM_F_CREATE, &[1; 12]).with(3, b"br-lan").with(1, &[9]).finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let both = [example(), example()].concat();
        assert_eq!(example().len(), 16 + 12 + 12 + 8);
        let read: Vec<_> = messages(&both).collect();
        let [(24, body), (24, second)] = read[..] else { panic!("{read:?}") };
        assert_eq!((body, u32_at(body, 8)), (second, Some(0x0101_0101)));
        let read: Vec<_> = attributes(body, 12).collect();
        assert_eq!(read, [(3, &b"br-lan"[..]), (1, &[9])]);
    }

    /// Every cut and every length that lies ends the reading, and nothing is read twice or beyond.
    #[test]
    fn cuts_and_wrong_lengths_end_the_reading() {
        let whole = example();
        for length in 0..whole.len() {
            assert!(messages(&whole[..length]).all(|_| false) || length >= whole.len() - 3);
        }
        for wrong in [0u32, 1, 15, 49, u32::MAX] {
            let mut octets = whole.clone();
            octets[..4].copy_from_slice(&wrong.to_ne_bytes());
            assert_eq!(messages(&octets).count(), 0, "{wrong}");
        }
        for wrong in [0u16, 3, 100, u16::MAX] {
            let mut octets = whole.clone();
            octets[28..30].copy_from_slice(&wrong.to_ne_bytes());
            let count: usize =
                messages(&octets).map(|(_, body)| attributes(body, 12).count()).sum();
            assert_eq!(count, 0, "{wrong}");
        }
        assert_eq!(attributes(&[1; 4], 12).count(), 0);
    }
}
