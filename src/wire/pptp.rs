//! Control connection messages (RFC 2637 section 2). All 15 are read and written.

use super::{Error, Reader, Writer};

/// The magic cookie of every control message.
pub const MAGIC_COOKIE: u32 = 0x1a2b_3c4d;

/// Octets of the part that all messages share: up to and with Reserved0.
pub const HEADER: usize = 12;

/// Version 1 revision 0, the only one that exists.
pub const VERSION: u16 = 0x0100;

const CONTROL_MESSAGE: u16 = 1;
const NAME: usize = 64;
const STATISTICS: usize = 128;

/// Result codes of the replies; 1 is always success (RFC 2637 sections 2.2 to 2.13).
pub mod result {
    pub const SUCCESS: u8 = 1;
    pub const GENERAL_ERROR: u8 = 2;
    /// Start-Control-Connection-Reply: a control connection exists already.
    pub const CHANNEL_EXISTS: u8 = 3;
    /// Start-Control-Connection-Reply: the protocol version is not supported.
    pub const VERSION_NOT_SUPPORTED: u8 = 5;
    /// Outgoing-Call-Reply: refused by the administrator.
    pub const DO_NOT_ACCEPT: u8 = 7;
    /// Incoming-Call-Reply: refused.
    pub const INCOMING_DO_NOT_ACCEPT: u8 = 3;
    /// Call-Disconnect-Notify: the carrier was lost.
    pub const LOST_CARRIER: u8 = 1;
    /// Call-Disconnect-Notify: disconnected by the administrator.
    pub const ADMIN_SHUTDOWN: u8 = 3;
    /// Call-Disconnect-Notify: on a Call-Clear-Request.
    pub const REQUEST: u8 = 4;
}

/// General error codes (RFC 2637 section 2.16).
pub mod error {
    pub const NONE: u8 = 0;
    /// No control connection exists yet.
    pub const NOT_CONNECTED: u8 = 1;
    /// A length is wrong or the magic cookie is.
    pub const BAD_FORMAT: u8 = 2;
    /// A value was out of range or a reserved field was not zero.
    pub const BAD_VALUE: u8 = 3;
    /// Not enough resources.
    pub const NO_RESOURCE: u8 = 4;
    /// The Call ID is wrong here.
    pub const BAD_CALL_ID: u8 = 5;
}

/// Reasons of a Stop-Control-Connection-Request (RFC 2637 section 2.3).
pub mod stop_reason {
    pub const NONE: u8 = 1;
    pub const STOP_PROTOCOL: u8 = 2;
    pub const STOP_LOCAL_SHUTDOWN: u8 = 3;
}

/// The shared part of every message.
///
/// ```text
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |             Length            |       PPTP Message Type       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                         Magic Cookie                          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     Control Message Type      |           Reserved0           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole message.
    pub length: u16,
    /// The control message type, or `None` for a management message.
    pub control_type: Option<u16>,
}

impl Header {
    /// Reads the shared part. `Error::Value` is a wrong cookie: the stream is lost.
    pub fn parse(octets: &[u8]) -> Result<Header, Error> {
        let mut reader = Reader::new(octets);
        let (length, message_type) = (reader.u16()?, reader.u16()?);
        if reader.u32()? != MAGIC_COOKIE {
            return Err(Error::Value);
        }
        let control_type = reader.u16()?;
        reader.u16()?;
        if usize::from(length) < HEADER {
            return Err(Error::Length);
        }
        let control_type = (message_type == CONTROL_MESSAGE).then_some(control_type);
        Ok(Header { length, control_type })
    }
}

/// The 15 control message types with their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    StartControlConnectionRequest = 1,
    StartControlConnectionReply = 2,
    StopControlConnectionRequest = 3,
    StopControlConnectionReply = 4,
    EchoRequest = 5,
    EchoReply = 6,
    OutgoingCallRequest = 7,
    OutgoingCallReply = 8,
    IncomingCallRequest = 9,
    IncomingCallReply = 10,
    IncomingCallConnected = 11,
    CallClearRequest = 12,
    CallDisconnectNotify = 13,
    WanErrorNotify = 14,
    SetLinkInfo = 15,
}

/// Fields of Start-Control-Connection-Request and -Reply that both have (sections 2.1, 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start<'a> {
    pub version: u16,
    pub framing_capabilities: u32,
    pub bearer_capabilities: u32,
    pub maximum_channels: u16,
    pub firmware_revision: u16,
    /// Up to 64 octets; on reading without the zeros behind.
    pub host_name: &'a [u8],
    /// Up to 64 octets; on reading without the zeros behind.
    pub vendor: &'a [u8],
}

/// Outgoing-Call-Request (section 2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingCall<'a> {
    pub call_id: u16,
    pub serial_number: u16,
    pub minimum_bps: u32,
    pub maximum_bps: u32,
    pub bearer_type: u32,
    pub framing_type: u32,
    pub receive_window: u16,
    /// In tenths of a second.
    pub processing_delay: u16,
    pub phone_number: &'a [u8],
    pub subaddress: &'a [u8],
}

/// Outgoing-Call-Reply (section 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingCallReply {
    pub call_id: u16,
    pub peer_call_id: u16,
    pub result: u8,
    pub error: u8,
    pub cause: u16,
    pub connect_speed: u32,
    pub receive_window: u16,
    /// In tenths of a second.
    pub processing_delay: u16,
    pub physical_channel: u32,
}

/// Call-Disconnect-Notify (section 2.13); the statistics are written as zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect {
    /// The Call ID that the sender gave to the call.
    pub call_id: u16,
    pub result: u8,
    pub error: u8,
    pub cause: u16,
}

/// A control message. Fields stand in the RFC's order; reserved ones are written as zero and not
/// looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Section 2.1.
    StartRequest(Start<'a>),
    /// Section 2.2.
    StartReply { start: Start<'a>, result: u8, error: u8 },
    /// Section 2.3.
    StopRequest { reason: u8 },
    /// Section 2.4.
    StopReply { result: u8, error: u8 },
    /// Section 2.5.
    EchoRequest { identifier: u32 },
    /// Section 2.6.
    EchoReply { identifier: u32, result: u8, error: u8 },
    /// Section 2.7.
    OutgoingCallRequest(OutgoingCall<'a>),
    /// Section 2.8.
    OutgoingCallReply(OutgoingCallReply),
    /// Section 2.9; only the Call ID is of use to a server that refuses it.
    IncomingCallRequest { call_id: u16 },
    /// Section 2.10.
    IncomingCallReply { call_id: u16, peer_call_id: u16, result: u8, error: u8 },
    /// Section 2.11.
    IncomingCallConnected { peer_call_id: u16 },
    /// Section 2.12.
    CallClearRequest { call_id: u16 },
    /// Section 2.13.
    CallDisconnectNotify(Disconnect),
    /// Section 2.14; the six counters of a line that does not exist here.
    WanErrorNotify { peer_call_id: u16 },
    /// Section 2.15.
    SetLinkInfo { peer_call_id: u16, send_accm: u32, receive_accm: u32 },
}

impl<'a> Message<'a> {
    /// Reads the message behind the shared part: `body` is all of it after `HEADER` octets.
    pub fn parse(kind: Kind, body: &'a [u8]) -> Result<Message<'a>, Error> {
        let reader = &mut Reader::new(body);
        Ok(match kind {
            Kind::StartControlConnectionRequest => Message::StartRequest(start(reader)?.0),
            Kind::StartControlConnectionReply => {
                let (start, [result, error]) = start(reader)?;
                Message::StartReply { start, result, error }
            }
            Kind::StopControlConnectionRequest => Message::StopRequest { reason: reader.u8()? },
            Kind::StopControlConnectionReply => {
                Message::StopReply { result: reader.u8()?, error: reader.u8()? }
            }
            Kind::EchoRequest => Message::EchoRequest { identifier: reader.u32()? },
            Kind::EchoReply => Message::EchoReply {
                identifier: reader.u32()?,
                result: reader.u8()?,
                error: reader.u8()?,
            },
            Kind::OutgoingCallRequest => Message::OutgoingCallRequest(outgoing_call(reader)?),
            Kind::OutgoingCallReply => Message::OutgoingCallReply(outgoing_call_reply(reader)?),
            Kind::IncomingCallRequest => {
                Message::IncomingCallRequest { call_id: incoming_call(reader)? }
            }
            Kind::IncomingCallReply => Message::IncomingCallReply {
                call_id: reader.u16()?,
                peer_call_id: reader.u16()?,
                result: reader.u8()?,
                error: reader.u8()?,
            },
            Kind::IncomingCallConnected => {
                Message::IncomingCallConnected { peer_call_id: reader.u16()? }
            }
            Kind::CallClearRequest => Message::CallClearRequest { call_id: reader.u16()? },
            Kind::CallDisconnectNotify => Message::CallDisconnectNotify(Disconnect {
                call_id: reader.u16()?,
                result: reader.u8()?,
                error: reader.u8()?,
                cause: reader.u16()?,
            }),
            Kind::WanErrorNotify => Message::WanErrorNotify { peer_call_id: reader.u16()? },
            Kind::SetLinkInfo => {
                let (peer_call_id, _reserved) = (reader.u16()?, reader.u16()?);
                let (send_accm, receive_accm) = (reader.u32()?, reader.u32()?);
                Message::SetLinkInfo { peer_call_id, send_accm, receive_accm }
            }
        })
    }

    /// The type of this message.
    pub fn kind(&self) -> Kind {
        match self {
            Message::StartRequest(_) => Kind::StartControlConnectionRequest,
            Message::StartReply { .. } => Kind::StartControlConnectionReply,
            Message::StopRequest { .. } => Kind::StopControlConnectionRequest,
            Message::StopReply { .. } => Kind::StopControlConnectionReply,
            Message::EchoRequest { .. } => Kind::EchoRequest,
            Message::EchoReply { .. } => Kind::EchoReply,
            Message::OutgoingCallRequest(_) => Kind::OutgoingCallRequest,
            Message::OutgoingCallReply(_) => Kind::OutgoingCallReply,
            Message::IncomingCallRequest { .. } => Kind::IncomingCallRequest,
            Message::IncomingCallReply { .. } => Kind::IncomingCallReply,
            Message::IncomingCallConnected { .. } => Kind::IncomingCallConnected,
            Message::CallClearRequest { .. } => Kind::CallClearRequest,
            Message::CallDisconnectNotify(_) => Kind::CallDisconnectNotify,
            Message::WanErrorNotify { .. } => Kind::WanErrorNotify,
            Message::SetLinkInfo { .. } => Kind::SetLinkInfo,
        }
    }

    /// Writes the whole message with its shared part.
    pub fn emit(&self, writer: &mut Writer) {
        let at = writer.len();
        writer.u16(0);
        writer.u16(CONTROL_MESSAGE);
        writer.u32(MAGIC_COOKIE);
        writer.u16(self.kind() as u16);
        writer.u16(0);
        self.emit_body(writer);
        writer.patch_u16(at, (writer.len() - at) as u16);
    }

    fn emit_body(&self, writer: &mut Writer) {
        match *self {
            Message::StartRequest(start) => emit_start(writer, &start, [0, 0]),
            Message::StartReply { start, result, error } => {
                emit_start(writer, &start, [result, error]);
            }
            Message::StopRequest { reason } => writer.put(&[reason, 0, 0, 0]),
            Message::StopReply { result, error } => writer.put(&[result, error, 0, 0]),
            Message::EchoRequest { identifier } => writer.u32(identifier),
            Message::EchoReply { identifier, result, error } => {
                writer.u32(identifier);
                writer.put(&[result, error, 0, 0]);
            }
            Message::OutgoingCallRequest(call) => emit_outgoing_call(writer, &call),
            Message::OutgoingCallReply(reply) => emit_outgoing_call_reply(writer, &reply),
            Message::IncomingCallRequest { call_id } => {
                writer.u16(call_id);
                writer.padded(&[], 14 + 3 * NAME);
            }
            Message::IncomingCallReply { call_id, peer_call_id, result, error } => {
                writer.u16(call_id);
                writer.u16(peer_call_id);
                writer.put(&[result, error]);
                writer.padded(&[], 6);
            }
            Message::IncomingCallConnected { peer_call_id } => {
                writer.u16(peer_call_id);
                writer.padded(&[], 14);
            }
            Message::CallClearRequest { call_id } => {
                writer.u16(call_id);
                writer.u16(0);
            }
            Message::CallDisconnectNotify(Disconnect { call_id, result, error, cause }) => {
                writer.u16(call_id);
                writer.put(&[result, error]);
                writer.u16(cause);
                writer.padded(&[], 2 + STATISTICS);
            }
            Message::WanErrorNotify { peer_call_id } => {
                writer.u16(peer_call_id);
                writer.padded(&[], 2 + 6 * 4);
            }
            Message::SetLinkInfo { peer_call_id, send_accm, receive_accm } => {
                writer.u16(peer_call_id);
                writer.u16(0);
                writer.u32(send_accm);
                writer.u32(receive_accm);
            }
        }
    }
}

/// A fixed text field without the zeros behind it.
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let field = reader.take(NAME)?;
    let end = field.iter().position(|&octet| octet == 0).unwrap_or(NAME);
    Ok(&field[..end])
}

/// Start-Control-Connection-Request and -Reply differ in two octets: reserved there, result and
/// error here.
fn start<'a>(reader: &mut Reader<'a>) -> Result<(Start<'a>, [u8; 2]), Error> {
    let (version, codes) = (reader.u16()?, reader.array()?);
    let start = Start {
        version,
        framing_capabilities: reader.u32()?,
        bearer_capabilities: reader.u32()?,
        maximum_channels: reader.u16()?,
        firmware_revision: reader.u16()?,
        host_name: text(reader)?,
        vendor: text(reader)?,
    };
    Ok((start, codes))
}

fn emit_start(writer: &mut Writer, start: &Start, codes: [u8; 2]) {
    writer.u16(start.version);
    writer.put(&codes);
    writer.u32(start.framing_capabilities);
    writer.u32(start.bearer_capabilities);
    writer.u16(start.maximum_channels);
    writer.u16(start.firmware_revision);
    writer.padded(start.host_name, NAME);
    writer.padded(start.vendor, NAME);
}

fn outgoing_call<'a>(reader: &mut Reader<'a>) -> Result<OutgoingCall<'a>, Error> {
    let (call_id, serial_number) = (reader.u16()?, reader.u16()?);
    let (minimum_bps, maximum_bps) = (reader.u32()?, reader.u32()?);
    let (bearer_type, framing_type) = (reader.u32()?, reader.u32()?);
    let (receive_window, processing_delay) = (reader.u16()?, reader.u16()?);
    let (_phone_length, _reserved) = (reader.u16()?, reader.u16()?);
    Ok(OutgoingCall {
        call_id,
        serial_number,
        minimum_bps,
        maximum_bps,
        bearer_type,
        framing_type,
        receive_window,
        processing_delay,
        phone_number: text(reader)?,
        subaddress: text(reader)?,
    })
}

fn emit_outgoing_call(writer: &mut Writer, call: &OutgoingCall) {
    writer.u16(call.call_id);
    writer.u16(call.serial_number);
    writer.u32(call.minimum_bps);
    writer.u32(call.maximum_bps);
    writer.u32(call.bearer_type);
    writer.u32(call.framing_type);
    writer.u16(call.receive_window);
    writer.u16(call.processing_delay);
    writer.u16(call.phone_number.len().min(NAME) as u16);
    writer.u16(0);
    writer.padded(call.phone_number, NAME);
    writer.padded(call.subaddress, NAME);
}

fn outgoing_call_reply(reader: &mut Reader) -> Result<OutgoingCallReply, Error> {
    Ok(OutgoingCallReply {
        call_id: reader.u16()?,
        peer_call_id: reader.u16()?,
        result: reader.u8()?,
        error: reader.u8()?,
        cause: reader.u16()?,
        connect_speed: reader.u32()?,
        receive_window: reader.u16()?,
        processing_delay: reader.u16()?,
        physical_channel: reader.u32()?,
    })
}

fn emit_outgoing_call_reply(writer: &mut Writer, reply: &OutgoingCallReply) {
    writer.u16(reply.call_id);
    writer.u16(reply.peer_call_id);
    writer.put(&[reply.result, reply.error]);
    writer.u16(reply.cause);
    writer.u32(reply.connect_speed);
    writer.u16(reply.receive_window);
    writer.u16(reply.processing_delay);
    writer.u32(reply.physical_channel);
}

fn incoming_call(reader: &mut Reader) -> Result<u16, Error> {
    let call_id = reader.u16()?;
    reader.take(14 + 3 * NAME)?;
    Ok(call_id)
}
