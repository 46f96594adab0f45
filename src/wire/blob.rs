//! libubox's blob attributes (blob.h) and, inside of them, blobmsg (blobmsg.h): the typed and named
//! values that ubus carries.
//!
//! ```text
//!  0                   1                   2                   3
//! +-+-------------+-----------------------------------------------+
//! |E|     id      |  length: these 4 octets and the data           |
//! +-+-------------+-----------------------------------------------+
//! | data ..., padded with zeros to 4 octets (not counted)          |
//! +---------------------------------------------------------------+
//! ```
//!
//! In blobmsg, E is set, the id is the value's type, and the data begins with a name: its length in
//! two octets, the name, a NUL, padded to 4 octets. Elements of an array have an empty name.
//!
//! Tables and arrays are read one level at a time, by whoever wants what is inside: no message is
//! deep enough to exhaust a stack.

use core::fmt::{self, Display, Write};

use super::{Error, Reader, Writer};

/// Types of values.
pub mod kind {
    pub const UNSPEC: u8 = 0;
    pub const ARRAY: u8 = 1;
    pub const TABLE: u8 = 2;
    pub const STRING: u8 = 3;
    pub const INT64: u8 = 4;
    pub const INT32: u8 = 5;
    pub const INT16: u8 = 6;
    /// A truth value as well.
    pub const INT8: u8 = 7;
    pub const DOUBLE: u8 = 8;
}

/// The bit E.
const EXTENDED: u32 = 0x8000_0000;
/// The length in the first word of an attribute.
const LENGTH: u32 = 0x00ff_ffff;
/// Octets of the first word.
const HEAD: usize = 4;

/// The length that the first word of an attribute tells.
pub fn length(head: u32) -> usize {
    (head & LENGTH) as usize
}

/// The attributes in `octets`, one after the other: `(id, data)`. Ends after the first that is not
/// well-formed.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(Reader<'a>);

impl<'a> Attributes<'a> {
    /// Reads the attributes of `octets`.
    pub fn new(octets: &'a [u8]) -> Attributes<'a> {
        Attributes(Reader::new(octets))
    }

    fn read(&mut self) -> Result<(u8, &'a [u8]), Error> {
        let head = self.0.u32()?;
        let data = length(head).checked_sub(HEAD).ok_or(Error::Length)?;
        let taken = self.0.take(data)?;
        // Nobody misses the padding behind the last one.
        let padding = padding(data).min(self.0.left());
        self.0.take(padding)?;
        Ok(((head >> 24) as u8, taken))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u8, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.left() == 0 {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.0 = Reader::new(&[]);
        }
        Some(read)
    }
}

/// A value of a blobmsg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    /// What `fields` reads.
    Array(&'a [u8]),
    /// What `fields` reads.
    Table(&'a [u8]),
    /// Up to its first NUL.
    Text(&'a [u8]),
    /// Of any width, as it stands on the wire: without a sign.
    Number(u64),
    /// The octets of an IEEE 754 number.
    Double([u8; 8]),
}

impl<'a> Value<'a> {
    fn parse(kind: u8, data: &'a [u8]) -> Result<Value<'a>, Error> {
        Ok(match kind {
            kind::UNSPEC => Value::Null,
            kind::ARRAY => Value::Array(data),
            kind::TABLE => Value::Table(data),
            kind::STRING => {
                let end = data.iter().position(|&octet| octet == 0).ok_or(Error::Value)?;
                Value::Text(&data[..end])
            }
            kind::INT64 => Value::Number(u64::from_be_bytes(whole(data)?)),
            kind::INT32 => Value::Number(u32::from_be_bytes(whole(data)?).into()),
            kind::INT16 => Value::Number(u16::from_be_bytes(whole(data)?).into()),
            kind::INT8 => Value::Number(u8::from_be_bytes(whole(data)?).into()),
            kind::DOUBLE => Value::Double(whole(data)?),
            _ => return Err(Error::Value),
        })
    }
}

fn whole<const N: usize>(data: &[u8]) -> Result<[u8; N], Error> {
    data.try_into().map_err(|_| Error::Length)
}

/// The named values of a table, or the nameless ones of an array.
pub fn fields(octets: &[u8]) -> impl Iterator<Item = Result<(&[u8], Value<'_>), Error>> {
    Attributes::new(octets).map(|attribute| {
        let (id, data) = attribute?;
        let extended = u32::from(id) << 24 & EXTENDED != 0;
        let (name, data) = if extended { split_name(data)? } else { (&[][..], data) };
        Ok((name, Value::parse(id & 0x7f, data)?))
    })
}

fn split_name(data: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let mut reader = Reader::new(data);
    let length = usize::from(reader.u16()?);
    let name = reader.take(length)?;
    if reader.u8()? != 0 {
        return Err(Error::Value);
    }
    reader.take(padding(2 + length + 1))?;
    Ok((name, reader.rest()))
}

/// The value of `name`; of several the first counts, as in libubox. An error when the table is not
/// well-formed.
pub fn find<'a>(octets: &'a [u8], name: &str) -> Result<Option<Value<'a>>, Error> {
    let mut found = None;
    for field in fields(octets) {
        let (field, value) = field?;
        if field == name.as_bytes() && found.is_none() {
            found = Some(value);
        }
    }
    Ok(found)
}

/// Writes attributes with an id. The writer began at a multiple of four octets.
pub struct Blob<'w, 'b>(&'w mut Writer<'b>);

impl<'w, 'b> Blob<'w, 'b> {
    /// Appends attributes to `writer`.
    pub fn new(writer: &'w mut Writer<'b>) -> Blob<'w, 'b> {
        Blob(writer)
    }

    /// A number.
    #[inline(never)]
    pub fn u32(&mut self, id: u8, value: u32) {
        attribute(self.0, u32::from(id) << 24, |writer| writer.u32(value));
    }

    /// A text.
    #[inline(never)]
    pub fn text(&mut self, id: u8, value: &str) {
        attribute(self.0, u32::from(id) << 24, |writer| put_text(writer, value));
    }

    /// More attributes with an id.
    pub fn nest(&mut self, id: u8, inner: impl FnOnce(&mut Blob)) {
        attribute(self.0, u32::from(id) << 24, |writer| inner(&mut Blob(writer)));
    }

    /// Named values.
    pub fn table(&mut self, id: u8, inner: impl FnOnce(&mut Table)) {
        attribute(self.0, u32::from(id) << 24, |writer| inner(&mut Table(writer)));
    }
}

/// Writes named values.
pub struct Table<'w, 'b>(&'w mut Writer<'b>);

impl Table<'_, '_> {
    /// A truth value.
    #[inline(never)]
    pub fn bool(&mut self, name: &str, value: bool) {
        self.field(name, kind::INT8, |writer| writer.u8(value.into()));
    }

    /// A number that shall be shown without a sign is less than 2^31 here.
    #[inline(never)]
    pub fn u32(&mut self, name: &str, value: u32) {
        self.field(name, kind::INT32, |writer| writer.u32(value));
    }

    /// A number.
    #[inline(never)]
    pub fn u64(&mut self, name: &str, value: u64) {
        self.field(name, kind::INT64, |writer| writer.put(&value.to_be_bytes()));
    }

    /// A text.
    pub fn text(&mut self, name: &str, value: impl Display) {
        self.field(name, kind::STRING, |writer| put_text(writer, value));
    }

    /// More named values.
    pub fn table(&mut self, name: &str, inner: impl FnOnce(&mut Table)) {
        self.field(name, kind::TABLE, |writer| inner(&mut Table(writer)));
    }

    /// Values whose names are empty.
    pub fn array(&mut self, name: &str, inner: impl FnOnce(&mut Table)) {
        self.field(name, kind::ARRAY, |writer| inner(&mut Table(writer)));
    }

    fn field(&mut self, name: &str, kind: u8, data: impl FnOnce(&mut Writer)) {
        attribute(self.0, EXTENDED | u32::from(kind) << 24, |writer| {
            put_name(writer, name);
            data(writer);
        });
    }
}

/// Writes an attribute; its length is known when its data stands there.
fn attribute(writer: &mut Writer, head: u32, data: impl FnOnce(&mut Writer)) {
    let at = begin(writer);
    data(writer);
    end(writer, at, head);
}

// There are hundreds of attributes and none is in a hurry: these three stand once in the program.

#[inline(never)]
fn begin(writer: &mut Writer) -> usize {
    writer.u32(0);
    writer.len().saturating_sub(HEAD)
}

#[inline(never)]
fn end(writer: &mut Writer, at: usize, head: u32) {
    let length = writer.len() - at;
    writer.patch_u32(at, head | length as u32 & LENGTH);
    writer.padded(&[], padding(length));
}

#[inline(never)]
fn put_name(writer: &mut Writer, name: &str) {
    writer.u16(name.len() as u16);
    writer.put(name.as_bytes());
    writer.padded(&[], 1 + padding(2 + name.len() + 1));
}

/// A text ends with a NUL, and has none before that.
fn put_text(writer: &mut Writer, value: impl Display) {
    let _never_fails = write!(Text(writer), "{value}");
    writer.u8(0);
}

struct Text<'w, 'b>(&'w mut Writer<'b>);

impl Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.split('\0').for_each(|part| self.0.put(part.as_bytes()));
        Ok(())
    }
}

/// Zeros that follow `length` octets.
fn padding(length: usize) -> usize {
    length.wrapping_neg() % 4
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn example(buffer: &mut [u8]) -> usize {
        let mut writer = Writer::new(buffer);
        Blob::new(&mut writer).table(7, |table| {
            table.bool("on", true);
            table.text("name", "J\u{fc}r\0gen");
            table.u32("id", 5);
            table.u64("bytes", u64::MAX);
            table.array("list", |list| {
                list.table("", |inner| inner.text("a", core::net::Ipv4Addr::LOCALHOST));
                list.u32("", 7);
            });
        });
        writer.finish().unwrap()
    }

    fn data(octets: &[u8]) -> &[u8] {
        let (id, data) = Attributes::new(octets).next().unwrap().unwrap();
        assert_eq!(id, 7);
        data
    }

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = [0; 256];
        let length = example(&mut buffer);
        assert_eq!(length % 4, 0);
        let table = data(&buffer[..length]);
        assert_eq!(find(table, "on"), Ok(Some(Value::Number(1))));
        assert_eq!(find(table, "name"), Ok(Some(Value::Text("J\u{fc}rgen".as_bytes()))));
        assert_eq!(find(table, "id"), Ok(Some(Value::Number(5))));
        assert_eq!(find(table, "bytes"), Ok(Some(Value::Number(u64::MAX))));
        assert_eq!(find(table, "nothing"), Ok(None));
        let Ok(Some(Value::Array(list))) = find(table, "list") else { panic!() };
        let list: Vec<_> = fields(list).collect::<Result<_, _>>().unwrap();
        let [(b"", Value::Table(inner)), (b"", Value::Number(7))] = list[..] else { panic!() };
        assert_eq!(find(inner, "a"), Ok(Some(Value::Text(b"127.0.0.1"))));
    }

    #[test]
    fn no_room_is_told_and_no_cut_is_misread() {
        let mut buffer = [0; 256];
        let length = example(&mut buffer);
        for room in 0..length {
            let mut small = [0; 256];
            let mut writer = Writer::new(&mut small[..room]);
            Blob::new(&mut writer).table(7, |table| {
                table.text("name", "value");
                table.table("more", |more| more.u64("n", 9));
                table.text("fill", core::str::from_utf8(&[b'x'; 200]).unwrap());
            });
            assert_eq!(writer.finish(), None);
        }
        for cut in 4..length {
            assert!(Attributes::new(&buffer[..cut]).next().unwrap().is_err());
            // Each value is there as a whole, or the table is known to be damaged.
            let whole = fields(&buffer[4..cut]).filter_map(Result::ok).count();
            let read: Vec<_> = fields(&buffer[4..cut]).collect();
            assert!(read.len() - whole <= 1);
        }
    }

    #[test]
    fn lengths_that_lie_and_values_that_are_none_are_refused() {
        let damaged: &[(&[u8], Error)] = &[
            (&[0x85, 0, 0, 3], Error::Length),
            (&[0x85, 0, 0, 9, 0, 1, b'a', 0], Error::Short),
            (&[0x85, 0, 0, 5, 0], Error::Short),
            (&[0x85, 0, 0, 8, 0xff, 0xff, b'a', 0], Error::Short),
            (&[0x85, 0, 0, 8, 0, 1, b'a', 1], Error::Value),
            (&[0x85, 0, 0, 9, 0, 1, b'a', 0, 7, 0, 0, 0], Error::Length),
            (&[0x83, 0, 0, 9, 0, 1, b'a', 0, b'x', 0, 0, 0], Error::Value),
            (&[0x89, 0, 0, 8, 0, 1, b'a', 0], Error::Value),
        ];
        for (octets, error) in damaged {
            assert_eq!(find(octets, "a"), Err(*error), "{octets:02x?}");
        }
        // Without a name, and without the last padding.
        let plain = [0x05, 0, 0, 8, 0, 0, 0, 9, 0x03, 0, 0, 6, b'x', 0];
        let read: Vec<_> = fields(&plain).collect();
        assert_eq!(read, [Ok((&b""[..], Value::Number(9))), Ok((b"", Value::Text(b"x")))]);
    }
}
