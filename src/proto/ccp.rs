//! What CCP negotiates (RFC 1962, RFC 3078 section 2): the strength of MPPE and whether the key
//! changes with every packet. Each side's request says what that side can receive.

use super::mppe::{Method, Strength};
use super::negotiator::ControlProtocol;
use super::reply::Reply;
use crate::wire::Writer;
use crate::wire::ccp::{MPPE, SupportedBits};
use crate::wire::ppp::{ConfigureOption, protocol};

/// What the configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The weakest key.
    pub min: Strength,
    /// Whether the peer may leave out the stateless bit.
    pub stateful: bool,
}

impl Policy {
    /// The strengths that are allowed, as bits of the option.
    fn strengths(self) -> u32 {
        match self.min {
            Strength::Bits128 => SupportedBits::BITS_128,
            Strength::Bits56 => SupportedBits::BITS_128 | SupportedBits::BITS_56,
            Strength::Bits40 => SupportedBits::STRENGTHS,
        }
    }
}

/// Our wishes and the peer's.
pub struct Ccp {
    policy: Policy,
    /// What we ask to receive; `None` once the peer rejected MPPE.
    own: Option<Method>,
    /// What the peer asked to receive, as far as it is acceptable.
    peer: Option<Method>,
    /// The peer's request held an MPPE option.
    peer_named_mppe: bool,
}

impl Ccp {
    /// Asks for 128 bit, stateless, first.
    pub fn new(policy: Policy) -> Ccp {
        let own = Some(Method { strength: Strength::Bits128, stateful: false });
        Ccp { policy, own, peer: None, peer_named_mppe: false }
    }

    /// How we receive, once open.
    pub fn receive(&self) -> Option<Method> {
        self.own
    }

    /// How we send, once open.
    pub fn send(&self) -> Option<Method> {
        self.peer
    }

    /// What a Nak to the peer should name: the best that is allowed among the strengths in
    /// `wanted`, and stateless unless the peer may choose otherwise and did.
    fn counter_offer(&self, wanted: u32) -> SupportedBits {
        let common = wanted & self.policy.strengths();
        let strength = strongest(common).unwrap_or(SupportedBits::BITS_128);
        let stateful = self.policy.stateful && wanted & SupportedBits::STATELESS == 0;
        // A request without any strength (Windows) means nothing by its H bit either.
        let stateful = stateful && wanted & SupportedBits::STRENGTHS != 0;
        let mode = if stateful { 0 } else { SupportedBits::STATELESS };
        SupportedBits(strength | mode)
    }
}

impl ControlProtocol for Ccp {
    fn number(&self) -> u16 {
        protocol::CCP
    }

    /// The RFC's own slow timer, and patience: a request that arrives again after the peer's CCP has
    /// opened makes pppd drop the call.
    fn restart_ms(&self) -> u64 {
        3000
    }

    fn patience(&self) -> u8 {
        2
    }

    fn max_configure(&self) -> u8 {
        15
    }

    /// Exactly one strength: Windows answers a choice of several with Naks in circles.
    fn request(&self, options: &mut Writer) {
        if let Some(method) = self.own {
            bits(method).emit(options);
        }
    }

    fn begin_review(&mut self) {
        (self.peer, self.peer_named_mppe) = (None, false);
    }

    fn review(&mut self, option: &ConfigureOption, reply: &mut Reply) {
        let (MPPE, Some(wanted)) = (option.kind, option.u32()) else {
            return reply.reject(option);
        };
        self.peer_named_mppe = true;
        let offer = self.counter_offer(wanted);
        if SupportedBits(wanted) == offer {
            self.peer = method(offer);
        } else {
            reply.nak(MPPE, &offer.to_octets());
        }
    }

    fn end_review(&mut self, reply: &mut Reply) {
        if !self.peer_named_mppe {
            reply.nak(MPPE, &self.counter_offer(0).to_octets());
        }
    }

    /// The peer names what it can send: taken if it is one allowed strength.
    fn naked(&mut self, option: &ConfigureOption) {
        let (MPPE, Some(wish)) = (option.kind, option.u32()) else { return };
        let allowed = wish & self.policy.strengths();
        let Some(strength) = strongest(allowed) else { return };
        let stateful = self.policy.stateful && wish & SupportedBits::STATELESS == 0;
        let mode = if stateful { 0 } else { SupportedBits::STATELESS };
        self.own = method(SupportedBits(strength | mode)).or(self.own);
    }

    fn rejected(&mut self, option: &ConfigureOption) -> bool {
        if option.kind == MPPE {
            self.own = None;
        }
        self.own.is_some()
    }
}

/// The strongest of the strength bits in `wanted`.
fn strongest(wanted: u32) -> Option<u32> {
    let order = [SupportedBits::BITS_128, SupportedBits::BITS_56, SupportedBits::BITS_40];
    order.into_iter().find(|bit| wanted & bit != 0)
}

fn bits(method: Method) -> SupportedBits {
    let strength = match method.strength {
        Strength::Bits40 => SupportedBits::BITS_40,
        Strength::Bits56 => SupportedBits::BITS_56,
        Strength::Bits128 => SupportedBits::BITS_128,
    };
    SupportedBits(if method.stateful { strength } else { strength | SupportedBits::STATELESS })
}

fn method(bits: SupportedBits) -> Option<Method> {
    let strength = match bits.0 & SupportedBits::STRENGTHS {
        SupportedBits::BITS_40 => Strength::Bits40,
        SupportedBits::BITS_56 => Strength::Bits56,
        SupportedBits::BITS_128 => Strength::Bits128,
        _ => return None,
    };
    Some(Method { strength, stateful: bits.0 & SupportedBits::STATELESS == 0 })
}
