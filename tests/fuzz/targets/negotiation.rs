//! LCP, CCP, IPCP and IPV6CP by whole packets, well-formed or not, with time passing: the answers are
//! well-formed and repeat what was asked, one packet costs at most a few frames, and no row of
//! packets keeps a machine from ending.

use std::net::Ipv4Addr;

use pptp::proto::ccp::{Ccp, Policy};
use pptp::proto::frames::{Frame, Frames};
use pptp::proto::ipcp::{Addresses, Ipcp};
use pptp::proto::ipv6cp::Ipv6cp;
use pptp::proto::lcp::Lcp;
use pptp::proto::mppe::Strength;
use pptp::proto::negotiator::{ControlProtocol, Negotiator};
use pptp::time::Instant;
use pptp::wire::ppp::{ControlPacket, Options, code, protocol_field};

use super::input::Input;

/// Frames that one packet or one timer may cost.
const FRAMES_EACH: usize = 3;

pub fn lcp(data: &[u8]) {
    negotiate(Lcp::new(1404, 0x1122_3344), data);
}

/// The first octet is the policy.
pub fn ccp(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.u8();
    let min = [Strength::Bits40, Strength::Bits56, Strength::Bits128][usize::from(first) % 3];
    negotiate(Ccp::new(Policy { min, stateful: first & 0x80 != 0 }), input.rest());
}

/// The first octet says which name servers there are.
pub fn ipcp(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.u8();
    let server = |bit: u8| (first >> bit & 1 != 0).then(|| Ipv4Addr::new(192, 168, 77, bit));
    let addresses = Addresses {
        local: Ipv4Addr::new(192, 168, 77, 1),
        peer: Ipv4Addr::new(192, 168, 77, 10),
        dns: [server(0), server(1)],
        nbns: [server(2), server(3)],
    };
    negotiate(Ipcp::new(addresses), input.rest());
}

pub fn ipv6cp(data: &[u8]) {
    negotiate(Ipv6cp::new(Ipv4Addr::new(192, 168, 77, 10)), data);
}

struct Bench<'f, P> {
    machine: Negotiator<P>,
    frames: Frames<'f>,
    now: Instant,
}

/// Packets, each with its length in front; an octet from f0 on lets time pass, and e0 stands for
/// an answer to the last request whose data is `data`.
fn negotiate<P: ControlProtocol>(protocol: P, data: &[u8]) {
    let mut storage: Vec<Frame> = (0..32).map(|_| Frame::default()).collect();
    let frames = Frames::new(&mut storage);
    let mut bench = Bench { machine: Negotiator::new(protocol), frames, now: Instant(1000) };
    bench.machine.open(&mut bench.frames.outlet(0, 1500), bench.now);
    let mut request = bench.drain(None);
    let mut input = Input::new(data);
    while !input.is_empty() {
        match input.u8() {
            wait @ 0xf0.. => bench.now = bench.now + u64::from(wait - 0xef) * 250,
            answer @ 0xe0.. => {
                let mut octets = request.clone();
                let Some(first) = octets.first_mut() else { continue };
                *first = [code::CONFIGURE_ACK, code::CONFIGURE_NAK, code::CONFIGURE_REJECT]
                    [usize::from(answer) % 3];
                bench.packet(&octets, &mut request);
            }
            len => {
                let octets = input.take(usize::from(len)).to_vec();
                bench.packet(&octets, &mut request);
            }
        }
        bench.timers(&mut request);
    }
    bench.silence(&mut request);
}

impl<P: ControlProtocol> Bench<'_, P> {
    fn packet(&mut self, octets: &[u8], request: &mut Vec<u8>) {
        let Ok(packet) = ControlPacket::parse(octets) else { return };
        let mut out = self.frames.outlet(0, 1500);
        let _ = self.machine.handle(&packet, &mut out, self.now);
        let sent = self.drain(Some(&packet));
        if !sent.is_empty() {
            *request = sent;
        }
    }

    /// What is due is done at once, and then nothing is due any more.
    fn timers(&mut self, request: &mut Vec<u8>) {
        self.machine.handle_timeout(&mut self.frames.outlet(0, 1500), self.now);
        assert!(self.machine.restart_at().is_none_or(|at| at > self.now), "a busy loop");
        let sent = self.drain(None);
        if !sent.is_empty() {
            *request = sent;
        }
    }

    /// A peer that says nothing more is given up.
    fn silence(&mut self, request: &mut Vec<u8>) {
        for _ in 0..40 {
            let Some(at) = self.machine.restart_at() else { return };
            self.now = at;
            self.timers(request);
        }
        panic!("still waiting in {:?}", self.machine.state());
    }

    /// Checks what is to be sent, and returns our last Configure-Request.
    fn drain(&mut self, packet: Option<&ControlPacket>) -> Vec<u8> {
        let (mut count, mut request) = (0, Vec::new());
        while let Some(frame) = self.frames.pop() {
            count += 1;
            let (number, len) = protocol_field(frame.octets()).expect("our own frame");
            assert_eq!((number, len), (self.machine.protocol.number(), 2));
            let octets = &frame.octets()[len..];
            let sent = ControlPacket::parse(octets).expect("our own packet");
            assert_eq!(sent.data.len() + 4, octets.len(), "exact length");
            check(&sent, packet);
            if sent.code == code::CONFIGURE_REQUEST {
                request = octets.to_vec();
            }
        }
        assert!(count <= FRAMES_EACH, "{count} frames");
        assert_eq!(self.frames.take_lost(), 0);
        request
    }
}

/// A frame of ours, sent after `packet` or by a timer.
fn check(sent: &ControlPacket, packet: Option<&ControlPacket>) {
    if let code::CONFIGURE_REQUEST..=code::CONFIGURE_REJECT = sent.code {
        assert!(Options::new(sent.data).are_well_formed());
    }
    if let code::CONFIGURE_ACK..=code::CONFIGURE_REJECT | code::TERMINATE_ACK = sent.code {
        let packet = packet.expect("an answer to nothing");
        assert!(sent.code == code::TERMINATE_ACK || packet.code == code::CONFIGURE_REQUEST);
        // RFC 1661 section 4.3: a Terminate-Ack also answers what makes no sense when stopped.
        assert_eq!(sent.identifier, packet.identifier);
        assert!(sent.code != code::CONFIGURE_ACK || sent.data == packet.data);
    }
    if sent.code == code::CONFIGURE_REJECT {
        let asked: Vec<_> = Options::new(packet.unwrap().data).flatten().collect();
        let is_asked = |raw| asked.iter().any(|option| option.raw == raw);
        assert!(Options::new(sent.data).flatten().all(|option| is_asked(option.raw)));
    }
}
