//! DHCPINFORM and its answer (RFC 2131 sections 2, 3.4 and 4.3.5): how a caller that has its address
//! by IPCP already asks for the rest, above all for routes (RFC 3442).

use core::net::Ipv4Addr;

use super::checksum::{checksum, sum};
use super::ipv4::{HEADER_MIN, Header};
use super::{Error, Reader, Writer};

/// The server's port; the client's is the next one.
const SERVER: u16 = 67;
const CLIENT: u16 = 68;
const UDP: u8 = 17;
const TTL: u8 = 64;
const BOOTREPLY: u8 = 2;
/// RFC 2132 section 2.
const COOKIE: u32 = 0x6382_5363;
/// Octets of `sname` and `file`, which are zero in our answers.
const NAMES: usize = 64 + 128;
/// Octets up to the end of `chaddr`, and of the longest address within.
const FRONT: usize = 44;
const ADDRESS_MAX: u8 = 16;
/// The largest IPv4 packet that every client takes (section 2).
const SIZE_MIN: u16 = 576;

/// Option codes (RFC 2132, and those of the documents named).
pub mod option {
    pub const PAD: u8 = 0;
    pub const DNS: u8 = 6;
    pub const DOMAIN: u8 = 15;
    pub const WINS: u8 = 44;
    pub const OVERLOAD: u8 = 52;
    pub const TYPE: u8 = 53;
    pub const SERVER: u8 = 54;
    pub const WANTED: u8 = 55;
    pub const MAX_SIZE: u8 = 57;
    pub const CLIENT: u8 = 61;
    /// Classless routes (RFC 3442).
    pub const ROUTES: u8 = 121;
    /// The same, from before it had a number: the only ones that Windows XP and 2003 know.
    pub const ROUTES_MICROSOFT: u8 = 249;
    pub const END: u8 = 255;
}

/// Types of messages.
pub mod kind {
    pub const ACK: u8 = 5;
    pub const INFORM: u8 = 8;
}

/// Whether an IP protocol is the one that DHCP uses.
pub fn is_carried_by(protocol: u8) -> bool {
    protocol == UDP
}

/// What in an IPv4 packet is meant for a DHCP server: the UDP datagram's data. `None` when it is
/// something else, an error when it is and is broken.
pub fn request<'p>(octets: &'p [u8], header: &Header) -> Option<Result<&'p [u8], Error>> {
    let udp = octets.get(header.header_len..header.total_len)?;
    let ports = [udp.get(..2)?, udp.get(2..4)?];
    let is_meant = header.protocol == UDP
        && header.fragment_offset == 0
        && ports[1] == SERVER.to_be_bytes().as_slice();
    is_meant.then(|| data(udp, header))
}

fn data<'p>(udp: &'p [u8], header: &Header) -> Result<&'p [u8], Error> {
    let mut reader = Reader::new(udp);
    let client = reader.u16()?;
    reader.u16()?;
    let length = usize::from(reader.u16()?);
    let sent = reader.u16()?;
    let whole = udp.get(..length).ok_or(Error::Length)?;
    let is_right = sent == 0 || checksum(whole, pseudo(header, length)) == 0;
    if client != CLIENT || !is_right {
        return Err(Error::Value);
    }
    whole.get(8..).ok_or(Error::Length)
}

/// The sum of UDP's pseudo header (RFC 768).
fn pseudo(header: &Header, length: usize) -> u32 {
    sum(&header.source.octets())
        + sum(&header.destination.octets())
        + u32::from(UDP)
        + length as u32
}

/// A DHCPINFORM.
///
/// ```text
///  0                   1                   2                   3
/// +---------------+---------------+---------------+---------------+
/// |     op = 1    |     htype     |   hlen <= 16  |      hops     |
/// +---------------+---------------+---------------+---------------+
/// |                              xid                              |
/// +-------------------------------+-------------------------------+
/// |             secs              |             flags             |
/// +-------------------------------+-------------------------------+
/// |  ciaddr: the client's address, yiaddr, siaddr, giaddr         |
/// +---------------------------------------------------------------+
/// |  chaddr (16)    sname (64)    file (128)                      |
/// +---------------------------------------------------------------+
/// |  magic cookie, then options: code, length, data               |
/// +---------------------------------------------------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inform<'a> {
    front: [u8; FRONT],
    /// What the client calls itself; it is given back (RFC 6842).
    client: Option<&'a [u8]>,
    /// The options that it asks for; all if it says nothing.
    wanted: Option<&'a [u8]>,
    /// The largest IPv4 packet that it takes.
    max_size: u16,
}

impl<'a> Inform<'a> {
    /// Reads a message. `Value` when it is no DHCPINFORM, comes from a relay agent, or is about
    /// another address than `client`; `Length` when an option is longer than the message.
    pub fn parse(octets: &'a [u8], client: Ipv4Addr) -> Result<Inform<'a>, Error> {
        let mut reader = Reader::new(octets);
        let front: [u8; FRONT] = reader.array()?;
        reader.take(NAMES)?;
        let ours = [[0; 4], client.octets()];
        let is_sense = front[0] == 1
            && front[2] <= ADDRESS_MAX
            && ours.iter().any(|address| front[12..16] == *address)
            && front[24..28] == [0; 4];
        if !is_sense || reader.u32()? != COOKIE {
            return Err(Error::Value);
        }
        let mut inform = Inform { front, client: None, wanted: None, max_size: SIZE_MIN };
        match inform.take_options(reader)? {
            kind::INFORM => Ok(inform),
            _ => Err(Error::Value),
        }
    }

    /// The type of the message. What clients with long lists put into `sname` and `file` (option
    /// 52) is not looked at: nothing of an INFORM needs the room.
    fn take_options(&mut self, mut reader: Reader<'a>) -> Result<u8, Error> {
        let mut kind = 0;
        while reader.left() > 0 {
            let code = match reader.u8()? {
                option::PAD => continue,
                option::END => break,
                code => code,
            };
            let length = usize::from(reader.u8()?);
            match (code, reader.take(length).map_err(|_| Error::Length)?) {
                (option::TYPE, &[value]) => kind = value,
                (option::OVERLOAD, &[1..=3]) => {}
                (option::MAX_SIZE, &[a, b]) => {
                    self.max_size = u16::from_be_bytes([a, b]).max(SIZE_MIN);
                }
                (option::TYPE | option::OVERLOAD | option::MAX_SIZE, _) => {
                    return Err(Error::Length);
                }
                (option::CLIENT, data) => self.client = Some(data),
                // One list is split over several options only when it is too long for one.
                (option::WANTED, data) => self.wanted = self.wanted.or(Some(data)),
                _ => {}
            }
        }
        Ok(kind)
    }

    /// Whether the client asks for an option.
    pub fn wants(&self, code: u8) -> bool {
        self.wanted.is_none_or(|list| list.contains(&code))
    }

    /// Octets of the largest IPv4 packet that the client takes, at least 576.
    pub fn max_size(&self) -> usize {
        usize::from(self.max_size)
    }

    /// Writes the IPv4 packet with the DHCPACK of `server` to `client` into `buffer`, which is as
    /// long as it may become: an option for which there is no room is left out. There is no lease in
    /// it, and no mask, since the client has its address already. The number of octets, unless there
    /// is no room for the least.
    pub fn answer(
        &self,
        [server, client]: [Ipv4Addr; 2],
        buffer: &mut [u8],
        put: impl FnOnce(&mut Answer),
    ) -> Option<usize> {
        let (start, limit) = (HEADER_MIN + 8, buffer.len());
        let mut writer = Writer::new(buffer);
        writer.padded(&[], start);
        self.put_front(&mut writer);
        writer.put(&[option::TYPE, 1, kind::ACK, option::SERVER, 4]);
        writer.put(&server.octets());
        let mut answer = Answer { inform: self, writer, limit };
        if let Some(client) = self.client {
            answer.put(option::CLIENT, client);
        }
        put(&mut answer);
        answer.writer.u8(option::END);
        let total_len = answer.writer.finish()?;
        let (header_len, fragment_offset, protocol) = (HEADER_MIN, 0, UDP);
        let (source, destination) = (server, client);
        put_headers(
            buffer.get_mut(..total_len)?,
            &Header { header_len, total_len, fragment_offset, protocol, source, destination },
        );
        Some(total_len)
    }

    /// What stands in front of the options (RFC 2131 table 3).
    fn put_front(&self, writer: &mut Writer) {
        let f = &self.front;
        writer.put(&[BOOTREPLY, f[1], f[2], 0]);
        writer.put(&f[4..8]);
        writer.u16(0);
        writer.put(&f[10..16]);
        writer.padded(&[], 12);
        writer.put(&f[28..]);
        writer.padded(&[], NAMES);
        writer.u32(COOKIE);
    }
}

/// The options of an answer.
pub struct Answer<'w, 'b> {
    inform: &'w Inform<'w>,
    writer: Writer<'b>,
    limit: usize,
}

impl Answer<'_, '_> {
    /// Adds an option if the client wants it and there is something to say.
    pub fn tell(&mut self, code: u8, data: &[u8]) {
        if self.inform.wants(code) && !data.is_empty() {
            self.put(code, data);
        }
    }

    /// The same with addresses.
    pub fn tell_addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        addresses.iter().for_each(|address| writer.put(&address.octets()));
        self.tell(code, writer.written());
    }

    fn put(&mut self, code: u8, data: &[u8]) {
        let room = self.limit.saturating_sub(self.writer.len() + 3);
        let Ok(length) = u8::try_from(data.len()) else { return };
        if data.len() <= room {
            self.writer.put(&[code, length]);
            self.writer.put(data);
        }
    }
}

/// Appends a route to the data of an option: the prefix, those octets of the network that it does
/// not make zero, the gateway (RFC 3442). One that does not fit into the option is left out.
pub fn put_route(list: &mut Writer, network: Ipv4Addr, prefix: u8, gateway: Ipv4Addr) {
    let octets = network.octets();
    let shown = octets.get(..usize::from(prefix.div_ceil(8))).unwrap_or(&octets);
    if list.len() + 1 + shown.len() + 4 <= usize::from(u8::MAX) {
        list.u8(prefix);
        list.put(shown);
        list.put(&gateway.octets());
    }
}

/// Fills in the headers of IPv4 and UDP, which are zero.
fn put_headers(octets: &mut [u8], header: &Header) {
    let length = header.total_len - HEADER_MIN;
    let (ip, udp) = octets.split_at_mut(HEADER_MIN);
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&(header.total_len as u16).to_be_bytes());
    ip[8..10].copy_from_slice(&[TTL, UDP]);
    ip[12..16].copy_from_slice(&header.source.octets());
    ip[16..20].copy_from_slice(&header.destination.octets());
    let ip_checksum = checksum(ip, 0);
    ip[10..12].copy_from_slice(&ip_checksum.to_be_bytes());
    udp[1] = SERVER as u8;
    udp[3] = CLIENT as u8;
    udp[4..6].copy_from_slice(&(length as u16).to_be_bytes());
    // Zero would say that there is none.
    let whole = match checksum(udp, pseudo(header, length)) {
        0 => u16::MAX,
        whole => whole,
    };
    udp[6..8].copy_from_slice(&whole.to_be_bytes());
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const CLIENT_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 10);
    const SERVER_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

    /// The message as Windows sends it over a PPTP link: its hardware is a hyperchannel, its
    /// address begins with "RAS ".
    fn windows(options: &[u8]) -> Vec<u8> {
        let mut octets = std::vec![1, 8, 16, 0, 0x5a, 1, 2, 3, 0, 7, 0, 0];
        octets.extend_from_slice(&CLIENT_IP.octets());
        octets.extend_from_slice(&[0; 12]);
        octets.extend_from_slice(b"RAS \0\0\0\0\0\0\0\0\0\0\0\0");
        octets.extend_from_slice(&[0; NAMES]);
        octets.extend_from_slice(&COOKIE.to_be_bytes());
        octets.extend_from_slice(options);
        octets
    }

    const OPTIONS: &[u8] = &[
        53, 1, 8, 61, 3, 8, b'R', b'A', 60, 8, b'M', b'S', b'F', b'T', b' ', b'5', b'.', b'0', 55,
        6, 6, 44, 43, 15, 249, 121, 255,
    ];

    fn parse(octets: &[u8]) -> Result<Inform<'_>, Error> {
        Inform::parse(octets, CLIENT_IP)
    }

    fn answer(inform: &Inform, room: usize, put: impl FnOnce(&mut Answer)) -> Option<Vec<u8>> {
        let mut buffer = std::vec![0; room];
        let len = inform.answer([SERVER_IP, CLIENT_IP], &mut buffer, put)?;
        buffer.truncate(len);
        Some(buffer)
    }

    #[test]
    fn an_answer_and_its_headers() {
        let octets = windows(OPTIONS);
        let inform = parse(&octets).unwrap();
        assert!(inform.wants(249) && !inform.wants(3));
        let octets = answer(&inform, 576, |answer| {
            answer.tell(3, &[9; 4]);
            answer.tell(option::DOMAIN, b"");
            answer.tell_addresses(option::DNS, &[SERVER_IP]);
        });
        let octets = octets.unwrap();
        let header = Header::parse(&octets).unwrap();
        assert_eq!((header.source, header.destination), (SERVER_IP, CLIENT_IP));
        assert_eq!(checksum(&octets[..20], 0), 0);
        assert_eq!(checksum(&octets[20..], pseudo(&header, octets.len() - 20)), 0);
        assert_eq!(octets[20..24], [0, 67, 0, 68]);
        let message = &octets[28..];
        assert_eq!(message[..12], [2, 8, 16, 0, 0x5a, 1, 2, 3, 0, 0, 0, 0]);
        assert_eq!(message[12..16], CLIENT_IP.octets());
        assert_eq!(message[16..28], [0; 12], "no address is leased");
        assert_eq!(message[28..32], *b"RAS ");
        let options =
            [53, 1, 5, 54, 4, 192, 168, 77, 1, 61, 3, 8, b'R', b'A', 6, 4, 192, 168, 77, 1];
        assert_eq!(message[240..], [&options[..], &[255]].concat());
    }

    #[test]
    fn without_a_list_everything_is_wanted_and_what_has_no_room_is_left_out() {
        let octets = windows(&[53, 1, 8]);
        let inform = parse(&octets).unwrap();
        assert!((1..=254).all(|code| inform.wants(code)));
        let tell = |answer: &mut Answer| {
            answer.tell(option::ROUTES_MICROSOFT, &[9; 255]);
            answer.tell(option::ROUTES, &[8; 255]);
            answer.tell(option::DOMAIN, b"lan");
        };
        let length = |room| answer(&inform, room, tell).map(|octets| octets.len());
        let fixed = 28 + 240 + 3 + 6 + 1;
        assert_eq!(length(1400), Some(fixed + 257 + 257 + 5));
        assert_eq!(length(576), Some(fixed + 257 + 5));
        assert_eq!(length(fixed), Some(fixed));
        assert_eq!((length(fixed - 1), length(200)), (None, None));
    }

    #[test]
    fn lying_lengths_and_what_is_no_inform() {
        for options in [
            &[53, 1, 8, 55, 200, 1][..],
            &[53],
            &[53, 2, 8, 8],
            &[53, 0],
            &[53, 1, 8, 52, 0],
            &[53, 1, 8, 52, 1, 4],
            &[53, 1, 8, 57, 1, 9],
            &[53, 1, 8, 61],
            &[53, 1, 1, 255],
            &[53, 1, 3, 255],
            &[255, 53, 1, 8],
            &[],
        ] {
            assert!(parse(&windows(options)).is_err(), "{options:?}");
        }
        for (at, value) in [(0, 2), (2, 17), (12, 10), (24, 1), (236, 0)] {
            let mut octets = windows(OPTIONS);
            octets[at] = value;
            assert!(parse(&octets).is_err(), "{at}");
        }
        let octets = windows(OPTIONS);
        for cut in 0..octets.len() - 1 {
            // A cut between two options leaves a whole message.
            let is_whole = [243, 248, 258].contains(&cut);
            assert_eq!(parse(&octets[..cut]).is_ok(), is_whole, "{cut}");
        }
        assert!(parse(&windows(&[0, 0, 53, 1, 8, 52, 1, 3, 55, 0])).is_ok());
        assert_eq!(parse(&windows(&[53, 1, 8, 57, 2, 0, 9])).unwrap().max_size(), 576);
        assert_eq!(parse(&windows(&[53, 1, 8, 57, 2, 5, 0xdc])).unwrap().max_size(), 1500);
    }

    #[test]
    fn routes_as_the_rfc_prints_them() {
        let mut buffer = [0; 300];
        let mut list = Writer::new(&mut buffer);
        let gateway = Ipv4Addr::new(10, 0, 0, 1);
        // RFC 3442's table of descriptors.
        put_route(&mut list, Ipv4Addr::new(10, 0, 0, 0), 8, gateway);
        put_route(&mut list, Ipv4Addr::new(10, 17, 0, 0), 16, gateway);
        put_route(&mut list, Ipv4Addr::new(10, 229, 0, 128), 25, gateway);
        put_route(&mut list, Ipv4Addr::UNSPECIFIED, 0, gateway);
        put_route(&mut list, Ipv4Addr::new(10, 27, 129, 0), 24, gateway);
        let expected = [
            &[8, 10, 10, 0, 0, 1][..],
            &[16, 10, 17, 10, 0, 0, 1],
            &[25, 10, 229, 0, 128, 10, 0, 0, 1],
            &[0, 10, 0, 0, 1],
            &[24, 10, 27, 129, 10, 0, 0, 1],
        ];
        assert_eq!(list.written(), expected.concat());
        for _ in 0..60 {
            put_route(&mut list, gateway, 32, gateway);
        }
        assert!(list.len() <= 255 && list.len() + 9 > 255);
    }

    #[test]
    fn what_is_meant_for_a_server() {
        let octets = windows(OPTIONS);
        let inform = parse(&octets).unwrap();
        let mut packet = answer(&inform, 576, |_| {}).unwrap();
        let header = Header::parse(&packet).unwrap();
        assert_eq!(request(&packet, &header), None, "an answer");
        packet[20..24].copy_from_slice(&[0, 68, 0, 67]);
        // The ports changed places, which sums up to the same.
        assert!(request(&packet, &header).unwrap().is_ok());
        packet[100] ^= 1;
        assert_eq!(request(&packet, &header), Some(Err(Error::Value)), "checksum");
        packet[26..28].fill(0);
        assert!(request(&packet, &header).unwrap().is_ok(), "none");
        for (at, value) in [(21, 69), (24, 9), (25, 7)] {
            let mut wrong = packet.clone();
            wrong[at] = value;
            if at == 25 {
                wrong[24] = 0;
            }
            assert!(request(&wrong, &header).unwrap().is_err(), "{at}");
        }
        assert_eq!(request(&packet, &Header { fragment_offset: 1, ..header }), None);
        assert_eq!(request(&packet, &Header { protocol: 6, ..header }), None);
        assert_eq!(request(&packet[..23], &Header { total_len: 23, ..header }), None);
    }
}
