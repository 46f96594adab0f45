//! One control connection (RFC 2637 sections 2 and 3.1) from the server's side, the PAC: cuts the
//! byte stream into messages, answers what concerns the connection itself, and hands up what
//! concerns calls.

mod rules;

use core::net::Ipv4Addr;

use self::rules::{reply_ms, rule_of};
use crate::limits::{CONTROL_MESSAGE, CONTROL_OUTPUT};
use crate::reason::{Cause, Discard};
use crate::time::{Deadline, Instant, deadline, due, earlier};
use crate::wire::Writer;
use crate::wire::pptp::{
    HEADER, Header, Kind, Message, OutgoingCall, Start, VERSION, error, result, stop_reason,
};

/// States (RFC 2637 section 3.1.2, the receiver of the connection).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No connection.
    Free,
    /// Waits for Start-Control-Connection-Request.
    Idle,
    /// Calls may come.
    Established,
    /// We asked to stop and wait for the reply.
    WaitStopReply,
    /// Everything is said: to be closed once the output is written.
    Done,
}

/// Milliseconds between echoes, and for their answer, once a call's GRE path is seen dead.
const HURRIED_MS: u64 = 5_000;

/// One whole message, copied out of the stream.
pub struct Received {
    octets: [u8; CONTROL_MESSAGE],
    len: usize,
}

impl Default for Received {
    fn default() -> Self {
        Received { octets: [0; CONTROL_MESSAGE], len: 0 }
    }
}

impl Received {
    /// All octets of the message.
    fn octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

/// What a message means to the layer above.
#[derive(Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Nothing.
    None,
    /// The peer wants a call: answer with `send`.
    Call(OutgoingCall<'a>),
    /// The peer wants its call of this peer Call ID cleared.
    Clear { peer_call_id: u16 },
    /// The peer says that its call is gone.
    Gone { peer_call_id: u16 },
    /// The connection is over, and its calls with it.
    Over(Cause),
}

/// A control connection.
pub struct Control {
    state: State,
    /// The address that the peer dialled.
    pub local: Ipv4Addr,
    /// The peer's address.
    pub remote: Ipv4Addr,
    /// When the connection was made, or when its last call ended.
    pub idle_since: Instant,
    /// Calls of this connection; kept by the layer above.
    pub calls: u16,
    /// Calls of this connection that were open at some time; kept by the layer above.
    pub open_calls: u16,
    input: Received,
    output: [u8; CONTROL_OUTPUT],
    output_len: usize,
    heard_at: Instant,
    echo_interval: u64,
    echo_identifier: u32,
    reply_by: Option<Instant>,
    /// A call's GRE path is dead: find out soon whether the peer is.
    hurried: bool,
}

impl Default for Control {
    fn default() -> Self {
        let nowhere = Ipv4Addr::UNSPECIFIED;
        Control { state: State::Free, ..Control::new(nowhere, nowhere, 0, Instant(0)) }
    }
}

impl Control {
    /// A connection that was just accepted. `echo_interval` is in milliseconds.
    pub fn new(local: Ipv4Addr, remote: Ipv4Addr, echo_interval: u64, now: Instant) -> Control {
        Control {
            state: State::Idle,
            local,
            remote,
            idle_since: now,
            calls: 0,
            open_calls: 0,
            input: Received::default(),
            output: [0; CONTROL_OUTPUT],
            output_len: 0,
            heard_at: now,
            echo_interval,
            echo_identifier: 0,
            reply_by: None,
            hurried: false,
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether there is no connection.
    pub fn is_free(&self) -> bool {
        self.state == State::Free
    }

    /// Whether the connection is to be closed.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What is to be written to the peer.
    pub fn output(&self) -> &[u8] {
        &self.output[..self.output_len]
    }

    /// The first `count` octets of the output were written.
    pub fn sent(&mut self, count: usize) {
        let count = count.min(self.output_len);
        self.output.copy_within(count..self.output_len, 0);
        self.output_len -= count;
    }

    /// Takes the next whole message from the front of `octets` into `message`, and its type.
    /// `Ok(None)`: more octets are needed. An error means that the stream is lost and the
    /// connection with it.
    pub fn next_message(
        &mut self,
        octets: &mut &[u8],
        message: &mut Received,
    ) -> Result<Option<Header>, Discard> {
        self.fill(HEADER, octets);
        if self.input.len < HEADER {
            return Ok(None);
        }
        let header = Header::parse(self.input.octets()).map_err(|error| match error {
            crate::wire::Error::Value => Discard::ControlMagic,
            _ => Discard::ControlLength,
        })?;
        let length = usize::from(header.length);
        if length > CONTROL_MESSAGE {
            return Err(Discard::ControlLength);
        }
        self.fill(length, octets);
        if self.input.len < length {
            return Ok(None);
        }
        core::mem::swap(&mut self.input, message);
        self.input.len = 0;
        Ok(Some(header))
    }

    /// Moves octets to the input until it holds `wanted`.
    fn fill(&mut self, wanted: usize, octets: &mut &[u8]) {
        let count = wanted.saturating_sub(self.input.len).min(octets.len());
        let (taken, rest) = octets.split_at(count);
        self.input.octets[self.input.len..self.input.len + count].copy_from_slice(taken);
        self.input.len += count;
        *octets = rest;
    }

    /// Handles one message: answers it if it concerns the connection, hands it up if it concerns
    /// a call.
    pub fn handle<'m>(
        &mut self,
        header: &Header,
        message: &'m Received,
        host_name: &str,
        now: Instant,
    ) -> Result<Request<'m>, Discard> {
        if self.state == State::Done {
            return Err(Discard::ControlState);
        }
        self.heard_at = now;
        let Some(rule) = header.control_type.and_then(rule_of) else {
            return self.if_started(Discard::ControlType);
        };
        if !rule.admitted.contains(&self.state) {
            return self.if_started(Discard::ControlState);
        }
        if header.length < rule.length {
            return self.refuse_short(rule.kind, message);
        }
        let body = &message.octets()[HEADER..];
        let message = Message::parse(rule.kind, body).map_err(|_| Discard::ControlLength)?;
        Ok(self.handle_message(message, host_name))
    }

    fn handle_message<'m>(&mut self, message: Message<'m>, host_name: &str) -> Request<'m> {
        match message {
            Message::StartRequest(start) => return self.handle_start(&start, host_name),
            Message::StopRequest { .. } => {
                self.send(&Message::StopReply { result: result::SUCCESS, error: error::NONE });
                return self.over(Cause::ControlClosed);
            }
            Message::StopReply { .. } => return self.over(Cause::Shutdown),
            Message::EchoRequest { identifier } => {
                let (result, error) = (result::SUCCESS, error::NONE);
                self.send(&Message::EchoReply { identifier, result, error });
            }
            Message::EchoReply { identifier, .. } if identifier == self.echo_identifier => {
                (self.reply_by, self.hurried) = (None, false);
            }
            Message::OutgoingCallRequest(call) => return Request::Call(call),
            // We take no incoming calls: that is for servers that dial out.
            Message::IncomingCallRequest { call_id } => self.send(&Message::IncomingCallReply {
                call_id: 0,
                peer_call_id: call_id,
                result: result::INCOMING_DO_NOT_ACCEPT,
                error: error::NONE,
            }),
            Message::CallClearRequest { call_id } => {
                return Request::Clear { peer_call_id: call_id };
            }
            Message::CallDisconnectNotify(notify) => {
                return Request::Gone { peer_call_id: notify.call_id };
            }
            // The counters of a line that does not exist, and the ACCM, which has no meaning over
            // GRE: nothing to do.
            _ => {}
        }
        Request::None
    }

    fn handle_start(&mut self, start: &Start, host_name: &str) -> Request<'static> {
        let (result, error) = match self.state {
            State::Established => (result::CHANNEL_EXISTS, error::NONE),
            _ if start.version >> 8 == VERSION >> 8 => (result::SUCCESS, error::NONE),
            _ => (result::VERSION_NOT_SUPPORTED, error::NONE),
        };
        self.send(&start_reply(host_name, result, error));
        match result {
            result::SUCCESS => self.state = State::Established,
            result::VERSION_NOT_SUPPORTED => return self.over(Cause::ControlProtocol),
            _ => {}
        }
        Request::None
    }

    /// Before Start-Control-Connection-Request nothing else has a meaning: whoever sends it is no
    /// PPTP client.
    fn if_started(&mut self, why: Discard) -> Result<Request<'static>, Discard> {
        if self.state == State::Idle {
            self.state = State::Done;
        }
        Err(why)
    }

    /// A request that is too short for its type gets the reply that says so (RFC 2637 section
    /// 2.16, Bad-Format); whatever else is too short is counted.
    fn refuse_short(
        &mut self,
        kind: Kind,
        message: &Received,
    ) -> Result<Request<'static>, Discard> {
        let (result, error) = (result::GENERAL_ERROR, error::BAD_FORMAT);
        match kind {
            Kind::StartControlConnectionRequest => {
                self.send(&start_reply("", result, error));
                self.state = State::Done;
            }
            Kind::OutgoingCallRequest => {
                let peer_call_id = message.octets().get(HEADER..HEADER + 2);
                let peer_call_id = peer_call_id.map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
                self.send(&refused_call(peer_call_id, result, error));
            }
            Kind::StopControlConnectionRequest => {
                self.send(&Message::StopReply { result, error });
                return Ok(self.over(Cause::ControlClosed));
            }
            _ => {}
        }
        Err(Discard::ControlLength)
    }

    /// Appends a message to the output. A peer that reads so little that it does not fit loses
    /// the connection.
    pub fn send(&mut self, message: &Message) {
        let mut writer = Writer::new(&mut self.output[self.output_len..]);
        message.emit(&mut writer);
        match writer.finish() {
            Some(len) => self.output_len += len,
            None => self.state = State::Done,
        }
    }

    /// Says goodbye: the peer has a second to answer.
    pub fn stop(&mut self, now: Instant) {
        if self.state == State::Established {
            self.send(&Message::StopRequest { reason: stop_reason::STOP_LOCAL_SHUTDOWN });
            self.reply_by = Some(now + reply_ms(Kind::StopControlConnectionRequest));
        }
        self.state = match self.state {
            State::Established => State::WaitStopReply,
            State::Idle => State::Done,
            state => state,
        };
    }

    /// To be closed without another word.
    pub fn abandon(&mut self) {
        self.state = State::Done;
    }

    /// A call of this connection heard nothing for a while: asks at once whether the peer is
    /// still there, and does not wait the RFC's minute for the answer.
    pub fn hurry(&mut self, now: Instant) {
        if self.state == State::Established && !self.hurried {
            self.hurried = true;
            self.ask_for_echo(now);
        }
    }

    /// Runs the timers. `Over` when the peer did not answer.
    pub fn handle_timeout(&mut self, now: Instant) -> Request<'static> {
        if due(self.reply_by, now) {
            return self.over(match self.state {
                State::WaitStopReply => Cause::Shutdown,
                _ => Cause::ControlTimeout,
            });
        }
        if due(self.echo_at(), now) {
            self.ask_for_echo(now);
        }
        Request::None
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let reply = deadline(self.reply_by, "control reply");
        earlier(reply, deadline(self.echo_at(), "control echo"))
    }

    /// When the silence is long enough to ask for an echo.
    fn echo_at(&self) -> Option<Instant> {
        let asks = self.state == State::Established && self.reply_by.is_none();
        asks.then(|| self.heard_at + self.echo_interval)
    }

    fn ask_for_echo(&mut self, now: Instant) {
        self.echo_identifier = self.echo_identifier.wrapping_add(1);
        self.send(&Message::EchoRequest { identifier: self.echo_identifier });
        let wait = if self.hurried { HURRIED_MS } else { reply_ms(Kind::EchoRequest) };
        let wait = wait.min(self.echo_interval.max(HURRIED_MS));
        self.reply_by = Some(now + wait);
    }

    fn over(&mut self, cause: Cause) -> Request<'static> {
        self.state = State::Done;
        self.reply_by = None;
        Request::Over(cause)
    }
}

/// Start-Control-Connection-Reply (RFC 2637 section 2.2).
fn start_reply(host_name: &str, result: u8, error: u8) -> Message<'_> {
    let start = Start {
        version: VERSION,
        // Asynchronous and synchronous framing, analog and digital access: a tunnel has neither,
        // and some callers look for the bits that they asked for.
        framing_capabilities: 3,
        bearer_capabilities: 3,
        maximum_channels: 0,
        firmware_revision: 1,
        host_name: host_name.as_bytes(),
        vendor: b"pptp-server",
    };
    Message::StartReply { start, result, error }
}

/// Outgoing-Call-Reply that refuses (RFC 2637 section 2.8).
pub fn refused_call(peer_call_id: u16, result: u8, error: u8) -> Message<'static> {
    Message::OutgoingCallReply(crate::wire::pptp::OutgoingCallReply {
        call_id: 0,
        peer_call_id,
        result,
        error,
        cause: 0,
        connect_speed: 0,
        receive_window: 0,
        processing_delay: 0,
        physical_channel: 0,
    })
}
