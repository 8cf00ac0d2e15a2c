//! What is owed to subscriptions, beside the lines that it is of: a key is a group, a filter and the number of the first
//! line, so that what a filter is owed is one range in order of its coming.

use std::fmt;

use roadstead_volume::Batch;

use crate::error::Result;
use crate::lines::{Lines, broken, place_key};
use crate::records::OwedRecord;

/// A subscription filter of a group, by the numbers that what is owed to it lies under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FilterKey {
    pub group: u64,
    pub filter: u64,
}

impl fmt::Display for FilterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter {} of group {}", self.filter, self.group)
    }
}

/// A delivery to come.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub to: FilterKey,
    /// Of the first of its lines.
    pub number: u64,
    pub record: OwedRecord,
}

impl Lines {
    pub(super) fn add_owed(&self, batch: &mut Batch, owed: &[Owed]) -> Result<()> {
        for Owed { to, number, record } in owed {
            let value = serde_json::to_vec(record).map_err(|_| broken("what is owed to a subscription"))?;
            batch.put(&self.owed, key(*to, *number), value);
        }
        Ok(())
    }

    /// The oldest that is owed to a filter, so many at most, each with its number.
    pub(crate) fn owed(&self, to: FilterKey, at_most: usize) -> Result<Vec<(u64, OwedRecord)>> {
        let mut found = Vec::new();
        for pair in self
            .owed
            .prefix(place_key(to.group, Some(to.filter)))
            .take(at_most)
        {
            let (key, value) = pair?;
            let record =
                serde_json::from_slice(&value).map_err(|_| broken("what is owed to a subscription"))?;
            found.push((part(&key, 2)?, record));
        }
        Ok(found)
    }

    /// Strikes out what was delivered or given up.
    pub(crate) async fn settle(&self, to: FilterKey, numbers: &[u64]) -> Result<()> {
        let mut batch = Batch::default();
        for number in numbers {
            batch.delete(&self.owed, key(to, *number));
        }
        Ok(self.volume.write(batch).await?)
    }

    /// Strikes out all that is owed to a filter that is no more.
    pub(crate) async fn forget_owed(&self, to: FilterKey) -> Result<()> {
        let prefix = place_key(to.group, Some(to.filter));
        self.clear(&self.owed, &prefix).await.map(|_| ())
    }

    /// Every filter that something is owed to.
    pub(crate) fn creditors(&self) -> Result<Vec<FilterKey>> {
        let mut found = Vec::new();
        let mut from = vec![];
        while let Some(pair) = self.owed.range(from..).next() {
            let (at, _) = pair?;
            let to = FilterKey {
                group: part(&at, 0)?,
                filter: part(&at, 1)?,
            };
            found.push(to);
            // Behind everything of this one.
            from = key(to, u64::MAX);
            from.push(0);
        }
        Ok(found)
    }
}

fn key(to: FilterKey, number: u64) -> Vec<u8> {
    let mut key = place_key(to.group, Some(to.filter));
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// One of the three numbers of a key.
fn part(key: &[u8], index: usize) -> Result<u64> {
    let bytes = key.get(index * 8..index * 8 + 8);
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u64::from_be_bytes)
        .ok_or_else(|| broken("the key of what is owed to a subscription"))
}
