//! When an account may be online: days and times of the router's local week.

use super::value::Fault;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Minutes of a week, which begins on Monday at 00:00.
pub const WEEK: u16 = 7 * DAY;

const DAYS: &[u8] = b"montuewedthufrisatsun";

/// Days of the week and a time of day on each of them. A time that ends before it begins ends on
/// the next day.
///
/// Every account has room for some, so they are packed: the days (bit 0 is Monday), and the first
/// minute of the day and the one behind the last in 11 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(u32);

impl Span {
    /// `mon-fri 08:00-22:00`, `sat,sun 10:00-02:00`, or `08:00-22:00` of every day.
    pub fn parse(text: &str) -> Result<Span, Fault> {
        let (names, times) = text.trim().rsplit_once(' ').unwrap_or(("mon-sun", text));
        let mut days = 0u32;
        for part in names.trim().split(',') {
            days |= days_of(part).ok_or("has a day that is none of mon to sun")?;
        }
        let (from, until) =
            times.trim().split_once('-').ok_or("has no time such as 08:00-22:00")?;
        let (Some(from), Some(until)) = (minute_of(from), minute_of(until)) else {
            return Err("has a time that is not within 00:00 and 24:00");
        };
        if from == until || from == DAY {
            return Err("has a time that ends when it begins");
        }
        Ok(Span(days << 22 | u32::from(from) << 11 | u32::from(until)))
    }

    /// Whether `minute` of the week, counted from Monday 00:00, is a part of it.
    pub fn contains(&self, minute: u16) -> bool {
        let (day, time) = (minute / DAY % 7, minute % DAY);
        let minute = |place: u32| (self.0 >> place) as u16 & 0x7ff;
        let (from, until) = (minute(11), minute(0));
        let begins_on = |day: u16| self.0 >> (22 + day) & 1 != 0;
        if from < until {
            return begins_on(day) && (from..until).contains(&time);
        }
        begins_on(day) && time >= from || begins_on((day + 6) % 7) && time < until
    }
}

/// The bits of `mon` or `fri-mon`.
fn days_of(text: &str) -> Option<u32> {
    let place =
        |name: &str| DAYS.chunks_exact(3).position(|day| day.eq_ignore_ascii_case(name.as_bytes()));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (place(first)?, place(last)?);
    let count = (last + 7 - first) % 7;
    Some((0..=count).fold(0, |days, ahead| days | 1 << ((first + ahead) % 7)))
}

/// The minute of the day of `08:00`; 24:00 is its end.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| match text.as_bytes() {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
        _ => None,
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u16, hour: u16, minute: u16) -> u16 {
        day * DAY + hour * 60 + minute
    }

    #[test]
    fn days_and_times() {
        let work = Span::parse("mon-fri 08:00-22:00").expect("a span");
        assert!(work.contains(at(0, 8, 0)) && work.contains(at(4, 21, 59)));
        assert!(!work.contains(at(0, 7, 59)) && !work.contains(at(0, 22, 0)));
        assert!(!work.contains(at(5, 12, 0)) && !work.contains(at(6, 12, 0)));
        let daily = Span::parse("00:00-24:00").expect("a span");
        assert!((0..WEEK).all(|minute| daily.contains(minute)));
        let some = Span::parse("Sat,tue 10:00-11:00").expect("a span");
        let count = (0..WEEK).filter(|&minute| some.contains(minute)).count();
        assert_eq!((count, some.contains(at(1, 10, 0))), (120, true));
    }

    #[test]
    fn over_midnight_and_over_the_week() {
        let night = Span::parse("fri-mon 22:00-06:00").expect("a span");
        assert!(night.contains(at(4, 22, 0)) && night.contains(at(5, 5, 59)));
        // Monday's night ends on Tuesday; Sunday's on Monday of the next week.
        assert!(night.contains(at(1, 5, 59)) && night.contains(at(0, 0, 0)));
        assert!(!night.contains(at(4, 5, 0)) && !night.contains(at(1, 22, 0)));
        let count = (0..WEEK).filter(|&minute| night.contains(minute)).count();
        assert_eq!(count, 4 * 8 * 60);
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            " ",
            "mon",
            "mon-fri",
            "25:00-26:00",
            "mon 08:00",
            "mon 08:00-25:00",
            "mon 08:60-09:00",
            "mon 8:00-9:00",
            "mon 08:00-08:00",
            "mon 24:00-06:00",
            "mon 00:00-24:01",
            "mon- 08:00-09:00",
            "mon,, 08:00-09:00",
            "mon-foo 08:00-09:00",
            "monday 08:00-09:00",
            "mon 08:00-09:00-10:00",
            "mon 08:0009:00",
            "mon +8:00-09:00",
        ] {
            assert!(Span::parse(text).is_err(), "{text:?}");
        }
    }
}
