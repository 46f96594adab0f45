//! Signals, read from a descriptor like everything else: none of them ever interrupts anything.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};

use super::failure::{Doing, Failure};
use super::sys;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: say goodbye and end.
    Stop,
    /// SIGCHLD: a program that we started has ended, or more than one.
    Child,
}

/// Octets of a signalfd_siginfo (signalfd(2)); it begins with the signal's number.
const INFO: usize = 128;

/// The open descriptor.
pub struct Signals(File);

impl Signals {
    /// From now on signals wait here to be read.
    pub fn open() -> Result<Signals, Failure> {
        let numbers = [libc::SIGHUP, libc::SIGTERM, libc::SIGINT, libc::SIGCHLD];
        sys::signals(&numbers).map(|fd| Signals(fd.into())).doing("open a descriptor for signals")
    }

    /// What the event loop watches.
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The next signal that waits.
    pub fn read(&mut self) -> Option<Signal> {
        let mut info = [0; INFO];
        // Once more after any error: if it was another one than that none waits, no event would ever
        // come again for the signal, nor for those of its kind.
        self.0.read_exact(&mut info).or_else(|_| self.0.read_exact(&mut info)).ok()?;
        let number = i32::from_ne_bytes(*info.first_chunk()?);
        Some(match number {
            libc::SIGHUP => Signal::Reload,
            libc::SIGCHLD => Signal::Child,
            _ => Signal::Stop,
        })
    }
}
