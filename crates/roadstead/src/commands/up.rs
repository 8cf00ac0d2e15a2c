//! Control plane and node in one process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use roadstead_base::{SharedClock, SystemClock};
use roadstead_dispatch::{Limits, Listener, Trust};
use roadstead_net::{HostAttachError, VpcId};

use crate::config::{UpArgs, UpConfig};
use crate::node::{Machine, Node, Settings};
use crate::place::{self, Claim};
use crate::plane::Plane;
use crate::signals::{Ending, Signals};

/// For the node to register with the control plane beside it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let config = args.settle()?;
    let mut signals = Signals::listen()?;
    let claim = Claim::take(&config.data)?;
    let clock: SharedClock = Arc::new(SystemClock);
    if config.ephemeral {
        // What a killed ephemeral daemon recorded belongs to a control plane that is no more.
        place::forget_agent(&config.data)?;
    }
    let socket = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}: choose another address with --listen", config.listen))?;
    let listen = socket.local_addr()?;
    let mut plane = Plane::start(&config, clock.clone()).await?;
    let settings = settings(&config, &plane, listen).await?;
    let machine = Machine::open(&config.data, &settings, clock.clone()).await?;
    plane.serve(Listener { socket, trust: Trust::UnknownIsRoot, limits: Limits::default() });
    let trust = if config.open_task_api { Trust::UnknownIsRoot } else { Trust::IssuedOnly };
    plane.serve(Listener { socket: machine.task_api().await?, trust, limits: Limits::default() });
    let node = machine.start(&config.data, settings, clock).await?;
    node.agent.connected(PATIENCE).await?;
    attach_host(&config, &plane, &machine).await?;
    println!("ready: http://{listen} (region {}, account {})", config.region, config.account);

    let ending = signals.ending().await;
    finish(&config, plane, machine, node, ending).await?;
    drop(claim);
    Ok(())
}

async fn settings(config: &UpConfig, plane: &Plane, listen: std::net::SocketAddr) -> Result<Settings> {
    let key = plane.node_key(&config.account)?;
    let vpc = plane.default_vpc(config).await?;
    let subnet = vpc.as_ref().and_then(|vpc| vpc.subnets.first());
    Ok(Settings {
        backend: format!("http://{listen}"),
        access_key: key.access_key,
        secret_key: key.secret_key,
        region: config.region.to_string(),
        availability_zone: subnet.map_or_else(|| format!("{}a", config.region), |it| it.availability_zone.clone()),
        vpc_id: vpc.as_ref().map(|vpc| vpc.vpc_id.to_string()).unwrap_or_default(),
        subnet_id: subnet.map(|subnet| subnet.subnet_id.to_string()).unwrap_or_default(),
        clusters: config.clusters.clone(),
        fargate: true,
        eni_slots: config.eni_slots,
        reserved_tcp: vec![listen.port()],
        mirrors: config.registry_mirrors.clone(),
        ephemeral: config.ephemeral,
        task_api: true,
    })
}

/// Gives this machine its way into the default VPC, or says why not; everything else works without.
async fn attach_host(config: &UpConfig, plane: &Plane, machine: &Machine) -> Result<()> {
    let Some(vpc) = plane.default_vpc(config).await? else { return Ok(()) };
    let vpc_id = VpcId::parse(vpc.vpc_id.as_str())?;
    if !config.host_attachment {
        machine.network.detach_host(&vpc_id).await?;
        return Ok(());
    }
    match machine.network.attach_host(&vpc_id, vpc.cidr).await {
        Ok(()) => Ok(()),
        Err(refused @ HostAttachError::Refused { .. }) => {
            println!("host attachment refused: {refused}; choose another network with --default-vpc-cidr");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The node first, so that what it says of its tasks is still recorded.
async fn finish(config: &UpConfig, plane: Plane, machine: Machine, node: Node, ending: Ending) -> Result<()> {
    let removed = match ending {
        Ending::Detach if !config.ephemeral => {
            node.detach().await;
            Ok(())
        }
        Ending::Detach | Ending::Down => {
            println!("stopping all tasks");
            node.stop_all().await
        }
    };
    drop(machine);
    plane.stop().await;
    if config.ephemeral {
        place::forget_agent(&config.data)?;
    }
    removed
}
