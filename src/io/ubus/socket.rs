//! The connection to ubusd: whole messages out of its octets, and octets that wait until it takes
//! them. Nothing here ever blocks, and nothing grows without a limit.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use mio::event::Event;
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use pptp::wire::ubus::{Message, message_length};
use pptp::wire::{Error, Writer};

use crate::io::failure::{is_blocked, is_interrupted};

/// Octets of the longest message that is kept as a whole: calls of our methods are less than 300.
const INPUT: usize = 4096;

/// Octets that may wait for ubusd before no further message is taken from it.
const BACKLOG: usize = 64 * 1024;

/// The connection.
pub struct Socket {
    stream: UnixStream,
    /// Readiness is remembered: mio reports each change once.
    readable: bool,
    writable: bool,
    pub input: Input,
    pub output: Output,
}

impl Socket {
    /// Connects. ubusd is on the same machine: it answers at once or not at all.
    pub fn connect(path: &Path, registry: &Registry, token: Token) -> io::Result<Socket> {
        let mut stream = UnixStream::connect(path)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let (input, output) = (Input::default(), Output::default());
        Ok(Socket { stream, readable: false, writable: true, input, output })
    }

    /// Remembers an event.
    pub fn ready(&mut self, event: &Event) {
        // An error is seen by the next read.
        self.readable |= event.is_readable() || event.is_error();
        self.writable |= event.is_writable();
    }

    /// Whether there is something to do that no event will announce.
    pub fn has_more(&self) -> bool {
        let more = self.readable || !matches!(self.input.length(), Ok(None));
        self.writable && !self.output.octets.is_empty() || more && !self.output.is_full()
    }

    /// Takes more octets in. Whether there were any.
    pub fn fill(&mut self) -> io::Result<bool> {
        if !self.readable {
            return Ok(false);
        }
        match self.input.read(&mut self.stream) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "ubusd closed it")),
            Ok(_) => Ok(true),
            Err(error) => ignore_passing(error, &mut self.readable).map(|()| false),
        }
    }

    /// Sends what waits, as far as ubusd takes it.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.writable && !self.output.octets.is_empty() {
            match self.stream.write(&self.output.octets[self.output.sent..]) {
                Ok(length) => self.output.written(length),
                Err(error) => ignore_passing(error, &mut self.writable)?,
            }
        }
        Ok(())
    }
}

fn ignore_passing(error: io::Error, ready: &mut bool) -> io::Result<()> {
    if is_blocked(&error) {
        *ready = false;
    } else if !is_interrupted(&error) {
        return Err(error);
    }
    Ok(())
}

/// Octets that came.
pub struct Input {
    octets: Box<[u8; INPUT]>,
    filled: usize,
    /// Octets of a message too long to be kept that are still to come.
    skip: usize,
}

impl Default for Input {
    fn default() -> Input {
        Input { octets: Box::new([0; INPUT]), filled: 0, skip: 0 }
    }
}

impl Input {
    fn read(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        let length = stream.read(&mut self.octets[self.filled..])?;
        self.filled += length;
        self.drop_skipped();
        Ok(length)
    }

    fn drop_skipped(&mut self) {
        let dropped = self.skip.min(self.filled);
        self.skip -= dropped;
        self.remove(dropped);
    }

    /// Octets of the message in front if it is complete, or fills all the space that there is.
    fn length(&self) -> Result<Option<usize>, Error> {
        let length = message_length(&self.octets[..self.filled])?;
        Ok(length.filter(|&length| self.filled >= length.min(INPUT)))
    }

    /// The message in front.
    pub fn message(&self) -> Result<Option<Message<'_>>, Error> {
        let Some(length) = self.length()? else { return Ok(None) };
        Message::parse(&self.octets[..length.min(INPUT)]).map(Some)
    }

    /// Done with the message in front.
    pub fn next(&mut self) {
        if let Ok(Some(length)) = self.length() {
            self.skip = length;
            self.drop_skipped();
        }
    }

    fn remove(&mut self, count: usize) {
        self.octets.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

/// Octets that wait for ubusd.
#[derive(Default)]
pub struct Output {
    octets: Vec<u8>,
    sent: usize,
}

impl Output {
    /// Whether so much waits that nothing should be added.
    pub fn is_full(&self) -> bool {
        self.octets.len() - self.sent > BACKLOG
    }

    /// Adds what `write` writes, at most `room` octets, if it says that it shall be sent. What needs
    /// more room is left out, and that is told.
    pub fn put(&mut self, room: usize, write: impl FnOnce(&mut Writer) -> bool) -> bool {
        let start = self.octets.len();
        self.octets.resize(start + room, 0);
        let mut writer = Writer::new(&mut self.octets[start..]);
        let wanted = write(&mut writer);
        let written = writer.finish();
        self.octets.truncate(start + written.filter(|_| wanted).unwrap_or(0));
        written.is_some()
    }

    /// Adds a message.
    pub fn append(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    fn written(&mut self, length: usize) {
        self.sent += length;
        if self.sent >= self.octets.len() {
            // The memory of a long answer is given back.
            *self = Output::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pptp::wire::ubus::{attribute, put_invoke, put_listener, put_lookup};

    fn put(output: &mut Output, room: usize, write: impl FnOnce(&mut Writer)) -> bool {
        output.put(room, |writer| {
            write(writer);
            true
        })
    }

    /// Two short messages, one that is too long, and a short one again.
    fn stream() -> Vec<u8> {
        let mut output = Output::default();
        assert!(put(&mut output, 256, |writer| put_listener(writer, 1)));
        assert!(put(&mut output, 256, |writer| put_lookup(writer, 2, "network")));
        let long = "x".repeat(3 * INPUT);
        assert!(put(&mut output, 4 * INPUT, |writer| {
            put_invoke(writer, 3, 9, "status", |table| table.text("long", &long));
        }));
        assert!(put(&mut output, 256, |writer| put_lookup(writer, 4, "end")));
        assert!(!put(&mut output, 20, |writer| put_lookup(writer, 5, "no room for it")));
        assert!(output.put(256, |writer| {
            put_lookup(writer, 6, "not wanted");
            false
        }));
        output.octets
    }

    fn take_all(input: &mut Input, seen: &mut Vec<(u16, bool)>) {
        while let Some(message) = input.message().unwrap() {
            let object = message.u32(attribute::OBJID);
            assert_eq!(object, (message.sequence == 3).then_some(9));
            seen.push((message.sequence, message.whole));
            input.next();
        }
    }

    #[test]
    fn messages_are_found_whatever_the_stream_is_cut_into() {
        let octets = stream();
        for size in (1..70).chain([INPUT - 1, INPUT, INPUT + 1, octets.len()]) {
            let (mut input, mut seen) = (Input::default(), Vec::new());
            let mut pieces = octets.chunks(size);
            let mut piece: &[u8] = &[];
            loop {
                if piece.is_empty() {
                    let Some(next) = pieces.next() else { break };
                    piece = next;
                }
                assert!(input.read(&mut piece).unwrap() > 0);
                take_all(&mut input, &mut seen);
            }
            assert_eq!(seen, [(1, true), (2, true), (3, false), (4, true)], "pieces of {size}");
            assert_eq!((input.filled, input.skip), (0, 0));
        }
    }

    #[test]
    fn nonsense_is_seen() {
        let mut input = Input::default();
        input.read(&mut &[7u8; 40][..]).unwrap();
        assert!(input.message().is_err());
    }

    #[test]
    fn an_output_that_nobody_takes_is_full_and_gives_its_memory_back() {
        let mut output = Output::default();
        while !output.is_full() {
            assert!(put(&mut output, 4096, |writer| writer.put(&[0; 4096])));
        }
        output.written(1);
        assert!(output.octets.len() <= BACKLOG + 4096);
        output.written(output.octets.len() - 1);
        assert_eq!(output.octets.capacity(), 0);
    }
}
