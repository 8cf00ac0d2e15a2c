//! What the calendar says of a time, in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::syntax::Function;

/// None of times beyond the calendar, and of functions that do not ask it.
pub(crate) fn tell(function: Function, second: i64) -> Option<f64> {
    let time = Timestamp::from_second(second).ok()?.to_zoned(TimeZone::UTC);
    Some(match function {
        Function::Minute => f64::from(time.minute()),
        Function::Hour => f64::from(time.hour()),
        // 1 is Monday, 7 is Sunday.
        Function::Day => f64::from(time.weekday().to_monday_one_offset()),
        Function::Date => f64::from(time.day()),
        Function::Month => f64::from(time.month()),
        Function::Year => f64::from(time.year()),
        Function::Epoch => second as f64,
        _ => return None,
    })
}
