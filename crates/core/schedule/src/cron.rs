//! `cron(minutes hours day-of-month month day-of-week year)`: the next minute that fits, found field by field
//! from the years down, never by trying minutes.

use jiff::civil::{Date, DateTime};

use crate::days::Days;
use crate::fault::Fault;
use crate::field::{self, HOURS, MINUTES, MONTH, Set, YEAR};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
}

impl Cron {
    /// What stands between the parentheses.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let fields = split(text);
        let [minutes, hours, month_day, month, week_day, year] = fields[..] else {
            return Err(Fault::new(
                fields.get(6).map_or(text.len(), |(_, at)| *at),
                format!("six fields, not {}", fields.len()),
            ));
        };
        let set = |kind, (text, at): (&str, usize)| field::parse(kind, text).map_err(|fault| fault.moved(at));
        Ok(Self {
            minutes: set(&MINUTES, minutes)?,
            hours: set(&HOURS, hours)?,
            months: set(&MONTH, month)?,
            years: set(&YEAR, year)?,
            days: Days::parse(month_day, week_day)?,
        })
    }

    /// The first minute after a time that fits; none if the years have run out.
    pub fn next_after(&self, after: DateTime) -> Option<DateTime> {
        let mut date = after.date();
        // Of the first day only what is left counts.
        let mut from = Some((
            u16::try_from(after.hour()).ok()?,
            u16::try_from(after.minute()).ok()? + 1,
        ));
        loop {
            let day = self.next_day(date)?;
            let (hour, minute) = from.filter(|_| day == after.date()).unwrap_or((0, 0));
            if let Some((hour, minute)) = self.next_time(hour, minute) {
                let time = |value: u16| i8::try_from(value).ok();
                return Some(day.at(time(hour)?, time(minute)?, 0, 0));
            }
            from = None;
            date = day.tomorrow().ok()?;
        }
    }

    /// The first day that fits, from one on.
    fn next_day(&self, from: Date) -> Option<Date> {
        let mut date = from;
        loop {
            let (year, month) = (
                u16::try_from(date.year()).ok()?,
                u16::try_from(date.month()).ok()?,
            );
            let wanted = self.years.at_least(year)?;
            if wanted > year {
                date = Date::new(i16::try_from(wanted).ok()?, 1, 1).ok()?;
                continue;
            }
            let first_of = |year: i16, month: i8| Date::new(year, month, 1).ok();
            match self.months.at_least(month) {
                Some(wanted) if wanted == month => {}
                Some(wanted) => {
                    date = first_of(date.year(), i8::try_from(wanted).ok()?)?;
                    continue;
                }
                None => {
                    date = first_of(date.year() + 1, 1)?;
                    continue;
                }
            }
            if self.days.contains(date) {
                return Some(date);
            }
            date = date.tomorrow().ok()?;
        }
    }

    /// The first time of a day that fits, from one on; a minute of 60 is the next hour's first.
    fn next_time(&self, hour: u16, minute: u16) -> Option<(u16, u16)> {
        let first = self.hours.at_least(hour)?;
        let minute = if first == hour {
            self.minutes.at_least(minute)
        } else {
            self.minutes.at_least(0)
        };
        match minute {
            Some(minute) => Some((first, minute)),
            None => Some((self.hours.at_least(hour + 1)?, self.minutes.at_least(0)?)),
        }
    }
}

/// Fields between white space, each with where it stands.
fn split(text: &str) -> Vec<(&str, usize)> {
    let start = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    text.split_ascii_whitespace()
        .map(|part| (part, start(part)))
        .collect()
}
