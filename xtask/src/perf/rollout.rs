//! Tasks that come to RUNNING per second, sustained: while a service makes its first tasks, while it replaces all of
//! them, and by RunTask ten at a time. Beside it the same container by hand, as `perf start` makes it, by as many
//! workers as there are cores.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::client::{Cloud, Connection};
use super::start::{BRIDGE, Reference, subnet};

/// Tasks per second.
const AIM: f64 = 20.0;
/// What RunTask takes at most.
const BURST: usize = 10;
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct Options {
    /// Tasks of the service, and as many by RunTask and by hand; twice as many run at the height of a rollout.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(20..=200))]
    tasks: u32,
    /// How often all of it is done.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A binary to measure in place of the release build, which then is not built.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
}

/// Tasks per second, a number per round.
struct Rates {
    name: &'static str,
    values: Vec<f64>,
}

impl Rates {
    fn median(&self) -> f64 {
        median(&self.values)
    }

    fn print(&self) {
        let each: Vec<_> = self.values.iter().map(|rate| format!("{rate:.1}")).collect();
        println!(
            "{:<44} median {:>5.1}/s   ({})",
            self.name,
            self.median(),
            each.join(", ")
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let of = |index: usize| sorted.get(index).copied().unwrap_or_default();
    f64::midpoint(of(sorted.len().saturating_sub(1) / 2), of(sorted.len() / 2))
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    let _ = Command::new("ip")
        .args(["link", "del", BRIDGE])
        .stderr(Stdio::null())
        .status();
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let tasks = usize::try_from(options.tasks)?;
    let binary = options
        .binary
        .clone()
        .unwrap_or_else(|| super::built(root).join("release/roadstead"));
    let cloud = Cloud::start_with(&binary, folder, &[])?;
    cloud.import(&root.join("target/images/busybox.tar"))?;
    let mut connection = cloud.connect()?;
    let subnet = subnet(&mut connection)?;
    connection.ecs(
        "RegisterTaskDefinition",
        &json!({"family": "perf", "networkMode": "awsvpc", "containerDefinitions": [
            {"name": "app", "image": "busybox", "memory": 16, "command": ["sleep", "600"], "stopTimeout": 2}]}),
    )?;
    let network = json!({"awsvpcConfiguration": {"subnets": [subnet]}});
    let mut series = [
        "a new service's first tasks",
        "a rollout, which replaces all of them",
        "RunTask, ten at a time",
        "netns, bridge ADD, runc run, a worker a core",
    ]
    .map(|name| Rates {
        name,
        values: Vec::new(),
    });
    for round in 0..options.rounds {
        let service = format!("perf{round}");
        connection.ecs(
            "CreateService",
            &json!({"serviceName": service, "taskDefinition": "perf", "desiredCount": tasks,
                    "networkConfiguration": network}),
        )?;
        let first = arrived(&mut connection, &service, tasks)?;
        connection.ecs(
            "UpdateService",
            &json!({"service": service, "forceNewDeployment": true}),
        )?;
        let second = arrived(&mut connection, &service, tasks)?;
        connection.ecs("DeleteService", &json!({"service": service, "force": true}))?;
        quiet(&mut connection)?;
        let bursts = bursts(&mut connection, &network, tasks)?;
        let by_hand = by_hand(folder, tasks)?;
        for (series, rate) in series.iter_mut().zip([first, second, bursts, by_hand]) {
            series.values.push(rate);
        }
    }
    cloud.down()?;
    series.iter().for_each(Rates::print);
    let [first, second, bursts, by_hand] = &series;
    for ours in [first, second, bursts] {
        let ratios: Vec<_> = ours
            .values
            .iter()
            .zip(&by_hand.values)
            .map(|(a, b)| a / b)
            .collect();
        let verdict = if ours.median() >= AIM { "met" } else { "missed" };
        println!(
            "{}: {:.1}/s (aim: at least {AIM}): {verdict}; {:.2}x of what is possible by hand (median of ratios)",
            ours.name,
            ours.median(),
            median(&ratios)
        );
    }
    Ok(())
}

/// The rate at which the service's latest deployment came to its tasks, all of which it waits for: from the making of the
/// first one until the last one runs, since most of them are made ready while they wait for the first one's image.
fn arrived(connection: &mut Connection, service: &str, tasks: usize) -> Result<f64> {
    let begun = Instant::now();
    let deployment = loop {
        let shown = connection.ecs("DescribeServices", &json!({"services": [service]}))?;
        let service = &shown["services"][0];
        let primary = &service["deployments"][0];
        // The old ones are gone too, so that they do not slow down what is measured next.
        if primary["runningCount"] == tasks && service["runningCount"] == tasks {
            break primary["id"].as_str().context("a deployment")?.to_owned();
        }
        if begun.elapsed() > PATIENCE {
            bail!("the service did not arrive: {service}");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    };
    let arns = list(connection, &json!({"serviceName": service}))?;
    let shown = describe(connection, &arns)?;
    let ours: Vec<_> = shown
        .iter()
        .filter(|task| task["startedBy"] == deployment.as_str())
        .collect();
    if ours.len() != tasks {
        bail!("{} of {tasks} tasks are of {deployment}", ours.len());
    }
    let times = |name: &str| {
        ours.iter()
            .filter_map(|task| task[name].as_f64())
            .collect::<Vec<_>>()
    };
    let began = times("createdAt").into_iter().fold(f64::INFINITY, f64::min);
    let ended = times("startedAt").into_iter().fold(f64::NEG_INFINITY, f64::max);
    Ok(tasks as f64 / (ended - began).max(0.001))
}

/// RunTask again and again, without a wait in between.
fn bursts(connection: &mut Connection, network: &Value, tasks: usize) -> Result<f64> {
    let mut arns = Vec::new();
    while arns.len() < tasks {
        let ran = connection.ecs(
            "RunTask",
            &json!({"taskDefinition": "perf", "count": BURST.min(tasks - arns.len()), "networkConfiguration": network}),
        )?;
        let some = ran["tasks"].as_array().filter(|some| !some.is_empty());
        let some = some.with_context(|| format!("RunTask: {ran}"))?;
        arns.extend(some.iter().map(|task| task["taskArn"].clone()));
    }
    let begun = Instant::now();
    let started = loop {
        let tasks = describe(connection, &arns)?;
        if tasks.iter().all(|task| task["lastStatus"] == "RUNNING") {
            break tasks
                .iter()
                .filter_map(|task| task["startedAt"].as_f64())
                .collect();
        }
        if begun.elapsed() > PATIENCE || tasks.iter().any(|task| task["lastStatus"] == "STOPPED") {
            bail!("not all tasks run");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    };
    for arn in arns {
        connection.ecs("StopTask", &json!({"task": arn}))?;
    }
    quiet(connection)?;
    steady(started)
}

/// Per second over the middle four fifths: the first ones wait for what all wait for, and the last ones share with
/// nobody.
fn steady(mut at: Vec<f64>) -> Result<f64> {
    at.sort_by(f64::total_cmp);
    let tenth = at.len() / 10;
    let middle = at.get(tenth..at.len() - tenth).unwrap_or_default();
    let (Some(first), Some(last)) = (middle.first(), middle.last()) else {
        bail!("nothing was started");
    };
    Ok((middle.len() - 1) as f64 / (last - first).max(0.001))
}

/// Until no task is left.
fn quiet(connection: &mut Connection) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mut arns = list(connection, &json!({"desiredStatus": "RUNNING"}))?;
        arns.extend(list(connection, &json!({"desiredStatus": "STOPPED"}))?);
        let tasks = describe(connection, &arns)?;
        if tasks.iter().all(|task| task["lastStatus"] == "STOPPED") {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("the tasks do not end");
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn list(connection: &mut Connection, of: &Value) -> Result<Vec<Value>> {
    let (mut all, mut request) = (Vec::new(), of.clone());
    loop {
        let page = connection.ecs("ListTasks", &request)?;
        all.extend(page["taskArns"].as_array().into_iter().flatten().cloned());
        if page["nextToken"].is_null() {
            return Ok(all);
        }
        request["nextToken"] = page["nextToken"].clone();
    }
}

fn describe(connection: &mut Connection, arns: &[Value]) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for some in arns.chunks(100) {
        let shown = connection.ecs("DescribeTasks", &json!({"tasks": some}))?;
        all.extend(shown["tasks"].as_array().into_iter().flatten().cloned());
    }
    Ok(all)
}

/// The same number by hand, all of which stay until the last runs.
fn by_hand(folder: &Path, tasks: usize) -> Result<f64> {
    let workers = std::thread::available_parallelism()?.get();
    let references: Vec<_> = (0..workers)
        .map(|worker| Reference::prepare(folder, &format!("bundle{worker}")))
        .collect::<Result<_>>()?;
    // Makes the bridge, which two must not do at once.
    if let Some(first) = references.first() {
        first.one()?;
    }
    let name = |number: usize| format!("rs-perf-{}-{number}", std::process::id());
    let each = |worker: usize| (worker..tasks).step_by(workers);
    let begun = Instant::now();
    let up = in_parallel(&references, |worker, reference| {
        each(worker).try_for_each(|number| reference.up(&name(number)))
    });
    let took = begun.elapsed();
    in_parallel(&references, |worker, reference| {
        // All of them, also if one fails.
        let ended: Vec<_> = each(worker).map(|number| reference.down(&name(number))).collect();
        ended.into_iter().collect()
    })
    .and(up)?;
    Ok(tasks as f64 / took.as_secs_f64())
}

fn in_parallel(
    references: &[Reference],
    work: impl Fn(usize, &Reference) -> Result<()> + Sync,
) -> Result<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = references
            .iter()
            .enumerate()
            .map(|(worker, reference)| scope.spawn(move || work(worker, reference)))
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => bail!("a worker panicked"),
        })
    })
}
