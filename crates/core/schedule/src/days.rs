//! Which days of a month a cron expression names, by date or by day of the week; exactly one of the two fields
//! decides.

use jiff::civil::{Date, Weekday};

use crate::fault::Fault;
use crate::field::{self, DAY_OF_MONTH, DAY_OF_WEEK, Set};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Days {
    OfMonth(Vec<OfMonth>),
    OfWeek(Vec<OfWeek>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OfMonth {
    Dates(Set),
    /// `L`
    Last,
    /// `15W`: the weekday nearest to a date, within its month.
    WeekdayNear(i8),
    /// `LW`
    LastWeekday,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OfWeek {
    /// 1 is Sunday.
    Weekdays(Set),
    /// `5L`: the last of a weekday in the month.
    Last(u16),
    /// `3#2`: the second of a weekday in the month.
    Nth(u16, i8),
}

impl Days {
    /// Of the fields day-of-month and day-of-week, each with where it stands.
    pub(crate) fn parse(month: (&str, usize), week: (&str, usize)) -> Result<Self, Fault> {
        match (month.0, week.0) {
            ("?", "?") => Err(Fault::new(week.1, "a day of the week, since day-of-month is ?")),
            (_, "?") => parts(month, of_month).map(Self::OfMonth),
            ("?", _) => parts(week, of_week).map(Self::OfWeek),
            (_, _) => Err(Fault::new(
                week.1,
                "? here or in day-of-month, since only one of them can decide",
            )),
        }
    }

    pub(crate) fn contains(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(parts) => parts.iter().any(|part| part.contains(date)),
            Self::OfWeek(parts) => parts.iter().any(|part| part.contains(date)),
        }
    }
}

/// The members of a list, in which plain ones and special ones may stand side by side.
fn parts<T>((text, at): (&str, usize), parse: fn(&str) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    let mut from = at;
    let mut parts = Vec::new();
    for part in text.split(',') {
        parts.push(parse(part).map_err(|fault| fault.moved(from))?);
        from += part.len() + 1;
    }
    Ok(parts)
}

fn of_month(part: &str) -> Result<OfMonth, Fault> {
    let upper = part.to_ascii_uppercase();
    match upper.as_str() {
        "L" => Ok(OfMonth::Last),
        "LW" => Ok(OfMonth::LastWeekday),
        _ => match upper.strip_suffix('W') {
            Some(date) => {
                let date = field::value(&DAY_OF_MONTH, date, 0)?;
                Ok(OfMonth::WeekdayNear(i8::try_from(date).unwrap_or(1)))
            }
            None => field::parse(&DAY_OF_MONTH, part).map(OfMonth::Dates),
        },
    }
}

fn of_week(part: &str) -> Result<OfWeek, Fault> {
    let upper = part.to_ascii_uppercase();
    if upper == "L" {
        // The last day of the week, every week.
        return field::parse(&DAY_OF_WEEK, "7").map(OfWeek::Weekdays);
    }
    if let Some(day) = upper.strip_suffix('L') {
        return field::value(&DAY_OF_WEEK, day, 0).map(OfWeek::Last);
    }
    if let Some((day, nth)) = upper.split_once('#') {
        let weekday = field::value(&DAY_OF_WEEK, day, 0)?;
        return match field::number(nth) {
            Some(nth @ 1..=5) => Ok(OfWeek::Nth(weekday, i8::try_from(nth).unwrap_or(1))),
            _ => Err(Fault::new(day.len() + 1, "which of the month's, from 1 to 5")),
        };
    }
    if let Some(at) = part.find('/') {
        return Err(Fault::new(at, "no increment in day-of-week"));
    }
    field::parse(&DAY_OF_WEEK, part).map(OfWeek::Weekdays)
}

impl OfMonth {
    fn contains(&self, date: Date) -> bool {
        let day = date.day();
        match self {
            Self::Dates(dates) => u16::try_from(day).is_ok_and(|day| dates.contains(day)),
            Self::Last => day == date.days_in_month(),
            Self::WeekdayNear(near) => nearest_weekday(date, *near) == Some(day),
            Self::LastWeekday => nearest_weekday(date, date.days_in_month()) == Some(day),
        }
    }
}

impl OfWeek {
    fn contains(&self, date: Date) -> bool {
        let weekday = number_of(date.weekday());
        match self {
            Self::Weekdays(days) => days.contains(weekday),
            Self::Last(day) => *day == weekday && date.day() + 7 > date.days_in_month(),
            Self::Nth(day, nth) => *day == weekday && (date.day() - 1) / 7 + 1 == *nth,
        }
    }
}

/// 1 is Sunday.
fn number_of(weekday: Weekday) -> u16 {
    u16::try_from(weekday.to_sunday_one_offset()).unwrap_or_default()
}

/// The day from Monday to Friday nearest to a date of `month`'s month, never in another month; none if the month
/// has no such date.
fn nearest_weekday(month: Date, near: i8) -> Option<i8> {
    let last = month.days_in_month();
    if near > last {
        return None;
    }
    let date = Date::new(month.year(), month.month(), near).ok()?;
    Some(match date.weekday() {
        Weekday::Saturday if near > 1 => near - 1,
        Weekday::Saturday => near + 2,
        Weekday::Sunday if near < last => near + 1,
        Weekday::Sunday => near - 2,
        _ => near,
    })
}
