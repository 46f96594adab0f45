//! CHAP packets (RFC 1994 section 4) as MS-CHAPv2 fills them (RFC 2759 sections 3 to 6).

use super::{Error, Reader, Writer};

/// Codes (RFC 1994 section 4).
pub mod code {
    pub const CHALLENGE: u8 = 1;
    pub const RESPONSE: u8 = 2;
    pub const SUCCESS: u8 = 3;
    pub const FAILURE: u8 = 4;
}

/// Octets of the value of a Response.
pub const RESPONSE_VALUE: usize = 49;

/// Data of a Challenge: the value and our name (RFC 1994 section 4.1).
///
/// ```text
/// +------------+--------------------------+----------
/// | Value-Size |  Authenticator Challenge | Name ...
/// |    = 16    |        16 octets         |
/// +------------+--------------------------+----------
/// ```
pub fn put_challenge(writer: &mut Writer, challenge: &[u8; 16], name: &[u8]) {
    writer.u8(challenge.len() as u8);
    writer.put(challenge);
    writer.put(name);
}

/// Data of a Response (RFC 2759 section 4).
///
/// ```text
/// +------------+----------------+------------+--------------+-------+----------
/// | Value-Size | Peer-Challenge |  Reserved  |  NT-Response | Flags | Name ...
/// |    = 49    |   16 octets    | 8 octets 0 |   24 octets  |   1   |
/// +------------+----------------+------------+--------------+-------+----------
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    pub peer_challenge: [u8; 16],
    pub nt_response: [u8; 24],
    /// Zero by RFC 2759; Windows 95 and 98 send 4.
    pub flags: u8,
    /// The name as it was sent, with a `DOMAIN\` in front or not.
    pub name: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads the data of a Response; any other value size than 49 is not MS-CHAPv2.
    pub fn parse(data: &'a [u8]) -> Result<Response<'a>, Error> {
        let mut reader = Reader::new(data);
        if usize::from(reader.u8()?) != RESPONSE_VALUE {
            return Err(Error::Value);
        }
        let peer_challenge = reader.array()?;
        reader.take(8)?;
        let nt_response = reader.array()?;
        let flags = reader.u8()?;
        Ok(Response { peer_challenge, nt_response, flags, name: reader.rest() })
    }

    /// Writes the data of a Response.
    pub fn emit(&self, writer: &mut Writer) {
        writer.u8(RESPONSE_VALUE as u8);
        writer.put(&self.peer_challenge);
        writer.put(&[0; 8]);
        writer.put(&self.nt_response);
        writer.u8(self.flags);
        writer.put(self.name);
    }
}

/// Message of a Success: `S=` and the authenticator response in upper-case hex, then `M=` and a
/// text (RFC 2759 section 5). Windows 9x does not understand the text: leave it out with `None`.
pub fn put_success(writer: &mut Writer, authenticator: &[u8; 20], text: Option<&str>) {
    writer.put(b"S=");
    put_hex(writer, authenticator);
    if let Some(text) = text {
        writer.put(b" M=");
        writer.put(text.as_bytes());
    }
}

/// Message of a Failure (RFC 2759 section 6): the error number, no retry, the challenge, the
/// version 3 of the password change protocol (not offered) and a text.
pub fn put_failure(writer: &mut Writer, error: u16, challenge: &[u8; 16], text: &str) {
    writer.put(b"E=");
    put_decimal(writer, error);
    writer.put(b" R=0 C=");
    put_hex(writer, challenge);
    writer.put(b" V=3 M=");
    writer.put(text.as_bytes());
}

/// `ERROR_RESTRICTED_LOGON_HOURS` (RFC 2759 section 6), for those who knew the password.
pub const RESTRICTED_LOGON_HOURS: u16 = 646;

/// `ERROR_AUTHENTICATION_FAILURE`: all that anybody else is told, so that a stranger learns nothing
/// of which accounts exist.
pub const AUTHENTICATION_FAILURE: u16 = 691;

fn put_hex(writer: &mut Writer, octets: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for octet in octets {
        writer.u8(DIGITS[usize::from(octet >> 4)]);
        writer.u8(DIGITS[usize::from(octet & 15)]);
    }
}

fn put_decimal(writer: &mut Writer, number: u16) {
    let mut divisor = 10_000;
    while divisor > 1 && number / divisor == 0 {
        divisor /= 10;
    }
    while divisor > 0 {
        writer.u8(b'0' + (number / divisor % 10) as u8);
        divisor /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_survives_the_round_trip_and_no_truncation() {
        let response = Response {
            peer_challenge: [0x21; 16],
            nt_response: [0x82; 24],
            flags: 0,
            name: b"OFFICE\\User",
        };
        let mut buffer = [0; 100];
        let mut writer = Writer::new(&mut buffer);
        response.emit(&mut writer);
        let octets = writer.written();
        assert_eq!(Response::parse(octets), Ok(response));
        for cut in 0..50 {
            assert_eq!(Response::parse(&octets[..cut]), Err(Error::Short));
        }
        assert_eq!(Response::parse(&[16; 60]), Err(Error::Value));
    }

    #[test]
    fn messages_read_as_the_rfc_prints_them() {
        let mut buffer = [0; 200];
        let mut writer = Writer::new(&mut buffer);
        put_failure(&mut writer, AUTHENTICATION_FAILURE, &[0xa5; 16], "No");
        assert_eq!(writer.written(), b"E=691 R=0 C=A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5 V=3 M=No");
        let mut writer = Writer::new(&mut buffer);
        put_success(&mut writer, &[0x0f; 20], Some("Hi"));
        assert!(writer.written().starts_with(b"S=0F0F"));
        assert!(writer.written().ends_with(b"0F M=Hi"));
        let mut writer = Writer::new(&mut buffer);
        put_success(&mut writer, &[0; 20], None);
        assert_eq!(writer.len(), 42);
    }
}
