//! A caller that can really log in, and that no answer confuses: what it does not understand it
//! lets pass. The models in tests/common insist on a well-behaved line; here the fuzzer speaks in
//! the caller's name as well.

use std::net::Ipv4Addr;

use pptp::proto::mschap;
use pptp::wire::chap::Response;
use pptp::wire::ipv6;
use pptp::wire::ppp::{ControlPacket, Options, frame_header, protocol};

use super::common::cipher::{Opener, Sealer, start_keys};
use super::common::layer::{ACK, Choice, NAK, REJECT, REQUEST, TERMINATE, encoded, frame};
use super::common::mppe_peers::{KINDS, Kind};
use super::wire::written;

const STATELESS_128: u32 = 0x0100_0040;
/// Requests and questions of its own before it only answers.
const PATIENCE: u8 = 30;

/// How a caller is.
#[derive(Debug, Clone)]
pub struct Manners {
    pub user: &'static str,
    pub password: &'static str,
    /// MPPE bits that it asks for; none is no CCP.
    pub bits: u32,
    pub kind: Kind,
    /// LCP asks for compressed headers and a small MRU.
    pub frugal: bool,
    /// IPCP begins with CCP, and does not wait for it.
    pub hasty: bool,
    /// IPV6CP begins with IPCP; this is the interface identifier that it asks for.
    pub identifier: Option<u64>,
    pub flags: u8,
}

impl Manners {
    /// The good one.
    pub fn good() -> Manners {
        Manners {
            user: "alice",
            password: super::common::world::PASSWORD,
            bits: STATELESS_128,
            kind: Kind::Linux,
            frugal: false,
            hasty: false,
            identifier: None,
            flags: 0,
        }
    }

    /// One of many, by two octets.
    pub fn chosen(choice: u16) -> Manners {
        let bit = |at: u16| choice >> at & 1 != 0;
        let users = ["alice", "alice", "alice", "bob", "bob", "CORP\\alice", "carol", "mallory"];
        let bits = [STATELESS_128, STATELESS_128, 0x40, 0x0100_0020, 0x20, 0x80, 0x0100_00e1, 0];
        Manners {
            user: users[usize::from(choice) % 8],
            password: if choice >> 3 & 7 == 7 { "wrong" } else { Manners::good().password },
            bits: bits[usize::from(choice >> 6) % 8],
            kind: KINDS[usize::from(choice >> 9) % 3],
            frugal: bit(11),
            hasty: bit(12),
            identifier: bit(14).then(|| if bit(15) { 0x0200_00ff_fe00_0007 } else { 7 }),
            flags: if bit(13) { 4 } else { 0 },
        }
    }
}

/// One layer: what it asks for, and how far it is.
struct Layer {
    wishes: Vec<Choice>,
    asked: Option<u8>,
    agreed: bool,
    consented: bool,
}

impl Layer {
    fn new(wishes: Vec<Choice>) -> Layer {
        Layer { wishes, asked: None, agreed: false, consented: false }
    }

    fn is_open(&self) -> bool {
        self.agreed && self.consented
    }

    fn close(&mut self) {
        (self.asked, self.agreed, self.consented) = (None, false, false);
    }

    /// A Nak or Reject: other wishes.
    fn adapt(&mut self, packet: &ControlPacket) {
        for option in Options::new(packet.data).flatten() {
            match self.wishes.iter_mut().find(|wish| wish.0 == option.kind) {
                Some(wish) if packet.code == NAK => wish.1 = option.data.to_vec(),
                Some(_) => self.wishes.retain(|wish| wish.0 != option.kind),
                None => {}
            }
        }
    }
}

/// A PPP client.
pub struct Client {
    manners: Manners,
    lcp: Layer,
    ccp: Layer,
    ipcp: Layer,
    ipv6cp: Layer,
    logged_in: bool,
    keys: ([u8; 16], [u8; 16]),
    /// Bits that the server asked to receive.
    send_bits: u32,
    sealer: Option<Sealer>,
    opener: Option<Opener>,
    identifiers: u8,
    spoken: u8,
    /// Inner packets that arrived.
    pub received: Vec<Vec<u8>>,
    out: Vec<Vec<u8>>,
}

impl Client {
    pub fn new(manners: Manners) -> Client {
        let mut lcp = vec![(5, vec![1, 2, 3, 4])];
        if manners.frugal {
            lcp.extend([(1, vec![0x02, 0x50]), (7, vec![]), (8, vec![]), (13, vec![6])]);
        }
        let ipcp = vec![(3, vec![0; 4]), (2, vec![0, 0x2d, 15, 1]), (129, vec![0; 4])];
        let ipv6cp = manners.identifier.map(|it| (1, it.to_be_bytes().to_vec()));
        let ipv6cp = ipv6cp.into_iter().collect();
        Client {
            lcp: Layer::new(lcp),
            ccp: Layer::new(vec![(18, manners.bits.to_be_bytes().to_vec())]),
            ipcp: Layer::new(ipcp),
            ipv6cp: Layer::new(ipv6cp),
            manners,
            logged_in: false,
            keys: ([0; 16], [0; 16]),
            send_bits: 0,
            sealer: None,
            opener: None,
            identifiers: 0,
            spoken: 0,
            received: Vec::new(),
            out: Vec::new(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.ipcp.is_open()
    }

    pub fn is_encrypted(&self) -> bool {
        self.sealer.is_some()
    }

    /// The interface identifier that IPV6CP agreed on.
    pub fn identifier(&self) -> Option<u64> {
        let wish = self.ipv6cp.wishes.first().filter(|_| self.ipv6cp.is_open())?;
        wish.1[..].try_into().ok().map(u64::from_be_bytes)
    }

    /// The address that the server gave.
    pub fn address(&self) -> Ipv4Addr {
        let wish = self.ipcp.wishes.iter().find(|wish| wish.0 == 3);
        let octets = wish.and_then(|wish| <[u8; 4]>::try_from(&wish.1[..]).ok());
        Ipv4Addr::from(octets.unwrap_or_default())
    }

    /// A frame of the inner protocol `number`, encrypted if encryption is on.
    pub fn inner(&mut self, number: u16, packet: &[u8]) -> Vec<u8> {
        let clear = [&number.to_be_bytes(), packet].concat();
        match &mut self.sealer {
            Some(sealer) => [&[0x00, 0xfd], &sealer.seal(&clear)[..]].concat(),
            None => clear,
        }
    }

    /// Begins anew.
    pub fn renegotiate(&mut self, number: u16) -> Vec<Vec<u8>> {
        self.layer(number).close();
        self.ask(number);
        std::mem::take(&mut self.out)
    }

    /// A frame of the server's; what it says to it.
    pub fn take(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        let (number, len) = frame_header(octets).expect("the server's frames are well-formed");
        let information = &octets[len..];
        match number {
            protocol::COMPRESSED => self.take_sealed(information),
            protocol::IPV4 => self.received.push(information.to_vec()),
            protocol::IPV6 => check_ipv6(information),
            _ => {
                let packet = ControlPacket::parse(information).expect("the server's packets are");
                assert_eq!(packet.data.len() + 4, information.len(), "exact length");
                self.take_control(number, &packet);
            }
        }
        std::mem::take(&mut self.out)
    }

    fn take_sealed(&mut self, information: &[u8]) {
        let Some(opener) = &mut self.opener else { return };
        match opener.open(information) {
            Ok(clear) if clear.starts_with(&[0x00, 0x57]) => check_ipv6(&clear[2..]),
            Ok(clear) => self.received.push(clear.get(2..).unwrap_or_default().to_vec()),
            Err(true) if self.may_speak() => {
                let identifier = self.next_identifier();
                self.out.push(frame(protocol::CCP, 14, identifier, &[]));
            }
            Err(_) => {}
        }
    }

    fn take_control(&mut self, number: u16, packet: &ControlPacket) {
        match (number, packet.code) {
            (protocol::CHAP, 1) => self.respond(packet),
            (protocol::CHAP, 3) if !self.logged_in => self.open_network(),
            (protocol::CHAP, _) => {}
            // No encryption here: then without it.
            (protocol::LCP, 8) if packet.data.starts_with(&[0x80, 0xfd]) => {
                self.ask(protocol::IPCP);
            }
            (protocol::LCP, 9) => {
                self.out.push(frame(number, 10, packet.identifier, &[1, 2, 3, 4]));
            }
            (protocol::CCP, 14) => {
                if let Some(sealer) = &mut self.sealer {
                    sealer.reset();
                    self.out.push(frame(number, 15, packet.identifier, &[]));
                }
            }
            (protocol::CCP, _) if self.manners.bits == 0 => {}
            (protocol::IPV6CP, _) if self.manners.identifier.is_none() => {}
            (protocol::LCP | protocol::CCP | protocol::IPCP | protocol::IPV6CP, 1..=5) => {
                self.configure(number, packet);
            }
            _ => {}
        }
    }

    fn configure(&mut self, number: u16, packet: &ControlPacket) {
        let answers = self.layer(number).asked == Some(packet.identifier);
        match packet.code {
            REQUEST => return self.consent(number, packet),
            ACK if answers => self.layer(number).agreed = true,
            NAK | REJECT if answers => {
                self.layer(number).adapt(packet);
                self.ask(number);
            }
            TERMINATE => {
                self.out.push(frame(number, 6, packet.identifier, &[]));
                self.layer(number).close();
            }
            _ => {}
        }
        self.changed(number);
    }

    /// The server asks: all of it is fine, and if it begins anew so do we.
    fn consent(&mut self, number: u16, packet: &ControlPacket) {
        self.out.push(frame(number, ACK, packet.identifier, packet.data));
        if number == protocol::CCP {
            let bits = packet.data.get(2..6).and_then(|data| data.try_into().ok());
            self.send_bits = bits.map_or(0, u32::from_be_bytes);
        }
        if self.layer(number).is_open() {
            self.layer(number).close();
            self.fall(number);
        }
        self.layer(number).consented = true;
        if self.layer(number).asked.is_none() && self.may_start(number) {
            self.ask(number);
        }
        self.changed(number);
    }

    fn may_start(&self, number: u16) -> bool {
        match number {
            protocol::LCP => true,
            protocol::CCP => self.logged_in,
            _ => self.logged_in && (self.sealer.is_some() || self.manners.hasty),
        }
    }

    fn fall(&mut self, number: u16) {
        if number == protocol::LCP {
            self.logged_in = false;
            self.ccp.close();
            self.ipcp.close();
            self.ipv6cp.close();
        }
        if number == protocol::LCP || number == protocol::CCP {
            (self.sealer, self.opener) = (None, None);
        }
    }

    /// Encryption begins when CCP is open both ways.
    fn changed(&mut self, number: u16) {
        let one = |bits: u32| (bits & 0xe0).count_ones() == 1;
        if number != protocol::CCP || !self.ccp.is_open() || self.sealer.is_some() {
            return;
        }
        let wish = self.ccp.wishes.first().and_then(|wish| wish.1[..].try_into().ok());
        let bits = wish.map_or(0, u32::from_be_bytes);
        if one(bits) && one(self.send_bits) {
            self.sealer = Some(Sealer::new(&self.keys.0, self.send_bits, self.manners.kind));
            self.opener = Some(Opener::new(&self.keys.1, bits, self.manners.kind));
        }
        if self.ipcp.asked.is_none() {
            self.ask_network();
        }
    }

    fn respond(&mut self, packet: &ControlPacket) {
        let Some(challenge) = packet.data.get(1..17) else { return };
        let challenge: [u8; 16] = challenge.try_into().expect("16 octets");
        let Manners { user, password, flags, .. } = self.manners;
        let hash = mschap::nt_hash_of(password).expect("short enough");
        let (own, name) = ([0x5a; 16], mschap::base_name(user.as_bytes()));
        let nt_response = mschap::generate_nt_response(&challenge, &own, name, &hash);
        self.keys = start_keys(password, &nt_response);
        let name = user.as_bytes();
        let response = Response { peer_challenge: own, nt_response, flags, name };
        let data = written(|writer| response.emit(writer));
        self.out.push(frame(protocol::CHAP, 2, packet.identifier, &data));
    }

    fn open_network(&mut self) {
        self.logged_in = true;
        if self.manners.bits != 0 {
            self.ask(protocol::CCP);
        }
        if self.manners.hasty || self.manners.bits == 0 {
            self.ask_network();
        }
    }

    fn ask_network(&mut self) {
        self.ask(protocol::IPCP);
        if self.manners.identifier.is_some() {
            self.ask(protocol::IPV6CP);
        }
    }

    fn ask(&mut self, number: u16) {
        if !self.may_speak() {
            return;
        }
        let identifier = self.next_identifier();
        let layer = self.layer(number);
        layer.asked = Some(identifier);
        let octets = frame(number, REQUEST, identifier, &encoded(&layer.wishes));
        self.out.push(octets);
    }

    fn may_speak(&mut self) -> bool {
        self.spoken += u8::from(self.spoken < PATIENCE);
        self.spoken < PATIENCE
    }

    fn next_identifier(&mut self) -> u8 {
        self.identifiers = self.identifiers.wrapping_add(1);
        self.identifiers
    }

    fn layer(&mut self, number: u16) -> &mut Layer {
        match number {
            protocol::LCP => &mut self.lcp,
            protocol::CCP => &mut self.ccp,
            protocol::IPV6CP => &mut self.ipv6cp,
            _ => &mut self.ipcp,
        }
    }
}

/// What the server lets through or says itself is a whole packet.
fn check_ipv6(octets: &[u8]) {
    let header = ipv6::Header::parse(octets).expect("a whole packet");
    assert_eq!(header.total_len, octets.len());
}
