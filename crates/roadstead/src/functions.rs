//! Where functions run on this machine: environments whose loopback has the API, as the function's role and nobody else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use roadstead_base::{SharedClock, SystemClock};
use roadstead_dispatch::{Dispatcher, Limits, Listener, Security, Trust};
use roadstead_image::Mirror;
use roadstead_sandbox::{Node, Options, ServeApi, Supply};
use tokio::sync::watch;

use crate::config::UpConfig;
use crate::images::{ImageArgs, Settled};
use crate::place;

/// An environment that nobody asked for so long ends; its memory is somebody else's then.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// Of the machine's memory, functions may have this share unless the operator says otherwise.
const SHARE: u64 = 2;
/// Connections that one environment may have to the API.
const CONNECTIONS: usize = 64;

pub(crate) async fn open(
    config: &UpConfig,
    dispatcher: &Arc<Dispatcher>,
    clock: SharedClock,
) -> Result<Node> {
    let options = Options {
        memory_mb: config.function_memory.map_or_else(half_of_the_machine, Ok)?,
        runtimes: config.runtimes.clone(),
        api: Some(api(dispatcher)),
        supply: supply(&config.images, &config.data, &config.registry_mirrors).await?,
        ..bare(&config.data, clock).await?
    };
    Node::open(options)
        .await
        .context("opening the execution environments of functions")
}

/// Takes away what functions have on the machine, without a daemon.
pub(crate) async fn remove_all(data: &Path) -> Result<()> {
    let node = Node::open(bare(data, Arc::new(SystemClock)).await?).await;
    node.context("opening the execution environments of functions")?
        .stop()
        .await
        .context("removing the execution environments of functions")
}

/// The images of this node, as its tasks have them.
async fn supply(settled: &Settled, data: &Path, mirrors: &[Mirror]) -> Result<Supply> {
    let (options, behaviour) = settled.store(data, mirrors);
    let supply = Supply::open(options, behaviour, Supply::MOST_BYTES).await;
    supply.context("opening the image store")
}

async fn bare(data: &Path, clock: SharedClock) -> Result<Options> {
    Ok(Options {
        instance: place::instance(data)?,
        folder: data.join("environments"),
        runtimes: place::runtimes(data),
        supply: supply(&ImageArgs::default().settle()?, data, &[]).await?,
        shim: "/proc/self/exe".into(),
        idle: IDLE,
        memory_mb: 0,
        api: None,
        clock,
    })
}

/// Strangers are nobody there, as inside tasks.
fn api(dispatcher: &Arc<Dispatcher>) -> ServeApi {
    let dispatcher = Arc::clone(dispatcher);
    Arc::new(move |socket| {
        let listener = Listener {
            socket,
            trust: Trust::IssuedOnly,
            limits: Limits {
                connections: CONNECTIONS,
                ..Limits::default()
            },
            security: Security::Plain,
        };
        let dispatcher = Arc::clone(&dispatcher);
        Box::pin(async move {
            // Ends when the environment does, by being dropped.
            let (never, stop) = watch::channel(false);
            listener.serve(dispatcher, stop).await;
            drop(never);
        })
    })
}

fn half_of_the_machine() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let kib = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
        })
        .context("/proc/meminfo does not say how much memory there is; say --function-memory")?;
    Ok(kib / 1024 / SHARE)
}
