//! The receiving direction of MPPE.

use super::Method;
use super::keys::SessionKey;
use super::stateful::Stateful;
use super::stateless::Stateless;
use crate::packet::Packet;
use crate::reason::Discard;
use crate::wire::mppe::{HEADER, Header};

/// Decrypts what the peer sends.
pub struct Decryptor(Receiver);

/// There is no heap to put the larger one on.
#[allow(clippy::large_enum_variant)]
enum Receiver {
    Stateless(Stateless),
    Stateful(Stateful),
}

impl Decryptor {
    /// A receiver that waits for the first packet under `start_key` (RFC 3079 section 3.4: at the
    /// server the start key that is not for sending).
    pub fn new(start_key: &[u8; 16], method: Method) -> Decryptor {
        let key = SessionKey::new(start_key, method.strength);
        Decryptor(match method.stateful {
            true => Receiver::Stateful(Stateful::new(key)),
            false => Receiver::Stateless(Stateless::new(key)),
        })
    }

    /// Turns MPPE header and encrypted data into inner protocol field and data. An error leaves
    /// the keys as they were, so that whatever arrives, the next good packet is read.
    ///
    /// The packet that is expected is believed when it starts with a protocol field, one from
    /// further ahead only when it is a whole IP packet.
    pub fn open(&mut self, packet: &mut Packet) -> Result<(), Discard> {
        let header = Header::parse(packet.data()).map_err(|_| Discard::MppeHeader)?;
        if !header.encrypted || header.compressed {
            return Err(Discard::MppeHeader);
        }
        packet.strip(HEADER);
        match &mut self.0 {
            Receiver::Stateless(receiver) => receiver.open(header, packet),
            Receiver::Stateful(receiver) => receiver.open(header, packet),
        }
    }

    /// Whether the packet is the one that comes next: looking at it costs one key change at most.
    pub fn expects(&self, packet: &Packet) -> bool {
        let header = Header::parse(packet.data());
        header.is_ok_and(|header| match &self.0 {
            Receiver::Stateless(receiver) => receiver.expects(header),
            Receiver::Stateful(receiver) => receiver.expects(header),
        })
    }

    /// Whether packets were lost in stateful mode, so that the peer must be asked for a flushed
    /// one by a CCP Reset-Request, again and again until this is false (RFC 3078 section 8.2).
    pub fn awaits_reset(&self) -> bool {
        matches!(&self.0, Receiver::Stateful(receiver) if receiver.lost)
    }

    /// Key changes computed so far, for packets believed or not: the work that packets cost. One
    /// call of `open` adds at most `limits::REKEYS_PER_PACKET`.
    pub fn key_changes(&self) -> u32 {
        match &self.0 {
            Receiver::Stateless(receiver) => receiver.work,
            Receiver::Stateful(receiver) => receiver.work,
        }
    }
}
