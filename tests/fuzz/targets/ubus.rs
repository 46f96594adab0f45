//! Our client of ubusd against a ubusd that says anything at any time: it never panics, asks one
//! thing at a time in a bounded message, and always knows when to wake up.

use pptp::proto::ubus::{Client, News};
use pptp::time::Instant;
use pptp::wire::Writer;
use pptp::wire::blob::{Attributes, Blob, Value, fields, find, kind};
use pptp::wire::ubus::{Message, Method, message_length};

use super::input::Input;
use super::wire::written;

const METHODS: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method { name: "disconnect", arguments: &[("id", kind::INT32), ("name", kind::STRING)] },
];
/// Octets of the longest request of ours.
const REQUEST: usize = 512;

struct Bus {
    client: Client,
    now: Instant,
    /// The number of our last request.
    asked: u16,
}

pub fn ubus(data: &[u8]) {
    let (client, now) = (Client::new("pptp-server", METHODS), Instant(1_000_000));
    let mut bus = Bus { client, now, asked: 0 };
    bus.client.zone().want("lan", "pptps0", now);
    bus.client.handle_open(now);
    bus.hear(&message(0, 0, &[]));
    let mut input = Input::new(data);
    while !input.is_empty() {
        bus.step(&mut input);
        bus.settle();
    }
    values(data, 0);
}

/// A whole message.
fn message(kind: u8, sequence: u16, attributes: &[u8]) -> Vec<u8> {
    written(|writer| {
        writer.put(&[0, kind]);
        writer.u16(sequence);
        writer.u32(1);
        writer.u32(4 + attributes.len() as u32);
        writer.put(attributes);
    })
}

impl Bus {
    fn step(&mut self, input: &mut Input) {
        match input.below(8) {
            0 => self.hear(input.octets()),
            1..=3 => self.answer(input),
            4 => self.now = self.now + u64::from(input.u8()) * 250,
            5 => {
                let due = self.client.poll_timeout().map(|(at, _)| at);
                self.now = due.map_or(self.now, |at| at.max(self.now));
            }
            6 => {
                let zone = input.pick(&["lan", "none", "vpn"]);
                self.client.zone().want(zone, "pptps0", self.now);
            }
            _ => self.client.handle_close(self.now),
        }
    }

    /// A message with a header that fits: an answer to our last request, a call, an event.
    fn answer(&mut self, input: &mut Input) {
        let (kind, object) = (input.u8() % 16, u32::from(input.u8() % 4));
        let (status, more) = (u32::from(input.u8() % 12), input.octets());
        let known = written(|writer| {
            let mut blob = Blob::new(writer);
            blob.u32(3, object);
            if kind == 1 {
                blob.u32(1, status);
            }
        });
        self.hear(&message(kind, self.asked, &[&known, more].concat()));
    }

    fn hear(&mut self, octets: &[u8]) {
        let Ok(message) = Message::parse(octets) else { return };
        assert!(message_length(octets).is_ok());
        match self.client.handle_message(&message, self.now) {
            Ok(News::Call(call)) => values(call.arguments.unwrap_or_default(), 0),
            Ok(_) => {}
            Err(_) => self.client.handle_close(self.now),
        }
        values(message.find(7).unwrap_or_default(), 0);
    }

    /// What is due is done at once; then nothing is due any more.
    fn settle(&mut self) {
        if self.client.handle_timeout(self.now).is_err() {
            self.client.handle_close(self.now);
        }
        if self.client.wants_connection(self.now) {
            self.client.handle_open(self.now);
        }
        let first = self.ask();
        assert!(!(first && self.ask()), "two requests at once");
        let due = self.client.poll_timeout().filter(|(at, _)| *at <= self.now);
        assert_eq!(due, None, "a busy loop");
    }

    fn ask(&mut self) -> bool {
        let mut buffer = [0; REQUEST];
        let mut writer = Writer::new(&mut buffer);
        if !self.client.poll_request(&mut writer, self.now) {
            return false;
        }
        let length = writer.finish().expect("a longer request");
        assert_eq!(message_length(&buffer[..length]), Ok(Some(length)));
        let message = Message::parse(&buffer[..length]).expect("our own message");
        self.asked = message.sequence;
        true
    }
}

/// Everything that can be read of a table, some levels deep.
fn values(octets: &[u8], depth: usize) {
    let read =
        Attributes::new(octets).map_while(Result::ok).map(|it| it.1.len() + 4).sum::<usize>();
    assert!(read <= octets.len());
    let _ = find(octets, "path");
    for (_, value) in fields(octets).map_while(Result::ok) {
        match value {
            Value::Array(inner) | Value::Table(inner) if depth < 4 => values(inner, depth + 1),
            Value::Text(text) => assert!(!text.contains(&0)),
            _ => {}
        }
    }
}
