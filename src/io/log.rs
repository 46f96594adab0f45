//! The log: one line per event on standard error, `level: text`. No time stamps: the system's log
//! (procd's logd, journald) adds them.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use log::{Level, LevelFilter, Log, Metadata, Record};
use pptp::config::LogLevel;
use pptp::session::Event;
use pptp::time::Instant;

use super::sys::{self, Standard};

/// Octets of the longest line; what is longer is cut.
const LINE: usize = 512;

/// Lines of events in one second; a crowd of strangers must not push everything else out of a small
/// log.
const LINES_PER_SECOND: u32 = 50;

struct StandardError;

/// How many events were logged in this second.
#[derive(Default)]
pub struct Quota {
    second: u64,
    lines: u32,
}

impl Quota {
    /// Logs the event, unless its second has had enough; what was left out is counted, and said
    /// once the second is over.
    pub fn log(&mut self, event: &Event, now: Instant) {
        let second = now.0 / 1000;
        if second != self.second {
            let left_out = self.lines.saturating_sub(LINES_PER_SECOND);
            if left_out > 0 {
                log::warn!("{left_out} more events within a second, not logged one by one");
            }
            *self = Quota { second, lines: 0 };
        }
        let level = level(event.level());
        if log::log_enabled!(level) {
            self.lines += 1;
            if self.lines <= LINES_PER_SECOND {
                log::log!(level, "{event}");
            }
        }
    }
}

/// Logs from now on, as verbose as `level`.
pub fn start(level: LogLevel) {
    // The only error is a logger that was set before: then this one is already at work.
    let _ = log::set_logger(&StandardError);
    set_level(level);
}

/// Changes how verbose the log is.
pub fn set_level(level: LogLevel) {
    log::set_max_level(match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    });
}

/// The level of an event of the library.
fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warn,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
        LogLevel::Trace => Level::Trace,
    }
}

/// Logs one line. The macros below call this one function: each place that logs something costs less
/// flash than with those of `log`, which stay for what is said often, and then mostly to nobody.
#[cold]
#[inline(never)]
pub fn line(level: Level, text: fmt::Arguments) {
    log::log!(level, "{text}");
}

macro_rules! error_line {
    ($($text:tt)*) => { $crate::io::log::line(::log::Level::Error, format_args!($($text)*)) };
}
macro_rules! warn_line {
    ($($text:tt)*) => { $crate::io::log::line(::log::Level::Warn, format_args!($($text)*)) };
}
macro_rules! info_line {
    ($($text:tt)*) => { $crate::io::log::line(::log::Level::Info, format_args!($($text)*)) };
}
pub(crate) use {error_line as error, info_line as info, warn_line as warn};

/// Writes to standard error, unless whoever reads it has fallen behind: a log daemon that hangs must
/// not hang the calls. What cannot be written is lost.
pub fn say(text: &[u8]) {
    let mut out = sys::standard(Standard::Error);
    if sys::takes_output(&*out) {
        let _ = out.write_all(text);
    }
}

impl Log for StandardError {
    fn enabled(&self, metadata: &Metadata) -> bool {
        // mio's own lines say nothing to the owner of a router.
        metadata.level() <= log::max_level() && !metadata.target().starts_with("mio")
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = Line { octets: [0; LINE], length: 0 };
        let level = match record.level() {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        };
        // Both only fail when the line is full, and when nobody reads standard error any more.
        let _ = write!(line, "{level}: {}", record.args());
        say(line.end());
    }

    fn flush(&self) {}
}

/// A line in the making: one write to standard error, nothing on the heap.
struct Line {
    octets: [u8; LINE],
    length: usize,
}

impl Line {
    /// Ends the line. One octet was kept for that.
    fn end(&mut self) -> &[u8] {
        self.octets[self.length] = b'\n';
        &self.octets[..=self.length]
    }
}

impl fmt::Write for Line {
    /// Control characters become `?`: names come from the network, and no caller shall be able to
    /// write lines of his own or play with the reader's terminal.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let char = if char.is_control() { '?' } else { char };
            let room = self.octets[..LINE - 1].get_mut(self.length..self.length + char.len_utf8());
            self.length += char.encode_utf8(room.ok_or(fmt::Error)?).len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_ends() {
        let mut line = Line { octets: [0; LINE], length: 0 };
        assert!(write!(line, "user a\nerror: b\u{1b}[2J\u{9b}é").is_ok());
        assert_eq!(line.end(), "user a?error: b?[2J?é\n".as_bytes());
        assert!(line.write_str(&"é".repeat(LINE)).is_err());
        assert!(line.end().len() > LINE - 4);
        assert!(std::str::from_utf8(line.end()).is_ok());
    }
}
