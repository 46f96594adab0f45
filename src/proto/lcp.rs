//! What LCP negotiates (RFC 1661 section 6): the sizes, the magic number, and that the peer
//! authenticates itself by MS-CHAPv2.

use super::negotiator::ControlProtocol;
use super::reply::Reply;
use crate::limits;
use crate::wire::Writer;
use crate::wire::lcp::{
    CHAP_MSCHAPV2, MRU_DEFAULT, MRU_MIN, option, put_magic, put_mru, put_mschapv2,
};
use crate::wire::ppp::{ConfigureOption, protocol};

/// Our wishes and the peer's.
pub struct Lcp {
    /// Octets that we ask the peer to keep its packets to; `None` once it rejected the option.
    own_mru: Option<u16>,
    /// Our magic number; `None` once the peer rejected the option.
    own_magic: Option<u32>,
    /// Octets of the largest information field that the peer wants to get.
    pub peer_mru: u16,
    /// The peer takes frames whose protocol field is one octet (Protocol-Field-Compression).
    pub peer_pfc: bool,
    /// The peer takes frames without address and control field.
    pub peer_acfc: bool,
    peer_magic: u32,
    /// Whether the peer refuses to authenticate itself by MS-CHAPv2.
    pub refuses_authentication: bool,
}

impl Lcp {
    /// `mru` is what we ask the peer for, `magic` a random number.
    pub fn new(mru: u16, magic: u32) -> Lcp {
        Lcp {
            own_mru: Some(mru),
            own_magic: Some(magic),
            peer_mru: MRU_DEFAULT,
            peer_pfc: false,
            peer_acfc: false,
            peer_magic: 0,
            refuses_authentication: false,
        }
    }

    /// The number for the Echo packets that we send (RFC 1661 section 5.8): zero if not agreed.
    pub fn magic(&self) -> u32 {
        self.own_magic.unwrap_or(0)
    }

    /// The largest information field that may be sent to the peer. It told us its MRU, and by RFC
    /// 1661 section 6.1 it takes 1500 octets all the same; but never more.
    pub fn send_limit(&self) -> u16 {
        self.peer_mru.min(limits::MRU as u16)
    }
}

impl ControlProtocol for Lcp {
    fn number(&self) -> u16 {
        protocol::LCP
    }

    fn request(&self, options: &mut Writer) {
        if let Some(mru) = self.own_mru {
            put_mru(options, mru);
        }
        put_mschapv2(options);
        if let Some(magic) = self.own_magic {
            put_magic(options, magic);
        }
    }

    fn begin_review(&mut self) {
        (self.peer_mru, self.peer_magic) = (MRU_DEFAULT, 0);
        (self.peer_pfc, self.peer_acfc) = (false, false);
    }

    fn review(&mut self, option: &ConfigureOption, reply: &mut Reply) {
        match (option.kind, option.data.len()) {
            (option::MRU, 2) => self.review_mru(option, reply),
            // Without meaning over GRE, but every asynchronous client sends it.
            (option::ACCM, 4) => {}
            (option::MAGIC, 4) => self.review_magic(option, reply),
            (option::PFC, 0) => self.peer_pfc = true,
            (option::ACFC, 0) => self.peer_acfc = true,
            // We do not authenticate ourselves by LCP; multilink (RFC 1990), endpoint
            // discriminator, callback (RFC 1570) and all else are not for a tunnel.
            _ => reply.reject(option),
        }
    }

    fn naked(&mut self, option: &ConfigureOption) {
        match option.kind {
            option::MRU => {
                let wish = option.u16().filter(|mru| (MRU_MIN..=MRU_DEFAULT).contains(mru));
                self.own_mru = wish.or(self.own_mru);
            }
            // The same magic number at both ends: take the peer's word for another one.
            option::MAGIC => self.own_magic = option.u32().or(self.own_magic),
            // There is one authentication protocol here: asked again, then given up.
            option::AUTHENTICATION => self.refuses_authentication = option.data != CHAP_MSCHAPV2,
            _ => {}
        }
    }

    fn rejected(&mut self, option: &ConfigureOption) -> bool {
        match option.kind {
            option::MRU => self.own_mru = None,
            option::MAGIC => self.own_magic = None,
            option::AUTHENTICATION => self.refuses_authentication = true,
            _ => {}
        }
        !self.refuses_authentication
    }
}

impl Lcp {
    /// A value below what carries a minimal IPv4 packet is answered with that minimum; one above
    /// ours is only a promise (RFC 1661 section 6.1).
    fn review_mru(&mut self, option: &ConfigureOption, reply: &mut Reply) {
        self.peer_mru = option.u16().unwrap_or(MRU_DEFAULT);
        if self.peer_mru < MRU_MIN {
            self.peer_mru = MRU_MIN;
            reply.nak(option::MRU, &MRU_MIN.to_be_bytes());
        }
    }

    /// Zero is no magic number, and ours is a looped-back line (RFC 1661 section 6.4).
    fn review_magic(&mut self, option: &ConfigureOption, reply: &mut Reply) {
        self.peer_magic = option.u32().unwrap_or(0);
        if self.peer_magic == 0 || Some(self.peer_magic) == self.own_magic {
            let other = self.magic().rotate_left(7) ^ 0x5a5a_5a5a;
            reply.nak(option::MAGIC, &other.to_be_bytes());
        }
    }
}
