//! The node put together: containers, images, network, and the agent that works them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use roadstead_acs::FARGATE_CLUSTER;
use roadstead_agent::api::register::Node as Facts;
use roadstead_agent::api::{Client, Credentials, Endpoint};
use roadstead_agent::channel::Timing;
use roadstead_agent::driver::Driver;
use roadstead_agent::engine::spec::NetworkMode;
use roadstead_agent::journal::{Files, Journal};
use roadstead_agent::node::{Parts, Running};
use roadstead_agent::real::{Place, PullBehaviour, RealNode};
use roadstead_agent::run::Limits;
use roadstead_base::SharedClock;
use roadstead_image::{Images, Mirror};
use roadstead_net::{AGENT_ADDRESS, Network};
use roadstead_runtime::Runtime;
use tokio::task::JoinHandle;

use crate::place;

/// Port of the API inside tasks, as local tools know it.
const TASK_API_PORT: u16 = 4566;
const METADATA_PORT: u16 = 80;
/// A registry that is slower than this is not waited for when the image is here.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(60);
/// Memory that tasks do not get: the daemon's own and a margin for the machine.
const RESERVED_MIB: u64 = 256;

/// What differs between nodes.
pub(crate) struct Settings {
    /// Base URL of the control plane's API.
    pub backend: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    pub availability_zone: String,
    pub vpc_id: String,
    pub subnet_id: String,
    pub clusters: Vec<String>,
    /// Offers itself as capacity of launch type FARGATE too.
    pub fargate: bool,
    pub eni_slots: u32,
    /// Ports of the host that tasks cannot have.
    pub reserved_tcp: Vec<u16>,
    pub mirrors: Vec<Mirror>,
    /// State need not survive the machine's own crash.
    pub ephemeral: bool,
    /// Whether the API answers at 169.254.170.2:4566.
    pub task_api: bool,
}

impl Settings {
    /// For work on the machine without an agent.
    pub(crate) fn bare() -> Self {
        Self {
            backend: String::new(),
            access_key: String::new(),
            secret_key: String::new(),
            region: String::new(),
            availability_zone: String::new(),
            vpc_id: String::new(),
            subnet_id: String::new(),
            clusters: Vec::new(),
            fargate: false,
            eni_slots: 0,
            reserved_tcp: Vec::new(),
            mirrors: Vec::new(),
            ephemeral: false,
            task_api: false,
        }
    }
}

/// Containers, images and network of this machine, without an agent.
pub(crate) struct Machine {
    pub driver: Arc<RealNode>,
    pub network: Network,
    journal: Arc<dyn Journal>,
}

impl Machine {
    pub(crate) async fn open(data: &Path, settings: &Settings, clock: SharedClock) -> Result<Self> {
        let instance = place::instance(data)?;
        let options = roadstead_runtime::Options::new(instance.parse()?, place::containers(data));
        let runtime = Runtime::open(options).await.context("opening the containers")?;
        let network = Network::open(roadstead_net::Options {
            instance: roadstead_net::InstanceId::parse(&instance)?,
            state_dir: place::network(data),
            node_namespace: None,
        })
        .await
        .context("opening the network")?;
        let mut options = roadstead_image::Options::new(place::images(data));
        options.mirrors.clone_from(&settings.mirrors);
        let images = Images::open(options).await.context("opening the images")?;
        let journal: Arc<dyn Journal> = Arc::new(Files::open(place::agent(data), !settings.ephemeral)?);
        let surroundings = Place {
            region: settings.region.clone(),
            task_endpoint: settings.task_api.then(|| format!("http://{AGENT_ADDRESS}:{TASK_API_PORT}")),
            host_endpoint: Some(settings.backend.clone()),
        };
        let driver = RealNode::new(
            runtime,
            network.clone(),
            images,
            journal.clone(),
            place::tasks(data),
            surroundings,
            PullBehaviour::default(),
            REGISTRY_PATIENCE,
            clock,
        )
        .await?;
        Ok(Self { driver: Arc::new(driver), network, journal })
    }

    /// Sockets for tasks, in the agent's own namespace.
    async fn listen(&self, port: u16) -> Result<tokio::net::TcpListener> {
        let address = SocketAddr::from((AGENT_ADDRESS, port));
        let socket = self.network.listen_in_agent_ns(address).await?;
        socket.set_nonblocking(true)?;
        Ok(tokio::net::TcpListener::from_std(socket)?)
    }

    /// The API's socket for tasks.
    pub(crate) async fn task_api(&self) -> Result<tokio::net::TcpListener> {
        self.listen(TASK_API_PORT).await
    }

    /// Starts the agent and waits until it is registered everywhere.
    pub(crate) async fn start(&self, data: &Path, settings: Settings, clock: SharedClock) -> Result<Node> {
        let credentials =
            Credentials { access_key: settings.access_key.clone(), secret_key: settings.secret_key.clone() };
        let client =
            Client::new(Endpoint::parse(&settings.backend)?, credentials, &settings.region, clock.clone());
        let mut clusters = settings.clusters.clone();
        if settings.fargate {
            clusters.push(FARGATE_CLUSTER.to_owned());
        }
        let memory = machine_memory_mib()?.saturating_sub(RESERVED_MIB);
        let facts = Facts {
            instance_id: place::node_id(data)?,
            region: settings.region.clone(),
            availability_zone: settings.availability_zone.clone(),
            vpc_id: settings.vpc_id.clone(),
            subnet_id: settings.subnet_id.clone(),
            cpu: std::thread::available_parallelism()?.get() as u64 * 1024,
            memory,
            reserved_tcp: settings.reserved_tcp.clone(),
            reserved_udp: Vec::new(),
            eni_slots: settings.eni_slots,
            attributes: [].into(),
            network_modes: vec![NetworkMode::Awsvpc, NetworkMode::Host, NetworkMode::None],
        };
        let agent = Running::start(Parts {
            driver: self.driver.clone(),
            journal: self.journal.clone(),
            client,
            clock,
            node: facts,
            clusters,
            limits: Limits::default(),
            timing: Timing::default(),
        })
        .await?;
        let place = roadstead_agent::metadata::Place {
            availability_zone: settings.availability_zone,
            vpc_id: settings.vpc_id,
        };
        let metadata = self.listen(METADATA_PORT).await.context("serving task metadata")?;
        let metadata = tokio::spawn(roadstead_agent::metadata::serve(metadata, agent.engine.clone(), place));
        Ok(Node { agent, metadata })
    }

    /// Removes every trace of this instance from the machine, tasks included.
    pub(crate) async fn remove_all(&self) -> Result<()> {
        Ok(self.driver.remove_all().await?)
    }
}

/// A running node.
pub(crate) struct Node {
    pub agent: Running,
    metadata: JoinHandle<()>,
}

impl Node {
    /// Ends the agent; its containers live on.
    pub(crate) async fn detach(self) {
        self.metadata.abort();
        self.agent.detach().await;
    }

    /// Stops all tasks and removes every trace of them.
    pub(crate) async fn stop_all(self) -> Result<()> {
        self.metadata.abort();
        Ok(self.agent.stop_all().await?)
    }
}

fn machine_memory_mib() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).context("/proc/meminfo says MemTotal")?;
    let kib: u64 = total.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024)
}
