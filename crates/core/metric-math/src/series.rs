//! What an expression is about: numbers over time.

use crate::fault::Fault;

/// More points than this in one value are refused: filling in what is missing makes much out of little.
pub const MAX_POINTS: usize = 2_000_000;

/// A time series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Which of the caller's metrics it comes from, if it is one metric's alone.
    pub origin: Option<usize>,
    /// Seconds since 1970 in ascending order, and finite numbers.
    pub points: Vec<(i64, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not a number when there is none, as of the maximum of a time series without points.
    Scalar(f64),
    Series(Series),
    Array(Vec<Series>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Scalar,
    Series,
    Array,
}

/// The times that an expression is evaluated at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The beginning of the first period, in seconds since 1970.
    pub first: i64,
    /// How many periods there are.
    pub slots: usize,
    /// In seconds, above 0.
    pub period: i64,
}

impl Value {
    pub fn kind(&self) -> Type {
        match self {
            Self::Scalar(_) => Type::Scalar,
            Self::Series(_) => Type::Series,
            Self::Array(_) => Type::Array,
        }
    }
}

impl Type {
    pub fn text(self) -> &'static str {
        match self {
            Self::Scalar => "a scalar",
            Self::Series => "a time series",
            Self::Array => "an array of time series",
        }
    }
}

impl Grid {
    /// The periods that begin within a span of seconds, its end left out.
    pub fn new(from: i64, to: i64, period: i64) -> Self {
        let period = period.max(1);
        let begin = from.div_euclid(period) * period;
        let first = if begin == from { begin } else { begin + period };
        let slots = (to - first).max(0) as u64;
        Self {
            first,
            slots: usize::try_from(slots.div_ceil(period as u64)).unwrap_or(usize::MAX),
            period,
        }
    }

    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let Self { first, slots, period } = *self;
        (0..slots).map(move |slot| first + slot as i64 * period)
    }

    /// Whether so many series with a point in each period fit.
    pub(crate) fn room(&self, series: usize, column: usize) -> Result<(), Fault> {
        if self.slots.saturating_mul(series) <= MAX_POINTS {
            return Ok(());
        }
        Err(Fault::meaning(
            column,
            format!(
                "The result would have more than {MAX_POINTS} data points; ask for a longer period or a shorter time"
            ),
        ))
    }
}

impl Series {
    pub fn of(points: Vec<(i64, f64)>) -> Self {
        Self { origin: None, points }
    }

    pub fn at(&self, time: i64) -> Option<f64> {
        let index = self.points.binary_search_by_key(&time, |(time, _)| *time).ok()?;
        Some(self.points[index].1)
    }

    /// Each point by itself; what becomes no finite number is dropped.
    pub(crate) fn map(self, of: impl Fn(f64) -> f64) -> Self {
        let Self { origin, points } = self;
        let points = points.into_iter().map(|(time, value)| (time, of(value)));
        Self {
            origin,
            points: points.filter(|(_, value)| value.is_finite()).collect(),
        }
    }
}

/// Walks several series at once: at each time that any of them has a point, what each of them has.
pub(crate) fn together(series: &[&Series], mut visit: impl FnMut(i64, &[Option<f64>])) {
    let mut next = vec![0; series.len()];
    let mut row = vec![None; series.len()];
    loop {
        let heads = series
            .iter()
            .zip(&next)
            .filter_map(|(series, next)| series.points.get(*next));
        let Some(time) = heads.map(|(time, _)| *time).min() else {
            return;
        };
        for ((series, next), cell) in series.iter().zip(&mut next).zip(&mut row) {
            *cell = match series.points.get(*next) {
                Some((at, value)) if *at == time => {
                    *next += 1;
                    Some(*value)
                }
                _ => None,
            };
        }
        visit(time, &row);
    }
}
