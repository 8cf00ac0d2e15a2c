//! What functions make of time series ("Functions supported for metric math").

use crate::series::{Grid, Series, together};
use crate::syntax::Function;

/// What a function that sums up says of numbers, of which so many are missing. Not a number if it says nothing.
fn summed(function: Function, values: &[f64], missing: usize) -> f64 {
    let count = values.len() as f64;
    let sum = values.iter().sum::<f64>();
    match function {
        Function::Sum if !values.is_empty() => sum,
        Function::Avg if !values.is_empty() => sum / (count + missing as f64),
        Function::Max => values.iter().copied().fold(f64::NAN, f64::max),
        Function::Min => values.iter().copied().fold(f64::NAN, f64::min),
        Function::DatapointCount => count,
        Function::Stddev if !values.is_empty() => {
            let mean = sum / count;
            let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            (squares / count).sqrt()
        }
        _ => f64::NAN,
    }
}

/// One number of a time series.
pub(crate) fn of_series(function: Function, series: &Series, grid: &Grid) -> f64 {
    let values: Vec<f64> = series.points.iter().map(|(_, value)| *value).collect();
    summed(function, &values, grid.slots.saturating_sub(values.len()))
}

/// One time series of several.
pub(crate) fn of_array(function: Function, array: &[Series]) -> Series {
    let all: Vec<&Series> = array.iter().collect();
    let mut points = Vec::new();
    together(&all, |time, row| {
        let values: Vec<f64> = row.iter().flatten().copied().collect();
        let value = summed(function, &values, row.len() - values.len());
        if value.is_finite() {
            points.push((time, value));
        }
    });
    Series::of(points)
}

/// A time series of one, by its points or the steps between them. None if the function does not do that.
pub(crate) fn alone(function: Function, series: Series) -> Option<Series> {
    Some(match function {
        Function::Abs => series.map(f64::abs),
        Function::Ceil => series.map(f64::ceil),
        Function::Floor => series.map(f64::floor),
        Function::Log => series.map(f64::ln),
        Function::Log10 => series.map(f64::log10),
        Function::Diff => steps(series, |_, step| step),
        Function::DiffTime => steps(series, |seconds, _| seconds),
        Function::Rate => steps(series, |seconds, step| step / seconds),
        Function::RunningSum => {
            let mut sum = 0.0;
            let Series { origin, points } = series;
            let points = points.into_iter().map(|(time, value)| {
                sum += value;
                (time, sum)
            });
            Series {
                origin,
                points: points.filter(|(_, value)| value.is_finite()).collect(),
            }
        }
        _ => return None,
    })
}

/// From each point to the next: how many seconds and how much went by.
fn steps(series: Series, of: impl Fn(f64, f64) -> f64) -> Series {
    let pairs = series.points.windows(2).filter_map(|pair| match pair {
        [(before, from), (time, to)] => Some((*time, of((time - before) as f64, to - from))),
        _ => None,
    });
    Series {
        points: pairs.filter(|(_, value)| value.is_finite()).collect(),
        origin: series.origin,
    }
}

/// What stands in for a missing point.
pub(crate) enum Filler<'f> {
    Scalar(f64),
    Series(&'f Series),
    /// The last one before it.
    Repeat,
    /// On the line from the last one before it to the first one after it.
    Linear,
}

/// Fills in the periods without a point.
pub(crate) fn fill(series: Series, filler: &Filler<'_>, grid: &Grid) -> Series {
    let Series { origin, points } = series;
    let mut filled = Vec::with_capacity(grid.slots.max(points.len()));
    let mut next = points.iter().copied().peekable();
    let mut before: Option<(i64, f64)> = None;
    for time in grid.times() {
        // Points that are not at the beginning of a period stay.
        while let Some(point) = next.next_if(|(at, _)| *at <= time) {
            filled.push(point);
            before = Some(point);
        }
        if before.is_some_and(|(at, _)| at == time) {
            continue;
        }
        let value = match (filler, before, next.peek()) {
            (Filler::Scalar(value), _, _) => Some(*value),
            (Filler::Series(other), _, _) => other.at(time),
            (Filler::Repeat, Some((_, value)), _) => Some(value),
            (Filler::Linear, Some((from, low)), Some((to, high))) => {
                Some(low + (high - low) * ((time - from) as f64 / (to - from) as f64))
            }
            _ => None,
        };
        filled.extend(value.filter(|value| value.is_finite()).map(|value| (time, value)));
    }
    filled.extend(next);
    Series {
        origin,
        points: filled,
    }
}
