//! When a schedule is due. Schedules start everything that nobody asks for by hand, so their times are computed
//! here, apart from any clock: an expression and a time in, the next time out. Which ticks to fire after a pause is
//! decided here too, so that a restart neither skips one nor fires one twice.
//!
//! The expressions are those of EventBridge, "Creating a rule that runs on a schedule": `rate(5 minutes)` and
//! `cron(0 12 * * ? *)` of six fields, in UTC; and `at(2026-01-31T08:00:00)` of EventBridge Scheduler.

mod cron;
mod days;
mod due;
mod fault;
mod field;
mod rate;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

pub use cron::Cron;
pub use due::{Due, due};
pub use fault::Fault;
pub use rate::{Rate, Unit};

/// Longer expressions are refused; the API allows as many.
pub const MAX_LENGTH: usize = 256;

/// A schedule expression, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Rate(Rate),
    Cron(Box<Cron>),
    /// Once, at a second.
    At(DateTime),
}

impl Schedule {
    /// # Errors
    /// What is wrong and where, in bytes from the start of the expression.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_LENGTH {
            return Err(Fault::new(MAX_LENGTH, format!("at most {MAX_LENGTH} characters")));
        }
        let wanted = "rate(...), cron(...) or at(...)";
        let open = text.find('(').ok_or_else(|| Fault::new(0, wanted))?;
        let Some(body) = text[open + 1..].strip_suffix(')') else {
            return Err(Fault::new(text.len(), "a closing parenthesis"));
        };
        let inner = |fault: Fault| fault.moved(open + 1);
        match &text[..open] {
            "rate" => Rate::parse(body).map(Self::Rate).map_err(inner),
            "cron" => Cron::parse(body)
                .map(|cron| Self::Cron(Box::new(cron)))
                .map_err(inner),
            "at" => body
                .parse()
                .ok()
                .filter(|_| body.len() == "2026-01-31T08:00:00".len() && body.as_bytes()[10] == b'T')
                .map(Self::At)
                .ok_or_else(|| Fault::new(open + 1, "a time such as 2026-01-31T08:00:00")),
            _ => Err(Fault::new(0, wanted)),
        }
    }

    /// The first tick after a time, in UTC; none if there is no more. A rate counts from `anchor`, when the
    /// schedule was created or last changed.
    pub fn next_after(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        self.next_after_in(&TimeZone::UTC, anchor, after)
    }

    /// [`Self::next_after`] by the clocks of a time zone. A time that a change of the clocks skips is skipped; one
    /// that it repeats ticks the first time.
    pub fn next_after_in(&self, zone: &TimeZone, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(rate) => rate.next_after(anchor, after),
            Self::Cron(cron) => {
                let mut from = Zoned::new(after, zone.clone()).datetime();
                // Each round moves on by a minute at least, and clocks change by hours at most.
                for _ in 0..MOST_TICKS_IN_A_CHANGE {
                    let next = cron.next_after(from)?;
                    let ambiguous = zone.to_ambiguous_timestamp(next);
                    let skipped = ambiguous.offset().is_gap();
                    if let Some(tick) = ambiguous.earlier().ok().filter(|tick| !skipped && *tick > after) {
                        return Some(tick);
                    }
                    from = next;
                }
                None
            }
            Self::At(once) => {
                let tick = zone.to_ambiguous_timestamp(*once).earlier().ok()?;
                (tick > after).then_some(tick)
            }
        }
    }
}

/// More minutes than any change of the clocks skips or repeats.
const MOST_TICKS_IN_A_CHANGE: usize = 48 * 60;

trait IsGap {
    fn is_gap(&self) -> bool;
}

impl IsGap for jiff::tz::AmbiguousOffset {
    fn is_gap(&self) -> bool {
        matches!(self, Self::Gap { .. })
    }
}
