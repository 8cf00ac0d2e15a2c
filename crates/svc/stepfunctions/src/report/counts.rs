//! Metrics of `AWS/States`.

use roadstead_base::{Partition, Timestamp};
use roadstead_counts::Metric;
use tokio::sync::watch;

use crate::{PRINCIPAL, States};

pub(super) use roadstead_counts::Dimensions;
pub(super) type Dimension = (&'static str, String);

pub(crate) struct Counts(roadstead_counts::Counts);

impl Default for Counts {
    fn default() -> Self {
        Self(roadstead_counts::Counts::new("AWS/States", PRINCIPAL))
    }
}

impl Counts {
    pub(super) fn add(
        &self,
        partition: &Partition,
        dimensions: Dimensions,
        name: &'static str,
        value: i64,
        at: Timestamp,
    ) {
        let metric = Metric {
            name,
            unit: unit(name),
        };
        self.0.add(partition, dimensions, metric, (value as f64, 1), at);
    }
}

pub(super) async fn keep(states: &States, stop: watch::Receiver<bool>) {
    let counts = &states.reports.counts.0;
    counts.keep(&states.dispatcher, &states.clock, stop).await;
}

#[cfg(test)]
pub(crate) async fn hand_over(states: &States, all: bool) {
    let counts = &states.reports.counts.0;
    counts
        .hand_over(&states.dispatcher, states.clock.now(), all)
        .await;
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "ExpressExecutionMemory" => "Bytes",
        "ExpressExecutionBilledMemory" => "Megabytes",
        metric if metric.ends_with("Time") || metric.ends_with("Duration") => "Milliseconds",
        _ => "Count",
    }
}
