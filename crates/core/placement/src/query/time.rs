//! The forms in which `registeredAt` is compared: a day, or a second with or without its distance from UTC.

const DAY: i64 = 86_400_000;

/// Milliseconds since 1970 at which the time begins, and how many it lasts.
pub(super) fn read(text: &str) -> Option<(i64, i64)> {
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let start = days(date)? * DAY;
    let Some(clock) = clock else {
        return Some((start, DAY));
    };
    let (clock, offset) = match clock.find(['Z', '+', '-']) {
        Some(at) => (clock.get(..at)?, offset(clock.get(at..)?)?),
        None => (clock, 0),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else {
        return None;
    };
    let (hours, minutes, seconds) = (two(hours, 23)?, two(minutes, 59)?, two(seconds, 59)?);
    let within = ((hours * 60 + minutes) * 60 + seconds) * 1000;
    Some((start + within - offset, 1000))
}

fn two(text: &str, max: i64) -> Option<i64> {
    digits(text, 2).filter(|value| *value <= max)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// `Z`, `+hh:mm`, `-hh:mm` in milliseconds.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    Some(sign * (two(hours, 23)? * 60 + two(minutes, 59)?) * 60_000)
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(date: &str) -> Option<i64> {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    let (year, month, day) = (digits(year, 4)?, two(month, 12)?, two(day, 31)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if month < 1 || !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(before + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_milliseconds_of_a_day_or_a_second() {
        for (text, expected) in [
            ("1970-01-01", Some((0, DAY))),
            ("2000-02-29", Some((951_782_400_000, DAY))),
            ("2023-11-14T22:13:20Z", Some((1_700_000_000_000, 1000))),
            ("2023-11-14T22:13:20", Some((1_700_000_000_000, 1000))),
            ("2023-11-15T00:13:20+02:00", Some((1_700_000_000_000, 1000))),
            ("2023-11-14T20:13:20-02:00", Some((1_700_000_000_000, 1000))),
            ("2023-02-29", None),
            ("2023-13-01", None),
            ("2023-00-01", None),
            ("2023-1-1", None),
            ("2023-11-14T24:00:00", None),
            ("2023-11-14T22:13", None),
            ("2023-11-14T22:13:20+2", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
