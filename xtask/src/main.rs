//! The project's own chores, in Rust so that a fresh machine needs nothing more than the toolchain.

mod models;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Roadstead's chores: generated code, coverage tables, tidiness, measurements")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Trim the official API models to what is implemented, and generate the api-* crates from them.
    Models(models::Options),
}

fn main() -> Result<()> {
    match Cli::parse().chore {
        Chore::Models(options) => models::run(&root()?, &options),
    }
}

/// The workspace's root folder.
fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask lies in the workspace")?.to_owned())
}
