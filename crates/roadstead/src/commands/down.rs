//! Ends a Roadstead with all its tasks. Works with the daemon, and without one that died.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use roadstead_agent::node::Agent;

use crate::config::DEFAULT_DATA;
use crate::functions;
use crate::installation;
use crate::node::bare;
use crate::place::{self, Claim, running};
use crate::signals::DOWN;

/// The longest stop timeout that tasks are given, and what follows it.
const PATIENCE: Duration = Duration::from_secs(11 * 60);
const LOOK: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The daemon's data folder
    #[arg(long, env = "ROADSTEAD_DATA", default_value = DEFAULT_DATA, value_name = "FOLDER")]
    data: PathBuf,
    /// Remove the data folder too: records, images, logs, volumes; not what is in an etcd
    #[arg(long)]
    purge: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args { data, purge } = args;
    if place::known_instance(&data)?.is_none() {
        println!("nothing to do: {} holds no Roadstead", data.display());
        return Ok(());
    }
    if let Some(pid) = running(&data)? {
        end(&data, pid).await?;
    }
    // Also after a daemon that ended well: it may have been an earlier one that died.
    let claim = Claim::take(&data)?;
    Agent::remove_all(bare(&data)?).await?;
    functions::remove_all(&data).await?;
    if let Some(store) = installation::elsewhere(&data)? {
        println!(
            "the records stay in {store}, which other servers may use: remove them there if nobody needs them"
        );
    }
    installation::forget(&data)?;
    if purge {
        std::fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
    }
    drop(claim);
    Ok(())
}

async fn end(data: &Path, pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), DOWN).with_context(|| format!("telling the daemon (process {pid}) to stop"))?;
    let deadline = Instant::now() + PATIENCE;
    while running(data)? == Some(pid) {
        if Instant::now() > deadline {
            bail!(
                "the daemon (process {pid}) has not stopped after {} minutes",
                PATIENCE.as_secs() / 60
            );
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
