//! One field of a cron expression as a set of numbers. The six fields share lists, ranges and increments; what is
//! special to days is not here.

use crate::fault::Fault;

/// What a field may hold.
pub(crate) struct Kind {
    pub name: &'static str,
    pub min: u16,
    pub max: u16,
    /// Names of the values from `min` on.
    pub names: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

pub(crate) const MINUTES: Kind = kind("minutes", 0, 59, &[]);
pub(crate) const HOURS: Kind = kind("hours", 0, 23, &[]);
pub(crate) const DAY_OF_MONTH: Kind = kind("day-of-month", 1, 31, &[]);
pub(crate) const MONTH: Kind = kind("month", 1, 12, &MONTHS);
pub(crate) const DAY_OF_WEEK: Kind = kind("day-of-week", 1, 7, &DAYS);
pub(crate) const YEAR: Kind = kind("year", 1970, 2199, &[]);

const fn kind(name: &'static str, min: u16, max: u16, names: &'static [&'static str]) -> Kind {
    Kind {
        name,
        min,
        max,
        names,
    }
}

/// Numbers of at most 256 above the field's least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    least: u16,
    bits: [u64; 4],
}

impl Set {
    pub(crate) fn contains(&self, value: u16) -> bool {
        let Some(at) = value.checked_sub(self.least).map(usize::from) else {
            return false;
        };
        at < 256 && self.bits[at / 64] & (1 << (at % 64)) != 0
    }

    fn insert(&mut self, value: u16) {
        let at = usize::from(value - self.least);
        self.bits[at / 64] |= 1 << (at % 64);
    }

    /// The least member that is `value` or more.
    pub(crate) fn at_least(&self, value: u16) -> Option<u16> {
        let from = usize::from(value.saturating_sub(self.least));
        (from..256)
            .find(|at| self.bits[at / 64] & (1 << (at % 64)) != 0)
            .and_then(|at| u16::try_from(at).ok())
            .map(|at| at + self.least)
    }
}

/// `*`, `5`, `MON`, `1-5`, `0/15`, `10-30/5`, `*/2`, and lists of these. A range that ends before it begins goes
/// round, but for years.
pub(crate) fn parse(kind: &Kind, text: &str) -> Result<Set, Fault> {
    let mut set = Set {
        least: kind.min,
        ..Set::default()
    };
    let mut at = 0;
    for part in text.split(',') {
        add(kind, part, at, &mut set)?;
        at += part.len() + 1;
    }
    Ok(set)
}

fn add(kind: &Kind, part: &str, at: usize, set: &mut Set) -> Result<(), Fault> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => {
            let step_at = at + range.len() + 1;
            let size = kind.max - kind.min + 1;
            let step = number(step)
                .filter(|step| (1..=size).contains(step))
                .ok_or_else(|| {
                    Fault::new(step_at, format!("an increment of {} from 1 to {size}", kind.name))
                })?;
            (range, Some(step))
        }
        None => (part, None),
    };
    let (first, last) = if range == "*" {
        (kind.min, kind.max)
    } else if let Some((first, last)) = range.split_once('-') {
        (value(kind, first, at)?, value(kind, last, at + first.len() + 1)?)
    } else {
        let first = value(kind, range, at)?;
        (first, if step.is_some() { kind.max } else { first })
    };
    if last < first && kind.name == YEAR.name {
        return Err(Fault::new(at, "a range of years that ends after it begins"));
    }
    let size = kind.max - kind.min + 1;
    let length = if last >= first {
        last - first
    } else {
        last + size - first
    };
    let step = step.unwrap_or(1);
    let mut along = 0;
    while along <= length {
        set.insert(kind.min + (first - kind.min + along) % size);
        along += step;
    }
    Ok(())
}

/// A number or a name of the field.
pub(crate) fn value(kind: &Kind, text: &str, at: usize) -> Result<u16, Fault> {
    let named = || {
        let index = kind
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text))?;
        Some(kind.min + u16::try_from(index).ok()?)
    };
    number(text)
        .filter(|value| (kind.min..=kind.max).contains(value))
        .or_else(named)
        .ok_or_else(|| {
            let names = match (kind.names.first(), kind.names.last()) {
                (Some(first), Some(last)) => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            Fault::new(
                at,
                format!("{} from {} to {}{names}", kind.name, kind.min, kind.max),
            )
        })
}

/// Digits alone, without a sign.
pub(crate) fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
