//! What crosses the agent channel (ACS): the control plane's messages to a node's agent and the agent's
//! answers. No published model carries these shapes; the vendor's agent and ours must both read them, so
//! they live apart from either end. [`telemetry`] is the other channel's (TCS); [`network`] is our own addition: the
//! map of a VPC.

mod answers;
mod frame;
pub mod network;
mod orders;
mod payload;
pub mod telemetry;

pub use answers::{Ack, CredentialsAck, HeartbeatAck, Nack, TaskStopVerification};
pub use frame::{Frame, FrameError, FromAgent, FromTelemetry, ToAgent, ToTelemetry};
pub use orders::{
    AttachTaskNetworkInterfaces, Close, Error, Heartbeat, IamRoleCredentials, ManifestTask, NetworkMap,
    Payload, ROLE_OF_APPLICATION, ROLE_OF_EXECUTION, StopTask, TaskManifest, TaskStopVerificationAck,
};
pub use payload::{
    AsmAuthData, Container, DependsOn, DockerConfig, DockerVolume, ElasticNetworkInterface, HostVolume,
    Ipv4Address, Ipv6Address, MountPoint, PortMapping, RegistryAuthentication, RestartPolicy,
    RoleCredentials, Secret, Task, Volume, VolumeFrom,
};

/// Attribute an agent registers, and query parameter of its channel, that says it takes [`NetworkMap`]s and
/// makes its interfaces itself.
pub const CAPABILITY_NETWORK_MAP: &str = "roadstead.capability.network-map";
/// Attribute: how many task interfaces the instance holds.
pub const ATTRIBUTE_ENI_SLOTS: &str = "roadstead.eni-slots";
/// The reserved cluster that holds the capacity behind launch type FARGATE.
pub const FARGATE_CLUSTER: &str = "AWSFargate";
