//! Control plane and node in one process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use roadstead_agent::api::Credentials;
use roadstead_agent::node::{Agent, Handle, Options};
use roadstead_base::{SharedClock, SystemClock};
use roadstead_dispatch::{Limits, Listener, Security, Trust};
use roadstead_net::{AGENT_ADDRESS, HostAttachError, VpcId};
use tokio::net::TcpListener;

use crate::certificates::Certificates;
use crate::config::{UpArgs, UpConfig};
use crate::node::{TASK_API_PORT, options};
use crate::place::{self, Claim};
use crate::plane::Plane;
use crate::signals::{Ending, Signals};
use crate::users::Users;

/// For the node to register with the control plane beside it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let config = args.settle()?;
    let mut signals = Signals::listen()?;
    let claim = Claim::take(&config.data)?;
    if config.ephemeral {
        // What a killed ephemeral daemon recorded belongs to a control plane that is no more.
        place::forget_agent(&config.data)?;
    }
    let socket = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "listening on {}: choose another address with --listen",
            config.listen
        )
    })?;
    let listen = socket.local_addr()?;
    let public = bind_public(&config).await?;
    let clock: SharedClock = Arc::new(SystemClock);
    let certificates = Certificates::of(&config, &clock)?;
    let mut plane = Plane::start(&config, clock).await?;
    let mut node = node(&config, &plane, listen).await?;
    for socket in &public {
        node.reserved_ports.push(socket.local_addr()?.port());
    }
    serve(&config, &mut plane, socket, public, certificates)?;
    let node = Agent::start(node).await?;
    serve_tasks(&config, &mut plane, &node).await?;
    node.connected(PATIENCE).await?;
    attach_host(&config, &plane, &node).await?;
    plane.dispatcher.set_ready();
    println!(
        "ready: http://{listen} (region {}, account {})",
        config.region, config.account
    );

    let (ending, taken) = tokio::select! {
        ending = signals.ending() => (ending, None),
        holder = plane.lost() => (Ending::Detach, Some(holder)),
    };
    let ended = end(&config, plane, node, ending).await;
    drop(claim);
    match taken {
        Some(holder) => bail!(
            "{holder} took the store while this server did not reach it; its tasks go on, and are found again by the \
             next `roadstead up` that gets the store"
        ),
        None => ended,
    }
}

async fn bind_public(config: &UpConfig) -> Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for address in &config.public {
        let socket = TcpListener::bind(address).await;
        sockets.push(socket.with_context(|| {
            format!("listening on {address}: choose another address with --listen-public")
        })?);
    }
    Ok(sockets)
}

/// The API's listeners: the machine's own, where strangers are root, and those for other machines, where they
/// are nobody.
fn serve(
    config: &UpConfig,
    plane: &mut Plane,
    own: TcpListener,
    public: Vec<TcpListener>,
    certificates: Option<Certificates>,
) -> Result<()> {
    let tls = certificates.as_ref().map(Certificates::tls);
    plane.serve(Listener {
        socket: own,
        trust: Trust::UnknownIsRoot,
        limits: Limits::default(),
        security: match &tls {
            Some(tls) if config.tls => Security::Either(tls.clone()),
            _ => Security::Plain,
        },
    });
    for socket in public {
        let security = match &tls {
            Some(tls) if !config.public_without_tls => Security::Tls(tls.clone()),
            _ => Security::Plain,
        };
        let scheme = if matches!(security, Security::Plain) {
            "http"
        } else {
            "https"
        };
        println!("public: {scheme}://{}", socket.local_addr()?);
        plane.serve(Listener {
            socket,
            trust: Trust::IssuedOnly,
            limits: Limits::default(),
            security,
        });
    }
    if let Some(certificates) = certificates {
        plane.keep(certificates);
    }
    Ok(())
}

/// The node beside the control plane: in the default VPC's first zone, if there is one.
async fn node(config: &UpConfig, plane: &Plane, listen: SocketAddr) -> Result<Options> {
    let key = plane.node_key(config)?;
    let credentials = Credentials {
        access_key: key.access_key,
        secret_key: key.secret_key,
    };
    let mut node = options(
        &config.data,
        &format!("http://{listen}"),
        credentials,
        &config.registry_mirrors,
    )?;
    node.region = config.region.to_string();
    node.clusters.clone_from(&config.clusters);
    node.availability_zone = format!("{}a", config.region);
    config.images.apply(&mut node);
    node.eni_slots = config.eni_slots;
    node.allow_privileged = config.allow_privileged;
    node.users = config.users.map(|Users { first, count }| (first, count));
    node.reserved_ports = vec![listen.port()];
    node.ephemeral = config.ephemeral;
    node.task_endpoint = Some(format!("http://{AGENT_ADDRESS}:{TASK_API_PORT}"));
    if let Some(vpc) = plane.default_vpc(config).await? {
        node.vpc_id = vpc.vpc_id.to_string();
        if let Some(subnet) = vpc.subnets.first() {
            node.subnet_id = subnet.subnet_id.to_string();
            node.availability_zone.clone_from(&subnet.availability_zone);
        }
    }
    Ok(node)
}

/// The API inside tasks. Who has no key of ours is nobody there, unless the operator opened it.
async fn serve_tasks(config: &UpConfig, plane: &mut Plane, node: &Handle) -> Result<()> {
    let address = SocketAddr::from((AGENT_ADDRESS, TASK_API_PORT));
    let socket = node
        .network()
        .listen_in_agent_ns(address)
        .await
        .context("serving the API to tasks")?;
    let socket = TcpListener::from_std(socket)?;
    let trust = if config.open_task_api {
        Trust::Opened
    } else {
        Trust::IssuedOnly
    };
    plane.serve(Listener {
        socket,
        trust,
        limits: Limits::default(),
        security: Security::Plain,
    });
    Ok(())
}

/// Gives this machine its way into the default VPC, or says why not; everything else works without.
async fn attach_host(config: &UpConfig, plane: &Plane, node: &Handle) -> Result<()> {
    let Some(vpc) = plane.default_vpc(config).await? else {
        return Ok(());
    };
    let vpc_id = VpcId::parse(vpc.vpc_id.as_str())?;
    if !config.host_attachment {
        return Ok(node.network().detach_host(&vpc_id).await?);
    }
    match node.network().attach_host(&vpc_id, vpc.cidr).await {
        Ok(()) => Ok(()),
        Err(refused @ HostAttachError::Refused { .. }) => {
            println!("host attachment refused: {refused}; choose another network with --default-vpc-cidr");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The node first, so that what it says of its tasks is still recorded.
async fn end(config: &UpConfig, plane: Plane, node: Handle, ending: Ending) -> Result<()> {
    let removed = match ending {
        Ending::Detach => node.shut_down().await,
        Ending::Down => node.stop_all().await,
    };
    plane.stop().await;
    if config.ephemeral {
        place::forget_agent(&config.data)?;
    }
    Ok(removed?)
}
