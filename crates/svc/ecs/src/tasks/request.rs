//! What RunTask and StartTask have in common: a request, checked whole, as what every copy of the task will be.

use std::collections::BTreeSet;

use roadstead_api_ecs as api;
use roadstead_api_ecs::{CPUArchitecture, Compatibility, ContainerDefinition, NetworkMode, PropagateTags};
use roadstead_base::Ctx;
use roadstead_placement::{Demand, Ports, RequiredAttribute};
use roadstead_store::{Entry, Transaction};

use crate::clusters::{ClusterRecord, active_cluster};
use crate::definitions::{self, Definition, TaskDefinitionRecord, gpus};
use crate::error::{Error, Result};
use crate::instances::ATTRIBUTE_ZONE;
use crate::names::TaskDefinitionId;
use crate::services::Owner;
use crate::tags::Tags;
use crate::tasks::network::{self, Network};
use crate::tasks::overrides::{self, Overridden, reserved};
use crate::tasks::placement::Placement;
use crate::tasks::{Launch, roles, sizes};
use crate::{Ecs, compile};

/// Attributes that a definition requires and that the scheduler looks at otherwise: interfaces are counted.
const COUNTED: [&str; 2] = [
    "ecs.capability.task-eni",
    "ecs.capability.task-eni-block-instance-metadata",
];
/// GiB that FARGATE gives when nothing is asked for.
const FARGATE_STORAGE: i32 = 20;

/// The members that both requests have.
pub(crate) struct Asked {
    pub(crate) cluster: Option<String>,
    pub(crate) task_definition: String,
    pub(crate) launch: Launch,
    pub(crate) enable_ecs_managed_tags: Option<bool>,
    pub(crate) group: Option<String>,
    pub(crate) network_configuration: Option<api::NetworkConfiguration>,
    pub(crate) overrides: Option<api::TaskOverride>,
    /// Of the request; that of the definition comes to it.
    pub(crate) placement: Placement,
    pub(crate) propagate_tags: Option<PropagateTags>,
    pub(crate) started_by: Option<String>,
    /// Characters `startedBy` may have.
    pub(crate) started_by_max: usize,
    pub(crate) tags: Option<Vec<api::Tag>>,
    /// The service that asks.
    pub(crate) owner: Option<Owner>,
}

/// What every copy will be.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) cluster: Entry<ClusterRecord>,
    pub(crate) id: TaskDefinitionId,
    /// With the overrides in it.
    pub(crate) definition: Definition,
    pub(crate) overrides: api::TaskOverride,
    pub(crate) cpu: Option<i64>,
    pub(crate) memory: Option<i64>,
    pub(crate) launch: Launch,
    /// Of each copy, in order, the capacity provider that it counts for; none: no strategy decided.
    pub(crate) providers: Vec<String>,
    pub(crate) network: Option<Network>,
    pub(crate) group: String,
    pub(crate) started_by: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) ephemeral_storage: Option<i32>,
    pub(crate) demand: Demand,
    /// The service that the tasks are of.
    pub(crate) owner: Option<Owner>,
    /// The definition, where nothing else keeps it: what is made of it must be written while it is as it was found, ACTIVE.
    pub(crate) fresh: Option<Entry<TaskDefinitionRecord>>,
}

impl Wanted {
    /// Writes only while nobody has deregistered the definition: it may be deleted then, as nothing has it yet.
    pub(crate) fn guard(&self, transaction: Transaction) -> Transaction {
        match &self.fresh {
            Some(entry) => transaction.compare_unmodified(entry),
            None => transaction,
        }
    }

    /// Finds the definition again, as somebody changed something.
    ///
    /// # Errors
    /// It is not ACTIVE any more: `ClientException`.
    pub(crate) async fn refresh(&mut self, ecs: &Ecs, ctx: &Ctx) -> Result<()> {
        if self.fresh.is_some() {
            self.fresh = Some(definitions::load(ecs, ctx, &self.id.to_string()).await?);
        }
        Ok(())
    }

    /// Of its subnets.
    pub(crate) fn zones(&self) -> impl Iterator<Item = String> {
        let subnets = self.network.iter().flat_map(|network| &network.subnets);
        subnets.map(|subnet| subnet.location.zone.clone())
    }

    /// Only in this zone; with subnets, that is one of [`Self::zones`].
    pub(crate) fn keep_to(&mut self, zone: &str) {
        match &mut self.network {
            Some(network) => {
                network.subnets.retain(|subnet| subnet.location.zone == zone);
                self.demand.locations.retain(|location| location.zone == zone);
            }
            None => self.demand.attributes.push(RequiredAttribute {
                name: ATTRIBUTE_ZONE.to_owned(),
                value: Some(zone.to_owned()),
            }),
        }
    }
}

pub(crate) async fn check(ecs: &Ecs, ctx: &Ctx, asked: Asked) -> Result<Wanted> {
    let cluster = active_cluster(ecs, ctx, asked.cluster.as_deref()).await?;
    // A service goes on with what it has, also when that was deregistered meanwhile.
    let goes_on = asked.owner.as_ref().is_some_and(Owner::goes_on);
    let found = match goes_on {
        true => definitions::load_any(ecs, ctx, &asked.task_definition).await?,
        false => definitions::load(ecs, ctx, &asked.task_definition).await?,
    };
    let started_by = check_started_by(asked.started_by, asked.started_by_max)?;
    let group = match &asked.owner {
        Some(owner) => owner.group(),
        None => check_group(asked.group, &found.value.id)?,
    };
    let own = match &asked.owner {
        Some(owner) => owner.tags(asked.propagate_tags),
        None => Tags::of(asked.tags)?,
    };
    let mut tags = tags_of(&found.value, asked.propagate_tags, own, asked.owner.is_some())?;
    if asked.enable_ecs_managed_tags == Some(true) {
        tags.set_managed("aws:ecs:clusterName", cluster.value.name.as_str());
        if let Some(owner) = &asked.owner {
            tags.set_managed("aws:ecs:serviceName", owner.name());
        }
    }
    compatible(&found.value, asked.launch)?;
    let Overridden {
        definition,
        cpu,
        memory,
        overrides,
    } = overrides::apply(&found.value.definition, asked.overrides)?;
    unsupported(&definition)?;
    roles::check(ecs, ctx, &definition)?;
    if asked.launch == Launch::Fargate {
        check_fargate_size(cpu, memory)?;
    } else if overrides.ephemeral_storage.is_some() {
        return Err(Error::unsupported(
            "overrides.ephemeralStorage of a task that is not on Fargate",
        ));
    }
    let mode = definition.network_mode.unwrap_or(NetworkMode::Bridge);
    let network = network::check(ecs, ctx, mode, asked.network_configuration).await?;
    let mut demand = demand_of(&definition, &group, cpu, memory, network.is_some())?;
    let placement = asked
        .placement
        .with_definition(definition.placement_constraints.as_deref())?;
    placement.apply(&mut demand);
    if asked.launch == Launch::Ec2 {
        demand.locations = network
            .iter()
            .flat_map(|network| &network.subnets)
            .map(|subnet| subnet.location.clone())
            .collect();
    }
    // Refused now, rather than by every agent in turn.
    compile::check(&definition)?;
    let ephemeral_storage = (asked.launch == Launch::Fargate).then(|| {
        definition
            .ephemeral_storage
            .as_ref()
            .map_or(FARGATE_STORAGE, |storage| storage.size_in_gi_b)
    });
    Ok(Wanted {
        cluster,
        id: found.value.id.clone(),
        fresh: (!goes_on).then_some(found),
        definition,
        overrides,
        cpu,
        memory,
        launch: asked.launch,
        providers: Vec::new(),
        network,
        group,
        started_by,
        tags,
        ephemeral_storage,
        demand,
        owner: asked.owner,
    })
}

fn check_started_by(text: Option<String>, max: usize) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
    if text.chars().count() > max || !text.chars().all(plain) {
        return Err(Error::invalid(format!(
            "startedBy can have up to {max} letters, numbers, hyphens, forward slashes and underscores."
        )));
    }
    Ok(Some(text))
}

fn check_group(group: Option<String>, id: &TaskDefinitionId) -> Result<String> {
    match group {
        None => Ok(format!("family:{}", id.family)),
        Some(group) if group.is_empty() || group.chars().count() > 255 => {
            Err(Error::invalid("group must have 1 to 255 characters."))
        }
        Some(group) if group.starts_with("service:") => Err(Error::invalid(
            "group must not begin with service:, which names the tasks of a service.",
        )),
        Some(group) => Ok(group),
    }
}

fn tags_of(
    definition: &TaskDefinitionRecord,
    propagate: Option<PropagateTags>,
    own: Tags,
    of_service: bool,
) -> Result<Tags> {
    match propagate {
        None | Some(PropagateTags::None) => Ok(own),
        Some(PropagateTags::TaskDefinition) => {
            let mut tags = definition.tags.clone();
            tags.merge(own)?;
            Ok(tags)
        }
        Some(PropagateTags::Service) if of_service => Ok(own),
        Some(PropagateTags::Service) => Err(Error::invalid(
            "propagateTags SERVICE is not valid for a task that no service starts.",
        )),
    }
}

fn compatible(record: &TaskDefinitionRecord, launch: Launch) -> Result<()> {
    let (needed, name) = match launch {
        Launch::Ec2 => (Compatibility::Ec2, "EC2"),
        Launch::Fargate => (Compatibility::Fargate, "FARGATE"),
    };
    let compatible = record
        .definition
        .compatibilities
        .iter()
        .flatten()
        .any(|has| *has == needed);
    if compatible {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "Task definition does not support launch_type {name}."
        )))
    }
}

/// What a definition may say for later and a task cannot have yet.
fn unsupported(definition: &Definition) -> Result<()> {
    let asked = [
        (
            "taskDefinition.proxyConfiguration",
            definition.proxy_configuration.is_some(),
        ),
        (
            "taskDefinition.enableFaultInjection",
            definition.enable_fault_injection == Some(true),
        ),
        (
            "taskDefinition.inferenceAccelerators",
            !definition.inference_accelerators.iter().flatten().count().eq(&0),
        ),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((member, _)) => Err(Error::unsupported(member)),
        None => Ok(()),
    }
}

fn check_fargate_size(cpu: Option<i64>, memory: Option<i64>) -> Result<()> {
    match (cpu, memory) {
        (Some(cpu), Some(memory)) if sizes::sold_by_fargate(cpu, memory) => Ok(()),
        (Some(_), Some(_)) => Err(Error::client("No Fargate configuration exists for given values.")),
        _ => Err(Error::client(
            "Fargate requires that 'cpu' and 'memory' be defined at the task level.",
        )),
    }
}

pub(super) fn demand_of(
    definition: &Definition,
    group: &str,
    cpu: Option<i64>,
    memory: Option<i64>,
    interface: bool,
) -> Result<Demand> {
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    let sum = |of: &dyn Fn(&ContainerDefinition) -> i32| containers.iter().map(|c| i64::from(of(c))).sum();
    let mut attributes: Vec<RequiredAttribute> = definition
        .requires_attributes
        .iter()
        .flatten()
        .filter(|attribute| !COUNTED.contains(&attribute.name.as_str()))
        .map(|attribute| RequiredAttribute {
            name: attribute.name.clone(),
            value: attribute.value.clone(),
        })
        .collect();
    let platform = definition.runtime_platform.as_ref();
    if let Some(architecture) = platform.and_then(|platform| platform.cpu_architecture) {
        attributes.push(RequiredAttribute {
            name: "ecs.cpu-architecture".to_owned(),
            value: Some(architecture_name(architecture).to_owned()),
        });
    }
    Ok(Demand {
        cpu: cpu.unwrap_or_else(|| sum(&|container| container.cpu.unwrap_or_default())),
        memory: memory.unwrap_or_else(|| sum(&reserved)),
        eni_slots: i64::from(interface),
        gpus: containers
            .iter()
            .filter_map(|container| container.resource_requirements.as_deref())
            // What cannot be is refused before.
            .filter_map(|requirements| gpus(requirements).ok())
            .sum(),
        ports: host_ports(definition.network_mode.unwrap_or(NetworkMode::Bridge), containers)?,
        attributes,
        group: group.to_owned(),
        ..Demand::default()
    })
}

pub(super) fn architecture_name(architecture: CPUArchitecture) -> &'static str {
    match architecture {
        CPUArchitecture::X8664 => "x86_64",
        CPUArchitecture::Arm64 => "arm64",
    }
}

/// In host mode a container's ports are the machine's; through a bridge, those that were asked for by number. The
/// others are chosen on the machine, from ports that nobody can ask for.
fn host_ports(mode: NetworkMode, containers: &[ContainerDefinition]) -> Result<Ports> {
    let (mut tcp, mut udp) = (BTreeSet::new(), BTreeSet::new());
    for mapping in containers
        .iter()
        .flat_map(|container| container.port_mappings.iter().flatten())
    {
        let stated = mapping.host_port.filter(|port| *port != 0);
        let port = match mode {
            NetworkMode::Host => stated.or(mapping.container_port),
            NetworkMode::Bridge => stated,
            NetworkMode::Awsvpc | NetworkMode::None => None,
        };
        let Some(port) = port else { continue };
        let port = u16::try_from(port).map_err(|_| {
            Error::client(format!(
                "Invalid 'containerPort' setting: {port} is no port number."
            ))
        })?;
        match mapping.protocol {
            Some(api::TransportProtocol::Udp) => udp.insert(port),
            _ => tcp.insert(port),
        };
    }
    Ok(Ports { tcp, udp })
}
