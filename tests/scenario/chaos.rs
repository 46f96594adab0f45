//! Random operations of every kind; the server is audited after each one, and in the end nothing
//! is left.

use std::net::Ipv4Addr;

use pptp::config::hours::Span;
use pptp::config::{Config, Duplicate, Network, Pool, Rights, User};
use pptp::session::Lan;
use pptp::wire::gre;
use pptp::wire::pptp::{Disconnect, Message, OutgoingCallReply};

use crate::common::caller::{Mind, call_request, gre_octets, octets_of, start_request};
use crate::common::dice::{Dice, for_seeds};
use crate::common::habits::{ALL, Encryption, STATEFUL_128, STATELESS_128};
use crate::common::inner::{number, numbered};
use crate::common::line::{BAD, GOOD, Quality};
use crate::common::ppp::Ppp;
use crate::common::world::{LAN, LOCAL, PASSWORD, World, in_world};

/// Marks inner packets that are sent in the clear: none of them may pass.
const CLEAR: u32 = 0xc1ea_c1ea;
const OPERATIONS: usize = 30_000;
const SEEDS: u64 = 6;
/// Machines at once.
const MACHINES: usize = 12;

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 77, last)
}

fn tight(dice: &mut Dice) -> Config {
    let mut config = Config {
        max_sessions: 5,
        max_connections: 8,
        max_per_address: 3,
        backoff_failures: 8,
        backoff_time: 60,
        pool: Pool { first: address(10), last: address(13) },
        ..Config::default()
    };
    change(&mut config, dice);
    config
}

/// What a reload may change.
fn change(config: &mut Config, dice: &mut Dice) {
    config.users.clear();
    for name in 0..6u8 {
        let password = if dice.percent(10) { "another" } else { PASSWORD };
        let mut user = User::new(&format!("user{name}"), password).unwrap();
        user.enabled = !dice.percent(10);
        user.ip = (name < 2 && dice.percent(80)).then(|| address(13 + name * 100));
        user.rights = rights(name, dice);
        if !dice.percent(10) {
            config.users.push(user).unwrap();
        }
    }
    config.duplicate = *dice.pick(&[Duplicate::Replace, Duplicate::Refuse, Duplicate::Allow]);
    config.mppe_stateful = dice.percent(30);
    config.lcp_echo_interval = *dice.pick(&[0, 5, 20]);
}

/// Nearly everything, most of the time: calls shall be there for long enough.
fn rights(name: u8, dice: &mut Dice) -> Rights {
    let mut rights = Rights {
        lan: !dice.percent(10),
        internet: !dice.percent(10),
        callers: !dice.percent(10),
        rate_up: *dice.pick(&[0, 0, 0, 64, 100_000]),
        rate_down: *dice.pick(&[0, 0, 0, 64, 100_000]),
        idle_timeout: *dice.pick(&[0, 0, 1]),
        session_timeout: *dice.pick(&[0, 0, 2]),
        ..Rights::default()
    };
    if dice.percent(10) {
        rights.hours.push(Span::parse("mon-thu 06:00-02:00").unwrap()).unwrap();
    }
    if dice.percent(50) {
        rights.routes.push(branch(name / 2)).unwrap();
    }
    rights
}

/// Two accounts may have the same one, as a file never says: the first call gets it.
fn branch(number: u8) -> Network {
    Network::around(Ipv4Addr::new(10, number, 0, 0), 16)
}

struct Chaos<'w, 'a> {
    world: &'w mut World<'a>,
    dice: Dice,
    /// How much of what happens is harmful, in percent.
    harm: u64,
}

#[test]
fn random_operations() {
    for_seeds(SEEDS, |seed| {
        let mut dice = Dice::new(seed);
        in_world(tight(&mut dice), seed, |world| {
            let harm = [5, 30, 100][seed as usize % 3];
            let mut chaos = Chaos { world, dice, harm };
            for _ in 0..OPERATIONS {
                chaos.operation();
                chaos.check();
            }
            chaos.silence();
        });
    });
}

impl Chaos<'_, '_> {
    fn operation(&mut self) {
        match self.dice.below(100) {
            0..4 => self.dial(),
            4..6 => self.connect(),
            6..14 if self.harms() => self.say(),
            14..26 if self.harms() => self.spoof(),
            26..40 => self.carry(),
            40..48 => self.send_tun(),
            48 if self.harms() => self.reload(),
            49..51 if self.harms() => self.leave(),
            51 if self.harms() => self.start_over(),
            52 if self.harms() => self.surroundings(),
            54 if self.harms() && self.dice.percent(20) => {
                let unlucky = self.dice.below(8) as u16;
                self.world.server.disconnect(|call| call.call_id % 8 == unlucky, self.world.now);
                self.world.flush();
            }
            55 if self.dice.percent(5) => self.world.run(90_000),
            55..60 => {
                let millis = self.dice.below(3000);
                self.world.run(millis);
            }
            _ => {
                let millis = self.dice.below(12);
                self.world.run(millis);
            }
        }
    }

    fn harms(&mut self) -> bool {
        self.dice.percent(self.harm)
    }

    fn quality(&mut self) -> Quality {
        let loss = self.dice.below(15);
        if self.dice.percent(50) { GOOD } else { Quality { loss, ..BAD } }
    }

    fn any_caller(&mut self) -> Option<usize> {
        let count = self.world.callers.len();
        (count > 0).then(|| self.dice.below(count as u64) as usize)
    }

    fn connect(&mut self) {
        if self.world.callers.len() < MACHINES {
            let (last, quality) = (self.dice.below(4) as u8, self.quality());
            self.world.connect(last, quality);
        }
    }

    fn dial(&mut self) {
        let before = self.world.callers.len();
        self.connect();
        if self.world.callers.len() == before {
            return;
        }
        let now = self.world.now;
        self.world.callers[before].say(&start_request(), now);
        for _ in 0..1 + self.dice.below(2) {
            let user = format!("user{}", self.dice.below(7));
            let wrong = self.harms() && self.dice.percent(20);
            let password = if wrong { "wrong" } else { PASSWORD };
            let mut habits = *self.dice.pick(&ALL);
            if self.dice.percent(30) {
                habits.encryption = Encryption::Wants(STATEFUL_128, &[STATEFUL_128, STATELESS_128]);
            }
            let dice = Dice::new(self.dice.roll());
            let ppp = Ppp::new(habits, &user, password, dice);
            self.world.callers[before].ask_for_call(Mind::Model(Box::new(ppp)), now);
        }
    }

    fn leave(&mut self) {
        let Some(at) = self.any_caller() else { return };
        let now = self.world.now;
        match self.dice.below(4) {
            0 => self.world.callers[at].hang_up(now),
            1 => self.world.callers[at].breath = Some(self.dice.below(4) as usize),
            2 => self.world.callers[at].is_deaf = true,
            _ => self.model(at, |ppp, _| ppp.terminate()),
        }
    }

    fn start_over(&mut self) {
        let Some(at) = self.any_caller() else { return };
        let which = self.dice.below(4);
        self.model(at, |ppp, now| match which {
            _ if !ppp.is_open() => {}
            0 => ppp.renegotiate_lcp(now),
            1 => ppp.renegotiate_ccp(now),
            2 => ppp.close_ipcp(),
            _ => ppp.open_ipcp(now),
        });
    }

    /// Lets the models of a machine do something.
    fn model(&mut self, at: usize, act: impl Fn(&mut Ppp, pptp::time::Instant)) {
        let now = self.world.now;
        for call in &mut self.world.callers[at].calls {
            if let (Mind::Model(ppp), true) = (&mut call.mind, call.server_id != 0) {
                act(ppp, now);
            }
        }
        self.world.push(at);
    }

    /// A control message at any time, or octets that are none.
    fn say(&mut self) {
        let Some(at) = self.any_caller() else { return };
        let octets = match self.dice.below(8) {
            0 => {
                let len = self.dice.below(300);
                self.dice.octets(len)
            }
            1 => {
                let mut octets = self.message(at);
                let place = self.dice.below(octets.len() as u64) as usize;
                octets[place] ^= self.dice.roll() as u8;
                octets
            }
            _ => self.message(at),
        };
        // Its own parser would stumble over answers to calls that it does not know.
        self.world.callers[at].say_octets(octets, self.world.now);
    }

    fn message(&mut self, at: usize) -> Vec<u8> {
        let calls = &self.world.callers[at].calls;
        let known = calls.last().map_or(7, |call| call.own_id);
        let call_id = if self.dice.percent(50) { known } else { self.dice.roll() as u16 };
        let (result, error, identifier) = (1, 0, self.dice.roll() as u32);
        octets_of(&match self.dice.below(15) {
            0 => start_request(),
            1 => Message::StopReply { result, error },
            2 if self.dice.percent(20) => Message::StopRequest { reason: 1 },
            2 | 3 => Message::EchoReply { identifier, result, error },
            4 | 5 => Message::EchoRequest { identifier },
            6 => Message::IncomingCallRequest { call_id },
            7 => Message::IncomingCallReply { call_id, peer_call_id: 1, result, error },
            8 => Message::IncomingCallConnected { peer_call_id: call_id },
            9 if self.dice.percent(30) => Message::CallClearRequest { call_id },
            9 | 10 => Message::WanErrorNotify { peer_call_id: call_id },
            11 => Message::SetLinkInfo { peer_call_id: call_id, send_accm: 0, receive_accm: 1 },
            12 if self.dice.percent(30) => {
                let notify = Disconnect { call_id, result, error, cause: 0 };
                Message::CallDisconnectNotify(notify)
            }
            12 | 13 => call_request(known),
            _ => Message::OutgoingCallReply(OutgoingCallReply {
                call_id,
                peer_call_id: 0,
                result,
                error,
                cause: 0,
                connect_speed: 0,
                receive_window: 1,
                processing_delay: 0,
                physical_channel: 0,
            }),
        })
    }

    /// A GRE packet from somebody: garbage, or a frame of any protocol in a good header.
    fn spoof(&mut self) {
        let known: Vec<u16> = self.world.server.sessions().map(|call| call.call_id).collect();
        let call_id = if known.is_empty() || self.dice.percent(10) {
            self.dice.roll() as u16
        } else {
            *self.dice.pick(&known)
        };
        let frame = self.frame();
        let sequence = match self.dice.below(3) {
            0 => self.dice.below(200) as u32,
            1 => 1 << 31,
            _ => self.dice.roll() as u32,
        };
        let header = gre::Header {
            payload_length: frame.len() as u16,
            call_id,
            sequence: Some(sequence),
            acknowledgment: self.dice.percent(30).then_some(self.dice.below(99) as u32),
        };
        let mut octets = gre_octets(&header, &frame);
        if self.dice.percent(10) {
            let place = self.dice.below(octets.len() as u64) as usize;
            octets[place] ^= self.dice.roll() as u8;
        }
        if self.dice.percent(10) {
            octets.truncate(self.dice.below(20) as usize);
        }
        let from = Ipv4Addr::new(203, 0, 113, self.dice.below(4) as u8);
        self.world.gre(from, &octets);
    }

    /// A PPP frame: clear IP, or a control protocol with random codes and options.
    fn frame(&mut self) -> Vec<u8> {
        let protocol: u16 = *self.dice.pick(&[
            0xc021, 0xc021, 0xc223, 0x80fd, 0x8021, 0x00fd, 0x0021, 0xc023, 0x8057, 0xc227,
        ]);
        let mut octets = vec![0xff, 0x03];
        octets.extend_from_slice(&protocol.to_be_bytes());
        if protocol == 0x0021 {
            let source = address(10 + self.dice.below(4) as u8);
            return [&octets[..], &numbered(source, LAN, CLEAR, 60)].concat();
        }
        let len = self.dice.below(40);
        let data = self.dice.octets(len);
        // No Terminate-Request now and then would end every call at once.
        let code = *self.dice.pick(&[1, 1, 2, 3, 4, 7, 8, 9, 10, 12, 14, 15, 99]);
        octets.extend_from_slice(&[code, self.dice.below(8) as u8]);
        let lie = if self.dice.percent(20) { self.dice.below(9) as u16 } else { 4 };
        octets.extend_from_slice(&(data.len() as u16 + lie).to_be_bytes());
        octets.extend_from_slice(&data);
        octets
    }

    /// Inner packets of the callers that are open, some with a source that is not theirs.
    fn carry(&mut self) {
        let Some(at) = self.any_caller() else { return };
        let (wrong, count) = (self.dice.percent(10), self.dice.below(30));
        self.model(at, |ppp, _| {
            let source = if wrong { address(99) } else { ppp.address() };
            for _ in 0..if ppp.is_open() { count } else { 0 } {
                ppp.send_ip(&numbered(source, LAN, 1, 100));
            }
        });
    }

    fn send_tun(&mut self) {
        let destination = address(9 + self.dice.below(7) as u8);
        let len = 32 + self.dice.below(1500) as usize;
        let mut octets = numbered(LAN, destination, 2, len);
        if self.dice.percent(10) {
            octets[6] |= 0x40;
        }
        if self.dice.percent(5) {
            octets.truncate(self.dice.below(40) as usize);
        }
        let _refused = self.world.send_tun(&octets);
    }

    fn reload(&mut self) {
        let mut config = self.world.server.config().clone();
        change(&mut config, &mut self.dice);
        self.world.server.reload(config, self.world.now);
        self.world.flush();
    }

    /// Another LAN, and another time of the week.
    fn surroundings(&mut self) {
        let networks = [branch(self.dice.below(6) as u8)].into_iter().collect();
        self.world.server.lan_changed(Lan { address: None, networks });
        let minute = self.dice.below(7 * 24 * 60) as u16;
        let minute = (!self.dice.percent(10)).then_some(minute);
        self.world.server.local_time(minute, self.world.now);
        self.world.server.take_routes_changed();
        self.world.flush();
    }

    fn check(&mut self) {
        for packet in self.world.tun.drain(..) {
            // What is not ours is the server's own ICMP.
            if packet[9] == 17 {
                assert_ne!(number(&packet), CLEAR, "a clear packet passed");
                assert_eq!(packet[12..15], [192, 168, 77], "source");
                assert!((10..14).contains(&packet[15]) || packet[15] == 113, "source");
            }
        }
        let (live, leased) = (self.world.live(), self.world.server.leased());
        assert!(live <= 5 + pptp::limits::LOGINS && leased <= 5, "{live} calls, {leased} leases");
        self.world.events.clear();
        let is_over = |caller: &crate::common::caller::Caller| caller.id.is_none();
        self.world.callers.retain(|caller| !is_over(caller));
        for caller in &mut self.world.callers {
            caller.messages.clear();
            for call in &mut caller.calls {
                call.headers.clear();
                if let Mind::Model(ppp) = &mut call.mind {
                    ppp.received.clear();
                }
            }
        }
    }

    /// All machines are switched off; the connections stay as they are.
    fn silence(&mut self) {
        for caller in &mut self.world.callers {
            caller.breath = Some(0);
            for line in [&mut caller.tcp_up, &mut caller.gre_up] {
                line.cut();
            }
        }
        self.world.run(400_000);
        assert!(self.world.is_idle(), "{:?}", self.world.server.poll_timeout());
        assert_eq!(self.world.server.poll_timeout(), None);
        assert_eq!(self.world.server.sessions().count(), 0);
        let open = self.world.dial_as(1, ALL[2], GOOD, "nobody", "x");
        assert!(self.world.run_until(5000, |world| world.callers[open].calls[0].server_id != 0));
        assert_eq!(self.world.callers[open].local, LOCAL);
    }
}
