//! What must be true in the end, whatever was before.

use std::net::Ipv4Addr;

use super::super::client::Manners;
use super::super::common::caller::{octets_of, start_request};
use super::super::common::inner::numbered;
use super::bed::Bed;

/// Times that the timers wake the server up in the silence, at the very most: echoes every few
/// seconds for the calls that must be given up.
const WAKES: usize = 400;
/// Longer than any patience: ten minutes of silence.
const SILENCE_MS: u64 = 600_000;

impl Bed<'_> {
    pub fn finish(&mut self) {
        for connection in &mut self.connections {
            connection.is_deaf = false;
        }
        self.settle();
        if self.is_stopped {
            return self.end_of_shutdown();
        }
        self.silence();
        self.serve_a_good_caller();
    }

    /// A shutdown takes less than two seconds.
    fn end_of_shutdown(&mut self) {
        let until = self.now + 2000;
        for _ in 0..WAKES {
            let Some((at, _)) = self.server.poll_timeout().filter(|(at, _)| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            self.run_timers();
        }
        self.now = until;
        assert!(self.server.is_finished(), "still saying goodbye");
    }

    /// Nobody says anything: every place gets free, and then the server sleeps.
    fn silence(&mut self) {
        self.down.clear();
        let until = self.now + SILENCE_MS;
        let mut wakes = 0;
        while let Some((at, why)) = self.server.poll_timeout().filter(|(at, _)| *at <= until) {
            wakes += 1;
            assert!(wakes < WAKES, "woken too often, now for {why}");
            self.now = self.now.max(at);
            self.run_timers();
        }
        self.now = until;
        assert_eq!(self.server.sessions().count(), 0, "a call is left");
        assert_eq!(self.server.leased(), 0, "an address is left");
        assert!(self.connections.iter().all(|one| one.id.is_none()), "a connection is left");
        assert_eq!(self.server.poll_timeout(), None);
    }

    /// Somebody new, under the first configuration, gets in at once and has packets both ways.
    fn serve_a_good_caller(&mut self) {
        self.server.reload(self.base.clone(), self.now);
        self.settle();
        let at = self.connect(200).expect("room");
        self.hear(at, &octets_of(&start_request()));
        self.settle();
        self.ends.clear();
        self.ask_for_call(at, Manners::good());
        while self.arrive() {}
        let client = &self.ends[0].client;
        assert!(client.is_open(), "a good caller does not get in");
        let (address, lan) = (client.address(), Ipv4Addr::new(192, 168, 1, 5));
        let passed = self.tun;
        let number = 0x0021;
        let mut clear = numbered(address, lan, 1, 100);
        // The mark of call 0.
        (clear[4], clear[5]) = (0x5e, 0);
        let octets = self.ends[0].client.inner(number, &clear);
        self.send(0, &octets);
        assert_eq!(self.tun, passed + 1, "its packet did not pass");
        let back = numbered(lan, address, 2, 100);
        self.lan(&back);
        while self.arrive() {}
        assert_eq!(self.ends[0].client.received, [back], "its answer did not arrive");
    }
}
