//! An agent on the machine it runs on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roadstead_acs::{FARGATE_CLUSTER, RoleCredentials};
use roadstead_base::{SharedClock, SystemClock};
use roadstead_image::Images;
use roadstead_net::{AGENT_ADDRESS, Network};
use roadstead_runtime::{Runtime, UserNamespace};

use super::agent::{Parts, Running, StartError, stop_and_remove};
use super::options::{self, Options};
use crate::api::register::Node;
use crate::api::{CallError, Client, Endpoint, EndpointError, Trust, TrustError};
use crate::driver::{Driver, Failure};
use crate::engine::ledger::Capacity;
use crate::engine::spec::SecretRef;
use crate::journal::{Files, Journal, JournalError};
use crate::metadata;
use crate::real::{Allowed, Dirs, Place, RealNode};
use crate::run::{Engine, EngineError};
use crate::upstream::{LogCall, News, Protection, Upstream, UpstreamError};

/// The port of the metadata endpoint.
const METADATA_PORT: u16 = 80;

/// Why an agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the option {option}: {why}")]
    Option { option: &'static str, why: String },
    #[error("opening the containers: {0}")]
    Runtime(#[from] roadstead_runtime::Error),
    #[error("opening the network: {0}")]
    Network(#[from] roadstead_net::Error),
    #[error("opening the images: {0}")]
    Images(#[from] roadstead_image::Error),
    #[error("the agent's records: {0}")]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Node(#[from] Failure),
    #[error("the metadata endpoint: {0}")]
    Metadata(#[source] std::io::Error),
}

/// The node's agent.
pub struct Agent;

/// A running agent of this machine. Dropping it ends the agent and lets its containers live.
pub struct Handle {
    running: Running,
    node: Arc<RealNode>,
    ephemeral: bool,
}

impl Agent {
    /// Finds what an earlier agent left, takes it over, and joins the clusters. Returns before it is registered:
    /// see [`Handle::connected`].
    ///
    /// # Errors
    /// [`Error`]; no container has been stopped then.
    pub async fn start(options: Options) -> Result<Handle, Error> {
        let clock: SharedClock = Arc::new(SystemClock);
        let endpoint = Endpoint::parse(&options.backend)?;
        let journal: Arc<dyn Journal> =
            Arc::new(Files::open(options::records(&options.data), !options.ephemeral)?);
        let node = real(&options, journal.clone(), clock.clone()).await?;
        let description = describe(&options, node.network_modes())?;
        let mut clusters = options.clusters.clone();
        if options.fargate {
            clusters.push(FARGATE_CLUSTER.to_owned());
        }
        let trust = Trust::of(&endpoint, options.ca.as_deref())?;
        let client = Client::new(
            endpoint,
            options.credentials.clone(),
            &options.region,
            clock.clone(),
        )
        .trusting(trust);
        node.ask_secrets_of(client.clone());
        // Bound before any task runs: a task must never find the address unanswered.
        let address = SocketAddr::from((AGENT_ADDRESS, METADATA_PORT));
        let listener = node.network().listen_in_agent_ns(address).await?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::Metadata)?;
        let place = metadata::Place {
            availability_zone: options.availability_zone.clone(),
            vpc_id: options.vpc_id.clone(),
        };
        let mut running = Running::start(Parts {
            driver: node.clone(),
            journal,
            client,
            clock,
            node: description,
            clusters,
            limits: options.limits,
            timing: options.timing,
        })
        .await?;
        let engine = running.engine.clone();
        let samples = running.samples.clone();
        running.attend(metadata::serve(listener, engine, place, samples));
        Ok(Handle {
            running,
            node,
            ephemeral: options.ephemeral,
        })
    }

    /// Stops all tasks of a node whose agent is not running, in order and with their stop timeouts, and removes
    /// every trace of the instance from the machine. What ended is told to the control plane by the next start.
    ///
    /// # Errors
    /// [`Error`]: what could not be opened, read or removed.
    pub async fn remove_all(options: Options) -> Result<(), Error> {
        let clock: SharedClock = Arc::new(SystemClock);
        let journal: Arc<dyn Journal> = Arc::new(Files::open(options::records(&options.data), true)?);
        let node = real(&options, journal.clone(), clock.clone()).await?;
        let capacity = Capacity {
            cpu: u64::MAX / 2,
            memory: u64::MAX / 2,
        };
        let engine = Engine::start(
            node.clone(),
            journal,
            Arc::new(Nobody),
            clock,
            capacity,
            options.limits.clone(),
        )
        .await?;
        stop_and_remove(&engine, Duration::ZERO).await;
        engine.shut_down().await;
        Ok(node.remove_all().await?)
    }
}

async fn real(
    options: &Options,
    journal: Arc<dyn Journal>,
    clock: SharedClock,
) -> Result<Arc<RealNode>, Error> {
    let wrong = |option, why: &dyn std::fmt::Display| Error::Option {
        option,
        why: why.to_string(),
    };
    let instance = options
        .instance
        .parse()
        .map_err(|error| wrong("instance", &error))?;
    let mut runtime = roadstead_runtime::Options::new(instance, options::containers(&options.data));
    runtime.shim_exe.clone_from(&options.shim);
    let runtime = Runtime::open(runtime).await?;
    let network = roadstead_net::Options {
        instance: roadstead_net::InstanceId::parse(&options.instance)
            .map_err(|error| wrong("instance", &error))?,
        state_dir: options::network(&options.data),
        node_namespace: options.node_namespace.clone(),
        on_node: false,
        helper: Some(options.shim.clone()),
    };
    let network = Network::open(network).await?;
    let images = Images::open(options.images.clone()).await?;
    let place = Place {
        region: options.region.clone(),
        task_endpoint: options.task_endpoint.clone(),
        host_endpoint: options.host_endpoint.clone(),
        allowed: Allowed {
            privileged: options.allow_privileged,
            users: options.users.map(|(first, size)| UserNamespace { first, size }),
        },
    };
    let dirs = Dirs {
        containers: options::containers(&options.data),
        tasks: options::tasks(&options.data),
        logs: options::logs(&options.data),
    };
    let (behaviour, patience) = (options.pull_behaviour, options.pull_patience);
    let node = RealNode::new(
        runtime, network, images, journal, dirs, place, behaviour, patience, clock,
    )
    .await?;
    Ok(Arc::new(node))
}

fn describe(options: &Options, modes: &[crate::engine::spec::NetworkMode]) -> Result<Node, Error> {
    let machine = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let total = options.memory.or_else(memory_mib).ok_or_else(|| Error::Option {
        option: "memory",
        why: "/proc/meminfo does not say how much there is; say it".to_owned(),
    })?;
    let memory = total
        .checked_sub(options.reserved_memory)
        .filter(|memory| *memory > 0)
        .ok_or_else(|| {
            let why = format!(
                "{} MiB of {total} leave nothing for tasks",
                options.reserved_memory
            );
            Error::Option {
                option: "reserved_memory",
                why,
            }
        })?;
    Ok(Node {
        instance_id: options.instance_id.clone().unwrap_or_default(),
        region: options.region.clone(),
        availability_zone: options.availability_zone.clone(),
        vpc_id: options.vpc_id.clone(),
        subnet_id: options.subnet_id.clone(),
        cpu: options.vcpus.map_or(machine, u64::from) * 1024,
        memory,
        reserved_tcp: options.reserved_ports.clone(),
        reserved_udp: options.reserved_udp_ports.clone(),
        eni_slots: options.eni_slots,
        attributes: options.attributes.clone(),
        network_modes: modes.to_vec(),
        privileged: options.allow_privileged,
        shares_namespaces: options.users.is_none(),
    })
}

fn memory_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

impl Handle {
    /// The engine: tasks, and who follows them.
    pub fn engine(&self) -> &Engine {
        &self.running.engine
    }

    pub fn running(&self) -> &Running {
        &self.running
    }

    /// For the host's attachment, and for listeners that tasks reach.
    pub fn network(&self) -> &Network {
        self.node.network()
    }

    pub fn images(&self) -> &Images {
        self.node.images()
    }

    pub fn runtime(&self) -> &Runtime {
        self.node.runtime()
    }

    /// `i-…`
    pub fn instance_id(&self) -> &str {
        &self.running.node.instance_id
    }

    /// Waits until every registration is connected.
    ///
    /// # Errors
    /// See [`Running::connected`].
    pub async fn connected(&self, patience: Duration) -> Result<(), Failure> {
        self.running.connected(patience).await
    }

    /// Ends the agent; its containers live on and are found again by the next.
    pub async fn detach(self) {
        self.running.detach().await;
    }

    /// Stops every task and removes every trace of this instance from the machine.
    ///
    /// # Errors
    /// What could not be removed.
    pub async fn stop_all(self) -> Result<(), Failure> {
        self.running.stop_all().await
    }

    /// [`Handle::stop_all`] for an ephemeral node, [`Handle::detach`] for any other.
    ///
    /// # Errors
    /// What could not be removed.
    pub async fn shut_down(self) -> Result<(), Failure> {
        if self.ephemeral {
            self.stop_all().await
        } else {
            self.detach().await;
            Ok(())
        }
    }
}

/// The control plane of a node that is being cleared away: nobody listens.
struct Nobody;

#[async_trait]
impl Upstream for Nobody {
    async fn submit(&self, _: &str, _: &str, _: &News) -> Result<(), UpstreamError> {
        Err(UpstreamError::Later("the node is being cleared away".to_owned()))
    }

    async fn tags(&self, _: &str) -> Result<BTreeMap<String, String>, UpstreamError> {
        Err(UpstreamError::Later("the node is being cleared away".to_owned()))
    }

    async fn logs(&self, _: Option<&RoleCredentials>, _: &str, _: &LogCall) -> Result<(), CallError> {
        // For good: whoever sends lines at the end of a container does not wait then.
        Err(CallError::Api {
            operation: "PutLogEvents",
            code: "Gone".to_owned(),
            message: "the node is being cleared away while its control plane is not there".to_owned(),
            status: 400,
            request_id: None,
        })
    }

    async fn secret(&self, _: &RoleCredentials, _: &SecretRef) -> Result<Option<String>, CallError> {
        Err(CallError::Api {
            operation: "reading a secret",
            code: "Gone".to_owned(),
            message: "the node is being cleared away while its control plane is not there".to_owned(),
            status: 400,
            request_id: None,
        })
    }

    async fn protection(
        &self,
        _: &RoleCredentials,
        _: &str,
        _: &str,
        _: Protection,
    ) -> Result<Result<roadstead_api_ecs::ProtectedTask, roadstead_api_ecs::Failure>, CallError> {
        Err(CallError::Transport {
            operation: "asking for a task's protection",
            problem: "the node is being cleared away while its control plane is not there".to_owned(),
        })
    }

    fn region(&self) -> &str {
        ""
    }
}
