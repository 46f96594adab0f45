//! A caller's machine: its control connection, its GRE tunnels, and its four lines to the server.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use pptp::packet::Packet;
use pptp::session::ControlId;
use pptp::time::Instant;
use pptp::wire::Writer;
use pptp::wire::gre;
use pptp::wire::pptp::{HEADER, Header, Kind, Message, OutgoingCall, Start};

use super::dice::Dice;
use super::line::{Line, Quality};
use super::ppp::{Phase, Ppp};

/// Who is at the end of a call.
pub enum Mind {
    /// A whole PPP client.
    Model(Box<Ppp>),
    /// The test itself: frames stay in the inbox.
    Test,
}

/// The caller's end of a call.
pub struct CallEnd {
    /// The Call ID that we gave.
    pub own_id: u16,
    /// The Call ID that the server gave.
    pub server_id: u16,
    pub mind: Mind,
    /// PPP frames that nobody has read.
    pub inbox: VecDeque<Vec<u8>>,
    /// All GRE headers that arrived, with the time.
    pub headers: Vec<(Instant, gre::Header)>,
    pub next_sequence: u32,
    expected: Option<u32>,
    unacknowledged: bool,
    bare_acks: bool,
    /// The result code of Call-Disconnect-Notify.
    pub disconnected: Option<u8>,
}

/// A caller's machine.
pub struct Caller {
    pub address: Ipv4Addr,
    /// The server's address that it dialled.
    pub local: Ipv4Addr,
    /// The connection, while the server has it.
    pub id: Option<ControlId>,
    pub tcp_up: Line,
    pub tcp_down: Line,
    pub gre_up: Line,
    pub gre_down: Line,
    pub calls: Vec<CallEnd>,
    /// Control messages that arrived, whole.
    pub messages: Vec<Vec<u8>>,
    /// The end of the stream arrived.
    pub is_closed: bool,
    /// Answers echoes and goodbyes on the control connection.
    pub is_polite: bool,
    /// Packets and messages that it still sends; then it is silent.
    pub breath: Option<usize>,
    /// It does not read its control connection.
    pub is_deaf: bool,
    input: Vec<u8>,
    pub dice: Dice,
    next_own_id: u16,
}

pub fn octets_of(message: &Message) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    message.emit(&mut writer);
    writer.written().to_vec()
}

pub const KINDS: [Kind; 15] = [
    Kind::StartControlConnectionRequest,
    Kind::StartControlConnectionReply,
    Kind::StopControlConnectionRequest,
    Kind::StopControlConnectionReply,
    Kind::EchoRequest,
    Kind::EchoReply,
    Kind::OutgoingCallRequest,
    Kind::OutgoingCallReply,
    Kind::IncomingCallRequest,
    Kind::IncomingCallReply,
    Kind::IncomingCallConnected,
    Kind::CallClearRequest,
    Kind::CallDisconnectNotify,
    Kind::WanErrorNotify,
    Kind::SetLinkInfo,
];

/// A whole control message.
pub fn parsed(octets: &[u8]) -> Message<'_> {
    let header = Header::parse(octets).unwrap();
    assert_eq!(usize::from(header.length), octets.len());
    let kind = KINDS[usize::from(header.control_type.unwrap()) - 1];
    Message::parse(kind, &octets[HEADER..]).unwrap()
}

/// What pptp-linux sends first.
pub fn start_request() -> Message<'static> {
    Message::StartRequest(Start {
        version: 0x0100,
        framing_capabilities: 1,
        bearer_capabilities: 1,
        maximum_channels: 0xffff,
        firmware_revision: 1,
        host_name: b"local",
        vendor: b"cananian",
    })
}

pub fn call_request(call_id: u16) -> Message<'static> {
    Message::OutgoingCallRequest(OutgoingCall {
        call_id,
        serial_number: 1,
        minimum_bps: 2400,
        maximum_bps: 10_000_000,
        bearer_type: 3,
        framing_type: 3,
        receive_window: 3,
        processing_delay: 0,
        phone_number: b"",
        subaddress: b"",
    })
}

impl Caller {
    pub fn new(address: Ipv4Addr, local: Ipv4Addr, quality: Quality, mut dice: Dice) -> Caller {
        // TCP loses nothing and keeps the order.
        let tcp = Quality { loss: 0, doubled: 0, reordered: (0, 0), ..quality };
        Caller {
            address,
            local,
            id: None,
            tcp_up: Line::new(tcp),
            tcp_down: Line::new(tcp),
            gre_up: Line::new(quality),
            gre_down: Line::new(quality),
            calls: Vec::new(),
            messages: Vec::new(),
            is_closed: false,
            is_polite: true,
            breath: None,
            is_deaf: false,
            input: Vec::new(),
            next_own_id: dice.below(60_000) as u16 + 1,
            dice,
        }
    }

    /// False once the caller has fallen silent.
    fn breathes(&mut self) -> bool {
        match &mut self.breath {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    pub fn say_octets(&mut self, octets: Vec<u8>, now: Instant) {
        if !octets.is_empty() && self.breathes() {
            self.tcp_up.send(octets, now, &mut self.dice);
        }
    }

    pub fn say(&mut self, message: &Message, now: Instant) {
        self.say_octets(octets_of(message), now);
    }

    /// Closes the TCP connection.
    pub fn hang_up(&mut self, now: Instant) {
        if self.breathes() {
            self.tcp_up.send(Vec::new(), now, &mut self.dice);
        }
    }

    /// Asks for a call; `mind` gets it once the server has accepted.
    pub fn ask_for_call(&mut self, mind: Mind, now: Instant) -> usize {
        let own_id = self.next_own_id;
        self.next_own_id += 1;
        self.expect_call(own_id, mind);
        self.say(&call_request(own_id), now);
        self.calls.len() - 1
    }

    /// A call that was asked for in other words gets `mind` once the server has accepted it.
    pub fn expect_call(&mut self, own_id: u16, mind: Mind) {
        let (first, bare_acks) = match &mind {
            Mind::Model(ppp) => (ppp.habits.first_sequence, ppp.habits.bare_acks),
            _ => (0, false),
        };
        self.calls.push(CallEnd {
            own_id,
            server_id: 0,
            mind,
            inbox: VecDeque::new(),
            headers: Vec::new(),
            next_sequence: first,
            expected: None,
            unacknowledged: false,
            bare_acks,
            disconnected: None,
        });
    }

    /// Octets of the control connection; none is its end.
    pub fn hear(&mut self, octets: &[u8], now: Instant) {
        self.is_closed |= octets.is_empty();
        self.input.extend_from_slice(octets);
        while let Some(len) = self.input.get(..2) {
            let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
            if self.input.len() < len {
                break;
            }
            let message: Vec<u8> = self.input.drain(..len).collect();
            self.react(&parsed(&message), now);
            self.messages.push(message);
        }
    }

    fn react(&mut self, message: &Message, now: Instant) {
        match *message {
            Message::EchoRequest { identifier } if self.is_polite => {
                self.say(&Message::EchoReply { identifier, result: 1, error: 0 }, now);
            }
            Message::StopRequest { .. } if self.is_polite => {
                self.say(&Message::StopReply { result: 1, error: 0 }, now);
                self.hang_up(now);
            }
            Message::OutgoingCallReply(reply) if reply.result == 1 => {
                let mut calls = self.calls.iter_mut();
                let wanted = |call: &&mut CallEnd| call.own_id == reply.peer_call_id;
                let Some(call) = calls.find(wanted) else { return };
                call.server_id = reply.call_id;
                if let Mind::Model(ppp) = &mut call.mind {
                    ppp.start(now);
                }
                self.send_frames(now);
            }
            Message::CallDisconnectNotify(notify) => {
                let gone = self.calls.iter_mut().filter(|call| call.server_id == notify.call_id);
                gone.for_each(|call| call.disconnected = Some(notify.result));
            }
            _ => {}
        }
    }

    /// A GRE packet of the server.
    pub fn take_gre(&mut self, octets: &[u8], now: Instant) {
        let (header, len) = gre::Header::parse(octets).unwrap();
        assert_eq!(usize::from(header.payload_length), octets.len() - len, "exact length");
        let Some(at) = self.calls.iter().position(|call| call.own_id == header.call_id) else {
            return;
        };
        let call = &mut self.calls[at];
        call.headers.push((now, header));
        if let Some(frame) = call.in_order(&header).then(|| &octets[len..]) {
            match &mut call.mind {
                Mind::Model(ppp) => ppp.handle(frame, now),
                Mind::Test => call.inbox.push_back(frame.to_vec()),
            }
        }
        self.send_frames(now);
        self.acknowledge(at, now);
    }

    fn acknowledge(&mut self, at: usize, now: Instant) {
        let call = &mut self.calls[at];
        if !call.bare_acks || !std::mem::take(&mut call.unacknowledged) {
            return;
        }
        let acknowledgment = call.expected.map(|expected| expected.wrapping_sub(1));
        let header = gre::Header {
            payload_length: 0,
            call_id: call.server_id,
            sequence: None,
            acknowledgment,
        };
        self.send_gre(&header, &[], now);
    }

    /// Sends what the model has to say.
    pub fn send_frames(&mut self, now: Instant) {
        for at in 0..self.calls.len() {
            let Mind::Model(ppp) = &mut self.calls[at].mind else { continue };
            let over = matches!(ppp.phase, Phase::Over(_));
            for frame in std::mem::take(&mut ppp.out) {
                self.send_frame(at, &frame, now);
            }
            if over && self.calls[at].disconnected.is_none() && !self.is_closed {
                self.calls[at].disconnected = Some(0);
                self.say(&Message::CallClearRequest { call_id: self.calls[at].own_id }, now);
                self.hang_up(now);
            }
        }
    }

    /// Sends a PPP frame in the next GRE packet.
    pub fn send_frame(&mut self, at: usize, frame: &[u8], now: Instant) {
        let call = &mut self.calls[at];
        let sequence = call.next_sequence;
        call.next_sequence = sequence.wrapping_add(1);
        self.send_frame_as(at, sequence, frame, now);
    }

    /// Sends a PPP frame under any number.
    pub fn send_frame_as(&mut self, at: usize, sequence: u32, frame: &[u8], now: Instant) {
        let call = &mut self.calls[at];
        let acknowledged = std::mem::take(&mut call.unacknowledged);
        let header = gre::Header {
            payload_length: frame.len() as u16,
            call_id: call.server_id,
            sequence: Some(sequence),
            acknowledgment: call.expected.filter(|_| acknowledged).map(|next| next.wrapping_sub(1)),
        };
        self.send_gre(&header, frame, now);
    }

    fn send_gre(&mut self, header: &gre::Header, frame: &[u8], now: Instant) {
        if self.breathes() {
            self.gre_up.send(gre_octets(header, frame), now, &mut self.dice);
        }
    }

    pub fn next_arrival(&self) -> Option<Instant> {
        let lines = [&self.tcp_up, &self.tcp_down, &self.gre_up, &self.gre_down];
        lines.into_iter().filter_map(Line::next_arrival).min()
    }

    pub fn deadline(&self) -> Option<Instant> {
        let models = self.calls.iter().filter(|call| call.server_id != 0 && call.is_live());
        models.filter_map(|call| call.model()?.deadline()).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        for call in self.calls.iter_mut().filter(|call| call.server_id != 0 && call.is_live()) {
            if let Mind::Model(ppp) = &mut call.mind {
                ppp.handle_timeout(now);
            }
        }
        self.send_frames(now);
    }
}

/// Octets of a GRE packet.
pub fn gre_octets(header: &gre::Header, frame: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    header.prepend_to(&mut packet);
    [packet.data(), frame].concat()
}

impl CallEnd {
    /// Linux and Windows throw away what comes late.
    fn in_order(&mut self, header: &gre::Header) -> bool {
        let Some(sequence) = header.sequence else { return false };
        let next = self.expected.is_none_or(|next| sequence.wrapping_sub(next) < 1 << 31);
        if next {
            self.expected = Some(sequence.wrapping_add(1));
        }
        self.unacknowledged = true;
        next
    }

    fn is_live(&self) -> bool {
        self.disconnected.is_none()
    }

    pub fn model(&self) -> Option<&Ppp> {
        match &self.mind {
            Mind::Model(ppp) => Some(ppp),
            _ => None,
        }
    }

    pub fn model_mut(&mut self) -> &mut Ppp {
        match &mut self.mind {
            Mind::Model(ppp) => ppp,
            _ => panic!("no model"),
        }
    }
}
