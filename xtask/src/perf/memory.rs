//! What an idle Roadstead costs: how long until it is ready, node and all, and how much memory it holds then; beside
//! moto's server, which keeps the same API's state in memory and runs nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use super::api::Moto;
use super::client::Cloud;
use super::{Series, compare};
use crate::churn::memory;

const AIM_MEMORY: u64 = 60 << 20;
const AIM_READY: Duration = Duration::from_millis(300);
/// The reference is there for the ratio; the aims are the two above.
const AIM_RATIO: f64 = 1.0;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each is started.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// How long it is left alone before its memory is read, in seconds.
    #[arg(long, default_value_t = 5)]
    idle: u64,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-memory-{}", std::process::id()));
    let result = measure(root, &folder, options);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let series = |name| Series {
        name,
        values: Vec::new(),
    };
    let (mut first, mut again) = (
        series("ready, in a new folder"),
        series("ready again, after kill -9"),
    );
    let mut reference = series("moto's server answers");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // In turns; the first of each only warms up.
    for round in 0..=options.rounds {
        std::fs::create_dir_all(folder)?;
        let from = Instant::now();
        let mut cloud = Cloud::start(root, folder)?;
        let new = from.elapsed();
        std::thread::park_timeout(Duration::from_secs(options.idle));
        let held = memory(cloud.pid())?;
        cloud.kill()?;
        let from = Instant::now();
        cloud.again(folder, &[])?;
        let restarted = from.elapsed();
        cloud.down()?;
        let from = Instant::now();
        let moto = Moto::start(root, folder)?;
        let answered = from.elapsed();
        std::thread::park_timeout(Duration::from_secs(options.idle));
        let theirs_held = memory(moto.pid())?;
        drop(moto);
        std::fs::remove_dir_all(folder)?;
        if round > 0 {
            first.values.push(new);
            again.values.push(restarted);
            reference.values.push(answered);
            ours.push(held);
            theirs.push(theirs_held);
        }
    }
    again.print();
    compare(&first, &reference, AIM_RATIO);
    let ready = first.median().max(again.median());
    println!(
        "ready after {:.0} ms at the median (aim: under {} ms): {}",
        ready.as_secs_f64() * 1000.0,
        AIM_READY.as_millis(),
        verdict(ready < AIM_READY)
    );
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!(
        "idle memory {:.1} MiB, moto's server {:.1} MiB: ratio {:.2} (aim: under {} MiB): {}",
        mebibytes(ours),
        mebibytes(theirs),
        ours as f64 / theirs as f64,
        AIM_MEMORY >> 20,
        verdict(ours < AIM_MEMORY)
    );
    Ok(())
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
