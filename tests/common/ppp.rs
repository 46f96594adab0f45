//! The caller's end of a PPP link: LCP, MS-CHAPv2, CCP with MPPE, IPCP, IPV6CP, in simple code of its own.

use std::net::Ipv4Addr;

use pptp::proto::mschap;
use pptp::time::Instant;

use super::cipher::{Opener, Sealer, start_keys};
use super::dice::Dice;
use super::habits::{Encryption, Habits, MAGIC};
use super::layer::{self, Choice, Judgement, Layer, Saw, decoded, frame};

const LCP: u16 = 0xc021;
const CHAP: u16 = 0xc223;
const CCP: u16 = 0x80fd;
const IPCP: u16 = 0x8021;
const IPV6CP: u16 = 0x8057;
const MPPE: u8 = 18;
const ADDRESS: u8 = 3;
/// The interface identifier of a caller's IPv6.
pub const IDENTIFIER: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const RESPONSE_MS: u64 = 3000;
const RESET_MS: u64 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Establish,
    Authenticate,
    Network,
    /// The caller hangs up, and why.
    Over(&'static str),
}

pub struct Ppp {
    pub habits: Habits,
    pub user: String,
    pub password: String,
    pub phase: Phase,
    pub lcp: Layer,
    pub ccp: Layer,
    pub ipcp: Layer,
    pub ipv6cp: Layer,
    dice: Dice,
    identifiers: u8,
    response: Option<(u8, Vec<u8>)>,
    response_at: Option<Instant>,
    answered: Option<(u8, [u8; 16])>,
    proof: [u8; 20],
    keys: ([u8; 16], [u8; 16]),
    /// Bits that the server asked to receive, and acknowledged by us.
    send_bits: u32,
    /// Who carries packets without the model takes these out.
    pub sealer: Option<Sealer>,
    pub opener: Option<Opener>,
    reset_at: Option<Instant>,
    pub resets: u32,
    /// Inner packets that arrived.
    pub received: Vec<Vec<u8>>,
    /// Frames to be sent.
    pub out: Vec<Vec<u8>>,
    /// Protocols that the server rejected.
    pub rejected: Vec<u16>,
    /// Takes control packets of the server before the model sees them.
    pub twist: Option<Twist>,
}

/// Protocol, code, identifier and data of a control packet; the frames to be sent in place of what
/// the model would do.
pub type Twist = Box<dyn FnMut(u16, u8, u8, &[u8]) -> Option<Vec<Vec<u8>>>>;

impl Ppp {
    pub fn new(habits: Habits, user: &str, password: &str, mut dice: Dice) -> Ppp {
        let magic = dice.octets(4);
        let lcp = habits.lcp.iter().map(|(kind, data)| {
            (*kind, if *kind == MAGIC { magic.clone() } else { data.to_vec() })
        });
        let bits = match habits.encryption {
            Encryption::Wants(bits, _) => bits,
            _ => 0,
        };
        let addresses = habits.ipcp.iter().map(|kind| (*kind, vec![0; 4]));
        let compression = (2, vec![0, 0x2d, 0x0f, 1]);
        let compression = habits.asks_for_compression.then_some(compression);
        Ppp {
            lcp: Layer::new(LCP, lcp.collect(), &habits),
            ccp: Layer::new(CCP, vec![(MPPE, bits.to_be_bytes().to_vec())], &habits),
            ipcp: Layer::new(IPCP, addresses.chain(compression).collect(), &habits),
            ipv6cp: Layer::new(IPV6CP, vec![(1, IDENTIFIER.to_vec())], &habits),
            habits,
            user: user.to_string(),
            password: password.to_string(),
            phase: Phase::Establish,
            dice,
            identifiers: 0,
            response: None,
            response_at: None,
            answered: None,
            proof: [0; 20],
            keys: ([0; 16], [0; 16]),
            send_bits: 0,
            sealer: None,
            opener: None,
            reset_at: None,
            resets: 0,
            received: Vec::new(),
            out: Vec::new(),
            rejected: Vec::new(),
            twist: None,
        }
    }

    pub fn start(&mut self, now: Instant) {
        self.lcp.start(&mut self.identifiers, now, &mut self.out);
    }

    /// Whether IP packets may pass.
    pub fn is_open(&self) -> bool {
        let encrypted = self.sealer.is_some() && self.opener.is_some();
        let wanted = matches!(self.habits.encryption, Encryption::Wants(..));
        self.phase == Phase::Network && self.ipcp.is_open() && (encrypted || !wanted)
    }

    pub fn is_encrypted(&self) -> bool {
        self.sealer.is_some() && self.opener.is_some()
    }

    /// The value that IPCP gave for an option.
    pub fn value(&self, kind: u8) -> Option<Ipv4Addr> {
        let wish = self.ipcp.wishes.iter().find(|wish| wish.0 == kind)?;
        Some(Ipv4Addr::from(<[u8; 4]>::try_from(&wish.1[..]).unwrap()))
    }

    pub fn address(&self) -> Ipv4Addr {
        self.value(ADDRESS).unwrap()
    }

    /// Sends an inner packet of either version.
    pub fn send_ip(&mut self, packet: &[u8]) {
        let protocol = if packet[0] >> 4 == 6 { 0x57 } else { 0x21 };
        let clear = [&[0x00, protocol], packet].concat();
        let octets = match &mut self.sealer {
            Some(sealer) => [&[0x00, 0xfd], &sealer.seal(&clear)[..]].concat(),
            None => clear,
        };
        self.out.push([&[0xff, 0x03], &octets[..]].concat());
    }

    /// Hangs up as PPP does it.
    pub fn terminate(&mut self) {
        self.identifiers = self.identifiers.wrapping_add(1);
        self.out.push(frame(LCP, layer::TERMINATE, self.identifiers, b"User request"));
    }

    /// A PPP frame.
    pub fn handle(&mut self, octets: &[u8], now: Instant) {
        let octets = octets.strip_prefix(&[0xff, 0x03]).unwrap_or(octets);
        let compressed = octets[0] & 1 == 1;
        let (protocol, information) = match compressed {
            true => (u16::from(octets[0]), &octets[1..]),
            false => (u16::from_be_bytes([octets[0], octets[1]]), &octets[2..]),
        };
        match protocol {
            0x00fd => return self.handle_sealed(information, now),
            0x0021 | 0x0057 => return self.handle_clear(information),
            _ => {}
        }
        let len = usize::from(u16::from_be_bytes([information[2], information[3]]));
        assert_eq!(len, information.len(), "the server's lengths are exact");
        let (code, identifier, data) = (information[0], information[1], &information[4..]);
        let twist = self.twist.as_mut();
        if let Some(frames) = twist.and_then(|twist| twist(protocol, code, identifier, data)) {
            return self.out.extend(frames);
        }
        match (protocol, self.phase) {
            (_, Phase::Over(_)) => {}
            (LCP, _) => self.handle_lcp(code, identifier, data, now),
            (CHAP, Phase::Authenticate | Phase::Network) => {
                self.handle_chap(code, identifier, data, now);
            }
            (CCP, Phase::Network) => self.handle_ccp(code, identifier, data, now),
            (IPCP, Phase::Network) => self.handle_ipcp(code, identifier, data, now),
            (IPV6CP, Phase::Network) if self.ipv6cp.started => {
                self.configure(IPV6CP, code, identifier, data, now);
            }
            // pppd throws away what comes before its time.
            _ => {}
        }
    }

    fn handle_sealed(&mut self, information: &[u8], now: Instant) {
        let Some(opener) = &mut self.opener else { return };
        match opener.open(information) {
            Ok(clear) => {
                self.reset_at = None;
                let skipped = if clear[0] & 1 == 1 { 1 } else { 2 };
                let version = if clear[skipped - 1] == 0x57 { 6 } else { 4 };
                assert!(matches!(clear[skipped - 1], 0x21 | 0x57), "inner protocol");
                assert_eq!(clear[skipped] >> 4, version);
                self.received.push(clear[skipped..].to_vec());
            }
            Err(true) if self.reset_at.is_none() => self.ask_for_reset(now),
            Err(_) => {}
        }
    }

    fn ask_for_reset(&mut self, now: Instant) {
        self.resets += 1;
        self.reset_at = Some(now + RESET_MS);
        self.identifiers = self.identifiers.wrapping_add(1);
        self.out.push(frame(CCP, 14, self.identifiers, &[]));
    }

    fn handle_clear(&mut self, information: &[u8]) {
        if self.phase == Phase::Network && self.opener.is_none() {
            self.received.push(information.to_vec());
        }
    }

    fn handle_lcp(&mut self, code: u8, identifier: u8, data: &[u8], now: Instant) {
        match code {
            9 => {
                let magic = self.lcp.wishes.iter().find(|wish| wish.0 == MAGIC);
                let magic = magic.map_or(vec![0; 4], |wish| wish.1.clone());
                self.out.push(frame(LCP, 10, identifier, &[&magic, &data[4..]].concat()));
            }
            8 => {
                self.rejected.push(u16::from_be_bytes([data[0], data[1]]));
                if data.starts_with(&IPV6CP.to_be_bytes()) {
                    self.ipv6cp.stop();
                }
            }
            7 | 10.. => {}
            _ => {
                let saw = self.configure(LCP, code, identifier, data, now);
                self.after_lcp(saw);
            }
        }
    }

    fn after_lcp(&mut self, saw: Saw) {
        match saw {
            Saw::Up => self.phase = Phase::Authenticate,
            Saw::Down => {
                self.phase = Phase::Establish;
                self.ccp.stop();
                self.ipcp.stop();
                self.ipv6cp.stop();
                (self.sealer, self.opener, self.reset_at) = (None, None, None);
                (self.response, self.response_at) = (None, None);
            }
            Saw::Terminated => self.phase = Phase::Over("the server terminated"),
            Saw::GaveUp => self.phase = Phase::Over("LCP timeout"),
            Saw::Nothing => {}
        }
    }

    fn handle_chap(&mut self, code: u8, identifier: u8, data: &[u8], now: Instant) {
        match code {
            1 => self.respond(identifier, data, now),
            3 | 4 if self.response.as_ref().is_none_or(|response| response.0 != identifier) => {}
            3 if self.phase == Phase::Authenticate => {
                let proof: String = self.proof.iter().map(|octet| format!("{octet:02X}")).collect();
                self.response_at = None;
                if data.starts_with(format!("S={proof}").as_bytes()) {
                    self.open_network(now);
                } else {
                    self.terminate();
                    self.phase = Phase::Over("the server does not know the password");
                }
            }
            3 => {}
            _ => {
                let late = data.starts_with(b"E=646 R=0 C=");
                assert!(late || data.starts_with(b"E=691 R=0 C="));
                self.terminate();
                self.phase = Phase::Over(if late { "not now" } else { "login failed" });
            }
        }
    }

    fn respond(&mut self, identifier: u8, data: &[u8], now: Instant) {
        assert_eq!(data[0], 16);
        assert!(data.len() > 17, "the server tells its name");
        let challenge: [u8; 16] = data[1..17].try_into().unwrap();
        // Those that repeat a Response answer a repeated Challenge with the same; pppd does not.
        if self.habits.repeats_response && self.answered == Some((identifier, challenge)) {
            return self.send_response(now);
        }
        self.answered = Some((identifier, challenge));
        let own: [u8; 16] = self.dice.octets(16).try_into().unwrap();
        let (user, hash) = (self.user.as_bytes(), mschap::nt_hash_of(&self.password).unwrap());
        let name = mschap::base_name(user);
        let nt_response = mschap::generate_nt_response(&challenge, &own, name, &hash);
        self.proof =
            mschap::generate_authenticator_response(&hash, &nt_response, &own, &challenge, name);
        self.keys = start_keys(&self.password, &nt_response);
        let value = [&[49], &own[..], &[0; 8], &nt_response, &[self.habits.flags], user].concat();
        self.response = Some((identifier, value));
        self.send_response(now);
    }

    fn send_response(&mut self, now: Instant) {
        if let Some((identifier, value)) = &self.response {
            self.out.push(frame(CHAP, 2, *identifier, value));
            self.response_at = self.habits.repeats_response.then(|| now + RESPONSE_MS);
        }
    }

    fn open_network(&mut self, now: Instant) {
        self.phase = Phase::Network;
        if self.habits.asks_ipv6cp {
            self.ipv6cp.start(&mut self.identifiers, now, &mut self.out);
        }
        let encrypts = matches!(self.habits.encryption, Encryption::Wants(..));
        if encrypts {
            self.ccp.start(&mut self.identifiers, now, &mut self.out);
        }
        if !encrypts || !self.habits.ipcp_waits {
            self.ipcp.start(&mut self.identifiers, now, &mut self.out);
        }
    }

    fn handle_ccp(&mut self, code: u8, identifier: u8, data: &[u8], now: Instant) {
        match (self.habits.encryption, code) {
            (Encryption::UnknownCcp, _) => {
                let rejected = frame(CCP, code, identifier, data)[2..].to_vec();
                self.identifiers = self.identifiers.wrapping_add(1);
                self.out.push(frame(LCP, 8, self.identifiers, &rejected));
            }
            (Encryption::RejectsMppe, 1) => {
                self.out.push(frame(CCP, layer::REJECT, identifier, data));
            }
            (_, 14) => {
                if let Some(sealer) = &mut self.sealer {
                    sealer.reset();
                    self.out.push(frame(CCP, 15, identifier, &[]));
                }
            }
            (_, 15) => {}
            _ => {
                let saw = self.configure(CCP, code, identifier, data, now);
                self.after_ccp(saw, now);
            }
        }
    }

    fn after_ccp(&mut self, saw: Saw, now: Instant) {
        match saw {
            Saw::Nothing => {}
            Saw::Up => {
                let bits = u32::from_be_bytes(self.ccp.wishes[0].1[..].try_into().unwrap());
                let kind = self.habits.kind;
                self.sealer = Some(Sealer::new(&self.keys.0, self.send_bits, kind));
                self.opener = Some(Opener::new(&self.keys.1, bits, kind));
                if !self.ipcp.started {
                    self.ipcp.start(&mut self.identifiers, now, &mut self.out);
                }
            }
            Saw::Down | Saw::Terminated | Saw::GaveUp => {
                (self.sealer, self.opener, self.reset_at) = (None, None, None);
                if self.habits.hangs_up_without_ccp || saw == Saw::GaveUp {
                    self.terminate();
                    self.phase = Phase::Over("MPPE disabled");
                }
            }
        }
    }

    fn handle_ipcp(&mut self, code: u8, identifier: u8, data: &[u8], now: Instant) {
        // A layer that is not started does not answer, and does not know why.
        if !self.ipcp.started {
            return;
        }
        if self.configure(IPCP, code, identifier, data, now) == Saw::GaveUp {
            self.terminate();
            self.phase = Phase::Over("IPCP timeout");
        }
    }

    /// The codes that all three have in common.
    fn configure(
        &mut self,
        protocol: u16,
        code: u8,
        identifier: u8,
        data: &[u8],
        now: Instant,
    ) -> Saw {
        let judgement = (code == layer::REQUEST).then(|| self.judge(protocol, data));
        let own = &mut self.identifiers;
        let layer = match protocol {
            LCP => &mut self.lcp,
            CCP => &mut self.ccp,
            IPV6CP => &mut self.ipv6cp,
            _ => &mut self.ipcp,
        };
        match (code, judgement) {
            (layer::REQUEST, Some(judgement)) => {
                layer.requested((identifier, data), judgement, own, now, &mut self.out)
            }
            (layer::ACK, _) if layer.is_answer(identifier) => layer.acknowledged(data),
            (layer::NAK | layer::REJECT, _) if layer.is_answer(identifier) => {
                for choice in decoded(data) {
                    adapt(&mut layer.wishes, code, choice, &self.habits);
                }
                layer.refused(own, now, &mut self.out)
            }
            (layer::TERMINATE, _) => {
                self.out.push(frame(protocol, layer::TERMINATE_ACK, identifier, &[]));
                layer.stop();
                Saw::Terminated
            }
            _ => Saw::Nothing,
        }
    }

    fn judge(&mut self, protocol: u16, data: &[u8]) -> Judgement {
        let choices = decoded(data);
        match protocol {
            LCP => {
                assert!(choices.contains(&(3, vec![0xc2, 0x23, 0x81])), "MS-CHAPv2 is asked for");
                Judgement::Good
            }
            CCP => self.judge_mppe(&choices),
            _ => Judgement::Good,
        }
    }

    fn judge_mppe(&mut self, choices: &[Choice]) -> Judgement {
        let Encryption::Wants(_, accepted) = self.habits.encryption else {
            return Judgement::Reject(choices.to_vec());
        };
        let [(MPPE, data)] = choices else { panic!("one MPPE option: {choices:?}") };
        let bits = u32::from_be_bytes(data[..].try_into().unwrap());
        if accepted.contains(&bits) {
            self.send_bits = bits;
            return Judgement::Good;
        }
        if self.habits.hangs_up_without_ccp {
            self.terminate();
            self.phase = Phase::Over("MPPE required but peer negotiation failed");
            return Judgement::Reject(choices.to_vec());
        }
        Judgement::Nak(vec![(MPPE, accepted[0].to_be_bytes().to_vec())])
    }

    pub fn deadline(&self) -> Option<Instant> {
        let layers = [&self.lcp, &self.ccp, &self.ipcp, &self.ipv6cp].map(|layer| layer.restart_at);
        let others = [self.response_at, self.reset_at];
        match self.phase {
            Phase::Over(_) => None,
            _ => layers.into_iter().chain(others).flatten().min(),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let (own, out) = (&mut self.identifiers, &mut self.out);
        let saw = self.lcp.handle_timeout(own, now, out);
        let network = self.phase == Phase::Network;
        let ccp = if network { self.ccp.handle_timeout(own, now, out) } else { Saw::Nothing };
        if network {
            self.ipv6cp.handle_timeout(own, now, out);
        }
        let ipcp = if network { self.ipcp.handle_timeout(own, now, out) } else { Saw::Nothing };
        self.after_lcp(saw);
        self.after_ccp(ccp, now);
        if ipcp == Saw::GaveUp {
            self.phase = Phase::Over("IPCP timeout");
        }
        if self.response_at.is_some_and(|at| at <= now) {
            self.send_response(now);
        }
        if self.reset_at.is_some_and(|at| at <= now) {
            self.ask_for_reset(now);
        }
    }

    /// Negotiates LCP of an open link anew, as the caller's wish.
    pub fn renegotiate_lcp(&mut self, now: Instant) {
        self.after_lcp(Saw::Down);
        self.lcp.start(&mut self.identifiers, now, &mut self.out);
    }

    /// Negotiates CCP anew.
    pub fn renegotiate_ccp(&mut self, now: Instant) {
        (self.sealer, self.opener) = (None, None);
        self.ccp.start(&mut self.identifiers, now, &mut self.out);
    }

    /// Closes IPCP.
    pub fn close_ipcp(&mut self) {
        self.ipcp.stop();
        self.identifiers = self.identifiers.wrapping_add(1);
        self.out.push(frame(IPCP, layer::TERMINATE, self.identifiers, &[]));
    }

    /// Opens IPCP again.
    pub fn open_ipcp(&mut self, now: Instant) {
        self.ipcp.start(&mut self.identifiers, now, &mut self.out);
    }
}

/// Takes a Nak's value over, or leaves a rejected option out.
fn adapt(wishes: &mut Vec<Choice>, code: u8, choice: Choice, habits: &Habits) {
    if code == layer::REJECT {
        wishes.retain(|wish| *wish != choice);
        return;
    }
    if choice.0 == MPPE {
        let Encryption::Wants(_, accepted) = habits.encryption else { return };
        let bits = u32::from_be_bytes(choice.1[..].try_into().unwrap());
        if !accepted.contains(&bits) {
            return;
        }
    }
    match wishes.iter_mut().find(|wish| wish.0 == choice.0) {
        Some(wish) => wish.1 = choice.1,
        None => wishes.push(choice),
    }
}
