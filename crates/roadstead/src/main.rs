//! The binary: wiring and configuration, no logic of its own.

mod bars;
mod certificates;
mod client;
mod commands;
mod config;
mod exposition;
mod format;
mod functions;
mod images;
mod installation;
mod node;
mod place;
mod plane;
mod plot;
mod sealing;
mod signals;
mod store;
mod users;

use clap::{Parser, Subcommand};

use commands::{agent, bill, down, env, exec, explain, image, logs, metrics, runtime, up};

/// A container cloud you own.
#[derive(Parser)]
#[command(name = "roadstead", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the cloud on this machine: control plane and node in one process
    Up(Box<config::UpArgs>),
    /// Stop the daemon and its tasks, and remove every trace of them from the machine
    Down(down::Args),
    /// Run a node that joins a control plane elsewhere
    Agent(Box<agent::Args>),
    /// Show what a task wrote
    Logs(logs::Args),
    /// Run a program in a task's container, with a terminal if this is one
    Exec(exec::Args),
    /// Work with this node's images
    Image(image::Args),
    /// Prepare the runtimes that functions run on
    Runtime(runtime::Args),
    /// Say where tasks of a definition fit, and why not elsewhere; or what became of a task
    Explain(Box<explain::Args>),
    /// List metrics, and draw them in the terminal
    Metrics(Box<metrics::Args>),
    /// Say what Fargate tasks would have cost, by the public prices
    Bill(Box<bill::Args>),
    /// Print the exports that point AWS clients here
    Env(Box<env::Args>),
    /// Say what this machine lacks, and how to get it
    Doctor,
}

fn main() -> std::process::ExitCode {
    // These must come before any thread exists: they turn this process into something else.
    roadstead_runtime::shim_main_if_asked();
    roadstead_net::forward_main_if_asked();
    roadstead_net::cni_main_if_asked();

    start_log();
    let result = match Cli::parse().command {
        // Ends with the program's own code.
        Command::Exec(args) => return ended(run(exec::run(args))),
        Command::Up(args) => run(up::run(*args)),
        Command::Down(args) => run(down::run(args)),
        Command::Agent(args) => run(agent::run(*args)),
        Command::Logs(args) => run(logs::run(args)),
        Command::Image(args) => run(image::run(args)),
        Command::Runtime(args) => run(runtime::run(args)),
        Command::Explain(args) => run(explain::run(*args)),
        Command::Metrics(args) => run(metrics::run(*args)),
        Command::Bill(args) => run(bill::run(*args)),
        Command::Env(args) => env::run(&args),
        Command::Doctor => commands::doctor::run(),
    };
    ended(result.map(|()| 0))
}

fn ended(result: anyhow::Result<u8>) -> std::process::ExitCode {
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("roadstead: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// To standard error; `RUST_LOG` says how much. Calls are logged under the target `audit`.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,audit=warn,libcontainer=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// As many descriptors as this process may have: the connections of clients are bounded, but must not be what
/// keeps the store or a task from its files.
fn raise_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it was");
    }
}

fn run<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(command);
    // A thread that waits for somebody to type is not waited for.
    runtime.shutdown_background();
    result
}
