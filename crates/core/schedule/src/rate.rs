//! `rate(5 minutes)`: the same span again and again, counted from when the schedule was made, so that no tick
//! drifts however late the one before was noticed.

use jiff::{SignedDuration, Timestamp};

use crate::fault::Fault;

/// The longest span: more is refused, so that sums stay within time itself.
const MAX_DAYS: u32 = 366 * 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Minute,
    Hour,
    Day,
}

/// A positive number of minutes, hours or days; a day has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    value: u32,
    unit: Unit,
}

impl Rate {
    /// What stands between the parentheses.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let (number, unit) = text
            .split_once(' ')
            .ok_or_else(|| Fault::new(text.len(), "a number, a space and a unit"))?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let value: u32 = number
            .parse()
            .ok()
            .filter(|value| digits && *value > 0)
            .ok_or_else(|| Fault::new(0, "a whole number above 0"))?;
        let words = if value == 1 {
            ["minute", "hour", "day"]
        } else {
            ["minutes", "hours", "days"]
        };
        let units = [Unit::Minute, Unit::Hour, Unit::Day];
        let unit = words
            .iter()
            .position(|word| *word == unit)
            .map(|at| units[at])
            .ok_or_else(|| {
                Fault::new(
                    number.len() + 1,
                    format!("{}, {} or {}", words[0], words[1], words[2]),
                )
            })?;
        let rate = Self { value, unit };
        if rate.period() > SignedDuration::from_hours(i64::from(MAX_DAYS) * 24) {
            return Err(Fault::new(0, format!("at most {MAX_DAYS} days")));
        }
        Ok(rate)
    }

    pub fn period(self) -> SignedDuration {
        let minutes = match self.unit {
            Unit::Minute => 1,
            Unit::Hour => 60,
            Unit::Day => 24 * 60,
        };
        SignedDuration::from_mins(i64::from(self.value) * minutes)
    }

    /// The first tick is one period after the anchor.
    pub(crate) fn next_after(self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let period = self.period().as_secs();
        let since = after.duration_since(anchor);
        let passed = since.as_secs().div_euclid(period).max(0);
        let along = period.checked_mul(passed + 1)?;
        anchor.checked_add(SignedDuration::from_secs(along)).ok()
    }
}
