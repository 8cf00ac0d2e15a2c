//! The operations, and what they share.

pub(crate) mod get_data;
pub(crate) mod get_statistics;
pub(crate) mod list;
pub(crate) mod put;

use std::sync::Arc;

use roadstead_api_cloudwatch::Dimension;

use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::samples::Samples;

/// Reads samples where waiting for the disk, or long sums, keep no other call from going on.
pub(crate) async fn reading<T: Send + 'static>(
    metrics: &CloudWatch,
    read: impl FnOnce(&Samples) -> Result<T> + Send + 'static,
) -> Result<T> {
    let samples = Arc::clone(&metrics.samples);
    tokio::task::spawn_blocking(move || read(&samples))
        .await
        .map_err(|failed| Error::Broken(format!("reading samples failed: {failed}")))?
}

/// Dimensions in order of their names, each once.
pub(crate) fn dimensions(given: Option<Vec<Dimension>>) -> Result<Vec<(String, String)>> {
    let mut all: Vec<(String, String)> = given
        .unwrap_or_default()
        .into_iter()
        .map(|Dimension { name, value }| (name, value))
        .collect();
    all.sort();
    if let Some(pair) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::value(format!(
            "The dimension {} is there twice.",
            pair[0].0
        )));
    }
    if let Some((name, _)) = all.iter().find(|(name, _)| name.starts_with(':')) {
        return Err(Error::value(format!(
            "The dimension name {name} must not begin with a colon."
        )));
    }
    Ok(all)
}

/// Periods that can be asked for, in seconds.
pub(crate) fn check_period(period: i32) -> Result<i64> {
    if matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period % 60 == 0) {
        return Ok(i64::from(period));
    }
    Err(Error::value(format!(
        "The parameter Period {period} must be 1, 5, 10, 20, 30 or a multiple of 60."
    )))
}
