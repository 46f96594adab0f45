//! The sending direction of MPPE.

use pptp_cipher::Scratch;

use super::keys::SessionKey;
use super::stream::Stream;
use super::{FLAG, Method, is_flag};
use crate::packet::Packet;
use crate::wire::mppe::{COUNTS, Header};

/// Encrypts what is sent to the peer.
pub struct Encryptor {
    key: SessionKey,
    /// Of the next packet.
    count: u16,
    /// Runs on from packet to packet in stateful mode.
    stream: Option<Stream>,
    /// The peer lost a packet.
    reset: bool,
}

impl Encryptor {
    /// A sender whose first packet has count 0, under `start_key` (RFC 3079 section 3.4).
    pub fn new(start_key: &[u8; 16], method: Method) -> Encryptor {
        let key = SessionKey::new(start_key, method.strength);
        let stream = method.stateful.then(|| key.stream());
        Encryptor { key, count: 0, stream, reset: false }
    }

    /// Turns inner protocol field and data into MPPE header and encrypted data.
    pub fn seal(&mut self, packet: &mut Packet) {
        let flushed = match self.stream {
            Some(_) => self.seal_stateful(packet.data_mut()),
            None => self.seal_stateless(packet),
        };
        let header = Header { flushed, compressed: false, encrypted: true, count: self.count };
        packet.prepend_array(header.to_octets());
        self.count = (self.count + 1) % COUNTS;
    }

    /// Every packet has its own key, the first one too (RFC 3078 section 8.1). Returns the FLUSHED
    /// bit.
    fn seal_stateless(&mut self, packet: &mut Packet) -> bool {
        let mut cipher = Scratch::blank();
        self.key.change_with(&mut cipher.0);
        packet.apply(&mut cipher.0, 0);
        true
    }

    /// The stream runs on, except that flag packets start a new key (RFC 3078 section 8.2).
    /// Returns the FLUSHED bit. It is not set on the very first packet, although section 3.1 asks
    /// for it: Linux would change its key.
    fn seal_stateful(&mut self, data: &mut [u8]) -> bool {
        if core::mem::take(&mut self.reset) {
            self.count |= FLAG;
        }
        let flushed = is_flag(self.count);
        if flushed {
            self.key.change();
            self.stream = Some(self.key.stream());
        }
        if let Some(stream) = &mut self.stream {
            stream.apply(data);
        }
        flushed
    }

    /// A CCP Reset-Request came: the next packet gives the peer a fresh start.
    ///
    /// RFC 3078 section 8.2 and FreeBSD's ng_mppc answer with a flushed packet under the *current*
    /// key; Linux' ppp_mppe changes the key on every flushed packet. Which of them the peer is
    /// cannot be seen here. But they agree on flag packets, so the count jumps forward to the next
    /// one, as if the packets between had been sent and lost:
    /// * Linux waits for a flushed packet, changes the key once for each step of the count's high
    ///   four bits between the first lost packet and this one (its missed flag packets), and once
    ///   more since the packet is flushed.
    /// * FreeBSD changes the key for each count that ends in ff between the packet it expects and
    ///   this one, and once more since this count itself ends in ff.
    ///
    /// Both come to our key, however many flag packets they missed short of a round of 16. Were
    /// the key changed on a flushed packet that is not a flag packet, as Linux does, then the loss
    /// of that one packet would end the understanding with Linux for good: it counts missed flag
    /// packets, but not missed flushed ones. A request that comes twice before a packet is sent
    /// makes one jump.
    pub fn reset(&mut self) {
        self.reset = true;
    }
}

impl Drop for Encryptor {
    fn drop(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.wipe();
        }
    }
}
