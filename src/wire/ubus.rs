//! Messages of OpenWrt's ubus as ubusd and libubus exchange them over a UNIX stream socket
//! (ubusmsg.h).
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------+---------------+-------------------------------+
//! |  version = 0  |     type      |           sequence            |
//! +---------------+---------------+-------------------------------+
//! |                             peer                              |
//! +-+-------------+-----------------------------------------------+
//! |0|   id = 0    |  length: these 4 octets and the attributes    |
//! +-+-------------+-----------------------------------------------+
//! | attributes ...
//! ```

use super::blob::{Attributes, Blob, Table, kind, length};
use super::{Error, Reader, Writer};
use crate::limits::UBUS_MESSAGE;

/// Types of messages.
pub mod message {
    pub const HELLO: u8 = 0;
    pub const STATUS: u8 = 1;
    pub const DATA: u8 = 2;
    pub const LOOKUP: u8 = 4;
    pub const INVOKE: u8 = 5;
    pub const ADD_OBJECT: u8 = 6;
    pub const NOTIFY: u8 = 10;
}

/// Attributes of messages.
pub mod attribute {
    pub const STATUS: u8 = 1;
    pub const OBJPATH: u8 = 2;
    pub const OBJID: u8 = 3;
    pub const METHOD: u8 = 4;
    pub const SIGNATURE: u8 = 6;
    pub const DATA: u8 = 7;
    pub const ACTIVE: u8 = 9;
    pub const NO_REPLY: u8 = 10;
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    pub const OK: Status = Status(0);
    pub const INVALID_ARGUMENT: Status = Status(2);
    pub const METHOD_NOT_FOUND: Status = Status(3);
    pub const NOT_FOUND: Status = Status(4);
    pub const PERMISSION_DENIED: Status = Status(6);
    pub const TIMEOUT: Status = Status(7);
    pub const NOT_SUPPORTED: Status = Status(8);
    pub const UNKNOWN_ERROR: Status = Status(9);

    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Status::OK => "done",
            Status::INVALID_ARGUMENT => "invalid argument",
            Status::METHOD_NOT_FOUND => "method not found",
            Status::NOT_FOUND => "not found",
            Status::PERMISSION_DENIED => "permission denied",
            Status::TIMEOUT => "no answer",
            Status::NOT_SUPPORTED => "not supported",
            _ => "failed",
        }
    }
}

/// ubusd's own object, which distributes events.
pub const EVENTS: u32 = 1;

/// Octets in front of the attributes.
pub const HEADER: usize = 12;

/// Octets of the message that `octets` begins with; `None` while that cannot be said.
pub fn message_length(octets: &[u8]) -> Result<Option<usize>, Error> {
    let Some(head) = octets.first_chunk::<HEADER>() else { return Ok(None) };
    let length = 8 + length(u32::from_be_bytes([head[8], head[9], head[10], head[11]]));
    match length {
        _ if head[0] != 0 => Err(Error::Value),
        HEADER..=UBUS_MESSAGE => Ok(Some(length)),
        _ => Err(Error::Length),
    }
}

/// A message that was received.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub kind: u8,
    pub sequence: u16,
    pub peer: u32,
    /// Whether all of it is there, and not only its beginning.
    pub whole: bool,
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the message in `octets`, or the beginning of one that is too long to be kept.
    pub fn parse(octets: &'a [u8]) -> Result<Message<'a>, Error> {
        let length = message_length(octets)?.ok_or(Error::Short)?;
        let mut reader = Reader::new(octets);
        reader.u8()?;
        let (kind, sequence, peer) = (reader.u8()?, reader.u16()?, reader.u32()?);
        reader.u32()?;
        let whole = octets.len() >= length;
        let attributes = reader.take(reader.left().min(length - HEADER))?;
        Ok(Message { kind, sequence, peer, whole, attributes })
    }

    /// The data of the first attribute with this id.
    pub fn find(&self, id: u8) -> Option<&'a [u8]> {
        let mut known = Attributes::new(self.attributes).filter_map(Result::ok);
        known.find(|attribute| attribute.0 == id).map(|attribute| attribute.1)
    }

    /// The number in an attribute.
    pub fn u32(&self, id: u8) -> Option<u32> {
        Some(u32::from_be_bytes(self.find(id)?.try_into().ok()?))
    }

    /// The text in an attribute, up to its NUL.
    pub fn text(&self, id: u8) -> Option<&'a [u8]> {
        self.find(id)?.split(|&octet| octet == 0).next()
    }

    /// The truth value in an attribute; without the attribute it is false.
    pub fn flag(&self, id: u8) -> bool {
        self.find(id).is_some_and(|data| data.iter().any(|&octet| octet != 0))
    }
}

/// The front of a message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: u8,
    pub sequence: u16,
    pub peer: u32,
}

impl Header {
    /// Writes the header; what follows is the message's blob.
    pub fn emit(self, writer: &mut Writer) {
        writer.u8(0);
        writer.u8(self.kind);
        writer.u16(self.sequence);
        writer.u32(self.peer);
    }

    fn with(self, writer: &mut Writer, attributes: impl FnOnce(&mut Blob)) {
        self.emit(writer);
        Blob::new(writer).nest(0, attributes);
    }
}

/// A method as an object's signature tells it.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    pub name: &'static str,
    /// Names of the arguments with their types.
    pub arguments: &'static [(&'static str, u8)],
}

/// Adds an object with a name and methods.
pub fn put_object(writer: &mut Writer, sequence: u16, path: &str, methods: &[Method]) {
    let header = Header { kind: message::ADD_OBJECT, sequence, peer: 0 };
    header.with(writer, |blob| {
        blob.text(attribute::OBJPATH, path);
        blob.table(attribute::SIGNATURE, |signature| {
            for method in methods {
                signature.table(method.name, |arguments| {
                    for (name, kind) in method.arguments {
                        arguments.u32(name, u32::from(*kind));
                    }
                });
            }
        });
    });
}

/// Adds an object without a name: one that gets events.
pub fn put_listener(writer: &mut Writer, sequence: u16) {
    let header = Header { kind: message::ADD_OBJECT, sequence, peer: 0 };
    header.with(writer, |_| {});
}

/// Asks for the number of an object.
pub fn put_lookup(writer: &mut Writer, sequence: u16, path: &str) {
    let header = Header { kind: message::LOOKUP, sequence, peer: 0 };
    header.with(writer, |blob| blob.text(attribute::OBJPATH, path));
}

/// Calls a method of an object.
pub fn put_invoke(
    writer: &mut Writer,
    sequence: u16,
    object: u32,
    method: &str,
    arguments: impl FnOnce(&mut Table),
) {
    let header = Header { kind: message::INVOKE, sequence, peer: object };
    header.with(writer, |blob| {
        blob.u32(attribute::OBJID, object);
        blob.text(attribute::METHOD, method);
        blob.table(attribute::DATA, arguments);
    });
}

/// Where the answer to a call goes. ubusd silently drops an answer that does not name our object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub object: u32,
    pub peer: u32,
    pub sequence: u16,
}

impl Caller {
    /// Data of the answer.
    pub fn put_data(self, writer: &mut Writer, data: impl FnOnce(&mut Table)) {
        self.header(message::DATA).with(writer, |blob| {
            blob.u32(attribute::OBJID, self.object);
            blob.table(attribute::DATA, data);
        });
    }

    /// The end of the answer.
    pub fn put_status(self, writer: &mut Writer, status: Status) {
        self.header(message::STATUS).with(writer, |blob| {
            blob.u32(attribute::STATUS, status.0);
            blob.u32(attribute::OBJID, self.object);
        });
    }

    fn header(self, kind: u8) -> Header {
        Header { kind, sequence: self.sequence, peer: self.peer }
    }
}

/// Types of arguments, for signatures.
pub const NUMBER: u8 = kind::INT32;
pub const TEXT: u8 = kind::STRING;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_at_every_cut() {
        let mut buffer = [0; 128];
        let mut writer = Writer::new(&mut buffer);
        put_invoke(&mut writer, 7, 0x1234, "send", |table| table.text("id", "x"));
        let octets = writer.written();
        for cut in 0..octets.len() {
            let expected = (cut >= HEADER).then_some(octets.len());
            assert_eq!(message_length(&octets[..cut]), Ok(expected));
            let parsed = Message::parse(&octets[..cut]);
            assert_eq!(parsed.is_ok(), cut >= HEADER);
            let Ok(parsed) = parsed else { continue };
            assert!(!parsed.whole);
            assert_eq!(parsed.u32(attribute::OBJID), (cut >= HEADER + 8).then_some(0x1234));
        }
        let parsed = Message::parse(octets).unwrap();
        assert!(parsed.whole);
        assert_eq!((parsed.kind, parsed.sequence, parsed.peer), (message::INVOKE, 7, 0x1234));
        assert_eq!(parsed.text(attribute::METHOD), Some(&b"send"[..]));
        assert!(!parsed.flag(attribute::NO_REPLY));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let length = |octets: [u8; 12]| message_length(&octets);
        assert_eq!(length([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]), Err(Error::Value));
        assert_eq!(length([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]), Err(Error::Length));
        assert_eq!(length([0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0]), Err(Error::Length));
        assert_eq!(length([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]), Ok(Some(HEADER)));
    }
}
