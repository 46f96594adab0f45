//! The memory that the program lends to the library, sized by the configuration.

use super::{Alarm, Control, Frame, Held, Server, Session};
use crate::config::Config;
use crate::limits;

/// Control connections that are being closed to make room for new ones.
const SPARE_CONTROLS: usize = 16;

/// How many elements of each kind a configuration needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub sessions: usize,
    pub controls: usize,
    pub held: usize,
    pub frames: usize,
    pub addresses: usize,
    pub alarms: usize,
    /// Of `FairQueue`: places, and accounts.
    pub waiting: usize,
    pub accounts: usize,
}

impl Sizes {
    /// What `config` needs.
    pub fn of(config: &Config) -> Sizes {
        let sessions = usize::from(config.max_sessions) + limits::LOGINS;
        let controls = usize::from(config.max_connections) + SPARE_CONTROLS;
        Sizes {
            sessions,
            controls,
            held: limits::HELD,
            frames: limits::FRAMES,
            addresses: config.pool.count(),
            alarms: sessions + controls,
            waiting: limits::WAITING,
            accounts: sessions + 1,
        }
    }
}

/// The memory; every element starts as its default.
pub struct Storage<'a> {
    pub sessions: &'a mut [Session],
    pub controls: &'a mut [Control],
    pub held: &'a mut [Held],
    pub frames: &'a mut [Frame],
    pub addresses: &'a mut [u16],
    pub alarms: &'a mut [Alarm],
}

// What an element may cost at most; a 32-bit router needs less. The default of 32 calls takes
// less than 400 KiB in all.
const _: () = assert!(size_of::<Session>() <= 2496);
const _: () = assert!(size_of::<Control>() <= 1024);
const _: () = assert!(size_of::<Held>() <= 1600);
const _: () = assert!(size_of::<Frame>() <= 1536);
const _: () = assert!(size_of::<Server>() <= 72 * 1024);
