//! Metrics written as lists, `None` where a point is missing, at the minutes of a grid.

use roadstead_metric_math::search::{Metric, Search};
use roadstead_metric_math::{Fault, Grid, Series, Source, Value, evaluate};

pub(crate) const PERIOD: i64 = 60;
/// Tuesday, 2023-11-14, 22:14 UTC.
pub(crate) const FIRST: i64 = 1_700_000_040;

pub(crate) fn grid(slots: usize) -> Grid {
    let grid = Grid::new(FIRST, FIRST + slots as i64 * PERIOD, PERIOD);
    assert_eq!((grid.first, grid.slots), (FIRST, slots));
    grid
}

pub(crate) fn series(values: &[Option<f64>]) -> Series {
    let points = (0..)
        .zip(values)
        .filter_map(|(slot, value)| Some((FIRST + slot * PERIOD, (*value)?)));
    Series::of(points.collect())
}

/// What a list of points says at the times of the grid.
pub(crate) fn values(series: &Series, slots: usize) -> Vec<Option<f64>> {
    grid(slots).times().map(|time| series.at(time)).collect()
}

/// Metrics `m1`, `m2`, …
pub(crate) struct Metrics(pub(crate) Vec<Series>);

impl Source for Metrics {
    type Error = Fault;

    fn named(&mut self, id: &str, _: usize) -> Result<Option<Value>, Fault> {
        let index = id
            .strip_prefix('m')
            .and_then(|number| number.parse::<usize>().ok());
        let series = index.and_then(|index| self.0.get(index.checked_sub(1)?));
        Ok(series.cloned().map(Value::Series))
    }

    fn is_metric(&self, id: &str) -> bool {
        id.starts_with('m')
    }

    fn metrics(&mut self, containing: &str) -> Result<Vec<Series>, Fault> {
        let named = (1..)
            .zip(&self.0)
            .filter(|(number, _)| format!("m{number}").contains(containing));
        Ok(named.map(|(_, series)| series.clone()).collect())
    }

    fn search(&mut self, search: &Search, _: &str, _: usize) -> Result<Vec<Series>, Fault> {
        let named: Vec<String> = (1..=self.0.len()).map(|number| format!("m{number}")).collect();
        let all = self.0.iter().zip(&named).filter(|(_, name)| {
            search.finds(&Metric {
                namespace: "App",
                name,
                dimensions: &[],
            })
        });
        Ok(all.map(|(series, _)| series.clone()).collect())
    }
}

pub(crate) fn run(text: &str, metrics: &[Series], slots: usize) -> Result<Value, Fault> {
    evaluate(&text.parse()?, &grid(slots), &mut Metrics(metrics.to_vec()))
}
