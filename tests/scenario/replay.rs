//! The caller's half of recorded calls, played to our server: what real pppd sent, in its order.
//! Our answers are those that the recorded server gave, where both allow the same; and our own
//! requests hold nothing that the recorded caller did not acknowledge. Only the login is computed
//! anew, since the challenge is another one, and the packets are encrypted under the new keys.

use std::net::Ipv4Addr;

use pptp::config::{Config, Mppe};
use pptp::packet::Packet;
use pptp::proto::mppe::Strength;
use pptp::proto::mppe::{Decryptor, Encryptor};
use pptp::proto::mschap;
use pptp::reason::Cause;
use pptp::wire::pptp::{HEADER, Header, Kind, Message};

use crate::common::caller::Mind;
use crate::common::cipher::{method, start_keys};
use crate::common::layer::{ACK, NAK, REJECT, REQUEST, decoded, frame};
use crate::common::line::GOOD;
use crate::common::recording::{Recording, Side, inner, recording};
use crate::common::world::{PASSWORD, World, config, in_world};

const LCP: u16 = 0xc021;
const CHAP: u16 = 0xc223;
const CCP: u16 = 0x80fd;
const IPCP: u16 = 0x8021;

/// A control packet of a PPP control protocol.
#[derive(Clone)]
struct Said {
    from: Side,
    protocol: u16,
    code: u8,
    identifier: u8,
    data: Vec<u8>,
}

impl Said {
    fn of(from: Side, octets: &[u8]) -> Option<Said> {
        let octets = octets.strip_prefix(&[0xff, 3]).unwrap_or(octets);
        if octets.is_empty() || octets[0] & 1 == 1 {
            return None;
        }
        let protocol = u16::from_be_bytes([octets[0], octets[1]]);
        let data = octets[6..].to_vec();
        Some(Said { from, protocol, code: octets[2], identifier: octets[3], data })
    }

    fn frame(&self) -> Vec<u8> {
        frame(self.protocol, self.code, self.identifier, &self.data)
    }
}

/// The control packets of a recording in the order of their numbers.
fn said(recording: &Recording) -> Vec<Said> {
    let mut packets: Vec<_> =
        recording.gre.iter().filter(|packet| !packet.frame.is_empty()).collect();
    packets.sort_by_key(|packet| (packet.from as u8, packet.header.sequence));
    packets.iter().filter_map(|packet| Said::of(packet.from, &packet.frame)).collect()
}

/// A recording that is played.
struct Replay<'w, 'a> {
    world: &'w mut World<'a>,
    at: usize,
    said: Vec<Said>,
    /// Our last request of each protocol.
    requests: Vec<Said>,
    /// Our answers that have not been looked at.
    answers: Vec<Said>,
    nt_response: [u8; 24],
    /// Whether our answers must be those of the recorded server.
    is_same: bool,
    /// Whether the login is to be wrong.
    is_wrong: bool,
}

/// The messages up to the request for a call, and the Call ID in it.
fn call_request(stream: &[u8]) -> (Vec<u8>, u16) {
    let start = usize::from(Header::parse(stream).unwrap().length);
    let request = &stream[start..];
    let len = usize::from(Header::parse(request).unwrap().length);
    match Message::parse(Kind::OutgoingCallRequest, &request[HEADER..len]) {
        Ok(Message::OutgoingCallRequest(call)) => (stream[..start + len].to_vec(), call.call_id),
        other => panic!("{other:?}"),
    }
}

/// Plays the caller's half of `name`; afterwards `check` looks at what became of it.
fn replay(name: &str, config: Config, is_same: bool, check: impl FnOnce(&mut Replay)) {
    let recording = recording(name);
    in_world(config, 1, |world| {
        let at = world.connect(1, GOOD).unwrap();
        let (messages, own_id) = call_request(&recording.control[Side::Caller as usize]);
        let (now, caller) = (world.now, &mut world.callers[at]);
        caller.expect_call(own_id, Mind::Test);
        caller.calls[0].next_sequence = 1;
        caller.say_octets(messages, now);
        world.run(50);
        let said = said(&recording);
        let (requests, answers, nt_response) = (Vec::new(), Vec::new(), [0; 24]);
        let is_wrong = name.starts_with("wrong");
        let mut replay =
            Replay { world, at, said, requests, answers, nt_response, is_same, is_wrong };
        replay.play();
        check(&mut replay);
    });
}

impl Replay<'_, '_> {
    fn play(&mut self) {
        self.listen();
        let from_caller = self.said.iter().filter(|said| said.from == Side::Caller);
        for said in from_caller.cloned().collect::<Vec<_>>() {
            match (said.protocol, said.code) {
                (LCP | CCP | IPCP, REQUEST) => self.request(&said),
                (LCP | CCP | IPCP, ACK) => self.acknowledge(&said),
                (CCP, NAK | REJECT) => self.answer(&said, said.code),
                (CHAP, 2) => self.log_in(&said),
                _ => self.send(&said.frame()),
            }
        }
    }

    fn send(&mut self, frame: &[u8]) {
        self.world.send(self.at, frame);
        self.world.run(12);
        self.listen();
    }

    /// Takes what the server said.
    fn listen(&mut self) {
        let inbox: Vec<_> = self.world.callers[self.at].calls[0].inbox.drain(..).collect();
        for said in inbox.iter().filter_map(|octets| Said::of(Side::Server, octets)) {
            if said.code == REQUEST {
                self.requests.retain(|request| request.protocol != said.protocol);
                self.requests.push(said);
            } else {
                self.answers.push(said);
            }
        }
    }

    /// The caller's request as it was recorded; the answer is the recorded server's.
    fn request(&mut self, said: &Said) {
        self.answers.clear();
        self.send(&said.frame());
        let is_answer = |answer: &&Said| {
            answer.protocol == said.protocol
                && answer.identifier == said.identifier
                && (ACK..=REJECT).contains(&answer.code)
        };
        let recorded = self.said.iter().filter(|said| said.from == Side::Server).find(is_answer);
        let ours = self.answers.iter().find(is_answer);
        if let (Some(recorded), true) = (recorded, self.is_same) {
            let ours = ours.expect("an answer");
            assert_eq!((ours.code, &ours.data), (recorded.code, &recorded.data));
        }
    }

    /// The caller acknowledged a request of the recorded server; ours asks for nothing else.
    fn acknowledge(&mut self, said: &Said) {
        let request = self.requests.iter().find(|request| request.protocol == said.protocol);
        let request = request.expect("a request of ours").clone();
        let accepted = decoded(&said.data);
        for (kind, data) in decoded(&request.data) {
            let known = accepted.iter().find(|choice| choice.0 == kind);
            let (_, value) = known.unwrap_or_else(|| panic!("option {kind} is not known to it"));
            // An MRU and a magic number are the sender's own business.
            let is_free = said.protocol == LCP && matches!(kind, 1 | 5);
            // Another server's request for stateless keys was acknowledged by the same caller.
            let is_stateless = said.protocol == CCP && data == [1, 0, 0, 0x40] && value[3] == 0x40;
            assert!(is_free || data == *value || is_stateless, "option {kind}: {data:x?}");
        }
        self.answer(said, ACK);
    }

    /// Answers our request of the same protocol.
    fn answer(&mut self, said: &Said, code: u8) {
        let request = self.requests.iter().find(|request| request.protocol == said.protocol);
        let Some(request) = request.cloned() else { return };
        let data = if code == NAK { &said.data } else { &request.data };
        self.send(&frame(said.protocol, code, request.identifier, data));
    }

    /// The recorded caller's name and challenge, with the response that is right for ours.
    fn log_in(&mut self, said: &Said) {
        let challenge = self.answers.iter().chain(&self.requests).find(|it| it.protocol == CHAP);
        let challenge = challenge.expect("a challenge").clone();
        let (peer, name) = (said.data[1..17].try_into().unwrap(), &said.data[50..]);
        let ours = challenge.data[1..17].try_into().unwrap();
        let hash = mschap::nt_hash_of(PASSWORD).unwrap();
        self.nt_response = mschap::generate_nt_response(&ours, &peer, name, &hash);
        let mut data = said.data.clone();
        if !self.is_wrong {
            data[25..49].copy_from_slice(&self.nt_response);
        }
        self.send(&frame(CHAP, 2, challenge.identifier, &data));
    }

    fn state(&self) -> Option<&'static str> {
        let call_id = self.world.callers[self.at].calls[0].server_id;
        self.world.state(call_id)
    }

    /// The bits that were agreed on for the packets of the caller, and of the server.
    fn bits(&self) -> [u32; 2] {
        let of = |data: &[u8]| u32::from_be_bytes(data[2..6].try_into().unwrap());
        let ours = self.requests.iter().find(|request| request.protocol == CCP).unwrap();
        let theirs = self.said.iter().rfind(|said| {
            said.from == Side::Caller && (said.protocol, said.code) == (CCP, REQUEST)
        });
        [of(&ours.data), of(&theirs.unwrap().data)]
    }

    /// The recorded inner packets pass both ways.
    fn carry(&mut self, name: &str) {
        let (send_key, receive_key) = start_keys(PASSWORD, &self.nt_response);
        let [up, down] = self.bits();
        let mut encryptor = Encryptor::new(&send_key, method(up));
        let mut decryptor = Decryptor::new(&receive_key, method(down));
        let mut packet = Packet::new();
        let (mut there, mut back) = (0, 0);
        for (from, octets) in inner(name) {
            self.world.tun.clear();
            if from == Side::Caller {
                packet.set(&[&[0, 0x21], &octets[..]].concat());
                encryptor.seal(&mut packet);
                self.world.send(self.at, &[&[0xff, 3, 0, 0xfd], packet.data()].concat());
                self.world.run(6);
                assert_eq!(self.world.tun, [octets], "packet {there} to the LAN");
                there += 1;
            } else {
                self.world.send_tun(&octets).unwrap();
                self.world.run(6);
                let inbox = &mut self.world.callers[self.at].calls[0].inbox;
                let wire = inbox.pop_front().expect("a packet");
                // The caller asked for compressed headers.
                assert_eq!(wire[0], 0xfd);
                packet.set(&wire[1..]);
                decryptor.open(&mut packet).unwrap();
                assert_eq!(packet.data(), [&[0, 0x21], &octets[..]].concat(), "packet {back}");
                back += 1;
            }
        }
        assert!(there > 100 && back > 100);
    }
}

/// What the recorded server was configured to.
fn recorded() -> Config {
    let dns = [1, 2].map(|last| Ipv4Addr::new(192, 168, 77, last));
    Config { dns: dns.into_iter().collect(), mtu: 1396, ..config() }
}

#[test]
fn calls_that_opened() {
    for name in ["stateless", "stateless-loss", "mppe-40or128"] {
        replay(name, recorded(), true, |replay| {
            assert_eq!(replay.state(), Some("open"), "{name}");
            assert_eq!(replay.bits(), [0x0100_0040; 2], "{name}");
            replay.carry(name);
        });
    }
}

#[test]
fn a_stateful_call() {
    let config = Config { mppe_stateful: true, ..recorded() };
    replay("stateful", config, true, |replay| {
        assert_eq!(replay.state(), Some("open"));
        // The caller wants to receive stateful; we ask for stateless, which it has acknowledged to
        // another server.
        assert_eq!(replay.bits(), [0x0100_0040, 0x40]);
        replay.carry("stateful");
    });
}

#[test]
fn a_call_without_encryption() {
    let config = Config { mppe: Mppe::Off, mtu: 1400, ..recorded() };
    replay("plain-no-mppe", config, true, |replay| {
        assert_eq!(replay.state(), Some("open"));
        assert!(replay.requests.iter().all(|request| request.protocol != CCP));
        for (from, octets) in inner("plain-no-mppe") {
            if from == Side::Caller {
                replay.world.tun.clear();
                replay.world.send(replay.at, &[&[0x21], &octets[..]].concat());
                replay.world.run(6);
                assert_eq!(replay.world.tun, [octets]);
            }
        }
    });
}

#[test]
fn a_40_bit_call() {
    let config = Config { mppe_min: Strength::Bits40, ..recorded() };
    replay("mppe40-both", config, true, |replay| {
        assert_eq!(replay.state(), Some("open"));
        assert_eq!(replay.bits(), [0x0100_0020; 2]);
        replay.carry("mppe40-both");
    });
}

#[test]
fn logins_that_failed() {
    for (name, cause) in
        [("wrong-password", Cause::WrongPassword), ("wrong-user", Cause::UnknownUser)]
    {
        replay(name, recorded(), false, |replay| {
            replay.world.run(5000);
            assert!(replay.world.ended().contains(&cause), "{name}: {:?}", replay.world.ended());
        });
    }
}

#[test]
fn ends_that_did_not_agree_on_encryption() {
    for name in ["no-mppe-client", "mppe40-client"] {
        replay(name, recorded(), false, |replay| {
            replay.world.run(5000);
            assert_eq!(replay.state(), None);
            let ended = replay.world.ended();
            assert!(ended.contains(&Cause::EncryptionRefused), "{name}: {ended:?}");
        });
    }
}

/// A caller that asks for stateful keys only is told that stateless ones are to be had.
#[test]
fn a_stateful_caller_at_a_stateless_server() {
    replay("client-only-stateful", recorded(), false, |replay| {
        let nak = replay.answers.iter().find(|answer| answer.protocol == CCP);
        let nak = nak.map(|answer| (answer.code, answer.data.clone()));
        assert_eq!(nak, Some((NAK, vec![18, 6, 1, 0, 0, 0x40])));
    });
}
