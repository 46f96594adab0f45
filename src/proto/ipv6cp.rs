//! What IPV6CP negotiates (RFC 5072): the interface identifiers, of which each side makes its
//! link-local address. Header compression is refused.

use core::net::Ipv4Addr;

use super::negotiator::ControlProtocol;
use super::reply::Reply;
use crate::wire::Writer;
use crate::wire::ipv6::ROUTER;
use crate::wire::ipv6cp::option::INTERFACE_IDENTIFIER;
use crate::wire::ppp::{ConfigureOption, protocol, put_option};

/// Both identifiers.
pub struct Ipv6cp {
    own: u64,
    /// The peer's, as far as it is acceptable; 0 is none.
    peer: u64,
    /// What a peer without an identifier of its own is told.
    proposal: u64,
    /// The peer's request held the option.
    peer_named: bool,
}

impl Ipv6cp {
    /// A peer that has no identifier gets its IPv4 address as one: nobody else on this server has
    /// it, it is neither zero nor ours, and its universal/local bit says local.
    pub fn new(peer: Ipv4Addr) -> Ipv6cp {
        Ipv6cp { own: ROUTER, peer: 0, proposal: u64::from(peer.to_bits()), peer_named: false }
    }

    /// Our interface identifier.
    pub fn own(&self) -> u64 {
        self.own
    }

    /// The peer's interface identifier, once it has one.
    pub fn peer(&self) -> Option<u64> {
        (self.peer != 0).then_some(self.peer)
    }

    fn propose(&self, reply: &mut Reply) {
        reply.nak(INTERFACE_IDENTIFIER, &self.proposal.to_be_bytes());
    }
}

impl ControlProtocol for Ipv6cp {
    fn number(&self) -> u16 {
        protocol::IPV6CP
    }

    fn request(&self, options: &mut Writer) {
        put_option(options, INTERFACE_IDENTIFIER, &self.own.to_be_bytes());
    }

    fn begin_review(&mut self) {
        (self.peer, self.peer_named) = (0, false);
    }

    /// Zero, and what is ours, is answered by a better one (RFC 5072 section 4.1). Ours is never
    /// zero, so that there is no case for a Configure-Reject of the option.
    fn review(&mut self, option: &ConfigureOption, reply: &mut Reply) {
        let (INTERFACE_IDENTIFIER, Some(wish), false) =
            (option.kind, identifier(option), self.peer_named)
        else {
            return reply.reject(option);
        };
        self.peer_named = true;
        if wish == 0 || wish == self.own {
            self.propose(reply);
        } else {
            self.peer = wish;
        }
    }

    fn end_review(&mut self, reply: &mut Reply) {
        if !self.peer_named {
            self.propose(reply);
        }
    }

    /// Any identifier will do for us, as long as it is not the peer's.
    fn naked(&mut self, option: &ConfigureOption) {
        if let (INTERFACE_IDENTIFIER, Some(wish)) = (option.kind, identifier(option))
            && wish != 0
            && wish != self.peer
        {
            self.own = wish;
        }
    }

    /// Without identifiers there are no addresses.
    fn rejected(&mut self, _option: &ConfigureOption) -> bool {
        false
    }
}

fn identifier(option: &ConfigureOption) -> Option<u64> {
    option.data.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::reply::{ANSWER, Verdict};
    use crate::wire::ppp::Options;

    const PROPOSAL: [u8; 10] = [1, 10, 0, 0, 0, 0, 192, 168, 77, 10];

    fn reviewed(ipv6cp: &mut Ipv6cp, options: &[u8]) -> (Verdict, [u8; 10], usize) {
        let mut answer = [0; ANSWER];
        let mut reply = Reply::new(&mut answer);
        ipv6cp.begin_review();
        for option in Options::new(options).flatten() {
            ipv6cp.review(&option, &mut reply);
        }
        ipv6cp.end_review(&mut reply);
        let (verdict, len) = (reply.verdict(), reply.len());
        (verdict, *answer.first_chunk().unwrap(), len)
    }

    fn fresh() -> Ipv6cp {
        Ipv6cp::new(Ipv4Addr::new(192, 168, 77, 10))
    }

    #[test]
    fn zero_ours_and_none_are_answered_by_a_proposal() {
        for options in [&[1, 10, 0, 0, 0, 0, 0, 0, 0, 0][..], &[1, 10, 0, 0, 0, 0, 0, 0, 0, 1], &[]]
        {
            let mut ipv6cp = fresh();
            assert_eq!(reviewed(&mut ipv6cp, options), (Verdict::Nak, PROPOSAL, 10));
            assert_eq!(ipv6cp.peer(), None);
        }
        let mut ipv6cp = fresh();
        assert_eq!(reviewed(&mut ipv6cp, &PROPOSAL).0, Verdict::Ack);
        assert_eq!(ipv6cp.peer(), Some(0xc0a8_4d0a));
    }

    #[test]
    fn other_options_wrong_lengths_and_a_second_identifier_are_rejected() {
        for options in [&[2, 4, 0, 0x4f][..], &[1, 9, 1, 2, 3, 4, 5, 6, 7], &[1, 2]] {
            let (verdict, _, len) = reviewed(&mut fresh(), options);
            assert_eq!((verdict, len), (Verdict::Reject, options.len()));
        }
        let mut twice = [0; 20];
        twice[..10].copy_from_slice(&PROPOSAL);
        twice[10..].copy_from_slice(&[1, 10, 0, 0, 0, 0, 0, 0, 0, 7]);
        let (verdict, answer, len) = reviewed(&mut fresh(), &twice);
        assert_eq!((verdict, answer[9], len), (Verdict::Reject, 7, 10));
    }

    #[test]
    fn ours_gives_way_to_what_the_peer_wants_but_not_to_its_own() {
        let mut ipv6cp = fresh();
        reviewed(&mut ipv6cp, &PROPOSAL);
        let nak = |ipv6cp: &mut Ipv6cp, octets: &[u8]| {
            Options::new(octets).flatten().for_each(|option| ipv6cp.naked(&option));
        };
        for useless in [&PROPOSAL[..], &[1, 10, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 3, 9]] {
            nak(&mut ipv6cp, useless);
            assert_eq!(ipv6cp.own(), ROUTER);
        }
        nak(&mut ipv6cp, &[1, 10, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(ipv6cp.own(), 2);
    }
}
