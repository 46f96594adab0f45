//! Long weeks in simulated time: calls that come, stay, go and vanish, packets, reloads. Afterwards
//! everything is as at the start. `PPTP_DAYS` says how many days (2; a year takes some minutes).

use std::collections::BTreeMap;

use pptp::config::Config;
use pptp::session::Step;

use crate::common::dice::Dice;
use crate::common::habits::ALL;
use crate::common::inner::{number, numbered};
use crate::common::line::{GOOD, Quality};
use crate::common::ppp::Phase;
use crate::common::world::{LAN, PASSWORD, World, config_of_many, in_world};

const HOUR_MS: u64 = 3_600_000;

/// Callers that there are, of accounts of the same numbers.
const PEOPLE: u64 = 16;

/// What a home line does to packets now and then.
const ORDINARY: Quality = Quality { delay: 15, jitter: 5, loss: 1, doubled: 1, reordered: (2, 15) };

#[derive(Default, Debug)]
struct Counts {
    started: u64,
    open: u64,
    ended: BTreeMap<&'static str, u64>,
    sent: u64,
    arrived: u64,
    reloads: u64,
    hours: u64,
}

struct Town<'w, 'a> {
    world: &'w mut World<'a>,
    dice: Dice,
    counts: Counts,
}

fn base() -> Config {
    Config { max_sessions: 8, max_connections: 20, ..config_of_many(PEOPLE as usize) }
}

impl Town<'_, '_> {
    /// Where the caller with this number is, if it is connected.
    fn find(&self, last: u8) -> Option<usize> {
        let mut callers = self.world.callers.iter();
        callers.position(|caller| caller.address.octets()[3] == last && caller.id.is_some())
    }

    fn hour(&mut self) {
        for _ in 0..4 {
            let last = 1 + self.dice.below(PEOPLE) as u8;
            match self.find(last) {
                Some(at) => self.leave(at),
                None => self.come(last),
            }
        }
        self.world.run(20_000);
        self.talk();
        if self.dice.percent(5) {
            self.reload();
        }
        self.world.run(HOUR_MS - 30_000);
        self.talk();
        self.count();
        self.counts.hours += 1;
    }

    /// A caller dials in, now and then with a wrong password.
    fn come(&mut self, last: u8) {
        let quality = if self.dice.percent(30) { ORDINARY } else { GOOD };
        let password = if self.dice.percent(10) { "wrong" } else { PASSWORD };
        let habits = *self.dice.pick(&ALL);
        let user = format!("user{}", last - 1);
        self.world.dial_as(last, habits, quality, &user, password);
    }

    /// It says goodbye, is cut off, or falls silent for good.
    fn leave(&mut self, at: usize) {
        let now = self.world.now;
        match self.dice.below(4) {
            0 => self.world.callers[at].hang_up(now),
            1 => self.world.callers[at].breath = Some(0),
            2 if self.world.is_open(at) => self.world.ppp(at).renegotiate_lcp(now),
            _ => self.world.ppp(at).terminate(),
        }
        self.world.push(at);
    }

    /// A few packets each way between every open caller and the LAN.
    fn talk(&mut self) {
        self.world.tun.clear();
        for at in 0..self.world.callers.len() {
            let talks = self.world.callers[at].breath.is_none() && self.world.is_open(at);
            if !talks {
                continue;
            }
            let address = self.world.ppp(at).address();
            self.world.ppp(at).received.clear();
            for number in 0..40 {
                self.world.ppp(at).send_ip(&numbered(address, LAN, number, 200));
                self.world.push(at);
                let _ = self.world.send_tun(&numbered(LAN, address, number, 200));
                self.world.run(3);
            }
            self.world.run(300);
            self.counts.sent += 80;
            self.counts.arrived += self.world.ppp(at).received.len() as u64;
            let last = self.world.ppp(at).received.last().map(|packet| number(packet));
            assert!(last.is_none_or(|last| last >= 30), "the last packets are missing");
        }
        self.counts.arrived += self.world.tun.len() as u64;
    }

    fn reload(&mut self) {
        let mut config = base();
        if self.counts.reloads.is_multiple_of(2) {
            config.users.swap_remove(self.dice.below(PEOPLE) as usize);
        }
        self.world.server.reload(config, self.world.now);
        let seed = std::array::from_fn(|at| at as u8);
        self.world.server.reseed(seed);
        self.counts.reloads += 1;
    }

    /// Reads what happened and forgets it.
    fn count(&mut self) {
        for event in self.world.events.drain(..) {
            match event.step {
                Step::Started => self.counts.started += 1,
                Step::Open { .. } => self.counts.open += 1,
                Step::Ended { cause, .. } => {
                    *self.counts.ended.entry(cause.name()).or_default() += 1
                }
                _ => {}
            }
        }
        for caller in &mut self.world.callers {
            caller.messages.clear();
            caller.calls.iter_mut().for_each(|call| call.headers.clear());
        }
        self.world.callers.retain(|caller| caller.id.is_some());
        let over = self.world.live() as u64 + self.counts.ended.values().sum::<u64>();
        assert_eq!(self.counts.started, over, "calls that started, live and ended");
    }

    fn over(&mut self) {
        for at in 0..self.world.callers.len() {
            if !matches!(self.world.model(at).phase, Phase::Over(_)) {
                self.world.ppp(at).terminate();
            }
            self.world.push(at);
        }
        self.world.run(300_000);
        self.count();
        assert!(self.world.is_idle(), "something is left");
        assert_eq!(self.world.server.poll_timeout(), None, "nothing is left to do");
    }
}

#[test]
fn long_weeks() {
    let days = std::env::var("PPTP_DAYS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    in_world(base(), days, |world| {
        let dice = Dice::new(days);
        let mut town = Town { world, dice, counts: Counts::default() };
        for _ in 0..days * 24 {
            town.hour();
        }
        town.over();
        let Counts { sent, arrived, open, .. } = town.counts;
        println!("{days} days: {:?}", town.counts);
        assert!(open > days * 12 && sent > days * 5_000);
        // Ordinary lines lose one in a hundred, some calls more at their end.
        assert!(arrived * 100 > sent * 95, "{arrived} of {sent} packets");
    });
}
