//! What crosses the telemetry channel (TCS): what an agent measured of its tasks, and the control plane's
//! acknowledgments. An agent signs every frame: header lines, an empty line, then the JSON; what it is told is bare
//! JSON.

use serde::{Deserialize, Serialize};

/// Tasks in one frame, at most.
pub const MAX_TASKS: usize = 10;
/// Bytes of a frame's JSON, at most.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Seconds between two reports of an agent.
pub const PERIOD_SECONDS: u64 = 20;
/// The type of the one status that agents tell of their machine: whether containers can be run there.
pub const CONTAINER_RUNTIME: &str = "ContainerRuntime";

/// Where a signed frame's header lines end and its JSON begins; `None` without an empty line.
pub fn split_signed(frame: &str) -> Option<(&str, &str)> {
    let windows = frame.find("\r\n\r\n").map(|at| (at, at + 4));
    let unix = frame.find("\n\n").map(|at| (at, at + 2));
    let (end, begin) = match (windows, unix) {
        (Some(one), Some(other)) => one.min(other),
        (one, other) => one.or(other)?,
    };
    Some((&frame[..end], &frame[begin..]))
}

/// What several samples amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatsSet {
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    pub sample_count: i64,
}

/// The same of 64-bit counters: what is above the largest signed number stands in the overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CounterStatsSet {
    pub min: i64,
    pub max: i64,
    pub sum: i64,
    pub overflow_min: i64,
    pub overflow_max: i64,
    pub overflow_sum: i64,
    pub sample_count: i64,
}

impl CounterStatsSet {
    /// Of counters as they were read; `None` of none.
    pub fn of(values: &[u64]) -> Option<Self> {
        let (min, max) = (values.iter().min()?, values.iter().max()?);
        let sum = values.iter().fold(0_u64, |sum, value| sum.wrapping_add(*value));
        let (min, overflow_min) = split(*min);
        let (max, overflow_max) = split(*max);
        let (sum, overflow_sum) = split(sum);
        Some(Self {
            min,
            max,
            sum,
            overflow_min,
            overflow_max,
            overflow_sum,
            sample_count: i64::try_from(values.len()).unwrap_or(i64::MAX),
        })
    }
}

fn split(value: u64) -> (i64, i64) {
    let largest = i64::MAX.unsigned_abs();
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    if value > largest {
        (i64::MAX, signed(value - largest))
    } else {
        (signed(value), 0)
    }
}

/// Counters since the container's start, and rates between two samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkStatsSet {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_bytes: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_dropped: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_errors: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_packets: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_bytes: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_dropped: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_errors: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_packets: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_bytes_per_second: Option<StatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_bytes_per_second: Option<StatsSet>,
}

/// Bytes read from and written to block devices since the container's start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageStatsSet {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_size_bytes: Option<CounterStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_size_bytes: Option<CounterStatsSet>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerMetric {
    pub container_name: String,
    /// In percent of all CPU that the instance registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_stats_set: Option<StatsSet>,
    /// In MiB, without the page cache that is given up first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_stats_set: Option<StatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_stats_set: Option<NetworkStatsSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_stats_set: Option<StorageStatsSet>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskMetric {
    pub task_arn: String,
    pub task_definition_family: String,
    pub task_definition_version: String,
    pub container_metrics: Vec<ContainerMetric>,
}

/// Whose report a frame is part of. One report may take several frames, all with its message id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricsMetadata {
    pub cluster: String,
    pub container_instance: String,
    pub message_id: String,
    /// No task runs.
    pub idle: bool,
    /// The report's last frame.
    pub fin: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishMetrics {
    pub metadata: MetricsMetadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub task_metrics: Vec<TaskMetric>,
    /// Seconds since 1970.
    pub timestamp: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthMetadata {
    pub cluster: String,
    pub container_instance: String,
    pub message_id: String,
    pub fin: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerHealth {
    pub container_name: String,
    /// HEALTHY, UNHEALTHY or UNKNOWN.
    pub health_status: String,
    /// Seconds since 1970.
    pub status_since: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskHealth {
    pub task_arn: String,
    pub task_definition_family: String,
    pub task_definition_version: String,
    pub containers: Vec<ContainerHealth>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishHealth {
    pub metadata: HealthMetadata,
    pub tasks: Vec<TaskHealth>,
    /// Seconds since 1970.
    pub timestamp: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatusMetadata {
    pub cluster: String,
    pub container_instance: String,
    pub request_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatus {
    /// [`CONTAINER_RUNTIME`].
    #[serde(rename = "type")]
    pub kind: String,
    /// OK, IMPAIRED, INSUFFICIENT_DATA or INITIALIZING.
    pub status: String,
    /// Seconds since 1970, both.
    pub last_updated: f64,
    pub last_status_change: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishInstanceStatus {
    pub metadata: InstanceStatusMetadata,
    pub statuses: Vec<InstanceStatus>,
    /// Seconds since 1970.
    pub timestamp: f64,
}

/// The control plane has a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Acknowledged {
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_parted_at_the_first_empty_line() {
        for (frame, parts) in [
            ("A: b\r\nC: d\r\n\r\n{}", Some(("A: b\r\nC: d", "{}"))),
            ("A: b\n\n{\r\n\r\n}", Some(("A: b", "{\r\n\r\n}"))),
            ("A: b\r\n\r\n{\n\n}", Some(("A: b", "{\n\n}"))),
            ("\r\n\r\n{}", Some(("", "{}"))),
            ("A: b\r\n{}", None),
            ("", None),
        ] {
            assert_eq!(split_signed(frame), parts, "{frame:?}");
        }
    }

    #[test]
    fn what_is_larger_than_a_signed_number_overflows() {
        let huge = CounterStatsSet::of(&[1, u64::MAX]).expect("a set");
        assert_eq!((huge.min, huge.overflow_min), (1, 0));
        assert_eq!((huge.max, huge.overflow_max), (i64::MAX, i64::MAX));
        assert_eq!(CounterStatsSet::of(&[]), None);
        let plain = CounterStatsSet::of(&[3, 1, 2]).expect("a set");
        assert_eq!(
            (plain.min, plain.max, plain.sum, plain.sample_count),
            (1, 3, 6, 3)
        );
    }
}
