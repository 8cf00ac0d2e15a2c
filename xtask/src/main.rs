//! The project's own chores, in Rust so that a fresh machine needs nothing more than the toolchain.

mod churn;
mod coverage;
mod models;
mod perf;
mod supply;
mod tidy;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Roadstead's chores: generated code, coverage tables, tidiness, long life, measurements")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Trim the official API models to what is implemented, and generate the api-* crates from them.
    Models(models::Options),
    /// Check the habits that the compiler does not hold.
    Tidy,
    /// Render docs/coverage/*.md and check that no member is without a verdict.
    Coverage(coverage::Options),
    /// Check licences, sources, bans and withdrawn versions of dependencies, without a network.
    Supply,
    /// Keep a Roadstead busy, and see that nothing is left over.
    Churn(churn::Options),
    /// Measure, against a reference in the same run.
    Perf(perf::Options),
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = root()?;
    match Cli::parse().chore {
        Chore::Models(options) => models::run(&root, &options),
        Chore::Tidy => tidy::run(&root),
        Chore::Coverage(options) => coverage::run(&root, &options),
        Chore::Supply => supply::run(&root),
        Chore::Churn(options) => churn::run(&root, &options),
        Chore::Perf(options) => perf::run(&root, &options),
    }
}

/// The workspace's root folder.
fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask lies in the workspace")?.to_owned())
}
