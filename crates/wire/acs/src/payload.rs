//! A task as an agent gets it: the task definition compiled, with Docker API JSON in strings inside, as the
//! vendor's agent wants it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One task. Members of the vendor's that no payload of ours carries are ignored on reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Task {
    pub arn: String,
    pub task_cluster_arn: String,
    pub family: String,
    /// The revision, as text.
    pub version: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// JSON in a string; `{}` when there are none.
    pub overrides: String,
    pub containers: Vec<Container>,
    pub volumes: Vec<Volume>,
    /// vCPU; 0 is no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu: f64,
    /// MiB; 0 is no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: i64,
    /// `awsvpc`, `bridge`, `host` or `none`.
    pub network_mode: String,
    pub launch_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elastic_network_interfaces: Vec<ElasticNetworkInterface>,
    /// GiB of disk that the task may fill; 0 is no limit. No member of the vendor's, whose agent is not Fargate's.
    #[serde(skip_serializing_if = "is_default")]
    pub ephemeral_storage: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub pid_mode: String,
    #[serde(skip_serializing_if = "is_default")]
    pub ipc_mode: String,
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    #[serde(skip_serializing_if = "is_default")]
    pub service_name: String,
    #[serde(skip_serializing_if = "is_default")]
    pub task_definition_account_id: String,
    /// What the task's own calls are made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_credentials: Option<RoleCredentials>,
    /// What the agent prepares the task with: images, secrets, logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_credentials: Option<RoleCredentials>,
}

/// Keys of a role's session. The id stays the same for a task's life; the keys are renewed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleCredentials {
    pub credentials_id: String,
    pub role_arn: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    /// RFC 3339.
    pub expiration: String,
}

impl RoleCredentials {
    /// The same without its keys, to be written down.
    pub fn without_keys(&self) -> Self {
        Self {
            credentials_id: self.credentials_id.clone(),
            role_arn: self.role_arn.clone(),
            ..Self::default()
        }
    }

    pub fn has_keys(&self) -> bool {
        !self.access_key_id.is_empty()
    }
}

impl std::fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RoleCredentials({} of {}, keys withheld)",
            self.credentials_id, self.role_arn
        )
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    pub image: String,
    /// As the definition has it, where `image` is by the digest that this led to; the vendor's agent does not know it.
    #[serde(skip_serializing_if = "is_default")]
    pub defined_image: String,
    /// CPU units, 1024 to the vCPU; 0 is unset.
    pub cpu: i64,
    /// MiB, hard limit; 0 is unset. The reservation travels in the host configuration.
    pub memory: i64,
    pub essential: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    pub environment: BTreeMap<String, String>,
    pub port_mappings: Vec<PortMapping>,
    pub mount_points: Vec<MountPoint>,
    pub volumes_from: Vec<VolumeFrom>,
    pub links: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependsOn>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<i64>,
    /// Seconds; the agent's default is 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    pub overrides: String,
    pub docker_config: DockerConfig,
    pub container_arn: String,
    /// `docker` when there is a health check.
    #[serde(skip_serializing_if = "is_default")]
    pub health_check_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_authentication: Option<RegistryAuthentication>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
}

/// Whether a container that ends runs again in its task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartPolicy {
    pub enabled: bool,
    /// It stays stopped after these.
    pub ignored_exit_codes: Vec<i32>,
    /// Seconds that it must have run for.
    pub restart_attempt_period: i64,
}

/// A variable whose value the agent reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    pub name: String,
    pub value_from: String,
    /// `asm` or `ssm`.
    pub provider: String,
    /// `ENVIRONMENT_VARIABLE`, or `BOOTSTRAP`, which Roadstead never sends.
    #[serde(rename = "type")]
    pub kind: String,
    pub region: String,
}

/// Who pulls the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryAuthentication {
    /// `asm`, or `ecr`, which Roadstead never sends.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asm_auth_data: Option<AsmAuthData>,
}

/// A secret that holds `{"username": …, "password": …}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AsmAuthData {
    /// Its name or ARN.
    pub credentials_parameter: String,
    pub region: String,
}

/// Docker API JSON, in strings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerConfig {
    pub version: String,
    /// A container's `Config`: `User`, `WorkingDir`, `Hostname`, `Labels`, …
    pub config: String,
    /// A container's `HostConfig`: `NetworkMode`, `MemoryReservation`, `CapAdd`, `Ulimits`, …
    pub host_config: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortMapping {
    /// 0 with a range.
    pub container_port: u16,
    /// `first-last`; empty: the one port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container_port_range: String,
    /// 0: chosen by the agent.
    pub host_port: u16,
    pub protocol: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountPoint {
    pub source_volume: String,
    pub container_path: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeFrom {
    pub source_container: String,
    pub read_only: bool,
}

/// `condition`: `START`, `COMPLETE`, `SUCCESS` or `HEALTHY`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DependsOn {
    pub container_name: String,
    pub condition: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    pub name: String,
    /// `host` or `docker`.
    #[serde(rename = "type")]
    pub kind: String,
    pub host: HostVolume,
    /// Of the type `docker`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_volume_configuration: Option<DockerVolume>,
}

/// What Docker is to make of a volume; `scope`: `task` or `shared`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerVolume {
    pub scope: String,
    pub autoprovision: bool,
    pub driver: String,
    pub driver_opts: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

/// Without a path: a directory that lives as long as the task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostVolume {
    pub source_path: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ElasticNetworkInterface {
    pub attachment_arn: String,
    /// `eni-…`
    pub ec2_id: String,
    pub mac_address: String,
    pub ipv4_addresses: Vec<Ipv4Address>,
    /// `a.b.c.d/len`; the length is the prefix of every address.
    pub subnet_gateway_ipv4_address: String,
    /// Empty in a subnet without an IPv6 block; an agent that does not know them serves IPv4 alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6_addresses: Vec<Ipv6Address>,
    /// `a:b::c/len`; the length is the prefix of every IPv6 address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subnet_gateway_ipv6_address: String,
    pub domain_name_servers: Vec<String>,
    /// Search domains.
    pub domain_name: Vec<String>,
    pub private_dns_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ipv4Address {
    pub primary: bool,
    pub private_address: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ipv6Address {
    pub address: String,
}
