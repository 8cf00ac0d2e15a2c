//! Runtimes that functions run on: prepared from what this machine has, beside a running daemon or without one.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use roadstead_sandbox::{Installed, Kind, Runtimes, install};

use crate::config::DEFAULT_DATA;
use crate::place;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The daemon's data folder
    #[arg(long, env = "ROADSTEAD_DATA", default_value = DEFAULT_DATA, value_name = "FOLDER", global = true)]
    data: PathBuf,
    /// Where runtimes are [default: DATA/runtimes]
    #[arg(long, env = "ROADSTEAD_RUNTIMES", value_name = "FOLDER", global = true)]
    runtimes: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prepare runtimes: python, from the machine's own interpreter and PyPI (awslambdaric, boto3); node; provided
    Install {
        #[arg(required = true)]
        kinds: Vec<Which>,
        /// The interpreter to take, instead of the one on PATH
        #[arg(long, value_name = "FILE")]
        interpreter: Option<PathBuf>,
        /// Do nothing where a runtime of the kind is there, unless another Roadstead prepared it otherwise
        #[arg(long)]
        missing: bool,
    },
    /// List the runtimes that are prepared
    List,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Python,
    Node,
    Provided,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        data,
        runtimes,
        command,
    } = args;
    let folder = runtimes.unwrap_or_else(|| place::runtimes(&data));
    match command {
        Command::List => {
            for Installed { name, version, .. } in Runtimes::at(folder).all() {
                println!("{name}\t{version}");
            }
        }
        Command::Install {
            kinds,
            interpreter,
            missing,
        } => {
            if interpreter.is_some() && kinds.len() > 1 {
                bail!("--interpreter is of one runtime: prepare the others by a command of their own");
            }
            for which in kinds {
                let kind = match which {
                    Which::Python => Kind::Python,
                    Which::Node => Kind::Node,
                    Which::Provided => Kind::Provided,
                };
                if missing && Runtimes::at(folder.clone()).has(kind) {
                    continue;
                }
                let (folder, interpreter) = (folder.clone(), interpreter.clone());
                let installed =
                    tokio::task::spawn_blocking(move || install(&folder, kind, interpreter.as_deref()))
                        .await?;
                let Installed { name, version, .. } = installed.context("preparing the runtime")?;
                println!("{name} ({version}) is prepared");
            }
        }
    }
    Ok(())
}
