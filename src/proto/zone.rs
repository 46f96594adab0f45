//! The callers' device in its firewall zone: an interface of netifd (OpenWrt's network daemon) that
//! names the zone, added over ubus so that no configuration but our own is ever edited.
//!
//! What netifd does was found out with netifd itself:
//! - It forgets such an interface when its device goes away, and when netifd starts anew.
//! - Told of another zone, it removes the interface instead of changing it. So the interface is
//!   removed first and added again a little later.
//! - When it sees a device for the first time it takes it down and deletes its addresses and
//!   routes; when it removes an interface it takes the device down. Whoever gets [`News::Joined`]
//!   or [`News::Left`] has to set the device up again.

use heapless::String;

use crate::limits::{DEVICE_NAME, ZONE_NAME};
use crate::time::Instant;
use crate::wire::blob::Table;
use crate::wire::ubus::Status;

/// The name of netifd's interface, and the object that it has then.
const INTERFACE: &str = "pptpsrv";
const INTERFACE_OBJECT: &str = "network.interface.pptpsrv";
/// netifd's own object.
const NETWORK: &str = "network";

/// The zone that means none.
const NONE: &str = "none";

/// Milliseconds that netifd gets to end what it is doing: its start, or the end of an interface.
const SETTLE_MS: u64 = 2000;
/// Milliseconds until the next attempt after a refusal.
const RETRY_MS: u64 = 60_000;

/// What the interface is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Join,
    Leave,
}

impl Wish {
    /// The object that has the method.
    pub fn path(self) -> &'static str {
        match self {
            Wish::Join => NETWORK,
            Wish::Leave => INTERFACE_OBJECT,
        }
    }

    /// The method.
    pub fn method(self) -> &'static str {
        match self {
            Wish::Join => "add_dynamic",
            Wish::Leave => "remove",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Nothing,
    /// The device is in its zone.
    Joined,
    /// The device is in no zone any more.
    Left,
    /// Nobody there who could do it.
    NoNetifd,
    /// netifd did not do it.
    Refused(Status),
}

/// The zone that is wanted, and how far that is.
#[derive(Debug, Default)]
pub struct Zone {
    name: String<ZONE_NAME>,
    device: String<DEVICE_NAME>,
    /// The zone that netifd was told last.
    told: String<ZONE_NAME>,
    joined: bool,
    /// netifd is asked for an IPv6 prefix too.
    wants_prefix: bool,
    /// The last attempt was refused: that is told once.
    refused: bool,
    next: Option<(Instant, Wish)>,
}

impl Zone {
    /// Whether the device is in its zone.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// What the configuration wants. It counts as soon as there is ubus.
    pub fn want(&mut self, name: &str, device: &str, now: Instant) {
        let name = if name == NONE { "" } else { name };
        if self.name == name && self.device == device {
            return;
        }
        self.name = String::try_from(name).unwrap_or_default();
        self.device = String::try_from(device).unwrap_or_default();
        let wish = if self.joined { Wish::Leave } else { Wish::Join };
        self.plan(wish, now);
    }

    /// netifd shall assign IPv6 prefixes of 64 bits to the device, from what the router has. Counts
    /// when it is told next.
    pub fn want_prefix(&mut self, wanted: bool) {
        self.wants_prefix = wanted;
    }

    /// ubus is there: what netifd was told earlier is told again, in case that it is another one.
    pub fn start(&mut self, now: Instant) {
        self.stop();
        self.plan(Wish::Join, now);
    }

    /// ubus is gone.
    pub fn stop(&mut self) {
        self.joined = false;
        self.next = None;
    }

    fn plan(&mut self, wish: Wish, at: Instant) {
        let wanted = wish == Wish::Leave || !self.name.is_empty();
        self.next = wanted.then_some((at, wish));
    }

    /// An object appeared on ubus.
    pub fn appeared(&mut self, path: &[u8], now: Instant) {
        if path == NETWORK.as_bytes() && !self.joined {
            self.plan(Wish::Join, now + SETTLE_MS);
        }
    }

    /// An object left ubus.
    pub fn vanished(&mut self, path: &[u8], now: Instant) -> News {
        if path == NETWORK.as_bytes() {
            self.next = None;
            self.no_longer()
        } else if path == INTERFACE_OBJECT.as_bytes() {
            self.left(now + SETTLE_MS)
        } else {
            News::Nothing
        }
    }

    /// When there is something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    /// What is to be done now; it is begun.
    pub fn begin(&mut self, now: Instant) -> Option<Wish> {
        let (_, wish) = self.next.take_if(|(at, _)| *at <= now)?;
        if wish == Wish::Join {
            self.told = self.name.clone();
        }
        Some(wish)
    }

    /// Arguments of the wish's method.
    pub fn put_arguments(&self, wish: Wish, arguments: &mut Table) {
        if wish == Wish::Join {
            arguments.text("name", INTERFACE);
            arguments.text("proto", "none");
            arguments.text("device", &self.device);
            arguments.text("zone", &self.told);
            if self.wants_prefix {
                arguments.u32("ip6assign", 64);
            }
        }
    }

    /// There is no object that could do it.
    pub fn missing(&mut self, wish: Wish, now: Instant) -> News {
        match wish {
            Wish::Join => News::NoNetifd,
            Wish::Leave => self.left(now),
        }
    }

    /// What became of it.
    pub fn done(&mut self, wish: Wish, status: Status, now: Instant) -> News {
        match wish {
            Wish::Join if status == Status::OK => self.joined(now),
            // It is gone only when its object is: until then netifd still changes the device.
            Wish::Leave if status == Status::OK => {
                self.plan(Wish::Join, now + SETTLE_MS);
                News::Nothing
            }
            _ => {
                self.next.get_or_insert((now + RETRY_MS, wish));
                let refused_before = core::mem::replace(&mut self.refused, true);
                if refused_before { News::Nothing } else { News::Refused(status) }
            }
        }
    }

    fn joined(&mut self, now: Instant) -> News {
        (self.joined, self.refused) = (true, false);
        // The configuration changed in the meantime.
        let outdated = self.told != self.name;
        self.next = outdated.then_some((now, Wish::Leave));
        News::Joined
    }

    fn left(&mut self, join_at: Instant) -> News {
        self.plan(Wish::Join, join_at);
        self.no_longer()
    }

    fn no_longer(&mut self) -> News {
        if core::mem::take(&mut self.joined) { News::Left } else { News::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1000);

    fn joined() -> Zone {
        let mut zone = Zone::default();
        zone.want("lan", "pptps0", NOW);
        zone.start(NOW);
        assert_eq!(zone.begin(NOW), Some(Wish::Join));
        assert_eq!(zone.done(Wish::Join, Status::OK, NOW), News::Joined);
        assert_eq!((zone.is_joined(), zone.poll_timeout()), (true, None));
        zone
    }

    #[test]
    fn netifd_that_starts_anew_is_told_again() {
        let mut zone = joined();
        assert_eq!(zone.vanished(b"network.interface.pptpsrv", NOW), News::Left);
        assert_eq!(zone.vanished(b"network", NOW), News::Nothing);
        assert_eq!(zone.poll_timeout(), None);
        zone.appeared(b"network.device", NOW);
        assert_eq!(zone.poll_timeout(), None);
        zone.appeared(b"network", NOW);
        assert_eq!(zone.begin(NOW), None);
        assert_eq!(zone.begin(NOW + SETTLE_MS), Some(Wish::Join));
    }

    #[test]
    fn another_zone_is_left_first() {
        let mut zone = joined();
        zone.want("lan", "pptps0", NOW);
        assert_eq!(zone.poll_timeout(), None);
        zone.want("guest", "pptps0", NOW);
        assert_eq!(zone.begin(NOW), Some(Wish::Leave));
        assert_eq!(zone.done(Wish::Leave, Status::OK, NOW), News::Nothing);
        assert_eq!(zone.vanished(b"network.interface.pptpsrv", NOW), News::Left);
        assert_eq!(zone.begin(NOW + SETTLE_MS), Some(Wish::Join));
        assert_eq!(zone.told, "guest");
    }

    #[test]
    fn a_change_while_netifd_works_is_not_lost() {
        let mut zone = Zone::default();
        zone.want("lan", "pptps0", NOW);
        zone.start(NOW);
        assert_eq!(zone.begin(NOW), Some(Wish::Join));
        zone.want("guest", "pptps0", NOW);
        assert_eq!(zone.done(Wish::Join, Status::OK, NOW), News::Joined);
        assert_eq!(zone.begin(NOW), Some(Wish::Leave));
    }

    #[test]
    fn no_zone_is_never_told_and_is_left() {
        for name in ["none", ""] {
            let mut zone = Zone::default();
            zone.want(name, "pptps0", NOW);
            zone.start(NOW);
            zone.appeared(b"network", NOW);
            assert_eq!(zone.poll_timeout(), None);
        }
        let mut zone = joined();
        zone.want("none", "pptps0", NOW);
        assert_eq!(zone.begin(NOW), Some(Wish::Leave));
        assert_eq!(zone.missing(Wish::Leave, NOW), News::Left);
        assert_eq!(zone.poll_timeout(), None);
    }

    #[test]
    fn a_refusal_is_tried_again_and_the_lack_of_netifd_waits_for_it() {
        let mut zone = Zone::default();
        zone.want("lan", "pptps0", NOW);
        zone.start(NOW);
        assert_eq!(zone.begin(NOW), Some(Wish::Join));
        let refused = zone.done(Wish::Join, Status::INVALID_ARGUMENT, NOW);
        assert_eq!(refused, News::Refused(Status::INVALID_ARGUMENT));
        assert_eq!(zone.begin(NOW + RETRY_MS), Some(Wish::Join));
        assert_eq!(zone.missing(Wish::Join, NOW), News::NoNetifd);
        assert_eq!(zone.poll_timeout(), None);
    }
}
