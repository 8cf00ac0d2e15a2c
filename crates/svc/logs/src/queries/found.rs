//! What queries found, in the volume: rows in parts, under the number of their query.

use roadstead_log_insights::Results;
use roadstead_volume::{Batch, Space, Volume};

use crate::error::{Error, Result};

/// Rows of a part.
const PART: usize = 250;
/// Parts in one write.
const PARTS_AT_ONCE: usize = 40;

pub(super) struct Found {
    volume: Volume,
    space: Space,
}

impl Found {
    pub(super) fn open(volume: &Volume) -> Result<Self> {
        Ok(Self {
            space: volume.space("log-results")?,
            volume: volume.clone(),
        })
    }

    /// How many bytes they take. Durable when it returns.
    pub(super) async fn put(&self, number: u64, rows: &Results) -> Result<u64> {
        let parts: Vec<_> = rows.chunks(PART).zip(0u32..).collect();
        let mut bytes = 0;
        for some in parts.chunks(PARTS_AT_ONCE) {
            let mut batch = Batch::default();
            for (part, index) in some {
                let value = serde_json::to_vec(part).map_err(|_| broken())?;
                bytes += value.len() as u64;
                batch.put(&self.space, part_key(number, *index), value);
            }
            self.volume.write(batch).await?;
        }
        Ok(bytes)
    }

    /// So many rows from one on.
    pub(super) fn read(&self, number: u64, from: usize, count: usize) -> Result<Results> {
        let first = u32::try_from(from / PART).map_err(|_| broken())?;
        let mut rows = Vec::new();
        for pair in self
            .space
            .range(part_key(number, first)..=part_key(number, u32::MAX))
        {
            let (_, value) = pair?;
            let part: Results = serde_json::from_slice(&value).map_err(|_| broken())?;
            rows.extend(part);
            if rows.len() >= from % PART + count {
                break;
            }
        }
        Ok(rows.into_iter().skip(from % PART).take(count).collect())
    }

    pub(super) async fn clear(&self, number: u64) -> Result<()> {
        let mut batch = Batch::default();
        for pair in self.space.prefix(number.to_be_bytes()) {
            batch.delete(&self.space, pair?.0);
        }
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.volume.write(batch).await?)
    }
}

fn broken() -> Error {
    Error::Broken("the results of a query cannot be read from the volume of logs".into())
}

fn part_key(number: u64, part: u32) -> Vec<u8> {
    let mut key = number.to_be_bytes().to_vec();
    key.extend(part.to_be_bytes());
    key
}
