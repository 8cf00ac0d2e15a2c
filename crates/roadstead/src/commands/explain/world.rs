//! What the API says of a cluster, as the planner sees it.

use std::collections::BTreeMap;

use anyhow::Result;
use roadstead_acs::ATTRIBUTE_ENI_SLOTS;
use roadstead_agent::api::Client;
use roadstead_api_ecs::{
    ContainerInstance, DescribeContainerInstancesRequest, DescribeContainerInstancesResponse,
    DescribeTasksRequest, DescribeTasksResponse, DesiredStatus, ListContainerInstancesRequest,
    ListContainerInstancesResponse, ListTasksRequest, ListTasksResponse, Resource, Task,
};
use roadstead_placement::{Candidate, CandidateId, Capacity, NodeId, Ports, Snapshot, Status};

/// What one call describes at most.
const PAGE: usize = 100;

pub(super) struct World {
    pub(super) snapshot: Snapshot,
    pub(super) instances: BTreeMap<CandidateId, ContainerInstance>,
    /// Tasks that have not stopped, by their instance.
    pub(super) tasks: BTreeMap<CandidateId, Vec<Task>>,
}

impl World {
    pub(super) async fn look(client: &Client, cluster: &str) -> Result<Self> {
        let (instances, tasks) = (instances(client, cluster).await?, tasks(client, cluster).await?);
        Ok(Self::of(instances, tasks))
    }

    pub(super) fn of(instances: Vec<ContainerInstance>, tasks: Vec<Task>) -> Self {
        let mut world = Self {
            snapshot: Snapshot::default(),
            instances: BTreeMap::new(),
            tasks: BTreeMap::new(),
        };
        for task in tasks {
            let host = CandidateId(task.container_instance_arn.clone().unwrap_or_default());
            world.tasks.entry(host).or_default().push(task);
        }
        for instance in instances {
            let id = CandidateId(instance.container_instance_arn.clone().unwrap_or_default());
            let here = world.tasks.get(&id).map(Vec::as_slice).unwrap_or_default();
            let candidate = candidate(id.clone(), &instance, here);
            let free = capacity(&instance, &candidate, here);
            world.snapshot.nodes.insert(candidate.node.clone(), free);
            world.snapshot.candidates.push(candidate);
            world.instances.insert(id, instance);
        }
        world
    }
}

fn candidate(id: CandidateId, instance: &ContainerInstance, tasks: &[Task]) -> Candidate {
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    for task in tasks
        .iter()
        .filter(|task| task.desired_status.as_deref() == Some("RUNNING"))
    {
        *groups.entry(task.group.clone().unwrap_or_default()).or_default() += 1;
    }
    let attributes = instance.attributes.iter().flatten();
    let versions = instance.version_info.as_ref();
    Candidate {
        node: NodeId(id.0.clone()),
        status: match instance.status.as_deref() {
            Some("ACTIVE") => Status::Active,
            Some("DRAINING") => Status::Draining,
            _ => Status::Inactive,
        },
        agent_connected: instance.agent_connected == Some(true),
        agent_version: versions.and_then(|versions| versions.agent_version.clone()),
        ec2_instance_id: instance.ec2_instance_id.clone(),
        registered_at: instance.registered_at.map_or(0, |at| at.0),
        attributes: attributes.map(|it| (it.name.clone(), it.value.clone())).collect(),
        location: None,
        tasks: tasks.len(),
        running: usize::try_from(instance.running_tasks_count.unwrap_or_default()).unwrap_or_default(),
        groups,
        id,
    }
}

fn capacity(instance: &ContainerInstance, candidate: &Candidate, tasks: &[Task]) -> Capacity {
    let interfaces = tasks
        .iter()
        .filter(|task| task.attachments.iter().flatten().next().is_some());
    let slots = candidate.attributes.get(ATTRIBUTE_ENI_SLOTS).cloned().flatten();
    let slots: i64 = slots.and_then(|slots| slots.parse().ok()).unwrap_or_default();
    Capacity {
        cpu: number(instance.remaining_resources.as_deref(), "CPU"),
        memory: number(instance.remaining_resources.as_deref(), "MEMORY"),
        eni_slots: slots - i64::try_from(interfaces.count()).unwrap_or_default(),
        gpus: 0,
        used_ports: Ports {
            tcp: ports(instance, "PORTS"),
            udp: ports(instance, "PORTS_UDP"),
        },
    }
}

fn resource<'r>(resources: Option<&'r [Resource]>, name: &str) -> Option<&'r Resource> {
    let mut resources = resources.unwrap_or_default().iter();
    resources.find(|resource| resource.name.as_deref() == Some(name))
}

pub(super) fn number(resources: Option<&[Resource]>, name: &str) -> i64 {
    resource(resources, name)
        .and_then(|it| it.integer_value)
        .map_or(0, i64::from)
}

fn ports(instance: &ContainerInstance, name: &str) -> std::collections::BTreeSet<u16> {
    let found = resource(instance.remaining_resources.as_deref(), name);
    let ports = found
        .and_then(|it| it.string_set_value.as_ref())
        .into_iter()
        .flatten();
    ports.filter_map(|port| port.parse().ok()).collect()
}

async fn instances(client: &Client, cluster: &str) -> Result<Vec<ContainerInstance>> {
    let (mut found, mut next_token) = (Vec::new(), None);
    loop {
        let request = ListContainerInstancesRequest {
            cluster: Some(cluster.to_owned()),
            next_token,
            ..Default::default()
        };
        let page: ListContainerInstancesResponse = client.call("ListContainerInstances", request).await?;
        for arns in page.container_instance_arns.unwrap_or_default().chunks(PAGE) {
            let request = DescribeContainerInstancesRequest {
                cluster: Some(cluster.to_owned()),
                container_instances: arns.to_vec(),
                include: None,
            };
            let answer: DescribeContainerInstancesResponse =
                client.call("DescribeContainerInstances", request).await?;
            found.extend(answer.container_instances.unwrap_or_default());
        }
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(found);
        }
    }
}

/// Those that hold something: meant to run, or meant to stop and not there yet.
async fn tasks(client: &Client, cluster: &str) -> Result<Vec<Task>> {
    let mut found = Vec::new();
    for desired in [DesiredStatus::Running, DesiredStatus::Stopped] {
        let mut next_token = None;
        loop {
            let request = ListTasksRequest {
                cluster: Some(cluster.to_owned()),
                desired_status: Some(desired),
                next_token,
                ..Default::default()
            };
            let page: ListTasksResponse = client.call("ListTasks", request).await?;
            for arns in page.task_arns.unwrap_or_default().chunks(PAGE) {
                let request = DescribeTasksRequest {
                    cluster: Some(cluster.to_owned()),
                    tasks: arns.to_vec(),
                    include: None,
                };
                let answer: DescribeTasksResponse = client.call("DescribeTasks", request).await?;
                found.extend(answer.tasks.unwrap_or_default());
            }
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
    }
    found.retain(|task| task.last_status.as_deref() != Some("STOPPED"));
    Ok(found)
}
