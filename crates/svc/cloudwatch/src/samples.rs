//! Where samples lie. Each metric with its dimensions and unit is a series; which there are is held in memory. The key
//! of a sample is its series, how far it was rolled up, its time and a number, so that a series is one range in order of
//! time and samples of one second lie beside each other until they are read or rolled up together.

mod index;
mod rollup;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use roadstead_base::Timestamp;
use roadstead_metrics::Summary;
use roadstead_volume::{Batch, Numbers, Space, Volume};

use crate::error::{Error, Result};

pub(crate) use index::{Index, Name, Series};
pub(crate) use rollup::TIERS;

/// How old the note of when a series was last written may become, in milliseconds.
const NOTE_EVERY: i64 = 600_000;

pub(crate) struct Samples {
    volume: Volume,
    series: Space,
    points: Space,
    numbers: Numbers,
    index: RwLock<Index>,
}

/// A sample on its way in. Time in whole seconds.
pub(crate) struct Sample {
    pub name: Name,
    pub second: i64,
    pub summary: Summary,
}

impl Samples {
    pub(crate) fn open(volume: Volume) -> Result<Self> {
        let series = volume.space("metric-series")?;
        let mut index = Index::default();
        for pair in series.range::<&[u8], _>(..) {
            let (key, value) = pair?;
            index.insert(Name::from_bytes(&key)?, Series::from_bytes(&value)?);
        }
        Ok(Self {
            points: volume.space("metric-points")?,
            numbers: Numbers::open(&volume, "metric-meta")?,
            series,
            volume,
            index: RwLock::new(index),
        })
    }

    /// Reads the index.
    pub(crate) fn index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets nobody read the index until what it gives is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes samples in. Durable when it returns.
    pub(crate) async fn put(&self, samples: Vec<Sample>, now: Timestamp, max_series: usize) -> Result<()> {
        let first = self.numbers.take(2 * samples.len() as u64).await?;
        let mut batch = Batch::default();
        let mut noted: BTreeMap<Name, Series> = BTreeMap::new();
        for (sample, number) in samples.into_iter().zip((first..).step_by(2)) {
            let Sample {
                name,
                second,
                summary,
            } = sample;
            let known = noted
                .get(&name)
                .copied()
                .or_else(|| self.index(|index| index.get(&name)));
            let series = match known {
                Some(series) if now.0 - series.seen < NOTE_EVERY => series,
                Some(series) => Series {
                    seen: now.0,
                    ..series
                },
                None => Series {
                    id: number + 1,
                    seen: now.0,
                },
            };
            if known != Some(series) {
                noted.insert(name, series);
            }
            batch.put(
                &self.points,
                key(series.id, 0, second, number),
                summary.to_bytes(),
            );
        }
        // A series that somebody else makes at the same time must be made once.
        let noted = self.settle(noted, max_series)?;
        for (name, series) in &noted {
            batch.put(&self.series, name.to_bytes(), series.to_bytes());
        }
        Ok(self.volume.write(batch).await?)
    }

    /// Puts series into the index.
    fn settle(&self, noted: BTreeMap<Name, Series>, max_series: usize) -> Result<BTreeMap<Name, Series>> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if index.len() + noted.len() > max_series && noted.keys().any(|name| index.get(name).is_none()) {
            return Err(Error::value(format!(
                "There are {max_series} different metrics, which is as many as can be."
            )));
        }
        for (name, series) in &noted {
            index.insert(name.clone(), *series);
        }
        Ok(noted)
    }

    /// The last second of a series that has samples which were not rolled up.
    pub(crate) fn last_second(&self, series: u64) -> Result<Option<i64>> {
        let all = key(series, 0, i64::MIN, 0)..key(series, 1, i64::MIN, 0);
        let last = self.points.range(all).next_back().transpose()?;
        last.map(|(key, _)| second(&key)).transpose()
    }

    /// What the samples of some series from one second up to another, this one left out, sum up to, by `of`'s word of
    /// which period a second belongs to.
    pub(crate) fn summed(
        &self,
        series: &[u64],
        from: i64,
        to: i64,
        of: impl Fn(i64) -> i64,
    ) -> Result<BTreeMap<i64, Summary>> {
        let mut summed: BTreeMap<i64, Summary> = BTreeMap::new();
        for id in series {
            for tier in 0..=TIERS.len() as u8 {
                for pair in self.points.range(key(*id, tier, from, 0)..key(*id, tier, to, 0)) {
                    let (key, value) = pair?;
                    let summary = summary(&value)?;
                    match summed.get_mut(&of(second(&key)?)) {
                        Some(sum) => sum.merge(&summary),
                        None => {
                            summed.insert(of(second(&key)?), summary);
                        }
                    }
                }
            }
        }
        Ok(summed)
    }
}

fn key(series: u64, tier: u8, second: i64, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(25);
    key.extend_from_slice(&series.to_be_bytes());
    key.push(tier);
    // With the sign turned, bytes are in the order of numbers.
    key.extend_from_slice(&(second ^ i64::MIN).to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn second(key: &[u8]) -> Result<i64> {
    let bytes = key.get(9..17).and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| broken("the key of a sample"))?;
    Ok(i64::from_be_bytes(bytes) ^ i64::MIN)
}

fn summary(value: &[u8]) -> Result<Summary> {
    Summary::from_bytes(value).map_err(|_| broken("a sample"))
}

fn broken(what: &str) -> Error {
    Error::Broken(format!("{what} cannot be read from the volume of metrics"))
}
