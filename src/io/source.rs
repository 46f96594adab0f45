//! The configuration file: read with a bound, checked, and what of it can change while calls run.

use std::fmt::Display;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use log::Level;
use pptp::config::{Config, Problems};
use zeroize::Zeroize;

use super::failure::{Doing, Failure};
use super::{conflict, uci};
use crate::io::log::warn;

/// Octets of the largest configuration file: 128 accounts with the longest of everything are less.
const FILE: usize = 256 * 1024;

/// Reads and checks the file. Each problem becomes a line for `say`; without a configuration as
/// the result, one of them is an error.
///
/// A configuration has room for every account that there may be. It is on the heap, and this is a
/// function of its own, so that the stack does not keep several copies of it for ever.
#[inline(never)]
pub fn load(path: &Path, say: &dyn Fn(Level, &dyn Display)) -> Option<Box<Config>> {
    let mut text = match read(path) {
        Ok(text) => text,
        Err(failure) => {
            say(Level::Error, &failure);
            return None;
        }
    };
    let mut warnings = Problems::default();
    let parsed = Config::parse(&text, &mut warnings);
    text.zeroize();
    say_all(&warnings, path, Level::Warn, say);
    match parsed {
        Ok(config) => {
            let refusal = path.parent().and_then(|folder| conflict::refusal(&config, folder));
            match refusal {
                None => Some(Box::new(config)),
                Some(refusal) => {
                    say(Level::Error, &format_args!("{}: {refusal}", path.display()));
                    None
                }
            }
        }
        Err(errors) => {
            say_all(&errors, path, Level::Error, say);
            None
        }
    }
}

fn say_all(problems: &Problems, path: &Path, level: Level, say: &dyn Fn(Level, &dyn Display)) {
    let file = path.display();
    for problem in problems {
        say(level, &format_args!("{file}:{problem}"));
    }
    if problems.more() > 0 {
        say(level, &format_args!("{file}: and {} more", problems.more()));
    }
}

/// The text of the file. The space for it is taken at once: a text that grows leaves copies of the
/// passwords behind.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let doing = format_args!("read {}", path.display());
    let file = File::open(path).doing(doing)?;
    let metadata = file.metadata().doing(doing)?;
    let mut text = Vec::with_capacity(metadata.len().min(FILE as u64) as usize + 1);
    uci::read_up_to(file, &mut text, FILE + 1).doing(doing)?;
    if text.len() > FILE {
        return Err(Failure::new(doing, "this is more than 256 KiB", "is it the right file?"));
    }
    // A file that is being written is empty for a moment; taken for the accounts of nobody, it would
    // end every call.
    if text.is_empty() {
        return Err(Failure::new(doing, "it is empty", "is it being written?"));
    }
    Ok(text)
}

/// The file has passwords, or hashes that are as good as passwords.
pub fn warn_if_readable(path: &Path) {
    let readable = |mode: u32| mode & 0o044 != 0;
    if path.metadata().is_ok_and(|metadata| readable(metadata.permissions().mode())) {
        warn!("{}: others may read the passwords in it: chmod 600", path.display());
    }
}

/// What only counts at the start stays as it was; whoever changed it is told.
pub fn keep_fixed(old: &Config, new: &mut Config) {
    keep("listen", &old.listen, &mut new.listen);
    keep("port", &old.port, &mut new.port);
    keep("device", &old.device, &mut new.device);
    keep("local_ip", &old.local_ip, &mut new.local_ip);
    keep("pool", &old.pool, &mut new.pool);
    keep("ipv6_prefix", &old.ipv6_prefix, &mut new.ipv6_prefix);
    keep("max_sessions", &old.max_sessions, &mut new.max_sessions);
    keep("max_connections", &old.max_connections, &mut new.max_connections);
}

fn keep<T: PartialEq + Clone>(option: &str, old: &T, new: &mut T) {
    if old != new {
        warn!("main.{option} was changed: restart the program to make it count");
        new.clone_from(old);
    }
}
