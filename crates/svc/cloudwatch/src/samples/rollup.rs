//! What is old is rolled up: together to longer periods, step by step, and in the end cleared away. Nothing is lost on
//! the way but the single seconds: summaries add up.

use std::collections::BTreeMap;

use roadstead_metrics::Summary;
use roadstead_volume::Batch;

use crate::error::Result;
use crate::samples::{Samples, key, second, summary};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// How old samples of a tier become, and what the next one's period is, in seconds. The last one's end is the end.
pub(crate) const TIERS: [(i64, i64); 3] = [(3 * HOUR, MINUTE), (15 * DAY, 5 * MINUTE), (63 * DAY, HOUR)];
/// After this nothing is kept.
const LAST: i64 = 455 * DAY;
/// Samples that are rolled up in one write.
const AT_ONCE: usize = 2048;

impl Samples {
    /// Rolls up what is old at a time. How many samples went.
    pub(crate) async fn roll_up(&self, now: i64) -> Result<usize> {
        let all: Vec<u64> = self.index(|index| index.all().map(|(_, series)| series.id).collect());
        let mut gone = 0;
        for series in all {
            for (tier, (age, period)) in (0u8..).zip(TIERS) {
                gone += self
                    .roll(
                        series,
                        tier,
                        (now - age).div_euclid(period) * period,
                        Some(period),
                    )
                    .await?;
            }
            gone += self.roll(series, TIERS.len() as u8, now - LAST, None).await?;
        }
        Ok(gone)
    }

    /// Moves the samples of a tier from before a second to the next tier; without a period, to nowhere.
    async fn roll(&self, series: u64, tier: u8, before: i64, period: Option<i64>) -> Result<usize> {
        let mut gone = 0;
        loop {
            let range = key(series, tier, i64::MIN, 0)..key(series, tier, before, 0);
            let old: Vec<_> = self.points.range(range).take(AT_ONCE).collect::<Result<_, _>>()?;
            if old.is_empty() {
                return Ok(gone);
            }
            gone += old.len();
            let mut batch = Batch::default();
            let mut summed: BTreeMap<i64, Summary> = BTreeMap::new();
            for (key, value) in old {
                if let Some(period) = period {
                    let at = second(&key)?.div_euclid(period) * period;
                    let summary = summary(&value)?;
                    match summed.get_mut(&at) {
                        Some(sum) => sum.merge(&summary),
                        None => {
                            summed.insert(at, summary);
                        }
                    }
                }
                batch.delete(&self.points, key);
            }
            for (at, mut sum) in summed {
                // What came late joins what was rolled up before.
                let place = key(series, tier + 1, at, 0);
                if let Some(present) = self.points.get(&place)? {
                    sum.merge(&summary(&present)?);
                }
                batch.put(&self.points, place, sum.to_bytes());
            }
            self.volume.write(batch).await?;
        }
    }
}
