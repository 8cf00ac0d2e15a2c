//! Measurements, each a ratio against a reference that runs in the same minute on the same machine. Numbers go
//! to SPECIFICATION.md by hand, with the command; no test depends on them.

mod api;
pub(crate) mod client;
mod cni;
mod container;
mod functions;
mod memory;
mod metrics;
mod pull;
mod rollout;
mod start;
mod states;
mod store;

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
    /// Already inside the namespace that plays the host.
    #[arg(long, hide = true, global = true)]
    inside: bool,
}

#[derive(Subcommand)]
enum What {
    /// DescribeTasks and RegisterTaskDefinition, against moto's server.
    Api(api::Options),
    /// A task's network made and removed, against the reference `bridge` plugin's ADD and DEL.
    Cni(cni::Options),
    /// A container from its beginning to its end, against `crun` and `runc`.
    Container(container::Options),
    /// RunTask to RUNNING with a cached image, against bare `runc run` plus the reference `bridge` plugin.
    Start(start::Options),
    /// Tasks started per second by a service and by RunTask, against the same containers made by hand.
    Rollout(rollout::Options),
    /// Functions, warm and cold, against the same handler behind a plain server, the interpreter alone, and ministack.
    Functions(functions::Options),
    /// Transitions of state machines per second, Standard and Express, against ministack.
    States(states::Options),
    /// Pulling and unpacking an image, against `skopeo copy` plus `umoci unpack`.
    Pull(pull::Options),
    /// Durable puts of the store on disk, with 1 client and with 64, against etcd.
    Store(store::Options),
    /// Idle memory, and how long until it is ready, beside moto's server.
    Memory(memory::Options),
    /// Samples taken in per second of processor time, against Prometheus and VictoriaMetrics.
    Metrics(metrics::Options),
    /// Events matched against 10,000 rules, against the same with 100.
    Patterns,
    /// Tasks placed one by one at 5,000 nodes and at 10,000, against a first-fit scan.
    Placement,
    /// Decisions about a request over five policies, against the engine `iam-rs`.
    Policy,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if let What::Patterns = &options.what {
        return example(root, "roadstead-patterns", "matching");
    }
    if let What::Placement = &options.what {
        return example(root, "roadstead-placement", "speed");
    }
    if let What::Policy = &options.what {
        return example(root, "roadstead-policy", "speed");
    }
    if !options.inside {
        if matches!(options.what, What::Store(_)) {
            return store::enter(root);
        }
        if matches!(options.what, What::Metrics(_)) {
            return metrics::enter(root);
        }
        if matches!(options.what, What::Memory(_)) {
            api::install(root)?;
        }
        if matches!(options.what, What::Cni(_)) {
            return cni::enter(root);
        }
        if matches!(options.what, What::Container(_)) {
            return container::enter(root);
        }
        if matches!(options.what, What::Pull(_)) {
            pull::install()?;
        }
        if matches!(options.what, What::Api(_)) {
            api::install(root)?;
        }
        if matches!(&options.what, What::Rollout(options) if options.binary.is_some()) {
            return again_inside(root);
        }
        if let What::Functions(options) = &options.what {
            if options.binary.is_none() {
                build(root)?;
            }
            functions::install(root, options.binary.as_deref())?;
            return again_inside(root);
        }
        if let What::States(options) = &options.what {
            if options.binary.is_none() {
                build(root)?;
            }
            functions::references::install(root)?;
            return again_inside(root);
        }
        return enter(root);
    }
    match &options.what {
        What::Api(options) => api::run(root, options),
        What::Patterns | What::Placement | What::Policy => Ok(()),
        What::Cni(options) => cni::run(root, options),
        What::Container(options) => container::run(root, options),
        What::Start(options) => start::run(root, options),
        What::Rollout(options) => rollout::run(root, options),
        What::Functions(options) => functions::run(root, options),
        What::States(options) => states::run(root, options),
        What::Pull(options) => pull::run(root, options),
        What::Store(options) => store::run(root, options),
        What::Memory(options) => memory::run(root, options),
        What::Metrics(options) => metrics::run(root, options),
    }
}

/// Builds what is measured and runs this command again in a network namespace without an uplink.
fn enter(root: &Path) -> Result<()> {
    build(root)?;
    checked(
        Command::new(root.join("scripts/busybox-image.sh"))
            .arg("target/images/busybox.tar")
            .current_dir(root),
    )?;
    again_inside(root)
}

fn build(root: &Path) -> Result<()> {
    checked(Command::new(root.join("scripts/setup.sh")).arg("test"))?;
    checked(
        Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--package", "roadstead"])
            .current_dir(root),
    )
}

/// What is measured: this binary, or the release build.
fn measured(root: &Path, binary: Option<&Path>) -> std::path::PathBuf {
    binary.map_or_else(|| built(root).join("release/roadstead"), Path::to_owned)
}

/// Makes a role that this service may act as, and gives its ARN.
fn role(connection: &mut client::Connection, name: &str, principal: &str) -> Result<String> {
    let trust = format!(
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A\
         %7B%22Service%22%3A%22{principal}%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D"
    );
    let form =
        format!("Action=CreateRole&Version=2010-05-08&RoleName={name}&AssumeRolePolicyDocument={trust}");
    let head = format!(
        "Content-Type: application/x-www-form-urlencoded\r\n{}",
        client::authorization("iam")
    );
    let (status, answer) = connection.send("POST /", &head, form.as_bytes())?;
    let arn = answer
        .split_once("<Arn>")
        .and_then(|(_, rest)| rest.split_once("</Arn>"));
    match arn {
        Some((arn, _)) if status == 200 => Ok(arn.to_owned()),
        _ => bail!("CreateRole: {status} {answer}"),
    }
}

pub(crate) fn again_inside(root: &Path) -> Result<()> {
    let own = std::env::current_exe().context("finding this program")?;
    let arguments = std::env::args_os().skip(1);
    checked(
        Command::new(root.join("scripts/in-host-namespace.sh"))
            .arg(own)
            .args(arguments)
            .arg("--inside")
            .current_dir(root),
    )
}

/// Where cargo puts what it builds.
pub(crate) fn built(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// Runs what a library measures by itself, without a network.
fn example(root: &Path, package: &str, name: &str) -> Result<()> {
    checked(
        Command::new(env!("CARGO"))
            .args([
                "run",
                "--quiet",
                "--release",
                "--locked",
                "--package",
                package,
                "--example",
                name,
            ])
            .current_dir(root),
    )
}

pub(crate) fn checked(command: &mut Command) -> Result<()> {
    let status: ExitStatus = command.status().with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// One series of durations.
struct Series {
    name: &'static str,
    values: Vec<Duration>,
}

impl Series {
    fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.values.clone();
        sorted.sort();
        let index = ((sorted.len() as f64 - 1.0) * share).round() as usize;
        sorted.get(index).copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    fn print(&self) {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        println!(
            "{:<40} n {:>3}   min {:>7.1} ms   median {:>7.1} ms   p90 {:>7.1} ms",
            self.name,
            self.values.len(),
            ms(self.quantile(0.0)),
            ms(self.median()),
            ms(self.quantile(0.9))
        );
    }
}

/// Prints both series and the ratio of their medians beside its aim.
fn compare(ours: &Series, reference: &Series, aim: f64) {
    ours.print();
    reference.print();
    let ratio = ours.median().as_secs_f64() / reference.median().as_secs_f64();
    let verdict = if ratio <= aim { "met" } else { "missed" };
    println!("ratio of medians {ratio:.2} (aim: at most {aim}): {verdict}");
}
