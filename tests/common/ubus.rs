//! Recorded messages of ubusd and its clients (data/ubus).

#![allow(dead_code)] // each test uses its part

use pptp::wire::Writer;
use pptp::wire::blob::kind;
use pptp::wire::ubus::{Method, NUMBER, TEXT};
use serde_json::Value;

/// One message of a recording.
pub struct Recorded {
    pub connection: u64,
    pub from_ubusd: bool,
    pub sequence: u16,
    pub peer: u32,
    pub octets: Vec<u8>,
}

/// The recordings by their names.
const RECORDINGS: &[(&str, &str)] = &[
    ("a-object-server", include_str!("../data/ubus/a-object-server.frames.json")),
    ("b-call", include_str!("../data/ubus/b-call.frames.json")),
    ("c-events", include_str!("../data/ubus/c-events.frames.json")),
    ("c2-notify-server", include_str!("../data/ubus/c2-notify-server.frames.json")),
    ("d-list", include_str!("../data/ubus/d-list.frames.json")),
    ("e-clash", include_str!("../data/ubus/e-clash.frames.json")),
    ("f-restart", include_str!("../data/ubus/f-restart.frames.json")),
];

/// The messages of one recording.
pub fn recording(name: &str) -> Vec<Recorded> {
    messages(RECORDINGS.iter().find(|it| it.0 == name).unwrap().1)
}

fn messages(json: &str) -> Vec<Recorded> {
    let list: Vec<Value> = serde_json::from_str(json).unwrap();
    list.iter()
        .map(|entry| Recorded {
            connection: entry["conn"].as_u64().unwrap(),
            from_ubusd: entry["dir"] == "D>C",
            sequence: entry["seq"].as_u64().unwrap() as u16,
            peer: entry["peer"].as_u64().unwrap() as u32,
            octets: octets(entry["hex"].as_str().unwrap()),
        })
        .collect()
}

pub fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The messages of all recordings.
pub fn all() -> Vec<Recorded> {
    RECORDINGS.iter().flat_map(|it| messages(it.1)).collect()
}

/// The object of the recordings.
pub const LAB: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method {
        name: "disconnect",
        arguments: &[("id", NUMBER), ("reason", TEXT), ("force", kind::INT8)],
    },
];

pub fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    let length = writer.finish().expect("too long");
    buffer[..length].to_vec()
}
