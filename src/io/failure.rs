//! Why the program cannot start or go on, in one line: what it was doing, what the system said,
//! what to do about it.

use std::fmt::{self, Display};
use std::io;

/// An error that ends the program. It is on the heap: it is rare, and every result has room for it.
#[derive(Debug)]
pub struct Failure(Box<Words>);

#[derive(Debug)]
struct Words {
    doing: String,
    reason: String,
    advice: &'static str,
}

impl Failure {
    /// `doing` failed for `reason`; `advice` may be empty.
    pub fn new(doing: impl Display, reason: impl Display, advice: &'static str) -> Failure {
        failure(&doing, &reason, advice)
    }
}

/// One function for whatever is displayed.
#[cold]
#[inline(never)]
fn failure(doing: &dyn Display, reason: &dyn Display, advice: &'static str) -> Failure {
    Failure(Box::new(Words { doing: doing.to_string(), reason: reason.to_string(), advice }))
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.doing, self.0.reason)?;
        if self.0.advice.is_empty() { Ok(()) } else { write!(f, ": {}", self.0.advice) }
    }
}

/// Turns a system call's error into a [`Failure`].
pub trait Doing<T> {
    /// What was going on; no advice.
    fn doing(self, what: impl Display) -> Result<T, Failure>;

    /// What was going on, and advice that depends on the error.
    fn doing_or(
        self,
        what: impl Display,
        advice: fn(&io::Error) -> &'static str,
    ) -> Result<T, Failure>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl Display) -> Result<T, Failure> {
        self.doing_or(what, |_| "")
    }

    fn doing_or(
        self,
        what: impl Display,
        advice: fn(&io::Error) -> &'static str,
    ) -> Result<T, Failure> {
        self.map_err(|error| failed(&what, error, advice))
    }
}

/// One function for whatever failed.
#[cold]
#[inline(never)]
fn failed(
    doing: &dyn Display,
    error: io::Error,
    advice: fn(&io::Error) -> &'static str,
) -> Failure {
    failure(doing, &error, advice(&error))
}

/// Whether there was nothing for now. (`kind` brings a table of all errors along.)
pub fn is_blocked(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAGAIN)
}

/// Whether a signal came in between.
pub fn is_interrupted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINTR)
}
