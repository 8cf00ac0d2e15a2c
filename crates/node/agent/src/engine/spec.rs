//! What a task is to be, checked once when its payload arrives, so that nothing later has to wonder what a
//! string in it might have meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_acs::{ElasticNetworkInterface, MountPoint, RoleCredentials, VolumeFrom};
use roadstead_awslogs::{Delivery, Options as Awslogs};
use roadstead_base::derived_hex;
use roadstead_log_drivers::Driver as Receiver;
use roadstead_volumes::Storage;

use super::docker::{Config, HostConfig};
use super::health::HealthCheck;
use super::restart::RestartPolicy;

/// Default time between the stop signal and SIGKILL, in milliseconds.
pub const STOP_TIMEOUT_MS: i64 = 30_000;

/// One task of this node.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The whole ARN: the task's name towards the control plane.
    pub arn: String,
    /// What follows the last slash of the ARN: the task's name on this machine.
    pub id: String,
    pub cluster_arn: String,
    pub family: String,
    pub revision: String,
    pub launch_type: LaunchType,
    pub network: NetworkMode,
    /// CPU units, 1024 to the vCPU; 0 is no limit for the task as a whole.
    pub cpu: u64,
    /// MiB; 0 is no limit for the task as a whole.
    pub memory: u64,
    /// GiB of disk that the task may fill; 0 is no limit.
    pub storage_gib: u64,
    /// In the order of the task definition.
    pub containers: Vec<Container>,
    pub volumes: Vec<Volume>,
    pub interfaces: Vec<ElasticNetworkInterface>,
    pub pid: Sharing,
    pub ipc: Sharing,
    pub group: String,
    pub service_name: String,
    /// Of the keys of its own role, for as long as it lives.
    pub credentials_id: Option<String>,
    /// The keys it is prepared with, while it is: never written down.
    pub execution_keys: Option<RoleCredentials>,
    /// Whether it is prepared, and its logs sent, as a role of its own; else as the node.
    pub has_execution_role: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchType {
    Ec2,
    Fargate,
    External,
}

impl LaunchType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Fargate => "FARGATE",
            Self::External => "EXTERNAL",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    Awsvpc,
    Bridge,
    Host,
    None,
}

impl NetworkMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awsvpc => "awsvpc",
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
        }
    }
}

/// Whose namespace the containers are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Each its own.
    #[default]
    None,
    /// One for the task.
    Task,
    /// The machine's.
    Host,
}

/// A port of a container, or a range of them, and where it leads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub first: u16,
    /// The same as `first` unless it is a range.
    pub last: u16,
    /// Of the node; 0: the node chooses, if the mode has ports of its own.
    pub host: u16,
    pub udp: bool,
}

impl Port {
    pub fn protocol(self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }

    pub fn is_range(self) -> bool {
        self.last > self.first
    }
}

/// Another container of the task by a name of this one's choosing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub container: String,
    pub alias: String,
}

/// A secret with the name and password that an image is pulled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySecret {
    /// Its name or ARN.
    pub secret: String,
    pub region: String,
}

/// A variable whose value is a secret, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    pub name: String,
    pub region: String,
    pub source: SecretSource,
}

/// Where a secret's value is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Secrets Manager.
    Secret {
        arn: String,
        json_key: Option<String>,
        version_stage: Option<String>,
        version_id: Option<String>,
    },
    /// Systems Manager: a parameter by its name or ARN, with `:version` or `:label` where it was asked for.
    Parameter(String),
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    pub name: String,
    pub arn: String,
    /// Derived from the task: a second try makes no second container.
    pub runtime_id: String,
    /// The id in the metadata address, derived as well.
    pub metadata_id: String,
    pub image: String,
    /// What it is called: as the definition has it, without the digest that it was found to be.
    pub image_name: String,
    /// Who pulls it, unless anybody may.
    pub registry: Option<RegistrySecret>,
    /// CPU units; 0 is unset.
    pub cpu: u64,
    /// MiB, hard limit; 0 is unset.
    pub memory: u64,
    pub essential: bool,
    pub entry_point: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub environment: BTreeMap<String, String>,
    /// Variables whose values are read when the container is made.
    pub secrets: Vec<SecretRef>,
    pub ports: Vec<Port>,
    /// Through a bridge alone.
    pub links: Vec<Link>,
    pub mounts: Vec<MountPoint>,
    pub volumes_from: Vec<VolumeFrom>,
    /// What must have happened to other containers before this one is created.
    pub depends_on: Vec<Dependency>,
    /// Milliseconds that others wait for this one to reach what they depend on.
    pub start_timeout_ms: Option<i64>,
    /// Milliseconds between the stop signal and SIGKILL.
    pub stop_timeout_ms: i64,
    /// Where its output is sent; without it, it stays in the node's files.
    pub sending: Option<Sending>,
    pub health: Option<HealthCheck>,
    /// Whether it runs again when it ends.
    pub restart: Option<RestartPolicy>,
    pub config: Config,
    pub host: HostConfig,
}

/// Where output is sent from the node's disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Sending {
    /// To CloudWatch Logs.
    Awslogs(Awslogs),
    /// To a receiver of the user's.
    Receiver(Arc<Receiver>),
}

impl Sending {
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Awslogs(options) => options.delivery,
            Self::Receiver(driver) => driver.delivery(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub container: String,
    pub condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has been started.
    Start,
    /// It has run and ended.
    Complete,
    /// It has run and ended with exit code 0.
    Success,
    /// It runs, and its health check says that it is well.
    Healthy,
}

impl Condition {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Success => "SUCCESS",
            Self::Healthy => "HEALTHY",
        }
    }
}

/// Where a mount point's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    pub source: VolumeSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A directory that lives as long as the task.
    Task,
    /// A path of the host.
    Host(String),
    Docker(DockerVolume),
}

/// As Docker's driver `local` would make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerVolume {
    pub storage: Storage,
    /// Of one that outlives the task; others go with it.
    pub shared: Option<SharedVolume>,
}

/// What is made of a volume that is not on the node yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedVolume {
    /// Whether it is made at all.
    pub autoprovision: bool,
    pub options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

impl Task {
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// Other tasks wait to run the very image that this container's tag leads to: those of the same service.
    pub fn resolves_for_others(&self, container: &Container) -> bool {
        self.group.starts_with("service:") && !container.image.contains('@')
    }

    /// What Docker would call a container.
    pub fn docker_name(&self, container: &Container) -> String {
        format!("ecs-{}-{}-{}", self.family, self.revision, container.name)
    }

    /// A container's labels: those of its definition, and those that say whose it is.
    pub fn labels(&self, container: &Container) -> BTreeMap<String, String> {
        let mut labels = container.config.labels.clone().unwrap_or_default();
        for (name, value) in [
            ("cluster", &self.cluster_arn),
            ("container-name", &container.name),
            ("task-arn", &self.arn),
            ("task-definition-family", &self.family),
            ("task-definition-version", &self.revision),
        ] {
            labels.insert(format!("com.amazonaws.ecs.{name}"), value.clone());
        }
        labels
    }

    /// The pause container's name towards the runtime.
    pub fn pause_id(&self) -> String {
        pause_id(&self.id)
    }

    /// What the task takes of the node: the task's own size, else the sum over its containers.
    pub fn needs(&self) -> super::ledger::Needs {
        let sum = |of: fn(&Container) -> u64| self.containers.iter().map(of).sum::<u64>();
        let memory = |container: &Container| match container.host.memory_reservation_mib() {
            0 => container.memory,
            reserved => reserved,
        };
        let ports = self.containers.iter().flat_map(|container| &container.ports);
        let ports = match self.network {
            NetworkMode::Host => ports
                .flat_map(|port| (port.first..=port.last).map(|number| (number, port.udp)))
                .collect(),
            // The others are chosen among what is free then.
            NetworkMode::Bridge => ports
                .filter(|port| port.host != 0)
                .map(|port| (port.host, port.udp))
                .collect(),
            NetworkMode::Awsvpc | NetworkMode::None => Vec::new(),
        };
        super::ledger::Needs {
            cpu: if self.cpu == 0 {
                sum(|container| container.cpu)
            } else {
                self.cpu
            },
            memory: if self.memory == 0 {
                sum(memory)
            } else {
                self.memory
            },
            ports,
        }
    }
}

/// The runtime's name of a container: the task's id and ten digits, as the service shows it for Fargate.
pub fn runtime_id(task_arn: &str, task_id: &str, container: &str) -> String {
    format!(
        "{task_id}-{}",
        derived_hex(task_arn, &format!("container/{container}"), 10)
    )
}

/// The runtime's name of a task's pause container.
pub fn pause_id(task_id: &str) -> String {
    format!("{task_id}-pause")
}

/// The id in the metadata address of a container.
pub fn metadata_id(task_arn: &str, container: &str) -> String {
    derived_hex(task_arn, &format!("metadata/{container}"), 32)
}
