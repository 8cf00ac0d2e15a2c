//! A period's samples, summed up.

use crate::distribution::Distribution;

/// What is known of the samples of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub count: f64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// None once samples came of which only such a summary was told: of those no percentile is known.
    pub distribution: Option<Distribution>,
}

/// What no samples can be summed up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    #[error("a value must be a number, and neither infinite nor beyond -2^360 to 2^360")]
    Value,
    #[error("a count must be a number above 0")]
    Count,
    #[error("the minimum must not be above the maximum")]
    Order,
}

/// 2^360, documented.
const MOST: f64 = 2.348_542_582_773_833_4e108;

impl Summary {
    /// A value that came so often.
    ///
    /// # Errors
    /// No such value or count can be.
    pub fn of(value: f64, count: f64) -> Result<Self, SummaryError> {
        let mut distribution = Distribution::new();
        check(value)?;
        check_count(count)?;
        distribution.add(value, count);
        Ok(Self {
            count,
            sum: value * count,
            min: value,
            max: value,
            distribution: Some(distribution),
        })
    }

    /// Samples of which only this is told. Of a single sample, or of equal ones, all is told by it.
    ///
    /// # Errors
    /// No such samples can be.
    pub fn of_set(count: f64, sum: f64, min: f64, max: f64) -> Result<Self, SummaryError> {
        for value in [sum, min, max] {
            check(value)?;
        }
        check_count(count)?;
        if min > max {
            return Err(SummaryError::Order);
        }
        let distribution = (min == max || count == 1.0).then(|| {
            let mut distribution = Distribution::new();
            distribution.add(max, count);
            distribution
        });
        Ok(Self {
            count,
            sum,
            min,
            max,
            distribution,
        })
    }

    /// Adds the samples of another one.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.distribution = match (self.distribution.take(), &other.distribution) {
            (Some(mut own), Some(other)) => {
                own.merge(other);
                Some(own)
            }
            _ => None,
        };
    }

    /// All of them together; none if there are none.
    pub fn merged<'s>(all: impl IntoIterator<Item = &'s Summary>) -> Option<Summary> {
        let mut all = all.into_iter();
        let mut merged = all.next()?.clone();
        all.for_each(|summary| merged.merge(summary));
        Some(merged)
    }
}

fn check(value: f64) -> Result<(), SummaryError> {
    if value.is_finite() && value.abs() <= MOST {
        Ok(())
    } else {
        Err(SummaryError::Value)
    }
}

fn check_count(count: f64) -> Result<(), SummaryError> {
    if count.is_finite() && count > 0.0 {
        Ok(())
    } else {
        Err(SummaryError::Count)
    }
}
