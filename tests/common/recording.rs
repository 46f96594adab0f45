//! Reads the recorded calls in data/pcap: the octets of the control connection and the GRE
//! packets, each with its side, and the clear packets of the server's ppp0.

#![allow(dead_code)] // each test uses its part

use std::collections::BTreeMap;
use std::path::Path;

use pptp::wire::gre;

const CALLER: [u8; 4] = [10, 99, 0, 2];
const TCP: u8 = 6;
const GRE: u8 = 47;

/// Who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Caller,
    Server,
}

pub const SIDES: [Side; 2] = [Side::Caller, Side::Server];

pub struct GrePacket {
    pub from: Side,
    pub header: gre::Header,
    /// The PPP frame, if there is one.
    pub frame: Vec<u8>,
}

pub struct Recording {
    /// Octets of the control connection from the caller and from the server.
    pub control: [Vec<u8>; 2],
    /// In the order of arrival.
    pub gre: Vec<GrePacket>,
}

/// The wire of `name`.
pub fn recording(name: &str) -> Recording {
    let mut segments = [BTreeMap::new(), BTreeMap::new()];
    let mut gre = Vec::new();
    for frame in records(&format!("{name}.pcap"), 1) {
        let ip = &frame[14..];
        let header_len = usize::from(ip[0] & 15) * 4;
        let payload = &ip[header_len..usize::from(u16::from_be_bytes([ip[2], ip[3]]))];
        let from = if ip[12..16] == CALLER { Side::Caller } else { Side::Server };
        match ip[9] {
            TCP => segment(&mut segments[from as usize], payload),
            GRE => gre.push(gre_packet(from, payload)),
            other => panic!("{name}: IP protocol {other}"),
        }
    }
    let [caller, server] = segments;
    Recording { control: [stream(caller), stream(server)], gre }
}

/// The inner packets of `name`, in the order of the server's ppp0.
pub fn inner(name: &str) -> Vec<(Side, Vec<u8>)> {
    let packets = records(&format!("{name}.inner.pcap"), 113).into_iter();
    packets
        .map(|cooked| {
            // Linux cooked capture: packet type 4 is "sent by us", the packet follows 16 octets.
            let from = if cooked[..2] == [0, 4] { Side::Server } else { Side::Caller };
            (from, cooked[16..].to_vec())
        })
        .collect()
}

/// The packets of a little-endian pcap file of the given link type.
fn records(file: &str, link_type: u32) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pcap").join(file);
    let octets = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let u32_at = |at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    assert_eq!((u32_at(0), u32_at(20)), (0xa1b2_c3d4, link_type), "{file}");
    let mut packets = Vec::new();
    let mut at = 24;
    while at < octets.len() {
        let (captured, original) = (u32_at(at + 8), u32_at(at + 12));
        assert_eq!(captured, original, "{file}: cut packet");
        let end = at + 16 + captured as usize;
        packets.push(octets[at + 16..end].to_vec());
        at = end;
    }
    packets
}

/// Keeps the data of a TCP segment under its sequence number.
fn segment(segments: &mut BTreeMap<u32, Vec<u8>>, tcp: &[u8]) {
    let sequence = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
    let data = &tcp[usize::from(tcp[12] >> 4) * 4..];
    if !data.is_empty() {
        segments.insert(sequence, data.to_vec());
    }
}

/// The stream of segments that do not overlap.
fn stream(segments: BTreeMap<u32, Vec<u8>>) -> Vec<u8> {
    let mut next = segments.keys().next().copied();
    for (sequence, data) in &segments {
        assert_eq!(Some(*sequence), next, "a TCP segment is missing or doubled");
        next = Some(sequence + data.len() as u32);
    }
    segments.into_values().flatten().collect()
}

fn gre_packet(from: Side, octets: &[u8]) -> GrePacket {
    let (header, len) = gre::Header::parse(octets).unwrap();
    let frame = octets[len..len + usize::from(header.payload_length)].to_vec();
    GrePacket { from, header, frame }
}
