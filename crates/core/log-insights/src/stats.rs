//! Aggregates: what becomes of the values of a group.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::ast::AggregateKind;
use crate::order;
use crate::value::Value;

/// An aggregate of a group, on its way.
#[derive(Debug)]
pub(crate) struct Accumulator {
    kind: AggregateKind,
    count: u64,
    sum: f64,
    /// Of the squares of the differences from the mean (Welford).
    mean: f64,
    squares: f64,
    /// Of the values that differ. Two of them share one with a probability that does not matter.
    distinct: HashSet<u64>,
    /// For percentiles, exact.
    values: Vec<f64>,
    kept: Value,
    kept_at: i64,
}

impl Accumulator {
    pub(crate) fn new(kind: AggregateKind) -> Self {
        Self {
            kind,
            count: 0,
            sum: 0.0,
            mean: 0.0,
            squares: 0.0,
            distinct: HashSet::new(),
            values: Vec::new(),
            kept: Value::Null,
            kept_at: 0,
        }
    }

    /// Takes a value from an event of that time. None is `count(*)`.
    pub(crate) fn add(&mut self, value: Option<&Value>, time: i64) {
        let Some(value) = value else {
            self.count += 1;
            return;
        };
        if value.is_null() {
            return;
        }
        let number = value.number();
        match self.kind {
            AggregateKind::Count => self.count += 1,
            AggregateKind::CountDistinct => {
                let mut hasher = DefaultHasher::new();
                value.shown().hash(&mut hasher);
                self.distinct.insert(hasher.finish());
            }
            AggregateKind::Sum | AggregateKind::Avg | AggregateKind::Stddev => {
                let Some(number) = number else { return };
                self.count += 1;
                self.sum += number;
                let off = number - self.mean;
                self.mean += off / self.count as f64;
                self.squares += off * (number - self.mean);
            }
            AggregateKind::Pct(_) => self.values.extend(number),
            AggregateKind::Min => self.keep(value, time, |new, old| extreme(new, old).is_lt()),
            AggregateKind::Max => self.keep(value, time, |new, old| extreme(new, old).is_gt()),
            AggregateKind::SortsFirst => self.keep(value, time, |new, old| order::compare(new, old).is_lt()),
            AggregateKind::SortsLast => self.keep(value, time, |new, old| order::compare(new, old).is_gt()),
            AggregateKind::Earliest => {
                let earlier = time < self.kept_at;
                self.keep(value, time, |_, _| earlier);
            }
            AggregateKind::Latest => {
                let later = time > self.kept_at;
                self.keep(value, time, |_, _| later);
            }
        }
    }

    fn keep(&mut self, value: &Value, time: i64, better: impl Fn(&Value, &Value) -> bool) {
        if self.kept.is_null() || better(value, &self.kept) {
            self.kept = value.clone();
            self.kept_at = time;
        }
    }

    pub(crate) fn result(&mut self) -> Value {
        let count = self.count as f64;
        let some = |value: f64| {
            if self.count == 0 {
                Value::Null
            } else {
                Value::number_of(value)
            }
        };
        match self.kind {
            AggregateKind::Count => Value::Number(count),
            AggregateKind::CountDistinct => Value::Number(self.distinct.len() as f64),
            AggregateKind::Sum => some(self.sum),
            AggregateKind::Avg => some(self.sum / count),
            AggregateKind::Stddev => some((self.squares / count).max(0.0).sqrt()),
            AggregateKind::Pct(percent) => percentile(&mut self.values, percent),
            _ => self.kept.clone(),
        }
    }

    /// Bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.distinct.capacity() * 9 + self.values.capacity() * 8 + self.kept.size()
    }
}

/// Numbers beat what is none: the largest of `n/a` and 3 is 3, and so is the smallest.
fn extreme(new: &Value, old: &Value) -> Ordering {
    match (new.number(), old.number()) {
        (Some(new), Some(old)) => new.total_cmp(&old),
        _ => order::compare(new, old),
    }
}

/// The nearest rank: the smallest value that at least that part of the values does not exceed.
fn percentile(values: &mut [f64], percent: f64) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    values.sort_unstable_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    Value::Number(values[rank.clamp(1, values.len()) - 1])
}
