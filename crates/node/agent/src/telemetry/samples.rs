//! Samples of running containers: the last two of each for whoever asks, and those since the last report.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use roadstead_base::Timestamp;

use crate::driver::Stats;
use crate::engine::state::Status;
use crate::run::Engine;

/// Points kept of a container that nobody fetches: five minutes of them.
const MOST_POINTS: usize = 300;
/// Sampling takes at most this part of the time.
const SHARE: u32 = 10;
/// Clock ticks of `/proc/stat`: a constant of Linux's user interface.
const NANOS_PER_TICK: u64 = 10_000_000;

/// What a container used and was given, at a time.
#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Timestamp,
    pub instant: Instant,
    pub stats: Stats,
    /// CPU time of the whole machine, in nanoseconds.
    pub system_cpu: Option<u64>,
}

/// The difference between two samples, and the counters of the later.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// CPU seconds per second: 1 is one CPU.
    pub cpus: Option<f64>,
    pub memory_mib: Option<f64>,
    /// Of all interfaces together; none without one.
    pub network: Option<Traffic>,
    pub read_bytes: u64,
    pub written_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Traffic {
    pub total: roadstead_runtime::InterfaceStats,
    /// Bytes received and sent a second.
    pub rates: Option<(f64, f64)>,
}

#[derive(Default)]
struct Kept {
    last: Option<Sample>,
    before: Option<Sample>,
    points: Vec<Point>,
}

/// By runtime id. Cheap to clone.
#[derive(Clone, Default)]
pub struct Samples(Arc<Mutex<HashMap<String, Kept>>>);

impl Samples {
    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last sample of a container, and the one before it.
    pub fn last(&self, runtime_id: &str) -> Option<(Sample, Option<Sample>)> {
        let kept = self.kept();
        let kept = kept.get(runtime_id)?;
        Some((kept.last.clone()?, kept.before.clone()))
    }

    pub(super) fn add(&self, runtime_id: &str, sample: Sample) {
        let mut all = self.kept();
        let kept = all.entry(runtime_id.to_owned()).or_default();
        if kept.points.len() >= MOST_POINTS {
            kept.points.remove(0);
        }
        kept.points.push(point(kept.last.as_ref(), &sample));
        kept.before = kept.last.replace(sample);
    }

    /// Those since the last time.
    pub(super) fn take(&self, runtime_id: &str) -> Vec<Point> {
        let mut all = self.kept();
        all.get_mut(runtime_id)
            .map(|kept| std::mem::take(&mut kept.points))
            .unwrap_or_default()
    }

    fn retain(&self, running: &BTreeMap<String, ()>) {
        self.kept().retain(|id, _| running.contains_key(id));
    }

    /// Samples the containers of an engine for ever.
    pub(crate) async fn collect(self, engine: Engine, period: Duration) {
        loop {
            let begun = Instant::now();
            self.round(&engine).await;
            // A node with a thousand containers looks less often, rather than at nothing else.
            tokio::time::sleep(period.max(begun.elapsed() * (SHARE - 1))).await;
        }
    }

    async fn round(&self, engine: &Engine) {
        let mut running = BTreeMap::new();
        let system_cpu = system_cpu();
        for view in engine.tasks().into_values() {
            for container in &view.machine.task.containers {
                if view.machine.state.containers[&container.name].known != Status::Running {
                    continue;
                }
                running.insert(container.runtime_id.clone(), ());
                let stats = match engine.driver().stats(&view.machine.task, container).await {
                    Ok(stats) => stats,
                    Err(error) => {
                        tracing::debug!(container = container.runtime_id, %error, "not measured");
                        continue;
                    }
                };
                let sample = Sample {
                    at: engine.clock().now(),
                    instant: Instant::now(),
                    stats,
                    system_cpu,
                };
                self.add(&container.runtime_id, sample);
            }
        }
        self.retain(&running);
    }
}

/// CPU time that the machine has spent on anything at all, in nanoseconds, as Docker says it.
pub fn system_cpu() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    system_cpu_of(&text)
}

/// `cpu user nice system idle iowait irq softirq steal …`: the first eight; what guests get is in the first two.
fn system_cpu_of(text: &str) -> Option<u64> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_whitespace().take(8).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>().ok()?;
    Some(ticks.saturating_mul(NANOS_PER_TICK))
}

fn point(before: Option<&Sample>, now: &Sample) -> Point {
    let seconds = before.map(|before| {
        now.instant
            .saturating_duration_since(before.instant)
            .as_secs_f64()
    });
    // Two samples at one time have no rate between them.
    let rate = |then: Option<u64>, now: Option<u64>| {
        let seconds = seconds.filter(|seconds| *seconds > 0.0)?;
        Some(now?.saturating_sub(then?) as f64 / seconds)
    };
    let cpu = |sample: &Sample| sample.stats.group.cpu.total_nanos;
    let memory = &now.stats.group.memory;
    let used = memory
        .usage
        .map(|usage| usage.saturating_sub(memory.inactive_file.unwrap_or(0)));
    let block = now.stats.group.block.iter();
    Point {
        cpus: rate(before.and_then(cpu), cpu(now)).map(|nanos| nanos / 1e9),
        memory_mib: used.map(|bytes| bytes as f64 / f64::from(1 << 20)),
        network: (!now.stats.networks.is_empty()).then(|| {
            let total = total(&now.stats);
            let then = before
                .filter(|before| !before.stats.networks.is_empty())
                .map(total_of);
            let rx = rate(then.map(|then| then.rx_bytes), Some(total.rx_bytes));
            let tx = rate(then.map(|then| then.tx_bytes), Some(total.tx_bytes));
            Traffic {
                total,
                rates: rx.zip(tx),
            }
        }),
        read_bytes: block.clone().map(|device| device.read_bytes).sum(),
        written_bytes: block.map(|device| device.write_bytes).sum(),
    }
}

fn total_of(sample: &Sample) -> roadstead_runtime::InterfaceStats {
    total(&sample.stats)
}

fn total(stats: &Stats) -> roadstead_runtime::InterfaceStats {
    let mut all = roadstead_runtime::InterfaceStats::default();
    for one in stats.networks.values() {
        all.rx_bytes += one.rx_bytes;
        all.rx_packets += one.rx_packets;
        all.rx_errors += one.rx_errors;
        all.rx_dropped += one.rx_dropped;
        all.tx_bytes += one.tx_bytes;
        all.tx_packets += one.tx_packets;
        all.tx_errors += one.tx_errors;
        all.tx_dropped += one.tx_dropped;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(after: Duration, begun: Instant, cpu: u64, memory: (u64, u64), rx: Option<u64>) -> Sample {
        let mut stats = Stats::default();
        stats.group.cpu.total_nanos = Some(cpu);
        stats.group.memory.usage = Some(memory.0);
        stats.group.memory.inactive_file = Some(memory.1);
        if let Some(rx_bytes) = rx {
            let counters = roadstead_runtime::InterfaceStats {
                rx_bytes,
                ..Default::default()
            };
            stats.networks.insert("eth0".to_owned(), counters);
        }
        Sample {
            at: Timestamp(0),
            instant: begun + after,
            stats,
            system_cpu: None,
        }
    }

    #[test]
    fn a_point_is_the_difference_between_two_samples() {
        let begun = Instant::now();
        let mib = 1 << 20;
        let one = sample(Duration::ZERO, begun, 1_000_000_000, (3 * mib, mib), Some(100));
        let first = point(None, &one);
        assert_eq!((first.cpus, first.memory_mib), (None, Some(2.0)));
        assert_eq!(first.network.expect("traffic").rates, None);
        let two = sample(
            Duration::from_secs(2),
            begun,
            2_000_000_000,
            (mib, 2 * mib),
            Some(500),
        );
        let second = point(Some(&one), &two);
        assert_eq!((second.cpus, second.memory_mib), (Some(0.5), Some(0.0)));
        let traffic = second.network.expect("traffic");
        assert_eq!((traffic.total.rx_bytes, traffic.rates), (500, Some((200.0, 0.0))));
        // A counter that began anew, and samples of one time.
        let back = sample(Duration::from_secs(4), begun, 5, (0, 0), None);
        assert_eq!(point(Some(&two), &back).cpus, Some(0.0));
        assert_eq!(point(Some(&two), &back).network, None);
        assert_eq!(point(Some(&two), &two).cpus, None);
    }

    #[test]
    fn points_are_fetched_once_and_do_not_pile_up() {
        let samples = Samples::default();
        let begun = Instant::now();
        for second in 0..400 {
            samples.add(
                "c",
                sample(Duration::from_secs(second), begun, second, (0, 0), None),
            );
        }
        assert_eq!(samples.take("c").len(), MOST_POINTS);
        assert!(samples.take("c").is_empty() && samples.take("other").is_empty());
        let (last, before) = samples.last("c").expect("a sample");
        assert_eq!(last.stats.group.cpu.total_nanos, Some(399));
        assert_eq!(before.expect("one before").stats.group.cpu.total_nanos, Some(398));
        samples.retain(&BTreeMap::new());
        assert!(samples.last("c").is_none());
    }

    #[test]
    fn the_machines_cpu_time_is_the_first_lines() {
        let text = "cpu  10 1 20 100 5 0 2 3 7 0\ncpu0 10 1 20 100 5 0 2 3 7 0\n";
        assert_eq!(system_cpu_of(text), Some(141 * NANOS_PER_TICK));
        assert_eq!(system_cpu_of("intr 5"), None);
        assert!(system_cpu().is_some_and(|nanos| nanos > 0));
    }
}
