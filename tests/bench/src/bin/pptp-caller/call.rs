//! One call: the model of a caller from `tests/common` until it is open, and from then on for everything but
//! inner packets, which pass in place.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};

use mio::net::TcpStream;
use pptp::packet::Packet;
use pptp::proto::mppe::{Decryptor, Encryptor};
use pptp::time::Instant;
use pptp::wire::gre;
use pptp::wire::ppp::{ADDRESS_CONTROL, frame_header, protocol, protocol_field};

use crate::common::caller::{Caller, Mind, call_request, start_request};
use crate::common::cipher::{Opener, Sealer};
use crate::common::dice::Dice;
use crate::common::habits::{Encryption, Habits, MIKROTIK, STATELESS_128};
use crate::common::line::Quality;
use crate::common::ppp::{Phase, Ppp};

const PORT: u16 = 1723;

/// What the model sends is there at once.
const WIRE: Quality = Quality { delay: 0, jitter: 0, loss: 0, doubled: 0, reordered: (0, 0) };

const ENCRYPTED: Habits =
    Habits { encryption: Encryption::Wants(STATELESS_128, &[STATELESS_128]), ..MIKROTIK };
const PLAIN: Habits = Habits { encryption: Encryption::UnknownCcp, ..MIKROTIK };

pub struct Account<'w> {
    pub user: &'w str,
    pub password: &'w str,
    pub encrypts: bool,
}

pub struct Call {
    stream: TcpStream,
    model: Caller,
    /// Once the call is open.
    address: Option<Ipv4Addr>,
    sealer: Option<Encryptor>,
    opener: Option<Decryptor>,
    encrypts: bool,
    /// The highest number received, while it is not acknowledged.
    owed: Option<u32>,
}

impl Call {
    /// Connects and asks for a call with the Call ID `own_id`.
    pub fn connect(
        server: Ipv4Addr,
        account: &Account,
        own_id: u16,
        now: Instant,
    ) -> io::Result<Call> {
        // The handshake is waited for; afterwards nothing blocks.
        let stream = std::net::TcpStream::connect(SocketAddrV4::new(server, PORT))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let dice = || Dice::new(u64::from(own_id));
        let habits = if account.encrypts { ENCRYPTED } else { PLAIN };
        let mut model = Caller::new(Ipv4Addr::UNSPECIFIED, server, WIRE, dice());
        let ppp = Ppp::new(habits, account.user, account.password, dice());
        model.expect_call(own_id, Mind::Model(Box::new(ppp)));
        model.say(&start_request(), now);
        model.say(&call_request(own_id), now);
        let (stream, encrypts) = (TcpStream::from_std(stream), account.encrypts);
        let mut call =
            Call { stream, model, address: None, sealer: None, opener: None, encrypts, owed: None };
        call.speak(now)?;
        Ok(call)
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address.expect("an open call")
    }

    pub fn is_settled(&self) -> bool {
        self.address.is_some()
    }

    /// Once the model is open, its ciphers are taken over. Whether that is done.
    pub fn settle(&mut self) -> bool {
        let is_settled = self.is_settled();
        let ppp = self.model.calls[0].model_mut();
        if let Phase::Over(why) = ppp.phase {
            panic!("refused: {why}");
        }
        if !is_settled && ppp.is_open() {
            self.address = Some(ppp.address());
            let ciphers = ppp.sealer.take().zip(ppp.opener.take());
            if let Some((Sealer::Library(sealer), Opener::Library(opener))) = ciphers {
                (self.sealer, self.opener) = (Some(sealer), Some(opener));
            }
            assert_eq!(self.encrypts, self.sealer.is_some(), "encryption as it was wanted");
        }
        self.is_settled()
    }

    /// Reads the connection, and answers.
    pub fn hear(&mut self, now: Instant) -> io::Result<()> {
        let mut octets = [0; 2048];
        loop {
            match self.stream.read(&mut octets) {
                Ok(0) => return Err(io::Error::other("the server closed the connection")),
                Ok(len) => self.model.hear(&octets[..len], now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.speak(now),
                Err(error) => return Err(error),
            }
        }
    }

    fn speak(&mut self, now: Instant) -> io::Result<()> {
        while let Some(octets) = self.model.tcp_up.receive(now) {
            self.stream.write_all(&octets)?;
        }
        Ok(())
    }

    /// A GRE packet that is not an inner packet of an open call.
    pub fn take(&mut self, octets: &[u8], now: Instant) {
        self.model.take_gre(octets, now);
    }

    /// Sends what the model has to say.
    pub fn say(&mut self, now: Instant, gre: &mut impl Write) -> io::Result<()> {
        while let Some(octets) = self.model.gre_up.receive(now) {
            gre.write_all(&octets)?;
        }
        self.speak(now)
    }

    pub fn handle_timeout(&mut self, now: Instant, gre: &mut impl Write) -> io::Result<()> {
        if self.model.deadline().is_some_and(|at| at <= now) {
            self.model.handle_timeout(now);
        }
        self.say(now, gre)
    }

    /// Makes a GRE packet of an inner one.
    pub fn seal(&mut self, packet: &mut Packet) {
        packet.prepend(&protocol::IPV4.to_be_bytes());
        if let Some(sealer) = &mut self.sealer {
            sealer.seal(packet);
            packet.prepend(&protocol::COMPRESSED.to_be_bytes());
        }
        packet.prepend(&ADDRESS_CONTROL);
        let call = &mut self.model.calls[0];
        let sequence = call.next_sequence;
        call.next_sequence = sequence.wrapping_add(1);
        let header = gre::Header {
            payload_length: packet.len() as u16,
            call_id: call.server_id,
            sequence: Some(sequence),
            acknowledgment: self.owed.take(),
        };
        header.prepend_to(packet);
    }

    /// Makes an inner packet of a GRE packet whose header has `len` octets. False, and nothing is changed,
    /// when it is something else.
    pub fn open(&mut self, header: &gre::Header, len: usize, packet: &mut Packet) -> bool {
        let Ok((number, frame)) = frame_header(&packet.data()[len..]) else { return false };
        let wanted = if self.encrypts { protocol::COMPRESSED } else { protocol::IPV4 };
        if !self.is_settled() || number != wanted {
            return false;
        }
        self.owed = header.sequence;
        packet.strip(len + frame);
        if let Some(opener) = &mut self.opener {
            opener.open(packet).expect("a packet in its order and under its key");
            let (_, field) = protocol_field(packet.data()).expect("an inner protocol");
            packet.strip(field);
        }
        true
    }
}
