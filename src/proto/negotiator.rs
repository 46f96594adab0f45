//! What LCP, CCP and IPCP have in common around the automaton: counters, restart timer,
//! identifiers and the guards of practice (RFC 1661 section 4.6, and what pppd learnt).

use super::automaton::{Actions, Event, State, transition};
use super::frames::Outlet;
use super::reply::{ANSWER, Reply, Verdict};
use heapless::Vec;

use crate::reason::Discard;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::ppp::{ConfigureOption, ControlPacket, Options, code};

/// Terminate-Requests without an answer before giving up (Max-Terminate).
const MAX_TERMINATE: u8 = 2;
/// Naks sent before what is still wrong is rejected instead (Max-Failure). Twice what the RFC
/// proposes, since on a bad line a request comes again when the Nak was lost.
const MAX_FAILURE: u8 = 10;
/// Naks and Rejects received before our request is taken for refused.
const MAX_REFUSALS: u8 = 10;
/// Configure-Requests in one go that are answered at once. A peer that never converges (some
/// routers repeat one request for ever) gets one answer per restart interval after that.
const MAX_EAGER_ANSWERS: u8 = 20;
/// Octets of our own options, in any of the protocols.
const OWN_OPTIONS: usize = 64;

/// What is particular to one control protocol.
pub trait ControlProtocol: 'static {
    /// The protocol number.
    fn number(&self) -> u16;

    /// Milliseconds between two of our requests (RFC 1661 section 4.6, Restart Timer).
    fn restart_ms(&self) -> u64 {
        2000
    }

    /// Requests without an answer before giving up (RFC 1661 section 4.6, Max-Configure).
    fn max_configure(&self) -> u8 {
        10
    }

    /// Restart intervals that are waited out, without asking again, once the peer's request was
    /// acknowledged: it may be open already, with only its Ack lost.
    fn patience(&self) -> u8 {
        0
    }

    /// Writes the options of our Configure-Request.
    fn request(&self, options: &mut Writer);

    /// Starts the review of a Configure-Request: forgets what an earlier one said.
    fn begin_review(&mut self);

    /// Looks at one option of the peer's Configure-Request.
    fn review(&mut self, option: &ConfigureOption, reply: &mut Reply);

    /// Asks for what the peer's request left out.
    fn end_review(&mut self, _reply: &mut Reply) {}

    /// The peer wants another value for one of our options.
    fn naked(&mut self, option: &ConfigureOption);

    /// The peer does not know one of our options. False when nothing can go on without it.
    fn rejected(&mut self, option: &ConfigureOption) -> bool;
}

/// What the layer above must know after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// The layer opened.
    pub up: bool,
    /// The layer left the open state.
    pub down: bool,
    /// The layer gave up or was terminated.
    pub finished: bool,
    /// The layer is open, but the peer repeats its request: it was not open there until now.
    pub late: bool,
}

/// One protocol's negotiation.
pub struct Negotiator<P: ?Sized> {
    state: State,
    restart_count: u8,
    restart_at: Option<Instant>,
    identifier: u8,
    awaits_answer: bool,
    asked_at: Instant,
    waited: u8,
    /// The request of the peer that was acknowledged last: identifier and options.
    acknowledged: Option<(u8, Vec<u8, OWN_OPTIONS>)>,
    naks_sent: u8,
    refusals: u8,
    answers: u8,
    answered_at: Instant,
    /// Why we terminate, for the data of our Terminate-Request.
    farewell: &'static str,
    /// The protocol's own options. At the end, so that `any` can forget which protocol it is.
    pub protocol: P,
}

/// The negotiation of any protocol: the code is there once.
type Any = Negotiator<dyn ControlProtocol>;

impl<P: ControlProtocol> Negotiator<P> {
    /// A negotiation in the Initial state.
    pub fn new(protocol: P) -> Negotiator<P> {
        Negotiator {
            state: State::Initial,
            restart_count: 0,
            restart_at: None,
            identifier: 0,
            awaits_answer: false,
            asked_at: Instant(0),
            waited: 0,
            acknowledged: None,
            naks_sent: 0,
            refusals: 0,
            answers: 0,
            answered_at: Instant(0),
            farewell: "",
            protocol,
        }
    }

    /// The line is there and the layer wanted: sends the first Configure-Request.
    pub fn open(&mut self, out: &mut Outlet, now: Instant) {
        self.any().begin(out, now);
    }

    /// Terminates; `farewell` goes into the Terminate-Request for people to read.
    pub fn close(&mut self, farewell: &'static str, out: &mut Outlet, now: Instant) -> Change {
        self.farewell = farewell;
        self.any().event(Event::Close, out, now)
    }

    /// The peer answered our protocol with a Protocol-Reject.
    pub fn protocol_rejected(&mut self, out: &mut Outlet, now: Instant) -> Change {
        self.any().event(Event::RejectFatal, out, now)
    }

    /// Takes our pending request for acknowledged although the Ack did not arrive: the peer shows
    /// by what it sends that it has gone on.
    pub fn presume_ack(&mut self, out: &mut Outlet, now: Instant) -> Change {
        self.awaits_answer = false;
        // Should the peer repeat its request, it has not gone on.
        self.acknowledged = None;
        self.any().event(Event::Ack, out, now)
    }

    /// The restart timer, when it is due.
    pub fn handle_timeout(&mut self, out: &mut Outlet, now: Instant) -> Change {
        self.any().restart_timer(out, now)
    }

    /// A packet of this protocol with one of the seven shared codes, or with a code that nobody
    /// knows.
    pub fn handle(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        self.any().take(packet, out, now)
    }

    fn any(&mut self) -> &mut Any {
        self
    }
}

impl<P: ?Sized> Negotiator<P> {
    /// Whether the layer is open.
    pub fn is_open(&self) -> bool {
        self.state == State::Opened
    }

    /// Whether the peer may be open, with only its Ack lost: we wait for it to show what it has.
    pub fn is_patient(&self) -> bool {
        self.state == State::AckSent && self.waited > 0
    }

    /// The automaton's state.
    pub fn state(&self) -> State {
        self.state
    }

    /// When `handle_timeout` wants to be called.
    pub fn restart_at(&self) -> Option<Instant> {
        self.restart_at
    }
}

impl Any {
    fn begin(&mut self, out: &mut Outlet, now: Instant) {
        self.event(Event::Open, out, now);
        self.event(Event::Up, out, now);
    }

    fn restart_timer(&mut self, out: &mut Outlet, now: Instant) -> Change {
        if !crate::time::due(self.restart_at, now) {
            return Change::default();
        }
        if self.state == State::AckSent && self.waited < self.protocol.patience() {
            self.waited += 1;
            self.restart(now);
            return Change::default();
        }
        let event = if self.restart_count > 0 { Event::Timeout } else { Event::TimeoutLast };
        self.event(event, out, now)
    }

    fn take(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        match packet.code {
            code::CONFIGURE_REQUEST => self.handle_request(packet, out, now),
            code::CONFIGURE_ACK => self.handle_ack(packet, out, now),
            code::CONFIGURE_NAK | code::CONFIGURE_REJECT => self.handle_nak(packet, out, now),
            code::TERMINATE_REQUEST => Ok(self.handle_terminate(packet, out, now)),
            code::TERMINATE_ACK => Ok(self.event(Event::TerminateAck, out, now)),
            code::CODE_REJECT => self.handle_code_reject(packet, out, now),
            _ => self.handle_unknown(packet, out, now),
        }
    }

    fn handle_request(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        if !Options::new(packet.data).are_well_formed() {
            return Err(Discard::PppFrame);
        }
        if !self.may_answer(now) {
            return Err(Discard::PppIdentifier);
        }
        if self.is_open() && self.is_repetition(packet) {
            self.answer(code::CONFIGURE_ACK, packet, packet.data, out);
            return Ok(Change { late: true, ..Change::default() });
        }
        let mut options = [0; ANSWER];
        let mut reply = Reply::new(&mut options);
        self.review(packet, &mut reply);
        let (verdict, len) = (reply.verdict(), reply.len());
        let event = if verdict == Verdict::Ack { Event::GoodRequest } else { Event::BadRequest };
        if verdict == Verdict::Ack {
            self.ask_again_if_unheard(out, now);
            self.acknowledged = copy(packet);
        }
        let (actions, change) = self.step(event, out, now);
        match verdict {
            _ if !actions.has(Actions::SCA) && !actions.has(Actions::SCN) => {}
            Verdict::Ack => self.answer(code::CONFIGURE_ACK, packet, packet.data, out),
            Verdict::Nak => self.answer(code::CONFIGURE_NAK, packet, &options[..len], out),
            Verdict::Reject => self.answer(code::CONFIGURE_REJECT, packet, &options[..len], out),
        }
        Ok(change)
    }

    /// Whether the request that was acknowledged last comes again, identifier and all: its Ack was
    /// lost, and the peer is not open. RFC 1661 would have an open layer negotiate anew, and pppd
    /// hangs up when its CCP does so.
    fn is_repetition(&self, packet: &ControlPacket) -> bool {
        let is_same = |(identifier, options): &(u8, Vec<u8, OWN_OPTIONS>)| {
            *identifier == packet.identifier && options == packet.data
        };
        self.acknowledged.as_ref().is_some_and(is_same)
    }

    /// A good request shows that the peer negotiates now, so it has not met our own request, or its
    /// answer was lost. Ours goes before the Ack that may open the peer's layer.
    fn ask_again_if_unheard(&mut self, out: &mut Outlet, now: Instant) {
        let waits = matches!(self.state, State::ReqSent | State::AckSent) && self.awaits_answer;
        if waits && now.since(self.asked_at) >= UNHEARD_MS {
            self.send_request(out, now);
        }
    }

    /// Reviews all options; after too many Naks the peer's own options are rejected instead.
    fn review(&mut self, packet: &ControlPacket, reply: &mut Reply) {
        self.protocol.begin_review();
        for option in Options::new(packet.data).flatten() {
            self.protocol.review(&option, reply);
        }
        self.protocol.end_review(reply);
        match reply.verdict() {
            Verdict::Ack => self.naks_sent = 0,
            Verdict::Nak if self.naks_sent < MAX_FAILURE => self.naks_sent += 1,
            Verdict::Nak => reply.reject_naked(packet),
            Verdict::Reject => {}
        }
    }

    fn answer(&mut self, code: u8, packet: &ControlPacket, options: &[u8], out: &mut Outlet) {
        out.control(self.protocol.number(), code, packet.identifier, |writer| writer.put(options));
    }

    fn may_answer(&mut self, now: Instant) -> bool {
        let eager = self.answers < MAX_EAGER_ANSWERS;
        let may = eager || now.since(self.answered_at) >= self.protocol.restart_ms();
        if may {
            self.answered_at = now;
            self.answers = self.answers.saturating_add(1);
        }
        may
    }

    fn handle_ack(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        let mut own = [0; OWN_OPTIONS];
        let mut writer = Writer::new(&mut own);
        self.protocol.request(&mut writer);
        if !self.is_answer(packet) || writer.written() != packet.data {
            return Err(Discard::PppIdentifier);
        }
        self.awaits_answer = false;
        self.refusals = 0;
        Ok(self.event(Event::Ack, out, now))
    }

    fn handle_nak(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        if !self.is_answer(packet) {
            return Err(Discard::PppIdentifier);
        }
        if !Options::new(packet.data).are_well_formed() {
            return Err(Discard::PppFrame);
        }
        self.awaits_answer = false;
        self.refusals = self.refusals.saturating_add(1);
        let mut goes_on = self.refusals <= MAX_REFUSALS;
        for option in Options::new(packet.data).flatten() {
            if packet.code == code::CONFIGURE_NAK {
                self.protocol.naked(&option);
            } else {
                goes_on &= self.protocol.rejected(&option);
            }
        }
        Ok(if goes_on { self.event(Event::Nak, out, now) } else { self.give_up(out, now) })
    }

    /// Nothing more can be agreed on.
    fn give_up(&mut self, out: &mut Outlet, now: Instant) -> Change {
        self.event(Event::RejectFatal, out, now)
    }

    /// A Terminate-Request is acknowledged in every state that can receive one.
    fn handle_terminate(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Change {
        let (actions, change) = self.step(Event::TerminateRequest, out, now);
        if actions.has(Actions::STA) {
            self.answer(code::TERMINATE_ACK, packet, &[], out);
        }
        change
    }

    /// A Code-Reject of a code that the protocol cannot do without is fatal (RFC 1661 section
    /// 4.3, RXJ-); of another one (echo, identification) it is not.
    fn handle_code_reject(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        let &rejected = packet.data.first().ok_or(Discard::PppFrame)?;
        let fatal = (code::CONFIGURE_REQUEST..=code::CODE_REJECT).contains(&rejected);
        let event = if fatal { Event::RejectFatal } else { Event::RejectPermitted };
        Ok(self.event(event, out, now))
    }

    fn handle_unknown(
        &mut self,
        packet: &ControlPacket,
        out: &mut Outlet,
        now: Instant,
    ) -> Result<Change, Discard> {
        let (actions, _) = self.step(Event::UnknownCode, out, now);
        if actions.has(Actions::SCJ) {
            let length = (packet.data.len() + crate::wire::ppp::CONTROL_HEADER) as u16;
            let [high, low] = length.to_be_bytes();
            let header = [packet.code, packet.identifier, high, low];
            self.identifier = self.identifier.wrapping_add(1);
            let head = (code::CODE_REJECT, self.identifier);
            out.reject(self.protocol.number(), head, &header, packet.data);
        }
        Err(Discard::PppCode)
    }

    /// Whether an Ack, Nak or Reject belongs to our last request and is the first one to do so: a
    /// duplicate would restart an open link.
    fn is_answer(&self, packet: &ControlPacket) -> bool {
        self.awaits_answer && packet.identifier == self.identifier
    }

    /// Runs the automaton, sends what needs nothing of the received packet, and says what changed.
    fn event(&mut self, event: Event, out: &mut Outlet, now: Instant) -> Change {
        self.step(event, out, now).1
    }

    fn step(&mut self, event: Event, out: &mut Outlet, now: Instant) -> (Actions, Change) {
        let Some((actions, next)) = transition(self.state, event) else {
            return (Actions::NONE, Change::default());
        };
        self.state = next;
        self.count(actions, now);
        if actions.has(Actions::SCR) {
            self.send_request(out, now);
        }
        if actions.has(Actions::STR) {
            self.send_terminate(out, now);
        }
        self.stop_timer_where_none_runs();
        let change = Change {
            up: actions.has(Actions::TLU),
            down: actions.has(Actions::TLD),
            finished: actions.has(Actions::TLF),
            late: false,
        };
        (actions, change)
    }

    fn count(&mut self, actions: Actions, now: Instant) {
        if actions.has(Actions::IRC) {
            let terminating = actions.has(Actions::STR);
            self.restart_count =
                if terminating { MAX_TERMINATE } else { self.protocol.max_configure() };
        }
        if actions.has(Actions::ZRC) {
            // The peer said goodbye: one interval for it to repeat its request, then finished.
            self.restart_count = 0;
            self.restart_at = Some(now + self.protocol.restart_ms());
        }
        if actions.has(Actions::TLD) && !actions.has(Actions::STR) && !actions.has(Actions::ZRC) {
            (self.restart_count, self.refusals) = (self.protocol.max_configure(), 0);
        }
        if actions.has(Actions::TLU) {
            (self.naks_sent, self.answers) = (0, 0);
        }
    }

    /// A repeated request keeps its identifier, so that an answer to the first one counts however
    /// long it takes (RFC 1661 section 5.1).
    fn send_request(&mut self, out: &mut Outlet, now: Instant) {
        if !self.awaits_answer {
            self.identifier = self.identifier.wrapping_add(1);
        }
        self.awaits_answer = true;
        (self.asked_at, self.waited) = (now, 0);
        self.restart(now);
        let (protocol, code) = (&self.protocol, code::CONFIGURE_REQUEST);
        out.control(protocol.number(), code, self.identifier, |writer| protocol.request(writer));
    }

    fn send_terminate(&mut self, out: &mut Outlet, now: Instant) {
        self.identifier = self.identifier.wrapping_add(1);
        self.restart(now);
        let farewell = self.farewell.as_bytes();
        out.control(self.protocol.number(), code::TERMINATE_REQUEST, self.identifier, |writer| {
            writer.put(farewell);
        });
    }

    fn restart(&mut self, now: Instant) {
        self.restart_count = self.restart_count.saturating_sub(1);
        let terminating = matches!(self.state, State::Closing | State::Stopping);
        let most = if terminating { TERMINATE_MS } else { u64::MAX };
        let interval = self.protocol.restart_ms().min(most);
        self.restart_at = Some(now + interval);
    }

    /// RFC 1661 section 4.2: no timer runs in Initial, Starting, Closed, Stopped and Opened.
    fn stop_timer_where_none_runs(&mut self) {
        use State::*;
        if matches!(self.state, Initial | Starting | Closed | Stopped | Opened) {
            self.restart_at = None;
        }
    }
}

/// Milliseconds between two Terminate-Requests: two of them fit into the 2 s of a goodbye.
const TERMINATE_MS: u64 = 700;

/// Milliseconds without an answer after which a request was lost, or came too early for the peer.
const UNHEARD_MS: u64 = 500;

fn copy(packet: &ControlPacket) -> Option<(u8, Vec<u8, OWN_OPTIONS>)> {
    Some((packet.identifier, Vec::from_slice(packet.data).ok()?))
}
