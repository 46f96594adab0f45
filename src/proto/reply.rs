//! The answer to a Configure-Request while its options are looked at (RFC 1661 section 5).

use crate::wire::Writer;
use crate::wire::ppp::{ConfigureOption, ControlPacket, Options};

/// Octets of an answer.
pub const ANSWER: usize = crate::limits::MRU;

/// What a protocol says to one option, or to all, of the peer's Configure-Request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ack,
    Nak,
    Reject,
}

/// The answer to a Configure-Request under construction: a worse verdict clears what a better one
/// had collected (RFC 1661 sections 5.3 and 5.4: a Nak holds only naked options, a Reject only
/// rejected ones).
pub struct Reply<'a> {
    verdict: Verdict,
    options: &'a mut [u8; ANSWER],
    len: usize,
}

impl<'a> Reply<'a> {
    /// Nothing is wrong yet.
    pub fn new(options: &'a mut [u8; ANSWER]) -> Reply<'a> {
        Reply { verdict: Verdict::Ack, options, len: 0 }
    }

    /// Naks with the option and data that would be accepted.
    pub fn nak(&mut self, kind: u8, data: &[u8]) {
        self.add(Verdict::Nak, |writer| crate::wire::ppp::put_option(writer, kind, data));
    }

    /// Rejects the option as it was sent.
    pub fn reject(&mut self, option: &ConfigureOption) {
        self.add(Verdict::Reject, |writer| writer.put(option.raw));
    }

    /// The verdict so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Octets of the options that it names.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it names no option.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// After too many Naks: rejects the options of the peer that a Nak would have named. What the
    /// Nak named but the peer never sent cannot be rejected.
    pub fn reject_naked(&mut self, packet: &ControlPacket) {
        let mut kinds = [false; 256];
        for option in Options::new(&self.options[..self.len]).flatten() {
            kinds[usize::from(option.kind)] = true;
        }
        (self.verdict, self.len) = (Verdict::Reject, 0);
        for option in Options::new(packet.data).flatten() {
            if kinds[usize::from(option.kind)] {
                self.reject(&option);
            }
        }
        if self.is_empty() {
            // The peer leaves out what we asked for and sends nothing that could be refused
            // instead: accepted, and whether a call can live without it is decided by the layer
            // above.
            self.verdict = Verdict::Ack;
        }
    }

    fn add(&mut self, verdict: Verdict, write: impl FnOnce(&mut Writer)) {
        if verdict < self.verdict {
            return;
        }
        if verdict > self.verdict {
            (self.verdict, self.len) = (verdict, 0);
        }
        // Options that no longer fit are left out: the peer asks again and meets them then.
        let mut writer = Writer::new(&mut self.options[self.len..]);
        write(&mut writer);
        self.len += writer.finish().unwrap_or(0);
    }
}
