//! The router's local time, for accounts that may be online at some hours only.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;

use pptp::session::Server;
use pptp::time::{Deadline, Instant, deadline, due};

use super::clock::calendar;
use super::sys;

/// Where OpenWrt keeps the time zone. Its own C library looks there; a static one does not.
const ZONE: &str = "/etc/TZ";

/// Octets of the longest time zone, with a NUL.
const ZONE_MAX: usize = 64;

/// The beginning of 2024: an earlier clock has not been set since the power came on.
const SET_SINCE: u64 = 1_704_067_200;

/// Tells the server the time at each full minute, if any account has to know.
pub struct Hours {
    /// The zone is the one of the file, since the environment names none.
    follows_file: bool,
    next: Option<Instant>,
}

impl Hours {
    /// Nothing is told yet.
    pub fn new() -> Hours {
        Hours { follows_file: !sys::has_time_zone(), next: None }
    }

    /// When `turn` has something to do.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        deadline(self.next, "full minute")
    }

    /// Tells the time at a full minute; whether it was one.
    pub fn turn(&mut self, server: &mut Server, now: Instant) -> bool {
        let is_due = due(self.next, now);
        if is_due {
            self.tell(server, now);
        }
        is_due
    }

    /// Tells the time now, and at each minute from now on, if somebody is `interested`.
    pub fn follow(&mut self, interested: bool, server: &mut Server, now: Instant) {
        self.next = None;
        if interested {
            self.tell(server, now);
        }
    }

    fn tell(&mut self, server: &mut Server, now: Instant) {
        if self.follows_file {
            follow_file();
        }
        let seconds = calendar();
        server.local_time(minute_of_week(seconds), now);
        self.next = Some(now + (60 - seconds % 60) * 1000);
    }
}

/// Takes the time zone that stands in the file, if there is one.
fn follow_file() {
    let mut zone = [0; ZONE_MAX];
    let read = File::open(ZONE).and_then(|mut file| file.read(&mut zone[..ZONE_MAX - 1]));
    if let Some(end) = zone.iter().position(|octet| octet.is_ascii_whitespace()) {
        zone[end] = 0;
    }
    if let (Ok(_), Ok(zone)) = (read, CStr::from_bytes_until_nul(&zone)) {
        sys::set_time_zone(zone);
    }
}

/// The minute of the local week from Monday 00:00, unless the clock is not set.
fn minute_of_week(seconds: u64) -> Option<u16> {
    let time = sys::local_time(seconds).filter(|_| seconds >= SET_SINCE)?;
    let day = (time.tm_wday + 6) % 7;
    u16::try_from((day * 24 + time.tm_hour) * 60 + time.tm_min).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one test that sets the zone of this process, which has no other use for it.
    #[test]
    fn minutes_of_the_week_in_the_zone() {
        // Monday, 2 June 2025, 07:30 UTC; and a Sunday evening in December.
        let (summer, winter) = (1_748_849_400, 1_765_751_400);
        sys::set_time_zone(c"UTC0");
        assert_eq!(minute_of_week(summer), Some(7 * 60 + 30));
        sys::set_time_zone(c"CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(minute_of_week(summer), Some(9 * 60 + 30));
        assert_eq!(minute_of_week(winter), Some(6 * 24 * 60 + 23 * 60 + 30));
        sys::set_time_zone(c"<+1345>-13:45");
        assert_eq!(minute_of_week(winter), Some(12 * 60 + 15));
        assert_eq!(minute_of_week(86_400), None);
        // 2 June 2053 is a Monday too: behind the end of 32-bit time.
        sys::set_time_zone(c"UTC0");
        assert_eq!(minute_of_week(summer + 28 * 365 * 86_400 + 7 * 86_400), Some(7 * 60 + 30));
    }
}
