//! Periods such as `5m`, and times rounded to them.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// How much of what. `bin(300s)` is capped at 60 s, as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    Millis(i64),
    Weeks(i64),
    /// Months, quarters and years.
    Months(i64),
}

impl Period {
    /// By a number and a unit or its abbreviation.
    pub(crate) fn of(count: i64, unit: &str) -> Option<Self> {
        let unit = unit.to_ascii_lowercase();
        let singular = unit.strip_suffix('s').filter(|rest| rest.len() > 1);
        let unit = singular.unwrap_or(&unit);
        let capped = |cap: i64, size: i64| Self::Millis(count.min(cap).saturating_mul(size));
        // Longer than any log is kept; times beyond are nobody's.
        let count = count.min(100_000);
        Some(match unit {
            _ if count < 1 => return None,
            "ms" | "msec" | "millisecond" => capped(1000, 1),
            "s" | "sec" | "second" => capped(60, 1000),
            "m" | "min" | "minute" => capped(60, 60_000),
            "h" | "hr" | "hour" => capped(24, 3_600_000),
            "d" | "day" => capped(100_000, 86_400_000),
            "w" | "week" => Self::Weeks(count),
            "mo" | "mon" | "month" => Self::Months(count),
            "q" | "qtr" | "quarter" => Self::Months(count * 3),
            "y" | "yr" | "year" => Self::Months(count * 12),
            _ => return None,
        })
    }

    /// The latest bound that is not after the time, both in milliseconds since the epoch. Weeks begin on Mondays.
    pub(crate) fn floor(self, time: i64) -> i64 {
        const DAY: i64 = 86_400_000;
        // The epoch was a Thursday.
        const MONDAY: i64 = 4 * DAY;
        match self {
            Self::Millis(size) => time.div_euclid(size) * size,
            Self::Weeks(count) => (time - MONDAY).div_euclid(count * 7 * DAY) * count * 7 * DAY + MONDAY,
            Self::Months(count) => {
                let Some(day) = day(time) else { return time };
                let months = i64::from(day.year()) * 12 + i64::from(day.month()) - 1;
                month(months.div_euclid(count) * count).unwrap_or(time)
            }
        }
    }

    /// The earliest bound that is not before the time.
    pub(crate) fn ceil(self, time: i64) -> i64 {
        let floor = self.floor(time);
        if floor == time {
            return time;
        }
        match self {
            Self::Millis(size) => floor.saturating_add(size),
            Self::Weeks(count) => floor.saturating_add(count * 7 * 86_400_000),
            Self::Months(count) => {
                let next = day(floor).and_then(|day| day.checked_add(count.months()).ok());
                next.and_then(midnight).unwrap_or(floor)
            }
        }
    }
}

fn day(time: i64) -> Option<Date> {
    let time = Timestamp::from_millisecond(time).ok()?;
    Some(TimeZone::UTC.to_datetime(time).date())
}

fn month(months: i64) -> Option<i64> {
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    if !(-9999..=9999).contains(&year) {
        return None;
    }
    midnight(date(year, month, 1))
}

fn midnight(day: Date) -> Option<i64> {
    let zoned = day.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn times_are_rounded_to_periods() {
        let at = time("2024-02-29T13:47:31.250Z");
        for (count, unit, floor, ceil) in [
            (100, "ms", "2024-02-29T13:47:31.2Z", "2024-02-29T13:47:31.3Z"),
            (30, "secs", "2024-02-29T13:47:30Z", "2024-02-29T13:48:00Z"),
            // Capped at a minute.
            (300, "s", "2024-02-29T13:47:00Z", "2024-02-29T13:48:00Z"),
            (5, "m", "2024-02-29T13:45:00Z", "2024-02-29T13:50:00Z"),
            (1, "hrs", "2024-02-29T13:00:00Z", "2024-02-29T14:00:00Z"),
            (1, "d", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            (1, "w", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),
            (1, "mo", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (1, "q", "2024-01-01T00:00:00Z", "2024-04-01T00:00:00Z"),
            (2, "years", "2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ] {
            let period = Period::of(count, unit).expect(unit);
            assert_eq!(period.floor(at), time(floor), "{count}{unit}");
            assert_eq!(period.ceil(at), time(ceil), "{count}{unit}");
            assert_eq!(period.ceil(period.floor(at)), period.floor(at), "{count}{unit}");
        }
        assert_eq!(Period::of(0, "m"), None);
        assert_eq!(Period::of(1, "fortnight"), None);
    }
}
