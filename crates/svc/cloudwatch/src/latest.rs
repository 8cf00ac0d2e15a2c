//! The last point of each metric that is written to now: what another monitoring system can take over from here.

use roadstead_metrics::Summary;

use crate::CloudWatch;
use crate::error::Result;
use crate::samples::Samples;

/// What was not written to for so long is not told any more. When a series was last written is known to ten minutes.
const RECENT: i64 = 30 * 60;

/// A metric in one unit, and its last point.
#[derive(Clone, Debug, PartialEq)]
pub struct Latest {
    pub account: String,
    pub region: String,
    pub namespace: String,
    pub metric: String,
    /// In order of names.
    pub dimensions: Vec<(String, String)>,
    pub unit: String,
    /// Seconds since 1970.
    pub second: i64,
    /// Of the samples of this second.
    pub average: f64,
}

impl CloudWatch {
    /// The last points of at most so many metrics of all accounts, and how many metrics there were beyond.
    ///
    /// # Errors
    /// Samples cannot be read.
    pub fn latest(&self, most: usize) -> Result<(Vec<Latest>, usize)> {
        let since = self.clock.now().0 / 1000 - RECENT;
        let recent: Vec<_> = self.samples.index(|index| {
            let recent = index.all().filter(|(_, series)| series.seen / 1000 >= since);
            recent.map(|(name, series)| (name.clone(), series.id)).collect()
        });
        let beyond = recent.len().saturating_sub(most);
        let mut all = Vec::new();
        for (name, series) in recent.into_iter().take(most) {
            if let Some((second, Summary { sum, count, .. })) = self.samples.last(series)?
                && second >= since
            {
                all.push(Latest {
                    account: name.account,
                    region: name.region,
                    namespace: name.namespace,
                    metric: name.metric,
                    dimensions: name.dimensions,
                    unit: name.unit,
                    second,
                    average: sum / count,
                });
            }
        }
        Ok((all, beyond))
    }
}

impl Samples {
    /// The last second of a series that has samples, as long as it was not rolled up, and what they sum up to.
    fn last(&self, series: u64) -> Result<Option<(i64, Summary)>> {
        let Some(second) = self.last_second(series)? else {
            return Ok(None);
        };
        let summed = self.summed(&[series], second, second + 1, |second| second)?;
        Ok(summed.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::harness::{Bench, START};

    #[tokio::test]
    async fn the_last_second_is_told_as_long_as_it_is_recent() {
        let bench = Bench::new().await;
        let now = START.0 / 1000;
        let sample = |metric: &str, second: i64, value: f64| {
            json!({"MetricName": metric, "Timestamp": second,
            "Value": value, "StorageResolution": 1, "Unit": "Count", "Dimensions": [{"Name": "Host", "Value": "a"}]})
        };
        let data = json!([
            sample("m", now - 2, 9.0),
            sample("m", now - 1, 1.0),
            sample("m", now - 1, 2.0),
            sample("n", now, 5.0)
        ]);
        let request = json!({"Namespace": "App", "MetricData": data});
        bench.call("PutMetricData", request).await.expect("taken");
        let (all, beyond) = bench.metrics.latest(10).expect("points");
        let told: Vec<_> = all
            .iter()
            .map(|latest| (latest.metric.as_str(), latest.second - now, latest.average))
            .collect();
        assert_eq!((told, beyond), (vec![("m", -1, 1.5), ("n", 0, 5.0)], 0));
        assert_eq!(all[0].dimensions, [("Host".to_owned(), "a".to_owned())]);
        let (all, beyond) = bench.metrics.latest(1).expect("points");
        assert_eq!((all.len(), beyond), (1, 1));
        bench.clock.advance(3_600_000);
        assert_eq!(bench.metrics.latest(10).expect("points"), (vec![], 0));
    }
}
