//! A caller's MPPE: the library's code where both sides are the same, models of the field's peers
//! for stateful 128 bit.

use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor, Method, Strength};
use pptp::proto::mschap;

use super::mppe_peers::{Kind, Receiver, Sender};

/// The method that bits of a CCP option stand for; they must name one strength.
pub fn method(bits: u32) -> Method {
    let strength = match bits & 0xe0 {
        0x20 => Strength::Bits40,
        0x40 => Strength::Bits128,
        0x80 => Strength::Bits56,
        other => panic!("strength {other:02x}"),
    };
    Method { strength, stateful: bits & 0x0100_0000 == 0 }
}

/// The caller's start keys for sending and for receiving.
pub fn start_keys(password: &str, nt_response: &[u8; 24]) -> ([u8; 16], [u8; 16]) {
    let hash = mschap::nt_hash_of(password).unwrap();
    let master = mschap::get_master_key(&mschap::hash_nt_password_hash(&hash), nt_response);
    let key = |server_sends| mschap::get_asymmetric_start_key(&master, server_sends);
    (key(false), key(true))
}

pub enum Sealer {
    Library(Encryptor),
    Peer(Sender),
}

impl Sealer {
    pub fn new(key: &[u8; 16], bits: u32, kind: Kind) -> Sealer {
        let method = method(bits);
        match method.stateful && method.strength == Strength::Bits128 {
            true => Sealer::Peer(Sender::new(kind, *key)),
            false => Sealer::Library(Encryptor::new(key, method)),
        }
    }

    pub fn seal(&mut self, clear: &[u8]) -> Vec<u8> {
        match self {
            Sealer::Peer(sender) => sender.send(clear),
            Sealer::Library(encryptor) => {
                let mut packet = Packet::new();
                assert!(packet.set(clear));
                encryptor.seal(&mut packet);
                packet.data().to_vec()
            }
        }
    }

    pub fn reset(&mut self) {
        match self {
            Sealer::Peer(sender) => sender.reset(),
            Sealer::Library(encryptor) => encryptor.reset(),
        }
    }
}

pub enum Opener {
    Library(Decryptor),
    Peer(Receiver),
}

impl Opener {
    pub fn new(key: &[u8; 16], bits: u32, kind: Kind) -> Opener {
        let method = method(bits);
        match method.stateful && method.strength == Strength::Bits128 {
            true => Opener::Peer(Receiver::new(kind, *key)),
            false => Opener::Library(Decryptor::new(key, method)),
        }
    }

    /// The clear packet; the error says whether the server is to be asked for a reset.
    pub fn open(&mut self, wire: &[u8]) -> Result<Vec<u8>, bool> {
        match self {
            Opener::Peer(receiver) => receiver.receive(wire).ok_or(true),
            Opener::Library(decryptor) => {
                let mut packet = Packet::new();
                assert!(packet.set(wire));
                match decryptor.open(&mut packet) {
                    Ok(()) => Ok(packet.data().to_vec()),
                    Err(_) => Err(decryptor.awaits_reset()),
                }
            }
        }
    }
}
