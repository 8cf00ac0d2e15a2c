//! What an operator, or `roadstead up`, says about a node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::Credentials;
use crate::channel::Timing;
use crate::real::PullBehaviour;
use crate::run::Limits;

/// Settings of an agent. [`Options::new`] gives the usual ones.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL of the ECS API: `http://127.0.0.1:4566`, or https.
    pub backend: String,
    /// Certificates in PEM that the API's own must be signed by; those that the machine trusts without it.
    pub ca: Option<PathBuf>,
    pub credentials: Credentials,
    pub region: String,
    /// One registration each, made if the cluster does not exist yet.
    pub clusters: Vec<String>,
    /// One further registration, for the capacity behind launch type FARGATE.
    pub fargate: bool,
    /// 4 to 6 letters and digits that stand in every name made on this machine.
    pub instance: String,
    /// `i-…`; without it, the one that this data directory was given.
    pub instance_id: Option<String>,
    pub vpc_id: String,
    pub subnet_id: String,
    pub availability_zone: String,
    /// Task interfaces that the node takes at the same time.
    pub eni_slots: u32,
    /// Attributes of the operator's own.
    pub attributes: BTreeMap<String, String>,
    /// vCPUs for tasks; all of the machine's without it.
    pub vcpus: Option<u32>,
    /// MiB for tasks before the reserve is taken off; all of the machine's without it.
    pub memory: Option<u64>,
    /// MiB that tasks do not get.
    pub reserved_memory: u64,
    /// TCP ports that tasks do not get, the API's own for one.
    pub reserved_ports: Vec<u16>,
    pub reserved_udp_ports: Vec<u16>,
    /// Privileged containers run here: whoever may run tasks owns the machine then.
    pub allow_privileged: bool,
    /// First host id, and how many: containers' users are these of the host. Without it, they are the host's own.
    pub users: Option<(u32, u32)>,
    /// Holds `containers`, `network`, `images`, `tasks`, `logs` and `agent`.
    pub data: PathBuf,
    /// The tasks end with the agent: [`super::Handle::shut_down`] stops them.
    pub ephemeral: bool,
    /// The API as awsvpc tasks reach it, for their environment: `http://169.254.170.2:4566`. Who listens there is
    /// the caller's business: [`super::Handle::network`].
    pub task_endpoint: Option<String>,
    /// The API as tasks in the host's own network reach it.
    pub host_endpoint: Option<String>,
    /// Registries, mirrors and bounds. The store is `DATA/images` unless this says another.
    pub images: roadstead_image::Options,
    pub pull_behaviour: PullBehaviour,
    /// How long a registry may take when the image is here anyway.
    pub pull_patience: Duration,
    /// A binary that begins with [`roadstead_runtime::shim_main_if_asked`]: usually this one.
    pub shim: PathBuf,
    /// The network namespace that plays the node; the agent's own without it.
    pub node_namespace: Option<PathBuf>,
    pub limits: Limits,
    pub timing: Timing,
}

impl Options {
    pub fn new(backend: &str, credentials: Credentials, data: impl Into<PathBuf>, instance: &str) -> Self {
        let data = data.into();
        Self {
            backend: backend.to_owned(),
            ca: None,
            credentials,
            region: "us-east-1".to_owned(),
            clusters: vec!["default".to_owned()],
            fargate: true,
            instance: instance.to_owned(),
            instance_id: None,
            vpc_id: String::new(),
            subnet_id: String::new(),
            availability_zone: String::new(),
            eni_slots: 120,
            attributes: BTreeMap::new(),
            vcpus: None,
            memory: None,
            reserved_memory: 256,
            reserved_ports: vec![4566],
            reserved_udp_ports: Vec::new(),
            allow_privileged: false,
            users: None,
            ephemeral: false,
            task_endpoint: Some(format!("http://{}:4566", roadstead_net::AGENT_ADDRESS)),
            host_endpoint: Some(backend.to_owned()),
            images: roadstead_image::Options::new(data.join("images")),
            pull_behaviour: PullBehaviour::default(),
            pull_patience: Duration::from_secs(5),
            shim: PathBuf::from("/proc/self/exe"),
            node_namespace: None,
            limits: Limits::default(),
            timing: Timing::default(),
            data,
        }
    }
}

pub(crate) fn containers(data: &Path) -> PathBuf {
    data.join("containers")
}

pub(crate) fn network(data: &Path) -> PathBuf {
    data.join("network")
}

/// The agent's own records.
pub(crate) fn records(data: &Path) -> PathBuf {
    data.join("agent")
}

/// Logs of containers that are gone.
pub(crate) fn logs(data: &Path) -> PathBuf {
    data.join("logs")
}

/// Volumes and name files of tasks.
pub(crate) fn tasks(data: &Path) -> PathBuf {
    data.join("tasks")
}
