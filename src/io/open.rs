//! Everything that is opened before the first caller can come, and what to do when it cannot be.

use std::os::fd::RawFd;
use std::path::Path;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};
use pptp::config::Config;
use pptp::session::Sizes;

use super::arp::Ears;
use super::broadcasts::Broadcasts;
use super::control::Control;
use super::failure::{Doing, Failure};
use super::gre::Gre;
use super::lan::Watch;
use super::signal::Signals;
use super::sys;
use super::tun::Tun;
use super::ubus::Ubus;

pub const SIGNALS: Token = Token(0);
pub const GRE: Token = Token(1);
pub const TUN: Token = Token(2);
pub const UBUS: Token = Token(3);
pub const LAN: Token = Token(4);
pub const BROADCASTS: Token = Token(5);
pub const ARP: Token = Token(8);
/// Control connections and their listeners have this token and those above it.
pub const CONTROL: usize = 16;

/// Descriptors beside the control connections: those of this file, the standard ones, and some.
const DESCRIPTORS: usize = 32;

/// The sockets and devices of the program.
pub struct Open {
    pub poll: Poll,
    pub signals: Signals,
    pub control: Control,
    pub gre: Gre,
    pub tun: Tun,
    pub ubus: Ubus,
    pub lan: Watch,
    pub broadcasts: Broadcasts,
    pub arp: Ears,
}

impl Open {
    /// Opens everything. `ubus` is where ubusd listens, when that is not where it always does;
    /// `file` is the configuration.
    pub fn all(config: &Config, ubus: Option<&Path>, file: Option<&Path>) -> Result<Open, Failure> {
        check_capabilities()?;
        let wanted = Sizes::of(config).controls + DESCRIPTORS;
        sys::allow_descriptors(wanted).doing("raise the limit of open descriptors")?;
        let poll = Poll::new().doing("open an event queue")?;
        let signals = Signals::open()?;
        let control = Control::open(config, poll.registry(), CONTROL)?;
        let (gre, tun) = (Gre::open()?, Tun::open(config)?);
        let (ubus, lan) = (Ubus::new(ubus, UBUS), Watch::open(file));
        let (arp, broadcasts) = (Ears::new(ARP), Broadcasts::new(BROADCASTS));
        let open = Open { poll, signals, control, gre, tun, ubus, lan, broadcasts, arp };
        open.watch(SIGNALS, open.signals.descriptor())?;
        open.watch(GRE, open.gre.descriptor())?;
        open.watch_tun()?;
        if let Some(news) = open.lan.descriptor() {
            open.watch(LAN, news)?;
        }
        Ok(open)
    }

    /// Reports events of the TUN device from now on.
    pub fn watch_tun(&self) -> Result<(), Failure> {
        self.watch(TUN, self.tun.descriptor())
    }

    fn watch(&self, token: Token, descriptor: RawFd) -> Result<(), Failure> {
        let registry = self.poll.registry();
        let watched = registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE);
        watched.doing("watch a descriptor for events")
    }
}

/// Names everything that is missing at once, instead of one capability with each attempt.
fn check_capabilities() -> Result<(), Failure> {
    let missing = match (sys::can_net_admin(), sys::can_net_raw()) {
        (true, true) => return Ok(()),
        (false, true) => "CAP_NET_ADMIN (for the TUN device) is missing",
        (true, false) => "CAP_NET_RAW (for GRE) is missing",
        (false, false) => {
            "CAP_NET_ADMIN (for the TUN device) and CAP_NET_RAW (for GRE) are missing"
        }
    };
    Err(Failure::new("check the capabilities", missing, "run as root"))
}

/// Octets for a random generator to start from.
pub fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    sys::random(&mut seed).doing("read random octets from the kernel")?;
    Ok(seed)
}
