//! What is prescribed for each of the 15 control messages (RFC 2637 section 2): one row per type.

use super::State;
use crate::wire::pptp::Kind;

/// What is prescribed for one type of message.
pub struct Rule {
    pub kind: Kind,
    /// Octets (RFC 2637 section 2).
    pub length: u16,
    /// The states in which it is handled; elsewhere it is counted and ignored.
    pub admitted: &'static [State],
    /// Milliseconds to wait for the peer's reply, for the requests that we send.
    pub reply_ms: u64,
}

/// Milliseconds that a peer has for the answer to an echo (RFC 2637 section 3.1.4).
const ECHO_REPLY_MS: u64 = 60_000;
/// Milliseconds for the answer to Stop-Control-Connection-Request (RFC 2637 section 3.1.2 leaves
/// it open): a router that shuts down does not wait longer.
const STOP_REPLY_MS: u64 = 1_000;

const OPEN: &[State] = &[State::Established];
const OPEN_OR_STOPPING: &[State] = &[State::Established, State::WaitStopReply];

const fn rule(kind: Kind, length: u16, admitted: &'static [State]) -> Rule {
    Rule { kind, length, admitted, reply_ms: 0 }
}

/// All 15 messages. Those of the other direction (a server never dials) are admitted nowhere.
const RULES: [Rule; 15] = [
    rule(Kind::StartControlConnectionRequest, 156, &[State::Idle, State::Established]),
    rule(Kind::StartControlConnectionReply, 156, &[]),
    Rule {
        reply_ms: STOP_REPLY_MS,
        ..rule(Kind::StopControlConnectionRequest, 16, OPEN_OR_STOPPING)
    },
    rule(Kind::StopControlConnectionReply, 16, &[State::WaitStopReply]),
    Rule { reply_ms: ECHO_REPLY_MS, ..rule(Kind::EchoRequest, 16, OPEN_OR_STOPPING) },
    rule(Kind::EchoReply, 20, OPEN),
    rule(Kind::OutgoingCallRequest, 168, OPEN),
    rule(Kind::OutgoingCallReply, 32, &[]),
    rule(Kind::IncomingCallRequest, 220, OPEN),
    rule(Kind::IncomingCallReply, 24, &[]),
    rule(Kind::IncomingCallConnected, 28, &[]),
    rule(Kind::CallClearRequest, 16, OPEN),
    rule(Kind::CallDisconnectNotify, 148, OPEN_OR_STOPPING),
    rule(Kind::WanErrorNotify, 40, OPEN),
    rule(Kind::SetLinkInfo, 24, OPEN),
];

/// The rule of a type as it stands in a header.
pub fn rule_of(control_type: u16) -> Option<&'static Rule> {
    RULES.get(usize::from(control_type).checked_sub(1)?)
}

/// Milliseconds that the peer has to answer `request`.
pub fn reply_ms(request: Kind) -> u64 {
    RULES[request as usize - 1].reply_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CONTROL_MESSAGE;
    use crate::proto::control::refused_call;
    use crate::wire::Writer;
    use crate::wire::pptp::{Disconnect, HEADER, Header, Message, OutgoingCall, Start, VERSION};

    #[test]
    fn the_table_stands_in_the_order_of_the_types_with_the_lengths_that_are_written() {
        let text: &[u8] = b"x";
        let start = Start {
            version: VERSION,
            framing_capabilities: 1,
            bearer_capabilities: 1,
            maximum_channels: 0,
            firmware_revision: 0,
            host_name: text,
            vendor: text,
        };
        let call = OutgoingCall {
            call_id: 7,
            serial_number: 1,
            minimum_bps: 300,
            maximum_bps: 100_000_000,
            bearer_type: 3,
            framing_type: 3,
            receive_window: 64,
            processing_delay: 0,
            phone_number: text,
            subaddress: text,
        };
        let (result, error, call_id, peer_call_id) = (1, 0, 3, 4);
        let disconnect = Disconnect { call_id, result, error, cause: 0 };
        let messages = [
            Message::StartRequest(start),
            Message::StartReply { start, result, error },
            Message::StopRequest { reason: 1 },
            Message::StopReply { result, error },
            Message::EchoRequest { identifier: 9 },
            Message::EchoReply { identifier: 9, result, error },
            Message::OutgoingCallRequest(call),
            refused_call(5, 2, 3),
            Message::IncomingCallRequest { call_id },
            Message::IncomingCallReply { call_id, peer_call_id, result, error },
            Message::IncomingCallConnected { peer_call_id },
            Message::CallClearRequest { call_id },
            Message::CallDisconnectNotify(disconnect),
            Message::WanErrorNotify { peer_call_id },
            Message::SetLinkInfo { peer_call_id, send_accm: 1, receive_accm: 2 },
        ];
        for (index, (rule, message)) in RULES.iter().zip(messages).enumerate() {
            assert_eq!(rule.kind as usize, index + 1);
            let mut buffer = [0; CONTROL_MESSAGE];
            let mut writer = Writer::new(&mut buffer);
            message.emit(&mut writer);
            assert_eq!(writer.len(), usize::from(rule.length), "{:?}", rule.kind);
            let header = Header::parse(writer.written()).unwrap();
            assert_eq!(header.control_type, Some(index as u16 + 1));
            let body = &writer.written()[HEADER..];
            assert_eq!(Message::parse(rule.kind, body), Ok(message));
            for cut in 0..body.len() {
                let _ = Message::parse(rule.kind, &body[..cut]);
            }
        }
    }
}
