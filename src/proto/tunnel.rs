//! The numbers of one GRE tunnel (RFC 2637 section 4): what is sent next, what is expected, and
//! what is to be acknowledged.

use crate::limits::{ACK_DELAY_MS, ACK_EVERY, ACK_TICK_MS};
use crate::time::Instant;
use crate::wire::gre::Header;

/// Where a received sequence number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one that was expected.
    Next,
    /// So many numbers are missing before it.
    Ahead(u32),
    /// The last one again.
    Duplicate,
    /// Before the expected one: a duplicate, or too late.
    Behind,
}

/// Sequence and acknowledgment numbers of one call; all of them wrap.
#[derive(Debug, Clone)]
pub struct Tunnel {
    next_send: u32,
    expected: Option<u32>,
    /// The first packet had number 1 and number 0 may still come: it was overtaken.
    zero_may_come: bool,
    unacknowledged: u32,
    ack_at: Option<Instant>,
    /// The highest of our numbers that the peer acknowledged.
    pub acknowledged: Option<u32>,
    /// The highest number that has arrived.
    highest: Option<u32>,
    /// Packets that were still missing when a later one was taken.
    pub lost: u32,
    /// Packets that arrived after a later one.
    pub reordered: u32,
}

impl Default for Tunnel {
    fn default() -> Self {
        Tunnel::new()
    }
}

impl Tunnel {
    /// A tunnel on which nothing was sent: our first number is 0.
    pub fn new() -> Tunnel {
        Tunnel {
            next_send: 0,
            expected: None,
            zero_may_come: false,
            unacknowledged: 0,
            ack_at: None,
            acknowledged: None,
            highest: None,
            lost: 0,
            reordered: 0,
        }
    }

    /// Whether any packet with payload was received.
    pub fn has_received(&self) -> bool {
        self.expected.is_some()
    }

    /// The number that the next packet in order will have; `None` before the first one.
    pub fn expected(&self) -> Option<u32> {
        self.expected
    }

    /// Where `sequence` stands. The first packet of a call is in order whatever its number is;
    /// peers start at 0 (RFC 2637 section 4.1) or 1 (Linux).
    pub fn place(&self, sequence: u32) -> Place {
        let Some(expected) = self.expected else { return Place::Next };
        match sequence.wrapping_sub(expected) {
            0 => Place::Next,
            distance if distance < 1 << 31 => Place::Ahead(distance),
            _ if sequence == 0 && self.zero_may_come => Place::Next,
            u32::MAX => Place::Duplicate,
            _ => Place::Behind,
        }
    }

    /// `sequence` arrived, whatever becomes of it: counts the ones that were overtaken.
    pub fn arrived(&mut self, sequence: u32) {
        match self.highest.map(|highest| sequence.wrapping_sub(highest)) {
            Some(0) => {}
            Some(distance) if distance >= 1 << 31 => {
                self.reordered = self.reordered.saturating_add(1);
            }
            _ => self.highest = Some(sequence),
        }
    }

    /// `sequence` was received and taken: the next one is expected, and an acknowledgment is due.
    pub fn accept(&mut self, sequence: u32, now: Instant) {
        if sequence == 0 && self.zero_may_come {
            self.zero_may_come = false;
        } else {
            let gap = self.expected.map_or(0, |expected| sequence.wrapping_sub(expected));
            self.lost = self.lost.saturating_add(gap);
            self.zero_may_come = self.expected.is_none() && sequence == 1;
            self.expected = Some(sequence.wrapping_add(1));
        }
        self.unacknowledged += 1;
        if self.ack_at.is_none() {
            self.ack_at = Some(shared_tick(now + ACK_DELAY_MS));
        }
    }

    /// The peer acknowledged our packets up to `number`.
    pub fn acknowledge(&mut self, number: u32) {
        let sent = number.wrapping_sub(self.next_send) >= 1 << 31;
        let newer = self.acknowledged.is_none_or(|old| number.wrapping_sub(old) < 1 << 31);
        if sent && newer {
            self.acknowledged = Some(number);
        }
    }

    /// The header of the next packet with `payload_length` octets; a pending acknowledgment rides
    /// on it. `call_id` is the peer's.
    pub fn data_header(&mut self, call_id: u16, payload_length: u16) -> Header {
        let sequence = Some(self.next_send);
        self.next_send = self.next_send.wrapping_add(1);
        Header { payload_length, call_id, sequence, acknowledgment: self.take_acknowledgment() }
    }

    /// Whether one packet waits for an acknowledgment: the timer is as old as it.
    pub fn has_first_unacknowledged(&self) -> bool {
        self.unacknowledged == 1
    }

    /// Whether so many packets wait for an acknowledgment that it should not wait for data.
    pub fn has_many_unacknowledged(&self) -> bool {
        self.unacknowledged >= ACK_EVERY
    }

    /// When an acknowledgment must go alone.
    pub fn ack_at(&self) -> Option<Instant> {
        self.ack_at
    }

    /// The header of an acknowledgment that goes alone, if one is due by time or by number.
    pub fn acknowledgment_header(&mut self, call_id: u16, now: Instant) -> Option<Header> {
        let due = crate::time::due(self.ack_at, now) || self.has_many_unacknowledged();
        let acknowledgment = if due { self.take_acknowledgment() } else { None };
        acknowledgment?;
        Some(Header { payload_length: 0, call_id, sequence: None, acknowledgment })
    }

    fn take_acknowledgment(&mut self) -> Option<u32> {
        let expected = self.expected.filter(|_| self.unacknowledged > 0)?;
        (self.unacknowledged, self.ack_at) = (0, None);
        Some(expected.wrapping_sub(1))
    }
}

/// The acknowledgments of all calls wait for the same ticks, so that a thousand calls do not wake
/// the server a thousand times.
fn shared_tick(at: Instant) -> Instant {
    Instant(at.0 - at.0 % ACK_TICK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1000);

    #[test]
    fn the_first_number_may_be_zero_or_one_and_zero_may_be_overtaken() {
        let mut tunnel = Tunnel::new();
        assert_eq!(tunnel.place(1), Place::Next);
        tunnel.accept(1, NOW);
        assert_eq!(tunnel.place(0), Place::Next);
        tunnel.accept(0, NOW);
        assert_eq!(tunnel.place(0), Place::Behind);
        assert_eq!(tunnel.place(2), Place::Next);
    }

    #[test]
    fn numbers_wrap() {
        let mut tunnel = Tunnel::new();
        tunnel.accept(u32::MAX - 1, NOW);
        assert_eq!(tunnel.place(u32::MAX), Place::Next);
        assert_eq!(tunnel.place(0), Place::Ahead(1));
        assert_eq!(tunnel.place(u32::MAX - 1), Place::Duplicate);
        assert_eq!(tunnel.place(u32::MAX - 2), Place::Behind);
        tunnel.accept(u32::MAX, NOW);
        assert_eq!(tunnel.expected(), Some(0));
        assert_eq!(tunnel.data_header(7, 1).acknowledgment, Some(u32::MAX));
    }

    #[test]
    fn lost_and_overtaken_packets_are_counted() {
        let mut tunnel = Tunnel::new();
        for sequence in [u32::MAX, 0, 3, 1, 3] {
            tunnel.arrived(sequence);
        }
        assert_eq!(tunnel.reordered, 1);
        for sequence in [u32::MAX, 0, 1, 3] {
            tunnel.accept(sequence, NOW);
        }
        assert_eq!(tunnel.lost, 1);
    }

    #[test]
    fn our_own_numbers_wrap() {
        let mut tunnel = Tunnel { next_send: u32::MAX, ..Tunnel::new() };
        assert_eq!(tunnel.data_header(7, 1).sequence, Some(u32::MAX));
        assert_eq!(tunnel.data_header(7, 1).sequence, Some(0));
        tunnel.acknowledge(u32::MAX);
        tunnel.acknowledge(0);
        tunnel.acknowledge(1);
        assert_eq!(tunnel.acknowledged, Some(0));
    }

    #[test]
    fn acknowledgments_ride_or_go_alone_after_a_while_or_after_many() {
        let mut tunnel = Tunnel::new();
        tunnel.accept(0, NOW);
        assert_eq!(tunnel.acknowledgment_header(7, NOW), None);
        assert_eq!(tunnel.data_header(7, 9).acknowledgment, Some(0));
        assert_eq!(tunnel.data_header(7, 9).acknowledgment, None);
        tunnel.accept(1, NOW);
        let alone = tunnel.acknowledgment_header(7, NOW + ACK_DELAY_MS).unwrap();
        assert_eq!((alone.acknowledgment, alone.sequence), (Some(1), None));
        for sequence in 2..2 + ACK_EVERY {
            assert_eq!(tunnel.acknowledgment_header(7, NOW), None);
            tunnel.accept(sequence, NOW);
        }
        assert!(tunnel.acknowledgment_header(7, NOW).is_some());
    }

    #[test]
    fn acknowledgments_of_what_was_never_sent_are_not_believed() {
        let mut tunnel = Tunnel::new();
        tunnel.acknowledge(0);
        assert_eq!(tunnel.acknowledged, None);
        tunnel.data_header(7, 1);
        tunnel.data_header(7, 1);
        tunnel.acknowledge(1);
        tunnel.acknowledge(0);
        assert_eq!(tunnel.acknowledged, Some(1));
    }
}
