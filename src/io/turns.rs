//! Whose turn it is: packets of both directions, in the order in which they come as long as there is
//! time for all of them, and fairly between the callers when there is not.
//!
//! A turn of the loop serves up to `BUDGET` packets of each direction straight away; that is all there
//! is to do nearly always. When that leaves some, the rest is read into the queue of
//! `pptp::session::fair`, the sockets stay empty, and nobody's packet waits behind a crowd that is not
//! his own. To read a packet costs 3 000 instructions on MIPS and to serve it 30 000 to 60 000, so a
//! flood is read, and dropped, much faster than it would be served. But reading never takes longer
//! than serving: what even that leaves waits for the kernel to drop it.

use pptp::session::Source;
use pptp::session::fair::KEY_COST;
use pptp::time::Instant;

use super::clock::monotonic;
use super::failure::Failure;
use super::{World, is_passing, tun};

/// Packets that are read from each side before some are served.
const READS: usize = 64;

/// What is served at least before the next look at what came, in the unit of `session::fair`: four of
/// the largest packets, or about ten of the smallest.
const SERVED: u32 = 4 * (800 + 1400);

/// How often that is done before the other parts of the program have their turn.
const ROUNDS: usize = 4;

/// Milliseconds of work during which nothing is dropped: what does not fit stays where it is. A burst
/// is not overload.
const PATIENCE_MS: u64 = 3;

/// Key changes, beyond one for each packet, after which what is left waits for the next turn.
pub const EXTRA_KEYS: u32 = 64;

impl World<'_, '_> {
    /// From the callers to the LAN and back.
    pub(super) fn packets(&mut self, now: Instant) -> Result<(), Failure> {
        if self.queue.is_empty() {
            self.calm_at = now;
            self.server.take_extra_keys();
            self.gre(now);
            self.tun(now)?;
        }
        let patient = now.since(self.calm_at) < PATIENCE_MS;
        for _ in 0..ROUNDS {
            let ready = &self.ready;
            if self.queue.is_empty() && !ready.gre && !ready.tun {
                break;
            }
            let began = monotonic();
            self.read_gre(patient);
            self.read_tun(patient)?;
            let served_from = monotonic();
            let until = served_from + served_from.saturating_sub(began);
            while self.serve(now) && monotonic() < until {}
        }
        self.open.tun.flush();
        Ok(())
    }

    fn read_gre(&mut self, patient: bool) {
        for _ in 0..READS {
            if !self.ready.gre || patient && self.queue.is_full() {
                break;
            }
            match self.open.gre.read(self.packet) {
                Ok(Some(from)) => match self.server.whose_gre(from, self.packet) {
                    Ok((slot, follows)) => self.enqueue(slot, Source::Gre(from), follows),
                    Err(_counted) => {}
                },
                Ok(None) => {}
                Err(error) => self.ready.gre = is_passing(&error, "GRE socket"),
            }
        }
    }

    fn read_tun(&mut self, patient: bool) -> Result<(), Failure> {
        for _ in 0..READS {
            if !self.ready.tun || patient && self.queue.is_full() {
                break;
            }
            match self.open.tun.read(self.packet) {
                Ok(()) => {
                    let slot = self.server.whose_tun(self.packet);
                    self.enqueue(slot, Source::Tun, false);
                }
                Err(error) if tun::is_gone(&error) => self.make_tun_again()?,
                Err(error) => self.ready.tun = is_passing(&error, "TUN device"),
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, slot: u16, source: Source, follows: bool) {
        if let Some(dropped) = self.queue.push(&mut self.packet, slot, source, follows) {
            self.server.overloaded(dropped);
        }
    }

    /// Serves those whose turn it is; whether any are left.
    fn serve(&mut self, now: Instant) -> bool {
        let mut left = SERVED;
        while left > 0 {
            let Some(next) = self.queue.pop(&mut self.packet) else { return false };
            self.server.take_extra_keys();
            match next.source {
                Source::Gre(from) => {
                    let taken = self.server.handle_waited(from, self.packet, next.behind_gap, now);
                    self.taken(taken, now);
                }
                Source::Tun => self.forward(now),
            }
            let extra = self.server.take_extra_keys() * KEY_COST;
            self.queue.charge(next.owner, extra);
            left = left.saturating_sub(next.cost + extra);
            self.release(now);
        }
        true
    }
}
