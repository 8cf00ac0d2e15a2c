//! How quick state machines are: transitions per second of Standard executions, each step of which is on disk, and of
//! Express ones, which are in memory; and how long a synchronous execution of ten Pass states takes. Beside ministack,
//! which keeps all in memory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::Series;
use super::client::{Cloud, Connection, authorization};
use super::functions::references::Server;

/// Transitions per second.
const AIM_RATE: f64 = 10_000.0;
/// Of ministack's median.
const AIM_SYNCHRONOUS: f64 = 0.02;
/// States of an execution.
const STATES: usize = 10;
const WARM_UP: usize = 20;
const TURNS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct Options {
    /// Executions of a turn.
    #[arg(long, default_value_t = 800)]
    executions: usize,
    /// Connections that start them.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Synchronous executions, one at a time.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// A binary to measure in place of the release build, which then is not built.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-states-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let cloud = Cloud::start_with(&super::measured(root, options.binary.as_deref()), folder, &[])?;
    let ministack = Server::ministack(root, folder)?;
    let ours = Machines::of(cloud.address(), "roadstead")?;
    let theirs = Machines::of(ministack.address(), "ministack")?;
    synchronous(&ours, &theirs, options)?;
    let both = [&ours, &theirs];
    for (what, rate) in [
        ("Standard", standard as fn(&Machines, &Options) -> Result<f64>),
        ("Express", express),
    ] {
        let mut rates = [Vec::new(), Vec::new()];
        // In turns, so that whatever else the machine does falls on both.
        for _ in 0..TURNS {
            for (machines, rates) in both.iter().zip(&mut rates) {
                rates.push(rate(machines, options)?);
            }
        }
        let [own, reference] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates
        });
        let middle = |rates: &[f64]| rates.get(TURNS / 2).copied().unwrap_or_default();
        let verdict = if middle(&own) >= AIM_RATE { "met" } else { "missed" };
        println!(
            "{what}: {:.0} transitions/s ({own:.0?}), ministack {:.0} ({reference:.0?}): {:.1} times (aim: {AIM_RATE}/s): \
             {verdict}",
            middle(&own),
            middle(&reference),
            middle(&own) / middle(&reference)
        );
    }
    Ok(())
}

fn synchronous(ours: &Machines, theirs: &Machines, options: &Options) -> Result<()> {
    let mut all = [ours, theirs].map(|machines| Series {
        name: machines.name,
        values: Vec::new(),
    });
    let mut connections = [ours.connect()?, theirs.connect()?];
    for round in 0..WARM_UP + options.rounds {
        for ((machines, connection), series) in [ours, theirs].iter().zip(&mut connections).zip(&mut all) {
            let from = Instant::now();
            machines.synchronous(connection)?;
            if round >= WARM_UP {
                series.values.push(from.elapsed());
            }
        }
    }
    println!("StartSyncExecution of {STATES} Pass states, one at a time");
    all.iter().for_each(Series::print);
    let [own, reference] = &all;
    let ratio = own.median().as_secs_f64() / reference.median().as_secs_f64();
    let verdict = if ratio <= AIM_SYNCHRONOUS { "met" } else { "missed" };
    println!("ratio of medians {ratio:.3} (aim: at most {AIM_SYNCHRONOUS}): {verdict}");
    Ok(())
}

/// From the first start to the end of the last execution.
fn standard(machines: &Machines, options: &Options) -> Result<f64> {
    let from = Instant::now();
    let each = options.executions.div_ceil(options.clients);
    let counts = spread(options.clients, |_| {
        let mut connection = machines.connect()?;
        let input = json!({"stateMachineArn": machines.standard, "input": "{\"a\": 1}"});
        let mut executions = Vec::new();
        for _ in 0..each {
            let started = machines.ask(&mut connection, "StartExecution", &input)?;
            executions.push(started["executionArn"].as_str().context("an ARN")?.to_owned());
        }
        // Each client asks for the ends of its own, the last first: when that has ended, few others have not.
        for execution in executions.iter().rev() {
            let input = json!({"executionArn": execution});
            loop {
                let shown = machines.ask(&mut connection, "DescribeExecution", &input)?;
                match shown["status"].as_str() {
                    Some("SUCCEEDED") => break,
                    Some("RUNNING") if from.elapsed() < PATIENCE => {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                    _ => bail!("{}: {shown}", machines.name),
                }
            }
        }
        Ok(executions.len())
    })?;
    let count: usize = counts.into_iter().sum();
    Ok((count * STATES) as f64 / from.elapsed().as_secs_f64())
}

fn express(machines: &Machines, options: &Options) -> Result<f64> {
    let from = Instant::now();
    let each = options.executions.div_ceil(options.clients);
    let counts = spread(options.clients, |_| {
        let mut connection = machines.connect()?;
        for _ in 0..each {
            machines.synchronous(&mut connection)?;
        }
        Ok(each)
    })?;
    let count: usize = counts.iter().sum();
    Ok((count * STATES) as f64 / from.elapsed().as_secs_f64())
}

/// What each of so many threads gives.
fn spread<T: Send>(threads: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                let work = &work;
                scope.spawn(move || work(number))
            })
            .collect();
        let ended = workers.into_iter().map(|worker| match worker.join() {
            Ok(result) => result,
            Err(_) => bail!("a client panicked"),
        });
        ended.collect()
    })
}

/// A server's two machines of ten Pass states.
struct Machines {
    address: String,
    name: &'static str,
    standard: String,
    express: String,
}

impl Machines {
    fn of(address: &str, name: &'static str) -> Result<Self> {
        let mut connection = Connection::to(address)?;
        let role = super::role(&mut connection, "perf-states", "states.amazonaws.com")?;
        let states: serde_json::Map<String, Value> = (0..STATES)
            .map(|number| {
                let next = match number + 1 {
                    STATES => json!({"Type": "Pass", "End": true}),
                    next => json!({"Type": "Pass", "Next": format!("P{next}")}),
                };
                (format!("P{number}"), next)
            })
            .collect();
        let definition = json!({"StartAt": "P0", "States": states}).to_string();
        let mut machines = Self {
            address: address.to_owned(),
            name,
            standard: String::new(),
            express: String::new(),
        };
        let mut create = |kind: &str| -> Result<String> {
            let input = json!({"name": format!("perf-{kind}"), "type": kind, "roleArn": role, "definition": definition});
            let made = machines.ask(&mut connection, "CreateStateMachine", &input)?;
            Ok(made["stateMachineArn"].as_str().context("an ARN")?.to_owned())
        };
        let (standard, express) = (create("STANDARD")?, create("EXPRESS")?);
        (machines.standard, machines.express) = (standard, express);
        Ok(machines)
    }

    fn connect(&self) -> Result<Connection> {
        Connection::to(&self.address)
    }

    fn synchronous(&self, connection: &mut Connection) -> Result<()> {
        let input = json!({"stateMachineArn": self.express, "input": "{\"a\": 1}"});
        let ended = self.ask(connection, "StartSyncExecution", &input)?;
        if ended["status"] != "SUCCEEDED" {
            bail!("{}: {ended}", self.name);
        }
        Ok(())
    }

    fn ask(&self, connection: &mut Connection, operation: &str, input: &Value) -> Result<Value> {
        let head = format!(
            "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\n{}",
            authorization("states")
        );
        let (status, answer) = connection.send("POST /", &head, input.to_string().as_bytes())?;
        if status != 200 {
            bail!("{}: {operation}: {status} {answer}", self.name);
        }
        Ok(serde_json::from_str(&answer)?)
    }
}
