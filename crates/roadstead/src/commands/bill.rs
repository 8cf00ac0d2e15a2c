//! What Fargate tasks would have cost. The control plane says what they used, also long after they can be described;
//! the prices are a table here, which an operator may replace.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use roadstead_agent::api::Client;
use roadstead_base::{SharedClock, SystemClock, Timestamp};
use roadstead_billing::{Architecture, Charge, Prices, Usage, Window, charge};
use serde::Deserialize;
use serde_json::json;

use super::metrics::span;
use crate::client::Place;

/// Pages of one bill: a million tasks.
const MAX_PAGES: usize = 1000;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Only tasks of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// From when on: how far to look back, as 90s, 10m, 2h or 30d, or a time as 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, default_value = "30d", value_name = "TIME")]
    since: String,
    /// Until when; without it, now
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Prices of your own: a table as the one that `--print-prices` prints
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Print the table of prices that is used without `--prices`, and nothing else
    #[arg(long)]
    print_prices: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One task's use, as the control plane says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    task_arn: String,
    cluster: String,
    architecture: String,
    cpu: i64,
    memory: i64,
    storage: i64,
    pull_started_at: i64,
    stopped_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Page {
    now: i64,
    tasks: Vec<Task>,
    next: Option<String>,
}

struct Line {
    task: Task,
    charge: Charge,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        place,
        cluster,
        since,
        until,
        prices,
        print_prices,
        json,
    } = args;
    if print_prices {
        print!("{}", roadstead_billing::DEFAULT_PRICES);
        return Ok(());
    }
    let prices = match prices {
        None => Prices::usual()?,
        Some(path) => {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            Prices::parse(&text).with_context(|| format!("reading {}", path.display()))?
        }
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let now = clock.now();
    let window = Window {
        since: time(&since, now)?.0,
        until: until.as_deref().map_or(Ok(now), |until| time(until, now))?.0,
    };
    if window.since >= window.until {
        bail!("--since must be before --until");
    }
    let client = place.client(clock)?;
    let (tasks, there) = tasks(&client, cluster.as_deref(), window).await?;
    let (priced, region) = prices.of(&place.region);
    let region = region.context("the table of prices has no region")?;
    let mut lines = Vec::new();
    for task in tasks {
        let architecture = Architecture::of(&task.architecture).with_context(|| {
            format!(
                "{} has the architecture {}, which has no price",
                task.task_arn, task.architecture
            )
        })?;
        let usage = Usage {
            architecture,
            cpu: task.cpu,
            memory: task.memory,
            storage: task.storage,
            pull_started: task.pull_started_at,
            stopped: task.stopped_at,
        };
        let charge = charge(&usage, window, there, region);
        if charge.seconds > 0 {
            lines.push(Line { task, charge });
        }
    }
    lines.sort_by_key(|line| (line.task.pull_started_at, line.task.task_arn.clone()));
    if json {
        println!("{:#}", as_json(&lines, window, priced));
    } else {
        for line in as_table(&lines, window, priced, &place.region) {
            println!("{line}");
        }
    }
    Ok(())
}

/// How far back, or a time.
fn time(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(seconds) = span(text) {
        return Ok(now.plus_millis(-seconds * 1000));
    }
    let whole = if text.len() == "2026-01-31".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    Timestamp::from_rfc3339(&whole)
        .with_context(|| format!("{text:?} is neither a span as 30d nor a time as 2026-01-31T12:00:00Z"))
}

/// All tasks that used anything in the window, once each; and what time it is at the control plane.
async fn tasks(client: &Client, cluster: Option<&str>, window: Window) -> Result<(Vec<Task>, i64)> {
    let mut found: BTreeMap<String, Task> = BTreeMap::new();
    let (mut after, mut now) = (None, 0);
    for _ in 0..MAX_PAGES {
        let mut path = format!(
            "{}?since={}&until={}",
            roadstead_ecs::USAGE_PATH,
            window.since,
            window.until
        );
        for (name, value) in [("cluster", cluster), ("after", after.as_deref())] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", escaped(value)));
            }
        }
        let page: Page = serde_json::from_value(client.get(&path).await?)?;
        now = now.max(page.now);
        // One that stopped while pages were read comes twice; then its end is known.
        for task in page.tasks {
            if task.stopped_at.is_some() || !found.contains_key(&task.task_arn) {
                found.insert(task.task_arn.clone(), task);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok((found.into_values().collect(), now));
        }
    }
    bail!("there are more tasks than one bill holds; choose a shorter time, or a cluster")
}

fn escaped(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            all.push_str(&format!("%{byte:02X}"));
        }
    }
    all
}

fn as_json(lines: &[Line], window: Window, priced: &str) -> serde_json::Value {
    let one = |Line { task, charge }: &Line| {
        json!({
            "taskArn": task.task_arn, "cluster": task.cluster, "architecture": task.architecture,
            "cpu": task.cpu, "memory": task.memory, "ephemeralStorage": task.storage,
            "pullStartedAt": Timestamp(task.pull_started_at).to_rfc3339(),
            "stoppedAt": task.stopped_at.map(|at| Timestamp(at).to_rfc3339()),
            "charge": charge_json(charge),
        })
    };
    let total: Charge = lines.iter().map(|line| line.charge).sum();
    json!({
        "since": Timestamp(window.since).to_rfc3339(), "until": Timestamp(window.until).to_rfc3339(),
        "currency": "USD", "pricesOf": priced,
        "tasks": lines.iter().map(one).collect::<Vec<_>>(), "total": charge_json(&total),
    })
}

fn charge_json(charge: &Charge) -> serde_json::Value {
    let Charge {
        seconds,
        vcpu_seconds,
        gb_seconds,
        storage_gb_seconds,
        cpu,
        memory,
        storage,
    } = charge;
    json!({
        "seconds": seconds, "vcpuSeconds": vcpu_seconds, "gbSeconds": gb_seconds, "storageGbSeconds": storage_gb_seconds,
        "cpu": cpu, "memory": memory, "storage": storage, "total": charge.total(),
    })
}

fn as_table(lines: &[Line], window: Window, priced: &str, region: &str) -> Vec<String> {
    let span = (
        Timestamp(window.since).to_rfc3339(),
        Timestamp(window.until).to_rfc3339(),
    );
    let mut all = vec![format!(
        "Fargate tasks from {} to {}, in USD at the prices of {priced}",
        span.0, span.1
    )];
    if priced != region {
        all.push(format!("The table has no prices of {region}."));
    }
    all.push(format!(
        "{:<32}  {:<16}  {:>6}  {:>6}  {:>9}  {:>12}",
        "TASK", "CLUSTER", "VCPU", "GB", "SECONDS", "USD"
    ));
    for Line { task, charge } in lines {
        let id = task.task_arn.rsplit('/').next().unwrap_or_default();
        let (vcpus, gb) = (task.cpu as f64 / 1024.0, task.memory as f64 / 1024.0);
        let cluster: String = task.cluster.chars().take(16).collect();
        let seconds = charge.seconds;
        all.push(format!(
            "{id:<32}  {cluster:<16}  {vcpus:>6.2}  {gb:>6.2}  {seconds:>9}  {:>12.6}",
            charge.total()
        ));
    }
    let total: Charge = lines.iter().map(|line| line.charge).sum();
    all.push(format!(
        "{:<32}  {:<16}  {:>6}  {:>6}  {:>9}  {:>12.6}",
        "TOTAL",
        "",
        "",
        "",
        total.seconds,
        total.total()
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spans_days_or_instants() {
        let now = Timestamp::from_rfc3339("2026-02-01T00:00:00Z").expect("a time");
        for (text, wanted) in [
            ("1h", "2026-01-31T23:00:00Z"),
            ("31d", "2026-01-01T00:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ] {
            assert_eq!(
                time(text, now).expect(text),
                Timestamp::from_rfc3339(wanted).expect("a time"),
                "{text}"
            );
        }
        assert!(time("yesterday", now).is_err());
    }

    #[test]
    fn a_bill_adds_up() {
        let task = Task {
            task_arn: "arn:aws:ecs:us-east-1:000000000000:task/c/0123".into(),
            cluster: "c".into(),
            architecture: "x86_64".into(),
            cpu: 256,
            memory: 512,
            storage: 20,
            pull_started_at: 0,
            stopped_at: Some(60_000),
        };
        let charge = Charge {
            seconds: 60,
            cpu: 0.5,
            memory: 0.25,
            ..Charge::default()
        };
        let lines = [
            Line {
                task: task.clone(),
                charge,
            },
            Line { task, charge },
        ];
        let window = Window {
            since: 0,
            until: 120_000,
        };
        let json = as_json(&lines, window, "us-east-1");
        assert_eq!(
            (&json["total"]["total"], &json["total"]["seconds"]),
            (&json!(1.5), &json!(120))
        );
        let table = as_table(&lines, window, "us-east-1", "eu-west-1");
        assert!(table.last().expect("a total").ends_with("1.500000"), "{table:?}");
        assert!(table[1].contains("no prices of eu-west-1"));
        assert_eq!(escaped("arn:a/b c"), "arn%3Aa%2Fb%20c");
    }
}
