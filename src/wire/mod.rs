//! Octets to fields and back, one file per protocol. Nothing here remembers or decides anything.
//!
//! Everything is read through [`Reader`], which cannot run past the end, and written through
//! [`Writer`], which stops at the end of its buffer and says so.

pub mod arp;
pub mod blob;
pub mod ccp;
pub mod chap;
pub mod checksum;
pub mod dhcp;
pub mod gre;
pub mod icmp;
pub mod icmpv6;
pub mod ipcp;
pub mod ipv4;
pub mod ipv6;
pub mod ipv6cp;
pub mod lcp;
pub mod mppe;
pub mod ppp;
pub mod pptp;
pub mod ubus;
pub mod udp;
pub mod virtio;

/// Why octets are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Fewer octets than the format needs.
    Short,
    /// A length field says less than its own header or more than there is.
    Length,
    /// A field that has one right value has another: version, flag bits, magic cookie.
    Value,
}

/// Reads fields from the front of a slice; numbers are big-endian, as everywhere on these wires.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader at the front of `octets`.
    pub fn new(octets: &'a [u8]) -> Reader<'a> {
        Reader(octets)
    }

    /// What has not been read yet.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Octets that have not been read yet.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// The next `count` octets.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` octets as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Error::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next octet.
    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    /// The next two octets as a number.
    pub fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// The next four octets as a number.
    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }
}

/// Writes fields into a slice; numbers are big-endian. What does not fit is not written at all,
/// and `finish` says so: a half-written message never leaves.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
    overflow: bool,
}

impl<'a> Writer<'a> {
    /// A writer at the front of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Writer<'a> {
        Writer { buffer, len: 0, overflow: false }
    }

    /// Octets written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written so far.
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Appends octets.
    pub fn put(&mut self, octets: &[u8]) {
        match self.buffer.get_mut(self.len..self.len + octets.len()) {
            Some(room) if !self.overflow => {
                room.copy_from_slice(octets);
                self.len += octets.len();
            }
            _ => self.overflow = true,
        }
    }

    /// Appends one octet.
    pub fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends two octets.
    pub fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Appends four octets.
    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends `octets` cut or filled with zeros to `width`.
    pub fn padded(&mut self, octets: &[u8], width: usize) {
        let shown = &octets[..octets.len().min(width)];
        self.put(shown);
        for _ in shown.len()..width {
            self.u8(0);
        }
    }

    /// Overwrites two octets at `at`, which was written before: for length fields.
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        if let Some(room) = self.buffer[..self.len].get_mut(at..at + 2) {
            room.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Overwrites four octets at `at`, which was written before: for length fields.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        if let Some(room) = self.buffer[..self.len].get_mut(at..at + 4) {
            room.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Number of octets written, or `None` when something did not fit.
    pub fn finish(self) -> Option<usize> {
        (!self.overflow).then_some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_cannot_run_past_the_end() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u32(), Ok(0x04050607));
        assert_eq!(reader.u8(), Err(Error::Short));
        assert_eq!(reader.take(1), Err(Error::Short));
        assert_eq!(reader.take(0), Ok(&[][..]));
    }

    #[test]
    fn a_writer_says_what_did_not_fit() {
        let mut buffer = [0; 6];
        let mut writer = Writer::new(&mut buffer);
        writer.u16(0);
        writer.padded(b"ab", 3);
        writer.patch_u16(0, 0x0102);
        assert_eq!(writer.written(), &[1, 2, b'a', b'b', 0]);
        writer.u16(9);
        writer.u8(9);
        assert_eq!(writer.finish(), None);
    }
}
