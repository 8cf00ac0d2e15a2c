//! From samples to what is told of them. Pure.

use roadstead_acs::FromTelemetry;
use roadstead_acs::telemetry::{
    ContainerMetric, CounterStatsSet, MAX_TASKS, MetricsMetadata, NetworkStatsSet, PublishMetrics, StatsSet,
    StorageStatsSet, TaskMetric,
};
use roadstead_base::{Timestamp, random_uuid};
use roadstead_runtime::InterfaceStats;

use super::samples::Point;

/// Whose report it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reporting<'a> {
    pub cluster: &'a str,
    pub container_instance: &'a str,
}

/// The frames of one report: at most ten tasks each, all with one id; the last says that it is the last.
pub(super) fn frames(
    of: Reporting<'_>,
    mut tasks: Vec<TaskMetric>,
    idle: bool,
    at: Timestamp,
) -> Vec<FromTelemetry> {
    let message_id = random_uuid();
    let mut parts = Vec::new();
    while tasks.len() > MAX_TASKS {
        let rest = tasks.split_off(MAX_TASKS);
        parts.push(std::mem::replace(&mut tasks, rest));
    }
    parts.push(tasks);
    let last = parts.len() - 1;
    let frame = |(number, task_metrics)| {
        FromTelemetry::Metrics(Box::new(PublishMetrics {
            metadata: MetricsMetadata {
                cluster: of.cluster.to_owned(),
                container_instance: of.container_instance.to_owned(),
                message_id: message_id.clone(),
                idle,
                fin: number == last,
            },
            task_metrics,
            timestamp: seconds(at),
        }))
    };
    parts.into_iter().enumerate().map(frame).collect()
}

pub(super) fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

/// What a container's points amount to, in percent of the CPUs that the instance registered; none as long as there are no two samples to tell a difference between.
pub(super) fn container(name: &str, points: &[Point], cpus: f64) -> Option<ContainerMetric> {
    let percent: Vec<f64> = points
        .iter()
        .filter_map(|point| Some(point.cpus? / cpus * 100.0))
        .collect();
    let memory: Vec<f64> = points.iter().filter_map(|point| point.memory_mib).collect();
    let cpu_stats_set = Some(set(&percent)?);
    Some(ContainerMetric {
        container_name: name.to_owned(),
        cpu_stats_set,
        memory_stats_set: set(&memory),
        network_stats_set: network(points),
        storage_stats_set: Some(StorageStatsSet {
            read_size_bytes: counters(points, |point| Some(point.read_bytes)),
            write_size_bytes: counters(points, |point| Some(point.written_bytes)),
        }),
    })
}

fn set(values: &[f64]) -> Option<StatsSet> {
    let min = values.iter().copied().reduce(f64::min)?;
    let max = values.iter().copied().reduce(f64::max)?;
    Some(StatsSet {
        min,
        max,
        sum: values.iter().sum(),
        sample_count: i64::try_from(values.len()).unwrap_or(i64::MAX),
    })
}

fn counters(points: &[Point], value: impl Fn(&Point) -> Option<u64>) -> Option<CounterStatsSet> {
    let values: Vec<u64> = points.iter().filter_map(value).collect();
    CounterStatsSet::of(&values)
}

fn network(points: &[Point]) -> Option<NetworkStatsSet> {
    let of = |value: fn(&InterfaceStats) -> u64| {
        counters(points, move |point| {
            point.network.as_ref().map(|traffic| value(&traffic.total))
        })
    };
    let rates: Vec<(f64, f64)> = points.iter().filter_map(|point| point.network?.rates).collect();
    let (received, sent): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
    Some(NetworkStatsSet {
        rx_bytes: Some(of(|total| total.rx_bytes)?),
        rx_dropped: of(|total| total.rx_dropped),
        rx_errors: of(|total| total.rx_errors),
        rx_packets: of(|total| total.rx_packets),
        tx_bytes: of(|total| total.tx_bytes),
        tx_dropped: of(|total| total.tx_dropped),
        tx_errors: of(|total| total.tx_errors),
        tx_packets: of(|total| total.tx_packets),
        rx_bytes_per_second: set(&received),
        tx_bytes_per_second: set(&sent),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::Traffic;
    use super::*;

    const OF: Reporting<'_> = Reporting {
        cluster: "default",
        container_instance: "i",
    };

    #[test]
    fn a_report_of_many_tasks_takes_several_frames() {
        for (tasks, sizes) in [
            (0, vec![0]),
            (1, vec![1]),
            (10, vec![10]),
            (11, vec![10, 1]),
            (25, vec![10, 10, 5]),
        ] {
            let frames = frames(
                OF,
                vec![TaskMetric::default(); tasks],
                tasks == 0,
                Timestamp(1500),
            );
            let read: Vec<_> = frames
                .iter()
                .map(|frame| match frame {
                    FromTelemetry::Metrics(metrics) => &**metrics,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(
                read.iter().map(|one| one.task_metrics.len()).collect::<Vec<_>>(),
                sizes
            );
            let last = read.len() - 1;
            for (number, one) in read.iter().enumerate() {
                assert_eq!(one.metadata.fin, number == last);
                assert_eq!(one.metadata.idle, tasks == 0);
                assert_eq!(one.metadata.message_id, read[0].metadata.message_id);
                assert_eq!(one.timestamp, 1.5);
            }
        }
    }

    #[test]
    fn points_become_sets() {
        let point = |cpus: Option<f64>, mib: f64, rx: u64| Point {
            cpus,
            memory_mib: Some(mib),
            network: Some(Traffic {
                total: InterfaceStats {
                    rx_bytes: rx,
                    ..InterfaceStats::default()
                },
                rates: cpus.map(|_| (10.0, 1.0)),
            }),
            read_bytes: 7,
            written_bytes: 8,
        };
        assert_eq!(
            container("web", &[point(None, 1.0, 0)], 2.0),
            None,
            "one sample tells no CPU"
        );
        assert_eq!(container("web", &[], 2.0), None);
        let points = [
            point(None, 1.0, 0),
            point(Some(0.5), 2.0, 10),
            point(Some(1.0), 6.0, 30),
        ];
        let found = container("web", &points, 2.0).expect("a metric");
        let cpu = found.cpu_stats_set.expect("CPU");
        assert_eq!(
            (cpu.min, cpu.max, cpu.sum, cpu.sample_count),
            (25.0, 50.0, 75.0, 2)
        );
        let memory = found.memory_stats_set.expect("memory");
        assert_eq!(
            (memory.min, memory.max, memory.sum, memory.sample_count),
            (1.0, 6.0, 9.0, 3)
        );
        let network = found.network_stats_set.expect("traffic");
        let bytes = network.rx_bytes.expect("bytes");
        assert_eq!(
            (bytes.min, bytes.max, bytes.sum, bytes.sample_count),
            (0, 30, 40, 3)
        );
        assert_eq!(network.rx_bytes_per_second.expect("rates").sample_count, 2);
        assert_eq!(
            found
                .storage_stats_set
                .expect("storage")
                .write_size_bytes
                .expect("bytes")
                .sum,
            24
        );
        let silent = Point {
            network: None,
            ..points[1].clone()
        };
        assert_eq!(
            container("web", &[silent], 2.0)
                .expect("a metric")
                .network_stats_set,
            None
        );
    }
}
