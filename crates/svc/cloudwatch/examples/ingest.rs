//! Samples taken in per second of this process's processor time, without a wire: the service over a volume on disk, one
//! call at a time. Run by `cargo xtask perf metrics`.
//!
//! Arguments: a folder that is made, series, samples of each in a turn, turns.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use roadstead_api_cloudwatch::{CloudWatch as _, Dimension, MetricDatum, PutMetricDataInput};
use roadstead_base::{Caller, Clock as _, Ctx, Pager, SharedClock, SystemClock, Timestamp};
use roadstead_cloudwatch::{CloudWatch, Options, Parts};
use roadstead_dispatch::Dispatcher;
use roadstead_store::Embedded;
use roadstead_volume::Volume;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Metrics in a call, and values of one: as many as the API allows.
const CALL: usize = 1000;
const VALUES: usize = 150;
/// Ticks in a second, as `/proc` counts them.
const TICKS: f64 = 100.0;
/// What the volume still does about a turn counts if it does it so soon.
const SETTLE: Duration = Duration::from_millis(500);
/// So little of what was written for the measurement of bytes is not in a table.
const SMALL: u64 = 64 << 10;
/// Looks at the tables, and of how many in a row that see the same the volume is at rest.
const LOOKS: usize = 40;
const STEADY: usize = 6;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("arguments: folder series samples turns");
    let folder = next()?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let (series, samples, turns): (usize, usize, usize) =
        (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let ctx = Ctx {
        account: "000000000000".parse()?,
        region: "us-east-1".parse()?,
        caller: Caller::Root,
        request_id: "request".into(),
        pager: Arc::new(Pager::new([7; 32])),
        endpoint: String::new(),
        origin: Arc::default(),
    };
    let defaults = roadstead_volume::Options::default();
    let metrics = service(&ctx, Volume::open(&folder.join("speed"), defaults)?).await?;
    let mut gauges = Gauges::new(series, samples * turns + VALUES * turns);
    for _ in 0..turns {
        let calls: Vec<_> = (0..samples).flat_map(|_| gauges.calls(1)).collect();
        println!(
            "single {:.0}",
            turn(&metrics, &ctx, calls, series * samples).await?
        );
        let calls = gauges.calls(VALUES);
        println!("many {:.0}", turn(&metrics, &ctx, calls, series * VALUES).await?);
    }
    for (values, count) in [(1, samples * turns), (VALUES, turns)] {
        let small = roadstead_volume::Options {
            memtable_bytes: SMALL,
            ..defaults
        };
        let folder = folder.join(format!("bytes-{values}"));
        let volume = Volume::open(&folder, small)?;
        let metrics = service(&ctx, volume.clone()).await?;
        let mut gauges = Gauges::new(series, count * values);
        for _ in 0..count {
            for call in gauges.calls(values) {
                metrics.put_metric_data(&ctx, call).await?;
            }
        }
        let bytes = tables(&metrics, &ctx, &volume).await?;
        println!(
            "bytes on disk per sample, {values} to a datum: {:.1} in tables",
            bytes as f64 / (count * values * series) as f64
        );
    }
    Ok(())
}

async fn service(ctx: &Ctx, volume: Volume) -> Result<Arc<CloudWatch>> {
    let clock: SharedClock = Arc::new(SystemClock);
    let parts = Parts {
        store: Arc::new(Embedded::in_memory(roadstead_store::Options::default())?),
        volume,
        dispatcher: Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx.account.clone()),
        clock,
        options: Options::default(),
    };
    Ok(CloudWatch::new(parts).await?)
}

/// Samples per second of processor time.
async fn turn(
    metrics: &CloudWatch,
    ctx: &Ctx,
    calls: Vec<PutMetricDataInput>,
    samples: usize,
) -> Result<f64> {
    let before = cpu()?;
    for call in calls {
        metrics.put_metric_data(ctx, call).await?;
    }
    tokio::time::sleep(SETTLE).await;
    Ok(samples as f64 / (cpu()? - before).max(0.01))
}

fn cpu() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = text.rsplit_once(')').ok_or("the name of a process")?;
    let times = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(times.sum::<std::result::Result<f64, _>>()? / TICKS)
}

/// Bytes of the tables of samples that are in use, once they stay the same. The volume sees with a write whether what is
/// in memory is due to go to a table, and the last call of many values is well above that: a call of one value has it
/// look. Files that compaction has replaced are not counted, though they may be there for a while.
async fn tables(metrics: &CloudWatch, ctx: &Ctx, volume: &Volume) -> Result<u64> {
    let points = volume.space("metric-points")?;
    let (mut last, mut same) = (points.disk_bytes(), 0);
    for _ in 0..LOOKS {
        for call in Gauges::new(1, 1).calls(1) {
            metrics.put_metric_data(ctx, call).await?;
        }
        tokio::time::sleep(SETTLE).await;
        let now = points.disk_bytes();
        same = if now == last { same + 1 } else { 0 };
        if same == STEADY {
            return Ok(now);
        }
        last = now;
    }
    Err("the volume does not come to rest".into())
}

/// What each series measures now: a gauge with two decimals that goes up and down a little.
struct Gauges {
    hundredths: Vec<i64>,
    seed: u64,
    at: Timestamp,
}

impl Gauges {
    /// Of so many steps in time to come, the last one is about now.
    fn new(series: usize, steps: usize) -> Self {
        Self {
            hundredths: (0..series).map(|number| 5000 + 7 * number as i64).collect(),
            seed: 1,
            at: SystemClock.now().plus_millis(-15_000 * (steps as i64 + 1)),
        }
    }

    fn step(&mut self) {
        self.at = self.at.plus_millis(15_000);
        for value in &mut self.hundredths {
            // Knuth's generator for 64 bits.
            self.seed = self
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *value += (self.seed >> 33) as i64 % 201 - 100;
        }
    }

    fn calls(&mut self, values: usize) -> Vec<PutMetricDataInput> {
        let mut all = vec![Vec::new(); self.hundredths.len()];
        for _ in 0..values {
            self.step();
            for (all, value) in all.iter_mut().zip(&self.hundredths) {
                all.push(*value as f64 / 100.0);
            }
        }
        let datum = |(series, values): (usize, &Vec<f64>)| MetricDatum {
            metric_name: "load".into(),
            counts: None,
            dimensions: Some(vec![Dimension {
                name: "host".into(),
                value: format!("host-{series:05}"),
            }]),
            statistic_values: None,
            storage_resolution: Some(1),
            timestamp: Some(self.at),
            unit: None,
            value: values.first().copied().filter(|_| values.len() == 1),
            values: (values.len() > 1).then(|| values.clone()),
        };
        let data: Vec<MetricDatum> = all.iter().enumerate().map(datum).collect();
        let call = |data: &[MetricDatum]| PutMetricDataInput {
            namespace: "Perf".into(),
            entity_metric_data: None,
            metric_data: Some(data.to_vec()),
            strict_entity_validation: None,
        };
        data.chunks(CALL).map(call).collect()
    }
}
