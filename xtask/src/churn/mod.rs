//! Long life, tried: a Roadstead of its own is kept busy (tasks of every kind started, stopped and crashed, images
//! come and go, the daemon itself is killed) and must end with what it began with: processes, namespaces, mounts,
//! devices, cgroups, rules, descriptors, threads, and about the same memory. Minutes in CI, hours by hand.

mod acts;
mod census;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::perf::client::Cloud;
use crate::perf::{again_inside, built, checked};
use acts::Acts;
use census::Census;
pub(crate) use census::memory;

#[derive(Args)]
pub(crate) struct Options {
    /// How long, in minutes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Whose order of acts; the same seed tries the same things.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A binary that is built already, instead of a release build.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// As of `roadstead up`, for another store than the disk.
    #[arg(long)]
    store: Option<String>,
    /// Already inside the namespace that plays the host.
    #[arg(long, hide = true)]
    inside: bool,
}

/// What the same work may cost in memory that is not given back: the allocator's share, and caches that fill.
const MEMORY_SHARE: u64 = 4;
const MEMORY_BYTES: u64 = 12 << 20;
/// A stopped task is shown for an hour, as the API promises; so much memory each may have while it is.
const MEMORY_PER_STOPPED: u64 = 16 << 10;
/// How long what has ended may take to be gone.
const SETTLE: Duration = Duration::from_secs(300);

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if !options.inside {
        checked(Command::new(root.join("scripts/setup.sh")).arg("test"))?;
        if options.binary.is_none() {
            checked(
                Command::new(env!("CARGO"))
                    .args(["build", "--release", "--locked", "--package", "roadstead"])
                    .current_dir(root),
            )?;
        }
        checked(
            Command::new(root.join("scripts/busybox-image.sh"))
                .arg("target/images/busybox.tar")
                .current_dir(root),
        )?;
        return again_inside(root);
    }
    let folder = std::env::temp_dir().join(format!("rs-churn-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = churn(root, &folder, options);
    if result.is_err() {
        let kept = built(root).join("churn.log");
        std::fs::copy(folder.join("up.log"), &kept)?;
        eprintln!("what the daemons said is in {}", kept.display());
    }
    std::fs::remove_dir_all(&folder)?;
    result
}

fn churn(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => root.join(binary),
        None => built(root).join("release/roadstead"),
    };
    let archive = root.join("target/images/busybox.tar");
    let mut extra = Vec::new();
    if let Some(store) = &options.store {
        extra.extend(["--store".to_owned(), store.clone()]);
    }
    let mut cloud = Cloud::start_with(&binary, folder, &extra)?;
    cloud.import(&archive)?;
    let instance = cloud.instance()?;
    let mut acts = Acts::begin(&cloud, &archive, &instance, options.seed)?;

    let whole = Duration::from_secs_f64(options.minutes * 60.0);
    println!("warming up");
    acts.each_once(&cloud)?;
    acts.until(&cloud, Instant::now() + whole / 5)?;
    acts.stop_all(&cloud)?;
    let (first, stopped_first) = (settled(&cloud, folder, &instance, None)?, acts.stopped(&cloud)?);

    // One daemon, for most of the time.
    acts.until(&cloud, Instant::now() + whole * 11 / 20)?;
    acts.stop_all(&cloud)?;
    let (second, stopped_second) = (
        settled(&cloud, folder, &instance, Some(&first))?,
        acts.stopped(&cloud)?,
    );
    let mut wrong = first.differences(&second);
    let more = stopped_second.saturating_sub(stopped_first) * MEMORY_PER_STOPPED;
    let bound = first.memory + first.memory / MEMORY_SHARE + MEMORY_BYTES + more;
    if second.memory > bound {
        wrong.push(format!(
            "memory of the daemon: {} before, {} after, at most {}",
            mebibytes(first.memory),
            mebibytes(second.memory),
            mebibytes(bound)
        ));
    }
    println!(
        "one daemon: {}; memory {} before, {} after ({} more stopped tasks are shown)",
        acts.told(),
        mebibytes(first.memory),
        mebibytes(second.memory),
        stopped_second.saturating_sub(stopped_first)
    );
    report(&wrong)?;

    // Many daemons, killed in the middle of whatever was under way.
    let (end, mut deaths) = (Instant::now() + whole / 4, 0);
    while Instant::now() < end || deaths == 0 {
        let moment = acts.moment();
        acts.until(&cloud, Instant::now() + moment)?;
        acts.begin_something(&cloud)?;
        if deaths % 3 == 2 {
            cloud.interrupt()?;
        } else {
            cloud.kill()?;
        }
        acts.hurt_without_a_daemon();
        cloud.again(folder, &extra)?;
        acts.reconnect(&cloud)?;
        deaths += 1;
    }
    acts.stop_all(&cloud)?;
    let third = settled(&cloud, folder, &instance, Some(&first))?;
    println!("{deaths} daemons: {}", acts.told());
    report(&first.differences(&third))?;

    drop(acts);
    cloud.down().context("taking it down")?;
    let left = Census::of_the_machine(&instance, folder, None)?;
    if let Some((what, count)) = left.counts.iter().find(|(_, count)| **count > 0) {
        bail!("roadstead down left {count} {what}: {}", left.shown(what));
    }
    println!("as it was: {}", third.summary());
    Ok(())
}

/// Counts until it is as before, or no later count can be expected to differ.
fn settled(cloud: &Cloud, folder: &Path, instance: &str, before: Option<&Census>) -> Result<Census> {
    let begin = Instant::now();
    let mut since = Census::of_the_machine(instance, folder, Some(cloud.pid()))?;
    let mut same = 0;
    loop {
        std::thread::park_timeout(Duration::from_millis(500));
        let census = Census::of_the_machine(instance, folder, Some(cloud.pid()))?;
        match before {
            Some(before) if before.differences(&census).is_empty() => return Ok(census),
            Some(_) if begin.elapsed() > SETTLE => return Ok(census),
            Some(_) => {}
            None if since.stays(&census) => same += 1,
            None if begin.elapsed() > SETTLE => {
                bail!("it still changes:\n  {}", since.differences(&census).join("\n  "));
            }
            None => (same, since) = (0, census),
        }
        // With nothing to compare with, for so long nothing changed; threads that were busy before have gone by then.
        if same >= 24 {
            return Ok(since);
        }
    }
}

fn report(wrong: &[String]) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("something was not given back:\n  {}", wrong.join("\n  "));
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
