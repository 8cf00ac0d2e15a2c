//! The binary: wiring and configuration, no logic of its own.

mod commands;
mod config;
mod place;
mod plane;

use clap::{Parser, Subcommand};

use commands::{env, image, up};

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
    /// Work with this node's images
    Image(image::Args),
    /// Print the exports that point AWS clients here
    Env(env::Args),
    /// Say what this machine lacks, and how to get it
    Doctor,
}

fn main() -> std::process::ExitCode {
    // Both must come before any thread exists: they turn this process into something else.
    roadstead_runtime::shim_main_if_asked();
    roadstead_net::cni_main_if_asked();

    let result = match Cli::parse().command {
        Command::Up(args) => run(up::run(*args)),
        Command::Image(args) => run(image::run(args)),
        Command::Env(args) => env::run(&args),
        Command::Doctor => commands::doctor::run(),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roadstead: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
