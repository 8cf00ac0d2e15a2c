//! Placing and writing tasks: one commit makes the tasks and sells what they need, on condition that nothing it
//! decided from has changed. Lost races decide again.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_api_ecs::{ContainerDefinition, Failure, VersionConsistency};
use roadstead_base::{Arn, Ctx, derived_hex};
use roadstead_placement::{
    CandidateId, NodeId, Refusal, Snapshot, admit, missing_attribute, place, unsatisfied,
};
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::definitions::register::health::is_checked;
use crate::error::{Error, Result};
use crate::instances::ledger::{NodeRecord, node_key};
use crate::instances::{ContainerInstanceRecord, InstanceRef, candidate_with};
use crate::names::TaskId;
use crate::stored::Stored;
use crate::tables::instances_of;
use crate::tasks::network::{Network, Subnet};
use crate::tasks::request::{Wanted, architecture_name};
use crate::tasks::token::{Token, TokenRecord};
use crate::tasks::write;
use crate::tasks::{
    AttachmentRecord, AttachmentStatus, CheckedHealth, ContainerRecord, ContainerStatus, Desired, LastStatus,
    Launch, TaskRecord, Times,
};

/// How often a decision is made again because somebody else was faster.
const TRIES: usize = 64;
const NO_FARGATE: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

/// Where copies are to go.
pub(crate) enum Choice {
    Anywhere(usize),
    On(Vec<InstanceRef>),
}

pub(crate) struct Launched {
    pub(crate) tasks: Vec<TaskRecord>,
    pub(crate) failures: Vec<Failure>,
}

/// What a decision is made from.
struct World {
    instances: Vec<Entry<ContainerInstanceRecord>>,
    nodes: BTreeMap<NodeId, Option<Entry<NodeRecord>>>,
    snapshot: Snapshot,
}

/// None: the same call, made twice at once, was first elsewhere; or the service that asks has changed.
pub(crate) async fn launch(
    ecs: &Ecs,
    ctx: &Ctx,
    wanted: &mut Wanted,
    choice: &Choice,
    token: Option<&Token>,
    replaces: Option<&Entry<TokenRecord>>,
) -> Result<Option<Launched>> {
    for _ in 0..TRIES {
        let world = look(ecs, ctx, wanted, choice).await?;
        if wanted.launch == Launch::Ec2 && matches!(choice, Choice::Anywhere(_)) && world.instances.is_empty()
        {
            return Err(Error::invalid(
                "No Container Instances were found in your cluster.",
            ));
        }
        let (places, failures) = decide(wanted, choice, &world, seed());
        if let Some(tasks) = commit(ecs, ctx, wanted, &world, &places, token, replaces).await? {
            return Ok(Some(Launched { tasks, failures }));
        }
        if let Some(owner) = &wanted.owner
            && owner.has_changed(ecs).await?
        {
            return Ok(None);
        }
        if let Some(token) = token
            && replaces.is_none()
            && ecs.tokens().get(&token.key).await?.is_some()
        {
            return Ok(None);
        }
        wanted.refresh(ecs, ctx).await?;
    }
    Err(Error::Contended)
}

/// Instances that could take the tasks, in a fixed order, and the ledgers of their machines.
async fn look(ecs: &Ecs, ctx: &Ctx, wanted: &Wanted, choice: &Choice) -> Result<World> {
    let mirrors = ecs.present().await?;
    let instances = mirrors.instances.snapshot();
    let (instances, nodes_now) = match wanted.launch {
        Launch::Fargate => {
            let capacity = |entry: &&std::sync::Arc<Entry<ContainerInstanceRecord>>| {
                entry.value.name.cluster.as_str() == FARGATE_CLUSTER
            };
            (
                instances.iter().filter(capacity).cloned().collect::<Vec<_>>(),
                mirrors.nodes.snapshot(),
            )
        }
        Launch::Ec2 => {
            let below = instances_of(&ctx.partition(), &wanted.cluster.value.name);
            (
                instances.below(&below).cloned().collect(),
                mirrors.nodes.snapshot(),
            )
        }
    };
    // One that the user named is refused for what it is; otherwise those that are gone do not count.
    let named = matches!(choice, Choice::On(_));
    let instances: Vec<Entry<ContainerInstanceRecord>> = instances
        .iter()
        .filter(|entry| named || !entry.value.is_inactive())
        .map(|entry| entry.as_ref().clone())
        .collect();
    let mut world = World {
        instances,
        nodes: BTreeMap::new(),
        snapshot: Snapshot::default(),
    };
    for entry in &world.instances {
        let record = &entry.value;
        let node = record.node();
        let ledger = world.nodes.entry(node.clone()).or_insert_with(|| {
            nodes_now
                .get(&node_key(&node))
                .map(|entry| entry.as_ref().clone())
        });
        let ledger = ledger
            .as_ref()
            .map(|entry| entry.value.clone())
            .unwrap_or_default();
        world
            .snapshot
            .candidates
            .push(candidate_with(ecs, mirrors, record, &ledger));
        if !record.is_inactive() {
            world.snapshot.nodes.insert(node, ledger.left(record));
        }
    }
    Ok(world)
}

fn decide(wanted: &Wanted, choice: &Choice, world: &World, seed: u64) -> (Vec<CandidateId>, Vec<Failure>) {
    let failure = |arn: Option<String>, reason: String, detail: Option<String>| Failure {
        arn,
        reason: Some(reason),
        detail,
    };
    match choice {
        Choice::Anywhere(count) => {
            let plan = place(&world.snapshot, &wanted.demand, *count, seed);
            let failures = if wanted.launch == Launch::Fargate {
                let missing = count - plan.placements.len();
                (0..missing)
                    .map(|_| failure(None, "RESOURCE:FARGATE".to_owned(), Some(NO_FARGATE.to_owned())))
                    .collect()
            } else {
                let refusals = plan.refusals.into_iter();
                refusals
                    .map(|(id, refusal)| {
                        let detail = detail(wanted, world, &id, refusal);
                        failure(Some(id.0), refusal.to_string(), detail)
                    })
                    .collect()
            };
            (plan.placements, failures)
        }
        Choice::On(named) => {
            let (mut places, mut failures) = (Vec::new(), Vec::new());
            let mut snapshot = world.snapshot.clone();
            for name in named {
                let id = CandidateId(name.arn());
                match admit(&snapshot, &id, &wanted.demand) {
                    Ok(()) => {
                        snapshot.take(&id, &wanted.demand);
                        places.push(id);
                    }
                    Err(refusal) => {
                        let detail = detail(wanted, world, &id, refusal);
                        failures.push(failure(Some(id.0), refusal.to_string(), detail));
                    }
                }
            }
            (places, failures)
        }
    }
}

/// What a reason does not say by itself.
fn detail(wanted: &Wanted, world: &World, id: &CandidateId, refusal: Refusal) -> Option<String> {
    if refusal == Refusal::Missing {
        return Some("No active container instance of the cluster has this ARN.".to_owned());
    }
    let candidate = world.snapshot.candidates.iter().find(|known| known.id == *id)?;
    match refusal {
        Refusal::Attribute | Refusal::MemberOf => {
            if let Some(missing) = missing_attribute(candidate, &wanted.demand) {
                let value = missing.value.as_ref().map(|value| format!(" = {value}"));
                return Some(format!(
                    "The container instance lacks the attribute {}{}.",
                    missing.name,
                    value.unwrap_or_default()
                ));
            }
            let query = unsatisfied(candidate, &wanted.demand)?;
            Some(format!("The container instance is not a member of: {query}"))
        }
        _ => None,
    }
}

/// Another for every decision: what `random` draws from.
fn seed() -> u64 {
    u64::from_str_radix(&roadstead_base::random_hex(16), 16).unwrap_or_default()
}

/// Makes the tasks and sells what they need; none if something changed since it was looked at.
async fn commit(
    ecs: &Ecs,
    ctx: &Ctx,
    wanted: &Wanted,
    world: &World,
    places: &[CandidateId],
    token: Option<&Token>,
    replaces: Option<&Entry<TokenRecord>>,
) -> Result<Option<Vec<TaskRecord>>> {
    if places.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut transaction = wanted.guard(Transaction::new(&ecs.store).compare_unmodified(&wanted.cluster));
    let mut ledgers: BTreeMap<NodeId, NodeRecord> = BTreeMap::new();
    let mut hosts = BTreeSet::new();
    let mut tasks = Vec::new();
    for place in places {
        let Some(host) = world
            .instances
            .iter()
            .find(|entry| entry.value.name.arn() == place.0)
        else {
            continue;
        };
        if hosts.insert(place.0.clone()) {
            transaction = transaction.compare_unmodified(host);
        }
        let node = host.value.node();
        let ledger = ledgers.entry(node.clone()).or_insert_with(|| {
            let known = world.nodes.get(&node).and_then(Option::as_ref);
            known.map(|entry| entry.value.clone()).unwrap_or_default()
        });
        let id = match &wanted.owner {
            None => TaskId::random(),
            Some(owner) => owner.task_id(tasks.len()),
        };
        let partition = ctx.partition();
        let arn = id.arn(&partition, &wanted.cluster.value.name);
        let device = ledger.sell(arn, place.0.clone(), wanted.group.clone(), &wanted.demand);
        let mut task = new_task(ecs, ctx, wanted, id, &host.value, device);
        task.capacity_provider = wanted.providers.get(tasks.len()).cloned();
        transaction = write::insert(ecs, transaction, &task)?;
        tasks.push(task);
    }
    for (node, ledger) in &ledgers {
        transaction = match world.nodes.get(node).and_then(Option::as_ref) {
            Some(entry) => transaction.replace(&ecs.nodes(), entry, ledger),
            None => transaction.insert(&ecs.nodes(), &node_key(node), ledger),
        };
    }
    if let Some(token) = token {
        let record = TokenRecord {
            request: token.request.clone(),
            cluster: wanted.cluster.value.name.clone(),
            tasks: tasks.iter().map(|task| task.id.clone()).collect(),
            created_at: ecs.clock.now(),
        };
        transaction = match replaces {
            Some(old) => transaction.replace(&ecs.tokens(), old, &record),
            None => transaction.insert(&ecs.tokens(), &token.key, &record),
        };
    }
    if let Some(owner) = &wanted.owner {
        transaction = owner.write(ecs, transaction, &tasks)?;
    }
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(tasks))
}

fn new_task(
    ecs: &Ecs,
    ctx: &Ctx,
    wanted: &Wanted,
    id: TaskId,
    host: &ContainerInstanceRecord,
    device_index: Option<i32>,
) -> TaskRecord {
    let partition = ctx.partition();
    let cluster = wanted.cluster.value.name.clone();
    let subnet = wanted
        .network
        .as_ref()
        .and_then(|network| subnet_for(network, host, &id).map(|it| (network, it)));
    let containers = wanted.definition.container_definitions.iter().flatten();
    let containers = containers.map(|container| {
        let name = container.name.clone().unwrap_or_default();
        let resource = format!("container/{cluster}/{id}/{}", uuid(id.as_str(), &name));
        new_container(
            container,
            name,
            Arn::new("ecs", &partition.region, &partition.account, resource).to_string(),
        )
    });
    let architecture = wanted
        .definition
        .runtime_platform
        .as_ref()
        .and_then(|platform| platform.cpu_architecture);
    TaskRecord {
        containers: containers.collect(),
        definition: wanted.id.clone(),
        launch: wanted.launch,
        capacity_provider: None,
        host: host.name.clone(),
        host_ec2_id: host.ec2_instance_id.clone(),
        node: host.node(),
        zone: match &subnet {
            Some((_, subnet)) => Some(subnet.location.zone.clone()),
            None => host.zone().map(str::to_owned),
        },
        desired: Desired::Running,
        last: if subnet.is_some() {
            LastStatus::Provisioning
        } else {
            LastStatus::Pending
        },
        stop: None,
        group: wanted.group.clone(),
        started_by: wanted.started_by.clone(),
        cpu: wanted.cpu,
        memory: wanted.memory,
        overrides: Stored(wanted.overrides.clone()),
        architecture: match architecture {
            Some(architecture) => architecture_name(architecture).to_owned(),
            None => host
                .attribute("ecs.cpu-architecture")
                .unwrap_or("x86_64")
                .to_owned(),
        },
        attachment: subnet.map(|(network, subnet)| AttachmentRecord {
            id: uuid(id.as_str(), "network-interface"),
            status: AttachmentStatus::Precreated,
            subnet: subnet.id.clone(),
            cidr: subnet.cidr.clone(),
            ipv6_cidr: subnet.ipv6_cidr.clone(),
            resolver: network.resolver.clone(),
            groups: network.groups.clone(),
            device_index: device_index.unwrap_or(1),
            interface: None,
        }),
        ephemeral_storage: wanted.ephemeral_storage,
        times: Times {
            created: ecs.clock.now(),
            ..Times::default()
        },
        protected_until: None,
        version: 1,
        tags: wanted.tags.clone(),
        partition,
        cluster,
        id,
    }
}

/// The subnet of the machine's own zone. FARGATE serves every zone from anywhere: there the task's id decides.
fn subnet_for<'n>(network: &'n Network, host: &ContainerInstanceRecord, id: &TaskId) -> Option<&'n Subnet> {
    let here = host.location();
    let same = network
        .subnets
        .iter()
        .find(|subnet| Some(&subnet.location) == here.as_ref());
    same.or_else(|| {
        let drawn = u64::from_str_radix(&derived_hex(id.as_str(), "subnet", 8), 16).unwrap_or_default();
        let count = network.subnets.len().max(1) as u64;
        network
            .subnets
            .get(usize::try_from(drawn % count).unwrap_or_default())
    })
}

fn new_container(definition: &ContainerDefinition, name: String, arn: String) -> ContainerRecord {
    ContainerRecord {
        name,
        arn,
        image: definition.image.clone().unwrap_or_default(),
        essential: definition.essential.unwrap_or(true),
        status: ContainerStatus::Pending,
        cpu: definition.cpu.unwrap_or_default(),
        memory: definition.memory,
        memory_reservation: definition.memory_reservation,
        runtime_id: None,
        image_digest: None,
        by_tag: definition.version_consistency == Some(VersionConsistency::Disabled),
        exit_code: None,
        reason: None,
        bindings: Vec::new(),
        health: is_checked(definition.health_check.as_ref()).then_some(CheckedHealth::Unknown),
    }
}

/// A UUID that depends on the owner and purpose alone.
fn uuid(owner: &str, purpose: &str) -> String {
    let hex = derived_hex(owner, purpose, 32);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
