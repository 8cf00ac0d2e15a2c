//! A task definition with its overrides in it, as the payload an agent gets. Pure: definition and record in,
//! message out, so that every member of a definition can be shown to arrive or to be refused. Docker's own
//! structures travel inside as JSON in strings, since that is what the vendor's agent hands to its engine.

mod docker;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use roadstead_acs as acs;
use roadstead_api_ecs::{
    ContainerDefinition, ContainerRestartPolicy, DockerVolumeConfiguration, NetworkMode, Scope,
    TransportProtocol, Volume,
};
use roadstead_base::Arn;

use crate::definitions::Definition;
use crate::error::{Error, Result};
use crate::tasks::{AttachmentRecord, Launch, TaskRecord};

/// Seconds that a container must have run for before it is restarted, unless its policy says.
const RESTART_PERIOD: i32 = 300;

/// Whether a task can be made of the definition.
///
/// # Errors
/// The first member that no agent could honour, by name.
pub(crate) fn check(definition: &Definition) -> Result<()> {
    for container in definition.container_definitions.iter().flatten() {
        refused(container)?;
        docker::config(container, &BTreeMap::new())?;
        docker::host_config(container, definition.network_mode)?;
    }
    for volume in definition.volumes.iter().flatten() {
        compile_volume(volume)?;
    }
    Ok(())
}

/// The task as an agent gets it. `definition` has the overrides in it.
///
/// # Errors
/// As [`check`].
pub(crate) fn compile(definition: &Definition, task: &TaskRecord) -> Result<acs::Task> {
    let mode = definition.network_mode;
    let containers = definition.container_definitions.iter().flatten();
    let volumes = definition.volumes.iter().flatten();
    Ok(acs::Task {
        arn: task.arn(),
        task_cluster_arn: task.cluster.arn(&task.partition),
        family: task.definition.family.to_string(),
        version: task.definition.revision.to_string(),
        desired_status: task.desired.as_str().to_owned(),
        overrides: "{}".to_owned(),
        containers: containers
            .map(|it| compile_container(it, mode, task))
            .collect::<Result<_>>()?,
        volumes: volumes.map(compile_volume).collect::<Result<_>>()?,
        cpu: task.cpu.map_or(0.0, |units| units as f64 / 1024.0),
        memory: task.memory.unwrap_or_default(),
        network_mode: mode.unwrap_or(NetworkMode::Bridge).as_str().to_owned(),
        launch_type: match task.launch {
            Launch::Ec2 => "EC2",
            Launch::Fargate => "FARGATE",
        }
        .to_owned(),
        elastic_network_interfaces: task
            .attachment
            .iter()
            .filter_map(|it| interface(task, it))
            .collect(),
        ephemeral_storage: task.ephemeral_storage.map_or(0, i64::from),
        pid_mode: definition
            .pid_mode
            .map(|mode| mode.as_str().to_owned())
            .unwrap_or_default(),
        ipc_mode: definition
            .ipc_mode
            .map(|mode| mode.as_str().to_owned())
            .unwrap_or_default(),
        group: task.group.clone(),
        service_name: String::new(),
        task_definition_account_id: task.partition.account.to_string(),
        // Keys are no part of a definition: whoever sends the task adds them.
        role_credentials: None,
        execution_role_credentials: None,
    })
}

/// The task's interface as an agent gets it; none before it is made.
pub(crate) fn interface(
    task: &TaskRecord,
    attachment: &AttachmentRecord,
) -> Option<acs::ElasticNetworkInterface> {
    let made = attachment.interface.as_ref()?;
    let subnet = Subnet::read(&attachment.cidr)?;
    Some(acs::ElasticNetworkInterface {
        attachment_arn: attachment.arn(&task.partition),
        ec2_id: made.id.clone(),
        mac_address: made.mac.clone(),
        ipv4_addresses: vec![acs::Ipv4Address {
            primary: true,
            private_address: made.address.clone(),
        }],
        ipv6_addresses: made
            .ipv6_address
            .iter()
            .map(|address| acs::Ipv6Address {
                address: address.clone(),
            })
            .collect(),
        subnet_gateway_ipv6_address: attachment
            .ipv6_cidr
            .as_deref()
            .filter(|_| made.ipv6_address.is_some())
            .and_then(ipv6_gateway)
            .unwrap_or_default(),
        subnet_gateway_ipv4_address: format!("{}/{}", subnet.at(1), subnet.length),
        domain_name_servers: vec![attachment.resolver.clone()],
        domain_name: vec![internal_domain(task.partition.region.as_str())],
        private_dns_name: made.dns_name.clone().unwrap_or_default(),
    })
}

/// The search domain of a VPC.
fn internal_domain(region: &str) -> String {
    if region == "us-east-1" {
        "ec2.internal".to_owned()
    } else {
        format!("{region}.compute.internal")
    }
}

/// The gateway of a subnet's IPv6 block, base plus one, with the block's length.
fn ipv6_gateway(cidr: &str) -> Option<String> {
    let (base, length) = cidr.split_once('/')?;
    let base: std::net::Ipv6Addr = base.parse().ok()?;
    let gateway = std::net::Ipv6Addr::from(u128::from(base).checked_add(1)?);
    Some(format!("{gateway}/{length}"))
}

struct Subnet {
    base: u32,
    length: u8,
}

impl Subnet {
    fn read(cidr: &str) -> Option<Self> {
        let (base, length) = cidr.split_once('/')?;
        let base: std::net::Ipv4Addr = base.parse().ok()?;
        Some(Self {
            base: base.into(),
            length: length.parse().ok().filter(|length| *length <= 32)?,
        })
    }

    fn at(&self, offset: u32) -> std::net::Ipv4Addr {
        self.base.wrapping_add(offset).into()
    }
}

/// What a definition can say and no task can have yet.
fn refused(container: &ContainerDefinition) -> Result<()> {
    let some = |list: Option<usize>| list.is_some_and(|length| length > 0);
    let asked = [
        (
            "credentialSpecs",
            some(container.credential_specs.as_ref().map(Vec::len)),
        ),
        (
            "environmentFiles",
            some(container.environment_files.as_ref().map(Vec::len)),
        ),
        (
            "firelensConfiguration",
            container.firelens_configuration.is_some(),
        ),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((member, _)) => Err(Error::unsupported(format!("containerDefinitions.{member}"))),
        None => Ok(()),
    }
}

fn compile_container(
    container: &ContainerDefinition,
    mode: Option<NetworkMode>,
    task: &TaskRecord,
) -> Result<acs::Container> {
    refused(container)?;
    let name = container.name.clone().unwrap_or_default();
    let known = task.containers.iter().find(|known| known.name == name);
    let (config, health) = docker::config(container, &labels(task, &name))?;
    let host_config = docker::host_config(container, mode)?;
    let environment = container.environment.iter().flatten();
    let environment = environment
        .map(|pair| {
            (
                pair.name.clone().unwrap_or_default(),
                pair.value.clone().unwrap_or_default(),
            )
        })
        .collect();
    Ok(acs::Container {
        image: container.image.clone().unwrap_or_default(),
        // What it is by digest is no part of a definition either.
        defined_image: String::new(),
        cpu: container.cpu.unwrap_or_default().into(),
        memory: container.memory.unwrap_or_default().into(),
        essential: container.essential.unwrap_or(true),
        entry_point: container.entry_point.clone().filter(|words| !words.is_empty()),
        command: container.command.clone().filter(|words| !words.is_empty()),
        environment,
        port_mappings: port_mappings(container, mode),
        mount_points: container.mount_points.iter().flatten().map(mount_point).collect(),
        volumes_from: container
            .volumes_from
            .iter()
            .flatten()
            .map(|from| acs::VolumeFrom {
                source_container: from.source_container.clone().unwrap_or_default(),
                read_only: from.read_only.unwrap_or(false),
            })
            .collect(),
        links: container.links.clone().unwrap_or_default(),
        depends_on: container
            .depends_on
            .iter()
            .flatten()
            .map(|on| acs::DependsOn {
                container_name: on.container_name.clone(),
                condition: on.condition.as_str().to_owned(),
            })
            .collect(),
        start_timeout: container.start_timeout.map(i64::from),
        stop_timeout: container.stop_timeout.map(i64::from),
        overrides: "{}".to_owned(),
        docker_config: acs::DockerConfig {
            version: docker::version(container, health).to_owned(),
            config,
            host_config,
        },
        container_arn: known.map(|known| known.arn.clone()).unwrap_or_default(),
        health_check_type: if health {
            "docker".to_owned()
        } else {
            String::new()
        },
        registry_authentication: container
            .repository_credentials
            .as_ref()
            .map(|credentials| registry_authentication(&credentials.credentials_parameter, task)),
        secrets: container
            .secrets
            .iter()
            .flatten()
            .map(|it| secret(it, task))
            .collect(),
        restart_policy: container
            .restart_policy
            .as_ref()
            .filter(|policy| policy.enabled)
            .map(restart_policy),
        name,
    })
}

/// With the documented default.
fn restart_policy(policy: &ContainerRestartPolicy) -> acs::RestartPolicy {
    let ContainerRestartPolicy {
        enabled,
        ignored_exit_codes,
        restart_attempt_period,
    } = policy;
    acs::RestartPolicy {
        enabled: *enabled,
        ignored_exit_codes: ignored_exit_codes.clone().unwrap_or_default(),
        restart_attempt_period: restart_attempt_period.unwrap_or(RESTART_PERIOD).into(),
    }
}

/// A secret of Secrets Manager or a parameter of Systems Manager, as registration told them apart.
fn secret(secret: &roadstead_api_ecs::Secret, task: &TaskRecord) -> acs::Secret {
    let provider = if crate::definitions::is_parameter(&secret.value_from) {
        "ssm"
    } else {
        "asm"
    };
    acs::Secret {
        name: secret.name.clone(),
        value_from: secret.value_from.clone(),
        provider: provider.to_owned(),
        kind: "ENVIRONMENT_VARIABLE".to_owned(),
        region: region_of(&secret.value_from, task),
    }
}

/// What is said by its name alone is of the task's own region.
fn region_of(name_or_arn: &str, task: &TaskRecord) -> String {
    match name_or_arn.parse::<Arn>() {
        Ok(arn) => arn.region,
        Err(_) => task.partition.region.to_string(),
    }
}

fn registry_authentication(secret: &str, task: &TaskRecord) -> acs::RegistryAuthentication {
    acs::RegistryAuthentication {
        kind: "asm".to_owned(),
        asm_auth_data: Some(acs::AsmAuthData {
            credentials_parameter: secret.to_owned(),
            region: region_of(secret, task),
        }),
    }
}

/// The labels every container of a task wears, over whatever the definition says.
fn labels(task: &TaskRecord, container: &str) -> BTreeMap<String, String> {
    let label = |name: &str, value: String| (format!("com.amazonaws.ecs.{name}"), value);
    BTreeMap::from([
        label("cluster", task.cluster.to_string()),
        label("container-name", container.to_owned()),
        label("task-arn", task.arn()),
        label("task-definition-family", task.definition.family.to_string()),
        label("task-definition-version", task.definition.revision.to_string()),
    ])
}

fn port_mappings(container: &ContainerDefinition, mode: Option<NetworkMode>) -> Vec<acs::PortMapping> {
    let port = |number: Option<i32>| u16::try_from(number.unwrap_or_default()).unwrap_or_default();
    let same = matches!(mode, Some(NetworkMode::Awsvpc | NetworkMode::Host));
    let mappings = container.port_mappings.iter().flatten();
    mappings
        .map(|mapping| {
            let container_port = port(mapping.container_port);
            acs::PortMapping {
                container_port,
                container_port_range: mapping.container_port_range.clone().unwrap_or_default(),
                host_port: if same {
                    container_port
                } else {
                    port(mapping.host_port)
                },
                protocol: mapping
                    .protocol
                    .unwrap_or(TransportProtocol::Tcp)
                    .as_str()
                    .to_owned(),
            }
        })
        .collect()
}

fn mount_point(mount: &roadstead_api_ecs::MountPoint) -> acs::MountPoint {
    acs::MountPoint {
        source_volume: mount.source_volume.clone().unwrap_or_default(),
        container_path: mount.container_path.clone().unwrap_or_default(),
        read_only: mount.read_only.unwrap_or(false),
    }
}

fn compile_volume(volume: &Volume) -> Result<acs::Volume> {
    let asked = [
        ("configuredAtLaunch", volume.configured_at_launch == Some(true)),
        (
            "efsVolumeConfiguration",
            volume.efs_volume_configuration.is_some(),
        ),
        (
            "fsxWindowsFileServerVolumeConfiguration",
            volume.fsx_windows_file_server_volume_configuration.is_some(),
        ),
        (
            "s3filesVolumeConfiguration",
            volume.s3files_volume_configuration.is_some(),
        ),
    ];
    if let Some((member, _)) = asked.into_iter().find(|(_, asked)| *asked) {
        return Err(Error::unsupported(format!("volumes.{member}")));
    }
    let path = volume.host.as_ref().and_then(|host| host.source_path.clone());
    let docker = volume.docker_volume_configuration.as_ref().map(docker_volume);
    Ok(acs::Volume {
        name: volume.name.clone().unwrap_or_default(),
        kind: if docker.is_some() { "docker" } else { "host" }.to_owned(),
        host: acs::HostVolume {
            source_path: path.unwrap_or_default(),
        },
        docker_volume_configuration: docker,
    })
}

fn docker_volume(volume: &DockerVolumeConfiguration) -> acs::DockerVolume {
    let DockerVolumeConfiguration {
        autoprovision,
        driver,
        driver_opts,
        labels,
        scope,
    } = volume;
    acs::DockerVolume {
        scope: scope.unwrap_or(Scope::Task).as_str().to_owned(),
        autoprovision: autoprovision.unwrap_or(false),
        driver: driver.clone().unwrap_or_else(|| "local".to_owned()),
        driver_opts: driver_opts.clone().unwrap_or_default(),
        labels: labels.clone().unwrap_or_default(),
    }
}
