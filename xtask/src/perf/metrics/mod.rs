//! How many samples PutMetricData takes in per second of processor time, against Prometheus, which scrapes the same
//! ones from a page, and VictoriaMetrics, which imports that page. Over the wire the servers' own time counts, that of
//! whoever feeds them does not; all get gzip. Inside a process it is the service's example `ingest` against `promtool tsdb
//! bench write`. How long it takes by the clock is not compared: here an answer means that all of it is on disk, there
//! it does not.

mod data;
mod page;
mod servers;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use self::data::{Gauges, STEP, VALUES, host};
use self::page::Pages;
use self::servers::{Server, bytes, cpu, cpu_of};
use super::client::{Cloud, Connection, authorization};
use super::{again_inside, built, checked};

const EXAMPLE: &str = "ingest";
/// At least this share of Prometheus's samples per second of processor time, over the wire and inside a process.
const AIM_WIRE: f64 = 0.1;
const AIM_INSIDE: f64 = 0.5;
/// What a server still does about a turn counts if it does it so soon.
const SETTLE: Duration = Duration::from_millis(500);
/// Calls with as many values as a datum takes, of each series and turn.
const MANY: usize = 1;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 5000)]
    series: usize,
    /// Samples of each series in a turn.
    #[arg(long, default_value_t = 60)]
    samples: usize,
    /// How many turns each server has.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Between two scrapes, in milliseconds.
    #[arg(long, default_value_t = 200)]
    every: u64,
}

/// Builds what is measured and runs this command again in a network namespace without an uplink.
pub(crate) fn enter(root: &Path) -> Result<()> {
    checked(Command::new(root.join("scripts/setup.sh")).arg("perf"))?;
    for what in [
        &["--package", "roadstead"][..],
        &["--package", "roadstead-cloudwatch", "--example", EXAMPLE],
    ] {
        checked(
            Command::new(env!("CARGO"))
                .args(["build", "--release", "--locked"])
                .args(what)
                .current_dir(root),
        )?;
    }
    again_inside(root)
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let rounds = options.samples * options.turns;
    // Prometheus takes samples of its last hour, Roadstead rolls up what is older than three.
    ensure!(
        (1..=200).contains(&rounds) && (1..=20_000).contains(&options.series),
        "at most 200 samples of each series in all turns, and 20,000 series"
    );
    let folder = std::env::temp_dir().join(format!("rs-perf-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = wire(root, &folder, options).and_then(|reference| inside(root, &folder, options, reference));
    std::fs::remove_dir_all(&folder)?;
    result
}

/// Samples per second of processor time, a turn each.
struct Rates {
    name: &'static str,
    turns: Vec<f64>,
}

impl Rates {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            turns: Vec::new(),
        }
    }

    /// Does a turn's work and notes what it cost the process.
    fn turn(&mut self, pid: u32, samples: usize, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = cpu(pid)?;
        work()?;
        let from = Instant::now();
        // Parking may end early.
        while let Some(rest) = SETTLE.checked_sub(from.elapsed()) {
            std::thread::park_timeout(rest);
        }
        let spent = cpu(pid)? - before;
        self.turns.push(samples as f64 / spent.max(0.01));
        Ok(())
    }

    fn median(&self) -> f64 {
        let mut turns = self.turns.clone();
        turns.sort_by(f64::total_cmp);
        turns.get(turns.len() / 2).copied().unwrap_or_default()
    }

    fn print(&self, reference: f64, aim: Option<f64>) {
        let ratio = self.median() / reference;
        let verdict = aim.map_or_else(String::new, |aim| {
            let verdict = if ratio >= aim { "met" } else { "missed" };
            format!(" (aim: at least {aim}): {verdict}")
        });
        let all: Vec<String> = self.turns.iter().map(|rate| format!("{rate:.0}")).collect();
        println!(
            "{:<44} {:>9.0} samples per CPU second (turns: {}), {ratio:.3} of Prometheus's{verdict}",
            self.name,
            self.median(),
            all.join(", ")
        );
    }
}

/// The servers in turns. What Prometheus did at the median.
fn wire(root: &Path, folder: &Path, options: &Options) -> Result<f64> {
    let Options {
        series,
        samples,
        turns,
        every,
    } = *options;
    let cloud = Cloud::start(root, folder)?;
    let pages = Pages::serve()?;
    let prometheus = Server::prometheus(folder, pages.address(), every)?;
    let victoria = Server::victoria(folder)?;
    let now = seconds_now()?;
    let mut gauges = Gauges::new(series, now - STEP * (samples * turns + 2) as i64);
    // Those of many values have times of their own, in the two weeks that are taken.
    let mut past = Gauges::new(series, now - STEP * (VALUES * MANY * turns + 2) as i64);
    let (mut single, mut many) = (
        Rates::new("PutMetricData, a value to a datum"),
        Rates::new("PutMetricData, 150 values to a datum"),
    );
    let mut scraped = Rates::new("Prometheus, scraping");
    let mut imported = Rates::new("VictoriaMetrics, importing");
    for _ in 0..turns {
        // Anew in each turn: servers hang up on who is silent for long.
        let (mut page, mut calls) = (Vec::new(), Vec::new());
        for _ in 0..samples {
            let (one, its) = gauges.single()?;
            page.push(one);
            calls.extend(its);
        }
        let count = series * samples;
        single.turn(cloud.pid(), count, || put(&mut cloud.connect()?, &calls))?;
        imported.turn(victoria.pid(), count, || import(&mut victoria.connect()?, &page))?;
        let within = Duration::from_secs(20) + Duration::from_millis(every) * samples as u32;
        scraped.turn(prometheus.pid(), count, || pages.scraped(page, within))?;
        let mut calls = Vec::new();
        for _ in 0..MANY {
            calls.extend(past.many()?);
        }
        many.turn(cloud.pid(), series * VALUES * MANY, || {
            put(&mut cloud.connect()?, &calls)
        })?;
    }
    victoria.connect()?.send("GET /internal/force_flush", "", b"")?;
    let wanted = series * samples * turns;
    for (name, server) in [("Prometheus", &prometheus), ("VictoriaMetrics", &victoria)] {
        let there = server.samples()?;
        ensure!(
            there == wanted,
            "{name} has {there} samples of {wanted}; if it is too slow to scrape: --every"
        );
    }
    println!(
        "over the wire, {series} series, {samples} samples of each in a turn, medians of {turns} turns:"
    );
    let reference = scraped.median();
    single.print(reference, Some(AIM_WIRE));
    many.print(reference, None);
    scraped.print(reference, None);
    imported.print(reference, None);
    let per_sample = |folder: &Path| -> Result<f64> { Ok(bytes(folder)? as f64 / wanted as f64) };
    let (status, answer) = prometheus
        .connect()?
        .send("POST /api/v1/admin/tsdb/snapshot", "", b"")?;
    ensure!(status == 200, "a snapshot of Prometheus: {status} {answer}");
    println!(
        "bytes on disk per sample: Prometheus {:.1} (a block of its head), VictoriaMetrics {:.1}, their indexes included",
        per_sample(&folder.join("prometheus/snapshots"))?,
        per_sample(&folder.join("victoria"))?
    );
    Ok(reference)
}

#[expect(
    clippy::disallowed_methods,
    reason = "other programs measure their samples' age by the machine's clock"
)]
fn seconds_now() -> Result<i64> {
    Ok(SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs() as i64)
}

fn put(connection: &mut Connection, calls: &[Vec<u8>]) -> Result<()> {
    let head = format!(
        "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: GraniteServiceVersion20100801.PutMetricData\r\n\
         Content-Encoding: gzip\r\n{}",
        authorization("monitoring")
    );
    for call in calls {
        let (status, answer) = connection.send("POST /", &head, call)?;
        ensure!(status == 200, "PutMetricData: {status} {answer}");
    }
    Ok(())
}

fn import(connection: &mut Connection, pages: &[Vec<u8>]) -> Result<()> {
    for page in pages {
        let (status, answer) = connection.send(
            "POST /api/v1/import/prometheus",
            "Content-Encoding: gzip\r\n",
            page,
        )?;
        ensure!(status == 204, "importing: {status} {answer}");
    }
    Ok(())
}

/// Without a wire. Prometheus has a tool for it, in a process of its own; ours is the service's example.
fn inside(root: &Path, folder: &Path, options: &Options, wire: f64) -> Result<()> {
    // Both have the same series; the tool needs more samples for its start not to count.
    let scrapes = 10 * options.samples;
    let names: Vec<String> = (0..options.series)
        .map(|series| format!("{{\"__name__\":\"load\",\"host\":\"{}\"}}", host(series)))
        .collect();
    let file = folder.join("series.json");
    std::fs::write(&file, names.join("\n"))?;
    let spent = cpu_of(
        Command::new("promtool")
            .args(["tsdb", "bench", "write"])
            .arg(format!("--out={}", folder.join("bench").display()))
            .arg(format!("--metrics={}", options.series))
            .arg(format!("--scrapes={scrapes}"))
            .arg(&file)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
        Duration::from_secs(60),
    )?;
    let reference = (options.series * scrapes) as f64 / spent;
    let done = Command::new(built(root).join("release/examples").join(EXAMPLE))
        .arg(folder.join("ingest"))
        .args([options.series, options.samples, options.turns].map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .context("running the example")?;
    let told = String::from_utf8(done.stdout)?;
    if !done.status.success() {
        bail!("the example {EXAMPLE} ended with {}", done.status);
    }
    let (mut single, mut many) = (
        Rates::new("PutMetricData, a value to a datum"),
        Rates::new("PutMetricData, 150 values to a datum"),
    );
    println!("inside a process:");
    for line in told.lines() {
        match line.split_once(' ') {
            Some(("single", rate)) => single.turns.push(rate.parse()?),
            Some(("many", rate)) => many.turns.push(rate.parse()?),
            _ => println!("{line}"),
        }
    }
    single.print(reference, Some(AIM_INSIDE));
    many.print(reference, None);
    println!(
        "{:<44} {reference:>9.0} samples per CPU second, {:.1} times its own over the wire",
        "promtool tsdb bench write",
        reference / wire
    );
    Ok(())
}
