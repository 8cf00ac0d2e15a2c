//! How often which value came. Few different values are kept as they are; many become buckets whose borders are a fixed
//! ratio apart, so that any value is told within that ratio whatever the scale.

use std::collections::BTreeMap;

/// More different values become buckets.
pub const MAX_EXACT: usize = 256;
/// A value told from a bucket is off by at most this share of it.
pub const RELATIVE_ERROR: f64 = 0.01;

/// Values with how often each came, in order of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Each value by a key that orders as the value does.
    values: BTreeMap<i64, f64>,
    bucketed: bool,
}

impl Distribution {
    pub fn new() -> Self {
        Self {
            values: BTreeMap::new(),
            bucketed: false,
        }
    }

    /// Whether values are told as they came.
    pub fn is_exact(&self) -> bool {
        !self.bucketed
    }

    pub fn add(&mut self, value: f64, count: f64) {
        let key = if self.bucketed {
            bucket(value)
        } else {
            order(value)
        };
        *self.values.entry(key).or_default() += count;
        if !self.bucketed && self.values.len() > MAX_EXACT {
            self.make_buckets();
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if other.bucketed && !self.bucketed {
            self.make_buckets();
        }
        for (value, count) in other.iter() {
            self.add(value, count);
        }
    }

    fn make_buckets(&mut self) {
        let exact = std::mem::take(&mut self.values);
        self.bucketed = true;
        for (key, count) in exact {
            *self.values.entry(bucket(value_of(key))).or_default() += count;
        }
    }

    /// Values with their counts, ascending. Of a bucket, the value in its middle.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let told = if self.bucketed { middle } else { value_of };
        self.values.iter().map(move |(key, count)| (told(*key), *count))
    }

    pub(crate) fn parts(&self) -> (&BTreeMap<i64, f64>, bool) {
        (&self.values, self.bucketed)
    }

    pub(crate) fn of_parts(values: BTreeMap<i64, f64>, bucketed: bool) -> Self {
        Self { values, bucketed }
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self::new()
    }
}

/// A number that orders as the value does; minus zero is zero.
fn order(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    if bits < 0 { i64::MIN - bits } else { bits }
}

fn value_of(order: i64) -> f64 {
    let bits = if order < 0 { i64::MIN - order } else { order };
    f64::from_bits(bits as u64)
}

/// The ratio of a bucket's borders: its middle is at most the error away from either.
fn growth() -> f64 {
    ((1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)).ln()
}

/// Magnitudes below this are zero: it keeps the keys of positive and negative values apart.
const SMALLEST: f64 = 1e-300;
/// Above the number of buckets of either sign.
const ORIGIN: i64 = 100_000;

/// Zero for zero; otherwise further from zero the greater the magnitude.
fn bucket(value: f64) -> i64 {
    if value.abs() < SMALLEST {
        return 0;
    }
    let steps = (value.abs().ln() / growth()).ceil() as i64 + ORIGIN;
    if value < 0.0 { -steps } else { steps }
}

fn middle(bucket: i64) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let upper = ((bucket.abs() - ORIGIN) as f64 * growth()).exp();
    let magnitude = (upper * (1.0 - RELATIVE_ERROR)).min(f64::MAX);
    if bucket < 0 { -magnitude } else { magnitude }
}
