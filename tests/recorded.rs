//! Recorded calls of real pppd: everything parses and is written back the same, the login's
//! numbers come out again, and every MPPE packet decrypts to the packet that was recorded inside.

#[path = "common/recording.rs"]
mod recording;

use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::proto::mschap;
use pptp::reason::Discard;
use pptp::wire::ccp::{self, SupportedBits};
use pptp::wire::chap::{self, Response};
use pptp::wire::ppp::{ControlPacket, Options, code, frame_header, protocol};
use pptp::wire::pptp::{HEADER, Header, Kind, Message};
use pptp::wire::{Writer, mppe};
use recording::{Recording, SIDES, Side, inner, recording};

const ALL: [&str; 12] = [
    "stateless",
    "stateless-loss",
    "stateful",
    "mppe40-both",
    "mppe-40or128",
    "plain-no-mppe",
    "wrong-password",
    "wrong-user",
    "no-mppe-client",
    "no-mppe-server",
    "mppe40-client",
    "client-only-stateful",
];

const ENCRYPTED: [&str; 5] =
    ["stateless", "stateless-loss", "stateful", "mppe40-both", "mppe-40or128"];

fn written(emit: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut writer = Writer::new(&mut buffer);
    emit(&mut writer);
    let len = writer.finish().unwrap();
    buffer[..len].to_vec()
}

const KINDS: [Kind; 15] = [
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

/// The control messages in a stream: each with its octets.
fn messages(mut stream: &[u8]) -> Vec<(Message<'_>, &[u8])> {
    let mut messages = Vec::new();
    while !stream.is_empty() {
        let header = Header::parse(stream).unwrap();
        let (octets, rest) = stream.split_at(usize::from(header.length));
        let kind = KINDS[usize::from(header.control_type.unwrap()) - 1];
        messages.push((Message::parse(kind, &octets[HEADER..]).unwrap(), octets));
        stream = rest;
    }
    messages
}

#[test]
fn control_connections() {
    for name in ALL {
        let recording = recording(name);
        let [caller, server] = recording.control.each_ref().map(|stream| messages(stream));
        for (message, octets) in caller.iter().chain(&server) {
            let again = written(|writer| message.emit(writer));
            assert_eq!(again, *octets, "{name}: {message:?}");
        }
        let kinds: Vec<_> = caller.iter().map(|(message, _)| message.kind()).collect();
        assert_eq!(
            kinds[..2],
            [Kind::StartControlConnectionRequest, Kind::OutgoingCallRequest],
            "{name}"
        );
        let (Message::OutgoingCallRequest(call), Message::OutgoingCallReply(reply)) =
            (caller[1].0, server[1].0)
        else {
            panic!("{name}: no call")
        };
        assert_eq!(reply.peer_call_id, call.call_id);
        for packet in &recording.gre {
            let receiver = if packet.from == Side::Caller { reply.call_id } else { call.call_id };
            assert_eq!(packet.header.call_id, receiver, "{name}");
        }
    }
}

/// One PPP packet of a recording.
struct Ppp {
    from: Side,
    sequence: u32,
    protocol: u16,
    data: Vec<u8>,
}

/// All PPP packets in the order of arrival.
fn ppp(recording: &Recording) -> Vec<Ppp> {
    let with_frame = recording.gre.iter().filter(|packet| !packet.frame.is_empty());
    with_frame
        .map(|packet| {
            let (protocol, len) = frame_header(&packet.frame).unwrap();
            let sequence = packet.header.sequence.unwrap();
            Ppp { from: packet.from, sequence, protocol, data: packet.frame[len..].to_vec() }
        })
        .collect()
}

#[test]
fn control_protocols() {
    for name in ALL {
        let mut configured = 0;
        for frame in ppp(&recording(name)) {
            match frame.protocol {
                protocol::LCP | protocol::CHAP | protocol::CCP | protocol::IPCP => {
                    let packet = ControlPacket::parse(&frame.data).unwrap();
                    assert_eq!(written(|writer| packet.emit(writer)), frame.data, "{name}");
                    let is_configure = packet.code <= code::CONFIGURE_REJECT;
                    if is_configure && frame.protocol != protocol::CHAP {
                        assert!(Options::new(packet.data).are_well_formed(), "{name}");
                        configured += 1;
                    }
                }
                protocol::COMPRESSED | protocol::IPV4 => {}
                other => panic!("{name}: protocol {other:04x}"),
            }
        }
        assert!(configured >= 4, "{name}");
    }
}

/// The numbers of a login on the wire.
struct Login {
    authenticator: [u8; 16],
    peer: [u8; 16],
    nt_response: [u8; 24],
    user: Vec<u8>,
    /// Code and text of the Success or Failure packet.
    verdict: (u8, String),
}

fn login(frames: &[Ppp]) -> Login {
    let packets = frames.iter().filter(|frame| frame.protocol == protocol::CHAP);
    let packets: Vec<_> = packets.map(|frame| ControlPacket::parse(&frame.data).unwrap()).collect();
    let [challenge, response, verdict] = &packets[..] else { panic!("{} packets", packets.len()) };
    assert_eq!([challenge.code, response.code], [chap::code::CHALLENGE, chap::code::RESPONSE]);
    let octets = written(|writer| {
        chap::put_challenge(writer, challenge.data[1..17].try_into().unwrap(), b"pptpd")
    });
    assert_eq!(octets, challenge.data);
    let fields = Response::parse(response.data).unwrap();
    assert_eq!(written(|writer| fields.emit(writer)), response.data);
    Login {
        authenticator: challenge.data[1..17].try_into().unwrap(),
        peer: fields.peer_challenge,
        nt_response: fields.nt_response,
        user: fields.name.to_vec(),
        verdict: (verdict.code, String::from_utf8(verdict.data.to_vec()).unwrap()),
    }
}

impl Login {
    fn is_right(&self, hash: &[u8; 16]) -> bool {
        let user = mschap::base_name(&self.user);
        let right = mschap::generate_nt_response(&self.authenticator, &self.peer, user, hash);
        right == self.nt_response
    }

    /// Start keys of the caller's and of the server's packets.
    fn start_keys(&self, hash: &[u8; 16]) -> [[u8; 16]; 2] {
        let hash_hash = mschap::hash_nt_password_hash(hash);
        let master = mschap::get_master_key(&hash_hash, &self.nt_response);
        [false, true].map(|is_send| mschap::get_asymmetric_start_key(&master, is_send))
    }
}

fn right_hash() -> [u8; 16] {
    mschap::nt_hash_of("s3cret-Pass1").unwrap()
}

#[test]
fn logins() {
    for name in ALL {
        let login = login(&ppp(&recording(name)));
        let hash = right_hash();
        assert_eq!(login.is_right(&hash), !name.starts_with("wrong"), "{name}");
        let (code, text) = &login.verdict;
        if name.starts_with("wrong") {
            assert_eq!(*code, chap::code::FAILURE);
            continue;
        }
        let authenticator = mschap::generate_authenticator_response(
            &hash,
            &login.nt_response,
            &login.peer,
            &login.authenticator,
            mschap::base_name(&login.user),
        );
        let ours = written(|writer| {
            chap::put_success(writer, &authenticator, Some("Access granted"));
        });
        assert_eq!((*code, text.as_bytes()), (chap::code::SUCCESS, &ours[..]), "{name}");
    }
    for name in ["wrong-password", "wrong-user"] {
        let wrong = login(&ppp(&recording(name)));
        assert!(wrong.is_right(&mschap::nt_hash_of("wrong").unwrap()));
    }
}

/// What CCP agreed on for the packets of one side: the request of the receiver, which the
/// sender acknowledged.
fn method(frames: &[Ppp], sender: Side) -> Option<Method> {
    let acks = frames.iter().filter(|frame| frame.protocol == protocol::CCP);
    let acks = acks.filter(|frame| frame.from == sender);
    let ack = acks
        .map(|frame| ControlPacket::parse(&frame.data).unwrap())
        .rfind(|packet| packet.code == code::CONFIGURE_ACK)?;
    let option = Options::new(ack.data).next()?.unwrap();
    assert_eq!(option.kind, ccp::MPPE);
    let bits = option.u32().unwrap();
    let strength = match bits & SupportedBits::STRENGTHS {
        SupportedBits::BITS_128 => Strength::Bits128,
        SupportedBits::BITS_40 => Strength::Bits40,
        _ => panic!("bits {bits:08x}"),
    };
    Some(Method { strength, stateful: bits & SupportedBits::STATELESS == 0 })
}

/// One side of an encrypted call.
struct Half {
    method: Method,
    start_key: [u8; 16],
    /// GRE sequence number and MPPE packet, in the order of arrival.
    packets: Vec<(u32, Vec<u8>)>,
}

fn half(name: &str, side: Side) -> Half {
    let frames = ppp(&recording(name));
    let method = method(&frames, side).unwrap();
    let start_key = login(&frames).start_keys(&right_hash())[side as usize];
    let packets = frames
        .into_iter()
        .filter(|frame| frame.from == side && frame.protocol == protocol::COMPRESSED);
    let packets = packets.map(|frame| (frame.sequence, frame.data)).collect();
    Half { method, start_key, packets }
}

impl Half {
    /// What a receiver makes of the packets in this order.
    fn decrypted(&self, packets: &[(u32, Vec<u8>)]) -> Vec<Result<Vec<u8>, Discard>> {
        let mut decryptor = Decryptor::new(&self.start_key, self.method);
        let open = |(_, data): &(u32, Vec<u8>)| {
            let mut packet = Packet::new();
            assert!(packet.set(data));
            decryptor.open(&mut packet).map(|()| packet.data().to_vec())
        };
        packets.iter().map(open).collect()
    }

    fn in_order(&self) -> Vec<(u32, Vec<u8>)> {
        let mut packets = self.packets.clone();
        packets.sort();
        packets
    }
}

/// The IP packet behind an inner protocol field.
fn ip(clear: &[u8]) -> Vec<u8> {
    let (number, len) = frame_header(clear).unwrap();
    assert_eq!(number, protocol::IPV4);
    clear[len..].to_vec()
}

/// The recorded inner packets of one side stand in `clear`, in their order, but for the `lost`
/// ones: the server's losses happened between ppp0 and the wire. `clear` holds more, since the
/// inner capture dropped packets under load.
fn assert_holds_inner(name: &str, side: Side, clear: &[Vec<u8>], lost: usize) {
    let inner: Vec<_> = inner(name).into_iter().filter(|(from, _)| *from == side).collect();
    let mut rest = clear;
    let mut missing = 0;
    for (_, octets) in &inner {
        match rest.iter().position(|clear| clear == octets) {
            Some(place) => rest = &rest[place + 1..],
            None => missing += 1,
        }
    }
    assert!(missing <= lost, "{name} {side:?}: {missing} of {} missing", inner.len());
    assert!(inner.len() > 100 && inner.len() * 3 > clear.len() * 2, "{name} {side:?}");
}

/// Sequence numbers that never arrived.
fn lost(sequences: impl Iterator<Item = u32>) -> usize {
    let mut sequences: Vec<_> = sequences.collect();
    sequences.sort();
    sequences.windows(2).map(|pair| (pair[1] - pair[0]) as usize - 1).sum()
}

#[test]
fn every_packet_decrypts_to_the_inner_one() {
    for name in ENCRYPTED {
        for side in SIDES {
            let half = half(name, side);
            let opened = half.decrypted(&half.in_order());
            let clear: Vec<_> = opened.into_iter().map(|result| ip(&result.unwrap())).collect();
            assert!(clear.len() > 100, "{name}");
            let lost = lost(half.packets.iter().map(|(sequence, _)| *sequence));
            assert_holds_inner(name, side, &clear, lost);
            assert_eq!(lost > 0, name == "stateless-loss", "{name} {side:?}");
        }
    }
}

#[test]
fn the_methods_that_were_agreed_on() {
    for (name, strength, stateful) in [
        ("stateless", Strength::Bits128, false),
        ("stateless-loss", Strength::Bits128, false),
        ("stateful", Strength::Bits128, true),
        ("mppe40-both", Strength::Bits40, false),
        ("mppe-40or128", Strength::Bits128, false),
    ] {
        let expected = Some(Method { strength, stateful });
        let frames = ppp(&recording(name));
        assert_eq!(SIDES.map(|side| method(&frames, side)), [expected; 2], "{name}");
    }
}

/// Without a reorder buffer exactly the late packets are lost, not one more.
#[test]
fn arrival_order_loses_only_the_late_ones() {
    let mut late = 0;
    for side in SIDES {
        let half = half("stateless-loss", side);
        let mut newest = None;
        for ((sequence, _), result) in half.packets.iter().zip(half.decrypted(&half.packets)) {
            if newest.is_some_and(|newest| *sequence < newest) {
                assert_eq!(result, Err(Discard::MppeLate));
                late += 1;
            } else {
                assert!(result.is_ok(), "{side:?} {sequence}: {result:?}");
                newest = Some(*sequence);
            }
        }
    }
    assert!(late > 0);
}

/// The other way round: our sender makes the very octets that the Linux kernel sent.
#[test]
fn our_sender_makes_the_same_octets() {
    for name in ENCRYPTED {
        for side in SIDES {
            let half = half(name, side);
            let mut encryptor = Encryptor::new(&half.start_key, half.method);
            let packets = half.in_order();
            let mut count = 0;
            for ((_, wire), clear) in packets.iter().zip(half.decrypted(&packets)) {
                let mut packet = Packet::new();
                // Lost on the way: something else takes their places.
                while count != mppe::Header::parse(wire).unwrap().count {
                    assert!(!half.method.stateful && packet.set(&[0x21]));
                    encryptor.seal(&mut packet);
                    count += 1;
                }
                assert!(packet.set(&clear.unwrap()));
                encryptor.seal(&mut packet);
                count += 1;
                assert_eq!(packet.data(), wire, "{name} {side:?}");
            }
        }
    }
}

#[test]
fn an_unencrypted_call() {
    let frames = ppp(&recording("plain-no-mppe"));
    for side in SIDES {
        assert_eq!(method(&frames, side), None);
        let sent = frames.iter().filter(|frame| frame.from == side);
        let mut packets: Vec<_> = sent.filter(|frame| frame.protocol == protocol::IPV4).collect();
        packets.sort_by_key(|frame| frame.sequence);
        let clear: Vec<_> = packets.into_iter().map(|frame| frame.data.clone()).collect();
        assert_holds_inner("plain-no-mppe", side, &clear, 0);
    }
}
