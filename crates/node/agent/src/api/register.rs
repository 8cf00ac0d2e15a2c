//! RegisterContainerInstance: what this node says it is.

use std::collections::BTreeMap;

use roadstead_acs::{ATTRIBUTE_ENI_SLOTS, CAPABILITY_NETWORK_MAP};
use roadstead_api_ecs::{
    Attribute, ContainerInstance, CreateClusterRequest, CreateClusterResponse,
    RegisterContainerInstanceRequest, RegisterContainerInstanceResponse, Resource, VersionInfo,
};

use super::client::{CallError, Client};
use crate::engine::spec::NetworkMode;

/// Ports that the vendor's agent never gives to tasks: SSH, Docker, its own.
pub const RESERVED_TCP: [u16; 5] = [22, 2375, 2376, 51678, 51679];

/// What the node has and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `i-…`
    pub instance_id: String,
    pub region: String,
    pub availability_zone: String,
    pub vpc_id: String,
    pub subnet_id: String,
    /// CPU units, 1024 to the vCPU.
    pub cpu: u64,
    /// MiB for tasks.
    pub memory: u64,
    /// TCP ports that tasks cannot have, besides [`RESERVED_TCP`].
    pub reserved_tcp: Vec<u16>,
    pub reserved_udp: Vec<u16>,
    pub eni_slots: u32,
    /// Attributes of the operator's own.
    pub attributes: BTreeMap<String, String>,
    pub network_modes: Vec<NetworkMode>,
    /// The operator allows privileged containers.
    pub privileged: bool,
    /// Containers can share process and IPC namespaces: with each other, and with the machine.
    pub shares_namespaces: bool,
}

/// Why a node could not register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the control plane did not take the attribute {0} that this node registered with")]
    Attribute(String),
    #[error("the control plane answered no containerInstanceArn")]
    NoArn,
}

impl RegisterError {
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_transient())
    }

    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Call(error) => error.code(),
            Self::Attribute(_) | Self::NoArn => None,
        }
    }
}

/// Registers once; answers the container instance's ARN. With `known`, an earlier registration goes on. A try
/// again with the same `token` finds what the first one made if its answer was lost.
///
/// # Errors
/// [`RegisterError`]; transient ones are worth another try.
pub async fn register(
    client: &Client,
    node: &Node,
    cluster: &str,
    known: Option<&str>,
    token: &str,
) -> Result<String, RegisterError> {
    let request = RegisterContainerInstanceRequest {
        client_token: Some(token.to_owned()),
        ..request(node, cluster, known)
    };
    let sent = request.attributes.clone().unwrap_or_default();
    let answer: RegisterContainerInstanceResponse = client.call("RegisterContainerInstance", request).await?;
    let ContainerInstance {
        container_instance_arn,
        attributes,
        ..
    } = answer.container_instance.unwrap_or_default();
    let attributes = attributes.unwrap_or_default();
    let taken = |wanted: &Attribute| {
        let value = |attribute: &Attribute| attribute.value.clone().unwrap_or_default();
        attributes
            .iter()
            .any(|got| got.name == wanted.name && value(got) == value(wanted))
    };
    if let Some(lost) = sent.iter().find(|attribute| !taken(attribute)) {
        return Err(RegisterError::Attribute(lost.name.clone()));
    }
    container_instance_arn
        .filter(|arn| !arn.is_empty())
        .ok_or(RegisterError::NoArn)
}

/// Creates the cluster that the node is to join.
///
/// # Errors
/// The service's refusal.
pub async fn create_cluster(client: &Client, cluster: &str) -> Result<(), CallError> {
    let request = CreateClusterRequest {
        cluster_name: Some(cluster.to_owned()),
        ..CreateClusterRequest::default()
    };
    let _: CreateClusterResponse = client.call("CreateCluster", request).await?;
    Ok(())
}

/// As the platform calls it.
fn architecture(rust: &str) -> &str {
    match rust {
        "aarch64" => "arm64",
        other => other,
    }
}

fn request(node: &Node, cluster: &str, known: Option<&str>) -> RegisterContainerInstanceRequest {
    let mut attributes = attributes(node);
    if known.is_none() {
        // On later registrations they may have been changed by the API, which then counts.
        attributes.extend(node.attributes.iter().map(|(name, value)| attribute(name, value)));
    }
    let document = serde_json::json!({
        "region": node.region,
        "instanceId": node.instance_id,
        "availabilityZone": node.availability_zone,
        "architecture": architecture(std::env::consts::ARCH),
    });
    let ports = |ports: &mut dyn Iterator<Item = u16>| {
        let mut ports: Vec<u16> = ports.collect();
        ports.sort_unstable();
        ports.dedup();
        ports.into_iter().map(|port| port.to_string()).collect::<Vec<_>>()
    };
    let tcp = ports(&mut RESERVED_TCP.into_iter().chain(node.reserved_tcp.iter().copied()));
    let udp = ports(&mut node.reserved_udp.iter().copied());
    RegisterContainerInstanceRequest {
        cluster: Some(cluster.to_owned()),
        container_instance_arn: known.map(str::to_owned),
        attributes: Some(attributes),
        instance_identity_document: Some(document.to_string()),
        instance_identity_document_signature: Some(String::new()),
        total_resources: Some(vec![
            integer("CPU", node.cpu),
            integer("MEMORY", node.memory),
            set("PORTS", tcp),
            set("PORTS_UDP", udp),
        ]),
        version_info: Some(VersionInfo {
            agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            agent_hash: Some("roadstead".to_owned()),
            docker_version: Some("roadstead".to_owned()),
        }),
        ..RegisterContainerInstanceRequest::default()
    }
}

/// Only what is really there.
fn attributes(node: &Node) -> Vec<Attribute> {
    let slots = node.eni_slots.to_string();
    let mut all = vec![
        attribute("ecs.os-type", "linux"),
        attribute("ecs.os-family", "LINUX"),
        attribute("ecs.cpu-architecture", architecture(std::env::consts::ARCH)),
        attribute("ecs.availability-zone", &node.availability_zone),
        attribute("ecs.vpc-id", &node.vpc_id),
        attribute("ecs.subnet-id", &node.subnet_id),
        attribute("ecs.capability.container-ordering", ""),
        attribute("ecs.capability.container-restart-policy", ""),
        attribute("ecs.capability.full-sync", ""),
        attribute("ecs.capability.task-cpu-mem-limit", ""),
        attribute("ecs.capability.network.container-port-range", ""),
        attribute(
            "ecs.capability.private-registry-authentication.secretsmanager",
            "",
        ),
        attribute("com.amazonaws.ecs.capability.logging-driver.json-file", ""),
        attribute("com.amazonaws.ecs.capability.logging-driver.awslogs", ""),
        attribute("com.amazonaws.ecs.capability.logging-driver.syslog", ""),
        attribute("com.amazonaws.ecs.capability.logging-driver.fluentd", ""),
        attribute("com.amazonaws.ecs.capability.logging-driver.gelf", ""),
        attribute("ecs.capability.execution-role-awslogs", ""),
        attribute("ecs.capability.secrets.asm.environment-variables", ""),
        attribute("ecs.capability.secrets.ssm.environment-variables", ""),
        attribute("ecs.capability.container-health-check", ""),
        attribute("ecs.capability.docker-plugin.local", ""),
        attribute("com.amazonaws.ecs.capability.docker-remote-api.1.24", ""),
        // The control plane derives it from what the task definition asks of Docker.
        attribute("com.amazonaws.ecs.capability.docker-remote-api.1.17", ""),
        attribute("com.amazonaws.ecs.capability.docker-remote-api.1.18", ""),
        attribute("com.amazonaws.ecs.capability.docker-remote-api.1.19", ""),
        attribute("com.amazonaws.ecs.capability.docker-remote-api.1.21", ""),
        attribute("com.amazonaws.ecs.capability.docker-remote-api.1.25", ""),
    ];
    if node.privileged {
        all.push(attribute("com.amazonaws.ecs.capability.privileged-container", ""));
    }
    if node.shares_namespaces {
        all.push(attribute("ecs.capability.pid-ipc-namespace-sharing", ""));
    }
    if node.network_modes.contains(&NetworkMode::Awsvpc) {
        all.push(attribute("ecs.capability.task-eni", ""));
        all.push(attribute("ecs.capability.task-eni-block-instance-metadata", ""));
        all.push(attribute(CAPABILITY_NETWORK_MAP, ""));
        all.push(attribute(ATTRIBUTE_ENI_SLOTS, &slots));
    }
    // An empty value would say that there is one.
    let placed = |attribute: &Attribute| {
        let place = matches!(
            attribute.name.as_str(),
            "ecs.availability-zone" | "ecs.vpc-id" | "ecs.subnet-id"
        );
        !place || attribute.value.is_some()
    };
    all.retain(placed);
    all
}

fn attribute(name: &str, value: &str) -> Attribute {
    let value = (!value.is_empty()).then(|| value.to_owned());
    Attribute {
        name: name.to_owned(),
        value,
        ..Attribute::default()
    }
}

fn integer(name: &str, value: u64) -> Resource {
    Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)),
        ..Resource::default()
    }
}

fn set(name: &str, values: Vec<String>) -> Resource {
    Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".to_owned()),
        string_set_value: Some(values),
        ..Resource::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            instance_id: "i-0123456789abcdef0".into(),
            region: "us-east-1".into(),
            availability_zone: "us-east-1a".into(),
            vpc_id: "vpc-1".into(),
            subnet_id: "subnet-1".into(),
            cpu: 2048,
            memory: 1000,
            reserved_tcp: vec![4566, 22],
            reserved_udp: Vec::new(),
            eni_slots: 120,
            attributes: [("rack".to_owned(), "7".to_owned())].into(),
            network_modes: vec![NetworkMode::Awsvpc],
            privileged: true,
            shares_namespaces: true,
        }
    }

    #[test]
    fn resources_and_place_are_said_as_the_vendor_does() {
        let request = request(&node(), "default", None);
        let resources = request.total_resources.expect("resources");
        assert_eq!(
            (resources[0].integer_value, resources[1].integer_value),
            (Some(2048), Some(1000))
        );
        let ports = resources[2].string_set_value.clone().expect("ports");
        assert_eq!(ports, ["22", "2375", "2376", "4566", "51678", "51679"]);
        assert_eq!(resources[3].string_set_value, Some(Vec::new()));
        let document = request.instance_identity_document.expect("a document");
        assert!(
            document.contains("\"instanceId\":\"i-0123456789abcdef0\""),
            "{document}"
        );
        let attributes = request.attributes.expect("attributes");
        let value = |name: &str| {
            attributes
                .iter()
                .find(|a| a.name == name)
                .map(|a| a.value.clone())
        };
        assert_eq!(value("ecs.availability-zone"), Some(Some("us-east-1a".into())));
        assert_eq!(value("roadstead.eni-slots"), Some(Some("120".into())));
        assert_eq!(value("roadstead.capability.network-map"), Some(None));
        assert_eq!(value("rack"), Some(Some("7".into())));
    }

    #[test]
    fn a_second_registration_names_the_first_and_leaves_custom_attributes_alone() {
        let request = request(&node(), "default", Some("arn:known"));
        assert_eq!(request.container_instance_arn.as_deref(), Some("arn:known"));
        assert!(
            !request
                .attributes
                .expect("attributes")
                .iter()
                .any(|attribute| attribute.name == "rack")
        );
    }

    #[test]
    fn what_is_not_there_is_not_said() {
        let node = Node {
            vpc_id: String::new(),
            network_modes: vec![NetworkMode::Host],
            privileged: false,
            shares_namespaces: false,
            ..node()
        };
        let attributes = request(&node, "default", None).attributes.expect("attributes");
        let has = |name: &str| attributes.iter().any(|attribute| attribute.name == name);
        assert!(
            !has("ecs.vpc-id") && !has("ecs.capability.task-eni") && !has("roadstead.capability.network-map")
        );
        assert!(
            !has("com.amazonaws.ecs.capability.privileged-container")
                && !has("ecs.capability.pid-ipc-namespace-sharing")
        );
    }
}
